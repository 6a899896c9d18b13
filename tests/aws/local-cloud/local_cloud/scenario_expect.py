"""Compares what a case expects with what came: values in, sentences out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Json = Any

LEGAL_IDENTIFIER = re.compile(r"(?=.{1,63}\Z)[A-Za-z](?:-?[A-Za-z0-9])*\Z")
"""An identifier of a DB instance: a letter, then letters, digits and single hyphens, none of them at the end."""


def differences(expect: Json, then: list[Json], answer: Json) -> list[str]:
    """What is not as expected, each as a sentence. `then` are the steps of the case."""
    return [*_of_steps(then, answer["then"]), *_of_the_end(expect, answer)]


def _of_the_end(expect: Json, answer: Json) -> Iterator[str]:
    run, found = expect.get("run"), answer["run"]
    if run is not None and found["status"] != run:
        error = f" ({found['error']})" if found["error"] else ""
        yield f"run: {found['status'] or 'there was none'}{error} instead of {run}"
    for database, wanted in expect.get("outcomes", {}).items():
        came = answer["outcomes"].get(database)
        if came is None or not fits(wanted, came):
            yield f"outcomes.{database}: {came or 'none'} instead of {wanted}"
    for database, wanted in expect.get("reasons", {}).items():
        came = answer["reasons"].get(database, "")
        if wanted not in came:
            yield f"reasons.{database}: {came!r} does not contain {wanted!r}"
    for warning in expect.get("warnings", []):
        if not any(warning in one for one in answer["warnings"]):
            yield f"warnings: none of {answer['warnings']} contains {warning!r}"
    if copies := expect.get("copies"):
        count = len(answer["copies"])
        if not within(copies, count):
            yield f"copies: {count} instead of {bounds(copies)}: {', '.join(answer['copies']) or 'none'}"
    there = {*answer["copies"], *answer["left"]}
    for snapshot in expect.get("left", []):
        if snapshot not in there:
            yield f"left: {snapshot} is gone"
    for name, range_ in expect.get("metrics", {}).items():
        value = answer["metrics"].get(name)
        if value is None:
            yield f"metrics.{name}: not measured by the last run; it should be {bounds(range_)}"
        elif not within(range_, value):
            yield f"metrics.{name}: {value:g} instead of {bounds(range_)}"
    if expect.get("captured") == "distinct identifiers":
        yield from _of_identifiers(captured(answer["then"]))


def _of_steps(then: list[Json], answers: list[Json]) -> Iterator[str]:
    for at, (step, answer) in enumerate(zip(then, answers, strict=True)):
        if "command" not in step:
            continue
        command = " ".join(step["command"])
        if "exit" in step and step["exit"] != answer["exit"]:
            yield f"then[{at}]: `snapferry {command}` ended with {answer['exit']} instead of {step['exit']}"
        for text in step.get("says", []):
            if text not in answer["output"]:
                yield f"then[{at}]: `snapferry {command}` does not say {text!r}"


def _of_identifiers(found: list[str]) -> Iterator[str]:
    if len(found) < 2:
        yield f"captured: {len(found)} of at least 2 identifiers: check the expressions under `capture`"
    for name in sorted({name for name in found if found.count(name) > 1}):
        yield f"captured: {name} comes {found.count(name)} times"
    for name in found:
        if not LEGAL_IDENTIFIER.match(name):
            yield f"captured: {name!r} is not a legal identifier"


def captured(answers: list[Json]) -> list[str]:
    """What all steps captured. One step may well write the same thing twice, as to create and to wait for it."""
    return [one for answer in answers for one in dict.fromkeys(answer.get("captured", []))]


def fits(wanted: str, came: str) -> bool:
    """Whether an outcome is the one that is wanted; `copied*` is any that begins so."""
    return came.startswith(wanted[:-1]) if wanted.endswith("*") else came == wanted


def within(range_: Json, value: float) -> bool:
    """Whether a value is in a range, both ends included."""
    return bool(range_[0] <= value <= range_[1])


def bounds(range_: Json) -> str:
    """A range in words."""
    return f"{range_[0]:g}" if range_[0] == range_[1] else f"{range_[0]:g} to {range_[1]:g}"
