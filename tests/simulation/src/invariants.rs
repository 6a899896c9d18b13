//! What must always hold, judged at every call that changes something and at the end, from what really is.
//!
//! Nothing here asks the code under test: what a snapshot is a copy of, when its data was captured and whether a copy
//! came out right is known from the simulated world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use domain::settings::Settings;
use domain::tags;
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::simulator::{Kind, SnapshotState, State};

use crate::drill_judge::DrillJudge;
use crate::functions::{Functions, Listed};
use crate::network::{parameter, source_of_copy, subject};
use crate::policies::{Kept, Policy, calendar};
use crate::record::Record;
use crate::virtual_time::lock;

/// By how much a function's clock may be off.
pub const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The tag by which a person holds a copy, as somebody writes it.
pub(crate) const HOLD_OTHERWISE: &str = "Snapferry-Hold";

/// A snapshot of the source region, as it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its ARN. Those of hand-made ones are used again: a snapshot is its ARN and its time.
    pub arn: String,
    /// Of an instance or of a cluster.
    pub kind: Kind,
    /// When its data was captured.
    pub at: Timestamp,
    /// The database that it is of.
    pub resource_id: String,
    /// What that database was called.
    pub database: String,
    /// Whether a copy of it is to be encrypted with a key that we name.
    pub has_key: bool,
}

/// What is known of a database: what its tags asked for since when, and when it was deleted.
#[derive(Debug, Default)]
struct Past {
    policies: Vec<(Timestamp, Policy)>,
    gone: Option<Timestamp>,
}

impl Past {
    /// The policies that were in force at some time of this stretch.
    fn in_force(&self, (begin, end): Listed) -> Vec<&Policy> {
        let ends = self.policies.iter().skip(1).map(|(since, _)| *since);
        let spans = self.policies.iter().zip(ends.chain([Timestamp::MAX]));
        spans
            .filter(|((since, _), until)| *since <= end && *until >= begin)
            .map(|((_, policy), _)| policy)
            .collect()
    }

    /// What must be kept at least by who has read the tags in this stretch, whichever of them that was.
    fn keep(&self, read: Listed) -> Kept {
        let policies = self.in_force(read).into_iter().map(|policy| policy.keep);
        policies.reduce(Kept::at_least).unwrap_or_default()
    }
}

/// One invocation of a function.
#[derive(Debug)]
struct Invoked {
    function: String,
    /// The stack as it was deployed then.
    deployed: Arc<Deployed>,
    /// When it began.
    begun: Timestamp,
    /// When its run listed the databases.
    listed: Option<Listed>,
    /// When it last listed copies, or began.
    read: Timestamp,
    /// What it saw then, if it may delete: RDS may leave out what is there.
    seen: Option<State>,
    /// Verified copies that it has deleted.
    deleted: u32,
}

/// The stack's parameters, as they are for a while.
#[derive(Debug)]
struct Deployed {
    settings: Settings,
    /// The stack's key and the others that it allows.
    keys: Vec<String>,
}

impl Deployed {
    /// What the stack keeps of every database.
    fn keep(&self) -> Kept {
        let keep = &self.settings.keep;
        Kept {
            copies: keep.copies,
            days: keep.days,
            calendar: [keep.daily, keep.weekly, keep.monthly, keep.yearly],
        }
    }
}

/// The judge of one seed. Clones are the same judge.
#[derive(Debug, Clone)]
pub struct Invariants {
    /// What never changes of them: regions, owner, deadline.
    settings: Settings,
    record: Record,
    known: Arc<Mutex<Known>>,
    drills: DrillJudge,
}

#[derive(Debug, Default)]
struct Known {
    /// The stack as it is now.
    deployed: Option<Arc<Deployed>>,
    /// Snapshots of the source region by ARN, the last one of each last.
    taken: BTreeMap<String, Vec<Taken>>,
    /// What the copies are of, by their name.
    copy_of: BTreeMap<String, Taken>,
    /// Copies that RDS never deletes.
    undeletable: BTreeSet<String>,
    /// Snapshots of the destination region, and manual ones of the source region, that are not ours.
    others: Vec<(String, SnapshotState)>,
    invocations: BTreeMap<u64, Invoked>,
    /// Databases by resource id.
    pasts: BTreeMap<String, Past>,
    /// Which key RDS was asked for, and what the tags asked to be kept, for the copy of this name.
    asked: BTreeMap<String, (Option<String>, Kept)>,
    /// When RDS accepted a copy of this name.
    accepted: BTreeMap<String, Timestamp>,
    /// Snapshots of the source region that are gone.
    expired: BTreeSet<String>,
    /// Whether the stack's key has changed.
    has_other_key: bool,
    /// Copies that RDS left out of a listing: who does not see one may copy its snapshot once more.
    missed: BTreeSet<String>,
    /// Snapshots whose verified copy was deleted again.
    pruned: BTreeSet<(String, Timestamp)>,
    /// Copies accepted of snapshots of a database, by its identifier.
    of_database: BTreeMap<String, u32>,
}

impl Invariants {
    /// A judge of what this stack does. `keys` are those that a copy may have, the stack's own one first.
    #[must_use]
    pub fn new(settings: &Settings, keys: Vec<String>, record: &Record) -> Self {
        let this = Self {
            settings: settings.clone(),
            record: record.clone(),
            known: Arc::default(),
            drills: DrillJudge::new(record),
        };
        this.deployed(settings, keys);
        this
    }

    /// The judge of drills.
    pub(crate) fn drills(&self) -> &DrillJudge {
        &self.drills
    }

    /// From now on functions begin with these parameters.
    pub fn deployed(&self, settings: &Settings, keys: Vec<String>) {
        let settings = settings.clone();
        let mut known = lock(&self.known);
        known.has_other_key |= known.deployed.as_ref().is_some_and(|before| before.keys[0] != keys[0]);
        known.deployed = Some(Arc::new(Deployed { settings, keys }));
    }

    /// The stack as it is now.
    fn now_deployed(&self) -> Arc<Deployed> {
        let deployed = lock(&self.known).deployed.clone();
        deployed.unwrap_or_else(|| {
            let settings = self.settings.clone();
            Arc::new(Deployed {
                settings,
                keys: Vec::new(),
            })
        })
    }

    /// From now on the tags of a database ask for this.
    pub fn policy(&self, resource_id: &str, policy: &Policy, now: Timestamp) {
        let mut known = lock(&self.known);
        let past = known.pasts.entry(resource_id.to_owned()).or_default();
        past.policies.push((now, policy.clone()));
    }

    /// A database was deleted.
    pub fn gone(&self, resource_id: &str, now: Timestamp) {
        lock(&self.known).pasts.entry(resource_id.to_owned()).or_default().gone = Some(now);
    }

    /// A snapshot was taken in the source region.
    pub fn taken(&self, taken: Taken) {
        let mut known = lock(&self.known);
        known.expired.remove(&taken.arn);
        known.taken.entry(taken.arn.clone()).or_default().push(taken);
    }

    /// What is there at the beginning is not ours, but for copies that the stack made before.
    pub fn others(&self, state: &State) {
        let mut known = lock(&self.known);
        for region in [&self.settings.source_region, &self.settings.destination_region] {
            for snapshot in state.snapshots(region) {
                if snapshot.snapshot_type == "manual" && !known.copy_of.contains_key(&snapshot.id) {
                    known.others.push((region.clone(), snapshot.clone()));
                }
            }
        }
    }

    /// A copy was made and verified before the world began.
    pub fn old_copy(&self, copy: &SnapshotState, taken: Taken, is_undeletable: bool) {
        let mut known = lock(&self.known);
        let accepted = taken.at;
        known
            .asked
            .insert(copy.id.clone(), (copy.kms_key.clone(), Kept::recorded(&copy.tags)));
        known.accepted.insert(copy.id.clone(), accepted);
        known.copy_of.insert(copy.id.clone(), taken);
        if is_undeletable {
            known.undeletable.insert(copy.id.clone());
        }
    }

    /// Somebody has made a snapshot that is not ours, or has changed one.
    pub fn other(&self, region: &str, snapshot: &SnapshotState) {
        let mut known = lock(&self.known);
        known.others.retain(|(_, other)| other.arn != snapshot.arn);
        known.others.push((region.to_owned(), snapshot.clone()));
    }

    /// Somebody has changed the tags of a snapshot, which may be one that is not ours.
    pub fn retagged(&self, region: &str, snapshot: &SnapshotState) {
        let is_other = lock(&self.known)
            .others
            .iter()
            .any(|(_, other)| other.arn == snapshot.arn);
        if is_other {
            self.other(region, snapshot);
        }
    }

    /// RDS left a copy out of a listing.
    pub fn missed(&self, id: &str) {
        lock(&self.known).missed.insert(id.to_owned());
    }

    /// A snapshot is gone, and not by our doing: somebody has deleted it, if it was a manual one.
    pub fn expired(&self, arn: &str) {
        let mut known = lock(&self.known);
        known.others.retain(|(_, other)| other.arn != arn);
        known.expired.insert(arn.to_owned());
    }

    /// How many copies RDS has accepted of snapshots of this database.
    #[must_use]
    pub fn accepted_of(&self, database: &str) -> u32 {
        lock(&self.known).of_database.get(database).copied().unwrap_or(0)
    }

    /// An invocation of a function begins, for a run that has listed the databases in this stretch of time.
    pub fn invoked(&self, number: u64, function: &str, now: Timestamp, listed: Option<Listed>) {
        let invoked = Invoked {
            function: function.to_owned(),
            deployed: self.now_deployed(),
            begun: now,
            listed,
            read: now,
            seen: None,
            deleted: 0,
        };
        lock(&self.known).invocations.insert(number, invoked);
    }

    /// An invocation lists copies: `listed` gives what is there, and the names of those that RDS has told of.
    pub fn read(&self, number: u64, now: Timestamp, listed: &dyn Fn() -> (State, Vec<String>)) {
        if let Some(invoked) = lock(&self.known).invocations.get_mut(&number) {
            invoked.read = now;
            if invoked.function == "prune-old" {
                let (mut state, names) = listed();
                let region = state.regions.entry(self.settings.destination_region.clone());
                region.and_modify(|region| {
                    region.snapshots.retain(|snapshot| names.contains(&snapshot.id));
                    // What an earlier page has told of is known as well.
                    let before = invoked
                        .seen
                        .iter()
                        .flat_map(|seen| seen.snapshots(&self.settings.destination_region));
                    for snapshot in before {
                        if !region.snapshots.iter().any(|other| other.arn == snapshot.arn) {
                            region.snapshots.push(snapshot.clone());
                        }
                    }
                });
                invoked.seen = Some(state);
            }
        }
    }

    /// A call succeeded that changes something.
    pub fn wrote(&self, invocation: u64, action: &str, form: &str, before: &State, after: &State, now: Timestamp) {
        let id = subject(form);
        let of_drill = lock(&self.known)
            .invocations
            .get(&invocation)
            .filter(|invoked| Functions::OF_DRILLS.contains(&invoked.function.as_str()))
            .map(|invoked| (invoked.function.clone(), invoked.begun));
        if let Some((function, begun)) = of_drill {
            return self.drilled((invocation, &function, begun), (action, form), (before, after), now);
        }
        match action {
            "DeleteDBSnapshot" | "DeleteDBClusterSnapshot" => self.deleted(invocation, &id, before, now),
            "CopyDBSnapshot" | "CopyDBClusterSnapshot" => self.accepted(invocation, &id, form, after, now),
            "AddTagsToResource" => self.tagged(&id, form, before, after),
            other => self.record.violation(&format!("nobody should call {other}")),
        }
    }

    /// A call of a drill succeeded that changes something.
    fn drilled(&self, who: (u64, &str, Timestamp), what: (&str, &str), states: (&State, &State), now: Timestamp) {
        let (_, form) = what;
        let names = ["DBSnapshotIdentifier", "SnapshotIdentifier"];
        let restored = names.into_iter().find_map(|name| parameter(form, name));
        let arn = parameter(form, "ResourceName");
        let copies = self.copies(states.1);
        let is_it = |copy: &&OwnedCopy<'_>| {
            restored.as_ref() == Some(&copy.snapshot.id) || arn.as_ref() == Some(&copy.snapshot.arn)
        };
        let copy = copies.iter().find(is_it).map(|copy| {
            let is_good = copy.status == CopyStatus::Verified;
            (copy.snapshot, is_good)
        });
        self.drills.wrote(who, what, states, copy, now);
    }

    fn deleted(&self, invocation: u64, id: &str, before: &State, now: Timestamp) {
        let copies = self.copies(before);
        let Some(deleted) = copies.iter().find(|copy| copy.snapshot.id == id) else {
            self.record.violation(&format!("{id} was deleted and is not ours"));
            return;
        };
        self.record.add(&format!("deleted: {:?}", deleted.status), 1);
        let of_database = || {
            copies
                .iter()
                .filter(|copy| copy.taken.resource_id == deleted.taken.resource_id)
        };
        let newer_verified = of_database()
            .filter(|copy| copy.status == CopyStatus::Verified && copy.age() > deleted.age())
            .count();
        match deleted.status {
            CopyStatus::Verified if newer_verified == 0 => {
                self.record
                    .violation(&format!("{id} was deleted, the newest verified copy of its database"));
            }
            CopyStatus::InProgress => self.record.violation(&format!("{id} was deleted while it was copied")),
            CopyStatus::Failed | CopyStatus::Mismatched | CopyStatus::Unverified => {
                let better =
                    of_database().any(|copy| copy.status == CopyStatus::Verified && copy.taken.at >= deleted.taken.at);
                if !better {
                    self.record.violation(&format!(
                        "{id} ({:?}) was deleted without a better copy",
                        deleted.status
                    ));
                }
            }
            CopyStatus::Verified => {}
        }
        self.judge_retention(invocation, deleted, now);
        self.judge_drilling(invocation, deleted, before, now);
        let mut known = lock(&self.known);
        if deleted.status == CopyStatus::Verified {
            known.pruned.insert((deleted.taken.arn.clone(), deleted.taken.at));
            let made = known.invocations.get_mut(&invocation).map_or(0, |invoked| {
                invoked.deleted += 1;
                invoked.deleted
            });
            if made > known.max_deletes(invocation) {
                let problem = format!("{id} is verified copy {made} that one step deletes");
                self.record.violation(&problem);
            }
        }
        let seen: BTreeSet<&String> = known
            .invocations
            .get(&invocation)
            .map_or_else(BTreeSet::new, |invoked| {
                let seen = invoked.seen.iter();
                let there = seen.flat_map(|seen| seen.snapshots(&self.settings.destination_region));
                there.map(|snapshot| &snapshot.id).collect()
            });
        let deadline = SignedDuration::from_hours(i64::from(self.settings.copy_deadline_hours)) - MAX_SKEW;
        let blocking = of_database().find(|copy| {
            let accepted = known.accepted.get(&copy.snapshot.id).copied().unwrap_or(Timestamp::MIN);
            copy.status == CopyStatus::InProgress
                && copy.age() > deleted.age()
                // One that began after the function had listed them, or that RDS did not list, cannot be known to it.
                && seen.contains(&copy.snapshot.id)
                && now.duration_since(accepted) < deadline
        });
        let blocking = blocking.map(|copy| copy.snapshot.id.clone());
        drop(known);
        if let Some(newer) = blocking {
            self.record
                .violation(&format!("{id} was deleted while the newer {newer} was in progress"));
        }
    }

    /// Whether no drill restored the copy, as far as the step could see when it listed the copies.
    fn judge_drilling(&self, invocation: u64, deleted: &OwnedCopy<'_>, before: &State, now: Timestamp) {
        let id = &deleted.snapshot.id;
        let known = lock(&self.known);
        let Some(invoked) = known.invocations.get(&invocation) else {
            return;
        };
        let copies = invoked
            .seen
            .iter()
            .flat_map(|seen| seen.snapshots(&self.settings.destination_region));
        let seen = copies.into_iter().find(|copy| copy.id == *id);
        let (is_marked, read) = (seen.is_some_and(|copy| is_drilled(copy, now + MAX_SKEW)), invoked.read);
        drop(known);
        if is_marked {
            self.record
                .violation(&format!("{id} was deleted, which a drill restores"));
        } else if self.drills.restores(id, before, read) {
            self.record
                .violation(&format!("{id} was deleted while it was restored, and nothing said so"));
        }
    }

    /// Whether every rule let a copy go: those of the stack, and those that the database's tags asked for while the step
    /// ran that deletes it. Judged by what the step saw: another may have deleted since.
    fn judge_retention(&self, invocation: u64, deleted: &OwnedCopy<'_>, now: Timestamp) {
        let (deployed, begun, seen) = match lock(&self.known).invocations.get_mut(&invocation) {
            Some(invoked) => (Arc::clone(&invoked.deployed), invoked.begun, invoked.seen.clone()),
            None => (self.now_deployed(), now, None),
        };
        let (id, resource_id) = (&deleted.snapshot.id, &deleted.taken.resource_id);
        let Some(seen) = seen else {
            let problem = format!("{id} was deleted by who listed no copies");
            return self.record.violation(&problem);
        };
        let copies = self.copies(&seen);
        let of_database = || copies.iter().filter(|copy| copy.taken.resource_id == *resource_id);
        let mut verified: Vec<&OwnedCopy<'_>> = of_database()
            .filter(|copy| copy.status == CopyStatus::Verified)
            .collect();
        verified.sort_by_key(|copy| copy.age());
        if of_database().any(|copy| copy.snapshot.id == *id && copy.is_held()) {
            self.record
                .violation(&format!("{id} was deleted, which a person holds"));
        }
        let known = lock(&self.known);
        let Some(past) = known.pasts.get(resource_id) else {
            return;
        };
        let mut keep = deployed.keep();
        let tags_read = (begun, now);
        if past.gone.is_some_and(|gone| gone < begun) {
            self.record.add("deleted of databases that are gone", 1);
            let retired_keep_days = deployed.settings.retired_keep_days;
            if retired_keep_days == 0 {
                let problem = format!("{id} was deleted, whose database is gone: such copies stay");
                return self.record.violation(&problem);
            }
            if of_database().any(|copy| copy.tag(tags::UNREAD).is_some()) {
                let problem = format!("{id} was deleted, whose database is gone, and a tag of it could not be read");
                self.record.violation(&problem);
            }
            keep.days = keep.days.max(retired_keep_days);
        } else {
            if past.in_force(tags_read).iter().all(|policy| policy.unreadable) {
                self.record
                    .violation(&format!("{id} was deleted, and a tag of its database cannot be read"));
            }
            keep = keep.at_most(past.keep(tags_read));
        }
        // What every verified copy recorded is in force: a rule ends when the last copy made under it is gone.
        for copy in &verified {
            keep = keep.at_most(Kept::recorded(&copy.snapshot.tags));
        }
        if deleted.status != CopyStatus::Verified {
            return;
        }
        let wanted = |why: String| self.record.violation(&format!("{id} was deleted, {why}"));
        let newer: Vec<&OwnedCopy<'_>> = verified.into_iter().filter(|copy| copy.age() > deleted.age()).collect();
        if newer.len() < usize::try_from(keep.copies).unwrap_or(usize::MAX) {
            let newer = newer.len();
            wanted(format!(
                "with {newer} newer verified copies, {} are to be kept",
                keep.copies
            ));
        }
        let age = now.duration_since(deleted.taken.at) + MAX_SKEW;
        if age < SignedDuration::from_hours(i64::from(keep.days) * 24) {
            wanted(format!("at an age of {age:#}, {} days are to be kept", keep.days));
        }
        let own = calendar(deleted.taken.at);
        for (at, count) in keep.calendar.into_iter().enumerate() {
            let later: BTreeSet<i64> = newer.iter().map(|copy| calendar(copy.taken.at)[at]).collect();
            if !later.contains(&own[at]) && later.len() < usize::try_from(count).unwrap_or(usize::MAX) {
                let period = ["day", "week", "month", "year"][at];
                wanted(format!("the last of its {period}, {count} of which are to be kept"));
            }
        }
    }

    fn accepted(&self, invocation: u64, id: &str, form: &str, after: &State, now: Timestamp) {
        {
            // RDS copies what has that ARN now.
            let mut known = lock(&self.known);
            let source = source_of_copy(form).unwrap_or_default();
            let copied = known.taken.get(&source).and_then(|taken| taken.last()).cloned();
            let state = after.snapshot(&self.settings.destination_region, id);
            match (copied, state) {
                (Some(copied), Some(state)) if is_marked(state, &copied) => {
                    known.copy_of.insert(id.to_owned(), copied);
                }
                (copied, _) => {
                    drop(known);
                    let problem = format!("{id} was copied of {copied:?}, and is marked otherwise");
                    return self.record.violation(&problem);
                }
            }
        }
        let copies = self.copies(after);
        let Some(copy) = copies.iter().find(|copy| copy.snapshot.id == id) else {
            self.record
                .violation(&format!("{id} was copied, and is not marked as ours"));
            return;
        };
        {
            let mut known = lock(&self.known);
            known.accepted.insert(id.to_owned(), now);
            let invoked = known.invocations.get(&invocation);
            let listed = invoked.and_then(|invoked| invoked.listed);
            let deployed = invoked.map(|invoked| Arc::clone(&invoked.deployed));
            let keys = deployed.map(|deployed| deployed.keys.clone()).unwrap_or_default();
            let past = known.pasts.get(&copy.taken.resource_id);
            let (policies, keep) = match (past, listed) {
                (Some(past), Some(listed)) => (past.in_force(listed), past.keep(listed)),
                _ => (Vec::new(), Kept::default()),
            };
            let key = copy.snapshot.kms_key.clone();
            let mut wanted = policies.iter().map(|policy| {
                policy
                    .key
                    .or(keys.first().map(String::as_str))
                    .filter(|_| copy.taken.has_key)
            });
            if !wanted.any(|wanted| wanted == key.as_deref()) {
                self.record
                    .violation(&format!("{id} has the key {key:?}, which nobody asked for"));
            }
            if key.as_ref().is_some_and(|key| !keys.contains(key)) {
                self.record
                    .violation(&format!("{id} has the key {key:?}, which the stack does not allow"));
            }
            if let Some(tag) = keep.missing_in(&copy.snapshot.tags).next() {
                self.record
                    .violation(&format!("{id} does not carry {tag} of its database"));
            }
            known.asked.insert(id.to_owned(), (key, keep));
            if known.pruned.contains(&(copy.taken.arn.clone(), copy.taken.at)) {
                // No promise is broken: a start that waited for a slot may come after newer copies. It is a waste.
                self.record.add("copies of snapshots whose verified copy was pruned", 1);
            }
            *known.of_database.entry(copy.snapshot.database.clone()).or_default() += 1;
        }
        self.record.add("copies accepted", 1);
        // Once more, now that it is known what this one was asked with.
        let copies = self.copies(after);
        let Some(copy) = copies.iter().find(|copy| copy.snapshot.id == id) else {
            return;
        };
        let same = || {
            copies
                .iter()
                .filter(|other| other.is_of(&copy.taken) && other.asked == copy.asked)
        };
        let is_missed = |other: &&OwnedCopy<'_>| lock(&self.known).missed.contains(&other.snapshot.id);
        let good = same().filter(|other| other.status.may_be_good()).count();
        if good > 1 && same().any(|other| is_missed(&other)) {
            self.record.add("copied again because a listing lacked the copy", 1);
        } else if good > 1 {
            self.record.violation(&format!(
                "{} is copied {good} times, the last time as {id}",
                copy.taken.arn
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
            && now_is.status == CopyStatus::Verified
        {
            let right = self.came_out_right(copy.snapshot);
            if !right {
                self.record
                    .violation(&format!("{arn} was verified and is not what was asked for"));
            }
            if copy.status == CopyStatus::Mismatched {
                self.record
                    .violation(&format!("{arn} was a mismatch and is verified now"));
            }
        }
    }

    fn came_out_right(&self, snapshot: &SnapshotState) -> bool {
        let known = lock(&self.known);
        let asked = known.asked.get(&snapshot.id).map(|(key, _)| key);
        let copied = known.copy_of.get(&snapshot.id);
        copied.is_some_and(|copied| snapshot.source_arn.as_ref() == Some(&copied.arn) && is_marked(snapshot, copied))
            && snapshot.status == "available"
            && asked == Some(&snapshot.kms_key)
            // Of which engine a snapshot was that has expired, nobody knows any more.
            && (!snapshot.engine.starts_with("wrong") || copied.is_some_and(|copied| known.expired.contains(&copied.arn)))
    }

    /// What holds at any moment.
    pub fn judge_moment(&self, state: &State, peaks: [(u64, u32); 2]) {
        for (peak, slots) in peaks {
            if peak > u64::from(slots) {
                self.record
                    .violation(&format!("{peak} copies in flight, {slots} slots"));
            }
        }
        self.drills.judge_moment(state);
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
        let missed = known.missed.clone();
        drop(known);
        let copies = self.copies(state);
        let of_missed = |copy: &&OwnedCopy<'_>| missed.contains(&copy.snapshot.id);
        for (at, copy) in copies.iter().enumerate() {
            let twin = copies[..at].iter().find(|other| {
                !of_missed(other)
                    && !of_missed(&copy)
                    && other.is_of(&copy.taken)
                    && other.asked == copy.asked
                    && other.status.may_be_good()
                    && copy.status.may_be_good()
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
            .filter(|snapshot| snapshot.status == "available" && snapshot.arn.contains(&state.account))
            .max_by_key(|snapshot| (snapshot.created_at, snapshot.id.clone()));
        let Some(newest) = newest else { return };
        let deployed = self.now_deployed();
        let known = lock(&self.known);
        let has_other_key = known.has_other_key;
        let key = known
            .pasts
            .get(resource_id)
            .and_then(|past| past.policies.last()?.1.key);
        drop(known);
        let key = key.unwrap_or(&deployed.keys[0]);
        let copies = self.copies(state);
        let has_key = |copy: &OwnedCopy<'_>| copy.asked.as_deref() == Some(key).filter(|_| copy.taken.has_key);
        let of_newest: Vec<&OwnedCopy<'_>> = copies
            .iter()
            .filter(|copy| copy.taken.arn == newest.arn && Some(copy.taken.at) == newest.created_at && has_key(copy))
            .collect();
        // A copy of a later snapshot, which is gone from the source region, serves as well, even under the key that the
        // database had then.
        if copies.iter().any(|copy| {
            copy.status == CopyStatus::Verified
                && copy.taken.resource_id == resource_id
                && (Some(copy.taken.at) > newest.created_at
                    // Of two of one snapshot under two keys, either may have been pruned when the key changed once more.
                    || Some(copy.taken.at) == newest.created_at && (has_key(copy) || has_other_key))
                && self.came_out_right(copy.snapshot)
        }) {
            self.record.add("databases that end with a verified copy", 1);
            return;
        }
        let failed = of_newest
            .iter()
            .filter(|copy| matches!(copy.status, CopyStatus::Failed | CopyStatus::Mismatched))
            .count();
        if failed >= 3 {
            self.record.add("databases that end with three failed attempts", 1);
            return;
        }
        let there: Vec<String> = of_newest
            .iter()
            .map(|copy| format!("{} {:?}", copy.snapshot.id, copy.status))
            .collect();
        self.record.violation(&format!(
            "{id} ends without a verified copy of {}; there is [{}]",
            newest.id,
            there.join(", ")
        ));
    }

    /// Judges, after quiet runs that came late enough, that what databases that are gone have left behind is pruned.
    pub fn judge_retired(&self, before: &State, state: &State, now: Timestamp) {
        let known = lock(&self.known);
        let gone: Vec<&String> = known
            .pasts
            .iter()
            .filter(|(_, past)| past.gone.is_some())
            .map(|(id, _)| id)
            .collect();
        let gone: Vec<String> = gone.into_iter().cloned().collect();
        drop(known);
        let deployed = self.now_deployed();
        let (copies, copies_before) = (self.copies(state), self.copies(before));
        for resource_id in gone {
            let mut verified: Vec<&OwnedCopy<'_>> = copies
                .iter()
                .filter(|copy| copy.status == CopyStatus::Verified && copy.taken.resource_id == resource_id)
                .collect();
            verified.sort_by_key(|copy| std::cmp::Reverse(copy.age()));
            self.record
                .add("copies of databases that are gone", verified.len() as u64);
            // What their copies recorded before that run, which may be more than the stack asks for.
            let recorded = copies_before
                .iter()
                .filter(|copy| copy.taken.resource_id == resource_id);
            let keep = recorded.fold(deployed.keep(), |keep, copy| {
                keep.at_most(Kept::recorded(&copy.snapshot.tags))
            });
            let is_unread = copies
                .iter()
                .any(|copy| copy.taken.resource_id == resource_id && copy.tag(tags::UNREAD).is_some());
            // Where the brake is on, it takes more runs than there are.
            let is_braked = deployed.settings.max_deletes_per_run < 100;
            if deployed.settings.retired_keep_days == 0 || keep.calendar != [0; 4] || is_unread || is_braked {
                continue;
            }
            let days = deployed.settings.retired_keep_days.max(keep.days);
            let copies = usize::try_from(keep.copies).unwrap_or(usize::MAX);
            for copy in verified.into_iter().skip(copies).filter(|copy| self.may_go(copy, now)) {
                let age = now.duration_since(copy.taken.at) - SignedDuration::from_hours(6);
                if age > SignedDuration::from_hours(i64::from(days) * 24) {
                    let id = &copy.snapshot.id;
                    self.record.violation(&format!(
                        "{id} is left at an age of {age:#}, though its database is gone"
                    ));
                }
            }
        }
    }

    /// Whether neither a person nor a drill nor RDS keeps a copy.
    fn may_go(&self, copy: &OwnedCopy<'_>, now: Timestamp) -> bool {
        !copy.is_held() && !is_drilled(copy.snapshot, now) && !lock(&self.known).undeletable.contains(&copy.snapshot.id)
    }

    /// Judges a quiet run by what was there before it and is there after it: of each database that it has pruned, given
    /// by resource id, as many copies are gone as no rule wants and the brake allows, whatever RDS refuses to delete.
    pub fn judge_pruned(&self, before: &State, after: &State, pruned: &BTreeSet<String>, now: Timestamp) {
        let deployed = self.now_deployed();
        let (copies, left) = (self.copies(before), self.copies(after));
        for resource_id in pruned {
            let known = lock(&self.known);
            let past = known.pasts.get(resource_id);
            let policy = past
                .and_then(|past| Some(past.policies.last()?.1.clone()))
                .unwrap_or_default();
            let is_gone = past.is_some_and(|past| past.gone.is_some());
            drop(known);
            let all = || copies.iter().filter(|copy| copy.taken.resource_id == *resource_id);
            let newest = all()
                .filter(|copy| copy.status == CopyStatus::Verified)
                .max_by_key(|copy| copy.age());
            let name = newest.map(|copy| &copy.taken.database);
            // Where RDS does not say whose a copy is, one from before a rename is found by nobody, and stays.
            let of_database =
                || all().filter(|copy| copy.snapshot.resource_id.is_some() || Some(&copy.taken.database) == name);
            if policy.unreadable
                || policy.doubtful
                || is_gone
                || of_database().any(|copy| copy.status == CopyStatus::InProgress)
            {
                continue;
            }
            let mut verified: Vec<&OwnedCopy<'_>> = of_database()
                .filter(|copy| copy.status == CopyStatus::Verified)
                .collect();
            verified.sort_by_key(|copy| std::cmp::Reverse(copy.age()));
            let keep = verified
                .iter()
                .fold(deployed.keep().at_most(policy.keep), |keep, copy| {
                    keep.at_most(Kept::recorded(&copy.snapshot.tags))
                });
            let is_there = |copy: &&&OwnedCopy<'_>| left.iter().any(|other| other.snapshot.arn == copy.snapshot.arn);
            let to_go: Vec<&OwnedCopy<'_>> = (0..verified.len())
                .filter(|at| !is_wanted(&verified[..*at], verified[*at], keep, now))
                .map(|at| verified[at])
                .filter(|copy| self.may_go(copy, now))
                .collect();
            let gone = to_go.len() - to_go.iter().filter(is_there).count();
            let brake = usize::try_from(deployed.settings.max_deletes_per_run).unwrap_or(usize::MAX);
            self.record
                .add("copies that a quiet run was to delete", to_go.len().min(brake) as u64);
            if gone < to_go.len().min(brake) {
                let names: Vec<&str> = to_go.iter().map(|copy| copy.snapshot.id.as_str()).collect();
                let there: Vec<&str> = verified.iter().map(|copy| copy.snapshot.id.as_str()).collect();
                self.record.violation(&format!(
                    "of {names:?}, which nothing wants, {gone} went where {} could, by {keep:?} of {there:?}",
                    to_go.len().min(brake)
                ));
            }
            let is_no_good = |copy: &&OwnedCopy<'_>| matches!(copy.status, CopyStatus::Failed | CopyStatus::Mismatched);
            let newest = verified.first().map(|copy| copy.taken.at);
            for copy in of_database().filter(is_no_good).filter(|copy| self.may_go(copy, now)) {
                if Some(copy.taken.at) <= newest && is_there(&&copy) {
                    let id = &copy.snapshot.id;
                    self.record
                        .violation(&format!("{id} stays beside a better copy, and failed or did not match"));
                }
            }
        }
    }

    /// Our copies of known snapshots.
    fn copies<'a>(&self, state: &'a State) -> Vec<OwnedCopy<'a>> {
        let known = lock(&self.known);
        state
            .snapshots(&self.settings.destination_region)
            .iter()
            .filter_map(|snapshot| {
                let taken = known.copy_of.get(&snapshot.id)?.clone();
                let verified = snapshot.tags.get(tags::VERIFIED).map(String::as_str);
                let status = match (snapshot.status.as_str(), verified) {
                    ("available", Some(tags::MISMATCH)) => CopyStatus::Mismatched,
                    ("available", Some(_)) => CopyStatus::Verified,
                    ("available", None) => CopyStatus::Unverified,
                    ("failed", _) => CopyStatus::Failed,
                    _ => CopyStatus::InProgress,
                };
                Some(OwnedCopy {
                    snapshot,
                    taken,
                    status,
                    asked: known.asked.get(&snapshot.id).and_then(|(key, _)| key.clone()),
                    accepted: known.accepted.get(&snapshot.id).copied().unwrap_or(Timestamp::MIN),
                })
            })
            .collect()
    }
}

impl Known {
    fn max_deletes(&self, invocation: u64) -> u32 {
        let invoked = self.invocations.get(&invocation);
        invoked.map_or(0, |invoked| invoked.deployed.settings.max_deletes_per_run)
    }
}

/// Whether the tags of a copy say what it is a copy of.
fn is_marked(copy: &SnapshotState, copied: &Taken) -> bool {
    let tag = |key: &str| copy.tags.get(key).map(String::as_str).unwrap_or_default();
    tag(tags::OWNER).ends_with("/snapferry")
        && tag(tags::SOURCE_ARN) == copied.arn
        && tag(tags::SOURCE_RESOURCE_ID) == copied.resource_id
        && tag(tags::SOURCE_CREATED).parse().ok() == Some(copied.at)
}

/// Whether a drill says that it restores a copy.
fn is_drilled(copy: &SnapshotState, now: Timestamp) -> bool {
    let until = copy.tags.get(tags::DRILLING).and_then(|until| until.parse().ok());
    until.is_some_and(|until: Timestamp| now < until)
}

/// Whether a rule wants a verified copy, with these newer ones beside it. Near its end a rule of days wants it still.
fn is_wanted(newer: &[&OwnedCopy<'_>], copy: &OwnedCopy<'_>, keep: Kept, now: Timestamp) -> bool {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let age = now.duration_since(copy.taken.at) - SignedDuration::from_hours(6);
    let own = calendar(copy.taken.at);
    newer.len() < number(keep.copies.max(1))
        || keep.days > 0 && age < SignedDuration::from_hours(i64::from(keep.days) * 24)
        || keep.calendar.into_iter().enumerate().any(|(at, count)| {
            let later: BTreeSet<i64> = newer.iter().map(|copy| calendar(copy.taken.at)[at]).collect();
            !later.contains(&own[at]) && later.len() < number(count)
        })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CopyStatus {
    Verified,
    Unverified,
    InProgress,
    Failed,
    Mismatched,
}

impl CopyStatus {
    fn may_be_good(self) -> bool {
        matches!(self, Self::Verified | Self::Unverified | Self::InProgress)
    }
}

struct OwnedCopy<'a> {
    snapshot: &'a SnapshotState,
    taken: Taken,
    status: CopyStatus,
    /// The key that RDS was asked for.
    asked: Option<String>,
    accepted: Timestamp,
}

impl OwnedCopy<'_> {
    fn tag(&self, key: &str) -> Option<&str> {
        self.snapshot.tags.get(key).map(String::as_str)
    }

    /// Whether a person says that it stays, in one of the spellings in which these worlds say so.
    fn is_held(&self) -> bool {
        self.tag(tags::HOLD).is_some() || self.tag(HOLD_OTHERWISE).is_some()
    }

    /// Whether it is a copy of this snapshot.
    fn is_of(&self, taken: &Taken) -> bool {
        self.taken.arn == taken.arn && self.taken.at == taken.at
    }

    /// When its data was captured, then when RDS accepted it: there may be one under each key.
    fn age(&self) -> (Timestamp, Timestamp, &str) {
        (self.taken.at, self.accepted, &self.snapshot.id)
    }
}
