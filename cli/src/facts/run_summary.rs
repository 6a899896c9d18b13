//! Runs: how they are started and named, and how they ended, in numbers.

use domain::hash::hex_prefix;
use domain::kind::DatabaseName;
use domain::payload::{LeftOut, Retired};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{Execution, ExecutionDetail, ExecutionStatus, StepFunctions};
use crate::error::{CliError, ExitStatus};
use crate::facts::copy_result::or_default;
use crate::facts::fleet::Fleet;
use crate::format::counted;

/// What a run is for. Its name begins with it, if this program started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Purpose {
    Run,
    /// Nothing is written.
    DryRun,
    /// Nor here: a dry run that is read to its end.
    Plan,
}

impl Purpose {
    /// Whether this program gave a run its name, and it writes.
    pub(crate) fn is_name_of_run(name: &str) -> bool {
        let stamp = name.strip_prefix("run-").unwrap_or_default();
        let digits = stamp.split('-').next().unwrap_or_default();
        digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn is_dry(self) -> bool {
        self != Self::Run
    }

    /// Whether this program gave a run its name, and it writes nothing.
    pub(crate) fn is_name_of_dry_run(name: &str) -> bool {
        [Self::DryRun, Self::Plan].into_iter().any(|purpose| {
            let rest = name.strip_prefix(<&str>::from(purpose));
            rest.is_some_and(|rest| rest.starts_with('-'))
        })
    }
}

/// Whether a run writes nothing: it says so itself, whoever started it and whatever its name is (P4).
pub(crate) async fn is_dry_run(step_functions: &StepFunctions, run: &Execution) -> bool {
    if Purpose::is_name_of_dry_run(&run.name) {
        return true;
    }
    let detail = step_functions.detail(&run.arn).await;
    detail.is_ok_and(|detail| says_dry(&detail))
}

/// Whether an execution says that it writes nothing: in what it returned or failed with, or else in its input.
pub(crate) fn says_dry(detail: &ExecutionDetail) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct DryRun {
        dry_run: bool,
    }
    let cause = detail.cause.as_deref();
    let ended: Option<DryRun> = detail.output().or_else(|| serde_json::from_str(cause?).ok());
    let asked: Option<DryRun> = detail.input();
    ended.unwrap_or_default().dry_run || asked.unwrap_or_default().dry_run
}

/// The input of copy-fleet.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunInput<'a> {
    #[serde(rename = "Comment")]
    comment: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    only: &'a [String],
}

/// Refuses names that no database has before a run is started for them (N14): a run would fail of them, and an alarm with
/// it. Where the databases cannot be listed, the run is left to find out.
pub(crate) async fn check_names<F>(only: &[String], stack: &Stack, fleet: impl FnOnce() -> F) -> Result<(), CliError>
where
    F: Future<Output = Result<Fleet, CliError>>,
{
    if only.is_empty() {
        return Ok(());
    }
    let Ok(fleet) = fleet().await else { return Ok(()) };
    let unknown = only.iter().find(|text| {
        let name: Result<DatabaseName, _> = text.parse();
        name.is_ok_and(|name| fleet.all_named(&name).next().is_none())
    });
    let Some(unknown) = unknown else { return Ok(()) };
    let near = fleet.near(unknown);
    let remedy = match &near[..] {
        [] => "`snapferry status` lists the databases; a member of a cluster is copied with its cluster.".to_owned(),
        near => format!("There is {}.", near.join(", ")),
    };
    Err(CliError::new(
        format!("There is no database {unknown} in {}.", stack.region),
        remedy,
    ))
}

/// Starts copy-fleet under a name that says what it is for, and returns the execution's ARN.
pub(crate) async fn start(
    account: &Account,
    stack: &Stack,
    purpose: Purpose,
    only: &[String],
) -> Result<String, CliError> {
    let input = RunInput {
        comment: format!("Started by snapferry {purpose}."),
        dry_run: purpose.is_dry(),
        only,
    };
    let name = stamped_name(<&str>::from(purpose), account.now());
    let step_functions = account.step_functions(&stack.region);
    step_functions.start(&stack.copy_fleet_arn, &name, &input).await
}

/// `run-20261122-143100-1a2b`: readable, and different for two that start within a second.
pub(crate) fn stamped_name(purpose: &str, now: Timestamp) -> String {
    let suffix = hex_prefix(&format!("{now} {}", std::process::id()), 4);
    let stamp = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string();
    format!("{purpose}-{stamp}-{suffix}")
}

/// What a run calls the thing that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum FailedKind {
    Instance,
    Cluster,
    /// A whole page of databases: it has no execution of copy-snapshot.
    Page,
}

/// A database that was not copied, as the run names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct CopyFailure {
    pub(crate) kind: FailedKind,
    pub(crate) id: String,
    pub(crate) error: String,
    pub(crate) execution: String,
}

/// Number of databases per outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Counts {
    copied: u64,
    copied_not_pruned: u64,
    current: u64,
    planned: u64,
    nothing: u64,
    not_ready: u64,
    under_way: u64,
    unsupported: u64,
    retired: u64,
    failed: u64,
}

impl Counts {
    /// With their words, in the order in which they are written.
    fn by_word(self) -> [(&'static str, u64); 10] {
        [
            ("copied", self.copied),
            ("copied, not pruned", self.copied_not_pruned),
            ("current", self.current),
            ("planned", self.planned),
            ("nothing", self.nothing),
            ("not ready", self.not_ready),
            ("under way", self.under_way),
            ("unsupported", self.unsupported),
            ("retired", self.retired),
            ("failed", self.failed),
        ]
    }
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RunSummary {
    pub(crate) counts: Counts,
    #[serde(deserialize_with = "or_default")]
    pub(crate) failures: Vec<CopyFailure>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) left_out: LeftOut,
    #[serde(deserialize_with = "or_default")]
    pub(crate) retired: Retired,
    pub(crate) warnings: Vec<String>,
}

/// The error of a run in which copies failed. Its cause is the summary.
const COPIES_FAILED: &str = "CopiesFailed";

impl RunSummary {
    /// What the run returned, or, where copies failed, the cause of its failure. Any other end is an error here too.
    pub(crate) fn from_detail(detail: &ExecutionDetail) -> Result<Self, CliError> {
        let cause = detail.cause.as_deref();
        let summary = match (detail.execution.status, detail.error.as_deref()) {
            (ExecutionStatus::Succeeded, _) => detail.output(),
            (ExecutionStatus::Failed, Some(COPIES_FAILED)) => cause.and_then(|cause| serde_json::from_str(cause).ok()),
            _ => None,
        };
        summary.ok_or_else(|| {
            let status = detail.execution.status.to_string();
            let what = detail.error.as_ref().unwrap_or(&status);
            CliError::new(
                format!("The run {} ended: {what}.", detail.execution.name),
                detail
                    .explanation()
                    .unwrap_or_else(|| "See its execution in the console.".to_owned()),
            )
        })
    }

    /// How the program ends.
    pub(crate) fn exit_status(&self) -> ExitStatus {
        let total: u64 = self.counts.by_word().iter().map(|(_, count)| count).sum();
        match self.counts.failed {
            0 => ExitStatus::Success,
            failed if failed < total => ExitStatus::Problem,
            _ => ExitStatus::Error,
        }
    }

    /// What was not done though nothing failed, each in a sentence.
    pub(crate) fn shortfalls(&self) -> Vec<String> {
        let Counts {
            copied_not_pruned,
            not_ready,
            ..
        } = self.counts;
        let shortfalls = [
            (
                copied_not_pruned,
                "copied (not pruned): old copies that should have gone are still there; snapferry audit --html says why, and the next run tries again",
            ),
            (
                not_ready,
                "not ready: the snapshot of an event was not available in time; the next run copies it",
            ),
        ];
        let shortfalls = shortfalls.into_iter().filter(|(count, _)| *count > 0);
        shortfalls
            .map(|(count, sentence)| format!("{count} {sentence}"))
            .collect()
    }

    /// `10 copied, 2 current`.
    pub(crate) fn counted(&self) -> String {
        let counts = self.counts.by_word().into_iter().filter(|(_, count)| *count > 0);
        let counted = counted(counts);
        if counted.is_empty() {
            return "no database".to_owned();
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_do_not_get_one_name() {
        let now: Timestamp = "2026-11-22T14:31:00.5Z".parse().expect("a time");
        let name = stamped_name(Purpose::DryRun.into(), now);
        assert!(name.starts_with("dry-run-20261122-143100-"), "{name}");
        assert!(Purpose::is_name_of_dry_run(&name));
        assert!(!Purpose::is_name_of_dry_run(&stamped_name(Purpose::Run.into(), now)));
        assert!(Purpose::is_name_of_run(&stamped_name(Purpose::Run.into(), now)));
        assert!(!Purpose::is_name_of_run(&name) && !Purpose::is_name_of_run("run-of-the-mill"));
        let later = now + jiff::SignedDuration::from_millis(1);
        assert_ne!(name, stamped_name(Purpose::DryRun.into(), later));
    }

    /// A stack of an earlier release does not count them, and one of a later release counts what is not known here.
    #[test]
    fn a_count_that_is_missing_is_0_and_one_that_is_unknown_is_passed_over() {
        let read = |counts: serde_json::Value| -> RunSummary {
            serde_json::from_value(serde_json::json!({ "counts": counts })).expect("a summary")
        };
        let old = read(serde_json::json!({"copied": 2, "current": 1}));
        assert_eq!(old.counted(), "2 copied, 1 current");
        assert_eq!(old.shortfalls(), Vec::<String>::new());
        let new = read(serde_json::json!({"copied": 2, "copiedNotPruned": 1, "notReady": 3, "ofALaterRelease": 1}));
        assert_eq!(new.counted(), "2 copied, 1 copied (not pruned), 3 not ready");
        assert_eq!(new.exit_status(), ExitStatus::Success);
        let beginnings: Vec<String> = new
            .shortfalls()
            .iter()
            .map(|said| said[..said.find(':').expect("a colon")].to_owned())
            .collect();
        assert_eq!(beginnings, ["1 copied (not pruned)", "3 not ready"]);
        let partial = read(serde_json::json!({"copiedNotPruned": 1, "failed": 1}));
        assert_eq!(
            partial.exit_status(),
            ExitStatus::Problem,
            "one of the two has its copy"
        );
    }

    /// What it names is less than what it counts, where that is of a kind that is not known here.
    #[test]
    fn what_the_next_release_adds_is_passed_over_and_the_counts_are_read() {
        let summary = serde_json::json!({
            "counts": {"copied": 1, "failed": 1}, "release": "9.9.9",
            "failures": [{"kind": "instance", "id": "orders", "error": "RdsError", "execution": "i-orders", "more": 1}],
            "leftOut": {"count": 1, "reasons": {"off": 1}, "first": [{"kind": "of-next", "id": "a", "reason": "off"}]},
            "retired": {"databases": 1, "copies": 2, "first": [], "more": 1}, "warnings": [], "more": {},
        });
        let summary: RunSummary = serde_json::from_value(summary).expect("a summary");
        assert_eq!(summary.exit_status(), ExitStatus::Problem);
        assert_eq!(summary.failures.len(), 1);
        assert_eq!(summary.left_out, LeftOut::default());
        assert_eq!(summary.retired.copies, 2);
    }

    #[test]
    fn success_partial_failure_and_failure_end_differently() {
        let ended = |copied, failed| {
            let counts = Counts {
                copied,
                failed,
                ..Counts::default()
            };
            RunSummary {
                counts,
                ..RunSummary::default()
            }
            .exit_status()
        };
        assert_eq!(ended(3, 0), ExitStatus::Success);
        assert_eq!(ended(3, 1), ExitStatus::Problem);
        assert_eq!(ended(0, 1), ExitStatus::Error);
    }
}
