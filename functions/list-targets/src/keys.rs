//! The keys that copies are encrypted with: looked up before the first copy, and whether RDS could use them.

use std::collections::BTreeMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::operation::describe_key::DescribeKeyError;
use aws_sdk_kms::types::{KeyMetadata, KeySpec, KeyState, KeyUsageType};
use domain::error::Error;
use domain::settings::{KmsKey, Settings};
use domain::snapshot::Database;
use domain::tags;

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
        match database.tags.get(tags::KMS_KEY).map(|value| self.picked.get(value)) {
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
    pub(crate) async fn keyring(&self, databases: &[Database], settings: &Settings) -> Result<Keyring, Error> {
        let mut keyring = Keyring {
            own: self.check(settings.kms_key.arn()).await?,
            picked: BTreeMap::new(),
        };
        for value in databases.iter().filter_map(|database| database.tags.get(tags::KMS_KEY)) {
            if !keyring.picked.contains_key(value) {
                let key = self.pick(value.trim(), settings, &keyring.own).await?;
                keyring.picked.insert(value.clone(), key);
            }
        }
        Ok(keyring)
    }

    /// The key that a tag's value names, if the stack allows it: by ARN, by id or by alias.
    async fn pick(&self, value: &str, settings: &Settings, own: &Checked) -> Result<Option<Checked>, Error> {
        // The region of a full name is checked by the comparison with the allowed ones.
        let name = value.rsplit_once(':').map_or(value, |(_, name)| name);
        let is_alias = name.starts_with("alias/");
        let of_stack = settings.kms_key.arn();
        if value == of_stack || is_alias && of_stack.ends_with(&format!(":{name}")) {
            return Ok(Some(own.clone()));
        }
        let allowed = |arn: &str| settings.allows_key(arn) || own.arn.as_deref() == Some(arn);
        if is_alias {
            let checked = self.check(name).await?;
            // An alias that may not be looked at may well stand for an allowed key: another one would be wrong.
            let unknown = matches!(checked.problem, Some(Error::AccessDenied { .. }));
            return Ok(Some(checked).filter(|key| unknown || key.arn.as_deref().is_some_and(allowed)));
        }
        let stack = match &settings.kms_key {
            KmsKey::Arn(arn) => Some(arn),
            KmsKey::Alias(_) => own.arn.as_ref(),
        };
        let mut arns = stack.into_iter().chain(&settings.allowed_kms_key_arns);
        match arns.find(|arn| *arn == value || arn.ends_with(&format!(":key/{value}"))) {
            Some(arn) if Some(arn) == own.arn.as_ref() => Ok(Some(own.clone())),
            Some(arn) => self.check(arn).await.map(Some),
            None => Ok(None),
        }
    }

    /// What KMS says of a key, by its ARN, alias or alias ARN.
    async fn check(&self, name: &str) -> Result<Checked, Error> {
        let arn_if_known = (!name.contains("alias/")).then(|| name.to_owned());
        let refused = match self.0.describe_key().key_id(name).send().await {
            Ok(answer) => return Ok(judge(name, answer.key_metadata())),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeKeyError::is_not_found_exception) =>
            {
                Error::KeyNotUsable {
                    reason: format!("there is no {name} in the destination region"),
                }
            }
            Err(error) => match rds::codes::error(error) {
                denied @ Error::AccessDenied { .. } => denied,
                other => return Err(other),
            },
        };
        Ok(match (arn_if_known, refused) {
            // RDS may be allowed what this function is not, so the copy decides.
            (Some(arn), Error::AccessDenied { refusal }) => Checked {
                warning: Some(format!(
                    "the key {arn} could not be checked before the copies: {refusal}. Let its policy admit the role of \
                     list-targets (kms:DescribeKey)"
                )),
                arn: Some(arn),
                problem: None,
            },
            (arn, refused) => Checked {
                arn,
                problem: Some(refused),
                warning: None,
            },
        })
    }
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
        warning: None,
    }
}

#[cfg(test)]
mod tests;
