//! `snapferry estimate`: what will be copied, how long that takes, what it costs and which quotas it needs, before the first
//! copy. Nothing is changed.

use std::collections::BTreeMap;

use domain::retention_rules::RetentionRules;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::args::{Estimate as Options, Global};
use crate::aws::account::Account;
use crate::error::{CliError, ExitStatus};
use crate::facts::estimate::{
    self, Assumptions, Basis, CopyExtent, Coverage, DatabaseEstimate, Estimate, Known, MonthlyCost, ObjectiveProposal,
    PassedOver, SizeSource, SnapshotQuota,
};
use crate::facts::prices::{Prices, Range, Tariff};
use crate::format::{database_name, databases, format_duration, plural, some_of};
use crate::output::table::{Cell, Column, Table};
use crate::output::terminal::{Style, Terminal};

/// Databases whose next copies take the longest: the JSON has all of them.
const MAX_SHOWN: usize = 10;

/// What the command writes, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    now: Timestamp,
    /// Nothing before the deployment.
    stack: Option<&'a str>,
    region: &'a str,
    destination_region: &'a str,
    keep: RetentionRules,
    /// Whether all copies fit into the quotas, as far as these are known.
    has_room: bool,
    with_all_slots: Coverage,
    with_the_stack: Coverage,
    quotas: &'a [SnapshotQuota],
    first_month: MonthlyCost,
    later_months: MonthlyCost,
    prices: &'a Tariff,
    objective: ObjectiveProposal,
    assumptions: Assumptions,
    notes: &'a [String],
    passed_over: &'a [PassedOver],
    databases: &'a [DatabaseEstimate],
}

/// Reads both regions, and writes what follows.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let prices = Prices::read(options.prices.as_deref())?;
    let basis = basis(account, global, options).await?;
    let known = Known {
        cluster_gib: options.cluster_gib,
        daily_change_percent: options.daily_change,
    };
    let estimate = estimate::read(account, &basis, known, &prices).await?;
    if options.json {
        terminal.print_json(&Report {
            version: 1,
            now: account.now(),
            stack: basis.stack.as_deref(),
            region: &basis.rules.source_region,
            destination_region: &basis.destination_region,
            keep: basis.keep,
            has_room: estimate.has_room(),
            with_all_slots: estimate.with_all_slots,
            with_the_stack: estimate.with_the_stack,
            quotas: &estimate.quotas,
            first_month: estimate.first_month,
            later_months: estimate.later_months,
            prices: &estimate.tariff,
            objective: estimate.objective,
            assumptions: estimate.assumptions,
            notes: &estimate.notes,
            passed_over: &estimate.passed_over,
            databases: &estimate.databases,
        });
    } else {
        show(&estimate, &basis, terminal);
    }
    Ok(if estimate.has_room() {
        ExitStatus::Success
    } else {
        ExitStatus::Problem
    })
}

/// What the stack is deployed with, or what the template sets where there is none.
async fn basis(account: &Account, global: &Global, options: &Options) -> Result<Basis, CliError> {
    let (name, destination) = (global.stack(), options.destination_region.as_deref());
    if let Some(stack) = account.stack_if_any(name).await? {
        return Ok(Basis::from_stack(stack, destination));
    }
    let region = account.region()?;
    match destination {
        Some(destination) => Ok(Basis::from_template(region, destination)),
        None => Err(CliError::new(
            format!("There is no stack {name} in {region}."),
            "Before the deployment, say where the copies will be: --destination-region REGION. Otherwise name the stack \
             with --stack, and the region of your databases with --region.",
        )),
    }
}

fn show(estimate: &Estimate, basis: &Basis, terminal: &mut Terminal<'_>) {
    let source = &basis.rules.source_region;
    let by = match &basis.stack {
        Some(stack) => format!("by the parameters of the stack {stack}"),
        None => "by the defaults of the template".to_owned(),
    };
    let text = format!(
        "{} in {source} would be copied to {}, {by}; {} passed over.",
        databases(estimate.databases.len()),
        basis.destination_region,
        plural(estimate.passed_over.len(), "is", "are")
    );
    terminal.println_wrapped(Style::Strong, &text);
    terminal.println("");
    let table = kinds(estimate).render(terminal);
    terminal.print(&table);
    show_unknown_sizes(estimate, terminal);
    show_quotas(estimate, basis, terminal);
    show_hours(estimate, terminal);
    show_objective(estimate.objective, basis, terminal);
    show_cost(estimate, terminal);
    show_passed_over(&estimate.passed_over, terminal);
    for note in &estimate.notes {
        terminal.eprintln(&format!("note: {note}"));
    }
}

/// What is there of each kind, and what it needs of the quota.
fn kinds(estimate: &Estimate) -> Table {
    let mut table = Table::new([
        Column::new("KIND", 0),
        Column::new("DATABASES", 0).flush_right(),
        Column::new("GIB", 1).flush_right(),
        Column::new("NEXT FULL", 4).flush_right(),
        Column::new("SNAPSHOTS NEEDED", 0).flush_right(),
        Column::new("OTHERS", 3).flush_right(),
        Column::new("QUOTA", 0).flush_right(),
    ]);
    for quota in &estimate.quotas {
        let all: Vec<&DatabaseEstimate> = estimate.of_kind(quota.kind).collect();
        let full = all.iter().filter(|database| database.transfer == CopyExtent::Full);
        let unknown = |number: Option<i64>| number.map_or_else(|| "not known".to_owned(), |number| number.to_string());
        let style = if quota.raise_to.is_some() {
            Style::Bad
        } else {
            Style::Plain
        };
        table.row([
            Cell::from(quota.kind.to_string()),
            Cell::from(all.len().to_string()),
            Cell::from(sizes(&all)),
            Cell::from(full.count().to_string()),
            Cell::from(quota.needed.to_string()),
            Cell::from(unknown(quota.others)),
            Cell::new(style, unknown(quota.max)),
        ]);
    }
    table
}

/// The sum of the sizes that are known.
fn sizes(all: &[&DatabaseEstimate]) -> String {
    let known = all.iter().filter_map(|database| database.size_gib).map(u64::from);
    match (known.clone().count(), known.sum::<u64>()) {
        (0, _) if !all.is_empty() => "not known".to_owned(),
        (count, sum) if count < all.len() => format!("{sum} and more"),
        (_, sum) => sum.to_string(),
    }
}

fn show_unknown_sizes(estimate: &Estimate, terminal: &mut Terminal<'_>) {
    let unknown = estimate
        .databases
        .iter()
        .filter(|database| database.size_from == SizeSource::Unknown);
    let names: Vec<String> = unknown.map(DatabaseEstimate::name).collect();
    if names.is_empty() {
        return;
    }
    terminal.println("");
    let text = format!(
        "Left out of GiB and costs, because RDS gives no size of them: {} ({}). With --cluster-gib N each cluster counts as \
         N GiB; CloudWatch has its size (VolumeBytesUsed).",
        databases(names.len()),
        some_of(&names)
    );
    terminal.println_wrapped(Style::Warning, &text);
}

/// Which quotas are too small, and how to have them raised.
fn show_quotas(estimate: &Estimate, basis: &Basis, terminal: &mut Terminal<'_>) {
    terminal.println("");
    let region = &basis.destination_region;
    for quota in &estimate.quotas {
        let (Some(raise_to), Some(max)) = (quota.raise_to, quota.max) else {
            continue;
        };
        let text = format!(
            "The quota of manual {} snapshots in {region} is {} too small: it is {max}, and the copies need {} beside {} \
             others. Have it raised to {raise_to} ({}) before the first run:",
            quota.kind,
            raise_to - max,
            quota.needed,
            quota.others.unwrap_or_default(),
            quota.code
        );
        terminal.println_wrapped(Style::Bad, &text);
        terminal.println(&format!(
            "  aws service-quotas request-service-quota-increase --region {region} --service-code rds --quota-code {} \
             --desired-value {raise_to}",
            quota.code
        ));
    }
    if estimate.has_room() {
        let is_known = estimate.quotas.iter().all(|quota| quota.max.is_some());
        let (style, text) = if is_known {
            (Style::Good, "There is room for all copies in the quotas.")
        } else {
            (
                Style::Warning,
                "Whether there is room for all copies in the quotas is not known.",
            )
        };
        terminal.println_wrapped(style, text);
    }
}

/// How long it takes, by what, and which databases take the longest.
fn show_hours(estimate: &Estimate, terminal: &mut Terminal<'_>) {
    let (all, stack) = (estimate.with_all_slots, estimate.with_the_stack);
    let at_least = if estimate.databases.iter().any(|database| database.is_at_least) {
        "at least"
    } else {
        "about"
    };
    let hours = |seconds: i64| format_duration(SignedDuration::from_secs(seconds));
    let slots = |coverage: Coverage| {
        format!(
            "{} and {}",
            plural(to_usize(coverage.instance_slots), "instance slot", "instance slots"),
            plural(to_usize(coverage.cluster_slots), "cluster slot", "cluster slots")
        )
    };
    let to_cover = estimate
        .databases
        .iter()
        .filter(|database| !database.is_covered)
        .count();
    let first = if to_cover == 0 {
        "Every newest snapshot has a copy.".to_owned()
    } else {
        format!(
            "Copying the newest snapshot of {} takes {at_least} {} with the {} of RDS.",
            databases(to_cover),
            hours(all.first_seconds),
            slots(all)
        )
    };
    let daily = format!(
        "After that it takes {at_least} {} for each day's snapshots.",
        hours(all.daily_seconds)
    );
    let with_fewer = format!(
        "With the {} that the stack uses, {} and {}.",
        slots(stack),
        hours(stack.first_seconds),
        hours(stack.daily_seconds)
    );
    let has_fewer = (all.instance_slots, all.cluster_slots) != (stack.instance_slots, stack.cluster_slots);
    let with_fewer = Some(with_fewer).filter(|_| has_fewer);
    let text: Vec<String> = [first, daily].into_iter().chain(with_fewer).collect();
    terminal.println_wrapped(Style::Plain, &text.join(" "));
    terminal.println_wrapped(Style::Faint, &by_what(estimate.assumptions));
    let table = longest(&estimate.databases).map(|table| table.render(terminal));
    if let Some(table) = table {
        terminal.println("");
        terminal.print(&table);
    }
}

/// By what the hours are computed.
fn by_what(assumptions: Assumptions) -> String {
    let Assumptions {
        gib_per_hour,
        measured_by,
        overhead_seconds,
        daily_change_percent: change,
        is_change_given,
    } = assumptions;
    let overhead = format_duration(SignedDuration::from_secs(overhead_seconds));
    let throughput = format!("a copy transfers {gib_per_hour} GiB per hour, and takes {overhead} beside that");
    let throughput = match measured_by {
        0 => format!("Assumed, because there is no full copy to measure: {throughput}."),
        count => format!(
            "Measured by {}: {throughput}.",
            plural(count, "full copy", "full copies")
        ),
    };
    let change = if is_change_given {
        format!("{} % of the data changes from day to day.", change.high)
    } else {
        format!(
            "Assumed: {} to {} % of the data changes from day to day (--daily-change).",
            change.low, change.high
        )
    };
    format!("{throughput} {change} Where a database has copies, their times count.")
}

/// The databases whose next copies take the longest.
fn longest(databases: &[DatabaseEstimate]) -> Option<Table> {
    let mut next: Vec<&DatabaseEstimate> = databases.iter().filter(|database| !database.is_covered).collect();
    next.sort_by(|a, b| {
        b.next_seconds
            .cmp(&a.next_seconds)
            .then_with(|| (a.kind, &a.database).cmp(&(b.kind, &b.database)))
    });
    if next.is_empty() {
        return None;
    }
    let mut table = Table::new([
        Column::new("LONGEST COPIES", 0).cut_to(12),
        Column::new("GIB", 1).flush_right(),
        Column::new("SIZE", 4),
        Column::new("TRANSFER", 2),
        Column::new("STORED", 3),
        Column::new("NEXT COPY", 0).flush_right(),
        Column::new("DAILY", 2).flush_right(),
        Column::new("TIMES", 5),
    ]);
    for database in next.into_iter().take(MAX_SHOWN) {
        let size = database.size_gib.map(|gib| gib.to_string());
        let hours = |seconds: i64| format_duration(SignedDuration::from_secs(seconds));
        table.row([
            Cell::from(database.name()),
            Cell::from(size.unwrap_or_default()),
            Cell::from(match database.size_from {
                SizeSource::Written => "written",
                SizeSource::Allocated => "allocated",
                SizeSource::Given => "given",
                SizeSource::Unknown => "not known",
            }),
            Cell::from(database.transfer.to_string()),
            Cell::from(database.stored.to_string()),
            Cell::from(hours(database.next_seconds)),
            Cell::from(hours(database.daily_seconds)),
            Cell::from(match (database.is_measured, database.is_at_least) {
                (_, true) => "at least",
                (true, false) => "measured",
                (false, false) => "computed",
            }),
        ]);
    }
    Some(table)
}

/// The proposal for `ObjectiveHours`, and how it was derived.
fn show_objective(objective: ObjectiveProposal, basis: &Basis, terminal: &mut Terminal<'_>) {
    let hours = |seconds: i64| format_duration(SignedDuration::from_secs(seconds));
    let apart = if objective.is_interval_measured {
        "between two snapshots"
    } else {
        "between two snapshots (assumed)"
    };
    let whose = basis.stack.as_ref().map_or("The template has", |_| "The stack has");
    let present = hours(objective.present_seconds);
    let (style, verdict) = if objective.is_missed() {
        (Style::Warning, "which is exceeded on days when all is well")
    } else {
        (Style::Good, "which is enough")
    };
    terminal.println("");
    let text = format!(
        "ObjectiveHours: {} or more, by {} {apart}, {} until all are copied, and a margin of {}. {whose} {present}, {verdict}.",
        objective.proposed_hours,
        hours(objective.interval_seconds),
        hours(objective.cover_seconds),
        hours(objective.margin_seconds)
    );
    terminal.println_wrapped(style, &text);
}

fn show_cost(estimate: &Estimate, terminal: &mut Terminal<'_>) {
    terminal.println("");
    let mut table = Table::new([
        Column::new("PER MONTH, ABOUT", 0),
        Column::new("FIRST GIB", 2).flush_right(),
        Column::new("FIRST COST", 0).flush_right(),
        Column::new("LATER GIB", 2).flush_right(),
        Column::new("LATER COST", 0).flush_right(),
    ]);
    let (first, later) = (estimate.first_month, estimate.later_months);
    let currency = &estimate.tariff.currency;
    for (what, first, later) in [
        (
            "transfer",
            (first.transfer_gib, first.transfer),
            (later.transfer_gib, later.transfer),
        ),
        (
            "storage",
            (first.storage_gib, first.storage),
            (later.storage_gib, later.storage),
        ),
    ] {
        table.row([
            Cell::from(what),
            Cell::from(amount(first.0)),
            Cell::from(format!("{} {currency}", amount(first.1))),
            Cell::from(amount(later.0)),
            Cell::from(format!("{} {currency}", amount(later.1))),
        ]);
    }
    let table = table.render(terminal);
    terminal.print(&table);
    let tariff = &estimate.tariff;
    let confirmed = if tariff.confirmed {
        "as read from AWS"
    } else {
        "not confirmed: check them, and give yours with --prices"
    };
    let text = format!("Prices of {}, {confirmed}.", tariff.date);
    terminal.println_wrapped(Style::Faint, &text);
}

/// From and to, in whole units: more would be a precision that is not there.
fn amount(range: Range) -> String {
    let (low, high) = (format!("{:.0}", range.low), format!("{:.0}", range.high));
    if low == high { high } else { format!("{low} to {high}") }
}

/// Which databases are passed over, by reason.
fn show_passed_over(passed_over: &[PassedOver], terminal: &mut Terminal<'_>) {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for database in passed_over {
        let names = by_reason.entry(&database.reason).or_default();
        names.push(database_name(database.kind, &database.database));
    }
    if !by_reason.is_empty() {
        terminal.println("");
    }
    for (reason, names) in by_reason {
        let text = format!("passed over: {} ({reason}): {}", names.len(), some_of(&names));
        terminal.println_wrapped(Style::Plain, &text);
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
