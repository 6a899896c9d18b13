//! The stack of the destination region by hand: both machines as they are rendered, the functions behind their deployed
//! roles, and the simulated RDS, in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::drill_proof::{DrillProof, subject};
use domain::error::Error;
use domain::kind::DatabaseKind;
use end_restore::Runs;
use fixtures::{DESTINATION, watch_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::simulator::DatabaseState;
use runtime::input::parse;
use runtime::watch::Watch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ssm::AllProofs;
use step_functions::{
    Clock, Expressions, Failure, NestedExecution, Observer, Runner, StateMachine, Task, Tasks, Work, before,
};

/// The owner that the templates are rendered with.
pub(crate) const OWNER_ID: &str = "snapferry";
/// What may become of a task that a test disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is done, and its answer is lost with the function.
    Killed,
    /// Its execution is stopped by hand before it is done.
    ChildStopped,
    /// So is the execution that started that one, with it.
    RunStopped,
}

/// The destination region.
pub(crate) struct DrillCloud<'w> {
    pub(crate) world: &'w World,
    variables: Vec<(&'static str, &'static str)>,
    expressions: Expressions,
    fleet: StateMachine,
    copy: StateMachine,
    pub(crate) proofs: RefCell<AllProofs>,
    /// Machine and name of the executions that are running.
    running: RefCell<BTreeSet<String>>,
    /// Messages that were sent.
    pub(crate) messages: Cell<u32>,
    /// What the operator's function answers.
    pub(crate) check: RefCell<Value>,
    /// At which visit of which state there is trouble.
    trouble: Option<(&'static str, u32, Trouble)>,
    visits: RefCell<BTreeMap<String, u32>>,
    /// Which executions are stopped: of the drill, or of the run.
    stopped: Cell<Option<Trouble>>,
    runs: Cell<u32>,
}

/// A machine of the destination stack, as it is rendered.
fn machine(name: &str) -> StateMachine {
    let definition = rendered(&format!("{name}.asl.json"));
    StateMachine::new(&format!("{OWNER_ID}-{name}"), definition)
}

/// A rendered file of the destination stack.
pub(crate) fn rendered(name: &str) -> Value {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/rendered/destination");
    let text = std::fs::read_to_string(path.join(name)).expect("target/rendered is missing: run `make render`");
    serde_json::from_str(&text).expect("JSON")
}

impl<'w> DrillCloud<'w> {
    /// The stack with these variables of the functions, over a world; each function calls RDS as its own role.
    pub(crate) fn new(world: &'w World, variables: &[(&'static str, &'static str)]) -> Self {
        for (function, role) in rendered("policies.json").as_object().expect("roles") {
            world.policies(function, role["policies"].as_array().expect("policies").clone());
        }
        Self {
            world,
            variables: variables.to_vec(),
            expressions: Expressions::default(),
            fleet: machine("drill-fleet"),
            copy: machine("drill-copy"),
            proofs: RefCell::default(),
            running: RefCell::default(),
            messages: Cell::new(0),
            check: RefCell::new(json!({"passed": true})),
            trouble: None,
            visits: RefCell::default(),
            stopped: Cell::new(None),
            runs: Cell::new(0),
        }
    }

    /// The same, with trouble at the n-th visit of a state of drill-copy.
    pub(crate) fn troubled(self, state: &'static str, visit: u32, trouble: Trouble) -> Self {
        Self {
            trouble: Some((state, visit, trouble)),
            ..self
        }
    }

    /// What a function works with, behind its own role.
    pub(crate) fn watch(&self, function: &str) -> Watch {
        let own = [
            ("OWNER_ID", OWNER_ID),
            ("STACK_NAME", OWNER_ID),
            ("DRILL_COPY_MACHINE", "snapferry-drill-copy"),
            ("DRILL_SUBNET_GROUP", "drills"),
            ("DRILL_SECURITY_GROUP", "sg-0123456789abcdef0"),
        ];
        let all: Vec<(&str, &str)> = self.variables.iter().copied().chain(own).collect();
        watch_with(self.world, function, &all)
    }

    /// A run of drill-fleet; nothing if it was stopped by hand.
    pub(crate) async fn run(&self, input: Value) -> Option<Result<Value, Failure>> {
        self.stopped.set(None);
        self.runs.set(self.runs.get() + 1);
        let name = format!("run-{}", self.runs.get());
        let run = self.execute(&self.fleet, &name, input);
        let stop = stopped(&self.stopped, &[Trouble::RunStopped]);
        let ended = before(run, stop).await;
        if ended.is_none() {
            self.running.borrow_mut().clear();
        }
        ended
    }

    async fn execute(&self, machine: &StateMachine, name: &str, input: Value) -> Result<Value, Failure> {
        let runner = Runner {
            expressions: &self.expressions,
            clock: self,
            tasks: self,
            observer: &Unobserved,
        };
        let context = machine.context(name, &self.world.now().to_string(), 0, &input);
        let own = format!("{}:{name}", context["StateMachine"]["Name"].as_str().expect("a name"));
        self.running.borrow_mut().insert(own.clone());
        let ended = runner.run(machine, &context, input).await;
        self.running.borrow_mut().remove(&own);
        ended
    }

    /// One sweep, and an hour until the next.
    pub(crate) async fn sweep(&self) -> Value {
        let swept = self.end_restore(json!({"sweep": true})).await.expect("a sweep");
        self.world.advance(Duration::from_hours(1));
        swept
    }

    async fn end_restore(&self, payload: Value) -> Result<Value, Error> {
        let watch = self.watch("EndRestore");
        let request = parse(payload)?;
        end_restore::handle(&watch, self, request, self.world.now())
            .await
            .map(json_of)
    }

    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, Error> {
        let now = self.world.now();
        match function {
            "plan-drills" => {
                let proofs = self.proofs.borrow().clone();
                let input = parse(payload)?;
                plan_drills::handle(&self.watch("PlanDrills"), &proofs, input, now)
                    .await
                    .map(json_of)
            }
            "start-restore" => {
                let watch = self.watch("StartRestore");
                start_restore::handle(&watch, parse(payload)?, now).await.map(json_of)
            }
            "check-restore" => {
                let watch = self.watch("CheckRestore");
                check_restore::handle(&watch, parse(payload)?, now).await.map(json_of)
            }
            "end-restore" => self.end_restore(payload).await,
            other => panic!("{other} is not a function of the stack"),
        }
    }

    /// The databases that drills made, and the automated backups that are left of any.
    pub(crate) fn left(&self) -> Vec<String> {
        let state = self.world.state();
        let region = &state.regions[DESTINATION];
        let drills = region
            .databases
            .iter()
            .filter(|database| database.id.contains("-drill-"));
        let backups = region
            .retained_backups
            .iter()
            .map(|database| format!("backup of {database}"));
        drills.map(|database| database.id.clone()).chain(backups).collect()
    }

    /// A database of the destination region.
    pub(crate) fn database(&self, part: &str) -> Option<DatabaseState> {
        let state = self.world.state();
        let all = &state.regions[DESTINATION].databases;
        all.iter().find(|database| database.id.contains(part)).cloned()
    }

    /// The proof of a database.
    pub(crate) fn proof(&self, kind: DatabaseKind, resource_id: &str) -> Option<DrillProof> {
        self.proofs.borrow().get(&(kind, resource_id.to_owned())).cloned()
    }

    /// What disturbs this visit of a state, if anything does.
    fn disturbs(&self, state: &str) -> Option<Trouble> {
        let mut visits = self.visits.borrow_mut();
        let visit = visits.entry(state.to_owned()).or_default();
        *visit += 1;
        self.trouble
            .filter(|(troubled, at, _)| *troubled == state && at == visit)
            .map(|(_, _, trouble)| trouble)
    }
}

/// Ends when one of these was asked for.
async fn stopped(asked: &Cell<Option<Trouble>>, of: &[Trouble]) {
    std::future::poll_fn(|_| match asked.get() {
        Some(trouble) if of.contains(&trouble) => std::task::Poll::Ready(()),
        _ => std::task::Poll::Pending,
    })
    .await;
}

/// Runs what needs a runtime to its end: between the executions no real time may pass.
fn now<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

fn json_of(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}

fn from_json<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("what a function can read")
}

impl Tasks for DrillCloud<'_> {
    fn perform<'t>(&'t self, task: Task<'t>) -> Work<'t, Result<Value, Failure>> {
        Box::pin(async move {
            let trouble = self.disturbs(task.state);
            if let Some(stop @ (Trouble::ChildStopped | Trouble::RunStopped)) = trouble {
                self.stopped.set(Some(stop));
                std::future::pending::<()>().await;
            }
            let arguments = task.arguments;
            let text = |name: &str| arguments[name].as_str().unwrap_or_default();
            let service = task.resource.split(":::").nth(1).unwrap_or_default();
            match service {
                "lambda:invoke" => {
                    let function = text("FunctionName").rsplit(':').next().unwrap_or_default();
                    let Some(function) = function.strip_prefix("snapferry-") else {
                        return Ok(json!({ "Payload": self.check.borrow().clone() }));
                    };
                    let answer = now(self.invoke(function, arguments["Payload"].clone()));
                    if trouble == Some(Trouble::Killed) {
                        return Err(Failure::new("Sandbox.Timedout", "the function was killed".to_owned()));
                    }
                    answer.map(|payload| json!({ "Payload": payload })).map_err(|error| {
                        let said = json!({ "errorType": error.name(), "errorMessage": error.to_string() });
                        Failure::new(error.name(), said.to_string())
                    })
                }
                "states:startExecution.sync:2" => {
                    let nested = NestedExecution::new(text("StateMachineArn"), text("Name"), &arguments["Input"]);
                    let run = self.execute(&self.copy, text("Name"), arguments["Input"].clone());
                    let stop = stopped(&self.stopped, &[Trouble::ChildStopped]);
                    match before(run, stop).await {
                        Some(Ok(output)) => Ok(nested.succeeded(output)),
                        Some(Err(failure)) => {
                            let status = if failure.error == "States.Timeout" {
                                "TIMED_OUT"
                            } else {
                                "FAILED"
                            };
                            Err(nested.failed(status, Some(&failure)))
                        }
                        None => {
                            self.stopped.set(None);
                            self.running.borrow_mut().retain(|arn| !arn.contains("drill-copy"));
                            Err(nested.failed("ABORTED", None))
                        }
                    }
                }
                "aws-sdk:ssm:putParameter" => {
                    let (kind, resource_id) = subject(text("Name")).expect("the name of a proof");
                    let proof: DrillProof = from_json(text("Value"));
                    assert!(
                        text("Value").len() <= 1024,
                        "a proof has at most 1 KB: {}",
                        text("Value")
                    );
                    self.proofs.borrow_mut().insert((kind, resource_id.to_owned()), proof);
                    Ok(json!({ "Version": 1 }))
                }
                "aws-sdk:secretsmanager:describeSecret" => {
                    let state = self.world.state();
                    let databases = &state.regions[DESTINATION].databases;
                    if databases.iter().any(|database| database.has_secret) {
                        return Ok(json!({ "ARN": text("SecretId") }));
                    }
                    Err(Failure::new(
                        "SecretsManager.ResourceNotFoundException",
                        "gone".to_owned(),
                    ))
                }
                "sns:publish" => {
                    self.messages.set(self.messages.get() + 1);
                    Ok(json!({ "MessageId": "1" }))
                }
                other => panic!("{other} is not called"),
            }
        })
    }
}

impl Clock for DrillCloud<'_> {
    fn sleep(&self, time: Duration) -> Work<'_, ()> {
        Box::pin(async move {
            // No time passes for what is stopped.
            if self.stopped.get().is_some() {
                std::future::pending::<()>().await;
            }
            self.world.advance(time);
        })
    }
}

impl Runs for DrillCloud<'_> {
    async fn is_running(&self, arn: &str) -> Result<bool, Error> {
        let own: Vec<&str> = arn.splitn(7, ':').collect();
        assert!(
            arn.starts_with(&format!("arn:aws:states:{DESTINATION}:123456789012:execution:")),
            "{arn}"
        );
        Ok(own.last().is_some_and(|own| self.running.borrow().contains(*own)))
    }
}

struct Unobserved;

impl Observer for Unobserved {}
