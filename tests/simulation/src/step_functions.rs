//! Step Functions: executions of the real state machines, side by side in virtual time.
//!
//! It follows AWS in what matters here: retries with backoff, cap and full jitter, Catch, timeouts, lanes of a Map,
//! nested executions that fail as `States.TaskFailed` with their description as Cause, names that are unique a machine,
//! 256 KiB payloads, 25,000 events. What it does not know, it refuses by panicking.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use deployment::{Expressions, Failure, Sight, entries};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::functions::{Functions, Listed};
use crate::network::Network;
use crate::random::Random;
use crate::record::Record;
use crate::virtual_time::{Lane, Promise, Tasks, before, side_by_side};

/// Bytes that a state's input or output may have.
const MAX_BYTES: usize = 262_144;

/// Bytes that ours should stay below.
const MAX_BYTES_OF_OURS: usize = 200 * 1024;

/// Events that a history may have.
const MAX_EVENTS: u64 = 25_000;

/// Characters of a Cause.
const MAX_CAUSE: usize = 32_768;

/// Errors that `States.ALL` does not catch.
const BEYOND_CATCHING: [&str; 2] = ["States.DataLimitExceeded", "States.Runtime"];

/// A state machine. It lives as long as the process: there are a handful.
pub type Definition = &'static Value;

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// With this output.
    Succeeded(Value),
    /// With an error.
    Failed(Failure),
    /// Somebody stopped it.
    Aborted,
}

/// One execution.
pub struct Execution {
    /// `copy-fleet` or `copy-snapshot`.
    pub machine: String,
    /// Its name.
    pub name: String,
    /// What it was started with.
    pub input: Value,
    /// How it ended.
    pub ended: Promise<Status>,
    /// When its run, or its page of one, listed the databases.
    listed: Cell<Option<Listed>>,
    arn: String,
    context: Value,
    task: Cell<u64>,
    children: RefCell<Vec<Rc<Execution>>>,
    events: Cell<u64>,
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.machine, self.name)
    }
}

/// All executions of a simulation.
pub struct StepFunctions {
    tasks: Rc<Tasks>,
    functions: Rc<Functions>,
    network: Network,
    record: Record,
    random: RefCell<Random>,
    expressions: Expressions,
    machines: BTreeMap<String, Definition>,
    executions: RefCell<BTreeMap<(String, String), Rc<Execution>>>,
    script: RefCell<Option<Box<Script>>>,
}

/// What the Tasks come to in the place of functions and nested executions, by the name of the state.
pub type Script = dyn Fn(&str) -> Result<Value, Failure>;

type Variables = Map<String, Value>;

impl StepFunctions {
    /// Without executions yet.
    #[must_use]
    pub fn new(
        tasks: &Rc<Tasks>,
        functions: &Rc<Functions>,
        network: &Network,
        record: &Record,
        random: Random,
        machines: BTreeMap<String, Definition>,
    ) -> Rc<Self> {
        Rc::new(Self {
            tasks: Rc::clone(tasks),
            functions: Rc::clone(functions),
            network: network.clone(),
            record: record.clone(),
            random: RefCell::new(random),
            expressions: Expressions::default(),
            machines,
            executions: RefCell::default(),
            script: RefCell::default(),
        })
    }

    /// From now on no Task does anything: each comes to what the script says.
    pub fn follow_script(&self, script: impl Fn(&str) -> Result<Value, Failure> + 'static) {
        *self.script.borrow_mut() = Some(Box::new(script));
    }

    /// Starts an execution. The same name and input as one that runs is that one; a name is used only once.
    ///
    /// # Panics
    /// When the name is longer than AWS allows.
    pub fn start(self: &Rc<Self>, machine: &str, name: &str, input: Value) -> Result<Rc<Execution>, Failure> {
        assert!(name.len() <= 80, "the name {name} is too long");
        let key = (machine.to_owned(), name.to_owned());
        if let Some(there) = self.executions.borrow().get(&key) {
            return if !there.ended.is_kept() && there.input == input {
                Ok(Rc::clone(there))
            } else {
                Err(Failure {
                    error: "StepFunctions.ExecutionAlreadyExistsException".to_owned(),
                    cause: Some(format!("Execution Already Exists: {name}")),
                })
            };
        }
        let arn = |kind: &str| format!("arn:aws:states:us-east-1:123456789012:{kind}:snapferry-{machine}");
        let id = format!("{}:{name}", arn("execution"));
        let execution = Rc::new(Execution {
            machine: machine.to_owned(),
            name: name.to_owned(),
            context: json!({
                "Execution": { "Id": id, "Name": name, "RedriveCount": 0, "Input": input },
                "StateMachine": { "Id": arn("stateMachine"), "Name": format!("snapferry-{machine}") },
            }),
            arn: id,
            input,
            ended: Promise::default(),
            listed: Cell::default(),
            task: Cell::new(0),
            children: RefCell::default(),
            events: Cell::new(2),
        });
        self.record.call(&format!("execution of {machine}"));
        self.record.note(&format!("{machine} {name} begins"));
        self.executions.borrow_mut().insert(key, Rc::clone(&execution));
        let (this, running) = (Rc::clone(self), Rc::clone(&execution));
        let task = self.tasks.begin(async move {
            let definition = this.machines[&running.machine];
            let mut variables = Variables::new();
            let input = running.input.clone();
            let status = match this.scope(&running, definition, input, &mut variables).await {
                Ok(output) => Status::Succeeded(output),
                Err(failure) => Status::Failed(failure),
            };
            this.finish(&running, status);
        });
        execution.task.set(task);
        Ok(execution)
    }

    fn finish(&self, execution: &Execution, status: Status) {
        let said = match &status {
            Status::Succeeded(_) => "succeeds".to_owned(),
            Status::Failed(failure) => format!("fails: {}", failure.error),
            Status::Aborted => "is stopped".to_owned(),
        };
        self.record
            .note(&format!("{} {} {said}", execution.machine, execution.name));
        self.record.add(&format!("{} {said}", execution.machine), 1);
        self.record.largest(
            &format!("largest history of {}", execution.machine),
            execution.events.get(),
        );
        execution.ended.keep(status);
    }

    /// Stops an execution and the nested ones that it waits for. Functions that run go on.
    pub fn stop(&self, execution: &Rc<Execution>) {
        if execution.ended.is_kept() {
            return;
        }
        self.tasks.stop(execution.task.get());
        self.finish(execution, Status::Aborted);
        for child in execution.children.take() {
            self.stop(&child);
        }
    }

    /// The executions that run, by machine and name.
    #[must_use]
    pub fn running(&self) -> Vec<Rc<Execution>> {
        let executions = self.executions.borrow();
        let running = executions.values().filter(|execution| !execution.ended.is_kept());
        running.cloned().collect()
    }

    /// All executions.
    #[must_use]
    pub fn all(&self) -> Vec<Rc<Execution>> {
        self.executions.borrow().values().cloned().collect()
    }

    fn scope<'a>(
        self: &'a Rc<Self>,
        execution: &'a Rc<Execution>,
        scope: Definition,
        input: Value,
        variables: &'a mut Variables,
    ) -> Lane<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let mut next = text_of(&scope["StartAt"]);
            let mut data = input;
            self.measure("the first state", &data)?;
            while let Some(name) = next {
                let state = &scope["States"][&name];
                assert!(state.is_object(), "there is no state {name}");
                (next, data) = self.step(execution, &name, state, data, variables).await?;
                // It is the next state's input as well.
                self.measure(&name, &data)?;
            }
            Ok(data)
        })
    }

    async fn step(
        self: &Rc<Self>,
        execution: &Rc<Execution>,
        name: &str,
        state: Definition,
        input: Value,
        variables: &mut Variables,
    ) -> Result<(Option<String>, Value), Failure> {
        let fill = |template: &Value, input: &Value, variables: &Variables| {
            self.expressions
                .fill(template, &Sight::of_input(input, &execution.context, variables))
        };
        let kind = state["Type"].as_str().unwrap_or_default();
        refuse_unknown_fields(name, kind, state);
        match kind {
            "Succeed" => {
                self.events(execution, 2)?;
                Ok((None, input))
            }
            "Fail" => {
                self.events(execution, 1)?;
                let text = |value: Value| value.as_str().map(str::to_owned);
                Err(Failure {
                    error: text(fill(&state["Error"], &input, variables)?).unwrap_or_default(),
                    cause: text(fill(&state["Cause"], &input, variables)?),
                })
            }
            "Choice" => {
                self.events(execution, 2)?;
                for choice in entries(&state["Choices"]) {
                    let condition = fill(&choice["Condition"], &input, variables)?;
                    if condition
                        .as_bool()
                        .ok_or_else(|| Failure::of_expression("no boolean"))?
                    {
                        return Ok((text_of(&choice["Next"]), input));
                    }
                }
                let assigned = fill(&state["Assign"], &input, variables)?;
                assign(variables, assigned);
                Ok((text_of(&state["Default"]), input))
            }
            "Wait" => {
                self.events(execution, 2)?;
                let seconds = fill(&state["Seconds"], &input, variables)?;
                let seconds = seconds
                    .as_u64()
                    .ok_or_else(|| Failure::of_expression("no whole number"))?;
                if !(0..=99_999_999).contains(&seconds) {
                    return Err(Failure::of_expression("Seconds is out of range"));
                }
                self.tasks.clock().sleep(Duration::from_secs(seconds)).await;
                Ok((text_of(&state["Next"]), input))
            }
            "Pass" => {
                self.events(execution, 2)?;
                self.record.add(&format!("state {name}"), 1);
                let output = match state.get("Output") {
                    Some(output) => fill(output, &input, variables)?,
                    None => input,
                };
                Ok((text_of(&state["Next"]), output))
            }
            "Task" | "Map" | "Parallel" => self.work(execution, name, state, &input, variables).await,
            other => panic!("{name}: the runner does not know {other}"),
        }
    }

    /// A state that can fail, with its Retry and Catch.
    async fn work(
        self: &Rc<Self>,
        execution: &Rc<Execution>,
        name: &str,
        state: Definition,
        input: &Value,
        variables: &mut Variables,
    ) -> Result<(Option<String>, Value), Failure> {
        self.events(execution, 2)?;
        let mut made = BTreeMap::<usize, u32>::new();
        let failure = loop {
            match self.attempt(execution, name, state, input, variables).await {
                Ok(output) => return Ok((text_of(&state["Next"]), output)),
                Err(failure) => {
                    let retriers = entries(&state["Retry"]);
                    let at = retriers.iter().position(|retrier| matches(retrier, &failure));
                    let Some(at) = at else { break failure };
                    let count = made.entry(at).or_default();
                    if u64::from(*count) >= retriers[at]["MaxAttempts"].as_u64().unwrap_or(3) {
                        break failure;
                    }
                    let delay = self.delay(&retriers[at], *count);
                    *count += 1;
                    self.record.add(&format!("retries after {}", failure.error), 1);
                    let begin = self.tasks.clock().now();
                    self.tasks.clock().sleep(delay).await;
                    let waited = self.tasks.clock().now().duration_since(begin);
                    if Duration::try_from(waited).unwrap_or_default() < delay {
                        self.record
                            .violation(&format!("{name} was retried after {waited}, before {delay:?}"));
                    }
                }
            }
        };
        // An error that passes by itself must not end anything at its first appearance.
        if PASSING.contains(&failure.error.as_str()) && state["Type"] == "Task" && made.values().sum::<u32>() == 0 {
            self.record
                .violation(&format!("{name} fails with {} and was not retried", failure.error));
        }
        let catcher = entries(&state["Catch"])
            .iter()
            .find(|catcher| matches(catcher, &failure));
        let Some(catcher) = catcher else { return Err(failure) };
        let error_output = failure.to_error_output();
        let sight = Sight {
            error_output: Some(&error_output),
            ..Sight::of_input(input, &execution.context, variables)
        };
        let output = match catcher.get("Output") {
            Some(output) => self.expressions.fill(output, &sight)?,
            None => error_output.clone(),
        };
        let assigned = self.expressions.fill(&catcher["Assign"], &sight)?;
        assign(variables, assigned);
        Ok((text_of(&catcher["Next"]), output))
    }

    /// How long to wait when so many retries were made.
    fn delay(&self, retrier: &Value, made: u32) -> Duration {
        let number = |field: &str, default: f64| retrier[field].as_f64().unwrap_or(default);
        let grown =
            number("IntervalSeconds", 1.0) * number("BackoffRate", 2.0).powi(i32::try_from(made).unwrap_or(i32::MAX));
        let most = grown.min(number("MaxDelaySeconds", 31_622_400.0));
        let seconds = match retrier["JitterStrategy"].as_str() {
            Some("FULL") => self.random.borrow_mut().between(0.0, most),
            None | Some("NONE") => most,
            Some(other) => panic!("the runner does not know the jitter {other}"),
        };
        Duration::from_secs_f64(seconds)
    }

    async fn attempt(
        self: &Rc<Self>,
        execution: &Rc<Execution>,
        name: &str,
        state: Definition,
        input: &Value,
        variables: &mut Variables,
    ) -> Result<Value, Failure> {
        let fill = |template: &Value, variables: &Variables| {
            self.expressions
                .fill(template, &Sight::of_input(input, &execution.context, variables))
        };
        let result = match state["Type"].as_str() {
            Some("Task") => {
                self.events(execution, 3)?;
                let arguments = fill(&state["Arguments"], variables)?;
                self.measure(name, &arguments)?;
                let seconds = state["TimeoutSeconds"].as_u64().unwrap_or(99_999_999);
                let end = self.tasks.clock().sleep(Duration::from_secs(seconds));
                let work = self.task(execution, name, &state["Resource"], &arguments);
                before(work, end).await.unwrap_or_else(|| {
                    self.record
                        .fault("step times out", &format!("{} {name}", execution.name));
                    Err(Failure {
                        error: "States.Timeout".to_owned(),
                        cause: None,
                    })
                })?
            }
            Some("Map") => {
                self.events(execution, 2)?;
                let items = fill(&state["Items"], variables)?;
                let Value::Array(items) = items else {
                    return Err(Failure::of_expression("Items: no array"));
                };
                let lanes = fill(&state["MaxConcurrency"], variables)?;
                let lanes = lanes
                    .as_u64()
                    .and_then(|lanes| usize::try_from(lanes).ok())
                    .ok_or_else(|| Failure::of_expression("MaxConcurrency: no whole number"))?;
                let processor = &state["ItemProcessor"];
                assert_eq!(processor["ProcessorConfig"]["Mode"], "INLINE", "{name}");
                let outer = &*variables;
                let work = items.into_iter().map(|item| -> Lane<'_, _> {
                    Box::pin(async move {
                        self.events(execution, 2)?;
                        let mut inner = outer.clone();
                        self.scope(execution, processor, item, &mut inner).await
                    })
                });
                // An inline Map has 40 lanes at most.
                Value::Array(side_by_side(work, if lanes == 0 { 40 } else { lanes.min(40) }).await?)
            }
            _ => {
                self.events(execution, 2)?;
                let outer = &*variables;
                let work = entries(&state["Branches"]).iter().map(|branch| -> Lane<'_, _> {
                    Box::pin(async move {
                        let mut inner = outer.clone();
                        self.scope(execution, branch, input.clone(), &mut inner).await
                    })
                });
                Value::Array(side_by_side(work, usize::MAX).await?)
            }
        };
        self.measure(name, &result)?;
        let sight = Sight {
            result: Some(&result),
            ..Sight::of_input(input, &execution.context, variables)
        };
        let output = match state.get("Output") {
            Some(output) => self.expressions.fill(output, &sight)?,
            None => result.clone(),
        };
        let assigned = self.expressions.fill(&state["Assign"], &sight)?;
        assign(variables, assigned);
        Ok(output)
    }

    async fn task(
        self: &Rc<Self>,
        execution: &Rc<Execution>,
        name: &str,
        resource: &Value,
        arguments: &Value,
    ) -> Result<Value, Failure> {
        if let Some(script) = &*self.script.borrow() {
            return script(name);
        }
        match resource.as_str() {
            Some("arn:aws:states:::lambda:invoke") => {
                let function = arguments["FunctionName"].as_str().unwrap_or_default();
                let (_, function) = function
                    .split_once(":function:snapferry-")
                    .unwrap_or_else(|| panic!("{name}: {function} is none of ours"));
                self.record.note(&format!("{} {name}", execution.name));
                let lists = function == "list-targets";
                if lists {
                    let now = self.tasks.clock().now();
                    let (begin, _) = execution.listed.get().unwrap_or((now, now));
                    execution.listed.set(Some((begin, Timestamp::MAX)));
                }
                let payload = self
                    .functions
                    .invoke(function, arguments["Payload"].clone(), execution.listed.get())
                    .value()
                    .await?;
                if let (true, Some((begin, _))) = (lists, execution.listed.get()) {
                    execution.listed.set(Some((begin, self.tasks.clock().now())));
                }
                let mut result = json!({ "ExecutedVersion": "$LATEST", "StatusCode": 200 });
                result["Payload"] = payload;
                Ok(result)
            }
            Some("arn:aws:states:::states:startExecution.sync:2") => self.nested(execution, arguments).await,
            Some("arn:aws:states:::sns:publish") => self.publish(arguments),
            other => panic!("{name}: the runner does not know {other:?}"),
        }
    }

    fn publish(&self, arguments: &Value) -> Result<Value, Failure> {
        let text = |field: &str| arguments[field].as_str().unwrap_or_default();
        assert!(text("TopicArn").ends_with("-AlertsTopic"), "{arguments}");
        assert!(
            text("Subject").len() <= 100 && text("Message").len() <= 256 * 1024,
            "{arguments}"
        );
        // A run sends one message at most, so one in four is refused while anything is.
        let faulty = self.network.rates().of_steps > 0;
        if faulty && self.random.borrow_mut().per_mille(250) {
            self.record.fault("message refused", text("Subject"));
            return Err(Failure {
                error: "SNS.InternalErrorException".to_owned(),
                cause: Some("Internal error".to_owned()),
            });
        }
        Ok(json!({ "MessageId": "1" }))
    }

    async fn nested(self: &Rc<Self>, parent: &Rc<Execution>, arguments: &Value) -> Result<Value, Failure> {
        let text = |field: &str| arguments[field].as_str().unwrap_or_default();
        let (_, machine) = text("StateMachineArn")
            .split_once(":stateMachine:snapferry-")
            .unwrap_or_else(|| panic!("{} is none of ours", arguments["StateMachineArn"]));
        let (throttled, twice) = {
            let mut random = self.random.borrow_mut();
            let rate = self.network.rates().of_steps;
            (random.per_mille(rate / 2), random.per_mille(rate / 2))
        };
        if throttled {
            self.record.fault("StartExecution throttled", text("Name"));
            return Err(Failure {
                error: "StepFunctions.ThrottlingException".to_owned(),
                cause: Some("Rate exceeded".to_owned()),
            });
        }
        let child = self.start(machine, text("Name"), arguments["Input"].clone())?;
        child.listed.set(parent.listed.get());
        parent.children.borrow_mut().push(Rc::clone(&child));
        if twice {
            self.record.fault("StartExecution delivered twice", text("Name"));
            let again = self.start(machine, text("Name"), arguments["Input"].clone())?;
            assert!(Rc::ptr_eq(&child, &again), "one name, one execution");
        }
        let status = child.ended.value().await;
        parent.children.borrow_mut().retain(|other| !Rc::ptr_eq(other, &child));
        let mut description = json!({
            "ExecutionArn": child.arn,
            "Input": child.input.to_string(),
            "InputDetails": { "Included": true },
            "Name": child.name,
            "StartDate": 1_795_000_000_000_u64,
            "StateMachineArn": arguments["StateMachineArn"],
            "StopDate": 1_795_000_001_000_u64,
        });
        let failed = |mut description: Value, status: &str, inner: Option<&Failure>| {
            description["Status"] = json!(status);
            if let Some(inner) = inner {
                description["Error"] = json!(inner.error);
                if let Some(cause) = &inner.cause {
                    description["Cause"] = json!(cause);
                }
            }
            let mut cause = description.to_string();
            let mut end = cause.len().min(MAX_CAUSE);
            while !cause.is_char_boundary(end) {
                end -= 1;
            }
            cause.truncate(end);
            Err(Failure {
                error: "States.TaskFailed".to_owned(),
                cause: Some(cause),
            })
        };
        match status {
            Status::Succeeded(output) => {
                description["Status"] = json!("SUCCEEDED");
                description["Output"] = output;
                Ok(description)
            }
            Status::Failed(inner) => failed(description, "FAILED", Some(&inner)),
            Status::Aborted => failed(description, "ABORTED", None),
        }
    }

    fn events(&self, execution: &Execution, count: u64) -> Result<(), Failure> {
        execution.events.set(execution.events.get() + count);
        if execution.events.get() >= MAX_EVENTS {
            self.record
                .violation(&format!("{} has more than {MAX_EVENTS} events", execution.name));
            return Err(Failure {
                error: "States.Runtime".to_owned(),
                cause: Some("The execution reached the maximum number of history events (25000).".to_owned()),
            });
        }
        Ok(())
    }

    fn measure(&self, state: &str, value: &Value) -> Result<(), Failure> {
        let size = length(value);
        self.record.largest("largest payload of a state in bytes", size as u64);
        if size > MAX_BYTES_OF_OURS {
            self.record.violation(&format!("{state} carries {size} bytes"));
        }
        if size > MAX_BYTES {
            return Err(Failure {
                error: "States.DataLimitExceeded".to_owned(),
                cause: Some(format!("The state {state} carries {size} bytes")),
            });
        }
        Ok(())
    }
}

/// Errors that pass by themselves, so that each is to be retried wherever it appears.
const PASSING: [&str; 13] = [
    "Throttled",
    "RdsUnavailable",
    "CopySlotsFull",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
    "StepFunctions.ThrottlingException",
];

/// Whether a retrier or catcher is for this failure.
fn matches(entry: &Value, failure: &Failure) -> bool {
    let error = failure.error.as_str();
    let beyond = BEYOND_CATCHING.contains(&error);
    entries(&entry["ErrorEquals"]).iter().any(|name| match name.as_str() {
        Some("States.ALL") => !beyond,
        Some("States.TaskFailed") => !beyond && error != "States.Timeout",
        name => name == Some(error),
    })
}

/// A field that the runner would silently overlook must not be there.
fn refuse_unknown_fields(name: &str, kind: &str, state: &Value) {
    let known: &[&str] = match kind {
        "Succeed" => &[],
        "Fail" => &["Error", "Cause"],
        "Choice" => &["Choices", "Assign", "Default"],
        "Wait" => &["Seconds", "Next"],
        "Pass" => &["Output", "Next"],
        "Task" => &[
            "Resource",
            "Arguments",
            "Output",
            "Assign",
            "TimeoutSeconds",
            "Retry",
            "Catch",
            "Next",
        ],
        "Map" => &["Items", "MaxConcurrency", "ItemProcessor", "Output", "Catch", "Next"],
        "Parallel" => &["Branches", "Output", "Catch", "Next"],
        other => panic!("{name}: the runner does not know {other}"),
    };
    for field in state.as_object().into_iter().flatten().map(|(field, _)| field.as_str()) {
        assert!(
            ["Type", "Comment"].contains(&field) || known.contains(&field),
            "{name}: the runner does not know the field {field} of {kind}"
        );
    }
}

/// How many bytes a value has as JSON.
fn length(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("a counter takes everything");
    counter.0
}

fn assign(variables: &mut Variables, assigned: Value) {
    if let Value::Object(assigned) = assigned {
        variables.extend(assigned);
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
