//! Which snapshots are ours, and what our copies are called.

use crate::hash::hex_prefix;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::tags;

/// Most copies of one snapshot that may fail before we stop trying.
pub const MAX_ATTEMPTS: u32 = 3;

/// Who we are: the stack whose copies these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    id: String,
    tag: String,
}

impl Owner {
    /// The owner that the stack is configured as.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        Self::new(&settings.source_region, &settings.owner_id)
    }

    /// The owner of this id whose databases are in `source_region`.
    #[must_use]
    pub fn new(source_region: &str, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            tag: format!("{source_region}/{id}"),
        }
    }

    /// The owner that a copy is tagged with, well-formed or not: a claim, which [`Owner::owns`] checks.
    #[must_use]
    pub fn claimed_by(snapshot: &Snapshot) -> Option<Self> {
        let (source_region, id) = snapshot.tags.get(tags::OWNER)?.split_once('/')?;
        Some(Self::new(source_region, id))
    }

    /// The stack's `OwnerId`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Region of the databases.
    #[must_use]
    pub fn source_region(&self) -> &str {
        self.tag.split('/').next().unwrap_or_default()
    }

    /// The value of the owner tag: `<source region>/<OwnerId>`.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Whether a snapshot of this identifier is named like ours.
    #[must_use]
    pub fn is_copy_name(&self, snapshot_id: &str) -> bool {
        snapshot_id
            .strip_prefix(self.id.as_str())
            .is_some_and(|rest| rest.starts_with('-'))
    }

    /// Whether `snapshot` is ours: by name **and** by tag.
    #[must_use]
    pub fn owns(&self, snapshot: &Snapshot) -> bool {
        self.is_copy_name(&snapshot.id)
            && snapshot.snapshot_type == "manual"
            && snapshot.tags.get(tags::OWNER) == Some(&self.tag)
    }

    /// What the copy of `source_arn` under `key` is called: `<OwnerId>-<snapshot's name>-<hash>`.
    ///
    /// A pure function, so that a step that runs twice asks for the same copy. Legal for both kinds: at most 63
    /// characters, lower-case letters, digits and single hyphens, no hyphen at the end.
    #[must_use]
    pub fn copy_id(&self, source_arn: &str, key: Option<&str>, attempt: u32) -> String {
        const MAX_LENGTH: usize = 63;
        const HASH: usize = 12;
        let key = key.unwrap_or(tags::NO_KEY);
        let hash = hex_prefix(&format!("{source_arn}\n{key}\n{attempt}"), HASH);

        // `arn:<partition>:rds:<region>:<account>:snapshot:<name>`, and the name has colons of its own.
        let name = source_arn.splitn(7, ':').last().unwrap_or_default();
        let name = name.strip_prefix("rds:").unwrap_or(name);
        let room = MAX_LENGTH - self.id.len() - HASH - 2;
        let mut slug = String::with_capacity(room);
        for character in name.chars().map(|character| character.to_ascii_lowercase()) {
            if slug.len() == room {
                break;
            }
            if character.is_ascii_lowercase() || character.is_ascii_digit() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        match slug.trim_end_matches('-') {
            "" => format!("{}-{hash}", self.id),
            slug => format!("{}-{slug}-{hash}", self.id),
        }
    }
}

#[cfg(test)]
mod tests;
