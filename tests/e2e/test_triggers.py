"""What starts a run: the schedule, an RDS event, a hand-made input."""

from __future__ import annotations

import json
import time

import pytest

from e2e.fleet import cluster, fleet, instance
from local_cloud import layout
from local_cloud.runs import TookTooLong


def deployed_rule(cloud, logical_id):
    """A deployed EventBridge rule, and its one target."""
    stack = cloud.client("cloudformation")
    name = stack.describe_stack_resource(StackName=layout.STACK, LogicalResourceId=logical_id)["StackResourceDetail"]
    events = cloud.client("events")
    rule = events.describe_rule(Name=name["PhysicalResourceId"])
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    return rule, target


def snapshot_name(cloud, kind, database):
    """The name of a database's only automated snapshot, which follows from its age."""
    rds = cloud.client("rds")
    if kind == "instance":
        (snapshot,) = rds.describe_db_snapshots(DBInstanceIdentifier=database)["DBSnapshots"]
        return snapshot["DBSnapshotIdentifier"], snapshot["DBSnapshotArn"]
    (snapshot,) = rds.describe_db_cluster_snapshots(DBClusterIdentifier=database)["DBClusterSnapshots"]
    return snapshot["DBClusterSnapshotIdentifier"], snapshot["DBClusterSnapshotArn"]


def rds_event(name, arn, kind="instance", event_id=None, **more):
    """An entry for PutEvents as RDS would send it, but for its source, which no caller may use."""
    of_instance = kind == "instance"
    return {
        "Source": layout.EVENT_SOURCE,
        "DetailType": "RDS DB Snapshot Event" if of_instance else "RDS DB Cluster Snapshot Event",
        "Resources": [arn],
        "Detail": json.dumps(
            {
                "EventCategories": ["creation" if of_instance else "backup"],
                "SourceType": "SNAPSHOT" if of_instance else "CLUSTER_SNAPSHOT",
                "SourceArn": arn,
                "Date": "2026-11-22T05:00:00.000Z",
                "SourceIdentifier": name,
                "Message": "Automated snapshot created" if of_instance else "Automated cluster snapshot created",
                "EventID": event_id or ("RDS-EVENT-0091" if of_instance else "RDS-EVENT-0169"),
                **more,
            }
        ),
    }


def new_runs(runs, known):
    """Runs of copy-fleet that were not there before."""
    return [
        one["executionArn"]
        for one in runs.states.list_executions(stateMachineArn=runs.copy_fleet)["executions"]
        if one["executionArn"] not in known
    ]


def send(cloud, runs, *entries):
    """Puts events on the bus and waits for the one run that the deployed rule starts."""
    known = new_runs(runs, ())
    answer = cloud.client("events").put_events(Entries=list(entries))
    assert answer["FailedEntryCount"] == 0, answer
    deadline = time.monotonic() + 10
    while not (started := new_runs(runs, known)):
        if time.monotonic() > deadline:
            raise TookTooLong("the rule started no run")
        time.sleep(0.05)
    (run,) = started
    return runs.wait(run)


def test_the_schedule_copies_everything(cloud, runs, seed, destination):
    seed(fleet([instance("orders"), instance("catalog")], [cluster("billing")]))
    rule, target = deployed_rule(cloud, "ScheduleRule")
    assert rule["ScheduleExpression"] == cloud.parameters["ScheduleExpression"]
    assert rule["State"] == "ENABLED"
    assert target["Arn"] == runs.copy_fleet
    # As EventBridge would: the target that was deployed, with the input that was deployed.
    run = runs.wait(runs.start(json.loads(target["Input"]), machine=target["Arn"]))
    assert run.status == "SUCCEEDED", run.cause
    assert run.output["counts"]["copied"] == 3
    assert len(destination.verified()) == 2
    assert len(destination.verified("cluster")) == 1


def test_the_bare_event_of_a_schedule_copies_everything_too(runs, seed):
    seed(fleet([instance("orders")]))
    event = {
        "version": "0",
        "id": "89d1a02d-5ec7-412e-82f5-13505f849b41",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": layout.ACCOUNT,
        "time": "2026-11-22T05:00:00Z",
        "region": layout.SOURCE_REGION,
        "resources": [f"arn:aws:events:{layout.SOURCE_REGION}:{layout.ACCOUNT}:rule/nightly"],
        "detail": {},
    }
    run = runs.run(event)
    assert run.output["counts"]["copied"] == 1, run.cause


@pytest.mark.parametrize("kind", ["instance", "cluster"])
def test_an_rds_event_copies_the_one_database(cloud, runs, seed, kind):
    seed(fleet([instance("orders"), instance("catalog")], [cluster("billing"), cluster("storefront")]))
    database = {"instance": "orders", "cluster": "billing"}[kind]
    name, arn = snapshot_name(cloud, kind, database)
    run = send(cloud, runs, rds_event(name, arn, kind))
    assert run.status == "SUCCEEDED", run.cause
    assert runs.outcomes(run.arn) == {f"{kind}:{database}": "copied"}


def test_other_rds_events_start_nothing(cloud, runs, seed, counts):
    seed(fleet([instance("orders")]))
    name, arn = snapshot_name(cloud, "instance", "orders")
    known = new_runs(runs, ())
    others = [rds_event(name, arn, event_id=event) for event in ("RDS-EVENT-0090", "RDS-EVENT-0042", "RDS-EVENT-0060")]
    cloud.client("events").put_events(Entries=others)
    # The rule delivers in order, so once an event that counts has been delivered the others have been judged.
    run = send(cloud, runs, rds_event(name, arn))
    assert run.status == "SUCCEEDED"
    assert len(new_runs(runs, known)) == 1
    assert counts.copies_asked_for() == 1


def test_by_hand_nothing_means_everything(runs, seed):
    seed(fleet([instance("orders")], [cluster("billing")]))
    run = runs.run({})
    assert run.output["counts"]["copied"] == 2, run.cause
    assert runs.outcomes(run.arn) == {"instance:orders": "copied", "cluster:billing": "copied"}


def test_only_copies_those_that_are_named(runs, seed):
    seed(fleet([instance("orders"), instance("catalog"), instance("billing")], [cluster("storefront")]))
    run = runs.run({"only": ["orders", "cluster:storefront"], "Comment": "after the incident"})
    assert run.status == "SUCCEEDED", run.cause
    assert runs.outcomes(run.arn) == {"instance:orders": "copied", "cluster:storefront": "copied"}


def test_a_dry_run_changes_nothing_and_says_what_it_would_do(runs, seed, counts):
    seed(fleet([instance("orders")], [cluster("billing")]))
    run = runs.run({"dryRun": True})
    assert run.status == "SUCCEEDED", run.cause
    assert run.output["dryRun"] is True
    assert run.output["counts"]["planned"] == 2
    assert counts.writes() == 0
    for child in runs.all_children(run.arn):
        assert child.output["outcome"] == "planned"
        assert child.output["source"]["id"].startswith("rds:")
        assert child.output["pruned"]["dryRun"] is True


def test_members_of_a_cluster_are_not_copied_as_instances(runs, seed):
    seed(fleet([instance("orders")], [cluster("billing", members=3)]))
    run = runs.run({})
    assert runs.outcomes(run.arn) == {"instance:orders": "copied", "cluster:billing": "copied"}


def test_what_is_left_out_is_in_the_summary(runs, seed):
    seed(fleet([instance("orders"), instance("scratch", tags={"snapferry:copy": "false"})]))
    run = runs.run({})
    assert run.output["leftOut"]["count"] == 1
    (left_out,) = run.output["leftOut"]["first"]
    assert left_out["id"] == "scratch"
    assert "snapferry:copy" in left_out["reason"]
    assert runs.outcomes(run.arn) == {"instance:orders": "copied"}
