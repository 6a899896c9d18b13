//! The operations of the API, one file for each thing that they are about.

pub(crate) mod automated_backups;
mod copy;
mod create;
mod delete;
mod describe;
mod describe_events;
mod keys;
mod members;
mod modify;
mod offers;
mod parameter_groups;
mod presigned;
mod quotas;
mod restore;
mod restore_checks;
mod restore_parameters;
mod restore_rights;
mod snapshots;
mod subnet_groups;
mod tags;
mod write;

use crate::error::ApiError;
use crate::model::Kind;
use crate::request::{Request, Service};
use crate::simulator::{Call, Output, Simulator};

/// What the simulator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    DescribeDatabases(Kind),
    DescribeSnapshots(Kind),
    CopySnapshot(Kind),
    CreateSnapshot(Kind),
    DeleteSnapshot(Kind),
    RestoreSnapshot(Kind),
    CreateDatabase(Kind),
    ModifyDatabase(Kind),
    DeleteDatabase(Kind),
    DescribeAutomatedBackups(Kind),
    CreateSubnetGroup,
    DeleteSubnetGroup,
    DescribeSubnetGroups,
    DescribeParameterGroups(Kind),
    DescribeEvents,
    AddTags,
    RemoveTags,
    ListTags,
    DescribeAccountAttributes,
    DescribeOptionGroups,
    DescribeGlobalClusters,
    DescribeOrderableOptions,
    DescribeKey,
}

use Kind::{Cluster, Instance};
use Operation::{
    AddTags, CopySnapshot, CreateDatabase, CreateSnapshot, CreateSubnetGroup, DeleteDatabase, DeleteSnapshot,
    DeleteSubnetGroup, DescribeAccountAttributes, DescribeAutomatedBackups, DescribeDatabases, DescribeEvents,
    DescribeGlobalClusters, DescribeKey, DescribeOptionGroups, DescribeOrderableOptions, DescribeParameterGroups,
    DescribeSnapshots, DescribeSubnetGroups, ListTags, ModifyDatabase, RemoveTags, RestoreSnapshot,
};

impl Operation {
    pub(crate) const ALL: [Self; 34] = [
        DescribeDatabases(Instance),
        DescribeDatabases(Cluster),
        DescribeSnapshots(Instance),
        DescribeSnapshots(Cluster),
        CopySnapshot(Instance),
        CopySnapshot(Cluster),
        CreateSnapshot(Instance),
        CreateSnapshot(Cluster),
        DeleteSnapshot(Instance),
        DeleteSnapshot(Cluster),
        RestoreSnapshot(Instance),
        RestoreSnapshot(Cluster),
        CreateDatabase(Instance),
        CreateDatabase(Cluster),
        ModifyDatabase(Instance),
        ModifyDatabase(Cluster),
        DeleteDatabase(Instance),
        DeleteDatabase(Cluster),
        DescribeAutomatedBackups(Instance),
        DescribeAutomatedBackups(Cluster),
        CreateSubnetGroup,
        DeleteSubnetGroup,
        DescribeSubnetGroups,
        DescribeParameterGroups(Instance),
        DescribeParameterGroups(Cluster),
        DescribeEvents,
        AddTags,
        RemoveTags,
        ListTags,
        DescribeAccountAttributes,
        DescribeOptionGroups,
        DescribeGlobalClusters,
        DescribeOrderableOptions,
        DescribeKey,
    ];

    pub(crate) fn named(service: Service, name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.service() == service && operation.name() == name)
    }

    pub(crate) fn service(self) -> Service {
        match self {
            DescribeKey => Service::Kms,
            _ => Service::Rds,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            DescribeDatabases(Instance) => "DescribeDBInstances",
            DescribeDatabases(Cluster) => "DescribeDBClusters",
            DescribeSnapshots(Instance) => "DescribeDBSnapshots",
            DescribeSnapshots(Cluster) => "DescribeDBClusterSnapshots",
            CopySnapshot(Instance) => "CopyDBSnapshot",
            CopySnapshot(Cluster) => "CopyDBClusterSnapshot",
            CreateSnapshot(Instance) => "CreateDBSnapshot",
            CreateSnapshot(Cluster) => "CreateDBClusterSnapshot",
            DeleteSnapshot(Instance) => "DeleteDBSnapshot",
            DeleteSnapshot(Cluster) => "DeleteDBClusterSnapshot",
            RestoreSnapshot(Instance) => "RestoreDBInstanceFromDBSnapshot",
            RestoreSnapshot(Cluster) => "RestoreDBClusterFromSnapshot",
            CreateDatabase(Instance) => "CreateDBInstance",
            CreateDatabase(Cluster) => "CreateDBCluster",
            CreateSubnetGroup => "CreateDBSubnetGroup",
            DeleteSubnetGroup => "DeleteDBSubnetGroup",
            ModifyDatabase(Instance) => "ModifyDBInstance",
            ModifyDatabase(Cluster) => "ModifyDBCluster",
            DeleteDatabase(Instance) => "DeleteDBInstance",
            DeleteDatabase(Cluster) => "DeleteDBCluster",
            DescribeAutomatedBackups(Instance) => "DescribeDBInstanceAutomatedBackups",
            DescribeAutomatedBackups(Cluster) => "DescribeDBClusterAutomatedBackups",
            DescribeSubnetGroups => "DescribeDBSubnetGroups",
            DescribeParameterGroups(Instance) => "DescribeDBParameterGroups",
            DescribeParameterGroups(Cluster) => "DescribeDBClusterParameterGroups",
            DescribeEvents => "DescribeEvents",
            AddTags => "AddTagsToResource",
            RemoveTags => "RemoveTagsFromResource",
            ListTags => "ListTagsForResource",
            DescribeAccountAttributes => "DescribeAccountAttributes",
            DescribeOptionGroups => "DescribeOptionGroups",
            DescribeGlobalClusters => "DescribeGlobalClusters",
            DescribeOrderableOptions => "DescribeOrderableDBInstanceOptions",
            DescribeKey => "DescribeKey",
        }
    }

    /// The action in a policy.
    pub(crate) fn action(self) -> String {
        format!("{}:{}", self.service().name(), self.name())
    }

    pub(crate) fn writes(self) -> bool {
        matches!(
            self,
            CopySnapshot(_)
                | CreateSnapshot(_)
                | DeleteSnapshot(_)
                | RestoreSnapshot(_)
                | CreateDatabase(_)
                | CreateSubnetGroup
                | DeleteSubnetGroup
                | ModifyDatabase(_)
                | DeleteDatabase(_)
                | AddTags
                | RemoveTags
        )
    }

    /// What a write is about, and the source of a copy.
    pub(crate) fn subject(self, request: &Request) -> (&str, Option<&str>) {
        let (subject, source) = match self {
            CopySnapshot(Instance) => ("TargetDBSnapshotIdentifier", Some("SourceDBSnapshotIdentifier")),
            CopySnapshot(Cluster) => (
                "TargetDBClusterSnapshotIdentifier",
                Some("SourceDBClusterSnapshotIdentifier"),
            ),
            CreateSnapshot(Instance) | DeleteSnapshot(Instance) => ("DBSnapshotIdentifier", None),
            CreateSnapshot(Cluster) | DeleteSnapshot(Cluster) => ("DBClusterSnapshotIdentifier", None),
            RestoreSnapshot(Instance) => ("DBInstanceIdentifier", Some("DBSnapshotIdentifier")),
            RestoreSnapshot(Cluster) => ("DBClusterIdentifier", Some("SnapshotIdentifier")),
            CreateDatabase(Instance) | ModifyDatabase(Instance) | DeleteDatabase(Instance) => {
                ("DBInstanceIdentifier", None)
            }
            CreateDatabase(Cluster) | ModifyDatabase(Cluster) | DeleteDatabase(Cluster) => {
                ("DBClusterIdentifier", None)
            }
            CreateSubnetGroup | DeleteSubnetGroup => ("DBSubnetGroupName", None),
            _ => ("ResourceName", None),
        };
        (
            request.get(subject).unwrap_or_default(),
            source.and_then(|source| request.get(source)),
        )
    }

    /// The parameters that it takes; lists end in a dot.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            DescribeDatabases(Instance) => &["DBInstanceIdentifier", "Filters.", "MaxRecords", "Marker"],
            DescribeDatabases(Cluster) => &[
                "DBClusterIdentifier",
                "Filters.",
                "MaxRecords",
                "Marker",
                "IncludeShared",
            ],
            DescribeSnapshots(Instance) => &[
                "DBInstanceIdentifier",
                "DBSnapshotIdentifier",
                "SnapshotType",
                "Filters.",
                "MaxRecords",
                "Marker",
                "IncludeShared",
                "IncludePublic",
                "DbiResourceId",
            ],
            DescribeSnapshots(Cluster) => &[
                "DBClusterIdentifier",
                "DBClusterSnapshotIdentifier",
                "SnapshotType",
                "Filters.",
                "MaxRecords",
                "Marker",
                "IncludeShared",
                "IncludePublic",
                "DbClusterResourceId",
            ],
            CopySnapshot(Instance) => &[
                "SourceDBSnapshotIdentifier",
                "TargetDBSnapshotIdentifier",
                "KmsKeyId",
                "Tags.",
                "CopyTags",
                "PreSignedUrl",
                "OptionGroupName",
                "TargetCustomAvailabilityZone",
                "SnapshotTarget",
                "CopyOptionGroup",
                "SnapshotAvailabilityZone",
            ],
            CopySnapshot(Cluster) => &[
                "SourceDBClusterSnapshotIdentifier",
                "TargetDBClusterSnapshotIdentifier",
                "KmsKeyId",
                "Tags.",
                "CopyTags",
                "PreSignedUrl",
            ],
            CreateSnapshot(Instance) => &["DBSnapshotIdentifier", "DBInstanceIdentifier", "Tags."],
            CreateSnapshot(Cluster) => &["DBClusterSnapshotIdentifier", "DBClusterIdentifier", "Tags."],
            DeleteSnapshot(Instance) => &["DBSnapshotIdentifier"],
            DeleteSnapshot(Cluster) => &["DBClusterSnapshotIdentifier"],
            RestoreSnapshot(Instance) => restore_parameters::INSTANCE_RESTORE,
            RestoreSnapshot(Cluster) => restore_parameters::CLUSTER_RESTORE,
            CreateDatabase(Instance) => restore_parameters::MEMBER,
            CreateDatabase(Cluster) => create::CLUSTER,
            CreateSubnetGroup => &["DBSubnetGroupName", "DBSubnetGroupDescription", "SubnetIds.", "Tags."],
            DeleteSubnetGroup => &["DBSubnetGroupName"],
            ModifyDatabase(Instance) => restore_parameters::INSTANCE_CHANGE,
            ModifyDatabase(Cluster) => restore_parameters::CLUSTER_CHANGE,
            DeleteDatabase(Instance) => delete::INSTANCE,
            DeleteDatabase(Cluster) => delete::CLUSTER,
            DescribeAutomatedBackups(Instance) => automated_backups::OF_INSTANCES,
            DescribeAutomatedBackups(Cluster) => automated_backups::OF_CLUSTERS,
            DescribeSubnetGroups => &["DBSubnetGroupName", "Filters.", "MaxRecords", "Marker"],
            DescribeParameterGroups(Instance) => &["DBParameterGroupName", "Filters.", "MaxRecords", "Marker"],
            DescribeParameterGroups(Cluster) => &["DBClusterParameterGroupName", "Filters.", "MaxRecords", "Marker"],
            DescribeEvents => describe_events::PARAMETERS,
            AddTags => &["ResourceName", "Tags."],
            RemoveTags => &["ResourceName", "TagKeys."],
            ListTags => &["ResourceName", "Filters."],
            DescribeAccountAttributes => &[],
            DescribeOptionGroups => &[
                "OptionGroupName",
                "EngineName",
                "MajorEngineVersion",
                "Filters.",
                "MaxRecords",
                "Marker",
            ],
            DescribeGlobalClusters => &["GlobalClusterIdentifier", "Filters.", "MaxRecords", "Marker"],
            DescribeOrderableOptions => offers::PARAMETERS,
            DescribeKey => &["KeyId", "GrantTokens"],
        }
    }
}

/// Refuses another version of the API, and parameters that the operation does not have.
pub(crate) fn check_parameters(operation: Operation, request: &Request) -> Result<(), ApiError> {
    if operation.service() == Service::Rds && request.get("Version") != Some("2014-10-31") {
        return Err(ApiError::new(
            400,
            "InvalidAction",
            "The version of the API must be 2014-10-31",
        ));
    }
    let known = operation.parameters();
    for name in request.parameters.keys() {
        let taken = ["Action", "Version"].contains(&name.as_str())
            || known
                .iter()
                .any(|known| name == known || known.ends_with('.') && name.starts_with(known))
            // An empty list is sent as its bare name.
            || known.iter().any(|known| known.trim_end_matches('.') == name);
        if !taken {
            return Err(ApiError::new(
                400,
                "UnknownParameter",
                format!("{} has no parameter {name}", operation.name()),
            ));
        }
    }
    Ok(())
}

/// Does what a call asks for.
pub(crate) fn perform(simulator: &mut Simulator, call: &Call<'_>) -> Result<Output, ApiError> {
    let xml = match call.operation {
        DescribeDatabases(kind) => simulator.describe_databases(call, kind),
        DescribeSnapshots(kind) => simulator.describe_snapshots(call, kind),
        CopySnapshot(kind) => simulator.copy_snapshot(call, kind),
        CreateSnapshot(kind) => simulator.create_snapshot(call, kind),
        DeleteSnapshot(kind) => simulator.delete_snapshot(call, kind),
        RestoreSnapshot(kind) => simulator.restore_snapshot(call, kind),
        CreateDatabase(Instance) if call.request.get("DBClusterIdentifier").is_some() => simulator.create_member(call),
        CreateDatabase(kind) => simulator.create_database(call, kind),
        CreateSubnetGroup => simulator.create_subnet_group(call),
        DeleteSubnetGroup => simulator.delete_subnet_group(call),
        ModifyDatabase(kind) => simulator.modify_database(call, kind),
        DeleteDatabase(kind) => simulator.delete_database(call, kind),
        DescribeAutomatedBackups(kind) => simulator.describe_automated_backups(call, kind),
        DescribeSubnetGroups => simulator.describe_subnet_groups(call),
        DescribeParameterGroups(kind) => simulator.describe_parameter_groups(call, kind),
        DescribeEvents => simulator.describe_events(call),
        AddTags => simulator.add_tags(call),
        RemoveTags => simulator.remove_tags(call),
        ListTags => simulator.list_tags(call),
        DescribeAccountAttributes => simulator.describe_account_attributes(call),
        DescribeOptionGroups => simulator.describe_option_groups(call),
        DescribeGlobalClusters => simulator.describe_global_clusters(call),
        DescribeOrderableOptions => simulator.describe_orderable_options(call),
        DescribeKey => return simulator.describe_key(call).map(Output::Json),
    };
    xml.map(Output::Xml)
}
