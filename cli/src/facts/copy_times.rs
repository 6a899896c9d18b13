//! How long copies take: measured by those that are there, each from the request to its verification, or else assumed.

use std::collections::BTreeMap;

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use jiff::SignedDuration;

use crate::facts::copies::{DatabaseCopies, OwnedCopy};
use crate::facts::fleet::DatabaseKey;

/// GiB per hour of one copy between regions. An assumption: AWS says only that a copy can take hours, which depends on the
/// regions and on the data.
const ASSUMED_GIB_PER_HOUR: f64 = 150.0;

/// What a copy takes beside its data. An assumption, too.
const ASSUMED_OVERHEAD: SignedDuration = SignedDuration::from_mins(10);

/// Of smaller copies the time says nothing about the throughput.
const MIN_MEASURED_GIB: i32 = 20;

/// How long a copy takes, as far as that can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CopyTime {
    pub(crate) time: SignedDuration,
    /// Whether copies of that database, or of its kind, took that long; otherwise it is computed from its size.
    pub(crate) is_measured: bool,
    /// Whether it takes longer than that, because its size is not known.
    pub(crate) is_at_least: bool,
}

/// What is known of the copies of a database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct MeasuredTimes {
    /// Of the first one, which was full.
    full: Option<SignedDuration>,
    /// Of the others: the one in the middle.
    usual: Option<SignedDuration>,
}

/// How long copies take.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CopyTimes {
    /// GiB per hour of one copy.
    pub(crate) gib_per_hour: f64,
    /// Number of full copies that this was measured by; 0 if it is assumed.
    pub(crate) measured_by: usize,
    /// What a copy takes beside its data.
    pub(crate) overhead: SignedDuration,
    by_database: BTreeMap<DatabaseKey, MeasuredTimes>,
    /// Of first copies of clusters, whose sizes RDS does not give: the one in the middle.
    full_of_clusters: Option<SignedDuration>,
}

impl CopyTimes {
    /// Measures the copies. `keep_copies` is what each database keeps at least: where there are fewer, none has been pruned,
    /// and the oldest one is the first that was made.
    pub(crate) fn new(databases: &[DatabaseCopies], keep_copies: u32) -> Self {
        let mut by_database = BTreeMap::new();
        let (mut gib, mut time, mut measured_by) = (0.0, SignedDuration::ZERO, 0);
        let mut full_of_clusters = Vec::new();
        let mut shortest = ASSUMED_OVERHEAD;
        for database in databases {
            let first = first_copy(database, keep_copies);
            let is_first = |copy: &OwnedCopy| first.is_some_and(|first| first.own.id == copy.own.id);
            let others = database.copies.iter().filter(|copy| !is_first(copy));
            let measured = MeasuredTimes {
                full: first.and_then(duration),
                usual: median(others.filter_map(duration).collect()),
            };
            shortest = [measured.full, measured.usual]
                .into_iter()
                .flatten()
                .fold(shortest, SignedDuration::min);
            if let (Some(first), Some(took)) = (first, measured.full) {
                let size = first.snapshot.data_gib().filter(|size| *size >= MIN_MEASURED_GIB);
                if let Some(size) = size {
                    gib += f64::from(size);
                    time = time.saturating_add(took);
                    measured_by += 1;
                }
                if database.kind == DatabaseKind::Cluster {
                    full_of_clusters.push(took);
                }
            }
            by_database.insert((database.kind, database.resource_id.clone()), measured);
        }
        let hours = time.as_secs_f64() / 3600.0;
        Self {
            gib_per_hour: if hours > 0.0 { gib / hours } else { ASSUMED_GIB_PER_HOUR },
            measured_by: if hours > 0.0 { measured_by } else { 0 },
            overhead: shortest,
            by_database,
            full_of_clusters: median(full_of_clusters),
        }
    }

    /// How long a copy of all the data takes.
    pub(crate) fn full(&self, key: &DatabaseKey, size_gib: Option<f64>) -> CopyTime {
        let own = self.by_database.get(key).and_then(|measured| measured.full);
        let of_kind = self
            .full_of_clusters
            .filter(|_| key.0 == DatabaseKind::Cluster && size_gib.is_none());
        measured_or(own.or(of_kind), || self.computed(size_gib))
    }

    /// How long a copy takes when there is an earlier one, and this much has been changed since; of some engines all is
    /// transferred every time.
    pub(crate) fn next(&self, key: &DatabaseKey, changed_gib: Option<f64>, is_full: bool) -> CopyTime {
        let own = self.by_database.get(key);
        let own = own.and_then(|own| own.usual.or(own.full.filter(|_| is_full)));
        measured_or(own, || {
            if is_full {
                return self.full(key, changed_gib);
            }
            self.computed(changed_gib)
        })
    }

    fn computed(&self, gib: Option<f64>) -> CopyTime {
        let hours = gib.unwrap_or_default() / self.gib_per_hour;
        let transfer = SignedDuration::try_from_secs_f64(hours * 3600.0).unwrap_or(SignedDuration::MAX);
        CopyTime {
            time: self.overhead.saturating_add(transfer),
            is_measured: false,
            is_at_least: gib.is_none(),
        }
    }
}

fn measured_or(measured: Option<SignedDuration>, otherwise: impl Fn() -> CopyTime) -> CopyTime {
    match measured {
        Some(time) => CopyTime {
            time,
            is_measured: true,
            is_at_least: false,
        },
        None => otherwise(),
    }
}

/// From the request to the verification, which comes some time after RDS is done with it.
fn duration(copy: &OwnedCopy) -> Option<SignedDuration> {
    let took = copy.verified_at()?.duration_since(copy.own.requested);
    (took > SignedDuration::ZERO).then_some(took)
}

/// The first copy of a database, if it is known which one that was.
fn first_copy(database: &DatabaseCopies, keep_copies: u32) -> Option<&OwnedCopy> {
    let complete = database.count(CopyStatus::Verified) + database.count(CopyStatus::Unverified);
    let is_unpruned = complete < usize::try_from(keep_copies).unwrap_or(usize::MAX);
    let oldest = database.copies.iter().min_by_key(|copy| copy.own.requested);
    oldest.filter(|_| is_unpruned)
}

/// The one in the middle, the longer one of two.
pub(crate) fn median(mut durations: Vec<SignedDuration>) -> Option<SignedDuration> {
    durations.sort();
    durations.get(durations.len() / 2).copied()
}
