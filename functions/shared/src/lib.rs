//! What the five functions share.
//!
//! - [`wire`]: the baton, every type that crosses a state boundary;
//! - [`Error`]: everything that can go wrong, by its name in the state machines;
//! - [`Settings`] and [`serve`]: configuration and start-up;
//! - [`Meter`]: what is measured;
//! - [`ownership`]: which snapshots are ours, and what they are called;
//! - [`Rds`]: the gateway, the only place that knows the SDK.

#![forbid(unsafe_code)]

mod connection;
mod deployment;
mod engines;
mod error;
mod keep;
pub mod metrics;
mod option_groups;
pub mod ownership;
mod presign;
pub mod rds;
mod settings;
mod snapshot;
pub mod wire;

pub use deployment::{Deployment, parse, serve, serve_with};
pub use engines::why_unsupported;
pub use error::Error;
pub use keep::{Keep, KeepRule};
pub use metrics::{Meter, Metric};
pub use option_groups::{OptionGroups, takes_option_group};
pub use ownership::{MOST_ATTEMPTS, OwnCopy, Owner, Standing, tags, takes_key};
pub use presign::Presigner;
pub use rds::{CopyRequest, Quota, Rds, Which};
pub use settings::{KmsKey, Selection, Settings, partition};
pub use snapshot::{Database, Encryption, OptionGroup, Progress, Snapshot};
pub use wire::*;
