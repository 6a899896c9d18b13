//! Which databases are copied, and why the others are not.

use std::collections::BTreeMap;

use domain::error::Error;
use domain::payload::{LeftOut, LeftOutDatabase};
use domain::settings::{Selection, Settings};
use domain::snapshot::Database;
use domain::tags;

use crate::request::{Request, Scope};

/// Most databases that a summary names.
pub(crate) const MAX_NAMED: usize = 50;

/// What the request and the tags select.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// In no order.
    pub(crate) databases: Vec<Database>,
    pub(crate) left_out: LeftOut,
}

/// Refuses names that no database has, before anything is started. Later pages take what the first one
/// has checked.
pub(crate) fn check_names(request: &Request, databases: &[Database], region: &str) -> Result<(), Error> {
    let (Some(names), None) = (request.scope.names(), &request.page) else {
        return Ok(());
    };
    for (at, name) in names.iter().enumerate() {
        let found = databases
            .iter()
            .find(|database| name.matches(database.kind, &database.id) && database.member_of.is_none());
        if found.is_some() {
            continue;
        }
        let member = databases
            .iter()
            .find(|database| name.matches(database.kind, &database.id));
        let (problem, remedy) = match member.and_then(|member| member.member_of.as_ref()) {
            Some(cluster) => (
                format!("{name} is a member of the cluster {cluster}, which is copied as a whole"),
                format!("Write \"cluster:{cluster}\"."),
            ),
            None => (
                format!("there is no database {name} in {region}"),
                "Check the spelling and the region; write the identifier as the RDS console shows it.".to_owned(),
            ),
        };
        return Err(Error::bad_input(&format!("only[{at}]"), &problem, &remedy));
    }
    Ok(())
}

/// Sorts the databases into those to copy and those left out. Members of clusters are neither: their cluster is.
/// `global_writers` has the ARN of the cluster that is written to by its global database.
pub(crate) fn select(
    databases: Vec<Database>,
    scope: &Scope,
    settings: &Settings,
    global_writers: &BTreeMap<String, String>,
) -> Selected {
    let mut selected = Selected::default();
    let mut left_out = Vec::new();
    for database in databases {
        if database.member_of.is_some() || !is_asked_for(scope, &database) {
            continue;
        }
        match why_left_out(&database, settings, global_writers) {
            Some(reason) => left_out.push(LeftOutDatabase {
                kind: database.kind,
                id: database.id,
                reason,
            }),
            None => selected.databases.push(database),
        }
    }
    selected.left_out = summary(left_out);
    selected
}

fn is_asked_for(scope: &Scope, database: &Database) -> bool {
    match scope {
        Scope::All | Scope::Events(_) => true,
        Scope::Only(names) => names.iter().any(|name| name.matches(database.kind, &database.id)),
    }
}

fn why_left_out(database: &Database, settings: &Settings, global_writers: &BTreeMap<String, String>) -> Option<String> {
    match (database.copy_tag(), settings.selection) {
        (Some(false), _) => return Some(format!("tagged {}=false", tags::COPY)),
        (None, Selection::OptIn) => {
            return Some(format!(
                "not tagged {}=true, which this stack asks for (Selection=opt-in)",
                tags::COPY
            ));
        }
        (Some(true), _) | (None, Selection::OptOut) => {}
    }
    match database.engine.as_str() {
        "neptune" if !settings.include_neptune => {
            return Some("Neptune is not included (IncludeNeptune=false)".to_owned());
        }
        "docdb" if !settings.include_documentdb => {
            return Some("DocumentDB is not included (IncludeDocumentDb=false)".to_owned());
        }
        _ => {}
    }
    let writer = global_writers.get(database.global_cluster.as_ref()?)?;
    let region = writer.split(':').nth(3).unwrap_or("another region");
    (*writer != database.arn).then(|| {
        format!("a secondary of a global database: its primary, in {region}, has the same data and is the one to copy")
    })
}

fn summary(mut databases: Vec<LeftOutDatabase>) -> LeftOut {
    databases.sort_by(|a, b| (&a.id, a.kind).cmp(&(&b.id, b.kind)));
    let mut left_out = LeftOut {
        count: databases.len(),
        ..LeftOut::default()
    };
    for database in &databases {
        *left_out.reasons.entry(database.reason.clone()).or_default() += 1;
    }
    databases.truncate(MAX_NAMED);
    left_out.first = databases;
    left_out
}

#[cfg(test)]
mod tests;
