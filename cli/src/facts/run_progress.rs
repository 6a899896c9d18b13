//! A run as it goes on: what each database's execution does, and how far its copy is.
//!
//! Following changes nothing: it can stop at any moment, and begin again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::snapshot::Snapshot;
use jiff::{SignedDuration, Timestamp};
use rds::Rds;

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{
    Execution, ExecutionDetail, ExecutionName, ExecutionStatus, StepFunctions, execution_arn, execution_name,
    suffix_of_run,
};
use crate::error::CliError;
use crate::facts::copies::{OwnedCopy, manual_snapshots};
use crate::format::format_duration;

/// Ends when the operator has seen enough.
pub(crate) type Interrupt<'a> = &'a mut (dyn Future<Output = ()> + Unpin);

/// Most executions of one run.
const MAX_CHILDREN: usize = 50_000;

/// Most pages of a kind that a run can have.
const MAX_PAGES: u32 = 100;

/// Polls in a row that may fail before following ends.
const MAX_FAILED_POLLS: u32 = 4;

/// What a database's execution does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyPhase {
    /// Not copying yet: it looks for the snapshot, or waits for a slot.
    Waiting,
    /// RDS copies.
    Copying {
        percent: i32,
        size_gib: Option<i32>,
        remaining: Option<SignedDuration>,
    },
    /// The copy is complete: it is verified, then old ones are pruned.
    Finishing,
    /// It ended.
    Ended(ExecutionStatus),
}

impl fmt::Display for CopyPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting"),
            Self::Copying {
                percent,
                size_gib,
                remaining,
            } => {
                write!(f, "copying, {percent} %")?;
                if let Some(size) = size_gib {
                    write!(f, " of {size} GiB")?;
                }
                match remaining {
                    Some(remaining) => write!(f, ", {} to go", format_duration(*remaining)),
                    None => Ok(()),
                }
            }
            Self::Finishing => f.write_str("verifying and pruning"),
            Self::Ended(status) => write!(f, "{status}"),
        }
    }
}

/// A database of the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunItem {
    kind: DatabaseKind,
    pub(crate) id: String,
    /// Tells it from others of that name, if it no longer exists.
    retired: Option<String>,
}

impl fmt::Display for RunItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retired = if self.retired.is_some() { " (retired)" } else { "" };
        write!(f, "{} {}{retired}", self.kind, self.id)
    }
}

/// How far a run is.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunProgress {
    /// Number of databases that the run has listed, if known.
    pub(crate) total: Option<u32>,
    /// Those whose execution has begun.
    pub(crate) items: BTreeMap<RunItem, CopyPhase>,
}

impl RunProgress {
    /// Number of databases in a phase.
    pub(crate) fn count(&self, wanted: fn(&CopyPhase) -> bool) -> usize {
        self.items.values().filter(|phase| wanted(phase)).count()
    }
}

/// How following ended.
#[derive(Debug)]
pub(crate) enum Followed {
    /// The run ended. Beside it, the executions that it started.
    Ended(Box<ExecutionDetail>, Vec<Execution>),
    /// The operator has seen enough. The run goes on.
    Detached,
}

/// One run, as it is followed.
#[derive(Debug)]
pub(crate) struct Follower<'a> {
    account: &'a Account,
    stack: &'a Stack,
    step_functions: StepFunctions,
    destination: Rds,
    owner: Owner,
    arn: String,
    suffixes: BTreeSet<String>,
    total: Option<u32>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(account: &'a Account, stack: &'a Stack, arn: &str) -> Self {
        Self {
            account,
            stack,
            step_functions: account.step_functions(&stack.region),
            destination: account.rds(&stack.destination_region),
            owner: Owner::new(&stack.region, &stack.owner_id),
            suffixes: suffixes(&stack.copy_fleet_arn, arn),
            arn: arn.to_owned(),
            total: None,
        }
    }

    /// Polls until the run ends, or `interrupt` does, and hands each state to `show`.
    pub(crate) async fn follow(
        mut self,
        interrupt: Interrupt<'_>,
        mut show: impl FnMut(&RunProgress, Timestamp),
    ) -> Result<Followed, CliError> {
        let mut failed = 0;
        let begun = self.account.now();
        loop {
            let polled = tokio::select! {
                biased;
                () = &mut *interrupt => return Ok(Followed::Detached),
                polled = self.poll() => polled,
            };
            match polled {
                Ok((detail, children, progress)) => {
                    failed = 0;
                    show(&progress, self.account.now());
                    if detail.execution.status != ExecutionStatus::Running {
                        return Ok(Followed::Ended(Box::new(detail), children));
                    }
                }
                // Runs last for hours, and networks do not always.
                Err(error) => {
                    failed += 1;
                    if failed == MAX_FAILED_POLLS {
                        return Err(error);
                    }
                }
            }
            let pause = pause(self.account.now().duration_since(begun));
            tokio::select! {
                biased;
                () = &mut *interrupt => return Ok(Followed::Detached),
                () = self.account.sleep(pause) => {}
            }
        }
    }

    async fn poll(&mut self) -> Result<(ExecutionDetail, Vec<Execution>, RunProgress), CliError> {
        let detail = self.step_functions.detail(&self.arn).await?;
        let children = self.children(detail.execution.started).await?;
        if self.total.is_none() {
            self.total = self.step_functions.databases_of_run(&self.arn).await?;
        }
        let progress = RunProgress {
            total: self.total,
            items: self.items(&children).await?,
        };
        Ok((detail, children, progress))
    }

    /// The executions of copy-snapshot that this run, or a page of it, started.
    async fn children(&self, since: Timestamp) -> Result<Vec<Execution>, CliError> {
        let machine = &self.stack.copy_snapshot_arn;
        // The list rounds times to seconds.
        let since = since - SignedDuration::from_secs(1);
        let mut all = self
            .step_functions
            .executions(machine, since, MAX_CHILDREN)
            .await?
            .found;
        all.retain(|execution| {
            let name = ExecutionName::parse(&execution.name);
            name.is_some_and(|name| self.suffixes.contains(name.suffix))
        });
        Ok(all)
    }

    /// What each execution does; of those that may be copying, their copies say more.
    async fn items(&self, children: &[Execution]) -> Result<BTreeMap<RunItem, CopyPhase>, CliError> {
        let mut items = BTreeMap::new();
        let mut running: BTreeMap<DatabaseKind, Vec<String>> = BTreeMap::new();
        for child in children {
            let Some(ExecutionName { kind, id, retired, .. }) = ExecutionName::parse(&child.name) else {
                continue;
            };
            let phase = match child.status {
                // What is only pruned has no copy under way.
                ExecutionStatus::Running if retired.is_some() => CopyPhase::Finishing,
                ExecutionStatus::Running => {
                    running.entry(kind).or_default().push(id.to_owned());
                    CopyPhase::Waiting
                }
                ended => CopyPhase::Ended(ended),
            };
            let item = RunItem {
                kind,
                id: id.to_owned(),
                retired: retired.map(str::to_owned),
            };
            items.insert(item, phase);
        }
        for (kind, ids) in running {
            let copies = manual_snapshots(&self.destination, kind, &ids).await?;
            items.extend(copies.into_iter().filter_map(|copy| self.phase_of_copy(copy)));
        }
        Ok(items)
    }

    /// How far a copy is, if it is one of ours and under way.
    fn phase_of_copy(&self, snapshot: Snapshot) -> Option<(RunItem, CopyPhase)> {
        let copy = OwnedCopy {
            own: OwnCopy::read(&self.owner, &snapshot)?,
            snapshot,
        };
        let phase = match copy.own.status {
            CopyStatus::InProgress => CopyPhase::Copying {
                percent: copy.snapshot.percent,
                size_gib: copy.snapshot.data_gib(),
                remaining: copy.remaining(self.account.now()),
            },
            CopyStatus::Unverified => CopyPhase::Finishing,
            _ => return None,
        };
        let item = RunItem {
            kind: copy.snapshot.kind,
            id: copy.snapshot.database_id,
            retired: None,
        };
        Some((item, phase))
    }
}

/// The ends of the names of a run's executions: its own, and those of its pages.
fn suffixes(machine_arn: &str, run_arn: &str) -> BTreeSet<String> {
    let begin: String = execution_name(run_arn).chars().take(70).collect();
    let pages = (2..=MAX_PAGES).flat_map(|number| [format!("{begin}-pi{number}"), format!("{begin}-pc{number}")]);
    pages
        .map(|page| suffix_of_run(&execution_arn(machine_arn, &page)))
        .chain([suffix_of_run(run_arn)])
        .collect()
}

/// Short at first, when somebody watches closely; then long enough to cost nothing over hours.
fn pause(watched: SignedDuration) -> Duration {
    Duration::from_secs(match watched.as_secs() {
        ..60 => 2,
        60..600 => 5,
        _ => 15,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executions_of_a_runs_pages_are_its_own() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:snapferry-copy-fleet";
        let run = execution_arn(machine, "nightly");
        let suffixes = suffixes(machine, &run);
        assert!(suffixes.contains(&suffix_of_run(&run)));
        assert!(suffixes.contains(&suffix_of_run(&execution_arn(machine, "nightly-pc7"))));
        assert!(!suffixes.contains(&suffix_of_run(&execution_arn(machine, "nightly-2"))));
    }
}
