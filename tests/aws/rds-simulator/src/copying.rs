//! Copies and databases at work: what passes with time.

use jiff::Timestamp;

use crate::model::{Encryption, Ending, Kind, Region, Snapshot};
use crate::scenario::Becomes;
use crate::seed::milliseconds;
use crate::simulator::Simulator;

/// Seconds by which two times count as the same: progress is summed up in floating point.
const NEGLIGIBLE: f64 = 1e-6;

/// Where a snapshot or a database at work is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AtWork {
    pub(crate) region: String,
    pub(crate) kind: Kind,
    pub(crate) id: String,
}

impl Simulator {
    /// Lets time pass until `now`: copies progress, end, and make room for those behind them.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        // The wall clock may step back; simulated time waits for it.
        let now = now.max(self.clock);
        loop {
            let left = now.duration_since(self.clock).as_secs_f64() * self.scale;
            let next = self
                .at_work
                .iter()
                .filter_map(|place| self.find(place)?.job.as_ref())
                .filter(|job| job.running)
                .map(|job| (job.stops_at - job.done).max(0.0))
                .fold(f64::INFINITY, f64::min);
            if next > left {
                self.progress(left);
                self.clock = now;
                break;
            }
            self.progress(next);
            let step = jiff::SignedDuration::try_from_secs_f64(next / self.scale).unwrap_or_default();
            self.clock = self.clock.checked_add(step).unwrap_or(now).min(now);
            self.end_finished();
            self.begin_queued();
        }
        self.end_deletions();
    }

    /// Adds simulated seconds to everything that runs, and to the use of the slots.
    fn progress(&mut self, seconds: f64) {
        for place in &self.at_work {
            if let Some(snapshot) = find(&mut self.regions, place)
                && let Some(job) = &mut snapshot.job
            {
                if job.running {
                    job.done += seconds;
                }
                snapshot.percent = job.percent();
                let status = if !job.running {
                    "pending"
                } else if snapshot.percent < 1 || !job.takes_slot && snapshot.source_arn.is_none() {
                    "creating"
                } else {
                    "copying"
                };
                status.clone_into(&mut snapshot.status);
            }
        }
        self.progress_databases(seconds);
        for region in self.records.counters.copies.values_mut() {
            for kind in Kind::ALL {
                let counters = &mut region[kind];
                if counters.in_flight > 0 {
                    #[expect(clippy::cast_precision_loss, reason = "there are at most a few dozen slots")]
                    let in_flight = counters.in_flight as f64;
                    counters.slot_seconds += seconds * in_flight;
                    counters.busy_seconds += seconds;
                    if counters.busy_seconds > 0.0 {
                        counters.slot_use = counters.slot_seconds / (counters.busy_seconds * f64::from(counters.slots));
                    }
                }
            }
        }
    }

    fn end_finished(&mut self) {
        let finished: Vec<AtWork> = self
            .at_work
            .iter()
            .filter(|place| {
                self.find(place)
                    .and_then(|snapshot| snapshot.job.as_ref())
                    .is_none_or(|job| job.running && job.stops_at - job.done <= NEGLIGIBLE)
            })
            .cloned()
            .collect();
        for place in finished {
            let Some(job) = self.find(&place).and_then(|snapshot| snapshot.job.clone()) else {
                self.at_work.retain(|other| *other != place);
                continue;
            };
            self.leave_work(&place, job.ending);
            if job.ending == Ending::Vanished {
                if let Some(region) = self.regions.get_mut(&place.region) {
                    region.snapshots[place.kind].remove(&place.id);
                }
                continue;
            }
            let Some(region) = self.regions.get_mut(&place.region) else {
                continue;
            };
            let becomes = job.becomes.map(|becomes| (encryption(region, &becomes), becomes));
            if let Some(snapshot) = region.snapshots[place.kind].get_mut(&place.id) {
                snapshot.job = None;
                if job.ending == Ending::Failed {
                    "failed".clone_into(&mut snapshot.status);
                } else {
                    "available".clone_into(&mut snapshot.status);
                    snapshot.percent = 100;
                    if let Some((encryption, becomes)) = becomes {
                        distort(snapshot, encryption, becomes);
                    }
                }
            }
        }
    }

    /// Takes a snapshot off the work list and out of the count of copies in flight.
    pub(crate) fn leave_work(&mut self, place: &AtWork, ending: Ending) {
        self.at_work.retain(|other| other != place);
        let takes_slot = self
            .find(place)
            .and_then(|snapshot| snapshot.job.as_ref())
            .is_some_and(|job| job.takes_slot);
        if takes_slot {
            let counters = self.copy_counters(&place.region, place.kind);
            counters.in_flight = counters.in_flight.saturating_sub(1);
            match ending {
                Ending::Available => counters.completed += 1,
                Ending::Failed => counters.failed += 1,
                Ending::Vanished => counters.vanished += 1,
            }
        }
    }

    /// Begins whatever no longer waits behind another copy of the same instance, in the order of acceptance.
    pub(crate) fn begin_queued(&mut self) {
        let mut busy: Vec<String> = self
            .at_work
            .iter()
            .filter_map(|place| self.find(place)?.job.as_ref())
            .filter(|job| job.running)
            .filter_map(|job| job.queue.clone())
            .collect();
        let started = milliseconds(self.clock);
        for place in &self.at_work {
            if let Some(snapshot) = find(&mut self.regions, place)
                && let Some(job) = &mut snapshot.job
                && !job.running
            {
                match &job.queue {
                    Some(queue) if busy.contains(queue) => continue,
                    Some(queue) => busy.push(queue.clone()),
                    None => {}
                }
                job.running = true;
                "creating".clone_into(&mut snapshot.status);
                snapshot.created = Some(started);
            }
        }
    }

    pub(crate) fn find(&self, place: &AtWork) -> Option<&Snapshot> {
        self.regions.get(&place.region)?.snapshots[place.kind].get(&place.id)
    }
}

fn find<'a>(regions: &'a mut std::collections::BTreeMap<String, Region>, place: &AtWork) -> Option<&'a mut Snapshot> {
    regions.get_mut(&place.region)?.snapshots[place.kind].get_mut(&place.id)
}

fn encryption(region: &Region, becomes: &Becomes) -> Option<Encryption> {
    match (&becomes.kms_key, becomes.storage_encryption_type.as_deref()) {
        // A key that the region does not have is taken at its word: that is the point of a mismatch.
        (Some(key), _) => Some(Encryption::Key(
            region.key(key).map_or_else(|| key.clone(), |key| key.arn.clone()),
        )),
        (None, Some("none")) => Some(Encryption::None),
        (None, Some(_)) => Some(Encryption::Service),
        (None, None) => None,
    }
}

fn distort(snapshot: &mut Snapshot, encryption: Option<Encryption>, becomes: Becomes) {
    if let Some(encryption) = encryption {
        snapshot.encryption = encryption;
    }
    if let Some(engine) = becomes.engine {
        snapshot.engine = engine;
    }
    if let Some(version) = becomes.engine_version {
        snapshot.engine_version = version;
    }
    if let Some(size) = becomes.allocated_storage {
        snapshot.allocated_storage = size;
    }
    if let Some(bytes) = becomes.full_snapshot_size_bytes {
        snapshot.full_size = bytes;
    }
    if let Some(source) = becomes.source_arn {
        snapshot.source_arn = Some(source);
    }
}
