//! What happened: one entry per execution of copy-snapshot, or, with the source region lost, per copy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use domain::payload::{Outcome, PruneDecision, Source};
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
use crate::facts::copy_list::{CopyLine, add_retention, retention};
use crate::facts::copy_result::CopyResult;
use crate::facts::drill_evidence::DrillEvidence;
use crate::facts::drills::LastDrills;
use crate::facts::evidence::{Comparison, comparisons};
use crate::facts::exceptions::{Exception, drill_exceptions, exceptions, usual_key};
use crate::facts::fleet::Fleet;
use crate::facts::freshness::{Assessment, DatabaseFreshness, assess};
use crate::facts::last_executions::resource_id;
use crate::facts::run_origins::{self, Run, Trigger};
use crate::format::{counted, database_name, format_utc, outcome_word};

/// Most executions that are read.
const MAX_EXECUTIONS: usize = 20_000;

/// What is said where only the region of the copies was asked.
const NO_EXECUTIONS: &str = "Executions of copies are not shown, because the source region, which has them, was not asked: what \
                             is shown of copies is what their tags say.";

/// Bars of the timeline.
pub(crate) const MAX_BARS: usize = 60;

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
    pub(crate) const CURRENT: Self = Self::Ended(Outcome::Current);
    const PENDING: Self = Self::Ended(Outcome::Pending);
    pub(crate) const RETIRED: Self = Self::Ended(Outcome::Retired);

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
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_id: Option<String>,
    /// The name that it had then, if that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) former_name: Option<String>,
    /// Whether it no longer existed.
    pub(crate) retired: bool,
    pub(crate) outcome: EntryOutcome,
    /// The error's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What the error says, or else why nothing was copied, or what was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) requested_at: Option<Timestamp>,
    pub(crate) verified_at: Option<Timestamp>,
    pub(crate) captured_at: Option<Timestamp>,
    pub(crate) source: Option<String>,
    pub(crate) engine: Option<String>,
    pub(crate) size_gib: Option<i32>,
    pub(crate) copy: Option<String>,
    pub(crate) kms_key_arn: Option<String>,
    /// What was compared when it was verified.
    pub(crate) evidence: Vec<Comparison>,
    /// What was deleted, and by which rule.
    pub(crate) deleted: Vec<PruneDecision>,
    kept: usize,
    /// What was said beside the result.
    pub(crate) warnings: Vec<String>,
    /// The run that it belongs to, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) execution: Option<String>,
    /// The execution, or without it the copy, in the console.
    pub(crate) link: String,
    /// When the last check and the pruning began.
    #[serde(skip)]
    pub(crate) phases: Phases,
    /// How far a failed copy was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) percent: Option<i32>,
    /// Copies that RDS did not let go.
    #[serde(skip)]
    refused: Vec<PruneDecision>,
    /// What its run gave its name.
    #[serde(skip)]
    suffix: String,
    /// Whether an RDS event started its run.
    #[serde(skip)]
    is_of_event: bool,
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
    /// The program that wrote it, with its commit.
    pub(crate) generator: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stack: Option<String>,
    /// Regions of the databases.
    pub(crate) source_regions: Vec<String>,
    pub(crate) region: String,
    pub(crate) owner: String,
    objective_seconds: i64,
    /// The stack's parameters that say what is kept, when runs start and which key encrypts.
    pub(crate) policy: BTreeMap<&'static str, String>,
    /// The key that most verified copies are encrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usual_key: Option<String>,
    pub(crate) databases: Vec<DatabaseFreshness>,
    /// Every copy that is held, the newest data of each database first.
    pub(crate) copies: Vec<CopyLine>,
    pub(crate) exceptions: Vec<Exception>,
    /// The latest first.
    pub(crate) runs: Vec<Run>,
    /// The latest first.
    pub(crate) entries: Vec<HistoryEntry>,
    /// Whether that is everything that happened since then.
    complete: bool,
    /// Whether `entries` are executions; without the source region they are what the tags of copies say.
    executions_shown: bool,
    /// The drills of the destination stack, if there is one that can be read.
    pub(crate) drills: Option<DrillEvidence>,
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
        watch_stack: &str,
        with_phases: bool,
    ) -> Result<Self, CliError> {
        let now = account.now();
        let mut assessment = assess(account, &source, now, objective).await?;
        let (mut entries, complete) = match &source.stack {
            Some(stack) => from_executions(account, stack, since).await?,
            None => (from_copies(&assessment.copies, since), true),
        };
        if source.stack.is_none() {
            assessment.notes.push(NO_EXECUTIONS.to_owned());
        }
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
        join_failed(&mut entries, &assessment.copies);
        entries.sort_by(|a, b| (b.started_at, &a.database).cmp(&(a.started_at, &b.database)));
        let runs = match &source.stack {
            Some(stack) => read_runs(account, stack, since, &mut entries).await,
            None => Ok(Vec::new()),
        };
        let runs = runs.unwrap_or_else(|error| {
            let note = format!("Which runs there were is not known. {error}");
            assessment.notes.push(note.replace('\n', " "));
            Vec::new()
        });
        let timeline = last_stretch(&entries, now);
        if let Some(stack) = source.stack.as_ref().filter(|_| with_phases) {
            look_up_phases(&account.step_functions(&stack.region), &mut entries, &timeline).await;
        }
        let copies = inventory(&assessment, source.stack.as_ref(), &entries, now);
        let Assessment {
            copies: owned,
            mut databases,
            warnings,
            mut notes,
            fleet,
        } = assessment;
        let mut drills = DrillEvidence::collect(account, &source, watch_stack, since, &mut notes).await;
        if let Some(drills) = &mut drills {
            let last = LastDrills::read(account, &owned, &source.owner_id).await;
            for database in &mut databases {
                database.add_drill(&last);
            }
            drills.find_not_proved(&owned, fleet.as_ref(), &last, now, objective);
            notes.extend(last.note);
        }
        let of_run = match &source.stack {
            Some(stack) => run_origins::last_warnings(&account.step_functions(&stack.region), &runs).await,
            None => Vec::new(),
        };
        let said = warnings.iter().chain(&of_run).map(|warning| (None, warning.clone()));
        let of_drills = drills.as_ref().map(|drills| drill_exceptions(drills, &databases));
        let mut exceptions = exceptions(&owned, fleet.as_ref(), said.chain(last_warnings(&entries)));
        // They stand in the order of their kinds, of which those of drills are the first.
        exceptions.splice(0..0, of_drills.into_iter().flatten());
        Ok(Self {
            version: 2,
            now,
            since,
            generator: env!("SNAPFERRY_VERSION"),
            account: account_of(&source, &owned),
            source_regions: source_regions(&source, &owned),
            policy: source
                .stack
                .as_ref()
                .map(|stack| stack.policy.clone())
                .unwrap_or_default(),
            usual_key: usual_key(&owned),
            copies,
            exceptions,
            runs,
            drills,
            executions_shown: source.stack.is_some(),
            stack: source.stack.map(|stack| stack.name),
            region: source.region,
            owner: source.owner_id,
            objective_seconds: objective.as_secs(),
            databases,
            entries,
            complete,
            timeline,
            notes: warnings.into_iter().chain(notes).collect(),
        })
    }

    /// Number of entries per outcome, the most frequent first: `3 copied, 1 failed`.
    pub(crate) fn counted(&self) -> String {
        self.counted_as(|entry| entry.outcome.to_string())
    }

    /// The same in other words.
    pub(crate) fn counted_as(&self, word: impl Fn(&HistoryEntry) -> String) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(word(entry)).or_default() += 1;
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counted(counts.iter().map(|(outcome, count)| (outcome.as_str(), *count)))
    }

    /// The last stretch of work, in order of time.
    pub(crate) fn timeline(&self) -> Vec<&HistoryEntry> {
        self.timeline.iter().map(|at| &self.entries[*at]).collect()
    }

    /// What started the run of each entry.
    pub(crate) fn triggers(&self) -> Triggers<'_> {
        let runs = self.runs.iter();
        Triggers(runs.map(|run| (run.name.as_str(), run.started_by)).collect())
    }

    /// Whether the last stretch of work has more executions than the timeline shows.
    pub(crate) fn is_timeline_cut(&self) -> bool {
        self.timeline.len() == MAX_BARS
    }

    /// Maximum age of the newest verified copy of a database.
    pub(crate) fn objective(&self) -> SignedDuration {
        SignedDuration::from_secs(self.objective_seconds)
    }
}

/// What started each run, by its name.
pub(crate) struct Triggers<'a>(BTreeMap<&'a str, Trigger>);

impl Triggers<'_> {
    /// In a few words; nothing if it is not known.
    pub(crate) fn trigger_of(&self, entry: &HistoryEntry) -> &'static str {
        let run = entry.run.as_deref().and_then(|run| self.0.get(run));
        run.map_or("", |trigger| trigger.words())
    }
}

impl HistoryEntry {
    /// The entry of an execution whose name says what it is of.
    fn from_execution(region: &str, detail: &ExecutionDetail) -> Option<Self> {
        let execution = &detail.execution;
        let ExecutionName {
            kind,
            id,
            suffix,
            retired,
        } = ExecutionName::parse(&execution.name)?;
        let result = CopyResult::from(detail);
        let outcome = EntryOutcome::new(execution.status, &result);
        let shortfall = shortfall(outcome, &result);
        let evidence = if outcome.is_copied() {
            comparisons(&result)
        } else {
            Vec::new()
        };
        let refused = result.pruned.refused.iter().map(|refused| PruneDecision {
            id: refused.id.clone(),
            reason: format!("RDS refused to delete it: {}", refused.reason),
        });
        let refused = refused.collect();
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
            evidence,
            deleted: result.pruned.deleted,
            kept: result.pruned.kept.len(),
            warnings: result.warnings,
            run: None,
            link: execution_console_url(region, &execution.arn),
            execution: Some(execution.arn.clone()),
            phases: Phases::default(),
            percent: None,
            refused,
            suffix: suffix.to_owned(),
            is_of_event: is_of_event(detail),
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
            evidence: Vec::new(),
            deleted: Vec::new(),
            kept: 0,
            warnings: Vec::new(),
            run: None,
            execution: None,
            link: copy_console_url(region, database.kind, &own.id),
            phases: Phases::default(),
            percent: (outcome == EntryOutcome::Failed).then_some(snapshot.percent),
            refused: Vec::new(),
            suffix: String::new(),
            is_of_event: false,
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

/// Why an execution that did not fail copied nothing, or did not do all that it should have.
fn shortfall(outcome: EntryOutcome, result: &CopyResult) -> Option<String> {
    let reasons: Vec<String> = match outcome {
        EntryOutcome::Running | EntryOutcome::Failed | EntryOutcome::COPIED => Vec::new(),
        EntryOutcome::COPIED_NOT_PRUNED => {
            let refused = result.pruned.refused.iter();
            let refused = refused.map(|refused| format!("{}: {}", refused.id, refused.reason));
            refused.chain(result.warnings.iter().cloned()).collect()
        }
        EntryOutcome::Ended(_) => vec![result.reason.clone()],
    };
    let reasons: Vec<String> = reasons.into_iter().filter(|reason| !reason.is_empty()).collect();
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
    let details = stream::iter(&all).map(async |execution| {
        let pause = async |seconds| account.sleep(Duration::from_secs(seconds)).await;
        step_functions.patient_detail(&execution.arn, pause).await
    });
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

/// The run of each entry, and all runs, the latest first.
async fn read_runs(
    account: &Account,
    stack: &Stack,
    since: Timestamp,
    entries: &mut [HistoryEntry],
) -> Result<Vec<Run>, CliError> {
    let worked: Vec<(String, bool)> = entries
        .iter()
        .map(|entry| (entry.suffix.clone(), entry.is_of_event))
        .collect();
    let runs = run_origins::read(&account.step_functions(&stack.region), stack, since, &worked).await?;
    for entry in entries {
        entry.run = runs.get(&entry.suffix).map(|run| run.name.clone());
    }
    let mut runs: Vec<Run> = runs.into_values().collect();
    runs.sort_by(|a, b| (b.started_at, &a.name).cmp(&(a.started_at, &b.name)));
    Ok(runs)
}

/// Whether the input says that an RDS event started the run: then it names the snapshot.
fn is_of_event(detail: &ExecutionDetail) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Input {
        snapshot: Option<String>,
    }
    detail.input::<Input>().unwrap_or_default().snapshot.is_some()
}

/// Every copy that is held, with what retention says of it; that is not known without the stack.
fn inventory(
    assessment: &Assessment,
    stack: Option<&Stack>,
    entries: &[HistoryEntry],
    now: Timestamp,
) -> Vec<CopyLine> {
    let fleet = assessment.fleet.as_ref();
    let databases = &assessment.copies.databases;
    let mut lines: Vec<CopyLine> = databases
        .iter()
        .flat_map(|database| CopyLine::from_database(database, fleet, now))
        .collect();
    lines.sort_by(|a, b| a.order().cmp(&b.order()));
    if let Some(stack) = stack {
        let found = databases
            .iter()
            .map(|database| retention(&stack.retention, database, fleet, now));
        add_retention(&mut lines, found.flatten().collect());
    }
    // The latest first: what a later one said counts.
    let mut refused: BTreeMap<&str, &str> = BTreeMap::new();
    for copy in entries.iter().flat_map(|entry| &entry.refused) {
        refused.entry(&copy.id).or_insert(&copy.reason);
    }
    for line in lines.iter_mut().filter(|line| line.is_to_go(now)) {
        if let Some(reason) = refused.get(line.copy.as_str()) {
            line.retention = Some((*reason).to_owned());
        }
    }
    lines
}

/// What the last execution of each database warned of.
fn last_warnings(entries: &[HistoryEntry]) -> Vec<(Option<String>, String)> {
    let mut seen = BTreeSet::new();
    let last = entries
        .iter()
        .filter(|entry| seen.insert((&entry.database, entry.kind, entry.retired)));
    last.flat_map(|entry| {
        entry
            .warnings
            .iter()
            .map(|warning| (Some(entry.name()), warning.clone()))
    })
    .collect()
}

/// The account of the stack, or of the copies.
fn account_of(source: &CopySource, copies: &OwnedCopies) -> Option<String> {
    if let Some(stack) = &source.stack {
        return stack.account().map(str::to_owned);
    }
    let arn = copies.databases.iter().flat_map(|database| &database.copies).next()?;
    arn.own.arn.split(':').nth(4).map(str::to_owned)
}

/// The regions of the databases.
fn source_regions(source: &CopySource, copies: &OwnedCopies) -> Vec<String> {
    if let Some(stack) = &source.stack {
        return vec![stack.region.clone()];
    }
    let regions: BTreeSet<&String> = copies
        .databases
        .iter()
        .map(|database| &database.source_region)
        .collect();
    regions.into_iter().cloned().collect()
}

/// Completes the entries of executions whose copy failed, by what is left of it: when it was asked for, and how far it was.
fn join_failed(entries: &mut [HistoryEntry], copies: &OwnedCopies) {
    let failed = entries
        .iter_mut()
        .filter(|entry| entry.outcome == EntryOutcome::Failed && !entry.retired && entry.copy.is_none());
    for entry in failed {
        let databases = copies.databases.iter().filter(|database| database.kind == entry.kind);
        let same = databases.filter(|database| match &entry.resource_id {
            Some(id) => database.resource_id == *id,
            None => database.id == entry.database,
        });
        let period = entry.started_at..=entry.ended_at.unwrap_or(entry.started_at);
        let mut made = same.flat_map(|database| &database.copies).filter(|copy| {
            let has_failed = matches!(copy.own.status, CopyStatus::Failed | CopyStatus::Mismatched);
            has_failed && period.contains(&copy.own.requested)
        });
        let Some(copy) = made.next() else { continue };
        entry.requested_at = Some(copy.own.requested);
        entry.captured_at = Some(copy.captured_at());
        entry.source = copy.own.source_arn.splitn(7, ':').last().map(str::to_owned);
        entry.size_gib = copy.snapshot.data_gib();
        entry.copy = Some(copy.own.id.clone());
        entry.kms_key_arn.clone_from(&copy.own.kms_key_arn);
        entry.percent = Some(copy.snapshot.percent);
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
