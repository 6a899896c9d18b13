//! Which databases are copied, and why the others are not.

use std::collections::BTreeMap;

use domain::error::Error;
use domain::payload::{LeftOut, LeftOutDatabase};
use domain::selection::{self, Reason, SelectionRules};
use domain::settings::Settings;
use domain::snapshot::Database;

use crate::request::{Request, Scope};

/// Most databases that a summary names.
pub(crate) const MAX_NAMED: usize = 50;

/// Most reasons that a summary counts apart: some have a region's name in them.
const MAX_REASONS: usize = 30;

/// What the others are counted as.
const OTHER_REASONS: &str = "another reason";

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
    /// How many make no snapshots, or have another database that is copied in their place.
    pub(crate) without_snapshots: u32,
}

impl Selected {
    /// The databases of which there may be something to copy, those that are left out, and what is to be said.
    pub(crate) fn into_parts(self) -> (Vec<Database>, LeftOut, Vec<String>) {
        let mut databases = self.databases;
        databases.extend(self.silent);
        (databases, self.left_out, self.warnings)
    }
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

/// Sorts the databases into those to copy and those left out, as [`selection::judge`] says. Members of clusters are
/// neither: their cluster is. `global_writers` has the ARN of the cluster that is written to by its global database.
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
        selected.without_snapshots += u32::from(reason.as_ref().is_some_and(is_without_snapshots));
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

/// Whether nobody has to wait for its snapshots, for a reason that RDS reports. What a person switched off is not among
/// them.
fn is_without_snapshots(reason: &Reason) -> bool {
    reason.makes_no_snapshots() || matches!(reason, Reason::Secondary { .. } | Reason::ReplicaCluster)
}

fn is_asked_for(scope: &Scope, database: &Database) -> bool {
    match scope {
        Scope::All | Scope::Events(_) => true,
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
        let reasons = &mut left_out.reasons;
        let is_new = !reasons.contains_key(&database.reason);
        let reason = if is_new && reasons.len() >= MAX_REASONS {
            OTHER_REASONS
        } else {
            &database.reason
        };
        *reasons.entry(reason.to_owned()).or_default() += 1;
    }
    databases.truncate(MAX_NAMED);
    left_out.first = databases;
    left_out
}

#[cfg(test)]
mod tests;
