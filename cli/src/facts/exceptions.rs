//! What an auditor asks about: copies that are not as the others are, databases that are left out, warnings.

use std::collections::BTreeMap;

use domain::restore_settings::RestoreHints;
use domain::snapshot::Encryption;
use serde::Serialize;

use crate::facts::copies::{DatabaseCopies, OwnedCopies};
use crate::facts::fleet::Fleet;
use crate::format::{copies as copies_word, database_name};

/// What is out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExceptionKind {
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
