"""Metrics, alarms, messages and logs, from the deployed functions and the deployed template."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from e2e.fleet import by_hand, cluster, fleet, instance, old_copy, oracle, oracle_group
from local_cloud import layout, metrics
from local_cloud.metrics import Measurement, NotTheFormat

OPERATIONS = layout.ROOT / "docs" / "operations.md"

FLEET = fleet(
    [
        # Has a verified copy of an older snapshot, and four that are older still.
        instance("orders", 3, allocatedStorage=200),
        # Nothing to do: its newest snapshot has its copy.
        instance("stock", 5),
        # Never copied.
        instance("fresh", 2, allocatedStorage=100, createdDaysAgo=0.5),
    ],
    [cluster("billing", 4)],
    [
        *(old_copy("orders", 27 + 24 * age) for age in range(4)),
        old_copy("stock", 5),
        old_copy("billing", 31, "cluster"),
    ],
)


@pytest.fixture
def began(cloud):
    """When the test began, as the logs count."""
    # Lines are stamped in whole milliseconds.
    time.sleep(0.002)
    return time.time()


@pytest.fixture
def rule(cloud):
    """Invokes the target of a deployed rule as EventBridge would."""

    def invoke(logical_id):
        stack = cloud.client("cloudformation")
        found = stack.describe_stack_resource(StackName=layout.STACK, LogicalResourceId=logical_id)
        events = cloud.client("events")
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
        answer = cloud.client("lambda").invoke(FunctionName=target["Arn"], Payload=target["Input"])
        assert "FunctionError" not in answer, answer["Payload"].read()

    return invoke


def measured(cloud, since):
    """All measurements since a time, by name."""
    by_name = defaultdict(list)
    for record in metrics.records(cloud, since=since):
        for one in metrics.measurements(record):
            by_name[one.name].append(one)
    return by_name


def values(found):
    """Their values, in order."""
    return sorted(one.value for one in found)


def test_a_run_measures_what_it_did(cloud, runs, seed, began):
    seed(FLEET)
    end = runs.run()
    assert end.status == "SUCCEEDED", end.failure
    found = measured(cloud, began)
    assert values(found["CopiesStarted"]) == [1, 1, 1]
    assert values(found["CopiesCompleted"]) == [1, 1, 1]
    assert values(found["CopiesSkipped"]) == [1]
    assert found["CopiesFailed"] == []
    assert values(found["CopiesDeleted"]) == [2], "orders keeps three of five"
    assert values(found["CopiedGigabytes"]) == [100, 200], "of clusters RDS does not say"
    assert all(0 < seconds < 60 for seconds in values(found["CopyDuration"]))
    assert values(found["Databases"]) == [4]
    assert values(found["DatabasesWithoutCopy"]) == [1]
    assert [round(hours, 1) for hours in values(found["OldestRecoveryPointAgeHours"])] == [31.0]
    uses = {dict(one.dimensions)["Kind"]: one.value for one in found["SnapshotQuotaUse"]}
    assert uses == {"instance": 5, "cluster": 1}


def test_the_age_of_each_database_is_measured_before_the_run_and_when_its_copy_is_verified(cloud, runs, seed, began):
    seed(FLEET)
    runs.run()
    ages = defaultdict(list)
    for one in measured(cloud, began)["RecoveryPointAgeHours"]:
        dimensions = dict(one.dimensions)
        assert dimensions.pop("Stack") == layout.STACK
        ages[dimensions["Kind"], dimensions["Database"]].append(round(one.value, 1))
    assert {name: sorted(found) for name, found in ages.items()} == {
        ("instance", "orders"): [3.0, 27.0],
        ("instance", "stock"): [5.0],
        # Before its first copy a database is as old as it is.
        ("instance", "fresh"): [2.0, 12.0],
        ("cluster", "billing"): [4.0, 31.0],
    }


def test_a_copy_that_fails_is_measured_with_its_error(cloud, runs, seed, began):
    seed(fleet([instance("orders", copies={"durationSeconds": 60, "failAtPercent": 55})]))
    end = runs.run()
    assert end.error == "CopiesFailed"
    (line,) = [record for record in metrics.records(cloud, since=began) if "CopiesFailed" in record]
    assert line["Error"] == "CopyFailed"
    (one,) = metrics.measurements(line)
    assert one.dimensions == (("Stack", layout.STACK),)


def test_every_line_of_the_logs_is_json_and_says_of_which_invocation_it_is(cloud, runs, seed, began):
    seed(FLEET)
    runs.run()
    events = 0
    for record in metrics.records(cloud, since=began):
        if "level" in record:
            events += 1
            assert record["span"]["request"], record
            assert record["message"], record
        else:
            assert record["Stack"] == layout.STACK, record
            assert set(record) & set(documented_metrics()), record
    assert events > 10


def test_what_cloudwatch_would_not_take_is_refused():
    good = {
        "_aws": {
            "Timestamp": 1_800_000_000_000,
            "CloudWatchMetrics": [
                {"Namespace": "N", "Dimensions": [["Stack"]], "Metrics": [{"Name": "A", "Unit": "Count"}]}
            ],
        },
        "Stack": "snapferry",
        "A": 1,
    }
    (one,) = metrics.measurements(good)
    assert (one.name, one.value, one.dimensions) == ("A", 1.0, (("Stack", "snapferry"),))
    assert list(metrics.measurements({"level": "INFO"})) == []

    def spoiled(change):
        copy = json.loads(json.dumps(good))
        change(copy, copy["_aws"]["CloudWatchMetrics"][0])
        return copy

    for change in (
        lambda record, directive: record.pop("A"),
        lambda record, directive: record.update(A="1"),
        lambda record, directive: record.update(A=True),
        lambda record, directive: record.pop("Stack"),
        lambda record, directive: record.update(Stack=""),
        lambda record, directive: record.update(Stack="Bücher"),
        lambda record, directive: record["_aws"].update(Timestamp="now"),
        lambda record, directive: directive.pop("Namespace"),
        lambda record, directive: directive.update(Metrics=[]),
        lambda record, directive: directive.update(Dimensions=["Stack"]),
        lambda record, directive: directive["Metrics"][0].update(Unit="Hours"),
    ):
        with pytest.raises(NotTheFormat):
            list(metrics.measurements(spoiled(change)))


# ---------------------------------------------------------------- logs


def query_in_operations():
    """The Logs Insights query that the operator is told to use."""
    (query,) = re.findall(r"```text\n(fields @timestamp.*?)```", OPERATIONS.read_text(), re.DOTALL)
    return query


def flat(record, before=""):
    """A line's fields as Logs Insights names them."""
    fields = {}
    for name, value in record.items():
        if isinstance(value, dict):
            fields.update(flat(value, f"{before}{name}."))
        else:
            fields[f"{before}{name}"] = value
    return fields


def fields_of(query):
    """The fields that a query of Logs Insights names, but for those that every line has and those that it makes."""
    words = re.sub(r"'[^']*'|\"[^\"]*\"", "", query)
    named = set(re.findall(r"(?<![\w@.])[A-Za-z_][\w.]*", words))
    made = set(re.findall(r"\bas (\w+)", words))
    language = {"fields", "filter", "stats", "sort", "limit", "by", "as", "desc", "asc", "and", "not", "in"}
    return named - made - language - {"ispresent", "latest", "SOURCE"}


def test_one_copy_can_be_followed_through_the_functions_by_the_query_of_the_handbook(cloud, runs, seed, began):
    seed(FLEET)
    end = runs.run()
    (child,) = [one for one in runs.children(end.arn) if one.input["id"] == "orders"]
    query = query_in_operations()
    assert "i-orders-1a2b3c4d" in query
    # MiniStack knows no fields of JSON lines, so the one filter is applied here.
    (filtered,) = re.findall(r'\| filter (\S+) = "i-orders-1a2b3c4d"', query)
    rows = [flat(one) for one in metrics.records(cloud, since=began)]
    rows = [row for row in rows if row.get(filtered) == child.name]
    said = [row["message"] for row in rows]
    assert said.index("copy started or joined") < said.index("copy verified"), said
    assert {row["span.database"] for row in rows} == {"orders"}
    assert {row["span.kind"] for row in rows} == {"instance"}
    assert {row["span.run"] for row in rows} == {end.name}
    for field in fields_of(query) - {"error"}:
        assert any(field in row for row in rows), field
    by_function = {
        function: {json.loads(line).get("span", {}).get("execution") for line in written}
        for function, written in metrics.lines_by_function(cloud, since=began).items()
    }
    assert {function for function, executions in by_function.items() if child.name in executions} == set(
        layout.FUNCTIONS
    ) - {"list-targets"}
    assert end.name in by_function["list-targets"]


# ---------------------------------------------------------------- alarms


def state(cloud, alarm):
    """The state of a deployed alarm."""
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=[f"{layout.STACK}-{alarm}"])["MetricAlarms"]
    return found[0]["StateValue"]


def reach(cloud, alarm, wanted, push):
    """Pushes measurements until an alarm is in a state. MiniStack's alarms look as far back as their periods reach."""
    deadline = time.monotonic() + 20
    while True:
        push()
        if state(cloud, alarm) == wanted:
            return
        assert time.monotonic() < deadline, f"{alarm} is {state(cloud, alarm)}"
        time.sleep(0.2)


def test_an_old_recovery_point_sets_off_the_alarm_and_a_new_copy_ends_it(cloud, runs, seed, rule):
    forget_metrics(cloud)
    seed(FLEET)
    rule("MeasureRule")
    old = latest(cloud, "OldestRecoveryPointAgeHours")
    assert old.value > 26
    # So long ago that it is all but forgotten: three periods of an hour.
    metrics.put(cloud, [old], earlier=timedelta(hours=3) - timedelta(seconds=3))
    assert state(cloud, "recovery-point") == "ALARM"

    assert runs.run().status == "SUCCEEDED"
    rule("MeasureRule")
    new = latest(cloud, "OldestRecoveryPointAgeHours")
    assert new.value < 26
    reach(cloud, "recovery-point", "OK", lambda: metrics.put(cloud, [new]))


def test_a_quota_that_is_nearly_used_up_sets_off_the_alarm(cloud, seed, rule):
    forget_metrics(cloud)
    snapshots = [by_hand(f"kept-{number}", "orders") for number in range(9)]
    seed(fleet([instance("orders")], destination=snapshots, manualSnapshotQuota={"instances": 10, "clusters": 100}))
    rule("MeasureRule")
    use = [one for one in all_measured(cloud) if one.name == "SnapshotQuotaUse"][-2:]
    assert sorted((dict(one.dimensions)["Kind"], one.value) for one in use) == [("cluster", 0), ("instance", 90)]
    metrics.put(cloud, use)
    assert state(cloud, "instance-quota") == "ALARM"


@pytest.mark.parametrize(
    ("alarm", "namespace", "name"),
    [
        ("failed-runs", "AWS/States", "ExecutionsFailed"),
        ("lost-events", "AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    ],
)
def test_what_aws_itself_measures_sets_off_its_alarm(cloud, alarm, namespace, name):
    forget_metrics(cloud)
    now = datetime.now(timezone.utc)
    of_nothing = Measurement(namespace, name, "Count", 0, (), now - timedelta(seconds=298))
    metrics.put(cloud, [of_nothing])
    assert state(cloud, alarm) == "OK"
    metrics.put(cloud, [Measurement(namespace, name, "Count", 1, (), now)])
    assert state(cloud, alarm) == "ALARM"


def all_measured(cloud):
    """Everything that the log of list-targets holds, the latest last."""
    found = [one for record in metrics.records(cloud) for one in metrics.measurements(record)]
    return sorted(found, key=lambda one: one.at)


def latest(cloud, name):
    """The latest value of a metric."""
    return [one for one in all_measured(cloud) if one.name == name][-1]


def forget_metrics(cloud):
    """Alarms of MiniStack ignore dimensions, so what other tests put would count."""
    alarms = cloud.client("cloudwatch")
    for alarm in alarms.describe_alarms(AlarmNamePrefix=f"{layout.STACK}-")["MetricAlarms"]:
        alarms.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="INSUFFICIENT_DATA", StateReason="a new test")


# ---------------------------------------------------------------- messages


@pytest.fixture
def mailbox(cloud):
    """A queue that gets what the topic of the stack tells. Calling it gives the messages so far."""
    stack = cloud.client("cloudformation").describe_stacks(StackName=layout.STACK)["Stacks"][0]
    (topic,) = [one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == "AlertsTopicArn"]
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    queue = sqs.create_queue(QueueName=f"mailbox-{time.monotonic_ns()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy(arn, topic))})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]

    def messages():
        found: list[Any] = []
        while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            found.extend(json.loads(one["Body"]) for one in batch)
            for one in batch:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
        return found

    yield messages
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=queue)


def policy(queue, topic):
    """Lets a topic send to a queue."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        ],
    }


def test_a_run_with_failures_tells_once_which_databases_why_and_where_to_look(runs, seed, mailbox):
    broken = {"copies": {"durationSeconds": 60, "failAtPercent": 55}}
    seed(fleet([instance("orders"), instance("stock", **broken)], [cluster("billing", **broken)]))
    end = runs.run()
    assert end.error == "CopiesFailed"
    (message,) = mailbox()
    assert message["Subject"] == f"Snapferry: 2 of 3 databases not copied to {layout.DESTINATION_REGION}"
    text = message["Message"]
    assert "instance stock: CopyFailed\n" in text
    assert "cluster billing: CopyFailed\n" in text
    assert "orders" not in text
    executions = re.findall(r"https://\S+/details/(\S+)", text)
    assert executions[-1] == end.arn
    assert {runs.look(arn).error for arn in executions[:-1]} == {"CopyFailed"}


def test_a_run_that_cannot_list_the_databases_tells_so(cloud, runs, seed, mailbox):
    seed(fleet([instance("orders")]))
    cloud.simulator.add_fault(
        {"operation": "DescribeDBInstances", "action": {"error": {"code": "AccessDenied", "message": "no"}}}
    )
    end = runs.run()
    assert end.error == "AccessDenied"
    (message,) = mailbox()
    assert message["Subject"] == f"Snapferry: no database was copied to {layout.DESTINATION_REGION}"
    assert "AccessDenied: " in message["Message"]
    assert message["Message"].count(end.arn) == 1


def test_a_run_that_goes_well_and_a_mistyped_input_notify_nobody(runs, seed, mailbox):
    seed(fleet([instance("orders")]))
    assert runs.run().status == "SUCCEEDED"
    assert runs.run({"onyl": ["orders"]}).error == "BadInput"
    assert mailbox() == []


def test_the_run_of_an_event_and_a_dry_run_notify_nobody(cloud, runs, seed, mailbox):
    scenario = fleet([instance("stock", copies={"durationSeconds": 60, "failAtPercent": 55}), oracle("payroll", "tz")])
    scenario["regions"][layout.SOURCE_REGION]["optionGroups"] = [oracle_group("tz")]
    seed(scenario)
    (snapshot,) = cloud.client("rds").describe_db_snapshots(DBInstanceIdentifier="stock")["DBSnapshots"]
    event = {
        "detail-type": "RDS DB Snapshot Event",
        "detail": {
            "EventID": "RDS-EVENT-0091",
            "SourceArn": snapshot["DBSnapshotArn"],
            "SourceIdentifier": snapshot["DBSnapshotIdentifier"],
        },
    }
    assert runs.run(event).failure["counts"]["failed"] == 1
    # A dry run lists what would fail, and has not failed itself.
    asked = runs.run({"dryRun": True})
    assert asked.status == "SUCCEEDED", asked.cause
    assert [(one["id"], one["error"]) for one in asked.output["failures"]] == [("payroll", "OptionGroupMissing")]
    assert mailbox() == []


def test_an_alarm_is_told_to_the_same_topic(cloud, mailbox):
    forget_metrics(cloud)
    mailbox()
    now = datetime.now(timezone.utc)
    metrics.put(cloud, [Measurement("Snapferry", "OldestRecoveryPointAgeHours", "None", 99, (), now)])
    told = [json.loads(one["Message"]) for one in mailbox()]
    (alarm,) = [one for one in told if one["AlarmName"] == f"{layout.STACK}-recovery-point"]
    assert alarm["NewStateValue"] == "ALARM"
    assert "snapferry status" in alarm["AlarmDescription"]


# ---------------------------------------------------------------- dashboard and documents


def documented_metrics():
    """The metrics that the handbook lists."""
    section = OPERATIONS.read_text().split("## Metrics")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)`", section, re.MULTILINE)


def test_the_dashboard_is_deployed(cloud):
    name = f"{layout.STACK}-{layout.SOURCE_REGION}"
    body = json.loads(cloud.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    text = json.dumps(body)
    own = OPERATIONS.read_text().split("## Metrics")[1].split("\n### Metrics of the destination region")[0]
    for metric in re.findall(r"^\| `(\w+)`", own, re.MULTILINE):
        assert metric in text, metric
    assert "${" not in text


def test_the_queries_of_the_dashboard_name_fields_that_the_logs_have(cloud, runs, seed, began):
    seed(fleet([instance("orders"), instance("stock", copies={"durationSeconds": 60, "failAtPercent": 55})]))
    runs.run()
    name = f"{layout.STACK}-{layout.SOURCE_REGION}"
    body = json.loads(cloud.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    queries = [one["properties"]["query"] for one in body["widgets"] if one["type"] == "log"]
    assert len(queries) == 2
    rows = [flat(one) for one in metrics.records(cloud, since=began)]
    for query in queries:
        for group in re.findall(r"SOURCE '([^']+)'", query):
            assert cloud.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"], group
        for field in fields_of(query):
            assert any(field in row for row in rows), field
    failed = [row for row in rows if row.get("level") == "WARN" and row.get("error") == "CopyFailed"]
    assert {row["span.database"] for row in failed} == {"stock"}
