"""Builds the functions, the simulator, the command-line program and the deployable template.

There are two builds of the functions. The end-to-end tests and the measures take the one that is released: built by
cargo-lambda with its default compiler, zig from the virtual environment, just as a user's own `sam build` does it, so
that the very binaries that run here would be deployed. `make demo` and `make local-up` take the one that is there
soonest, of the dev profile.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from . import layout
from .report import Problem, Report
from .supervisor import die_with_parent


class StepFailed(Problem):
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
        # Without how far cargo was, and what it writes for programs.
        lines = [line for line in said.splitlines() if not line.startswith(("{", "    Building ["))]
        tail = "\n".join(lines[-40:])
        raise StepFailed(
            f"`{' '.join(command)}` ended with status {code}. The end of its output:\n{tail}\nAll of it: {log}"
        )
    return said


def _run(command: list[str], log: Path, environment: dict[str, str], show: Callable[[str], None]) -> int:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=layout.ROOT,
            # Without a terminal cargo counts crates only if told to.
            env={"CARGO_TERM_PROGRESS_WHEN": "always", "CARGO_TERM_PROGRESS_WIDTH": "100", **environment},
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
                show(progress(log))
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def progress(log: Path) -> str:
    """How far cargo says that it is, or else what the step said last."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        said = file.read().decode(errors="replace")
    if counted := re.findall(r"Building \[.*?\] (\d+)/(\d+)(?:: ([\w-]+)(\(bin\))?)?", said):
        done, all_of_them, at, is_program = counted[-1]
        # A program is the last thing that is built of it, and takes longest where it is optimised as a whole.
        return f"crate {done} of {all_of_them}" + (f", {'linking ' * bool(is_program)}{at}" if at else "")
    return next((line for line in reversed(said.splitlines()) if line.startswith(" ")), "")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One local cloud builds at a time: cargo writes the very files that another one may be reading."""
    layout.BUILD_LOCK.parent.mkdir(parents=True, exist_ok=True)
    with layout.BUILD_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_functions(report: Report, folder: Path) -> None:
    """Every function as it is released; what `sam build` calls afterwards for each of them is then a no-op."""
    with alone():
        run_step(
            report,
            "building the functions for release",
            ["cargo", "lambda", "build", "--release"],
            folder / "cargo-functions.log",
            layout.clean_environment(),
            hint="several minutes the first time",
        )


def build_programs(report: Report, folder: Path) -> dict[str, Path]:
    """The programs for this machine only, each of the name of its package, by name.

    In the dev profile, which is built fastest, and always all of them: for a part of them the SDK would have other
    features, and be compiled once more. For the same reason it is everything where Rust's tests were built before:
    `LOCAL_CLOUD_PROFILE` is their profile then. They are links in the folder, because cargo replaces its own files when
    a build differs in features.
    """
    tested = os.environ.get("LOCAL_CLOUD_PROFILE")
    what = ["--bins", *(f"-p={name}" for name in layout.PROGRAMS)]
    if tested:
        what = ["--workspace", "--all-targets", f"--profile={tested}"]
    log = folder / "cargo-programs.log"
    linked = folder / "programs"
    linked.mkdir(exist_ok=True)
    with alone():
        said = run_step(
            report,
            f"building {len(layout.PROGRAMS)} programs",
            ["cargo", "build", *what, "--message-format=json-render-diagnostics"],
            log,
            layout.clean_environment(),
            hint="minutes the first time",
        )
        built = {}
        for message in map(json.loads, re.findall(r'\{"reason":"compiler-artifact",.*', said)):
            is_program = message["target"]["kind"] == ["bin"] and not message["profile"]["test"]
            if is_program and message["executable"] and message["target"]["name"] in layout.PROGRAMS:
                program = linked / message["target"]["name"]
                if not (program.exists() and program.samefile(message["executable"])):
                    program.unlink(missing_ok=True)
                    program.hardlink_to(message["executable"])
                built[program.name] = program
    if missing := [package for package in layout.PROGRAMS if package not in built]:
        raise StepFailed(f"cargo built no {', '.join(missing)}; its output: {log}")
    return built


def stamp(programs: dict[str, Path]) -> str:
    """Another text for other programs, another template or other state machines."""
    files = [*programs.values(), layout.TEMPLATE, *sorted((layout.ROOT / "statemachine").glob("*.json"))]
    found = [f"{file.name} {file.stat().st_mtime_ns} {file.stat().st_size}" for file in files]
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()


def lay_out(
    report: Report,
    folder: Path,
    programs: dict[str, Path],
    source: Path = layout.TEMPLATE,
    functions: dict[str, str] | None = None,
) -> Path:
    """A template that users deploy, with the functions of the dev profile zipped: what `sam build` takes minutes for.

    MiniStack starts them on this machine, so that nothing has to be linked for the older C library of Lambda.
    """
    # Not there before the requirements are installed.
    from samtranslator.yaml_helper import yaml_parse

    built = folder / ("build" if source == layout.TEMPLATE else f"build-{source.stem}")
    built.mkdir()
    template = yaml_parse(source.read_text())
    with report.step("zipping the functions"):
        for function, logical_id in (functions or layout.FUNCTIONS).items():
            bootstrap, package = built / function, built / f"{function}.zip"
            # Half of what would be zipped, and unzipped, is of use to debuggers only.
            stripped = subprocess.run(
                ["strip", "-o", bootstrap, programs[function]], stderr=subprocess.PIPE, text=True, check=False
            )
            if stripped.returncode:
                raise StepFailed(f"{function} could not be stripped: {stripped.stderr.strip()}")
            with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.write(bootstrap, "bootstrap")
            bootstrap.unlink()
            template["Resources"][logical_id]["Properties"]["CodeUri"] = str(package)
    for resource in template["Resources"].values():
        if definition := resource.get("Properties", {}).get("DefinitionUri"):
            resource["Properties"]["DefinitionUri"] = str(source.parent / definition)
    (built / "template.json").write_text(json.dumps(template, indent=2))
    return built / "template.json"


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
    built = folder / ("build" if template == layout.TEMPLATE else f"build-{template.stem}")
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
