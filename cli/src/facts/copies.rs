//! The copies that the destination region holds, by database. Their tags say everything: no other region is asked.

use std::collections::BTreeMap;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::progress::remaining_seconds;
use domain::settings::OBJECTIVE_HOURS;
use domain::snapshot::Snapshot;
use domain::tags;
use jiff::{SignedDuration, Timestamp};
use rds::{Rds, SnapshotQuery};

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::error::CliError;

/// What the operator must be allowed to do.
pub(crate) const NEEDS: &str = "rds:DescribeDBSnapshots and rds:DescribeDBClusterSnapshots";

/// One copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedCopy {
    /// As its tags describe it.
    pub(crate) own: OwnCopy,
    /// As RDS does.
    pub(crate) snapshot: Snapshot,
}

impl OwnedCopy {
    /// How old its data is: what RDS says of the data itself, or else when its snapshot was taken.
    pub(crate) fn captured_at(&self) -> Timestamp {
        self.snapshot.data_at(self.own.source_created)
    }

    /// Whether it is complete and what was asked for.
    pub(crate) fn is_verified(&self) -> bool {
        self.own.status == CopyStatus::Verified
    }

    /// When it was verified.
    pub(crate) fn verified_at(&self) -> Option<Timestamp> {
        let is_verified = self.own.status == CopyStatus::Verified;
        let time = self.snapshot.tags.get(tags::VERIFIED).filter(|_| is_verified)?;
        time.parse().ok()
    }

    /// Time to go, estimated from the percentage; nothing while RDS queues it.
    pub(crate) fn remaining(&self, now: Timestamp) -> Option<SignedDuration> {
        let elapsed = u64::try_from(now.duration_since(self.own.requested).as_secs()).ok()?;
        let seconds = remaining_seconds(elapsed, self.snapshot.percent)
            .filter(|_| self.own.status == CopyStatus::InProgress && self.snapshot.percent < 100)?;
        Some(SignedDuration::from_secs(i64::try_from(seconds).ok()?))
    }
}

/// The copies of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseCopies {
    pub(crate) kind: DatabaseKind,
    /// Its identifier when it was copied last.
    pub(crate) id: String,
    /// Tells databases of one name apart.
    pub(crate) resource_id: String,
    pub(crate) source_region: String,
    /// The newest data first.
    pub(crate) copies: Vec<OwnedCopy>,
}

impl DatabaseCopies {
    /// The copy that a restore would take.
    pub(crate) fn newest_verified(&self) -> Option<&OwnedCopy> {
        self.copies.iter().find(|copy| copy.own.status == CopyStatus::Verified)
    }

    /// The copy that is under way.
    pub(crate) fn in_progress(&self) -> Option<&OwnedCopy> {
        let mut copies = self.copies.iter();
        copies.find(|copy| copy.own.status == CopyStatus::InProgress)
    }

    /// Number of copies in this state.
    pub(crate) fn count(&self, status: CopyStatus) -> usize {
        self.copies.iter().filter(|copy| copy.own.status == status).count()
    }
}

/// All copies of an owner in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedCopies {
    /// The region of the copies.
    pub(crate) region: String,
    owner_id: String,
    /// In the order of their names.
    pub(crate) databases: Vec<DatabaseCopies>,
    /// Number of copies there per other owner.
    others: BTreeMap<String, usize>,
}

impl OwnedCopies {
    fn new(all: impl Iterator<Item = Snapshot>, source: &CopySource) -> Self {
        let mut others = BTreeMap::new();
        let mut databases: BTreeMap<(String, DatabaseKind, String), Vec<OwnedCopy>> = BTreeMap::new();
        for mut snapshot in all {
            let Some((owner, own)) = read(&snapshot) else { continue };
            if !source.is_of(&owner) {
                *others.entry(owner.tag().to_owned()).or_default() += 1;
                continue;
            }
            snapshot.tags.retain(|_, value| !value.is_empty());
            let region = owner.source_region().to_owned();
            let copies = databases.entry((region, snapshot.kind, own.source_resource_id.clone()));
            copies.or_default().push(OwnedCopy { own, snapshot });
        }
        let mut databases: Vec<DatabaseCopies> = databases.into_iter().map(database).collect();
        databases.sort_by(|a, b| (&a.id, a.kind, &a.resource_id).cmp(&(&b.id, b.kind, &b.resource_id)));
        Self {
            region: source.region.clone(),
            owner_id: source.owner_id.clone(),
            databases,
            others,
        }
    }

    /// The error where there is no copy: perhaps the owner is another.
    pub(crate) fn no_copies_error(&self) -> CliError {
        let others = self.others.iter().map(|(owner, copies)| {
            let (region, id) = owner.split_once('/').unwrap_or_default();
            format!("{id} ({copies} copies of databases in {region})")
        });
        let others: Vec<String> = others.collect();
        let what = format!("There are no copies of the owner {} in {}.", self.owner_id, self.region);
        if others.is_empty() {
            return CliError::new(
                what,
                "The first run makes them; or they are in another region, or of another owner.",
            );
        }
        let others = others.join(", ");
        CliError::new(
            what,
            format!(
                "There are copies of other owners: {others}. Name one: --destination {} --owner ID.",
                self.region
            ),
        )
    }
}

/// Whose copy a snapshot is, and of what; nothing if it is not a copy.
fn read(snapshot: &Snapshot) -> Option<(Owner, OwnCopy)> {
    let owner = Owner::claimed_by(snapshot)?;
    let own = OwnCopy::read(&owner, snapshot)?;
    Some((owner, own))
}

fn database(
    ((source_region, kind, resource_id), mut copies): ((String, DatabaseKind, String), Vec<OwnedCopy>),
) -> DatabaseCopies {
    copies.sort_by_key(|copy| std::cmp::Reverse((copy.own.source_created, copy.own.requested)));
    let id = copies.first().map(|newest| {
        let tag = newest.snapshot.tags.get(tags::SOURCE_ID);
        tag.unwrap_or(&newest.snapshot.database_id).clone()
    });
    DatabaseCopies {
        kind,
        id: id.unwrap_or_default(),
        resource_id,
        source_region,
        copies,
    }
}

/// Where the copies are, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopySource {
    pub(crate) region: String,
    pub(crate) owner_id: String,
    /// The stack, unless the destination region alone is asked.
    pub(crate) stack: Option<Stack>,
}

impl CopySource {
    /// The copies of an owner in a region, whatever became of the stack.
    pub(crate) fn from_region(region: &str, owner_id: &str) -> Self {
        Self {
            region: region.to_owned(),
            owner_id: owner_id.to_owned(),
            stack: None,
        }
    }

    /// The copies of a stack.
    pub(crate) fn from_stack(stack: Stack) -> Self {
        Self {
            region: stack.destination_region.clone(),
            owner_id: stack.owner_id.clone(),
            stack: Some(stack),
        }
    }

    /// Maximum age of the newest verified copy: the option, or else the stack's parameter.
    pub(crate) fn objective(&self, option: Option<SignedDuration>) -> SignedDuration {
        let parameter = self.stack.as_ref().and_then(|stack| stack.objective);
        option
            .or(parameter)
            .unwrap_or(SignedDuration::from_hours(i64::from(OBJECTIVE_HOURS)))
    }

    /// Reads all copies.
    pub(crate) async fn read(&self, account: &Account) -> Result<OwnedCopies, CliError> {
        let copy = |mut snapshot: Snapshot| {
            Owner::claimed_by(&snapshot)?;
            tags::retain_ours(&mut snapshot.tags);
            Some(snapshot)
        };
        let found = self.scan(account, copy).await?;
        Ok(OwnedCopies::new(found.into_iter(), self))
    }

    /// What `keep` makes of each manual snapshot in the region of the copies, those of instances first.
    pub(crate) async fn scan<T>(
        &self,
        account: &Account,
        keep: impl Fn(Snapshot) -> Option<T>,
    ) -> Result<Vec<T>, CliError> {
        let rds = account.rds(&self.region);
        let (mut found, clusters) = tokio::try_join!(
            rds.scan_manual_snapshots(DatabaseKind::Instance, &keep),
            rds.scan_manual_snapshots(DatabaseKind::Cluster, &keep),
        )
        .map_err(|error| CliError::from_rds(rds.region(), NEEDS, &error))?;
        found.extend(clusters);
        Ok(found)
    }

    /// Whether these are the owner's; its databases are in the stack's region, if that is known.
    pub(crate) fn is_of(&self, owner: &Owner) -> bool {
        let source_region = self.stack.as_ref().map(|stack| stack.region.as_str());
        owner.id() == self.owner_id && source_region.is_none_or(|region| region == owner.source_region())
    }
}

/// The manual snapshots of databases of these names.
pub(crate) async fn manual_snapshots(
    rds: &Rds,
    kind: DatabaseKind,
    names: &[String],
) -> Result<Vec<Snapshot>, CliError> {
    let found = rds.snapshots(kind, SnapshotQuery::ManualOfNames(names)).await;
    found.map_err(|error| CliError::from_rds(rds.region(), NEEDS, &error))
}
