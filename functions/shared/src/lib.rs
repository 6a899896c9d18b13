//! What the five functions share.
//!
//! - [`wire`]: the baton, every type that crosses a state boundary;
//! - [`Error`]: everything that can go wrong, by its name in the state machines;
//! - [`Settings`] and [`serve`]: configuration and start-up;
//! - [`ownership`]: which snapshots are ours, and what they are called;
//! - [`Rds`]: the gateway, the only place that knows the SDK.

#![forbid(unsafe_code)]

mod deployment;
mod error;
pub mod ownership;
mod presign;
pub mod rds;
mod settings;
mod snapshot;
pub mod wire;

pub use deployment::{Deployment, parse, serve};
pub use error::Error;
pub use ownership::{MOST_ATTEMPTS, OwnCopy, Owner, Standing, key_for, tags};
pub use presign::Presigner;
pub use rds::{CopyRequest, Quota, Rds, Which};
pub use settings::{Selection, Settings};
pub use snapshot::{Database, Encryption, Progress, Snapshot};
pub use wire::*;
