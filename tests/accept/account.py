"""The account that the kit works in: its two regions, its clients, and the marks of what is made in it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from accept import stopping

Json = Any

PREFIX = "snapferry-accept"
"""What every name begins with."""

RUN_TAG = "accept-snapferry:run"
"""The run that made something. Keys that begin like Snapferry's own would not be inherited by copies."""

EXPIRES_TAG = "accept-snapferry:expires"
"""The time from which on anybody may remove it."""

HOURS = 24
"""How long what a run makes may exist."""


class AcceptError(Exception):
    """The run cannot go on; the message says why."""


@dataclass(frozen=True)
class Run:
    """One run of the kit: what tells its resources from all others."""

    id: str
    expires: str
    region: str
    destination: str

    @property
    def name(self) -> str:
        """What the names of its resources begin with."""
        return f"{PREFIX}-{self.id}"

    @property
    def owner(self) -> str:
        """The `OwnerId` of its stacks: at most 12 characters."""
        return f"acc{self.id}"

    @property
    def stack(self) -> str:
        """The stack in the source region."""
        return self.name

    @property
    def watch_stack(self) -> str:
        """The stack in the destination region."""
        return f"{self.name}-watch"

    @property
    def marks(self) -> dict[str, str]:
        """The tags of everything that it makes."""
        return {RUN_TAG: self.id, EXPIRES_TAG: self.expires}

    def tags(self, **more: str) -> list[dict[str, str]]:
        """The same, and more, as a call takes them."""
        return tag_list({**self.marks, **more})

    def bucket(self, account: str, region: str) -> str:
        """Its bucket in a region."""
        return f"{self.name}-{account}-{region}"


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as a call takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(tags: list[dict[str, str]] | None) -> dict[str, str]:
    """Tags as an answer has them, by key."""
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def utc_now() -> datetime.datetime:
    """The time of this machine."""
    return datetime.datetime.now(datetime.timezone.utc)


def written(when: datetime.datetime) -> str:
    """A time as tags have it."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def code_of(error: ClientError) -> str:
    """The code of an error of AWS."""
    return str(error.response["Error"].get("Code", ""))


class Place(Protocol):
    """What differs between a real account and the local cloud."""

    is_local: bool
    poll_seconds: float
    """Between two looks at something that takes time."""
    patience: float
    """Real seconds in a minute that is waited."""
    settle_seconds: float
    """After which a list of what is left holds what was under way."""

    def deployed(self, stack: str, region: str) -> None:
        """A stack was deployed."""

    def slowly(self) -> Any:
        """A context in which nothing moves, where that can be had."""


class RealAccount:
    """An account of AWS."""

    is_local = False
    poll_seconds = 15.0
    patience = 60.0
    settle_seconds = 30.0

    def deployed(self, stack: str, region: str) -> None:
        """Nothing is to be done."""

    @contextmanager
    def slowly(self) -> Iterator[None]:
        """AWS is slow enough."""
        yield


@dataclass
class Account:
    """An account, as boto3 is configured for it by the environment."""

    region: str
    destination: str
    place: Place
    id: str = ""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _session: Any = None

    def __post_init__(self) -> None:
        self._session = boto3.session.Session()
        if not self.id:
            self.id = str(self.client("sts", self.region).get_caller_identity()["Account"])

    @property
    def regions(self) -> tuple[str, str]:
        """Both regions."""
        return (self.region, self.destination)

    def client(self, service: str, region: str) -> Any:
        """A client of a service in a region."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self._session.client(
                service,
                region_name=region,
                # Questions want the first answer; only what is throttled or lost is asked again.
                config=Config(retries={"mode": "standard", "max_attempts": 4}, read_timeout=60),
            )
        return self._clients[service, region]

    def until(self, condition: Callable[[], Any], what: str, minutes: float) -> Any:
        """Waits for a condition, and gives what it gave."""
        deadline = time.monotonic() + minutes * self.place.patience
        while not (found := condition()):
            stopping.check()
            if time.monotonic() > deadline:
                raise AcceptError(f"after {minutes:g} minutes there is still not {what}")
            time.sleep(self.place.poll_seconds)
        return found
