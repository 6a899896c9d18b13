//! How much longer a copy takes, by what RDS reports of it.

/// Seconds to go, if the copy goes on as fast as in the `elapsed` seconds so far; nothing while RDS reports no
/// progress, as it does for a copy that it has queued.
#[must_use]
pub fn remaining_seconds(elapsed: u64, percent: i32) -> Option<u64> {
    let percent = u64::try_from(percent)
        .ok()
        .filter(|percent| (1..=100).contains(percent))?;
    Some(elapsed.saturating_mul(100 - percent) / percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_progress_promises_nothing() {
        assert_eq!(remaining_seconds(600, 0), None);
        assert_eq!(remaining_seconds(600, -1), None);
        assert_eq!(remaining_seconds(600, 50), Some(600));
        assert_eq!(remaining_seconds(600, 100), Some(0));
        assert_eq!(remaining_seconds(600, 101), None);
    }
}
