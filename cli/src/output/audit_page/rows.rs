//! The rows of the page: each database with its copies, and with what happened to it.

use std::collections::BTreeMap;

use domain::drill::DrillOutcome;
use domain::kind::DatabaseKind;
use domain::payload::Outcome;
use jiff::SignedDuration;

use crate::facts::copy_list::CopyLine;
use crate::facts::drills::LastDrill;
use crate::facts::evidence::{Comparison, ComparisonResult};
use crate::facts::freshness::{DatabaseFreshness, Freshness};
use crate::facts::history::{EntryOutcome, History, HistoryEntry};
use crate::format::{copies, database_name, drill_word, format_duration, format_utc, key_id, plural};

/// Most executions that are all links: the address of one is as long as all else that is said of it.
pub(super) const MAX_LINKED: usize = 1000;

/// A database, its copies, and what happened to it.
pub(super) struct DatabaseRow<'a> {
    pub(super) name: String,
    pub(super) class: &'static str,
    /// The class and the length of its bar, in percent.
    pub(super) bar: Option<(&'static str, f64)>,
    pub(super) value: String,
    pub(super) held: String,
    /// Why it is in this state, and what helps.
    pub(super) reason: Option<String>,
    /// What the last drill proved, where drills are known.
    pub(super) drill: Option<String>,
    pub(super) copies: Vec<CopyItem<'a>>,
    pub(super) evidence: Vec<Evidence>,
    /// Those that failed, go on, or left something undone.
    pub(super) executions: Vec<ExecutionItem<'a>>,
    pub(super) copied: Vec<ExecutionItem<'a>>,
    pub(super) uneventful: Vec<Group>,
    pub(super) deleted: Vec<Group>,
}

/// A copy that is held.
pub(super) struct CopyItem<'a> {
    pub(super) line: &'a CopyLine,
    pub(super) text: String,
}

/// What copies were compared by: the same values for all of them.
pub(super) struct Evidence {
    /// Which executions' copies, if not all of the list.
    pub(super) of: String,
    pub(super) fields: Vec<String>,
}

/// An execution.
pub(super) struct ExecutionItem<'a> {
    pub(super) started: String,
    /// The execution, or without it the copy.
    pub(super) name: &'a str,
    pub(super) link: Option<&'a str>,
    pub(super) word: String,
    pub(super) class: &'static str,
    pub(super) text: String,
    pub(super) cause: Option<&'a str>,
}

/// What happened more than once for the same reason.
pub(super) struct Group {
    pub(super) word: &'static str,
    pub(super) reason: String,
    /// Times, or names of copies.
    pub(super) items: Vec<String>,
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

/// What the page shows of each database, while it is put together.
pub(super) struct Rows<'a> {
    history: &'a History,
    limit: i64,
    scale: i64,
    copies: BTreeMap<Key<'a>, Vec<&'a CopyLine>>,
    entries: BTreeMap<Key<'a>, Vec<&'a HistoryEntry>>,
}

/// A database: its kind and its resource id, or its name where nothing else is known.
type Key<'a> = (DatabaseKind, &'a str);

impl<'a> Rows<'a> {
    pub(super) fn new(history: &'a History, limit: i64, scale: i64) -> Self {
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
        let living = history
            .databases
            .iter()
            .filter(|one| one.state != Freshness::SourceDeleted);
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
    pub(super) fn build(mut self) -> (Vec<DatabaseRow<'a>>, Vec<DatabaseRow<'a>>) {
        let (mut living, mut retired) = (Vec::new(), Vec::new());
        for database in &self.history.databases {
            let key = (
                database.kind,
                database.resource_id.as_deref().unwrap_or(&database.database),
            );
            let row = self.row(database, key);
            if database.state == Freshness::SourceDeleted {
                retired.push(row);
            } else {
                living.push(row);
            }
        }
        // Of what no copy is left, and what is left out now.
        for ((_, id), entries) in std::mem::take(&mut self.entries) {
            let Some(latest) = entries.first() else { continue };
            let (is_retired, name) = (latest.retired, latest.name());
            let row = self.with_executions(
                DatabaseRow {
                    value: "no copy held".to_owned(),
                    // It may have had the name of one that exists.
                    reason: (id != latest.database).then(|| format!("Its resource id was {id}.")),
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
            Freshness::NoSnapshotYet => ("no snapshot yet", "is-soon", "soon"),
            Freshness::NoSnapshots => ("makes no snapshots", "queued", "faint"),
            Freshness::Unsupported => ("not supported by AWS", "queued", "faint"),
            Freshness::Excluded => ("left out", "queued", "faint"),
            Freshness::SourceDeleted => ("", "queued", "faint"),
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
        let age = database
            .age_seconds
            .filter(|_| database.state != Freshness::SourceDeleted);
        let bar = age.map(|age| (bar, percent(age.min(self.scale), self.scale)));
        let reasons = [&database.reason, &database.remedy];
        let reasons: Vec<&str> = reasons.into_iter().flatten().map(String::as_str).collect();
        let row = DatabaseRow {
            bar,
            value,
            reason: Some(reasons.join(". ")).filter(|reason| !reason.is_empty()),
            drill: self
                .history
                .drills
                .as_ref()
                .map(|_| last_drill(database.drill.as_ref())),
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
            drill: None,
            copies: Vec::new(),
            evidence: Vec::new(),
            executions: Vec::new(),
            copied: Vec::new(),
            uneventful: Vec::new(),
            deleted: Vec::new(),
        }
    }
}

/// `passed 2026-11-21 07:00, available after 17 min`, or why there is no such proof.
fn last_drill(drill: Option<&LastDrill>) -> String {
    let Some(drill) = drill else {
        return "never drilled".to_owned();
    };
    let minutes = drill.minutes.map(|minutes| format!(", available after {minutes} min"));
    let earlier = match (drill.outcome, drill.last_passed_at) {
        (DrillOutcome::Passed, _) => String::new(),
        (_, Some(time)) => format!("; the last one that passed was at {}", format_utc(time)),
        (_, None) => "; none has passed".to_owned(),
    };
    let (word, time) = (drill_word(drill.outcome), format_utc(drill.at));
    format!("{word} {time}{}{earlier}", minutes.unwrap_or_default())
}

/// The name of the execution, or without it that of the copy: on paper it is all that is left of the link.
pub(super) fn link_text(entry: &HistoryEntry) -> &str {
    let of_execution = entry.execution.as_deref().and_then(|arn| arn.rsplit(':').next());
    of_execution.or(entry.copy.as_deref()).unwrap_or("execution")
}

/// An execution, with what it did.
fn execution_item(entry: &HistoryEntry, is_linked: bool) -> ExecutionItem<'_> {
    let word = match (entry.outcome, entry.percent) {
        (EntryOutcome::Failed, Some(percent)) => format!("{} at {percent} %", entry.ended()),
        _ => entry.ended(),
    };
    let copy = entry.copy.as_deref().filter(|_| entry.execution.is_some());
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
        name: link_text(entry),
        link: is_linked.then_some(entry.link.as_str()),
        word,
        class: outcome_class(entry.outcome),
        text: parts.join(", "),
        cause: entry.cause.as_deref(),
    }
}

/// The word for an execution that had nothing to do; nothing if it had.
pub(super) fn uneventful_word(outcome: Outcome) -> Option<&'static str> {
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

fn outcome_class(outcome: EntryOutcome) -> &'static str {
    match outcome {
        EntryOutcome::COPIED => "good",
        EntryOutcome::COPIED_NOT_PRUNED | EntryOutcome::NOT_READY | EntryOutcome::Running => "soon",
        EntryOutcome::Failed => "bad",
        EntryOutcome::Ended(_) => "faint",
    }
}

/// How much of the whole a part is.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a few years are exact")]
pub(super) fn percent(part: i64, whole: i64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}
