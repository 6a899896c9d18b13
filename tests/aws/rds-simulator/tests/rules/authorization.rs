//! Every call is judged by its caller's policies: each Allow with a twin that is refused.

use serde_json::{Value, json};

use crate::harness::{DESTINATION, Harness, KEY, SOURCE, SOURCE_KEY};

const OWNER: &str = "eu-west-1/acme";

fn lab() -> Harness {
    Harness::new(json!({ "regions": {
        SOURCE: {
            "kmsKeys": [{ "id": "1111" }],
            "instances": [{ "id": "orders", "kmsKey": "1111", "snapshots": [{ "ageHours": 3 }] }]
        },
        DESTINATION: {
            "kmsKeys": [{ "id": "2222" }, { "id": "3333" }],
            "snapshots": [
                { "kind": "instance", "database": "orders", "id": "acme-orders-1", "tags": { "snapferry:owner": OWNER } },
                { "kind": "instance", "database": "orders", "id": "acme-forgery", "tags": { "snapferry:owner": "eu-west-1/other" } },
                { "kind": "instance", "database": "orders", "id": "by-hand", "tags": { "snapferry:owner": OWNER } }
            ]
        }
    } }))
}

fn copier() -> Value {
    json!([
        { "Effect": "Allow", "Action": "rds:CopyDBSnapshot",
          "Resource": "arn:aws:rds:eu-west-1:123456789012:snapshot:*" },
        { "Effect": "Allow", "Action": ["rds:CopyDBSnapshot", "rds:AddTagsToResource"],
          "Resource": "arn:aws:rds:eu-central-1:123456789012:snapshot:acme-*",
          "Condition": { "StringEquals": { "aws:RequestTag/snapferry:owner": OWNER } } },
        { "Effect": "Allow", "Action": ["kms:DescribeKey", "kms:CreateGrant"], "Resource": KEY,
          "Condition": { "StringEquals": { "kms:ViaService": "rds.eu-central-1.amazonaws.com" },
                         "Bool": { "kms:GrantIsForAWSResource": "true" } } },
        { "Effect": "Allow", "Action": ["kms:DescribeKey", "kms:CreateGrant"], "Resource": SOURCE_KEY,
          "Condition": { "StringEquals": { "kms:ViaService": "rds.eu-west-1.amazonaws.com" } } }
    ])
}

fn without(index: usize) -> Value {
    let mut statements = copier();
    statements.as_array_mut().unwrap().remove(index);
    statements
}

fn copy(lab: &mut Harness, target: &str, key: &str, owner: &str) -> (String, String) {
    let source = lab.newest("orders");
    let parameters = [
        ("SourceDBSnapshotIdentifier", source.as_str()),
        ("TargetDBSnapshotIdentifier", target),
        ("KmsKeyId", key),
        ("Tags.Tag.1.Key", "snapferry:owner"),
        ("Tags.Tag.1.Value", owner),
    ];
    let (response, _) = lab.response(DESTINATION, "CopyDBSnapshot", &parameters);
    if response.status == 200 {
        return ("ok".to_owned(), String::new());
    }
    (
        crate::harness::value(&response.body, "Code"),
        crate::harness::value(&response.body, "Message"),
    )
}

#[test]
fn a_copier_may_copy_under_its_name_owner_and_key_and_not_otherwise() {
    let mut lab = lab();
    lab.allow("start-copy", &copier());
    assert_eq!(copy(&mut lab, "acme-new", KEY, OWNER).0, "ok");
    let (code, message) = copy(&mut lab, "other-new", KEY, OWNER);
    assert_eq!(code, "AccessDenied");
    assert_eq!(
        message,
        "User: arn:aws:iam::123456789012:role/start-copy is not authorized to perform: rds:CopyDBSnapshot on resource: \
         arn:aws:rds:eu-central-1:123456789012:snapshot:other-new because no identity-based policy allows the \
         rds:CopyDBSnapshot action"
    );
    assert_eq!(copy(&mut lab, "acme-forged", KEY, "eu-west-1/other").0, "AccessDenied");
    assert_eq!(copy(&mut lab, "acme-key", "3333", OWNER).0, "KMSKeyNotAccessibleFault");
    assert_eq!(lab.simulator.counters(lab.now).refusals.denied, 2);
}

#[test]
fn a_copy_needs_its_source_its_target_and_both_keys() {
    for (index, code, says) in [
        (0, "AccessDenied", "eu-west-1:123456789012:snapshot:rds:orders"),
        (1, "AccessDenied", "eu-central-1:123456789012:snapshot:acme-new"),
        (2, "KMSKeyNotAccessibleFault", "The target KMS key"),
        (3, "KMSKeyNotAccessibleFault", "The source snapshot KMS key"),
    ] {
        let mut lab = lab();
        lab.allow("start-copy", &without(index));
        let (found, message) = copy(&mut lab, "acme-new", KEY, OWNER);
        assert_eq!(found, code, "without statement {index}");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_copier_limited_to_the_destination_region_cannot_read_the_source() {
    let mut statements = copier();
    statements[0]["Condition"] = json!({ "StringEquals": { "aws:RequestedRegion": DESTINATION } });
    let mut lab = lab();
    lab.allow("start-copy", &statements);
    assert_eq!(copy(&mut lab, "acme-new", KEY, OWNER).0, "AccessDenied");
    let through_rds = json!({ "Effect": "Allow", "Action": "rds:CopyDBSnapshot",
        "Resource": "arn:aws:rds:eu-west-1:123456789012:snapshot:*",
        "Condition": { "StringEquals": { "aws:RequestedRegion": SOURCE },
                       "ForAnyValue:StringEquals": { "aws:CalledVia": ["rds.amazonaws.com"] } } });
    statements.as_array_mut().unwrap().push(through_rds);
    lab.allow("start-copy", &statements);
    assert_eq!(copy(&mut lab, "acme-new", KEY, OWNER).0, "ok");
}

#[test]
fn tags_on_a_copy_need_the_right_to_tag() {
    let mut statements = copier();
    statements[1]["Action"] = json!("rds:CopyDBSnapshot");
    let mut lab = lab();
    lab.allow("start-copy", &statements);
    let (code, message) = copy(&mut lab, "acme-new", KEY, OWNER);
    assert_eq!(code, "AccessDenied");
    assert!(message.contains("rds:AddTagsToResource"), "{message}");
}

#[test]
fn a_pruner_deletes_its_own_and_neither_forgeries_nor_what_was_made_by_hand() {
    let mut lab = lab();
    lab.allow(
        "prune-old",
        &json!([{ "Effect": "Allow", "Action": "rds:DeleteDBSnapshot",
                 "Resource": "arn:aws:rds:eu-central-1:123456789012:snapshot:acme-*",
                 "Condition": { "StringEquals": { "rds:snapshot-tag/snapferry:owner": OWNER } } }]),
    );
    for id in ["acme-forgery", "by-hand", "acme-nothing"] {
        let delete = [("DBSnapshotIdentifier", id)];
        assert_eq!(
            lab.code(DESTINATION, "DeleteDBSnapshot", &delete),
            "AccessDenied",
            "{id}"
        );
    }
    lab.ok(
        DESTINATION,
        "DeleteDBSnapshot",
        &[("DBSnapshotIdentifier", "acme-orders-1")],
    );
}

#[test]
fn a_verifier_writes_one_tag_on_its_own_copies() {
    let mut lab = lab();
    lab.allow(
        "check-copy-status",
        &json!([{ "Effect": "Allow", "Action": "rds:AddTagsToResource",
                 "Resource": "arn:aws:rds:eu-central-1:123456789012:snapshot:acme-*",
                 "Condition": { "StringEquals": { "aws:ResourceTag/snapferry:owner": OWNER },
                                "ForAllValues:StringEquals": { "aws:TagKeys": ["snapferry:verified"] } } }]),
    );
    let mut tag = |id: &str, key: &str| {
        let arn = format!("arn:aws:rds:eu-central-1:123456789012:snapshot:{id}");
        let parameters = [
            ("ResourceName", arn.as_str()),
            ("Tags.Tag.1.Key", key),
            ("Tags.Tag.1.Value", "2026"),
        ];
        lab.response(DESTINATION, "AddTagsToResource", &parameters).0.status
    };
    assert_eq!(tag("acme-orders-1", "snapferry:verified"), 200);
    assert_eq!(tag("acme-orders-1", "snapferry:owner"), 403);
    assert_eq!(tag("acme-forgery", "snapferry:verified"), 403);
    assert_eq!(tag("by-hand", "snapferry:verified"), 403);
}

#[test]
fn a_reader_reads_in_its_region_only() {
    let mut lab = lab();
    lab.allow(
        "find-latest-snapshot",
        &json!([{ "Effect": "Allow", "Action": ["rds:DescribeDBSnapshots", "rds:DescribeDBInstances"], "Resource": "*",
                 "Condition": { "StringEquals": { "aws:RequestedRegion": SOURCE } } },
               { "Effect": "Allow", "Action": "rds:DescribeAccountAttributes", "Resource": "*" }]),
    );
    lab.ok(SOURCE, "DescribeDBSnapshots", &[]);
    lab.ok(DESTINATION, "DescribeAccountAttributes", &[]);
    assert_eq!(lab.code(DESTINATION, "DescribeDBSnapshots", &[]), "AccessDenied");
    assert_eq!(lab.code(SOURCE, "DescribeDBClusters", &[]), "AccessDenied");
}

#[test]
fn callers_of_whom_nothing_was_said_may_do_everything_until_there_is_a_whole_table() {
    let mut lab = lab();
    lab.allow("start-copy", &copier());
    "somebody".clone_into(&mut lab.caller);
    lab.ok(SOURCE, "DescribeDBInstances", &[]);
    lab.simulator
        .set_callers(&[("operator".to_owned(), None)].into())
        .unwrap();
    assert_eq!(lab.code(SOURCE, "DescribeDBInstances", &[]), "AccessDenied");
    "operator".clone_into(&mut lab.caller);
    lab.ok(SOURCE, "DescribeDBInstances", &[]);
}
