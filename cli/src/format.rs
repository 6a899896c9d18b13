//! Times, numbers and names as an operator reads and writes them.

use std::fmt::Display;

use domain::drill::{DrillCheck, DrillOutcome};
use domain::kind::DatabaseKind;
use domain::payload::Outcome;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// `2026-11-22 03:10`, in UTC.
pub(crate) fn format_utc(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `2026-11-22`, in UTC.
pub(crate) fn format_day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// A duration in its two largest units: `3 d 4 h`, `26 h`, `5 min`, `40 s`. Days from 48 hours on, because objectives are
/// given in hours.
pub(crate) fn format_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |large: i64, unit: &str, small: i64, smaller: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {smaller}"),
    };
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{minutes} min"),
        7_200..=172_799 => two(hours, "h", minutes % 60, "min"),
        _ => two(hours / 24, "d", hours % 24, "h"),
    }
}

/// An age in a column, where each character is taken from a name: `11 h`, `3 d 4 h`, `40 d`.
pub(crate) fn format_age(age: SignedDuration) -> String {
    let hours = age.as_hours();
    match hours {
        ..2 => format_duration(age),
        2..48 => format!("{hours} h"),
        48..240 => format_duration(SignedDuration::from_hours(hours)),
        _ => format!("{} d", hours / 24),
    }
}

/// Time to go: as [`format_duration`] writes it, but never none, because it goes on.
pub(crate) fn format_remaining(duration: SignedDuration) -> String {
    if duration < SignedDuration::from_secs(1) {
        return "<1 s".to_owned();
    }
    format_duration(duration)
}

/// `380 of 420 GiB`, `1.4 of 2.1 TiB`: a part of an amount of data, in the unit of the whole.
pub(crate) fn format_part(done_gib: f64, total_gib: f64) -> String {
    if total_gib < GIB_PER_TIB {
        return format!("{done_gib:.0} of {total_gib:.0} GiB");
    }
    format!("{:.1} of {:.1} TiB", done_gib / GIB_PER_TIB, total_gib / GIB_PER_TIB)
}

const GIB_PER_TIB: f64 = 1024.0;

/// `1 copy`, `3 copies`: the number with the word that goes with it.
pub(crate) fn plural(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// `1 database`, `3 databases`.
pub(crate) fn databases(number: usize) -> String {
    plural(number, "database", "databases")
}

/// `1 copy`, `3 copies`.
pub(crate) fn copies(number: usize) -> String {
    plural(number, "copy", "copies")
}

/// The first of many names, and how many more there are.
pub(crate) fn some_of(names: &[String]) -> String {
    const MAX_NAMES: usize = 10;
    let first = names
        .iter()
        .take(MAX_NAMES)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// `3 copied, 1 copied (not pruned)`: a number for each word. A comma within a word would divide it in two.
pub(crate) fn counted<N: Display>(counts: impl IntoIterator<Item = (impl AsRef<str>, N)>) -> String {
    let counted = counts
        .into_iter()
        .map(|(word, count)| match word.as_ref().split_once(", ") {
            Some((first, rest)) => format!("{count} {first} ({rest})"),
            None => format!("{count} {}", word.as_ref()),
        });
    counted.collect::<Vec<_>>().join(", ")
}

/// A number that says nothing where there is none.
pub(crate) fn unless_zero(number: usize) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// The database with its kind, where it is not an instance.
pub(crate) fn database_name(kind: DatabaseKind, id: &str) -> String {
    match kind {
        DatabaseKind::Instance => id.to_owned(),
        DatabaseKind::Cluster => format!("cluster:{id}"),
    }
}

/// A key's id alone where its account and its region are those of the copies.
pub(crate) fn key_id<'a>(arn: &'a str, region: &str) -> &'a str {
    let begin = format!(":kms:{region}:");
    let id = arn.split(&begin).nth(1).and_then(|rest| rest.split_once('/'));
    id.map_or(arn, |(_, id)| id)
}

/// A size in GiB as text; nothing where RDS gives none.
pub(crate) fn format_size(gib: Option<i32>) -> String {
    gib.map_or_else(String::new, |size| size.to_string())
}

/// How it ended for a database, in the word that the payload has for it.
pub(crate) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "pending",
        Outcome::Copied => "copied",
        Outcome::Current => "current",
        Outcome::Nothing => "nothing",
        Outcome::Unsupported => "unsupported",
        Outcome::Planned => "planned",
        Outcome::Retired => "retired",
        Outcome::CopiedNotPruned => "copied, not pruned",
        Outcome::UnderWay => "under way",
        Outcome::NotReady => "not ready",
    }
}

/// What came of a drill, in a word or two.
pub(crate) fn drill_word(outcome: DrillOutcome) -> &'static str {
    match outcome {
        DrillOutcome::Passed => "passed",
        DrillOutcome::Failed => "failed",
        DrillOutcome::NotRun => "not run",
        DrillOutcome::Unsupported => "unsupported",
    }
}

/// What a drill database was checked by, in words.
pub(crate) fn drill_checks(checks: &[DrillCheck]) -> String {
    let words = checks.iter().map(|check| match check {
        DrillCheck::Description => "description",
        DrillCheck::Events => "events",
        DrillCheck::Function => "function",
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Reads a duration: `26h`, `2d`, `90m`, `1d 12h`. The error is a sentence that says what is expected.
pub(crate) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let expected = || format!("{text:?} is not a duration; write it as 26h, 90m or 2d");
    let span: Span = text.parse().map_err(|_| expected())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let duration = duration
        .ok()
        .filter(|duration| *duration > SignedDuration::ZERO)
        .ok_or_else(expected)?;
    if duration > SignedDuration::from_hours(MAX_DURATION_HOURS) {
        return Err(format!("{text:?} is more than 100 years; write a shorter time"));
    }
    Ok(duration)
}

/// What is longer is a slip of the finger, and times that far from now cannot be written.
const MAX_DURATION_HOURS: i64 = 100 * 366 * 24;

/// Since when: some time ago, or a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This long ago.
    Ago(SignedDuration),
    /// From this time on.
    At(Timestamp),
}

impl Since {
    /// The time that it is, seen from `now`.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(duration) => now.checked_sub(duration).unwrap_or(Timestamp::MIN),
            Self::At(time) => time,
        }
    }

    /// Reads `7d`, `2026-11-01` or `2026-11-01T05:00:00Z`. The error is a sentence that says what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(duration) = parse_duration(text) {
            return Ok(Self::Ago(duration));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        // A day is one from its beginning. A text with another offset than that of UTC was read above.
        let time: Option<DateTime> = text.parse().ok();
        time.and_then(|time| time.to_zoned(TimeZone::UTC).ok())
            .map(|time| Self::At(time.timestamp()))
            .ok_or_else(|| {
                format!("{text:?} is neither a duration (7d, 36h) nor a day or a time (2026-11-01, 2026-11-01T05:00)")
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_written_in_their_two_largest_units() {
        for (seconds, expected) in [
            (-5, "0 s"),
            (119, "119 s"),
            (300, "5 min"),
            (3 * 3600, "3 h"),
            (26 * 3600 + 180, "26 h 3 min"),
            (48 * 3600, "2 d"),
            (76 * 3600 + 59, "3 d 4 h"),
        ] {
            assert_eq!(format_duration(SignedDuration::from_secs(seconds)), expected);
        }
    }

    /// N43.
    #[test]
    fn an_age_leaves_room_for_the_name() {
        for (seconds, expected) in [
            (40, "40 s"),
            (7199, "119 min"),
            (11 * 3600 + 120, "11 h"),
            (76 * 3600 + 3599, "3 d 4 h"),
            (240 * 3600 + 7200, "10 d"),
        ] {
            let age = format_age(SignedDuration::from_secs(seconds));
            assert_eq!(age, expected);
            assert!(age.len() <= 7, "{age}");
        }
    }

    /// N30.
    #[test]
    fn what_is_left_is_never_nothing_and_data_is_in_the_unit_of_the_whole() {
        for (milliseconds, expected) in [
            (-5000, "<1 s"),
            (0, "<1 s"),
            (999, "<1 s"),
            (1000, "1 s"),
            (40_000, "40 s"),
        ] {
            assert_eq!(format_remaining(SignedDuration::from_millis(milliseconds)), expected);
        }
        assert_eq!(format_part(380.4, 420.0), "380 of 420 GiB");
        assert_eq!(format_part(1434.0, 2150.0), "1.4 of 2.1 TiB");
    }

    #[test]
    fn a_word_with_a_comma_is_one_word_among_those_that_are_counted() {
        let counts = [("copied", 3), ("copied, not pruned", 1), ("not ready", 2)];
        assert_eq!(counted(counts), "3 copied, 1 copied (not pruned), 2 not ready");
    }

    #[test]
    fn a_beginning_is_a_duration_ago_or_a_day() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        for (text, begins) in [
            ("7d", "2026-11-15T12:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T05:00:00Z", "2026-11-01T05:00:00Z"),
            ("2026-11-01T05:00+02:00", "2026-11-01T03:00:00Z"),
            ("2026-11-01T05:00", "2026-11-01T05:00:00Z"),
            ("2026-11-01 05:00", "2026-11-01T05:00:00Z"),
        ] {
            let since = Since::parse(text).map(|since| since.before(now).to_string());
            assert_eq!(since.as_deref(), Ok(begins), "{text}");
        }
        assert!(Since::parse("yesterday").is_err());
    }

    /// Kind 13: numbers and times of any size get a sentence.
    #[test]
    fn times_beyond_all_measure_are_refused_in_a_sentence() {
        for text in [
            "99999999999999d",
            "99999999999999999999999h",
            "876001d",
            "-99999999999999h",
            "101y",
            "P99999999999Y",
        ] {
            let refused = parse_duration(text).expect_err(text);
            assert!(refused.starts_with(&format!("{text:?} is ")), "{refused}");
            assert!(Since::parse(text).is_err(), "{text}");
        }
        for text in [
            "-9999-01-01",
            "9999-12-31",
            "0000-01-01",
            "+999999-01-01",
            "9999-12-31T23:59:59Z",
        ] {
            if let Ok(since) = Since::parse(text) {
                format_utc(since.before(Timestamp::MIN));
                format_utc(since.before(Timestamp::MAX));
            }
        }
    }

    proptest! {
        #[test]
        fn no_argument_makes_a_parser_panic(text in ".{0,40}", number in any::<i128>(), unit in "[a-zA-Z]{1,7}") {
            for text in [text, format!("{number}{unit}"), format!("{number}-01-01"), format!("P{number}D")] {
                if let Ok(duration) = parse_duration(&text) {
                    format_duration(duration);
                }
                if let Ok(since) = Since::parse(&text) {
                    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
                        format_utc(since.before(now));
                    }
                }
            }
        }
    }

    #[test]
    fn durations_are_read_as_they_are_written() {
        assert_eq!(parse_duration("26h"), Ok(SignedDuration::from_hours(26)));
        assert_eq!(parse_duration("1d 12h"), Ok(SignedDuration::from_hours(36)));
        assert_eq!(parse_duration("90m"), Ok(SignedDuration::from_mins(90)));
        for wrong in ["", "26", "h", "-3h", "0h", "1 month"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
