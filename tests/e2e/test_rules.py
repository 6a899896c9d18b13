"""What a run finds out before its first copy, what tags and parameters ask for, and what stops one database alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.conftest import SCALE, Destination, rules_stack
from e2e.fleet import (
    COPY_KEY,
    OTHER_KEY,
    by_hand,
    cluster,
    fleet,
    instance,
    old_copy,
    oracle,
    oracle_group,
    resource_id,
)
from local_cloud import layout
from local_cloud.audit import plan
from local_cloud.runs import Execution

# Its stack is deployed once, by the worker that runs these.
pytestmark = pytest.mark.xdist_group("rules")

THERE = layout.DESTINATION_REGION
ELSEWHERE = "us-east-1"
DAY = 24

INSTANCES = [
    instance("orders"),
    instance("vault", tags={"snapferry:kms-key": "alias/other"}),
    instance("strange", tags={"snapferry:kms-key": "alias/strange"}),
    instance("typo", tags={"snapferry:keep-days": "half-a-year"}),
    instance("unknown", tags={"snapferry:keep-day": "30"}),
    instance("longer", tags={"snapferry:keep": "5"}),
    instance("shorter", tags={"snapferry:keep": "1"}),
    oracle("finance", "oracle-tz"),
    oracle("payroll", "oracle-payroll"),
    oracle("picked", "oracle-picked", tags={"snapferry:option-group": "copies-tz"}),
    instance("custom", engine="custom-oracle-ee"),
]
CLUSTERS = [
    cluster("billing"),
    cluster("plain", kmsKey=None, encrypted=False),
    cluster("tickets", engine="postgres"),
    cluster("graph", engine="neptune"),
    cluster("documents", engine="docdb"),
    cluster("secondary", globalCluster="world"),
]
OLD = [
    *(old_copy(name, age) for name in ("strange", "typo", "unknown") for age in (27, 51, 75, 99)),
    *(old_copy("longer", age) for age in (27, 51, 75, 99, 123)),
    *(old_copy("shorter", age) for age in (27, 51)),
    # Of databases that are gone. Their resource ids are those of no database above.
    *(old_copy("gone", age * DAY) for age in (40, 47, 54, 61)),
    old_copy("long-gone", 400 * DAY),
    *(old_copy("just-gone", age * DAY) for age in (1, 2, 3, 4, 5)),
    by_hand("of-a-gone-database", "gone", resourceId=resource_id("instance", "gone")),
]


@dataclass(frozen=True)
class Ended:
    """A run over all of these at once, and what it left."""

    run: Execution
    outcomes: dict[str, str]
    children: dict[str, Execution]
    plan: Any
    copies: dict[str, Any]
    """The newest copy of each database, by its id."""
    gone: set[str]
    """The copies that it deleted, as `OLD` calls them."""
    writes: list[Any]

    def warnings(self, *words: str) -> list[str]:
        return [warning for warning in self.plan["warnings"] if all(word in warning for word in words)]


@pytest.fixture(scope="module")
def ended(session_cloud) -> Ended:
    cloud = session_cloud
    cloud.set_scale(SCALE)
    runs = cloud.runs(rules_stack(cloud))
    scenario = fleet(
        INSTANCES,
        CLUSTERS,
        OLD,
        optionGroups=[oracle_group("copies-tz")],
        # One less than the copies that this run may add, and more than it does add.
        manualSnapshotQuota={"instances": len(OLD) + len(INSTANCES) - 2, "clusters": 100},
    )
    scenario["regions"][ELSEWHERE] = {"clusters": [{"id": "primary", "globalCluster": "world", "globalWriter": True}]}
    cloud.simulator.seed(scenario)
    aliases = cloud.simulator.aliases()
    destination = Destination(cloud)
    before = destination.snapshots()
    run = runs.run({})
    after = destination.snapshots()
    copies = {
        copy["Tags"]["snapferry:source-id"]: copy
        for name, copy in [*after.items(), *destination.snapshots("cluster").items()]
        if name not in before
    }
    children = {child.input["id"]: child for child in runs.all_children(run.arn)}
    return Ended(
        run,
        runs.outcomes(run.arn),
        children,
        plan(runs, run.arn),
        copies,
        {aliases.get(name, name) for name in before.keys() - after.keys()},
        cloud.simulator.writes(),
    )


def test_each_database_has_the_outcome_that_its_rules_give_it(ended):
    copied = ("orders", "vault", "strange", "typo", "unknown", "longer", "shorter", "finance", "picked")
    assert ended.outcomes == {
        **{f"instance:{name}": "copied" for name in copied},
        "instance:payroll": "OptionGroupMissing",
        "instance:custom": "unsupported",
        "cluster:billing": "copied",
        "cluster:plain": "copied",
        "cluster:tickets": "unsupported",
        "cluster:graph": "copied",
        "cluster:documents": "copied",
        "instance:gone": "retired",
        "instance:long-gone": "retired",
        "instance:just-gone": "retired",
    }
    assert ended.run.error == "CopiesFailed"
    assert ended.run.failure["summary"].startswith("1 of 19 databases were not copied: instance payroll")
    assert ended.run.failure["counts"]["retired"] == 3


def test_the_stack_s_key_may_be_named_by_its_alias(ended):
    for name in ("orders", "billing", "graph", "documents"):
        copy = ended.copies[name]
        assert copy["KmsKeyId"] == layout.KEY_ARN
        assert copy["Tags"]["snapferry:copy-kms-key"] == layout.KEY_ARN
    assert ended.plan["rules"]["kmsKeyArn"] == layout.KEY_ARN


def test_a_tag_picks_a_key_of_those_that_are_allowed_and_no_other(ended):
    assert ended.copies["vault"]["KmsKeyId"].endswith(OTHER_KEY)
    assert not ended.warnings("instance vault")
    assert ended.copies["strange"]["KmsKeyId"].endswith(COPY_KEY)
    (warning,) = ended.warnings("instance strange", "snapferry:kms-key", "AllowedKmsKeyArns")
    assert "alias/strange" not in warning


def test_a_copy_that_needs_an_option_group_gets_the_one_that_is_named(ended):
    assert ended.copies["finance"]["OptionGroupName"] == "copies-tz"
    assert ended.copies["picked"]["OptionGroupName"] == "copies-tz"


def test_a_missing_option_group_is_found_out_before_anything_is_copied(ended):
    child = ended.children["payroll"]
    assert child.error == "OptionGroupMissing"
    for word in ("payroll", "[Timezone]", "OptionGroups", "snapferry:option-group"):
        assert word in child.cause, child.cause
    assert ended.warnings("instance payroll will not be copied")
    assert [one for one in ended.writes if "payroll" in (one.get("source") or "")] == []


@pytest.mark.parametrize("name", ["strange", "typo", "unknown"])
def test_nothing_of_a_database_with_a_wrong_tag_is_deleted_and_the_tag_is_named(ended, name):
    assert not [copy for copy in ended.gone if copy.startswith(f"{layout.OWNER_ID}-{name}-")]
    tag = next(tag for one in INSTANCES if one["id"] == name for tag in one["tags"])
    (warning,) = ended.warnings(f"instance {name}: the tag {tag} ")
    assert "no copy of this database is deleted until it is right" in warning
    kept = ended.children[name].output["pruned"]["kept"]
    assert len(kept) == 5


def test_no_value_of_a_tag_is_repeated(ended):
    outputs = [str(child.output) for child in ended.children.values()]
    assert "half-a-year" not in " ".join([*ended.plan["warnings"], str(ended.run.failure), *outputs])


def test_a_tag_may_keep_more_and_never_less(ended):
    assert ended.gone & {f"{layout.OWNER_ID}-longer-{age}h-old" for age in (27, 51, 75, 99, 123)} == {
        f"{layout.OWNER_ID}-longer-123h-old"
    }
    assert ended.copies["longer"]["Tags"]["snapferry:source-keep"] == "5"
    assert not [copy for copy in ended.gone if "-shorter-" in copy]
    assert ended.warnings("instance shorter", "snapferry:keep asks for less than the stack keeps")


def test_copies_of_deleted_databases_go_when_they_are_old_but_never_the_newest(ended):
    """RetiredKeepDays is 30 and KeepCopies 3."""
    assert {copy for copy in ended.gone if "-gone-" in copy} == {f"{layout.OWNER_ID}-gone-{61 * DAY}h-old"}
    assert ended.plan["retired"] == {
        "databases": 3,
        "copies": 10,
        "first": [
            {"kind": "instance", "id": "gone", "copies": 4},
            {"kind": "instance", "id": "just-gone", "copies": 5},
            {"kind": "instance", "id": "long-gone", "copies": 1},
        ],
    }
    (kept,) = ended.children["long-gone"].output["pruned"]["kept"]
    assert kept["reason"] == "the newest verified copy"


def test_nothing_else_was_deleted(ended):
    assert ended.gone == {f"{layout.OWNER_ID}-longer-123h-old", f"{layout.OWNER_ID}-gone-{61 * DAY}h-old"}


def test_an_unencrypted_cluster_is_copied_as_it_is_and_flagged(ended):
    copy = ended.copies["plain"]
    assert copy["StorageEncrypted"] is False
    assert "KmsKeyId" not in copy
    assert copy["Tags"]["snapferry:copy-kms-key"] == "none"
    assert ended.warnings("cluster plain is not encrypted")
    (warning,) = ended.children["plain"].output["warnings"]
    assert "not encrypted" in warning


def test_what_rds_cannot_copy_is_unsupported_with_the_reason_and_the_alternative(ended):
    for name, reason, alternative in (
        ("tickets", "Multi-AZ DB clusters", "read replica"),
        ("custom", "RDS Custom for Oracle", "RMAN"),
    ):
        said = ended.children[name].output["reason"]
        assert reason in said
        assert alternative in said
    assert not [one for one in ended.writes if any(name in (one.get("source") or "") for name in ("tickets", "custom"))]


def test_the_secondary_of_a_global_database_is_left_out(ended):
    (left_out,) = ended.plan["leftOut"]["first"]
    assert (left_out["kind"], left_out["id"]) == ("cluster", "secondary")
    assert f"its primary, in {ELSEWHERE}," in left_out["reason"]


def test_the_quota_warns_before_it_bites(ended):
    used, adds = len(OLD), len(INSTANCES) - 1
    assert ended.warnings(f"holds {used} of {used + adds - 1} manual instance snapshots", f"may add {adds} before")
    assert not ended.warnings("manual cluster snapshots")


# What happens while a run goes on


def test_what_is_taken_away_in_the_middle_of_a_run_stops_that_database_alone(cloud, rules, seed, destination):
    """A key, an option group, and the tag that says whose a copy is."""
    seed(
        fleet(
            [
                instance("orders"),
                instance("vault", tags={"snapferry:kms-key": "alias/other"}),
                oracle("finance", "oracle-tz"),
                instance("ledger", copies={"durationSeconds": 600}),
            ],
            [cluster("billing")],
            optionGroups=[oracle_group("copies-tz")],
        )
    )
    finder = cloud.caller("find-latest-snapshot", rules_stack(cloud)).access_key
    hold = cloud.simulator.add_hold("DescribeDBSnapshots", region=layout.SOURCE_REGION, caller=finder)
    run = rules.start({})
    # Everything has been looked up, and nothing has been copied yet.
    cloud.simulator.wait_until_held(hold, calls=4)
    cloud.simulator.set_key_state(THERE, OTHER_KEY, "Disabled")
    cloud.simulator.delete_option_group(THERE, "copies-tz")
    cloud.simulator.release(hold)
    (copy,) = _until(lambda: [arn for name, arn in _copies(destination).items() if name == "ledger"], "its copy")
    cloud.client("rds", THERE).remove_tags_from_resource(ResourceName=copy, TagKeys=["snapferry:owner"])

    end = rules.wait(run)
    assert rules.outcomes(run) == {
        "instance:orders": "copied",
        "cluster:billing": "copied",
        "instance:vault": "KeyNotUsable",
        "instance:finance": "OptionGroupMissing",
        "instance:ledger": "NameTaken",
    }
    assert end.failure["counts"] == {**end.failure["counts"], "copied": 2, "failed": 3}
    causes = {child.input["id"]: child.cause for child in rules.children(run)}
    assert OTHER_KEY in causes["vault"]
    assert "copies-tz" in causes["finance"]
    # It is nobody's now, so it is left alone.
    assert copy in _copies(destination).values()


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_a_key_that_cannot_be_used_stops_only_the_databases_that_need_it(cloud, rules, seed, counts, state):
    seed(
        fleet(
            [instance("orders"), instance("vault", tags={"snapferry:kms-key": OTHER_KEY})],
            [cluster("plain", kmsKey=None, encrypted=False)],
        )
    )
    cloud.simulator.set_key_state(THERE, "alias/copies", state)
    run = rules.run({})
    assert rules.outcomes(run.arn) == {
        "instance:orders": "KeyNotUsable",
        "instance:vault": "copied",
        "cluster:plain": "copied",
    }
    (child,) = [child for child in rules.children(run.arn) if child.error]
    assert f"alias/copies is {state}" in child.cause
    assert counts.copies_asked_for() == 2


def test_a_snapshot_that_expires_while_it_waits_for_a_slot_is_looked_for_again(cloud, runs, seed, counts):
    """The slots are taken by a copy that somebody else started: it counts too."""
    theirs = by_hand(
        "theirs",
        "other",
        ageHours=0.1,
        percent=10,
        sourceArn=f"arn:aws:rds:{ELSEWHERE}:{layout.ACCOUNT}:snapshot:rds:other-{{stamp:2}}",
        copies={"durationSeconds": 250},
    )
    seed(fleet([instance("orders", 3, 27)], destination=[theirs], copySlots={"instances": 1, "clusters": 5}))
    snapshots = cloud.client("rds").describe_db_snapshots(DBInstanceIdentifier="orders")["DBSnapshots"]
    older, newest = sorted(snapshots, key=lambda snapshot: snapshot["SnapshotCreateTime"])
    run = runs.start({})
    _until(lambda: counts.refusals()["slots"] > 0, "a wait for a slot")
    cloud.simulator.expire(newest["DBSnapshotArn"])
    end = runs.wait(run)
    assert end.status == "SUCCEEDED", end.cause
    (child,) = runs.children(run)
    assert child.output["source"]["arn"] == older["DBSnapshotArn"]
    assert child.output["outcome"] == "copied"


def test_the_two_quotas_have_one_code_and_are_told_apart_by_their_texts(cloud, runs, seed):
    seed(fleet([instance("busy"), instance("full"), instance("unclear")], [cluster("busy-too")]))
    for database, message, times in (
        ("busy", "Cannot copy more than 20 snapshots across regions", 3),
        ("full", "Cannot create more than 100 manual snapshots", 9),
        # In words that nobody has seen yet; there is room for more snapshots, so it is a wait.
        ("unclear", "You have reached your limit", 3),
    ):
        cloud.simulator.add_fault(
            {
                "operation": "CopyDBSnapshot",
                "match": {"SourceDBSnapshotIdentifier": f"*:rds:{database}-*"},
                "times": times,
                "action": {"error": {"code": "SnapshotQuotaExceeded", "message": message}},
            }
        )
    cloud.simulator.add_fault(
        {
            "operation": "CopyDBClusterSnapshot",
            "times": 3,
            "action": {
                "error": {
                    "code": "SnapshotQuotaExceeded",
                    "message": "Cannot copy more than 5 snapshots across regions",
                }
            },
        }
    )
    run = runs.run({})
    assert runs.outcomes(run.arn) == {
        "instance:busy": "copied",
        "instance:full": "SnapshotQuotaFull",
        "instance:unclear": "copied",
        "cluster:busy-too": "copied",
    }
    (child,) = [child for child in runs.children(run.arn) if child.error]
    assert "Delete manual snapshots" in child.cause


@pytest.mark.parametrize(("behaviour", "encrypted_as"), [("needs-key", "sse-kms"), ("refuses-key", "sse-rds")])
def test_a_cluster_that_aurora_encrypts_itself_is_copied_whichever_way_rds_takes_it(
    cloud, runs, seed, counts, behaviour, encrypted_as
):
    scenario = fleet(clusters=[cluster("storefront", kmsKey=None, storageEncryptionType="sse-rds")])
    scenario["settings"] = {"sseRdsCopies": behaviour}
    seed(scenario)
    run = runs.run({})
    assert run.status == "SUCCEEDED", run.cause
    (copy,) = cloud.simulator.state()["regions"][THERE]["snapshots"]
    assert copy["storageEncryptionType"] == encrypted_as
    assert copy["tags"]["snapferry:verified"]
    # Nor is it copied again.
    asked_for = counts.copies_asked_for()
    assert runs.run({}).output["counts"]["current"] == 1
    assert counts.copies_asked_for() == asked_for


def test_copies_of_deleted_databases_are_counted_and_left_alone_by_default(runs, seed, destination):
    old = [old_copy("gone", age * DAY) for age in (400, 500, 600, 700, 800)]
    copies = seed(fleet([instance("orders")], destination=old))
    run = runs.run({})
    assert run.status == "SUCCEEDED", run.cause
    assert runs.outcomes(run.arn) == {"instance:orders": "copied"}
    assert run.output["retired"]["databases"] == 1
    assert run.output["retired"]["copies"] == 5
    assert len(copies) == 5
    assert set(copies.values()) <= destination.snapshots().keys()


def _copies(destination: Destination) -> dict[str, str]:
    """The ARN of each instance's newest copy by the instance's name, from a tag that nobody takes away here."""
    return {copy["Tags"]["snapferry:source-id"]: copy["DBSnapshotArn"] for copy in destination.snapshots().values()}


def _until(condition: Any, what: str, seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.02)
    return found
