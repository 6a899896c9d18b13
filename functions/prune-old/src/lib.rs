//! Deletes the copies of a database that retention lets go.
//!
//! In: [`Prunable`], any baton from `Found` on. Out: [`Pruned`], the audit record. Safe to run twice, or cut off
//! half-way: what is left to delete is worked out afresh from what is there.

#![forbid(unsafe_code)]

pub mod retention;

use jiff::Timestamp;
use retention::{Rules, Verdict};
use shared::{
    Decision, Deployment, Error, Keep, Metric, OwnCopy, Prunable, PruneDecision, PruneReport, Pruned, Standing, Target,
    Which,
};

/// Most decisions that the audit record lists; the log has them all.
const MOST_LISTED: usize = 100;

/// Lists our copies of the database, decides, and deletes, the oldest first.
pub async fn handle(deployment: &Deployment, baton: Prunable, now: Timestamp) -> Result<Pruned, Error> {
    baton.target.check(&deployment.settings)?;
    let dry_run = baton.target.dry_run || deployment.settings.dry_run;
    let mut copies = copies(deployment, &baton).await?;
    if dry_run {
        foresee(&mut copies, &baton, now);
    }
    let rules = Rules::of(&deployment.settings, &baton.target, &copies);
    let verdicts = retention::plan(&copies, &rules, now);

    let mut report = PruneReport {
        dry_run,
        ..PruneReport::default()
    };
    let mut listed = 0;
    let mut deleted = 0;
    for Verdict { copy, delete, reason } in verdicts {
        if delete && !dry_run {
            delete_copy(deployment, &baton.target, copy).await?;
            deleted += 1;
        }
        tracing::info!(copy = copy.id, delete, dry_run, reason, "decided");
        listed += 1;
        let list = if delete { &mut report.deleted } else { &mut report.kept };
        if listed <= MOST_LISTED {
            list.push(PruneDecision {
                id: copy.id.clone(),
                reason,
            });
        } else {
            report.omitted += 1;
        }
    }
    if deleted > 0 {
        let about = [("Database", baton.target.id.as_str())];
        let values = [(Metric::COPIES_DELETED, f64::from(deleted))];
        deployment.meter.stack(now, &values, &about);
    }
    Ok(Pruned { baton, pruned: report })
}

/// Deletes a copy; one that is gone already is deleted. The role may delete by the copy's tags, so where there is none
/// any more, by a lost reply or another run, RDS may refuse by rights before it looks.
async fn delete_copy(deployment: &Deployment, target: &Target, copy: &OwnCopy) -> Result<(), Error> {
    match deployment.destination.delete(target.kind, &copy.id).await {
        Err(denied @ Error::AccessDenied(_)) => {
            let there = deployment.destination.snapshot(target.kind, &copy.id, "manual").await?;
            if there.is_some() { Err(denied) } else { Ok(()) }
        }
        other => other,
    }
}

/// Adds the copy that a run would have made before it pruned, or counts the one under way as verified: otherwise a dry
/// run would not say what a run deletes.
fn foresee(copies: &mut Vec<OwnCopy>, baton: &Prunable, now: Timestamp) {
    let Some(source) = &baton.source else { return };
    match baton.decision {
        Some(Decision::Join) => {
            for copy in copies.iter_mut().filter(|copy| copy.source_arn == source.arn) {
                if matches!(copy.standing, Standing::InProgress | Standing::Unverified) {
                    copy.standing = Standing::Verified;
                }
            }
        }
        Some(Decision::Copy) => copies.push(OwnCopy {
            id: format!("the copy of {}", source.id),
            arn: String::new(),
            source_arn: source.arn.clone(),
            source_resource_id: baton.target.resource_id.clone(),
            source_created: source.created_at,
            requested: now,
            kms_key_arn: None,
            attempt: 0,
            keep: baton
                .target
                .policy
                .as_ref()
                .map_or_else(Keep::default, |policy| policy.keep),
            standing: Standing::Verified,
        }),
        _ => {}
    }
}

/// Our copies of this very database: owned by name and tag, and of its resource id, whatever it was called.
async fn copies(deployment: &Deployment, baton: &Prunable) -> Result<Vec<OwnCopy>, Error> {
    let Target {
        kind, id, resource_id, ..
    } = &baton.target;
    let mut names = vec![id.clone()];
    names.extend(baton.former_ids.iter().cloned());
    let there = deployment
        .destination
        .snapshots(*kind, Which::ManualOfNames(&names))
        .await?;
    Ok(there
        .iter()
        .filter_map(|snapshot| OwnCopy::read(&deployment.owner, snapshot))
        .filter(|copy| copy.source_resource_id == *resource_id)
        .collect())
}

#[cfg(test)]
mod tests;
