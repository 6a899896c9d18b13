use aws_sdk_rds::types::{DbClusterSnapshot, DbSnapshot};

use super::*;

const OF_ORDERS: SnapshotQuery<'_> = SnapshotQuery::OfDatabase {
    resource_id: "cluster-ORDERS",
    database_id: "orders",
    snapshot_type: "automated",
};

/// A snapshot as RDS describes it; DocumentDB and Neptune give no resource id (their API models have none).
fn described(resource_id: Option<&str>, database: &str, snapshot_type: &str) -> Snapshot {
    let described = DbClusterSnapshot::builder()
        .db_cluster_snapshot_identifier("rds:orders-1")
        .db_cluster_snapshot_arn("arn:aws:rds:us-east-1:123456789012:cluster-snapshot:rds:orders-1")
        .db_cluster_identifier(database)
        .set_db_cluster_resource_id(resource_id.map(str::to_owned))
        .snapshot_type(snapshot_type)
        .build();
    cluster_snapshot(described).expect("a snapshot")
}

/// P1: an API that ignores a parameter answers with the snapshots of every database.
#[test]
fn a_snapshot_is_of_a_database_by_its_resource_id_and_without_one_by_its_name() {
    for (resource_id, database, snapshot_type, is_of_orders) in [
        (Some("cluster-ORDERS"), "orders", "automated", true),
        (Some("cluster-ORDERS"), "orders-before-its-rename", "automated", true),
        (Some("cluster-OTHER"), "orders", "automated", false),
        (None, "orders", "automated", true),
        (None, "billing", "automated", false),
        (Some("cluster-ORDERS"), "orders", "manual", false),
        (Some("cluster-ORDERS"), "orders", "awsbackup", false),
    ] {
        let found = OF_ORDERS.take(Some(described(resource_id, database, snapshot_type)));
        assert_eq!(
            found.is_some(),
            is_of_orders,
            "{resource_id:?} {database} {snapshot_type}"
        );
    }
}

#[test]
fn what_was_asked_for_by_name_is_filtered_again() {
    let names = ["orders".to_owned()];
    let by_names = SnapshotQuery::ManualOfNames(&names);
    assert!(by_names.matches(&described(None, "orders", "manual")));
    assert!(!by_names.matches(&described(None, "billing", "manual")));
    assert!(!by_names.matches(&described(None, "orders", "automated")));
    let by_id = |id, snapshot_type| SnapshotQuery::Named { id, snapshot_type };
    let snapshot = described(None, "orders", "automated");
    assert!(by_id("rds:orders-1", "automated").matches(&snapshot));
    assert!(!by_id("rds:orders-2", "automated").matches(&snapshot));
    assert!(!by_id("rds:orders-1", "manual").matches(&snapshot));
}

#[test]
fn of_many_snapshots_only_our_tags_are_kept_and_of_one_all() {
    let tag = |key: &str| Tag::builder().key(key).value("x").build();
    let snapshot = || {
        let described = DbSnapshot::builder()
            .db_snapshot_identifier("snap-1")
            .db_snapshot_arn("arn")
            .db_instance_identifier("orders")
            .snapshot_type("manual")
            .tag_list(tag("team"))
            .tag_list(tag("snapferry:attempt"))
            .build();
        instance_snapshot(described)
    };
    let names = ["orders".to_owned()];
    let kept = |query: SnapshotQuery<'_>| query.take(snapshot()).expect("it was asked for").tags.len();
    assert_eq!(kept(SnapshotQuery::ManualOfNames(&names)), 1);
    assert_eq!(
        kept(SnapshotQuery::Named {
            id: "snap-1",
            snapshot_type: "manual"
        }),
        2
    );
}

#[test]
fn a_snapshot_that_is_listed_twice_is_one_as_it_was_last() {
    let first = described(None, "orders", "manual");
    let other = Snapshot {
        arn: "arn:other".to_owned(),
        ..first.clone()
    };
    let later = Snapshot {
        percent: 100,
        ..first.clone()
    };
    assert_ne!(first, later);
    assert_eq!(each_once(vec![first, other.clone(), later.clone()]), [later, other]);
}
