"""What is reported to the operator while things are prepared: one line per step, with its duration."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO


class Problem(Exception):
    """Ends a command; its message is for whoever called it."""


class Report:
    """Prints steps as they happen, and remembers how long they took."""

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.began = time.monotonic()
        self.timings: dict[str, float] = {}
        """Seconds by step."""

    def say(self, text: str) -> None:
        """Prints one line."""
        if not self.quiet:
            print(text, file=self.stream, flush=True)

    @contextlib.contextmanager
    def step(self, title: str, hint: str = "") -> Iterator[Callable[[str], None]]:
        """Prints the title at once, and the seconds when the step is over.

        What is passed to the function that it gives is shown meanwhile, on a terminal; elsewhere the hint is.
        """
        began = time.monotonic()
        live = self.stream.isatty() and not self.quiet
        beginning = f"{title} ..." + (f" ({hint})" if hint and not live else "")
        if not self.quiet:
            print(beginning, end="", file=self.stream, flush=True)

        def show(doing: str) -> None:
            if live:
                width = shutil.get_terminal_size().columns
                line = f"{beginning} {time.monotonic() - began:.0f} s  {doing.strip()}"[: width - 1]
                print(f"\r\x1b[K{line}", end="", file=self.stream, flush=True)

        try:
            yield show
        except BaseException as error:
            self.say(" failed" if isinstance(error, Exception) else "\r\x1b[K" * live + f"{beginning} interrupted")
            raise
        self.timings[title] = time.monotonic() - began
        if live:
            print(f"\r\x1b[K{beginning}", end="", file=self.stream)
        self.say(f" {self.timings[title]:.1f} s")
