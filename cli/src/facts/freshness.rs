//! How fresh the newest verified copy of each database is, judged by the RPO objective.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::copy_tags::CopyStatus;
use domain::first_copy;
use domain::kind::DatabaseKind;
use domain::payload::Outcome;
use domain::restorability::Restorability;
use domain::selection::{self, Reason};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{ExecutionStatus, StepFunctions};
use crate::error::CliError;
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopies};
use crate::facts::copy_result::CopyResult;
use crate::facts::drills::{LastDrill, LastDrills};
use crate::facts::fleet::{DatabaseKey, Fleet, LivingDatabase};
use crate::facts::last_executions::{LastExecutions, by_name};
use crate::facts::source_snapshots::SourceSnapshots;
use crate::format::{database_name, format_utc, outcome_word};

/// Most executions that are looked into for the name of their error or their outcome.
const MAX_DETAILS: usize = 10;

/// Most databases whose snapshots are asked for.
const MAX_LOOKUPS: usize = 50;

/// How fresh the newest verified copy of a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Freshness {
    /// There is no verified copy at all.
    NoCopy,
    /// The newest verified copy is older than the RPO objective.
    Late,
    /// It is new, and its first copy is not missed yet: see [`first_copy`].
    FirstCopyPending,
    /// It is new, and RDS has made no snapshot of it yet.
    NoSnapshotYet,
    /// The newest verified copy is younger than the RPO objective.
    Good,
    /// RDS makes no snapshots of it that could be copied, by design.
    NoSnapshots,
    /// AWS cannot copy its snapshots (N3): no run and no RPO can change that.
    Unsupported,
    /// The stack does not copy it.
    Excluded,
    /// The database no longer exists: no new copies can come.
    SourceDeleted,
}

impl Freshness {
    /// Whether the RPO objective is not met.
    pub(crate) fn misses(self) -> bool {
        matches!(self, Self::NoCopy | Self::Late)
    }

    /// Whether it has to have a fresh copy.
    fn is_due(self) -> bool {
        self.misses() || self == Self::Good
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
    /// What the error says, and what to do about it.
    #[serde(skip)]
    cause: Option<String>,
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
    /// As it is written in the command line: with its kind, where that is not an instance.
    name: String,
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_region: Option<String>,
    pub(crate) state: Freshness,
    /// Why it is in this state, and what helps, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// Whether another run can help.
    #[serde(skip)]
    pub(crate) is_helped_by_run: bool,
    /// Since the data of the newest verified copy was captured.
    pub(crate) age_seconds: Option<i64>,
    pub(crate) captured_at: Option<Timestamp>,
    /// When the snapshot of the newest verified copy was taken.
    #[serde(skip)]
    source_created: Option<Timestamp>,
    verified_at: Option<Timestamp>,
    pub(crate) copy: Option<String>,
    pub(crate) kms_key_arn: Option<String>,
    pub(crate) size_gib: Option<i32>,
    pub(crate) copies: CopyCounts,
    /// Whether the newest verified copy could be restored where it is, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restorable: Option<Restorability>,
    /// The last drill of a restore, if there is a proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drill: Option<LastDrill>,
    /// Of a copy that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) percent: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<LastExecution>,
}

impl DatabaseFreshness {
    fn without_copies(kind: DatabaseKind, id: &str) -> Self {
        Self {
            name: database_name(kind, id),
            database: id.to_owned(),
            kind,
            resource_id: None,
            source_region: None,
            state: Freshness::NoCopy,
            reason: None,
            remedy: None,
            is_helped_by_run: true,
            age_seconds: None,
            captured_at: None,
            source_created: None,
            verified_at: None,
            copy: None,
            kms_key_arn: None,
            size_gib: None,
            copies: CopyCounts::default(),
            restorable: None,
            drill: None,
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
        // The honest RPO: where RDS says how old the data is, that counts.
        let captured = newest.captured_at();
        let age = now.duration_since(captured);
        Self {
            state: if age > objective {
                Freshness::Late
            } else {
                Freshness::Good
            },
            age_seconds: Some(age.as_secs()),
            captured_at: Some(captured),
            source_created: Some(newest.own.source_created),
            verified_at: newest.verified_at(),
            copy: Some(newest.own.id.clone()),
            kms_key_arn: newest.own.kms_key_arn.clone(),
            size_gib: newest.snapshot.data_gib(),
            ..without
        }
    }

    /// What it is known by, if more of it is known than its name.
    pub(crate) fn key(&self) -> Option<DatabaseKey> {
        Some((self.kind, self.resource_id.clone()?))
    }

    /// The same with its last drill.
    pub(crate) fn add_drill(&mut self, drills: &LastDrills) {
        self.drill = self.key().and_then(|key| drills.by_database.get(&key).cloned());
    }

    /// Whether a copy or the last execution failed.
    fn has_failed(&self) -> bool {
        let last = self.last.as_ref();
        self.copies.failed > 0 || last.is_some_and(|last| last.status == ExecutionStatus::Failed)
    }

    /// Why it is late or has no copy, in a sentence or two.
    fn explain(&mut self, reason: impl Into<String>, remedy: impl Into<String>) {
        self.reason = Some(reason.into());
        self.remedy = Some(remedy.into()).filter(|remedy: &String| !remedy.is_empty());
    }

    /// The worst first: no copy, then late by age, good by age, and last what is not expected to have a fresh copy.
    fn order(&self) -> (Freshness, bool, std::cmp::Reverse<Option<i64>>, &str, DatabaseKind) {
        let age = std::cmp::Reverse(self.age_seconds);
        (self.state, age.0.is_some(), age, self.database.as_str(), self.kind)
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
    /// What is wrong with single databases: tags, and wishes that RDS does not fulfil.
    pub(crate) warnings: Vec<String>,
    pub(crate) notes: Vec<String>,
    /// The source region, if it was asked and answered.
    pub(crate) fleet: Option<Fleet>,
}

/// How many databases are in which state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FreshnessCounts {
    /// Those that have to have a fresh copy.
    pub(crate) due: usize,
    /// Those of them that have none: they miss the RPO.
    pub(crate) missed: usize,
    /// Those of which no fresh copy is expected, and why.
    pub(crate) not_due: BTreeMap<Freshness, usize>,
}

impl FreshnessCounts {
    pub(crate) fn new(databases: &[DatabaseFreshness]) -> Self {
        let mut not_due = BTreeMap::new();
        for database in databases.iter().filter(|database| !database.state.is_due()) {
            *not_due.entry(database.state).or_default() += 1;
        }
        Self {
            due: databases.iter().filter(|database| database.state.is_due()).count(),
            missed: databases.iter().filter(|database| database.state.misses()).count(),
            not_due,
        }
    }
}

/// Reads the copies, and judges each database.
pub(crate) async fn assess(
    account: &Account,
    source: &CopySource,
    now: Timestamp,
    objective: SignedDuration,
) -> Result<Assessment, CliError> {
    let (copies, named, fleet) = tokio::join!(
        source.read(account),
        async {
            match &source.stack {
                Some(stack) => by_name(account, stack, now, objective).await,
                None => Ok(BTreeMap::new()),
            }
        },
        async {
            match &source.stack {
                Some(stack) => Fleet::read(account, stack).await.map(Some),
                None => Ok(None),
            }
        },
    );
    let copies = copies?;
    // The copies answer the question; what the source region adds is worth less than an answer.
    let mut notes = Vec::new();
    let mut note = |what: &str, error: CliError| notes.push(format!("{what} not known. {error}").replace('\n', " "));
    let named = named.unwrap_or_else(|error| {
        note("How the last runs ended is", error);
        BTreeMap::new()
    });
    let mut fleet = fleet.unwrap_or_else(|error| {
        note("Which databases exist is", error);
        None
    });
    if let Some(error) = fleet.as_mut().and_then(|fleet| fleet.writers_unknown.take()) {
        note("The writers of global databases are", error);
    }

    let mut databases: Vec<DatabaseFreshness> = copies
        .databases
        .iter()
        .map(|database| DatabaseFreshness::new(database, now, objective))
        .collect();
    if let Some(fleet) = &fleet {
        compare(&mut databases, fleet);
    }
    if let Some(stack) = &source.stack {
        let step_functions = &account.step_functions(&stack.region);
        let last = LastExecutions::attribute(step_functions, named, &copies, fleet.as_ref()).await;
        let others = last.only_named().keys();
        databases.extend(others.map(|(kind, name)| DatabaseFreshness::without_copies(*kind, name)));
        join_last(&mut databases, &last);
        if let Some(fleet) = &fleet {
            let failed = look_up_snapshots(account, stack, fleet, &mut databases, now, objective).await;
            if let Some(error) = failed {
                note("Which snapshots some databases have is", error);
            }
        }
        // Only a few are looked into: those in danger first.
        databases.sort_by(|a, b| a.order().cmp(&b.order()));
        look_up_details(step_functions, &mut databases).await;
    }
    if databases.is_empty() {
        return Err(copies.no_copies_error());
    }
    databases.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut warnings = fleet.as_ref().map(Fleet::warnings).unwrap_or_default();
    // That there are only snapshots of AWS Backup may be known from the snapshots alone.
    let silent = databases
        .iter()
        .filter(|database| database.state == Freshness::NoSnapshots);
    for living in silent.filter_map(|database| fleet.as_ref()?.get(&database.key()?)) {
        if living.reason.is_none() {
            warnings.extend(selection::warnings(&living.database, Some(&Reason::AwsBackup)));
        }
    }
    warnings.dedup();
    Ok(Assessment {
        copies,
        databases,
        warnings,
        notes,
        fleet,
    })
}

/// Gives each database its present name and the state that its tags and the fields of RDS ask for, marks those that no
/// longer exist, which no run can help, and adds those that have no copy yet.
fn compare(databases: &mut Vec<DatabaseFreshness>, fleet: &Fleet) {
    for database in databases.iter_mut() {
        let living = database.key().and_then(|key| fleet.get(&key));
        let Some(living) = living else {
            database.state = Freshness::SourceDeleted;
            continue;
        };
        database.database.clone_from(&living.database.id);
        database.name = database_name(database.kind, &database.database);
        if let Some(reason) = &living.reason {
            // One that has a fresh copy all the same, of a snapshot that was made before, is as good as any.
            if reason.is_left_out() || database.state != Freshness::Good {
                database.state = state(reason);
                database.reason = Some(reason.to_string());
            }
        }
    }
    let known: BTreeSet<DatabaseKey> = databases.iter().filter_map(DatabaseFreshness::key).collect();
    for living in fleet.databases.iter().filter(|living| !known.contains(&living.key())) {
        // What somebody left out and never had a copy is not missed.
        let is_chosen = |reason: &Reason| !reason.is_left_out() || reason.makes_no_snapshots();
        if !living.reason.as_ref().is_none_or(is_chosen) {
            continue;
        }
        let LivingDatabase { database, reason } = living;
        let new = DatabaseFreshness::without_copies(database.kind, &database.id);
        databases.push(DatabaseFreshness {
            resource_id: Some(database.resource_id.clone()).filter(|id| !id.is_empty()),
            state: reason.as_ref().map_or(Freshness::NoCopy, state),
            reason: reason.as_ref().map(ToString::to_string),
            ..new
        });
    }
}

/// The state of a database that is not expected to have a fresh copy.
fn state(reason: &Reason) -> Freshness {
    match reason {
        Reason::Unsupported(_) => Freshness::Unsupported,
        reason if reason.makes_no_snapshots() => Freshness::NoSnapshots,
        _ => Freshness::Excluded,
    }
}

fn join_last(databases: &mut [DatabaseFreshness], last: &LastExecutions) {
    for database in databases {
        let execution = match database.key() {
            Some(key) => last.get(&key),
            None => last.only_named().get(&(database.kind, database.database.clone())),
        };
        database.last = execution.map(|execution| LastExecution {
            status: execution.status,
            detail: None,
            at: execution.stopped.unwrap_or(execution.started),
            cause: None,
            execution: execution.arn.clone(),
        });
    }
}

/// Asks the source region why databases have no fresh copy, and says if it did not answer.
async fn look_up_snapshots(
    account: &Account,
    stack: &Stack,
    fleet: &Fleet,
    databases: &mut [DatabaseFreshness],
    now: Timestamp,
    objective: SignedDuration,
) -> Option<CliError> {
    let rds = &account.rds(&stack.region);
    let with_manual = stack.rules.include_manual_snapshots;
    let unclear = databases.iter_mut().filter_map(|database| {
        let living = fleet.get(&database.key()?)?;
        // Of these there may be older snapshots that have no copy.
        let is_silent = matches!(living.reason, Some(Reason::Stopped | Reason::AwsBackup));
        let is_open = database.state.misses() || database.state == Freshness::NoSnapshots && is_silent;
        is_open.then_some((database, living))
    });
    let answers = stream::iter(unclear.take(MAX_LOOKUPS)).map(async |(database, living)| {
        let found = SourceSnapshots::read(rds, &living.database, with_manual).await;
        found.map(|snapshots| explain(database, living, snapshots, now, objective))
    });
    let answers: Vec<Result<(), CliError>> = answers.buffer_unordered(4).collect().await;
    answers.into_iter().find_map(Result::err)
}

/// The state of a database without a fresh copy, now that its snapshots are known, and why it is in it.
fn explain(
    line: &mut DatabaseFreshness,
    living: &LivingDatabase,
    snapshots: SourceSnapshots,
    now: Timestamp,
    objective: SignedDuration,
) {
    let LivingDatabase { database, reason } = living;
    let is_silent = reason.is_some();
    // Not if it was tried and failed: that needs somebody.
    let is_pending = first_copy::is_pending(database.created_at, Some(objective), now) && !line.has_failed();
    let Some((first, newest)) = snapshots.span else {
        if snapshots.only_aws_backup {
            line.state = Freshness::NoSnapshots;
            line.explain(Reason::AwsBackup.to_string(), "");
        } else if line.state == Freshness::NoCopy && is_pending {
            line.state = Freshness::NoSnapshotYet;
            line.explain("it is new: RDS makes its first snapshot in its backup window", "");
        } else if !is_silent {
            line.is_helped_by_run = false;
            line.explain("RDS has no snapshot of it", SNAPSHOT_REMEDY);
        }
        return;
    };
    match line.source_created {
        // Tags have whole seconds.
        Some(copied) if newest <= copied.saturating_add(SignedDuration::from_secs(1)).unwrap_or(copied) => {
            if !is_silent {
                line.is_helped_by_run = false;
                line.explain("the source has no newer snapshot", SNAPSHOT_REMEDY);
            }
        }
        Some(_) => {
            line.state = Freshness::Late;
            line.explain(
                format!("its snapshot of {} UTC has no verified copy", format_utc(newest)),
                "",
            );
        }
        None if is_pending => {
            line.state = Freshness::FirstCopyPending;
            line.explain(format!("its first snapshot is of {} UTC", format_utc(first)), "");
        }
        None => {
            line.state = Freshness::NoCopy;
            line.explain(
                format!("its snapshot of {} UTC has no verified copy", format_utc(newest)),
                "",
            );
        }
    }
}

/// What helps where there is no snapshot to copy: a run does not.
const SNAPSHOT_REMEDY: &str = "Automated snapshots are made in the backup window, and only of databases that run at that \
     time: check the window, and that the backup retention period is a day or more. A run copies nothing until there is a \
     snapshot.";

/// Errors that another run meets again until somebody does something.
const LASTING_ERRORS: [&str; 8] = [
    "AccessDenied",
    "AttemptsUsedUp",
    "BadInput",
    "BadSettings",
    "KeyNotUsable",
    "NameTaken",
    "OptionGroupMissing",
    "SnapshotQuotaFull",
];

/// Looks into the executions of the databases in danger: what failed, and why there is no copy though nothing failed.
async fn look_up_details(step_functions: &StepFunctions, databases: &mut [DatabaseFreshness]) {
    let unclear = databases.iter_mut().filter(|database| {
        let silent = database.state == Freshness::NoCopy && database.copies == CopyCounts::default();
        let last = database.last.as_ref();
        last.is_some_and(|last| silent || last.status == ExecutionStatus::Failed)
    });
    stream::iter(unclear.take(MAX_DETAILS))
        .for_each_concurrent(8, async |database| {
            let Some(last) = database.last.as_mut() else { return };
            let Ok(detail) = step_functions.detail(&last.execution).await else {
                return;
            };
            let outcome = || CopyResult::from(&detail).outcome.map(LastDetail::Outcome);
            last.detail = detail.error.clone().map(LastDetail::Error).or_else(outcome);
            last.cause = detail.explanation();
            let lasting = match &last.detail {
                Some(LastDetail::Error(name)) => LASTING_ERRORS.contains(&name.as_str()),
                Some(LastDetail::Outcome(outcome)) => *outcome == Outcome::Unsupported,
                None => false,
            };
            if database.state.misses() && lasting {
                database.is_helped_by_run = false;
                if let Some(cause) = last.cause.clone() {
                    database.explain(cause, "");
                }
            }
        })
        .await;
}
