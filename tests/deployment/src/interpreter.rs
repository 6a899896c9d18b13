//! Executes a state machine in memory, with the parts of the Amazon States Language that ours use.
//!
//! It is stricter than the emulator of the local cloud where AWS is: variables of an outer scope are read-only,
//! an undefined result of an expression is an error, and every input and output is measured.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::entries;
use crate::expressions::{Expressions, Sight};

/// States that an execution enters at most; Step Functions ends one after 25,000 events.
const MAX_STATES: usize = 25_000;

/// An error with its cause, as a Catch sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Name of the error.
    pub error: String,
    /// What is said about it. A timeout has none.
    pub cause: Option<String>,
}

impl Failure {
    /// A function that failed: its error's name, and the message where the Lambda runtime puts it.
    #[must_use]
    pub fn of_function(error: &str, message: &str) -> Self {
        Self {
            error: error.to_owned(),
            cause: Some(json!({ "errorType": error, "errorMessage": message }).to_string()),
        }
    }

    /// A nested execution that ended as `status`, in the words of AWS: the description of the execution.
    #[must_use]
    pub fn of_nested_execution(status: &str, inner: Option<&Failure>) -> Self {
        let mut description = json!({
            "ExecutionArn": "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-snapshot:i-orders-0a1b2c3d",
            "Input": json!({ "kind": "instance", "id": "orders" }).to_string(),
            "InputDetails": { "Included": true },
            "Name": "i-orders-0a1b2c3d",
            "StartDate": 1_795_000_000_000_u64,
            "Status": status,
            "StopDate": 1_795_000_001_000_u64,
        });
        if let Some(inner) = inner {
            description["Error"] = json!(inner.error);
            description["Cause"] = json!(inner.cause);
        }
        Self {
            error: "States.TaskFailed".to_owned(),
            cause: Some(description.to_string()),
        }
    }

    /// An expression that cannot be evaluated.
    #[must_use]
    pub fn of_expression(problem: impl std::fmt::Display) -> Self {
        Self {
            error: "States.QueryEvaluationError".to_owned(),
            cause: Some(problem.to_string()),
        }
    }

    /// What a Catch sees as `$states.errorOutput`.
    #[must_use]
    pub fn to_error_output(&self) -> Value {
        let mut output = Map::from_iter([("Error".to_owned(), json!(self.error))]);
        if let Some(cause) = &self.cause {
            output.insert("Cause".to_owned(), json!(cause));
        }
        Value::Object(output)
    }
}

/// The largest value in bytes that each state had as `input`, `result` or `output`.
pub type Sizes = BTreeMap<(String, &'static str), usize>;

/// What the Tasks of an execution come to: the state's name and its arguments in, its result out.
type Tasks<'a> = dyn Fn(&str, &Value) -> Result<Value, Failure> + 'a;

/// One execution of a state machine.
pub struct Interpreter<'a> {
    definition: &'a Value,
    tasks: Box<Tasks<'a>>,
    context: Value,
    expressions: Expressions,
    /// States entered, in order; those of branches one branch after the other.
    pub path: Vec<String>,
    /// Seconds that were waited.
    pub waits: Vec<u64>,
    /// How large inputs, results and outputs were.
    pub sizes: Sizes,
}

/// The next state and what it gets.
type Step = Result<(Option<String>, Value), Failure>;

impl<'a> Interpreter<'a> {
    /// An execution that has not begun, of the machine `name`.
    #[must_use]
    pub fn new(
        definition: &'a Value,
        machine: &str,
        execution: &str,
        tasks: impl Fn(&str, &Value) -> Result<Value, Failure> + 'a,
    ) -> Self {
        let arn = |kind: &str| format!("arn:aws:states:us-east-1:123456789012:{kind}:snapferry-{machine}");
        Self {
            definition,
            tasks: Box::new(tasks),
            context: json!({
                "Execution": { "Id": format!("{}:{execution}", arn("execution")), "Name": execution, "RedriveCount": 0 },
                "StateMachine": { "Id": arn("stateMachine"), "Name": format!("snapferry-{machine}") },
            }),
            expressions: Expressions::default(),
            path: Vec::new(),
            waits: Vec::new(),
            sizes: Sizes::new(),
        }
    }

    /// The same execution after an operator redrove it `times`.
    #[must_use]
    pub fn redriven(mut self, times: u32) -> Self {
        self.context["Execution"]["RedriveCount"] = json!(times);
        self
    }

    /// Runs it to its end.
    pub fn run(&mut self, input: Value) -> Result<Value, Failure> {
        self.context["Execution"]["Input"] = input.clone();
        self.run_scope(self.definition, input, &mut Map::new())
    }

    fn run_scope(&mut self, scope: &Value, input: Value, variables: &mut Map<String, Value>) -> Result<Value, Failure> {
        let mut next = scope["StartAt"].as_str().map(str::to_owned);
        let mut data = input;
        while let Some(name) = next {
            self.path.push(name.clone());
            assert!(
                self.path.len() < MAX_STATES,
                "the execution goes round in circles: {name}"
            );
            self.measure(&name, "input", &data);
            (next, data) = self.step(&name, &scope["States"][&name], data, variables)?;
            self.measure(&name, "output", &data);
        }
        Ok(data)
    }

    fn step(&mut self, name: &str, state: &Value, input: Value, variables: &mut Map<String, Value>) -> Step {
        match state["Type"].as_str() {
            Some("Succeed") => Ok((None, input)),
            Some("Fail") => {
                let sight = Sight::of_input(&input, &self.context, variables);
                let text = |value: Value| value.as_str().map(str::to_owned);
                Err(Failure {
                    error: text(self.expressions.fill(&state["Error"], &sight)?).unwrap_or_default(),
                    cause: text(self.expressions.fill(&state["Cause"], &sight)?),
                })
            }
            Some("Choice") => {
                for choice in entries(&state["Choices"]) {
                    let condition = self
                        .expressions
                        .fill(&choice["Condition"], &Sight::of_input(&input, &self.context, variables))?;
                    if condition
                        .as_bool()
                        .ok_or_else(|| Failure::of_expression("no boolean"))?
                    {
                        return Ok((text_of(&choice["Next"]), input));
                    }
                }
                let sight = Sight::of_input(&input, &self.context, variables);
                let assigned = self.expressions.fill(&state["Assign"], &sight)?;
                assign(variables, assigned);
                Ok((text_of(&state["Default"]), input))
            }
            Some("Wait") => {
                let seconds = self
                    .expressions
                    .fill(&state["Seconds"], &Sight::of_input(&input, &self.context, variables))?;
                self.waits.push(
                    seconds
                        .as_u64()
                        .ok_or_else(|| Failure::of_expression("no whole number"))?,
                );
                Ok((text_of(&state["Next"]), input))
            }
            Some("Pass") => {
                let output = self
                    .expressions
                    .fill(&state["Output"], &Sight::of_input(&input, &self.context, variables))?;
                Ok((text_of(&state["Next"]), output))
            }
            Some("Task" | "Map" | "Parallel") => self.work(name, state, &input, variables),
            other => panic!("{name}: the interpreter does not know {other:?}"),
        }
    }

    /// A state that can fail, with its Retry and Catch.
    fn work(&mut self, name: &str, state: &Value, input: &Value, variables: &mut Map<String, Value>) -> Step {
        let mut attempts = BTreeMap::<usize, u64>::new();
        let failure = loop {
            match self.attempt(name, state, input, variables) {
                Ok(output) => return Ok((text_of(&state["Next"]), output)),
                Err(failure) => {
                    let retriers = entries(&state["Retry"]);
                    let Some(at) = retriers.iter().position(|retrier| matches(retrier, &failure)) else {
                        break failure;
                    };
                    let made = attempts.entry(at).or_default();
                    if *made >= retriers[at]["MaxAttempts"].as_u64().unwrap_or(3) {
                        break failure;
                    }
                    *made += 1;
                }
            }
        };
        let Some(catcher) = entries(&state["Catch"])
            .iter()
            .find(|catcher| matches(catcher, &failure))
        else {
            return Err(failure);
        };
        let error_output = failure.to_error_output();
        let sight = Sight {
            input,
            result: None,
            error_output: Some(&error_output),
            context: &self.context,
            variables,
        };
        let output = self.expressions.fill(&catcher["Output"], &sight)?;
        let assigned = self.expressions.fill(&catcher["Assign"], &sight)?;
        assign(variables, assigned);
        Ok((text_of(&catcher["Next"]), output))
    }

    fn attempt(
        &mut self,
        name: &str,
        state: &Value,
        input: &Value,
        variables: &mut Map<String, Value>,
    ) -> Result<Value, Failure> {
        let result = match state["Type"].as_str() {
            Some("Task") => {
                let arguments = self
                    .expressions
                    .fill(&state["Arguments"], &Sight::of_input(input, &self.context, variables))?;
                (self.tasks)(name, &arguments)?
            }
            Some("Map") => {
                let items = self
                    .expressions
                    .fill(&state["Items"], &Sight::of_input(input, &self.context, variables))?;
                let Value::Array(items) = items else {
                    return Err(Failure::of_expression("Items: no array"));
                };
                let lanes = self.expressions.fill(
                    &state["MaxConcurrency"],
                    &Sight::of_input(input, &self.context, variables),
                )?;
                assert!(lanes.is_u64(), "{name}: MaxConcurrency is {lanes}");
                let results: Result<_, _> = items
                    .into_iter()
                    .map(|item| self.run_scope(&state["ItemProcessor"], item, &mut variables.clone()))
                    .collect();
                Value::Array(results?)
            }
            _ => {
                let results: Result<_, _> = entries(&state["Branches"])
                    .iter()
                    .map(|branch| self.run_scope(branch, input.clone(), &mut variables.clone()))
                    .collect();
                Value::Array(results?)
            }
        };
        self.measure(name, "result", &result);
        let sight = Sight {
            input,
            result: Some(&result),
            error_output: None,
            context: &self.context,
            variables,
        };
        let output = match state.get("Output") {
            Some(output) => self.expressions.fill(output, &sight)?,
            None => result.clone(),
        };
        let assigned = self.expressions.fill(&state["Assign"], &sight)?;
        assign(variables, assigned);
        Ok(output)
    }

    fn measure(&mut self, state: &str, what: &'static str, value: &Value) {
        let size = value.to_string().len();
        let largest = self.sizes.entry((state.to_owned(), what)).or_default();
        *largest = size.max(*largest);
    }
}

/// Whether a retrier or catcher is for this failure. `States.ALL` leaves out what nothing can catch.
fn matches(entry: &Value, failure: &Failure) -> bool {
    let beyond_catching = ["States.DataLimitExceeded", "States.Runtime"].contains(&failure.error.as_str());
    entries(&entry["ErrorEquals"])
        .iter()
        .any(|name| *name == failure.error.as_str() || (*name == "States.ALL" && !beyond_catching))
}

fn assign(variables: &mut Map<String, Value>, assigned: Value) {
    if let Value::Object(assigned) = assigned {
        variables.extend(assigned);
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
