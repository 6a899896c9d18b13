//! What AWS would bill for databases that calls have restored or created.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::copying::AtWork;
use crate::model::{Database, Kind};
use crate::simulator::Simulator;

/// The shortest time that is billed, in simulated seconds.
const MINIMUM_SECONDS: f64 = 600.0;

/// What AWS would bill for one database, in simulated minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    /// The region.
    pub region: String,
    /// Instance or cluster.
    pub kind: Kind,
    /// The identifier.
    pub id: String,
    /// The resource id, which no other database has.
    pub resource_id: String,
    /// The snapshot that it was restored from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The cluster that it was created in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// When the call was made.
    pub since: Timestamp,
    /// Minutes for which it was billed as a running database; ten at least once it was one.
    pub billed_minutes: f64,
    /// Minutes for which only its storage was billed. An Aurora cluster is billed for no more than that: its members
    /// have bills of their own.
    pub storage_minutes: f64,
    /// Whether it is still there.
    pub exists: bool,
    /// Simulated seconds of running, without the minimum.
    #[serde(skip)]
    seconds: f64,
}

/// How a status is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Running,
    Storage,
    Nothing,
}

/// As AWS lists the statuses. One that it does not list is billed.
fn class(kind: Kind, status: &str) -> Class {
    match (kind, status) {
        (
            _,
            "creating"
            | "deleting"
            | "delete-precheck"
            | "failed"
            | "upgrade-failed"
            | "inaccessible-encryption-credentials",
        )
        | (
            Kind::Instance,
            "incompatible-create" | "incompatible-network" | "incompatible-restore" | "insufficient-capacity",
        )
        | (Kind::Cluster, "migration-failed") => Class::Nothing,
        (_, "starting" | "stopping" | "stopped" | "inaccessible-encryption-credentials-recoverable") => Class::Storage,
        _ => Class::Running,
    }
}

impl Bill {
    pub(crate) fn new(region: &str, database: &Database, since: Timestamp) -> Self {
        Self {
            region: region.to_owned(),
            kind: database.kind,
            id: database.id.clone(),
            resource_id: database.resource_id.clone(),
            snapshot: database.life.snapshot.clone(),
            cluster: database.cluster.clone(),
            since,
            billed_minutes: 0.0,
            storage_minutes: 0.0,
            exists: true,
            seconds: 0.0,
        }
    }

    /// Adds simulated seconds in a status. None at all count too: it was in that status.
    fn spend(&mut self, is_aurora: bool, status: &str, seconds: f64) {
        match class(self.kind, status) {
            Class::Running if !is_aurora => {
                self.seconds += seconds;
                self.billed_minutes = self.seconds.max(MINIMUM_SECONDS) / 60.0;
            }
            Class::Running | Class::Storage => self.storage_minutes += seconds / 60.0,
            Class::Nothing => {}
        }
    }
}

impl Simulator {
    /// Begins a bill for a database that a call has just made.
    pub(crate) fn begin_bill(&mut self, region: &str, kind: Kind, id: &str) {
        let now = self.clock;
        if let Some(database) = self.region(region).databases[kind].get(id) {
            let bill = Bill::new(region, database, now);
            self.records.counters.restored.push(bill);
        }
    }

    /// Adds to the bill of the database at a place, if it has one.
    pub(crate) fn bill(&mut self, place: &AtWork, spent: &[(String, f64)]) {
        let Some(database) = self
            .regions
            .get(&place.region)
            .and_then(|region| region.databases[place.kind].get(&place.id))
        else {
            return;
        };
        let is_aurora = is_aurora(database);
        let bills = &mut self.records.counters.restored;
        let bill = bills
            .iter_mut()
            .find(|bill| bill.exists && bill.resource_id == database.resource_id);
        if let Some(bill) = bill {
            bill.id.clone_from(&database.id);
            for (status, seconds) in spent {
                bill.spend(is_aurora, status, *seconds);
            }
        }
    }

    /// Adds simulated seconds to the bills of all databases but those at these places, and ends those of databases that
    /// are gone.
    pub(crate) fn bill_others(&mut self, places: &[AtWork], seconds: f64) {
        let regions = &self.regions;
        for bill in self.records.counters.restored.iter_mut().filter(|bill| bill.exists) {
            let found = regions.get(&bill.region).and_then(|region| {
                let databases = &region.databases[bill.kind];
                let is_it = |database: &&Database| database.resource_id == bill.resource_id;
                databases
                    .get(&bill.id)
                    .filter(is_it)
                    .or_else(|| databases.values().find(is_it))
            });
            let Some(database) = found else {
                bill.exists = false;
                continue;
            };
            bill.id.clone_from(&database.id);
            let is_here =
                |place: &AtWork| place.region == bill.region && place.kind == bill.kind && place.id == database.id;
            if !places.iter().any(is_here) {
                bill.spend(is_aurora(database), &database.status, seconds);
            }
        }
    }
}

/// Whether it is a cluster whose members have bills of their own: all but Multi-AZ DB clusters.
fn is_aurora(database: &Database) -> bool {
    database.kind == Kind::Cluster && !["mysql", "postgres"].contains(&database.engine.as_str())
}
