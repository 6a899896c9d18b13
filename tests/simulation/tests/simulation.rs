//! Seeds, each a small world under faults.
//!
//! - `SIM_SEEDS=2000 SIM_THREADS=2 cargo test -p simulation seeds -- --nocapture` runs more of them, and prints what
//!   was called and what went wrong; `SIM_FIRST` is the first seed.
//! - `SIM_SEED=123 cargo test -p simulation replay -- --nocapture` shows one, step by step.

#![allow(missing_docs)]

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use simulation::functions::{Broken, PAYLOADS_OF_ANOTHER_RELEASE};
use simulation::record::Report;
use simulation::scenario_run::{
    self, CALLS_UNDER_FAULTS, DRILL_FAULTS, DRILL_OUTCOMES, FAULTS, Options, ROLLBACKS, UPDATES,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds that take less than half a minute of one core in the dev profile; `make test` runs 600 in another.
const SEEDS: u64 = 20;

/// Seeds within which each mutation must be caught.
const SEEDS_FOR_A_MUTATION: u64 = 60;

#[test]
fn seeds_keep_every_promise() {
    let (first, count) = (number("SIM_FIRST").unwrap_or(1), number("SIM_SEEDS").unwrap_or(SEEDS));
    let begin = Instant::now();
    let (all, bad) = batch(first, count, Options::default());
    let time = begin.elapsed();
    print_report(&all, count, time);
    assert!(bad.is_empty(), "{}", explain(&bad));

    // As many faults as promised, and of every kind one in ten seeds.
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
    // Drills are in one of five seeds, and what happens to them is rarer.
    for kind in DRILL_FAULTS {
        let there = all.faults.get(kind).copied().unwrap_or(0);
        assert!(there >= count / 100, "{kind}: {there} times in {count} seeds");
    }
    for outcome in DRILL_OUTCOMES {
        let there = all.figures.get(outcome).copied().unwrap_or(0);
        assert!(there >= count / 100, "{outcome}: {there} times in {count} seeds");
    }
    // One of five seeds is updated, and most of those are rolled back.
    for figure in [UPDATES, ROLLBACKS, PAYLOADS_OF_ANOTHER_RELEASE] {
        let there = all.figures.get(figure).copied().unwrap_or(0);
        assert!(there >= count / 10, "{figure}: {there} times in {count} seeds");
    }
    for kind in all.faults.keys() {
        let kind = kind.as_str();
        assert!(
            FAULTS.contains(&kind) || DRILL_FAULTS.contains(&kind),
            "{kind} is not listed"
        );
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

/// What is broken on purpose, the first seed of a few that show it, and what is said of it then.
const MUTATIONS: [(Broken, u64, &str); Broken::ALL.len()] = [
    (
        Broken::PrunerDeletesNewest,
        1,
        "the newest verified copy of its database",
    ),
    (Broken::NoIdempotencyCheck, 1, "is copied 2 times"),
    (Broken::NoRetry, 1, "was not retried"),
    (
        Broken::PrunerOverlooksUnreadableTags,
        1,
        "a tag of its database cannot be read",
    ),
    (Broken::PrunerOverlooksTags, 1, "are to be kept"),
    (Broken::PrunerKeepsOneOfTheGone, 4, "are to be kept"),
    (Broken::NoBrake, 1, "that one step deletes"),
    (Broken::WidestOfTheNewest, 1, "are to be kept"),
    (Broken::ReportedSourceIgnored, 1, "and is not ours"),
    (Broken::HoldIgnored, 1, "which a person holds"),
    (Broken::RefusedDeleteEndsLoop, 15, "which nothing wants"),
    (Broken::NameWithoutTime, 2, "ends without a verified copy"),
    (Broken::VerifiesAnything, 1, "is not what was asked for"),
    (Broken::ForeignKey, 1, "which the stack does not allow"),
    (Broken::NoCatchInMap, 4, "ends without a verified copy"),
    (Broken::NoTeardown, 1, "says that nothing of"),
    (
        Broken::SweepTrustsName,
        1,
        "which is not a drill's, or is kept by a person",
    ),
    (Broken::ExpiryAfterCreation, 1, "without its expiry"),
    (Broken::TagExtendsExpiry, 1, "after its end; it has"),
    (Broken::DeleteGivesUp, 1, "says that nothing of"),
    (Broken::StrictTarget, 3, "start-copy cannot read what a function made"),
    (
        Broken::StrictDrill,
        21,
        "check-restore cannot read what a function made",
    ),
];

#[test]
fn every_mutation_is_caught() {
    for (broken, first, expected) in MUTATIONS {
        let last = first + SEEDS_FOR_A_MUTATION;
        assert!(
            (first..last).any(|seed| shows(broken, seed, expected)),
            "{broken:?} is not caught by {SEEDS_FOR_A_MUTATION} seeds from {first}"
        );
    }
    assert!(
        Broken::ALL
            .iter()
            .all(|broken| MUTATIONS.iter().any(|(other, ..)| other == broken))
    );
}

/// `SIM_MUTANT=HoldIgnored SIM_SEEDS=100 cargo test -p simulation which_seeds -- --nocapture`: where a mutation is seen.
#[test]
fn which_seeds_show_a_mutation() {
    let Ok(name) = std::env::var("SIM_MUTANT") else { return };
    let (first, count) = (number("SIM_FIRST").unwrap_or(1), number("SIM_SEEDS").unwrap_or(SEEDS));
    for (broken, _, expected) in MUTATIONS {
        if format!("{broken:?}") == name {
            let seeds = (first..first + count).filter(|seed| shows(broken, *seed, expected));
            println!("{name}: {:?}", seeds.take(3).collect::<Vec<u64>>());
        }
    }
}

/// Whether a seed shows a violation with this text when something is broken.
fn shows(broken: Broken, seed: u64, expected: &str) -> bool {
    let options = Options {
        broken,
        ..Options::default()
    };
    let report = scenario_run::run(seed, options);
    report.violations.iter().any(|violation| violation.contains(expected))
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

/// Past what cargo captures: `make test` shows it too.
fn print_report(all: &Report, count: u64, time: Duration) {
    let seconds = time.as_secs_f64();
    let report = format!("{all}{count} seeds in {seconds:.1} s, transcripts {:016x}\n", all.hash);
    std::io::stderr()
        .write_all(report.as_bytes())
        .expect("a terminal, or a pipe");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
