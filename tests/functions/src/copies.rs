//! Our copies, for tests that begin with some: the one place that makes them, with the tags that start-copy writes.

use std::collections::BTreeMap;

use domain::copy_tags::CopyTags;
use domain::kind::DatabaseKind;
use domain::ownership::{Format, Owner};
use domain::restore_settings::RestoreHints;
use domain::retention_rules::RetentionRules;
use domain::snapshot::Snapshot;
use domain::tags;
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::BEGINNING;
use rds_simulator_sdk::scenario;
use rds_simulator_sdk::simulator::Kind;

use crate::SOURCE;

/// ARN of the automated snapshot of an instance that was taken `hours` before the simulated world begins, as RDS names it.
#[must_use]
pub fn automated_arn(database: &str, hours: u32) -> String {
    let taken = BEGINNING - SignedDuration::from_hours(i64::from(hours));
    let stamp = taken.strftime("%Y-%m-%d-%H-%M");
    format!("arn:aws:rds:{SOURCE}:123456789012:snapshot:rds:{database}-{stamp}")
}

/// A copy of a snapshot of a database, by the owner `snap`, without a key, and not verified yet.
#[must_use]
pub fn copy_of(database: &str, resource_id: &str) -> CopyBuilder {
    CopyBuilder {
        owner: Owner::new(SOURCE, "snap"),
        kind: DatabaseKind::Instance,
        other_name: None,
        hours: 0.0,
        verified: None,
        tags: CopyTags {
            format: Format::CURRENT,
            source_arn: format!("arn:aws:rds:{SOURCE}:123456789012:snapshot:rds:{database}-old"),
            source_id: database.to_owned(),
            source_resource_id: resource_id.to_owned(),
            source_created: BEGINNING,
            requested: BEGINNING,
            attempt: 0,
            kms_key_arn: None,
            stack: Some("snapferry".to_owned()),
            retention: RetentionRules::default(),
            unread: false,
            drill_every: None,
            restore_order: None,
            restore: RestoreHints::default(),
        },
    }
}

/// One of our copies in the making.
#[derive(Debug, Clone)]
pub struct CopyBuilder {
    owner: Owner,
    kind: DatabaseKind,
    other_name: Option<String>,
    hours: f64,
    verified: Option<String>,
    tags: CopyTags,
}

impl CopyBuilder {
    /// Of a cluster or of an instance.
    #[must_use]
    pub fn kind(self, kind: DatabaseKind) -> Self {
        Self { kind, ..self }
    }

    /// Under another identifier than the program gives it, so that it is not ours.
    #[must_use]
    pub fn named(self, id: &str) -> Self {
        Self {
            other_name: Some(id.to_owned()),
            ..self
        }
    }

    /// Named and tagged as version 1 of the program did.
    #[must_use]
    pub fn in_version_1(mut self) -> Self {
        self.tags.format = Format::V1;
        self.tags.stack = None;
        self
    }

    /// Made by the stack of this name.
    #[must_use]
    pub fn stack(mut self, name: &str) -> Self {
        self.tags.stack = Some(name.to_owned());
        self
    }

    /// Made by this owner.
    #[must_use]
    pub fn owned_by(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }

    /// Of this snapshot.
    #[must_use]
    pub fn source(mut self, arn: &str) -> Self {
        arn.clone_into(&mut self.tags.source_arn);
        self
    }

    /// Of data from `hours` before the simulated world begins, and asked for at once.
    #[must_use]
    pub fn aged(mut self, hours: u32) -> Self {
        self.hours = f64::from(hours);
        self.created(BEGINNING - SignedDuration::from_hours(i64::from(hours)))
    }

    /// Of data from this time, and asked for at once.
    #[must_use]
    pub fn created(mut self, time: Timestamp) -> Self {
        self.tags.source_created = time;
        self.tags.requested = time;
        self
    }

    /// Encrypted with this key.
    #[must_use]
    pub fn key(mut self, arn: &str) -> Self {
        self.tags.kms_key_arn = Some(arn.to_owned());
        self
    }

    /// After so many that failed.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.tags.attempt = attempt;
        self
    }

    /// Marked with this: a time, or `mismatch`.
    #[must_use]
    pub fn marked(self, verified: &str) -> Self {
        Self {
            verified: Some(verified.to_owned()),
            ..self
        }
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> String {
        let given = self.other_name.clone();
        given.unwrap_or_else(|| self.tags.copy_id(&self.owner))
    }

    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        let mut all = self.tags.to_tags(&self.owner);
        all.extend(self.verified.clone().map(|mark| (tags::VERIFIED.to_owned(), mark)));
        all
    }

    /// The copy as RDS describes it, complete.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            kind: self.kind,
            database_id: self.tags.source_id.clone(),
            snapshot_type: "manual".to_owned(),
            tags: self.tags(),
            ..crate::snapshot(&self.id())
        }
    }

    /// The copy as a simulated region is seeded with it.
    #[must_use]
    pub fn seed(&self) -> scenario::Snapshot {
        let copy = scenario::Snapshot::copy_of(&self.tags.source_arn, self.simulated_kind(), &self.id(), self.hours);
        // RDS reports the database of the source on a copy.
        let copy = scenario::Snapshot {
            resource_id: Some(self.tags.source_resource_id.clone()),
            ..copy
        };
        let copy = match &self.tags.kms_key_arn {
            Some(key) => copy.encrypted_with(key),
            None => copy,
        };
        self.tagged(copy)
    }

    /// A snapshot that is no copy, and carries the tags of this one.
    #[must_use]
    pub fn by_hand(&self) -> scenario::Snapshot {
        self.tagged(scenario::Snapshot::manual(&self.id(), self.hours))
    }

    fn tagged(&self, snapshot: scenario::Snapshot) -> scenario::Snapshot {
        let snapshot = snapshot.taken_of(self.simulated_kind(), &self.tags.source_id);
        self.tags()
            .iter()
            .fold(snapshot, |snapshot, (key, value)| snapshot.tag(key, value))
    }

    fn simulated_kind(&self) -> Kind {
        match self.kind {
            DatabaseKind::Instance => Kind::Instance,
            DatabaseKind::Cluster => Kind::Cluster,
        }
    }
}
