//! What Snapferry knows and decides without I/O: values in, values out.
//!
//! Import from the module that defines a thing (`domain::payload::Target`), so that the layers show.

#![forbid(unsafe_code)]

pub mod authorize;
pub mod by_hand;
pub mod copy_schedule;
pub mod copy_tags;
pub mod drill;
pub mod drill_database;
pub mod drill_proof;
pub mod error;
#[cfg(test)]
mod examples;
pub mod first_copy;
pub mod hash;
pub mod kind;
pub mod newest_copies;
pub mod option_groups;
pub mod ownership;
pub mod payload;
pub mod progress;
pub mod quota;
pub mod rds_rules;
pub mod region;
pub mod restorability;
pub mod restore_order;
pub mod restore_settings;
pub mod restored_status;
pub mod retention;
pub mod retention_rules;
pub mod selection;
pub mod settings;
pub mod snapshot;
pub mod tag_spelling;
pub mod tags;
mod variables;
pub mod waiting;
pub mod watch_settings;
