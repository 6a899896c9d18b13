//! What a restore knows: the copy, its settings, and what the operator asks for.

use std::collections::BTreeMap;

use domain::ownership::Format;
use domain::restorability::is_custom;
use domain::restore_settings::{RestoreHints, RestoreSettings, Setting};
use domain::retention_rules::RetentionRules;
use domain::snapshot::Snapshot;
use domain::tags;
use serde::Serialize;

use crate::commands::restore_command::aws_command::{AwsCommand, Step};
use crate::quoting::{is_usable, visible};

/// What the operator asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Identifier of the restored database.
    pub(crate) name: &'a str,
    /// The region of the copy.
    pub(crate) region: &'a str,
    pub(crate) profile: Option<&'a str>,
    /// Number of instances in a cluster, if it is not left to the copy.
    pub(crate) members: Option<u32>,
}

/// What a restore takes.
#[derive(Debug, Clone)]
pub(crate) struct Restore<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) snapshot: &'a Snapshot,
    /// What the tags say beside the settings.
    pub(crate) hints: RestoreHints,
    /// What the snapshot knows, and the tags beyond it.
    pub(crate) settings: RestoreSettings,
    /// What was on the copy and cannot be given to any command.
    unusable: Vec<String>,
    /// Whether the settings were recorded when the copy was made.
    is_recorded: bool,
}

/// The commands, and what they do not restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restoration {
    pub(crate) steps: Vec<Step>,
    pub(crate) not_restored: Vec<String>,
}

/// A tag as the AWS CLI takes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag<'a> {
    key: &'a str,
    value: &'a str,
}

impl<'a> Restore<'a> {
    /// What is known of the restore of a copy, which must have all its tags.
    pub(crate) fn new(snapshot: &'a Snapshot, request: Request<'a>) -> Self {
        let mut unusable = Vec::new();
        let mut usable = |what: &str, value: Option<String>| {
            let is_empty = value.as_deref() == Some("");
            let value = value.filter(|_| !is_empty)?;
            if is_usable(&value) {
                return Some(value);
            }
            unusable.push(format!(
                "The {what}: the AWS CLI cannot be given its value, {}.",
                visible(&value)
            ));
            None
        };
        let read = RestoreHints::read(&snapshot.tags);
        let hints = RestoreHints {
            engine_version: usable("engine version", read.engine_version),
            class: usable("instance class", read.class),
            parameter_group: usable("parameter group", read.parameter_group),
            option_group: usable("option group", read.option_group),
            multi_az: read.multi_az,
            settings: RestoreSettings::default(),
        };
        let recorded = RestoreSettings::read(&snapshot.tags);
        let mut settings = snapshot.settings.clone().or(recorded.settings);
        settings.retain(|setting, value| usable(title(setting), Some(value.to_owned())).is_some());
        for word in recorded.unread {
            unusable.push(format!(
                "{}, which this release of Snapferry does not know.",
                visible(&word)
            ));
        }
        if recorded.omitted > 0 {
            unusable.push(format!(
                "{} settings for which the tags of the copy had no room.",
                recorded.omitted
            ));
        }
        Self {
            request,
            snapshot,
            hints,
            settings,
            unusable,
            is_recorded: snapshot.tags.contains_key(tags::SETTINGS),
        }
    }

    pub(crate) fn engine(&self) -> &str {
        &self.snapshot.engine
    }

    /// The version of the database, or else that of its snapshot; empty if neither is known.
    pub(crate) fn engine_version(&self) -> &str {
        let of_tags = self.hints.engine_version.as_deref();
        of_tags.unwrap_or(&self.snapshot.engine_version)
    }

    /// RDS Custom, to which some settings do not apply.
    pub(crate) fn is_custom(&self) -> bool {
        self.engine().starts_with("custom-")
    }

    pub(crate) fn is_multi_az(&self) -> bool {
        self.hints.multi_az == Some(true)
    }

    /// The beginning of a command.
    pub(crate) fn command(&self, service: &str, operation: &str) -> AwsCommand {
        AwsCommand::new(service, operation, self.request.region, self.request.profile)
    }

    /// Gives the database the tags of the original. Without any, RDS would give it all those of the copy, ours included
    /// (API reference, `CopyTagsToSnapshot`), with which it would pass for a database that asks to be kept like that.
    pub(crate) fn tag(&self, command: &mut AwsCommand) {
        let is_ours = |key: &str| {
            let key = key.to_ascii_lowercase();
            [tags::PREFIX, "aws:", "rds:"]
                .iter()
                .any(|begin| key.starts_with(begin))
        };
        let inherited = self.snapshot.tags.iter().filter(|(key, _)| !is_ours(key));
        let mut all: BTreeMap<&str, &str> = inherited.map(|(key, value)| (key.as_str(), value.as_str())).collect();
        all.insert(tags::RESTORED_FROM, &self.snapshot.id);
        let all: Vec<Tag<'_>> = all.into_iter().map(|(key, value)| Tag { key, value }).collect();
        command.json_option("--tags", &all);
    }

    /// Everything that is known and in none of the commands, `left` among it, and what no copy records.
    pub(crate) fn not_restored(&self, left: &RestoreSettings, of_kind: &[&str]) -> Vec<String> {
        let mut list = self.unusable.clone();
        list.extend(left.iter().map(|(setting, value)| {
            let remedy = remedy(setting).map_or_else(String::new, |remedy| format!(": {remedy}"));
            format!("The {}, {}{remedy}.", title(setting), visible(value))
        }));
        let tags = &self.snapshot.tags;
        let format = Format::from_tag(tags.get(tags::FORMAT).map(String::as_str)).unwrap_or(Format::CURRENT);
        let retention = RetentionRules::from_records(format, tags).0.to_wishes();
        let retention: Vec<String> = retention.map(|(key, value)| format!("{key}={value}")).collect();
        if !retention.is_empty() {
            list.push(format!(
                "What the database asked of Snapferry: tag the restored one with {} if Snapferry copies it from here.",
                visible(&retention.join(" "))
            ));
        }
        if !self.is_recorded {
            list.push(
                "Settings that this copy does not record, because an earlier release made it or its database was gone: \
                 deletion protection, log exports, certificate authority, storage autoscaling, monitoring, maintenance \
                 window and whether RDS manages the password."
                    .to_owned(),
            );
        }
        if self.hints.multi_az.is_none() {
            list.push("Whether the database was Multi-AZ: the copy does not record it.".to_owned());
        }
        list.extend(of_kind.iter().map(|&sentence| sentence.to_owned()));
        list
    }
}

/// What is given as a group, unless it is one that AWS makes: those are there without being named, or not at all.
pub(crate) fn custom(group: Option<&str>) -> Option<&str> {
    group.filter(|group| is_custom(group))
}

/// What an operator calls a setting.
fn title(setting: Setting) -> &'static str {
    match setting {
        Setting::DeletionProtection => "deletion protection",
        Setting::Port => "port",
        Setting::Iam => "IAM authentication",
        Setting::ManagedPassword => "management of the master user's password",
        Setting::Storage => "storage type",
        Setting::Iops => "IOPS",
        Setting::Throughput => "storage throughput",
        Setting::License => "licence model",
        Setting::MinCapacity => "minimum capacity",
        Setting::MaxCapacity => "maximum capacity",
        Setting::AutoPause => "seconds until it pauses",
        Setting::Members => "number of instances",
        Setting::MemberParameterGroup => "parameter group of the instances",
        Setting::Logs => "log exports",
        Setting::Ca => "certificate authority",
        Setting::BackupRetention => "backup retention",
        Setting::MaxStorage => "maximum of storage autoscaling",
        Setting::Network => "network type",
        Setting::Cores => "number of cores",
        Setting::Threads => "number of threads per core",
        Setting::LogVolume => "dedicated log volume",
        Setting::InstanceProfile => "instance profile",
        Setting::ExtendedSupport => "choice of Extended Support",
        Setting::CopyTags => "copying of tags to snapshots",
        Setting::Backtrack => "backtrack window",
        Setting::Monitoring => "interval of Enhanced Monitoring",
        Setting::MonitoringRole => "role of Enhanced Monitoring",
        Setting::InsightsMode => "mode of Database Insights",
        Setting::Insights => "retention of Performance Insights",
        Setting::AutoUpgrade => "automatic upgrade of minor versions",
        Setting::BackupWindow => "backup window",
        Setting::MaintenanceWindow => "maintenance window",
        Setting::HttpEndpoint => "Data API",
        Setting::WriteForwarding => "forwarding of writes",
        Setting::Directory => "directory that it was a member of",
        Setting::Roles => "associated roles",
        Setting::ActivityStream => "activity stream",
        Setting::Public => "public address",
    }
}

/// What to do about a setting that no restore can give.
fn remedy(setting: Setting) -> Option<&'static str> {
    Some(match setting {
        Setting::Directory => "directories belong to a region; join one with the option --domain of the modify command",
        Setting::Roles => "add them with add-role-to-db-instance or add-role-to-db-cluster",
        Setting::ActivityStream => "start one with start-activity-stream",
        Setting::Public => "if it has to be public, replace --no-publicly-accessible",
        _ => return None,
    })
}
