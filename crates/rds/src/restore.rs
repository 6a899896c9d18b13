//! Databases that drills make of copies: made, looked at and deleted.

use std::collections::BTreeMap;

use aws_sdk_rds::types::{
    DbCluster, DbClusterAutomatedBackup, DbClusterSnapshot, DbInstance, DbInstanceAutomatedBackup, DbSnapshot, Event,
    MasterUserSecret, SourceType,
};
use domain::drill::Description;
use domain::drill_database::DrillDatabase;
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::rds_rules::is_aurora;
use domain::snapshot::Snapshot;
use jiff::Timestamp;

use crate::convert::{cluster_snapshot, instance_snapshot, tags_of, timestamp};
use crate::{Rds, SnapshotQuery, codes, empty_if_none, filter, sdk_tags};

/// Keeps a database out of Extended Support, which bills by the hour: an engine past its support is upgraded later, after
/// the drill is over.
const NO_EXTENDED_SUPPORT: &str = "open-source-rds-extended-support-disabled";

/// Most minutes for which RDS keeps events (14 days).
const MAX_EVENT_MINUTES: i64 = 14 * 24 * 60;

/// What a drill database is asked for with. What it does not say is as RDS has it, or the same for every drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// Of an instance or of a cluster.
    pub kind: DatabaseKind,
    /// Identifier of the copy.
    pub copy_id: String,
    /// Identifier of the database.
    pub id: String,
    /// What the copy is: a cluster has to be asked for in its engine and version.
    pub copy: Description,
    /// Class of an instance.
    pub class: Option<String>,
    /// Storage type; none leaves the copy's.
    pub storage_type: Option<String>,
    /// Option group, where the copy has permanent options.
    pub option_group: Option<String>,
    /// Subnet group.
    pub subnet_group: String,
    /// The one security group.
    pub security_group: String,
    /// All tags of the database.
    pub tags: BTreeMap<String, String>,
}

/// A database that is named like a drill's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// Its identifier.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its resource id.
    pub resource_id: String,
    /// Status, as RDS spells it.
    pub status: String,
    /// When RDS made it. Absent while it is being made.
    pub created_at: Option<Timestamp>,
    /// All of its tags.
    pub tags: BTreeMap<String, String>,
    /// What it is.
    pub description: Description,
    /// The cluster that an instance is a member of.
    pub member_of: Option<String>,
    /// Whether its cluster, or it itself, can be reached from outside. RDS does not say so of clusters.
    pub is_public: bool,
    /// Whether deleting it is refused.
    pub is_protected: bool,
    /// Host name and port, once there are any.
    pub endpoint: Option<(String, i32)>,
    /// The secret with the password that RDS manages, if it does, and whether it can be used.
    pub secret: Option<Secret>,
}

impl Restored {
    /// What its name and its tags say of it, as a drill database.
    #[must_use]
    pub fn mark(&self) -> DrillDatabase<'_> {
        DrillDatabase {
            id: &self.id,
            tags: &self.tags,
            created_at: self.created_at,
        }
    }
}

/// A secret with the master user's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its ARN.
    pub arn: String,
    /// Whether it can be used already.
    pub is_active: bool,
}

/// What RDS said had happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseEvent {
    /// When.
    pub at: Option<Timestamp>,
    /// What, in RDS's words.
    pub message: String,
    /// Whether RDS files it under its category `failure`.
    pub is_failure: bool,
}

impl Rds {
    /// The copy of this identifier, with all of its tags, and what it is; nothing if there is no such manual snapshot.
    pub async fn copy_to_restore(
        &self,
        kind: DatabaseKind,
        id: &str,
    ) -> Result<Option<(Snapshot, Description)>, Error> {
        let found = match kind {
            DatabaseKind::Instance => {
                let call = self.client.describe_db_snapshots();
                let call = call.filters(filter("db-snapshot-id", [id])).snapshot_type("manual");
                let described = |found: DbSnapshot| {
                    let description = of_instance_snapshot(&found);
                    Some((instance_snapshot(found)?, description))
                };
                collect_pages!(call, described)
            }
            DatabaseKind::Cluster => {
                let call = self.client.describe_db_cluster_snapshots();
                let call = call
                    .filters(filter("db-cluster-snapshot-id", [id]))
                    .snapshot_type("manual");
                let described = |found: DbClusterSnapshot| {
                    let description = of_cluster_snapshot(&found);
                    Some((cluster_snapshot(found)?, description))
                };
                collect_pages!(call, described)
            }
        };
        let which = SnapshotQuery::Named {
            id,
            snapshot_type: "manual",
        };
        Ok(found.into_iter().find(|(snapshot, _)| which.matches(snapshot)))
    }

    /// Asks for a drill database. A cluster has no instance until [`Rds::create_member`] makes one.
    pub async fn restore(&self, request: &RestoreRequest) -> Result<(), Error> {
        match request.kind {
            DatabaseKind::Instance => self.restore_instance(request).await,
            DatabaseKind::Cluster => self.restore_cluster(request).await,
        }
    }

    async fn restore_instance(&self, request: &RestoreRequest) -> Result<(), Error> {
        let call = self
            .client
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier(&request.id)
            .db_snapshot_identifier(&request.copy_id)
            .set_db_instance_class(request.class.clone())
            .set_storage_type(request.storage_type.clone())
            .set_license_model(request.copy.license.clone())
            .set_option_group_name(request.option_group.clone())
            .set_engine_lifecycle_support(lifecycle(&request.copy.engine))
            .db_subnet_group_name(&request.subnet_group)
            .vpc_security_group_ids(&request.security_group)
            .publicly_accessible(false)
            .multi_az(false)
            .deletion_protection(false)
            .auto_minor_version_upgrade(false)
            .copy_tags_to_snapshot(false)
            // Or else RDS backs it up as soon as it is there, which can take hours.
            .backup_retention_period(0)
            .set_tags(Some(sdk_tags(&request.tags)));
        call.send().await.map(drop).map_err(codes::database_error)
    }

    async fn restore_cluster(&self, request: &RestoreRequest) -> Result<(), Error> {
        let call = self
            .client
            .restore_db_cluster_from_snapshot()
            .db_cluster_identifier(&request.id)
            .snapshot_identifier(&request.copy_id)
            .engine(&request.copy.engine)
            // Or else it gets the default version of the region.
            .engine_version(&request.copy.engine_version)
            .set_engine_lifecycle_support(lifecycle(&request.copy.engine))
            .db_subnet_group_name(&request.subnet_group)
            .vpc_security_group_ids(&request.security_group)
            .deletion_protection(false)
            .copy_tags_to_snapshot(false)
            .set_tags(Some(sdk_tags(&request.tags)));
        // Of these two the cluster is not reached from outside unless it is asked for; IAM cannot say so, and neither do
        // the models of DocumentDB and Neptune know the parameter.
        let call = if is_aurora(&request.copy.engine) {
            call.publicly_accessible(false).backup_retention_period(1)
        } else {
            call
        };
        call.send().await.map(drop).map_err(codes::database_error)
    }

    /// Asks for the one instance of a drill cluster.
    pub async fn create_member(
        &self,
        cluster: &str,
        id: &str,
        engine: &str,
        class: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let call = self
            .client
            .create_db_instance()
            .db_instance_identifier(id)
            .db_cluster_identifier(cluster)
            .engine(engine)
            .db_instance_class(class)
            .publicly_accessible(false)
            .auto_minor_version_upgrade(false)
            .set_tags(Some(sdk_tags(tags)));
        call.send().await.map(drop).map_err(codes::database_error)
    }

    /// The database of this identifier, if there is one.
    pub async fn restored(&self, kind: DatabaseKind, id: &str) -> Result<Option<Restored>, Error> {
        let found = async || -> Result<Vec<Restored>, Error> {
            Ok(match kind {
                DatabaseKind::Instance => {
                    let call = self.client.describe_db_instances();
                    collect_pages!(call.filters(filter("db-instance-id", [id])), restored_instance)
                }
                DatabaseKind::Cluster => {
                    let call = self.client.describe_db_clusters();
                    collect_pages!(call.filters(filter("db-cluster-id", [id])), restored_cluster)
                }
            })
        };
        let found = empty_if_none(found().await)?;
        Ok(found.into_iter().find(|database| database.id == id))
    }

    /// Every database of both kinds whose identifier begins with `prefix`.
    pub async fn restored_named(&self, prefix: &str) -> Result<Vec<Restored>, Error> {
        let is_ours = |found: Option<Restored>| found.filter(|database| database.id.starts_with(prefix));
        let instances = async || -> Result<Vec<Restored>, Error> {
            Ok(collect_pages!(self.client.describe_db_instances(), |found| is_ours(
                restored_instance(found)
            )))
        };
        let clusters = async || -> Result<Vec<Restored>, Error> {
            Ok(collect_pages!(self.client.describe_db_clusters(), |found| is_ours(
                restored_cluster(found)
            )))
        };
        let mut found = instances().await?;
        found.extend(clusters().await?);
        Ok(found)
    }

    /// Has RDS make a password of its own for the master user, and keep it in a secret.
    pub async fn manage_password(&self, kind: DatabaseKind, id: &str) -> Result<(), Error> {
        self.modify(kind, id, Some(true), None).await
    }

    /// Takes the protection against deletion away.
    pub async fn unprotect(&self, kind: DatabaseKind, id: &str) -> Result<(), Error> {
        self.modify(kind, id, None, Some(false)).await
    }

    /// Changes what is given, at once.
    async fn modify(
        &self,
        kind: DatabaseKind,
        id: &str,
        managed_password: Option<bool>,
        protection: Option<bool>,
    ) -> Result<(), Error> {
        match kind {
            DatabaseKind::Instance => {
                let call = self.client.modify_db_instance().db_instance_identifier(id);
                let call = call.set_manage_master_user_password(managed_password);
                let call = call.set_deletion_protection(protection).apply_immediately(true);
                call.send().await.map(drop).map_err(codes::database_error)
            }
            DatabaseKind::Cluster => {
                let call = self.client.modify_db_cluster().db_cluster_identifier(id);
                let call = call.set_manage_master_user_password(managed_password);
                let call = call.set_deletion_protection(protection).apply_immediately(true);
                call.send().await.map(drop).map_err(codes::database_error)
            }
        }
    }

    /// Deletes a database and its automated backups, without a last snapshot. One that is gone already is deleted.
    pub async fn delete_database(&self, kind: DatabaseKind, id: &str) -> Result<(), Error> {
        let deleted = match kind {
            DatabaseKind::Instance => {
                let call = self.client.delete_db_instance().db_instance_identifier(id);
                let call = call.skip_final_snapshot(true).delete_automated_backups(true);
                call.send().await.map(drop).map_err(codes::database_error)
            }
            DatabaseKind::Cluster => {
                let call = self.client.delete_db_cluster().db_cluster_identifier(id);
                let call = call.skip_final_snapshot(true).delete_automated_backups(true);
                call.send().await.map(drop).map_err(codes::database_error)
            }
        };
        match deleted {
            Err(error) if codes::is_no_database(&error) => Ok(()),
            other => other,
        }
    }

    /// Whether RDS still keeps automated backups of a database of this identifier.
    pub async fn keeps_backups(&self, kind: DatabaseKind, id: &str) -> Result<bool, Error> {
        let found = async || -> Result<Vec<String>, Error> {
            Ok(match kind {
                DatabaseKind::Instance => {
                    let call = self.client.describe_db_instance_automated_backups();
                    let name = |backup: DbInstanceAutomatedBackup| backup.db_instance_identifier;
                    collect_pages!(call.filters(filter("db-instance-id", [id])), name)
                }
                DatabaseKind::Cluster => {
                    let call = self.client.describe_db_cluster_automated_backups();
                    let name = |backup: DbClusterAutomatedBackup| backup.db_cluster_identifier;
                    collect_pages!(call.filters(filter("db-cluster-id", [id])), name)
                }
            })
        };
        let found = empty_if_none(found().await)?;
        Ok(found.iter().any(|name| name == id))
    }

    /// What happened to a database since a time, the earliest first.
    pub async fn events(
        &self,
        kind: DatabaseKind,
        id: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DatabaseEvent>, Error> {
        let minutes = now.duration_since(since).as_mins() + 1;
        let minutes = i32::try_from(minutes.clamp(1, MAX_EVENT_MINUTES)).unwrap_or(1);
        let source_type = match kind {
            DatabaseKind::Instance => SourceType::DbInstance,
            DatabaseKind::Cluster => SourceType::DbCluster,
        };
        let call = self.client.describe_events().source_type(source_type);
        let call = call.source_identifier(id).duration(minutes);
        let of_database = |found: Event| {
            (found.source_identifier.as_deref() == Some(id)).then(|| DatabaseEvent {
                at: found.date.and_then(timestamp),
                message: found.message.unwrap_or_default(),
                is_failure: found
                    .event_categories
                    .unwrap_or_default()
                    .iter()
                    .any(|category| category == "failure"),
            })
        };
        let mut events: Vec<DatabaseEvent> = collect_pages!(call, of_database);
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    /// Takes a tag of a snapshot or a database away; nothing happens if it has none of that key.
    pub async fn untag(&self, arn: &str, key: &str) -> Result<(), Error> {
        let call = self.client.remove_tags_from_resource();
        let call = call.resource_name(arn).tag_keys(key);
        call.send().await.map(drop).map_err(codes::error)
    }
}

/// Only these engines have Extended Support, and the parameter.
fn lifecycle(engine: &str) -> Option<String> {
    let has_it = matches!(engine, "mysql" | "postgres") || is_aurora(engine);
    has_it.then(|| NO_EXTENDED_SUPPORT.to_owned())
}

fn of_instance_snapshot(found: &DbSnapshot) -> Description {
    Description {
        engine: found.engine.clone().unwrap_or_default(),
        engine_version: found.engine_version.clone().unwrap_or_default(),
        size_gib: found.allocated_storage,
        encrypted: found.encrypted,
        kms_key_arn: found.kms_key_id.clone(),
        master_username: found.master_username.clone(),
        license: found.license_model.clone(),
    }
}

fn of_cluster_snapshot(found: &DbClusterSnapshot) -> Description {
    Description {
        engine: found.engine.clone().unwrap_or_default(),
        engine_version: found.engine_version.clone().unwrap_or_default(),
        size_gib: None,
        encrypted: found.storage_encrypted,
        kms_key_arn: found.kms_key_id.clone(),
        master_username: found.master_username.clone(),
        license: None,
    }
}

fn restored_instance(found: DbInstance) -> Option<Restored> {
    let endpoint = found.endpoint.as_ref();
    Some(Restored {
        kind: DatabaseKind::Instance,
        id: found.db_instance_identifier?,
        arn: found.db_instance_arn.unwrap_or_default(),
        resource_id: found.dbi_resource_id.unwrap_or_default(),
        status: found.db_instance_status.unwrap_or_default(),
        created_at: found.instance_create_time.and_then(timestamp),
        tags: tags_of(found.tag_list),
        member_of: found.db_cluster_identifier,
        is_public: found.publicly_accessible.unwrap_or_default(),
        is_protected: found.deletion_protection.unwrap_or_default(),
        endpoint: endpoint.and_then(|endpoint| Some((endpoint.address.clone()?, endpoint.port?))),
        secret: found.master_user_secret.and_then(secret),
        description: Description {
            engine: found.engine.unwrap_or_default(),
            engine_version: found.engine_version.unwrap_or_default(),
            size_gib: found.allocated_storage,
            encrypted: found.storage_encrypted,
            kms_key_arn: found.kms_key_id,
            master_username: found.master_username,
            license: found.license_model,
        },
    })
}

fn restored_cluster(found: DbCluster) -> Option<Restored> {
    Some(Restored {
        kind: DatabaseKind::Cluster,
        id: found.db_cluster_identifier?,
        arn: found.db_cluster_arn.unwrap_or_default(),
        resource_id: found.db_cluster_resource_id.unwrap_or_default(),
        status: found.status.unwrap_or_default(),
        created_at: found.cluster_create_time.and_then(timestamp),
        tags: tags_of(found.tag_list),
        member_of: None,
        is_public: found.publicly_accessible.unwrap_or_default(),
        is_protected: found.deletion_protection.unwrap_or_default(),
        endpoint: found.endpoint.zip(found.port),
        secret: found.master_user_secret.and_then(secret),
        description: Description {
            engine: found.engine.unwrap_or_default(),
            engine_version: found.engine_version.unwrap_or_default(),
            size_gib: None,
            encrypted: found.storage_encrypted,
            kms_key_arn: found.kms_key_id,
            master_username: found.master_username,
            license: None,
        },
    })
}

fn secret(found: MasterUserSecret) -> Option<Secret> {
    Some(Secret {
        is_active: found.secret_status.as_deref() == Some("active"),
        arn: found.secret_arn?,
    })
}
