//! What databases and snapshots report of themselves beside their names.

use serde_json::{Value, json};

use crate::lab::{DESTINATION, Lab, SOURCE, value, values};

/// The members of these names, each of which is reported once.
fn members(xml: &str, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| value(xml, name)).collect()
}

fn instances(instances: &Value) -> Lab {
    Lab::new(json!({ "regions": { SOURCE: { "instances": instances } } }))
}

#[test]
fn replicas_name_their_source_and_keep_no_automated_snapshots_unless_they_say_so() {
    let mut lab = Lab::new(json!({ "regions": { SOURCE: {
        "instances": [
            { "id": "books" },
            { "id": "reader", "replicaOf": "books" },
            { "id": "backed-up", "replicaOf": "books", "backupRetentionDays": 3 },
            { "id": "none", "backupRetentionDays": 0, "status": "stopped",
              "awsBackupRecoveryPointArn": "arn:aws:backup:eu-west-1:123456789012:recovery-point:continuous:db-x" },
        ],
        "clusters": [{ "id": "far", "replicaOf": "arn:aws:rds:eu-north-1:123456789012:cluster:near" }]
    } } }));
    let mut described = |id: &str| lab.ok(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", id)]);
    let books = described("books");
    assert_eq!(value(&books, "BackupRetentionPeriod"), "7");
    assert_eq!(
        values(&books, "ReadReplicaDBInstanceIdentifier"),
        ["backed-up", "reader"]
    );
    assert!(values(&books, "ReadReplicaSourceDBInstanceIdentifier").is_empty());
    for (id, days) in [("reader", "0"), ("backed-up", "3")] {
        let names = ["ReadReplicaSourceDBInstanceIdentifier", "BackupRetentionPeriod"];
        assert_eq!(members(&described(id), &names), ["books", days]);
    }
    let none = described("none");
    assert_eq!(
        members(&none, &["DBInstanceStatus", "BackupRetentionPeriod"]),
        ["stopped", "0"]
    );
    assert!(value(&none, "AwsBackupRecoveryPointArn").ends_with("continuous:db-x"));
    let cluster = lab.ok(SOURCE, "DescribeDBClusters", &[("DBClusterIdentifier", "far")]);
    assert!(value(&cluster, "ReplicationSourceIdentifier").ends_with("eu-north-1:123456789012:cluster:near"));
}

#[test]
fn a_snapshot_and_its_copy_report_the_settings_of_the_database() {
    let mut lab = instances(&json!([{
        "id": "books", "storageType": "io2", "iops": 3000, "storageThroughput": 500, "port": 5433,
        "iamDatabaseAuthenticationEnabled": true, "licenseModel": "bring-your-own-license", "deletionProtection": true,
        "enabledCloudwatchLogsExports": ["postgresql", "upgrade"], "maxAllocatedStorage": 900,
        "monitoringInterval": 60, "caCertificateIdentifier": "rds-ca-ecc384-g1", "backupRetentionDays": 35,
        "snapshots": [{ "ageHours": 3 }]
    }]));
    let shared = [
        ("StorageType", "io2"),
        ("Iops", "3000"),
        ("StorageThroughput", "500"),
        ("IAMDatabaseAuthenticationEnabled", "true"),
        ("LicenseModel", "bring-your-own-license"),
        ("Port", "5433"),
        ("BackupRetentionPeriod", "35"),
    ];
    let of_databases = [
        ("DeletionProtection", "true"),
        ("MaxAllocatedStorage", "900"),
        ("MonitoringInterval", "60"),
        ("CACertificateIdentifier", "rds-ca-ecc384-g1"),
    ];
    let database = lab.ok(SOURCE, "DescribeDBInstances", &[]);
    for (name, expected) in shared.iter().chain(&of_databases) {
        assert_eq!(value(&database, name), *expected, "{name}");
    }
    assert_eq!(values(&database, "member"), ["postgresql", "upgrade"]);
    let snapshot = lab.ok(SOURCE, "DescribeDBSnapshots", &[]);
    lab.copy("books", "copy");
    let copy = lab.ok(DESTINATION, "DescribeDBSnapshots", &[]);
    for (name, expected) in shared {
        assert_eq!(value(&snapshot, name), expected, "{name}");
        assert_eq!(value(&copy, name), expected, "{name} of the copy");
    }
}

#[test]
fn a_serverless_cluster_reports_how_it_scales() {
    let mut lab = Lab::new(json!({ "regions": { SOURCE: { "clusters": [{ "id": "c",
        "serverlessV2ScalingConfiguration": { "minCapacity": 0.5, "maxCapacity": 16.0 } }] } } }));
    let cluster = lab.ok(SOURCE, "DescribeDBClusters", &[]);
    assert_eq!(members(&cluster, &["MinCapacity", "MaxCapacity"]), ["0.5", "16"]);
}

#[test]
fn an_instance_snapshot_reports_its_data_time_and_full_size_which_its_copy_keeps() {
    let mut lab = instances(&json!([
        { "id": "plain", "sizeGib": 2, "snapshots": [{ "ageHours": 3 }] },
        { "id": "lags", "snapshots": [{ "ageHours": 3, "databaseTimeAgeHours": 5, "fullSnapshotSizeBytes": 77 }] }
    ]));
    let names = ["SnapshotDatabaseTime", "FullSnapshotSizeInBytes"];
    for (id, expected) in [
        ("plain", ["2026-11-22T09:00:00.000Z", "2147483648"]),
        ("lags", ["2026-11-22T07:00:00.000Z", "77"]),
    ] {
        let snapshot = lab.ok(SOURCE, "DescribeDBSnapshots", &[("DBInstanceIdentifier", id)]);
        assert_eq!(members(&snapshot, &names), expected);
        lab.copy(id, &format!("copy-{id}"));
        let copy = lab.ok(DESTINATION, "DescribeDBSnapshots", &[("DBInstanceIdentifier", id)]);
        assert_eq!(members(&copy, &names), expected);
    }
}

#[test]
fn members_are_left_out_by_engine_by_database_and_by_snapshot() {
    let cluster = |id: &str, engine: &str| json!({ "id": id, "engine": engine, "snapshots": [{ "ageHours": 3 }] });
    let mut lab = Lab::new(json!({
        "settings": { "engines": { "docdb": { "omits": ["DbClusterResourceId"], "ignoresResourceId": true } } },
        "regions": { SOURCE: {
            "instances": [
                { "id": "no-source", "omits": ["SourceDBSnapshotIdentifier"], "snapshots": [{ "ageHours": 3 }] },
                { "id": "no-time", "snapshots": [{ "ageHours": 3, "omits": ["SnapshotDatabaseTime"] }] }
            ],
            "clusters": [cluster("d1", "docdb"), cluster("d2", "docdb"), cluster("aurora", "aurora-mysql")]
        } }
    }));
    for (database, omitted) in [
        ("no-source", "SourceDBSnapshotIdentifier"),
        ("no-time", "SnapshotDatabaseTime"),
    ] {
        lab.copy(database, database);
        let copy = lab.ok(
            DESTINATION,
            "DescribeDBSnapshots",
            &[("DBSnapshotIdentifier", database)],
        );
        assert!(values(&copy, omitted).is_empty(), "{copy}");
        assert_eq!(values(&copy, "SourceRegion"), [SOURCE]);
    }
    // Finding P1: whatever cluster is asked for, all of this engine are listed.
    let state = lab.simulator.state(lab.now);
    let asked = state.database(SOURCE, "d1").unwrap().resource_id.clone();
    let found = lab.ok(
        SOURCE,
        "DescribeDBClusterSnapshots",
        &[("DbClusterResourceId", asked.as_str())],
    );
    assert_eq!(values(&found, "DBClusterIdentifier").len(), 2);
    assert!(values(&found, "DbClusterResourceId").is_empty());
    let asked = state.database(SOURCE, "aurora").unwrap().resource_id.clone();
    let found = lab.ok(
        SOURCE,
        "DescribeDBClusterSnapshots",
        &[("DbClusterResourceId", asked.as_str())],
    );
    assert!(values(&found, "DBClusterIdentifier").contains(&"aurora".to_owned()));
    assert_eq!(values(&found, "DbClusterResourceId"), [asked]);
}

#[test]
fn a_snapshot_that_is_seeded_as_creating_becomes_available_in_its_time() {
    let mut lab =
        instances(&json!([{ "id": "books", "snapshots": [{ "ageHours": 0, "availableAfterSeconds": 300 }] }]));
    let source = lab.newest("books");
    let by_arn = [("DBSnapshotIdentifier", source.as_str())];
    for (seconds, status, percent) in [(0, "creating", "0"), (150, "creating", "50"), (150, "available", "100")] {
        lab.advance(seconds);
        let found = lab.ok(SOURCE, "DescribeDBSnapshots", &by_arn);
        assert_eq!(members(&found, &["Status", "PercentProgress"]), [status, percent]);
    }
    lab.copy("books", "copy");
}
