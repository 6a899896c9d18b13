//! Picks the copies whose restore is drilled in this run: of the databases that asked for it, or whose last drill is the
//! longest ago.
//!
//! Every hour it is invoked without a run as well, and only what it measures is used: what drills have proved.
//!
//! In: [`Input`]. Out: [`Plan`]. Safe to repeat: it only reads, and the names that it gives follow from the run.

#![forbid(unsafe_code)]

mod measure;
mod pick;

use domain::drill::{Drill, DrilledCopy};
use domain::drill_database::identifier;
use domain::error::Error;
use domain::hash::hex_prefix;
use domain::kind::{DatabaseKind, DatabaseName};
use jiff::Timestamp;
use pick::{Budget, Candidate, Scope};
use runtime::input::parse;
use runtime::watch::Watch;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ssm::ReadProofs;

/// Most databases that an input may name.
const MAX_NAMES: usize = 100;
/// Most databases that the answer lists as passed over. The log has all of them.
const MAX_LISTED: usize = 50;

/// What drill-fleet hands over.
#[derive(Debug, Clone, Deserialize)]
pub struct Input {
    /// The input of the execution, by hand or from the schedule.
    request: Value,
    /// The execution.
    run: Run,
}

/// What a person asks for: `{}` drills what is due, `{"only": ["orders", "cluster:billing"]}` these databases.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Request {
    only: Option<Vec<String>>,
}

/// The execution that drills.
#[derive(Debug, Clone, Deserialize)]
struct Run {
    /// Its name.
    #[serde(rename = "execution")]
    _name: String,
    /// Its ARN.
    arn: String,
}

/// What is drilled, and what is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The drills, those first whose last one is the longest ago.
    pub drills: Vec<Drill>,
    /// Databases that are not drilled although it is their turn, and why: fifty at most.
    pub passed_over: Vec<PassedOver>,
    /// Databases that are drilled in later runs.
    pub later: usize,
    /// What else there is to say.
    pub warnings: Vec<String>,
}

/// A database that is not drilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// What it was called when it was copied.
    pub id: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// Lists the copies and the proofs, and picks.
pub async fn handle(watch: &Watch, proofs: &impl ReadProofs, input: Input, now: Timestamp) -> Result<Plan, Error> {
    // An empty list would be read as what has no fields.
    if !input.request.is_object() {
        return Err(Error::bad_input(
            "input",
            "is not an object",
            "Give {} for what is due, or {\"only\": [...]} with the names of databases.",
        ));
    }
    let scope = scope(parse(input.request)?)?;
    let databases = watch.databases(now).await?;
    let mut proofs = proofs.all(&watch.owner).await?;
    measure::measure(watch, &databases, &proofs, now);
    let mut warnings = Vec::new();
    if databases.without_copy > 0 {
        warnings.push(format!(
            "{} databases have copies, and no verified one: there is nothing to drill of them",
            databases.without_copy
        ));
    }
    let mut candidates: Vec<Candidate> = databases.current.into_iter().map(Candidate::new).collect();
    // Those are drilled by name only: their databases are deleted, as a rule.
    if let Scope::Only(_) = scope {
        candidates.extend(databases.left_behind.into_iter().map(Candidate::new));
    }
    for candidate in &mut candidates {
        candidate.proof = proofs.remove(&(candidate.copy.kind, candidate.copy.resource_id.clone()));
    }
    unknown_names(&scope, &candidates)?;
    let drills = &watch.settings.drills;
    let budget = Budget {
        databases: drills.databases_per_run,
        gib: drills.max_gib,
    };
    let picked = pick::pick(candidates, &scope, budget, now);
    for PassedOver { kind, id, reason } in &picked.passed_over {
        tracing::info!(%kind, database = id, reason, "not drilled");
    }
    let listed = picked.passed_over.len();
    if listed > MAX_LISTED {
        warnings.push(format!(
            "{} more databases are passed over: see the log",
            listed - MAX_LISTED
        ));
    }
    Ok(Plan {
        drills: picked
            .drills
            .into_iter()
            .map(|candidate| drill(watch, candidate, &input.run.arn))
            .collect(),
        passed_over: picked.passed_over.into_iter().take(MAX_LISTED).collect(),
        later: picked.later,
        warnings,
    })
}

/// What a person, or the schedule, asks for.
fn scope(Request { only }: Request) -> Result<Scope, Error> {
    let Some(only) = only else { return Ok(Scope::Due) };
    if only.is_empty() || only.len() > MAX_NAMES {
        return Err(Error::bad_input(
            "only",
            &format!("names {} databases", only.len()),
            &format!("Name from 1 to {MAX_NAMES} databases, or leave only out to drill what is due."),
        ));
    }
    let names = only.iter().enumerate().map(|(at, text)| {
        text.parse::<DatabaseName>().map_err(|error| {
            Error::bad_input(
                &format!("only[{at}]"),
                &error.to_string(),
                "Write a name, as orders, or instance:orders and cluster:orders where both exist.",
            )
        })
    });
    names.collect::<Result<_, _>>().map(Scope::Only)
}

/// Refuses a name of which there is no verified copy, before anything is restored.
fn unknown_names(scope: &Scope, candidates: &[Candidate]) -> Result<(), Error> {
    let Scope::Only(names) = scope else { return Ok(()) };
    let is_known = |name: &DatabaseName| candidates.iter().any(|one| name.matches(one.copy.kind, &one.copy.name));
    match names.iter().enumerate().find(|(_, name)| !is_known(name)) {
        None => Ok(()),
        Some((at, name)) => Err(Error::bad_input(
            &format!("only[{at}]"),
            &format!("there is no verified copy of {name} here"),
            "See snapferry copies for what there is.",
        )),
    }
}

/// A candidate as the payload of its drill.
fn drill(watch: &Watch, candidate: Candidate, run: &str) -> Drill {
    let Candidate { copy, proof } = candidate;
    let initial = match copy.kind {
        DatabaseKind::Instance => 'i',
        DatabaseKind::Cluster => 'c',
    };
    // Databases of one name, one of which is deleted, have executions of their own.
    let suffix = hex_prefix(&format!("{run}:{}", copy.resource_id), 8);
    Drill {
        name: identifier(&watch.owner, &copy.arn, &copy.name),
        execution: format!("{initial}-{}-{suffix}", copy.name),
        kind: copy.kind,
        id: copy.name,
        resource_id: copy.resource_id,
        copy: DrilledCopy {
            id: copy.id,
            arn: copy.arn,
        },
        last_passed: proof.and_then(|proof| proof.passed()),
        waiting: None,
        restore: None,
        answer: None,
        verdict: None,
        release: Some(watch.release.clone()),
    }
}

#[cfg(test)]
mod tests;
