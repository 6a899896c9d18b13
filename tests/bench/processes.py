"""Cold starts, warm calls, memory and size of each function, beside a function that does nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measures import worlds
from bench.measures.runtime_api import Function
from bench.table import spread, table
from local_cloud.simulator import Simulator

Json = Any

BASELINE = "baseline"
COLD_ROUNDS = 40
WARM_ROUNDS = 150

ONE_CALL = "check-copy-status"
"""The function that makes exactly one call of RDS while a copy is in progress."""

BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"]

Invoke = Callable[[str, Json], Json]
"""Hands an event to a function. Returns its output."""

Round = Callable[[Simulator, Invoke], None]
"""Seeds the simulator and invokes functions, each with what the one before it said."""

MAX_TIMES_BASELINE_COLD = 1.5
MAX_TIMES_BASELINE_MEMORY = 2
MAX_ZIPPED_MB = 2.5


@dataclasses.dataclass
class Measured:
    """What was measured of one function, an entry a repetition; milliseconds and MiB."""

    ready: list[float] = dataclasses.field(default_factory=list)
    cold: list[float] = dataclasses.field(default_factory=list)
    cold_cpu: list[float] = dataclasses.field(default_factory=list)
    warm: list[float] = dataclasses.field(default_factory=list)
    warm_cpu: list[float] = dataclasses.field(default_factory=list)
    memory: list[float] = dataclasses.field(default_factory=list)
    calls: int = 0
    """Calls of RDS and KMS that it made for one event."""


Run = dict[str, Measured]


def measure(
    binaries: dict[str, Path],
    settings: Callable[[str], dict[str, str]],
    rds: Simulator,
    folder: Path,
    rounds: list[Round],
) -> Run:
    """Every function many times, in turn, so that what else the machine does meets all of them alike.

    `settings` are the variables of a function; together the `rounds` invoke all of them.
    """
    run = {name: Measured() for name in binaries}
    rds.set_time_scale(1)

    def start(name: str) -> Function:
        return Function(binaries[name], settings(name) | _roots(), folder / f"{name}.log")

    def cold(name: str, event: Json) -> Json:
        before = _calls(rds)
        function = start(name)
        request = function.send_json(event)
        with function:
            answer = function.first_answer(request)
            measured = run[name]
            measured.ready.append(function.start_seconds * 1000)
            measured.cold.append(answer.seconds * 1000)
            measured.cold_cpu.append(function.cpu_seconds() * 1000)
        measured.calls = _calls(rds) - before
        return answer.output

    for _ in range(COLD_ROUNDS):
        for one in rounds:
            one(rds, cold)

    with contextlib.ExitStack() as running:
        functions = {name: running.enter_context(start(name)) for name in binaries}

        def warm(name: str, event: Json) -> Json:
            before = functions[name].cpu_seconds()
            answer = functions[name].invoke(event)
            run[name].warm.append(answer.seconds * 1000)
            run[name].warm_cpu.append((functions[name].cpu_seconds() - before) * 1000)
            return answer.output

        for _ in range(WARM_ROUNDS):
            for one in rounds:
                one(rds, warm)
        for name, measured in run.items():
            # The first event met a cold function.
            del measured.warm[0], measured.warm_cpu[0]
            measured.memory.append(functions[name].peak_memory_bytes() / 2**20)
    return run


def _roots() -> dict[str, str]:
    """Lambda's image has its root certificates in one file. Other systems have each in a file of its own as well, and
    to read these would take longer than all else."""
    bundle = next((path for path in BUNDLES if Path(path).exists()), None)
    return {"SSL_CERT_FILE": bundle} if bundle else {}


def one_copy(rds: Simulator, invoke: Invoke) -> None:
    """The whole of a copy up to its first poll, each function with the output of the one before."""
    rds.seed(worlds.one_database("instance", [1, 25], [worlds.own_copy("instance", hours) for hours in (25, 49, 73)]))
    invoke(BASELINE, {"target": worlds.target("instance")})
    plan = invoke("list-targets", {"request": {}, "run": {"execution": "nightly", "arn": "arn:nightly"}})
    found = invoke("find-latest-snapshot", plan["instances"][0])
    started = invoke("start-copy", found)
    checked = invoke(ONE_CALL, started)
    assert checked["status"]["state"] == "copying", checked
    invoke("prune-old", checked)


def _calls(rds: Simulator) -> int:
    return sum(sum(regions.values()) for regions in rds.counters()["calls"].values())


def section(runs: list[Run], zipped: dict[str, int]) -> str:
    """The tables of every run, and how far the runs are apart."""
    parts = [
        "## Cold start, warm latency, memory, size\n\n"
        "A cold start is the time from the start of the process to its first response through the Lambda Runtime "
        "API, the work on a small event included: one database with two snapshots and three copies, whose newest "
        "snapshot is copied. RDS is the simulator, on this machine, over HTTP without TLS; the root certificates "
        f"are read from one file all the same. {COLD_ROUNDS} cold starts and {WARM_ROUNDS} warm events of each "
        "function, in turn; medians and quartiles, times in ms. `baseline` is a function of the same runtime, built "
        "the same way, that answers each event with the event. `ready` is the time until the process asks for its "
        "first event. CPU is what its threads ran, which does not grow when the machine is busy with something "
        "else.\n\n"
        f"Goals: a cold start of at most {MAX_TIMES_BASELINE_COLD} times the baseline's and one warm call of RDS (a "
        f"warm `{ONE_CALL}`, which makes one, less a warm `baseline`), memory of at most {MAX_TIMES_BASELINE_MEMORY} "
        f"times the baseline's, {MAX_ZIPPED_MB} MB zipped."
    ]
    for number, run in enumerate(runs, 1):
        parts.append(f"### Run {number} of {len(runs)}\n\n" + _times(run))
        parts.append(_goals(run, zipped))
    if len(runs) > 1:
        parts.append(_noise(runs[0], runs[1]))
    return "\n\n".join(parts)


def _times(run: Run) -> str:
    rows = [
        [
            name,
            str(measured.calls),
            spread(measured.ready),
            spread(measured.cold),
            spread(measured.cold_cpu),
            spread(measured.warm, 2),
            spread(measured.warm_cpu, 2),
        ]
        for name, measured in run.items()
    ]
    return table(["function", "calls", "ready", "cold start", "cold, CPU", "warm", "warm, CPU"], rows)


def one_call(run: Run) -> float:
    """What one warm call of RDS takes, in ms."""
    return statistics.median(run[ONE_CALL].warm) - statistics.median(run[BASELINE].warm)


def _goals(run: Run, zipped: dict[str, int]) -> str:
    baseline = run[BASELINE]
    call = one_call(run)
    most_cold = MAX_TIMES_BASELINE_COLD * statistics.median(baseline.cold) + call
    most_memory = MAX_TIMES_BASELINE_MEMORY * statistics.median(baseline.memory)
    rows = []
    for name, measured in run.items():
        cold, memory = statistics.median(measured.cold), statistics.median(measured.memory)
        megabytes = zipped[name] / 1e6
        rows.append(
            [
                name,
                f"{cold:.1f}",
                f"{cold / statistics.median(baseline.cold):.2f}",
                f"{statistics.median(measured.cold_cpu) / statistics.median(baseline.cold_cpu):.2f}",
                _verdict(cold, most_cold, 1),
                f"{memory:.1f}",
                f"{memory / statistics.median(baseline.memory):.2f}",
                _verdict(memory, most_memory, 1),
                f"{megabytes:.2f}",
                _verdict(megabytes, MAX_ZIPPED_MB, 2),
            ]
        )
    return f"One warm call of RDS: {call:.2f} ms.\n\n" + table(
        [
            "function",
            "cold start ms",
            "of baseline",
            "CPU, of baseline",
            "goal",
            "memory MiB",
            "of baseline",
            "goal",
            "zipped MB",
            "goal",
        ],
        rows,
    )


def _verdict(value: float, most: float, digits: int) -> str:
    return f"{'met' if value <= most else 'missed'} ({most:.{digits}f})"


def _noise(first: Run, second: Run) -> str:
    def apart(one: list[float], other: list[float]) -> str:
        return f"{statistics.median(other) / statistics.median(one) - 1:+.0%}"

    rows = [
        [
            name,
            apart(measured.ready, second[name].ready),
            apart(measured.cold, second[name].cold),
            apart(measured.cold_cpu, second[name].cold_cpu),
            apart(measured.warm, second[name].warm),
            apart(measured.memory, second[name].memory),
        ]
        for name, measured in first.items()
    ]
    return "### Noise\n\nThe medians of the second run, against those of the first.\n\n" + table(
        ["function", "ready", "cold start", "cold, CPU", "warm", "memory"], rows
    )
