//! `snapferry copies`: every copy that is held, of one database or of all.

use domain::kind::DatabaseName;
use domain::snapshot::Database;
use jiff::Timestamp;
use serde::Serialize;

use crate::args::{Copies, Global};
use crate::aws::account::Account;
use crate::commands::copy_source;
use crate::commands::restore_command::choose::{Hints, nothing, of_this_name, parse_name};
use crate::error::{CliError, ExitStatus};
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopies};
use crate::facts::copy_list::{CopyLine, add_retention, refusals, retention};
use crate::facts::fleet::Fleet;
use crate::format::{copies, databases, format_day, format_duration, format_size, format_utc, key_id};
use crate::output::table::{Cell, Column, Table};
use crate::output::terminal::{Style, Terminal};

/// What the command writes, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    now: Timestamp,
    region: &'a str,
    owner: &'a str,
    notes: &'a [String],
    copies: &'a [CopyLine],
}

/// Reads the copies and writes them, the newest of each database first.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Copies,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let asked = options.database.as_deref().map(parse_name).transpose()?;
    let source = copy_source::find(account, global, &options.copies).await?;
    let owned = source.read(account).await?;
    if owned.databases.is_empty() {
        return Err(owned.no_copies_error());
    }
    let mut notes = Vec::new();
    let fleet = fleet(account, &source, &mut notes).await;
    let chosen = match &asked {
        None => owned.databases.iter().collect(),
        Some(asked) => {
            let hints = Hints::new(global, &options.copies);
            of_name(fleet.as_ref(), &source, &owned, asked, &hints)?
        }
    };
    let now = account.now();
    let mut lines: Vec<CopyLine> = chosen
        .iter()
        .flat_map(|database| CopyLine::from_database(database, fleet.as_ref(), now))
        .collect();
    lines.sort_by(|a, b| a.order().cmp(&b.order()));
    if let Some(stack) = &source.stack {
        for database in &chosen {
            add_retention(&mut lines, retention(&stack.retention, database, fleet.as_ref(), now));
        }
        if lines.iter().any(|line| line.is_to_go(now)) {
            let since = source.objective(None);
            match refusals(account, stack, &owned, fleet.as_ref(), &chosen, since).await {
                Ok(refused) => {
                    for line in &mut lines {
                        line.retention = refused.get(&line.copy).cloned().or(line.retention.take());
                    }
                }
                Err(error) => {
                    notes.push(format!("What RDS refused to delete is not known. {error}").replace('\n', " "));
                }
            }
        }
    }
    if options.json {
        terminal.print_json(&Report {
            version: 1,
            now,
            region: &source.region,
            owner: &source.owner_id,
            notes: &notes,
            copies: &lines,
        });
        return Ok(ExitStatus::Success);
    }
    let text = format!(
        "{} of {} in {}.",
        copies(lines.len()),
        databases(chosen.len()),
        source.region
    );
    terminal.println_wrapped(Style::Strong, &text);
    terminal.println("");
    let table = table(&lines, &source.region).render(terminal);
    terminal.print(&table);
    for note in notes {
        terminal.eprintln(&format!("note: {note}"));
    }
    Ok(ExitStatus::Success)
}

/// The source region, if it is not lost.
async fn fleet(account: &Account, source: &CopySource, notes: &mut Vec<String>) -> Option<Fleet> {
    let stack = source.stack.as_ref()?;
    match Fleet::read(account, stack).await {
        Ok(fleet) => Some(fleet),
        Err(error) => {
            notes.push(format!("Which databases exist is not known. {error}").replace('\n', " "));
            None
        }
    }
}

/// The databases that a name means: all that have it, had it, or have it as their resource id.
fn of_name<'a>(
    fleet: Option<&Fleet>,
    source: &CopySource,
    owned: &'a OwnedCopies,
    asked: &DatabaseName,
    hints: &Hints,
) -> Result<Vec<&'a DatabaseCopies>, CliError> {
    let living = fleet.into_iter().flat_map(|fleet| fleet.all_named(asked));
    let living: Vec<Database> = living.map(|living| living.database.clone()).collect();
    let found = of_this_name(&owned.databases, asked, &living);
    if found.is_empty() {
        return Err(nothing(&owned.databases, asked, &living, source, hints));
    }
    Ok(found)
}

fn table(lines: &[CopyLine], region: &str) -> Table {
    let mut table = Table::new([
        Column::new("DATABASE", 0).cut_to(12),
        Column::new("DATA OF (UTC)", 0),
        Column::new("AGE", 4).flush_right(),
        Column::new("STATE", 0),
        Column::new("VERIFIED (UTC)", 6),
        Column::new("GIB", 5).flush_right(),
        Column::new("KEY", 7),
        Column::new("COPY", 1),
        Column::new("GOES ABOUT", 3),
        Column::new("RETENTION", 2),
    ]);
    for line in lines {
        let (style, state) = match (line.state, line.percent) {
            ("verified", _) => (Style::Good, line.state.to_owned()),
            (state, Some(percent)) => (Style::Warning, format!("{state}, {percent} %")),
            ("failed" | "different", None) => (Style::Bad, line.state.to_owned()),
            (state, None) => (Style::Warning, state.to_owned()),
        };
        let key = line.kms_key_arn.as_deref().map_or("none", |arn| key_id(arn, region));
        table.row([
            Cell::from(line.name()),
            Cell::from(format_utc(line.captured_at)),
            Cell::from(format_duration(line.age())),
            Cell::new(style, state),
            Cell::from(line.verified_at.map(format_utc).unwrap_or_default()),
            Cell::from(format_size(line.size_gib)),
            Cell::from(key),
            Cell::from(line.copy.as_str()),
            Cell::from(line.goes_about.map(format_day).unwrap_or_default()),
            Cell::from(line.retention.clone().unwrap_or_default()),
        ]);
    }
    table
}
