//! Whether there is room for one more drill database: among those that exist, and in the quotas of the account.

use domain::drill::{Drill, DrillOutcome, Verdict};
use domain::kind::DatabaseKind;
use domain::quota::Quota;
use domain::restorability::RestoreNeeds;
use rds::restore::Restored;
use runtime::watch::Watch;

use crate::{Stop, is_of, is_ours, not_run};

/// Instances of the quota that drills leave free, whatever it is: on the day of a disaster they are needed.
const FREE_INSTANCES: i64 = 5;

/// The database that an earlier attempt of this step made, if it did; or nothing, if there is room for it.
///
/// How many drill databases exist is counted, not how many executions run: a schedule and a person may start at once.
pub(crate) fn among<'a>(watch: &Watch, drill: &Drill, there: &'a [Restored]) -> Result<Option<&'a Restored>, Stop> {
    let same = there
        .iter()
        .find(|database| database.kind == drill.kind && database.id == drill.name);
    match same {
        Some(database) if !is_ours(watch, database) => {
            return Err(not_run(&format!(
                "{} exists without the mark of a drill: a person keeps it. Delete or rename it",
                database.id
            )));
        }
        Some(database) if is_of(drill, database) => return Ok(Some(database)),
        Some(database) => return Err(Stop::Wait(format!("{} is still there, of another drill", database.id))),
        None => {}
    }
    let count = there
        .iter()
        .filter(|database| database.member_of.is_none() && is_ours(watch, database))
        .count();
    let most = watch.settings.drills.concurrency;
    if count < most {
        return Ok(None);
    }
    Err(Stop::Wait(format!(
        "{count} drill databases exist, and {most} may at once (DrillConcurrency)"
    )))
}

/// Stops where the quotas of the region have no room. A quota that RDS does not report stops nothing: RDS itself refuses
/// then.
pub(crate) async fn in_quotas(watch: &Watch, kind: DatabaseKind, needs: &RestoreNeeds) -> Result<(), Stop> {
    let quotas = watch.rds.account_quotas().await?;
    let instances = quotas.instances.and_then(|quota| {
        let free = leave_free(quota);
        (quota.free() < free).then(|| {
            format!(
                "{}, and drills leave {free} free for a real restore",
                in_use(quota, "DB instances")
            )
        })
    });
    let of_kind = match kind {
        DatabaseKind::Instance => {
            let needed = needs.size_gib.map_or(1, i64::from);
            let short = quotas.storage_gib.filter(|quota| quota.free() < needed);
            short.map(|quota| {
                format!(
                    "{}, and this copy needs {needed}",
                    in_use(quota, "GiB of storage of DB instances")
                )
            })
        }
        DatabaseKind::Cluster => {
            let short = quotas.clusters.filter(|quota| quota.free() < 1);
            short.map(|quota| in_use(quota, "DB clusters"))
        }
    };
    let Some(short) = instances.or(of_kind) else {
        return Ok(());
    };
    let reason = format!("{short}. Ask for a higher quota (Service Quotas, RDS)");
    let verdict = Verdict::new(DrillOutcome::NotRun, &reason);
    Err(Stop::End(verdict.because_of("QuotaTooSmall")))
}

/// How full a quota is.
fn in_use(Quota { used, max }: Quota, what: &str) -> String {
    format!("{used} of {max} {what} of this region are in use")
}

/// How many instances of a quota have to be free before a drill begins.
fn leave_free(quota: Quota) -> i64 {
    FREE_INSTANCES.max(quota.max / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_quota_and_five_instances_at_least_stay_free() {
        let free = |max| leave_free(Quota { used: 0, max });
        assert_eq!([free(4), free(40), free(59), free(200)], [5, 5, 5, 20]);
    }
}
