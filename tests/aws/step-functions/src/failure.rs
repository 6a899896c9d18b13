//! Errors with their causes.

use serde_json::{Map, Value, json};

use crate::definition::entries;

/// Errors that neither `States.ALL` nor `States.TaskFailed` matches.
const BEYOND_CATCHING: [&str; 2] = ["States.DataLimitExceeded", "States.Runtime"];

/// An error with its cause, as a Catch sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Name of the error.
    pub error: String,
    /// What is said about it. A timeout has none.
    pub cause: Option<String>,
}

impl Failure {
    /// An error with what is said about it.
    #[must_use]
    pub fn new(error: &str, cause: impl Into<String>) -> Self {
        Self {
            error: error.to_owned(),
            cause: Some(cause.into()),
        }
    }

    /// A timeout, which says nothing.
    #[must_use]
    pub fn timeout() -> Self {
        Self {
            error: "States.Timeout".to_owned(),
            cause: None,
        }
    }

    /// A function that failed: its error's name, and the message where the Lambda runtime puts it.
    #[must_use]
    pub fn from_function(error: &str, message: &str) -> Self {
        let cause = json!({ "errorType": error, "errorMessage": message });
        Self::new(error, cause.to_string())
    }

    /// An expression that cannot be evaluated.
    #[must_use]
    pub fn from_expression(problem: impl std::fmt::Display) -> Self {
        Self::new("States.QueryEvaluationError", problem.to_string())
    }

    /// What a Catch sees as `$states.errorOutput`.
    #[must_use]
    pub fn to_error_output(&self) -> Value {
        let mut output = Map::from_iter([("Error".to_owned(), json!(self.error))]);
        if let Some(cause) = &self.cause {
            output.insert("Cause".to_owned(), json!(cause));
        }
        Value::Object(output)
    }

    /// Whether a retrier or catcher is for it.
    pub(crate) fn is_met_by(&self, entry: &Value) -> bool {
        let error = self.error.as_str();
        let beyond = BEYOND_CATCHING.contains(&error);
        entries(&entry["ErrorEquals"]).iter().any(|name| match name.as_str() {
            Some("States.ALL") => !beyond,
            Some("States.TaskFailed") => !beyond && error != "States.Timeout",
            name => name == Some(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_what_they_match_on_aws() {
        for (name, error, matches) in [
            ("States.ALL", "Throttled", true),
            ("States.ALL", "States.Timeout", true),
            ("States.ALL", "States.QueryEvaluationError", true),
            ("States.ALL", "States.DataLimitExceeded", false),
            ("States.ALL", "States.Runtime", false),
            ("States.TaskFailed", "SNS.InternalErrorException", true),
            ("States.TaskFailed", "States.TaskFailed", true),
            ("States.TaskFailed", "States.Timeout", false),
            ("States.TaskFailed", "States.Runtime", false),
            ("States.DataLimitExceeded", "States.DataLimitExceeded", true),
            ("Throttled", "throttled", false),
        ] {
            let failure = Failure::new(error, "");
            let entry = json!({ "ErrorEquals": ["Other", name] });
            assert_eq!(failure.is_met_by(&entry), matches, "{name} and {error}");
        }
    }
}
