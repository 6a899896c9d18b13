//! The proof that a drill leaves behind: it outlives the copy, and the database that was drilled.
//!
//! The state machine drill-copy writes it to a parameter of Systems Manager, whose name says which database it is of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::drill::{DrillCheck, DrillOutcome, known_checks};
use crate::kind::DatabaseKind;

/// A drill that passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// When.
    pub time: Timestamp,
    /// Whole minutes from the request until the database could be used.
    pub minutes: u64,
}

/// What is remembered of the last drill of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillProof {
    /// When it began.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: DrillOutcome,
    /// In a sentence.
    #[serde(default)]
    pub reason: String,
    /// Identifier of the copy.
    pub copy: String,
    /// Name of the database when it was copied.
    pub database: String,
    /// When the data was captured, if the restore got as far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_time: Option<Timestamp>,
    /// Whole minutes until the database could be used, if it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u64>,
    /// What the restored database was checked by.
    #[serde(default, deserialize_with = "known_checks", skip_serializing_if = "Vec::is_empty")]
    pub checked: Vec<DrillCheck>,
    /// Since when nothing is left of the drill, if it proved that itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
    /// Name of the execution of drill-copy.
    #[serde(default)]
    pub execution: String,
    /// The last drill that passed, if this one did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_passed: Option<Passed>,
}

impl DrillProof {
    /// The last drill that passed, be it this one or an earlier one.
    #[must_use]
    pub fn passed(&self) -> Option<Passed> {
        match (self.outcome, self.minutes) {
            (DrillOutcome::Passed, Some(minutes)) => Some(Passed {
                time: self.time,
                minutes,
            }),
            _ => self.last_passed.clone(),
        }
    }
}

/// The path under which the proofs of an owner's databases are.
#[must_use]
pub fn path(owner_id: &str, source_region: &str) -> String {
    format!("/snapferry/{owner_id}/{source_region}/drills")
}

/// The database that a parameter is the proof of: its kind and its resource id. Nothing if the name is none of ours.
#[must_use]
pub fn subject(parameter: &str) -> Option<(DatabaseKind, &str)> {
    let (_, name) = parameter.rsplit_once('/')?;
    let (kind, resource_id) = name.split_once('-')?;
    let kind = DatabaseKind::ALL.into_iter().find(|one| one.to_string() == kind)?;
    (!resource_id.is_empty()).then_some((kind, resource_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_says_whose_proof_it_is() {
        let path = path("snap", "us-east-1");
        assert_eq!(
            subject(&format!("{path}/instance-db-ORDERS")),
            Some((DatabaseKind::Instance, "db-ORDERS"))
        );
        assert_eq!(
            subject(&format!("{path}/cluster-cluster-WEB")),
            Some((DatabaseKind::Cluster, "cluster-WEB"))
        );
        for other in ["", "instance-x", "/a/b/queue-x", "/a/instance-"] {
            assert_eq!(subject(other), None, "{other}");
        }
    }

    #[test]
    fn of_a_proof_of_the_next_release_what_is_known_is_read() {
        let text = r#"{"time": "2026-11-22T03:00:00Z", "outcome": "failed", "copy": "c", "database": "orders", "more": {"a": 1},
            "checked": ["events", "of-next"], "lastPassed": {"time": "2026-11-20T03:00:00Z", "minutes": 7, "more": 1}}"#;
        let proof: DrillProof = serde_json::from_str(text).expect("a proof");
        assert_eq!(proof.checked, [DrillCheck::Events]);
        assert_eq!(proof.passed().map(|passed| passed.minutes), Some(7));
    }

    #[test]
    fn a_proof_remembers_the_last_drill_that_passed() {
        let earlier = Passed {
            time: Timestamp::UNIX_EPOCH,
            minutes: 12,
        };
        let mut proof = DrillProof {
            time: "2026-11-22T03:10:00Z".parse().expect("a time"),
            outcome: DrillOutcome::Failed,
            reason: String::new(),
            copy: "snap-orders-1".to_owned(),
            database: "orders".to_owned(),
            data_time: None,
            minutes: None,
            checked: Vec::new(),
            gone_at: None,
            execution: "d-orders-1".to_owned(),
            last_passed: Some(earlier.clone()),
        };
        assert_eq!(proof.passed(), Some(earlier));
        proof.outcome = DrillOutcome::Passed;
        proof.minutes = Some(20);
        assert_eq!(
            proof.passed().map(|passed| (passed.time, passed.minutes)),
            Some((proof.time, 20))
        );
    }
}
