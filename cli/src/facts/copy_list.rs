//! Every copy that is held, the newest of each database first, why retention keeps it, and when it goes.

use std::collections::BTreeMap;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::payload::Target;
use domain::retention::{PruneRules, SourceDatabase, StackRetention, forecast, plan};
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

/// Most databases of which the last execution is asked what RDS refused to delete.
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
    /// Why it stays, or that it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retention: Option<String>,
    /// When it goes, by the rules of today and with a copy each day; nothing if that is not within the next 400 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goes_about: Option<Timestamp>,
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
                goes_about: None,
            })
            .collect()
    }

    /// Whether the next runs delete it.
    pub(crate) fn is_to_go(&self, now: Timestamp) -> bool {
        self.goes_about.is_some_and(|time| time <= now)
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

/// Why a copy is kept, and when it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyRetention {
    reason: String,
    goes_about: Option<Timestamp>,
}

/// What retention says of each copy of a database, by its identifier: as prune-old decides. `fleet` is the source region, if
/// it was asked; without it nothing goes.
pub(crate) fn retention(
    stack: &StackRetention,
    database: &DatabaseCopies,
    fleet: Option<&Fleet>,
    now: Timestamp,
) -> BTreeMap<String, CopyRetention> {
    let key = (database.kind, database.resource_id.clone());
    let living = fleet.map(|fleet| fleet.get(&key));
    let source = match living {
        None => SourceDatabase::Unknown,
        Some(None) => SourceDatabase::Gone,
        Some(Some(living)) => SourceDatabase::Living(&living.database),
    };
    let target = Target {
        retired: source == SourceDatabase::Gone,
        ..Target::new(database.kind, &database.id, &database.resource_id)
    };
    let copies: Vec<OwnCopy> = database.copies.iter().map(|copy| copy.own.clone()).collect();
    let rules = PruneRules::new(stack, &target, source, &copies);
    let is_copied = living.flatten().is_some_and(|living| living.reason.is_none());
    let days = forecast(&copies, &rules, is_copied, now);
    // That one in progress stays goes without saying.
    let verdicts = plan(&copies, &rules, now).into_iter();
    verdicts
        .filter(|verdict| verdict.copy.status != CopyStatus::InProgress)
        .map(|verdict| {
            let id = verdict.copy.id.clone();
            let goes_about = days.get(&id);
            let goes_about = goes_about.map(|days| now + SignedDuration::from_hours(24 * i64::from(*days)));
            let reason = if verdict.delete {
                format!("to be deleted: {}", verdict.reason)
            } else {
                verdict.reason
            };
            (id, CopyRetention { reason, goes_about })
        })
        .collect()
}

/// Adds to each copy what retention says of it.
pub(crate) fn add_retention(lines: &mut [CopyLine], mut found: BTreeMap<String, CopyRetention>) {
    for line in lines {
        if let Some(CopyRetention { reason, goes_about }) = found.remove(&line.copy) {
            line.retention = Some(reason);
            line.goes_about = goes_about;
        }
    }
}

/// Copies that RDS refused to delete in the last execution for their database, with what it said.
pub(crate) async fn refusals(
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
        let refused = CopyResult::from(&detail?).pruned.refused.into_iter();
        reasons.extend(refused.map(|refused| (refused.id, format!("RDS refused to delete it: {}", refused.reason))));
    }
    Ok(reasons)
}
