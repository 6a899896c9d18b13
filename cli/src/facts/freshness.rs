//! How fresh the newest verified copy of each database is, judged by the RPO objective.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use domain::payload::Outcome;
use domain::snapshot::Database;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{Execution, ExecutionName, ExecutionStatus, suffix_of_run};
use crate::error::CliError;
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopies};
use crate::facts::copy_result::CopyResult;
use crate::facts::run_summary::Purpose;
use crate::format::outcome_word;

/// Most executions that are read: five calls.
const MAX_EXECUTIONS: usize = 5_000;

/// Most executions that are looked into for the name of their error or their outcome.
const MAX_DETAILS: usize = 10;

/// How fresh the newest verified copy of a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Freshness {
    /// There is no verified copy at all.
    NoCopy,
    /// The newest verified copy is older than the RPO objective.
    Late,
    /// It is younger.
    Good,
    /// The database no longer exists: no new copies can come.
    Retired,
}

impl Freshness {
    /// Whether the RPO objective is not met.
    pub(crate) fn misses(self) -> bool {
        matches!(self, Self::NoCopy | Self::Late)
    }
}

/// How the last execution for a database ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastExecution {
    #[serde(rename = "stage")]
    pub(crate) status: ExecutionStatus,
    /// Where that was looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<LastDetail>,
    pub(crate) at: Timestamp,
    execution: String,
}

/// What the last execution for a database ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LastDetail {
    /// The error's name.
    Error(String),
    Outcome(Outcome),
}

impl fmt::Display for LastDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error(name) => name,
            Self::Outcome(Outcome::Unsupported) => "unsupported by AWS",
            Self::Outcome(outcome) => outcome_word(*outcome),
        })
    }
}

impl Serialize for LastDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Number of copies per status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopyCounts {
    pub(crate) verified: usize,
    pub(crate) in_progress: usize,
    pub(crate) unverified: usize,
    /// Those that are not what was asked for included.
    pub(crate) failed: usize,
}

impl From<&DatabaseCopies> for CopyCounts {
    fn from(database: &DatabaseCopies) -> Self {
        Self {
            verified: database.count(CopyStatus::Verified),
            in_progress: database.count(CopyStatus::InProgress),
            unverified: database.count(CopyStatus::Unverified),
            failed: database.count(CopyStatus::Failed) + database.count(CopyStatus::Mismatched),
        }
    }
}

/// A database and its newest verified copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatabaseFreshness {
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_region: Option<String>,
    pub(crate) state: Freshness,
    /// Since the data of the newest verified copy was captured.
    pub(crate) age_seconds: Option<i64>,
    pub(crate) captured_at: Option<Timestamp>,
    verified_at: Option<Timestamp>,
    pub(crate) copy: Option<String>,
    pub(crate) kms_key_arn: Option<String>,
    pub(crate) size_gib: Option<i32>,
    pub(crate) copies: CopyCounts,
    /// Of a copy that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) percent: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<LastExecution>,
}

impl DatabaseFreshness {
    fn without_copies(kind: DatabaseKind, id: &str) -> Self {
        Self {
            database: id.to_owned(),
            kind,
            resource_id: None,
            source_region: None,
            state: Freshness::NoCopy,
            age_seconds: None,
            captured_at: None,
            verified_at: None,
            copy: None,
            kms_key_arn: None,
            size_gib: None,
            copies: CopyCounts::default(),
            percent: None,
            last: None,
        }
    }

    fn new(database: &DatabaseCopies, now: Timestamp, objective: SignedDuration) -> Self {
        let without = Self {
            resource_id: Some(database.resource_id.clone()),
            source_region: Some(database.source_region.clone()),
            copies: database.into(),
            percent: database.in_progress().map(|copy| copy.snapshot.percent),
            ..Self::without_copies(database.kind, &database.id)
        };
        let Some(newest) = database.newest_verified() else {
            return without;
        };
        let age = now.duration_since(newest.own.source_created);
        Self {
            state: if age > objective {
                Freshness::Late
            } else {
                Freshness::Good
            },
            age_seconds: Some(age.as_secs()),
            captured_at: Some(newest.own.source_created),
            verified_at: newest.verified_at(),
            copy: Some(newest.own.id.clone()),
            kms_key_arn: newest.own.kms_key_arn.clone(),
            size_gib: newest.snapshot.size_gib,
            ..without
        }
    }

    fn key(&self) -> (DatabaseKind, String) {
        (self.kind, self.database.clone())
    }

    /// Its age.
    pub(crate) fn age(&self) -> Option<SignedDuration> {
        self.age_seconds.map(SignedDuration::from_secs)
    }

    /// Whether it meets the RPO objective, and will soon miss it.
    pub(crate) fn is_nearly_late(&self, objective: SignedDuration) -> bool {
        self.state == Freshness::Good && self.age_seconds.is_some_and(|age| age > objective.as_secs() / 10 * 9)
    }
}

/// How the databases stand, and what could not be found out.
#[derive(Debug)]
pub(crate) struct Assessment {
    pub(crate) copies: OwnedCopies,
    /// The worst first.
    pub(crate) databases: Vec<DatabaseFreshness>,
    pub(crate) notes: Vec<String>,
}

/// Number of databases that still exist, and of those that miss the RPO objective.
pub(crate) fn living_and_missed(databases: &[DatabaseFreshness]) -> (usize, usize) {
    let count = |wanted: fn(Freshness) -> bool| databases.iter().filter(|database| wanted(database.state)).count();
    (count(|state| state != Freshness::Retired), count(Freshness::misses))
}

/// The last execution for each database.
type LastExecutions = BTreeMap<(DatabaseKind, String), Execution>;

/// Reads the copies, and judges each database.
pub(crate) async fn assess(
    account: &Account,
    source: &CopySource,
    now: Timestamp,
    objective: SignedDuration,
) -> Result<Assessment, CliError> {
    let (copies, last, living) = tokio::join!(
        source.read(account),
        last_executions(account, source.stack.as_ref(), now, objective),
        living(account, source.stack.as_ref()),
    );
    let copies = copies?;
    // The copies answer the question; what the source region adds is worth less than an answer.
    let mut notes = Vec::new();
    let mut note = |what: &str, error: CliError| notes.push(format!("{what} is not known. {error}").replace('\n', " "));
    let last = last.unwrap_or_else(|error| {
        note("How the last runs ended", error);
        LastExecutions::new()
    });
    let living = living.unwrap_or_else(|error| {
        note("Which databases exist", error);
        None
    });

    let mut databases = judge(&copies, &last, now, objective);
    if let (Some(living), Some(stack)) = (&living, &source.stack) {
        compare(&mut databases, living, stack);
    }
    if databases.is_empty() {
        return Err(copies.no_copies_error());
    }
    if let Some(stack) = &source.stack {
        look_up_details(account, stack, &last, &mut databases).await;
    }
    sort(&mut databases);
    Ok(Assessment {
        copies,
        databases,
        notes,
    })
}

/// The databases of the source region, unless only the destination is asked.
async fn living(account: &Account, stack: Option<&Stack>) -> Result<Option<Vec<Database>>, CliError> {
    let Some(stack) = stack else { return Ok(None) };
    let rds = account.rds(&stack.region);
    let (mut all, clusters) = tokio::try_join!(
        rds.databases(DatabaseKind::Instance),
        rds.databases(DatabaseKind::Cluster)
    )
    .map_err(|error| {
        let needs = "rds:DescribeDBInstances and rds:DescribeDBClusters";
        CliError::from_rds(&stack.region, needs, &error)
    })?;
    all.extend(clusters);
    Ok(Some(all))
}

/// The last execution for each database, by the executions' names; those of dry runs do not count.
async fn last_executions(
    account: &Account,
    stack: Option<&Stack>,
    now: Timestamp,
    objective: SignedDuration,
) -> Result<LastExecutions, CliError> {
    let mut last = LastExecutions::new();
    let Some(stack) = stack else { return Ok(last) };
    let step_functions = account.step_functions(&stack.region);
    let since = now - (objective * 2).max(SignedDuration::from_hours(48));
    let (copies, runs) = tokio::try_join!(
        step_functions.executions(&stack.copy_snapshot_arn, since, MAX_EXECUTIONS),
        step_functions.executions(&stack.copy_fleet_arn, since, MAX_EXECUTIONS),
    )?;
    let dry = runs.iter().filter(|run| Purpose::is_dry_run(&run.name));
    let dry: BTreeSet<String> = dry.map(|run| suffix_of_run(&run.arn)).collect();
    for execution in copies {
        let Some(name) = ExecutionName::parse(&execution.name) else {
            continue;
        };
        // What was pruned of a database that is gone says nothing of one that took its name.
        if name.retired.is_none() && !dry.contains(name.suffix) {
            // They come the newest first.
            last.entry((name.kind, name.id.to_owned())).or_insert(execution);
        }
    }
    Ok(last)
}

/// Judges every database that has copies, or for which there was an execution lately.
fn judge(
    copies: &OwnedCopies,
    last: &LastExecutions,
    now: Timestamp,
    objective: SignedDuration,
) -> Vec<DatabaseFreshness> {
    let with_copies = copies.databases.iter();
    let mut databases: Vec<DatabaseFreshness> = with_copies
        .map(|database| DatabaseFreshness::new(database, now, objective))
        .collect();
    let known: BTreeSet<_> = databases.iter().map(DatabaseFreshness::key).collect();
    let others = last.keys().filter(|key| !known.contains(key));
    databases.extend(others.map(|(kind, id)| DatabaseFreshness::without_copies(*kind, id)));
    for database in &mut databases {
        database.last = last.get(&database.key()).map(|execution| LastExecution {
            status: execution.status,
            detail: None,
            at: execution.stopped.unwrap_or(execution.started),
            execution: execution.arn.clone(),
        });
    }
    databases
}

/// Marks the databases that no longer exist, which no run can help, and adds those that have no copy yet.
fn compare(databases: &mut Vec<DatabaseFreshness>, living: &[Database], stack: &Stack) {
    let ids: BTreeSet<&str> = living.iter().map(|database| database.resource_id.as_str()).collect();
    let names: BTreeSet<_> = living.iter().map(|database| (database.kind, &database.id)).collect();
    for database in databases.iter_mut() {
        let exists = match &database.resource_id {
            Some(id) => ids.contains(id.as_str()),
            None => names.contains(&(database.kind, &database.database)),
        };
        if !exists {
            database.state = Freshness::Retired;
        }
    }
    // One that was known only by its last execution, and is gone, never had a copy.
    databases.retain(|database| database.state != Freshness::Retired || database.resource_id.is_some());
    let known = databases.iter().filter(|database| database.state != Freshness::Retired);
    let known: BTreeSet<_> = known.map(DatabaseFreshness::key).collect();
    let new = living.iter().filter(|database| stack.selects(database));
    let new = new.filter(|database| !known.contains(&(database.kind, database.id.clone())));
    databases.extend(new.map(|database| DatabaseFreshness {
        resource_id: Some(database.resource_id.clone()),
        ..DatabaseFreshness::without_copies(database.kind, &database.id)
    }));
}

/// Looks into the executions of the databases in danger: what failed, and why there is no copy though nothing failed.
async fn look_up_details(account: &Account, stack: &Stack, last: &LastExecutions, databases: &mut [DatabaseFreshness]) {
    let step_functions = &account.step_functions(&stack.region);
    let unclear = databases.iter_mut().filter_map(|database| {
        let execution = last.get(&database.key())?;
        let silent = database.state == Freshness::NoCopy && database.copies == CopyCounts::default();
        let last = database.last.as_mut()?;
        (silent || last.status == ExecutionStatus::Failed).then_some((last, &execution.arn))
    });
    stream::iter(unclear.take(MAX_DETAILS))
        .for_each_concurrent(8, async |(last, arn)| {
            let Ok(detail) = step_functions.detail(arn).await else {
                return;
            };
            let outcome = || CopyResult::from(&detail).outcome.map(LastDetail::Outcome);
            last.detail = detail.error.clone().map(LastDetail::Error).or_else(outcome);
        })
        .await;
}

/// The worst first: no copy, then by age; what no longer exists last.
fn sort(databases: &mut [DatabaseFreshness]) {
    databases.sort_by(|a, b| {
        let badness = |database: &DatabaseFreshness| {
            (
                database.state == Freshness::Retired,
                database.age_seconds.is_some(),
                std::cmp::Reverse(database.age_seconds),
            )
        };
        let name = |database: &DatabaseFreshness| (database.database.clone(), database.kind);
        badness(a).cmp(&badness(b)).then_with(|| name(a).cmp(&name(b)))
    });
}
