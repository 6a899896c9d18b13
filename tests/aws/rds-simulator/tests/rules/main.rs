//! The rules that the simulator keeps, one test each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod accounts;
mod authorization;
mod copying;
mod creating;
mod databases_deleted;
mod deleting;
mod describing;
mod details;
mod global_clusters;
mod harness;
mod keys;
mod lifecycle;
mod offers;
mod option_groups;
mod presigning;
mod properties;
mod restore_fates;
mod restore_rights;
mod restored_databases;
mod restoring;
mod seeding;
mod tagging;
mod time;
mod trouble;
