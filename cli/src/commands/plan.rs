//! `snapferry plan`: what a run would do, as the functions themselves decide it, and why.
//!
//! It is a dry run, followed to its end and read.

use domain::payload::{Decision, PruneDecision, Source};

use crate::args::{Global, Plan};
use crate::aws::account::Account;
use crate::aws::step_functions::execution_name;
use crate::commands::remarks;
use crate::error::{CliError, ExitStatus};
use crate::facts::fleet::Fleet;
use crate::facts::following::Interrupt;
use crate::facts::plan_file::{PlanFile, PlannedDatabase};
use crate::facts::run_progress::{Followed, Follower};
use crate::facts::run_summary::{Purpose, check_names, start};
use crate::format::{copies, database_name, databases, format_size, format_utc, plural, unless_zero};
use crate::output::progress_bars::ProgressBars;
use crate::output::table::{Cell, Column, Table};
use crate::output::terminal::{Style, Terminal};

/// Makes a dry run, reads what it decided, and writes that.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Plan,
    interrupt: Interrupt<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let stack = account.stack(global.stack()).await?;
    check_names(&options.only, &stack, || Fleet::read(account, &stack)).await?;
    let arn = start(account, &stack, Purpose::Plan, &options.only).await?;
    let mut bars = ProgressBars::only_live(terminal);
    let run = Follower::new(account, &stack, &arn);
    let followed = run.follow(interrupt, |progress, now| bars.show(progress, now, terminal));
    let followed = followed.await?;
    bars.end();
    let Followed::Ended(detail, children) = followed else {
        let command = global.follow_command(execution_name(&arn));
        terminal.eprintln(&format!(
            "The dry run goes on; it changes nothing. To follow it:\n  {command}"
        ));
        return Ok(ExitStatus::Interrupted);
    };
    let plan = PlanFile::from_run(account, &stack, &detail, &children).await?;
    if options.json {
        terminal.print_json(&plan);
    } else {
        show(&plan, terminal);
    }
    Ok(if options.detailed_exit_code && plan.failing().next().is_some() {
        ExitStatus::Problem
    } else {
        ExitStatus::Success
    })
}

fn show(plan: &PlanFile, terminal: &mut Terminal<'_>) {
    terminal.println_wrapped(Style::Strong, &answer(plan));
    let failing = plan.failing().count();
    if failing > 0 {
        terminal.println_wrapped(Style::Bad, &format!("{} would fail.", databases(failing)));
    }
    terminal.println("");
    let table = table(plan).render(terminal);
    terminal.print(&table);

    show_details(plan, terminal);
    if !plan.warnings.is_empty() || plan.left_out.count > 0 || plan.retired.databases > 0 {
        terminal.println("");
    }
    remarks::write(&plan.warnings, &plan.left_out, &plan.retired, terminal);
}

/// The answer in a sentence.
fn answer(plan: &PlanFile) -> String {
    let deletions = plan.databases.iter().map(|planned| planned.delete.len()).sum();
    let verify = match plan.count(Decision::Verify) {
        0 => String::new(),
        complete => format!(
            "verify {} of older snapshots, ",
            plural(complete, "complete copy", "complete copies")
        ),
    };
    format!(
        "A run would copy {} of {} to {}, wait for {} under way, {verify}and then delete {}.",
        plan.count(Decision::Copy),
        databases(plan.databases.len()),
        plan.destination_region,
        copies(plan.count(Decision::Join)),
        plural(deletions, "old copy", "old copies"),
    )
}

fn table(plan: &PlanFile) -> Table {
    let mut table = Table::new([
        Column::new("DATABASE", 0).cut_last_to(12),
        Column::new("WOULD", 0),
        Column::new("DATA OF (UTC)", 2),
        Column::new("GIB", 3).flush_right(),
        Column::new("DELETES", 1).flush_right(),
        Column::new("WHY", 0).wrapped(),
    ]);
    for planned in &plan.databases {
        let source = planned.source.as_ref();
        let captured = source.map(|source| format_utc(source.data_at()));
        table.row([
            Cell::from(database_name(planned.kind, &planned.database)),
            decision(planned),
            Cell::from(captured.unwrap_or_default()),
            Cell::from(format_size(source.and_then(Source::data_gib))),
            Cell::from(unless_zero(planned.delete.len())),
            Cell::from(planned.error.as_ref().unwrap_or(&planned.reason).as_str()),
        ]);
    }
    table
}

fn decision(planned: &PlannedDatabase) -> Cell {
    let (style, word) = match planned.decision {
        None => (Style::Bad, "FAIL"),
        Some(Decision::Copy) => (Style::Good, "copy"),
        Some(Decision::Join | Decision::Wait) => (Style::Good, "wait"),
        Some(Decision::Verify) => (Style::Good, "verify"),
        Some(Decision::Current) => (Style::Faint, "current"),
        Some(Decision::UnderWay) => (Style::Faint, "under way"),
        Some(Decision::Nothing) => (Style::Warning, "nothing"),
        Some(Decision::Unsupported) => (Style::Warning, "unsupported"),
        Some(Decision::Retired) => (Style::Faint, "retired"),
    };
    Cell::new(style, word)
}

/// Why databases would fail, and by which rule each copy would be deleted.
fn show_details(plan: &PlanFile, terminal: &mut Terminal<'_>) {
    let mut begun = false;
    for planned in &plan.databases {
        if planned.error.is_some() {
            terminal.println("");
            let text = format!("{} {} would fail: {}", planned.kind, planned.database, planned.reason);
            terminal.println_wrapped(Style::Bad, &text);
        }
        for PruneDecision { id, reason } in &planned.delete {
            if !begun {
                terminal.println("");
                begun = true;
            }
            terminal.println_wrapped(Style::Plain, &format!("delete {id}: {reason}"));
        }
    }
}
