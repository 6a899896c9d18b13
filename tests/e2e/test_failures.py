"""What fails, and how it is reported."""

from __future__ import annotations

import pytest

from e2e.fleet import by_hand, cluster, fleet, instance, old_copy, resource_id
from local_cloud import layout


def test_a_failing_copy_fails_the_run_and_names_the_database(runs, seed, counts, destination):
    bad = instance("ledger", copies={"durationSeconds": 60, "failAtPercent": 50})
    seed(fleet([instance("orders"), bad], [cluster("billing")]))
    run = runs.run({})
    assert run.status == "FAILED"
    assert run.error == "CopiesFailed"
    assert run.failure["summary"].startswith("1 of 3 databases were not copied: instance ledger (CopyFailed)")
    assert run.failure["counts"]["failed"] == 1
    assert run.failure["counts"]["copied"] == 2
    (failure,) = run.failure["failures"]
    (child,) = [one for one in runs.children(run.arn) if one.status == "FAILED"]
    assert failure["execution"] == child.name
    assert child.error == "CopyFailed"
    assert "The next run tries again" in child.cause
    assert len(destination.verified()) == 1


def test_a_failed_copy_is_tried_once_a_run_and_three_times_in_all(runs, seed, counts):
    bad = instance("ledger", copies={"durationSeconds": 60, "failAtPercent": 50})
    seed(fleet([instance("orders"), instance("catalog"), bad]))
    asked_for = []
    errors = []
    for _ in range(4):
        before = counts.copies_asked_for()
        run = runs.run({})
        assert run.error == "CopiesFailed"
        asked_for.append(counts.copies_asked_for() - before)
        errors.append(run.failure["failures"][0]["error"])
    assert asked_for == [3, 1, 1, 0]
    assert errors == ["CopyFailed", "CopyFailed", "CopyFailed", "AttemptsUsedUp"]


def test_the_second_attempt_may_succeed_and_the_failed_copy_goes(runs, seed, destination):
    flaky = instance("ledger", copies={"durationSeconds": 60, "failAtPercent": 50, "firstCopies": 1})
    seed(fleet([flaky]))
    assert runs.run({}).error == "CopiesFailed"
    run = runs.run({})
    assert run.status == "SUCCEEDED", run.cause
    (child,) = runs.children(run.arn)
    assert len(child.output["pruned"]["deleted"]) == 1
    (left,) = destination.snapshots().values()
    assert left["Tags"]["snapferry:attempt"] == "1"


def test_a_copy_that_is_not_what_was_asked_for_does_not_count(runs, seed, destination):
    seed(fleet([instance("ledger", copies={"durationSeconds": 60, "becomes": {"kmsKey": "alias/other"}})]))
    run = runs.run({})
    assert run.failure["failures"][0]["error"] == "CopyMismatch"
    assert destination.verified() == {}
    (copy,) = destination.snapshots().values()
    assert copy["Tags"]["snapferry:verified"] == "mismatch"


def test_a_copy_that_somebody_deletes_is_missed(runs, seed):
    seed(fleet([instance("ledger", copies={"durationSeconds": 60, "vanishAtPercent": 40})]))
    run = runs.run({})
    assert run.failure["failures"][0]["error"] == "CopyMissing"


def test_a_name_that_is_taken_by_somebody_else_is_left_alone(cloud, runs, seed, destination):
    """The copy's name is a function of its source, so a foreign snapshot can be put in its place beforehand."""
    seed(fleet([instance("ledger")]))
    assert runs.run({}).status == "SUCCEEDED"
    (name,) = destination.snapshots()
    (source,) = cloud.client("rds").describe_db_snapshots(SnapshotType="automated")["DBSnapshots"]
    scenario = fleet([instance("ledger")], destination=[by_hand(name, "ledger")])
    # The same snapshot as before, and thus the same name for its copy.
    scenario["regions"][layout.SOURCE_REGION]["instances"][0]["snapshots"] = [
        {
            "id": source["DBSnapshotIdentifier"],
            "createdAt": source["SnapshotCreateTime"].isoformat(),
            "type": "automated",
        }
    ]
    seed(scenario)
    run = runs.run({})
    assert run.failure["failures"][0]["error"] == "NameTaken"
    assert list(destination.snapshots()) == [name]


def test_a_full_quota_of_manual_snapshots_is_pruned_once_and_then_told(runs, seed, destination):
    """There is nothing of its own to prune, so the second try fails too, with what to do."""
    theirs = [by_hand(f"theirs-{n}", "other") for n in range(3)]
    seed(fleet([instance("orders")], destination=theirs, manualSnapshotQuota={"instances": 3, "clusters": 100}))
    run = runs.run({})
    assert run.failure["failures"][0]["error"] == "SnapshotQuotaFull"
    (child,) = runs.children(run.arn)
    assert "Delete manual snapshots" in child.cause
    assert len(destination.snapshots()) == 3


def test_a_full_quota_is_made_room_in_where_old_copies_can_go(runs, seed, destination):
    old = [old_copy("orders", age) for age in (27, 51, 75, 99)]
    seed(fleet([instance("orders")], destination=old, manualSnapshotQuota={"instances": 4, "clusters": 100}))
    run = runs.run({})
    assert run.status == "SUCCEEDED", run.cause
    (child,) = runs.children(run.arn)
    # One before the copy, to make room, and one after it, because three are kept.
    assert len(child.output["pruned"]["deleted"]) == 2
    assert len(destination.snapshots()) == 3


def test_a_database_that_was_copied_and_not_pruned_is_reported_as_that(cloud, runs, seed, destination):
    seed(fleet([instance("orders")], destination=[old_copy("orders", age) for age in (27, 51, 75)]))
    cloud.simulator.add_fault(
        {
            "operation": "DescribeDBSnapshots",
            "caller": cloud.caller("prune-old").access_key,
            "action": {"error": {"code": "AccessDenied", "message": "no", "status": 403}},
        }
    )
    run = runs.run({})
    assert run.status == "SUCCEEDED", run.cause
    assert (run.output["counts"]["copiedNotPruned"], run.output["counts"]["failed"]) == (1, 0)
    assert runs.outcomes(run.arn) == {"instance:orders": "copied, not pruned"}
    (child,) = runs.children(run.arn)
    assert child.output["warnings"] == ["PruneOld: AccessDenied"]
    assert len(destination.snapshots()) == 4
    # The next run prunes.
    cloud.simulator.clear_faults()
    assert runs.outcomes(runs.run({}).arn) == {"instance:orders": "current"}
    assert len(destination.snapshots()) == 3


BAD_REQUESTS = {
    "an unknown field": ({"onyl": ["orders"]}, "onyl"),
    "an unknown database": ({"only": ["odrers"]}, "only[0]"),
    "an unknown kind": ({"only": ["database:orders"]}, "only[0]"),
    "an empty list": ({"only": []}, "only"),
    "a list that is a text": ({"only": "orders"}, "only"),
    "a member of a cluster": ({"only": ["billing-1"]}, "only[0]"),
    "a dry run that is a text": ({"dryRun": "yes"}, "dryRun"),
    "an event of another kind": ({"detail-type": "RDS DB Instance Event", "detail": {}}, "detail-type"),
    "an event of another id": (
        {
            "detail-type": "RDS DB Snapshot Event",
            "detail": {"EventID": "RDS-EVENT-0042", "SourceIdentifier": "rds:orders-2026-11-22-05-00"},
        },
        "detail.EventID",
    ),
    "an event of another region": (
        {"detail-type": "RDS DB Snapshot Event", "region": "us-east-1", "detail": {"SourceIdentifier": "rds:x"}},
        "region",
    ),
    "an event without a snapshot": ({"detail-type": "RDS DB Snapshot Event", "detail": {}}, "detail.SourceIdentifier"),
    "a list": ([], "input"),
}


@pytest.mark.parametrize(("request_", "field"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_bad_request_is_refused_by_field_before_any_write(runs, seed, counts, request_, field):
    seed(fleet([instance("orders")], [cluster("billing", members=["billing-1"])]))
    run = runs.run(request_)
    assert run.status == "FAILED"
    assert run.error == "BadInput"
    assert field in run.cause.split(" ", 1)[0], run.cause
    # What is wrong, and then what would be right.
    assert len(run.cause.split(". ")) >= 2, run.cause
    assert counts.writes() == 0


def test_an_event_of_a_snapshot_that_is_gone_is_a_success_that_says_so(runs, seed, counts):
    seed(fleet([instance("orders")]))
    event = {
        "detail-type": "RDS DB Snapshot Event",
        "detail": {"EventID": "RDS-EVENT-0091", "SourceIdentifier": "rds:orders-2020-01-01-00-00"},
    }
    run = runs.run(event)
    assert run.status == "SUCCEEDED", run.cause
    (warning,) = run.output["warnings"]
    assert "rds:orders-2020-01-01-00-00" in warning
    assert counts.writes() == 0


GOOD_RULES = {"destinationRegion": layout.DESTINATION_REGION, "kmsKeyArn": layout.KEY_ARN, "keepCopies": 3}
BAD_TARGETS = {
    "another region": ({"rules": {**GOOD_RULES, "destinationRegion": "us-east-1"}}, "rules.destinationRegion"),
    "another key": ({"rules": {**GOOD_RULES, "kmsKeyArn": layout.KEY_ARN.replace("2222", "9999")}}, "rules.kmsKeyArn"),
    "an unknown field": ({"keep": 1}, "keep"),
    "an unknown kind": ({"kind": "table"}, "kind"),
}


@pytest.mark.parametrize(("change", "field"), BAD_TARGETS.values(), ids=BAD_TARGETS.keys())
def test_a_hand_made_copy_may_not_loosen_the_rules(runs, seed, counts, change, field):
    seed(fleet([instance("orders")], destination=[old_copy("orders", age) for age in (27, 51, 75)]))
    target = {"kind": "instance", "id": "orders", "resourceId": resource_id("instance", "orders"), **change}
    run = runs.wait(runs.start(target, machine=runs.copy_snapshot))
    assert run.status == "FAILED"
    assert run.error == "BadInput"
    assert field in run.cause, run.cause
    assert counts.writes() == 0


def test_a_hand_made_copy_that_asks_for_a_smaller_retention_gets_none(runs, seed, destination):
    """No safety lives in a payload: prune-old keeps what the stack asks for, whatever its input says."""
    copies = seed(fleet([instance("orders")], destination=[old_copy("orders", age) for age in (27, 51, 75)]))
    target = {
        "kind": "instance",
        "id": "orders",
        "resourceId": resource_id("instance", "orders"),
        "rules": {**GOOD_RULES, "keepCopies": 1},
    }
    run = runs.wait(runs.start(target, machine=runs.copy_snapshot))
    assert run.status == "SUCCEEDED", run.cause
    left = destination.snapshots().keys()
    assert len(left) == 3
    assert {copies["acme-orders-27h-old"], copies["acme-orders-51h-old"]} < left


def test_a_hand_made_copy_of_one_database_works(runs, seed, counts):
    seed(fleet([instance("orders")]))
    target = {"kind": "instance", "id": "orders", "resourceId": resource_id("instance", "orders"), "Comment": "by hand"}
    run = runs.wait(runs.start(target, machine=runs.copy_snapshot))
    assert run.status == "SUCCEEDED", run.cause
    assert run.output["outcome"] == "copied"
    assert counts.copies_asked_for() == 1
