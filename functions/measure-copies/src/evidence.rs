//! What is kept of a day: each database, its newest verified copy, whether that could be restored, and its last drill.
//!
//! Executions are gone after 90 days, and metrics after 15 months. The state machine keep-evidence asks for the databases
//! in parts, because a payload may have 256 KiB, and writes each part to a bucket as JSON and as a page.

use std::collections::BTreeMap;

use domain::drill_proof::DrillProof;
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::newest_copies::{Databases, NewestCopy};
use domain::restorability::{Restorability, RestoreNeeds, Verdict};
use domain::snapshot::Encryption;
use jiff::{SignedDuration, Timestamp};
use rds::restorability::Questions;
use runtime::watch::Watch;
use serde::{Deserialize, Serialize};
use ssm::{AllProofs, ReadProofs};

use crate::Lookups;
use crate::page::page;

/// Databases of a part: with the longest names and reasons, a part and its page fit into a payload.
pub const DATABASES_PER_PART: usize = 30;
/// Most sentences of what is in the way of a restore.
const MAX_REASONS: usize = 2;
/// Most characters of each.
const MAX_REASON: usize = 200;

/// Which part of the evidence is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Asked {
    /// Its number: 1 for the first one.
    part: u32,
    /// The last database of the part before, by its key, as [`Part::next`] gave it.
    #[serde(default)]
    after: Option<String>,
}

/// A part of the evidence of a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// What is kept.
    pub record: Record,
    /// The same as a page of HTML. It has no character that JSON would escape: nobody has said whether Step Functions writes
    /// a string to a bucket as it is or as JSON, and so both are the page.
    pub page: String,
    /// What the next part comes after, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What is kept of a day, in a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Version of this format.
    pub format: u32,
    /// When it was looked up.
    pub time: Timestamp,
    /// The release that looked it up.
    pub release: String,
    /// The stack that keeps it.
    pub stack: String,
    /// Whose copies they are.
    pub owner: String,
    /// Region of the copies.
    pub region: String,
    /// Region of the databases.
    pub source_region: String,
    /// How old the newest copy of a database may be, in hours.
    pub objective_hours: u32,
    /// Which part it is.
    pub part: u32,
    /// Databases with a verified copy, in all parts.
    pub databases_in_all: usize,
    /// Databases that have copies, and no verified one.
    pub without_copy: usize,
    /// The databases of this part.
    pub databases: Vec<Database>,
}

/// A database, and what could be restored of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// What it was called when it was copied.
    pub id: String,
    /// What tells it from others of its name.
    pub resource_id: String,
    /// Whether it has had no new copy for a fortnight while others have: it is deleted, as a rule.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub left_behind: bool,
    /// Its newest verified copy.
    pub copy: Copy,
    /// Age of the data of that copy in hours.
    pub age_hours: f64,
    /// Whether that is within the RPO.
    pub within_objective: bool,
    /// Whether the copy could be restored in its region.
    pub restorable: Verdict,
    /// What is in the way, or is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Its last drill, if there has been one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_drill: Option<DrillProof>,
}

/// A copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Copy {
    /// Its identifier.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When its snapshot was taken.
    pub snapshot_time: Timestamp,
    /// When its data was current.
    pub data_time: Timestamp,
    /// Size in GiB, where RDS says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_gib: Option<i32>,
    /// Engine and version.
    pub engine: String,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// The key, if it is one of the account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
}

/// Looks up the part that is asked for.
pub async fn part<P: ReadProofs>(
    watch: &Watch,
    lookups: &Lookups<P>,
    asked: &Asked,
    now: Timestamp,
) -> Result<Part, Error> {
    let databases = watch.databases(now).await?;
    let in_all = databases.current.len() + databases.left_behind.len();
    let without_copy = databases.without_copy;
    let (chosen, next) = choose(databases, asked.after.as_deref());
    let needs: Vec<RestoreNeeds> = chosen.iter().map(|(copy, _)| copy.needs.clone()).collect();
    let questions = Questions {
        needs: &needs,
        subnet_group: watch.settings.drills.subnet_group.as_deref(),
    };
    let facts = watch
        .rds
        .restore_facts(questions, async |arn| lookups.keys.state(arn).await)
        .await;
    let mut proofs = lookups.proofs.all(&watch.owner).await?;
    let objective = SignedDuration::from_hours(i64::from(watch.settings.objective_hours));
    let record = Record {
        format: 1,
        time: now,
        release: watch.release.clone(),
        stack: watch.settings.stack.clone(),
        owner: watch.owner.tag().to_owned(),
        region: watch.settings.region.clone(),
        source_region: watch.settings.source_region.clone(),
        objective_hours: watch.settings.objective_hours,
        part: asked.part,
        databases_in_all: in_all,
        without_copy,
        databases: chosen
            .into_iter()
            .map(|(copy, left_behind)| {
                let restorability = facts.judge(&copy.needs);
                let proof = proof(&mut proofs, &copy);
                database(copy, left_behind, &restorability, proof, objective, now)
            })
            .collect(),
    };
    tracing::info!(
        part = asked.part,
        databases = record.databases.len(),
        "evidence looked up"
    );
    let page = page(&record, next.is_some());
    Ok(Part { record, page, next })
}

/// The databases of the part that comes after `after`, each with whether it is left behind, and what the next part comes
/// after.
fn choose(databases: Databases, after: Option<&str>) -> (Vec<(NewestCopy, bool)>, Option<String>) {
    let current = databases.current.into_iter().map(|copy| (copy, false));
    let left_behind = databases.left_behind.into_iter().map(|copy| (copy, true));
    // By what never changes: a database that comes or goes between two parts moves no other one across their border.
    let mut rest: BTreeMap<String, (NewestCopy, bool)> = current
        .chain(left_behind)
        .map(|one| (key(&one.0), one))
        .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after))
        .collect();
    let border = rest.keys().nth(DATABASES_PER_PART).cloned();
    if let Some(border) = &border {
        rest.split_off(border);
    }
    let next = border.and_then(|_| rest.keys().next_back().cloned());
    (rest.into_values().collect(), next)
}

fn key(copy: &NewestCopy) -> String {
    format!("{}/{}", copy.kind, copy.resource_id)
}

fn proof(proofs: &mut AllProofs, copy: &NewestCopy) -> Option<DrillProof> {
    proofs.remove(&(copy.kind, copy.resource_id.clone()))
}

fn database(
    copy: NewestCopy,
    left_behind: bool,
    restorability: &Restorability,
    last_drill: Option<DrillProof>,
    objective: SignedDuration,
    now: Timestamp,
) -> Database {
    let age = copy.age(now);
    let missing = restorability.missing.iter().map(ToString::to_string);
    let warnings = restorability.warnings.iter().map(ToString::to_string);
    Database {
        kind: copy.kind,
        left_behind,
        // Two places: what a person reads.
        age_hours: (runtime::metrics::hours(age) * 100.0).round() / 100.0,
        within_objective: age <= objective,
        restorable: restorability.verdict,
        reasons: missing
            .chain(warnings)
            .take(MAX_REASONS)
            .map(|reason| reason.chars().take(MAX_REASON).collect())
            .collect(),
        last_drill,
        copy: Copy {
            id: copy.id,
            arn: copy.arn,
            snapshot_time: copy.created,
            data_time: copy.data_at,
            size_gib: copy.size_gib,
            engine: copy.needs.engine.to_string(),
            encryption: copy.needs.encryption,
            kms_key_arn: copy.needs.kms_key_arn,
        },
        id: copy.name,
        resource_id: copy.resource_id,
    }
}

#[cfg(test)]
mod tests;
