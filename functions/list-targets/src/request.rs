//! The three shapes that an execution's input can have, made one.

use domain::error::Error;
use domain::kind::{DatabaseKind, DatabaseName, NameError};
use domain::payload::Page;
use domain::settings::Settings;
use runtime::input::parse;
use serde::Deserialize;
use serde_json::Value;

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
    /// These.
    Only(Vec<DatabaseName>),
    /// The one that this automated snapshot is of; an RDS event names the snapshot only.
    Snapshot { kind: DatabaseKind, id: String },
}

impl Scope {
    /// The databases that are named, if they are.
    pub(crate) fn names(&self) -> Option<&[DatabaseName]> {
        match self {
            Self::Only(names) => Some(names),
            Self::All | Self::Snapshot { .. } => None,
        }
    }
}

/// What an operator types, and what one page hands to the next.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ByHand {
    #[serde(default)]
    only: Option<Vec<String>>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    page: Option<Page>,
}

/// The fields that we read of an event.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    detail: Detail,
}

/// The fields that we read of an RDS event's detail. It names the snapshot, not the database.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Detail {
    #[serde(rename = "EventID")]
    event_id: Option<String>,
    source_identifier: Option<String>,
}

impl Request {
    /// Reads any of the shapes: a scheduled event, an RDS event, or a hand-made input (`{}` is everything).
    pub(crate) fn read(input: Value, settings: &Settings) -> Result<Self, Error> {
        match &input {
            Value::Object(fields) if fields.contains_key("detail-type") => Self::of_event(parse(input)?, settings),
            Value::Object(_) => Self::by_hand(parse(input)?),
            _ => Err(Error::bad_input(
                "input",
                "is not a JSON object",
                "Start the execution with {} for every database, or {\"only\": [\"orders\"]} for some.",
            )),
        }
    }

    fn by_hand(input: ByHand) -> Result<Self, Error> {
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
            Some(names) => Scope::Only(
                names
                    .iter()
                    .enumerate()
                    .map(|(at, name)| read_name(at, name))
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(Self {
            scope,
            dry_run: input.dry_run,
            page: input.page,
        })
    }

    fn of_event(event: Event, settings: &Settings) -> Result<Self, Error> {
        if let Some(region) = event.region.filter(|region| *region != settings.source_region) {
            return Err(Error::bad_input(
                "region",
                &format!(
                    "the event is of {region}, this stack copies from {}",
                    settings.source_region
                ),
                "Deploy a stack in that region, or send it only events of its own.",
            ));
        }
        let kind = match event.detail_type.as_str() {
            "Scheduled Event" => {
                return Ok(Self {
                    scope: Scope::All,
                    dry_run: false,
                    page: None,
                });
            }
            "RDS DB Snapshot Event" => DatabaseKind::Instance,
            "RDS DB Cluster Snapshot Event" => DatabaseKind::Cluster,
            other => {
                return Err(Error::bad_input(
                    "detail-type",
                    &format!("{other:?} is no event that starts a copy"),
                    "Send \"Scheduled Event\", \"RDS DB Snapshot Event\" or \"RDS DB Cluster Snapshot Event\".",
                ));
            }
        };
        let detail = event.detail;
        let wanted = match kind {
            DatabaseKind::Instance => "RDS-EVENT-0091",
            DatabaseKind::Cluster => "RDS-EVENT-0169",
        };
        // The registry's schema promises an EventID for instance events only, so none at all is let pass: the
        // detail-type and the snapshot itself decide then.
        if let Some(id) = detail.event_id.filter(|id| id != wanted) {
            return Err(Error::bad_input(
                "detail.EventID",
                &format!("{id:?} does not say that an automated {kind} snapshot is ready"),
                &format!("Send {wanted} only."),
            ));
        }
        // Old samples leave `rds:` out of the ARN, but not out of the identifier; we take both.
        let id = detail.source_identifier.unwrap_or_default();
        let id = if id.is_empty() || id.starts_with("rds:") {
            id
        } else {
            format!("rds:{id}")
        };
        if id.is_empty() {
            return Err(Error::bad_input(
                "detail.SourceIdentifier",
                "is missing",
                "An RDS event names its snapshot there, for example rds:orders-2026-11-22-03-10.",
            ));
        }
        Ok(Self {
            scope: Scope::Snapshot { kind, id },
            dry_run: false,
            page: None,
        })
    }
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
