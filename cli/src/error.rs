//! What can go wrong on the operator's side, and how the program ends.

use std::fmt;
use std::process::ExitCode;

use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use domain::error::{Error, Refusal};
use rds::codes::{UNREADABLE, is_clock_off, is_denial, is_throttling};

/// How the program ends. The number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything is as it should be.
    Success = 0,
    /// The command could not do its work, or nothing of it.
    Error = 1,
    /// The command worked and found a problem: an RPO objective is not met, or some copies failed.
    Problem = 2,
    /// Ctrl-C ended it, as shells count that: 128 and the number of the signal.
    Interrupted = 130,
    /// Somebody ended it by `SIGTERM`, likewise.
    Terminated = 143,
}

impl ExitStatus {
    /// The worse of two: what could not be done at all is worse than a bad answer.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        let severity = |status: Self| match status {
            Self::Success => 0,
            Self::Problem => 1,
            Self::Error => 2,
            Self::Interrupted | Self::Terminated => 3,
        };
        if severity(other) > severity(self) { other } else { self }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

/// What kind of failure it is, where that changes what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    /// AWS asks to slow down.
    Throttled,
    /// AWS does not let the caller do it, or does not know the caller.
    Denied,
    /// AWS does not accept the signature, because the clock is off.
    ClockOff,
}

/// Why a command could not do its work, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    what: String,
    remedy: String,
    kind: Kind,
    /// What caused it, the nearest cause first.
    causes: Vec<String>,
}

impl CliError {
    /// What happened, and what to do next; both in sentences.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            kind: Kind::Other,
            causes: Vec::new(),
        }
    }

    /// The same, with what caused it.
    pub(crate) fn caused_by(self, error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        Self {
            causes: causes.map(ToString::to_string).collect(),
            ..self
        }
    }

    /// What caused it, as the SDK words it, the nearest cause first: for `--verbose`.
    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// A call of RDS failed. `needs` is what the caller must be allowed to do.
    pub(crate) fn from_rds(region: &str, needs: &str, error: &Error) -> Self {
        Self::from_gateway("RDS", region, needs, error)
    }

    /// A call of a service failed that has a gateway of its own, which the functions use as well.
    pub(crate) fn from_gateway(service: &str, region: &str, needs: &str, error: &Error) -> Self {
        // The functions' messages speak of steps and roles, which are not the operator's here.
        match error {
            Error::RdsUnavailable { reason } if reason.starts_with(UNREADABLE) => Self::unreadable(service, region),
            Error::RdsUnavailable { reason } => Self::unreachable(service, region, reason),
            Error::Throttled { refusal } => Self::throttled(service, region, &refusal.to_string()),
            Error::AccessDenied { refusal } if is_clock_off(&refusal.code, &refusal.message) => {
                Self::clock_off(service, region, &refusal.to_string())
            }
            Error::AccessDenied { refusal } => {
                Self::denied(service, region, &refusal.to_string(), &format!("{needs} there"))
            }
            // Its own words are of RDS, which is what the functions call most.
            Error::RdsError { refusal } if service != "RDS" => Self::new(
                format!("{service} in {region} refused: {refusal}."),
                "Nothing was changed.",
            ),
            other => Self::new(format!("{service} in {region}: {other}."), "Nothing was changed."),
        }
    }

    /// A call of another service failed. `needs` is what the caller must be allowed to do.
    pub(crate) fn from_call<E>(service: &str, region: &str, needs: &str, error: &SdkError<E>) -> Self
    where
        SdkError<E>: ProvideErrorMetadata,
        E: std::error::Error + 'static,
    {
        Self::answer(service, region, needs, error).caused_by(error)
    }

    fn answer<E>(service: &str, region: &str, needs: &str, error: &SdkError<E>) -> Self
    where
        SdkError<E>: ProvideErrorMetadata,
    {
        let Some(code) = error.code() else {
            return match error {
                SdkError::ResponseError(_) | SdkError::ServiceError(_) => Self::unreadable(service, region),
                _ => Self::unreachable(service, region, &without_code(error)),
            };
        };
        let message = error.message().unwrap_or("no message").trim_end_matches('.');
        let reason = Refusal {
            code: code.to_owned(),
            message: message.to_owned(),
        }
        .to_string();
        match code {
            _ if is_clock_off(code, message) => Self::clock_off(service, region, &reason),
            _ if is_denial(code) => Self::denied(service, region, &reason, needs),
            _ if is_throttling(code) => Self::throttled(service, region, &reason),
            "ExecutionDoesNotExist" => Self::new(
                format!("There is no such execution in {region}."),
                "Its name is in the console, and in the output of the `snapferry run` that started it.",
            ),
            "StateMachineDoesNotExist" => Self::new(
                format!("The stack's state machine is gone from {region}."),
                "Deploy the stack again: sam deploy --config-file infra/samconfig.toml.",
            ),
            _ => Self::new(
                format!("{service} in {region} refused: {reason}."),
                "Nothing was changed.",
            ),
        }
    }

    fn unreachable(service: &str, region: &str, reason: &str) -> Self {
        Self::new(
            format!("{service} in {region} could not be reached: {reason}."),
            format!(
                "Check the network and https://health.aws.amazon.com. If {region} is lost, `status`, `audit` and \
                 `restore-command` need the destination alone: --destination REGION --owner ID."
            ),
        )
    }

    fn unreadable(service: &str, region: &str) -> Self {
        Self::new(
            format!("{service} in {region} answered what cannot be read."),
            "Something between here and AWS may have answered in its place (a proxy, a sign-in page, an endpoint of \
             AWS_ENDPOINT_URL), or this program is too old.",
        )
    }

    /// To sign in again does not help.
    fn clock_off(service: &str, region: &str, reason: &str) -> Self {
        let what = format!("{service} in {region} does not accept the signature: {reason}.");
        let remedy = "The clock of this computer is off by more than five minutes: set it (timedatectl set-ntp true), and \
                      try again.";
        Self {
            kind: Kind::ClockOff,
            ..Self::new(what, remedy)
        }
    }

    fn throttled(service: &str, region: &str, reason: &str) -> Self {
        let what = format!("{service} in {region} asks to slow down: {reason}.");
        Self {
            kind: Kind::Throttled,
            ..Self::new(what, "Wait a minute and try again.")
        }
    }

    fn denied(service: &str, region: &str, reason: &str, needs: &str) -> Self {
        let what = format!("{service} in {region} does not let you: {reason}.");
        let remedy = format!(
            "Sign in again if your session has ended (aws sso login, aws sts get-caller-identity), or choose another \
             --profile. You need {needs}."
        );
        Self {
            kind: Kind::Denied,
            ..Self::new(what, remedy)
        }
    }

    /// What happened.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> &str {
        &self.remedy
    }

    /// Whether AWS does not let the caller do it: a policy, or credentials that are not (or no longer) valid.
    pub(crate) fn is_denied(&self) -> bool {
        self.kind == Kind::Denied
    }

    /// Whether AWS does not accept the signature, because the clock of this computer is off.
    pub(crate) fn is_clock_off(&self) -> bool {
        self.kind == Kind::ClockOff
    }

    /// Whether the same call may be answered a little later.
    pub(crate) fn is_throttled(&self) -> bool {
        self.kind == Kind::Throttled
    }

    /// The same, with one more thing to do.
    pub(crate) fn and(mut self, remedy: &str) -> Self {
        self.remedy = format!("{}\n{remedy}", self.remedy);
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what, self.remedy)
    }
}

/// What is known of a failure that AWS gave no code for.
fn without_code<E>(error: &SdkError<E>) -> String {
    match error {
        SdkError::TimeoutError(_) => "the call timed out".to_owned(),
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .map_or_else(|| "the call was not sent".to_owned(), |error| chain(error)),
        _ => "the call could not be made".to_owned(),
    }
}

/// An error with its causes: `io error: connection refused`.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let next = deeper.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = deeper.source();
    }
    text
}
