//! Executions of the real state machines, side by side in virtual time.
//!
//! The crate `step-functions` runs them. Here is what Step Functions does around that: names that are unique per machine,
//! executions that start and stop others, and the services that Tasks call, with their faults.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use step_functions::{
    Clock, Expressions, Failure, MAX_EVENTS, NestedExecution, Observer, Payload, Runner, Task, Tasks as Services, Work,
};

use crate::functions::{Functions, Listed};
use crate::machines::Machines;
use crate::network::Network;
use crate::random::Random;
use crate::record::Record;
use crate::virtual_time::{Promise, Tasks};

/// Bytes that a payload of ours should stay below; Step Functions takes 256 KiB.
const MAX_BYTES_OF_OURS: usize = 200 * 1024;

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
pub struct Executions {
    tasks: Rc<Tasks>,
    functions: Rc<Functions>,
    network: Network,
    record: Record,
    random: RefCell<Random>,
    expressions: Expressions,
    machines: Machines,
    list: RefCell<BTreeMap<(String, String), Rc<Execution>>>,
}

impl Executions {
    /// None yet.
    #[must_use]
    pub fn new(
        tasks: &Rc<Tasks>,
        functions: &Rc<Functions>,
        network: &Network,
        record: &Record,
        random: Random,
        machines: Machines,
    ) -> Rc<Self> {
        Rc::new(Self {
            tasks: Rc::clone(tasks),
            functions: Rc::clone(functions),
            network: network.clone(),
            record: record.clone(),
            random: RefCell::new(random),
            expressions: Expressions::default(),
            machines,
            list: RefCell::default(),
        })
    }

    /// Starts an execution. The same name and input as one that runs is that one; a name is used only once.
    ///
    /// # Panics
    /// When the name is longer than AWS allows.
    pub fn start(self: &Rc<Self>, machine: &str, name: &str, input: Value) -> Result<Rc<Execution>, Failure> {
        assert!(name.len() <= 80, "the name {name} is too long");
        let key = (machine.to_owned(), name.to_owned());
        if let Some(there) = self.list.borrow().get(&key) {
            if !there.ended.is_kept() && there.input == input {
                return Ok(Rc::clone(there));
            }
            let cause = format!("Execution Already Exists: {name}");
            return Err(Failure::new("StepFunctions.ExecutionAlreadyExistsException", cause));
        }
        let execution = Rc::new(Execution {
            machine: machine.to_owned(),
            name: name.to_owned(),
            input,
            ended: Promise::default(),
            listed: Cell::default(),
            task: Cell::new(0),
            children: RefCell::default(),
            events: Cell::new(0),
        });
        self.record.call(&format!("execution of {machine}"));
        self.record.note(&format!("{machine} {name} begins"));
        self.list.borrow_mut().insert(key, Rc::clone(&execution));
        let running = Running {
            all: Rc::clone(self),
            execution: Rc::clone(&execution),
        };
        execution.task.set(self.tasks.begin(running.run()));
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
        let mut executions = self.all();
        executions.retain(|execution| !execution.ended.is_kept());
        executions
    }

    /// All executions.
    #[must_use]
    pub fn all(&self) -> Vec<Rc<Execution>> {
        self.list.borrow().values().cloned().collect()
    }
}

/// An execution that runs, and all that it needs for it.
struct Running {
    all: Rc<Executions>,
    execution: Rc<Execution>,
}

impl Running {
    async fn run(self) {
        let (machine, execution) = (self.all.machines[&self.execution.machine], &self.execution);
        let started = self.all.tasks.clock().now().to_string();
        let context = machine.context(&execution.name, &started, 0, &execution.input);
        let runner = Runner {
            expressions: &self.all.expressions,
            clock: &self,
            tasks: &self,
            observer: &self,
        };
        let status = match runner.run(machine, &context, execution.input.clone()).await {
            Ok(output) => Status::Succeeded(output),
            Err(failure) => Status::Failed(failure),
        };
        self.all.finish(execution, status);
    }

    async fn invoke(&self, task: Task<'_>) -> Result<Value, Failure> {
        let (all, listed) = (&self.all, &self.execution.listed);
        let function = task.arguments["FunctionName"].as_str().unwrap_or_default();
        let (_, function) = function
            .split_once(":function:snapferry-")
            .unwrap_or_else(|| panic!("{}: {function} is none of ours", task.state));
        all.record.note(&format!("{} {}", self.execution.name, task.state));
        let lists = function == "list-targets";
        if lists {
            let now = all.tasks.clock().now();
            let (begin, _) = listed.get().unwrap_or((now, now));
            listed.set(Some((begin, Timestamp::MAX)));
        }
        let payload = all
            .functions
            .invoke(function, task.arguments["Payload"].clone(), listed.get())
            .value()
            .await?;
        if let (true, Some((begin, _))) = (lists, listed.get()) {
            listed.set(Some((begin, all.tasks.clock().now())));
        }
        Ok(json!({ "ExecutedVersion": "$LATEST", "StatusCode": 200, "Payload": payload }))
    }

    fn publish(&self, arguments: &Value) -> Result<Value, Failure> {
        let text = |field: &str| arguments[field].as_str().unwrap_or_default();
        assert!(text("TopicArn").ends_with("-AlertsTopic"), "{arguments}");
        assert!(
            text("Subject").len() <= 100 && text("Message").len() <= 256 * 1024,
            "{arguments}"
        );
        // A run sends one message at most, so one in four is refused while anything is.
        let faulty = self.all.network.rates().of_steps > 0;
        if faulty && self.all.random.borrow_mut().per_mille(250) {
            self.all.record.fault("message refused", text("Subject"));
            return Err(Failure::new("SNS.InternalErrorException", "Internal error"));
        }
        Ok(json!({ "MessageId": "1" }))
    }

    /// Starts an execution, and waits for its end.
    async fn nested(&self, arguments: &Value) -> Result<Value, Failure> {
        let all = &self.all;
        let text = |field: &str| arguments[field].as_str().unwrap_or_default();
        let (arn, name, input) = (text("StateMachineArn"), text("Name"), &arguments["Input"]);
        let (_, machine) = arn
            .split_once(":stateMachine:snapferry-")
            .unwrap_or_else(|| panic!("{arn} is none of ours"));
        let (throttled, twice) = {
            let mut random = all.random.borrow_mut();
            let rate = all.network.rates().of_steps;
            (random.per_mille(rate / 2), random.per_mille(rate / 2))
        };
        if throttled {
            all.record.fault("StartExecution throttled", name);
            return Err(Failure::new("StepFunctions.ThrottlingException", "Rate exceeded"));
        }
        let child = all.start(machine, name, input.clone())?;
        child.listed.set(self.execution.listed.get());
        let children = &self.execution.children;
        children.borrow_mut().push(Rc::clone(&child));
        if twice {
            all.record.fault("StartExecution delivered twice", name);
            let again = all.start(machine, name, input.clone())?;
            assert!(Rc::ptr_eq(&child, &again), "one name, one execution");
        }
        let status = child.ended.value().await;
        children.borrow_mut().retain(|other| !Rc::ptr_eq(other, &child));
        let description = NestedExecution::new(arn, name, input);
        match status {
            Status::Succeeded(output) => Ok(description.succeeded(output)),
            Status::Failed(inner) => Err(description.failed("FAILED", Some(&inner))),
            Status::Aborted => Err(description.failed("ABORTED", None)),
        }
    }
}

impl Services for Running {
    fn perform<'t>(&'t self, task: Task<'t>) -> Work<'t, Result<Value, Failure>> {
        Box::pin(async move {
            match task.resource {
                "arn:aws:states:::lambda:invoke" => self.invoke(task).await,
                "arn:aws:states:::states:startExecution.sync:2" => self.nested(task.arguments).await,
                "arn:aws:states:::sns:publish" => self.publish(task.arguments),
                other => panic!("{}: nobody answers {other}", task.state),
            }
        })
    }
}

impl Clock for Running {
    fn sleep(&self, time: Duration) -> Work<'_, ()> {
        let clock = self.all.tasks.clock();
        let (begin, sleep) = (clock.now(), clock.sleep(time));
        Box::pin(async move {
            sleep.await;
            let slept = clock.now().duration_since(begin);
            if Duration::try_from(slept).unwrap_or_default() < time {
                self.all
                    .record
                    .violation(&format!("{:?} went on after {slept}, before {time:?}", self.execution));
            }
        })
    }

    fn jitter(&self, longest: Duration) -> Duration {
        let mut random = self.all.random.borrow_mut();
        Duration::from_secs_f64(random.between(0.0, longest.as_secs_f64()))
    }
}

impl Observer for Running {
    fn carries(&self, state: &str, _: Payload, bytes: usize) {
        let record = &self.all.record;
        record.largest("largest payload of a state in bytes", bytes as u64);
        if bytes > MAX_BYTES_OF_OURS {
            record.violation(&format!("{state} carries {bytes} bytes"));
        }
    }

    fn events(&self, count: u64) {
        self.execution.events.set(count);
        if count >= MAX_EVENTS {
            self.all
                .record
                .violation(&format!("{} has more than {MAX_EVENTS} events", self.execution.name));
        }
    }

    fn timed_out(&self, state: &str) {
        let place = format!("{} {state}", self.execution.name);
        self.all.record.fault("step times out", &place);
    }

    fn retries(&self, _: &str, failure: &Failure) {
        self.all.record.add(&format!("retries after {}", failure.error), 1);
    }

    /// An error that passes must not end anything the first time that it occurs.
    fn gave_up(&self, state: &str, kind: &str, failure: &Failure, retries: u32) {
        if kind == "Task" && retries == 0 && passes(&failure.error) {
            self.all
                .record
                .violation(&format!("{state} fails with {} and was not retried", failure.error));
        }
    }
}

/// Whether an error passes, so that it is to be retried wherever it appears.
fn passes(error: &str) -> bool {
    let of_services = ["Throttled", "RdsUnavailable", "StepFunctions.ThrottlingException"];
    OF_PLATFORM.contains(&error) || of_services.contains(&error)
}

/// Errors of Lambda and of Step Functions in the place of a function's own.
pub(crate) const OF_PLATFORM: [&str; 9] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
];
