"""The life of a copy, from a deployment to its end, through the release's own script and program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from accept import life, stopping
from accept.account import AcceptError, tag_dict
from accept.life import World
from accept.recording import Recording
from accept.state import State
from accept.sweep import Sweep

Json = Any


class Steps:
    """One run's way through them."""

    def __init__(
        self, world: World, state: State, recording: Recording, sweep: Sweep, release: Path, program: Path
    ) -> None:
        self.world = world
        self.sweep = sweep
        self.state = state
        self.recording = recording
        self.release = release
        self.program = program

    @contextmanager
    def step(self, name: str) -> Any:
        """Says what is being done, and how long it took."""
        stopping.check()
        self.world.say(f"{name} ...")
        began = time.monotonic()
        yield
        self.recording.steps[name] = round(time.monotonic() - began, 1)
        self.world.say(f"  {self.recording.steps[name]} s")

    def all(self) -> None:
        """Everything up to the point at which questions can be asked."""
        world = self.world
        with self.step("databases"):
            life.make_instance(world)
            (found,) = world.rds.describe_db_instances(DBInstanceIdentifier=world.instance)["DBInstances"]
            world.memo["while-creating"] = found
            world.memo["subnet-group"], vpc = life.make_subnet_group(world)
            if world.aurora:
                life.make_cluster(world)
        with self.step("deploy"):
            self.deploy(vpc)
        with self.step("snapshots"):
            life.await_databases(world)
        for name, step in (
            ("dry run", self.dry_run),
            ("copy", self.copy),
            ("verify", self.verify),
            ("re-run", self.rerun),
            ("failed key", self.failed_key),
            ("event", self.event),
            ("prune", self.prune),
            ("drill", self.drill),
            ("evidence", self.evidence),
            ("restore-command", self.restore_command),
        ):
            with self.step(name):
                step()

    # The stacks

    def deploy(self, vpc: str) -> None:
        world, run = self.world, self.world.run
        buckets = life.make_buckets(world)
        parameters = {
            "OwnerId": run.owner,
            "EventSource": self.event_source,
            "AllowedKmsKeyArns": self.missing_key,
            "IncludeManualSnapshots": "true",
            "KeepCopies": "1",
            "ScheduleExpression": "rate(3650 days)",
            "LogRetentionDays": "1",
        }
        of_watch = {
            "Drills": "true",
            "DrillSchedule": "rate(3650 days)",
            "DrillSubnetGroup": world.memo["subnet-group"],
            "DrillVpcId": vpc,
            "DrillClass": life.INSTANCE_CLASS,
            "DrillTags": ",".join(f"{key}={value}" for key, value in run.marks.items()),
            "EvidenceBucket": buckets[run.destination],
            "LogRetentionDays": "1",
        }
        world.memo["evidence-bucket"] = buckets[run.destination]
        command = [
            str(self.release / "deploy.sh"), "--yes",
            "--region", run.region, "--destination-region", run.destination,
            "--stack", run.stack, "--watch-stack", run.watch_stack,
            "--bucket", buckets[run.region], "--destination-bucket", buckets[run.destination],
            "--key", world.key, "--selection", "opt-in", "--dry-run", "false", "--email", "",
            *[part for one in run.marks.items() for part in ("--tag", "=".join(one))],
            *[part for one in parameters.items() for part in ("--parameter", "=".join(one))],
            *[part for one in of_watch.items() for part in ("--watch-parameter", "=".join(one))],
        ]  # fmt: skip
        code, said, errors = self.execute(command, minutes=60)
        if code != 0:
            raise AcceptError(f"deploy.sh ended with {code}:\n{said}{errors}")
        world.memo["attempts"] = 1
        for stack, region in ((run.stack, run.region), (run.watch_stack, run.destination)):
            world.place.deployed(stack, region)

    @property
    def event_source(self) -> str:
        """Only events of this run start anything, whatever happens to other databases of the account."""
        return f"{self.world.run.name}.rds"

    @property
    def missing_key(self) -> str:
        """A key that the stack may use, and that is not there."""
        run = self.world.run
        return f"arn:aws:kms:{run.destination}:{self.world.account.id}:key/00000000-0000-4000-8000-000000000000"

    def execute(self, command: list[str], minutes: float) -> tuple[int, str, str]:
        """Runs a program to its end, which ends with this one. Returns its exit code and what it wrote."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            start_new_session=True,
        )
        self.state.note(child=process.pid)
        try:
            said, errors = self.await_end(process, minutes)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.state.note(child=None)
        return process.returncode, said, errors

    def await_end(self, process: subprocess.Popen[str], minutes: float) -> tuple[str, str]:
        """What a program has written when it has ended."""
        deadline = time.monotonic() + minutes * 60
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=1)
            stopping.check()
            if time.monotonic() > deadline:
                raise AcceptError(f"process {process.pid} has not ended after {minutes:g} minutes")

    # The program

    def snapferry(self, *arguments: str, expect: int = 0, minutes: float = 240) -> str:
        """Runs a command of the program. Returns what it wrote."""
        run = self.world.run
        command = [str(self.program), *arguments, "--stack", run.stack, "--region", run.region]
        code, said, errors = self.execute(command, minutes)
        if code != expect:
            raise AcceptError(f"`{' '.join(command)}` ended with {code}, not with {expect}:\n{said}{errors}")
        return said

    def run_of(self, *arguments: str, expect: int = 0) -> Json:
        """A run of copy-fleet to its end."""
        return json.loads(self.snapferry("run", "--follow", "--json", *arguments, expect=expect))

    @property
    def databases(self) -> int:
        """How many the run has."""
        return 2 if self.world.aurora else 1

    def copies(self) -> list[Json]:
        """The stack's copies of the instance."""
        found = self.world.rds_there.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        return [
            one
            for one in found
            if one["DBSnapshotIdentifier"].startswith(f"{self.world.run.owner}-") and one["Status"] != "deleting"
        ]

    def dry_run(self) -> None:
        found = self.run_of("--dry-run")
        self.expect(found["counts"].get("planned") == self.databases, "plans every database", found)
        self.expect(not self.copies(), "copies nothing in a dry run", self.copies())

    def copy(self) -> None:
        found = self.run_of()
        self.expect(found["counts"].get("copied") == self.databases, "copies every database", found)
        self.world.memo["copied"] = True

    def verify(self) -> None:
        (copy,) = self.copies()
        tags = tag_dict(copy["TagList"])
        self.expect(copy["Status"] == "available", "has a copy that is available", copy["Status"])
        self.expect(tags.get("snapferry:verified", "mismatch") != "mismatch", "has verified it", sorted(tags))
        marks = self.world.run.marks
        self.expect({**tags, **marks} == tags, "hands the tags of the database on to its copies", sorted(tags))
        status = json.loads(self.snapferry("status", "--json"))
        states = {one["name"]: one["state"] for one in status["databases"]}
        self.expect(set(states.values()) == {"good"}, "finds every database protected", states)

    def rerun(self) -> None:
        before = {one["DBSnapshotIdentifier"] for one in self.copies()}
        found = self.run_of()
        self.expect(not found["counts"].get("copied"), "copies nothing twice", found)
        self.expect({one["DBSnapshotIdentifier"] for one in self.copies()} == before, "changes nothing then", found)

    def failed_key(self) -> None:
        world = self.world
        world.memo["second"] = life.make_snapshot(world, "second")
        arn = world.arn(world.run.region, f"db:{world.instance}")
        tag = {"Key": "snapferry:kms-key", "Value": self.missing_key}
        world.rds.add_tags_to_resource(ResourceName=arn, Tags=[tag])
        try:
            before = {one["DBSnapshotIdentifier"] for one in self.copies()}
            found = self.run_of("--only", f"instance:{world.instance}", expect=1)
            self.expect(found["counts"].get("failed") == 1, "fails where the key is missing", found)
            self.expect(before == {one["DBSnapshotIdentifier"] for one in self.copies()}, "keeps what it has", found)
        finally:
            world.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["snapferry:kms-key"])

    def event(self) -> None:
        world = self.world
        known = self.runs()
        # What an event is about is the database of its snapshot; what is copied is the newest one.
        arn = world.memo["automated"]["DBSnapshotArn"]
        detail = {
            "EventCategories": ["creation"],
            "SourceType": "SNAPSHOT",
            "SourceArn": arn,
            "SourceIdentifier": world.memo["automated"]["DBSnapshotIdentifier"],
            "Message": "Automated snapshot created",
            "EventID": "RDS-EVENT-0091",
        }
        entry = {
            "Source": self.event_source,
            "DetailType": "RDS DB Snapshot Event",
            "Resources": [arn],
            "Detail": json.dumps(detail),
        }
        world.account.client("events", world.run.region).put_events(Entries=[entry])
        (started,) = world.until(lambda: self.runs() - known, "a run that the event has started", 10)
        found = json.loads(self.snapferry("run", f"--follow={started}", "--json"))
        self.expect(found["counts"].get("copied") == 1, "copies what an event is about", found)

    def runs(self) -> set[str]:
        """The names of the executions of copy-fleet."""
        run = self.world.run
        client = self.world.account.client("stepfunctions", run.region)
        machine = f"arn:aws:states:{run.region}:{self.world.account.id}:stateMachine:{run.stack}-copy-fleet"
        return {one["name"] for one in client.list_executions(stateMachineArn=machine)["executions"]}

    def prune(self) -> None:
        found = self.copies()
        sources = [tag_dict(one["TagList"]).get("snapferry:source-arn") for one in found]
        self.expect(sources == [self.world.memo["second"]], "keeps one copy, the newest", sources)

    def drill(self) -> None:
        run = self.world.run
        found = json.loads(self.snapferry("drill", "--follow", "--json", "--watch-stack", run.watch_stack))
        self.expect(found["counts"].get("passed") == self.databases, "restores every newest copy", found)

    def evidence(self) -> None:
        world, run = self.world, self.world.run
        states = world.account.client("stepfunctions", run.destination)
        machine = f"arn:aws:states:{run.destination}:{world.account.id}:stateMachine:{run.watch_stack}-keep-evidence"
        arn = states.start_execution(stateMachineArn=machine)["executionArn"]

        def ended() -> Json:
            found = states.describe_execution(executionArn=arn)
            return found if found["status"] != "RUNNING" else None

        found = world.until(ended, "the evidence of the day")
        self.expect(found["status"] == "SUCCEEDED", "writes the evidence of a day", found.get("cause"))
        folder, bucket = json.loads(found["output"])["folder"], world.memo["evidence-bucket"]
        s3 = world.account.client("s3", run.destination)

        def written(name: str) -> bytes:
            return bytes(s3.get_object(Bucket=bucket, Key=f"{folder}{name}")["Body"].read())

        world.memo["page"] = written("part-001.html")
        databases = json.loads(written("part-001.json"))["databases"]
        self.expect(len(databases) == self.databases, "keeps a record of every database", databases)

    def restore_command(self) -> None:
        said = self.snapferry("restore-command", f"instance:{self.world.instance}")
        self.expect("restore-db-instance-from-db-snapshot" in said, "writes the commands of a restore", said)

    def uninstall(self) -> None:
        """Deletes the stacks as the handbook says, and sees that the copies stay."""
        world, run = self.world, self.world.run
        before = {one["DBSnapshotIdentifier"] for one in self.copies()}
        self.snapferry("stop", "--watch-stack", run.watch_stack)
        self.sweep.delete_proofs(run.destination, run.owner)
        for stack, region in ((run.stack, run.region), (run.watch_stack, run.destination)):
            client = world.account.client("cloudformation", region)
            client.delete_stack(StackName=stack)
            world.until(partial(is_gone, client, stack), f"an end of {stack}")
        after = {one["DBSnapshotIdentifier"] for one in self.copies()}
        self.expect(before == after and bool(after), "keeps its copies when its stacks are deleted", sorted(after))

    def expect(self, is_so: bool, what: str, found: Json) -> None:
        """Ends the run if Snapferry does not do what it promises."""
        if not is_so:
            raise AcceptError(f"Snapferry does not do this: it {what}. Found: {json.dumps(found, default=str)}")


def is_gone(client: Any, stack: str) -> bool:
    """Whether a stack has been deleted."""
    try:
        status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return True
    if status == "DELETE_FAILED":
        raise AcceptError(f"the stack {stack} could not be deleted")
    return bool(status == "DELETE_COMPLETE")
