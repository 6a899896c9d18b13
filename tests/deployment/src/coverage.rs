//! The scenarios of `tests/deployment/scenarios.json`, which several interpreters run.

use serde_json::{Value, json};

use crate::{Failure, entries};

/// The file.
#[derive(Debug)]
pub struct Coverage {
    file: Value,
}

impl Coverage {
    /// Reads the file.
    ///
    /// # Panics
    /// When it is no JSON.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self {
            file: serde_json::from_str(text).expect("JSON"),
        }
    }

    /// The scenarios, each with what came of it.
    #[must_use]
    pub fn scenarios(&self) -> &[Value] {
        entries(&self.file["scenarios"])
    }

    /// What the executions of a machine are started with.
    #[must_use]
    pub fn input(&self, machine: &str) -> Value {
        self.file["inputs"][machine].clone()
    }

    /// What a Task comes to at its attempt number `turn`, from 0, by a script that names what is not as usual. The last
    /// word of a Task holds for all further attempts.
    ///
    /// # Panics
    /// When neither the script nor the file knows the Task.
    pub fn come_to(&self, script: &Value, state: &str, turn: usize) -> Result<Value, Failure> {
        let words = script.get(state).unwrap_or(&self.file["usual"][state]);
        let words = entries(words);
        let word = words.get(turn).or(words.last()).and_then(Value::as_str);
        let word = word.unwrap_or_else(|| panic!("what does {state} come to?"));
        let answer = &self.file["answers"][word];
        if let Some(result) = answer.get("result") {
            return Ok(result.clone());
        }
        Err(match word {
            _ if answer.is_object() => Failure {
                error: answer["error"].as_str().unwrap_or_default().to_owned(),
                cause: answer["cause"].as_str().map(str::to_owned),
            },
            // A timeout says nothing.
            "States.Timeout" => Failure {
                error: word.to_owned(),
                cause: None,
            },
            word if word.contains('.') => Failure {
                error: word.to_owned(),
                cause: Some("As the test wants it.".to_owned()),
            },
            word => Failure::of_function(word, "As the test wants it."),
        })
    }

    /// What is told of an execution that succeeded.
    #[must_use]
    pub fn of_success(machine: &str, output: &Value) -> Value {
        let output = if machine == "copy-snapshot" {
            json!({ "outcome": output["outcome"], "pruned": output["pruned"] })
        } else {
            json!({ "counts": output["counts"], "failures": output["failures"] })
        };
        json!({ "status": "SUCCEEDED", "output": output })
    }

    /// The same without the digests in names: they are of the execution's ARN, which is another one in each
    /// interpreter.
    ///
    /// # Panics
    /// Never: what was JSON still is.
    #[must_use]
    pub fn without_digests(story: &Value) -> Value {
        let text = story.to_string();
        let mut cleaned = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('-') {
            let (before, after) = rest.split_at(at + 1);
            cleaned.push_str(before);
            rest = if after.bytes().take_while(u8::is_ascii_hexdigit).count() == 8 {
                cleaned.push_str("########");
                &after[8..]
            } else {
                after
            };
        }
        serde_json::from_str(&(cleaned + rest)).expect("JSON")
    }
}
