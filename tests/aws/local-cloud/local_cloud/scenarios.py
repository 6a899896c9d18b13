"""A scenario, `NAME.json`, and what may stand beside it: `NAME.parameters.json`, `NAME.drills.json` and
`NAME.expected.json`.

A scenario is what the simulator is seeded with (`tests/aws/rds-simulator/src/scenario.rs`), but for copies that an
earlier run made. Those are written in short, `{"id": NAME, "copyOf": DATABASE, "age": 27, "requested": 26, "verified":
25.5}`, in hours; what is missing is that of the database, which has to be given for one that is gone. `id` is what
the files that stand beside the scenario call it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .copies import copy_of
from .report import Problem

Json = Any


class ScenarioError(Problem):
    """A file of a scenario cannot be read; the message says which."""


def read(scenario: Path) -> Json:
    """The fleet: what the simulator is seeded with."""
    fleet = _read(scenario)
    databases = {
        (kind, database["id"]): database
        for region in fleet["regions"].values()
        for kind in ("instance", "cluster")
        for database in region.get(f"{kind}s", [])
    }
    for region in fleet["regions"].values():
        if "snapshots" in region:
            region["snapshots"] = [_in_full(snapshot, databases) for snapshot in region["snapshots"]]
    return fleet


def _in_full(snapshot: Json, databases: Json) -> Json:
    """The snapshot as the simulator reads it."""
    # The simulator's own form, `"copyOf": {"attempt": 0}`, is an object.
    if not isinstance(snapshot.get("copyOf"), str):
        return snapshot
    given = {"kind": "instance", "verified": None, **snapshot}
    database = databases.get((given["kind"], given["copyOf"]), {})
    for name, theirs in (("resource_id", "resourceId"), ("engine", "engine"), ("allocatedStorage", "allocatedStorage")):
        if value := given.pop(theirs, database.get(theirs)):
            given[name] = value
    return copy_of(database=given.pop("copyOf"), **given)


def parameters(scenario: Path) -> dict[str, str]:
    """Parameters of the template that the fleet is made for; none if the scenario has no such file."""
    return _beside(scenario, "parameters") or {}


def drills(scenario: Path) -> Json | None:
    """What is drilled once the fleet is copied, if anything: the parameters of the destination stack, the key that is
    disabled before, and the outcome of each database and why."""
    return _beside(scenario, "drills")


def expectations(scenario: Path) -> Json | None:
    """What a run over the fleet should result in, if somebody has written that down."""
    return _beside(scenario, "expected")


def _beside(scenario: Path, what: str) -> Json | None:
    file = scenario.with_suffix(f".{what}.json")
    return _read(file) if file.exists() else None


def _read(file: Path) -> Json:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{file} cannot be read: {error}") from None
