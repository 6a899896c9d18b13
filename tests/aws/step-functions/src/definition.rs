//! Definitions of which the runner knows every field.

use serde_json::{Value, json};

/// The items of an array, none for anything else.
#[must_use]
pub fn entries(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A state machine whose definition holds nothing that the runner would overlook.
#[derive(Debug)]
pub struct StateMachine {
    name: String,
    definition: Value,
}

impl StateMachine {
    /// The machine of this name, by a definition with its placeholders filled in.
    ///
    /// # Panics
    /// At whatever the runner does not know.
    #[must_use]
    pub fn new(name: &str, definition: Value) -> Self {
        assert_eq!(definition["QueryLanguage"], "JSONata");
        check_scope(name, &definition, "QueryLanguage StartAt States TimeoutSeconds");
        Self {
            name: name.to_owned(),
            definition,
        }
    }

    /// What it was made from.
    #[must_use]
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    /// How many seconds one of its executions may take, if the definition says so.
    #[must_use]
    pub(crate) fn timeout_seconds(&self) -> Option<u64> {
        self.definition["TimeoutSeconds"].as_u64()
    }

    /// `$states.context` of one of its executions, which began at this time (RFC 3339).
    #[must_use]
    pub fn context(&self, execution: &str, started: &str, redrives: u32, input: &Value) -> Value {
        let arn = |kind: &str| format!("arn:aws:states:us-east-1:123456789012:{kind}:{}", self.name);
        json!({
            "Execution": {
                "Id": format!("{}:{execution}", arn("execution")), "Name": execution, "RedriveCount": redrives, "Input": input,
                "StartTime": started,
            },
            "StateMachine": { "Id": arn("stateMachine"), "Name": self.name },
        })
    }
}

/// The fields of a state of this type, beside `Comment`.
fn fields(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Succeed" => "Type Output",
        "Fail" => "Type Error Cause",
        "Choice" => "Type Choices Default Output Assign",
        "Wait" => "Type Seconds Output Assign Next",
        "Pass" => "Type Output Assign Next",
        "Task" => "Type Resource Arguments TimeoutSeconds Retry Catch Output Assign Next",
        "Map" => "Type Items MaxConcurrency ItemProcessor Retry Catch Output Assign Next",
        "Parallel" => "Type Branches Retry Catch Output Assign Next",
        _ => return None,
    })
}

fn check_scope(place: &str, scope: &Value, known: &str) {
    refuse_others(place, scope, known);
    for (name, state) in scope["States"].as_object().into_iter().flatten() {
        check_state(name, state);
    }
}

fn check_state(name: &str, state: &Value) {
    let kind = state["Type"].as_str().unwrap_or_default();
    let known = fields(kind).unwrap_or_else(|| panic!("{name}: the runner does not know the type {kind:?}"));
    refuse_others(name, state, known);
    for choice in entries(&state["Choices"]) {
        refuse_others(name, choice, "Condition Output Assign Next");
    }
    for retrier in entries(&state["Retry"]) {
        let delays = "IntervalSeconds BackoffRate MaxDelaySeconds JitterStrategy";
        refuse_others(name, retrier, &format!("ErrorEquals MaxAttempts {delays}"));
        let jitter = retrier["JitterStrategy"].as_str().unwrap_or("NONE");
        assert!(["NONE", "FULL"].contains(&jitter), "{name}: {jitter}");
    }
    for catcher in entries(&state["Catch"]) {
        refuse_others(name, catcher, "ErrorEquals Output Assign Next");
    }
    for branch in entries(&state["Branches"]) {
        check_scope(name, branch, "StartAt States");
    }
    if let Some(processor) = state.get("ItemProcessor") {
        assert_eq!(processor["ProcessorConfig"]["Mode"], "INLINE", "{name}");
        check_scope(name, processor, "StartAt States ProcessorConfig");
    }
}

fn refuse_others(place: &str, part: &Value, known: &str) {
    for field in part.as_object().into_iter().flatten().map(|(field, _)| field.as_str()) {
        assert!(
            field == "Comment" || known.split(' ').any(|name| name == field),
            "{place}: the runner does not know the field {field}"
        );
    }
}
