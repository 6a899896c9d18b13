//! The gateway to Step Functions: runs, and the copies of single databases.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::types;
use domain::hash::hex_prefix;
use domain::kind::DatabaseKind;
use domain::region::console_host;
use jiff::Timestamp;
use rds::convert::timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// Step Functions in one region.
#[derive(Debug, Clone)]
pub(crate) struct StepFunctions {
    client: Client,
    region: String,
}

/// How far an execution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    /// Somebody stopped it.
    Stopped,
    #[strum(serialize = "timed out")]
    TimedOut,
}

impl From<&types::ExecutionStatus> for ExecutionStatus {
    fn from(status: &types::ExecutionStatus) -> Self {
        match status {
            types::ExecutionStatus::Succeeded => Self::Succeeded,
            types::ExecutionStatus::Failed => Self::Failed,
            types::ExecutionStatus::Aborted => Self::Stopped,
            types::ExecutionStatus::TimedOut => Self::TimedOut,
            // `PENDING_REDRIVE` too: it will go on.
            _ => Self::Running,
        }
    }
}

/// One execution of either machine, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) status: ExecutionStatus,
    pub(crate) started: Timestamp,
    pub(crate) stopped: Option<Timestamp>,
}

impl Execution {
    /// As it is listed; nothing without the time of its start.
    fn from_item(item: types::ExecutionListItem) -> Option<Self> {
        Some(Self {
            started: timestamp(item.start_date)?,
            status: (&item.status).into(),
            stopped: item.stop_date.and_then(timestamp),
            name: item.name,
            arn: item.execution_arn,
        })
    }
}

/// Executions of a machine, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Executions {
    pub(crate) found: Vec<Execution>,
    /// Whether these are all that there are since then.
    pub(crate) is_complete: bool,
}

/// One execution with its input and output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecutionDetail {
    pub(crate) execution: Execution,
    input: Option<String>,
    /// Only if it succeeded.
    output: Option<String>,
    /// The name of its error, if it failed.
    pub(crate) error: Option<String>,
    /// The explanation of that error.
    pub(crate) cause: Option<String>,
}

impl ExecutionDetail {
    /// Its input, as far as `T` names it; nothing if it is not one.
    pub(crate) fn input<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.input.as_deref()?).ok()
    }

    /// What it failed with, without the name of the error before it, which stands beside it.
    pub(crate) fn explanation(&self) -> Option<String> {
        let cause = self.cause.as_deref().filter(|cause| !cause.is_empty())?;
        let error = self.error.as_deref().unwrap_or_default();
        Some(without_prefix(cause, error).to_owned())
    }

    /// Its output, likewise.
    pub(crate) fn output<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.output.as_deref()?).ok()
    }
}

/// Most executions on a page.
const PAGE: i32 = 1000;

/// The part of the history that tells the number of databases in a run.
const FIRST_EVENTS: i32 = 100;

/// The part of the history that tells which steps an execution took last.
const LAST_EVENTS: i32 = 20;

impl StepFunctions {
    pub(crate) fn new(client: Client, region: &str) -> Self {
        Self {
            client,
            region: region.to_owned(),
        }
    }

    /// Executions that began at `since` or later, the newest first, `max` at most.
    pub(crate) async fn executions(
        &self,
        machine_arn: &str,
        since: Timestamp,
        max: usize,
    ) -> Result<Executions, CliError> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .client
                .list_executions()
                .state_machine_arn(machine_arn)
                .max_results(PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| self.error("states:ListExecutions", &error))?;
            for item in page.executions {
                let Some(execution) = Execution::from_item(item) else {
                    continue;
                };
                if execution.started < since {
                    return Ok(Executions {
                        found,
                        is_complete: true,
                    });
                }
                if found.len() >= max {
                    return Ok(Executions {
                        found,
                        is_complete: false,
                    });
                }
                found.push(execution);
            }
            match page.next_token {
                // At the limit one page more: it says whether anything was cut off.
                Some(next) => token = Some(next),
                None => {
                    return Ok(Executions {
                        found,
                        is_complete: true,
                    });
                }
            }
        }
    }

    /// Executions of a machine that run now, the newest first.
    pub(crate) async fn running(&self, machine_arn: &str) -> Result<Vec<Execution>, CliError> {
        let list = self.client.list_executions().state_machine_arn(machine_arn);
        let list = list.status_filter(types::ExecutionStatus::Running);
        let mut pages = list.into_paginator().page_size(PAGE).send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.error("states:ListExecutions", &error))?;
            found.extend(page.executions.into_iter().filter_map(Execution::from_item));
        }
        Ok(found)
    }

    /// Stops an execution, which then counts as aborted. One that has ended stays as it is.
    pub(crate) async fn stop(&self, arn: &str, cause: &str) -> Result<(), CliError> {
        let call = self.client.stop_execution().execution_arn(arn);
        let stopped = call.error("Stopped").cause(cause).send().await;
        stopped.map_err(|error| self.error("states:StopExecution", &error))?;
        Ok(())
    }

    /// One execution with its input and output.
    pub(crate) async fn detail(&self, arn: &str) -> Result<ExecutionDetail, CliError> {
        let call = self.client.describe_execution().execution_arn(arn);
        let found = call.send().await;
        let found = found.map_err(|error| self.error("states:DescribeExecution", &error))?;
        Ok(ExecutionDetail {
            input: found.input,
            output: found.output,
            error: found.error,
            cause: found.cause,
            execution: Execution {
                name: found.name.unwrap_or_default(),
                status: (&found.status).into(),
                started: timestamp(found.start_date).unwrap_or_default(),
                stopped: found.stop_date.and_then(timestamp),
                arn: found.execution_arn,
            },
        })
    }

    /// The same, with the patience that many such calls take: Step Functions answers some hundred at once, and fifteen per
    /// second after that. `pause` sleeps that many seconds.
    pub(crate) async fn patient_detail(
        &self,
        arn: &str,
        pause: impl AsyncFn(u64),
    ) -> Result<ExecutionDetail, CliError> {
        let mut pauses = [2, 4, 8, 16].into_iter();
        loop {
            match (self.detail(arn).await, pauses.next()) {
                (Err(error), Some(seconds)) if error.is_throttled() => pause(seconds).await,
                (detail, _) => return detail,
            }
        }
    }

    /// Starts an execution and returns its ARN.
    pub(crate) async fn start(
        &self,
        machine_arn: &str,
        name: &str,
        input: &impl Serialize,
    ) -> Result<String, CliError> {
        let input = serde_json::to_string(input)
            .map_err(|error| CliError::new(format!("The input cannot be written: {error}."), ""))?;
        let call = self.client.start_execution().state_machine_arn(machine_arn);
        let started = call.name(name).input(input).send().await;
        let machine = machine_arn.rsplit(':').next().unwrap_or(machine_arn);
        let needs = format!("states:StartExecution on the state machine {machine}");
        let started = started.map_err(|error| self.error(&needs, &error))?;
        Ok(started.execution_arn)
    }

    /// Number of databases in a run, once it has listed them; further pages not counted.
    pub(crate) async fn databases_of_run(&self, arn: &str) -> Result<Option<u32>, CliError> {
        let events = self.history(arn, false, FIRST_EVENTS, true).await?;
        let started = events
            .iter()
            .filter_map(|event| event.map_state_started_event_details());
        let lengths: Vec<u32> = started
            .map(|details| u32::try_from(details.length).unwrap_or_default())
            .collect();
        // The last item of a Map may be the next page of its kind, which is not a database (L9).
        let exited = events.iter().filter_map(|event| event.state_exited_event_details());
        let plans = exited.filter_map(|details| details.assigned_variables()?.get("plan"));
        let pages: u32 = plans.map(|plan| next_pages(plan)).sum();
        // Instances and clusters are a Map each.
        Ok((lengths.len() == 2).then(|| lengths.iter().sum::<u32>().saturating_sub(pages)))
    }

    /// The states that an execution entered last, the latest first.
    pub(crate) async fn last_states(&self, arn: &str) -> Result<Vec<(String, Timestamp)>, CliError> {
        let events = self.history(arn, true, LAST_EVENTS, false).await?;
        let entered = events.into_iter().filter_map(|event| {
            let time = timestamp(event.timestamp)?;
            Some((event.state_entered_event_details?.name, time))
        });
        Ok(entered.collect())
    }

    /// What an execution took into a state among its last ones, as far as `T` names it.
    pub(crate) async fn last_input<T: DeserializeOwned>(&self, arn: &str, state: &str) -> Result<Option<T>, CliError> {
        let events = self.history(arn, true, LAST_EVENTS, true).await?;
        let mut entered = events.into_iter().filter_map(|event| event.state_entered_event_details);
        let details = entered.find(|details| details.name == state);
        Ok(details.and_then(|details| serde_json::from_str(&details.input?).ok()))
    }

    async fn history(
        &self,
        arn: &str,
        latest_first: bool,
        max: i32,
        with_data: bool,
    ) -> Result<Vec<types::HistoryEvent>, CliError> {
        let call = self.client.get_execution_history().execution_arn(arn);
        let call = call.include_execution_data(with_data).reverse_order(latest_first);
        let history = call.max_results(max).send().await;
        let history = history.map_err(|error| self.error("states:GetExecutionHistory", &error))?;
        Ok(history.events)
    }

    /// The region's code.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    fn error<E>(&self, needs: &str, error: &SdkError<E>) -> CliError
    where
        SdkError<E>: ProvideErrorMetadata,
        E: std::error::Error + 'static,
    {
        CliError::from_call("Step Functions", &self.region, needs, error)
    }
}

/// What the name of an execution of copy-snapshot tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExecutionName<'a> {
    pub(crate) kind: DatabaseKind,
    /// The database's identifier.
    pub(crate) id: &'a str,
    /// What its run gave it: see [`suffix_of_run`].
    pub(crate) suffix: &'a str,
    /// Tells a database that no longer exists from a living one of that name.
    pub(crate) retired: Option<&'a str>,
}

impl<'a> ExecutionName<'a> {
    /// Reads `i-` or `c-`, the database's identifier, `-` and 8 hexadecimal digits; for a database that no longer exists
    /// `-` and 4 more; in a redriven run `-r` and its count. Nothing if somebody chose another name.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let name = match name.rsplit_once("-r") {
            Some((rest, count)) if !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()) => rest,
            _ => name,
        };
        let (kind, rest) = match name.split_once('-')? {
            ("i", rest) => (DatabaseKind::Instance, rest),
            ("c", rest) => (DatabaseKind::Cluster, rest),
            _ => return None,
        };
        let hash = |text: &'a str, digits: usize| {
            let (rest, hash) = text.rsplit_once('-')?;
            let is_hash = hash.len() == digits && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash.then_some((rest, hash))
        };
        let (rest, retired) = match hash(rest, 4) {
            Some((rest, digits)) => (rest, Some(digits)),
            None => (rest, None),
        };
        let (id, suffix) = hash(rest, 8).filter(|(id, _)| !id.is_empty())?;
        Some(Self {
            kind,
            id,
            suffix,
            retired,
        })
    }
}

/// What the executions of copy-snapshot that a run starts have as the end of their names: see `names.rs` of
/// list-targets.
#[must_use]
pub fn suffix_of_run(run_arn: &str) -> String {
    hex_prefix(&format!("{run_arn}:0"), 8)
}

/// How many kinds have a next page, by the variable `plan` of a run.
fn next_pages(plan: &str) -> u32 {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Pages {
        next_instances: Option<IgnoredAny>,
        next_clusters: Option<IgnoredAny>,
    }
    let Pages {
        next_instances,
        next_clusters,
    } = serde_json::from_str(plan).unwrap_or_default();
    u32::from(next_instances.is_some()) + u32::from(next_clusters.is_some())
}

/// A message without the code that it begins with, if it does (P8).
pub(crate) fn without_prefix<'a>(message: &'a str, code: &str) -> &'a str {
    let rest = message.strip_prefix(code).and_then(|rest| rest.strip_prefix(": "));
    rest.filter(|rest| !code.is_empty() && !rest.is_empty())
        .unwrap_or(message)
}

/// The name of an execution, from its ARN.
pub(crate) fn execution_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// ARN of an execution of a machine.
pub(crate) fn execution_arn(machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", machine_arn.replacen(":stateMachine:", ":execution:", 1))
}

/// Where the console shows an execution.
pub(crate) fn execution_console_url(region: &str, arn: &str) -> String {
    let console = console_host(region);
    format!("https://{console}/states/home?region={region}#/v2/executions/details/{arn}")
}

/// Where the console shows a copy.
pub(crate) fn copy_console_url(region: &str, kind: DatabaseKind, id: &str) -> String {
    let page = match kind {
        DatabaseKind::Instance => "db-snapshot",
        DatabaseKind::Cluster => "db-cluster-snapshot",
    };
    format!(
        "https://{}/rds/home?region={region}#{page}:id={id}",
        console_host(region)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_execution_tells_its_database() {
        let parsed = |kind, id, suffix, retired| {
            Some(ExecutionName {
                kind,
                id,
                suffix,
                retired,
            })
        };
        let (instance, cluster) = (DatabaseKind::Instance, DatabaseKind::Cluster);
        for (name, expected) in [
            ("i-orders-1a2b3c4d", parsed(instance, "orders", "1a2b3c4d", None)),
            ("c-billing-2-0000ffff", parsed(cluster, "billing-2", "0000ffff", None)),
            ("c-old-1a2b3c4d-00ff", parsed(cluster, "old", "1a2b3c4d", Some("00ff"))),
            ("i-orders-1a2b3c4d-r1", parsed(instance, "orders", "1a2b3c4d", None)),
            ("i-orders-r2-1a2b3c4d", parsed(instance, "orders-r2", "1a2b3c4d", None)),
            // Identifiers that end as hashes do.
            ("i-old-00ff-1a2b3c4d", parsed(instance, "old-00ff", "1a2b3c4d", None)),
            (
                "i-a-0000ffff-1a2b3c4d-00ff",
                parsed(instance, "a-0000ffff", "1a2b3c4d", Some("00ff")),
            ),
        ] {
            assert_eq!(ExecutionName::parse(name), expected, "{name}");
        }
        for other in [
            "i-orders",
            "x-orders-1a2b3c4d",
            "i-orders-1a2b3c4",
            "i-orders-1a2b3c4z",
            "i--1a2b3c4d",
            "i-orders-1a2b3c4d-00f",
            "i-1a2b3c4d-00ff",
        ] {
            assert_eq!(ExecutionName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_suffix_is_what_the_state_machine_computes() {
        // sha256sum of the ARN and ":0".
        let run = "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:a-run";
        assert_eq!(suffix_of_run(run), SUFFIX);
    }

    const SUFFIX: &str = "3a9ad477";

    #[test]
    fn an_execution_is_found_by_the_machine_and_its_name() {
        assert_eq!(
            execution_arn(
                "arn:aws:states:us-east-1:123456789012:stateMachine:snapferry-copy-fleet",
                "a-run"
            ),
            "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:a-run"
        );
    }

    /// L9.
    #[test]
    fn the_next_page_is_counted_for_each_kind() {
        let page = r#"{"kind": "instance", "cursor": "db-1"}"#;
        for (plan, pages) in [
            (
                format!(r#"{{"dryRun": false, "nextInstances": {page}, "nextClusters": {page}}}"#),
                2,
            ),
            (format!(r#"{{"nextInstances": null, "nextClusters": {page}}}"#), 1),
            ("{}".to_owned(), 0),
            ("cut off {".to_owned(), 0),
        ] {
            assert_eq!(next_pages(&plan), pages, "{plan}");
        }
    }

    /// P8.
    #[test]
    fn a_code_before_a_message_is_taken_away_once() {
        assert_eq!(without_prefix("AccessDenied: User x", "AccessDenied"), "User x");
        assert_eq!(
            without_prefix("AccessDeniedly: User x", "AccessDenied"),
            "AccessDeniedly: User x"
        );
        assert_eq!(without_prefix("User x", "AccessDenied"), "User x");
        assert_eq!(without_prefix(": x", ""), ": x");
    }
}
