//! The tags of a copy: whose it is, what it is a copy of, and what a restore needs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::{Database, Keep, Owner, Source, Target, tags};

/// Most tags that a snapshot may have.
const MOST_TAGS: usize = 50;

/// Longest value of a tag, in characters.
const LONGEST_VALUE: usize = 256;

/// What the tags are made from.
pub(crate) struct Label<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) target: &'a Target,
    pub(crate) source: &'a Source,
    pub(crate) key: Option<&'a str>,
    pub(crate) attempt: u32,
    pub(crate) requested: Timestamp,
    /// Tags of the snapshot that is copied.
    pub(crate) inherited: &'a BTreeMap<String, String>,
    /// The database as it is now, if it still exists.
    pub(crate) database: Option<&'a Database>,
    /// Option group of the snapshot.
    pub(crate) option_group: Option<&'a str>,
}

/// All tags of the copy: what the source carries, then ours over it, so that a source can forge none of ours.
///
/// RDS refuses keys and values that begin with `aws:` or `rds:`. Where there are more than a snapshot may have, the
/// inherited ones give way.
pub(crate) fn tags(label: &Label<'_>) -> BTreeMap<String, String> {
    let ours = ours(label);
    let mut all: BTreeMap<String, String> = label
        .inherited
        .iter()
        .filter(|(key, value)| is_allowed(key) && is_allowed(value) && !is_ours(key))
        .take(MOST_TAGS - ours.len())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    all.extend(ours);
    all
}

fn ours(label: &Label<'_>) -> BTreeMap<String, String> {
    let database = label.database;
    // So that a copy is kept as its database wanted when the database, and its tags, are gone. Both are asked, because
    // an input that was made by hand has no policy.
    let by_policy = label.target.policy.as_ref().map(|policy| policy.keep);
    let by_tags = database.map(|database| Keep::of_tags(&database.tags).0);
    let keep = by_policy.unwrap_or_default().or_more(by_tags.unwrap_or_default());
    let option_group = database
        .and_then(|database| database.option_group.as_deref())
        .or(label.option_group);
    [
        (tags::OWNER, Some(label.owner.tag().to_owned())),
        (tags::SOURCE_ARN, Some(label.source.arn.clone())),
        (tags::SOURCE_ID, Some(label.target.id.clone())),
        (tags::SOURCE_RESOURCE_ID, Some(label.target.resource_id.clone())),
        (tags::SOURCE_CREATED, Some(label.source.created_at.to_string())),
        (tags::REQUESTED, Some(label.requested.to_string())),
        (tags::ATTEMPT, Some(label.attempt.to_string())),
        (tags::KMS_KEY, Some(label.key.unwrap_or(tags::NO_KEY).to_owned())),
        (tags::ENGINE_VERSION, Some(label.source.engine_version.clone())),
        (tags::CLASS, database.and_then(|database| database.class.clone())),
        (
            tags::PARAMETER_GROUP,
            database.and_then(|database| database.parameter_group.clone()),
        ),
        // Option groups that AWS made are called `default:...`.
        (tags::OPTION_GROUP, option_group.map(str::to_owned)),
        (tags::MULTI_AZ, database.map(|database| database.multi_az.to_string())),
    ]
    .into_iter()
    .chain(keep.to_tags().map(|(key, value)| (key, Some(value))))
    .filter_map(|(key, value)| {
        let value = value.filter(|value| !value.is_empty() && value.chars().count() <= LONGEST_VALUE)?;
        Some((key.to_owned(), value))
    })
    .collect()
}

/// The prefix is reserved in any case (`AWS:` is refused as well).
fn is_allowed(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    !text.starts_with("aws:") && !text.starts_with("rds:")
}

fn is_ours(key: &str) -> bool {
    key.to_ascii_lowercase().starts_with(tags::PREFIX)
}

#[cfg(test)]
mod tests;
