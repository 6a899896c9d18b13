//! The commands against a simulated account, in virtual time.

mod account;
mod restore;
mod status;
