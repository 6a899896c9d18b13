//! The last stretch of work as bars.

use jiff::{SignedDuration, Timestamp};

use crate::facts::history::{EntryOutcome, History, HistoryEntry, MAX_BARS};
use crate::format::{copies, format_duration, format_utc, plural};
use crate::output::audit_page::rows::percent;

/// Nothing that happened is too short to be seen: percent of the timeline.
const MIN_PERCENT: f64 = 0.4;

/// The end of a failed bar, in percent of the timeline.
const FAILED_PERCENT: f64 = 2.5;

/// What the last stretch of work did when.
pub(super) struct Timeline<'a> {
    pub(super) count: String,
    pub(super) begins: String,
    pub(super) ends: String,
    pub(super) rows: Vec<TimelineRow<'a>>,
}

/// A row of the timeline.
pub(super) struct TimelineRow<'a> {
    pub(super) name: String,
    pub(super) link: &'a str,
    pub(super) bars: Vec<Bar>,
    pub(super) value: String,
    pub(super) class: &'static str,
}

/// A part of a bar: where it begins and how long it is, in percent.
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) from: f64,
    pub(super) width: f64,
}

impl Bar {
    /// A part that can be seen and does not go beyond its row.
    fn new(class: &'static str, from: f64, width: f64) -> Self {
        let from = from.clamp(0.0, 100.0 - MIN_PERCENT);
        Self {
            class,
            from,
            width: width.min(100.0 - from),
        }
    }
}

pub(super) fn timeline(history: &History) -> Option<Timeline<'_>> {
    let shown = history.timeline();
    let end = |entry: &HistoryEntry| entry.ended_at.unwrap_or(history.now);
    let begins = shown.iter().map(|entry| entry.started_at).min()?;
    let ends = shown.iter().map(|entry| end(entry)).max()?;
    let mut rows: Vec<_> = shown
        .iter()
        .map(|entry| {
            (
                entry.outcome != EntryOutcome::Failed,
                timeline_row(entry, end(entry), begins, ends),
            )
        })
        .collect();
    // What failed comes first, as everywhere on the page (N50).
    rows.sort_by_key(|(is_fine, _)| *is_fine);
    let count = match &history.stack {
        Some(_) => plural(shown.len(), "execution", "executions"),
        None => copies(shown.len()),
    };
    Some(Timeline {
        count: if history.is_timeline_cut() {
            format!("the last {MAX_BARS} executions that copied or failed")
        } else {
            format!("{count} that copied or failed")
        },
        begins: format_utc(begins),
        ends: format!(
            "{} after {}",
            format_utc(ends),
            format_duration(ends.duration_since(begins))
        ),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    })
}

fn timeline_row(entry: &HistoryEntry, end: Timestamp, begins: Timestamp, ends: Timestamp) -> TimelineRow<'_> {
    let whole = milliseconds(ends.duration_since(begins));
    let mut bars: Vec<Bar> = spans(entry, end)
        .into_iter()
        .map(|(class, from, to)| {
            let start = percent(milliseconds(from.duration_since(begins)), whole);
            let width = percent(milliseconds(to.duration_since(from)), whole);
            Bar::new(class, start, width.max(MIN_PERCENT))
        })
        .collect();
    if entry.outcome == EntryOutcome::Failed {
        // Hatched, so that it is no other colour alone, and at the end: what came before is seen (N49).
        let at = percent(milliseconds(end.duration_since(begins)), whole);
        bars.push(Bar::new("failed", (at - FAILED_PERCENT).max(0.0), FAILED_PERCENT));
    }
    let took = format_duration(end.duration_since(entry.started_at));
    let (value, class) = match (entry.outcome, entry.percent) {
        (EntryOutcome::COPIED, _) => (took, ""),
        (EntryOutcome::COPIED_NOT_PRUNED, _) => (format!("{took}, not pruned"), "soon"),
        (EntryOutcome::Running, _) => (format!("{took}, running"), "soon"),
        (EntryOutcome::Failed, Some(percent)) => (format!("{} at {percent} %", entry.ended()), "bad"),
        _ => (entry.ended(), "bad"),
    };
    TimelineRow {
        name: entry.name(),
        link: &entry.link,
        bars,
        value,
        class,
    }
}

/// What an execution did from when to when.
fn spans(entry: &HistoryEntry, end: Timestamp) -> Vec<(&'static str, Timestamp, Timestamp)> {
    let copying = entry.requested_at.unwrap_or(end).clamp(entry.started_at, end);
    let verified = entry.verified_at.unwrap_or(end).clamp(copying, end);
    let verifying = entry.phases.verifying.unwrap_or(verified).clamp(copying, end);
    let pruning = entry.phases.pruning.unwrap_or(verified).clamp(verifying, end);
    let all = [
        ("queued", entry.started_at, copying),
        ("copying", copying, verifying),
        ("verifying", verifying, pruning),
        ("pruning", pruning, end),
    ];
    all.into_iter().filter(|(_, from, to)| from < to).collect()
}

fn milliseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
