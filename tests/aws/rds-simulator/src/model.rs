//! What stands in the simulated account: regions, keys, databases, snapshots, and copies at work.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Index, IndexMut};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::details::{Details, OwnDetails};
use crate::events::Event;
use crate::life::{Life, Stage};
use crate::network::{MadeSubnetGroup, Network};
use crate::operations::automated_backups::RetainedBackup;
use crate::option_groups::OptionGroup;
use crate::scenario::{Becomes, CopyBehaviour, DatabaseQuota, NotOffered, ParameterGroup, RestoreFate, SubnetGroup};

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// RDS has two families of databases, and spells everything about them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A DB instance that belongs to no cluster.
    Instance,
    /// A DB cluster: Aurora, Neptune, DocumentDB, Multi-AZ.
    Cluster,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Instance, Self::Cluster];

    /// The resource type of a snapshot in an ARN.
    #[must_use]
    pub fn snapshot_type(self) -> &'static str {
        match self {
            Self::Instance => "snapshot",
            Self::Cluster => "cluster-snapshot",
        }
    }

    /// The resource type of a database in an ARN.
    #[must_use]
    pub fn database_type(self) -> &'static str {
        match self {
            Self::Instance => "db",
            Self::Cluster => "cluster",
        }
    }

    /// The longest name of a snapshot.
    #[must_use]
    pub fn longest_snapshot_id(self) -> usize {
        match self {
            Self::Instance => 255,
            Self::Cluster => 63,
        }
    }
}

/// One value for instances and one for clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerKind<T> {
    /// The one for instances.
    pub instances: T,
    /// The one for clusters.
    pub clusters: T,
}

impl<T> Index<Kind> for PerKind<T> {
    type Output = T;

    fn index(&self, kind: Kind) -> &T {
        match kind {
            Kind::Instance => &self.instances,
            Kind::Cluster => &self.clusters,
        }
    }
}

impl<T> IndexMut<Kind> for PerKind<T> {
    fn index_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Instance => &mut self.instances,
            Kind::Cluster => &mut self.clusters,
        }
    }
}

/// The partition that a region belongs to.
pub(crate) fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// The domain of a region's service names.
pub(crate) fn domain(region: &str) -> &'static str {
    if partition(region) == "aws-cn" {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}

/// A parsed `arn:<partition>:rds:<region>:<account>:<type>:<id>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RdsArn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource_type: &'a str,
    pub(crate) id: &'a str,
}

impl<'a> RdsArn<'a> {
    /// Reads an ARN; the id may itself hold colons (`rds:orders-2026-11-22-03-00`).
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(7, ':');
        let (Some("arn"), Some(partition), Some("rds")) = (parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        Some(Self {
            partition,
            region: parts.next()?,
            account: parts.next()?,
            resource_type: parts.next()?,
            id: parts.next()?,
        })
    }
}

/// How something is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    /// With the KMS key of this ARN.
    Key(String),
    /// `sse-rds`: with a key that AWS owns, though `StorageEncrypted` is false.
    Service,
}

impl Encryption {
    /// The value of `StorageEncryptionType`.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Key(_) => "sse-kms",
            Self::Service => "sse-rds",
        }
    }

    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Key(arn) => Some(arn),
            Self::None | Self::Service => None,
        }
    }
}

/// The states that KMS has for a key.
pub(crate) const KEY_STATES: [&str; 8] = [
    "Creating",
    "Enabled",
    "Disabled",
    "PendingDeletion",
    "PendingImport",
    "PendingReplicaDeletion",
    "Unavailable",
    "Updating",
];

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) arn: String,
    /// One of [`KEY_STATES`].
    pub(crate) state: String,
    pub(crate) usage: String,
    pub(crate) spec: String,
    /// Its key policy lets nobody of this account use it.
    pub(crate) locked: bool,
    pub(crate) aliases: Vec<String>,
}

impl Key {
    /// A symmetric key that can be used.
    pub(crate) fn new(arn: String, aliases: Vec<String>) -> Self {
        Self {
            arn,
            state: "Enabled".to_owned(),
            usage: "ENCRYPT_DECRYPT".to_owned(),
            spec: "SYMMETRIC_DEFAULT".to_owned(),
            locked: false,
            aliases,
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.arn.rsplit_once('/').map_or(&self.arn, |(_, id)| id)
    }

    /// The account that it belongs to, which may be another one.
    pub(crate) fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    pub(crate) fn enabled(&self) -> bool {
        self.state == "Enabled"
    }

    /// Whether snapshots can be encrypted with it, now.
    pub(crate) fn encrypts_snapshots(&self) -> bool {
        self.enabled() && !self.locked && self.usage == "ENCRYPT_DECRYPT" && self.spec == "SYMMETRIC_DEFAULT"
    }

    /// Whether AWS manages it for one of its services.
    pub(crate) fn of_aws(&self) -> bool {
        self.aliases.iter().any(|alias| alias.starts_with("alias/aws/"))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) writer: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) resource_id: String,
    pub(crate) engine: String,
    pub(crate) engine_version: String,
    pub(crate) engine_mode: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) status: String,
    pub(crate) created: Timestamp,
    pub(crate) encryption: Encryption,
    /// GiB, as the API tells it: Aurora says 1 whatever it holds.
    pub(crate) allocated_storage: u32,
    /// GiB that a copy has to move.
    pub(crate) size_gib: u32,
    pub(crate) multi_az: bool,
    pub(crate) parameter_group: String,
    pub(crate) option_group: Option<String>,
    pub(crate) permanent_options: Vec<String>,
    pub(crate) global_cluster: Option<String>,
    pub(crate) global_writer: Option<bool>,
    pub(crate) scalability: Option<String>,
    pub(crate) tags: Tags,
    /// The cluster that an instance is a member of.
    pub(crate) cluster: Option<String>,
    pub(crate) members: Vec<Member>,
    pub(crate) details: Details,
    pub(crate) own: OwnDetails,
    /// Members that RDS leaves out of its snapshots and their copies.
    pub(crate) omits: BTreeSet<String>,
    pub(crate) copies: CopyBehaviour,
    /// What it goes through before it is available, or gone.
    pub(crate) stages: VecDeque<Stage>,
    pub(crate) life: Life,
    /// Known of those that a call has made.
    pub(crate) network: Option<Network>,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "`type` is a keyword, and RDS says SnapshotType"
)]
pub(crate) struct Snapshot {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    /// What a scenario calls it, where its identifier is made.
    pub(crate) alias: Option<String>,
    pub(crate) database: String,
    pub(crate) resource_id: Option<String>,
    pub(crate) snapshot_type: String,
    pub(crate) status: String,
    pub(crate) percent: u32,
    /// Absent while a copy waits for its turn.
    pub(crate) created: Option<Timestamp>,
    pub(crate) original_created: Option<Timestamp>,
    pub(crate) database_created: Timestamp,
    pub(crate) engine: String,
    pub(crate) engine_version: String,
    pub(crate) engine_mode: Option<String>,
    pub(crate) allocated_storage: u32,
    pub(crate) size_gib: u32,
    pub(crate) encryption: Encryption,
    pub(crate) option_group: Option<String>,
    pub(crate) permanent_options: Vec<String>,
    pub(crate) multi_az_cluster: bool,
    pub(crate) tags: Tags,
    /// The tags that its database had when it was taken; a copy has them of its source.
    pub(crate) database_tags: Tags,
    pub(crate) source_arn: Option<String>,
    pub(crate) details: Details,
    /// When the newest transaction in it was made; as [`Snapshot::original_created`] when absent.
    pub(crate) database_time: Option<Timestamp>,
    /// Bytes.
    pub(crate) full_size: u64,
    /// Members that RDS leaves out of it and of its copies.
    pub(crate) omits: BTreeSet<String>,
    /// How copies of this very snapshot behave.
    pub(crate) copies: CopyBehaviour,
    pub(crate) job: Option<Job>,
    /// Why it cannot be deleted.
    pub(crate) undeletable: Option<String>,
    /// From when on listings have it; always when absent.
    pub(crate) listed_from: Option<Timestamp>,
    /// When a snapshot that is being deleted is gone.
    pub(crate) gone_at: Option<Timestamp>,
}

impl Snapshot {
    /// Whether another account owns it and shares it with this one.
    pub(crate) fn is_shared(&self) -> bool {
        self.id.starts_with("arn:")
    }
}

/// How a copy at work will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Available,
    Failed,
    Vanished,
}

/// The work behind a snapshot that is not there yet.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Simulated seconds that the whole work takes.
    pub(crate) seconds: f64,
    /// Simulated seconds done so far.
    pub(crate) done: f64,
    /// Where it stops: before `seconds` for a copy that fails.
    pub(crate) stops_at: f64,
    pub(crate) ending: Ending,
    /// Whether it has begun, or waits behind another copy of the same instance.
    pub(crate) running: bool,
    /// Copies of one source instance are made one after another; this names the instance.
    pub(crate) queue: Option<String>,
    /// Whether it counts against the copies in flight of its region.
    pub(crate) takes_slot: bool,
    pub(crate) becomes: Option<Becomes>,
}

impl Job {
    pub(crate) fn percent(&self) -> u32 {
        if self.seconds <= 0.0 {
            return 99;
        }
        let percent = (self.done / self.seconds * 100.0).floor().clamp(0.0, 99.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0..=99"
        )]
        let percent = percent as u32;
        percent
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) keys: Vec<Key>,
    /// Those that somebody made, by name.
    pub(crate) option_groups: BTreeMap<String, OptionGroup>,
    pub(crate) quota: PerKind<u32>,
    pub(crate) slots: PerKind<u32>,
    pub(crate) requests_per_second: Option<f64>,
    /// Instance classes on offer, where they are not the usual ones.
    pub(crate) offers: Option<Vec<String>>,
    pub(crate) not_offered: Vec<NotOffered>,
    pub(crate) offer_zones: Option<Vec<String>>,
    /// By name, where the scenario lists any; likewise below.
    pub(crate) subnet_groups: Option<BTreeMap<String, SubnetGroup>>,
    /// Those that calls have made, by name.
    pub(crate) made_subnet_groups: BTreeMap<String, MadeSubnetGroup>,
    pub(crate) parameter_groups: Option<Vec<ParameterGroup>>,
    pub(crate) database_quota: DatabaseQuota,
    pub(crate) restore_fates: Vec<RestoreFate>,
    pub(crate) databases: PerKind<BTreeMap<String, Database>>,
    pub(crate) snapshots: PerKind<BTreeMap<String, Snapshot>>,
    pub(crate) events: VecDeque<Event>,
    /// Of databases that are gone.
    pub(crate) retained_backups: Vec<RetainedBackup>,
}

impl Region {
    pub(crate) fn new(name: &str, account: &str) -> Self {
        let mut region = Self {
            name: name.to_owned(),
            account: account.to_owned(),
            keys: Vec::new(),
            option_groups: BTreeMap::new(),
            quota: PerKind {
                instances: 100,
                clusters: 100,
            },
            slots: PerKind {
                instances: 20,
                clusters: 5,
            },
            requests_per_second: None,
            offers: None,
            not_offered: Vec::new(),
            offer_zones: None,
            subnet_groups: None,
            made_subnet_groups: BTreeMap::new(),
            parameter_groups: None,
            database_quota: DatabaseQuota::default(),
            restore_fates: Vec::new(),
            databases: PerKind::default(),
            snapshots: PerKind::default(),
            events: VecDeque::new(),
            retained_backups: Vec::new(),
        };
        // Every region has the key that AWS manages for RDS.
        let arn = region.key_arn(&format!("{:032x}", crate::hash::fnv1a(&["aws/rds", name])));
        region.keys.push(Key::new(arn, vec!["alias/aws/rds".to_owned()]));
        region
    }

    pub(crate) fn arn(&self, resource_type: &str, id: &str) -> String {
        format!(
            "arn:{}:rds:{}:{}:{resource_type}:{id}",
            partition(&self.name),
            self.name,
            self.account
        )
    }

    /// The ARN of a snapshot; that of another account is identified by it.
    pub(crate) fn snapshot_arn(&self, kind: Kind, id: &str) -> String {
        if id.starts_with("arn:") {
            return id.to_owned();
        }
        self.arn(kind.snapshot_type(), id)
    }

    pub(crate) fn key_arn(&self, id: &str) -> String {
        self.kms_arn(&format!("key/{id}"))
    }

    pub(crate) fn kms_arn(&self, resource: &str) -> String {
        format!(
            "arn:{}:kms:{}:{}:{resource}",
            partition(&self.name),
            self.name,
            self.account
        )
    }

    /// Finds a key by ARN, id, alias ARN or alias name, as KMS does. Other regions' keys are not found.
    pub(crate) fn key(&self, identifier: &str) -> Option<&Key> {
        self.keys.get(self.key_index(identifier)?)
    }

    pub(crate) fn key_index(&self, identifier: &str) -> Option<usize> {
        self.keys.iter().position(|key| {
            key.arn == identifier
                // Keys of other accounts go by their ARN only.
                || key.account() == self.account
                    && (key.arn == self.key_arn(identifier)
                        || key
                            .aliases
                            .iter()
                            .any(|alias| alias == identifier || self.kms_arn(alias) == identifier))
        })
    }

    /// How many manual snapshots count against the quota: those at work too, those of AWS Backup and those
    /// that are being deleted not.
    pub(crate) fn manual_snapshots(&self, kind: Kind) -> usize {
        self.snapshots[kind]
            .values()
            .filter(|snapshot| {
                snapshot.snapshot_type == "manual" && snapshot.status != "deleting" && !snapshot.is_shared()
            })
            .count()
    }
}
