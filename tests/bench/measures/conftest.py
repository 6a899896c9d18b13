"""The binaries that would be deployed, a simulator for them to talk to, and the table of what was measured."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.measures import deployed, hosting
from bench.measures.runtime_api import Function
from local_cloud import layout
from local_cloud.build import build_functions, build_programs
from local_cloud.report import Report
from local_cloud.simulator import Simulator

layout.forget_real_account()

FOLDER = layout.WORKSPACE / "measures"
"""Logs of the builds and of every function process."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured figure and the limit that it has to keep."""

    what: str
    value: float
    limit: float
    unit: str
    remark: str = ""


FIGURES = pytest.StashKey[list[Figure]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints every figure, good or bad, so that a log of CI shows how they develop."""
    figures = config.stash.get(FIGURES, [])
    if not figures:
        return
    terminalreporter.section("measures of the functions")
    wide = max(len(figure.what) for figure in figures)
    for figure in figures:
        digits = 3 if figure.unit == "MB" else 2
        share = f"{figure.value / figure.limit:4.0%}"
        over = "  OVER" if figure.value > figure.limit else ""
        line = f"{figure.what:<{wide}}  {figure.value:7.{digits}f} of {figure.limit:g} {figure.unit:<4} {share}{over}"
        terminalreporter.write_line(f"{line}  {figure.remark}".rstrip())


@pytest.fixture
def figure(pytestconfig: pytest.Config) -> Callable[..., None]:
    """Puts a figure into the table, then fails the test if it is over its limit."""

    def add(what: str, value: float, limit: float, unit: str, remark: str = "") -> None:
        pytestconfig.stash[FIGURES].append(Figure(what, value, limit, unit, remark))
        assert value <= limit, f"{what}: {value:.3f} {unit}, the limit is {limit:g} {unit}"

    return add


@pytest.fixture(scope="session")
def binaries(pytestconfig: pytest.Config) -> dict[str, Path]:
    """The functions of both stacks by name, built as they are for a deployment."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        build_functions(Report(sys.stderr), FOLDER)
    return {name: hosting.set_aside(name, FOLDER) for name in deployed.functions() + deployed.watch_functions()}


@pytest.fixture(scope="session")
def simulator(pytestconfig: pytest.Config) -> Iterator[Simulator]:
    """The RDS simulator on a free port, for the length of the session."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        binary = build_programs(Report(sys.stderr), FOLDER)["rds-simulator"]
    with hosting.running(binary, FOLDER / "simulator.log") as simulator:
        yield simulator


@pytest.fixture
def environment(simulator: Simulator) -> dict[str, str]:
    """What Lambda and the stack set for every function, with RDS and KMS at the simulator."""
    return hosting.settings(simulator)


@pytest.fixture
def start(
    binaries: dict[str, Path], simulator: Simulator, environment: dict[str, str], request: pytest.FixtureRequest
) -> Callable[..., Function]:
    """Starts a function by name, with settings other than the usual ones if some are given."""
    started = 0
    watch = hosting.watch_settings(simulator)

    def start_one(name: str, **settings: str) -> Function:
        nonlocal started
        started += 1
        test = re.sub(r"[^\w-]+", "-", request.node.name).strip("-")
        log = FOLDER / f"{test}-{started}-{name}.log"
        base = watch if name in deployed.watch_functions() else environment
        return Function(binaries[name], {**base, **settings}, log)

    return start_one
