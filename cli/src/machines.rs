//! The gateway to Step Functions: runs, and the copies of single databases.

use std::fmt::Write;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use domain::kind::DatabaseKind;
use domain::region::partition;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Failure;

/// Step Functions in one region.
#[derive(Debug, Clone)]
pub struct Machines {
    client: Client,
    region: String,
}

/// How far an execution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It goes on.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// It ran out of time.
    TimedOut,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::TimedOut => "timed out",
        })
    }
}

/// One execution of either machine, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// How far it is.
    pub stage: Stage,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub stopped: Option<Timestamp>,
}

/// One execution with what went in and came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The execution.
    pub execution: Execution,
    /// Its input.
    pub input: Value,
    /// Its output, if it ended well.
    pub output: Value,
    /// The name of its error, if it failed.
    pub error: Option<String>,
    /// What there is to say of that error.
    pub cause: Option<String>,
}

/// Most executions on a page.
const PAGE: i32 = 1000;

impl Machines {
    pub(crate) fn new(client: Client, region: &str) -> Self {
        Self {
            client,
            region: region.to_owned(),
        }
    }

    /// Executions that began at `since` or later, the newest first, `most` at most.
    pub async fn executions(
        &self,
        machine_arn: &str,
        since: Timestamp,
        most: usize,
    ) -> Result<Vec<Execution>, Failure> {
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
                .map_err(|error| self.failure("states:ListExecutions", &error))?;
            for item in page.executions {
                let Some(started) = timestamp(&item.start_date) else {
                    continue;
                };
                if started < since || found.len() >= most {
                    return Ok(found);
                }
                found.push(Execution {
                    stage: stage(&item.status),
                    stopped: item.stop_date.as_ref().and_then(timestamp),
                    name: item.name,
                    arn: item.execution_arn,
                    started,
                });
            }
            match page.next_token {
                Some(next) if found.len() < most => token = Some(next),
                _ => return Ok(found),
            }
        }
    }

    /// One execution with its input and output.
    pub async fn record(&self, arn: &str) -> Result<Record, Failure> {
        let found = self
            .client
            .describe_execution()
            .execution_arn(arn)
            .send()
            .await
            .map_err(|error| self.failure("states:DescribeExecution", &error))?;
        let json = |text: Option<&str>| {
            text.and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or(Value::Null)
        };
        Ok(Record {
            input: json(found.input.as_deref()),
            output: json(found.output.as_deref()),
            error: found.error,
            cause: found.cause,
            execution: Execution {
                name: found.name.unwrap_or_default(),
                stage: stage(&found.status),
                started: timestamp(&found.start_date).unwrap_or_default(),
                stopped: found.stop_date.as_ref().and_then(timestamp),
                arn: found.execution_arn,
            },
        })
    }

    /// Starts an execution. Gives its ARN.
    pub async fn start(&self, machine_arn: &str, name: &str, input: &Value) -> Result<String, Failure> {
        let started = self
            .client
            .start_execution()
            .state_machine_arn(machine_arn)
            .name(name)
            .input(input.to_string())
            .send()
            .await
            .map_err(|error| self.failure("states:StartExecution on the machine copy-fleet", &error))?;
        Ok(started.execution_arn)
    }

    /// How many databases a run works on, once it has listed them; further pages not counted.
    pub async fn databases_of_run(&self, arn: &str) -> Result<Option<u32>, Failure> {
        let history = self
            .client
            .get_execution_history()
            .execution_arn(arn)
            .include_execution_data(false)
            .max_results(100)
            .send()
            .await
            .map_err(|error| self.failure("states:GetExecutionHistory", &error))?;
        let lengths = history
            .events
            .iter()
            .filter_map(|event| event.map_state_started_event_details.as_ref())
            .map(|details| u32::try_from(details.length).unwrap_or_default());
        let lengths: Vec<u32> = lengths.collect();
        // Instances and clusters are a Map each.
        Ok((lengths.len() == 2).then(|| lengths.iter().sum()))
    }

    /// The states that an execution entered last, the latest first.
    pub async fn last_states(&self, arn: &str) -> Result<Vec<(String, Timestamp)>, Failure> {
        let history = self
            .client
            .get_execution_history()
            .execution_arn(arn)
            .include_execution_data(false)
            .reverse_order(true)
            .max_results(20)
            .send()
            .await
            .map_err(|error| self.failure("states:GetExecutionHistory", &error))?;
        let entered = history.events.into_iter().filter_map(|event| {
            let time = timestamp(&event.timestamp)?;
            Some((event.state_entered_event_details?.name, time))
        });
        Ok(entered.collect())
    }

    /// The region's code.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    fn failure<E>(&self, needs: &str, error: &aws_sdk_sfn::error::SdkError<E>) -> Failure
    where
        E: aws_sdk_sfn::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        Failure::of_call("Step Functions", &self.region, needs, error)
    }
}

fn stage(status: &ExecutionStatus) -> Stage {
    match status {
        ExecutionStatus::Succeeded => Stage::Succeeded,
        ExecutionStatus::Failed => Stage::Failed,
        ExecutionStatus::Aborted => Stage::Stopped,
        ExecutionStatus::TimedOut => Stage::TimedOut,
        // `PENDING_REDRIVE` too: it will go on.
        _ => Stage::Running,
    }
}

fn timestamp(time: &aws_sdk_sfn::primitives::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// What the name of an execution of copy-snapshot tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// The database's identifier.
    pub id: &'a str,
    /// What its run gave it: see [`suffix_of_run`].
    pub suffix: &'a str,
    /// What tells it from a living database of that name, if the database no longer exists.
    pub retired: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// Reads `i-` or `c-`, the database's identifier, `-` and 8 hexadecimal digits; for a database that no longer exists
    /// `-` and 4 more. Nothing if somebody chose another name.
    #[must_use]
    pub fn read(name: &'a str) -> Option<Self> {
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

/// What the executions of copy-snapshot that a run starts have as the end of their names: see `CopyInstance` in
/// copy-fleet.
#[must_use]
pub fn suffix_of_run(run_arn: &str) -> String {
    let digest = Sha256::digest(format!("{run_arn}:0"));
    digest.iter().take(4).fold(String::with_capacity(8), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

/// ARN of an execution of a machine.
#[must_use]
pub fn execution_arn(machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", machine_arn.replacen(":stateMachine:", ":execution:", 1))
}

/// Where the console shows an execution.
#[must_use]
pub fn console_of_execution(region: &str, arn: &str) -> String {
    let console = console(region);
    format!("https://{console}/states/home?region={region}#/v2/executions/details/{arn}")
}

/// Where the console shows a copy.
#[must_use]
pub fn console_of_copy(region: &str, kind: DatabaseKind, id: &str) -> String {
    let what = match kind {
        DatabaseKind::Instance => "db-snapshot",
        DatabaseKind::Cluster => "db-cluster-snapshot",
    };
    format!("https://{}/rds/home?region={region}#{what}:id={id}", console(region))
}

/// The console of a region's partition.
fn console(region: &str) -> &'static str {
    match partition(region) {
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        "aws-cn" => "console.amazonaws.cn",
        _ => "console.aws.amazon.com",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_execution_tells_its_database() {
        let named = |kind, id, suffix, retired| {
            Some(Named {
                kind,
                id,
                suffix,
                retired,
            })
        };
        let (instance, cluster) = (DatabaseKind::Instance, DatabaseKind::Cluster);
        for (name, expected) in [
            ("i-orders-1a2b3c4d", named(instance, "orders", "1a2b3c4d", None)),
            ("c-billing-2-0000ffff", named(cluster, "billing-2", "0000ffff", None)),
            ("c-old-1a2b3c4d-00ff", named(cluster, "old", "1a2b3c4d", Some("00ff"))),
            // Identifiers that end as hashes do.
            ("i-old-00ff-1a2b3c4d", named(instance, "old-00ff", "1a2b3c4d", None)),
            (
                "i-a-0000ffff-1a2b3c4d-00ff",
                named(instance, "a-0000ffff", "1a2b3c4d", Some("00ff")),
            ),
        ] {
            assert_eq!(Named::read(name), expected, "{name}");
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
            assert_eq!(Named::read(other), None, "{other}");
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
}
