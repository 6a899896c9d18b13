//! A stack as it is deployed, whatever state it is in: half of its outputs may be missing.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types;
use jiff::Timestamp;

use crate::aws::stack::{Stack, describe, outputs, parameters};
use crate::aws::watch_stack::WatchStack;
use crate::error::CliError;

/// A deployed stack.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    /// Its name, also if it was found by its ARN.
    pub(crate) name: String,
    pub(crate) region: String,
    /// `UPDATE_COMPLETE` and the like.
    pub(crate) status: String,
    /// Why it is in that state, if CloudFormation says so.
    pub(crate) reason: Option<String>,
    pub(crate) created: Option<Timestamp>,
    parameters: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
    found: types::Stack,
}

impl Deployment {
    /// Asks CloudFormation in `region`, the client's; nothing if there is no such stack.
    pub(crate) async fn find(client: &Client, region: &str, name: &str) -> Result<Option<Self>, CliError> {
        let found = describe(client, region, name).await?;
        let owned = |values: BTreeMap<&str, &str>| {
            let values = values.into_iter().filter(|(_, value)| !value.is_empty());
            values.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        Ok(found.map(|found| Self {
            // It may have been given by its ARN.
            name: found
                .stack_name()
                .filter(|_| name.starts_with("arn:"))
                .unwrap_or(name)
                .to_owned(),
            region: region.to_owned(),
            status: found
                .stack_status()
                .map_or("unknown", types::StackStatus::as_str)
                .to_owned(),
            reason: found.stack_status_reason().map(str::to_owned),
            created: found
                .creation_time()
                .and_then(|time| Timestamp::from_second(time.secs()).ok()),
            parameters: owned(parameters(&found)),
            outputs: owned(outputs(&found)),
            found,
        }))
    }

    /// The value of a parameter, if it is not empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The value of an output, if it is not empty.
    pub(crate) fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }

    /// What the names of its alarms begin with.
    pub(crate) fn prefix(&self) -> &str {
        self.parameter("NamePrefix").unwrap_or(&self.name)
    }

    /// As the stack of the databases.
    pub(crate) fn as_stack(&self) -> Result<Stack, CliError> {
        Stack::read(&self.found, &self.region, &self.name)
    }

    /// As the destination stack.
    pub(crate) fn as_watch_stack(&self) -> Result<WatchStack, CliError> {
        WatchStack::read(&self.found, &self.region, &self.name)
    }
}
