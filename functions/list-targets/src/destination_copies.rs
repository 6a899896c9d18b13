//! What the destination region holds: the newest verified copy of each database, and copies of databases that are gone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::payload::{Retired, RetiredDatabase, Target};
use domain::snapshot::{Database, Snapshot};
use domain::tags;
use jiff::{SignedDuration, Timestamp};

use crate::select::MAX_NAMED;

/// How long a copy that another stack asked for is a sign that this stack lives: two stacks with one `OwnerId` prune each
/// other's copies (M11).
const OTHER_STACK_IS_RECENT: SignedDuration = SignedDuration::from_hours(72);

/// Most former names of a target.
const MAX_FORMER_IDS: usize = 20;

/// What a run remembers of a snapshot; a region may hold tens of thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListedSnapshot {
    /// One of our copies.
    Own(OwnedCopy),
    /// A snapshot that is named like our copies, and is not ours.
    Foreign(String),
}

/// One of our copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedCopy {
    kind: DatabaseKind,
    resource_id: String,
    /// What the database was called.
    name: String,
    created: Timestamp,
    /// How old the data is, where RDS says that of the data itself: what a recovery point is measured by.
    data_at: Timestamp,
    is_verified: bool,
    /// The stack that asked for it lately, if it is not this one.
    other_stack: Option<String>,
    /// Its identifier, if it is complete and RDS does not report what it is a copy of.
    unconfirmed: Option<String>,
}

/// What a listing is read for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) owner: &'a Owner,
    /// Name of the stack.
    pub(crate) stack: &'a str,
    pub(crate) now: Timestamp,
}

impl ListedSnapshot {
    /// What a run remembers of a manual snapshot: nothing, if it has nothing to do with us.
    pub(crate) fn from_snapshot(reader: &Reader<'_>, snapshot: Snapshot) -> Option<Self> {
        let Reader { owner, stack, now } = *reader;
        let Some(copy) = OwnCopy::read(owner, &snapshot) else {
            let claims = snapshot.tags.get(tags::OWNER).is_some_and(|tag| tag == owner.tag());
            return (claims || owner.is_copy_name(&snapshot.id)).then_some(Self::Foreign(snapshot.id));
        };
        if copy.status == CopyStatus::Going {
            return None;
        }
        let is_recent = now.duration_since(copy.requested) <= OTHER_STACK_IS_RECENT;
        let other_stack = copy.stack.filter(|name| is_recent && name != stack);
        let is_complete = matches!(copy.status, CopyStatus::Verified | CopyStatus::Unverified);
        let unconfirmed = (is_complete && snapshot.source_arn.is_none()).then_some(copy.id);
        Some(Self::Own(OwnedCopy {
            kind: snapshot.kind,
            resource_id: copy.source_resource_id,
            data_at: snapshot.data_at(copy.source_created),
            name: snapshot.database_id,
            created: copy.source_created,
            is_verified: copy.status == CopyStatus::Verified,
            other_stack,
            unconfirmed,
        }))
    }
}

/// Our copies in the destination region, sorted by whether their database still exists.
#[derive(Debug, Default)]
pub(crate) struct DestinationCopies {
    /// For the summary.
    pub(crate) retired: Retired,
    /// The retired databases as targets, in no order.
    pub(crate) retired_targets: Vec<Target>,
    /// Snapshots that are named or tagged like our copies, and are not ours.
    pub(crate) foreign: Vec<String>,
    /// Copies of which RDS does not report what they are copies of: only their names and tags say so.
    pub(crate) unconfirmed: Vec<String>,
    /// Names of other stacks that asked for copies lately, and how many each.
    pub(crate) other_stacks: BTreeMap<String, usize>,
    /// When the snapshot of the newest verified copy of a database was taken, and how old its data is, by resource id.
    recovery_points: BTreeMap<String, (Timestamp, Timestamp)>,
}

impl DestinationCopies {
    /// Sorts what was listed. `databases` must be all that exist of these kinds: one that is missing counts as gone. One
    /// that RDS listed without its resource id is living (P7), so that nothing under its name is gone.
    pub(crate) fn new(listed: Vec<ListedSnapshot>, databases: &[Database]) -> Self {
        let living: BTreeSet<(DatabaseKind, &str)> = databases
            .iter()
            .map(|database| (database.kind, database.resource_id.as_str()))
            .collect();
        let unidentified: BTreeSet<(DatabaseKind, &str)> = databases
            .iter()
            .filter(|database| database.resource_id.is_empty())
            .map(|database| (database.kind, database.id.as_str()))
            .collect();
        let mut sorted = Self::default();
        let mut gone: BTreeMap<(DatabaseKind, String), Vec<OwnedCopy>> = BTreeMap::new();
        for mut snapshot in listed {
            if let ListedSnapshot::Own(copy) = &mut snapshot {
                sorted.unconfirmed.extend(copy.unconfirmed.take());
                if let Some(stack) = copy.other_stack.take() {
                    *sorted.other_stacks.entry(stack).or_default() += 1;
                }
            }
            match snapshot {
                ListedSnapshot::Foreign(id) => sorted.foreign.push(id),
                ListedSnapshot::Own(copy) if living.contains(&(copy.kind, copy.resource_id.as_str())) => {
                    if copy.is_verified {
                        let point = (copy.created, copy.data_at);
                        let newest = sorted.recovery_points.entry(copy.resource_id).or_insert(point);
                        *newest = point.max(*newest);
                    }
                }
                ListedSnapshot::Own(copy) if unidentified.contains(&(copy.kind, copy.name.as_str())) => {}
                ListedSnapshot::Own(copy) => gone
                    .entry((copy.kind, copy.resource_id.clone()))
                    .or_default()
                    .push(copy),
            }
        }
        for ((kind, resource_id), copies) in gone {
            sorted.retire(kind, resource_id, copies);
        }
        sorted
            .retired
            .first
            .sort_by(|a, b| (&a.id, a.kind).cmp(&(&b.id, b.kind)));
        sorted.retired.first.truncate(MAX_NAMED);
        // A listing in pages may name one twice.
        for names in [&mut sorted.foreign, &mut sorted.unconfirmed] {
            names.sort();
            names.dedup();
        }
        sorted
    }

    fn retire(&mut self, kind: DatabaseKind, resource_id: String, mut copies: Vec<OwnedCopy>) {
        // What it was called last comes first.
        copies.sort_by_key(|copy| Reverse(copy.created));
        let mut names: Vec<String> = Vec::new();
        let count = copies.len();
        for copy in copies {
            if !names.contains(&copy.name) {
                names.push(copy.name);
            }
        }
        let id = names.remove(0);
        // A target has a bound. Copies under names that are not looked for are only kept.
        names.truncate(MAX_FORMER_IDS);
        self.retired.databases += 1;
        self.retired.copies += count;
        self.retired.first.push(RetiredDatabase {
            kind,
            id: id.clone(),
            copies: count,
        });
        self.retired_targets.push(Target {
            retired: true,
            former_ids: names,
            ..Target::new(kind, id, resource_id)
        });
    }

    /// Nothing but the recovery points, by resource id.
    #[cfg(test)]
    pub(crate) fn with_recovery_points(points: impl Iterator<Item = (String, Timestamp)>) -> Self {
        Self {
            recovery_points: points.map(|(id, point)| (id, (point, point))).collect(),
            ..Self::default()
        }
    }

    /// When the data of the newest verified copy of a database was captured, if it has one.
    pub(crate) fn recovery_point(&self, resource_id: &str) -> Option<Timestamp> {
        self.recovery_points.get(resource_id).map(|(_, data_at)| *data_at)
    }

    /// Puts those first that would lose the most: without a verified copy, then by the age of the newest one.
    pub(crate) fn oldest_first(&self, mut targets: Vec<Target>) -> Vec<Target> {
        targets.sort_by_key(|target| self.recovery_point(&target.resource_id));
        targets
    }
}

#[cfg(test)]
mod tests;
