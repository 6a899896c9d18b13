//! What AWS's error codes mean to us: the one list of them, for the functions and the command line.
//!
//! Codes: RDS API model 2014-10-31, and the common errors of AWS's Query and JSON protocols. Some end in `Fault` and
//! some do not.

use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use domain::error::{Error, Refusal};

/// What is said of an answer that is not one of the service.
pub const UNREADABLE: &str = "the answer cannot be read";

/// Whether AWS asks to slow down.
#[must_use]
pub fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "TooManyRequestsException"
            | "RequestThrottled"
    )
}

/// Whether the caller may not do this, or AWS does not know the caller.
#[must_use]
pub fn is_denial(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "UnauthorizedOperation"
            | "OptInRequired"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "AuthFailure"
            | "MissingAuthenticationToken"
    ) || is_about_signature(code)
}

/// Whether AWS did not accept a signature: the clock of whoever signed is off, or the secret key is wrong.
fn is_about_signature(code: &str) -> bool {
    matches!(
        code,
        "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "RequestInTheFuture"
    )
}

/// Whether a call was refused because the clock of whoever signed it is off: to sign in again does not help.
#[must_use]
pub fn is_clock_off(code: &str, message: &str) -> bool {
    let text = message.to_ascii_lowercase();
    let says_so = [
        "signature expired",
        "signature not yet current",
        "is not in the valid range",
        "too skewed",
    ];
    matches!(code, "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture")
        || is_about_signature(code) && says_so.iter().any(|words| text.contains(words))
}

/// Whether a snapshot of the wanted name exists already.
pub(crate) fn is_name_taken(code: &str) -> bool {
    matches!(code, "DBSnapshotAlreadyExists" | "DBClusterSnapshotAlreadyExistsFault")
}

/// AWS's own code of a refusal that has no name of ours; empty for any other error.
fn own_code(error: &Error) -> &str {
    match error {
        Error::RdsError { refusal } => &refusal.code,
        _ => "",
    }
}

/// Whether RDS said that there is no such database, or no automated backup of it.
pub(crate) fn is_no_database(error: &Error) -> bool {
    matches!(
        own_code(error),
        "DBInstanceNotFound"
            | "DBClusterNotFoundFault"
            | "DBInstanceAutomatedBackupNotFound"
            | "DBClusterAutomatedBackupNotFoundFault"
    )
}

/// What RDS refused a restore for, or the deletion of what was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseRefusal {
    /// There is a database of that name.
    NameTaken,
    /// The database, or its cluster, is at something else.
    Busy,
    /// The copy: a real restore would be refused as well.
    Copy,
    /// The copy is not there (any more).
    CopyGone,
    /// Anything else: quotas, capacity, the network, parameters, permissions. It says nothing of the copy.
    Surroundings,
}

/// What a refusal is for, by AWS's code (AWS facts, part 2, A2 and A3).
#[must_use]
pub fn database_refusal(error: &Error) -> DatabaseRefusal {
    match own_code(error) {
        "DBInstanceAlreadyExists" | "DBClusterAlreadyExistsFault" => DatabaseRefusal::NameTaken,
        "InvalidDBInstanceState" | "InvalidDBClusterStateFault" => DatabaseRefusal::Busy,
        "KMSKeyNotAccessibleFault"
        | "InvalidRestoreFault"
        | "InvalidDBSnapshotState"
        | "InvalidDBClusterSnapshotStateFault"
        | "OptionGroupNotFoundFault" => DatabaseRefusal::Copy,
        "DBSnapshotNotFound" | "DBClusterSnapshotNotFoundFault" => DatabaseRefusal::CopyGone,
        _ => DatabaseRefusal::Surroundings,
    }
}

/// What a refused or failed call about a database means. What is not for the caller of every call stays under AWS's own
/// code, for [`database_refusal`]: of databases the codes mean something else than of snapshots.
pub(crate) fn database_error<E>(failed: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let refusal = failed.code().map(|code| Refusal {
        code: code.to_owned(),
        message: failed.message().unwrap_or("no message").to_owned(),
    });
    match (error(failed), refusal) {
        (general @ (Error::Throttled { .. } | Error::AccessDenied { .. } | Error::RdsUnavailable { .. }), _) => general,
        (_, Some(refusal)) => Error::RdsError { refusal },
        (other, None) => other,
    }
}

/// The code for both limits of snapshots, see [`quota`].
const QUOTA: &str = "SnapshotQuotaExceeded";

/// Whether RDS refused a parameter, or the parameters together, for a reason that has no name of its own.
#[must_use]
pub fn is_refused_parameter(error: &Error) -> bool {
    matches!(error, Error::RdsError { refusal } if refusal.code.starts_with("InvalidParameter"))
}

/// Whether RDS refused with its quota code, in words that name neither limit.
#[must_use]
pub fn is_unclear_quota(error: &Error) -> bool {
    matches!(error, Error::RdsError { refusal } if refusal.code == QUOTA)
}

/// What a refused call means, by the code that RDS gave.
#[must_use]
pub fn refused(code: &str, message: &str) -> Error {
    let refusal = Refusal {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    let reason = refusal.to_string();
    match code {
        _ if is_throttling(code) => Error::Throttled { refusal },
        _ if is_denial(code) => Error::AccessDenied { refusal },
        "InternalFailure" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" => {
            Error::RdsUnavailable { reason }
        }
        QUOTA => quota(refusal),
        "InvalidDBSnapshotState" | "InvalidDBClusterSnapshotStateFault" | "InvalidDBClusterStateFault" => {
            Error::SnapshotNotReady { reason }
        }
        "DBSnapshotNotFound" | "DBClusterSnapshotNotFoundFault" => Error::SnapshotNotFound { reason },
        "KMSKeyNotAccessibleFault" => Error::KeyNotUsable { reason },
        "InvalidParameterValue" | "InvalidParameterCombination" if message.contains("option group") => {
            Error::OptionGroupMissing { reason }
        }
        "OptionGroupNotFoundFault" => Error::OptionGroupMissing { reason },
        _ => Error::RdsError { refusal },
    }
}

/// RDS answers with one code for two limits, and only the text tells them apart: "Cannot copy more than 5 snapshots
/// across regions" is a wait, "Cannot create more than 100 manual snapshots" is not. A text that is neither gives
/// [`Error::RdsError`], and the caller counts the snapshots.
fn quota(refusal: Refusal) -> Error {
    let text = refusal.message.to_ascii_lowercase();
    let copying = text.contains("cannot copy") || text.contains("across region");
    let storing = text.contains("cannot create") || text.contains("manual");
    match (copying, storing) {
        (true, false) => Error::CopySlotsFull {
            reason: refusal.to_string(),
        },
        (false, true) => Error::SnapshotQuotaFull {
            reason: refusal.to_string(),
        },
        _ => Error::RdsError { refusal },
    }
}

/// What a refused or failed call of any service's SDK means: `call.send().await.map_err(codes::error)?`.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
#[must_use]
pub fn error<E>(error: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    // `SdkError` displays as just "service error", so take what RDS said.
    if let Some(code) = error.code() {
        let message = error.message().unwrap_or("no message");
        return match status {
            Some(500..) => Error::RdsUnavailable {
                reason: format!("{code}: {message}"),
            },
            _ => refused(code, message),
        };
    }
    // Without a code there is only the transport to speak of. The raw response stays out of the message: it may hold
    // tag values.
    let reason = match (&error, status) {
        // Not silence: an answer of something that is not RDS, or is newer than this program (P6).
        (_, Some(status @ 200..300)) => format!("{UNREADABLE} (HTTP status {status})"),
        (_, Some(status)) => format!("HTTP status {status} without an error code"),
        (SdkError::TimeoutError(_), _) => "the call timed out".to_owned(),
        (SdkError::DispatchFailure(failure), _) => failure
            .as_connector_error()
            .map_or_else(|| "the call was not sent".to_owned(), ToString::to_string),
        _ => "the call could not be made".to_owned(),
    };
    Error::RdsUnavailable { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_quota_errors_are_told_apart_by_their_text() {
        let name = |message| refused("SnapshotQuotaExceeded", message).name();
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
        assert!(is_unclear_quota(&refused(
            "SnapshotQuotaExceeded",
            "You have reached your limit"
        )));
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
            assert_eq!(refused(code, "text").name(), name, "{code}");
        }
        let timezone = "The snapshot requires a target option group with the following options: [Timezone]";
        assert_eq!(refused("InvalidParameterValue", timezone).name(), "OptionGroupMissing");
    }

    /// The hand-made case of a clock that is off.
    #[test]
    fn a_clock_that_is_off_is_told_from_a_key_that_is_wrong() {
        for (code, message, expected) in [
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20261122T1000Z is now earlier than 20261122T1145Z",
                true,
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20261122T1300Z is still later than ...",
                true,
            ),
            ("RequestExpired", "Request has expired.", true),
            ("RequestTimeTooSkewed", "", true),
            (
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match",
                false,
            ),
            (
                "ExpiredToken",
                "The security token included in the request is expired",
                false,
            ),
            ("AccessDenied", "Signature expired", false),
        ] {
            assert_eq!(is_clock_off(code, message), expected, "{code} {message}");
        }
        for code in ["RequestExpired", "RequestTimeTooSkewed", "InvalidSignatureException"] {
            assert_eq!(refused(code, "text").name(), "AccessDenied", "{code}");
        }
    }

    #[test]
    fn a_refused_parameter_is_known_by_its_code_and_not_by_the_words_before_it() {
        assert!(is_refused_parameter(&refused(
            "InvalidParameterCombination",
            "You can't"
        )));
        assert!(!is_refused_parameter(&refused("SomethingNew", "InvalidParameterValue")));
    }
}
