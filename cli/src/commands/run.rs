//! `snapferry run`: starts a run of copy-fleet, follows it, and writes how it ended.

use domain::payload::{LeftOut, Retired};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::args::{Global, Run};
use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{ExecutionDetail, execution_arn, execution_console_url, execution_name};
use crate::commands::remarks;
use crate::commands::run_report::{RunReport, existing};
use crate::error::{CliError, ExitStatus};
use crate::facts::fleet::Fleet;
use crate::facts::following::Interrupt;
use crate::facts::plan_file::PlanFile;
use crate::facts::run_progress::{Followed, Follower};
use crate::facts::run_summary::{Counts, FailedKind, Purpose, RunSummary, check_names, start};
use crate::format::{databases, format_duration};
use crate::output::progress_bars::ProgressBars;
use crate::output::terminal::{Style, Terminal};

/// Failures that are looked into; a run names no more.
const MAX_FAILURES: usize = 20;

type Report<'a> = RunReport<'a, Ended<'a>>;

/// How it ended, if that was waited for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended<'a> {
    took_seconds: i64,
    counts: Counts,
    failures: &'a [Failure],
    left_out: &'a LeftOut,
    retired: &'a Retired,
    warnings: &'a [String],
    /// What was not done though nothing failed.
    shortfalls: &'a [String],
}

/// A database that was not copied.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    kind: FailedKind,
    database: String,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// Starts a run, or goes on following one.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Run,
    interrupt: Interrupt<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    check(options)?;
    let stack = account.stack(global.stack()).await?;
    if let Some(execution) = followed(options) {
        let arn = existing(account, &stack.region, &stack.copy_fleet_arn, execution).await?;
        return follow(account, global, &stack, &arn, options, interrupt, terminal).await;
    }
    let fleet = || Fleet::read(account, &stack);
    let only = match &options.plan {
        None => {
            check_names(&options.only, &stack, fleet).await?;
            options.only.clone()
        }
        Some(file) => {
            let plan = PlanFile::read(file, &stack)?;
            let run = plan.databases_to_run(&fleet().await?);
            for sentence in run.left_out() {
                say(options, &sentence, terminal);
            }
            if run.only.is_empty() {
                let failing = plan.failing().count();
                let failing = if failing > 0 {
                    format!(" {} would fail.", databases(failing))
                } else {
                    String::new()
                };
                say(options, &format!("The plan has nothing to do.{failing}"), terminal);
                return Ok(ExitStatus::Success);
            }
            run.only
        }
    };
    let purpose = if options.dry_run { Purpose::DryRun } else { Purpose::Run };
    let arn = start(account, &stack, purpose, &only).await?;
    let name = execution_name(&arn);
    if options.quiet {
        terminal.println(name);
    } else if !options.json {
        terminal.println(&format!("Started {name}."));
        terminal.println(&execution_console_url(&stack.region, &arn));
    }
    if options.follow.is_some() {
        return follow(account, global, &stack, &arn, options, interrupt, terminal).await;
    }
    if options.json {
        terminal.print_json(&Report::running(&stack.region, &arn));
    }
    if !options.quiet {
        let command = global.follow_command(name);
        terminal.eprintln(&format!("To follow it:\n  {command}"));
    }
    Ok(ExitStatus::Success)
}

/// Writes what is known before a run is started; beside the results where those are read by a program.
fn say(options: &Run, sentence: &str, terminal: &mut Terminal<'_>) {
    if options.json || options.quiet {
        terminal.eprintln(sentence);
    } else {
        terminal.println_wrapped(Style::Warning, sentence);
    }
}

/// Refuses to start a run and to follow another, and a file that is not a plan.
pub(crate) fn check(options: &Run) -> Result<(), CliError> {
    let starts = options.dry_run || options.plan.is_some() || !options.only.is_empty();
    if followed(options).is_some() && starts {
        return Err(CliError::new(
            "--follow EXECUTION follows a run that was started before; --only, --plan and --dry-run are for a new one.",
            "Leave out one or the other.",
        ));
    }
    options.plan.as_deref().map_or(Ok(()), PlanFile::check)
}

/// The execution that is to be followed, if it was started before.
fn followed(options: &Run) -> Option<&str> {
    options.follow.as_deref().filter(|execution| !execution.is_empty())
}

async fn follow(
    account: &Account,
    global: &Global,
    stack: &Stack,
    arn: &str,
    options: &Run,
    interrupt: Interrupt<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let mut bars = if options.quiet {
        ProgressBars::Quiet
    } else {
        ProgressBars::new(terminal)
    };
    let run = Follower::new(account, stack, arn);
    let run = if options.quiet {
        run
    } else {
        run.asking_how_they_ended()
    };
    let followed = run
        .follow(interrupt, |progress, now| bars.show(progress, now, terminal))
        .await;
    bars.end();
    let command = global.follow_command(execution_name(arn));
    let goes_on = format!("The run goes on. To follow it again:\n  {command}");
    match followed {
        Ok(Followed::Ended(detail, _)) => report(account, stack, &detail, options, terminal).await,
        Ok(Followed::Detached) => {
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
async fn report(
    account: &Account,
    stack: &Stack,
    detail: &ExecutionDetail,
    options: &Run,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let summary = RunSummary::from_detail(detail)?;
    let run = &detail.execution;
    let took = run.stopped.unwrap_or_else(|| account.now()).duration_since(run.started);
    let status = summary.exit_status();
    let shortfalls = summary.shortfalls();
    let failures = look_into(account, stack, &summary).await;
    if options.json {
        let how = Ended {
            took_seconds: took.as_secs(),
            counts: summary.counts,
            failures: &failures,
            left_out: &summary.left_out,
            retired: &summary.retired,
            warnings: &summary.warnings,
            shortfalls: &shortfalls,
        };
        terminal.print_json(&Report::ended(&stack.region, run, how));
        return Ok(status);
    }
    if !options.quiet {
        let style = match status {
            ExitStatus::Success if shortfalls.is_empty() => Style::Good,
            ExitStatus::Success => Style::Warning,
            _ => Style::Bad,
        };
        let (took, counted) = (format_duration(took), summary.counted());
        terminal.println_wrapped(style, &format!("The run {} ended after {took}: {counted}.", run.name));
        for shortfall in shortfalls {
            terminal.println_wrapped(Style::Warning, &shortfall);
        }
        remarks::write(&summary.warnings, &summary.left_out, &summary.retired, terminal);
    }
    for failure in failures {
        let Failure {
            kind,
            database,
            error,
            cause,
            link,
        } = failure;
        if !options.quiet {
            terminal.println("");
        }
        terminal.println_wrapped(Style::Bad, &format!("{kind} {database}: {error}"));
        if let Some(cause) = cause {
            terminal.println_wrapped(Style::Plain, &cause);
        }
        if let Some(link) = link {
            terminal.println_wrapped(Style::Faint, &link);
        }
    }
    Ok(status)
}

/// What the executions of the databases that failed say.
async fn look_into(account: &Account, stack: &Stack, summary: &RunSummary) -> Vec<Failure> {
    let step_functions = &account.step_functions(&stack.region);
    let failures = stream::iter(summary.failures.iter().take(MAX_FAILURES));
    let failures = failures.map(async |failure| {
        let arn = execution_arn(&stack.copy_snapshot_arn, &failure.execution);
        // The run's own word for it may be that of Step Functions; the execution knows its error (P5).
        let detail = step_functions.detail(&arn).await.ok();
        let own = detail.as_ref().and_then(|detail| detail.error.clone());
        let is_page = failure.kind == FailedKind::Page;
        Failure {
            kind: failure.kind,
            database: failure.id.clone(),
            error: own.unwrap_or_else(|| failure.error.clone()),
            cause: detail
                .and_then(|detail| detail.explanation())
                .filter(|cause| !cause.is_empty()),
            link: (!is_page).then(|| execution_console_url(&stack.region, &arn)),
        }
    });
    failures.buffered(4).collect().await
}
