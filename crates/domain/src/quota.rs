//! What a region may hold, and what it holds already.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use crate::kind::DatabaseKind;

/// How much of something a region holds, and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What there is.
    pub used: i64,
    /// Most that there may be.
    pub max: i64,
}

impl Quota {
    /// What is left of it.
    #[must_use]
    pub fn free(&self) -> i64 {
        self.max.saturating_sub(self.used).max(0)
    }
}

/// The quotas of an account in a region that matter here. RDS may report fewer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountQuotas {
    /// Manual snapshots, by kind.
    pub snapshots: BTreeMap<DatabaseKind, Quota>,
    /// DB instances, members of clusters among them.
    pub instances: Option<Quota>,
    /// DB clusters.
    pub clusters: Option<Quota>,
    /// Storage of all DB instances in GiB.
    pub storage_gib: Option<Quota>,
}

/// What restored databases take of the quotas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// DB instances, members of clusters among them.
    pub instances: i64,
    /// DB clusters.
    pub clusters: i64,
    /// Storage of DB instances in GiB. That of clusters has no such quota.
    pub storage_gib: i64,
}

impl AddAssign for Demand {
    fn add_assign(&mut self, other: Self) {
        self.instances = self.instances.saturating_add(other.instances);
        self.clusters = self.clusters.saturating_add(other.clusters);
        self.storage_gib = self.storage_gib.saturating_add(other.storage_gib);
    }
}

/// What a quota is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// DB instances.
    Instances,
    /// DB clusters.
    Clusters,
    /// GiB of storage.
    Storage,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Instances, Self::Clusters, Self::Storage];

    /// The quota of it, if RDS reports one.
    #[must_use]
    pub fn quota(self, quotas: &AccountQuotas) -> Option<Quota> {
        match self {
            Self::Instances => quotas.instances,
            Self::Clusters => quotas.clusters,
            Self::Storage => quotas.storage_gib,
        }
    }

    /// What is needed of it.
    #[must_use]
    pub fn needed(self, demand: &Demand) -> i64 {
        match self {
            Self::Instances => demand.instances,
            Self::Clusters => demand.clusters,
            Self::Storage => demand.storage_gib,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instances => "DB instances",
            Self::Clusters => "DB clusters",
            Self::Storage => "GiB of storage",
        })
    }
}
