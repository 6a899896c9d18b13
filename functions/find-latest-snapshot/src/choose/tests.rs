use std::collections::BTreeMap;

use domain::kind::DatabaseKind;

use super::*;

fn target() -> Target {
    Target::new(DatabaseKind::Instance, "orders", "db-ORDERS")
}

fn at(time: &str) -> Timestamp {
    time.parse().expect("a time")
}

fn snapshot(id: &str, created: &str) -> Snapshot {
    Snapshot {
        created_at: Some(at(created)),
        original_created_at: Some(at(created)),
        ..fixtures::snapshot(id)
    }
}

fn newest_id(snapshots: &[Snapshot]) -> Option<&str> {
    newest(&target(), snapshots)
        .ok()
        .map(|newest| newest.snapshot.id.as_str())
}

#[test]
fn the_newest_complete_snapshot_is_chosen_whatever_the_order() {
    let mut snapshots = vec![
        snapshot("rds:orders-1", "2026-11-20T03:10:00Z"),
        snapshot("rds:orders-3", "2026-11-22T03:10:00Z"),
        snapshot("rds:orders-2", "2026-11-21T03:10:00Z"),
    ];
    assert_eq!(newest_id(&snapshots), Some("rds:orders-3"));
    "creating".clone_into(&mut snapshots[1].status);
    assert_eq!(newest_id(&snapshots), Some("rds:orders-2"));
    snapshots[2].created_at = None;
    snapshots[2].original_created_at = None;
    assert_eq!(
        newest_id(&snapshots),
        Some("rds:orders-1"),
        "one without a time cannot be the newest"
    );
}

#[test]
fn a_snapshot_that_is_itself_a_copy_is_never_chosen() {
    let created = "2026-11-22T03:10:00Z";
    let tagged = Snapshot {
        tags: BTreeMap::from([(tags::OWNER.to_owned(), "eu-west-1/other".to_owned())]),
        ..snapshot("other-orders-1", created)
    };
    let copied = Snapshot {
        source_arn: Some("arn:aws:rds:eu-west-1:1:snapshot:x".to_owned()),
        ..snapshot("x", created)
    };
    let older_data = Snapshot {
        original_created_at: Some(at("2025-01-01T00:00:00Z")),
        ..snapshot("looks-new", created)
    };
    for copy in [tagged, copied, older_data] {
        let snapshots = [snapshot("rds:orders-1", "2026-11-20T03:10:00Z"), copy];
        assert_eq!(newest_id(&snapshots), Some("rds:orders-1"));
    }
}

#[test]
fn snapshots_of_aws_backup_and_of_another_database_of_the_name_are_left_alone() {
    let created = "2026-11-22T03:10:00Z";
    let by_type = Snapshot {
        snapshot_type: "awsbackup".to_owned(),
        ..snapshot("a", created)
    };
    let by_name = snapshot("awsbackup:job-1", created);
    let recreated = Snapshot {
        resource_id: Some("db-OLDER".to_owned()),
        ..snapshot("rds:orders-9", created)
    };
    for other in [by_type, by_name, recreated] {
        assert_eq!(newest_id(&[other]), None);
    }
}

#[test]
fn having_nothing_to_copy_is_explained() {
    assert_eq!(
        newest(&target(), &[]).expect_err("nothing"),
        "instance orders has no automated snapshot: it is new, or its backup retention is 0"
    );
    let creating = Snapshot {
        status: "creating".to_owned(),
        ..snapshot("rds:orders-1", "2026-11-20T03:10:00Z")
    };
    assert_eq!(
        newest(&target(), &[creating]).expect_err("nothing"),
        "the only snapshot, rds:orders-1, is creating"
    );
}

#[test]
fn former_names_are_known_from_the_snapshots() {
    let mut renamed = snapshot("rds:sales-1", "2026-11-20T03:10:00Z");
    "sales".clone_into(&mut renamed.database_id);
    let snapshots = [
        renamed.clone(),
        renamed,
        snapshot("rds:orders-1", "2026-11-21T03:10:00Z"),
    ];
    assert_eq!(former_ids(&target(), &snapshots), ["sales"]);
}
