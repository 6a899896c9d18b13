//! The payload of a drill: what plan-drills picks, and what start-restore, check-restore and end-restore add to it.
//!
//! One type for all of them, because a drill goes back and forth between them: what is not known yet is absent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};

use crate::drill_proof::Passed;
use crate::kind::DatabaseKind;
use crate::tags;

/// How often a database wants the restore of its copies to be drilled (tag [`tags::DRILL_EVERY`]).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::EnumString, strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum DrillEvery {
    /// It is never drilled.
    Never,
    /// At most once in seven days.
    Week,
    /// At most once in thirty days.
    Month,
}

impl DrillEvery {
    /// What the tags of a database ask for. What cannot be read asks for nothing: the database is drilled in its turn.
    #[must_use]
    pub fn from_wish(tags: &BTreeMap<String, String>) -> Option<Self> {
        tags.get(tags::DRILL_EVERY)?.trim().to_ascii_lowercase().parse().ok()
    }

    /// Whether there is such a tag, and it cannot be read.
    #[must_use]
    pub fn unreadable(tags: &BTreeMap<String, String>) -> bool {
        tags.contains_key(tags::DRILL_EVERY) && Self::from_wish(tags).is_none()
    }

    /// Days from one drill to the next; none if there is no next one.
    #[must_use]
    pub fn days(self) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::Week => Some(7),
            Self::Month => Some(30),
        }
    }
}

/// What came of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::EnumString)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum DrillOutcome {
    /// The copy was restored, is what it should be, and the check, if there is one, said so.
    Passed,
    /// The copy could not be restored, or is not what it should be: a real restore would end in the same way.
    Failed,
    /// The drill's own trouble: a quota, capacity, the network, a permission. It says nothing of the copy.
    NotRun,
    /// This copy cannot be drilled here as it is; the reason says why.
    Unsupported,
}

/// What a restored database was checked by, whatever came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillCheck {
    /// Level 1: what RDS says that it is was compared with its copy.
    Description,
    /// Level 2: what RDS says has happened to it was searched for failures.
    Events,
    /// The operator's function looked into it.
    Function,
}

/// Reads the checks that this release knows: another one may know more, which only inform.
pub fn known_checks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<DrillCheck>, D::Error> {
    let checks = Vec::<Value>::deserialize(deserializer)?.into_iter();
    Ok(checks.filter_map(|check| serde_json::from_value(check).ok()).collect())
}

/// How a drill ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// In a word.
    pub outcome: DrillOutcome,
    /// In a sentence, [`Verdict::MAX_REASON`] characters at most.
    pub reason: String,
    /// The name of the error, or AWS's code, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the check function measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, Number>,
}

impl Verdict {
    /// Most characters of a reason.
    pub const MAX_REASON: usize = 500;

    /// A verdict with its reason, cut where it is too long.
    #[must_use]
    pub fn new(outcome: DrillOutcome, reason: &str) -> Self {
        Self {
            outcome,
            reason: reason.chars().take(Self::MAX_REASON).collect(),
            error: None,
            numbers: BTreeMap::new(),
        }
    }

    /// The same, with the name of the error that led to it.
    #[must_use]
    pub fn because_of(self, error: &str) -> Self {
        Self {
            error: Some(error.to_owned()),
            ..self
        }
    }
}

/// The copy that is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledCopy {
    /// Its identifier.
    pub id: String,
    /// Its ARN.
    pub arn: String,
}

/// What a wait is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillWait {
    /// In a sentence.
    pub reason: String,
    /// Seconds until the next try.
    pub seconds: u64,
}

/// How far a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreState {
    /// RDS is at it.
    Restoring,
    /// The cluster can be used, and needs an instance.
    NeedsInstance,
    /// The database can be used, and the operator's function may look into it.
    ReadyForCheck,
    /// There is a verdict.
    Done,
}

/// What identifies a database or a snapshot, as far as RDS says it of both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Description {
    /// Engine.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// Allocated storage in GiB; of clusters it means nothing, and is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_gib: Option<i32>,
    /// Whether the storage is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// The key, if it is one of the account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Name of the master user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_username: Option<String>,
    /// Licence model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// A restore that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// How far it is.
    pub state: RestoreState,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the drill database is deleted, whatever it is doing.
    pub until: Timestamp,
    /// When the data was captured, as far as RDS says.
    pub data_time: Timestamp,
    /// What the copy is, and the restored database should be.
    pub expected: Description,
    /// Class of the instance; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Whether a cluster gets an instance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_instance: bool,
    /// How long to wait before the next poll.
    pub wait: RestoreWait,
    /// When it was first seen to be usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Timestamp>,
    /// Whole minutes, rounded up, from the request until it was seen to be usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u64>,
    /// What it was checked by so far.
    #[serde(default, deserialize_with = "known_checks", skip_serializing_if = "Vec::is_empty")]
    pub checked: Vec<DrillCheck>,
    /// What RDS said of it in its events, the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// What the operator's function gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckRequest>,
}

/// The wait before the next poll of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreWait {
    /// Seconds to wait.
    pub seconds: u64,
    /// Seconds waited so far, this wait included: a measure of time that holds where waits are scaled.
    pub waited_seconds: u64,
}

/// What the operator's function gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckRequest {
    /// Identifier of the drill database.
    pub identifier: String,
    /// Host name to connect to.
    pub endpoint: String,
    /// Port to connect to.
    pub port: i32,
    /// Engine.
    pub engine: String,
    /// ARN of the secret with the name and the password of the master user.
    pub secret_arn: String,
    /// The copy that was restored.
    pub copy: DrilledCopy,
    /// When the database is deleted.
    pub deadline: Timestamp,
}

/// One drill: an item of the Map of drill-fleet, and the payload of drill-copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drill {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// Identifier of the database that the copy is of, when it was copied.
    pub id: String,
    /// Its resource id.
    pub resource_id: String,
    /// The copy.
    pub copy: DrilledCopy,
    /// Identifier of the drill database.
    pub name: String,
    /// Name of the execution of drill-copy.
    pub execution: String,
    /// The last drill of this database that passed, which the proof of this one remembers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_passed: Option<Passed>,
    /// What has to be waited for before the restore can begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<DrillWait>,
    /// The restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
    /// What the operator's function answered.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The release that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// An answer of `null` is an answer.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_in_any_case_and_what_cannot_be_read_is_none() {
        let wish =
            |value: &str| DrillEvery::from_wish(&BTreeMap::from([(tags::DRILL_EVERY.to_owned(), value.to_owned())]));
        assert_eq!(wish(" Week "), Some(DrillEvery::Week));
        assert_eq!(wish("never"), Some(DrillEvery::Never));
        assert_eq!(wish("weekly"), None);
        let tags = BTreeMap::from([(tags::DRILL_EVERY.to_owned(), "weekly".to_owned())]);
        assert!(DrillEvery::unreadable(&tags) && !DrillEvery::unreadable(&BTreeMap::new()));
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let verdict = Verdict::new(DrillOutcome::Failed, &"ä".repeat(600));
        assert_eq!(verdict.reason.chars().count(), Verdict::MAX_REASON);
    }

    #[test]
    fn outcomes_have_one_word_each() {
        for (outcome, word) in [
            (DrillOutcome::Passed, "passed"),
            (DrillOutcome::Failed, "failed"),
            (DrillOutcome::NotRun, "not-run"),
            (DrillOutcome::Unsupported, "unsupported"),
        ] {
            assert_eq!(outcome.to_string(), word);
            assert_eq!(serde_json::to_value(outcome).expect("JSON"), word);
        }
    }
}
