//! Databases made of snapshots, members of clusters, and changed settings: what a restore needs.

use crate::authorization::Question;
use crate::error::ApiError;
use crate::hash;
use crate::life::{Life, Stage, Timer};
use crate::lifecycle::restored_database;
use crate::model::{Database, Kind, Member, RdsArn, Region, Snapshot, Tags};
use crate::network::{Network, asked_public};
use crate::operations::restore_rights::{Wanted, authorize_use};
use crate::operations::subnet_groups::check_network;
use crate::operations::{tags, write};
use crate::option_groups;
use crate::request::Request;
use crate::scenario::{self, InheritedTags, Members, RestoreFate, ServerlessV2Scaling};
use crate::seed::{current_version, member_instance, milliseconds, prefix};
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
        let network = Network::from_request(request)?;
        self.region(&request.region);
        let region = &self.regions[&request.region];
        let snapshot_id = RdsArn::parse(snapshot_id)
            .map_or(snapshot_id, |arn| arn.id)
            .to_ascii_lowercase();
        let snapshot = region.snapshots[kind].get(&snapshot_id);
        self.authorize_restore(call, kind, (&id, &given, &network), (&snapshot_id, snapshot))?;
        if region.databases[kind].contains_key(&id) {
            return Err(ApiError::database_exists(kind, &id));
        }
        let snapshot = snapshot.ok_or_else(|| ApiError::snapshot_not_found(kind, &snapshot_id))?;
        if snapshot.status != "available" {
            return Err(ApiError::snapshot_state(
                kind,
                format!("{snapshot_id} is not in the available state: {}", snapshot.status),
            ));
        }
        self.check_restore_keys(call, snapshot)?;
        self.check_restore(request, kind, snapshot, &network)?;
        let tags = self.tags_of_restored(snapshot, &given);
        let mut seed = restored(request, kind, &id, snapshot, &tags);
        seed.resource_id = Some(hash::resource_id(
            prefix(kind),
            &["restored", &request.region, &id, &self.restores.to_string()],
        ));
        let retention_days = retention(request).unwrap_or(snapshot.details.retention_days);
        let now = self.clock;
        self.add_to(now, &request.region, |region| match kind {
            Kind::Instance => region.instance(seed),
            Kind::Cluster => region.cluster(seed),
        })
        .map_err(|error| ApiError::invalid_value(error.to_string()))?;
        self.restores += 1;
        let settings = self.settings.databases.clone();
        let fate = self.take_fate(&request.region, &id, Some(&snapshot_id));
        let creating = fate.creating_seconds.unwrap_or(settings.restore_seconds);
        let mut stages = vec![Stage::new("creating", creating)];
        if kind == Kind::Instance && retention_days > 0 && fate.status.is_none() {
            stages.push(Stage::new("backing-up", settings.backup_seconds));
        }
        let initializes = kind == Kind::Instance && settings.initializing_seconds > 0 && fate.status.is_none();
        if let Some(database) = self.region(&request.region).databases[kind].get_mut(&id) {
            database.network = Some(network);
            database.life = Life {
                is_unreached: true,
                fate: fate.status,
                deleting_seconds: fate.deleting_seconds,
                storage: initializes.then(|| Timer::new(settings.initializing_seconds)),
                snapshot: Some(snapshot_id),
                ..Life::default()
            };
        }
        self.begin_bill(&request.region, kind, &id);
        self.begin_work(&request.region, kind, &id, stages);
        Ok(self.one_database(call, kind, &id))
    }

    /// The tags that are given; without any, those that the new database inherits.
    fn tags_of_restored(&self, snapshot: &Snapshot, given: &Tags) -> Tags {
        if !given.is_empty() {
            return given.clone();
        }
        let (of_database, of_snapshot) = match self.settings.databases.inherited_tags {
            InheritedTags::Database => (true, false),
            InheritedTags::Snapshot => (false, true),
            InheritedTags::Both => (true, true),
        };
        let of_database = snapshot.database_tags.iter().filter(|_| of_database);
        let of_snapshot = snapshot.tags.iter().filter(|_| of_snapshot);
        of_database
            .chain(of_snapshot)
            // AWS keeps its own tags to itself.
            .filter(|(key, _)| !key.starts_with("aws:"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// How a new database will end, as the scenario says.
    fn take_fate(&mut self, region: &str, database: &str, snapshot: Option<&str>) -> RestoreFate {
        let fates = &mut self.region(region).restore_fates;
        let Some(fate) = fates.iter_mut().find(|fate| fate.fits(database, snapshot)) else {
            return RestoreFate::default();
        };
        if let Some(times) = &mut fate.times {
            *times -= 1;
        }
        fate.clone()
    }

    /// The action on the snapshot, and on all that the new database will have.
    fn authorize_restore(
        &self,
        call: &Call<'_>,
        kind: Kind,
        (id, given, network): (&str, &Tags, &Network),
        (snapshot_id, snapshot): (&str, Option<&Snapshot>),
    ) -> Result<(), ApiError> {
        let (request, region) = (call.request, &self.regions[&call.request.region]);
        let lower = |parameter| request.get(parameter).map(str::to_ascii_lowercase);
        // Of what engine they are is known of a snapshot that is there.
        let option_group = |snapshot: &Snapshot| {
            let own = snapshot.option_group.clone().filter(|_| kind == Kind::Instance);
            own.unwrap_or_else(|| option_groups::default_name(&snapshot.engine, &snapshot.engine_version))
        };
        let parameter_group = match kind {
            Kind::Instance => "DBParameterGroupName",
            Kind::Cluster => "DBClusterParameterGroupName",
        };
        self.authorize_new(
            call,
            &Wanted {
                kind,
                id,
                tags: given,
                network,
                option_group: lower("OptionGroupName").or_else(|| snapshot.map(option_group)),
                parameter_group: lower(parameter_group)
                    .or_else(|| snapshot.map(|snapshot| format!("default.{}", snapshot.engine))),
            },
        )?;
        let arn = region.snapshot_arn(kind, snapshot_id);
        authorize_use(call, &arn, snapshot.map(|snapshot| &snapshot.tags), given)
    }

    fn check_restore(
        &self,
        request: &Request,
        kind: Kind,
        snapshot: &Snapshot,
        network: &Network,
    ) -> Result<(), ApiError> {
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
        check_class(region, request)?;
        check_version(region, request, snapshot)?;
        check_storage(request, snapshot)?;
        check_network(region, network)?;
        check_parameter_group(region, request, kind)?;
        region.check_database_quota(
            kind,
            number(request, "AllocatedStorage").unwrap_or(snapshot.allocated_storage),
        )?;
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
        self.authorize_member(call, (&id, &given), (&cluster_id, engine))?;
        let (now, restores) = (self.clock, self.restores);
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
        check_class(region, request)?;
        check_parameter_group(region, request, Kind::Instance)?;
        region.check_database_quota(Kind::Instance, 0)?;
        let network = match &cluster.network {
            Some(network) => Some(Network {
                is_public: asked_public(request)?.unwrap_or(network.is_public),
                ..network.clone()
            }),
            None => None,
        };
        let mut member = Database {
            class: Some(class.to_owned()),
            tags: given,
            created: milliseconds(now),
            network,
            ..member_instance(region, cluster, &id)
        };
        // A member of an earlier name is another one.
        member.resource_id = hash::resource_id("db-", &["created", &region.name, &id, &restores.to_string()]);
        let writer = cluster.members.is_empty();
        if let Some(cluster) = region.databases[Kind::Cluster].get_mut(&cluster_id) {
            cluster.members.push(Member { id: id.clone(), writer });
        }
        region.databases[Kind::Instance].insert(id.clone(), member);
        self.restores += 1;
        let fate = self.take_fate(&request.region, &id, None);
        let usual = self.settings.databases.member_seconds;
        let stages = vec![Stage::new("creating", fate.creating_seconds.unwrap_or(usual))];
        if let Some(member) = self.region(&request.region).databases[Kind::Instance].get_mut(&id) {
            member.life = Life {
                is_unreached: true,
                fate: fate.status,
                deleting_seconds: fate.deleting_seconds,
                ..Life::default()
            };
        }
        self.begin_bill(&request.region, Kind::Instance, &id);
        self.begin_work(&request.region, Kind::Instance, &id, stages);
        Ok(self.one_database(call, Kind::Instance, &id))
    }

    /// The action on a new member, on its groups and on its cluster, whose network it has.
    fn authorize_member(
        &self,
        call: &Call<'_>,
        (id, given): (&str, &Tags),
        (cluster_id, engine): (&str, &str),
    ) -> Result<(), ApiError> {
        let region = &self.regions[&call.request.region];
        let cluster = region.databases[Kind::Cluster].get(cluster_id);
        let asked = Network::from_request(call.request)?;
        let lower = |parameter| call.request.get(parameter).map(str::to_ascii_lowercase);
        let option_group = |cluster: &Database| option_groups::default_name(&cluster.engine, &cluster.engine_version);
        self.authorize_new(
            call,
            &Wanted {
                kind: Kind::Instance,
                id,
                tags: given,
                network: cluster.and_then(|cluster| cluster.network.as_ref()).unwrap_or(&asked),
                option_group: lower("OptionGroupName").or_else(|| cluster.map(option_group)),
                parameter_group: lower("DBParameterGroupName").or_else(|| Some(format!("default.{engine}"))),
            },
        )?;
        let arn = region.arn(Kind::Cluster.database_type(), cluster_id);
        authorize_use(call, &arn, cluster.map(|cluster| &cluster.tags), given)
    }

    /// `ModifyDBInstance`, `ModifyDBCluster`: the settings that the simulator reports.
    pub(crate) fn modify_database(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let id = request.required(identifier_of(kind))?.to_ascii_lowercase();
        let name = request.region.as_str();
        let secret_seconds = self.settings.databases.secret_seconds;
        let region = self.region(name);
        let arn = region.arn(kind.database_type(), &id);
        let database = region.databases[kind].get_mut(&id);
        let manages_password = match request.get("ManageMasterUserPassword") {
            Some(_) => Some(request.boolean("ManageMasterUserPassword")?),
            None => None,
        };
        call.rights.require(&Question {
            manages_password,
            is_public: asked_public(request)?.filter(|_| kind == Kind::Instance),
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
        if let Some(managed) = manages_password {
            database.life.secret = managed.then(|| Timer::new(secret_seconds));
        }
        if let Some(network) = &mut database.network {
            network.change(request)?;
        }
        let stages = vec![Stage::new("modifying", self.settings.databases.change_seconds)];
        self.begin_work(&request.region, kind, &id, stages);
        Ok(self.one_database(call, kind, &id))
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

fn check_class(region: &Region, request: &Request) -> Result<(), ApiError> {
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
    Ok(())
}

/// Which error AWS has for a version that is not on offer is a guess.
fn check_version(region: &Region, request: &Request, snapshot: &Snapshot) -> Result<(), ApiError> {
    let usual = match snapshot.kind {
        Kind::Instance => &snapshot.engine_version,
        Kind::Cluster => current_version(&snapshot.engine),
    };
    let version = request.get("EngineVersion").unwrap_or(usual);
    let license = request.get("LicenseModel").unwrap_or(&snapshot.details.license);
    let mut not_offered = region.not_offered.iter();
    if not_offered.any(|offer| offer.covers(&snapshot.engine, version, license)) {
        return Err(ApiError::invalid_combination(format!(
            "RDS does not support creating a database of {} {version} with the license model {license} in {}.",
            snapshot.engine, region.name
        )));
    }
    Ok(())
}

/// Nothing can be restored to magnetic storage any more. Which error AWS has for it is a guess.
fn check_storage(request: &Request, snapshot: &Snapshot) -> Result<(), ApiError> {
    let given = request.get("StorageType").or(snapshot.details.storage_type.as_deref());
    if given == Some("standard") {
        return Err(ApiError::new(
            400,
            "StorageTypeNotSupported",
            "A snapshot cannot be restored to magnetic storage: give another StorageType.",
        ));
    }
    Ok(())
}

fn check_parameter_group(region: &Region, request: &Request, kind: Kind) -> Result<(), ApiError> {
    let parameter = match kind {
        Kind::Instance => "DBParameterGroupName",
        Kind::Cluster => "DBClusterParameterGroupName",
    };
    match request.get(parameter) {
        Some(name) if region.parameter_group(kind, name).is_none() => {
            Err(ApiError::parameter_group_not_found(kind, name))
        }
        _ => Ok(()),
    }
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
fn restored(request: &Request, kind: Kind, id: &str, snapshot: &Snapshot, tags: &Tags) -> scenario::Database {
    let is_on = |parameter| request.get(parameter).map(|value| value == "true");
    let text = |parameter| request.get(parameter).map(str::to_owned);
    let exports = request.list("EnableCloudwatchLogsExports", "member");
    let scaling = |part: &str| {
        let value = request.get(&format!("ServerlessV2ScalingConfiguration.{part}"));
        value.and_then(|value| value.parse().ok())
    };
    let from_snapshot = scenario::Database {
        tags: tags.clone(),
        ..restored_database(id, snapshot, tags)
    };
    let (iops, port) = (snapshot.details.iops, snapshot.details.port);
    scenario::Database {
        // A cluster gets the region's usual version unless one is given, an instance always that of its snapshot.
        engine_version: match kind {
            Kind::Instance => from_snapshot.engine_version,
            Kind::Cluster => text("EngineVersion"),
        },
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
