"""The questions about instances and their snapshots: what is called, and what of the answer is kept."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from accept.account import EXPIRES_TAG, RUN_TAG, tag_dict
from accept.life import (
    INSTANCE_CLASS,
    World,
    await_snapshot,
    instance_status,
    make_snapshot,
    remove_instance,
)
from accept.recording import Asker, Outcome

Json = Any
Check = Callable[[World, Asker], None]

CHECKS: dict[str, Check] = {}
"""By the id of the question, in the order in which they are asked."""


class NotAsked(Exception):
    """A question cannot be asked here; the message says why."""


def answers(question: str) -> Callable[[Check], Check]:
    """Declares what asks a question."""

    def declare(check: Check) -> Check:
        CHECKS[question] = check
        return check

    return declare


def copy(world: World, ask: Asker, suffix: str, source: str, **more: Json) -> Outcome:
    """A copy to the destination region, with the marks of the run."""
    return ask.call(
        "rds",
        world.run.destination,
        "copy_db_snapshot",
        SourceDBSnapshotIdentifier=source,
        TargetDBSnapshotIdentifier=world.name(suffix),
        KmsKeyId=more.pop("KmsKeyId", world.key),
        Tags=world.run.tags(**more.pop("tags", {})),
        **more,
    )


def restore(world: World, ask: Asker, suffix: str, snapshot: str, **more: Json) -> Outcome:
    """A restore in the destination region, with the marks of the run, closed and without backups."""
    given: Json = {
        "DBInstanceClass": INSTANCE_CLASS,
        "DBSubnetGroupName": world.memo["subnet-group"],
        "PubliclyAccessible": False,
        "MultiAZ": False,
        "DeletionProtection": False,
        "BackupRetentionPeriod": 0,
        "AutoMinorVersionUpgrade": False,
        **more,
    }
    return ask.call(
        "rds",
        world.run.destination,
        "restore_db_instance_from_db_snapshot",
        DBInstanceIdentifier=world.name(suffix),
        DBSnapshotIdentifier=snapshot,
        Tags=world.run.tags(),
        **given,
    )


def source(world: World) -> str:
    """A manual snapshot of the instance to ask about."""
    if "source" not in world.memo:
        world.memo["source"] = make_snapshot(world, "asked", colour="blue")
    return str(world.memo["source"])


def keys(tags: list[dict[str, str]] | None) -> list[str]:
    """The keys of tags."""
    return sorted(tag_dict(tags))


def events(world: World, ask: Asker, region: str, source_type: str, name: str) -> Json:
    """What RDS has to say of something in the last three hours."""
    found = ask.call("rds", region, "describe_events", SourceType=source_type, SourceIdentifier=name, Duration=180)
    return found.answer["Events"] if found.ok else []


def messages(found: Json) -> list[Json]:
    """Their words and categories, once each."""
    return sorted({(one["Message"], ",".join(sorted(one["EventCategories"]))) for one in found})


@answers("S20")
def endpoint_of_a_new_instance(world: World, ask: Asker) -> None:
    seen = world.memo["while-creating"]
    ask.say(status=seen["DBInstanceStatus"], has_endpoint="Address" in seen.get("Endpoint", {}))


@answers("S30")
def events_of_a_new_instance(world: World, ask: Asker) -> None:
    ask.say(events=messages(events(world, ask, world.run.region, "db-instance", world.instance)))


@answers("B2")
def time_from_the_event_to_available(world: World, ask: Asker) -> None:
    name = world.memo["automated"]["DBSnapshotIdentifier"]
    found = events(world, ask, world.run.region, "db-snapshot", name)
    ask.say(events=messages(found))
    created = world.memo["automated"]["SnapshotCreateTime"]
    ask.measure(
        seconds_from_creation_to_event=[round((one["Date"] - created).total_seconds()) for one in found],
        seconds_from_event_to_available_at_most=[
            round((world.memo["automated-seen"] - one["Date"]).total_seconds()) for one in found
        ],
    )


@answers("S45")
def first_automated_snapshot(world: World, ask: Asker) -> None:
    ask.say(is_there_at_once=world.memo["automated-at-once"])


@answers("S46")
def new_instance_without_what_it_needs(world: World, ask: Asker) -> None:
    given: Json = {
        "DBInstanceClass": INSTANCE_CLASS,
        "Engine": "postgres",
        "MasterUsername": "snapferry",
        "PubliclyAccessible": False,
        "BackupRetentionPeriod": 0,
        "Tags": world.run.tags(),
    }
    for suffix, more in (
        ("no-word", {"AllocatedStorage": 20}),
        ("no-room", {"MasterUserPassword": secrets.token_hex(16)}),
    ):
        name = world.name(suffix)
        made = ask.call("rds", world.run.region, "create_db_instance", DBInstanceIdentifier=name, **given, **more)
        if made.ok:
            remove_instance(world, world.rds, name)


@answers("S15")
def automated_snapshot_by_name_and_arn(world: World, ask: Asker) -> None:
    automated = world.memo["automated"]
    found = {}
    for how, name, more in (
        ("by_name", automated["DBSnapshotIdentifier"], {}),
        ("by_name_and_type", automated["DBSnapshotIdentifier"], {"SnapshotType": "automated"}),
        ("by_arn", automated["DBSnapshotArn"], {}),
    ):
        answer = ask.call("rds", world.run.region, "describe_db_snapshots", DBSnapshotIdentifier=name, **more)
        found[how] = len(answer.answer["DBSnapshots"]) if answer.ok else answer.code
    ask.say(**found)


@answers("S3")
def copy_of_a_snapshot_that_is_not_available(world: World, ask: Asker) -> None:
    with world.place.slowly():
        name = world.name("early")
        made = world.rds.create_db_snapshot(
            DBSnapshotIdentifier=name, DBInstanceIdentifier=world.instance, Tags=world.run.tags()
        )
        ask.say(status=made["DBSnapshot"]["Status"])
        copy(world, ask, "early-copy", made["DBSnapshot"]["DBSnapshotArn"])
    await_snapshot(world, world.rds, name)


@answers("S34")
def name_of_a_snapshot_that_is_being_deleted(world: World, ask: Asker) -> None:
    name = world.name("early")
    with world.place.slowly():
        deleted = ask.call("rds", world.run.region, "delete_db_snapshot", DBSnapshotIdentifier=name)
        again = ask.call(
            "rds",
            world.run.region,
            "create_db_snapshot",
            DBSnapshotIdentifier=name,
            DBInstanceIdentifier=world.instance,
            Tags=world.run.tags(),
        )
    ask.say(status_in_reply=deleted.answer["DBSnapshot"]["Status"] if deleted.ok else deleted.code)
    if again.ok:
        await_snapshot(world, world.rds, name)


@answers("F5")
def tags_of_a_copy(world: World, ask: Asker) -> None:
    original = source(world)
    with world.place.slowly():
        made = copy(world, ask, "merged", original, CopyTags=True, tags={"shape": "round"})
        if not made.ok:
            return
        world.memo["merged"] = made.answer["DBSnapshot"]
        found = world.rds_there.describe_db_snapshots(DBSnapshotIdentifier=world.name("merged"))
        world.memo["merged-at-once"] = found["DBSnapshots"][0]
    done = await_snapshot(world, world.rds_there, world.name("merged"))
    world.memo["merged-done"] = done
    ask.say(tags=keys(done["TagList"]))


def merged(world: World, which: str = "merged") -> Json:
    """The copy that F5 made."""
    if which not in world.memo:
        raise NotAsked("the copy of question F5 was refused")
    return world.memo[which]


@answers("B8")
def tags_of_a_copy_right_after_the_call(world: World, ask: Asker) -> None:
    ask.say(in_reply=keys(merged(world).get("TagList")), at_once=keys(merged(world, "merged-at-once").get("TagList")))


@answers("S16")
def status_of_a_copy_in_the_reply(world: World, ask: Asker) -> None:
    made = merged(world)
    ask.say(
        status=made["Status"],
        percent=made.get("PercentProgress"),
        has_creation_time="SnapshotCreateTime" in made,
        has_source_arn="SourceDBSnapshotIdentifier" in made,
        source_region=made.get("SourceRegion"),
    )


@answers("S18")
def resource_id_of_a_copy(world: World, ask: Asker) -> None:
    of_database = world.rds.describe_db_instances(DBInstanceIdentifier=world.instance)["DBInstances"][0]
    done = merged(world, "merged-done")
    ask.say(
        has_that_of_its_database=done.get("DbiResourceId") == of_database["DbiResourceId"],
        has_database_time="SnapshotDatabaseTime" in done,
        has_full_size="FullSnapshotSizeInBytes" in done,
        has_original_time="OriginalSnapshotCreateTime" in done,
    )


@answers("F6")
def events_of_a_copy(world: World, ask: Asker) -> None:
    name = merged(world)["DBSnapshotIdentifier"]
    ask.say(events=messages(events(world, ask, world.run.destination, "db-snapshot", name)))


@answers("F10")
def copy_option_group(world: World, ask: Asker) -> None:
    copy(world, ask, "options", source(world), CopyOptionGroup=True)


@answers("S4")
def option_group_of_another_engine(world: World, ask: Asker) -> None:
    copy(world, ask, "mysql", source(world), OptionGroupName="default:mysql-8-4")


@answers("S5")
def source_in_another_partition(world: World, ask: Asker) -> None:
    elsewhere = source(world).replace("arn:aws:", "arn:aws-cn:").replace(world.run.region, "cn-north-1")
    copy(world, ask, "china", elsewhere)


@answers("S6")
def copy_of_nothing_and_to_a_name_that_is_taken(world: World, ask: Asker) -> None:
    nothing = world.arn(world.run.region, f"snapshot:{world.name('nothing')}")
    copy(world, ask, "of-nothing", nothing)
    merged(world)
    copy(world, ask, "merged", source(world))


@answers("S7")
def copy_with_a_key_that_is_not_there(world: World, ask: Asker) -> None:
    key = f"arn:aws:kms:{world.run.destination}:{world.account.id}:key/00000000-0000-4000-8000-000000000000"
    copy(world, ask, "keyless", source(world), KmsKeyId=key)


@answers("S35")
def order_of_the_checks(world: World, ask: Asker) -> None:
    merged(world)
    nothing = world.arn(world.run.region, f"snapshot:{world.name('nothing')}")
    copy(world, ask, "merged", nothing)
    copy(world, ask, "nothing", nothing, KmsKeyId="alias/snapferry-accept-nothing")
    copy(world, ask, "no--name", source(world), KmsKeyId="alias/snapferry-accept-nothing")


@answers("B4")
def snapshot_with_fifty_tags(world: World, ask: Asker) -> None:
    many = {f"many-{number:02}": "x" for number in range(48)}
    arn = make_snapshot(world, "fifty", **many)
    one_more = ask.call(
        "rds",
        world.run.region,
        "add_tags_to_resource",
        ResourceName=arn,
        Tags=[{"Key": "one-more", "Value": "x"}],
    )
    ask.say(fifty_first=one_more.code)
    for suffix, more in (("fifty-copy", {}), ("fifty-and-two", {"two": "x", "three": "x"})):
        made = copy(world, ask, suffix, arn, CopyTags=True, tags=more)
        if made.ok:
            done = await_snapshot(world, world.rds_there, world.name(suffix))
            ask.say(**{f"tags_of_{suffix.replace('-', '_')}": len(done["TagList"])})


@answers("S13")
def default_option_groups(world: World, ask: Asker) -> None:
    listed = ask.call("rds", world.run.region, "describe_option_groups", EngineName="postgres")
    named = ask.call("rds", world.run.region, "describe_option_groups", OptionGroupName="default:mysql-8-4")
    ask.say(
        lists_default=any(one["OptionGroupName"].startswith("default:") for one in listed.answer["OptionGroupsList"])
        if listed.ok
        else listed.code,
        by_name=len(named.answer["OptionGroupsList"]) if named.ok else named.code,
    )


@answers("S14")
def class_that_is_not_on_offer(world: World, ask: Asker) -> None:
    for given in (INSTANCE_CLASS, "db.snapferry.none"):
        found = ask.call(
            "rds",
            world.run.destination,
            "describe_orderable_db_instance_options",
            Engine="postgres",
            DBInstanceClass=given,
            MaxRecords=20,
        )
        count = len(found.answer["OrderableDBInstanceOptions"]) > 0 if found.ok else found.code
        ask.say(**{"usual" if given == INSTANCE_CLASS else "unknown": count})


@answers("S21")
def backups_that_are_not_there(world: World, ask: Asker) -> None:
    found = ask.call(
        "rds",
        world.run.destination,
        "describe_db_instance_automated_backups",
        DBInstanceIdentifier=world.name("nothing"),
    )
    ask.say(backups=len(found.answer["DBInstanceAutomatedBackups"]) if found.ok else found.code)


@answers("S32")
def default_subnet_group(world: World, ask: Asker) -> None:
    found = ask.call("rds", world.run.destination, "describe_db_subnet_groups", DBSubnetGroupName="default")
    ask.say(is_known=found.ok)


@answers("S33")
def default_parameter_group(world: World, ask: Asker) -> None:
    name = "default.mariadb10.11"
    found = ask.call("rds", world.run.destination, "describe_db_parameter_groups", DBParameterGroupName=name)
    ask.say(is_known=found.ok)


@answers("S37")
def wrong_marker(world: World, ask: Asker) -> None:
    ask.call("rds", world.run.region, "describe_db_snapshots", Marker="nothing", MaxRecords=20)


@answers("S27")
def restore_to_magnetic_storage(world: World, ask: Asker) -> None:
    merged(world)
    made = restore(world, ask, "magnetic", world.name("merged"), StorageType="standard")
    if made.ok:
        remove_instance(world, world.rds_there, world.name("magnetic"))


@answers("J1")
def deletion_while_creating(world: World, ask: Asker) -> None:
    merged(world)
    name = world.name("short")
    with world.place.slowly():
        made = restore(world, ask, "short", world.name("merged"))
        if not made.ok:
            return
        ask.say(status=instance_status(world.rds_there, name))
        ask.call(
            "rds",
            world.run.destination,
            "delete_db_instance",
            DBInstanceIdentifier=name,
            SkipFinalSnapshot=True,
            DeleteAutomatedBackups=True,
        )
        ask.say(status_after=instance_status(world.rds_there, name))
    remove_instance(world, world.rds_there, name)


@answers("J2")
def tags_of_a_restore(world: World, ask: Asker) -> None:
    merged(world)
    name = world.name("restored")
    began = time.monotonic()
    if not restore(world, ask, "restored", world.name("merged")).ok:
        return
    statuses: dict[str, float] = {}

    def ready() -> bool:
        status = instance_status(world.rds_there, name)
        statuses.setdefault(status, time.monotonic() - began)
        return status == "available"

    world.until(ready, "a restored database that is available", 180)
    world.memo["statuses"] = statuses
    found = world.rds_there.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    world.memo["restored"] = found
    ask.say(
        tags=[key for key in keys(found["TagList"]) if key not in (RUN_TAG, EXPIRES_TAG)],
        has_marks=RUN_TAG in keys(found["TagList"]),
    )


def restored(world: World) -> Json:
    """The database that J2 restored."""
    if "restored" not in world.memo:
        raise NotAsked("the restore of question J2 was refused")
    return world.memo["restored"]


@answers("J3")
def first_backup_of_a_restore(world: World, ask: Asker) -> None:
    found = restored(world)
    listed = ask.call(
        "rds",
        world.run.destination,
        "describe_db_instance_automated_backups",
        DbiResourceId=found["DbiResourceId"],
    )
    ask.say(
        retention=found["BackupRetentionPeriod"],
        was_backing_up="backing-up" in world.memo["statuses"],
        backups=len(listed.answer["DBInstanceAutomatedBackups"]) if listed.ok else listed.code,
    )


@answers("S19")
def statuses_of_a_restore(world: World, ask: Asker) -> None:
    restored(world)
    ask.measure(first_seen_after_seconds={name: round(at) for name, at in world.memo["statuses"].items()})


@answers("S24")
def deletion_of_a_protected_instance(world: World, ask: Asker) -> None:
    restored(world)
    name, rds = world.name("restored"), world.rds_there
    rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=True, ApplyImmediately=True)

    def is_protected() -> bool:
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        return bool(found["DeletionProtection"] and found["DBInstanceStatus"] == "available")

    world.until(is_protected, "a protected instance")
    ask.call("rds", world.run.destination, "delete_db_instance", DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    if instance_status(rds, name) == "available":
        rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
    remove_instance(world, rds, name)


@answers("J6")
def restore_whose_snapshot_is_deleted(world: World, ask: Asker) -> None:
    made = copy(world, ask, "victim", source(world))
    if not made.ok:
        raise NotAsked("the copy that was to be deleted was refused")
    await_snapshot(world, world.rds_there, world.name("victim"))
    name = world.name("orphan")
    with world.place.slowly():
        if not restore(world, ask, "orphan", world.name("victim")).ok:
            return
        ask.call("rds", world.run.destination, "delete_db_snapshot", DBSnapshotIdentifier=world.name("victim"))

    def ended() -> str:
        status = instance_status(world.rds_there, name)
        return "" if status in ("creating", "backing-up", "modifying") else status or "gone"

    ask.say(status_of_the_restore=world.until(ended, "an end of the restore", 180))
    remove_instance(world, world.rds_there, name)


@answers("J11")
def lines_of_the_engine(world: World, ask: Asker) -> None:
    listed = ask.call("rds", world.run.region, "describe_db_log_files", DBInstanceIdentifier=world.instance)
    if not listed.ok:
        return
    found: set[str] = set()
    for file in listed.answer["DescribeDBLogFiles"][:20]:
        portion = world.rds.download_db_log_file_portion(
            DBInstanceIdentifier=world.instance, LogFileName=file["LogFileName"], Marker="0"
        )
        for line in portion.get("LogFileData", "").splitlines():
            if "ready to accept" in line or "database system" in line:
                found.add(line.split("LOG:")[-1].strip())
    ask.say(lines=sorted(found))
