//! The state as JSON, for tests and the demo.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Kind, PerKind, Region, Snapshot, Tags};
use crate::scenario::GroupOption;
use crate::simulator::Simulator;

/// Everything that stands in the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The account's number.
    pub account: String,
    /// When this was so.
    pub now: Timestamp,
    /// Simulated seconds of copying in a second.
    pub time_scale: f64,
    /// Regions by name.
    pub regions: BTreeMap<String, RegionState>,
}

/// One region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionState {
    /// The keys.
    pub kms_keys: Vec<KeyState>,
    /// The option groups that somebody made.
    pub option_groups: Vec<OptionGroupState>,
    /// How many manual snapshots there may be.
    pub manual_snapshot_quota: PerKind<u32>,
    /// How many copies from other regions may be in flight.
    pub copy_slots: PerKind<u32>,
    /// Instances and clusters; members of clusters are instances too.
    pub databases: Vec<DatabaseState>,
    /// Snapshots of both kinds, without those that are being deleted.
    pub snapshots: Vec<SnapshotState>,
    /// Snapshots that are `deleting`: RDS still lists them.
    #[serde(default)]
    pub deleting: Vec<SnapshotState>,
    /// Databases that are gone, and of which automated backups were kept.
    #[serde(default)]
    pub retained_backups: Vec<String>,
}

/// A KMS key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyState {
    /// The ARN.
    pub arn: String,
    /// The aliases.
    pub aliases: Vec<String>,
    /// Whether it can be used.
    pub enabled: bool,
    /// The state: `Enabled`, `Disabled`, `PendingDeletion` …
    pub state: String,
}

/// An option group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionGroupState {
    /// The name.
    pub name: String,
    /// The engine that it is for.
    pub engine: String,
    /// The major version of that.
    pub major_engine_version: Option<String>,
    /// What it holds.
    pub options: Vec<GroupOption>,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseState {
    /// Instance or cluster.
    pub kind: Kind,
    /// The identifier.
    pub id: String,
    /// The immutable id.
    pub resource_id: String,
    /// The ARN.
    pub arn: String,
    /// The engine.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// The status.
    pub status: String,
    /// GiB, as the API tells it.
    pub allocated_storage: u32,
    /// `none`, `sse-kms` or `sse-rds`.
    pub storage_encryption_type: String,
    /// The key's ARN.
    pub kms_key: Option<String>,
    /// The option group.
    #[serde(default)]
    pub option_group: Option<String>,
    /// The cluster that it is a member of.
    pub cluster: Option<String>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// Whether there is a secret with its master password.
    #[serde(default)]
    pub has_secret: bool,
    /// The tags.
    pub tags: Tags,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotState {
    /// Of an instance or a cluster.
    pub kind: Kind,
    /// The identifier.
    pub id: String,
    /// What a scenario calls it, where its identifier was made by the naming function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The ARN.
    pub arn: String,
    /// The database that it was taken of.
    pub database: String,
    /// That database's immutable id.
    pub resource_id: Option<String>,
    /// `automated`, `manual` or `awsbackup`.
    #[serde(rename = "type")]
    pub snapshot_type: String,
    /// The status.
    pub status: String,
    /// How far it has come.
    pub percent: u32,
    /// `SnapshotCreateTime`.
    pub created_at: Option<Timestamp>,
    /// `OriginalSnapshotCreateTime`, which the API tells for instances only.
    pub original_created_at: Option<Timestamp>,
    /// The engine.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// GiB, as the API tells it.
    pub allocated_storage: u32,
    /// `none`, `sse-kms` or `sse-rds`.
    pub storage_encryption_type: String,
    /// The key's ARN.
    pub kms_key: Option<String>,
    /// The option group.
    pub option_group: Option<String>,
    /// What it is a copy of.
    pub source_arn: Option<String>,
    /// The tags.
    pub tags: Tags,
}

impl SnapshotState {
    fn new(region: &Region, snapshot: &Snapshot) -> Self {
        Self {
            kind: snapshot.kind,
            id: snapshot.id.clone(),
            alias: snapshot.alias.clone(),
            arn: region.snapshot_arn(snapshot.kind, &snapshot.id),
            database: snapshot.database.clone(),
            resource_id: snapshot.resource_id.clone(),
            snapshot_type: snapshot.snapshot_type.clone(),
            status: snapshot.status.clone(),
            percent: snapshot.percent,
            created_at: snapshot.created,
            original_created_at: snapshot.original_created,
            engine: snapshot.engine.clone(),
            engine_version: snapshot.engine_version.clone(),
            allocated_storage: snapshot.allocated_storage,
            storage_encryption_type: snapshot.encryption.type_name().to_owned(),
            kms_key: snapshot.encryption.key().map(str::to_owned),
            option_group: snapshot.option_group.clone(),
            source_arn: snapshot.source_arn.clone(),
            tags: snapshot.tags.clone(),
        }
    }
}

impl State {
    /// What stands in the regions of these names.
    pub(crate) fn from_simulator(simulator: &Simulator, is_wanted: impl Fn(&str) -> bool) -> Self {
        let regions = simulator
            .regions
            .values()
            .filter(|region| is_wanted(&region.name))
            .map(|region| {
                let databases = Kind::ALL.into_iter().flat_map(|kind| region.databases[kind].values());
                let (deleting, snapshots) = Kind::ALL
                    .into_iter()
                    .flat_map(|kind| region.snapshots[kind].values())
                    .map(|snapshot| SnapshotState::new(region, snapshot))
                    .partition(|snapshot| snapshot.status == "deleting");
                let state = RegionState {
                    kms_keys: region
                        .keys
                        .iter()
                        .map(|key| KeyState {
                            arn: key.arn.clone(),
                            aliases: key.aliases.clone(),
                            enabled: key.enabled(),
                            state: key.state.clone(),
                        })
                        .collect(),
                    option_groups: region
                        .option_groups
                        .values()
                        .map(|group| OptionGroupState {
                            name: group.name.clone(),
                            engine: group.engine.clone(),
                            major_engine_version: group.major_version.clone(),
                            options: group.options.clone(),
                        })
                        .collect(),
                    manual_snapshot_quota: region.quota,
                    copy_slots: region.slots,
                    databases: databases
                        .map(|database| DatabaseState {
                            kind: database.kind,
                            id: database.id.clone(),
                            resource_id: database.resource_id.clone(),
                            arn: region.arn(database.kind.database_type(), &database.id),
                            engine: database.engine.clone(),
                            engine_version: database.engine_version.clone(),
                            status: database.status.clone(),
                            allocated_storage: database.allocated_storage,
                            storage_encryption_type: database.encryption.type_name().to_owned(),
                            kms_key: database.encryption.key().map(str::to_owned),
                            option_group: database.option_group.clone(),
                            cluster: database.cluster.clone(),
                            created_at: database.created,
                            has_secret: database.life.secret.is_some(),
                            tags: database.tags.clone(),
                        })
                        .collect(),
                    snapshots,
                    deleting,
                    retained_backups: region
                        .retained_backups
                        .iter()
                        .map(|retained| retained.database.id.clone())
                        .collect(),
                };
                (region.name.clone(), state)
            })
            .collect();
        Self {
            account: simulator.account.clone(),
            now: simulator.clock,
            time_scale: simulator.scale,
            regions,
        }
    }

    /// The snapshots of a region that are being deleted.
    #[must_use]
    pub fn deleting(&self, region: &str) -> &[SnapshotState] {
        self.regions.get(region).map_or(&[], |region| &region.deleting)
    }

    /// The snapshots of a region, none if nothing was ever there.
    #[must_use]
    pub fn snapshots(&self, region: &str) -> &[SnapshotState] {
        self.regions.get(region).map_or(&[], |region| &region.snapshots)
    }

    /// A snapshot by region and id, of whichever kind.
    #[must_use]
    pub fn snapshot(&self, region: &str, id: &str) -> Option<&SnapshotState> {
        self.snapshots(region).iter().find(|snapshot| snapshot.id == id)
    }

    /// A database by region, kind and id.
    #[must_use]
    pub fn database_of(&self, region: &str, kind: Kind, id: &str) -> Option<&DatabaseState> {
        let mut databases = self.regions.get(region)?.databases.iter();
        databases.find(|database| database.kind == kind && database.id == id)
    }

    /// A database by region and id; a cluster goes before an instance of the same id.
    #[must_use]
    pub fn database(&self, region: &str, id: &str) -> Option<&DatabaseState> {
        let databases = &self.regions.get(region)?.databases;
        databases.iter().rev().find(|database| database.id == id)
    }
}
