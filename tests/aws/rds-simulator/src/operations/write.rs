//! Databases and snapshots, spelled in XML as the service model of RDS has them.

use jiff::Timestamp;

use crate::details::Details;
use crate::hash;
use crate::model::{Database, Encryption, Kind, RdsArn, Region, Snapshot, Tags, partition};
use crate::network::Network;
use crate::operations::describe::GlobalCluster;
use crate::operations::subnet_groups;
use crate::option_groups::OptionGroup;
use crate::scenario::Settings;
use crate::xml::Xml;

/// `2026-11-22T13:00:00.000Z`.
pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

fn tags(xml: &mut Xml, tags: &Tags) {
    xml.list("TagList", "Tag", tags, |xml, (key, value)| {
        xml.value("Key", key);
        xml.value("Value", value);
    });
}

fn encryption(xml: &mut Xml, encrypted: &str, encryption: &Encryption) {
    xml.value(encrypted, matches!(encryption, Encryption::Key(_)));
    xml.value("StorageEncryptionType", encryption.type_name());
    xml.optional("KmsKeyId", encryption.key());
}

fn storage(xml: &mut Xml, details: &Details) {
    xml.optional("StorageType", details.storage_type.as_ref());
    xml.optional("Iops", details.iops);
    xml.optional("StorageThroughput", details.storage_throughput);
}

/// What instances and clusters report alike.
fn own_details(xml: &mut Xml, database: &Database) {
    let own = &database.own;
    xml.value("CopyTagsToSnapshot", own.copies_tags);
    xml.value("DeletionProtection", own.deletion_protection);
    xml.value("IAMDatabaseAuthenticationEnabled", database.details.iam_authentication);
    xml.optional("AwsBackupRecoveryPointArn", own.recovery_point.as_ref());
    if !own.log_exports.is_empty() {
        xml.list(
            "EnabledCloudwatchLogsExports",
            "member",
            &own.log_exports,
            |xml, name| xml.text(name),
        );
    }
}

fn security_groups(xml: &mut Xml, network: &Network) {
    xml.list(
        "VpcSecurityGroups",
        "VpcSecurityGroupMembership",
        &network.security_groups,
        |xml, id| {
            xml.value("VpcSecurityGroupId", id);
            xml.value("Status", "active");
        },
    );
}

/// The secret of a managed master password; it is gone with the database.
fn secret(xml: &mut Xml, region: &Region, database: &Database) {
    let Some(secret) = database.life.secret else {
        return;
    };
    let arn = format!(
        "arn:{}:secretsmanager:{}:{}:secret:rds!{}",
        partition(&region.name),
        region.name,
        region.account,
        // It begins with `db-` or `cluster-`, as AWS's names do after the `rds!`.
        database.resource_id.to_ascii_lowercase()
    );
    xml.element("MasterUserSecret", |xml| {
        xml.value("SecretArn", arn);
        xml.value("SecretStatus", if secret.is_over() { "active" } else { "creating" });
    });
}

/// The members of `DBInstance` or `DBCluster`.
pub(crate) fn database(xml: &mut Xml, region: &Region, database: &Database) {
    match database.kind {
        Kind::Instance => instance(xml, region, database),
        Kind::Cluster => cluster(xml, region, database),
    }
}

fn instance(xml: &mut Xml, region: &Region, database: &Database) {
    xml.value("DBInstanceIdentifier", &database.id);
    xml.optional("DBInstanceClass", database.class.as_ref());
    xml.value("Engine", &database.engine);
    xml.value("EngineVersion", &database.engine_version);
    xml.value("DBInstanceStatus", &database.status);
    xml.value("MasterUsername", "admin");
    // Nobody can connect to one that is not ready yet.
    if !database.life.is_unreached {
        xml.element("Endpoint", |xml| {
            xml.value(
                "Address",
                format!("{}.simulated.{}.rds.amazonaws.com", database.id, region.name),
            );
            xml.value("Port", database.details.port);
        });
    }
    xml.value("AllocatedStorage", database.allocated_storage);
    xml.value("InstanceCreateTime", time(database.created));
    xml.value("BackupRetentionPeriod", database.details.retention_days);
    xml.list(
        "DBParameterGroups",
        "DBParameterGroup",
        [&database.parameter_group],
        |xml, name| {
            xml.value("DBParameterGroupName", name);
            xml.value("ParameterApplyStatus", "in-sync");
        },
    );
    xml.list(
        "OptionGroupMemberships",
        "OptionGroupMembership",
        &database.option_group,
        |xml, name| {
            xml.value("OptionGroupName", name);
            xml.value("Status", "in-sync");
        },
    );
    xml.value("AvailabilityZone", format!("{}a", region.name));
    xml.value("MultiAZ", database.multi_az);
    xml.value("LicenseModel", &database.details.license);
    match &database.network {
        Some(network) => {
            xml.value("PubliclyAccessible", network.is_public);
            if let Some(group) = region.subnet_group(&network.subnet_group) {
                xml.element("DBSubnetGroup", |xml| subnet_groups::write_group(xml, region, &group));
            }
            security_groups(xml, network);
        }
        None => xml.value("PubliclyAccessible", false),
    }
    if let Some(storage) = database.life.storage.filter(|storage| !storage.is_over())
        && database.status != "creating"
    {
        xml.value("StorageOperationStatus", "Initializing");
        xml.value("StorageOperationPercentProgress", storage.percent());
    }
    secret(xml, region, database);
    storage(xml, &database.details);
    xml.optional("DBClusterIdentifier", database.cluster.as_ref());
    encryption(xml, "StorageEncrypted", &database.encryption);
    xml.value("DbiResourceId", &database.resource_id);
    xml.value("DBInstanceArn", region.arn("db", &database.id));
    let own = &database.own;
    xml.optional("ReadReplicaSourceDBInstanceIdentifier", own.replica_of.as_ref());
    let replicas = region.databases[Kind::Instance]
        .values()
        .filter(|other| other.own.replica_of.as_deref() == Some(database.id.as_str()));
    xml.list(
        "ReadReplicaDBInstanceIdentifiers",
        "ReadReplicaDBInstanceIdentifier",
        replicas,
        |xml, replica| xml.text(&replica.id),
    );
    xml.value("MonitoringInterval", own.monitoring_interval.unwrap_or_default());
    xml.optional("MaxAllocatedStorage", own.max_allocated_storage);
    xml.value(
        "CACertificateIdentifier",
        own.ca_certificate.as_deref().unwrap_or("rds-ca-rsa2048-g1"),
    );
    own_details(xml, database);
    tags(xml, &database.tags);
}

fn cluster(xml: &mut Xml, region: &Region, database: &Database) {
    let multi_az_cluster = ["mysql", "postgres"].contains(&database.engine.as_str());
    xml.value("DBClusterIdentifier", &database.id);
    xml.value("AllocatedStorage", database.allocated_storage);
    xml.list("AvailabilityZones", "AvailabilityZone", ["a", "b", "c"], |xml, zone| {
        // The list holds bare text.
        xml.text(&format!("{}{zone}", region.name));
    });
    xml.value("BackupRetentionPeriod", database.details.retention_days);
    xml.value("DBClusterParameterGroup", &database.parameter_group);
    xml.value("Status", &database.status);
    if !database.life.is_unreached {
        xml.value(
            "Endpoint",
            format!("{}.cluster-simulated.{}.rds.amazonaws.com", database.id, region.name),
        );
    }
    if let Some(network) = &database.network {
        xml.value("DBSubnetGroup", &network.subnet_group);
        xml.value("PubliclyAccessible", network.is_public);
        security_groups(xml, network);
    }
    secret(xml, region, database);
    xml.value("MultiAZ", database.multi_az);
    xml.value("Engine", &database.engine);
    xml.value("EngineVersion", &database.engine_version);
    xml.optional("EngineMode", database.engine_mode.as_ref());
    xml.value("Port", database.details.port);
    xml.value("MasterUsername", "admin");
    xml.list(
        "DBClusterMembers",
        "DBClusterMember",
        &database.members,
        |xml, member| {
            xml.value("DBInstanceIdentifier", &member.id);
            xml.value("IsClusterWriter", member.writer);
            xml.value("DBClusterParameterGroupStatus", "in-sync");
            xml.value("PromotionTier", 1);
        },
    );
    encryption(xml, "StorageEncrypted", &database.encryption);
    xml.value("DbClusterResourceId", &database.resource_id);
    xml.value("DBClusterArn", region.arn("cluster", &database.id));
    xml.value("ClusterCreateTime", time(database.created));
    if multi_az_cluster {
        xml.optional("DBClusterInstanceClass", database.class.as_ref());
    }
    storage(xml, &database.details);
    let own = &database.own;
    xml.optional("ReplicationSourceIdentifier", own.replica_of.as_ref());
    xml.optional("MonitoringInterval", own.monitoring_interval);
    if let Some(scaling) = own.serverless {
        xml.element("ServerlessV2ScalingConfiguration", |xml| {
            xml.value("MinCapacity", scaling.min_capacity);
            xml.value("MaxCapacity", scaling.max_capacity);
            xml.optional("SecondsUntilAutoPause", scaling.seconds_until_auto_pause);
        });
    }
    own_details(xml, database);
    xml.optional("GlobalClusterIdentifier", database.global_cluster.as_ref());
    xml.optional("ClusterScalabilityType", database.scalability.as_ref());
    tags(xml, &database.tags);
}

/// The members of `OptionGroup`.
pub(crate) fn option_group(xml: &mut Xml, region: &Region, group: &OptionGroup) {
    xml.value("OptionGroupName", &group.name);
    xml.value("OptionGroupDescription", &group.name);
    xml.value("EngineName", &group.engine);
    xml.optional("MajorEngineVersion", group.major_version.as_ref());
    xml.list("Options", "Option", &group.options, |xml, option| {
        xml.value("OptionName", &option.name);
        xml.value("Persistent", option.persistent);
        xml.value("Permanent", option.permanent);
    });
    xml.value("AllowsVpcAndNonVpcInstanceMemberships", true);
    xml.value("OptionGroupArn", region.arn("og", &group.name));
}

/// The members of `GlobalCluster`.
pub(crate) fn global_cluster(xml: &mut Xml, arn: &str, global: &GlobalCluster<'_>) {
    let arns: Vec<String> = global
        .members
        .iter()
        .map(|(region, cluster)| region.arn("cluster", &cluster.id))
        .collect();
    xml.value("GlobalClusterIdentifier", &global.name);
    xml.value(
        "GlobalClusterResourceId",
        hash::resource_id("cluster-", &["global", arn]),
    );
    xml.value("GlobalClusterArn", arn);
    xml.value("Status", "available");
    // Every global cluster here has a member.
    if let Some((_, cluster)) = global.members.get(global.writer.unwrap_or_default()) {
        xml.value("Engine", &cluster.engine);
        xml.value("EngineVersion", &cluster.engine_version);
        xml.value("StorageEncrypted", matches!(cluster.encryption, Encryption::Key(_)));
        xml.value("StorageEncryptionType", cluster.encryption.type_name());
    }
    xml.value("DeletionProtection", false);
    let numbered = arns.iter().enumerate();
    xml.list(
        "GlobalClusterMembers",
        "GlobalClusterMember",
        numbered,
        |xml, (number, arn)| {
            let writer = global.writer == Some(number);
            xml.value("DBClusterArn", arn);
            let readers = arns.iter().filter(|other| writer && *other != arn);
            xml.list("Readers", "member", readers, |xml, arn| xml.text(arn));
            xml.value("IsWriter", writer);
            xml.value("SynchronizationStatus", "connected");
        },
    );
}

/// The members of `DBSnapshot` or `DBClusterSnapshot`.
pub(crate) fn snapshot(xml: &mut Xml, settings: &Settings, region: &Region, snapshot: &Snapshot) {
    let omitted = settings.omitted(&snapshot.engine).chain(&snapshot.omits);
    xml.omitting(omitted.cloned().collect(), |xml| match snapshot.kind {
        Kind::Instance => instance_snapshot(xml, region, snapshot),
        Kind::Cluster => cluster_snapshot(xml, region, snapshot),
    });
}

fn instance_snapshot(xml: &mut Xml, region: &Region, snapshot: &Snapshot) {
    // Only copies from elsewhere tell where they come from.
    let source = snapshot
        .source_arn
        .as_deref()
        .filter(|arn| RdsArn::parse(arn).is_none_or(|arn| arn.region != region.name));
    xml.value("DBSnapshotIdentifier", &snapshot.id);
    xml.value("DBInstanceIdentifier", &snapshot.database);
    xml.optional("SnapshotCreateTime", snapshot.created.map(time));
    xml.optional("OriginalSnapshotCreateTime", snapshot.original_created.map(time));
    xml.value("Engine", &snapshot.engine);
    xml.value("AllocatedStorage", snapshot.allocated_storage);
    xml.value("Status", &snapshot.status);
    xml.value("Port", snapshot.details.port);
    xml.value("AvailabilityZone", format!("{}a", region.name));
    xml.value("InstanceCreateTime", time(snapshot.database_created));
    xml.value("MasterUsername", "admin");
    xml.value("EngineVersion", &snapshot.engine_version);
    xml.value("LicenseModel", &snapshot.details.license);
    xml.value("SnapshotType", &snapshot.snapshot_type);
    xml.optional("OptionGroupName", snapshot.option_group.as_ref());
    xml.value("PercentProgress", snapshot.percent);
    xml.optional(
        "SourceRegion",
        source.and_then(RdsArn::parse).map(|arn| arn.region.to_owned()),
    );
    xml.optional("SourceDBSnapshotIdentifier", source);
    storage(xml, &snapshot.details);
    xml.value("BackupRetentionPeriod", snapshot.details.retention_days);
    xml.optional("SnapshotDatabaseTime", snapshot.database_time.map(time));
    xml.value("FullSnapshotSizeInBytes", snapshot.full_size);
    encryption(xml, "Encrypted", &snapshot.encryption);
    xml.value("DBSnapshotArn", region.snapshot_arn(snapshot.kind, &snapshot.id));
    xml.value("IAMDatabaseAuthenticationEnabled", snapshot.details.iam_authentication);
    xml.optional("DbiResourceId", snapshot.resource_id.as_ref());
    xml.value("SnapshotTarget", "region");
    tags(xml, &snapshot.tags);
}

fn cluster_snapshot(xml: &mut Xml, region: &Region, snapshot: &Snapshot) {
    xml.list("AvailabilityZones", "AvailabilityZone", ["a", "b", "c"], |xml, zone| {
        xml.text(&format!("{}{zone}", region.name));
    });
    xml.value("DBClusterSnapshotIdentifier", &snapshot.id);
    xml.value("DBClusterIdentifier", &snapshot.database);
    xml.optional("SnapshotCreateTime", snapshot.created.map(time));
    xml.value("Engine", &snapshot.engine);
    xml.optional("EngineMode", snapshot.engine_mode.as_ref());
    xml.value("AllocatedStorage", snapshot.allocated_storage);
    xml.value("Status", &snapshot.status);
    xml.value("Port", snapshot.details.port);
    xml.value("ClusterCreateTime", time(snapshot.database_created));
    xml.value("MasterUsername", "admin");
    xml.value("EngineVersion", &snapshot.engine_version);
    xml.value("LicenseModel", &snapshot.details.license);
    xml.value("SnapshotType", &snapshot.snapshot_type);
    xml.value("PercentProgress", snapshot.percent);
    encryption(xml, "StorageEncrypted", &snapshot.encryption);
    xml.value("DBClusterSnapshotArn", region.snapshot_arn(snapshot.kind, &snapshot.id));
    xml.optional("SourceDBClusterSnapshotArn", snapshot.source_arn.as_ref());
    xml.optional("StorageType", snapshot.details.storage_type.as_ref());
    xml.optional("StorageThroughput", snapshot.details.storage_throughput);
    xml.value("BackupRetentionPeriod", snapshot.details.retention_days);
    xml.value("IAMDatabaseAuthenticationEnabled", snapshot.details.iam_authentication);
    xml.optional("DbClusterResourceId", snapshot.resource_id.as_ref());
    tags(xml, &snapshot.tags);
}
