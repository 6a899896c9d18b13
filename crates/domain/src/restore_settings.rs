//! The settings of a database that a restore has to give again, because RDS does not: what they are called on copies,
//! and how they fit into two tags.
//!
//! Copies outlive releases: the names of settings never change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{EnumIter, EnumString, IntoEnumIterator, IntoStaticStr};

use crate::tags;

/// Longest value that a tag may have, in characters (RDS API reference, `Tag`).
const MAX_VALUE_CHARACTERS: usize = 256;
/// How the number of settings that did not fit is written: with three digits, so that its room is known beforehand.
const OMITTED: &str = "omitted";
const OMITTED_ROOM: usize = " omitted=000".len();

/// A setting, in the order of importance: where there is no room for all, the last ones give way.
///
/// Those with a value that RDS gives anyhow are not recorded, but for [`Setting::DeletionProtection`], which says by
/// being there that the settings were known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Setting {
    /// Whether it can be deleted: `true` or `false`.
    DeletionProtection,
    /// The port that it listens on.
    Port,
    /// `true` if users can sign in by IAM.
    Iam,
    /// `true` if RDS keeps the master user's password in Secrets Manager, of the lost region.
    ManagedPassword,
    /// Storage type: `gp3`, `io1`, `aurora-iopt1`, ...
    Storage,
    /// Provisioned IOPS.
    Iops,
    /// Storage throughput in MiB/s.
    Throughput,
    /// Licence model.
    License,
    /// Least capacity of serverless instances.
    MinCapacity,
    /// Highest capacity of serverless instances.
    MaxCapacity,
    /// Seconds until idle serverless instances pause.
    AutoPause,
    /// Number of instances in the cluster.
    Members,
    /// Parameter group of the instances of a cluster.
    MemberParameterGroup,
    /// The logs that go to CloudWatch, joined by `+`.
    Logs,
    /// Certificate authority of the server certificate.
    Ca,
    /// Days that automated backups are kept.
    BackupRetention,
    /// Most storage that it may grow to, in GiB.
    MaxStorage,
    /// `DUAL` for IPv4 and IPv6.
    Network,
    /// Number of processor cores.
    Cores,
    /// Threads on each core.
    Threads,
    /// `true` for a dedicated log volume.
    LogVolume,
    /// IAM instance profile of RDS Custom.
    InstanceProfile,
    /// `false` if it is kept out of Extended Support.
    ExtendedSupport,
    /// `true` if its tags go to its snapshots.
    CopyTags,
    /// Seconds that the cluster can be rewound.
    Backtrack,
    /// Seconds between values of Enhanced Monitoring.
    Monitoring,
    /// ARN of the role of Enhanced Monitoring.
    MonitoringRole,
    /// `advanced`, if Database Insights is.
    InsightsMode,
    /// Days that Performance Insights keeps its data.
    Insights,
    /// `false` if minor versions are not installed automatically.
    AutoUpgrade,
    /// When backups are taken.
    BackupWindow,
    /// When RDS may restart it.
    MaintenanceWindow,
    /// `true` if the Data API answers for it.
    HttpEndpoint,
    /// `true` if readers pass writes on.
    WriteForwarding,
    /// The directory that it is a member of.
    Directory,
    /// What its associated roles are for, joined by `+`.
    Roles,
    /// `true` if its activity goes to a stream.
    ActivityStream,
    /// `true` if it has a public address.
    Public,
}

impl Setting {
    /// Its name on copies.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The settings that are known, each with its value. In a payload those that another release knows are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct RestoreSettings(BTreeMap<Setting, String>);

impl From<BTreeMap<String, String>> for RestoreSettings {
    fn from(named: BTreeMap<String, String>) -> Self {
        let settings = named.into_iter();
        Self(
            settings
                .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
                .collect(),
        )
    }
}

impl From<RestoreSettings> for BTreeMap<String, String> {
    fn from(RestoreSettings(settings): RestoreSettings) -> Self {
        let settings = settings.into_iter();
        settings
            .map(|(setting, value)| (setting.name().to_owned(), value))
            .collect()
    }
}

/// What the tags of a copy say of the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedSettings {
    /// Those that this release knows.
    pub settings: RestoreSettings,
    /// What this release cannot read, as it stands there.
    pub unread: Vec<String>,
    /// Number of settings for which there was no room.
    pub omitted: usize,
}

impl RestoreSettings {
    /// Remembers a value; none, or an empty one, is unknown.
    pub fn set(&mut self, setting: Setting, value: Option<impl ToString>) {
        let value = value.map(|value| value.to_string()).filter(|value| !value.is_empty());
        if let Some(value) = value {
            self.0.insert(setting, value);
        }
    }

    /// The same, in passing.
    #[must_use]
    pub fn with(mut self, setting: Setting, value: Option<impl ToString>) -> Self {
        self.set(setting, value);
        self
    }

    /// The value of a setting, if it is known.
    #[must_use]
    pub fn get(&self, setting: Setting) -> Option<&str> {
        self.0.get(&setting).map(String::as_str)
    }

    /// Takes a setting out, so that what is left in the end is what nobody has asked for.
    pub fn take(&mut self, setting: Setting) -> Option<String> {
        self.0.remove(&setting)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Setting, &str)> {
        self.0.iter().map(|(setting, value)| (*setting, value.as_str()))
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, and of the others what these do not know.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (setting, value) in others.0 {
            self.0.entry(setting).or_insert(value);
        }
        self
    }

    /// These without those that `others` know.
    #[must_use]
    pub fn without(mut self, others: &Self) -> Self {
        self.0.retain(|setting, _| !others.0.contains_key(setting));
        self
    }

    /// Forgets those that `keep` refuses.
    pub fn retain(&mut self, mut keep: impl FnMut(Setting, &str) -> bool) {
        self.0.retain(|setting, value| keep(*setting, value));
    }

    /// As tags: at most two, whatever there is. A setting is written as a whole or not at all.
    #[must_use]
    pub fn to_tags(&self) -> Vec<(&'static str, String)> {
        let mut values = [(tags::SETTINGS, String::new()), (tags::MORE_SETTINGS, String::new())];
        let rooms = [MAX_VALUE_CHARACTERS, MAX_VALUE_CHARACTERS - OMITTED_ROOM];
        let mut omitted = 0;
        for (setting, value) in self.iter() {
            let word = format!("{}={value}", setting.name());
            let place = values.iter_mut().zip(rooms).find(|((_, text), room)| {
                let space = usize::from(!text.is_empty());
                text.len() + space + word.len() <= *room
            });
            match place {
                Some(((_, text), _)) if is_legal(value) => append(text, &word),
                _ => omitted += 1,
            }
        }
        if omitted > 0 {
            append(&mut values[1].1, &format!("{OMITTED}={omitted}"));
        }
        values.into_iter().filter(|(_, text)| !text.is_empty()).collect()
    }

    /// Reads them from the tags of a copy, of this release or any other.
    #[must_use]
    pub fn read(found: &BTreeMap<String, String>) -> RecordedSettings {
        let mut recorded = RecordedSettings::default();
        let texts = [tags::SETTINGS, tags::MORE_SETTINGS]
            .into_iter()
            .filter_map(|key| found.get(key));
        for word in texts.flat_map(|text| text.split_whitespace()) {
            let Some((name, value)) = word.split_once('=').filter(|(_, value)| !value.is_empty()) else {
                recorded.unread.push(word.to_owned());
                continue;
            };
            match (name.parse::<Setting>(), value.parse()) {
                (Ok(setting), _) => recorded.settings.set(setting, Some(value)),
                (Err(_), Ok(omitted)) if name == OMITTED => recorded.omitted = omitted,
                _ => recorded.unread.push(word.to_owned()),
            }
        }
        recorded
    }

    /// Every setting that there is.
    pub fn all() -> impl Iterator<Item = Setting> {
        Setting::iter()
    }
}

fn append(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

/// Whether a value is made of what a tag may hold, without the space that separates settings.
fn is_legal(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&byte))
}

#[cfg(test)]
mod tests;
