//! Seeds, each a small world under faults. `SIM_SEED=123 cargo test -p simulation replay -- --nocapture` shows one.

#![allow(missing_docs)]

use std::time::Instant;

use simulation::functions::Broken;
use simulation::record::Report;
use simulation::trial;

#[test]
fn replay() {
    let Some(seed) = number("SIM_SEED") else { return };
    let report = trial::run(seed, Broken::Nothing, true);
    println!("{report}transcript {:016x}", report.hash);
    assert_eq!(report.violations, Vec::<String>::new());
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn seeds() {
    let count = number("SIM_SEEDS").unwrap_or(5);
    let first = number("SIM_FIRST").unwrap_or(1);
    let mut all = Report::default();
    let mut bad = 0;
    let begin = Instant::now();
    for seed in first..first + count {
        let t = Instant::now();
        let report = trial::run(seed, Broken::Nothing, false);
        println!(
            "seed {seed}: {:?} calls {} faults {} viol {} hash {:x}",
            t.elapsed(),
            report.all_calls(),
            report.all_faults(),
            report.violations.len(),
            report.hash
        );
        for v in report.violations.iter().take(4) {
            println!("   {v}");
        }
        bad += u64::from(!report.violations.is_empty());
        all.add(&report);
    }
    println!("{all}{:?}", begin.elapsed());
    assert_eq!(bad, 0);
}
