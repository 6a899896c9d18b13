//! `DescribeEvents`.

use jiff::{SignedDuration, Timestamp};

use crate::error::ApiError;
use crate::events::Event;
use crate::operations::describe::{filters, page, paged, require};
use crate::operations::write;
use crate::request::Request;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// Its parameters; lists end in a dot.
pub(super) const PARAMETERS: &[&str] = &[
    "SourceIdentifier",
    "SourceType",
    "StartTime",
    "EndTime",
    "Duration",
    "EventCategories.",
    "Filters.",
    "MaxRecords",
    "Marker",
];

/// Minutes of two weeks, for which RDS keeps events.
const MAX_MINUTES: i64 = 14 * 24 * 60;
const USUAL_MINUTES: i64 = 60;

const SOURCE_TYPES: [&str; 11] = [
    "db-instance",
    "db-parameter-group",
    "db-security-group",
    "db-snapshot",
    "db-cluster",
    "db-cluster-snapshot",
    "custom-engine-version",
    "db-proxy",
    "blue-green-deployment",
    "db-shard-group",
    "zero-etl",
];

impl Simulator {
    /// `DescribeEvents`: those of the last hour, unless another time is asked for.
    pub(crate) fn describe_events(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let request = call.request;
        // It has no resource: only `Resource: "*"` allows it.
        require(call, "arn:aws:rds:::*")?;
        filters(request, &[])?;
        let (from, until) = window(request, self.clock)?;
        let source_type = request.get("SourceType");
        if let Some(other) = source_type.filter(|given| !SOURCE_TYPES.contains(given)) {
            return Err(ApiError::invalid_value(format!("Invalid source type: {other}")));
        }
        let source = request.get("SourceIdentifier").map(str::to_ascii_lowercase);
        if source.is_some() && source_type.is_none() {
            return Err(ApiError::invalid_combination(
                "SourceType must be given where SourceIdentifier is.",
            ));
        }
        let categories: Vec<String> = request
            .list("EventCategories", "EventCategory")
            .iter()
            .filter_map(|item| item.get("").map(|category| (*category).to_owned()))
            .collect();
        let region = &*self.region(&request.region);
        let found = region
            .events
            .iter()
            .filter(|event| from <= event.at && event.at <= until)
            .filter(|event| source_type.is_none_or(|wanted| event.source_type == wanted))
            .filter(|event| source.as_ref().is_none_or(|wanted| event.source == *wanted))
            .filter(|event| categories.is_empty() || categories.iter().any(|wanted| wanted == event.category));
        let (page, marker) = page(request, 100, found, |event: &Event| &event.number)?;
        Ok(paged(
            "DescribeEventsResult",
            marker,
            "Events",
            "Event",
            page,
            |xml, event| {
                xml.value("SourceIdentifier", &event.source);
                xml.value("SourceType", event.source_type);
                xml.value("Message", &event.message);
                xml.list("EventCategories", "EventCategory", [event.category], |xml, category| {
                    xml.text(category);
                });
                xml.value("Date", write::time(event.at));
                xml.value("SourceArn", &event.arn);
            },
        ))
    }
}

/// From when to when.
fn window(request: &Request, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let time = |parameter: &str| {
        request
            .get(parameter)
            .map(|text| {
                text.parse::<Timestamp>()
                    .map_err(|_| ApiError::invalid_value(format!("Invalid value {text} for {parameter}.")))
            })
            .transpose()
    };
    let minutes = match request.get("Duration") {
        None => USUAL_MINUTES,
        Some(text) => text
            .parse()
            .ok()
            .filter(|minutes| (1..=MAX_MINUTES).contains(minutes))
            .ok_or_else(|| ApiError::invalid_value(format!("Invalid value {text} for Duration.")))?,
    };
    let until = time("EndTime")?.unwrap_or(now);
    let from = match time("StartTime")? {
        Some(from) => from,
        None => until
            .checked_sub(SignedDuration::from_mins(minutes))
            .unwrap_or(Timestamp::MIN),
    };
    Ok((from, until))
}
