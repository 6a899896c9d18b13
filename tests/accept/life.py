"""What a run makes in the account. Everything gets its marks in the very call that makes it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from accept.account import AcceptError, Account, Run, code_of, tag_dict, utc_now
from accept.sweep import of_run

Json = Any

INSTANCE_CLASS = "db.t4g.micro"
MEMBER_CLASS = "db.t4g.medium"
COPIED = {"snapferry:copy": "true"}
"""Of databases that the stacks of the run copy; they copy no others."""


@dataclass
class World:
    """What the run has made, and what it has seen."""

    account: Account
    run: Run
    key: str
    say: Callable[[str], None]
    aurora: bool
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> Any:
        """What differs between a real account and the local cloud."""
        return self.account.place

    @property
    def rds(self) -> Any:
        """RDS in the source region."""
        return self.account.client("rds", self.run.region)

    @property
    def rds_there(self) -> Any:
        """RDS in the destination region."""
        return self.account.client("rds", self.run.destination)

    @property
    def instance(self) -> str:
        """The instance that is copied."""
        return f"{self.run.name}-db"

    @property
    def cluster(self) -> str:
        """The cluster that is copied."""
        return f"{self.run.name}-cl"

    def name(self, suffix: str) -> str:
        """The name of something of this run."""
        return f"{self.run.name}-{suffix}"

    def arn(self, region: str, resource: str) -> str:
        """The ARN of something of RDS."""
        return f"arn:aws:rds:{region}:{self.account.id}:{resource}"

    def until(self, condition: Callable[[], Any], what: str, minutes: float = 60) -> Any:
        """Waits for something."""
        return self.account.until(condition, what, minutes)


def make_buckets(world: World) -> dict[str, str]:
    """A bucket per region for the code of the functions."""
    made = {}
    for region in world.account.regions:
        name = world.run.bucket(world.account.id, region)
        configuration: Json = {"Tags": world.run.tags()}
        if region != "us-east-1":
            configuration["LocationConstraint"] = region
        world.account.client("s3", region).create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
        made[region] = name
    return made


def make_subnet_group(world: World) -> tuple[str, str]:
    """A subnet group for drills in the default VPC of the destination region, and that VPC."""
    ec2 = world.account.client("ec2", world.run.destination)
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not vpcs:
        raise AcceptError(f"{world.run.destination} has no default VPC, in which copies could be restored")
    vpc = vpcs[0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    by_zone = {one["AvailabilityZone"]: one["SubnetId"] for one in subnets}
    if len(by_zone) < 2:
        raise AcceptError(f"the default VPC of {world.run.destination} has subnets in fewer than two zones")
    name = world.name("drills")
    world.rds_there.create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription="Of an acceptance run of Snapferry.",
        SubnetIds=sorted(by_zone.values()),
        Tags=world.run.tags(),
    )
    return name, vpc


def make_instance(world: World) -> None:
    """The smallest PostgreSQL instance. Nobody needs its password."""
    world.rds.create_db_instance(
        DBInstanceIdentifier=world.instance,
        DBInstanceClass=INSTANCE_CLASS,
        Engine="postgres",
        AllocatedStorage=20,
        StorageType="gp3",
        StorageEncrypted=True,
        MasterUsername="snapferry",
        MasterUserPassword=secrets.token_hex(16),
        BackupRetentionPeriod=1,
        CopyTagsToSnapshot=True,
        PubliclyAccessible=False,
        MultiAZ=False,
        AutoMinorVersionUpgrade=False,
        DeletionProtection=False,
        Tags=world.run.tags(**COPIED),
    )


def make_cluster(world: World) -> None:
    """A small Aurora cluster without a key, so that it is encrypted as AWS encrypts new ones."""
    world.rds.create_db_cluster(
        DBClusterIdentifier=world.cluster,
        Engine="aurora-postgresql",
        MasterUsername="snapferry",
        MasterUserPassword=secrets.token_hex(16),
        BackupRetentionPeriod=1,
        CopyTagsToSnapshot=True,
        DeletionProtection=False,
        Tags=world.run.tags(**COPIED),
    )
    world.until(lambda: cluster_status(world) == "available", "a cluster that is available")
    world.rds.create_db_instance(
        DBInstanceIdentifier=f"{world.cluster}-1",
        DBClusterIdentifier=world.cluster,
        DBInstanceClass=MEMBER_CLASS,
        Engine="aurora-postgresql",
        PubliclyAccessible=False,
        AutoMinorVersionUpgrade=False,
        Tags=world.run.tags(),
    )


def instance_status(rds: Any, name: str) -> str:
    """Its status, or nothing if it is not there."""
    try:
        return str(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceStatus"])
    except ClientError as error:
        if code_of(error) == "DBInstanceNotFound":
            return ""
        raise


def cluster_status(world: World) -> str:
    """That of the cluster which is copied."""
    return str(world.rds.describe_db_clusters(DBClusterIdentifier=world.cluster)["DBClusters"][0]["Status"])


def await_databases(world: World) -> None:
    """Waits until the databases are available, and each has an automated snapshot."""
    world.until(lambda: instance_status(world.rds, world.instance) == "available", "an instance that is available")
    world.memo["automated-at-once"] = automated(world) is not None
    if world.aurora:
        member = f"{world.cluster}-1"
        world.until(lambda: instance_status(world.rds, member) == "available", "a member that is available")
    world.memo["automated"] = world.until(lambda: automated(world), "an automated snapshot of the instance")
    world.memo["automated-seen"] = utc_now()
    if world.aurora:
        world.memo["automated-cluster"] = world.until(
            lambda: automated_of_cluster(world), "an automated snapshot of the cluster"
        )


def automated(world: World) -> Json:
    """The first automated snapshot of the instance, once it is available."""
    found = world.rds.describe_db_snapshots(DBInstanceIdentifier=world.instance, SnapshotType="automated")
    return next((one for one in found["DBSnapshots"] if one["Status"] == "available"), None)


def automated_of_cluster(world: World) -> Json:
    """The same of the cluster."""
    found = world.rds.describe_db_cluster_snapshots(DBClusterIdentifier=world.cluster, SnapshotType="automated")
    return next((one for one in found["DBClusterSnapshots"] if one["Status"] == "available"), None)


def make_snapshot(world: World, suffix: str, **tags: str) -> str:
    """A manual snapshot of the instance, available. Returns its ARN."""
    name = world.name(suffix)
    made = world.rds.create_db_snapshot(
        DBSnapshotIdentifier=name, DBInstanceIdentifier=world.instance, Tags=world.run.tags(**tags)
    )
    await_snapshot(world, world.rds, name)
    return str(made["DBSnapshot"]["DBSnapshotArn"])


def await_snapshot(world: World, rds: Any, name: str, minutes: float = 180) -> Json:
    """Waits until a snapshot of an instance is available."""

    def available() -> Json:
        (found,) = rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
        if found["Status"] == "failed":
            raise AcceptError(f"the snapshot {name} has failed")
        return found if found["Status"] == "available" else None

    return world.until(available, f"a snapshot {name} that is available", minutes)


def await_cluster_snapshot(world: World, rds: Any, name: str, minutes: float = 180) -> Json:
    """Waits until a snapshot of a cluster is available."""

    def available() -> Json:
        (found,) = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"]
        if found["Status"] == "failed":
            raise AcceptError(f"the cluster snapshot {name} has failed")
        return found if found["Status"] == "available" else None

    return world.until(available, f"a cluster snapshot {name} that is available", minutes)


def remove_instance(world: World, rds: Any, name: str) -> None:
    """Deletes a database that a question made, if it carries the mark, and waits until it is gone."""

    def gone() -> bool:
        try:
            (found,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
            tags = rds.list_tags_for_resource(ResourceName=found["DBInstanceArn"])["TagList"]
            if not of_run(world.run.id)(tag_dict(tags)):
                raise AcceptError(f"the database {name} does not carry the mark of this run any more")
            if found["DBInstanceStatus"] != "deleting":
                rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)
        except ClientError as error:
            if code_of(error) == "DBInstanceNotFound":
                return True
            if "State" not in code_of(error):
                raise
        return False

    world.until(gone, f"an end of {name}", 90)
