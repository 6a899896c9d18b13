//! Whether the execution that made a drill database is still running.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use domain::error::Error;
use rds::codes;

/// Knows executions.
pub trait Runs {
    /// Whether the execution of this ARN is running. One that Step Functions does not know is not.
    fn is_running(&self, arn: &str) -> impl Future<Output = Result<bool, Error>>;
}

/// Step Functions in the region of the copies.
#[derive(Debug, Clone)]
pub struct Executions(Client);

impl Executions {
    /// Step Functions through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

impl Runs for Executions {
    async fn is_running(&self, arn: &str) -> Result<bool, Error> {
        match self.0.describe_execution().execution_arn(arn).send().await {
            Ok(execution) => Ok(*execution.status() == ExecutionStatus::Running),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_sfn::operation::describe_execution::DescribeExecutionError::is_execution_does_not_exist,
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(codes::error(error)),
        }
    }
}
