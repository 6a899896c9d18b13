//! How old the newest good copy of each database is, and how full the destination region: what a run finds when it
//! begins, and what the stack looks at every hour, whether a run is due or not.

use std::collections::BTreeMap;

use domain::first_copy;
use domain::kind::DatabaseKind;
use domain::quota::Quota;
use domain::snapshot::Database;
use jiff::Timestamp;
use runtime::deployment::Deployment;
use runtime::metrics::{Metric, hours};

use crate::destination_copies::DestinationCopies;
use crate::select::Selected;

/// Measures the databases that are expected to have a fresh copy, and the quotas of the destination. Where the copies are not known,
/// nothing is said of them: missing data is an alarm of its own.
pub(crate) fn fleet(
    deployment: &Deployment,
    selected: &Selected,
    copies: Option<&DestinationCopies>,
    quotas: &BTreeMap<DatabaseKind, Quota>,
    now: Timestamp,
) {
    deployment.meter.release(now);
    if let Some(copies) = copies {
        recovery_points(deployment, &selected.databases, copies, now);
    }
    let without_snapshots = [(
        Metric::DATABASES_WITHOUT_SNAPSHOTS,
        f64::from(selected.without_snapshots),
    )];
    deployment.meter.stack(now, &without_snapshots, &[]);
    for (kind, quota) in quotas.iter().filter(|(_, quota)| quota.max > 0) {
        deployment
            .meter
            .kind(now, *kind, &[(Metric::SNAPSHOT_QUOTA_USE, percent(quota))]);
    }
}

fn recovery_points(deployment: &Deployment, databases: &[Database], copies: &DestinationCopies, now: Timestamp) {
    let meter = &deployment.meter;
    let (mut oldest, mut counted, mut without_copy) = (0.0, 0, 0);
    for database in databases {
        counted += 1;
        let recovery_point = copies.recovery_point(&database.resource_id);
        without_copy += u32::from(recovery_point.is_none());
        // What has no copy is as old as the database: all of it would be lost.
        let Some(since) = recovery_point.or(database.created_at) else {
            continue;
        };
        let age = hours(now.duration_since(since));
        meter.database(now, database.kind, &database.id, &[(Metric::RECOVERY_POINT_AGE, age)]);
        let is_pending = recovery_point.is_none() && first_copy::is_pending(database.created_at, None, now);
        if !is_pending {
            oldest = age.max(oldest);
        }
    }
    let values = [
        (Metric::OLDEST_RECOVERY_POINT_AGE, oldest),
        (Metric::DATABASES, f64::from(counted)),
        (Metric::DATABASES_WITHOUT_COPY, f64::from(without_copy)),
    ];
    meter.stack(now, &values, &[]);
}

#[expect(clippy::cast_precision_loss, reason = "a region holds fewer snapshots than 2^52")]
fn percent(quota: &Quota) -> f64 {
    quota.used as f64 * 100.0 / quota.max as f64
}

#[cfg(test)]
mod tests;
