"""The commands that `snapferry restore-command` prints, typed as they are printed."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.conftest import rules_stack
from local_cloud import command_line, layout, scenarios
from local_cloud.cloud import LocalCloud

PLACEHOLDERS = {
    "SUBNET_GROUP": "databases",
    "SECURITY_GROUP_IDS": "sg-0123456789abcdef0",
    "INSTANCE_CLASS": "db.r6g.large",
    "INSTANCE_PROFILE": "AWSRDSCustom",
}
"""What the reader of the commands has to fill in. The simulator takes any name where a scenario lists no groups."""


def restore(cloud: LocalCloud, stack: str, database: str, programs: Path) -> None:
    """Prints the commands for a database, fills them in, and has a shell run them with the AWS CLI."""
    printed = command_line.run(cloud, "restore-command", database, "--stack", stack)
    assert printed.returncode == 0, printed.stderr
    script = printed.stdout
    keys = cloud.simulator.state()["regions"][layout.DESTINATION_REGION]["kmsKeys"]
    usable = next(key["arn"] for key in keys if key["enabled"])
    for placeholder, value in {**PLACEHOLDERS, "KMS_KEY_ID": usable}.items():
        script = script.replace(placeholder, value)
    environment = command_line.environment(cloud)
    path = os.pathsep.join([str(programs), str(layout.ROOT / ".venv" / "bin"), environment["PATH"]])
    ended = subprocess.run(
        ["bash", "-eu", "-c", script],
        env={**environment, "PATH": path, "AWS_PAGER": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, f"{database}:\n{script}\n{ended.stdout[-2000:]}\n{ended.stderr}"


def restore_all(cloud: LocalCloud, stack: str, programs: Path) -> None:
    """Copies the demo's fleet, restores every database that has a copy, and judges what is there then."""
    # Waits of real minutes are of the real AWS.
    (programs / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.2\n")
    (programs / "sleep").chmod(0o755)
    cloud.set_scale(240)
    fleet = scenarios.read(layout.SCENARIOS / "demo.json")
    # Its region is too small for all of them, so that a drill lacks the quota.
    destination = fleet["regions"][layout.DESTINATION_REGION]
    del destination["databaseQuota"]
    destination["subnetGroups"].append({"name": "databases"})
    cloud.simulator.seed(fleet)
    runs = cloud.runs(stack)
    runs.wait(runs.start(), seconds=240)
    status = json.loads(command_line.run(cloud, "status", "--json", "--stack", stack).stdout)
    copied = [one for one in status["databases"] if one.get("copy") and one["state"] != "source-deleted"]
    names = [f"{one['kind']}:{one['database']}" for one in copied]
    assert len(names) >= 19, status

    cloud.set_scale(4000)
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda name: restore(cloud, stack, name, programs), names))

    state = cloud.simulator.state()["regions"][layout.DESTINATION_REGION]["databases"]
    there = {(one["kind"], one["id"]): one for one in state}
    for one in copied:
        restored = there[one["kind"], one["database"]]
        assert restored["tags"].get("snapferry:restored-from") == one["copy"], restored
    clusters = {one["database"] for one in copied if one["kind"] == "cluster"}
    assert {one["cluster"] for one in state if one.get("cluster")} == clusters, "each cluster has an instance"
    assert {one["status"] for one in state} <= {"available", "modifying"}, state


@pytest.mark.xdist_group("rules")
def test_the_printed_commands_leave_every_database_of_the_demo_available(cloud, tmp_path):
    """A13, N5: what a reader copies on the day of a disaster works, for each engine of the demo's fleet."""
    restore_all(cloud, rules_stack(cloud), tmp_path)
