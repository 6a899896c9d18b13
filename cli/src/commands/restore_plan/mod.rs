//! `snapferry restore-plan`: the restore of all databases, or of some, from the destination region alone: what there is,
//! what is missing there for all of them together, and a script that restores them in waves.

mod script;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use domain::kind::DatabaseKind;
use domain::quota::Demand;
use domain::restorability::{Missing, RegionFacts, Restorability, RestoreNeeds, Verdict, Warning};
use domain::restore_order::RestoreOrder;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::args::{Global, RestorePlan};
use crate::aws::account::Account;
use crate::commands::copy_source;
use crate::commands::restore_command::choose::{Hints, choose, parse_name};
use crate::commands::restore_command::names::is_identifier;
use crate::commands::restore_command::restore::{Request, Restore};
use crate::commands::restore_command::{complete, plan};
use crate::commands::restore_plan::script::{About, MARK, Restored, script};
use crate::error::{CliError, ExitStatus};
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopies, OwnedCopy};
use crate::facts::restorability;
use crate::format::{database_name, databases, format_age, format_duration, format_size, format_utc, some_of};
use crate::output::table::{Cell, Column, Table};
use crate::output::terminal::{Style, Terminal};
use crate::quoting::quoted;

/// Most copies that are described at a time.
const MAX_CALLS: usize = 8;

/// A database that is restored, and the copy that it is restored from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Planned<'a> {
    /// As it is written in the command line: with its kind, where that is not an instance.
    name: String,
    database: &'a str,
    kind: DatabaseKind,
    resource_id: &'a str,
    /// Identifier of the restored database.
    restored_as: String,
    copy: &'a str,
    captured_at: Timestamp,
    age_seconds: i64,
    size_gib: Option<i32>,
    /// Its place in the order of the restore, by the tag of the database when it was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore_order: Option<RestoreOrder>,
    wave: usize,
    restorable: Restorability,
    #[serde(skip)]
    source: &'a OwnedCopy,
    #[serde(skip)]
    needs: RestoreNeeds,
}

/// A sentence, what to do about it, and the databases that it is about; none, if it is about all of them together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Remark {
    problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    databases: Vec<String>,
}

/// What all of them together take of the quotas.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Needed {
    instances: i64,
    clusters: i64,
    storage_gib: i64,
}

/// What the command writes, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    now: Timestamp,
    region: &'a str,
    owner: &'a str,
    /// What all of them lack here, and without which some cannot be restored as they are.
    missing: Vec<Remark>,
    /// What they can do without, and what could not be found out.
    warnings: Vec<Remark>,
    needed: Needed,
    databases: Vec<Planned<'a>>,
    /// Databases without a verified copy, of which nothing can be restored.
    without_copy: Vec<String>,
    notes: Vec<String>,
}

/// Chooses the copies, looks up what their restore needs, and writes the plan.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &RestorePlan,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    if let Some(file) = &options.script {
        check_file(file)?;
    }
    let source = copy_source::find(account, global, &options.copies).await?;
    let owned = source.read(account).await?;
    if owned.databases.is_empty() {
        return Err(owned.no_copies_error());
    }
    let now = account.now();
    let hints = Hints::new(global, &options.copies);
    let choice = Choice::new(&owned, options, &source, &hints, now)?;
    let needs = choice
        .chosen
        .iter()
        .map(|chosen| RestoreNeeds::new(&chosen.copy.snapshot));
    let needs: Vec<RestoreNeeds> = needs.collect();
    let facts = restorability::look_up(account, &source.region, &needs, options.subnet_group.as_deref()).await;
    let report = report(&source, choice, &facts, options, now);
    if let Some(file) = &options.script {
        write_script(account, global, options, &report, file).await?;
    }
    if options.json {
        terminal.print_json(&report);
    } else {
        show(&report, options, terminal);
    }
    let is_complete = report.missing.is_empty() && report.without_copy.is_empty();
    Ok(if is_complete && report.databases.iter().all(Planned::is_good) {
        ExitStatus::Success
    } else {
        ExitStatus::Problem
    })
}

impl Planned<'_> {
    fn is_good(&self) -> bool {
        self.restorable.verdict == Verdict::Yes
    }
}

/// A database, the copy that it is restored from, and the name that it gets.
#[derive(Debug)]
struct Chosen<'a> {
    database: &'a DatabaseCopies,
    copy: &'a OwnedCopy,
    name: String,
    /// Its place by its tag. The order in which databases are named needs none.
    order: Option<RestoreOrder>,
}

/// What is restored, in its order, and what is to be said of the choice.
#[derive(Debug, Default)]
struct Choice<'a> {
    chosen: Vec<Chosen<'a>>,
    without_copy: Vec<String>,
    notes: Vec<String>,
}

impl<'a> Choice<'a> {
    fn new(
        owned: &'a OwnedCopies,
        options: &RestorePlan,
        source: &CopySource,
        hints: &Hints,
        now: Timestamp,
    ) -> Result<Self, CliError> {
        let mut choice = Self::default();
        if options.databases.is_empty() {
            choice.all(owned);
        } else {
            choice.named(owned, &options.databases, source, hints)?;
        }
        if let Some(max_age) = options.max_age {
            choice.leave_out_older(max_age, now);
        }
        if choice.chosen.is_empty() {
            return Err(CliError::new(
                format!("There is no verified copy in {} to restore from.", owned.region),
                format!("See what there is:\n  {}", hints.status),
            ));
        }
        Ok(choice)
    }

    /// All databases: those first whose tags ask for a place in the order, then the others, the smallest first, so that most
    /// of them are back soon.
    fn all(&mut self, owned: &'a OwnedCopies) {
        let (databases, notes) = of_each_name(owned);
        self.notes.extend(notes);
        for database in databases {
            self.add(database, database.id.clone());
        }
        for chosen in &mut self.chosen {
            chosen.order = chosen.copy.own.restore_order;
        }
        let size = |chosen: &Chosen<'_>| chosen.copy.snapshot.data_gib();
        let name = |chosen: &Chosen<'_>| (chosen.database.id.clone(), chosen.database.kind);
        self.chosen
            .sort_by_key(|chosen| (place(chosen.order), size(chosen).is_none(), size(chosen), name(chosen)));
    }

    /// Those that are named, each once, in that order.
    fn named(
        &mut self,
        owned: &'a OwnedCopies,
        names: &[String],
        source: &CopySource,
        hints: &Hints,
    ) -> Result<(), CliError> {
        for text in names {
            let asked = parse_name(text)?;
            let found = choose(&owned.databases, &asked, &[], source, hints)?;
            let is_there = self.chosen.iter().any(|chosen| chosen.database == found.database);
            if !is_there {
                self.notes.extend(found.notes);
                self.add(found.database, found.name);
            }
        }
        Ok(())
    }

    fn add(&mut self, database: &'a DatabaseCopies, name: String) {
        match database.newest_verified() {
            Some(copy) => self.chosen.push(Chosen {
                database,
                copy,
                name,
                order: None,
            }),
            None => self.without_copy.push(database_name(database.kind, &database.id)),
        }
    }

    fn leave_out_older(&mut self, max_age: SignedDuration, now: Timestamp) {
        let is_young = |chosen: &Chosen<'_>| now.duration_since(chosen.copy.captured_at()) <= max_age;
        let (young, old): (Vec<_>, Vec<_>) = std::mem::take(&mut self.chosen).into_iter().partition(is_young);
        self.chosen = young;
        let names = old
            .iter()
            .map(|chosen| database_name(chosen.database.kind, &chosen.database.id));
        let names: Vec<String> = names.collect();
        if !names.is_empty() {
            let age = format_duration(max_age);
            self.notes
                .push(format!("Left out, with data older than {age}: {}.", some_of(&names)));
        }
    }
}

/// Of the databases that had one name after the other, as when one was re-created, the one with the newest data.
fn of_each_name(owned: &OwnedCopies) -> (Vec<&DatabaseCopies>, Vec<String>) {
    let mut notes = Vec::new();
    let mut by_name: BTreeMap<(DatabaseKind, String), Vec<&DatabaseCopies>> = BTreeMap::new();
    for database in &owned.databases {
        let name = database.id.to_ascii_lowercase();
        by_name.entry((database.kind, name)).or_default().push(database);
    }
    let newest = |database: &DatabaseCopies| database.newest_verified().map(|copy| copy.own.source_created);
    let of_name = by_name.into_iter().filter_map(|((kind, name), mut all)| {
        all.sort_by_key(|database| Reverse(newest(database)));
        if all.len() > 1 {
            notes.push(format!(
                "{} databases were called {} one after the other; the one with the newest data is restored.",
                all.len(),
                database_name(kind, &name)
            ));
        }
        all.first().copied()
    });
    let databases = of_name.collect();
    (databases, notes)
}

/// What sorts those without a place behind all others.
fn place(order: Option<RestoreOrder>) -> (bool, Option<RestoreOrder>) {
    (order.is_none(), order)
}

/// The wave of each database, from 1: at most `size` in each, and none of two places, so that those of the next one begin
/// when all of the one before are there.
fn waves(orders: &[Option<RestoreOrder>], size: usize) -> Vec<usize> {
    let mut waves: Vec<usize> = Vec::new();
    let (mut wave, mut number) = (0, 0);
    for (at, order) in orders.iter().enumerate() {
        let is_next = at == 0 || number == size.max(1) || orders[at - 1] != *order;
        (wave, number) = if is_next { (wave + 1, 1) } else { (wave, number + 1) };
        waves.push(wave);
    }
    waves
}

fn report<'a>(
    source: &'a CopySource,
    choice: Choice<'a>,
    facts: &RegionFacts,
    options: &RestorePlan,
    now: Timestamp,
) -> Report<'a> {
    let Choice {
        chosen,
        without_copy,
        notes,
    } = choice;
    let orders: Vec<Option<RestoreOrder>> = chosen.iter().map(|chosen| chosen.order).collect();
    let waves = waves(&orders, options.wave as usize);
    let planned = chosen.into_iter().zip(waves).map(|(chosen, wave)| {
        let Chosen {
            database,
            copy,
            name,
            order,
        } = chosen;
        let needs = RestoreNeeds::new(&copy.snapshot);
        Planned {
            name: database_name(database.kind, &database.id),
            database: &database.id,
            kind: database.kind,
            resource_id: &database.resource_id,
            restored_as: name,
            copy: &copy.own.id,
            captured_at: copy.captured_at(),
            age_seconds: now.duration_since(copy.captured_at()).as_secs(),
            size_gib: copy.snapshot.data_gib(),
            restore_order: order,
            wave,
            restorable: facts.judge(&needs),
            source: copy,
            needs,
        }
    });
    let databases: Vec<Planned<'_>> = planned.collect();
    let mut demand = Demand::default();
    for planned in &databases {
        demand += planned.needs.demand();
    }
    Report {
        version: 1,
        now,
        region: &source.region,
        owner: &source.owner_id,
        missing: missing(&databases, facts, &demand),
        warnings: warnings(&databases),
        needed: Needed {
            instances: demand.instances,
            clusters: demand.clusters,
            storage_gib: demand.storage_gib,
        },
        databases,
        without_copy,
        notes,
    }
}

/// What is missing: the quotas for all of them together, and everything else once, with the databases that need it.
fn missing(databases: &[Planned<'_>], facts: &RegionFacts, demand: &Demand) -> Vec<Remark> {
    let in_sum = facts.lacking(demand).unwrap_or_default();
    let of_all = in_sum.iter().map(|missing| (missing, None));
    let of_one = databases.iter().flat_map(|planned| {
        let missing = planned.restorable.missing.iter();
        let but_quotas = missing.filter(|missing| !matches!(missing, Missing::Quota { .. }));
        but_quotas.map(move |missing| (missing, Some(planned)))
    });
    let all = of_all.chain(of_one);
    collected(all.map(|(missing, planned)| (missing.to_string(), Some(missing.remedy()), planned)))
}

fn warnings(databases: &[Planned<'_>]) -> Vec<Remark> {
    let all = databases.iter().flat_map(|planned| {
        let warnings: &[Warning] = &planned.restorable.warnings;
        warnings
            .iter()
            .map(move |warning| (warning.to_string(), None, Some(planned)))
    });
    collected(all)
}

/// Each sentence once, in the order in which they are found.
fn collected<'a>(all: impl Iterator<Item = (String, Option<String>, Option<&'a Planned<'a>>)>) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = Vec::new();
    for (problem, remedy, planned) in all {
        let name = planned.map(|planned| planned.name.clone());
        match remarks.iter_mut().find(|remark| remark.problem == problem) {
            Some(remark) => remark.databases.extend(name),
            None => remarks.push(Remark {
                problem,
                remedy,
                databases: name.into_iter().collect(),
            }),
        }
    }
    remarks
}

/// Writes the script, of the same commands that `restore-command` prints.
async fn write_script(
    account: &Account,
    global: &Global,
    options: &RestorePlan,
    report: &Report<'_>,
    file: &Path,
) -> Result<(), CliError> {
    let snapshots = stream::iter(&report.databases).map(async |planned| {
        let snapshot = complete(account, report.region, planned.source).await?;
        Ok::<_, CliError>((planned, snapshot))
    });
    let snapshots: Vec<_> = snapshots.buffered(MAX_CALLS).try_collect().await?;
    let mut restored = Vec::new();
    for (planned, snapshot) in &snapshots {
        let name = planned.restored_as.as_str();
        if !is_identifier(name) {
            let what = format!("{name:?} is not a valid database identifier, so the script cannot restore it.");
            let remedy = format!(
                "Restore it by hand: snapferry restore-command {} --as NAME",
                planned.resource_id
            );
            return Err(CliError::new(what, remedy));
        }
        let restoration = plan(&Restore::new(
            snapshot,
            Request {
                name,
                region: report.region,
                profile: global.profile.as_deref(),
                members: None,
            },
        ));
        let mut remarks = vec![format!(
            "Data of {} UTC, from the copy {}.",
            format_utc(planned.captured_at),
            planned.copy
        )];
        remarks.extend(planned.restorable.missing.iter().map(ToString::to_string));
        remarks.extend(planned.restorable.warnings.iter().map(ToString::to_string));
        remarks.extend(
            restoration
                .not_restored
                .iter()
                .map(|sentence| format!("Not restored: {sentence}")),
        );
        restored.push(Restored {
            title: format!("{} {name}", planned.kind),
            wave: planned.wave,
            remarks,
            steps: restoration.steps,
        });
    }
    let about = About {
        region: report.region,
        now: &format_utc(report.now),
        subnet_group: options.subnet_group.as_deref(),
        wave: options.wave.max(1) as usize,
    };
    std::fs::write(file, script(about, &restored)).map_err(|error| {
        CliError::new(
            format!("{} cannot be written: {error}.", file.display()),
            "Give another file with --script.",
        )
    })
}

/// Refuses to replace a file that is not such a script: the name may be a slip of the finger.
fn check_file(file: &Path) -> Result<(), CliError> {
    // What is no file (a pipe, a terminal) has nothing to lose, and what cannot be read is an error when it is written.
    let is_file = std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    let text = is_file.then(|| std::fs::read(file).ok()).flatten();
    match text {
        Some(text) if !text.is_empty() && !String::from_utf8_lossy(&text).contains(MARK) => Err(CliError::new(
            format!("{} exists and is not a script of restore-plan.", file.display()),
            "Delete it, or give another file with --script.",
        )),
        _ => Ok(()),
    }
}

fn show(report: &Report<'_>, options: &RestorePlan, terminal: &mut Terminal<'_>) {
    let number = report.databases.len();
    let lacking = report.databases.iter().filter(|planned| !planned.is_good()).count();
    let waves = report.databases.last().map_or(0, |planned| planned.wave);
    let (style, text) = match (lacking, report.missing.is_empty()) {
        (0, true) => (Style::Good, "Nothing that they need is missing there.".to_owned()),
        (0, false) => (
            Style::Bad,
            "Each of them can be restored there, and not all of them together.".to_owned(),
        ),
        (lacking, _) => (
            Style::Bad,
            format!("Something is missing or not known for {}.", databases(lacking)),
        ),
    };
    let waves = if waves == 1 {
        "one wave".to_owned()
    } else {
        format!("{waves} waves of at most {}", options.wave)
    };
    let text = format!(
        "{} to restore in {}, in {waves}. {text}",
        databases(number),
        report.region
    );
    terminal.println_wrapped(style, &text);
    terminal.println("");
    let table = table(&report.databases).render(terminal);
    terminal.print(&table);
    show_remarks("Missing:", Style::Bad, &report.missing, terminal);
    show_remarks("To know beforehand:", Style::Warning, &report.warnings, terminal);
    if !report.without_copy.is_empty() {
        terminal.println("");
        let text = format!(
            "No verified copy, so nothing to restore: {}.",
            some_of(&report.without_copy)
        );
        terminal.println_wrapped(Style::Bad, &text);
    }
    for note in &report.notes {
        terminal.eprintln(&format!("note: {note}"));
    }
    if let Some(file) = &options.script {
        let file = quoted(&file.display().to_string());
        terminal.eprintln(&format!(
            "Written. To restore:\n  SUBNET_GROUP=... SECURITY_GROUP_IDS='...' sh {file}"
        ));
    }
}

fn show_remarks(title: &str, style: Style, remarks: &[Remark], terminal: &mut Terminal<'_>) {
    if remarks.is_empty() {
        return;
    }
    terminal.println("");
    terminal.println_wrapped(Style::Strong, title);
    for Remark {
        problem,
        remedy,
        databases,
    } in remarks
    {
        let who = match databases[..] {
            [] => "all together".to_owned(),
            _ => some_of(databases),
        };
        let remedy = remedy.as_ref().map_or_else(String::new, |remedy| format!(" {remedy}"));
        terminal.println_wrapped(style, &format!("{who}: {problem}{remedy}"));
    }
}

fn table(databases: &[Planned<'_>]) -> Table {
    let mut table = Table::new([
        Column::new("WAVE", 3).flush_right(),
        Column::new("DATABASE", 0).cut_last_to(16),
        Column::new("DATA OF (UTC)", 2),
        Column::new("AGE", 0).flush_right(),
        Column::new("GIB", 4).flush_right(),
        Column::new("RESTORABLE", 1),
        Column::new("COPY", 5),
    ]);
    for planned in databases {
        let style = match planned.restorable.verdict {
            Verdict::No => Style::Bad,
            Verdict::Unknown => Style::Warning,
            Verdict::Yes => Style::Plain,
        };
        table.row([
            Cell::from(planned.wave.to_string()),
            Cell::from(planned.name.as_str()),
            Cell::from(format_utc(planned.captured_at)),
            Cell::from(format_age(SignedDuration::from_secs(planned.age_seconds))),
            Cell::from(format_size(planned.size_gib)),
            Cell::new(style, restorability::summary(&planned.restorable)),
            Cell::from(planned.copy),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wave_has_databases_of_two_places_or_more_than_it_may() {
        let order = |text: &str| text.parse::<RestoreOrder>().ok();
        let orders = [order("1"), order("1"), order("1"), order("5"), None, None, None];
        assert_eq!(waves(&orders, 2), [1, 1, 2, 3, 4, 4, 5]);
        assert_eq!(waves(&orders[4..], 40), [1, 1, 1]);
        assert_eq!(waves(&[], 5), Vec::<usize>::new());
        assert!(place(order("9999")) < place(None) && place(order("2")) < place(order("10")));
    }
}
