//! The last execution of copy-snapshot for each database.
//!
//! The name of an execution has the name that its database had then; names are reused, resource ids are not. Where more
//! than one database can be meant, the execution's input says which, and what cannot be told apart is not shown.

use std::collections::{BTreeMap, BTreeSet};

use domain::kind::DatabaseKind;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{Execution, ExecutionDetail, ExecutionName, StepFunctions, suffix_of_run};
use crate::error::CliError;
use crate::facts::copies::OwnedCopies;
use crate::facts::fleet::{DatabaseKey, Fleet, LivingDatabase};
use crate::facts::run_summary::is_dry_run;

/// Most executions that are read: five calls.
const MAX_EXECUTIONS: usize = 5_000;

/// Most runs that are asked whether they were dry.
const MAX_RUNS: usize = 20;

/// Most executions that are asked which database they were for.
const MAX_DOUBTS: usize = 50;

/// Executions by the kind and the name that their database had.
type ByName = BTreeMap<DatabaseKey, Execution>;

/// The last execution for each database.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastExecutions {
    by_resource: BTreeMap<DatabaseKey, Execution>,
    /// Where nothing else is known of a database but the name.
    by_name: ByName,
}

impl LastExecutions {
    /// That of a database.
    pub(crate) fn get(&self, key: &DatabaseKey) -> Option<&Execution> {
        self.by_resource.get(key)
    }

    /// Those of which only the name of the database is known, by kind and name.
    pub(crate) fn only_named(&self) -> &ByName {
        &self.by_name
    }

    /// Finds out which database each of these was for. `fleet` is the source region, if it can be reached.
    pub(crate) async fn attribute(
        step_functions: &StepFunctions,
        named: ByName,
        copies: &OwnedCopies,
        fleet: Option<&Fleet>,
    ) -> Self {
        let mut last = Self::default();
        let mut doubtful = Vec::new();
        let mut former_names: BTreeMap<(DatabaseKind, &str), BTreeSet<&str>> = BTreeMap::new();
        for database in &copies.databases {
            let ids = former_names.entry((database.kind, &database.id)).or_default();
            ids.insert(&database.resource_id);
        }
        for ((kind, name), execution) in named {
            let owners = former_names.get(&(kind, name.as_str())).cloned().unwrap_or_default();
            match claimants(owners, fleet.and_then(|fleet| fleet.named(kind, &name))) {
                Claim::One(id) => last.add((kind, id), execution),
                Claim::None if fleet.is_none() => {
                    last.by_name.insert((kind, name), execution);
                }
                // Without any it is gone, or has another name now.
                Claim::Several | Claim::None => doubtful.push((kind, execution)),
            }
        }
        // The most recent first.
        doubtful.sort_by_key(|(_, execution)| std::cmp::Reverse(execution.started));
        let details = stream::iter(doubtful.into_iter().take(MAX_DOUBTS))
            .map(async |(kind, execution)| (kind, step_functions.detail(&execution.arn).await, execution));
        for (kind, detail, execution) in details.buffer_unordered(4).collect::<Vec<_>>().await {
            if let Some(id) = detail.ok().as_ref().and_then(resource_id) {
                last.add((kind, id), execution);
            }
        }
        last
    }

    fn add(&mut self, key: DatabaseKey, execution: Execution) {
        let known = self.by_resource.get(&key);
        // A database that was renamed has executions under both names.
        if known.is_none_or(|known| known.started < execution.started) {
            self.by_resource.insert(key, execution);
        }
    }
}

/// Who can be meant by a name.
enum Claim {
    One(String),
    Several,
    None,
}

/// Of the databases that had a name when they were copied last, and the one that has it now: the only one, if it is.
fn claimants<'a>(mut ids: BTreeSet<&'a str>, living: Option<&'a LivingDatabase>) -> Claim {
    ids.extend(living.map(|living| living.database.resource_id.as_str()));
    let mut ids = ids.into_iter();
    match (ids.next(), ids.next()) {
        (Some(id), None) => Claim::One(id.to_owned()),
        (None, _) => Claim::None,
        (Some(_), Some(_)) => Claim::Several,
    }
}

/// The resource id of the database that an execution was for, from its input or its output.
pub(crate) fn resource_id(detail: &ExecutionDetail) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Target {
        resource_id: String,
    }
    #[derive(Deserialize)]
    struct Output {
        target: Target,
    }
    let from_output = || Some(detail.output::<Output>()?.target);
    let id = detail
        .input()
        .or_else(from_output)
        .map(|target: Target| target.resource_id);
    id.filter(|id| !id.is_empty())
}

/// The last execution under each name; those of dry runs and those that only pruned do not count.
pub(crate) async fn by_name(
    account: &Account,
    stack: &Stack,
    now: Timestamp,
    objective: SignedDuration,
) -> Result<ByName, CliError> {
    let step_functions = &account.step_functions(&stack.region);
    let ago = objective.checked_mul(2).unwrap_or(SignedDuration::MAX);
    let since = now
        .checked_sub(ago.max(SignedDuration::from_hours(48)))
        .unwrap_or(Timestamp::MIN);
    let (copies, runs) = tokio::try_join!(
        step_functions.executions(&stack.copy_snapshot_arn, since, MAX_EXECUTIONS),
        step_functions.executions(&stack.copy_fleet_arn, since, MAX_EXECUTIONS),
    )?;
    let copies = copies.found;
    let runs: BTreeMap<String, Execution> = runs
        .found
        .into_iter()
        .map(|run| (suffix_of_run(&run.arn), run))
        .collect();
    let mut dry: BTreeMap<String, bool> = BTreeMap::new();
    loop {
        let last = newest(&copies, |suffix| dry.get(suffix) == Some(&true));
        // Of the runs that are shown, those of most databases first: events start a run for each database.
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        for execution in last.values() {
            if let Some(name) = ExecutionName::parse(&execution.name) {
                *shown.entry(name.suffix).or_default() += 1;
            }
        }
        let mut unknown: Vec<(&str, usize)> = shown
            .into_iter()
            .filter(|(suffix, _)| !dry.contains_key(*suffix))
            .collect();
        unknown.sort_by_key(|(_, databases)| std::cmp::Reverse(*databases));
        let room = MAX_RUNS.saturating_sub(dry.len());
        let asked: Vec<(String, Option<&Execution>)> = unknown
            .into_iter()
            .take(room)
            .map(|(suffix, _)| (suffix.to_owned(), runs.get(suffix)))
            .collect();
        if asked.is_empty() {
            return Ok(last
                .into_iter()
                .map(|(key, execution)| (key, execution.clone()))
                .collect());
        }
        let answers = stream::iter(asked).map(async |(suffix, run)| {
            let is_dry = match run {
                Some(run) => is_dry_run(step_functions, run).await,
                None => false,
            };
            (suffix, is_dry)
        });
        dry.extend(answers.buffer_unordered(4).collect::<Vec<_>>().await);
    }
}

/// The newest execution under each name, of those that `is_dry` does not take away by their suffix.
fn newest(copies: &[Execution], is_dry: impl Fn(&str) -> bool) -> BTreeMap<DatabaseKey, &Execution> {
    let mut last = BTreeMap::new();
    for execution in copies {
        let Some(name) = ExecutionName::parse(&execution.name) else {
            continue;
        };
        // What was pruned of a database that is gone says nothing of one that took its name.
        if name.retired.is_none() && !is_dry(name.suffix) {
            // They come the newest first.
            last.entry((name.kind, name.id.to_owned())).or_insert(execution);
        }
    }
    last
}
