//! Follows a run to its end: what each database's execution does, and how far its copy is.
//!
//! Following changes nothing: it can stop at any moment, and begin again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use jiff::{SignedDuration, Timestamp};
use rds::{Rds, SnapshotQuery};

use crate::copies::NEEDS;
use crate::machines::{Execution, Machines, Named, Record, Stage, execution_arn, suffix_of_run};
use crate::moment::length;
use crate::progress::Progress;
use crate::{Cloud, Failure, HeldCopy, Screen, Stack};

/// Most executions of one run.
const MAX_CHILDREN: usize = 50_000;

/// Most pages of a kind that a run can have.
const MAX_PAGES: u32 = 100;

/// Looks in a row that may fail before following ends.
const MAX_UNANSWERED: u32 = 4;

/// What a database's execution does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Not copying yet: it looks for the snapshot, or waits for a slot.
    Waiting,
    /// RDS copies.
    Copying {
        percent: i32,
        size_gib: Option<i32>,
        remaining: Option<SignedDuration>,
    },
    /// The copy is complete: it is verified, then old ones are pruned.
    Finishing,
    /// It ended.
    Ended(Stage),
}

impl std::fmt::Display for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting"),
            Self::Copying {
                percent,
                size_gib,
                remaining,
            } => {
                write!(f, "copying, {percent} %")?;
                if let Some(size) = size_gib {
                    write!(f, " of {size} GiB")?;
                }
                match remaining {
                    Some(remaining) => write!(f, ", {} to go", length(*remaining)),
                    None => Ok(()),
                }
            }
            Self::Finishing => f.write_str("verifying and pruning"),
            Self::Ended(stage) => write!(f, "{stage}"),
        }
    }
}

/// A database of the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: DatabaseKind,
    pub(crate) id: String,
    /// What tells it from others of that name, if it no longer exists.
    retired: Option<String>,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let retired = if self.retired.is_some() { " (retired)" } else { "" };
        write!(f, "{} {}{retired}", self.kind, self.id)
    }
}

/// How a run stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// Databases that the run has listed, if it says.
    pub(crate) total: Option<u32>,
    /// Those whose execution has begun.
    pub(crate) databases: BTreeMap<Key, Doing>,
}

impl Sight {
    pub(crate) fn ended(&self) -> usize {
        let ended = |doing: &&Doing| matches!(doing, Doing::Ended(_));
        self.databases.values().filter(ended).count()
    }
}

/// How following ended.
#[derive(Debug)]
pub(crate) enum Followed {
    /// The run ended. Beside it, the executions that it started.
    Ended(Box<Record>, Vec<Execution>),
    /// The operator has seen enough. The run goes on.
    Left,
}

/// One run, as it is followed.
#[derive(Debug)]
pub(crate) struct Follower<'a> {
    cloud: &'a Cloud,
    stack: &'a Stack,
    machines: Machines,
    destination: Rds,
    owner: Owner,
    arn: String,
    suffixes: BTreeSet<String>,
    quiet: bool,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(cloud: &'a Cloud, stack: &'a Stack, arn: &str) -> Self {
        Self {
            cloud,
            stack,
            machines: cloud.machines(&stack.region),
            destination: cloud.rds(&stack.destination_region),
            owner: Owner::new(&stack.region, &stack.owner_id),
            suffixes: suffixes(&stack.copy_fleet_arn, arn),
            arn: arn.to_owned(),
            quiet: false,
        }
    }

    /// The same, without a word on how each database does.
    pub(crate) fn quietly(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// Looks again and again until the run ends, or `interrupt` does.
    pub(crate) async fn follow(
        &self,
        interrupt: &mut (dyn Future<Output = ()> + Unpin),
        screen: &mut Screen<'_>,
    ) -> Result<Followed, Failure> {
        let mut progress = Progress::new(screen, self.quiet);
        let mut total = None;
        let mut unanswered = 0;
        let begun = self.cloud.now();
        loop {
            let looked = async {
                let record = self.machines.record(&self.arn).await?;
                let children = self.children(record.execution.started).await?;
                if total.is_none() {
                    total = self.machines.databases_of_run(&self.arn).await?;
                }
                let databases = self.doing(&children).await?;
                Ok::<_, Failure>((record, children, Sight { total, databases }))
            };
            let looked = tokio::select! {
                biased;
                () = &mut *interrupt => return Ok(Followed::Left),
                looked = looked => looked,
            };
            match looked {
                Ok((record, children, sight)) => {
                    unanswered = 0;
                    progress.show(&sight, self.cloud.now(), screen);
                    if record.execution.stage != Stage::Running {
                        return Ok(Followed::Ended(Box::new(record), children));
                    }
                }
                // Runs last for hours, and networks do not always.
                Err(failure) => {
                    unanswered += 1;
                    if unanswered == MAX_UNANSWERED {
                        return Err(failure);
                    }
                }
            }
            let pause = pause(self.cloud.now().duration_since(begun));
            tokio::select! {
                biased;
                () = &mut *interrupt => return Ok(Followed::Left),
                () = self.cloud.sleep(pause) => {}
            }
        }
    }

    /// The executions of copy-snapshot that this run, or a page of it, started.
    async fn children(&self, since: Timestamp) -> Result<Vec<Execution>, Failure> {
        let machine = &self.stack.copy_snapshot_arn;
        // The list rounds times to seconds.
        let since = since - SignedDuration::from_secs(1);
        let mut all = self.machines.executions(machine, since, MAX_CHILDREN).await?;
        all.retain(|execution| Named::read(&execution.name).is_some_and(|named| self.suffixes.contains(named.suffix)));
        Ok(all)
    }

    async fn doing(&self, children: &[Execution]) -> Result<BTreeMap<Key, Doing>, Failure> {
        let mut databases = BTreeMap::new();
        let mut running: BTreeMap<DatabaseKind, Vec<String>> = BTreeMap::new();
        for child in children {
            let Some(Named { kind, id, retired, .. }) = Named::read(&child.name) else {
                continue;
            };
            let doing = match child.stage {
                // What is only pruned has no copy under way.
                Stage::Running if retired.is_some() => Doing::Finishing,
                Stage::Running => {
                    running.entry(kind).or_default().push(id.to_owned());
                    Doing::Waiting
                }
                ended => Doing::Ended(ended),
            };
            let key = Key {
                kind,
                id: id.to_owned(),
                retired: retired.map(str::to_owned),
            };
            databases.insert(key, doing);
        }
        let now = self.cloud.now();
        for (kind, ids) in running {
            let copies = self
                .destination
                .snapshots(kind, SnapshotQuery::ManualOfNames(&ids))
                .await;
            let copies = copies.map_err(|error| Failure::of_rds(self.destination.region(), NEEDS, &error))?;
            for snapshot in copies {
                let Some(own) = OwnCopy::read(&self.owner, &snapshot) else {
                    continue;
                };
                let key = Key {
                    kind,
                    id: snapshot.database_id.clone(),
                    retired: None,
                };
                let doing = match own.status {
                    CopyStatus::InProgress => {
                        let copy = HeldCopy { own, snapshot };
                        Doing::Copying {
                            percent: copy.snapshot.percent,
                            // Aurora always says 1.
                            size_gib: copy.snapshot.size_gib.filter(|size| *size > 1),
                            remaining: copy.remaining(now),
                        }
                    }
                    CopyStatus::Unverified => Doing::Finishing,
                    _ => continue,
                };
                databases.insert(key, doing);
            }
        }
        Ok(databases)
    }
}

/// The ends of the names of a run's executions: its own, and those of its pages.
fn suffixes(machine_arn: &str, run_arn: &str) -> BTreeSet<String> {
    let root = run_arn.rsplit(':').next().unwrap_or_default();
    let begin: String = root.chars().take(70).collect();
    let pages = (2..=MAX_PAGES).flat_map(|number| [format!("{begin}-pi{number}"), format!("{begin}-pc{number}")]);
    pages
        .map(|page| suffix_of_run(&execution_arn(machine_arn, &page)))
        .chain([suffix_of_run(run_arn)])
        .collect()
}

/// Short at first, when somebody watches closely; then long enough to cost nothing over hours.
fn pause(watched: SignedDuration) -> Duration {
    Duration::from_secs(match watched.as_secs() {
        ..60 => 2,
        60..600 => 5,
        _ => 15,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executions_of_a_runs_pages_are_its_own() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:snapferry-copy-fleet";
        let run = execution_arn(machine, "nightly");
        let suffixes = suffixes(machine, &run);
        assert!(suffixes.contains(&suffix_of_run(&run)));
        assert!(suffixes.contains(&suffix_of_run(&execution_arn(machine, "nightly-pc7"))));
        assert!(!suffixes.contains(&suffix_of_run(&execution_arn(machine, "nightly-2"))));
    }
}
