"""More databases than slots, more than a page, and more than anybody has; and a copy that takes long."""

from __future__ import annotations

import json

import pytest

from e2e.fleet import cluster, fleet, instance
from local_cloud.audit import plan

# Their stack is deployed once, by the worker that runs these.
pages = pytest.mark.xdist_group("pages")


def test_sixty_databases_of_each_kind_queue_for_the_slots_and_all_are_copied_once(
    cloud, runs, seed, counts, destination
):
    """Two runs at once, so that they also race for each copy."""
    # Long enough that the slots are all taken before the first is free again.
    instances = [instance(f"db-{n:02}", copies={"durationSeconds": 600}) for n in range(60)]
    clusters = [cluster(f"cl-{n:02}", copies={"durationSeconds": 150}) for n in range(60)]
    seed(fleet(instances, clusters))
    both = [runs.start({}), runs.start({})]
    for run in both:
        assert runs.wait(run, seconds=180).status == "SUCCEEDED", runs.look(run).cause
    for kind, slots in (("instance", 20), ("cluster", 5)):
        copies = counts.of_copies(kind)
        assert copies["started"] == copies["completed"] == 60
        assert copies["peakInFlight"] == copies["slots"] == slots
        verified = destination.verified(kind)
        assert len(verified) == 60
        assert set(verified.values()) == {1}
        assert counts.calls({"instance": "CopyDBSnapshot", "cluster": "CopyDBClusterSnapshot"}[kind]) > 60
    assert counts.refusals()["slots"] > 0


@pages
def test_a_fleet_of_several_pages_is_copied_whole(cloud, seed, counts, destination):
    small = cloud.stack_with("pages", PageSize="4")
    runs = cloud.runs(small)
    seed(fleet([instance(f"db-{n:02}") for n in range(11)], [cluster(f"cl-{n}") for n in range(6)]))
    run = runs.run({})
    assert run.status == "SUCCEEDED", run.cause
    assert run.output["counts"]["copied"] == 17
    pages = runs.pages(run.arn)
    assert len(pages) >= 4
    assert all(page.name.startswith(run.name[:70]) for page in pages)
    for page in [run, *pages]:
        answer = plan(runs, page.arn)
        assert len(answer["instances"]) + len(answer["clusters"]) <= 4
    assert counts.of_copies("instance")["started"] == 11
    assert counts.of_copies("cluster")["started"] == 6
    assert set(destination.verified().values()) == {1}


@pages
def test_a_failure_on_a_later_page_fails_the_run(cloud, seed):
    small = cloud.stack_with("pages", PageSize="4")
    runs = cloud.runs(small)
    bad = {"durationSeconds": 60, "failAtPercent": 50}
    databases = [instance(f"db-{n:02}") for n in range(9)]
    # Pages follow the resource id: the last of them is on the last page.
    last = max(databases, key=lambda database: database["resourceId"])
    last["copies"] = bad
    seed(fleet(databases))
    run = runs.run({})
    assert run.error == "CopiesFailed"
    assert f"instance {last['id']} (CopyFailed)" in run.failure["summary"]
    assert run.failure["counts"] == {**run.failure["counts"], "copied": 8, "failed": 1}


@pages
def test_only_is_kept_on_later_pages(cloud, seed, counts):
    small = cloud.stack_with("pages", PageSize="4")
    runs = cloud.runs(small)
    seed(fleet([instance(f"db-{n:02}") for n in range(12)]))
    chosen = [f"db-{n:02}" for n in range(0, 12, 2)]
    run = runs.run({"only": chosen})
    assert run.output["counts"]["copied"] == 6, run.cause
    assert counts.of_copies()["started"] == 6


def test_a_page_of_500_failing_databases_stays_small(cloud, runs, seed):
    """The largest page, the longest names, and every one of them a failure with a long message."""
    names = [f"{'a-database-with-a-name-as-long-as-rds-allows-'}{n:04}".ljust(63, "x") for n in range(500)]
    assert {len(name) for name in names} == {63}
    seed(fleet([instance(name) for name in names]))
    message = "Something that takes many words to say. " * 20
    cloud.simulator.add_fault(
        {"operation": "CopyDBSnapshot", "action": {"error": {"code": "InvalidParameterValue", "message": message}}}
    )
    run = runs.run({}, seconds=300)
    assert run.error == "CopiesFailed"
    assert run.failure["counts"]["failed"] == 500
    assert len(run.failure["failures"]) == 20
    assert len(run.cause.encode()) <= 32_768
    sizes = {f"{what} of {state}": size for state, what, size in payloads(runs.history(run.arn))}
    largest = max(sizes, key=sizes.__getitem__)
    print(f"the largest of {len(sizes)} payloads: {largest}, {sizes[largest]} bytes")
    assert sizes[largest] < 200 * 1024
    # MiniStack's history has no events for what happens inside a Map: the results that it gathers are checked too.
    records = [
        json.dumps(
            {
                "outcome": "failed",
                "kind": "instance",
                "id": child.input["id"],
                "error": child.error,
                "execution": child.name,
            }
        )
        for child in runs.children(run.arn)
    ]
    assert len(records) == 500
    assert max(len(record) for record in records) <= 300
    assert sum(len(record) + 1 for record in records) < 200 * 1024


def payloads(history):
    """State, direction and size in bytes of everything that a history holds as input or output."""
    state = ""
    for event in history:
        for details in event.values():
            if not isinstance(details, dict):
                continue
            state = details.get("name", state)
            for what in ("input", "output", "cause"):
                if what in details:
                    yield state, what, len(details[what].encode())


def test_a_copy_of_two_hours_is_noticed_in_time_with_few_polls(cloud, runs, seed, destination):
    """Two hours are 20 s here. The lag is measured against the moment at which the simulator was done."""
    scale = 360.0
    cloud.set_scale(scale)
    seconds = 7200
    seed(fleet([instance("analytics", copies={"durationSeconds": seconds})]))
    run = runs.run({}, seconds=180)
    assert run.status == "SUCCEEDED", run.cause
    (child,) = runs.children(run.arn)
    wait = child.output["wait"]
    assert wait["polls"] <= 50
    took = (child.stopped - child.started).total_seconds() * scale
    lag = took - seconds
    print(f"{wait['polls']} looks, noticed after {took:.0f} s of {seconds} s, lag {lag:.0f} s")
    # What MiniStack and the functions need themselves counts 360 times here: a second is allowed for the last step.
    assert lag <= max(30, seconds * 0.1) + 1.0 * scale
