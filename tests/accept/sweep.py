"""Removes what runs of the kit made: what carries their mark, and nothing else.

The mark is read again right before each delete. A copy or a snapshot goes only if its database was made by the kit as
well. What is found twice in a row to be gone is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from accept.account import EXPIRES_TAG, PREFIX, RUN_TAG, AcceptError, Account, code_of, tag_dict, utc_now, written

Json = Any
Tags = dict[str, str]
Wanted = Callable[[Tags], bool]


def of_run(run: str) -> Wanted:
    """What one run made."""
    return lambda tags: tags.get(RUN_TAG) == run


def expired(tags: Tags) -> bool:
    """What is past its time. Without a readable time nothing is."""
    expires = tags.get(EXPIRES_TAG, "")
    return bool(tags.get(RUN_TAG)) and len(expires) == len("2026-01-01T00:00:00Z") and expires < written(utc_now())


@dataclass(frozen=True)
class Resource:
    """Something that carries a mark, or did when it was listed."""

    kind: str
    region: str
    name: str
    read: Callable[[], Tags | None]
    """Its tags as they are now; nothing if it is gone."""
    delete: Callable[[], None]
    rank: int
    """What is deleted first. What another thing stands on is refused until that is gone, and asked for again."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} in {self.region}"


GONE = (
    "DBInstanceNotFound", "DBClusterNotFoundFault", "DBSnapshotNotFound", "DBClusterSnapshotNotFoundFault",
    "DBSubnetGroupNotFoundFault", "NoSuchBucket", "NoSuchTagSet", "ParameterNotFound", "InvalidResourceId",
)  # fmt: skip
BUSY = (
    "InvalidDBInstanceState", "InvalidDBInstanceStateFault", "InvalidDBClusterStateFault", "InvalidDBSnapshotState",
    "InvalidDBClusterSnapshotStateFault", "InvalidDBSubnetGroupStateFault", "BucketNotEmpty", "OperationInProgress",
)  # fmt: skip


@dataclass
class Sweep:
    """One removal, in both regions."""

    account: Account
    wanted: Wanted
    say: Callable[[str], None]
    keep_stacks: bool = False
    deleted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What lost its mark, or belongs to a database that the kit did not make."""

    def everything(self, minutes: float = 90) -> list[str]:
        """Removes all of it, and gives what it removed."""
        deadline = time.monotonic() + minutes * self.account.place.patience
        clean = 0
        while clean < 2:
            found = self.found()
            clean = 0 if found else clean + 1
            # Stacks first: their executions are stopped before anything is taken from under them. Nothing waits for
            # them: a stack keeps its security group for as long as a database has it.
            for one in sorted(found, key=lambda one: one.rank):
                self.remove(one)
            if time.monotonic() > deadline:
                left = ", ".join(map(str, found))
                raise AcceptError(f"after {minutes:g} minutes these are still there: {left}")
            time.sleep(self.account.place.settle_seconds if clean == 1 else self.account.place.poll_seconds)
        return self.deleted

    def found(self) -> list[Resource]:
        """What is there now, in both regions."""
        return [
            one
            for region in dict.fromkeys(self.account.regions)
            for list_of in (self.stacks, self.databases, self.snapshots, self.subnet_groups, self.buckets)
            for one in list_of(region)
        ]

    def remove(self, resource: Resource) -> None:
        """Reads the mark once more, and deletes."""
        try:
            tags = resource.read()
            if tags is None:
                return
            if not self.wanted(tags):
                if str(resource) not in self.refused:
                    self.refused.append(str(resource))
                    self.say(f"  left alone, for its mark is gone: {resource}")
                return
            resource.delete()
        except ClientError as error:
            if code_of(error) in GONE:
                return
            if code_of(error) in BUSY:
                return
            raise
        if str(resource) not in self.deleted:
            self.deleted.append(str(resource))
            self.say(f"  delete {resource}")

    # Stacks, with what runs in them and what their machines wrote

    def stacks(self, region: str) -> Iterator[Resource]:
        if self.keep_stacks:
            return
        client = self.account.client("cloudformation", region)
        for page in client.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                name = stack["StackName"]
                if name.startswith(PREFIX) and self.wanted(self.stack_tags(region, name) or {}):
                    yield Resource(
                        "stack", region, name,
                        lambda name=name: self.stack_tags(region, name),  # type: ignore[misc]
                        lambda name=name: self.delete_stack(region, name),  # type: ignore[misc]
                        rank=0,
                    )  # fmt: skip

    def stack_tags(self, region: str, name: str) -> Tags | None:
        """Those of the stack; before it has a resource, those of the change set that is to make it."""
        client = self.account.client("cloudformation", region)
        try:
            stack = client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError:
            return None
        tags = tag_dict(stack.get("Tags"))
        if stack["StackStatus"] == "REVIEW_IN_PROGRESS" and RUN_TAG not in tags:
            for summary in client.list_change_sets(StackName=name)["Summaries"]:
                change = client.describe_change_set(StackName=name, ChangeSetName=summary["ChangeSetName"])
                tags |= tag_dict(change.get("Tags"))
        return tags

    def delete_stack(self, region: str, name: str) -> None:
        client = self.account.client("cloudformation", region)
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
        status = stack["StackStatus"]
        if status == "DELETE_IN_PROGRESS" or (status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"):
            return
        self.stop_executions(region, name)
        owner = next((one["ParameterValue"] for one in stack["Parameters"] if one["ParameterKey"] == "OwnerId"), "")
        if owner.startswith("acc"):
            self.delete_proofs(region, owner)
        client.delete_stack(StackName=name)

    def stop_executions(self, region: str, stack: str) -> None:
        """Whatever runs in the stack ends, so that nothing is made once its functions are gone."""
        client = self.account.client("stepfunctions", region)
        machines = [
            one["stateMachineArn"]
            for page in client.get_paginator("list_state_machines").paginate()
            for one in page["stateMachines"]
            if one["name"].startswith(f"{stack}-")
        ]
        quiet = 0
        while quiet < 2:
            running = [
                one["executionArn"]
                for machine in machines
                for page in client.get_paginator("list_executions").paginate(
                    stateMachineArn=machine, statusFilter="RUNNING"
                )
                for one in page["executions"]
            ]
            for arn in running:
                try:
                    client.stop_execution(executionArn=arn, error="Removed", cause="The acceptance run ends.")
                except ClientError as error:
                    if code_of(error) not in ("ExecutionDoesNotExist", "ValidationException"):
                        raise
            quiet = 0 if running else quiet + 1
            time.sleep(self.account.place.settle_seconds / 10)

    def delete_proofs(self, region: str, owner: str) -> None:
        """What drills recorded. Parameters of no other owner have this path."""
        client = self.account.client("ssm", region)
        path = f"/snapferry/{owner}/"
        for page in client.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True):
            for one in page["Parameters"]:
                client.delete_parameter(Name=one["Name"])
                self.deleted.append(f"parameter {one['Name']} in {region}")

    # What RDS has

    def databases(self, region: str) -> Iterator[Resource]:
        rds = self.account.client("rds", region)
        for page in rds.get_paginator("describe_db_instances").paginate():
            for one in page["DBInstances"]:
                if self.wanted(tag_dict(one.get("TagList"))):
                    name = one["DBInstanceIdentifier"]
                    yield Resource(
                        "instance", region, name,
                        lambda arn=one["DBInstanceArn"]: self.rds_tags(region, arn),  # type: ignore[misc]
                        lambda name=name: self.delete_instance(region, name),  # type: ignore[misc]
                        rank=2,
                    )  # fmt: skip
        for page in rds.get_paginator("describe_db_clusters").paginate():
            for one in page["DBClusters"]:
                if self.wanted(tag_dict(one.get("TagList"))):
                    name = one["DBClusterIdentifier"]
                    yield Resource(
                        "cluster", region, name,
                        lambda arn=one["DBClusterArn"]: self.rds_tags(region, arn),  # type: ignore[misc]
                        lambda name=name: self.delete_cluster(region, name),  # type: ignore[misc]
                        rank=2,
                    )  # fmt: skip

    def rds_tags(self, region: str, arn: str) -> Tags | None:
        try:
            answer = self.account.client("rds", region).list_tags_for_resource(ResourceName=arn)
        except ClientError as error:
            if code_of(error) in GONE:
                return None
            raise
        return tag_dict(answer["TagList"])

    def delete_instance(self, region: str, name: str) -> None:
        rds = self.account.client("rds", region)
        found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        if found["DBInstanceStatus"] == "deleting":
            return
        if found.get("DeletionProtection"):
            rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
        backups = {} if found.get("DBClusterIdentifier") else {"DeleteAutomatedBackups": True}
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True, **backups)

    def delete_cluster(self, region: str, name: str) -> None:
        rds = self.account.client("rds", region)
        found = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
        if found["Status"] != "deleting":
            rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)

    def snapshots(self, region: str) -> Iterator[Resource]:
        rds = self.account.client("rds", region)
        for page in rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual"):
            for one in page["DBSnapshots"]:
                if self.is_ours(one, one["DBInstanceIdentifier"]):
                    name = one["DBSnapshotIdentifier"]
                    yield Resource(
                        "snapshot", region, name,
                        lambda arn=one["DBSnapshotArn"]: self.rds_tags(region, arn),  # type: ignore[misc]
                        lambda name=name: rds.delete_db_snapshot(DBSnapshotIdentifier=name),  # type: ignore[misc]
                        rank=1,
                    )  # fmt: skip
        for page in rds.get_paginator("describe_db_cluster_snapshots").paginate(SnapshotType="manual"):
            for one in page["DBClusterSnapshots"]:
                if self.is_ours(one, one["DBClusterIdentifier"]):
                    name = one["DBClusterSnapshotIdentifier"]
                    yield Resource(
                        "cluster snapshot", region, name,
                        lambda arn=one["DBClusterSnapshotArn"]: self.rds_tags(region, arn),  # type: ignore[misc]
                        lambda name=name: rds.delete_db_cluster_snapshot(  # type: ignore[misc]
                            DBClusterSnapshotIdentifier=name
                        ),
                        rank=1,
                    )  # fmt: skip

    def is_ours(self, snapshot: Json, database: str) -> bool:
        """Marked, and of a database that the kit made. One that is being deleted is still there."""
        is_of_kit = database.startswith(f"{PREFIX}-") or "-drill-" in database
        return is_of_kit and self.wanted(tag_dict(snapshot.get("TagList")))

    def subnet_groups(self, region: str) -> Iterator[Resource]:
        rds = self.account.client("rds", region)
        for page in rds.get_paginator("describe_db_subnet_groups").paginate():
            for one in page["DBSubnetGroups"]:
                name = one["DBSubnetGroupName"]
                if not name.startswith(PREFIX):
                    continue
                if self.wanted(self.rds_tags(region, one["DBSubnetGroupArn"]) or {}):
                    yield Resource(
                        "subnet group", region, name,
                        lambda arn=one["DBSubnetGroupArn"]: self.rds_tags(region, arn),  # type: ignore[misc]
                        lambda name=name: rds.delete_db_subnet_group(DBSubnetGroupName=name),  # type: ignore[misc]
                        rank=3,
                    )  # fmt: skip

    # Buckets

    def buckets(self, region: str) -> Iterator[Resource]:
        s3 = self.account.client("s3", region)
        for one in s3.list_buckets()["Buckets"]:
            name = one["Name"]
            if not (name.startswith(f"{PREFIX}-") and name.endswith(f"-{self.account.id}-{region}")):
                continue
            if self.wanted(self.bucket_tags(region, name) or {}):
                yield Resource(
                    "bucket", region, name,
                    lambda name=name: self.bucket_tags(region, name),  # type: ignore[misc]
                    lambda name=name: self.delete_bucket(region, name),  # type: ignore[misc]
                    rank=3,
                )  # fmt: skip

    def bucket_tags(self, region: str, name: str) -> Tags | None:
        try:
            return tag_dict(self.account.client("s3", region).get_bucket_tagging(Bucket=name)["TagSet"])
        except ClientError as error:
            if code_of(error) in GONE:
                return None
            raise

    def delete_bucket(self, region: str, name: str) -> None:
        s3 = self.account.client("s3", region)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
            keys = [{"Key": one["Key"]} for one in page.get("Contents", [])]
            if keys:
                s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
        s3.delete_bucket(Bucket=name)
