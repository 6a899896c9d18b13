"""The audit of a run: one record per database, from the executions of copy-snapshot and the plan of the run."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from .runs import Execution, Runs

Json = Any


def audit(runs: Runs, run: str) -> list[Json]:
    """One record for every database that the run looked at or left out, sorted by kind and id."""
    records = [of_execution(runs, child) for child in runs.all_children(run)]
    for page in [runs.look(run), *runs.pages(run)]:
        records.extend(
            of_left_out(page, left_out) for left_out in (plan(runs, page.arn) or {}).get("leftOut", {}).get("first", [])
        )
    return sorted(records, key=lambda record: (record["kind"] != "instance", record["id"]))


def plan(runs: Runs, run: str) -> Json:
    """What list-targets answered in this execution, or nothing if it did not get that far."""
    for event in runs.history(run):
        if event["type"] == "TaskSucceeded":
            # The first task of copy-fleet is list-targets.
            output = json.loads(event["taskSucceededEventDetails"]["output"])
            return output.get("Payload", output)
    return None


def of_execution(runs: Runs, execution: Execution) -> Json:
    """The record of one execution of copy-snapshot."""
    # A failed execution has no output: what it knew is the input of the state that it failed in.
    payload = execution.output or _last_payload(runs, execution) or {}
    source = payload.get("source") or {}
    copy = payload.get("copy") or {}
    outcome = payload.get("outcome", "") if execution.status == "SUCCEEDED" else execution.status.lower()
    return {
        "kind": execution.input["kind"],
        "id": execution.input["id"],
        "outcome": outcome,
        "source": source.get("id"),
        "copy": copy.get("id"),
        "reason": payload.get("reason", "") if execution.status == "SUCCEEDED" else execution.cause,
        "startedAt": _time(execution.started),
        "finishedAt": _time(execution.stopped),
        "pruned": [deleted["id"] for deleted in (payload.get("pruned") or {}).get("deleted", [])],
        "warnings": payload.get("warnings", []),
        "error": execution.error or None,
        "execution": execution.name,
        "sourceArn": source.get("arn"),
        "copyArn": copy.get("arn"),
        "kmsKeyArn": copy.get("kmsKeyArn"),
        "polls": (payload.get("wait") or {}).get("polls"),
        "kept": [kept["id"] for kept in (payload.get("pruned") or {}).get("kept", [])],
    }


def of_left_out(run: Execution, left_out: Json) -> Json:
    """The record of a database that list-targets left out of the run."""
    return {
        "kind": left_out["kind"],
        "id": left_out["id"],
        "outcome": "left out",
        "source": None,
        "copy": None,
        "reason": left_out["reason"],
        # It was decided on while the run listed its databases, which is how every run begins.
        "startedAt": _time(run.started),
        "finishedAt": _time(run.started),
        "pruned": [],
        "warnings": [],
        "error": None,
        "execution": None,
        "sourceArn": None,
        "copyArn": None,
        "kmsKeyArn": None,
        "polls": None,
        "kept": [],
    }


def _last_payload(runs: Runs, execution: Execution) -> Json:
    for event in reversed(runs.history(execution.arn)):
        entered = event.get("stateEnteredEventDetails")
        if entered and (payload := json.loads(entered.get("input") or "null")) and "target" in payload:
            return payload
    return None


def _time(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
