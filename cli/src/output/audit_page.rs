//! The audit as a page: one file, no scripts, no network. Its text is in `templates/audit_page.html`, in the folder that
//! askama reads by default; here is what it shows, and the lengths of its bars.
//!
//! The charts are lists whose texts say what the bars show, so that they read on any screen, on paper and aloud. There is
//! one row per database, and what happened to it is folded under it: a page of 500 databases and a week stays short.

mod rows;
mod timeline;

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use domain::drill::DrillOutcome;
use jiff::{SignedDuration, Timestamp};

use crate::error::CliError;
use crate::facts::drill_evidence::DrillEvidence;
use crate::facts::drill_record::DrillRecord;
use crate::facts::exceptions::Exception;
use crate::facts::freshness::{DatabaseFreshness, Freshness, FreshnessCounts};
use crate::facts::history::{EntryOutcome, History, HistoryEntry};
use crate::facts::run_origins::{Run, Trigger};
use crate::format::{copies, database_name, databases, drill_checks, drill_word, format_duration, format_utc};
use crate::output::audit_page::rows::{DatabaseRow, MAX_LINKED, Rows, link_text, percent, uneventful_word};
use crate::output::audit_page::timeline::{Timeline, timeline};

/// What every page has near its beginning, those of earlier commits too, and nothing else does.
pub(crate) const MARK: &str = "<title>Database copies in ";

/// Ages beyond this many objectives are drawn alike, or one of them would hide the differences of all others.
const MAX_OBJECTIVES: i64 = 3;

/// Most runs that are listed, and most of those that events started: there is one for each snapshot.
const MAX_RUNS: usize = 100;
const MAX_EVENT_RUNS: usize = 20;

/// Most drills that are listed.
const MAX_DRILLS: usize = 200;

/// Most executions and copies of a page that prints unfolded.
const MAX_PRINTED: usize = 300;

/// The page. Nothing that a tag or a message says becomes markup: the template escapes what it shows.
#[derive(Template)]
#[template(path = "audit_page.html")]
struct AuditPage<'a> {
    history: &'a History,
    sha256: &'a str,
    /// What could not be found out. Warnings of single databases are exceptions.
    notes: Vec<&'a String>,
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
    drills: Vec<DrillRow<'a>>,
    hidden_drills: usize,
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
    link_text: &'a str,
    name: String,
    number: usize,
    /// Whether a later execution copied the database.
    is_made_good: bool,
}

/// A run.
struct RunRow<'a> {
    run: &'a Run,
    status: String,
    class: &'static str,
    took: String,
    databases: String,
}

/// A drill.
struct DrillRow<'a> {
    drill: &'a DrillRecord,
    name: String,
    started: String,
    word: &'static str,
    class: &'static str,
    minutes: String,
    checked: String,
    copy: String,
    gone: String,
    /// Why it did not pass.
    reason: Option<&'a str>,
}

/// The page as HTML. `sha256` is that of the same facts as JSON.
pub(crate) fn audit_page(history: &History, sha256: &str) -> Result<String, CliError> {
    let limit = history.objective().as_secs();
    let is_alive = |database: &&DatabaseFreshness| database.state != Freshness::SourceDeleted;
    let oldest = history.databases.iter().filter(is_alive);
    let oldest = oldest.filter_map(|database| database.age_seconds).max();
    let scale = oldest
        .unwrap_or_default()
        .min(limit * MAX_OBJECTIVES)
        .max(limit * 5 / 4);
    let FreshnessCounts {
        due: living, missed, ..
    } = FreshnessCounts::new(&history.databases);
    let (rows, retired) = Rows::new(history, limit, scale).build();
    let (runs, hidden_runs) = runs(history);
    let (drills, hidden_drills) = drills(history);
    let page = AuditPage {
        history,
        sha256,
        notes: {
            let is_exception = |note: &&String| history.exceptions.iter().any(|one| one.text == **note);
            history.notes.iter().filter(|note| !is_exception(note)).collect()
        },
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
        drills,
        hidden_drills,
        timeline: timeline(history),
        runs,
        hidden_runs,
        counted: history.counted_as(|entry| {
            match entry.outcome {
                EntryOutcome::Ended(outcome) => uneventful_word(outcome).map(str::to_owned),
                EntryOutcome::Running | EntryOutcome::Failed => None,
            }
            .unwrap_or_else(|| entry.outcome.to_string())
        }),
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
        if verified == history.copies.len() {
            format!("{all} of {of}, all verified")
        } else {
            format!("{all} of {of}, {verified} of them verified")
        }
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
        ("Drills", history.drills.as_ref().map(drills_in_words)),
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
                link_text: link_text(entry),
                number: 1,
                is_made_good: copied.contains(&name),
                name,
            }),
        }
    }
    failures.sort_by_key(|failure| failure.is_made_good);
    failures
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

/// The drills of the period in a sentence.
fn drills_in_words(drills: &DrillEvidence) -> String {
    let counted = match drills.counted() {
        counted if counted.is_empty() => "none in the period".to_owned(),
        counted => counted,
    };
    let schedule = if drills.scheduled { "" } else { ", no schedule" };
    format!("{counted} (stack {}{schedule})", drills.stack)
}

/// The drills, the latest first, and how many more there are.
fn drills(history: &History) -> (Vec<DrillRow<'_>>, usize) {
    let all = history.drills.iter().flat_map(|drills| &drills.entries);
    let rows: Vec<DrillRow<'_>> = all.clone().take(MAX_DRILLS).map(drill_row).collect();
    let hidden = all.count() - rows.len();
    (rows, hidden)
}

fn drill_row(drill: &DrillRecord) -> DrillRow<'_> {
    let data = drill.captured_at.map(|time| format!("data of {}", format_utc(time)));
    let copy: Vec<String> = drill.copy.clone().into_iter().chain(data).collect();
    let storage_only = drill.storage_only.then(|| "storage only".to_owned());
    let checked = Some(drill_checks(&drill.checked)).filter(|checked| !checked.is_empty());
    let checked: Vec<String> = checked.into_iter().chain(storage_only).collect();
    DrillRow {
        drill,
        name: database_name(drill.kind, &drill.database),
        started: drill.started_at.map(format_utc).unwrap_or_default(),
        word: drill_word(drill.outcome),
        class: match drill.outcome {
            DrillOutcome::Passed => "good",
            DrillOutcome::Failed => "bad",
            DrillOutcome::NotRun | DrillOutcome::Unsupported => "soon",
        },
        minutes: drill.minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
        checked: checked.join("; "),
        copy: copy.join(", "),
        gone: drill.gone_words(),
        reason: drill
            .reason
            .as_deref()
            .filter(|_| drill.outcome != DrillOutcome::Passed),
    }
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
    let took = run
        .ended_at
        .map(|ended| format_duration(ended.duration_since(run.started_at)));
    RunRow {
        run,
        status: run.status.to_string(),
        class: match (run.has_failed(), run.ended_at) {
            (true, _) => "bad",
            (false, Some(_)) => "good",
            (false, None) => "soon",
        },
        took: took.unwrap_or_default(),
        databases: databases(run.executions),
    }
}

/// What the links of executions and runs begin with, so that paper has them too.
fn prefixes(history: &History) -> BTreeSet<&str> {
    let of_entries = history.entries.iter().map(|entry| entry.link.as_str());
    let of_drills = history.drills.iter().flat_map(|drills| &drills.entries);
    let of_drills = of_drills.map(|drill| drill.link.as_str());
    let all = of_entries
        .chain(history.runs.iter().map(|run| run.link.as_str()))
        .chain(of_drills);
    let name_begins = |link: &str| link.rfind(['=', ':']).map_or(link.len(), |at| at + 1);
    all.map(|link| &link[..name_begins(link)]).collect()
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
