"""The functions of the destination region: what they weigh, the memory that they take, and how they take bad input."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path
from typing import Any

import pytest

from bench.measures import deployed, hosting, worlds
from bench.measures.test_measures import Measure, Start, assert_refused, measure_memory
from local_cloud import layout
from local_cloud.simulator import Simulator

Json = Any

FUNCTIONS = deployed.watch_functions()
MAX_ZIPPED_BYTES = 2_620_000
"""2.6 MB as it is released, and a little for the paths of the place where it is built, which a release leaves out."""

MAX_ZIPPED_BYTES_OF = {"measure-copies": 2_750_000}
"""It reads keys and proofs, for the evidence, and nobody waits for it."""

EACH = pytest.mark.parametrize("name", FUNCTIONS)
KINDS = pytest.mark.parametrize("kind", ["instance", "cluster"])
RUN = {"execution": "nightly", "arn": "arn:nightly"}
DRILL = {
    "kind": "instance",
    "id": "orders",
    "resourceId": "db-ORDERS",
    "copy": {"id": "acme-orders", "arn": "arn:aws:rds:eu-central-1:123456789012:snapshot:acme-orders"},
    "name": "orders",
    "execution": "i-orders-0a1b2c3d",
}

BAD_INPUT: list[tuple[str, Json, str]] = [
    ("measure-copies", {"evidence": {}}, "evidence"),
    ("plan-drills", {"request": {"onyl": ["orders"]}, "run": RUN}, "onyl"),
    ("plan-drills", {"request": {"only": []}, "run": RUN}, "only"),
    ("plan-drills", {"request": {"only": ["table:orders"]}, "run": RUN}, "only[0]"),
    ("plan-drills", {"request": {}}, "run"),
    ("start-restore", {"kind": "instance"}, "id"),
    # A name that is not what this owner calls the drill database of that copy: production, say.
    ("start-restore", DRILL, "name"),
    ("check-restore", DRILL, "restore"),
    ("end-restore", {}, "input"),
    ("end-restore", {"drill": DRILL, "sweep": True}, "input"),
    ("end-restore", {"drill": DRILL}, "drill.name"),
]
"""Function, input, and the field that its error has to name."""


def test_the_template_of_the_destination_has_five_functions() -> None:
    assert len(set(FUNCTIONS)) == len(FUNCTIONS) == 5


@EACH
def test_a_function_zipped_is_small(name: str, binaries: dict[str, Path], figure: Measure) -> None:
    size = hosting.zipped_bytes(binaries[name])
    unzipped = binaries[name].stat().st_size / 1e6
    most = MAX_ZIPPED_BYTES_OF.get(name, MAX_ZIPPED_BYTES)
    figure(f"zipped  {name}", size / 1e6, most / 1e6, "MB", f"unzipped {unzipped:.2f} MB")


@EACH
def test_a_bad_setting_is_the_answer_to_every_event_and_no_crash(name: str, start: Start) -> None:
    with start(name, DRILL_HOURS="three") as function:
        for _ in range(2):
            answer = function.invoke({})
            assert answer.error == "BadSettings"
            assert answer.message.startswith('DRILL_HOURS: "three" is not a whole number from 1 to 12.')
        assert "panicked" not in function.said()


@pytest.mark.parametrize(("name", "event", "field"), BAD_INPUT, ids=[f"{name}-{field}" for name, _, field in BAD_INPUT])
def test_malformed_input_is_refused_by_the_name_of_its_field(
    name: str, event: Json, field: str, simulator: Simulator, start: Start
) -> None:
    assert_refused(name, event, field, simulator, start)


@EACH
def test_a_function_told_to_end_ends_at_once_and_does_not_panic(name: str, start: Start) -> None:
    with start(name) as function:
        assert function.terminate() in (0, -signal.SIGTERM)
        assert "panicked" not in function.said()


@KINDS
def test_measure_copies_takes_little_memory_for_500_databases_with_three_copies_each(
    kind: str, simulator: Simulator, start: Start, figure: Measure
) -> None:
    names = [worlds.long_name(f"{kind}-{number:03}-") for number in range(500)]
    copies = [worlds.own_copy(kind, 24 * age + 1, name) for name in names for age in range(3)]
    simulator.seed(worlds.scenario(copies=copies))
    with start("measure-copies") as function:
        answers = [function.invoke({}) for _ in range(3)]
        measure_memory(function, figure, f"500 {kind}s, 1500 copies", *answers)
    assert [answer.output["databases"] for answer in answers] == [500] * 3


@KINDS
def test_a_drill_takes_little_memory(kind: str, simulator: Simulator, start: Start, figure: Measure) -> None:
    """From the restore to the proof that it is gone."""
    copy = worlds.own_copy(kind, 1)
    simulator.seed(worlds.scenario(copies=[copy]))
    simulator.set_time_scale(100_000)
    region = simulator.state()["regions"][layout.DESTINATION_REGION]
    there = next(one for one in region["snapshots"] if one["alias"] == copy["id"])
    drill = {
        **DRILL,
        "kind": kind,
        "copy": {"id": there["id"], "arn": there["arn"]},
        "name": f"{layout.OWNER_ID}-drill-00000000-orders",
    }
    with start("start-restore") as function:
        refused = function.invoke(drill)
        assert refused.error == "BadInput"
        drill["name"] = _drill_name(there["arn"])
        begun = function.invoke(drill)
        measure_memory(function, figure, f"a copy of a {kind}", begun)
    assert begun.output["restore"]["state"] == "restoring"
    with start("check-restore") as function:
        payload, answers = begun.output, []
        while "verdict" not in payload:
            answers.append(function.invoke(payload))
            payload = answers[-1].output
        measure_memory(function, figure, f"a restored {kind}", *answers)
    assert payload["verdict"]["outcome"] == "passed", payload["verdict"]
    with start("end-restore") as function:
        ended = [function.invoke({"drill": payload})]
        while not ended[-1].output["gone"]:
            ended.append(function.invoke({"drill": payload, "before": ended[-1].output}))
        measure_memory(function, figure, f"a restored {kind}", *ended)
    names = {one["id"] for one in simulator.state()["regions"][layout.DESTINATION_REGION]["databases"]}
    assert not any("-drill-" in name for name in names)


def _drill_name(copy_arn: str) -> str:
    """As the functions name the drill database of a copy of `orders`."""
    digest = hashlib.sha256(f"{layout.SOURCE_REGION}/{layout.OWNER_ID}:{copy_arn}".encode()).hexdigest()
    return f"{layout.OWNER_ID}-drill-{digest[:8]}-orders"
