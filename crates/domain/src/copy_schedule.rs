//! How long it takes to copy a fleet: a list schedule over the slots that RDS has for copies. The functions do not need it;
//! the command line does, before the first copy.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::SignedDuration;

use crate::kind::DatabaseKind;

/// Number of copies that are made at the same time. Each kind has slots of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopySlots {
    /// Copies of instances.
    pub instances: u32,
    /// Copies of clusters.
    pub clusters: u32,
}

impl CopySlots {
    /// What RDS has for an account in a destination region (user guides, Copying a DB snapshot and Copying a DB cluster
    /// snapshot). The kinds are taken to have slots of their own, which AWS does not say.
    pub const RDS: Self = Self {
        instances: 20,
        clusters: 5,
    };

    /// Those of a kind.
    #[must_use]
    pub fn of_kind(self, kind: DatabaseKind) -> u32 {
        match kind {
            DatabaseKind::Instance => self.instances,
            DatabaseKind::Cluster => self.clusters,
        }
    }

    /// What is left of them where no more than these databases are processed at the same time.
    #[must_use]
    pub fn within(self, concurrency: Self) -> Self {
        Self {
            instances: self.instances.min(concurrency.instances),
            clusters: self.clusters.min(concurrency.clusters),
        }
    }
}

/// When the last copy of one kind is complete, if the first free slot always takes the next one in this order.
///
/// There is one duration for each database, because RDS makes the copies of one database one after another: of a database
/// with several copies it is their sum. Without a slot there is one all the same, so that there is an answer.
#[must_use]
pub fn time_to_cover(durations: &[SignedDuration], slots: u32) -> SignedDuration {
    // No more slots than copies: there may be billions of slots.
    let slots = usize::try_from(slots)
        .unwrap_or(usize::MAX)
        .clamp(1, durations.len().max(1));
    let mut free_at: BinaryHeap<Reverse<SignedDuration>> = vec![Reverse(SignedDuration::ZERO); slots].into();
    let mut end = SignedDuration::ZERO;
    for duration in durations {
        let Reverse(start) = free_at.pop().unwrap_or(Reverse(SignedDuration::ZERO));
        let ends = start.saturating_add((*duration).max(SignedDuration::ZERO));
        free_at.push(Reverse(ends));
        end = end.max(ends);
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minutes(all: &[i64]) -> Vec<SignedDuration> {
        all.iter().copied().map(SignedDuration::from_mins).collect()
    }

    #[test]
    fn the_first_free_slot_takes_the_next_copy() {
        for (durations, slots, expected) in [
            (&[][..], 20, 0),
            (&[30], 20, 30),
            (&[30, 30, 30], 1, 90),
            (&[30, 30, 30], 2, 60),
            (&[30, 30, 30], u32::MAX, 30),
            // 10 and 20 begin, 30 follows the 10, and 5 follows the 20.
            (&[10, 20, 30, 5], 2, 40),
            // The longest one last is the worst that can happen to it.
            (&[10, 10, 60], 2, 70),
            (&[60, 10, 10], 2, 60),
            (&[30, -5, 30], 1, 60),
            (&[30, 30], 0, 60),
        ] {
            assert_eq!(
                time_to_cover(&minutes(durations), slots),
                SignedDuration::from_mins(expected),
                "{durations:?} in {slots}"
            );
        }
    }

    #[test]
    fn a_stack_that_works_on_fewer_databases_has_fewer_slots() {
        let stack = CopySlots {
            instances: 24,
            clusters: 3,
        };
        let slots = CopySlots::RDS.within(stack);
        assert_eq!(slots.of_kind(DatabaseKind::Instance), 20);
        assert_eq!(slots.of_kind(DatabaseKind::Cluster), 3);
    }

    proptest! {
        #[test]
        fn it_is_never_shorter_than_its_parts_and_never_longer_with_more_slots(
            durations in prop::collection::vec(0_i64..100_000, 0..60),
            slots in 1_u32..30,
        ) {
            let all: Vec<SignedDuration> = durations.iter().copied().map(SignedDuration::from_secs).collect();
            let took = time_to_cover(&all, slots).as_secs();
            let total: i64 = durations.iter().sum();
            let longest = durations.iter().copied().max().unwrap_or(0);
            prop_assert!(took * i64::from(slots) >= total, "all slots together do no more than that");
            prop_assert!(took >= longest);
            // Graham's bound of any list schedule.
            prop_assert!(took * i64::from(slots) <= total + longest * i64::from(slots - 1));
            prop_assert!(time_to_cover(&all, slots + 1).as_secs() <= took);
            prop_assert_eq!(time_to_cover(&all, 1).as_secs(), total);
        }

        #[test]
        fn one_database_more_or_a_longer_copy_never_makes_it_shorter(
            durations in prop::collection::vec(0_i64..100_000, 1..40),
            longer in 0_i64..100_000,
            at in any::<prop::sample::Index>(),
            slots in 1_u32..30,
        ) {
            let mut all: Vec<SignedDuration> = durations.iter().copied().map(SignedDuration::from_secs).collect();
            let took = time_to_cover(&all, slots);
            let at = at.index(all.len());
            all[at] += SignedDuration::from_secs(longer);
            let with_longer = time_to_cover(&all, slots);
            prop_assert!(with_longer >= took);
            all.push(SignedDuration::from_secs(1));
            prop_assert!(time_to_cover(&all, slots) >= with_longer);
        }
    }
}
