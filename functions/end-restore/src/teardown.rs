//! Ends one drill: deletes its database, and answers `gone` when nothing of it was there twice, a minute apart.

use domain::drill::{Drill, DrillOutcome, DrillWait};
use domain::drill_database::{member_identifier, prefix};
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::restored_status::RestoredStatus;
use domain::tags;
use jiff::Timestamp;
use rds::codes::{DatabaseRefusal, database_refusal};
use rds::restore::Restored;
use runtime::watch::Watch;
use serde::{Deserialize, Serialize};

/// How long RDS is given between two looks for what is left: its answers are eventually consistent.
const WAIT_SECONDS: u64 = 60;
/// How often nothing must have been there.
const TIMES_UNSEEN: u32 = 2;

/// What is left of a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ended {
    /// Whether nothing is.
    pub gone: bool,
    /// When nothing of it was seen for the last time, if nothing is. Absent where a person keeps the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
    /// How often in a row nothing was there.
    pub unseen: u32,
    /// What has to be waited for before the next try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<DrillWait>,
    /// The databases that are being deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleting: Vec<String>,
    /// Databases of that name without the mark: a person keeps them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// ARN of the secret with the database's password, which has to go with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_arn: Option<String>,
    /// What could not be done, and changes nothing about the drill.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What became of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// RDS is at it.
    Begun,
    /// There was nothing to delete.
    Gone,
    /// The database has no mark, and stays.
    Kept,
    /// Not yet; why.
    Later(String),
}

/// Deletes what the drill made, once more, and says what is left.
pub(crate) async fn end(watch: &Watch, drill: &Drill, before: &Ended, now: Timestamp) -> Result<Ended, Error> {
    if !drill.name.starts_with(&prefix(&watch.owner)) {
        return Err(Error::bad_input(
            "drill.name",
            &format!("{:?} is not the name of a drill database", drill.name),
            "Only what plan-drills named can be ended.",
        ));
    }
    let mut ended = Ended {
        secret_arn: before.secret_arn.clone(),
        ..Ended::default()
    };
    let mut later = Vec::new();
    let mut databases = vec![(drill.kind, drill.name.clone())];
    if drill.kind == DatabaseKind::Cluster {
        // First: a cluster goes only when its instances do.
        databases.insert(0, (DatabaseKind::Instance, member_identifier(&drill.name)));
    }
    for (kind, id) in databases {
        let found = watch.rds.restored(kind, &id).await?;
        if found.as_ref().is_some_and(|found| is_of_another(watch, drill, found)) {
            continue;
        }
        let secret = found.as_ref().and_then(|database| database.secret.as_ref());
        ended.secret_arn = secret.map(|secret| secret.arn.clone()).or(ended.secret_arn);
        match delete(watch, found.as_ref()).await? {
            Deletion::Gone => match watch.rds.keeps_backups(kind, &id).await {
                Ok(false) => {}
                Ok(true) => later.push(format!("automated backups of {id} are still kept")),
                Err(error @ (Error::Throttled { .. } | Error::RdsUnavailable { .. })) => return Err(error),
                // The deletion asked for none to be kept: that it cannot be proved is no reason to go on for ever.
                Err(error) => ended
                    .warnings
                    .push(format!("automated backups of {id} are not known: {error}")),
            },
            Deletion::Begun => ended.deleting.push(id),
            Deletion::Kept => ended.kept.push(id),
            Deletion::Later(why) => later.push(why),
        }
    }
    if ended.deleting.is_empty() && later.is_empty() {
        ended.unseen = before.unseen + 1;
    }
    ended.gone = ended.unseen >= TIMES_UNSEEN;
    if ended.gone {
        ended.gone_at = Some(now).filter(|_| ended.kept.is_empty());
        ended.warnings.extend(record(watch, drill, now).await);
    } else {
        let reason = match later.as_slice() {
            [] if ended.deleting.is_empty() => "nothing was there; it has to be so twice".to_owned(),
            [] => format!("{} is being deleted", ended.deleting.join(", ")),
            later => later.join("; "),
        };
        ended.waiting = Some(DrillWait {
            reason,
            seconds: WAIT_SECONDS,
        });
    }
    Ok(ended)
}

/// Whether another drill of the same copy has made a database since: its name is the same. That one ends with its own
/// drill, and what this one has made is gone.
fn is_of_another(watch: &Watch, drill: &Drill, database: &Restored) -> bool {
    let mark = database.mark();
    mark.is_ours(&watch.owner) && mark.run().is_some_and(|run| run != drill.execution)
}

/// Deletes a database as RDS has just described it, if it is ours and is not being deleted yet.
pub(crate) async fn delete(watch: &Watch, found: Option<&Restored>) -> Result<Deletion, Error> {
    let Some(database) = found else {
        return Ok(Deletion::Gone);
    };
    let Restored { kind, id, .. } = database;
    if !database.mark().is_ours(&watch.owner) {
        return Ok(Deletion::Kept);
    }
    if RestoredStatus::read(&database.status) == RestoredStatus::Going {
        return Ok(Deletion::Begun);
    }
    let asked = if database.is_protected {
        watch.rds.unprotect(*kind, id).await
    } else {
        watch.rds.delete_database(*kind, id).await
    };
    match asked {
        Ok(()) if database.is_protected => Ok(Deletion::Later(format!("{id} was protected against deletion"))),
        Ok(()) => {
            tracing::info!(database = id, status = database.status, "drill database is deleted");
            Ok(Deletion::Begun)
        }
        // It may be deleted by now, or be busy with something that ends: never a reason to give up.
        Err(error) if database_refusal(&error) == DatabaseRefusal::Busy => {
            Ok(Deletion::Later(format!("{id} is {}: {error}", database.status)))
        }
        Err(error) => Err(error),
    }
}

/// Records on the copy what was proved. What cannot be written is only a warning.
///
/// The tag by which pruning leaves the copy alone stays until it runs out: a later drill of the same copy may have just set
/// it, and no answer of RDS says for certain that there is none.
async fn record(watch: &Watch, drill: &Drill, now: Timestamp) -> Vec<String> {
    let arn = &drill.copy.arn;
    let mut warnings = Vec::new();
    let mut note = |done: Result<(), Error>| match done {
        Ok(()) | Err(Error::SnapshotNotFound { .. }) => {}
        Err(error) => warnings.push(format!("a tag of {} could not be written: {error}", drill.copy.id)),
    };
    let minutes = drill.restore.as_ref().and_then(|restore| restore.minutes);
    let passed = drill
        .verdict
        .as_ref()
        .filter(|verdict| verdict.outcome == DrillOutcome::Passed);
    if let (Some(_), Some(minutes)) = (passed, minutes) {
        note(watch.rds.tag(arn, tags::DRILLED, &now.to_string()).await);
        note(watch.rds.tag(arn, tags::DRILL_MINUTES, &minutes.to_string()).await);
    }
    warnings
}
