//! What both regions hold, as far as a run needs to know it.

use std::collections::BTreeMap;

use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::payload::Page;
use domain::snapshot::Database;
use rds::Quota;
use runtime::deployment::Deployment;

use crate::destination_copies::{DestinationCopies, ListedSnapshot};
use crate::request::Scope;

/// What a page of a run finds in both regions.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// The databases of the source region, of the page's kinds; members of clusters are among them.
    pub(crate) databases: Vec<Database>,
    /// ARN of the cluster that is written to, by the global database that it belongs to.
    pub(crate) global_writers: BTreeMap<String, String>,
    /// Our copies in the destination region, if the run is of every database.
    pub(crate) copies: DestinationCopies,
    /// The quotas of the destination region. Only the first page warns of them, so only it asks.
    pub(crate) quotas: BTreeMap<DatabaseKind, Quota>,
}

impl Inventory {
    /// Asks both regions at once.
    pub(crate) async fn read(deployment: &Deployment, scope: &Scope, page: Option<&Page>) -> Result<Self, Error> {
        let kinds = page.map_or(DatabaseKind::ALL.to_vec(), |page| vec![page.kind]);
        // What the destination holds puts the databases of each page into order, and tells which of them are gone.
        let scanned = if *scope == Scope::All { &kinds[..] } else { &[] };
        let (databases, quotas, listed) = tokio::try_join!(
            databases(deployment, &kinds),
            quotas(deployment, page.is_none()),
            listed_snapshots(deployment, scanned),
        )?;
        Ok(Self {
            global_writers: global_writers(deployment, &databases).await?,
            copies: DestinationCopies::new(listed, &databases),
            databases,
            quotas,
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
    both_kinds(of_kind(DatabaseKind::Instance), of_kind(DatabaseKind::Cluster)).await
}

/// What the destination region holds of these kinds.
async fn listed_snapshots(deployment: &Deployment, kinds: &[DatabaseKind]) -> Result<Vec<ListedSnapshot>, Error> {
    let of_kind = async |kind| {
        let scan = |snapshot| ListedSnapshot::from_snapshot(&deployment.owner, snapshot);
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
        deployment.destination.snapshot_quotas().await
    } else {
        Ok(BTreeMap::new())
    }
}

/// Which cluster of each global database is written to, if there are any.
async fn global_writers(deployment: &Deployment, databases: &[Database]) -> Result<BTreeMap<String, String>, Error> {
    if databases.iter().any(|database| database.global_cluster.is_some()) {
        deployment.source.global_writers().await
    } else {
        Ok(BTreeMap::new())
    }
}
