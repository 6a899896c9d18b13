//! Snapshots and databases as the domain sees them: no SDK types, both kinds alike.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kind::DatabaseKind;
use crate::restore_settings::RestoreSettings;

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
    /// It is being deleted, or is deleted already: it counts for nothing any more, and is no failure.
    Going,
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
    /// The most recent transaction in the data (`SnapshotDatabaseTime`). RDS says so of some instances only; of a replica
    /// it is earlier than the snapshot by the replica's lag.
    pub data_time: Option<Timestamp>,
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
    /// Bytes of all blocks that were ever written (`FullSnapshotSizeInBytes`): the true size, where RDS reports it.
    pub full_size_bytes: Option<i64>,
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
            "failed" => Completion::Failed,
            "deleting" | "deleted" => Completion::Going,
            word if word.starts_with("incompatible-") => Completion::Failed,
            _ => Completion::Unfinished,
        }
    }

    /// When the data was captured, as far as RDS says.
    #[must_use]
    pub fn captured_at(&self) -> Option<Timestamp> {
        self.original_created_at.or(self.created_at)
    }

    /// How old the data is that a restore of this copy would bring back: what a recovery point is measured by.
    /// `source_created` is when the data was captured, by the copy's record. Which snapshot this is, and which one is the
    /// newest, depends on that alone.
    #[must_use]
    pub fn data_at(&self, source_created: Timestamp) -> Timestamp {
        self.data_time.unwrap_or(source_created)
    }

    /// GiB that were ever written, rounded up, where RDS reports it.
    #[must_use]
    pub fn written_gib(&self) -> Option<i32> {
        const GIB: u64 = 1 << 30;
        let written = self.full_size_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        let written = written.filter(|bytes| *bytes > 0)?;
        i32::try_from(written.div_ceil(GIB)).ok()
    }

    /// The size in GiB: what was written, where RDS reports it, or else the storage that was allocated.
    #[must_use]
    pub fn data_gib(&self) -> Option<i32> {
        self.written_gib().or(self.size_gib)
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
    /// Its tags. Of a list of databases only those in our namespace (`snapferry:`), and those that may have been meant for
    /// it: see [`crate::tag_spelling`].
    pub tags: BTreeMap<String, String>,
    /// Status, as RDS spells it (`DBInstanceStatus`, `Status`).
    pub status: String,
    /// Days for which RDS keeps automated snapshots (`BackupRetentionPeriod`); 0 is none at all.
    pub backup_retention_days: Option<i32>,
    /// What it replicates: an instance, or a cluster of any region (`ReadReplicaSourceDBInstanceIdentifier`,
    /// `ReadReplicaSourceDBClusterIdentifier`, `ReplicationSourceIdentifier`).
    pub replica_of: Option<String>,
    /// The recovery point of AWS Backup, which then makes its backups (`AwsBackupRecoveryPointArn`).
    pub aws_backup_arn: Option<String>,
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
    /// Of an instance: the storage that is allocated, in GiB. Of clusters RDS gives no size that means anything.
    pub allocated_gib: Option<i32>,
    /// Its other settings, for the restore of a copy. Empty where databases are listed.
    pub settings: RestoreSettings,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::manual_snapshot;

    /// Facts 2, 0.3: the honest RPO.
    #[test]
    fn the_age_of_the_data_is_what_rds_says_of_the_data_itself() {
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let mut snapshot = manual_snapshot("orders", BTreeMap::new());
        snapshot.created_at = time("2026-11-22T04:00:00Z");
        snapshot.original_created_at = time("2026-11-22T03:10:00Z");
        let captured = snapshot.captured_at().expect("a time");
        assert_eq!(snapshot.data_at(captured), captured);
        snapshot.data_time = time("2026-11-22T02:50:00Z");
        assert_eq!(Some(snapshot.data_at(captured)), snapshot.data_time);
        assert_eq!(
            snapshot.captured_at(),
            snapshot.original_created_at,
            "which snapshot it is"
        );
    }

    #[test]
    fn the_size_is_what_was_written_rounded_up() {
        let mut snapshot = manual_snapshot("orders", BTreeMap::new());
        snapshot.size_gib = Some(200);
        for (bytes, gib) in [
            (None, Some(200)),
            (Some(0), Some(200)),
            (Some(-1), Some(200)),
            (Some(1), Some(1)),
            (Some(3 << 30), Some(3)),
            (Some(i64::MAX), Some(200)),
        ] {
            snapshot.full_size_bytes = bytes;
            assert_eq!(snapshot.data_gib(), gib, "{bytes:?}");
        }
    }
}
