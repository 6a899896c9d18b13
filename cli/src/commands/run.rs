//! `snapferry run`: starts a run of copy-fleet, follows it, and says how it ended.

use std::collections::BTreeMap;
use std::path::Path;

use domain::payload::{LeftOut, Retired};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::args::{Global, Run};
use crate::follow::{Followed, Follower};
use crate::machines::{Execution, Record, Stage, console_of_execution, execution_arn};
use crate::moment::length;
use crate::plan::Plan;
use crate::{Cloud, Ending, Failure, Screen, Stack, Tone, words};

/// Ends when the operator has seen enough.
pub(crate) type Interrupt<'a> = &'a mut (dyn Future<Output = ()> + Unpin);

/// Failures that are looked into; a run names no more.
const MAX_FAILURES: usize = 20;

/// Starts a run, or goes on following one.
pub(crate) async fn run(
    cloud: &Cloud,
    global: &Global,
    options: &Run,
    interrupt: Interrupt<'_>,
    screen: &mut Screen<'_>,
) -> Result<Ending, Failure> {
    options.check()?;
    let stack = cloud.stack(&global.stack).await?;
    let other = options.follow.as_deref().filter(|execution| !execution.is_empty());
    let arn = if let Some(execution) = other {
        if execution.starts_with("arn:") {
            execution.to_owned()
        } else {
            execution_arn(&stack.copy_fleet_arn, execution)
        }
    } else {
        let prefix = if options.dry_run { "dry-run" } else { "run" };
        let only = match &options.plan {
            None => options.only.clone(),
            Some(file) => {
                let only = of_plan(file, &stack)?;
                if only.is_empty() {
                    screen.line("The plan has nothing to do: every database is current.");
                    return Ok(Ending::Fine);
                }
                only
            }
        };
        let arn = start(cloud, &stack, prefix, &only, options.dry_run).await?;
        screen.line(&format!("Started {}.", name_of(&arn)));
        screen.line(&console_of_execution(&stack.region, &arn));
        if options.follow.is_none() {
            screen.aside(&format!("To follow it:\n  {}", how_to_follow(global, &arn)));
            return Ok(Ending::Fine);
        }
        arn
    };

    if other.is_some() {
        // Is it there?
        cloud.machines(&stack.region).record(&arn).await?;
    }
    let follower = Follower::new(cloud, &stack, &arn);
    match follower.follow(interrupt, screen).await {
        Ok(Followed::Ended(record, _)) => report(cloud, &stack, &record, screen).await,
        Ok(Followed::Left) => {
            screen.aside(&format!(
                "The run goes on. To follow it again:\n  {}",
                how_to_follow(global, &arn)
            ));
            Ok(Ending::Fine)
        }
        Err(failure) => Err(failure.and(&format!(
            "The run goes on. To follow it again:\n  {}",
            how_to_follow(global, &arn)
        ))),
    }
}

/// The databases of a plan. It narrows the run to them; what is done with each is decided anew.
fn of_plan(file: &Path, stack: &Stack) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(
            format!("{} cannot be read: {error}.", file.display()),
            "Write a plan with `snapferry plan --json > FILE`.",
        )
    })?;
    let plan = Plan::read(&text)?;
    if (&plan.region, &plan.destination_region, &plan.stack) != (&stack.region, &stack.destination_region, &stack.name)
    {
        return Err(Failure::new(
            format!(
                "The plan is of the stack {} in {} with copies in {}, not of {} in {} with copies in {}.",
                plan.stack, plan.region, plan.destination_region, stack.name, stack.region, stack.destination_region
            ),
            "Name its stack with --stack and --region, or plan again.",
        ));
    }
    Ok(plan.databases_to_run())
}

/// Starts copy-fleet under a name that says what it is. Gives the execution's ARN.
pub(crate) async fn start(
    cloud: &Cloud,
    stack: &Stack,
    prefix: &str,
    only: &[String],
    dry_run: bool,
) -> Result<String, Failure> {
    let mut input = json!({"Comment": format!("Started by snapferry {prefix}.")});
    if dry_run {
        input["dryRun"] = json!(true);
    }
    if !only.is_empty() {
        input["only"] = json!(only);
    }
    let name = execution_name(prefix, cloud.now());
    cloud
        .machines(&stack.region)
        .start(&stack.copy_fleet_arn, &name, &input)
        .await
}

/// `run-20261122-143100-1a2b`: readable, and different for two that start within a second.
fn execution_name(prefix: &str, now: Timestamp) -> String {
    let digest = Sha256::digest(format!("{now} {}", std::process::id()));
    let stamp = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string();
    format!("{prefix}-{stamp}-{:02x}{:02x}", digest[0], digest[1])
}

fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// The command that follows a run.
pub(crate) fn how_to_follow(global: &Global, arn: &str) -> String {
    format!("{} --follow {}", how_to_run(global), name_of(arn))
}

/// The command that starts a run, with the options that this one was given.
pub(crate) fn how_to_run(global: &Global) -> String {
    let mut command = "snapferry run".to_owned();
    for (option, value) in [
        (
            "--stack",
            Some(global.stack.as_str()).filter(|stack| *stack != "snapferry"),
        ),
        ("--region", global.region.as_deref()),
        ("--profile", global.profile.as_deref()),
    ] {
        if let Some(value) = value {
            command = format!("{command} {option} {value}");
        }
    }
    command
}

/// A database that was not copied, as the run names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct NotCopied {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) error: String,
    pub(crate) execution: String,
}

/// How a run ended, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Summary {
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) failures: Vec<NotCopied>,
    pub(crate) left_out: LeftOut,
    pub(crate) retired: Retired,
    pub(crate) warnings: Vec<String>,
}

impl Summary {
    /// What the run gave, or, where copies failed, the cause of its failure. Any other end is a failure here too.
    pub(crate) fn of(record: &Record) -> Result<Self, Failure> {
        let told: Option<Value> = match (record.execution.stage, record.error.as_deref()) {
            (Stage::Succeeded, _) => Some(record.output.clone()),
            (Stage::Failed, Some("CopiesFailed")) => {
                let cause = record.cause.as_deref().unwrap_or_default();
                serde_json::from_str(cause).ok()
            }
            _ => None,
        };
        told.and_then(|told| serde_json::from_value(told).ok()).ok_or_else(|| {
            let what = record
                .error
                .clone()
                .unwrap_or_else(|| record.execution.stage.to_string());
            let cause = record
                .cause
                .as_deref()
                .unwrap_or("Its execution in the console says more.");
            Failure::new(format!("The run {} ended: {what}.", record.execution.name), cause)
        })
    }

    /// How the program ends.
    pub(crate) fn ending(&self) -> Ending {
        let failed = self.counts.get("failed").copied().unwrap_or_default();
        match failed {
            0 => Ending::Fine,
            _ if failed < self.counts.values().sum() => Ending::Bad,
            _ => Ending::Error,
        }
    }

    /// `10 copied, 2 current`.
    pub(crate) fn counted(&self) -> String {
        const ORDER: [&str; 7] = [
            "copied",
            "current",
            "planned",
            "nothing",
            "unsupported",
            "retired",
            "failed",
        ];
        let counted = ORDER.iter().filter_map(|outcome| {
            let count = *self.counts.get(*outcome)?;
            (count > 0).then(|| format!("{count} {outcome}"))
        });
        let counted: Vec<String> = counted.collect();
        if counted.is_empty() {
            "no database".to_owned()
        } else {
            counted.join(", ")
        }
    }

    /// Warnings, and what the run left alone.
    pub(crate) fn remarks(&self, screen: &mut Screen<'_>) {
        for warning in &self.warnings {
            screen.sentence(Tone::Warning, &format!("warning: {warning}"));
        }
        if self.left_out.count > 0 {
            let reasons = self.left_out.reasons.iter();
            let reasons: Vec<String> = reasons.map(|(reason, count)| format!("{count}: {reason}")).collect();
            let text = format!("left out: {} ({})", self.left_out.count, reasons.join("; "));
            screen.sentence(Tone::Plain, &text);
        }
        if self.retired.databases > 0 {
            let Retired { databases, copies, .. } = self.retired;
            let text = format!(
                "{} of {} that no longer exist",
                words::copies(copies),
                words::databases(databases)
            );
            screen.sentence(Tone::Plain, &text);
        }
    }
}

/// Says how a run ended.
async fn report(cloud: &Cloud, stack: &Stack, record: &Record, screen: &mut Screen<'_>) -> Result<Ending, Failure> {
    let summary = Summary::of(record)?;
    let Execution {
        name, started, stopped, ..
    } = &record.execution;
    let took = stopped.unwrap_or_else(|| cloud.now()).duration_since(*started);
    let ending = summary.ending();
    let tone = if ending == Ending::Fine { Tone::Good } else { Tone::Bad };
    let text = format!("The run {name} ended after {}: {}.", length(took), summary.counted());
    screen.sentence(tone, &text);
    summary.remarks(screen);

    let machines = &cloud.machines(&stack.region);
    let causes = stream::iter(summary.failures.iter().take(MAX_FAILURES))
        .map(async |failure| {
            let arn = execution_arn(&stack.copy_snapshot_arn, &failure.execution);
            // A page's own failure has no execution of copy-snapshot.
            let cause = machines.record(&arn).await.ok().and_then(|record| record.cause);
            (failure, arn, cause.unwrap_or_default())
        })
        .buffered(4)
        .collect::<Vec<_>>();
    for (failure, arn, cause) in causes.await {
        let NotCopied { kind, id, error, .. } = failure;
        screen.line("");
        screen.sentence(Tone::Bad, &format!("{kind} {id}: {error}"));
        if !cause.is_empty() {
            screen.sentence(Tone::Plain, &cause);
        }
        if failure.kind != "page" {
            screen.sentence(Tone::Faint, &console_of_execution(&stack.region, &arn));
        }
    }
    Ok(ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_do_not_get_one_name() {
        let now: Timestamp = "2026-11-22T14:31:00.5Z".parse().expect("a time");
        let name = execution_name("dry-run", now);
        assert!(name.starts_with("dry-run-20261122-143100-"), "{name}");
        let later = now + jiff::SignedDuration::from_millis(1);
        assert_ne!(name, execution_name("dry-run", later));
    }

    #[test]
    fn success_partial_failure_and_failure_end_differently() {
        let ending = |counts: &[(&str, u64)]| {
            let counts = counts.iter().map(|(outcome, count)| ((*outcome).to_owned(), *count));
            Summary {
                counts: counts.collect(),
                ..Summary::default()
            }
            .ending()
        };
        assert_eq!(ending(&[("copied", 3), ("failed", 0)]), Ending::Fine);
        assert_eq!(ending(&[("copied", 3), ("failed", 1)]), Ending::Bad);
        assert_eq!(ending(&[("copied", 0), ("failed", 1)]), Ending::Error);
    }
}
