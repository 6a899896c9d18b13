"""Which calls of others the destination stack reports: its patterns against events as CloudTrail delivers them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ministack.services import eventbridge

ROOT = Path(__file__).resolve().parents[2]
RULES = json.loads((ROOT / "target/rendered/destination/events.json").read_text())
ACCOUNT = "123456789012"
COPY = "snapferry-orders-2026-11-30-0a1b2c3d"
ARN = f"arn:aws:rds:eu-west-1:{ACCOUNT}:snapshot:{COPY}"
CLUSTER_ARN = f"arn:aws:rds:eu-west-1:{ACCOUNT}:cluster-snapshot:snapferry-billing-2026-11-30-0a1b2c3d"

Event = dict[str, Any]


def role(name: str) -> Event:
    """A session of a role, as CloudTrail describes it."""
    return {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:session",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/session",
        "accountId": ACCOUNT,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLE",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": {"creationDate": "2026-11-30T05:00:00Z", "mfaAuthenticated": "false"},
        },
    }


ADMINISTRATOR = role("Administrator")
USER = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLE",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "accessKeyId": "AKIAEXAMPLE",
    "userName": "alice",
}
SIGNED_IN_USER = USER | {"sessionContext": {"attributes": {"mfaAuthenticated": "true"}}}
ROOT_USER = {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}


def event(name: str, parameters: Event, who: Event = ADMINISTRATOR, service: str = "rds") -> Event:
    return {
        "version": "0",
        "id": "6f87d04b-9f74-4f04-a780-7acf4b0a9b38",
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{service}",
        "account": ACCOUNT,
        "time": "2026-11-30T05:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": who,
            "eventTime": "2026-11-30T05:00:00Z",
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": "eu-west-1",
            "sourceIPAddress": "203.0.113.7",
            "userAgent": "aws-cli/2",
            "requestParameters": parameters,
            "responseElements": None,
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": ACCOUNT,
            "eventID": "0f5a1b2c-3d4e-4f60-8a7b-9c0d1e2f3a4b",
            "eventCategory": "Management",
        },
    }


def reported(rule: str, of: Event) -> bool:
    """Whether the rule is for the event, by MiniStack's `TestEventPattern`, which follows the one of AWS."""
    pattern = json.dumps(RULES[rule]["EventPattern"])
    status, _, body = eventbridge._test_event_pattern({"EventPattern": pattern, "Event": json.dumps(of)})
    assert status == 200, body
    return bool(json.loads(body)["Result"])


SHARING = {"attributeName": "restore", "valuesToAdd": ["999999999999"]}
TAGS = {"tags": [{"key": "snapferry:hold", "value": "true"}]}
TOUCHED = [
    event("DeleteDBSnapshot", {"dBSnapshotIdentifier": COPY}),
    event("DeleteDBSnapshot", {"dBSnapshotIdentifier": COPY.upper()}),
    event("DeleteDBSnapshot", {"dBSnapshotIdentifier": ARN}),
    event("DeleteDBClusterSnapshot", {"dBClusterSnapshotIdentifier": "snapferry-billing-2026"}),
    event("DeleteDBClusterSnapshot", {"dBClusterSnapshotIdentifier": CLUSTER_ARN}),
    event("ModifyDBSnapshotAttribute", {"dBSnapshotIdentifier": COPY} | SHARING),
    event("ModifyDBClusterSnapshotAttribute", {"dBClusterSnapshotIdentifier": CLUSTER_ARN} | SHARING),
    event("AddTagsToResource", {"resourceName": ARN} | TAGS),
    event("RemoveTagsFromResource", {"resourceName": CLUSTER_ARN, "tagKeys": ["snapferry:owner"]}),
]


@pytest.mark.parametrize("of", TOUCHED, ids=lambda of: str(of["detail"]["eventName"]))
@pytest.mark.parametrize("who", [ADMINISTRATOR, USER, SIGNED_IN_USER, ROOT_USER], ids=["role", "user", "mfa", "root"])
def test_whoever_deletes_shares_or_tags_a_copy_is_reported(of: Event, who: Event) -> None:
    touched = copy.deepcopy(of)
    touched["detail"]["userIdentity"] = who
    assert reported("TouchedCopiesRule", touched)


def test_a_role_of_another_region_or_of_another_name_is_reported() -> None:
    for name in ("acme-eu-north-1-prune-old", "prune-old", "acme-us-east-1-prune-old-2"):
        for of in TOUCHED:
            touched = copy.deepcopy(of)
            touched["detail"]["userIdentity"] = role(name)
            assert reported("TouchedCopiesRule", touched), name


def test_what_is_refused_is_reported_too() -> None:
    refused = event("DeleteDBSnapshot", {"dBSnapshotIdentifier": COPY})
    refused["detail"] |= {"errorCode": "AccessDenied", "errorMessage": "not authorized"}
    assert reported("TouchedCopiesRule", refused)


@pytest.mark.parametrize(
    "who",
    [
        # This stack's, and those of the stack in the source region as CloudFormation names them.
        "snapferry-StartRestoreRole",
        "snapferry-EndRestoreRole",
        "snapferry-StartCopyRole-1A2B3C4D5E6F",
        "backups-CheckCopyStatusRole-1A2B3C4D5E6F",
        "StackSet-snapferry-0f5a-PruneOldRole-1A2B3C4D5E6F",
        # The same with a NamePrefix.
        "acme-us-east-1-start-copy",
        "acme-us-east-1-check-copy-status",
        "acme-us-east-1-prune-old",
    ],
)
@pytest.mark.parametrize("of", TOUCHED, ids=lambda of: str(of["detail"]["eventName"]))
def test_the_roles_of_the_two_stacks_are_not_reported(of: Event, who: str) -> None:
    ours = copy.deepcopy(of)
    ours["detail"]["userIdentity"] = role(who)
    assert not reported("TouchedCopiesRule", ours)


@pytest.mark.parametrize(
    "of",
    [
        event("DeleteDBSnapshot", {"dBSnapshotIdentifier": "by-hand"}),
        event("DeleteDBSnapshot", {"dBSnapshotIdentifier": "my-snapferry-orders"}),
        event(
            "AddTagsToResource", {"resourceName": f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:snapferry-drill-orders"} | TAGS
        ),
        event("AddTagsToResource", {"resourceName": f"arn:aws:rds:eu-west-1:{ACCOUNT}:snapshot:by-hand"} | TAGS),
        event("DescribeDBSnapshots", {"dBSnapshotIdentifier": COPY}),
        event("DeleteDBInstance", {"dBInstanceIdentifier": "snapferry-drill-orders"}),
        event("DisableKey", {"keyId": "1111"}, service="kms"),
    ],
    ids=lambda of: str(of["detail"]["eventName"]),
)
def test_what_touches_no_copy_is_not_reported(of: Event) -> None:
    assert not reported("TouchedCopiesRule", of)


def test_whoever_disables_or_deletes_a_key_is_reported() -> None:
    for name in ("DisableKey", "ScheduleKeyDeletion"):
        for who in (ADMINISTRATOR, USER, ROOT_USER):
            assert reported("TouchedKeysRule", event(name, {"keyId": "1111"}, who, "kms"))
    for name in ("EnableKey", "DescribeKey", "CancelKeyDeletion"):
        assert not reported("TouchedKeysRule", event(name, {"keyId": "1111"}, service="kms"))


def test_each_report_names_who_did_what_where_and_what_to_read() -> None:
    for rule in ("TouchedCopiesRule", "TouchedKeysRule"):
        [target] = RULES[rule]["Targets"]
        transformer = target["InputTransformer"]
        template = transformer["InputTemplate"].strip()
        # One text in quotes on one line: EventBridge refuses others.
        assert template.startswith('"')
        assert template.endswith('"')
        assert "\n" not in template
        for name, path in transformer["InputPathsMap"].items():
            assert f"<{name}>" in template
            # A text: an object would not fit between quotes.
            value = event("DisableKey", {"keyId": "1111"})
            for step in path.split(".")[1:]:
                value = value[step]
            assert isinstance(value, str), path
        assert "docs/operations.md, section Alarms" in template
