//! `snapferry status`: how old is the newest verified copy of each database?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use domain::drill::DrillOutcome;
use domain::restorability::{Verdict, Warning};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::args::{Global, Status};
use crate::aws::account::Account;
use crate::aws::step_functions::ExecutionStatus;
use crate::commands::copy_source;
use crate::commands::drill::drill_style;
use crate::error::{CliError, ExitStatus};
use crate::facts::copies::CopySource;
use crate::facts::drills::{LastDrill, LastDrills};
use crate::facts::freshness::{Assessment, DatabaseFreshness, Freshness, FreshnessCounts, assess};
use crate::facts::restorability;
use crate::format::{
    self, database_name, drill_word, format_age, format_duration, format_size, format_utc, key_id, some_of,
};
use crate::output::table::{Cell, Column, Table};
use crate::output::terminal::{Style, Terminal};

/// What the command writes, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    now: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'a str>,
    region: &'a str,
    owner: &'a str,
    objective_seconds: i64,
    missed: usize,
    /// What is wrong with single databases.
    warnings: &'a [String],
    notes: &'a [String],
    databases: &'a [DatabaseFreshness],
}

/// Reads the copies, judges each database, and writes the answer.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Status,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let source = copy_source::find(account, global, &options.copies).await?;
    let (now, objective) = (account.now(), source.objective(options.objective));
    let Assessment {
        copies,
        mut databases,
        warnings,
        mut notes,
        ..
    } = assess(account, &source, now, objective).await?;
    let (mut judged, drills) = futures_util::future::join(
        restorability::judge(account, &copies),
        LastDrills::read(account, &copies, &source.owner_id),
    )
    .await;
    notes.extend(restorability::denied(judged.values()));
    for database in &mut databases {
        database.restorable = database.key().and_then(|key| judged.remove(&key));
        database.add_drill(&drills);
    }
    notes.extend(drills.note);
    let counts = FreshnessCounts::new(&databases);
    if options.json {
        terminal.print_json(&Report {
            version: 1,
            now,
            stack: source.stack.as_ref().map(|stack| stack.name.as_str()),
            region: &source.region,
            owner: &source.owner_id,
            objective_seconds: objective.as_secs(),
            missed: counts.missed,
            warnings: &warnings,
            notes: &notes,
            databases: &databases,
        });
    } else {
        answer(&databases, &counts, &source, objective, terminal);
        let table = table(&databases, &source.region, now, objective).render(terminal);
        terminal.print(&table);
        show_reasons(&databases, terminal);
        show_restorability(&databases, &source.region, terminal);
        show_drills(&databases, now, terminal);
        for warning in &warnings {
            terminal.println_wrapped(Style::Warning, &format!("warning: {warning}"));
        }
        for note in notes {
            terminal.eprintln(&format!("note: {note}"));
        }
        let is_helped = |database: &DatabaseFreshness| database.state.misses() && database.is_helped_by_run;
        if source.stack.is_some() && databases.iter().any(is_helped) {
            terminal.eprintln(&format!(
                "To copy what is missing:\n  {} --follow",
                global.command("run")
            ));
        }
    }
    Ok(if counts.missed > 0 {
        ExitStatus::Problem
    } else {
        ExitStatus::Success
    })
}

/// Most databases of which each is explained on its own.
const MAX_EXPLAINED: usize = 20;

/// Why databases have no fresh copy, and what helps: those in danger one by one, the others by reason.
fn show_reasons(databases: &[DatabaseFreshness], terminal: &mut Terminal<'_>) {
    let mut lines: Vec<(Style, String)> = Vec::new();
    let in_danger = databases.iter().filter(|database| database.state.misses());
    for database in in_danger
        .filter(|database| database.reason.is_some())
        .take(MAX_EXPLAINED)
    {
        let word = state_word(database.state).to_lowercase();
        let reason = database.reason.as_deref().unwrap_or_default().trim_end_matches('.');
        let name = database_name(database.kind, &database.database);
        lines.push((Style::Bad, format!("{name}: {word}: {reason}.")));
    }
    let remedies: BTreeSet<&str> = databases
        .iter()
        .filter_map(|database| database.remedy.as_deref())
        .collect();
    lines.extend(remedies.into_iter().map(|remedy| (Style::Plain, remedy.to_owned())));
    let mut by_reason: BTreeMap<(Freshness, &str), Vec<String>> = BTreeMap::new();
    for database in databases.iter().filter(|database| !database.state.misses()) {
        if let Some(reason) = &database.reason {
            let names = by_reason.entry((database.state, reason)).or_default();
            names.push(database_name(database.kind, &database.database));
        }
    }
    for ((freshness, reason), names) in by_reason {
        let text = format!("{}: {reason}: {}", state_word(freshness), some_of(&names));
        lines.push((Style::Plain, text));
    }
    if !lines.is_empty() {
        terminal.println("");
    }
    for (style, text) in lines {
        terminal.println_wrapped(style, &text);
    }
}

/// The answer in a sentence, and in another how many databases it is not about.
fn answer(
    databases: &[DatabaseFreshness],
    counts: &FreshnessCounts,
    source: &CopySource,
    objective: SignedDuration,
    terminal: &mut Terminal<'_>,
) {
    let (region, rpo) = (&source.region, format_duration(objective));
    let (style, mut text) = match (counts.due, counts.missed) {
        (0, _) => (Style::Plain, "No database is expected to have a fresh copy.".to_owned()),
        (due, 0) => {
            let oldest = databases.iter().find(|database| database.state == Freshness::Good);
            let oldest = oldest.map_or_else(String::new, |database| {
                format!(
                    " The oldest recovery point is {} old: {}.",
                    age(database),
                    database.database
                )
            });
            let all = match due {
                1 => "The database meets".to_owned(),
                _ => format!("All {due} databases meet"),
            };
            let text = format!("{all} the RPO of {rpo}, with verified copies in {region}.{oldest}");
            (Style::Good, text)
        }
        (due, missed) => {
            let miss = if due == 1 { "misses" } else { "miss" };
            let text = format!(
                "{missed} of {} {miss} the RPO of {rpo}: no verified copy of data that young in {region}.",
                format::databases(due)
            );
            (Style::Bad, text)
        }
    };
    let others = counts
        .not_due
        .iter()
        .map(|(state, count)| format!("{count} {}", not_due(*state)));
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        let _ = write!(text, " Not counted: {}.", others.join(", "));
    }
    terminal.println_wrapped(style, &text);
    terminal.println("");
}

/// Why no fresh copy is expected, after a number of databases.
fn not_due(state: Freshness) -> &'static str {
    match state {
        Freshness::FirstCopyPending => "with the first copy pending",
        Freshness::NoSnapshotYet => "with no snapshot yet",
        Freshness::NoSnapshots => "without snapshots by their settings",
        Freshness::Unsupported => "that AWS cannot copy",
        Freshness::Excluded => "excluded",
        Freshness::SourceDeleted => "deleted at the source",
        Freshness::NoCopy | Freshness::Late | Freshness::Good => state_word(state),
    }
}

fn table(databases: &[DatabaseFreshness], region: &str, now: Timestamp, objective: SignedDuration) -> Table {
    let mut table = Table::new([
        Column::new("DATABASE", 0).cut_last_to(16),
        Column::new("STATE", 0),
        Column::new("AGE", 0).flush_right(),
        Column::new("DATA OF (UTC)", 4),
        Column::new("COPIES", 2),
        Column::new("LAST RUN", 1),
        Column::new("ENDED", 3),
        Column::new("RESTORABLE", 2),
        Column::new("DRILLED", 3),
        Column::new("KEY", 5),
        Column::new("GIB", 6).flush_right(),
    ]);
    for database in databases {
        let (style, word) = state(database, objective);
        table.row([
            Cell::from(database_name(database.kind, &database.database)),
            Cell::new(style, word),
            Cell::new(style, database.age().map_or_else(|| "-".to_owned(), format_age)),
            Cell::from(database.captured_at.map(format_utc).unwrap_or_default()),
            Cell::from(copies(database)),
            last_run(database),
            Cell::from(ended(database, now)),
            restorable(database),
            drilled(database, now),
            Cell::from(key(database, region)),
            Cell::from(format_size(database.size_gib)),
        ]);
    }
    table
}

fn state(database: &DatabaseFreshness, objective: SignedDuration) -> (Style, &'static str) {
    let style = match database.state {
        Freshness::NoCopy | Freshness::Late => Style::Bad,
        Freshness::FirstCopyPending | Freshness::NoSnapshotYet => Style::Warning,
        Freshness::Good if database.is_nearly_late(objective) => Style::Warning,
        Freshness::Good => Style::Good,
        Freshness::NoSnapshots | Freshness::Unsupported | Freshness::Excluded | Freshness::SourceDeleted => {
            Style::Faint
        }
    };
    (style, state_word(database.state))
}

fn state_word(state: Freshness) -> &'static str {
    match state {
        Freshness::NoCopy => "NO COPY",
        Freshness::Late => "LATE",
        Freshness::FirstCopyPending => "first copy pending",
        Freshness::NoSnapshotYet => "no snapshot yet",
        Freshness::Good => "good",
        Freshness::NoSnapshots => "no snapshots",
        Freshness::Unsupported => "unsupported",
        Freshness::Excluded => "excluded",
        Freshness::SourceDeleted => "source deleted",
    }
}

/// What is wrong; nothing where nothing is.
fn restorable(database: &DatabaseFreshness) -> Cell {
    let Some(judged) = &database.restorable else {
        return Cell::default();
    };
    let style = match judged.verdict {
        Verdict::No => Style::Bad,
        Verdict::Unknown => Style::Warning,
        Verdict::Yes => Style::Plain,
    };
    Cell::new(style, restorability::summary(judged))
}

/// What is missing here for a restore, and what could not be found out, each sentence with the databases that it is about.
fn show_restorability(databases: &[DatabaseFreshness], region: &str, terminal: &mut Terminal<'_>) {
    // What is missing comes before what is not known.
    let mut about: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for database in databases {
        let Some(judged) = &database.restorable else { continue };
        let name = database_name(database.kind, &database.database);
        for missing in &judged.missing {
            let sentence = format!("{missing} {}", missing.remedy());
            about.entry((false, sentence)).or_default().push(name.clone());
        }
        for warning in judged.warnings.iter().filter(|_| judged.verdict == Verdict::Unknown) {
            if matches!(warning, Warning::Unknown { .. }) {
                about.entry((true, warning.to_string())).or_default().push(name.clone());
            }
        }
    }
    if about.is_empty() {
        return;
    }
    terminal.println("");
    terminal.println_wrapped(Style::Plain, &format!("What a restore in {region} lacks:"));
    for ((is_unknown, sentence), names) in about.into_iter().take(MAX_EXPLAINED) {
        let style = if is_unknown { Style::Warning } else { Style::Bad };
        terminal.println_wrapped(style, &format!("{}: {sentence}", some_of(&names)));
    }
}

/// When the last drill was and what came of it: `3 d ago, 17 min`, or `failed 3 d ago`.
fn drilled(database: &DatabaseFreshness, now: Timestamp) -> Cell {
    let Some(drill) = &database.drill else {
        return Cell::default();
    };
    let ago = format!("{} ago", format_age(now.duration_since(drill.at)));
    let (style, text) = match (drill.outcome, drill.minutes) {
        (DrillOutcome::Passed, Some(minutes)) => (Style::Plain, format!("{ago}, {minutes} min")),
        (DrillOutcome::Passed, None) => (Style::Plain, ago),
        (outcome, _) => (drill_style(outcome), format!("{} {ago}", drill_word(outcome))),
    };
    Cell::new(style, text)
}

/// Why the last drills of databases did not pass, one by one: those that failed first.
fn show_drills(databases: &[DatabaseFreshness], now: Timestamp, terminal: &mut Terminal<'_>) {
    let drills = databases.iter().filter_map(|database| {
        let drill = database.drill.as_ref()?;
        let name = || database_name(database.kind, &database.database);
        (drill.outcome != DrillOutcome::Passed).then(|| (drill, name()))
    });
    let mut drills: Vec<(&LastDrill, String)> = drills.collect();
    if drills.is_empty() {
        return;
    }
    drills.sort_by_key(|(drill, _)| drill.outcome != DrillOutcome::Failed);
    terminal.println("");
    for (drill, name) in drills.into_iter().take(MAX_EXPLAINED) {
        let ago = |time| format_duration(now.duration_since(time));
        let reason = drill.reason.as_deref().unwrap_or("no reason was given");
        let earlier = drill.last_passed_at.map_or_else(
            || "None has passed.".to_owned(),
            |time| format!("The last one that passed was {} ago.", ago(time)),
        );
        let text = format!(
            "{name}: the drill {} ago {}: {}. {earlier}",
            ago(drill.at),
            match drill.outcome {
                DrillOutcome::Failed => "failed",
                DrillOutcome::NotRun => "could not run",
                DrillOutcome::Passed | DrillOutcome::Unsupported => "is not supported",
            },
            reason.trim_end_matches('.')
        );
        terminal.println_wrapped(drill_style(drill.outcome), &text);
    }
}

fn age(database: &DatabaseFreshness) -> String {
    database.age().map_or_else(|| "-".to_owned(), format_duration)
}

/// `3`, or `3 +1 at 40 %` with one under way.
fn copies(database: &DatabaseFreshness) -> String {
    let counts = database.copies;
    let mut text = counts.verified.to_string();
    if counts.in_progress > 0 {
        let percent = database.percent.unwrap_or_default();
        let _ = write!(text, " +{} at {percent} %", counts.in_progress);
    }
    if counts.unverified > 0 {
        let _ = write!(text, " +{} unverified", counts.unverified);
    }
    if counts.failed > 0 {
        let _ = write!(text, ", {} failed", counts.failed);
    }
    text
}

fn last_run(database: &DatabaseFreshness) -> Cell {
    let Some(last) = &database.last else {
        return Cell::default();
    };
    let style = match last.status {
        ExecutionStatus::Succeeded => Style::Plain,
        ExecutionStatus::Running => Style::Warning,
        ExecutionStatus::Failed | ExecutionStatus::Stopped | ExecutionStatus::TimedOut => Style::Bad,
    };
    let detail = last.detail.as_ref().map(ToString::to_string);
    Cell::new(style, detail.unwrap_or_else(|| last.status.to_string()))
}

fn ended(database: &DatabaseFreshness, now: Timestamp) -> String {
    let last = database.last.as_ref();
    let last = last.filter(|last| last.status != ExecutionStatus::Running);
    last.map_or_else(String::new, |last| {
        format!("{} ago", format_duration(now.duration_since(last.at)))
    })
}

/// The key's id: the account and the region are those of the copies.
fn key(database: &DatabaseFreshness, region: &str) -> String {
    match (&database.kms_key_arn, &database.copy) {
        (Some(arn), _) => key_id(arn, region).to_owned(),
        (None, Some(_)) => "none".to_owned(),
        (None, None) => String::new(),
    }
}
