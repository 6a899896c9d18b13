//! Deletes the copies of a database that retention lets go.
//!
//! In: [`Prunable`], any payload from `Found` on. Out: [`Pruned`], the audit record. Safe to run twice, or cut off
//! half-way: what is left to delete is worked out afresh from what is there.

#![forbid(unsafe_code)]

pub mod retention;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::error::Error;
use domain::payload::{Decision, Prunable, PruneDecision, PruneReport, Pruned, Target};
use domain::retention_rules::RetentionRules;
use jiff::Timestamp;
use rds::SnapshotQuery;
use retention::{PruneRules, Verdict};
use runtime::deployment::Deployment;
use runtime::metrics::Metric;

/// Most decisions that the audit record lists; the log has them all.
const MAX_LISTED: usize = 100;

/// Lists our copies of the database, decides, and deletes, the oldest first.
pub async fn handle(deployment: &Deployment, payload: Prunable, now: Timestamp) -> Result<Pruned, Error> {
    payload.target.check(&deployment.settings)?;
    let dry_run = payload.target.dry_run || deployment.settings.dry_run;
    let mut copies = copies(deployment, &payload).await?;
    if dry_run {
        simulate_run(&mut copies, &payload, now);
    }
    let rules = PruneRules::new(&deployment.settings, &payload.target, &copies);
    let verdicts = retention::plan(&copies, &rules, now);

    let mut report = PruneReport {
        dry_run,
        ..PruneReport::default()
    };
    let mut listed = 0;
    let mut deleted = 0;
    for Verdict { copy, delete, reason } in verdicts {
        if delete && !dry_run {
            delete_copy(deployment, &payload.target, copy).await?;
            deleted += 1;
        }
        tracing::info!(copy = copy.id, delete, dry_run, reason, "copy kept or deleted");
        listed += 1;
        let list = if delete { &mut report.deleted } else { &mut report.kept };
        if listed <= MAX_LISTED {
            list.push(PruneDecision {
                id: copy.id.clone(),
                reason,
            });
        } else {
            report.omitted += 1;
        }
    }
    if deleted > 0 {
        let about = [("Database", payload.target.id.as_str())];
        let values = [(Metric::COPIES_DELETED, f64::from(deleted))];
        deployment.meter.stack(now, &values, &about);
    }
    Ok(Pruned {
        payload,
        pruned: report,
    })
}

/// Deletes a copy; one that is gone already is deleted. The role may delete by the copy's tags, so where there is none
/// any more, by a lost reply or another run, RDS may refuse by rights before it looks.
async fn delete_copy(deployment: &Deployment, target: &Target, copy: &OwnCopy) -> Result<(), Error> {
    match deployment.destination.delete(target.kind, &copy.id).await {
        Err(denied @ Error::AccessDenied { .. }) => {
            let there = deployment.destination.snapshot(target.kind, &copy.id, "manual").await?;
            if there.is_some() { Err(denied) } else { Ok(()) }
        }
        other => other,
    }
}

/// Adds the copy that a run would have made before it pruned, or counts the one under way as verified: otherwise a dry
/// run would not say what a run deletes.
fn simulate_run(copies: &mut Vec<OwnCopy>, payload: &Prunable, now: Timestamp) {
    let Some(source) = &payload.source else { return };
    match payload.decision {
        Some(Decision::Join) => {
            for copy in copies.iter_mut().filter(|copy| copy.source_arn == source.arn) {
                if matches!(copy.status, CopyStatus::InProgress | CopyStatus::Unverified) {
                    copy.status = CopyStatus::Verified;
                }
            }
        }
        Some(Decision::Copy) => copies.push(OwnCopy {
            id: format!("the copy of {}", source.id),
            arn: String::new(),
            source_arn: source.arn.clone(),
            source_resource_id: payload.target.resource_id.clone(),
            source_created: source.created_at,
            requested: now,
            kms_key_arn: None,
            attempt: 0,
            stack: None,
            is_confirmed: true,
            retention: payload
                .target
                .policy
                .as_ref()
                .map_or_else(RetentionRules::default, |policy| policy.keep),
            status: CopyStatus::Verified,
        }),
        _ => {}
    }
}

/// Our copies of this very database: owned by name and tag, and of its resource id, whatever it was called.
async fn copies(deployment: &Deployment, payload: &Prunable) -> Result<Vec<OwnCopy>, Error> {
    let Target {
        kind, id, resource_id, ..
    } = &payload.target;
    let mut names = vec![id.clone()];
    names.extend(payload.former_ids.iter().cloned());
    let there = deployment
        .destination
        .snapshots(*kind, SnapshotQuery::ManualOfNames(&names))
        .await?;
    Ok(there
        .iter()
        .filter_map(|snapshot| OwnCopy::read(&deployment.owner, snapshot))
        .filter(|copy| copy.source_resource_id == *resource_id)
        .collect())
}

#[cfg(test)]
mod tests;
