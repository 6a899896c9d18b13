//! The tags of a copy: written and read here, and nowhere else.
//!
//! What a copy is of, and what was asked for, outlives the database and this release: names of tags never change. Copies
//! of version 1 ([`Format`]) are read for ever, under the names that their tags had.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::drill::DrillEvery;
use crate::ownership::{CopyIdentity, Format, Owner};
use crate::payload::{CopyRef, Source};
use crate::restore_order::RestoreOrder;
use crate::restore_settings::RestoreHints;
use crate::retention_rules::RetentionRules;
use crate::snapshot::{Completion, Snapshot};
use crate::tag_spelling::is_meant_for;
use crate::tags;

/// What is written on a copy when it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyTags {
    /// By which rules the copy is named and tagged: [`Format::CURRENT`], but for copies that are older.
    pub format: Format,
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
    /// Name of the stack that asks. Copies of version 1 do not say.
    pub stack: Option<String>,
    /// What the database's tags ask to be kept.
    pub retention: RetentionRules,
    /// Whether a tag of the database that asks for retention could not be read.
    pub unread: bool,
    /// How often the database's tags ask for a drill.
    pub drill_every: Option<DrillEvery>,
    /// Which place in the order of a restore they ask for.
    pub restore_order: Option<RestoreOrder>,
    /// What a restore needs.
    pub restore: RestoreHints,
}

impl CopyTags {
    /// The name of the copy that these tags are written on.
    #[must_use]
    pub fn copy_id(&self, owner: &Owner) -> String {
        owner.copy_id(&CopyIdentity {
            format: self.format,
            source_arn: &self.source_arn,
            source_created: self.source_created,
            source_resource_id: &self.source_resource_id,
            kms_key_arn: self.kms_key_arn.as_deref(),
            attempt: self.attempt,
        })
    }

    /// The tags as RDS gets them. All that the identity of a copy depends on are among them, whatever their length: see
    /// [`is_taggable`]. Of the others, one that is empty, or longer than a tag may be, is left out.
    #[must_use]
    pub fn to_tags(&self, owner: &Owner) -> BTreeMap<String, String> {
        let names = RecordNames::new(self.format);
        let identity = [
            (tags::OWNER, owner.tag().to_owned()),
            (tags::SOURCE_ARN, self.source_arn.clone()),
            (tags::SOURCE_ID, self.source_id.clone()),
            (tags::SOURCE_RESOURCE_ID, self.source_resource_id.clone()),
            (tags::SOURCE_CREATED, self.source_created.to_string()),
            (tags::REQUESTED, self.requested.to_string()),
            (tags::ATTEMPT, self.attempt.to_string()),
            (
                names.kms_key,
                self.kms_key_arn.as_deref().unwrap_or(tags::NO_KEY).to_owned(),
            ),
        ];
        let format = self.format.tag().map(|format| (tags::FORMAT, format.to_owned()));
        let restore = &self.restore;
        let optional = [
            (tags::STACK, self.stack.clone()),
            (tags::UNREAD, self.unread.then(|| true.to_string())),
            (
                tags::SOURCE_DRILL_EVERY,
                self.drill_every.map(|every| every.to_string()),
            ),
            (
                tags::SOURCE_RESTORE_ORDER,
                self.restore_order.map(|order| order.to_string()),
            ),
            (tags::ENGINE_VERSION, restore.engine_version.clone()),
            (tags::CLASS, restore.class.clone()),
            (tags::PARAMETER_GROUP, restore.parameter_group.clone()),
            (names.option_group, restore.option_group.clone()),
            (tags::MULTI_AZ, restore.multi_az.map(|multi_az| multi_az.to_string())),
        ];
        let optional = optional
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.filter(|value| !value.is_empty() && is_taggable(value))?)));
        let settings = restore.settings.to_tags().into_iter();
        let all = identity.into_iter().chain(format).chain(optional).chain(settings);
        all.chain(self.retention.to_records(self.format))
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

/// Whether a text fits into a tag. A snapshot whose ARN does not cannot be copied, because the copy could not be told
/// from a foreign one.
#[must_use]
pub fn is_taggable(text: &str) -> bool {
    text.chars().count() <= tags::MAX_VALUE_CHARACTERS
}

/// The tags that are not called the same in every version.
struct RecordNames {
    kms_key: &'static str,
    option_group: &'static str,
}

impl RecordNames {
    fn new(format: Format) -> Self {
        match format {
            Format::V1 => Self {
                kms_key: tags::KMS_KEY,
                option_group: tags::OPTION_GROUP,
            },
            Format::V2 => Self {
                kms_key: tags::COPY_KMS_KEY,
                option_group: tags::SOURCE_OPTION_GROUP,
            },
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
    /// Being deleted: it counts for nothing any more.
    Going,
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
    /// Name of the stack that made it. Copies of version 1 do not say.
    pub stack: Option<String>,
    /// Whether RDS itself confirms what it is a copy of. Where RDS reports no source, the name and the tags are all there
    /// is.
    pub is_confirmed: bool,
    /// What the database's tags asked to be kept when it was made.
    pub retention: RetentionRules,
    /// Whether what they asked for is not fully known: one of them could not be read then, or its record cannot now.
    pub unread: bool,
    /// Whether a person keeps it.
    pub hold: bool,
    /// Until when a drill restores it, if its tag says so.
    pub drilling_until: Option<Timestamp>,
    /// How often the database's tags asked for a drill when it was made.
    pub drill_every: Option<DrillEvery>,
    /// Which place in the order of a restore they asked for then.
    pub restore_order: Option<RestoreOrder>,
    /// How far it is.
    pub status: CopyStatus,
}

impl OwnCopy {
    /// Reads a snapshot as a copy of ours; nothing if it is not ours, and then it is never touched.
    ///
    /// It is ours if it carries our owner tag, **and** its name is what the naming function makes of its tags, **and** RDS
    /// reports the source that its tags name, or none. Tags travel: a restored database inherits those of the copy, and
    /// hands them on to its own snapshots; so does a copy of the copy. None of these has that name.
    #[must_use]
    pub fn read(owner: &Owner, snapshot: &Snapshot) -> Option<Self> {
        let tag = |key: &str| snapshot.tags.get(key);
        if snapshot.snapshot_type != "manual" || tag(tags::OWNER)? != owner.tag() {
            return None;
        }
        let format = Format::from_tag(tag(tags::FORMAT).map(String::as_str))?;
        let names = RecordNames::new(format);
        let identity = CopyIdentity {
            format,
            source_arn: tag(tags::SOURCE_ARN)?,
            source_created: tag(tags::SOURCE_CREATED)?.parse().ok()?,
            source_resource_id: tag(tags::SOURCE_RESOURCE_ID)?,
            kms_key_arn: Some(tag(names.kms_key)?.as_str()).filter(|key| *key != tags::NO_KEY),
            attempt: tag(tags::ATTEMPT)?.parse().ok()?,
        };
        let reported = snapshot.source_arn.as_deref();
        if snapshot.id != owner.copy_id(&identity) || reported.is_some_and(|reported| reported != identity.source_arn) {
            return None;
        }
        let verified = tag(tags::VERIFIED).map(String::as_str);
        let (retention, unreadable) = RetentionRules::from_records(format, &snapshot.tags);
        Some(Self {
            id: snapshot.id.clone(),
            arn: snapshot.arn.clone(),
            source_arn: identity.source_arn.to_owned(),
            source_resource_id: identity.source_resource_id.to_owned(),
            source_created: identity.source_created,
            requested: tag(tags::REQUESTED)?.parse().ok()?,
            kms_key_arn: identity.kms_key_arn.map(str::to_owned),
            attempt: identity.attempt,
            stack: tag(tags::STACK).cloned(),
            is_confirmed: reported.is_some(),
            retention,
            unread: !unreadable.is_empty() || snapshot.tags.keys().any(|key| is_meant_for(key, tags::UNREAD)),
            hold: snapshot.tags.keys().any(|key| is_meant_for(key, tags::HOLD)),
            drilling_until: tag(tags::DRILLING).and_then(|until| until.parse().ok()),
            drill_every: tag(tags::SOURCE_DRILL_EVERY).and_then(|every| every.parse().ok()),
            restore_order: tag(tags::SOURCE_RESTORE_ORDER).and_then(|order| order.parse().ok()),
            status: match (snapshot.completion(), verified) {
                (Completion::Going, _) => CopyStatus::Going,
                (Completion::Failed, _) => CopyStatus::Failed,
                (Completion::Unfinished, _) => CopyStatus::InProgress,
                (Completion::Complete, None) => CopyStatus::Unverified,
                (Completion::Complete, Some(value)) if value.parse::<Timestamp>().is_ok() => CopyStatus::Verified,
                (Completion::Complete, Some(_)) => CopyStatus::Mismatched,
            },
        })
    }

    /// Whether it is a copy of `source`, which is a snapshot's ARN and its creation time, under `key`. Copies are ours by
    /// the time that their tags seal, so a version 1 copy counts by it as well.
    #[must_use]
    pub fn is_of(&self, source: &Source, key: Option<&str>) -> bool {
        self.is_of_snapshot(source) && self.kms_key_arn.as_deref() == key
    }

    /// Whether it is a copy of `source`, under whichever key.
    #[must_use]
    pub fn is_of_snapshot(&self, source: &Source) -> bool {
        self.source_arn == source.arn && self.source_created == source.created_at
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
