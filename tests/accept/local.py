"""The local cloud in the place of an account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from accept.account import Account
from local_cloud.callers import Caller, callers_table, deployed_callers
from local_cloud.simulator import Simulator

SCALE = 1000.0
"""How many times faster RDS is."""


class LocalAccount:
    """A local cloud whose endpoints are in the environment, and whose simulator of RDS is at this address."""

    is_local = True
    poll_seconds = 0.05
    patience = 1.0
    settle_seconds = 0.2

    def __init__(self, simulator: str) -> None:
        self.simulator = Simulator(simulator)
        self.account: Account | None = None
        self._callers: dict[str, list[Caller]] = {}
        self.simulator.set_time_scale(SCALE)

    def deployed(self, stack: str, region: str) -> None:
        """Makes the functions of a stack known to the simulator, which refuses whom it does not know."""
        assert self.account is not None
        clients = [self.account.client(service, region) for service in ("cloudformation", "lambda", "iam")]
        self._callers[stack] = list(deployed_callers(clients[0], clients[1], clients[2], stack).values())
        self.simulator.set_callers(callers_table([one for callers in self._callers.values() for one in callers]))

    @contextmanager
    def slowly(self) -> Iterator[None]:
        """Databases and copies stay as they are."""
        self.simulator.set_time_scale(0.001)
        try:
            yield
        finally:
            self.simulator.set_time_scale(SCALE)
