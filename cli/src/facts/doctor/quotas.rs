//! The quotas of manual snapshots in the region of the copies.

use domain::kind::DatabaseKind;
use domain::quota::Quota;

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::error::CliError;
use crate::facts::doctor::finding::Finding;
use crate::facts::fleet::Fleet;

/// Quotas are asked for in steps of this size.
const STEP: i64 = 50;

/// What Service Quotas calls the quota (RDS user guide, quotas; AWS facts, part 2, 0.1).
fn code(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Instance => "L-272F1212",
        DatabaseKind::Cluster => "L-9B510759",
    }
}

/// What is used of both quotas, and whether that is enough for the databases that there are.
pub(crate) async fn check(account: &Account, stack: &Stack) -> Vec<Finding> {
    let region = &stack.destination_region;
    let rds = account.rds(region);
    let (quotas, fleet) = tokio::join!(rds.account_quotas(), Fleet::read(account, stack));
    let quotas = match quotas {
        Ok(quotas) => quotas,
        Err(error) => {
            let error = CliError::from_rds(region, "rds:DescribeAccountAttributes", &error);
            return vec![Finding::failed("quota", region, &error)];
        }
    };
    let kinds = [DatabaseKind::Instance, DatabaseKind::Cluster].into_iter();
    let findings = kinds.map(|kind| {
        let needed = fleet.as_ref().ok().map(|fleet| needed(fleet, kind, stack));
        match quotas.snapshots.get(&kind) {
            Some(quota) => judge(region, kind, *quota, needed),
            None => Finding::unknown(
                "quota",
                region,
                &format!("RDS does not say how many manual {kind} snapshots the region may hold."),
                format!("Service Quotas shows it: {}.", code(kind)),
            ),
        }
    });
    findings.collect()
}

/// Copies that the databases of a kind will have, by `KeepCopies`, and one for each that is being made.
fn needed(fleet: &Fleet, kind: DatabaseKind, stack: &Stack) -> i64 {
    let copied = fleet.databases.iter();
    let copied = copied.filter(|living| living.database.kind == kind && living.reason.is_none());
    let databases = i64::try_from(copied.count()).unwrap_or(i64::MAX);
    databases.saturating_mul(i64::from(stack.retention.keep.copies.max(1)) + 1)
}

fn judge(region: &str, kind: DatabaseKind, quota: Quota, needed: Option<i64>) -> Finding {
    let Quota { used, max } = quota;
    let needs = needed.map_or_else(String::new, |needed| {
        format!("; with KeepCopies the databases that there are need {needed}")
    });
    let found = format!("{used} of {max} manual {kind} snapshots are used{needs}.");
    let wanted = enough(needed.unwrap_or_default().max(used));
    let remedy = format!(
        "Ask Service Quotas for {wanted}: aws service-quotas request-service-quota-increase --region {region} \
         --service-code rds --quota-code {} --desired-value {wanted}",
        code(kind)
    );
    if used >= max {
        Finding::wrong("quota", region, found, remedy)
    } else if is_nearly_full(used, max) || needed.is_some_and(|needed| needed > max) {
        Finding::warning("quota", region, found, remedy)
    } else {
        Finding::good("quota", region, found)
    }
}

/// From four fifths of a quota on it is time to ask for more: as the stack's alarms have it.
fn is_nearly_full(used: i64, max: i64) -> bool {
    used.saturating_mul(5) > max.saturating_mul(4)
}

/// The smallest quota, in steps, of which this many are not nearly all.
fn enough(snapshots: i64) -> i64 {
    let steps = snapshots.saturating_mul(5).saturating_add(4 * STEP - 1) / (4 * STEP);
    steps.max(1).saturating_mul(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::doctor::finding::Health;

    #[test]
    fn what_is_asked_for_has_room() {
        for (snapshots, expected) in [(0, 50), (40, 50), (41, 100), (100, 150), (1000, 1250), (4000, 5000)] {
            assert_eq!(enough(snapshots), expected, "{snapshots}");
        }
    }

    #[test]
    fn a_quota_is_judged_by_what_is_used_and_by_what_will_be() {
        let health = |used, needed| judge("x", DatabaseKind::Cluster, Quota { used, max: 100 }, needed).health;
        assert_eq!(health(80, None), Health::Good);
        assert_eq!(health(81, None), Health::Warning);
        assert_eq!(health(100, None), Health::Wrong);
        assert_eq!(health(5, Some(100)), Health::Good);
        assert_eq!(health(5, Some(101)), Health::Warning);
        let remedy = judge("x", DatabaseKind::Cluster, Quota { used: 5, max: 100 }, Some(400)).remedy;
        let remedy = remedy.expect("a remedy");
        assert!(
            remedy.contains("--quota-code L-9B510759 --desired-value 500"),
            "{remedy}"
        );
    }
}
