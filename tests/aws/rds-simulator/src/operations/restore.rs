//! Databases made of snapshots.

use crate::error::ApiError;
use crate::hash;
use crate::life::{Life, Stage, Timer};
use crate::lifecycle::restored_database;
use crate::model::{Kind, RdsArn, Snapshot, Tags};
use crate::network::Network;
use crate::operations::restore_checks::{number, retention};
use crate::operations::restore_rights::{Wanted, authorize_use};
use crate::operations::{tags, write};
use crate::option_groups;
use crate::request::Request;
use crate::scenario::{self, InheritedTags, Members, RestoreFate, ServerlessV2Scaling};
use crate::seed::prefix;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// Most characters of a database's identifier.
pub(super) const MAX_IDENTIFIER: usize = 63;

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
    pub(super) fn take_fate(&mut self, region: &str, database: &str, snapshot: Option<&str>) -> RestoreFate {
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

    /// The reply of a call about one database.
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

/// The parameter that names a database.
pub(super) fn identifier_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Instance => "DBInstanceIdentifier",
        Kind::Cluster => "DBClusterIdentifier",
    }
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
