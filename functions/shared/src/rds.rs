//! The gateway to RDS in one region: the only place that knows SDK types and how each kind is spelled.

use std::collections::BTreeMap;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{
    self, DbCluster, DbClusterSnapshot, DbInstance, DbSnapshot, Filter, GlobalCluster, StorageEncryptionType, Tag,
};
use jiff::Timestamp;

use crate::{Database, DatabaseKind, Encryption, Error, OptionGroup, Presigner, Snapshot, tags};

/// RDS in one region.
#[derive(Debug, Clone)]
pub struct Rds {
    client: Client,
    region: String,
    presigner: Option<Presigner>,
}

/// Which snapshots to list.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Those of one database, by its resource id, of one type (`automated` or `manual`).
    OfDatabase {
        /// `DbiResourceId` or `DbClusterResourceId`.
        resource_id: &'a str,
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

/// How many manual snapshots of a kind a region holds, and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Manual snapshots that exist.
    pub used: i64,
    /// Most manual snapshots that may exist.
    pub max: i64,
}

/// Lists all pages of a call, each item converted on arrival, so that one page at a time is held.
macro_rules! all {
    ($call:expr, $convert:expr) => {{
        let mut items = $call.into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            found.extend($convert(item?));
        }
        found
    }};
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

    /// Every database of a kind. Members of clusters appear among the instances: see [`Database::member_of`].
    pub async fn databases(&self, kind: DatabaseKind) -> Result<Vec<Database>, Error> {
        Ok(match kind {
            DatabaseKind::Instance => all!(self.client.describe_db_instances(), instance),
            DatabaseKind::Cluster => all!(self.client.describe_db_clusters(), cluster),
        })
    }

    /// The database with this resource id, if it still exists.
    pub async fn database(&self, kind: DatabaseKind, resource_id: &str) -> Result<Option<Database>, Error> {
        let found = match kind {
            DatabaseKind::Instance => {
                let filter = filter("dbi-resource-id", [resource_id]);
                all!(self.client.describe_db_instances().filters(filter), instance)
            }
            DatabaseKind::Cluster => {
                let filter = filter("db-cluster-resource-id", [resource_id]);
                all!(self.client.describe_db_clusters().filters(filter), cluster)
            }
        };
        Ok(found.into_iter().next())
    }

    /// The members of a cluster, by name.
    pub async fn members(&self, cluster_id: &str) -> Result<Vec<Database>, Error> {
        let filter = filter("db-cluster-id", [cluster_id]);
        let mut members = all!(self.client.describe_db_instances().filters(filter), instance);
        members.sort_by(|a: &Database, b| a.id.cmp(&b.id));
        Ok(members)
    }

    /// The snapshots of a kind that `which` selects, in no order.
    ///
    /// Of many snapshots only our own tags are kept.
    pub async fn snapshots(&self, kind: DatabaseKind, which: Which<'_>) -> Result<Vec<Snapshot>, Error> {
        let all_tags = matches!(which, Which::Named { .. });
        let trim = |snapshot: Option<Snapshot>| {
            snapshot.map(|mut snapshot| {
                if !all_tags {
                    tags::retain_ours(&mut snapshot.tags);
                }
                snapshot
            })
        };
        let instance_snapshot = |found| trim(instance_snapshot(found));
        let cluster_snapshot = |found| trim(cluster_snapshot(found));
        Ok(match kind {
            DatabaseKind::Instance => {
                let call = self.client.describe_db_snapshots();
                let call = match which {
                    Which::OfDatabase {
                        resource_id,
                        snapshot_type,
                    } => call.dbi_resource_id(resource_id).snapshot_type(snapshot_type),
                    Which::ManualOfNames(names) => {
                        call.filters(filter("db-instance-id", names)).snapshot_type("manual")
                    }
                    Which::Named { id, snapshot_type } => call
                        .filters(filter("db-snapshot-id", [id]))
                        .snapshot_type(snapshot_type),
                };
                all!(call, instance_snapshot)
            }
            DatabaseKind::Cluster => {
                let call = self.client.describe_db_cluster_snapshots();
                let call = match which {
                    Which::OfDatabase {
                        resource_id,
                        snapshot_type,
                    } => call.db_cluster_resource_id(resource_id).snapshot_type(snapshot_type),
                    Which::ManualOfNames(names) => call.filters(filter("db-cluster-id", names)).snapshot_type("manual"),
                    Which::Named { id, snapshot_type } => call
                        .filters(filter("db-cluster-snapshot-id", [id]))
                        .snapshot_type(snapshot_type),
                };
                all!(call, cluster_snapshot)
            }
        })
    }

    /// What `keep` makes of each manual snapshot of a kind, in no order. There may be tens of thousands, so each is let
    /// go before the next page comes.
    pub async fn scan_manual_snapshots<T>(
        &self,
        kind: DatabaseKind,
        keep: impl Fn(Snapshot) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        Ok(match kind {
            DatabaseKind::Instance => {
                let call = self.client.describe_db_snapshots().snapshot_type("manual");
                all!(call, |found| instance_snapshot(found).and_then(&keep))
            }
            DatabaseKind::Cluster => {
                let call = self.client.describe_db_cluster_snapshots().snapshot_type("manual");
                all!(call, |found| cluster_snapshot(found).and_then(&keep))
            }
        })
    }

    /// The snapshot of that identifier, if it exists. Whether RDS answers an unknown one with an empty list or
    /// with an error is documented nowhere, so both count.
    pub async fn snapshot(&self, kind: DatabaseKind, id: &str, snapshot_type: &str) -> Result<Option<Snapshot>, Error> {
        match self.snapshots(kind, Which::Named { id, snapshot_type }).await {
            Ok(found) => Ok(found.into_iter().find(|snapshot| snapshot.id == id)),
            Err(Error::SnapshotNotFound(_)) => Ok(None),
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
        let tags = request
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let copy = match request.kind {
            DatabaseKind::Instance => self
                .client
                .copy_db_snapshot()
                .source_db_snapshot_identifier(&request.source_arn)
                .target_db_snapshot_identifier(&request.id)
                .set_kms_key_id(request.kms_key_arn.clone())
                .set_option_group_name(request.option_group.clone())
                .set_tags(Some(tags.collect()))
                .copy_tags(false)
                .set_pre_signed_url(presigned_url)
                .send()
                .await?
                .db_snapshot
                .and_then(instance_snapshot),
            DatabaseKind::Cluster => self
                .client
                .copy_db_cluster_snapshot()
                .source_db_cluster_snapshot_identifier(&request.source_arn)
                .target_db_cluster_snapshot_identifier(&request.id)
                .set_kms_key_id(request.kms_key_arn.clone())
                .set_tags(Some(tags.collect()))
                .copy_tags(false)
                .set_pre_signed_url(presigned_url)
                .send()
                .await?
                .db_cluster_snapshot
                .and_then(cluster_snapshot),
        };
        copy.ok_or_else(|| {
            Error::RdsError(format!(
                "no snapshot in the answer to the copy of {}",
                request.source_arn
            ))
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
            .await?;
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
                .map_err(Error::from),
            DatabaseKind::Cluster => self
                .client
                .delete_db_cluster_snapshot()
                .db_cluster_snapshot_identifier(id)
                .send()
                .await
                .map(drop)
                .map_err(Error::from),
        };
        match deleted {
            Err(Error::SnapshotNotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// Every option group that somebody made. Those that RDS made (`default:...`) have no options.
    pub async fn option_groups(&self) -> Result<Vec<OptionGroup>, Error> {
        Ok(all!(self.client.describe_option_groups(), option_group))
    }

    /// ARN of the cluster that is written to, by the global database that it belongs to.
    pub async fn global_writers(&self) -> Result<BTreeMap<String, String>, Error> {
        let writer = |global: GlobalCluster| {
            let members = global.global_cluster_members.unwrap_or_default();
            let writer = members.into_iter().find(|member| member.is_writer == Some(true))?;
            Some((global.global_cluster_identifier?, writer.db_cluster_arn?))
        };
        let writers: Vec<_> = all!(self.client.describe_global_clusters(), writer);
        Ok(writers.into_iter().collect())
    }

    /// The region's manual snapshots of a kind, against their quota; none if RDS reports none.
    pub async fn manual_snapshots(&self) -> Result<BTreeMap<DatabaseKind, Quota>, Error> {
        let answer = self.client.describe_account_attributes().send().await?;
        let quota = |name: &str| {
            answer
                .account_quotas()
                .iter()
                .find(|quota| quota.account_quota_name() == Some(name))
                .map(|quota| Quota {
                    used: quota.used().unwrap_or_default(),
                    max: quota.max().unwrap_or_default(),
                })
        };
        let of_kind = [
            (DatabaseKind::Instance, quota("ManualSnapshots")),
            (DatabaseKind::Cluster, quota("ManualClusterSnapshots")),
        ];
        Ok(of_kind
            .into_iter()
            .filter_map(|(kind, quota)| Some((kind, quota?)))
            .collect())
    }
}

fn filter<T: Into<String>>(name: &str, values: impl IntoIterator<Item = T>) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.into_iter().map(Into::into).collect()))
        .build()
}

fn instance(found: DbInstance) -> Option<Database> {
    Some(Database {
        kind: DatabaseKind::Instance,
        id: found.db_instance_identifier?,
        arn: found.db_instance_arn?,
        resource_id: found.dbi_resource_id?,
        created_at: found.instance_create_time.and_then(timestamp),
        encryption: encryption(found.storage_encryption_type.as_ref(), found.storage_encrypted),
        global_cluster: None,
        engine: found.engine.unwrap_or_default(),
        engine_version: found.engine_version.unwrap_or_default(),
        member_of: found.db_cluster_identifier,
        tags: our_tags_of(found.tag_list),
        class: found.db_instance_class,
        parameter_group: found
            .db_parameter_groups
            .and_then(|groups| groups.into_iter().next())
            .and_then(|group| group.db_parameter_group_name),
        option_group: found
            .option_group_memberships
            .and_then(|groups| groups.into_iter().next())
            .and_then(|group| group.option_group_name),
        multi_az: found.multi_az.unwrap_or_default(),
    })
}

fn cluster(found: DbCluster) -> Option<Database> {
    Some(Database {
        kind: DatabaseKind::Cluster,
        id: found.db_cluster_identifier?,
        arn: found.db_cluster_arn?,
        resource_id: found.db_cluster_resource_id?,
        created_at: found.cluster_create_time.and_then(timestamp),
        encryption: encryption(found.storage_encryption_type.as_ref(), found.storage_encrypted),
        global_cluster: found.global_cluster_identifier.filter(|id| !id.is_empty()),
        engine: found.engine.unwrap_or_default(),
        engine_version: found.engine_version.unwrap_or_default(),
        member_of: None,
        tags: our_tags_of(found.tag_list),
        class: found.db_cluster_instance_class,
        parameter_group: found.db_cluster_parameter_group,
        option_group: found
            .db_cluster_option_group_memberships
            .and_then(|groups| groups.into_iter().next())
            .and_then(|group| group.db_cluster_option_group_name),
        multi_az: found.multi_az.unwrap_or_default(),
    })
}

fn instance_snapshot(found: DbSnapshot) -> Option<Snapshot> {
    Some(Snapshot {
        kind: DatabaseKind::Instance,
        id: found.db_snapshot_identifier?,
        arn: found.db_snapshot_arn?,
        database_id: found.db_instance_identifier.unwrap_or_default(),
        resource_id: found.dbi_resource_id,
        snapshot_type: found.snapshot_type.unwrap_or_default(),
        status: found.status.unwrap_or_default(),
        created_at: found.snapshot_create_time.and_then(timestamp),
        original_created_at: found.original_snapshot_create_time.and_then(timestamp),
        engine: found.engine.unwrap_or_default(),
        engine_version: found.engine_version.unwrap_or_default(),
        encryption: encryption(found.storage_encryption_type.as_ref(), found.encrypted),
        kms_key_arn: found.kms_key_id,
        source_arn: found.source_db_snapshot_identifier.filter(|arn| !arn.is_empty()),
        size_gib: found.allocated_storage,
        percent: found.percent_progress.unwrap_or_default(),
        option_group: found.option_group_name,
        tags: tags_of(found.tag_list),
    })
}

fn cluster_snapshot(found: DbClusterSnapshot) -> Option<Snapshot> {
    Some(Snapshot {
        kind: DatabaseKind::Cluster,
        id: found.db_cluster_snapshot_identifier?,
        arn: found.db_cluster_snapshot_arn?,
        database_id: found.db_cluster_identifier.unwrap_or_default(),
        resource_id: found.db_cluster_resource_id,
        snapshot_type: found.snapshot_type.unwrap_or_default(),
        status: found.status.unwrap_or_default(),
        created_at: found.snapshot_create_time.and_then(timestamp),
        original_created_at: None,
        engine: found.engine.unwrap_or_default(),
        engine_version: found.engine_version.unwrap_or_default(),
        encryption: encryption(found.storage_encryption_type.as_ref(), found.storage_encrypted),
        kms_key_arn: found.kms_key_id,
        source_arn: found.source_db_cluster_snapshot_arn.filter(|arn| !arn.is_empty()),
        size_gib: found.allocated_storage,
        percent: found.percent_progress.unwrap_or_default(),
        option_group: None,
        tags: tags_of(found.tag_list),
    })
}

/// Transparent data encryption, of Oracle and of SQL Server: a snapshot cannot do without it (API reference,
/// `CopyDBSnapshot`, `OptionGroupName`), though SQL Server's is not called permanent.
const ENCRYPTION_OPTIONS: [&str; 2] = ["TDE", "TRANSPARENT_DATA_ENCRYPTION"];

fn option_group(found: types::OptionGroup) -> Option<OptionGroup> {
    let options = found.options.unwrap_or_default().into_iter();
    Some(OptionGroup {
        name: found.option_group_name?,
        engine: found.engine_name.unwrap_or_default(),
        major_version: found.major_engine_version.unwrap_or_default(),
        options: options
            .filter_map(|option| {
                let name = option.option_name?;
                let needed = option.permanent.unwrap_or_default() || ENCRYPTION_OPTIONS.contains(&name.as_str());
                Some((name, needed))
            })
            .collect(),
    })
}

fn tags_of(list: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    list.into_iter()
        .flatten()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

fn our_tags_of(list: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    let mut found = tags_of(list);
    tags::retain_ours(&mut found);
    found
}

/// The type says more than the flag, which is false for keys that AWS owns; older answers have only the flag.
fn encryption(kind: Option<&StorageEncryptionType>, flag: Option<bool>) -> Encryption {
    match (kind, flag) {
        (Some(StorageEncryptionType::Sse), _) => Encryption::AwsOwned,
        (Some(StorageEncryptionType::Cmk), _) | (_, Some(true)) => Encryption::Kms,
        _ => Encryption::None,
    }
}

fn timestamp(time: aws_sdk_rds::primitives::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
