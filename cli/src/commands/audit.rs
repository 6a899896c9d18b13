//! `snapferry audit`: what was copied, when, under which key, how it was verified and what was deleted, as a table, as
//! JSON or as a page.

use std::collections::BTreeMap;
use std::path::Path;

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use domain::payload::{CopyProgress, CopyRef, PruneReport, Source, Verification};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::{Audit, Global};
use crate::copies::{self, Fleet, Place};
use crate::machines::{Execution, Machines, Named, Record, Stage, console_of_copy, console_of_execution};
use crate::moment::{length, utc};
use crate::status::{self, Line};
use crate::{Cell, Cloud, Column, Ending, Failure, HeldCopy, Screen, Table, Tone, page, words};

/// Most executions that are read.
const MAX_EXECUTIONS: usize = 20_000;

/// Bars of the timeline.
const MAX_BARS: usize = 60;

/// Hours without any execution that end a stretch of the timeline.
const GAP_HOURS: i64 = 6;

/// What happened for one database once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
    /// Whether it no longer existed.
    pub(crate) retired: bool,
    /// `copied`, `current`, `nothing`, `unsupported`, `retired`, `failed` or `running`.
    pub(crate) outcome: String,
    /// The error's name and what there is to say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
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
    /// Fields that were compared with the source and agree.
    pub(crate) verified_fields: Vec<String>,
    pub(crate) deleted: Vec<String>,
    pub(crate) kept: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) execution: Option<String>,
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

/// The audit.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    version: u32,
    pub(crate) now: Timestamp,
    pub(crate) since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stack: Option<String>,
    pub(crate) region: String,
    pub(crate) owner: String,
    pub(crate) objective_seconds: i64,
    /// How each database stands now.
    pub(crate) databases: Vec<Line>,
    /// What happened, the latest first.
    pub(crate) entries: Vec<Entry>,
    /// The last stretch of work, the first first, as places in `entries`.
    #[serde(skip)]
    pub(crate) timeline: Vec<usize>,
    pub(crate) notes: Vec<String>,
}

/// The fields that are read of what an execution of copy-snapshot gives.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    outcome: Option<String>,
    source: Option<Source>,
    copy: Option<CopyRef>,
    status: Option<CopyProgress>,
    verification: Option<Verification>,
    pruned: Option<PruneReport>,
}

/// Collects what happened, and says it.
pub(crate) async fn run(
    cloud: &Cloud,
    global: &Global,
    options: &Audit,
    screen: &mut Screen<'_>,
) -> Result<Ending, Failure> {
    let place = Place::find(cloud, global, &options.place).await?;
    let now = cloud.now();
    let since = options.since.before(now);
    let objective = place.objective(options.objective);
    let standing = status::assess(cloud, &place, now, objective).await?;
    let mut entries = match &place.stack {
        Some(stack) => {
            let machines = cloud.machines(&stack.region);
            let all = machines
                .executions(&stack.copy_snapshot_arn, since, MAX_EXECUTIONS)
                .await?;
            of_executions(cloud, &machines, all).await?
        }
        None => of_copies(&standing.fleet, since),
    };
    join_running(&mut entries, &standing.fleet);
    entries.sort_by(|a, b| (b.started_at, &a.database).cmp(&(a.started_at, &b.database)));
    let timeline = last_stretch(&entries, now);
    if let Some(stack) = place.stack.as_ref().filter(|_| options.html.is_some()) {
        phases(&cloud.machines(&stack.region), &mut entries, &timeline).await;
    }
    let report = Report {
        version: 1,
        now,
        since,
        stack: place.stack.map(|stack| stack.name),
        region: place.region,
        owner: place.owner_id,
        objective_seconds: objective.as_secs(),
        databases: standing.lines,
        entries,
        timeline,
        notes: standing.notes,
    };
    if let Some(file) = &options.html {
        write(file, &page::page(&report))?;
        screen.aside(&format!("Wrote {}.", file.display()));
    }
    if options.json {
        screen.json(&report);
    } else if options.html.is_none() {
        show(&report, screen);
    }
    Ok(Ending::Fine)
}

fn write(file: &Path, page: &str) -> Result<(), Failure> {
    std::fs::write(file, page).map_err(|error| {
        Failure::new(
            format!("{} cannot be written: {error}.", file.display()),
            "Give another file with --html.",
        )
    })
}

/// What the executions tell. Those of dry runs are left out.
async fn of_executions(cloud: &Cloud, machines: &Machines, all: Vec<Execution>) -> Result<Vec<Entry>, Failure> {
    let named = all
        .into_iter()
        .filter(|execution| Named::read(&execution.name).is_some());
    let records = stream::iter(named)
        .map(async |execution| patiently(cloud, machines, &execution.arn).await)
        .buffer_unordered(4)
        .collect::<Vec<_>>();
    let mut entries = Vec::new();
    for record in records.await {
        let record = record?;
        if record.input["dryRun"] != Value::Bool(true) {
            entries.extend(entry(machines.region(), record));
        }
    }
    Ok(entries)
}

/// Step Functions answers some hundred such calls at once, and fifteen a second after that.
async fn patiently(cloud: &Cloud, machines: &Machines, arn: &str) -> Result<Record, Failure> {
    let mut pauses = [2, 4, 8, 16].into_iter();
    loop {
        match (machines.record(arn).await, pauses.next()) {
            (Err(failure), Some(seconds)) if failure.is_throttled() => {
                cloud.sleep(std::time::Duration::from_secs(seconds)).await;
            }
            (record, _) => return record,
        }
    }
}

fn entry(region: &str, record: Record) -> Option<Entry> {
    let Record {
        execution,
        output,
        error,
        cause,
        ..
    } = record;
    let Named { kind, id, retired, .. } = Named::read(&execution.name)?;
    let told: Told = serde_json::from_value(output).unwrap_or_default();
    let pruned = told.pruned.unwrap_or_default();
    let outcome = match execution.stage {
        Stage::Running => "running".to_owned(),
        Stage::Succeeded => told.outcome.unwrap_or_default(),
        Stage::Failed | Stage::Stopped | Stage::TimedOut => "failed".to_owned(),
    };
    // A copy that was there already is not this execution's.
    let copy = told.copy.filter(|_| outcome == "copied");
    let ended = matches!(execution.stage, Stage::Stopped | Stage::TimedOut).then(|| execution.stage.to_string());
    Some(Entry {
        database: id.to_owned(),
        kind,
        retired: retired.is_some(),
        error: error.or(ended),
        cause,
        started_at: execution.started,
        ended_at: execution.stopped,
        requested_at: copy.as_ref().map(|copy| copy.requested_at),
        verified_at: told
            .status
            .and_then(|status| status.finished_at)
            .filter(|_| copy.is_some()),
        captured_at: told.source.as_ref().map(|source| source.created_at),
        size_gib: told.source.as_ref().and_then(|source| source.size_gib),
        engine: told
            .source
            .as_ref()
            .map(|source| format!("{} {}", source.engine, source.engine_version)),
        source: told.source.map(|source| source.id),
        kms_key_arn: copy.as_ref().and_then(|copy| copy.kms_key_arn.clone()),
        copy: copy.map(|copy| copy.id),
        verified_fields: told.verification.unwrap_or_default().agree,
        deleted: pruned.deleted.into_iter().map(|deleted| deleted.id).collect(),
        kept: pruned.kept.len(),
        link: console_of_execution(region, &execution.arn),
        execution: Some(execution.arn),
        phases: Phases::default(),
        outcome,
    })
}

/// What an execution that goes on will tell at its end, as far as its copy tells it already.
fn join_running(entries: &mut [Entry], fleet: &Fleet) {
    let running = entries
        .iter_mut()
        .filter(|entry| entry.outcome == "running" && !entry.retired);
    for entry in running.filter(|entry| entry.copy.is_none()) {
        let databases = fleet.databases.iter();
        let mut same = databases.filter(|database| (database.kind, &database.id) == (entry.kind, &entry.database));
        let under_way = same.find_map(|database| {
            let mut copies = database.copies.iter();
            copies.find(|copy| copy.own.status == CopyStatus::InProgress)
        });
        let Some(copy) = under_way else { continue };
        entry.requested_at = Some(copy.own.requested);
        entry.captured_at = Some(copy.own.source_created);
        entry.size_gib = copy.snapshot.size_gib;
        entry.copy = Some(copy.own.id.clone());
        entry.kms_key_arn.clone_from(&copy.own.kms_key_arn);
    }
}

/// What the copies' tags tell: of those that are still there, and not what was deleted.
fn of_copies(fleet: &Fleet, since: Timestamp) -> Vec<Entry> {
    let databases = fleet.databases.iter();
    let all = databases.flat_map(|database| database.copies.iter().map(move |copy| (database, copy)));
    all.filter(|(_, copy)| copy.own.requested >= since)
        .map(|(database, copy)| of_copy(fleet, database, copy))
        .collect()
}

fn of_copy(fleet: &Fleet, database: &copies::DatabaseCopies, copy: &HeldCopy) -> Entry {
    let snapshot = &copy.snapshot;
    let (outcome, error) = match copy.own.status {
        CopyStatus::Verified => ("copied", None),
        CopyStatus::Unverified | CopyStatus::InProgress => ("running", None),
        CopyStatus::Failed => ("failed", Some("CopyFailed")),
        CopyStatus::Mismatched => ("failed", Some("CopyMismatch")),
    };
    Entry {
        database: database.id.clone(),
        kind: database.kind,
        // Only the source region knows.
        retired: false,
        outcome: outcome.to_owned(),
        error: error.map(str::to_owned),
        cause: None,
        started_at: copy.own.requested,
        ended_at: copy.verified_at(),
        requested_at: Some(copy.own.requested),
        verified_at: copy.verified_at(),
        captured_at: Some(copy.own.source_created),
        source: copy.own.source_arn.splitn(7, ':').last().map(str::to_owned),
        engine: Some(format!("{} {}", snapshot.engine, snapshot.engine_version)),
        size_gib: snapshot.size_gib,
        copy: Some(copy.own.id.clone()),
        kms_key_arn: copy.own.kms_key_arn.clone(),
        verified_fields: Vec::new(),
        deleted: Vec::new(),
        kept: 0,
        execution: None,
        link: console_of_copy(&fleet.region, database.kind, &copy.own.id),
        phases: Phases::default(),
    }
}

/// The last stretch of time in which something was copied or failed: a run, or a night of events.
fn last_stretch(entries: &[Entry], now: Timestamp) -> Vec<usize> {
    let worked = |entry: &Entry| entry.requested_at.is_some() || matches!(entry.outcome.as_str(), "failed" | "running");
    let mut stretch = Vec::new();
    let mut begins: Option<Timestamp> = None;
    // The latest first.
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| worked(entry)) {
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
async fn phases(machines: &Machines, entries: &mut [Entry], timeline: &[usize]) {
    let copied = timeline.iter().filter(|at| entries[**at].verified_at.is_some());
    let asked: Vec<(usize, String)> = copied
        .filter_map(|at| Some((*at, entries[*at].execution.clone()?)))
        .collect();
    let known = stream::iter(asked)
        .map(async |(at, arn)| (at, machines.last_states(&arn).await))
        .buffer_unordered(4)
        .collect::<Vec<_>>();
    for (at, states) in known.await {
        let Ok(states) = states else { continue };
        // The latest first.
        let entered = |name: &str| states.iter().find(|(state, _)| state == name).map(|(_, time)| *time);
        entries[at].phases = Phases {
            verifying: entered("CheckCopyStatus"),
            pruning: entered("PruneOld"),
        };
    }
}

impl Report {
    /// How many ended in which way, the most frequent first.
    pub(crate) fn counts(&self) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry.outcome.as_str()).or_default() += 1;
        }
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }
}

impl Entry {
    /// The database with its kind, where it is not an instance.
    pub(crate) fn name(&self) -> String {
        let kind = match self.kind {
            DatabaseKind::Instance => "",
            DatabaseKind::Cluster => "cluster:",
        };
        // The outcome says it as well, unless it failed.
        let gone = if self.retired && self.outcome != "retired" {
            " (retired)"
        } else {
            ""
        };
        format!("{kind}{}{gone}", self.database)
    }

    /// `copied`, or the name of the error.
    pub(crate) fn ended(&self) -> &str {
        self.error.as_deref().unwrap_or(&self.outcome)
    }

    pub(crate) fn tone(&self) -> Tone {
        match self.outcome.as_str() {
            "copied" => Tone::Good,
            "failed" => Tone::Bad,
            "running" => Tone::Warning,
            _ => Tone::Faint,
        }
    }

    /// How long it took.
    pub(crate) fn took(&self) -> Option<SignedDuration> {
        Some(self.ended_at?.duration_since(self.started_at))
    }

    /// Size in GiB; Aurora always says 1.
    pub(crate) fn size(&self) -> Option<i32> {
        self.size_gib.filter(|size| *size > 1)
    }
}

fn show(report: &Report, screen: &mut Screen<'_>) {
    let counts = report.counts();
    let counted: Vec<String> = counts
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    let what = match &report.stack {
        Some(_) => words::count(report.entries.len(), "execution", "executions"),
        None => format!("{} in {}", words::copies(report.entries.len()), report.region),
    };
    let since = utc(report.since);
    let text = if counted.is_empty() {
        format!("Nothing since {since} UTC.")
    } else {
        format!("{what} since {since} UTC: {}.", counted.join(", "))
    };
    screen.sentence(Tone::Strong, &text);
    screen.line("");
    let mut table = Table::new([
        Column::new("STARTED (UTC)", 0),
        Column::new("DATABASE", 0).cut_to(12),
        Column::new("OUTCOME", 0),
        Column::new("TOOK", 1).flush_right(),
        Column::new("DATA OF (UTC)", 3),
        Column::new("GIB", 4).flush_right(),
        Column::new("DELETED", 2).flush_right(),
        Column::new("COPY", 5),
    ]);
    for entry in &report.entries {
        table.row([
            Cell::from(utc(entry.started_at)),
            Cell::from(entry.name()),
            Cell::new(entry.tone(), entry.ended()),
            Cell::from(entry.took().map(length).unwrap_or_default()),
            Cell::from(entry.captured_at.map(utc).unwrap_or_default()),
            Cell::from(entry.size().map(|size| size.to_string()).unwrap_or_default()),
            Cell::from(match entry.deleted.len() {
                0 => String::new(),
                deleted => deleted.to_string(),
            }),
            Cell::from(entry.copy.clone().unwrap_or_default()),
        ]);
    }
    let text = table.render(screen);
    screen.print(&text);
    for note in &report.notes {
        screen.aside(&format!("note: {note}"));
    }
}
