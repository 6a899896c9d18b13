//! What an execution of copy-snapshot returns, as far as the commands read it.

use domain::payload::{CopyProgress, CopyRef, Decision, Outcome, PruneReport, Source, Verification};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::aws::step_functions::ExecutionDetail;

/// The fields of [`domain::payload::Pruned`] and of what it is made of. A payload that ended early has only some,
/// and one of another version of the stack may have some that cannot be read: those are as if they were missing, and
/// the others are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CopyResult {
    #[serde(deserialize_with = "or_default")]
    pub(crate) decision: Option<Decision>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) outcome: Option<Outcome>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) reason: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) warnings: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) source: Option<Source>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) copy: Option<CopyRef>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) status: Option<CopyProgress>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) verification: Verification,
    #[serde(deserialize_with = "or_default")]
    pub(crate) pruned: PruneReport,
}

impl From<&ExecutionDetail> for CopyResult {
    fn from(detail: &ExecutionDetail) -> Self {
        detail.output().unwrap_or_default()
    }
}

/// A field that cannot be read empties itself, and not the whole result.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::format::outcome_word;

    /// What each field was read as.
    fn fields(output: &Value) -> BTreeMap<&'static str, String> {
        let result: CopyResult = serde_json::from_value(output.clone()).expect("a result");
        BTreeMap::from([
            ("decision", format!("{:?}", result.decision)),
            ("outcome", format!("{:?}", result.outcome)),
            ("reason", format!("{:?}", result.reason)),
            ("warnings", format!("{:?}", result.warnings)),
            ("source", format!("{:?}", result.source)),
            ("copy", format!("{:?}", result.copy)),
            ("status", format!("{:?}", result.status)),
            ("verification", format!("{:?}", result.verification)),
            ("pruned", format!("{:?}", result.pruned)),
        ])
    }

    /// The words of the functions, and that which the state machine changes.
    #[test]
    fn each_outcome_is_read_and_written_in_the_same_word() {
        for (word, outcome) in [
            ("not ready", Outcome::NotReady),
            ("under way", Outcome::UnderWay),
            ("copied", Outcome::Copied),
            ("copied, not pruned", Outcome::CopiedNotPruned),
            ("current", Outcome::Current),
            ("nothing", Outcome::Nothing),
            ("pending", Outcome::Pending),
            ("planned", Outcome::Planned),
            ("retired", Outcome::Retired),
            ("unsupported", Outcome::Unsupported),
        ] {
            let result: CopyResult = serde_json::from_value(json!({ "outcome": word })).expect("a result");
            assert_eq!(result.outcome, Some(outcome), "{word}");
            assert_eq!(outcome_word(outcome), word);
        }
    }

    #[test]
    fn what_the_next_release_adds_is_passed_over() {
        let output = json!({
            "outcome": "copied", "release": "9.9.9", "more": [1],
            "source": {
                "id": "rds:orders-1", "arn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-1", "more": {},
                "createdAt": "2026-11-22T03:00:00Z", "engine": "postgres", "engineVersion": "16.4", "encryption": "sse-kms",
            },
            "copy": {
                "id": "snap-orders-1", "arn": "arn:aws:rds:eu-central-1:123456789012:snapshot:snap-orders-1", "more": 1,
                "region": "eu-central-1", "requestedAt": "2026-11-22T05:00:00Z", "attempt": 0,
            },
            "status": { "state": "verified", "percent": 100, "more": 1 },
            "pruned": { "deleted": [{ "id": "snap-orders-0", "reason": "It is older.", "more": 1 }], "more": 1 },
        });
        let result: CopyResult = serde_json::from_value(output).expect("a result");
        assert_eq!(result.outcome, Some(Outcome::Copied));
        assert!(result.source.is_some() && result.copy.is_some() && result.status.is_some());
        assert_eq!(result.pruned.deleted.len(), 1);
    }

    #[test]
    fn a_field_that_cannot_be_read_leaves_the_others_as_they_are() {
        let output = json!({
            "decision": "copy",
            "outcome": "copied",
            "reason": "The newest snapshot has no copy.",
            "warnings": ["instance orders is not encrypted"],
            "source": {
                "id": "rds:orders-1", "arn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-1",
                "createdAt": "2026-11-22T03:00:00Z", "engine": "postgres", "engineVersion": "16.4", "encryption": "sse-kms",
            },
            "copy": {
                "id": "snap-orders-1", "arn": "arn:aws:rds:eu-central-1:123456789012:snapshot:snap-orders-1",
                "region": "eu-central-1", "requestedAt": "2026-11-22T05:00:00Z", "attempt": 0,
            },
            "status": { "state": "verified", "percent": 100 },
            "verification": { "agree": ["engine"], "notReported": [], "differ": [] },
            "pruned": {
                "deleted": [{ "id": "snap-orders-0", "reason": "It is older." }],
                "kept": [], "omitted": 0, "dryRun": false,
            },
        });
        let whole = fields(&output);
        let empty = fields(&json!({}));
        for (spoilt, read) in &whole {
            assert_ne!(read, &empty[spoilt], "{spoilt} is in the example, and is read");
            for unreadable in [json!(17), json!("of a later version"), json!(null)] {
                let mut output = output.clone();
                output[*spoilt] = unreadable.clone();
                for (field, read) in fields(&output) {
                    let is_text = *spoilt == "reason" && unreadable.is_string();
                    if field != *spoilt {
                        assert_eq!(read, whole[field], "{field}, beside {spoilt}: {unreadable}");
                    } else if !is_text {
                        assert_eq!(read, empty[field], "{spoilt}: {unreadable}");
                    }
                }
            }
        }
    }
}
