//! What a restore asks of its caller (facts 2, A7): every statement has a twin that lacks it.

use serde_json::{Value, json};

use crate::harness::{DESTINATION, Harness};

const RDS: &str = "arn:aws:rds:eu-central-1:123456789012";

fn world(databases: &Value) -> Harness {
    let owned = json!({ "owner": "acme" });
    Harness::new(
        json!({ "settings": { "databases": databases }, "regions": { DESTINATION: {
        "kmsKeys": [{ "id": "copies" }],
        "instances": [{ "id": "a" }],
        "clusters": [{ "id": "c", "engine": "aurora-postgresql" }],
        "snapshots": [
            { "kind": "instance", "id": "one", "database": "a", "ageHours": 9, "kmsKey": "copies", "tags": owned },
            { "kind": "instance", "id": "other", "database": "a", "ageHours": 9, "kmsKey": "copies" },
            { "kind": "cluster", "id": "two", "database": "c", "ageHours": 9, "tags": owned }
        ]
    } } }),
    )
}

/// The statements of a role for drills, by name.
fn statements() -> Vec<(&'static str, Value)> {
    let own = json!({ "aws:RequestTag/drill": "acme" });
    let restores = json!([
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:RestoreDBClusterFromSnapshot"
    ]);
    let all = json!([
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:RestoreDBClusterFromSnapshot",
        "rds:CreateDBInstance"
    ]);
    let with = |resource_type: &str, name: &str| json!({ "Effect": "Allow", "Action": all, "Resource": format!("{RDS}:{resource_type}:{name}") });
    vec![
        (
            "instances",
            json!({ "Effect": "Allow", "Action": ["rds:RestoreDBInstanceFromDBSnapshot", "rds:CreateDBInstance"],
                    "Resource": format!("{RDS}:db:acme-drill-*"),
                    "Condition": { "StringEquals": own, "Bool": { "rds:PubliclyAccessible": "false" } } }),
        ),
        (
            "clusters",
            json!({ "Effect": "Allow", "Action": "rds:RestoreDBClusterFromSnapshot",
                    "Resource": format!("{RDS}:cluster:acme-drill-*"), "Condition": { "StringEquals": own } }),
        ),
        (
            "snapshots",
            json!({ "Effect": "Allow", "Action": restores,
                    "Resource": [format!("{RDS}:snapshot:*"), format!("{RDS}:cluster-snapshot:*")],
                    "Condition": { "StringEquals": { "aws:ResourceTag/owner": "acme" } } }),
        ),
        ("og", with("og", "*")),
        ("pg", with("pg", "*")),
        ("cluster-pg", with("cluster-pg", "*")),
        ("subgrp", with("subgrp", "drills")),
        (
            "its cluster",
            json!({ "Effect": "Allow", "Action": "rds:CreateDBInstance",
                    "Resource": format!("{RDS}:cluster:acme-drill-*"),
                    "Condition": { "StringEquals": { "aws:ResourceTag/drill": "acme" } } }),
        ),
        (
            "tags",
            json!({ "Effect": "Allow", "Action": "rds:AddTagsToResource",
                    "Resource": [format!("{RDS}:db:acme-drill-*"), format!("{RDS}:cluster:acme-drill-*")],
                    "Condition": { "StringEquals": own } }),
        ),
        (
            "describe key",
            json!({ "Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*" }),
        ),
        (
            "grant",
            json!({ "Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*",
                    "Condition": { "Bool": { "kms:GrantIsForAWSResource": "true" },
                                   "StringEquals": { "kms:ViaService": "rds.eu-central-1.amazonaws.com" } } }),
        ),
        (
            "decrypt",
            json!({ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*" }),
        ),
    ]
}

fn without(name: &str) -> Value {
    statements()
        .into_iter()
        .filter(|(statement, _)| *statement != name)
        .map(|(_, statement)| statement)
        .collect()
}

const TAGS: [(&str, &str); 2] = [("Tags.Tag.1.Key", "drill"), ("Tags.Tag.1.Value", "acme")];
const INSTANCE: [(&str, &str); 6] = [
    ("DBInstanceIdentifier", "acme-drill-1"),
    ("DBSnapshotIdentifier", "one"),
    ("DBSubnetGroupName", "drills"),
    ("PubliclyAccessible", "false"),
    TAGS[0],
    TAGS[1],
];
const CLUSTER: [(&str, &str); 6] = [
    ("DBClusterIdentifier", "acme-drill-c"),
    ("SnapshotIdentifier", "two"),
    ("Engine", "aurora-postgresql"),
    ("DBSubnetGroupName", "drills"),
    TAGS[0],
    TAGS[1],
];
const MEMBER: [(&str, &str); 7] = [
    ("DBInstanceIdentifier", "acme-drill-c-1"),
    ("DBClusterIdentifier", "acme-drill-c"),
    ("DBInstanceClass", "db.r6g.large"),
    ("Engine", "aurora-postgresql"),
    ("PubliclyAccessible", "false"),
    TAGS[0],
    TAGS[1],
];

/// What becomes of a restore of each kind, and of a member, for a caller without one of the statements.
fn outcomes(missing: &str) -> [String; 3] {
    let mut lab = world(&json!({}));
    lab.allow("start-restore", &without(missing));
    let mut code = |action: &str, parameters: &[(&str, &str)]| {
        let (response, _) = lab.response(DESTINATION, action, parameters);
        crate::harness::values(&response.body, "Code").concat()
    };
    let instance = code("RestoreDBInstanceFromDBSnapshot", &INSTANCE);
    let cluster = code("RestoreDBClusterFromSnapshot", &CLUSTER);
    if !cluster.is_empty() {
        // So that there is a cluster to make a member of.
        "operator".clone_into(&mut lab.caller);
        lab.ok(DESTINATION, "RestoreDBClusterFromSnapshot", &CLUSTER);
        "start-restore".clone_into(&mut lab.caller);
    }
    lab.advance(900);
    let (response, _) = lab.response(DESTINATION, "CreateDBInstance", &MEMBER);
    [
        instance,
        cluster,
        crate::harness::values(&response.body, "Code").concat(),
    ]
}

#[test]
fn every_statement_is_needed_by_what_it_is_for() {
    const DENIED: &str = "AccessDenied";
    const KEY: &str = "KMSKeyNotAccessibleFault";
    for (missing, instance, cluster, member) in [
        ("nothing", "", "", ""),
        ("instances", DENIED, "", DENIED),
        ("clusters", "", DENIED, ""),
        ("snapshots", DENIED, DENIED, ""),
        ("og", DENIED, DENIED, DENIED),
        ("pg", DENIED, "", DENIED),
        ("cluster-pg", "", DENIED, ""),
        ("subgrp", DENIED, DENIED, DENIED),
        ("its cluster", "", "", DENIED),
        ("tags", DENIED, DENIED, DENIED),
        ("describe key", KEY, "", ""),
        ("grant", KEY, "", ""),
        ("decrypt", KEY, "", ""),
    ] {
        assert_eq!(outcomes(missing), [instance, cluster, member], "without {missing}");
    }
}

#[test]
fn what_is_public_untagged_elsewhere_or_not_ours_is_denied() {
    let mut lab = world(&json!({}));
    lab.allow("start-restore", &without("nothing"));
    for (index, other) in [
        (0, ("DBInstanceIdentifier", "orders")),
        (1, ("DBSnapshotIdentifier", "other")),
        (2, ("DBSubnetGroupName", "production")),
        (3, ("PubliclyAccessible", "true")),
        (5, ("Tags.Tag.1.Value", "other")),
    ] {
        let mut parameters = INSTANCE;
        parameters[index] = other;
        assert_eq!(
            lab.code(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &parameters),
            "AccessDenied",
            "{other:?}"
        );
    }
    // Without a word on it, or without a subnet group, it would be public in the default VPC.
    for left_out in [2, 3] {
        let mut parameters = INSTANCE.to_vec();
        parameters.remove(left_out);
        assert_eq!(
            lab.code(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &parameters),
            "AccessDenied"
        );
    }
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &INSTANCE);
}

#[test]
fn the_snapshots_key_may_be_enough_with_fewer_rights() {
    let mut lab = world(&json!({ "restoreNeedsEveryKeyRight": false }));
    lab.allow("start-restore", &without("decrypt"));
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &INSTANCE);
}

#[test]
fn a_managed_password_is_a_condition_of_a_change() {
    let mut lab = world(&json!({}));
    lab.allow(
        "check-restore",
        &json!([{ "Effect": "Allow", "Action": "rds:ModifyDBInstance", "Resource": "*",
                  "Condition": { "Bool": { "rds:ManageMasterUserPassword": "true" } } }]),
    );
    let change = |value| [("DBInstanceIdentifier", "a"), ("ManageMasterUserPassword", value)];
    assert_eq!(
        lab.code(DESTINATION, "ModifyDBInstance", &change("false")),
        "AccessDenied"
    );
    lab.ok(DESTINATION, "ModifyDBInstance", &change("true"));
}
