//! The newest verified copy of each database, by what the destination region alone knows.

use std::cell::RefCell;
use std::collections::BTreeMap;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::restorability::RestoreNeeds;
use domain::snapshot::Snapshot;
use jiff::{SignedDuration, Timestamp};
use runtime::watch::Watch;

/// How long a database may go without a new copy, while others get theirs, before it counts as left behind. The alarm has
/// said so for as long, here and in the source region.
const LEFT_BEHIND_AFTER: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A database by what tells it from others of its name.
type DatabaseKey = (DatabaseKind, String);

/// The newest verified copy of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewestCopy {
    pub(crate) kind: DatabaseKind,
    /// What the database was called when it was copied.
    pub(crate) name: String,
    /// The copy's identifier.
    pub(crate) id: String,
    /// When its snapshot was taken: which copy is the newest.
    created: Timestamp,
    /// How old its data is.
    data_at: Timestamp,
    /// What its restore needs.
    pub(crate) needs: RestoreNeeds,
}

impl NewestCopy {
    fn new(snapshot: Snapshot, own: OwnCopy) -> Self {
        Self {
            kind: snapshot.kind,
            created: own.source_created,
            data_at: snapshot.data_at(own.source_created),
            needs: RestoreNeeds::new(&snapshot),
            name: snapshot.database_id,
            id: own.id,
        }
    }

    /// How old its data is.
    pub(crate) fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.data_at)
    }
}

/// The databases that have copies.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Databases {
    /// Those that are copied, as far as can be known from here, in the order of their names.
    pub(crate) current: Vec<NewestCopy>,
    /// Those that have had no new copy for long while others have.
    pub(crate) left_behind: Vec<NewestCopy>,
    /// Number of those that have copies, none of which is verified.
    pub(crate) without_copy: usize,
}

impl Databases {
    /// Lists the copies of the owner. One per database is kept in memory, however many there are.
    pub(crate) async fn read(watch: &Watch, now: Timestamp, objective: SignedDuration) -> Result<Self, Error> {
        let newest: RefCell<BTreeMap<DatabaseKey, Option<NewestCopy>>> = RefCell::default();
        let keep = |snapshot: Snapshot| -> Option<()> {
            let own = OwnCopy::read(&watch.owner, &snapshot)?;
            let mut newest = newest.borrow_mut();
            let place = newest
                .entry((snapshot.kind, own.source_resource_id.clone()))
                .or_default();
            let is_newer = place.as_ref().is_none_or(|known| known.created < own.source_created);
            if own.status == CopyStatus::Verified && is_newer {
                *place = Some(NewestCopy::new(snapshot, own));
            }
            None
        };
        tokio::try_join!(
            watch.rds.scan_manual_snapshots(DatabaseKind::Instance, keep),
            watch.rds.scan_manual_snapshots(DatabaseKind::Cluster, keep),
        )?;
        Ok(Self::new(newest.into_inner().into_values(), now, objective))
    }

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
    use std::collections::BTreeMap;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const DAY: i64 = 24;

    fn copy(name: &str, hours: i64) -> NewestCopy {
        let snapshot = Snapshot {
            tags: BTreeMap::new(),
            ..fixtures::snapshot(name)
        };
        let at = NOW - SignedDuration::from_hours(hours);
        NewestCopy {
            kind: DatabaseKind::Instance,
            name: name.to_owned(),
            id: format!("snap-{name}"),
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
