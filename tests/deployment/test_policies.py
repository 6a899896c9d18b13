"""The IAM policies of `infra/policies`, for people: who deploys, who runs, who only reads. They have what is needed and
nothing else."""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from local_cloud.release import script

ROOT = Path(__file__).resolve().parents[2]
POLICIES = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "infra" / "policies").glob("*.json"))}
EACH = pytest.mark.parametrize("name", POLICIES)
Json = Any

READS = re.compile(r"^[a-z0-9]+:(Describe|Get|List|Simulate)")

NOT_CALLED = {"facts/key_policy.rs", "facts/doctor/key_policy.rs", "facts/doctor/roles.rs"}
"""What of the command line names actions that others take: it writes and judges policies."""

NEEDED: dict[str, set[str]] = {
    "AWS::CloudWatch::Alarm": {
        *(f"cloudwatch:{call}" for call in ("DeleteAlarms", "DescribeAlarms", "PutMetricAlarm")),
        *(f"cloudwatch:{call}" for call in ("ListTagsForResource", "TagResource", "UntagResource")),
    },
    "AWS::CloudWatch::Dashboard": {
        f"cloudwatch:{call}Dashboard{s}" for call, s in (("Delete", "s"), ("Get", ""), ("Put", ""))
    },
    "AWS::EC2::SecurityGroup": {
        *(f"ec2:{call}SecurityGroup" for call in ("Create", "Delete")),
        *(f"ec2:{call}SecurityGroup{way}" for call in ("Authorize", "Revoke") for way in ("Egress", "Ingress")),
        *("ec2:CreateTags", "ec2:DeleteTags", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"),
    },
    "AWS::Events::Rule": {
        *(f"events:{call}Rule" for call in ("Delete", "Describe", "Put")),
        *("events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets"),
        *("events:ListTagsForResource", "events:TagResource", "events:UntagResource"),
        "iam:PassRole",
    },
    "AWS::IAM::Role": {
        *(f"iam:{call}Role" for call in ("Create", "Delete", "Get", "Tag", "Untag", "Update")),
        *(f"iam:{call}RolePolicy" for call in ("Delete", "Get", "Put")),
        *("iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:UpdateAssumeRolePolicy"),
        # With PermissionsBoundaryArn.
        *("iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"),
    },
    "AWS::Lambda::Function": {
        *(f"lambda:{call}Function" for call in ("Create", "Delete", "Get")),
        *(f"lambda:GetFunction{part}" for part in ("CodeSigningConfig", "Configuration", "RecursionConfig")),
        *("lambda:GetRuntimeManagementConfig", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),
        *("lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"),
        *("iam:PassRole", "s3:GetObject"),
        # With SubnetIds.
        *("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    },
    "AWS::Lambda::Permission": {"lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"},
    "AWS::Logs::LogGroup": {
        *(f"logs:{call}LogGroup" for call in ("Create", "Delete")),
        *("logs:DescribeLogGroups", "logs:DeleteRetentionPolicy", "logs:PutRetentionPolicy"),
        *("logs:ListTagsForResource", "logs:TagResource", "logs:UntagResource"),
        # With LogKmsKeyArn.
        *("logs:AssociateKmsKey", "logs:DisassociateKmsKey"),
    },
    "AWS::SNS::Subscription": {
        "sns:GetSubscriptionAttributes",
        "sns:ListSubscriptionsByTopic",
        "sns:Subscribe",
        "sns:Unsubscribe",
    },
    "AWS::SNS::Topic": {
        *(f"sns:{call}Topic" for call in ("Create", "Delete")),
        *("sns:GetDataProtectionPolicy", "sns:GetTopicAttributes", "sns:SetTopicAttributes"),
        *("sns:ListSubscriptionsByTopic", "sns:ListTagsForResource", "sns:TagResource", "sns:UntagResource"),
    },
    "AWS::SNS::TopicPolicy": {"sns:SetTopicAttributes"},
    "AWS::SQS::Queue": {
        *(f"sqs:{call}Queue" for call in ("Create", "Delete", "Tag", "Untag")),
        *("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags", "sqs:SetQueueAttributes"),
    },
    "AWS::SQS::QueuePolicy": {"sqs:SetQueueAttributes"},
    "AWS::StepFunctions::StateMachine": {
        *(f"states:{call}StateMachine" for call in ("Create", "Delete", "Describe", "Update")),
        *("states:ListTagsForResource", "states:TagResource", "states:UntagResource"),
        "iam:PassRole",
        # Its logs: CloudWatch Logs delivers them (Step Functions developer guide, logging).
        *(f"logs:{call}LogDelivery" for call in ("Create", "Delete", "Get", "Update")),
        *("logs:ListLogDeliveries", "logs:DescribeResourcePolicies", "logs:PutResourcePolicy"),
    },
}
"""What CloudFormation calls, as whoever deploys, to create, change and delete a resource of a type: the permissions of
the handlers in its schema. A type that is not here has to be looked up there."""

CALLED: dict[str, set[str]] = {
    # Anybody may ask who they are.
    "sts get-caller-identity": set(),
    "kms describe-key": {"kms:DescribeKey"},
    "cloudformation describe-stacks": {"cloudformation:DescribeStacks"},
    "cloudformation describe-stack-events": {"cloudformation:DescribeStackEvents"},
    "cloudformation deploy": {
        *(f"cloudformation:{call}ChangeSet" for call in ("Create", "Describe", "Execute")),
        *("cloudformation:DescribeStacks", "s3:GetObject", "s3:PutObject"),
    },
    "s3 sync": {"s3:ListBucket", "s3:PutObject"},
    "s3api create-bucket": {"s3:CreateBucket"},
    "s3api get-bucket-location": {"s3:GetBucketLocation"},
    "s3api put-public-access-block": {"s3:PutBucketPublicAccessBlock"},
}
"""What the calls of deploy.sh need."""


def _listed(value: Json) -> list[str]:
    return [value] if isinstance(value, str) else value


def _actions(policy: Json) -> set[str]:
    return {action for statement in policy["Statement"] for action in _listed(statement["Action"])}


def _allows(policy: Json, action: str, resource: str) -> bool:
    return any(
        action in _listed(statement["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in _listed(statement["Resource"]))
        for statement in policy["Statement"]
    )


def _named_by_the_command_line() -> set[str]:
    """The actions that its errors name as what is needed."""
    named: set[str] = set()
    source = ROOT / "cli" / "src"
    for file in source.rglob("*.rs"):
        if file.relative_to(source).as_posix() not in NOT_CALLED:
            services = "cloudformation|cloudwatch|events|iam|kms|rds|sns|ssm|states"
            named |= set(re.findall(rf"\b((?:{services}):[A-Z][A-Za-z0-9]+)", file.read_text()))
    return named


@functools.cache
def _resources() -> dict[str, Json]:
    """Those of both templates as they are released, whatever their conditions."""
    release = script()
    found: dict[str, Json] = {}
    for name in release.TEMPLATES:
        plain = yaml.safe_load(release.flattened(yaml_parse((ROOT / "infra" / name).read_text()), "x86_64"))
        found |= {f"{name} {logical}": resource for logical, resource in plain["Resources"].items()}
    return found


def _needed(types: set[str]) -> set[str]:
    unknown = types - set(NEEDED)
    assert not unknown, f"look up what CloudFormation needs for {sorted(unknown)}, and allow it in deploys.json"
    return set().union(*(NEEDED[one] for one in types))


def test_who_runs_may_do_what_the_command_line_asks_for_and_no_more() -> None:
    assert _actions(POLICIES["runs"]) == _named_by_the_command_line()


def test_who_reads_may_read_all_of_that_and_write_nothing() -> None:
    assert _actions(POLICIES["reads"]) == {one for one in _named_by_the_command_line() if READS.match(one)}
    # The same statements, and behind them those that write.
    reads, runs = POLICIES["reads"]["Statement"], POLICIES["runs"]["Statement"]
    assert runs[: len(reads)] == reads
    for statement in runs[len(reads) :]:
        assert not any(READS.match(action) for action in _listed(statement["Action"])), statement["Sid"]


def test_who_deploys_may_do_what_the_templates_and_the_script_need_and_no_more() -> None:
    types = {resource["Type"] for resource in _resources().values()}
    assert types == set(NEEDED)
    script = (ROOT / "infra" / "deploy.sh").read_text()
    called = set(re.findall(r"\baws (sts|kms|cloudformation|s3|s3api) ([a-z-]+)", script))
    assert {" ".join(one) for one in called} == set(CALLED)
    # A stack is deleted by hand.
    needed = _needed(types) | set().union(*CALLED.values()) | {"cloudformation:DeleteStack"}
    assert _actions(POLICIES["deploys"]) == needed


def test_a_resource_of_another_type_is_noticed() -> None:
    with pytest.raises(AssertionError, match="AWS::S3::Bucket"):
        _needed({"AWS::SQS::Queue", "AWS::S3::Bucket"})


def test_the_names_that_the_templates_give_are_those_that_may_be_deployed() -> None:
    created = {
        "AlarmName": ("cloudwatch:PutMetricAlarm", "arn:aws:cloudwatch:{}:111122223333:alarm:{}"),
        "DashboardName": ("cloudwatch:PutDashboard", "arn:aws:cloudwatch::111122223333:dashboard/{1}"),
        "LogGroupName": ("logs:CreateLogGroup", "arn:aws:logs:{}:111122223333:log-group:{}"),
        "StateMachineName": ("states:CreateStateMachine", "arn:aws:states:{}:111122223333:stateMachine:{}"),
    }
    regions = {"template.yaml": ("eu-west-1", "snapferry"), "destination.yaml": ("eu-central-1", "snapferry-watch")}
    checked = 0
    for place, resource in _resources().items():
        region, stack = regions[place.split()[0]]
        for part, (action, arn) in created.items():
            if value := resource.get("Properties", {}).get(part):
                text = value["Fn::Sub"][0].replace("${Name}", stack).replace("${AWS::Region}", region)
                assert "$" not in text, text
                assert _allows(POLICIES["deploys"], action, arn.format(region, text)), f"{place}: {arn} {text}"
                if part == "StateMachineName":
                    assert _allows(POLICIES["reads"], "states:ListExecutions", arn.format(region, text)), text
                checked += 1
    assert checked > 30
    assert not _allows(POLICIES["deploys"], "iam:CreateRole", "arn:aws:iam::111122223333:role/admin")
    assert _allows(POLICIES["deploys"], "iam:CreateRole", "arn:aws:iam::111122223333:role/snapferry-StartCopyRole-1")


def test_the_rules_and_topics_of_the_policies_are_those_of_the_templates() -> None:
    logical = {place.split()[1] for place in _resources()}
    patterns = [one for statement in POLICIES["runs"]["Statement"] for one in _listed(statement["Resource"])]
    named = {found[1] for one in patterns if (found := re.search(r"snapferry-(?:watch-)?([A-Z]\w+)-\*$", one))}
    assert named == {"AlertsTopic", "DrillRule", "ScheduleRule", "SnapshotReadyRule"}
    assert named <= logical


@EACH
def test_a_policy_can_be_used_as_it_is(name: str) -> None:
    policy = POLICIES[name]
    assert set(policy) == {"Version", "Statement"}
    assert policy["Version"] == "2012-10-17"
    names = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(names)) == len(names)
    for statement in policy["Statement"]:
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        for resource in _listed(statement["Resource"]):
            # The values to replace: account, regions, owner, and the names of the stacks.
            assert set(re.findall(r"\d{12}", resource)) <= {"111122223333"}
            assert set(re.findall(r"\b[a-z]{2}-[a-z]+-\d\b", resource)) <= {"eu-west-1", "eu-central-1"}
        assert statement["Resource"] != "*" or statement["Sid"] in {
            # Actions that know no resource, or a part of them.
            "ChangeSubscriptions",
            "DeliverLogsOfStateMachines",
            "ReadNetwork",
            "ReadOffersAndQuotas",
        }
        assert "*" not in "".join(_listed(statement["Action"]))
    # A managed policy may have 6,144 characters, without spaces (IAM, quotas); regions have longer names.
    assert len(json.dumps(policy, separators=(",", ":"))) < 5_800


@EACH
def test_a_policy_is_explained(name: str) -> None:
    assert f"infra/policies/{name}.json" in (ROOT / "docs" / "operations.md").read_text()
