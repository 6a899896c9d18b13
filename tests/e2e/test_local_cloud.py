"""The local cloud itself: loopback only, and nothing is left of it, however it ends."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import zipfile
from pathlib import Path

import boto3
import pytest

from e2e.terminal import Terminal
from e2e.waiting import until
from local_cloud import layout, prerequisites
from local_cloud.cloud import FOLDER_VARIABLE
from local_cloud.runs import Runs

COMMAND = [sys.executable, "-m", "local_cloud"]


def processes_of(folder: Path) -> list[int]:
    """Every process on this machine that was started for a local cloud in that folder, by what its environment says."""
    mark = f"{FOLDER_VARIABLE}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def listeners_of(processes: list[int]) -> list[str]:
    """The addresses that these processes listen on."""
    sockets = set()
    for pid in processes:
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    sockets.update(re.findall(r"socket:\[(\d+)\]", os.readlink(descriptor)))
    found = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            listens = columns[3] == "0A"
            if listens and columns[9] in sockets:
                raw = bytes.fromhex(columns[1].split(":")[0])
                # The kernel prints each four bytes in the machine's order.
                swapped = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
                found.append(socket.inet_ntop(family, swapped))
    return found


def is_open(url: str) -> bool:
    address = urllib.parse.urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) == 0


@pytest.fixture
def workspace(tmp_path, cloud):
    """A place of its own, so that a developer's `make local-up` is left alone. What is left over is killed."""
    yield tmp_path
    for name in ("detached", "demo"):
        for pid in processes_of(tmp_path / name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def call(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, "LOCAL_CLOUD_WORKSPACE": str(workspace)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def exports(text: str) -> dict[str, str]:
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("export ")]
    return dict(line[1].split("=", 1) for line in lines)


def start_a_run(environment: dict[str, str]) -> tuple[Runs, str]:
    """As somebody would who has read the README: boto3, configured by the printed environment only."""
    session = boto3.session.Session(
        environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], region_name=environment["AWS_REGION"]
    )
    runs = Runs(session.client("stepfunctions", endpoint_url=environment["AWS_ENDPOINT_URL"]))
    return runs, runs.start({})


def test_up_and_down_leave_nothing(workspace):
    up = call(workspace, "up")
    assert up.returncode == 0, up.stderr
    folder = workspace / "detached"
    environment = exports(up.stdout)
    assert exports(call(workspace, "env").stdout) == environment
    assert environment["AWS_ENDPOINT_URL_KMS"] == environment["AWS_ENDPOINT_URL_RDS"]
    assert "running" in call(workspace, "status").stdout
    again = call(workspace, "up")
    assert again.returncode == 0
    assert "already running" in again.stderr

    runs, run = start_a_run(environment)
    until(lambda: runs.children(run), "the first copies")
    # The supervisor, MiniStack, the simulator, and functions.
    until(lambda: len(processes_of(folder)) > 5, "several functions")
    addresses = listeners_of(processes_of(folder))
    # Two servers, and MiniStack's side of each function.
    assert len(addresses) >= 3
    assert set(addresses) == {"127.0.0.1"}

    down = call(workspace, "down")
    assert down.returncode == 0, down.stderr
    assert processes_of(folder) == []
    assert not is_open(environment["AWS_ENDPOINT_URL"])
    assert not is_open(environment["AWS_ENDPOINT_URL_RDS"])
    assert call(workspace, "status").returncode == 1
    assert call(workspace, "down").returncode == 0


def test_down_works_even_if_the_supervisor_was_killed(workspace):
    up = call(workspace, "up")
    assert up.returncode == 0, up.stderr
    folder = workspace / "detached"
    runs, run = start_a_run(exports(up.stdout))
    until(lambda: runs.children(run), "the first copies")
    (supervisor,) = [
        pid for pid in processes_of(folder) if b"local_cloud.supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: supervisor not in processes_of(folder), "the supervisor's end")
    assert call(workspace, "down").returncode == 0
    assert processes_of(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_demo_that_is_cut_short_leaves_nothing(workspace, number):
    demo = subprocess.Popen(
        [*COMMAND, "demo"],
        env={**os.environ, "LOCAL_CLOUD_WORKSPACE": str(workspace)},
        stdout=subprocess.PIPE,
        stderr=(workspace / "stderr").open("wb"),
        start_new_session=True,
        # Started in the background of a shell, this process ignores SIGINT, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    said = b""
    deadline = time.monotonic() + 200
    while b"copying" not in said:
        assert time.monotonic() < deadline, said
        if select.select([demo.stdout], [], [], 0.5)[0]:
            read = os.read(demo.stdout.fileno(), 4096)
            assert read, said + (workspace / "stderr").read_bytes()
            said += read
    folder = workspace / "demo"
    assert len(processes_of(folder)) > 3
    demo.send_signal(number)
    status = demo.wait(timeout=30)
    assert status == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    until(lambda: processes_of(folder) == [], "the end of everything that the demo started", seconds=10)


def test_ctrl_c_in_a_terminal_ends_the_demo_and_all_that_it_started(workspace):
    demo = Terminal([*COMMAND, "demo"], {**os.environ, "LOCAL_CLOUD_WORKSPACE": str(workspace)}, cwd=layout.ROOT)
    try:
        demo.wait_for(" copying, ", seconds=200)
        demo.press_ctrl_c()
        assert demo.end(30) == 130
        assert demo.is_as_it_was
    finally:
        demo.close()
    assert "everything that was started has been stopped" in demo.text
    # The program would say so, but the run ends with the cloud.
    assert "The run goes on" not in demo.text
    until(lambda: processes_of(workspace / "demo") == [], "the end of everything that the demo started", seconds=10)


def test_the_five_artifacts_are_five_programs_that_lambda_can_run(session_cloud):
    built = session_cloud.built_template.parent
    programs = {name: (built / logical_id / "bootstrap").read_bytes() for name, logical_id in layout.FUNCTIONS.items()}
    assert len({hashlib.sha256(program).digest() for program in programs.values()}) == 5
    for name, program in programs.items():
        assert program[:5] == b"\x7fELF\x02", name
        x86_64 = 62
        assert int.from_bytes(program[18:20], "little") == x86_64, f"{name} is for another architecture"
        needs = max(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", program))
        # The glibc of provided.al2023.
        assert needs <= 34, f"{name} needs glibc 2.{needs}"


def test_each_zipped_function_is_at_most_3_mb(session_cloud, tmp_path):
    built = session_cloud.built_template.parent
    for name, logical_id in layout.FUNCTIONS.items():
        file = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(built / logical_id / "bootstrap", "bootstrap")
        print(f"{name}: {file.stat().st_size / 1e6:.2f} MB")
        assert file.stat().st_size <= 3_000_000, name


def test_a_missing_prerequisite_is_named_in_one_sentence(monkeypatch, tmp_path):
    assert prerequisites.missing() == []
    monkeypatch.setenv("PATH", str(tmp_path))
    sentences = prerequisites.missing()
    assert len(sentences) == 3
    for what in ("cargo", "C compiler", "make"):
        assert sum(what in sentence.split(":")[0] for sentence in sentences) == 1, sentences


def test_prerequisites_are_checked_before_anything_is_installed(tmp_path):
    """With a bare interpreter, without site-packages, as the Makefile calls it."""
    checked = subprocess.run(
        [sys.executable, "-S", "-I", str(layout.ROOT / "tests/aws/local-cloud/local_cloud/prerequisites.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    assert "cargo and rustc are missing" in checked.stderr


def test_every_command_has_help_with_examples():
    for command in ([], ["up"], ["down"], ["env"], ["status"], ["scenario"], ["demo"]):
        said = subprocess.run([*COMMAND, *command, "--help"], capture_output=True, text=True, check=True).stdout
        assert "examples:" in said, command


def test_nothing_of_a_real_account_reaches_the_local_cloud(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    environment = layout.clean_environment()
    assert "AWS_PROFILE" not in environment
    assert "AWS_SESSION_TOKEN" not in environment
    assert environment["AWS_CONFIG_FILE"] == os.devnull
