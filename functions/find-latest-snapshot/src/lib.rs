//! Finds the newest snapshot of a database, and our copy of it if there is one, and decides what is to be done.
//!
//! In: [`Target`]. Out: [`Found`]. Safe to retry at will: it only reads.

#![forbid(unsafe_code)]

mod choose;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::error::Error;
use domain::ownership::MAX_ATTEMPTS;
use domain::payload::{Decision, Found, Outcome, Source, Target, Wait};
use domain::rds_rules::{takes_key, why_unsupported};
use domain::snapshot::{Encryption, Snapshot};
use jiff::Timestamp;
use rds::SnapshotQuery;
use runtime::deployment::Deployment;
use runtime::metrics::Metric;

/// Asks both regions at once, then decides.
pub async fn handle(deployment: &Deployment, mut target: Target, now: Timestamp) -> Result<Found, Error> {
    target.check(&deployment.settings)?;
    target.dry_run |= deployment.settings.dry_run;
    if target.retired {
        return Ok(retired(target));
    }
    let id = [target.id.clone()];
    let (snapshots, copies) = tokio::try_join!(
        source_snapshots(deployment, &target),
        deployment
            .destination
            .snapshots(target.kind, SnapshotQuery::ManualOfNames(&id)),
    )?;

    // Copies made before the database was renamed carry the names that it had then.
    let former_ids = choose::former_ids(&target, &snapshots);
    let mut copies = copies;
    if !former_ids.is_empty() {
        copies.extend(
            deployment
                .destination
                .snapshots(target.kind, SnapshotQuery::ManualOfNames(&former_ids))
                .await?,
        );
    }

    let found = decide(deployment, target, former_ids, &snapshots, &copies)?;
    tracing::info!(decision = ?found.decision, reason = found.reason, "decided");
    measure(deployment, &found, now);
    Ok(found)
}

/// Counts what needs no copy.
fn measure(deployment: &Deployment, found: &Found, now: Timestamp) {
    let is_skipped = match found.decision {
        Decision::Current | Decision::Nothing | Decision::Unsupported => !found.target.dry_run,
        Decision::Copy | Decision::Join | Decision::Retired => false,
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
            snapshot_type,
        };
        deployment.source.snapshots(target.kind, which)
    };
    let mut snapshots = of_type("automated").await?;
    if deployment.settings.include_manual_snapshots {
        snapshots.extend(of_type("manual").await?);
    }
    Ok(snapshots)
}

/// A database that no longer exists has nothing to copy; what we hold of it is pruned.
fn retired(target: Target) -> Found {
    Found {
        former_ids: target.former_ids.clone(),
        decision: Decision::Retired,
        outcome: Outcome::Retired,
        reason: format!("{} {} no longer exists", target.kind, target.id),
        warnings: Vec::new(),
        source: None,
        attempt: 0,
        copy: None,
        wait: None,
        target,
    }
}

/// What is to be done with the database, from what both regions hold.
fn decide(
    deployment: &Deployment,
    target: Target,
    former_ids: Vec<String>,
    snapshots: &[Snapshot],
    copies: &[Snapshot],
) -> Result<Found, Error> {
    let found = Found {
        decision: Decision::Nothing,
        outcome: Outcome::Nothing,
        reason: String::new(),
        warnings: Vec::new(),
        source: None,
        attempt: 0,
        copy: None,
        wait: None,
        former_ids,
        target,
    };
    let newest = match choose::newest(&found.target, snapshots) {
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

    let found = Found {
        warnings: unencrypted(&found.target, source.encryption),
        ..found
    };
    follow(deployment, found, source, copies)
}

/// Whether the newest snapshot is to be copied, from the copies that we have.
fn follow(deployment: &Deployment, found: Found, source: Source, copies: &[Snapshot]) -> Result<Found, Error> {
    let keys = found.target.keys(source.encryption, &deployment.settings)?;
    let all: Vec<OwnCopy> = copies
        .iter()
        .filter_map(|copy| OwnCopy::read(&deployment.owner, copy))
        .filter(|copy| copy.source_resource_id == found.target.resource_id)
        .collect();
    let has_key = |copy: &&OwnCopy| keys.contains(&copy.kms_key_arn.as_deref());
    let of_source = all.iter().filter(|copy| copy.source_arn == source.arn);
    let ours: Vec<&OwnCopy> = of_source.filter(has_key).collect();
    let status = |wanted: &[CopyStatus]| ours.iter().find(|copy| wanted.contains(&copy.status));
    let unless_dry = |outcome| {
        if found.target.dry_run {
            Outcome::Planned
        } else {
            outcome
        }
    };
    let region = deployment.destination.region();

    let of_it = status(&[CopyStatus::Verified])
        .map(|copy| (*copy, format!("{} is copied and verified as {}", source.id, copy.id)));
    // The newest snapshot may go before older ones, as a hand-made one does. A copy of what is older than the data
    // that we hold, under whichever key, would be pruned as soon as it is complete, and copied again by the next run.
    let of_later_data = || {
        let is_later = |copy: &&OwnCopy| copy.status == CopyStatus::Verified && copy.source_created > source.created_at;
        let copy = all.iter().filter(is_later).max_by_key(|copy| copy.source_created)?;
        let reason = format!(
            "{} is older than the verified copy {}, whose snapshot is gone",
            source.id, copy.id
        );
        Some((copy, reason))
    };
    if let Some((copy, reason)) = of_it.or_else(of_later_data) {
        return Ok(Found {
            decision: Decision::Current,
            outcome: Outcome::Current,
            reason,
            copy: Some(copy.to_ref(region)),
            source: Some(source),
            ..found
        });
    }
    if let Some(copy) = status(&[CopyStatus::InProgress, CopyStatus::Unverified]) {
        return Ok(Found {
            decision: Decision::Join,
            outcome: unless_dry(Outcome::Pending),
            reason: format!("{} is being copied as {}", source.id, copy.id),
            attempt: copy.attempt,
            copy: Some(copy.to_ref(region)),
            // No wait before the first look: the copy may be complete already.
            wait: Some(Wait {
                seconds: 0,
                waited_seconds: 0,
                polls: 0,
                shortened: 0,
            }),
            source: Some(source),
            ..found
        });
    }

    let attempt = u32::try_from(ours.len()).unwrap_or(MAX_ATTEMPTS);
    if attempt >= MAX_ATTEMPTS {
        return Err(Error::AttemptsUsedUp {
            attempts: attempt,
            snapshot: source.id,
        });
    }
    Ok(Found {
        decision: Decision::Copy,
        outcome: unless_dry(Outcome::Pending),
        reason: match attempt {
            0 => format!("{} has no copy yet", source.id),
            _ => format!("{attempt} copies of {} failed, it is tried again", source.id),
        },
        source: Some(source),
        attempt,
        ..found
    })
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
        engine: snapshot.engine.clone(),
        engine_version: snapshot.engine_version.clone(),
        encryption: snapshot.encryption,
        kms_key_arn: snapshot.kms_key_arn.clone(),
        size_gib: snapshot.size_gib,
    }
}

#[cfg(test)]
mod tests;
