//! How databases go: it takes time, it can be refused, and something may be left (facts 2, A9).

use rds_simulator::DatabaseChange;
use serde_json::{Value, json};

use crate::harness::{DESTINATION, Harness, values};

fn world(databases: &Value) -> Harness {
    Harness::new(
        json!({ "settings": { "databases": databases }, "regions": { DESTINATION: {
        "manualSnapshotQuota": { "instances": 2, "clusters": 2 },
        "instances": [
            { "id": "a", "snapshots": [{ "ageHours": 3 }] },
            { "id": "guarded", "deletionProtection": true },
            { "id": "broken", "status": "incompatible-restore" }
        ],
        "clusters": [{ "id": "c", "members": 2 }, { "id": "still", "members": 0, "status": "stopped" }],
        "snapshots": [{ "kind": "instance", "id": "one", "database": "a", "ageHours": 9 }]
    } } }),
    )
}

fn delete(id: &str) -> [(&str, &str); 2] {
    [("DBInstanceIdentifier", id), ("SkipFinalSnapshot", "true")]
}

fn delete_cluster(id: &str) -> [(&str, &str); 2] {
    [("DBClusterIdentifier", id), ("SkipFinalSnapshot", "true")]
}

#[track_caller]
fn refused(lab: &mut Harness, action: &str, parameters: &[(&str, &str)]) -> (String, String) {
    let (_, code, message) = lab.refused(DESTINATION, action, parameters);
    (code, message)
}

#[test]
fn a_deleted_instance_is_deleting_then_gone_with_its_automated_snapshots_and_is_not_deleted_twice() {
    let mut lab = world(&json!({}));
    let reply = lab.ok(DESTINATION, "DeleteDBInstance", &delete("a"));
    assert_eq!(values(&reply, "DBInstanceStatus"), ["deleting"]);
    assert_eq!(
        refused(&mut lab, "DeleteDBInstance", &delete("a")),
        (
            "InvalidDBInstanceState".to_owned(),
            "Instance a is already being deleted.".to_owned()
        )
    );
    lab.advance(119);
    assert!(
        lab.ids(DESTINATION, "DescribeDBInstances", &[])
            .contains(&"a".to_owned())
    );
    lab.advance(1);
    assert_eq!(
        lab.code(DESTINATION, "DeleteDBInstance", &delete("a")),
        "DBInstanceNotFound"
    );
    assert_eq!(lab.ids(DESTINATION, "DescribeDBSnapshots", &[]), ["one"]);
    let name = [("DBInstanceIdentifier", "a")];
    let backups = lab.ok(DESTINATION, "DescribeDBInstanceAutomatedBackups", &name);
    assert!(values(&backups, "Status").is_empty(), "{backups}");
}

#[test]
fn what_cannot_be_deleted_is_refused_and_what_is_broken_can_be() {
    let mut lab = world(&json!({}));
    for (action, parameters, code, says) in [
        (
            "DeleteDBInstance",
            delete("guarded"),
            "InvalidParameterCombination",
            "protected",
        ),
        (
            "DeleteDBInstance",
            [("DBInstanceIdentifier", "a"), ("DeleteAutomatedBackups", "true")],
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required",
        ),
        (
            "DeleteDBInstance",
            [
                ("DBInstanceIdentifier", "broken"),
                ("FinalDBSnapshotIdentifier", "last"),
            ],
            "InvalidDBInstanceState",
            "Cannot create a snapshot because the database instance broken is not currently in the available state.",
        ),
        (
            "DeleteDBCluster",
            delete_cluster("c"),
            "InvalidDBClusterStateFault",
            "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
        ),
        (
            "DeleteDBCluster",
            delete_cluster("still"),
            "InvalidDBClusterStateFault",
            "stopped",
        ),
        (
            "DeleteDBCluster",
            delete_cluster("nothing"),
            "DBClusterNotFoundFault",
            "not found",
        ),
    ] {
        let (found, message) = refused(&mut lab, action, &parameters);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(says), "{message}");
    }
    let both = [delete("a")[0], delete("a")[1], ("FinalDBSnapshotIdentifier", "last")];
    assert_eq!(
        lab.code(DESTINATION, "DeleteDBInstance", &both),
        "InvalidParameterCombination"
    );
    lab.ok(DESTINATION, "DeleteDBInstance", &delete("broken"));
}

#[test]
fn a_cluster_can_be_deleted_as_soon_as_its_members_are_deleting() {
    let mut lab = world(&json!({}));
    lab.ok(DESTINATION, "DeleteDBInstance", &delete("c-1"));
    assert_eq!(
        lab.code(DESTINATION, "DeleteDBCluster", &delete_cluster("c")),
        "InvalidDBClusterStateFault"
    );
    lab.advance(120);
    let found = lab.ok(DESTINATION, "DescribeDBClusters", &[("DBClusterIdentifier", "c")]);
    assert_eq!(values(&found, "IsClusterWriter"), ["true"], "the other one writes now");
    lab.ok(DESTINATION, "DeleteDBInstance", &delete("c-2"));
    let reply = lab.ok(DESTINATION, "DeleteDBCluster", &delete_cluster("c"));
    assert_eq!(values(&reply, "Status"), ["deleting"]);
    assert_eq!(
        lab.code(DESTINATION, "DeleteDBCluster", &delete_cluster("c")),
        "InvalidDBClusterStateFault"
    );
    lab.advance(120);
    assert_eq!(lab.ids(DESTINATION, "DescribeDBClusters", &[]), ["still"]);
    assert_eq!(
        lab.ids(DESTINATION, "DescribeDBInstances", &[]),
        ["a", "broken", "guarded"]
    );
}

#[test]
fn a_database_that_is_being_made_is_refused_or_deleted_as_the_setting_says() {
    let restore = [("DBInstanceIdentifier", "b"), ("DBSnapshotIdentifier", "one")];
    let mut lab = world(&json!({}));
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &restore);
    assert_eq!(
        lab.code(DESTINATION, "DeleteDBInstance", &delete("b")),
        "InvalidDBInstanceState"
    );

    let mut lab = world(&json!({ "deletableWhileCreating": true, "deletingSeconds": 30 }));
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &restore);
    lab.ok(DESTINATION, "DeleteDBInstance", &delete("b"));
    lab.advance(29);
    assert!(
        lab.ids(DESTINATION, "DescribeDBInstances", &[])
            .contains(&"b".to_owned())
    );
    lab.advance(1);
    assert!(
        !lab.ids(DESTINATION, "DescribeDBInstances", &[])
            .contains(&"b".to_owned())
    );
}

#[test]
fn a_final_snapshot_is_taken_and_counts_against_the_quota() {
    let mut lab = world(&json!({}));
    let last = |id| [("DBInstanceIdentifier", id), ("FinalDBSnapshotIdentifier", "last")];
    lab.ok(DESTINATION, "DeleteDBInstance", &last("a"));
    lab.advance(120);
    let found = lab.ok(DESTINATION, "DescribeDBSnapshots", &[("DBSnapshotIdentifier", "last")]);
    assert_eq!(values(&found, "Status"), ["available"]);
    let change = DatabaseChange {
        region: DESTINATION.to_owned(),
        name: "broken".to_owned(),
        status: Some("available".to_owned()),
        ..DatabaseChange::default()
    };
    lab.simulator.change_database(lab.now, &change).unwrap();
    let full = [
        ("DBInstanceIdentifier", "broken"),
        ("FinalDBSnapshotIdentifier", "more"),
    ];
    assert_eq!(
        lab.code(DESTINATION, "DeleteDBInstance", &full),
        "SnapshotQuotaExceeded"
    );
}

#[test]
fn automated_backups_are_kept_only_where_that_is_asked_for() {
    let mut lab = world(&json!({}));
    let kept = [delete("a")[0], delete("a")[1], ("DeleteAutomatedBackups", "false")];
    lab.ok(DESTINATION, "DeleteDBInstance", &kept);
    let name = [("DBInstanceIdentifier", "a")];
    let operation = "DescribeDBInstanceAutomatedBackups";
    assert_eq!(values(&lab.ok(DESTINATION, operation, &name), "Status"), ["active"]);
    lab.advance(120);
    let backups = lab.ok(DESTINATION, operation, &name);
    assert_eq!(values(&backups, "Status"), ["retained"]);
    let resource_id = values(&backups, "DbiResourceId").concat();
    let by_filter = [
        ("Filters.Filter.1.Name", "dbi-resource-id"),
        ("Filters.Filter.1.Values.Value.1", &*resource_id),
        ("Filters.Filter.2.Name", "status"),
        ("Filters.Filter.2.Values.Value.1", "retained"),
    ];
    assert_eq!(
        values(&lab.ok(DESTINATION, operation, &by_filter), "DBInstanceIdentifier"),
        ["a"]
    );
    let clusters = lab.ok(DESTINATION, "DescribeDBClusterAutomatedBackups", &[]);
    assert_eq!(values(&clusters, "Status"), ["active", "active"]);
    let unknown = [("DbiResourceId", "db-NONE")];
    assert!(values(&lab.ok(DESTINATION, operation, &unknown), "Status").is_empty());

    let mut lab = world(&json!({ "unknownBackupIsAnError": true }));
    assert_eq!(
        lab.code(DESTINATION, operation, &unknown),
        "DBInstanceAutomatedBackupNotFound"
    );
}

#[test]
fn a_deletion_can_be_made_slow_and_takes_as_long_as_the_time_scale_says() {
    let mut lab = world(&json!({}));
    lab.simulator.set_time_scale(lab.now, 100.0).unwrap();
    let slow = DatabaseChange {
        region: DESTINATION.to_owned(),
        name: "a".to_owned(),
        deleting_seconds: Some(7200),
        ..DatabaseChange::default()
    };
    lab.simulator.change_database(lab.now, &slow).unwrap();
    lab.ok(DESTINATION, "DeleteDBInstance", &delete("a"));
    lab.advance(71);
    assert!(
        lab.ids(DESTINATION, "DescribeDBInstances", &[])
            .contains(&"a".to_owned())
    );
    lab.advance(1);
    assert!(
        !lab.ids(DESTINATION, "DescribeDBInstances", &[])
            .contains(&"a".to_owned())
    );
}

#[test]
fn a_deletion_asks_for_the_tags_of_the_database_and_that_of_a_cluster_for_its_final_snapshot_too() {
    let databases = "arn:aws:rds:eu-central-1:123456789012:db:acme-drill-*";
    let clusters = "arn:aws:rds:eu-central-1:123456789012:cluster:acme-drill-*";
    let snapshots = "arn:aws:rds:eu-central-1:123456789012:cluster-snapshot:acme-drill-*";
    let own = json!({ "Effect": "Allow", "Action": "rds:Delete*", "Resource": [databases, clusters],
                      "Condition": { "StringEquals": { "aws:ResourceTag/drill": "acme" } } });
    let too = json!({ "Effect": "Allow", "Action": "rds:DeleteDBCluster", "Resource": snapshots });
    for (setting, statements, code) in [
        (true, json!([own]), Some("AccessDenied")),
        (true, json!([own, too]), None),
        (false, json!([own]), None),
    ] {
        let mut lab = Harness::new(json!({
            "settings": { "databases": { "clusterDeletionNeedsSnapshotRight": setting } },
            "regions": { DESTINATION: {
                "instances": [{ "id": "acme-drill-1", "tags": { "drill": "acme" } }, { "id": "acme-drill-2" },
                              { "id": "other", "tags": { "drill": "acme" } }],
                "clusters": [{ "id": "acme-drill-c", "members": 0, "tags": { "drill": "acme" } }]
            } }
        }));
        lab.allow("end-restore", &statements);
        lab.ok(DESTINATION, "DeleteDBInstance", &delete("acme-drill-1"));
        for denied in ["acme-drill-2", "other", "acme-drill-1x"] {
            assert_eq!(
                lab.code(DESTINATION, "DeleteDBInstance", &delete(denied)),
                "AccessDenied"
            );
        }
        match code {
            Some(code) => assert_eq!(
                lab.code(DESTINATION, "DeleteDBCluster", &delete_cluster("acme-drill-c")),
                code
            ),
            None => assert!(
                lab.ok(DESTINATION, "DeleteDBCluster", &delete_cluster("acme-drill-c"))
                    .contains("deleting")
            ),
        }
    }
}
