"""How long `snapferry estimate` takes for a large fleet, where each call takes as long as a call of AWS."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.measures import hosting, worlds
from bench.table import table
from local_cloud import layout
from local_cloud.simulator import Simulator

Json = Any

DATABASES = 1_000
CLUSTERS = 0.2
"""Of all databases."""

SECONDS_PER_CALL = 0.03
MAX_SECONDS = 5.0

NO_STACK = (
    b'<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>'
    b"<Code>ValidationError</Code><Message>Stack with id none does not exist</Message></Error></ErrorResponse>"
)


def section(command_line: Path, rds: Simulator) -> str:
    """Estimates with one snapshot per database, with a week of them, and with as many as RDS keeps."""
    rows = []
    with hosting.answering(400, "text/xml", NO_STACK) as cloudformation:
        for days in (1, 7, 35):
            rds.seed(_fleet(days))
            at_once, processor = _estimate(command_line, rds, cloudformation)
            calls = _calls(rds)
            rds.add_fault({"action": {"delaySeconds": SECONDS_PER_CALL}})
            delayed, _ = _estimate(command_line, rds, cloudformation)
            # What the simulator takes for an answer is in both, and no part of it.
            took = max(0.0, delayed - at_once) + processor
            verdict = "met" if took <= MAX_SECONDS else f"missed ({MAX_SECONDS:.0f} s)"
            rows.append([str(days), str(calls), f"{delayed - at_once:.2f}", f"{processor:.2f}", f"{took:.2f}", verdict])
    rds.clear_faults()
    return (
        "## Estimates\n\n"
        f"`snapferry estimate` before the first copy of {DATABASES:,} databases, {CLUSTERS:.0%} of them clusters, with "
        f"{len(worlds.TEAM_TAGS)} tags each. It runs twice, the second time with {SECONDS_PER_CALL * 1000:.0f} ms more "
        "for each call of RDS: what that adds, and the time of the processor, are what it takes with AWS. Goal: "
        f"{MAX_SECONDS:.0f} s.\n\n"
        + table(["snapshots of each database", "calls of RDS", "added, s", "processor, s", "together, s", "goal"], rows)
    )


def _fleet(days: int) -> Json:
    clusters = round(DATABASES * CLUSTERS)
    snapshots = {"snapshots": [{"ageHours": 1 + 24 * day} for day in range(days)]}
    return worlds.scenario(
        instances=[worlds.database("instance", f"instance-{at:03}") | snapshots for at in range(DATABASES - clusters)],
        clusters=[worlds.database("cluster", f"cluster-{at:03}") | snapshots for at in range(clusters)],
    )


def _estimate(command_line: Path, rds: Simulator, cloudformation: str) -> tuple[float, float]:
    """One estimate. Returns its seconds, and those of the processor."""
    settings = {name: value for name, value in hosting.settings(rds).items() if name.startswith("AWS_")}
    arguments = ["estimate", "--stack", "none", "--destination-region", layout.DESTINATION_REGION, "--json"]
    began, before = time.monotonic(), _processor()
    said = subprocess.run(
        [str(command_line), *arguments],
        env=layout.clean_environment(settings | {"AWS_ENDPOINT_URL_CLOUDFORMATION": cloudformation}),
        capture_output=True,
        text=True,
        check=False,
    )
    took, processor = time.monotonic() - began, _processor() - before
    assert said.returncode == 0, said.stdout + said.stderr
    found = json.loads(said.stdout)["databases"]
    assert len(found) == DATABASES, len(found)
    return took, processor


def _processor() -> float:
    """Seconds of the processor, of all processes that were started here and have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def _calls(rds: Simulator) -> int:
    return sum(sum(operations.values()) for operations in rds.counters()["callers"].values())
