//! From the SDK's types to those of the domain: how each kind is spelled in answers.

use std::collections::BTreeMap;

use aws_sdk_rds::types::{
    ActivityStreamStatus, DatabaseInsightsMode, DbCluster, DbClusterSnapshot, DbInstance, DbSnapshot,
    LocalWriteForwardingStatus, OptionGroup as SdkOptionGroup, ProcessorFeature, StorageEncryptionType, Tag,
};
use domain::kind::DatabaseKind;
use domain::restore_settings::{RestoreSettings, Setting};
use domain::snapshot::{Database, Encryption, OptionGroup, Snapshot};
use domain::tag_spelling::concerns_us;
use jiff::Timestamp;

pub(crate) fn instance(found: DbInstance) -> Option<Database> {
    let settings = instance_settings(&found);
    Some(Database {
        kind: DatabaseKind::Instance,
        id: found.db_instance_identifier?,
        // A record without them is left out by name: it does not vanish (P7).
        arn: found.db_instance_arn.unwrap_or_default(),
        resource_id: found.dbi_resource_id.unwrap_or_default(),
        created_at: found.instance_create_time.and_then(timestamp),
        encryption: encryption(found.storage_encryption_type.as_ref(), found.storage_encrypted),
        global_cluster: None,
        engine: found.engine.unwrap_or_default(),
        engine_version: found.engine_version.unwrap_or_default(),
        member_of: found.db_cluster_identifier,
        tags: tags_of(found.tag_list),
        status: found.db_instance_status.unwrap_or_default(),
        backup_retention_days: found.backup_retention_period,
        replica_of: found
            .read_replica_source_db_instance_identifier
            .filter(|id| !id.is_empty())
            .or(found.read_replica_source_db_cluster_identifier)
            .filter(|id| !id.is_empty()),
        aws_backup_arn: found.aws_backup_recovery_point_arn.filter(|arn| !arn.is_empty()),
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
        writer: None,
        allocated_gib: found.allocated_storage.filter(|gib| *gib > 0),
        settings,
    })
}

pub(crate) fn cluster(found: DbCluster) -> Option<Database> {
    let settings = cluster_settings(&found);
    Some(Database {
        kind: DatabaseKind::Cluster,
        id: found.db_cluster_identifier?,
        arn: found.db_cluster_arn.unwrap_or_default(),
        resource_id: found.db_cluster_resource_id.unwrap_or_default(),
        created_at: found.cluster_create_time.and_then(timestamp),
        encryption: encryption(found.storage_encryption_type.as_ref(), found.storage_encrypted),
        global_cluster: found.global_cluster_identifier.filter(|id| !id.is_empty()),
        engine: found.engine.unwrap_or_default(),
        engine_version: found.engine_version.unwrap_or_default(),
        member_of: None,
        tags: tags_of(found.tag_list),
        status: found.status.unwrap_or_default(),
        backup_retention_days: found.backup_retention_period,
        replica_of: found.replication_source_identifier.filter(|id| !id.is_empty()),
        aws_backup_arn: found.aws_backup_recovery_point_arn.filter(|arn| !arn.is_empty()),
        class: found.db_cluster_instance_class,
        parameter_group: found.db_cluster_parameter_group,
        option_group: found
            .db_cluster_option_group_memberships
            .and_then(|groups| groups.into_iter().next())
            .and_then(|group| group.db_cluster_option_group_name),
        multi_az: found.multi_az.unwrap_or_default(),
        writer: found
            .db_cluster_members
            .and_then(|members| {
                members
                    .into_iter()
                    .find(|member| member.is_cluster_writer == Some(true))
            })
            .and_then(|writer| writer.db_instance_identifier),
        allocated_gib: None,
        settings,
    })
}

pub(crate) fn instance_snapshot(found: DbSnapshot) -> Option<Snapshot> {
    let settings = instance_snapshot_settings(&found);
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
        data_time: found.snapshot_database_time.and_then(timestamp),
        engine: found.engine.unwrap_or_default(),
        engine_version: found.engine_version.unwrap_or_default(),
        encryption: encryption(found.storage_encryption_type.as_ref(), found.encrypted),
        kms_key_arn: found.kms_key_id,
        source_arn: found.source_db_snapshot_identifier.filter(|arn| !arn.is_empty()),
        size_gib: found.allocated_storage,
        full_size_bytes: found.full_snapshot_size_in_bytes,
        percent: found.percent_progress.unwrap_or_default(),
        option_group: found.option_group_name,
        settings,
        tags: tags_of(found.tag_list),
    })
}

pub(crate) fn cluster_snapshot(found: DbClusterSnapshot) -> Option<Snapshot> {
    let settings = cluster_snapshot_settings(&found);
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
        data_time: None,
        engine: found.engine.unwrap_or_default(),
        engine_version: found.engine_version.unwrap_or_default(),
        encryption: encryption(found.storage_encryption_type.as_ref(), found.storage_encrypted),
        kms_key_arn: found.kms_key_id,
        source_arn: found.source_db_cluster_snapshot_arn.filter(|arn| !arn.is_empty()),
        // Aurora always says 1, whatever the cluster holds.
        size_gib: None,
        full_size_bytes: None,
        percent: found.percent_progress.unwrap_or_default(),
        option_group: None,
        settings,
        tags: tags_of(found.tag_list),
    })
}

/// `true`, where it is: what is off is what RDS does without being asked.
fn on(flag: Option<bool>) -> Option<bool> {
    flag.filter(|on| *on)
}

/// `false`, where it is off: what is on is what RDS does without being asked.
fn off(flag: Option<bool>) -> Option<bool> {
    flag.filter(|on| !*on)
}

/// A number, unless it is 0, which stands for none.
fn some(number: Option<i32>) -> Option<i32> {
    number.filter(|number| *number > 0)
}

/// The names that there are, joined.
fn joined<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Option<String> {
    let names: Vec<T> = names.into_iter().collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    Some(names.join("+")).filter(|names| !names.is_empty())
}

/// `false` for a database that is kept out of Extended Support; being in it is what RDS does without being asked.
fn extended_support(lifecycle: Option<&String>) -> Option<bool> {
    off(lifecycle.map(|lifecycle| !lifecycle.ends_with("-disabled")))
}

fn feature<'a>(features: Option<&'a [ProcessorFeature]>, name: &str) -> Option<&'a String> {
    let mut features = features?.iter();
    features.find(|feature| feature.name() == Some(name))?.value.as_ref()
}

fn instance_settings(found: &DbInstance) -> RestoreSettings {
    let of_endpoint = found.endpoint.as_ref().and_then(|endpoint| endpoint.port);
    let of_details = found
        .certificate_details
        .as_ref()
        .and_then(|details| details.ca_identifier.as_ref());
    let directory = found.domain_memberships().first();
    let roles = found.associated_roles().iter();
    let insights = found.performance_insights_retention_period;
    let insights = insights.filter(|_| found.performance_insights_enabled == Some(true));
    let is_advanced = found.database_insights_mode == Some(DatabaseInsightsMode::Advanced);
    RestoreSettings::default()
        .with(Setting::DeletionProtection, found.deletion_protection)
        .with(Setting::Port, some(of_endpoint.or(found.db_instance_port)))
        .with(Setting::Iam, on(found.iam_database_authentication_enabled))
        .with(Setting::ManagedPassword, on(Some(found.master_user_secret.is_some())))
        .with(Setting::Storage, found.storage_type.as_ref())
        .with(Setting::Iops, some(found.iops))
        .with(Setting::Throughput, some(found.storage_throughput))
        .with(Setting::License, found.license_model.as_ref())
        .with(Setting::Logs, joined(found.enabled_cloudwatch_logs_exports()))
        .with(Setting::Ca, found.ca_certificate_identifier.as_ref().or(of_details))
        .with(Setting::BackupRetention, found.backup_retention_period)
        .with(Setting::MaxStorage, some(found.max_allocated_storage))
        .with(Setting::Network, dual(found.network_type.as_ref()))
        .with(
            Setting::Cores,
            feature(found.processor_features.as_deref(), "coreCount"),
        )
        .with(
            Setting::Threads,
            feature(found.processor_features.as_deref(), "threadsPerCore"),
        )
        .with(Setting::LogVolume, on(found.dedicated_log_volume))
        .with(Setting::InstanceProfile, found.custom_iam_instance_profile.as_ref())
        .with(
            Setting::ExtendedSupport,
            extended_support(found.engine_lifecycle_support.as_ref()),
        )
        .with(Setting::CopyTags, on(found.copy_tags_to_snapshot))
        .with(Setting::Monitoring, some(found.monitoring_interval))
        .with(Setting::MonitoringRole, found.monitoring_role_arn.as_ref())
        .with(Setting::InsightsMode, is_advanced.then_some("advanced"))
        .with(Setting::Insights, insights)
        .with(Setting::AutoUpgrade, off(found.auto_minor_version_upgrade))
        .with(Setting::BackupWindow, found.preferred_backup_window.as_ref())
        .with(Setting::MaintenanceWindow, found.preferred_maintenance_window.as_ref())
        .with(
            Setting::Directory,
            directory.and_then(|directory| directory.domain.as_ref().or(directory.fqdn.as_ref())),
        )
        .with(Setting::Roles, joined(roles.filter_map(|role| role.feature_name())))
        .with(
            Setting::ActivityStream,
            on(Some(
                found.activity_stream_status == Some(ActivityStreamStatus::Started),
            )),
        )
        .with(Setting::Public, on(found.publicly_accessible))
}

fn cluster_settings(found: &DbCluster) -> RestoreSettings {
    let capacity = found.serverless_v2_scaling_configuration.as_ref();
    let directory = found.domain_memberships().first();
    let roles = found.associated_roles().iter();
    let is_advanced = found.database_insights_mode == Some(DatabaseInsightsMode::Advanced);
    let forwards = matches!(
        found.local_write_forwarding_status,
        Some(LocalWriteForwardingStatus::Enabled | LocalWriteForwardingStatus::Enabling)
    );
    RestoreSettings::default()
        .with(Setting::DeletionProtection, found.deletion_protection)
        .with(Setting::Port, some(found.port))
        .with(Setting::Iam, on(found.iam_database_authentication_enabled))
        .with(Setting::ManagedPassword, on(Some(found.master_user_secret.is_some())))
        .with(Setting::Storage, found.storage_type.as_ref())
        .with(
            Setting::MinCapacity,
            capacity.and_then(|capacity| capacity.min_capacity),
        )
        .with(
            Setting::MaxCapacity,
            capacity.and_then(|capacity| capacity.max_capacity),
        )
        .with(
            Setting::AutoPause,
            some(capacity.and_then(|capacity| capacity.seconds_until_auto_pause)),
        )
        .with(
            Setting::Members,
            Some(found.db_cluster_members().len()).filter(|members| *members > 0),
        )
        .with(Setting::Logs, joined(found.enabled_cloudwatch_logs_exports()))
        .with(Setting::BackupRetention, found.backup_retention_period)
        .with(Setting::Network, dual(found.network_type.as_ref()))
        .with(
            Setting::ExtendedSupport,
            extended_support(found.engine_lifecycle_support.as_ref()),
        )
        .with(Setting::CopyTags, on(found.copy_tags_to_snapshot))
        .with(
            Setting::Backtrack,
            found.backtrack_window.filter(|seconds| *seconds > 0),
        )
        .with(Setting::InsightsMode, is_advanced.then_some("advanced"))
        .with(Setting::BackupWindow, found.preferred_backup_window.as_ref())
        .with(Setting::MaintenanceWindow, found.preferred_maintenance_window.as_ref())
        .with(Setting::HttpEndpoint, on(found.http_endpoint_enabled))
        .with(Setting::WriteForwarding, on(Some(forwards)))
        .with(
            Setting::Directory,
            directory.and_then(|directory| directory.domain.as_ref().or(directory.fqdn.as_ref())),
        )
        .with(
            Setting::Roles,
            joined(roles.map(|role| role.feature_name().unwrap_or("role"))),
        )
        .with(
            Setting::ActivityStream,
            on(Some(
                found.activity_stream_status == Some(ActivityStreamStatus::Started),
            )),
        )
}

fn instance_snapshot_settings(found: &DbSnapshot) -> RestoreSettings {
    RestoreSettings::default()
        .with(Setting::Port, some(found.port))
        .with(Setting::Iam, on(found.iam_database_authentication_enabled))
        .with(Setting::Storage, found.storage_type.as_ref())
        .with(Setting::Iops, some(found.iops))
        .with(Setting::Throughput, some(found.storage_throughput))
        .with(Setting::License, found.license_model.as_ref())
        .with(Setting::BackupRetention, found.backup_retention_period)
        .with(Setting::BackupWindow, found.preferred_backup_window.as_ref())
        .with(
            Setting::Cores,
            feature(found.processor_features.as_deref(), "coreCount"),
        )
        .with(
            Setting::Threads,
            feature(found.processor_features.as_deref(), "threadsPerCore"),
        )
        .with(Setting::LogVolume, on(found.dedicated_log_volume))
}

/// The models of `DocumentDB` and Neptune know fewer of them; those are absent.
fn cluster_snapshot_settings(found: &DbClusterSnapshot) -> RestoreSettings {
    RestoreSettings::default()
        .with(Setting::Port, some(found.port))
        .with(Setting::Iam, on(found.iam_database_authentication_enabled))
        .with(Setting::Storage, found.storage_type.as_ref())
        .with(Setting::BackupRetention, found.backup_retention_period)
        .with(Setting::BackupWindow, found.preferred_backup_window.as_ref())
}

/// The network type, where it is not the usual one.
fn dual(network: Option<&String>) -> Option<&String> {
    network.filter(|network| *network == "DUAL")
}

/// Transparent data encryption, of Oracle and of SQL Server: a snapshot cannot do without it (API reference,
/// `CopyDBSnapshot`, `OptionGroupName`), though SQL Server's is not called permanent.
const ENCRYPTION_OPTIONS: [&str; 2] = ["TDE", "TRANSPARENT_DATA_ENCRYPTION"];

pub(crate) fn option_group(found: SdkOptionGroup) -> Option<OptionGroup> {
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

pub(crate) fn tags_of(list: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    list.into_iter()
        .flatten()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

/// A database of a list: without its settings, and with those of its tags only that are ours, or were meant to be. Of
/// thousands, the others are more memory than all the rest.
pub(crate) fn without_details(database: Option<Database>) -> Option<Database> {
    let mut database = database?;
    database.tags.retain(|key, _| concerns_us(key));
    database.settings = RestoreSettings::default();
    Some(database)
}

/// The type says more than the flag, which is false for keys that AWS owns; older answers have only the flag.
fn encryption(kind: Option<&StorageEncryptionType>, flag: Option<bool>) -> Encryption {
    match (kind, flag) {
        (Some(StorageEncryptionType::Sse), _) => Encryption::AwsOwned,
        (Some(StorageEncryptionType::Cmk), _) | (_, Some(true)) => Encryption::Kms,
        _ => Encryption::None,
    }
}

/// A time of any service's SDK.
#[must_use]
pub fn timestamp(time: aws_sdk_rds::primitives::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::{
        DbClusterMember, DbInstanceRole, DomainMembership, Endpoint, MasterUserSecret,
        ServerlessV2ScalingConfigurationInfo,
    };

    use super::*;

    #[test]
    fn the_size_of_a_cluster_says_nothing_and_that_of_an_instance_does() {
        let cluster = DbClusterSnapshot::builder()
            .db_cluster_snapshot_identifier("billing")
            .db_cluster_snapshot_arn("arn")
            .allocated_storage(1);
        assert_eq!(cluster_snapshot(cluster.build()).expect("a snapshot").size_gib, None);
        let instance = DbSnapshot::builder()
            .db_snapshot_identifier("orders")
            .db_snapshot_arn("arn")
            .allocated_storage(200);
        assert_eq!(
            instance_snapshot(instance.build()).expect("a snapshot").size_gib,
            Some(200)
        );
    }

    /// Facts 2, 0.3.
    #[test]
    fn the_true_size_and_the_time_of_the_data_are_read_where_rds_gives_them() {
        let instance = DbSnapshot::builder()
            .db_snapshot_identifier("orders")
            .db_snapshot_arn("arn")
            .full_snapshot_size_in_bytes(3 << 30)
            .snapshot_database_time(aws_sdk_rds::primitives::DateTime::from_secs(1_795_348_800));
        let snapshot = instance_snapshot(instance.build()).expect("a snapshot");
        assert_eq!(snapshot.data_gib(), Some(3));
        assert_eq!(snapshot.data_time, Timestamp::new(1_795_348_800, 0).ok());
    }

    /// D3: each by the field that the selection judges.
    #[test]
    fn what_makes_no_snapshots_is_read_from_its_fields() {
        let replica = DbInstance::builder()
            .db_instance_identifier("books-replica")
            .db_instance_status("stopped")
            .backup_retention_period(0)
            .read_replica_source_db_instance_identifier("books")
            .aws_backup_recovery_point_arn("arn:aws:backup:eu-west-1:123456789012:recovery-point:1");
        let read = instance(replica.build()).expect("an instance");
        assert_eq!((read.status.as_str(), read.backup_retention_days), ("stopped", Some(0)));
        assert_eq!(read.replica_of.as_deref(), Some("books"));
        assert!(read.aws_backup_arn.is_some());
        let of_cluster = DbInstance::builder()
            .db_instance_identifier("books-replica")
            .read_replica_source_db_cluster_identifier("shelves");
        let read = instance(of_cluster.build()).expect("an instance");
        assert_eq!(read.replica_of.as_deref(), Some("shelves"));
        let read = cluster(
            DbCluster::builder()
                .db_cluster_identifier("billing")
                .replication_source_identifier("arn:aws:rds:us-east-1:123456789012:cluster:billing")
                .status("available")
                .build(),
        );
        let read = read.expect("a cluster");
        assert!(read.replica_of.is_some_and(|source| source.ends_with(":billing")));
    }

    /// P7.
    #[test]
    fn a_record_without_an_arn_does_not_vanish() {
        let read = instance(DbInstance::builder().db_instance_identifier("books").build());
        assert_eq!(
            read.map(|database| (database.id, database.arn)),
            Some(("books".to_owned(), String::new()))
        );
    }

    /// M6: a tag that was meant for us is not dropped before it can be warned of.
    #[test]
    fn of_a_listed_databases_tags_those_stay_that_may_have_been_meant_for_us() {
        let tag = |key: &str| Tag::builder().key(key).value("1").build();
        let tagged = DbInstance::builder()
            .db_instance_identifier("books")
            .set_tag_list(Some(vec![tag("team"), tag("snapferry:keep"), tag("SNAPFERRY:KEEP")]));
        let one = instance(tagged.build()).expect("an instance");
        // m15: who asks for one database gets all of them.
        assert_eq!(one.tags.len(), 3);
        let tags = without_details(Some(one)).expect("an instance").tags;
        assert_eq!(
            tags.into_keys().collect::<Vec<_>>(),
            ["SNAPFERRY:KEEP", "snapferry:keep"]
        );
    }

    fn settings(settings: &RestoreSettings) -> Vec<(&'static str, &str)> {
        settings
            .iter()
            .map(|(setting, value)| (setting.name(), value))
            .collect()
    }

    /// D11: what a restore has to give again is read, and what RDS does anyhow is left out.
    #[test]
    fn the_settings_of_an_instance_are_those_that_a_restore_has_to_give_again() {
        let plain = DbInstance::builder()
            .db_instance_identifier("orders")
            .db_instance_arn("arn")
            .dbi_resource_id("db-ORDERS")
            .deletion_protection(false)
            .iam_database_authentication_enabled(false)
            .auto_minor_version_upgrade(true)
            .publicly_accessible(false)
            .copy_tags_to_snapshot(false)
            .network_type("IPV4")
            .monitoring_interval(0)
            .performance_insights_enabled(false)
            .engine_lifecycle_support("open-source-rds-extended-support");
        let plain = instance(plain.build()).expect("an instance");
        assert_eq!(settings(&plain.settings), [("deletion-protection", "false")]);

        let full = DbInstance::builder()
            .db_instance_identifier("orders")
            .db_instance_arn("arn")
            .dbi_resource_id("db-ORDERS")
            .deletion_protection(true)
            .endpoint(Endpoint::builder().port(5433).build())
            .iam_database_authentication_enabled(true)
            .master_user_secret(MasterUserSecret::builder().secret_status("active").build())
            .storage_type("gp3")
            .iops(12_000)
            .storage_throughput(500)
            .license_model("license-included")
            .enabled_cloudwatch_logs_exports("postgresql")
            .enabled_cloudwatch_logs_exports("upgrade")
            .ca_certificate_identifier("rds-ca-rsa2048-g1")
            .backup_retention_period(7)
            .max_allocated_storage(1000)
            .network_type("DUAL")
            .processor_features(ProcessorFeature::builder().name("coreCount").value("4").build())
            .dedicated_log_volume(true)
            .engine_lifecycle_support("open-source-rds-extended-support-disabled")
            .copy_tags_to_snapshot(true)
            .monitoring_interval(60)
            .monitoring_role_arn("arn:aws:iam::123456789012:role/monitoring")
            .performance_insights_enabled(true)
            .performance_insights_retention_period(465)
            .database_insights_mode(DatabaseInsightsMode::Advanced)
            .auto_minor_version_upgrade(false)
            .preferred_backup_window("03:00-03:30")
            .preferred_maintenance_window("sun:05:00-sun:06:00")
            .domain_memberships(DomainMembership::builder().domain("d-1").build())
            .associated_roles(DbInstanceRole::builder().feature_name("s3Import").build())
            .activity_stream_status(ActivityStreamStatus::Started)
            .publicly_accessible(true);
        let full = instance(full.build()).expect("an instance");
        assert_eq!(
            settings(&full.settings),
            [
                ("deletion-protection", "true"),
                ("port", "5433"),
                ("iam", "true"),
                ("managed-password", "true"),
                ("storage", "gp3"),
                ("iops", "12000"),
                ("throughput", "500"),
                ("license", "license-included"),
                ("logs", "postgresql+upgrade"),
                ("ca", "rds-ca-rsa2048-g1"),
                ("backup-retention", "7"),
                ("max-storage", "1000"),
                ("network", "DUAL"),
                ("cores", "4"),
                ("log-volume", "true"),
                ("extended-support", "false"),
                ("copy-tags", "true"),
                ("monitoring", "60"),
                ("monitoring-role", "arn:aws:iam::123456789012:role/monitoring"),
                ("insights-mode", "advanced"),
                ("insights", "465"),
                ("auto-upgrade", "false"),
                ("backup-window", "03:00-03:30"),
                ("maintenance-window", "sun:05:00-sun:06:00"),
                ("directory", "d-1"),
                ("roles", "s3Import"),
                ("activity-stream", "true"),
                ("public", "true"),
            ]
        );
    }

    #[test]
    fn a_cluster_says_its_writer_its_capacity_and_how_many_instances_it_has() {
        let member = |id: &str, writer| {
            DbClusterMember::builder()
                .db_instance_identifier(id)
                .is_cluster_writer(writer)
                .build()
        };
        let found = DbCluster::builder()
            .db_cluster_identifier("billing")
            .db_cluster_arn("arn")
            .db_cluster_resource_id("cluster-BILLING")
            .deletion_protection(true)
            .storage_type("aurora-iopt1")
            .serverless_v2_scaling_configuration(
                ServerlessV2ScalingConfigurationInfo::builder()
                    .min_capacity(0.5)
                    .max_capacity(16.0)
                    .build(),
            )
            .db_cluster_members(member("billing-a", false))
            .db_cluster_members(member("billing-b", true))
            .backtrack_window(3600)
            .http_endpoint_enabled(true)
            .local_write_forwarding_status(LocalWriteForwardingStatus::Enabled);
        let found = cluster(found.build()).expect("a cluster");
        assert_eq!(found.writer.as_deref(), Some("billing-b"));
        assert_eq!(
            settings(&found.settings),
            [
                ("deletion-protection", "true"),
                ("storage", "aurora-iopt1"),
                ("min-capacity", "0.5"),
                ("max-capacity", "16"),
                ("members", "2"),
                ("backtrack", "3600"),
                ("http-endpoint", "true"),
                ("write-forwarding", "true"),
            ]
        );
    }

    #[test]
    fn a_snapshot_says_what_it_knows_of_its_database() {
        let found = DbSnapshot::builder()
            .db_snapshot_identifier("orders")
            .db_snapshot_arn("arn")
            .port(5432)
            .storage_type("io2")
            .iops(20_000)
            .storage_throughput(0)
            .license_model("postgresql-license")
            .iam_database_authentication_enabled(true);
        let found = instance_snapshot(found.build()).expect("a snapshot");
        assert_eq!(
            settings(&found.settings),
            [
                ("port", "5432"),
                ("iam", "true"),
                ("storage", "io2"),
                ("iops", "20000"),
                ("license", "postgresql-license"),
            ]
        );
    }
}
