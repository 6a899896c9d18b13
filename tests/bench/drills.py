"""Cold starts of the functions that drill, beside the poll of a copy in the same run."""

from __future__ import annotations

import statistics
from contextlib import AbstractContextManager
from typing import Any

from bench.measures import deployed, hosting, worlds
from bench.processes import ONE_CALL, Invoke, Run, one_call
from bench.table import spread, table
from local_cloud.simulator import Simulator

Json = Any

MAX_TIMES_ONE_CALL = 1.1
"""A cold start, against that of `ONE_CALL`; what further calls of RDS take is taken off before."""

CALLS_OF_OTHERS = {"plan-drills": 1}
"""Calls of Systems Manager, which the simulator of RDS does not count."""

RUN = {"execution": "nightly", "arn": "arn:nightly"}


def one_drill(rds: Simulator, invoke: Invoke) -> None:
    """A drill up to its first poll and the first delete."""
    rds.seed(worlds.one_database("instance", copies=[worlds.own_copy("instance", 1)]))
    invoke("measure-copies", {})
    plan = invoke("plan-drills", {"request": {}, "run": RUN})
    started = invoke("start-restore", plan["drills"][0])
    checked = invoke("check-restore", started)
    assert checked["restore"]["state"] == "restoring", checked
    invoke("end-restore", {"drill": checked})


def section(run: Run) -> str:
    """The table of the functions that drill, of a run in which those that copy were measured too."""
    poll, call = run[ONE_CALL], one_call(run)
    most = MAX_TIMES_ONE_CALL * statistics.median(poll.cold)
    rows = []
    for name in [ONE_CALL, *deployed.watch_functions()]:
        measured = run[name]
        calls = measured.calls + CALLS_OF_OTHERS.get(name, 0)
        cold = statistics.median(measured.cold)
        less = cold - max(0, calls - 1) * call
        rows.append(
            [
                name,
                str(calls),
                spread(measured.ready),
                spread(measured.cold),
                spread(measured.cold_cpu),
                f"{less:.1f}",
                f"{less / statistics.median(poll.cold):.2f}",
                "met" if less <= most else f"missed ({most:.1f})",
                f"{statistics.median(measured.memory):.1f}",
            ]
        )
    return (
        "## Cold starts of drills\n\n"
        "The functions of the destination region, measured in the same way on one copy that is drilled. "
        f"Goal: a cold start of at most {MAX_TIMES_ONE_CALL} times that of `{ONE_CALL}` "
        f"({statistics.median(poll.cold):.1f} ms), less the calls beyond the first at {call:.2f} ms.\n\n"
        + table(
            ["function", "calls", "ready", "cold start", "cold, CPU", "less calls", f"of {ONE_CALL}", "goal", "MiB"],
            rows,
        )
    )


def no_proofs() -> AbstractContextManager[str]:
    """A Systems Manager in which no drill has left a proof yet."""
    return hosting.answering(200, "application/x-amz-json-1.1", b'{"Parameters": []}')
