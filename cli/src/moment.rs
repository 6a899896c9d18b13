//! Times as an operator reads them: UTC, and how long ago.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// `2026-11-22 03:10`, in UTC.
#[must_use]
pub fn utc(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A length of time in its two largest units: `3 d 4 h`, `26 h`, `5 min`, `40 s`. Days from 48 hours on, because
/// objectives are said in hours.
#[must_use]
pub fn length(duration: SignedDuration) -> String {
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

/// Reads a length of time: `26h`, `2d`, `90m`, `1d 12h`.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_length(text: &str) -> Result<SignedDuration, String> {
    let expected = || format!("{text:?} is no length of time; write it as in 26h, 90m or 2d");
    let span: Span = text.parse().map_err(|_| expected())?;
    let length = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| expected())?;
    if length <= SignedDuration::ZERO {
        return Err(expected());
    }
    Ok(length)
}

/// Since when: a length of time ago, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(SignedDuration),
    /// From then on.
    At(Timestamp),
}

impl Since {
    /// The time that it is, seen from `now`.
    #[must_use]
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(length) => now - length,
            Self::At(time) => time,
        }
    }

    /// Reads `7d`, `2026-11-01` or `2026-11-01T05:00:00Z`.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(length) = parse_length(text) {
            return Ok(Self::Ago(length));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        let day: Option<Date> = text.parse().ok();
        day.and_then(|day| day.to_zoned(TimeZone::UTC).ok())
            .map(|midnight| Self::At(midnight.timestamp()))
            .ok_or_else(|| format!("{text:?} is neither a length of time (7d, 36h) nor a day (2026-11-01)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_their_two_largest_units() {
        for (seconds, said) in [
            (-5, "0 s"),
            (119, "119 s"),
            (300, "5 min"),
            (3 * 3600, "3 h"),
            (26 * 3600 + 180, "26 h 3 min"),
            (48 * 3600, "2 d"),
            (76 * 3600 + 59, "3 d 4 h"),
        ] {
            assert_eq!(length(SignedDuration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn a_beginning_is_a_length_ago_or_a_day() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        for (text, begins) in [
            ("7d", "2026-11-15T12:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T05:00:00Z", "2026-11-01T05:00:00Z"),
        ] {
            let since = Since::parse(text).map(|since| since.before(now).to_string());
            assert_eq!(since.as_deref(), Ok(begins), "{text}");
        }
        assert!(Since::parse("yesterday").is_err());
    }

    #[test]
    fn lengths_are_read_as_they_are_written() {
        assert_eq!(parse_length("26h"), Ok(SignedDuration::from_hours(26)));
        assert_eq!(parse_length("1d 12h"), Ok(SignedDuration::from_hours(36)));
        assert_eq!(parse_length("90m"), Ok(SignedDuration::from_mins(90)));
        for wrong in ["", "26", "h", "-3h", "0h", "1 month"] {
            assert!(parse_length(wrong).is_err(), "{wrong}");
        }
    }
}
