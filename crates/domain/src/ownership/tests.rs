use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn settings(owner_id: &str) -> Settings {
    let read = Settings::read(|name| {
        let value = match name {
            "AWS_REGION" => "us-east-1",
            "DESTINATION_REGION" => "eu-west-1",
            "DESTINATION_KMS_KEY_ARN" => "arn:aws:kms:eu-west-1:123456789012:key/1111",
            "OWNER_ID" => owner_id,
            "STACK_NAME" => "snapferry",
            _ => return None,
        };
        Some(value.to_owned())
    });
    read.expect("good settings")
}

fn owner(id: &str) -> Owner {
    Owner::from_settings(&settings(id))
}

fn arn(name: &str) -> String {
    format!("arn:aws:rds:us-east-1:123456789012:snapshot:{name}")
}

fn snapshot(id: &str, tags: &[(&str, &str)]) -> Snapshot {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    crate::examples::manual_snapshot(id, tags.collect())
}

#[test]
fn the_owner_tag_has_the_source_region_and_the_owner() {
    assert_eq!(owner("snapferry").tag(), "us-east-1/snapferry");
}

#[test]
fn a_copy_is_named_after_its_owner_and_its_snapshot() {
    let id = owner("snapferry").copy_id(&arn("rds:orders-2026-11-22-03-10"), Some("key"), 0);
    assert!(id.starts_with("snapferry-orders-2026-11-22-03-10-"), "{id}");
    assert_eq!(id.len(), "snapferry-orders-2026-11-22-03-10-".len() + 12);
}

#[test]
fn the_name_depends_on_source_key_and_attempt() {
    let owner = owner("snapferry");
    let names: BTreeSet<String> = [
        owner.copy_id(&arn("rds:orders"), Some("key"), 0),
        owner.copy_id(&arn("rds:orders"), Some("key"), 1),
        owner.copy_id(&arn("rds:orders"), Some("other"), 0),
        owner.copy_id(&arn("rds:orders"), None, 0),
        owner.copy_id(&arn("orders"), Some("key"), 0),
    ]
    .into();
    assert_eq!(names.len(), 5);
}

#[test]
fn ours_is_what_has_our_name_and_our_tag() {
    let owner = owner("snap");
    let ours = [(tags::OWNER, "us-east-1/snap")];
    assert!(owner.owns(&snapshot("snap-orders-1", &ours)));
    assert!(
        !owner.owns(&snapshot("snap-orders-1", &[])),
        "the name alone does not make it ours"
    );
    assert!(
        !owner.owns(&snapshot("orders-by-hand", &ours)),
        "the tag alone does not make it ours"
    );
    assert!(
        !owner.owns(&snapshot("snapferry-orders-1", &ours)),
        "nor does a longer owner's prefix"
    );
    assert!(
        !owner.owns(&snapshot("snap-orders-1", &[(tags::OWNER, "us-west-2/snap")])),
        "nor another region's stack"
    );
    let automated = Snapshot {
        snapshot_type: "automated".to_owned(),
        ..snapshot("snap-orders-1", &ours)
    };
    assert!(!owner.owns(&automated));
}

#[test]
fn what_a_copy_claims_of_its_owner_is_checked() {
    let ours = snapshot("snap-orders-1", &[(tags::OWNER, "us-east-1/snap")]);
    let claimed = Owner::claimed_by(&ours).expect("a claim");
    assert_eq!(claimed, owner("snap"));
    assert_eq!((claimed.source_region(), claimed.id()), ("us-east-1", "snap"));
    assert!(claimed.owns(&ours));

    let by_hand = snapshot("by-hand", &[(tags::OWNER, "us-east-1/snap")]);
    assert!(Owner::claimed_by(&by_hand).is_some_and(|claimed| !claimed.owns(&by_hand)));
    for none in [&[][..], &[(tags::OWNER, "nobody")]] {
        assert_eq!(Owner::claimed_by(&snapshot("snap-orders-1", none)), None);
    }
}

fn is_legal(id: &str) -> bool {
    id.len() <= 63
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !id.contains("--")
        && !id.ends_with('-')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

    #[test]
    fn any_name_is_legal_stable_and_begins_with_the_owner(
        owner_id in "[a-z][a-z0-9]{1,11}",
        name in "(rds:|awsbackup:)?\\PC{0,80}",
        key in proptest::option::of("[a-f0-9]{8}"),
        attempt in 0_u32..3,
    ) {
        let owner = owner(&owner_id);
        let id = owner.copy_id(&arn(&name), key.as_deref(), attempt);
        prop_assert!(is_legal(&id), "{id}");
        prop_assert!(id.starts_with(&format!("{owner_id}-")), "{id}");
        prop_assert_eq!(&id, &owner.copy_id(&arn(&name), key.as_deref(), attempt));
    }

    #[test]
    fn distinct_snapshots_have_distinct_names(
        one in "[a-z][a-z0-9-]{0,62}", other in "[a-z][a-z0-9-]{0,62}", minute in 0..60,
    ) {
        prop_assume!(one != other);
        let owner = owner("snapferry");
        let name = |id: &str| owner.copy_id(&arn(&format!("rds:{id}-2026-11-22-03-{minute:02}")), None, 0);
        prop_assert_ne!(name(&one), name(&other));
    }
}
