//! Databases deleted by a call: what is refused, and what is left of them.

use crate::authorization::Question;
use crate::error::ApiError;
use crate::life::Stage;
use crate::model::{Database, Kind, Region};
use crate::operations::restore::identifier_of;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// The parameters of `DeleteDBInstance`.
pub(super) const INSTANCE: &[&str] = &[
    "DBInstanceIdentifier",
    "SkipFinalSnapshot",
    "FinalDBSnapshotIdentifier",
    "DeleteAutomatedBackups",
];
/// The parameters of `DeleteDBCluster`.
pub(super) const CLUSTER: &[&str] = &[
    "DBClusterIdentifier",
    "SkipFinalSnapshot",
    "FinalDBSnapshotIdentifier",
    "DeleteAutomatedBackups",
];

impl Simulator {
    /// `DeleteDBInstance`, `DeleteDBCluster`.
    ///
    /// The order of the checks is a guess, and so are all texts but those of a second deletion, of a cluster with members
    /// and of a final snapshot that cannot be taken.
    pub(crate) fn delete_database(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let id = request.required(identifier_of(kind))?.to_ascii_lowercase();
        let skips_snapshot = request.boolean("SkipFinalSnapshot")?;
        let deletes_backups =
            request.get("DeleteAutomatedBackups").is_none() || request.boolean("DeleteAutomatedBackups")?;
        let final_snapshot = request
            .get("FinalDBSnapshotIdentifier")
            .map(|_| request.new_identifier("FinalDBSnapshotIdentifier", kind.longest_snapshot_id()))
            .transpose()?;
        self.region(&request.region);
        self.authorize_deletion(call, kind, &id, final_snapshot.as_deref())?;
        let region = &self.regions[&request.region];
        let database = region.databases[kind]
            .get(&id)
            .ok_or_else(|| ApiError::database_not_found(kind, &id))?;
        self.check_deletion(region, database)?;
        match (skips_snapshot, &final_snapshot) {
            (true, Some(_)) => {
                return Err(ApiError::invalid_combination(
                    "FinalDBSnapshotIdentifier cannot be specified when SkipFinalSnapshot is true.",
                ));
            }
            (false, None) => {
                return Err(ApiError::invalid_combination(
                    "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is true.",
                ));
            }
            (true, None) => {}
            (false, Some(snapshot)) => {
                check_final_snapshot(region, database, snapshot)?;
                self.check_quota(&request.region, kind)?;
                self.begin_snapshot(&request.region, kind, &id, snapshot, None);
            }
        }
        let usual = self.settings.databases.deleting_seconds;
        let mut seconds = usual;
        if let Some(database) = self.region(&request.region).databases[kind].get_mut(&id) {
            database.life.keeps_backups = Some(!deletes_backups);
            seconds = database.life.deleting_seconds.unwrap_or(usual);
        }
        self.begin_work(&request.region, kind, &id, vec![Stage::new("deleting", seconds)]);
        Ok(self.one_database(call, kind, &id))
    }

    fn check_deletion(&self, region: &Region, database: &Database) -> Result<(), ApiError> {
        let (kind, id) = (database.kind, &database.id);
        match (database.status.as_str(), kind) {
            ("deleting", Kind::Instance) => Err(ApiError::database_state(
                kind,
                format!("Instance {id} is already being deleted."),
            )),
            ("deleting", Kind::Cluster) => Err(ApiError::database_state(
                kind,
                format!("Cluster {id} is already being deleted."),
            )),
            ("creating", _) if !self.settings.databases.deletable_while_creating => Err(ApiError::database_state(
                kind,
                format!("{id} is not in the available state: creating"),
            )),
            ("stopped", Kind::Cluster) => Err(ApiError::database_state(
                kind,
                format!("{id} is stopped: a stopped cluster cannot be deleted."),
            )),
            _ if database.own.deletion_protection => Err(ApiError::invalid_combination(format!(
                "{id} is protected against deletion."
            ))),
            (_, Kind::Cluster) if has_members(region, id) => Err(ApiError::database_state(
                kind,
                "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
            )),
            _ => Ok(()),
        }
    }

    /// The action on the database; that of a cluster also asks for its final snapshot, whether or not one is taken.
    fn authorize_deletion(
        &self,
        call: &Call<'_>,
        kind: Kind,
        id: &str,
        final_snapshot: Option<&str>,
    ) -> Result<(), ApiError> {
        let region = &self.regions[&call.request.region];
        let action = call.operation.action();
        call.rights.require(&Question {
            resource_tags: region.databases[kind].get(id).map(|database| &database.tags),
            ..Question::new(&action, &region.arn(kind.database_type(), id), &region.name)
        })?;
        let asks = final_snapshot.is_some() || self.settings.databases.cluster_deletion_needs_snapshot_right;
        if kind == Kind::Cluster && asks {
            // Which name AWS asks for when no snapshot is taken, nobody knows: any that begins with the cluster's.
            let name = final_snapshot.map_or_else(|| format!("{id}-final"), str::to_owned);
            call.rights
                .require(&Question::new(&action, &region.snapshot_arn(kind, &name), &region.name))?;
        }
        Ok(())
    }
}

fn has_members(region: &Region, cluster: &str) -> bool {
    region.databases[Kind::Instance]
        .values()
        .any(|instance| instance.cluster.as_deref() == Some(cluster) && instance.status != "deleting")
}

fn check_final_snapshot(region: &Region, database: &Database, snapshot: &str) -> Result<(), ApiError> {
    let kind = database.kind;
    if database.cluster.is_some() {
        return Err(ApiError::invalid_combination(
            "A member of a DB cluster has no snapshot of its own.",
        ));
    }
    if database.status != "available" {
        let what = match kind {
            Kind::Instance => "database instance",
            Kind::Cluster => "database cluster",
        };
        return Err(ApiError::database_state(
            kind,
            format!(
                "Cannot create a snapshot because the {what} {} is not currently in the available state.",
                database.id
            ),
        ));
    }
    if region.snapshots[kind].contains_key(snapshot) {
        return Err(ApiError::snapshot_exists(kind, snapshot));
    }
    Ok(())
}
