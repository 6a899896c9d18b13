"""A scenario, `NAME.json`, and what may stand beside it: `NAME.parameters.json` and `NAME.expected.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Json = Any


class ScenarioError(Exception):
    """A file of a scenario cannot be read; the message says which."""


def read(scenario: Path) -> Json:
    """The fleet: what the simulator is seeded with."""
    try:
        return json.loads(scenario.read_text())
    except (OSError, ValueError) as error:
        raise ScenarioError(f"the scenario {scenario} cannot be read: {error}") from None


def parameters(scenario: Path) -> dict[str, str]:
    """Parameters of the template that the fleet is made for; none if the scenario has no such file."""
    return _beside(scenario, "parameters") or {}


def expectations(scenario: Path) -> Json | None:
    """What a run over the fleet should come to, if somebody has written that down."""
    return _beside(scenario, "expected")


def _beside(scenario: Path, what: str) -> Json | None:
    file = scenario.with_suffix(f".{what}.json")
    return read(file) if file.exists() else None
