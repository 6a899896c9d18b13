use domain::tags;

use super::*;

fn owner() -> Owner {
    Owner::from_settings(&fixtures::settings())
}

fn copies(snapshots: impl IntoIterator<Item = Snapshot>, databases: &[Database]) -> DestinationCopies {
    let reader = Reader {
        owner: &owner(),
        stack: "snapferry",
        now: "2026-11-22T03:10:00Z".parse().expect("a time"),
    };
    let held = snapshots
        .into_iter()
        .filter_map(|snapshot| ListedSnapshot::from_snapshot(&reader, snapshot));
    DestinationCopies::new(held.collect(), databases)
}

fn copy(database: &str, resource_id: &str, day: u8) -> Snapshot {
    let time = format!("2026-11-{day:02}T03:10:00Z").parse().expect("a time");
    fixtures::copy_of(database, resource_id).created(time).snapshot()
}

#[test]
fn copies_of_databases_that_are_gone_are_found_under_all_their_names() {
    let snapshots = [
        copy("orders", "db-ORDERS", 1),
        copy("sales", "db-SALES", 2),
        copy("sales-2", "db-SALES", 3),
        copy("sales-2", "db-SALES", 4),
    ];
    let living = [fixtures::database(DatabaseKind::Instance, "orders")];
    let found = copies(snapshots, &living);
    let sales = RetiredDatabase {
        kind: DatabaseKind::Instance,
        id: "sales-2".to_owned(),
        copies: 3,
    };
    assert_eq!((found.retired.databases, found.retired.copies), (1, 3));
    assert_eq!(found.retired.first, [sales]);
    let target = &found.retired_targets[0];
    assert!(target.retired);
    assert_eq!(
        (target.id.as_str(), target.resource_id.as_str()),
        ("sales-2", "db-SALES")
    );
    assert_eq!(target.former_ids, ["sales"]);
}

#[test]
fn a_database_that_was_re_created_under_its_name_leaves_the_first_one_retired() {
    let snapshots = [copy("orders", "db-FIRST", 1)];
    let living = [fixtures::database(DatabaseKind::Instance, "orders")];
    assert_eq!(copies(snapshots, &living).retired.databases, 1);
}

#[test]
fn what_is_not_ours_is_never_retired_and_what_is_only_named_so_is_reported() {
    let mut by_hand = copy("sales", "db-SALES", 1);
    "before-upgrade".clone_into(&mut by_hand.id);
    by_hand.tags.clear();
    let mut of_another = copy("sales", "db-SALES", 1);
    let named_like_ours = of_another.id.clone();
    of_another
        .tags
        .insert(tags::OWNER.to_owned(), "eu-central-1/snap".to_owned());
    let mut in_order = copy("sales", "db-SALES", 1);
    "other-6".clone_into(&mut in_order.id);
    in_order
        .tags
        .insert(tags::OWNER.to_owned(), "us-east-1/other".to_owned());
    let found = copies([by_hand, of_another, in_order], &[]);
    assert_eq!((found.retired.databases, found.retired_targets.len()), (0, 0));
    assert_eq!(found.foreign, [named_like_ours]);
}

#[test]
fn the_database_that_would_lose_most_comes_first() {
    let verified = |snapshot: Snapshot| {
        let mut snapshot = snapshot;
        snapshot
            .tags
            .insert(tags::VERIFIED.to_owned(), "2026-11-22T04:00:00Z".to_owned());
        snapshot
    };
    let names = ["fresh", "stale", "never", "unverified"];
    let living = names.map(|id| fixtures::database(DatabaseKind::Instance, id));
    let snapshots = [
        verified(copy("fresh", "db-FRESH", 2)),
        verified(copy("fresh", "db-FRESH", 20)),
        verified(copy("stale", "db-STALE", 10)),
        copy("unverified", "db-UNVERIFIED", 21),
    ];
    let targets = living
        .clone()
        .map(|database| Target::new(database.kind, database.id, database.resource_id));
    let sorted = copies(snapshots, &living).oldest_first(targets.to_vec());
    let ids: Vec<&str> = sorted.iter().map(|target| target.id.as_str()).collect();
    assert_eq!(ids, ["never", "unverified", "stale", "fresh"]);
}

/// P7: a database that RDS lists without its resource id still exists.
#[test]
fn nothing_under_the_name_of_a_database_without_a_resource_id_is_retired() {
    let unidentified = Database {
        resource_id: String::new(),
        ..fixtures::database(DatabaseKind::Instance, "orders")
    };
    let found = copies([copy("orders", "db-ORDERS", 1)], &[unidentified]);
    assert_eq!((found.retired.databases, found.retired_targets.len()), (0, 0));
}

#[test]
fn copies_of_which_rds_reports_no_source_are_named() {
    let unconfirmed = copy("orders", "db-ORDERS", 1);
    let copied = copy("orders", "db-ORDERS", 2);
    let confirmed = Snapshot {
        source_arn: copied.tags.get(tags::SOURCE_ARN).cloned(),
        ..copied
    };
    assert_eq!(copies([unconfirmed, confirmed], &[]).unconfirmed.len(), 1);
}

/// M10: a target has a bound, however often its database was renamed.
#[test]
fn a_retired_database_has_a_bounded_number_of_former_names() {
    let snapshots = (1..29).map(|day| copy(&format!("sales-{day}"), "db-SALES", day));
    let found = copies(snapshots, &[]);
    assert_eq!(found.retired_targets[0].former_ids.len(), MAX_FORMER_IDS);
    assert_eq!(found.retired_targets[0].id, "sales-28", "the last name comes first");
}

/// Kind 14: the newest copy is that of the newest snapshot, and its recovery point is what RDS says of the data.
#[test]
fn a_recovery_point_is_as_old_as_the_data_where_rds_says_so() {
    let living = [fixtures::database(DatabaseKind::Instance, "orders")];
    let marked = |mut snapshot: Snapshot, data_time: Option<&str>| {
        let time = "2026-11-22T04:00:00Z".to_owned();
        snapshot.tags.insert(tags::VERIFIED.to_owned(), time);
        snapshot.data_time = data_time.map(|time| time.parse().expect("a time"));
        snapshot
    };
    let snapshots = [
        marked(copy("orders", "db-ORDERS", 1), Some("2026-11-02T03:05:00Z")),
        marked(copy("orders", "db-ORDERS", 2), Some("2026-11-02T02:40:00Z")),
    ];
    let found = copies(snapshots, &living);
    assert_eq!(found.recovery_point("db-ORDERS"), "2026-11-02T02:40:00Z".parse().ok());
}
