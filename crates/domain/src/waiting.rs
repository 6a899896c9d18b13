//! Waiting is a value, not an error: what an execution waits for, how long at a time, and how long in all.
//!
//! Each try is a fresh visit of its state. Step Functions counts the attempts of a Retry for a whole visit, so a wait that
//! was a retry would use up the attempts that faults need; and it would be an error of the function, which trips alarms.

use crate::hash::spread;
use crate::kind::DatabaseKind;
use crate::payload::{Target, WaitReason, Waited, Waiting};

/// Seconds between two tries for a copy slot. Constant, because a wait that grows would serve newcomers first.
const SLOT_SECONDS: u64 = 300;
/// By how much that wait is made longer or shorter. So much that 500 databases which find the slots full in one minute ask
/// for them evenly from then on, and not in waves (`500 at once` in the measures of the simulation).
const SLOT_JITTER_PERCENT: u64 = 50;
/// Seconds between two tries for everything else.
const REGULAR_SECONDS: u64 = 60;
/// Seconds for which a snapshot may be busy, or an event's snapshot not available yet.
const SNAPSHOT_LIMIT_SECONDS: u64 = 3_600;
/// Seconds for which KMS may not know yet that an alias stands for another key: up to five minutes ("Using aliases to
/// control access to KMS keys", AWS KMS developer guide), and a minute of grace.
const KEY_LIMIT_SECONDS: u64 = 360;
/// Seconds of waiting after which what was found is out of date.
const FIND_AGAIN_SECONDS: u64 = 6 * 3_600;

impl Waited {
    fn seconds(&mut self, reason: WaitReason) -> &mut u64 {
        match reason {
            WaitReason::Slot => &mut self.slot,
            WaitReason::Busy => &mut self.busy,
            WaitReason::Key => &mut self.key,
            WaitReason::Snapshot => &mut self.snapshot,
        }
    }
}

impl Target {
    /// The next wait of this database for `reason`, which is counted; nothing if it has waited long enough: for a slot
    /// `slot_wait_hours` in all. `last` is the wait before, since the snapshot was found.
    pub fn next_wait(
        &mut self,
        reason: WaitReason,
        why: impl Into<String>,
        last: Option<&Waiting>,
        slot_wait_hours: u32,
    ) -> Option<Waiting> {
        let limit = match reason {
            WaitReason::Slot => u64::from(slot_wait_hours) * 3_600,
            WaitReason::Busy | WaitReason::Snapshot => SNAPSHOT_LIMIT_SECONDS,
            WaitReason::Key => KEY_LIMIT_SECONDS,
        };
        let waited = *self.waited.seconds(reason);
        if waited >= limit {
            return None;
        }
        let found_at = last.map_or(self.waited.slot, |last| last.found_at);
        let find_again = self.waited.slot.saturating_sub(found_at) >= FIND_AGAIN_SECONDS;
        let seconds = match reason {
            _ if find_again => 0,
            WaitReason::Slot => slot_seconds(self.kind, &self.resource_id, waited),
            WaitReason::Busy | WaitReason::Key | WaitReason::Snapshot => REGULAR_SECONDS,
        };
        *self.waited.seconds(reason) = waited.saturating_add(seconds);
        Some(Waiting {
            reason,
            why: why.into(),
            seconds,
            found_at,
            find_again,
        })
    }
}

/// Two and a half to seven and a half minutes. The jitter follows from the database and the time waited, so that a try which
/// is repeated waits as long.
fn slot_seconds(kind: DatabaseKind, resource_id: &str, waited: u64) -> u64 {
    let jitter = SLOT_SECONDS * SLOT_JITTER_PERCENT / 100;
    let text = format!("{kind} {resource_id} {waited}");
    spread(&text, SLOT_SECONDS - jitter..=SLOT_SECONDS + jitter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(resource_id: &str) -> Target {
        Target::new(DatabaseKind::Instance, "orders", resource_id)
    }

    #[test]
    fn a_slot_is_waited_for_five_minutes_at_a_time_more_or_less() {
        let waits: Vec<u64> = (0..500)
            .map(|number| {
                let mut target = target(&format!("db-{number}"));
                let wait = target.next_wait(WaitReason::Slot, "full", None, 36);
                wait.expect("a wait").seconds
            })
            .collect();
        assert!(waits.iter().all(|wait| (150..=450).contains(wait)), "{waits:?}");
        let mean = waits.iter().sum::<u64>() / 500;
        assert!((285..=315).contains(&mean), "{mean}");
        let distinct: std::collections::BTreeSet<u64> = waits.into_iter().collect();
        assert!(distinct.len() > 150, "spread over all seconds: {}", distinct.len());
    }

    #[test]
    fn everything_else_is_waited_for_a_minute_at_a_time() {
        for (reason, tries) in [(WaitReason::Busy, 60), (WaitReason::Snapshot, 60), (WaitReason::Key, 6)] {
            let mut target = target("db-ORDERS");
            let waits: Vec<u64> = std::iter::from_fn(|| target.next_wait(reason, "not yet", None, 36))
                .map(|wait| wait.seconds)
                .collect();
            assert_eq!(waits, vec![60; tries], "{reason:?}");
        }
    }

    #[test]
    fn after_six_hours_what_was_found_is_out_of_date() {
        let mut target = target("db-ORDERS");
        let mut found_anew = Vec::new();
        let mut last = None;
        while let Some(wait) = target.next_wait(WaitReason::Slot, "full", last.as_ref(), 36) {
            last = (!wait.find_again).then_some(wait);
            if last.is_none() {
                found_anew.push(target.waited.slot / 3_600);
            }
        }
        assert_eq!(found_anew, [6, 12, 18, 24, 30], "and not in the end");
        assert!(target.waited.slot >= 36 * 3_600);
    }

    proptest! {
        /// Whatever it waited before, and for whatever: the waits of each reason end at their own limit.
        #[test]
        fn a_database_waits_so_long_in_all_and_no_longer(hours in 1_u32..=48, before in any::<u64>(), other in any::<u64>()) {
            let mut target = target("db-ORDERS");
            target.waited = Waited { slot: before, busy: other, key: other, snapshot: other };
            let limit = u64::from(hours) * 3_600;
            let mut tries = 0_u64;
            while let Some(wait) = target.next_wait(WaitReason::Slot, "full", None, hours) {
                prop_assert!(wait.seconds >= 150);
                tries += 1;
            }
            prop_assert!(target.waited.slot >= limit);
            prop_assert!(target.waited.slot - limit.max(before) <= 450);
            prop_assert!(tries <= limit.saturating_sub(before).div_ceil(150));
            prop_assert_eq!(target.waited.busy, other);
        }
    }
}
