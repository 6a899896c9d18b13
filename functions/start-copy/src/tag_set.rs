//! Every tag that a copy is made with: ours, and those that its source carries.

use std::collections::BTreeMap;

use domain::copy_tags::{CopyTags, RestoreHints};
use domain::ownership::{Format, Owner};
use domain::payload::{Source, Target};
use domain::retention_rules::{RetentionRules, unreadable_retention};
use domain::snapshot::{Database, Snapshot};
use domain::tag_spelling::{concerns_us, is_meant_for};
use domain::tags;
use jiff::Timestamp;

/// What our tags of the copy of `snapshot` say, but for the key and the attempt. `database` is the database as it is
/// now, if it still exists.
pub(crate) fn ours(
    target: &Target,
    source: &Source,
    snapshot: &Snapshot,
    database: Option<&Database>,
    stack: &str,
    requested: Timestamp,
) -> CopyTags {
    // So that a copy is kept as its database wanted when the database, and its tags, are gone. Both are asked, because
    // an input that was made by hand has no policy.
    let by_policy = target.policy.as_ref().map(|policy| policy.keep);
    let by_tags = database.map(|database| RetentionRules::from_wishes(&database.tags).0);
    // What nobody could read is unread, what nobody saw is too.
    let is_unread_by_policy = target
        .policy
        .as_ref()
        .map_or(database.is_none(), |policy| policy.hold_all);
    let is_unread =
        is_unread_by_policy || database.is_some_and(|database| !unreadable_retention(&database.tags).is_empty());
    CopyTags {
        format: Format::CURRENT,
        source_arn: source.arn.clone(),
        source_id: target.id.clone(),
        source_resource_id: target.resource_id.clone(),
        source_created: source.created_at,
        requested,
        attempt: 0,
        kms_key_arn: None,
        stack: Some(stack.to_owned()),
        retention: by_policy.unwrap_or_default().widest(by_tags.unwrap_or_default()),
        unread: is_unread,
        restore: RestoreHints {
            engine_version: Some(source.engine_version.clone()),
            class: database.and_then(|database| database.class.clone()),
            parameter_group: database.and_then(|database| database.parameter_group.clone()),
            option_group: database
                .and_then(|database| database.option_group.clone())
                .or_else(|| snapshot.option_group.clone()),
            multi_az: database.map(|database| database.multi_az),
            // What the snapshot says, its copy says as well.
            settings: database
                .map(|database| database.settings.clone().without(&snapshot.settings))
                .unwrap_or_default(),
        },
    }
}

/// All tags of the copy: what the snapshot carries, what its database carries besides (without `CopyTagsToSnapshot`, which
/// is off by default, a snapshot has no tags for the allocation of costs), then ours over them, so that a source can forge
/// none of ours.
///
/// RDS refuses keys and values that begin with `aws:` or `rds:`. Where there are more than fit beside ours and those that
/// are written later ([`tags::RESERVED`]), the inherited ones give way, those of the database first.
pub(crate) fn all(
    of_snapshot: &BTreeMap<String, String>,
    database: Option<&Database>,
    ours: &CopyTags,
    owner: &Owner,
) -> BTreeMap<String, String> {
    let ours = ours.to_tags(owner);
    let later = tags::RESERVED.iter().filter(|key| !ours.contains_key(**key)).count();
    let room = tags::MAX_TAGS.saturating_sub(ours.len() + later);
    let of_database = database.into_iter().flat_map(|database| &database.tags);
    let mut all = BTreeMap::new();
    for (key, value) in of_snapshot.iter().chain(of_database) {
        if all.len() < room && is_allowed(key) && is_allowed(value) && !is_ours(key) {
            all.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    all.extend(ours);
    all
}

/// The prefix is reserved in any case (`AWS:` is refused as well).
fn is_allowed(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    !text.starts_with("aws:") && !text.starts_with("rds:")
}

fn is_ours(key: &str) -> bool {
    concerns_us(key) || is_meant_for(key, tags::HOLD)
}

#[cfg(test)]
mod tests;
