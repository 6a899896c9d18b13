//! Which databases are drilled in this run. Pure: the copies, their proofs and the budget in, the drills out.

use domain::drill::DrillEvery;
use domain::drill_proof::DrillProof;
use domain::kind::DatabaseName;
use domain::newest_copies::NewestCopy;
use jiff::{SignedDuration, Timestamp};

use crate::PassedOver;

/// A database that may be drilled.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) copy: NewestCopy,
    /// Of its last drill.
    pub(crate) proof: Option<DrillProof>,
}

impl Candidate {
    pub(crate) fn new(copy: NewestCopy) -> Self {
        Self { copy, proof: None }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// Those whose turn it is.
    Due,
    /// These, whatever their tags ask for.
    Only(Vec<DatabaseName>),
}

/// What one run may restore.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) databases: usize,
    /// In all.
    pub(crate) gib: u32,
}

/// What was picked.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    pub(crate) drills: Vec<Candidate>,
    pub(crate) passed_over: Vec<PassedOver>,
    /// Those for which the budget had no room.
    pub(crate) later: usize,
}

/// Picks those whose last drill is the longest ago, as far as the budget goes. A copy for which there is no room now is
/// among the first of the next run, so that none waits for ever.
pub(crate) fn pick(mut candidates: Vec<Candidate>, scope: &Scope, budget: Budget, now: Timestamp) -> Picked {
    let is_named = |candidate: &Candidate| match scope {
        Scope::Due => None,
        Scope::Only(names) => {
            let copy = &candidate.copy;
            Some(names.iter().any(|name| name.matches(copy.kind, &copy.name)))
        }
    };
    candidates.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut picked = Picked::default();
    let mut gib = 0;
    for candidate in candidates {
        let why_not = match is_named(&candidate) {
            Some(false) => continue,
            Some(true) => None,
            None => why_not_due(&candidate, now),
        };
        let size = size(&candidate);
        let why_not = why_not.or_else(|| {
            (size > budget.gib).then(|| {
                format!(
                    "unsupported: its {size} GiB are larger than the budget of a run, {} GiB (DrillMaxGiB)",
                    budget.gib
                )
            })
        });
        match why_not {
            Some(reason) => picked.passed_over.push(PassedOver {
                kind: candidate.copy.kind,
                id: candidate.copy.name,
                reason,
            }),
            None if picked.drills.len() < budget.databases && gib + size <= budget.gib => {
                gib += size;
                picked.drills.push(candidate);
            }
            None => picked.later += 1,
        }
    }
    picked
}

/// Those that were never drilled come first.
fn order(candidate: &Candidate) -> (Option<Timestamp>, &str, &str) {
    let time = candidate.proof.as_ref().map(|proof| proof.time);
    (time, &candidate.copy.name, &candidate.copy.resource_id)
}

/// GiB that a restore takes. RDS does not say how large a cluster is: it counts as nothing.
fn size(candidate: &Candidate) -> u32 {
    candidate
        .copy
        .size_gib
        .and_then(|size| u32::try_from(size).ok())
        .unwrap_or_default()
}

/// Why it is not the turn of a database that asked for drills at certain times.
fn why_not_due(candidate: &Candidate, now: Timestamp) -> Option<String> {
    let every = candidate.copy.drill_every?;
    let Some(days) = every.days() else {
        return Some(format!("its tag snapferry:drill-every says {}", DrillEvery::Never));
    };
    let last = candidate.proof.as_ref()?.time;
    // An hour less: a schedule is never to the second.
    let wait = SignedDuration::from_hours(i64::from(days) * 24 - 1);
    let age = now.duration_since(last);
    (age < wait).then(|| {
        let days = age.as_hours().max(0) / 24;
        format!("it was drilled {days} days ago, and its tag snapferry:drill-every says {every}")
    })
}

#[cfg(test)]
mod tests;
