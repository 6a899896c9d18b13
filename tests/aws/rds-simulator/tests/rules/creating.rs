//! Databases and subnet groups that calls make from nothing.

use serde_json::json;

use crate::harness::{DESTINATION, Harness, KEY, SOURCE, SOURCE_KEY, value, values};

const INSTANCE: [(&str, &str); 7] = [
    ("DBInstanceIdentifier", "new"),
    ("DBInstanceClass", "db.t4g.micro"),
    ("Engine", "postgres"),
    ("AllocatedStorage", "20"),
    ("MasterUsername", "somebody"),
    ("MasterUserPassword", "something"),
    ("StorageEncrypted", "true"),
];
const CLUSTER: [(&str, &str); 4] = [
    ("DBClusterIdentifier", "new"),
    ("Engine", "aurora-postgresql"),
    ("MasterUsername", "somebody"),
    ("ManageMasterUserPassword", "true"),
];
const TAGS: [(&str, &str); 3] = [
    ("CopyTagsToSnapshot", "true"),
    ("Tags.Tag.1.Key", "run"),
    ("Tags.Tag.1.Value", "7"),
];

fn world() -> Harness {
    Harness::new(json!({ "regions": { SOURCE: {
        "kmsKeys": [{ "id": "1111", "aliases": ["alias/databases"] }],
        "parameterGroups": []
    }, DESTINATION: {} } }))
}

fn with<'a>(given: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [given, more].concat()
}

fn without<'a>(given: &[(&'a str, &'a str)], name: &str) -> Vec<(&'a str, &'a str)> {
    given.iter().copied().filter(|(known, _)| *known != name).collect()
}

fn status(lab: &mut Harness) -> String {
    let found = lab.ok(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", "new")]);
    value(&found, "DBInstanceStatus")
}

#[test]
fn a_new_instance_backs_itself_up_before_it_is_available() {
    let mut lab = world();
    let made = lab.ok(SOURCE, "CreateDBInstance", &with(&INSTANCE, &TAGS));
    assert_eq!(value(&made, "DBInstanceStatus"), "creating");
    assert_eq!(value(&made, "StorageEncrypted"), "true");
    assert!(values(&made, "Address").is_empty(), "{made}");
    lab.advance(901);
    assert_eq!(status(&mut lab), "backing-up");
    assert!(lab.ids(SOURCE, "DescribeDBSnapshots", &[]).is_empty());
    lab.advance(300);
    assert_eq!(status(&mut lab), "available");
    let snapshots = lab.ok(SOURCE, "DescribeDBSnapshots", &[("SnapshotType", "automated")]);
    assert_eq!(value(&snapshots, "DBSnapshotIdentifier"), "rds:new-2026-11-22-12-20");
    assert_eq!(value(&snapshots, "Status"), "available");
    assert_eq!(
        (value(&snapshots, "Key"), value(&snapshots, "Value")),
        ("run".to_owned(), "7".to_owned())
    );
    // No other follows when time passes.
    lab.advance(100_000);
    assert_eq!(lab.ids(SOURCE, "DescribeDBSnapshots", &[]).len(), 1);
}

#[test]
fn without_backups_it_has_no_snapshot() {
    let mut lab = world();
    lab.ok(
        SOURCE,
        "CreateDBInstance",
        &with(&INSTANCE, &[("BackupRetentionPeriod", "0")]),
    );
    lab.advance(901);
    assert_eq!(status(&mut lab), "available");
    assert!(lab.ids(SOURCE, "DescribeDBSnapshots", &[]).is_empty());
}

#[test]
fn a_new_cluster_has_no_instance_and_is_encrypted_by_aws_unless_a_key_is_given() {
    let mut lab = world();
    let made = lab.ok(SOURCE, "CreateDBCluster", &CLUSTER);
    assert_eq!(value(&made, "StorageEncryptionType"), "sse-rds");
    assert!(values(&made, "DBInstanceIdentifier").is_empty(), "{made}");
    lab.advance(901);
    let snapshots = lab.ok(SOURCE, "DescribeDBClusterSnapshots", &[]);
    assert_eq!(value(&snapshots, "SnapshotType"), "automated");
    let member = [
        ("DBInstanceIdentifier", "new-1"),
        ("DBClusterIdentifier", "new"),
        ("DBInstanceClass", "db.t4g.medium"),
        ("Engine", "aurora-postgresql"),
    ];
    lab.ok(SOURCE, "CreateDBInstance", &member);
    let keyed = with(
        &without(&CLUSTER, "DBClusterIdentifier"),
        &[("DBClusterIdentifier", "keyed"), ("KmsKeyId", SOURCE_KEY)],
    );
    let made = lab.ok(SOURCE, "CreateDBCluster", &keyed);
    assert_eq!(value(&made, "KmsKeyId"), SOURCE_KEY);
}

#[test]
fn what_is_missing_taken_or_wrong_is_refused_and_makes_nothing() {
    let mut lab = world();
    for (name, code) in [
        ("DBInstanceIdentifier", "MissingParameter"),
        ("Engine", "MissingParameter"),
        ("MasterUsername", "MissingParameter"),
        ("DBInstanceClass", "MissingParameter"),
        ("MasterUserPassword", "InvalidParameterValue"),
        ("AllocatedStorage", "InvalidParameterCombination"),
    ] {
        assert_eq!(
            lab.code(SOURCE, "CreateDBInstance", &without(&INSTANCE, name)),
            code,
            "{name}"
        );
    }
    let no_key = with(&INSTANCE, &[("KmsKeyId", KEY)]);
    assert_eq!(
        lab.code(SOURCE, "CreateDBInstance", &no_key),
        "KMSKeyNotAccessibleFault"
    );
    let no_group = with(&INSTANCE, &[("DBParameterGroupName", "nothing")]);
    assert_eq!(
        lab.code(SOURCE, "CreateDBInstance", &no_group),
        "DBParameterGroupNotFound"
    );
    let never = with(&CLUSTER, &[("BackupRetentionPeriod", "0")]);
    assert_eq!(lab.code(SOURCE, "CreateDBCluster", &never), "InvalidParameterValue");
    assert!(lab.ids(SOURCE, "DescribeDBInstances", &[]).is_empty());
    lab.ok(SOURCE, "CreateDBInstance", &INSTANCE);
    assert_eq!(
        lab.code(SOURCE, "CreateDBInstance", &INSTANCE),
        "DBInstanceAlreadyExists"
    );
}

#[test]
fn a_subnet_group_is_made_with_tags_used_and_deleted() {
    let mut lab = world();
    let group = [
        ("DBSubnetGroupName", "Mine"),
        ("DBSubnetGroupDescription", "Of a test."),
        ("SubnetIds.SubnetIdentifier.1", "subnet-1"),
        ("SubnetIds.SubnetIdentifier.2", "subnet-2"),
        ("Tags.Tag.1.Key", "run"),
        ("Tags.Tag.1.Value", "7"),
    ];
    let one_subnet = without(&group, "SubnetIds.SubnetIdentifier.2");
    assert_eq!(
        lab.code(SOURCE, "CreateDBSubnetGroup", &one_subnet),
        "DBSubnetGroupDoesNotCoverEnoughAZs"
    );
    let made = lab.ok(SOURCE, "CreateDBSubnetGroup", &group);
    assert_eq!(values(&made, "SubnetIdentifier").len(), 2);
    assert_eq!(
        lab.code(SOURCE, "CreateDBSubnetGroup", &group),
        "DBSubnetGroupAlreadyExists"
    );
    let arn = value(&made, "DBSubnetGroupArn");
    let tags = lab.ok(SOURCE, "ListTagsForResource", &[("ResourceName", &arn)]);
    assert_eq!(value(&tags, "Key"), "run");
    let listed = lab.ok(SOURCE, "DescribeDBSubnetGroups", &[]);
    assert_eq!(values(&listed, "DBSubnetGroupName"), ["mine"]);

    lab.ok(
        SOURCE,
        "CreateDBInstance",
        &with(&INSTANCE, &[("DBSubnetGroupName", "mine")]),
    );
    let named = [("DBSubnetGroupName", "mine")];
    assert_eq!(
        lab.code(SOURCE, "DeleteDBSubnetGroup", &named),
        "InvalidDBSubnetGroupStateFault"
    );
    lab.advance(2000);
    lab.ok(
        SOURCE,
        "DeleteDBInstance",
        &[("DBInstanceIdentifier", "new"), ("SkipFinalSnapshot", "true")],
    );
    lab.advance(121);
    lab.ok(SOURCE, "DeleteDBSubnetGroup", &named);
    assert_eq!(
        lab.code(SOURCE, "DeleteDBSubnetGroup", &named),
        "DBSubnetGroupNotFoundFault"
    );
    assert_eq!(
        lab.code(SOURCE, "ListTagsForResource", &[("ResourceName", &arn)]),
        "DBSubnetGroupNotFoundFault"
    );
}

#[test]
fn who_may_not_make_a_database_with_these_tags_makes_none() {
    let mut lab = world();
    lab.allow(
        "maker",
        &json!([
            { "Effect": "Allow", "Action": ["rds:CreateDBInstance", "rds:AddTagsToResource"], "Resource": "*",
              "Condition": { "StringEquals": { "aws:RequestTag/run": "8" } } },
            { "Effect": "Allow", "Action": "rds:Describe*", "Resource": "*" }
        ]),
    );
    assert_eq!(
        lab.code(SOURCE, "CreateDBInstance", &with(&INSTANCE, &TAGS)),
        "AccessDenied"
    );
    assert!(lab.ids(SOURCE, "DescribeDBInstances", &[]).is_empty());
}
