//! Settings of a database that matter to a restore: some its snapshots carry too, others only it knows.

use crate::model::Kind;
use crate::scenario::{self, ServerlessV2Scaling};

/// What a database and its snapshots both report.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) storage_type: Option<String>,
    pub(crate) iops: Option<u32>,
    pub(crate) storage_throughput: Option<u32>,
    pub(crate) iam_authentication: bool,
    pub(crate) license: String,
    pub(crate) port: u16,
    pub(crate) retention_days: u32,
}

impl Details {
    /// As the scenario has them, or usual for the engine.
    pub(crate) fn new(kind: Kind, engine: &str, seed: &scenario::Database) -> Self {
        let multi_az_cluster = kind == Kind::Cluster && ["mysql", "postgres"].contains(&engine);
        let usual_storage = match kind {
            Kind::Instance => Some("gp3"),
            Kind::Cluster => multi_az_cluster.then_some("io1"),
        };
        // RDS creates read replicas of instances with backups disabled.
        let usual_retention = if kind == Kind::Instance && seed.replica_of.is_some() {
            0
        } else {
            7
        };
        Self {
            storage_type: seed.storage_type.clone().or(usual_storage.map(str::to_owned)),
            iops: seed.iops,
            storage_throughput: seed.storage_throughput,
            iam_authentication: seed.iam_database_authentication_enabled.unwrap_or_default(),
            license: seed.license_model.clone().unwrap_or_else(|| license(engine).to_owned()),
            port: seed.port.unwrap_or_else(|| port(engine)),
            retention_days: seed.backup_retention_days.unwrap_or(usual_retention),
        }
    }

    /// What a snapshot's scenario says otherwise.
    pub(crate) fn changed_by(self, seed: &scenario::Snapshot) -> Self {
        Self {
            storage_type: seed.storage_type.clone().or(self.storage_type),
            iops: seed.iops.or(self.iops),
            storage_throughput: seed.storage_throughput.or(self.storage_throughput),
            iam_authentication: seed
                .iam_database_authentication_enabled
                .unwrap_or(self.iam_authentication),
            license: seed.license_model.clone().unwrap_or(self.license),
            port: seed.port.unwrap_or(self.port),
            retention_days: self.retention_days,
        }
    }
}

/// What only a database reports; a restore begins without all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnDetails {
    /// Whether its tags are copied to its snapshots.
    pub(crate) copies_tags: bool,
    /// The database that it is a replica of: an id, or an ARN.
    pub(crate) replica_of: Option<String>,
    pub(crate) recovery_point: Option<String>,
    pub(crate) deletion_protection: bool,
    pub(crate) log_exports: Vec<String>,
    pub(crate) max_allocated_storage: Option<u32>,
    pub(crate) monitoring_interval: Option<u32>,
    pub(crate) ca_certificate: Option<String>,
    pub(crate) serverless: Option<ServerlessV2Scaling>,
}

impl OwnDetails {
    /// As the scenario has them.
    pub(crate) fn new(seed: &scenario::Database) -> Self {
        Self {
            copies_tags: seed.copy_tags_to_snapshot.unwrap_or_default(),
            replica_of: seed.replica_of.clone(),
            recovery_point: seed.aws_backup_recovery_point_arn.clone(),
            deletion_protection: seed.deletion_protection.unwrap_or_default(),
            log_exports: seed.enabled_cloudwatch_logs_exports.clone(),
            max_allocated_storage: seed.max_allocated_storage,
            monitoring_interval: seed.monitoring_interval,
            ca_certificate: seed.ca_certificate_identifier.clone(),
            serverless: seed.serverless_v2_scaling_configuration,
        }
    }
}

fn port(engine: &str) -> u16 {
    match engine {
        "postgres" | "aurora-postgresql" => 5432,
        "neptune" => 8182,
        "docdb" => 27017,
        _ if engine.contains("oracle") => 1521,
        _ if engine.contains("sqlserver") => 1433,
        _ => 3306,
    }
}

pub(crate) fn license(engine: &str) -> &'static str {
    match engine {
        "postgres" | "aurora-postgresql" => "postgresql-license",
        "neptune" => "amazon-license",
        "docdb" => "na",
        _ if engine.contains("oracle") => "bring-your-own-license",
        _ if engine.contains("sqlserver") => "license-included",
        _ => "general-public-license",
    }
}
