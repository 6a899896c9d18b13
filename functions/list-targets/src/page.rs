//! Cuts the targets into pages that fit into a state's payload.
//!
//! Each kind has its own chain of pages, so that slow clusters never hold up instances. A page begins after the
//! resource id that the page before ended with, so that a fleet that changes meanwhile shifts nothing.

use std::collections::BTreeSet;

use domain::error::Error;
use domain::kind::{DatabaseKind, DatabaseName};
use domain::payload::{Page, Target};

use crate::Run;
use crate::names::{CopyNames, page_name};

/// Most bytes that the targets of one page may take: half of what a state may carry.
const MAX_BYTES: usize = 128 * 1024;

/// Most pages of a run. 100 pages are 50,000 databases of a kind; more is a cursor that went wrong.
const MAX_PAGES: u32 = 100;

/// One page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) instances: Vec<Target>,
    pub(crate) clusters: Vec<Target>,
    pub(crate) next_instances: Option<Page>,
    pub(crate) next_clusters: Option<Page>,
    /// The targets of further pages.
    pub(crate) rest: Vec<Target>,
}

/// The names that the further pages still need, each once: each page hands on fewer.
pub(crate) fn still_to_come(names: Option<&[DatabaseName]>, cut: &Cut) -> Option<Vec<String>> {
    let is_to_come = |name: &&DatabaseName| cut.rest.iter().any(|target| name.matches(target.kind, &target.id));
    let names = names.filter(|_| !cut.rest.is_empty())?;
    let names: BTreeSet<String> = names.iter().filter(is_to_come).map(ToString::to_string).collect();
    Some(names.into_iter().collect())
}

/// The page that `page` asks for, or the first one, which holds both kinds.
pub(crate) fn cut(targets: Vec<Target>, page: Option<&Page>, run: &Run, page_size: usize) -> Result<Cut, Error> {
    if let Some(page) = page
        && page.number > MAX_PAGES
    {
        return Err(Error::PageLimit {
            page: page.number,
            run: page.root.clone(),
            max: MAX_PAGES,
        });
    }
    let (clusters, instances): (Vec<_>, Vec<_>) = targets
        .into_iter()
        .partition(|target| target.kind == DatabaseKind::Cluster);
    Ok(match page {
        None => {
            // Each kind has half of the page, and what the other leaves of its half.
            let half = page_size.div_ceil(2);
            let for_clusters = page_size.saturating_sub(instances.len().min(half)).max(1);
            let for_instances = page_size.saturating_sub(clusters.len().min(page_size / 2)).max(1);
            let first = |targets, size| take(targets, None, run, size, MAX_BYTES * size / page_size);
            let (instances, next_instances, mut rest) = first(instances, for_instances);
            let (clusters, next_clusters, clusters_to_come) = first(clusters, for_clusters);
            rest.extend(clusters_to_come);
            Cut {
                instances,
                clusters,
                next_instances,
                next_clusters,
                rest,
            }
        }
        Some(page) => match page.kind {
            DatabaseKind::Instance => {
                let (instances, next_instances, rest) = take(instances, Some(page), run, page_size, MAX_BYTES);
                Cut {
                    instances,
                    next_instances,
                    rest,
                    ..Cut::default()
                }
            }
            DatabaseKind::Cluster => {
                let (clusters, next_clusters, rest) = take(clusters, Some(page), run, page_size, MAX_BYTES);
                Cut {
                    clusters,
                    next_clusters,
                    rest,
                    ..Cut::default()
                }
            }
        },
    })
}

/// The targets after the page's cursor, by resource id, as many as fit but at least one, the page after them, and the
/// targets that it begins with; all with the names of their executions.
fn take(
    mut targets: Vec<Target>,
    page: Option<&Page>,
    run: &Run,
    size: usize,
    bytes: usize,
) -> (Vec<Target>, Option<Page>, Vec<Target>) {
    let cursor = page.map_or("", |page| page.cursor.as_str());
    targets.retain(|target| target.resource_id.as_str() > cursor);
    targets.sort_by(|a, b| a.resource_id.cmp(&b.resource_id));

    let names = CopyNames::new(&run.arn);
    for target in &mut targets {
        target.execution = Some(names.name(target));
    }

    let mut room = bytes;
    let fits = targets
        .iter()
        .take(size)
        .take_while(|target| {
            let length = serde_json::to_string(target).map_or(usize::MAX, |text| text.len() + 1);
            room = room.saturating_sub(length);
            room > 0
        })
        .count();
    // A page without targets would end the chain: those after it would be forgotten.
    let rest = targets.split_off(fits.max(1).min(targets.len()));
    let next = targets
        .last()
        .filter(|_| !rest.is_empty())
        .map(|last| next_page(last, page, run));
    (targets, next, rest)
}

/// The page after the one that ends with `last`.
fn next_page(last: &Target, page: Option<&Page>, run: &Run) -> Page {
    let number = page.map_or(2, |page| page.number + 1);
    let root = page.map_or(&run.execution, |page| &page.root);
    Page {
        kind: last.kind,
        cursor: last.resource_id.clone(),
        number,
        root: root.clone(),
        execution: page_name(root, last.kind, number),
        release: None,
    }
}

#[cfg(test)]
mod tests;
