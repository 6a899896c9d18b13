"""The operator's program, `snapferry`, as somebody at a keyboard runs it against a local cloud."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import IO

from . import layout
from .cloud import FOLDER_VARIABLE, CloudError, LocalCloud
from .supervisor import die_with_parent


def environment(cloud: LocalCloud) -> dict[str, str]:
    """That of an operator of this cloud, and of no other account."""
    return layout.clean_environment(
        {**cloud.exports(), **cloud.clock.environment(), FOLDER_VARIABLE: str(cloud.folder)}
    )


def written(program: Path, arguments: list[str]) -> str:
    """The command as it is typed in the root of the checkout."""
    shown = program.relative_to(layout.ROOT) if program.is_relative_to(layout.ROOT) else program
    return " ".join([str(shown), *arguments])


def run(cloud: LocalCloud, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, in pipes."""
    return subprocess.run(
        [str(cloud.program), *arguments],
        env=environment(cloud),
        cwd=layout.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        preexec_fn=die_with_parent,
    )


def show(cloud: LocalCloud, arguments: list[str], stream: IO[str], seconds: float) -> int:
    """Runs a command whose output goes where `stream` does, a terminal included. Returns its exit code."""
    stream.flush()
    try:
        output: int = stream.fileno()
    except OSError:
        output = subprocess.PIPE  # A stream that is no file, as in tests.
    process = subprocess.Popen(
        [str(cloud.program), *arguments],
        env=environment(cloud),
        cwd=layout.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_apart,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
        stream.write(said or "")
        return process.returncode
    except subprocess.TimeoutExpired:
        raise CloudError(f"`{written(cloud.program, arguments)}` has not ended after {seconds:g} s") from None
    finally:
        if process.poll() is None:
            # So that it takes its bars off the screen.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()


def _apart() -> None:
    """Ctrl-C is meant for whoever shows the command: it would say that the run goes on, which ends with the cloud."""
    os.setpgid(0, 0)
    die_with_parent()
