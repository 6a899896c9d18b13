//! Seeds, each a small world under faults.
//!
//! - `SIM_SEEDS=2000 SIM_THREADS=2 cargo test -p simulation seeds -- --nocapture` runs more of them, and prints what
//!   was called and what went wrong; `SIM_FIRST` is the first seed.
//! - `SIM_SEED=123 cargo test -p simulation replay -- --nocapture` shows one, step by step.

#![allow(missing_docs)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use simulation::functions::Broken;
use simulation::record::Report;
use simulation::scenario_run::{self, CALLS_UNDER_FAULTS, FAULTS, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds that take less than half a minute of one core in the dev profile; `make test` runs 1,000 in another.
const SEEDS: u64 = 20;

/// Seeds within which each mutation must be caught.
const SEEDS_FOR_A_MUTATION: u64 = 5;

#[test]
fn seeds_keep_every_promise() {
    let (first, count) = (number("SIM_FIRST").unwrap_or(1), number("SIM_SEEDS").unwrap_or(SEEDS));
    let begin = Instant::now();
    let (all, bad) = batch(first, count, Options::default());
    let time = begin.elapsed();
    print_report(&all, count, time);
    assert!(bad.is_empty(), "{}", explain(&bad));

    // As many faults as promised, and of every kind one in ten seeds: 200 times in the seeds that `make test` runs.
    assert!(
        all.all_faults() * 20 >= all.figures[CALLS_UNDER_FAULTS],
        "{} faults in {} calls",
        all.all_faults(),
        all.figures[CALLS_UNDER_FAULTS]
    );
    for kind in FAULTS {
        let there = all.faults.get(kind).copied().unwrap_or(0);
        assert!(there >= (count / 10).max(1), "{kind}: {there} times in {count} seeds");
    }
    for kind in all.faults.keys() {
        assert!(FAULTS.contains(&kind.as_str()), "{kind} is not listed");
    }
}

#[test]
fn replay() {
    let Some(seed) = number("SIM_SEED") else { return };
    let report = scenario_run::run(
        seed,
        Options {
            shown: true,
            ..Options::default()
        },
    );
    println!("{report}transcript {:016x}", report.hash);
    assert_eq!(report.violations, Vec::<String>::new());
}

#[test]
fn a_seed_is_the_same_every_time() {
    let (once, again) = (
        scenario_run::run(13, Options::default()),
        scenario_run::run(13, Options::default()),
    );
    assert_eq!(once, again);
    assert_ne!(once.hash, scenario_run::run(22, Options::default()).hash);
}

#[test]
fn a_pruner_that_deletes_the_newest_copy_is_caught() {
    caught(Broken::PrunerDeletesNewest, "the newest verified copy of its database");
}

#[test]
fn a_start_that_does_not_look_what_is_there_is_caught() {
    caught(Broken::NoIdempotencyCheck, "is copied 2 times");
}

#[test]
fn a_missing_retry_is_caught() {
    caught(Broken::NoRetry, "was not retried");
}

#[test]
fn a_pruner_that_goes_on_though_a_tag_cannot_be_read_is_caught() {
    caught(
        Broken::PrunerOverlooksUnreadableTags,
        "a tag of its database cannot be read",
    );
}

#[test]
fn a_pruner_that_overlooks_what_tags_ask_for_is_caught() {
    caught(Broken::PrunerOverlooksTags, "are to be kept");
}

#[test]
fn a_pruner_that_keeps_less_of_databases_that_are_gone_is_caught() {
    caught_from(52, Broken::PrunerKeepsOneOfTheGone, "are to be kept");
}

#[test]
fn a_start_that_asks_for_a_foreign_key_is_caught() {
    caught(Broken::ForeignKey, "which the stack does not allow");
}

#[test]
fn a_map_that_lets_one_database_stop_the_others_is_caught() {
    caught(Broken::NoCatchInMap, "ends without a verified copy");
}

/// Whether one of the first seeds shows a violation with this text.
fn caught(broken: Broken, expected: &str) {
    caught_from(1, broken, expected);
}

/// The same for what few seeds show, from one that does.
fn caught_from(first: u64, broken: Broken, expected: &str) {
    let options = Options {
        broken,
        ..Options::default()
    };
    let seen = (first..first + SEEDS_FOR_A_MUTATION).any(|seed| {
        let report = scenario_run::run(seed, options);
        report.violations.iter().any(|violation| violation.contains(expected))
    });
    assert!(
        seen,
        "{broken:?} is not caught by {SEEDS_FOR_A_MUTATION} seeds from {first}"
    );
}

/// Runs seeds; their joint report, and those that violated something.
fn batch(first: u64, count: u64, options: Options) -> (Report, Vec<(u64, Report)>) {
    let threads = number("SIM_THREADS").unwrap_or(1).max(1);
    let mut all = Report::default();
    let mut bad = Vec::new();
    // Seeds differ in length, so whoever is done takes the next.
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let (mut all, mut bad) = (Report::default(), Vec::new());
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= first + count {
                            return (all, bad);
                        }
                        let report = run(seed, options);
                        all.add(&report);
                        // A night has a million of them, so only these are kept.
                        if !report.violations.is_empty() {
                            bad.push((seed, report));
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            let (of_worker, bad_of_worker) = worker.join().expect("a report of each seed");
            all.add(&of_worker);
            bad.extend(bad_of_worker);
        }
    });
    bad.sort_by_key(|(seed, _)| *seed);
    (all, bad)
}

/// Runs a seed; a panic is a violation like any other.
fn run(seed: u64, options: Options) -> Report {
    let report = std::panic::catch_unwind(|| scenario_run::run(seed, options)).unwrap_or_else(|_| Report {
        violations: vec!["it panicked: see above".to_owned()],
        ..Report::default()
    });
    if !report.violations.is_empty() {
        println!("{}", explain(&[(seed, report.clone())]));
    }
    report
}

fn explain(bad: &[(u64, Report)]) -> String {
    let mut lines = vec![format!("{} seeds violate a promise", bad.len())];
    for (seed, report) in bad.iter().take(10) {
        lines.push(format!(
            "seed {seed}: SIM_SEED={seed} cargo test -p simulation replay -- --nocapture"
        ));
        for violation in report.violations.iter().take(5) {
            lines.push(format!("    {violation}"));
        }
    }
    lines.join("\n")
}

fn print_report(all: &Report, count: u64, time: Duration) {
    println!(
        "{all}{count} seeds in {:.1} s, transcripts {:016x}",
        time.as_secs_f64(),
        all.hash
    );
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
