//! What a restored database reports of itself: network, endpoint, storage, secret.

use serde_json::json;

use crate::harness::{DESTINATION, Harness, SOURCE, value, values};

const INSTANCE: [(&str, &str); 3] = [
    ("DBInstanceIdentifier", "b"),
    ("DBSnapshotIdentifier", "one"),
    ("BackupRetentionPeriod", "0"),
];

fn world() -> Harness {
    Harness::new(json!({ "regions": { DESTINATION: {
        "subnetGroups": [
            { "name": "drills", "vpc": "vpc-1", "availabilityZones": ["eu-central-1a", "eu-central-1b"] },
            { "name": "far", "availabilityZones": ["eu-central-1d"] }
        ],
        "parameterGroups": [
            { "kind": "instance", "name": "tuned", "family": "postgres17" },
            { "kind": "cluster", "name": "tuned-c", "family": "aurora-postgresql17" }
        ],
        "notOffered": [{ "engine": "postgres", "engineVersion": "11.*" }],
        "instances": [{ "id": "a" }],
        "clusters": [{ "id": "c", "engine": "aurora-postgresql", "members": 0 }],
        "snapshots": [
            { "kind": "instance", "id": "one", "database": "a", "ageHours": 9 },
            { "kind": "instance", "id": "old", "database": "a", "ageHours": 9, "engineVersion": "11.22" },
            { "kind": "cluster", "id": "two", "database": "c", "ageHours": 9 }
        ]
    } } }))
}

fn describe(lab: &mut Harness, id: &str) -> String {
    lab.ok(DESTINATION, "DescribeDBInstances", &[("DBInstanceIdentifier", id)])
}

#[test]
fn without_a_subnet_group_a_database_lands_in_the_default_vpc_and_is_public() {
    let mut lab = world();
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &INSTANCE);
    let found = describe(&mut lab, "b");
    assert_eq!(value(&found, "DBSubnetGroupName"), "default");
    assert_eq!(value(&found, "VpcId"), "vpc-default");
    assert_eq!(value(&found, "VpcSecurityGroupId"), "sg-default");
    assert_eq!(value(&found, "PubliclyAccessible"), "true");
    let listed = lab.ok(DESTINATION, "DescribeDBSubnetGroups", &[]);
    let mut names = values(&listed, "DBSubnetGroupName");
    names.sort();
    assert_eq!(names, ["default", "drills", "far"]);
    let hidden = [
        INSTANCE[1],
        ("DBInstanceIdentifier", "h"),
        ("PubliclyAccessible", "false"),
    ];
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &hidden);
    assert_eq!(value(&describe(&mut lab, "h"), "PubliclyAccessible"), "false");
}

#[test]
fn a_given_network_is_reported_of_instances_clusters_and_their_members() {
    let mut lab = world();
    let network = [
        ("DBSubnetGroupName", "drills"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-1"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.2", "sg-2"),
    ];
    let instance = [INSTANCE.as_slice(), &network].concat();
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &instance);
    let found = describe(&mut lab, "b");
    assert_eq!(value(&found, "DBSubnetGroupName"), "drills");
    assert_eq!(value(&found, "VpcId"), "vpc-1");
    assert_eq!(value(&found, "SubnetGroupStatus"), "Complete");
    assert_eq!(values(&found, "SubnetIdentifier").len(), 2);
    assert_eq!(values(&found, "VpcSecurityGroupId"), ["sg-1", "sg-2"]);
    assert_eq!(value(&found, "PubliclyAccessible"), "false");
    let cluster = [
        ("DBClusterIdentifier", "r"),
        ("SnapshotIdentifier", "two"),
        ("Engine", "aurora-postgresql"),
    ];
    let cluster = [cluster.as_slice(), &network].concat();
    lab.ok(DESTINATION, "RestoreDBClusterFromSnapshot", &cluster);
    let by_id = [("DBClusterIdentifier", "r")];
    let found = lab.ok(DESTINATION, "DescribeDBClusters", &by_id);
    assert_eq!(value(&found, "DBSubnetGroup"), "drills");
    assert_eq!(value(&found, "PubliclyAccessible"), "false");
    assert!(values(&found, "Endpoint").is_empty(), "{found}");
    lab.advance(900);
    let found = lab.ok(DESTINATION, "DescribeDBClusters", &by_id);
    assert!(value(&found, "Endpoint").starts_with("r.cluster-"));
    let member = [
        ("DBInstanceIdentifier", "r-1"),
        ("DBClusterIdentifier", "r"),
        ("DBInstanceClass", "db.r6g.large"),
        ("Engine", "aurora-postgresql"),
    ];
    lab.ok(DESTINATION, "CreateDBInstance", &member);
    let found = describe(&mut lab, "r-1");
    assert_eq!(value(&found, "DBSubnetGroupName"), "drills");
    assert_eq!(values(&found, "VpcSecurityGroupId"), ["sg-1", "sg-2"]);
}

#[test]
fn groups_that_are_not_there_or_do_not_fit_are_refused() {
    let mut lab = world();
    for (name, value, code) in [
        ("DBSubnetGroupName", "nothing", "DBSubnetGroupNotFoundFault"),
        ("DBSubnetGroupName", "far", "DBSubnetGroupDoesNotCoverEnoughAZs"),
        ("DBParameterGroupName", "nothing", "DBParameterGroupNotFound"),
        ("DBSnapshotIdentifier", "old", "InvalidParameterCombination"),
    ] {
        let mut parameters = INSTANCE.to_vec();
        parameters.retain(|(parameter, _)| *parameter != name);
        parameters.push((name, value));
        assert_eq!(
            lab.code(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &parameters),
            code
        );
    }
    let cluster = [
        ("DBClusterIdentifier", "r"),
        ("SnapshotIdentifier", "two"),
        ("Engine", "aurora-postgresql"),
        ("DBClusterParameterGroupName", "tuned"),
    ];
    assert_eq!(
        lab.code(DESTINATION, "RestoreDBClusterFromSnapshot", &cluster),
        "DBClusterParameterGroupNotFound"
    );
    let tuned = [INSTANCE.as_slice(), &[("DBParameterGroupName", "tuned")]].concat();
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &tuned);
}

#[test]
fn groups_are_described_by_name() {
    let mut lab = world();
    let found = lab.ok(
        DESTINATION,
        "DescribeDBSubnetGroups",
        &[("DBSubnetGroupName", "drills")],
    );
    assert_eq!(values(&found, "Name"), ["eu-central-1a", "eu-central-1b"]);
    assert_eq!(
        lab.code(
            DESTINATION,
            "DescribeDBSubnetGroups",
            &[("DBSubnetGroupName", "nothing")]
        ),
        "DBSubnetGroupNotFoundFault"
    );
    for (action, parameter, there, other) in [
        ("DescribeDBParameterGroups", "DBParameterGroupName", "tuned", "tuned-c"),
        (
            "DescribeDBClusterParameterGroups",
            "DBClusterParameterGroupName",
            "tuned-c",
            "tuned",
        ),
    ] {
        let all = lab.ok(DESTINATION, action, &[]);
        assert_eq!(values(&all, parameter), [there]);
        let found = lab.ok(DESTINATION, action, &[(parameter, there)]);
        assert!(value(&found, "DBParameterGroupFamily").ends_with("postgres17") || there == "tuned-c");
        lab.ok(DESTINATION, action, &[(parameter, "default.postgres17")]);
        assert_eq!(
            lab.code(DESTINATION, action, &[(parameter, other)]),
            "DBParameterGroupNotFound"
        );
    }
}

#[test]
fn what_is_not_offered_has_no_row_and_rows_say_what_a_restore_has_to_know() {
    let mut lab = world();
    let operation = "DescribeOrderableDBInstanceOptions";
    let old = [("Engine", "postgres"), ("EngineVersion", "11.22"), ("Vpc", "true")];
    assert!(values(&lab.ok(DESTINATION, operation, &old), "DBInstanceClass").is_empty());
    let new = [
        ("Engine", "postgres"),
        ("EngineVersion", "17.6"),
        ("DBInstanceClass", "db.t4g.micro"),
        ("LicenseModel", "postgresql-license"),
    ];
    let found = lab.ok(DESTINATION, operation, &new);
    assert!(values(&found, "MinStorageSize").iter().all(|size| size == "20"));
    assert_eq!(
        values(&found, "Name")[..3],
        ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    );
    let aurora = |class| [("Engine", "aurora-postgresql"), ("DBInstanceClass", class)];
    for (class, has) in [("db.r6g.large", "true"), ("db.t4g.medium", "false")] {
        let found = lab.ok(DESTINATION, operation, &aurora(class));
        assert!(values(&found, "SupportsHttpEndpoint").iter().all(|value| value == has));
        assert!(values(&found, "MinStorageSize").is_empty());
    }
}

#[test]
fn an_endpoint_comes_with_availability_and_the_storage_initialises_after_that() {
    let mut lab = world();
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &INSTANCE);
    lab.advance(899);
    let found = describe(&mut lab, "b");
    assert!(values(&found, "Endpoint").is_empty());
    assert!(values(&found, "StorageOperationStatus").is_empty());
    lab.advance(1);
    let found = describe(&mut lab, "b");
    assert_eq!(value(&found, "DBInstanceStatus"), "available");
    assert!(value(&found, "Address").starts_with("b."));
    assert_eq!(value(&found, "StorageOperationStatus"), "Initializing");
    lab.advance(900);
    assert_eq!(value(&describe(&mut lab, "b"), "StorageOperationPercentProgress"), "50");
    lab.advance(900);
    assert!(values(&describe(&mut lab, "b"), "StorageOperationStatus").is_empty());
}

#[test]
fn a_managed_password_has_a_secret_that_is_created_then_active() {
    let mut lab = world();
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &INSTANCE);
    lab.advance(900);
    let managed = [("DBInstanceIdentifier", "b"), ("ManageMasterUserPassword", "true")];
    lab.ok(DESTINATION, "ModifyDBInstance", &managed);
    let found = describe(&mut lab, "b");
    let arn = value(&found, "SecretArn");
    let prefix = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-";
    assert!(arn.starts_with(prefix), "{arn}");
    assert_eq!(value(&found, "SecretStatus"), "creating");
    lab.advance(60);
    assert_eq!(value(&describe(&mut lab, "b"), "SecretStatus"), "active");
    lab.ok(
        DESTINATION,
        "ModifyDBInstance",
        &[managed[0], ("ManageMasterUserPassword", "false")],
    );
    assert!(values(&describe(&mut lab, "b"), "SecretArn").is_empty());
}

#[test]
fn quotas_are_reported_and_kept() {
    let mut lab = Harness::new(json!({ "regions": { DESTINATION: {
        "databaseQuota": { "instances": 3, "clusters": 2, "allocatedStorageGib": 250 },
        "instances": [{ "id": "a" }],
        "clusters": [{ "id": "c", "engine": "aurora-postgresql", "members": 0 }],
        "snapshots": [
            { "kind": "instance", "id": "one", "database": "a", "ageHours": 9 },
            { "kind": "cluster", "id": "two", "database": "c", "ageHours": 9 }
        ]
    } } }));
    let restore = |id| [("DBInstanceIdentifier", id), ("DBSnapshotIdentifier", "one")];
    let cluster = |id| {
        [
            ("DBClusterIdentifier", id),
            ("SnapshotIdentifier", "two"),
            ("Engine", "aurora-postgresql"),
        ]
    };
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &restore("b"));
    let (status, code, _) = lab.refused(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &restore("d"));
    assert_eq!((status, code.as_str()), (400, "StorageQuotaExceeded"));
    lab.ok(DESTINATION, "RestoreDBClusterFromSnapshot", &cluster("r"));
    let (status, code, _) = lab.refused(DESTINATION, "RestoreDBClusterFromSnapshot", &cluster("s"));
    assert_eq!((status, code.as_str()), (403, "DBClusterQuotaExceededFault"));
    lab.advance(900);
    let member = |id| {
        [
            ("DBInstanceIdentifier", id),
            ("DBClusterIdentifier", "r"),
            ("DBInstanceClass", "db.r6g.large"),
            ("Engine", "aurora-postgresql"),
        ]
    };
    lab.ok(DESTINATION, "CreateDBInstance", &member("r-1"));
    let (status, code, _) = lab.refused(DESTINATION, "CreateDBInstance", &member("r-2"));
    assert_eq!((status, code.as_str()), (400, "InstanceQuotaExceeded"));
    let told = lab.ok(DESTINATION, "DescribeAccountAttributes", &[]);
    let quotas: Vec<(String, String, String)> = values(&told, "AccountQuotaName")
        .into_iter()
        .zip(values(&told, "Used"))
        .zip(values(&told, "Max"))
        .map(|((name, used), max)| (name, used, max))
        .collect();
    for (name, used, max) in [
        ("DBInstances", "3", "3"),
        ("DBClusters", "2", "2"),
        ("AllocatedStorage", "201", "250"),
    ] {
        assert!(
            quotas.contains(&(name.to_owned(), used.to_owned(), max.to_owned())),
            "{quotas:?}"
        );
    }
}

#[test]
fn without_tags_a_restored_database_has_those_of_the_source_or_of_the_snapshot_or_both() {
    for (setting, keys) in [
        (json!({}), vec!["aws-like", "cost", "mine"]),
        (json!({ "inheritedTags": "database" }), vec!["aws-like", "cost"]),
        (json!({ "inheritedTags": "snapshot" }), vec!["mine"]),
    ] {
        let mut lab = Harness::new(json!({ "settings": { "databases": setting }, "regions": {
            SOURCE: { "instances": [{ "id": "a", "tags": { "cost": "1", "aws-like": "2", "aws:cloudformation": "x" },
                                      "snapshots": [{ "ageHours": 3 }] }] },
            DESTINATION: {}
        } }));
        let source = lab.newest("a");
        let copy = [
            ("SourceDBSnapshotIdentifier", source.as_str()),
            ("TargetDBSnapshotIdentifier", "copy"),
            ("Tags.Tag.1.Key", "mine"),
            ("Tags.Tag.1.Value", "3"),
        ];
        lab.ok(DESTINATION, "CopyDBSnapshot", &copy);
        lab.advance(1000);
        let restore = [("DBInstanceIdentifier", "b"), ("DBSnapshotIdentifier", "copy")];
        let reply = lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &restore);
        assert_eq!(values(&reply, "Key"), keys);
    }
}

#[test]
fn a_cluster_gets_the_usual_version_unless_one_is_given_and_magnetic_storage_is_refused() {
    let mut lab = Harness::new(json!({ "regions": { DESTINATION: {
        "instances": [{ "id": "a", "storageType": "standard" }],
        "clusters": [{ "id": "c", "engine": "aurora-postgresql", "engineVersion": "15.4", "members": 0 }],
        "snapshots": [
            { "kind": "instance", "id": "one", "database": "a", "ageHours": 9 },
            { "kind": "cluster", "id": "two", "database": "c", "ageHours": 9 }
        ]
    } } }));
    for (id, given, version) in [("r", None, "17.5"), ("s", Some(("EngineVersion", "15.4")), "15.4")] {
        let mut parameters = vec![
            ("DBClusterIdentifier", id),
            ("SnapshotIdentifier", "two"),
            ("Engine", "aurora-postgresql"),
        ];
        parameters.extend(given);
        let reply = lab.ok(DESTINATION, "RestoreDBClusterFromSnapshot", &parameters);
        assert_eq!(value(&reply, "EngineVersion"), version);
    }
    let magnetic = [("DBInstanceIdentifier", "b"), ("DBSnapshotIdentifier", "one")];
    assert_eq!(
        lab.code(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &magnetic),
        "StorageTypeNotSupported"
    );
    let other = [magnetic[0], magnetic[1], ("StorageType", "gp3")];
    lab.ok(DESTINATION, "RestoreDBInstanceFromDBSnapshot", &other);
}
