//! Every copy that is held, the newest of each database first, and why retention keeps it.

use std::collections::BTreeMap;

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::error::CliError;
use crate::facts::copies::{DatabaseCopies, OwnedCopies};
use crate::facts::copy_result::CopyResult;
use crate::facts::fleet::Fleet;
use crate::facts::last_executions::{LastExecutions, by_name};
use crate::format::database_name;

/// Most databases of which the last execution is asked why it kept what is there.
const MAX_ASKED: usize = 50;

/// A copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopyLine {
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
    pub(crate) resource_id: String,
    /// Whether the database no longer exists, as far as the source region was asked.
    pub(crate) retired: bool,
    pub(crate) copy: String,
    pub(crate) state: &'static str,
    pub(crate) percent: Option<i32>,
    /// When its data was captured.
    pub(crate) captured_at: Timestamp,
    pub(crate) age_seconds: i64,
    requested_at: Timestamp,
    pub(crate) verified_at: Option<Timestamp>,
    pub(crate) size_gib: Option<i32>,
    pub(crate) kms_key_arn: Option<String>,
    /// How RDS says that it is encrypted: `none`, `sse-kms`, or `sse-rds` with a key that AWS owns.
    pub(crate) encryption: &'static str,
    pub(crate) engine: String,
    pub(crate) engine_version: String,
    pub(crate) option_group: Option<String>,
    /// Whether a person keeps it.
    pub(crate) hold: bool,
    pub(crate) source: String,
    /// What the last run said of it: why it stays, or that it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retention: Option<String>,
}

impl CopyLine {
    /// Every copy of a database, under the name that it has, if it exists. `fleet` is the source region, if it was asked.
    pub(crate) fn from_database(database: &DatabaseCopies, fleet: Option<&Fleet>, now: Timestamp) -> Vec<Self> {
        let key = (database.kind, database.resource_id.clone());
        let living = fleet.and_then(|fleet| fleet.get(&key));
        let name = living.map_or(&database.id, |living| &living.database.id);
        let copies = database.copies.iter();
        copies
            .map(|copy| Self {
                database: name.clone(),
                kind: database.kind,
                resource_id: database.resource_id.clone(),
                retired: fleet.is_some() && living.is_none(),
                copy: copy.own.id.clone(),
                state: state(copy.own.status),
                percent: (copy.own.status == CopyStatus::InProgress).then_some(copy.snapshot.percent),
                captured_at: copy.captured_at(),
                age_seconds: now.duration_since(copy.captured_at()).as_secs(),
                requested_at: copy.own.requested,
                verified_at: copy.verified_at(),
                size_gib: copy.snapshot.data_gib(),
                kms_key_arn: copy.own.kms_key_arn.clone(),
                encryption: copy.snapshot.encryption.name(),
                engine: copy.snapshot.engine.clone(),
                engine_version: copy.snapshot.engine_version.clone(),
                option_group: copy.snapshot.option_group.clone(),
                hold: copy.own.hold,
                source: copy.own.source_arn.clone(),
                retention: None,
            })
            .collect()
    }

    /// Its database with its kind, where that is not an instance, and whether it no longer exists.
    pub(crate) fn name(&self) -> String {
        let retired = if self.retired { " (retired)" } else { "" };
        format!("{}{retired}", database_name(self.kind, &self.database))
    }

    /// What orders copies: living databases by name, and of each the newest data first.
    pub(crate) fn order(&self) -> (&str, DatabaseKind, bool, &str, std::cmp::Reverse<Timestamp>) {
        let newest = std::cmp::Reverse(self.captured_at);
        (&self.database, self.kind, self.retired, &self.resource_id, newest)
    }

    /// Its age.
    pub(crate) fn age(&self) -> SignedDuration {
        SignedDuration::from_secs(self.age_seconds)
    }
}

fn state(status: CopyStatus) -> &'static str {
    match status {
        CopyStatus::Verified => "verified",
        CopyStatus::InProgress => "in progress",
        CopyStatus::Unverified => "not verified",
        CopyStatus::Failed => "failed",
        CopyStatus::Mismatched => "different",
        CopyStatus::Going => "being deleted",
    }
}

/// What the last execution for each database said of its copies, by their names. The functions decide; here it is only
/// read.
pub(crate) async fn retention(
    account: &Account,
    stack: &Stack,
    owned: &OwnedCopies,
    fleet: Option<&Fleet>,
    wanted: &[&DatabaseCopies],
    since: SignedDuration,
) -> Result<BTreeMap<String, String>, CliError> {
    let step_functions = &account.step_functions(&stack.region);
    let named = by_name(account, stack, account.now(), since).await?;
    let last = LastExecutions::attribute(step_functions, named, owned, fleet).await;
    let executions = wanted
        .iter()
        .filter_map(|database| last.get(&(database.kind, database.resource_id.clone())))
        .take(MAX_ASKED);
    let details = stream::iter(executions).map(async |execution| step_functions.detail(&execution.arn).await);
    let mut reasons = BTreeMap::new();
    for detail in details.buffer_unordered(4).collect::<Vec<_>>().await {
        let pruned = CopyResult::from(&detail?).pruned;
        let refused = pruned.refused.into_iter().map(|refused| {
            let reason = format!("RDS refused to delete it: {}", refused.reason);
            (refused.id, reason)
        });
        let kept = pruned.kept.into_iter().map(|kept| (kept.id, kept.reason));
        reasons.extend(kept.chain(refused));
    }
    Ok(reasons)
}
