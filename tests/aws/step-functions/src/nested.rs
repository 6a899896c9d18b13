//! Executions as AWS describes them to those that started them.

use serde_json::{Value, json};

use crate::Failure;

/// Most bytes of a Cause.
const MAX_CAUSE: usize = 32_768;

/// An execution that a Task started and waited for (`startExecution.sync:2`).
#[derive(Debug, Clone)]
pub struct NestedExecution {
    description: Value,
}

impl NestedExecution {
    /// The execution of this name and input.
    ///
    /// # Panics
    /// When the ARN is not that of a state machine.
    #[must_use]
    pub fn new(machine_arn: &str, name: &str, input: &Value) -> Self {
        assert!(machine_arn.contains(":stateMachine:"), "{machine_arn}");
        let arn = machine_arn.replacen(":stateMachine:", ":execution:", 1);
        Self {
            description: json!({
                "ExecutionArn": format!("{arn}:{name}"),
                "Input": input.to_string(),
                "InputDetails": { "Included": true },
                "Name": name,
                "StartDate": 1_795_000_000_000_u64,
                "StateMachineArn": machine_arn,
                "StopDate": 1_795_000_001_000_u64,
            }),
        }
    }

    /// The result of the Task: the description, with the output as JSON.
    #[must_use]
    pub fn succeeded(mut self, output: Value) -> Value {
        self.description["Status"] = json!("SUCCEEDED");
        self.description["Output"] = output;
        self.description
    }

    /// The failure of the Task, where the execution ended as `status`: its own error is inside the description.
    #[must_use]
    pub fn failed(mut self, status: &str, inner: Option<&Failure>) -> Failure {
        self.description["Status"] = json!(status);
        if let Some(inner) = inner {
            self.description["Error"] = json!(inner.error);
            if let Some(cause) = &inner.cause {
                self.description["Cause"] = json!(cause);
            }
        }
        let mut cause = self.description.to_string();
        cause.truncate(cause.floor_char_boundary(MAX_CAUSE));
        Failure::new("States.TaskFailed", cause)
    }
}
