//! What must always hold, judged at every call that changes something and at the end, from what really is.
//!
//! Nothing here asks the code under test: what a snapshot is a copy of, when its data was captured and whether a copy
//! came out right is known from the simulated world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use shared::{Settings, tags};
use simulator_sdk::simulator::{Kind, SnapshotState, State};

use crate::network::{parameter, subject};
use crate::record::Record;
use crate::virtual_time::lock;

/// By how much a function's clock may be off.
pub const MOST_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A snapshot of the source region, as it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Of an instance or of a cluster.
    pub kind: Kind,
    /// When its data was captured.
    pub at: Timestamp,
    /// The database that it is of.
    pub resource_id: String,
    /// What that database was called.
    pub database: String,
    /// Whether a copy of it is to be encrypted with the stack's key.
    pub has_key: bool,
}

/// The judge of one seed. Clones are the same judge.
#[derive(Debug, Clone)]
pub struct Watch {
    settings: Settings,
    record: Record,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    taken: BTreeMap<String, Taken>,
    /// Snapshots of the destination region, and manual ones of the source region, that are not ours.
    others: Vec<(String, SnapshotState)>,
    /// When each invocation began, and last listed copies.
    invocations: BTreeMap<u64, (String, Timestamp)>,
    /// When RDS accepted a copy of this name.
    accepted: BTreeMap<String, Timestamp>,
    /// Snapshots whose verified copy was deleted again.
    pruned: BTreeSet<String>,
    /// Copies accepted of snapshots of a database, by its identifier.
    of_database: BTreeMap<String, u32>,
}

impl Watch {
    /// A judge of what this stack does.
    #[must_use]
    pub fn new(settings: &Settings, record: &Record) -> Self {
        Self {
            settings: settings.clone(),
            record: record.clone(),
            known: Arc::default(),
        }
    }

    fn keep_copies(&self) -> usize {
        usize::try_from(self.settings.keep.copies).unwrap_or(usize::MAX)
    }

    /// A snapshot was taken in the source region.
    pub fn taken(&self, arn: &str, taken: Taken) {
        lock(&self.known).taken.insert(arn.to_owned(), taken);
    }

    /// What is there at the beginning is not ours.
    pub fn others(&self, state: &State) {
        let mut known = lock(&self.known);
        for region in [&self.settings.source_region, &self.settings.destination_region] {
            for snapshot in state.snapshots(region) {
                if snapshot.snapshot_type == "manual" {
                    known.others.push((region.clone(), snapshot.clone()));
                }
            }
        }
    }

    /// How many copies RDS has accepted of snapshots of this database.
    #[must_use]
    pub fn accepted_of(&self, database: &str) -> u32 {
        lock(&self.known).of_database.get(database).copied().unwrap_or(0)
    }

    /// An invocation of a function begins.
    pub fn invoked(&self, number: u64, function: &str, now: Timestamp) {
        lock(&self.known).invocations.insert(number, (function.to_owned(), now));
    }

    /// An invocation lists copies.
    pub fn read(&self, number: u64, now: Timestamp) {
        if let Some((_, read)) = lock(&self.known).invocations.get_mut(&number) {
            *read = now;
        }
    }

    /// A call succeeded that changes something.
    pub fn wrote(&self, invocation: u64, action: &str, form: &str, before: &State, after: &State, now: Timestamp) {
        let id = subject(form);
        match action {
            "DeleteDBSnapshot" | "DeleteDBClusterSnapshot" => self.deleted(invocation, &id, before, now),
            "CopyDBSnapshot" | "CopyDBClusterSnapshot" => self.accepted(&id, after, now),
            "AddTagsToResource" => self.tagged(&id, form, before, after),
            other => self.record.violation(&format!("nobody should call {other}")),
        }
    }

    fn deleted(&self, invocation: u64, id: &str, before: &State, now: Timestamp) {
        let copies = self.copies(before);
        let Some(deleted) = copies.iter().find(|copy| copy.snapshot.id == id) else {
            self.record.violation(&format!("{id} was deleted and is not ours"));
            return;
        };
        self.record.add(&format!("deleted: {:?}", deleted.standing), 1);
        let of_database = || {
            copies
                .iter()
                .filter(|copy| copy.taken.resource_id == deleted.taken.resource_id)
        };
        let newer_verified = of_database()
            .filter(|copy| copy.standing == Standing::Verified && copy.age() > deleted.age())
            .count();
        match deleted.standing {
            Standing::Verified if newer_verified == 0 => {
                self.record
                    .violation(&format!("{id} was deleted, the newest verified copy of its database"));
            }
            Standing::Verified if newer_verified < self.keep_copies() => {
                self.record.violation(&format!(
                    "{id} was deleted with {newer_verified} newer verified copies, {} are to be kept",
                    self.keep_copies()
                ));
            }
            Standing::InProgress => self.record.violation(&format!("{id} was deleted while it was copied")),
            Standing::Failed | Standing::Mismatched | Standing::Unverified => {
                let better =
                    of_database().any(|copy| copy.standing == Standing::Verified && copy.taken.at >= deleted.taken.at);
                if !better {
                    self.record.violation(&format!(
                        "{id} ({:?}) was deleted without a better copy",
                        deleted.standing
                    ));
                }
            }
            Standing::Verified => {}
        }
        let mut known = lock(&self.known);
        if deleted.standing == Standing::Verified {
            known.pruned.insert(deleted.source_arn().to_owned());
        }
        let read = known.invocations.get(&invocation).map_or(now, |(_, read)| *read);
        let deadline = SignedDuration::from_hours(i64::from(self.settings.copy_deadline_hours)) - MOST_SKEW;
        let blocking = of_database().find(|copy| {
            let accepted = known.accepted.get(&copy.snapshot.id).copied().unwrap_or(Timestamp::MIN);
            copy.standing == Standing::InProgress
                && copy.age() > deleted.age()
                // One that began after the function had looked cannot be known to it.
                && accepted < read
                && now.duration_since(accepted) < deadline
        });
        let blocking = blocking.map(|copy| copy.snapshot.id.clone());
        drop(known);
        if let Some(newer) = blocking {
            self.record
                .violation(&format!("{id} was deleted while the newer {newer} was in progress"));
        }
    }

    fn accepted(&self, id: &str, after: &State, now: Timestamp) {
        let copies = self.copies(after);
        let Some(copy) = copies.iter().find(|copy| copy.snapshot.id == id) else {
            self.record
                .violation(&format!("{id} was copied, and is not marked as ours"));
            return;
        };
        {
            let mut known = lock(&self.known);
            known.accepted.insert(id.to_owned(), now);
            if known.pruned.contains(copy.source_arn()) {
                // No promise is broken: a start that waited for a slot may come after newer copies. It is a waste.
                self.record.add("copies of snapshots whose verified copy was pruned", 1);
            }
            *known.of_database.entry(copy.snapshot.database.clone()).or_default() += 1;
        }
        self.record.add("copies accepted", 1);
        let same = || {
            copies.iter().filter(|other| {
                other.source_arn() == copy.source_arn() && other.snapshot.kms_key == copy.snapshot.kms_key
            })
        };
        let good = same().filter(|other| other.standing.may_be_good()).count();
        if good > 1 {
            self.record.violation(&format!(
                "{} is copied {good} times, the last time as {id}",
                copy.source_arn()
            ));
        }
        let attempt: u32 = copy
            .tag(tags::ATTEMPT)
            .and_then(|attempt| attempt.parse().ok())
            .unwrap_or(99);
        if attempt > 2 || same().count() > 3 {
            self.record
                .violation(&format!("{id} is attempt {attempt} of {}", same().count()));
        }
        if copy.taken.has_key != (copy.snapshot.kms_key.as_deref() == Some(self.settings.kms_key.arn())) {
            self.record
                .violation(&format!("{id} has the key {:?}", copy.snapshot.kms_key));
        }
    }

    fn tagged(&self, arn: &str, form: &str, before: &State, after: &State) {
        let copies = self.copies(before);
        let Some(copy) = copies.iter().find(|copy| copy.snapshot.arn == arn) else {
            self.record.violation(&format!("{arn} was tagged and is not ours"));
            return;
        };
        let key = parameter(form, "Tags.Tag.1.Key").unwrap_or_default();
        if key != tags::VERIFIED || parameter(form, "Tags.Tag.2.Key").is_some() {
            self.record.violation(&format!("{arn} was tagged with {key}"));
        }
        let now_is = self.copies(after).into_iter().find(|copy| copy.snapshot.arn == arn);
        if let Some(now_is) = now_is
            && now_is.standing == Standing::Verified
        {
            let right = self.came_out_right(copy.snapshot);
            if !right {
                self.record
                    .violation(&format!("{arn} was verified and is not what was asked for"));
            }
            if copy.standing == Standing::Mismatched {
                self.record
                    .violation(&format!("{arn} was a mismatch and is verified now"));
            }
        }
    }

    fn came_out_right(&self, snapshot: &SnapshotState) -> bool {
        let known = lock(&self.known);
        let Some(taken) = snapshot.source_arn.as_ref().and_then(|arn| known.taken.get(arn)) else {
            return false;
        };
        let key = snapshot.kms_key.as_deref() == Some(self.settings.kms_key.arn());
        snapshot.tags.get(tags::SOURCE_ARN) == snapshot.source_arn.as_ref()
            && snapshot.status == "available"
            && key == taken.has_key
            && !snapshot.engine.starts_with("wrong")
    }

    /// What holds at any moment.
    pub fn judge_moment(&self, state: &State, peaks: [(u64, u32); 2]) {
        for (peak, slots) in peaks {
            if peak > u64::from(slots) {
                self.record
                    .violation(&format!("{peak} copies in flight, {slots} slots"));
            }
        }
        let known = lock(&self.known);
        for (region, other) in &known.others {
            let still = state
                .snapshots(region)
                .iter()
                .find(|snapshot| snapshot.arn == other.arn);
            if still != Some(other) {
                self.record
                    .violation(&format!("{} is not ours and is not what it was", other.arn));
            }
        }
        drop(known);
        let copies = self.copies(state);
        for (at, copy) in copies.iter().enumerate() {
            let twin = copies[..at].iter().find(|other| {
                other.source_arn() == copy.source_arn() && other.standing.may_be_good() && copy.standing.may_be_good()
            });
            if let Some(twin) = twin {
                self.record.violation(&format!(
                    "{} and {} are copies of one snapshot",
                    twin.snapshot.id, copy.snapshot.id
                ));
            }
        }
    }

    /// Judges, after quiet runs, one database that can be copied: its newest snapshot has a verified copy, or three
    /// that failed.
    pub fn judge_database(&self, state: &State, kind: Kind, id: &str, resource_id: &str) {
        let newest = state
            .snapshots(&self.settings.source_region)
            .iter()
            .filter(|snapshot| snapshot.kind == kind && snapshot.resource_id.as_deref() == Some(resource_id))
            .filter(|snapshot| {
                snapshot.snapshot_type == "automated"
                    || snapshot.snapshot_type == "manual" && self.settings.include_manual_snapshots
            })
            .filter(|snapshot| snapshot.status == "available")
            .max_by_key(|snapshot| (snapshot.created_at, snapshot.id.clone()));
        let Some(newest) = newest else { return };
        let copies = self.copies(state);
        let of_newest: Vec<&OwnedCopy<'_>> = copies.iter().filter(|copy| copy.source_arn() == newest.arn).collect();
        // A copy of a later snapshot, which is gone from the source region, serves as well.
        if copies.iter().any(|copy| {
            copy.standing == Standing::Verified
                && copy.taken.resource_id == resource_id
                && Some(copy.taken.at) >= newest.created_at
                && self.came_out_right(copy.snapshot)
        }) {
            self.record.add("databases that end with a verified copy", 1);
            return;
        }
        let failed = of_newest
            .iter()
            .filter(|copy| matches!(copy.standing, Standing::Failed | Standing::Mismatched))
            .count();
        if failed >= 3 {
            self.record.add("databases that end with three failed attempts", 1);
            return;
        }
        let there: Vec<String> = of_newest
            .iter()
            .map(|copy| format!("{} {:?}", copy.snapshot.id, copy.standing))
            .collect();
        self.record.violation(&format!(
            "{id} ends without a verified copy of {}; there is [{}]",
            newest.id,
            there.join(", ")
        ));
    }

    /// Our copies of known snapshots.
    fn copies<'a>(&self, state: &'a State) -> Vec<OwnedCopy<'a>> {
        let known = lock(&self.known);
        let owner = format!("{}/{}", self.settings.source_region, self.settings.owner_id);
        let prefix = format!("{}-", self.settings.owner_id);
        state
            .snapshots(&self.settings.destination_region)
            .iter()
            .filter(|snapshot| snapshot.id.starts_with(&prefix) && snapshot.tags.get(tags::OWNER) == Some(&owner))
            .filter(|snapshot| !known.others.iter().any(|(_, other)| other.arn == snapshot.arn))
            .filter_map(|snapshot| {
                let taken = known.taken.get(snapshot.tags.get(tags::SOURCE_ARN)?)?.clone();
                let verified = snapshot.tags.get(tags::VERIFIED).map(String::as_str);
                let standing = match (snapshot.status.as_str(), verified) {
                    ("available", Some(tags::MISMATCH)) => Standing::Mismatched,
                    ("available", Some(_)) => Standing::Verified,
                    ("available", None) => Standing::Unverified,
                    ("failed", _) => Standing::Failed,
                    _ => Standing::InProgress,
                };
                Some(OwnedCopy {
                    snapshot,
                    taken,
                    standing,
                })
            })
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Verified,
    Unverified,
    InProgress,
    Failed,
    Mismatched,
}

impl Standing {
    fn may_be_good(self) -> bool {
        matches!(self, Self::Verified | Self::Unverified | Self::InProgress)
    }
}

struct OwnedCopy<'a> {
    snapshot: &'a SnapshotState,
    taken: Taken,
    standing: Standing,
}

impl OwnedCopy<'_> {
    fn tag(&self, key: &str) -> Option<&str> {
        self.snapshot.tags.get(key).map(String::as_str)
    }

    fn source_arn(&self) -> &str {
        self.tag(tags::SOURCE_ARN).unwrap_or_default()
    }

    fn age(&self) -> (Timestamp, &str) {
        (self.taken.at, &self.snapshot.id)
    }
}
