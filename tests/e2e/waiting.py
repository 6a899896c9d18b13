"""Waiting for what happens on its own in the local cloud."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """What a condition gives once it is met."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} has not happened after {seconds:g} s"
        time.sleep(0.05)
    return found
