//! The keys that copies are encrypted with: looked up before the first copy, and whether RDS could use them.

use std::collections::BTreeMap;

use domain::error::Error;
use domain::restorability::KeyState;
use domain::settings::{KmsKey, Settings};
use domain::snapshot::Database;
use domain::tags;
use kms::{Key, Keys};

use crate::policy::wish;

/// What is known of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Its ARN; none if it could not be found out.
    pub(crate) arn: Option<String>,
    /// Why no copy can be made with it.
    pub(crate) problem: Option<Error>,
    /// What could not be found out, for the operator.
    pub(crate) warning: Option<String>,
    /// Whether there is no such key.
    is_absent: bool,
}

/// What a run's databases may be encrypted with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keyring {
    /// The stack's key.
    pub(crate) own: Checked,
    /// The keys that tags pick, by the tag's value; none for a value that names no key that the stack allows.
    picked: BTreeMap<String, Option<Checked>>,
}

/// The key of one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick<'a> {
    /// Its tags pick none.
    Own,
    /// Its tag picks this one.
    Tagged(&'a Checked),
    /// Its tag names no key that the stack allows.
    NotAllowed,
}

impl Keyring {
    /// Looks up the stack's key, and each key that a tag picks, once.
    pub(crate) async fn look_up(keys: &Keys, databases: &[Database], settings: &Settings) -> Self {
        let mut keyring = Self {
            own: check(keys, settings.kms_key.arn()).await,
            picked: BTreeMap::new(),
        };
        for value in databases.iter().filter_map(|database| wish(database, tags::KMS_KEY)) {
            if !keyring.picked.contains_key(value) {
                let key = pick(keys, value.trim(), settings, &keyring.own).await;
                keyring.picked.insert(value.to_owned(), key);
            }
        }
        keyring
    }

    /// What a database's tags say of its key.
    pub(crate) fn picked(&self, database: &Database) -> Pick<'_> {
        match wish(database, tags::KMS_KEY).map(|value| self.picked.get(value)) {
            None => Pick::Own,
            Some(Some(Some(key))) => Pick::Tagged(key),
            Some(_) => Pick::NotAllowed,
        }
    }

    /// The key that a database's copies get.
    pub(crate) fn key_of(&self, database: &Database) -> &Checked {
        match self.picked(database) {
            Pick::Tagged(key) => key,
            Pick::Own | Pick::NotAllowed => &self.own,
        }
    }
}

/// The key that a tag's value names, if the stack allows it: by ARN, by id or by alias.
async fn pick(keys: &Keys, value: &str, settings: &Settings, own: &Checked) -> Option<Checked> {
    // The region of a full name is checked by the comparison with the allowed ones.
    let name = value.rsplit_once(':').map_or(value, |(_, name)| name);
    let is_alias = name.starts_with("alias/");
    let of_stack = settings.kms_key.arn();
    if value == of_stack || is_alias && of_stack.ends_with(&format!(":{name}")) {
        return Some(own.clone());
    }
    let allowed = |arn: &str| settings.allows_key(arn) || own.arn.as_deref() == Some(arn);
    if is_alias {
        let checked = check(keys, name).await;
        // An alias that could not be looked up may well stand for an allowed key: another one would be wrong.
        let unknown = checked.arn.is_none() && !checked.is_absent;
        return Some(checked).filter(|key| unknown || key.arn.as_deref().is_some_and(allowed));
    }
    let stack = match &settings.kms_key {
        KmsKey::Arn(arn) => Some(arn),
        KmsKey::Alias(_) => own.arn.as_ref(),
    };
    let mut arns = stack.into_iter().chain(&settings.allowed_kms_key_arns);
    match arns.find(|arn| *arn == value || arn.ends_with(&format!(":key/{value}"))) {
        Some(arn) if Some(arn) == own.arn.as_ref() => Some(own.clone()),
        Some(arn) => Some(check(keys, arn).await),
        None => None,
    }
}

/// What KMS says of a key, by its ARN, alias or alias ARN. Whatever error it gives concerns the databases that need
/// this key, and nobody else.
async fn check(keys: &Keys, name: &str) -> Checked {
    // Of an alias only KMS says which key it is.
    let own_arn = (!name.contains("alias/")).then(|| name.to_owned());
    let problem = |reason: String| Some(Error::KeyNotUsable { reason });
    match (keys.describe(name).await, own_arn) {
        (Ok(Key { arn, state }), own_arn) => match state {
            KeyState::Usable => Checked {
                arn,
                ..Checked::default()
            },
            KeyState::Unusable(wrong) => Checked {
                arn,
                problem: problem(format!("{name} {wrong}")),
                ..Checked::default()
            },
            KeyState::Absent => Checked {
                arn: own_arn,
                problem: problem(format!("there is no {name} in the destination region")),
                is_absent: true,
                ..Checked::default()
            },
        },
        // RDS may be allowed what this function is not, so the copy decides.
        (Err(error), Some(arn)) => Checked {
            warning: Some(format!(
                "the key {arn} could not be checked before the copies: {}. Let its policy admit the role of \
                 list-targets (kms:DescribeKey)",
                error.said()
            )),
            arn: Some(arn),
            ..Checked::default()
        },
        // A copy is named after its key, so what cannot be resolved cannot be used.
        (Err(error), None) => Checked {
            problem: Some(match error {
                denied @ Error::AccessDenied { .. } => denied,
                other => Error::KeyNotUsable {
                    reason: format!("which key {name} stands for could not be found out: {}", other.said()),
                },
            }),
            ..Checked::default()
        },
    }
}

#[cfg(test)]
mod tests;
