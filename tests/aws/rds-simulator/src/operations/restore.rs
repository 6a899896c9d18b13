//! Databases made of snapshots, members of clusters, and changed settings: what a restore needs.

use crate::authorization::Question;
use crate::details::Details;
use crate::error::ApiError;
use crate::hash;
use crate::life::Stage;
use crate::lifecycle::restored_database;
use crate::model::{Database, Key, Kind, Member, RdsArn, Snapshot, Tags};
use crate::operations::{tags, write};
use crate::request::Request;
use crate::scenario::{self, Members, ServerlessV2Scaling};
use crate::seed::{member_instance, prefix};
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// Most characters of a database's identifier.
const MAX_IDENTIFIER: usize = 63;

impl Simulator {
    /// `RestoreDBInstanceFromDBSnapshot`, `RestoreDBClusterFromSnapshot`. The latter makes no instance.
    pub(crate) fn restore_snapshot(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let (id_name, snapshot_name) = match kind {
            Kind::Instance => ("DBInstanceIdentifier", "DBSnapshotIdentifier"),
            Kind::Cluster => ("DBClusterIdentifier", "SnapshotIdentifier"),
        };
        let id = request.new_identifier(id_name, MAX_IDENTIFIER)?;
        let snapshot_id = request.required(snapshot_name)?;
        let given = tags::checked(request)?;
        self.region(&request.region);
        self.authorize_new(call, kind, &id, &given)?;
        let region = &self.regions[&request.region];
        if region.databases[kind].contains_key(&id) {
            return Err(ApiError::database_exists(kind, &id));
        }
        let snapshot_id = RdsArn::parse(snapshot_id)
            .map_or(snapshot_id, |arn| arn.id)
            .to_ascii_lowercase();
        let snapshot = region.snapshots[kind]
            .get(&snapshot_id)
            .ok_or_else(|| ApiError::snapshot_not_found(kind, &snapshot_id))?;
        if snapshot.status != "available" {
            return Err(ApiError::snapshot_state(
                kind,
                format!("{snapshot_id} is not in the available state: {}", snapshot.status),
            ));
        }
        for key in [snapshot.encryption.key(), request.get("KmsKeyId")]
            .into_iter()
            .flatten()
        {
            if !region.key(key).is_some_and(Key::enabled) {
                return Err(ApiError::target_key(key));
            }
        }
        self.check_restore(request, kind, snapshot)?;
        let mut seed = restored(request, kind, &id, snapshot, &given);
        seed.resource_id = Some(hash::resource_id(
            prefix(kind),
            &["restored", &request.region, &id, &self.restores.to_string()],
        ));
        let details = snapshot.details.clone();
        let now = self.clock;
        self.add_to(now, &request.region, |region| match kind {
            Kind::Instance => region.instance(seed),
            Kind::Cluster => region.cluster(seed),
        })
        .map_err(|error| ApiError::invalid_value(error.to_string()))?;
        self.restores += 1;
        let keeps_backups = kind == Kind::Instance && retention(request).unwrap_or(details.retention_days) > 0;
        let mut stages = vec![Stage::new("creating", self.settings.databases.restore_seconds)];
        if keeps_backups {
            stages.push(Stage::new("backing-up", self.settings.databases.backup_seconds));
        }
        self.begin_work(&request.region, kind, &id, stages);
        Ok(self.one_database(call, kind, &id))
    }

    fn check_restore(&self, request: &Request, kind: Kind, snapshot: &Snapshot) -> Result<(), ApiError> {
        let region = &self.regions[&request.region];
        if kind == Kind::Cluster {
            let engine = request.required("Engine")?;
            if engine != snapshot.engine {
                return Err(ApiError::invalid_combination(format!(
                    "The snapshot is of the engine {}, not {engine}.",
                    snapshot.engine
                )));
            }
            check_retention(request, kind)?;
        }
        if let Some(class) = request.get("DBInstanceClass")
            && region
                .offers
                .as_ref()
                .is_some_and(|offers| !offers.iter().any(|offer| offer == class))
        {
            return Err(ApiError::invalid_value(format!(
                "RDS does not support creating a DB instance with the class {class} in {}.",
                region.name
            )));
        }
        let group = request
            .get("OptionGroupName")
            .filter(|name| !name.starts_with("default:"));
        match group {
            Some(name) if !region.option_groups.contains_key(&name.to_ascii_lowercase()) => {
                Err(ApiError::option_group_not_found(name))
            }
            None if kind == Kind::Instance && !snapshot.permanent_options.is_empty() => {
                let own = snapshot.option_group.as_deref().unwrap_or_default();
                if region.option_groups.contains_key(own) {
                    Ok(())
                } else {
                    Err(ApiError::invalid_combination(
                        "The snapshot has permanent options, and no option group with them was given.",
                    ))
                }
            }
            _ => Ok(()),
        }
    }

    /// `CreateDBInstance`, of a member of a cluster only.
    pub(crate) fn create_member(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let request = call.request;
        let id = request.new_identifier("DBInstanceIdentifier", MAX_IDENTIFIER)?;
        let class = request.required("DBInstanceClass")?;
        let engine = request.required("Engine")?;
        let cluster_id = request.get("DBClusterIdentifier").ok_or_else(|| {
            ApiError::invalid_combination(
                "The simulator creates members of clusters only: DBClusterIdentifier is missing.",
            )
        })?;
        let cluster_id = cluster_id.to_ascii_lowercase();
        let given = tags::checked(request)?;
        self.region(&request.region);
        self.authorize_new(call, Kind::Instance, &id, &given)?;
        let region = self.region(&request.region);
        if region.databases[Kind::Instance].contains_key(&id) {
            return Err(ApiError::database_exists(Kind::Instance, &id));
        }
        let cluster = region.databases[Kind::Cluster]
            .get(&cluster_id)
            .ok_or_else(|| ApiError::database_not_found(Kind::Cluster, &cluster_id))?;
        if cluster.status != "available" {
            return Err(ApiError::database_state(
                Kind::Cluster,
                format!("{cluster_id} is not in the available state: {}", cluster.status),
            ));
        }
        if engine != cluster.engine {
            return Err(ApiError::invalid_combination(format!(
                "The engine {engine} is not that of the cluster, {}.",
                cluster.engine
            )));
        }
        let member = Database {
            class: Some(class.to_owned()),
            tags: given,
            ..member_instance(region, cluster, &id)
        };
        let writer = cluster.members.is_empty();
        if let Some(cluster) = region.databases[Kind::Cluster].get_mut(&cluster_id) {
            cluster.members.push(Member { id: id.clone(), writer });
        }
        region.databases[Kind::Instance].insert(id.clone(), member);
        let stages = vec![Stage::new("creating", self.settings.databases.member_seconds)];
        self.begin_work(&request.region, Kind::Instance, &id, stages);
        Ok(self.one_database(call, Kind::Instance, &id))
    }

    /// `ModifyDBInstance`, `ModifyDBCluster`: the settings that the simulator reports.
    pub(crate) fn modify_database(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let id = request.required(identifier_of(kind))?.to_ascii_lowercase();
        let name = request.region.as_str();
        let region = self.region(name);
        let arn = region.arn(kind.database_type(), &id);
        let database = region.databases[kind].get_mut(&id);
        call.rights.require(&Question {
            resource_tags: database.as_ref().map(|database| &database.tags),
            ..Question::new(&call.operation.action(), &arn, name)
        })?;
        let database = database.ok_or_else(|| ApiError::database_not_found(kind, &id))?;
        if database.status != "available" {
            return Err(ApiError::database_state(
                kind,
                format!("{id} is not in the available state: {}", database.status),
            ));
        }
        check_retention(request, kind)?;
        if let Some(days) = retention(request) {
            database.details.retention_days = days;
        }
        if request.get("DeletionProtection").is_some() {
            database.own.deletion_protection = request.boolean("DeletionProtection")?;
        }
        if let Some(most) = number(request, "MaxAllocatedStorage") {
            database.own.max_allocated_storage = Some(most);
        }
        if let Some(seconds) = number(request, "MonitoringInterval") {
            database.own.monitoring_interval = Some(seconds);
        }
        let stages = vec![Stage::new("modifying", self.settings.databases.change_seconds)];
        self.begin_work(&request.region, kind, &id, stages);
        Ok(self.one_database(call, kind, &id))
    }

    /// Whether the caller may make a database of this name with these tags.
    fn authorize_new(&self, call: &Call<'_>, kind: Kind, id: &str, tags: &Tags) -> Result<(), ApiError> {
        let region = &self.regions[&call.request.region];
        let arn = region.arn(kind.database_type(), id);
        let name = region.name.as_str();
        call.rights.require(&Question {
            request_tags: Some(tags),
            ..Question::new(&call.operation.action(), &arn, name)
        })?;
        if tags.is_empty() {
            return Ok(());
        }
        call.rights.require(&Question {
            request_tags: Some(tags),
            explicit_tags: Some(true),
            ..Question::new("rds:AddTagsToResource", &arn, name)
        })
    }

    pub(super) fn one_database(&self, call: &Call<'_>, kind: Kind, id: &str) -> Xml {
        let region = &self.regions[&call.request.region];
        let member = match kind {
            Kind::Instance => "DBInstance",
            Kind::Cluster => "DBCluster",
        };
        let mut xml = Xml::default();
        xml.element(&format!("{}Result", call.operation.name()), |xml| {
            xml.element(member, |xml| write::database(xml, region, &region.databases[kind][id]));
        });
        xml
    }
}

pub(super) fn identifier_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Instance => "DBInstanceIdentifier",
        Kind::Cluster => "DBClusterIdentifier",
    }
}

fn number(request: &Request, parameter: &str) -> Option<u32> {
    request.get(parameter)?.parse().ok()
}

/// A cluster always keeps backups.
fn check_retention(request: &Request, kind: Kind) -> Result<(), ApiError> {
    if kind == Kind::Cluster && retention(request) == Some(0) {
        return Err(ApiError::invalid_value(
            "Invalid backup retention period: 0. Valid values are 1 to 35.",
        ));
    }
    Ok(())
}

fn retention(request: &Request) -> Option<u32> {
    number(request, "BackupRetentionPeriod")
}

/// The database that a restore makes, as a scenario has it.
fn restored(request: &Request, kind: Kind, id: &str, snapshot: &Snapshot, given: &Tags) -> scenario::Database {
    let is_on = |parameter| request.get(parameter).map(|value| value == "true");
    let text = |parameter| request.get(parameter).map(str::to_owned);
    let exports = request.list("EnableCloudwatchLogsExports", "member");
    let scaling = |part: &str| {
        let value = request.get(&format!("ServerlessV2ScalingConfiguration.{part}"));
        value.and_then(|value| value.parse().ok())
    };
    let from_snapshot = restored_database(id, snapshot, given);
    let Details { iops, port, .. } = snapshot.details.clone();
    scenario::Database {
        engine_version: text("EngineVersion").or(from_snapshot.engine_version),
        kms_key: text("KmsKeyId").or(from_snapshot.kms_key),
        class: text("DBInstanceClass").or(text("DBClusterInstanceClass")),
        multi_az: is_on("MultiAZ"),
        parameter_group: text("DBParameterGroupName").or(text("DBClusterParameterGroupName")),
        option_group: text("OptionGroupName")
            .filter(|name| !name.starts_with("default:"))
            .or(from_snapshot.option_group),
        backup_retention_days: retention(request).or(from_snapshot.backup_retention_days),
        copy_tags_to_snapshot: is_on("CopyTagsToSnapshot"),
        deletion_protection: is_on("DeletionProtection"),
        iam_database_authentication_enabled: is_on("EnableIAMDatabaseAuthentication")
            .or(from_snapshot.iam_database_authentication_enabled),
        license_model: text("LicenseModel").or(from_snapshot.license_model),
        storage_type: text("StorageType").or(from_snapshot.storage_type),
        iops: number(request, "Iops").or(iops),
        storage_throughput: number(request, "StorageThroughput").or(from_snapshot.storage_throughput),
        port: Some(request.get("Port").and_then(|port| port.parse().ok()).unwrap_or(port)),
        ca_certificate_identifier: text("CACertificateIdentifier"),
        enabled_cloudwatch_logs_exports: exports
            .iter()
            .filter_map(|item| item.get("").map(|name| (*name).to_owned()))
            .collect(),
        serverless_v2_scaling_configuration: scaling("MaxCapacity").map(|max| ServerlessV2Scaling {
            min_capacity: scaling("MinCapacity").unwrap_or(0.5),
            max_capacity: max,
            seconds_until_auto_pause: None,
        }),
        // A restored cluster has no instance until one is created.
        members: (kind == Kind::Cluster).then(|| Members::Ids(Vec::new())),
        ..from_snapshot
    }
}
