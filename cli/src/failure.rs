//! What can go wrong on the operator's side, and how the program ends.

use std::fmt;

use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::result::SdkError;

/// How the program ends. The number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything is as it should be: 0.
    Fine,
    /// The command could not do its work, or nothing of it: 1.
    Error,
    /// The command did its work, and the answer is bad: an objective is missed, or some copies failed: 2.
    Bad,
}

impl Ending {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Error => 1,
            Self::Bad => 2,
        }
    }
}

/// Why a command could not do its work, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    what: String,
    remedy: String,
    throttled: bool,
}

impl Failure {
    /// What happened, and what to do next; both in sentences.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            throttled: false,
        }
    }

    /// Whether the same call may be answered a little later.
    pub(crate) fn is_throttled(&self) -> bool {
        self.throttled
    }

    /// The same, with another thing to do.
    #[must_use]
    pub fn and(mut self, remedy: &str) -> Self {
        self.remedy = format!("{}\n{remedy}", self.remedy);
        self
    }

    /// RDS in `region` refused to tell, or did not answer. `what` is the operations that the caller needs.
    #[must_use]
    pub fn of_rds(region: &str, what: &str, error: &domain::error::Error) -> Self {
        // The functions' messages speak of steps and roles, which are not the operator's here.
        match error {
            domain::error::Error::RdsUnavailable { reason } => Self::unreachable("RDS", region, reason),
            domain::error::Error::Throttled { refusal } => Self::throttled("RDS", region, &refusal.to_string()),
            domain::error::Error::AccessDenied { refusal } => {
                Self::denied("RDS", region, &refusal.to_string(), &format!("{what} there"))
            }
            other => Self::new(format!("RDS in {region}: {other}."), "Nothing was changed."),
        }
    }

    /// A call of another service failed. `needs` is what the caller must be allowed to do.
    pub fn of_call<E, R>(service: &str, region: &str, needs: &str, error: &SdkError<E, R>) -> Self
    where
        SdkError<E, R>: ProvideErrorMetadata,
    {
        let Some(code) = error.code() else {
            return Self::unreachable(service, region, &transport(error));
        };
        let said = format!(
            "{code}: {}",
            error.message().unwrap_or("no message").trim_end_matches('.')
        );
        Self::of_answer(service, region, needs, code, &said)
    }

    /// The same for an error answer that was read by hand.
    #[must_use]
    pub(crate) fn of_answer(service: &str, region: &str, needs: &str, code: &str, said: &str) -> Self {
        match code {
            "AccessDenied"
            | "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "ExpiredTokenException" => Self::denied(service, region, said, needs),
            "Throttling" | "ThrottlingException" => Self::throttled(service, region, said),
            "ExecutionDoesNotExist" => Self::new(
                format!("There is no such execution in {region}."),
                "Its name is in the console and in what `snapferry run` said when it started it.",
            ),
            "StateMachineDoesNotExist" => Self::new(
                format!("The stack's state machine is gone from {region}."),
                "Deploy the stack again: sam deploy --config-file infra/samconfig.toml.",
            ),
            _ => Self::new(
                format!("{service} in {region} refused: {said}."),
                "Nothing was changed.",
            ),
        }
    }

    pub(crate) fn unreachable(service: &str, region: &str, said: &str) -> Self {
        Self::new(
            format!("{service} in {region} could not be reached: {said}."),
            format!(
                "Check the network and https://health.aws.amazon.com. If {region} is lost, `status`, `audit` and \
                 `restore-command` need the destination alone: --destination REGION --owner ID."
            ),
        )
    }

    fn throttled(service: &str, region: &str, said: &str) -> Self {
        let what = format!("{service} in {region} asks to slow down: {said}.");
        Self {
            throttled: true,
            ..Self::new(what, "Wait a minute and try again.")
        }
    }

    fn denied(service: &str, region: &str, said: &str, needs: &str) -> Self {
        Self::new(
            format!("{service} in {region} does not let you: {said}."),
            format!(
                "Sign in again if your session has ended (aws sso login, aws sts get-caller-identity), or choose \
                 another --profile. You need {needs}."
            ),
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what, self.remedy)
    }
}

/// What there is to say of a call that got no answer.
pub(crate) fn transport<E, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::TimeoutError(_) => "the call timed out".to_owned(),
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .map_or_else(|| "the call was not sent".to_owned(), |error| chain(error)),
        SdkError::ResponseError(_) => "the answer could not be read".to_owned(),
        _ => "the call could not be made".to_owned(),
    }
}

/// An error with its causes: `io error: connection refused`.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = deeper.source();
    }
    said
}
