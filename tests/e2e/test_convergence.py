"""Whatever runs twice, at once or was cut off: nothing is copied twice, and a later run finishes the work."""

from __future__ import annotations

import time

import pytest

from e2e.fleet import cluster, fleet, instance, old_copy
from local_cloud import layout


def test_a_run_right_after_a_good_one_asks_for_no_copy(runs, seed, counts):
    seed(fleet([instance("orders"), instance("catalog")], [cluster("billing")]))
    assert runs.run({}).status == "SUCCEEDED"
    assert counts.copies_asked_for() == 3
    again = runs.run({})
    assert again.output["counts"]["current"] == 3, again.cause
    assert counts.copies_asked_for() == 3


def test_two_runs_at_once_copy_nothing_twice(runs, seed, counts, destination):
    seed(fleet([instance(f"db-{n:02}") for n in range(12)], [cluster(f"cl-{n}") for n in range(4)]))
    both = [runs.start({}), runs.start({})]
    for run in both:
        assert runs.wait(run).status == "SUCCEEDED", runs.look(run).cause
    assert counts.of_copies("instance")["started"] == 12
    assert counts.of_copies("cluster")["started"] == 4
    assert set(destination.verified().values()) == {1}
    assert len(destination.verified()) == 12
    assert len(destination.verified("cluster")) == 4


def test_two_stacks_in_opposite_directions_do_not_feed_each_other(cloud, runs, seed, destination):
    """Each copies the other region's databases, never the other's copies; twice, so that copies could be seen."""
    there, here = layout.DESTINATION_REGION, layout.SOURCE_REGION
    back = f"{layout.STACK}-back"
    key = f"arn:aws:kms:{here}:{layout.ACCOUNT}:key/11111111-1111-4111-8111-111111111111"
    cloud.deploy(
        back,
        {
            **cloud.parameters,
            "DestinationRegion": here,
            "DestinationKmsKey": key,
            # A manual snapshot is what the other stack's copies look like.
            "IncludeManualSnapshots": "true",
        },
        region=there,
    )
    scenario = fleet([instance("orders"), instance("catalog")], [cluster("billing")])
    scenario["regions"][there]["instances"] = [instance("munich", kmsKey="alias/copies")]
    scenario["regions"][there]["clusters"] = [cluster("bonn", kmsKey="alias/copies")]
    seed(scenario)
    backwards = cloud.runs(back, region=there)
    for _ in range(2):
        running = [(runs, runs.start({})), (backwards, backwards.start({}))]
        for machines, run in running:
            assert machines.wait(run).status == "SUCCEEDED", machines.look(run).cause
    copies = cloud.simulator.counters()["copies"]
    assert copies[there]["instances"]["started"] == 2
    assert copies[there]["clusters"]["started"] == 1
    assert copies[here]["instances"]["started"] == 1
    assert copies[here]["clusters"]["started"] == 1


def test_a_run_cut_off_before_a_copy_is_verified_is_finished_by_the_next(cloud, runs, seed, counts, destination):
    seed(fleet([instance("orders")]))
    # The copy is available, and the tag that says it was verified is asked for; nobody ever hears the answer.
    hold = cloud.simulator.add_hold("AddTagsToResource", region=layout.DESTINATION_REGION)
    run = runs.start({})
    cloud.simulator.wait_until_held(hold)
    cloud.cut_off(run, "check-copy-status")
    cloud.simulator.release(hold)

    following = runs.run({})
    assert following.status == "SUCCEEDED", following.cause
    assert counts.copies_asked_for() == 1
    assert list(destination.verified().values()) == [1]


def test_a_run_cut_off_before_the_tag_is_written_is_finished_by_the_next(cloud, runs, seed, counts, destination):
    """The same a moment earlier: the copy is available, but its verification was never recorded."""
    seed(fleet([instance("orders")]))
    run = runs.start({})
    _until(destination.snapshots, "the copy was asked for")
    # No look at the copy gets an answer from now on.
    hold = cloud.simulator.add_hold("DescribeDBSnapshots", caller=cloud.caller("check-copy-status").access_key)
    _until(lambda: [one for one in destination.snapshots().values() if one["Status"] == "available"], "it is available")
    cloud.simulator.wait_until_held(hold)
    cloud.cut_off(run, "check-copy-status")
    cloud.simulator.release(hold)
    assert destination.verified() == {}

    following = runs.run({})
    assert following.status == "SUCCEEDED", following.cause
    (again,) = runs.children(following.arn)
    assert again.output["decision"] == "join"
    assert counts.copies_asked_for() == 1
    assert list(destination.verified().values()) == [1]


def test_a_run_cut_off_in_the_middle_of_pruning_is_finished_by_the_next(cloud, runs, seed, counts, destination):
    old = [old_copy("orders", age) for age in (27, 51, 75, 99, 123)]
    copies = seed(fleet([instance("orders")], destination=old))
    # Three of the five are too many. The first is deleted, and the function dies before it hears of it.
    hold = cloud.simulator.add_hold("DeleteDBSnapshot")
    run = runs.start({})
    cloud.simulator.wait_until_held(hold)
    cloud.cut_off(run, "prune-old")
    cloud.simulator.release(hold)
    assert len(destination.snapshots()) == 5  # Six less one.

    following = runs.run({})
    assert following.output["counts"]["current"] == 1, following.cause
    assert counts.copies_asked_for() == 1
    left = destination.snapshots()
    assert len(left) == 3
    assert copies[f"{layout.OWNER_ID}-orders-27h-old"] in left
    assert copies[f"{layout.OWNER_ID}-orders-51h-old"] in left


@pytest.mark.parametrize("operation", ["CopyDBSnapshot", "AddTagsToResource"])
def test_a_reply_that_gets_lost_is_harmless(cloud, runs, seed, counts, destination, operation):
    seed(fleet([instance("orders")]))
    cloud.simulator.add_fault({"operation": operation, "times": 1, "action": "dropReply"})
    run = runs.run({})
    assert run.status == "SUCCEEDED", run.cause
    assert counts.of_copies()["started"] == 1
    assert list(destination.verified().values()) == [1]


def test_a_function_that_crashes_is_started_again(cloud, runs, seed, counts, destination):
    seed(fleet([instance("orders")]))
    with cloud.simulator.hold("CopyDBSnapshot") as hold:
        run = runs.start({})
        cloud.simulator.wait_until_held(hold)
        assert cloud.kill_function("start-copy") >= 1
    assert runs.wait(run).status == "SUCCEEDED", runs.look(run).cause
    assert counts.of_copies()["started"] == 1
    assert list(destination.verified().values()) == [1]


def test_throttled_calls_are_tried_again(cloud, runs, seed):
    seed(fleet([instance("orders")], [cluster("billing")]))
    for operation in ("Describe*", "Copy*", "AddTags*"):
        # The SDK tries three times on its own; this is more than it gets through.
        cloud.simulator.add_fault({"operation": operation, "times": 4, "action": "throttle"})
    run = runs.run({})
    assert run.status == "SUCCEEDED", run.cause


def _until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.05)
