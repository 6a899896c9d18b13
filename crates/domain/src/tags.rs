//! The tags that Snapferry writes and reads.

use std::collections::BTreeMap;

/// Prefix of all of them.
pub const PREFIX: &str = "snapferry:";
/// On a database: whether it is copied, `true` or `false`.
pub const COPY: &str = "snapferry:copy";
/// On a database and its copies: how many verified copies to keep. So are the next five: see [`crate::retention_rules::Keep`].
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
/// On a copy, for a restore: the settings of the database that its snapshot does not know. See
/// [`crate::restore_settings::RestoreSettings`].
pub const SETTINGS: &str = "snapferry:settings";
/// Those for which [`SETTINGS`] has no room.
pub const MORE_SETTINGS: &str = "snapferry:settings-2";
/// On a database: the copy that it was restored from, by `snapferry restore-command`. It is a record and asks for
/// nothing.
pub const RESTORED_FROM: &str = "snapferry:restored-from";
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
    SETTINGS,
    MORE_SETTINGS,
    RESTORED_FROM,
];
/// Value of [`VERIFIED`] on a copy that is not what was asked for.
pub const MISMATCH: &str = "mismatch";
/// Value of [`KMS_KEY`] on a copy that is not encrypted.
pub const NO_KEY: &str = "none";

/// Forgets every tag but ours: 50 on each of thousands of snapshots or databases are more memory than all the rest.
pub fn retain_ours(tags: &mut BTreeMap<String, String>) {
    tags.retain(|key, _| key.starts_with(PREFIX));
}
