//! The tags of a copy: written and read here, and nowhere else.
//!
//! What a copy is of, and what was asked for, outlives the database and this release: names of tags never change.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ownership::Owner;
use crate::payload::{CopyRef, Source};
use crate::restore_settings::RestoreSettings;
use crate::retention_rules::RetentionRules;
use crate::snapshot::{Completion, Snapshot};
use crate::tags;

/// Longest value that a tag may have, in characters (RDS API reference, `Tag`).
const MAX_VALUE_CHARACTERS: usize = 256;

/// What is written on a copy when it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyTags {
    /// ARN of the snapshot that is copied.
    pub source_arn: String,
    /// Identifier of the database at that time.
    pub source_id: String,
    /// Resource id of the database.
    pub source_resource_id: String,
    /// When the data was captured.
    pub source_created: Timestamp,
    /// When the copy is asked for.
    pub requested: Timestamp,
    /// How many copies of the same snapshot failed before.
    pub attempt: u32,
    /// ARN of the key asked for; none for an unencrypted cluster.
    pub kms_key_arn: Option<String>,
    /// What the database's tags ask to be kept.
    pub retention: RetentionRules,
    /// What a restore needs.
    pub restore: RestoreHints,
}

impl CopyTags {
    /// The tags as RDS gets them. A value that is empty, or longer than a tag may be, is left out.
    #[must_use]
    pub fn to_tags(&self, owner: &Owner) -> BTreeMap<String, String> {
        let restore = &self.restore;
        [
            (tags::OWNER, Some(owner.tag().to_owned())),
            (tags::SOURCE_ARN, Some(self.source_arn.clone())),
            (tags::SOURCE_ID, Some(self.source_id.clone())),
            (tags::SOURCE_RESOURCE_ID, Some(self.source_resource_id.clone())),
            (tags::SOURCE_CREATED, Some(self.source_created.to_string())),
            (tags::REQUESTED, Some(self.requested.to_string())),
            (tags::ATTEMPT, Some(self.attempt.to_string())),
            (
                tags::KMS_KEY,
                Some(self.kms_key_arn.as_deref().unwrap_or(tags::NO_KEY).to_owned()),
            ),
            (tags::ENGINE_VERSION, restore.engine_version.clone()),
            (tags::CLASS, restore.class.clone()),
            (tags::PARAMETER_GROUP, restore.parameter_group.clone()),
            (tags::OPTION_GROUP, restore.option_group.clone()),
            (tags::MULTI_AZ, restore.multi_az.map(|multi_az| multi_az.to_string())),
        ]
        .into_iter()
        .chain(
            restore
                .settings
                .to_tags()
                .into_iter()
                .map(|(key, value)| (key, Some(value))),
        )
        .chain(self.retention.to_tags().map(|(key, value)| (key, Some(value))))
        .filter_map(|(key, value)| {
            let value = value.filter(|value| !value.is_empty() && value.chars().count() <= MAX_VALUE_CHARACTERS)?;
            Some((key.to_owned(), value))
        })
        .collect()
    }
}

/// What a restore needs to know of the database, and no snapshot says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreHints {
    /// Engine version.
    pub engine_version: Option<String>,
    /// Instance class; of a cluster, its writer's.
    pub class: Option<String>,
    /// Parameter group.
    pub parameter_group: Option<String>,
    /// Option group of the database. Those that AWS made are called `default:...`.
    pub option_group: Option<String>,
    /// Whether the database was Multi-AZ, if that was known.
    pub multi_az: Option<bool>,
    /// Its other settings, but for those that the snapshot knows.
    pub settings: RestoreSettings,
}

impl RestoreHints {
    /// Reads them from the tags of a copy.
    #[must_use]
    pub fn read(tags: &BTreeMap<String, String>) -> Self {
        let tag = |name: &str| tags.get(name).cloned();
        Self {
            engine_version: tag(tags::ENGINE_VERSION),
            class: tag(tags::CLASS),
            parameter_group: tag(tags::PARAMETER_GROUP),
            option_group: tag(tags::OPTION_GROUP),
            multi_az: tag(tags::MULTI_AZ).map(|value| value == "true"),
            settings: RestoreSettings::read(tags).settings,
        }
    }
}

/// How far one of our copies is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStatus {
    /// Complete, and compared with its source.
    Verified,
    /// Complete, not compared yet.
    Unverified,
    /// Not complete yet.
    InProgress,
    /// RDS gave up.
    Failed,
    /// Complete, and not what was asked for.
    Mismatched,
}

/// One of our copies, as its tags describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCopy {
    /// The copy's identifier.
    pub id: String,
    /// The copy's ARN.
    pub arn: String,
    /// The snapshot that it is a copy of.
    pub source_arn: String,
    /// The database that it is a copy of.
    pub source_resource_id: String,
    /// When the data was captured.
    pub source_created: Timestamp,
    /// When it was asked for.
    pub requested: Timestamp,
    /// The key that was asked for.
    pub kms_key_arn: Option<String>,
    /// How many copies of the same snapshot failed before.
    pub attempt: u32,
    /// What the database's tags asked to be kept when it was made.
    pub retention: RetentionRules,
    /// How far it is.
    pub status: CopyStatus,
}

impl OwnCopy {
    /// Reads a snapshot as a copy of ours; nothing if it is not ours, or if its tags were tampered with so that
    /// what it is a copy of is no longer known. Such a snapshot is never touched.
    #[must_use]
    pub fn read(owner: &Owner, snapshot: &Snapshot) -> Option<Self> {
        if !owner.owns(snapshot) {
            return None;
        }
        let tag = |key: &str| snapshot.tags.get(key);
        let verified = tag(tags::VERIFIED).map(String::as_str);
        Some(Self {
            id: snapshot.id.clone(),
            arn: snapshot.arn.clone(),
            source_arn: tag(tags::SOURCE_ARN)?.clone(),
            source_resource_id: tag(tags::SOURCE_RESOURCE_ID)?.clone(),
            source_created: tag(tags::SOURCE_CREATED)?.parse().ok()?,
            requested: tag(tags::REQUESTED)?.parse().ok()?,
            kms_key_arn: Some(tag(tags::KMS_KEY)?.clone()).filter(|key| key != tags::NO_KEY),
            attempt: tag(tags::ATTEMPT)?.parse().ok()?,
            retention: RetentionRules::from_tags(&snapshot.tags).0,
            status: match (snapshot.completion(), verified) {
                (Completion::Failed, _) => CopyStatus::Failed,
                (Completion::Unfinished, _) => CopyStatus::InProgress,
                (Completion::Complete, None) => CopyStatus::Unverified,
                (Completion::Complete, Some(value)) if value.parse::<Timestamp>().is_ok() => CopyStatus::Verified,
                (Completion::Complete, Some(_)) => CopyStatus::Mismatched,
            },
        })
    }

    /// Whether it is a copy of `source` under `key`.
    #[must_use]
    pub fn is_of(&self, source: &Source, key: Option<&str>) -> bool {
        self.source_arn == source.arn && self.kms_key_arn.as_deref() == key
    }

    /// The copy as the payload carries it.
    #[must_use]
    pub fn to_ref(&self, region: &str) -> CopyRef {
        CopyRef {
            id: self.id.clone(),
            arn: self.arn.clone(),
            region: region.to_owned(),
            kms_key_arn: self.kms_key_arn.clone(),
            requested_at: self.requested,
            attempt: self.attempt,
        }
    }
}

#[cfg(test)]
mod tests;
