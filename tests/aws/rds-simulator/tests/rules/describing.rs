//! Selectors, filters, pages.

use serde_json::json;

use crate::harness::{DESTINATION, Harness, SOURCE, value, values};

fn fleet() -> Harness {
    Harness::new(json!({ "regions": {
        SOURCE: {
            "instances": [
                { "id": "orders", "resourceId": "db-ORDERS", "tags": { "team": "shop & co" },
                  "snapshots": [{ "ageHours": 3 }, { "ageHours": 27 }, { "id": "by-hand", "ageHours": 50 },
                                { "ageHours": 5, "type": "awsbackup" }] },
                { "id": "ledger", "engine": "mysql", "snapshots": [{ "ageHours": 4 }] }
            ],
            "clusters": [
                { "id": "billing", "resourceId": "cluster-BILLING", "members": 2, "snapshots": [{ "ageHours": 3 }] },
                { "id": "graph", "engine": "neptune", "members": ["graph-writer"] }
            ]
        },
        DESTINATION: { "snapshots": [
            { "kind": "instance", "id": "acme-orders", "ageHours": 2,
              "sourceArn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-{stamp:3}" },
            { "kind": "cluster", "id": "acme-billing", "ageHours": 2,
              "sourceArn": "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:rds:billing-{stamp:3}" }
        ] }
    } }))
}

#[test]
fn members_of_clusters_are_listed_as_instances_with_their_cluster() {
    let mut lab = fleet();
    let all = lab.ids(SOURCE, "DescribeDBInstances", &[]);
    assert_eq!(all, ["billing-1", "billing-2", "graph-writer", "ledger", "orders"]);
    let member = lab.ok(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", "billing-1")]);
    assert_eq!(value(&member, "DBClusterIdentifier"), "billing");
    assert_eq!(value(&member, "Engine"), "aurora-postgresql");
    let alone = lab.ok(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", "orders")]);
    assert!(values(&alone, "DBClusterIdentifier").is_empty());
    assert_eq!(value(&alone, "Value"), "shop & co");
    let of_cluster = [
        ("Filters.Filter.1.Name", "db-cluster-id"),
        ("Filters.Filter.1.Values.Value.1", "billing"),
    ];
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBInstances", &of_cluster),
        ["billing-1", "billing-2"]
    );
}

#[test]
fn a_cluster_tells_its_members_and_its_writer() {
    let mut lab = fleet();
    let cluster = lab.ok(SOURCE, "DescribeDBClusters", &[("DBClusterIdentifier", "billing")]);
    assert_eq!(values(&cluster, "DBInstanceIdentifier"), ["billing-1", "billing-2"]);
    assert_eq!(values(&cluster, "IsClusterWriter"), ["true", "false"]);
    assert_eq!(value(&cluster, "AllocatedStorage"), "1");
}

#[test]
fn an_identifier_may_be_an_arn_and_need_not_be_lower_case() {
    let mut lab = fleet();
    for id in ["orders", "ORDERS", "arn:aws:rds:eu-west-1:123456789012:db:orders"] {
        assert_eq!(
            lab.ids(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", id)]),
            ["orders"]
        );
    }
    let elsewhere = [("DBInstanceIdentifier", "arn:aws:rds:eu-north-1:123456789012:db:orders")];
    assert_eq!(
        lab.code(SOURCE, "DescribeDBInstances", &elsewhere),
        "DBInstanceNotFound"
    );
}

#[test]
fn what_is_not_there_has_the_status_and_code_of_the_service_model() {
    let mut lab = fleet();
    for (action, parameter, code) in [
        ("DescribeDBInstances", "DBInstanceIdentifier", "DBInstanceNotFound"),
        ("DescribeDBClusters", "DBClusterIdentifier", "DBClusterNotFoundFault"),
        ("DescribeDBSnapshots", "DBSnapshotIdentifier", "DBSnapshotNotFound"),
        (
            "DescribeDBClusterSnapshots",
            "DBClusterSnapshotIdentifier",
            "DBClusterSnapshotNotFoundFault",
        ),
    ] {
        let (status, found, message) = lab.refused(SOURCE, action, &[(parameter, "nothing")]);
        assert_eq!((status, found.as_str()), (404, code));
        assert!(message.contains("nothing not found"), "{message}");
    }
}

#[test]
fn snapshots_are_listed_by_the_name_of_a_database_that_is_not_there() {
    let mut lab = fleet();
    let argument = [("DBInstanceIdentifier", "orders")];
    assert_eq!(lab.ids(DESTINATION, "DescribeDBSnapshots", &argument), ["acme-orders"]);
    let filter = [
        ("Filters.Filter.1.Name", "db-instance-id"),
        ("Filters.Filter.1.Values.Value.1", "orders"),
    ];
    assert_eq!(lab.ids(DESTINATION, "DescribeDBSnapshots", &filter), ["acme-orders"]);
    let argument = [("DBClusterIdentifier", "billing")];
    assert_eq!(
        lab.ids(DESTINATION, "DescribeDBClusterSnapshots", &argument),
        ["acme-billing"]
    );
    assert_eq!(lab.ids(SOURCE, "DescribeDBClusterSnapshots", &argument).len(), 1);
    let nothing = [("DBInstanceIdentifier", "nothing")];
    assert!(lab.ids(SOURCE, "DescribeDBSnapshots", &nothing).is_empty());
}

#[test]
fn an_automated_snapshot_is_found_by_its_name_only_together_with_its_type_and_by_its_arn_without() {
    let mut lab = fleet();
    let id = lab.newest("ledger").rsplit_once("snapshot:").unwrap().1.to_owned();
    assert!(id.starts_with("rds:ledger-2026-11-22-08-00"), "{id}");
    let by_id = [("DBSnapshotIdentifier", id.as_str())];
    assert_eq!(lab.code(SOURCE, "DescribeDBSnapshots", &by_id), "DBSnapshotNotFound");
    let arn = lab.newest("ledger");
    let by_arn = [("DBSnapshotIdentifier", arn.as_str())];
    assert_eq!(lab.ids(SOURCE, "DescribeDBSnapshots", &by_arn), [id.as_str()]);
    let both = [("DBSnapshotIdentifier", id.as_str()), ("SnapshotType", "automated")];
    assert_eq!(lab.ids(SOURCE, "DescribeDBSnapshots", &both), [id.as_str()]);
}

#[test]
fn snapshots_of_aws_backup_are_listed_only_for_who_asks_for_them() {
    let mut lab = fleet();
    assert_eq!(lab.ids(SOURCE, "DescribeDBSnapshots", &[]).len(), 4);
    let asked = lab.ids(SOURCE, "DescribeDBSnapshots", &[("SnapshotType", "awsbackup")]);
    assert!(asked.len() == 1 && asked[0].starts_with("awsbackup:"), "{asked:?}");
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBSnapshots", &[("SnapshotType", "manual")]),
        ["by-hand"]
    );
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBSnapshots", &[("SnapshotType", "automated")])
            .len(),
        3
    );
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBSnapshots", &[("SnapshotType", "shared")])
            .len(),
        0
    );
    let wrong = [("SnapshotType", "Automated")];
    assert_eq!(lab.code(SOURCE, "DescribeDBSnapshots", &wrong), "InvalidParameterValue");
}

#[test]
fn snapshots_are_found_by_the_resource_id_of_their_database() {
    let mut lab = fleet();
    let selected = [("DbiResourceId", "db-ORDERS"), ("SnapshotType", "automated")];
    assert_eq!(lab.ids(SOURCE, "DescribeDBSnapshots", &selected).len(), 2);
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBSnapshots", &[("DbiResourceId", "db-OTHER")])
            .len(),
        0
    );
    let cluster = [("DbClusterResourceId", "cluster-BILLING")];
    assert_eq!(lab.ids(SOURCE, "DescribeDBClusterSnapshots", &cluster).len(), 1);
}

#[test]
fn filters_are_joined_by_and_their_values_by_or_and_case_matters() {
    let mut lab = fleet();
    let filters = |first: &'static str, second: &'static str| {
        [
            ("Filters.Filter.1.Name", "db-instance-id"),
            ("Filters.Filter.1.Values.Value.1", first),
            ("Filters.Filter.1.Values.Value.2", second),
            ("Filters.Filter.2.Name", "engine"),
            ("Filters.Filter.2.Values.Value.1", "postgres"),
        ]
    };
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBInstances", &filters("orders", "ledger")),
        ["orders"]
    );
    assert_eq!(
        lab.ids(SOURCE, "DescribeDBInstances", &filters("Orders", "nothing"))
            .len(),
        0
    );
    let by_arn = filters("arn:aws:rds:eu-west-1:123456789012:db:orders", "nothing");
    assert_eq!(lab.ids(SOURCE, "DescribeDBInstances", &by_arn), ["orders"]);
}

#[test]
fn a_filter_that_the_operation_does_not_know_is_refused() {
    let mut lab = fleet();
    for (action, name) in [
        ("DescribeDBSnapshots", "db-cluster-id"),
        ("DescribeDBClusterSnapshots", "db-instance-id"),
        ("DescribeDBClusterSnapshots", "db-cluster-resource-id"),
        ("DescribeDBInstances", "status"),
        ("DescribeDBInstances", "DB-INSTANCE-ID"),
    ] {
        let filter = [
            ("Filters.Filter.1.Name", name),
            ("Filters.Filter.1.Values.Value.1", "x"),
        ];
        let (status, code, message) = lab.refused(SOURCE, action, &filter);
        assert_eq!((status, code.as_str()), (400, "InvalidParameterValue"));
        assert_eq!(message, format!("Unrecognized filter name: {name}"));
    }
    let empty = [("Filters.Filter.1.Name", "engine")];
    assert_eq!(lab.code(SOURCE, "DescribeDBInstances", &empty), "InvalidParameterValue");
}

#[test]
fn a_cluster_snapshot_is_asked_for_by_cluster_or_by_id_but_not_both() {
    let mut lab = fleet();
    let both = [("DBClusterIdentifier", "billing"), ("DBClusterSnapshotIdentifier", "x")];
    assert_eq!(
        lab.code(SOURCE, "DescribeDBClusterSnapshots", &both),
        "InvalidParameterCombination"
    );
}

#[test]
fn max_records_is_20_to_100_and_a_marker_must_be_one_of_ours() {
    let mut lab = fleet();
    for wrong in ["19", "101", "0", "-1", "many"] {
        let parameters = [("MaxRecords", wrong)];
        assert_eq!(
            lab.code(SOURCE, "DescribeDBInstances", &parameters),
            "InvalidParameterValue",
            "{wrong}"
        );
    }
    for right in ["20", "100"] {
        lab.ok(SOURCE, "DescribeDBInstances", &[("MaxRecords", right)]);
    }
    assert_eq!(
        lab.code(SOURCE, "DescribeDBInstances", &[("Marker", "x")]),
        "InvalidParameterValue"
    );
}

#[test]
fn only_a_copy_from_another_region_tells_its_source() {
    let mut lab = fleet();
    let copy = lab.ok(DESTINATION, "DescribeDBSnapshots", &[]);
    let source = "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-2026-11-22-09-00";
    assert_eq!(value(&copy, "SourceDBSnapshotIdentifier"), source);
    assert_eq!(value(&copy, "SourceRegion"), SOURCE);
    assert_eq!(value(&copy, "SnapshotType"), "manual");
    assert_eq!(value(&copy, "SnapshotCreateTime"), "2026-11-22T10:00:00.000Z");
    assert_eq!(value(&copy, "OriginalSnapshotCreateTime"), "2026-11-22T09:00:00.000Z");
    let cluster = lab.ok(DESTINATION, "DescribeDBClusterSnapshots", &[]);
    assert!(value(&cluster, "SourceDBClusterSnapshotArn").ends_with(":cluster-snapshot:rds:billing-2026-11-22-09-00"));
    assert!(values(&cluster, "SourceRegion").is_empty());
    assert!(values(&cluster, "OriginalSnapshotCreateTime").is_empty());
    let originals = lab.ok(SOURCE, "DescribeDBSnapshots", &[]);
    assert!(values(&originals, "SourceDBSnapshotIdentifier").is_empty());
}

#[test]
fn a_region_that_nobody_has_spoken_of_is_empty() {
    let mut lab = fleet();
    assert!(lab.ids("ap-south-2", "DescribeDBInstances", &[]).is_empty());
}

#[test]
fn account_attributes_count_manual_snapshots_of_each_kind() {
    let mut lab = fleet();
    let attributes = lab.ok(DESTINATION, "DescribeAccountAttributes", &[]);
    let names = values(&attributes, "AccountQuotaName");
    let quota = |name: &str| {
        let index = names.iter().position(|one| one == name).unwrap();
        let number = |element| values(&attributes, element)[index].parse::<u32>().unwrap();
        (number("Used"), number("Max"))
    };
    assert_eq!(quota("ManualSnapshots"), (1, 100));
    assert_eq!(quota("ManualClusterSnapshots"), (1, 100));
}

#[test]
fn an_unknown_operation_version_or_parameter_is_refused() {
    let mut lab = fleet();
    assert_eq!(lab.code(SOURCE, "RebootDBInstance", &[]), "InvalidAction");
    assert_eq!(
        lab.code(SOURCE, "DescribeDBInstances", &[("Version", "2013-01-01")]),
        "InvalidAction"
    );
    assert_eq!(
        lab.code(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifer", "x")]),
        "UnknownParameter"
    );
}
