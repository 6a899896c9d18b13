//! Everything that can go wrong, under names that the state machines match on.

use std::fmt;

use strum::{IntoStaticStr, VariantNames};

/// What went wrong. The variant's name is what Step Functions shows as `Error` and what Retry and Catch match on; the
/// message says what happened and what to do next.
///
/// No variant carries a tag value or a credential: messages end in the execution history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "a field is what its name says, as the message shows it")]
pub enum Error {
    /// The input of an execution or a function is not what it should be.
    #[error("{field}: {problem}. {remedy}")]
    BadInput {
        field: String,
        problem: String,
        remedy: String,
    },
    /// A payload that another release made has a value that this one does not know, as while a stack is updated or rolled
    /// back; the state machine retries for some minutes.
    #[error(
        "{field}: {problem}. The release {release} made this payload, and the function that reads it is of another: the \
         stack is being updated, or was rolled back. The step is retried for some minutes, and the next run begins with \
         payloads of its own."
    )]
    PayloadUnknown {
        field: String,
        problem: String,
        release: String,
    },
    /// An environment variable of the function is missing or wrong.
    #[error("{variable}: {problem}. {remedy}")]
    BadSettings {
        variable: String,
        problem: String,
        remedy: String,
    },
    /// RDS asks to slow down; the state machine retries.
    #[error("RDS asks to slow down, the step is retried: {refusal}")]
    Throttled { refusal: Refusal },
    /// RDS could not be reached, or answered with a server error or with what cannot be read; the state machine retries.
    #[error("RDS gave no answer that can be used, the step is retried: {reason}")]
    RdsUnavailable { reason: String },
    /// The role of the function lacks a permission.
    #[error(
        "{refusal}. Compare the function's role with the one in infra/template.yaml, and look for a service control \
         policy that restricts regions."
    )]
    AccessDenied { refusal: Refusal },
    /// As many copies as RDS allows are in flight to the destination region. A wait, and a failure only after
    /// `SlotWaitHours`.
    #[error(
        "no copy slot of the destination region became free in time: {reason}. The next run tries again. If this lasts, \
         see what else copies snapshots to that region, or raise SlotWaitHours."
    )]
    CopySlotsFull { reason: String },
    /// The manual snapshots of the destination region have reached their quota.
    #[error(
        "the destination region can hold no more manual snapshots: {reason}. Delete manual snapshots there that nobody \
         needs, lower KeepCopies, or ask for a higher quota (Service Quotas: RDS, Manual snapshots)."
    )]
    SnapshotQuotaFull { reason: String },
    /// The snapshot cannot be used yet, or its cluster is busy. A wait, and a failure only after an hour.
    #[error("the snapshot is not ready: {reason}")]
    SnapshotNotReady { reason: String },
    /// The snapshot does not exist (any more).
    #[error(
        "the snapshot does not exist: {reason}. It may have expired; the next run copies the one that is newest then."
    )]
    SnapshotNotFound { reason: String },
    /// RDS cannot use the key of the source or of the destination.
    #[error(
        "RDS cannot use a KMS key: {reason}. Check that the key exists in its region and is enabled, and that its policy \
         admits the roles of list-targets and start-copy (README, key policy)."
    )]
    KeyNotUsable { reason: String },
    /// The database has permanent options that the destination needs an option group for.
    #[error(
        "the copy needs an option group in the destination region: {reason}. Create one there with those options, and \
         name it in the parameter OptionGroups or in the database's tag snapferry:option-group."
    )]
    OptionGroupMissing { reason: String },
    /// The name of the copy belongs to a snapshot that is not ours.
    #[error(
        "{copy} exists in the destination region and is not a copy that this stack made of this snapshot. Rename or \
         delete it, or choose another OwnerId."
    )]
    NameTaken { copy: String },
    /// As many copies of this snapshot failed as may; the next snapshot starts afresh.
    #[error(
        "{attempts} copies of {snapshot} failed or did not match it, so it is not tried again until there is a newer \
         snapshot. Look at the failed copies in the destination region; to try this snapshot again, delete them."
    )]
    AttemptsUsedUp { attempts: u32, snapshot: String },
    /// RDS says that the copy failed.
    #[error(
        "RDS reports the copy {copy} of {snapshot} as {status}. The next run tries again, three times at most for one \
         snapshot."
    )]
    CopyFailed {
        copy: String,
        snapshot: String,
        status: String,
    },
    /// The copy was there and is gone.
    #[error("{copy} is gone: somebody deleted or cancelled it. The next run copies again.")]
    CopyMissing { copy: String },
    /// The finished copy is not what was asked for.
    #[error(
        "{copy} is complete, but {differences}. The copy is marked as a mismatch and does not count; the next run copies \
         again."
    )]
    CopyMismatch { copy: String, differences: String },
    /// The copy is not complete after `CopyDeadlineHours`.
    #[error(
        "{copy} is {status} at {percent} % after more than {hours} hours. It no longer blocks pruning. If it is stuck, \
         delete it in the destination region; the next run copies again."
    )]
    CopyOverdue {
        copy: String,
        status: String,
        percent: i32,
        hours: u32,
    },
    /// A fleet of more pages than there can be, or a cursor that does not grow.
    #[error(
        "page {page} of {run}: a run has {max} pages at most. Narrow the runs with the tag snapferry:copy, or raise \
         PageSize."
    )]
    PageLimit { page: u32, run: String, max: u32 },
    /// Any other refusal by RDS, in its own words.
    #[error("RDS refused: {refusal}")]
    RdsError { refusal: Refusal },
}

/// What AWS said when it refused a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error code; empty where the refusal is not one of AWS's own.
    pub code: String,
    /// The message.
    pub message: String,
}

impl Refusal {
    /// A refusal without a code of AWS.
    #[must_use]
    pub fn without_code(message: impl Into<String>) -> Self {
        Self {
            code: String::new(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some services begin the message with the code (P8).
        let is_said = self
            .message
            .strip_prefix(&self.code)
            .is_some_and(|rest| rest.starts_with(':'));
        if !self.code.is_empty() && !is_said {
            write!(f, "{}: ", self.code)?;
        }
        f.write_str(&self.message)
    }
}

impl Error {
    /// Every name that [`Error::name`] can give.
    pub const NAMES: &'static [&'static str] = Self::VARIANTS;

    /// The stable name of this error in the state machines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// What AWS said, without what our own message adds: nothing is tried again for what is only said.
    #[must_use]
    pub fn said(&self) -> String {
        match self {
            Self::Throttled { refusal } | Self::AccessDenied { refusal } | Self::RdsError { refusal } => {
                refusal.to_string()
            }
            Self::RdsUnavailable { reason } => reason.clone(),
            other => other.to_string(),
        }
    }

    /// A field of the input is wrong: which one, in what way, and what would be right. A path that begins with a number
    /// is in an input that is a list.
    #[must_use]
    pub fn bad_input(field: &str, problem: &str, remedy: &str) -> Self {
        let list = if field.starts_with('[') { "input" } else { "" };
        Self::BadInput {
            field: format!("{list}{field}"),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P8.
    #[test]
    fn a_code_is_said_once() {
        let refusal = |message: &str| Refusal {
            code: "AccessDenied".to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(refusal("User x").to_string(), "AccessDenied: User x");
        assert_eq!(refusal("AccessDenied: User x").to_string(), "AccessDenied: User x");
        assert_eq!(Refusal::without_code("no answer").to_string(), "no answer");
    }

    #[test]
    fn an_error_has_the_name_of_its_variant_and_says_what_to_do() {
        let error = Error::bad_input("[0].detail", "is not an event", "Correct it.");
        assert_eq!(error.to_string(), "input[0].detail: is not an event. Correct it.");
        let error = Error::bad_input("only[0]", "no such database", "Check the name.");
        assert_eq!(error.name(), "BadInput");
        assert_eq!(error.to_string(), "only[0]: no such database. Check the name.");
        assert!(Error::NAMES.contains(&"BadInput"));
    }

    #[test]
    fn what_aws_said_is_repeated_without_the_promise_of_another_try() {
        let throttled = Error::Throttled {
            refusal: Refusal::without_code("Rate exceeded"),
        };
        assert_eq!(throttled.said(), "Rate exceeded");
        let down = Error::RdsUnavailable {
            reason: "the call timed out".to_owned(),
        };
        assert_eq!(down.said(), "the call timed out");
    }
}
