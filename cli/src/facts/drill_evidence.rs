//! The evidence of drills: each drill of a period, the databases of drills that are still there, and the databases without
//! a proof that is young enough. The region of the copies knows all of it.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::drill::{DrillEvery, DrillOutcome};
use domain::drill_database::{SWEEP_GRACE, prefix};
use domain::kind::DatabaseKind;
use domain::newest_copies::Gathered;
use domain::ownership::Owner;
use domain::tags;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use rds::restore::Restored;
use serde::Serialize;

use crate::aws::account::Account;
use crate::aws::step_functions::{ExecutionStatus, Executions};
use crate::aws::watch_stack::WatchStack;
use crate::error::CliError;
use crate::facts::copies::{CopySource, OwnedCopies};
use crate::facts::drill_record::DrillRecord;
use crate::facts::drills::{LastDrill, LastDrills};
use crate::facts::fleet::Fleet;
use crate::format::{counted, database_name, drill_word};

/// Most drills that are read.
const MAX_DRILLS: usize = 5_000;

/// What the operator must be allowed to do, so that the databases of drills are known.
const NEEDS: &str = "rds:DescribeDBInstances and rds:DescribeDBClusters";

/// Why a database of a drill is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DrillDatabaseState {
    /// It is past its time, and a sweep should have deleted it.
    Overdue,
    /// It has no mark: a person keeps it, or gave it that name.
    Kept,
    /// Its drill goes on, or the next sweep deletes it.
    InUse,
}

/// A database that is named like a drill's, and is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DrillDatabase {
    pub(crate) state: DrillDatabaseState,
    pub(crate) kind: DatabaseKind,
    pub(crate) id: String,
    /// When it is deleted, as its tag says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    /// Name of the execution that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<String>,
}

impl DrillDatabase {
    fn new(found: &Restored, owner: &Owner, hours: u32, now: Timestamp) -> Self {
        let mark = found.mark();
        let state = match (mark.is_ours(owner), mark.is_overdue(hours, now - SWEEP_GRACE)) {
            (false, _) => DrillDatabaseState::Kept,
            (true, true) => DrillDatabaseState::Overdue,
            (true, false) => DrillDatabaseState::InUse,
        };
        let until = found.tags.get(tags::DRILL_UNTIL);
        Self {
            state,
            kind: found.kind,
            id: found.id.clone(),
            until: until.and_then(|until| until.parse().ok()),
            execution: mark.run().map(str::to_owned),
        }
    }

    /// The database with its kind, where it is not an instance.
    pub(crate) fn name(&self) -> String {
        database_name(self.kind, &self.id)
    }

    /// Whether it is of that drill. One that was kept may have lost the tag that names its execution.
    fn is_of(&self, drill: &DrillRecord) -> bool {
        let execution = self.execution.as_ref();
        drill.restored_as.as_ref() == Some(&self.id) && execution.is_none_or(|name| *name == drill.execution)
    }
}

/// A database without a proof that is young enough.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotProved {
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
    /// When a drill last passed; nothing if none ever has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_passed_at: Option<Timestamp>,
}

/// What is known of the drills of a stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DrillEvidence {
    /// Name of the destination stack.
    pub(crate) stack: String,
    /// Whether it drills on a schedule.
    pub(crate) scheduled: bool,
    /// Days after which a database should have passed another drill.
    pub(crate) age_limit_days: u32,
    /// Those of the period that have ended, the latest first.
    pub(crate) entries: Vec<DrillRecord>,
    /// Number of those that go on.
    pub(crate) running: usize,
    /// Databases of drills that are there; nothing if they could not be listed.
    pub(crate) databases: Option<Vec<DrillDatabase>>,
    /// Databases that are copied and that no drill has passed lately, without those that ask for no drill.
    pub(crate) not_proved: Vec<NotProved>,
    /// Whether that is every drill since then.
    complete: bool,
}

impl DrillEvidence {
    /// Asks the region of the copies, and no other. What cannot be read is a note: the copies are there all the same.
    pub(crate) async fn collect(
        account: &Account,
        source: &CopySource,
        watch_stack: &str,
        since: Timestamp,
        notes: &mut Vec<String>,
    ) -> Option<Self> {
        let mut note = |text: String| notes.push(text.replace('\n', " "));
        let stack = match account.watch_stack(&source.region, watch_stack).await {
            Ok(stack) => stack,
            Err(error) => {
                note(format!("Drills are not shown. {error}"));
                return None;
            }
        };
        if !source.is_of(&stack.owner()) {
            note(format!(
                "Drills are not shown. The stack {watch_stack} in {} drills the copies of {}/{}, and not these. Name the \
                 destination stack of these copies with --watch-stack.",
                stack.region, stack.source_region, stack.owner_id
            ));
            return None;
        }
        let (ended, running, complete) = match drills(account, &stack, since).await {
            Ok(found) => found,
            Err(error) => {
                note(format!("The drills of the period are not known. {error}"));
                (Vec::new(), 0, false)
            }
        };
        let mut evidence = Self {
            scheduled: stack.rule.is_some(),
            age_limit_days: stack.drill_age_limit_days,
            entries: ended,
            running,
            databases: None,
            not_proved: Vec::new(),
            complete,
            stack: stack.name.clone(),
        };
        match databases(account, &stack).await {
            Ok(found) => evidence.compare_with(found),
            Err(error) => note(format!(
                "Whether databases of drills are still there is not known. {error}"
            )),
        }
        Some(evidence)
    }

    /// What is there, which says of each drill whether its database is gone.
    fn compare_with(&mut self, found: Vec<DrillDatabase>) {
        for drill in self.entries.iter_mut().filter(|drill| drill.restored_as.is_some()) {
            drill.gone = Some(!found.iter().any(|database| database.is_of(drill)));
        }
        self.databases = Some(found);
    }

    /// Finds the databases without a proof that is young enough, among those that seem to be copied still: the same that
    /// the metric `DatabasesNotDrilled` counts, without those that the source region no longer has.
    pub(crate) fn find_not_proved(
        &mut self,
        owned: &OwnedCopies,
        fleet: Option<&Fleet>,
        last: &LastDrills,
        now: Timestamp,
        objective: SignedDuration,
    ) {
        let mut gathered = Gathered::default();
        for database in &owned.databases {
            let key = (database.kind, database.resource_id.clone());
            let Some(newest) = database.newest_verified() else {
                continue;
            };
            if fleet.is_none_or(|fleet| fleet.get(&key).is_some())
                && let Some(owner) = Owner::claimed_by(&newest.snapshot)
            {
                gathered.add(&owner, newest.snapshot.clone());
            }
        }
        let limit = SignedDuration::from_hours(i64::from(self.age_limit_days) * 24);
        let wanted = gathered.into_databases(now, objective).current.into_iter();
        let wanted = wanted.filter(|copy| copy.drill_every != Some(DrillEvery::Never));
        let not_proved = wanted.filter_map(|copy| {
            let last = last.by_database.get(&(copy.kind, copy.resource_id));
            let last_passed_at = last.and_then(LastDrill::passed_at);
            let is_young = last_passed_at.is_some_and(|time| now.duration_since(time) <= limit);
            (!is_young).then_some(NotProved {
                database: copy.name,
                kind: copy.kind,
                last_passed_at,
            })
        });
        self.not_proved = not_proved.collect();
    }

    /// Number of drills per outcome: `3 passed, 1 failed`.
    pub(crate) fn counted(&self) -> String {
        let outcomes = [
            DrillOutcome::Passed,
            DrillOutcome::Failed,
            DrillOutcome::NotRun,
            DrillOutcome::Unsupported,
        ];
        let counts = outcomes.into_iter().map(|outcome| {
            let number = self.entries.iter().filter(|drill| drill.outcome == outcome).count();
            (drill_word(outcome), number)
        });
        let running = std::iter::once(("running", self.running));
        counted(counts.chain(running).filter(|(_, number)| *number > 0))
    }

    /// Databases of drills that are there although no drill needs them: past their time, or kept by a person.
    pub(crate) fn left_behind(&self) -> impl Iterator<Item = &DrillDatabase> {
        let all = self.databases.iter().flatten();
        all.filter(|database| database.state != DrillDatabaseState::InUse)
    }
}

/// The drills since then that have ended, the latest first; how many go on; and whether that is all.
async fn drills(
    account: &Account,
    stack: &WatchStack,
    since: Timestamp,
) -> Result<(Vec<DrillRecord>, usize, bool), CliError> {
    let step_functions = &account.step_functions(&stack.region);
    let listed = step_functions
        .executions(&stack.drill_copy_arn, since, MAX_DRILLS)
        .await?;
    let Executions { found, is_complete } = listed;
    let (running, ended): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|execution| execution.status == ExecutionStatus::Running);
    let records = stream::iter(ended).map(async |execution| {
        let pause = async |seconds| account.sleep(Duration::from_secs(seconds)).await;
        let detail = step_functions.patient_detail(&execution.arn, pause).await?;
        Ok::<_, CliError>(DrillRecord::read(step_functions, &detail).await)
    });
    let records: Vec<Option<DrillRecord>> = records.buffered(4).try_collect().await?;
    Ok((records.into_iter().flatten().collect(), running.len(), is_complete))
}

/// The databases that are named like drill databases, those past their time first. Members of clusters are not among them.
async fn databases(account: &Account, stack: &WatchStack) -> Result<Vec<DrillDatabase>, CliError> {
    let owner = stack.owner();
    let rds = account.rds(&stack.region);
    let found = rds.restored_named(&prefix(&owner)).await;
    let found = found.map_err(|error| CliError::from_rds(&stack.region, NEEDS, &error))?;
    let clusters: BTreeSet<&str> = found
        .iter()
        .filter(|one| one.kind == DatabaseKind::Cluster)
        .map(|cluster| cluster.id.as_str())
        .collect();
    let alone = found.iter().filter(|one| {
        let cluster = one.member_of.as_deref();
        cluster.is_none_or(|cluster| !clusters.contains(cluster))
    });
    let mut databases: Vec<DrillDatabase> = alone
        .map(|one| DrillDatabase::new(one, &owner, stack.drill_hours, account.now()))
        .collect();
    databases.sort();
    Ok(databases)
}
