"""`make demo`: a fleet is copied to another region before your eyes, then audited and checked."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from . import command_line, layout, scenarios
from .audit import audit, plan
from .cloud import LocalCloud
from .copies import OWNER_TAG
from .drills import drill_databases, proofs
from .report import Report
from .runs import Execution

Json = Any

MAX_RUN_SECONDS = 240
MAX_LINE_WIDTH = 120
"""Characters: sentences are broken here, or where the terminal ends."""


def demo(scenario: Path, scale: float, audit_file: Path) -> int:
    """Runs the demo in a local cloud of its own. Returns 0 if all went as the scenario expects, else 1."""
    fleet, expected = scenarios.read(scenario), scenarios.expectations(scenario)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 150  # A file or a pipe is as wide as it has to be.
    began = time.monotonic()
    parameters = scenarios.parameters(scenario)
    with LocalCloud("demo", scale=scale, parameters=parameters, report=Report(sys.stdout)) as cloud:
        drills = scenarios.drills(scenario)
        if drills:
            cloud.deploy_watch(**drills["parameters"])
        differences = show(console, cloud, fleet, expected, audit_file, drills=drills)
    console.print(f"The demo took {duration(time.monotonic() - began)}.")
    return 1 if differences else 0


def show(
    console: Console,
    cloud: LocalCloud,
    scenario: Json,
    expected: Json | None,
    audit_file: Path,
    stack: str = layout.STACK,
    drills: Json | None = None,
) -> list[str]:
    """Seeds the fleet, runs, drills, audits and checks. Returns what was not as expected, each as a sentence."""
    cloud.simulator.seed(scenario)
    before = copies_by_arn(cloud)
    introduce(console, cloud, before)
    runs = cloud.runs(stack)
    known = {run.arn for run in runs.latest()}
    operator = Operator(console, cloud, stack)
    codes = {"run": operator.types("run", "--follow")}
    run = next(run for run in runs.latest() if run.arn not in known)
    end = runs.wait(run.arn, seconds=30)
    records = audit(runs, run.arn)
    found = plan(runs, run.arn) or {}
    after = copies_by_arn(cloud)
    audit_file.parent.mkdir(parents=True, exist_ok=True)
    audit_file.write_text(json.dumps(records, indent=2) + "\n")
    page = audit_file.with_suffix(".html")
    outcomes: dict[str, str] = {}
    if drills:
        codes["drill"], outcomes = prove(console, cloud, operator, drills)
    codes["audit"] = operator.types("audit")
    codes["audit --html"] = operator.types("audit", "--html", _shown(page))
    codes["status"] = operator.types("status")
    warn(console, found, records)
    point_out(console, cloud, records, after)
    conclude(console, end, records, expected)
    differences = differences_from(expected, found, records, before, after) if expected else []
    differences += drill_differences(drills, outcomes, drill_databases(cloud)) if drills else []
    differences += always_true(records, before, after) + endings(codes, records)
    report_checks(console, differences, before, after)
    console.print(
        f"The audit is in [bold]{_shown(audit_file)}[/], and as a shareable page in "
        f"[bold]{_shown(page)}[/]. Its links lead to the AWS console, where each execution of a real run can be opened."
    )
    console.print()
    box(console, summary(records, expected, differences, before, after, _shown(page), outcomes), ok=not differences)
    return differences


@dataclass(frozen=True)
class Operator:
    """Somebody who runs the command-line program before your eyes."""

    console: Console
    cloud: LocalCloud
    stack: str

    def types(self, *arguments: str) -> int:
        """Shows a command, runs it and returns its exit code."""
        stack = [] if self.stack == layout.STACK else ["--stack", self.stack]
        command = command_line.written(self.cloud.program, [*arguments, *stack])
        self.console.print()
        # In one piece, so that it can be copied.
        self.console.print(f"$ {command}", style="bold", markup=False, soft_wrap=True)
        return command_line.show(self.cloud, [*arguments, *stack], self.console.file, MAX_RUN_SECONDS)


# What is in the destination region


@dataclass(frozen=True)
class Destination:
    """One snapshot of the destination region."""

    id: str
    alias: str
    """What the scenario calls it."""
    kind: str
    owned: bool
    status: str
    key: str
    """Id of the key that it is encrypted with, or nothing."""
    option_group: str
    """That of an instance snapshot; nothing for the default one."""
    size_gib: int = 0
    """Storage that was allocated; nothing where RDS reports none."""


def copies_by_arn(cloud: LocalCloud) -> dict[str, Destination]:
    """Every manual snapshot of the destination region, asked for as anybody would, through the RDS API.

    What is being deleted is gone already.
    """
    rds = cloud.client("rds", layout.DESTINATION_REGION)
    aliases = cloud.simulator.aliases()
    found = {}
    for kind, operation, field, prefix in (
        ("instance", "describe_db_snapshots", "DBSnapshots", "DBSnapshot"),
        ("cluster", "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshot"),
    ):
        for page in rds.get_paginator(operation).paginate(SnapshotType="manual"):
            for snapshot in page[field]:
                if snapshot["Status"] == "deleting":
                    continue
                tags = {tag["Key"]: tag["Value"] for tag in snapshot.get("TagList", [])}
                name = snapshot[f"{prefix}Identifier"]
                option_group = snapshot.get("OptionGroupName", "")
                found[snapshot[f"{prefix}Arn"]] = Destination(
                    id=name,
                    alias=aliases.get(name, name),
                    kind=kind,
                    owned=name.startswith(f"{layout.OWNER_ID}-") and tags.get("snapferry:owner") == OWNER_TAG,
                    status=snapshot["Status"],
                    key=snapshot.get("KmsKeyId", "").rsplit("/", 1)[-1],
                    option_group=option_group if not option_group.startswith("default:") else "",
                    size_gib=snapshot.get("AllocatedStorage", 0),
                )
    return found


# Before it runs


def introduce(console: Console, cloud: LocalCloud, before: dict[str, Destination]) -> None:
    """Says what is about to happen."""
    rds = cloud.client("rds")
    clusters = [one for page in rds.get_paginator("describe_db_clusters").paginate() for one in page["DBClusters"]]
    instances = [
        one
        for page in rds.get_paginator("describe_db_instances").paginate()
        for one in page["DBInstances"]
        if not one.get("DBClusterIdentifier")
    ]
    owned = sum(1 for one in before.values() if one.owned)
    console.print()
    console.print(
        f"[bold]{len(instances)} instances and {len(clusters)} clusters[/] in {layout.SOURCE_REGION} are copied to "
        f"{layout.DESTINATION_REGION}, where {owned} copies of earlier runs and {len(before) - owned} hand-made "
        f"snapshots are. An hour takes {duration(3600 / cloud.scale)} here."
    )


# Drills


def prove(console: Console, cloud: LocalCloud, operator: Operator, drills: Json) -> tuple[int, dict[str, str]]:
    """Restores a few of the copies, one of which has lost its key meanwhile. Returns the exit code of the program, and
    what was proved."""
    console.print()
    console.print(
        f"A copy is worth what can be restored from it. {len(drills['outcomes'])} drills find out, in "
        f"{layout.DESTINATION_REGION}; before them somebody disables the key {drills['disabledKey']}."
    )
    cloud.simulator.set_key_state(layout.DESTINATION_REGION, drills["disabledKey"], "Disabled")
    code = operator.types("drill", *drills["outcomes"], "--follow")
    outcomes = drill_outcomes(cloud, drills["outcomes"])
    console.print()
    console.print("What came of the drills, and why:")
    for name, explanation in drills["explanations"].items():
        item(console, f"{name}: {outcomes.get(name)}. {explanation}")
    return code, outcomes


def drill_outcomes(cloud: LocalCloud, names: Collection[str]) -> dict[str, str]:
    """What the drills of these databases proved; those that passed first."""
    found = [proof for proof in proofs(cloud).values() if proof["database"] in names]
    outcomes = {proof["database"]: proof["outcome"] for proof in found}
    return dict(sorted(outcomes.items(), key=lambda one: ("passed", "failed", "not-run", "unsupported").index(one[1])))


def drill_differences(drills: Json, outcomes: dict[str, str], left: list[str]) -> list[str]:
    """What is not as the drills were to end, each as a sentence."""
    return [
        f"The drill of {name} is {outcomes.get(name)}, expected was {wanted}."
        for name, wanted in drills["outcomes"].items()
        if outcomes.get(name) != wanted
    ] + [f"{name} is still there, although its drill has ended." for name in left]


# Afterwards


def warn(console: Console, found: Json, records: list[Json]) -> None:
    """Says what list-targets found out before the first copy; what then failed is explained further down."""
    failed = [record["reason"] for record in records if record["error"]]
    warnings = [text for text in found.get("warnings", []) if not any(text.endswith(reason) for reason in failed)]
    retired = found.get("retired", {})
    if not warnings and not retired.get("databases"):
        return
    console.print()
    console.print("Before the first copy it warned:")
    for text in warnings:
        item(console, f"{text}.")
    if retired.get("databases"):
        names = ", ".join(f"{one['id']} ({one['copies']})" for one in retired["first"])
        item(console, f"{retired['copies']} copies are of databases that no longer exist: {names}.")


def point_out(console: Console, cloud: LocalCloud, records: list[Json], after: dict[str, Destination]) -> None:
    """Says which new copies have a key or an option group that others have not."""
    copies = {
        f"{record['kind']} {record['id']}": after[record["copyArn"]]
        for record in records
        if record["outcome"] == "copied" and record["copyArn"] in after
    }
    usual = Counter(copy.key for copy in copies.values() if copy.key).most_common(1)
    notes = []
    for name, copy in copies.items():
        if not copy.key:
            notes.append(f"The copy of {name} is not encrypted, as its source is not.")
        elif copy.key != usual[0][0]:
            notes.append(f"The copy of {name} is encrypted with another key than the others, {copy.key}.")
        if copy.option_group:
            notes.append(f"The copy of {name} has the option group {copy.option_group}.")
    if notes:
        console.print()
        console.print("Not like the other copies:")
        for note in notes:
            item(console, note)


def item(console: Console, text: str, more: str = "") -> None:
    """Prints a sentence of a list, broken between words, and below it what explains it."""
    width = min(console.width, MAX_LINE_WIDTH)
    wrap = partial(textwrap.fill, width=width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    console.print(wrap(text, initial_indent="- "), markup=False)
    if more:
        console.print(wrap(more, initial_indent="  "), style="italic", markup=False)


def conclude(console: Console, end: Execution, records: list[Json], expected: Json | None) -> None:
    """Says how the run ended, and explains everything that was not copied."""
    console.print()
    ended = " ".join(filter(None, [end.status, end.error]))
    console.print(f"The run ended as [bold]{ended}[/]. What was not copied, and why:")
    explanations = (expected or {}).get("explanations", {})
    for record in records:
        if record["outcome"] in ("copied", "current"):
            continue
        name = f"{record['kind']}:{record['id']}"
        error = f" ({record['error']})" if record["error"] else ""
        said = f"{record['kind']} {record['id']}, {record['outcome']}{error}: {record['reason']}"
        item(console, said if said.endswith(".") else f"{said}.", explanations.get(name, ""))
    console.print()


def differences_from(
    expected: Json, found: Json, records: list[Json], before: dict[str, Destination], after: dict[str, Destination]
) -> list[str]:
    """What is not as the scenario expects, each as a sentence."""
    differences = []
    outcomes = {f"{record['kind']}:{record['id']}": record["outcome"] for record in records}
    errors = {f"{record['kind']}:{record['id']}": record["error"] for record in records if record["error"]}
    for what, wanted, is_so in (("outcome", expected["outcomes"], outcomes), ("error", expected["errors"], errors)):
        for name in sorted(wanted.keys() | is_so.keys()):
            if wanted.get(name) != is_so.get(name):
                differences.append(f"The {what} of {name} is {is_so.get(name)}, expected was {wanted.get(name)}.")
    copies = {f"{one['kind']}:{one['id']}": after[one["copyArn"]] for one in records if one["copyArn"] in after}
    for name, key in expected.get("keys", {}).items():
        if name not in copies or copies[name].key != key:
            differences.append(f"The copy of {name} is not encrypted with {key}.")
    for name, group in expected.get("optionGroups", {}).items():
        if name not in copies or copies[name].option_group != group:
            differences.append(f"The copy of {name} does not have the option group {group}.")
    if "warnings" in expected:
        unexpected = list(found.get("warnings", []))
        for words in expected["warnings"]:
            heard = [warning for warning in unexpected if words in warning]
            if not heard:
                differences.append(f"There was no warning that says: {words}")
            unexpected = [warning for warning in unexpected if warning not in heard]
        differences.extend(f"This warning was not expected: {warning}" for warning in unexpected)
    gone = {before[arn].alias for arn in before.keys() - after.keys()}
    for name in sorted(gone ^ set(expected["deleted"])):
        differences.append(
            f"{name} was deleted, which was not expected." if name in gone else f"{name} should have been deleted."
        )
    return differences


def always_true(records: list[Json], before: dict[str, Destination], after: dict[str, Destination]) -> list[str]:
    """What is wrong whatever the scenario, each as a sentence."""
    differences = []
    for arn in before.keys() - after.keys():
        if not before[arn].owned:
            differences.append(f"{before[arn].id} is gone, although it is not a copy of ours.")
    pruned = Counter(name for record in records for name in record["pruned"])
    gone = {before[arn].id for arn in before.keys() - after.keys()}
    if set(pruned) != gone:
        differences.append(f"The audit says that {sorted(pruned)} were pruned, but {sorted(gone)} are gone.")
    for record in records:
        if record["outcome"] in ("copied", "current") and (
            record["copyArn"] not in after or after[record["copyArn"]].status != "available"
        ):
            differences.append(f"The copy of {record['id']}, {record['copy']}, is not there.")
    return differences


def endings(codes: dict[str, int], records: list[Json]) -> list[str]:
    """The commands whose exit code does not say what happened, each as a sentence."""
    looked_at = [record for record in records if record["execution"]]
    failed = sum(record["error"] is not None for record in looked_at)
    # The only one without a snapshot in this fleet is new.
    fine = ("copied", "current", "retired", "unsupported", "nothing")
    in_danger = sum(record["outcome"] not in fine for record in looked_at)
    wanted = {
        "drill": 2,
        "run": 0 if not failed else 2 if failed < len(looked_at) else 1,
        "audit": 0,
        "audit --html": 0,
        "status": 2 if in_danger else 0,
    }
    return [
        f"`snapferry {command}` ended with exit code {code}, expected was {wanted[command]}."
        for command, code in codes.items()
        if code != wanted[command]
    ]


def report_checks(
    console: Console, differences: list[str], before: dict[str, Destination], after: dict[str, Destination]
) -> None:
    """Says what was checked and what came of it."""
    foreign = [one for one in before.values() if not one.owned]
    gone = [one for arn, one in before.items() if arn not in after]
    for difference in differences:
        console.print(f"[red]Not as expected:[/] {difference}")
    if not differences:
        console.print(
            f"[green]As expected:[/] the {len(foreign)} hand-made snapshots survived, {len(gone)} old copies of ours "
            f"are gone, {len(after.keys() - before.keys())} new snapshots are there."
        )


def summary(
    records: list[Json],
    expected: Json | None,
    differences: list[str],
    before: dict[str, Destination],
    after: dict[str, Destination],
    page: str,
    drills: dict[str, str],
) -> list[str]:
    """The whole demo in a few lines."""

    def number(count: int, one: str, more: str) -> str:
        return f"{count} {one if count == 1 else more}"

    def counted(outcomes: dict[str, str]) -> str:
        return ", ".join(f"{count} {outcome}" for outcome, count in Counter(outcomes.values()).items())

    def names(wanted: list[Json]) -> str:
        return ", ".join(f"cluster:{one['id']}" if one["kind"] == "cluster" else one["id"] for one in wanted) or "none"

    copied = [one for one in records if one["outcome"] == "copied"]
    gib = sum(after[one["copyArn"]].size_gib for one in copied if one["copyArn"] in after)
    failed = [one for one in records if one["error"]]
    outcomes = (expected or {}).get("outcomes", {})
    on_purpose = all(outcomes.get(f"{one['kind']}:{one['id']}") == "failed" for one in failed)
    # Their copies were pruned, and nothing is wrong with them.
    usual = ("copied", "current", "retired")
    alone = [one for one in records if not one["error"] and one["outcome"] not in usual]
    foreign = [arn for arn, one in before.items() if not one.owned and arn in after]
    gone = [arn for arn in before if arn not in after]
    size = f"{gib / 1024:.1f} TiB" if gib >= 1024 else f"{gib} GiB"
    return [
        f"{number(len(copied), 'database', 'databases')} copied and verified ({size}).",
        f"{len(failed)} failed{' on purpose' if failed and on_purpose else ''}: {names(failed)}.",
        f"{len(alone)} not to be copied: {names(alone)}.",
        *([f"{number(len(drills), 'drill', 'drills')}: {counted(drills)}."] if drills else []),
        f"{number(len(gone), 'old copy', 'old copies')} pruned; "
        f"{number(len(foreign), 'foreign snapshot', 'foreign snapshots')} untouched.",
        f"{number(len(differences), 'thing was', 'things were')} not as expected: see above."
        if differences
        else "Everything was as expected.",
        f"Next: open {page} · make local-up · README.md, how to deploy.",
    ]


def box(console: Console, lines: list[str], ok: bool) -> None:
    """Prints lines in a frame, broken between words."""
    text = "\n".join(map(escape, lines))
    console.print(Panel(text, title="The demo in short", border_style="green" if ok else "red", expand=False))


def _shown(file: Path) -> str:
    return str(file.relative_to(layout.ROOT) if file.is_relative_to(layout.ROOT) else file)


def duration(seconds: float) -> str:
    """For a reader: seconds, and minutes where there are many."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if seconds >= 100 else f"{seconds:.0f} s"
