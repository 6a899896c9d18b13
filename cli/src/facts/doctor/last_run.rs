//! When the last run was, and how it ended.

use domain::settings::OBJECTIVE_HOURS;
use jiff::{SignedDuration, Timestamp};

use crate::aws::account::Account;
use crate::aws::deployment::Deployment;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{Execution, ExecutionStatus};
use crate::facts::doctor::finding::Finding;
use crate::facts::run_summary::is_dry_run;
use crate::format::{format_duration, format_utc};

/// Most runs that are asked whether they were dry.
const MAX_ASKED: usize = 20;

/// Far more than events start between two regular runs.
const MAX_RUNS: usize = 1_000;

/// The last run that copies, by the executions of copy-fleet.
pub(crate) async fn check(account: &Account, stack: &Stack, deployment: &Deployment) -> Finding {
    let now = account.now();
    let schedule = deployment.parameter("ScheduleExpression").and_then(interval);
    let objective = stack
        .objective
        .unwrap_or(SignedDuration::from_hours(i64::from(OBJECTIVE_HOURS)));
    let limit = schedule.unwrap_or(DAY).saturating_add(objective);
    // Older ones say no more than that there are none.
    let since = now.checked_sub(limit.saturating_add(limit)).unwrap_or(Timestamp::MIN);
    let states = account.step_functions(&stack.region);
    let runs = match states.executions(&stack.copy_fleet_arn, since, MAX_RUNS).await {
        Ok(runs) => runs.found,
        Err(error) => return Finding::failed("last run", &stack.name, &error),
    };
    let mut last = None;
    for run in runs.into_iter().take(MAX_ASKED) {
        if !is_dry_run(&states, &run).await {
            last = Some(run);
            break;
        }
    }
    judge(&stack.name, last.as_ref(), limit, deployment, now)
}

fn judge(
    stack: &str,
    last: Option<&Execution>,
    limit: SignedDuration,
    deployment: &Deployment,
    now: Timestamp,
) -> Finding {
    let check = "last run";
    let within = format_duration(limit);
    let Some(run) = last else {
        let found = format!("No run copied anything within {within}, the schedule and the RPO objective together.");
        let is_new = deployment
            .created
            .is_some_and(|created| now.duration_since(created) < limit);
        if is_new || deployment.parameter("DryRun") == Some("true") {
            return Finding::warning(check, stack, found, "Start one: snapferry run --follow.");
        }
        let remedy = "Start one: snapferry run --follow. Then find out why none started: rules, permissions, the \
                      dead-letter queue.";
        return Finding::wrong(check, stack, found, remedy);
    };
    let age = now.duration_since(run.started);
    let found = format!(
        "{} began {} (UTC) and {}.",
        run.name,
        format_utc(run.started),
        ending(run.status)
    );
    if age > limit {
        let found = format!("{found} That is longer ago than {within}, the schedule and the RPO objective together.");
        let remedy = "Find out why no other one started: rules, permissions, the dead-letter queue.";
        return Finding::wrong(check, stack, found, remedy);
    }
    match run.status {
        ExecutionStatus::Running | ExecutionStatus::Succeeded => Finding::good(check, stack, found),
        ExecutionStatus::Failed | ExecutionStatus::Stopped | ExecutionStatus::TimedOut => Finding::wrong(
            check,
            stack,
            found,
            "`snapferry audit` names the databases and their errors; the table of errors in docs/operations.md says what \
             to do.",
        ),
    }
}

fn ending(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Running => "is running",
        ExecutionStatus::Succeeded => "succeeded",
        ExecutionStatus::Failed => "failed",
        ExecutionStatus::Stopped => "was stopped",
        ExecutionStatus::TimedOut => "timed out",
    }
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The longest time between two events of a schedule, as far as it can be seen without a calendar: of `cron` a day, a
/// week, a month or a year.
fn interval(expression: &str) -> Option<SignedDuration> {
    let (kind, rest) = expression.trim().split_once('(')?;
    let fields: Vec<&str> = rest.strip_suffix(')')?.split_whitespace().collect();
    match (kind, &fields[..]) {
        ("rate", [number, unit]) => {
            let number: i64 = number.parse().ok()?;
            let seconds = match unit.trim_end_matches('s') {
                "minute" => 60,
                "hour" => 3_600,
                "day" => 86_400,
                _ => return None,
            };
            Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
        }
        ("cron", [_, _, day, month, weekday, _]) => {
            let is_any = |field: &str| matches!(field, "*" | "?");
            if !is_any(month) {
                Some(SignedDuration::from_hours(366 * 24))
            } else if is_any(day) && is_any(weekday) {
                Some(DAY)
            } else if is_any(day) {
                Some(SignedDuration::from_hours(7 * 24))
            } else {
                Some(SignedDuration::from_hours(31 * 24))
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_schedule_is_read_from_its_expression() {
        for (expression, hours) in [
            ("rate(1 hour)", Some(1)),
            ("rate(2 days)", Some(48)),
            ("cron(0 5 * * ? *)", Some(24)),
            ("cron(0 */6 * * ? *)", Some(24)),
            ("cron(0 5 ? * MON-FRI *)", Some(7 * 24)),
            ("cron(0 5 1 * ? *)", Some(31 * 24)),
            ("cron(0 5 1 1 ? *)", Some(366 * 24)),
            ("rate(1 fortnight)", None),
            ("at noon", None),
        ] {
            assert_eq!(
                interval(expression),
                hours.map(SignedDuration::from_hours),
                "{expression}"
            );
        }
    }
}
