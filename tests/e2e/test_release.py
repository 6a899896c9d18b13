"""What is released, deployed by its own script from its own folder: a first deployment, an update, and a rollback.

The zips hold the functions that the local cloud runs anyway, so that nothing is built for this.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.fleet import fleet, instance
from e2e.terminal import Terminal
from local_cloud import command_line, layout, release
from local_cloud.cloud import LocalCloud
from local_cloud.drills import drill_databases

Json = Any

pytestmark = pytest.mark.xdist_group("release")

STACK, WATCH_STACK = "released", "released-watch"
STACKS = {STACK: layout.SOURCE_REGION, WATCH_STACK: layout.DESTINATION_REGION}
BUCKETS = {region: f"snapferry-{layout.ACCOUNT}-{region}" for region in STACKS.values()}
WHERE = ["--region", layout.SOURCE_REGION, "--stack", STACK, "--watch-stack", WATCH_STACK]
WHAT = ["--destination-region", layout.DESTINATION_REGION, "--key", layout.KEY_ARN]
# Another owner than that of the session's stack, and events that are meant for it do not reach this one.
OF_TESTS = ["--parameter", "OwnerId=released", "--parameter", "EventSource=nobody.released"]
FIRST = [*WHERE, *WHAT, *OF_TESTS, "--email", "ops@example.com", "--yes"]


@dataclass(frozen=True)
class Release:
    """A folder with a release, as it is unpacked, and where it is deployed."""

    folder: Path
    name: str
    cloud: LocalCloud

    def deploy(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs its script, without a terminal and without this checkout."""
        return subprocess.run(
            [self.folder / "deploy.sh", *arguments],
            env=command_line.environment(self.cloud) | environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def said(self, *arguments: str) -> str:
        """What the command line of the release says, without this checkout."""
        done = subprocess.run(
            [self.folder / "snapferry", *arguments],
            env=command_line.environment(self.cloud),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deployed(self, *arguments: str) -> str:
        """The same, which has to succeed; the simulator knows the functions then. Returns what it said."""
        done = self.deploy(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        for stack, region in STACKS.items():
            self.cloud.know(stack, region)
        return done.stdout


@pytest.fixture(scope="session")
def releases(session_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> list[Release]:
    """Two releases that follow one another."""
    made = []
    for name in ("0.1.0+first", "0.1.0+second"):
        folder = release.write(tmp_path_factory.mktemp("release"), name, session_cloud.program.read_bytes())
        made.append(Release(folder, name, session_cloud))
    return made


@pytest.fixture(scope="session")
def said_first(releases: list[Release]) -> str:
    """What the first release says when it is deployed where nothing is."""
    # The key has to be there.
    releases[0].cloud.simulator.seed(fleet([instance("orders")]))
    return releases[0].deployed(*FIRST)


def stack(cloud: LocalCloud, name: str) -> Json:
    return cloud.client("cloudformation", STACKS[name]).describe_stacks(StackName=name)["Stacks"][0]


def outputs(cloud: LocalCloud, name: str) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in stack(cloud, name)["Outputs"]}


def parameters(cloud: LocalCloud, name: str) -> dict[str, str]:
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack(cloud, name)["Parameters"]}


def variables(cloud: LocalCloud) -> dict[str, dict[str, str]]:
    """The environment of every function of both stacks."""
    found = {}
    for name, region in STACKS.items():
        functions = cloud.client("lambda", region)
        for known, caller in cloud.callers.items():
            if known.startswith(f"{name}/"):
                configuration = functions.get_function_configuration(FunctionName=caller.function)
                found[known] = configuration["Environment"]["Variables"]
    assert len(found) == 10
    return found


def objects(cloud: LocalCloud, region: str) -> list[str]:
    listed = cloud.client("s3", region).list_objects_v2(Bucket=BUCKETS[region])
    return [one["Key"] for one in listed["Contents"]]


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.1)


def is_release(cloud: LocalCloud, release: str) -> None:
    """Whether both stacks and all of their functions say so."""
    assert {outputs(cloud, name)["Release"] for name in STACKS} == {release}
    assert {one["RELEASE"] for one in variables(cloud).values()} == {release}


def state_of_the_cloud(cloud: LocalCloud) -> Json:
    """What a deployment could have changed."""
    found = {}
    for region in STACKS.values():
        stacks = cloud.client("cloudformation", region).describe_stacks()["Stacks"]
        found[region] = sorted((one["StackName"], str(one.get("LastUpdatedTime", ""))) for one in stacks)
    found["buckets"] = sorted(one["Name"] for one in cloud.client("s3").list_buckets()["Buckets"])
    return found


def test_a_first_deployment_makes_both_stacks_from_the_folder_alone_and_begins_as_a_dry_run(
    cloud: LocalCloud, releases: list[Release], said_first: str, seed: Callable[[Json], dict[str, str]]
) -> None:
    for line in (
        f"Snapferry {releases[0].name}, in account {layout.ACCOUNT}",
        f"create stack {STACK} in {layout.SOURCE_REGION}",
        f"create stack {WATCH_STACK} in {layout.DESTINATION_REGION}",
        "dry run true",
        "run this again with --dry-run false",
    ):
        assert line in said_first
    is_release(cloud, releases[0].name)
    own = parameters(cloud, STACK)
    assert (own["DryRun"], own["Selection"], own["OwnerId"]) == ("true", "opt-out", "released")
    watch = parameters(cloud, WATCH_STACK)
    assert (watch["OwnerId"], watch["SourceRegion"]) == ("released", layout.SOURCE_REGION)
    assert {own["NotificationEmail"], watch["NotificationEmail"]} == {"ops@example.com"}
    for region in STACKS.values():
        zips = [key for key in objects(cloud, region) if key.endswith(".zip")]
        assert len(zips) == 5
        assert all(key.startswith("snapferry/0.1.0-first-") for key in zips)

    seed(fleet([instance("orders")]))
    runs = cloud.runs(STACK)
    run = runs.run()
    assert (run.status, runs.outcomes(run.arn)) == ("SUCCEEDED", {"instance:orders": "planned"})


def test_the_same_once_more_changes_nothing(cloud: LocalCloud, releases: list[Release], said_first: str) -> None:
    assert said_first
    before = state_of_the_cloud(cloud), parameters(cloud, STACK), parameters(cloud, WATCH_STACK)
    said = releases[0].deployed(*WHERE, "--yes")
    assert "upload: " not in said
    assert said.count("No changes to deploy") == 2
    assert (state_of_the_cloud(cloud), parameters(cloud, STACK), parameters(cloud, WATCH_STACK)) == before


def test_an_update_and_a_rollback_in_the_middle_of_a_run_keep_parameters_and_the_run(
    cloud: LocalCloud, releases: list[Release], said_first: str, seed: Callable[[Json], dict[str, str]]
) -> None:
    assert said_first
    first, second = releases
    seed(fleet([instance("orders", copies={"durationSeconds": 100_000})]))
    assert "dry run false" in first.deployed(*WHERE, "--dry-run", "false", "--parameter", "KeepCopies=7", "--yes")
    runs = cloud.runs(STACK)
    run = runs.start({})
    until(lambda: runs.children(run))
    before = parameters(cloud, STACK)
    assert (before["KeepCopies"], before["DryRun"]) == ("7", "false")

    said = second.deployed(*WHERE, "--yes")
    assert f"update stack {STACK} in {layout.SOURCE_REGION}, which is {first.name} now" in said
    is_release(cloud, second.name)
    code = {"CodePrefix"}
    kept = {name: value for name, value in parameters(cloud, STACK).items() if name not in code}
    assert kept == {name: value for name, value in before.items() if name not in code}

    assert f"which is {second.name} now" in first.deployed(*WHERE, "--yes")
    is_release(cloud, first.name)
    assert parameters(cloud, STACK) == before

    assert runs.look(run).running
    cloud.simulator.end_copies_at_once()
    ended = runs.wait(run, seconds=240)
    assert (ended.status, runs.outcomes(run)) == ("SUCCEEDED", {"instance:orders": "copied"})


def test_a_drill_and_then_an_uninstallation_lose_no_copy(
    cloud: LocalCloud, releases: list[Release], said_first: str, seed: Callable[[Json], dict[str, str]]
) -> None:
    assert said_first
    release = releases[0]
    scenario = fleet([instance("orders")])
    scenario["regions"][layout.DESTINATION_REGION]["subnetGroups"] = [{"name": "drills"}]
    seed(scenario)
    vpc = cloud.client("ec2", layout.DESTINATION_REGION).create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    drills = {"Drills": "true", "DrillSubnetGroup": "drills", "DrillVpcId": vpc}
    given = [part for one in drills.items() for part in ("--watch-parameter", "=".join(one))]
    release.deployed(*WHERE, "--dry-run", "false", *given, "--yes")
    where = ["--region", layout.SOURCE_REGION, "--stack", STACK]
    run = json.loads(release.said("run", "--follow", "--json", *where))
    assert run["counts"]["copied"] == 1, run

    watch = ["--destination", layout.DESTINATION_REGION, "--watch-stack", WATCH_STACK]
    drilled = json.loads(release.said("drill", "orders", "--follow", "--json", *watch))
    assert drilled["counts"] == {"passed": 1, "failed": 0, "notRun": 0, "unsupported": 0}, drilled
    assert not drill_databases(cloud)

    # As the handbook says.
    release.said("stop", "--watch-stack", WATCH_STACK, *where)
    before = json.loads(release.said("status", "--json", *where))
    assert [one["database"] for one in before["databases"]] == ["orders"]
    for name, region in STACKS.items():
        formation = cloud.client("cloudformation", region)
        formation.delete_stack(StackName=name)
        formation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    left = json.loads(
        release.said("status", "--json", "--destination", layout.DESTINATION_REGION, "--owner", "released")
    )
    assert [one["copy"] for one in left["databases"]] == [one["copy"] for one in before["databases"]]
    copies = cloud.simulator.state()["regions"][layout.DESTINATION_REGION]["snapshots"]
    assert [(copy["status"], copy["id"].startswith("released-")) for copy in copies] == [("available", True)], copies

    # The same owner, deployed again, goes on with the copies.
    release.deployed(*FIRST, "--dry-run", "false")
    again = json.loads(release.said("run", "--follow", "--json", *where))
    assert (again["counts"]["copied"], again["counts"]["current"]) == (0, 1), again


def test_the_longest_name_deploys_with_everything_that_an_organization_demands(
    cloud: LocalCloud, releases: list[Release], seed: Callable[[Json], dict[str, str]]
) -> None:
    seed(fleet([instance("orders")]))
    name, prefix = "s" * 128, "Snapferry-in-production1"
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    boundary = cloud.client("iam").create_policy(PolicyName="Boundary", PolicyDocument=json.dumps(policy))["Policy"]
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="functions", Description="Of functions.", VpcId=vpc)["GroupId"]
    topic = cloud.client("sns").create_topic(Name="on-call")["TopicArn"]
    key = f"arn:aws:kms:{layout.SOURCE_REGION}:{layout.ACCOUNT}:key/1111"
    demanded = {
        "NamePrefix": prefix,
        "PermissionsBoundaryArn": boundary["Arn"],
        "RolePath": "/backup/",
        "SubnetIds": subnet,
        "SecurityGroupIds": group,
        "LogKmsKeyArn": key,
        "AlertsTopicArn": topic,
        "OwnerId": "longest",
        "EventSource": "nobody.longest",
    }
    given = [part for one in demanded.items() for part in ("--parameter", "=".join(one))]
    done = releases[0].deploy(
        "--region", layout.SOURCE_REGION, "--stack", name, "--no-watch", *WHAT, *given, "--yes"
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cloud.know(name)

    callers = [caller for known, caller in cloud.callers.items() if known.startswith(f"{name}/")]
    assert len(callers) == 5
    for caller in callers:
        assert caller.function.startswith(f"{prefix}-")
        role = cloud.client("iam").get_role(RoleName=caller.role_arn.rsplit("/", 1)[-1])["Role"]
        assert role["Path"] == "/backup/"
        assert role["RoleName"] == f"{prefix}-{layout.SOURCE_REGION}{caller.function.removeprefix(prefix)}"
        # MiniStack makes roles without their boundary, and functions without their VPC: tests/deployment has those.
    runs = cloud.runs(prefix)
    run = runs.run()
    assert (run.status, runs.outcomes(run.arn)) == ("SUCCEEDED", {"instance:orders": "planned"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--region", "Ireland"], "--region 'Ireland' is not the code of a region"),
        (["--destination-region", layout.SOURCE_REGION], "are both in eu-west-1"),
        (["--destination-region", ""], "--destination-region '' is not the code of a region"),
        (["--key", ""], "--key is missing"),
        (["--key", "alias/none"], "--key alias/none cannot be used in eu-central-1"),
        (
            ["--key", f"arn:aws:kms:{layout.SOURCE_REGION}:{layout.ACCOUNT}:key/1111"],
            "is not a KMS key in eu-central-1",
        ),
        (["--selection", "all"], "--selection 'all' is neither opt-out nor opt-in"),
        (["--dry-run", "no"], "--dry-run 'no' is neither true nor false"),
        (["--email", "ops"], "--email 'ops' is not an address"),
        (["--bucket", "nobody-has-this-bucket"], "there is no bucket nobody-has-this-bucket"),
        (["--bucket", "snapferry-artifacts-eu-central-1"], "is in eu-central-1, and Lambda takes code"),
        (["--parameter", "Nothing=1"], "Nothing is not a parameter of snapferry.yaml"),
        (["--parameter", "KeepCopies"], "write it as NAME=VALUE"),
        (["--watch-parameter", "KeepCopies=1"], "KeepCopies is not a parameter of snapferry-watch.yaml"),
        (["--tag", "team"], "'team' is not a tag: write it as NAME=VALUE"),
        (["--frobnicate", "1"], "--frobnicate is unknown"),
        (["--region"], "has no value"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_written(
    cloud: LocalCloud,
    releases: list[Release],
    seed: Callable[[Json], dict[str, str]],
    arguments: list[str],
    said: str,
) -> None:
    seed(fleet([instance("orders")]))
    elsewhere = "snapferry-artifacts-eu-central-1"
    s3 = cloud.client("s3", layout.DESTINATION_REGION)
    if elsewhere not in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=elsewhere, CreateBucketConfiguration={"LocationConstraint": layout.DESTINATION_REGION})
    before = state_of_the_cloud(cloud)
    done = releases[0].deploy(*FIRST, "--stack", "refused", "--watch-stack", "refused-watch", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert state_of_the_cloud(cloud) == before


def test_without_credentials_a_whole_folder_or_a_terminal_it_does_nothing(
    cloud: LocalCloud, releases: list[Release], tmp_path: Path
) -> None:
    before = state_of_the_cloud(cloud)
    done = releases[0].deploy(*FIRST, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert done.returncode == 2
    assert "AWS does not accept your credentials" in done.stderr

    changed = tmp_path / "changed"
    shutil.copytree(releases[0].folder, changed)
    (changed / "prune-old.zip").write_bytes(b"something else")
    done = Release(changed, "changed", cloud).deploy(*FIRST)
    assert done.returncode == 2
    assert "are not those of the release" in done.stderr

    done = releases[0].deploy(*FIRST[:-1])
    assert done.returncode == 2
    assert "there is no terminal to ask" in done.stderr
    assert state_of_the_cloud(cloud) == before


def test_it_asks_for_six_things_and_writes_nothing_before_a_yes(
    cloud: LocalCloud, releases: list[Release], seed: Callable[[Json], dict[str, str]]
) -> None:
    seed(fleet([instance("orders")]))
    before = state_of_the_cloud(cloud)
    script = str(releases[0].folder / "deploy.sh")
    command = [script, "--stack", "asked", "--watch-stack", "asked-watch"]
    with contextlib.closing(Terminal(command, command_line.environment(cloud))) as terminal:
        for question, answer in (
            ("Region of the databases [eu-west-1]: ", ""),
            ("Region of the copies: ", layout.DESTINATION_REGION),
            ("KMS key in that region: ", layout.KEY_ARN),
            ("only those tagged snapferry:copy=true (opt-in) [opt-out]: ", "opt-in"),
            ("E-mail for alarms and failures: ", ""),
            ("Dry run: report only, change nothing (true or false) [true]: ", ""),
            ("Deploy? [y/N] ", ""),
        ):
            terminal.wait_for(question)
            terminal.enter(answer)
        assert terminal.end() == 1
        assert "nothing was changed" in terminal.said
        assert "selection opt-in, dry run true, e-mail to nobody" in terminal.said
    assert state_of_the_cloud(cloud) == before


def test_help_shows_examples_without_an_account(releases: list[Release]) -> None:
    done = releases[0].deploy("--help", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert done.returncode == 0
    assert done.stdout.count("./deploy.sh") >= 4
    assert releases[0].name in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
