"""The questions about clusters."""

from __future__ import annotations

from typing import Any

from accept.checks import NotAsked, answers, events, keys, messages
from accept.life import World, await_cluster_snapshot
from accept.recording import Asker, Outcome

Json = Any


def copy_cluster(world: World, ask: Asker, suffix: str, **more: Json) -> Outcome:
    """A copy of a manual snapshot of the cluster, with the marks of the run."""
    if "cluster-source" not in world.memo:
        name = world.name("asked-cl")
        world.memo["cluster-source"] = world.rds.create_db_cluster_snapshot(
            DBClusterSnapshotIdentifier=name, DBClusterIdentifier=world.cluster, Tags=world.run.tags()
        )["DBClusterSnapshot"]
        await_cluster_snapshot(world, world.rds, name)
    return ask.call(
        "rds",
        world.run.destination,
        "copy_db_cluster_snapshot",
        SourceDBClusterSnapshotIdentifier=world.memo["cluster-source"]["DBClusterSnapshotArn"],
        TargetDBClusterSnapshotIdentifier=world.name(suffix),
        Tags=world.run.tags(),
        **more,
    )


@answers("F1")
def sse_rds_with_and_without_a_key(world: World, ask: Asker) -> None:
    of_database = world.rds.describe_db_clusters(DBClusterIdentifier=world.cluster)["DBClusters"][0]
    ask.say(
        storage_encrypted=of_database.get("StorageEncrypted"), type=of_database.get("StorageEncryptionType", "absent")
    )
    for suffix, more in (("cl-keyed", {"KmsKeyId": world.key}), ("cl-plain", {})):
        made = copy_cluster(world, ask, suffix, **more)
        if not made.ok:
            continue
        world.memo.setdefault("cluster-copy", made.answer["DBClusterSnapshot"])
        done = await_cluster_snapshot(world, world.rds_there, world.name(suffix))
        world.memo.setdefault("cluster-copy-done", done)
        ask.say(
            **{
                f"{suffix[3:]}_encrypted": done.get("StorageEncrypted"),
                f"{suffix[3:]}_type": done.get("StorageEncryptionType", "absent"),
                f"{suffix[3:]}_has_key": "KmsKeyId" in done,
            }
        )


def cluster_copy(world: World, which: str = "cluster-copy") -> Json:
    """The first copy that F1 made."""
    if which not in world.memo:
        raise NotAsked("both copies of question F1 were refused")
    return world.memo[which]


@answers("S17")
def status_of_a_cluster_copy_in_the_reply(world: World, ask: Asker) -> None:
    made = cluster_copy(world)
    ask.say(
        status=made["Status"],
        percent=made.get("PercentProgress"),
        has_creation_time="SnapshotCreateTime" in made,
        tags=keys(made.get("TagList")),
    )


@answers("F8")
def resource_id_of_a_cluster_copy(world: World, ask: Asker) -> None:
    of_database = world.rds.describe_db_clusters(DBClusterIdentifier=world.cluster)["DBClusters"][0]
    done = cluster_copy(world, "cluster-copy-done")
    taken = world.memo["cluster-source"]
    ask.say(
        has_that_of_its_database=done.get("DbClusterResourceId") == of_database["DbClusterResourceId"],
        has_creation_time="SnapshotCreateTime" in done,
        creation_time_is_its_own=done.get("SnapshotCreateTime") != taken.get("SnapshotCreateTime"),
    )


@answers("F7")
def events_of_cluster_snapshots(world: World, ask: Asker) -> None:
    region = world.run.region
    of_automated = world.memo["automated-cluster"]["DBClusterSnapshotIdentifier"]
    of_manual = world.memo["cluster-source"]["DBClusterSnapshotIdentifier"]
    ask.say(
        automated=messages(events(world, ask, region, "db-cluster-snapshot", of_automated)),
        manual=messages(events(world, ask, region, "db-cluster-snapshot", of_manual)),
        cluster=messages(events(world, ask, region, "db-cluster", world.cluster)),
    )


@answers("J7")
def events_of_a_cluster_copy(world: World, ask: Asker) -> None:
    name = cluster_copy(world)["DBClusterSnapshotIdentifier"]
    ask.say(events=messages(events(world, ask, world.run.destination, "db-cluster-snapshot", name)))


@answers("B3")
def filter_by_resource_id(world: World, ask: Asker) -> None:
    of_database = world.rds.describe_db_clusters(DBClusterIdentifier=world.cluster)["DBClusters"][0]
    for which, given in (("own", of_database["DbClusterResourceId"]), ("other", "cluster-SNAPFERRYNONE0000000000000")):
        found = ask.call("rds", world.run.region, "describe_db_cluster_snapshots", DbClusterResourceId=given)
        clusters = found.answer["DBClusterSnapshots"] if found.ok else []
        ask.say(**{which: sorted({one["DBClusterIdentifier"] for one in clusters}) if found.ok else found.code})


@answers("S25")
def deletion_of_a_cluster_with_members(world: World, ask: Asker) -> None:
    ask.call(
        "rds",
        world.run.region,
        "delete_db_cluster",
        DBClusterIdentifier=world.cluster,
        SkipFinalSnapshot=True,
    )


@answers("S42")
def deletion_of_a_member_without_a_word_about_its_snapshot(world: World, ask: Asker) -> None:
    ask.call("rds", world.run.region, "delete_db_instance", DBInstanceIdentifier=f"{world.cluster}-1")
