//! Which database is meant. Names are reused, and databases are renamed: a database is its resource id, and its name leads
//! there.

use std::collections::BTreeSet;

use domain::copy_tags::CopyStatus;
use domain::kind::{DatabaseKind, DatabaseName, NameError};
use domain::snapshot::Database;
use domain::tags;
use jiff::Timestamp;

use crate::args::{CopyOptions, Global, RestoreCommand};
use crate::aws::account::Account;
use crate::error::CliError;
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopy};
use crate::facts::fleet::near_names;
use crate::format::format_utc;
use crate::quoting::visible;

/// The database, and what has to be known of the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen<'a> {
    pub(crate) database: &'a DatabaseCopies,
    /// The name under which it is restored unless the operator says another.
    pub(crate) name: String,
    pub(crate) notes: Vec<String>,
}

/// Commands to be typed as they are, with the options that this one was given (N17).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hints {
    pub(crate) status: String,
    pub(crate) copies: String,
    pub(crate) run: String,
}

impl Hints {
    /// Those that go with these options.
    pub(crate) fn new(global: &Global, copies: &CopyOptions) -> Self {
        Self {
            status: global.copies_command("status", copies),
            copies: global.copies_command("copies", copies),
            run: global.command("run"),
        }
    }
}

/// What the operator asked for, as it is read.
pub(crate) fn parse_name(database: &str) -> Result<DatabaseName, CliError> {
    database.parse().map_err(|error: NameError| {
        let problem = match error {
            NameError::Empty => format!("{database:?} names no database"),
            error => error.to_string(),
        };
        CliError::new(
            format!("{problem}."),
            "Give it as the RDS console shows it: orders, or instance:orders, or cluster:orders.",
        )
    })
}

/// The databases that have the name now, if the source region can be asked, or why it could not be.
pub(crate) async fn living(
    account: &Account,
    source: &CopySource,
    asked: &DatabaseName,
) -> (Vec<Database>, Option<String>) {
    let Some(stack) = &source.stack else {
        return (Vec::new(), None);
    };
    let rds = account.rds(&stack.region);
    let (mut living, mut unasked) = (Vec::new(), None);
    for kind in DatabaseKind::ALL {
        if asked.kind.is_none_or(|asked| asked == kind) {
            match rds.database_named(kind, &asked.id).await {
                // A member of a cluster is copied with its cluster.
                Ok(found) => living.extend(found.filter(|database| database.member_of.is_none())),
                Err(error) => {
                    let reason = visible(&error.to_string());
                    unasked = Some(format!(
                        "{} could not be asked whether a database was renamed ({reason}): this one was copied under the name.",
                        stack.region
                    ));
                }
            }
        }
    }
    (living, unasked)
}

/// The database that is meant. `living` are those that have the name now, as far as the source region was asked: of
/// them the resource id decides. Otherwise it is the one that was copied under the name, or has it as its resource id; of
/// several, as when one was re-created, the one with the newest data.
pub(crate) fn choose<'a>(
    all: &'a [DatabaseCopies],
    asked: &DatabaseName,
    living: &[Database],
    source: &CopySource,
    hints: &Hints,
) -> Result<Chosen<'a>, CliError> {
    let id = asked.id.as_str();
    let pool = matching(all, asked, living);
    if pool.iter().any(|database| database.kind != pool[0].kind) {
        return Err(CliError::new(
            format!("{id} is the name of an instance and of a cluster."),
            format!("Choose one: instance:{id} or cluster:{id}."),
        ));
    }
    let newest = pool
        .iter()
        .max_by_key(|database| database.newest_verified().map(|copy| copy.own.source_created));
    let Some(database) = newest.copied() else {
        return Err(nothing(all, asked, living, source, hints));
    };
    let is_named = names(database).contains(id) || is_alive(database, living);
    Ok(Chosen {
        database,
        name: if is_named { id } else { &database.id }.to_owned(),
        notes: notes(&pool, database, id, living),
    })
}

/// Every database that can be meant, of either kind.
pub(crate) fn matching<'a>(
    all: &'a [DatabaseCopies],
    asked: &DatabaseName,
    living: &[Database],
) -> Vec<&'a DatabaseCopies> {
    let kinds = DatabaseKind::ALL
        .into_iter()
        .filter(|kind| asked.kind.is_none_or(|asked| asked == *kind));
    kinds
        .flat_map(|kind| candidates(all, kind, &asked.id, living))
        .collect()
}

/// Which of a database's copies is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// The newest verified one.
    Newest,
    /// The newest verified one whose data is not newer than this.
    Before(Timestamp),
    /// The one of this name.
    Named(&'a str),
}

impl<'a> Wanted<'a> {
    /// What the options say.
    pub(crate) fn new(options: &'a RestoreCommand, now: Timestamp) -> Self {
        match (&options.copy, options.before) {
            (Some(name), _) => Self::Named(name),
            (None, Some(before)) => Self::Before(before.before(now)),
            (None, None) => Self::Newest,
        }
    }

    /// The copy, or why it cannot be restored.
    pub(crate) fn among<'b>(
        self,
        database: &'b DatabaseCopies,
        region: &str,
        hints: &Hints,
    ) -> Result<&'b OwnedCopy, CliError> {
        let list = || {
            format!(
                "The copies of this database:\n  {} {}",
                hints.copies,
                visible(&database.id)
            )
        };
        match self {
            Self::Newest => database
                .newest_verified()
                .ok_or_else(|| no_verified_error(database, region, hints)),
            Self::Before(time) => {
                let verified = database.copies.iter().filter(|copy| copy.is_verified());
                let old_enough = verified.filter(|copy| copy.captured_at() <= time);
                old_enough.max_by_key(|copy| copy.captured_at()).ok_or_else(|| {
                    let what = format!(
                        "No verified copy of {} {} in {region} has data of {} UTC or before.",
                        database.kind,
                        visible(&database.id),
                        format_utc(time)
                    );
                    CliError::new(what, list())
                })
            }
            Self::Named(name) => {
                let found = database
                    .copies
                    .iter()
                    .find(|copy| copy.own.id.eq_ignore_ascii_case(name));
                let copy = found.ok_or_else(|| {
                    let what = format!("{name} is not a copy of {} {}.", database.kind, visible(&database.id));
                    CliError::new(what, list())
                })?;
                match copy.own.status {
                    CopyStatus::Verified | CopyStatus::Unverified => Ok(copy),
                    CopyStatus::InProgress => Err(CliError::new(format!("{name} is not complete yet."), list())),
                    CopyStatus::Failed => Err(CliError::new(format!("{name} failed; there is no data in it."), list())),
                    CopyStatus::Going => Err(CliError::new(format!("{name} is being deleted."), list())),
                    CopyStatus::Mismatched => Err(CliError::new(
                        format!("{name} is complete, and it is not what was asked for: it differs from its source."),
                        list(),
                    )),
                }
            }
        }
    }
}

fn candidates<'a>(
    all: &'a [DatabaseCopies],
    kind: DatabaseKind,
    id: &str,
    living: &[Database],
) -> Vec<&'a DatabaseCopies> {
    let of_kind = || all.iter().filter(|database| database.kind == kind);
    let alive: Vec<&DatabaseCopies> = of_kind().filter(|database| is_alive(database, living)).collect();
    if !alive.is_empty() {
        return alive;
    }
    of_kind().filter(|database| is_called(database, id)).collect()
}

/// Every database that has this name or had it when it was copied.
pub(crate) fn of_this_name<'a>(
    all: &'a [DatabaseCopies],
    asked: &DatabaseName,
    living: &[Database],
) -> Vec<&'a DatabaseCopies> {
    let of_kind = all
        .iter()
        .filter(|database| asked.kind.is_none_or(|kind| kind == database.kind));
    of_kind
        .filter(|database| is_alive(database, living) || is_called(database, &asked.id))
        .collect()
}

/// Whether it was copied under this name, or has it as its resource id.
fn is_called(database: &DatabaseCopies, id: &str) -> bool {
    names(database).contains(id) || database.resource_id.eq_ignore_ascii_case(id)
}

fn is_alive(database: &DatabaseCopies, living: &[Database]) -> bool {
    living
        .iter()
        .any(|alive| alive.kind == database.kind && alive.resource_id == database.resource_id)
}

/// The names under which it was copied.
fn names(database: &DatabaseCopies) -> BTreeSet<&str> {
    let copies = database.copies.iter();
    let names = copies.map(|copy| {
        copy.snapshot
            .tags
            .get(tags::SOURCE_ID)
            .unwrap_or(&copy.snapshot.database_id)
    });
    names.map(String::as_str).chain([database.id.as_str()]).collect()
}

fn notes(pool: &[&DatabaseCopies], database: &DatabaseCopies, id: &str, living: &[Database]) -> Vec<String> {
    let DatabaseCopies { kind, resource_id, .. } = database;
    let mut notes = Vec::new();
    if pool.len() > 1 {
        notes.push(format!(
            "{} databases had this name; this is {}. Name another by its resource id, which `snapferry status --json` has.",
            pool.len(),
            visible(resource_id)
        ));
    }
    if database.id != id {
        let names: Vec<&str> = names(database).into_iter().filter(|name| *name != id).collect();
        notes.push(format!(
            "Copies of {} were made under another name, too: {}.",
            visible(resource_id),
            visible(&names.join(", "))
        ));
    }
    let other = living
        .iter()
        .find(|alive| alive.kind == *kind && alive.resource_id != *resource_id);
    if let Some(alive) = other.filter(|_| !is_alive(database, living)) {
        notes.push(format!(
            "The {kind} that is called {id} now, {}, has no copy; this one, {}, was called so before.",
            visible(&alive.resource_id),
            visible(resource_id)
        ));
    }
    notes
}

/// The error where no database that has copies is meant.
pub(crate) fn nothing(
    all: &[DatabaseCopies],
    asked: &DatabaseName,
    living: &[Database],
    source: &CopySource,
    hints: &Hints,
) -> CliError {
    let CopySource { region, owner_id, .. } = source;
    let Hints { status, run, .. } = hints;
    let what = format!("There is no copy of {asked} of the owner {owner_id} in {region}.");
    if !living.is_empty() {
        return CliError::new(what, format!("Start a run:\n  {run} --only {asked} --follow"));
    }
    let databases = all.iter().map(|database| (database.kind, database.id.as_str()));
    let near = match &near_names(&asked.id, databases)[..] {
        [] => String::new(),
        near => format!("There are copies of {}. ", visible(&near.join(", "))),
    };
    CliError::new(
        what,
        format!(
            "{near}If it was renamed, its copies may have another of its names. The databases that have copies:\n  {status}"
        ),
    )
}

/// The error where there is no copy that a restore could take.
pub(crate) fn no_verified_error(database: &DatabaseCopies, region: &str, hints: &Hints) -> CliError {
    let run = &hints.run;
    let unverified = database.count(CopyStatus::Unverified);
    let newest = database.copies.first().map_or("", |copy| copy.own.id.as_str());
    let id = visible(&database.id);
    CliError::new(
        format!(
            "No copy of {} {id} in {region} is verified: {} in progress, {unverified} complete and not verified, {} failed, \
             {} different from their source.",
            database.kind,
            database.count(CopyStatus::InProgress),
            database.count(CopyStatus::Failed),
            database.count(CopyStatus::Mismatched),
        ),
        if unverified > 0 {
            format!(
                "If there is no time to verify, {newest} can be restored by hand; otherwise:\n  {run} --only {id} --follow"
            )
        } else {
            format!("Start a run:\n  {run} --only {id} --follow")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_say_its_kind() {
        assert_eq!(parse_name("orders").map(|name| name.kind), Ok(None));
        assert_eq!(
            parse_name("cluster:orders").map(|name| name.kind),
            Ok(Some(DatabaseKind::Cluster))
        );
        for wrong in ["", "instance:", "a b", "x:orders"] {
            assert!(parse_name(wrong).is_err(), "{wrong}");
        }
    }
}
