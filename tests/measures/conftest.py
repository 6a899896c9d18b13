"""The binaries that would be deployed, a simulator for them to talk to, and the table of what was measured."""

from __future__ import annotations

import dataclasses
import json
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "localcloud"))

from localcloud import layout  # noqa: E402

layout.forget_real_account()

import deployed  # noqa: E402
from localcloud.build import build_functions, build_simulator  # noqa: E402
from localcloud.report import Report  # noqa: E402
from localcloud.simulator import Simulator  # noqa: E402
from localcloud.warden import die_with_parent  # noqa: E402
from runtime_api import Function  # noqa: E402

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
    """The five functions by name, built as they are for a deployment."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        build_functions(Report(sys.stderr), FOLDER)
    return {name: _set_aside(name) for name in deployed.functions()}


def _set_aside(name: str) -> Path:
    """Copies a function out of where builds put it: one that runs meanwhile would have half a file measured."""
    built = layout.ROOT / "target" / "lambda" / name / "bootstrap"
    copy = FOLDER / "functions" / name / "bootstrap"
    deadline = time.monotonic() + 60
    content = b""
    while True:
        before, content = content, built.read_bytes()
        if content == before and _is_whole(content):
            break
        assert time.monotonic() < deadline, f"{built} keeps changing, or is no whole binary: is a build running?"
        time.sleep(0.1)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    copy.write_bytes(content)
    copy.chmod(0o755)
    return copy


def _is_whole(binary: bytes) -> bool:
    """Whether an ELF file reaches to the end of its section table, which is its end."""
    if len(binary) < 64 or binary[:4] != b"\x7fELF":
        return False
    (table,) = struct.unpack_from("<Q", binary, 0x28)
    size, count = struct.unpack_from("<HH", binary, 0x3A)
    return table > 0 and table + size * count <= len(binary)


@pytest.fixture(scope="session")
def simulator(pytestconfig: pytest.Config) -> Iterator[Simulator]:
    """The RDS simulator on a free port, for the length of the session."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        binary = build_simulator(Report(sys.stderr), FOLDER)
    with (FOLDER / "simulator.log").open("wb") as log:
        process = subprocess.Popen(
            [str(binary), "--listen", "127.0.0.1:0"],
            env=layout.clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    assert process.stdout is not None
    try:
        yield Simulator(json.loads(process.stdout.readline())["listening"])
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def environment(simulator: Simulator) -> dict[str, str]:
    """What Lambda and the stack set for every function, with RDS and KMS at the simulator."""
    return {
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LANG": "en_US.UTF-8",
        "AWS_REGION": layout.SOURCE_REGION,
        "AWS_DEFAULT_REGION": layout.SOURCE_REGION,
        "AWS_ACCESS_KEY_ID": layout.OPERATOR_KEY,
        "AWS_SECRET_ACCESS_KEY": layout.OPERATOR_SECRET,
        "AWS_SESSION_TOKEN": "any",
        "AWS_ENDPOINT_URL_RDS": simulator.url,
        "AWS_ENDPOINT_URL_KMS": simulator.url,
        "OWNER_ID": layout.OWNER_ID,
        "DESTINATION_REGION": layout.DESTINATION_REGION,
        "DESTINATION_KMS_KEY_ARN": layout.KEY_ARN,
        "ALLOWED_KMS_KEY_ARNS": "",
        "OPTION_GROUPS": "",
        "KEEP_COPIES": "3",
        "KEEP_DAYS": "0",
        "KEEP_DAILY": "0",
        "KEEP_WEEKLY": "0",
        "KEEP_MONTHLY": "0",
        "KEEP_YEARLY": "0",
        "RETIRED_KEEP_DAYS": "0",
        "COPY_DEADLINE_HOURS": "72",
        "SELECTION": "opt-out",
        "INCLUDE_MANUAL_SNAPSHOTS": "false",
        "INCLUDE_NEPTUNE": "false",
        "INCLUDE_DOCUMENTDB": "false",
        "DRY_RUN": "false",
        "PAGE_SIZE": "500",
        "STACK_NAME": layout.STACK,
        "DATABASE_METRICS": "true",
    }


@pytest.fixture
def start(
    binaries: dict[str, Path], environment: dict[str, str], request: pytest.FixtureRequest
) -> Callable[..., Function]:
    """Starts a function by name, with settings other than the usual ones if some are given."""
    started = 0

    def start_one(name: str, **settings: str) -> Function:
        nonlocal started
        started += 1
        test = re.sub(r"[^\w-]+", "-", request.node.name).strip("-")
        log = FOLDER / f"{test}-{started}-{name}.log"
        return Function(binaries[name], {**environment, **settings}, log)

    return start_one
