//! Deletes every drill database that should be gone: its time is over, or the execution that made it has ended.
//!
//! It runs every hour, also while drills are off, and needs nothing that a drill left behind but the databases themselves.

use domain::drill_database::{SWEEP_GRACE, prefix};
use domain::error::Error;
use domain::kind::DatabaseKind;
use jiff::Timestamp;
use rds::restore::Restored;
use runtime::metrics::{Metric, count};
use runtime::watch::Watch;
use serde::Serialize;

use crate::executions::Runs;
use crate::teardown::{Deletion, delete};

/// What the last snapshots are called that Aurora makes of a cluster whose upgrade failed (Aurora user guide, restoring
/// from a snapshot).
const FINAL_SNAPSHOT: &str = "rds-final";
/// Most names and sentences of each list in the answer.
const MAX_LISTED: usize = 50;

/// What a sweep found and did. Each list names databases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// Marked ones that are there.
    pub databases: usize,
    /// Those that are being deleted now.
    pub deleting: Vec<String>,
    /// Those that were left to the execution that is still at them.
    pub in_use: usize,
    /// Those that are long past their time.
    pub overdue: Vec<String>,
    /// Named like a drill's, without the mark: never deleted.
    pub unmarked: Vec<String>,
    /// Last snapshots of drill clusters, which AWS made and nobody deletes: never deleted either.
    pub final_snapshots: Vec<String>,
    /// What could not be done.
    pub warnings: Vec<String>,
}

/// Sweeps, measures what is there, and fails only if RDS cannot be read.
pub(crate) async fn sweep(watch: &Watch, runs: &impl Runs, now: Timestamp) -> Result<Swept, Error> {
    let prefix = prefix(&watch.owner);
    let mut found = watch.rds.restored_named(&prefix).await?;
    // Instances first: a cluster goes only when its instances do.
    found.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    let mut swept = Swept::default();
    for database in &found {
        if !database.mark().is_ours(&watch.owner) {
            swept.unmarked.push(database.id.clone());
            continue;
        }
        swept.databases += 1;
        if is_overdue(watch, database, now - SWEEP_GRACE) {
            swept.overdue.push(database.id.clone());
        }
        match is_due(watch, runs, database, now).await {
            Ok(false) => swept.in_use += 1,
            Ok(true) => end(watch, database, &mut swept).await,
            Err(error) => {
                swept.in_use += 1;
                swept
                    .warnings
                    .push(format!("the execution of {} is not known: {error}", database.id));
            }
        }
    }
    swept.final_snapshots = final_snapshots(watch, &prefix).await?;
    measure(watch, &swept, now);
    for list in [
        &mut swept.deleting,
        &mut swept.overdue,
        &mut swept.unmarked,
        &mut swept.final_snapshots,
        &mut swept.warnings,
    ] {
        list.truncate(MAX_LISTED);
    }
    Ok(swept)
}

/// Whether a database has to go. One whose execution cannot be asked about goes when its time is over.
async fn is_due(watch: &Watch, runs: &impl Runs, database: &Restored, now: Timestamp) -> Result<bool, Error> {
    if is_overdue(watch, database, now) {
        return Ok(true);
    }
    let Some(arn) = execution_arn(watch, database) else {
        return Ok(false);
    };
    runs.is_running(&arn).await.map(|running| !running)
}

fn is_overdue(watch: &Watch, database: &Restored, now: Timestamp) -> bool {
    database.mark().is_overdue(watch.settings.drills.hours, now)
}

/// The execution that made a database: of the state machine of this stack, in the account of the copy.
fn execution_arn(watch: &Watch, database: &Restored) -> Option<String> {
    let mark = database.mark();
    let parts: Vec<&str> = mark.copy_arn()?.splitn(6, ':').collect();
    let [_, partition, _, region, account, _] = parts[..] else {
        return None;
    };
    let (machine, run) = (&watch.settings.drills.machine, mark.run()?);
    Some(format!(
        "arn:{partition}:states:{region}:{account}:execution:{machine}:{run}"
    ))
}

/// Deletes one database, as RDS describes it now. A refusal stops nothing but itself.
async fn end(watch: &Watch, database: &Restored, swept: &mut Swept) {
    let Restored { kind, id, .. } = database;
    let deletion = async {
        // Another drill of the copy may have made one of the same name meanwhile.
        let found = watch.rds.restored(*kind, id).await?;
        let found = found.filter(|found| found.resource_id == database.resource_id);
        delete(watch, found.as_ref()).await
    };
    match deletion.await {
        Ok(Deletion::Begun) => swept.deleting.push(id.clone()),
        Ok(Deletion::Gone) => swept.databases -= 1,
        Ok(Deletion::Kept) => swept.unmarked.push(id.clone()),
        Ok(Deletion::Later(why)) => swept.warnings.push(why),
        Err(error) => swept.warnings.push(format!("{id} could not be deleted: {error}")),
    }
}

/// The snapshots that AWS made of drill clusters at their end.
async fn final_snapshots(watch: &Watch, prefix: &str) -> Result<Vec<String>, Error> {
    let of_drill = |id: &str, database: &str| id.starts_with(FINAL_SNAPSHOT) && database.starts_with(prefix);
    let scan = watch.rds.scan_manual_snapshots(DatabaseKind::Cluster, |snapshot| {
        of_drill(&snapshot.id, &snapshot.database_id).then_some(snapshot.id)
    });
    scan.await
}

fn measure(watch: &Watch, swept: &Swept, now: Timestamp) {
    let values = [
        (Metric::DRILL_DATABASES, count(swept.databases)),
        (Metric::DRILL_DATABASES_OVERDUE, count(swept.overdue.len())),
        (Metric::UNMARKED_DRILL_DATABASES, count(swept.unmarked.len())),
        (Metric::RETAINED_DRILL_SNAPSHOTS, count(swept.final_snapshots.len())),
    ];
    watch.meter.stack(now, &values, &[]);
}
