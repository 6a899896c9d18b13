//! `snapferry status`: how old is the newest good copy of each database?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use domain::snapshot::Database;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::args::{Global, Status};
use crate::copies::{self, Fleet, Place};
use crate::machines::{Execution, Machines, Named, Stage, suffix_of_run};
use crate::moment::{length, utc};
use crate::run::how_to_run;
use crate::{Cell, Cloud, Column, DatabaseCopies, Ending, Failure, Screen, Stack, Table, Tone};

/// Names of runs that only say what they would do begin so, if this program started them.
pub(crate) const DRY_RUNS: [&str; 2] = ["plan-", "dry-run-"];

/// Most executions that are read: five calls.
const MAX_EXECUTIONS: usize = 5_000;

/// Most executions that are looked into for the name of their error or their outcome.
const MAX_RECORDS: usize = 10;

/// How a database stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// There is no verified copy at all.
    NoCopy,
    /// The newest verified copy is older than the objective.
    Late,
    /// It is younger.
    Good,
    /// The database no longer exists: no new copies can come.
    Retired,
}

impl State {
    fn tone(self) -> Tone {
        match self {
            Self::NoCopy | Self::Late => Tone::Bad,
            Self::Good => Tone::Good,
            Self::Retired => Tone::Faint,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::NoCopy => "NO COPY",
            Self::Late => "LATE",
            Self::Good => "good",
            Self::Retired => "retired",
        }
    }

    pub(crate) fn misses(self) -> bool {
        matches!(self, Self::NoCopy | Self::Late)
    }
}

/// How the last execution for a database ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Last {
    stage: Stage,
    /// The error's name, or how it ended, where that was looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    at: Timestamp,
    execution: String,
}

/// How many copies are held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    verified: usize,
    in_progress: usize,
    unverified: usize,
    failed: usize,
}

/// A database and its newest good copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) database: String,
    pub(crate) kind: DatabaseKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_region: Option<String>,
    pub(crate) state: State,
    /// Since the data of the newest verified copy was captured.
    pub(crate) age_seconds: Option<i64>,
    pub(crate) captured_at: Option<Timestamp>,
    verified_at: Option<Timestamp>,
    pub(crate) copy: Option<String>,
    kms_key_arn: Option<String>,
    size_gib: Option<i32>,
    copies: Held,
    /// Of a copy that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
}

impl Line {
    fn without_copies(kind: DatabaseKind, id: &str) -> Self {
        Self {
            database: id.to_owned(),
            kind,
            resource_id: None,
            source_region: None,
            state: State::NoCopy,
            age_seconds: None,
            captured_at: None,
            verified_at: None,
            copy: None,
            kms_key_arn: None,
            size_gib: None,
            copies: Held::default(),
            percent: None,
            last: None,
        }
    }

    /// The database with its kind, where it is not an instance.
    pub(crate) fn name(&self) -> String {
        match self.kind {
            DatabaseKind::Instance => self.database.clone(),
            DatabaseKind::Cluster => format!("cluster:{}", self.database),
        }
    }
}

/// What the command says, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    now: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'a str>,
    region: &'a str,
    owner: &'a str,
    objective_seconds: i64,
    missed: usize,
    notes: &'a [String],
    databases: &'a [Line],
}

/// What the executions of the stack tell.
#[derive(Debug, Default)]
struct Lately {
    last: BTreeMap<(DatabaseKind, String), Execution>,
}

/// Reads the copies, judges each database, and says so.
pub(crate) async fn run(
    cloud: &Cloud,
    global: &Global,
    options: &Status,
    screen: &mut Screen<'_>,
) -> Result<Ending, Failure> {
    let place = Place::find(cloud, global, &options.place).await?;
    let (now, objective) = (cloud.now(), place.objective(options.objective));
    let Standings { lines, notes, .. } = assess(cloud, &place, now, objective).await?;
    let missed = lines.iter().filter(|line| line.state.misses()).count();
    if options.json {
        screen.json(&Report {
            version: 1,
            now,
            stack: place.stack.as_ref().map(|stack| stack.name.as_str()),
            region: &place.region,
            owner: &place.owner_id,
            objective_seconds: objective.as_secs(),
            missed,
            notes: &notes,
            databases: &lines,
        });
    } else {
        show(&lines, &place, &notes, missed, now, objective, screen);
        if missed > 0 && place.stack.is_some() {
            screen.aside(&format!("To copy what is missing:\n  {} --follow", how_to_run(global)));
        }
    }
    Ok(if missed > 0 { Ending::Bad } else { Ending::Fine })
}

/// How the databases stand, and what could not be found out.
#[derive(Debug)]
pub(crate) struct Standings {
    pub(crate) fleet: Fleet,
    /// The worst first.
    pub(crate) lines: Vec<Line>,
    pub(crate) notes: Vec<String>,
}

/// Reads the copies, and judges each database.
pub(crate) async fn assess(
    cloud: &Cloud,
    place: &Place,
    now: Timestamp,
    objective: SignedDuration,
) -> Result<Standings, Failure> {
    let rds = place.rds(cloud);
    let mut notes = Vec::new();
    let (fleet, lately, living) = tokio::join!(
        copies::read(&rds, &place.owner_id, place.source_region()),
        lately(cloud, place.stack.as_ref(), now, objective),
        living(cloud, place.stack.as_ref()),
    );
    let fleet = fleet?;
    // The copies answer the question; what the source region says of them is worth less than an answer.
    let mut known =
        |failure: Failure, what: &str| notes.push(format!("{what} is not known. {failure}").replace('\n', " "));
    let lately = lately.unwrap_or_else(|failure| {
        known(failure, "How the last runs ended");
        Lately::default()
    });
    let living = living.unwrap_or_else(|failure| {
        known(failure, "Which databases exist");
        None
    });

    let mut lines = judge(&fleet, &lately, now, objective);
    if let Some(living) = &living {
        compare(&mut lines, living, place.stack.as_ref());
    }
    if lines.is_empty() {
        return Err(fleet.nothing_here());
    }
    if let Some(stack) = &place.stack {
        look_up(cloud, stack, &lately, &mut lines).await;
    }
    sort(&mut lines);
    Ok(Standings { fleet, lines, notes })
}

/// The databases of the source region, if it is to be asked.
async fn living(cloud: &Cloud, stack: Option<&Stack>) -> Result<Option<Vec<Database>>, Failure> {
    let Some(stack) = stack else { return Ok(None) };
    let source = cloud.rds(&stack.region);
    let (mut all, clusters) = tokio::try_join!(
        source.databases(DatabaseKind::Instance),
        source.databases(DatabaseKind::Cluster)
    )
    .map_err(|error| {
        Failure::of_rds(
            &stack.region,
            "rds:DescribeDBInstances and rds:DescribeDBClusters",
            &error,
        )
    })?;
    all.extend(clusters);
    Ok(Some(all))
}

/// Marks the databases that no longer exist, which no run can help, and adds those that have no copy yet.
fn compare(lines: &mut Vec<Line>, living: &[Database], stack: Option<&Stack>) {
    let ids: BTreeSet<&str> = living.iter().map(|database| database.resource_id.as_str()).collect();
    let names: BTreeSet<(DatabaseKind, &str)> = living
        .iter()
        .map(|database| (database.kind, database.id.as_str()))
        .collect();
    for line in lines.iter_mut() {
        let exists = match &line.resource_id {
            Some(id) => ids.contains(id.as_str()),
            None => names.contains(&(line.kind, &line.database)),
        };
        if !exists {
            line.state = State::Retired;
        }
    }
    // One that was known only by its last execution, and is gone, never had a copy.
    lines.retain(|line| line.state != State::Retired || line.resource_id.is_some());
    let known: BTreeSet<(DatabaseKind, String)> = lines
        .iter()
        .filter(|line| line.state != State::Retired)
        .map(|line| (line.kind, line.database.clone()))
        .collect();
    let selected = |database: &&Database| stack.is_some_and(|stack| stack.selects(database));
    for database in living.iter().filter(selected) {
        if !known.contains(&(database.kind, database.id.clone())) {
            lines.push(Line {
                resource_id: Some(database.resource_id.clone()),
                ..Line::without_copies(database.kind, &database.id)
            });
        }
    }
}

/// The last execution for each database, by the executions' names; those of dry runs do not count.
async fn lately(
    cloud: &Cloud,
    stack: Option<&Stack>,
    now: Timestamp,
    objective: SignedDuration,
) -> Result<Lately, Failure> {
    let Some(stack) = stack else {
        return Ok(Lately::default());
    };
    let machines = cloud.machines(&stack.region);
    let since = now - (objective * 2).max(SignedDuration::from_hours(48));
    let (copies, runs) = tokio::try_join!(
        machines.executions(&stack.copy_snapshot_arn, since, MAX_EXECUTIONS),
        machines.executions(&stack.copy_fleet_arn, since, MAX_EXECUTIONS),
    )?;
    let is_dry = |run: &&Execution| DRY_RUNS.iter().any(|begin| run.name.starts_with(begin));
    let dry: BTreeSet<String> = runs.iter().filter(is_dry).map(|run| suffix_of_run(&run.arn)).collect();
    let mut lately = Lately::default();
    for execution in copies {
        let Some(named) = Named::read(&execution.name) else {
            continue;
        };
        // What was pruned of a database that is gone says nothing of one that took its name.
        if named.retired.is_none() && !dry.contains(named.suffix) {
            // They come the newest first.
            let database = (named.kind, named.id.to_owned());
            lately.last.entry(database).or_insert(execution);
        }
    }
    Ok(lately)
}

/// Judges every database that has copies, or for which there was an execution lately.
fn judge(fleet: &Fleet, lately: &Lately, now: Timestamp, objective: SignedDuration) -> Vec<Line> {
    let last = |kind: DatabaseKind, id: &str| {
        let execution = lately.last.get(&(kind, id.to_owned()))?;
        Some(Last {
            stage: execution.stage,
            detail: None,
            at: execution.stopped.unwrap_or(execution.started),
            execution: execution.arn.clone(),
        })
    };
    let mut lines: Vec<Line> = fleet
        .databases
        .iter()
        .map(|database| Line {
            last: last(database.kind, &database.id),
            ..judge_one(database, now, objective)
        })
        .collect();
    let known: BTreeSet<(DatabaseKind, String)> = lines.iter().map(|line| (line.kind, line.database.clone())).collect();
    for (kind, id) in lately.last.keys().filter(|key| !known.contains(key)) {
        lines.push(Line {
            last: last(*kind, id),
            ..Line::without_copies(*kind, id)
        });
    }
    lines
}

fn judge_one(database: &DatabaseCopies, now: Timestamp, objective: SignedDuration) -> Line {
    let newest = database.newest_verified();
    let age = newest.map(|copy| now.duration_since(copy.own.source_created));
    let under_way = database
        .copies
        .iter()
        .find(|copy| copy.own.status == CopyStatus::InProgress);
    Line {
        database: database.id.clone(),
        kind: database.kind,
        resource_id: Some(database.resource_id.clone()),
        source_region: Some(database.source_region.clone()),
        state: match age {
            None => State::NoCopy,
            Some(age) if age > objective => State::Late,
            Some(_) => State::Good,
        },
        age_seconds: age.map(|age| age.as_secs()),
        captured_at: newest.map(|copy| copy.own.source_created),
        verified_at: newest.and_then(crate::HeldCopy::verified_at),
        copy: newest.map(|copy| copy.own.id.clone()),
        kms_key_arn: newest.and_then(|copy| copy.own.kms_key_arn.clone()),
        size_gib: newest.and_then(|copy| copy.snapshot.size_gib),
        copies: Held {
            verified: database.count(CopyStatus::Verified),
            in_progress: database.count(CopyStatus::InProgress),
            unverified: database.count(CopyStatus::Unverified),
            failed: database.count(CopyStatus::Failed) + database.count(CopyStatus::Mismatched),
        },
        percent: under_way.map(|copy| copy.snapshot.percent),
        last: None,
    }
}

/// Looks into the executions of the databases in danger: what failed, and why there is no copy though nothing failed.
async fn look_up(cloud: &Cloud, stack: &Stack, lately: &Lately, lines: &mut [Line]) {
    let machines: &Machines = &cloud.machines(&stack.region);
    let unclear = lines.iter().enumerate().filter_map(|(at, line)| {
        let failed = line.last.as_ref().is_some_and(|last| last.stage == Stage::Failed);
        let silent = line.state == State::NoCopy && line.copies == Held::default();
        let execution = lately.last.get(&(line.kind, line.database.clone()))?;
        (failed || silent).then(|| (at, execution.arn.clone()))
    });
    let asked: Vec<(usize, String)> = unclear.take(MAX_RECORDS).collect();
    let records = stream::iter(asked)
        .map(async |(at, arn)| (at, machines.record(&arn).await))
        .buffer_unordered(8)
        .collect::<Vec<_>>();
    for (at, record) in records.await {
        let Ok(record) = record else { continue };
        let Some(last) = &mut lines[at].last else { continue };
        let outcome = record.output["outcome"].as_str().map(str::to_owned);
        let is_unsupported = outcome.as_deref() == Some("unsupported");
        last.detail = record.error.or(outcome);
        if is_unsupported {
            last.detail = Some("unsupported by AWS".to_owned());
        }
    }
}

/// The worst first: no copy, then by age; what no longer exists last.
fn sort(lines: &mut [Line]) {
    lines.sort_by(|a, b| {
        let badness = |line: &Line| (line.state == State::Retired, line.age_seconds.is_some());
        badness(a)
            .cmp(&badness(b))
            .then(b.age_seconds.cmp(&a.age_seconds))
            .then_with(|| (&a.database, a.kind).cmp(&(&b.database, b.kind)))
    });
}

fn show(
    lines: &[Line],
    place: &Place,
    notes: &[String],
    missed: usize,
    now: Timestamp,
    objective: SignedDuration,
    screen: &mut Screen<'_>,
) {
    let living = lines.iter().filter(|line| line.state != State::Retired).count();
    let objective_said = length(objective);
    let region = &place.region;
    if missed == 0 {
        let oldest = lines.iter().find(|line| line.state == State::Good);
        let oldest = oldest.map_or_else(String::new, |line| {
            format!(" The oldest is {}: {}.", line.database, age(line))
        });
        let all = match living {
            1 => "The database has".to_owned(),
            _ => format!("All {living} databases have"),
        };
        let text = format!("{all} a verified copy in {region} of data not older than {objective_said}.{oldest}");
        screen.sentence(Tone::Good, &text);
    } else {
        let text = format!(
            "{missed} of {living} databases have no verified copy in {region} of data younger than {objective_said}."
        );
        screen.sentence(Tone::Bad, &text);
    }
    screen.line("");

    let mut table = Table::new([
        Column::new("DATABASE", 0).cut_to(16),
        Column::new("STATE", 0),
        Column::new("AGE", 0).flush_right(),
        Column::new("DATA OF (UTC)", 4),
        Column::new("COPIES", 2),
        Column::new("LAST RUN", 1),
        Column::new("ENDED", 3),
        Column::new("KEY", 5),
        Column::new("GIB", 6).flush_right(),
    ]);
    for line in lines {
        let soon = line.state == State::Good && line.age_seconds.is_some_and(|age| age > objective.as_secs() / 10 * 9);
        let tone = if soon { Tone::Warning } else { line.state.tone() };
        table.row([
            Cell::from(line.name()),
            Cell::new(tone, line.state.word()),
            Cell::new(tone, age(line)),
            Cell::from(line.captured_at.map(utc).unwrap_or_default()),
            Cell::from(held(line)),
            last(line),
            Cell::from(ended(line, now)),
            Cell::from(key(line, region)),
            // Aurora always says 1.
            Cell::from(
                line.size_gib
                    .filter(|size| *size > 1)
                    .map_or_else(String::new, |size| size.to_string()),
            ),
        ]);
    }
    let text = table.render(screen);
    screen.print(&text);
    for note in notes {
        screen.aside(&format!("note: {note}"));
    }
}

fn age(line: &Line) -> String {
    line.age_seconds
        .map_or_else(|| "-".to_owned(), |seconds| length(SignedDuration::from_secs(seconds)))
}

/// `3`, or `3 +1 at 40 %` with one under way.
fn held(line: &Line) -> String {
    let mut text = line.copies.verified.to_string();
    if line.copies.in_progress > 0 {
        let percent = line.percent.unwrap_or_default();
        let _ = write!(text, " +{} at {percent} %", line.copies.in_progress);
    }
    if line.copies.unverified > 0 {
        let _ = write!(text, " +{} unverified", line.copies.unverified);
    }
    if line.copies.failed > 0 {
        let _ = write!(text, ", {} failed", line.copies.failed);
    }
    text
}

fn last(line: &Line) -> Cell {
    let Some(last) = &line.last else {
        return Cell::default();
    };
    let tone = match last.stage {
        Stage::Succeeded => Tone::Plain,
        Stage::Running => Tone::Warning,
        Stage::Failed | Stage::Stopped | Stage::TimedOut => Tone::Bad,
    };
    let what = last.detail.clone().unwrap_or_else(|| last.stage.to_string());
    Cell::new(tone, what)
}

fn ended(line: &Line, now: Timestamp) -> String {
    let last = line.last.as_ref().filter(|last| last.stage != Stage::Running);
    last.map_or_else(String::new, |last| {
        format!("{} ago", length(now.duration_since(last.at)))
    })
}

/// The key's id: the account and the region are those of the copies.
fn key(line: &Line, region: &str) -> String {
    match (&line.kms_key_arn, &line.copy) {
        (Some(arn), _) => {
            let begin = format!(":kms:{region}:");
            let id = arn.split(&begin).nth(1).and_then(|rest| rest.split_once('/'));
            id.map_or(arn.as_str(), |(_, id)| id).to_owned()
        }
        (None, Some(_)) => "none".to_owned(),
        (None, None) => String::new(),
    }
}
