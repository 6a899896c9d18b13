"""`make scenario`: a case is loaded into a local cloud, run, and compared with what it expects.

Standard output gets one JSON object and nothing else. The local cloud keeps running, as the case left it, so that it
can be looked at; the next case begins anew.
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import build, command_line, layout, metrics, scenario_expect, scenario_file
from .cloud import STATE, CloudError, LocalCloud, template_parameters
from .report import Problem, Report
from .runs import Execution, Runs, TookTooLong
from .scenario_file import Case, CaseError

Json = Any

SCALE = 100.0
"""How many times faster than on AWS copies and waits are while a case runs."""

MAX_RUN_SECONDS = 300.0

DELETE_HOURS = 0.1
"""After so long a snapshot that is being deleted is gone."""

FOR_EVER = "36500d"
"""Older than any copy, for the program."""


class NotRun(Problem):
    """The case could not be run to its end; the message says why."""


def scenario(file: Path) -> int:
    """Runs the case in a file. Returns 0 if all that it expects came, else 2."""
    report = Report(sys.stderr)
    case = scenario_file.read(file)
    check_parameters(case.parameters)
    layout.WORKSPACE.mkdir(parents=True, exist_ok=True)
    with _alone(report):
        folder = layout.WORKSPACE / "build"
        folder.mkdir(exist_ok=True)
        programs = build.build_programs(report, folder)
        scenario_file.check_seed(case, programs["rds-simulator"], folder)
        cloud = _running(report, build.stamp(programs))
        answer, differences = play(cloud, case)
    print(json.dumps(answer, indent=2), flush=True)
    for difference in differences:
        report.say(f"differs: {difference}")
    if not differences:
        report.say("All that the case expects came." if case.expect else "The case expects nothing.")
    report.say("The local cloud keeps running as the case left it; `make local-down` stops it.")
    return 2 if differences else 0


@contextlib.contextmanager
def _alone(report: Report) -> Iterator[None]:
    """One case at a time has the local cloud."""
    with (layout.WORKSPACE / "scenario.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report.say("waiting until another case has ended ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _running(report: Report, stamp: str) -> LocalCloud:
    """The local cloud that runs, or one that is started for this."""
    if STATE.exists():
        # A left-over is removed by `attach`.
        with contextlib.suppress(CloudError):
            running = LocalCloud.attach()
            if running.stamp == stamp:
                running.report = report
                return running
            report.say("The local cloud runs an older build: it is started again.")
            running.stop_detached()
    cloud = LocalCloud("detached", report=report)
    try:
        cloud.start(detached=True)
        cloud.detach()
    finally:
        # Nothing, once it is detached.
        cloud.stop()
    attached = LocalCloud.attach()
    attached.report = report
    return attached


# Parameters of the stack


def check_parameters(given: dict[str, str]) -> None:
    """Refuses what CloudFormation would refuse, with the parameter's name."""
    known = _template(layout.TEMPLATE)["Parameters"]
    wrong = []
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {near[0]}?" if near else "docs/parameters.md lists them."
            wrong.append(f"parameters.{name}: the template has no such parameter; {advice}")
        elif not _takes(known[name], value):
            wrong.append(f"parameters.{name}: not {value!r}. {known[name].get('ConstraintDescription', '')}".rstrip())
    if wrong:
        raise CaseError("\n".join(wrong))


def _takes(parameter: Json, value: str) -> bool:
    if parameter["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            return False
        return float(parameter.get("MinValue", number)) <= number <= float(parameter.get("MaxValue", number))
    allowed = [str(one) for one in parameter.get("AllowedValues", [value])]
    length = int(parameter.get("MinLength", 0)) <= len(value) <= int(parameter.get("MaxLength", len(value)))
    return value in allowed and length and re.search(parameter.get("AllowedPattern", ""), value) is not None


def deploy(cloud: LocalCloud, parameters: dict[str, str]) -> None:
    """Brings the stack to these parameters and to the defaults of all others, if it is not there already."""
    wanted = {
        name: str(parameter["Default"])
        for name, parameter in _template(cloud.built_template)["Parameters"].items()
        if "Default" in parameter
    }
    wanted.update(template_parameters(parameters))
    (stack,) = cloud.client("cloudformation").describe_stacks(StackName=layout.STACK)["Stacks"]
    deployed = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}
    if any(deployed.get(name) != value for name, value in wanted.items()):
        cloud.deploy(layout.STACK, wanted)
    cloud.parameters = template_parameters(parameters)


def disable_schedules(cloud: LocalCloud) -> None:
    """Stops what the clock starts: hours that pass at once would start it in the middle of a case."""
    events = cloud.client("events")
    for rule in events.list_rules(NamePrefix=layout.STACK)["Rules"]:
        if rule.get("ScheduleExpression") and rule["State"] == "ENABLED":
            events.disable_rule(Name=rule["Name"])


def _template(file: Path) -> Json:
    # Not there before the requirements are installed.
    from samtranslator.yaml_helper import yaml_parse

    return yaml_parse(file.read_text())


# Playing a case


def play(cloud: LocalCloud, case: Case) -> tuple[Json, list[str]]:
    """Runs a case in a local cloud. Returns what came of it, and what is not as the case expects."""
    deploy(cloud, case.parameters)
    disable_schedules(cloud)
    runs = cloud.runs()
    runs.stop_all()
    cloud.forget_executions()
    simulator = cloud.simulator
    simulator.release_all()
    simulator.seed(case.seed)
    case = scenario_file.at(case, datetime.fromtimestamp(cloud.clock.now(), timezone.utc))
    cloud.set_scale(SCALE)
    try:
        for fault in case.faults:
            simulator.add_fault(fault)
        stage = Stage(cloud, runs)
        if case.input is not None:
            stage.run(case.input)
        then = []
        for at, step in enumerate(case.then):
            with _named(f"then[{at}]"):
                then.append(stage.step(step))
        # What is asked for now is asked by the case itself.
        simulator.clear_faults()
        answer = {**stage.answer(), "then": then}
        return answer, scenario_expect.differences(case.expect, case.then, answer)
    except TookTooLong as error:
        raise NotRun(f"{case.name}: {error}") from None
    finally:
        simulator.clear_faults()
        runs.stop_all()
        cloud.set_scale(cloud.scale)


@contextlib.contextmanager
def _named(place: str) -> Iterator[None]:
    try:
        yield
    except Problem as error:
        raise NotRun(f"{place}: {error}") from None


@dataclass
class Stage:
    """A case under way: the cloud that it has changed, and the last run."""

    cloud: LocalCloud
    runs: Runs
    last: str = ""
    """The ARN of the last run."""
    since: float = 0
    """When it began, as the logs count."""

    def run(self, request: Json) -> Json:
        """Runs copy-fleet to its end."""
        self.since = self.cloud.clock.now()
        self.last = self.runs.start(request)
        with self.cloud.report.step(f"run {json.dumps(request)[:80]}"):
            self.runs.wait(self.last, MAX_RUN_SECONDS)
        return _of_run(self.runs, self.last)

    def step(self, step: Json) -> Json:
        """Takes one step, and answers it."""
        if "run" in step:
            return self.run(step["run"])
        if "wait" in step:
            self.cloud.report.say(f"{step['wait']:g} hours pass")
            self.cloud.clock.put_forward(step["wait"])
            return {"waited": step["wait"]}
        if "delete-snapshot" in step:
            return self._delete(step["delete-snapshot"])
        if "create-snapshot" in step:
            return self._create(step["create-snapshot"])
        if "restore" in step:
            return self._restore(step["restore"])
        if "rename" in step:
            return self._rename(step["rename"])
        return self._command(step)

    def _delete(self, given: Json) -> Json:
        wanted = {"name": given} if isinstance(given, str) else given
        snapshot, _region = self._snapshot(wanted["name"], wanted.get("region"))
        self.cloud.simulator.expire(snapshot["arn"])
        return {"deleted": wanted["name"]}

    def _create(self, given: Json) -> Json:
        wanted = {"database": given} if isinstance(given, str) else dict(given)
        region = wanted.pop("region", layout.SOURCE_REGION)
        created = self.cloud.simulator.create_snapshot(region, _id(wanted.pop("database")), **wanted)
        return {"created": created.split(":", 6)[-1]}

    def _restore(self, given: Json) -> Json:
        wanted = dict(given)
        snapshot, region = self._snapshot(wanted.pop("snapshot"), wanted.pop("region", None))
        database = _id(wanted.pop("database"))
        self.cloud.simulator.restore(region, snapshot["id"], database, **wanted)
        return {"restored": database}

    def _rename(self, given: Json) -> Json:
        region = given.get("region", layout.SOURCE_REGION)
        self.cloud.simulator.rename(region, _id(given["name"]), given["to"])
        return {"renamed": given["to"]}

    def _command(self, step: Json) -> Json:
        names = {name: snapshot["id"] for name, snapshot in self._by_name()}
        arguments = [names.get(argument, argument) for argument in step["command"]]
        with self.cloud.report.step(f"snapferry {' '.join(step['command'])[:80]}"):
            try:
                ended = command_line.run(self.cloud, *arguments, seconds=MAX_RUN_SECONDS)
            except subprocess.TimeoutExpired:
                raise NotRun(f"`snapferry {' '.join(arguments)}` has not ended after {MAX_RUN_SECONDS:g} s") from None
        answer = {"exit": ended.returncode, "output": ended.stdout + ended.stderr}
        if "capture" in step:
            answer["captured"] = [found.group(1) or "" for found in re.finditer(step["capture"], ended.stdout)]
        return answer

    # What is there

    def answer(self) -> Json:
        """What came of it: the last run, and what is in the destination region once deletes have ended."""
        if self.last:
            of_run = _of_run(self.runs, self.last)
        else:
            of_run = {"run": {"status": None, "error": None}, "outcomes": {}, "reasons": {}, "warnings": []}
        region = self.cloud.parameters["DestinationRegion"]
        if any(snapshot["status"] == "deleting" for snapshot in self._region(region)["snapshots"]):
            self.cloud.clock.put_forward(DELETE_HOURS)
        owned = self._owned(region)
        there = self._region(region)["snapshots"]
        return {
            **of_run,
            "copies": sorted(_name(one) for one in there if one["id"] in owned),
            "left": sorted(_name(one) for one in there if one["id"] not in owned),
            "metrics": measured(self.cloud, self.since) if self.last else {},
        }

    def _owned(self, region: str) -> set[str]:
        """The identifiers of the copies that the stack owns, as the program sees it."""
        owner = self.cloud.parameters["OwnerId"]
        options = ["--destination", region, "--owner", owner, "--since", FOR_EVER, "--json"]
        audited = command_line.run(self.cloud, "audit", *options)
        if audited.returncode == 0:
            entries = json.loads(audited.stdout)["entries"]
            return {entry["copy"] for entry in entries if entry.get("copy")}
        if not any(snapshot["id"].startswith(f"{owner}-") for snapshot in self._region(region)["snapshots"]):
            return set()  # The program calls it an error if there is none at all.
        raise NotRun(f"`snapferry audit {' '.join(options)}` ended with {audited.returncode}: {audited.stderr}")

    def _region(self, region: str) -> Json:
        regions = self.cloud.simulator.state()["regions"]
        return regions.get(region, {"snapshots": [], "databases": []})

    def _by_name(self) -> Iterator[tuple[str, Json]]:
        """Every snapshot by what the case calls it, if that is not its identifier."""
        for region in self.cloud.simulator.state()["regions"].values():
            for snapshot in region["snapshots"]:
                if _name(snapshot) != snapshot["id"]:
                    yield _name(snapshot), snapshot

    def _snapshot(self, name: str, region: str | None) -> tuple[Json, str]:
        """The snapshot of that name, and its region."""
        regions = self.cloud.simulator.state()["regions"]
        found = [
            (snapshot, where)
            for where, one in regions.items()
            for snapshot in one["snapshots"]
            if name in (snapshot["id"], _name(snapshot)) and region in (None, where)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotRun(f"{name} is in {' and '.join(where for _, where in found)}: give its `region`")
        raise NotRun(f"there is no snapshot {name}" + (f" in {region}" if region else ""))


def _id(database: str) -> str:
    """The identifier of a database that may be written with its kind, as in `cluster:billing`."""
    return database.split(":", 1)[-1]


def _name(snapshot: Json) -> str:
    """What the case calls a snapshot: the `id` that it was seeded with, or its identifier."""
    return str(snapshot.get("alias") or snapshot["id"])


# What came of a run


def _of_run(runs: Runs, arn: str) -> Json:
    """How a run ended, and how it did for each database."""
    run = runs.look(arn)
    plan = _plan(runs, run)
    outcomes: dict[str, str] = {}
    reasons: dict[str, str] = {}
    warnings: list[str] = list(plan.get("warnings") or [])
    for left in (plan.get("leftOut") or {}).get("first") or []:
        database = f"{left['kind']}:{left['id']}"
        outcomes[database] = "left out"
        reasons[database] = left.get("reason") or ""
    # Of a name that was used again, the database that lives comes last.
    for child in sorted(runs.all_children(arn), key=lambda child: not child.input.get("retired")):
        database = f"{child.input['kind']}:{child.input['id']}"
        output = child.output if isinstance(child.output, dict) else {}
        outcomes[database] = output.get("outcome") or child.error or child.status
        reasons[database] = output.get("reason") or child.cause
        warnings += output.get("warnings") or []
    return {
        "run": {"status": run.status, "error": run.error or None},
        "outcomes": outcomes,
        "reasons": {database: reason for database, reason in reasons.items() if reason},
        "warnings": list(dict.fromkeys(warnings)),
    }


def _plan(runs: Runs, run: Execution) -> Json:
    """What list-targets found: from the output of the run, or, of one that failed, from its history."""
    if isinstance(run.output, dict):
        return run.output
    for event in runs.history(run.arn):
        details = event.get("taskSucceededEventDetails") or event.get("lambdaFunctionSucceededEventDetails")
        if details:
            output = json.loads(details.get("output") or "{}")
            payload = output.get("Payload", output) if isinstance(output, dict) else {}
            if isinstance(payload, dict) and "leftOut" in payload:
                return payload
    return {}


def measured(cloud: LocalCloud, since: float) -> dict[str, float]:
    """The metrics since a time, by name.

    What counts what was done is added up, as the alarms do; of all other values it is the greatest. A metric with
    another dimension than the stack is there for each of its values too, as in `SnapshotQuotaUse instance`.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for record in metrics.records(cloud, since=since):
        for one in metrics.measurements(record):
            more = [value for name, value in one.dimensions if name != "Stack"]
            for name in {one.name, " ".join([one.name, *more])}:
                found[name].append(one.value)
    return {name: sum(values) if name.startswith("Copies") else max(values) for name, values in sorted(found.items())}
