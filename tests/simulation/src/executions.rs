//! Executions of the real state machines, side by side in virtual time.
//!
//! The crate `step-functions` runs them. Here is what Step Functions does around that: names that are unique per machine,
//! executions that start and stop others, and the services that Tasks call, with their faults.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use deployment::DRILL_MACHINES;
use domain::drill_proof::subject;
use jiff::Timestamp;
use rds_simulator_sdk::simulator::State;
use serde_json::{Value, json};
use step_functions::{
    Clock, Expressions, Failure, MAX_EVENTS, NestedExecution, Observer, Payload, Runner, StateMachine, Task,
    Tasks as Services, Work,
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
    /// `copy-fleet`, `copy-snapshot`, `drill-fleet` or `drill-copy`.
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

impl Execution {
    /// Whether it drills.
    #[must_use]
    pub fn is_of_drill(&self) -> bool {
        DRILL_MACHINES.contains(&self.machine.as_str())
    }

    /// The name of the execution that started it, if one did.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        let arn = self.input["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"].as_str()?;
        arn.rsplit(':').next()
    }
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
    /// The same for drills, so that copies meet the same with drills and without.
    random_of_drills: RefCell<Random>,
    expressions: Expressions,
    /// Those that are deployed.
    machines: RefCell<Machines>,
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
            random_of_drills: RefCell::new(random.apart("drills")),
            random: RefCell::new(random),
            expressions: Expressions::default(),
            machines: RefCell::new(machines),
            list: RefCell::default(),
        })
    }

    /// Deploys machines. Executions that run go on with those that they began with.
    pub fn deploy(&self, machines: Machines) {
        *self.machines.borrow_mut() = machines;
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
        self.functions.running.borrow_mut().insert(key.clone());
        self.list.borrow_mut().insert(key, Rc::clone(&execution));
        let running = Running {
            all: Rc::clone(self),
            execution: Rc::clone(&execution),
            machine: self.machines.borrow()[machine],
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
        let key = (execution.machine.clone(), execution.name.clone());
        self.functions.running.borrow_mut().remove(&key);
        if execution.is_of_drill() {
            let (state, now) = (self.network.destination(), self.tasks.clock().now());
            let drills = self.functions.invariants().drills();
            drills.ended(execution, &status, &state, now);
        }
        execution.ended.keep(status);
    }

    fn random_of(&self, execution: &Execution) -> &RefCell<Random> {
        if execution.is_of_drill() {
            &self.random_of_drills
        } else {
            &self.random
        }
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
    machine: &'static StateMachine,
}

impl Running {
    async fn run(self) {
        let (machine, execution) = (self.machine, &self.execution);
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
        let Some((_, function)) = function.split_once(":function:snapferry-") else {
            assert!(function.ends_with(":function:check-orders"), "{function} is not called");
            return self.check(&task.arguments["Payload"]);
        };
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
        let random = self.all.random_of(&self.execution);
        if faulty && random.borrow_mut().per_mille(250) {
            let fault = if self.execution.is_of_drill() {
                "drill: message refused"
            } else {
                "message refused"
            };
            self.all.record.fault(fault, text("Subject"));
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
            let mut random = all.random_of(&self.execution).borrow_mut();
            let rate = all.network.rates().of_steps;
            (random.per_mille(rate / 2), random.per_mille(rate / 2))
        };
        let drill = if self.execution.is_of_drill() { "drill: " } else { "" };
        if throttled {
            all.record.fault(&format!("{drill}StartExecution throttled"), name);
            return Err(Failure::new("StepFunctions.ThrottlingException", "Rate exceeded"));
        }
        let child = all.start(machine, name, input.clone())?;
        child.listed.set(self.execution.listed.get());
        let children = &self.execution.children;
        children.borrow_mut().push(Rc::clone(&child));
        if twice {
            all.record
                .fault(&format!("{drill}StartExecution delivered twice"), name);
            let again = all.start(machine, name, input.clone())?;
            assert!(Rc::ptr_eq(&child, &again), "one name, one execution");
        }
        let status = child.ended.value().await;
        children.borrow_mut().retain(|other| !Rc::ptr_eq(other, &child));
        let description = NestedExecution::new(arn, name, input);
        match status {
            Status::Succeeded(output) => Ok(description.succeeded(output)),
            // The machine's own timeout, which nothing in it can catch.
            Status::Failed(inner) if machine == "drill-copy" && inner.error == "States.Timeout" => {
                Err(description.failed("TIMED_OUT", None))
            }
            Status::Failed(inner) => Err(description.failed("FAILED", Some(&inner))),
            Status::Aborted => Err(description.failed("ABORTED", None)),
        }
    }
}

impl Running {
    /// The operator's function looks into a restored database: it can connect to what is there, and often finds what it
    /// looks for.
    fn check(&self, request: &Value) -> Result<Value, Failure> {
        let all = &self.all;
        let state = all.network.destination();
        let name = request["identifier"].as_str().unwrap_or_default();
        let is_there = usable(&state, name);
        let drawn = all.random_of_drills.borrow_mut().within(0..=19);
        let (fault, answer) = match drawn {
            _ if !is_there => ("", Ok(json!({ "passed": false, "reason": "no connection" }))),
            0 | 1 => (
                "check function refuses",
                Ok(json!({ "passed": false, "reason": "no orders", "rows": 0 })),
            ),
            2 => ("check function says nothing", Ok(Value::Null)),
            3 => (
                "check function fails",
                Err(Failure::new("Lambda.Unknown", "it ran out of time")),
            ),
            _ => ("", Ok(json!({ "passed": true, "reason": "12 rows", "rows": 12 }))),
        };
        if !fault.is_empty() {
            all.record.fault(&format!("drill: {fault}"), name);
        }
        let drills = all.functions.invariants().drills();
        drills.checked(&self.execution.name, is_there && fault.is_empty());
        answer.map(|payload| json!({ "ExecutedVersion": "$LATEST", "StatusCode": 200, "Payload": payload }))
    }

    /// The proof of a drill is written. The answer may be lost afterwards.
    fn prove(&self, arguments: &Value) -> Result<Value, Failure> {
        let all = &self.all;
        let text = |field: &str| arguments[field].as_str().unwrap_or_default();
        let failed = || Err(Failure::new("Ssm.InternalServerErrorException", "Internal error"));
        if all.network.fails("Systems Manager", "PutParameter, before its effect") {
            return failed();
        }
        let drills = all.functions.invariants().drills();
        match (subject(text("Name")), serde_json::from_str(text("Value"))) {
            (Some((kind, resource_id)), Ok(proof)) if text("Value").len() <= 1024 => {
                drills.proved(&self.execution, &proof, all.tasks.clock().now());
                let mut proofs = all.functions.proofs.borrow_mut();
                proofs.insert((kind, resource_id.to_owned()), proof);
            }
            _ => all
                .record
                .violation(&format!("a proof that nobody can read: {arguments}")),
        }
        if all.network.fails("Systems Manager", "PutParameter, after its effect") {
            return failed();
        }
        Ok(json!({ "Version": 1 }))
    }

    /// Whether the password of a drill database is still there.
    fn describe_secret(&self, arguments: &Value) -> Result<Value, Failure> {
        let all = &self.all;
        if all.network.fails("Secrets Manager", "DescribeSecret") {
            return Err(Failure::new(
                "SecretsManager.InternalServiceErrorException",
                "Internal error",
            ));
        }
        let secret = arguments["SecretId"].as_str().unwrap_or_default();
        let state = all.network.destination();
        let drills = all.functions.invariants().drills();
        if drills.has_secret(&self.execution.name, &state) {
            return Ok(json!({ "ARN": secret }));
        }
        Err(Failure::new("SecretsManager.ResourceNotFoundException", "gone"))
    }
}

/// Whether a database of this name can be connected to.
fn usable(state: &State, name: &str) -> bool {
    state
        .database(fixtures::DESTINATION, name)
        .is_some_and(|database| ["available", "modifying"].contains(&database.status.as_str()))
}

impl Services for Running {
    fn perform<'t>(&'t self, task: Task<'t>) -> Work<'t, Result<Value, Failure>> {
        Box::pin(async move {
            match task.resource {
                "arn:aws:states:::lambda:invoke" => self.invoke(task).await,
                "arn:aws:states:::states:startExecution.sync:2" => self.nested(task.arguments).await,
                "arn:aws:states:::sns:publish" => self.publish(task.arguments),
                "arn:aws:states:::aws-sdk:ssm:putParameter" => self.prove(task.arguments),
                "arn:aws:states:::aws-sdk:secretsmanager:describeSecret" => self.describe_secret(task.arguments),
                // Nothing gets in or out.
                "arn:aws:states:::aws-sdk:ec2:describeSecurityGroups" => {
                    if self.all.network.fails("EC2", "DescribeSecurityGroups") {
                        return Err(Failure::new("Ec2.Ec2Exception", "Internal error"));
                    }
                    Ok(json!({ "SecurityGroups": [{ "IpPermissions": [], "IpPermissionsEgress": [] }] }))
                }
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
        let mut random = self.all.random_of(&self.execution).borrow_mut();
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
        let fault = if self.execution.is_of_drill() {
            "drill: step times out"
        } else {
            "step times out"
        };
        self.all.record.fault(fault, &place);
    }

    fn retries(&self, _: &str, failure: &Failure) {
        self.all.record.add(&format!("retries after {}", failure.error), 1);
    }

    /// An error that passes must not end anything the first time that it occurs.
    fn gave_up(&self, state: &str, kind: &str, failure: &Failure, retries: u32) {
        // A check function that fails has given its answer.
        if kind == "Task" && retries == 0 && passes(&failure.error) && state != "RunCheck" {
            self.all
                .record
                .violation(&format!("{state} fails with {} and was not retried", failure.error));
        }
    }
}

/// Whether an error passes, so that it is to be retried wherever it appears.
fn passes(error: &str) -> bool {
    let of_services = [
        "Throttled",
        "RdsUnavailable",
        "PayloadUnknown",
        "StepFunctions.ThrottlingException",
    ];
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
