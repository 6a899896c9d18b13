//! The two kinds of database that Snapferry copies.

use serde::{Deserialize, Serialize};

/// The two kinds of database that RDS takes snapshots of. They differ only in how RDS spells its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// A DB instance that is not part of a cluster.
    Instance,
    /// A DB cluster: the cluster is the unit of backup, its members have no snapshots of their own.
    Cluster,
}

impl DatabaseKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Instance, Self::Cluster];
}

impl std::fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Instance => "instance",
            Self::Cluster => "cluster",
        })
    }
}
