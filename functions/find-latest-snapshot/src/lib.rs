//! Finds the newest snapshot of a database, and our copy of it if there is one, and decides what is to be done.
//!
//! In: [`Target`], of list-targets or typed by a person. Out: [`Found`]. Safe to retry at will: it only reads.

#![forbid(unsafe_code)]

mod choose;
mod decide;

use choose::EventSnapshot;
use decide::{Action, Facts, Verdict, decide};
use domain::by_hand;
use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::error::Error;
use domain::payload::{Decision, Found, Outcome, Source, Target, Wait, WaitReason};
use domain::rds_rules::{takes_key, why_unsupported};
use domain::restore_settings::RestoreHints;
use domain::snapshot::{Encryption, Snapshot};
use jiff::Timestamp;
use rds::SnapshotQuery;
use runtime::deployment::Deployment;
use runtime::input::parse_by_hand;
use runtime::metrics::Metric;
use serde_json::Value;

/// Reads the target, which a person may have typed, and finds.
pub async fn handle(deployment: &Deployment, input: Value, now: Timestamp) -> Result<Found, Error> {
    find_for(deployment, parse_by_hand(input, "/release", &by_hand::target())?, now).await
}

/// Asks both regions at once, then decides.
pub async fn find_for(deployment: &Deployment, mut target: Target, now: Timestamp) -> Result<Found, Error> {
    target.check()?;
    target.dry_run |= deployment.settings.dry_run;
    if target.retired {
        return Ok(retired(target));
    }
    let id = [target.id.clone()];
    let (snapshots, mut copies) = tokio::try_join!(
        source_snapshots(deployment, &target),
        deployment
            .destination
            .snapshots(target.kind, SnapshotQuery::ManualOfNames(&id)),
    )?;
    // Copies made before the database was renamed carry the names that it had then.
    let former_ids = choose::former_ids(&target, &snapshots);
    if !former_ids.is_empty() {
        let query = SnapshotQuery::ManualOfNames(&former_ids);
        copies.extend(deployment.destination.snapshots(target.kind, query).await?);
    }

    let found = found(deployment, Found::new(target, former_ids), &snapshots, &copies, now)?;
    tracing::info!(decision = ?found.decision, reason = found.reason, "what to do is decided");
    measure(deployment, &found, now);
    Ok(found)
}

/// Counts what needs no copy.
fn measure(deployment: &Deployment, found: &Found, now: Timestamp) {
    let is_skipped = match found.decision {
        Decision::Current | Decision::Nothing | Decision::Unsupported => !found.target.dry_run,
        Decision::Copy
        | Decision::Join
        | Decision::Verify
        | Decision::Retired
        | Decision::Wait
        | Decision::UnderWay => false,
    };
    if is_skipped {
        let about = [("Database", found.target.id.as_str()), ("Reason", &found.reason)];
        deployment.meter.stack(now, &[(Metric::COPIES_SKIPPED, 1.0)], &about);
    }
}

/// The snapshots that may be copied: automated ones, and hand-made ones if the stack says so.
async fn source_snapshots(deployment: &Deployment, target: &Target) -> Result<Vec<Snapshot>, Error> {
    let of_type = |snapshot_type| {
        let which = SnapshotQuery::OfDatabase {
            resource_id: &target.resource_id,
            database_id: &target.id,
            snapshot_type,
        };
        deployment.source.snapshots(target.kind, which)
    };
    let mut snapshots = of_type("automated").await?;
    if deployment.settings.include_manual_snapshots {
        snapshots.extend(of_type("manual").await?);
    }
    // Only to say the true reason: AWS Backup may hold what RDS makes no snapshots of.
    if snapshots.is_empty() {
        snapshots.extend(of_type("awsbackup").await.unwrap_or_default());
    }
    Ok(snapshots)
}

/// A database that no longer exists has nothing to copy; what we hold of it is pruned.
fn retired(target: Target) -> Found {
    Found {
        decision: Decision::Retired,
        outcome: Outcome::Retired,
        reason: format!("{} {} no longer exists", target.kind, target.id),
        ..Found::new(target.clone(), target.former_ids)
    }
}

/// Adds to `found`, which knows the database only, what is to be done with it, from what both regions hold.
fn found(
    deployment: &Deployment,
    found: Found,
    snapshots: &[Snapshot],
    copies: &[Snapshot],
    now: Timestamp,
) -> Result<Found, Error> {
    let target = found.target.clone();
    let newest = choose::newest(&target, snapshots);
    let gone = match choose::event_snapshot(&target, snapshots, newest.as_ref().ok()) {
        Some(EventSnapshot::Coming(snapshot)) => {
            return Ok(coming(deployment, found, snapshot));
        }
        Some(EventSnapshot::Gone(id)) => Some(id.to_owned()),
        None => None,
    };
    let newest = match newest {
        Ok(newest) => newest,
        Err(reason) => return Ok(Found { reason, ..found }),
    };
    let source = source_of(newest.snapshot, newest.captured_at);
    if let Some(reason) = why_unsupported(found.target.kind, &source.engine, &deployment.settings.source_region) {
        return Ok(Found {
            decision: Decision::Unsupported,
            outcome: Outcome::Unsupported,
            reason: reason.to_owned(),
            source: Some(source),
            ..found
        });
    }
    let own: Vec<OwnCopy> = copies
        .iter()
        .filter_map(|copy| OwnCopy::read(&deployment.owner, copy))
        .filter(|copy| copy.source_resource_id == found.target.resource_id)
        .collect();
    let is_verified = |copy: &&OwnCopy| copy.status == CopyStatus::Verified;
    let found = Found {
        warnings: unencrypted(&found.target, source.encryption),
        verified_copies: Some(own.iter().filter(is_verified).count()),
        ..found
    };
    let keys = match target.keys(source.encryption, &deployment.settings) {
        Ok(keys) => keys,
        // The state machine ends with the problem, which says more than what follows from it.
        Err(_) if target.problem.is_some() => Vec::new(),
        Err(error) => return Err(error),
    };
    let hours_before = |copy: &&OwnCopy| now.duration_since(copy.requested).as_hours();
    let deadline = i64::from(deployment.settings.copy_deadline_hours);
    let overdue = ids(own.iter().filter(|copy| hours_before(copy) >= deadline));
    let is_idle = |copy: &&OwnCopy| hours_before(copy) >= HOURS_WITHOUT_PROGRESS && percent(copies, &copy.id) <= 0;
    let idle = ids(own.iter().filter(is_idle));
    let verdict = decide(&Facts {
        source: &source,
        copies: &own,
        keys: &keys,
        overdue: &overdue,
        idle: &idle,
        verifies_others: !target.dry_run && !target.only_newest,
        // Once such a copy could not be waited for, only the newest snapshot counts.
        waits_for_others: target.snapshot.is_some() && !target.only_newest && !target.dry_run,
    })?;
    let found = follow(deployment, found, &source, &verdict, snapshots, copies);
    Ok(match (gone, found.decision) {
        // An older snapshot is copied; that is not what the event was about.
        (Some(id), Decision::Current) => Found {
            decision: Decision::Nothing,
            outcome: Outcome::Nothing,
            reason: format!("{id}, which the event names, is gone or will never be available"),
            ..found
        },
        _ => found,
    })
}

/// The snapshot that an event named is waited for. What it costs to miss it is one copy, which the next whole run makes.
fn coming(deployment: &Deployment, mut found: Found, snapshot: &Snapshot) -> Found {
    let why = format!("{} is {}", snapshot.id, snapshot.status);
    let waiting = found.target.next_wait(
        WaitReason::Snapshot,
        why.clone(),
        None,
        deployment.settings.slot_wait_hours,
    );
    match waiting {
        Some(_) => Found {
            decision: Decision::Wait,
            outcome: Outcome::Pending,
            reason: why,
            waiting,
            ..found
        },
        None => Found {
            outcome: Outcome::NotReady,
            reason: format!("{why} after an hour of waiting. The next whole run copies it."),
            ..found
        },
    }
}

/// What follows from the decision.
fn follow(
    deployment: &Deployment,
    found: Found,
    source: &Source,
    Verdict { action, reason }: &Verdict<'_>,
    snapshots: &[Snapshot],
    copies: &[Snapshot],
) -> Found {
    let region = deployment.destination.region();
    let begun = if found.target.dry_run {
        Outcome::Planned
    } else {
        Outcome::Pending
    };
    let reason = reason.clone();
    match *action {
        Action::Current(copy) => Found {
            decision: Decision::Current,
            outcome: Outcome::Current,
            reason,
            source: Some(source.clone()),
            copy: Some(copy.to_ref(region)),
            ..found
        },
        Action::Join(copy) | Action::Verify(copy) => Found {
            decision: match action {
                Action::Verify(_) => Decision::Verify,
                _ => Decision::Join,
            },
            outcome: begun,
            reason,
            source: Some(if copy.is_of_snapshot(source) {
                source.clone()
            } else {
                source_of_copy(copy, snapshots, copies)
            }),
            attempt: copy.attempt,
            copy: Some(copy.to_ref(region)),
            // The copy may be complete already.
            wait: Some(Wait::none()),
            ..found
        },
        Action::UnderWay(copy) => Found {
            decision: Decision::UnderWay,
            outcome: Outcome::UnderWay,
            reason,
            copy: Some(copy.to_ref(region)),
            ..found
        },
        Action::Copy { attempt } => Found {
            decision: Decision::Copy,
            outcome: begun,
            reason,
            source: Some(source.clone()),
            attempt,
            ..found
        },
    }
}

/// Hours after which a copy that shows no progress at all is waited for no more.
const HOURS_WITHOUT_PROGRESS: i64 = 24;

fn ids<'a>(copies: impl Iterator<Item = &'a OwnCopy>) -> Vec<String> {
    copies.map(|copy| copy.id.clone()).collect()
}

/// How far RDS says that the copy `id` is.
fn percent(copies: &[Snapshot], id: &str) -> i32 {
    let copy = copies.iter().find(|there| there.id == id);
    copy.map_or(0, |there| there.percent)
}

/// The snapshot that a copy was made of: as RDS lists it, or as the copy remembers it once it has expired.
fn source_of_copy(copy: &OwnCopy, snapshots: &[Snapshot], copies: &[Snapshot]) -> Source {
    let is_source =
        |snapshot: &&Snapshot| snapshot.arn == copy.source_arn && snapshot.captured_at() == Some(copy.source_created);
    if let Some(snapshot) = snapshots.iter().find(is_source) {
        return source_of(snapshot, copy.source_created);
    }
    let there = copies.iter().find(|there| there.id == copy.id);
    let recorded = there.map(|there| RestoreHints::read(&there.tags)).unwrap_or_default();
    let name = copy.source_arn.splitn(7, ':').last().unwrap_or_default();
    Source {
        id: name.to_owned(),
        arn: copy.source_arn.clone(),
        created_at: copy.source_created,
        data_time: there.and_then(|there| there.data_time),
        engine: there.map(|there| there.engine.clone()).unwrap_or_default(),
        engine_version: recorded
            .engine_version
            .or_else(|| there.map(|there| there.engine_version.clone()))
            .unwrap_or_default(),
        encryption: there.map_or(Encryption::None, |there| there.encryption),
        kms_key_arn: None,
        size_gib: None,
        written_gib: there.and_then(Snapshot::written_gib),
    }
}

/// The copy of an unencrypted cluster is unencrypted, which nobody should find out on the day of a restore.
fn unencrypted(target: &Target, encryption: Encryption) -> Vec<String> {
    (!takes_key(target.kind, encryption))
        .then(|| {
            "the snapshot is not encrypted, and RDS makes no encrypted copy of such a cluster snapshot: the copy is not \
             encrypted either. A restore can encrypt it (--kms-key-id)"
                .to_owned()
        })
        .into_iter()
        .collect()
}

fn source_of(snapshot: &Snapshot, captured_at: Timestamp) -> Source {
    Source {
        id: snapshot.id.clone(),
        arn: snapshot.arn.clone(),
        created_at: captured_at,
        data_time: snapshot.data_time,
        engine: snapshot.engine.clone(),
        engine_version: snapshot.engine_version.clone(),
        encryption: snapshot.encryption,
        kms_key_arn: snapshot.kms_key_arn.clone(),
        size_gib: snapshot.size_gib,
        written_gib: snapshot.written_gib(),
    }
}

#[cfg(test)]
mod tests;
