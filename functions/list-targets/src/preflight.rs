//! Everything that would fail, found out before the first copy of a run and said in sentences.
//!
//! What concerns one database stops that database only: its target carries the problem, and its execution ends with
//! it. What concerns the run is a warning.

use std::collections::BTreeMap;

use domain::kind::DatabaseKind;
use domain::payload::{Problem, RunRules, Target};
use domain::quota::Quota;
use domain::rds_rules::takes_key;
use domain::settings::Settings;
use domain::snapshot::Database;
use kms::Keys;
use runtime::deployment::Deployment;

use crate::destination_copies::DestinationCopies;
use crate::keys::Keyring;
use crate::options::{self, Groups};
use crate::policy;

/// Most warnings of a run: they travel with its output.
pub(crate) const MAX_WARNINGS: usize = 60;

/// Most bytes of one of them: AWS's own words may be of any length.
const MAX_WARNING: usize = 800;

/// Most bytes of a target's problem.
const MAX_PROBLEM: usize = 1200;

/// What AWS says of the keys and the option groups that a run needs.
#[derive(Debug, Default)]
pub(crate) struct Preflight {
    keyring: Keyring,
    groups: Groups,
}

impl Preflight {
    /// Asks for what matters to these databases. What is refused is said, and the run goes on.
    pub(crate) async fn run(deployment: &Deployment, keys: &Keys, databases: &[Database]) -> Self {
        let settings = &deployment.settings;
        let (keyring, groups) = tokio::join!(
            Keyring::look_up(keys, databases, settings),
            Groups::read(deployment, databases)
        );
        Self { keyring, groups }
    }

    /// What each target is to be copied with.
    pub(crate) fn rules(&self, settings: &Settings) -> RunRules {
        RunRules {
            destination_region: Some(settings.destination_region.clone()),
            kms_key_arn: self.keyring.own.arn.clone(),
            keep_copies: Some(settings.keep.copies),
        }
    }

    /// What is to be said of the run as a whole: of the stack's key, and of the destination region.
    pub(crate) fn of_run(
        &self,
        deployment: &Deployment,
        quotas: &BTreeMap<DatabaseKind, Quota>,
        targets: &[Target],
        copies: &DestinationCopies,
    ) -> Vec<String> {
        let mut said = self.of_keys();
        said.extend(quota_warnings(quotas, targets, &deployment.settings.destination_region));
        said.extend(other_stacks_warning(copies));
        said.extend(foreign_warning(&copies.foreign, deployment));
        said.extend(unconfirmed_warning(&copies.unconfirmed));
        said
    }

    /// What is to be said of the stack's key and of what could not be found out.
    pub(crate) fn of_keys(&self) -> Vec<String> {
        let key = &self.keyring.own;
        let problem = key.problem.as_ref().map(ToString::to_string);
        let said = problem.into_iter().chain(key.warning.clone());
        said.chain(self.groups.warning.clone()).collect()
    }

    /// The databases as targets, and what is to be said of them.
    pub(crate) fn targets(&self, deployment: &Deployment, databases: Vec<Database>) -> (Vec<Target>, Vec<String>) {
        let (targets, said): (Vec<_>, Vec<_>) = databases
            .into_iter()
            .map(|database| self.target(deployment, database))
            .unzip();
        (targets, said.into_iter().flatten().collect())
    }

    /// The database as a target, with what its tags ask for and what would fail, and what is to be said of it.
    fn target(&self, deployment: &Deployment, database: Database) -> (Target, Vec<String>) {
        let settings = &deployment.settings;
        let (policy, mut said) = policy::read(&database, &self.keyring, settings);
        let name = format!("{} {}", database.kind, database.id);
        let needs_key = takes_key(database.kind, database.encryption);
        if !needs_key {
            said.push(format!(
                "{name} is not encrypted, and RDS makes no encrypted copy of such a cluster: its copies are not encrypted \
                 either"
            ));
        }
        let key = self.keyring.key_of(&database);
        let problem = key.problem.clone().filter(|_| needs_key);
        let picked = policy.option_group.as_deref();
        let problem = problem.or_else(|| options::problem(&database, picked, settings, &self.groups));
        if let Some(problem) = &problem {
            said.push(format!("{name} will not be copied: {problem}"));
        }
        let problem = problem.as_ref().map(Problem::from).map(|mut problem| {
            cut(&mut problem.message, MAX_PROBLEM);
            problem
        });
        let target = Target {
            policy: Some(policy).filter(|policy| *policy != domain::payload::Policy::default()),
            problem,
            ..Target::new(database.kind, database.id, database.resource_id)
        };
        (target, said)
    }
}

/// As many warnings as travel, each no longer than it may be; the log has all of them.
pub(crate) fn bounded(mut warnings: Vec<String>) -> Vec<String> {
    for warning in &warnings {
        tracing::warn!(warning, "found before the first copy");
    }
    let more = warnings.len().saturating_sub(MAX_WARNINGS);
    warnings.truncate(MAX_WARNINGS);
    for warning in &mut warnings {
        cut(warning, MAX_WARNING);
    }
    if more > 0 {
        warnings.push(format!("and {more} more; the log of list-targets has them all"));
    }
    warnings
}

/// Cuts a text to a number of bytes.
pub(crate) fn cut(text: &mut String, bytes: usize) {
    const ELLIPSIS: &str = " ...";
    if text.len() > bytes {
        let end = text.floor_char_boundary(bytes - ELLIPSIS.len());
        text.truncate(end);
        text.push_str(ELLIPSIS);
    }
}

/// Says when the copies of this run may not fit into the destination's quota, before it bites.
fn quota_warnings(quotas: &BTreeMap<DatabaseKind, Quota>, targets: &[Target], destination_region: &str) -> Vec<String> {
    let warning = |(kind, quota): (&DatabaseKind, &Quota)| {
        let copied = |target: &&Target| target.kind == *kind && !target.retired && target.problem.is_none();
        let adds = i64::try_from(targets.iter().filter(copied).count()).unwrap_or(i64::MAX);
        let free = quota.max.saturating_sub(quota.used);
        (adds > free).then(|| {
            format!(
                "{destination_region} holds {} of {} manual {kind} snapshots, and this run may add {adds} before it \
                 prunes: ask for a higher quota, lower KeepCopies, or delete snapshots that nobody needs",
                quota.used, quota.max
            )
        })
    };
    quotas.iter().filter_map(warning).collect()
}

/// Says when another stack with the same `OwnerId` asked for copies lately (M11).
fn other_stacks_warning(copies: &DestinationCopies) -> Option<String> {
    let (first, count) = copies.other_stacks.first_key_value()?;
    let more = match copies.other_stacks.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more stacks made others"),
    };
    Some(format!(
        "{count} copies with the OwnerId of this stack were asked for by the stack {first} in the last three days{more}: \
         two stacks with one OwnerId prune by two sets of rules, so nothing of theirs is deleted meanwhile. Remove one of \
         the stacks, or give it an OwnerId of its own; after a stack was deployed under another name, this warning ends \
         in three days"
    ))
}

/// Says when snapshots look like our copies and are not ours: another stack may have the same `OwnerId`, or a person made
/// a snapshot that inherited the tags.
fn foreign_warning(foreign: &[String], deployment: &Deployment) -> Option<String> {
    let first = foreign.first()?;
    Some(format!(
        "{} manual snapshots of {}, {first} among them, are named like the copies of this stack or carry its owner tag, \
         and are none of them; they are left alone. A stack of another source region needs an OwnerId of its own",
        foreign.len(),
        deployment.destination.region()
    ))
}

/// Names copies of which RDS does not report the source: what they are copies of is known by name and tags only.
fn unconfirmed_warning(unconfirmed: &[String]) -> Option<String> {
    let named = unconfirmed.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = match unconfirmed.len().saturating_sub(5) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!unconfirmed.is_empty()).then(|| {
        format!(
            "RDS does not report what these copies are copies of, so only their names and tags say it: {named}{more}"
        )
    })
}

#[cfg(test)]
mod tests;
