"""The acceptance kit in the local cloud: to its end, cut off and started again, recorded and replayed."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accept import asking, cost, sweep
from accept.account import EXPIRES_TAG, RUN_TAG, Account, Run, tag_list
from accept.checks import CHECKS
from accept.local import SCALE, LocalAccount
from accept.local_release import write
from accept.questions import QUESTIONS
from accept.recording import PATTERNS, Answer, Scrubber, differences, left_of, read
from e2e.fleet import fleet, instance
from local_cloud import command_line, layout
from local_cloud.callers import callers_table
from local_cloud.cloud import LocalCloud

Json = Any

pytestmark = pytest.mark.xdist_group("accept")

SEED = 20261130
"""Where runs are cut off follows from it."""

REGIONS = (layout.SOURCE_REGION, layout.DESTINATION_REGION)
RUN = Run("0123abcd", "2026-12-01T00:00:00Z", *REGIONS)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory, session_cloud: LocalCloud) -> Path:
    """The folder of a release of the functions that the session's cloud runs."""
    assert session_cloud.endpoint
    return write(tmp_path_factory.mktemp("accept-release"))


class Kit:
    """The kit as `make accept` starts it, for the session's cloud."""

    def __init__(self, cloud: LocalCloud, release: Path, folder: Path) -> None:
        self.cloud = cloud
        self.release = release
        self.folder = folder
        self.record = folder / "record.json"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        place = ["--simulator", self.cloud.simulator.url]
        return subprocess.Popen(
            [sys.executable, "-m", "accept", *arguments, *place],
            env=command_line.environment(self.cloud) | {"SNAPFERRY_ACCEPT_STATE": str(self.folder / "state")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start_run(self, *more: str) -> subprocess.Popen[str]:
        program = ["--release", str(self.release), "--program", str(self.cloud.program)]
        return self.start("run", "--yes", *program, "--record", str(self.record), *more)

    def call(self, *arguments: str) -> str:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    def cut_off(self, line: str, seconds: float, number: signal.Signals) -> str:
        """Starts a run, and sends it a signal some time after it said a line. Returns all that it said."""
        process = self.start_run("--aurora")
        assert process.stdout is not None
        said = []
        for text in process.stdout:
            said.append(text)
            if text.startswith(line):
                threading.Timer(seconds, process.send_signal, [number]).start()
        process.wait(timeout=60)
        return "".join(said)


@pytest.fixture
def kit(cloud: LocalCloud, release: Path, tmp_path: Path, seed: Callable[[Json], dict[str, str]]) -> Iterator[Kit]:
    """The kit, in an account that has databases of others."""
    # The deletion of a snapshot takes real seconds.
    seed({**fleet([instance("orders")]), "settings": {"deleteSeconds": 1}})
    cloud.set_scale(SCALE)
    yield Kit(cloud, release, tmp_path)
    # The kit has told the simulator of its own functions only.
    cloud.simulator.set_callers(callers_table(list(cloud.callers.values())))


def everything(cloud: LocalCloud) -> dict[str, list[str]]:
    """Every resource of both regions that the kit could have left."""
    found: dict[str, list[str]] = {}
    for region in REGIONS:
        rds = cloud.client("rds", region)
        lists = {
            "databases": [one["DBInstanceIdentifier"] for one in rds.describe_db_instances()["DBInstances"]],
            "clusters": [one["DBClusterIdentifier"] for one in rds.describe_db_clusters()["DBClusters"]],
            "snapshots": [one["DBSnapshotArn"] for one in rds.describe_db_snapshots()["DBSnapshots"]],
            "cluster snapshots": [
                one["DBClusterSnapshotArn"] for one in rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
            ],
            "subnet groups": [one["DBSubnetGroupName"] for one in rds.describe_db_subnet_groups()["DBSubnetGroups"]],
            "backups": [
                one["DBInstanceIdentifier"]
                for one in rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
            ],
        }
        for name, service, operation, field, key in (
            ("stacks", "cloudformation", "describe_stacks", "Stacks", "StackName"),
            ("parameters", "ssm", "describe_parameters", "Parameters", "Name"),
            ("rules", "events", "list_rules", "Rules", "Name"),
            ("log groups", "logs", "describe_log_groups", "logGroups", "logGroupName"),
            ("topics", "sns", "list_topics", "Topics", "TopicArn"),
            ("subscriptions", "sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
            ("functions", "lambda", "list_functions", "Functions", "FunctionName"),
            ("machines", "stepfunctions", "list_state_machines", "stateMachines", "name"),
            ("alarms", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
            ("groups", "ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
            ("secrets", "secretsmanager", "list_secrets", "SecretList", "Name"),
        ):
            lists[name] = [
                one[key]
                for page in pages(cloud.client(service, region), operation)
                for one in page.get(field, [])
                if one.get("StackStatus") != "DELETE_COMPLETE"
            ]
        lists["queues"] = cloud.client("sqs", region).list_queues().get("QueueUrls", [])
        found.update({f"{name} in {region}": sorted(names) for name, names in lists.items()})
    found["buckets"] = sorted(one["Name"] for one in cloud.client("s3").list_buckets()["Buckets"])
    found["roles"] = sorted(
        one["RoleName"] for page in pages(cloud.client("iam"), "list_roles") for one in page["Roles"]
    )
    return found


def pages(client: Any, operation: str) -> Iterator[Json]:
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate()
    else:
        yield getattr(client, operation)()


def test_it_goes_to_its_end_says_a_line_for_every_question_leaves_nothing_and_its_recording_replays(
    kit: Kit, tmp_path: Path
) -> None:
    before = everything(kit.cloud)
    process = kit.start_run("--aurora")
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert "nothing is left" in said
    assert everything(kit.cloud) == before

    ids = [line.split()[0] for line in said.splitlines() if re.match(r"[A-Z]\d+ ", line)]
    assert ids == [question.id for question in QUESTIONS]
    content = kit.record.read_text()
    assert layout.ACCOUNT not in content
    asked = [one for one in json.loads(content)["answers"] if "notAsked" not in one]
    assert len(asked) >= 35
    assert all(one["calls"] or one["said"] or one["measured"] for one in asked)

    simulator = ["--simulator", str(kit.cloud.folder / "programs" / "rds-simulator")]
    if not Path(simulator[1]).exists():
        simulator = []
    assert "no difference" in replay(kit.record, 0, *simulator)
    changed = json.loads(content)
    (answer,) = (one for one in changed["answers"] if one["id"] == "S3")
    answer["calls"][0]["message"] = "Another text."
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    differs = replay(tmp_path / "changed.json", 2, *simulator)
    assert [line.split()[0] for line in differs.splitlines() if "DIFFERS" in line] == ["S3"]
    assert "message: recorded Another text., simulator" in differs


def replay(file: Path, expect: int, *more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "accept", "replay", str(file), *more],
        env=layout.clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def test_cut_off_at_any_point_and_started_again_it_leaves_nothing(kit: Kit) -> None:
    chance = random.Random(SEED)
    before = everything(kit.cloud)
    points = [
        ("deploy", chance.uniform(0, 8), signal.SIGKILL),
        ("deploy", chance.uniform(8, 16), signal.SIGINT),
        (chance.choice(["copy", "event", "drill", "questions"]), chance.uniform(0, 2), signal.SIGKILL),
    ]
    for line, seconds, number in points:
        said = kit.cut_off(f"{line} ...", seconds, number)
        was_killed = number is signal.SIGKILL
        assert ("nothing is left" in said) != was_killed, said
        assert (everything(kit.cloud) != before) == was_killed, said
    # The last one was killed. The next start removes its rest before it makes anything of its own.
    process = kit.start_run()
    assert process.stdout is not None
    said = ""
    for text in process.stdout:
        said += text
        if text.startswith("databases ..."):
            process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM, said
    assert "was cut off: removing what it left" in said
    assert everything(kit.cloud) == before
    assert "there was nothing to remove" in kit.call("sweep")


def test_the_sweep_removes_what_is_past_its_time_and_nothing_else(kit: Kit) -> None:
    """Whatever lacks the mark, has an unreadable time, or is of a database of others, stays."""
    cloud = kit.cloud
    rds, s3 = cloud.client("rds"), cloud.client("s3")
    past, ahead = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
    marks = {
        "expired": {RUN_TAG: "00000001", EXPIRES_TAG: past},
        "fresh": {RUN_TAG: "00000002", EXPIRES_TAG: ahead},
        "unmarked": {},
        "nobodys": {EXPIRES_TAG: past},
        "unreadable": {RUN_TAG: "00000003", EXPIRES_TAG: "yesterday"},
    }
    others = everything(cloud)
    for name, tags in marks.items():
        rds.create_db_instance(
            DBInstanceIdentifier=f"snapferry-accept-{name}",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="nobody",
            MasterUserPassword="not-a-secret",
            BackupRetentionPeriod=0,
            Tags=tag_list(tags),
        )
        s3.create_bucket(
            Bucket=f"snapferry-accept-{name}-{layout.ACCOUNT}-{layout.SOURCE_REGION}",
            CreateBucketConfiguration={"LocationConstraint": layout.SOURCE_REGION, "Tags": tag_list(tags)},
        )
    # Somebody copied the tags to a snapshot of a database that the kit did not make.
    rds.create_db_snapshot(
        DBSnapshotIdentifier="snapferry-accept-stray", DBInstanceIdentifier="orders", Tags=tag_list(marks["expired"])
    )
    deadline = time.monotonic() + 30
    while {one["Status"] for one in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]} != {"available"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    made = everything(cloud)
    assert made != others
    said = kit.call("sweep")
    assert said.count("  delete ") == 2, said
    left = everything(cloud)
    gone = {kind: set(made[kind]) - set(left[kind]) for kind in made if made[kind] != left[kind]}
    assert gone == {
        f"databases in {layout.SOURCE_REGION}": {"snapferry-accept-expired"},
        f"backups in {layout.SOURCE_REGION}": set(),
        "buckets": {f"snapferry-accept-expired-{layout.ACCOUNT}-{layout.SOURCE_REGION}"},
    } or gone == {
        f"databases in {layout.SOURCE_REGION}": {"snapferry-accept-expired"},
        "buckets": {f"snapferry-accept-expired-{layout.ACCOUNT}-{layout.SOURCE_REGION}"},
    }
    assert "there was nothing to remove" in kit.call("sweep")
    assert everything(cloud) == left

    assert "removed 2" in kit.call("sweep", "--run", "00000002")
    for name in ("unmarked", "nobodys", "unreadable"):
        s3.delete_bucket(Bucket=f"snapferry-accept-{name}-{layout.ACCOUNT}-{layout.SOURCE_REGION}")


def test_the_mark_is_read_again_before_each_delete(kit: Kit) -> None:
    place = LocalAccount(kit.cloud.simulator.url)
    account = Account(*REGIONS, place, id=layout.ACCOUNT)
    for service, region in [(service, region) for service in ("rds", "s3", "cloudformation") for region in REGIONS]:
        account._clients[service, region] = kit.cloud.client(service, region)
    rds = kit.cloud.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier=RUN.name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="nobody",
        MasterUserPassword="not-a-secret",
        Tags=RUN.tags(),
    )
    removal = sweep.Sweep(account, sweep.of_run(RUN.id), lambda _: None)
    (found,) = removal.found()
    arn = f"arn:aws:rds:{layout.SOURCE_REGION}:{layout.ACCOUNT}:db:{RUN.name}"
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=[RUN_TAG])
    removal.remove(found)
    assert (removal.deleted, removal.refused) == ([], [f"instance {RUN.name} in {layout.SOURCE_REGION}"])
    assert rds.describe_db_instances(DBInstanceIdentifier=RUN.name)["DBInstances"]


def test_it_refuses_an_account_in_which_it_would_copy_a_database_of_others(
    kit: Kit, seed: Callable[[Json], dict[str, str]]
) -> None:
    seed(fleet([instance("orders", tags={"snapferry:copy": "true"})]))
    before = everything(kit.cloud)
    process = kit.start_run()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "orders" in said
    assert everything(kit.cloud) == before


def test_it_says_what_it_costs_and_makes_nothing_without_a_yes(kit: Kit) -> None:
    before = everything(kit.cloud)
    program = ["--release", str(kit.release), "--program", str(kit.cloud.program)]
    process = kit.start("run", *program)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"${cost.total(False):>5.2f}" in said
    assert "there is no terminal to ask" in said
    assert everything(kit.cloud) == before


def test_every_question_is_asked_by_one_check_or_says_why_not() -> None:
    ids = [question.id for question in QUESTIONS]
    assert len(set(ids)) == len(ids)
    for question in QUESTIONS:
        assert (question.id in CHECKS) != bool(question.never or question.same_as), question.id
        assert question.text.endswith("?")
        if question.same_as:
            assert question.same_as in ids
    assert set(CHECKS) <= set(ids)
    assert asking.MODULES


def test_every_guess_of_the_simulator_is_a_question() -> None:
    """A guess has the id of its question, and a question about the simulator is a guess of it."""
    sources = layout.ROOT / "tests" / "aws" / "rds-simulator" / "src"
    guesses = (sources / "lib.rs").read_text().split("# What is a guess")[1].split("Not simulated:")[0]
    for guess in guesses.split("\n//! - ")[1:]:
        assert re.search(r"\b[SFJ]\d+\b", guess), guess
    named = set(re.findall(r"\b[SFJ]\d+\b", guesses + (sources / "authorization.rs").read_text()))
    ids = {question.id for question in QUESTIONS}
    assert named <= ids
    assert {id_ for id_ in ids if id_.startswith("S")} <= named


class OfAccount:
    """As much of an account as the scrubber wants to know."""

    id = "210987654321"


def test_nothing_of_an_account_is_left_in_a_recording() -> None:
    """Whatever an answer is made of, in whatever order."""
    account: Any = OfAccount()
    chance = random.Random(SEED)
    digits = lambda count, of="0123456789abcdef": "".join(chance.choice(of) for _ in range(count))  # noqa: E731
    uuid = lambda: "-".join(digits(count) for count in (8, 4, 4, 4, 12))  # noqa: E731
    upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for _ in range(500):
        secret = [
            account.id,
            digits(12, "0123456789"),
            RUN.id,
            RUN.owner,
            uuid(),
            uuid().upper(),
            f"mrk-{digits(32)}",
            f"db-{digits(26, upper)}",
            f"cluster-{digits(26, upper)}",
            f"AKIA{digits(16, upper)}",
            f"vpc-{digits(17)}",
            f"sg-{digits(8)}",
            f"{RUN.name}-db.c{digits(11)}.eu-west-1.rds.amazonaws.com",
            f"https://bucket-{digits(6)}.s3.amazonaws.com/a?X-Amz-Signature={digits(64)}",
            f"arn:aws:iam::{account.id}:user/alice-{digits(5)}",
            f"arn:aws:sts::{account.id}:assumed-role/Admin/alice@example.com",
            f"10.{chance.randrange(256)}.{chance.randrange(256)}.7",
        ]
        chance.shuffle(secret)
        frames = [
            "arn:aws:rds:eu-west-1:{}:db:x", "User: {} is not authorized", "key/{}", "'{}'", "({})", "{}: {}", "{}, {}",
        ]  # fmt: skip
        texts = []
        left = list(secret)
        while left:
            frame = chance.choice(frames)
            texts.append(frame.format(*[left.pop() if left else "x" for _ in range(frame.count("{}"))]))
        scrubbed = json.dumps(Scrubber(account, RUN).value({"a": texts, "b": {"c": tuple(texts)}}))
        assert [one for one in secret if one in scrubbed] == [], scrubbed
        assert left_of(scrubbed, account, RUN) == []
    assert len(PATTERNS) > 8


def test_the_same_gets_the_same_placeholder_within_a_question() -> None:
    account: Any = OfAccount()
    scrubber = Scrubber(account, RUN)
    first, second = f"db-{'A' * 26}", f"db-{'B' * 26}"
    assert scrubber.text(f"{first} {second} {first}") == "<resource-1> <resource-2> <resource-1>"
    scrubber.begin()
    assert scrubber.text(second) == "<resource-1>"
    assert scrubber.text(f"{RUN.stack}-x of {account.id} in eu-central-1") == "<run>-x of <account> in <destination>"


def test_where_two_answers_differ_is_said(tmp_path: Path) -> None:
    call = {"operation": "CopyDBSnapshot", "code": "ok"}
    one = Answer("S1", "?", calls=[call], said={"status": "pending"})
    assert list(differences(one, one)) == []
    other = Answer("S1", "?", calls=[{**call, "code": "Refused"}], said={"status": "creating"})
    assert list(differences(one, other)) == [
        "call 1 (CopyDBSnapshot), code: recorded ok, simulator Refused",
        "status: recorded pending, simulator creating",
    ]
    assert "not asked in the simulator" in next(differences(one, Answer("S1", "?", not_asked="why")))
    strange = tmp_path / "strange.json"
    strange.write_text('{"version": 0}')
    with pytest.raises(ValueError, match="version"):
        read(strange)
