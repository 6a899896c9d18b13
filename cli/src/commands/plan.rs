//! `snapferry plan`: what a run would do, as the functions themselves decide it, and why.
//!
//! It is a dry run, followed to its end and read.

use domain::kind::DatabaseKind;
use domain::payload::{Decision, LeftOut, PruneDecision, PruneReport, Retired, Source};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::args::{Global, Plan as Options};
use crate::follow::{Followed, Follower};
use crate::machines::{Named, Record};
use crate::moment::utc;
use crate::run::{self, Interrupt, Summary, how_to_follow};
use crate::{Cell, Cloud, Column, Ending, Failure, Screen, Table, Tone, words};

/// What a run would do with one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Planned {
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
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
    pub(crate) keep: Vec<PruneDecision>,
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    pub(crate) version: u32,
    pub(crate) stack: String,
    pub(crate) region: String,
    pub(crate) destination_region: String,
    pub(crate) planned_at: Timestamp,
    /// The dry run.
    pub(crate) execution: String,
    pub(crate) databases: Vec<Planned>,
    pub(crate) left_out: LeftOut,
    pub(crate) retired: Retired,
    pub(crate) warnings: Vec<String>,
}

/// The version of [`Plan`].
const VERSION: u32 = 1;

/// The fields that are read of what an execution of copy-snapshot gives.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    decision: Option<Decision>,
    reason: String,
    source: Option<Source>,
    pruned: Option<PruneReport>,
}

/// Makes a dry run, reads what it decided, and says so.
pub(crate) async fn run(
    cloud: &Cloud,
    global: &Global,
    options: &Options,
    interrupt: Interrupt<'_>,
    screen: &mut Screen<'_>,
) -> Result<Ending, Failure> {
    let stack = cloud.stack(&global.stack).await?;
    let arn = run::start(cloud, &stack, "plan", &options.only, true).await?;
    let follower = Follower::new(cloud, &stack, &arn).quietly();
    let Followed::Ended(record, children) = follower.follow(interrupt, screen).await? else {
        screen.aside(&format!(
            "The dry run goes on; it changes nothing. To follow it:\n  {}",
            how_to_follow(global, &arn)
        ));
        return Ok(Ending::Error);
    };
    let summary = Summary::of(&record)?;
    let machines = &cloud.machines(&stack.region);
    let records = stream::iter(&children).map(async |child| machines.record(&child.arn).await);
    let records: Vec<Record> = records.buffer_unordered(4).try_collect().await?;
    let mut decided: Vec<Planned> = records.into_iter().filter_map(planned).collect();
    decided.sort_by(|a, b| (rank(a), &a.database, a.kind).cmp(&(rank(b), &b.database, b.kind)));

    let fails = decided.iter().any(|database| database.error.is_some());
    let plan = Plan {
        version: VERSION,
        stack: stack.name.clone(),
        region: stack.region.clone(),
        destination_region: stack.destination_region.clone(),
        planned_at: cloud.now(),
        execution: arn,
        databases: decided,
        left_out: summary.left_out.clone(),
        retired: summary.retired.clone(),
        warnings: summary.warnings.clone(),
    };
    if options.json {
        screen.json(&plan);
    } else {
        show(&plan, &summary, screen);
    }
    Ok(if fails { Ending::Bad } else { Ending::Fine })
}

impl Plan {
    /// Reads a plan that was written before.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        let remedy = "Write one with `snapferry plan --json > FILE`, of this version of the program.";
        let plan: Self = serde_json::from_str(text)
            .map_err(|error| Failure::new(format!("The file is no plan: {error}."), remedy))?;
        if plan.version != VERSION {
            let what = format!("The plan is of version {}, not {VERSION}.", plan.version);
            return Err(Failure::new(what, remedy));
        }
        Ok(plan)
    }

    /// The databases for which a run would do something, as its input names them.
    pub(crate) fn databases_to_run(&self) -> Vec<String> {
        let something = |planned: &&Planned| {
            matches!(planned.decision, Some(Decision::Copy | Decision::Join)) || !planned.delete.is_empty()
        };
        let wanted = self.databases.iter().filter(something);
        wanted
            .map(|planned| format!("{}:{}", planned.kind, planned.database))
            .collect()
    }
}

/// What one execution of the dry run decided.
fn planned(record: Record) -> Option<Planned> {
    let Named { kind, id, .. } = Named::read(&record.execution.name)?;
    let told: Told = serde_json::from_value(record.output).unwrap_or_default();
    let pruned = told.pruned.unwrap_or_default();
    Some(Planned {
        database: id.to_owned(),
        kind,
        decision: told.decision,
        reason: record.cause.unwrap_or(told.reason),
        error: record.error,
        source: told.source,
        delete: pruned.deleted,
        keep: pruned.kept,
    })
}

/// What needs somebody first, what changes nothing last.
fn rank(planned: &Planned) -> u8 {
    match planned.decision {
        None => 0,
        Some(Decision::Unsupported) => 1,
        Some(Decision::Copy) => 2,
        Some(Decision::Join) => 3,
        Some(Decision::Nothing) => 4,
        Some(Decision::Retired) => 5,
        Some(Decision::Current) => 6,
    }
}

fn word(planned: &Planned) -> Cell {
    match planned.decision {
        None => Cell::new(Tone::Bad, "FAIL"),
        Some(Decision::Copy) => Cell::new(Tone::Good, "copy"),
        Some(Decision::Join) => Cell::new(Tone::Good, "wait"),
        Some(Decision::Current) => Cell::new(Tone::Faint, "current"),
        Some(Decision::Nothing) => Cell::new(Tone::Warning, "nothing"),
        Some(Decision::Unsupported) => Cell::new(Tone::Warning, "unsupported"),
        Some(Decision::Retired) => Cell::new(Tone::Faint, "retired"),
    }
}

fn show(plan: &Plan, summary: &Summary, screen: &mut Screen<'_>) {
    let count = |wanted: Decision| {
        let decided = |planned: &&Planned| planned.decision == Some(wanted);
        plan.databases.iter().filter(decided).count()
    };
    let failing = plan.databases.iter().filter(|planned| planned.error.is_some()).count();
    let deletions: usize = plan.databases.iter().map(|planned| planned.delete.len()).sum();
    let text = format!(
        "A run would copy {} of {} to {}, wait for {} under way, and then delete {}.",
        count(Decision::Copy),
        words::databases(plan.databases.len()),
        plan.destination_region,
        words::copies(count(Decision::Join)),
        words::count(deletions, "old copy", "old copies"),
    );
    screen.sentence(Tone::Strong, &text);
    if failing > 0 {
        screen.sentence(Tone::Bad, &format!("{} would fail.", words::databases(failing)));
    }
    screen.line("");
    let mut table = Table::new([
        Column::new("DATABASE", 0).cut_to(12),
        Column::new("WOULD", 0),
        Column::new("DATA OF (UTC)", 2),
        Column::new("GIB", 3).flush_right(),
        Column::new("DELETES", 1).flush_right(),
        Column::new("WHY", 0).cut_to(16),
    ]);
    for planned in &plan.databases {
        let source = planned.source.as_ref();
        let size = source.and_then(|source| source.size_gib).filter(|size| *size > 1);
        let why = planned.error.clone().unwrap_or_else(|| planned.reason.clone());
        table.row([
            Cell::from(match planned.kind {
                DatabaseKind::Instance => planned.database.clone(),
                DatabaseKind::Cluster => format!("cluster:{}", planned.database),
            }),
            word(planned),
            Cell::from(source.map(|source| utc(source.created_at)).unwrap_or_default()),
            Cell::from(size.map(|size| size.to_string()).unwrap_or_default()),
            Cell::from(match planned.delete.len() {
                0 => String::new(),
                deletes => deletes.to_string(),
            }),
            Cell::from(why),
        ]);
    }
    let text = table.render(screen);
    screen.print(&text);

    let mut begun = false;
    for planned in &plan.databases {
        if planned.error.is_some() {
            screen.line("");
            let text = format!("{} {} would fail: {}", planned.kind, planned.database, planned.reason);
            screen.sentence(Tone::Bad, &text);
        }
        for PruneDecision { id, reason } in &planned.delete {
            if !begun {
                screen.line("");
                begun = true;
            }
            screen.sentence(Tone::Plain, &format!("delete {id}: {reason}"));
        }
    }
    if !summary.warnings.is_empty() || summary.left_out.count > 0 || summary.retired.databases > 0 {
        screen.line("");
    }
    summary.remarks(screen);
}
