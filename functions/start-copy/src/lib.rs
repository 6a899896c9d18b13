//! Starts the copy of a snapshot to the destination region.
//!
//! In: [`Found`] that decided to copy. Out: [`StartAnswer`]: the copy, or what has to be waited for first. Safe to run
//! twice: the copy's name is a function of the snapshot, so the second time finds the copy of the first and joins it.

#![forbid(unsafe_code)]

mod tag_set;

use std::collections::BTreeMap;

use domain::copy_tags::{CopyStatus, CopyTags, OwnCopy};
use domain::error::{Error, Refusal};
use domain::kind::DatabaseKind;
use domain::ownership::MAX_ATTEMPTS;
use domain::payload::{CopyRef, DatabaseFacts, Found, Source, StartAnswer, Started, Target, Wait, WaitReason};
use domain::rds_rules::needs_presigned_url;
use domain::restore_settings::Setting;
use domain::settings::{KmsKey, Settings};
use domain::snapshot::{Database, Snapshot};
use jiff::Timestamp;
use rds::{CopyRequest, codes};

use runtime::deployment::Deployment;
use runtime::metrics::Metric;

/// Asks for the copy under the next free name. Where RDS is not ready for it, the answer is to wait.
pub async fn handle(deployment: &Deployment, mut found: Found, now: Timestamp) -> Result<StartAnswer, Error> {
    let source = check(deployment, &found)?.clone();
    let Reading {
        inherited,
        mut facts,
        facts_are_whole,
        warning,
    } = read(deployment, &found, &source).await?;
    let target = found.target.clone();
    let keys = target.keys(source.encryption, &deployment.settings)?;

    let mut refused = None;
    for key in keys.iter().skip(facts.refused_keys.min(keys.len() - 1)) {
        let options = CopyOptions {
            source: &source,
            inherited: &inherited,
            facts: &facts,
            key: *key,
        };
        match start(deployment, &found, &options, now).await {
            // Without the key there may be a copy yet; if not, the first refusal says more.
            Err(error) if codes::is_refused_parameter(&error) => {
                facts.refused_keys += 1;
                refused = refused.or(Some(error));
            }
            Err(error) => {
                let facts = facts_are_whole.then_some(facts);
                let waiting = wait(&deployment.settings, Found { facts, ..found }, *key, error)?;
                return Ok(StartAnswer::Waiting(Box::new(waiting)));
            }
            Ok(copy) => {
                tracing::info!(copy = copy.id, attempt = copy.attempt, "copy started or joined");
                found.warnings.extend(warning);
                return Ok(StartAnswer::Started(Box::new(started(found, source, copy))));
            }
        }
    }
    Err(refused.unwrap_or_else(|| Error::RdsError {
        refusal: Refusal::without_code(format!("there is no way to copy {}", source.id)),
    }))
}

/// What is copied, and with which key.
struct CopyOptions<'a> {
    source: &'a Source,
    inherited: &'a BTreeMap<String, String>,
    facts: &'a DatabaseFacts,
    key: Option<&'a str>,
}

/// What a copy is made with, beside what the payload brings.
struct Reading {
    /// The tags that the copy inherits. No payload carries their values.
    inherited: BTreeMap<String, String>,
    facts: DatabaseFacts,
    /// Whether the database was read for them, so that the next try need not read it again.
    facts_are_whole: bool,
    /// What the copy lacks because the database could not be read, which is worth less than the copy.
    warning: Option<String>,
}

/// Reads the snapshot and the database. A try after the first one reads only the one of them that has the tags, because
/// many such tries may find the slots full.
async fn read(deployment: &Deployment, found: &Found, source: &Source) -> Result<Reading, Error> {
    let Target { kind, resource_id, .. } = &found.target;
    let Some(facts) = found.facts.clone() else {
        let (snapshot, database) = tokio::join!(
            source_snapshot(deployment, found, source),
            describe(deployment, *kind, resource_id),
        );
        let snapshot = snapshot?;
        let (database, warning) = match database {
            Ok(database) => (database, None),
            Err(error) => (
                None,
                Some(unread("records no settings of the database for a restore", &error)),
            ),
        };
        let facts = tag_set::facts(&snapshot, database.as_ref());
        let of_database = database.filter(|_| facts.inherits_of_database);
        return Ok(Reading {
            inherited: of_database.map_or(snapshot.tags, |database| database.tags),
            facts,
            facts_are_whole: warning.is_none(),
            warning,
        });
    };
    let (inherited, warning) = if facts.inherits_of_database {
        match deployment.source.database(*kind, resource_id).await {
            Ok(database) => (database.map(|database| database.tags).unwrap_or_default(), None),
            Err(error) => (
                BTreeMap::new(),
                Some(unread("inherits no tags of the database", &error)),
            ),
        }
    } else {
        (source_snapshot(deployment, found, source).await?.tags, None)
    };
    Ok(Reading {
        inherited,
        facts,
        facts_are_whole: true,
        warning,
    })
}

/// A warning of what the copy lacks.
fn unread(lacks: &str, error: &Error) -> String {
    tracing::warn!(%error, "the database could not be read");
    format!("the copy {lacks}, which could not be read: {}", error.name())
}

/// What to wait for before the copy with `key` is tried again, if `error` says so, and there is patience left.
fn wait(settings: &Settings, mut found: Found, key: Option<&str>, error: Error) -> Result<Found, Error> {
    let is_of_alias = || {
        let asked = key.map(|key| requested_key(settings, key));
        matches!(&settings.kms_key, KmsKey::Alias(alias) if asked == Some(alias))
    };
    let (reason, why) = match &error {
        Error::CopySlotsFull { reason } => (WaitReason::Slot, reason.clone()),
        Error::SnapshotNotReady { reason } => (WaitReason::Busy, reason.clone()),
        Error::KeyNotUsable { reason } if is_of_alias() => (WaitReason::Key, reason.clone()),
        _ => return Err(error),
    };
    let last = found.waiting.take();
    let waiting = found
        .target
        .next_wait(reason, why, last.as_ref(), settings.slot_wait_hours)
        .ok_or(error)?;
    tracing::info!(?reason, wait_seconds = waiting.seconds, "the copy cannot begin yet");
    Ok(Found {
        waiting: Some(waiting),
        ..found
    })
}

/// Asks for the copy under the next free name.
async fn start(
    deployment: &Deployment,
    found: &Found,
    options: &CopyOptions<'_>,
    now: Timestamp,
) -> Result<CopyRef, Error> {
    let CopyOptions {
        source,
        inherited,
        facts,
        key,
    } = *options;
    let settings = &deployment.settings;
    for attempt in found.attempt..MAX_ATTEMPTS {
        let ours = CopyTags {
            attempt,
            kms_key_arn: key.map(str::to_owned),
            ..tag_set::ours(&found.target, source, facts, &settings.stack, now)
        };
        let request = CopyRequest {
            kind: found.target.kind,
            source_arn: source.arn.clone(),
            id: ours.copy_id(&deployment.owner),
            kms_key_arn: key.map(|key| requested_key(settings, key).to_owned()),
            option_group: found
                .target
                .option_group(&source.engine, facts.snapshot_option_group.as_deref(), settings)
                .map(str::to_owned),
            presigned: needs_presigned_url(&settings.source_region, &source.engine),
            tags: tag_set::all(inherited, &ours, &deployment.owner),
        };
        if let Some(copy) = copy_or_join(deployment, &request, source, key, attempt, now).await? {
            return Ok(copy);
        }
    }
    Err(Error::AttemptsUsedUp {
        attempts: MAX_ATTEMPTS,
        snapshot: source.id.clone(),
    })
}

/// What RDS is asked for in the place of `key`. An alias is asked for as such: the key that the payload says it stands
/// for is only what the copy is compared with.
fn requested_key<'a>(settings: &'a Settings, key: &'a str) -> &'a str {
    if settings.allows_key(key) {
        key
    } else {
        settings.kms_key.arn()
    }
}

/// Refuses a payload that this function must not act on, whatever was decided before.
fn check<'a>(deployment: &Deployment, found: &'a Found) -> Result<&'a Source, Error> {
    found.target.check_for_copy(&deployment.settings)?;
    if found.target.dry_run || deployment.settings.dry_run {
        return Err(Error::bad_input(
            "target.dryRun",
            "a dry run copies nothing",
            "Start the execution without dryRun, and set the parameter DryRun to false.",
        ));
    }
    found.source.as_ref().ok_or_else(|| {
        Error::bad_input(
            "source",
            "is missing",
            "This function follows find-latest-snapshot: start copy-snapshot itself.",
        )
    })
}

/// The snapshot with its tags, which the payload does not carry.
async fn source_snapshot(deployment: &Deployment, found: &Found, source: &Source) -> Result<Snapshot, Error> {
    let snapshot_type = if source.id.starts_with("rds:") {
        "automated"
    } else {
        "manual"
    };
    let snapshot = deployment
        .source
        .snapshot(found.target.kind, &source.id, snapshot_type)
        .await?;
    match snapshot {
        // A name is given again: the snapshot is its ARN and its creation time.
        Some(snapshot) if snapshot.arn == source.arn && snapshot.captured_at() == Some(source.created_at) => {
            Ok(snapshot)
        }
        _ => Err(Error::SnapshotNotFound {
            reason: format!("{} is gone from {}", source.id, deployment.source.region()),
        }),
    }
}

/// The database as it is now, for the tags that a restore needs; nothing if it was deleted meanwhile. What a cluster
/// does not say of its instances, such as their class, its writer says.
async fn describe(deployment: &Deployment, kind: DatabaseKind, resource_id: &str) -> Result<Option<Database>, Error> {
    let Some(mut database) = deployment.source.database(kind, resource_id).await? else {
        return Ok(None);
    };
    if kind == DatabaseKind::Cluster && database.class.is_none() {
        match deployment.source.members(&database.id).await {
            Ok(members) => describe_members(&mut database, members),
            Err(error) => tracing::warn!(%error, "the members of the cluster could not be read"),
        }
    }
    Ok(Some(database))
}

/// Adds what the writer says, or, where RDS names none, the first instance. The instances are restored like it.
fn describe_members(cluster: &mut Database, members: Vec<Database>) {
    let is_writer = |member: &Database| cluster.writer.as_deref() == Some(&member.id);
    let at = members.iter().position(is_writer).unwrap_or_default();
    let Some(mut writer) = members.into_iter().nth(at) else {
        return;
    };
    let parameter_group = writer.parameter_group.filter(|group| !group.starts_with("default."));
    let settings = &mut cluster.settings;
    settings.set(Setting::MemberParameterGroup, parameter_group);
    for setting in [
        Setting::Ca,
        Setting::Monitoring,
        Setting::MonitoringRole,
        Setting::Insights,
        Setting::AutoUpgrade,
        Setting::Public,
    ] {
        settings.set(setting, writer.settings.take(setting));
    }
    cluster.class = writer.class;
}

/// The copy, started now or before; nothing if the one of that name failed, so that the caller tries the next name.
async fn copy_or_join(
    deployment: &Deployment,
    request: &CopyRequest,
    source: &Source,
    key: Option<&str>,
    attempt: u32,
    now: Timestamp,
) -> Result<Option<CopyRef>, Error> {
    let region = deployment.destination.region();
    match deployment.destination.copy(request, now).await {
        Ok(copy) => {
            let about = [("Copy", copy.id.as_str()), ("Snapshot", source.id.as_str())];
            deployment.meter.stack(now, &[(Metric::COPIES_STARTED, 1.0)], &about);
            Ok(Some(CopyRef {
                id: copy.id,
                arn: copy.arn,
                region: region.to_owned(),
                kms_key_arn: key.map(str::to_owned),
                requested_at: now,
                attempt,
            }))
        }
        Err(Error::NameTaken { .. }) => {
            let there = deployment
                .destination
                .snapshot(request.kind, &request.id, "manual")
                .await?;
            let Some(there) = there else {
                return Err(Error::SnapshotNotReady {
                    reason: format!("{} was there a moment ago and is gone", request.id),
                });
            };
            match OwnCopy::read(&deployment.owner, &there) {
                Some(own) if own.is_of(source, key) => match own.status {
                    CopyStatus::Failed | CopyStatus::Mismatched => Ok(None),
                    // Its name is free in a moment.
                    CopyStatus::Going => Err(Error::SnapshotNotReady {
                        reason: format!("{} is being deleted", request.id),
                    }),
                    CopyStatus::Verified | CopyStatus::Unverified | CopyStatus::InProgress => {
                        Ok(Some(own.to_ref(region)))
                    }
                },
                _ => Err(Error::NameTaken {
                    copy: request.id.clone(),
                }),
            }
        }
        Err(error) if codes::is_unclear_quota(&error) => Err(which_quota(deployment, request.kind, error).await?),
        Err(error) => Err(error),
    }
}

/// Which limit RDS meant, when its text does not say: the quota of manual snapshots if it is used up, else the
/// copies in flight.
async fn which_quota(deployment: &Deployment, kind: DatabaseKind, refusal: Error) -> Result<Error, Error> {
    let quotas = deployment.destination.account_quotas().await?;
    Ok(match quotas.snapshots.get(&kind) {
        Some(quota) if quota.used >= quota.max => Error::SnapshotQuotaFull {
            reason: format!("{} of {} manual {kind} snapshots exist", quota.used, quota.max),
        },
        Some(_) => Error::CopySlotsFull {
            reason: refusal.to_string(),
        },
        None => refusal,
    })
}

fn started(found: Found, source: Source, copy: CopyRef) -> Started {
    Started {
        target: found.target,
        former_ids: found.former_ids,
        decision: found.decision,
        outcome: found.outcome,
        reason: found.reason,
        warnings: found.warnings,
        source,
        wait: Wait::first(&copy.id),
        copy,
        verified_copies: found.verified_copies,
    }
}

#[cfg(test)]
mod tests;
