//! `snapferry audit`: what was copied, when, under which key, how it was verified and what was deleted, as a table, as
//! JSON or as a page.

use std::path::Path;

use crate::args::{Audit, Global};
use crate::aws::account::Account;
use crate::commands::copy_source;
use crate::error::{CliError, ExitStatus};
use crate::facts::history::{EntryOutcome, History};
use crate::format::{copies, format_duration, format_size, format_utc, plural, unless_zero};
use crate::output::audit_page::audit_page;
use crate::output::table::{Cell, Column, Table};
use crate::output::terminal::{Style, Terminal};

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
    let source = copy_source::find(account, global, &options.copies).await?;
    let objective = source.objective(options.objective);
    let history = History::collect(account, source, since, objective, options.html.is_some()).await?;
    if let Some(file) = &options.html {
        write(file, &audit_page(&history)?)?;
        terminal.eprintln(&format!("Wrote {}.", file.display()));
    }
    if options.json {
        terminal.print_json(&history);
    } else if options.html.is_none() {
        show(&history, terminal);
    }
    Ok(ExitStatus::Success)
}

fn write(file: &Path, page: &str) -> Result<(), CliError> {
    std::fs::write(file, page).map_err(|error| {
        CliError::new(
            format!("{} cannot be written: {error}.", file.display()),
            "Give another file with --html.",
        )
    })
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
    for note in &history.notes {
        terminal.eprintln(&format!("note: {note}"));
    }
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
