use crate::examples::database;
use crate::kind::DatabaseKind;
use proptest::prelude::*;

use super::*;

const DEADLINE: SignedDuration = SignedDuration::from_hours(72);

fn hour(hour: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + hour * 3600).expect("in range")
}

fn copy(id: &str, hour_of_data: i64, status: CopyStatus) -> OwnCopy {
    OwnCopy {
        id: id.to_owned(),
        arn: format!("arn:aws:rds:eu-west-1:123456789012:snapshot:{id}"),
        source_arn: format!("arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-{hour_of_data}"),
        source_resource_id: "db-ORDERS".to_owned(),
        source_created: hour(hour_of_data),
        requested: hour(hour_of_data + 1),
        kms_key_arn: None,
        attempt: 0,
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

/// Keeps this many copies, by no other rule.
fn only(copies: u32) -> PruneRules {
    PruneRules {
        keep: RetentionRules {
            copies,
            ..RetentionRules::default()
        },
        hold: None,
        stack: STACK.to_owned(),
        deadline: DEADLINE,
    }
}

/// The name of our stack.
const STACK: &str = "snapferry";

fn deleted(copies: &[OwnCopy], keep: u32, now: Timestamp) -> Vec<&str> {
    plan(copies, &only(keep), now)
        .into_iter()
        .filter(|verdict| verdict.delete)
        .map(|verdict| verdict.copy.id.as_str())
        .collect()
}

#[test]
fn the_newest_verified_copies_are_kept() {
    let copies: Vec<OwnCopy> = (0..5)
        .map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified))
        .collect();
    assert_eq!(deleted(&copies, 3, hour(200)), ["day-0", "day-1"]);
    assert_eq!(deleted(&copies, 1, hour(200)), ["day-0", "day-1", "day-2", "day-3"]);
    assert_eq!(
        deleted(&copies, 0, hour(200)),
        ["day-0", "day-1", "day-2", "day-3"],
        "the newest stays even with keep 0"
    );
    assert!(deleted(&copies, 5, hour(200)).is_empty());
}

#[test]
fn the_order_is_that_of_the_data_not_of_the_copying() {
    let mut late = copy("copied-late", 0, CopyStatus::Verified);
    late.requested = hour(500);
    let copies = [late, copy("copied-early", 24, CopyStatus::Verified)];
    assert_eq!(deleted(&copies, 1, hour(600)), ["copied-late"]);
}

#[test]
fn nothing_goes_while_a_newer_copy_is_in_progress() {
    let mut copies: Vec<OwnCopy> = (0..5)
        .map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified))
        .collect();
    copies.push(copy("under-way", 120, CopyStatus::InProgress));
    assert!(deleted(&copies, 1, hour(125)).is_empty());
    // Past the deadline it blocks nothing any more, and still is not deleted itself.
    assert_eq!(deleted(&copies, 4, hour(121 + 73)), ["day-0"]);
}

#[test]
fn a_copy_in_progress_does_not_hold_up_copies_newer_than_itself() {
    let copies = [
        copy("under-way", 0, CopyStatus::InProgress),
        copy("failed", 24, CopyStatus::Failed),
        copy("good", 48, CopyStatus::Verified),
    ];
    assert_eq!(deleted(&copies, 1, hour(49)), ["failed"]);
}

#[test]
fn copies_that_are_no_good_do_not_count_and_go_once_a_later_good_one_exists() {
    let bad = [
        copy("good", 0, CopyStatus::Verified),
        copy("failed", 24, CopyStatus::Failed),
        copy("mismatched", 48, CopyStatus::Mismatched),
    ];
    assert!(
        deleted(&bad, 1, hour(400)).is_empty(),
        "when copying breaks, retention stops too"
    );
    let mut mended = bad.to_vec();
    mended.push(copy("later", 72, CopyStatus::Verified));
    assert_eq!(deleted(&mended, 2, hour(400)), ["failed", "mismatched"]);
}

#[test]
fn a_good_copy_of_the_same_snapshot_supersedes_the_failed_one() {
    let copies = [
        copy("first-try", 0, CopyStatus::Failed),
        copy("second-try", 0, CopyStatus::Verified),
    ];
    assert_eq!(deleted(&copies, 3, hour(10)), ["first-try"]);
}

#[test]
fn a_complete_copy_waits_for_its_verification_until_the_deadline() {
    let copies = [
        copy("unverified", 0, CopyStatus::Unverified),
        copy("later", 24, CopyStatus::Verified),
    ];
    assert!(deleted(&copies, 1, hour(30)).is_empty());
    assert_eq!(deleted(&copies, 1, hour(1 + 73)), ["unverified"]);
}

#[test]
fn every_verdict_has_a_reason() {
    let copies = [
        copy("old", 0, CopyStatus::Verified),
        copy("newest", 24, CopyStatus::Verified),
        copy("failed", 36, CopyStatus::Failed),
    ];
    let reasons: Vec<String> = plan(&copies, &only(1), hour(50))
        .into_iter()
        .map(|verdict| verdict.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            "number 2 of the verified copies; only the newest is kept, and no other rule keeps it",
            "the newest verified copy",
            "it failed, and there is no later verified copy yet",
        ]
    );
}

#[test]
fn copies_up_to_an_age_are_kept_and_one_from_the_future_is_young() {
    let copies: Vec<OwnCopy> = (0..6)
        .map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified))
        .collect();
    let mut rules = only(1);
    rules.keep.days = 2;
    let gone = |now| -> Vec<&str> { deleted_by(&copies, &rules, now) };
    assert_eq!(gone(5 * 24), ["day-0", "day-1", "day-2"]);
    assert!(gone(-1000).is_empty(), "by a clock that runs behind nothing is old");
    assert_eq!(gone(100_000).len(), 5, "by one that runs ahead the newest still stays");
}

#[test]
fn the_last_copy_of_each_day_week_month_and_year_is_kept() {
    // Two copies a day, at 03:00 and 15:00 UTC, over 800 days before 22 November 2026.
    let end: Timestamp = "2026-11-22T15:00:00Z".parse().expect("a time");
    let copies: Vec<OwnCopy> = (0..1600)
        .map(|half_days| {
            let created = end - SignedDuration::from_hours(half_days * 12);
            OwnCopy {
                id: created.strftime("%Y-%m-%dT%H").to_string(),
                source_created: created,
                requested: created,
                ..copy("", 0, CopyStatus::Verified)
            }
        })
        .collect();
    let rules = PruneRules {
        keep: RetentionRules {
            copies: 1,
            days: 0,
            daily: 3,
            weekly: 3,
            monthly: 3,
            yearly: 3,
        },
        ..only(1)
    };
    let kept: Vec<(&str, String)> = plan(&copies, &rules, end)
        .into_iter()
        .filter(|verdict| !verdict.delete)
        .map(|verdict| (verdict.copy.id.as_str(), verdict.reason))
        .collect();
    let kept: Vec<(&str, &str)> = kept.iter().map(|(id, reason)| (*id, reason.as_str())).collect();
    assert_eq!(
        kept,
        [
            ("2024-12-31T15", "the last of its year, 3 of which are kept"),
            ("2025-12-31T15", "the last of its year, 3 of which are kept"),
            ("2026-09-30T15", "the last of its month, 3 of which are kept"),
            ("2026-10-31T15", "the last of its month, 3 of which are kept"),
            // 22 November 2026 is a Sunday, the last day of its week.
            ("2026-11-08T15", "the last of its week, 3 of which are kept"),
            ("2026-11-15T15", "the last of its week, 3 of which are kept"),
            ("2026-11-20T15", "the last of its day, 3 of which are kept"),
            ("2026-11-21T15", "the last of its day, 3 of which are kept"),
            ("2026-11-22T15", "the newest verified copy"),
        ]
    );
}

#[test]
fn a_week_belongs_to_the_year_of_its_thursday() {
    let week = |time: &str| Period::Week.containing(time.parse().expect("a time"));
    assert_eq!(week("2027-01-03T12:00:00Z"), (2026, 53));
    assert_eq!(week("2027-01-04T12:00:00Z"), (2027, 1));
}

fn any_standing() -> impl Strategy<Value = CopyStatus> {
    prop_oneof![
        4 => Just(CopyStatus::Verified),
        1 => Just(CopyStatus::Unverified),
        1 => Just(CopyStatus::InProgress),
        1 => Just(CopyStatus::Failed),
        1 => Just(CopyStatus::Mismatched),
        1 => Just(CopyStatus::Going),
    ]
}

/// Copies with any times at all: equal ones, requests before the data, clocks that ran backwards; some held by a person,
/// some of another stack.
fn any_copies() -> impl Strategy<Value = Vec<OwnCopy>> {
    let stack = prop_oneof![4 => Just(None), 4 => Just(Some(STACK)), 1 => Just(Some("other"))];
    proptest::collection::vec(
        (
            prop_oneof![0_i64..300, 0_i64..30_000],
            -200_i64..300,
            any_standing(),
            prop::bool::weighted(0.1),
            stack,
        ),
        0..12,
    )
    .prop_map(|entries| {
        entries
            .into_iter()
            .enumerate()
            .map(|(at, (data, delay, status, hold, stack))| OwnCopy {
                requested: hour(data + delay),
                hold,
                stack: stack.map(str::to_owned),
                ..copy(&format!("copy-{at}"), data, status)
            })
            .collect()
    })
}

fn any_keep() -> impl Strategy<Value = RetentionRules> {
    let days = prop_oneof![Just(0_u32), 1_u32..20];
    let counts = [0_u32..4, 0..4, 0..4, 0..4];
    (0_u32..8, days, counts).prop_map(|(copies, days, [daily, weekly, monthly, yearly])| RetentionRules {
        copies,
        days,
        daily,
        weekly,
        monthly,
        yearly,
    })
}

fn any_rules() -> impl Strategy<Value = PruneRules> {
    let hold = prop_oneof![9 => Just(None), 1 => Just(Some(Hold::UnreadTag)), 1 => Just(Some(Hold::Unknown))];
    (any_keep(), hold, 0_i64..400).prop_map(|(keep, hold, deadline)| PruneRules {
        keep,
        hold,
        stack: STACK.to_owned(),
        deadline: SignedDuration::from_hours(deadline),
    })
}

fn without(copies: &[OwnCopy], ids: &[&str]) -> Vec<OwnCopy> {
    copies
        .iter()
        .filter(|copy| !ids.contains(&copy.id.as_str()))
        .cloned()
        .collect()
}

#[test]
fn copies_of_a_database_that_is_gone_are_kept_for_as_long_as_the_stack_says_and_no_others() {
    let settings = StackRetention {
        retired_keep_days: 7,
        ..one_copy()
    };
    for (retired, days) in [(true, 7), (false, 0)] {
        let target = Target {
            retired,
            ..Target::new(crate::kind::DatabaseKind::Instance, "orders", "db-ORDERS")
        };
        let rules = PruneRules::new(&settings, &target, SourceDatabase::Gone, &[]);
        assert_eq!(rules.keep.days, days);
    }
}

fn living(tags: &[(&str, &str)]) -> Database {
    Database {
        tags: tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..database(DatabaseKind::Instance, "orders")
    }
}

fn orders() -> Target {
    Target::new(DatabaseKind::Instance, "orders", "db-ORDERS")
}

fn retired() -> Target {
    Target {
        retired: true,
        ..orders()
    }
}

/// A stack that keeps one copy, and prunes databases that are gone after a day.
fn one_copy() -> StackRetention {
    StackRetention {
        keep: RetentionRules {
            copies: 1,
            ..RetentionRules::default()
        },
        retired_keep_days: 1,
        stack: STACK.to_owned(),
        copy_deadline_hours: 72,
    }
}

/// H3: of forty copies one lacks the tag, the newest.
#[test]
fn the_widest_rule_of_all_verified_copies_is_in_force_until_the_last_of_them_is_gone() {
    let mut copies: Vec<OwnCopy> = (0..40)
        .map(|day| {
            let mut copy = copy(&format!("day-{day:02}"), day * 24, CopyStatus::Verified);
            copy.retention.days = 365;
            copy
        })
        .collect();
    copies[39].retention.days = 0;
    let database = living(&[]);
    let rules = |copies: &[OwnCopy]| PruneRules::new(&one_copy(), &orders(), SourceDatabase::Living(&database), copies);
    assert_eq!(rules(&copies).keep.days, 365);
    assert!(deleted_by(&copies, &rules(&copies), 40 * 24).is_empty());
    let gone: Vec<&str> = deleted_by(&copies, &rules(&copies), 380 * 24);
    assert_eq!(gone.len(), 15, "those older than the days that they were made under");
    assert_eq!(rules(&copies[39..]).keep.days, 0);
}

/// H3, H4: what the payload says is only ever more.
#[test]
fn the_tags_of_the_database_count_whatever_the_payload_says_of_them() {
    let database = living(&[("snapferry:keep", "9"), ("snapferry:keep-weekly", "4")]);
    let rules = PruneRules::new(&one_copy(), &orders(), SourceDatabase::Living(&database), &[]);
    assert_eq!((rules.keep.copies, rules.keep.weekly, rules.hold), (9, 4, None));
    let mut wider = orders();
    wider.policy = Some(crate::payload::Policy {
        keep: RetentionRules {
            copies: 12,
            ..RetentionRules::default()
        },
        hold_all: true,
        ..crate::payload::Policy::default()
    });
    let rules = PruneRules::new(&one_copy(), &wider, SourceDatabase::Living(&database), &[]);
    assert_eq!(
        (rules.keep.copies, rules.keep.weekly, rules.hold),
        (12, 4, Some(Hold::UnreadTag))
    );
}

/// H4, M6, case 12.
#[test]
fn a_retention_tag_that_cannot_be_read_or_is_misspelled_holds_everything_and_other_tags_do_not() {
    for (key, value) in [
        ("snapferry:keep-days", "4000"),
        ("snapferry:keep", "many"),
        ("SNAPFERRY:KEEP", "10"),
        ("Snapferry:Keep-Days", "365"),
        ("snapferry_keep_yearly", "7"),
        ("snapferry:keep-dayly", "7"),
        ("snapfery:keep", "7"),
    ] {
        let database = living(&[(key, value)]);
        let rules = PruneRules::new(&one_copy(), &orders(), SourceDatabase::Living(&database), &[]);
        assert_eq!(rules.hold, Some(Hold::UnreadTag), "{key}");
    }
    for key in ["snapferry:team", "keep", "snapferry:unread", "snapferry:hold"] {
        let database = living(&[(key, "10")]);
        let rules = PruneRules::new(&one_copy(), &orders(), SourceDatabase::Living(&database), &[]);
        assert_eq!(rules.hold, None, "{key}");
    }
}

/// H4 (`a03`): the sign outlives the database.
#[test]
fn what_could_not_be_read_holds_where_the_database_is_gone_and_a_living_one_overrules_it() {
    let mut copies = [
        copy("old", 0, CopyStatus::Verified),
        copy("new", 24, CopyStatus::Verified),
    ];
    let hold =
        |target: &Target, database, copies: &[OwnCopy]| PruneRules::new(&one_copy(), target, database, copies).hold;
    let database = living(&[]);
    assert_eq!(hold(&retired(), SourceDatabase::Gone, &copies), None);
    copies[0].unread = true;
    assert_eq!(
        hold(&retired(), SourceDatabase::Gone, &copies),
        Some(Hold::UnreadRecord)
    );
    assert_eq!(hold(&orders(), SourceDatabase::Living(&database), &copies), None);
    assert_eq!(hold(&orders(), SourceDatabase::Unknown, &copies), Some(Hold::Unknown));
    assert_eq!(hold(&retired(), SourceDatabase::Unknown, &copies), Some(Hold::Unknown));
    assert_eq!(hold(&orders(), SourceDatabase::Gone, &copies), Some(Hold::Gone));
    copies[0].status = CopyStatus::Going;
    assert_eq!(hold(&retired(), SourceDatabase::Gone, &copies), None);
}

#[test]
fn a_copy_that_a_person_holds_stays_whatever_its_status() {
    for status in [
        CopyStatus::Verified,
        CopyStatus::Unverified,
        CopyStatus::Failed,
        CopyStatus::Mismatched,
    ] {
        let mut copies = [copy("old", 0, status), copy("newest", 24, CopyStatus::Verified)];
        assert_eq!(deleted(&copies, 1, hour(400)), ["old"]);
        copies[0].hold = true;
        assert!(deleted(&copies, 1, hour(400)).is_empty(), "{status:?}");
    }
}

#[test]
fn a_copy_that_a_drill_restores_stays_until_the_drill_must_have_ended() {
    let mut copies = [
        copy("old", 0, CopyStatus::Verified),
        copy("newest", 24, CopyStatus::Verified),
    ];
    for (until, stays) in [
        (None, false),
        (Some(399), false),
        (Some(404), true),
        (Some(424), true),
        (Some(425), false),
    ] {
        copies[0].drilling_until = until.map(hour);
        assert_eq!(deleted(&copies, 1, hour(400)).is_empty(), stays, "{until:?}");
    }
}

/// M1, case 03.
#[test]
fn a_copy_that_is_being_deleted_is_gone_already() {
    let mut copies: Vec<OwnCopy> = (0..4)
        .map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified))
        .collect();
    copies[3].status = CopyStatus::Going;
    assert!(deleted(&copies, 3, hour(200)).is_empty(), "it is not one of the three");
    copies[0].status = CopyStatus::Going;
    assert!(deleted(&copies, 1, hour(200)).iter().all(|id| *id == "day-1"));
    assert_eq!(plan(&copies, &only(1), hour(200)).len(), 2);
}

/// N5: when a copy goes.
#[test]
fn a_copy_goes_when_enough_newer_ones_exist_or_its_days_are_over() {
    let copies: Vec<OwnCopy> = (0..3)
        .map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified))
        .collect();
    let days = |pairs: &[(&str, u32)]| -> BTreeMap<String, u32> {
        pairs.iter().map(|(id, day)| ((*id).to_owned(), *day)).collect()
    };
    let now = hour(50);
    assert_eq!(
        forecast(&copies, &only(3), true, now),
        days(&[("day-0", 1), ("day-1", 2), ("day-2", 3)])
    );
    assert_eq!(forecast(&copies, &only(3), false, now), days(&[]), "none is replaced");
    let mut rules = only(1);
    rules.keep.days = 10;
    let all = days(&[("day-0", 8), ("day-1", 9), ("day-2", 10)]);
    assert_eq!(forecast(&copies, &rules, true, now), all);
    assert_eq!(
        forecast(&copies, &rules, false, now),
        days(&[("day-0", 8), ("day-1", 9)]),
        "the newest stays for good"
    );
    rules.keep.yearly = 100;
    assert_eq!(forecast(&copies, &rules, true, now).get("day-2"), Some(&10));
    let mut held = copies.clone();
    held[0].hold = true;
    assert!(!forecast(&held, &only(1), true, now).contains_key("day-0"));
    let mut under_way = copies;
    under_way[2].status = CopyStatus::InProgress;
    assert_eq!(forecast(&under_way, &only(2), true, now).get("day-0"), Some(&0));
}

/// L2 (`a11`).
#[test]
fn a_copy_that_is_listed_twice_is_one_copy() {
    let mut copies: Vec<OwnCopy> = (0..3)
        .map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified))
        .collect();
    copies.push(copies[2].clone());
    assert!(deleted(&copies, 3, hour(200)).is_empty());
    assert_eq!(plan(&copies, &only(3), hour(200)).len(), 3);
}

/// M11 (`a21`).
#[test]
fn what_another_stack_made_stays_until_it_has_made_nothing_for_three_days() {
    let mut copies: Vec<OwnCopy> = (0..4)
        .map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified))
        .collect();
    copies[0].stack = Some("other".to_owned());
    copies[2].stack = Some("other".to_owned());
    copies[3].stack = Some(STACK.to_owned());
    // The last one of the other stack was asked for in hour 49.
    assert_eq!(
        deleted(&copies, 1, hour(49 + 72)),
        ["day-1"],
        "what names no stack is ours"
    );
    assert_eq!(stacks_at_work(&copies, STACK, hour(49 + 72)), BTreeSet::from(["other"]));
    assert_eq!(deleted(&copies, 1, hour(49 + 73)), ["day-0", "day-1", "day-2"]);
    assert!(stacks_at_work(&copies, STACK, hour(49 + 73)).is_empty());
    assert_eq!(
        stacks_at_work(&copies, STACK, hour(0)),
        BTreeSet::from(["other"]),
        "a clock that is behind is no permission"
    );
}

#[test]
fn the_brake_lets_the_oldest_go_and_does_not_count_copies_that_are_no_good() {
    let mut copies: Vec<OwnCopy> = (0..6)
        .map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified))
        .collect();
    copies[1].status = CopyStatus::Failed;
    copies[2].status = CopyStatus::Mismatched;
    let gone = |max, before| -> Vec<&str> {
        braked(&plan(&copies, &only(1), hour(200)), Brake::new(max, before))
            .into_iter()
            .map(|copy| copy.id.as_str())
            .collect()
    };
    assert_eq!(gone(2, 0), ["day-0", "day-1", "day-2", "day-3"]);
    assert_eq!(gone(2, 1), ["day-0", "day-1", "day-2"]);
    assert_eq!(gone(2, 5), ["day-1", "day-2"], "room was made before");
}

/// The copies that are there after 400 days with one copy each day. `asked` is what the database's tag asks for on a day.
fn after_400_days(asked: impl Fn(i64) -> RetentionRules, max: u32) -> Vec<OwnCopy> {
    let settings = one_copy();
    let mut copies: Vec<OwnCopy> = Vec::new();
    for day in 0..400 {
        copies.push(OwnCopy {
            retention: asked(day),
            ..copy(&format!("day-{day:03}"), day * 24, CopyStatus::Verified)
        });
        let database = Database {
            tags: tags_of(asked(day)),
            ..database(DatabaseKind::Instance, "orders")
        };
        let rules = PruneRules::new(&settings, &orders(), SourceDatabase::Living(&database), &copies);
        let gone: Vec<String> = one_run(&copies, &rules, max, day * 24 + 2)
            .iter()
            .map(|id| (*id).to_owned())
            .collect();
        copies.retain(|copy| !gone.contains(&copy.id));
    }
    copies
}

/// Rules that let go of every copy within a hundred days or so.
fn any_short_keep() -> impl Strategy<Value = RetentionRules> {
    (1_u32..12, 0_u32..40, 0_u32..12, 0_u32..6, 0_u32..3).prop_map(|(copies, days, daily, weekly, monthly)| {
        RetentionRules {
            copies,
            days,
            daily,
            weekly,
            monthly,
            yearly: 0,
        }
    })
}

proptest! {
    #[test]
    fn a_drill_keeps_the_copy_that_it_restores_and_no_other(
        mut copies in any_copies(),
        rules in any_rules(),
        drilled in any::<prop::sample::Index>(),
        now in 0_i64..500,
    ) {
        prop_assume!(!copies.is_empty());
        let before: Vec<(String, bool)> = plan(&copies, &rules, hour(now)).into_iter().map(|verdict| (verdict.copy.id.clone(), verdict.delete)).collect();
        let at = drilled.index(copies.len());
        copies[at].drilling_until = Some(hour(now + 4));
        for (verdict, (id, delete)) in plan(&copies, &rules, hour(now)).into_iter().zip(before) {
            prop_assert_eq!(&verdict.copy.id, &id);
            prop_assert_eq!(verdict.delete, delete && id != copies[at].id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// H3: a rule that is narrowed ends with the last copy that was made under it, and not before.
    #[test]
    fn a_rule_that_is_narrowed_half_way_of_400_days_ends_with_exactly_the_narrower_rules_copies(
        one in any_short_keep(), other in any_short_keep(), max in 2_u32..6,
    ) {
        let wide = one.widest(other);
        let narrowed = after_400_days(|day| if day < 200 { wide } else { one }, max);
        let always = after_400_days(|_| one, max);
        let ids = |copies: &[OwnCopy]| copies.iter().map(|copy| copy.id.clone()).collect::<Vec<_>>();
        prop_assert_eq!(ids(&narrowed), ids(&always));
    }

    /// H3: a day on which a tag is dropped deletes nothing that the days before it asked to be kept.
    #[test]
    fn a_tag_that_is_dropped_for_a_day_changes_nothing(
        keep in any_short_keep(), dropped in 1_i64..399, max in 2_u32..6,
    ) {
        let ids = |copies: &[OwnCopy]| copies.iter().map(|copy| copy.id.clone()).collect::<Vec<_>>();
        let drifted = after_400_days(|day| if day == dropped { RetentionRules::default() } else { keep }, max);
        prop_assert_eq!(ids(&drifted), ids(&after_400_days(|_| keep, max)));
    }
}

/// The verdict on one copy by the words of the rules, each time over all copies.
fn by_definition<'a>(copy: &'a OwnCopy, copies: &[OwnCopy], rules: &PruneRules, now: Timestamp) -> Verdict<'a> {
    let order = |copy: &OwnCopy| (copy.source_created, copy.requested, copy.id.clone());
    let mut seen = BTreeSet::new();
    let copies: Vec<&OwnCopy> = copies.iter().filter(|copy| seen.insert(&copy.id)).collect();
    let verified = || {
        copies
            .iter()
            .copied()
            .filter(|other| other.status == CopyStatus::Verified)
    };
    let newest = verified().max_by_key(|other| order(other));
    let live = |asked: Timestamp| now.duration_since(asked) <= rules.deadline;
    let under_way = copies
        .iter()
        .copied()
        .filter(|other| other.status == CopyStatus::InProgress && live(other.requested))
        .max_by_key(|other| order(other))
        .filter(|other| order(other) > order(copy));

    let bad = |what: &str| match newest {
        Some(good) if good.source_created >= copy.source_created => {
            (true, format!("it {what}, and {} is verified", good.id))
        }
        _ => (false, format!("it {what}, and there is no later verified copy yet")),
    };
    let (delete, reason) = match copy.status {
        CopyStatus::InProgress | CopyStatus::Going => (false, "in progress".to_owned()),
        CopyStatus::Unverified if live(copy.requested) => (
            false,
            "complete, to be verified by the run that waits for it".to_owned(),
        ),
        CopyStatus::Unverified => bad("was never verified"),
        CopyStatus::Failed => bad("failed"),
        CopyStatus::Mismatched => bad("did not match its source"),
        CopyStatus::Verified => {
            let newer: Vec<&OwnCopy> = verified().filter(|other| order(other) > order(copy)).collect();
            let number = u32::try_from(newer.len()).expect("a small number") + 1;
            let keep = rules.keep.copies.max(1);
            let days = rules.keep.days;
            let old = now.duration_since(copy.source_created) > SignedDuration::from_hours(24 * i64::from(days));
            let last_of = [
                (Period::Day, rules.keep.daily),
                (Period::Week, rules.keep.weekly),
                (Period::Month, rules.keep.monthly),
                (Period::Year, rules.keep.yearly),
            ]
            .into_iter()
            .find(|(period, count)| {
                let later: BTreeSet<(i16, i16)> = newer
                    .iter()
                    .map(|other| period.containing(other.source_created))
                    .collect();
                !later.contains(&period.containing(copy.source_created)) && later.len() < *count as usize
            });
            match last_of {
                _ if number == 1 => (false, "the newest verified copy".to_owned()),
                _ if number <= keep => (false, format!("number {number} of the {keep} newest verified copies")),
                _ if days > 0 && !old => (false, format!("not older than {days} days")),
                Some((period, count)) => (
                    false,
                    format!("the last of its {}, {count} of which are kept", period.name()),
                ),
                None => {
                    let newest = match keep {
                        1 => "newest is".to_owned(),
                        keep => format!("{keep} newest are"),
                    };
                    let begin = format!("number {number} of the verified copies; only the {newest} kept");
                    (true, format!("{begin}, and no other rule keeps it"))
                }
            }
        }
    };
    let is_at_work = |stack: &str| {
        copies.iter().any(|other| {
            other.status != CopyStatus::Going
                && other.stack.as_deref() == Some(stack)
                && now.duration_since(other.requested) <= SignedDuration::from_hours(72)
        })
    };
    let other = copy
        .stack
        .as_deref()
        .filter(|stack| *stack != STACK && is_at_work(stack));
    let (delete, reason) = match (under_way, other) {
        _ if delete && copy.hold => (false, "a person keeps it (tag snapferry:hold)".to_owned()),
        _ if delete && rules.hold.is_some() => (false, rules.hold.expect("a hold").reason().to_owned()),
        (_, Some(stack)) if delete => {
            let text = format!("the stack {stack} made it, and was at work in the last three days");
            (false, text)
        }
        (Some(newer), _) if delete => (false, format!("{} is still in progress", newer.id)),
        _ => (delete, reason),
    };
    Verdict { copy, delete, reason }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

    #[test]
    fn the_newest_verified_copy_is_never_deleted(
        copies in any_copies(), rules in any_rules(), now in -500_i64..40_000,
    ) {
        let newest = copies.iter().filter(|copy| copy.status == CopyStatus::Verified).map(|copy| copy.source_created).max();
        if let Some(newest) = newest {
            let left = plan(&copies, &rules, hour(now)).into_iter()
                .filter(|verdict| !verdict.delete && verdict.copy.status == CopyStatus::Verified)
                .any(|verdict| verdict.copy.source_created == newest);
            prop_assert!(left);
        }
    }

    #[test]
    fn nothing_goes_that_is_in_progress_or_older_than_a_live_copy_in_progress(
        copies in any_copies(), rules in any_rules(), now in -500_i64..40_000,
    ) {
        let now = hour(now);
        for verdict in plan(&copies, &rules, now).iter().filter(|verdict| verdict.delete) {
            prop_assert_ne!(verdict.copy.status, CopyStatus::InProgress);
            let held_up = copies.iter().any(|other| {
                other.status == CopyStatus::InProgress
                    && now.duration_since(other.requested) <= rules.deadline
                    && other.source_created > verdict.copy.source_created
            });
            prop_assert!(!held_up, "{} went while a newer copy was in progress", verdict.copy.id);
        }
    }

    #[test]
    fn nothing_goes_without_a_verified_copy_of_the_same_or_later_data_that_stays(
        copies in any_copies(), rules in any_rules(), now in -500_i64..40_000,
    ) {
        let verdicts = plan(&copies, &rules, hour(now));
        for gone in verdicts.iter().filter(|verdict| verdict.delete) {
            let good = verdicts.iter().any(|stays| {
                !stays.delete
                    && stays.copy.status == CopyStatus::Verified
                    && stays.copy.source_created >= gone.copy.source_created
            });
            prop_assert!(good, "{}", gone.copy.id);
        }
    }

    #[test]
    fn at_least_keep_verified_copies_stay_and_exactly_that_many_when_nothing_is_in_progress(
        copies in any_copies(), rules in any_rules(), now in -500_i64..40_000,
    ) {
        let verified = copies.iter().filter(|copy| copy.status == CopyStatus::Verified).count();
        let stay = plan(&copies, &rules, hour(now)).iter()
            .filter(|verdict| !verdict.delete && verdict.copy.status == CopyStatus::Verified)
            .count();
        let wanted = verified.min(usize::try_from(rules.keep.copies).expect("a small number").max(1));
        prop_assert!(stay >= wanted);
        let by_number_only = PruneRules { deadline: rules.deadline, ..only(rules.keep.copies) };
        if copies.iter().all(|copy| copy.status != CopyStatus::InProgress && !copy.hold && copy.stack.is_none()) {
            let gone = deleted_by(&copies, &by_number_only, now).into_iter()
                .filter(|id| copies.iter().any(|copy| copy.id == *id && copy.status == CopyStatus::Verified))
                .count();
            prop_assert_eq!(verified - gone, wanted);
        }
    }

    #[test]
    fn each_verdict_is_the_one_that_the_rules_word_for_word_give(
        copies in any_copies(), twice in proptest::collection::vec(any::<prop::sample::Index>(), 0..3),
        rules in any_rules(), now in -500_i64..40_000,
    ) {
        // A listing in pages may name a copy twice.
        let again: Vec<OwnCopy> = twice.iter().filter_map(|at| copies.get(at.index(12)).cloned()).collect();
        let copies = [copies, again].concat();
        let verdicts = plan(&copies, &rules, hour(now));
        // Twice in the listing is one copy (L2), and what is being deleted is none (M1).
        let there: BTreeSet<&str> = copies.iter()
            .filter(|copy| copy.status != CopyStatus::Going)
            .map(|copy| copy.id.as_str())
            .collect();
        prop_assert_eq!(verdicts.len(), there.len());
        prop_assert!(verdicts.is_sorted_by_key(|verdict| (verdict.copy.source_created, verdict.copy.requested)));
        for verdict in verdicts {
            let expected = by_definition(verdict.copy, &copies, &rules, hour(now));
            prop_assert_eq!(verdict, expected);
        }
    }

    #[test]
    fn keeping_more_by_any_rule_never_deletes_more(
        copies in any_copies(), rules in any_rules(), more in any_keep(), now in -500_i64..40_000,
    ) {
        let fewer = deleted_by(&copies, &rules, now);
        let wider = PruneRules { keep: rules.keep.widest(more), ..rules.clone() };
        for id in deleted_by(&copies, &wider, now) {
            prop_assert!(fewer.contains(&id));
        }
        // Of fewer that may go, one execution deletes no more.
        prop_assert!(one_run(&copies, &wider, 3, now).len() <= one_run(&copies, &rules, 3, now).len());
    }

    #[test]
    fn planning_twice_gives_the_same_whatever_the_order_and_applying_a_plan_leaves_nothing_to_delete(
        copies in any_copies(), rules in any_rules(), now in -500_i64..40_000,
    ) {
        let first = deleted_by(&copies, &rules, now);
        let mut reversed = copies.clone();
        reversed.reverse();
        let mut again = deleted_by(&reversed, &rules, now);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        again.sort_unstable();
        prop_assert_eq!(sorted, again);
        let left = without(&copies, &first);
        prop_assert!(deleted_by(&left, &rules, now).is_empty());
    }

    #[test]
    fn where_a_tag_cannot_be_read_nothing_goes(copies in any_copies(), rules in any_rules(), now in -500_i64..40_000) {
        let rules = PruneRules { hold: Some(Hold::UnreadTag), ..rules };
        prop_assert!(deleted_by(&copies, &rules, now).is_empty());
    }

    #[test]
    fn no_target_and_no_tag_of_a_copy_makes_the_stack_keep_less(
        copies in any_copies(), keeps in proptest::collection::vec(any_keep(), 12), asked in any_keep(),
        on_database in any_keep(), is_gone in any::<bool>(),
        stack in any_keep(), retired in any::<bool>(), now in -500_i64..40_000,
    ) {
        let settings = StackRetention { keep: stack, retired_keep_days: 7, ..one_copy() };
        let target = Target {
            retired,
            policy: Some(crate::payload::Policy { keep: asked, ..crate::payload::Policy::default() }),
            ..Target::new(crate::kind::DatabaseKind::Instance, "orders", "db-ORDERS")
        };
        let copies: Vec<OwnCopy> = copies.into_iter().zip(keeps).map(|(copy, keep)| OwnCopy { retention: keep, ..copy }).collect();
        let database = Database { tags: tags_of(on_database), ..database(DatabaseKind::Instance, "orders") };
        let database = if is_gone { SourceDatabase::Gone } else { SourceDatabase::Living(&database) };
        let rules = PruneRules::new(&settings, &target, database, &copies);
        let by_stack = PruneRules { keep: stack, hold: None, ..rules.clone() };
        let gone = deleted_by(&copies, &rules, now);
        let gone_by_stack = deleted_by(&copies, &by_stack, now);
        prop_assert!(gone.iter().all(|id| gone_by_stack.contains(id)));
    }

    /// H3, H4: whatever the tags, the settings, the input and the clock say, and whoever changed them since.
    #[test]
    fn one_execution_deletes_a_few_verified_copies_and_none_that_is_held_newest_or_wanted_by_a_record(
        copies in any_copies(), keeps in proptest::collection::vec(any_keep(), 12), unread in any::<[bool; 12]>(),
        asked in any_keep(), on_database in any_keep(), stack in any_keep(), retired in any::<bool>(),
        source in 0_u8..3, max in 1_u32..5, before in 0_usize..3, now in -500_i64..40_000,
    ) {
        let settings = StackRetention { keep: stack, retired_keep_days: 7, ..one_copy() };
        let target = Target {
            retired,
            policy: Some(crate::payload::Policy { keep: asked, ..crate::payload::Policy::default() }),
            ..Target::new(DatabaseKind::Instance, "orders", "db-ORDERS")
        };
        let copies: Vec<OwnCopy> = copies.into_iter().zip(keeps).zip(unread)
            .map(|((copy, keep), unread)| OwnCopy { retention: keep, unread: unread && copy.hold, ..copy })
            .collect();
        let database = Database { tags: tags_of(on_database), ..database(DatabaseKind::Instance, "orders") };
        let database = match source {
            0 => SourceDatabase::Living(&database),
            1 => SourceDatabase::Gone,
            _ => SourceDatabase::Unknown,
        };
        let rules = PruneRules::new(&settings, &target, database, &copies);
        let left = usize::try_from(max).expect("small").saturating_sub(before);
        let verdicts = plan(&copies, &rules, hour(now));
        let gone = braked(&verdicts, Brake::new(max, before));
        let verified = |copy: &OwnCopy| copy.status == CopyStatus::Verified;
        prop_assert!(gone.iter().filter(|copy| verified(copy)).count() <= left);
        prop_assert!(gone.iter().all(|copy| !copy.hold && copy.status != CopyStatus::Going));
        let newest = copies.iter().filter(|copy| verified(copy)).max_by_key(|copy| age(copy));
        prop_assert!(newest.is_none_or(|newest| gone.iter().all(|copy| copy.id != newest.id)));
        if matches!(database, SourceDatabase::Unknown) || matches!(database, SourceDatabase::Gone) && !retired {
            prop_assert!(gone.is_empty());
        }
        for wanted_by in copies.iter().filter(|copy| verified(copy)) {
            let record = PruneRules { keep: wanted_by.retention, hold: None, ..rules.clone() };
            let let_go = deleted_by(&copies, &record, now);
            for copy in gone.iter().filter(|copy| verified(copy)) {
                prop_assert!(let_go.contains(&copy.id.as_str()), "{} is wanted by {}", copy.id, wanted_by.id);
            }
        }
        // The oldest go first.
        let may_go: Vec<&str> = verdicts.iter()
            .filter(|verdict| verdict.delete && verified(verdict.copy))
            .map(|verdict| verdict.copy.id.as_str())
            .collect();
        let went: Vec<&str> = gone.iter().filter(|copy| verified(copy)).map(|copy| copy.id.as_str()).collect();
        prop_assert_eq!(&may_go[..went.len()], &went[..]);
    }

    #[test]
    fn a_prune_cut_off_half_way_is_finished_by_the_next_one(
        copies in any_copies(), rules in any_rules(), now in -500_i64..40_000, done in 0_usize..12,
    ) {
        let whole = deleted_by(&copies, &rules, now);
        let done = done.min(whole.len());
        let left = without(&copies, &whole[..done]);
        prop_assert_eq!(&whole[done..], deleted_by(&left, &rules, now));
    }
}

/// The copies that one execution deletes of a plan.
fn braked<'a>(verdicts: &[Verdict<'a>], mut brake: Brake) -> Vec<&'a OwnCopy> {
    let mut gone = Vec::new();
    for verdict in verdicts {
        if verdict.delete && brake.allows(verdict.copy) {
            brake.count(verdict.copy);
            gone.push(verdict.copy);
        }
    }
    gone
}

/// The verified copies that one execution deletes.
fn one_run<'a>(copies: &'a [OwnCopy], rules: &PruneRules, max: u32, now: i64) -> Vec<&'a str> {
    braked(&plan(copies, rules, hour(now)), Brake::new(max, 0))
        .into_iter()
        .filter(|copy| copy.status == CopyStatus::Verified)
        .map(|copy| copy.id.as_str())
        .collect()
}

/// The tags of a database that ask for this.
fn tags_of(keep: RetentionRules) -> BTreeMap<String, String> {
    keep.to_wishes().map(|(tag, value)| (tag.to_owned(), value)).collect()
}

fn deleted_by<'a>(copies: &'a [OwnCopy], rules: &PruneRules, now: i64) -> Vec<&'a str> {
    plan(copies, rules, hour(now))
        .into_iter()
        .filter(|verdict| verdict.delete)
        .map(|verdict| verdict.copy.id.as_str())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What `snapferry estimate` asks of the quota is enough, and not much more: of weeks and of months two copies each may be
    /// kept by another rule as well.
    #[test]
    fn as_many_copies_are_kept_of_a_database_as_the_rules_say(keep in any_short_keep(), days in 800_i64..830) {
        let copies: Vec<OwnCopy> = (0..days).map(|day| copy(&format!("day-{day}"), day * 24, CopyStatus::Verified)).collect();
        let rules = PruneRules { keep, ..only(0) };
        let verdicts = plan(&copies, &rules, hour((days - 1) * 24 + 2));
        let kept = u32::try_from(verdicts.iter().filter(|verdict| !verdict.delete).count()).expect("few");
        let estimated = keep.copies_of_daily();
        prop_assert!(kept <= estimated, "{kept} are kept, {estimated} estimated");
        prop_assert!(estimated <= kept + 4, "{kept} are kept, {estimated} estimated");
    }
}
