//! The audit as a page: one file, no scripts, no network. Its text is in `templates/audit_page.html`, in the folder that
//! askama reads by default; here is what it shows, and the lengths of its bars.
//!
//! The charts are lists whose texts say what the bars show, so that they read on any screen, on paper and aloud. There is
//! one row per database, and what happened to it is folded under it: a page of 500 databases and a week stays short.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use domain::kind::DatabaseKind;
use domain::payload::Outcome;
use jiff::{SignedDuration, Timestamp};

use crate::error::CliError;
use crate::facts::copy_list::CopyLine;
use crate::facts::evidence::{Comparison, ComparisonResult};
use crate::facts::exceptions::Exception;
use crate::facts::freshness::{DatabaseFreshness, Freshness, living_and_missed};
use crate::facts::history::{EntryOutcome, History, HistoryEntry, MAX_BARS};
use crate::facts::run_origins::{Run, Trigger};
use crate::format::{copies, database_name, databases, format_duration, format_utc, key_id, plural};

/// What every page has near its beginning, those of earlier commits too, and nothing else does.
pub(crate) const MARK: &str = "<title>Database copies in ";

/// Ages beyond this many objectives are drawn alike, or one of them would hide the differences of all others.
const MAX_OBJECTIVES: i64 = 3;

/// Nothing that happened is too short to be seen: percent of the timeline.
const MIN_PERCENT: f64 = 0.4;

/// The end of a failed bar, in percent of the timeline.
const FAILED_PERCENT: f64 = 2.5;

/// Most runs that are listed, and most of those that events started: there is one for each snapshot.
const MAX_RUNS: usize = 100;
const MAX_EVENT_RUNS: usize = 20;

/// Most executions that are all links: the address of one is as long as all else that is said of it.
const MAX_LINKED: usize = 1000;

/// Most executions and copies of a page that prints unfolded.
const MAX_PRINTED: usize = 300;

/// The page. Nothing that a tag or a message says becomes markup: the template escapes what it shows.
#[derive(Template)]
#[template(path = "audit_page.html")]
struct AuditPage<'a> {
    history: &'a History,
    sha256: &'a str,
    objective: String,
    living: usize,
    missed: usize,
    /// The age that the longest bars stand for, and where in them the RPO objective is, in percent.
    longest: String,
    mark: f64,
    facts: Vec<(&'static str, String)>,
    failures: Vec<Failure<'a>>,
    rows: Vec<DatabaseRow<'a>>,
    retired: Vec<DatabaseRow<'a>>,
    exceptions: Vec<(String, Vec<&'a Exception>)>,
    timeline: Option<Timeline<'a>>,
    runs: Vec<RunRow<'a>>,
    hidden_runs: usize,
    counted: String,
    /// What the links to executions and runs begin with.
    prefixes: BTreeSet<&'a str>,
    links_all: bool,
    prints_unfolded: bool,
}

impl AuditPage<'_> {
    fn utc(time: &Timestamp) -> String {
        format_utc(*time)
    }
}

/// Executions of a database that failed in the same way.
struct Failure<'a> {
    latest: &'a HistoryEntry,
    name: String,
    number: usize,
    /// Whether a later execution copied the database.
    is_made_good: bool,
}

/// A database, its copies, and what happened to it.
struct DatabaseRow<'a> {
    name: String,
    class: &'static str,
    /// The class and the length of its bar, in percent.
    bar: Option<(&'static str, f64)>,
    value: String,
    held: String,
    /// Why it is in this state, and what helps.
    reason: Option<String>,
    copies: Vec<CopyItem<'a>>,
    evidence: Vec<Evidence>,
    /// Those that failed, go on, or left something undone.
    executions: Vec<ExecutionItem<'a>>,
    copied: Vec<ExecutionItem<'a>>,
    uneventful: Vec<Group>,
    deleted: Vec<Group>,
}

/// A copy that is held.
struct CopyItem<'a> {
    line: &'a CopyLine,
    text: String,
}

/// What copies were compared by: the same values for all of them.
struct Evidence {
    /// Which executions' copies, if not all of the list.
    of: String,
    fields: Vec<String>,
}

/// An execution.
struct ExecutionItem<'a> {
    started: String,
    /// The execution, or without it the copy.
    name: &'a str,
    link: Option<&'a str>,
    word: String,
    class: &'static str,
    text: String,
    cause: Option<&'a str>,
}

/// What happened more than once for the same reason.
struct Group {
    word: &'static str,
    reason: String,
    /// Times, or names of copies.
    items: Vec<String>,
}

/// Adds to the group of this reason.
fn add(groups: &mut Vec<Group>, word: &'static str, reason: &str, item: String) {
    match groups.iter_mut().find(|one| one.word == word && one.reason == reason) {
        Some(known) => known.items.push(item),
        None => groups.push(Group {
            word,
            reason: reason.to_owned(),
            items: vec![item],
        }),
    }
}

/// What the last stretch of work did when.
struct Timeline<'a> {
    count: String,
    begins: String,
    ends: String,
    rows: Vec<TimelineRow<'a>>,
}

/// A row of the timeline.
struct TimelineRow<'a> {
    name: String,
    link: &'a str,
    bars: Vec<Bar>,
    value: String,
    class: &'static str,
}

/// A run.
struct RunRow<'a> {
    run: &'a Run,
    status: String,
    class: &'static str,
    took: String,
    databases: String,
}

/// A part of a bar: where it begins and how long it is, in percent.
struct Bar {
    class: &'static str,
    from: f64,
    width: f64,
}

impl Bar {
    /// A part that can be seen and does not go beyond its row.
    fn new(class: &'static str, from: f64, width: f64) -> Self {
        let from = from.clamp(0.0, 100.0 - MIN_PERCENT);
        Self {
            class,
            from,
            width: width.min(100.0 - from),
        }
    }
}

/// The page as HTML. `sha256` is that of the same facts as JSON.
pub(crate) fn audit_page(history: &History, sha256: &str) -> Result<String, CliError> {
    let limit = history.objective().as_secs();
    let is_alive = |database: &&DatabaseFreshness| database.state != Freshness::Retired;
    let oldest = history.databases.iter().filter(is_alive);
    let oldest = oldest.filter_map(|database| database.age_seconds).max();
    let scale = oldest
        .unwrap_or_default()
        .min(limit * MAX_OBJECTIVES)
        .max(limit * 5 / 4);
    let (living, missed) = living_and_missed(&history.databases);
    let (rows, retired) = Rows::new(history, limit, scale).build();
    let (runs, hidden_runs) = runs(history);
    let page = AuditPage {
        history,
        sha256,
        objective: format_duration(history.objective()),
        living,
        missed,
        longest: format_duration(SignedDuration::from_secs(scale)),
        mark: percent(limit, scale),
        facts: facts(history),
        failures: failures(history),
        rows,
        retired,
        exceptions: exceptions(history),
        timeline: timeline(history),
        runs,
        hidden_runs,
        counted: history.counted(),
        prefixes: prefixes(history),
        links_all: history.entries.len() <= MAX_LINKED,
        prints_unfolded: history.entries.len() + history.copies.len() <= MAX_PRINTED,
    };
    match page.render() {
        Ok(html) => Ok(html + "\n"),
        Err(error) => Err(CliError::new(format!("The page cannot be written: {error}."), "")),
    }
}

/// What is reported of, and the policy in force.
fn facts(history: &History) -> Vec<(&'static str, String)> {
    let policy = |name: &str| history.policy.get(name).cloned();
    let period = format!("{} to {} UTC", format_utc(history.since), format_utc(history.now));
    let held = {
        let of: BTreeSet<_> = history.copies.iter().map(|copy| &copy.resource_id).collect();
        let verified = history.copies.iter().filter(|copy| copy.verified_at.is_some()).count();
        let (all, of) = (copies(history.copies.len()), databases(of.len()));
        format!("{all} of {of}, {verified} of them verified")
    };
    let key = policy("DestinationKmsKey").map(|key| match &history.usual_key {
        Some(usual) if *usual != key => format!("{key}; most copies: {usual}"),
        _ => key,
    });
    let all = [
        ("AWS account", history.account.clone()),
        ("Source region", Some(history.source_regions.join(", "))),
        ("Destination region", Some(history.region.clone())),
        ("Stack", history.stack.clone()),
        ("Owner of the copies", Some(history.owner.clone())),
        ("Period", Some(period)),
        ("RPO objective", Some(format_duration(history.objective()))),
        ("Retention", retention(&history.policy)),
        ("Schedule", policy("ScheduleExpression")),
        ("Selection", policy("Selection")),
        ("KMS key of the copies", key.or_else(|| history.usual_key.clone())),
        ("Copies held", Some(held)),
        ("Written by", Some(format!("snapferry {}", history.generator))),
    ];
    let all = all.into_iter();
    all.filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
        .collect()
}

/// The retention that the stack's parameters ask for, in a sentence; tags of a database may ask for more.
fn retention(policy: &BTreeMap<&'static str, String>) -> Option<String> {
    let number = |name: &str| policy.get(name).filter(|value| *value != "0");
    let mut kept: Vec<String> = Vec::new();
    if let Some(copies) = number("KeepCopies") {
        kept.push(format!("the newest {copies} verified copies of each database"));
    }
    if let Some(days) = number("KeepDays") {
        kept.push(format!("every verified copy of the last {days} days"));
    }
    for (name, period) in [
        ("KeepDaily", "days"),
        ("KeepWeekly", "weeks"),
        ("KeepMonthly", "months"),
        ("KeepYearly", "years"),
    ] {
        if let Some(number) = number(name) {
            kept.push(format!("the last of each of {number} {period}"));
        }
    }
    if kept.is_empty() {
        return None;
    }
    let mut parts = vec![format!("Kept are {}", kept.join(", "))];
    if policy.contains_key("RetiredKeepDays") {
        parts.push(match number("RetiredKeepDays") {
            Some(days) => format!(
                "of deleted databases every copy for {days} days, then by the same rules, and the newest verified one for ever"
            ),
            None => "of deleted databases every copy for ever".to_owned(),
        });
    }
    if let Some(number) = number("MaxDeletesPerRun") {
        parts.push(format!(
            "at most {number} verified copies of a database are deleted per execution"
        ));
    }
    Some(format!("{}. Tags of a database may ask for more.", parts.join("; ")))
}

/// What failed, the latest first: one line per database and error.
fn failures(history: &History) -> Vec<Failure<'_>> {
    let mut failures: Vec<Failure<'_>> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut copied: BTreeSet<String> = BTreeSet::new();
    // The latest first.
    for entry in &history.entries {
        let name = entry.name();
        if entry.outcome.is_copied() || entry.outcome == EntryOutcome::CURRENT {
            copied.insert(name);
            continue;
        }
        if entry.outcome != EntryOutcome::Failed {
            continue;
        }
        let place = places.entry((name.clone(), entry.ended())).or_insert(failures.len());
        match failures.get_mut(*place) {
            Some(known) => known.number += 1,
            None => failures.push(Failure {
                latest: entry,
                number: 1,
                is_made_good: copied.contains(&name),
                name,
            }),
        }
    }
    failures.sort_by_key(|failure| failure.is_made_good);
    failures
}

/// What the page shows of each database, while it is put together.
struct Rows<'a> {
    history: &'a History,
    limit: i64,
    scale: i64,
    copies: BTreeMap<Key<'a>, Vec<&'a CopyLine>>,
    entries: BTreeMap<Key<'a>, Vec<&'a HistoryEntry>>,
}

/// A database: its kind and its resource id, or its name where nothing else is known.
type Key<'a> = (DatabaseKind, &'a str);

impl<'a> Rows<'a> {
    fn new(history: &'a History, limit: i64, scale: i64) -> Self {
        let mut rows = Self {
            history,
            limit,
            scale,
            copies: BTreeMap::new(),
            entries: BTreeMap::new(),
        };
        for copy in &history.copies {
            let all = rows.copies.entry((copy.kind, &copy.resource_id)).or_default();
            all.push(copy);
        }
        let living = history.databases.iter().filter(|one| one.state != Freshness::Retired);
        let ids: BTreeMap<Key<'_>, &str> = living
            .filter_map(|one| Some(((one.kind, one.database.as_str()), one.resource_id.as_deref()?)))
            .collect();
        for entry in &history.entries {
            // Executions of earlier releases do not say which database they were for.
            let of_name = ids
                .get(&(entry.kind, entry.database.as_str()))
                .filter(|_| !entry.retired);
            let id = entry
                .resource_id
                .as_deref()
                .or(of_name.copied())
                .unwrap_or(&entry.database);
            rows.entries.entry((entry.kind, id)).or_default().push(entry);
        }
        rows
    }

    /// The rows of the databases that exist, the worst first, and those of the others.
    fn build(mut self) -> (Vec<DatabaseRow<'a>>, Vec<DatabaseRow<'a>>) {
        let (mut living, mut retired) = (Vec::new(), Vec::new());
        for database in &self.history.databases {
            let key = (
                database.kind,
                database.resource_id.as_deref().unwrap_or(&database.database),
            );
            let row = self.row(database, key);
            if database.state == Freshness::Retired {
                retired.push(row);
            } else {
                living.push(row);
            }
        }
        // Of what no copy is left, and what is left out now.
        for (_, entries) in std::mem::take(&mut self.entries) {
            let Some(latest) = entries.first() else { continue };
            let (is_retired, name) = (latest.retired, latest.name());
            let row = self.with_executions(
                DatabaseRow {
                    value: "no copy held".to_owned(),
                    ..DatabaseRow::new(name, "faint")
                },
                Vec::new(),
                &entries,
            );
            if is_retired {
                retired.push(row);
            } else {
                living.push(row);
            }
        }
        (living, retired)
    }

    fn row(&mut self, database: &DatabaseFreshness, key: Key<'a>) -> DatabaseRow<'a> {
        let nearly_late = database.is_nearly_late(SignedDuration::from_secs(self.limit));
        let (word, bar, class) = match database.state {
            Freshness::NoCopy => ("no verified copy", "is-bad", "bad"),
            Freshness::Late => ("late", "is-bad", "bad"),
            Freshness::Good if nearly_late => ("", "is-soon", "soon"),
            Freshness::Good => ("", "is-good", "good"),
            Freshness::FirstCopyPending => ("first copy pending", "is-soon", "soon"),
            Freshness::NoSnapshots => ("makes no snapshots", "queued", "faint"),
            Freshness::Unsupported => ("not supported by AWS", "queued", "faint"),
            Freshness::Excluded => ("left out", "queued", "faint"),
            Freshness::Retired => ("", "queued", "faint"),
        };
        let age = database.age().map(format_duration);
        let value: Vec<&str> = age
            .iter()
            .map(String::as_str)
            .chain(Some(word))
            .filter(|part| !part.is_empty())
            .collect();
        let value = if value.is_empty() {
            "no verified copy".to_owned()
        } else {
            value.join(", ")
        };
        // Without an age there is nothing to draw (N48), and nobody waits for copies of what is gone.
        let age = database.age_seconds.filter(|_| database.state != Freshness::Retired);
        let bar = age.map(|age| (bar, percent(age.min(self.scale), self.scale)));
        let reasons = [&database.reason, &database.remedy];
        let reasons: Vec<&str> = reasons.into_iter().flatten().map(String::as_str).collect();
        let row = DatabaseRow {
            bar,
            value,
            reason: Some(reasons.join(". ")).filter(|reason| !reason.is_empty()),
            ..DatabaseRow::new(database_name(database.kind, &database.database), class)
        };
        let copies = self.copies.remove(&key).unwrap_or_default();
        let entries = self.entries.remove(&key).unwrap_or_default();
        self.with_executions(row, copies, &entries)
    }

    fn with_executions(
        &self,
        row: DatabaseRow<'a>,
        held_copies: Vec<&'a CopyLine>,
        entries: &[&'a HistoryEntry],
    ) -> DatabaseRow<'a> {
        let failed = entries
            .iter()
            .filter(|entry| entry.outcome == EntryOutcome::Failed)
            .count();
        let unit = match self.history.stack {
            Some(_) => plural(entries.len(), "execution", "executions"),
            None => format!("{} of the period", entries.len()),
        };
        let held = format!("{}, {unit}", copies(held_copies.len()));
        let held = match failed {
            0 => held,
            failed => format!("{held}, {failed} failed"),
        };
        let (mut executions, mut copied) = (Vec::new(), Vec::new());
        let (mut uneventful, mut deleted) = (Vec::new(), Vec::new());
        let links_all = self.history.entries.len() <= MAX_LINKED;
        for entry in entries {
            for copy in &entry.deleted {
                add(&mut deleted, "", &copy.reason, copy.id.clone());
            }
            let word = match entry.outcome {
                EntryOutcome::Ended(outcome) => uneventful_word(outcome),
                EntryOutcome::Running | EntryOutcome::Failed => None,
            };
            let time = format_utc(entry.started_at);
            if let Some(word) = word {
                let reason = entry.cause.as_deref().unwrap_or_default();
                add(&mut uneventful, word, reason, time);
            } else if entry.outcome == EntryOutcome::COPIED {
                let is_linked = links_all || copied.is_empty();
                copied.push(execution_item(entry, is_linked));
            } else {
                executions.push(execution_item(entry, true));
            }
        }
        DatabaseRow {
            held,
            copies: held_copies.into_iter().map(|line| self.copy(line)).collect(),
            evidence: evidence(entries, &self.history.region),
            executions,
            copied,
            uneventful,
            deleted,
            ..row
        }
    }

    fn copy(&self, line: &'a CopyLine) -> CopyItem<'a> {
        let state = match (line.percent, line.verified_at) {
            (Some(percent), _) => format!("{}, {percent} %", line.state),
            (None, Some(time)) => format!("{} {}", line.state, format_utc(time)),
            (None, None) => line.state.to_owned(),
        };
        let mut parts = vec![state];
        parts.push(format!("recovery point {}", format_utc(line.captured_at)));
        parts.extend(line.size_gib.map(|size| format!("{size} GiB")));
        parts.push(match (line.encryption, &line.kms_key_arn) {
            ("none", _) => "not encrypted".to_owned(),
            ("sse-rds", _) => "encrypted with a key that AWS owns".to_owned(),
            // The header names it once for all.
            (_, Some(key)) if Some(key) == self.history.usual_key.as_ref() => String::new(),
            (_, Some(key)) => format!("encrypted with {}", key_id(key, &self.history.region)),
            (encryption, None) => format!("encrypted ({encryption})"),
        });
        if line.hold {
            parts.push("held by a person".to_owned());
        }
        parts.retain(|part| !part.is_empty());
        let text = parts.join(", ");
        let text = match &line.retention {
            Some(reason) => format!("{text}. Retention: {reason}"),
            None => text,
        };
        CopyItem { line, text }
    }
}

impl DatabaseRow<'_> {
    fn new(name: String, class: &'static str) -> Self {
        Self {
            name,
            class,
            bar: None,
            value: String::new(),
            held: String::new(),
            reason: None,
            copies: Vec::new(),
            evidence: Vec::new(),
            executions: Vec::new(),
            copied: Vec::new(),
            uneventful: Vec::new(),
            deleted: Vec::new(),
        }
    }
}

/// An execution, with what it did.
fn execution_item(entry: &HistoryEntry, is_linked: bool) -> ExecutionItem<'_> {
    let arn = entry.execution.as_deref();
    let name = arn.and_then(|arn| arn.rsplit(':').next()).or(entry.copy.as_deref());
    let word = match (entry.outcome, entry.percent) {
        (EntryOutcome::Failed, Some(percent)) => format!("{} at {percent} %", entry.ended()),
        _ => entry.ended(),
    };
    let copy = entry.copy.as_deref().filter(|_| arn.is_some());
    let mut parts = Vec::new();
    parts.extend(match (&entry.source, copy) {
        (Some(source), Some(copy)) => Some(format!("{source} \u{2192} {copy}")),
        (Some(source), None) => Some(source.clone()),
        (None, copy) => copy.map(str::to_owned),
    });
    // Where it was compared, the evidence has it.
    if entry.evidence.is_empty() {
        parts.extend(entry.engine.clone());
        parts.extend(entry.size_gib.map(|size| format!("{size} GiB")));
    }
    parts.extend(
        entry
            .captured_at
            .map(|time| format!("recovery point {}", format_utc(time))),
    );
    if let Some(time) = entry.verified_at {
        let (day, minute) = (format_utc(entry.started_at), format_utc(time));
        // The day is said once.
        let same_day = day.split(' ').next() == minute.split(' ').next();
        let text = minute.split(' ').next_back().filter(|_| same_day).unwrap_or(&minute);
        parts.push(format!("verified {text}"));
    }
    if entry.outcome != EntryOutcome::COPIED {
        parts.extend(entry.took().map(|took| format!("took {}", format_duration(took))));
    }
    ExecutionItem {
        started: format_utc(entry.started_at),
        name: name.unwrap_or("execution"),
        link: is_linked.then_some(entry.link.as_str()),
        word,
        class: outcome_class(entry.outcome),
        text: parts.join(", "),
        cause: entry.cause.as_deref(),
    }
}

/// The word for an execution that had nothing to do; nothing if it had.
fn uneventful_word(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Current => Some("up to date"),
        Outcome::Nothing => Some("no snapshot to copy"),
        Outcome::Unsupported => Some("not supported by AWS"),
        Outcome::Retired => Some("source deleted, copies pruned"),
        Outcome::UnderWay => Some("already in progress"),
        Outcome::Pending | Outcome::Planned => Some("not finished"),
        Outcome::Copied | Outcome::CopiedNotPruned | Outcome::NotReady => None,
    }
}

/// What the copies of a database were compared by. Copies with the same values share a paragraph.
fn evidence(entries: &[&HistoryEntry], region: &str) -> Vec<Evidence> {
    let compared: Vec<&&HistoryEntry> = entries.iter().filter(|entry| !entry.evidence.is_empty()).collect();
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for entry in &compared {
        let fields: Vec<String> = entry.evidence.iter().map(|one| comparison(one, region)).collect();
        let time = format_utc(entry.started_at);
        match groups.iter_mut().find(|(known, _)| *known == fields) {
            Some((_, times)) => times.push(time),
            None => groups.push((fields, vec![time])),
        }
    }
    let is_one = groups.len() == 1;
    let evidence = groups.into_iter().map(|(fields, times)| Evidence {
        of: if is_one { String::new() } else { times.join(", ") },
        fields,
    });
    evidence.collect()
}

/// `engine: postgres = postgres`: what was expected and what was found.
fn comparison(one: &Comparison, region: &str) -> String {
    let value = |value: &Option<String>| match value.as_deref() {
        Some(value) if one.field == "key" => key_id(value, region).to_owned(),
        Some(value) => value.to_owned(),
        None => "not recorded".to_owned(),
    };
    match one.result {
        // It is another one for each copy.
        ComparisonResult::Equal if one.field == "source" => {
            "source: the ARN of the snapshot in its line = the same ARN".to_owned()
        }
        ComparisonResult::Equal => format!("{}: {} = {}", one.field, value(&one.expected), value(&one.found)),
        ComparisonResult::NotReported => format!("{}: not reported by RDS", one.field),
    }
}

/// Exceptions by kind, with the kind's words and number.
fn exceptions(history: &History) -> Vec<(String, Vec<&Exception>)> {
    let mut groups: Vec<(String, Vec<&Exception>)> = Vec::new();
    // They come in the order of their kinds.
    for exception in &history.exceptions {
        let title = exception.kind.to_string();
        match groups.last_mut().filter(|(known, _)| *known == title) {
            Some((_, group)) => group.push(exception),
            None => groups.push((title, vec![exception])),
        }
    }
    groups
}

/// The runs, the latest first, and how many more there are.
fn runs(history: &History) -> (Vec<RunRow<'_>>, usize) {
    let mut of_events = 0;
    let shown = history.runs.iter().filter(|run| {
        of_events += usize::from(run.started_by == Trigger::RdsEvent);
        run.started_by != Trigger::RdsEvent || of_events <= MAX_EVENT_RUNS
    });
    let rows: Vec<RunRow<'_>> = shown.take(MAX_RUNS).map(run_row).collect();
    let hidden = history.runs.len() - rows.len();
    (rows, hidden)
}

fn run_row(run: &Run) -> RunRow<'_> {
    use crate::aws::step_functions::ExecutionStatus::{Failed, Running, Stopped, Succeeded, TimedOut};
    let took = run
        .ended_at
        .map(|ended| format_duration(ended.duration_since(run.started_at)));
    RunRow {
        run,
        status: run.status.to_string(),
        class: match run.status {
            Succeeded => "good",
            Running => "soon",
            Failed | Stopped | TimedOut => "bad",
        },
        took: took.unwrap_or_default(),
        databases: databases(run.executions),
    }
}

/// What the links of executions and runs begin with, so that paper has them too.
fn prefixes(history: &History) -> BTreeSet<&str> {
    let of_entries = history.entries.iter().map(|entry| entry.link.as_str());
    let all = of_entries.chain(history.runs.iter().map(|run| run.link.as_str()));
    let name_begins = |link: &str| link.rfind(['=', ':']).map_or(link.len(), |at| at + 1);
    all.map(|link| &link[..name_begins(link)]).collect()
}

fn outcome_class(outcome: EntryOutcome) -> &'static str {
    match outcome {
        EntryOutcome::COPIED => "good",
        EntryOutcome::COPIED_NOT_PRUNED | EntryOutcome::NOT_READY | EntryOutcome::Running => "soon",
        EntryOutcome::Failed => "bad",
        EntryOutcome::Ended(_) => "faint",
    }
}

fn timeline(history: &History) -> Option<Timeline<'_>> {
    let shown = history.timeline();
    let end = |entry: &HistoryEntry| entry.ended_at.unwrap_or(history.now);
    let begins = shown.iter().map(|entry| entry.started_at).min()?;
    let ends = shown.iter().map(|entry| end(entry)).max()?;
    let mut rows: Vec<_> = shown
        .iter()
        .map(|entry| {
            (
                entry.outcome != EntryOutcome::Failed,
                timeline_row(entry, end(entry), begins, ends),
            )
        })
        .collect();
    // What failed comes first, as everywhere on the page (N50).
    rows.sort_by_key(|(is_fine, _)| *is_fine);
    let count = match &history.stack {
        Some(_) => plural(shown.len(), "execution", "executions"),
        None => copies(shown.len()),
    };
    Some(Timeline {
        count: if history.is_timeline_cut() {
            format!("the last {MAX_BARS} executions that copied or failed")
        } else {
            format!("{count} that copied or failed")
        },
        begins: format_utc(begins),
        ends: format!(
            "{} after {}",
            format_utc(ends),
            format_duration(ends.duration_since(begins))
        ),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    })
}

fn timeline_row(entry: &HistoryEntry, end: Timestamp, begins: Timestamp, ends: Timestamp) -> TimelineRow<'_> {
    let whole = milliseconds(ends.duration_since(begins));
    let mut bars: Vec<Bar> = spans(entry, end)
        .into_iter()
        .map(|(class, from, to)| {
            let start = percent(milliseconds(from.duration_since(begins)), whole);
            let width = percent(milliseconds(to.duration_since(from)), whole);
            Bar::new(class, start, width.max(MIN_PERCENT))
        })
        .collect();
    if entry.outcome == EntryOutcome::Failed {
        // Hatched, so that it is no other colour alone, and at the end: what came before is seen (N49).
        let at = percent(milliseconds(end.duration_since(begins)), whole);
        bars.push(Bar::new("failed", (at - FAILED_PERCENT).max(0.0), FAILED_PERCENT));
    }
    let took = format_duration(end.duration_since(entry.started_at));
    let (value, class) = match (entry.outcome, entry.percent) {
        (EntryOutcome::COPIED, _) => (took, ""),
        (EntryOutcome::COPIED_NOT_PRUNED, _) => (format!("{took}, not pruned"), "soon"),
        (EntryOutcome::Running, _) => (format!("{took}, running"), "soon"),
        (EntryOutcome::Failed, Some(percent)) => (format!("{} at {percent} %", entry.ended()), "bad"),
        _ => (entry.ended(), "bad"),
    };
    TimelineRow {
        name: entry.name(),
        link: &entry.link,
        bars,
        value,
        class,
    }
}

/// What an execution did from when to when.
fn spans(entry: &HistoryEntry, end: Timestamp) -> Vec<(&'static str, Timestamp, Timestamp)> {
    let copying = entry.requested_at.unwrap_or(end).clamp(entry.started_at, end);
    let verified = entry.verified_at.unwrap_or(end).clamp(copying, end);
    let verifying = entry.phases.verifying.unwrap_or(verified).clamp(copying, end);
    let pruning = entry.phases.pruning.unwrap_or(verified).clamp(verifying, end);
    let all = [
        ("queued", entry.started_at, copying),
        ("copying", copying, verifying),
        ("verifying", verifying, pruning),
        ("pruning", pruning, end),
    ];
    all.into_iter().filter(|(_, from, to)| from < to).collect()
}

fn milliseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a few years are exact")]
fn percent(part: i64, whole: i64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(source = "{{ text }}", ext = "html")]
    struct Text<'a> {
        text: &'a str,
    }

    #[test]
    fn nothing_that_was_read_becomes_markup() {
        let text = Text {
            text: "<script>alert(\"it's & so\")</script>",
        };
        assert_eq!(
            text.render().as_deref().ok(),
            Some("&#60;script&#62;alert(&#34;it&#39;s &#38; so&#34;)&#60;/script&#62;")
        );
    }

    #[test]
    fn the_retention_in_force_is_a_sentence() {
        let policy = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (*name, (*value).to_owned()));
            retention(&pairs.collect())
        };
        assert_eq!(policy(&[]), None);
        let said = policy(&[
            ("KeepCopies", "3"),
            ("KeepDays", "0"),
            ("KeepWeekly", "4"),
            ("RetiredKeepDays", "0"),
        ]);
        assert_eq!(
            said.as_deref(),
            Some(
                "Kept are the newest 3 verified copies of each database, the last of each of 4 weeks; of deleted databases \
                 every copy for ever. Tags of a database may ask for more."
            )
        );
    }
}
