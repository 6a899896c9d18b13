//! `snapferry audit`: what was copied, when, under which key, how it was verified and what was deleted, and what drills
//! proved, as a table, as JSON, as CSV or as a page.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use domain::drill::DrillOutcome;
use domain::hash::hex_prefix;
use jiff::Timestamp;

use crate::args::{Audit, Global};
use crate::aws::account::Account;
use crate::commands::copy_source;
use crate::commands::drill::drill_style;
use crate::commands::foreign;
use crate::error::{CliError, ExitStatus};
use crate::facts::drill_evidence::DrillEvidence;
use crate::facts::drill_record::DrillRecord;
use crate::facts::evidence::{Comparison, ComparisonResult};
use crate::facts::exceptions::{Exception, ExceptionKind};
use crate::facts::history::{EntryOutcome, History, HistoryEntry};
use crate::format::{
    copies, database_name, drill_checks, drill_word, format_duration, format_size, format_utc, plural, unless_zero,
};
use crate::output::audit_page::{MARK, audit_page};
use crate::output::csv::csv;
use crate::output::table::{Cell, Column, Table};
use crate::output::terminal::{Style, Terminal, json_text};

/// Most of a file that is read to see whether it is a page of this program.
const BEGINNING: u64 = 4096;

/// Collects what happened, and writes it.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Audit,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let since = options.since.before(account.now());
    if since > account.now() {
        return Err(CliError::new(
            format!("{} UTC is in the future.", format_utc(since)),
            "Give a time before now with --since: a duration (7d, 36h) or a day.",
        ));
    }
    if let Some(file) = &options.html {
        check_file(file)?;
    }
    let source = copy_source::find(account, global, &options.copies).await?;
    if options.foreign {
        return foreign::run(account, &source, options.json, terminal).await;
    }
    let objective = source.objective(options.objective);
    let watch = &options.watch_stack;
    let history = History::collect(account, source, since, objective, watch, options.html.is_some()).await?;
    if let Some(file) = &options.html {
        // The hash is that of what `--json` writes of the same facts.
        let page = audit_page(&history, &sha256(&json_text(&history)))?;
        write(file, &page)?;
        terminal.eprintln(&format!("Wrote {}, SHA-256 {}.", file.display(), sha256(&page)));
    }
    if options.json {
        terminal.print_json(&history);
    } else if options.csv {
        terminal.print(&table_for_spreadsheets(&history));
    } else if options.html.is_none() {
        show(&history, terminal);
    }
    Ok(ExitStatus::Success)
}

/// As `sha256sum` prints it.
fn sha256(text: &str) -> String {
    hex_prefix(text, 64)
}

/// Refuses to replace a file that is not a page of this program (N38): the name may be a slip of the finger.
fn check_file(file: &Path) -> Result<(), CliError> {
    // What is no file (a pipe, a terminal) has nothing to lose, and what cannot be read is an error when it is written.
    let is_file = std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    let opened = is_file.then(|| std::fs::File::open(file).ok()).flatten();
    let Some(opened) = opened else { return Ok(()) };
    let mut beginning = Vec::new();
    let is_read = opened.take(BEGINNING).read_to_end(&mut beginning).is_ok();
    if is_read && (beginning.is_empty() || String::from_utf8_lossy(&beginning).contains(MARK)) {
        return Ok(());
    }
    Err(CliError::new(
        format!("{} exists and is not an audit page.", file.display()),
        "Delete it, or give another file with --html.",
    ))
}

fn write(file: &Path, page: &str) -> Result<(), CliError> {
    std::fs::write(file, page).map_err(|error| {
        CliError::new(
            format!("{} cannot be written: {error}.", file.display()),
            "Give another file with --html.",
        )
    })
}

/// A line per execution, those of copies first. What a drill has no value for is empty, and so is what a copy has none for.
fn table_for_spreadsheets(history: &History) -> String {
    let heading = [
        "database",
        "kind",
        "resourceId",
        "outcome",
        "error",
        "cause",
        "startedAt",
        "endedAt",
        "requestedAt",
        "verifiedAt",
        "recoveryPoint",
        "source",
        "engine",
        "sizeGib",
        "copy",
        "kmsKeyArn",
        "evidence",
        "deleted",
        "warnings",
        "run",
        "startedBy",
        "execution",
        "activity",
        "minutes",
        "drillDatabase",
        "goneAt",
    ];
    let triggers = history.triggers();
    let entries = history.entries.iter();
    let of_copies = entries.map(|entry| cells(entry, triggers.trigger_of(entry)));
    let of_drills = history.drills.iter().flat_map(|drills| &drills.entries);
    csv(&heading, of_copies.chain(of_drills.map(drill_cells)))
}

/// The cells of a drill: the same columns, as far as they fit.
fn drill_cells(drill: &DrillRecord) -> Vec<Cow<'_, str>> {
    let text = |text: &'_ Option<String>| Cow::Owned(text.clone().unwrap_or_default());
    let time = |time: Option<Timestamp>| Cow::Owned(time.map(|time| time.to_string()).unwrap_or_default());
    let none = || Cow::Borrowed("");
    vec![
        Cow::Borrowed(drill.database.as_str()),
        Cow::Owned(drill.kind.to_string()),
        text(&drill.resource_id),
        Cow::Owned(drill.outcome.to_string()),
        none(),
        text(&drill.reason),
        time(drill.started_at),
        time(drill.ended_at),
        none(),
        none(),
        time(drill.captured_at),
        none(),
        none(),
        none(),
        text(&drill.copy),
        none(),
        Cow::Owned(drill_checks(&drill.checked)),
        none(),
        none(),
        text(&drill.run),
        none(),
        Cow::Borrowed(drill.execution.as_str()),
        Cow::Borrowed("drill"),
        Cow::Owned(drill.minutes.map(|minutes| minutes.to_string()).unwrap_or_default()),
        text(&drill.restored_as),
        time(drill.gone_at),
    ]
}

fn cells<'a>(entry: &'a HistoryEntry, started_by: &'static str) -> Vec<Cow<'a, str>> {
    let text = |text: &'a Option<String>| Cow::Borrowed(text.as_deref().unwrap_or_default());
    let time = |time: Option<Timestamp>| Cow::Owned(time.map(|time| time.to_string()).unwrap_or_default());
    let deleted = entry.deleted.iter();
    let deleted: Vec<String> = deleted.map(|copy| format!("{} ({})", copy.id, copy.reason)).collect();
    let evidence: Vec<String> = entry.evidence.iter().map(comparison).collect();
    vec![
        Cow::Borrowed(&entry.database),
        Cow::Owned(entry.kind.to_string()),
        text(&entry.resource_id),
        Cow::Owned(entry.outcome.to_string()),
        text(&entry.error),
        text(&entry.cause),
        time(Some(entry.started_at)),
        time(entry.ended_at),
        time(entry.requested_at),
        time(entry.verified_at),
        time(entry.captured_at),
        text(&entry.source),
        text(&entry.engine),
        Cow::Owned(format_size(entry.size_gib)),
        text(&entry.copy),
        text(&entry.kms_key_arn),
        Cow::Owned(evidence.join("; ")),
        Cow::Owned(deleted.join("; ")),
        Cow::Owned(entry.warnings.join("; ")),
        text(&entry.run),
        Cow::Borrowed(started_by),
        text(&entry.execution),
        Cow::Borrowed("copy"),
        Cow::Borrowed(""),
        Cow::Borrowed(""),
        Cow::Borrowed(""),
    ]
}

/// `engine: expected postgres, found postgres`.
fn comparison(one: &Comparison) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not recorded)".to_owned());
    match one.result {
        ComparisonResult::Equal => {
            let (expected, found) = (value(&one.expected), value(&one.found));
            format!("{}: expected {expected}, found {found}", one.field)
        }
        ComparisonResult::NotReported => format!("{}: expected {}, not reported", one.field, value(&one.expected)),
    }
}

fn show(history: &History, terminal: &mut Terminal<'_>) {
    let number = history.entries.len();
    let what = match &history.stack {
        Some(_) => plural(number, "execution", "executions"),
        None => format!("{} in {}", copies(number), history.region),
    };
    let since = format_utc(history.since);
    let text = match number {
        0 => format!("Nothing since {since} UTC."),
        _ => format!("{what} since {since} UTC: {}.", history.counted()),
    };
    terminal.println_wrapped(Style::Strong, &text);
    terminal.println("");
    let table = table(history).render(terminal);
    terminal.print(&table);
    if let Some(drills) = &history.drills {
        show_drills(drills, &history.exceptions, &since, terminal);
    }
    for note in &history.notes {
        terminal.eprintln(&format!("note: {note}"));
    }
}

/// The drills of the period, and what is out of the ordinary about them.
fn show_drills(drills: &DrillEvidence, exceptions: &[Exception], since: &str, terminal: &mut Terminal<'_>) {
    terminal.println("");
    let counted = drills.counted();
    let text = if counted.is_empty() {
        format!("No drill since {since} UTC.")
    } else {
        let number = plural(drills.entries.len() + drills.running, "drill", "drills");
        format!("{number} since {since} UTC: {counted}.")
    };
    terminal.println_wrapped(Style::Strong, &text);
    if !drills.entries.is_empty() {
        terminal.println("");
        let table = drill_table(drills).render(terminal);
        terminal.print(&table);
    }
    let not_run = drills
        .entries
        .iter()
        .filter(|drill| drill.outcome == DrillOutcome::NotRun);
    for (at, drill) in not_run.enumerate() {
        if at == 0 {
            terminal.println("");
            terminal.println_wrapped(Style::Strong, "Drill that did not run:");
        }
        let name = database_name(drill.kind, &drill.database);
        let time = drill.started_at.map(format_utc).unwrap_or_default();
        let reason = drill.reason.as_deref().unwrap_or("no reason was given");
        terminal.println_wrapped(Style::Warning, &format!("{name}: {time} UTC: {reason}"));
    }
    let of_drills = exceptions.iter().filter(|exception| exception.kind.is_of_drills());
    let mut last: Option<ExceptionKind> = None;
    for Exception { kind, database, text } in of_drills {
        if last != Some(*kind) {
            terminal.println("");
            terminal.println_wrapped(Style::Strong, &format!("{kind}:"));
            last = Some(*kind);
        }
        let style = match kind {
            ExceptionKind::DrillFailed => Style::Bad,
            _ => Style::Warning,
        };
        let name = database.as_deref().unwrap_or_default();
        terminal.println_wrapped(style, &format!("{name}: {text}"));
    }
}

fn drill_table(drills: &DrillEvidence) -> Table {
    let mut table = Table::new([
        Column::new("STARTED (UTC)", 0),
        Column::new("DATABASE", 0).cut_to(12),
        Column::new("DRILL", 0),
        Column::new("MINUTES", 1).flush_right(),
        Column::new("CHECKED", 3),
        Column::new("DATA OF (UTC)", 4),
        Column::new("GONE (UTC)", 2),
        Column::new("COPY", 5),
    ]);
    for drill in &drills.entries {
        table.row([
            Cell::from(drill.started_at.map(format_utc).unwrap_or_default()),
            Cell::from(database_name(drill.kind, &drill.database)),
            Cell::new(drill_style(drill.outcome), drill_word(drill.outcome)),
            Cell::from(drill.minutes.map(|minutes| minutes.to_string()).unwrap_or_default()),
            Cell::from(drill_checks(&drill.checked)),
            Cell::from(drill.captured_at.map(format_utc).unwrap_or_default()),
            Cell::new(
                if drill.gone == Some(false) {
                    Style::Warning
                } else {
                    Style::Plain
                },
                drill.gone_words(),
            ),
            Cell::from(drill.copy.clone().unwrap_or_default()),
        ]);
    }
    table
}

fn table(history: &History) -> Table {
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
    for entry in &history.entries {
        table.row([
            Cell::from(format_utc(entry.started_at)),
            Cell::from(entry.name()),
            Cell::new(style(entry.outcome), entry.ended()),
            Cell::from(entry.took().map(format_duration).unwrap_or_default()),
            Cell::from(entry.captured_at.map(format_utc).unwrap_or_default()),
            Cell::from(format_size(entry.size_gib)),
            Cell::from(unless_zero(entry.deleted.len())),
            Cell::from(entry.copy.clone().unwrap_or_default()),
        ]);
    }
    table
}

fn style(outcome: EntryOutcome) -> Style {
    match outcome {
        EntryOutcome::COPIED => Style::Good,
        EntryOutcome::COPIED_NOT_PRUNED | EntryOutcome::NOT_READY | EntryOutcome::Running => Style::Warning,
        EntryOutcome::Failed => Style::Bad,
        EntryOutcome::Ended(_) => Style::Faint,
    }
}
