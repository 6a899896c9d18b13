//! What the stack in the destination region configures, read once at start-up.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::region::{is_region, why_unknown};
use crate::settings::{OBJECTIVE_HOURS, owner_id};
use crate::tags::{MAX_VALUE_CHARACTERS, PREFIX};
use crate::variables::{bad, flag, number, present};

/// Most tags that an operator may add to drill databases.
const MAX_DRILL_TAGS: usize = 20;
/// Most characters of a tag's key (RDS API reference, `Tag`).
const MAX_KEY_CHARACTERS: usize = 128;

/// How far a drill of a cluster goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterDrills {
    /// Its storage is restored, without any instance: the key, the version and the volume are proved, and no instance is
    /// paid for.
    Storage,
    /// An Aurora cluster gets an instance as well, so that the engine starts. Others are restored as
    /// [`ClusterDrills::Storage`].
    Full,
}

/// The configuration of the stack that watches the copies and drills their restore. It runs in the region of the copies,
/// and knows of the source region no more than its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchSettings {
    /// Region of the copies: the one that the function runs in.
    pub region: String,
    /// Region of the databases.
    pub source_region: String,
    /// Names the copies: the first part of each name and of the owner tag.
    pub owner_id: String,
    /// Name of the stack: what its metrics are told apart by.
    pub stack: String,
    /// Hours of the recovery point objective.
    pub objective_hours: u32,
    /// Whether the age of each database's newest copy is a metric of its own.
    pub database_metrics: bool,
    /// How drills restore.
    pub drills: DrillSettings,
}

/// What drills may make, where and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillSettings {
    /// Name of the state machine of which one execution is one drill.
    pub machine: String,
    /// Subnet group that drill databases are put into; none where the stack has no network for drills.
    pub subnet_group: Option<String>,
    /// The one security group that they have.
    pub security_group: Option<String>,
    /// Most databases that a run restores.
    pub databases_per_run: usize,
    /// Most GiB that a run restores in all, and so of each copy.
    pub max_gib: u32,
    /// Most drill databases that exist at the same time.
    pub concurrency: usize,
    /// Hours after which a drill database is deleted, whatever it is doing.
    pub hours: u32,
    /// How far drills of clusters go.
    pub clusters: ClusterDrills,
    /// Class of the instances; none takes the smallest on offer.
    pub class: Option<String>,
    /// Tags that the operator adds to drill databases, which service control policies may demand.
    pub tags: BTreeMap<String, String>,
    /// ARN of the operator's function that looks into a restored database.
    pub check_function: Option<String>,
}

impl WatchSettings {
    /// The variables that [`WatchSettings::read`] asks for.
    pub const VARIABLES: &[&str] = &[
        "AWS_REGION",
        "SOURCE_REGION",
        "OWNER_ID",
        "STACK_NAME",
        "OBJECTIVE_HOURS",
        "DATABASE_METRICS",
        "DRILL_COPY_MACHINE",
        "DRILL_SUBNET_GROUP",
        "DRILL_SECURITY_GROUP",
        "DRILL_DATABASES_PER_RUN",
        "DRILL_MAX_GIB",
        "DRILL_CONCURRENCY",
        "DRILL_HOURS",
        "DRILL_CLUSTERS",
        "DRILL_CLASS",
        "DRILL_TAGS",
        "CHECK_FUNCTION_ARN",
    ];

    /// Reads the settings from `variable`, which gives a variable's value or nothing.
    ///
    /// The error names the variable, what is wrong with it and what would be right.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let text = |name: &str| present(variable(name));
        let required = |name: &str, remedy: &str| text(name).ok_or_else(|| bad(name, "is not set", remedy));

        let region = required("AWS_REGION", "Lambda sets it to the region of the function.")?;
        let source_region = required(
            "SOURCE_REGION",
            "Set the parameter SourceRegion to the region of the databases, for example us-east-1.",
        )?;
        check_regions(&region, &source_region)?;
        Ok(Self {
            owner_id: owner_id(text("OWNER_ID"))?,
            stack: required("STACK_NAME", "Set it to the name of the stack, as the template does.")?,
            objective_hours: number(
                "OBJECTIVE_HOURS",
                text("OBJECTIVE_HOURS").as_deref(),
                OBJECTIVE_HOURS,
                1..=8760,
            )?,
            database_metrics: flag("DATABASE_METRICS", text("DATABASE_METRICS").as_deref())?,
            drills: DrillSettings::read(&text, &region)?,
            region,
            source_region,
        })
    }
}

impl DrillSettings {
    /// The longest that a drill database may live, in hours, whatever its tags or the stack say.
    pub const MAX_HOURS: u32 = 24;

    fn read(text: &impl Fn(&str) -> Option<String>, region: &str) -> Result<Self, Error> {
        let whole = |name: &str, default: u32, range| number(name, text(name).as_deref(), default, range);
        let size = |name: &str, default: usize, range| number(name, text(name).as_deref(), default, range);
        Ok(Self {
            machine: text("DRILL_COPY_MACHINE").ok_or_else(|| {
                bad(
                    "DRILL_COPY_MACHINE",
                    "is not set",
                    "Set it to the name of the state machine drill-copy, as the template does.",
                )
            })?,
            subnet_group: text("DRILL_SUBNET_GROUP"),
            security_group: text("DRILL_SECURITY_GROUP"),
            databases_per_run: size("DRILL_DATABASES_PER_RUN", 5, 1..=20)?,
            max_gib: whole("DRILL_MAX_GIB", 500, 1..=100_000)?,
            concurrency: size("DRILL_CONCURRENCY", 2, 1..=10)?,
            hours: whole("DRILL_HOURS", 4, 1..=12)?,
            clusters: clusters("DRILL_CLUSTERS", text("DRILL_CLUSTERS").as_deref())?,
            class: text("DRILL_CLASS"),
            tags: tags("DRILL_TAGS", &text("DRILL_TAGS").unwrap_or_default())?,
            check_function: check_function("CHECK_FUNCTION_ARN", text("CHECK_FUNCTION_ARN"), region)?,
        })
    }
}

fn check_regions(region: &str, source_region: &str) -> Result<(), Error> {
    if !is_region(source_region) {
        return Err(bad(
            "SOURCE_REGION",
            &format!("{source_region:?} is not a region"),
            "Set the parameter SourceRegion to a region's code, for example us-east-1.",
        ));
    }
    if region == source_region {
        return Err(bad(
            "SOURCE_REGION",
            &format!("{region} is the region of this stack"),
            "Deploy this stack in the region of the copies, and set SourceRegion to that of the databases.",
        ));
    }
    for (variable, region) in [("AWS_REGION", region), ("SOURCE_REGION", source_region)] {
        if let Some(why) = why_unknown(region) {
            return Err(bad(variable, &why, "Use another region, or a release that knows it."));
        }
    }
    Ok(())
}

fn clusters(name: &str, value: Option<&str>) -> Result<ClusterDrills, Error> {
    match value {
        None | Some("storage") => Ok(ClusterDrills::Storage),
        Some("full") => Ok(ClusterDrills::Full),
        Some(other) => Err(bad(
            name,
            &format!("{other:?} is unknown"),
            "Set storage (clusters are restored without an instance) or full (Aurora clusters get one).",
        )),
    }
}

fn tags(name: &str, list: &str) -> Result<BTreeMap<String, String>, Error> {
    let remedy = format!(
        "Write key=value, separated by commas, {MAX_DRILL_TAGS} at most; a key has up to {MAX_KEY_CHARACTERS} characters \
         and a value up to {MAX_VALUE_CHARACTERS}."
    );
    let mut tags = BTreeMap::new();
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (key, value) = item
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| bad(name, &format!("{item:?} is not of the form key=value"), &remedy))?;
        if [PREFIX, "aws:"]
            .iter()
            .any(|prefix| key.to_ascii_lowercase().starts_with(prefix))
        {
            return Err(bad(
                name,
                &format!("{key:?} begins with a prefix that is not the operator's"),
                "Take keys that begin with neither snapferry: nor aws:.",
            ));
        }
        if key.chars().count() > MAX_KEY_CHARACTERS || value.chars().count() > MAX_VALUE_CHARACTERS {
            return Err(bad(name, &format!("the tag {key:?} is too long"), &remedy));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(bad(name, &format!("the key {key:?} stands twice"), &remedy));
        }
    }
    if tags.len() > MAX_DRILL_TAGS {
        return Err(bad(name, &format!("there are {} tags", tags.len()), &remedy));
    }
    Ok(tags)
}

/// A state machine can invoke functions of its own region only (AWS facts, part 2, 0.13).
fn check_function(name: &str, arn: Option<String>, region: &str) -> Result<Option<String>, Error> {
    let Some(arn) = arn else { return Ok(None) };
    let remedy =
        format!("Give the ARN of a function in {region}, as in arn:aws:lambda:{region}:111122223333:function:check.");
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let ["arn", _, "lambda", of_region, _, "function", _] = parts[..] else {
        return Err(bad(name, &format!("{arn:?} is not the ARN of a function"), &remedy));
    };
    if of_region != region {
        return Err(bad(
            name,
            &format!("the function is in {of_region}, the drills are in {region}"),
            &remedy,
        ));
    }
    Ok(Some(arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(name: &str) -> Option<String> {
        let value = match name {
            "AWS_REGION" => "eu-west-1",
            "SOURCE_REGION" => "us-east-1",
            "OWNER_ID" | "STACK_NAME" => "snapferry",
            "DRILL_COPY_MACHINE" => "snapferry-drill-copy",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn with(name: &str, value: &str) -> Result<WatchSettings, Error> {
        WatchSettings::read(|asked| {
            if asked == name {
                Some(value.to_owned())
            } else {
                good(asked)
            }
        })
    }

    #[test]
    fn what_is_left_out_has_a_sane_default() {
        let settings = WatchSettings::read(good).expect("good settings");
        assert_eq!((settings.objective_hours, settings.database_metrics), (26, false));
        let drills = settings.drills;
        assert_eq!(
            (
                drills.databases_per_run,
                drills.max_gib,
                drills.concurrency,
                drills.hours
            ),
            (5, 500, 2, 4)
        );
        assert_eq!(drills.clusters, ClusterDrills::Storage);
        assert_eq!(
            (drills.subnet_group, drills.class, drills.check_function),
            (None, None, None)
        );
        assert!(drills.tags.is_empty());
    }

    #[test]
    fn tags_of_the_operator_are_read() {
        let settings = with("DRILL_TAGS", "team=data, cost centre=12 ,empty=").expect("good tags");
        let tags: Vec<_> = settings.drills.tags.into_iter().collect();
        let expected = [("cost centre", "12"), ("empty", ""), ("team", "data")];
        assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_bad_setting_is_refused_by_name_with_a_remedy() {
        let many = (0..21)
            .map(|number| format!("tag{number}=x"))
            .collect::<Vec<_>>()
            .join(",");
        for (name, value, problem) in [
            ("AWS_REGION", "", "is not set"),
            ("SOURCE_REGION", "", "is not set"),
            ("SOURCE_REGION", "Virginia", "is not a region"),
            ("SOURCE_REGION", "eu-west-1", "is the region of this stack"),
            (
                "SOURCE_REGION",
                "eusc-de-east-1",
                "in a partition that Snapferry does not know",
            ),
            ("OWNER_ID", "Snap", "cannot begin"),
            ("OWNER_ID", "", "is not set"),
            ("STACK_NAME", "", "is not set"),
            ("OBJECTIVE_HOURS", "0", "not a whole number from 1 to 8760"),
            ("DATABASE_METRICS", "yes", "neither true nor false"),
            ("DRILL_COPY_MACHINE", "", "is not set"),
            ("DRILL_DATABASES_PER_RUN", "21", "not a whole number from 1 to 20"),
            ("DRILL_MAX_GIB", "0", "not a whole number from 1 to 100000"),
            ("DRILL_CONCURRENCY", "11", "not a whole number from 1 to 10"),
            ("DRILL_HOURS", "13", "not a whole number from 1 to 12"),
            ("DRILL_CLUSTERS", "all", "is unknown"),
            ("DRILL_TAGS", "team", "is not of the form key=value"),
            ("DRILL_TAGS", "=x", "is not of the form key=value"),
            ("DRILL_TAGS", "Snapferry:drill-until=2099", "begins with a prefix"),
            ("DRILL_TAGS", "aws:name=x", "begins with a prefix"),
            ("DRILL_TAGS", "a=1,a=2", "stands twice"),
            ("DRILL_TAGS", &many, "there are 21 tags"),
            ("CHECK_FUNCTION_ARN", "check", "is not the ARN of a function"),
            (
                "CHECK_FUNCTION_ARN",
                "arn:aws:lambda:us-east-1:123456789012:function:check",
                "the function is in us-east-1",
            ),
        ] {
            let error = with(name, value).expect_err(value).to_string();
            assert!(
                error.starts_with(&format!("{name}: ")) && error.contains(problem),
                "{name}={value}: {error}"
            );
        }
    }

    #[test]
    fn every_variable_that_is_read_is_listed() {
        let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
        WatchSettings::read(|name| {
            asked.borrow_mut().insert(name.to_owned());
            good(name)
        })
        .expect("good settings");
        let listed = WatchSettings::VARIABLES.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(asked.into_inner(), listed);
    }
}
