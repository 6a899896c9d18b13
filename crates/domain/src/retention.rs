//! Which copies of one database may go. Pure: the copies, the rules and the time in, a verdict on each copy out.
//!
//! What always holds, whatever the input: the newest verified copy stays; nothing goes while a newer copy is in
//! progress; a copy that is in progress stays, and so does one that a person holds; only verified copies count. A
//! verified copy goes only if every rule lets it go, so that one more rule, or a wider one, never deletes more. What a
//! plan lets go, one execution deletes in part only: see [`Brake`].

use std::collections::{BTreeMap, BTreeSet};

use crate::copy_tags::{CopyStatus, OwnCopy};
use crate::payload::Target;
use crate::retention_rules::{RetentionRules, unreadable_retention};
use crate::settings::Settings;
use crate::snapshot::Database;
use crate::watch_settings::DrillSettings;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// For how long copies of another stack hold all that it made.
const OTHER_STACK_HOLDS: SignedDuration = SignedDuration::from_hours(72);

/// How many days [`forecast`] looks ahead.
pub const MAX_FORECAST_DAYS: u32 = 400;

/// Why a copy stays that no rule wants: one execution deletes only a few.
pub const GOES_LATER: &str = "goes in a later run";

/// The database, as the source region knows it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceDatabase<'a> {
    /// It exists.
    Living(&'a Database),
    /// No database has its resource id any more.
    Gone,
    /// RDS did not say.
    Unknown,
}

/// Why nothing of a database goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// A tag of the database that may ask for more cannot be read.
    UnreadTag,
    /// The database is gone, and one of its tags could not be read when copies of it were made.
    UnreadRecord,
    /// The database could not be read.
    Unknown,
    /// The database was deleted meanwhile, and is not pruned as one that no longer exists.
    Gone,
    /// The database no longer exists, and the stack leaves the copies of such alone.
    LeftAlone,
}

impl Hold {
    /// The reason, as a sentence.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::LeftAlone => {
                "its database no longer exists, and this stack leaves such copies alone (RetiredKeepDays)"
            }
            Self::UnreadTag => "a tag of the database cannot be read, and nothing goes until it can",
            Self::UnreadRecord => {
                "the database is gone, and a tag of it could not be read when copies were made (snapferry:unread)"
            }
            Self::Unknown => "the database could not be read, and nothing goes until it can",
            Self::Gone => "the database no longer exists, and this run does not prune it as such",
        }
    }
}

/// What a stack says of retention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackRetention {
    /// Name of the stack.
    pub stack: String,
    /// What is kept of each database (parameters `KeepCopies` to `KeepYearly`).
    pub keep: RetentionRules,
    /// Days for which the copies of a database that no longer exists are kept; 0 leaves them alone.
    pub retired_keep_days: u32,
    /// Hours after which a copy in progress is overdue.
    pub copy_deadline_hours: u32,
}

impl From<&Settings> for StackRetention {
    fn from(settings: &Settings) -> Self {
        Self {
            stack: settings.stack.clone(),
            keep: settings.keep,
            retired_keep_days: settings.retired_keep_days,
            copy_deadline_hours: settings.copy_deadline_hours,
        }
    }
}

/// What decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneRules {
    /// What is kept of the verified copies. The newest one is in any case.
    pub keep: RetentionRules,
    /// Why everything is kept, if it is.
    pub hold: Option<Hold>,
    /// Name of the stack. What another one made stays as long as it is at work.
    pub stack: String,
    /// Age from which a copy in progress is overdue and blocks nothing any more.
    pub deadline: SignedDuration,
}

impl PruneRules {
    /// What the stack is configured with, and what may widen it: the target, the database's tags, and those of all
    /// verified copies, which know what the database asked for when they were made. So a rule ends when the last copy
    /// made under it is gone. Nothing in the target narrows, and nothing that it lacks permits.
    #[must_use]
    pub fn new(stack: &StackRetention, target: &Target, database: SourceDatabase<'_>, copies: &[OwnCopy]) -> Self {
        let asked = match database {
            SourceDatabase::Living(database) => RetentionRules::from_wishes(&database.tags).0,
            SourceDatabase::Gone | SourceDatabase::Unknown => RetentionRules::default(),
        };
        let when_retired = RetentionRules {
            days: if target.retired { stack.retired_keep_days } else { 0 },
            ..RetentionRules::default()
        };
        let keep = target.keep(stack.keep).widest(asked).widest(when_retired);
        Self {
            keep: copies
                .iter()
                .filter(|copy| copy.status == CopyStatus::Verified)
                .fold(keep, |keep, copy| keep.widest(copy.retention)),
            hold: hold(stack, target, database, copies),
            stack: stack.stack.clone(),
            deadline: SignedDuration::from_hours(i64::from(stack.copy_deadline_hours)),
        }
    }

    /// Age up to which every verified copy is kept.
    fn age(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.keep.days) * 24)
    }

    /// How many periods of a length keep their last verified copy.
    fn periods(&self, length: Period) -> u32 {
        match length {
            Period::Day => self.keep.daily,
            Period::Week => self.keep.weekly,
            Period::Month => self.keep.monthly,
            Period::Year => self.keep.yearly,
        }
    }
}

/// Whether nothing of a database goes. What its living tags say overrules what copies recorded.
fn hold(stack: &StackRetention, target: &Target, database: SourceDatabase<'_>, copies: &[OwnCopy]) -> Option<Hold> {
    let is_held_by_input = target.policy.as_ref().is_some_and(|policy| policy.hold_all);
    let is_unread = |copy: &OwnCopy| copy.unread && copy.status != CopyStatus::Going;
    match database {
        SourceDatabase::Unknown => Some(Hold::Unknown),
        SourceDatabase::Gone if !target.retired => Some(Hold::Gone),
        SourceDatabase::Gone if stack.retired_keep_days == 0 => Some(Hold::LeftAlone),
        SourceDatabase::Gone if copies.iter().any(is_unread) => Some(Hold::UnreadRecord),
        SourceDatabase::Living(database) if !unreadable_retention(&database.tags).is_empty() => Some(Hold::UnreadTag),
        SourceDatabase::Living(_) | SourceDatabase::Gone => is_held_by_input.then_some(Hold::UnreadTag),
    }
}

/// The other stacks that asked for one of these copies in the last three days: they own what we own.
#[must_use]
pub fn stacks_at_work<'a>(copies: &'a [OwnCopy], own: &str, now: Timestamp) -> BTreeSet<&'a str> {
    copies
        .iter()
        .filter(|copy| copy.status != CopyStatus::Going && now.duration_since(copy.requested) <= OTHER_STACK_HOLDS)
        .filter_map(|copy| copy.stack.as_deref())
        .filter(|stack| *stack != own)
        .collect()
}

/// How many verified copies of a database one execution may still delete: whatever happens to tags, settings or clocks,
/// there is time to notice before much is gone. Copies that are no good are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    left: usize,
}

impl Brake {
    /// At most `max` copies, of which the execution has deleted some before.
    #[must_use]
    pub fn new(max: u32, deleted_before: usize) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        Self {
            left: max.saturating_sub(deleted_before),
        }
    }

    /// Whether this copy may go in this execution.
    #[must_use]
    pub fn allows(self, copy: &OwnCopy) -> bool {
        copy.status != CopyStatus::Verified || self.left > 0
    }

    /// Counts a copy that is deleted.
    pub fn count(&mut self, copy: &OwnCopy) {
        if copy.status == CopyStatus::Verified {
            self.left = self.left.saturating_sub(1);
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
    const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// What tells the period of a time from others of its length: a year, and which one of that year.
    fn containing(self, time: Timestamp) -> (i16, i16) {
        let date = time.to_zoned(TimeZone::UTC).date();
        let week = date.iso_week_date();
        match self {
            Self::Day => (date.year(), date.day_of_year()),
            // A week belongs to the year that has its Thursday.
            Self::Week => (week.year(), week.week().into()),
            Self::Month => (date.year(), date.month().into()),
            Self::Year => (date.year(), 0),
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
pub struct Verdict<'a> {
    /// The copy.
    pub copy: &'a OwnCopy,
    /// Whether it goes.
    pub delete: bool,
    /// The rule that decided, as a sentence.
    pub reason: String,
}

/// A verdict on each copy, the oldest first. All copies must be ours and of one database. A copy that is named twice is
/// one copy, and one that is being deleted is none.
#[must_use]
pub fn plan<'a>(copies: &'a [OwnCopy], rules: &PruneRules, now: Timestamp) -> Vec<Verdict<'a>> {
    let mut by_age: Vec<&OwnCopy> = copies.iter().filter(|copy| copy.status != CopyStatus::Going).collect();
    by_age.sort_by(|a, b| age(a).cmp(&age(b)));
    by_age.dedup_by_key(|copy| &copy.id);

    let mut newest_verified = None;
    let mut newer_than = BTreeMap::new();
    let mut newer = Newer::default();
    for &copy in by_age.iter().rev().filter(|copy| copy.status == CopyStatus::Verified) {
        newest_verified.get_or_insert(copy);
        newer_than.entry(&copy.id).or_insert(newer);
        newer = newer.and(copy);
    }
    let others = stacks_at_work(copies, &rules.stack, now);
    let in_progress = by_age.iter().rev().find(|copy| is_under_way(copy, rules, now)).copied();

    by_age
        .iter()
        .map(|&copy| {
            let decision = match copy.status {
                CopyStatus::Verified => verified_copy(copy, newer_than[&copy.id], rules, now),
                CopyStatus::Failed => replaced_copy(copy, newest_verified, "failed"),
                CopyStatus::Mismatched => replaced_copy(copy, newest_verified, "did not match its source"),
                CopyStatus::Unverified if now.duration_since(copy.requested) <= rules.deadline => {
                    Decision::Keep("complete, to be verified by the run that waits for it".to_owned())
                }
                CopyStatus::Unverified => replaced_copy(copy, newest_verified, "was never verified"),
                CopyStatus::InProgress | CopyStatus::Going => Decision::Keep("in progress".to_owned()),
            };
            decision
                .unless_held(copy, in_progress, rules, &others, now)
                .into_verdict(copy)
        })
        .collect()
}

/// In how many days each copy goes, by its identifier, if these rules stay and the database gets a verified copy each day
/// from now on, or none. A copy that is not listed stays for longer than [`MAX_FORECAST_DAYS`], or for good.
///
/// The brake is left out: where much goes at once, it goes a few days later.
#[must_use]
pub fn forecast(
    copies: &[OwnCopy],
    rules: &PruneRules,
    is_copied_daily: bool,
    now: Timestamp,
) -> BTreeMap<String, u32> {
    let mut days = BTreeMap::new();
    // What is under way is taken to end well.
    let mut there: Vec<OwnCopy> = copies
        .iter()
        .cloned()
        .map(|copy| match copy.status {
            CopyStatus::InProgress | CopyStatus::Unverified => OwnCopy {
                status: CopyStatus::Verified,
                ..copy
            },
            _ => copy,
        })
        .collect();
    let newest = copies.iter().max_by_key(|copy| age(copy));
    for day in 0..=MAX_FORECAST_DAYS {
        let later = SignedDuration::from_hours(24 * i64::from(day));
        if let Some(newest) = newest.filter(|_| is_copied_daily && day > 0) {
            there.push(OwnCopy {
                id: format!("the copy of day {day}"),
                source_created: newest.source_created + later,
                requested: newest.requested + later,
                status: CopyStatus::Verified,
                hold: false,
                drilling_until: None,
                stack: Some(rules.stack.clone()),
                ..newest.clone()
            });
        }
        let gone: BTreeSet<String> = plan(&there, rules, now + later)
            .into_iter()
            .filter(|verdict| verdict.delete)
            .map(|verdict| verdict.copy.id.clone())
            .collect();
        there.retain(|copy| !gone.contains(&copy.id));
        for id in gone {
            days.entry(id).or_insert(day);
        }
        if copies.iter().all(|copy| days.contains_key(&copy.id)) {
            break;
        }
    }
    days.retain(|id, _| copies.iter().any(|copy| copy.id == *id));
    days
}

/// What orders copies: when their data was captured, then when they were asked for.
fn age(copy: &OwnCopy) -> (Timestamp, Timestamp, &str) {
    (copy.source_created, copy.requested, &copy.id)
}

/// Whether a copy may still complete. One that was asked for in the future, by a clock that differs, may.
fn is_under_way(copy: &OwnCopy, rules: &PruneRules, now: Timestamp) -> bool {
    copy.status == CopyStatus::InProgress && now.duration_since(copy.requested) <= rules.deadline
}

/// Whether a drill restores a copy: what RDS does when it is deleted meanwhile is documented nowhere. A tag that names a
/// time further away than any drill lasts is no drill's.
fn is_drilled(copy: &OwnCopy, now: Timestamp) -> bool {
    let longest = SignedDuration::from_hours(i64::from(DrillSettings::MAX_HOURS));
    copy.drilling_until
        .is_some_and(|until| now < until && until.duration_since(now) <= longest)
}

/// What is to be done with a copy, and the rule that decided, as a sentence.
#[derive(Debug)]
enum Decision {
    Keep(String),
    Delete(String),
}

impl Decision {
    /// The same, but what holds every copy, or every older one, comes before the rules.
    fn unless_held(
        self,
        copy: &OwnCopy,
        in_progress: Option<&OwnCopy>,
        rules: &PruneRules,
        others: &BTreeSet<&str>,
        now: Timestamp,
    ) -> Self {
        if matches!(self, Self::Keep(_)) {
            return self;
        }
        let other = copy.stack.as_deref().filter(|stack| others.contains(stack));
        if copy.hold {
            Self::Keep("a person keeps it (tag snapferry:hold)".to_owned())
        } else if is_drilled(copy, now) {
            Self::Keep("a drill restores it (tag snapferry:drilling)".to_owned())
        } else if let Some(hold) = rules.hold {
            Self::Keep(hold.reason().to_owned())
        } else if let Some(stack) = other {
            Self::Keep(format!(
                "the stack {stack} made it, and was at work in the last three days"
            ))
        } else if let Some(newer) = in_progress.filter(|newer| age(newer) > age(copy)) {
            Self::Keep(format!("{} is still in progress", newer.id))
        } else {
            self
        }
    }

    fn into_verdict(self, copy: &OwnCopy) -> Verdict<'_> {
        let delete = matches!(self, Self::Delete(_));
        let (Self::Keep(reason) | Self::Delete(reason)) = self;
        Verdict { copy, delete, reason }
    }
}

/// The verified copies that are newer than one.
#[derive(Debug, Clone, Copy, Default)]
struct Newer {
    copies: usize,
    /// Of each length of period: how many have one of them, and the earliest of these.
    periods: [(u32, Option<(i16, i16)>); Period::ALL.len()],
}

impl Newer {
    /// With the next older copy. Periods follow the order of copies: its own is the last one counted, or a new one.
    fn and(mut self, copy: &OwnCopy) -> Self {
        self.copies += 1;
        for (period, (count, earliest)) in Period::ALL.into_iter().zip(&mut self.periods) {
            let own = Some(period.containing(copy.source_created));
            if *earliest != own {
                (*count, *earliest) = (*count + 1, own);
            }
        }
        self
    }
}

/// A verified copy stays for the first rule that wants it.
fn verified_copy(copy: &OwnCopy, newer: Newer, rules: &PruneRules, now: Timestamp) -> Decision {
    let keep = usize::try_from(rules.keep.copies).unwrap_or(usize::MAX).max(1);
    let number = newer.copies + 1;
    if number == 1 {
        return Decision::Keep("the newest verified copy".to_owned());
    }
    if number <= keep {
        return Decision::Keep(format!("number {number} of the {keep} newest verified copies"));
    }
    // A copy from the future, by a clock that differs, is younger than any age.
    if rules.keep.days > 0 && now.duration_since(copy.source_created) <= rules.age() {
        return Decision::Keep(format!("not older than {} days", rules.keep.days));
    }
    for (period, (later, earliest)) in Period::ALL.into_iter().zip(newer.periods) {
        let count = rules.periods(period);
        if later < count && earliest != Some(period.containing(copy.source_created)) {
            return Decision::Keep(format!("the last of its {}, {count} of which are kept", period.name()));
        }
    }
    let newest = match keep {
        1 => "newest is".to_owned(),
        keep => format!("{keep} newest are"),
    };
    Decision::Delete(format!(
        "number {number} of the verified copies; only the {newest} kept, and no other rule keeps it"
    ))
}

/// A copy that is no good goes once there is a good one of the same or of later data.
fn replaced_copy(copy: &OwnCopy, newest_verified: Option<&OwnCopy>, what: &str) -> Decision {
    match newest_verified {
        Some(good) if good.source_created >= copy.source_created => {
            Decision::Delete(format!("it {what}, and {} is verified", good.id))
        }
        _ => Decision::Keep(format!("it {what}, and there is no later verified copy yet")),
    }
}

#[cfg(test)]
mod tests;
