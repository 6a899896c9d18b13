"""boto3 and the SDK for Rust read the same from the simulator, and the service model knows all that it writes."""

from __future__ import annotations

import json
import threading
import time
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config

from conformance.sdks import Call, Simulator

SOURCE, DESTINATION = "eu-west-1", "eu-central-1"
ACCOUNT = "123456789012"
NAMESPACE = "{http://rds.amazonaws.com/doc/2014-10-31/}"
KEY = f"arn:aws:kms:{DESTINATION}:{ACCOUNT}:key/2222"


def arn(region: str, kind: str, name: str) -> str:
    return f"arn:aws:rds:{region}:{ACCOUNT}:{kind}:{name}"


ORDERS = arn(SOURCE, "snapshot", "rds:orders-2026-11-22-03-00")
SECRET = arn(SOURCE, "snapshot", "rds:secret-2026-11-22-03-00")
BILLING = arn(SOURCE, "cluster-snapshot", "rds:billing-2026-11-22-03-00")


def scenario() -> dict[str, Any]:
    """Something of everything; ids are given, because made ones hold the time."""

    def automated(database: str, **more: Any) -> dict[str, Any]:
        return {"id": f"rds:{database}-2026-11-22-03-00", "type": "automated", "ageHours": 3, **more}

    return {
        # Slow enough that nothing moves during a test.
        "timeScale": 0.001,
        "settings": {
            "deleteSeconds": 0,
            # Databases are ready at the next call, and are deleted for ever.
            "databases": {"restoreSeconds": 0, "memberSeconds": 0, "backupSeconds": 0, "changeSeconds": 0},
        },
        "callers": {
            "operator": None,
            "reader": {
                "arn": f"arn:aws:iam::{ACCOUNT}:role/reader",
                "policies": [
                    {
                        "Version": "2012-10-17",
                        "Statement": [{"Effect": "Allow", "Action": "rds:Describe*", "Resource": "*"}],
                    }
                ],
            },
        },
        "regions": {
            SOURCE: {
                "kmsKeys": [{"id": "1111", "aliases": ["alias/databases"]}],
                "optionGroups": [
                    {
                        "name": "audited",
                        "engine": "mysql",
                        "majorEngineVersion": "8.4",
                        "options": [{"name": "MARIADB_AUDIT_PLUGIN"}],
                    },
                    *({"name": f"group-{number:02}", "engine": "mariadb"} for number in range(25)),
                ],
                "instances": [
                    {
                        "id": "orders",
                        "multiAz": True,
                        "tags": {"team": "shop & <co>", "empty": ""},
                        "snapshots": [automated("orders", tags={"aws:x": "1"}), {"id": "by-hand", "ageHours": 9}],
                    },
                    {
                        "id": "secret",
                        "kmsKey": "1111",
                        "storageType": "io2",
                        "iops": 3000,
                        "storageThroughput": 500,
                        "maxAllocatedStorage": 900,
                        "enabledCloudwatchLogsExports": ["postgresql"],
                        "awsBackupRecoveryPointArn": "arn:aws:backup:eu-west-1:123456789012:recovery-point:x",
                        "replicaOf": "orders",
                        "snapshots": [automated("secret")],
                    },
                    {
                        "id": "oracle",
                        "engine": "oracle-ee",
                        "permanentOptions": ["Timezone"],
                        "snapshots": [automated("oracle")],
                    },
                    *({"id": f"instance-{number:02}"} for number in range(25)),
                ],
                "clusters": [
                    {"id": "billing", "members": 2, "globalCluster": "world", "snapshots": [automated("billing")]},
                    {"id": "new", "storageEncryptionType": "sse-rds", "snapshots": [automated("new")]},
                    {"id": "zones", "engine": "mysql", "members": 3, "snapshots": [automated("zones")]},
                    {"id": "limitless", "clusterScalabilityType": "limitless"},
                    {"id": "documents", "engine": "docdb", "globalCluster": "archive"},
                ],
            },
            DESTINATION: {
                "kmsKeys": [
                    {"id": "2222", "aliases": ["alias/copies"]},
                    {"id": "mrk-3333", "state": "PendingDeletion"},
                    {"id": "signing", "keyUsage": "SIGN_VERIFY"},
                ],
                "optionGroups": [
                    {
                        "name": "copies-tz",
                        "engine": "oracle-ee",
                        "majorEngineVersion": "19",
                        "options": [{"name": "Timezone", "permanent": True}, {"name": "OEM", "persistent": True}],
                    },
                    {"name": "copies-plain", "engine": "oracle-ee"},
                ],
                "clusters": [{"id": "world-reader", "globalCluster": "world", "globalWriter": False}],
                "copySlots": {"instances": 3, "clusters": 1},
                "manualSnapshotQuota": {"instances": 6, "clusters": 3},
                "databaseQuota": {"instances": 3, "clusters": 2},
                "subnetGroups": [
                    {"name": "drills", "vpc": "vpc-1", "availabilityZones": [f"{DESTINATION}a"]},
                    {"name": "far", "availabilityZones": [f"{DESTINATION}d"]},
                ],
                "parameterGroups": [
                    {"kind": "instance", "name": "tuned", "family": "postgres17"},
                    {"kind": "cluster", "name": "tuned-c", "family": "aurora-postgresql17"},
                ],
                "snapshots": [
                    {"kind": "instance", "id": "acme-old", "ageHours": 30, "sourceArn": ORDERS, "tags": {"a": "b"}},
                    {"kind": "instance", "id": "acme-going", "percent": 40, "sourceArn": SECRET},
                    {"kind": "cluster", "id": "acme-billing", "ageHours": 30, "sourceArn": BILLING},
                ],
            },
        },
    }


def calls() -> list[Call]:
    """Every operation, where it succeeds and where it does not."""

    def filtered(name: str, *values: str) -> dict[str, Any]:
        return {"Filters": [{"Name": name, "Values": list(values)}]}

    def copy(source: str, target: str, region: str = DESTINATION, **more: Any) -> Call:
        return Call(
            "CopyDBSnapshot",
            region,
            {"SourceDBSnapshotIdentifier": source, "TargetDBSnapshotIdentifier": target, **more},
        )

    def copy_cluster(source: str, target: str, **more: Any) -> Call:
        return Call(
            "CopyDBClusterSnapshot",
            DESTINATION,
            {"SourceDBClusterSnapshotIdentifier": source, "TargetDBClusterSnapshotIdentifier": target, **more},
        )

    def key(identifier: str, access_key: str = "operator") -> Call:
        return Call("DescribeKey", DESTINATION, {"KeyId": identifier}, access_key, service="kms")

    def restore(name: str, **more: Any) -> Call:
        given = {"DBInstanceIdentifier": name, "DBSnapshotIdentifier": "acme-old", **more}
        return Call("RestoreDBInstanceFromDBSnapshot", DESTINATION, given)

    def restore_cluster(name: str, **more: Any) -> Call:
        given = {"DBClusterIdentifier": name, "SnapshotIdentifier": "acme-billing", "Engine": "aurora-postgresql"}
        return Call("RestoreDBClusterFromSnapshot", DESTINATION, {**given, **more})

    def member(name: str, cluster: str) -> Call:
        given = {"DBInstanceIdentifier": name, "DBClusterIdentifier": cluster, "DBInstanceClass": "db.r6g.large"}
        return Call(
            "CreateDBInstance", DESTINATION, {**given, "Engine": "aurora-postgresql", "PubliclyAccessible": False}
        )

    def delete(kind: str, name: str, access_key: str = "operator", **more: Any) -> Call:
        given = {f"{kind}Identifier": name, "SkipFinalSnapshot": True, **more}
        return Call(f"Delete{kind}", DESTINATION, given, access_key)

    def described(operation: str, **given: Any) -> Call:
        return Call(f"Describe{operation}", DESTINATION, given)

    network: dict[str, Any] = {"DBSubnetGroupName": "drills", "VpcSecurityGroupIds": ["sg-1", "sg-2"]}
    databases = [
        restore("drill-1", **network, PubliclyAccessible=False, Tags=[{"Key": "drill", "Value": "acme"}]),
        restore("drill-1"),
        restore("drill-2", DBSubnetGroupName="nothing"),
        restore("drill-2", DBSubnetGroupName="far"),
        restore("drill-2", DBParameterGroupName="nothing"),
        restore_cluster("drill-c", **network),
        restore_cluster("drill-d"),
        member("drill-c-1", "drill-c"),
        member("drill-c-2", "drill-c"),
        member("drill-d-1", "drill-d"),
        Call("ModifyDBInstance", DESTINATION, {"DBInstanceIdentifier": "drill-1", "ManageMasterUserPassword": True}),
        Call("ModifyDBCluster", DESTINATION, {"DBClusterIdentifier": "drill-c", "ManageMasterUserPassword": True}),
        described("DBInstances"),
        described("DBClusters"),
        described("DBSubnetGroups"),
        described("DBSubnetGroups", DBSubnetGroupName="drills"),
        described("DBSubnetGroups", DBSubnetGroupName="nothing"),
        described("DBParameterGroups"),
        described("DBParameterGroups", DBParameterGroupName="nothing"),
        described("DBClusterParameterGroups", DBClusterParameterGroupName="tuned-c"),
        described("DBClusterParameterGroups", DBClusterParameterGroupName="tuned"),
        described("DBInstanceAutomatedBackups", DBInstanceIdentifier="drill-1"),
        described("DBInstanceAutomatedBackups", **filtered("status", "retained")),
        described("DBClusterAutomatedBackups"),
        described("Events", SourceType="db-instance", SourceIdentifier="drill-1", Duration=20),
        described("Events", EventCategories=["creation"]),
        described("Events", SourceIdentifier="drill-1"),
        delete("DBCluster", "drill-c"),
        delete("DBInstance", "drill-c-1", DeleteAutomatedBackups=True),
        delete("DBCluster", "drill-c"),
        delete("DBCluster", "drill-c"),
        delete("DBInstance", "drill-1", access_key="reader"),
        delete("DBInstance", "drill-1", FinalDBSnapshotIdentifier="last"),
        delete("DBInstance", "drill-1"),
        delete("DBInstance", "drill-1"),
        delete("DBInstance", "nothing"),
        described("DBInstances"),
    ]
    given = {"MasterUsername": "somebody", "MasterUserPassword": "something", "Tags": [{"Key": "run", "Value": "7"}]}
    group = {"DBSubnetGroupName": "made", "DBSubnetGroupDescription": "Made.", "SubnetIds": ["subnet-1", "subnet-2"]}
    begun = {"DBInstanceIdentifier": "begun", "DBInstanceClass": "db.t4g.micro", "Engine": "postgres", **given}
    created = [
        Call("CreateDBSubnetGroup", SOURCE, group),
        Call("CreateDBSubnetGroup", SOURCE, group),
        Call("CreateDBSubnetGroup", SOURCE, {**group, "DBSubnetGroupName": "short", "SubnetIds": ["subnet-1"]}),
        Call("CreateDBInstance", SOURCE, begun),
        Call("CreateDBInstance", SOURCE, {**begun, "AllocatedStorage": 20, "DBSubnetGroupName": "made"}),
        Call("CreateDBCluster", SOURCE, {"DBClusterIdentifier": "begun", "Engine": "aurora-postgresql", **given}),
        Call("CreateDBCluster", SOURCE, {"DBClusterIdentifier": "begun", "Engine": "aurora-postgresql", **given}),
        Call("DescribeDBInstances", SOURCE, {"DBInstanceIdentifier": "begun"}),
        Call("DescribeDBClusters", SOURCE, {"DBClusterIdentifier": "begun"}),
        Call("ListTagsForResource", SOURCE, {"ResourceName": arn(SOURCE, "subgrp", "made")}),
        Call("DeleteDBSubnetGroup", SOURCE, {"DBSubnetGroupName": "made"}),
        Call("CreateDBSubnetGroup", SOURCE, {**group, "DBSubnetGroupName": "idle"}),
        Call("DeleteDBSubnetGroup", SOURCE, {"DBSubnetGroupName": "idle"}),
        Call("DeleteDBSubnetGroup", SOURCE, {"DBSubnetGroupName": "idle"}),
    ]
    oracle = arn(SOURCE, "snapshot", "rds:oracle-2026-11-22-03-00")
    ours, theirs = {"Key": "snapferry:owner", "Value": "eu-west-1/acme"}, {"Key": "Größe", "Value": "a b+c=d"}
    tags: dict[str, Any] = {"Tags": [ours, theirs]}
    copied = arn(DESTINATION, "snapshot", "acme-orders")
    return [
        Call("DescribeDBInstances", SOURCE, {}),
        Call("DescribeDBInstances", SOURCE, {"MaxRecords": 20}),
        Call("DescribeDBInstances", SOURCE, {"MaxRecords": 7}),
        Call("DescribeDBInstances", SOURCE, {"Marker": "nonsense"}),
        Call("DescribeDBInstances", SOURCE, {"DBInstanceIdentifier": "orders"}),
        Call("DescribeDBInstances", SOURCE, {"DBInstanceIdentifier": "nothing"}),
        Call("DescribeDBInstances", SOURCE, filtered("db-cluster-id", "billing", "zones")),
        Call("DescribeDBInstances", SOURCE, filtered("status", "available")),
        Call("DescribeDBInstances", DESTINATION, {}),
        Call("DescribeDBInstances", SOURCE, {}, access_key="unknown"),
        Call("DescribeDBClusters", SOURCE, {}),
        Call("DescribeDBClusters", SOURCE, {"DBClusterIdentifier": arn(SOURCE, "cluster", "billing")}),
        Call("DescribeDBClusters", SOURCE, {"DBClusterIdentifier": "nothing"}),
        Call("DescribeDBClusters", SOURCE, filtered("engine", "mysql")),
        Call("DescribeDBSnapshots", SOURCE, {}),
        Call("DescribeDBSnapshots", SOURCE, {"SnapshotType": "automated"}, access_key="reader"),
        Call("DescribeDBSnapshots", SOURCE, {"SnapshotType": "wrong"}),
        Call("DescribeDBSnapshots", SOURCE, {"DBInstanceIdentifier": "orders"}),
        Call("DescribeDBSnapshots", SOURCE, {"DBSnapshotIdentifier": "by-hand", "IncludeShared": True}),
        Call("DescribeDBSnapshots", SOURCE, {"DBSnapshotIdentifier": "rds:orders-2026-11-22-03-00"}),
        Call("DescribeDBSnapshots", DESTINATION, {"DBInstanceIdentifier": "orders"}),
        Call("DescribeDBSnapshots", DESTINATION, filtered("db-instance-id", "orders", "secret")),
        Call("DescribeDBClusterSnapshots", SOURCE, {}),
        Call("DescribeDBClusterSnapshots", SOURCE, {"DBClusterIdentifier": "billing", "SnapshotType": "automated"}),
        Call("DescribeDBClusterSnapshots", SOURCE, {"DBClusterSnapshotIdentifier": "nothing"}),
        Call("DescribeDBClusterSnapshots", DESTINATION, filtered("db-cluster-id", "billing")),
        Call("DescribeAccountAttributes", DESTINATION, {}),
        Call("DescribeOptionGroups", SOURCE, {}),
        Call("DescribeOptionGroups", SOURCE, {"MaxRecords": 20}),
        Call("DescribeOptionGroups", SOURCE, {"EngineName": "mysql", "MajorEngineVersion": "8.4"}),
        Call("DescribeOptionGroups", SOURCE, {"EngineName": "mysql", "OptionGroupName": "audited"}),
        Call("DescribeOptionGroups", DESTINATION, {"OptionGroupName": "copies-tz"}, access_key="reader"),
        Call("DescribeOptionGroups", DESTINATION, {"OptionGroupName": "default:oracle-ee-19"}),
        Call("DescribeOptionGroups", DESTINATION, {"OptionGroupName": "nothing"}),
        Call("DescribeGlobalClusters", SOURCE, {}, access_key="reader"),
        Call("DescribeGlobalClusters", SOURCE, {}, access_key="unknown"),
        Call("DescribeGlobalClusters", DESTINATION, {"GlobalClusterIdentifier": "world"}),
        Call("DescribeGlobalClusters", DESTINATION, {"GlobalClusterIdentifier": "nothing"}),
        Call("DescribeGlobalClusters", SOURCE, filtered("region", DESTINATION)),
        Call("DescribeOrderableDBInstanceOptions", SOURCE, {"Engine": "postgres"}),
        Call("DescribeOrderableDBInstanceOptions", SOURCE, {"Engine": "postgres", "MaxRecords": 20}),
        Call(
            "DescribeOrderableDBInstanceOptions",
            DESTINATION,
            {"Engine": "aurora-mysql", "EngineVersion": "8.0", "DBInstanceClass": "db.r6g.large", "Vpc": True},
            access_key="reader",
        ),
        Call("DescribeOrderableDBInstanceOptions", SOURCE, {"Engine": "mysql", "DBInstanceClass": "db.m1.small"}),
        *databases,
        key("2222"),
        key(KEY),
        key("alias/copies"),
        key(f"arn:aws:kms:{DESTINATION}:{ACCOUNT}:alias/copies"),
        key("alias/aws/rds"),
        key("mrk-3333"),
        key("signing"),
        key("4444"),
        key("alias/nothing"),
        key(f"arn:aws:kms:{SOURCE}:{ACCOUNT}:key/1111"),
        key("arn:aws:kms:nowhere"),
        key("2222", access_key="reader"),
        key("2222", access_key="unknown"),
        copy(ORDERS, "acme-orders", **tags),
        copy(ORDERS, "acme-orders"),
        copy(ORDERS, "acme--orders"),
        copy(ORDERS, "acme-tags", CopyTags=True),
        copy(ORDERS, "acme-reserved", Tags=[{"Key": "k", "Value": "rds:orders"}]),
        copy(SECRET, "acme-secret"),
        copy(SECRET, "acme-secret", KmsKeyId="alias/nothing"),
        copy(SECRET, "acme-secret", KmsKeyId=KEY),
        copy(oracle, "acme-oracle"),
        copy(oracle, "acme-oracle", OptionGroupName="copies-plain"),
        copy(oracle, "acme-oracle", OptionGroupName="nothing"),
        copy(ORDERS, "acme-oracle", OptionGroupName="copies-tz"),
        copy(oracle, "oracle-2", region=SOURCE, OptionGroupName="oracle-options"),
        copy(arn(SOURCE, "snapshot", "nothing"), "acme-nothing"),
        copy(SECRET, "acme-one-too-many", KmsKeyId=KEY),
        copy("by-hand", "by-hand-2", region=SOURCE, CopyTags=True),
        copy_cluster(BILLING, "acme-billing-2", **tags),
        copy_cluster(BILLING, "acme-billing-2"),
        copy_cluster(BILLING, "acme-billing-3"),
        copy_cluster(BILLING, "acme-billing-4", KmsKeyId=KEY),
        copy_cluster(arn(SOURCE, "cluster-snapshot", "rds:new-2026-11-22-03-00"), "acme-new"),
        copy_cluster(arn(SOURCE, "cluster-snapshot", "rds:zones-2026-11-22-03-00"), "acme-zones"),
        Call("AddTagsToResource", DESTINATION, {"ResourceName": copied, "Tags": [{"Key": "v", "Value": "1"}]}),
        Call("AddTagsToResource", DESTINATION, {"ResourceName": copied, "Tags": [{"Key": "aws:v", "Value": "1"}]}),
        Call(
            "AddTagsToResource",
            DESTINATION,
            {"ResourceName": copied, "Tags": [{"Key": "v", "Value": "2"}]},
            access_key="reader",
        ),
        Call("RemoveTagsFromResource", DESTINATION, {"ResourceName": copied, "TagKeys": ["Größe", "never"]}),
        Call("ListTagsForResource", DESTINATION, {"ResourceName": copied}),
        Call("ListTagsForResource", DESTINATION, {"ResourceName": copied + "x"}),
        Call("CreateDBSnapshot", SOURCE, {"DBSnapshotIdentifier": "made", "DBInstanceIdentifier": "orders", **tags}),
        Call("CreateDBSnapshot", SOURCE, {"DBSnapshotIdentifier": "made", "DBInstanceIdentifier": "orders"}),
        Call(
            "CreateDBClusterSnapshot",
            SOURCE,
            {"DBClusterSnapshotIdentifier": "made", "DBClusterIdentifier": "billing"},
        ),
        Call("DeleteDBSnapshot", DESTINATION, {"DBSnapshotIdentifier": "acme-going"}),
        Call("DeleteDBSnapshot", DESTINATION, {"DBSnapshotIdentifier": "acme-going"}),
        Call("DeleteDBSnapshot", SOURCE, {"DBSnapshotIdentifier": "rds:orders-2026-11-22-03-00"}),
        Call("DeleteDBSnapshot", DESTINATION, {"DBSnapshotIdentifier": "acme-old"}, access_key="reader"),
        Call("DeleteDBClusterSnapshot", DESTINATION, {"DBClusterSnapshotIdentifier": "acme-billing"}),
        Call("DeleteDBClusterSnapshot", SOURCE, {"DBClusterSnapshotIdentifier": "rds:billing-2026-11-22-03-00"}),
        Call("DescribeDBSnapshots", DESTINATION, {"SnapshotType": "manual"}),
        Call("DescribeDBClusterSnapshots", DESTINATION, {"SnapshotType": "manual"}),
        Call("DescribeAccountAttributes", DESTINATION, {}),
        *created,
    ]


def test_boto3_and_the_sdk_for_rust_read_the_same_from_the_same_calls(simulator: Simulator) -> None:
    simulator.seed(scenario())
    by_boto3 = simulator.by_boto3(calls())
    simulator.seed(scenario())
    by_rust = simulator.by_rust(calls())
    assert len(by_boto3) == len(by_rust) == len(calls())
    for call, one, other in zip(calls(), by_boto3, by_rust, strict=True):
        assert one == other, call


def test_the_calls_reach_every_operation_and_every_outcome_that_is_meant(simulator: Simulator) -> None:
    simulator.seed(scenario())
    outcomes = simulator.by_boto3(calls())
    succeeded = {call.operation for call, outcome in zip(calls(), outcomes, strict=True) if "output" in outcome}
    assert len(succeeded) == 34, succeeded
    assert {outcome["error"]["code"] for outcome in outcomes if "error" in outcome} == {
        "AccessDenied",
        "AccessDeniedException",
        "DBClusterAlreadyExistsFault",
        "DBClusterNotFoundFault",
        "DBClusterQuotaExceededFault",
        "DBClusterSnapshotAlreadyExistsFault",
        "DBClusterSnapshotNotFoundFault",
        "DBInstanceAlreadyExists",
        "DBInstanceNotFound",
        "DBParameterGroupNotFound",
        "DBSnapshotAlreadyExists",
        "DBSnapshotNotFound",
        "DBSubnetGroupAlreadyExists",
        "DBSubnetGroupDoesNotCoverEnoughAZs",
        "DBSubnetGroupNotFoundFault",
        "GlobalClusterNotFoundFault",
        "InstanceQuotaExceeded",
        "InvalidArnException",
        "InvalidDBClusterSnapshotStateFault",
        "InvalidDBClusterStateFault",
        "InvalidDBInstanceState",
        "InvalidDBSnapshotState",
        "InvalidDBSubnetGroupStateFault",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "KMSKeyNotAccessibleFault",
        "NotFoundException",
        "OptionGroupNotFoundFault",
        "SnapshotQuotaExceeded",
    }


def test_paginators_tell_everything_once(simulator: Simulator) -> None:
    simulator.seed(scenario())
    client = boto3.client(
        "rds", region_name=SOURCE, endpoint_url=simulator.url, aws_access_key_id="operator", aws_secret_access_key="x"
    )
    pages = client.get_paginator("describe_db_instances").paginate(PaginationConfig={"PageSize": 20})
    ids = [instance["DBInstanceIdentifier"] for page in pages for instance in page["DBInstances"]]
    assert len(ids) == len(set(ids)) == 28 + 2 + 1 + 3 + 1 + 1
    pages = client.get_paginator("describe_option_groups").paginate(PaginationConfig={"PageSize": 20})
    names = [group["OptionGroupName"] for page in pages for group in page["OptionGroupsList"]]
    assert len(names) == len(set(names)) == 26 + 1 + 4, names
    clusters = client.get_paginator("describe_global_clusters").paginate()
    assert {cluster["GlobalClusterIdentifier"] for page in clusters for cluster in page["GlobalClusters"]} == {
        "archive",
        "world",
    }


def check(element: ElementTree.Element, shape: Any, path: str) -> None:
    """An element and all below it are as the service model has them."""
    children = [(child.tag.removeprefix(NAMESPACE), child) for child in element]
    text = element.text or ""
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        names = [name for name, _ in children]
        assert len(names) == len(set(names)), f"{path} has a member twice"
        for name, child in children:
            assert name in members, f"{path} has no member {name}"
            check(child, members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        expected = shape.member.serialization.get("name", "member")
        for name, child in children:
            assert name == expected, f"{path} holds {name}, not {expected}"
            check(child, shape.member, f"{path}[]")
    else:
        assert not children, f"{path} is not a structure"
        if shape.type_name in ("integer", "long"):
            int(text)
        elif shape.type_name == "boolean":
            assert text in ("true", "false"), path
        elif shape.type_name == "timestamp":
            datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


def flat(prefix: str, value: Any, shape: Any) -> dict[str, str]:
    """Parameters as the Query protocol sends them."""
    if shape.type_name == "structure":
        parts = [flat(f"{prefix}.{name}".lstrip("."), part, shape.members[name]) for name, part in value.items()]
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        parts = [flat(f"{prefix}.{name}.{number}", part, shape.member) for number, part in enumerate(value, 1)]
    else:
        return {prefix: str(value).lower() if isinstance(value, bool) else str(value)}
    return {name: text for part in parts for name, text in part.items()}


def test_every_element_of_every_reply_is_in_the_service_model(simulator: Simulator) -> None:
    simulator.seed(scenario())
    model = botocore.session.get_session().get_service_model("rds")
    for call in calls():
        if call.access_key != "operator" or call.service != "rds":
            continue
        operation = model.operation_model(call.operation)
        parameters = flat("", call.input, operation.input_shape)
        status, body = simulator.raw(call.region, {"Action": call.operation, **parameters})
        root = ElementTree.fromstring(body)
        if status != 200:
            error = root.find(f"{NAMESPACE}Error")
            assert error is not None
            assert root.find(f"{NAMESPACE}RequestId") is not None
            code = error.findtext(f"{NAMESPACE}Code")
            for fault in operation.error_shapes:
                if fault.metadata["error"]["code"] == code:
                    assert fault.metadata["error"]["httpStatusCode"] == status, (code, status)
                    break
            else:
                # Codes that any operation may have.
                generic = {"InvalidParameterValue", "InvalidParameterCombination"}
                # A user of the copy has seen this one, and the model has it for other operations.
                if call.operation == "CopyDBSnapshot":
                    generic.add("OptionGroupNotFoundFault")
                assert code in generic, f"{call.operation} has no error {code}"
            continue
        assert root.tag == f"{NAMESPACE}{call.operation}Response"
        if operation.output_shape is None:
            continue
        result = root.find(f"{NAMESPACE}{call.operation}Result")
        if result is not None and operation.output_shape.members:
            check(result, operation.output_shape, call.operation)


def test_every_member_of_what_kms_says_is_in_its_service_model(simulator: Simulator) -> None:
    simulator.seed(scenario())
    operation = botocore.session.get_session().get_service_model("kms").operation_model("DescribeKey")
    shape: Any = operation.output_shape.members["KeyMetadata"]
    seen = set()
    for call in calls():
        if call.service != "kms" or call.access_key != "operator":
            continue
        status, body = simulator.raw_kms(call.region, call.operation, call.input)
        reply = json.loads(body)
        if status != 200:
            assert status == 400, reply
            assert reply["__type"] in {error.name for error in operation.error_shapes}
            continue
        assert set(reply) == {"KeyMetadata"}
        for name, value in reply["KeyMetadata"].items():
            member = shape.members[name]
            values = value if member.type_name == "list" else [value]
            enum = getattr(getattr(member, "member", member), "enum", None)
            assert isinstance(value, {"boolean": bool, "string": str, "list": list}[member.type_name]), name
            assert not enum or set(values) <= set(enum), (name, value)
            seen.add((name, str(value)))
    assert {("KeyState", "PendingDeletion"), ("KeyUsage", "SIGN_VERIFY"), ("KeyManager", "AWS")} <= seen


def test_a_key_and_an_option_group_can_be_changed_between_two_calls(simulator: Simulator) -> None:
    simulator.seed(scenario())

    def state() -> str:
        [reply] = simulator.by_boto3([Call("DescribeKey", DESTINATION, {"KeyId": "alias/copies"}, service="kms")])
        return reply["output"]["KeyMetadata"]["KeyState"] if "output" in reply else reply["error"]["code"]

    key = {"region": DESTINATION, "key": "alias/copies"}
    assert state() == "Enabled"
    simulator.control("POST", "key-state", {**key, "state": "Disabled"})
    assert state() == "Disabled"
    simulator.control("POST", "delete-key", key)
    assert state() == "NotFoundException"
    group = Call("DescribeOptionGroups", DESTINATION, {"OptionGroupName": "copies-tz"})
    simulator.control("POST", "delete-option-group", {"region": DESTINATION, "name": "copies-tz"})
    assert simulator.by_boto3([group])[0]["error"]["code"] == "OptionGroupNotFoundFault"


def test_the_url_that_boto3_signs_for_govcloud_is_taken(simulator: Simulator) -> None:
    west, east = "us-gov-west-1", "us-gov-east-1"
    secret = {"id": "secret", "kmsKey": "1111", "snapshots": [{"id": "secret", "type": "manual"}]}
    simulator.seed(
        {
            "regions": {
                west: {"kmsKeys": [{"id": "1111"}], "instances": [secret], "clusters": [secret]},
                east: {"kmsKeys": [{"id": "2222"}]},
            }
        }
    )

    def copy(cluster: bool, **more: str) -> Any:
        kind, resource = ("DBCluster", "cluster-snapshot") if cluster else ("DB", "snapshot")
        source = f"arn:aws-us-gov:rds:{west}:{ACCOUNT}:{resource}:secret"
        identifiers = {f"Source{kind}SnapshotIdentifier": source, f"Target{kind}SnapshotIdentifier": "copy"}
        call = Call(f"Copy{kind}Snapshot", east, {**identifiers, "KmsKeyId": "2222", **more})
        return simulator.by_boto3([call])[0]

    for cluster in (False, True):
        assert "pre-signed url must be specified" in copy(cluster)["error"]["message"]
        assert "output" in copy(cluster, SourceRegion=west)


def client(simulator: Simulator, attempts: int, **more: Any) -> Any:
    return boto3.client(
        "rds",
        region_name=SOURCE,
        endpoint_url=simulator.url,
        aws_access_key_id="operator",
        aws_secret_access_key="x",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}, **more),
    )


@pytest.mark.parametrize("action", ["throttle", "dropReply", {"status": 503}])
def test_a_client_retries_what_is_throttled_dropped_or_unavailable(simulator: Simulator, action: Any) -> None:
    simulator.seed(scenario())
    simulator.control("POST", "faults", {"operation": "DescribeDBClusters", "times": 1, "action": action})
    assert len(client(simulator, attempts=3).describe_db_clusters()["DBClusters"]) == 5
    assert simulator.control("GET", "counters")["calls"]["DescribeDBClusters"][SOURCE] == 2


def test_a_held_reply_waits_for_its_release_and_a_caller_that_leaves_is_noticed(simulator: Simulator) -> None:
    simulator.seed(scenario())
    hold = simulator.control("POST", "holds", {"operation": "AddTagsToResource"})["hold"]
    name = arn(SOURCE, "snapshot", "by-hand")

    def waiting() -> int:
        return simulator.control("GET", "holds")[0]["waiting"]

    def wait_for(count: int) -> None:
        deadline = time.monotonic() + 10
        while waiting() != count:
            assert time.monotonic() < deadline, waiting()
            time.sleep(0.02)

    impatient = client(simulator, attempts=1, read_timeout=0.3)
    with pytest.raises(Exception, match=r"[Tt]imeout"):
        impatient.add_tags_to_resource(ResourceName=name, Tags=[{"Key": "a", "Value": "1"}])
    wait_for(0)
    patient = threading.Thread(
        target=client(simulator, attempts=1).add_tags_to_resource,
        kwargs={"ResourceName": name, "Tags": [{"Key": "b", "Value": "2"}]},
    )
    patient.start()
    wait_for(1)
    tags = client(simulator, attempts=1).list_tags_for_resource(ResourceName=name)["TagList"]
    assert {tag["Key"] for tag in tags} == {"a", "b"}, "the effect does not wait"
    assert patient.is_alive()
    simulator.control("DELETE", f"holds/{hold}")
    patient.join(timeout=10)
    assert not patient.is_alive()


def test_a_late_reply_is_late_and_others_are_not(simulator: Simulator) -> None:
    simulator.seed(scenario())
    simulator.control("POST", "faults", {"operation": "DescribeDBClusters", "action": {"delaySeconds": 0.5}})
    started = time.monotonic()
    client(simulator, attempts=1).describe_db_instances()
    assert time.monotonic() - started < 0.4
    client(simulator, attempts=1).describe_db_clusters()
    assert time.monotonic() - started > 0.5
