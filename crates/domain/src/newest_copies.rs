//! The newest verified copy of each database, by what the destination region alone knows.
//!
//! Which databases still exist only the source region knows. Here a database counts as left behind when it has had no new
//! copy for a fortnight while others have.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::copy_tags::{CopyStatus, OwnCopy};
use crate::drill::DrillEvery;
use crate::kind::DatabaseKind;
use crate::ownership::Owner;
use crate::restorability::RestoreNeeds;
use crate::snapshot::Snapshot;

/// How long a database may go without a new copy, while others get theirs, before it counts as left behind. The alarm has
/// said so for as long, here and in the source region.
const LEFT_BEHIND_AFTER: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A database by what tells it from others of its name.
type DatabaseKey = (DatabaseKind, String);

/// The newest verified copy of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestCopy {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// What the database was called when it was copied.
    pub name: String,
    /// Resource id of the database.
    pub resource_id: String,
    /// The copy's identifier.
    pub id: String,
    /// The copy's ARN.
    pub arn: String,
    /// The size in GiB, where RDS says it: not of clusters.
    pub size_gib: Option<i32>,
    /// How often the database asks for a drill.
    pub drill_every: Option<DrillEvery>,
    /// When its snapshot was taken: which copy is the newest.
    pub created: Timestamp,
    /// When its data was current.
    pub data_at: Timestamp,
    /// What its restore needs.
    pub needs: RestoreNeeds,
}

impl NewestCopy {
    fn new(snapshot: Snapshot, own: OwnCopy) -> Self {
        Self {
            kind: snapshot.kind,
            created: own.source_created,
            data_at: snapshot.data_at(own.source_created),
            needs: RestoreNeeds::new(&snapshot),
            size_gib: snapshot.size_gib,
            name: snapshot.database_id,
            resource_id: own.source_resource_id,
            id: own.id,
            arn: own.arn,
            drill_every: own.drill_every,
        }
    }

    /// How old its data is.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.data_at)
    }
}

/// The databases that have copies.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Databases {
    /// Those that are copied, as far as can be known from here, in the order of their names.
    pub current: Vec<NewestCopy>,
    /// Those that have had no new copy for long while others have.
    pub left_behind: Vec<NewestCopy>,
    /// Number of those that have copies, none of which is verified.
    pub without_copy: usize,
}

/// Gathers the newest copies. One per database is kept in memory, however many snapshots there are.
#[derive(Debug, Default)]
pub struct Gathered(BTreeMap<DatabaseKey, Option<NewestCopy>>);

impl Gathered {
    /// Takes one snapshot of the destination region into account.
    pub fn add(&mut self, owner: &Owner, snapshot: Snapshot) {
        let Some(own) = OwnCopy::read(owner, &snapshot) else {
            return;
        };
        let place = self
            .0
            .entry((snapshot.kind, own.source_resource_id.clone()))
            .or_default();
        let is_newer = place.as_ref().is_none_or(|known| known.created < own.source_created);
        if own.status == CopyStatus::Verified && is_newer {
            *place = Some(NewestCopy::new(snapshot, own));
        }
    }

    /// The databases, told apart by whether they still seem to be copied. `objective` is the RPO.
    #[must_use]
    pub fn into_databases(self, now: Timestamp, objective: SignedDuration) -> Databases {
        Databases::new(self.0.into_values(), now, objective)
    }
}

impl Databases {
    fn new(newest: impl Iterator<Item = Option<NewestCopy>>, now: Timestamp, objective: SignedDuration) -> Self {
        let mut databases = Self::default();
        let mut copies: Vec<NewestCopy> = Vec::new();
        for copy in newest {
            match copy {
                Some(copy) => copies.push(copy),
                None => databases.without_copy += 1,
            }
        }
        copies.sort_by(|a, b| (&a.name, a.kind, a.created).cmp(&(&b.name, b.kind, b.created)));
        let is_fresh = |copy: &NewestCopy| copy.age(now) <= objective;
        let is_copying = copies.iter().any(is_fresh);
        let patience = LEFT_BEHIND_AFTER.max(objective.saturating_add(objective));
        let is_current = |copy: &NewestCopy| !is_copying || copy.age(now) <= patience;
        (databases.current, databases.left_behind) = copies.into_iter().partition(is_current);
        databases
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::manual_snapshot;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const DAY: i64 = 24;

    fn copy(name: &str, hours: i64) -> NewestCopy {
        let snapshot = manual_snapshot(name, BTreeMap::new());
        let at = NOW - SignedDuration::from_hours(hours);
        NewestCopy {
            kind: DatabaseKind::Instance,
            name: name.to_owned(),
            resource_id: format!("db-{name}"),
            id: format!("snap-{name}"),
            arn: String::new(),
            size_gib: None,
            drill_every: None,
            created: at,
            data_at: at,
            needs: RestoreNeeds::new(&snapshot),
        }
    }

    /// Names of those that count, and of those that are left behind.
    fn sorted(copies: &[(&str, i64)], objective: i64) -> (Vec<String>, Vec<String>) {
        let copies = copies.iter().map(|(name, hours)| Some(copy(name, *hours)));
        let databases = Databases::new(copies, NOW, SignedDuration::from_hours(objective));
        let names = |copies: Vec<NewestCopy>| copies.into_iter().map(|copy| copy.name).collect();
        (names(databases.current), names(databases.left_behind))
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_database_that_is_deleted_holds_the_alarm_for_a_fortnight_and_not_for_ever() {
        let with = |hours| sorted(&[("deleted", hours), ("orders", 5)], 26);
        assert_eq!(with(14 * DAY), (owned(&["deleted", "orders"]), owned(&[])));
        assert_eq!(with(14 * DAY + 1), (owned(&["orders"]), owned(&["deleted"])));
    }

    #[test]
    fn where_copying_has_stopped_none_is_left_behind() {
        let stopped = sorted(&[("billing", 900), ("orders", 27)], 26);
        assert_eq!(stopped, (owned(&["billing", "orders"]), owned(&[])));
    }

    #[test]
    fn a_long_rpo_is_waited_for_twice() {
        let with = |hours| sorted(&[("monthly", hours), ("orders", 5)], 30 * DAY);
        assert_eq!(with(60 * DAY).1, owned(&[]));
        assert_eq!(with(60 * DAY + 1).1, owned(&["monthly"]));
    }
}
