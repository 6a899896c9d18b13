//! What a scenario says of databases that come and go: how long that takes, and what AWS leaves open about it.

use serde::{Deserialize, Serialize};

use crate::model::Kind;

/// How databases are restored, changed and deleted. Seconds are simulated ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "questions that are answered one by one")]
pub struct DatabaseSettings {
    /// Seconds for which a restored instance or cluster is `creating`.
    pub restore_seconds: u32,
    /// Seconds for which a new member of a cluster is `creating`.
    pub member_seconds: u32,
    /// Seconds of the first backup of a restored instance that keeps backups.
    pub backup_seconds: u32,
    /// Seconds that a change of settings takes.
    pub change_seconds: u32,
    /// Seconds for which the storage of a restored instance initialises after it was made; 0: it reports none of that.
    pub initializing_seconds: u32,
    /// Seconds until the secret of a managed master password is `active`.
    pub secret_seconds: u32,
    /// Seconds for which a database is `deleting`.
    pub deleting_seconds: u32,
    /// Whether a database can be deleted while it is `creating`: AWS does not say.
    pub deletable_while_creating: bool,
    /// Whether the deletion of a cluster asks for the right to its final snapshot, though none is taken: AWS lists it as
    /// required, and nobody has tried it.
    pub cluster_deletion_needs_snapshot_right: bool,
    /// Whether a restore asks for all of `kms:DescribeKey`, `kms:CreateGrant` and `kms:Decrypt` on the snapshot's key. If
    /// not, one of the last two is enough, as for the source of a copy: nobody knows the smallest set.
    pub restore_needs_every_key_right: bool,
    /// Which tags a restored database has when the call gives none.
    pub inherited_tags: InheritedTags,
    /// Whether a call for the automated backups of a database that has none is refused; or else the list is empty. AWS
    /// does not say.
    pub unknown_backup_is_an_error: bool,
    /// The type of the `rds-final` snapshot that a failed upgrade of a cluster leaves: AWS does not say.
    pub final_snapshot_type: String,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            restore_seconds: 900,
            member_seconds: 600,
            backup_seconds: 300,
            change_seconds: 60,
            initializing_seconds: 1800,
            secret_seconds: 60,
            deleting_seconds: 120,
            deletable_while_creating: false,
            cluster_deletion_needs_snapshot_right: true,
            restore_needs_every_key_right: true,
            inherited_tags: InheritedTags::Both,
            unknown_backup_is_an_error: false,
            final_snapshot_type: "manual".to_owned(),
        }
    }
}

/// Which tags a restored database has when the call gives none: AWS's guide speaks of those of the source database, and
/// does not say whether the snapshot's own are among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InheritedTags {
    /// Those that the database had when the snapshot was taken.
    Database,
    /// Those of the snapshot.
    Snapshot,
    /// Both; those of the snapshot win. It is the worst case for who forgets to give tags.
    #[default]
    Both,
}

/// A subnet group: what ties databases to a VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubnetGroup {
    /// The name.
    pub name: String,
    /// `vpc-default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// The zones of its subnets: three zones of the region when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zones: Option<Vec<String>>,
    /// `Complete` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl SubnetGroup {
    /// A group of the default VPC, with a subnet in each zone.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Sets the VPC.
    #[must_use]
    pub fn vpc(mut self, vpc: &str) -> Self {
        self.vpc = Some(vpc.to_owned());
        self
    }

    /// Sets the zones of its subnets.
    #[must_use]
    pub fn zones<'a>(mut self, zones: impl IntoIterator<Item = &'a str>) -> Self {
        self.availability_zones = Some(zones.into_iter().map(str::to_owned).collect());
        self
    }
}

/// A parameter group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParameterGroup {
    /// Whether it is for instances or for clusters.
    pub kind: Kind,
    /// The name.
    pub name: String,
    /// `postgres17`, `aurora-postgresql17` …
    pub family: String,
}

impl ParameterGroup {
    /// A parameter group of a family.
    #[must_use]
    pub fn new(kind: Kind, name: &str, family: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            family: family.to_owned(),
        }
    }
}

/// How many databases there may be in a region, members of clusters and read replicas included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DatabaseQuota {
    /// DB instances.
    pub instances: u32,
    /// DB clusters.
    pub clusters: u32,
    /// GiB of all instances.
    pub allocated_storage_gib: u32,
}

impl Default for DatabaseQuota {
    fn default() -> Self {
        Self {
            instances: 40,
            clusters: 40,
            allocated_storage_gib: 100_000,
        }
    }
}

/// What cannot be made in a region any more, or not yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotOffered {
    /// The engine.
    pub engine: String,
    /// The version; `*` takes the place of any text. Every version when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// The licence; every licence when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_model: Option<String>,
}

impl NotOffered {
    /// A version of an engine, `*` standing for any text.
    #[must_use]
    pub fn version(engine: &str, version: &str) -> Self {
        Self {
            engine: engine.to_owned(),
            engine_version: Some(version.to_owned()),
            license_model: None,
        }
    }

    pub(crate) fn covers(&self, engine: &str, version: &str, license: &str) -> bool {
        self.engine == engine
            && self
                .engine_version
                .as_ref()
                .is_none_or(|pattern| iam_rs::Arn::wildcard_match(version, pattern))
            && self.license_model.as_deref().is_none_or(|wanted| wanted == license)
    }
}

/// How restores in a region end. The first entry that fits a new database is used, and members of clusters are databases
/// too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreFate {
    /// The new database's identifier; `*` takes the place of any text, here and below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The identifier of the snapshot; a member of a cluster has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// How many restores it is for; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The status that it ends in and keeps (`incompatible-restore`, `restore-error`, or one that nobody knows);
    /// `available` when absent. An Aurora cluster that ends as `upgrade-failed` leaves a final snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Simulated seconds for which it is `creating`; the usual ones when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creating_seconds: Option<u32>,
    /// Simulated seconds for which it will be `deleting`; the usual ones when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting_seconds: Option<u32>,
}

impl RestoreFate {
    /// Every database whose identifier fits ends in this status.
    #[must_use]
    pub fn ends_as(database: &str, status: &str) -> Self {
        Self {
            database: Some(database.to_owned()),
            status: Some(status.to_owned()),
            ..Self::default()
        }
    }

    /// Only this many of them.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only those of this snapshot.
    #[must_use]
    pub fn restored_from(mut self, snapshot: &str) -> Self {
        self.snapshot = Some(snapshot.to_owned());
        self
    }

    pub(crate) fn fits(&self, database: &str, snapshot: Option<&str>) -> bool {
        let fits = |pattern: &Option<String>, text: Option<&str>| {
            pattern
                .as_ref()
                .is_none_or(|pattern| text.is_some_and(|text| iam_rs::Arn::wildcard_match(text, pattern)))
        };
        self.times != Some(0) && fits(&self.database, Some(database)) && fits(&self.snapshot, snapshot)
    }
}
