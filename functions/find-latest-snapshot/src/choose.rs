//! Which snapshot is the newest one that may be copied.

use domain::payload::Target;
use domain::snapshot::{Completion, Snapshot};
use domain::tags;
use jiff::Timestamp;

/// The snapshot to copy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Newest<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) captured_at: Timestamp,
}

/// The newest complete snapshot of `target` by the time its data was captured, or why there is none.
pub(crate) fn newest<'a>(target: &Target, snapshots: &'a [Snapshot]) -> Result<Newest<'a>, String> {
    let eligible = || snapshots.iter().filter(|snapshot| is_eligible(target, snapshot));
    eligible()
        .filter(|snapshot| snapshot.completion() == Completion::Complete)
        .filter_map(|snapshot| {
            Some(Newest {
                captured_at: snapshot.captured_at()?,
                snapshot,
            })
        })
        // By name among equals, so that every run chooses the same one.
        .max_by(|a, b| (a.captured_at, &a.snapshot.id).cmp(&(b.captured_at, &b.snapshot.id)))
        .ok_or_else(|| match eligible().next() {
            Some(unfinished) => format!("the only snapshot, {}, is {}", unfinished.id, unfinished.status),
            None => format!(
                "{} {} has no automated snapshot: it is new, or its backup retention is 0",
                target.kind, target.id
            ),
        })
}

/// Whether a snapshot may be copied at all: of this very database, not AWS Backup's, and not itself a copy. Copies
/// of copies would let two stacks that copy in opposite directions feed each other, and make old data look new.
fn is_eligible(target: &Target, snapshot: &Snapshot) -> bool {
    let of_target = snapshot.resource_id.as_ref().is_none_or(|id| *id == target.resource_id);
    let aws_backup = snapshot.snapshot_type == "awsbackup" || snapshot.id.starts_with("awsbackup:");
    let recaptured = match (snapshot.original_created_at, snapshot.created_at) {
        (Some(original), Some(created)) => original != created,
        _ => false,
    };
    let is_copy = snapshot.source_arn.is_some() || snapshot.tags.contains_key(tags::OWNER) || recaptured;
    of_target && !aws_backup && !is_copy
}

/// Names other than its present one that the database had when its snapshots were taken.
pub(crate) fn former_ids(target: &Target, snapshots: &[Snapshot]) -> Vec<String> {
    let mut names: Vec<String> = snapshots
        .iter()
        .map(|snapshot| snapshot.database_id.clone())
        .filter(|id| !id.is_empty() && *id != target.id)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
