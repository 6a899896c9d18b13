//! Automated backups: those of databases that are there, and those that were kept of databases that are gone.

use jiff::Timestamp;

use crate::error::ApiError;
use crate::hash;
use crate::model::{Database, Kind, Region};
use crate::operations::describe::{Filter, filters, page, paged, require};
use crate::operations::write;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// The parameters of `DescribeDBInstanceAutomatedBackups`; lists end in a dot.
pub(super) const OF_INSTANCES: &[&str] = &[
    "DbiResourceId",
    "DBInstanceIdentifier",
    "Filters.",
    "MaxRecords",
    "Marker",
    "DBInstanceAutomatedBackupsArn",
];

/// The parameters of `DescribeDBClusterAutomatedBackups`; lists end in a dot.
pub(super) const OF_CLUSTERS: &[&str] = &[
    "DbClusterResourceId",
    "DBClusterIdentifier",
    "Filters.",
    "MaxRecords",
    "Marker",
];

/// The automated backups of a database that was deleted with `DeleteAutomatedBackups=false`.
#[derive(Clone, Debug)]
pub(crate) struct RetainedBackup {
    pub(crate) database: Database,
    pub(crate) since: Timestamp,
}

impl RetainedBackup {
    pub(crate) fn new(database: Database, since: Timestamp) -> Self {
        Self { database, since }
    }
}

/// One line of a list.
struct Backup<'a> {
    database: &'a Database,
    status: &'static str,
    until: Option<Timestamp>,
}

impl Database {
    /// Whether RDS keeps automated backups of it: members leave that to their cluster.
    pub(crate) fn has_automated_backups(&self) -> bool {
        self.cluster.is_none() && self.details.retention_days > 0
    }
}

impl Simulator {
    /// `DescribeDBInstanceAutomatedBackups`, `DescribeDBClusterAutomatedBackups`.
    ///
    /// Needs its action on databases and on backups, the two types that AWS's service authorization reference names.
    pub(crate) fn describe_automated_backups(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let (by_id, by_resource_id, known): (_, _, &[&str]) = match kind {
            Kind::Instance => (
                "DBInstanceIdentifier",
                "DbiResourceId",
                &["status", "db-instance-id", "dbi-resource-id"],
            ),
            Kind::Cluster => (
                "DBClusterIdentifier",
                "DbClusterResourceId",
                &["status", "db-cluster-id", "db-cluster-resource-id"],
            ),
        };
        self.region(&request.region);
        let region = &self.regions[&request.region];
        let types = match kind {
            Kind::Instance => ["db", "auto-backup"],
            Kind::Cluster => ["cluster", "cluster-auto-backup"],
        };
        for resource_type in types {
            require(call, &region.arn(resource_type, "*"))?;
        }
        let filters = filters(request, known)?;
        let id = request.get(by_id).map(str::to_ascii_lowercase);
        let resource_id = request.get(by_resource_id);
        let arn = request.get("DBInstanceAutomatedBackupsArn");
        let found: Vec<Backup<'_>> = backups(region, kind)
            .into_iter()
            .filter(|backup| id.as_ref().is_none_or(|id| backup.database.id == *id))
            .filter(|backup| resource_id.is_none_or(|id| backup.database.resource_id == id))
            .filter(|backup| arn.is_none_or(|arn| backup_arn(region, backup.database) == arn))
            .filter(|backup| filters.iter().all(|filter| passes(backup, filter)))
            .collect();
        let is_named = id.is_some() || resource_id.is_some() || arn.is_some();
        if found.is_empty() && is_named && self.settings.databases.unknown_backup_is_an_error {
            return Err(ApiError::backup_not_found(kind));
        }
        let (page, marker) = page(request, 100, found.iter(), |backup| &backup.database.resource_id)?;
        let (result, list, member) = match kind {
            Kind::Instance => (
                "DescribeDBInstanceAutomatedBackupsResult",
                "DBInstanceAutomatedBackups",
                "DBInstanceAutomatedBackup",
            ),
            Kind::Cluster => (
                "DescribeDBClusterAutomatedBackupsResult",
                "DBClusterAutomatedBackups",
                "DBClusterAutomatedBackup",
            ),
        };
        Ok(paged(result, marker, list, member, page, |xml, backup| {
            write_backup(xml, region, backup);
        }))
    }
}

fn backups(region: &Region, kind: Kind) -> Vec<Backup<'_>> {
    let active = region.databases[kind]
        .values()
        .filter(|database| database.has_automated_backups())
        .map(|database| Backup {
            database,
            status: "active",
            until: None,
        });
    let retained = region
        .retained_backups
        .iter()
        .filter(|retained| retained.database.kind == kind)
        .map(|retained| Backup {
            database: &retained.database,
            status: "retained",
            until: Some(retained.since),
        });
    active.chain(retained).collect()
}

fn passes(backup: &Backup<'_>, (name, values): &Filter) -> bool {
    let part = match name.as_str() {
        "status" => backup.status,
        "db-instance-id" | "db-cluster-id" => &backup.database.id,
        _ => &backup.database.resource_id,
    };
    values.iter().any(|value| value == part)
}

fn backup_arn(region: &Region, database: &Database) -> String {
    let (resource_type, prefix) = match database.kind {
        Kind::Instance => ("auto-backup", "ab-"),
        Kind::Cluster => ("cluster-auto-backup", "cab-"),
    };
    let id = hash::resource_id(prefix, &[&database.resource_id]);
    region.arn(resource_type, &id.to_ascii_lowercase())
}

fn write_backup(xml: &mut Xml, region: &Region, backup: &Backup<'_>) {
    let database = backup.database;
    let arn = region.arn(database.kind.database_type(), &database.id);
    match database.kind {
        Kind::Instance => {
            xml.value("DBInstanceArn", arn);
            xml.value("DbiResourceId", &database.resource_id);
            xml.value("DBInstanceIdentifier", &database.id);
            xml.value("DBInstanceAutomatedBackupsArn", backup_arn(region, database));
        }
        Kind::Cluster => {
            xml.value("DBClusterArn", arn);
            xml.value("DbClusterResourceId", &database.resource_id);
            xml.value("DBClusterIdentifier", &database.id);
            xml.value("DBClusterAutomatedBackupsArn", backup_arn(region, database));
        }
    }
    xml.value("Region", &region.name);
    xml.value("Status", backup.status);
    if let Some(until) = backup.until {
        xml.element("RestoreWindow", |xml| xml.value("LatestTime", write::time(until)));
    }
    xml.value("AllocatedStorage", database.allocated_storage);
    xml.value("Engine", &database.engine);
    xml.value("EngineVersion", &database.engine_version);
    xml.value("BackupRetentionPeriod", database.details.retention_days);
    xml.list("TagList", "Tag", &database.tags, |xml, (key, value)| {
        xml.value("Key", key);
        xml.value("Value", value);
    });
}
