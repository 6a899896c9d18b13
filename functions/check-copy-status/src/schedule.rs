//! When to look again: the waits grow with the copy's age, so that the looks grow with its logarithm only.

use domain::payload::Wait;
use domain::progress::remaining_seconds;
use jiff::Timestamp;

/// How many waits of one copy may be cut short. Each costs one more look, so progress that stands still at 99 %
/// must not turn into a look every half minute.
const MAX_SHORTENED: u32 = 5;

/// How long the copy has been under way, in seconds.
///
/// The sum of the waits asked for counts as well as the clock, so that the schedule is the same where waits are
/// scaled, and so that a clock that runs backwards cannot stop it.
#[must_use]
pub fn elapsed_seconds(wait: &Wait, requested: Timestamp, now: Timestamp) -> u64 {
    let by_clock = now.as_second().saturating_sub(requested.as_second());
    wait.waited_seconds.max(u64::try_from(by_clock).unwrap_or(0))
}

/// The next wait: a tenth of the time elapsed, at least 30 s. A copy that completes during the wait has then lasted
/// longer than `elapsed`, so its completion is noticed within max(30 s, 10 % of its duration).
///
/// If the progress promises an earlier end, the wait is cut short; it is never made longer.
#[must_use]
pub fn next(wait: &Wait, elapsed: u64, percent: i32) -> Wait {
    let regular = (elapsed / 10).max(Wait::MIN_SECONDS);
    let promised = remaining_seconds(elapsed, percent).map(|remaining| remaining.max(Wait::MIN_SECONDS));
    let (seconds, shortened) = match promised {
        Some(promised) if promised < regular && wait.shortened < MAX_SHORTENED => (promised, wait.shortened + 1),
        _ => (regular, wait.shortened),
    };
    Wait {
        seconds,
        waited_seconds: wait.waited_seconds.saturating_add(seconds),
        polls: wait.polls + 1,
        shortened,
    }
}

#[cfg(test)]
mod tests;
