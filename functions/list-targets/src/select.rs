//! Which databases are copied, and why the others are not.

use std::collections::BTreeMap;

use domain::error::Error;
use domain::kind::DatabaseName;
use domain::payload::{LeftOut, LeftOutDatabase};
use domain::selection::{self, SelectionRules};
use domain::settings::Settings;
use domain::snapshot::Database;
use runtime::deployment::Deployment;

use crate::request::{Request, Scope};

/// Most databases that a summary names.
pub(crate) const MAX_NAMED: usize = 50;

/// What the request and the tags select.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// Those that are expected to have a fresh copy, in no order.
    pub(crate) databases: Vec<Database>,
    /// Those of which only what there is is copied: they make no snapshots, or none that AWS could copy. Nobody is
    /// alarmed about them.
    pub(crate) silent: Vec<Database>,
    pub(crate) left_out: LeftOut,
    /// Tags about copying that are not as they should be, and wishes that RDS does not fulfil.
    pub(crate) warnings: Vec<String>,
}

/// The scope with the database in the place of its snapshot: an RDS event names the snapshot only.
pub(crate) async fn resolve(deployment: &Deployment, scope: &Scope) -> Result<Scope, Error> {
    let Scope::Snapshot { kind, id } = scope else {
        return Ok(scope.clone());
    };
    let snapshot = deployment.source.snapshot(*kind, id, "automated").await?;
    let snapshot = snapshot.ok_or_else(|| Error::SnapshotNotFound {
        reason: format!(
            "detail.SourceIdentifier: there is no automated {kind} snapshot {id} in {}",
            deployment.settings.source_region
        ),
    })?;
    Ok(Scope::Only(vec![DatabaseName {
        kind: Some(*kind),
        id: snapshot.database_id,
    }]))
}

/// Refuses names that no database has, before anything is started. `scope` is that of `request`, resolved. Later pages
/// take what the first one has checked.
pub(crate) fn check_names(request: &Request, scope: &Scope, databases: &[Database], region: &str) -> Result<(), Error> {
    let (Some(names), None) = (scope.names(), &request.page) else {
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
        let field = match &request.scope {
            Scope::Snapshot { .. } => "detail.SourceIdentifier".to_owned(),
            Scope::All | Scope::Only(_) => format!("only[{at}]"),
        };
        return Err(Error::bad_input(&field, &problem, &remedy));
    }
    Ok(())
}

/// Sorts the databases into those to copy and those left out, as [`selection::judge`] says. Members of clusters are neither: their cluster is.
/// `global_writers` has the ARN of the cluster that is written to by its global database.
pub(crate) fn select(
    databases: Vec<Database>,
    scope: &Scope,
    settings: &Settings,
    global_writers: &BTreeMap<String, String>,
) -> Selected {
    let rules = SelectionRules::from(settings);
    let mut selected = Selected::default();
    let mut left_out = Vec::new();
    for database in databases {
        if database.member_of.is_some() || !is_asked_for(scope, &database) {
            continue;
        }
        let reason = selection::judge(&database, &rules, global_writers);
        selected
            .warnings
            .extend(selection::warnings(&database, reason.as_ref()));
        match reason {
            Some(reason) if reason.is_left_out() => left_out.push(LeftOutDatabase {
                kind: database.kind,
                id: database.id,
                reason: reason.to_string(),
            }),
            Some(_) => selected.silent.push(database),
            None => selected.databases.push(database),
        }
    }
    selected.left_out = summary(left_out);
    selected
}

fn is_asked_for(scope: &Scope, database: &Database) -> bool {
    match scope {
        Scope::All | Scope::Snapshot { .. } => true,
        Scope::Only(names) => names.iter().any(|name| name.matches(database.kind, &database.id)),
    }
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
