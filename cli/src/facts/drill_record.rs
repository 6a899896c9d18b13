//! What came of the drill of one database, by the execution that it was.

use std::collections::BTreeMap;

use domain::drill::{DrillCheck, DrillOutcome, DrilledCopy, known_checks};
use domain::kind::DatabaseKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::aws::step_functions::{
    ExecutionDetail, ExecutionStatus, StepFunctions, execution_console_url, execution_name,
};
use crate::format::format_utc;

/// What came of the drill of one database.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DrillRecord {
    pub(crate) kind: DatabaseKind,
    pub(crate) database: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_id: Option<String>,
    pub(crate) outcome: DrillOutcome,
    /// Until the database could be used, if it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) minutes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Identifier of the copy that was restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) copy: Option<String>,
    /// How old its data is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) captured_at: Option<Timestamp>,
    /// What the restored database was checked by.
    pub(crate) checked: Vec<DrillCheck>,
    /// Whether a cluster was restored without an instance, so that its engine was not started.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) storage_only: bool,
    /// What the operator's function measured.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) numbers: BTreeMap<String, Number>,
    /// Identifier of the drill database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restored_as: Option<String>,
    /// Whether nothing of it is there any more, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gone: Option<bool>,
    /// When the drill itself saw nothing of it for the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gone_at: Option<Timestamp>,
    /// Whether something of it is left to the sweep.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) left: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Timestamp>,
    /// Name of the run that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
    /// Name of the execution.
    pub(crate) execution: String,
    /// The execution in the console.
    pub(crate) link: String,
}

/// What an execution of drill-copy is asked for: the database, and the run that started it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    kind: DatabaseKind,
    id: String,
    #[serde(default)]
    resource_id: Option<String>,
    #[serde(default)]
    copy: Option<DrilledCopy>,
    /// Of the drill database.
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID", default)]
    run: String,
}

/// The record of a drill, as the machine writes it at its end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Returned {
    outcome: DrillOutcome,
    #[serde(default)]
    minutes: Option<u64>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    left: bool,
    /// Drill databases that a person keeps.
    #[serde(default)]
    kept: Vec<String>,
    #[serde(default, deserialize_with = "known_checks")]
    checked: Vec<DrillCheck>,
    #[serde(default)]
    data_time: Option<Timestamp>,
    #[serde(default)]
    gone_at: Option<Timestamp>,
    #[serde(default)]
    restore: Option<Restored>,
    #[serde(default)]
    verdict: Option<Judged>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Restored {
    with_instance: bool,
}

#[derive(Debug, Deserialize)]
struct Judged {
    #[serde(default)]
    numbers: BTreeMap<String, Number>,
}

/// The error of a drill whose copy did not pass, and the state that ends it with that error. Any other error is the drill's
/// own trouble.
const DRILL_FAILED: &str = "DrillFailed";

/// ARN of the run that started a drill; nothing if the execution is not a drill.
pub(crate) fn run_arn(detail: &ExecutionDetail) -> Option<String> {
    detail.input::<Asked>().map(|asked| asked.run)
}

impl DrillRecord {
    /// What came of a drill that has ended; nothing if the execution is not one.
    pub(crate) async fn read(step_functions: &StepFunctions, detail: &ExecutionDetail) -> Option<Self> {
        let asked: Asked = detail.input()?;
        let execution = &detail.execution;
        let is_failed = detail.error.as_deref() == Some(DRILL_FAILED);
        let returned: Option<Returned> = if is_failed {
            // An execution that fails has no output: its record is what it took into its last state. Without it the
            // error says enough.
            let record = step_functions.last_input(&execution.arn, DRILL_FAILED).await;
            record.ok().flatten()
        } else {
            detail.output()
        };
        let how = || match &detail.error {
            Some(error) => format!("its execution ended with {error}"),
            None => format!("its execution was {}", execution.status),
        };
        // The cause of a failure begins with the name of the error inside.
        let reason = match &returned {
            Some(returned) if !is_failed => returned.reason.clone(),
            _ => detail.explanation().unwrap_or_else(how),
        };
        let outcome = match &returned {
            Some(returned) => returned.outcome,
            None if is_failed => DrillOutcome::Failed,
            None => DrillOutcome::NotRun,
        };
        let restore = returned.as_ref().and_then(|returned| returned.restore.as_ref());
        Some(Self {
            storage_only: asked.kind == DatabaseKind::Cluster && restore.is_some_and(|restore| !restore.with_instance),
            kind: asked.kind,
            database: asked.id,
            resource_id: asked.resource_id,
            outcome,
            minutes: returned.as_ref().and_then(|returned| returned.minutes),
            reason: Some(reason).filter(|reason| !reason.is_empty()),
            copy: asked.copy.map(|copy| copy.id),
            captured_at: returned.as_ref().and_then(|returned| returned.data_time),
            restored_as: asked.name,
            gone: returned
                .as_ref()
                .map(|returned| !returned.left && returned.kept.is_empty()),
            gone_at: returned.as_ref().and_then(|returned| returned.gone_at),
            left: returned.as_ref().is_some_and(|returned| returned.left),
            checked: returned
                .as_ref()
                .map(|returned| returned.checked.clone())
                .unwrap_or_default(),
            numbers: returned
                .and_then(|returned| returned.verdict)
                .map(|verdict| verdict.numbers)
                .unwrap_or_default(),
            started_at: Some(execution.started),
            ended_at: execution
                .stopped
                .filter(|_| execution.status != ExecutionStatus::Running),
            run: Some(execution_name(&asked.run).to_owned()).filter(|run| !run.is_empty()),
            execution: execution.name.clone(),
            link: execution_console_url(step_functions.region(), &execution.arn),
        })
    }

    /// Since when its database is gone, or that it is there; nothing if that is not known.
    pub(crate) fn gone_words(&self) -> String {
        match (self.gone, self.gone_at) {
            (Some(false), _) => "still there".to_owned(),
            (_, Some(time)) => format_utc(time),
            (Some(true), None) => "yes".to_owned(),
            (None, None) => String::new(),
        }
    }

    /// A drill of which no more is known than its run says: its execution could not be started.
    pub(crate) fn from_run(kind: DatabaseKind, id: &str, reason: &str, left: bool, region: &str, arn: &str) -> Self {
        Self {
            kind,
            database: id.to_owned(),
            resource_id: None,
            outcome: DrillOutcome::NotRun,
            minutes: None,
            reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
            copy: None,
            captured_at: None,
            checked: Vec::new(),
            storage_only: false,
            numbers: BTreeMap::new(),
            restored_as: None,
            gone: None,
            gone_at: None,
            left,
            started_at: None,
            ended_at: None,
            run: None,
            execution: execution_name(arn).to_owned(),
            link: execution_console_url(region, arn),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_record_of_the_next_release_what_is_known_is_read() {
        let record = json!({
            "outcome": "passed", "minutes": 12, "reason": "restored", "checked": ["description", "of-next"], "more": {},
            "restore": {"withInstance": true, "more": [1]}, "verdict": {"numbers": {"rows": 3}, "more": 1}, "release": "9.9.9",
        });
        let returned: Returned = serde_json::from_value(record).expect("a record");
        assert_eq!(returned.checked, [DrillCheck::Description]);
        assert_eq!((returned.outcome, returned.minutes), (DrillOutcome::Passed, Some(12)));
        assert!(returned.restore.is_some_and(|restore| restore.with_instance));
        assert!(returned.verdict.is_some_and(|verdict| verdict.numbers.len() == 1));
        let asked =
            json!({"kind": "instance", "id": "orders", "copy": {"id": "c", "arn": "a", "more": 1}, "release": "9.9.9"});
        let asked: Asked = serde_json::from_value(asked).expect("an input");
        assert_eq!(asked.copy.map(|copy| copy.id).as_deref(), Some("c"));
    }
}
