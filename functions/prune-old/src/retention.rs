//! Which copies of one database may go. Pure: the copies, the rules and the time in, a verdict on each copy out.
//!
//! What always holds, whatever the input: the newest verified copy stays; nothing goes while a newer copy is in
//! progress; a copy that is in progress stays; only verified copies count. A verified copy goes only if every rule
//! lets it go, so that one more rule, or a wider one, never deletes more.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use shared::{OwnCopy, Settings, Standing, Target};

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Verified copies to keep. Less than one counts as one.
    pub(crate) keep: usize,
    /// Age up to which every verified copy is kept.
    pub(crate) age: SignedDuration,
    /// How many periods of each length keep their last verified copy.
    pub(crate) periods: [(Period, usize); 4],
    /// Age from which a copy in progress is overdue and blocks nothing any more.
    pub(crate) deadline: SignedDuration,
}

impl Rules {
    /// What the stack is configured with, and the target may widen.
    pub(crate) fn of(settings: &Settings, target: &Target) -> Self {
        Self {
            keep: target.keep_copies(settings),
            age: SignedDuration::from_hours(i64::from(settings.keep_days) * 24),
            periods: [
                (Period::Day, settings.keep_daily),
                (Period::Week, settings.keep_weekly),
                (Period::Month, settings.keep_monthly),
                (Period::Year, settings.keep_yearly),
            ],
            deadline: SignedDuration::from_hours(i64::from(settings.copy_deadline_hours)),
        }
    }
}

/// A stretch of the calendar, in UTC, whose last copy may be worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    /// What tells one period from another: the larger number is the later one.
    fn number(self, time: Timestamp) -> i32 {
        let date = time.to_zoned(TimeZone::UTC).date();
        let week = date.iso_week_date();
        let year = i32::from(date.year());
        match self {
            Self::Day => year * 1000 + i32::from(date.day_of_year()),
            // A week belongs to the year that has its Thursday.
            Self::Week => i32::from(week.year()) * 100 + i32::from(week.week()),
            Self::Month => year * 100 + i32::from(date.month()),
            Self::Year => year,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// What is to be done with a copy, and the rule that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict<'a> {
    pub(crate) copy: &'a OwnCopy,
    pub(crate) delete: bool,
    pub(crate) reason: String,
}

/// A verdict on each copy, the oldest first. All copies must be ours and of one database.
pub(crate) fn plan<'a>(copies: &'a [OwnCopy], rules: &Rules, now: Timestamp) -> Vec<Verdict<'a>> {
    let mut by_age: Vec<&OwnCopy> = copies.iter().collect();
    by_age.sort_by(|a, b| age(a).cmp(&age(b)));

    // Counted from the newest.
    let verified: Vec<&OwnCopy> = by_age
        .iter()
        .rev()
        .filter(|copy| copy.standing == Standing::Verified)
        .copied()
        .collect();
    let newest_verified = verified.first().copied();
    let in_progress = by_age.iter().rev().find(|copy| is_under_way(copy, rules, now)).copied();

    by_age
        .iter()
        .map(|&copy| {
            let wish = match copy.standing {
                Standing::Verified => good(copy, &verified, rules, now),
                Standing::Failed => superseded(copy, newest_verified, "failed"),
                Standing::Mismatched => superseded(copy, newest_verified, "did not match its source"),
                Standing::Unverified if now.duration_since(copy.requested) <= rules.deadline => {
                    Err("complete, to be verified by the run that waits for it".to_owned())
                }
                Standing::Unverified => superseded(copy, newest_verified, "was never verified"),
                Standing::InProgress => Err("in progress".to_owned()),
            };
            match (wish, in_progress) {
                (Ok(_), Some(newer)) if age(newer) > age(copy) => {
                    keep(copy, format!("{} is still in progress", newer.id))
                }
                (Ok(reason), _) => Verdict {
                    copy,
                    delete: true,
                    reason,
                },
                (Err(reason), _) => keep(copy, reason),
            }
        })
        .collect()
}

/// What orders copies: when their data was captured, then when they were asked for.
fn age(copy: &OwnCopy) -> (Timestamp, Timestamp, &str) {
    (copy.source_created, copy.requested, &copy.id)
}

/// Whether a copy may still complete. One that was asked for in the future, by a clock that differs, may.
fn is_under_way(copy: &OwnCopy, rules: &Rules, now: Timestamp) -> bool {
    copy.standing == Standing::InProgress && now.duration_since(copy.requested) <= rules.deadline
}

/// `Ok` is the reason to delete, `Err` the reason to keep.
type Wish = Result<String, String>;

/// A verified copy stays for the first rule that wants it. `verified` is all of them, the newest first.
fn good(copy: &OwnCopy, verified: &[&OwnCopy], rules: &Rules, now: Timestamp) -> Wish {
    let keep = rules.keep.max(1);
    let rank = verified.iter().position(|other| other.id == copy.id).unwrap_or(0);
    match rank {
        0 => return Err("the newest verified copy".to_owned()),
        _ if rank < keep => return Err(format!("number {} of the {keep} newest verified copies", rank + 1)),
        _ => {}
    }
    // A copy from the future, by a clock that differs, is younger than any age.
    if !rules.age.is_zero() && now.duration_since(copy.source_created) <= rules.age {
        return Err(format!("not older than {} days", rules.age.as_hours() / 24));
    }
    for (period, count) in rules.periods {
        if is_last_of_its_period(copy, verified, period, count) {
            return Err(format!("the last of its {}, {count} of which are kept", period.name()));
        }
    }
    Ok(format!(
        "number {} of the verified copies, {keep} are kept, and no other rule wants it",
        rank + 1
    ))
}

/// Whether no later verified copy is of the same period, and fewer than `count` later periods have one.
fn is_last_of_its_period(copy: &OwnCopy, verified: &[&OwnCopy], period: Period, count: usize) -> bool {
    if count == 0 {
        return false;
    }
    let own = period.number(copy.source_created);
    let mut later = BTreeSet::new();
    for newer in verified.iter().take_while(|newer| newer.id != copy.id) {
        let number = period.number(newer.source_created);
        if number == own {
            return false;
        }
        later.insert(number);
    }
    later.len() < count
}

/// A copy that is no good goes once there is a good one of the same or of later data.
fn superseded(copy: &OwnCopy, newest_verified: Option<&OwnCopy>, what: &str) -> Wish {
    match newest_verified {
        Some(good) if good.source_created >= copy.source_created => {
            Ok(format!("it {what}, and {} is verified", good.id))
        }
        _ => Err(format!("it {what}, and there is no later verified copy yet")),
    }
}

fn keep(copy: &OwnCopy, reason: String) -> Verdict<'_> {
    Verdict {
        copy,
        delete: false,
        reason,
    }
}

#[cfg(test)]
mod tests;
