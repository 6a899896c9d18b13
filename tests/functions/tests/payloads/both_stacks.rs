//! Both stacks by hand: their machines as they are rendered, and their functions, each call of which is noted and may be
//! given another payload than its machine would give it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use deployment::ALL_MACHINES;
use domain::drill_proof::subject;
use domain::error::Error;
use end_restore::Runs;
use fixtures::{DESTINATION, deployment_with, settings_with, watch_with};
use list_targets::Keys;
use rds_simulator_sdk::World;
use runtime::deployment::Deployment;
use runtime::input::parse;
use runtime::release::stamped;
use runtime::watch::Watch;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ssm::AllProofs;
use step_functions::{Clock, Expressions, Failure, NestedExecution, Observer, Runner, StateMachine, Task, Tasks, Work};

/// The release that the functions say they are.
pub(crate) const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// One call of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) function: String,
    /// Which call of its function it is, from 0.
    pub(crate) number: usize,
    pub(crate) input: Value,
    /// What it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Value>,
    /// The name of its error, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Changes the payload of a call: which one of its function it is, from 0, the function, and what its machine gives it.
pub(crate) type Change<'w> = &'w dyn Fn(usize, &str, Value) -> Value;

/// Both stacks over a world.
pub(crate) struct BothStacks<'w> {
    world: &'w World,
    variables: &'w [(&'static str, &'static str)],
    change: Change<'w>,
    expressions: Expressions,
    machines: BTreeMap<&'static str, StateMachine>,
    proofs: RefCell<AllProofs>,
    secret_asked: Cell<u32>,
    calls: RefCell<Vec<Call>>,
}

impl<'w> BothStacks<'w> {
    pub(crate) fn new(world: &'w World, variables: &'w [(&'static str, &'static str)], change: Change<'w>) -> Self {
        let machine = |name: &'static str| {
            let definition = deployment::machine(name);
            (name, StateMachine::new(&format!("snapferry-{name}"), definition))
        };
        Self {
            world,
            variables,
            change,
            expressions: Expressions::default(),
            machines: ALL_MACHINES.into_iter().map(machine).collect(),
            proofs: RefCell::default(),
            secret_asked: Cell::new(0),
            calls: RefCell::default(),
        }
    }

    /// Runs a machine to its end.
    pub(crate) async fn run(&self, machine: &str, name: &str, input: Value) -> Result<Value, Failure> {
        let runner = Runner {
            expressions: &self.expressions,
            clock: self,
            tasks: self,
            observer: &Unobserved,
        };
        let machine = &self.machines[machine];
        let context = machine.context(name, &self.world.now().to_string(), 0, &input);
        runner.run(machine, &context, input).await
    }

    /// What was called so far.
    pub(crate) fn into_calls(self) -> Vec<Call> {
        self.calls.into_inner()
    }

    fn deployment(&self, function: &str) -> Deployment {
        let own = [("OWNER_ID", "snapferry")];
        let all: Vec<(&str, &str)> = self.variables.iter().copied().chain(own).collect();
        deployment_with(self.world, function, settings_with(&all))
    }

    fn watch(&self, function: &str) -> Watch {
        let own = [
            ("OWNER_ID", "snapferry"),
            ("STACK_NAME", "snapferry"),
            ("DRILL_COPY_MACHINE", "snapferry-drill-copy"),
            ("DRILL_SUBNET_GROUP", "drills"),
            ("DRILL_SECURITY_GROUP", "sg-0123456789abcdef0"),
        ];
        let all: Vec<(&str, &str)> = self.variables.iter().copied().chain(own).collect();
        watch_with(self.world, function, &all)
    }

    async fn invoke(&self, function: &str, given: Value) -> Result<Value, Failure> {
        let number = self
            .calls
            .borrow()
            .iter()
            .filter(|call| call.function == function)
            .count();
        let input = (self.change)(number, function, given);
        let ended = self.handle(function, input.clone()).await;
        self.calls.borrow_mut().push(Call {
            function: function.to_owned(),
            number,
            input,
            output: ended.as_ref().ok().cloned(),
            error: ended.as_ref().err().map(|error| error.name().to_owned()),
        });
        ended.map_err(|error| {
            let said = json!({ "errorType": error.name(), "errorMessage": error.to_string() });
            Failure::new(error.name(), said.to_string())
        })
    }

    async fn handle(&self, function: &str, input: Value) -> Result<Value, Error> {
        let now = self.world.now();
        match function {
            "list-targets" => {
                let keys = Keys::new(self.world.kms_client(DESTINATION, function));
                let deployment = self.deployment(function);
                list_targets::handle(&deployment, &keys, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            "find-latest-snapshot" => {
                let deployment = self.deployment(function);
                find_latest_snapshot::handle(&deployment, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            "start-copy" => {
                let deployment = self.deployment(function);
                start_copy::handle(&deployment, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            "check-copy-status" => {
                let deployment = self.deployment(function);
                check_copy_status::handle(&deployment, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            "prune-old" => {
                let deployment = self.deployment(function);
                prune_old::handle(&deployment, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            "plan-drills" => {
                let proofs = self.proofs.borrow().clone();
                let watch = self.watch(function);
                plan_drills::handle(&watch, &proofs, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            "start-restore" => {
                let watch = self.watch(function);
                start_restore::handle(&watch, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            "check-restore" => {
                let watch = self.watch(function);
                check_restore::handle(&watch, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            "end-restore" => {
                let watch = self.watch(function);
                end_restore::handle(&watch, self, parse(input)?, now)
                    .await
                    .and_then(of_this)
            }
            other => panic!("{other} is in no machine"),
        }
    }
}

/// An answer as Lambda gives it.
fn of_this(answer: impl Serialize) -> Result<Value, Error> {
    stamped(&answer, RELEASE)
}

/// Runs what needs a runtime to its end: between the executions no real time may pass.
fn now<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

impl Tasks for BothStacks<'_> {
    fn perform<'t>(&'t self, task: Task<'t>) -> Work<'t, Result<Value, Failure>> {
        Box::pin(async move {
            let arguments = task.arguments;
            let text = |name: &str| arguments[name].as_str().unwrap_or_default();
            match task.resource.split(":::").nth(1).unwrap_or_default() {
                "lambda:invoke" => {
                    let function = text("FunctionName").rsplit(':').next().unwrap_or_default();
                    let Some(function) = function.strip_prefix("snapferry-") else {
                        return Ok(json!({ "Payload": { "passed": true, "rows": 12 } }));
                    };
                    let answer = now(Box::pin(self.invoke(function, arguments["Payload"].clone())))?;
                    Ok(json!({ "Payload": answer }))
                }
                "states:startExecution.sync:2" => {
                    let input = &arguments["Input"];
                    let nested = NestedExecution::new(text("StateMachineArn"), text("Name"), input);
                    let (_, machine) = text("StateMachineArn")
                        .split_once(":stateMachine:snapferry-")
                        .expect("a machine of ours");
                    match self.run(machine, text("Name"), input.clone()).await {
                        Ok(output) => Ok(nested.succeeded(output)),
                        Err(failure) => Err(nested.failed("FAILED", Some(&failure))),
                    }
                }
                "aws-sdk:ssm:putParameter" => {
                    let (kind, resource_id) = subject(text("Name")).expect("the name of a proof");
                    let proof = serde_json::from_str(text("Value")).expect("a proof");
                    self.proofs.borrow_mut().insert((kind, resource_id.to_owned()), proof);
                    Ok(json!({ "Version": 1 }))
                }
                "aws-sdk:secretsmanager:describeSecret" => {
                    self.secret_asked.set(self.secret_asked.get() + 1);
                    Err(Failure::new("SecretsManager.ResourceNotFoundException", "gone"))
                }
                "aws-sdk:ec2:describeSecurityGroups" => {
                    Ok(json!({ "SecurityGroups": [{ "IpPermissions": [], "IpPermissionsEgress": [] }] }))
                }
                "sns:publish" => Ok(json!({ "MessageId": "1" })),
                other => panic!("{other} is not called"),
            }
        })
    }
}

impl Clock for BothStacks<'_> {
    fn sleep(&self, time: Duration) -> Work<'_, ()> {
        Box::pin(async move { self.world.advance(time) })
    }
}

impl Runs for BothStacks<'_> {
    async fn is_running(&self, _arn: &str) -> Result<bool, Error> {
        Ok(true)
    }
}

struct Unobserved;

impl Observer for Unobserved {}

/// The folder of the recorded payloads.
pub(crate) fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/payloads"))
}
