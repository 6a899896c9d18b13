//! The last drill of each database: the proofs that drills leave in the region of the copies.

use std::collections::{BTreeMap, BTreeSet};

use domain::drill::DrillOutcome;
use domain::drill_proof::DrillProof;
use domain::error::Error;
use domain::ownership::Owner;
use jiff::Timestamp;
use serde::Serialize;
use ssm::ReadProofs;

use crate::aws::account::Account;
use crate::facts::copies::OwnedCopies;
use crate::facts::fleet::DatabaseKey;

/// What the operator must be allowed to do, so that it is known.
const NEEDS: &str = "ssm:GetParametersByPath";

/// The last drill of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastDrill {
    pub(crate) outcome: DrillOutcome,
    /// When it began.
    pub(crate) at: Timestamp,
    /// Until the database could be used, if it could.
    pub(crate) minutes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The last one that passed, if this one did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_passed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_passed_minutes: Option<u64>,
}

impl From<DrillProof> for LastDrill {
    fn from(proof: DrillProof) -> Self {
        let earlier = proof.last_passed.filter(|_| proof.outcome != DrillOutcome::Passed);
        Self {
            outcome: proof.outcome,
            at: proof.time,
            minutes: proof.minutes,
            reason: Some(proof.reason).filter(|reason| !reason.is_empty()),
            last_passed_at: earlier.as_ref().map(|passed| passed.time),
            last_passed_minutes: earlier.map(|passed| passed.minutes),
        }
    }
}

impl LastDrill {
    /// When a drill last passed: this one, or an earlier one.
    pub(crate) fn passed_at(&self) -> Option<Timestamp> {
        match self.outcome {
            DrillOutcome::Passed => Some(self.at),
            _ => self.last_passed_at,
        }
    }
}

/// The last drills of databases, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LastDrills {
    pub(crate) by_database: BTreeMap<DatabaseKey, LastDrill>,
    /// Why some are not known, in a sentence.
    pub(crate) note: Option<String>,
}

impl LastDrills {
    /// Asks the region of the copies, and no other. What cannot be read is a note: the copies are there all the same.
    pub(crate) async fn read(account: &Account, copies: &OwnedCopies, owner_id: &str) -> Self {
        let proofs = account.proofs(&copies.region);
        let sources: BTreeSet<&str> = copies
            .databases
            .iter()
            .map(|database| database.source_region.as_str())
            .collect();
        let mut last = Self::default();
        for source_region in sources {
            match proofs.all(&Owner::new(source_region, owner_id)).await {
                Ok(found) => {
                    let found = found.into_iter().map(|(key, proof)| (key, proof.into()));
                    last.by_database.extend(found);
                }
                Err(error) => last.note = Some(note(&copies.region, &error)),
            }
        }
        last
    }
}

fn note(region: &str, error: &Error) -> String {
    match error {
        Error::AccessDenied { .. } => {
            format!("To know the last drill of each database, the credentials need {NEEDS} in {region}.")
        }
        Error::RdsUnavailable { reason } => format!("The last drills are not known: {reason}."),
        Error::Throttled { refusal } => format!("The last drills are not known: {refusal}."),
        other => format!("The last drills are not known: {other}."),
    }
}
