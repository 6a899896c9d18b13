//! Runs state machines as AWS Step Functions does, with a clock and tasks that a test brings.
//!
//! - [`StateMachine`]: a definition of which every field is known; what is not, is refused by panicking;
//! - [`Runner`]: executes it over a [`Clock`], [`Tasks`] and an [`Observer`];
//! - [`InstantExecution`]: an execution that takes no time, with a closure for its Tasks;
//! - [`Expressions`]: `JSONata`, with the functions that Step Functions adds.
//!
//! It follows AWS where emulators are lenient: variables of an outer scope are read-only, an expression without a result
//! is an error, payloads end at 256 KiB and histories at 25,000 events, `States.ALL` does not catch everything, and a
//! nested execution fails as `States.TaskFailed` with its description as Cause.

#![forbid(unsafe_code)]

mod concurrency;
mod definition;
mod expressions;
mod failure;
mod instant;
mod nested;
mod runner;

use std::time::Duration;

use serde_json::Value;

pub use concurrency::{Work, before, side_by_side};
pub use definition::{StateMachine, entries};
pub use expressions::{Expressions, View};
pub use failure::Failure;
pub use instant::{InstantExecution, STARTED, Sizes};
pub use nested::NestedExecution;
pub use runner::{MAX_EVENTS, Runner};

/// How time passes for an execution.
pub trait Clock {
    /// Lets so much time pass.
    fn sleep(&self, time: Duration) -> Work<'_, ()>;

    /// How long a retry with full jitter waits: between nothing and this.
    fn jitter(&self, longest: Duration) -> Duration {
        longest
    }
}

/// What a Task asks for.
#[derive(Debug, Clone, Copy)]
pub struct Task<'t> {
    /// Name of the state.
    pub state: &'t str,
    /// The service and its operation, as in `arn:aws:states:::lambda:invoke`.
    pub resource: &'t str,
    /// What the service is asked.
    pub arguments: &'t Value,
}

/// The services that an execution calls.
pub trait Tasks {
    /// Does what a Task asks for.
    fn perform<'t>(&'t self, task: Task<'t>) -> Work<'t, Result<Value, Failure>>;
}

/// Which of a state's values is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Payload {
    /// What the state gets.
    Input,
    /// What the service is asked.
    Arguments,
    /// What it answers.
    Result,
    /// What the state hands on.
    Output,
}

/// Receives what an execution does.
pub trait Observer {
    /// It enters a state of this type.
    fn entered(&self, _state: &str, _kind: &str) {}

    /// A state waits for this many seconds.
    fn waits(&self, _seconds: u64) {}

    /// A state has a value of this many bytes.
    fn carries(&self, _state: &str, _payload: Payload, _bytes: usize) {}

    /// The history has this many events by now.
    fn events(&self, _count: u64) {}

    /// A Task took longer than its timeout.
    fn timed_out(&self, _state: &str) {}

    /// A state is to be retried after this failure.
    fn retries(&self, _state: &str, _failure: &Failure) {}

    /// A state of this type has failed in the end, after this many retries.
    fn gave_up(&self, _state: &str, _kind: &str, _failure: &Failure, _retries: u32) {}
}
