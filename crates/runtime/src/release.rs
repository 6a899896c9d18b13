//! Which release of Snapferry runs.

/// The variable in which a stack names its release to its functions.
pub const VARIABLE: &str = "RELEASE";

/// The release that the stack names, or else the version that this program was built as.
#[must_use]
pub fn running(variable: impl Fn(&str) -> Option<String>) -> String {
    variable(VARIABLE)
        .filter(|release| !release.is_empty())
        .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_says_which_release_it_is_and_a_program_without_one_says_its_version() {
        assert_eq!(running(|name| Some(format!("{name} 1"))), "RELEASE 1");
        for nothing in [None, Some(String::new())] {
            assert_eq!(running(|_| nothing.clone()), env!("CARGO_PKG_VERSION"));
        }
    }
}
