//! The scenarios of `tests/deployment/scenarios.json`, which this runner and MiniStack run.

use serde_json::{Map, Value, json};
use step_functions::{Failure, entries};

/// The file.
#[derive(Debug)]
pub struct Coverage {
    file: Value,
}

impl Coverage {
    /// Reads the file.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self {
            file: serde_json::from_str(text).expect("JSON"),
        }
    }

    /// What the executions of a machine are started with.
    #[must_use]
    pub fn input(&self, machine: &str) -> Value {
        self.file["inputs"][machine].clone()
    }

    /// What a Task returns at its attempt number `turn`, from 0, by a script that names what is not as usual. The last
    /// word of a Task holds for all further attempts.
    ///
    /// # Panics
    /// When neither the script nor the file knows the Task.
    pub fn answer(&self, script: &Value, state: &str, turn: usize) -> Result<Value, Failure> {
        let words = script.get(state).unwrap_or(&self.file["usual"][state]);
        let words = entries(words);
        let word = words.get(turn).or(words.last()).and_then(Value::as_str);
        let word = word.unwrap_or_else(|| panic!("what does {state} return?"));
        let answer = &self.file["answers"][word];
        if let Some(result) = answer.get("result") {
            return Ok(result.clone());
        }
        Err(match word {
            _ if answer.is_object() => Failure {
                error: answer["error"].as_str().unwrap_or_default().to_owned(),
                cause: answer["cause"].as_str().map(str::to_owned),
            },
            "States.Timeout" => Failure::timeout(),
            word if word.contains('.') => Failure::new(word, "As the test wants it."),
            word => Failure::from_function(word, "As the test wants it."),
        })
    }

    /// What is recorded of an execution that succeeded.
    #[must_use]
    pub fn success(machine: &str, output: &Value) -> Value {
        let fields = match machine {
            "copy-snapshot" => ["outcome", "pruned"].as_slice(),
            "drill-copy" => &["outcome", "left", "warnings"],
            "drill-fleet" => &["counts", "failures", "left"],
            "keep-evidence" => &["parts", "databases"],
            _ => &["counts", "failures"],
        };
        let output: Map<String, Value> = fields
            .iter()
            .map(|field| ((*field).to_owned(), output[*field].clone()))
            .collect();
        json!({ "status": "SUCCEEDED", "output": output })
    }

    /// The same without the digests in names: they are of the execution's ARN, which is another one on
    /// MiniStack.
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
