"""What the operator is told while things are prepared: one line a step, with its duration."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TextIO


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
    def step(self, title: str) -> Iterator[None]:
        """Prints the title at once, and the seconds when the step is over."""
        began = time.monotonic()
        if not self.quiet:
            print(f"{title} ...", end="", file=self.stream, flush=True)
        try:
            yield
        except BaseException:
            self.say(" failed")
            raise
        self.timings[title] = time.monotonic() - began
        self.say(f" {self.timings[title]:.1f} s")
