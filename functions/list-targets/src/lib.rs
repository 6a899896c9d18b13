//! Lists the databases that a run copies, one page at a time.
//!
//! In: [`Input`], the execution's input as it came, and the execution's name and ARN. Out: [`Plan`]. Safe to retry at will:
//! it only reads.

#![forbid(unsafe_code)]

mod destination_copies;
mod envelope;
mod event;
mod inventory;
mod keys;
mod measure;
mod names;
mod options;
mod page;
mod policy;
mod preflight;
mod request;
mod resolve;
mod select;

use destination_copies::DestinationCopies;
use domain::error::Error;
use domain::kind::DatabaseName;
use domain::payload::{Page, Plan, Retired, Target};
use domain::settings::Settings;
use event::Events;
use inventory::Inventory;
use jiff::Timestamp;
pub use kms::Keys;
use page::Cut;
use preflight::Preflight;
use request::{Request, Scope};
use resolve::Resolved;
use runtime::deployment::Deployment;
use serde::Deserialize;
use serde_json::Value;

/// What the state machine hands over.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's input, in any of the shapes in which events come, or what an operator typed.
    pub request: Value,
    /// The execution itself.
    pub run: Run,
}

/// The execution that asks.
#[derive(Debug, Deserialize)]
pub struct Run {
    /// Its name; pages are named after the first execution of a run.
    pub execution: String,
    /// Its ARN; the executions that copy its databases are named after it.
    pub arn: String,
}

/// Reads the request, finds the databases, finds out what would fail, and cuts a page.
pub async fn handle(deployment: &Deployment, keys: &Keys, input: Input, now: Timestamp) -> Result<Plan, Error> {
    let request = Request::read(input.request, &deployment.settings)?;
    let plan = match &request.scope {
        Scope::Events(events) => of_events(deployment, keys, events, &input.run).await?,
        Scope::All | Scope::Only(_) => of_fleet(deployment, keys, &request, &input.run, now).await?,
    };
    log(&plan);
    // A page tells of its own targets only; the first one has told the rest.
    Ok(if request.page.is_none() {
        plan
    } else {
        plan.without_summary()
    })
}

/// Takes stock of both regions, and measures them.
async fn of_fleet(
    deployment: &Deployment,
    keys: &Keys,
    request: &Request,
    run: &Run,
    now: Timestamp,
) -> Result<Plan, Error> {
    let settings = &deployment.settings;
    let (scope, page) = (&request.scope, request.page.as_ref());
    let Inventory {
        databases,
        global_writers,
        copies,
        quotas,
        mut said,
    } = Inventory::read(deployment, scope, page, now).await?;
    select::check_names(request, &databases, &settings.source_region)?;
    let selected = select::select(databases, scope, settings, &global_writers);
    if page.is_none() && *scope == Scope::All {
        measure::fleet(deployment, &selected, copies.as_ref(), &quotas, now);
    }
    let copies = copies.unwrap_or_default();
    let (databases, left_out, of_selection) = selected.into_parts();
    let preflight = Preflight::run(deployment, keys, &databases).await;
    let (targets, of_databases) = preflight.targets(deployment, databases);
    said.extend(preflight.of_run(deployment, &quotas, &targets, &copies));
    said.extend(of_selection);
    said.extend(of_databases);
    let cut = cut(deployment, with_retired(targets, &copies, settings), page, run)?;
    Ok(Plan {
        dry_run: request.dry_run || settings.dry_run,
        event: false,
        rules: preflight.rules(settings),
        only: page::still_to_come(scope.names(), &cut),
        instances: copies.oldest_first(cut.instances),
        clusters: copies.oldest_first(cut.clusters),
        next_instances: cut.next_instances,
        next_clusters: cut.next_clusters,
        left_out,
        retired: copies.retired,
        warnings: preflight::bounded(said),
    })
}

/// Looks up what the events are about and nothing else: a fleet of any size costs the same.
async fn of_events(deployment: &Deployment, keys: &Keys, events: &Events, run: &Run) -> Result<Plan, Error> {
    let settings = &deployment.settings;
    let Resolved {
        databases,
        mut snapshots,
        mut said,
    } = resolve::resolve(deployment, events).await?;
    let (global_writers, about_writers) = inventory::global_writers(deployment, &databases).await;
    said.extend(about_writers);
    let selected = select::select(databases, &Scope::All, settings, &global_writers);
    let (databases, left_out, of_selection) = selected.into_parts();
    // What asks for no copy needs no key.
    let preflight = match databases[..] {
        [] => Preflight::default(),
        _ => Preflight::run(deployment, keys, &databases).await,
    };
    let (mut targets, of_databases) = preflight.targets(deployment, databases);
    for target in &mut targets {
        target.snapshot = snapshots.remove(&target.resource_id);
    }
    said.extend(preflight.of_keys());
    said.extend(of_selection);
    said.extend(of_databases);
    let names: Vec<DatabaseName> = targets.iter().map(named).collect();
    let cut = cut(deployment, targets, None, run)?;
    Ok(Plan {
        dry_run: settings.dry_run,
        event: true,
        rules: preflight.rules(settings),
        only: page::still_to_come(Some(&names), &cut),
        instances: cut.instances,
        clusters: cut.clusters,
        next_instances: cut.next_instances,
        next_clusters: cut.next_clusters,
        left_out,
        retired: Retired::default(),
        warnings: preflight::bounded(said),
    })
}

/// Cuts a page. Whatever another function gets of it says which release made it.
fn cut(deployment: &Deployment, mut targets: Vec<Target>, page: Option<&Page>, run: &Run) -> Result<Cut, Error> {
    let release = Some(deployment.release.clone());
    for target in &mut targets {
        target.release.clone_from(&release);
    }
    let mut cut = page::cut(targets, page, run, deployment.settings.page_size)?;
    for next in cut.next_instances.iter_mut().chain(&mut cut.next_clusters) {
        next.release.clone_from(&release);
    }
    Ok(cut)
}

/// What a further page would be asked for.
fn named(target: &Target) -> DatabaseName {
    DatabaseName {
        kind: Some(target.kind),
        id: target.id.clone(),
    }
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
