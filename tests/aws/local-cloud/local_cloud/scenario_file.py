"""Reads a case and says what is wrong with it, before anything is started.

`scenario.schema.json` is the documentation of every field; `scenario.seed.schema.json`, that of the seed, is made from
the simulator's. The simulator also checks, with `--check`, what no schema says.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from . import layout
from .report import Problem

Json = Any

SCHEMA = Path(__file__).with_name("scenario.schema.json")

SEED_SCHEMA = Path(__file__).with_name("scenario.seed.schema.json")

STEPS = ("run", "wait", "delete-snapshot", "create-snapshot", "restore", "rename", "command")

PLACEHOLDER = re.compile(r"\{(time|stamp):([0-9]+(?:\.[0-9]+)?)\}")

SYNONYMS = {
    "delete-snapshot": {"id": "name", "snapshot": "name"},
    "restore": {"from": "snapshot", "as": "database", "to": "database", "id": "database"},
    "rename": {"database": "name", "from": "name", "id": "name", "as": "to"},
}
"""What is understood too in the object of a step."""


class CaseError(Problem):
    """A file is not a case; the message names each field that is wrong, and says what to write there."""


@dataclass(frozen=True)
class Case:
    """A case as its file gives it."""

    name: str
    seed: Json
    parameters: dict[str, str] = field(default_factory=dict)
    faults: list[Json] = field(default_factory=list)
    input: Json = field(default_factory=dict)
    """Input of the first run; nothing if there is none."""
    then: list[Json] = field(default_factory=list)
    expect: Json = field(default_factory=dict)


def read(file: Path) -> Case:
    """The case in a file."""
    if file == Path():
        raise CaseError("there is no file. Give the path of a case: make scenario FILE=case.json")
    try:
        text = file.read_text()
    except OSError as error:
        raise CaseError(f"{file} cannot be read: {error.strerror}. Give the path of a case: FILE=case.json") from None
    except UnicodeDecodeError as error:
        raise CaseError(f"{file} is not UTF-8: {error}. Save it as UTF-8.") from None
    try:
        case = json.loads(text, object_pairs_hook=_without_repeats)
    except ValueError as error:
        raise CaseError(f"{file} is not JSON: {error}. Mend it there.") from None
    _settle(case)
    if wrong := list(problems(case)):
        raise CaseError("\n".join(f"{file}: {one}" for one in wrong))
    return Case(
        name=file.stem,
        seed=case["seed"],
        parameters={name: _as_text(value) for name, value in case.get("parameters", {}).items()},
        faults=case.get("faults", []),
        input=case.get("input", {}),
        then=case.get("then", []),
        expect=case.get("expect", {}),
    )


def _settle(case: Json) -> None:
    """Gives the fields of steps the names that the schema documents."""
    steps = case.get("then") if isinstance(case, dict) else None
    for step in steps if isinstance(steps, list) else []:
        for name, synonyms in SYNONYMS.items():
            given = step.get(name) if isinstance(step, dict) else None
            if isinstance(given, dict):
                for synonym, field_ in synonyms.items():
                    if synonym in given and field_ not in given:
                        given[field_] = given.pop(synonym)


def at(case: Case, seeded: datetime) -> Case:
    """The case with its placeholders filled in, as the simulator fills in those of the seed at that time."""

    def before(found: re.Match[str]) -> str:
        time = seeded - timedelta(hours=float(found[2]))
        if found[1] == "stamp":
            return time.strftime("%Y-%m-%d-%H-%M")
        return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def filled(value: Json) -> Json:
        if isinstance(value, str):
            return PLACEHOLDER.sub(before, value)
        if isinstance(value, list):
            return [filled(one) for one in value]
        if isinstance(value, dict):
            return {filled(name): filled(one) for name, one in value.items()}
        return value

    parts = {name: filled(getattr(case, name)) for name in ("faults", "input", "then", "expect")}
    return replace(case, **parts)


def check_seed(case: Case, simulator: Path, folder: Path) -> None:
    """Lets the simulator say whether it can be seeded with this, without starting it."""
    file = folder / "seed.json"
    file.write_text(json.dumps(case.seed))
    checked = subprocess.run(
        [str(simulator), "--check", "--scenario", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env=layout.clean_environment(),
    )
    if checked.returncode:
        said = checked.stderr.strip().rsplit("scenario: ", 1)[-1]
        said = re.sub(r" at line \d+ column \d+", "", said)
        raise CaseError(f"seed.{said}. tests/aws/rds-simulator/src/scenario.rs documents each field.")


def problems(case: Json) -> Iterator[str]:
    """What is wrong with a case: the field, and what to write there."""
    # Not there before the requirements are installed.
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    seed = Resource.from_contents(json.loads(SEED_SCHEMA.read_text()))
    registry: Registry[Json] = Registry().with_resource(SEED_SCHEMA.name, seed)
    errors = Draft202012Validator(json.loads(SCHEMA.read_text()), registry=registry).iter_errors(case)
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        yield from _sentences(error)
    yield from _beyond_the_schema(case)


def _sentences(error: Any) -> Iterator[str]:
    """A schema's error as a sentence that names the field, and says what the schema says of it."""
    place, value, says = _place(error.absolute_path), error.instance, error.schema.get("description", "")
    if error.validator == "additionalProperties" and isinstance(error.validator_value, bool):
        known = error.schema["properties"]
        for name in sorted(set(value) - set(known)):
            near = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean `{near[0]}`?" if near else f"the fields here are {', '.join(known)}."
            yield f"{_place([*error.absolute_path, name])}: unknown field; {advice}"
    elif error.validator == "required":
        for name in error.validator_value:
            if name not in value:
                described = error.schema.get("properties", {}).get(name, {})
                yield f"{_place([*error.absolute_path, name])}: missing. {_described(described)}"
    elif error.validator == "oneOf" and place.startswith("then["):
        given = [name for name in STEPS if isinstance(value, dict) and name in value]
        if isinstance(value, dict) and error.absolute_path and isinstance(error.absolute_path[-1], int):
            found = f"has {' and '.join(given)}; split it, one step for each" if given else "has no step"
            yield f"{place}: {found}. A step has exactly one of {', '.join(STEPS)}."
        else:
            yield f"{place}: {json.dumps(value)} cannot be read. {says}"
    elif error.validator == "dependentRequired":
        yield f"{place}: exit, capture and says belong to `command`. Remove them, or add the command."
    elif error.validator == "enum":
        allowed = ", ".join(json.dumps(one) for one in error.validator_value)
        yield f"{place}: {json.dumps(value)} is not known here; write one of {allowed}. {says}".rstrip()
    elif error.validator == "type":
        wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        yield f"{place}: {_kind(value)} where {' or '.join(map(_with_article, wanted))} is wanted. {says}".rstrip()
    elif "propertyNames" in error.schema_path:
        yield f"{_place([*error.absolute_path, value])}: the name cannot be read. {says}"
    else:
        yield f"{place}: {error.message}. {says}".rstrip()


def _beyond_the_schema(case: Json) -> Iterator[str]:
    """What a schema cannot say."""
    if not isinstance(case, dict):
        return
    steps = case.get("then")
    for at, step in enumerate(steps if isinstance(steps, list) else []):
        pattern = step.get("capture") if isinstance(step, dict) else None
        if not isinstance(pattern, str):
            continue
        place = f"then[{at}].capture"
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            yield f"{place}: not a regular expression: {error}. Escape what is meant as it stands with a backslash."
        else:
            if not groups:
                yield f"{place}: it has no group; put parentheses around what is to come back."
    expect = case.get("expect")
    expect = expect if isinstance(expect, dict) else {}
    metrics = expect.get("metrics")
    ranges = {"copies": expect.get("copies")}
    ranges.update({f"metrics.{name}": one for name, one in metrics.items()} if isinstance(metrics, dict) else {})
    for name, given in ranges.items():
        if not isinstance(given, list) or [isinstance(one, (int, float)) for one in given] != [True, True]:
            continue  # The schema has said so.
        if given[0] > given[1]:
            yield f"expect.{name}: {given} holds nothing; write the smaller number first."


def _place(path: Any) -> str:
    """`then[1].capture`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the case"


def _described(schema: Json) -> str:
    if "$ref" in schema:
        definitions = json.loads(SCHEMA.read_text())["$defs"] | {SEED_SCHEMA.name: {}}
        schema = {**definitions[schema["$ref"].rsplit("/", 1)[-1]], **schema}
    return str(schema.get("description", "Add it."))


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "a boolean"), (str, "a string"), ((int, float), "a number"), (list, "an array")):
        if isinstance(value, kind):
            return name
    return "an object"


def _with_article(kind: str) -> str:
    return kind if kind == "null" else f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def _as_text(value: Json) -> str:
    """A parameter as CloudFormation takes it."""
    return json.dumps(value) if isinstance(value, (bool, int, float)) else str(value)


def _without_repeats(pairs: list[tuple[str, Json]]) -> Json:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the field {name!r} stands twice in one object")
        found[name] = value
    return found
