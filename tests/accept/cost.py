"""What a run costs, before it begins.

These prices are of eu-west-1 and eu-central-1, as remembered on the day below. Nobody has confirmed them against a
bill: they are for an order of magnitude.
"""

from __future__ import annotations

from dataclasses import dataclass

DATE = "2026-11-25"

HOURS = 4
"""How long a run takes, rounded up."""


@dataclass(frozen=True)
class Item:
    """One line of the estimate."""

    what: str
    dollars: float


def items(aurora: bool) -> list[Item]:
    """What is paid for."""
    found = [
        Item(f"a db.t4g.micro PostgreSQL instance for {HOURS} h, 20 GiB gp3", 0.018 * HOURS + 20 * 0.133 / 730 * HOURS),
        Item("5 restores of it in the destination region, 10 minutes each at least", 5 * 0.018 / 3),
        Item("snapshots and copies for a day, 10 of 20 GiB at most", 10 * 20 * 0.095 / 30),
        Item("transfer of 8 copies, 20 GiB each at most", 8 * 20 * 0.02),
        Item("functions, state machines, logs, alarms, buckets", 0.10),
    ]
    if aurora:
        found += [
            Item(f"an Aurora PostgreSQL cluster with one db.t4g.medium for {HOURS} h", 0.088 * HOURS),
            Item("4 copies of it, and a drill of its volume", 0.20),
        ]
    return found


def total(aurora: bool) -> float:
    """All of it."""
    return sum(item.dollars for item in items(aurora))


def table(aurora: bool) -> str:
    """As it is shown before the question."""
    lines = [f"  ${item.dollars:>5.2f}  {item.what}" for item in items(aurora)]
    return "\n".join([*lines, f"  ${total(aurora):>5.2f}  in sum, at prices of {DATE} that are not confirmed"])
