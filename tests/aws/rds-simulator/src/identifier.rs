//! Which names RDS takes.

/// Checks a name that a user gives: letters, digits and hyphens, a letter first, no hyphen last, none doubled.
pub(crate) fn check(name: &str, longest: usize) -> Result<(), String> {
    if name.is_empty() || name.len() > longest {
        return Err(format!("must be 1 to {longest} characters"));
    }
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && name.as_bytes()[0].is_ascii_alphabetic()
        && !name.ends_with('-')
        && !name.contains("--");
    if legal {
        Ok(())
    } else {
        Err(
            "identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; \
             and must not end with a hyphen or contain two consecutive hyphens"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_are_letters_digits_and_single_hyphens() {
        for good in ["a", "a-b", "Orders2", &"a".repeat(63)] {
            assert_eq!(check(good, 63), Ok(()), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "1a", "a_b", "rds:a", "ä", &"a".repeat(64)] {
            assert!(check(bad, 63).is_err(), "{bad}");
        }
    }
}
