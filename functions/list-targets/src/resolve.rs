//! From the snapshots that events name to their databases.
//!
//! An event names its snapshot, and neither the database nor what it is called by now. The snapshot has the database's
//! resource id, which a rename or a blue/green switchover does not change.

use std::collections::BTreeMap;

use domain::error::Error;
use domain::snapshot::Database;
use runtime::deployment::Deployment;

use crate::event::{EventSnapshot, Events};

/// The databases that events are about.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) databases: Vec<Database>,
    /// The snapshot that the event is about, by its database's resource id.
    pub(crate) snapshots: BTreeMap<String, String>,
    /// Sentences about events of which nothing can be copied.
    pub(crate) said: Vec<String>,
}

/// Looks up each snapshot, and its database: two calls for each, however many databases there are.
pub(crate) async fn resolve(deployment: &Deployment, events: &Events) -> Result<Resolved, Error> {
    let mut resolved = Resolved {
        said: events.nothing.clone(),
        ..Resolved::default()
    };
    for event in &events.snapshots {
        match database_of(deployment, event).await? {
            Ok(database) => {
                // Of several snapshots of a database the last one is the newest.
                resolved
                    .snapshots
                    .insert(database.resource_id.clone(), event.id.clone());
                let is_known = |known: &Database| known.resource_id == database.resource_id;
                if !resolved.databases.iter().any(is_known) {
                    resolved.databases.push(database);
                }
            }
            Err(sentence) => resolved.said.push(sentence),
        }
    }
    Ok(resolved)
}

/// The database of a snapshot, or why there is nothing to copy.
async fn database_of(deployment: &Deployment, event: &EventSnapshot) -> Result<Result<Database, String>, Error> {
    let EventSnapshot {
        kind,
        id,
        snapshot_type,
    } = event;
    let (source, region) = (&deployment.source, &deployment.settings.source_region);
    let Some(snapshot) = source.snapshot(*kind, id, snapshot_type).await? else {
        return Ok(Err(format!(
            "the {snapshot_type} {kind} snapshot {id} that the event names is not in {region}: it has expired or was \
             deleted, and there is nothing to copy. The next whole run takes the newest one that there is"
        )));
    };
    let database = match &snapshot.resource_id {
        Some(resource_id) => source.database(*kind, resource_id).await?,
        // The API models of DocumentDB and Neptune have no resource id of a snapshot.
        None => source.database_named(*kind, &snapshot.database_id).await?,
    };
    Ok(match database {
        Some(database) => match &database.member_of {
            Some(cluster) => Err(format!(
                "{} is a member of the cluster {cluster}, which is copied as a whole: nothing is copied for {id}",
                database.id
            )),
            None => Ok(database),
        },
        None => Err(format!(
            "the {kind} {} that the snapshot {id} of the event was taken of no longer exists in {region}: nothing is \
             copied",
            snapshot.database_id
        )),
    })
}
