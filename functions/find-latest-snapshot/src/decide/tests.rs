use domain::retention_rules::RetentionRules;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1111";

fn hour(hour: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + hour * 3600).expect("in range")
}

fn source(hour_of_data: i64) -> Source {
    Source {
        created_at: hour(hour_of_data),
        arn: format!("arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-{hour_of_data}"),
        ..fixtures::source()
    }
}

fn copy(hour_of_data: i64, key: Option<&str>, attempt: u32, status: CopyStatus) -> OwnCopy {
    OwnCopy {
        id: format!("snap-orders-{hour_of_data}-{attempt}"),
        arn: String::new(),
        source_arn: source(hour_of_data).arn,
        source_resource_id: "db-ORDERS".to_owned(),
        source_created: hour(hour_of_data),
        requested: hour(hour_of_data + 1),
        kms_key_arn: key.map(str::to_owned),
        attempt,
        is_confirmed: true,
        retention: RetentionRules::default(),
        unread: false,
        hold: false,
        drilling_until: None,
        drill_every: None,
        restore_order: None,
        stack: None,
        status,
    }
}

/// With these copies stuck, and forgotten ones verified or not.
fn action_with<'a>(copies: &'a [OwnCopy], stuck: &'a [String], verifies_others: bool) -> Result<Action<'a>, Error> {
    action_in(copies, stuck, verifies_others, false)
}

fn action_in<'a>(
    copies: &'a [OwnCopy],
    stuck: &'a [String],
    verifies_others: bool,
    waits_for_others: bool,
) -> Result<Action<'a>, Error> {
    let facts = Facts {
        source: Box::leak(Box::new(source(10))),
        copies,
        keys: &[Some(KEY)],
        overdue: stuck,
        idle: stuck,
        verifies_others,
        waits_for_others,
    };
    decide(&facts).map(|verdict| verdict.action)
}

fn action(copies: &[OwnCopy]) -> Result<Action<'_>, Error> {
    action_with(copies, &[], true)
}

#[test]
fn a_copy_under_another_key_does_not_count() {
    let other = [copy(10, Some("other"), 0, CopyStatus::Verified)];
    assert_eq!(action(&other), Ok(Action::Copy { attempt: 0 }));
    let failed = [copy(10, Some("other"), 0, CopyStatus::Failed)];
    assert_eq!(
        action(&failed),
        Ok(Action::Copy { attempt: 0 }),
        "nor does it count as an attempt"
    );
}

/// M1: what is being deleted is no copy, and no attempt that failed either.
#[test]
fn a_copy_that_is_being_deleted_is_neither_a_copy_nor_an_attempt() {
    let going = [copy(10, Some(KEY), 0, CopyStatus::Going)];
    assert_eq!(action(&going), Ok(Action::Copy { attempt: 0 }));
}

#[test]
fn data_that_is_older_than_a_verified_copy_is_not_copied() {
    let later = [
        copy(12, Some("other"), 0, CopyStatus::Verified),
        copy(11, Some(KEY), 0, CopyStatus::Verified),
    ];
    assert_eq!(action(&later), Ok(Action::Current(&later[0])));
}

#[test]
fn after_three_failed_copies_a_snapshot_is_given_up() {
    let failed: Vec<OwnCopy> = (0..3)
        .map(|attempt| copy(10, Some(KEY), attempt, CopyStatus::Failed))
        .collect();
    assert_eq!(action(&failed[..2]), Ok(Action::Copy { attempt: 2 }));
    let error = action(&failed).expect_err("given up");
    assert_eq!(error.name(), "AttemptsUsedUp");
}

/// A gap is left where a failed copy was deleted.
#[test]
fn the_next_attempt_is_the_first_one_whose_name_is_free() {
    for (taken, next) in [(&[1][..], 0), (&[0, 2], 1), (&[0, 0], 1)] {
        let failed: Vec<OwnCopy> = taken
            .iter()
            .map(|attempt| copy(10, Some(KEY), *attempt, CopyStatus::Failed))
            .collect();
        assert_eq!(action(&failed), Ok(Action::Copy { attempt: next }), "{taken:?}");
    }
}

fn any_copies() -> impl Strategy<Value = Vec<OwnCopy>> {
    let status = prop::sample::select(vec![
        CopyStatus::Verified,
        CopyStatus::Unverified,
        CopyStatus::InProgress,
        CopyStatus::Failed,
        CopyStatus::Mismatched,
    ]);
    let key = prop::sample::select(vec![None, Some(KEY), Some("other")]);
    let one =
        (8_i64..13, key, 0_u32..3, status).prop_map(|(hour, key, attempt, status)| copy(hour, key, attempt, status));
    prop::collection::vec(one, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

    #[test]
    fn a_copy_is_begun_only_where_none_is_good_or_may_become_so(copies in any_copies()) {
        let of_source = |copy: &&OwnCopy| copy.source_arn == source(10).arn && copy.kms_key_arn.as_deref() == Some(KEY);
        let has = |status: CopyStatus| copies.iter().filter(of_source).any(|copy| copy.status == status);
        match action(&copies) {
            Ok(Action::Copy { attempt }) => {
                prop_assert!(!has(CopyStatus::Verified) && !has(CopyStatus::InProgress) && !has(CopyStatus::Unverified));
                let waits = |copy: &OwnCopy| copy.status == CopyStatus::InProgress && copy.kms_key_arn.as_deref() == Some(KEY);
                prop_assert!(!copies.iter().any(waits), "a second copy of the database");
                let is_taken = |attempt: u32| copies.iter().filter(of_source).any(|copy| copy.attempt == attempt);
                prop_assert!(!is_taken(attempt) && (0..attempt).all(is_taken), "{}", attempt);
            }
            Ok(Action::Join(copy)) => {
                prop_assert_eq!(copy.kms_key_arn.as_deref(), Some(KEY));
                prop_assert!(of_source(&copy) && copy.status == CopyStatus::Unverified);
            }
            Ok(Action::UnderWay(copy)) => {
                prop_assert_eq!(copy.kms_key_arn.as_deref(), Some(KEY));
                prop_assert_eq!(copy.status, CopyStatus::InProgress);
                prop_assert!(!has(CopyStatus::Verified) && !has(CopyStatus::Unverified));
            }
            Ok(Action::Verify(copy)) => {
                prop_assert!(!of_source(&copy));
                prop_assert_eq!(copy.status, CopyStatus::Unverified);
            }
            Ok(Action::Current(copy)) => {
                prop_assert_eq!(copy.status, CopyStatus::Verified);
                prop_assert!(copy.source_created >= source(10).created_at);
            }
            Err(error) => {
                prop_assert_eq!(error.name(), "AttemptsUsedUp");
                prop_assert!(copies.iter().filter(of_source).count() >= MAX_ATTEMPTS as usize, "three names are taken");
            }
        }
    }
}

/// M2: a complete copy whose driver has died is verified by whoever meets it, before anything else is done.
#[test]
fn a_forgotten_copy_of_another_snapshot_is_verified_first() {
    let forgotten = copy(4, Some(KEY), 0, CopyStatus::Unverified);
    for rest in [
        vec![],
        vec![copy(10, Some(KEY), 0, CopyStatus::Verified)],
        vec![copy(10, Some(KEY), 0, CopyStatus::InProgress)],
    ] {
        let mut copies = rest.clone();
        copies.push(forgotten.clone());
        assert_eq!(action_with(&copies, &[], true), Ok(Action::Verify(&forgotten)));
        let without = action_with(&copies, &[], false);
        assert!(!matches!(without, Ok(Action::Verify(_))), "{without:?}");
    }
}

/// M2: while one copy of a database is in progress, no second one is begun; one that is stuck, or under another key, is
/// waited for no longer.
#[test]
fn no_second_copy_is_begun_while_one_is_in_progress() {
    let older = [copy(4, Some(KEY), 0, CopyStatus::InProgress)];
    assert_eq!(action(&older), Ok(Action::UnderWay(&older[0])));
    let stuck = [older[0].id.clone()];
    assert_eq!(action_with(&older, &stuck, true), Ok(Action::Copy { attempt: 0 }));
    let other_key = [copy(4, Some("other"), 0, CopyStatus::InProgress)];
    assert_eq!(action(&other_key), Ok(Action::Copy { attempt: 0 }));
}

/// A whole run never waits because another is running. The run of an event waits for the copy of an older snapshot, and
/// copies its own right after it; a copy of its own snapshot is somebody else's already.
#[test]
fn a_copy_in_progress_is_under_way_and_only_an_event_waits_for_an_older_one() {
    let older = [copy(4, Some(KEY), 0, CopyStatus::InProgress)];
    let same = [copy(10, Some(KEY), 0, CopyStatus::InProgress)];
    for (is_event, copies, expected) in [
        (false, &older, Action::UnderWay(&older[0])),
        (false, &same, Action::UnderWay(&same[0])),
        (true, &older, Action::Verify(&older[0])),
        (true, &same, Action::UnderWay(&same[0])),
    ] {
        assert_eq!(
            action_in(copies, &[], true, is_event),
            Ok(expected),
            "event: {is_event}"
        );
    }
    let overdue = [same[0].id.clone()];
    assert_eq!(
        action_with(&same, &overdue, true),
        Ok(Action::Join(&same[0])),
        "so that somebody says that it is overdue"
    );
}
