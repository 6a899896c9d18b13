//! Snapshots made and deleted by hand.

use jiff::SignedDuration;

use crate::authorization::Question;
use crate::copying::AtWork;
use crate::error::ApiError;
use crate::model::{Ending, Job, Kind, RdsArn, Snapshot, Tags};
use crate::operations::copy::one_snapshot;
use crate::operations::tags;
use crate::seed::taken_of;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// Simulated seconds that a snapshot takes.
const CREATION_SECONDS: f64 = 60.0;

impl Simulator {
    /// `CreateDBSnapshot`, `CreateDBClusterSnapshot`.
    pub(crate) fn create_snapshot(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let (id_name, database_name) = match kind {
            Kind::Instance => ("DBSnapshotIdentifier", "DBInstanceIdentifier"),
            Kind::Cluster => ("DBClusterSnapshotIdentifier", "DBClusterIdentifier"),
        };
        let id = request.new_identifier(id_name, kind.longest_snapshot_id())?;
        let database_id = request.required(database_name)?.to_ascii_lowercase();
        let tags = tags::checked(request)?;
        let name = request.region.as_str();
        let region = &*self.region(name);
        let action = call.operation.action();
        let database = region.databases[kind].get(&database_id);
        call.rights.require(&Question {
            request_tags: Some(&tags),
            resource_tags: database.map(|database| &database.tags),
            ..Question::new(&action, &region.arn(kind.database_type(), &database_id), name)
        })?;
        let arn = region.snapshot_arn(kind, &id);
        call.rights.require(&Question {
            request_tags: Some(&tags),
            ..Question::new(&action, &arn, name)
        })?;
        if !tags.is_empty() {
            call.rights.require(&Question {
                request_tags: Some(&tags),
                explicit_tags: Some(true),
                ..Question::new("rds:AddTagsToResource", &arn, name)
            })?;
        }
        let database = database.ok_or_else(|| ApiError::database_not_found(kind, &database_id))?;
        if database.status != "available" {
            return Err(ApiError::database_state(
                kind,
                format!("{database_id} is not in the available state: {}", database.status),
            ));
        }
        if database.cluster.is_some() {
            return Err(ApiError::database_state(
                kind,
                format!("{database_id} is a member of a DB cluster: take a snapshot of the cluster"),
            ));
        }
        if region.snapshots[kind].contains_key(&id) {
            return Err(ApiError::snapshot_exists(kind, &id));
        }
        self.check_quota(name, kind)?;
        self.begin_snapshot(name, kind, &database_id, &id, Some(tags));
        let region = &self.regions[name];
        Ok(one_snapshot(
            call.operation.name(),
            &self.settings,
            region,
            &region.snapshots[kind][&id],
        ))
    }

    /// Begins to take a manual snapshot of a database. Its tags are beside those that it gets of the database.
    pub(super) fn begin_snapshot(&mut self, region: &str, kind: Kind, database: &str, id: &str, tags: Option<Tags>) {
        let Some(database) = self.region(region).databases[kind].get(database) else {
            return;
        };
        let taken = taken_of(database);
        let mut all_tags = taken.tags.clone();
        all_tags.extend(tags.into_iter().flatten());
        let snapshot = Snapshot {
            id: id.to_owned(),
            status: "creating".to_owned(),
            percent: 0,
            tags: all_tags,
            job: Some(Job {
                seconds: CREATION_SECONDS,
                done: 0.0,
                stops_at: CREATION_SECONDS,
                ending: Ending::Available,
                running: false,
                queue: None,
                takes_slot: false,
                becomes: None,
            }),
            ..taken
        };
        self.region(region).snapshots[kind].insert(id.to_owned(), snapshot);
        self.at_work.push(AtWork {
            region: region.to_owned(),
            kind,
            id: id.to_owned(),
        });
        self.begin_queued();
        if let Some(snapshot) = self.region(region).snapshots[kind].get_mut(id) {
            snapshot.original_created = snapshot.created;
            snapshot.database_time = snapshot.created;
        }
    }

    /// `DeleteDBSnapshot`, `DeleteDBClusterSnapshot`; of a copy under way, this ends the copy.
    pub(crate) fn delete_snapshot(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let id = request
            .required(match kind {
                Kind::Instance => "DBSnapshotIdentifier",
                Kind::Cluster => "DBClusterSnapshotIdentifier",
            })?
            .to_ascii_lowercase();
        let name = request.region.as_str();
        let region = &*self.region(name);
        let snapshot = region.snapshots[kind].get(&id);
        call.rights.require(&Question {
            resource_tags: snapshot.map(|snapshot| &snapshot.tags),
            ..Question::new(&call.operation.action(), &region.snapshot_arn(kind, &id), name)
        })?;
        let snapshot = snapshot
            .filter(|snapshot| !snapshot.is_shared())
            .ok_or_else(|| ApiError::snapshot_not_found(kind, &id))?;
        match (snapshot.snapshot_type.as_str(), kind) {
            ("manual", _) => {}
            (_, Kind::Instance) => {
                return Err(ApiError::snapshot_state(kind, "automated snapshots cannot be deleted."));
            }
            (_, Kind::Cluster) => {
                return Err(ApiError::snapshot_state(kind, "Only manual snapshots may be deleted."));
            }
        }
        let copying = snapshot.job.is_some() && snapshot.source_arn.is_some();
        if !copying && !["available", "failed"].contains(&snapshot.status.as_str()) {
            return Err(ApiError::snapshot_state(
                kind,
                format!(
                    "Cannot delete the snapshot because it is not in the available or failed state: {}",
                    snapshot.status
                ),
            ));
        }
        if let Some(reason) = &snapshot.undeletable {
            return Err(ApiError::snapshot_state(kind, reason));
        }
        let mut deleted = self
            .begin_deletion(name, kind, &id)
            .ok_or_else(|| ApiError::snapshot_not_found(kind, &id))?;
        // So RDS answers, though the snapshot may be listed for a while.
        "deleted".clone_into(&mut deleted.status);
        Ok(one_snapshot(
            call.operation.name(),
            &self.settings,
            &self.regions[name],
            &deleted,
        ))
    }

    /// Begins to delete a snapshot, and gives it as it was. Its work ends now, and its copies fail now; it is listed
    /// until the time of the deletion is over.
    fn begin_deletion(&mut self, region: &str, kind: Kind, id: &str) -> Option<Snapshot> {
        let removed = self.remove_snapshot(region, kind, id)?;
        let seconds = i64::from(self.settings.delete_seconds);
        if seconds > 0
            && let Ok(gone_at) = self.clock.checked_add(SignedDuration::from_secs(seconds))
        {
            let deleting = Snapshot {
                status: "deleting".to_owned(),
                job: None,
                gone_at: Some(gone_at),
                ..removed.clone()
            };
            self.region(region).snapshots[kind].insert(id.to_owned(), deleting);
            self.deleting.push(AtWork {
                region: region.to_owned(),
                kind,
                id: id.to_owned(),
            });
        }
        Some(removed)
    }

    /// Takes away what was deleted long enough ago.
    pub(crate) fn end_deletions(&mut self) {
        let now = self.clock;
        let (regions, deleting) = (&mut self.regions, &mut self.deleting);
        deleting.retain(|place| {
            let Some(region) = regions.get_mut(&place.region) else {
                return false;
            };
            let snapshots = &mut region.snapshots[place.kind];
            // Another one of that name may be there by now.
            let Some(gone_at) = snapshots.get(&place.id).and_then(|snapshot| snapshot.gone_at) else {
                return false;
            };
            if gone_at <= now {
                snapshots.remove(&place.id);
            }
            gone_at > now
        });
    }

    /// Takes a snapshot away: a copy under way ends, and copies of it fail if the scenario wants that.
    pub(crate) fn remove_snapshot(&mut self, region: &str, kind: Kind, id: &str) -> Option<Snapshot> {
        self.regions.get(region)?.snapshots[kind].get(id)?;
        let place = AtWork {
            region: region.to_owned(),
            kind,
            id: id.to_owned(),
        };
        if self.at_work.contains(&place) {
            self.leave_work(&place, Ending::Vanished);
        }
        let removed = self.regions.get_mut(region)?.snapshots[kind].remove(id)?;
        if self.settings.fail_copies_when_source_is_deleted {
            self.fail_copies_of(region, kind, id);
        }
        self.begin_queued();
        Some(removed)
    }

    fn fail_copies_of(&mut self, region: &str, kind: Kind, id: &str) {
        for place in self.at_work.clone() {
            let orphaned = place.kind == kind
                && self
                    .find(&place)
                    .and_then(|copy| RdsArn::parse(copy.source_arn.as_deref()?))
                    .is_some_and(|source| source.region == region && source.id == id);
            if orphaned {
                self.leave_work(&place, Ending::Failed);
                if let Some(copy) = self
                    .regions
                    .get_mut(&place.region)
                    .and_then(|region| region.snapshots[kind].get_mut(&place.id))
                {
                    "failed".clone_into(&mut copy.status);
                    copy.job = None;
                }
            }
        }
    }
}
