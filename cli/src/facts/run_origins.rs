//! The runs that the executions of copy-snapshot belong to, and what started each.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::aws::stack::Stack;
use crate::aws::step_functions::{
    Execution, ExecutionDetail, ExecutionStatus, StepFunctions, execution_console_url, suffix_of_run,
};
use crate::error::CliError;
use crate::facts::run_summary::{Purpose, RunSummary, says_dry};

/// Most runs that are listed: events start a run for each snapshot.
const MAX_RUNS: usize = 20_000;

/// Most runs that are asked what started them, where neither their name nor their executions say so.
const MAX_ASKED: usize = 100;

/// A run may begin this long before its last execution does.
const MAX_HOURS: i64 = 48;

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trigger {
    Schedule,
    /// A snapshot was ready.
    RdsEvent,
    /// Somebody who used this program.
    Snapferry,
    /// Another run, for the next page of its databases.
    AnotherRun,
    /// Somebody in the console, or another program.
    Other,
    /// Nobody asked: there are too many.
    NotAsked,
}

impl Trigger {
    /// In a few words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Schedule => "the schedule",
            Self::RdsEvent => "an RDS event",
            Self::Snapferry => "a person, with snapferry run",
            Self::AnotherRun => "the run before it, for the next page",
            Self::Other => "by hand, or another program",
            Self::NotAsked => "not looked up",
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) started_by: Trigger,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) status: ExecutionStatus,
    /// How many databases it worked on, of those in this report.
    pub(crate) executions: usize,
    pub(crate) link: String,
    #[serde(skip)]
    pub(crate) arn: String,
}

impl Run {
    /// Whether it did not end well.
    pub(crate) fn has_failed(&self) -> bool {
        has_failed(self.status)
    }
}

fn has_failed(status: ExecutionStatus) -> bool {
    !matches!(status, ExecutionStatus::Running | ExecutionStatus::Succeeded)
}

/// The runs since then, by the end of the names of their executions. `worked` has that of each execution, and whether it
/// says that an event started its run.
pub(crate) async fn read(
    step_functions: &StepFunctions,
    stack: &Stack,
    since: Timestamp,
    worked: &[(String, bool)],
) -> Result<BTreeMap<String, Run>, CliError> {
    let mut executions: BTreeMap<&str, usize> = BTreeMap::new();
    for (suffix, _) in worked {
        *executions.entry(suffix).or_default() += 1;
    }
    let of_events: BTreeSet<&str> = worked
        .iter()
        .filter(|(_, is_event)| *is_event)
        .map(|(suffix, _)| suffix.as_str())
        .collect();
    let begin = since
        .checked_sub(SignedDuration::from_hours(MAX_HOURS))
        .unwrap_or(Timestamp::MIN);
    let found = step_functions
        .executions(&stack.copy_fleet_arn, begin, MAX_RUNS)
        .await?;
    let mut runs = BTreeMap::new();
    let mut unclear = Vec::new();
    for run in found.found {
        let suffix = suffix_of_run(&run.arn);
        let count = executions.get(suffix.as_str()).copied().unwrap_or_default();
        // One that began no execution is of interest if it failed: nothing else tells of it.
        let is_of_period = count > 0 || has_failed(run.status) && run.started >= since;
        if !is_of_period || Purpose::is_name_of_dry_run(&run.name) {
            continue;
        }
        if of_events.contains(suffix.as_str()) {
            runs.insert(suffix, new(step_functions.region(), run, Trigger::RdsEvent, count));
        } else if Purpose::is_name_of_run(&run.name) {
            runs.insert(suffix, new(step_functions.region(), run, Trigger::Snapferry, count));
        } else {
            unclear.push((suffix, run, count));
        }
    }
    let rest = unclear.split_off(unclear.len().min(MAX_ASKED));
    let asked = stream::iter(unclear).map(async |(suffix, run, count)| {
        let detail = step_functions.detail(&run.arn).await.ok();
        let is_dry = detail.as_ref().is_some_and(says_dry);
        let trigger = detail.as_ref().map_or(Trigger::NotAsked, trigger);
        (!is_dry).then(|| (suffix, new(step_functions.region(), run, trigger, count)))
    });
    let asked: Vec<_> = asked.buffer_unordered(4).collect().await;
    runs.extend(asked.into_iter().flatten());
    let rest = rest
        .into_iter()
        .map(|(suffix, run, count)| (suffix, new(step_functions.region(), run, Trigger::NotAsked, count)));
    runs.extend(rest);
    Ok(runs)
}

fn new(region: &str, run: Execution, started_by: Trigger, executions: usize) -> Run {
    Run {
        started_by,
        started_at: run.started,
        ended_at: run.stopped,
        status: run.status,
        executions,
        link: execution_console_url(region, &run.arn),
        name: run.name,
        arn: run.arn,
    }
}

/// What the last run of all databases warned of; of other runs only if there was none.
pub(crate) async fn last_warnings(step_functions: &StepFunctions, runs: &[Run]) -> Vec<String> {
    let is_whole = |run: &&Run| !matches!(run.started_by, Trigger::RdsEvent | Trigger::AnotherRun);
    // The latest first.
    let mut whole = runs.iter().filter(is_whole).filter(|run| run.ended_at.is_some());
    let scheduled = whole.clone().find(|run| run.started_by == Trigger::Schedule);
    let Some(run) = scheduled.or_else(|| whole.next()) else {
        return Vec::new();
    };
    let detail = step_functions.detail(&run.arn).await.ok();
    let summary = detail.and_then(|detail| RunSummary::from_detail(&detail).ok());
    summary.map(|summary| summary.warnings).unwrap_or_default()
}

/// What started a run, by its input.
fn trigger(detail: &ExecutionDetail) -> Trigger {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Input {
        #[serde(rename = "Comment")]
        comment: Option<String>,
        #[serde(rename = "detail-type")]
        detail_type: Option<String>,
        #[serde(rename = "Event Source")]
        event_source: Option<String>,
        page: Option<serde_json::Value>,
    }
    let input: Input = detail.input().unwrap_or_default();
    let comment = input.comment.as_deref().unwrap_or_default();
    let detail_type = input.detail_type.as_deref().unwrap_or_default();
    if input.page.is_some() {
        Trigger::AnotherRun
    } else if comment == "Started by the schedule." || detail_type == "Scheduled Event" {
        Trigger::Schedule
    } else if comment.starts_with("Started by snapferry ") {
        Trigger::Snapferry
    } else if detail_type.starts_with("RDS ") || input.event_source.is_some() {
        Trigger::RdsEvent
    } else {
        Trigger::Other
    }
}
