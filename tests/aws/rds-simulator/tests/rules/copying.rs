//! What a copy needs, what it becomes, and how it ends.

use serde_json::{Value, json};

use crate::lab::{DESTINATION, KEY, Lab, SOURCE, SOURCE_KEY, value, values};

fn world() -> Value {
    json!({ "regions": {
        SOURCE: {
            "kmsKeys": [{ "id": "1111", "aliases": ["alias/databases"] }, { "id": "off", "enabled": false }],
            "instances": [
                { "id": "plain", "resourceId": "db-PLAIN", "allocatedStorage": 20, "snapshots": [{ "ageHours": 3 }],
                  "copies": { "durationSeconds": 100 } },
                { "id": "secret", "kmsKey": "alias/databases", "snapshots": [{ "ageHours": 3 }] },
                { "id": "locked", "kmsKey": "off", "snapshots": [{ "ageHours": 3 }] },
                { "id": "custom", "engine": "custom-oracle-ee", "kmsKey": "1111", "snapshots": [{ "ageHours": 3 }] },
                { "id": "custom-ms", "engine": "custom-sqlserver-se", "snapshots": [{ "ageHours": 3 }] },
                { "id": "tagged", "snapshots": [{ "ageHours": 3, "tags": { "team": "a" } }] },
                { "id": "stacked", "snapshots": [{ "ageHours": 3, "tags": { "aws:cloudformation:stack-name": "s" } }] },
                { "id": "busy", "snapshots": [{ "ageHours": 3, "status": "creating" }] }
            ],
            "clusters": [
                { "id": "aurora", "snapshots": [{ "ageHours": 3 }], "copies": { "durationSeconds": 100 } },
                { "id": "aurora-secret", "kmsKey": "1111", "snapshots": [{ "ageHours": 3 }] },
                { "id": "aurora-new", "storageEncryptionType": "sse-rds", "snapshots": [{ "ageHours": 3 }] },
                { "id": "three-zones", "engine": "mysql", "members": 3, "snapshots": [{ "ageHours": 3 }] }
            ]
        },
        DESTINATION: {
            "kmsKeys": [
                { "id": "2222", "aliases": ["alias/copies"] }, { "id": "off", "enabled": false },
                { "id": "going", "state": "PendingDeletion" }, { "id": "signing", "keyUsage": "SIGN_VERIFY" },
                { "id": "rsa", "keySpec": "RSA_4096" }]
        }
    } })
}

fn lab() -> Lab {
    Lab::new(world())
}

fn instance<'a>(source: &'a str, target: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("SourceDBSnapshotIdentifier", source),
        ("TargetDBSnapshotIdentifier", target),
    ]
}

fn cluster<'a>(source: &'a str, target: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("SourceDBClusterSnapshotIdentifier", source),
        ("TargetDBClusterSnapshotIdentifier", target),
    ]
}

fn with<'a>(mut parameters: Vec<(&'a str, &'a str)>, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    parameters.push((name, value));
    parameters
}

#[test]
fn a_copy_takes_its_time_tells_its_progress_and_becomes_available() {
    let mut lab = lab();
    let started = lab.copy("plain", "acme-plain");
    // So recorded answers of RDS are (facts 2, 0.14).
    assert_eq!(value(&started, "Status"), "pending");
    assert_eq!(value(&started, "PercentProgress"), "0");
    assert!(values(&started, "SnapshotCreateTime").is_empty());
    assert_eq!(value(&started, "SourceRegion"), SOURCE);
    assert_eq!(value(&started, "SourceDBSnapshotIdentifier"), lab.newest("plain"));
    assert_eq!(lab.status("acme-plain"), "creating");
    assert_eq!(value(&started, "SnapshotType"), "manual");
    assert_eq!(value(&started, "DBInstanceIdentifier"), "plain");
    let mut seen = vec![];
    for _ in 0..5 {
        lab.advance(20);
        let copy = lab.snapshot(DESTINATION, "acme-plain").unwrap();
        seen.push((copy.status, copy.percent));
    }
    let seen: Vec<(&str, u32)> = seen
        .iter()
        .map(|(status, percent)| (status.as_str(), *percent))
        .collect();
    assert_eq!(
        seen,
        [
            ("copying", 20),
            ("copying", 40),
            ("copying", 60),
            ("copying", 80),
            ("available", 100)
        ]
    );
    let copy = lab.snapshot(DESTINATION, "acme-plain").unwrap();
    assert_eq!(copy.source_arn.unwrap(), lab.newest("plain"));
    assert_eq!(copy.original_created_at, Some("2026-11-22T09:00:00Z".parse().unwrap()));
    assert_eq!(copy.resource_id.as_deref(), Some("db-PLAIN"));
}

#[test]
fn a_size_gives_a_duration_when_the_scenario_has_none() {
    let mut lab = lab();
    lab.copy("tagged", "acme-tagged");
    lab.advance(100 * 6 + 119);
    assert_eq!(lab.status("acme-tagged"), "copying");
    lab.advance(2);
    assert_eq!(lab.status("acme-tagged"), "available");
}

#[test]
fn an_encrypted_snapshot_needs_a_key_of_the_destination() {
    let mut lab = lab();
    let source = lab.newest("secret");
    let (status, code, message) = lab.refused(DESTINATION, "CopyDBSnapshot", &instance(&source, "c"));
    assert_eq!((status, code.as_str()), (400, "InvalidParameterValue"));
    assert_eq!(
        message,
        "Must specify new KMS key for cross region encrypted snapshot copy."
    );
    for wrong in [SOURCE_KEY, "alias/nothing", "off", "1111", "going", "signing", "rsa"] {
        let parameters = with(instance(&source, "c"), "KmsKeyId", wrong);
        let (_, code, message) = lab.refused(DESTINATION, "CopyDBSnapshot", &parameters);
        assert_eq!(code, "KMSKeyNotAccessibleFault");
        assert!(
            message.starts_with(&format!("The target KMS key [{wrong}] does not exist")),
            "{message}"
        );
    }
    for (index, right) in [
        KEY,
        "2222",
        "alias/copies",
        "arn:aws:kms:eu-central-1:123456789012:alias/copies",
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("c{index}");
        let parameters = with(instance(&source, &target), "KmsKeyId", right);
        let copy = lab.ok(DESTINATION, "CopyDBSnapshot", &parameters);
        assert_eq!(value(&copy, "KmsKeyId"), KEY);
        assert_eq!(value(&copy, "Encrypted"), "true");
        assert_eq!(value(&copy, "StorageEncryptionType"), "sse-kms");
    }
    let managed = with(instance(&source, "managed"), "KmsKeyId", "alias/aws/rds");
    lab.ok(DESTINATION, "CopyDBSnapshot", &managed);
}

#[test]
fn a_source_whose_key_cannot_be_used_is_refused() {
    let mut lab = lab();
    let source = lab.newest("locked");
    let parameters = with(instance(&source, "c"), "KmsKeyId", KEY);
    let (_, code, message) = lab.refused(DESTINATION, "CopyDBSnapshot", &parameters);
    assert_eq!(code, "KMSKeyNotAccessibleFault");
    assert!(message.starts_with("The source snapshot KMS key ["), "{message}");
}

#[test]
fn a_key_encrypts_the_copy_of_an_instance_and_is_an_error_for_a_cluster() {
    let mut lab = lab();
    let source = lab.newest("plain");
    let copy = lab.ok(
        DESTINATION,
        "CopyDBSnapshot",
        &with(instance(&source, "c"), "KmsKeyId", KEY),
    );
    assert_eq!(value(&copy, "KmsKeyId"), KEY);
    let bare = lab.ok(DESTINATION, "CopyDBSnapshot", &instance(&source, "d"));
    assert_eq!(value(&bare, "Encrypted"), "false");
    assert!(values(&bare, "KmsKeyId").is_empty());
    let source = lab.newest("aurora");
    let code = lab.code(
        DESTINATION,
        "CopyDBClusterSnapshot",
        &with(cluster(&source, "c"), "KmsKeyId", KEY),
    );
    assert_eq!(code, "InvalidParameterCombination");
    lab.ok(DESTINATION, "CopyDBClusterSnapshot", &cluster(&source, "c"));
}

#[test]
fn an_sse_rds_cluster_counts_as_encrypted() {
    let mut lab = lab();
    let source = lab.newest("aurora-new");
    let original = lab.ok(
        SOURCE,
        "DescribeDBClusterSnapshots",
        &[("DBClusterIdentifier", "aurora-new")],
    );
    assert_eq!(value(&original, "StorageEncrypted"), "false");
    assert_eq!(value(&original, "StorageEncryptionType"), "sse-rds");
    let code = lab.code(DESTINATION, "CopyDBClusterSnapshot", &cluster(&source, "c"));
    assert_eq!(code, "InvalidParameterValue");
    let copy = lab.ok(
        DESTINATION,
        "CopyDBClusterSnapshot",
        &with(cluster(&source, "c"), "KmsKeyId", KEY),
    );
    assert_eq!(value(&copy, "StorageEncryptionType"), "sse-kms");
    assert_eq!(value(&copy, "StorageEncrypted"), "true");
}

#[test]
fn an_sse_rds_cluster_may_refuse_a_key_and_stay_as_it_is() {
    let mut world = world();
    world["settings"] = json!({ "sseRdsCopies": "refuses-key" });
    let mut lab = Lab::new(world);
    let source = lab.newest("aurora-new");
    let (_, code, message) = lab.refused(
        DESTINATION,
        "CopyDBClusterSnapshot",
        &with(cluster(&source, "c"), "KmsKeyId", KEY),
    );
    assert_eq!(code, "InvalidParameterCombination", "{message}");
    let copy = lab.ok(DESTINATION, "CopyDBClusterSnapshot", &cluster(&source, "c"));
    assert_eq!(value(&copy, "StorageEncryptionType"), "sse-rds");
    assert_eq!(value(&copy, "StorageEncrypted"), "false");
    let source = lab.newest("aurora-secret");
    lab.ok(
        DESTINATION,
        "CopyDBClusterSnapshot",
        &with(cluster(&source, "d"), "KmsKeyId", KEY),
    );
}

#[test]
fn no_snapshot_leaves_its_partition_and_between_chinese_regions_only_neptune_travels() {
    let mut lab = Lab::new(json!({ "regions": {
        "us-gov-west-1": { "instances": [{ "id": "gov", "snapshots": [{ "id": "gov", "type": "manual" }] }] },
        "cn-north-1": {
            "instances": [{ "id": "china", "snapshots": [{ "id": "china", "type": "manual" }] }],
            "clusters": [{ "id": "graph", "engine": "neptune", "snapshots": [{ "id": "graph", "type": "manual" }] }]
        }
    } }));
    let gov = "arn:aws-us-gov:rds:us-gov-west-1:123456789012:snapshot:gov";
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(gov, "c")),
        "InvalidParameterValue"
    );
    let disguised = gov.replace("aws-us-gov", "aws");
    assert_eq!(
        lab.code("us-gov-east-1", "CopyDBSnapshot", &instance(&disguised, "c")),
        "InvalidParameterValue"
    );
    lab.ok("us-gov-east-1", "CopyDBSnapshot", &instance(gov, "c"));
    let china = "arn:aws-cn:rds:cn-north-1:123456789012:snapshot:china";
    let (_, _, message) = lab.refused("cn-northwest-1", "CopyDBSnapshot", &instance(china, "c"));
    assert!(message.contains("China"), "{message}");
    lab.ok("cn-north-1", "CopyDBSnapshot", &instance(china, "c"));
    let graph = "arn:aws-cn:rds:cn-north-1:123456789012:cluster-snapshot:graph";
    lab.ok("cn-northwest-1", "CopyDBClusterSnapshot", &cluster(graph, "c"));
}

#[test]
fn what_rds_cannot_copy_is_refused() {
    let mut lab = lab();
    let source = lab.newest("three-zones");
    let (_, code, message) = lab.refused(DESTINATION, "CopyDBClusterSnapshot", &cluster(&source, "c"));
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains("Multi-AZ DB cluster"), "{message}");
    let source = lab.newest("custom");
    let code = lab.code(
        DESTINATION,
        "CopyDBSnapshot",
        &with(instance(&source, "c"), "KmsKeyId", KEY),
    );
    assert_eq!(code, "InvalidParameterValue");
    let source = lab.newest("custom-ms");
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(&source, "c")),
        "InvalidParameterValue"
    );
    lab.ok(
        DESTINATION,
        "CopyDBSnapshot",
        &with(instance(&source, "c"), "KmsKeyId", KEY),
    );
}

#[test]
fn tags_are_copied_on_request_but_not_those_of_aws_and_not_beside_others() {
    let mut lab = lab();
    let source = lab.newest("tagged");
    let copied = lab.ok(
        DESTINATION,
        "CopyDBSnapshot",
        &with(instance(&source, "a"), "CopyTags", "true"),
    );
    assert_eq!(value(&copied, "Key"), "team");
    assert!(values(&lab.ok(DESTINATION, "CopyDBSnapshot", &instance(&source, "b")), "Key").is_empty());
    let mut own = with(instance(&source, "c"), "CopyTags", "true");
    own.extend([("Tags.Tag.1.Key", "mine"), ("Tags.Tag.1.Value", "1")]);
    assert_eq!(value(&lab.ok(DESTINATION, "CopyDBSnapshot", &own), "Key"), "mine");
    let source = lab.newest("stacked");
    let (_, code, message) = lab.refused(
        DESTINATION,
        "CopyDBSnapshot",
        &with(instance(&source, "d"), "CopyTags", "true"),
    );
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(message, "Tag keys cannot start with the reserved prefix \"aws:\"");
}

#[test]
fn a_source_must_be_there_and_available() {
    let mut lab = lab();
    let source = lab.newest("busy");
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(&source, "c")),
        "InvalidDBSnapshotState"
    );
    let gone = "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:gone";
    let (status, code, _) = lab.refused(DESTINATION, "CopyDBSnapshot", &instance(gone, "c"));
    assert_eq!((status, code.as_str()), (404, "DBSnapshotNotFound"));
    let gone = "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:rds:gone";
    let code = lab.code(DESTINATION, "CopyDBClusterSnapshot", &cluster(gone, "c"));
    assert_eq!(code, "DBClusterSnapshotNotFoundFault");
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(gone, "c")),
        "InvalidParameterValue"
    );
    let others = "arn:aws:rds:eu-west-1:999999999999:snapshot:x";
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(others, "c")),
        "DBSnapshotNotFound"
    );
}

#[test]
fn a_name_without_a_region_is_looked_for_in_the_region_of_the_call() {
    let mut lab = lab();
    let id = lab.newest("plain").rsplit_once("snapshot:").unwrap().1.to_owned();
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(&id, "c")),
        "DBSnapshotNotFound"
    );
    let local = lab.ok(SOURCE, "CopyDBSnapshot", &instance(&id, "c"));
    assert!(values(&local, "SourceRegion").is_empty());
    let counters = lab.simulator.counters(lab.now);
    assert!(
        counters
            .copies
            .get(SOURCE)
            .is_none_or(|copies| copies.instances.started == 0)
    );
}

#[test]
fn a_local_copy_of_an_encrypted_snapshot_keeps_its_key() {
    let mut lab = lab();
    let source = lab.newest("secret");
    let copy = lab.ok(SOURCE, "CopyDBSnapshot", &instance(&source, "c"));
    assert_eq!(value(&copy, "KmsKeyId"), SOURCE_KEY);
}

#[test]
fn a_target_must_have_a_legal_and_free_name() {
    let mut lab = lab();
    let source = lab.newest("plain");
    let long = "a".repeat(256);
    for bad in ["", "1a", "a--b", "a-", "a_b", "rds:a", long.as_str()] {
        let code = lab.code(DESTINATION, "CopyDBSnapshot", &instance(&source, bad));
        assert_eq!(code, "InvalidParameterValue", "{bad}");
    }
    lab.ok(DESTINATION, "CopyDBSnapshot", &instance(&source, &long[1..]));
    lab.ok(DESTINATION, "CopyDBSnapshot", &instance(&source, "Acme-Plain"));
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(&source, "acme-plain")),
        "DBSnapshotAlreadyExists"
    );
    let aurora = lab.newest("aurora");
    let code = lab.code(DESTINATION, "CopyDBClusterSnapshot", &cluster(&aurora, &long[..64]));
    assert_eq!(code, "InvalidParameterValue");
    lab.ok(DESTINATION, "CopyDBClusterSnapshot", &cluster(&aurora, &long[..63]));
    let code = lab.code(DESTINATION, "CopyDBClusterSnapshot", &cluster(&aurora, &long[..63]));
    assert_eq!(code, "DBClusterSnapshotAlreadyExistsFault");
    let missing = [("SourceDBSnapshotIdentifier", source.as_str())];
    assert_eq!(lab.code(DESTINATION, "CopyDBSnapshot", &missing), "MissingParameter");
}

#[test]
fn the_copy_slots_of_each_kind_are_limited_and_free_themselves() {
    let mut lab = lab();
    let source = lab.newest("plain");
    lab.simulator.set_time_scale(lab.now, 1.0).unwrap();
    for number in 0..20 {
        lab.ok(DESTINATION, "CopyDBSnapshot", &instance(&source, &format!("c{number}")));
    }
    let (status, code, message) = lab.refused(DESTINATION, "CopyDBSnapshot", &instance(&source, "late"));
    assert_eq!((status, code.as_str()), (400, "SnapshotQuotaExceeded"));
    assert_eq!(message, "Cannot copy more than 20 snapshots across regions");
    let aurora = lab.newest("aurora");
    for number in 0..5 {
        lab.ok(
            DESTINATION,
            "CopyDBClusterSnapshot",
            &cluster(&aurora, &format!("c{number}")),
        );
    }
    let (_, _, message) = lab.refused(DESTINATION, "CopyDBClusterSnapshot", &cluster(&aurora, "late"));
    assert_eq!(message, "Cannot copy more than 5 snapshots across regions");
    // One after another, because they are of one instance; the clusters' all at once.
    lab.advance(101);
    lab.ok(DESTINATION, "CopyDBSnapshot", &instance(&source, "late"));
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(&source, "later")),
        "SnapshotQuotaExceeded"
    );
    lab.ok(DESTINATION, "CopyDBClusterSnapshot", &cluster(&aurora, "late"));
    let counters = lab.simulator.counters(lab.now);
    let copies = counters.copies[DESTINATION];
    assert_eq!(
        (copies.instances.peak_in_flight, copies.clusters.peak_in_flight),
        (20, 5)
    );
    assert_eq!(copies.clusters.completed, 5);
    assert_eq!(counters.refusals.slots, 3);
    assert_eq!(counters.refusals.quota, 0);
}

#[test]
fn the_manual_quota_is_another_thing_under_the_same_code() {
    let mut scenario = world();
    scenario["regions"][DESTINATION]["manualSnapshotQuota"] = json!({ "instances": 2, "clusters": 1 });
    let mut lab = Lab::new(scenario);
    lab.copy("plain", "c1");
    lab.copy("tagged", "c2");
    let source = lab.newest("tagged");
    let (status, code, message) = lab.refused(DESTINATION, "CopyDBSnapshot", &instance(&source, "c3"));
    assert_eq!((status, code.as_str()), (400, "SnapshotQuotaExceeded"));
    assert_eq!(message, "Cannot create more than 2 manual snapshots");
    let aurora = lab.newest("aurora");
    lab.ok(DESTINATION, "CopyDBClusterSnapshot", &cluster(&aurora, "c1"));
    lab.ok(DESTINATION, "DeleteDBSnapshot", &[("DBSnapshotIdentifier", "c2")]);
    lab.ok(DESTINATION, "CopyDBSnapshot", &instance(&source, "c3"));
    assert_eq!(lab.simulator.counters(lab.now).refusals.quota, 1);
}

#[test]
fn copies_of_one_instance_wait_for_one_another_as_pending() {
    let mut lab = lab();
    lab.copy("plain", "c1");
    let second = lab.copy("plain", "c2");
    assert_eq!(value(&second, "Status"), "pending");
    assert!(values(&second, "SnapshotCreateTime").is_empty());
    lab.copy("tagged", "other");
    lab.advance(50);
    assert_eq!(lab.status("c2"), "pending");
    assert_eq!(lab.status("other"), "copying");
    lab.advance(60);
    assert_eq!(lab.status("c1"), "available");
    let copy = lab.snapshot(DESTINATION, "c2").unwrap();
    assert_eq!((copy.status.as_str(), copy.percent), ("copying", 10));
    assert!(copy.created_at.is_some());
}

#[test]
fn deleting_a_copy_under_way_ends_it_and_frees_its_slot() {
    let mut scenario = world();
    scenario["regions"][DESTINATION]["copySlots"] = json!({ "instances": 1, "clusters": 1 });
    let mut lab = Lab::new(scenario);
    lab.copy("plain", "c1");
    let source = lab.newest("tagged");
    assert_eq!(
        lab.code(DESTINATION, "CopyDBSnapshot", &instance(&source, "c2")),
        "SnapshotQuotaExceeded"
    );
    let deleted = lab.ok(DESTINATION, "DeleteDBSnapshot", &[("DBSnapshotIdentifier", "c1")]);
    assert_eq!(value(&deleted, "Status"), "deleted");
    lab.ok(DESTINATION, "CopyDBSnapshot", &instance(&source, "c2"));
    assert_eq!(
        lab.simulator.counters(lab.now).copies[DESTINATION].instances.vanished,
        1
    );
}

#[test]
fn a_copy_can_fail_vanish_or_come_out_different_as_often_as_the_scenario_says() {
    let mut scenario = world();
    let instances = &mut scenario["regions"][SOURCE]["instances"];
    instances[0]["copies"] = json!({ "durationSeconds": 100, "failAtPercent": 40, "firstCopies": 2 });
    instances[5]["copies"] = json!({ "durationSeconds": 100, "vanishAtPercent": 60 });
    instances[7] = json!({ "id": "odd", "snapshots": [{ "ageHours": 3 }],
        "copies": { "durationSeconds": 100, "firstCopies": 1,
                    "becomes": { "kmsKey": "alias/aws/rds", "engineVersion": "1.2", "allocatedStorage": 7 } } });
    let mut lab = Lab::new(scenario);
    lab.copy("plain", "p1");
    lab.copy("tagged", "t1");
    lab.copy("odd", "o1");
    lab.advance(39);
    assert_eq!(lab.status("p1"), "copying");
    lab.advance(2);
    let failed = lab.snapshot(DESTINATION, "p1").unwrap();
    assert_eq!((failed.status.as_str(), failed.percent), ("failed", 40));
    lab.advance(20);
    assert_eq!(lab.status("t1"), "gone");
    lab.advance(40);
    let odd = lab.snapshot(DESTINATION, "o1").unwrap();
    assert_eq!(odd.status, "available");
    assert!(
        odd.kms_key
            .unwrap()
            .starts_with("arn:aws:kms:eu-central-1:123456789012:key/")
    );
    assert_eq!((odd.engine_version.as_str(), odd.allocated_storage), ("1.2", 7));
    for target in ["p2", "p3", "o2"] {
        lab.copy(if target == "o2" { "odd" } else { "plain" }, target);
        lab.advance(101);
    }
    assert_eq!(lab.status("p2"), "failed");
    assert_eq!(lab.status("p3"), "available");
    assert_eq!(lab.snapshot(DESTINATION, "o2").unwrap().storage_encryption_type, "none");
    let copies = lab.simulator.counters(lab.now).copies[DESTINATION].instances;
    assert_eq!(
        (copies.started, copies.completed, copies.failed, copies.vanished),
        (6, 3, 2, 1)
    );
}

#[test]
fn a_copy_fails_without_its_source_only_if_the_scenario_wants_that() {
    for fails in [false, true] {
        let mut scenario = world();
        scenario["settings"] = json!({ "failCopiesWhenSourceIsDeleted": fails });
        let mut lab = Lab::new(scenario);
        lab.copy("plain", "c");
        lab.advance(10);
        let source = lab.newest("plain");
        assert!(lab.simulator.expire(lab.now, &source));
        lab.advance(100);
        assert_eq!(lab.status("c"), if fails { "failed" } else { "available" });
    }
}

#[test]
fn a_seeded_copy_goes_on_from_where_it_is() {
    let mut scenario = world();
    scenario["regions"][DESTINATION]["snapshots"] = json!([
        { "kind": "instance", "id": "going", "percent": 60, "ageHours": 0.1,
          "sourceArn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:plain-{stamp:3}" },
        { "kind": "instance", "id": "doomed", "percent": 60, "copies": { "failAtPercent": 70 },
          "sourceArn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:plain-{stamp:3}" }
    ]);
    let mut lab = Lab::new(scenario);
    assert_eq!(
        lab.simulator.counters(lab.now).copies[DESTINATION].instances.in_flight,
        2
    );
    lab.advance(11);
    assert_eq!(lab.status("going"), "copying");
    assert_eq!(lab.status("doomed"), "failed");
    lab.advance(30);
    assert_eq!(lab.status("going"), "available");
}

#[test]
fn only_manual_snapshots_that_are_ready_can_be_deleted() {
    let mut lab = lab();
    let id = lab.newest("plain").rsplit_once("snapshot:").unwrap().1.to_owned();
    let (_, code, message) = lab.refused(SOURCE, "DeleteDBSnapshot", &[("DBSnapshotIdentifier", &id)]);
    assert_eq!(code, "InvalidDBSnapshotState");
    assert_eq!(message, "automated snapshots cannot be deleted.");
    let id = lab.newest("aurora").rsplit_once("snapshot:").unwrap().1.to_owned();
    let (_, code, message) = lab.refused(
        SOURCE,
        "DeleteDBClusterSnapshot",
        &[("DBClusterSnapshotIdentifier", &id)],
    );
    assert_eq!(code, "InvalidDBClusterSnapshotStateFault");
    assert_eq!(message, "Only manual snapshots may be deleted.");
    assert_eq!(
        lab.code(SOURCE, "DeleteDBSnapshot", &[("DBSnapshotIdentifier", "x")]),
        "DBSnapshotNotFound"
    );
    let made = [("DBSnapshotIdentifier", "mine"), ("DBInstanceIdentifier", "plain")];
    lab.ok(SOURCE, "CreateDBSnapshot", &made);
    let delete = [("DBSnapshotIdentifier", "mine")];
    assert_eq!(lab.code(SOURCE, "DeleteDBSnapshot", &delete), "InvalidDBSnapshotState");
    lab.advance(61);
    lab.ok(SOURCE, "DeleteDBSnapshot", &delete);
}

#[test]
fn a_snapshot_made_by_hand_is_manual_and_takes_a_minute() {
    let mut lab = lab();
    let made = [
        ("DBSnapshotIdentifier", "mine"),
        ("DBInstanceIdentifier", "secret"),
        ("Tags.Tag.1.Key", "by"),
        ("Tags.Tag.1.Value", "hand"),
    ];
    let snapshot = lab.ok(SOURCE, "CreateDBSnapshot", &made);
    assert_eq!(value(&snapshot, "Status"), "creating");
    assert_eq!(value(&snapshot, "SnapshotType"), "manual");
    assert_eq!(value(&snapshot, "KmsKeyId"), SOURCE_KEY);
    assert_eq!(lab.code(SOURCE, "CreateDBSnapshot", &made), "DBSnapshotAlreadyExists");
    lab.advance(61);
    assert_eq!(lab.snapshot(SOURCE, "mine").unwrap().status, "available");
    let unknown = [("DBSnapshotIdentifier", "x"), ("DBInstanceIdentifier", "y")];
    assert_eq!(lab.code(SOURCE, "CreateDBSnapshot", &unknown), "DBInstanceNotFound");
    let member = [("DBSnapshotIdentifier", "x"), ("DBInstanceIdentifier", "aurora-1")];
    assert_eq!(lab.code(SOURCE, "CreateDBSnapshot", &member), "InvalidDBInstanceState");
    let whole = [("DBClusterSnapshotIdentifier", "x"), ("DBClusterIdentifier", "aurora")];
    lab.ok(SOURCE, "CreateDBClusterSnapshot", &whole);
}
