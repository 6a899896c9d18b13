//! What the source region holds of a database whose copies are not as they should be: why they are not.

use domain::kind::DatabaseKind;
use domain::snapshot::{Completion, Database, Snapshot};
use jiff::Timestamp;
use rds::{Rds, SnapshotQuery};

use crate::error::CliError;
use crate::facts::copies::NEEDS;

/// The snapshots that a run could copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SourceSnapshots {
    /// When the oldest and the newest one were taken; nothing if there are none.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
    /// Whether there are only those of AWS Backup, which are never copied.
    pub(crate) only_aws_backup: bool,
}

impl SourceSnapshots {
    /// Asks for those of one database.
    pub(crate) async fn read(rds: &Rds, database: &Database, with_manual: bool) -> Result<Self, CliError> {
        let mut taken = times(rds, database, "automated").await?;
        if with_manual {
            taken.extend(times(rds, database, "manual").await?);
        }
        let span = taken.iter().min().copied().zip(taken.iter().max().copied());
        let only_aws_backup = span.is_none() && !times(rds, database, "awsbackup").await?.is_empty();
        Ok(Self { span, only_aws_backup })
    }
}

/// When the complete snapshots of this type were taken.
async fn times(rds: &Rds, database: &Database, snapshot_type: &str) -> Result<Vec<Timestamp>, CliError> {
    let which = SnapshotQuery::OfDatabase {
        resource_id: &database.resource_id,
        database_id: &database.id,
        snapshot_type,
    };
    let found = rds.snapshots(database.kind, which).await;
    let found = found.map_err(|error| CliError::from_rds(rds.region(), NEEDS, &error))?;
    let own = found.into_iter().filter(|snapshot| is_of(snapshot, database));
    Ok(own.filter_map(|snapshot| snapshot.captured_at()).collect())
}

/// Whether a snapshot is one of this database that could be copied. What was asked for is not relied on (P1): an absent
/// resource id is no match where the kind has one.
pub(crate) fn is_of(snapshot: &Snapshot, database: &Database) -> bool {
    let is_same = match &snapshot.resource_id {
        Some(id) => *id == database.resource_id,
        None => database.kind == DatabaseKind::Cluster && snapshot.database_id == database.id,
    };
    is_same && snapshot.completion() == Completion::Complete && snapshot.source_arn.is_none()
}
