"""The clock of a local cloud, which can be put forward by hours.

Times are part of what is tested: names and tags of copies hold them, RDS reports them, retention and objectives count
in them. So that they agree with one another, it is the clock that moves and not the world: a small library, preloaded
into both servers, every function and the program, puts forward what the kernel says. It never goes back, because then
executions and logs would lie in the future.
"""

from __future__ import annotations

import os
import struct
import subprocess
import time
from pathlib import Path

from .report import Problem

SOURCE = Path(__file__).with_name("clock.c")
FORMAT = "=q"
"""As the library reads it: seconds, signed, 64 bits."""


class ClockError(Problem):
    """The library could not be built; the message says why."""


class Clock:
    """The clock of the local cloud in a folder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.library = folder / "clock.so"

    def build(self) -> None:
        """Compiles the library, and sets the clock to the time of this machine."""
        compiler = os.environ.get("CC") or "cc"
        command = [*compiler.split(), "-shared", "-fPIC", "-O2", "-o", str(self.library), str(SOURCE), "-ldl"]
        try:
            built = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise ClockError(f"the C compiler {compiler} does not start ({error}): install gcc, or set CC") from None
        if built.returncode:
            raise ClockError(f"`{' '.join(command)}` failed:\n{built.stderr.strip()}")
        self.file.write_bytes(struct.pack(FORMAT, 0))

    def environment(self) -> dict[str, str]:
        """What lets a process live by this clock."""
        return {"LD_PRELOAD": str(self.library), "LOCAL_CLOUD_CLOCK": str(self.file)}

    def ahead(self) -> int:
        """Seconds by which it is ahead of this machine's."""
        return int(struct.unpack(FORMAT, self.file.read_bytes())[0])

    def now(self) -> float:
        """The time there, in seconds since 1970."""
        return time.time() + self.ahead()

    def put_forward(self, hours: float) -> None:
        """Lets hours pass at once."""
        # Written over, not anew: everybody has mapped this very file.
        with self.file.open("r+b") as file:
            file.write(struct.pack(FORMAT, self.ahead() + round(hours * 3600)))
