"""What is known of a run before it makes anything, so that the next start can remove what one left that was cut off."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from accept.account import Run

Json = Any

FOLDER = Path(os.environ.get("SNAPFERRY_ACCEPT_STATE") or Path(__file__).resolve().parents[2] / "target" / "accept")
"""Where it is kept."""


@dataclass
class State:
    """The file of one run, locked for as long as its process lives."""

    file: Path
    content: Json
    lock: IO[str]

    @classmethod
    def begin(cls, run: Run, account: str) -> State:
        """Writes down what is about to begin."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = FOLDER / f"{run.id}.run.json"
        lock = file.with_suffix(".lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = {
            "run": run.id,
            "expires": run.expires,
            "region": run.region,
            "destination": run.destination,
            "account": account,
        }
        state = cls(file, content, lock)
        state.note()
        return state

    @property
    def run(self) -> Run:
        """The run that it is of."""
        return Run(self.content["run"], self.content["expires"], self.content["region"], self.content["destination"])

    def note(self, **more: Json) -> None:
        """Writes down more, whole or not at all."""
        self.content.update(more)
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self.content))
        new.replace(self.file)

    def end(self) -> None:
        """Nothing is left of the run."""
        self.file.unlink(missing_ok=True)
        self.file.with_suffix(".lock").unlink(missing_ok=True)
        self.lock.close()

    def end_child(self) -> None:
        """Ends the script that a run which was cut off had started, if it still works for that run."""
        group = self.content.get("child")
        if group is None:
            return
        listed = subprocess.run(["ps", "-A", "-o", "pgid=,args="], capture_output=True, text=True, check=False).stdout
        for line in listed.splitlines():
            number, _, command = line.strip().partition(" ")
            if number == str(group) and self.run.name in command:
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
                return


def cut_off() -> list[State]:
    """The runs that have begun here and did not end, and whose process is gone."""
    found = []
    for file in sorted(FOLDER.glob("*.run.json")):
        lock = file.with_suffix(".lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = json.loads(file.read_text())
        except BlockingIOError:
            lock.close()
            continue
        except FileNotFoundError:
            lock.close()
            continue
        found.append(State(file, content, lock))
    return found
