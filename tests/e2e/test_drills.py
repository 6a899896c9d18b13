"""Drills in the local cloud: the stack of the destination region as it is deployed, from start to proof."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from e2e.fleet import cluster, fleet, instance
from local_cloud import command_line, layout
from local_cloud.cloud import LocalCloud
from local_cloud.runs import Execution, Runs

Json = Any

pytestmark = pytest.mark.xdist_group("drills")


@pytest.fixture(scope="session")
def drilled_cloud(session_cloud: LocalCloud) -> LocalCloud:
    """The session's cloud with the stack of the destination region."""
    session_cloud.deploy_watch(DrillClusters="full")
    return session_cloud


@pytest.fixture
def drills(cloud: LocalCloud, drilled_cloud: LocalCloud) -> Runs:
    """The state machines of the drills."""
    assert cloud is drilled_cloud
    return cloud.runs(layout.WATCH_STACK, layout.DESTINATION_REGION)


@pytest.fixture
def copied(seed: Callable[[Json], dict[str, str]], runs: Runs) -> None:
    """An instance and a cluster with verified copies, and a subnet group for drills."""
    scenario = fleet([instance("orders")], [cluster("billing")])
    scenario["regions"][layout.DESTINATION_REGION]["subnetGroups"] = [{"name": "drills"}]
    seed(scenario)
    runs.run()


def start(drills: Runs, request: Json = None) -> str:
    """Starts drill-fleet."""
    return drills.start(request, machine(drills, "drill-fleet"))


def machine(drills: Runs, name: str) -> str:
    return drills.copy_fleet.replace("copy-fleet", name)


def ended(drills: Runs, arn: str) -> Execution:
    """An execution at its end."""
    return drills.wait(arn, seconds=240)


def child(drills: Runs) -> str:
    """The execution of drill-copy that is running."""
    arn = machine(drills, "drill-copy")

    def running() -> list[str]:
        found = drills.states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
        return [one["executionArn"] for one in found]

    return until(running)[0]


def until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """What a condition gives once it is met."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.2)
    return found


def sweep(cloud: LocalCloud) -> Json:
    """What the hourly rule asks for."""
    function = cloud.callers[f"{layout.WATCH_STACK}/EndRestoreFunction"].function
    answer = cloud.client("lambda", layout.DESTINATION_REGION).invoke(FunctionName=function, Payload=b'{"sweep": true}')
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())


def drill_databases(cloud: LocalCloud) -> list[str]:
    databases = cloud.simulator.state()["regions"][layout.DESTINATION_REGION]["databases"]
    return [one["id"] for one in databases if "-drill-" in one["id"]]


def proofs(cloud: LocalCloud) -> dict[str, Json]:
    """The last proof of each database, by its kind."""
    ssm = cloud.client("ssm", layout.DESTINATION_REGION)
    path = f"/snapferry/{layout.OWNER_ID}/{layout.SOURCE_REGION}/drills"
    found = ssm.get_parameters_by_path(Path=path)["Parameters"]
    return {one["Name"].rsplit("/", 1)[1].split("-")[0]: json.loads(one["Value"]) for one in found}


@pytest.mark.usefixtures("copied")
def test_a_drill_of_an_instance_and_of_a_cluster_goes_from_start_to_proof(cloud: LocalCloud, drills: Runs) -> None:
    run = ended(drills, start(drills))
    assert run.status == "SUCCEEDED", f"{run.error}: {run.cause}"
    assert run.output["counts"] == {"passed": 2, "failed": 0, "notRun": 0, "unsupported": 0}, json.dumps(run.output)
    assert run.output["left"] == []
    for kind, database in (("instance", "orders"), ("cluster", "billing")):
        proof = proofs(cloud)[kind]
        assert (proof["outcome"], proof["database"]) == ("passed", database)
        assert proof["minutes"] > 0
    assert drill_databases(cloud) == []
    # The operator sees the proofs, also where the source region does not answer.
    lost = command_line.run(
        cloud, "status", "--json", "--destination", layout.DESTINATION_REGION, "--owner", layout.OWNER_ID
    )
    databases = json.loads(lost.stdout)["databases"]
    assert {one["database"]: one["drill"]["outcome"] for one in databases} == {"orders": "passed", "billing": "passed"}


@pytest.mark.usefixtures("copied")
def test_a_copy_whose_key_is_disabled_fails_its_drill(cloud: LocalCloud, drills: Runs) -> None:
    cloud.simulator.set_key_state(layout.DESTINATION_REGION, layout.KEY_ARN, "Disabled")
    run = ended(drills, start(drills, {"only": ["orders"]}))
    assert (run.status, run.error) == ("FAILED", "DrillsFailed")
    assert proofs(cloud)["instance"]["outcome"] == "failed"
    assert "KMSKeyNotAccessibleFault" in proofs(cloud)["instance"]["reason"]
    assert drill_databases(cloud) == []


@pytest.mark.usefixtures("copied")
def test_a_run_tears_down_what_a_drill_that_was_stopped_by_hand_leaves(cloud: LocalCloud, drills: Runs) -> None:
    arn = start(drills, {"only": ["orders"]})
    stopped = child(drills)
    until(lambda: drill_databases(cloud))
    drills.states.stop_execution(executionArn=stopped)
    run = ended(drills, arn)
    assert run.output["counts"]["notRun"] == 1, json.dumps(run.output)
    assert drill_databases(cloud) == []


@pytest.mark.usefixtures("copied")
def test_the_sweep_deletes_what_a_run_that_was_stopped_by_hand_leaves(cloud: LocalCloud, drills: Runs) -> None:
    arn = start(drills, {"only": ["billing"]})
    stopped = child(drills)
    until(lambda: drill_databases(cloud))
    # While its execution runs, the sweep leaves it alone.
    assert sweep(cloud)["inUse"] >= 1
    for execution in (arn, stopped):
        drills.states.stop_execution(executionArn=execution)

    def swept() -> bool:
        sweep(cloud)
        return drill_databases(cloud) == []

    assert until(swept)
