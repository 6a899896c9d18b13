//! Snapshots and databases as the domain sees them: no SDK types, both kinds alike.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kind::DatabaseKind;
use crate::restore_settings::RestoreSettings;
use crate::tags;

/// How a snapshot's storage is encrypted.
///
/// `StorageEncrypted=false` alone does not mean unencrypted: with a key owned by AWS (`sse-rds`) it is false too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// Not at all.
    #[serde(rename = "none")]
    None,
    /// With a KMS key of the account.
    #[serde(rename = "sse-kms")]
    Kms,
    /// With a key that AWS owns.
    #[serde(rename = "sse-rds")]
    AwsOwned,
}

impl Encryption {
    /// RDS's own word for it (`StorageEncryptionType`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kms => "sse-kms",
            Self::AwsOwned => "sse-rds",
        }
    }
}

/// What a snapshot's status word means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// `available`.
    Complete,
    /// It will never be complete.
    Failed,
    /// Anything else, words that are new to us included: it may yet complete.
    Unfinished,
}

/// A snapshot in either region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Of an instance or of a cluster.
    pub kind: DatabaseKind,
    /// Its identifier; automated ones begin with `rds:`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Identifier of the database that it was taken of.
    pub database_id: String,
    /// Resource id of that database, if RDS says.
    pub resource_id: Option<String>,
    /// `automated`, `manual`, `awsbackup`, ...
    pub snapshot_type: String,
    /// Status, as RDS spells it.
    pub status: String,
    /// When this snapshot was made; a copy has its own time. Absent while it is being created.
    pub created_at: Option<Timestamp>,
    /// When the data was first captured. RDS says so for instances only.
    pub original_created_at: Option<Timestamp>,
    /// Engine.
    pub engine: String,
    /// Engine version.
    pub engine_version: String,
    /// How its storage is encrypted.
    pub encryption: Encryption,
    /// The key, if it is encrypted with one of the account's.
    pub kms_key_arn: Option<String>,
    /// The snapshot that it was copied from, across regions or accounts.
    pub source_arn: Option<String>,
    /// Allocated storage in GiB. Of clusters RDS gives no size that means anything.
    pub size_gib: Option<i32>,
    /// Percentage of the data transferred.
    pub percent: i32,
    /// Its option group.
    pub option_group: Option<String>,
    /// What it knows of its database's settings. Empty where snapshots are listed.
    pub settings: RestoreSettings,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Snapshot {
    /// What the status word means. The words: RDS waiters and model; `pending` was seen on copies in progress.
    #[must_use]
    pub fn completion(&self) -> Completion {
        match self.status.as_str() {
            "available" => Completion::Complete,
            "failed" | "deleted" | "deleting" => Completion::Failed,
            word if word.starts_with("incompatible-") => Completion::Failed,
            _ => Completion::Unfinished,
        }
    }

    /// When the data was captured, as far as RDS says.
    #[must_use]
    pub fn captured_at(&self) -> Option<Timestamp> {
        self.original_created_at.or(self.created_at)
    }
}

/// A database in the source region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// Its identifier.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its resource id.
    pub resource_id: String,
    /// When it was created, or restored. Absent while it is being created.
    pub created_at: Option<Timestamp>,
    /// How its storage is encrypted.
    pub encryption: Encryption,
    /// The Aurora or `DocumentDB` global database that a cluster belongs to.
    pub global_cluster: Option<String>,
    /// Engine.
    pub engine: String,
    /// Engine version.
    pub engine_version: String,
    /// The cluster that an instance is a member of.
    pub member_of: Option<String>,
    /// Its tags in our namespace (`snapferry:`).
    pub tags: BTreeMap<String, String>,
    /// Instance class; a cluster has one only if it is a Multi-AZ DB cluster.
    pub class: Option<String>,
    /// Parameter group (of a cluster: its cluster parameter group).
    pub parameter_group: Option<String>,
    /// Option group.
    pub option_group: Option<String>,
    /// Whether it has a standby in another zone.
    pub multi_az: bool,
    /// Of a cluster: the instance that is written to.
    pub writer: Option<String>,
    /// Its other settings, for the restore of a copy. Empty where databases are listed.
    pub settings: RestoreSettings,
}

impl Database {
    /// Whether its tag says that it is copied, if it says either.
    #[must_use]
    pub fn copy_tag(&self) -> Option<bool> {
        match self.tags.get(tags::COPY)?.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

/// An option group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionGroup {
    /// Its name.
    pub name: String,
    /// The engine that it is for.
    pub engine: String,
    /// The engine's major version that it is for.
    pub major_version: String,
    /// Its options, and of each whether a snapshot cannot do without it: it is permanent, or encrypts the data.
    pub options: BTreeMap<String, bool>,
}
