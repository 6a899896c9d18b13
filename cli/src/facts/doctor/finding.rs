//! What a check of `snapferry doctor` found.

use serde::Serialize;

use crate::error::CliError;

/// How something is. The order is that of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Health {
    /// As it should be.
    Good,
    /// It could not be found out, which says nothing good.
    Unknown,
    /// It works, and somebody should know.
    Warning,
    /// Something does not work, or will not.
    Wrong,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was checked: the name of the check.
    pub(crate) check: &'static str,
    /// Of what: a region, a stack, a key.
    pub(crate) subject: String,
    pub(crate) health: Health,
    /// What was found, in a sentence.
    pub(crate) found: String,
    /// What to do; nothing where nothing has to be done.
    pub(crate) remedy: Option<String>,
}

impl Finding {
    pub(crate) fn good(check: &'static str, subject: &str, found: impl Into<String>) -> Self {
        Self {
            check,
            subject: subject.to_owned(),
            health: Health::Good,
            found: found.into(),
            remedy: None,
        }
    }

    pub(crate) fn unknown(check: &'static str, subject: &str, found: &str, remedy: impl Into<String>) -> Self {
        Self::good(check, subject, found).but(Health::Unknown, remedy)
    }

    pub(crate) fn warning(
        check: &'static str,
        subject: &str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::good(check, subject, found).but(Health::Warning, remedy)
    }

    pub(crate) fn wrong(
        check: &'static str,
        subject: &str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::good(check, subject, found).but(Health::Wrong, remedy)
    }

    /// A check that could not be made. It is never good.
    pub(crate) fn failed(check: &'static str, subject: &str, error: &CliError) -> Self {
        Self::unknown(check, subject, error.what(), error.remedy())
    }

    fn but(self, health: Health, remedy: impl Into<String>) -> Self {
        Self {
            health,
            remedy: Some(remedy.into()),
            ..self
        }
    }
}
