//! Which snapshot is the newest one that may be copied.

use jiff::Timestamp;
use shared::{DatabaseKind, Progress, Snapshot, Target, partition, tags};

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
        .filter(|snapshot| snapshot.progress() == Progress::Complete)
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

/// Why AWS cannot copy snapshots of this engine, and what can be done instead; nothing if it can, or if the engine is
/// new to us.
pub(crate) fn unsupported(kind: DatabaseKind, engine: &str, source_region: &str) -> Option<&'static str> {
    match (kind, engine) {
        // A cluster of a plain engine is a Multi-AZ DB cluster (Limitations of Multi-AZ DB clusters).
        (DatabaseKind::Cluster, "mysql" | "postgres") => Some(
            "RDS cannot copy snapshots of Multi-AZ DB clusters. Restore one as a Multi-AZ instance, or keep a read \
             replica in the destination region",
        ),
        (DatabaseKind::Instance, engine) if engine.starts_with("custom-oracle") => Some(
            "RDS documents no snapshot copy for RDS Custom for Oracle. Copy its backups yourself, with RMAN or from EBS \
             snapshots",
        ),
        (_, engine) if engine != "neptune" && partition(source_region) == "aws-cn" => {
            Some("RDS copies no snapshots between the regions of China, but for Neptune's. Copy dumps instead")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
