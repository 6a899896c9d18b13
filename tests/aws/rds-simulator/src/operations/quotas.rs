//! Quotas of databases and their storage.

use crate::error::ApiError;
use crate::model::{Kind, Region};

impl Region {
    /// GiB of all instances.
    pub(crate) fn allocated_storage(&self) -> u64 {
        self.databases[Kind::Instance]
            .values()
            .map(|database| u64::from(database.allocated_storage))
            .sum()
    }

    /// Refuses one database more than the quotas allow. Those that are being deleted count until they are gone, which is a
    /// guess.
    pub(crate) fn check_database_quota(&self, kind: Kind, storage_gib: u32) -> Result<(), ApiError> {
        let quota = self.database_quota;
        match kind {
            Kind::Instance if self.databases[kind].len() >= quota.instances as usize => Err(ApiError::new(
                400,
                "InstanceQuotaExceeded",
                format!("Cannot create more than {} DB instances", quota.instances),
            )),
            Kind::Cluster if self.databases[kind].len() >= quota.clusters as usize => Err(ApiError::new(
                403,
                "DBClusterQuotaExceededFault",
                format!("Cannot create more than {} DB clusters", quota.clusters),
            )),
            Kind::Instance
                if self.allocated_storage() + u64::from(storage_gib) > u64::from(quota.allocated_storage_gib) =>
            {
                Err(ApiError::new(
                    400,
                    "StorageQuotaExceeded",
                    format!(
                        "Cannot allocate more than {} GiB of storage",
                        quota.allocated_storage_gib
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}
