//! How many of a database's copies are kept: the stack's parameters, and the tags that may ask for more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ownership::Format;
use crate::tag_spelling::{Misspelling, misspelled};
use crate::tags;

/// What is kept of a database's verified copies. A copy goes only if every rule lets it go; 0 is no such rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetentionRules {
    /// Number of newest copies to keep.
    #[serde(skip_serializing_if = "is_zero")]
    pub copies: u32,
    /// Keep copies of data up to this many days old.
    #[serde(skip_serializing_if = "is_zero")]
    pub days: u32,
    /// The last of each day (UTC), of so many days that have one.
    #[serde(skip_serializing_if = "is_zero")]
    pub daily: u32,
    /// The last of each week (ISO 8601, UTC).
    #[serde(skip_serializing_if = "is_zero")]
    pub weekly: u32,
    /// The last of each month.
    #[serde(skip_serializing_if = "is_zero")]
    pub monthly: u32,
    /// The last of each year.
    #[serde(skip_serializing_if = "is_zero")]
    pub yearly: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One of the rules: what it is called where, and how far it goes.
#[derive(Debug)]
pub struct RetentionRule {
    /// The tag on a database: a wish.
    pub tag: &'static str,
    /// The tag on its copies: a record of the wish when the copy was made.
    pub record: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
    /// The largest value.
    pub(crate) most: u32,
    field: fn(&mut RetentionRules) -> &mut u32,
}

impl RetentionRule {
    /// The parameter of the template: `KeepDays` for `KEEP_DAYS`.
    fn parameter(&self) -> String {
        let words = self.variable.split('_');
        words
            .map(|word| word[..1].to_owned() + &word[1..].to_ascii_lowercase())
            .collect()
    }

    /// The tag that records it on a copy of this version.
    fn record_in(&self, format: Format) -> &'static str {
        match format {
            Format::V1 => self.tag,
            Format::V2 => self.record,
        }
    }
}

impl RetentionRules {
    /// Every rule.
    pub const RULES: [RetentionRule; 6] = [
        rule([tags::KEEP, tags::SOURCE_KEEP], "KEEP_COPIES", 100, |keep| {
            &mut keep.copies
        }),
        rule([tags::KEEP_DAYS, tags::SOURCE_KEEP_DAYS], "KEEP_DAYS", 3650, |keep| {
            &mut keep.days
        }),
        rule([tags::KEEP_DAILY, tags::SOURCE_KEEP_DAILY], "KEEP_DAILY", 100, |keep| {
            &mut keep.daily
        }),
        rule(
            [tags::KEEP_WEEKLY, tags::SOURCE_KEEP_WEEKLY],
            "KEEP_WEEKLY",
            100,
            |keep| &mut keep.weekly,
        ),
        rule(
            [tags::KEEP_MONTHLY, tags::SOURCE_KEEP_MONTHLY],
            "KEEP_MONTHLY",
            100,
            |keep| &mut keep.monthly,
        ),
        rule(
            [tags::KEEP_YEARLY, tags::SOURCE_KEEP_YEARLY],
            "KEEP_YEARLY",
            100,
            |keep| &mut keep.yearly,
        ),
    ];

    /// What a database's tags ask for, and what is wrong with them: the tag and a remedy, never the value.
    #[must_use]
    pub fn from_wishes(tags: &BTreeMap<String, String>) -> (Self, Vec<(&'static str, String)>) {
        Self::from_tags(tags, |rule| rule.tag)
    }

    /// What the tags of a copy recorded. Copies of version 1 recorded under the names of the wishes.
    #[must_use]
    pub fn from_records(format: Format, tags: &BTreeMap<String, String>) -> (Self, Vec<(&'static str, String)>) {
        Self::from_tags(tags, |rule| rule.record_in(format))
    }

    fn from_tags(
        tags: &BTreeMap<String, String>,
        name: impl Fn(&RetentionRule) -> &'static str,
    ) -> (Self, Vec<(&'static str, String)>) {
        let mut keep = Self::default();
        let mut wrong = Vec::new();
        for rule in &Self::RULES {
            let Some(value) = tags.get(name(rule)) else { continue };
            match value.trim().parse() {
                Ok(number) if (1..=rule.most).contains(&number) => *(rule.field)(&mut keep) = number,
                _ => wrong.push((name(rule), format!("is not a whole number from 1 to {}", rule.most))),
            }
        }
        (keep, wrong)
    }

    /// What the parameters of a stack ask for. One that is not there, or no number, asks for nothing.
    #[must_use]
    pub fn from_parameters<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Self {
        let mut keep = Self::default();
        for rule in &Self::RULES {
            let number = value(&rule.parameter()).and_then(|text| text.trim().parse().ok());
            *(rule.field)(&mut keep) = number.unwrap_or_default();
        }
        keep
    }

    /// The tags of a copy that record the same.
    pub fn to_records(mut self, format: Format) -> impl Iterator<Item = (&'static str, String)> {
        Self::RULES
            .into_iter()
            .map(move |rule| (rule.record_in(format), *(rule.field)(&mut self)))
            .filter(|(_, number)| *number > 0)
            .map(|(tag, number)| (tag, number.to_string()))
    }

    /// The tags of a database that ask for the same.
    pub fn to_wishes(self) -> impl Iterator<Item = (&'static str, String)> {
        // Version 1 recorded under the names of the wishes.
        self.to_records(Format::V1)
    }

    /// By each rule, what keeps more.
    #[must_use]
    pub fn widest(mut self, mut other: Self) -> Self {
        for rule in &Self::RULES {
            let field = (rule.field)(&mut self);
            *field = (*field).max(*(rule.field)(&mut other));
        }
        self
    }

    /// The tags of the rules that ask for something, and for less than `other`.
    pub fn less_than(mut self, other: &Self) -> impl Iterator<Item = &'static str> {
        let mut other = *other;
        Self::RULES.into_iter().filter_map(move |rule| {
            let asked = *(rule.field)(&mut self);
            (asked > 0 && asked < *(rule.field)(&mut other)).then_some(rule.tag)
        })
    }

    /// Number of copies that are kept of a database with one copy each day: those of the last days, and of the weeks, months
    /// and years that these do not reach. It is the most that there can be, because one copy may be the last of several.
    #[must_use]
    pub fn copies_of_daily(self) -> u32 {
        let of_days = if self.days > 0 { self.days.saturating_add(1) } else { 0 };
        let newest = self.copies.max(of_days).max(self.daily).max(1);
        [(self.weekly, 7), (self.monthly, 31), (self.yearly, 366)]
            .into_iter()
            .fold(newest, |kept, (rule, days)| {
                kept.saturating_add(rule.saturating_sub(newest / days))
            })
    }

    /// Whether no rule is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets the rule to a number.
    pub(crate) fn set(&mut self, rule: &RetentionRule, number: u32) {
        *(rule.field)(self) = number;
    }
}

/// What keeps a database's tags from being read for all that they ask to be kept: a rule's tag whose value is none, or a
/// key that was meant for a rule's tag. The key and what is wrong with it, never the value.
#[must_use]
pub fn unreadable_retention(tags: &BTreeMap<String, String>) -> Vec<(&str, String)> {
    let values = RetentionRules::from_wishes(tags).1.into_iter();
    let keys = misspelled(tags)
        .filter(Misspelling::is_retention)
        .map(|found| (found.written, found.problem()));
    values.chain(keys).collect()
}

const fn rule(
    [tag, record]: [&'static str; 2],
    variable: &'static str,
    most: u32,
    field: fn(&mut RetentionRules) -> &mut u32,
) -> RetentionRule {
    RetentionRule {
        tag,
        record,
        variable,
        most,
        field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn tags_ask_for_what_is_kept_and_copies_record_it() {
        let asked = tags(&[
            ("snapferry:keep", "7"),
            ("snapferry:keep-days", " 365 "),
            ("team", "shop"),
        ]);
        let (keep, wrong) = RetentionRules::from_wishes(&asked);
        assert!(wrong.is_empty());
        let expected = RetentionRules {
            copies: 7,
            days: 365,
            ..RetentionRules::default()
        };
        assert_eq!(keep, expected);
        for (format, names) in [
            (Format::V1, ["snapferry:keep", "snapferry:keep-days"]),
            (Format::V2, ["snapferry:source-keep", "snapferry:source-keep-days"]),
        ] {
            let recorded = keep.to_records(format).map(|(tag, value)| (tag.to_owned(), value));
            let recorded: BTreeMap<String, String> = recorded.collect();
            assert_eq!(recorded, tags(&[(names[0], "7"), (names[1], "365")]));
            assert_eq!(RetentionRules::from_records(format, &recorded), (expected, Vec::new()));
        }
    }

    #[test]
    fn the_parameters_of_a_stack_are_called_like_the_variables_of_its_functions() {
        let names: Vec<String> = RetentionRules::RULES.iter().map(RetentionRule::parameter).collect();
        let expected = [
            "KeepCopies",
            "KeepDays",
            "KeepDaily",
            "KeepWeekly",
            "KeepMonthly",
            "KeepYearly",
        ];
        assert_eq!(names, expected);
        let keep = RetentionRules::from_parameters(|name| match name {
            "KeepCopies" => Some("3"),
            "KeepYearly" => Some(" 2 "),
            "KeepDaily" => Some("none"),
            _ => None,
        });
        let expected = RetentionRules {
            copies: 3,
            yearly: 2,
            ..RetentionRules::default()
        };
        assert_eq!(keep, expected);
    }

    #[test]
    fn what_cannot_be_read_is_named_without_its_value_and_asks_for_nothing() {
        for value in ["0", "-1", "101", "ten", "", "4294967296", "1.5"] {
            let (keep, wrong) = RetentionRules::from_wishes(&tags(&[("snapferry:keep-weekly", value)]));
            assert!(keep.is_empty());
            let expected = (
                "snapferry:keep-weekly",
                "is not a whole number from 1 to 100".to_owned(),
            );
            assert_eq!(wrong, [expected], "{value:?}");
        }
    }

    /// M6, case 12.
    #[test]
    fn a_retention_tag_that_cannot_be_read_or_is_misspelled_is_named() {
        let all = tags(&[
            ("snapferry:keep", "many"),
            ("SNAPFERRY:KEEP-DAYS", "s3cret"),
            ("Snapferry:Copy", "false"),
            ("snapferry:team", "shop"),
            ("team", "shop"),
        ]);
        let named: Vec<(&str, String)> = unreadable_retention(&all);
        let expected = [
            ("snapferry:keep", "is not a whole number from 1 to 100".to_owned()),
            (
                "SNAPFERRY:KEEP-DAYS",
                "is spelled otherwise than snapferry:keep-days".to_owned(),
            ),
        ];
        assert_eq!(named, expected);
        assert!(unreadable_retention(&tags(&[("snapferry:keep", "9"), ("keep", "x")])).is_empty());
    }

    #[test]
    fn more_is_what_keeps_more_by_each_rule() {
        let stack = RetentionRules {
            copies: 3,
            monthly: 12,
            ..RetentionRules::default()
        };
        let tags = RetentionRules {
            copies: 1,
            days: 30,
            monthly: 24,
            ..RetentionRules::default()
        };
        let expected = RetentionRules {
            copies: 3,
            days: 30,
            monthly: 24,
            ..RetentionRules::default()
        };
        assert_eq!(stack.widest(tags), expected);
        assert_eq!(tags.widest(stack), expected);
    }
}
