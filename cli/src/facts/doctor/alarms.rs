//! The alarms of a stack, and whether its topic notifies anybody.

use jiff::{SignedDuration, Timestamp};

use crate::aws::account::Account;
use crate::aws::alerts::{self, Alarm, AlarmState};
use crate::aws::deployment::Deployment;
use crate::aws::query::Service;
use crate::facts::doctor::finding::Finding;
use crate::format::{format_duration, plural, some_of};

/// The alarms of the stack of the databases, as its template names them.
const SOURCE: [&str; 5] = [
    "recovery-point",
    "failed-runs",
    "instance-quota",
    "cluster-quota",
    LOST_EVENTS,
];

/// Those of the destination stack.
const DESTINATION: [&str; 11] = [
    "watch-recovery-point",
    "watch-unrestorable",
    "watch-unknown",
    "watch-lost-events",
    NO_EVIDENCE,
    "drills-failed",
    "drills-failed-runs",
    SILENT,
    "drills-overdue",
    "drills-unmarked",
    "drills-retained",
];

/// There only while drills are on.
const SILENT: &str = "drills-silent";

/// There only with a bucket for evidence.
const NO_EVIDENCE: &str = "watch-no-evidence";

const LOST_EVENTS: &str = "lost-events";

/// Everything is measured within that time after a deployment.
const MAX_WITHOUT_DATA: SignedDuration = SignedDuration::from_hours(3);

/// The alarms of a stack: those that went off, one by one, and the others together.
pub(crate) async fn check(account: &Account, stack: &Deployment, is_destination: bool) -> Vec<Finding> {
    let suffixes: &[&str] = if is_destination { &DESTINATION } else { &SOURCE };
    let has_drills = stack.parameter("Drills") == Some("true");
    let keeps_evidence = stack
        .parameter("EvidenceBucket")
        .is_some_and(|bucket| !bucket.is_empty());
    let expected = suffixes.iter().filter(|suffix| match **suffix {
        SILENT => has_drills,
        NO_EVIDENCE => keeps_evidence,
        _ => true,
    });
    let names: Vec<String> = expected.map(|suffix| format!("{}-{suffix}", stack.prefix())).collect();
    let cloudwatch = account.query(Service::CloudWatch, &stack.region);
    match alerts::alarms(&cloudwatch, &names).await {
        Ok(found) => judge(&stack.name, &names, &found, account.now()),
        Err(error) => vec![Finding::failed("alarms", &stack.name, &error)],
    }
}

fn judge(stack: &str, names: &[String], found: &[Alarm], now: Timestamp) -> Vec<Finding> {
    let since = |alarm: &Alarm| {
        alarm.since.map_or_else(String::new, |since| {
            format!(" for {}", format_duration(now.duration_since(since)))
        })
    };
    let mut findings = Vec::new();
    for alarm in found.iter().filter(|alarm| alarm.state == AlarmState::Alarm) {
        findings.push(Finding::wrong(
            "alarms",
            &alarm.name,
            format!("It has been in alarm{}: {}", since(alarm), alarm.reason),
            "The table of alarms in docs/operations.md says what it means and what to do.",
        ));
    }
    let which = |is: &dyn Fn(&Alarm) -> bool| {
        let names = found.iter().filter(|alarm| is(alarm)).map(|alarm| alarm.name.clone());
        names.collect::<Vec<_>>()
    };
    // AWS always says since when.
    let is_long = |alarm: &Alarm| {
        let since = alarm.since;
        since.is_some_and(|since| now.duration_since(since) > MAX_WITHOUT_DATA)
    };
    let silent = which(&|alarm| alarm.state == AlarmState::InsufficientData && is_long(alarm));
    if !silent.is_empty() {
        let hours = format_duration(MAX_WITHOUT_DATA);
        findings.push(Finding::warning(
            "alarms",
            stack,
            format!("Alarms have had no data for {hours} or longer: {}.", some_of(&silent)),
            "Read the log of the function that measures: what is not measured raises no alarm in time.",
        ));
    }
    let mute = which(&|alarm| !alarm.notifies);
    if !mute.is_empty() {
        findings.push(Finding::warning(
            "alarms",
            stack,
            format!(
                "The actions of alarms are disabled, so that they notify nobody: {}.",
                some_of(&mute)
            ),
            format!("aws cloudwatch enable-alarm-actions --alarm-names {}", mute.join(" ")),
        ));
    }
    let is_there = |name: &&String| found.iter().any(|alarm| alarm.name == **name);
    let missing: Vec<String> = names.iter().filter(|name| !is_there(name)).cloned().collect();
    if !missing.is_empty() {
        findings.push(Finding::wrong(
            "alarms",
            stack,
            format!("The stack lacks alarms: {}.", some_of(&missing)),
            "Somebody deleted them, or an early release deployed the stack: deploy it again.",
        ));
    }
    if findings.is_empty() {
        let alarms = plural(found.len(), "alarm is", "alarms are");
        findings.push(Finding::good(
            "alarms",
            stack,
            format!("{alarms} there, and none went off."),
        ));
    }
    findings
}

/// Whether anybody gets what the topic of a stack is sent.
pub(crate) async fn topic(account: &Account, stack: &Deployment) -> Finding {
    let check = "notifications";
    let Some(topic) = stack.output("AlertsTopicArn") else {
        let found = "The stack does not say which topic its alarms notify.";
        return Finding::unknown(check, &stack.name, found, "Update the stack.");
    };
    let sns = account.query(Service::Sns, &stack.region);
    let subscriptions = match alerts::subscriptions(&sns, topic).await {
        Ok(subscriptions) => subscriptions,
        Err(error) => return Finding::failed(check, &stack.name, &error),
    };
    let confirmed = subscriptions.iter().filter(|one| one.is_confirmed).count();
    let pending = subscriptions.iter().filter(|one| !one.is_confirmed);
    let pending: Vec<String> = pending.map(|one| one.protocol.clone()).collect();
    if !pending.is_empty() {
        let subscriptions = plural(pending.len(), "subscription is", "subscriptions are");
        return Finding::wrong(
            check,
            &stack.name,
            format!(
                "{subscriptions} not confirmed ({}), and get nothing.",
                some_of(&pending)
            ),
            "Open the message that AWS sent to the address and confirm it. After three days AWS drops the request: set \
             NotificationEmail again, or subscribe with aws sns subscribe.",
        );
    }
    if confirmed == 0 {
        return Finding::warning(
            check,
            &stack.name,
            "Nobody is subscribed to the topic: alarms notify nobody.",
            format!("Set NotificationEmail, or subscribe to {topic}."),
        );
    }
    let subscriptions = plural(confirmed, "subscription is", "subscriptions are");
    Finding::good(check, &stack.name, format!("{subscriptions} confirmed."))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The templates are where alarms get their names.
    #[test]
    fn the_alarms_are_those_of_the_templates() {
        for (template, expected) in [
            (include_str!("../../../../infra/template.yaml"), &SOURCE[..]),
            (include_str!("../../../../infra/destination.yaml"), &DESTINATION[..]),
        ] {
            let lines = template
                .lines()
                .filter_map(|line| line.split_once("AlarmName: !Sub [\"${Name}-"));
            let mut named: Vec<&str> = lines.filter_map(|(_, rest)| rest.split('"').next()).collect();
            let mut expected = expected.to_vec();
            named.sort_unstable();
            expected.sort_unstable();
            assert_eq!(named, expected);
        }
    }
}
