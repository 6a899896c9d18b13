//! Deletes what drills made, and proves that it is gone.
//!
//! In: a drill, of which everything is deleted; or `{"sweep": true}`, every hour, for what is past its time or whose
//! execution has ended. Out: [`Answer`]. Safe to repeat: it deletes what is there, and a deletion takes minutes.
//!
//! Nothing is deleted that has not both the name and the mark of a drill database, as RDS describes it right before the
//! deletion is asked for.

#![forbid(unsafe_code)]

mod executions;
mod sweep;
mod teardown;

use domain::drill::Drill;
use domain::error::Error;
use jiff::Timestamp;
use runtime::watch::Watch;
use serde::{Deserialize, Serialize};

pub use executions::{Executions, Runs};
pub use sweep::Swept;
pub use teardown::Ended;

/// What is to be ended.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// The drill of which everything is deleted.
    drill: Option<Drill>,
    /// What this function answered before to the same drill.
    before: Option<Ended>,
    /// Whether everything is deleted that should be gone by now.
    #[serde(default)]
    sweep: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// About one drill.
    Ended(Ended),
    /// About all of them.
    Swept(Swept),
}

/// Ends one drill, or sweeps.
pub async fn handle(watch: &Watch, runs: &impl Runs, request: Request, now: Timestamp) -> Result<Answer, Error> {
    match request {
        Request {
            drill: Some(drill),
            before,
            sweep: false,
        } => teardown::end(watch, &drill, &before.unwrap_or_default(), now)
            .await
            .map(Answer::Ended),
        Request {
            drill: None,
            before: None,
            sweep: true,
        } => sweep::sweep(watch, runs, now).await.map(Answer::Swept),
        Request { .. } => Err(Error::bad_input(
            "input",
            "has to be either a drill or a sweep",
            "The state machines give a drill, the hourly rule gives {\"sweep\": true}.",
        )),
    }
}

#[cfg(test)]
mod tests;
