//! Restores that end badly, what RDS tells of them, and what AWS would bill.

use rds_simulator::scenario::RestoreFate;
use rds_simulator::{Bill, Calls, Fault, Kind};
use serde_json::json;

use crate::harness::{DESTINATION, Harness, value, values};

fn world() -> Harness {
    Harness::new(json!({ "regions": { DESTINATION: {
        "restores": [
            { "database": "drill-bad-*", "status": "incompatible-restore", "times": 1 },
            { "snapshot": "locked", "status": "inaccessible-encryption-credentials", "creatingSeconds": 30 },
            { "database": "drill-odd", "status": "thinking-it-over", "deletingSeconds": 3600 },
            { "database": "drill-up*", "status": "upgrade-failed" }
        ],
        "instances": [{ "id": "a" }],
        "clusters": [{ "id": "c", "engine": "aurora-postgresql", "members": 0 }],
        "snapshots": [
            { "kind": "instance", "id": "one", "database": "a", "ageHours": 9 },
            { "kind": "instance", "id": "locked", "database": "a", "ageHours": 9 },
            { "kind": "cluster", "id": "two", "database": "c", "ageHours": 9 }
        ]
    } } }))
}

fn restore(lab: &mut Harness, id: &str, snapshot: &str) {
    let parameters = [
        ("DBInstanceIdentifier", id),
        ("DBSnapshotIdentifier", snapshot),
        ("BackupRetentionPeriod", "0"),
    ];
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &parameters);
}

fn restore_cluster(lab: &mut Harness, id: &str) {
    let parameters = [
        ("DBClusterIdentifier", id),
        ("SnapshotIdentifier", "two"),
        ("Engine", "aurora-postgresql"),
    ];
    lab.ok(DESTINATION, "RestoreDBClusterFromSnapshot", &parameters);
}

fn delete(lab: &mut Harness, id: &str) {
    let parameters = [("DBInstanceIdentifier", id), ("SkipFinalSnapshot", "true")];
    lab.ok(DESTINATION, "DeleteDBInstance", &parameters);
}

fn status(lab: &mut Harness, id: &str) -> String {
    let state = lab.simulator.state(lab.now);
    state
        .database(DESTINATION, id)
        .map_or_else(|| "gone".to_owned(), |database| database.status.clone())
}

fn events(lab: &mut Harness, source_type: &str, source: &str, more: &[(&str, &str)]) -> Vec<String> {
    let asked = [("SourceType", source_type), ("SourceIdentifier", source)];
    let found = lab.ok(DESTINATION, "DescribeEvents", &[asked.as_slice(), more].concat());
    let mut told: Vec<(String, String)> = values(&found, "Date")
        .into_iter()
        .zip(values(&found, "Message"))
        .collect();
    told.sort();
    told.into_iter().map(|(_, message)| message).collect()
}

fn bill(lab: &mut Harness, id: &str) -> Bill {
    let counters = lab.simulator.counters(lab.now);
    let bill = counters.restored.iter().rev().find(|bill| bill.id == id);
    bill.unwrap().clone()
}

#[track_caller]
fn assert_minutes(bill: &Bill, billed: f64, storage: f64) {
    let off = (bill.billed_minutes - billed).abs() + (bill.storage_minutes - storage).abs();
    assert!(off < 0.001, "{bill:?}");
}

#[test]
fn a_restore_ends_as_its_scenario_says_and_stays_so_until_it_is_deleted() {
    let mut lab = world();
    restore(&mut lab, "drill-bad-1", "one");
    restore(&mut lab, "drill-bad-2", "one");
    restore(&mut lab, "x", "locked");
    restore(&mut lab, "drill-odd", "one");
    lab.advance(30);
    assert_eq!(status(&mut lab, "x"), "inaccessible-encryption-credentials");
    lab.advance(870);
    assert_eq!(status(&mut lab, "drill-bad-1"), "incompatible-restore");
    assert_eq!(status(&mut lab, "drill-bad-2"), "available", "only once");
    assert_eq!(status(&mut lab, "drill-odd"), "thinking-it-over");
    let found = lab.ok(
        DESTINATION,
        "DescribeDBInstances",
        &[("DBInstanceIdentifier", "drill-bad-1")],
    );
    assert!(values(&found, "Endpoint").is_empty());
    let change = [("DBInstanceIdentifier", "drill-bad-1"), ("MonitoringInterval", "0")];
    assert_eq!(
        lab.code(DESTINATION, "ModifyDBInstance", &change),
        "InvalidDBInstanceState"
    );
    lab.advance(1_000_000);
    assert_eq!(status(&mut lab, "drill-odd"), "thinking-it-over");
    delete(&mut lab, "drill-odd");
    delete(&mut lab, "drill-bad-1");
    lab.advance(3599);
    assert_eq!(status(&mut lab, "drill-odd"), "deleting");
    assert_eq!(status(&mut lab, "drill-bad-1"), "gone");
    lab.advance(1);
    assert_eq!(status(&mut lab, "drill-odd"), "gone");
}

#[test]
fn a_failed_upgrade_of_a_cluster_leaves_a_final_snapshot_that_outlives_it() {
    let mut lab = world();
    restore_cluster(&mut lab, "drill-up");
    lab.advance(900);
    assert_eq!(status(&mut lab, "drill-up"), "upgrade-failed");
    let parameters = [("DBClusterIdentifier", "drill-up"), ("SkipFinalSnapshot", "true")];
    lab.ok(DESTINATION, "DeleteDBCluster", &parameters);
    lab.advance(120);
    assert_eq!(status(&mut lab, "drill-up"), "gone");
    let left = lab.ids(DESTINATION, "DescribeDBClusterSnapshots", &[("SnapshotType", "manual")]);
    assert!(left.iter().any(|id| id.starts_with("rds-final-drill-up-")), "{left:?}");
}

#[test]
fn the_control_api_says_how_restores_end_and_faults_refuse_them() {
    let mut lab = world();
    let fate = json!({ "region": DESTINATION, "fate": { "database": "d", "status": "restore-error" } });
    let body = fate.to_string();
    let (code, _) = rds_simulator::control(&mut lab.simulator, lab.now, "POST", "restore-fate", body.as_bytes());
    assert_eq!(code, 200);
    lab.simulator.add_restore_fate(
        DESTINATION,
        RestoreFate::ends_as("e", "storage-full").restored_from("one"),
    );
    restore(&mut lab, "d", "one");
    restore(&mut lab, "e", "one");
    lab.advance(900);
    assert_eq!(status(&mut lab, "d"), "restore-error");
    assert_eq!(status(&mut lab, "e"), "storage-full");
    let calls = Calls::to("RestoreDBInstanceFromDBSnapshot").with("DBInstanceIdentifier", "f");
    lab.simulator
        .add_fault(Fault::error(calls, "InsufficientDBInstanceCapacity", ""));
    let refused = [("DBInstanceIdentifier", "f"), ("DBSnapshotIdentifier", "one")];
    assert_eq!(
        lab.code(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &refused),
        "InsufficientDBInstanceCapacity"
    );
}

#[test]
fn events_tell_when_a_database_was_restored_failed_and_deleted() {
    let mut lab = world();
    restore(&mut lab, "b", "one");
    restore(&mut lab, "drill-bad-1", "one");
    restore_cluster(&mut lab, "r");
    lab.advance(900);
    assert_eq!(events(&mut lab, "db-instance", "b", &[]), ["DB instance created"]);
    assert_eq!(
        events(&mut lab, "db-snapshot", "one", &[]),
        ["Restored from snapshot one"]
    );
    assert_eq!(events(&mut lab, "db-cluster", "r", &[]), ["DB cluster created"]);
    let failures = [("EventCategories.EventCategory.1", "failure")];
    assert_eq!(events(&mut lab, "db-instance", "drill-bad-1", &failures).len(), 1);
    assert!(events(&mut lab, "db-instance", "b", &failures).is_empty());
    delete(&mut lab, "b");
    lab.advance(600);
    let told = events(&mut lab, "db-instance", "b", &[]);
    assert_eq!(told, ["DB instance created", "DB instance deleted"]);
    let found = lab.ok(DESTINATION, "DescribeEvents", &[("SourceType", "db-cluster")]);
    assert_eq!(value(&found, "Date"), "2026-11-22T12:15:00.000Z");
    lab.advance(3600);
    assert!(events(&mut lab, "db-instance", "b", &[]).is_empty());
    assert_eq!(events(&mut lab, "db-instance", "b", &[("Duration", "20160")]), told);
    let from = [("StartTime", "2026-11-22T12:16:00Z")];
    assert_eq!(events(&mut lab, "db-instance", "b", &from), ["DB instance deleted"]);
    for (parameters, code) in [
        ([("SourceIdentifier", "b")], "InvalidParameterCombination"),
        ([("SourceType", "database")], "InvalidParameterValue"),
        ([("Duration", "20161")], "InvalidParameterValue"),
        ([("StartTime", "noon")], "InvalidParameterValue"),
    ] {
        assert_eq!(lab.code(DESTINATION, "DescribeEvents", &parameters), code);
    }
}

#[test]
fn events_come_in_pages() {
    let mut lab = world();
    for number in 0..12 {
        restore(&mut lab, &format!("b{number}"), "one");
    }
    lab.advance(900);
    let first = lab.ok(DESTINATION, "DescribeEvents", &[("MaxRecords", "20")]);
    let marker = value(&first, "Marker");
    let rest = lab.ok(
        DESTINATION,
        "DescribeEvents",
        &[("MaxRecords", "20"), ("Marker", &marker)],
    );
    let sources = [values(&first, "SourceIdentifier"), values(&rest, "SourceIdentifier")].concat();
    assert_eq!(sources.len(), 24);
    assert_eq!(sources.iter().filter(|source| *source == "one").count(), 12);
}

#[test]
fn a_bill_begins_with_availability_has_a_minimum_and_ends_with_the_deletion() {
    let mut lab = world();
    restore(&mut lab, "b", "one");
    lab.advance(899);
    assert_minutes(&bill(&mut lab, "b"), 0.0, 0.0);
    lab.advance(1);
    assert_minutes(&bill(&mut lab, "b"), 10.0, 0.0);
    lab.advance(600);
    assert_minutes(&bill(&mut lab, "b"), 10.0, 0.0);
    lab.advance(1200);
    assert_minutes(&bill(&mut lab, "b"), 30.0, 0.0);
    delete(&mut lab, "b");
    lab.advance(119);
    assert!(bill(&mut lab, "b").exists);
    lab.advance(1_000_000);
    let ended = bill(&mut lab, "b");
    assert_minutes(&ended, 30.0, 0.0);
    assert_eq!((ended.exists, ended.snapshot.as_deref()), (false, Some("one")));
}

#[test]
fn what_is_dead_costs_nothing_but_for_some_statuses_that_still_do() {
    let mut lab = world();
    restore(&mut lab, "drill-bad-1", "one");
    lab.simulator
        .add_restore_fate(DESTINATION, RestoreFate::ends_as("e", "restore-error"));
    restore(&mut lab, "e", "one");
    lab.advance(900 + 3600);
    assert_minutes(&bill(&mut lab, "drill-bad-1"), 0.0, 0.0);
    assert_minutes(&bill(&mut lab, "e"), 60.0, 0.0);
    lab.simulator.drop_database(lab.now, DESTINATION, "e");
    lab.advance(60);
    assert!(!bill(&mut lab, "e").exists);
}

#[test]
fn a_cluster_costs_its_storage_and_its_members_cost_for_themselves() {
    let mut lab = world();
    restore_cluster(&mut lab, "r");
    lab.advance(900);
    let member = [
        ("DBInstanceIdentifier", "r-1"),
        ("DBClusterIdentifier", "r"),
        ("DBInstanceClass", "db.r6g.large"),
        ("Engine", "aurora-postgresql"),
    ];
    lab.ok(DESTINATION, "CreateDBInstance", &member);
    lab.advance(600 + 1800);
    let bills = lab.simulator.counters(lab.now).restored;
    assert_eq!(
        bills
            .iter()
            .map(|bill| (bill.kind, bill.id.as_str()))
            .collect::<Vec<_>>(),
        [(Kind::Cluster, "r"), (Kind::Instance, "r-1")]
    );
    assert_minutes(&bills[0], 0.0, 40.0);
    assert_minutes(&bills[1], 30.0, 0.0);
    assert_eq!(bills[1].cluster.as_deref(), Some("r"));
}

#[test]
fn a_bill_counts_simulated_minutes_also_of_a_database_that_is_kept_under_another_name() {
    let mut lab = world();
    lab.simulator.set_time_scale(lab.now, 100.0).unwrap();
    restore(&mut lab, "b", "one");
    lab.advance(9);
    lab.simulator
        .rename_database(lab.now, DESTINATION, "b", "orders")
        .unwrap();
    lab.advance(36);
    assert_minutes(&bill(&mut lab, "orders"), 60.0, 0.0);
}
