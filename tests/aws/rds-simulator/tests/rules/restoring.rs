//! Restores: what they inherit, what they refuse, and how long they take.

use serde_json::json;

use crate::harness::{DESTINATION, Harness, values};

fn world() -> Harness {
    Harness::new(json!({ "regions": { DESTINATION: {
        "kmsKeys": [{ "id": "copies" }, { "id": "gone", "enabled": false }],
        "instances": [{ "id": "a", "tags": { "team": "shop" } }],
        "clusters": [{ "id": "c", "engine": "aurora-postgresql" }],
        "snapshots": [
            { "kind": "instance", "id": "one", "database": "a", "ageHours": 9, "tags": { "team": "shop" } },
            { "kind": "instance", "id": "locked", "database": "a", "ageHours": 9, "kmsKey": "gone" },
            { "kind": "instance", "id": "unfinished", "database": "a", "ageHours": 9, "status": "creating" },
            { "kind": "cluster", "id": "two", "database": "c", "ageHours": 9 }
        ]
    } } }))
}

const INSTANCE: [(&str, &str); 2] = [("DBInstanceIdentifier", "b"), ("DBSnapshotIdentifier", "one")];

fn status(lab: &mut Harness, id: &str) -> String {
    let found = lab.ok(DESTINATION, "DescribeDBInstances", &[("DBInstanceIdentifier", id)]);
    values(&found, "DBInstanceStatus").concat()
}

#[test]
fn a_restored_instance_is_made_then_backed_up_then_available_and_inherits_tags_unless_some_are_given() {
    let mut lab = world();
    let reply = lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &INSTANCE);
    assert_eq!(values(&reply, "DBInstanceStatus"), ["creating"]);
    assert!(values(&reply, "Key").contains(&"team".to_owned()), "A1.2: {reply}");
    let tagged = [
        ("DBInstanceIdentifier", "d"),
        ("DBSnapshotIdentifier", "one"),
        ("BackupRetentionPeriod", "0"),
        ("Tags.Tag.1.Key", "purpose"),
        ("Tags.Tag.1.Value", "drill"),
    ];
    let reply = lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &tagged);
    assert_eq!(values(&reply, "Key"), ["purpose"]);
    assert_eq!(
        lab.code(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &INSTANCE),
        "DBInstanceAlreadyExists"
    );
    let change = [("DBInstanceIdentifier", "b"), ("DeletionProtection", "true")];
    assert_eq!(
        lab.code(DESTINATION, "ModifyDBInstance", &change),
        "InvalidDBInstanceState"
    );
    lab.advance(899);
    assert_eq!(status(&mut lab, "b"), "creating");
    lab.advance(1);
    assert_eq!(
        (status(&mut lab, "b"), status(&mut lab, "d")),
        ("backing-up".into(), "available".into())
    );
    lab.advance(300);
    assert_eq!(status(&mut lab, "b"), "available");
    lab.ok(DESTINATION, "ModifyDBInstance", &change);
    assert_eq!(status(&mut lab, "b"), "modifying");
    lab.advance(60);
    let found = lab.ok(DESTINATION, "DescribeDBInstances", &[("DBInstanceIdentifier", "b")]);
    assert_eq!(values(&found, "DeletionProtection"), ["true"]);
}

#[test]
fn what_cannot_be_restored_is_refused() {
    let mut lab = world();
    for (snapshot, code) in [
        ("nothing", "DBSnapshotNotFound"),
        ("unfinished", "InvalidDBSnapshotState"),
        ("locked", "KMSKeyNotAccessibleFault"),
    ] {
        let parameters = [("DBInstanceIdentifier", "b"), ("DBSnapshotIdentifier", snapshot)];
        assert_eq!(
            lab.code(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &parameters),
            code
        );
    }
    let more = |name, value| [INSTANCE[0], INSTANCE[1], (name, value)];
    for (name, value, code) in [
        ("OptionGroupName", "nothing", "OptionGroupNotFoundFault"),
        ("EngineVersion", "17.6", "UnknownParameter"),
    ] {
        assert_eq!(
            lab.code(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &more(name, value)),
            code
        );
    }
}

#[test]
fn a_restored_cluster_has_no_instance_until_one_is_created() {
    let mut lab = world();
    let cluster = [
        ("DBClusterIdentifier", "r"),
        ("SnapshotIdentifier", "two"),
        ("Engine", "aurora-postgresql"),
    ];
    let other_engine = [cluster[0], cluster[1], ("Engine", "aurora-mysql")];
    assert_eq!(
        lab.code(DESTINATION, "RestoreDBClusterFromSnapshot", &other_engine),
        "InvalidParameterCombination"
    );
    let no_backups = [cluster[0], cluster[1], cluster[2], ("BackupRetentionPeriod", "0")];
    assert_eq!(
        lab.code(DESTINATION, "RestoreDBClusterFromSnapshot", &no_backups),
        "InvalidParameterValue"
    );
    lab.ok(DESTINATION, "RestoreDBClusterFromSnapshot", &cluster);
    let member = [
        ("DBInstanceIdentifier", "r-1"),
        ("DBClusterIdentifier", "r"),
        ("DBInstanceClass", "db.r6g.large"),
        ("Engine", "aurora-postgresql"),
    ];
    assert_eq!(
        lab.code(DESTINATION, "CreateDBInstance", &member),
        "InvalidDBClusterStateFault"
    );
    lab.advance(900);
    let found = lab.ok(DESTINATION, "DescribeDBClusters", &[("DBClusterIdentifier", "r")]);
    assert_eq!(values(&found, "Status")[0], "available");
    assert_eq!(values(&found, "IsClusterWriter"), Vec::<String>::new());
    lab.ok(DESTINATION, "CreateDBInstance", &member);
    assert_eq!(status(&mut lab, "r-1"), "creating");
    lab.advance(600);
    assert_eq!(status(&mut lab, "r-1"), "available");
    let found = lab.ok(DESTINATION, "DescribeDBClusters", &[("DBClusterIdentifier", "r")]);
    assert_eq!(values(&found, "IsClusterWriter"), ["true"]);
    // Without a cluster it is an instance of its own, which needs more than that.
    let alone = [("DBInstanceIdentifier", "x"), member[2], member[3]];
    assert_eq!(lab.code(DESTINATION, "CreateDBInstance", &alone), "MissingParameter");
}
