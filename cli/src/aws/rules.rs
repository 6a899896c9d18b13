//! The gateway to EventBridge: the rules that start runs and drills.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::RuleState;

use crate::error::CliError;

/// EventBridge in one region.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    client: Client,
    region: String,
}

impl Rules {
    pub(crate) fn new(client: Client, region: &str) -> Self {
        Self {
            client,
            region: region.to_owned(),
        }
    }

    /// Whether a rule is enabled; nothing if there is no such rule.
    pub(crate) async fn is_enabled(&self, rule: &str) -> Result<Option<bool>, CliError> {
        match self.client.describe_rule().name(rule).send().await {
            Ok(found) => Ok(Some(found.state() != Some(&RuleState::Disabled))),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => {
                let needs = &format!("events:DescribeRule on the rule {rule}");
                Err(CliError::from_call("EventBridge", &self.region, needs, &error))
            }
        }
    }

    /// Number of targets of a rule, and of those without a dead-letter queue.
    pub(crate) async fn targets(&self, rule: &str) -> Result<(usize, usize), CliError> {
        let found = self.client.list_targets_by_rule().rule(rule).send().await;
        let needs = &format!("events:ListTargetsByRule on the rule {rule}");
        let found = found.map_err(|error| CliError::from_call("EventBridge", &self.region, needs, &error))?;
        let has_queue = |target: &aws_sdk_eventbridge::types::Target| {
            target.dead_letter_config().is_some_and(|queue| queue.arn().is_some())
        };
        let targets = found.targets();
        let without = targets.iter().filter(|target| !has_queue(target)).count();
        Ok((targets.len(), without))
    }

    /// Enables or disables a rule. One that is already as it should be stays so.
    pub(crate) async fn switch(&self, rule: &str, on: bool) -> Result<(), CliError> {
        if on {
            let enabled = self.client.enable_rule().name(rule).send().await;
            let needs = &format!("events:EnableRule on the rule {rule}");
            enabled.map_err(|error| CliError::from_call("EventBridge", &self.region, needs, &error))?;
        } else {
            let disabled = self.client.disable_rule().name(rule).send().await;
            let needs = &format!("events:DisableRule on the rule {rule}");
            disabled.map_err(|error| CliError::from_call("EventBridge", &self.region, needs, &error))?;
        }
        Ok(())
    }
}
