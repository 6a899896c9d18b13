//! The keys that copies are encrypted with: looked up before the first copy, and whether RDS could use them.

use std::collections::BTreeMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::operation::describe_key::{DescribeKeyError, DescribeKeyOutput};
use aws_sdk_kms::types::{KeyMetadata, KeySpec, KeyState, KeyUsageType};
use domain::error::Error;
use domain::settings::{KmsKey, Settings};
use domain::snapshot::Database;
use domain::tags;

use crate::policy::wish;

/// KMS in the destination region.
#[derive(Debug, Clone)]
pub struct Keys(Client);

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

impl Keys {
    /// KMS through `client`, which must be of the destination region.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Looks up the stack's key, and each key that a tag picks, once.
    pub(crate) async fn keyring(&self, databases: &[Database], settings: &Settings) -> Keyring {
        let mut keyring = Keyring {
            own: self.check(settings.kms_key.arn()).await,
            picked: BTreeMap::new(),
        };
        for value in databases.iter().filter_map(|database| wish(database, tags::KMS_KEY)) {
            if !keyring.picked.contains_key(value) {
                let key = self.pick(value.trim(), settings, &keyring.own).await;
                keyring.picked.insert(value.to_owned(), key);
            }
        }
        keyring
    }

    /// The key that a tag's value names, if the stack allows it: by ARN, by id or by alias.
    async fn pick(&self, value: &str, settings: &Settings, own: &Checked) -> Option<Checked> {
        // The region of a full name is checked by the comparison with the allowed ones.
        let name = value.rsplit_once(':').map_or(value, |(_, name)| name);
        let is_alias = name.starts_with("alias/");
        let of_stack = settings.kms_key.arn();
        if value == of_stack || is_alias && of_stack.ends_with(&format!(":{name}")) {
            return Some(own.clone());
        }
        let allowed = |arn: &str| settings.allows_key(arn) || own.arn.as_deref() == Some(arn);
        if is_alias {
            let checked = self.check(name).await;
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
            Some(arn) => Some(self.check(arn).await),
            None => None,
        }
    }

    /// What KMS says of a key, by its ARN, alias or alias ARN. Whatever error it gives concerns the databases that need
    /// this key, and nobody else.
    async fn check(&self, name: &str) -> Checked {
        let is_alias = name.contains("alias/");
        let arn = (!is_alias).then(|| name.to_owned());
        let refused = match self.describe(name, is_alias).await {
            Ok(answer) => return judge(name, answer.key_metadata()),
            Err(refused) => refused,
        };
        match (refused, arn) {
            (Refused::Absent, arn) => Checked {
                arn,
                problem: Some(Error::KeyNotUsable {
                    reason: format!("there is no {name} in the destination region"),
                }),
                is_absent: true,
                ..Checked::default()
            },
            // RDS may be allowed what this function is not, so the copy decides.
            (Refused::Unknown(error), Some(arn)) => Checked {
                warning: Some(format!(
                    "the key {arn} could not be checked before the copies: {}. Let its policy admit the role of \
                     list-targets (kms:DescribeKey)",
                    error.said()
                )),
                arn: Some(arn),
                ..Checked::default()
            },
            // A copy is named after its key, so what cannot be resolved cannot be used.
            (Refused::Unknown(error), None) => Checked {
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

    /// Asks KMS. Without an answer an alias is of no use, so that it is worth more than the attempts of one call.
    async fn describe(&self, name: &str, is_alias: bool) -> Result<DescribeKeyOutput, Refused> {
        let mut calls_left = if is_alias { 3 } else { 1 };
        loop {
            calls_left -= 1;
            let error = match self.0.describe_key().key_id(name).send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error
                .as_service_error()
                .is_some_and(DescribeKeyError::is_not_found_exception)
            {
                return Err(Refused::Absent);
            }
            match rds::codes::error(error) {
                Error::Throttled { .. } | Error::RdsUnavailable { .. } if calls_left > 0 => {}
                error => return Err(Refused::Unknown(error)),
            }
        }
    }
}

/// Why KMS described no key.
enum Refused {
    /// There is no such key.
    Absent,
    /// Whether there is one, and which, is not known.
    Unknown(Error),
}

/// Whether RDS can encrypt with a key (KMS API reference, `KeyMetadata`; RDS takes symmetric keys only).
fn judge(name: &str, key: Option<&KeyMetadata>) -> Checked {
    let arn = key.and_then(KeyMetadata::arn).map(str::to_owned);
    let wrong = match key {
        None => Some("KMS describes it as nothing".to_owned()),
        Some(key) => match (key.key_state(), key.key_usage(), key.key_spec()) {
            (Some(state), _, _) if *state != KeyState::Enabled => Some(format!("is {}", state.as_str())),
            (_, Some(usage), _) if *usage != KeyUsageType::EncryptDecrypt => {
                Some(format!("is for {}, not for encryption", usage.as_str()))
            }
            (_, _, Some(spec)) if *spec != KeySpec::SymmetricDefault => {
                Some(format!("is a key of the kind {}, not a symmetric one", spec.as_str()))
            }
            _ => None,
        },
    };
    Checked {
        arn,
        problem: wrong.map(|wrong| Error::KeyNotUsable {
            reason: format!("{name} {wrong}"),
        }),
        ..Checked::default()
    }
}

#[cfg(test)]
mod tests;
