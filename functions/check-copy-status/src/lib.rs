//! Asks the destination region how a copy is doing; a complete one is compared with its source and marked.
//!
//! In: [`Started`], or its own output. Out: [`Checked`]. Safe to retry at will: it reads, and sets the tag
//! `snapferry:verified` to what it found.

#![forbid(unsafe_code)]

pub mod schedule;
mod verify;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::error::Error;
use domain::payload::{Checked, CopyProgress, CopyState, Outcome, Started, Target, Verification};
use domain::progress::remaining_seconds;
use domain::snapshot::{Completion, Snapshot};
use domain::tags;
use jiff::Timestamp;
use runtime::deployment::Deployment;
use runtime::metrics;
use runtime::metrics::Metric;

/// Looks the copy up and judges what RDS says of it.
pub async fn handle(deployment: &Deployment, started: Started, now: Timestamp) -> Result<Checked, Error> {
    let copy = started.copy.id.clone();
    let checked = check(deployment, started, now).await;
    if let Err(error) = &checked
        && is_end_of_copy(error)
    {
        let about = [("Copy", copy.as_str()), ("Error", error.name())];
        deployment.meter.stack(now, &[(Metric::COPIES_FAILED, 1.0)], &about);
    }
    checked
}

/// Whether nothing will come of the copy any more; other errors are of the looking.
fn is_end_of_copy(error: &Error) -> bool {
    matches!(
        error,
        Error::CopyFailed { .. } | Error::CopyMissing { .. } | Error::CopyMismatch { .. } | Error::CopyOverdue { .. }
    )
}

async fn check(deployment: &Deployment, started: Started, now: Timestamp) -> Result<Checked, Error> {
    started.target.check()?;
    let Some(snapshot) = look_up(deployment, &started).await? else {
        if schedule::elapsed_seconds(&started.wait, started.copy.requested_at, now) < MAX_LISTING_LAG_SECONDS {
            return keep_waiting(deployment, started, "not listed yet", 0, now);
        }
        return Err(Error::CopyMissing { copy: started.copy.id });
    };
    let own = OwnCopy::read(&deployment.owner, &snapshot)
        .filter(|own| own.is_of(&started.source, started.copy.kms_key_arn.as_deref()));
    let Some(own) = own else {
        return Err(Error::NameTaken { copy: started.copy.id });
    };
    match snapshot.completion() {
        Completion::Failed => Err(Error::CopyFailed {
            copy: snapshot.id,
            snapshot: started.source.id,
            status: snapshot.status,
        }),
        Completion::Going => Err(Error::CopyMissing { copy: snapshot.id }),
        Completion::Unfinished => keep_waiting(deployment, started, &snapshot.status, snapshot.percent, now),
        Completion::Complete => verify_finished(deployment, started, &snapshot, &own, now).await,
    }
}

/// For how long a copy that RDS has accepted may be missing from its answers, which are eventually consistent.
const MAX_LISTING_LAG_SECONDS: u64 = 600;

/// The copy. One that RDS does not tell of is asked for twice, before it is believed to be gone.
async fn look_up(deployment: &Deployment, started: &Started) -> Result<Option<Snapshot>, Error> {
    let (kind, id) = (started.target.kind, &started.copy.id);
    match deployment.destination.snapshot(kind, id, "manual").await? {
        None => deployment.destination.snapshot(kind, id, "manual").await,
        found => Ok(found),
    }
}

/// A copy in progress: when to check again, unless it has taken too long.
fn keep_waiting(
    deployment: &Deployment,
    started: Started,
    status: &str,
    percent: i32,
    now: Timestamp,
) -> Result<Checked, Error> {
    let elapsed = schedule::elapsed_seconds(&started.wait, started.copy.requested_at, now);
    let deadline_hours = deployment.settings.copy_deadline_hours;
    if elapsed > u64::from(deadline_hours) * 3600 {
        return Err(Error::CopyOverdue {
            copy: started.copy.id,
            status: status.to_owned(),
            percent,
            hours: deadline_hours,
        });
    }
    let wait = schedule::next(&started.wait, elapsed, percent);
    tracing::info!(
        copy = started.copy.id,
        status,
        percent,
        elapsed_seconds = elapsed,
        wait_seconds = wait.seconds,
        "copy in progress"
    );
    let status = CopyProgress {
        state: CopyState::Copying,
        percent,
        remaining_seconds: remaining_seconds(elapsed, percent),
        finished_at: None,
    };
    Ok(Checked {
        started: Started { wait, ..started },
        status,
        verification: None,
    })
}

/// A complete copy: `available` is not enough, it must be what was asked for.
async fn verify_finished(
    deployment: &Deployment,
    mut started: Started,
    snapshot: &Snapshot,
    own: &OwnCopy,
    now: Timestamp,
) -> Result<Checked, Error> {
    let key = started.copy.kms_key_arn.as_deref();
    let verification = verify::compare(&started.source, key, snapshot);
    if verify::is_key_ignored(&started.source, key, snapshot) {
        started.warnings.push(format!(
            "RDS took the key and did not use it: {} is encrypted with a key that AWS owns, as its snapshot is",
            snapshot.id
        ));
    }
    let mark = if verification.differ.is_empty() {
        now.to_string()
    } else {
        tags::MISMATCH.to_owned()
    };
    // A copy that is marked already keeps its mark: the time of its first verification, or its mismatch.
    if own.status == CopyStatus::Unverified {
        deployment.destination.tag(&snapshot.arn, tags::VERIFIED, &mark).await?;
    }
    if own.status == CopyStatus::Mismatched || !verification.differ.is_empty() {
        return Err(mismatch(&snapshot.id, &verification));
    }
    tracing::info!(copy = snapshot.id, not_reported = ?verification.not_reported, "copy verified");
    if own.status == CopyStatus::Unverified {
        measure(deployment, &started, snapshot, now);
    }
    started.warnings.extend(verify::doubt(&started.source, snapshot));
    started.outcome = Outcome::Copied;
    started.wait.polls += 1;
    let status = CopyProgress {
        state: CopyState::Verified,
        percent: 100,
        remaining_seconds: None,
        finished_at: Some(now),
    };
    Ok(Checked {
        started,
        status,
        verification: Some(verification),
    })
}

/// Measures a copy that has just been verified.
fn measure(deployment: &Deployment, started: &Started, snapshot: &Snapshot, now: Timestamp) {
    let took = now.duration_since(started.copy.requested_at).as_secs_f64();
    let mut values = vec![(Metric::COPIES_COMPLETED, 1.0), (Metric::COPY_DURATION, took)];
    if let Some(size) = snapshot.data_gib() {
        values.push((Metric::COPIED_GIGABYTES, f64::from(size)));
    }
    let Target { kind, id, .. } = &started.target;
    let meter = &deployment.meter;
    meter.stack(now, &values, &[("Database", id), ("Copy", &snapshot.id)]);
    let age = metrics::hours(now.duration_since(snapshot.data_at(started.source.created_at)));
    meter.database(now, *kind, id, &[(Metric::RECOVERY_POINT_AGE, age)]);
}

fn mismatch(id: &str, verification: &Verification) -> Error {
    let differences = match verification.differ.as_slice() {
        [] => "an earlier check found it different from its source".to_owned(),
        differ => differ.join("; "),
    };
    Error::CopyMismatch {
        copy: id.to_owned(),
        differences,
    }
}

#[cfg(test)]
mod tests;
