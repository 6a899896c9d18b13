//! Everything that can go wrong, under names that the state machines match on.

use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use lambda_runtime::Diagnostic;

/// Declares the variants, their names and their messages in one place, so that none can be forgotten.
macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident => $message:literal,)+) => {
        /// What went wrong. The variant's name is what Step Functions shows as `Error` and what Retry and
        /// Catch match on; the message says what happened and what to do next.
        ///
        /// No variant carries a tag value or a credential: messages end in the execution history.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Error {
            $($(#[doc = $doc])+ $name(String),)+
        }

        impl Error {
            /// Every name that [`Error::name`] can give.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// The stable name of this error in the state machines.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)+ }
            }
        }

        impl std::fmt::Display for Error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self { $(Self::$name(said) => write!(f, $message, said = said),)+ }
            }
        }
    };
}

errors! {
    /// The input of an execution or a function is not what it should be. Says the field and the remedy.
    BadInput => "{said}",
    /// An environment variable of the function is missing or wrong. Says the variable and the remedy.
    BadSettings => "{said}",
    /// RDS asks to slow down; the state machine retries.
    Throttled => "RDS asks to slow down, the step is retried: {said}",
    /// RDS could not be reached or answered with a server error; the state machine retries.
    RdsUnavailable => "RDS did not answer, the step is retried: {said}",
    /// The role of the function lacks a permission.
    AccessDenied => "{said}. Compare the function's role with the one in infra/template.yaml, and look for a service control policy that restricts regions.",
    /// As many copies as RDS allows are in flight to the destination region. A wait, not a failure.
    CopySlotsFull => "every copy slot of the destination region is taken, waiting for one: {said}",
    /// The manual snapshots of the destination region have reached their quota.
    SnapshotQuotaFull => "the destination region can hold no more manual snapshots: {said}. Delete manual snapshots there that nobody needs, lower KeepCopies, or ask for a higher quota (Service Quotas: RDS, Manual snapshots).",
    /// The snapshot cannot be used yet, or its cluster is busy; the state machine retries for a while.
    SnapshotNotReady => "the snapshot is not ready yet: {said}",
    /// The snapshot does not exist (any more).
    SnapshotNotFound => "the snapshot does not exist: {said}. It may have expired; the next run copies the one that is newest then.",
    /// RDS cannot use the key of the source or of the destination.
    KeyNotUsable => "RDS cannot use a KMS key: {said}. Check that the key exists in its region and is enabled, and that its policy admits the roles of list-targets and start-copy (README, key policy).",
    /// The database has permanent options that the destination needs an option group for.
    OptionGroupMissing => "the copy needs an option group in the destination region: {said}. Create one there with those options, and name it in the parameter OptionGroups or in the database's tag snapferry:option-group.",
    /// The name of the copy belongs to a snapshot that is not ours.
    NameTaken => "{said} exists in the destination region and is not a copy that this stack made of this snapshot. Rename or delete it, or choose another OwnerId.",
    /// Three copies of this snapshot failed; the next snapshot starts afresh.
    AttemptsUsedUp => "{said}. Look at the failed copies in the destination region; to try this snapshot again, delete them.",
    /// RDS says that the copy failed.
    CopyFailed => "{said}. The next run tries again, three times at most for one snapshot.",
    /// The copy was there and is gone.
    CopyMissing => "{said} is gone: somebody deleted or cancelled it. The next run copies again.",
    /// The finished copy is not what was asked for.
    CopyMismatch => "{said}. The copy is marked as a mismatch and does not count; the next run copies again.",
    /// The copy is not complete after `CopyDeadlineHours`.
    CopyOverdue => "{said}. It no longer blocks pruning. If it is stuck, delete it in the destination region; the next run copies again.",
    /// A fleet of more pages than there can be, or a cursor that does not grow.
    PageLimit => "{said}",
    /// Any other refusal by RDS, in its own words.
    RdsError => "RDS refused: {said}",
}

impl Error {
    /// A field of the input is wrong: which one, in what way, and what would be right.
    #[must_use]
    pub fn bad_input(field: &str, problem: &str, remedy: &str) -> Self {
        Self::BadInput(format!("{field}: {problem}. {remedy}"))
    }

    /// What a refused or failed call means, by the code that RDS gave.
    ///
    /// Codes: RDS API model 2014-10-31. Some end in `Fault` and some do not.
    #[must_use]
    pub fn from_code(code: &str, message: &str) -> Self {
        let said = format!("{code}: {message}");
        match code {
            "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "TooManyRequestsException"
            | "RequestThrottled" => Self::Throttled(said),
            "AccessDenied"
            | "AccessDeniedException"
            | "UnauthorizedOperation"
            | "OptInRequired"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "SignatureDoesNotMatch" => Self::AccessDenied(said),
            "InternalFailure" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" => Self::RdsUnavailable(said),
            "SnapshotQuotaExceeded" => Self::of_quota(&said),
            "InvalidDBSnapshotState" | "InvalidDBClusterSnapshotStateFault" | "InvalidDBClusterStateFault" => {
                Self::SnapshotNotReady(said)
            }
            "DBSnapshotNotFound" | "DBClusterSnapshotNotFoundFault" => Self::SnapshotNotFound(said),
            "KMSKeyNotAccessibleFault" => Self::KeyNotUsable(said),
            "DBSnapshotAlreadyExists" | "DBClusterSnapshotAlreadyExistsFault" => Self::NameTaken(said),
            "InvalidParameterValue" | "InvalidParameterCombination" if message.contains("option group") => {
                Self::OptionGroupMissing(said)
            }
            "OptionGroupNotFoundFault" => Self::OptionGroupMissing(said),
            _ => Self::RdsError(said),
        }
    }

    /// RDS answers with one code for two limits, and only the text tells them apart: "Cannot copy more than 5
    /// snapshots across regions" is a wait, "Cannot create more than 100 manual snapshots" is not. A text that is
    /// neither gives [`Error::RdsError`], and the caller counts the snapshots.
    fn of_quota(said: &str) -> Self {
        let text = said.to_ascii_lowercase();
        let copying = text.contains("cannot copy") || text.contains("across region");
        let storing = text.contains("cannot create") || text.contains("manual");
        match (copying, storing) {
            (true, false) => Self::CopySlotsFull(said.to_owned()),
            (false, true) => Self::SnapshotQuotaFull(said.to_owned()),
            _ => Self::RdsError(said.to_owned()),
        }
    }

    /// Whether RDS refused a parameter, or the parameters together, for a reason that has no name of its own.
    #[must_use]
    pub fn is_refused_parameter(&self) -> bool {
        matches!(self, Self::RdsError(said) if said.starts_with("InvalidParameter"))
    }

    /// Whether RDS refused with its quota code, in words that name neither limit.
    #[must_use]
    pub fn is_unclear_quota(&self) -> bool {
        matches!(self, Self::RdsError(said) if said.starts_with("SnapshotQuotaExceeded"))
    }
}

impl std::error::Error for Error {}

impl<E> From<SdkError<E>> for Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        let status = error.raw_response().map(|response| response.status().as_u16());
        // `SdkError` displays as just "service error", so take what RDS said.
        if let Some(code) = error.code() {
            let message = error.message().unwrap_or("no message");
            return match status {
                Some(500..) => Self::RdsUnavailable(format!("{code}: {message}")),
                _ => Self::from_code(code, message),
            };
        }
        // Without a code there is only the transport to speak of. The raw response stays out of the message: it
        // may hold tag values.
        Self::RdsUnavailable(match (&error, status) {
            (_, Some(status)) => format!("HTTP status {status} without an error code"),
            (SdkError::TimeoutError(_), _) => "the call timed out".to_owned(),
            (SdkError::DispatchFailure(failure), _) => failure
                .as_connector_error()
                .map_or_else(|| "the call was not sent".to_owned(), ToString::to_string),
            _ => "the call could not be made".to_owned(),
        })
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self {
            error_type: error.name().to_owned(),
            error_message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_quota_errors_are_told_apart_by_their_text() {
        let name = |message| Error::from_code("SnapshotQuotaExceeded", message).name();
        assert_eq!(
            name("Cannot copy more than 5 snapshots across regions"),
            "CopySlotsFull"
        );
        assert_eq!(
            name("Cannot copy more than 20 snapshots across regions."),
            "CopySlotsFull"
        );
        assert_eq!(
            name("Cannot create more than 100 manual snapshots"),
            "SnapshotQuotaFull"
        );
        assert_eq!(name("You have reached your limit"), "RdsError");
        assert!(Error::from_code("SnapshotQuotaExceeded", "You have reached your limit").is_unclear_quota());
    }

    #[test]
    fn codes_become_the_names_that_the_state_machines_match_on() {
        for (code, name) in [
            ("Throttling", "Throttled"),
            ("ThrottlingException", "Throttled"),
            ("AccessDenied", "AccessDenied"),
            ("OptInRequired", "AccessDenied"),
            ("OptionGroupNotFoundFault", "OptionGroupMissing"),
            ("InvalidDBSnapshotState", "SnapshotNotReady"),
            ("InvalidDBClusterSnapshotStateFault", "SnapshotNotReady"),
            ("DBSnapshotNotFound", "SnapshotNotFound"),
            ("DBClusterSnapshotNotFoundFault", "SnapshotNotFound"),
            ("KMSKeyNotAccessibleFault", "KeyNotUsable"),
            ("InvalidParameterValue", "RdsError"),
            ("SomethingNew", "RdsError"),
        ] {
            assert_eq!(Error::from_code(code, "text").name(), name, "{code}");
        }
        let timezone = "The snapshot requires a target option group with the following options: [Timezone]";
        assert_eq!(
            Error::from_code("InvalidParameterValue", timezone).name(),
            "OptionGroupMissing"
        );
    }

    #[test]
    fn a_diagnostic_carries_name_and_message() {
        let diagnostic = Diagnostic::from(Error::bad_input("only[0]", "no such database", "Check the name."));
        assert_eq!(diagnostic.error_type, "BadInput");
        assert_eq!(diagnostic.error_message, "only[0]: no such database. Check the name.");
        assert!(Error::NAMES.contains(&"BadInput"));
    }
}
