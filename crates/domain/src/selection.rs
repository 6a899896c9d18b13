//! Which databases are copied, which are not, and which make no snapshots: one judgement for functions and command line.
//!
//! What makes no snapshots by design raises no alarm. A database that somebody wants protected is never hidden among
//! those: see [`warnings`].

use std::collections::BTreeMap;
use std::fmt;

use crate::kind::DatabaseKind;
use crate::rds_rules::why_unsupported;
use crate::settings::{Selection, Settings};
use crate::snapshot::Database;
use crate::tag_spelling::misspelled;
use crate::tags;

/// What of the stack's settings decides which databases are copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionRules {
    /// Region of the databases.
    pub source_region: String,
    /// What holds for a database whose tags say nothing.
    pub selection: Selection,
    /// Whether Neptune clusters are copied too.
    pub include_neptune: bool,
    /// Whether `DocumentDB` clusters are copied too.
    pub include_documentdb: bool,
    /// Whether hand-made snapshots are copied too.
    pub include_manual_snapshots: bool,
}

impl From<&Settings> for SelectionRules {
    fn from(settings: &Settings) -> Self {
        Self {
            source_region: settings.source_region.clone(),
            selection: settings.selection,
            include_neptune: settings.include_neptune,
            include_documentdb: settings.include_documentdb,
            include_manual_snapshots: settings.include_manual_snapshots,
        }
    }
}

/// Why a database is not expected to have a fresh copy. The sentences are few, so that a summary can count them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its tag says so.
    TaggedFalse,
    /// Its tag says so, in a spelling of its own.
    MisspelledFalse,
    /// It has no tag, and the stack wants one.
    NotTagged,
    /// Its engine is switched off.
    NeptuneNotIncluded,
    /// Its engine is switched off.
    DocumentDbNotIncluded,
    /// It belongs to a global database whose writer is another cluster.
    Secondary {
        /// Region of the writer.
        primary_region: String,
    },
    /// It replicates another cluster.
    ReplicaCluster,
    /// It replicates another database, and has no backups of its own.
    ReadReplica,
    /// It has no backups.
    RetentionZero,
    /// Its backups are those of AWS Backup.
    AwsBackup,
    /// It is stopped, and makes no snapshots meanwhile.
    Stopped,
    /// RDS did not say which database it is.
    NoArn,
    /// AWS cannot copy its snapshots.
    Unsupported(&'static str),
}

impl Reason {
    /// Whether runs leave it out. Of the others they copy what there is, though nobody waits for more.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        !matches!(self, Self::AwsBackup | Self::Stopped | Self::Unsupported(_))
    }

    /// Whether the reason is that it makes no snapshots that could be copied, whatever anybody wants.
    #[must_use]
    pub fn makes_no_snapshots(&self) -> bool {
        matches!(
            self,
            Self::ReadReplica | Self::RetentionZero | Self::AwsBackup | Self::Stopped | Self::NoArn
        )
    }

    /// The fields of RDS that it is read from.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::TaggedFalse | Self::MisspelledFalse | Self::NotTagged => "TagList",
            Self::NeptuneNotIncluded | Self::DocumentDbNotIncluded | Self::Unsupported(_) => "Engine",
            Self::Secondary { .. } => "GlobalClusterIdentifier, IsWriter",
            Self::ReplicaCluster => "ReplicationSourceIdentifier",
            Self::ReadReplica => {
                "ReadReplicaSourceDBInstanceIdentifier, ReadReplicaSourceDBClusterIdentifier, BackupRetentionPeriod"
            }
            Self::RetentionZero => "BackupRetentionPeriod",
            Self::AwsBackup => "AwsBackupRecoveryPointArn",
            Self::Stopped => "DBInstanceStatus, Status",
            Self::NoArn => "DBInstanceArn, DbiResourceId, DBClusterArn, DbClusterResourceId",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TaggedFalse => "tagged snapferry:copy=false",
            Self::MisspelledFalse => "tagged snapferry:copy=false, in another spelling",
            Self::NotTagged => "not tagged snapferry:copy=true, which this stack asks for (Selection=opt-in)",
            Self::NeptuneNotIncluded => "Neptune is not included (IncludeNeptune=false)",
            Self::DocumentDbNotIncluded => "DocumentDB is not included (IncludeDocumentDb=false)",
            Self::Secondary { primary_region } => {
                return write!(
                    f,
                    "a secondary of a global database: its primary, in {primary_region}, has the same data and is the \
                     one to copy"
                );
            }
            Self::ReplicaCluster => {
                "a replica of another cluster, which has the same data and is the one to copy (to copy it all the same, \
                 tag it snapferry:copy=true)"
            }
            Self::ReadReplica => {
                "a read replica without backups of its own: its source has the same data and is the one to copy"
            }
            Self::RetentionZero => "its backup retention is 0, so RDS makes no snapshots of it",
            Self::AwsBackup => "AWS Backup makes its backups, and RDS copies none of those for Snapferry",
            Self::Stopped => "it is stopped, and RDS makes no snapshots of it until it runs again",
            Self::NoArn => "RDS reported it without its ARN or its resource id",
            Self::Unsupported(why) => why,
        })
    }
}

/// Why this database is not expected to have a fresh copy; nothing if it is. Members of clusters are not judged: their
/// cluster is. `global_writers` has the ARN of the cluster that is written to by its global database.
#[must_use]
pub fn judge(database: &Database, rules: &SelectionRules, global_writers: &BTreeMap<String, String>) -> Option<Reason> {
    if database.arn.is_empty() || database.resource_id.is_empty() {
        return Some(Reason::NoArn);
    }
    let wish = CopyWish::read(&database.tags);
    match (wish.copy, rules.selection) {
        (Some(false), _) if wish.problems.is_empty() => return Some(Reason::TaggedFalse),
        (Some(false), _) => return Some(Reason::MisspelledFalse),
        (None, Selection::OptIn) => return Some(Reason::NotTagged),
        (Some(true), _) | (None, Selection::OptOut) => {}
    }
    match database.engine.as_str() {
        "neptune" if !rules.include_neptune => return Some(Reason::NeptuneNotIncluded),
        "docdb" if !rules.include_documentdb => return Some(Reason::DocumentDbNotIncluded),
        _ => {}
    }
    let is_wanted = wish.copy == Some(true);
    let writer = database.global_cluster.as_ref().and_then(|id| global_writers.get(id));
    if let Some(writer) = writer {
        if *writer != database.arn {
            return Some(Reason::Secondary {
                primary_region: writer.split(':').nth(3).unwrap_or("another region").to_owned(),
            });
        }
    } else if database.kind == DatabaseKind::Cluster && database.replica_of.is_some() && !is_wanted {
        return Some(Reason::ReplicaCluster);
    }
    makes_no_snapshots(database, rules, is_wanted)
        .or_else(|| why_unsupported(database.kind, &database.engine, &rules.source_region).map(Reason::Unsupported))
}

/// Why RDS makes no snapshots of it that could be copied.
fn makes_no_snapshots(database: &Database, rules: &SelectionRules, is_wanted: bool) -> Option<Reason> {
    // RDS creates read replicas with backups disabled (API reference, `CreateDBInstanceReadReplica`), and one with
    // backups of its own is a database like any other. Where hand-made snapshots count, they may be all that there is.
    let is_instance_replica = database.kind == DatabaseKind::Instance && database.replica_of.is_some();
    let has_manual = rules.include_manual_snapshots && (is_wanted || !is_instance_replica);
    match database.backup_retention_days {
        None | Some(0) if is_instance_replica && !has_manual => Some(Reason::ReadReplica),
        // Databases that are managed by AWS Backup have no automated backups (user guide, Enabling automated backups).
        _ if database.aws_backup_arn.is_some() => Some(Reason::AwsBackup),
        Some(0) if !has_manual => Some(Reason::RetentionZero),
        _ if matches!(database.status.as_str(), "stopped" | "stopping") => Some(Reason::Stopped),
        _ => None,
    }
}

/// What must be said of a database, whether it is copied or not: tags about copying that are not as they should be, and
/// that it is wanted and makes no snapshots. No sentence has a tag's value in it.
#[must_use]
pub fn warnings(database: &Database, reason: Option<&Reason>) -> Vec<String> {
    let wish = CopyWish::read(&database.tags);
    let name = format!("{} {}", database.kind, database.id);
    let taken = match wish.copy {
        Some(true) => "it is taken for true",
        Some(false) => "it is taken for false",
        None => "it is ignored",
    };
    let problems = wish.problems.iter();
    let mut said: Vec<String> = problems
        .map(|(tag, problem)| format!("{name}: the tag {tag} {problem}; {taken}"))
        .collect();
    let unprotected = reason.filter(|reason| wish.copy == Some(true) && reason.makes_no_snapshots());
    said.extend(unprotected.map(|reason| {
        let remedy = match reason {
            Reason::RetentionZero | Reason::ReadReplica => " Give it a backup retention period of a day or more.",
            Reason::Stopped => " Start it for its backup window.",
            _ => "",
        };
        format!(
            "{name} is tagged {}=true, and nothing new of it is protected: {reason}.{remedy}",
            tags::COPY
        )
    }));
    said
}

/// Whether a person wants a database to be copied, as far as its tags say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyWish<'a> {
    /// To be copied or not; nothing if no tag says so in words that can be understood.
    pub copy: Option<bool>,
    /// Tags about copying that are spelled in another way or cannot be read: as they are written, and what is wrong.
    pub problems: Vec<(&'a str, String)>,
}

impl<'a> CopyWish<'a> {
    /// Reads it. A tag in another spelling counts where the right one is missing: nothing is copied against a wish, and
    /// no wish is passed over in silence. Where two of those disagree, the one not to copy counts.
    #[must_use]
    pub fn read(tags: &'a BTreeMap<String, String>) -> Self {
        let mut wish = Self::default();
        let unreadable = || "is neither true nor false".to_owned();
        if let Some(value) = tags.get(tags::COPY) {
            let (copy, is_exact) = read_value(value);
            wish.copy = copy;
            if !is_exact {
                wish.problems.push((tags::COPY, unreadable()));
            }
        }
        let mut other: Option<bool> = None;
        for found in misspelled(tags).filter(|found| found.meant == Some(tags::COPY)) {
            if let (Some(copy), _) = read_value(found.value) {
                other = Some(other.unwrap_or(true) && copy);
            }
            wish.problems.push((found.written, found.problem()));
        }
        wish.copy = wish.copy.or(other);
        wish
    }
}

/// What a value says, and whether it is one of the two words that are documented.
fn read_value(value: &str) -> (Option<bool>, bool) {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => (Some(true), true),
        "false" => (Some(false), true),
        "yes" | "y" | "on" | "1" | "t" | "enabled" => (Some(true), false),
        "no" | "n" | "off" | "0" | "f" | "never" | "none" | "disabled" => (Some(false), false),
        _ => (None, false),
    }
}

#[cfg(test)]
mod tests;
