//! The baton: every type that crosses a state boundary.
//!
//! Each function takes what the previous one gave and adds to it: [`Plan`] lists targets, and for each
//! [`Target`] come [`Found`], [`Started`], [`Checked`] and [`Pruned`]. The state machines only pass it on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Encryption, Error, Keep, KmsKey, OptionGroups, Settings, takes_key};

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

/// What a run was configured with. An input may repeat it, but not change it: [`Target::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rules {
    /// Region of the copies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_region: Option<String>,
    /// ARN of the key that copies are encrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Verified copies to keep. More than configured is taken, fewer is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_copies: Option<u32>,
}

/// What a database's tags ask for. They may ask for more than the stack keeps, and for a key that it allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
    /// ARN of the key, of those that the stack allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Option group of the destination region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_group: Option<String>,
    /// What is kept, where it is more than the stack keeps.
    #[serde(skip_serializing_if = "Keep::is_empty")]
    pub keep: Keep,
    /// Whether nothing may be deleted, because one of the tags cannot be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_all: bool,
}

/// Why a database is not copied in this run, found before the first copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The name of the error: one of [`Error::NAMES`].
    pub error: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            error: error.name().to_owned(),
            message: error.to_string(),
        }
    }
}

/// One database to be copied: an item of the Map, and the input of copy-snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// The database's identifier: at most 63 characters, and it may change.
    pub id: String,
    /// `DbiResourceId` or `DbClusterResourceId`: never changes, and tells re-created databases of one name apart.
    pub resource_id: String,
    /// Whether nothing may be written, only said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Whether the database no longer exists, so that its copies are only pruned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
    /// Other names that a retired database's copies know it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_ids: Vec<String>,
    /// What its tags ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Why it is not copied in this run. The state machine ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// What the run was configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

impl Target {
    /// A target of which nothing else is known.
    #[must_use]
    pub fn new(kind: DatabaseKind, id: impl Into<String>, resource_id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            resource_id: resource_id.into(),
            dry_run: false,
            retired: false,
            former_ids: Vec::new(),
            policy: None,
            problem: None,
            rules: None,
        }
    }

    /// Refuses a target that no RDS call could serve, and anything that the function's own settings do not allow: an
    /// input selects, it never authorises.
    pub fn check(&self, settings: &Settings) -> Result<(), Error> {
        let legal =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_id = |id: &String| id.len() <= 63 && legal(id);
        if !is_id(&self.id) || !self.former_ids.iter().all(is_id) {
            return Err(Error::bad_input(
                "id",
                &format!("{:?} is no database identifier", self.id),
                "Give the identifier as the RDS console shows it, for example orders.",
            ));
        }
        if !legal(&self.resource_id) {
            return Err(Error::bad_input(
                "resourceId",
                &format!("{:?} is no resource id", self.resource_id),
                "Give the database's DbiResourceId or DbClusterResourceId; or start copy-fleet with \
                 {\"only\": [\"<identifier>\"]}, which looks it up.",
            ));
        }
        if self.retired && settings.retired_keep_days == 0 {
            return Err(Error::bad_input(
                "retired",
                "this stack leaves the copies of databases that no longer exist alone",
                "Set the parameter RetiredKeepDays to have them pruned.",
            ));
        }
        self.check_rules(settings)?;
        self.check_policy(settings)
    }

    fn check_rules(&self, settings: &Settings) -> Result<(), Error> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let remedy = "Leave the field out, or change the stack's parameter.";
        let differs = |field: &str, given: &str, own: &str| {
            let problem = format!("{given} is not what the stack is configured with ({own})");
            Err(Error::bad_input(field, &problem, remedy))
        };
        match &rules.destination_region {
            Some(given) if *given != settings.destination_region => {
                differs("rules.destinationRegion", given, &settings.destination_region)?;
            }
            _ => {}
        }
        match (&rules.kms_key_arn, &settings.kms_key) {
            (Some(given), KmsKey::Arn(own)) if given != own => differs("rules.kmsKeyArn", given, own)?,
            // Which key an alias stands for is not known here; RDS is asked for the alias itself.
            (Some(given), KmsKey::Alias(own)) => {
                let of_a_key = own
                    .split(":alias/")
                    .next()
                    .is_some_and(|begin| given.strip_prefix(begin).is_some_and(|rest| rest.starts_with(":key/")));
                if !of_a_key {
                    differs("rules.kmsKeyArn", given, own)?;
                }
            }
            _ => {}
        }
        match rules.keep_copies {
            Some(keep) if keep < settings.keep.copies => Err(Error::bad_input(
                "rules.keepCopies",
                &format!("{keep} is less than the stack keeps ({})", settings.keep.copies),
                "An input can keep more copies, never fewer: leave the field out, or lower the parameter KeepCopies.",
            )),
            _ => Ok(()),
        }
    }

    fn check_policy(&self, settings: &Settings) -> Result<(), Error> {
        let Some(policy) = &self.policy else { return Ok(()) };
        if let Some(key) = policy.kms_key_arn.as_ref().filter(|key| !settings.allows_key(key)) {
            return Err(Error::bad_input(
                "policy.kmsKeyArn",
                &format!("{key} is not a key that the stack allows"),
                "Leave the field out, or add the key to the parameter AllowedKmsKeyArns.",
            ));
        }
        if policy
            .option_group
            .as_ref()
            .is_some_and(|name| !OptionGroups::is_name(name))
        {
            return Err(Error::bad_input(
                "policy.optionGroup",
                "cannot be the name of an option group",
                "Leave the field out, or give the name of an option group of the destination region.",
            ));
        }
        Ok(())
    }

    /// ARN of the key for this database's copies: what its policy picks, or else the stack's.
    pub fn kms_key_arn<'a>(&'a self, settings: &'a Settings) -> Result<&'a str, Error> {
        let picked = self.policy.as_ref().and_then(|policy| policy.kms_key_arn.as_deref());
        let resolved = self.rules.as_ref().and_then(|rules| rules.kms_key_arn.as_deref());
        match &settings.kms_key {
            _ if picked.is_some() => picked,
            KmsKey::Arn(arn) => Some(arn.as_str()),
            KmsKey::Alias(_) => resolved,
        }
        .ok_or_else(|| {
            Error::bad_input(
                "rules.kmsKeyArn",
                "is missing, and the stack's key is an alias",
                "Start copy-fleet with {\"only\": [\"<identifier>\"]}, which looks up the key of the alias.",
            )
        })
    }

    /// The keys that a copy of this database may have, the one to ask for first; `None` is no key.
    ///
    /// Whether RDS wants a key where AWS owns the source's is documented nowhere, so there the copy is asked for with
    /// the key, and without it if RDS refuses that.
    pub fn keys<'a>(&'a self, encryption: Encryption, settings: &'a Settings) -> Result<Vec<Option<&'a str>>, Error> {
        if !takes_key(self.kind, encryption) {
            return Ok(vec![None]);
        }
        let key = Some(self.kms_key_arn(settings)?);
        Ok(match encryption {
            Encryption::AwsOwned => vec![key, None],
            Encryption::Kms | Encryption::None => vec![key],
        })
    }

    /// What is kept of this database: what the stack keeps, or what its tags or the input ask for where that is more.
    #[must_use]
    pub fn keep(&self, settings: &Settings) -> Keep {
        let by_policy = self.policy.as_ref().map(|policy| policy.keep).unwrap_or_default();
        let by_input = Keep {
            copies: self
                .rules
                .as_ref()
                .and_then(|rules| rules.keep_copies)
                .unwrap_or_default(),
            ..Keep::default()
        };
        settings.keep.or_more(by_policy).or_more(by_input)
    }
}

/// Where the next page of a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Page {
    /// The kind of the page's targets: each kind has its own chain of pages.
    pub kind: DatabaseKind,
    /// The last resource id of the page before: this page's are greater.
    pub cursor: String,
    /// Number of the page, from 2.
    pub number: u32,
    /// Name of the run's first execution.
    pub root: String,
}

/// A database that the run leaves alone, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutDatabase {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// The database's identifier.
    pub id: String,
    /// Why, in words that repeat for every database left out for that reason.
    pub reason: String,
}

/// The databases that the run leaves alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// How many.
    pub count: usize,
    /// How many for each reason.
    pub reasons: std::collections::BTreeMap<String, usize>,
    /// The first 50 by name.
    pub first: Vec<LeftOutDatabase>,
}

/// The copies of databases that no longer exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// How many databases.
    pub databases: usize,
    /// How many copies.
    pub copies: usize,
    /// The first 50 databases by name.
    pub first: Vec<RetiredDatabase>,
}

/// A database that no longer exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredDatabase {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// What it was called last.
    pub id: String,
    /// How many copies there are of it.
    pub copies: usize,
}

/// One page of a run: what `list-targets` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Whether the run only says what it would do.
    pub dry_run: bool,
    /// What each target is to be copied with.
    pub rules: Rules,
    /// Instances of this page, by resource id.
    pub instances: Vec<Target>,
    /// Clusters of this page, by resource id.
    pub clusters: Vec<Target>,
    /// The next page of instances, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_instances: Option<Page>,
    /// The next page of clusters, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_clusters: Option<Page>,
    /// The names that the run is narrowed to, for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
    /// What is left out, and why.
    pub left_out: LeftOut,
    /// Databases that are gone, and whose copies are not.
    pub retired: Retired,
    /// Sentences for the operator.
    pub warnings: Vec<String>,
}

/// What is to be done with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Its newest snapshot has no copy of ours: start one.
    Copy,
    /// A copy of ours is in progress, or complete and not yet verified: go on with it.
    Join,
    /// The newest snapshot has a verified copy.
    Current,
    /// There is no snapshot to copy yet.
    Nothing,
    /// AWS cannot copy its snapshots.
    Unsupported,
    /// It no longer exists: its copies are pruned, by the rules for such.
    Retired,
}

/// How it ended for a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Not ended yet.
    Pending,
    /// The newest snapshot was copied and the copy verified.
    Copied,
    /// The newest snapshot had a verified copy already.
    Current,
    /// There was nothing to copy yet.
    Nothing,
    /// AWS cannot copy its snapshots.
    Unsupported,
    /// A dry run: it would have been copied.
    Planned,
    /// It no longer exists; its copies were pruned.
    Retired,
}

/// The snapshot that is copied, in the source region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The snapshot's identifier, `rds:...` if automated.
    pub id: String,
    /// The snapshot's ARN.
    pub arn: String,
    /// When the data was first captured.
    pub created_at: Timestamp,
    /// Engine, as RDS spells it.
    pub engine: String,
    /// Engine version.
    pub engine_version: String,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Key that it is encrypted with, if RDS says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Allocated storage in GiB, if RDS says; Aurora always says 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_gib: Option<i32>,
}

/// Our copy, in the destination region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Copy {
    /// The copy's identifier.
    pub id: String,
    /// The copy's ARN.
    pub arn: String,
    /// The destination region.
    pub region: String,
    /// The key that was asked for; none for an unencrypted cluster, which RDS copies unencrypted only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// When the copy was asked for.
    pub requested_at: Timestamp,
    /// How many copies of the same snapshot failed before this one.
    pub attempt: u32,
}

/// The next wait, and what the waits so far came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// Seconds until the next look.
    pub seconds: u64,
    /// Seconds asked for so far, the next wait included.
    pub waited_seconds: u64,
    /// Looks taken so far.
    pub polls: u32,
    /// Waits that were cut short because the copy's progress said so.
    pub shortened: u32,
}

impl Wait {
    /// The shortest wait, in seconds.
    pub const SHORTEST_SECONDS: u64 = 30;

    /// The wait before the first look.
    #[must_use]
    pub fn first() -> Self {
        Self {
            seconds: Self::SHORTEST_SECONDS,
            waited_seconds: Self::SHORTEST_SECONDS,
            polls: 0,
            shortened: 0,
        }
    }
}

/// What `find-latest-snapshot` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The database.
    pub target: Target,
    /// Names that the database had when its snapshots were taken, if others than its present one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_ids: Vec<String>,
    /// What is to be done.
    pub decision: Decision,
    /// How it ended, if it has.
    pub outcome: Outcome,
    /// Why, in a sentence.
    pub reason: String,
    /// Sentences for the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The newest snapshot, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How many copies of that snapshot failed so far.
    pub attempt: u32,
    /// Our copy of it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<Copy>,
    /// The wait that goes with a copy in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
}

/// What `start-copy` gives. A [`Found`] that joins a copy reads as one too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The database.
    pub target: Target,
    /// Names that the database had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_ids: Vec<String>,
    /// What was to be done.
    pub decision: Decision,
    /// How it ended, if it has.
    pub outcome: Outcome,
    /// Why, in a sentence.
    pub reason: String,
    /// Sentences for the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The snapshot that is copied.
    pub source: Source,
    /// The copy.
    pub copy: Copy,
    /// The next wait.
    pub wait: Wait,
}

/// Whether a copy is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyState {
    /// Not complete: wait and look again.
    Copying,
    /// Complete, compared with its source and marked as good.
    Verified,
}

/// How a copy is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyStatus {
    /// Whether it is done.
    pub state: CopyState,
    /// Percentage of the data transferred; 0 while RDS queues the copy.
    pub percent: i32,
    /// Seconds to go, if the progress says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_seconds: Option<u64>,
    /// When it was found complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// What was compared between a copy and its source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Fields that agree.
    pub agree: Vec<String>,
    /// Fields that RDS did not report: not a mismatch, but not proof either.
    pub not_reported: Vec<String>,
    /// What differs, each as a sentence.
    pub differ: Vec<String>,
}

/// What `check-copy-status` gives; it reads again as its own input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// What was started.
    #[serde(flatten)]
    pub started: Started,
    /// How the copy is doing.
    pub status: CopyStatus,
    /// What was compared, once the copy is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

/// What `prune-old` takes: any baton from [`Found`] on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prunable {
    /// The database.
    pub target: Target,
    /// Names that the database had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_ids: Vec<String>,
    /// What was to be done, as far as the baton has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The newest snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The rest of the baton, handed on untouched.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What was decided about a copy, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneDecision {
    /// The copy's identifier.
    pub id: String,
    /// The rule that decided, in a sentence.
    pub reason: String,
}

/// What pruning did, or in a dry run would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PruneReport {
    /// Deleted copies.
    pub deleted: Vec<PruneDecision>,
    /// Kept copies.
    pub kept: Vec<PruneDecision>,
    /// Decisions beyond the first 100, which are only counted here; the function's log has them all.
    pub omitted: usize,
    /// Whether nothing was really deleted.
    pub dry_run: bool,
}

/// What `prune-old` gives: the audit record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The baton so far.
    #[serde(flatten)]
    pub baton: Prunable,
    /// What pruning did.
    pub pruned: PruneReport,
}
