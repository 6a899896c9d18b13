//! What a restore or a new member is refused for.

use crate::error::ApiError;
use crate::model::{Kind, Region, Snapshot};
use crate::network::Network;
use crate::operations::subnet_groups::check_network;
use crate::request::Request;
use crate::seed::current_version;
use crate::simulator::Simulator;

impl Simulator {
    /// Whether this snapshot can become what the request asks for, here and now.
    pub(super) fn check_restore(
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
}

pub(super) fn check_class(region: &Region, request: &Request) -> Result<(), ApiError> {
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

pub(super) fn check_parameter_group(region: &Region, request: &Request, kind: Kind) -> Result<(), ApiError> {
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
pub(super) fn check_retention(request: &Request, kind: Kind) -> Result<(), ApiError> {
    if kind == Kind::Cluster && retention(request) == Some(0) {
        return Err(ApiError::invalid_value(
            "Invalid backup retention period: 0. Valid values are 1 to 35.",
        ));
    }
    Ok(())
}

pub(super) fn retention(request: &Request) -> Option<u32> {
    number(request, "BackupRetentionPeriod")
}

pub(super) fn number(request: &Request, parameter: &str) -> Option<u32> {
    request.get(parameter)?.parse().ok()
}
