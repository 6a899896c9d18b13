//! The deployed stack, found by its name.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types;
use domain::copy_schedule::CopySlots;
use domain::retention::StackRetention;
use domain::retention_rules::RetentionRules;
use domain::selection::SelectionRules;
use domain::settings::Selection;
use jiff::SignedDuration;

use crate::error::CliError;

/// Parameters that are a policy: what an auditor asks for. The address for e-mail is not among them.
const POLICY: [&str; 12] = [
    "DestinationKmsKey",
    "KeepCopies",
    "KeepDaily",
    "KeepDays",
    "KeepMonthly",
    "KeepWeekly",
    "KeepYearly",
    "MaxDeletesPerRun",
    "ObjectiveHours",
    "RetiredKeepDays",
    "ScheduleExpression",
    "Selection",
];

/// `InstanceConcurrency` and `ClusterConcurrency`, as the template has them.
pub(crate) const DEFAULT_CONCURRENCY: CopySlots = CopySlots {
    instances: 24,
    clusters: 7,
};

const NEEDS: &str = "cloudformation:DescribeStacks on the stack";

/// The stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) name: String,
    /// Its region: the databases'.
    pub(crate) region: String,
    /// Region of the copies.
    pub(crate) destination_region: String,
    /// The prefix of its copies' names.
    pub(crate) owner_id: String,
    /// Which databases its runs select.
    pub(crate) rules: SelectionRules,
    /// What its runs keep.
    pub(crate) retention: StackRetention,
    /// Maximum age of the newest verified copy of a database (`ObjectiveHours`).
    pub(crate) objective: Option<SignedDuration>,
    /// Number of databases that its runs process at the same time.
    pub(crate) concurrency: CopySlots,
    /// The parameters that say what is kept, when runs start and which key encrypts, as far as CloudFormation reports them.
    pub(crate) policy: BTreeMap<&'static str, String>,
    /// The state machine that a run is an execution of.
    pub(crate) copy_fleet_arn: String,
    /// The state machine that the copy of one database is an execution of.
    pub(crate) copy_snapshot_arn: String,
    /// The rules that start runs: of the schedule, and of RDS events. None if an early release deployed it.
    pub(crate) rules_of_runs: Vec<String>,
    /// The role that describes the key of the copies; none if an early release deployed the stack, as for the next one.
    pub(crate) list_targets_role: Option<String>,
    /// The role that encrypts copies.
    pub(crate) start_copy_role: Option<String>,
}

impl Stack {
    /// Asks CloudFormation in `region`, the client's.
    pub(crate) async fn find(client: &Client, region: &str, name: &str) -> Result<Self, CliError> {
        let missing = || {
            CliError::new(
                format!("There is no stack {name} in {region}."),
                "Name it with --stack, and the region of your databases with --region. Without the stack: \
                 --destination REGION --owner ID.",
            )
        };
        Self::find_any(client, region, name).await?.ok_or_else(missing)
    }

    /// The same, where there need be none.
    pub(crate) async fn find_any(client: &Client, region: &str, name: &str) -> Result<Option<Self>, CliError> {
        let found = describe(client, region, name).await?;
        found.map(|found| Self::read(&found, region, name)).transpose()
    }

    /// The account that it is in.
    pub(crate) fn account(&self) -> Option<&str> {
        self.copy_fleet_arn
            .split(':')
            .nth(4)
            .filter(|account| !account.is_empty())
    }

    pub(super) fn read(found: &types::Stack, region: &str, name: &str) -> Result<Self, CliError> {
        let (parameters, outputs) = (parameters(found), outputs(found));
        let take = |from: &Values<'_>, key: &str, what: &str| {
            value(from, key).ok_or_else(|| {
                CliError::new(
                    format!("The stack {name} in {region} has no {what} {key}."),
                    "It is another stack, or its deployment did not finish: see the CloudFormation console, and name \
                     the right one with --stack.",
                )
            })
        };
        let is = |parameter: &str, value: &str| parameters.get(parameter) == Some(&value);
        // The template gives each a value.
        let number = |parameter: &str| {
            let value = parameters.get(parameter).and_then(|value| value.trim().parse().ok());
            value.unwrap_or_default()
        };
        // An early release called them otherwise.
        let concurrency = |parameter: &str, default: u32| {
            let value = parameters.get(parameter).and_then(|value| value.trim().parse().ok());
            value.unwrap_or(default)
        };
        Ok(Self {
            name: name.to_owned(),
            region: region.to_owned(),
            destination_region: take(&parameters, "DestinationRegion", "parameter")?,
            owner_id: take(&parameters, "OwnerId", "parameter")?,
            rules: SelectionRules {
                source_region: region.to_owned(),
                selection: if is("Selection", "opt-in") {
                    Selection::OptIn
                } else {
                    Selection::OptOut
                },
                include_neptune: is("IncludeNeptune", "true"),
                include_documentdb: is("IncludeDocumentDb", "true"),
                include_manual_snapshots: is("IncludeManualSnapshots", "true"),
            },
            retention: StackRetention {
                stack: name.to_owned(),
                keep: RetentionRules::from_parameters(|parameter| parameters.get(parameter).copied()),
                retired_keep_days: number("RetiredKeepDays"),
                copy_deadline_hours: number("CopyDeadlineHours"),
            },
            concurrency: CopySlots {
                instances: concurrency("InstanceConcurrency", DEFAULT_CONCURRENCY.instances),
                clusters: concurrency("ClusterConcurrency", DEFAULT_CONCURRENCY.clusters),
            },
            objective: parameters.get("ObjectiveHours").and_then(|hours| parse_hours(hours)),
            policy: POLICY
                .into_iter()
                .filter_map(|name| Some((name, (*parameters.get(name)?).to_owned())))
                .collect(),
            copy_fleet_arn: take(&outputs, "CopyFleetStateMachineArn", "output")?,
            copy_snapshot_arn: take(&outputs, "CopySnapshotStateMachineArn", "output")?,
            list_targets_role: value(&outputs, "ListTargetsRoleArn"),
            start_copy_role: value(&outputs, "StartCopyRoleArn"),
            rules_of_runs: ["ScheduleRuleName", "SnapshotReadyRuleName"]
                .into_iter()
                .filter_map(|output| value(&outputs, output))
                .collect(),
        })
    }
}

/// Parameters or outputs by name.
pub(crate) type Values<'a> = BTreeMap<&'a str, &'a str>;

/// A stack, as CloudFormation describes it; nothing if there is none.
pub(crate) async fn describe(client: &Client, region: &str, name: &str) -> Result<Option<types::Stack>, CliError> {
    match client.describe_stacks().stack_name(name).send().await {
        Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next()),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(CliError::from_call("CloudFormation", region, NEEDS, &error)),
    }
}

/// The parameters of a stack.
pub(crate) fn parameters(stack: &types::Stack) -> Values<'_> {
    let all = stack.parameters().iter();
    all.filter_map(|parameter| Some((parameter.parameter_key()?, parameter.parameter_value()?)))
        .collect()
}

/// The outputs of a stack.
pub(crate) fn outputs(stack: &types::Stack) -> Values<'_> {
    let all = stack.outputs().iter();
    all.filter_map(|output| Some((output.output_key()?, output.output_value()?)))
        .collect()
}

/// The value of a name, if it has one that is not empty.
pub(crate) fn value(from: &Values<'_>, name: &str) -> Option<String> {
    let value = from.get(name).filter(|value| !value.is_empty());
    value.map(|value| (*value).to_owned())
}

/// Whether there is no such stack. CloudFormation has no code of its own for that, only the text.
fn is_missing<E>(error: &SdkError<E>) -> bool
where
    SdkError<E>: ProvideErrorMetadata,
{
    let text = error.message().unwrap_or_default();
    error.code() == Some("ValidationError") && text.contains("does not exist")
}

/// A number of hours, which CloudFormation lets be a fraction.
fn parse_hours(text: &str) -> Option<SignedDuration> {
    let hours: f64 = text.trim().parse().ok()?;
    let duration = SignedDuration::try_from_secs_f64(hours * 3600.0).ok()?;
    // A hundred years are as good as none, and can be computed with.
    let max = SignedDuration::from_hours(100 * 366 * 24);
    (duration > SignedDuration::ZERO).then_some(duration.min(max))
}
