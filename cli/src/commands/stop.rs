//! `snapferry stop`: switches off what starts runs and drills, stops those that run, and shows the copies that RDS goes on
//! with; `--cancel` deletes these, `--resume` switches all of it on again.

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use serde::Serialize;

use crate::args::{Drill, Global, Stop};
use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{StepFunctions, execution_name};
use crate::aws::watch_stack::WatchStack;
use crate::error::{CliError, ExitStatus};
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopy};
use crate::format::{copies, database_name, plural, some_of};
use crate::output::terminal::{Style, Terminal};

/// What a stopped execution says of its end.
const CAUSE: &str = "Stopped by snapferry stop.";

/// How often the executions are listed again: one that was being started while the rules were switched off is there a
/// moment later.
const ROUNDS: usize = 3;

/// What the operator must be allowed to do with --cancel.
const NEEDS_DELETE: &str = "rds:DeleteDBSnapshot and rds:DeleteDBClusterSnapshot";

/// What was done, as JSON.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    version: u32,
    /// The rules that were switched.
    rules: Vec<Rule>,
    /// Executions that were stopped.
    stopped: Vec<String>,
    /// Copies that RDS goes on with.
    in_progress: Vec<CopyAtWork>,
    /// Copies whose targets were deleted.
    cancelled: Vec<CopyAtWork>,
    /// What could not be done, or was not there to be done.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Rule {
    region: String,
    name: String,
    enabled: bool,
}

/// A copy in progress.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CopyAtWork {
    kind: DatabaseKind,
    database: String,
    copy: String,
    percent: i32,
}

impl CopyAtWork {
    fn new(database: &DatabaseCopies, copy: &OwnedCopy) -> Self {
        Self {
            kind: database.kind,
            database: database.id.clone(),
            copy: copy.snapshot.id.clone(),
            percent: copy.snapshot.percent,
        }
    }
}

/// Does what the options say. What can be stopped is stopped, whatever else fails.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Stop,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let stack = account.stack(global.stack()).await?;
    let mut report = Report {
        version: 1,
        ..Report::default()
    };
    let mut status = ExitStatus::Success;
    let watch = match account.watch_stack_of(&stack, &options.watch_stack).await {
        Ok(watch) => watch,
        Err(error) => {
            status = ExitStatus::Problem;
            report.notes.push(format!("Drills are not touched. {error}"));
            None
        }
    };
    switch(account, &stack, watch.as_ref(), options.resume, &mut report).await?;
    if options.resume {
        show_resumed(&stack, options, &report, terminal);
        return Ok(status);
    }
    let source = [stack.copy_fleet_arn.as_str(), &stack.copy_snapshot_arn];
    stop_all(&account.step_functions(&stack.region), &source, &mut report).await?;
    if let Some(watch) = &watch {
        let drills = [watch.drill_fleet_arn.as_str(), &watch.drill_copy_arn];
        stop_all(&account.step_functions(&watch.region), &drills, &mut report).await?;
    }
    if !end_copies(account, stack.clone(), options.cancel, &mut report).await? {
        status = ExitStatus::Problem;
    }
    show(&stack, global, options, &report, terminal);
    Ok(status)
}

/// Switches the rules that start runs and drills. The watch, the sweep of drill databases and the measurements go on.
async fn switch(
    account: &Account,
    stack: &Stack,
    watch: Option<&WatchStack>,
    on: bool,
    report: &mut Report,
) -> Result<(), CliError> {
    if stack.rules_of_runs.is_empty() {
        return Err(CliError::new(
            format!("The stack {} does not say which rules start its runs.", stack.name),
            "An older release deployed it: update it first, or disable its rules in the EventBridge console.",
        ));
    }
    let of_runs = stack.rules_of_runs.iter().map(|rule| (&stack.region, rule));
    let of_drills = watch.and_then(|watch| Some((&watch.region, watch.rule.as_ref()?)));
    for (region, rule) in of_runs.chain(of_drills) {
        account.rules(region).switch(rule, on).await?;
        report.rules.push(Rule {
            region: region.clone(),
            name: rule.clone(),
            enabled: on,
        });
    }
    Ok(())
}

/// Stops what runs of these machines, the runs before what they start, until nothing does.
async fn stop_all(states: &StepFunctions, machines: &[&str], report: &mut Report) -> Result<(), CliError> {
    for _ in 0..ROUNDS {
        let mut found = false;
        for machine in machines {
            for execution in states.running(machine).await? {
                states.stop(&execution.arn, CAUSE).await?;
                found = true;
                if !report.stopped.contains(&execution.arn) {
                    report.stopped.push(execution.arn);
                }
            }
        }
        if !found {
            return Ok(());
        }
    }
    Ok(())
}

/// Lists the copies that RDS goes on with, or deletes their targets, which ends them. Whether that went well.
async fn end_copies(account: &Account, stack: Stack, cancels: bool, report: &mut Report) -> Result<bool, CliError> {
    let owned = CopySource::from_stack(stack).read(account).await?;
    let rds = account.rds(&owned.region);
    let mut went_well = true;
    for database in &owned.databases {
        let copies = database.copies.iter();
        for copy in copies.filter(|copy| copy.own.status == CopyStatus::InProgress) {
            let line = CopyAtWork::new(database, copy);
            if !cancels {
                report.in_progress.push(line);
                continue;
            }
            match rds.delete(line.kind, &line.copy).await {
                Ok(()) => report.cancelled.push(line),
                Err(error) => {
                    went_well = false;
                    let error = CliError::from_rds(rds.region(), NEEDS_DELETE, &error);
                    report.notes.push(format!("{} goes on. {error}", line.copy));
                    report.in_progress.push(line);
                }
            }
        }
    }
    Ok(went_well)
}

fn show_resumed(stack: &Stack, options: &Stop, report: &Report, terminal: &mut Terminal<'_>) {
    if options.json {
        terminal.print_json(report);
        return;
    }
    let rules = plural(report.rules.len(), "rule is", "rules are");
    let text = format!(
        "{rules} enabled again: runs of the stack {} start on their own.",
        stack.name
    );
    terminal.println_wrapped(Style::Good, &text);
    notes(report, terminal);
}

fn show(stack: &Stack, global: &Global, options: &Stop, report: &Report, terminal: &mut Terminal<'_>) {
    if options.json {
        terminal.print_json(report);
        return;
    }
    let rules = plural(report.rules.len(), "rule is", "rules are");
    let text = format!(
        "{rules} disabled: nothing of the stack {} starts on its own any more.",
        stack.name
    );
    terminal.println_wrapped(Style::Strong, &text);
    let names = report.stopped.iter().map(|arn| execution_name(arn).to_owned());
    let names: Vec<String> = names.collect();
    let text = match names.len() {
        0 => "No execution was running.".to_owned(),
        count => {
            let executions = plural(count, "execution is", "executions are");
            format!("{executions} stopped: {}.", some_of(&names))
        }
    };
    terminal.println_wrapped(Style::Plain, &text);
    for copy in &report.cancelled {
        let name = database_name(copy.kind, &copy.database);
        terminal.println_wrapped(
            Style::Warning,
            &format!("cancelled at {} %: {name}, {}", copy.percent, copy.copy),
        );
    }
    if report.in_progress.is_empty() {
        let none = "RDS makes no copy for it any more.";
        terminal.println_wrapped(Style::Plain, none);
    } else {
        let text = format!(
            "RDS goes on with {} in {}, which the next run verifies:",
            copies(report.in_progress.len()),
            stack.destination_region
        );
        terminal.println_wrapped(Style::Warning, &text);
        for copy in &report.in_progress {
            let name = database_name(copy.kind, &copy.database);
            terminal.println_wrapped(Style::Plain, &format!("  {name}, {} %: {}", copy.percent, copy.copy));
        }
    }
    notes(report, terminal);
    let again = |option: &str| again(global, options, option);
    if !options.cancel && !report.in_progress.is_empty() {
        terminal.eprintln(&format!("To cancel these copies:\n  {}", again("--cancel")));
    }
    terminal.eprintln(&format!(
        "Ages are still measured, and their alarms go off; drill databases are still deleted. To start again:\n  {}",
        again("--resume")
    ));
}

/// The same command with another option.
fn again(global: &Global, options: &Stop, option: &str) -> String {
    let command = global.command(&format!("stop {option}"));
    if options.watch_stack == Drill::STACK {
        return command;
    }
    format!("{command} --watch-stack {}", options.watch_stack)
}

fn notes(report: &Report, terminal: &mut Terminal<'_>) {
    for note in &report.notes {
        terminal.eprintln(&format!("note: {}", note.replace('\n', " ")));
    }
}
