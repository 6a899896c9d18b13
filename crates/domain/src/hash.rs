//! The hash that names are made distinct with.

use std::fmt::Write;
use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};

/// The first digits of the SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn hex_prefix(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text);
    let mut hex = digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    hex.truncate(digits);
    hex
}

/// A number in `range` that follows from the text alone: jitter that is the same when a call is repeated.
#[must_use]
pub fn spread(text: &str, range: RangeInclusive<u64>) -> u64 {
    let random = u64::from_str_radix(&hex_prefix(text, 8), 16).unwrap_or_default();
    range.start() + random % (range.end() - range.start() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_beginning_of_what_sha256sum_prints() {
        assert_eq!(hex_prefix("orders", 12), "1c168adb00d2");
        assert_eq!(hex_prefix("orders", 5), "1c168adb00d2"[..5]);
        assert_eq!(hex_prefix("", 100).len(), 64);
    }

    #[test]
    fn jitter_is_the_same_for_the_same_text_and_reaches_both_ends() {
        let numbers: Vec<u64> = (0..200).map(|text: u32| spread(&text.to_string(), 3..=7)).collect();
        let again: Vec<u64> = (0..200).map(|text: u32| spread(&text.to_string(), 3..=7)).collect();
        assert_eq!(numbers, again);
        let found: std::collections::BTreeSet<u64> = numbers.into_iter().collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    }
}
