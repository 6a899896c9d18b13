//! What AWS knows: the account, the stack, the runs.

pub mod account;
pub(crate) mod alerts;
pub mod call_log;
pub(crate) mod caller;
pub(crate) mod deployment;
pub(crate) mod query;
pub(crate) mod rules;
pub(crate) mod stack;
pub mod step_functions;
pub(crate) mod watch_stack;
