//! `snapferry restore-command`: the AWS CLI commands that restore a database from its newest verified copy.
//!
//! Everything comes from the copy and its tags, so that it works when the source region is lost.

pub(crate) mod aws_command;
pub(crate) mod choose;
mod cluster;
mod instance;
pub(crate) mod names;
pub(crate) mod restore;

use domain::kind::DatabaseKind;
use domain::restorability::{RegionFacts, Restorability, RestoreNeeds, Topic, Warning};
use domain::snapshot::Snapshot;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::args::{Global, RestoreCommand};
use crate::aws::account::Account;
use crate::commands::copy_source;
use crate::commands::restore_command::aws_command::Step;
use crate::commands::restore_command::choose::{Chosen, Hints, Wanted, choose, living, parse_name};
use crate::commands::restore_command::names::is_identifier;
use crate::commands::restore_command::restore::{Request, Restoration, Restore};
use crate::error::{CliError, ExitStatus};
use crate::facts::copies::{DatabaseCopies, NEEDS, OwnedCopy};
use crate::facts::restorability;
use crate::format::{format_duration, format_utc};
use crate::output::terminal::Terminal;
use crate::quoting::visible;

/// What the command writes, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    database: &'a str,
    kind: DatabaseKind,
    region: &'a str,
    copy: &'a str,
    captured_at: Timestamp,
    verified_at: Option<Timestamp>,
    age_seconds: i64,
    steps: &'a [Step],
    fill_in: Vec<&'static str>,
    notes: &'a [String],
    not_restored: &'a [String],
}

/// Finds the copy and writes the commands.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &RestoreCommand,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    check(options)?;
    let asked = parse_name(&options.database)?;
    let source = copy_source::find(account, global, &options.copies).await?;
    let owned = source.read(account).await?;
    let (living, unasked) = living(account, &source, &asked).await;
    let hints = Hints::new(global, &options.copies);
    let Chosen { database, name, notes } = choose(&owned.databases, &asked, &living, &source, &hints)?;
    let wanted = Wanted::new(options, account.now());
    let copy = wanted.among(database, &source.region, &hints)?;
    let snapshot = complete(account, &source.region, copy).await?;
    let request = Request {
        name: options.name.as_deref().unwrap_or(&name),
        region: &source.region,
        profile: global.profile.as_deref(),
        members: options.members,
    };
    let restore = Restore::new(&snapshot, request);
    let restoration = plan(&restore);
    let mut needs = RestoreNeeds::new(&snapshot);
    if database.kind == DatabaseKind::Cluster {
        needs.members = options.members.unwrap_or(needs.members);
    }
    let facts = restorability::look_up(account, &source.region, std::slice::from_ref(&needs), None).await;
    let mut notes: Vec<String> = notes.into_iter().chain(unasked).collect();
    notes.extend(remarks(database, copy, &restore));
    notes.extend(remarks_of_region(&facts, &needs));
    let report = Report {
        version: 1,
        database: &database.id,
        kind: database.kind,
        region: &source.region,
        copy: &copy.own.id,
        captured_at: copy.captured_at(),
        verified_at: copy.verified_at(),
        age_seconds: account.now().duration_since(copy.captured_at()).as_secs(),
        fill_in: placeholders(&restoration.steps),
        steps: &restoration.steps,
        notes: &notes,
        not_restored: &restoration.not_restored,
    };
    if options.json {
        terminal.print_json(&report);
    } else {
        show(&report, terminal);
    }
    Ok(ExitStatus::Success)
}

/// Refuses a name that RDS does not take.
pub(crate) fn check(options: &RestoreCommand) -> Result<(), CliError> {
    match options.name.as_deref() {
        Some(name) if !is_identifier(name) => Err(CliError::new(
            format!("{name:?} is not a valid database identifier."),
            "RDS takes at most 63 letters, digits and hyphens; a letter first, no hyphen last, no two hyphens together.",
        )),
        _ => Ok(()),
    }
}

/// The commands that restore a copy.
pub(crate) fn plan(restore: &Restore<'_>) -> Restoration {
    match restore.snapshot.kind {
        DatabaseKind::Instance => instance::plan(restore),
        DatabaseKind::Cluster => cluster::plan(restore),
    }
}

/// What the region lacks for the restore, what could not be found out, and what to do about either. It only informs: no
/// restore depends on it.
fn remarks_of_region(facts: &RegionFacts, needs: &RestoreNeeds) -> Vec<String> {
    let Restorability { missing, warnings, .. } = facts.judge(needs);
    let mut notes: Vec<String> = missing
        .iter()
        .map(|missing| format!("{missing} {}", missing.remedy()))
        .collect();
    notes.extend(warnings.iter().map(|warning| match warning {
        Warning::Unknown {
            topic: Topic::Offers(engine),
            region,
            ..
        } if needs.is_listed() => format!(
            "{warning} `aws rds describe-orderable-db-instance-options --region {region} --engine {} --engine-version {}` \
             lists the classes that are.",
            engine.engine, engine.version
        ),
        warning => warning.to_string(),
    }));
    let offers = facts.offers_for(needs).filter(|offers| !offers.is_empty());
    if let Some(offers) = offers.filter(|_| needs.class.is_none()) {
        notes.push(format!(
            "Offered for {} in {}: {}.",
            needs.engine,
            facts.region,
            offers.names(None)
        ));
    }
    notes
}

/// The copy with all its tags and settings, of which lists leave most out.
pub(crate) async fn complete(account: &Account, region: &str, copy: &OwnedCopy) -> Result<Snapshot, CliError> {
    let rds = account.rds(region);
    let kind = copy.snapshot.kind;
    let found = rds.snapshot(kind, &copy.own.id, &copy.snapshot.snapshot_type).await;
    let found = found.map_err(|error| CliError::from_rds(region, NEEDS, &error))?;
    found.filter(|found| found.arn == copy.own.arn).ok_or_else(|| {
        CliError::new(
            format!("{} was there a moment ago and is gone.", copy.own.id),
            "Try again: the next newest copy is taken.",
        )
    })
}

fn show(report: &Report<'_>, terminal: &mut Terminal<'_>) {
    let age = format_duration(SignedDuration::from_secs(report.age_seconds));
    let captured = format_utc(report.captured_at);
    let (kind, database) = (report.kind, visible(report.database));
    terminal.println(&format!(
        "# {kind} {database}, as it was at {captured} UTC ({age} ago)."
    ));
    let verified = report.verified_at.map_or("", |_| "verified ");
    terminal.println(&format!(
        "# From the {verified}copy {} in {}.",
        visible(report.copy),
        visible(report.region)
    ));
    for note in report.notes {
        terminal.println(&format!("# {}", visible(note)));
    }
    for step in report.steps {
        terminal.println(&format!("\n# {}", visible(&step.purpose)));
        terminal.println(&step.text);
    }
    terminal.println("\n# Not restored:");
    for sentence in report.not_restored {
        terminal.println(&format!("# - {}", visible(sentence)));
    }
    if !report.fill_in.is_empty() {
        terminal.eprintln(&format!("Fill in: {}.", report.fill_in.join(", ")));
    }
}

/// What should be known of the copy before the commands are run.
fn remarks(database: &DatabaseCopies, copy: &OwnedCopy, restore: &Restore<'_>) -> Vec<String> {
    let hints = &restore.hints;
    let mut notes = Vec::new();
    let is_newer = |other: &&OwnedCopy| other.captured_at() > copy.captured_at();
    if !copy.is_verified() {
        notes.push("Nothing has verified this copy: that it is what was asked for is not known.".to_owned());
    }
    if let Some(newer) = database.newest_verified().filter(is_newer) {
        notes.push(format!(
            "There is a verified copy of newer data, of {} UTC: {}.",
            format_utc(newer.captured_at()),
            visible(&newer.own.id)
        ));
    }
    let is_open = |other: &&OwnedCopy| is_newer(other) && !other.is_verified();
    if let Some(newer) = database.copies.first().filter(is_open) {
        notes.push(format!(
            "There is newer data, of {} UTC, in {}, which is not verified ({}, {} %).",
            format_utc(newer.own.source_created),
            visible(&newer.own.id),
            visible(&newer.snapshot.status),
            newer.snapshot.percent
        ));
    }
    if hints.class.is_none() {
        notes.push("The tags of the copy do not name the class of the database; choose one.".to_owned());
    }
    notes
}

/// The placeholders that have to be replaced, in the order in which they appear.
fn placeholders(steps: &[Step]) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for placeholder in steps.iter().flat_map(|step| &step.fill_in) {
        if !found.contains(placeholder) {
            found.push(placeholder);
        }
    }
    found
}

#[cfg(test)]
mod tests;
