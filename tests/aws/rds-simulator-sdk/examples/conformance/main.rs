//! Makes calls with the SDK and prints what it read, for the conformance test (`tests/aws/rds-simulator/conformance`).
//!
//! On standard input: `{"endpoint": "http://…", "calls": [{"service", "operation", "region", "accessKey", "input"}]}`,
//! inputs spelled as for boto3. On standard output: one JSON line a call, `{"output": …}` spelled as boto3 does, or
//! `{"error": {"code", "message", "status"}}`.

use std::io::Read;

use aws_sdk_rds::Client;
use aws_sdk_rds::config::retry::RetryConfig;
use aws_sdk_rds::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{
    DbCluster, DbClusterSnapshot, DbInstance, DbSnapshot, Filter, GlobalCluster, OptionGroup, StorageEncryptionType,
    Tag,
};
use aws_types::SdkConfig;
use aws_types::sdk_config::SharedCredentialsProvider;
use serde_json::{Map, Value, json};

/// `"Name" => value` for what is there.
macro_rules! members {
    ($($name:literal => $value:expr),* $(,)?) => { object([$(($name, ($value).map(|value| json!(value)))),*]) };
}

mod databases;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let script: Value = serde_json::from_str(&text)?;
    let endpoint = script["endpoint"].as_str().ok_or("endpoint is missing")?;
    for call in script["calls"].as_array().ok_or("calls are missing")? {
        let part = |name: &str| call[name].as_str().ok_or(format!("{name} is missing"));
        let credentials = Credentials::new(part("accessKey")?, "any", None, None, "conformance");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(part("region")?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(endpoint)
            .retry_config(RetryConfig::disabled())
            .build();
        let input = Input(&call["input"]);
        let result = match (part("service")?, part("operation")?) {
            ("kms", "DescribeKey") => describe_key(&aws_sdk_kms::Client::new(&config), &input).await,
            (_, operation) => perform(&Client::new(&config), operation, &input).await,
        };
        let line = match result {
            Ok(output) => json!({ "output": output }),
            Err(error) => json!({ "error": error }),
        };
        println!("{line}");
    }
    Ok(())
}

/// The parameters of a call.
struct Input<'a>(&'a Value);

impl Input<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.0[name].as_str().map(str::to_owned)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.0[name].as_bool()
    }

    fn number(&self, name: &str) -> Option<i32> {
        self.0[name].as_i64().and_then(|number| number.try_into().ok())
    }

    fn list<T>(&self, name: &str, read: impl Fn(&Value) -> T) -> Option<Vec<T>> {
        self.0[name].as_array().map(|items| items.iter().map(read).collect())
    }

    fn tags(&self) -> Option<Vec<Tag>> {
        self.list("Tags", |tag| {
            Tag::builder()
                .set_key(tag["Key"].as_str().map(str::to_owned))
                .set_value(tag["Value"].as_str().map(str::to_owned))
                .build()
        })
    }

    fn filters(&self) -> Option<Vec<Filter>> {
        self.list("Filters", |filter| {
            let values = filter["Values"].as_array().into_iter().flatten();
            Filter::builder()
                .name(filter["Name"].as_str().unwrap_or_default())
                .set_values(Some(
                    values.filter_map(|value| value.as_str().map(str::to_owned)).collect(),
                ))
                .build()
        })
    }
}

#[expect(clippy::too_many_lines, reason = "a table of operations")]
async fn perform(rds: &Client, operation: &str, input: &Input<'_>) -> Result<Value, Value> {
    let text = |name: &str| input.text(name);
    Ok(match operation {
        "DescribeDBInstances" => {
            let output = rds
                .describe_db_instances()
                .set_db_instance_identifier(text("DBInstanceIdentifier"))
                .set_filters(input.filters())
                .set_max_records(input.number("MaxRecords"))
                .set_marker(text("Marker"))
                .send()
                .await
                .map_err(error)?;
            let list: Vec<Value> = output.db_instances().iter().map(instance).collect();
            object([
                ("DBInstances", Some(json!(list))),
                ("Marker", output.marker().map(|marker| json!(marker))),
            ])
        }
        "DescribeDBClusters" => {
            let output = rds
                .describe_db_clusters()
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_filters(input.filters())
                .set_max_records(input.number("MaxRecords"))
                .set_marker(text("Marker"))
                .send()
                .await
                .map_err(error)?;
            let list: Vec<Value> = output.db_clusters().iter().map(cluster).collect();
            object([
                ("DBClusters", Some(json!(list))),
                ("Marker", output.marker().map(|marker| json!(marker))),
            ])
        }
        "DescribeDBSnapshots" => {
            let output = rds
                .describe_db_snapshots()
                .set_db_instance_identifier(text("DBInstanceIdentifier"))
                .set_db_snapshot_identifier(text("DBSnapshotIdentifier"))
                .set_dbi_resource_id(text("DbiResourceId"))
                .set_snapshot_type(text("SnapshotType"))
                .set_include_shared(input.flag("IncludeShared"))
                .set_include_public(input.flag("IncludePublic"))
                .set_filters(input.filters())
                .set_max_records(input.number("MaxRecords"))
                .set_marker(text("Marker"))
                .send()
                .await
                .map_err(error)?;
            let list: Vec<Value> = output.db_snapshots().iter().map(snapshot).collect();
            object([
                ("DBSnapshots", Some(json!(list))),
                ("Marker", output.marker().map(|marker| json!(marker))),
            ])
        }
        "DescribeDBClusterSnapshots" => {
            let output = rds
                .describe_db_cluster_snapshots()
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_db_cluster_snapshot_identifier(text("DBClusterSnapshotIdentifier"))
                .set_db_cluster_resource_id(text("DbClusterResourceId"))
                .set_snapshot_type(text("SnapshotType"))
                .set_filters(input.filters())
                .set_max_records(input.number("MaxRecords"))
                .set_marker(text("Marker"))
                .send()
                .await
                .map_err(error)?;
            let list: Vec<Value> = output.db_cluster_snapshots().iter().map(cluster_snapshot).collect();
            object([
                ("DBClusterSnapshots", Some(json!(list))),
                ("Marker", output.marker().map(|marker| json!(marker))),
            ])
        }
        "CopyDBSnapshot" => {
            let output = rds
                .copy_db_snapshot()
                .set_source_db_snapshot_identifier(text("SourceDBSnapshotIdentifier"))
                .set_target_db_snapshot_identifier(text("TargetDBSnapshotIdentifier"))
                .set_kms_key_id(text("KmsKeyId"))
                .set_copy_tags(input.flag("CopyTags"))
                .set_option_group_name(text("OptionGroupName"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBSnapshot", output.db_snapshot().map(snapshot))
        }
        "CopyDBClusterSnapshot" => {
            let output = rds
                .copy_db_cluster_snapshot()
                .set_source_db_cluster_snapshot_identifier(text("SourceDBClusterSnapshotIdentifier"))
                .set_target_db_cluster_snapshot_identifier(text("TargetDBClusterSnapshotIdentifier"))
                .set_kms_key_id(text("KmsKeyId"))
                .set_copy_tags(input.flag("CopyTags"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBClusterSnapshot", output.db_cluster_snapshot().map(cluster_snapshot))
        }
        "CreateDBSnapshot" => {
            let output = rds
                .create_db_snapshot()
                .set_db_snapshot_identifier(text("DBSnapshotIdentifier"))
                .set_db_instance_identifier(text("DBInstanceIdentifier"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBSnapshot", output.db_snapshot().map(snapshot))
        }
        "CreateDBClusterSnapshot" => {
            let output = rds
                .create_db_cluster_snapshot()
                .set_db_cluster_snapshot_identifier(text("DBClusterSnapshotIdentifier"))
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBClusterSnapshot", output.db_cluster_snapshot().map(cluster_snapshot))
        }
        "DeleteDBSnapshot" => {
            let output = rds
                .delete_db_snapshot()
                .set_db_snapshot_identifier(text("DBSnapshotIdentifier"))
                .send()
                .await
                .map_err(error)?;
            one("DBSnapshot", output.db_snapshot().map(snapshot))
        }
        "DeleteDBClusterSnapshot" => {
            let output = rds
                .delete_db_cluster_snapshot()
                .set_db_cluster_snapshot_identifier(text("DBClusterSnapshotIdentifier"))
                .send()
                .await
                .map_err(error)?;
            one("DBClusterSnapshot", output.db_cluster_snapshot().map(cluster_snapshot))
        }
        "AddTagsToResource" => {
            rds.add_tags_to_resource()
                .set_resource_name(text("ResourceName"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            json!({})
        }
        "RemoveTagsFromResource" => {
            rds.remove_tags_from_resource()
                .set_resource_name(text("ResourceName"))
                .set_tag_keys(input.list("TagKeys", |key| key.as_str().unwrap_or_default().to_owned()))
                .send()
                .await
                .map_err(error)?;
            json!({})
        }
        "ListTagsForResource" => {
            let output = rds
                .list_tags_for_resource()
                .set_resource_name(text("ResourceName"))
                .send()
                .await
                .map_err(error)?;
            json!({ "TagList": tags(output.tag_list()) })
        }
        "DescribeAccountAttributes" => {
            let output = rds.describe_account_attributes().send().await.map_err(error)?;
            let quotas: Vec<Value> = output
                .account_quotas()
                .iter()
                .map(|quota| {
                    json!({ "AccountQuotaName": quota.account_quota_name(), "Used": quota.used(), "Max": quota.max() })
                })
                .collect();
            json!({ "AccountQuotas": quotas })
        }
        "DescribeOptionGroups" => {
            let output = rds
                .describe_option_groups()
                .set_option_group_name(text("OptionGroupName"))
                .set_engine_name(text("EngineName"))
                .set_major_engine_version(text("MajorEngineVersion"))
                .set_max_records(input.number("MaxRecords"))
                .set_marker(text("Marker"))
                .send()
                .await
                .map_err(error)?;
            let list: Vec<Value> = output.option_groups_list().iter().map(option_group).collect();
            object([
                ("OptionGroupsList", Some(json!(list))),
                ("Marker", output.marker().map(|marker| json!(marker))),
            ])
        }
        "DescribeGlobalClusters" => {
            let output = rds
                .describe_global_clusters()
                .set_global_cluster_identifier(text("GlobalClusterIdentifier"))
                .set_filters(input.filters())
                .send()
                .await
                .map_err(error)?;
            let list: Vec<Value> = output.global_clusters().iter().map(global_cluster).collect();
            object([
                ("GlobalClusters", Some(json!(list))),
                ("Marker", output.marker().map(|marker| json!(marker))),
            ])
        }
        "DescribeOrderableDBInstanceOptions" => {
            let output = rds
                .describe_orderable_db_instance_options()
                .set_engine(text("Engine"))
                .set_engine_version(text("EngineVersion"))
                .set_db_instance_class(text("DBInstanceClass"))
                .set_vpc(input.flag("Vpc"))
                .set_max_records(input.number("MaxRecords"))
                .set_marker(text("Marker"))
                .send()
                .await
                .map_err(error)?;
            let offers = output.orderable_db_instance_options().iter();
            let list: Vec<Value> = offers
                .map(|offer| {
                    let zones: Vec<Value> = offer
                        .availability_zones()
                        .iter()
                        .map(|zone| members! { "Name" => zone.name() })
                        .collect();
                    members! {
                        "Engine" => offer.engine(),
                        "EngineVersion" => offer.engine_version(),
                        "DBInstanceClass" => offer.db_instance_class(),
                        "LicenseModel" => offer.license_model(),
                        "AvailabilityZones" => Some(zones),
                        "MinStorageSize" => offer.min_storage_size(),
                        "MaxStorageSize" => offer.max_storage_size(),
                        "SupportsClusters" => offer.supports_clusters(),
                        "SupportsHttpEndpoint" => offer.supports_http_endpoint(),
                        "Vpc" => offer.vpc(),
                        "SupportsStorageEncryption" => offer.supports_storage_encryption(),
                        "StorageType" => offer.storage_type(),
                    }
                })
                .collect();
            object([
                ("OrderableDBInstanceOptions", Some(json!(list))),
                ("Marker", output.marker().map(|marker| json!(marker))),
            ])
        }
        other => databases::perform(rds, other, input).await?,
    })
}

async fn describe_key(kms: &aws_sdk_kms::Client, input: &Input<'_>) -> Result<Value, Value> {
    let call = kms.describe_key().set_key_id(input.text("KeyId"));
    let output = call.send().await.map_err(error)?;
    let metadata = output.key_metadata().map(|key| {
        let algorithms = key.encryption_algorithms().iter();
        let algorithms: Vec<&str> = algorithms
            .map(aws_sdk_kms::types::EncryptionAlgorithmSpec::as_str)
            .collect();
        members! {
            "AWSAccountId" => key.aws_account_id(),
            "KeyId" => Some(key.key_id()),
            "Arn" => key.arn(),
            "Enabled" => Some(key.enabled()),
            "Description" => key.description(),
            "KeyUsage" => key.key_usage().map(aws_sdk_kms::types::KeyUsageType::as_str),
            "KeyState" => key.key_state().map(aws_sdk_kms::types::KeyState::as_str),
            "Origin" => key.origin().map(aws_sdk_kms::types::OriginType::as_str),
            "KeyManager" => key.key_manager().map(aws_sdk_kms::types::KeyManagerType::as_str),
            // The same as the next one, by its deprecated name.
            "CustomerMasterKeySpec" => key.key_spec().map(aws_sdk_kms::types::KeySpec::as_str),
            "KeySpec" => key.key_spec().map(aws_sdk_kms::types::KeySpec::as_str),
            "MultiRegion" => key.multi_region(),
            "EncryptionAlgorithms" => Some(algorithms),
        }
    });
    Ok(one("KeyMetadata", metadata))
}

fn option_group(group: &OptionGroup) -> Value {
    let options: Vec<Value> = group
        .options()
        .iter()
        .map(|option| {
            members! {
                "OptionName" => option.option_name(),
                "Persistent" => option.persistent(),
                "Permanent" => option.permanent(),
            }
        })
        .collect();
    members! {
        "OptionGroupName" => group.option_group_name(),
        "OptionGroupDescription" => group.option_group_description(),
        "EngineName" => group.engine_name(),
        "MajorEngineVersion" => group.major_engine_version(),
        "Options" => Some(options),
        "AllowsVpcAndNonVpcInstanceMemberships" => group.allows_vpc_and_non_vpc_instance_memberships(),
        "OptionGroupArn" => group.option_group_arn(),
    }
}

fn global_cluster(global: &GlobalCluster) -> Value {
    let clusters: Vec<Value> = global
        .global_cluster_members()
        .iter()
        .map(|cluster| {
            members! {
                "DBClusterArn" => cluster.db_cluster_arn(),
                "Readers" => Some(cluster.readers()),
                "IsWriter" => cluster.is_writer(),
                "SynchronizationStatus" => cluster
                    .synchronization_status()
                    .map(aws_sdk_rds::types::GlobalClusterMemberSynchronizationStatus::as_str),
            }
        })
        .collect();
    members! {
        "GlobalClusterIdentifier" => global.global_cluster_identifier(),
        "GlobalClusterResourceId" => global.global_cluster_resource_id(),
        "GlobalClusterArn" => global.global_cluster_arn(),
        "Status" => global.status(),
        "Engine" => global.engine(),
        "EngineVersion" => global.engine_version(),
        "StorageEncrypted" => global.storage_encrypted(),
        "StorageEncryptionType" => global.storage_encryption_type().map(StorageEncryptionType::as_str),
        "DeletionProtection" => global.deletion_protection(),
        "GlobalClusterMembers" => Some(clusters),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of `map_err`")]
fn error<E: ProvideErrorMetadata>(error: SdkError<E, aws_sdk_rds::config::http::HttpResponse>) -> Value {
    json!({
        "code": error.code(),
        "message": error.message(),
        "status": error.raw_response().map(|reply| reply.status().as_u16()),
    })
}

/// An object of what is there.
fn object<'a>(members: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Value {
    let there = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn one(name: &str, value: Option<Value>) -> Value {
    object([(name, value)])
}

fn tags(tags: &[Tag]) -> Value {
    tags.iter()
        .map(|tag| json!({ "Key": tag.key(), "Value": tag.value() }))
        .collect()
}

fn time(time: Option<&DateTime>) -> Option<Value> {
    // Milliseconds since 1970, which is all that either side has.
    time.and_then(|time| time.to_millis().ok())
        .map(|milliseconds| json!(milliseconds))
}

/// A list that is left out when it is empty.
fn filled(list: &[String]) -> Option<&[String]> {
    Some(list).filter(|list| !list.is_empty())
}

fn instance(database: &DbInstance) -> Value {
    let endpoint = database.endpoint().map(|endpoint| {
        members! { "Address" => endpoint.address(), "Port" => endpoint.port() }
    });
    let parameter_groups: Vec<Value> = database
        .db_parameter_groups()
        .iter()
        .map(|group| {
            members! {
                "DBParameterGroupName" => group.db_parameter_group_name(),
                "ParameterApplyStatus" => group.parameter_apply_status(),
            }
        })
        .collect();
    let option_groups: Vec<Value> = database
        .option_group_memberships()
        .iter()
        .map(|group| members! { "OptionGroupName" => group.option_group_name(), "Status" => group.status() })
        .collect();
    members! {
        "DBInstanceIdentifier" => database.db_instance_identifier(),
        "DBInstanceClass" => database.db_instance_class(),
        "Engine" => database.engine(),
        "EngineVersion" => database.engine_version(),
        "DBInstanceStatus" => database.db_instance_status(),
        "MasterUsername" => database.master_username(),
        "Endpoint" => endpoint,
        "AllocatedStorage" => database.allocated_storage(),
        "InstanceCreateTime" => time(database.instance_create_time()),
        "BackupRetentionPeriod" => database.backup_retention_period(),
        "DBParameterGroups" => Some(parameter_groups),
        "OptionGroupMemberships" => Some(option_groups),
        "AvailabilityZone" => database.availability_zone(),
        "MultiAZ" => database.multi_az(),
        "LicenseModel" => database.license_model(),
        "PubliclyAccessible" => database.publicly_accessible(),
        "DBSubnetGroup" => database.db_subnet_group().map(databases::subnet_group),
        "VpcSecurityGroups" => Some(databases::security_groups(database.vpc_security_groups())),
        "MasterUserSecret" => database.master_user_secret().map(databases::secret),
        "StorageOperationStatus" => database.storage_operation_status(),
        "StorageOperationPercentProgress" => database.storage_operation_percent_progress(),
        "StorageType" => database.storage_type(),
        "DBClusterIdentifier" => database.db_cluster_identifier(),
        "StorageEncrypted" => database.storage_encrypted(),
        "StorageEncryptionType" => database.storage_encryption_type().map(aws_sdk_rds::types::StorageEncryptionType::as_str),
        "KmsKeyId" => database.kms_key_id(),
        "DbiResourceId" => database.dbi_resource_id(),
        "CopyTagsToSnapshot" => database.copy_tags_to_snapshot(),
        "IAMDatabaseAuthenticationEnabled" => database.iam_database_authentication_enabled(),
        "AwsBackupRecoveryPointArn" => database.aws_backup_recovery_point_arn(),
        "EnabledCloudwatchLogsExports" => filled(database.enabled_cloudwatch_logs_exports()),
        "Iops" => database.iops(),
        "StorageThroughput" => database.storage_throughput(),
        "MonitoringInterval" => database.monitoring_interval(),
        "ReadReplicaSourceDBInstanceIdentifier" => database.read_replica_source_db_instance_identifier(),
        "ReadReplicaDBInstanceIdentifiers" => Some(database.read_replica_db_instance_identifiers()),
        "MaxAllocatedStorage" => database.max_allocated_storage(),
        "CACertificateIdentifier" => database.ca_certificate_identifier(),
        "DBInstanceArn" => database.db_instance_arn(),
        "DeletionProtection" => database.deletion_protection(),
        "TagList" => Some(tags(database.tag_list())),
    }
}

fn cluster(database: &DbCluster) -> Value {
    let members: Vec<Value> = database
        .db_cluster_members()
        .iter()
        .map(|member| {
            members! {
                "DBInstanceIdentifier" => member.db_instance_identifier(),
                "IsClusterWriter" => member.is_cluster_writer(),
                "DBClusterParameterGroupStatus" => member.db_cluster_parameter_group_status(),
                "PromotionTier" => member.promotion_tier(),
            }
        })
        .collect();
    let scaling = database.serverless_v2_scaling_configuration().map(|scaling| {
        members! {
            "MinCapacity" => scaling.min_capacity(),
            "MaxCapacity" => scaling.max_capacity(),
            "SecondsUntilAutoPause" => scaling.seconds_until_auto_pause(),
        }
    });
    members! {
        "DBClusterIdentifier" => database.db_cluster_identifier(),
        "AllocatedStorage" => database.allocated_storage(),
        "AvailabilityZones" => Some(database.availability_zones()),
        "BackupRetentionPeriod" => database.backup_retention_period(),
        "DBClusterParameterGroup" => database.db_cluster_parameter_group(),
        "Status" => database.status(),
        "Endpoint" => database.endpoint(),
        "DBSubnetGroup" => database.db_subnet_group(),
        "PubliclyAccessible" => database.publicly_accessible(),
        "VpcSecurityGroups" => Some(databases::security_groups(database.vpc_security_groups())),
        "MasterUserSecret" => database.master_user_secret().map(databases::secret),
        "MultiAZ" => database.multi_az(),
        "Engine" => database.engine(),
        "EngineVersion" => database.engine_version(),
        "EngineMode" => database.engine_mode(),
        "Port" => database.port(),
        "MasterUsername" => database.master_username(),
        "DBClusterMembers" => Some(members),
        "StorageEncrypted" => database.storage_encrypted(),
        "StorageEncryptionType" => database.storage_encryption_type().map(aws_sdk_rds::types::StorageEncryptionType::as_str),
        "KmsKeyId" => database.kms_key_id(),
        "DbClusterResourceId" => database.db_cluster_resource_id(),
        "DBClusterArn" => database.db_cluster_arn(),
        "ClusterCreateTime" => time(database.cluster_create_time()),
        "DBClusterInstanceClass" => database.db_cluster_instance_class(),
        "StorageType" => database.storage_type(),
        "IAMDatabaseAuthenticationEnabled" => database.iam_database_authentication_enabled(),
        "AwsBackupRecoveryPointArn" => database.aws_backup_recovery_point_arn(),
        "EnabledCloudwatchLogsExports" => filled(database.enabled_cloudwatch_logs_exports()),
        "Iops" => database.iops(),
        "StorageThroughput" => database.storage_throughput(),
        "MonitoringInterval" => database.monitoring_interval(),
        "ReplicationSourceIdentifier" => database.replication_source_identifier(),
        "ServerlessV2ScalingConfiguration" => scaling,
        "DeletionProtection" => database.deletion_protection(),
        "CopyTagsToSnapshot" => database.copy_tags_to_snapshot(),
        "GlobalClusterIdentifier" => database.global_cluster_identifier(),
        "ClusterScalabilityType" => database.cluster_scalability_type().map(aws_sdk_rds::types::ClusterScalabilityType::as_str),
        "TagList" => Some(tags(database.tag_list())),
    }
}

fn snapshot(snapshot: &DbSnapshot) -> Value {
    members! {
        "DBSnapshotIdentifier" => snapshot.db_snapshot_identifier(),
        "DBInstanceIdentifier" => snapshot.db_instance_identifier(),
        "SnapshotCreateTime" => time(snapshot.snapshot_create_time()),
        "OriginalSnapshotCreateTime" => time(snapshot.original_snapshot_create_time()),
        "Engine" => snapshot.engine(),
        "AllocatedStorage" => snapshot.allocated_storage(),
        "Status" => snapshot.status(),
        "Port" => snapshot.port(),
        "AvailabilityZone" => snapshot.availability_zone(),
        "InstanceCreateTime" => time(snapshot.instance_create_time()),
        "MasterUsername" => snapshot.master_username(),
        "EngineVersion" => snapshot.engine_version(),
        "LicenseModel" => snapshot.license_model(),
        "SnapshotType" => snapshot.snapshot_type(),
        "OptionGroupName" => snapshot.option_group_name(),
        "PercentProgress" => snapshot.percent_progress(),
        "SourceRegion" => snapshot.source_region(),
        "SourceDBSnapshotIdentifier" => snapshot.source_db_snapshot_identifier(),
        "StorageType" => snapshot.storage_type(),
        "Iops" => snapshot.iops(),
        "StorageThroughput" => snapshot.storage_throughput(),
        "BackupRetentionPeriod" => snapshot.backup_retention_period(),
        "SnapshotDatabaseTime" => time(snapshot.snapshot_database_time()),
        "FullSnapshotSizeInBytes" => snapshot.full_snapshot_size_in_bytes(),
        "Encrypted" => snapshot.encrypted(),
        "StorageEncryptionType" => snapshot.storage_encryption_type().map(aws_sdk_rds::types::StorageEncryptionType::as_str),
        "KmsKeyId" => snapshot.kms_key_id(),
        "DBSnapshotArn" => snapshot.db_snapshot_arn(),
        "IAMDatabaseAuthenticationEnabled" => snapshot.iam_database_authentication_enabled(),
        "DbiResourceId" => snapshot.dbi_resource_id(),
        "SnapshotTarget" => snapshot.snapshot_target(),
        "TagList" => Some(tags(snapshot.tag_list())),
    }
}

fn cluster_snapshot(snapshot: &DbClusterSnapshot) -> Value {
    members! {
        "AvailabilityZones" => Some(snapshot.availability_zones()),
        "DBClusterSnapshotIdentifier" => snapshot.db_cluster_snapshot_identifier(),
        "DBClusterIdentifier" => snapshot.db_cluster_identifier(),
        "SnapshotCreateTime" => time(snapshot.snapshot_create_time()),
        "Engine" => snapshot.engine(),
        "EngineMode" => snapshot.engine_mode(),
        "AllocatedStorage" => snapshot.allocated_storage(),
        "Status" => snapshot.status(),
        "Port" => snapshot.port(),
        "ClusterCreateTime" => time(snapshot.cluster_create_time()),
        "MasterUsername" => snapshot.master_username(),
        "EngineVersion" => snapshot.engine_version(),
        "LicenseModel" => snapshot.license_model(),
        "SnapshotType" => snapshot.snapshot_type(),
        "PercentProgress" => snapshot.percent_progress(),
        "StorageEncrypted" => snapshot.storage_encrypted(),
        "StorageEncryptionType" => snapshot.storage_encryption_type().map(aws_sdk_rds::types::StorageEncryptionType::as_str),
        "KmsKeyId" => snapshot.kms_key_id(),
        "DBClusterSnapshotArn" => snapshot.db_cluster_snapshot_arn(),
        "SourceDBClusterSnapshotArn" => snapshot.source_db_cluster_snapshot_arn(),
        "StorageType" => snapshot.storage_type(),
        "StorageThroughput" => snapshot.storage_throughput(),
        "BackupRetentionPeriod" => snapshot.backup_retention_period(),
        "IAMDatabaseAuthenticationEnabled" => snapshot.iam_database_authentication_enabled(),
        "DbClusterResourceId" => snapshot.db_cluster_resource_id(),
        "TagList" => Some(tags(snapshot.tag_list())),
    }
}
