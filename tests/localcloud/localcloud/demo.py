"""`make demo`: a fleet is copied to another region before your eyes, then audited and checked."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from . import layout, scenarios
from .audit import audit, plan
from .cloud import LocalCloud
from .report import Report
from .runs import Execution, Runs, TookTooLong

Json = Any

LONGEST_RUN_SECONDS = 240
LONGEST_LINE = 120
"""Characters: sentences are broken here, or where the terminal ends."""

STYLES = {
    "copied": "green",
    "current": "green",
    "nothing": "cyan",
    "left out": "cyan",
    "retired": "cyan",
    "unsupported": "yellow",
    "failed": "red",
}


def demo(scenario: Path, scale: float, audit_file: Path) -> int:
    """Runs the demo in a local cloud of its own. Returns 0 if all went as the scenario expects, else 1."""
    fleet, expected = scenarios.read(scenario), scenarios.expectations(scenario)
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 150  # A file or a pipe is as wide as it has to be.
    began = time.monotonic()
    parameters = scenarios.parameters(scenario)
    with LocalCloud("demo", scale=scale, parameters=parameters, report=Report(sys.stdout)) as cloud:
        differences = show(console, cloud, fleet, expected, audit_file)
    console.print(f"Everything together took {_seconds(time.monotonic() - began)}.")
    return 1 if differences else 0


def show(
    console: Console,
    cloud: LocalCloud,
    scenario: Json,
    expected: Json | None,
    audit_file: Path,
    stack: str = layout.STACK,
) -> list[str]:
    """Seeds the fleet, runs, audits and checks. Returns what was not as expected, each as a sentence."""
    cloud.simulator.seed(scenario)
    before = copies_by_arn(cloud)
    introduce(console, cloud, before)
    started = time.monotonic()
    runs = cloud.runs(stack)
    run = runs.start({"Comment": "make demo"})
    watch(console, runs, run)
    end = runs.wait(run, seconds=30)
    took = time.monotonic() - started
    records = audit(runs, run)
    found = plan(runs, run) or {}
    after = copies_by_arn(cloud)
    audit_file.parent.mkdir(parents=True, exist_ok=True)
    audit_file.write_text(json.dumps(records, indent=2) + "\n")
    console.print()
    console.print(table(records, console.width))
    warn(console, found, records)
    point_out(console, cloud, records, after)
    conclude(console, end, records, expected)
    differences = differences_from(expected, found, records, before, after) if expected else []
    differences += always_true(records, before, after)
    report_checks(console, differences, before, after)
    shown = audit_file.relative_to(layout.ROOT) if audit_file.is_relative_to(layout.ROOT) else audit_file
    console.print(f"The audit is in [bold]{shown}[/]. The run took {_seconds(took)}.")
    return differences


# What is in the destination region


@dataclass(frozen=True)
class Destination:
    """One snapshot of the destination region."""

    id: str
    kind: str
    owned: bool
    status: str
    key: str
    """Id of the key that it is encrypted with, or nothing."""
    option_group: str
    """That of an instance snapshot; nothing for the default one."""


def copies_by_arn(cloud: LocalCloud) -> dict[str, Destination]:
    """Every manual snapshot of the destination region, asked for as anybody would, through the RDS API."""
    rds = cloud.client("rds", layout.DESTINATION_REGION)
    found = {}
    for kind, operation, field, prefix in (
        ("instance", "describe_db_snapshots", "DBSnapshots", "DBSnapshot"),
        ("cluster", "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshot"),
    ):
        for page in rds.get_paginator(operation).paginate(SnapshotType="manual"):
            for snapshot in page[field]:
                tags = {tag["Key"]: tag["Value"] for tag in snapshot.get("TagList", [])}
                name = snapshot[f"{prefix}Identifier"]
                option_group = snapshot.get("OptionGroupName", "")
                found[snapshot[f"{prefix}Arn"]] = Destination(
                    id=name,
                    kind=kind,
                    owned=name.startswith(f"{layout.OWNER_ID}-")
                    and tags.get("snapferry:owner") == f"{layout.SOURCE_REGION}/{layout.OWNER_ID}",
                    status=snapshot["Status"],
                    key=snapshot.get("KmsKeyId", "").rsplit("/", 1)[-1],
                    option_group=option_group if not option_group.startswith("default:") else "",
                )
    return found


# Before and while it runs


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
        f"snapshots are. An hour takes {_seconds(3600 / cloud.scale)} here."
    )
    console.print()


class Progress:
    """What is known of each copy while the run goes on."""

    def __init__(self, runs: Runs, run: str) -> None:
        self.runs = runs
        self.run = run
        self.rows: dict[str, Row] = {}

    def refresh(self) -> list[Row]:
        """Looks again at what has not ended, and returns the rows that changed."""
        changed = []
        for child in self.runs.all_children(self.run):
            row = self.rows.get(child.arn)
            if row is None:
                row = self.rows[child.arn] = Row(child.input["kind"], child.input["id"])
            if row.ended:
                continue
            previous = row.text
            row.update(self.runs, child)
            if row.text != previous:
                changed.append(row)
        return changed


@dataclass
class Row:
    """One database's line."""

    kind: str
    id: str
    percent: int = 0
    text: str = ""
    style: str = ""
    ended: bool = False

    def update(self, runs: Runs, execution: Execution) -> None:
        """Reads the execution's progress from its history."""
        if execution.status == "SUCCEEDED":
            outcome = execution.output["outcome"]
            self.ended, self.text, self.style = True, outcome, STYLES.get(outcome, "")
            self.percent = 100 if outcome in ("copied", "current") else 0
            if pruned := execution.output.get("pruned", {}).get("deleted"):
                self.text += f", {len(pruned)} old {'copy' if len(pruned) == 1 else 'copies'} pruned"
            return
        if not execution.running:
            self.ended, self.text, self.style = True, f"failed: {execution.error}", "red"
            return
        state, baton = runs.now(execution.arn)
        baton = baton or {}
        if state == "StartCopy":
            self.text = "asking for the copy"
        elif state in ("WaitForCopy", "CheckCopyStatus", "IsCopyVerified"):
            self.percent = max(self.percent, (baton.get("status") or {}).get("percent", 0))
            self.text = "copying" if baton.get("decision") == "copy" else "joined a copy under way"
        elif state in ("PruneOld", "Done"):
            self.percent, self.text = 100, "pruning"
        elif not state and self.text:
            # So many attempts that the history's latest events do not say of which state they are.
            self.text = "waiting for a copy slot" if self.text == "asking for the copy" else self.text
        else:
            self.text = "looking for the newest snapshot"


def watch(console: Console, runs: Runs, run: str) -> None:
    """Shows every copy until the run has ended: live on a terminal, as plain lines elsewhere."""
    progress = Progress(runs, run)
    deadline = time.monotonic() + LONGEST_RUN_SECONDS
    began = time.monotonic()
    live = Live(console=console, auto_refresh=False) if console.is_terminal and not console.no_color else None
    if live:
        live.start()
    try:
        while True:
            running = runs.look(run).running
            changed = progress.refresh()
            if live:
                live.update(_live(progress, began), refresh=True)
            else:
                for row in changed:
                    console.print(f"{time.monotonic() - began:6.1f} s  {row.kind:8}  {row.id:16} {row.text}")
            if not running:
                return
            if time.monotonic() > deadline:
                raise TookTooLong(
                    f"the run is still going after {LONGEST_RUN_SECONDS} s:\n{runs.describe_children(run)}"
                )
            time.sleep(0.3)
    finally:
        if live:
            live.stop()


def _live(progress: Progress, began: float) -> Group:
    rows = sorted(progress.rows.values(), key=lambda row: (row.kind != "instance", row.id))
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        style = row.style or "cyan"
        bar = ProgressBar(total=100, completed=row.percent, width=30, complete_style=style, finished_style=style)
        copied_nothing = row.ended and not row.percent
        grid.add_row(
            row.kind,
            row.id,
            Text() if copied_nothing else bar,
            "" if copied_nothing else f"{row.percent:3d} %",
            Text(row.text, style=row.style),
        )
    done = sum(row.ended for row in rows)
    return Group(grid, Text(f"{done} of {len(rows)} done, {time.monotonic() - began:.0f} s", style="bold"))


# Afterwards


def table(records: list[Json], width: int) -> Table:
    """The audit for people, one line a database: where it is narrow the copies' names are cut, the file has them whole."""
    lines = [
        (
            record["id"],
            record["kind"],
            record["outcome"],
            # The database's name, with which the snapshot's begins, stands in the same line.
            (record["source"] or "-").removeprefix("rds:").removeprefix(f"{record['id']}-"),
            f"{_parse(record['finishedAt']) - _parse(record['startedAt']):.1f} s" if record["execution"] else "-",
            str(len(record["pruned"]) or "-"),
            record["copy"] or "-",
        )
        for record in records
    ]
    headings = ("Database", "Kind", "Outcome", "Snapshot", "Duration", "Pruned", "Copy")
    shown = Table(title="Audit", title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in headings:
        shown.add_column(heading, no_wrap=True, justify="right" if heading in ("Duration", "Pruned") else "left")
    fixed = sum(max(len(line[column]) for line in [headings, *lines]) + 2 for column in range(len(headings) - 1))
    room = max(12, width - fixed - 4)
    for line in lines:
        *others, copy = line
        others[2] = Text(others[2], style=STYLES.get(others[2], ""))
        shown.add_row(*others, copy if len(copy) <= room else f"{copy[: room - 1]}…")
    return shown


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
    width = min(console.width, LONGEST_LINE)
    wrap = partial(textwrap.fill, width=width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    console.print(wrap(text, initial_indent="- "), markup=False)
    if more:
        console.print(wrap(more, initial_indent="  "), style="italic", markup=False)


def conclude(console: Console, end: Execution, records: list[Json], expected: Json | None) -> None:
    """Says how the run ended, and explains everything that was not copied."""
    counts = Counter(record["outcome"] for record in records)
    console.print()
    counted = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    console.print(f"The run ended as [bold]{end.status} {end.error}[/]: {counted}.")
    if isinstance(end.failure, dict) and "summary" in end.failure:
        console.print(f"Its message: {end.failure['summary']}", markup=False)
    console.print()
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
    gone = {before[arn].id for arn in before.keys() - after.keys()}
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


def _parse(moment: str) -> float:
    # Python 3.10 does not know the Z.
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def _seconds(seconds: float) -> str:
    return f"{seconds / 60:.0f} min {seconds % 60:02.0f} s" if seconds >= 100 else f"{seconds:.0f} s"
