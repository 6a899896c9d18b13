//! What a run would do with each database: the reading of a dry run, and the file that `run --plan` takes.

use std::path::Path;

use domain::kind::DatabaseKind;
use domain::payload::{Decision, LeftOut, PruneDecision, Retired, Source};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::aws::step_functions::{Execution, ExecutionDetail, ExecutionName};
use crate::error::CliError;
use crate::facts::copy_result::CopyResult;
use crate::facts::fleet::Fleet;
use crate::facts::last_executions::resource_id;
use crate::facts::run_summary::RunSummary;
use crate::format::{database_name, some_of};

/// What a run would do with one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedDatabase {
    /// Its name when the plan was made; names are reused.
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
    /// What it is known by. Nothing where its execution could not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    /// Nothing where it would fail.
    pub(crate) decision: Option<Decision>,
    /// The name of the error with which it would fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Why, in a sentence.
    pub(crate) reason: String,
    /// The snapshot that would be copied, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Source>,
    /// Copies that would be deleted, once the new one is verified.
    pub(crate) delete: Vec<PruneDecision>,
    /// Copies that would stay.
    keep: Vec<PruneDecision>,
}

impl PlannedDatabase {
    /// What one execution of the dry run decided.
    fn from_detail(detail: &ExecutionDetail) -> Option<Self> {
        let ExecutionName { kind, id, .. } = ExecutionName::parse(&detail.execution.name)?;
        let result = CopyResult::from(detail);
        Some(Self {
            database: id.to_owned(),
            kind,
            resource_id: resource_id(detail),
            decision: result.decision,
            reason: detail.explanation().unwrap_or(result.reason),
            error: detail.error.clone(),
            source: result.source,
            delete: result.pruned.deleted,
            keep: result.pruned.kept,
        })
    }

    /// What needs somebody first, what changes nothing last.
    fn rank(&self) -> u8 {
        match self.decision {
            None => 0,
            Some(Decision::Unsupported) => 1,
            Some(Decision::Copy) => 2,
            Some(Decision::Join | Decision::Verify | Decision::Wait | Decision::UnderWay) => 3,
            Some(Decision::Nothing) => 4,
            Some(Decision::Retired) => 5,
            Some(Decision::Current) => 6,
        }
    }

    /// Whether it no longer existed when the plan was made: only a run of every database prunes its copies.
    fn is_retired(&self) -> bool {
        self.decision == Some(Decision::Retired)
    }

    /// Whether a run would copy, wait or delete.
    fn is_something_to_do(&self) -> bool {
        matches!(self.decision, Some(Decision::Copy | Decision::Join | Decision::Verify)) || !self.delete.is_empty()
    }
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanFile {
    version: u32,
    stack: String,
    region: String,
    pub(crate) destination_region: String,
    planned_at: Timestamp,
    /// The dry run.
    execution: String,
    pub(crate) databases: Vec<PlannedDatabase>,
    pub(crate) left_out: LeftOut,
    pub(crate) retired: Retired,
    pub(crate) warnings: Vec<String>,
}

/// What of a plan a run can do, and what it cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DatabasesToRun {
    /// As the input of a run names them.
    pub(crate) only: Vec<String>,
    /// Those that no longer existed when the plan was made.
    pub(crate) retired: Vec<String>,
    /// Those that have been deleted since.
    pub(crate) gone: Vec<String>,
    /// Those whose name another database has now.
    pub(crate) replaced: Vec<String>,
}

impl DatabasesToRun {
    /// What is left out, a sentence for each reason.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let reasons = [
            (
                &self.retired,
                "no longer existed when the plan was made: a run of every database prunes their copies",
            ),
            (&self.gone, "deleted since the plan was made"),
            (
                &self.replaced,
                "replaced since the plan was made by another database of that name",
            ),
        ];
        let said = reasons.into_iter().filter(|(names, _)| !names.is_empty());
        said.map(|(names, why)| format!("left out: {} ({why}): {}", names.len(), some_of(names)))
            .collect()
    }
}

/// The version of [`PlanFile`].
const VERSION: u32 = 2;

impl PlanFile {
    /// Reads what a dry run and its executions decided.
    pub(crate) async fn from_run(
        account: &Account,
        stack: &Stack,
        run: &ExecutionDetail,
        children: &[Execution],
    ) -> Result<Self, CliError> {
        let summary = RunSummary::from_detail(run)?;
        let step_functions = &account.step_functions(&stack.region);
        let details = stream::iter(children).map(async |child| step_functions.detail(&child.arn).await);
        let details: Vec<ExecutionDetail> = details.buffer_unordered(4).try_collect().await?;
        let mut databases: Vec<_> = details.iter().filter_map(PlannedDatabase::from_detail).collect();
        databases.sort_by(|a, b| (a.rank(), &a.database, a.kind).cmp(&(b.rank(), &b.database, b.kind)));
        Ok(Self {
            version: VERSION,
            stack: stack.name.clone(),
            region: stack.region.clone(),
            destination_region: stack.destination_region.clone(),
            planned_at: account.now(),
            execution: run.execution.arn.clone(),
            databases,
            left_out: summary.left_out,
            retired: summary.retired,
            warnings: summary.warnings,
        })
    }

    /// Refuses a file that is not a plan, of whatever stack. What comes from standard input or another pipe can be read
    /// once only, and is read later.
    pub(crate) fn check(file: &Path) -> Result<(), CliError> {
        let is_pipe = file.metadata().is_ok_and(|metadata| !metadata.is_file());
        if is_standard_input(file) || is_pipe {
            return Ok(());
        }
        Self::parse(&text(file)?).map(|_| ())
    }

    /// Reads a plan of this stack that was written before.
    pub(crate) fn read(file: &Path, stack: &Stack) -> Result<Self, CliError> {
        let plan = Self::parse(&text(file)?)?;
        let of_stack = (&stack.region, &stack.destination_region, &stack.name);
        if (&plan.region, &plan.destination_region, &plan.stack) != of_stack {
            return Err(CliError::new(
                format!(
                    "The plan is of the stack {} in {} with copies in {}, not of {} in {} with copies in {}.",
                    plan.stack,
                    plan.region,
                    plan.destination_region,
                    stack.name,
                    stack.region,
                    stack.destination_region
                ),
                "Name its stack with --stack and --region, or plan again.",
            ));
        }
        Ok(plan)
    }

    fn parse(text: &str) -> Result<Self, CliError> {
        let remedy = "Write one with `snapferry plan --json > FILE`, with this version of the program.";
        let plan: Self = serde_json::from_str(text)
            .map_err(|error| CliError::new(format!("The file is not a plan file: {error}."), remedy))?;
        if plan.version != VERSION {
            let what = format!("The plan is of version {}, not {VERSION}.", plan.version);
            return Err(CliError::new(what, remedy));
        }
        Ok(plan)
    }

    /// The databases for which a run would do something, as they are called now. One that is gone, or whose name another
    /// database has taken over, stops only itself.
    pub(crate) fn databases_to_run(&self, fleet: &Fleet) -> DatabasesToRun {
        let mut run = DatabasesToRun::default();
        for planned in self.databases.iter().filter(|planned| planned.is_something_to_do()) {
            let name = database_name(planned.kind, &planned.database);
            let key = planned.resource_id.clone().map(|id| (planned.kind, id));
            match key.and_then(|key| fleet.get(&key)) {
                _ if planned.is_retired() => run.retired.push(name),
                Some(living) => run.only.push(format!("{}:{}", planned.kind, living.database.id)),
                None if fleet.named(planned.kind, &planned.database).is_some() => run.replaced.push(name),
                None => run.gone.push(name),
            }
        }
        run
    }

    /// Number of databases of which this was decided.
    pub(crate) fn count(&self, decision: Decision) -> usize {
        let databases = self.databases.iter();
        databases.filter(|planned| planned.decision == Some(decision)).count()
    }

    /// The databases that would fail.
    pub(crate) fn failing(&self) -> impl Iterator<Item = &PlannedDatabase> {
        self.databases.iter().filter(|planned| planned.error.is_some())
    }
}

fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

fn text(file: &Path) -> Result<String, CliError> {
    let text = if is_standard_input(file) {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|error| {
        CliError::new(
            format!("{} cannot be read: {error}.", file.display()),
            "Write a plan with `snapferry plan --json > FILE`.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P1: a plan that names no resource id of a database names no database.
    #[test]
    fn an_absent_resource_id_is_no_match() {
        let plan = PlanFile::parse(
            r#"{"version": 2, "stack": "snapferry", "region": "us-east-1", "destinationRegion": "eu-west-1",
                "plannedAt": "2026-11-22T12:00:00Z", "execution": "arn", "leftOut": {"count": 0, "reasons": {}, "first": []},
                "retired": {"databases": 0, "copies": 0, "first": []}, "warnings": [],
                "databases": [{"database": "orders", "kind": "instance", "decision": "copy", "reason": "new", "delete": [],
                    "keep": []}]}"#,
        )
        .expect("a plan");
        let run = plan.databases_to_run(&Fleet::default());
        assert_eq!(run.only, Vec::<String>::new());
        assert_eq!(
            run.left_out(),
            ["left out: 1 (deleted since the plan was made): orders"]
        );
    }

    /// N37: `--plan -` and `--plan <(snapferry plan --json)`.
    #[cfg(unix)]
    #[test]
    fn what_can_be_read_only_once_is_not_read_to_be_checked() {
        for pipe in ["-", "/dev/null"] {
            assert_eq!(PlanFile::check(Path::new(pipe)), Ok(()), "{pipe}");
        }
        let missing = PlanFile::check(Path::new("/nowhere/plan.json"))
            .expect_err("missing")
            .to_string();
        assert!(missing.starts_with("/nowhere/plan.json cannot be read"), "{missing}");
        let other =
            PlanFile::check(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).expect_err("not a plan");
        assert!(other.to_string().starts_with("The file is not a plan file"), "{other}");
    }
}
