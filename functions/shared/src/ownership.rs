//! Which snapshots are ours, what their tags say, and what they are called.

use std::fmt::Write;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{DatabaseKind, Encryption, Keep, Progress, Settings, Snapshot, Source};

/// The tags that Snapferry writes. Everything under `snapferry:` on a source is dropped when it is copied.
pub mod tags {
    use std::collections::BTreeMap;

    /// Prefix of all of them.
    pub const PREFIX: &str = "snapferry:";
    /// On a database: whether it is copied, `true` or `false`.
    pub const COPY: &str = "snapferry:copy";
    /// On a database and its copies: how many verified copies to keep. So are the next five: see [`crate::Keep`].
    pub const KEEP: &str = "snapferry:keep";
    /// Days to keep every verified copy.
    pub const KEEP_DAYS: &str = "snapferry:keep-days";
    /// Days that keep their last verified copy.
    pub const KEEP_DAILY: &str = "snapferry:keep-daily";
    /// Weeks that keep theirs.
    pub const KEEP_WEEKLY: &str = "snapferry:keep-weekly";
    /// Months that keep theirs.
    pub const KEEP_MONTHLY: &str = "snapferry:keep-monthly";
    /// Years that keep theirs.
    pub const KEEP_YEARLY: &str = "snapferry:keep-yearly";
    /// `<source region>/<OwnerId>`: whose copy it is.
    pub const OWNER: &str = "snapferry:owner";
    /// ARN of the snapshot that was copied.
    pub const SOURCE_ARN: &str = "snapferry:source-arn";
    /// Identifier of the database when it was copied.
    pub const SOURCE_ID: &str = "snapferry:source-id";
    /// Resource id of the database.
    pub const SOURCE_RESOURCE_ID: &str = "snapferry:source-resource-id";
    /// When the data was captured, RFC 3339.
    pub const SOURCE_CREATED: &str = "snapferry:source-created";
    /// When the copy was asked for, RFC 3339.
    pub const REQUESTED: &str = "snapferry:requested";
    /// How many copies of the same snapshot failed before.
    pub const ATTEMPT: &str = "snapferry:attempt";
    /// On a copy: ARN of the key asked for, or `none`. On a database: the key to ask for, of those allowed.
    pub const KMS_KEY: &str = "snapferry:kms-key";
    /// When the copy was verified, RFC 3339, or `mismatch`.
    pub const VERIFIED: &str = "snapferry:verified";
    /// For a restore: instance class (of a cluster: its writer's).
    pub const CLASS: &str = "snapferry:class";
    /// For a restore: engine version of the database.
    pub const ENGINE_VERSION: &str = "snapferry:engine-version";
    /// For a restore: parameter group.
    pub const PARAMETER_GROUP: &str = "snapferry:parameter-group";
    /// On a copy, for a restore: the option group of the database. On a database: the one that its copies get.
    pub const OPTION_GROUP: &str = "snapferry:option-group";
    /// For a restore: whether the database was Multi-AZ.
    pub const MULTI_AZ: &str = "snapferry:multi-az";
    /// Every tag there is. A database that was restored from a copy may carry those of copies.
    pub const ALL: &[&str] = &[
        COPY,
        KEEP,
        KEEP_DAYS,
        KEEP_DAILY,
        KEEP_WEEKLY,
        KEEP_MONTHLY,
        KEEP_YEARLY,
        OWNER,
        SOURCE_ARN,
        SOURCE_ID,
        SOURCE_RESOURCE_ID,
        SOURCE_CREATED,
        REQUESTED,
        ATTEMPT,
        KMS_KEY,
        VERIFIED,
        CLASS,
        ENGINE_VERSION,
        PARAMETER_GROUP,
        OPTION_GROUP,
        MULTI_AZ,
    ];
    /// Value of [`VERIFIED`] on a copy that is not what was asked for.
    pub const MISMATCH: &str = "mismatch";
    /// Value of [`KMS_KEY`] on a copy that is not encrypted.
    pub const NO_KEY: &str = "none";

    /// Forgets every tag but ours: 50 on each of thousands of snapshots or databases are more memory than all the rest.
    pub fn retain_ours(tags: &mut BTreeMap<String, String>) {
        tags.retain(|key, _| key.starts_with(PREFIX));
    }
}

/// Most copies of one snapshot that may fail before we stop trying.
pub const MOST_ATTEMPTS: u32 = 3;

/// Who we are: the stack whose copies these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    id: String,
    tag: String,
}

impl Owner {
    /// The owner that the stack is configured as.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self::new(&settings.source_region, &settings.owner_id)
    }

    /// The owner of this id whose databases are in `source_region`.
    #[must_use]
    pub fn new(source_region: &str, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            tag: format!("{source_region}/{id}"),
        }
    }

    /// The owner that a copy is tagged with, well-formed or not: a claim, which [`Owner::owns`] checks.
    #[must_use]
    pub fn claimed_by(snapshot: &Snapshot) -> Option<Self> {
        let (source_region, id) = snapshot.tags.get(tags::OWNER)?.split_once('/')?;
        Some(Self::new(source_region, id))
    }

    /// The stack's `OwnerId`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Region of the databases.
    #[must_use]
    pub fn source_region(&self) -> &str {
        self.tag.split('/').next().unwrap_or_default()
    }

    /// The value of the owner tag: `<source region>/<OwnerId>`.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Whether a snapshot of this identifier is named like ours.
    #[must_use]
    pub fn names(&self, snapshot_id: &str) -> bool {
        snapshot_id
            .strip_prefix(self.id.as_str())
            .is_some_and(|rest| rest.starts_with('-'))
    }

    /// Whether `snapshot` is ours: by name **and** by tag.
    #[must_use]
    pub fn owns(&self, snapshot: &Snapshot) -> bool {
        self.names(&snapshot.id)
            && snapshot.snapshot_type == "manual"
            && snapshot.tags.get(tags::OWNER) == Some(&self.tag)
    }

    /// What the copy of `source_arn` under `key` is called: `<OwnerId>-<snapshot's name>-<hash>`.
    ///
    /// A pure function, so that a step that runs twice asks for the same copy. Legal for both kinds: at most 63
    /// characters, lower-case letters, digits and single hyphens, no hyphen at the end.
    #[must_use]
    pub fn copy_id(&self, source_arn: &str, key: Option<&str>, attempt: u32) -> String {
        const LONGEST: usize = 63;
        const HASH: usize = 12;
        let digest = Sha256::digest(format!("{source_arn}\n{}\n{attempt}", key.unwrap_or(tags::NO_KEY)));
        let hash = digest
            .iter()
            .take(HASH / 2)
            .fold(String::with_capacity(HASH), |mut hash, byte| {
                let _ = write!(hash, "{byte:02x}");
                hash
            });

        // `arn:<partition>:rds:<region>:<account>:snapshot:<name>`, and the name has colons of its own.
        let name = source_arn.splitn(7, ':').last().unwrap_or_default();
        let name = name.strip_prefix("rds:").unwrap_or(name);
        let room = LONGEST - self.id.len() - HASH - 2;
        let mut slug = String::with_capacity(room);
        for character in name.chars().map(|character| character.to_ascii_lowercase()) {
            if slug.len() == room {
                break;
            }
            if character.is_ascii_lowercase() || character.is_ascii_digit() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        match slug.trim_end_matches('-') {
            "" => format!("{}-{hash}", self.id),
            slug => format!("{}-{slug}-{hash}", self.id),
        }
    }
}

/// Whether copies get a key: RDS refuses one for an unencrypted cluster snapshot (API reference,
/// `CopyDBClusterSnapshot`).
#[must_use]
pub fn takes_key(kind: DatabaseKind, encryption: Encryption) -> bool {
    (kind, encryption) != (DatabaseKind::Cluster, Encryption::None)
}

/// How far one of our copies is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
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
    pub keep: Keep,
    /// How far it is.
    pub standing: Standing,
}

impl OwnCopy {
    /// Reads a snapshot as a copy of ours; nothing if it is not ours, or if its tags were tampered with so that
    /// what it is a copy of can no longer be told. Such a snapshot is never touched.
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
            keep: Keep::of_tags(&snapshot.tags).0,
            standing: match (snapshot.progress(), verified) {
                (Progress::Failed, _) => Standing::Failed,
                (Progress::Unfinished, _) => Standing::InProgress,
                (Progress::Complete, None) => Standing::Unverified,
                (Progress::Complete, Some(value)) if value.parse::<Timestamp>().is_ok() => Standing::Verified,
                (Progress::Complete, Some(_)) => Standing::Mismatched,
            },
        })
    }

    /// Whether it is a copy of `source` under `key`.
    #[must_use]
    pub fn is_of(&self, source: &Source, key: Option<&str>) -> bool {
        self.source_arn == source.arn && self.kms_key_arn.as_deref() == key
    }

    /// The copy as the baton carries it.
    #[must_use]
    pub fn to_wire(&self, region: &str) -> crate::Copy {
        crate::Copy {
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
