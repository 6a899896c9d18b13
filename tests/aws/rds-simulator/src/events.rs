//! Events of databases and snapshots, as far as restores and deletions go.

use jiff::Timestamp;

use crate::copying::AtWork;
use crate::model::Kind;
use crate::simulator::Simulator;

/// How many events of a region are kept.
const KEPT: usize = 10_000;

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Tells it from others, in their order.
    pub(crate) number: String,
    pub(crate) at: Timestamp,
    /// `db-instance`, `db-cluster`, `db-snapshot`.
    pub(crate) source_type: &'static str,
    pub(crate) source: String,
    pub(crate) arn: String,
    pub(crate) message: String,
    pub(crate) category: &'static str,
}

/// Statuses that a database does not leave on its own.
const DEAD: [&str; 13] = [
    "failed",
    "incompatible-create",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "insufficient-capacity",
    "migration-failed",
    "restore-error",
    "storage-full",
    "upgrade-failed",
];

impl Simulator {
    fn event(&mut self, place: &AtWork, at: Timestamp, message: &str, category: &'static str) {
        let source_type = match place.kind {
            Kind::Instance => "db-instance",
            Kind::Cluster => "db-cluster",
        };
        let region = self.region(&place.region);
        let arn = region.arn(place.kind.database_type(), &place.id);
        self.push_event(&place.region, at, (source_type, &place.id, arn), message, category);
    }

    fn push_event(
        &mut self,
        region: &str,
        at: Timestamp,
        (source_type, source, arn): (&'static str, &str, String),
        message: &str,
        category: &'static str,
    ) {
        self.events_told += 1;
        let number = format!("{:020}", self.events_told);
        let events = &mut self.region(region).events;
        if events.len() == KEPT {
            events.pop_front();
        }
        events.push_back(Event {
            number,
            at,
            source_type,
            source: source.to_owned(),
            arn,
            message: message.to_owned(),
            category,
        });
    }

    /// A database that is no longer `creating`: it was made, or it failed. Of cluster snapshots AWS lists no event.
    pub(crate) fn tell_made(&mut self, place: &AtWork, snapshot: Option<&str>, status: &str, at: Timestamp) {
        if DEAD.contains(&status) {
            // AWS's words differ from status to status.
            let message = format!("The database was put into the status {status}.");
            self.event(place, at, &message, "failure");
            return;
        }
        if let (Kind::Instance, Some(snapshot)) = (place.kind, snapshot) {
            let arn = self.region(&place.region).snapshot_arn(place.kind, snapshot);
            let source = ("db-snapshot", snapshot, arn);
            let message = format!("Restored from snapshot {snapshot}");
            self.push_event(&place.region, at, source, &message, "restoration");
        }
        self.event(place, at, created(place.kind), "creation");
    }

    /// A database that is gone.
    pub(crate) fn tell_deleted(&mut self, place: &AtWork, at: Timestamp) {
        let message = match place.kind {
            Kind::Instance => "DB instance deleted",
            Kind::Cluster => "DB cluster deleted",
        };
        self.event(place, at, message, "deletion");
    }
}

fn created(kind: Kind) -> &'static str {
    match kind {
        Kind::Instance => "DB instance created",
        Kind::Cluster => "DB cluster created",
    }
}
