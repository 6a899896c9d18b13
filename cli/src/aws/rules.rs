//! The gateway to EventBridge: the rules that start runs and drills.

use aws_sdk_eventbridge::Client;

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
