//! The tags that Snapferry writes and reads.
//!
//! Wishes stand on databases, records on copies, and no tag is both: a restored database inherits the tags of the copy,
//! where a wish of the same name would take a record for its own. Copies of version 1 (without [`FORMAT`]) recorded under
//! the names of wishes; they are read so for ever.

use std::collections::BTreeMap;

use crate::tag_spelling::{concerns_us, is_meant_for};

/// Prefix of all of them.
pub const PREFIX: &str = "snapferry:";
/// On a database: whether it is copied, `true` or `false`.
pub const COPY: &str = "snapferry:copy";
/// On a database: how many verified copies to keep. So are the next five: see
/// [`crate::retention_rules::RetentionRules`].
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
/// On a copy: what [`KEEP`] and the next five asked for when it was made.
pub const SOURCE_KEEP: &str = "snapferry:source-keep";
/// [`KEEP_DAYS`] when the copy was made.
pub const SOURCE_KEEP_DAYS: &str = "snapferry:source-keep-days";
/// [`KEEP_DAILY`] when the copy was made.
pub const SOURCE_KEEP_DAILY: &str = "snapferry:source-keep-daily";
/// [`KEEP_WEEKLY`] when the copy was made.
pub const SOURCE_KEEP_WEEKLY: &str = "snapferry:source-keep-weekly";
/// [`KEEP_MONTHLY`] when the copy was made.
pub const SOURCE_KEEP_MONTHLY: &str = "snapferry:source-keep-monthly";
/// [`KEEP_YEARLY`] when the copy was made.
pub const SOURCE_KEEP_YEARLY: &str = "snapferry:source-keep-yearly";
/// On a copy: by which version of these rules it is named and tagged, `2`. Copies of version 1 have no such tag.
pub const FORMAT: &str = "snapferry:format";
/// On a copy: name of the stack that made it.
pub const STACK: &str = "snapferry:stack";
/// On a copy: made while a retention tag of its database could not be read, so that nothing is known of what it asked for.
pub const UNREAD: &str = "snapferry:unread";
/// On a copy: a person keeps it. Any value does, and no function writes or removes it.
pub const HOLD: &str = "snapferry:hold";
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
/// On a copy: ARN of the key asked for, or `none`.
pub const COPY_KMS_KEY: &str = "snapferry:copy-kms-key";
/// On a database: the key to ask for, of those allowed. On a copy of version 1: what [`COPY_KMS_KEY`] is now.
pub const KMS_KEY: &str = "snapferry:kms-key";
/// When the copy was verified, RFC 3339, or `mismatch`.
pub const VERIFIED: &str = "snapferry:verified";
/// For a restore: instance class (of a cluster: its writer's).
pub const CLASS: &str = "snapferry:class";
/// For a restore: engine version of the database.
pub const ENGINE_VERSION: &str = "snapferry:engine-version";
/// For a restore: parameter group.
pub const PARAMETER_GROUP: &str = "snapferry:parameter-group";
/// On a copy, for a restore: the option group of the database.
pub const SOURCE_OPTION_GROUP: &str = "snapferry:source-option-group";
/// On a database: the option group that its copies get. On a copy of version 1: what [`SOURCE_OPTION_GROUP`] is now.
pub const OPTION_GROUP: &str = "snapferry:option-group";
/// For a restore: whether the database was Multi-AZ.
pub const MULTI_AZ: &str = "snapferry:multi-az";
/// What a person wishes for, as tags on a database: in the order of what harm a mistake does.
pub const WISHES: &[&str] = &[
    COPY,
    KEEP,
    KEEP_DAYS,
    KEEP_DAILY,
    KEEP_WEEKLY,
    KEEP_MONTHLY,
    KEEP_YEARLY,
    KMS_KEY,
    OPTION_GROUP,
    DRILL_EVERY,
    RESTORE_ORDER,
];
/// The wishes that ask for retention.
pub const RETENTION: &[&str] = &[KEEP, KEEP_DAYS, KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY, KEEP_YEARLY];
/// On a copy, for a restore: the settings of the database that its snapshot does not know. See
/// [`crate::restore_settings::RestoreSettings`].
pub const SETTINGS: &str = "snapferry:settings";
/// Those for which [`SETTINGS`] has no room.
pub const MORE_SETTINGS: &str = "snapferry:settings-2";
/// On a database: the copy that it was restored from, by `snapferry restore-command`. It is a record and asks for
/// nothing.
pub const RESTORED_FROM: &str = "snapferry:restored-from";
/// On a database: how often a restore of its copies is drilled. See [`crate::drill::DrillEvery`].
pub const DRILL_EVERY: &str = "snapferry:drill-every";
/// On a copy: what [`DRILL_EVERY`] asked for when it was made.
pub const SOURCE_DRILL_EVERY: &str = "snapferry:source-drill-every";
/// On a database: its place in the order in which a whole region is restored. See
/// [`crate::restore_order::RestoreOrder`].
pub const RESTORE_ORDER: &str = "snapferry:restore-order";
/// On a copy: what [`RESTORE_ORDER`] asked for when it was made.
pub const SOURCE_RESTORE_ORDER: &str = "snapferry:source-restore-order";
/// On a copy: until when, RFC 3339, a drill restores it, so that nobody deletes it meanwhile.
pub const DRILLING: &str = "snapferry:drilling";
/// On a copy: when, RFC 3339, a drill last proved that it can be restored.
pub const DRILLED: &str = "snapferry:drilled";
/// On a copy: whole minutes that the restore of that drill took.
pub const DRILL_MINUTES: &str = "snapferry:drill-minutes";
/// On a drill database: `<source region>/<OwnerId>`, the mark without which nobody deletes it.
pub const DRILL_OWNER: &str = "snapferry:drill-owner";
/// On a drill database: name of the execution that made it.
pub const DRILL_RUN: &str = "snapferry:drill-run";
/// On a drill database: when, RFC 3339, it is deleted, whatever it is doing.
pub const DRILL_UNTIL: &str = "snapferry:drill-until";
/// Every tag there is. A database that was restored from a copy may carry those of copies.
pub const ALL: &[&str] = &[
    COPY,
    KEEP,
    KEEP_DAYS,
    KEEP_DAILY,
    KEEP_WEEKLY,
    KEEP_MONTHLY,
    KEEP_YEARLY,
    SOURCE_KEEP,
    SOURCE_KEEP_DAYS,
    SOURCE_KEEP_DAILY,
    SOURCE_KEEP_WEEKLY,
    SOURCE_KEEP_MONTHLY,
    SOURCE_KEEP_YEARLY,
    FORMAT,
    STACK,
    UNREAD,
    HOLD,
    OWNER,
    SOURCE_ARN,
    SOURCE_ID,
    SOURCE_RESOURCE_ID,
    SOURCE_CREATED,
    REQUESTED,
    ATTEMPT,
    COPY_KMS_KEY,
    KMS_KEY,
    VERIFIED,
    CLASS,
    ENGINE_VERSION,
    PARAMETER_GROUP,
    SOURCE_OPTION_GROUP,
    OPTION_GROUP,
    MULTI_AZ,
    SETTINGS,
    MORE_SETTINGS,
    RESTORED_FROM,
    DRILL_EVERY,
    SOURCE_DRILL_EVERY,
    RESTORE_ORDER,
    SOURCE_RESTORE_ORDER,
    DRILLING,
    DRILLED,
    DRILL_MINUTES,
    DRILL_OWNER,
    DRILL_RUN,
    DRILL_UNTIL,
];
/// Value of [`VERIFIED`] on a copy that is not what was asked for.
pub const MISMATCH: &str = "mismatch";
/// Tags that are written on a copy after it was made, by us or by a person, each of which needs a place then.
///
/// A snapshot may have 50 tags ([`MAX_TAGS`]), so that many less are written with the copy.
pub const RESERVED: &[&str] = &[VERIFIED, DRILLING, DRILLED, DRILL_MINUTES, HOLD, UNREAD];
/// Most tags that a snapshot may have (RDS user guide, quotas: tags per resource).
pub const MAX_TAGS: usize = 50;
/// Most characters of a tag's value (RDS API reference, `Tag`).
pub const MAX_VALUE_CHARACTERS: usize = 256;
/// Value of [`COPY_KMS_KEY`] on a copy that is not encrypted.
pub const NO_KEY: &str = "none";

/// Forgets every tag but ours and those that may have been meant for ours: 50 on each of thousands of snapshots or
/// databases are more memory than all the rest.
pub fn retain_ours(tags: &mut BTreeMap<String, String>) {
    tags.retain(|key, _| concerns_us(key) || is_meant_for(key, HOLD));
}
