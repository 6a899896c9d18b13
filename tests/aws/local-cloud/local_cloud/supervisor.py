"""Owns the simulator, MiniStack and every function process, and sees to it that none of them outlives it.

It is started in a session of its own, so that all of them share its process group. It ends, and with it the whole
group, when it is told to (SIGTERM), when the process that started it goes away (its standard input closes; not when
detached), or when one of the two servers dies. It says `{"simulator": URL, "ministack": URL}` once both listen.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def die_with_parent() -> None:
    """For `preexec_fn`: the kernel kills the new process as soon as its parent is gone, however it went."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def group_members(group: int) -> list[int]:
    """The processes of a process group that still run (zombies do not count)."""
    members: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The command, in parentheses, may itself hold spaces and parentheses.
            state, _parent, process_group = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:3]
        except (OSError, ValueError, IndexError):
            continue  # It ended while being looked at.
        if int(process_group) == group and state not in ("Z", "X"):
            members.append(int(entry.name))
    return members


class Supervisor:
    """Two servers and their children, in one process group."""

    def __init__(self, folder: Path, simulator: Path, scale: float) -> None:
        self.folder = folder
        self.simulator = simulator
        self.scale = scale
        self.servers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> dict[str, str]:
        """Starts both servers, one after the other: MiniStack's functions are told where the simulator is."""
        simulator = self._serve(
            "simulator",
            [str(self.simulator), "--listen", "127.0.0.1:0", "--time-scale", f"{self.scale:g}"],
            {},
        )
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        ministack = self._serve(
            "ministack",
            [sys.executable, "-m", "local_cloud.ministack_server"],
            {
                # Inherited by every function: the AWS SDK sends RDS and KMS calls there (the keys that snapshots are
                # encrypted with are the simulator's), all others to AWS_ENDPOINT_URL.
                "AWS_ENDPOINT_URL_RDS": simulator,
                "AWS_ENDPOINT_URL_KMS": simulator,
                "SFN_WAIT_SCALE": repr(1 / self.scale),
                "TMPDIR": str(temporary),
            },
        )
        return {"simulator": simulator, "ministack": ministack}

    def _serve(self, name: str, command: list[str], environment: dict[str, str]) -> str:
        log = (self.folder / f"{name}.log").open("wb")
        server = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=die_with_parent,
        )
        self.servers[name] = server
        said = _first_line(server, seconds=60)
        if not said:
            raise SystemExit(f"{name} did not start; its log is {log.name}")
        # Whatever else it says goes to the log too; a full pipe would stop it.
        threading.Thread(target=shutil.copyfileobj, args=(server.stdout, log), daemon=True).start()
        return json.loads(said)["listening"]

    def watch(self, follow_input: bool) -> str:
        """Waits until there is a reason to stop, and returns it."""
        poller = select.poll()
        if follow_input:
            poller.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
        while True:
            if poller.poll(200) and not os.read(sys.stdin.fileno(), 4096):
                return "the process that started it is gone"
            for name, server in self.servers.items():
                if server.poll() is not None:
                    return f"{name} ended with status {server.returncode}"

    def stop(self) -> None:
        """Ends the group. Nothing is worth saving, so after a moment for the servers the rest is killed."""
        for server in self.servers.values():
            server.terminate()
        deadline = time.monotonic() + 3
        for server in self.servers.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(max(0.0, deadline - time.monotonic()))
        while others := [pid for pid in group_members(os.getpgrp()) if pid != os.getpid()]:
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def _first_line(server: subprocess.Popen[bytes], seconds: float) -> bytes:
    assert server.stdout is not None
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n") and time.monotonic() < deadline:
        if select.select([server.stdout], [], [], 0.2)[0]:
            read = os.read(server.stdout.fileno(), 4096)
            if not read:
                return b""
            line += read
    return line.splitlines()[0] if line else b""


def main() -> NoReturn:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--simulator", type=Path, required=True)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--detached", action="store_true")
    options = parser.parse_args()
    # Functions of a MiniStack that crashed become children of this process and are found in its group.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def asked_to_stop(_number: int, _frame: object) -> NoReturn:
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, asked_to_stop)
    supervisor = Supervisor(options.folder, options.simulator, options.scale)
    try:
        print(json.dumps(supervisor.start()), flush=True)
        reason = supervisor.watch(follow_input=not options.detached)
        print(f"stopping: {reason}", file=sys.stderr, flush=True)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        supervisor.stop()
    raise SystemExit(0)


if __name__ == "__main__":
    main()
