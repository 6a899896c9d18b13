//! A run as it goes on: what each database's execution does, and how far its copy is.
//!
//! Following changes nothing: it can stop at any moment, and begin again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::payload::Outcome;
use domain::snapshot::Snapshot;
use futures_util::{StreamExt, stream};
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
use crate::facts::copy_result::CopyResult;
use crate::facts::following::{self, Interrupt};
use crate::format::{database_name, format_remaining, outcome_word};

/// Most executions of one run.
const MAX_CHILDREN: usize = 50_000;

/// Most pages of a kind that a run can have.
const MAX_PAGES: u32 = 100;

/// Executions that are asked how they ended, per poll; of others only their status is known.
const MAX_DESCRIBED: usize = 20;

/// Calls at once.
const CONCURRENCY: usize = 4;

/// What a database's execution does.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    Ended(Ending),
}

/// How a database's execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    status: ExecutionStatus,
    /// What came of the database, if that was asked.
    pub(crate) outcome: Option<Outcome>,
    /// The name of its error, if it has one and was asked.
    error: Option<String>,
}

impl Ending {
    /// Of an execution that was not asked.
    fn from_status(status: ExecutionStatus) -> Self {
        Self {
            status,
            outcome: None,
            error: None,
        }
    }

    /// Of an execution that succeeded, for tests.
    #[cfg(test)]
    pub(crate) fn succeeded(outcome: Outcome) -> Self {
        Self {
            outcome: Some(outcome),
            ..Self::from_status(ExecutionStatus::Succeeded)
        }
    }

    /// Of an execution that failed, for tests.
    #[cfg(test)]
    pub(crate) fn failed(error: &str) -> Self {
        Self {
            error: Some(error.to_owned()),
            ..Self::from_status(ExecutionStatus::Failed)
        }
    }

    /// Whether the database is neither copied nor left alone for a reason.
    pub(crate) fn is_failure(&self) -> bool {
        self.status != ExecutionStatus::Succeeded
    }

    /// Its error or its outcome, or else its status; nothing where all went as usual, or where it succeeded and was not asked.
    pub(crate) fn word(&self) -> Option<String> {
        match (&self.error, self.outcome) {
            (Some(error), _) => Some(error.clone()),
            (None, Some(Outcome::Copied | Outcome::Retired)) => None,
            (None, Some(outcome)) => Some(outcome_word(outcome).to_owned()),
            (None, None) => self.is_failure().then(|| self.status.to_string()),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.to_string();
        match self.word() {
            Some(word) if word != status => write!(f, "{status} ({word})"),
            _ => f.write_str(&status),
        }
    }
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
                    Some(remaining) => write!(f, ", {} to go", format_remaining(*remaining)),
                    None => Ok(()),
                }
            }
            Self::Finishing => f.write_str("verifying and pruning"),
            Self::Ended(ending) => write!(f, "{ending}"),
        }
    }
}

/// A database of the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunItem {
    pub(crate) kind: DatabaseKind,
    pub(crate) id: String,
    /// Tells it from others of that name, if it no longer exists.
    pub(crate) retired: Option<String>,
}

impl RunItem {
    /// By the name of its execution; nothing if somebody chose another name.
    fn from_execution(name: &str) -> Option<Self> {
        let ExecutionName { kind, id, retired, .. } = ExecutionName::parse(name)?;
        Some(Self {
            kind,
            id: id.to_owned(),
            retired: retired.map(str::to_owned),
        })
    }

    /// The database as `--only` takes it, and whether it no longer exists: no two of a fleet have the same.
    pub(crate) fn name(&self) -> String {
        format!("{}{}", database_name(self.kind, &self.id), self.mark())
    }

    fn mark(&self) -> &'static str {
        if self.retired.is_some() { " (retired)" } else { "" }
    }
}

impl fmt::Display for RunItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.kind, self.id, self.mark())
    }
}

/// How far a run is.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunProgress {
    /// Number of databases that the run has listed, if known.
    pub(crate) total: Option<u32>,
    /// Those whose execution has begun.
    pub(crate) items: BTreeMap<RunItem, CopyPhase>,
    /// GiB of those that were seen being copied, or that reported it in the end.
    pub(crate) sizes: BTreeMap<RunItem, i32>,
}

/// How much of a run's data is copied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Volume {
    pub(crate) done_gib: f64,
    pub(crate) total_gib: f64,
    /// Whether the total is estimated, because not every database has begun.
    pub(crate) is_estimate: bool,
}

impl RunProgress {
    /// Number of databases in a phase.
    pub(crate) fn count(&self, wanted: fn(&CopyPhase) -> bool) -> usize {
        self.items.values().filter(|phase| wanted(phase)).count()
    }

    /// Number of databases: those that were listed, or those that have begun, if they are more.
    pub(crate) fn databases(&self) -> usize {
        let listed = usize::try_from(self.total.unwrap_or_default()).unwrap_or(usize::MAX);
        listed.max(self.items.len())
    }

    /// How much is copied, of what RDS reports sizes of. A database that has not begun counts as much as the others do
    /// on average, those with nothing to copy included. Nothing while no size is known.
    pub(crate) fn volume(&self) -> Option<Volume> {
        let (mut done_gib, mut total_gib, mut begun, mut waiting) = (0.0, 0.0, 0_u32, 0_u32);
        for (item, phase) in &self.items {
            let size = f64::from(self.sizes.get(item).copied().unwrap_or_default());
            let percent = match phase {
                CopyPhase::Waiting => {
                    waiting += 1;
                    continue;
                }
                // What failed will not be copied any more.
                CopyPhase::Ended(ending) if ending.is_failure() => 0,
                CopyPhase::Copying { percent, .. } => {
                    total_gib += size;
                    (*percent).clamp(0, 100)
                }
                CopyPhase::Finishing | CopyPhase::Ended(_) => {
                    total_gib += size;
                    100
                }
            };
            begun += 1;
            done_gib += size * f64::from(percent) / 100.0;
        }
        let unlisted = self.databases() - self.items.len();
        let waiting = f64::from(waiting) + f64::from(u32::try_from(unlisted).unwrap_or(u32::MAX));
        (total_gib > 0.0).then(|| Volume {
            done_gib,
            total_gib: total_gib + waiting * total_gib / f64::from(begun),
            is_estimate: waiting > 0.0,
        })
    }

    /// Time to go until the last copy is complete: at least as long as the slowest one takes, and as long as the data that
    /// is left takes at the speed of the copies under way. Nothing while none of them promises anything.
    pub(crate) fn remaining(&self) -> Option<SignedDuration> {
        let mut gib_per_second = 0.0;
        let mut slowest = None;
        for (item, phase) in &self.items {
            let CopyPhase::Copying {
                percent,
                remaining: Some(remaining),
                ..
            } = phase
            else {
                continue;
            };
            slowest = slowest.max(Some(*remaining));
            let size = f64::from(self.sizes.get(item).copied().unwrap_or_default());
            if remaining.is_positive() {
                gib_per_second += size * f64::from(100 - percent) / 100.0 / remaining.as_secs_f64();
            }
        }
        let left = self.volume().filter(|_| gib_per_second > 0.0);
        let by_speed = left.and_then(|volume| {
            let seconds = (volume.total_gib - volume.done_gib) / gib_per_second;
            SignedDuration::try_from_secs_f64(seconds).ok()
        });
        slowest.map(|slowest| by_speed.unwrap_or_default().max(slowest))
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
    /// Whether executions that have ended are asked how.
    asks: bool,
    /// How they ended, by ARN.
    endings: BTreeMap<String, Ending>,
    sizes: BTreeMap<RunItem, i32>,
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
            asks: false,
            endings: BTreeMap::new(),
            sizes: BTreeMap::new(),
        }
    }

    /// The same, which also asks the databases' executions how they ended: a call for each.
    pub(crate) fn asking_how_they_ended(self) -> Self {
        Self { asks: true, ..self }
    }

    /// Polls until the run ends, or `interrupt` does, and hands each state to `show`.
    pub(crate) async fn follow(
        mut self,
        interrupt: Interrupt<'_>,
        mut show: impl FnMut(&RunProgress, Timestamp),
    ) -> Result<Followed, CliError> {
        let account = self.account;
        let ended = following::follow(account, interrupt, async || {
            let (detail, children, progress) = self.poll().await?;
            show(&progress, account.now());
            Ok((detail.execution.status != ExecutionStatus::Running).then_some((detail, children)))
        });
        Ok(ended.await?.map_or(Followed::Detached, |(detail, children)| {
            Followed::Ended(Box::new(detail), children)
        }))
    }

    async fn poll(&mut self) -> Result<(ExecutionDetail, Vec<Execution>, RunProgress), CliError> {
        let detail = self.step_functions.detail(&self.arn).await?;
        let children = self.children(detail.execution.started).await?;
        if self.total.is_none() {
            self.total = self.step_functions.databases_of_run(&self.arn).await?;
        }
        self.learn_endings(&children).await;
        let items = self.items(&children).await?;
        let progress = RunProgress {
            total: self.total,
            items,
            sizes: self.sizes.clone(),
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

    /// Asks those that have ended since the last poll how, first those that failed. What cannot be read has a status.
    async fn learn_endings(&mut self, children: &[Execution]) {
        let ended = children.iter().filter(|child| child.status != ExecutionStatus::Running);
        let mut news: Vec<&Execution> = ended.filter(|child| !self.endings.contains_key(&child.arn)).collect();
        news.sort_by_key(|child| child.status == ExecutionStatus::Succeeded);
        for child in &news {
            let ending = Ending::from_status(child.status);
            self.endings.insert(child.arn.clone(), ending);
        }
        let asked = if self.asks { MAX_DESCRIBED } else { 0 };
        let step_functions = &self.step_functions;
        let details = stream::iter(news.into_iter().take(asked))
            .map(async |child| (child, step_functions.detail(&child.arn).await));
        let details: Vec<_> = details.buffered(CONCURRENCY).collect().await;
        for (child, detail) in details {
            let Ok(detail) = detail else { continue };
            let result = CopyResult::from(&detail);
            let ending = Ending {
                status: child.status,
                outcome: result.outcome,
                error: detail.error,
            };
            let is_copied = matches!(result.outcome, Some(Outcome::Copied | Outcome::CopiedNotPruned));
            let size = result.source.and_then(|source| source.data_gib());
            if let (true, Some(size), Some(item)) = (is_copied, size, RunItem::from_execution(&child.name)) {
                self.sizes.insert(item, size);
            }
            self.endings.insert(child.arn.clone(), ending);
        }
    }

    /// What each execution does; of those that may be copying, their copies say more.
    async fn items(&mut self, children: &[Execution]) -> Result<BTreeMap<RunItem, CopyPhase>, CliError> {
        let mut items = BTreeMap::new();
        let mut running: BTreeMap<DatabaseKind, Vec<String>> = BTreeMap::new();
        for child in children {
            let Some(item) = RunItem::from_execution(&child.name) else {
                continue;
            };
            // They are the newest first, and a run that is redriven starts some again.
            if items.contains_key(&item) {
                continue;
            }
            let phase = match child.status {
                // What is only pruned has no copy under way.
                ExecutionStatus::Running if item.retired.is_some() => CopyPhase::Finishing,
                ExecutionStatus::Running => {
                    running.entry(item.kind).or_default().push(item.id.clone());
                    CopyPhase::Waiting
                }
                ended => {
                    let known = self.endings.get(&child.arn).cloned();
                    CopyPhase::Ended(known.unwrap_or_else(|| Ending::from_status(ended)))
                }
            };
            items.insert(item, phase);
        }
        for (kind, ids) in running {
            let copies = manual_snapshots(&self.destination, kind, &ids).await?;
            for copy in copies {
                let size = copy.data_gib();
                let Some((item, phase)) = self.phase_of_copy(copy) else {
                    continue;
                };
                if let Some(size) = size {
                    self.sizes.insert(item.clone(), size);
                }
                items.insert(item, phase);
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str) -> RunItem {
        RunItem {
            kind: DatabaseKind::Instance,
            id: id.to_owned(),
            retired: None,
        }
    }

    fn copying(percent: i32, remaining: Option<i64>) -> CopyPhase {
        CopyPhase::Copying {
            percent,
            size_gib: Some(100),
            remaining: remaining.map(SignedDuration::from_secs),
        }
    }

    /// N30.
    #[test]
    fn the_time_of_a_run_is_that_of_the_slowest_copy_and_of_the_data_that_waits() {
        let run = |total: u32, phases: &[CopyPhase]| {
            let names = ["a", "b", "c", "d"].map(item);
            RunProgress {
                total: Some(total),
                items: names.iter().cloned().zip(phases.iter().cloned()).collect(),
                sizes: names.iter().map(|name| (name.clone(), 100)).collect(),
            }
        };
        let ended = |ending| CopyPhase::Ended(ending);
        for (total, phases, volume, remaining) in [
            (
                2,
                vec![copying(50, Some(60)), copying(10, Some(540))],
                (60.0, 200.0),
                Some(540),
            ),
            // Four that wait, of as much data as these two: at their speed, one GiB per second.
            (
                6,
                vec![copying(50, Some(100)), copying(50, Some(100))],
                (100.0, 600.0),
                Some(500),
            ),
            (2, vec![copying(0, None), CopyPhase::Finishing], (100.0, 200.0), None),
            (
                2,
                vec![copying(90, Some(0)), CopyPhase::Finishing],
                (190.0, 200.0),
                Some(0),
            ),
            (
                3,
                vec![
                    ended(Ending::failed("CopyFailed")),
                    ended(Ending::succeeded(Outcome::Copied)),
                    copying(50, Some(7)),
                ],
                (150.0, 200.0),
                Some(7),
            ),
        ] {
            let run = run(total, &phases);
            let found = run.volume().expect("sizes are known");
            assert_eq!((found.done_gib.round(), found.total_gib.round()), volume, "{phases:?}");
            assert_eq!(run.remaining().map(|time| time.as_secs()), remaining, "{phases:?}");
            assert_eq!(
                found.is_estimate,
                usize::try_from(total).ok() > Some(phases.len()),
                "{phases:?}"
            );
        }
        assert_eq!(RunProgress::default().volume(), None);
        assert_eq!(run(3, &[CopyPhase::Waiting]).volume(), None);
    }

    #[test]
    fn an_ending_has_a_word_of_its_own() {
        for (ending, expected) in [
            (Ending::from_status(ExecutionStatus::Succeeded), "succeeded"),
            (Ending::from_status(ExecutionStatus::TimedOut), "timed out"),
            (Ending::succeeded(Outcome::Copied), "succeeded"),
            (Ending::succeeded(Outcome::Nothing), "succeeded (nothing)"),
            (Ending::failed("CopyFailed"), "failed (CopyFailed)"),
        ] {
            assert_eq!(ending.to_string(), expected);
        }
    }

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
