//! `snapferry run`: starts a run of copy-fleet, follows it, and writes how it ended.

use futures_util::{StreamExt, stream};

use crate::args::{Global, Run};
use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{ExecutionDetail, execution_arn, execution_console_url, execution_name};
use crate::commands::remarks;
use crate::error::{CliError, ExitStatus};
use crate::facts::fleet::Fleet;
use crate::facts::plan_file::PlanFile;
use crate::facts::run_progress::{Followed, Follower, Interrupt};
use crate::facts::run_summary::{CopyFailure, FailedKind, Purpose, RunSummary, start};
use crate::format::{databases, format_duration};
use crate::output::progress_bars::ProgressBars;
use crate::output::terminal::{Style, Terminal};

/// Failures that are looked into; a run names no more.
const MAX_FAILURES: usize = 20;

/// Starts a run, or goes on following one.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Run,
    interrupt: Interrupt<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let other = options.follow.as_deref().filter(|execution| !execution.is_empty());
    check(options, other)?;
    let stack = account.stack(&global.stack).await?;
    if let Some(execution) = other {
        let arn = if execution.starts_with("arn:") {
            execution.to_owned()
        } else {
            execution_arn(&stack.copy_fleet_arn, execution)
        };
        // Is it there?
        account.step_functions(&stack.region).detail(&arn).await?;
        return follow(account, global, &stack, &arn, interrupt, terminal).await;
    }
    let only = match &options.plan {
        None => options.only.clone(),
        Some(file) => {
            let plan = PlanFile::read(file, &stack)?;
            let run = plan.databases_to_run(&Fleet::read(account, &stack).await?);
            for sentence in run.left_out() {
                terminal.println_wrapped(Style::Warning, &sentence);
            }
            if run.only.is_empty() {
                let failing = plan.failing().count();
                let failing = if failing > 0 {
                    format!(" {} would fail.", databases(failing))
                } else {
                    String::new()
                };
                terminal.println_wrapped(Style::Plain, &format!("The plan has nothing to do.{failing}"));
                return Ok(ExitStatus::Success);
            }
            run.only
        }
    };
    let purpose = if options.dry_run { Purpose::DryRun } else { Purpose::Run };
    let arn = start(account, &stack, purpose, &only).await?;
    terminal.println(&format!("Started {}.", execution_name(&arn)));
    terminal.println(&execution_console_url(&stack.region, &arn));
    if options.follow.is_some() {
        return follow(account, global, &stack, &arn, interrupt, terminal).await;
    }
    let command = global.follow_command(execution_name(&arn));
    terminal.eprintln(&format!("To follow it:\n  {command}"));
    Ok(ExitStatus::Success)
}

/// Refuses to start a run and to follow another.
fn check(options: &Run, other: Option<&str>) -> Result<(), CliError> {
    let starts = options.dry_run || options.plan.is_some() || !options.only.is_empty();
    if other.is_some() && starts {
        return Err(CliError::new(
            "--follow EXECUTION follows a run that was started before; --only, --plan and --dry-run are for a new one.",
            "Leave out one or the other.",
        ));
    }
    Ok(())
}

async fn follow(
    account: &Account,
    global: &Global,
    stack: &Stack,
    arn: &str,
    interrupt: Interrupt<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let mut bars = ProgressBars::new(terminal);
    let run = Follower::new(account, stack, arn);
    let followed = run
        .follow(interrupt, |progress, now| bars.show(progress, now, terminal))
        .await;
    bars.end();
    let command = global.follow_command(execution_name(arn));
    let goes_on = format!("The run goes on. To follow it again:\n  {command}");
    match followed {
        Ok(Followed::Ended(detail, _)) => report(account, stack, &detail, terminal).await,
        Ok(Followed::Detached) => {
            terminal.eprintln(&goes_on);
            Ok(ExitStatus::Success)
        }
        Err(error) => Err(error.and(&goes_on)),
    }
}

/// Writes how a run ended.
async fn report(
    account: &Account,
    stack: &Stack,
    detail: &ExecutionDetail,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let summary = RunSummary::from_detail(detail)?;
    let run = &detail.execution;
    let took = run.stopped.unwrap_or_else(|| account.now()).duration_since(run.started);
    let status = summary.exit_status();
    let shortfalls = summary.shortfalls();
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

    let step_functions = &account.step_functions(&stack.region);
    let failures = stream::iter(summary.failures.iter().take(MAX_FAILURES));
    let causes = failures.map(async |failure| {
        let arn = execution_arn(&stack.copy_snapshot_arn, &failure.execution);
        // The run's own word for it may be that of Step Functions; the execution knows its error (P5).
        let detail = step_functions.detail(&arn).await.ok();
        let own = detail.as_ref().and_then(|detail| detail.error.clone());
        let error = own.unwrap_or_else(|| failure.error.clone());
        (failure, arn, error, detail.and_then(|detail| detail.explanation()))
    });
    for (failure, arn, error, cause) in causes.buffered(4).collect::<Vec<_>>().await {
        let CopyFailure { kind, id, .. } = failure;
        terminal.println("");
        terminal.println_wrapped(Style::Bad, &format!("{kind} {id}: {error}"));
        if let Some(cause) = cause.filter(|cause| !cause.is_empty()) {
            terminal.println_wrapped(Style::Plain, &cause);
        }
        if *kind != FailedKind::Page {
            terminal.println_wrapped(Style::Faint, &execution_console_url(&stack.region, &arn));
        }
    }
    Ok(status)
}
