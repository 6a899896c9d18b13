"""What AWS said, as one file in which nothing of the account is left."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from accept import stopping
from accept.account import PREFIX, Account, Run, utc_now, written

Json = Any

VERSION = 1

UUID = re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b")
PATTERNS = [
    ("url", re.compile(r"https?://[^\s\"'<>]+")),
    ("host", re.compile(r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?(?::\d+)?")),
    ("address", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b")),
    ("principal", re.compile(r"\barn:[a-z-]+:(?:iam|sts)::\d*:[^\s\"',]+")),
    ("key", re.compile(r"\b(?:mrk-[0-9a-f]{32}|key/[0-9a-f]{32})\b")),
    ("access-key", re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{8,}\b")),
    ("id", UUID),
    ("resource", re.compile(r"\b(?:db|cluster)-[A-Z0-9]{20,}\b")),
    ("network", re.compile(r"\b(?:vpc|subnet|sg|eni|rtb|igw)-[0-9a-z]+\b")),
    ("time", re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")),
    ("time", re.compile(r"\b20\d\d-\d\d-\d\d-\d\d-\d\d\b")),
]
ANY_ACCOUNT = re.compile(r"(?<![\w.])\d{12}(?![\w.])")


class Scrubber:
    """Replaces what is an account's own by placeholders, the same for the same within one question."""

    def __init__(self, account: Account, run: Run) -> None:
        # Longer names first, so that no part of one is left.
        known = {
            run.name: "<run>",
            run.owner: "<owner>",
            run.id: "<run-id>",
            account.id: "<account>",
            run.region: "<source>",
            run.destination: "<destination>",
        }
        self.known = sorted(known.items(), key=lambda one: -len(one[0]))
        self.seen: dict[str, str] = {}
        self.counts: dict[str, int] = {}

    def begin(self) -> None:
        """A new question, whose placeholders are counted anew."""
        self.seen.clear()
        self.counts.clear()

    def text(self, text: str) -> str:
        """A text without anything of the account."""
        for kind, pattern in PATTERNS:
            text = pattern.sub(lambda match, kind=kind: self._placeholder(kind, match.group()), text)  # type: ignore[misc]
        for name, placeholder in self.known:
            text = text.replace(name, placeholder)
        return ANY_ACCOUNT.sub(lambda match: self._placeholder("account", match.group()), text)

    def value(self, value: Json) -> Json:
        """The same for whatever JSON there is."""
        if isinstance(value, dict):
            return {str(key): self.value(one) for key, one in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [self.value(one) for one in value]
        if isinstance(value, datetime.datetime):
            return "<time>"
        return self.text(value) if isinstance(value, str) else value

    def _placeholder(self, kind: str, found: str) -> str:
        if kind == "time":
            return "<time>"
        if found not in self.seen:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.seen[found] = f"<{kind}-{self.counts[kind]}>"
        return self.seen[found]


def left_of(recording: str, account: Account, run: Run) -> list[str]:
    """What of the account is still in a recording: nothing, or somebody has to look before it is published."""
    wanted = [account.id, run.id, run.owner, f"{PREFIX}-{run.id}"]
    found = [text for text in wanted if text in recording]
    found += ANY_ACCOUNT.findall(recording)
    for kind, pattern in PATTERNS:
        # The time of the recording itself is meant to be there.
        found += [match for match in pattern.findall(recording) if kind not in ("time", "address")]
    return found


@dataclass
class Outcome:
    """What a call gave."""

    answer: Json
    code: str = "ok"
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was not refused."""
        return self.code == "ok"


@dataclass
class Answer:
    """What is recorded of one question."""

    id: str
    question: str
    calls: list[Json] = field(default_factory=list)
    said: dict[str, Json] = field(default_factory=dict)
    """What is compared in a replay."""
    measured: dict[str, Json] = field(default_factory=dict)
    """What differs from run to run, such as durations."""
    not_asked: str = ""
    began: str = ""
    ended: str = ""

    def line(self) -> str:
        """One line for whoever watches."""
        if self.not_asked:
            return f"{self.id:<6} not asked: {self.not_asked}"
        parts = [f"{key}={_short(value)}" for key, value in {**self.said, **self.measured}.items()]
        calls = [f"{one['operation']}: {one['code']}" for one in self.calls if one["code"] != "ok"]
        return f"{self.id:<6} " + ("; ".join([*parts, *calls]) or "ok")

    def compared(self) -> Json:
        """The part that a replay compares."""
        return {"calls": self.calls, "said": self.said, "notAsked": bool(self.not_asked)}


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


class Asker:
    """Makes the calls of one question and notes what was said. Waiting is not noted."""

    SECRET = ("MasterUserPassword", "PreSignedUrl")

    def __init__(self, account: Account, scrubber: Scrubber, answer: Answer) -> None:
        self.account = account
        self.scrubber = scrubber
        self.answer = answer
        scrubber.begin()
        answer.began = written(utc_now())

    def call(self, service: str, region: str, operation: str, **parameters: Json) -> Outcome:
        """One call, whose outcome is part of the answer."""
        stopping.check()
        client = self.account.client(service, region)
        try:
            outcome = Outcome(getattr(client, operation)(**parameters))
        except ClientError as error:
            said = error.response["Error"]
            outcome = Outcome(None, str(said.get("Code", "")), str(said.get("Message", "")))
        except BotoCoreError as error:
            outcome = Outcome(None, type(error).__name__, str(error))
        noted = {
            "service": service,
            "region": region,
            "operation": "".join(map(str.capitalize, operation.split("_"))).replace("Db", "DB"),
            "parameters": {key: value for key, value in parameters.items() if key not in self.SECRET},
            "code": outcome.code,
        }
        if outcome.message:
            noted["message"] = outcome.message
        self.answer.calls.append(self.scrubber.value(noted))
        return outcome

    def say(self, **values: Json) -> None:
        """Part of the answer."""
        self.answer.said.update(self.scrubber.value(values))

    def measure(self, **values: Json) -> None:
        """Part of the answer that differs from run to run."""
        self.answer.measured.update(self.scrubber.value(values))


@dataclass
class Recording:
    """All answers of one run."""

    is_local: bool
    aurora: bool
    release: str
    answers: dict[str, Answer] = field(default_factory=dict)
    steps: dict[str, Json] = field(default_factory=dict)
    """How long the steps of the run took, in seconds."""

    def as_json(self) -> Json:
        return {
            "version": VERSION,
            "recorded": written(utc_now()),
            "where": "the local cloud" if self.is_local else "AWS",
            "aurora": self.aurora,
            "release": self.release,
            "steps": self.steps,
            "answers": [
                {
                    "id": one.id,
                    "question": one.question,
                    "calls": one.calls,
                    "said": one.said,
                    "measured": one.measured,
                    **({"notAsked": one.not_asked} if one.not_asked else {}),
                    "began": one.began,
                    "ended": one.ended,
                }
                for one in self.answers.values()
            ],
        }

    def write(self, file: Path) -> None:
        """Writes it, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(self.as_json(), indent=2, sort_keys=False) + "\n")
        new.replace(file)


def read(file: Path) -> tuple[bool, list[Answer]]:
    """The answers of a recording, and whether a cluster was among what they are about."""
    content = json.loads(file.read_text())
    if content.get("version") != VERSION:
        raise ValueError(f"{file} is of version {content.get('version')}, and this kit reads version {VERSION}")
    return bool(content["aurora"]), [
        Answer(
            id=one["id"],
            question=one["question"],
            calls=one["calls"],
            said=one["said"],
            measured=one["measured"],
            not_asked=one.get("notAsked", ""),
        )
        for one in content["answers"]
    ]


def differences(recorded: Answer, replayed: Answer) -> Iterator[str]:
    """Where two answers to the same question differ."""
    if bool(recorded.not_asked) != bool(replayed.not_asked):
        which = "recording" if recorded.not_asked else "simulator"
        yield f"not asked in the {which}: {recorded.not_asked or replayed.not_asked}"
        return
    for number, (one, other) in enumerate(zip(recorded.calls, replayed.calls, strict=False), start=1):
        if one != other:
            for key in sorted({*one, *other}):
                if one.get(key) != other.get(key):
                    yield (
                        f"call {number} ({one['operation']}), {key}: recorded {_short(one.get(key))}, "
                        f"simulator {_short(other.get(key))}"
                    )
    if len(recorded.calls) != len(replayed.calls):
        yield f"{len(recorded.calls)} calls recorded, {len(replayed.calls)} by the simulator"
    for key in sorted({*recorded.said, *replayed.said}):
        if recorded.said.get(key) != replayed.said.get(key):
            yield (f"{key}: recorded {_short(recorded.said.get(key))}, simulator {_short(replayed.said.get(key))}")
