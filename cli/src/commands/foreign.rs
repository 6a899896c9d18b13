//! `snapferry audit --foreign`: copies in the destination region that are none of ours. They are never changed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::aws::account::Account;
use crate::error::{CliError, ExitStatus};
use crate::facts::copies::CopySource;
use crate::facts::foreign_copies::{self, ForeignCopy};
use crate::format::{copies, database_name, databases, format_duration, format_size, format_utc, key_id};
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
    foreign: &'a [ForeignCopy],
}

/// Reads them and writes them.
pub(crate) async fn run(
    account: &Account,
    source: &CopySource,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let foreign = foreign_copies::read(account, source).await?;
    let now = account.now();
    if json {
        terminal.print_json(&Report {
            version: 1,
            now,
            region: &source.region,
            owner: &source.owner_id,
            foreign: &foreign,
        });
        return Ok(ExitStatus::Success);
    }
    let of: BTreeSet<_> = foreign.iter().map(|copy| (copy.kind, &copy.database)).collect();
    let text = if foreign.is_empty() {
        format!(
            "{} has no copies from other regions but those of the owner {}.",
            source.region, source.owner_id
        )
    } else {
        format!(
            "{} of {} in {} are from other regions, and not of the owner {}. Nothing here ever changes them.",
            copies(foreign.len()),
            databases(of.len()),
            source.region,
            source.owner_id
        )
    };
    terminal.println_wrapped(Style::Strong, &text);
    if !foreign.is_empty() {
        terminal.println("");
        let table = table(&foreign, &source.region, now).render(terminal);
        terminal.print(&table);
    }
    Ok(ExitStatus::Success)
}

fn table(foreign: &[ForeignCopy], region: &str, now: Timestamp) -> Table {
    let mut table = Table::new([
        Column::new("DATABASE", 0).cut_to(12),
        Column::new("FROM", 1),
        Column::new("DATA OF (UTC)", 0),
        Column::new("AGE", 2).flush_right(),
        Column::new("GIB", 3).flush_right(),
        Column::new("KEY", 5),
        Column::new("OWNER", 4),
        Column::new("COPY", 0),
    ]);
    for copy in foreign {
        let key = copy.kms_key_arn.as_deref().map_or("none", |arn| key_id(arn, region));
        let age = copy.captured_at.map(|time| format_duration(now.duration_since(time)));
        table.row([
            Cell::from(database_name(copy.kind, &copy.database)),
            Cell::from(copy.source_region.as_str()),
            Cell::from(copy.captured_at.map(format_utc).unwrap_or_default()),
            Cell::from(age.unwrap_or_default()),
            Cell::from(format_size(copy.size_gib)),
            Cell::from(key),
            Cell::from(copy.owner.clone().unwrap_or_default()),
            Cell::from(copy.copy.as_str()),
        ]);
    }
    table
}
