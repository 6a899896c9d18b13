//! How snapshots go (M1, cases 03 and 04): it takes time, and it can be refused.

use rds_simulator::{Calls, Fault};
use serde_json::{Value, json};

use crate::lab::{DESTINATION, Lab, values};

fn world(settings: &Value) -> Lab {
    Lab::new(json!({ "settings": settings, "regions": { DESTINATION: {
        "manualSnapshotQuota": { "instances": 3, "clusters": 1 },
        "instances": [{ "id": "a" }],
        "clusters": [{ "id": "c" }],
        "snapshots": [
            { "kind": "instance", "id": "one", "database": "a", "ageHours": 9 },
            { "kind": "instance", "id": "going", "database": "a", "ageHours": 9, "status": "deleting" },
            { "kind": "instance", "id": "kept", "database": "a", "ageHours": 9, "undeletable": "It is being exported." },
            { "kind": "cluster", "id": "two", "database": "c", "ageHours": 9 }
        ]
    } } }))
}

const ONE: [(&str, &str); 1] = [("DBSnapshotIdentifier", "one")];
const TWO: [(&str, &str); 1] = [("DBClusterSnapshotIdentifier", "two")];

#[test]
fn a_deleted_snapshot_is_listed_as_deleting_until_it_is_gone_and_is_not_deleted_twice() {
    let mut lab = world(&json!({ "deleteSeconds": 30 }));
    for (delete, describe, parameters, code) in [
        ("DeleteDBSnapshot", "DescribeDBSnapshots", ONE, "InvalidDBSnapshotState"),
        (
            "DeleteDBClusterSnapshot",
            "DescribeDBClusterSnapshots",
            TWO,
            "InvalidDBClusterSnapshotStateFault",
        ),
    ] {
        let reply = lab.ok(DESTINATION, delete, &parameters);
        assert_eq!(values(&reply, "Status"), ["deleted"]);
        lab.advance(29);
        let listed = lab.ok(DESTINATION, describe, &parameters);
        assert_eq!(values(&listed, "Status"), ["deleting"]);
        let (status, found, message) = lab.refused(DESTINATION, delete, &parameters);
        assert_eq!((status, found.as_str()), (400, code));
        assert!(message.ends_with("deleting"), "{message}");
        lab.advance(1);
        assert!(lab.code(DESTINATION, describe, &parameters).contains("NotFound"));
    }
}

#[test]
fn a_deletion_takes_a_few_seconds_whatever_the_time_scale_is_unless_it_takes_none() {
    let mut lab = world(&json!({}));
    lab.simulator.set_time_scale(lab.now, 1000.0).unwrap();
    lab.ok(DESTINATION, "DeleteDBSnapshot", &ONE);
    lab.advance(4);
    assert!(
        lab.ids(DESTINATION, "DescribeDBSnapshots", &[])
            .contains(&"one".to_owned())
    );
    lab.advance(1);
    assert!(
        !lab.ids(DESTINATION, "DescribeDBSnapshots", &[])
            .contains(&"one".to_owned())
    );

    let mut lab = world(&json!({ "deleteSeconds": 0 }));
    lab.ok(DESTINATION, "DeleteDBSnapshot", &ONE);
    assert_eq!(lab.code(DESTINATION, "DescribeDBSnapshots", &ONE), "DBSnapshotNotFound");
}

#[test]
fn what_is_being_deleted_stands_apart_in_the_state_frees_the_quota_and_keeps_its_name() {
    let mut lab = world(&json!({ "deleteSeconds": 30 }));
    let create = |id| [("DBSnapshotIdentifier", id), ("DBInstanceIdentifier", "a")];
    lab.ok(DESTINATION, "CreateDBSnapshot", &create("three"));
    assert_eq!(
        lab.code(DESTINATION, "CreateDBSnapshot", &create("four")),
        "SnapshotQuotaExceeded"
    );
    lab.ok(DESTINATION, "DeleteDBSnapshot", &ONE);
    let state = lab.simulator.state(lab.now);
    assert!(state.snapshot(DESTINATION, "one").is_none());
    let deleting: Vec<&str> = state
        .deleting(DESTINATION)
        .iter()
        .map(|snapshot| snapshot.id.as_str())
        .collect();
    assert_eq!(deleting, ["going", "one"]);
    assert_eq!(
        lab.code(DESTINATION, "CreateDBSnapshot", &create("one")),
        "DBSnapshotAlreadyExists"
    );
    lab.ok(DESTINATION, "CreateDBSnapshot", &create("four"));
}

#[test]
fn a_seeded_deleting_snapshot_stays_and_an_undeletable_one_is_refused_every_time() {
    let mut lab = world(&json!({}));
    let going = [("DBSnapshotIdentifier", "going")];
    assert_eq!(
        lab.code(DESTINATION, "DeleteDBSnapshot", &going),
        "InvalidDBSnapshotState"
    );
    lab.advance(1_000_000);
    assert_eq!(lab.ids(DESTINATION, "DescribeDBSnapshots", &going), ["going"]);
    for _ in 0..3 {
        let kept = [("DBSnapshotIdentifier", "kept")];
        let (_, code, message) = lab.refused(DESTINATION, "DeleteDBSnapshot", &kept);
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("InvalidDBSnapshotState", "It is being exported.")
        );
    }
}

#[test]
fn a_fault_finds_a_seeded_copy_by_its_alias() {
    let mut lab = Lab::new(json!({ "regions": { DESTINATION: { "snapshots": [
        { "kind": "instance", "id": "acme-books-27h", "database": "books", "ageHours": 26, "copyOf": {},
          "tags": { "snapferry:owner": "eu-west-1/acme", "snapferry:kms-key": "none",
                    "snapferry:source-arn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:books-{stamp:27}" } }
    ] } } }));
    let id = lab.simulator.state(lab.now).snapshots(DESTINATION)[0].id.clone();
    lab.simulator.add_fault(Fault::error(
        Calls::to("DeleteDBSnapshot").with("DBSnapshotIdentifier", "acme-books-27h"),
        "InvalidDBSnapshotState",
        "in use",
    ));
    let delete = [("DBSnapshotIdentifier", id.as_str())];
    assert_eq!(
        lab.code(DESTINATION, "DeleteDBSnapshot", &delete),
        "InvalidDBSnapshotState"
    );
    assert!(
        lab.simulator
            .expire(lab.now, "arn:aws:rds:eu-central-1:123456789012:snapshot:acme-books-27h")
    );
}
