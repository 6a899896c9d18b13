//! Reads what an execution or a state hands to a function.

use domain::error::Error;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads an input. What it does not know is refused by name, but for `log`, which is for the log only, and for what
/// the console and Step Functions add to hand-made inputs: `Comment` and `AWS_STEP_FUNCTIONS_...`.
pub fn parse<I: DeserializeOwned>(mut input: Value) -> Result<I, Error> {
    if let Value::Object(fields) = &mut input {
        fields
            .retain(|name, _| !matches!(name.as_str(), "Comment" | "log") && !name.starts_with("AWS_STEP_FUNCTIONS_"));
    }
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "input" } else { &path };
        Error::bad_input(
            field,
            &error.inner().to_string(),
            "Correct the field and start the execution again.",
        )
    })
}
