//! Restores, renames, switchovers, and snapshots that inherit tags (H2, H5, H6, cases 01b, 07, 11, 13).

use rds_simulator::{DatabaseChange, NewSnapshot, Restore};
use serde_json::{Value, json};

use crate::lab::{DESTINATION, Lab, SOURCE, SOURCE_KEY, value};

fn lab() -> Lab {
    Lab::new(json!({ "regions": { SOURCE: {
        "kmsKeys": [{ "id": "1111", "aliases": ["alias/databases"] }],
        "instances": [
            { "id": "books", "engine": "mysql", "kmsKey": "1111", "storageType": "io2", "iops": 4000,
              "copyTagsToSnapshot": true, "tags": { "team": "shop" },
              "snapshots": [{ "ageHours": 3, "tags": { "own": "1", "aws:made-by": "x" } }] },
            { "id": "green", "engine": "mysql", "snapshots": [{ "ageHours": 1 }] },
            { "id": "reader", "replicaOf": "books" }
        ],
        "clusters": [{ "id": "graph", "members": 2, "snapshots": [{ "ageHours": 3, "tags": { "a": "b" } }] }]
    } } }))
}

fn restore(snapshot: &str, database: &str, tags: &Value) -> Restore {
    serde_json::from_value(json!({ "region": SOURCE, "snapshot": snapshot, "database": database, "tags": tags }))
        .unwrap()
}

fn snapshot_of(database: &str) -> NewSnapshot {
    NewSnapshot {
        region: SOURCE.to_owned(),
        database: database.to_owned(),
        ..NewSnapshot::default()
    }
}

#[test]
fn a_restored_database_inherits_the_tags_of_its_snapshot_unless_some_are_given() {
    let mut lab = lab();
    let source = lab.newest("books");
    lab.simulator
        .restore(lab.now, &restore(&source, "heir", &json!({})))
        .unwrap();
    lab.simulator
        .restore(lab.now, &restore(&source, "own", &json!({ "mine": "1" })))
        .unwrap();
    let state = lab.simulator.state(lab.now);
    let database = |id: &str| state.database(SOURCE, id).unwrap();
    assert_eq!(json!(database("heir").tags), json!({ "team": "shop", "own": "1" }));
    assert_eq!(json!(database("own").tags), json!({ "mine": "1" }));
    let ids = ["books", "heir", "own"].map(|id| &database(id).resource_id);
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    assert_eq!(
        (database("heir").engine.as_str(), database("heir").kms_key.as_deref()),
        ("mysql", Some(SOURCE_KEY))
    );
    let heir = lab.ok(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", "heir")]);
    assert_eq!(value(&heir, "StorageType"), "io2");
    for (snapshot, database, says) in [
        (source.as_str(), "books", "one of this id already"),
        ("nothing", "x", "there is no snapshot nothing"),
        (source.as_str(), "a--b", "hyphens"),
    ] {
        let error = lab
            .simulator
            .restore(lab.now, &restore(snapshot, database, &json!({})))
            .unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_restored_cluster_has_a_member_and_a_dropped_and_restored_one_is_another_database() {
    let mut lab = lab();
    let source = lab.newest("graph");
    let mut order = restore(&source, "map", &json!({}));
    lab.simulator.restore(lab.now, &order).unwrap();
    let first = lab
        .simulator
        .state(lab.now)
        .database(SOURCE, "map")
        .unwrap()
        .resource_id
        .clone();
    assert!(first.starts_with("cluster-"), "{first}");
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", "map-1")])
            .len(),
        1
    );
    assert!(lab.simulator.drop_database(lab.now, SOURCE, "map"));
    order.backup_retention_days = Some(1);
    lab.simulator.restore(lab.now, &order).unwrap();
    assert_ne!(
        lab.simulator
            .state(lab.now)
            .database(SOURCE, "map")
            .unwrap()
            .resource_id,
        first
    );
}

#[test]
fn tags_go_to_snapshots_only_where_the_database_copies_them_and_never_to_copies() {
    let mut lab = lab();
    let arn = lab.newest("books");
    let seeded = lab.ok(SOURCE, "DescribeDBSnapshots", &[("DBSnapshotIdentifier", arn.as_str())]);
    assert!(seeded.contains("team") && seeded.contains("own"), "{seeded}");
    let tags_of = |lab: &mut Lab, database: &str, id: &str| {
        let parameters = [
            ("DBSnapshotIdentifier", id),
            ("DBInstanceIdentifier", database),
            ("Tags.Tag.1.Key", "k"),
            ("Tags.Tag.1.Value", "v"),
        ];
        lab.ok(SOURCE, "CreateDBSnapshot", &parameters);
        json!(lab.snapshot(SOURCE, id).unwrap().tags)
    };
    assert_eq!(tags_of(&mut lab, "books", "with"), json!({ "team": "shop", "k": "v" }));
    assert_eq!(tags_of(&mut lab, "green", "without"), json!({ "k": "v" }));
    let change = DatabaseChange {
        region: SOURCE.to_owned(),
        name: "books".to_owned(),
        copy_tags_to_snapshot: Some(false),
        tags: Some([("team".to_owned(), "else".to_owned())].into()),
        ..DatabaseChange::default()
    };
    lab.simulator.change_database(lab.now, &change).unwrap();
    assert_eq!(tags_of(&mut lab, "books", "later"), json!({ "k": "v" }));
    assert_eq!(
        lab.simulator.state(lab.now).database(SOURCE, "books").unwrap().tags["team"],
        "else"
    );
    lab.advance(120);
    let source = lab.newest("books");
    lab.ok(
        DESTINATION,
        "CopyDBSnapshot",
        &[
            ("SourceDBSnapshotIdentifier", source.as_str()),
            ("TargetDBSnapshotIdentifier", "copy"),
            ("KmsKeyId", "alias/aws/rds"),
        ],
    );
    assert!(lab.snapshot(DESTINATION, "copy").unwrap().tags.is_empty());
}

#[test]
fn a_renamed_database_is_the_same_one_and_its_old_snapshots_keep_its_old_name() {
    let mut lab = lab();
    let resource_id = |lab: &mut Lab, id: &str| {
        lab.simulator
            .state(lab.now)
            .database(SOURCE, id)
            .unwrap()
            .resource_id
            .clone()
    };
    let before = resource_id(&mut lab, "books");
    lab.simulator
        .rename_database(lab.now, SOURCE, "books", "Library")
        .unwrap();
    assert_eq!(resource_id(&mut lab, "library"), before);
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBSnapshots", &[("DBInstanceIdentifier", "books")])
            .len(),
        1
    );
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBSnapshots", &[("DbiResourceId", before.as_str())])
            .len(),
        1
    );
    let reader = lab.ok(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", "reader")]);
    assert_eq!(value(&reader, "ReadReplicaSourceDBInstanceIdentifier"), "library");
    let arn = lab.simulator.take_snapshot(lab.now, &snapshot_of("library")).unwrap();
    assert!(arn.ends_with(":snapshot:rds:library-2026-11-22-12-00"), "{arn}");
    for (from, to) in [("books", "x"), ("library", "green"), ("library", "a--b")] {
        assert!(
            lab.simulator.rename_database(lab.now, SOURCE, from, to).is_err(),
            "{from} {to}"
        );
    }
    lab.simulator.rename_database(lab.now, SOURCE, "graph", "map").unwrap();
    let members = [
        ("Filters.Filter.1.Name", "db-cluster-id"),
        ("Filters.Filter.1.Values.Value.1", "map"),
    ];
    assert_eq!(lab.ids(SOURCE, "DescribeDBInstances", &members).len(), 2);
    // What is dropped takes its automated snapshots along, whatever they are called.
    assert!(lab.simulator.drop_database(lab.now, SOURCE, "library"));
    assert_eq!(lab.ids(SOURCE, "DescribeDBSnapshots", &[]).len(), 1);
}

#[test]
fn a_switchover_swaps_names_and_not_databases() {
    let mut lab = lab();
    let before = lab.simulator.state(lab.now);
    assert!(lab.simulator.switch_over(lab.now, SOURCE, "books", "nothing").is_err());
    assert_eq!(lab.simulator.state(lab.now), before);
    lab.simulator.switch_over(lab.now, SOURCE, "books", "green").unwrap();
    let after = lab.simulator.state(lab.now);
    let id = |state: &rds_simulator::State, name: &str| state.database(SOURCE, name).unwrap().resource_id.clone();
    assert_eq!(id(&after, "books"), id(&before, "green"));
    assert_eq!(id(&after, "books-old1"), id(&before, "books"));
    assert!(after.database(SOURCE, "green").is_none());
}

#[test]
fn rds_takes_no_automated_snapshot_of_what_keeps_none_or_is_stopped() {
    let mut lab = lab();
    assert!(lab.simulator.take_snapshot(lab.now, &snapshot_of("reader")).is_err());
    let stopped = DatabaseChange {
        region: SOURCE.to_owned(),
        name: "green".to_owned(),
        status: Some("stopped".to_owned()),
        ..DatabaseChange::default()
    };
    lab.simulator.change_database(lab.now, &stopped).unwrap();
    let error = lab
        .simulator
        .take_snapshot(lab.now, &snapshot_of("green"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("green is stopped"), "{error}");
    let backup = NewSnapshot {
        snapshot_type: Some("awsbackup".to_owned()),
        available_after_seconds: Some(60.0),
        ..snapshot_of("green")
    };
    let arn = lab.simulator.take_snapshot(lab.now, &backup).unwrap();
    let state = lab.simulator.state(lab.now);
    let made = state
        .snapshots(SOURCE)
        .iter()
        .find(|snapshot| snapshot.arn == arn)
        .unwrap();
    assert_eq!(
        (made.snapshot_type.as_str(), made.status.as_str()),
        ("awsbackup", "creating")
    );
}

#[test]
fn the_control_api_does_the_same() {
    let mut lab = lab();
    let control = |lab: &mut Lab, path: &str, body: &Value| {
        rds_simulator::control(&mut lab.simulator, lab.now, "POST", path, body.to_string().as_bytes())
    };
    let name = lab.newest("green").rsplit_once("snapshot:").unwrap().1.to_owned();
    for (path, body, status) in [
        (
            "restore",
            json!({ "region": SOURCE, "snapshot": name, "database": "heir" }),
            200,
        ),
        (
            "restore",
            json!({ "region": SOURCE, "snapshot": name, "database": "heir" }),
            400,
        ),
        ("restore", json!({ "region": SOURCE, "snapshot": name }), 400),
        (
            "rename",
            json!({ "region": SOURCE, "name": "heir", "to": "heiress" }),
            200,
        ),
        (
            "switchover",
            json!({ "region": SOURCE, "blue": "books", "green": "heiress" }),
            200,
        ),
        (
            "change-database",
            json!({ "region": SOURCE, "name": "books", "status": "stopped" }),
            200,
        ),
        ("delete-snapshot", json!({ "region": SOURCE, "name": name }), 200),
        ("delete-snapshot", json!({ "region": SOURCE, "name": name }), 404),
    ] {
        let (found, reply) = control(&mut lab, path, &body);
        assert_eq!(found, status, "{path}: {reply}");
    }
    let taken = json!({ "region": SOURCE, "database": "books-old1", "id": "by-hand", "tags": { "k": "v" } });
    let (_, reply) = control(&mut lab, "create-snapshot", &taken);
    assert_eq!(reply["arn"], "arn:aws:rds:eu-west-1:123456789012:snapshot:by-hand");
    assert_eq!(lab.snapshot(SOURCE, "by-hand").unwrap().snapshot_type, "manual");
}
