//! The commands: each reads its options, collects facts, and writes them.

pub(crate) mod audit;
pub(crate) mod copy_source;
pub(crate) mod documentation;
pub(crate) mod plan;
pub(crate) mod remarks;
pub(crate) mod restore_command;
pub(crate) mod run;
pub(crate) mod status;
