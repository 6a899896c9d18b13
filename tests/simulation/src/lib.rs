//! The whole of Snapferry in one process and in virtual time, under random faults.
//!
//! A seed determines everything: a fleet, some days of overlapping runs, new snapshots, and what goes wrong. The real
//! state machines run the real handlers against the simulated RDS; then the faults stop, and quiet runs follow until
//! one finds nothing to do.
//!
//! - [`scenario_run`]: one seed from its beginning to its verdict;
//! - `fleet`: the databases of a seed, the stack that copies them, and the account;
//! - [`policies`]: what the tags of a database ask for;
//! - [`invariants`]: what must always hold, judged at every write and at the end from what really is;
//! - `drills`: in some worlds, the stack of the destination region, and what happens to its drills;
//! - `drill_judge`: what must always hold of them;
//! - [`releases`]: in some worlds, updates to the next release, and rollbacks;
//! - [`executions`]: executions of the state machines, many side by side;
//! - [`functions`]: the functions of both stacks as Lambda runs them, killed, repeated, late, under clocks that differ;
//! - [`network`]: latency and faults between a function and RDS, databases that are renamed, deleted and re-created;
//! - `signature`: who calls, in place of a signature;
//! - [`virtual_time`]: tasks on one thread whose clock jumps from event to event;
//! - [`record`]: the transcript, its hash, and the counts.
//!
//! Nothing here reads the machine's clock or its randomness, so that a seed replays exactly.

#![forbid(unsafe_code)]

mod drill_judge;
mod drills;
pub mod executions;
mod fleet;
pub mod functions;
pub mod invariants;
pub mod machines;
pub mod network;
pub mod policies;
pub mod random;
pub mod record;
pub mod releases;
pub mod scenario_run;
mod signature;
pub mod virtual_time;
