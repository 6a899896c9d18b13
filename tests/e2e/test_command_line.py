"""`snapferry`, the program itself: commands, exit codes, JSON, terminals, and the day the source region is lost."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from e2e.fleet import cluster, fleet, instance, old_copy, oracle, oracle_group
from e2e.lost_region import Filter, left_of
from e2e.terminal import ESCAPES, Terminal
from e2e.waiting import until
from local_cloud import command_line, layout
from local_cloud.callers import callers_table
from local_cloud.cloud import LocalCloud

CLOSED = "http://127.0.0.1:9"
"""Where nobody listens: the port of the discard service."""

ON_THE_DAY = ["--destination", layout.DESTINATION_REGION, "--owner", layout.OWNER_ID]

# The same databases for all tests that only read: good, late, without a copy, and one that no longer exists.
FLEET = fleet(
    [instance("orders"), instance("stock-of-the-northern-warehouse"), instance("newborn", snapshots=[])],
    [cluster("billing")],
    [
        old_copy("orders", 5),
        old_copy("orders", 29),
        old_copy("stock-of-the-northern-warehouse", 50),
        old_copy("billing", 7, kind="cluster"),
        old_copy("long-gone", 900),
    ],
)

WELL = fleet(
    [instance("orders")], [cluster("billing")], [old_copy("orders", 5), old_copy("billing", 7, kind="cluster")]
)


def failing(name: str) -> dict[str, Any]:
    """A database whose copy RDS gives up."""
    return instance(name, copies={"durationSeconds": 60, "failAtPercent": 50})


def of_operator(cloud: LocalCloud) -> dict[str, str]:
    """The environment of an operator whose shell says nothing of the size of its terminal, nor of colours."""
    environment = command_line.environment(cloud)
    for name in ("COLUMNS", "LINES", "NO_COLOR", "TERM"):
        environment.pop(name, None)
    return environment


@pytest.fixture
def snapferry(cloud):
    """Runs the program in pipes."""

    def snapferry(*arguments: str, expect: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        said = subprocess.run(
            [str(cloud.program), *arguments],
            env={**of_operator(cloud), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if expect is not None:
            assert said.returncode == expect, said.stdout + said.stderr
        return said

    return snapferry


@pytest.fixture
def terminal(cloud) -> Iterator[Any]:
    """Runs the program in a terminal."""
    opened = []

    def terminal(*arguments: str, columns: int = 100, **environment: str) -> Terminal:
        command = [str(cloud.program), *arguments]
        opened.append(Terminal(command, {**of_operator(cloud), **environment}, columns))
        return opened[-1]

    yield terminal
    for one in opened:
        one.close()


# Exit codes


def test_status_ends_with_0_2_or_1(seed, snapferry):
    seed(WELL)
    said = snapferry("status", expect=0)
    assert said.stdout.startswith("All 2 databases meet the RPO of 26 h, with verified copies in eu-central-1.")
    assert said.stderr == ""
    strict = snapferry("status", "--objective", "6h", expect=2)
    assert strict.stdout.startswith("1 of 2 databases miss the RPO of 6 h: no verified copy of data that young in")
    seed(FLEET)
    said = snapferry("status", expect=2)
    _, table, reasons, *_ = said.stdout.split("\n\n")
    rows = [line.split()[:2] for line in table.splitlines()[1:]]
    assert rows == [
        ["newborn", "NO"],
        ["stock-of-the-northern-warehouse", "LATE"],
        ["cluster:billing", "good"],
        ["orders", "good"],
        ["long-gone", "source"],
    ]
    assert "newborn: no copy: RDS has no snapshot of it." in reasons
    assert "stock-of-the-northern-warehouse: late: " in reasons
    snapferry("status", "--objective", "soon", expect=1)


def test_plan_ends_with_0_or_1_and_with_2_where_that_is_asked_for_and_writes_nothing(seed, snapferry, counts):
    seed(FLEET)
    said = snapferry("plan", expect=0)
    assert "A run would copy 3 of 4 databases to eu-central-1" in said.stdout
    assert counts.writes() == 0
    scenario = fleet([instance("orders"), oracle("payroll", "tz")])
    scenario["regions"][layout.SOURCE_REGION]["optionGroups"] = [oracle_group("tz")]
    seed(scenario)
    snapferry("plan", expect=0)
    said = snapferry("plan", "--detailed-exitcode", expect=2)
    assert "instance payroll would fail: the copy needs an option group" in said.stdout
    snapferry("plan", "--stack", "nothing", expect=1)


def test_run_ends_with_0_2_or_1(seed, snapferry, runs):
    seed(WELL)
    said = snapferry("run", "--only", "orders", expect=0)
    name = re.match(r"Started (\S+)\.", said.stdout)[1]
    assert said.stderr == f"To follow it:\n  snapferry run --follow {name}\n"
    assert "orders: succeeded" in snapferry("run", "--follow", name, expect=0).stderr
    assert runs.outcomes(runs.latest()[0].arn) == {"instance:orders": "copied"}

    seed(fleet([instance("orders"), failing("ledger")]))
    said = snapferry("run", "--follow", expect=2)
    assert "1 copied, 1 failed" in said.stdout
    assert "instance ledger: CopyFailed" in said.stdout
    seed(fleet([failing("ledger")]))
    snapferry("run", "--follow", expect=1)

    snapferry("run", "--follow", "never-started", expect=1)
    snapferry("run", "--plan", "/nowhere/plan.json", expect=1)


def test_a_dry_run_copies_nothing(seed, snapferry, counts):
    seed(WELL)
    said = snapferry("run", "--dry-run", "--follow", expect=0)
    assert "2 planned" in said.stdout
    assert counts.writes() == 0


def test_a_run_takes_a_plan(seed, snapferry, runs, tmp_path):
    seed(
        fleet(
            [instance("orders"), instance("stock"), instance("newborn", snapshots=[])],
            destination=[old_copy("stock", 3)],
        )
    )
    file = tmp_path / "plan.json"
    file.write_text(snapferry("plan", "--json", "--only", "orders,newborn", expect=0).stdout)
    said = snapferry("run", "--plan", str(file), "--follow", expect=0)
    assert "1 copied" in said.stdout
    assert runs.outcomes(runs.latest()[0].arn) == {"instance:orders": "copied"}
    # Everything in it is current now.
    file.write_text(snapferry("plan", "--json", "--only", "orders", expect=0).stdout)
    before = len(runs.latest())
    assert "has nothing to do" in snapferry("run", "--plan", str(file), expect=0).stdout
    assert len(runs.latest()) == before
    # It is a plan of one stack.
    other = json.loads(file.read_text()) | {"stack": "another"}
    file.write_text(json.dumps(other))
    assert "The plan is of the stack another" in snapferry("run", "--plan", str(file), expect=1).stderr


def test_audit_and_restore_command_end_with_0_or_1(seed, snapferry, tmp_path):
    copies = seed(FLEET)
    snapferry("run", "--follow", "--only", "orders", expect=0)
    said = snapferry("audit", "--since", "1h", expect=0)
    assert re.search(r"^\S+ \S+ +orders +copied", said.stdout, re.MULTILINE), said.stdout
    said = snapferry("audit", "--html", str(tmp_path / "audit.html"), expect=0)
    assert said.stdout == ""
    digest = hashlib.sha256((tmp_path / "audit.html").read_bytes()).hexdigest()
    assert said.stderr == f"Wrote {tmp_path}/audit.html, SHA-256 {digest}.\n"
    assert (tmp_path / "audit.html").read_text().startswith("<!doctype html>")
    snapferry("audit", "--html", str(tmp_path / "no" / "audit.html"), expect=1)
    # N38: what is not a page stays.
    (tmp_path / "notes.txt").write_text("mine")
    snapferry("audit", "--html", str(tmp_path / "notes.txt"), expect=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    snapferry("audit", "--since", "yesterday", expect=1)

    said = snapferry("restore-command", "cluster:billing", "--as", "billing-drill", expect=0)
    commands = [shlex.split(step) for step in re.findall(r"^aws .*(?:\n .*)*", said.stdout, re.MULTILINE)]
    assert commands[0][:3] == ["aws", "rds", "restore-db-cluster-from-snapshot"]
    assert commands[0][commands[0].index("--snapshot-identifier") + 1] == copies["acme-billing-7h-old"]
    said = snapferry("restore-command", "newborn", expect=1)
    assert said.stderr.startswith("error: ")


def test_a_database_that_is_gone_stands_in_the_audit(seed, snapferry, cloud, runs):
    stack = cloud.stack_with("retiring", RetiredKeepDays="30")
    old = [old_copy("gone", hours) for hours in (1000, 1024, 1048, 1072)]
    copies = seed(fleet([instance("orders")], destination=old))
    said = snapferry("run", "--follow", "--stack", stack, expect=0)
    assert "instance gone (retired): succeeded" in said.stderr
    entries = json.loads(snapferry("audit", "--stack", stack, "--since", "1h", "--json", expect=0).stdout)["entries"]
    gone = [entry for entry in entries if entry["database"] == "gone"]
    assert [(one["retired"], one["outcome"], [copy["id"] for copy in one["deleted"]]) for one in gone] == [
        (True, "retired", [copies["acme-gone-1072h-old"]])
    ]


def test_what_needs_no_account_asks_none(snapferry):
    nobody = {"AWS_ENDPOINT_URL": CLOSED, "AWS_ENDPOINT_URL_RDS": CLOSED}
    for shell in ("bash", "zsh", "fish"):
        assert "restore-command" in snapferry("completions", shell, expect=0, **nobody).stdout
    assert snapferry("man", expect=0, **nobody).stdout.startswith(".")
    snapferry("completions", "none", expect=1, **nobody)
    snapferry("status", "--nonsense", expect=1, **nobody)
    snapferry(expect=1, **nobody)
    others = (
        "restore-command",
        "restore-plan",
        "drill",
        "stop",
        "doctor",
        "key-policy",
        "estimate",
        "completions",
        "man",
    )
    for command in ("status", "copies", "plan", "run", "audit", *others):
        said = snapferry(command, "--help", expect=0, **nobody).stdout
        assert "Examples:\n  snapferry " in said, command
    assert "ObjectiveHours" in snapferry("status", "--help", expect=0, **nobody).stdout


def test_a_shell_gets_the_names_of_the_databases(seed, snapferry):
    """N42."""
    seed(FLEET)

    def offered(*words: str) -> list[str]:
        return snapferry("__names", "databases", "--", "snapferry", *words, expect=0).stdout.splitlines()

    assert offered("run", "--only", "or") == ["orders"]
    assert set(offered("run", "--only", "orders,")) == {
        "orders,newborn",
        "orders,orders",
        "orders,stock-of-the-northern-warehouse",
        "orders,cluster:billing",
    }
    assert offered("copies", *ON_THE_DAY, "cl") == ["cluster:billing"]
    # Nobody is kept waiting, and nothing is said, where there is no answer.
    assert offered("copies", "--stack", "nothing", "") == []


def test_verbose_shows_the_calls_beside_the_results(seed, snapferry):
    seed(WELL)
    said = snapferry("status", "--verbose", "--json", expect=0)
    json.loads(said.stdout)
    calls = said.stderr.splitlines()
    assert all(line.startswith("call: ") for line in calls), said.stderr
    assert any(re.match(r"call: CloudFormation DescribeStacks at \S+: HTTP 200, \d+ ms", line) for line in calls)
    assert any(line.startswith("call: RDS DescribeDBSnapshots at ") for line in calls)
    assert snapferry("status", "--json", expect=0).stderr == ""


# What is wrong is said


def test_a_stack_that_is_not_there_and_a_wrong_region_say_so(seed, snapferry):
    seed(FLEET)
    for command in (["status"], ["plan"], ["run"], ["audit"], ["restore-command", "orders"]):
        for options, expected in (
            (["--stack", "nothing"], "There is no stack nothing in eu-west-1."),
            (["--region", "eu-north-1"], "There is no stack snapferry in eu-north-1."),
        ):
            said = snapferry(*command, *options, expect=1)
            assert said.stdout == ""
            assert said.stderr.startswith(f"error: {expected}\n"), said.stderr
            assert "--stack" in said.stderr
            assert "--region" in said.stderr
    said = snapferry("status", "--destination", layout.DESTINATION_REGION, expect=1)
    assert "There are copies of other owners: acme (" in said.stderr
    said = snapferry("status", "--destination", "eu-north-1", "--owner", layout.OWNER_ID, expect=1)
    assert said.stderr.startswith("error: There are no copies of the owner acme in eu-north-1.")


def test_without_a_permission_its_name_is_said(cloud, seed, snapferry):
    seed(FLEET)
    said = snapferry("status", AWS_ACCESS_KEY_ID="unknown", expect=1)
    assert "CloudFormation in eu-west-1 does not let you" in said.stderr
    assert "cloudformation:DescribeStacks" in said.stderr
    known = callers_table(list(cloud.callers.values()))
    blind = {"arn": f"arn:aws:iam::{layout.ACCOUNT}:user/blind", "policies": []}
    try:
        cloud.simulator.set_callers({**known, "blind": blind})
        for command in (["status"], ["audit"], ["restore-command", "orders"]):
            said = snapferry(*command, *ON_THE_DAY, AWS_ACCESS_KEY_ID="blind", expect=1)
            assert "RDS in eu-central-1 does not let you: " in said.stderr, said.stderr
            assert "rds:DescribeDBSnapshots" in said.stderr
    finally:
        cloud.simulator.set_callers(known)


def test_a_user_of_the_account_needs_no_other_permission_to_write_than_to_start_a_run(cloud, seed, snapferry):
    seed(WELL)
    iam = cloud.client("iam")
    states = [
        "states:ListExecutions",
        "states:DescribeExecution",
        "states:GetExecutionHistory",
        "states:StartExecution",
    ]
    iam.create_user(UserName="operator")
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    known = callers_table(list(cloud.callers.values()))
    reader = {
        "arn": f"arn:aws:iam::{layout.ACCOUNT}:user/operator",
        "policies": [
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": [
                            "rds:DescribeDBInstances",
                            "rds:DescribeDBClusters",
                            "rds:DescribeDBSnapshots",
                            "rds:DescribeDBClusterSnapshots",
                        ],
                        "Resource": "*",
                    }
                ],
            }
        ],
    }
    try:
        cloud.simulator.set_callers({**known, key["AccessKeyId"]: reader})

        def allow(*actions: str) -> None:
            document = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
            }
            iam.put_user_policy(UserName="operator", PolicyName="operator", PolicyDocument=json.dumps(document))

        allow("cloudformation:DescribeStacks", *states)
        for command in (["status"], ["plan"], ["run", "--follow"], ["audit"], ["restore-command", "orders"]):
            snapferry(*command, expect=0, **keys)
        allow("cloudformation:DescribeStacks", *states[:-1])
        for command in (["plan"], ["run"]):
            said = snapferry(*command, expect=1, **keys)
            assert "Step Functions in eu-west-1 does not let you: " in said.stderr, said.stderr
            assert "You need states:StartExecution on the state machine snapferry-copy-fleet." in said.stderr
    finally:
        cloud.simulator.set_callers(known)
        iam.delete_user_policy(UserName="operator", PolicyName="operator")
        iam.delete_access_key(UserName="operator", AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName="operator")


# JSON


def record(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """The schema of an object that has these members and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def every(schema: Any) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def one_of(*values: Any) -> dict[str, Any]:
    return {"enum": list(values)}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "integer"}
TRUTH = {"type": "boolean"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
KIND = one_of("instance", "cluster")
STAGE = one_of("running", "succeeded", "failed", "stopped", "timed-out")
REASONED = every(record({"id": TEXT, "reason": TEXT}))

RESTORABLE = record({"verdict": one_of("yes", "no", "unknown"), "missing": every(TEXT), "warnings": every(TEXT)})
DRILL = record(
    {"outcome": one_of("passed", "failed", "not-run", "unsupported"), "at": TIME, "minutes": or_null(NUMBER)},
    reason=TEXT,
    lastPassedAt=TIME,
    lastPassedMinutes=NUMBER,
)

DATABASE = record(
    {
        "name": TEXT,
        "database": TEXT,
        "kind": KIND,
        "state": one_of(
            *("no-copy", "late", "first-copy-pending", "no-snapshot-yet", "good"),
            *("no-snapshots", "unsupported", "excluded", "source-deleted"),
        ),
        "ageSeconds": or_null(NUMBER),
        "capturedAt": or_null(TIME),
        "verifiedAt": or_null(TIME),
        "copy": or_null(TEXT),
        "kmsKeyArn": or_null(TEXT),
        "sizeGib": or_null(NUMBER),
        "copies": record({"verified": NUMBER, "inProgress": NUMBER, "unverified": NUMBER, "failed": NUMBER}),
    },
    resourceId=TEXT,
    sourceRegion=TEXT,
    reason=TEXT,
    remedy=TEXT,
    restorable=RESTORABLE,
    drill=DRILL,
    percent=NUMBER,
    last=record({"stage": STAGE, "at": TIME, "execution": TEXT}, detail=TEXT),
)
WHERE = {"version": one_of(1), "now": TIME, "region": TEXT, "owner": TEXT, "objectiveSeconds": NUMBER}
STATUS = record(
    {**WHERE, "missed": NUMBER, "warnings": every(TEXT), "notes": every(TEXT), "databases": every(DATABASE)}, stack=TEXT
)
LINK = {"type": "string", "pattern": "^https://"}
ENTRY = record(
    {
        "database": TEXT,
        "kind": KIND,
        "retired": TRUTH,
        "outcome": one_of(
            *("copied", "copied, not pruned", "current", "planned", "nothing", "not ready", "under way"),
            *("unsupported", "retired", "pending", "failed", "running"),
        ),
        "startedAt": TIME,
        "endedAt": or_null(TIME),
        "requestedAt": or_null(TIME),
        "verifiedAt": or_null(TIME),
        "capturedAt": or_null(TIME),
        "source": or_null(TEXT),
        "engine": or_null(TEXT),
        "sizeGib": or_null(NUMBER),
        "copy": or_null(TEXT),
        "kmsKeyArn": or_null(TEXT),
        "evidence": every(
            record(
                {
                    "field": TEXT,
                    "expected": or_null(TEXT),
                    "found": or_null(TEXT),
                    "result": one_of("equal", "not-reported"),
                }
            )
        ),
        "deleted": REASONED,
        "kept": NUMBER,
        "warnings": every(TEXT),
        "link": LINK,
    },
    resourceId=TEXT,
    formerName=TEXT,
    error=TEXT,
    cause=TEXT,
    execution=TEXT,
    run=TEXT,
    percent=NUMBER,
)
HELD = record(
    {
        "database": TEXT,
        "kind": KIND,
        "resourceId": TEXT,
        "retired": TRUTH,
        "copy": TEXT,
        "state": one_of("verified", "in progress", "not verified", "failed", "different", "being deleted"),
        "percent": or_null(NUMBER),
        "capturedAt": TIME,
        "ageSeconds": NUMBER,
        "requestedAt": TIME,
        "verifiedAt": or_null(TIME),
        "sizeGib": or_null(NUMBER),
        "kmsKeyArn": or_null(TEXT),
        "encryption": one_of("none", "sse-kms", "sse-rds"),
        "engine": TEXT,
        "engineVersion": TEXT,
        "optionGroup": or_null(TEXT),
        "hold": TRUTH,
        "source": TEXT,
    },
    retention=TEXT,
    goesAbout=TIME,
)
EXCEPTION = record(
    {
        "kind": one_of(
            *("drill-failed", "drill-unsupported", "drill-database-left", "not-drilled"),
            "not-encrypted",
            "aws-owned-key",
            "other-key",
            "other-option-group",
            "unsupported",
            "left-out",
            "no-snapshots",
            "warning",
        ),
        "text": TEXT,
    },
    database=TEXT,
)
RUN = record(
    {
        "name": TEXT,
        "startedBy": one_of("schedule", "rds-event", "snapferry", "another-run", "other", "not-asked"),
        "startedAt": TIME,
        "endedAt": or_null(TIME),
        "status": STAGE,
        "executions": NUMBER,
        "link": LINK,
    }
)
DRILLED = record(
    {
        "kind": KIND,
        "database": TEXT,
        "outcome": one_of("passed", "failed", "not-run", "unsupported"),
        "checked": every(one_of("description", "events", "function")),
        "execution": TEXT,
        "link": LINK,
    },
    resourceId=TEXT,
    minutes=NUMBER,
    reason=TEXT,
    copy=TEXT,
    capturedAt=TIME,
    storageOnly=TRUTH,
    numbers={"type": "object", "additionalProperties": {"type": "number"}},
    restoredAs=TEXT,
    gone=TRUTH,
    goneAt=TIME,
    left=TRUTH,
    startedAt=TIME,
    endedAt=TIME,
    run=TEXT,
)
DRILLS = record(
    {
        "stack": TEXT,
        "scheduled": TRUTH,
        "ageLimitDays": NUMBER,
        "entries": every(DRILLED),
        "running": NUMBER,
        "databases": or_null(
            every(
                record(
                    {"state": one_of("overdue", "kept", "in-use"), "kind": KIND, "id": TEXT}, until=TIME, execution=TEXT
                )
            )
        ),
        "notProved": every(record({"database": TEXT, "kind": KIND}, lastPassedAt=TIME)),
        "complete": TRUTH,
    }
)
DRILL_RUN = record(
    {"version": one_of(1), "run": TEXT, "execution": TEXT, "link": LINK, "status": STAGE},
    tookSeconds=NUMBER,
    counts=record({"passed": NUMBER, "failed": NUMBER, "notRun": NUMBER, "unsupported": NUMBER}),
    drills=every(DRILLED),
    passedOver=every(record({"kind": KIND, "id": TEXT, "reason": TEXT})),
    later=NUMBER,
    warnings=every(TEXT),
)
AUDIT = record(
    {
        **WHERE,
        "version": one_of(2),
        "since": TIME,
        "generator": TEXT,
        "sourceRegions": every(TEXT),
        "policy": {"type": "object", "additionalProperties": TEXT},
        "databases": every(DATABASE),
        "copies": every(HELD),
        "exceptions": every(EXCEPTION),
        "runs": every(RUN),
        "entries": every(ENTRY),
        "complete": TRUTH,
        "executionsShown": TRUTH,
        "drills": or_null(DRILLS),
        "notes": every(TEXT),
    },
    stack=TEXT,
    account=TEXT,
    usualKey=TEXT,
)
PLANNED = record(
    {
        "database": TEXT,
        "kind": KIND,
        "decision": or_null(
            one_of("copy", "join", "verify", "under way", "current", "nothing", "unsupported", "retired")
        ),
        "reason": TEXT,
        "delete": REASONED,
        "keep": REASONED,
    },
    resourceId=TEXT,
    error=TEXT,
    source=record(
        {"id": TEXT, "arn": TEXT, "createdAt": TIME, "engine": TEXT, "engineVersion": TEXT, "encryption": TEXT},
        kmsKeyArn=TEXT,
        sizeGib=NUMBER,
        dataTime=TIME,
        writtenGib=NUMBER,
    ),
)
PLAN = record(
    {
        "version": one_of(2),
        "stack": TEXT,
        "region": TEXT,
        "destinationRegion": TEXT,
        "plannedAt": TIME,
        "execution": TEXT,
        "databases": every(PLANNED),
        "leftOut": record(
            {
                "count": NUMBER,
                "reasons": {"type": "object", "additionalProperties": NUMBER},
                "first": every(record({"kind": KIND, "id": TEXT, "reason": TEXT})),
            }
        ),
        "retired": record(
            {
                "databases": NUMBER,
                "copies": NUMBER,
                "first": every(record({"kind": KIND, "id": TEXT, "copies": NUMBER})),
            }
        ),
        "warnings": every(TEXT),
    }
)
AMOUNT = record({"low": {"type": "number"}, "high": {"type": "number"}})
COVERAGE = record({"instanceSlots": NUMBER, "clusterSlots": NUMBER, "firstSeconds": NUMBER, "dailySeconds": NUMBER})
MONTH = record({"transferGib": AMOUNT, "transfer": AMOUNT, "storageGib": AMOUNT, "storage": AMOUNT})
ESTIMATE = record(
    {
        "version": one_of(1),
        "now": TIME,
        "stack": or_null(TEXT),
        "region": TEXT,
        "destinationRegion": TEXT,
        "keep": {"type": "object", "additionalProperties": NUMBER},
        "hasRoom": TRUTH,
        "withAllSlots": COVERAGE,
        "withTheStack": COVERAGE,
        "quotas": every(
            record(
                {
                    "kind": KIND,
                    "code": TEXT,
                    "used": or_null(NUMBER),
                    "max": or_null(NUMBER),
                    "needed": NUMBER,
                    "others": or_null(NUMBER),
                    "raiseTo": or_null(NUMBER),
                }
            )
        ),
        "firstMonth": MONTH,
        "laterMonths": MONTH,
        "prices": record(
            {
                "date": TEXT,
                "currency": TEXT,
                "confirmed": TRUTH,
                "transferPerGib": AMOUNT,
                "instanceStoragePerGibMonth": AMOUNT,
                "clusterStoragePerGibMonth": AMOUNT,
                "sources": every(TEXT),
            }
        ),
        "objective": record(
            {
                "presentSeconds": NUMBER,
                "proposedHours": NUMBER,
                "intervalSeconds": NUMBER,
                "coverSeconds": NUMBER,
                "marginSeconds": NUMBER,
                "isIntervalMeasured": TRUTH,
            }
        ),
        "assumptions": record(
            {
                "gibPerHour": {"type": "number"},
                "measuredBy": NUMBER,
                "overheadSeconds": NUMBER,
                "dailyChangePercent": AMOUNT,
                "isChangeGiven": TRUTH,
            }
        ),
        "notes": every(TEXT),
        "passedOver": every(record({"kind": KIND, "database": TEXT, "reason": TEXT})),
        "databases": every(
            record(
                {
                    "kind": KIND,
                    "database": TEXT,
                    "resourceId": TEXT,
                    "isCovered": TRUTH,
                    "sizeGib": or_null(NUMBER),
                    "sizeFrom": one_of("written", "allocated", "given", "unknown"),
                    "transfer": one_of("full", "incremental"),
                    "stored": one_of("full", "incremental"),
                    "copiesKept": NUMBER,
                    "nextSeconds": NUMBER,
                    "dailySeconds": NUMBER,
                    "isMeasured": TRUTH,
                    "isAtLeast": TRUTH,
                }
            )
        ),
    }
)
RESTORE = record(
    {
        "version": one_of(1),
        "database": TEXT,
        "kind": KIND,
        "region": TEXT,
        "copy": TEXT,
        "capturedAt": TIME,
        "verifiedAt": or_null(TIME),
        "ageSeconds": NUMBER,
        "steps": every(record({"purpose": TEXT, "command": every(TEXT)})),
        "fillIn": every(TEXT),
        "notes": every(TEXT),
        "notRestored": every(TEXT),
    }
)
REMARK = record({"problem": TEXT, "databases": every(TEXT)}, remedy=TEXT)
RESTORE_PLAN = record(
    {
        "version": one_of(1),
        "now": TIME,
        "region": TEXT,
        "owner": TEXT,
        "missing": every(REMARK),
        "warnings": every(REMARK),
        "needed": record({"instances": NUMBER, "clusters": NUMBER, "storageGib": NUMBER}),
        "databases": every(
            record(
                {
                    "name": TEXT,
                    "database": TEXT,
                    "kind": KIND,
                    "resourceId": TEXT,
                    "restoredAs": TEXT,
                    "copy": TEXT,
                    "capturedAt": TIME,
                    "ageSeconds": NUMBER,
                    "sizeGib": or_null(NUMBER),
                    "wave": NUMBER,
                    "restorable": RESTORABLE,
                },
                restoreOrder=NUMBER,
            )
        ),
        "withoutCopy": every(TEXT),
        "notes": every(TEXT),
    }
)


def test_everything_is_stopped_and_starts_again(cloud, seed, runs, snapferry):
    """A copy that RDS goes on with is complete at the next run, and is no second one."""
    seed(fleet([instance("orders", copies={"durationSeconds": 20_000})]))
    arn = runs.start({})
    copies = cloud.client("rds", layout.DESTINATION_REGION).describe_db_snapshots
    until(lambda: copies(SnapshotType="manual")["DBSnapshots"], "the first copy")
    rules = cloud.client("events")
    try:
        stopped = json.loads(snapferry("stop", "--json", expect=0).stdout)
        assert len(stopped["stopped"]) == 2, stopped
        assert runs.wait(arn).status == "ABORTED"
        assert [copy["database"] for copy in stopped["inProgress"]] == ["orders"]
        names = [rule["name"] for rule in stopped["rules"]]
        assert {rules.describe_rule(Name=name)["State"] for name in names[:2]} == {"DISABLED"}
        cancelled = json.loads(snapferry("stop", "--cancel", "--json", expect=0).stdout)
        assert [copy["database"] for copy in cancelled["cancelled"]] == ["orders"]
    finally:
        snapferry("stop", "--resume", expect=0)
    assert {rules.describe_rule(Name=name)["State"] for name in names[:2]} == {"ENABLED"}


DOCTOR = record(
    {
        "version": {"const": 1},
        "now": TIME,
        "region": TEXT,
        "stack": TEXT,
        "health": one_of("good", "unknown", "warning", "wrong"),
        "findings": every(
            record(
                {
                    "check": TEXT,
                    "subject": TEXT,
                    "health": one_of("good", "unknown", "warning", "wrong"),
                    "found": TEXT,
                    "remedy": or_null(TEXT),
                }
            )
        ),
    }
)


def test_doctor_says_what_is_true_of_the_deployed_stacks(cloud, seed, snapferry):
    seed(WELL)
    snapferry("run", "--follow", expect=0)

    def findings(*arguments: str, **environment: str) -> dict[str, set[str]]:
        said = json.loads(snapferry("doctor", "--json", *arguments, **environment).stdout)
        jsonschema.validate(said, DOCTOR)
        found: dict[str, set[str]] = {}
        for one in said["findings"]:
            # Only what is good needs nothing to be done.
            assert (one["remedy"] is None) == (one["health"] == "good"), one
            found.setdefault(one["check"], set()).add(one["health"])
        return found

    found = findings()
    for check in ("credentials", "clock", "region", "release", "reads", "key", "quota", "last run", "rules", "dry run"):
        assert found[check] == {"good"}, check
    # There is no destination stack, nobody is subscribed, and the root user may do everything.
    for check in ("stack", "notifications", "starts and stops"):
        assert "warning" in found[check], check
    # The simulator has no key policies, and MiniStack simulates no conditions.
    assert (found["key policy"], found["roles"]) == ({"unknown"}, {"unknown"})
    snapferry("doctor", expect=0)
    try:
        snapferry("stop", expect=0)
        assert findings()["rules"] == {"warning"}
    finally:
        snapferry("stop", "--resume", expect=0)
    assert findings("--stack", "nothing")["stack"] == {"wrong"}
    snapferry("doctor", "--stack", "nothing", expect=2)


def test_json_has_the_shape_that_scripts_rely_on(seed, snapferry):
    scratch = instance("scratch", tags={"snapferry:copy": "false"})
    mistaken = instance("mistaken", tags={"snapferry:keep": "many"})
    copies = seed(
        fleet(
            [instance("orders"), failing("ledger"), instance("newborn", snapshots=[]), scratch, mistaken],
            [cluster("billing")],
            [old_copy("orders", age) for age in (27, 51, 75, 99)] + [old_copy("gone", 900)],
        )
    )

    def read(schema: Any, *arguments: str) -> Any:
        said = json.loads(snapferry(*arguments, "--json").stdout)
        jsonschema.validate(said, schema)
        return said

    estimate = read(ESTIMATE, "estimate")
    transfers = {one["database"]: one["transfer"] for one in estimate["databases"]}
    assert transfers == {
        "orders": "incremental",
        "ledger": "full",
        "newborn": "full",
        "mistaken": "full",
        "billing": "full",
    }
    assert [one["database"] for one in estimate["passedOver"]] == ["scratch"]
    assert estimate["notes"] == []
    before = read(ESTIMATE, "estimate", "--stack", "none", "--destination-region", layout.DESTINATION_REGION)
    assert (before["stack"], len(before["databases"])) == (None, 5)

    plan = read(PLAN, "plan")
    assert {one["database"]: one["decision"] for one in plan["databases"]} == {
        "orders": "copy",
        "ledger": "copy",
        "newborn": "nothing",
        "mistaken": "copy",
        "billing": "copy",
    }
    (orders,) = (one for one in plan["databases"] if one["database"] == "orders")
    # Three are kept, the new one among them.
    assert {one["id"] for one in orders["delete"]} == {copies["acme-orders-75h-old"], copies["acme-orders-99h-old"]}
    assert plan["leftOut"]["count"] == 1
    assert plan["warnings"]
    snapferry("run", "--follow", expect=2)

    status = read(STATUS, "status")
    assert status["missed"] == 2
    assert [one["database"] for one in status["databases"]][:2] == ["ledger", "newborn"]
    assert status["databases"][0]["last"]["detail"] == "CopyFailed"
    assert {one["restorable"]["verdict"] for one in status["databases"] if one["copy"]} == {"yes"}
    assert "stack" not in read(STATUS, "status", *ON_THE_DAY)

    audit = read(AUDIT, "audit", "--since", "1h")
    latest = {}
    for entry in reversed(audit["entries"]):
        latest[entry["database"]] = entry
    assert latest["ledger"]["error"] == "CopyFailed"
    assert {one["result"] for one in latest["orders"]["evidence"]} <= {"equal", "not-reported"}
    assert "engine" in {one["field"] for one in latest["orders"]["evidence"]}
    assert {"snapferry"} <= {run["startedBy"] for run in audit["runs"]}
    assert latest["billing"]["kind"] == "cluster"
    by_copies = read(AUDIT, "audit", *ON_THE_DAY)
    assert all("execution" not in entry for entry in by_copies["entries"])
    assert (audit["executionsShown"], by_copies["executionsShown"]) == (True, False)

    read(RESTORE, "restore-command", "orders")
    read(RESTORE, "restore-command", "billing", *ON_THE_DAY)
    planned = read(RESTORE_PLAN, "restore-plan", *ON_THE_DAY)
    assert {"orders", "cluster:billing", "gone"} <= {one["name"] for one in planned["databases"]}


# Terminals and pipes


@pytest.mark.parametrize("command", ["status", "plan", "audit"])
def test_it_fits_a_terminal_of_60_columns(seed, terminal, snapferry, command):
    seed(FLEET)
    if command == "audit":
        snapferry("run", "--follow", expect=0)
    shown = terminal(command, columns=60)
    assert shown.end() in (0, 2)
    lines = shown.text.splitlines()
    # A word that is longer stays whole, so that it can be copied.
    too_long = [line for line in lines if len(line) > 60 and " " in line.strip()]
    assert too_long == [], shown.text
    assert any(line.startswith(("DATABASE", "STARTED")) for line in lines), shown.text
    assert "\x1b[1m" in shown.said
    assert shown.is_as_it_was


def test_there_are_colours_in_a_terminal_only_and_only_if_they_are_wanted(seed, terminal, snapferry):
    seed(FLEET)

    def colours(*arguments: str, **environment: str) -> bool:
        shown = terminal("status", *arguments, **environment)
        assert shown.end() == 2
        return bool(ESCAPES.search(shown.said))

    assert colours()
    assert not colours(NO_COLOR="1")
    assert not colours("--no-color")
    assert not colours(TERM="dumb")
    piped = snapferry("status", expect=2)
    assert not ESCAPES.search(piped.stdout + piped.stderr)
    # In a pipe nothing is cut, and a reader may go away.
    assert "stock-of-the-northern-warehouse" in piped.stdout
    assert "…" not in piped.stdout


def test_a_reader_that_has_seen_enough_is_no_error(cloud, seed):
    seed(FLEET)
    said = subprocess.run(
        f"{shlex.quote(str(cloud.program))} status | head -1",
        shell=True,
        env=of_operator(cloud),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said.stdout.count("\n") == 1
    assert "panicked" not in said.stderr


# The day when the source region is lost


@pytest.fixture
def lost(cloud) -> Iterator[Filter]:
    """RDS with nothing left but the destination region."""
    with left_of(cloud.simulator.url, layout.DESTINATION_REGION) as server:
        yield server


def test_with_the_source_region_lost_the_destination_alone_answers(cloud, seed, snapferry, lost, tmp_path):
    copies = seed(FLEET)
    # Every other service of every region refuses connections, RDS of the source region resets them. The
    # proofs of drills are in the region of the copies.
    on_the_day = {
        "AWS_ENDPOINT_URL": CLOSED,
        "AWS_ENDPOINT_URL_RDS": lost.url,
        "AWS_ENDPOINT_URL_SSM": cloud.endpoint,
        "AWS_REGION": layout.SOURCE_REGION,
    }

    def say(*arguments: str, expect: int) -> subprocess.CompletedProcess[str]:
        began = time.monotonic()
        said = snapferry(*arguments, *ON_THE_DAY, expect=expect, **on_the_day)
        assert time.monotonic() - began < 5, "nobody waits for a region that is lost"
        return said

    status = say("status", expect=2)
    rows = {line.split()[0]: line.split()[1] for line in status.stdout.splitlines()[3:]}
    # Nobody knows that long-gone no longer exists, nor that there is a newborn.
    assert rows == {
        "long-gone": "LATE",
        "stock-of-the-northern-warehouse": "LATE",
        "cluster:billing": "good",
        "orders": "good",
    }
    assert status.stderr == ""
    audit = say("audit", "--since", "30d", expect=0)
    assert copies["acme-orders-5h-old"] in audit.stdout
    say("audit", "--html", str(tmp_path / "audit.html"), expect=0)
    assert copies["acme-stock-of-the-northern-warehouse-50h-old"] in (tmp_path / "audit.html").read_text()
    restore = say("restore-command", "orders", expect=0)
    assert f"--db-snapshot-identifier {copies['acme-orders-5h-old']}" in restore.stdout
    assert "--region eu-central-1" in restore.stdout
    for command in (["status"], ["audit"], ["restore-command", "orders"]):
        json.loads(say(*command, "--json", expect=2 if command == ["status"] else 0).stdout)
    assert lost.passed
    assert lost.refused == [], "the source region was asked"

    # The region of the environment may be unset as well.
    snapferry("status", *ON_THE_DAY, expect=2, **{**on_the_day, "AWS_REGION": "", "AWS_DEFAULT_REGION": ""})
    # Through the stack there is no answer, and it says what to do.
    for command in (["status"], ["audit"], ["restore-command", "orders"], ["plan"], ["run"]):
        said = snapferry(*command, expect=1, **on_the_day)
        assert "could not be reached" in said.stderr
        assert "--destination REGION --owner ID" in said.stderr


def test_without_rds_of_the_source_region_the_stack_still_leads_to_the_copies(seed, snapferry, lost):
    seed(FLEET)
    said = snapferry("status", expect=2, AWS_ENDPOINT_URL_RDS=lost.url)
    assert "note: Which databases exist is not known. RDS in eu-west-1 could not be reached" in said.stderr
    assert "orders" in said.stdout
    assert lost.refused


# The live view of a run


DRAWN = re.compile(r"[█░]|^. \d+ databases: ")
"""What is drawn in place: a bar, or the summary beside the spinner."""


def assert_no_ghosts(shown: Terminal, names: list[str]) -> None:
    """At every moment each database stood on the screen once at most, and nothing is left that was drawn in place."""
    assert any(DRAWN.search(line) for picture in shown.pictures for line in picture), shown.text
    patterns = [re.compile(rf"^(?:[✓✗-] )?{re.escape(name)}(?: |$)") for name in names]
    for picture in shown.pictures:
        text = "\n".join(picture)
        for pattern in patterns:
            assert sum(bool(pattern.search(line)) for line in picture) <= 1, text
        assert sum(bool(re.search(r"^. \d+ databases: ", line)) for line in picture) <= 1, text
    assert not any(DRAWN.search(line) for line in shown.lines), "\n".join(shown.lines)


@pytest.mark.parametrize("columns", [100, 60])
def test_the_live_view_leaves_no_ghosts_and_keeps_what_has_ended(seed, terminal, columns):
    """N1, N18, N19, N30, N47: as an eye sees it."""
    slow = {"copies": {"durationSeconds": 900}, "allocatedStorage": 420}
    names = [f"orders-{number}" for number in range(8)]
    instances = [*(instance(name, **slow) for name in names), failing("ledger"), instance("newborn", snapshots=[])]
    seed(fleet([*instances, instance("billing", **slow)], [cluster("billing", **slow)]))
    shown = terminal("run", "--follow", columns=columns)
    assert shown.end() == 2, shown.text
    assert_no_ghosts(shown, [*names, "ledger", "newborn", "billing", "cluster:billing"])
    ended = [line for line in shown.lines if line.startswith(("✓ ", "✗ ", "- "))]
    assert sorted(ended) == sorted(
        [*(f"✓ {name}" for name in (*names, "billing", "cluster:billing")), "✗ ledger CopyFailed", "- newborn nothing"]
    )
    seen = "\n".join(line for picture in shown.pictures for line in picture)
    assert re.search(r"^. 12 databases: \d+ done, 1 failed, \d+ copying", seen, re.MULTILINE), seen
    assert re.search(r"\d\.\d of (about )?\d\.\d TiB, (about \d+ |<1 )s", seen), seen
    assert re.search(r"^cluster:billing +█*░* +\d+ %", seen, re.MULTILINE), seen
    assert " 0 s to go" not in seen
    spinners = {
        line[0] for picture in shown.pictures for line in picture if DRAWN.search(line[:20]) and "█" not in line
    }
    assert len(spinners) > 4, spinners
    assert "\x1b[32m█" in shown.said
    assert shown.is_as_it_was


@pytest.mark.parametrize(("arguments", "environment"), [(("--no-color",), {}), ((), {"NO_COLOR": "1"})])
def test_the_live_view_has_no_colours_where_they_are_not_wanted(seed, terminal, arguments, environment):
    """N47."""
    seed(slow_fleet())
    shown = terminal("run", "--follow", *arguments, **environment)
    shown.wait_for("█")
    shown.press_ctrl_c()
    assert shown.end(10) == 130
    assert not re.search(r"\x1b\[[0-9;]*m", shown.said)


# Ctrl-C, and worse


MOMENTS = ["Started ", " copying", "1 done"]


def slow_fleet() -> Any:
    """One database that is done at once, and two that are copied for some seconds."""
    slow = {"copies": {"durationSeconds": 1200}}
    return fleet([instance("orders", **slow), instance("newborn", snapshots=[])], [cluster("billing", **slow)])


def the_run_goes_on(runs, snapferry, following: str) -> None:
    """The run is under way although nobody watches; who follows it again sees its end."""
    name = following.rsplit(" ", 1)[1]
    (run,) = (run for run in runs.latest() if run.name == name)
    assert run.running
    command = shlex.split(following)
    assert command[0] == "snapferry"
    said = snapferry(*command[1:], expect=0)
    assert f"The run {name} ended after" in said.stdout
    assert "2 copied, 1 nothing" in said.stdout


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_ends_the_following_and_not_the_run(seed, terminal, snapferry, runs, moment):
    seed(slow_fleet())
    shown = terminal("run", "--follow")
    shown.wait_for(moment)
    assert shown.is_as_it_was
    shown.press_ctrl_c()
    assert shown.end(10) == 130
    following = re.search(r"The run goes on\. To follow it again:\n  (snapferry run --follow \S+)\n", shown.text)
    assert following, shown.text
    assert shown.is_as_it_was
    # Bars are gone: what is left on the screen ends with that sentence.
    assert shown.text.rstrip().endswith(following[1])
    # N44.
    if moment != "Started ":
        assert_no_ghosts(shown, ["orders", "newborn", "cluster:billing"])
    the_run_goes_on(runs, snapferry, following[1])


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_program_that_is_killed_loses_no_run_and_breaks_no_terminal(seed, terminal, snapferry, runs, moment):
    seed(slow_fleet())
    shown = terminal("run", "--follow")
    shown.wait_for(moment)
    shown.process.send_signal(signal.SIGKILL)
    assert shown.end() == -signal.SIGKILL
    # It never set a mode that somebody would have to take back.
    assert shown.is_as_it_was
    name = re.search(r"Started (\S+)\.", shown.text)[1]
    the_run_goes_on(runs, snapferry, f"snapferry run --follow {name}")


def test_a_program_that_is_terminated_leaves_no_bar(seed, terminal, snapferry, runs):
    """N1: as `make demo` does when it is interrupted."""
    seed(slow_fleet())
    shown = terminal("run", "--follow")
    shown.wait_for("█")
    shown.process.send_signal(signal.SIGTERM)
    assert shown.end(10) == 143
    assert_no_ghosts(shown, ["orders", "newborn", "cluster:billing"])
    assert shown.is_as_it_was
    name = re.search(r"Started (\S+)\.", shown.text)[1]
    the_run_goes_on(runs, snapferry, f"snapferry run --follow {name}")


def test_ctrl_c_while_a_run_is_being_started_waits_for_its_name(cloud, seed, snapferry, runs):
    """Only a moment, and none is lost: at whatever time it is pressed, a run that was started is named or listed."""
    seed(slow_fleet())
    for milliseconds in (0, 5, 10, 20, 40, 80):
        known = {run.name for run in runs.latest()}
        shown = Terminal([str(cloud.program), "run", "--follow"], of_operator(cloud))
        try:
            shown.read(milliseconds / 1000)
            shown.press_ctrl_c()
            code = shown.end(10)
            assert shown.is_as_it_was
        finally:
            shown.close()
        started = [run.name for run in runs.latest() if run.name not in known]
        # Before it listens it ends as any program does.
        assert code in (130, -signal.SIGINT), shown.text
        if started:
            assert started[0] in shown.text, shown.text
            assert code == 130
        else:
            assert code != 0


def test_ctrl_c_ends_a_plan(seed, terminal, cloud):
    seed(slow_fleet())
    with cloud.simulator.hold("DescribeDBSnapshots", region=layout.SOURCE_REGION):
        shown = terminal("plan")
        shown.read(1.5)
        shown.press_ctrl_c()
        assert shown.end(10) == 130
    assert "The dry run goes on; it changes nothing." in shown.text
    assert shown.is_as_it_was
