//! A run of drills: how it is started, what came of each drill, and how it ended.

use std::collections::BTreeSet;

use domain::kind::{DatabaseKind, DatabaseName};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::aws::account::Account;
use crate::aws::step_functions::{Execution, ExecutionDetail, ExecutionStatus, StepFunctions, execution_arn};
use crate::aws::watch_stack::WatchStack;
use crate::error::CliError;
use crate::facts::copies::CopySource;
use crate::facts::drill_record::{DrillRecord, run_arn};
use crate::facts::fleet::near_names;
use crate::facts::following::{Interrupt, follow};
use crate::facts::run_summary::stamped_name;
use crate::format::counted;

/// Most executions that a run is followed through; it starts twenty at most, and others may run beside it.
const MAX_DRILLS: usize = 200;

/// The input of drill-fleet.
#[derive(Debug, Serialize)]
struct DrillInput<'a> {
    #[serde(rename = "Comment")]
    comment: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    only: &'a [String],
}

/// Starts drill-fleet and returns the execution's ARN.
pub(crate) async fn start(account: &Account, stack: &WatchStack, only: &[String]) -> Result<String, CliError> {
    let input = DrillInput {
        comment: "Started by snapferry drill.",
        only,
    };
    let name = stamped_name("drill", account.now());
    let step_functions = account.step_functions(&stack.region);
    step_functions.start(&stack.drill_fleet_arn, &name, &input).await
}

/// Refuses names of which there is no verified copy before a run is started for them: it would fail, and an alarm go off. Where
/// the copies cannot be listed, the run is left to find out.
pub(crate) async fn check_names(account: &Account, stack: &WatchStack, only: &[String]) -> Result<(), CliError> {
    if only.is_empty() {
        return Ok(());
    }
    let source = CopySource::from_region(&stack.region, &stack.owner_id);
    let Ok(copies) = source.read(account).await else {
        return Ok(());
    };
    let databases = copies.databases.iter();
    let known: Vec<(DatabaseKind, &str)> = databases
        .filter(|database| database.source_region == stack.source_region && database.newest_verified().is_some())
        .map(|database| (database.kind, database.id.as_str()))
        .collect();
    let unknown = only.iter().find(|text| {
        let name: Result<DatabaseName, _> = text.parse();
        name.is_ok_and(|name| !known.iter().any(|(kind, id)| name.matches(*kind, id)))
    });
    let Some(unknown) = unknown else { return Ok(()) };
    let near = near_names(unknown, known.into_iter());
    let remedy = match &near[..] {
        [] => "`snapferry status` lists the databases and their copies.".to_owned(),
        near => format!("There is {}.", near.join(", ")),
    };
    Err(CliError::new(
        format!("There is no verified copy of a database {unknown} in {}.", stack.region),
        remedy,
    ))
}

/// Number of drills per outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DrillCounts {
    passed: u64,
    pub(crate) failed: u64,
    not_run: u64,
    unsupported: u64,
}

/// A database that was not drilled, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PassedOver {
    pub(crate) kind: DatabaseKind,
    pub(crate) id: String,
    pub(crate) reason: String,
}

/// A drill as the run names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct ListedDrill {
    kind: DatabaseKind,
    id: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    execution: String,
    #[serde(default)]
    left: bool,
}

/// How a run of drills ended, as it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DrillSummary {
    pub(crate) counts: DrillCounts,
    not_run: Vec<ListedDrill>,
    pub(crate) passed_over: Vec<PassedOver>,
    /// Number of databases whose turn it was and for which this run had no room.
    pub(crate) later: u64,
    pub(crate) warnings: Vec<String>,
}

/// The error of a run in which copies did not pass. Its cause is the summary.
const DRILLS_FAILED: &str = "DrillsFailed";

impl DrillSummary {
    /// What the run returned, or the cause of its failure. Any other end is an error here too.
    pub(crate) fn from_detail(detail: &ExecutionDetail) -> Result<Self, CliError> {
        let cause = detail.cause.as_deref();
        let summary = match (detail.execution.status, detail.error.as_deref()) {
            (ExecutionStatus::Succeeded, _) => detail.output(),
            (ExecutionStatus::Failed, Some(DRILLS_FAILED)) => cause.and_then(|cause| serde_json::from_str(cause).ok()),
            _ => None,
        };
        summary.ok_or_else(|| {
            let status = detail.execution.status.to_string();
            let what = detail.error.as_ref().unwrap_or(&status);
            CliError::new(
                format!("The run of drills {} ended: {what}.", detail.execution.name),
                detail
                    .explanation()
                    .unwrap_or_else(|| "See its execution in the console.".to_owned()),
            )
        })
    }

    /// `2 passed, 1 failed`.
    pub(crate) fn counted(&self) -> String {
        let counts = [
            ("passed", self.counts.passed),
            ("failed", self.counts.failed),
            ("not run", self.counts.not_run),
            ("unsupported", self.counts.unsupported),
        ];
        let counted = counted(counts.into_iter().filter(|(_, count)| *count > 0));
        if counted.is_empty() {
            return "no drill was due".to_owned();
        }
        counted
    }

    /// The databases that were named and of which the run says nothing: it had no room for them.
    pub(crate) fn without_room(&self, named: &[String], drills: &[DrillRecord]) -> Vec<String> {
        let drilled = drills.iter().map(|drill| (drill.kind, drill.database.as_str()));
        let passed_over = self.passed_over.iter().map(|one| (one.kind, one.id.as_str()));
        let known: Vec<(DatabaseKind, &str)> = drilled.chain(passed_over).collect();
        let is_left = |text: &&String| {
            let name: Result<DatabaseName, _> = text.parse();
            name.is_ok_and(|name| !known.iter().any(|(kind, id)| name.matches(*kind, id)))
        };
        let left = named.iter().filter(is_left).map(|name| {
            format!(
                "{name} was not drilled: this run had no room for it (DrillDatabasesPerRun, DrillMaxGiB). Drill it in \
                 another one."
            )
        });
        left.collect()
    }

    /// The drills whose executions could not even be started, which only the run knows of.
    pub(crate) fn unseen(&self, stack: &WatchStack, seen: &[DrillRecord]) -> Vec<DrillRecord> {
        let is_seen = |drill: &ListedDrill| {
            let mut records = seen.iter();
            records.any(|record| (record.kind, &record.database) == (drill.kind, &drill.id))
        };
        let unseen = self.not_run.iter().filter(|drill| !is_seen(drill));
        let records = unseen.map(|drill| {
            let arn = execution_arn(&stack.drill_copy_arn, &drill.execution);
            DrillRecord::from_run(drill.kind, &drill.id, &drill.error, drill.left, &stack.region, &arn)
        });
        records.collect()
    }
}

/// A run of drills, as it is followed.
#[derive(Debug)]
pub(crate) struct DrillFollower<'a> {
    account: &'a Account,
    stack: &'a WatchStack,
    step_functions: StepFunctions,
    arn: String,
    /// Executions that have ended and were asked how, by ARN.
    asked: BTreeSet<String>,
}

impl<'a> DrillFollower<'a> {
    pub(crate) fn new(account: &'a Account, stack: &'a WatchStack, arn: &str) -> Self {
        Self {
            account,
            stack,
            step_functions: account.step_functions(&stack.region),
            arn: arn.to_owned(),
            asked: BTreeSet::new(),
        }
    }

    /// Polls until the run ends, and hands each drill that has ended to `show`. Nothing, if `interrupt` ends first.
    pub(crate) async fn follow(
        mut self,
        interrupt: Interrupt<'_>,
        mut show: impl FnMut(DrillRecord),
    ) -> Result<Option<ExecutionDetail>, CliError> {
        let account = self.account;
        follow(account, interrupt, async || {
            // First the run: what ended before it did is then among the drills.
            let detail = self.step_functions.detail(&self.arn).await?;
            for child in self.ended(&detail.execution).await? {
                let ended = self.step_functions.detail(&child.arn).await?;
                let is_of_run = run_arn(&ended).as_ref() == Some(&self.arn);
                if is_of_run && let Some(record) = DrillRecord::read(&self.step_functions, &ended).await {
                    show(record);
                }
                self.asked.insert(child.arn);
            }
            Ok((detail.execution.status != ExecutionStatus::Running).then_some(detail))
        })
        .await
    }

    /// Executions of drill-copy that ended since the last poll, this run's or another's, the first to end first.
    async fn ended(&self, run: &Execution) -> Result<Vec<Execution>, CliError> {
        // The list rounds times to seconds.
        let since = run.started - SignedDuration::from_secs(1);
        let machine = &self.stack.drill_copy_arn;
        let mut ended = self.step_functions.executions(machine, since, MAX_DRILLS).await?.found;
        ended.retain(|child| child.status != ExecutionStatus::Running && !self.asked.contains(&child.arn));
        ended.sort_by_key(|child| child.stopped);
        Ok(ended)
    }
}
