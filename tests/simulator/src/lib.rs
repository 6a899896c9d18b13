//! Amazon RDS, simulated.

mod authorization;
mod control;
mod copying;
mod counters;
mod error;
mod faults;
mod hash;
mod identifier;
mod model;
mod operations;
mod request;
pub mod scenario;
mod seed;
pub mod server;
mod simulator;
mod view;
mod xml;

pub use authorization::{Caller, CallerTable};
pub use control::control;
pub use counters::{CopyCounters, Counters, Refusals, Write};
pub use faults::{Action, Calls, Fault, Hold, InjectedError};
pub use model::{Kind, PerKind, Tags};
pub use request::Request;
pub use scenario::{Scenario, ScenarioError};
pub use simulator::{Answer, Delivery, Response, Simulator};
pub use view::{DatabaseState, KeyState, RegionState, SnapshotState, State};
