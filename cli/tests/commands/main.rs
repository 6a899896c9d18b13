//! The commands against a simulated account, in virtual time.

mod account;
mod audit;
mod audit_drills;
mod audit_page;
mod copies;
mod doctor;
mod drill;
mod estimate;
mod fleet;
mod foreign;
mod key_policy;
mod plan;
mod restore;
mod restore_plan;
mod run;
mod status;
mod stop;
