//! What the status of a restored database means (RDS and Aurora user guides, database instance and cluster status; AWS
//! facts, part 2, A4).

use crate::drill::DrillOutcome;

/// What the status word of a restored instance or cluster means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoredStatus {
    /// It can be used.
    Usable,
    /// It is being deleted.
    Going,
    /// Nothing will come of it. The outcome says whether that is about the copy, or about where it was restored to.
    Dead(DrillOutcome),
    /// Anything else, words that are new to us included: it may yet be usable.
    InProgress,
}

impl RestoredStatus {
    /// Reads a status word. RDS waiters know fewer dead ones, and wait for the others for ever.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word {
            "available" | "storage-optimization" | "storage-initialization" => Self::Usable,
            "deleting" | "delete-precheck" | "deleted" => Self::Going,
            // The network, the capacity of the region, a class that is too small for the parameters.
            "incompatible-network" | "insufficient-capacity" | "incompatible-parameters" => {
                Self::Dead(DrillOutcome::NotRun)
            }
            "failed" | "restore-error" | "storage-full" | "upgrade-failed" | "migration-failed" => {
                Self::Dead(DrillOutcome::Failed)
            }
            word if word.starts_with("incompatible-") || word.starts_with("inaccessible-encryption-credentials") => {
                Self::Dead(DrillOutcome::Failed)
            }
            _ => Self::InProgress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_usable_dead_going_or_in_progress() {
        for word in ["available", "storage-optimization", "storage-initialization"] {
            assert_eq!(RestoredStatus::read(word), RestoredStatus::Usable, "{word}");
        }
        for word in [
            "incompatible-restore",
            "incompatible-create",
            "incompatible-option-group",
            "inaccessible-encryption-credentials",
            "inaccessible-encryption-credentials-recoverable",
            "restore-error",
            "storage-full",
            "upgrade-failed",
            "migration-failed",
            "failed",
        ] {
            assert_eq!(
                RestoredStatus::read(word),
                RestoredStatus::Dead(DrillOutcome::Failed),
                "{word}"
            );
        }
        for word in [
            "incompatible-network",
            "insufficient-capacity",
            "incompatible-parameters",
        ] {
            assert_eq!(
                RestoredStatus::read(word),
                RestoredStatus::Dead(DrillOutcome::NotRun),
                "{word}"
            );
        }
        for word in [
            "creating",
            "migrating",
            "backing-up",
            "modifying",
            "configuring-iam-database-auth",
            "new word",
            "",
        ] {
            assert_eq!(RestoredStatus::read(word), RestoredStatus::InProgress, "{word}");
        }
        assert_eq!(RestoredStatus::read("deleting"), RestoredStatus::Going);
    }
}
