//! What the destination region holds: the newest verified copy of each database, and copies of databases that are gone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::payload::{Retired, RetiredDatabase, Target};
use domain::snapshot::{Database, Snapshot};
use jiff::Timestamp;

use crate::select::MAX_NAMED;

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
    is_verified: bool,
}

impl ListedSnapshot {
    /// What a run remembers of a manual snapshot: nothing, if it has nothing to do with us.
    pub(crate) fn from_snapshot(owner: &Owner, snapshot: Snapshot) -> Option<Self> {
        match OwnCopy::read(owner, &snapshot) {
            Some(copy) if copy.status == CopyStatus::Going => None,
            Some(copy) => Some(Self::Own(OwnedCopy {
                kind: snapshot.kind,
                resource_id: copy.source_resource_id,
                name: snapshot.database_id,
                created: copy.source_created,
                is_verified: copy.status == CopyStatus::Verified,
            })),
            None => owner.is_copy_name(&snapshot.id).then_some(Self::Foreign(snapshot.id)),
        }
    }
}

/// Our copies in the destination region, sorted by whether their database still exists.
#[derive(Debug, Default)]
pub(crate) struct DestinationCopies {
    /// For the summary.
    pub(crate) retired: Retired,
    /// The retired databases as targets, in no order.
    pub(crate) retired_targets: Vec<Target>,
    /// Snapshots that are named like our copies, and are not ours.
    pub(crate) foreign: Vec<String>,
    /// When the data of the newest verified copy of a database was captured, by resource id.
    recovery_points: BTreeMap<String, Timestamp>,
}

impl DestinationCopies {
    /// Sorts what was listed. `databases` must be all that exist of these kinds: one that is missing counts as gone.
    pub(crate) fn new(listed: Vec<ListedSnapshot>, databases: &[Database]) -> Self {
        let living: BTreeSet<(DatabaseKind, &str)> = databases
            .iter()
            .map(|database| (database.kind, database.resource_id.as_str()))
            .collect();
        let mut sorted = Self::default();
        let mut gone: BTreeMap<(DatabaseKind, String), Vec<OwnedCopy>> = BTreeMap::new();
        for snapshot in listed {
            match snapshot {
                ListedSnapshot::Foreign(id) => sorted.foreign.push(id),
                ListedSnapshot::Own(copy) if living.contains(&(copy.kind, copy.resource_id.as_str())) => {
                    if copy.is_verified {
                        let newest = sorted.recovery_points.entry(copy.resource_id).or_insert(copy.created);
                        *newest = copy.created.max(*newest);
                    }
                }
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
            recovery_points: points.collect(),
            ..Self::default()
        }
    }

    /// When the data of the newest verified copy of a database was captured, if it has one.
    pub(crate) fn recovery_point(&self, resource_id: &str) -> Option<Timestamp> {
        self.recovery_points.get(resource_id).copied()
    }

    /// Puts those first that would lose the most: without a verified copy, then by the age of the newest one.
    pub(crate) fn oldest_first(&self, mut targets: Vec<Target>) -> Vec<Target> {
        targets.sort_by_key(|target| self.recovery_point(&target.resource_id));
        targets
    }
}

#[cfg(test)]
mod tests;
