//! What an execution is asked to do, from whatever started it.
//!
//! All shapes are made one here: [`crate::envelope`] takes an input out of what carried it, [`crate::event`] reads events,
//! and this file what people type and what one page hands to the next.

use std::collections::BTreeSet;

use domain::by_hand::fields;
use domain::error::Error;
use domain::kind::{DatabaseName, NameError};
use domain::payload::Page;
use domain::settings::Settings;
use runtime::input::parse_by_hand;
use serde::Deserialize;
use serde_json::Value;

use crate::envelope;
use crate::event::{self, Events, Heard};

/// Most databases that an input may name: more would not fit into a state beside the targets themselves.
pub(crate) const MAX_NAMES: usize = 500;

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) scope: Scope,
    pub(crate) dry_run: bool,
    /// Absent on the first page.
    pub(crate) page: Option<Page>,
}

/// Which databases are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every database.
    All,
    /// These, as they are written: one may be named twice.
    Only(Vec<DatabaseName>),
    /// Those of the snapshots that events name.
    Events(Events),
}

impl Scope {
    /// The databases that are named, if they are.
    pub(crate) fn names(&self) -> Option<&[DatabaseName]> {
        match self {
            Self::Only(names) => Some(names),
            Self::All | Self::Events(_) => None,
        }
    }
}

/// What an operator types, and what one page hands to the next.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByHand {
    #[serde(default)]
    only: Option<Vec<String>>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    page: Option<Page>,
}

impl Request {
    /// Reads any of the shapes: `{}` and schedules are everything.
    pub(crate) fn read(input: Value, settings: &Settings) -> Result<Self, Error> {
        let found = envelope::open(input)?;
        if let [only] = &found[..]
            && !event::is_event(&only.value)
        {
            return Self::by_hand(only.value.clone());
        }
        if let Some(other) = found.iter().find(|inner| !event::is_event(&inner.value)) {
            return Err(Error::bad_input(
                &other.at,
                "is not an event, and only events may come together",
                "Start one execution with each input.",
            ));
        }
        let mut events = Events::default();
        for inner in found {
            match event::read(inner, settings)? {
                Heard::Everything => return Ok(Self::for_scope(Scope::All)),
                Heard::Snapshot(snapshot) => events.snapshots.push(snapshot),
                Heard::Nothing(sentence) => events.nothing.push(sentence),
            }
        }
        Ok(Self::for_scope(Scope::Events(events)))
    }

    /// What no one but an event asks for.
    fn for_scope(scope: Scope) -> Self {
        Self {
            scope,
            dry_run: false,
            page: None,
        }
    }

    fn by_hand(mut input: Value) -> Result<Self, Error> {
        if let Value::Object(fields) = &mut input {
            fields.retain(|name, _| !is_of_scheduler(name));
            // Between the functions it is for the log; a person who types it means something by it.
            if fields.contains_key("log") {
                return Err(Error::bad_input(
                    "log",
                    "unknown field `log`, expected one of `only`, `dryRun`, `page`",
                    "Correct the field and start the execution again.",
                ));
            }
        }
        let objects = [("", fields::<ByHand>()), ("page", fields::<Page>())];
        let input: ByHand = parse_by_hand(input, "/page/release", &objects)?;
        if let Some(page) = &input.page
            && (page.cursor.is_empty() || page.root.is_empty() || page.number < 2)
        {
            return Err(Error::bad_input(
                "page",
                "is not what a run hands to its next page",
                "Leave page out: a run starts its further pages itself.",
            ));
        }
        let scope = match input.only {
            None => Scope::All,
            Some(names) if names.is_empty() => {
                return Err(Error::bad_input(
                    "only",
                    "is empty",
                    "Name at least one database, or leave only out to copy every database.",
                ));
            }
            Some(names) => Scope::Only(read_names(&names)?),
        };
        Ok(Self {
            scope,
            dry_run: input.dry_run,
            page: input.page,
        })
    }
}

/// Whether a field has one of the names that EventBridge Scheduler's context attributes have in AWS's own samples:
/// `ExecutionId`, `ScheduledTime`, `ScheduleArn`, `AttemptNumber`, in any spelling. They say when a schedule fired, and
/// select nothing (EventBridge Scheduler user guide, Adding context attributes).
fn is_of_scheduler(field: &str) -> bool {
    let letters: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = letters.to_ascii_lowercase();
    let name = name.strip_prefix("awsscheduler").unwrap_or(&name);
    matches!(name, "executionid" | "scheduledtime" | "schedulearn" | "attemptnumber")
}

/// The names, in their places.
fn read_names(texts: &[String]) -> Result<Vec<DatabaseName>, Error> {
    let names = texts.iter().enumerate().map(|(at, text)| read_name(at, text));
    let names: Vec<DatabaseName> = names.collect::<Result<_, Error>>()?;
    let different = names.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len();
    if different > MAX_NAMES {
        return Err(Error::bad_input(
            "only",
            &format!("names {different} databases, and {MAX_NAMES} is the most"),
            "Start several runs with fewer names each, or leave only out to copy every database.",
        ));
    }
    Ok(names)
}

fn read_name(at: usize, text: &str) -> Result<DatabaseName, Error> {
    text.parse().map_err(|error: NameError| {
        Error::bad_input(
            &format!("only[{at}]"),
            &error.to_string(),
            "Write a database's identifier as the RDS console shows it, instance:<identifier> or cluster:<identifier>.",
        )
    })
}

#[cfg(test)]
mod tests;
