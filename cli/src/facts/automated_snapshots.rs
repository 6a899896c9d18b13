//! The automated snapshots of many databases at once: which one is the newest, how large it is, how far they are apart.

use std::collections::BTreeMap;

use domain::kind::DatabaseKind;
use domain::snapshot::{Database, Snapshot};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::aws::account::Account;
use crate::error::CliError;
use crate::facts::copies::NEEDS;
use crate::facts::fleet::DatabaseKey;
use crate::facts::source_snapshots::is_of;

/// Databases that a listing names. RDS says of no limit; a name is 63 characters at most.
const DATABASES_PER_LISTING: usize = 50;

/// Most listings at a time. More are soon throttled.
const MAX_LISTINGS: usize = 4;

/// The complete automated snapshots of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AutomatedSnapshots {
    /// When the newest one was taken.
    pub(crate) newest: Timestamp,
    /// The size of that one in GiB: what was written, and what was allocated.
    pub(crate) written_gib: Option<i32>,
    pub(crate) allocated_gib: Option<i32>,
    /// The times between them.
    pub(crate) intervals: Vec<SignedDuration>,
}

/// What is kept of a snapshot.
struct Taken {
    at: Timestamp,
    written_gib: Option<i32>,
    allocated_gib: Option<i32>,
}

/// Asks for those of all these databases.
pub(crate) async fn read(
    account: &Account,
    region: &str,
    databases: &[&Database],
) -> Result<BTreeMap<DatabaseKey, AutomatedSnapshots>, CliError> {
    let rds = &account.rds(region);
    let listings = DatabaseKind::ALL.into_iter().flat_map(|kind| {
        let of_kind = databases.iter().copied().filter(|database| database.kind == kind);
        let of_kind: Vec<&Database> = of_kind.collect();
        let chunks = of_kind
            .chunks(DATABASES_PER_LISTING)
            .map(|chunk| (kind, chunk.to_vec()));
        chunks.collect::<Vec<_>>()
    });
    let answers = stream::iter(listings).map(async |(kind, databases): (DatabaseKind, Vec<&Database>)| {
        let asked = Asked::new(&databases);
        let keep = |snapshot: Snapshot| asked.take(&snapshot);
        rds.scan_automated_snapshots(kind, &databases, keep).await
    });
    let answers: Vec<Vec<(DatabaseKey, Taken)>> = answers
        .buffer_unordered(MAX_LISTINGS)
        .try_collect()
        .await
        .map_err(|error| CliError::from_rds(region, NEEDS, &error))?;
    let mut taken: BTreeMap<DatabaseKey, Vec<Taken>> = BTreeMap::new();
    for (key, snapshot) in answers.into_iter().flatten() {
        taken.entry(key).or_default().push(snapshot);
    }
    Ok(taken
        .into_iter()
        .filter_map(|(key, snapshots)| Some((key, AutomatedSnapshots::new(snapshots)?)))
        .collect())
}

/// The databases that a listing is of. What was asked for is not relied on.
struct Asked<'a> {
    by_resource_id: BTreeMap<&'a str, &'a Database>,
    by_name: BTreeMap<&'a str, &'a Database>,
}

impl<'a> Asked<'a> {
    fn new(databases: &[&'a Database]) -> Self {
        let all = databases.iter().copied();
        Self {
            by_resource_id: all
                .clone()
                .map(|database| (database.resource_id.as_str(), database))
                .collect(),
            by_name: all.map(|database| (database.id.as_str(), database)).collect(),
        }
    }

    /// What is kept of a snapshot, if it is a complete one of these databases.
    fn take(&self, snapshot: &Snapshot) -> Option<(DatabaseKey, Taken)> {
        let database = match &snapshot.resource_id {
            Some(id) => self.by_resource_id.get(id.as_str()),
            None => self.by_name.get(snapshot.database_id.as_str()),
        };
        let database = database.filter(|database| is_of(snapshot, database))?;
        let taken = Taken {
            at: snapshot.captured_at()?,
            written_gib: snapshot.written_gib(),
            allocated_gib: snapshot.size_gib,
        };
        let is_automated = snapshot.snapshot_type == "automated";
        is_automated.then(|| ((database.kind, database.resource_id.clone()), taken))
    }
}

impl AutomatedSnapshots {
    fn new(mut taken: Vec<Taken>) -> Option<Self> {
        taken.sort_by_key(|snapshot| snapshot.at);
        // A listing in pages may name one twice.
        taken.dedup_by_key(|snapshot| snapshot.at);
        let newest = taken.last()?;
        Some(Self {
            newest: newest.at,
            written_gib: newest.written_gib,
            allocated_gib: newest.allocated_gib,
            intervals: taken
                .windows(2)
                .map(|pair| pair[1].at.duration_since(pair[0].at))
                .collect(),
        })
    }
}
