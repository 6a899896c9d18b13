//! What a copy was compared by when it was verified: each field with the value that was expected and the one that was found.
//!
//! An execution records the fields that agree, and what they were compared with: the snapshot, and the key that was asked
//! for. Fields agree where both values are the same text, so the value that was found is known as well.

use domain::snapshot::Encryption;
use serde::Serialize;

use crate::facts::copy_result::CopyResult;

/// A field that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Comparison {
    pub(crate) field: String,
    /// The value of the snapshot, or the key that was asked for; absent if this release does not know the field.
    pub(crate) expected: Option<String>,
    /// What RDS reported of the copy.
    pub(crate) found: Option<String>,
    pub(crate) result: ComparisonResult,
}

/// What came of a comparison. One that found a difference fails its execution, whose error says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ComparisonResult {
    Equal,
    /// RDS did not report it of the copy.
    NotReported,
}

/// Everything that an execution compared.
pub(crate) fn comparisons(result: &CopyResult) -> Vec<Comparison> {
    let verification = &result.verification;
    let equal = verification.agree.iter().map(|field| {
        let value = expected(result, field);
        Comparison {
            field: field.clone(),
            expected: value.clone(),
            found: value,
            result: ComparisonResult::Equal,
        }
    });
    let not_reported = verification.not_reported.iter().map(|field| Comparison {
        field: field.clone(),
        expected: expected(result, field),
        found: None,
        result: ComparisonResult::NotReported,
    });
    equal.chain(not_reported).collect()
}

/// What check-copy-status expects of a field, by the name that it gives it.
fn expected(result: &CopyResult, field: &str) -> Option<String> {
    let source = result.source.as_ref()?;
    let gib = |size: Option<i32>| size.map(|size| format!("{size} GiB"));
    match field {
        "source" => Some(source.arn.clone()),
        "engine" => Some(source.engine.clone()),
        "engine version" => Some(source.engine_version.clone()),
        "encryption" => {
            let verification = &result.verification;
            // The key is compared where the copy has to be encrypted with it.
            let mut fields = verification.agree.iter().chain(&verification.not_reported);
            let encryption = if fields.any(|field| field == "key") {
                Encryption::Kms
            } else {
                source.encryption
            };
            Some(encryption.name().to_owned())
        }
        "key" => result.copy.as_ref()?.kms_key_arn.clone(),
        "size" => gib(source.size_gib),
        "data size" => gib(source.written_gib),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compared(key: Option<&str>, agree: &[&str]) -> Vec<Comparison> {
        let result = json!({
            "source": {"id": "rds:orders-1", "arn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-1",
                "createdAt": "2026-11-22T03:00:00Z", "engine": "postgres", "engineVersion": "16.4", "encryption": "none",
                "sizeGib": 200, "writtenGib": 7},
            "copy": {"id": "snap-orders-1", "arn": "arn", "region": "eu-central-1", "kmsKeyArn": key,
                "requestedAt": "2026-11-22T05:00:00Z", "attempt": 0},
            "verification": {"agree": agree, "notReported": ["colour"], "differ": []},
        });
        comparisons(&serde_json::from_value(result).expect("a result"))
    }

    /// N8: a field alone is no evidence.
    #[test]
    fn each_field_has_the_value_that_was_expected_and_the_one_that_was_found() {
        let fields = [
            "source",
            "engine",
            "engine version",
            "encryption",
            "key",
            "size",
            "data size",
        ];
        let found = compared(Some("arn:key"), &fields);
        let values: Vec<Option<&str>> = found.iter().map(|one| one.found.as_deref()).collect();
        let arn = "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-1";
        let expected = [arn, "postgres", "16.4", "sse-kms", "arn:key", "200 GiB", "7 GiB"].map(Some);
        assert_eq!(values[..7], expected);
        assert!(found[..7].iter().all(|one| one.expected == one.found));
        assert_eq!(found[7].result, ComparisonResult::NotReported);
        assert_eq!(found[7].found, None);
    }

    /// Without a key the copy is as its source is.
    #[test]
    fn a_copy_without_a_key_is_expected_to_be_encrypted_as_its_source_is() {
        let found = compared(None, &["encryption"]);
        assert_eq!(found[0].found.as_deref(), Some("none"));
    }
}
