//! In which order databases are restored when a whole region is: a wish on the database, recorded on its copies, because
//! nobody can ask the database on that day.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::tags;

/// The place of a database in that order (tag [`tags::RESTORE_ORDER`]): 1 comes first, and several may share a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RestoreOrder(u16);

impl RestoreOrder {
    /// The last place that there is.
    pub const MAX: u16 = 9999;

    /// What the tags of a database ask for. What cannot be read asks for nothing.
    #[must_use]
    pub fn from_wish(tags: &BTreeMap<String, String>) -> Option<Self> {
        tags.get(tags::RESTORE_ORDER)?.trim().parse().ok()
    }

    /// Whether there is such a tag, and it cannot be read.
    #[must_use]
    pub fn unreadable(tags: &BTreeMap<String, String>) -> bool {
        tags.contains_key(tags::RESTORE_ORDER) && Self::from_wish(tags).is_none()
    }
}

/// Why a text is not a place in the order of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoOrder;

impl fmt::Display for RestoreOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RestoreOrder {
    type Err = NoOrder;

    fn from_str(text: &str) -> Result<Self, NoOrder> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text
            .parse()
            .ok()
            .filter(|number| is_plain && (1..=Self::MAX).contains(number));
        number.map(Self).ok_or(NoOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number_from_1_and_what_cannot_be_read_is_none() {
        let tagged = |value: &str| BTreeMap::from([(tags::RESTORE_ORDER.to_owned(), value.to_owned())]);
        for (value, place) in [
            (" 10 ", Some(RestoreOrder(10))),
            ("007", Some(RestoreOrder(7))),
            ("9999", Some(RestoreOrder(9999))),
        ] {
            assert_eq!(RestoreOrder::from_wish(&tagged(value)), place, "{value}");
            assert!(!RestoreOrder::unreadable(&tagged(value)), "{value}");
        }
        for value in ["", "0", "10000", "+1", "first", "1.5", "-1"] {
            assert_eq!(RestoreOrder::from_wish(&tagged(value)), None, "{value}");
            assert!(RestoreOrder::unreadable(&tagged(value)), "{value}");
        }
        assert!(!RestoreOrder::unreadable(&BTreeMap::new()));
        assert!(RestoreOrder(2) < RestoreOrder(10));
    }
}
