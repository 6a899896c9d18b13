use domain::kind::DatabaseKind;
use fixtures::settings;
use proptest::prelude::*;

use super::*;

fn tagged(tags: &[(&str, &str)]) -> Database {
    Database {
        tags: tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..fixtures::database(DatabaseKind::Instance, "orders")
    }
}

fn of_tags(tags: &[(&str, &str)]) -> (Policy, Vec<String>) {
    read(&tagged(tags), &Keyring::default(), &settings())
}

#[test]
fn tags_ask_for_longer_retention_and_for_an_option_group() {
    let (policy, said) = of_tags(&[
        ("snapferry:keep-days", "365"),
        ("snapferry:keep-monthly", "12"),
        ("snapferry:option-group", "Copies-TZ"),
        ("team", "shop"),
    ]);
    assert!(said.is_empty(), "{said:?}");
    assert_eq!((policy.keep.days, policy.keep.monthly), (365, 12));
    assert_eq!(policy.option_group.as_deref(), Some("copies-tz"));
    assert!(!policy.hold_all);
}

#[test]
fn a_tag_that_cannot_be_read_is_named_without_its_value_and_nothing_is_deleted() {
    for (tag, problem) in [
        ("snapferry:keep", "is not a whole number from 1 to 100"),
        ("snapferry:keep-days", "is not a whole number from 1 to 3650"),
        ("snapferry:option-group", "cannot be the name of an option group"),
        ("snapferry:kms-key", "names no key that the stack allows"),
        ("SNAPFERRY:KEEP", "is spelled otherwise than snapferry:keep"),
        ("snapferry:kep-days", "is spelled otherwise than snapferry:keep-days"),
    ] {
        let (policy, said) = of_tags(&[(tag, "s3cret!")]);
        assert!(policy.hold_all, "{tag}");
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with(&format!("instance orders: the tag {tag} {problem}")),
            "{said:?}"
        );
        assert!(!said[0].contains("s3cret"));
        let nothing = Policy {
            hold_all: true,
            ..Policy::default()
        };
        assert_eq!(policy, nothing, "{tag} counts as absent");
    }
}

/// Rule 3: only what may have asked for retention holds.
#[test]
fn an_unknown_tag_is_named_without_its_value_and_holds_nothing() {
    for tag in ["snapferry:team", "snapferry:retention", "Snapferry_Whatever"] {
        let (policy, said) = of_tags(&[(tag, "s3cret!")]);
        assert_eq!(policy, Policy::default(), "{tag}");
        let expected = format!("instance orders: the tag {tag} is not a tag that Snapferry knows; it is ignored");
        assert_eq!(said, [expected]);
    }
}

/// Neither of them asks for a copy to be kept.
#[test]
fn what_cannot_be_read_of_drills_and_of_the_order_of_a_restore_is_named_and_holds_nothing() {
    for (tag, problem) in [
        ("snapferry:drill-every", "is none of never, week and month"),
        ("snapferry:restore-order", "is not a number from 1 to 9999"),
    ] {
        let (policy, said) = of_tags(&[(tag, "s3cret!")]);
        assert_eq!(policy, Policy::default(), "{tag}");
        assert_eq!(
            said,
            [format!("instance orders: the tag {tag} {problem}; it is ignored")]
        );
    }
}

#[test]
fn asking_for_less_than_the_stack_keeps_is_said_and_harmless() {
    let (policy, said) = of_tags(&[("snapferry:keep", "1")]);
    assert!(!policy.hold_all);
    assert_eq!(
        said,
        ["instance orders: the tag snapferry:keep asks for less than the stack keeps, which holds"]
    );
    let target = domain::payload::Target {
        policy: Some(policy),
        ..domain::payload::Target::new(DatabaseKind::Instance, "orders", "db-ORDERS")
    };
    assert_eq!(target.keep(settings().keep), settings().keep);
}

#[test]
fn the_tags_of_a_copy_on_a_restored_database_are_not_its_policy() {
    let (policy, said) = of_tags(&[
        ("snapferry:owner", "us-east-1/snap"),
        ("snapferry:verified", "2026-11-22T04:00:00Z"),
        ("snapferry:source-arn", "arn"),
    ]);
    assert_eq!((policy, said), (Policy::default(), Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

    #[test]
    fn no_tags_make_the_stack_keep_less_or_take_a_key_of_their_own(
        values in proptest::collection::btree_map(
            prop::sample::select(tags::ALL.to_vec()),
            prop_oneof!["[0-9]{1,5}", "\\PC{0,20}", Just("arn:aws:kms:eu-west-1:123456789012:key/evil".to_owned())],
            0..8,
        ),
    ) {
        let database = Database {
            tags: values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            ..fixtures::database(DatabaseKind::Instance, "orders")
        };
        let (policy, _) = read(&database, &Keyring::default(), &settings());
        prop_assert_eq!(&policy.kms_key_arn, &None);
        let target = domain::payload::Target {
            policy: Some(policy),
            ..domain::payload::Target::new(DatabaseKind::Instance, "orders", "db-ORDERS")
        };
        prop_assert_eq!(target.check_for_copy(&settings()), Ok(()));
        let keep = target.keep(settings().keep);
        prop_assert_eq!(keep.widest(settings().keep), keep);
    }
}
