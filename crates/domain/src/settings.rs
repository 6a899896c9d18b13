//! What the stack configures, read once at start-up.

use crate::error::Error;
use crate::option_groups::OptionGroups;
use crate::rds_rules::why_impossible;
use crate::region::{is_region, why_unknown};
use crate::retention_rules::RetentionRules;
use crate::tags;
use crate::variables::{bad, flag, number, present};

/// Hours of the recovery point objective where nobody sets one: a nightly snapshot and its copy, and two hours of grace.
/// The template's parameter `ObjectiveHours` has the same default.
pub const OBJECTIVE_HOURS: u32 = 26;

/// Which databases are copied when their tags say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All but those tagged `snapferry:copy=false`.
    OptOut,
    /// Only those tagged `snapferry:copy=true`.
    OptIn,
}

/// The key that copies are encrypted with unless a database's tag picks another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KmsKey {
    /// The key's own ARN.
    Arn(String),
    /// ARN of an alias. list-targets looks up which key it stands for; RDS is asked for the alias itself, so that no
    /// input can put another key in its place.
    Alias(String),
}

impl KmsKey {
    /// The ARN, whatever it is of.
    #[must_use]
    pub fn arn(&self) -> &str {
        match self {
            Self::Arn(arn) | Self::Alias(arn) => arn,
        }
    }
}

/// The configuration of the stack. Every function reads all of it, so that there is one place to look.
///
/// These values, never the input, decide where copies go, which key they get and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
pub struct Settings {
    /// Region of the databases: the one that the function runs in.
    pub source_region: String,
    /// Region of the copies.
    pub destination_region: String,
    /// Key of the destination region that copies are encrypted with.
    pub kms_key: KmsKey,
    /// ARNs of further keys there, which a database's tag may pick.
    pub allowed_kms_key_arns: Vec<String>,
    /// Option groups of the destination region for copies that need one.
    pub option_groups: OptionGroups,
    /// Names this stack's copies: the first part of each name and of the owner tag.
    pub owner_id: String,
    /// What is kept of each database; its tags may ask for more.
    pub keep: RetentionRules,
    /// Days for which every copy of a database that no longer exists is kept, beside what [`Settings::keep`] keeps;
    /// 0 leaves such copies alone for ever.
    pub retired_keep_days: u32,
    /// Most verified copies of a database that one execution deletes.
    pub max_deletes_per_run: u32,
    /// Hours after which an unfinished copy is overdue.
    pub copy_deadline_hours: u32,
    /// Hours for which an execution waits for a copy slot in all.
    pub slot_wait_hours: u32,
    /// Which databases are copied when their tags say nothing.
    pub selection: Selection,
    /// Whether Neptune clusters are copied too.
    pub include_neptune: bool,
    /// Whether `DocumentDB` clusters are copied too.
    pub include_documentdb: bool,
    /// Whether hand-made snapshots count as the newest one too.
    pub include_manual_snapshots: bool,
    /// Whether every run only says what it would do.
    pub dry_run: bool,
    /// Targets on one page of a run.
    pub page_size: usize,
    /// Name of the stack: what its metrics are told apart by.
    pub stack: String,
    /// Whether the age of each database's recovery point is a metric of its own.
    pub database_metrics: bool,
}

impl Settings {
    /// The variables that [`Settings::read`] asks for.
    pub const VARIABLES: &[&str] = &[
        "AWS_REGION",
        "OWNER_ID",
        "DESTINATION_REGION",
        "DESTINATION_KMS_KEY_ARN",
        "ALLOWED_KMS_KEY_ARNS",
        "OPTION_GROUPS",
        "KEEP_COPIES",
        "KEEP_DAYS",
        "KEEP_DAILY",
        "KEEP_WEEKLY",
        "KEEP_MONTHLY",
        "KEEP_YEARLY",
        "RETIRED_KEEP_DAYS",
        "MAX_DELETES_PER_RUN",
        "COPY_DEADLINE_HOURS",
        "SLOT_WAIT_HOURS",
        "SELECTION",
        "INCLUDE_NEPTUNE",
        "INCLUDE_DOCUMENTDB",
        "INCLUDE_MANUAL_SNAPSHOTS",
        "DRY_RUN",
        "PAGE_SIZE",
        "STACK_NAME",
        "DATABASE_METRICS",
    ];

    /// Reads the settings from `variable`, which gives a variable's value or nothing.
    ///
    /// The error names the variable, what is wrong with it and what would be right.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let text = |name: &str| present(variable(name));
        let required = |name: &str, remedy: &str| text(name).ok_or_else(|| bad(name, "is not set", remedy));

        let source_region = required("AWS_REGION", "Lambda sets it to the region of the function.")?;
        let destination_region = required(
            "DESTINATION_REGION",
            "Set the parameter DestinationRegion, for example eu-west-1.",
        )?;
        check_regions(&source_region, &destination_region)?;
        let include_neptune = flag("INCLUDE_NEPTUNE", text("INCLUDE_NEPTUNE").as_deref())?;
        if let Some(why) = why_impossible(&source_region, &destination_region, include_neptune) {
            return Err(bad(
                "DESTINATION_REGION",
                why,
                "Choose a destination that RDS copies snapshots to from here.",
            ));
        }
        let kms_key = required(
            "DESTINATION_KMS_KEY_ARN",
            "Set the parameter DestinationKmsKey to a key of the destination region: its ARN, its id or an alias.",
        )?;
        let kms_key = kms_key_of("DESTINATION_KMS_KEY_ARN", &kms_key, &destination_region)?;
        let allowed = text("ALLOWED_KMS_KEY_ARNS").unwrap_or_default();
        let allowed_kms_key_arns = allowed_keys(&allowed, &destination_region)?;
        let option_groups = OptionGroups::read(&text("OPTION_GROUPS").unwrap_or_default()).map_err(|problem| {
            bad(
                "OPTION_GROUPS",
                &problem,
                "Write from=to, separated by commas: an option group or instance:<identifier> of the source region, and \
                 an option group of the destination region.",
            )
        })?;
        let mut keep = RetentionRules::default();
        for rule in &RetentionRules::RULES {
            // The newest copy is kept in any case, so that is the least.
            let (default, least) = if rule.tag == tags::KEEP { (3, 1) } else { (0, 0) };
            let value = text(rule.variable);
            keep.set(
                rule,
                number(rule.variable, value.as_deref(), default, least..=rule.most)?,
            );
        }
        let owner_id = owner_id(text("OWNER_ID"))?;

        Ok(Self {
            source_region,
            destination_region,
            kms_key,
            allowed_kms_key_arns,
            option_groups,
            owner_id,
            keep,
            retired_keep_days: number("RETIRED_KEEP_DAYS", text("RETIRED_KEEP_DAYS").as_deref(), 0, 0..=3650)?,
            max_deletes_per_run: number(
                "MAX_DELETES_PER_RUN",
                text("MAX_DELETES_PER_RUN").as_deref(),
                2,
                1..=100,
            )?,
            copy_deadline_hours: number(
                "COPY_DEADLINE_HOURS",
                text("COPY_DEADLINE_HOURS").as_deref(),
                72,
                1..=336,
            )?,
            slot_wait_hours: number("SLOT_WAIT_HOURS", text("SLOT_WAIT_HOURS").as_deref(), 36, 1..=48)?,
            selection: selection("SELECTION", text("SELECTION").as_deref())?,
            include_neptune,
            include_documentdb: flag("INCLUDE_DOCUMENTDB", text("INCLUDE_DOCUMENTDB").as_deref())?,
            include_manual_snapshots: flag("INCLUDE_MANUAL_SNAPSHOTS", text("INCLUDE_MANUAL_SNAPSHOTS").as_deref())?,
            dry_run: flag("DRY_RUN", text("DRY_RUN").as_deref())?,
            page_size: number("PAGE_SIZE", text("PAGE_SIZE").as_deref(), 500, 1..=500)?,
            stack: required("STACK_NAME", "Set it to the name of the stack, as the template does.")?,
            database_metrics: flag("DATABASE_METRICS", text("DATABASE_METRICS").as_deref())?,
        })
    }

    /// Whether a copy may be asked for with the key of this ARN.
    #[must_use]
    pub fn allows_key(&self, arn: &str) -> bool {
        self.kms_key == KmsKey::Arn(arn.to_owned()) || self.allowed_kms_key_arns.iter().any(|allowed| allowed == arn)
    }
}

/// Refuses regions that cannot be right, before anything is called, let alone written, there.
fn check_regions(source: &str, destination: &str) -> Result<(), Error> {
    if !is_region(destination) {
        return Err(bad(
            "DESTINATION_REGION",
            &format!("{destination:?} is not a region"),
            "Set the parameter DestinationRegion to a region's code, for example eu-west-1.",
        ));
    }
    if destination == source {
        return Err(bad(
            "DESTINATION_REGION",
            &format!("{destination} is the source region"),
            "A copy in the same region is lost with it: choose another region.",
        ));
    }
    for (variable, region) in [("AWS_REGION", source), ("DESTINATION_REGION", destination)] {
        if let Some(why) = why_unknown(region) {
            return Err(bad(variable, &why, "Use another region, or a release that knows it."));
        }
    }
    Ok(())
}

fn selection(name: &str, value: Option<&str>) -> Result<Selection, Error> {
    match value {
        None | Some("opt-out") => Ok(Selection::OptOut),
        Some("opt-in") => Ok(Selection::OptIn),
        Some(other) => Err(bad(
            name,
            &format!("{other:?} is unknown"),
            "Set opt-out (all databases but those tagged snapferry:copy=false) or opt-in (only those tagged \
             snapferry:copy=true).",
        )),
    }
}

/// Reads the variable `OWNER_ID`.
pub(crate) fn owner_id(value: Option<String>) -> Result<String, Error> {
    let id = value.ok_or_else(|| {
        bad(
            "OWNER_ID",
            "is not set",
            "Set the parameter OwnerId, for example snapferry.",
        )
    })?;
    if is_owner_id(&id) {
        return Ok(id);
    }
    Err(bad(
        "OWNER_ID",
        &format!("{id:?} cannot begin a copy's name"),
        "Take 2 to 12 lower-case letters and digits, beginning with a letter.",
    ))
}

/// Rule 1 of the names: `[a-z][a-z0-9]{1,11}`, so that no owner's prefix begins another's.
#[must_use]
pub fn is_owner_id(text: &str) -> bool {
    (2..=12).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Reads `arn:<partition>:kms:<region>:<account>:key/<id>`, or the same with `alias/<name>`.
fn kms_key_of(name: &str, arn: &str, destination_region: &str) -> Result<KmsKey, Error> {
    let remedy = format!(
        "Give the ARN of a key in {destination_region}, as in arn:aws:kms:{destination_region}:111122223333:key/..."
    );
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "kms", region, _, resource] = parts[..] else {
        return Err(bad(name, &format!("{arn:?} is not the ARN of a KMS key"), &remedy));
    };
    if region != destination_region {
        return Err(bad(
            name,
            &format!("the key is in {region}, the copies are in {destination_region}"),
            &remedy,
        ));
    }
    match resource.split_once('/') {
        Some(("key", id)) if !id.is_empty() => Ok(KmsKey::Arn(arn.to_owned())),
        Some(("alias", alias)) if !alias.is_empty() => Ok(KmsKey::Alias(arn.to_owned())),
        _ => Err(bad(
            name,
            &format!("{arn:?} is the ARN of neither a key nor an alias"),
            &remedy,
        )),
    }
}

/// Keys are allowed by their own ARNs only: what an alias stands for can be changed by who may not change the stack.
fn allowed_keys(list: &str, destination_region: &str) -> Result<Vec<String>, Error> {
    let name = "ALLOWED_KMS_KEY_ARNS";
    let arns = list.split(',').map(str::trim).filter(|arn| !arn.is_empty());
    arns.map(|arn| match kms_key_of(name, arn, destination_region)? {
        KmsKey::Arn(arn) => Ok(arn),
        KmsKey::Alias(arn) => Err(bad(
            name,
            &format!("{arn:?} is an alias"),
            "Give the ARN of the key itself (.../key/<id>), as aws kms describe-key shows it.",
        )),
    })
    .collect()
}

#[cfg(test)]
mod tests;
