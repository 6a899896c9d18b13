//! What our copies are called, and whose a snapshot claims to be.
//!
//! A copy's name seals what its tags say of it: see [`crate::copy_tags::OwnCopy::read`], which believes no tag that the
//! name does not confirm. Tags travel, to restored databases and on to their snapshots; names do not.

use jiff::Timestamp;

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

    /// The owner that a snapshot is tagged with, well-formed or not: a claim, which
    /// [`crate::copy_tags::OwnCopy::read`] checks.
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

    /// What a copy is called: `<OwnerId>-<snapshot's name>-<hash>`.
    ///
    /// A pure function, so that a step that runs twice asks for the same copy. Legal for both kinds: at most 63
    /// characters, lower-case letters, digits and single hyphens, no hyphen at the end.
    #[must_use]
    pub fn copy_id(&self, identity: &CopyIdentity<'_>) -> String {
        const MAX_LENGTH: usize = 63;
        const HASH: usize = 12;
        let hash = hex_prefix(&identity.sealed(), HASH);

        // `arn:<partition>:rds:<region>:<account>:snapshot:<name>`, and the name has colons of its own.
        let name = identity.source_arn.splitn(7, ':').last().unwrap_or_default();
        let name = name.strip_prefix("rds:").unwrap_or(name);
        let room = MAX_LENGTH - self.id.len() - HASH - 2;
        match slug(name, room).trim_end_matches('-') {
            "" => format!("{}-{hash}", self.id),
            slug => format!("{}-{slug}-{hash}", self.id),
        }
    }
}

/// As much of a name as fits into `room` characters of an identifier: lower-case letters, digits and single hyphens, none
/// of them at the beginning.
pub(crate) fn slug(name: &str, room: usize) -> String {
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
    slug
}

/// How a copy is named and tagged. Copies outlive releases, so every version is read for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The name seals the snapshot's ARN, the key and the attempt. Two snapshots that follow each other under one ARN have
    /// the same name.
    V1,
    /// The name seals the snapshot's creation time and the database's resource id as well.
    V2,
}

impl Format {
    /// The version that new copies have.
    pub const CURRENT: Self = Self::V2;

    /// Reads the tag `snapferry:format`; nothing for a version of a later release, whose names we cannot make.
    #[must_use]
    pub fn from_tag(tag: Option<&str>) -> Option<Self> {
        match tag {
            None => Some(Self::V1),
            Some("2") => Some(Self::V2),
            Some(_) => None,
        }
    }

    /// What the tag says.
    #[must_use]
    pub fn tag(self) -> Option<&'static str> {
        match self {
            Self::V1 => None,
            Self::V2 => Some("2"),
        }
    }
}

/// Everything that tells one copy from another. A snapshot is its ARN and its creation time, because identifiers are
/// used again; a database is its resource id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyIdentity<'a> {
    /// By which rules it is named.
    pub format: Format,
    /// ARN of the snapshot that is copied.
    pub source_arn: &'a str,
    /// When that snapshot's data was captured.
    pub source_created: Timestamp,
    /// Resource id of the database.
    pub source_resource_id: &'a str,
    /// ARN of the key asked for; none for an unencrypted cluster.
    pub kms_key_arn: Option<&'a str>,
    /// How many copies of the same snapshot failed before.
    pub attempt: u32,
}

impl CopyIdentity<'_> {
    /// The text whose hash ends the name.
    fn sealed(&self) -> String {
        let Self {
            source_arn, attempt, ..
        } = self;
        let key = self.kms_key_arn.unwrap_or(tags::NO_KEY);
        match self.format {
            Format::V1 => format!("{source_arn}\n{key}\n{attempt}"),
            Format::V2 => format!(
                "2\n{source_arn}\n{}\n{}\n{key}\n{attempt}",
                self.source_created, self.source_resource_id
            ),
        }
    }
}

#[cfg(test)]
mod tests;
