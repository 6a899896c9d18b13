"""A terminal of any width in which a program runs, and a key that somebody presses in it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pyte

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One program in a pseudo-terminal of its own, as the process that Ctrl-C is meant for.

    Beside what it says there is what an eye sees of it: a screen that obeys it, as a window does.
    """

    def __init__(self, command: list[str], environment: dict[str, str], columns: int = 100, cwd: Path | None = None):
        self.keyboard, self.screen = pty.openpty()
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.modes_before = termios.tcgetattr(self.screen)
        self.modes_changed = False
        self.said = ""
        self.pictures: list[list[str]] = []
        """What was on the screen, line by line, and what had scrolled away, after each piece that the program said."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._window = pyte.HistoryScreen(columns, 40, history=10_000, ratio=1)
        self._stream = pyte.Stream(self._window)
        self.process = subprocess.Popen(
            command,
            env={"TERM": "xterm-256color", **environment},
            stdin=self.screen,
            stdout=self.screen,
            stderr=self.screen,
            cwd=cwd,
            preexec_fn=self._own,
        )

    def _own(self) -> None:
        os.setsid()
        fcntl.ioctl(self.screen, termios.TIOCSCTTY, 0)
        # Started in the background of a shell, this process ignores it, and the program would too.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def read(self, seconds: float = 0.1) -> None:
        """Takes in what the program says for so long, and looks at the terminal's modes."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            # Often, because a mode could be set and taken back.
            if select.select([self.keyboard], [], [], min(left, 0.01))[0]:
                self._take_in(self._decoder.decode(os.read(self.keyboard, 65536)))
            self.modes_changed |= termios.tcgetattr(self.screen) != self.modes_before

    def _take_in(self, said: str) -> None:
        self.said += said
        self._stream.feed(said)
        if not self.pictures or self.lines != self.pictures[-1]:
            self.pictures.append(self.lines)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, and before it what has scrolled away; as wide as the window."""
        gone = ["".join(line[at].data for at in range(self._window.columns)) for line in self._window.history.top]
        return [line.rstrip() for line in [*gone, *self._window.display]]

    def wait_for(self, words: str, seconds: float = 60) -> None:
        """Reads until the program has said it."""
        deadline = time.monotonic() + seconds
        while words not in self.said:
            assert self.process.poll() is None, f"it ended before it said {words!r}:\n{self.said}"
            assert time.monotonic() < deadline, f"after {seconds} s it has not said {words!r}:\n{self.said}"
            self.read(0.05)

    def enter(self, line: str) -> None:
        """Types a line, and presses enter."""
        os.write(self.keyboard, f"{line}\n".encode())

    def press_ctrl_c(self) -> None:
        """The terminal makes a signal of it, if nobody told it otherwise."""
        os.write(self.keyboard, b"\x03")

    def end(self, seconds: float = 90) -> int:
        """Waits for the program's end. Returns its exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it has not ended after {seconds} s:\n{self.said}"
            self.read(0.05)
        self.read(0.1)
        return self.process.returncode

    @property
    def is_as_it_was(self) -> bool:
        """Whether the terminal never left its modes, and shows its cursor on its usual screen."""
        self.modes_changed |= termios.tcgetattr(self.screen) != self.modes_before
        # Private modes hide the cursor, change the screen, catch the mouse.
        return not self.modes_changed and "\x1b[?" not in self.said

    @property
    def text(self) -> str:
        """What it said, without colours and moves of the cursor; of a line that was drawn in place, how it ended."""
        lines = ESCAPES.sub("", self.said).replace("\r\n", "\n").split("\n")
        return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)

    def close(self) -> None:
        """Ends the program if it has not ended, and the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.keyboard)
        os.close(self.screen)
