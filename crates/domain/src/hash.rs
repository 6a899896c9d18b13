//! The hash that names are made distinct with.

use std::fmt::Write;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_beginning_of_what_sha256sum_prints() {
        assert_eq!(hex_prefix("orders", 12), "1c168adb00d2");
        assert_eq!(hex_prefix("orders", 5), "1c168adb00d2"[..5]);
        assert_eq!(hex_prefix("", 100).len(), 64);
    }
}
