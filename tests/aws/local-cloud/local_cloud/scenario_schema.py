"""Writes `scenario.seed.schema.json`, what a case may hold under `seed`, from the simulator's own documentation of it.

`python -m local_cloud.scenario_schema` after a change of `tests/aws/rds-simulator/src/scenario.rs` or of a file in the
folder `scenario` beside it; a test compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from . import layout

Json = Any

SOURCE = layout.ROOT / "tests" / "aws" / "rds-simulator" / "src" / "scenario.rs"
SOURCES = [SOURCE, *sorted(SOURCE.with_suffix("").glob("*.rs"))]
SCHEMA = Path(__file__).with_name("scenario.seed.schema.json")

TYPES: dict[str, Json] = {
    "String": {"type": "string"},
    "Timestamp": {"type": "string"},
    "bool": {"type": "boolean"},
    "f64": {"type": "number"},
    **{name: {"type": "integer", "minimum": 0} for name in ("u16", "u32", "u64", "usize")},
    "Kind": {"enum": ["instance", "cluster"]},
    "Members": {"type": ["integer", "array"]},
    "SseRdsCopies": {"enum": ["needs-key", "refuses-key", "ignores-key"]},
    "InheritedTags": {"enum": ["database", "snapshot", "both"]},
    "CallerTable": {"type": "object"},
    "Tags": {"type": "object", "additionalProperties": {"type": "string"}},
}

STRUCT = re.compile(r"((?:^///[^\n]*\n)+)(?:^#\[[^\n]*\n)*^pub struct (\w+) \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"((?:^    ///[^\n]*\n)+)((?:^    #\[[^\n]*\n)*)^    pub (\w+): ([^\n]+),$", re.MULTILINE)


def seed_schema() -> Json:
    """The schema, with a definition for each structure of a scenario."""
    source = "\n".join(file.read_text() for file in SOURCES)
    structures = {name: (said, body) for said, name, body in STRUCT.findall(source)}
    needed, definitions = ["Scenario"], {}
    while needed:
        name = needed.pop()
        said, body = structures[name]
        properties = {}
        for documented, attributes, field, type_ in FIELD.findall(body):
            renamed = re.search(r'rename = "(\w+)"', attributes)
            properties[renamed[1] if renamed else _camel(field)] = {"description": _text(documented), **_schema(type_)}
            needed += [word for word in re.findall(r"\w+", type_) if word in structures and word not in definitions]
        definitions[name] = {
            "description": _text(said),
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
        }
    scenario = definitions.pop("Scenario")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA.name,
        **scenario,
        "required": ["regions"],
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(type_: str) -> Json:
    outer, _, inner = type_.removesuffix(">").partition("<")
    if outer == "Option":
        return _schema(inner)
    if outer in ("Vec", "BTreeSet"):
        return {"type": "array", "items": _schema(inner)}
    if outer == "BTreeMap":
        return {"type": "object", "additionalProperties": _schema(inner.split(", ", 1)[1])}
    if outer == "PerKind":
        each = {f"{kind}s": {"description": f"Of {kind}s.", **_schema(inner)} for kind in ("instance", "cluster")}
        return {"type": "object", "additionalProperties": False, "properties": each}
    return TYPES.get(type_) or {"$ref": f"#/$defs/{type_}"}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _text(documented: str) -> str:
    """A documentation comment as one line, without links to code."""
    text = " ".join(line.strip().removeprefix("///").strip() for line in documented.strip().splitlines())
    return re.sub(r"\[(`[^`]+`)\]", r"\1", text)


def text() -> str:
    """What the file has to hold."""
    return json.dumps(seed_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text())
