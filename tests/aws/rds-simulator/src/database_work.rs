//! Databases at work: those that are made, changed or deleted, and what passes with time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::copying::AtWork;
use crate::life::{Passed, Stage};
use crate::model::{Database, Kind, Snapshot};
use crate::operations::automated_backups::RetainedBackup;
use crate::seed::{milliseconds, stamp, taken_of};
use crate::simulator::Simulator;

impl Simulator {
    /// Lets a database go through these stages from now on, whatever it was in before.
    pub(crate) fn begin_work(&mut self, region: &str, kind: Kind, id: &str, stages: Vec<Stage>) {
        if let Some(database) = self.region(region).databases[kind].get_mut(id) {
            database.stages = stages.into();
            database.follow_stages();
        }
        let place = AtWork {
            region: region.to_owned(),
            kind,
            id: id.to_owned(),
        };
        // Time would pass twice for one that is listed twice.
        if !self.databases_at_work.contains(&place) {
            self.databases_at_work.push(place);
        }
    }

    /// How much time passes until the status of a database changes, if one will.
    pub fn until_next_status(&mut self, now: Timestamp) -> Option<Duration> {
        self.settle(now);
        self.databases_at_work
            .iter()
            .filter_map(|place| {
                let region = self.regions.get(&place.region)?;
                region.databases[place.kind].get(&place.id)?.until_next_status()
            })
            .min_by(f64::total_cmp)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds / self.scale).ok())
    }

    /// Lets simulated seconds pass for the databases at work, and adds them to all bills.
    pub(crate) fn progress_databases(&mut self, seconds: f64) {
        let places = std::mem::take(&mut self.databases_at_work);
        for place in &places {
            let Some(passed) = self
                .database_at(place)
                .map(|database| Database::progress(database, seconds))
            else {
                continue;
            };
            self.bill(place, &passed.spent);
            self.after(place, &passed);
            if passed.is_at_work {
                self.databases_at_work.push(place.clone());
            }
        }
        self.bill_others(&places, seconds);
    }

    /// What follows from what a database went through.
    fn after(&mut self, place: &AtWork, passed: &Passed) {
        let mut seconds = 0.0;
        self.make_first_backup(place, passed);
        for (index, (status, spent)) in passed.spent.iter().enumerate() {
            seconds += spent;
            if let Some((next, _)) = passed.spent.get(index + 1)
                && status == "creating"
            {
                let at = self.after_simulated(seconds);
                let snapshot = self
                    .database_at(place)
                    .and_then(|database| database.life.snapshot.clone());
                self.tell_made(place, snapshot.as_deref(), next, at);
                if place.kind == Kind::Cluster && next == "upgrade-failed" {
                    self.leave_final_snapshot(place, at);
                }
            }
        }
        if passed.is_gone {
            let at = self.after_simulated(seconds);
            self.end_database(place, at);
            self.tell_deleted(place, at);
        }
    }

    /// The automated snapshot of a new database that has become available, at the time when it did.
    fn make_first_backup(&mut self, place: &AtWork, passed: &Passed) {
        let until = passed.spent.iter().take_while(|(status, _)| status != "available");
        let at = self.after_simulated(until.map(|(_, seconds)| seconds).sum());
        let Some(database) = self
            .database_at(place)
            .filter(|database| database.life.makes_first_backup && database.status == "available")
        else {
            return;
        };
        database.life.makes_first_backup = false;
        let id = format!("rds:{}-{}", database.id, stamp(at));
        let snapshot = Snapshot {
            id: id.clone(),
            snapshot_type: "automated".to_owned(),
            created: Some(at),
            original_created: Some(at),
            database_time: Some(at),
            ..taken_of(database)
        };
        self.region(&place.region).snapshots[place.kind].insert(id, snapshot);
    }

    /// The time when this many simulated seconds have passed from now on.
    fn after_simulated(&self, seconds: f64) -> Timestamp {
        let real = SignedDuration::try_from_secs_f64(seconds / self.scale).unwrap_or_default();
        milliseconds(self.clock.checked_add(real).unwrap_or(self.clock))
    }

    /// The snapshot that Aurora takes before an upgrade that fails: nobody asked for it, and it stays.
    fn leave_final_snapshot(&mut self, place: &AtWork, at: Timestamp) {
        let snapshot_type = self.settings.databases.final_snapshot_type.clone();
        let Some(cluster) = self.database_at(place) else {
            return;
        };
        let id = format!("rds-final-{}-{}", cluster.id, at.as_second());
        let snapshot = Snapshot {
            id: id.clone(),
            snapshot_type,
            created: Some(at),
            original_created: Some(at),
            ..taken_of(cluster)
        };
        self.region(&place.region).snapshots[place.kind].insert(id, snapshot);
    }

    fn database_at(&mut self, place: &AtWork) -> Option<&mut Database> {
        self.regions.get_mut(&place.region)?.databases[place.kind].get_mut(&place.id)
    }

    /// Takes away a database whose deletion is over: with its automated snapshots, or leaving a retained backup.
    fn end_database(&mut self, place: &AtWork, at: Timestamp) {
        let keeps_backups = self
            .database_at(place)
            .and_then(|database| database.life.keeps_backups)
            .unwrap_or_default();
        let Some(region) = self.regions.get_mut(&place.region) else {
            return;
        };
        let Some(gone) = region.databases[place.kind].remove(&place.id) else {
            return;
        };
        if let Some(cluster) = &gone.cluster
            && let Some(cluster) = region.databases[Kind::Cluster].get_mut(cluster)
        {
            cluster.members.retain(|member| member.id != gone.id);
            // A cluster always has a writer while it has members.
            if !cluster.members.iter().any(|member| member.writer)
                && let Some(first) = cluster.members.first_mut()
            {
                first.writer = true;
            }
        }
        if keeps_backups && gone.has_automated_backups() {
            region.retained_backups.push(RetainedBackup::new(gone, at));
            return;
        }
        let automated: Vec<String> = region.snapshots[place.kind]
            .values()
            .filter(|snapshot| {
                snapshot.resource_id.as_ref() == Some(&gone.resource_id)
                    && snapshot.snapshot_type == "automated"
                    && !snapshot.id.starts_with("rds-final")
            })
            .map(|snapshot| snapshot.id.clone())
            .collect();
        for snapshot in automated {
            self.remove_snapshot(&place.region, place.kind, &snapshot);
        }
    }
}
