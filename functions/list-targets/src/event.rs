//! Events: what RDS, EventBridge and SNS say, in each of the shapes in which they say it.
//!
//! The shapes: EventBridge user guide (rules; schedules), EventBridge Scheduler user guide, Lambda developer guide (Using
//! AWS Lambda with Amazon RDS), RDS user guide (RDS event categories and messages).

use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::settings::Settings;
use runtime::input::parse;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::envelope::Inner;

/// What the events of an execution ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Events {
    /// The snapshots that are ready: those of their databases are copied.
    pub(crate) snapshots: Vec<EventSnapshot>,
    /// Sentences about events that ask for nothing.
    pub(crate) nothing: Vec<String>,
}

/// A snapshot that an event names. The event does not name the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventSnapshot {
    pub(crate) kind: DatabaseKind,
    pub(crate) id: String,
    /// `automated` or `manual`: RDS wants it to be named for automated ones.
    pub(crate) snapshot_type: &'static str,
}

/// What one event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A whole run.
    Everything,
    /// A copy of this snapshot.
    Snapshot(EventSnapshot),
    /// Nothing, and why.
    Nothing(String),
}

/// Whether it is an event, and not what a person typed.
pub(crate) fn is_event(value: &Value) -> bool {
    value.is_string() || value.get("detail-type").is_some() || value.get("Event Source").is_some()
}

/// Reads an event, in any shape.
pub(crate) fn read(inner: Inner, settings: &Settings) -> Result<Heard, Error> {
    let Inner { at, value } = inner;
    if value.is_string() {
        return Ok(Heard::Nothing(format!("{at} is a text, and not an event of RDS")));
    }
    if value.get("Event Source").is_some() {
        of_subscription(parse_at(value, &at)?, &at, settings)
    } else {
        of_event_bridge(parse_at(value, &at)?, &at, settings)
    }
}

/// The fields that we read of an event of EventBridge.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    resources: Vec<Value>,
    #[serde(default)]
    detail: Value,
}

/// The fields that we read of an RDS event's detail. It names the snapshot, not the database.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Detail {
    #[serde(rename = "EventID")]
    event_id: Option<String>,
    source_identifier: Option<String>,
    source_arn: Option<String>,
}

/// The fields that we read of what an RDS event subscription publishes.
#[derive(Debug, Deserialize)]
struct Notification {
    #[serde(rename = "Event Source")]
    event_source: String,
    #[serde(rename = "Event ID", default)]
    event_id: Option<String>,
    #[serde(rename = "Source ID", default)]
    source_id: Option<String>,
    #[serde(rename = "Source ARN", default)]
    source_arn: Option<String>,
    #[serde(rename = "Identifier Link", default)]
    identifier_link: Option<String>,
}

/// What an event says of a snapshot, whatever its shape, and what it calls the fields.
struct Report {
    kind: DatabaseKind,
    region: Option<String>,
    event_id: Option<String>,
    snapshot: Option<String>,
    region_field: String,
    event_field: String,
    snapshot_field: String,
    /// Whether who sends the events can choose among them by id. A rule of EventBridge can, an event subscription of RDS
    /// knows categories only.
    can_be_chosen: bool,
}

fn of_event_bridge(event: Event, at: &str, settings: &Settings) -> Result<Heard, Error> {
    let kind = match event.detail_type.as_str() {
        "Scheduled Event" => None,
        "RDS DB Snapshot Event" => Some(DatabaseKind::Instance),
        "RDS DB Cluster Snapshot Event" => Some(DatabaseKind::Cluster),
        other => {
            return Err(Error::bad_input(
                &path(at, "detail-type"),
                &format!("{other:?} is not an event that starts a copy"),
                "Send \"Scheduled Event\", \"RDS DB Snapshot Event\" or \"RDS DB Cluster Snapshot Event\".",
            ));
        }
    };
    let Some(kind) = kind else {
        is_of_our_region(event.region.as_deref(), &path(at, "region"), settings)?;
        return Ok(Heard::Everything);
    };
    let detail = detail(event.detail, &path(at, "detail"))?;
    let resource = event.resources.first().and_then(Value::as_str).map(str::to_owned);
    let arn = text(detail.source_arn).or_else(|| text(resource));
    Report {
        kind,
        region: text(event.region),
        event_id: text(detail.event_id),
        snapshot: text(detail.source_identifier).or_else(|| arn.as_deref().and_then(resource_of)),
        region_field: path(at, "region"),
        event_field: path(at, "detail.EventID"),
        snapshot_field: path(at, "detail.SourceIdentifier"),
        can_be_chosen: true,
    }
    .judge(settings)
}

/// EventBridge Scheduler writes the detail as a text (`"detail": "{}"`), rules as an object.
fn detail(detail: Value, at: &str) -> Result<Detail, Error> {
    match detail {
        Value::Null => Ok(Detail::default()),
        Value::String(text) => parse_at(serde_json::from_str(&text).unwrap_or(Value::String(text)), at),
        detail => parse_at(detail, at),
    }
}

/// Reads what stands at a path, which the message of a refusal begins with.
fn parse_at<T: DeserializeOwned>(value: Value, at: &str) -> Result<T, Error> {
    parse(value).map_err(|error| match error {
        Error::BadInput { field, problem, remedy } => {
            let field = match (at, field.as_str()) {
                ("", _) => field,
                (_, "input") => at.to_owned(),
                _ => path(at, &field),
            };
            Error::bad_input(&field, &problem, &remedy)
        }
        other => other,
    })
}

fn of_subscription(said: Notification, at: &str, settings: &Settings) -> Result<Heard, Error> {
    let kind = match said.event_source.as_str() {
        "db-snapshot" => DatabaseKind::Instance,
        "db-cluster-snapshot" => DatabaseKind::Cluster,
        other => {
            return Ok(Heard::Nothing(format!(
                "an event of {other:?} does not say that a snapshot is ready: nothing is copied for it"
            )));
        }
    };
    let arn = text(said.source_arn);
    Report {
        kind,
        region: arn.as_deref().and_then(|arn| arn.split(':').nth(3)).map(str::to_owned),
        // "http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.html#RDS-EVENT-0091"
        event_id: text(said.event_id).map(|id| id.rsplit('#').next().unwrap_or_default().to_owned()),
        snapshot: text(said.source_id)
            .or_else(|| arn.as_deref().and_then(resource_of))
            .or_else(|| text(said.identifier_link).as_deref().and_then(source_of_link)),
        region_field: path(at, "Source ARN"),
        event_field: path(at, "Event ID"),
        snapshot_field: path(at, "Source ID"),
        can_be_chosen: false,
    }
    .judge(settings)
}

impl Report {
    fn judge(self, settings: &Settings) -> Result<Heard, Error> {
        let kind = self.kind;
        is_of_our_region(self.region.as_deref(), &self.region_field, settings)?;
        let id = self.snapshot.unwrap_or_default();
        // Old samples leave `rds:` out of the ARN, but not out of the identifier; we take both.
        let bare = id.strip_prefix("rds:").unwrap_or(&id);
        if bare.starts_with("awsbackup:") {
            return Ok(Heard::Nothing(format!(
                "{bare} is a snapshot of AWS Backup, which alone may copy it: nothing is copied for this event"
            )));
        }
        let (automated, manual) = match kind {
            DatabaseKind::Instance => ("RDS-EVENT-0091", "RDS-EVENT-0042"),
            DatabaseKind::Cluster => ("RDS-EVENT-0169", "RDS-EVENT-0075"),
        };
        // The registry's schema promises an EventID for instance events only, so none at all is let pass: what kind of
        // event it is and the snapshot itself decide then.
        let snapshot_type = match self.event_id.as_deref() {
            None => "automated",
            Some(event_id) if event_id == automated => "automated",
            Some(event_id) if event_id == manual && settings.include_manual_snapshots => "manual",
            Some(other) if self.can_be_chosen => {
                return Err(Error::bad_input(
                    &self.event_field,
                    &format!("{other:?} does not say that an automated {kind} snapshot is ready"),
                    &format!("Send {automated} only."),
                ));
            }
            Some(other) => {
                return Ok(Heard::Nothing(format!(
                    "{other:?} does not say that an automated {kind} snapshot is ready: nothing is copied for it"
                )));
            }
        };
        if bare.is_empty() {
            return Err(Error::bad_input(
                &self.snapshot_field,
                "is missing",
                "An RDS event names its snapshot there, for example rds:orders-2026-11-22-03-10.",
            ));
        }
        let id = match snapshot_type {
            "automated" => format!("rds:{bare}"),
            _ => id,
        };
        Ok(Heard::Snapshot(EventSnapshot {
            kind,
            id,
            snapshot_type,
        }))
    }
}

fn is_of_our_region(region: Option<&str>, field: &str, settings: &Settings) -> Result<(), Error> {
    match region {
        Some(region) if region != settings.source_region => Err(Error::bad_input(
            field,
            &format!(
                "the event is of {region}, this stack copies from {}",
                settings.source_region
            ),
            "Deploy a stack in that region, or send it only events of its own.",
        )),
        _ => Ok(()),
    }
}

/// What an ARN is of: `arn:<partition>:rds:<region>:<account>:<type>:<identifier>`, and identifiers have colons.
fn resource_of(arn: &str) -> Option<String> {
    arn.splitn(7, ':').nth(6).map(str::to_owned)
}

/// Old notifications name the source in a second line of the link: `https://console...\nSourceId: rds:orders-1`.
fn source_of_link(link: &str) -> Option<String> {
    let id = link.lines().find_map(|line| line.trim().strip_prefix("SourceId:"))?;
    Some(id.trim().to_owned())
}

fn text(given: Option<String>) -> Option<String> {
    given.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn path(at: &str, field: &str) -> String {
    if at.is_empty() {
        field.to_owned()
    } else {
        format!("{at}.{field}")
    }
}
