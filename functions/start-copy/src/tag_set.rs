//! Every tag that a copy is made with: ours, and those that its source carries.

use std::collections::BTreeMap;

use domain::copy_tags::CopyTags;
use domain::drill::DrillEvery;
use domain::ownership::{Format, Owner};
use domain::payload::{DatabaseFacts, Source, Target};
use domain::restore_order::RestoreOrder;
use domain::restore_settings::RestoreHints;
use domain::retention_rules::{RetentionRules, unreadable_retention};
use domain::snapshot::{Database, Snapshot};
use domain::tag_spelling::{concerns_us, is_meant_for};
use domain::tags;
use jiff::Timestamp;

/// What is recorded of a snapshot and of its database as it is now, if it still exists.
///
/// Without `CopyTagsToSnapshot`, which is off by default, an automated snapshot has no tags. Then its copy inherits those of
/// the database, for the allocation of costs. The tags of a manual snapshot are a person's, even if there are none.
pub(crate) fn facts(snapshot: &Snapshot, database: Option<&Database>) -> DatabaseFacts {
    let of_snapshot = DatabaseFacts {
        snapshot_option_group: snapshot.option_group.clone(),
        restore: RestoreHints {
            option_group: snapshot.option_group.clone(),
            ..RestoreHints::default()
        },
        ..DatabaseFacts::default()
    };
    let Some(database) = database else { return of_snapshot };
    DatabaseFacts {
        retention: RetentionRules::from_wishes(&database.tags).0,
        unread: Some(!unreadable_retention(&database.tags).is_empty()),
        drill_every: DrillEvery::from_wish(&database.tags),
        restore_order: RestoreOrder::from_wish(&database.tags),
        inherits_of_database: snapshot.snapshot_type == "automated" && snapshot.tags.is_empty(),
        restore: RestoreHints {
            engine_version: None,
            class: database.class.clone(),
            parameter_group: database.parameter_group.clone(),
            option_group: database.option_group.clone().or(of_snapshot.restore.option_group),
            multi_az: Some(database.multi_az),
            // What the snapshot says, its copy says as well.
            settings: database.settings.clone().without(&snapshot.settings),
        },
        ..of_snapshot
    }
}

/// What our tags of the copy say, but for the key and the attempt.
pub(crate) fn ours(
    target: &Target,
    source: &Source,
    facts: &DatabaseFacts,
    stack: &str,
    requested: Timestamp,
) -> CopyTags {
    // So that a copy is kept as its database wanted when the database, and its tags, are gone. Both are asked, because
    // an input that was made by hand has no policy.
    let policy = target.policy.as_ref();
    let by_policy = policy.map(|policy| policy.keep).unwrap_or_default();
    // What nobody could read is unread, what nobody saw is too.
    let is_unread_by_policy = policy.is_some_and(|policy| policy.hold_all);
    let is_unread = is_unread_by_policy || facts.unread.unwrap_or(policy.is_none());
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
        retention: by_policy.widest(facts.retention),
        unread: is_unread,
        drill_every: facts.drill_every,
        restore_order: facts.restore_order,
        restore: RestoreHints {
            engine_version: Some(source.engine_version.clone()),
            ..facts.restore.clone()
        },
    }
}

/// All tags of the copy: what it inherits, then ours over it, so that a source can forge none of ours.
///
/// RDS refuses keys and values that begin with `aws:` or `rds:`. Where there are more than fit beside ours and those that
/// are written later ([`tags::RESERVED`]), the inherited ones give way.
pub(crate) fn all(inherited: &BTreeMap<String, String>, ours: &CopyTags, owner: &Owner) -> BTreeMap<String, String> {
    let ours = ours.to_tags(owner);
    let later = tags::RESERVED.iter().filter(|key| !ours.contains_key(**key)).count();
    let mut all: BTreeMap<String, String> = inherited
        .iter()
        .filter(|(key, value)| is_allowed(key) && is_allowed(value) && !is_ours(key))
        .take(tags::MAX_TAGS.saturating_sub(ours.len() + later))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
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
