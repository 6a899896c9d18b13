use domain::drill::DrillOutcome;
use domain::kind::DatabaseKind;
use domain::newest_copies::Gathered;
use domain::ownership::Owner;
use proptest::prelude::*;

use super::*;

const BUDGET: Budget = Budget { databases: 2, gib: 500 };

fn time(day: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + day * 86_400).expect("in range")
}

/// The newest copy of a database, as it is read from the region.
fn copy(name: &str, size_gib: Option<i32>) -> NewestCopy {
    let made = fixtures::copy_of(name, &format!("db-{name}")).marked("2026-11-22T11:00:00Z");
    let mut gathered = Gathered::default();
    gathered.add(&Owner::new("us-east-1", "snap"), made.snapshot());
    let databases = gathered.into_databases(time(0), SignedDuration::from_hours(24));
    let mut copy = databases.current.into_iter().next().expect("a verified copy");
    copy.size_gib = size_gib;
    copy
}

fn candidate(name: &str, size_gib: Option<i32>, drilled: Option<i64>) -> Candidate {
    Candidate {
        copy: copy(name, size_gib),
        proof: drilled.map(|day| DrillProof {
            time: time(day),
            outcome: DrillOutcome::Passed,
            reason: String::new(),
            copy: String::new(),
            database: name.to_owned(),
            data_time: None,
            minutes: Some(17),
            checked: Vec::new(),
            gone_at: None,
            execution: String::new(),
            last_passed: None,
        }),
    }
}

fn names(picked: &Picked) -> Vec<&str> {
    picked.drills.iter().map(|drill| drill.copy.name.as_str()).collect()
}

#[test]
fn the_oldest_proof_comes_first_and_none_at_all_before_it() {
    let candidates = vec![
        candidate("recent", Some(1), Some(9)),
        candidate("never", Some(1), None),
        candidate("old", Some(1), Some(2)),
    ];
    let picked = pick(candidates, &Scope::Due, BUDGET, time(10));
    assert_eq!((names(&picked), picked.later), (vec!["never", "old"], 1));
}

#[test]
fn a_copy_that_is_larger_than_the_budget_is_said_to_be_and_the_others_share_it() {
    let candidates = vec![
        candidate("a", Some(501), None),
        candidate("b", Some(400), None),
        candidate("c", Some(200), None),
        candidate("d", Some(100), None),
    ];
    let picked = pick(candidates, &Scope::Due, BUDGET, time(10));
    assert_eq!((names(&picked), picked.later), (vec!["b", "d"], 1));
    let [over] = &picked.passed_over[..] else {
        panic!("{:?}", picked.passed_over)
    };
    assert!(
        over.id == "a" && over.reason.contains("larger than the budget"),
        "{over:?}"
    );
}

#[test]
fn a_database_is_drilled_as_often_as_it_asks_for_and_by_name_at_any_time() {
    let with = |every, drilled| {
        let mut one = candidate("orders", Some(1), drilled);
        one.copy.drill_every = Some(every);
        one
    };
    for (every, drilled, due) in [
        (DrillEvery::Never, None, false),
        (DrillEvery::Week, None, true),
        (DrillEvery::Week, Some(4), false),
        (DrillEvery::Week, Some(3), true),
        (DrillEvery::Month, Some(-19), false),
        (DrillEvery::Month, Some(-20), true),
    ] {
        let picked = pick(vec![with(every, drilled)], &Scope::Due, BUDGET, time(10));
        assert_eq!(picked.drills.len(), usize::from(due), "{every} {drilled:?}");
        assert_eq!(picked.passed_over.len(), usize::from(!due), "{every} {drilled:?}");
        let named = Scope::Only(vec!["orders".parse().expect("a name")]);
        let picked = pick(vec![with(every, drilled)], &named, BUDGET, time(10));
        assert_eq!(names(&picked), ["orders"], "{every} {drilled:?}");
    }
}

#[test]
fn a_name_picks_no_other_database() {
    let named = Scope::Only(vec!["cluster:orders".parse().expect("a name")]);
    let mut cluster = candidate("orders", None, None);
    cluster.copy.kind = DatabaseKind::Cluster;
    let candidates = vec![
        candidate("orders", Some(1), None),
        cluster,
        candidate("web", Some(1), None),
    ];
    let picked = pick(candidates, &named, BUDGET, time(10));
    let kinds: Vec<DatabaseKind> = picked.drills.iter().map(|drill| drill.copy.kind).collect();
    assert_eq!(
        (kinds, picked.passed_over.len(), picked.later),
        (vec![DatabaseKind::Cluster], 0, 0)
    );
}

proptest! {
    /// Whatever the sizes: the budget holds, and no database that fits waits for ever.
    #[test]
    fn each_database_that_fits_is_drilled_in_as_many_runs_as_there_are_databases(
        sizes in prop::collection::vec(prop::option::of(1_i32..700), 1..12),
        databases in 1_usize..4,
    ) {
        let budget = Budget { databases, gib: 500 };
        let mut last: Vec<Option<i64>> = vec![None; sizes.len()];
        for day in 0..i64::try_from(sizes.len()).expect("few") {
            let candidates = sizes.iter().zip(&last).enumerate();
            let candidates = candidates
                .map(|(number, (size, drilled))| candidate(&format!("db{number:02}"), *size, *drilled))
                .collect();
            let picked = pick(candidates, &Scope::Due, budget, time(day));
            let gib: u32 = picked.drills.iter().map(size).sum();
            prop_assert!(picked.drills.len() <= databases && gib <= budget.gib);
            for name in names(&picked) {
                last[name[2..].parse::<usize>().expect("a number")] = Some(day);
            }
        }
        for (size, drilled) in sizes.iter().zip(last) {
            prop_assert_eq!(drilled.is_some(), size.is_none_or(|size| size <= 500), "{:?}", size);
        }
    }
}
