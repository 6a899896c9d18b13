//! What an auditor asks about: copies that are not as the others are, databases that are left out, warnings.

use std::collections::{BTreeMap, BTreeSet};

use domain::drill::DrillOutcome;
use domain::restore_settings::RestoreHints;
use domain::snapshot::Encryption;
use jiff::Timestamp;
use serde::Serialize;

use crate::facts::copies::{DatabaseCopies, OwnedCopies};
use crate::facts::drill_evidence::{DrillDatabaseState, DrillEvidence};
use crate::facts::fleet::Fleet;
use crate::facts::freshness::DatabaseFreshness;
use crate::format::{copies as copies_word, database_name, format_utc};

/// What is out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExceptionKind {
    #[strum(serialize = "Failed drill")]
    DrillFailed,
    #[strum(serialize = "Copy that cannot be drilled")]
    DrillUnsupported,
    #[strum(serialize = "Database of a drill left behind")]
    DrillDatabaseLeft,
    #[strum(serialize = "No drill has passed lately")]
    NotDrilled,
    #[strum(serialize = "Not encrypted")]
    NotEncrypted,
    #[strum(serialize = "Encrypted with a key that AWS owns")]
    AwsOwnedKey,
    #[strum(serialize = "Another key than most copies")]
    OtherKey,
    #[strum(serialize = "Another option group than the source")]
    OtherOptionGroup,
    #[strum(serialize = "Not supported by AWS")]
    Unsupported,
    #[strum(serialize = "Left out")]
    LeftOut,
    #[strum(serialize = "Makes no snapshots")]
    NoSnapshots,
    #[strum(serialize = "Warning")]
    Warning,
}

impl ExceptionKind {
    /// Whether it is about drills.
    pub(crate) fn is_of_drills(self) -> bool {
        self <= Self::NotDrilled
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Exception {
    pub(crate) kind: ExceptionKind,
    /// The database, if it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
    pub(crate) text: String,
}

/// The key that most verified copies are encrypted with.
pub(crate) fn usual_key(owned: &OwnedCopies) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let all = owned.databases.iter().flat_map(|database| &database.copies);
    for copy in all.filter(|copy| copy.is_verified()) {
        if let Some(key) = &copy.own.kms_key_arn {
            *counts.entry(key).or_default() += 1;
        }
    }
    let usual = counts.into_iter().max_by_key(|(_, count)| *count);
    usual.map(|(key, _)| key.to_owned())
}

/// All exceptions, by kind and database.
pub(crate) fn exceptions(
    owned: &OwnedCopies,
    fleet: Option<&Fleet>,
    warnings: impl IntoIterator<Item = (Option<String>, String)>,
) -> Vec<Exception> {
    let usual = usual_key(owned);
    let mut all: Vec<Exception> = owned
        .databases
        .iter()
        .flat_map(|database| of_copies(database, fleet, usual.as_deref()))
        .collect();
    for living in fleet.iter().flat_map(|fleet| &fleet.databases) {
        let Some(reason) = &living.reason else { continue };
        let kind = if reason.makes_no_snapshots() {
            ExceptionKind::NoSnapshots
        } else if reason.is_left_out() {
            ExceptionKind::LeftOut
        } else {
            ExceptionKind::Unsupported
        };
        all.push(Exception {
            kind,
            database: Some(database_name(living.database.kind, &living.database.id)),
            text: reason.to_string(),
        });
    }
    all.extend(warnings.into_iter().map(|(database, text)| Exception {
        kind: ExceptionKind::Warning,
        database,
        text,
    }));
    all.sort();
    all.dedup();
    all
}

/// Those of drills: failed ones and unsupported copies, of the period or the last ones before it; databases of drills that
/// are there and should not be; databases without a young proof, where drills are on.
pub(crate) fn drill_exceptions(drills: &DrillEvidence, databases: &[DatabaseFreshness]) -> Vec<Exception> {
    let mut all = bad_drills(drills, databases);
    let left = drills.left_behind().map(|database| {
        let text = match (database.state, database.until) {
            (DrillDatabaseState::Overdue, Some(until)) => format!(
                "the sweep should have deleted it: its time was over at {} UTC",
                format_utc(until)
            ),
            (DrillDatabaseState::Overdue, None) => "the sweep should have deleted it: it is past its time".to_owned(),
            (DrillDatabaseState::Kept | DrillDatabaseState::InUse, _) => {
                "it is named like a drill database and has no mark: a person keeps it, and nothing deletes it"
                    .to_owned()
            }
        };
        Exception {
            kind: ExceptionKind::DrillDatabaseLeft,
            database: Some(database.name()),
            text,
        }
    });
    all.extend(left);
    let not_proved = drills.not_proved.iter().filter(|_| drills.scheduled).map(|database| {
        let text = match database.last_passed_at {
            Some(time) => format!(
                "the last drill that passed began at {} UTC, more than {} days ago",
                format_utc(time),
                drills.age_limit_days
            ),
            None => "none ever has".to_owned(),
        };
        Exception {
            kind: ExceptionKind::NotDrilled,
            database: Some(database_name(database.kind, &database.database)),
            text,
        }
    });
    all.extend(not_proved);
    all.sort();
    all
}

/// Drills that failed, and copies that cannot be drilled: one per database and outcome.
fn bad_drills(drills: &DrillEvidence, databases: &[DatabaseFreshness]) -> Vec<Exception> {
    let kind_of = |outcome| match outcome {
        DrillOutcome::Failed => Some(ExceptionKind::DrillFailed),
        DrillOutcome::Unsupported => Some(ExceptionKind::DrillUnsupported),
        DrillOutcome::Passed | DrillOutcome::NotRun => None,
    };
    let text = |time: Option<Timestamp>, reason: Option<&str>, has_passed_since: bool| {
        let time = time
            .map(|time| format!("{} UTC: ", format_utc(time)))
            .unwrap_or_default();
        let reason = reason.unwrap_or("no reason was given").trim_end_matches('.');
        let since = if has_passed_since {
            "; a drill has passed since"
        } else {
            ""
        };
        format!("{time}{reason}{since}")
    };
    let mut found: BTreeMap<(ExceptionKind, String), String> = BTreeMap::new();
    let mut passed: BTreeSet<String> = BTreeSet::new();
    // The latest first.
    for drill in &drills.entries {
        let name = database_name(drill.kind, &drill.database);
        if drill.outcome == DrillOutcome::Passed {
            passed.insert(name);
        } else if let Some(kind) = kind_of(drill.outcome) {
            let text = text(drill.started_at, drill.reason.as_deref(), passed.contains(&name));
            found.entry((kind, name)).or_insert(text);
        }
    }
    for database in databases {
        let Some(last) = &database.drill else { continue };
        let Some(kind) = kind_of(last.outcome) else { continue };
        let name = database_name(database.kind, &database.database);
        let text = text(Some(last.at), last.reason.as_deref(), false);
        found.entry((kind, name)).or_insert(text);
    }
    let found = found.into_iter().map(|((kind, name), text)| Exception {
        kind,
        database: Some(name),
        text,
    });
    found.collect()
}

/// Those of the copies of one database.
fn of_copies(database: &DatabaseCopies, fleet: Option<&Fleet>, usual: Option<&str>) -> Vec<Exception> {
    let key = (database.kind, database.resource_id.clone());
    let living = fleet.and_then(|fleet| fleet.get(&key));
    let name = database_name(database.kind, living.map_or(&database.id, |living| &living.database.id));
    let mut counts: BTreeMap<(ExceptionKind, String), usize> = BTreeMap::new();
    let mut count = |kind, text: String| *counts.entry((kind, text)).or_default() += 1;
    for copy in database.copies.iter().filter(|copy| copy.is_verified()) {
        match (copy.snapshot.encryption, &copy.own.kms_key_arn) {
            (Encryption::None, _) => count(ExceptionKind::NotEncrypted, String::new()),
            (Encryption::AwsOwned, _) => count(ExceptionKind::AwsOwnedKey, String::new()),
            (Encryption::Kms, Some(key)) if Some(key.as_str()) != usual => {
                count(ExceptionKind::OtherKey, format!("key {key}"));
            }
            (Encryption::Kms, _) => {}
        }
        let of_source = RestoreHints::read(&copy.snapshot.tags).option_group;
        if let (Some(of_copy), Some(of_source)) = (&copy.snapshot.option_group, of_source)
            && *of_copy != of_source
            && !of_source.starts_with("default:")
        {
            count(
                ExceptionKind::OtherOptionGroup,
                format!("{of_copy}, where the database has {of_source}"),
            );
        }
    }
    let found = counts.into_iter().map(|((kind, text), number)| {
        let number = copies_word(number);
        Exception {
            kind,
            database: Some(name.clone()),
            text: if text.is_empty() {
                number
            } else {
                format!("{number}: {text}")
            },
        }
    });
    found.collect()
}
