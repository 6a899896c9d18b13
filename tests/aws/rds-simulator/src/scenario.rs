//! What the simulator is seeded with: written by hand as JSON, or built in Rust.
//!
//! Everything but an `id` has a default. A small world:
//! ```json
//! {
//!   "regions": {
//!     "eu-west-1": {
//!       "kmsKeys": [{ "id": "11111111-1111-4111-8111-111111111111", "aliases": ["alias/databases"] }],
//!       "instances": [
//!         { "id": "orders", "engine": "postgres", "kmsKey": "alias/databases", "allocatedStorage": 200,
//!           "tags": { "team": "shop" },
//!           "snapshots": [ { "ageHours": 3 }, { "ageHours": 27 } ] },
//!         { "id": "ledger", "snapshots": [ { "ageHours": 2 } ],
//!           "copies": { "failAtPercent": 40, "firstCopies": 1 } }
//!       ],
//!       "clusters": [
//!         { "id": "billing", "engine": "aurora-postgresql", "members": 2, "snapshots": [ { "ageHours": 4 } ] }
//!       ]
//!     },
//!     "eu-central-1": {
//!       "kmsKeys": [{ "id": "22222222-2222-4222-8222-222222222222", "aliases": ["alias/copies"] }],
//!       "optionGroups": [{ "name": "copies-tz", "engine": "oracle-ee", "majorEngineVersion": "19",
//!                          "options": [{ "name": "Timezone", "permanent": true }] }],
//!       "snapshots": [
//!         { "kind": "instance", "id": "before-upgrade", "database": "orders", "ageHours": 500 },
//!         { "kind": "instance", "id": "acme-orders-0123456789ab", "ageHours": 20,
//!           "sourceArn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-{stamp:27}",
//!           "tags": { "snapferry:source-created": "{time:27}" } }
//!       ]
//!     }
//!   }
//! }
//! ```
//! - An automated snapshot without an `id` is called `rds:<database>-YYYY-MM-DD-HH-MM` after its age.
//! - `{time:H}` and `{stamp:H}` in ids, ARNs and tag values become the time `H` hours before seeding,
//!   as RFC 3339 and as in the name of an automated snapshot.
//! - A copy with `"copyOf": { "attempt": 0 }` is called what Snapferry would call it, by its tags `snapferry:owner`,
//!   `snapferry:source-arn` and `snapferry:kms-key`; its `id` becomes an alias ([`crate::SnapshotState::alias`]).
//! - A snapshot in a region's own list takes what it does not say from the database that it names, or else
//!   from the snapshot that its `sourceArn` names.

mod databases;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::authorization::CallerTable;
use crate::model::{Kind, PerKind, Tags};

pub use databases::{
    DatabaseQuota, DatabaseSettings, InheritedTags, NotOffered, ParameterGroup, RestoreFate, SubnetGroup,
};

/// Something is wrong with a scenario; the text names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scenario: {0}")]
pub struct ScenarioError(pub(crate) String);

/// A whole simulated account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scenario {
    /// What it shows; for the reader only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The account's number, twelve digits.
    pub account: String,
    /// How many simulated seconds of copying pass in a second; the one in force stays when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_scale: Option<f64>,
    /// Who may do what; the table in force stays when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callers: Option<CallerTable>,
    /// What AWS leaves open.
    pub settings: Settings,
    /// Regions by name. Any other region is there too, and empty.
    pub regions: BTreeMap<String, Region>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            comment: None,
            account: "123456789012".to_owned(),
            time_scale: None,
            callers: None,
            settings: Settings::default(),
            regions: BTreeMap::new(),
        }
    }
}

/// Behaviour that AWS leaves open, or that a test wants otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "questions that are answered one by one")]
pub struct Settings {
    /// Whether a copy fails when its source snapshot is deleted meanwhile: AWS says that it might.
    pub fail_copies_when_source_is_deleted: bool,
    /// Whether copies of one source instance are made one after another, the later ones `pending`.
    pub queue_copies_of_one_instance: bool,
    /// Whether a copy carries the resource id of the database in the source region: AWS does not say.
    pub resource_id_on_copies: bool,
    /// How a cluster snapshot of type `sse-rds` is copied to another region: AWS does not say.
    pub sse_rds_copies: SseRdsCopies,
    /// Whether a copy of a `docdb` cluster snapshot from another region needs a pre-signed URL: the API reference of
    /// Amazon `DocumentDB` says so, and nobody has tried it.
    pub docdb_needs_presigned_url: bool,
    /// Seconds that the deletion of a snapshot takes: it is `deleting` and still listed. Like all but the work of
    /// copies, they are not scaled. 0: gone at once.
    pub delete_seconds: u32,
    /// Seconds for which a new copy is missing from listings, though it is found by its identifier: RDS is eventually
    /// consistent.
    pub listing_lag_seconds: u32,
    /// How databases are restored, changed and deleted.
    pub databases: DatabaseSettings,
    /// How the snapshots of an engine are reported, by its name; `*` stands for all engines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub engines: BTreeMap<String, EngineBehaviour>,
}

/// How the snapshots of an engine are reported: `DocumentDB` and Neptune are said to differ from Aurora.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EngineBehaviour {
    /// Their resource id as an argument (`DbiResourceId`, `DbClusterResourceId`) is overlooked: snapshots of any
    /// database of the engine are listed.
    pub ignores_resource_id: bool,
    /// Members that they never have, spelled as in the API: `DbClusterResourceId`, `SourceDBClusterSnapshotArn`.
    pub omits: BTreeSet<String>,
}

impl Settings {
    fn of_engine(&self, engine: &str) -> impl Iterator<Item = &EngineBehaviour> {
        ["*", engine].into_iter().filter_map(|name| self.engines.get(name))
    }

    pub(crate) fn ignores_resource_id(&self, engine: &str) -> bool {
        self.of_engine(engine).any(|engine| engine.ignores_resource_id)
    }

    /// Members that snapshots of this engine never have.
    pub(crate) fn omitted(&self, engine: &str) -> impl Iterator<Item = &String> {
        self.of_engine(engine).flat_map(|engine| &engine.omits)
    }
}

/// How a cluster snapshot of type `sse-rds` is copied to another region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SseRdsCopies {
    /// With a key only, like an encrypted one.
    #[default]
    NeedsKey,
    /// Without a key only, like an unencrypted one; the copy is of type `sse-rds` again.
    RefusesKey,
    /// With a key only, which is then not used; the copy is of type `sse-rds` again.
    IgnoresKey,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fail_copies_when_source_is_deleted: false,
            queue_copies_of_one_instance: true,
            resource_id_on_copies: true,
            sse_rds_copies: SseRdsCopies::NeedsKey,
            docdb_needs_presigned_url: false,
            delete_seconds: 5,
            listing_lag_seconds: 0,
            databases: DatabaseSettings::default(),
            engines: BTreeMap::new(),
        }
    }
}

/// One region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Region {
    /// KMS keys, beside `alias/aws/rds`, which is always there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kms_keys: Vec<Key>,
    /// Option groups, beside the default ones (`default:oracle-ee-19`), which are always there and hold no options.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub option_groups: Vec<OptionGroup>,
    /// How many manual snapshots there may be (100 and 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_snapshot_quota: Option<PerKind<u32>>,
    /// How many copies from other regions may be in flight (20 and 5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_slots: Option<PerKind<u32>>,
    /// Requests a second beyond which RDS throttles, with bursts of one second's worth; unlimited when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// Instance classes that can be made here, of any engine and version. When absent, all but those of generations that
    /// RDS has ended, such as `db.m1.small`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<String>>,
    /// Versions of engines that cannot be made here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_offered: Vec<NotOffered>,
    /// The zones in which instances can be made: three zones of the region when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_zones: Option<Vec<String>>,
    /// Subnet groups, beside that of the default VPC. When absent, any name is taken for one with a subnet in each zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_groups: Option<Vec<SubnetGroup>>,
    /// Parameter groups, beside the default ones. When absent, any name is taken for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_groups: Option<Vec<ParameterGroup>>,
    /// How many databases there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_quota: Option<DatabaseQuota>,
    /// How the restores to come end; what is added later goes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<RestoreFate>,
    /// DB instances that belong to no cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<Database>,
    /// DB clusters; their members are made with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<Database>,
    /// Snapshots that are not listed under their database: copies, and those of databases that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Snapshot>,
}

/// A KMS key.
///
/// A key of which an alias begins with `alias/aws/` is one that AWS manages; an id that begins with `mrk-` is that of a
/// multi-Region key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// The id, or the whole ARN: that of a key of another account is one that this account may use.
    pub id: String,
    /// Its key policy lets nobody of this account use or describe it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked_by_policy: bool,
    /// Names that begin with `alias/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// `false` is short for the state `Disabled`.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// `Enabled` when absent; a key in any other state that KMS has (`PendingDeletion`) cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `ENCRYPT_DECRYPT` when absent; a key for anything else (`SIGN_VERIFY`) cannot encrypt a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_usage: Option<String>,
    /// What is usual for the usage when absent; any but `SYMMETRIC_DEFAULT` cannot encrypt a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_spec: Option<String>,
}

fn yes() -> bool {
    true
}

/// An option group: options of an engine, in one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OptionGroup {
    /// The name.
    pub name: String,
    /// The engine that it is for.
    pub engine: String,
    /// That of a current version of the engine when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major_engine_version: Option<String>,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<GroupOption>,
}

/// An option of an option group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupOption {
    /// The name: `Timezone`.
    pub name: String,
    /// It can never be removed: a copy of a snapshot needs an option group that holds it too.
    #[serde(default)]
    pub permanent: bool,
    /// It stays while databases have the group. A permanent option is persistent whatever this says.
    #[serde(default)]
    pub persistent: bool,
}

/// A DB instance or a DB cluster; which, is said by the list that it is in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Database {
    /// The identifier: the only thing that must be given.
    pub id: String,
    /// For the reader only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// `db-…` or `cluster-…`; made from account, region and id when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// `postgres` for instances, `aurora-postgresql` for clusters when absent. `mysql` or `postgres` make a cluster
    /// a Multi-AZ DB cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// A current version of the engine when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// Clusters only: `provisioned` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_mode: Option<String>,
    /// Instance class; for a cluster, that of its members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// `available` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// With `alias/aws/rds` unless `kmsKey` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// Key id, ARN or alias in this region; makes it encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// `none`, `sse-kms` or `sse-rds`; follows from the two above when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_encryption_type: Option<String>,
    /// GiB as the API tells it: 100 when absent, 1 for Aurora.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_storage: Option<u32>,
    /// GiB that a copy moves: as `allocatedStorage` when absent, 100 for clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_gib: Option<u32>,
    /// Whether there is a standby.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_az: Option<bool>,
    /// The default one of the engine when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_group: Option<String>,
    /// Instances only; the default one of the engine when absent. One that is not in the region's `optionGroups` is
    /// made, with the options below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_group: Option<String>,
    /// Permanent options of the option group (`Timezone`): a copy needs an option group then. Those of a group in
    /// `optionGroups` are known already. Without an `optionGroup`, one that is called `<id>-options` is made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permanent_options: Vec<String>,
    /// Days that automated snapshots are kept: 7 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_retention_days: Option<u32>,
    /// Days since it was made: 400 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_days_ago: Option<f64>,
    /// Clusters only: the global database that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_cluster: Option<String>,
    /// Whether it is the writer of that global database. When no cluster of it says so, the first one that does not
    /// deny it is, by the name of the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_writer: Option<bool>,
    /// Clusters only: `standard` or `limitless`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_scalability_type: Option<String>,
    /// Tags by key.
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Whether its snapshots get its tags: no when absent, as in the API. The snapshots below get them too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_tags_to_snapshot: Option<bool>,
    /// It is a replica: of an instance, by id or, from another region, by ARN; of a cluster, by ARN. An instance that
    /// is one keeps no automated snapshots unless `backupRetentionDays` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_of: Option<String>,
    /// AWS Backup makes its continuous backups: the recovery point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_backup_recovery_point_arn: Option<String>,
    /// `gp3` for instances and `io1` for Multi-AZ DB clusters when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_type: Option<String>,
    /// Provisioned IOPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Option<u32>,
    /// MiB a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_throughput: Option<u32>,
    /// Off when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_database_authentication_enabled: Option<bool>,
    /// Usual for the engine when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_model: Option<String>,
    /// Usual for the engine when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Off when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// Types of logs: `postgresql`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enabled_cloudwatch_logs_exports: Vec<String>,
    /// Instances only: GiB to which the storage may grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_allocated_storage: Option<u32>,
    /// Seconds between two values of Enhanced Monitoring; 0, which is off, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitoring_interval: Option<u32>,
    /// Instances only: `rds-ca-rsa2048-g1` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificate_identifier: Option<String>,
    /// Clusters only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serverless_v2_scaling_configuration: Option<ServerlessV2Scaling>,
    /// Members, spelled as in the API, that RDS leaves out of its snapshots and their copies.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub omits: BTreeSet<String>,
    /// Clusters only: how many member instances, or their ids; the first is the writer. One when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
    /// Its snapshots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Snapshot>,
    /// How copies of its snapshots behave.
    #[serde(skip_serializing_if = "CopyBehaviour::is_plain")]
    pub copies: CopyBehaviour,
}

/// How far a serverless cluster scales, in Aurora capacity units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerlessV2Scaling {
    /// The least.
    pub min_capacity: f64,
    /// The most.
    pub max_capacity: f64,
    /// Seconds without use after which it pauses, where the least is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_until_auto_pause: Option<u32>,
}

/// The member instances of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Members {
    /// This many, called `<cluster>-1`, `<cluster>-2` …
    Count(u32),
    /// These.
    Ids(Vec<String>),
}

/// A snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Snapshot {
    /// Follows from the database and the age for an automated snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// For the reader only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Needed in a region's own list; otherwise that of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The id of the database that it was taken of; follows where it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Hours between its creation and seeding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_hours: Option<f64>,
    /// The same as an absolute time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// For a copy: hours since its source was made; that of its source, or its own age, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_age_hours: Option<f64>,
    /// `automated` under a database, `manual` in a region's own list; or `awsbackup`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub snapshot_type: Option<String>,
    /// `available` when absent, or `copying` when there is a `percent`. A status without a `percent` stays as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Of a copy at work: how far it has come. It goes on from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// Tags by key.
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The ARN of the snapshot that it is a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_encryption_type: Option<String>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_storage: Option<u32>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_type: Option<String>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Option<u32>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_throughput: Option<u32>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_database_authentication_enabled: Option<bool>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_model: Option<String>,
    /// As for a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Instances only: hours since the newest transaction in it (`SnapshotDatabaseTime`): more than its age in a
    /// snapshot of a replica that lags. That of its source, or its original creation, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_time_age_hours: Option<f64>,
    /// Instances only: `FullSnapshotSizeInBytes`; as `sizeGib` of the database when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_snapshot_size_bytes: Option<u64>,
    /// Members, spelled as in the API, that RDS leaves out of it, beside those that its database names:
    /// `SnapshotDatabaseTime`, `SourceDBSnapshotIdentifier`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub omits: BTreeSet<String>,
    /// It is `creating`, and available after this many simulated seconds: an event may be earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_after_seconds: Option<f64>,
    /// The account that owns it and shares it with this one; in a region's own list only. It is found as a shared one,
    /// and by its ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// It is a copy that Snapferry made: its identifier is what the naming function makes of its tags, after the
    /// placeholders are filled in. Its `id` is then only a name for it, by which faults and the control API find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<CopyOf>,
    /// A call that deletes it is refused with this message, every time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undeletable: Option<String>,
    /// How copies of this snapshot behave; what it does not say is as for the database.
    /// For a copy under way: how it goes on itself.
    #[serde(skip_serializing_if = "CopyBehaviour::is_plain")]
    pub copies: CopyBehaviour,
}

/// What a seeded copy is named by, beside its tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CopyOf {
    /// How many copies of the same snapshot failed before.
    pub attempt: u32,
}

/// How copies of a database's snapshots, or of one snapshot, behave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CopyBehaviour {
    /// Simulated seconds that a copy takes: two minutes and six seconds a GiB when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// The copy turns `failed` at this percentage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_at_percent: Option<u32>,
    /// The copy is gone at this percentage, as if somebody had deleted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vanish_at_percent: Option<u32>,
    /// What a finished copy says of itself instead of the truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub becomes: Option<Becomes>,
    /// The last three hold for this many copies of the database's snapshots, those after them succeed; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_copies: Option<u32>,
}

impl CopyBehaviour {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// This behaviour, and what it leaves open from `other`.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let misbehaves = self.fail_at_percent.is_some() || self.vanish_at_percent.is_some() || self.becomes.is_some();
        let from = if misbehaves { self } else { other };
        Self {
            duration_seconds: self.duration_seconds.or(other.duration_seconds),
            ..from.clone()
        }
    }
}

/// Fields of a finished copy that differ from what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Becomes {
    /// Encrypted with this key (ARN, id or alias in the destination region).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// `none` or `sse-rds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_encryption_type: Option<String>,
    /// Another engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Another version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// Another size, GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_storage: Option<u32>,
    /// Another full size, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_snapshot_size_bytes: Option<u64>,
    /// Another source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
}

impl Scenario {
    /// An empty account.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a scenario; an error names the field.
    pub fn from_json(text: &str) -> Result<Self, ScenarioError> {
        let mut json = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut json).map_err(|error| ScenarioError(error.to_string()))
    }

    /// Reads a scenario that is JSON already (`serde_json::json!`).
    pub fn from_value(value: serde_json::Value) -> Result<Self, ScenarioError> {
        serde_path_to_error::deserialize(value).map_err(|error| ScenarioError(error.to_string()))
    }

    /// Changes a region, making it if it is new.
    #[must_use]
    pub fn region(mut self, name: &str, change: impl FnOnce(Region) -> Region) -> Self {
        let region = self.regions.remove(name).unwrap_or_default();
        self.regions.insert(name.to_owned(), change(region));
        self
    }

    /// Changes the settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }
}

impl Region {
    /// Adds a key, enabled, with an alias (`alias/…`).
    #[must_use]
    pub fn key(mut self, id: &str, alias: &str) -> Self {
        self.kms_keys.push(Key::new(id).alias(alias));
        self
    }

    /// Adds a key that is not like others.
    #[must_use]
    pub fn kms_key(mut self, key: Key) -> Self {
        self.kms_keys.push(key);
        self
    }

    /// Adds an option group.
    #[must_use]
    pub fn option_group(mut self, group: OptionGroup) -> Self {
        self.option_groups.push(group);
        self
    }

    /// Adds an instance.
    #[must_use]
    pub fn instance(mut self, instance: Database) -> Self {
        self.instances.push(instance);
        self
    }

    /// Adds a cluster.
    #[must_use]
    pub fn cluster(mut self, cluster: Database) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// Adds a snapshot that stands for itself.
    #[must_use]
    pub fn snapshot(mut self, snapshot: Snapshot) -> Self {
        self.snapshots.push(snapshot);
        self
    }

    /// Sets how many manual snapshots there may be.
    #[must_use]
    pub fn quota(mut self, instances: u32, clusters: u32) -> Self {
        self.manual_snapshot_quota = Some(PerKind { instances, clusters });
        self
    }

    /// Sets how many databases there may be.
    #[must_use]
    pub fn database_quota(mut self, quota: DatabaseQuota) -> Self {
        self.database_quota = Some(quota);
        self
    }

    /// Adds a subnet group; any name that is not listed is unknown from then on.
    #[must_use]
    pub fn subnet_group(mut self, group: SubnetGroup) -> Self {
        self.subnet_groups.get_or_insert_default().push(group);
        self
    }

    /// Adds a parameter group; any name that is not listed is unknown from then on.
    #[must_use]
    pub fn parameter_group(mut self, group: ParameterGroup) -> Self {
        self.parameter_groups.get_or_insert_default().push(group);
        self
    }

    /// Sets the instance classes that can be made.
    #[must_use]
    pub fn offers<'a>(mut self, classes: impl IntoIterator<Item = &'a str>) -> Self {
        self.offers = Some(classes.into_iter().map(str::to_owned).collect());
        self
    }

    /// Says of a version of an engine that it cannot be made.
    #[must_use]
    pub fn not_offered(mut self, not_offered: NotOffered) -> Self {
        self.not_offered.push(not_offered);
        self
    }

    /// Says how restores end.
    #[must_use]
    pub fn restore_fate(mut self, fate: RestoreFate) -> Self {
        self.restores.push(fate);
        self
    }

    /// Sets how many copies may be in flight.
    #[must_use]
    pub fn slots(mut self, instances: u32, clusters: u32) -> Self {
        self.copy_slots = Some(PerKind { instances, clusters });
        self
    }
}

impl Key {
    /// A key that can be used, without an alias.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            locked_by_policy: false,
            aliases: Vec::new(),
            enabled: true,
            state: None,
            key_usage: None,
            key_spec: None,
        }
    }

    /// Adds an alias (`alias/…`).
    #[must_use]
    pub fn alias(mut self, alias: &str) -> Self {
        self.aliases.push(alias.to_owned());
        self
    }

    /// Sets the state: `Disabled`, `PendingDeletion` …
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        self.state = Some(state.to_owned());
        self
    }

    /// Sets what it is for: `SIGN_VERIFY` …
    #[must_use]
    pub fn usage(mut self, usage: &str) -> Self {
        self.key_usage = Some(usage.to_owned());
        self
    }
}

impl OptionGroup {
    /// An empty option group for an engine, of its current major version.
    #[must_use]
    pub fn new(name: &str, engine: &str) -> Self {
        Self {
            name: name.to_owned(),
            engine: engine.to_owned(),
            ..Self::default()
        }
    }

    /// Sets the major version of the engine: `19`, `16.00`.
    #[must_use]
    pub fn version(mut self, major: &str) -> Self {
        self.major_engine_version = Some(major.to_owned());
        self
    }

    /// Adds an option that can be removed at any time.
    #[must_use]
    pub fn option(self, name: &str) -> Self {
        self.with(name, false, false)
    }

    /// Adds a permanent option: it can never be removed.
    #[must_use]
    pub fn permanent(self, name: &str) -> Self {
        self.with(name, true, true)
    }

    /// Adds a persistent option: it stays while databases have the group.
    #[must_use]
    pub fn persistent(self, name: &str) -> Self {
        self.with(name, false, true)
    }

    fn with(mut self, name: &str, permanent: bool, persistent: bool) -> Self {
        self.options.push(GroupOption {
            name: name.to_owned(),
            permanent,
            persistent,
        });
        self
    }
}

impl Database {
    /// A database with nothing but an id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }

    /// Sets the engine.
    #[must_use]
    pub fn engine(mut self, engine: &str) -> Self {
        self.engine = Some(engine.to_owned());
        self
    }

    /// Encrypts it with a key of its region (id, ARN or alias).
    #[must_use]
    pub fn encrypted_with(mut self, key: &str) -> Self {
        self.kms_key = Some(key.to_owned());
        self
    }

    /// Encrypts it as Aurora does on its own: `sse-rds`.
    #[must_use]
    pub fn encrypted_by_service(mut self) -> Self {
        self.storage_encryption_type = Some("sse-rds".to_owned());
        self
    }

    /// Sets the version of the engine.
    #[must_use]
    pub fn engine_version(mut self, version: &str) -> Self {
        self.engine_version = Some(version.to_owned());
        self
    }

    /// Gives an instance an option group of its region; one that the region does not list is made.
    #[must_use]
    pub fn option_group(mut self, name: &str) -> Self {
        self.option_group = Some(name.to_owned());
        self
    }

    /// Gives an instance permanent options, in an option group that is made for it unless the region lists it.
    #[must_use]
    pub fn permanent_options<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.permanent_options.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// Makes a cluster part of a global database.
    #[must_use]
    pub fn global(mut self, name: &str) -> Self {
        self.global_cluster = Some(name.to_owned());
        self
    }

    /// Makes a cluster the writer of a global database.
    #[must_use]
    pub fn global_writer(mut self, name: &str) -> Self {
        self.global_writer = Some(true);
        self.global(name)
    }

    /// Sets its size, GiB.
    #[must_use]
    pub fn size_gib(mut self, size: u32) -> Self {
        self.size_gib = Some(size);
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a snapshot.
    #[must_use]
    pub fn snapshot(mut self, snapshot: Snapshot) -> Self {
        self.snapshots.push(snapshot);
        self
    }

    /// Adds an automated snapshot for each age in hours.
    #[must_use]
    pub fn snapshots_aged(mut self, hours: impl IntoIterator<Item = f64>) -> Self {
        self.snapshots.extend(hours.into_iter().map(Snapshot::automated));
        self
    }

    /// Sets how many members a cluster has.
    #[must_use]
    pub fn members(mut self, count: u32) -> Self {
        self.members = Some(Members::Count(count));
        self
    }

    /// Sets how long a copy takes, in simulated seconds.
    #[must_use]
    pub fn copies_take(mut self, seconds: f64) -> Self {
        self.copies.duration_seconds = Some(seconds);
        self
    }

    /// Lets the first `copies` copies fail at `percent`.
    #[must_use]
    pub fn copies_fail(mut self, percent: u32, copies: u32) -> Self {
        self.copies.fail_at_percent = Some(percent);
        self.copies.first_copies = Some(copies);
        self
    }

    /// Lets the first `copies` copies come out different.
    #[must_use]
    pub fn copies_become(mut self, becomes: Becomes, copies: u32) -> Self {
        self.copies.becomes = Some(becomes);
        self.copies.first_copies = Some(copies);
        self
    }
}

impl Snapshot {
    /// An automated snapshot of the database that it is put under.
    #[must_use]
    pub fn automated(age_hours: f64) -> Self {
        Self {
            age_hours: Some(age_hours),
            snapshot_type: Some("automated".to_owned()),
            ..Self::default()
        }
    }

    /// A manual snapshot.
    #[must_use]
    pub fn manual(id: &str, age_hours: f64) -> Self {
        Self {
            id: Some(id.to_owned()),
            age_hours: Some(age_hours),
            snapshot_type: Some("manual".to_owned()),
            ..Self::default()
        }
    }

    /// A copy of the snapshot of this ARN, in the region that it is put into.
    #[must_use]
    pub fn copy_of(source_arn: &str, kind: Kind, id: &str, age_hours: f64) -> Self {
        Self {
            kind: Some(kind),
            source_arn: Some(source_arn.to_owned()),
            ..Self::manual(id, age_hours)
        }
    }

    /// Says which database it was taken of: for a snapshot that stands for itself.
    #[must_use]
    pub fn taken_of(mut self, kind: Kind, database: &str) -> Self {
        self.kind = Some(kind);
        self.database = Some(database.to_owned());
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: &str) -> Self {
        self.status = Some(status.to_owned());
        self
    }

    /// Makes it a copy at work that has come so far.
    #[must_use]
    pub fn at_percent(mut self, percent: u32) -> Self {
        self.percent = Some(percent);
        self
    }

    /// Encrypts it with a key of its region (id, ARN or alias).
    #[must_use]
    pub fn encrypted_with(mut self, key: &str) -> Self {
        self.kms_key = Some(key.to_owned());
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// A large fleet, every database like the next one.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The region of the databases.
    pub source: String,
    /// The region of the key `alias/copies` ([`Fleet::KEY`]).
    pub destination: String,
    /// How many instances, `instance-0001` …
    pub instances: u32,
    /// How many clusters, `cluster-0001` …, with one member each.
    pub clusters: u32,
    /// Ages of their automated snapshots in hours.
    pub snapshot_ages: Vec<f64>,
    /// Every how-many-th database is encrypted; 0: none.
    pub encrypted_every: u32,
    /// Simulated seconds that a copy takes.
    pub copy_seconds: f64,
    /// Length to which ids are filled up (63 at most).
    pub id_length: usize,
}

impl Fleet {
    /// The id of the key in the destination region.
    pub const KEY: &str = "22222222-2222-4222-8222-222222222222";
    /// The id of the key in the source region.
    pub const SOURCE_KEY: &str = "11111111-1111-4111-8111-111111111111";

    /// A fleet from one region to another: every second database encrypted, two snapshots each, copies of 10 minutes.
    #[must_use]
    pub fn new(source: &str, destination: &str, instances: u32, clusters: u32) -> Self {
        Self {
            source: source.to_owned(),
            destination: destination.to_owned(),
            instances,
            clusters,
            snapshot_ages: vec![3.0, 27.0],
            encrypted_every: 2,
            copy_seconds: 600.0,
            id_length: 0,
        }
    }

    /// The scenario of it.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        let database = |name: &str, number: u32| {
            let mut id = format!("{name}-{number:04}");
            while id.len() < self.id_length.min(63) {
                id.push('x');
            }
            let database = Database::new(&id)
                .snapshots_aged(self.snapshot_ages.iter().copied())
                .copies_take(self.copy_seconds);
            if self.encrypted_every > 0 && number.is_multiple_of(self.encrypted_every) {
                database.encrypted_with("alias/databases")
            } else {
                database
            }
        };
        Scenario::new()
            .region(&self.source, |mut region| {
                region = region.key(Self::SOURCE_KEY, "alias/databases");
                region.instances = (1..=self.instances).map(|n| database("instance", n)).collect();
                region.clusters = (1..=self.clusters)
                    .map(|n| {
                        // Members are called after the cluster and must fit into 63 characters too.
                        let cluster = database("cluster", n);
                        Database {
                            members: Some(Members::Ids(vec![format!("member-{n:04}")])),
                            ..cluster
                        }
                    })
                    .collect();
                region
            })
            .region(&self.destination, |region| {
                region
                    .key(Self::KEY, "alias/copies")
                    .quota(self.instances.max(100) * 5, self.clusters.max(100) * 5)
            })
    }
}
