//! Lists the databases that a run copies, one page at a time.
//!
//! In: [`Input`], the execution's input as it came, and the execution's name. Out: [`Plan`]. Safe to retry at will:
//! it only reads.

#![forbid(unsafe_code)]

mod page;
mod request;
mod select;

use std::collections::BTreeMap;

use jiff::Timestamp;
use request::{Request, Scope};
use select::Selected;
use serde::Deserialize;
use serde_json::Value;
use shared::{Database, DatabaseKind, Deployment, Error, Plan, Quota, Rules};

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
}

/// Reads the request, lists both kinds at once, and cuts a page.
#[tracing::instrument(skip_all, fields(run.execution = input.run.execution))]
pub async fn handle(deployment: &Deployment, input: Input, _now: Timestamp) -> Result<Plan, Error> {
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
    let (instances, clusters, quotas) = tokio::try_join!(
        databases(deployment, DatabaseKind::Instance, &kinds),
        databases(deployment, DatabaseKind::Cluster, &kinds),
        quotas(deployment, request.page.is_none()),
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
    let Selected {
        targets,
        left_out,
        mut warnings,
    } = select::select(databases, &scope, settings);
    warnings.extend(quota_warnings(&quotas, &targets, &settings.destination_region));

    let cut = page::cut(targets, request.page.as_ref(), &input.run.execution, settings.page_size)?;
    tracing::info!(
        instances = cut.instances.len(),
        clusters = cut.clusters.len(),
        left_out = left_out.count,
        "targets listed"
    );
    Ok(Plan {
        dry_run: request.dry_run || settings.dry_run,
        rules: Rules {
            destination_region: Some(settings.destination_region.clone()),
            kms_key_arn: Some(settings.kms_key_arn.clone()),
            keep_copies: Some(settings.keep_copies),
        },
        instances: cut.instances,
        clusters: cut.clusters,
        next_instances: cut.next_instances,
        next_clusters: cut.next_clusters,
        only: match scope {
            Scope::Only(names) => Some(names.iter().map(ToString::to_string).collect()),
            _ => None,
        },
        // A page tells of its own targets only; the first one has told what is left out.
        left_out: if request.page.is_none() {
            left_out
        } else {
            shared::LeftOut::default()
        },
        warnings: if request.page.is_none() { warnings } else { Vec::new() },
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
        deployment.destination.manual_snapshots().await
    } else {
        Ok(BTreeMap::new())
    }
}

/// Says when the copies of this run may not fit into the destination's quota, before it bites.
fn quota_warnings(
    quotas: &BTreeMap<DatabaseKind, Quota>,
    targets: &[shared::Target],
    destination_region: &str,
) -> Vec<String> {
    quotas
        .iter()
        .filter_map(|(kind, quota)| {
            let adds = i64::try_from(targets.iter().filter(|target| target.kind == *kind).count()).unwrap_or(i64::MAX);
            let free = quota.max.saturating_sub(quota.used);
            (adds > free).then(|| {
                format!(
                    "{destination_region} holds {} of {} manual {kind} snapshots, and this run may add {adds} before it \
                     prunes: ask for a higher quota, lower KeepCopies, or delete snapshots that nobody needs",
                    quota.used, quota.max
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
