//! The copies that the destination region holds, by database. Their tags say everything: no other region is asked.

use std::collections::BTreeMap;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::snapshot::Snapshot;
use domain::tags;
use jiff::{SignedDuration, Timestamp};
use rds::{Rds, SnapshotQuery};

use crate::args::{Global, Where};
use crate::{Cloud, Failure, Stack};

/// What the operator must be allowed to do.
pub(crate) const NEEDS: &str = "rds:DescribeDBSnapshots and rds:DescribeDBClusterSnapshots";

/// How old the newest verified copy of a database may be, where nobody says: a nightly snapshot and its copy, and two
/// hours of grace.
const OBJECTIVE_HOURS: i64 = 26;

/// One copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCopy {
    /// As its tags describe it.
    pub own: OwnCopy,
    /// As RDS does.
    pub snapshot: Snapshot,
}

impl HeldCopy {
    /// The value of one of its tags, if it has one.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.snapshot
            .tags
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// When it was verified.
    #[must_use]
    pub fn verified_at(&self) -> Option<Timestamp> {
        let verified = self.own.status == CopyStatus::Verified;
        self.tag(tags::VERIFIED)
            .filter(|_| verified)
            .and_then(|time| time.parse().ok())
    }

    /// Time to go, by what is done; nothing while RDS queues it.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> Option<SignedDuration> {
        let percent = self.snapshot.percent;
        let elapsed = now.duration_since(self.own.requested);
        (self.own.status == CopyStatus::InProgress && (1..100).contains(&percent))
            .then(|| elapsed * (100 - percent) / percent)
    }
}

/// The copies of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseCopies {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// What it was called when it was copied last.
    pub id: String,
    /// What tells databases of one name apart.
    pub resource_id: String,
    /// Its region.
    pub source_region: String,
    /// Its copies, the newest data first.
    pub copies: Vec<HeldCopy>,
}

impl DatabaseCopies {
    /// The copy that a restore would take.
    #[must_use]
    pub fn newest_verified(&self) -> Option<&HeldCopy> {
        self.copies.iter().find(|copy| copy.own.status == CopyStatus::Verified)
    }

    /// How many are so.
    #[must_use]
    pub fn count(&self, standing: CopyStatus) -> usize {
        self.copies.iter().filter(|copy| copy.own.status == standing).count()
    }
}

/// All copies of an owner in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// The region of the copies.
    pub region: String,
    /// Whose they are.
    pub owner_id: String,
    /// By database, in the order of their names.
    pub databases: Vec<DatabaseCopies>,
    /// Other owners of copies there, with how many they have.
    pub others: BTreeMap<String, usize>,
}

/// Reads the copies of an owner; of databases of `source_region` only, if it is known.
pub(crate) async fn read(rds: &Rds, owner_id: &str, source_region: Option<&str>) -> Result<Fleet, Failure> {
    let ours = |mut snapshot: Snapshot| {
        Owner::claimed_by(&snapshot)?;
        tags::retain_ours(&mut snapshot.tags);
        Some(snapshot)
    };
    let (instances, clusters) = tokio::try_join!(
        rds.scan_manual_snapshots(DatabaseKind::Instance, ours),
        rds.scan_manual_snapshots(DatabaseKind::Cluster, ours),
    )
    .map_err(|error| Failure::of_rds(rds.region(), NEEDS, &error))?;
    let all = instances.into_iter().chain(clusters);
    Ok(sort(all, rds.region(), owner_id, source_region))
}

/// The copies of the databases of this name only.
pub(crate) async fn read_named(
    rds: &Rds,
    owner_id: &str,
    source_region: Option<&str>,
    kinds: &[DatabaseKind],
    id: &str,
) -> Result<Fleet, Failure> {
    let names = [id.to_owned()];
    let mut all = Vec::new();
    for kind in kinds {
        let found = rds.snapshots(*kind, SnapshotQuery::ManualOfNames(&names)).await;
        all.extend(found.map_err(|error| Failure::of_rds(rds.region(), NEEDS, &error))?);
    }
    Ok(sort(all.into_iter(), rds.region(), owner_id, source_region))
}

fn sort(all: impl Iterator<Item = Snapshot>, region: &str, owner_id: &str, source_region: Option<&str>) -> Fleet {
    let mut others = BTreeMap::new();
    let mut databases: BTreeMap<(String, DatabaseKind, String), DatabaseCopies> = BTreeMap::new();
    for snapshot in all {
        let Some(owner) = Owner::claimed_by(&snapshot).filter(|owner| owner.owns(&snapshot)) else {
            continue;
        };
        let Some(own) = OwnCopy::read(&owner, &snapshot) else {
            continue;
        };
        if owner.id() != owner_id || source_region.is_some_and(|region| region != owner.source_region()) {
            *others.entry(owner.tag().to_owned()).or_default() += 1;
            continue;
        }
        let key = (
            owner.source_region().to_owned(),
            snapshot.kind,
            own.source_resource_id.clone(),
        );
        let database = databases.entry(key).or_insert_with(|| DatabaseCopies {
            kind: snapshot.kind,
            id: String::new(),
            resource_id: own.source_resource_id.clone(),
            source_region: owner.source_region().to_owned(),
            copies: Vec::new(),
        });
        database.copies.push(HeldCopy { own, snapshot });
    }
    let mut databases: Vec<DatabaseCopies> = databases.into_values().collect();
    for database in &mut databases {
        database.copies.sort_by(|a, b| {
            let age = |copy: &HeldCopy| (copy.own.source_created, copy.own.requested);
            age(b).cmp(&age(a))
        });
        if let Some(newest) = database.copies.first() {
            let name = newest.tag(tags::SOURCE_ID).unwrap_or(&newest.snapshot.database_id);
            database.id = name.to_owned();
        }
    }
    databases.sort_by(|a, b| (&a.id, a.kind, &a.resource_id).cmp(&(&b.id, b.kind, &b.resource_id)));
    Fleet {
        region: region.to_owned(),
        owner_id: owner_id.to_owned(),
        databases,
        others,
    }
}

/// Where the copies are, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) region: String,
    pub(crate) owner_id: String,
    /// The stack, unless the destination region alone is asked.
    pub(crate) stack: Option<Stack>,
}

impl Place {
    /// What the options say, or else the stack.
    pub(crate) async fn find(cloud: &Cloud, global: &Global, options: &Where) -> Result<Self, Failure> {
        if let Some(region) = &options.destination {
            return Ok(Self {
                region: region.clone(),
                owner_id: options.owner.clone(),
                stack: None,
            });
        }
        let stack = cloud.stack(&global.stack).await?;
        Ok(Self {
            region: stack.destination_region.clone(),
            owner_id: stack.owner_id.clone(),
            stack: Some(stack),
        })
    }

    /// Region of the databases, if it is known.
    pub(crate) fn source_region(&self) -> Option<&str> {
        self.stack.as_ref().map(|stack| stack.region.as_str())
    }

    /// How old the newest verified copy of a database may be: what the options say, or else the stack.
    pub(crate) fn objective(&self, option: Option<SignedDuration>) -> SignedDuration {
        let of_stack = || self.stack.as_ref().and_then(|stack| stack.objective);
        option
            .or_else(of_stack)
            .unwrap_or(SignedDuration::from_hours(OBJECTIVE_HOURS))
    }

    /// RDS in the region of the copies.
    pub(crate) fn rds(&self, cloud: &Cloud) -> Rds {
        cloud.rds(&self.region)
    }
}

impl Fleet {
    /// What to say where there is no copy: perhaps the owner is another.
    pub(crate) fn nothing_here(&self) -> Failure {
        let owners: Vec<String> = self
            .others
            .iter()
            .map(|(owner, copies)| {
                let id = owner.rsplit('/').next().unwrap_or(owner);
                format!(
                    "{id} ({copies} copies of databases in {})",
                    owner.split('/').next().unwrap_or_default()
                )
            })
            .collect();
        let remedy = if owners.is_empty() {
            "Look at another region, or start a run: snapferry run.".to_owned()
        } else {
            format!(
                "There are copies of other owners: {}. Name one with --owner.",
                owners.join(", ")
            )
        };
        Failure::new(
            format!("There are no copies of the owner {} in {}.", self.owner_id, self.region),
            remedy,
        )
    }
}
