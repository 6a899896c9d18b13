"""Drills in the local cloud: the stack of the destination region as it is deployed, from start to proof."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from e2e.fleet import cluster, fleet, instance
from e2e.lost_region import left_of
from e2e.test_command_line import AUDIT, DRILL_RUN, STATUS
from e2e.waiting import until
from local_cloud import command_line, layout
from local_cloud.cloud import LocalCloud
from local_cloud.drills import drill_databases, proofs
from local_cloud.runs import Execution, Runs

Json = Any

pytestmark = pytest.mark.xdist_group("drills")

SECONDS = 120
"""Until something of a drill has to have happened."""


@pytest.fixture
def copied(seed: Callable[[Json], dict[str, str]], runs: Runs) -> None:
    """An instance and a cluster with verified copies, and a subnet group for drills."""
    scenario = fleet([instance("orders")], [cluster("billing")])
    scenario["regions"][layout.DESTINATION_REGION]["subnetGroups"] = [{"name": "drills"}]
    seed(scenario)
    runs.run()


@pytest.fixture
def say(cloud: LocalCloud) -> Iterator[Callable[..., str]]:
    """Runs the program with every endpoint of the source region refusing connections. Returns what it writes."""
    endpoints = {"AWS_ENDPOINT_URL": cloud.endpoint}
    endpoints |= {f"AWS_ENDPOINT_URL_{service}": cloud.simulator.url for service in ("RDS", "KMS")}
    with left_of(cloud.endpoint, layout.DESTINATION_REGION) as most:
        with left_of(cloud.simulator.url, layout.DESTINATION_REGION) as simulator:
            left = {cloud.endpoint: most.url, cloud.simulator.url: simulator.url}
            environment = {**command_line.environment(cloud), **{name: left[url] for name, url in endpoints.items()}}

            def say(*arguments: str, expect: int = 0) -> str:
                said = subprocess.run(
                    [str(cloud.program), *arguments, "--destination", layout.DESTINATION_REGION],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=240,
                    check=False,
                )
                assert said.returncode == expect, said.stdout + said.stderr
                return said.stdout

            yield say
        assert most.refused + simulator.refused == [], "the source region was asked"


def invoke(cloud: LocalCloud, function: str, payload: Json) -> Json:
    """What a function of the destination stack answers."""
    name = cloud.callers[f"{layout.WATCH_STACK}/{function}Function"].function
    client = cloud.client("lambda", layout.DESTINATION_REGION)
    answer = client.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
    said = answer["Payload"].read()
    assert "FunctionError" not in answer, said
    return json.loads(said)


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

    return until(running, "the drill", SECONDS)[0]


def sweep(cloud: LocalCloud) -> Json:
    """What the hourly rule asks for."""
    return invoke(cloud, "EndRestore", {"sweep": True})


def last_proof(cloud: LocalCloud, kind: str, database: str) -> Json:
    """The last proof of a database. Other tests in this cloud have left theirs."""
    found = [
        proof for name, proof in proofs(cloud).items() if name.startswith(f"{kind}-") and proof["database"] == database
    ]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.usefixtures("copied")
def test_a_drill_of_an_instance_and_of_a_cluster_goes_from_start_to_proof(cloud: LocalCloud, drills: Runs) -> None:
    run = ended(drills, start(drills))
    assert run.status == "SUCCEEDED", f"{run.error}: {run.cause}"
    assert run.output["counts"] == {"passed": 2, "failed": 0, "notRun": 0, "unsupported": 0}, json.dumps(run.output)
    assert run.output["left"] == []
    for kind, database in (("instance", "orders"), ("cluster", "billing")):
        proof = last_proof(cloud, kind, database)
        assert (proof["outcome"], proof["database"]) == ("passed", database)
        assert proof["minutes"] > 0
    assert drill_databases(cloud) == []
    # The operator sees the proofs, also where the source region does not answer.
    lost = command_line.run(
        cloud, "status", "--json", "--destination", layout.DESTINATION_REGION, "--owner", layout.OWNER_ID
    )
    databases = json.loads(lost.stdout)["databases"]
    assert {one["database"]: one["drill"]["outcome"] for one in databases} == {"orders": "passed", "billing": "passed"}


@pytest.mark.usefixtures("copied", "drills")
def test_with_the_source_region_lost_the_watch_drills_and_every_command_of_that_day_work(
    cloud: LocalCloud, say: Callable[..., str], tmp_path: Path
) -> None:
    # The functions have no way around it either.
    cloud.simulator.add_fault({"operation": "*", "region": layout.SOURCE_REGION, "action": "dropReply"})
    owner = ["--owner", layout.OWNER_ID]
    watch = ["--watch-stack", layout.WATCH_STACK]
    started = json.loads(say("drill", "orders", "cluster:billing", "--json", *watch))
    jsonschema.validate(started, DRILL_RUN)
    run = json.loads(say("drill", f"--follow={started['run']}", "--json", *watch))
    jsonschema.validate(run, DRILL_RUN)
    assert run["counts"] == {"passed": 2, "failed": 0, "notRun": 0, "unsupported": 0}, run

    status = json.loads(say("status", "--json", *owner))
    jsonschema.validate(status, STATUS)
    assert {one["drill"]["outcome"] for one in status["databases"]} == {"passed"}

    audit = json.loads(say("audit", "--json", *owner, *watch))
    jsonschema.validate(audit, AUDIT)
    assert audit["executionsShown"] is False
    assert [note for note in audit["notes"] if "Executions of copies are not shown" in note]
    of_run = [one for one in audit["drills"]["entries"] if one.get("run") == run["run"]]
    assert {one["database"]: one["outcome"] for one in of_run} == {"orders": "passed", "billing": "passed"}
    for one in of_run:
        assert one["checked"] == ["description", "events"]
        assert one["gone"]
        assert one["goneAt"] > one["startedAt"]
        assert one["minutes"] > 0
        assert one["copy"]
        assert one["link"].endswith(one["execution"])
    assert audit["drills"]["notProved"] == []
    page = tmp_path / "audit.html"
    say("audit", "--html", str(page), *owner, *watch)
    assert of_run[0]["execution"] in page.read_text()

    assert "restore-db-instance-from-db-snapshot" in say("restore-command", "orders", *owner)
    planned = json.loads(say("restore-plan", "--json", *owner))
    assert {one["name"] for one in planned["databases"]} == {"orders", "cluster:billing"}
    assert invoke(cloud, "MeasureCopies", {}) is not None
    assert sweep(cloud)["overdue"] == []


@pytest.mark.usefixtures("copied")
def test_audit_has_the_evidence_of_a_drill_that_failed(cloud: LocalCloud, drills: Runs) -> None:
    cloud.simulator.set_key_state(layout.DESTINATION_REGION, layout.KEY_ARN, "Disabled")
    run = ended(drills, start(drills, {"only": ["orders"]}))
    cause = json.loads(run.cause)
    assert {"summary", "counts", "failures", "notRun", "left", "passedOver", "later", "warnings"} == set(cause)
    said = command_line.run(cloud, "audit", "--json", "--watch-stack", layout.WATCH_STACK)
    audit = json.loads(said.stdout)
    jsonschema.validate(audit, AUDIT)
    (drill,) = (one for one in audit["drills"]["entries"] if one["execution"] == cause["failures"][0]["execution"])
    assert (drill["outcome"], drill["gone"]) == ("failed", True)
    assert "KMSKeyNotAccessibleFault" in drill["reason"]
    # That is in the last state of the execution's history only.
    assert drill["goneAt"]
    assert "drill-failed" in {one["kind"] for one in audit["exceptions"]}


@pytest.mark.usefixtures("copied")
def test_a_copy_whose_key_is_disabled_fails_its_drill(cloud: LocalCloud, drills: Runs) -> None:
    cloud.simulator.set_key_state(layout.DESTINATION_REGION, layout.KEY_ARN, "Disabled")
    run = ended(drills, start(drills, {"only": ["orders"]}))
    assert (run.status, run.error) == ("FAILED", "DrillsFailed")
    proof = last_proof(cloud, "instance", "orders")
    assert proof["outcome"] == "failed"
    assert "KMSKeyNotAccessibleFault" in proof["reason"]
    assert drill_databases(cloud) == []


@pytest.mark.usefixtures("copied")
def test_a_run_tears_down_what_a_drill_that_was_stopped_by_hand_leaves(cloud: LocalCloud, drills: Runs) -> None:
    arn = start(drills, {"only": ["orders"]})
    stopped = child(drills)
    until(lambda: drill_databases(cloud), "the restore", SECONDS)
    drills.states.stop_execution(executionArn=stopped)
    run = ended(drills, arn)
    assert run.output["counts"]["notRun"] == 1, json.dumps(run.output)
    assert drill_databases(cloud) == []


@pytest.mark.usefixtures("copied")
def test_the_sweep_deletes_what_a_run_that_was_stopped_by_hand_leaves(cloud: LocalCloud, drills: Runs) -> None:
    arn = start(drills, {"only": ["billing"]})
    stopped = child(drills)
    until(lambda: drill_databases(cloud), "the restore", SECONDS)
    # While its execution runs, the sweep leaves it alone.
    assert sweep(cloud)["inUse"] >= 1
    for execution in (arn, stopped):
        drills.states.stop_execution(executionArn=execution)

    def swept() -> bool:
        sweep(cloud)
        return drill_databases(cloud) == []

    assert until(swept, "the end of what was restored", SECONDS)
