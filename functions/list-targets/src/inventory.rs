//! What both regions hold, as far as a run needs to know it.

use std::collections::{BTreeMap, BTreeSet};

use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::payload::Page;
use domain::quota::Quota;
use domain::snapshot::Database;
use jiff::Timestamp;
use runtime::deployment::Deployment;

use crate::destination_copies::{DestinationCopies, ListedSnapshot, Reader};
use crate::request::Scope;

/// What a page of a run finds in both regions.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// The databases of the source region, of the page's kinds; members of clusters are among them.
    pub(crate) databases: Vec<Database>,
    /// ARN of the cluster that is written to, by the global database that it belongs to.
    pub(crate) global_writers: BTreeMap<String, String>,
    /// Our copies in the destination region, if the run is of every database; none if they could not be listed.
    pub(crate) copies: Option<DestinationCopies>,
    /// The quotas of the destination region. Only the first page warns of them, so only it asks.
    pub(crate) quotas: BTreeMap<DatabaseKind, Quota>,
    /// Sentences about what could not be found out.
    pub(crate) said: Vec<String>,
}

impl Inventory {
    /// Asks both regions at once. Without the databases there is no run; whatever else is refused is said, and the run
    /// goes on (P2).
    pub(crate) async fn read(
        deployment: &Deployment,
        scope: &Scope,
        page: Option<&Page>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let kinds = page.map_or(DatabaseKind::ALL.to_vec(), |page| vec![page.kind]);
        // What the destination holds puts the databases of each page into order, and tells which of them are gone.
        let scanned = if *scope == Scope::All { &kinds[..] } else { &[] };
        let (databases, quotas, listed) = tokio::join!(
            databases(deployment, &kinds),
            quotas(deployment, page.is_none()),
            listed_snapshots(deployment, scanned, now),
        );
        let databases = databases?;
        let (global_writers, about_writers) = global_writers(deployment, &databases).await;
        let mut said = Vec::from_iter(about_writers);
        let quotas = quotas.unwrap_or_else(|error| {
            said.push(format!(
                "how many manual snapshots {} may hold could not be found out: {}",
                deployment.destination.region(),
                error.said()
            ));
            BTreeMap::new()
        });
        let copies = match listed {
            Ok(listed) => Some(DestinationCopies::new(listed, &databases)),
            Err(error) => {
                said.push(format!(
                    "the snapshots of {} could not be listed, so the databases are copied in no particular order, the \
                     copies of databases that no longer exist are left alone, and the ages of recovery points are not \
                     measured: {}",
                    deployment.destination.region(),
                    error.said()
                ));
                None
            }
        };
        Ok(Self {
            databases,
            global_writers,
            copies,
            quotas,
            said,
        })
    }
}

async fn databases(deployment: &Deployment, kinds: &[DatabaseKind]) -> Result<Vec<Database>, Error> {
    let of_kind = async |kind| {
        if kinds.contains(&kind) {
            deployment.source.databases(kind).await
        } else {
            Ok(Vec::new())
        }
    };
    let both = both_kinds(of_kind(DatabaseKind::Instance), of_kind(DatabaseKind::Cluster)).await?;
    Ok(each_once(both))
}

/// Each database once: a fleet that changes between two pages of a listing may give one twice.
fn each_once(mut databases: Vec<Database>) -> Vec<Database> {
    let mut seen = BTreeSet::new();
    databases.retain(|database| {
        database.resource_id.is_empty() || seen.insert((database.kind, database.resource_id.clone()))
    });
    databases
}

/// What the destination region holds of these kinds.
async fn listed_snapshots(
    deployment: &Deployment,
    kinds: &[DatabaseKind],
    now: Timestamp,
) -> Result<Vec<ListedSnapshot>, Error> {
    let reader = Reader {
        owner: &deployment.owner,
        stack: &deployment.settings.stack,
        now,
    };
    let of_kind = async |kind| {
        let scan = |snapshot| ListedSnapshot::from_snapshot(&reader, snapshot);
        if kinds.contains(&kind) {
            deployment.destination.scan_manual_snapshots(kind, scan).await
        } else {
            Ok(Vec::new())
        }
    };
    both_kinds(of_kind(DatabaseKind::Instance), of_kind(DatabaseKind::Cluster)).await
}

/// Instances, then clusters, asked for at the same time.
async fn both_kinds<T>(
    instances: impl Future<Output = Result<Vec<T>, Error>>,
    clusters: impl Future<Output = Result<Vec<T>, Error>>,
) -> Result<Vec<T>, Error> {
    let (mut both, clusters) = tokio::try_join!(instances, clusters)?;
    both.extend(clusters);
    Ok(both)
}

async fn quotas(deployment: &Deployment, wanted: bool) -> Result<BTreeMap<DatabaseKind, Quota>, Error> {
    if wanted {
        let quotas = deployment.destination.account_quotas().await?;
        Ok(quotas.snapshots)
    } else {
        Ok(BTreeMap::new())
    }
}

/// Which cluster of each global database is written to, if there are any; and what is to be said if that is unknown. Then
/// every member counts as one to copy: twice is better than not at all.
pub(crate) async fn global_writers(
    deployment: &Deployment,
    databases: &[Database],
) -> (BTreeMap<String, String>, Option<String>) {
    let of: BTreeSet<&str> = databases
        .iter()
        .filter_map(|database| database.global_cluster.as_deref())
        .collect();
    let answer = match Vec::from_iter(of)[..] {
        [] => Ok(BTreeMap::new()),
        [only] => deployment.source.writer_of_global(only).await,
        _ => deployment.source.global_writers().await,
    };
    match answer {
        Ok(writers) => (writers, None),
        Err(error) => {
            let sentence = format!(
                "which clusters the global databases are written to could not be found out, so secondaries may be \
                 copied, too: {}",
                error.said()
            );
            (BTreeMap::new(), Some(sentence))
        }
    }
}

#[cfg(test)]
mod tests;
