//! Tags that were meant for Snapferry and are spelled in another way.
//!
//! What a person wished for is read only where it is spelled right. A wish that is spelled otherwise is never passed over
//! without a word: absence is not permission.

use std::collections::BTreeMap;

use crate::tags;

/// Edits (a letter more, less or another) between a key and the tag that it was meant for.
pub const MAX_EDITS: usize = 2;

/// A key that is not one of our tags, though it was probably meant for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misspelling<'a> {
    /// The key as it is written on the database.
    pub written: &'a str,
    /// The tag that is nearest to it; none if the key only has our prefix.
    pub meant: Option<&'static str>,
    /// The value. It belongs in no message.
    pub value: &'a str,
}

impl Misspelling<'_> {
    /// Whether it was meant for a tag that asks for retention: until it is right, nothing may be deleted.
    #[must_use]
    pub fn is_retention(&self) -> bool {
        self.meant.is_some_and(|meant| tags::RETENTION.contains(&meant))
    }

    /// What is wrong with it, as the end of a sentence that begins with the tag as it is written.
    #[must_use]
    pub fn problem(&self) -> String {
        match self.meant {
            Some(meant) => format!("is spelled otherwise than {meant}"),
            None => "is not a tag that Snapferry knows".to_owned(),
        }
    }
}

/// Every key that is spelled otherwise than one of our tags, or that has our prefix and is none of them.
pub fn misspelled(tags: &BTreeMap<String, String>) -> impl Iterator<Item = Misspelling<'_>> {
    tags.iter().filter_map(|(written, value)| {
        let near = nearest(written)?;
        Some(Misspelling {
            written,
            meant: near.meant(),
            value,
        })
    })
}

/// Whether a key is one of our tags, or may have been meant for one. Any other tag of a database is none of our business.
#[must_use]
pub fn concerns_us(key: &str) -> bool {
    key.starts_with(tags::PREFIX) || nearest(key).is_some()
}

/// Whether a key is `tag`, or was meant for it, and is not another tag of ours.
#[must_use]
pub fn is_meant_for(key: &str, tag: &str) -> bool {
    key == tag || (!tags::ALL.contains(&key) && edits(&plain(key), &plain(tag)) <= MAX_EDITS)
}

/// What an unknown key is near to.
enum Near {
    Tag(&'static str),
    Prefix,
}

impl Near {
    fn meant(&self) -> Option<&'static str> {
        match self {
            Self::Tag(tag) => Some(tag),
            Self::Prefix => None,
        }
    }
}

/// The tag for which a key was meant, unless the key is one of our tags itself, or nothing like them.
fn nearest(key: &str) -> Option<Near> {
    if tags::ALL.contains(&key) {
        return None;
    }
    let plain = plain(key);
    let edits = tags::WISHES.iter().map(|tag| (edits(&plain, &self::plain(tag)), *tag));
    // Of equals the first: the tags stand in the order of what harm a mistake does.
    match edits.min_by_key(|(edits, _)| *edits) {
        Some((edits, tag)) if edits <= MAX_EDITS => Some(Near::Tag(tag)),
        _ if plain.starts_with(&self::plain(tags::PREFIX)) => Some(Near::Prefix),
        _ => None,
    }
}

/// A key in small letters, with one separator for all.
fn plain(key: &str) -> String {
    let separator = |character| if matches!(character, '_' | ':') { '-' } else { character };
    key.trim().chars().map(separator).flat_map(char::to_lowercase).collect()
}

/// The number of edits that make one text of the other; more than [`MAX_EDITS`] are not counted exactly.
#[must_use]
pub fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > MAX_EDITS {
        return MAX_EDITS + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != to);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(
        clippy::option_option,
        reason = "whether it is misspelled, and for which tag it was meant if for one"
    )]
    fn meant(key: &str) -> Option<Option<&'static str>> {
        let tags = BTreeMap::from([(key.to_owned(), "10".to_owned())]);
        misspelled(&tags).next().map(|found| found.meant)
    }

    /// M6, case 12.
    #[test]
    fn a_tag_in_another_spelling_is_found_with_the_tag_that_was_meant() {
        for (written, tag) in [
            ("SNAPFERRY:KEEP", tags::KEEP),
            ("Snapferry:Copy", tags::COPY),
            ("Snapferry:keep-days", tags::KEEP_DAYS),
            ("snapferry-keep-days", tags::KEEP_DAYS),
            ("snapferry_keep_yearly", tags::KEEP_YEARLY),
            ("snapferry:keep_weekly", tags::KEEP_WEEKLY),
            ("snapfery:keep", tags::KEEP),
            ("snapferry:kep-days", tags::KEEP_DAYS),
            ("snapferry:keep-day", tags::KEEP_DAYS),
            ("snapferry:keeps", tags::KEEP),
            ("snapferry:cpoy", tags::COPY),
            ("snapferrykeep", tags::KEEP),
            (" snapferry:kms-key", tags::KMS_KEY),
            ("snapferry:optiongroup", tags::OPTION_GROUP),
        ] {
            assert_eq!(meant(written), Some(Some(tag)), "{written}");
            assert!(concerns_us(written), "{written}");
        }
    }

    #[test]
    fn our_own_tags_are_right_and_what_others_write_is_not_ours() {
        for tag in tags::ALL {
            assert_eq!(meant(tag), None, "{tag}");
            assert!(concerns_us(tag), "{tag}");
        }
        for other in [
            "team",
            "Name",
            "keep",
            "copy",
            "ferry:keep",
            "aws:cloudformation:stack-name",
            "",
        ] {
            assert_eq!(meant(other), None, "{other}");
            assert!(!concerns_us(other), "{other}");
        }
    }

    #[test]
    fn an_unknown_tag_with_our_prefix_was_meant_for_none() {
        for written in ["snapferry:team", "Snapferry:Whatever", "snapferry_x"] {
            assert_eq!(meant(written), Some(None), "{written}");
        }
    }

    #[test]
    fn a_persons_hold_is_found_in_any_spelling_and_no_other_tag_is_one() {
        for key in [
            "snapferry:hold",
            "Snapferry-Hold",
            "SNAPFERRY_HOLD",
            " snapferry:hold ",
            "snapfery:holds",
        ] {
            assert!(is_meant_for(key, tags::HOLD), "{key}");
        }
        for key in tags::ALL.iter().filter(|tag| **tag != tags::HOLD) {
            assert!(!is_meant_for(key, tags::HOLD), "{key}");
        }
        assert!(!is_meant_for("hold", tags::HOLD));
    }

    #[test]
    fn only_retention_holds() {
        let tags = BTreeMap::from([
            ("Snapferry:Copy".to_owned(), "false".to_owned()),
            ("SNAPFERRY:KEEP".to_owned(), "s3cret".to_owned()),
        ]);
        let found: Vec<_> = misspelled(&tags)
            .map(|found| (found.is_retention(), found.problem()))
            .collect();
        let problem = |tag| format!("is spelled otherwise than {tag}");
        assert_eq!(found, [(true, problem(tags::KEEP)), (false, problem(tags::COPY))]);
    }

    proptest! {
        /// M6: a change of case, of separators, and of a letter or two never hides a wish.
        #[test]
        fn a_wish_is_found_in_any_case_with_any_separator_and_an_edit(
            tag in proptest::sample::select(tags::WISHES),
            upper in proptest::collection::vec(any::<bool>(), 30),
            separators in proptest::collection::vec(proptest::sample::select(&['-', '_', ':'][..]), 30),
            removed in 0_usize..30,
        ) {
            let mut written: Vec<char> = tag.chars().zip(upper.iter().zip(&separators)).map(|(letter, (upper, separator))| {
                match letter {
                    '-' | ':' => *separator,
                    _ if *upper => letter.to_ascii_uppercase(),
                    _ => letter,
                }
            }).collect();
            if removed < written.len() {
                written.remove(removed);
            }
            let written: String = written.into_iter().collect();
            prop_assume!(!tags::ALL.contains(&written.as_str()));
            prop_assert!(meant(&written).flatten().is_some(), "{written}");
        }

        #[test]
        fn any_key_is_read_without_a_panic(key in ".*") {
            let _ = meant(&key);
        }
    }
}
