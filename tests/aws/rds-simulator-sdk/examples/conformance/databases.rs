//! The operations on databases: restores, changes, deletions, and what is asked before and after them.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{
    DbClusterAutomatedBackup, DbInstanceAutomatedBackup, DbSubnetGroup, Event, MasterUserSecret, RestoreWindow,
    SourceType, VpcSecurityGroupMembership,
};
use serde_json::{Value, json};

use crate::{Input, cluster, error, instance, object, one, tags, time};

/// Makes one of the calls; any other operation is said to be unknown.
#[expect(clippy::too_many_lines, reason = "a table of operations")]
pub(crate) async fn perform(rds: &Client, operation: &str, input: &Input<'_>) -> Result<Value, Value> {
    let text = |name: &str| input.text(name);
    let texts = |name: &str| input.list(name, |text| text.as_str().unwrap_or_default().to_owned());
    Ok(match operation {
        "RestoreDBInstanceFromDBSnapshot" => {
            let output = rds
                .restore_db_instance_from_db_snapshot()
                .set_db_instance_identifier(text("DBInstanceIdentifier"))
                .set_db_snapshot_identifier(text("DBSnapshotIdentifier"))
                .set_db_subnet_group_name(text("DBSubnetGroupName"))
                .set_db_parameter_group_name(text("DBParameterGroupName"))
                .set_vpc_security_group_ids(texts("VpcSecurityGroupIds"))
                .set_publicly_accessible(input.flag("PubliclyAccessible"))
                .set_backup_retention_period(input.number("BackupRetentionPeriod"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBInstance", output.db_instance().map(instance))
        }
        "RestoreDBClusterFromSnapshot" => {
            let output = rds
                .restore_db_cluster_from_snapshot()
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_snapshot_identifier(text("SnapshotIdentifier"))
                .set_engine(text("Engine"))
                .set_db_subnet_group_name(text("DBSubnetGroupName"))
                .set_vpc_security_group_ids(texts("VpcSecurityGroupIds"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBCluster", output.db_cluster().map(cluster))
        }
        "CreateDBInstance" => {
            let output = rds
                .create_db_instance()
                .set_db_instance_identifier(text("DBInstanceIdentifier"))
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_db_instance_class(text("DBInstanceClass"))
                .set_engine(text("Engine"))
                .set_publicly_accessible(input.flag("PubliclyAccessible"))
                .set_allocated_storage(input.number("AllocatedStorage"))
                .set_master_username(text("MasterUsername"))
                .set_master_user_password(text("MasterUserPassword"))
                .set_db_subnet_group_name(text("DBSubnetGroupName"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBInstance", output.db_instance().map(instance))
        }
        "CreateDBCluster" => {
            let output = rds
                .create_db_cluster()
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_engine(text("Engine"))
                .set_master_username(text("MasterUsername"))
                .set_master_user_password(text("MasterUserPassword"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBCluster", output.db_cluster().map(cluster))
        }
        "CreateDBSubnetGroup" => {
            let output = rds
                .create_db_subnet_group()
                .set_db_subnet_group_name(text("DBSubnetGroupName"))
                .set_db_subnet_group_description(text("DBSubnetGroupDescription"))
                .set_subnet_ids(texts("SubnetIds"))
                .set_tags(input.tags())
                .send()
                .await
                .map_err(error)?;
            one("DBSubnetGroup", output.db_subnet_group().map(subnet_group))
        }
        "DeleteDBSubnetGroup" => {
            rds.delete_db_subnet_group()
                .set_db_subnet_group_name(text("DBSubnetGroupName"))
                .send()
                .await
                .map_err(error)?;
            json!({})
        }
        "ModifyDBInstance" => {
            let output = rds
                .modify_db_instance()
                .set_db_instance_identifier(text("DBInstanceIdentifier"))
                .set_manage_master_user_password(input.flag("ManageMasterUserPassword"))
                .send()
                .await
                .map_err(error)?;
            one("DBInstance", output.db_instance().map(instance))
        }
        "ModifyDBCluster" => {
            let output = rds
                .modify_db_cluster()
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_manage_master_user_password(input.flag("ManageMasterUserPassword"))
                .send()
                .await
                .map_err(error)?;
            one("DBCluster", output.db_cluster().map(cluster))
        }
        "DeleteDBInstance" => {
            let output = rds
                .delete_db_instance()
                .set_db_instance_identifier(text("DBInstanceIdentifier"))
                .set_skip_final_snapshot(input.flag("SkipFinalSnapshot"))
                .set_final_db_snapshot_identifier(text("FinalDBSnapshotIdentifier"))
                .set_delete_automated_backups(input.flag("DeleteAutomatedBackups"))
                .send()
                .await
                .map_err(error)?;
            one("DBInstance", output.db_instance().map(instance))
        }
        "DeleteDBCluster" => {
            let output = rds
                .delete_db_cluster()
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_skip_final_snapshot(input.flag("SkipFinalSnapshot"))
                .set_final_db_snapshot_identifier(text("FinalDBSnapshotIdentifier"))
                .set_delete_automated_backups(input.flag("DeleteAutomatedBackups"))
                .send()
                .await
                .map_err(error)?;
            one("DBCluster", output.db_cluster().map(cluster))
        }
        "DescribeDBInstanceAutomatedBackups" => {
            let output = rds
                .describe_db_instance_automated_backups()
                .set_db_instance_identifier(text("DBInstanceIdentifier"))
                .set_dbi_resource_id(text("DbiResourceId"))
                .set_filters(input.filters())
                .send()
                .await
                .map_err(error)?;
            let backups = output.db_instance_automated_backups().iter();
            listed(
                "DBInstanceAutomatedBackups",
                backups.map(instance_backup),
                output.marker(),
            )
        }
        "DescribeDBClusterAutomatedBackups" => {
            let output = rds
                .describe_db_cluster_automated_backups()
                .set_db_cluster_identifier(text("DBClusterIdentifier"))
                .set_db_cluster_resource_id(text("DbClusterResourceId"))
                .set_filters(input.filters())
                .send()
                .await
                .map_err(error)?;
            let backups = output.db_cluster_automated_backups().iter();
            listed(
                "DBClusterAutomatedBackups",
                backups.map(cluster_backup),
                output.marker(),
            )
        }
        "DescribeDBSubnetGroups" => {
            let output = rds
                .describe_db_subnet_groups()
                .set_db_subnet_group_name(text("DBSubnetGroupName"))
                .send()
                .await
                .map_err(error)?;
            let groups = output.db_subnet_groups().iter();
            listed("DBSubnetGroups", groups.map(subnet_group), output.marker())
        }
        "DescribeDBParameterGroups" => {
            let output = rds
                .describe_db_parameter_groups()
                .set_db_parameter_group_name(text("DBParameterGroupName"))
                .send()
                .await
                .map_err(error)?;
            let groups = output.db_parameter_groups().iter().map(|group| {
                members! {
                    "DBParameterGroupName" => group.db_parameter_group_name(),
                    "DBParameterGroupFamily" => group.db_parameter_group_family(),
                    "Description" => group.description(),
                    "DBParameterGroupArn" => group.db_parameter_group_arn(),
                }
            });
            listed("DBParameterGroups", groups, output.marker())
        }
        "DescribeDBClusterParameterGroups" => {
            let output = rds
                .describe_db_cluster_parameter_groups()
                .set_db_cluster_parameter_group_name(text("DBClusterParameterGroupName"))
                .send()
                .await
                .map_err(error)?;
            let groups = output.db_cluster_parameter_groups().iter().map(|group| {
                members! {
                    "DBClusterParameterGroupName" => group.db_cluster_parameter_group_name(),
                    "DBParameterGroupFamily" => group.db_parameter_group_family(),
                    "Description" => group.description(),
                    "DBClusterParameterGroupArn" => group.db_cluster_parameter_group_arn(),
                }
            });
            listed("DBClusterParameterGroups", groups, output.marker())
        }
        "DescribeEvents" => {
            let output = rds
                .describe_events()
                .set_source_type(text("SourceType").as_deref().map(SourceType::from))
                .set_source_identifier(text("SourceIdentifier"))
                .set_duration(input.number("Duration"))
                .set_event_categories(texts("EventCategories"))
                .set_max_records(input.number("MaxRecords"))
                .set_marker(text("Marker"))
                .send()
                .await
                .map_err(error)?;
            listed("Events", output.events().iter().map(event), output.marker())
        }
        other => json!({ "unknown": other }),
    })
}

fn listed(name: &str, items: impl Iterator<Item = Value>, marker: Option<&str>) -> Value {
    let items: Vec<Value> = items.collect();
    object([
        (name, Some(json!(items))),
        ("Marker", marker.map(|marker| json!(marker))),
    ])
}

pub(crate) fn subnet_group(group: &DbSubnetGroup) -> Value {
    let subnets: Vec<Value> = group
        .subnets()
        .iter()
        .map(|subnet| {
            members! {
                "SubnetIdentifier" => subnet.subnet_identifier(),
                "SubnetAvailabilityZone" => subnet
                    .subnet_availability_zone()
                    .map(|zone| members! { "Name" => zone.name() }),
                "SubnetStatus" => subnet.subnet_status(),
            }
        })
        .collect();
    members! {
        "DBSubnetGroupName" => group.db_subnet_group_name(),
        "DBSubnetGroupDescription" => group.db_subnet_group_description(),
        "VpcId" => group.vpc_id(),
        "SubnetGroupStatus" => group.subnet_group_status(),
        "Subnets" => Some(subnets),
        "DBSubnetGroupArn" => group.db_subnet_group_arn(),
    }
}

pub(crate) fn security_groups(groups: &[VpcSecurityGroupMembership]) -> Value {
    groups
        .iter()
        .map(|group| {
            members! { "VpcSecurityGroupId" => group.vpc_security_group_id(), "Status" => group.status() }
        })
        .collect()
}

pub(crate) fn secret(secret: &MasterUserSecret) -> Value {
    members! { "SecretArn" => secret.secret_arn(), "SecretStatus" => secret.secret_status() }
}

fn window(window: &RestoreWindow) -> Value {
    members! { "LatestTime" => time(window.latest_time()) }
}

fn instance_backup(backup: &DbInstanceAutomatedBackup) -> Value {
    members! {
        "DBInstanceArn" => backup.db_instance_arn(),
        "DbiResourceId" => backup.dbi_resource_id(),
        "DBInstanceIdentifier" => backup.db_instance_identifier(),
        "DBInstanceAutomatedBackupsArn" => backup.db_instance_automated_backups_arn(),
        "Region" => backup.region(),
        "Status" => backup.status(),
        "RestoreWindow" => backup.restore_window().map(window),
        "AllocatedStorage" => backup.allocated_storage(),
        "Engine" => backup.engine(),
        "EngineVersion" => backup.engine_version(),
        "BackupRetentionPeriod" => backup.backup_retention_period(),
        "TagList" => Some(tags(backup.tag_list())),
    }
}

fn cluster_backup(backup: &DbClusterAutomatedBackup) -> Value {
    members! {
        "DBClusterArn" => backup.db_cluster_arn(),
        "DbClusterResourceId" => backup.db_cluster_resource_id(),
        "DBClusterIdentifier" => backup.db_cluster_identifier(),
        "DBClusterAutomatedBackupsArn" => backup.db_cluster_automated_backups_arn(),
        "Region" => backup.region(),
        "Status" => backup.status(),
        "RestoreWindow" => backup.restore_window().map(window),
        "AllocatedStorage" => backup.allocated_storage(),
        "Engine" => backup.engine(),
        "EngineVersion" => backup.engine_version(),
        "BackupRetentionPeriod" => backup.backup_retention_period(),
        "TagList" => Some(tags(backup.tag_list())),
    }
}

fn event(event: &Event) -> Value {
    members! {
        "SourceIdentifier" => event.source_identifier(),
        "SourceType" => event.source_type().map(SourceType::as_str),
        "Message" => event.message(),
        "EventCategories" => Some(event.event_categories()),
        "Date" => time(event.date()),
        "SourceArn" => event.source_arn(),
    }
}
