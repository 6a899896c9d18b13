//! The audit as a page: one file, no scripts, no network. Its text is in `templates/audit_page.html`, in the folder that
//! askama reads by default; here are the lengths of its bars.
//!
//! The charts are lists whose texts say what the bars show, so that they read on any screen and aloud.

use askama::Template;
use jiff::{SignedDuration, Timestamp};

use crate::error::CliError;
use crate::facts::freshness::{DatabaseFreshness, Freshness, FreshnessCounts};
use crate::facts::history::{EntryOutcome, History, HistoryEntry};
use crate::format::{copies, database_name, format_duration, format_utc, plural};

/// Ages beyond this many objectives are drawn alike, or one of them would hide the differences of all others.
const MAX_OBJECTIVES: i64 = 3;

/// Nothing that happened is too short to be seen: percent of the timeline.
const MIN_PERCENT: f64 = 0.4;

/// The page. Nothing that a tag or a message says becomes markup: the template escapes what it shows.
#[derive(Template)]
#[template(path = "audit_page.html")]
struct AuditPage<'a> {
    history: &'a History,
    version: &'static str,
    objective: String,
    living: usize,
    missed: usize,
    /// The age that the longest bars stand for.
    longest: String,
    ages: Vec<ChartRow<'a>>,
    timeline: Option<Timeline<'a>>,
    counted: String,
}

impl AuditPage<'_> {
    fn utc(time: &Timestamp) -> String {
        format_utc(*time)
    }

    fn duration(duration: &SignedDuration) -> String {
        format_duration(*duration)
    }

    fn outcome_class(outcome: EntryOutcome) -> &'static str {
        match outcome {
            EntryOutcome::COPIED => "good",
            EntryOutcome::COPIED_NOT_PRUNED | EntryOutcome::NOT_READY | EntryOutcome::Running => "soon",
            EntryOutcome::Failed => "bad",
            EntryOutcome::Ended(_) => "faint",
        }
    }
}

/// What the last stretch of work did when.
struct Timeline<'a> {
    count: String,
    begins: Timestamp,
    ends: Timestamp,
    rows: Vec<ChartRow<'a>>,
}

/// A row of a chart.
struct ChartRow<'a> {
    name: String,
    link: Option<&'a str>,
    bars: Vec<Bar>,
    value: String,
    class: &'static str,
}

/// A part of a bar: where it begins and how long it is, in percent.
struct Bar {
    class: &'static str,
    from: f64,
    width: f64,
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

/// The page as HTML.
pub(crate) fn audit_page(history: &History) -> Result<String, CliError> {
    let limit = history.objective().as_secs();
    let oldest = history
        .databases
        .iter()
        .filter_map(|database| database.age_seconds)
        .max();
    let scale = oldest
        .unwrap_or_default()
        .min(limit * MAX_OBJECTIVES)
        .max(limit * 5 / 4);
    let FreshnessCounts {
        due: living, missed, ..
    } = FreshnessCounts::new(&history.databases);
    let ages = history.databases.iter().map(|database| age_row(database, limit, scale));
    let page = AuditPage {
        history,
        version: env!("CARGO_PKG_VERSION"),
        objective: format_duration(history.objective()),
        living,
        missed,
        longest: format_duration(SignedDuration::from_secs(scale)),
        ages: ages.collect(),
        timeline: timeline(history),
        counted: history.counted(),
    };
    match page.render() {
        Ok(html) => Ok(html + "\n"),
        Err(error) => Err(CliError::new(format!("The page cannot be written: {error}."), "")),
    }
}

/// How old a database's newest verified copy is, beside the RPO objective.
fn age_row(database: &DatabaseFreshness, limit: i64, scale: i64) -> ChartRow<'static> {
    let nearly_late = database.is_nearly_late(SignedDuration::from_secs(limit));
    let (word, bar, class) = match database.state {
        Freshness::NoCopy | Freshness::Late => (", late", "is-bad", "bad"),
        Freshness::Good if nearly_late => ("", "is-soon", "soon"),
        Freshness::Good => ("", "is-good", "good"),
        Freshness::FirstCopyPending => (", first copy pending", "is-soon", "soon"),
        Freshness::NoSnapshotYet => (", no snapshot yet", "is-soon", "soon"),
        Freshness::NoSnapshots => (", makes no snapshots", "queued", "queued"),
        Freshness::Unsupported => (", unsupported", "queued", "queued"),
        Freshness::Excluded => (", excluded", "queued", "queued"),
        Freshness::SourceDeleted => (", source deleted", "queued", "queued"),
    };
    let value = database.age().map(|age| format!("{}{word}", format_duration(age)));
    let width = database.age_seconds.map_or(100.0, |age| percent(age.min(scale), scale));
    ChartRow {
        name: database_name(database.kind, &database.database),
        link: None,
        bars: vec![Bar::new(bar, 0.0, width), Bar::new("mark", percent(limit, scale), 0.3)],
        value: value.unwrap_or_else(|| match database.state {
            Freshness::FirstCopyPending
            | Freshness::NoSnapshotYet
            | Freshness::NoSnapshots
            | Freshness::Unsupported
            | Freshness::Excluded => word.trim_start_matches(", ").to_owned(),
            _ => "no verified copy".to_owned(),
        }),
        class,
    }
}

fn timeline(history: &History) -> Option<Timeline<'_>> {
    let shown = history.timeline();
    let end = |entry: &HistoryEntry| entry.ended_at.unwrap_or(history.now);
    let begins = shown.iter().map(|entry| entry.started_at).min()?;
    let ends = shown.iter().map(|entry| end(entry)).max()?;
    let rows = shown.iter().map(|entry| timeline_row(entry, end(entry), begins, ends));
    Some(Timeline {
        count: match &history.stack {
            Some(_) => plural(shown.len(), "execution", "executions"),
            None => copies(shown.len()),
        },
        begins,
        ends,
        rows: rows.collect(),
    })
}

fn timeline_row(entry: &HistoryEntry, end: Timestamp, begins: Timestamp, ends: Timestamp) -> ChartRow<'_> {
    let whole = milliseconds(ends.duration_since(begins));
    let bars = spans(entry, end).into_iter().map(|(class, from, to)| {
        let start = percent(milliseconds(from.duration_since(begins)), whole);
        let width = percent(milliseconds(to.duration_since(from)), whole);
        Bar::new(class, start, width.max(MIN_PERCENT))
    });
    let took = format_duration(end.duration_since(entry.started_at));
    let (value, class) = match entry.outcome {
        EntryOutcome::COPIED => (took, ""),
        EntryOutcome::COPIED_NOT_PRUNED => (format!("{took}, not pruned"), "soon"),
        EntryOutcome::Running => (format!("{took}, running"), "soon"),
        _ => (entry.ended(), "bad"),
    };
    ChartRow {
        name: entry.name(),
        link: Some(&entry.link),
        bars: bars.collect(),
        value,
        class,
    }
}

/// What an execution did from when to when.
fn spans(entry: &HistoryEntry, end: Timestamp) -> Vec<(&'static str, Timestamp, Timestamp)> {
    if entry.outcome == EntryOutcome::Failed {
        return vec![("failed", entry.started_at, end)];
    }
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

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a few years are exact")]
fn percent(part: i64, whole: i64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(source = "{{ text }}", ext = "html")]
    struct Text<'a> {
        text: &'a str,
    }

    #[test]
    fn nothing_that_was_read_becomes_markup() {
        let text = Text {
            text: "<script>alert(\"it's & so\")</script>",
        };
        assert_eq!(
            text.render().as_deref().ok(),
            Some("&#60;script&#62;alert(&#34;it&#39;s &#38; so&#34;)&#60;/script&#62;")
        );
    }
}
