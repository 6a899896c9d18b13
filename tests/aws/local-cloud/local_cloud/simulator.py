"""A client of the RDS simulator's control API."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from .report import Problem

Json = Any


class ControlError(Problem):
    """The simulator refused a control call; the message holds its answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Simulator:
    """The control API at one address. Every method is one call."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _call(self, method: str, path: str, body: Json = None) -> Json:
        request = urllib.request.Request(
            f"{self.url}/_control/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise ControlError(f"{method} /_control/{path}: {error.code} {said}", error.code) from error
        return json.loads(text) if text else None

    def seed(self, scenario: Json) -> None:
        """Replaces the whole state, with counters, faults and holds; callers and time scale stay."""
        self._call("POST", "seed", scenario)

    def create_snapshot(self, region: str, database: str, **more: Json) -> str:
        """Takes a snapshot of a database, as RDS, AWS Backup or a person does. Returns its ARN."""
        return str(self._call("POST", "create-snapshot", {"region": region, "database": database, **more})["arn"])

    def restore(self, region: str, snapshot: str, database: str, **more: Json) -> None:
        """Restores a database from a snapshot of its region."""
        self._call("POST", "restore", {"region": region, "snapshot": snapshot, "database": database, **more})

    def add_restore_fate(self, region: str, **fate: Json) -> None:
        """Says how restores to come end: `database="acme-drill-*", status="incompatible-restore", times=1`."""
        self._call("POST", "restore-fate", {"region": region, "fate": fate})

    def rename(self, region: str, name: str, to: str) -> None:
        """Gives a database another identifier."""
        self._call("POST", "rename", {"region": region, "name": name, "to": to})

    def state(self) -> Json:
        """Every region's databases and snapshots as they are now."""
        return self._call("GET", "state")

    def aliases(self) -> dict[str, str]:
        """What a scenario calls its copies that Snapferry's naming function named, by their identifiers."""
        return {
            snapshot["id"]: snapshot["alias"]
            for region in self.state()["regions"].values()
            for snapshot in region["snapshots"]
            if snapshot.get("alias")
        }

    def counters(self) -> Json:
        """Calls, refusals, copies in flight at their peak."""
        return self._call("GET", "counters")

    def bills(self) -> list[Json]:
        """What AWS would bill for each database that a call has restored or created, the oldest first."""
        return list(self.counters()["restored"])

    def writes(self) -> list[Json]:
        """Every call that was meant to change something, the oldest first, with its outcome."""
        return self._call("GET", "writes")

    def add_fault(self, fault: Json) -> Json:
        """Makes matching calls fail."""
        return self._call("POST", "faults", fault)

    def clear_faults(self) -> None:
        """Removes every fault."""
        self._call("DELETE", "faults")

    def holds(self) -> list[Json]:
        """The holds, each with the number of calls that wait in it."""
        answer = self._call("GET", "holds")
        return answer["holds"] if isinstance(answer, dict) else answer

    def release(self, hold: int) -> None:
        """Lets the calls of one hold go on; nothing happens if it is gone already."""
        try:
            self._call("DELETE", f"holds/{hold}")
        except ControlError as error:
            if error.status != 404:
                raise

    def add_hold(self, operation: str, **conditions: Json) -> int:
        """Keeps back the replies to an operation from now on; the calls have their effect. Returns a number for it."""
        return int(self._call("POST", "holds", {"operation": operation, **conditions})["hold"])

    @contextlib.contextmanager
    def hold(self, operation: str, **conditions: Json) -> Iterator[int]:
        """The same for the length of a `with` block."""
        hold = self.add_hold(operation, **conditions)
        try:
            yield hold
        finally:
            self.release(hold)

    def release_all(self) -> None:
        """Lets every held call go on."""
        for hold in self.holds():
            self.release(hold["hold"])

    def wait_until_held(self, hold: int, seconds: float = 30, calls: int = 1) -> None:
        """Waits until as many calls wait in a hold."""
        deadline = time.monotonic() + seconds
        while True:
            waiting = {one["hold"]: one["waiting"] for one in self.holds()}
            if waiting.get(hold, 0) >= calls:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds} s hold {hold} has {waiting.get(hold)} of {calls} calls waiting")
            time.sleep(0.02)

    def expire(self, snapshot_arn: str) -> None:
        """Removes a snapshot as RDS removes an automated one whose time is over."""
        self._call("POST", "expire", {"arn": snapshot_arn})

    def set_key_state(self, region: str, key: str, state: str) -> None:
        """Puts a key (id, ARN or alias) into a state of KMS: `Disabled`, `PendingDeletion`, `Enabled` ..."""
        self._call("POST", "key-state", {"region": region, "key": key, "state": state})

    def delete_option_group(self, region: str, name: str) -> None:
        """Deletes an option group, whoever uses it."""
        self._call("POST", "delete-option-group", {"region": region, "name": name})

    def set_callers(self, callers: dict[str, Json]) -> None:
        """Who may do what: access key to role and policy documents. Any other key is refused."""
        self._call("PUT", "callers", callers)

    def set_time_scale(self, scale: float) -> None:
        """How many times faster than real ones copies are."""
        self._call("PUT", "time-scale", {"scale": scale})

    def end_copies_at_once(self) -> None:
        """A microsecond is enough for any copy from now on, so that the next poll finds it complete."""
        self.set_time_scale(1e12)
