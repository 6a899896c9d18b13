//! What happens to databases and their snapshots beside calls: restores, renames, switchovers, changed settings.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::hash;
use crate::identifier;
use crate::model::{Encryption, Kind, RdsArn, Snapshot, Tags};
use crate::scenario::{self, Members, Scenario, ScenarioError};
use crate::seed::prefix;
use crate::simulator::Simulator;

type Result<T> = std::result::Result<T, ScenarioError>;

/// A database that is restored from a snapshot of its region, under a resource id of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restore {
    /// The region of both.
    pub region: String,
    /// The snapshot: identifier, alias or ARN.
    pub snapshot: String,
    /// The identifier of the new database.
    pub database: String,
    /// Its tags; without any, it inherits those of the snapshot, as in RDS.
    #[serde(default)]
    pub tags: Tags,
    /// Whether its snapshots get its tags: no when absent.
    #[serde(default)]
    pub copy_tags_to_snapshot: Option<bool>,
    /// As in the snapshot when absent.
    #[serde(default)]
    pub backup_retention_days: Option<u32>,
    /// Of a cluster: its members; one when absent, though a restore itself makes none.
    #[serde(default)]
    pub members: Option<Members>,
}

/// A snapshot that RDS, AWS Backup or a person takes of a database, now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSnapshot {
    /// The region of both.
    pub region: String,
    /// The database; an instance goes before a cluster of the same identifier.
    pub database: String,
    /// Follows from the database and the time when absent.
    #[serde(default)]
    pub id: Option<String>,
    /// `automated`, `manual` or `awsbackup`; without an id `automated` when absent, else `manual`.
    #[serde(default, rename = "type")]
    pub snapshot_type: Option<String>,
    /// Its tags, beside those that it gets of the database.
    #[serde(default)]
    pub tags: Tags,
    /// It is `creating` for this many simulated seconds; available at once when absent.
    #[serde(default)]
    pub available_after_seconds: Option<f64>,
}

/// New settings of a database; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseChange {
    /// Its region.
    pub region: String,
    /// Its identifier.
    pub name: String,
    /// `stopped`, `available` …
    #[serde(default)]
    pub status: Option<String>,
    /// Days that automated snapshots are kept; those that exist stay.
    #[serde(default)]
    pub backup_retention_days: Option<u32>,
    /// Whether its snapshots get its tags.
    #[serde(default)]
    pub copy_tags_to_snapshot: Option<bool>,
    /// All its tags.
    #[serde(default)]
    pub tags: Option<Tags>,
    /// Simulated seconds that its deletion takes from now on.
    #[serde(default)]
    pub deleting_seconds: Option<u32>,
}

impl Simulator {
    /// Restores a database from an available snapshot.
    pub fn restore(&mut self, now: Timestamp, restore: &Restore) -> Result<()> {
        self.settle(now);
        let snapshot = self.snapshot_named(&restore.region, &restore.snapshot).ok_or_else(|| {
            refuse(format!(
                "there is no snapshot {} in {}",
                restore.snapshot, restore.region
            ))
        })?;
        if snapshot.status != "available" {
            return Err(refuse(format!("the snapshot {} is {}", snapshot.id, snapshot.status)));
        }
        let kind = snapshot.kind;
        let seed = restored(
            snapshot,
            restore,
            hash::resource_id(
                prefix(kind),
                &[
                    "restored",
                    &restore.region,
                    &restore.database,
                    &self.restores.to_string(),
                ],
            ),
        );
        self.add_to(now, &restore.region, |region| match kind {
            Kind::Instance => region.instance(seed),
            Kind::Cluster => region.cluster(seed),
        })?;
        self.restores += 1;
        Ok(())
    }

    /// Takes a snapshot, and gives its ARN. Automated ones are only made of available databases that keep them.
    pub fn take_snapshot(&mut self, now: Timestamp, order: &NewSnapshot) -> Result<String> {
        self.settle(now);
        let kind = self.kind_of(&order.region, &order.database)?;
        let database = &self.regions[&order.region].databases[kind][&order.database];
        let usual = if order.id.is_some() { "manual" } else { "automated" };
        let snapshot_type = order.snapshot_type.as_deref().unwrap_or(usual);
        if snapshot_type == "automated" && (database.details.retention_days == 0 || database.status != "available") {
            return Err(refuse(format!(
                "{} is {} and keeps automated snapshots for {} days: RDS makes none of it",
                database.id, database.status, database.details.retention_days
            )));
        }
        let seed = scenario::Snapshot {
            id: order.id.clone(),
            kind: Some(kind),
            database: Some(order.database.clone()),
            snapshot_type: Some(snapshot_type.to_owned()),
            created_at: Some(now),
            tags: order.tags.clone(),
            available_after_seconds: order.available_after_seconds,
            ..scenario::Snapshot::default()
        };
        let ids = |simulator: &Self| -> BTreeSet<String> {
            simulator.regions[&order.region].snapshots[kind]
                .keys()
                .cloned()
                .collect()
        };
        let before = ids(self);
        self.add_to(now, &order.region, |region| region.snapshot(seed))?;
        let made = ids(self).difference(&before).next().cloned().unwrap_or_default();
        Ok(self.regions[&order.region].snapshot_arn(kind, &made))
    }

    /// Removes a snapshot of whichever type and status at once, by identifier, alias or ARN. Says whether it was there.
    pub fn remove(&mut self, now: Timestamp, region: &str, snapshot: &str) -> bool {
        self.settle(now);
        let Some((kind, id)) = self
            .snapshot_named(region, snapshot)
            .map(|snapshot| (snapshot.kind, snapshot.id.clone()))
        else {
            return false;
        };
        self.remove_snapshot(region, kind, &id).is_some()
    }

    /// Gives a database another identifier. It stays the same database: its resource id remains, and so do its
    /// snapshots, under the name of their time.
    pub fn rename_database(&mut self, now: Timestamp, region: &str, id: &str, to: &str) -> Result<()> {
        self.settle(now);
        identifier::check(to, 63).map_err(|reason| refuse(format!("{to:?}: {reason}")))?;
        let to = to.to_ascii_lowercase();
        let kind = self.kind_of(region, id)?;
        let databases = &mut self.region(region).databases;
        if databases[kind].contains_key(&to) {
            return Err(refuse(format!("there is a database {to} already")));
        }
        if let Some(mut database) = databases[kind].remove(id) {
            database.id.clone_from(&to);
            databases[kind].insert(to.clone(), database);
        }
        for place in &mut self.databases_at_work {
            if place.region == region && place.kind == kind && place.id == id {
                place.id.clone_from(&to);
            }
        }
        let databases = &mut self.region(region).databases;
        for other in databases[Kind::Instance].values_mut() {
            let part = match kind {
                Kind::Instance => &mut other.own.replica_of,
                Kind::Cluster => &mut other.cluster,
            };
            if part.as_deref() == Some(id) {
                *part = Some(to.clone());
            }
        }
        Ok(())
    }

    /// A blue/green switchover: the blue database is called `<blue>-old1` from now on, and the green one has its name.
    pub fn switch_over(&mut self, now: Timestamp, region: &str, blue: &str, green: &str) -> Result<()> {
        self.kind_of(region, green)?;
        self.rename_database(now, region, blue, &format!("{blue}-old1"))?;
        self.rename_database(now, region, green, blue)
    }

    /// Changes settings of a database.
    pub fn change_database(&mut self, now: Timestamp, change: &DatabaseChange) -> Result<()> {
        self.settle(now);
        let kind = self.kind_of(&change.region, &change.name)?;
        if let Some(database) = self.region(&change.region).databases[kind].get_mut(&change.name) {
            if let Some(status) = &change.status {
                database.status.clone_from(status);
            }
            if let Some(days) = change.backup_retention_days {
                database.details.retention_days = days;
            }
            if let Some(copies_tags) = change.copy_tags_to_snapshot {
                database.own.copies_tags = copies_tags;
            }
            if let Some(seconds) = change.deleting_seconds {
                database.life.deleting_seconds = Some(seconds);
            }
            if let Some(tags) = &change.tags {
                database.tags.clone_from(tags);
            }
        }
        Ok(())
    }

    pub(crate) fn add_to(
        &mut self,
        now: Timestamp,
        region: &str,
        change: impl FnOnce(scenario::Region) -> scenario::Region,
    ) -> Result<()> {
        self.add(
            now,
            &Scenario {
                regions: BTreeMap::from([(region.to_owned(), change(scenario::Region::default()))]),
                ..Scenario::default()
            },
        )
    }

    fn kind_of(&self, region: &str, database: &str) -> Result<Kind> {
        Kind::ALL
            .into_iter()
            .find(|kind| {
                self.regions
                    .get(region)
                    .is_some_and(|region| region.databases[*kind].contains_key(database))
            })
            .ok_or_else(|| refuse(format!("there is no database {database} in {region}")))
    }

    /// A snapshot by identifier, alias or ARN.
    fn snapshot_named(&self, region: &str, name: &str) -> Option<&Snapshot> {
        let name = self.without_aliases(name);
        let region = self.regions.get(region)?;
        let id = RdsArn::parse(&name).map_or(name.as_str(), |arn| arn.id);
        let mut kinds = Kind::ALL.into_iter();
        // Those of other accounts go by their ARN.
        kinds.find_map(|kind| {
            region.snapshots[kind]
                .get(id)
                .or_else(|| region.snapshots[kind].get(&name))
        })
    }
}

fn refuse(reason: String) -> ScenarioError {
    ScenarioError(reason)
}

/// The database that a restore makes, as a scenario has it.
fn restored(snapshot: &Snapshot, restore: &Restore, resource_id: String) -> scenario::Database {
    let database = restored_database(&restore.database, snapshot, &restore.tags);
    scenario::Database {
        resource_id: Some(resource_id),
        backup_retention_days: restore.backup_retention_days.or(database.backup_retention_days),
        copy_tags_to_snapshot: restore.copy_tags_to_snapshot,
        members: restore.members.clone(),
        ..database
    }
}

/// What a restored database has of its snapshot. Without tags of its own it inherits those of the snapshot, as in RDS.
pub(crate) fn restored_database(id: &str, snapshot: &Snapshot, tags: &Tags) -> scenario::Database {
    let inherited = || {
        let tags = snapshot.tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
        tags.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let details = &snapshot.details;
    scenario::Database {
        engine: Some(snapshot.engine.clone()),
        engine_version: Some(snapshot.engine_version.clone()),
        engine_mode: snapshot.engine_mode.clone(),
        kms_key: snapshot.encryption.key().map(str::to_owned),
        storage_encryption_type: (snapshot.encryption == Encryption::Service).then(|| "sse-rds".to_owned()),
        allocated_storage: Some(snapshot.allocated_storage),
        size_gib: Some(snapshot.size_gib),
        option_group: snapshot
            .option_group
            .clone()
            .filter(|name| !name.starts_with("default:")),
        permanent_options: snapshot.permanent_options.clone(),
        backup_retention_days: Some(details.retention_days),
        created_days_ago: Some(0.0),
        tags: if tags.is_empty() { inherited() } else { tags.clone() },
        storage_type: details.storage_type.clone(),
        iops: details.iops,
        storage_throughput: details.storage_throughput,
        iam_database_authentication_enabled: Some(details.iam_authentication),
        license_model: Some(details.license.clone()),
        port: Some(details.port),
        omits: snapshot.omits.clone(),
        copies: snapshot.copies.clone(),
        ..scenario::Database::new(id)
    }
}
