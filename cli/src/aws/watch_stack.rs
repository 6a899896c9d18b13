//! The stack of the destination region, which drills restores.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types;
use domain::ownership::Owner;
use domain::watch_settings::DrillSettings;

use crate::aws::stack::{Stack, Values, describe, outputs, parameters, value};
use crate::error::CliError;

/// `DrillAgeLimitDays`, as the template has it.
const AGE_LIMIT_DAYS: u32 = 90;

/// The destination stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WatchStack {
    pub(crate) name: String,
    /// Its region: that of the copies.
    pub(crate) region: String,
    /// Region of the databases.
    pub(crate) source_region: String,
    /// The prefix of the copies' names.
    pub(crate) owner_id: String,
    /// The state machine that a run of drills is an execution of.
    pub(crate) drill_fleet_arn: String,
    /// The state machine that the drill of one database is an execution of.
    pub(crate) drill_copy_arn: String,
    /// The rule that starts drills on the schedule; none while drills are off.
    pub(crate) rule: Option<String>,
    /// The role that describes the keys of the copies; none if an early release deployed the stack, as for the next one.
    pub(crate) measure_copies_role: Option<String>,
    /// The role that restores copies.
    pub(crate) start_restore_role: Option<String>,
    /// Hours after which a drill database is deleted, whatever it is doing.
    pub(crate) drill_hours: u32,
    /// Days after which a database should have passed another drill.
    pub(crate) drill_age_limit_days: u32,
}

impl WatchStack {
    /// Asks CloudFormation in `region`, the client's.
    pub(crate) async fn find(client: &Client, region: &str, name: &str) -> Result<Self, CliError> {
        let missing = || {
            CliError::new(
                format!("There is no stack {name} in {region}."),
                "Drills need the destination stack (infra/destination.yaml) in the region of the copies. Name it with \
                 --watch-stack.",
            )
        };
        Self::find_any(client, region, name).await?.ok_or_else(missing)
    }

    /// The same, where there need be none.
    pub(crate) async fn find_any(client: &Client, region: &str, name: &str) -> Result<Option<Self>, CliError> {
        let found = describe(client, region, name).await?;
        found.map(|found| Self::read(&found, region, name)).transpose()
    }

    /// Whose copies it drills.
    pub(crate) fn owner(&self) -> Owner {
        Owner::new(&self.source_region, &self.owner_id)
    }

    /// Whether these are the copies of `stack`.
    pub(crate) fn is_of(&self, stack: &Stack) -> bool {
        (&self.source_region, &self.owner_id) == (&stack.region, &stack.owner_id)
    }

    pub(super) fn read(found: &types::Stack, region: &str, name: &str) -> Result<Self, CliError> {
        let (parameters, outputs) = (parameters(found), outputs(found));
        let take = |from: &Values<'_>, key: &str, what: &str| {
            value(from, key).ok_or_else(|| {
                CliError::new(
                    format!("The stack {name} in {region} has no {what} {key}."),
                    "It is another stack, or its deployment did not finish: see the CloudFormation console, and name \
                     the one of infra/destination.yaml with --watch-stack.",
                )
            })
        };
        let number = |parameter: &str| value(&parameters, parameter).and_then(|value| value.trim().parse().ok());
        Ok(Self {
            name: name.to_owned(),
            region: region.to_owned(),
            source_region: take(&parameters, "SourceRegion", "parameter")?,
            owner_id: take(&parameters, "OwnerId", "parameter")?,
            drill_fleet_arn: take(&outputs, "DrillFleetStateMachineArn", "output")?,
            drill_copy_arn: take(&outputs, "DrillCopyStateMachineArn", "output")?,
            rule: value(&outputs, "DrillRuleName"),
            measure_copies_role: value(&outputs, "MeasureCopiesRoleArn"),
            start_restore_role: value(&outputs, "StartRestoreRoleArn"),
            drill_hours: number("DrillHours").unwrap_or(DrillSettings::MAX_HOURS),
            drill_age_limit_days: number("DrillAgeLimitDays").unwrap_or(AGE_LIMIT_DAYS),
        })
    }
}
