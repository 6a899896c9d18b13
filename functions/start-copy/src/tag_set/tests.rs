use domain::kind::DatabaseKind;
use domain::restore_settings::{RestoreSettings, Setting};
use fixtures::source;
use proptest::prelude::*;

use super::*;

fn owner() -> Owner {
    Owner::from_settings(&fixtures::settings())
}

fn database() -> Database {
    Database {
        class: Some("db.r6g.large".to_owned()),
        parameter_group: Some("orders-16".to_owned()),
        option_group: Some("default:postgres-16".to_owned()),
        multi_az: true,
        settings: RestoreSettings::default()
            .with(Setting::DeletionProtection, Some(true))
            .with(Setting::Port, Some(5432))
            .with(Setting::Logs, Some("postgresql+upgrade")),
        ..fixtures::database(DatabaseKind::Instance, "orders")
    }
}

fn tags(inherited: &BTreeMap<String, String>, database: Option<&Database>) -> BTreeMap<String, String> {
    let target = Target::new(DatabaseKind::Instance, "orders", "db-ORDERS");
    let snapshot = Snapshot {
        option_group: Some("of-the-snapshot".to_owned()),
        settings: RestoreSettings::default().with(Setting::Port, Some(5433)),
        tags: inherited.clone(),
        ..fixtures::snapshot("rds:orders-1")
    };
    let facts = facts(&snapshot, database);
    let requested = "2026-11-22T04:00:00Z".parse().expect("a time");
    let ours = CopyTags {
        kms_key_arn: Some("arn:aws:kms:eu-west-1:123456789012:key/1111".to_owned()),
        attempt: 1,
        ..ours(&target, &source(), &facts, "snapferry-prod", requested)
    };
    let inherited = match database {
        Some(database) if facts.inherits_of_database => &database.tags,
        _ => inherited,
    };
    all(inherited, &ours, &owner())
}

#[test]
fn a_copy_says_whose_it_is_what_it_is_of_and_what_a_restore_needs() {
    let tags = tags(&BTreeMap::new(), Some(&database()));
    let expected = [
        ("snapferry:attempt", "1"),
        ("snapferry:class", "db.r6g.large"),
        ("snapferry:copy-kms-key", "arn:aws:kms:eu-west-1:123456789012:key/1111"),
        ("snapferry:engine-version", "16.3"),
        ("snapferry:format", "2"),
        ("snapferry:multi-az", "true"),
        ("snapferry:owner", "us-east-1/snap"),
        ("snapferry:parameter-group", "orders-16"),
        ("snapferry:requested", "2026-11-22T04:00:00Z"),
        // The port is not among them: the snapshot knows it.
        ("snapferry:settings", "deletion-protection=true logs=postgresql+upgrade"),
        (
            "snapferry:source-arn",
            "arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-1",
        ),
        ("snapferry:source-created", "2026-11-22T03:10:00Z"),
        ("snapferry:source-id", "orders"),
        ("snapferry:source-option-group", "default:postgres-16"),
        ("snapferry:source-resource-id", "db-ORDERS"),
        ("snapferry:stack", "snapferry-prod"),
    ];
    let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, expected);
}

#[test]
fn a_database_that_is_gone_still_leaves_what_its_snapshot_knows() {
    let tags = tags(&BTreeMap::new(), None);
    assert_eq!(tags["snapferry:source-option-group"], "of-the-snapshot");
    assert_eq!(tags["snapferry:engine-version"], "16.3");
    assert!(!tags.contains_key("snapferry:class"));
    assert!(!tags.contains_key("snapferry:settings"));
}

#[test]
fn inherited_tags_are_carried_over_without_the_reserved_ones() {
    let inherited = [
        ("team", "payments"),
        ("aws:cloudformation:stack-name", "orders"),
        ("AWS:odd", "x"),
        ("rds:something", "x"),
        ("note", "rds:orders-1"),
        ("origin", "aws:elsewhere"),
        ("snapferry:owner", "eu-west-1/mallory"),
        ("Snapferry:Verified", "2026-11-22T03:10:00Z"),
    ];
    let inherited = inherited.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let tags = tags(&inherited, Some(&database()));
    let kept: Vec<&str> = tags
        .keys()
        .map(String::as_str)
        .filter(|key| !key.starts_with("snapferry:"))
        .collect();
    assert_eq!(kept, ["team"]);
    assert_eq!(tags["snapferry:owner"], "us-east-1/snap");
}

/// m15: the tags for the allocation of costs, where `CopyTagsToSnapshot` is off. What a snapshot carries itself is newer.
#[test]
fn the_copy_of_a_snapshot_without_tags_carries_its_databases_and_no_wish_among_them() {
    let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let owned = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        owned.collect()
    };
    let of_database = pairs(&[
        ("cost-centre", "4711"),
        ("team", "old"),
        ("aws:cloudformation:stack-name", "shop"),
        ("snapferry:keep", "9"),
        ("snapferry:restore-order", "20"),
        ("Snapferry:Keep-Days", "9"),
        ("snapferry:owner", "eu-west-1/mallory"),
        ("snapferry:restored-from", "snap-orders-1"),
    ]);
    let database = Database {
        tags: of_database,
        ..database()
    };
    let of_snapshot = tags(&pairs(&[("team", "payments")]), Some(&database));
    assert_eq!(of_snapshot["team"], "payments");
    assert!(!of_snapshot.contains_key("cost-centre"));
    let tags = tags(&BTreeMap::new(), Some(&database));
    let inherited: Vec<(&str, &str)> = tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .filter(|(key, _)| !key.to_lowercase().starts_with("snapferry:"))
        .collect();
    assert_eq!(inherited, [("cost-centre", "4711"), ("team", "old")]);
    assert_eq!(tags["snapferry:owner"], "us-east-1/snap");
    assert_eq!(tags["snapferry:source-restore-order"], "20");
    assert!(!tags.contains_key("snapferry:restore-order"));
    assert!(!tags.contains_key("snapferry:keep") && !tags.contains_key("snapferry:restored-from"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

    #[test]
    fn no_source_tag_can_forge_ours_or_push_them_out(
        inherited in proptest::collection::btree_map("(snapferry:|SNAPFERRY:|aws:|rds:)?[a-z:-]{1,12}", "[a-z:]{0,8}", 0..70),
        of_database in proptest::collection::btree_map("(snapferry:x|aws:|rds:)?[a-z:-]{1,12}", "[a-z:]{0,8}", 0..50),
        has_tags in any::<bool>(),
    ) {
        let inherited = if has_tags { inherited } else { BTreeMap::new() };
        let tagged = Database { tags: of_database, ..database() };
        let plain = tags(&BTreeMap::new(), Some(&database()));
        let tags = tags(&inherited, Some(&tagged));
        // What is written later has its place (H1).
        let mut complete = tags.clone();
        complete.extend(tags::RESERVED.iter().map(|key| ((*key).to_owned(), String::new())));
        prop_assert!(complete.len() <= tags::MAX_TAGS);
        for (key, value) in &plain {
            prop_assert_eq!(tags.get(key), Some(value));
        }
        // A tag of the database that is spelled nearly like one for retention is noted by one of ours.
        let of_others = |key: &str| !plain.contains_key(key) && key != tags::UNREAD;
        for (key, value) in tags.iter().filter(|(key, _)| of_others(key)) {
            prop_assert!(!key.to_lowercase().starts_with("snapferry:"));
            for text in [key, value] {
                prop_assert!(!text.starts_with("aws:") && !text.starts_with("rds:"));
            }
        }
    }
}
