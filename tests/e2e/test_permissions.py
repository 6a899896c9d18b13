"""What each deployed role allows, and what it refuses that differs in one tag, name, key or region.

Every case is put to the simulator, signed as the function, and to MiniStack's own evaluator of policies; the policies
are those that were deployed. Both must agree with the case and so with each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ministack.core import iam_evaluator

from e2e.conftest import rules_stack
from e2e.fleet import (
    COPY_KEY,
    OTHER_KEY,
    SOURCE_KEY,
    STRANGE_KEY,
    by_hand,
    cluster,
    fleet,
    instance,
    old_copy,
)
from local_cloud import layout
from local_cloud.copies import OWNER_TAG
from local_cloud.layout import ACCOUNT, DESTINATION_REGION, KEY_ARN, OWNER_ID, SOURCE_REGION

THIRD_REGION = "us-east-1"
FOREIGN_OWNER = "us-east-1/acme"
KINDS = {
    "instance": ("DBSnapshot", "snapshot", "db"),
    "cluster": ("DBClusterSnapshot", "cluster-snapshot", "cluster"),
}


@dataclass(frozen=True)
class Ask:
    """One thing that a policy is asked: an action on a resource, and its conditions."""

    action: str
    resource: str
    region: str
    request_tags: dict[str, str] = field(default_factory=dict)
    resource_tags: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A call by a function, and what it comes down to for its policies."""

    title: str
    function: str
    allowed: bool
    region: str
    operation: str
    parameters: dict[str, Any]
    asks: tuple[Ask, ...]
    service: str = "rds"
    by_rules_stack: bool = False
    """By the role of the stack that has its key by an alias and allows another one, instead of the usual one."""


def key_arn(key: str, region: str = DESTINATION_REGION) -> str:
    return f"arn:aws:kms:{region}:{ACCOUNT}:key/{key}"


def arn(resource_type: str, name: str, region: str = DESTINATION_REGION) -> str:
    return f"arn:aws:rds:{region}:{ACCOUNT}:{resource_type}:{name}"


def tags(**pairs: str) -> dict[str, str]:
    return {f"snapferry:{key}": value for key, value in pairs.items()}


def as_list(pairs: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def reading(function: str, operation: str, region: str, allowed: bool, resource_type: str | None) -> Case:
    action = {
        "describe_db_instances": "rds:DescribeDBInstances",
        "describe_db_clusters": "rds:DescribeDBClusters",
        "describe_db_snapshots": "rds:DescribeDBSnapshots",
        "describe_db_cluster_snapshots": "rds:DescribeDBClusterSnapshots",
        "describe_account_attributes": "rds:DescribeAccountAttributes",
        "describe_option_groups": "rds:DescribeOptionGroups",
        "describe_global_clusters": "rds:DescribeGlobalClusters",
    }[operation]
    resource = arn(resource_type, "*", region) if resource_type else "*"
    if resource_type == "global-cluster":
        resource = f"arn:aws:rds::{ACCOUNT}:global-cluster:*"
    return Case(
        title=f"{function} {'may' if allowed else 'may not'} {operation} in {region}",
        function=function,
        allowed=allowed,
        region=region,
        operation=operation,
        parameters={},
        asks=(Ask(action, resource, region),),
    )


def describing_key(function: str, key: str, region: str, allowed: bool) -> Case:
    """Directly, not by way of RDS."""
    return Case(
        title=f"{function} {'may' if allowed else 'may not'} describe the key {key[:8]} in {region}",
        function=function,
        allowed=allowed,
        region=region,
        operation="describe_key",
        parameters={"KeyId": key_arn(key, region)},
        asks=(Ask("kms:DescribeKey", key_arn(key, region), region),),
        service="kms",
    )


def reads() -> list[Case]:
    databases = {"describe_db_instances": "db", "describe_db_clusters": "cluster"}
    snapshots = {"describe_db_snapshots": "snapshot", "describe_db_cluster_snapshots": "cluster-snapshot"}
    cases = []
    for function in ("list-targets", "start-copy"):
        for operation, resource_type in databases.items():
            cases.append(reading(function, operation, SOURCE_REGION, True, resource_type))
            cases.append(reading(function, operation, DESTINATION_REGION, False, resource_type))
        cases.append(reading(function, "describe_account_attributes", DESTINATION_REGION, True, None))
        cases.append(reading(function, "describe_account_attributes", SOURCE_REGION, False, None))
    for function in layout.FUNCTIONS:
        lists = function == "list-targets"
        for region in (SOURCE_REGION, DESTINATION_REGION, THIRD_REGION):
            there = lists and region != THIRD_REGION
            cases.append(reading(function, "describe_option_groups", region, there, "og"))
        for region in (SOURCE_REGION, DESTINATION_REGION):
            there = lists and region == SOURCE_REGION
            cases.append(reading(function, "describe_global_clusters", region, there, "global-cluster"))
        for key in (COPY_KEY, STRANGE_KEY):
            cases.append(describing_key(function, key, DESTINATION_REGION, lists))
        cases.append(describing_key(function, SOURCE_KEY, SOURCE_REGION, False))
    where = {
        "list-targets": {SOURCE_REGION, DESTINATION_REGION},
        "find-latest-snapshot": {SOURCE_REGION, DESTINATION_REGION},
        "start-copy": {SOURCE_REGION, DESTINATION_REGION},
        "check-copy-status": {DESTINATION_REGION},
        "prune-old": {DESTINATION_REGION},
    }
    for function, regions in where.items():
        for operation, resource_type in snapshots.items():
            for region in (SOURCE_REGION, DESTINATION_REGION, THIRD_REGION):
                cases.append(reading(function, operation, region, region in regions, resource_type))
    return cases


def copying(
    kind: str,
    title: str,
    allowed: bool,
    *,
    function: str = "start-copy",
    name: str = f"{OWNER_ID}-orders-new",
    request_tags: dict[str, str] | None = None,
    key: str = KEY_ARN,
    alias: str = "",
    region: str = DESTINATION_REGION,
    snapshot: str = "",
    by_rules_stack: bool = False,
    **more: Any,
) -> Case:
    """A function asks for a copy. Every condition of the policies shows in the asks; `alias` is one of the key's."""
    noun, resource_type, _ = KINDS[kind]
    request_tags = tags(owner=OWNER_TAG) if request_tags is None else request_tags
    source = arn(resource_type, f"rds:{snapshot or SOURCE_SNAPSHOTS[kind]}", SOURCE_REGION)
    target = arn(resource_type, name, region)
    action = f"rds:Copy{noun}"
    via = {"kms:viaservice": f"rds.{region}.amazonaws.com", **({"kms:resourcealiases": [alias]} if alias else {})}
    grant = {**via, "kms:grantisforawsresource": "true"}
    return Case(
        title=f"{function} {'may' if allowed else 'may not'} copy {kind} snapshots {title}",
        function=function,
        by_rules_stack=by_rules_stack,
        allowed=allowed,
        region=region,
        operation="copy_db_snapshot" if kind == "instance" else "copy_db_cluster_snapshot",
        parameters={
            f"Source{noun}Identifier": source,
            f"Target{noun}Identifier": name,
            "KmsKeyId": f"arn:aws:kms:{region}:{ACCOUNT}:{alias}" if alias else key,
            "Tags": as_list(request_tags),
            **more,
        },
        asks=(
            Ask(action, source, region, request_tags),
            # RDS asks the source region on the caller's behalf, or by the URL that the caller has signed (D9).
            Ask(action, source, SOURCE_REGION, request_tags, more={"aws:calledvia": ["rds.amazonaws.com"]}),
            Ask(action, source, SOURCE_REGION, request_tags),
            Ask(action, target, region, request_tags),
            *([Ask("rds:AddTagsToResource", target, region, request_tags)] if request_tags else []),
            Ask("kms:DescribeKey", key, region, more=via),
            Ask("kms:CreateGrant", key, region, more=grant),
            Ask(
                "kms:DescribeKey",
                key_arn(SOURCE_KEY, SOURCE_REGION),
                SOURCE_REGION,
                more={"kms:viaservice": f"rds.{SOURCE_REGION}.amazonaws.com"},
            ),
        ),
    )


SOURCE_SNAPSHOTS = {"instance": "orders-2026-11-22-03-10", "cluster": "billing-2026-11-22-03-10"}
FORGED_SNAPSHOTS = {"instance": "orders-2026-11-21-03-10", "cluster": "billing-2026-11-21-03-10"}
"""Somebody has given these our owner tag."""


def copies() -> list[Case]:
    cases = []
    other_key = key_arn(OTHER_KEY)
    source_key = key_arn(SOURCE_KEY, SOURCE_REGION)
    third_key = key_arn(OTHER_KEY, THIRD_REGION)
    for kind in KINDS:
        cases += [
            copying(kind, "under its name and owner tag", True),
            copying(kind, "without the owner tag", False, request_tags={}),
            copying(kind, "with the owner tag of another stack", False, request_tags=tags(owner=FOREIGN_OWNER)),
            copying(kind, "under another name", False, name="orders-new"),
            copying(kind, "under a name that only begins like its own", False, name=f"{OWNER_ID}x-orders-new"),
            copying(kind, "with another key", False, key=other_key),
            copying(kind, "within the source region", False, region=SOURCE_REGION, key=source_key),
            copying(kind, "to another region", False, region=THIRD_REGION, key=third_key),
            copying(
                kind,
                "with the owner tag of the source only",
                False,
                snapshot=FORGED_SNAPSHOTS[kind],
                request_tags={},
                CopyTags=True,
            ),
            # The stack whose key is an alias, and which allows another key.
            copying(kind, "with the key of its alias", True, alias="alias/copies", by_rules_stack=True),
            copying(kind, "with an allowed key", True, key=other_key, by_rules_stack=True),
            copying(
                kind,
                "with a key that is neither its own nor allowed",
                False,
                key=key_arn(STRANGE_KEY),
                alias="alias/strange",
                by_rules_stack=True,
            ),
        ]
        cases += [
            copying(kind, "at all", False, function=function)
            for function in layout.FUNCTIONS
            if function != "start-copy"
        ]
    return cases


def tagging(
    function: str,
    kind: str,
    title: str,
    allowed: bool,
    *,
    name: str,
    request_tags: dict[str, str],
    region: str = DESTINATION_REGION,
) -> Case:
    _, resource_type, _ = KINDS[kind]
    target = arn(resource_type, name, region)
    return Case(
        title=f"{function} {'may' if allowed else 'may not'} tag {title} ({kind})",
        function=function,
        allowed=allowed,
        region=region,
        operation="add_tags_to_resource",
        parameters={"ResourceName": target, "Tags": as_list(request_tags)},
        asks=(Ask("rds:AddTagsToResource", target, region, request_tags, THERE[kind].get(name, {})),),
    )


def deleting(
    kind: str,
    title: str,
    allowed: bool,
    *,
    function: str = "prune-old",
    name: str,
    region: str = DESTINATION_REGION,
) -> Case:
    noun, resource_type, _ = KINDS[kind]
    return Case(
        title=f"{function} {'may' if allowed else 'may not'} delete {title} ({kind})",
        function=function,
        allowed=allowed,
        region=region,
        operation="delete_db_snapshot" if kind == "instance" else "delete_db_cluster_snapshot",
        parameters={f"{noun}Identifier": name},
        asks=(Ask(f"rds:Delete{noun}", arn(resource_type, name, region), region, {}, THERE[kind].get(name, {})),),
    )


OWNED = f"{OWNER_ID}-owned"
FORGED = "by-hand-with-a-forged-tag"
UNTAGGED = f"{OWNER_ID}-by-hand-without-a-tag"
FOREIGN_COPY = f"{OWNER_ID}-of-another-stack"
THERE = {
    kind: {
        OWNED: tags(owner=OWNER_TAG),
        FORGED: tags(owner=OWNER_TAG),
        UNTAGGED: {},
        FOREIGN_COPY: tags(owner=FOREIGN_OWNER),
    }
    for kind in KINDS
}


def changes() -> list[Case]:
    verified = tags(verified="2026-11-22T05:00:00Z")
    cases = []
    for kind in KINDS:
        cases += [
            tagging("check-copy-status", kind, "an owned copy as verified", True, name=OWNED, request_tags=verified),
            tagging(
                "check-copy-status",
                kind,
                "a foreign snapshot with a forged owner tag",
                False,
                name=FORGED,
                request_tags=verified,
            ),
            tagging(
                "check-copy-status",
                kind,
                "a snapshot of its name without the owner tag",
                False,
                name=UNTAGGED,
                request_tags=verified,
            ),
            tagging(
                "check-copy-status", kind, "the copy of another stack", False, name=FOREIGN_COPY, request_tags=verified
            ),
            tagging(
                "check-copy-status",
                kind,
                "an owned copy with another tag",
                False,
                name=OWNED,
                request_tags=tags(owner=OWNER_TAG),
            ),
            tagging(
                "check-copy-status",
                kind,
                "an owned copy with another tag beside",
                False,
                name=OWNED,
                request_tags={**verified, "team": "x"},
            ),
            tagging(
                "start-copy", kind, "a foreign snapshot as ours", False, name=FORGED, request_tags=tags(owner=OWNER_TAG)
            ),
            tagging(
                "start-copy",
                kind,
                "a snapshot of its name as another stack's",
                False,
                name=UNTAGGED,
                request_tags=tags(owner=FOREIGN_OWNER),
            ),
            *(
                tagging(function, kind, "an owned copy", False, name=OWNED, request_tags=verified)
                for function in ("list-targets", "find-latest-snapshot", "prune-old")
            ),
            *(
                deleting(kind, "an owned copy", False, function=function, name=OWNED)
                for function in layout.FUNCTIONS
                if function != "prune-old"
            ),
            *(
                deleting(kind, f"{title} in {region}", False, name=name, region=region)
                for region in (SOURCE_REGION, DESTINATION_REGION, THIRD_REGION)
                for title, name in (
                    ("a foreign snapshot with a forged owner tag", FORGED),
                    ("a snapshot of its name without the owner tag", UNTAGGED),
                    ("the copy of another stack", FOREIGN_COPY),
                    ("a snapshot of its name and owner tag", OWNED),
                )
                if (region, name) != (DESTINATION_REGION, OWNED)
            ),
            # Last of its kind: after it the copy is gone.
            deleting(kind, "an owned copy", True, name=OWNED),
        ]
    return cases


def scenario() -> Any:
    def snapshots(kind: str) -> list[Any]:
        return [
            {"id": f"rds:{SOURCE_SNAPSHOTS[kind]}", "type": "automated", "ageHours": 3},
            {
                "id": f"rds:{FORGED_SNAPSHOTS[kind]}",
                "type": "automated",
                "ageHours": 27,
                "tags": tags(owner=OWNER_TAG),
            },
        ]

    def seeds(key: str) -> list[Any]:
        return [
            by_hand(name, {"instance": "orders", "cluster": "billing"}[kind], kind, tags=given, kmsKey=key)
            for kind, there in THERE.items()
            for name, given in there.items()
        ]

    made = fleet(
        [instance("orders", snapshots=snapshots("instance"))],
        [cluster("billing", snapshots=snapshots("cluster"))],
        seeds("alias/copies"),
    )
    # The same in every region, so that nothing is refused only because it is not there.
    made["regions"][SOURCE_REGION]["snapshots"] = seeds("alias/databases")
    made["regions"][THIRD_REGION] = {"kmsKeys": [{"id": OTHER_KEY}], "snapshots": seeds(OTHER_KEY)}
    return made


CASES = [
    pytest.param(case, id=case.title, marks=[pytest.mark.xdist_group("rules")] if case.by_rules_stack else [])
    for case in reads() + copies() + changes()
]


@pytest.mark.parametrize("case", CASES)
def test_the_deployed_roles(cloud, seed, case):
    seed(scenario())
    caller = cloud.caller(case.function, rules_stack(cloud) if case.by_rules_stack else layout.STACK)
    client = cloud.client(case.service, case.region, caller)
    try:
        getattr(client, case.operation)(**case.parameters)
        refused = ""
    except ClientError as error:
        refused = error.response["Error"]["Code"]
    # A key that may not be used is reported as such, not as a missing permission.
    assert (refused == "") == case.allowed, refused or "it was allowed"
    assert refused in ("", "AccessDenied", "AccessDeniedException", "KMSKeyNotAccessibleFault")

    policies = [iam_evaluator.parse_policy_document(document) for document in caller.policies]
    decisions = {
        f"{ask.action} on {ask.resource}": iam_evaluator.evaluate(context(caller, ask), policies).decision
        for ask in case.asks
    }
    assert all(decision == "Allow" for decision in decisions.values()) == case.allowed, decisions


def context(caller, ask: Ask) -> iam_evaluator.EvalContext:
    """A request as MiniStack's evaluator wants it. Tags of the resource are condition keys in lower case to it."""
    conditions = {f"aws:resourcetag/{key}".lower(): value for key, value in ask.resource_tags.items()}
    return iam_evaluator.EvalContext(
        principal_arn=caller.role_arn,
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=ask.action,
        resource_arn=ask.resource,
        region=ask.region,
        request_tags=ask.request_tags,
        tag_keys=list(ask.request_tags),
        service_context={**conditions, **ask.more},
    )


def test_every_function_has_a_role_of_its_own(cloud):
    roles = {cloud.caller(function).role_arn for function in layout.FUNCTIONS}
    assert len(roles) == len(layout.FUNCTIONS)


def test_an_unknown_access_key_is_refused(cloud, seed):
    seed(scenario())
    unknown = cloud.client("rds", SOURCE_REGION, _UnknownCaller())
    with pytest.raises(ClientError) as refused:
        unknown.describe_db_instances()
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


class _UnknownCaller:
    access_key = "ASIA0000000000000000"
    secret_key = "x"
    session_token = "x"


def test_the_functions_use_the_credentials_that_the_table_names(cloud, runs, seed):
    """The access keys are derived as MiniStack derives them; a run shows that they are the right ones."""
    old = [old_copy("orders", age) for age in (27, 51, 75)]
    seed(fleet([instance("orders")], [cluster("billing")], old))
    assert runs.run({}).status == "SUCCEEDED"
    callers = cloud.simulator.counters()["callers"]
    for function in layout.FUNCTIONS:
        assert cloud.caller(function).access_key in callers, function
    assert set(callers) == {cloud.caller(function).access_key for function in layout.FUNCTIONS}
    assert cloud.simulator.counters()["refusals"]["denied"] == 0


def test_tags_of_a_source_forge_neither_ownership_nor_verification_nor_a_shorter_retention(runs, seed, destination):
    """Whoever may tag a database and its snapshots may write any of our tags there."""
    forged = tags(
        **{
            "verified": "2020-01-01T00:00:00Z",
            "source-created": "2020-01-01T00:00:00Z",
            "requested": "2020-01-01T00:00:00Z",
            "attempt": "2",
            "keep": "1",
            "keep-days": "1",
        }
    )
    snapshots = [{"ageHours": 3, "tags": {**forged, "SNAPFERRY:OWNER": FOREIGN_OWNER, "team": "shop"}}]
    old = [old_copy(name, age) for name in ("orders", "ledger") for age in (27, 51)]
    copies = seed(
        fleet(
            [
                instance("orders", snapshots=snapshots, tags=tags(keep="1")),
                instance(
                    "ledger",
                    snapshots=snapshots,
                    tags=forged,
                    copies={"durationSeconds": 60, "becomes": {"kmsKey": "alias/other"}},
                ),
                # An automated snapshot is never a copy, whatever its tags say.
                instance("owned", snapshots=[{"ageHours": 3, "tags": tags(owner=OWNER_TAG)}]),
            ],
            destination=old,
        )
    )
    run = runs.run({})
    assert runs.outcomes(run.arn) == {
        "instance:orders": "copied",
        "instance:ledger": "CopyMismatch",
        "instance:owned": "copied",
    }
    by_name = destination.snapshots()
    assert len(copies) == len(old)
    assert set(copies.values()) <= by_name.keys()
    new = {
        copy["Tags"]["snapferry:source-id"]: copy["Tags"]
        for name, copy in by_name.items()
        if name not in copies.values()
    }
    assert new.keys() == {"orders", "ledger", "owned"}
    assert new["ledger"]["snapferry:verified"] == "mismatch"
    assert new["orders"]["team"] == new["ledger"]["team"] == "shop"
    for copy in new.values():
        assert copy["snapferry:owner"] == OWNER_TAG
        assert copy["snapferry:attempt"] == "0"
        assert not [key for key in copy if key.lower() == "snapferry:owner" and key != "snapferry:owner"]
        for key in ("verified", "source-created", "requested"):
            assert not copy[f"snapferry:{key}"].startswith("2020")
