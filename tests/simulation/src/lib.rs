//! The whole of Snapferry in one process and in virtual time, under random faults.
#![forbid(unsafe_code)]

pub mod functions;
pub mod machines;
pub mod network;
pub mod random;
pub mod record;
pub mod step_functions;
pub mod trial;
pub mod virtual_time;
pub mod watch;
