//! Reads what an execution or a state hands to a function.

use domain::by_hand::{Object, check};
use domain::error::Error;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::release::made_by;

/// Reads an input, without `log`, which is for the log only, and without what the console and Step Functions add:
/// `Comment` and `AWS_STEP_FUNCTIONS_...`. What cannot be read is refused by name: as a bad input, or, if a function made
/// it, as a payload of another release.
pub fn parse<I: DeserializeOwned>(mut input: Value) -> Result<I, Error> {
    strip(&mut input);
    let release = made_by(&input).map(str::to_owned);
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "input" } else { &path };
        let problem = error.inner().to_string();
        match release {
            Some(release) => Error::PayloadUnknown {
                field: field.to_owned(),
                problem,
                release,
            },
            None => Error::bad_input(field, &problem, "Correct the field and start the execution again."),
        }
    })
}

/// The same for what a person may have typed: a field that its objects do not have is refused by name. What a function made
/// may have fields of the next release; it says at `release`, a JSON pointer, which release made it.
pub fn parse_by_hand<I: DeserializeOwned>(mut input: Value, release: &str, objects: &[Object]) -> Result<I, Error> {
    strip(&mut input);
    if input.pointer(release).is_none() {
        check(&input, objects)?;
    }
    parse(input)
}

fn strip(input: &mut Value) {
    if let Value::Object(fields) = input {
        fields
            .retain(|name, _| !matches!(name.as_str(), "Comment" | "log") && !name.starts_with("AWS_STEP_FUNCTIONS_"));
    }
}
