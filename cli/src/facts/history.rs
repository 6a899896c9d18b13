//! What happened: one entry per execution of copy-snapshot, or, with the source region lost, per copy.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use domain::payload::{Outcome, Source};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{
    ExecutionDetail, ExecutionName, ExecutionStatus, Executions, StepFunctions, copy_console_url, execution_console_url,
};
use crate::error::CliError;
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopies, OwnedCopy};
use crate::facts::copy_result::CopyResult;
use crate::facts::fleet::Fleet;
use crate::facts::freshness::{DatabaseFreshness, assess};
use crate::facts::last_executions::resource_id;
use crate::format::{counted, database_name, format_utc, outcome_word};

/// Most executions that are read.
const MAX_EXECUTIONS: usize = 20_000;

/// Bars of the timeline.
const MAX_BARS: usize = 60;

/// Hours without any execution that end a stretch of the timeline.
const GAP_HOURS: i64 = 6;

/// How it ended for a database once, if it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryOutcome {
    Running,
    Failed,
    Ended(Outcome),
}

impl EntryOutcome {
    pub(crate) const COPIED: Self = Self::Ended(Outcome::Copied);
    pub(crate) const COPIED_NOT_PRUNED: Self = Self::Ended(Outcome::CopiedNotPruned);
    pub(crate) const NOT_READY: Self = Self::Ended(Outcome::NotReady);
    const PENDING: Self = Self::Ended(Outcome::Pending);
    const RETIRED: Self = Self::Ended(Outcome::Retired);

    /// Whether the execution made a copy and verified it, whatever came after.
    pub(crate) fn is_copied(self) -> bool {
        matches!(self, Self::COPIED | Self::COPIED_NOT_PRUNED)
    }

    fn new(status: ExecutionStatus, result: &CopyResult) -> Self {
        match status {
            ExecutionStatus::Running => Self::Running,
            ExecutionStatus::Succeeded => result.outcome.map_or(Self::PENDING, Self::Ended),
            ExecutionStatus::Failed | ExecutionStatus::Stopped | ExecutionStatus::TimedOut => Self::Failed,
        }
    }
}

impl fmt::Display for EntryOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Ended(outcome) => outcome_word(*outcome),
        })
    }
}

impl Serialize for EntryOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What happened for one database once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HistoryEntry {
    /// Its present name, if it exists; otherwise the one that it had then.
    database: String,
    kind: DatabaseKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    /// The name that it had then, if that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_name: Option<String>,
    /// Whether it no longer existed.
    retired: bool,
    pub(crate) outcome: EntryOutcome,
    /// The error's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What the error says, or else what was not done and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) requested_at: Option<Timestamp>,
    pub(crate) verified_at: Option<Timestamp>,
    pub(crate) captured_at: Option<Timestamp>,
    source: Option<String>,
    engine: Option<String>,
    pub(crate) size_gib: Option<i32>,
    pub(crate) copy: Option<String>,
    pub(crate) kms_key_arn: Option<String>,
    /// Fields that were compared with the source and agree.
    pub(crate) verified_fields: Vec<String>,
    pub(crate) deleted: Vec<String>,
    kept: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<String>,
    /// The execution, or without it the copy, in the console.
    pub(crate) link: String,
    /// When the last check and the pruning began.
    #[serde(skip)]
    pub(crate) phases: Phases,
}

/// When the last steps of an execution began, where that was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Phases {
    pub(crate) verifying: Option<Timestamp>,
    pub(crate) pruning: Option<Timestamp>,
}

/// The history, with how the databases stand now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct History {
    version: u32,
    pub(crate) now: Timestamp,
    pub(crate) since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stack: Option<String>,
    pub(crate) region: String,
    pub(crate) owner: String,
    objective_seconds: i64,
    pub(crate) databases: Vec<DatabaseFreshness>,
    /// The latest first.
    pub(crate) entries: Vec<HistoryEntry>,
    /// Whether that is everything that happened since then.
    complete: bool,
    /// The last stretch of work, in order of time, as places in `entries`.
    #[serde(skip)]
    timeline: Vec<usize>,
    pub(crate) notes: Vec<String>,
}

impl History {
    /// Collects what happened since then; with its `timeline` where that is to be drawn.
    pub(crate) async fn collect(
        account: &Account,
        source: CopySource,
        since: Timestamp,
        objective: SignedDuration,
        with_phases: bool,
    ) -> Result<Self, CliError> {
        let now = account.now();
        let mut assessment = assess(account, &source, now, objective).await?;
        let (mut entries, complete) = match &source.stack {
            Some(stack) => from_executions(account, stack, since).await?,
            None => (from_copies(&assessment.copies, since), true),
        };
        if !complete {
            let oldest = entries.iter().map(|entry| entry.started_at).min().unwrap_or(now);
            assessment.notes.push(format!(
                "Only the newest {MAX_EXECUTIONS} executions were read: what happened before {} UTC is missing. Ask for a \
                 shorter period with --since.",
                format_utc(oldest)
            ));
        }
        if let Some(fleet) = &assessment.fleet {
            rename(&mut entries, fleet);
        }
        join_running(&mut entries, &assessment.copies);
        entries.sort_by(|a, b| (b.started_at, &a.database).cmp(&(a.started_at, &b.database)));
        let timeline = last_stretch(&entries, now);
        if let Some(stack) = source.stack.as_ref().filter(|_| with_phases) {
            look_up_phases(&account.step_functions(&stack.region), &mut entries, &timeline).await;
        }
        Ok(Self {
            version: 1,
            now,
            since,
            stack: source.stack.map(|stack| stack.name),
            region: source.region,
            owner: source.owner_id,
            objective_seconds: objective.as_secs(),
            databases: assessment.databases,
            entries,
            complete,
            timeline,
            notes: assessment.warnings.into_iter().chain(assessment.notes).collect(),
        })
    }

    /// Number of entries per outcome, the most frequent first: `3 copied, 1 failed`.
    pub(crate) fn counted(&self) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry.outcome.to_string()).or_default() += 1;
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counted(counts.iter().map(|(outcome, count)| (outcome.as_str(), *count)))
    }

    /// The last stretch of work, in order of time.
    pub(crate) fn timeline(&self) -> Vec<&HistoryEntry> {
        self.timeline.iter().map(|at| &self.entries[*at]).collect()
    }

    /// Maximum age of the newest verified copy of a database.
    pub(crate) fn objective(&self) -> SignedDuration {
        SignedDuration::from_secs(self.objective_seconds)
    }
}

impl HistoryEntry {
    /// The entry of an execution whose name says what it is of.
    fn from_execution(region: &str, detail: &ExecutionDetail) -> Option<Self> {
        let execution = &detail.execution;
        let ExecutionName { kind, id, retired, .. } = ExecutionName::parse(&execution.name)?;
        let result = CopyResult::from(detail);
        let outcome = EntryOutcome::new(execution.status, &result);
        let shortfall = shortfall(outcome, &result);
        // A copy that was there already is not this execution's.
        let copy = result.copy.filter(|_| outcome.is_copied());
        let finished = result.status.and_then(|status| status.finished_at);
        let status = execution.status;
        let cut_short = matches!(status, ExecutionStatus::Stopped | ExecutionStatus::TimedOut);
        let source = result.source.as_ref();
        Some(Self {
            database: id.to_owned(),
            kind,
            resource_id: resource_id(detail),
            former_name: None,
            retired: retired.is_some(),
            outcome,
            error: detail.error.clone().or_else(|| cut_short.then(|| status.to_string())),
            cause: detail.explanation().or(shortfall),
            started_at: execution.started,
            ended_at: execution.stopped,
            requested_at: copy.as_ref().map(|copy| copy.requested_at),
            verified_at: finished.filter(|_| copy.is_some()),
            captured_at: source.map(Source::data_at),
            source: source.map(|source| source.id.clone()),
            engine: source.map(|source| format!("{} {}", source.engine, source.engine_version)),
            size_gib: source.and_then(Source::data_gib),
            kms_key_arn: copy.as_ref().and_then(|copy| copy.kms_key_arn.clone()),
            copy: copy.map(|copy| copy.id),
            verified_fields: result.verification.agree,
            deleted: result.pruned.deleted.into_iter().map(|deleted| deleted.id).collect(),
            kept: result.pruned.kept.len(),
            link: execution_console_url(region, &execution.arn),
            execution: Some(execution.arn.clone()),
            phases: Phases::default(),
        })
    }

    /// The entry of a copy, by its tags.
    fn from_copy(region: &str, database: &DatabaseCopies, copy: &OwnedCopy) -> Self {
        let OwnedCopy { own, snapshot } = copy;
        let (outcome, error) = match own.status {
            // One that is going was made, and somebody deletes it.
            CopyStatus::Verified | CopyStatus::Going => (EntryOutcome::COPIED, None),
            CopyStatus::Unverified | CopyStatus::InProgress => (EntryOutcome::Running, None),
            CopyStatus::Failed => (EntryOutcome::Failed, Some("CopyFailed")),
            CopyStatus::Mismatched => (EntryOutcome::Failed, Some("CopyMismatch")),
        };
        Self {
            database: database.id.clone(),
            kind: database.kind,
            resource_id: Some(database.resource_id.clone()),
            former_name: None,
            // Only the source region knows.
            retired: false,
            outcome,
            error: error.map(str::to_owned),
            cause: None,
            started_at: own.requested,
            ended_at: copy.verified_at(),
            requested_at: Some(own.requested),
            verified_at: copy.verified_at(),
            captured_at: Some(copy.captured_at()),
            source: own.source_arn.splitn(7, ':').last().map(str::to_owned),
            engine: Some(format!("{} {}", snapshot.engine, snapshot.engine_version)),
            size_gib: snapshot.data_gib(),
            copy: Some(own.id.clone()),
            kms_key_arn: own.kms_key_arn.clone(),
            verified_fields: Vec::new(),
            deleted: Vec::new(),
            kept: 0,
            execution: None,
            link: copy_console_url(region, database.kind, &own.id),
            phases: Phases::default(),
        }
    }

    /// The database with its kind, where it is not an instance.
    pub(crate) fn name(&self) -> String {
        let mut name = database_name(self.kind, &self.database);
        if let Some(former) = &self.former_name {
            name = format!("{name} (then {former})");
        }
        // The outcome says it as well, unless it failed.
        if self.retired && self.outcome != EntryOutcome::RETIRED {
            return format!("{name} (retired)");
        }
        name
    }

    /// `copied`, or the name of the error.
    pub(crate) fn ended(&self) -> String {
        self.error.clone().unwrap_or_else(|| self.outcome.to_string())
    }

    /// How long it took.
    pub(crate) fn took(&self) -> Option<SignedDuration> {
        Some(self.ended_at?.duration_since(self.started_at))
    }

    /// Whether something was copied, is being copied, or failed.
    fn is_work(&self) -> bool {
        self.requested_at.is_some() || matches!(self.outcome, EntryOutcome::Failed | EntryOutcome::Running)
    }
}

/// Why an execution that did not fail did not do all that it should have.
fn shortfall(outcome: EntryOutcome, result: &CopyResult) -> Option<String> {
    let reasons: Vec<String> = match outcome {
        EntryOutcome::NOT_READY => vec![result.reason.clone()],
        EntryOutcome::COPIED_NOT_PRUNED => {
            let refused = result.pruned.refused.iter();
            let refused = refused.map(|refused| format!("{}: {}", refused.id, refused.reason));
            refused.chain(result.warnings.iter().cloned()).collect()
        }
        _ => Vec::new(),
    };
    let reasons = reasons.join("; ");
    (!reasons.is_empty()).then_some(reasons)
}

/// The entries of the stack's executions, without those of dry runs.
/// Beside them, whether they are all.
async fn from_executions(
    account: &Account,
    stack: &Stack,
    since: Timestamp,
) -> Result<(Vec<HistoryEntry>, bool), CliError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Input {
        dry_run: bool,
    }
    let step_functions = &account.step_functions(&stack.region);
    let all = step_functions.executions(&stack.copy_snapshot_arn, since, MAX_EXECUTIONS);
    let Executions {
        found: mut all,
        is_complete,
    } = all.await?;
    all.retain(|execution| ExecutionName::parse(&execution.name).is_some());
    let details = stream::iter(&all).map(async |execution| patiently(account, step_functions, &execution.arn).await);
    let entries = details.buffer_unordered(4).try_filter_map(async |detail| {
        let dry_run = detail.input::<Input>().unwrap_or_default().dry_run;
        let entry = HistoryEntry::from_execution(step_functions.region(), &detail);
        Ok(entry.filter(|_| !dry_run))
    });
    Ok((entries.try_collect().await?, is_complete))
}

/// Gives each entry the present name of its database, by its resource id: a name may have been taken over.
fn rename(entries: &mut [HistoryEntry], fleet: &Fleet) {
    for entry in entries {
        let key = entry.resource_id.clone().map(|id| (entry.kind, id));
        let Some(living) = key.and_then(|key| fleet.get(&key)) else {
            continue;
        };
        if entry.database != living.database.id {
            entry.former_name = Some(std::mem::replace(&mut entry.database, living.database.id.clone()));
        }
    }
}

/// Step Functions answers some hundred such calls at once, and fifteen per second after that.
async fn patiently(account: &Account, step_functions: &StepFunctions, arn: &str) -> Result<ExecutionDetail, CliError> {
    let mut pauses = [2, 4, 8, 16].into_iter();
    loop {
        match (step_functions.detail(arn).await, pauses.next()) {
            (Err(error), Some(seconds)) if error.is_throttled() => account.sleep(Duration::from_secs(seconds)).await,
            (detail, _) => return detail,
        }
    }
}

/// Completes the entries of executions that go on, as far as their copies tell already.
fn join_running(entries: &mut [HistoryEntry], copies: &OwnedCopies) {
    let running = entries.iter_mut().filter(|entry| {
        let is_running = entry.outcome == EntryOutcome::Running;
        is_running && !entry.retired && entry.copy.is_none()
    });
    for entry in running {
        let databases = copies.databases.iter().filter(|database| database.kind == entry.kind);
        let mut same = databases.filter(|database| match &entry.resource_id {
            Some(id) => database.resource_id == *id,
            None => database.id == entry.database,
        });
        let Some(copy) = same.find_map(DatabaseCopies::in_progress) else {
            continue;
        };
        entry.requested_at = Some(copy.own.requested);
        entry.captured_at = Some(copy.captured_at());
        entry.size_gib = copy.snapshot.data_gib();
        entry.copy = Some(copy.own.id.clone());
        entry.kms_key_arn.clone_from(&copy.own.kms_key_arn);
    }
}

/// The entries of the copies that are still there, by their tags: without what was deleted.
fn from_copies(copies: &OwnedCopies, since: Timestamp) -> Vec<HistoryEntry> {
    let databases = copies.databases.iter();
    let all = databases.flat_map(|database| database.copies.iter().map(move |copy| (database, copy)));
    all.filter(|(_, copy)| copy.own.requested >= since)
        .map(|(database, copy)| HistoryEntry::from_copy(&copies.region, database, copy))
        .collect()
}

/// The last stretch of time in which something was copied or failed: a run, or a night of events.
fn last_stretch(entries: &[HistoryEntry], now: Timestamp) -> Vec<usize> {
    let mut stretch = Vec::new();
    let mut begins: Option<Timestamp> = None;
    // The latest first.
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.is_work()) {
        let ends = entry.ended_at.unwrap_or(now);
        let gap = begins.map(|begins| begins.duration_since(ends));
        if stretch.len() == MAX_BARS || gap.is_some_and(|gap| gap > SignedDuration::from_hours(GAP_HOURS)) {
            break;
        }
        begins = Some(begins.map_or(entry.started_at, |begins| begins.min(entry.started_at)));
        stretch.push(at);
    }
    stretch.reverse();
    stretch
}

/// Asks when the last steps of the executions in the timeline began. Without an answer the bar has fewer parts.
async fn look_up_phases(step_functions: &StepFunctions, entries: &mut [HistoryEntry], timeline: &[usize]) {
    let shown = entries.iter_mut().enumerate().filter(|(at, _)| timeline.contains(at));
    let copied = shown.filter(|(_, entry)| entry.verified_at.is_some());
    stream::iter(copied)
        .for_each_concurrent(4, async |(_, entry)| {
            let Some(arn) = &entry.execution else { return };
            let Ok(states) = step_functions.last_states(arn).await else {
                return;
            };
            // The latest first.
            let entered = |name: &str| states.iter().find(|(state, _)| state == name).map(|(_, time)| *time);
            entry.phases = Phases {
                verifying: entered("CheckCopyStatus"),
                pruning: entered("PruneOld"),
            };
        })
        .await;
}
