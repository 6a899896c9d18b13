//! What the stack configures, read once at start-up.

use std::ops::RangeInclusive;

use crate::Error;

/// Which databases are copied when their tags say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All but those tagged `snapferry:copy=false`.
    OptOut,
    /// Only those tagged `snapferry:copy=true`.
    OptIn,
}

/// The configuration of the stack. Every function reads all of it, so that there is one place to look.
///
/// These values, never the input, decide where copies go, which key they get and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Region of the databases: the one that the function runs in.
    pub source_region: String,
    /// Region of the copies.
    pub destination_region: String,
    /// ARN of the key, in the destination region, that copies are encrypted with.
    pub kms_key_arn: String,
    /// Names this stack's copies: the first part of each name and of the owner tag.
    pub owner_id: String,
    /// Verified copies to keep of each database.
    pub keep_copies: usize,
    /// Days for which every verified copy is kept; 0 is no such rule. So are the next four.
    pub keep_days: u32,
    /// Days of which the last verified copy is kept, of as many days as have one.
    pub keep_daily: usize,
    /// Weeks (ISO 8601, UTC) of which the last verified copy is kept.
    pub keep_weekly: usize,
    /// Months of which the last verified copy is kept.
    pub keep_monthly: usize,
    /// Years of which the last verified copy is kept.
    pub keep_yearly: usize,
    /// Hours after which an unfinished copy is overdue.
    pub copy_deadline_hours: u32,
    /// Which databases are copied when their tags say nothing.
    pub selection: Selection,
    /// Whether hand-made snapshots count as the newest one too.
    pub include_manual_snapshots: bool,
    /// Whether every run only says what it would do.
    pub dry_run: bool,
    /// Targets on one page of a run.
    pub page_size: usize,
}

impl Settings {
    /// The variables that [`Settings::read`] asks for.
    pub const VARIABLES: &[&str] = &[
        "AWS_REGION",
        "OWNER_ID",
        "DESTINATION_REGION",
        "DESTINATION_KMS_KEY_ARN",
        "KEEP_COPIES",
        "KEEP_DAYS",
        "KEEP_DAILY",
        "KEEP_WEEKLY",
        "KEEP_MONTHLY",
        "KEEP_YEARLY",
        "COPY_DEADLINE_HOURS",
        "SELECTION",
        "INCLUDE_MANUAL_SNAPSHOTS",
        "DRY_RUN",
        "PAGE_SIZE",
    ];

    /// Reads the settings from `variable`, which gives a variable's value or nothing.
    ///
    /// The error names the variable, what is wrong with it and what would be right.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let text = |name: &str| {
            variable(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let required = |name: &str, remedy: &str| text(name).ok_or_else(|| bad(name, "is not set", remedy));

        let source_region = required("AWS_REGION", "Lambda sets it to the region of the function.")?;
        let destination_region = required(
            "DESTINATION_REGION",
            "Set the parameter DestinationRegion, for example eu-west-1.",
        )?;
        if !is_region(&destination_region) {
            return Err(bad(
                "DESTINATION_REGION",
                &format!("{destination_region:?} is no region"),
                "Set the parameter DestinationRegion to a region's code, for example eu-west-1.",
            ));
        }
        if destination_region == source_region {
            return Err(bad(
                "DESTINATION_REGION",
                &format!("{destination_region} is the source region"),
                "A copy in the same region is lost with it: choose another region.",
            ));
        }
        if let Some(why) = why_impossible(&source_region, &destination_region) {
            return Err(bad(
                "DESTINATION_REGION",
                why,
                "Choose a destination that RDS copies snapshots to from here.",
            ));
        }
        let kms_key_arn = required(
            "DESTINATION_KMS_KEY_ARN",
            "Set the parameter DestinationKmsKeyArn to the ARN of a key in the destination region.",
        )?;
        check_key(&kms_key_arn, &destination_region)?;
        let owner_id = required("OWNER_ID", "Set the parameter OwnerId, for example snapferry.")?;
        if !is_owner_id(&owner_id) {
            return Err(bad(
                "OWNER_ID",
                &format!("{owner_id:?} cannot begin a copy's name"),
                "Take 2 to 12 lower-case letters and digits, beginning with a letter.",
            ));
        }

        Ok(Self {
            source_region,
            destination_region,
            kms_key_arn,
            owner_id,
            keep_copies: number("KEEP_COPIES", text("KEEP_COPIES").as_deref(), 3, 1..=100)?,
            keep_days: number("KEEP_DAYS", text("KEEP_DAYS").as_deref(), 0, 0..=3650)?,
            keep_daily: number("KEEP_DAILY", text("KEEP_DAILY").as_deref(), 0, 0..=100)?,
            keep_weekly: number("KEEP_WEEKLY", text("KEEP_WEEKLY").as_deref(), 0, 0..=100)?,
            keep_monthly: number("KEEP_MONTHLY", text("KEEP_MONTHLY").as_deref(), 0, 0..=100)?,
            keep_yearly: number("KEEP_YEARLY", text("KEEP_YEARLY").as_deref(), 0, 0..=100)?,
            copy_deadline_hours: number(
                "COPY_DEADLINE_HOURS",
                text("COPY_DEADLINE_HOURS").as_deref(),
                72,
                1..=336,
            )?,
            selection: match text("SELECTION").as_deref() {
                None | Some("opt-out") => Selection::OptOut,
                Some("opt-in") => Selection::OptIn,
                Some(other) => {
                    return Err(bad(
                        "SELECTION",
                        &format!("{other:?} is unknown"),
                        "Set opt-out (all databases but those tagged snapferry:copy=false) or opt-in (only those \
                         tagged snapferry:copy=true).",
                    ));
                }
            },
            include_manual_snapshots: flag("INCLUDE_MANUAL_SNAPSHOTS", text("INCLUDE_MANUAL_SNAPSHOTS").as_deref())?,
            dry_run: flag("DRY_RUN", text("DRY_RUN").as_deref())?,
            page_size: number("PAGE_SIZE", text("PAGE_SIZE").as_deref(), 500, 1..=500)?,
        })
    }
}

fn bad(name: &str, problem: &str, remedy: &str) -> Error {
    Error::BadSettings(format!("{name}: {problem}. {remedy}"))
}

fn number<T>(name: &str, value: Option<&str>, default: T, range: RangeInclusive<T>) -> Result<T, Error>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let Some(value) = value else { return Ok(default) };
    match value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(bad(
            name,
            &format!(
                "{value:?} is not a whole number from {} to {}",
                range.start(),
                range.end()
            ),
            &format!("Set a number in that range, or leave it out for {default}."),
        )),
    }
}

fn flag(name: &str, value: Option<&str>) -> Result<bool, Error> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(bad(
            name,
            &format!("{other:?} is neither true nor false"),
            "Set true or false.",
        )),
    }
}

/// A region's code: lower-case words and a number, as in `eu-west-1` or `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let (Some(last), true) = (parts.last(), parts.len() >= 3) else {
        return false;
    };
    last.parse::<u8>().is_ok()
        && parts[..parts.len() - 1]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// Why RDS copies no snapshot between two regions, if it does not (user guide, Copying a DB snapshot).
fn why_impossible(source: &str, destination: &str) -> Option<&'static str> {
    let partition = |region: &str| match region {
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("cn-") => "aws-cn",
        _ => "aws",
    };
    match (partition(source), partition(destination)) {
        ("aws-cn", "aws-cn") => Some("RDS copies no snapshots between the regions of China"),
        (from, to) if from != to => Some("snapshots cannot leave their partition (commercial, GovCloud, China)"),
        _ => None,
    }
}

/// Rule 1 of the names: `[a-z][a-z0-9]{1,11}`, so that no owner's prefix begins another's.
fn is_owner_id(text: &str) -> bool {
    (2..=12).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A key ARN reads `arn:<partition>:kms:<region>:<account>:key/<id>`.
fn check_key(arn: &str, destination_region: &str) -> Result<(), Error> {
    let name = "DESTINATION_KMS_KEY_ARN";
    let remedy = format!(
        "Give the ARN of a key in {destination_region}, as in arn:aws:kms:{destination_region}:111122223333:key/..."
    );
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "kms", region, _, resource] = parts[..] else {
        return Err(bad(name, &format!("{arn:?} is no ARN of a KMS key"), &remedy));
    };
    if !resource.starts_with("key/") {
        return Err(bad(
            name,
            &format!("{arn:?} is not the ARN of a key itself (an alias has none of its own)"),
            &remedy,
        ));
    }
    if region != destination_region {
        return Err(bad(
            name,
            &format!("the key is in {region}, the copies are in {destination_region}"),
            &remedy,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(name: &str) -> Option<String> {
        let value = match name {
            "AWS_REGION" => "us-east-1",
            "DESTINATION_REGION" => "eu-west-1",
            "DESTINATION_KMS_KEY_ARN" => "arn:aws:kms:eu-west-1:123456789012:key/1111",
            "OWNER_ID" => "snapferry",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn what_is_left_out_has_a_sane_default() {
        let settings = Settings::read(good).expect("good settings");
        assert_eq!(settings.keep_copies, 3);
        assert_eq!(settings.copy_deadline_hours, 72);
        assert_eq!(settings.selection, Selection::OptOut);
        assert!(!settings.dry_run && !settings.include_manual_snapshots);
        assert_eq!(settings.page_size, 500);
    }

    #[test]
    fn a_bad_setting_is_refused_by_name_with_a_remedy() {
        for (name, value, problem) in [
            ("DESTINATION_REGION", "", "is not set"),
            ("DESTINATION_REGION", "us-east-1", "is the source region"),
            ("DESTINATION_REGION", "Ireland", "is no region"),
            ("DESTINATION_REGION", "us-gov-west-1", "cannot leave their partition"),
            ("DESTINATION_REGION", "cn-north-1", "cannot leave their partition"),
            ("DESTINATION_KMS_KEY_ARN", "", "is not set"),
            (
                "DESTINATION_KMS_KEY_ARN",
                "arn:aws:kms:us-east-1:123456789012:key/1",
                "the key is in us-east-1",
            ),
            (
                "DESTINATION_KMS_KEY_ARN",
                "arn:aws:kms:eu-west-1:123456789012:alias/a",
                "not the ARN of a key itself",
            ),
            ("DESTINATION_KMS_KEY_ARN", "1111", "is no ARN"),
            ("OWNER_ID", "Snap", "cannot begin"),
            ("OWNER_ID", "snap-ferry", "cannot begin"),
            ("OWNER_ID", "averylongowner", "cannot begin"),
            ("KEEP_COPIES", "three", "not a whole number from 1 to 100"),
            ("KEEP_COPIES", "0", "not a whole number from 1 to 100"),
            ("KEEP_DAYS", "-1", "not a whole number from 0 to 3650"),
            ("KEEP_WEEKLY", "101", "not a whole number from 0 to 100"),
            ("COPY_DEADLINE_HOURS", "1.5", "not a whole number"),
            ("PAGE_SIZE", "501", "not a whole number from 1 to 500"),
            ("SELECTION", "some", "is unknown"),
            ("DRY_RUN", "yes", "neither true nor false"),
            ("INCLUDE_MANUAL_SNAPSHOTS", "1", "neither true nor false"),
        ] {
            let error = Settings::read(|asked| {
                if asked == name {
                    Some(value.to_owned())
                } else {
                    good(asked)
                }
            })
            .expect_err(name);
            let text = error.to_string();
            assert_eq!(error.name(), "BadSettings");
            assert!(
                text.starts_with(name) && text.contains(problem),
                "{name}={value:?}: {text}"
            );
        }
    }

    #[test]
    fn pairs_of_regions_that_rds_does_not_copy_between_are_known() {
        assert!(why_impossible("cn-north-1", "cn-northwest-1").is_some_and(|why| why.contains("China")));
        assert!(why_impossible("us-gov-west-1", "us-east-1").is_some());
        assert_eq!(why_impossible("us-gov-west-1", "us-gov-east-1"), None);
        assert_eq!(why_impossible("us-east-1", "ap-southeast-2"), None);
    }

    #[test]
    fn only_the_listed_variables_are_read() {
        let asked = std::cell::RefCell::new(Vec::new());
        let _ = Settings::read(|name| {
            asked.borrow_mut().push(name.to_owned());
            good(name)
        });
        let mut asked = asked.into_inner();
        asked.sort();
        let mut listed = Settings::VARIABLES.to_vec();
        listed.sort_unstable();
        assert_eq!(asked, listed);
    }
}
