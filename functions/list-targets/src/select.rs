//! Which databases are copied, and why the others are not.

use shared::{Database, DatabaseKind, Deployment, Error, LeftOut, LeftOutDatabase, Selection, Settings, Target, tags};

use crate::request::{Name, Scope};

/// Most databases that the summary names as left out.
const MOST_NAMED: usize = 50;

/// What the request and the tags select.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// In no order.
    pub(crate) targets: Vec<Target>,
    pub(crate) left_out: LeftOut,
    pub(crate) warnings: Vec<String>,
}

/// The database that an automated snapshot is of.
pub(crate) async fn database_of(deployment: &Deployment, kind: DatabaseKind, id: &str) -> Result<Name, Error> {
    let snapshot = deployment.source.snapshot(kind, id, "automated").await?;
    let snapshot = snapshot.ok_or_else(|| {
        Error::SnapshotNotFound(format!(
            "detail.SourceIdentifier: there is no automated {kind} snapshot {id} in {}",
            deployment.settings.source_region
        ))
    })?;
    Ok(Name {
        kind: Some(kind),
        id: snapshot.database_id,
    })
}

/// Refuses names that no database has, before anything is started. `field` is where the names came from.
pub(crate) fn check_names(
    names: &[Name],
    field: impl Fn(usize) -> String,
    databases: &[Database],
    region: &str,
) -> Result<(), Error> {
    for (at, name) in names.iter().enumerate() {
        let found = databases
            .iter()
            .find(|database| name.is(database.kind, &database.id) && database.member_of.is_none());
        if found.is_some() {
            continue;
        }
        let member = databases.iter().find(|database| name.is(database.kind, &database.id));
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
        return Err(Error::bad_input(&field(at), &problem, &remedy));
    }
    Ok(())
}

/// Sorts the databases into targets and those left out. Members of clusters are neither: their cluster is.
pub(crate) fn select(databases: Vec<Database>, scope: &Scope, settings: &Settings) -> Selected {
    let mut selected = Selected::default();
    let mut left_out = Vec::new();
    for database in databases {
        if database.member_of.is_some() || !is_asked_for(scope, &database) {
            continue;
        }
        if has_unreadable_tag(&database) {
            selected.warnings.push(format!(
                "{} {}: the tag {} is neither true nor false and was ignored",
                database.kind,
                database.id,
                tags::COPY
            ));
        }
        match why_left_out(&database, settings.selection) {
            Some(reason) => left_out.push(LeftOutDatabase {
                kind: database.kind,
                id: database.id,
                reason,
            }),
            None => selected.targets.push(Target {
                kind: database.kind,
                id: database.id,
                resource_id: database.resource_id,
                dry_run: false,
                rules: None,
            }),
        }
    }
    cap_warnings(&mut selected.warnings);
    selected.left_out = summary(left_out);
    selected
}

fn is_asked_for(scope: &Scope, database: &Database) -> bool {
    match scope {
        Scope::All | Scope::Snapshot { .. } => true,
        Scope::Only(names) => names.iter().any(|name| name.is(database.kind, &database.id)),
    }
}

fn copy_tag(database: &Database) -> Option<bool> {
    match database.tags.get(tags::COPY)?.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn has_unreadable_tag(database: &Database) -> bool {
    database.tags.contains_key(tags::COPY) && copy_tag(database).is_none()
}

fn why_left_out(database: &Database, selection: Selection) -> Option<String> {
    match (copy_tag(database), selection) {
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
        engine @ ("neptune" | "docdb") => Some(format!("the engine {engine} is not copied yet")),
        _ => None,
    }
}

fn cap_warnings(warnings: &mut Vec<String>) {
    if warnings.len() > MOST_NAMED {
        let more = warnings.len() - MOST_NAMED;
        warnings.truncate(MOST_NAMED);
        warnings.push(format!("and {more} more of the kind"));
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
    databases.truncate(MOST_NAMED);
    left_out.first = databases;
    left_out
}

#[cfg(test)]
mod tests;
