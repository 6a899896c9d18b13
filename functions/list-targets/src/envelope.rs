//! Takes an input out of what carried it.
//!
//! An event comes as it is (EventBridge rules), in a list (EventBridge Pipes and the batches of event buses), as a text
//! that is JSON, inside an SNS notification, inside an SQS message, or with what was meant for `StartExecution` around
//! it. What is inside is the same, so that nothing else has to know.

use domain::error::Error;
use serde_json::{Map, Value};

/// Most layers that are taken off: SQS, SNS and EventBridge around each other have nine, and one more costs nothing.
const MAX_LAYERS: usize = 20;

/// Most events that may come together: no batch of AWS that starts an execution is larger by default.
const MAX_EVENTS: usize = 100;

/// An input, and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inner {
    /// The path to it, for messages; empty if nothing was around it.
    pub(crate) at: String,
    /// A JSON object; or the text of a notification that is not JSON.
    pub(crate) value: Value,
}

/// Every input inside `input`, at least one.
pub(crate) fn open(input: Value) -> Result<Vec<Inner>, Error> {
    let mut found = Vec::new();
    open_at(input, String::new(), 0, &mut found)?;
    if found.len() > MAX_EVENTS {
        return Err(Error::bad_input(
            "input",
            &format!("has {} events, and {MAX_EVENTS} is the most", found.len()),
            "Send smaller batches, or one event in each execution.",
        ));
    }
    Ok(found)
}

fn open_at(input: Value, at: String, layers: usize, found: &mut Vec<Inner>) -> Result<(), Error> {
    if layers > MAX_LAYERS {
        return Err(refused(&at, &format!("has more than {MAX_LAYERS} layers around it")));
    }
    match input {
        // A schedule without an input asks for everything, as {} does.
        Value::Null if layers == 0 => found.push(Inner {
            at,
            value: Value::Object(Map::new()),
        }),
        Value::String(text) if text.trim().is_empty() && !at.ends_with("Message") => {
            open_at(Value::Null, at, 0, found)?;
        }
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => {
                open_at(inner, at, layers + 1, found)?;
            }
            // "This is a message to notify that RDS will attempt to send you event notifications ...": what SNS
            // delivers first, when an event subscription begins.
            _ if at.ends_with("Message") => found.push(Inner {
                at,
                value: Value::String(text),
            }),
            _ => return Err(refused(&at, "is not a JSON object")),
        },
        Value::Array(items) if !items.is_empty() => {
            for (number, item) in items.into_iter().enumerate() {
                open_at(item, format!("{at}[{number}]"), layers + 1, found)?;
            }
        }
        Value::Object(mut fields) => match carried(&mut fields) {
            Some((field, inner)) => {
                let at = if at.is_empty() {
                    field.to_owned()
                } else {
                    format!("{at}.{field}")
                };
                open_at(inner, at, layers + 1, found)?;
            }
            None => found.push(Inner {
                at,
                value: Value::Object(fields),
            }),
        },
        _ => return Err(refused(&at, "is not a JSON object")),
    }
    Ok(())
}

/// What an object carries, if all that it does is carry, and the field that it is in.
fn carried(fields: &mut Map<String, Value>) -> Option<(&'static str, Value)> {
    let has = |field: &str| fields.contains_key(field);
    let field = if fields.get("Records").is_some_and(Value::is_array) {
        "Records"
    } else if fields.get("Sns").is_some_and(Value::is_object) {
        "Sns"
    } else if has("TopicArn") && fields.get("Message").is_some_and(Value::is_string) {
        "Message"
    } else if (has("messageId") || has("receiptHandle")) && fields.get("body").is_some_and(Value::is_string) {
        "body"
    } else if has("StateMachineArn") {
        // What EventBridge Scheduler's universal target hands to StartExecution, and a person may paste.
        "Input"
    } else {
        return None;
    };
    let inner = fields.remove(field).unwrap_or_else(|| Value::Object(Map::new()));
    Some((field, inner))
}

fn refused(at: &str, problem: &str) -> Error {
    Error::bad_input(
        if at.is_empty() { "input" } else { at },
        problem,
        "Start the execution with {} for every database, or {\"only\": [\"orders\"]} for some.",
    )
}

#[cfg(test)]
mod tests;
