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

/// H5, case 13: whether a snapshot is a copy is a fact of RDS, or one that its name seals; tags alone say nothing.
#[test]
fn a_manual_snapshot_that_is_itself_a_copy_is_never_chosen_and_an_automated_one_is_never_a_copy() {
    let created = "2026-11-22T03:10:00Z";
    let manual = |id: &str| Snapshot {
        snapshot_type: "manual".to_owned(),
        ..snapshot(id, created)
    };
    let ours = fixtures::copy_of("orders", "db-ORDERS");
    let sealed = Snapshot {
        tags: ours.tags(),
        ..manual(&ours.id())
    };
    let reported = Snapshot {
        source_arn: Some("arn:aws:rds:eu-west-1:1:snapshot:x".to_owned()),
        ..manual("x")
    };
    let older = snapshot("rds:orders-1", "2026-11-20T03:10:00Z");
    for copy in [sealed, reported] {
        assert_eq!(newest_id(&[older.clone(), copy]), Some("rds:orders-1"));
    }
    let inherited = Snapshot {
        tags: ours.tags(),
        ..manual("before-upgrade")
    };
    let older_data = Snapshot {
        original_created_at: Some(at("2026-11-21T01:00:00Z")),
        ..manual("other-times")
    };
    let automated = Snapshot {
        tags: ours.tags(),
        source_arn: Some("arn:aws:rds:eu-west-1:1:snapshot:x".to_owned()),
        ..snapshot("rds:orders-2", created)
    };
    for genuine in [inherited, older_data, automated] {
        let id = genuine.id.clone();
        assert_eq!(newest_id(&[older.clone(), genuine]), Some(id.as_str()));
    }
}

/// P1: an absent resource id alone does not match.
#[test]
fn a_snapshot_without_a_resource_id_has_to_have_the_name_of_the_database() {
    let without = |database: &str| Snapshot {
        resource_id: None,
        database_id: database.to_owned(),
        ..snapshot("rds:orders-1", "2026-11-22T03:10:00Z")
    };
    assert_eq!(newest_id(&[without("orders")]), Some("rds:orders-1"));
    assert_eq!(newest_id(&[without("billing")]), None);
}

/// M8: the copy of such a snapshot could not be told from a foreign one.
#[test]
fn a_snapshot_whose_arn_no_tag_can_hold_is_passed_over() {
    let mut long = snapshot("x", "2026-11-22T03:10:00Z");
    long.arn = format!("arn:aws:rds:us-east-1:123456789012:snapshot:{}", "x".repeat(255));
    let snapshots = [long, snapshot("rds:orders-1", "2026-11-20T03:10:00Z")];
    assert_eq!(newest_id(&snapshots), Some("rds:orders-1"));
}

/// D6: an event's snapshot is waited for, unless a newer one is available.
#[test]
fn the_snapshot_of_an_event_is_available_coming_or_gone() {
    let named = Target {
        snapshot: Some("rds:orders-2".to_owned()),
        ..target()
    };
    let state = |status: &str, also: Option<Snapshot>| {
        let mut snapshots = vec![
            snapshot("rds:orders-1", "2026-11-20T03:10:00Z"),
            Snapshot {
                status: status.to_owned(),
                ..snapshot("rds:orders-2", "2026-11-21T03:10:00Z")
            },
        ];
        snapshots.extend(also);
        let newest = newest(&named, &snapshots).ok();
        match event_snapshot(&named, &snapshots, newest.as_ref()) {
            None => "available",
            Some(EventSnapshot::Coming(_)) => "coming",
            Some(EventSnapshot::Gone(_)) => "gone",
        }
    };
    assert_eq!(state("available", None), "available");
    assert_eq!(state("creating", None), "coming");
    assert_eq!(state("failed", None), "gone");
    let newer = snapshot("rds:orders-3", "2026-11-22T03:10:00Z");
    assert_eq!(state("creating", Some(newer)), "available");
    assert!(matches!(
        event_snapshot(&named, &[], None),
        Some(EventSnapshot::Gone(_))
    ));
    assert_eq!(event_snapshot(&target(), &[], None), None, "no event");
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
        "instance orders has no automated snapshot yet"
    );
    let creating = Snapshot {
        status: "creating".to_owned(),
        ..snapshot("rds:orders-1", "2026-11-20T03:10:00Z")
    };
    let by_aws_backup = |id: &str| Snapshot {
        snapshot_type: "awsbackup".to_owned(),
        ..snapshot(id, "2026-11-20T03:10:00Z")
    };
    assert_eq!(
        newest(&target(), &[creating, by_aws_backup("a"), by_aws_backup("b")]).expect_err("nothing"),
        "instance orders has no snapshot to copy; passed over: 2 of AWS Backup, 1 not available"
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
