//! When the first copy of a new database is missed: one rule for the metrics and for the command line.

use jiff::{SignedDuration, Timestamp};

/// How long a new database may be without a copy: a day until its backup window, and a day for the copy.
const GRACE: SignedDuration = SignedDuration::from_hours(48);

/// Whether a database without a verified copy is so new that none is missed yet.
///
/// Where the recovery point objective is longer, a copy is missed when that is. The metrics leave it out, because the
/// alarm compares them with the RPO: so `snapferry status` and the alarm judge alike. RDS says no time of creation
/// while a database is being created.
#[must_use]
pub fn is_pending(created_at: Option<Timestamp>, objective: Option<SignedDuration>, now: Timestamp) -> bool {
    let grace = objective.map_or(GRACE, |objective| objective.max(GRACE));
    created_at.is_none_or(|created| now.duration_since(created) <= grace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_first_copy_is_pending_for_two_days_or_for_a_longer_rpo() {
        for (hours, objective, pending) in [
            (48, None, true),
            (49, None, false),
            (48, Some(2), true),
            (49, Some(26), false),
            (72, Some(72), true),
            (73, Some(72), false),
        ] {
            let created = NOW - SignedDuration::from_hours(hours);
            let objective = objective.map(SignedDuration::from_hours);
            assert_eq!(
                is_pending(Some(created), objective, NOW),
                pending,
                "{hours} h, {objective:?}"
            );
        }
        assert!(is_pending(None, None, NOW), "it is being created");
    }

    proptest! {
        /// Kind 9: the alarm goes off for the age of a database without a copy exactly if status counts it as missed.
        #[test]
        fn status_and_the_alarm_judge_alike(age in 0_i64..10_000_000, objective in 1_i64..10_000_000) {
            let created = Some(NOW - SignedDuration::from_secs(age));
            let objective = SignedDuration::from_secs(objective);
            let is_measured = !is_pending(created, None, NOW);
            let alarms = is_measured && SignedDuration::from_secs(age) > objective;
            prop_assert_eq!(alarms, !is_pending(created, Some(objective), NOW));
        }
    }
}
