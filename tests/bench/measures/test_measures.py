"""What the deployed binaries weigh, the memory that they take at their largest, and how they take bad input."""

from __future__ import annotations

import hashlib
import platform
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.measures import deployed, hosting, worlds
from bench.measures.runtime_api import Answer, Function
from local_cloud import layout
from local_cloud.simulator import Simulator

Json = Any
Start = Callable[..., Function]
Measure = Callable[..., None]

FUNCTIONS = deployed.functions()
MAX_ZIPPED_BYTES = 3_000_000
MAX_MEMORY_BYTES = 20 * 1024 * 1024
MAX_MEMORY_BYTES_OF_A_LARGE_FLEET = 64 * 1024 * 1024
"""A quarter of what the template gives the function."""
MANY = 1000
"""Snapshots of one database. Their tags weigh more than all else: `worlds.TEAM_TAGS` says how many there are."""

MACHINES = {"x86_64": 62, "arm64": 183}
"""`e_machine` in an ELF header (EM_X86_64, EM_AARCH64) by the template's architecture."""

KINDS = pytest.mark.parametrize("kind", ["instance", "cluster"])
EACH = pytest.mark.parametrize("name", FUNCTIONS)


def measure_memory(
    function: Function, figure: Measure, what: str, *answers: Answer, most: int = MAX_MEMORY_BYTES
) -> None:
    """Compares the peak so far with the limit; the table says how long start and events took, too."""
    took = ", ".join(f"{answer.seconds:.2f}" for answer in answers)
    figure(
        f"memory  {function.name}: {what}",
        function.peak_memory_bytes() / 2**20,
        most / 2**20,
        "MiB",
        f"started in {function.start_seconds * 1000:.0f} ms, answered in {took} s",
    )


@pytest.fixture
def runnable() -> None:
    """Skips what has to run the binaries where they cannot run."""
    here = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if here != deployed.architecture():
        pytest.skip(f"built for {deployed.architecture()}, this machine is {here}")


# ---------------------------------------------------------------- the files


def test_the_template_has_the_five_functions() -> None:
    assert sorted(FUNCTIONS) == sorted(layout.FUNCTIONS)


@EACH
def test_a_function_zipped_is_small(name: str, binaries: dict[str, Path], figure: Measure) -> None:
    size = hosting.zipped_bytes(binaries[name])
    unzipped = binaries[name].stat().st_size / 1e6
    figure(f"zipped  {name}", size / 1e6, MAX_ZIPPED_BYTES / 1e6, "MB", f"unzipped {unzipped:.2f} MB")


def test_no_two_functions_are_the_same_file(binaries: dict[str, Path]) -> None:
    hashes = {name: hashlib.sha256(binary.read_bytes()).hexdigest() for name, binary in binaries.items()}
    assert len(set(hashes.values())) == len(binaries) == 2 * len(FUNCTIONS), hashes


@EACH
def test_a_function_is_built_for_the_architecture_of_the_template(name: str, binaries: dict[str, Path]) -> None:
    header = binaries[name].read_bytes()[:20]
    magic, (machine,) = header[:4], struct.unpack_from("<H", header, 18)
    assert (magic, machine) == (b"\x7fELF", MACHINES[deployed.architecture()])


# ---------------------------------------------------------------- memory
# The simulator speaks plain HTTP. Against a TLS proxy with the usual 140 roots the peaks were 0.5 to 1.5 MiB higher.


@pytest.mark.usefixtures("runnable")
@pytest.mark.parametrize(("instances", "clusters"), [(500, 0), (250, 250), (0, 500)])
def test_list_targets_takes_little_memory_for_500_targets(
    instances: int, clusters: int, simulator: Simulator, start: Start, figure: Measure
) -> None:
    simulator.seed(worlds.fleet(instances, clusters))
    event = {"request": {}, "run": {"execution": "nightly", "arn": "arn:nightly"}}
    with start("list-targets") as function:
        # A warm function must not grow from one event to the next either.
        answers = [function.invoke(event) for _ in range(3)]
        measure_memory(function, figure, f"{instances} instances, {clusters} clusters", *answers)
    for answer in answers:
        plan = answer.output
        assert (len(plan["instances"]), len(plan["clusters"])) == (instances, clusters)
        assert {len(item["id"]) for item in plan["instances"] + plan["clusters"]} == {worlds.MAX_IDENTIFIER_LENGTH}
        assert "nextInstances" not in plan
        assert "nextClusters" not in plan


@pytest.mark.usefixtures("runnable")
@KINDS
def test_list_targets_takes_little_memory_for_500_targets_with_three_copies_each(
    kind: str, simulator: Simulator, start: Start, figure: Measure
) -> None:
    """It looks through every copy for those of databases that are gone; here the last 50 databases are."""
    counts = (450, 0) if kind == "instance" else (0, 450)
    names = [worlds.long_name(f"{kind}-{number:03}-") for number in range(500)]
    copies = [worlds.own_copy(kind, 24 * age + 1, name) for name in names for age in range(3)]
    simulator.seed(worlds.fleet(*counts, copies))
    with start("list-targets", RETIRED_KEEP_DAYS="30") as function:
        answers = [
            function.invoke({"request": {}, "run": {"execution": "nightly", "arn": "arn:nightly"}}) for _ in range(3)
        ]
        measure_memory(function, figure, f"450 {kind}s, 1500 copies", *answers)
    for answer in answers:
        plan = answer.output
        assert len(plan[f"{kind}s"]) == 500
        assert (plan["retired"]["databases"], plan["retired"]["copies"]) == (50, 150)


@pytest.mark.usefixtures("runnable")
def test_list_targets_takes_little_memory_for_a_page_of_10000_databases_with_a_copy_each(
    simulator: Simulator, start: Start, figure: Measure
) -> None:
    """Every page lists the whole fleet and its copies again, however few of them it holds."""
    names = [f"instance-{number:05}" for number in range(10_000)]
    copies = [worlds.own_copy("instance", 1, name) for name in names]
    simulator.seed(worlds.scenario(instances=[worlds.database("instance", name) for name in names], copies=copies))
    page = {"kind": "instance", "cursor": "db-", "number": 20, "root": "nightly"}
    with start("list-targets") as function:
        answer = function.invoke(
            {"request": {"page": page}, "run": {"execution": "nightly-pi20", "arn": "arn:nightly-pi20"}}
        )
        most = MAX_MEMORY_BYTES_OF_A_LARGE_FLEET
        measure_memory(function, figure, "10000 instances, 10000 copies", answer, most=most)
    assert len(answer.output["instances"]) == 500


@pytest.mark.usefixtures("runnable")
@KINDS
def test_find_latest_snapshot_takes_little_memory_for_1000_snapshots_and_1000_copies(
    kind: str, simulator: Simulator, start: Start, figure: Measure
) -> None:
    ages = range(1, MANY + 1)
    simulator.seed(worlds.one_database(kind, ages, [worlds.own_copy(kind, hours) for hours in ages]))
    with start("find-latest-snapshot") as function:
        answers = [function.invoke(worlds.target(kind)) for _ in range(3)]
        measure_memory(function, figure, f"1000 {kind} snapshots, 1000 copies", *answers)
    for answer in answers:
        assert answer.output["decision"] == "current"
        assert simulator.aliases()[answer.output["copy"]["id"]] == worlds.own_copy(kind, 1)["id"]


@pytest.mark.usefixtures("runnable")
@KINDS
def test_start_copy_and_check_copy_status_take_little_memory_for_1000_snapshots(
    kind: str, simulator: Simulator, start: Start, figure: Measure
) -> None:
    # All snapshots but the newest have their copies.
    copies = [worlds.own_copy(kind, hours) for hours in range(2, MANY + 2)]
    simulator.seed(worlds.one_database(kind, range(1, MANY + 1), copies))
    simulator.set_time_scale(1)
    with start("find-latest-snapshot") as function:
        found = function.invoke(worlds.target(kind)).output
    assert (found["decision"], found["attempt"]) == ("copy", 0)

    with start("start-copy") as function:
        # The second event finds the copy of the first and joins it.
        answers = [function.invoke(found) for _ in range(2)]
        measure_memory(function, figure, f"one of 1000 {kind} snapshots", *answers)
    started = answers[0].output
    assert started["source"] == found["source"]
    assert answers[1].output["copy"]["id"] == started["copy"]["id"]
    new = simulator.state()["regions"][layout.DESTINATION_REGION]["snapshots"]
    assert len(new) == MANY + 1

    with start("check-copy-status") as function:
        copying = function.invoke(started)
        simulator.end_copies_at_once()
        verified = function.invoke(copying.output)
        measure_memory(function, figure, f"one of 1001 {kind} copies", copying, verified)
    assert copying.output["status"]["state"] == "copying"
    assert verified.output["status"]["state"] == "verified"
    assert verified.output["verification"]["differ"] == []


@pytest.mark.usefixtures("runnable")
@KINDS
def test_prune_old_takes_little_memory_for_1000_copies_planned_and_deleted(
    kind: str, simulator: Simulator, start: Start, figure: Measure
) -> None:
    simulator.seed(worlds.one_database(kind, [1], [worlds.own_copy(kind, hours) for hours in range(1, MANY + 1)]))
    with start("prune-old", KEEP_COPIES="100", MAX_DELETES_PER_RUN="100") as function:
        planned = function.invoke({"target": worlds.target(kind, dryRun=True)})
        measure_memory(function, figure, f"dry run over 1000 {kind} copies", planned)
        assert len(snapshots_left(simulator)) == MANY
        pruned = function.invoke({"target": worlds.target(kind)})
        measure_memory(function, figure, f"deleting 100 of 1000 {kind} copies", pruned)
    for answer, dry_run in [(planned, True), (pruned, False)]:
        report = answer.output["pruned"]
        assert report["dryRun"] == dry_run
        assert len(report["deleted"]) + len(report["kept"]) + report["omitted"] == MANY
    # As many go as the brake lets one execution delete, the oldest of the 900 that are too many.
    assert snapshots_left(simulator) == {worlds.own_copy(kind, hours)["id"] for hours in range(1, MANY - 100 + 1)}


@pytest.mark.usefixtures("runnable")
@KINDS
def test_prune_old_takes_little_memory_for_1000_snapshots_of_others_and_leaves_them_alone(
    kind: str, simulator: Simulator, start: Start, figure: Measure
) -> None:
    theirs = [
        # By hand, named like ours, and tagged like ours: none of them is.
        [
            worlds.hand_made(kind, f"before-upgrade-{hours}", hours),
            worlds.hand_made(kind, f"{layout.OWNER_ID}-orders-{hours:012x}", hours),
            # With the very tags of a copy, and another name than the one that follows from them.
            worlds.own_copy(kind, hours) | {"id": f"renamed-{hours}", "copyOf": None},
        ][hours % 3]
        for hours in range(1, MANY + 1)
    ]
    simulator.seed(worlds.one_database(kind, [1], theirs))
    with start("prune-old", KEEP_COPIES="1") as function:
        answer = function.invoke({"target": worlds.target(kind)})
        measure_memory(function, figure, f"1000 {kind} snapshots of others", answer)
    assert answer.output["pruned"] == {"deleted": [], "kept": [], "toGo": 0, "omitted": 0, "dryRun": False}
    assert snapshots_left(simulator) == {snapshot["id"] for snapshot in theirs}


def snapshots_left(simulator: Simulator) -> set[str]:
    """The snapshots of the destination region by the `id` that they were seeded with."""
    there = simulator.state()["regions"][layout.DESTINATION_REGION]["snapshots"]
    return {snapshot.get("alias") or snapshot["id"] for snapshot in there}


# ---------------------------------------------------------------- bad settings, bad input, the end

PAYLOAD = {"target": worlds.target("instance")}

GOOD_INPUT: dict[str, Json] = {
    "list-targets": {"request": {}, "run": {"execution": "nightly", "arn": "arn:nightly"}},
    "find-latest-snapshot": worlds.target("instance"),
    "start-copy": PAYLOAD,
    "check-copy-status": PAYLOAD,
    "prune-old": PAYLOAD,
}
"""At least as far as each function reads before it looks at its settings."""

BAD_INPUT: list[tuple[str, Json, str]] = [
    ("list-targets", {"request": {"onyl": ["orders"]}, "run": {"execution": "nightly", "arn": "arn:nightly"}}, "onyl"),
    ("list-targets", {"request": {"only": [5]}, "run": {"execution": "nightly", "arn": "arn:nightly"}}, "only[0]"),
    ("list-targets", {"request": ["orders"], "run": {"execution": "nightly", "arn": "arn:nightly"}}, "input[0]"),
    ("list-targets", {"request": {}}, "run"),
    ("find-latest-snapshot", {"kind": "instance", "id": "orders"}, "resourceId"),
    ("find-latest-snapshot", worlds.target("instance") | {"kind": "table"}, "kind"),
    ("find-latest-snapshot", worlds.target("instance", region="us-east-1"), "region"),
    ("find-latest-snapshot", worlds.target("instance", rules={"keepCopies": "one"}), "rules.keepCopies"),
    ("start-copy", {"target": worlds.target("instance") | {"id": 5}}, "target.id"),
    ("check-copy-status", {"target": worlds.target("instance", dryRun="yes")}, "target.dryRun"),
    ("prune-old", {"target": {"kind": "instance"}}, "id"),
    ("prune-old", [], "input"),
]
"""Function, input, and the field that its error has to name."""


@pytest.mark.usefixtures("runnable")
@EACH
def test_a_bad_setting_is_the_answer_to_every_event_and_no_crash(name: str, start: Start) -> None:
    with start(name, KEEP_COPIES="three") as function:
        for _ in range(2):
            answer = function.invoke(GOOD_INPUT[name])
            assert answer.error == "BadSettings"
            assert answer.message.startswith('KEEP_COPIES: "three" is not a whole number from 1 to 100.')
        assert "panicked" not in function.said()


def assert_refused(name: str, event: Json, field: str, simulator: Simulator, start: Start) -> None:
    """A function refuses an input by the name of a field, each time, and before it calls anything."""
    simulator.seed(worlds.fleet(1, 0))
    with start(name) as function:
        for _ in range(2):
            answer = function.invoke(event)
            assert answer.error == "BadInput"
            assert field in answer.message, answer.message
        assert "panicked" not in function.said()
    assert simulator.counters()["calls"] == {}, "refused before any call"


@pytest.mark.usefixtures("runnable")
@pytest.mark.parametrize(("name", "event", "field"), BAD_INPUT, ids=[f"{name}-{field}" for name, _, field in BAD_INPUT])
def test_malformed_input_is_refused_by_the_name_of_its_field(
    name: str, event: Json, field: str, simulator: Simulator, start: Start
) -> None:
    assert_refused(name, event, field, simulator, start)


@pytest.mark.usefixtures("runnable")
@EACH
def test_an_event_that_is_not_json_is_an_error_and_no_crash(name: str, start: Start) -> None:
    with start(name) as function:
        for _ in range(2):
            assert function.invoke_bytes(b"{").failed
        assert "panicked" not in function.said()


@pytest.mark.usefixtures("runnable")
@EACH
def test_a_function_told_to_end_ends_at_once_and_does_not_panic(name: str, start: Start) -> None:
    with start(name) as function:
        # Nothing is worth saving, so dying of the signal is as good as an exit.
        assert function.terminate() in (0, -signal.SIGTERM)
        assert "panicked" not in function.said()


@pytest.mark.usefixtures("runnable")
def test_a_function_told_to_end_while_it_waits_for_rds_ends_at_once_too(simulator: Simulator, start: Start) -> None:
    simulator.seed(worlds.fleet(1, 0))
    with start("list-targets") as function, simulator.hold("DescribeDBInstances") as hold:
        function.send(b'{"request": {}, "run": {"execution": "nightly", "arn": "arn:nightly"}}')
        simulator.wait_until_held(hold)
        assert function.terminate() in (0, -signal.SIGTERM)
        assert "panicked" not in function.said()
