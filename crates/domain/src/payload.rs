//! The payload: every type that crosses a state boundary.
//!
//! Each function takes what the previous one gave and adds to it: [`Plan`] lists targets, and for each
//! [`Target`] come [`Found`], [`Started`], [`Checked`] and [`Pruned`]. The state machines only pass it on.
//!
//! While a stack is updated, or rolled back, a function gets what one of the next release made. So no type here refuses a
//! field that it does not know: what a person types is checked for such fields by [`crate::by_hand`]. A value that nobody
//! knows is another matter: what decides something is refused ([`Error::PayloadUnknown`]), what only informs or saves work is
//! as if it were missing.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::drill::DrillEvery;
use crate::error::Error;
use crate::hash::spread;
use crate::kind::DatabaseKind;
use crate::restore_order::RestoreOrder;
use crate::restore_settings::RestoreHints;
use crate::retention_rules::RetentionRules;
use crate::snapshot::Encryption;

/// What a run was configured with. An input may repeat it, but not change it: [`Target::check_for_copy`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRules {
    /// Region of the copies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_region: Option<String>,
    /// ARN of the key that copies are encrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Verified copies to keep, where they are more than configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_copies: Option<u32>,
}

/// What a database's tags ask for. They may ask for more than the stack keeps, and for a key that it allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// ARN of the key, of those that the stack allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Option group of the destination region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_group: Option<String>,
    /// What is kept, where it is more than the stack keeps.
    #[serde(skip_serializing_if = "RetentionRules::is_empty")]
    pub keep: RetentionRules,
    /// Whether nothing may be deleted, because one of the tags cannot be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hold_all: bool,
}

/// Why a database is not copied in this run, found before the first copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(rename_all = "camelCase")]
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
    /// The snapshot that the event of this run is about, by its identifier: a run that an event started is for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Whether forgotten copies of older snapshots are left alone, because one of them could not be verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_newest: bool,
    /// How long this execution has waited before the copy, and for what.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waited: Waited,
    /// Why it is not copied in this run. The state machine ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// What the run was configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<RunRules>,
    /// Name of the execution that copies it, as `list-targets` gives it; a redriven run appends to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The release that made it. A person who types a target has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
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
            snapshot: None,
            only_newest: false,
            waited: Waited::default(),
            problem: None,
            rules: None,
            execution: None,
            release: None,
        }
    }
}

/// Where the next page of a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The kind of the page's targets: each kind has its own chain of pages.
    pub kind: DatabaseKind,
    /// The last resource id of the page before: this page's are greater.
    pub cursor: String,
    /// Number of the page, from 2.
    pub number: u32,
    /// Name of the run's first execution.
    pub root: String,
    /// Name of the execution that runs this page.
    #[serde(default)]
    pub execution: String,
    /// The release that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
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

/// What an execution waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitReason {
    /// A copy slot of the destination region.
    Slot,
    /// The snapshot, or its cluster, to be no longer busy.
    Busy,
    /// KMS, to let RDS use the key that an alias stands for since a short while.
    Key,
    /// The snapshot that an event named, to become available.
    Snapshot,
}

/// A wait, as the state machine gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// What for.
    pub reason: WaitReason,
    /// What RDS said, in a sentence.
    pub why: String,
    /// Seconds until the next try.
    pub seconds: u64,
    /// Seconds that had been waited for a slot when the snapshot was found.
    pub found_at: u64,
    /// Whether the newest snapshot is looked for again first, because the one that was found may be out of date.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub find_again: bool,
}

/// Seconds waited for each reason: the sums of the waits that were asked for, so that the limits are the same where waits
/// are scaled. It travels with the target through every way back to `StartCopy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Waited {
    /// For a copy slot.
    #[serde(skip_serializing_if = "is_default")]
    pub slot: u64,
    /// For a busy snapshot.
    #[serde(skip_serializing_if = "is_default")]
    pub busy: u64,
    /// For a key.
    #[serde(skip_serializing_if = "is_default")]
    pub key: u64,
    /// For the snapshot of an event.
    #[serde(skip_serializing_if = "is_default")]
    pub snapshot: u64,
}

/// Whether a field can be left out of a payload.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One page of a run: what `list-targets` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Whether the run only says what it would do.
    pub dry_run: bool,
    /// Whether an RDS event started it: such a run sends no mail, because the next whole run names what failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub event: bool,
    /// What each target is to be copied with.
    pub rules: RunRules,
    /// Instances of this page, in order of need.
    pub instances: Vec<Target>,
    /// Clusters of this page, in order of need.
    pub clusters: Vec<Target>,
    /// The next page of instances, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_instances: Option<Page>,
    /// The next page of clusters, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_clusters: Option<Page>,
    /// The names that the run is narrowed to, for the next page: those of databases that this page does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
    /// What is left out, and why.
    pub left_out: LeftOut,
    /// Databases that are gone, and whose copies are not.
    pub retired: Retired,
    /// Sentences for the operator.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The same without what only a run's first page tells.
    #[must_use]
    pub fn without_summary(self) -> Self {
        Self {
            left_out: LeftOut::default(),
            retired: Retired::default(),
            warnings: Vec::new(),
            ..self
        }
    }
}

/// What is to be done with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Its newest snapshot has no copy of ours: start one.
    Copy,
    /// A copy of ours is in progress, or complete and not yet verified: go on with it.
    Join,
    /// A copy of another snapshot is complete and not verified yet, or in progress and waited for: verify it, then find
    /// again.
    Verify,
    /// The newest snapshot has a verified copy.
    Current,
    /// There is no snapshot to copy yet.
    Nothing,
    /// AWS cannot copy its snapshots.
    Unsupported,
    /// It no longer exists: its copies are pruned, by the rules for such.
    Retired,
    /// The snapshot that an event named may become available any moment: wait, then find again.
    Wait,
    /// A copy of ours is in progress, and this run leaves it to whoever began it.
    #[serde(rename = "under way")]
    UnderWay,
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
    /// The newest snapshot was copied and the copy verified, and old copies that should have gone could not be deleted.
    #[serde(rename = "copied, not pruned")]
    CopiedNotPruned,
    /// A copy was in progress already. Whoever began it verifies it, or else the next run that finds it complete.
    #[serde(rename = "under way")]
    UnderWay,
    /// The snapshot that an event named was not available in time.
    #[serde(rename = "not ready")]
    NotReady,
}

/// The snapshot that is copied, in the source region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The snapshot's identifier, `rds:...` if automated.
    pub id: String,
    /// The snapshot's ARN.
    pub arn: String,
    /// When the data was first captured: which snapshot it is.
    pub created_at: Timestamp,
    /// The most recent transaction in the data, where RDS says (`SnapshotDatabaseTime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_time: Option<Timestamp>,
    /// Engine, as RDS spells it.
    pub engine: String,
    /// Engine version.
    pub engine_version: String,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Key that it is encrypted with, if RDS says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Allocated storage in GiB, if RDS says; it does for instances only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_gib: Option<i32>,
    /// GiB that were ever written, rounded up, where RDS says (`FullSnapshotSizeInBytes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_gib: Option<i32>,
}

impl Source {
    /// How old the data is that a restore would bring back.
    #[must_use]
    pub fn data_at(&self) -> Timestamp {
        self.data_time.unwrap_or(self.created_at)
    }

    /// The size in GiB: what was written, where RDS reports it, or else the storage that was allocated.
    #[must_use]
    pub fn data_gib(&self) -> Option<i32> {
        self.written_gib.or(self.size_gib)
    }
}

/// Our copy, in the destination region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyRef {
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

/// The next wait, and the total time waited so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// Seconds until the next poll.
    pub seconds: u64,
    /// Seconds asked for so far, the next wait included.
    pub waited_seconds: u64,
    /// Looks taken so far.
    pub polls: u32,
    /// Waits that were cut short because the copy's progress said so.
    pub shortened: u32,
}

impl Wait {
    /// The shortest wait between two polls, in seconds.
    pub const MIN_SECONDS: u64 = 30;

    /// The wait before the first poll of a copy: half as long at least, by its name, so that copies which began together
    /// are not all polled in the same second from then on.
    #[must_use]
    pub fn first(copy_id: &str) -> Self {
        let seconds = spread(copy_id, Self::MIN_SECONDS / 2..=Self::MIN_SECONDS);
        Self {
            seconds,
            waited_seconds: seconds,
            ..Self::none()
        }
    }

    /// No wait before the first poll.
    #[must_use]
    pub fn none() -> Self {
        Self {
            seconds: 0,
            waited_seconds: 0,
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
    pub copy: Option<CopyRef>,
    /// How many verified copies of the database there were when it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_copies: Option<usize>,
    /// The wait that goes with a copy in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// What has to be waited for before the copy can begin. What only another release waits for is as if it were missing.
    #[serde(default, deserialize_with = "if_known", skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// What start-copy has read, so that the next try does not read it again; it does where another release read more.
    #[serde(default, deserialize_with = "if_known", skip_serializing_if = "Option::is_none")]
    pub facts: Option<DatabaseFacts>,
}

/// Reads what only saves work, or informs: what cannot be read is as if it were missing.
fn if_known<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// What a copy records of its database, beside what the snapshot says. No tag value is among it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseFacts {
    /// What a restore needs.
    pub restore: RestoreHints,
    /// What its tags ask to be kept.
    pub retention: RetentionRules,
    /// Whether one of those tags could not be read; nothing if the database itself is gone, or could not be read.
    pub unread: Option<bool>,
    /// How often its tags ask for a drill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill_every: Option<DrillEvery>,
    /// Which place in the order of a restore they ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_order: Option<RestoreOrder>,
    /// The snapshot's own option group.
    pub snapshot_option_group: Option<String>,
    /// Whether the copy inherits the tags of the database, because the snapshot has none.
    pub inherits_of_database: bool,
    /// Keys that RDS refused for this snapshot, so that they are not asked for again.
    pub refused_keys: usize,
}

impl Found {
    /// A database of which no more is known yet: there is nothing to copy.
    #[must_use]
    pub fn new(target: Target, former_ids: Vec<String>) -> Self {
        Self {
            target,
            former_ids,
            decision: Decision::Nothing,
            outcome: Outcome::Nothing,
            reason: String::new(),
            warnings: Vec::new(),
            source: None,
            attempt: 0,
            copy: None,
            verified_copies: None,
            wait: None,
            waiting: None,
            facts: None,
        }
    }
}

/// What `start-copy` gives: a copy, or what was found with what is to be waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum StartAnswer {
    /// The copy was started, or joined.
    Started(Box<Started>),
    /// Try again later.
    Waiting(Box<Found>),
}

/// The copy as `start-copy` gives it. A [`Found`] that joins a copy reads as one too.
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
    pub copy: CopyRef,
    /// How many verified copies of the database there were when it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_copies: Option<usize>,
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
pub struct CopyProgress {
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
    pub status: CopyProgress,
    /// What was compared, once the copy is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

/// What `prune-old` takes: any payload from [`Found`] on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prunable {
    /// The database.
    pub target: Target,
    /// Names that the database had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_ids: Vec<String>,
    /// What was to be done, as far as the payload has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// How it ended, as far as the payload has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Sentences for the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The newest snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How many verified copies of the database there were when the execution began: fewer now have gone in it, in an
    /// attempt whose answer was lost. It can only make this step delete less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_copies: Option<usize>,
    /// What this execution deleted before, to make room for the copy: it counts towards what one execution may delete.
    #[serde(default, skip_serializing)]
    pub deleted_for_room: Vec<PruneDecision>,
    /// The rest of the payload, handed on untouched.
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
#[serde(rename_all = "camelCase", default)]
pub struct PruneReport {
    /// Deleted copies.
    pub deleted: Vec<PruneDecision>,
    /// Kept copies.
    pub kept: Vec<PruneDecision>,
    /// Copies that should have gone and could not be deleted, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<PruneDecision>,
    /// Verified copies that go in a later run, because one execution deletes only a few.
    pub to_go: usize,
    /// Decisions beyond the first 100, which are only counted here; the function's log has them all.
    pub omitted: usize,
    /// Whether nothing was really deleted.
    pub dry_run: bool,
}

/// What `prune-old` gives: the audit record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The payload so far.
    #[serde(flatten)]
    pub payload: Prunable,
    /// What pruning did.
    pub pruned: PruneReport,
}
