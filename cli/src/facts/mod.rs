//! What a command needs to know: collected from AWS and judged, without a word to the operator.

pub(crate) mod copies;
pub(crate) mod copy_list;
pub(crate) mod copy_result;
pub(crate) mod doctor;
pub(crate) mod drill_evidence;
pub(crate) mod drill_record;
pub(crate) mod drill_run;
pub(crate) mod drills;
pub(crate) mod evidence;
pub(crate) mod exceptions;
pub(crate) mod fleet;
pub(crate) mod following;
pub(crate) mod foreign_copies;
pub(crate) mod freshness;
pub(crate) mod history;
pub(crate) mod key_policy;
pub(crate) mod last_executions;
pub(crate) mod plan_file;
pub(crate) mod restorability;
pub(crate) mod run_origins;
pub(crate) mod run_progress;
pub(crate) mod run_summary;
pub(crate) mod source_snapshots;
