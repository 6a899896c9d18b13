"""Builds the functions, the simulator, the command-line program and the deployable template.

The functions are built by cargo-lambda with its default compiler, zig from the virtual environment, just as a user's
own `sam build` does it: the very binaries that run here would be deployed. zig links them for an older C library
than this machine may have (Lambda's provided.al2023 has glibc 2.34) and is no slower than the system's linker.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import layout
from .report import Report
from .supervisor import die_with_parent


class StepFailed(Exception):
    """A build or deploy step ended badly; the message says which, and holds the end of what it printed."""


def run_step(
    report: Report, title: str, command: list[str], log: Path, environment: dict[str, str], hint: str = ""
) -> str:
    """Runs one step, its output into `log`, and reports how long it took. Returns the output."""
    deadline = time.monotonic() + 60
    with report.step(title, hint) as show:
        while True:
            code = _run(command, log, environment, show)
            said = log.read_text(errors="replace")
            # cargo-lambda writes into the old file, and cannot while another test runs that very program.
            if code == 0 or "Text file busy" not in said or time.monotonic() > deadline:
                break
            time.sleep(1)
    if code != 0:
        tail = "\n".join(said.splitlines()[-40:])
        raise StepFailed(
            f"`{' '.join(command)}` ended with status {code}. The end of its output:\n{tail}\nAll of it: {log}"
        )
    return said


def _run(command: list[str], log: Path, environment: dict[str, str], show: Callable[[str], None]) -> int:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=layout.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
            # A group of its own, so that what it starts (cargo, rustc, zig) can be stopped with it.
            start_new_session=True,
        )
    try:
        while True:
            try:
                return process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                show(_last_line(log))
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def _last_line(log: Path) -> str:
    """What the step said last, but for cargo's messages in JSON."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4000))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.startswith(" ")), "")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One local cloud builds at a time: cargo-lambda writes the very files that another `sam build` may be reading."""
    layout.BUILD_LOCK.parent.mkdir(parents=True, exist_ok=True)
    with layout.BUILD_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_functions(report: Report, folder: Path) -> None:
    """All five functions at once; what `sam build` calls afterwards for each of them is then a no-op."""
    with alone():
        run_step(
            report,
            "building the five functions",
            ["cargo", "lambda", "build", "--release"],
            folder / "cargo-functions.log",
            layout.clean_environment(),
            hint="several minutes the first time",
        )


def build_simulator(report: Report, folder: Path) -> Path:
    """The simulator. Returns its path."""
    return _build_program(report, folder, "the RDS simulator", "rds-simulator", "rds-simulator")


def build_command_line(report: Report, folder: Path) -> Path:
    """The operator's program. Returns its path."""
    return _build_program(
        report, folder, "the command-line program", "snapferry", "snapferry", hint="some minutes the first time"
    )


def _build_program(report: Report, folder: Path, what: str, package: str, name: str, hint: str = "") -> Path:
    """A program that runs on this machine only, in the dev profile: it is built fastest, and Rust's tests share it."""
    log = folder / f"cargo-{package}.log"
    said = run_step(
        report,
        f"building {what}",
        ["cargo", "build", "--package", package, "--bin", name, "--message-format", "json"],
        log,
        layout.clean_environment(),
        hint=hint,
    )
    for line in said.splitlines():
        if line.startswith("{") and f'"{name}"' in line:
            message = json.loads(line)
            if message.get("reason") == "compiler-artifact" and message.get("executable"):
                return Path(message["executable"])
    raise StepFailed(f"cargo built no {name}; its output: {log}")


def sam(folder: Path, endpoint: str | None = None) -> tuple[list[str], dict[str, str]]:
    """The SAM command and an environment in which it neither phones home nor looks for updates."""
    home = folder / "sam-home"
    home.mkdir(exist_ok=True)
    (home / "metadata.json").write_text(json.dumps({"telemetryEnabled": False, "lastVersionCheck": time.time()}))
    environment = layout.clean_environment(
        {
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(home),
            # Seconds between two looks at the stack; five by default.
            "SAM_CLI_POLL_DELAY": "0.2",
        }
    )
    if endpoint:
        environment["AWS_ENDPOINT_URL"] = endpoint
    found = shutil.which("sam", path=environment["PATH"])
    if not found:
        raise StepFailed("sam is not installed: run `make` so that it fills .venv, or pip install -r requirements.txt")
    return [found], environment


def sam_build(report: Report, folder: Path, template: Path = layout.TEMPLATE) -> Path:
    """`sam build` of the template that users deploy. Returns the built template."""
    command, environment = sam(folder)
    built = folder / "build"
    with alone():
        run_step(
            report,
            "sam build",
            [*command, "build", "--template-file", str(template), "--build-dir", str(built)],
            folder / "sam-build.log",
            environment,
        )
    return built / "template.yaml"


def bucket(region: str) -> str:
    """Where `sam deploy` puts the functions' zips: Lambda wants them in its own region."""
    return f"{layout.STACK}-artifacts-{region}"


def sam_deploy(
    report: Report, folder: Path, built: Path, endpoint: str, parameters: dict[str, str], stack: str, region: str
) -> None:
    """`sam deploy` of what was built, to MiniStack."""
    command, environment = sam(folder, endpoint)
    run_step(
        report,
        f"sam deploy of stack {stack}",
        [
            *command,
            "deploy",
            "--template-file", str(built),
            "--stack-name", stack,
            "--s3-bucket", bucket(region),
            "--s3-prefix", stack,
            "--region", region,
            "--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND",
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            "--no-progressbar",
            # Quoted for SAM itself, which splits at spaces.
            "--parameter-overrides", *[f'{name}="{value}"' for name, value in parameters.items()],
        ],
        folder / f"sam-deploy-{stack}.log",
        environment,
    )  # fmt: skip
