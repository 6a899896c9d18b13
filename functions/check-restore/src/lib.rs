//! Asks how a restore is doing; a database that can be used is compared with its copy, and looked into by the operator's
//! function if there is one.
//!
//! In: a [`Drill`] with a restore. Out: the same, with how far it is, or with a verdict. Safe to retry at will: it reads,
//! and asks RDS for a password of its own at most.

#![forbid(unsafe_code)]

mod answer;
mod compare;

use domain::drill::{CheckRequest, Drill, DrillCheck, DrillOutcome, Restore, RestoreState, RestoreWait, Verdict};
use domain::drill_database::member_identifier;
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::restored_status::RestoredStatus;
use jiff::{SignedDuration, Timestamp};
use rds::codes::{DatabaseRefusal, database_refusal};
use rds::restore::Restored;
use runtime::watch::Watch;

/// For how long a database that RDS has promised may be missing from its answers, which are eventually consistent.
const MAX_LISTING_LAG_SECONDS: u64 = 600;
/// The shortest and the longest wait between two polls.
const MIN_WAIT_SECONDS: u64 = 30;
const MAX_WAIT_SECONDS: u64 = 600;
/// How long before a drill database is deleted its restore is given up, so that the verdict comes first.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_mins(15);
/// Most events that the record keeps.
const MAX_EVENTS: usize = 5;

/// Describes the database and judges what RDS says of it.
pub async fn handle(watch: &Watch, mut drill: Drill, now: Timestamp) -> Result<Drill, Error> {
    let Some(mut restore) = drill.restore.take() else {
        return Err(Error::bad_input(
            "restore",
            "is missing",
            "Only start-restore begins a restore; start drill-fleet instead.",
        ));
    };
    let verdict = match drill.answer.take() {
        Some(answer) => {
            note_check(&mut restore, DrillCheck::Function);
            Some(answer::judge(&answer))
        }
        None => poll(watch, &drill, &mut restore, now).await?,
    };
    if let Some(verdict) = &verdict {
        restore.state = RestoreState::Done;
        restore.check = None;
        tracing::info!(database = drill.name, outcome = %verdict.outcome, reason = verdict.reason, "drill judged");
    }
    Ok(Drill {
        restore: Some(restore),
        verdict,
        ..drill
    })
}

/// What RDS says of the restore: a verdict, or how far it is, in `restore`.
async fn poll(watch: &Watch, drill: &Drill, restore: &mut Restore, now: Timestamp) -> Result<Option<Verdict>, Error> {
    let elapsed = elapsed_seconds(restore, now);
    let Some(database) = watch.rds.restored(drill.kind, &drill.name).await? else {
        if elapsed < MAX_LISTING_LAG_SECONDS {
            return Ok(keep_waiting(watch, restore, "not listed yet", now));
        }
        return Ok(Some(not_run(&format!(
            "{} is gone: somebody deleted it during the drill",
            drill.name
        ))));
    };
    if let Some(verdict) = why_not_ours(watch, &database) {
        return Ok(Some(verdict));
    }
    if let Some(verdict) = dead_or_public(&database) {
        return Ok(Some(verdict));
    }
    if RestoredStatus::read(&database.status) != RestoredStatus::Usable {
        return Ok(keep_waiting(watch, restore, &database.status, now));
    }
    let instance = match drill.kind {
        DatabaseKind::Instance => None,
        DatabaseKind::Cluster if !restore.with_instance => None,
        DatabaseKind::Cluster => {
            let name = member_identifier(&drill.name);
            let Some(member) = watch.rds.restored(DatabaseKind::Instance, &name).await? else {
                restore.state = RestoreState::NeedsInstance;
                return Ok(overdue(watch, restore, "without an instance", now));
            };
            if let Some(verdict) = dead_or_public(&member) {
                return Ok(Some(verdict));
            }
            if RestoredStatus::read(&member.status) != RestoredStatus::Usable {
                let status = format!("available, its instance {}", member.status);
                return Ok(keep_waiting(watch, restore, &status, now));
            }
            Some(member)
        }
    };
    if restore.available_at.is_none() {
        restore.available_at = Some(now);
        restore.minutes = Some(elapsed.div_ceil(60));
    }
    if let Some(verdict) = evidence(watch, drill, restore, &database, instance.as_ref(), now).await? {
        return Ok(Some(verdict));
    }
    prepare_check(watch, drill, restore, &database, now).await
}

/// Levels 1 and 2 of the check: what RDS says that the database is, and what it says has happened to it.
async fn evidence(
    watch: &Watch,
    drill: &Drill,
    restore: &mut Restore,
    database: &Restored,
    instance: Option<&Restored>,
    now: Timestamp,
) -> Result<Option<Verdict>, Error> {
    let differences = compare::differences(&restore.expected, &database.description);
    note_check(restore, DrillCheck::Description);
    if !differences.is_empty() {
        let reason = format!("what was restored is not what was copied: {}", differences.join("; "));
        return Ok(Some(Verdict::new(DrillOutcome::Failed, &reason)));
    }
    let mut events = watch
        .rds
        .events(drill.kind, &drill.name, restore.requested_at, now)
        .await?;
    if let Some(instance) = instance {
        let of_instance = watch.rds.events(instance.kind, &instance.id, restore.requested_at, now);
        events.extend(of_instance.await?);
    }
    note_check(restore, DrillCheck::Events);
    let failure = events
        .iter()
        .find(|event| event.is_failure)
        .map(|event| event.message.clone());
    restore.events = events.into_iter().map(|event| event.message).take(MAX_EVENTS).collect();
    Ok(failure.map(|message| {
        Verdict::new(
            DrillOutcome::Failed,
            &format!("RDS reports a failure of the restored database: {message}"),
        )
    }))
}

/// Records a check, once: a database is checked again while the operator's function waits for its password.
fn note_check(restore: &mut Restore, check: DrillCheck) {
    if !restore.checked.contains(&check) {
        restore.checked.push(check);
    }
}

/// A database that can be used: there is a verdict, unless the operator's function looks into it first.
async fn prepare_check(
    watch: &Watch,
    drill: &Drill,
    restore: &mut Restore,
    database: &Restored,
    now: Timestamp,
) -> Result<Option<Verdict>, Error> {
    let minutes = restore.minutes.unwrap_or_default();
    if watch.settings.drills.check_function.is_none() {
        return Ok(Some(passed(minutes, "")));
    }
    let Some((endpoint, port)) = database.endpoint.clone().filter(|_| has_engine(drill, restore)) else {
        return Ok(Some(passed(
            minutes,
            "; without an instance the check function had nothing to look into",
        )));
    };
    match &database.secret {
        Some(secret) if secret.is_active => {
            restore.state = RestoreState::ReadyForCheck;
            restore.check = Some(CheckRequest {
                identifier: drill.name.clone(),
                endpoint,
                port,
                engine: database.description.engine.clone(),
                secret_arn: secret.arn.clone(),
                copy: drill.copy.clone(),
                deadline: restore.until,
            });
            Ok(overdue(watch, restore, "not checked", now))
        }
        Some(_) => Ok(keep_waiting(watch, restore, "its password is being made", now)),
        None => match watch.rds.manage_password(drill.kind, &drill.name).await {
            Ok(()) => Ok(keep_waiting(watch, restore, "its password is being made", now)),
            // Just after it is available RDS may say that it is not.
            Err(error) if database_refusal(&error) == DatabaseRefusal::Busy => {
                Ok(keep_waiting(watch, restore, "available, and busy", now))
            }
            Err(error @ (Error::Throttled { .. } | Error::RdsUnavailable { .. })) => Err(error),
            Err(error) => {
                let reason = format!("the check function could not be given a password: {error}");
                Ok(Some(
                    Verdict::new(DrillOutcome::NotRun, &reason).because_of(error.name()),
                ))
            }
        },
    }
}

/// Whether an engine runs that a function can connect to.
fn has_engine(drill: &Drill, restore: &Restore) -> bool {
    drill.kind == DatabaseKind::Instance || restore.with_instance
}

/// A database of that name which is not this drill's: a person may have taken the mark off, to keep it.
fn why_not_ours(watch: &Watch, database: &Restored) -> Option<Verdict> {
    if database.mark().is_ours(&watch.owner) {
        return None;
    }
    Some(not_run(&format!(
        "{} has no mark of a drill: a person keeps it, and nothing deletes it",
        database.id
    )))
}

/// A status from which nothing comes any more; or a database that anybody could reach, which nobody waits for any longer.
fn dead_or_public(database: &Restored) -> Option<Verdict> {
    let Restored { id, status, .. } = database;
    if database.is_public {
        return Some(not_run(&format!(
            "{id} is publicly accessible, which no drill database may be"
        )));
    }
    match RestoredStatus::read(status) {
        RestoredStatus::Dead(outcome) => {
            Some(Verdict::new(outcome, &format!("RDS reports {id} as {status}")).because_of(status))
        }
        RestoredStatus::Going => Some(not_run(&format!("{id} is being deleted by somebody else"))),
        RestoredStatus::Usable | RestoredStatus::InProgress => None,
    }
}

fn passed(minutes: u64, more: &str) -> Verdict {
    let reason = format!("restored in {minutes} minutes, and it is what was copied{more}");
    Verdict::new(DrillOutcome::Passed, &reason)
}

fn not_run(reason: &str) -> Verdict {
    Verdict::new(DrillOutcome::NotRun, reason)
}

/// How long the restore has taken so far, in seconds: by the clock, or by the waits that were asked for.
fn elapsed_seconds(restore: &Restore, now: Timestamp) -> u64 {
    let by_clock = now.as_second().saturating_sub(restore.requested_at.as_second());
    restore.wait.waited_seconds.max(u64::try_from(by_clock).unwrap_or(0))
}

/// Nothing to judge yet: waits longer the longer it takes, unless there is no time left.
fn keep_waiting(watch: &Watch, restore: &mut Restore, status: &str, now: Timestamp) -> Option<Verdict> {
    let seconds = (elapsed_seconds(restore, now) / 10).clamp(MIN_WAIT_SECONDS, MAX_WAIT_SECONDS);
    restore.state = RestoreState::Restoring;
    restore.wait = RestoreWait {
        seconds,
        waited_seconds: restore.wait.waited_seconds.saturating_add(seconds),
    };
    overdue(watch, restore, status, now)
}

/// The verdict on a restore for which no time is left.
fn overdue(watch: &Watch, restore: &Restore, status: &str, now: Timestamp) -> Option<Verdict> {
    let elapsed = elapsed_seconds(restore, now);
    let longest = u64::from(watch.settings.drills.hours) * 3600;
    if now < restore.until - BEFORE_THE_END && elapsed <= longest {
        return None;
    }
    let reason = format!(
        "not usable after {} minutes: {status}. If restores of this size take longer here, raise DrillHours",
        elapsed / 60
    );
    Some(Verdict::new(DrillOutcome::Failed, &reason).because_of("RestoreOverdue"))
}

#[cfg(test)]
mod tests;
