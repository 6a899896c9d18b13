//! The databases that drills make: what they are called, how they are marked, and when they have to be gone.
//!
//! Nothing is deleted that has not both the name and the mark. A restored database inherits the tags of the copy, and
//! names are free to take: either alone proves nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::hash::hex_prefix;
use crate::ownership::{Owner, slug};
use crate::tags;
use crate::watch_settings::DrillSettings;

/// Most characters of a drill database's identifier. RDS allows 63; two are left for the end of a member's.
const MAX_IDENTIFIER: usize = 61;

/// How long after its time a drill database counts as overdue: by then a sweep has been at it before.
pub const SWEEP_GRACE: SignedDuration = SignedDuration::from_mins(90);

/// What the names of all drill databases of an owner begin with.
#[must_use]
pub fn prefix(owner: &Owner) -> String {
    format!("{}-drill-", owner.id())
}

/// What the drill database of a copy is called: `<OwnerId>-drill-<8 digits>-<name of the database>`.
///
/// It follows from the owner and the copy alone, so that a step that runs twice asks for the same database. Legal for
/// both kinds: letters, digits and single hyphens, no hyphen at the end.
#[must_use]
pub fn identifier(owner: &Owner, copy_arn: &str, database_id: &str) -> String {
    let hash = hex_prefix(&format!("{}:{copy_arn}", owner.tag()), 8);
    let begin = format!("{}{hash}", prefix(owner));
    let room = MAX_IDENTIFIER - begin.len() - 1;
    match slug(database_id, room).trim_end_matches('-') {
        "" => begin,
        slug => format!("{begin}-{slug}"),
    }
}

/// What the instance of a drill cluster is called.
#[must_use]
pub fn member_identifier(cluster: &str) -> String {
    format!("{cluster}-1")
}

/// The mark of a drill database: the tags that it is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillMark {
    /// Name of the execution that makes it.
    pub run: String,
    /// When it has to be gone.
    pub until: Timestamp,
    /// ARN of the copy.
    pub copy_arn: String,
}

impl DrillMark {
    /// The tags, and those that the operator adds. `snapferry:copy=false` is among them: a stack that copies the other
    /// way would otherwise copy the drill.
    #[must_use]
    pub fn to_tags(&self, owner: &Owner, more: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let ours = [
            (tags::DRILL_OWNER, owner.tag().to_owned()),
            (tags::DRILL_RUN, self.run.clone()),
            (tags::DRILL_UNTIL, self.until.to_string()),
            (tags::RESTORED_FROM, self.copy_arn.clone()),
            (tags::COPY, false.to_string()),
        ];
        let ours = ours.into_iter().map(|(key, value)| (key.to_owned(), value));
        more.clone().into_iter().chain(ours).collect()
    }
}

/// What is known of a database that is named like a drill's.
#[derive(Debug, Clone, Copy)]
pub struct DrillDatabase<'a> {
    /// Its identifier.
    pub id: &'a str,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
    /// When RDS made it. Absent while it is being made.
    pub created_at: Option<Timestamp>,
}

impl DrillDatabase<'_> {
    /// Whether it is named like a drill database of this owner.
    #[must_use]
    pub fn has_name(&self, owner: &Owner) -> bool {
        self.id.starts_with(&prefix(owner))
    }

    /// Whether it is ours: it has the name **and** the mark. A person keeps it by taking the mark off.
    #[must_use]
    pub fn is_ours(&self, owner: &Owner) -> bool {
        self.has_name(owner) && self.tags.get(tags::DRILL_OWNER).is_some_and(|mark| mark == owner.tag())
    }

    /// Name of the execution that made it.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.tags.get(tags::DRILL_RUN).map(String::as_str)
    }

    /// ARN of the copy that it was made of.
    #[must_use]
    pub fn copy_arn(&self) -> Option<&str> {
        self.tags.get(tags::RESTORED_FROM).map(String::as_str)
    }

    /// Whether its time is over: the time of its tag, `hours` after RDS made it, or a day, whichever ends first. A tag
    /// that is missing, that cannot be read, or that names a later time extends nothing.
    #[must_use]
    pub fn is_overdue(&self, hours: u32, now: Timestamp) -> bool {
        let longest = i64::from(hours.min(DrillSettings::MAX_HOURS));
        let by_age = self
            .created_at
            .map(|created| created + SignedDuration::from_hours(longest));
        let tagged = self
            .tags
            .get(tags::DRILL_UNTIL)
            .and_then(|until| until.parse::<Timestamp>().ok());
        // While RDS says nothing of its age, a tag counts if it is one that a drill may have written by now.
        let latest = now + SignedDuration::from_hours(longest);
        let by_tag = tagged.filter(|until| *until <= latest);
        match (by_age, by_tag) {
            (Some(age), Some(tag)) => now > age.min(tag),
            (Some(end), None) | (None, Some(end)) => now > end,
            (None, None) => true,
        }
    }
}

#[cfg(test)]
mod tests;
