"""Ctrl-C and the like. An exception that a signal raises within a callback of a library is lost, so it is raised once
more by whatever the run does next."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_asked: list[int] = []


def heed() -> None:
    """From now on a signal ends the run, so that what it made is removed."""
    for number in SIGNALS:
        signal.signal(number, _stop)


def ignore(say: str) -> None:
    """From now on a signal is answered with a word only."""
    _asked.clear()
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: print(say, flush=True))


def check() -> None:
    """Ends the run if somebody has asked for that."""
    if _asked:
        raise SystemExit(128 + _asked[0])


def _stop(number: int, _frame: FrameType | None) -> None:
    _asked.append(number)
    check()
