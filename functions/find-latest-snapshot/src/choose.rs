//! Which snapshot is the newest one that may be copied.
//!
//! Judged by the fields that RDS sets. Tags travel, so they say nothing of what a snapshot is, unless its name seals them.

use std::collections::BTreeMap;
use std::fmt;

use domain::copy_tags::{OwnCopy, is_taggable};
use domain::ownership::Owner;
use domain::payload::Target;
use domain::snapshot::{Completion, Snapshot};
use jiff::Timestamp;

/// The snapshot to copy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Newest<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) captured_at: Timestamp,
}

/// Why a snapshot of the database is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PassedOver {
    /// AWS Backup made it, and RDS lets nobody else copy it to another region.
    AwsBackup,
    /// It is a copy itself. Two stacks that copy in opposite directions would feed each other, and make old data look new.
    Copy,
    /// Its ARN is longer than a tag, so that its copy could not be told from a foreign one.
    NameTooLong,
    /// It is not complete, or will never be, or has no time.
    NotAvailable,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwsBackup => "of AWS Backup",
            Self::Copy => "that are copies themselves",
            Self::NameTooLong => "with a name too long for a tag",
            Self::NotAvailable => "not available",
        })
    }
}

/// The newest complete snapshot of `target` by the time its data was captured, or why there is none.
pub(crate) fn newest<'a>(target: &Target, snapshots: &'a [Snapshot]) -> Result<Newest<'a>, String> {
    let mut passed_over: BTreeMap<PassedOver, usize> = BTreeMap::new();
    let mut newest: Option<Newest<'a>> = None;
    for snapshot in snapshots.iter().filter(|snapshot| is_of_target(target, snapshot)) {
        match judge(snapshot) {
            // By name among equals, so that every run chooses the same one.
            Ok(found)
                if newest.as_ref().is_none_or(|newest| {
                    (found.captured_at, &found.snapshot.id) > (newest.captured_at, &newest.snapshot.id)
                }) =>
            {
                newest = Some(found);
            }
            Ok(_) => {}
            Err(why) => *passed_over.entry(why).or_default() += 1,
        }
    }
    newest.ok_or_else(|| {
        let Target { kind, id, .. } = target;
        if passed_over.is_empty() {
            return format!("{kind} {id} has no automated snapshot yet");
        }
        let counts: Vec<String> = passed_over
            .iter()
            .map(|(why, count)| format!("{count} {why}"))
            .collect();
        format!(
            "{kind} {id} has no snapshot to copy; passed over: {}",
            counts.join(", ")
        )
    })
}

/// Whether a snapshot is of this very database. Where RDS does not say the resource id, as for some engines, the name has
/// to be equal: an absent id alone does not match.
fn is_of_target(target: &Target, snapshot: &Snapshot) -> bool {
    match &snapshot.resource_id {
        Some(id) => *id == target.resource_id,
        None => snapshot.database_id == target.id,
    }
}

/// The snapshot if it may be copied, or why not. An automated snapshot is never a copy. Of a manual one RDS reports the
/// source if it was copied across regions or accounts; a time of its own does not make it a copy, because engines give the
/// times other meanings.
fn judge(snapshot: &Snapshot) -> Result<Newest<'_>, PassedOver> {
    if snapshot.snapshot_type == "awsbackup" || snapshot.id.starts_with("awsbackup:") {
        return Err(PassedOver::AwsBackup);
    }
    if snapshot.snapshot_type != "automated" && (snapshot.source_arn.is_some() || is_sealed_copy(snapshot)) {
        return Err(PassedOver::Copy);
    }
    if !is_taggable(&snapshot.arn) {
        return Err(PassedOver::NameTooLong);
    }
    match (snapshot.completion(), snapshot.captured_at()) {
        (Completion::Complete, Some(captured_at)) => Ok(Newest { snapshot, captured_at }),
        _ => Err(PassedOver::NotAvailable),
    }
}

/// Whether it is a copy of a stack like ours: by its tags, which its name confirms.
fn is_sealed_copy(snapshot: &Snapshot) -> bool {
    Owner::claimed_by(snapshot).is_some_and(|owner| OwnCopy::read(&owner, snapshot).is_some())
}

/// The snapshot that an event named, as far as it keeps a run from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventSnapshot<'a> {
    /// It may yet become available: the run is for it, and not for an older one.
    Coming(&'a Snapshot),
    /// It is gone, or will never be available.
    Gone(&'a str),
}

/// What has become of the snapshot that an event named; nothing if it is available, or a newer one is.
pub(crate) fn event_snapshot<'a>(
    target: &'a Target,
    snapshots: &'a [Snapshot],
    newest: Option<&Newest<'_>>,
) -> Option<EventSnapshot<'a>> {
    let id = target.snapshot.as_deref()?;
    let Some(named) = snapshots.iter().find(|snapshot| snapshot.id == id) else {
        return Some(EventSnapshot::Gone(id));
    };
    let is_superseded = match (newest, named.captured_at()) {
        (Some(newest), Some(time)) => newest.captured_at > time,
        _ => false,
    };
    match named.completion() {
        _ if is_superseded => None,
        Completion::Complete => None,
        Completion::Unfinished => Some(EventSnapshot::Coming(named)),
        Completion::Failed | Completion::Going => Some(EventSnapshot::Gone(id)),
    }
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
