//! Which release of Snapferry runs, and which one made a payload.

use domain::error::Error;
use serde::Serialize;
use serde_json::Value;

/// The variable in which a stack names its release to its functions.
pub const VARIABLE: &str = "RELEASE";

/// The field in which a payload says which release made it.
const FIELD: &str = "release";

/// Where a payload says it: itself, or the part of it that a function made.
const PLACES: [&str; 5] = [
    "/release",
    "/target/release",
    "/drill/release",
    "/page/release",
    "/request/page/release",
];

/// The release that the stack names, or else the version that this program was built as.
#[must_use]
pub fn running(variable: impl Fn(&str) -> Option<String>) -> String {
    variable(VARIABLE)
        .filter(|release| !release.is_empty())
        .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}

/// The release whose function made a payload; none if a person typed it, or AWS sent it.
#[must_use]
pub fn made_by(payload: &Value) -> Option<&str> {
    let says = |place: &&str| payload.pointer(place)?.as_str().filter(|release| !release.is_empty());
    PLACES.iter().find_map(says)
}

/// Notes in the log that a payload is of another release than the one that runs.
pub fn note(payload: &Value, running: &str) {
    if let Some(made_by) = made_by(payload).filter(|made_by| *made_by != running) {
        tracing::info!(made_by, "the payload is of another release");
    }
}

/// What a function answers, with the release that made it.
pub fn stamped(answer: &impl Serialize, running: &str) -> Result<Value, Error> {
    let mut answer = serde_json::to_value(answer)
        .map_err(|error| Error::bad_input("answer", &error.to_string(), "This is a fault of Snapferry: report it."))?;
    if let Value::Object(fields) = &mut answer {
        fields.insert(FIELD.to_owned(), Value::from(running));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_stack_says_which_release_it_is_and_a_program_without_one_says_its_version() {
        assert_eq!(running(|name| Some(format!("{name} 1"))), "RELEASE 1");
        for nothing in [None, Some(String::new())] {
            assert_eq!(running(|_| nothing.clone()), env!("CARGO_PKG_VERSION"));
        }
    }

    #[test]
    fn a_payload_says_which_release_made_it_or_a_person_did() {
        for payload in [
            json!({"release": "1.2.3", "target": {"release": "1.2.2"}}),
            json!({"target": {"release": "1.2.3"}}),
            json!({"drill": {"release": "1.2.3"}, "before": {}}),
            json!({"page": {"release": "1.2.3"}}),
            json!({"request": {"page": {"release": "1.2.3"}}, "run": {}}),
        ] {
            assert_eq!(made_by(&payload), Some("1.2.3"), "{payload}");
        }
        for by_hand in [json!({}), json!({"release": 7}), json!({"release": ""}), json!([])] {
            assert_eq!(made_by(&by_hand), None, "{by_hand}");
        }
    }

    #[test]
    fn an_answer_says_which_release_made_it_whatever_its_input_said() {
        let answer = stamped(&json!({"release": "1.2.2", "outcome": "copied"}), "1.2.3");
        assert_eq!(answer, Ok(json!({"release": "1.2.3", "outcome": "copied"})));
    }
}
