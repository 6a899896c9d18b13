//! The gateway to KMS in one region: whether RDS could use a key. Only here is its SDK known.

#![forbid(unsafe_code)]

use aws_sdk_kms::Client;
use aws_sdk_kms::operation::describe_key::DescribeKeyError;
use aws_sdk_kms::types::{KeyMetadata, KeySpec, KeyState as SdkKeyState, KeyUsageType};
use domain::error::Error;
use domain::restorability::{Fact, KeyState};

/// Calls for an alias, of which nothing is known without an answer, so that it is worth more than the attempts of one.
const CALLS_FOR_ALIAS: u32 = 3;

/// The keys of one region.
#[derive(Debug, Clone)]
pub struct Keys(Client);

/// What KMS says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its ARN, if there is such a key.
    pub arn: Option<String>,
    /// Whether RDS could use it.
    pub state: KeyState,
}

impl Keys {
    /// KMS through `client`, which must be of the region of the keys.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// What KMS says of a key, by its ARN, id, alias or alias ARN. That there is none is an answer.
    pub async fn describe(&self, name: &str) -> Result<Key, Error> {
        let mut calls_left = if name.contains("alias/") { CALLS_FOR_ALIAS } else { 1 };
        loop {
            calls_left -= 1;
            let error = match self.0.describe_key().key_id(name).send().await {
                Ok(answer) => return Ok(judge(answer.key_metadata())),
                Err(error) => error,
            };
            let refused = error.as_service_error();
            if refused.is_some_and(DescribeKeyError::is_not_found_exception) {
                return Ok(Key {
                    arn: None,
                    state: KeyState::Absent,
                });
            }
            match rds::codes::error(error) {
                Error::Throttled { .. } | Error::RdsUnavailable { .. } if calls_left > 0 => {}
                error => return Err(error),
            }
        }
    }

    /// The policy of a key, by its ARN or id: JSON.
    pub async fn policy(&self, key: &str) -> Result<String, Error> {
        let answer = self
            .0
            .get_key_policy()
            .key_id(key)
            .send()
            .await
            .map_err(rds::codes::error)?;
        Ok(answer.policy.unwrap_or_default())
    }

    /// Whether RDS could use a key, or why that is not known.
    pub async fn state(&self, name: &str) -> Fact<KeyState> {
        let key = self.describe(name).await.map_err(|error| error.said())?;
        Ok(key.state)
    }
}

/// Whether RDS could use a key (KMS API reference, `KeyMetadata`; RDS takes symmetric keys only).
fn judge(key: Option<&KeyMetadata>) -> Key {
    let wrong = match key {
        None => Some("is described by KMS as nothing".to_owned()),
        Some(key) => match (key.key_state(), key.key_usage(), key.key_spec()) {
            (Some(state), _, _) if *state != SdkKeyState::Enabled => Some(format!("is {}", state.as_str())),
            (_, Some(usage), _) if *usage != KeyUsageType::EncryptDecrypt => {
                Some(format!("is for {}, not for encryption", usage.as_str()))
            }
            (_, _, Some(spec)) if *spec != KeySpec::SymmetricDefault => {
                Some(format!("is a key of the kind {}, not a symmetric one", spec.as_str()))
            }
            _ => None,
        },
    };
    Key {
        arn: key.and_then(KeyMetadata::arn).map(str::to_owned),
        state: wrong.map_or(KeyState::Usable, KeyState::Unusable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(state: SdkKeyState, usage: KeyUsageType, spec: KeySpec) -> KeyState {
        let key = KeyMetadata::builder()
            .key_id("1")
            .arn("arn:1")
            .key_state(state)
            .key_usage(usage)
            .key_spec(spec)
            .build()
            .expect("a key");
        judge(Some(&key)).state
    }

    #[test]
    fn rds_uses_enabled_symmetric_keys_for_encryption_and_no_others() {
        let (enabled, encrypts) = (SdkKeyState::Enabled, KeyUsageType::EncryptDecrypt);
        let unusable = |text: &str| KeyState::Unusable(text.to_owned());
        assert_eq!(
            described(enabled.clone(), encrypts.clone(), KeySpec::SymmetricDefault),
            KeyState::Usable
        );
        assert_eq!(
            described(
                SdkKeyState::PendingDeletion,
                encrypts.clone(),
                KeySpec::SymmetricDefault
            ),
            unusable("is PendingDeletion")
        );
        assert_eq!(
            described(enabled.clone(), KeyUsageType::SignVerify, KeySpec::Rsa2048),
            unusable("is for SIGN_VERIFY, not for encryption")
        );
        assert_eq!(
            described(enabled, encrypts, KeySpec::Rsa2048),
            unusable("is a key of the kind RSA_2048, not a symmetric one")
        );
        assert_eq!(judge(None).arn, None);
        assert_ne!(judge(None).state, KeyState::Usable);
    }
}
