//! How environment variables are read, with errors that name the variable and what would be right.

use std::ops::RangeInclusive;

use crate::error::Error;

/// A variable's value without the space around it. An empty one is not set: that is how a template leaves one out.
pub(crate) fn present(value: Option<String>) -> Option<String> {
    value
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

pub(crate) fn bad(name: &str, problem: &str, remedy: &str) -> Error {
    Error::BadSettings {
        variable: name.to_owned(),
        problem: problem.to_owned(),
        remedy: remedy.to_owned(),
    }
}

pub(crate) fn number<T>(name: &str, value: Option<&str>, default: T, range: RangeInclusive<T>) -> Result<T, Error>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let Some(value) = value else { return Ok(default) };
    match value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(bad(
            name,
            &format!(
                "{value:?} is not a whole number from {} to {}",
                range.start(),
                range.end()
            ),
            &format!("Set a number in that range, or leave it out for {default}."),
        )),
    }
}

pub(crate) fn flag(name: &str, value: Option<&str>) -> Result<bool, Error> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(bad(
            name,
            &format!("{other:?} is neither true nor false"),
            "Set true or false.",
        )),
    }
}
