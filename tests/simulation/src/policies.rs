//! What the tags of a database ask for, as it really is, beside the tags that say so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::random::Random;

/// The stack's key in the destination region, the one that the roles are rendered with.
pub const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";

/// Its alias.
pub const KEY_ALIAS: &str = "alias/copies";

/// A key there that the stack may allow.
pub const ALLOWED_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/44444444-4444-4444-8444-444444444444";

/// Its alias.
pub const ALLOWED_ALIAS: &str = "alias/allowed";

/// A key there that no stack allows.
pub const OTHER_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-4222-8222-222222222222";

/// An option group of the destination region that serves what needs one.
pub const OPTION_GROUP: &str = "tz-copies";

/// How much of a database is kept, by each rule; 0 is no such rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Verified copies.
    pub copies: u32,
    /// Days of age.
    pub days: u32,
    /// The last one of each day, week, month and year.
    pub calendar: [u32; 4],
}

impl Kept {
    /// The tags that record them on copies, in the order of the fields.
    pub const RECORDS: [&'static str; 6] = [
        "snapferry:source-keep",
        "snapferry:source-keep-days",
        "snapferry:source-keep-daily",
        "snapferry:source-keep-weekly",
        "snapferry:source-keep-monthly",
        "snapferry:source-keep-yearly",
    ];

    /// The tags of the rules on a database, in the order of the fields.
    pub const TAGS: [&'static str; 6] = [
        "snapferry:keep",
        "snapferry:keep-days",
        "snapferry:keep-daily",
        "snapferry:keep-weekly",
        "snapferry:keep-monthly",
        "snapferry:keep-yearly",
    ];

    fn numbers(self) -> [u32; 6] {
        let [day, week, month, year] = self.calendar;
        [self.copies, self.days, day, week, month, year]
    }

    fn from_numbers(numbers: [u32; 6]) -> Self {
        let [copies, days, day, week, month, year] = numbers;
        Self {
            copies,
            days,
            calendar: [day, week, month, year],
        }
    }

    fn combine(self, other: Self, choose: impl Fn(u32, u32) -> u32) -> Self {
        let (mut numbers, others) = (self.numbers(), other.numbers());
        for (number, other) in numbers.iter_mut().zip(others) {
            *number = choose(*number, other);
        }
        Self::from_numbers(numbers)
    }

    /// What both ask for.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        self.combine(other, u32::min)
    }

    /// What either asks for.
    #[must_use]
    pub fn at_most(self, other: Self) -> Self {
        self.combine(other, u32::max)
    }

    /// The rules for which the tags of a copy ask for less than this.
    pub fn missing_in(self, tags: &BTreeMap<String, String>) -> impl Iterator<Item = &'static str> {
        let number = |tag: &str| tags.get(tag).and_then(|value| value.parse().ok()).unwrap_or(0);
        let rules = Self::RECORDS.into_iter().zip(self.numbers());
        rules
            .filter(move |(tag, wanted)| number(tag) < *wanted)
            .map(|(tag, _)| tag)
    }

    /// What the tags of a copy record.
    #[must_use]
    pub fn recorded(tags: &BTreeMap<String, String>) -> Self {
        let number = |tag: &str| tags.get(tag).and_then(|value| value.parse().ok()).unwrap_or(0);
        Self::from_numbers(Self::RECORDS.map(number))
    }

    /// The tags that say so.
    fn tags(self) -> impl Iterator<Item = (String, String)> {
        let rules = Self::TAGS.into_iter().zip(self.numbers());
        rules
            .filter(|(_, number)| *number > 0)
            .map(|(tag, number)| (tag.to_owned(), number.to_string()))
    }
}

/// What the tags of a database ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// What is kept.
    pub keep: Kept,
    /// Whether one of the tags that ask for retention cannot be read, so that everything is kept.
    pub unreadable: bool,
    /// Whether another tag of ours cannot be read, for which everything may be kept as well.
    pub doubtful: bool,
    /// The key of the allowed ones that is picked.
    pub key: Option<&'static str>,
    /// The option group that is picked.
    pub option_group: Option<&'static str>,
}

/// Draws what the tags of a database say, and the tags.
pub fn draw(random: &mut Random, has_options: bool, allows_key: bool) -> (Policy, BTreeMap<String, String>) {
    let mut policy = Policy::default();
    let mut tags = BTreeMap::new();
    let few = |random: &mut Random| u32::try_from(random.within(1..=4)).unwrap_or(1);
    match random.within(0..=9) {
        0..=2 => {}
        3 | 4 => policy.keep.days = few(random),
        5 => policy.keep.copies = few(random),
        6 => {
            let at = usize::try_from(random.within(0..=3)).unwrap_or(0);
            policy.keep.calendar[at] = few(random);
        }
        7 => (policy.keep.copies, policy.keep.days) = (few(random), few(random)),
        _ => {
            if random.per_mille(300) {
                policy.keep.days = few(random);
            }
            let (tag, value) = *random.one_of(&[
                ("snapferry:keep-weekly", "0"),
                ("snapferry:keep", "many"),
                ("snapferry:keep-yearly", "1.5"),
                ("snapferry:retention", "7"),
                ("snapferry:copy", "perhaps"),
                ("snapferry:option-group", "1-is no name"),
            ]);
            policy.unreadable = tag.starts_with("snapferry:keep");
            policy.doubtful = true;
            tags.insert(tag.to_owned(), value.to_owned());
        }
    }
    tags.extend(policy.keep.tags());
    if random.per_mille(200) {
        let id = ALLOWED_KEY.rsplit('/').next().unwrap_or_default();
        let value = *random.one_of(&[ALLOWED_KEY, id, ALLOWED_ALIAS, OTHER_KEY]);
        if allows_key && value != OTHER_KEY {
            policy.key = Some(ALLOWED_KEY);
        } else {
            policy.doubtful = true;
        }
        tags.insert("snapferry:kms-key".to_owned(), value.to_owned());
    }
    if has_options && !tags.contains_key("snapferry:option-group") && random.per_mille(400) {
        let name = *random.one_of(&[OPTION_GROUP, OPTION_GROUP, "there-is-none"]);
        policy.option_group = Some(name);
        tags.insert("snapferry:option-group".to_owned(), name.to_owned());
    }
    (policy, tags)
}

/// What the tags of a database say while a run of somebody's tool has dropped those of ours, or has written them in
/// another spelling: then what they ask for is not known, and nothing may go.
#[must_use]
pub fn drifted(
    policy: &Policy,
    tags: &BTreeMap<String, String>,
    is_dropped: bool,
) -> (Policy, BTreeMap<String, String>) {
    let is_wish = |key: &str| Kept::TAGS.contains(&key);
    let mut policy = Policy {
        keep: Kept::default(),
        unreadable: false,
        ..policy.clone()
    };
    let mut drifted = tags.clone();
    drifted.retain(|key, _| !is_wish(key));
    if !is_dropped {
        for (key, value) in tags.iter().filter(|(key, _)| is_wish(key)) {
            policy.unreadable = true;
            drifted.insert(key.replace("snapferry:", "Snapferry-").replace('-', "_"), value.clone());
        }
    }
    (policy, drifted)
}

/// The number of the day, week (from Monday), month and year of a time, in UTC.
#[must_use]
pub fn calendar(time: Timestamp) -> [i64; 4] {
    let day = time.as_second().div_euclid(86_400);
    let date = time.to_zoned(TimeZone::UTC).date();
    // 1 January 1970 was a Thursday.
    [
        day,
        (day + 3).div_euclid(7),
        i64::from(date.year()) * 12 + i64::from(date.month()),
        i64::from(date.year()),
    ]
}
