"""How many calls of RDS and KMS a run makes for each database, by the function that makes them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from bench.measures import hosting, worlds
from bench.measures.runtime_api import Function
from bench.table import table
from local_cloud import layout
from local_cloud.simulator import Simulator

Json = Any

FLEETS = (1, 100, 500)
CLUSTERS = 0.2
"""Of all databases."""


def section(binaries: dict[str, Path], rds: Simulator, folder: Path) -> str:
    """Two runs over each fleet: one that copies every database, and one that finds every copy there."""
    rows = []
    for size in FLEETS:
        with contextlib.ExitStack() as running:
            functions = {
                # Each function has a key of its own, by which the simulator counts its calls.
                name: running.enter_context(
                    Function(
                        binary,
                        hosting.settings(rds) | {"AWS_ACCESS_KEY_ID": f"bench-{name}"},
                        folder / f"{name}.log",
                    )
                )
                for name, binary in binaries.items()
                if name in layout.FUNCTIONS
            }
            rds.seed(_fleet(size))
            rds.end_copies_at_once()
            for what in ("every database is copied", "every copy is there"):
                before = _counted(rds)
                polls = _run(functions, size)
                after = _counted(rds)
                made = {name: after.get(name, 0) - before.get(name, 0) for name in functions}
                rows.append(
                    [
                        f"{size:,}",
                        what,
                        *(_per_database(name, made[name], size) for name in functions),
                        f"{sum(made.values()) / size:.2f}",
                        f"{polls / size:.2f}",
                        f"{functions['list-targets'].peak_memory_bytes() / 2**20:.1f}",
                    ]
                )
    names = [name if name == "list-targets" else f"{name}, per database" for name in layout.FUNCTIONS]
    return (
        "## Calls of a run\n\n"
        f"Calls of RDS and KMS, counted by the simulator, of runs over fleets with {CLUSTERS:.0%} clusters and "
        f"{len(worlds.TEAM_TAGS)} tags on each database. Copies end at once, so that one poll finds each complete; a "
        "longer copy adds one call per poll (see below). The first column of calls is of the whole run, the next ones "
        "are for each database.\n\n"
        + table(
            ["databases", "run", *names, "all, per database", "polls", "list-targets, MiB"],
            rows,
            left=2,
        )
    )


def _per_database(name: str, made: int, size: int) -> str:
    return str(made) if name == "list-targets" else f"{made / size:.2f}"


def _fleet(size: int) -> Json:
    clusters = round(size * CLUSTERS)
    snapshots = {"snapshots": [{"ageHours": 1}, {"ageHours": 25}]}
    return worlds.scenario(
        instances=[worlds.database("instance", f"instance-{at:03}") | snapshots for at in range(size - clusters)],
        clusters=[worlds.database("cluster", f"cluster-{at:03}") | snapshots for at in range(clusters)],
    )


def _run(functions: dict[str, Function], size: int) -> int:
    """A run, database after database. Returns how many polls its copies took."""
    plan = (
        functions["list-targets"].invoke({"request": {}, "run": {"execution": "nightly", "arn": "arn:nightly"}}).output
    )
    targets = plan["instances"] + plan["clusters"]
    assert len(targets) == size, len(targets)
    polls = 0
    for target in targets:
        payload = functions["find-latest-snapshot"].invoke(target).output
        if payload["decision"] == "copy":
            payload = functions["start-copy"].invoke(payload).output
            while payload.get("status", {}).get("state") != "verified":
                payload = functions["check-copy-status"].invoke(payload).output
                polls += 1
        functions["prune-old"].invoke(payload)
    return polls


def _counted(rds: Simulator) -> dict[str, int]:
    return {
        key.removeprefix("bench-"): sum(operations.values()) for key, operations in rds.counters()["callers"].items()
    }
