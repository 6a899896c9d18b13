//! `snapferry drill`: starts a run of drills, follows it, and writes what came of each; keeps a drill database, and pauses
//! the schedule.

mod kept_database;

use domain::drill::DrillOutcome;
use serde::Serialize;

use crate::args::{Drill, Global};
use crate::aws::account::{Account, check_region};
use crate::aws::step_functions::{ExecutionDetail, execution_console_url, execution_name};
use crate::aws::watch_stack::WatchStack;
use crate::commands::run_report::{RunReport, existing};
use crate::error::{CliError, ExitStatus};
use crate::facts::drill_record::DrillRecord;
use crate::facts::drill_run::{DrillCounts, DrillFollower, DrillSummary, PassedOver, check_names, start};
use crate::facts::following::Interrupt;
use crate::format::{database_name, drill_word, format_duration};
use crate::output::terminal::{Style, Terminal};

type Report<'a> = RunReport<'a, Ended<'a>>;

/// How it ended, if that was waited for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended<'a> {
    took_seconds: i64,
    counts: DrillCounts,
    drills: &'a [DrillRecord],
    passed_over: &'a [PassedOver],
    later: u64,
    warnings: &'a [String],
}

/// Refuses to start drills and to follow others.
pub(crate) fn check(options: &Drill) -> Result<(), CliError> {
    if followed(options).is_some() && !options.databases.is_empty() {
        return Err(CliError::new(
            "--follow=EXECUTION follows drills that were started before; databases are named for new ones.",
            "Leave out one or the other.",
        ));
    }
    Ok(())
}

/// The execution that is to be followed, if it was started before.
fn followed(options: &Drill) -> Option<&str> {
    options.follow.as_deref().filter(|execution| !execution.is_empty())
}

/// Does what the options say.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Drill,
    interrupt: Interrupt<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    check(options)?;
    if let Some(name) = &options.keep {
        let region = match &options.destination {
            Some(region) => region.clone(),
            None => account.stack(global.stack()).await?.destination_region,
        };
        check_region(&region)?;
        return kept_database::run(account, global, &region, name, terminal).await;
    }
    let stack = find(account, global, options).await?;
    if options.pause || options.resume {
        return switch(account, &stack, options.resume, terminal).await;
    }
    if let Some(execution) = followed(options) {
        let arn = existing(account, &stack.region, &stack.drill_fleet_arn, execution).await?;
        return follow(account, global, &stack, &arn, options, interrupt, terminal).await;
    }
    check_names(account, &stack, &options.databases).await?;
    let arn = start(account, &stack, &options.databases).await?;
    if !options.json {
        terminal.println(&format!("Started {}.", execution_name(&arn)));
        terminal.println(&execution_console_url(&stack.region, &arn));
    }
    if options.follow.is_some() {
        return follow(account, global, &stack, &arn, options, interrupt, terminal).await;
    }
    if options.json {
        terminal.print_json(&Report::running(&stack.region, &arn));
    }
    let command = global.follow_drills_command(options, execution_name(&arn));
    terminal.eprintln(&format!("To follow it:\n  {command}"));
    Ok(ExitStatus::Success)
}

/// The destination stack: in the region that the options name, or else in that of the stack's copies.
async fn find(account: &Account, global: &Global, options: &Drill) -> Result<WatchStack, CliError> {
    let name = options.watch_stack.as_str();
    if let Some(region) = &options.destination {
        check_region(region)?;
        return account.watch_stack(region, name).await;
    }
    let stack = account.stack(global.stack()).await?;
    let watch = account.watch_stack(&stack.destination_region, name).await?;
    if watch.is_of(&stack) {
        return Ok(watch);
    }
    Err(CliError::new(
        format!(
            "The stack {name} in {} drills the copies of {}/{}, and not those of the stack {} ({}/{}).",
            watch.region, watch.source_region, watch.owner_id, stack.name, stack.region, stack.owner_id
        ),
        "Name the destination stack of these copies with --watch-stack.",
    ))
}

/// Switches the schedule of drills. The sweep goes on in any case.
async fn switch(
    account: &Account,
    stack: &WatchStack,
    resumes: bool,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let Some(rule) = &stack.rule else {
        return Err(CliError::new(
            format!(
                "The stack {} in {} has no schedule of drills.",
                stack.name, stack.region
            ),
            "Deploy it with the parameter Drills set to true.",
        ));
    };
    account.rules(&stack.region).switch(rule, resumes).await?;
    let said = if resumes {
        "Drills start on their schedule again."
    } else {
        "No drills start on their schedule until `snapferry drill --resume`. Those that run go on, and the hourly sweep \
         goes on deleting drill databases."
    };
    terminal.println_wrapped(Style::Plain, said);
    Ok(ExitStatus::Success)
}

async fn follow(
    account: &Account,
    global: &Global,
    stack: &WatchStack,
    arn: &str,
    options: &Drill,
    interrupt: Interrupt<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let mut drills = Vec::new();
    let ended = DrillFollower::new(account, stack, arn)
        .follow(interrupt, |drill| {
            if !options.json {
                show(&drill, terminal);
            }
            drills.push(drill);
        })
        .await;
    let command = global.follow_drills_command(options, execution_name(arn));
    let goes_on = format!("The run goes on. To follow it again:\n  {command}");
    match ended {
        Ok(Some(detail)) => report(account, stack, &detail, drills, options, terminal),
        Ok(None) => {
            if options.json {
                terminal.print_json(&Report::running(&stack.region, arn));
            }
            terminal.eprintln(&goes_on);
            Ok(ExitStatus::Interrupted)
        }
        Err(error) => Err(error.and(&goes_on)),
    }
}

/// Writes how a run ended.
fn report(
    account: &Account,
    stack: &WatchStack,
    detail: &ExecutionDetail,
    mut drills: Vec<DrillRecord>,
    options: &Drill,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let mut summary = DrillSummary::from_detail(detail)?;
    let run = &detail.execution;
    let took = run.stopped.unwrap_or_else(|| account.now()).duration_since(run.started);
    let status = if summary.counts.failed > 0 {
        ExitStatus::Problem
    } else {
        ExitStatus::Success
    };
    let unseen = summary.unseen(stack, &drills);
    if !options.json {
        for drill in &unseen {
            show(drill, terminal);
        }
    }
    drills.extend(unseen);
    let without_room = summary.without_room(&options.databases, &drills);
    summary.warnings.extend(without_room);
    if options.json {
        let how = Ended {
            took_seconds: took.as_secs(),
            counts: summary.counts,
            drills: &drills,
            passed_over: &summary.passed_over,
            later: summary.later,
            warnings: &summary.warnings,
        };
        terminal.print_json(&Report::ended(&stack.region, run, how));
        return Ok(status);
    }
    let style = match status {
        ExitStatus::Success => Style::Good,
        _ => Style::Bad,
    };
    let (took, counted) = (format_duration(took), summary.counted());
    terminal.println_wrapped(style, &format!("The run {} ended after {took}: {counted}.", run.name));
    for PassedOver { kind, id, reason } in &summary.passed_over {
        let name = database_name(*kind, id);
        terminal.println_wrapped(Style::Faint, &format!("passed over: {name}: {reason}"));
    }
    // Of named ones that is a warning, with their names.
    if summary.later > 0 && options.databases.is_empty() {
        let later = format!(
            "{} more for which this run had no room: later runs drill them.",
            summary.later
        );
        terminal.println_wrapped(Style::Faint, &later);
    }
    for warning in &summary.warnings {
        terminal.println_wrapped(Style::Warning, &format!("warning: {warning}"));
    }
    Ok(status)
}

/// The style of what came of a drill.
pub(crate) fn drill_style(outcome: DrillOutcome) -> Style {
    match outcome {
        DrillOutcome::Passed => Style::Good,
        DrillOutcome::Failed => Style::Bad,
        DrillOutcome::NotRun | DrillOutcome::Unsupported => Style::Warning,
    }
}

/// A drill in a line: `orders: passed, 17 min`. One that did not pass says why, and where to read more.
fn show(drill: &DrillRecord, terminal: &mut Terminal<'_>) {
    let name = database_name(drill.kind, &drill.database);
    let minutes = drill
        .minutes
        .map_or_else(String::new, |minutes| format!(", {minutes} min"));
    let is_passed = drill.outcome == DrillOutcome::Passed;
    let reason = drill.reason.as_deref().filter(|_| !is_passed);
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let word = drill_word(drill.outcome);
    terminal.println_wrapped(drill_style(drill.outcome), &format!("{name}: {word}{minutes}{reason}"));
    if drill.left {
        let left = "Something of it is still there; the hourly sweep deletes it.";
        terminal.println_wrapped(Style::Warning, left);
    }
    if !is_passed {
        terminal.println_wrapped(Style::Faint, &drill.link);
    }
}
