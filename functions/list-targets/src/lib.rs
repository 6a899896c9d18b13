//! Lists the databases that a run copies, one page at a time.
//!
//! In: [`Input`], the execution's input as it came, and the execution's name and ARN. Out: [`Plan`]. Safe to retry at will:
//! it only reads.

#![forbid(unsafe_code)]

mod held;
mod keys;
mod measure;
mod names;
mod options;
mod page;
mod policy;
mod preflight;
mod request;
mod select;

use std::collections::BTreeMap;

use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::payload::{Plan, RunRules, Target};
use domain::snapshot::Database;
use held::{Held, Holdings};
use jiff::Timestamp;
pub use keys::Keys;
use preflight::Preflight;
use rds::Quota;
use request::{Request, Scope};
use runtime::deployment::Deployment;
use select::Selected;
use serde::Deserialize;
use serde_json::Value;

/// Most warnings of a run: they travel with its output.
const MAX_WARNINGS: usize = 60;

/// What the state machine hands over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The execution's input: a schedule's event, an RDS event, or what an operator typed.
    pub request: Value,
    /// The execution itself.
    pub run: Run,
}

/// The execution that asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its name; pages are named after the first execution of a run.
    pub execution: String,
    /// Its ARN; the executions that copy its databases are named after it.
    pub arn: String,
}

/// Reads the request, lists both kinds at once, measures, finds out what would fail, and cuts a page.
pub async fn handle(deployment: &Deployment, keys: &Keys, input: Input, now: Timestamp) -> Result<Plan, Error> {
    let settings = &deployment.settings;
    let request = Request::read(input.request, settings)?;
    let scope = match &request.scope {
        Scope::Snapshot { kind, id } => Scope::Only(vec![select::database_of(deployment, *kind, id).await?]),
        other => other.clone(),
    };
    let kinds = request
        .page
        .as_ref()
        .map_or(DatabaseKind::ALL.to_vec(), |page| vec![page.kind]);
    let is_first_page = request.page.is_none();
    // What the destination holds puts the databases of each page into order, and tells which of them are gone.
    let scans = scope == Scope::All;
    let (instances, clusters, quotas, held) = tokio::try_join!(
        databases(deployment, DatabaseKind::Instance, &kinds),
        databases(deployment, DatabaseKind::Cluster, &kinds),
        quotas(deployment, is_first_page),
        held(deployment, if scans { &kinds } else { &[] }),
    )?;

    // Members are named by mistake often enough to say which cluster they belong to.
    let databases: Vec<Database> = instances.into_iter().chain(clusters).collect();
    if let (Scope::Only(names), None) = (&scope, &request.page) {
        let field = |at| match &request.scope {
            Scope::Snapshot { .. } => "detail.SourceIdentifier".to_owned(),
            _ => format!("only[{at}]"),
        };
        select::check_names(names, field, &databases, &settings.source_region)?;
    }
    let holdings = Holdings::of(held, &databases);
    let writers = global_writers(deployment, &databases).await?;
    let Selected { databases, left_out } = select::select(databases, &scope, settings, &writers);
    if is_first_page && scope == Scope::All {
        measure::fleet(deployment, &databases, &holdings, &quotas, now);
    }

    let preflight = Preflight::of(deployment, keys, &databases).await?;
    let mut of_databases = Vec::new();
    let mut targets: Vec<Target> = Vec::new();
    for database in databases {
        let (target, said) = preflight.target(deployment, database);
        targets.push(target);
        of_databases.extend(said);
    }
    let mut warnings: Vec<String> = preflight.warnings().collect();
    warnings.extend(preflight::quota_warnings(
        &quotas,
        &targets,
        &settings.destination_region,
    ));
    warnings.extend(preflight::stranger_warning(&holdings.strangers, deployment));
    warnings.extend(of_databases);
    for warning in &warnings {
        tracing::warn!(warning, "preflight");
    }
    cap(&mut warnings);
    if settings.retired_keep_days > 0 {
        targets.extend(holdings.retired_targets.iter().cloned());
    }

    let mut cut = page::cut(targets, request.page.as_ref(), &input.run, settings.page_size)?;
    holdings.oldest_first(&mut cut.instances);
    holdings.oldest_first(&mut cut.clusters);
    tracing::info!(
        instances = cut.instances.len(),
        clusters = cut.clusters.len(),
        left_out = left_out.count,
        retired = holdings.retired.databases,
        "targets listed"
    );
    Ok(Plan {
        dry_run: request.dry_run || settings.dry_run,
        rules: RunRules {
            destination_region: Some(settings.destination_region.clone()),
            kms_key_arn: preflight.kms_key_arn().map(str::to_owned),
            keep_copies: Some(settings.keep.copies),
        },
        instances: cut.instances,
        clusters: cut.clusters,
        next_instances: cut.next_instances,
        next_clusters: cut.next_clusters,
        only: match scope {
            Scope::Only(names) => Some(names.iter().map(ToString::to_string).collect()),
            _ => None,
        },
        // A page tells of its own targets only; the first one has told the rest.
        left_out: if is_first_page {
            left_out
        } else {
            domain::payload::LeftOut::default()
        },
        retired: if is_first_page {
            holdings.retired
        } else {
            domain::payload::Retired::default()
        },
        warnings: if is_first_page { warnings } else { Vec::new() },
    })
}

async fn databases(
    deployment: &Deployment,
    kind: DatabaseKind,
    wanted: &[DatabaseKind],
) -> Result<Vec<Database>, Error> {
    if wanted.contains(&kind) {
        deployment.source.databases(kind).await
    } else {
        Ok(Vec::new())
    }
}

/// The quotas of the destination. Only the first page warns of them, so only it asks.
async fn quotas(deployment: &Deployment, wanted: bool) -> Result<BTreeMap<DatabaseKind, Quota>, Error> {
    if wanted {
        deployment.destination.snapshot_quotas().await
    } else {
        Ok(BTreeMap::new())
    }
}

/// What the destination region holds, of these kinds.
async fn held(deployment: &Deployment, kinds: &[DatabaseKind]) -> Result<Vec<Held>, Error> {
    let of = async |kind| {
        if !kinds.contains(&kind) {
            return Ok(Vec::new());
        }
        let scan = |snapshot| Held::of(&deployment.owner, snapshot);
        deployment.destination.scan_manual_snapshots(kind, scan).await
    };
    let (mut instances, clusters) = tokio::try_join!(of(DatabaseKind::Instance), of(DatabaseKind::Cluster))?;
    instances.extend(clusters);
    Ok(instances)
}

/// Which cluster of each global database is written to, if there are any.
async fn global_writers(deployment: &Deployment, databases: &[Database]) -> Result<BTreeMap<String, String>, Error> {
    if databases.iter().any(|database| database.global_cluster.is_some()) {
        deployment.source.global_writers().await
    } else {
        Ok(BTreeMap::new())
    }
}

fn cap(warnings: &mut Vec<String>) {
    if warnings.len() > MAX_WARNINGS {
        let more = warnings.len() - MAX_WARNINGS;
        warnings.truncate(MAX_WARNINGS);
        warnings.push(format!("and {more} more; the log of list-targets has them all"));
    }
}

#[cfg(test)]
mod tests;
