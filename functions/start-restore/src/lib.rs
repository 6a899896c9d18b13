//! Asks RDS to restore a copy into a database that exists for one drill only, or for the instance of a restored cluster.
//!
//! In: a [`Drill`]. Out: the same with a restore, with what has to be waited for, or with a verdict. Safe to repeat: the
//! database's name follows from the copy, and one that is there already is joined if this very drill made it.
//!
//! Where the database lands, what it may cost and how long it lives come from the stack's own settings, never from an input.

#![forbid(unsafe_code)]

mod class;
mod room;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::drill::{Description, Drill, DrillOutcome, DrillWait, Restore, RestoreState, RestoreWait, Verdict};
use domain::drill_database::{DrillMark, identifier, member_identifier, prefix};
use domain::error::Error;
use domain::hash::spread;
use domain::kind::DatabaseKind;
use domain::rds_rules::is_aurora;
use domain::restorability::RestoreNeeds;
use domain::snapshot::Snapshot;
use domain::tags;
use domain::watch_settings::ClusterDrills;
use jiff::{SignedDuration, Timestamp};
use rds::codes::{DatabaseRefusal, database_refusal};
use rds::restore::{RestoreRequest, Restored};
use runtime::watch::Watch;

/// The first wait for a restore, in seconds. No restore takes less than minutes.
const FIRST_WAIT_SECONDS: u64 = 60;
/// Seconds to wait while as many drill databases exist as may, and while a copy or a cluster is busy. Spread, so that
/// drills that wait together do not try together.
const WAIT_SECONDS: std::ops::RangeInclusive<u64> = 90..=180;

/// Why a drill goes no further now.
enum Stop {
    /// Something has to be waited for.
    Wait(String),
    /// There is a verdict.
    End(Verdict),
    /// The step failed, and may be tried again.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Makes the database, or the instance of a cluster.
pub async fn handle(watch: &Watch, drill: Drill, now: Timestamp) -> Result<Drill, Error> {
    check(watch, &drill)?;
    let begun = match &drill.restore {
        Some(restore) => create_member(watch, &drill, restore, now).await,
        None => begin(watch, &drill, now).await,
    };
    let drill = Drill { waiting: None, ..drill };
    Ok(match begun {
        Ok(restore) => Drill {
            restore: Some(restore),
            ..drill
        },
        Err(Stop::Failed(error)) => return Err(error),
        Err(Stop::End(verdict)) => {
            tracing::info!(database = drill.name, outcome = %verdict.outcome, reason = verdict.reason, "no restore");
            Drill {
                verdict: Some(verdict),
                ..drill
            }
        }
        Err(Stop::Wait(reason)) => Drill {
            waiting: Some(DrillWait {
                reason,
                seconds: spread(&format!("{}{now}", drill.execution), WAIT_SECONDS),
            }),
            ..drill
        },
    })
}

/// Refuses a name that is not what this owner calls the drill database of that copy.
fn check(watch: &Watch, drill: &Drill) -> Result<(), Error> {
    if drill.name == identifier(&watch.owner, &drill.copy.arn, &drill.id) {
        return Ok(());
    }
    Err(Error::bad_input(
        "name",
        &format!("{:?} is not the name of the drill database of this copy", drill.name),
        "Start drill-fleet, which names it.",
    ))
}

/// A drill that begins: everything is asked for before anything is made.
async fn begin(watch: &Watch, drill: &Drill, now: Timestamp) -> Result<Restore, Stop> {
    let drills = &watch.settings.drills;
    let (Some(subnet_group), Some(security_group)) = (&drills.subnet_group, &drills.security_group) else {
        return Err(not_run(
            "the stack has no network for drills: set DrillSubnetGroup, and DrillVpcId or DrillSecurityGroup",
        ));
    };
    let (copy, expected) = copy(watch, drill).await?;
    let until = now + SignedDuration::from_hours(i64::from(drills.hours));
    let needs = RestoreNeeds::new(&copy);
    let there = watch.rds.restored_named(&prefix(&watch.owner)).await?;
    if let Some(database) = room::among(watch, drill, &there)? {
        let class = class_of(watch, drill, &copy, &needs).await?;
        return Ok(restore_of(
            watch,
            &copy,
            expected,
            joined_until(database, until),
            class,
            now,
        ));
    }
    room::in_quotas(watch, drill.kind, &needs).await?;
    let class = class_of(watch, drill, &copy, &needs).await?;
    // Pruning leaves the copy alone from here on.
    match watch.rds.tag(&copy.arn, tags::DRILLING, &until.to_string()).await {
        // A copy of an early release may have as many tags as RDS allows. It is the newest, so that it is pruned only if
        // a newer one is verified meanwhile.
        Err(error @ Error::RdsError { .. }) => tracing::warn!(copy = copy.id, "the copy could not be marked: {error}"),
        marked => marked?,
    }
    let restore = restore_of(watch, &copy, expected, until, class.clone(), now);
    let request = RestoreRequest {
        kind: drill.kind,
        copy_id: copy.id.clone(),
        id: drill.name.clone(),
        copy: restore.expected.clone(),
        class: class.filter(|_| drill.kind == DatabaseKind::Instance),
        // Another type than the copy's makes the restore slower.
        storage_type: needs.storage.filter(|_| is_magnetic(&copy)),
        option_group: needs.option_group,
        subnet_group: subnet_group.clone(),
        security_group: security_group.clone(),
        tags: mark(drill, &copy.arn, until).to_tags(&watch.owner, &drills.tags),
    };
    match watch.rds.restore(&request).await {
        Ok(()) => {
            tracing::info!(
                copy = copy.id,
                database = drill.name,
                class = request.class,
                "restore asked for"
            );
            Ok(restore)
        }
        Err(error) => refused(watch, drill, error, restore).await,
    }
}

/// The copy, if it still is one that a drill proves something about.
async fn copy(watch: &Watch, drill: &Drill) -> Result<(Snapshot, Description), Stop> {
    let id = &drill.copy.id;
    let Some((snapshot, description)) = watch.rds.copy_to_restore(drill.kind, id).await? else {
        return Err(not_run(&format!("{id} is gone: it was pruned, or somebody deleted it")));
    };
    match OwnCopy::read(&watch.owner, &snapshot).map(|own| own.status) {
        Some(CopyStatus::Verified) if snapshot.arn == drill.copy.arn => Ok((snapshot, description)),
        Some(_) => Err(not_run(&format!("{id} is not a verified copy any more"))),
        None => Err(not_run(&format!("{id} is not a copy of this stack"))),
    }
}

/// The class that the instance gets; none for a cluster that gets no instance.
async fn class_of(watch: &Watch, drill: &Drill, copy: &Snapshot, needs: &RestoreNeeds) -> Result<Option<String>, Stop> {
    let (engine, region) = (&needs.engine, &watch.settings.region);
    let wanted = &watch.settings.drills.class;
    if !needs.is_listed() {
        return Ok(wanted.clone());
    }
    let offers = watch.rds.offers(engine).await?;
    if offers.is_empty() {
        let reason = format!(
            "{engine} is not on offer in {region}: this copy cannot be restored as it is. Upgrade the copy \
             (modify-db-snapshot), or restore it in a region that has the version"
        );
        let verdict = Verdict::new(DrillOutcome::Unsupported, &reason);
        return Err(Stop::End(verdict.because_of("VersionNotOffered")));
    }
    let is_instance = drill.kind == DatabaseKind::Instance;
    if !is_instance && !with_instance(watch, copy) {
        return Ok(None);
    }
    if let Some(class) = wanted {
        return match offers.get(class) {
            Some(_) => Ok(Some(class.clone())),
            None => Err(not_run(&format!(
                "the class {class} (DrillClass) is not on offer for {engine} in {region}; on offer: {}",
                offers.names(Some(class))
            ))),
        };
    }
    let of_storage = class::Needs {
        storage: needs.storage.as_deref().filter(|_| is_instance),
        license: needs.license.as_deref().filter(|_| is_instance),
        encrypted: is_instance && copy.kms_key_arn.is_some(),
    };
    match class::smallest(&offers, of_storage) {
        Some(class) => Ok(Some(class.to_owned())),
        None => Err(not_run(&format!(
            "no class on offer for {engine} in {region} has the storage and the licence of the copy"
        ))),
    }
}

/// Whether the restored cluster gets an instance.
fn with_instance(watch: &Watch, copy: &Snapshot) -> bool {
    copy.kind == DatabaseKind::Cluster
        && watch.settings.drills.clusters == ClusterDrills::Full
        && is_aurora(&copy.engine)
}

fn is_magnetic(copy: &Snapshot) -> bool {
    use domain::restore_settings::Setting;
    copy.settings.get(Setting::Storage) == Some("standard")
}

/// The restore as the payload has it.
fn restore_of(
    watch: &Watch,
    copy: &Snapshot,
    expected: Description,
    until: Timestamp,
    class: Option<String>,
    now: Timestamp,
) -> Restore {
    Restore {
        state: RestoreState::Restoring,
        requested_at: now,
        until,
        data_time: OwnCopy::read(&watch.owner, copy).map_or(now, |own| copy.data_at(own.source_created)),
        expected,
        class,
        with_instance: with_instance(watch, copy),
        wait: RestoreWait {
            seconds: FIRST_WAIT_SECONDS,
            waited_seconds: FIRST_WAIT_SECONDS,
        },
        available_at: None,
        minutes: None,
        checked: Vec::new(),
        events: Vec::new(),
        check: None,
    }
}

/// The end that a database was made with, if an earlier attempt of this step made it.
fn joined_until(database: &Restored, until: Timestamp) -> Timestamp {
    let tagged = database.tags.get(tags::DRILL_UNTIL).and_then(|tag| tag.parse().ok());
    tagged.map_or(until, |tagged: Timestamp| tagged.min(until))
}

fn mark(drill: &Drill, copy_arn: &str, until: Timestamp) -> DrillMark {
    DrillMark {
        run: drill.execution.clone(),
        until,
        copy_arn: copy_arn.to_owned(),
    }
}

/// The instance of a cluster that can be used.
async fn create_member(watch: &Watch, drill: &Drill, restore: &Restore, now: Timestamp) -> Result<Restore, Stop> {
    let cluster = watch.rds.restored(DatabaseKind::Cluster, &drill.name).await?;
    let Some(cluster) = cluster.filter(|cluster| is_ours(watch, cluster)) else {
        let reason = format!("the drill cluster {} is gone, or kept by a person", drill.name);
        return Err(not_run(&reason));
    };
    // IAM has no word about this for clusters, so it is read back before anything can be reached.
    if cluster.is_public {
        let reason = format!("{} is publicly accessible, which no drill may be", cluster.id);
        return Err(not_run(&reason));
    }
    let Some(class) = &restore.class else {
        return Err(not_run("no class was chosen for the instance of the cluster"));
    };
    let id = member_identifier(&drill.name);
    let tags = mark(drill, &drill.copy.arn, restore.until).to_tags(&watch.owner, &watch.settings.drills.tags);
    let made = watch
        .rds
        .create_member(&cluster.id, &id, &restore.expected.engine, class, &tags)
        .await;
    let restore = Restore {
        state: RestoreState::Restoring,
        wait: RestoreWait {
            seconds: FIRST_WAIT_SECONDS,
            waited_seconds: restore.wait.waited_seconds + FIRST_WAIT_SECONDS,
        },
        ..restore.clone()
    };
    match made {
        Ok(()) => Ok(restore),
        // The cluster is at something else: asked again after the next poll.
        Err(error) if database_refusal(&error) == DatabaseRefusal::Busy && now < restore.until => Ok(restore),
        Err(error) => refused(watch, drill, error, restore).await,
    }
}

fn is_ours(watch: &Watch, database: &Restored) -> bool {
    database.mark().is_ours(&watch.owner)
}

/// What RDS refused: a verdict, or a wait. What it did not answer is an error, and tried again.
async fn refused(watch: &Watch, drill: &Drill, error: Error, restore: Restore) -> Result<Restore, Stop> {
    if matches!(error, Error::Throttled { .. } | Error::RdsUnavailable { .. }) {
        return Err(error.into());
    }
    let (outcome, reason) = match database_refusal(&error) {
        // An earlier attempt of this step made it, and its answer was lost; or somebody else has the name.
        DatabaseRefusal::NameTaken => {
            let (kind, id) = match drill.restore {
                Some(_) => (DatabaseKind::Instance, member_identifier(&drill.name)),
                None => (drill.kind, drill.name.clone()),
            };
            let there = watch.rds.restored(kind, &id).await?;
            if there.is_some_and(|there| is_ours(watch, &there) && is_of(drill, &there)) {
                return Ok(restore);
            }
            (
                DrillOutcome::NotRun,
                format!("{id} exists, and is not of this drill: {error}"),
            )
        }
        DatabaseRefusal::Busy => return Err(Stop::Wait(format!("{} is busy: {error}", drill.copy.id))),
        DatabaseRefusal::Copy => (DrillOutcome::Failed, format!("the copy cannot be restored: {error}")),
        DatabaseRefusal::CopyGone => (DrillOutcome::NotRun, format!("the copy is gone: {error}")),
        DatabaseRefusal::Surroundings => (
            DrillOutcome::NotRun,
            format!("RDS did not take the restore, which says nothing of the copy: {error}"),
        ),
    };
    let code = match &error {
        Error::RdsError { refusal } if !refusal.code.is_empty() => &refusal.code,
        other => other.name(),
    };
    Err(Stop::End(Verdict::new(outcome, &reason).because_of(code)))
}

/// Whether this drill made a database.
fn is_of(drill: &Drill, database: &Restored) -> bool {
    database
        .tags
        .get(tags::DRILL_RUN)
        .is_some_and(|run| *run == drill.execution)
}

fn not_run(reason: &str) -> Stop {
    Stop::End(Verdict::new(DrillOutcome::NotRun, reason))
}

#[cfg(test)]
mod tests;
