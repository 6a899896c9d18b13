//! Alarms and dashboard against what the functions measure.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use deployment::{DESTINATION, SOURCE, STACKS, Stack, rendered};
use runtime::metrics::Metric;
use runtime::metrics::NAMESPACE;
use serde_json::{Value, json};
use step_functions::entries;

fn topic(stack: Stack) -> String {
    format!("arn:aws:sns:{}:123456789012:snapferry-AlertsTopic", stack.region)
}

fn alarms(stack: Stack) -> BTreeMap<String, Value> {
    stack.resources_of("AWS::CloudWatch::Alarm")
}

fn dashboard(stack: Stack) -> Value {
    let dashboard = &stack.resources_of("AWS::CloudWatch::Dashboard")["Dashboard"];
    serde_json::from_str(dashboard["DashboardBody"].as_str().expect("text")).expect("JSON")
}

/// The metrics of a widget as CloudWatch reads them: `.` repeats the field above, `...` all fields above.
fn metrics_of(widget: &Value) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in entries(&widget["properties"]["metrics"]) {
        let fields: Vec<&str> = entries(row).iter().filter_map(Value::as_str).collect();
        let mut full: Vec<String> = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let above = rows.last();
            match *field {
                "..." => {
                    let above = above.expect("a row above");
                    full.extend_from_slice(&above[..above.len() - (fields.len() - 1)]);
                }
                "." => full.push(above.expect("a row above")[at].clone()),
                field => full.push(field.to_owned()),
            }
        }
        if !full.is_empty() {
            rows.push(full);
        }
    }
    rows
}

fn dimensions(alarm: &Value) -> Vec<(&str, &str)> {
    entries(&alarm["Dimensions"])
        .iter()
        .map(|one| {
            (
                one["Name"].as_str().expect("a name"),
                one["Value"].as_str().expect("a value"),
            )
        })
        .collect()
}

#[test]
fn every_alarm_watches_a_metric_that_exists_with_the_dimensions_that_it_has() {
    for (stack, (name, alarm)) in STACKS
        .into_iter()
        .flat_map(|stack| alarms(stack).into_iter().map(move |one| (stack, one)))
    {
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(
                alarm[actions],
                json!([topic(stack)]),
                "{name} notifies nobody: {actions}"
            );
        }
        let said = alarm["AlarmDescription"].as_str().expect("a description");
        assert!(said.contains(". "), "{name} does not say what to do: {said}");
        if ["FailedRunsAlarm", "NoEvidenceAlarm"].contains(&name.as_str()) {
            continue;
        }
        let metric = alarm["MetricName"].as_str().expect("a metric");
        let dimensions = dimensions(&alarm);
        match alarm["Namespace"].as_str().expect("a namespace") {
            NAMESPACE => {
                assert!(Metric::ALL.iter().any(|one| one.name == metric), "{name}: {metric}");
                assert_eq!(dimensions[0], ("Stack", "snapferry"), "{name}");
                let kinds = usize::from(metric == Metric::SNAPSHOT_QUOTA_USE.name);
                assert_eq!(dimensions.len(), 1 + kinds, "{name}");
            }
            "AWS/SQS" => assert_eq!(dimensions, [("QueueName", "snapferry-TriggerDeadLetters")]),
            other => panic!("{name}: {other}"),
        }
    }
}

/// m11: a run that is stopped, or times out, copies no more than one that fails.
#[test]
fn a_run_that_does_not_succeed_sets_off_the_alarm_however_it_ends() {
    for stack in STACKS {
        let machine = format!(
            "arn:aws:states:{}:123456789012:stateMachine:snapferry-{}",
            stack.region, stack.machines[0]
        );
        assert_every_end_but_success_sets_it_off(&alarms(stack)["FailedRunsAlarm"], &machine);
    }
    let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:snapferry-keep-evidence";
    assert_every_end_but_success_sets_it_off(&alarms(DESTINATION)["NoEvidenceAlarm"], machine);
}

fn assert_every_end_but_success_sets_it_off(alarm: &Value, machine: &str) {
    let mut watched = BTreeMap::new();
    let mut sum = String::new();
    for metric in entries(&alarm["Metrics"]) {
        let id = metric["Id"].as_str().expect("an id");
        if let Some(expression) = metric["Expression"].as_str() {
            assert_eq!(metric["ReturnData"], true);
            expression.clone_into(&mut sum);
            continue;
        }
        assert_eq!(metric["ReturnData"], false);
        let measured = &metric["MetricStat"];
        assert_eq!((&measured["Period"], &measured["Stat"]), (&json!(300), &json!("Sum")));
        assert_eq!(measured["Metric"]["Namespace"], "AWS/States");
        assert_eq!(
            measured["Metric"]["Dimensions"],
            json!([{ "Name": "StateMachineArn", "Value": machine }])
        );
        watched.insert(
            id.to_owned(),
            measured["Metric"]["MetricName"].as_str().expect("a name"),
        );
    }
    let ends: BTreeSet<&str> = watched.values().copied().collect();
    assert_eq!(
        ends,
        BTreeSet::from(["ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"])
    );
    // A metric without measurements has no value, and `a + b` with it has none either: each counts as 0.
    let terms = sum.strip_prefix("SUM([").and_then(|rest| rest.strip_suffix("])"));
    let terms: BTreeSet<String> = terms
        .expect("a sum")
        .split("), ")
        .map(|term| format!("{})", term.trim_end_matches(')')))
        .collect();
    assert_eq!(terms, watched.keys().map(|id| format!("FILL({id}, 0)")).collect());
    assert_eq!(
        (&alarm["ComparisonOperator"], &alarm["Threshold"]),
        (&json!("GreaterThanThreshold"), &json!(0))
    );
}

#[test]
fn the_alarm_of_the_recovery_points_goes_off_when_nothing_is_measured() {
    for stack in STACKS {
        let alarm = &alarms(stack)["RecoveryPointAlarm"];
        assert_eq!(alarm["MetricName"], Metric::OLDEST_RECOVERY_POINT_AGE.name);
        assert_eq!(alarm["TreatMissingData"], "breaching");
        assert_eq!(
            (&alarm["Statistic"], &alarm["ComparisonOperator"]),
            (&json!("Maximum"), &json!("GreaterThanThreshold"))
        );
        assert_eq!(alarm["Threshold"], "26", "the parameter ObjectiveHours");
        // It is measured once a period, and one period may stay empty.
        let rule = &stack.rendered("events.json")["MeasureRule"];
        assert_eq!(rule["ScheduleExpression"], "rate(1 hour)");
        assert_eq!(alarm["Period"], 3600);
        assert!(alarm["DatapointsToAlarm"].as_u64() > Some(1));
        assert!(alarm["EvaluationPeriods"].as_u64() >= alarm["DatapointsToAlarm"].as_u64());
    }
}

#[test]
fn each_quota_has_its_alarm_at_80_percent_and_missing_data_sets_off_no_other_alarm() {
    let quotas = alarms(SOURCE);
    for (name, kind) in [("InstanceQuotaAlarm", "instance"), ("ClusterQuotaAlarm", "cluster")] {
        let alarm = &quotas[name];
        assert_eq!(alarm["MetricName"], Metric::SNAPSHOT_QUOTA_USE.name);
        assert_eq!(dimensions(alarm)[1], ("Kind", kind));
        assert_eq!(alarm["Threshold"], 80);
    }
    for stack in STACKS {
        let alarms = alarms(stack);
        let breaching: Vec<&String> = alarms
            .iter()
            .filter(|(_, alarm)| alarm["TreatMissingData"] == "breaching")
            .map(|(name, _)| name)
            .collect();
        assert_eq!(breaching, ["RecoveryPointAlarm"]);
    }
}

#[test]
fn what_must_never_be_there_sets_off_an_alarm_as_soon_as_it_is_measured() {
    let alarms = alarms(DESTINATION);
    for (name, metric) in [
        ("UnrestorableCopiesAlarm", Metric::UNRESTORABLE_COPIES),
        ("OverdueDrillsAlarm", Metric::DRILL_DATABASES_OVERDUE),
        ("UnmarkedDrillsAlarm", Metric::UNMARKED_DRILL_DATABASES),
        ("RetainedSnapshotsAlarm", Metric::RETAINED_DRILL_SNAPSHOTS),
        ("FailedDrillsAlarm", Metric::DRILLS_FAILED),
    ] {
        let alarm = &alarms[name];
        assert_eq!(alarm["MetricName"], metric.name, "{name}");
        assert_eq!(
            (&alarm["Statistic"], &alarm["Threshold"], &alarm["EvaluationPeriods"]),
            (&json!("Maximum"), &json!(0), &json!(1)),
            "{name}"
        );
    }
    let silent = &alarms["SilentDrillsAlarm"];
    assert_eq!(silent["MetricName"], Metric::DRILL_AGE_DAYS.name);
    assert_eq!(silent["Threshold"], "90", "the parameter DrillAgeLimitDays");
}

#[test]
fn what_is_measured_hourly_is_measured_by_list_targets_which_the_rule_may_invoke() {
    let rule = &rendered("events.json")["MeasureRule"];
    let [target] = entries(&rule["Targets"]) else {
        panic!("one target")
    };
    let function = "arn:aws:lambda:us-east-1:123456789012:function:snapferry-list-targets";
    assert_eq!(target["Arn"], function);
    let input: Value = serde_json::from_str(target["Input"].as_str().expect("an input")).expect("JSON");
    assert_eq!(input["run"], json!({ "execution": "measure", "arn": "measure" }));
    let permission = &SOURCE.resources_of("AWS::Lambda::Permission")["MeasurePermission"];
    assert_eq!(permission["Action"], "lambda:InvokeFunction");
    assert_eq!(permission["Principal"], "events.amazonaws.com");
    assert_eq!(
        permission["SourceArn"],
        "arn:aws:events:us-east-1:123456789012:rule/snapferry-MeasureRule"
    );
}

#[test]
fn the_dashboard_shows_every_metric_and_none_that_does_not_exist() {
    let mut shown: BTreeSet<String> = BTreeSet::new();
    let widgets = |stack: Stack| entries(&dashboard(stack)["widgets"]).to_vec();
    for (stack, widget) in STACKS
        .into_iter()
        .flat_map(|stack| widgets(stack).into_iter().map(move |one| (stack, one)))
    {
        let (widget, region) = (&widget, &widget["properties"]["region"]);
        assert!(widget["type"] == "text" || *region == stack.region, "{widget}");
        for metric in metrics_of(widget) {
            if metric[0] == NAMESPACE {
                assert_eq!(metric[2..4], ["Stack", "snapferry"], "{metric:?}");
                shown.insert(metric[1].clone());
            } else {
                assert_eq!(metric[..2], ["AWS/States", "ExecutionsFailed"]);
                assert!(metric[3].starts_with("arn:aws:states:"), "{metric:?}");
            }
        }
        for row in entries(&widget["properties"]["metrics"]) {
            for expression in entries(row).iter().filter_map(|one| one["expression"].as_str()) {
                let known = ["{Snapferry,Stack,Kind,Database}", "{Snapferry,Stack,Release}"];
                assert!(known.iter().any(|one| expression.contains(one)), "{expression}");
                let name = expression
                    .split("MetricName=\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next());
                shown.insert(name.expect("a name").to_owned());
            }
        }
    }
    let all: BTreeSet<String> = Metric::ALL.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(shown, all);
}

#[test]
fn no_widget_covers_another_and_all_are_within_24_columns() {
    for stack in STACKS {
        assert_widgets_fit(&dashboard(stack));
    }
}

fn assert_widgets_fit(dashboard: &Value) {
    let mut taken = BTreeSet::new();
    for widget in entries(&dashboard["widgets"]) {
        let number = |field: &str| widget[field].as_u64().unwrap_or_else(|| panic!("{field} of {widget}"));
        assert!(number("x") + number("width") <= 24, "{widget}");
        for x in number("x")..number("x") + number("width") {
            for y in number("y")..number("y") + number("height") {
                assert!(taken.insert((x, y)), "{widget} covers another");
            }
        }
    }
}

#[test]
fn only_cloudwatch_and_roles_of_this_account_publish_to_the_topic() {
    for stack in STACKS {
        let policy = &stack.resources_of("AWS::SNS::TopicPolicy")["AlertsTopicPolicy"];
        assert_eq!(policy["Topics"], json!([topic(stack)]));
        let mut statements = entries(&policy["PolicyDocument"]["Statement"]).to_vec();
        if stack.region == DESTINATION.region {
            // Two rules report calls of others there.
            let reports = statements.remove(1);
            assert_eq!(reports["Principal"], json!({ "Service": "events.amazonaws.com" }));
            let rules = ["TouchedCopiesRule", "TouchedKeysRule"]
                .map(|rule| format!("arn:aws:events:{}:123456789012:rule/snapferry-{rule}", stack.region));
            assert_eq!(reports["Condition"], json!({ "ArnEquals": { "aws:SourceArn": rules } }));
        }
        let [alarms, own, plain] = &statements[..] else {
            panic!("three statements")
        };
        // SNS3: not even they without TLS.
        assert_eq!(
            (&plain["Effect"], &plain["Principal"], &plain["Action"]),
            (&json!("Deny"), &json!("*"), &json!("sns:Publish"))
        );
        assert_eq!(
            plain["Condition"],
            json!({ "Bool": { "aws:SecureTransport": "false" } })
        );
        assert_eq!(alarms["Principal"], json!({ "Service": "cloudwatch.amazonaws.com" }));
        assert_eq!(
            alarms["Condition"],
            json!({ "StringEquals": { "aws:SourceAccount": "123456789012" } })
        );
        assert_eq!(own["Principal"], json!({ "AWS": "arn:aws:iam::123456789012:root" }));
        assert_eq!(own["Action"], "sns:Publish");
    }
}
