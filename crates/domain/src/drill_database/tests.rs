use proptest::prelude::*;

use super::*;

const COPY: &str = "arn:aws:rds:eu-west-1:123456789012:snapshot:snap-orders-2026-11-22-03-10-0123456789ab";

fn owner() -> Owner {
    Owner::new("us-east-1", "snap")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A database that was marked as this owner's, with a time.
fn marked(until: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (tags::DRILL_OWNER.to_owned(), owner().tag().to_owned()),
        (tags::DRILL_UNTIL.to_owned(), until.to_owned()),
    ])
}

fn database<'a>(tags: &'a BTreeMap<String, String>, created: Option<&str>) -> DrillDatabase<'a> {
    DrillDatabase {
        id: "snap-drill-01234567-orders",
        tags,
        created_at: created.map(time),
    }
}

#[test]
fn a_drill_database_is_named_after_its_copy_and_its_owner() {
    let id = identifier(&owner(), COPY, "orders");
    // The first digits that sha256sum prints for the owner tag, a colon and the ARN.
    assert_eq!(
        id,
        format!("snap-drill-{}-orders", hex_prefix(&format!("us-east-1/snap:{COPY}"), 8))
    );
    assert_ne!(
        id,
        identifier(&Owner::new("us-west-2", "snap"), COPY, "orders"),
        "another owner"
    );
    assert_ne!(
        id,
        identifier(&owner(), &COPY.replace("-22-", "-23-"), "orders"),
        "another copy"
    );
}

#[test]
fn neither_the_name_nor_the_mark_alone_makes_it_ours() {
    let tags = marked("2026-11-22T08:00:00Z");
    assert!(database(&tags, None).is_ours(&owner()));
    let none = BTreeMap::new();
    assert!(!database(&none, None).is_ours(&owner()), "only the name");
    let named = DrillDatabase {
        id: "orders",
        ..database(&tags, None)
    };
    assert!(!named.is_ours(&owner()), "only the mark");
    for other in [Owner::new("us-east-1", "other"), Owner::new("us-west-2", "snap")] {
        assert!(!database(&tags, None).is_ours(&other), "another owner's");
    }
    let copied = BTreeMap::from([(tags::OWNER.to_owned(), owner().tag().to_owned())]);
    assert!(
        !database(&copied, None).is_ours(&owner()),
        "the owner tag of a copy, which a restore inherits"
    );
}

#[test]
fn what_the_operator_adds_replaces_nothing_of_the_mark() {
    let mark = DrillMark {
        run: "d-orders-1".to_owned(),
        until: time("2026-11-22T08:00:00Z"),
        copy_arn: COPY.to_owned(),
    };
    let more = BTreeMap::from([
        (tags::COPY.to_owned(), "true".to_owned()),
        ("team".to_owned(), "data".to_owned()),
    ]);
    let tags = mark.to_tags(&owner(), &more);
    assert_eq!(tags.get("team").map(String::as_str), Some("data"));
    assert_eq!(tags.get(tags::COPY).map(String::as_str), Some("false"));
    let made = database(&tags, None);
    assert!(made.is_ours(&owner()));
    assert_eq!((made.run(), made.copy_arn()), (Some("d-orders-1"), Some(COPY)));
    assert!(!made.is_overdue(4, time("2026-11-22T08:00:00Z")));
    assert!(made.is_overdue(4, time("2026-11-22T08:00:01Z")));
}

#[test]
fn the_earliest_of_all_ends_counts() {
    let now = time("2026-11-22T12:00:00Z");
    for (until, created, overdue) in [
        ("2026-11-22T12:30:00Z", Some("2026-11-22T11:00:00Z"), false),
        ("2026-11-22T11:59:59Z", Some("2026-11-22T11:00:00Z"), true),
        ("2026-11-22T12:30:00Z", Some("2026-11-22T07:59:00Z"), true),
        // A tag that somebody changed, or nobody can read, extends nothing.
        ("2099-01-01T00:00:00Z", Some("2026-11-22T07:59:00Z"), true),
        ("2099-01-01T00:00:00Z", Some("2026-11-22T08:01:00Z"), false),
        ("soon", Some("2026-11-22T07:59:00Z"), true),
        ("soon", Some("2026-11-22T08:01:00Z"), false),
        // While RDS is making it, it says no time.
        ("2026-11-22T12:30:00Z", None, false),
        ("2026-11-22T16:00:01Z", None, true),
        ("soon", None, true),
    ] {
        let tags = marked(until);
        assert_eq!(
            database(&tags, created).is_overdue(4, now),
            overdue,
            "{until} {created:?}"
        );
    }
}

proptest! {
    #[test]
    fn a_name_is_legal_and_says_whose_it_is(
        owner in "[a-z][a-z0-9]{1,11}",
        id in "[A-Za-z][A-Za-z0-9-]{0,62}",
        other in any::<String>(),
    ) {
        let owner = Owner::new("us-east-1", &owner);
        for id in [identifier(&owner, COPY, &id), identifier(&owner, COPY, &other)] {
            for id in [member_identifier(&id), id] {
                prop_assert!(id.len() <= 63, "{}", id);
                prop_assert!(id.starts_with(|first: char| first.is_ascii_lowercase()));
                prop_assert!(!id.contains("--") && !id.ends_with('-'), "{}", id);
                prop_assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
                let tags = BTreeMap::new();
                let named = DrillDatabase { id: &id, tags: &tags, created_at: None };
                prop_assert!(named.has_name(&owner));
            }
        }
    }

    #[test]
    fn no_tag_extends_the_time(
        until in prop_oneof![any::<String>(), (0_i64..400_000).prop_map(|second| {
            Timestamp::from_second(1_764_000_000 + second).expect("in range").to_string()
        })],
        created in 0_i64..200_000,
        after in 0_i64..400_000,
        hours in 1_u32..=48,
    ) {
        let created = Timestamp::from_second(1_764_000_000 + created).expect("in range");
        let tags = marked(&until);
        let made = DrillDatabase { id: "snap-drill-01234567", tags: &tags, created_at: Some(created) };
        let now = created + SignedDuration::from_secs(after);
        if after > i64::from(hours.min(24)) * 3600 {
            prop_assert!(made.is_overdue(hours, now));
        }
        // Nor does it matter to the sweep whether there is a tag at all, once the hours are over.
        let bare = BTreeMap::new();
        let untagged = DrillDatabase { tags: &bare, ..made };
        prop_assert!(made.is_overdue(hours, now) || !untagged.is_overdue(hours, now));
    }
}
