//! Finds the newest snapshot of a database, and our copy of it if there is one, and decides what is to be done.
//!
//! In: [`Target`]. Out: [`Found`]. Safe to retry at will: it only reads.

#![forbid(unsafe_code)]

mod choose;
mod decide;

use decide::{Action, Verdict, decide};
use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::error::Error;
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

    let found = found(deployment, Found::new(target, former_ids), &snapshots, &copies)?;
    tracing::info!(decision = ?found.decision, reason = found.reason, "what to do is decided");
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
            database_id: &target.id,
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
        decision: Decision::Retired,
        outcome: Outcome::Retired,
        reason: format!("{} {} no longer exists", target.kind, target.id),
        ..Found::new(target.clone(), target.former_ids)
    }
}

/// Adds to `found`, which knows the database only, what is to be done with it, from what both regions hold.
fn found(deployment: &Deployment, found: Found, snapshots: &[Snapshot], copies: &[Snapshot]) -> Result<Found, Error> {
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
    let own: Vec<OwnCopy> = copies
        .iter()
        .filter_map(|copy| OwnCopy::read(&deployment.owner, copy))
        .filter(|copy| copy.source_resource_id == found.target.resource_id)
        .collect();
    let is_verified = |copy: &&OwnCopy| copy.status == CopyStatus::Verified;
    let found = Found {
        verified_copies: Some(own.iter().filter(is_verified).count()),
        ..found
    };
    let keys = found.target.keys(source.encryption, &deployment.settings)?;
    let Verdict { action, reason } = decide(&source, &own, &keys)?;
    let source = Some(source);
    let region = deployment.destination.region();
    let begun = if found.target.dry_run {
        Outcome::Planned
    } else {
        Outcome::Pending
    };
    Ok(match action {
        Action::Current(copy) => Found {
            decision: Decision::Current,
            outcome: Outcome::Current,
            reason,
            source,
            copy: Some(copy.to_ref(region)),
            ..found
        },
        Action::Join(copy) => Found {
            decision: Decision::Join,
            outcome: begun,
            reason,
            source,
            attempt: copy.attempt,
            copy: Some(copy.to_ref(region)),
            // The copy may be complete already.
            wait: Some(Wait::none()),
            ..found
        },
        Action::Copy { attempt } => Found {
            decision: Decision::Copy,
            outcome: begun,
            reason,
            source,
            attempt,
            ..found
        },
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
