//! Whether copies could be restored in the region that they are in.

use std::collections::BTreeMap;

use domain::kind::DatabaseKind;
use domain::restorability::{RegionFacts, Restorability, RestoreNeeds, Verdict, Warning};
use rds::restorability::Questions;

use crate::aws::account::Account;
use crate::facts::copies::{DatabaseCopies, OwnedCopies};
use crate::facts::fleet::DatabaseKey;

/// What the operator must be allowed to do, so that it is known.
const NEEDS: &str = "rds:DescribeOrderableDBInstanceOptions, rds:DescribeAccountAttributes, rds:DescribeOptionGroups, \
                     rds:DescribeDBParameterGroups, rds:DescribeDBClusterParameterGroups, rds:DescribeDBSubnetGroups and \
                     kms:DescribeKey";

/// Looks up what these copies need of a region, each thing once.
pub(crate) async fn look_up(
    account: &Account,
    region: &str,
    needs: &[RestoreNeeds],
    subnet_group: Option<&str>,
) -> RegionFacts {
    let keys = account.keys(region);
    let questions = Questions { needs, subnet_group };
    let facts = account.rds(region);
    facts.restore_facts(questions, async |arn| keys.state(arn).await).await
}

/// Judges the newest verified copy of each database.
pub(crate) async fn judge(account: &Account, copies: &OwnedCopies) -> BTreeMap<DatabaseKey, Restorability> {
    let newest = |database: &DatabaseCopies| {
        let copy = database.newest_verified()?;
        let key: (DatabaseKind, String) = (database.kind, database.resource_id.clone());
        Some((key, RestoreNeeds::new(&copy.snapshot)))
    };
    let (keys, needs): (Vec<DatabaseKey>, Vec<RestoreNeeds>) = copies.databases.iter().filter_map(newest).unzip();
    if needs.is_empty() {
        return BTreeMap::new();
    }
    let facts = look_up(account, &copies.region, &needs, None).await;
    let judged = needs.iter().map(|needs| facts.judge(needs));
    keys.into_iter().zip(judged).collect()
}

/// What to do where something is not known because the operator may not look it up; nothing if it is not for that.
pub(crate) fn denied<'a>(all: impl IntoIterator<Item = &'a Restorability>) -> Option<String> {
    let mut warnings = all.into_iter().flat_map(|judged| &judged.warnings);
    let is_denied = |warning: &Warning| {
        matches!(warning, Warning::Unknown { reason, .. }
            if reason.split(':').next().is_some_and(rds::codes::is_denial))
    };
    warnings.any(is_denied).then(|| {
        format!("To know whether copies can be restored, the credentials need {NEEDS} in the region of the copies.")
    })
}

/// What is wrong with a copy, in a few words; nothing if it can be restored.
pub(crate) fn summary(judged: &Restorability) -> String {
    let mut words: Vec<&str> = judged
        .missing
        .iter()
        .map(domain::restorability::Missing::word)
        .collect();
    words.dedup();
    match judged.verdict {
        Verdict::Yes => String::new(),
        Verdict::Unknown => "unknown".to_owned(),
        Verdict::No => format!("no: {}", words.join(", ")),
    }
}
