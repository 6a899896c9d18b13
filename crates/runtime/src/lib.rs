//! What makes a binary a Lambda function.

#![forbid(unsafe_code)]

mod connection;
pub mod deployment;
pub mod input;
pub mod metrics;
pub mod release;
pub mod serve;
pub mod watch;
