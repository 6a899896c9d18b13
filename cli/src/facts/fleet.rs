//! The databases of the source region, judged as the functions judge them.

use std::collections::BTreeMap;

use domain::kind::{DatabaseKind, DatabaseName};
use domain::selection::{self, Reason, SelectionRules};
use domain::snapshot::Database;
use domain::tag_spelling::{MAX_EDITS, edits, misspelled};
use domain::tags;

use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::error::CliError;
use crate::format::database_name;

/// A database by what stays the same when it is renamed: its kind and its resource id.
pub(crate) type DatabaseKey = (DatabaseKind, String);

/// A database that exists.
#[derive(Debug, Clone)]
pub(crate) struct LivingDatabase {
    pub(crate) database: Database,
    /// Why it is not expected to have a fresh copy; nothing if it is.
    pub(crate) reason: Option<Reason>,
}

impl LivingDatabase {
    pub(crate) fn key(&self) -> DatabaseKey {
        (self.database.kind, self.database.resource_id.clone())
    }
}

/// The databases of the source region; members of clusters are not among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet {
    pub(crate) databases: Vec<LivingDatabase>,
    /// Why the writers of global databases are not known: members of those are then taken for writers.
    pub(crate) writers_unknown: Option<CliError>,
    /// Places in `databases`.
    by_key: BTreeMap<DatabaseKey, usize>,
    by_name: BTreeMap<DatabaseKey, usize>,
}

impl Fleet {
    /// Asks the source region of a stack.
    pub(crate) async fn read(account: &Account, stack: &Stack) -> Result<Self, CliError> {
        Self::read_by(account, &stack.rules).await
    }

    /// Asks the source region that the rules are of.
    pub(crate) async fn read_by(account: &Account, rules: &SelectionRules) -> Result<Self, CliError> {
        let rds = account.rds(&rules.source_region);
        let failed = |needs: &str, error| CliError::from_rds(&rules.source_region, needs, &error);
        let (mut all, clusters) = tokio::try_join!(
            rds.databases(DatabaseKind::Instance),
            rds.databases(DatabaseKind::Cluster)
        )
        .map_err(|error| failed("rds:DescribeDBInstances and rds:DescribeDBClusters", error))?;
        all.extend(clusters);
        let writers = if all.iter().any(|database| database.global_cluster.is_some()) {
            rds.global_writers().await
        } else {
            Ok(BTreeMap::new())
        };
        let (writers, writers_unknown) = match writers {
            Ok(writers) => (writers, None),
            Err(error) => (BTreeMap::new(), Some(failed("rds:DescribeGlobalClusters", error))),
        };
        Ok(Self {
            writers_unknown,
            ..Self::new(all, rules, &writers)
        })
    }

    fn new(all: Vec<Database>, rules: &SelectionRules, writers: &BTreeMap<String, String>) -> Self {
        let alone = all.into_iter().filter(|database| database.member_of.is_none());
        let databases = alone.map(|database| LivingDatabase {
            reason: selection::judge(&database, rules, writers),
            database,
        });
        let mut fleet = Self {
            databases: databases.collect(),
            ..Self::default()
        };
        for (place, living) in fleet.databases.iter().enumerate() {
            let name = living.database.id.to_ascii_lowercase();
            fleet.by_name.insert((living.database.kind, name), place);
            // An absent id is no match.
            if !living.database.resource_id.is_empty() {
                fleet.by_key.insert(living.key(), place);
            }
        }
        fleet
    }

    /// The database with this resource id.
    pub(crate) fn get(&self, key: &DatabaseKey) -> Option<&LivingDatabase> {
        self.databases.get(*self.by_key.get(key)?)
    }

    /// The database that has this name now, in any case: a person may have written it.
    pub(crate) fn named(&self, kind: DatabaseKind, name: &str) -> Option<&LivingDatabase> {
        let place = self.by_name.get(&(kind, name.to_ascii_lowercase()))?;
        self.databases.get(*place)
    }

    /// The databases that a name means: two, if there is one of each kind.
    pub(crate) fn all_named(&self, name: &DatabaseName) -> impl Iterator<Item = &LivingDatabase> {
        name.kinds().filter_map(|kind| self.named(kind, &name.id))
    }

    /// A few of its names that are like this one.
    pub(crate) fn near(&self, text: &str) -> Vec<String> {
        let all = self.databases.iter().map(|living| &living.database);
        near_names(text, all.map(|database| (database.kind, database.id.as_str())))
    }

    /// What must be said of single databases: wishes that are misspelled, cannot be read, or that RDS does not fulfil.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let all = self.databases.iter().flat_map(|LivingDatabase { database, reason }| {
            let name = format!("{} {}", database.kind, database.id);
            let others = misspelled(&database.tags).filter(|found| found.meant != Some(tags::COPY));
            let others = others.map(move |found| format!("{name}: the tag {} {}", found.written, found.problem()));
            selection::warnings(database, reason.as_ref()).into_iter().chain(others)
        });
        all.collect()
    }
}

/// A few names like this one, as they are written in the command line.
pub(crate) fn near_names<'a>(text: &str, databases: impl Iterator<Item = (DatabaseKind, &'a str)>) -> Vec<String> {
    const MAX_NEAR: usize = 3;
    let plain = |name: &str| name.rsplit(':').next().unwrap_or(name).to_ascii_lowercase();
    let wanted = plain(text);
    let names = databases.map(|(kind, id)| (edits(&wanted, &plain(id)), database_name(kind, id)));
    let mut near: Vec<(usize, String)> = names.filter(|(edits, _)| *edits <= MAX_EDITS).collect();
    near.sort();
    near.dedup();
    near.into_iter().take(MAX_NEAR).map(|(_, name)| name).collect()
}
