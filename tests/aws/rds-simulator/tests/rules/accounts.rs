//! Keys and snapshots of other accounts (D8, case 14).

use serde_json::{Value, json};

use crate::lab::{DESTINATION, Lab, SOURCE};

const FOREIGN_KEY: &str = "arn:aws:kms:eu-west-1:999988887777:key/7777";
const LOCKED_KEY: &str = "arn:aws:kms:eu-west-1:999988887777:key/8888";
const SHARED: &str = "arn:aws:rds:eu-west-1:999988887777:snapshot:theirs";

fn lab() -> Lab {
    let database = |id: &str, key: &str| json!({ "id": id, "kmsKey": key, "snapshots": [{ "ageHours": 3 }] });
    Lab::new(json!({ "regions": {
        SOURCE: {
            "kmsKeys": [{ "id": FOREIGN_KEY }, { "id": LOCKED_KEY, "lockedByPolicy": true }],
            "manualSnapshotQuota": { "instances": 1, "clusters": 1 },
            "instances": [database("books", FOREIGN_KEY), database("locked", LOCKED_KEY)],
            "snapshots": [
                { "kind": "instance", "id": "theirs", "account": "999988887777", "database": "far", "ageHours": 9 }
            ]
        },
        DESTINATION: { "kmsKeys": [{ "id": "2222" }] }
    } }))
}

fn copied<'a>(source: &'a str, target: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("SourceDBSnapshotIdentifier", source),
        ("TargetDBSnapshotIdentifier", target),
        ("KmsKeyId", "2222"),
    ]
}

#[test]
fn a_key_of_another_account_is_known_by_its_arn_and_usable_where_policies_let_it() {
    let mut lab = lab();
    let (status, reply) = lab.describe_key(SOURCE, FOREIGN_KEY);
    assert_eq!(
        (status, &reply["KeyMetadata"]["AWSAccountId"]),
        (200, &json!("999988887777"))
    );
    assert_eq!(lab.describe_key(SOURCE, "7777").1["__type"], "NotFoundException");
    let unknown = "arn:aws:kms:eu-west-1:999988887777:key/9999";
    assert_eq!(lab.describe_key(SOURCE, unknown).1["__type"], "AccessDeniedException");
    let source = lab.newest("books");
    lab.ok(DESTINATION, "CopyDBSnapshot", &copied(&source, "copy"));

    let role = |account: &str| {
        json!([
            { "Effect": "Allow", "Action": "rds:*", "Resource": "*" },
            { "Effect": "Allow", "Action": "kms:*", "Resource": format!("arn:aws:kms:*:{account}:key/*") },
            { "Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:kms:eu-central-1:123456789012:key/2222" }
        ])
    };
    lab.allow("own-account", &role("123456789012"));
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &copied(&source, "b")),
        "KMSKeyNotAccessibleFault"
    );
    lab.allow("both", &role("*"));
    lab.ok(DESTINATION, "CopyDBSnapshot", &copied(&source, "c"));
}

#[test]
fn a_key_whose_policy_locks_this_account_out_is_neither_described_nor_used() {
    let mut lab = lab();
    let (status, reply) = lab.describe_key(SOURCE, LOCKED_KEY);
    assert_eq!((status, &reply["__type"]), (400, &json!("AccessDeniedException")));
    let source = lab.newest("locked");
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &copied(&source, "c")),
        "KMSKeyNotAccessibleFault"
    );
}

#[test]
fn a_shared_snapshot_is_listed_only_when_asked_for_is_not_ours_to_delete_and_takes_no_quota() {
    let mut lab = lab();
    let ids = |lab: &mut Lab, parameters: &[(&str, &str)]| lab.ids(SOURCE, "DescribeDBSnapshots", parameters);
    assert!(!ids(&mut lab, &[]).contains(&SHARED.to_owned()));
    assert!(ids(&mut lab, &[("SnapshotType", "manual")]).is_empty());
    assert_eq!(ids(&mut lab, &[("SnapshotType", "shared")]), [SHARED]);
    assert_eq!(
        ids(&mut lab, &[("IncludeShared", "true"), ("SnapshotType", "manual")]),
        [SHARED]
    );
    assert_eq!(ids(&mut lab, &[("DBSnapshotIdentifier", SHARED)]), [SHARED]);
    for id in ["theirs", SHARED] {
        let delete = [("DBSnapshotIdentifier", id)];
        assert_eq!(lab.code(SOURCE, "DeleteDBSnapshot", &delete), "DBSnapshotNotFound");
    }
    let create = [("DBSnapshotIdentifier", "ours"), ("DBInstanceIdentifier", "books")];
    lab.ok(SOURCE, "CreateDBSnapshot", &create);
    let copy = [
        ("SourceDBSnapshotIdentifier", SHARED),
        ("TargetDBSnapshotIdentifier", "copy"),
    ];
    lab.ok(DESTINATION, "CopyDBSnapshot", &copy);
    assert_eq!(
        lab.snapshot(DESTINATION, "copy").unwrap().source_arn.as_deref(),
        Some(SHARED)
    );
    let other = SHARED.replace("theirs", "nothing");
    let copy = [
        ("SourceDBSnapshotIdentifier", other.as_str()),
        ("TargetDBSnapshotIdentifier", "x"),
    ];
    assert_eq!(lab.code(DESTINATION, "CopyDBSnapshot", &copy), "DBSnapshotNotFound");
}

#[test]
fn an_account_has_twelve_digits_and_a_shared_snapshot_stands_for_itself() {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let refused = |region: Value| {
        let scenario = rds_simulator::Scenario::from_value(json!({ "regions": { SOURCE: region } })).unwrap();
        rds_simulator::Simulator::new(now)
            .seed(now, &scenario)
            .unwrap_err()
            .to_string()
    };
    let shared = |account: &str| json!({ "kind": "instance", "id": "a", "database": "b", "account": account });
    for region in [
        json!({ "snapshots": [shared("12")] }),
        json!({ "instances": [{ "id": "b", "snapshots": [shared("999988887777")] }] }),
    ] {
        assert!(refused(region).contains("twelve digits"));
    }
    let key = json!({ "kmsKeys": [{ "id": "arn:aws:kms:eu-west-1:99:key/1" }] });
    assert!(refused(key).contains("is not the ARN of a key in eu-west-1"));
}
