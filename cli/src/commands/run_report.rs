//! What `snapferry run` and `snapferry drill` say of an execution, as JSON, and how one that was started before is found.

use serde::Serialize;

use crate::aws::account::Account;
use crate::aws::step_functions::{Execution, ExecutionStatus, execution_arn, execution_console_url, execution_name};
use crate::error::CliError;

/// An execution, and how it ended if that was waited for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunReport<'a, E> {
    version: u32,
    run: &'a str,
    execution: &'a str,
    link: String,
    status: ExecutionStatus,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    ended: Option<E>,
}

impl<'a, E> RunReport<'a, E> {
    /// One that goes on.
    pub(crate) fn running(region: &str, arn: &'a str) -> Self {
        Self {
            version: 1,
            run: execution_name(arn),
            execution: arn,
            link: execution_console_url(region, arn),
            status: ExecutionStatus::Running,
            ended: None,
        }
    }

    /// One that has ended.
    pub(crate) fn ended(region: &str, execution: &'a Execution, how: E) -> Self {
        Self {
            status: execution.status,
            ended: Some(how),
            ..Self::running(region, &execution.arn)
        }
    }
}

/// ARN of the execution of a state machine that a person names, by its name or its ARN, if there is one.
pub(crate) async fn existing(
    account: &Account,
    region: &str,
    machine_arn: &str,
    execution: &str,
) -> Result<String, CliError> {
    let arn = if execution.starts_with("arn:") {
        execution.to_owned()
    } else {
        execution_arn(machine_arn, execution)
    };
    account.step_functions(region).detail(&arn).await?;
    Ok(arn)
}
