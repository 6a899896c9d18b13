//! Databases at work: those that are made, changed or deleted, and what passes with time.

use crate::copying::AtWork;
use crate::life::{Passed, Stage};
use crate::model::{Database, Kind};
use crate::operations::automated_backups::RetainedBackup;
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

    /// Lets simulated seconds pass for the databases at work.
    pub(crate) fn progress_databases(&mut self, seconds: f64) {
        for place in std::mem::take(&mut self.databases_at_work) {
            let Some(passed) = self
                .database_at(&place)
                .map(|database| Database::progress(database, seconds))
            else {
                continue;
            };
            self.after(&place, &passed);
            if passed.is_at_work {
                self.databases_at_work.push(place);
            }
        }
    }

    /// What follows from what a database went through.
    fn after(&mut self, place: &AtWork, passed: &Passed) {
        if passed.is_gone {
            self.end_database(place);
        }
    }

    fn database_at(&mut self, place: &AtWork) -> Option<&mut Database> {
        self.regions.get_mut(&place.region)?.databases[place.kind].get_mut(&place.id)
    }

    /// Takes away a database whose deletion is over: with its automated snapshots, or leaving a retained backup.
    fn end_database(&mut self, place: &AtWork) {
        let keeps_backups = self
            .database_at(place)
            .and_then(|database| database.life.keeps_backups)
            .unwrap_or_default();
        let now = self.clock;
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
            region.retained_backups.push(RetainedBackup::new(gone, now));
            return;
        }
        let automated: Vec<String> = region.snapshots[place.kind]
            .values()
            .filter(|snapshot| {
                snapshot.resource_id.as_ref() == Some(&gone.resource_id) && snapshot.snapshot_type == "automated"
            })
            .map(|snapshot| snapshot.id.clone())
            .collect();
        for snapshot in automated {
            self.remove_snapshot(&place.region, place.kind, &snapshot);
        }
    }
}
