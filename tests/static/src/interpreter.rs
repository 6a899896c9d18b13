//! Executes a state machine in memory, with the parts of the Amazon States Language that ours use.
//!
//! It is stricter than the emulator of the local cloud where AWS is: variables of an outer scope are read-only,
//! an undefined result of an expression is an error, and every input and output is measured.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::entries;

/// States that an execution enters at most; Step Functions ends one after 25,000 events.
const MOST_STATES: usize = 25_000;

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

    fn of_expression(problem: impl std::fmt::Display) -> Self {
        Self {
            error: "States.QueryEvaluationError".to_owned(),
            cause: Some(problem.to_string()),
        }
    }

    fn to_error_output(&self) -> Value {
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
    parsed: RefCell<HashMap<String, Rc<AstNode>>>,
    /// States entered, in order; those of branches one branch after the other.
    pub path: Vec<String>,
    /// Seconds that were waited.
    pub waits: Vec<u64>,
    /// How large inputs, results and outputs were.
    pub sizes: Sizes,
}

/// What an expression can see.
struct Sight<'s> {
    input: &'s Value,
    result: Option<&'s Value>,
    error_output: Option<&'s Value>,
    variables: &'s Map<String, Value>,
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
            parsed: RefCell::default(),
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
        self.run_scope(self.definition, input, &mut Map::new())
    }

    fn run_scope(&mut self, scope: &Value, input: Value, variables: &mut Map<String, Value>) -> Result<Value, Failure> {
        let mut next = scope["StartAt"].as_str().map(str::to_owned);
        let mut data = input;
        while let Some(name) = next {
            self.path.push(name.clone());
            assert!(
                self.path.len() < MOST_STATES,
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
                let sight = Sight::of_input(&input, variables);
                let text = |value: Value| value.as_str().map(str::to_owned);
                Err(Failure {
                    error: text(self.fill(&state["Error"], &sight)?).unwrap_or_default(),
                    cause: text(self.fill(&state["Cause"], &sight)?),
                })
            }
            Some("Choice") => {
                for choice in entries(&state["Choices"]) {
                    let condition = self.fill(&choice["Condition"], &Sight::of_input(&input, variables))?;
                    if condition
                        .as_bool()
                        .ok_or_else(|| Failure::of_expression("no boolean"))?
                    {
                        return Ok((text_of(&choice["Next"]), input));
                    }
                }
                Ok((text_of(&state["Default"]), input))
            }
            Some("Wait") => {
                let seconds = self.fill(&state["Seconds"], &Sight::of_input(&input, variables))?;
                self.waits.push(
                    seconds
                        .as_u64()
                        .ok_or_else(|| Failure::of_expression("no whole number"))?,
                );
                Ok((text_of(&state["Next"]), input))
            }
            Some("Pass") => {
                let output = self.fill(&state["Output"], &Sight::of_input(&input, variables))?;
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
            variables,
        };
        let output = self.fill(&catcher["Output"], &sight)?;
        let assigned = self.fill(&catcher["Assign"], &sight)?;
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
                let arguments = self.fill(&state["Arguments"], &Sight::of_input(input, variables))?;
                (self.tasks)(name, &arguments)?
            }
            Some("Map") => {
                let items = self.fill(&state["Items"], &Sight::of_input(input, variables))?;
                let Value::Array(items) = items else {
                    return Err(Failure::of_expression("Items: no array"));
                };
                let lanes = self.fill(&state["MaxConcurrency"], &Sight::of_input(input, variables))?;
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
            variables,
        };
        let output = match state.get("Output") {
            Some(output) => self.fill(output, &sight)?,
            None => result.clone(),
        };
        let assigned = self.fill(&state["Assign"], &sight)?;
        assign(variables, assigned);
        Ok(output)
    }

    /// A template with its expressions replaced by what they come to.
    fn fill(&self, template: &Value, sight: &Sight) -> Result<Value, Failure> {
        match template {
            Value::String(text) => match text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}")) {
                Some(expression) => self.evaluate(expression, sight),
                None => Ok(template.clone()),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item, sight)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), self.fill(value, sight)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
            _ => Ok(template.clone()),
        }
    }

    fn evaluate(&self, expression: &str, sight: &Sight) -> Result<Value, Failure> {
        let failed = |problem: String| Failure::of_expression(format!("{problem} in {expression}"));
        let mut states = json!({ "input": sight.input, "context": self.context });
        for (name, value) in [("result", sight.result), ("errorOutput", sight.error_output)] {
            if let Some(value) = value {
                states[name] = value.clone();
            }
        }
        let mut context = Context::new();
        // Only those that it mentions: the plan is large, and most expressions do without.
        for (name, value) in sight.variables {
            if expression.contains(&format!("${name}")) {
                context.bind(name.clone(), to_jsonata(value)?);
            }
        }
        context.bind("states".to_owned(), to_jsonata(&states)?);
        let mut evaluator = Evaluator::with_context(context);
        // The two functions of Step Functions that our expressions use beside JSONata's own.
        for (name, function) in [("hash", hash as HostFunction), ("parse", parse)] {
            evaluator
                .register_fn(name, function)
                .map_err(|error| failed(error.to_string()))?;
        }
        let known = self.parsed.borrow().get(expression).cloned();
        let ast = if let Some(ast) = known {
            ast
        } else {
            let ast = Rc::new(parser::parse(expression.trim()).map_err(|error| failed(error.to_string()))?);
            self.parsed.borrow_mut().insert(expression.to_owned(), Rc::clone(&ast));
            ast
        };
        let value = evaluator
            .evaluate(&ast, &JValue::Undefined)
            .map_err(|error| failed(error.to_string()))?;
        if value.is_undefined() {
            return Err(failed("no result".to_owned()));
        }
        let text = value.to_json_string().map_err(|error| failed(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }

    fn measure(&mut self, state: &str, what: &'static str, value: &Value) {
        let size = value.to_string().len();
        let largest = self.sizes.entry((state.to_owned(), what)).or_default();
        *largest = size.max(*largest);
    }
}

impl<'s> Sight<'s> {
    fn of_input(input: &'s Value, variables: &'s Map<String, Value>) -> Self {
        Self {
            input,
            result: None,
            error_output: None,
            variables,
        }
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

fn to_jsonata(value: &Value) -> Result<JValue, Failure> {
    JValue::from_json_str(&value.to_string()).map_err(Failure::of_expression)
}

type HostFunction = fn(&[JValue]) -> Result<JValue, EvaluatorError>;

/// `$hash(text, 'SHA-256')`; other algorithms are not used.
fn hash(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [text, algorithm] = [0, 1].map(|at| arguments.get(at).and_then(JValue::as_str));
    let (Some(text), Some("SHA-256")) = (text, algorithm) else {
        return Err(EvaluatorError::TypeError("$hash needs a text and SHA-256".to_owned()));
    };
    let digest = Sha256::digest(text.as_bytes());
    let hex = digest
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    Ok(JValue::from(hex))
}

/// `$parse(json)`: an error, which no Catch of the same state catches, where the text is no JSON.
fn parse(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let text = arguments.first().and_then(JValue::as_str).unwrap_or_default();
    JValue::from_json_str(text).map_err(|error| EvaluatorError::EvaluationError(error.to_string()))
}
