//! New databases: instances that belong to no cluster, and clusters, which begin without an instance.

use crate::error::ApiError;
use crate::hash;
use crate::life::{Life, Stage};
use crate::model::{Kind, Tags};
use crate::network::Network;
use crate::operations::restore::{MAX_IDENTIFIER, identifier_of};
use crate::operations::restore_checks::{check_class, check_parameter_group, check_retention, number, retention};
use crate::operations::restore_rights::Wanted;
use crate::operations::subnet_groups::check_network;
use crate::operations::tags;
use crate::option_groups;
use crate::request::Request;
use crate::scenario::{self, Members, ServerlessV2Scaling};
use crate::seed::{current_version, prefix};
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// The parameters of `CreateDBCluster`; lists and structures end in a dot.
#[rustfmt::skip]
pub(super) const CLUSTER: &[&str] = &[
    "AllocatedStorage", "AssociatedRoles.", "AutoMinorVersionUpgrade", "AvailabilityZones.", "BacktrackWindow",
    "BackupRetentionPeriod", "CACertificateIdentifier", "CharacterSetName", "ClusterScalabilityType",
    "CopyTagsToSnapshot", "DBClusterIdentifier", "DBClusterInstanceClass", "DBClusterParameterGroupName",
    "DBSubnetGroupName", "DBSystemId", "DatabaseInsightsMode", "DatabaseName", "DeletionProtection", "Domain",
    "DomainIAMRoleName", "EnableCloudwatchLogsExports.", "EnableGlobalWriteForwarding", "EnableHttpEndpoint",
    "EnableIAMDatabaseAuthentication", "EnableLimitlessDatabase", "EnableLocalWriteForwarding",
    "EnablePerformanceInsights", "Engine", "EngineLifecycleSupport", "EngineMode", "EngineVersion",
    "GlobalClusterIdentifier", "Iops", "KmsKeyId", "ManageMasterUserPassword", "MasterUserAuthenticationType",
    "MasterUserPassword", "MasterUserSecretKmsKeyId", "MasterUsername", "MonitoringInterval", "MonitoringRoleArn",
    "NetworkType", "OptionGroupName", "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod", "Port",
    "PreSignedUrl", "PreferredBackupWindow", "PreferredMaintenanceWindow", "PubliclyAccessible",
    "RdsCustomClusterConfiguration.", "ReplicationSourceIdentifier", "ScalingConfiguration.",
    "ServerlessV2ScalingConfiguration.", "SourceRegion", "StorageEncrypted", "StorageType", "TagSpecifications.",
    "Tags.", "VpcSecurityGroupIds.", "WithExpressConfiguration",
];

impl Simulator {
    /// `CreateDBInstance` without a cluster, `CreateDBCluster`.
    ///
    /// Which error AWS has for what is missing is a guess, and so is when the first automated snapshot is there: at the
    /// end of the first backup, which a new instance makes before it is available, and a new cluster while it is.
    pub(crate) fn create_database(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let id = request.new_identifier(identifier_of(kind), MAX_IDENTIFIER)?;
        let engine = request.required("Engine")?;
        let given = tags::checked(request)?;
        let network = Network::from_request(request)?;
        self.region(&request.region);
        self.authorize_creation(call, kind, (&id, engine), (&given, &network))?;
        check_required(request, kind)?;
        let region = &self.regions[&request.region];
        if region.databases[kind].contains_key(&id) {
            return Err(ApiError::database_exists(kind, &id));
        }
        check_retention(request, kind)?;
        check_class(region, request)?;
        check_network(region, &network)?;
        check_parameter_group(region, request, kind)?;
        region.check_database_quota(kind, number(request, "AllocatedStorage").unwrap_or(0))?;
        if let Some(key) = request.get("KmsKeyId")
            && !region.key(key).is_some_and(crate::model::Key::encrypts_snapshots)
        {
            return Err(ApiError::target_key(key));
        }
        let mut seed = created(request, kind, &id, &given);
        seed.resource_id = Some(hash::resource_id(
            prefix(kind),
            &["created", &request.region, &id, &self.restores.to_string()],
        ));
        let now = self.clock;
        self.add_to(now, &request.region, |region| match kind {
            Kind::Instance => region.instance(seed),
            Kind::Cluster => region.cluster(seed),
        })
        .map_err(|error| ApiError::invalid_value(error.to_string()))?;
        self.restores += 1;
        let settings = self.settings.databases.clone();
        let keeps_backups = retention(request) != Some(0);
        let mut stages = vec![Stage::new("creating", settings.restore_seconds)];
        if kind == Kind::Instance && keeps_backups {
            stages.push(Stage::new("backing-up", settings.backup_seconds));
        }
        if let Some(database) = self.region(&request.region).databases[kind].get_mut(&id) {
            database.network = Some(network);
            database.life = Life {
                is_unreached: true,
                makes_first_backup: keeps_backups,
                ..Life::default()
            };
        }
        self.begin_bill(&request.region, kind, &id);
        self.begin_work(&request.region, kind, &id, stages);
        Ok(self.one_database(call, kind, &id))
    }

    fn authorize_creation(
        &self,
        call: &Call<'_>,
        kind: Kind,
        (id, engine): (&str, &str),
        (given, network): (&Tags, &Network),
    ) -> Result<(), ApiError> {
        let lower = |parameter| call.request.get(parameter).map(str::to_ascii_lowercase);
        let parameter_group = match kind {
            Kind::Instance => "DBParameterGroupName",
            Kind::Cluster => "DBClusterParameterGroupName",
        };
        let version = call.request.get("EngineVersion").unwrap_or(current_version(engine));
        self.authorize_new(
            call,
            &Wanted {
                kind,
                id,
                tags: given,
                network,
                option_group: lower("OptionGroupName").or_else(|| Some(option_groups::default_name(engine, version))),
                parameter_group: lower(parameter_group).or_else(|| Some(format!("default.{engine}"))),
            },
        )
    }
}

fn check_required(request: &Request, kind: Kind) -> Result<(), ApiError> {
    request.required("MasterUsername")?;
    if request.get("MasterUserPassword").is_none() && request.get("ManageMasterUserPassword") != Some("true") {
        return Err(ApiError::invalid_value(
            "The parameter MasterUserPassword must be provided and must not be blank.",
        ));
    }
    if kind == Kind::Instance {
        request.required("DBInstanceClass")?;
        if number(request, "AllocatedStorage").is_none() {
            return Err(ApiError::invalid_combination(
                "The parameter AllocatedStorage must be provided and must be a number.",
            ));
        }
    }
    Ok(())
}

/// The new database, as a scenario has it.
fn created(request: &Request, kind: Kind, id: &str, tags: &Tags) -> scenario::Database {
    let is_on = |parameter| request.get(parameter).map(|value| value == "true");
    let text = |parameter| request.get(parameter).map(str::to_owned);
    let is_encrypted = is_on("StorageEncrypted").unwrap_or_default() || request.get("KmsKeyId").is_some();
    let scaling = |part: &str| {
        let value = request.get(&format!("ServerlessV2ScalingConfiguration.{part}"));
        value.and_then(|value| value.parse().ok())
    };
    scenario::Database {
        engine: text("Engine"),
        engine_version: text("EngineVersion"),
        engine_mode: text("EngineMode"),
        class: text("DBInstanceClass").or(text("DBClusterInstanceClass")),
        encrypted: Some(is_encrypted),
        kms_key: text("KmsKeyId"),
        // A new Aurora cluster without a key is encrypted with one that AWS owns.
        storage_encryption_type: (kind == Kind::Cluster && !is_encrypted).then(|| "sse-rds".to_owned()),
        allocated_storage: number(request, "AllocatedStorage"),
        size_gib: (kind == Kind::Cluster).then_some(1),
        multi_az: is_on("MultiAZ"),
        parameter_group: text("DBParameterGroupName").or(text("DBClusterParameterGroupName")),
        option_group: text("OptionGroupName").filter(|name| !name.starts_with("default:")),
        backup_retention_days: retention(request).or(Some(1)),
        created_days_ago: Some(0.0),
        tags: tags.clone(),
        copy_tags_to_snapshot: is_on("CopyTagsToSnapshot"),
        storage_type: text("StorageType"),
        iops: number(request, "Iops"),
        iam_database_authentication_enabled: is_on("EnableIAMDatabaseAuthentication"),
        license_model: text("LicenseModel"),
        port: request.get("Port").and_then(|port| port.parse().ok()),
        deletion_protection: is_on("DeletionProtection"),
        serverless_v2_scaling_configuration: scaling("MaxCapacity").map(|max| ServerlessV2Scaling {
            min_capacity: scaling("MinCapacity").unwrap_or(0.5),
            max_capacity: max,
            seconds_until_auto_pause: None,
        }),
        members: (kind == Kind::Cluster).then(|| Members::Ids(Vec::new())),
        ..scenario::Database::new(id)
    }
}
