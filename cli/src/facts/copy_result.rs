//! What an execution of copy-snapshot returns, as far as the commands read it.

use domain::payload::{CopyProgress, CopyRef, Decision, Outcome, PruneReport, Source, Verification};
use serde::Deserialize;

use crate::aws::step_functions::ExecutionDetail;

/// The fields of [`domain::payload::Pruned`] and of what it is made of. A payload that ended early has only some.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CopyResult {
    pub(crate) decision: Option<Decision>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: String,
    pub(crate) source: Option<Source>,
    pub(crate) copy: Option<CopyRef>,
    pub(crate) status: Option<CopyProgress>,
    pub(crate) verification: Verification,
    pub(crate) pruned: PruneReport,
}

impl From<&ExecutionDetail> for CopyResult {
    fn from(detail: &ExecutionDetail) -> Self {
        detail.output().unwrap_or_default()
    }
}
