//! Lists the databases that a run copies, one page at a time.
//!
//! In: [`Input`], the execution's input as it came, and the execution's name and ARN. Out: [`Plan`]. Safe to retry at will:
//! it only reads.

#![forbid(unsafe_code)]

mod destination_copies;
mod inventory;
mod keys;
mod measure;
mod names;
mod options;
mod page;
mod policy;
mod preflight;
mod request;
mod select;

use destination_copies::DestinationCopies;
use domain::error::Error;
use domain::payload::{Plan, Target};
use domain::settings::Settings;
use inventory::Inventory;
use jiff::Timestamp;
pub use keys::Keys;
use preflight::Preflight;
use request::{Request, Scope};
use runtime::deployment::Deployment;
use select::Selected;
use serde::Deserialize;
use serde_json::Value;

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

/// Reads the request, takes stock of both regions, measures, finds out what would fail, and cuts a page.
pub async fn handle(deployment: &Deployment, keys: &Keys, input: Input, now: Timestamp) -> Result<Plan, Error> {
    let settings = &deployment.settings;
    let request = Request::read(input.request, settings)?;
    let scope = select::resolve(deployment, &request.scope).await?;
    let Inventory {
        databases,
        global_writers,
        copies,
        quotas,
    } = Inventory::read(deployment, &scope, request.page.as_ref()).await?;
    select::check_names(&request, &scope, &databases, &settings.source_region)?;
    let Selected {
        mut databases,
        silent,
        left_out,
        warnings: of_selection,
    } = select::select(databases, &scope, settings, &global_writers);
    if request.page.is_none() && scope == Scope::All {
        measure::fleet(deployment, &databases, &copies, &quotas, now);
    }
    databases.extend(silent);
    let preflight = Preflight::run(deployment, keys, &databases).await?;
    let (targets, of_databases) = preflight.targets(deployment, databases);
    let of_databases = of_selection.into_iter().chain(of_databases).collect();
    let warnings = preflight.warnings(deployment, &quotas, &targets, &copies.foreign, of_databases);
    let page = page::cut(
        with_retired(targets, &copies, settings),
        request.page.as_ref(),
        &input.run,
        settings.page_size,
    )?;
    let plan = Plan {
        dry_run: request.dry_run || settings.dry_run,
        rules: preflight.rules(settings),
        instances: copies.oldest_first(page.instances),
        clusters: copies.oldest_first(page.clusters),
        next_instances: page.next_instances,
        next_clusters: page.next_clusters,
        only: scope
            .names()
            .map(|names| names.iter().map(ToString::to_string).collect()),
        left_out,
        retired: copies.retired,
        warnings,
    };
    log(&plan);
    // A page tells of its own targets only; the first one has told the rest.
    Ok(if request.page.is_none() {
        plan
    } else {
        plan.without_summary()
    })
}

/// Databases that no longer exist are targets only if the stack prunes their copies.
fn with_retired(mut targets: Vec<Target>, copies: &DestinationCopies, settings: &Settings) -> Vec<Target> {
    if settings.retired_keep_days > 0 {
        targets.extend(copies.retired_targets.iter().cloned());
    }
    targets
}

fn log(plan: &Plan) {
    tracing::info!(
        instances = plan.instances.len(),
        clusters = plan.clusters.len(),
        left_out = plan.left_out.count,
        retired = plan.retired.databases,
        "targets listed"
    );
}

#[cfg(test)]
mod tests;
