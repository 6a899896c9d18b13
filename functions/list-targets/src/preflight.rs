//! Everything that would fail, found out before the first copy of a run and said in sentences.
//!
//! What concerns one database stops that database only: its target carries the problem, and its execution ends with
//! it. What concerns the run is a warning.

use std::collections::BTreeMap;

use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::payload::{Problem, RunRules, Target};
use domain::rds_rules::takes_key;
use domain::settings::Settings;
use domain::snapshot::Database;
use rds::Quota;
use runtime::deployment::Deployment;

use crate::keys::{Keyring, Keys};
use crate::options::{self, Groups};
use crate::policy;

/// Most warnings of a run: they travel with its output.
pub(crate) const MAX_WARNINGS: usize = 60;

/// What AWS says of the keys and the option groups that a run needs.
#[derive(Debug, Default)]
pub(crate) struct Preflight {
    keyring: Keyring,
    groups: Groups,
}

impl Preflight {
    /// Asks for what matters to these databases.
    pub(crate) async fn run(deployment: &Deployment, keys: &Keys, databases: &[Database]) -> Result<Self, Error> {
        let settings = &deployment.settings;
        let matters = |database: &Database| {
            options::matter_to(database, settings) || database.tags.contains_key(domain::tags::OPTION_GROUP)
        };
        let (keyring, groups) = tokio::try_join!(
            keys.keyring(databases, settings),
            option_groups(deployment, databases.iter().any(matters)),
        )?;
        Ok(Self { keyring, groups })
    }

    /// What each target is to be copied with.
    pub(crate) fn rules(&self, settings: &Settings) -> RunRules {
        RunRules {
            destination_region: Some(settings.destination_region.clone()),
            kms_key_arn: self.keyring.own.arn.clone(),
            keep_copies: Some(settings.keep.copies),
        }
    }

    /// Every warning of the run: of the stack's key, of the destination region, then those of single databases. The log
    /// has all of them, the plan as many as travel.
    pub(crate) fn warnings(
        &self,
        deployment: &Deployment,
        quotas: &BTreeMap<DatabaseKind, Quota>,
        targets: &[Target],
        foreign: &[String],
        of_databases: Vec<String>,
    ) -> Vec<String> {
        let key = &self.keyring.own;
        let problem = key.problem.as_ref().map(ToString::to_string);
        let mut warnings: Vec<String> = problem.into_iter().chain(key.warning.clone()).collect();
        warnings.extend(quota_warnings(quotas, targets, &deployment.settings.destination_region));
        warnings.extend(foreign_warning(foreign, deployment));
        warnings.extend(of_databases);
        for warning in &warnings {
            tracing::warn!(warning, "found before the first copy");
        }
        if warnings.len() > MAX_WARNINGS {
            let more = warnings.len() - MAX_WARNINGS;
            warnings.truncate(MAX_WARNINGS);
            warnings.push(format!("and {more} more; the log of list-targets has them all"));
        }
        warnings
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
        let (policy, mut said) = policy::of(&database, &self.keyring, settings);
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
        let target = Target {
            policy: Some(policy).filter(|policy| *policy != domain::payload::Policy::default()),
            problem: problem.as_ref().map(Problem::from),
            ..Target::new(database.kind, database.id, database.resource_id)
        };
        (target, said)
    }
}

async fn option_groups(deployment: &Deployment, wanted: bool) -> Result<Groups, Error> {
    if !wanted {
        return Ok(Groups::default());
    }
    let (source, destination) = tokio::try_join!(
        deployment.source.option_groups(),
        deployment.destination.option_groups()
    )?;
    Ok(Groups { source, destination })
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

/// Says when snapshots are named like our copies and are not ours: another stack may have the same `OwnerId`.
fn foreign_warning(foreign: &[String], deployment: &Deployment) -> Option<String> {
    let first = foreign.first()?;
    Some(format!(
        "{} manual snapshots of {}, {first} among them, are named like the copies of this stack and do not carry its \
         owner tag; they are left alone. A stack of another source region needs an OwnerId of its own",
        foreign.len(),
        deployment.destination.region()
    ))
}
