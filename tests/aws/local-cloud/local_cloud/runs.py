"""Starts runs of copy-fleet, waits for them and looks inside: child executions, histories, outputs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from . import layout

Json = Any


class TookTooLong(Exception):
    """An execution or a condition was not reached in time."""


@dataclass(frozen=True)
class Execution:
    """One execution as DescribeExecution shows it, its input and output parsed."""

    arn: str
    name: str
    status: str
    input: Json
    output: Json
    error: str
    cause: str
    started: Any
    stopped: Any

    @property
    def running(self) -> bool:
        return self.status == "RUNNING"

    @property
    def failure(self) -> Json:
        """The cause of a failed run, parsed if it is JSON."""
        try:
            return json.loads(self.cause)
        except ValueError:
            return self.cause

    @property
    def parent(self) -> str:
        """The ARN of the execution that started this one, or nothing."""
        return self.input.get("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID", "") if isinstance(self.input, dict) else ""


class Runs:
    """The two state machines of one stack."""

    def __init__(self, states: Any, stack: str = layout.STACK, region: str = layout.SOURCE_REGION) -> None:
        self.states = states
        prefix = f"arn:aws:states:{region}:{layout.ACCOUNT}:stateMachine:{stack}"
        self.copy_fleet = f"{prefix}-copy-fleet"
        self.copy_snapshot = f"{prefix}-copy-snapshot"
        # Neither ever changes.
        self._parents: dict[str, str] = {}
        self._started: dict[str, Any] = {}

    def start(self, request: Json = None, machine: str | None = None, name: str | None = None) -> str:
        """Starts copy-fleet (or another machine) with an input; `{}` by default. Returns the execution's ARN."""
        arguments = {
            "stateMachineArn": machine or self.copy_fleet,
            "input": json.dumps({} if request is None else request),
        }
        if name:
            arguments["name"] = name
        return str(self.states.start_execution(**arguments)["executionArn"])

    def look(self, arn: str) -> Execution:
        """The execution as it is now."""
        found = self.states.describe_execution(executionArn=arn)
        return Execution(
            arn=arn,
            name=found["name"],
            status=found["status"],
            input=_parsed(found.get("input")),
            # MiniStack gives a failed execution an output too; AWS does not.
            output=_parsed(found.get("output")) if found["status"] == "SUCCEEDED" else None,
            error=found.get("error", ""),
            cause=found.get("cause", ""),
            started=found["startDate"],
            stopped=found.get("stopDate"),
        )

    def wait(self, arn: str, seconds: float = 60) -> Execution:
        """Waits for the end of an execution, however it ends."""
        deadline = time.monotonic() + seconds
        while (execution := self.look(arn)).running:
            if time.monotonic() > deadline:
                raise TookTooLong(
                    f"{arn} is still running after {seconds} s; its children:\n{self.describe_children(arn)}"
                )
            time.sleep(0.1)
        return execution

    def run(self, request: Json = None, seconds: float = 60) -> Execution:
        """Starts a run and waits for its end."""
        return self.wait(self.start(request), seconds)

    def latest(self) -> list[Execution]:
        """The executions of copy-fleet that are no page of another, those that were started last first."""
        listed = self.states.list_executions(stateMachineArn=self.copy_fleet, maxResults=100)["executions"]
        listed.sort(key=lambda one: one["startDate"], reverse=True)
        found = [self.look(one["executionArn"]) for one in listed]
        return [execution for execution in found if not execution.parent]

    def children(self, run: str) -> list[Execution]:
        """The copy-snapshot executions that a run (or one page of it) started itself, in the order of their start."""
        return self._started_by(run, self.copy_snapshot)

    def pages(self, run: str) -> list[Execution]:
        """Every further page of a run, at any depth."""
        found = []
        ahead = [run]
        while ahead:
            more = self._started_by(ahead.pop(), self.copy_fleet)
            found.extend(more)
            ahead.extend(page.arn for page in more)
        return found

    def all_children(self, run: str) -> list[Execution]:
        """The copy-snapshot executions of a run and of all its pages."""
        arns = {run, *(page.arn for page in self.pages(run))}
        return [self.look(arn) for arn in self._arns_since(self.copy_snapshot, run) if self._parent(arn) in arns]

    def outcomes(self, run: str) -> dict[str, str]:
        """The outcome of each database of a run (`cluster:billing`), or the error that it ended with."""
        return {
            f"{child.input['kind']}:{child.input['id']}": child.output["outcome"] if child.output else child.error
            for child in self.all_children(run)
        }

    def _started_by(self, run: str, machine: str) -> list[Execution]:
        return [self.look(arn) for arn in self._arns_since(machine, run) if self._parent(arn) == run]

    def _arns_since(self, machine: str, run: str) -> list[str]:
        """The executions of a machine that may belong to a run, oldest first."""
        if run not in self._started:
            self._started[run] = self.look(run).started
        arns: list[str] = []
        for page in self.states.get_paginator("list_executions").paginate(stateMachineArn=machine):
            for one in page["executions"]:
                # The list begins with what stopped, or if it runs was started, last.
                if (one.get("stopDate") or one["startDate"]) < self._started[run]:
                    return arns[::-1]
                arns.append(one["executionArn"])
        return arns[::-1]

    def _parent(self, arn: str) -> str:
        if arn not in self._parents:
            self._parents[arn] = self.look(arn).parent
        return self._parents[arn]

    def describe_children(self, run: str) -> str:
        """One line a child, for messages."""
        return "\n".join(
            f"  {child.name}: {child.status} {child.error} in {self.now(child.arn)[0]}"
            for child in self.all_children(run)
        )

    def history(self, arn: str) -> list[Json]:
        """The whole history, oldest event first."""
        events = []
        pages = self.states.get_paginator("get_execution_history").paginate(
            executionArn=arn, PaginationConfig={"PageSize": 1000}
        )
        for page in pages:
            events.extend(page["events"])
        return events

    def now(self, arn: str) -> tuple[str, Json]:
        """The state that was entered last, and its input: all that is known of the copy so far."""
        for event in self._latest(arn):
            entered = event.get("stateEnteredEventDetails")
            if entered:
                return str(entered["name"]), _parsed(entered.get("input"))
        return "", None

    def failed_tasks(self, arn: str) -> int:
        """How many attempts of tasks have failed in this execution."""
        return sum(event["type"] == "TaskFailed" for event in self.history(arn))

    def _latest(self, arn: str) -> list[Json]:
        return list(self.states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=10)["events"])

    def stop(self, run: str, seconds: float = 30) -> None:
        """Stops a run and everything under it, as StopExecution of the root does on AWS.

        MiniStack stops only the execution named: its Map goes on and starts the next child as soon as one ends. So
        children are stopped until none is left.
        """
        self._stop_one(run)
        deadline = time.monotonic() + seconds
        quiet_since = None
        while True:
            running = [
                one
                for machine in (self.copy_fleet, self.copy_snapshot)
                for one in self._running(machine)
                if self._descends(one, run)
            ]
            for arn in running:
                self._stop_one(arn)
            # A place in the map that became free takes a moment to start the next child.
            now = time.monotonic()
            quiet_since = None if running else (quiet_since or now)
            if quiet_since and now - quiet_since > 1:
                return
            if now > deadline:
                raise TookTooLong(f"{run} still had running children {seconds} s after it was stopped")
            time.sleep(0.05)

    def stop_all(self) -> None:
        """Stops whatever runs."""
        while running := self._running(self.copy_fleet) + self._running(self.copy_snapshot):
            for arn in running:
                self.stop(arn)

    def _stop_one(self, arn: str) -> None:
        try:
            self.states.stop_execution(executionArn=arn, error="Stopped", cause="by the test")
        except self.states.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise  # Not "is not running".

    def _running(self, machine: str) -> list[str]:
        arns: list[str] = []
        pages = self.states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
        for page in pages:
            arns.extend(one["executionArn"] for one in page["executions"])
        return arns

    def _descends(self, arn: str, run: str) -> bool:
        while arn:
            if arn == run:
                return True
            arn = self._parent(arn)
        return False


def _parsed(text: str | None) -> Json:
    return json.loads(text) if text else None
