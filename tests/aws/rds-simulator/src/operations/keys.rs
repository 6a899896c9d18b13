//! `DescribeKey`, the one operation of KMS that there is.

use serde_json::{Value, json};

use crate::authorization::Question;
use crate::error::ApiError;
use crate::model::{Key, Region};
use crate::simulator::{Call, Simulator};

impl Simulator {
    /// `DescribeKey`.
    ///
    /// Whether there is a key comes before whether the caller may see it: the key that decides must be known first.
    pub(crate) fn describe_key(&mut self, call: &Call<'_>) -> Result<Value, ApiError> {
        let request = call.request;
        let identifier = request.get("KeyId").filter(|id| !id.is_empty()).ok_or_else(|| {
            ApiError::new(
                400,
                "ValidationException",
                "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null",
            )
        })?;
        let region = &*self.region(&request.region);
        let key = find(region, identifier)?;
        call.rights.require(&Question {
            aliases: &key.aliases,
            request_alias: alias(identifier),
            ..Question::new(&call.operation.action(), &key.arn, &request.region)
        })?;
        if key.locked {
            return Err(ApiError::denied(format!(
                "The caller is not authorized to perform kms:DescribeKey on {}: no resource-based policy allows it",
                key.arn
            )));
        }
        Ok(metadata(key))
    }
}

/// The alias in an identifier: all of `alias/copies`, the end of an alias's ARN.
fn alias(identifier: &str) -> Option<&str> {
    let name = identifier.rsplit(':').next().unwrap_or(identifier);
    name.starts_with("alias/").then_some(name)
}

fn find<'a>(region: &'a Region, identifier: &str) -> Result<&'a Key, ApiError> {
    let not_found = |message: String| ApiError::new(400, "NotFoundException", message);
    if identifier.starts_with("arn:") {
        let parts: Vec<&str> = identifier.splitn(6, ':').collect();
        let &[_, _, "kms", place, account, resource] = parts.as_slice() else {
            return Err(ApiError::new(
                400,
                "InvalidArnException",
                format!("Invalid arn {identifier}"),
            ));
        };
        if !resource.starts_with("key/") && !resource.starts_with("alias/") {
            return Err(ApiError::new(
                400,
                "InvalidArnException",
                format!("Invalid arn {identifier}"),
            ));
        }
        if place != region.name {
            return Err(not_found(format!("Invalid arn {place}")));
        }
        if account != region.account && region.key(identifier).is_none() {
            return Err(ApiError::denied(format!(
                "The resource {identifier} does not exist in this Region, no resource-based policies allow access, or a \
                 resource-based policy explicitly denies access"
            )));
        }
    }
    region.key(identifier).ok_or_else(|| {
        not_found(match alias(identifier) {
            Some(alias) => format!("Alias {} is not found.", region.kms_arn(alias)),
            None if identifier.starts_with("arn:") => format!("Key '{identifier}' does not exist"),
            None => format!("Key '{}' does not exist", region.key_arn(identifier)),
        })
    })
}

fn metadata(key: &Key) -> Value {
    let mut metadata = json!({
        "AWSAccountId": key.account(),
        "KeyId": key.id(),
        "Arn": key.arn,
        "Enabled": key.enabled(),
        "Description": "",
        "KeyUsage": key.usage,
        "KeyState": key.state,
        "Origin": "AWS_KMS",
        "KeyManager": if key.of_aws() { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": key.id().starts_with("mrk-"),
    });
    if key.usage == "ENCRYPT_DECRYPT" && key.spec == "SYMMETRIC_DEFAULT" {
        metadata["EncryptionAlgorithms"] = json!(["SYMMETRIC_DEFAULT"]);
    }
    json!({ "KeyMetadata": metadata })
}
