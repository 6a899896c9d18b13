//! Tags on snapshots and databases.

use serde_json::json;

use crate::harness::{Harness, SOURCE, value, values};

const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:snapshot:mine";

fn lab() -> Harness {
    Harness::new(json!({ "regions": { SOURCE: { "instances": [
        { "id": "orders", "tags": { "team": "shop" }, "snapshots": [{ "id": "mine", "tags": { "a": "1" } }] }
    ] } } }))
}

fn add(lab: &mut Harness, key: &str, value: &str) -> u16 {
    let parameters = [
        ("ResourceName", ARN),
        ("Tags.Tag.1.Key", key),
        ("Tags.Tag.1.Value", value),
    ];
    lab.response(SOURCE, "AddTagsToResource", &parameters).0.status
}

#[test]
fn tags_are_added_overwritten_listed_and_removed() {
    let mut lab = lab();
    assert_eq!(add(&mut lab, "b", "2"), 200);
    assert_eq!(add(&mut lab, "a", "3"), 200);
    let list = lab.ok(SOURCE, "ListTagsForResource", &[("ResourceName", ARN)]);
    assert_eq!(values(&list, "Key"), ["a", "b"]);
    assert_eq!(values(&list, "Value"), ["3", "2"]);
    lab.ok(
        SOURCE,
        "RemoveTagsFromResource",
        &[
            ("ResourceName", ARN),
            ("TagKeys.member.1", "a"),
            ("TagKeys.member.2", "never"),
        ],
    );
    let snapshot = lab.ok(SOURCE, "DescribeDBSnapshots", &[("DBSnapshotIdentifier", "mine")]);
    assert_eq!(value(&snapshot, "Key"), "b");
    let database = [("ResourceName", "arn:aws:rds:eu-west-1:123456789012:db:orders")];
    assert_eq!(
        value(&lab.ok(SOURCE, "ListTagsForResource", &database), "Value"),
        "shop"
    );
}

#[test]
fn keys_and_values_with_a_reserved_prefix_or_a_strange_character_are_refused() {
    let mut lab = lab();
    let long = "k".repeat(129);
    for (key, value) in [
        ("aws:x", "1"),
        ("rds:x", "1"),
        ("x", "rds:orders-2026"),
        ("x", "aws:y"),
        ("", "1"),
        ("x", "a,b"),
        (long.as_str(), "1"),
    ] {
        assert_eq!(add(&mut lab, key, value), 400, "{key}={value}");
    }
    for (key, value) in [
        ("snapferry:owner", "eu-west-1/acme"),
        ("x", ""),
        ("Größe", "10 GiB"),
        ("x", "arn:aws:rds:eu-west-1:1:snapshot:rds:a"),
    ] {
        assert_eq!(add(&mut lab, key, value), 200, "{key}={value}");
    }
}

#[test]
fn a_resource_has_50_tags_at_most_and_each_key_once() {
    let mut lab = lab();
    for number in 1..50 {
        assert_eq!(add(&mut lab, &format!("k{number}"), "v"), 200);
    }
    assert_eq!(add(&mut lab, "one-more", "v"), 400);
    assert_eq!(add(&mut lab, "k1", "w"), 200);
    let twice = [
        ("ResourceName", ARN),
        ("Tags.Tag.1.Key", "a"),
        ("Tags.Tag.1.Value", "1"),
        ("Tags.Tag.2.Key", "a"),
        ("Tags.Tag.2.Value", "2"),
    ];
    assert_eq!(lab.code(SOURCE, "AddTagsToResource", &twice), "InvalidParameterValue");
}

#[test]
fn a_resource_must_exist_in_the_region_of_the_call() {
    let mut lab = lab();
    let gone = [("ResourceName", "arn:aws:rds:eu-west-1:123456789012:snapshot:gone")];
    assert_eq!(lab.code(SOURCE, "ListTagsForResource", &gone), "DBSnapshotNotFound");
    assert_eq!(
        lab.code("eu-north-1", "ListTagsForResource", &[("ResourceName", ARN)]),
        "InvalidParameterValue"
    );
    assert_eq!(
        lab.code(SOURCE, "ListTagsForResource", &[("ResourceName", "mine")]),
        "InvalidParameterValue"
    );
}
