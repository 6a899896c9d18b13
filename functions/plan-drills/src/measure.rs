//! What drills have proved, as metrics of the stack: how long the last proofs are ago, how long restores took, and whose
//! last drill failed.

use domain::drill::{DrillEvery, DrillOutcome};
use domain::drill_proof::DrillProof;
use domain::newest_copies::Databases;
use jiff::Timestamp;
use runtime::metrics::{Metric, count};
use runtime::watch::Watch;
use ssm::AllProofs;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Measures the proofs of the databases that are copied. A database that asks for no drills does not count. Without any
/// proof there is nothing to measure: the alarm on missing data is there only where drills are on.
pub(crate) fn measure(watch: &Watch, databases: &Databases, proofs: &AllProofs, now: Timestamp) {
    let wanted = databases
        .current
        .iter()
        .filter(|copy| copy.drill_every != Some(DrillEvery::Never));
    let of_databases: Vec<Option<&DrillProof>> = wanted
        .map(|copy| proofs.get(&(copy.kind, copy.resource_id.clone())))
        .collect();
    let known: Vec<&DrillProof> = of_databases.iter().flatten().copied().collect();
    if known.is_empty() {
        return;
    }
    let passed: Vec<_> = known.iter().filter_map(|proof| proof.passed()).collect();
    let failed = known
        .iter()
        .filter(|proof| proof.outcome == DrillOutcome::Failed)
        .count();
    let mut values = vec![
        (Metric::DRILLS_FAILED, count(failed)),
        (Metric::DATABASES_NOT_DRILLED, count(of_databases.len() - passed.len())),
    ];
    if let Some(oldest) = passed.iter().map(|passed| passed.time).min() {
        let days = now.duration_since(oldest).as_secs_f64() / DAY;
        values.push((Metric::DRILL_AGE_DAYS, days));
    }
    if let Some(longest) = passed.iter().map(|passed| passed.minutes).max() {
        values.push((
            Metric::RESTORE_MINUTES,
            u32::try_from(longest).map_or(f64::from(u32::MAX), f64::from),
        ));
    }
    watch.meter.stack(now, &values, &[]);
}
