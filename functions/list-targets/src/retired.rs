//! The databases that are gone, and whose copies are not.

use std::collections::{BTreeMap, BTreeSet};

use shared::{Database, DatabaseKind, OwnCopy, Owner, Retired, RetiredDatabase, Snapshot, Target};

use crate::select::MOST_NAMED;

/// What the destination region holds of databases that no longer exist.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// For the summary.
    pub(crate) retired: Retired,
    /// The same as targets, in no order.
    pub(crate) targets: Vec<Target>,
    /// Snapshots that are named like our copies, and are not ours.
    pub(crate) strangers: Vec<String>,
}

/// Looks through the manual snapshots of the destination region. `databases` must be all that exist of these kinds:
/// a database that is missing there counts as gone.
pub(crate) fn find(owner: &Owner, snapshots: &[Snapshot], databases: &[Database]) -> Found {
    let living: BTreeSet<(DatabaseKind, &str)> = databases
        .iter()
        .map(|database| (database.kind, database.resource_id.as_str()))
        .collect();
    let mut found = Found::default();
    let mut gone: BTreeMap<(DatabaseKind, String), Vec<(OwnCopy, &str)>> = BTreeMap::new();
    for snapshot in snapshots {
        match OwnCopy::read(owner, snapshot) {
            Some(copy) if living.contains(&(snapshot.kind, copy.source_resource_id.as_str())) => {}
            Some(copy) => gone
                .entry((snapshot.kind, copy.source_resource_id.clone()))
                .or_default()
                .push((copy, &snapshot.database_id)),
            None if owner.names(&snapshot.id) => found.strangers.push(snapshot.id.clone()),
            None => {}
        }
    }
    for ((kind, resource_id), mut copies) in gone {
        // What it was called last comes first.
        copies.sort_by_key(|(copy, _)| std::cmp::Reverse((copy.source_created, copy.requested)));
        let mut names: Vec<String> = Vec::new();
        for (_, name) in &copies {
            if !names.iter().any(|known| known == name) {
                names.push((*name).to_owned());
            }
        }
        let id = names.remove(0);
        found.retired.databases += 1;
        found.retired.copies += copies.len();
        found.retired.first.push(RetiredDatabase {
            kind,
            id: id.clone(),
            copies: copies.len(),
        });
        found.targets.push(Target {
            retired: true,
            former_ids: names,
            ..Target::new(kind, id, resource_id)
        });
    }
    found
        .retired
        .first
        .sort_by(|a, b| (&a.id, a.kind).cmp(&(&b.id, b.kind)));
    found.retired.first.truncate(MOST_NAMED);
    found
}

#[cfg(test)]
mod tests;
