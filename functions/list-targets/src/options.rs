//! Whether the copies of an instance need an option group in the destination region, and have one.

use domain::error::Error;
use domain::option_groups::OptionGroups;
use domain::rds_rules::takes_option_group;
use domain::settings::Settings;
use domain::snapshot::{Database, OptionGroup};
use domain::tags;
use rds::Rds;
use runtime::deployment::Deployment;

use crate::policy::wish;

/// The option groups that somebody made, in both regions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    pub(crate) source: Vec<OptionGroup>,
    pub(crate) destination: Vec<OptionGroup>,
    /// Says that they could not be found out. Then RDS decides about each copy.
    pub(crate) warning: Option<String>,
}

impl Groups {
    /// Asks for the option groups that matter to these databases: by name for one, or else for all of them.
    pub(crate) async fn read(deployment: &Deployment, databases: &[Database]) -> Self {
        let settings = &deployment.settings;
        let picked = |database: &Database| wish(database, tags::OPTION_GROUP).is_some();
        let matter = |database: &&Database| matter_to(database, settings) || picked(database);
        let concerned: Vec<&Database> = databases.iter().filter(matter).collect();
        let asked = match concerned[..] {
            [] => return Self::default(),
            [only] => {
                // A tag that names no group is ignored, as the policy ignores it.
                let tag = wish(only, tags::OPTION_GROUP)
                    .map(str::trim)
                    .filter(|name| OptionGroups::is_name(name));
                let tag = tag.map(str::to_ascii_lowercase);
                let own = only.option_group.as_deref().filter(|name| !is_default(name));
                tokio::try_join!(
                    named(&deployment.source, own),
                    named(&deployment.destination, chosen(only, tag.as_deref(), settings)),
                )
            }
            _ => tokio::try_join!(
                deployment.source.option_groups(),
                deployment.destination.option_groups()
            ),
        };
        match asked {
            Ok((source, destination)) => Self {
                source,
                destination,
                warning: None,
            },
            Err(error) => Self {
                warning: Some(format!(
                    "the option groups could not be read before the copies, so RDS decides about each copy: {}",
                    error.said()
                )),
                ..Self::default()
            },
        }
    }
}

async fn named(rds: &Rds, name: Option<&str>) -> Result<Vec<OptionGroup>, Error> {
    let group = match name.filter(|name| OptionGroups::is_name(name)) {
        Some(name) => rds.option_group(name).await?,
        None => None,
    };
    Ok(group.into_iter().collect())
}

/// Whether RDS made it.
fn is_default(name: &str) -> bool {
    name.starts_with("default:")
}

/// Whether the answer depends on option groups at all. Those that RDS made have no options.
pub(crate) fn matter_to(database: &Database, settings: &Settings) -> bool {
    let own = database.option_group.as_ref().is_some_and(|name| !is_default(name));
    takes_option_group(database.kind, &database.engine) && (own || chosen(database, None, settings).is_some())
}

fn chosen<'a>(database: &Database, picked: Option<&'a str>, settings: &'a Settings) -> Option<&'a str> {
    let own = database.option_group.as_deref();
    settings
        .option_groups
        .for_copy(database.kind, &database.engine, &database.id, own, picked)
}

/// What is wrong with the option group of the copies, before RDS says so; `picked` is what the database's tag names.
pub(crate) fn problem(
    database: &Database,
    picked: Option<&str>,
    settings: &Settings,
    groups: &Groups,
) -> Option<Error> {
    if groups.warning.is_some() || !takes_option_group(database.kind, &database.engine) {
        return None;
    }
    let named = |groups: &'_ [OptionGroup], name: &str| groups.iter().position(|group| group.name == name);
    let own = database
        .option_group
        .as_ref()
        .and_then(|name| named(&groups.source, name))
        .map(|at| &groups.source[at]);
    let needed: Vec<&str> = own
        .into_iter()
        .flat_map(|group| &group.options)
        .filter(|(_, needed)| **needed)
        .map(|(name, _)| name.as_str())
        .collect();
    let missing = |reason: String| Some(Error::OptionGroupMissing { reason });
    let Some(name) = chosen(database, picked, settings) else {
        if needed.is_empty() {
            return None;
        }
        return missing(format!(
            "{} has the permanent options [{}], and no option group is named for its copies",
            database.id,
            needed.join(", ")
        ));
    };
    let region = &settings.destination_region;
    let Some(group) = named(&groups.destination, name).map(|at| &groups.destination[at]) else {
        return missing(format!(
            "{region} has no option group {name}, which is named for the copies of {} (permanent options: [{}])",
            database.id,
            needed.join(", ")
        ));
    };
    if group.engine != database.engine || !is_of(&database.engine_version, &group.major_version) {
        return missing(format!(
            "{name} in {region} is for {} {}, and {} is {} {}",
            group.engine, group.major_version, database.id, database.engine, database.engine_version
        ));
    }
    let lacking: Vec<&str> = needed
        .into_iter()
        .filter(|option| !group.options.contains_key(*option))
        .collect();
    if lacking.is_empty() {
        return None;
    }
    missing(format!(
        "{name} in {region} lacks the permanent options [{}] of {}",
        lacking.join(", "),
        database.id
    ))
}

/// Whether `15.00.4345.5.v1` is of the major version `15.00`.
fn is_of(version: &str, major: &str) -> bool {
    version
        .strip_prefix(major)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests;
