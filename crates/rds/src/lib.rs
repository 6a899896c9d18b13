//! The gateway to RDS in one region: the only place that knows SDK types and how each kind is spelled.

/// Lists all pages of a call, each item converted on arrival, so that one page at a time is held.
macro_rules! collect_pages {
    ($call:expr, $convert:expr) => {{
        let mut items = $call.into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            found.extend($convert(item.map_err(codes::error)?));
        }
        found
    }};
}

pub mod codes;
pub mod convert;
pub mod presign;
pub mod restorability;
pub mod restore;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_rds::Client;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rds::operation::describe_db_cluster_snapshots::builders::DescribeDBClusterSnapshotsFluentBuilder;
use aws_sdk_rds::types::{Filter, GlobalCluster, Tag};
use convert::{cluster, cluster_snapshot, instance, instance_snapshot, option_group, without_details};
use domain::error::{Error, Refusal};
use domain::kind::DatabaseKind;
use domain::restore_settings::{RestoreSettings, Setting};
use domain::snapshot::{Database, OptionGroup, Snapshot};
use domain::tags;
use jiff::Timestamp;

use crate::presign::Presigner;

/// How long a client waits for a connection: nobody should have to wait for a lost region.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one attempt of a call may take. Three of them stay below the timeout of a function, so that a slow region
/// surfaces under our error name instead of Lambda's.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// RDS in one region.
#[derive(Debug, Clone)]
pub struct Rds {
    client: Client,
    region: String,
    presigner: Option<Presigner>,
}

/// Which snapshots to list.
#[derive(Debug, Clone, Copy)]
pub enum SnapshotQuery<'a> {
    /// Those of one database, by its resource id, of one type (`automated` or `manual`). Of a snapshot that has no
    /// resource id, as those of `DocumentDB` and Neptune in their API models, the database's name must be the same.
    OfDatabase {
        /// `DbiResourceId` or `DbClusterResourceId`.
        resource_id: &'a str,
        /// The database's identifier at present.
        database_id: &'a str,
        /// `automated` or `manual`.
        snapshot_type: &'a str,
    },
    /// Manual ones of databases of these names. By filter: the identifier argument must match an existing
    /// database, and in the destination region there is none.
    ManualOfNames(&'a [String]),
    /// The one with this identifier. RDS wants the type to be named for automated ones.
    Named {
        /// The snapshot's identifier.
        id: &'a str,
        /// `automated` or `manual`.
        snapshot_type: &'a str,
    },
}

impl SnapshotQuery<'_> {
    /// Whether a snapshot is one that was asked for. An API may ignore a parameter that it does not know, and answer with
    /// the snapshots of every database.
    fn matches(&self, snapshot: &Snapshot) -> bool {
        match self {
            Self::OfDatabase {
                resource_id,
                database_id,
                snapshot_type,
            } => {
                let is_of_database = match &snapshot.resource_id {
                    Some(id) => id == resource_id,
                    None => snapshot.database_id == *database_id,
                };
                is_of_database && snapshot.snapshot_type == *snapshot_type
            }
            Self::ManualOfNames(names) => snapshot.snapshot_type == "manual" && names.contains(&snapshot.database_id),
            Self::Named { id, snapshot_type } => snapshot.id == *id && snapshot.snapshot_type == *snapshot_type,
        }
    }

    /// A snapshot of the answer, if it was asked for. Only who asks for one snapshot gets all of its tags.
    fn take(&self, found: Option<Snapshot>) -> Option<Snapshot> {
        let mut snapshot = found.filter(|snapshot| self.matches(snapshot))?;
        if !matches!(self, Self::Named { .. }) {
            tags::retain_ours(&mut snapshot.tags);
            snapshot.settings = RestoreSettings::default();
        }
        Some(snapshot)
    }
}

/// What a copy is asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRequest {
    /// Of an instance or of a cluster.
    pub kind: DatabaseKind,
    /// ARN of the snapshot to copy.
    pub source_arn: String,
    /// Identifier of the copy.
    pub id: String,
    /// ARN of a key of the destination region, or of an alias; none for an unencrypted cluster.
    pub kms_key_arn: Option<String>,
    /// Option group of the destination region, for the copy of an instance.
    pub option_group: Option<String>,
    /// Whether a pre-signed URL must go with it.
    pub presigned: bool,
    /// All tags of the copy.
    pub tags: BTreeMap<String, String>,
}

/// Each snapshot once. A listing that changes between two of its pages may name one twice; the later answer is nearer to the
/// truth.
fn each_once(found: Vec<Snapshot>) -> Vec<Snapshot> {
    let by_arn: BTreeMap<String, Snapshot> = found
        .into_iter()
        .map(|snapshot| (snapshot.arn.clone(), snapshot))
        .collect();
    by_arn.into_values().collect()
}

impl Rds {
    /// RDS in `region`, through `client`, which must be of that region.
    #[must_use]
    pub fn new(client: Client, region: impl Into<String>) -> Self {
        Self {
            client,
            region: region.into(),
            presigner: None,
        }
    }

    /// The same, able to send a pre-signed URL with a copy.
    #[must_use]
    pub fn presigning(self, presigner: Presigner) -> Self {
        Self {
            presigner: Some(presigner),
            ..self
        }
    }

    /// The region's code.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Every database of a kind, without its settings and without tags that are none of ours. Members of clusters appear
    /// among the instances: see [`Database::member_of`].
    pub async fn databases(&self, kind: DatabaseKind) -> Result<Vec<Database>, Error> {
        let instance = |found| without_details(instance(found));
        let cluster = |found| without_details(cluster(found));
        Ok(match kind {
            DatabaseKind::Instance => collect_pages!(self.client.describe_db_instances(), instance),
            DatabaseKind::Cluster => collect_pages!(self.client.describe_db_clusters(), cluster),
        })
    }

    /// The database with this resource id, if it still exists.
    pub async fn database(&self, kind: DatabaseKind, resource_id: &str) -> Result<Option<Database>, Error> {
        let name = match kind {
            DatabaseKind::Instance => "dbi-resource-id",
            DatabaseKind::Cluster => "db-cluster-resource-id",
        };
        let found = self.databases_of(kind, filter(name, [resource_id])).await?;
        Ok(found.into_iter().find(|database| database.resource_id == resource_id))
    }

    /// The database that has this identifier at present. A name is reused: where a resource id is known, ask by that.
    pub async fn database_named(&self, kind: DatabaseKind, id: &str) -> Result<Option<Database>, Error> {
        let name = match kind {
            DatabaseKind::Instance => "db-instance-id",
            DatabaseKind::Cluster => "db-cluster-id",
        };
        let found = self.databases_of(kind, filter(name, [id])).await?;
        Ok(found.into_iter().find(|database| database.id == id))
    }

    /// The databases of a kind that pass a filter. Whether RDS answers a filter that none passes with an empty list or
    /// with an error is documented nowhere, so both count.
    async fn databases_of(&self, kind: DatabaseKind, filter: Filter) -> Result<Vec<Database>, Error> {
        let found = async || -> Result<Vec<Database>, Error> {
            Ok(match kind {
                DatabaseKind::Instance => {
                    collect_pages!(self.client.describe_db_instances().filters(filter), instance)
                }
                DatabaseKind::Cluster => collect_pages!(self.client.describe_db_clusters().filters(filter), cluster),
            })
        };
        empty_if_none(found().await)
    }

    /// The members of a cluster, by name.
    pub async fn members(&self, cluster_id: &str) -> Result<Vec<Database>, Error> {
        let filter = filter("db-cluster-id", [cluster_id]);
        let mut members = self.databases_of(DatabaseKind::Instance, filter).await?;
        members.retain(|member| member.member_of.as_deref() == Some(cluster_id));
        members.sort_by(|a: &Database, b| a.id.cmp(&b.id));
        Ok(members)
    }

    /// The snapshots of a kind that `which` selects, each once, in no order: those that were asked for and no others,
    /// whatever RDS answers.
    ///
    /// Of many snapshots only our own tags are kept, and not their settings.
    pub async fn snapshots(&self, kind: DatabaseKind, which: SnapshotQuery<'_>) -> Result<Vec<Snapshot>, Error> {
        match (kind, which) {
            (DatabaseKind::Instance, _) => self.instance_snapshots(which).await,
            (
                DatabaseKind::Cluster,
                SnapshotQuery::OfDatabase {
                    resource_id,
                    database_id,
                    snapshot_type,
                },
            ) => {
                let by_resource_id = self
                    .client
                    .describe_db_cluster_snapshots()
                    .db_cluster_resource_id(resource_id)
                    .snapshot_type(snapshot_type);
                // The API models of DocumentDB and Neptune have no such parameter, so there it may be refused, or find
                // nothing: then by name.
                match self.cluster_snapshots(by_resource_id, which).await {
                    Ok(found) if !found.is_empty() => Ok(found),
                    Err(error) if !codes::is_refused_parameter(&error) => Err(error),
                    Ok(_) | Err(_) => {
                        let by_name = self
                            .client
                            .describe_db_cluster_snapshots()
                            .filters(filter("db-cluster-id", [database_id]))
                            .snapshot_type(snapshot_type);
                        self.cluster_snapshots(by_name, which).await
                    }
                }
            }
            (DatabaseKind::Cluster, SnapshotQuery::ManualOfNames(names)) => {
                let call = self.client.describe_db_cluster_snapshots();
                let call = call.filters(filter("db-cluster-id", names)).snapshot_type("manual");
                self.cluster_snapshots(call, which).await
            }
            (DatabaseKind::Cluster, SnapshotQuery::Named { id, snapshot_type }) => {
                let call = self.client.describe_db_cluster_snapshots();
                let call = call.filters(filter("db-cluster-snapshot-id", [id]));
                self.cluster_snapshots(call.snapshot_type(snapshot_type), which).await
            }
        }
    }

    async fn instance_snapshots(&self, which: SnapshotQuery<'_>) -> Result<Vec<Snapshot>, Error> {
        let call = self.client.describe_db_snapshots();
        let call = match which {
            SnapshotQuery::OfDatabase {
                resource_id,
                snapshot_type,
                ..
            } => call.dbi_resource_id(resource_id).snapshot_type(snapshot_type),
            SnapshotQuery::ManualOfNames(names) => {
                call.filters(filter("db-instance-id", names)).snapshot_type("manual")
            }
            SnapshotQuery::Named { id, snapshot_type } => call
                .filters(filter("db-snapshot-id", [id]))
                .snapshot_type(snapshot_type),
        };
        Ok(each_once(
            collect_pages!(call, |found| which.take(instance_snapshot(found)))
        ))
    }

    async fn cluster_snapshots(
        &self,
        call: DescribeDBClusterSnapshotsFluentBuilder,
        which: SnapshotQuery<'_>,
    ) -> Result<Vec<Snapshot>, Error> {
        Ok(each_once(
            collect_pages!(call, |found| which.take(cluster_snapshot(found)))
        ))
    }

    /// What `keep` makes of each manual snapshot of a kind, in no order, with those of its settings alone on which it depends
    /// whether it can be restored. There may be tens of thousands, so each is let go before the next page comes.
    pub async fn scan_manual_snapshots<T>(
        &self,
        kind: DatabaseKind,
        keep: impl Fn(Snapshot) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let keep = |mut snapshot: Snapshot| {
            let settings = &mut snapshot.settings;
            settings.retain(|setting, _| matches!(setting, Setting::License | Setting::Storage));
            keep(snapshot)
        };
        Ok(match kind {
            DatabaseKind::Instance => {
                let call = self.client.describe_db_snapshots().snapshot_type("manual");
                collect_pages!(call, |found| instance_snapshot(found).and_then(&keep))
            }
            DatabaseKind::Cluster => {
                let call = self.client.describe_db_cluster_snapshots().snapshot_type("manual");
                collect_pages!(call, |found| cluster_snapshot(found).and_then(&keep))
            }
        })
    }

    /// What `keep` makes of each automated snapshot of these databases of a kind, in no order; an API that overlooks the
    /// filter answers with those of others. Instances are asked for by resource id, which a rename does not change;
    /// clusters can be asked for by name only.
    pub async fn scan_automated_snapshots<T>(
        &self,
        kind: DatabaseKind,
        databases: &[&Database],
        keep: impl Fn(Snapshot) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let databases = databases.iter();
        Ok(match kind {
            DatabaseKind::Instance => {
                let ids = databases.map(|database| database.resource_id.as_str());
                let call = self.client.describe_db_snapshots().snapshot_type("automated");
                let call = call.filters(filter("dbi-resource-id", ids));
                collect_pages!(call, |found| instance_snapshot(found).and_then(&keep))
            }
            DatabaseKind::Cluster => {
                let names = databases.map(|database| database.id.as_str());
                let call = self.client.describe_db_cluster_snapshots().snapshot_type("automated");
                let call = call.filters(filter("db-cluster-id", names));
                collect_pages!(call, |found| cluster_snapshot(found).and_then(&keep))
            }
        })
    }

    /// The snapshot of that identifier, if it exists. Whether RDS answers an unknown one with an empty list or
    /// with an error is documented nowhere, so both count.
    pub async fn snapshot(&self, kind: DatabaseKind, id: &str, snapshot_type: &str) -> Result<Option<Snapshot>, Error> {
        match self.snapshots(kind, SnapshotQuery::Named { id, snapshot_type }).await {
            Ok(found) => Ok(found.into_iter().find(|snapshot| snapshot.id == id)),
            Err(Error::SnapshotNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for a copy; called in the destination region, the snapshot is named by its ARN.
    ///
    /// `CopyTags` stays off: with it, RDS refuses sources that carry `aws:` tags, and ignores it beside `Tags`.
    pub async fn copy(&self, request: &CopyRequest, now: Timestamp) -> Result<Snapshot, Error> {
        let presigned_url = match &self.presigner {
            Some(presigner) if request.presigned => Some(presigner.url(request, &self.region, now.into()).await?),
            _ => None,
        };
        let copy = match request.kind {
            DatabaseKind::Instance => self
                .client
                .copy_db_snapshot()
                .source_db_snapshot_identifier(&request.source_arn)
                .target_db_snapshot_identifier(&request.id)
                .set_kms_key_id(request.kms_key_arn.clone())
                .set_option_group_name(request.option_group.clone())
                .set_tags(Some(sdk_tags(&request.tags)))
                .copy_tags(false)
                .set_pre_signed_url(presigned_url)
                .send()
                .await
                .map_err(|error| copy_error(request, error))?
                .db_snapshot
                .and_then(instance_snapshot),
            DatabaseKind::Cluster => self
                .client
                .copy_db_cluster_snapshot()
                .source_db_cluster_snapshot_identifier(&request.source_arn)
                .target_db_cluster_snapshot_identifier(&request.id)
                .set_kms_key_id(request.kms_key_arn.clone())
                .set_tags(Some(sdk_tags(&request.tags)))
                .copy_tags(false)
                .set_pre_signed_url(presigned_url)
                .send()
                .await
                .map_err(|error| copy_error(request, error))?
                .db_cluster_snapshot
                .and_then(cluster_snapshot),
        };
        copy.ok_or_else(|| Error::RdsError {
            refusal: Refusal::without_code(format!(
                "no snapshot in the answer to the copy of {}",
                request.source_arn
            )),
        })
    }

    /// Sets one tag of a snapshot.
    pub async fn tag(&self, snapshot_arn: &str, key: &str, value: &str) -> Result<(), Error> {
        let tag = Tag::builder().key(key).value(value).build();
        self.client
            .add_tags_to_resource()
            .resource_name(snapshot_arn)
            .tags(tag)
            .send()
            .await
            .map_err(codes::error)?;
        Ok(())
    }

    /// Deletes a snapshot; one that is gone already is deleted.
    pub async fn delete(&self, kind: DatabaseKind, id: &str) -> Result<(), Error> {
        let deleted = match kind {
            DatabaseKind::Instance => self
                .client
                .delete_db_snapshot()
                .db_snapshot_identifier(id)
                .send()
                .await
                .map(drop)
                .map_err(codes::error),
            DatabaseKind::Cluster => self
                .client
                .delete_db_cluster_snapshot()
                .db_cluster_snapshot_identifier(id)
                .send()
                .await
                .map(drop)
                .map_err(codes::error),
        };
        match deleted {
            Err(Error::SnapshotNotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Every option group that somebody made. Those that RDS made (`default:...`) have no options.
    pub async fn option_groups(&self) -> Result<Vec<OptionGroup>, Error> {
        Ok(collect_pages!(self.client.describe_option_groups(), option_group))
    }

    /// The option group of this name, if there is one.
    pub async fn option_group(&self, name: &str) -> Result<Option<OptionGroup>, Error> {
        let asked = async || -> Result<Vec<OptionGroup>, Error> {
            let call = self.client.describe_option_groups().option_group_name(name);
            Ok(collect_pages!(call, option_group))
        };
        match asked().await {
            Ok(found) => Ok(found.into_iter().find(|group| group.name.eq_ignore_ascii_case(name))),
            Err(Error::OptionGroupMissing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// ARN of the cluster that is written to, by the global database that it belongs to.
    pub async fn global_writers(&self) -> Result<BTreeMap<String, String>, Error> {
        let writers: Vec<_> = collect_pages!(self.client.describe_global_clusters(), global_writer);
        Ok(writers.into_iter().collect())
    }

    /// The same for one global database.
    pub async fn writer_of_global(&self, global_id: &str) -> Result<BTreeMap<String, String>, Error> {
        let call = self.client.describe_global_clusters();
        let call = call.global_cluster_identifier(global_id);
        let writers: Vec<_> = collect_pages!(call, global_writer);
        Ok(writers.into_iter().filter(|(global, _)| global == global_id).collect())
    }
}

/// A global database, and ARN of the cluster that is written to.
fn global_writer(global: GlobalCluster) -> Option<(String, String)> {
    let members = global.global_cluster_members.unwrap_or_default();
    let writer = members.into_iter().find(|member| member.is_writer == Some(true))?;
    Some((global.global_cluster_identifier?, writer.db_cluster_arn?))
}

/// The refusal of a copy. Only here is it known which name is taken.
fn copy_error<E>(request: &CopyRequest, error: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    if error.code().is_some_and(codes::is_name_taken) {
        return Error::NameTaken {
            copy: request.id.clone(),
        };
    }
    codes::error(error)
}

/// Nothing, where RDS says that there is none: whether it answers a filter that none passes with an empty list or with an
/// error is documented nowhere.
fn empty_if_none<T>(found: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match found {
        Err(error) if codes::is_no_database(&error) => Ok(Vec::new()),
        found => found,
    }
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

fn filter<T: Into<String>>(name: &str, values: impl IntoIterator<Item = T>) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.into_iter().map(Into::into).collect()))
        .build()
}

#[cfg(test)]
mod tests;
