//! The gateway to CloudWatch and SNS: the alarms of a stack, and who its topic notifies.

use jiff::Timestamp;

use crate::aws::query::{QueryClient, list, text_of};
use crate::error::CliError;

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) state: AlarmState,
    /// Why it is in that state, in CloudWatch's words.
    pub(crate) reason: String,
    /// Since when it is in that state.
    pub(crate) since: Option<Timestamp>,
    /// Whether it notifies anybody.
    pub(crate) notifies: bool,
}

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

/// The alarms of these names that there are; 100 at most may be asked for.
pub(crate) async fn alarms(cloudwatch: &QueryClient, names: &[String]) -> Result<Vec<Alarm>, CliError> {
    let fields = list("AlarmNames", names.iter().map(String::as_str));
    let answer = cloudwatch
        .call("DescribeAlarms", &fields, "cloudwatch:DescribeAlarms")
        .await
        .map_err(|failed| failed.error)?;
    let alarms = answer.items("MetricAlarms", |alarm| Alarm {
        name: text_of(alarm, "AlarmName").unwrap_or_default(),
        state: match text_of(alarm, "StateValue").as_deref() {
            Some("OK") => AlarmState::Ok,
            Some("ALARM") => AlarmState::Alarm,
            _ => AlarmState::InsufficientData,
        },
        reason: text_of(alarm, "StateReason").unwrap_or_default(),
        since: ["StateTransitionedTimestamp", "StateUpdatedTimestamp"]
            .into_iter()
            .find_map(|field| text_of(alarm, field)?.parse().ok()),
        notifies: text_of(alarm, "ActionsEnabled").as_deref() != Some("false"),
    });
    alarms.ok_or_else(|| unreadable("CloudWatch"))
}

/// A subscription to a topic. Its endpoint, an address, is nobody's business here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// `email`, `https`, `lambda`, ...
    pub(crate) protocol: String,
    pub(crate) is_confirmed: bool,
}

/// The subscriptions to a topic: the first hundred.
pub(crate) async fn subscriptions(sns: &QueryClient, topic: &str) -> Result<Vec<Subscription>, CliError> {
    let fields = [("TopicArn".to_owned(), topic.to_owned())];
    let answer = sns
        .call(
            "ListSubscriptionsByTopic",
            &fields,
            "sns:ListSubscriptionsByTopic on the topic",
        )
        .await
        .map_err(|failed| failed.error)?;
    let subscriptions = answer.items("Subscriptions", |subscription| Subscription {
        protocol: text_of(subscription, "Protocol").unwrap_or_default(),
        // The others have a word in the place of their ARN: `PendingConfirmation`, `Deleted`.
        is_confirmed: text_of(subscription, "SubscriptionArn").is_some_and(|arn| arn.starts_with("arn:")),
    });
    subscriptions.ok_or_else(|| unreadable("SNS"))
}

fn unreadable(service: &str) -> CliError {
    CliError::new(
        format!("{service} answered what cannot be read."),
        "Something between here and AWS may have answered in its place (a proxy, an endpoint of AWS_ENDPOINT_URL), or \
         this program is too old.",
    )
}
