//! What a scenario says of databases that come and go: how long that takes, and what AWS leaves open about it.

use serde::{Deserialize, Serialize};

/// How databases are restored, changed and deleted. Seconds are simulated ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "questions that are answered one by one")]
pub struct DatabaseSettings {
    /// Seconds for which a restored instance or cluster is `creating`.
    pub restore_seconds: u32,
    /// Seconds for which a new member of a cluster is `creating`.
    pub member_seconds: u32,
    /// Seconds of the first backup of a restored instance that keeps backups.
    pub backup_seconds: u32,
    /// Seconds that a change of settings takes.
    pub change_seconds: u32,
    /// Seconds for which the storage of a restored instance initialises after it was made; 0: nothing is told of it.
    pub initializing_seconds: u32,
    /// Seconds until the secret of a managed master password is `active`.
    pub secret_seconds: u32,
    /// Seconds for which a database is `deleting`.
    pub deleting_seconds: u32,
    /// Whether a database can be deleted while it is `creating`: AWS does not say.
    pub deletable_while_creating: bool,
    /// Whether the deletion of a cluster asks for the right to its final snapshot, though none is taken: AWS lists it as
    /// required, and nobody has tried it.
    pub cluster_deletion_needs_snapshot_right: bool,
    /// Whether a restore asks for all of `kms:DescribeKey`, `kms:CreateGrant` and `kms:Decrypt` on the snapshot's key. If
    /// not, one of the last two is enough, as for the source of a copy: nobody knows the smallest set.
    pub restore_needs_every_key_right: bool,
    /// Whether a call for the automated backups of a database that has none is refused; or else the list is empty. AWS
    /// does not say.
    pub unknown_backup_is_an_error: bool,
    /// The type of the `rds-final` snapshot that a failed upgrade of a cluster leaves: AWS does not say.
    pub final_snapshot_type: String,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            restore_seconds: 900,
            member_seconds: 600,
            backup_seconds: 300,
            change_seconds: 60,
            initializing_seconds: 1800,
            secret_seconds: 60,
            deleting_seconds: 120,
            deletable_while_creating: false,
            cluster_deletion_needs_snapshot_right: true,
            restore_needs_every_key_right: true,
            unknown_backup_is_an_error: false,
            final_snapshot_type: "manual".to_owned(),
        }
    }
}
