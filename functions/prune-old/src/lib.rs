//! Deletes the copies of a database that retention lets go.
//!
//! In: [`Prunable`], any payload from `Found` on. Out: [`Pruned`], the audit record. Safe to run twice, or cut off
//! half-way: what is left to delete is worked out afresh from what is there.
//!
//! What the database's tags ask for is read here, whatever the payload says of it. Once something may have been deleted
//! this function always returns a record, so that nothing that was deleted is ever missing from it.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::error::Error;
use domain::payload::{Decision, Outcome, Prunable, PruneDecision, PruneReport, Pruned, Target};
use domain::retention::{self, Brake, GOES_LATER, PruneRules, SourceDatabase, Verdict, stacks_at_work};
use domain::retention_rules::{RetentionRules, unreadable_retention};
use domain::settings::Settings;
use domain::snapshot::{Completion, Database};
use domain::tag_spelling::misspelled;
use jiff::Timestamp;
use rds::SnapshotQuery;
use runtime::deployment::Deployment;
use runtime::metrics::Metric;

/// Most decisions that the audit record lists; the log has them all.
const MAX_LISTED: usize = 100;

/// Most refusals that the audit record lists.
const MAX_REFUSED: usize = 20;

/// Most tags that are warned of, and most characters of what RDS said to a refusal.
const MAX_TAGS_NAMED: usize = 10;
const MAX_REASON: usize = 500;

/// Deletes that RDS did not answer, after which no more is tried: a slow region would outlast the function.
const MAX_UNANSWERED: usize = 2;

/// Lists our copies of the database, decides, and deletes, the oldest first.
pub async fn handle(deployment: &Deployment, mut payload: Prunable, now: Timestamp) -> Result<Pruned, Error> {
    let settings = &deployment.settings;
    payload.target.check()?;
    let dry_run = payload.target.dry_run || settings.dry_run;
    let (copies, database) = tokio::join!(
        copies(deployment, &payload),
        deployment
            .source
            .database(payload.target.kind, &payload.target.resource_id),
    );
    let mut copies = copies?;
    if dry_run {
        simulate_run(&mut copies, &payload, settings, now);
    }
    let is_known = database.is_ok();
    let mut warnings = Vec::new();
    let database = match &database {
        Ok(Some(database)) => {
            warnings.extend(doubtful_tags(database));
            SourceDatabase::Living(database)
        }
        Ok(None) => SourceDatabase::Gone,
        Err(error) => {
            warnings.push(format!(
                "{} {} could not be read, and nothing of it was deleted: {}",
                payload.target.kind,
                payload.target.id,
                shortened(error)
            ));
            SourceDatabase::Unknown
        }
    };
    warnings.extend(stacks_at_work(&copies, &settings.stack, now).into_iter().map(|stack| {
        format!(
            "{} {}: the stack {stack} made copies under the OwnerId of this one in the last three days, and nothing that it \
             made is deleted. Give each stack an OwnerId of its own",
            payload.target.kind, payload.target.id
        )
    }));
    let rules = PruneRules::new(&settings.into(), &payload.target, database, &copies);
    let verdicts = retention::plan(&copies, &rules, now);
    let brake = Brake::new(settings.max_deletes_per_run, deleted_before(&payload, &copies));

    let mut prune = Prune::default();
    prune
        .carry_out(deployment, &payload.target, &verdicts, brake, dry_run)
        .await;
    if !dry_run {
        prune.measure(deployment, &payload.target, now);
    }
    warnings.extend(prune.warning(&payload.target));
    if (!prune.refused.is_empty() || !is_known) && !dry_run && payload.outcome == Some(Outcome::Copied) {
        payload.outcome = Some(Outcome::CopiedNotPruned);
    }
    payload.warnings.extend(warnings);
    Ok(Pruned {
        payload,
        pruned: prune.into_report(dry_run),
    })
}

/// How many verified copies this execution may have deleted already: to make room, or in an attempt of this very step
/// whose answer was lost.
fn deleted_before(payload: &Prunable, copies: &[OwnCopy]) -> usize {
    let made = made(payload);
    let there = copies
        .iter()
        .filter(|copy| copy.status == CopyStatus::Verified && Some(copy.id.as_str()) != made)
        .count();
    let gone = payload.verified_copies.map_or(0, |before| before.saturating_sub(there));
    gone.max(payload.deleted_for_room.len())
}

/// The copy that this execution has made, if it has.
fn made(payload: &Prunable) -> Option<&str> {
    if payload.outcome != Some(Outcome::Copied) {
        return None;
    }
    payload.rest.get("copy")?.get("id")?.as_str()
}

/// Sentences about tags of the database that may ask for retention, and cannot be read, or that nobody knows.
fn doubtful_tags(database: &Database) -> impl Iterator<Item = String> {
    let of = move |tag: &str, problem: &str| format!("{} {}: the tag {tag} {problem}", database.kind, database.id);
    let unreadable = unreadable_retention(&database.tags)
        .into_iter()
        .map(move |(tag, problem)| of(tag, &problem) + "; nothing of this database is deleted until it is right");
    let unknown = misspelled(&database.tags)
        .filter(|found| !found.is_retention())
        .map(move |found| of(found.written, &found.problem()));
    unreadable.chain(unknown).take(MAX_TAGS_NAMED)
}

/// What pruning has done so far.
#[derive(Debug, Default)]
struct Prune {
    deleted: Vec<PruneDecision>,
    kept: Vec<PruneDecision>,
    refused: Vec<PruneDecision>,
    to_go: usize,
    unanswered: usize,
    is_stopped: bool,
}

impl Prune {
    /// Deletes what is to go, as far as the brake and RDS allow. One refusal stops nothing but itself.
    async fn carry_out(
        &mut self,
        deployment: &Deployment,
        target: &Target,
        verdicts: &[Verdict<'_>],
        mut brake: Brake,
        dry_run: bool,
    ) {
        for Verdict { copy, delete, reason } in verdicts {
            let id = &copy.id;
            tracing::info!(copy = id, delete, dry_run, reason, "copy kept or to go");
            let decided = |reason: &str| PruneDecision {
                id: id.clone(),
                reason: reason.to_owned(),
            };
            if !delete {
                self.kept.push(decided(reason));
            } else if self.is_stopped || !brake.allows(copy) {
                self.to_go += usize::from(copy.status == CopyStatus::Verified);
                self.kept.push(decided(GOES_LATER));
            } else if dry_run {
                brake.count(copy);
                self.deleted.push(decided(reason));
            } else {
                match delete_copy(deployment, target, copy).await {
                    Ok(()) => {
                        brake.count(copy);
                        self.deleted.push(decided(reason));
                    }
                    Err(NotDeleted { error, may_be_gone }) => {
                        tracing::warn!(copy = id, error = %error, "copy could not be deleted");
                        if may_be_gone {
                            brake.count(copy);
                            self.unanswered += 1;
                        }
                        self.is_stopped = matches!(error, Error::Throttled { .. }) || self.unanswered >= MAX_UNANSWERED;
                        self.refused.push(decided(&shortened(&error)));
                    }
                }
            }
        }
    }

    fn measure(&self, deployment: &Deployment, target: &Target, now: Timestamp) {
        let values: Vec<(Metric, f64)> = [
            (Metric::COPIES_DELETED, self.deleted.len()),
            (Metric::COPIES_TO_GO, self.to_go),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .filter_map(|(metric, count)| Some((metric, f64::from(u32::try_from(count).ok()?))))
        .collect();
        if !values.is_empty() {
            deployment
                .meter
                .stack(now, &values, &[("Database", target.id.as_str())]);
        }
    }

    fn warning(&self, target: &Target) -> Option<String> {
        let first = self.refused.first()?;
        Some(format!(
            "{} {}: {} old copies could not be deleted and are tried again by the next run, among them {}: {}",
            target.kind,
            target.id,
            self.refused.len(),
            first.id,
            first.reason
        ))
    }

    /// The record. What was deleted comes first where there is more than it lists.
    fn into_report(self, dry_run: bool) -> PruneReport {
        let Self {
            mut deleted,
            mut kept,
            mut refused,
            to_go,
            ..
        } = self;
        let decisions = deleted.len() + kept.len() + refused.len();
        refused.truncate(MAX_REFUSED);
        deleted.truncate(MAX_LISTED - refused.len());
        kept.truncate(MAX_LISTED - refused.len() - deleted.len());
        PruneReport {
            omitted: decisions - deleted.len() - kept.len() - refused.len(),
            deleted,
            kept,
            refused,
            to_go,
            dry_run,
        }
    }
}

/// Whether a call may have been carried out all the same.
fn is_unanswered(error: &Error) -> bool {
    matches!(error, Error::RdsUnavailable { .. } | Error::Throttled { .. })
}

fn shortened(error: &Error) -> String {
    error.to_string().chars().take(MAX_REASON).collect()
}

/// A copy that could not be deleted, or of which nobody knows.
struct NotDeleted {
    error: Error,
    /// Whether a call was not answered, so that the copy may be gone all the same.
    may_be_gone: bool,
}

/// Deletes a copy; one that is gone already is deleted. The role may delete by the copy's tags, so where there is none
/// any more, by a lost reply or another run, RDS may refuse by rights before it looks.
async fn delete_copy(deployment: &Deployment, target: &Target, copy: &OwnCopy) -> Result<(), NotDeleted> {
    let Err(error) = deployment.destination.delete(target.kind, &copy.id).await else {
        return Ok(());
    };
    // Refused because of its state, too: the first of two attempts was heard, and its answer was lost.
    if !matches!(error, Error::AccessDenied { .. } | Error::SnapshotNotReady { .. }) {
        let may_be_gone = is_unanswered(&error);
        return Err(NotDeleted { error, may_be_gone });
    }
    let is_there = match deployment.destination.snapshot(target.kind, &copy.id, "manual").await {
        Ok(there) => there.is_some_and(|there| there.completion() != Completion::Going),
        Err(_) => {
            return Err(NotDeleted {
                error,
                may_be_gone: true,
            });
        }
    };
    if is_there {
        return Err(NotDeleted {
            error,
            may_be_gone: false,
        });
    }
    Ok(())
}

/// Adds the copy that a run would have made before it pruned, or counts the one under way as verified: otherwise a dry
/// run would not say what a run deletes.
fn simulate_run(copies: &mut Vec<OwnCopy>, payload: &Prunable, settings: &Settings, now: Timestamp) {
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
            is_confirmed: true,
            retention: payload
                .target
                .policy
                .as_ref()
                .map_or_else(RetentionRules::default, |policy| policy.keep),
            unread: false,
            hold: false,
            drilling_until: None,
            drill_every: None,
            restore_order: None,
            stack: Some(settings.stack.clone()),
            status: CopyStatus::Verified,
        }),
        _ => {}
    }
}

/// Our copies of this very database: owned by name and tag, and of its resource id, whatever it was called, each once.
///
/// RDS is asked by the resource id, which outlives every name. That it reports the one of the source on a copy is
/// documented nowhere, so that the names are asked as well: where the answer lacks what must be there, and where this
/// execution has made no copy, and so has calls to spare.
async fn copies(deployment: &Deployment, payload: &Prunable) -> Result<Vec<OwnCopy>, Error> {
    let Target {
        kind, id, resource_id, ..
    } = &payload.target;
    let by_resource_id = SnapshotQuery::OfDatabase {
        resource_id,
        database_id: id,
        snapshot_type: "manual",
    };
    let mut there = match deployment.destination.snapshots(*kind, by_resource_id).await {
        Err(error) if rds::codes::is_refused_parameter(&error) => Vec::new(),
        answer => answer?,
    };
    if !made(payload).is_some_and(|made| there.iter().any(|snapshot| snapshot.id == made)) {
        let mut names = vec![id.clone()];
        names.extend(payload.former_ids.iter().cloned());
        let by_name = SnapshotQuery::ManualOfNames(&names);
        there.extend(deployment.destination.snapshots(*kind, by_name).await?);
    }
    // Of a copy that both queries name, the later answer is nearer to the truth.
    let own: BTreeMap<String, OwnCopy> = there
        .iter()
        .filter_map(|snapshot| OwnCopy::read(&deployment.owner, snapshot))
        .filter(|copy| copy.source_resource_id == *resource_id)
        .map(|copy| (copy.id.clone(), copy))
        .collect();
    Ok(own.into_values().collect())
}

#[cfg(test)]
mod tests;
