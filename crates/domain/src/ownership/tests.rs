use std::collections::{BTreeMap, BTreeSet};

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

const CREATED: Timestamp = Timestamp::UNIX_EPOCH;

/// A copy of `source_arn` by the rules of today.
fn copy<'a>(source_arn: &'a str, kms_key_arn: Option<&'a str>, attempt: u32) -> CopyIdentity<'a> {
    CopyIdentity {
        format: Format::CURRENT,
        source_arn,
        source_created: CREATED,
        source_resource_id: "db-ORDERS",
        kms_key_arn,
        attempt,
    }
}

#[test]
fn the_owner_tag_has_the_source_region_and_the_owner() {
    assert_eq!(owner("snapferry").tag(), "us-east-1/snapferry");
}

#[test]
fn a_copy_is_named_after_its_owner_and_its_snapshot() {
    let arn = arn("rds:orders-2026-11-22-03-10");
    let id = owner("snapferry").copy_id(&copy(&arn, Some("key"), 0));
    assert!(id.starts_with("snapferry-orders-2026-11-22-03-10-"), "{id}");
    assert_eq!(id.len(), "snapferry-orders-2026-11-22-03-10-".len() + 12);
}

/// Copies outlive releases. The digits are those that sha256sum prints.
#[test]
fn the_names_of_both_versions_are_for_ever() {
    let arn = arn("rds:orders-2026-11-22-03-10");
    let key = "arn:aws:kms:eu-west-1:123456789012:key/1111";
    let today = CopyIdentity {
        source_created: "2026-11-22T03:10:07.123Z".parse().expect("a time"),
        ..copy(&arn, Some(key), 0)
    };
    let first = CopyIdentity {
        format: Format::V1,
        ..today
    };
    let owner = owner("snapferry");
    assert_eq!(owner.copy_id(&first), "snapferry-orders-2026-11-22-03-10-6d5d1ab14f34");
    assert_eq!(owner.copy_id(&today), "snapferry-orders-2026-11-22-03-10-749a4270bfa2");
    for (format, tag) in [(Format::V1, None), (Format::V2, Some("2"))] {
        assert_eq!((format.tag(), Format::from_tag(tag)), (tag, Some(format)));
    }
    assert_eq!(Format::from_tag(Some("3")), None, "a later release's");
}

#[test]
fn the_name_depends_on_snapshot_time_database_key_and_attempt() {
    let (automated, manual) = (arn("rds:orders"), arn("orders"));
    let base = copy(&automated, Some("key"), 0);
    let names: BTreeSet<String> = [
        base,
        CopyIdentity { attempt: 1, ..base },
        copy(&automated, Some("other"), 0),
        copy(&automated, None, 0),
        copy(&manual, Some("key"), 0),
        // A name that was used again, for a snapshot of the same database or of another one (H6, P1).
        CopyIdentity {
            source_created: Timestamp::MAX,
            ..base
        },
        CopyIdentity {
            source_resource_id: "db-OTHER",
            ..base
        },
        CopyIdentity {
            format: Format::V1,
            ..base
        },
    ]
    .map(|identity| owner("snapferry").copy_id(&identity))
    .into();
    assert_eq!(names.len(), 8);
}

#[test]
fn what_a_snapshot_claims_of_its_owner_is_a_claim_only() {
    let claim = |tag: &str| {
        let tags = BTreeMap::from([(tags::OWNER.to_owned(), tag.to_owned())]);
        Owner::claimed_by(&crate::examples::manual_snapshot("by-hand", tags))
    };
    let claimed = claim("us-east-1/snap").expect("a claim");
    assert_eq!(claimed, owner("snap"));
    assert_eq!((claimed.source_region(), claimed.id()), ("us-east-1", "snap"));
    assert_eq!(claim("nobody"), None);
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
        let arn = arn(&name);
        let identity = copy(&arn, key.as_deref(), attempt);
        let id = owner.copy_id(&identity);
        prop_assert!(is_legal(&id), "{id}");
        prop_assert!(id.starts_with(&format!("{owner_id}-")), "{id}");
        prop_assert_eq!(&id, &owner.copy_id(&identity));
        let first = CopyIdentity { format: Format::V1, ..identity };
        prop_assert!(is_legal(&owner.copy_id(&first)), "{first:?}");
    }

    #[test]
    fn distinct_snapshots_have_distinct_names(
        one in "[a-z][a-z0-9-]{0,62}", other in "[a-z][a-z0-9-]{0,62}", minute in 0..60,
    ) {
        prop_assume!(one != other);
        let owner = owner("snapferry");
        let name = |id: &str| owner.copy_id(&copy(&arn(&format!("rds:{id}-2026-11-22-03-{minute:02}")), None, 0));
        prop_assert_ne!(name(&one), name(&other));
    }
}
