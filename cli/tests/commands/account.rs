//! A whole account for the tests of the commands: the RDS simulator, and beside it as much of Step Functions and
//! CloudFormation as the program asks for, all behind one HTTP client and in one virtual time.
//!
//! Any region can be cut off: its endpoints then refuse connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use clap::Parser;
use domain::copy_tags::CopyTags;
use domain::kind::DatabaseKind;
use domain::ownership::{Format, Owner};
use domain::restore_settings::RestoreHints;
use domain::retention_rules::RetentionRules;
use domain::tags;
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{self, Region, Scenario};
use rds_simulator_sdk::simulator::Kind;
use serde_json::{Value, json};
use snapferry::args::Cli;
use snapferry::aws;
use snapferry::error::{CliError, ExitStatus};
use snapferry::output::terminal::Terminal;

pub(crate) const SOURCE: &str = "us-east-1";
pub(crate) const DESTINATION: &str = "eu-west-1";
pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-4111-8111-111111111111";

const RDS: &str = "http://rds.amazonaws.com/doc/2014-10-31/";
const ACCOUNT: &str = "123456789012";

/// The account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) world: World,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    stacks: BTreeMap<String, String>,
    executions: Vec<Execution>,
    /// What starts with every execution of copy-fleet, beside it; `START` is replaced by its name.
    follow: Vec<Execution>,
    lost: BTreeMap<String, Timestamp>,
    calls: BTreeMap<String, u64>,
    inputs: Vec<Value>,
    /// The classes on offer, each with its storage; none if all are, and an error code if RDS refuses to say.
    offers: Option<Result<Vec<(&'static str, &'static str)>, &'static str>>,
    /// What RDS says otherwise than the simulator: a text of its answers, and the one in its place.
    rewritten: Vec<(String, String)>,
    /// What every call of a service gets: a status and a body.
    refusals: BTreeMap<String, (u16, String)>,
    /// The parameters of Systems Manager in the region of the copies, by name.
    parameters: BTreeMap<String, Value>,
    /// The rules that were switched, and whether on.
    switched: Vec<(String, bool)>,
    /// How many seconds AWS's clock is ahead of the operator's.
    ahead: i64,
    /// What an action is answered with instead.
    answers: BTreeMap<String, (u16, String)>,
    /// Alarms that are not as they should be, each with its state; `MISSING` if there is none.
    alarms: BTreeMap<String, String>,
}

impl Inside {
    /// Starts what a test said that a run starts.
    fn start(&mut self, machine_arn: &str, name: &str, input: &Value, now: Timestamp) -> String {
        self.inputs.push(input.clone());
        if machine_arn == self::machine_arn(DRILL_FLEET) {
            let arn = execution_arn(machine_arn, name);
            for mut execution in self.follow.clone() {
                execution.started = now;
                if execution.machine == DRILL_FLEET {
                    name.clone_into(&mut execution.name);
                } else if execution.input[STARTED_BY] == "RUN" {
                    execution.input[STARTED_BY] = json!(arn);
                }
                self.executions.push(execution);
            }
            return arn;
        }
        let suffix = aws::step_functions::suffix_of_run(&run_arn(name));
        for mut execution in self.follow.clone() {
            let delay = execution.started.duration_since(rds_simulator_sdk::BEGINNING);
            execution.started = now + delay;
            if execution.machine == "snapferry-copy-fleet" {
                name.clone_into(&mut execution.name);
                execution.input = input.clone();
            } else {
                execution.name = execution.name.replace("SUFFIX", &suffix);
            }
            self.executions.push(execution);
        }
        run_arn(name)
    }
}

impl Inside {
    /// A page of the executions of a machine, the newest first.
    fn list(&self, request: &Value, now: Timestamp) -> Value {
        let wanted = &request["statusFilter"];
        let mut listed: Vec<Value> = Vec::new();
        let of_machine = self.executions.iter().filter(|execution| {
            request["stateMachineArn"] == machine_arn(execution.machine) && execution.started <= now
        });
        let mut of_machine: Vec<&Execution> = of_machine.collect();
        of_machine.sort_by_key(|execution| std::cmp::Reverse(execution.started));
        for execution in of_machine {
            let described = execution.describe(now);
            if wanted.is_null() || *wanted == described["status"] {
                listed.push(described);
            }
        }
        let token = request["nextToken"].as_str().unwrap_or_default();
        let begin: usize = token.parse().unwrap_or_default();
        let most = request["maxResults"].as_u64().unwrap_or(100).try_into().expect("small");
        let page: Vec<&Value> = listed.iter().skip(begin).take(most).collect();
        let mut answer = json!({"executions": page});
        if begin + most < listed.len() {
            answer["nextToken"] = json!((begin + most).to_string());
        }
        answer
    }

    /// Stops an execution.
    fn stop(&mut self, arn: &str, cause: &str, now: Timestamp) {
        for execution in self.executions.iter_mut().filter(|execution| execution.arn() == arn) {
            execution.takes = now.duration_since(execution.started);
            execution.status = "ABORTED";
            execution.cause = Some(cause.to_owned());
        }
    }
}

/// An execution of either machine.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    pub(crate) machine: &'static str,
    pub(crate) name: String,
    pub(crate) started: Timestamp,
    /// How long it takes.
    pub(crate) takes: SignedDuration,
    pub(crate) status: &'static str,
    pub(crate) input: Value,
    pub(crate) output: Value,
    pub(crate) error: Option<&'static str>,
    pub(crate) cause: Option<String>,
    /// The states that it entered, each with its seconds after the beginning.
    pub(crate) entered: Vec<(&'static str, i64)>,
    /// What it took into the state that it failed in.
    pub(crate) failed_with: Option<Value>,
    /// Databases, by kind, that a run lists.
    pub(crate) lengths: Option<[u32; 2]>,
    /// The variable `plan` of a run that has listed them.
    pub(crate) plan: Value,
}

impl Execution {
    /// One of copy-snapshot that began some hours ago and took ten minutes.
    pub(crate) fn copy(name: &str, now: Timestamp, hours_ago: i64) -> Self {
        Self {
            machine: "snapferry-copy-snapshot",
            name: name.to_owned(),
            started: now - SignedDuration::from_hours(hours_ago),
            takes: SignedDuration::from_mins(10),
            status: "SUCCEEDED",
            input: json!({}),
            output: json!({}),
            error: None,
            cause: None,
            entered: Vec::new(),
            failed_with: None,
            lengths: None,
            plan: json!({"nextInstances": null, "nextClusters": null}),
        }
    }

    /// One of drill-fleet.
    pub(crate) fn drills(name: &str, now: Timestamp) -> Self {
        Self {
            machine: DRILL_FLEET,
            takes: SignedDuration::from_mins(50),
            ..Self::copy(name, now, 0)
        }
    }

    /// One of drill-copy that drill-fleet starts.
    pub(crate) fn drill(kind: DatabaseKind, id: &str, now: Timestamp) -> Self {
        Self {
            machine: DRILL_COPY,
            takes: SignedDuration::from_mins(30),
            input: json!({"kind": kind, "id": id, STARTED_BY: "RUN"}),
            ..Self::copy(&format!("i-{id}-1a2b3c4d"), now, 0)
        }
    }

    /// Which database it was for.
    pub(crate) fn for_database(self, resource_id: &str) -> Self {
        Self {
            input: json!({"kind": "instance", "resourceId": resource_id}),
            ..self
        }
    }

    /// One of copy-fleet.
    pub(crate) fn run(name: &str, now: Timestamp, hours_ago: i64) -> Self {
        Self {
            machine: "snapferry-copy-fleet",
            takes: SignedDuration::from_mins(30),
            ..Self::copy(name, now, hours_ago)
        }
    }

    pub(crate) fn gives(self, output: Value) -> Self {
        Self { output, ..self }
    }

    pub(crate) fn takes(self, minutes: i64) -> Self {
        Self {
            takes: SignedDuration::from_mins(minutes),
            ..self
        }
    }

    pub(crate) fn fails(self, error: &'static str, cause: &str) -> Self {
        Self {
            status: "FAILED",
            error: Some(error),
            cause: Some(cause.to_owned()),
            ..self
        }
    }

    /// Fails with a record that only the last state of its history has.
    pub(crate) fn fails_with(self, error: &'static str, cause: &str, record: Value) -> Self {
        Self {
            failed_with: Some(record),
            ..self.fails(error, cause)
        }
    }

    pub(crate) fn enters(self, states: impl IntoIterator<Item = (&'static str, i64)>) -> Self {
        Self {
            entered: states.into_iter().collect(),
            ..self
        }
    }

    pub(crate) fn lists(self, instances: u32, clusters: u32) -> Self {
        Self {
            lengths: Some([instances, clusters]),
            ..self
        }
    }

    fn arn(&self) -> String {
        execution_arn(&machine_arn(self.machine), &self.name)
    }

    /// The events of its history.
    fn history(&self, with_data: bool) -> Vec<Value> {
        let listed = self.lengths.iter().filter(|_| with_data);
        let listed = listed.map(|_| {
            json!({"id": 3, "timestamp": self.started.as_second(), "type": "TaskStateExited",
                "stateExitedEventDetails": {"name": "ListTargets",
                    "assignedVariables": {"plan": self.plan.to_string()}}})
        });
        let events = self.lengths.into_iter().flatten().enumerate().map(|(at, length)| {
            json!({"id": at + 1, "timestamp": self.started.as_second(), "type": "MapStateStarted",
                "mapStateStartedEventDetails": {"length": length}})
        });
        let states = self.entered.iter().map(|(name, after)| {
            json!({"id": 100 + after, "timestamp": self.started.as_second() + after, "type": "TaskStateEntered",
                "stateEnteredEventDetails": {"name": name}})
        });
        let failed = self.failed_with.iter().filter(|_| with_data).map(|input| {
            json!({"id": 900, "timestamp": self.started.as_second(), "type": "FailStateEntered",
                "stateEnteredEventDetails": {"name": self.error, "input": input.to_string()}})
        });
        listed.chain(events).chain(states).chain(failed).collect()
    }

    fn describe(&self, now: Timestamp) -> Value {
        let stopped = self.started + self.takes;
        let mut item = json!({
            "executionArn": self.arn(),
            "stateMachineArn": machine_arn(self.machine),
            "name": self.name,
            "startDate": self.started.as_second(),
            "status": "RUNNING",
        });
        if stopped <= now {
            item["status"] = json!(self.status);
            item["stopDate"] = json!(stopped.as_second());
        }
        item
    }
}

/// The machines of the destination stack.
const DRILL_FLEET: &str = "snapferry-drill-fleet";
const DRILL_COPY: &str = "snapferry-drill-copy";

/// Where an execution of drill-copy names the run that started it.
const STARTED_BY: &str = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID";

fn execution_arn(machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", machine_arn.replace(":stateMachine:", ":execution:"))
}

fn machine_arn(machine: &str) -> String {
    let is_drill = [DRILL_FLEET, DRILL_COPY].contains(&machine);
    let region = if is_drill { DESTINATION } else { SOURCE };
    format!("arn:aws:states:{region}:{ACCOUNT}:stateMachine:{machine}")
}

/// ARN of a run.
pub(crate) fn run_arn(name: &str) -> String {
    format!("arn:aws:states:{SOURCE}:{ACCOUNT}:execution:snapferry-copy-fleet:{name}")
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ending: Result<ExitStatus, CliError>,
    pub(crate) out: String,
    pub(crate) aside: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    pub(crate) fn failure(&self) -> String {
        match &self.ending {
            Ok(ending) => panic!("{ending:?}: {}", self.out),
            Err(failure) => failure.to_string(),
        }
    }
}

impl Account {
    /// An account with a stack, and these databases and copies.
    pub(crate) fn new(source: impl FnOnce(Region) -> Region, destination: impl FnOnce(Region) -> Region) -> Self {
        let destination = |region: Region| destination(region.key(KEY, "alias/copies"));
        let scenario = Scenario::new().region(SOURCE, source).region(DESTINATION, destination);
        let account = Self {
            world: World::new(&scenario),
            inside: Arc::default(),
        };
        account.inside().stacks.insert("snapferry".to_owned(), stack_xml());
        account
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().expect("no test panics with it")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Makes every endpoint of a region refuse connections.
    pub(crate) fn lose(&self, region: &str) {
        self.lose_after(region, SignedDuration::ZERO);
    }

    /// The same, some time from now.
    pub(crate) fn lose_after(&self, region: &str, time: SignedDuration) {
        let from = self.now() + time;
        self.inside().lost.insert(region.to_owned(), from);
    }

    /// Adds executions.
    pub(crate) fn executions(&self, executions: impl IntoIterator<Item = Execution>) {
        self.inside().executions.extend(executions);
    }

    /// Says what will have run once an execution of copy-fleet is started: the run itself first.
    pub(crate) fn when_started(&self, run: Execution, copies: impl IntoIterator<Item = Execution>) {
        let mut inside = self.inside();
        inside.follow = vec![run];
        inside.follow.extend(copies);
    }

    /// Replaces a text in every answer of RDS: for what the simulator does not say.
    pub(crate) fn rewrite(&self, from: &str, to: &str) {
        self.inside().rewritten.push((from.to_owned(), to.to_owned()));
    }

    /// Answers every call of a service (`rds`, `cloudformation`) with this.
    pub(crate) fn answer_with(&self, service: &str, status: u16, body: &str) {
        self.inside()
            .refusals
            .insert(service.to_owned(), (status, body.to_owned()));
    }

    /// Answers an action of STS, IAM, SNS, EventBridge or KMS with this.
    pub(crate) fn answer_action(&self, action: &str, status: u16, body: &str) {
        self.inside()
            .answers
            .insert(action.to_owned(), (status, body.to_owned()));
    }

    /// Puts an alarm in a state, five hours ago; `MISSING` takes it away.
    pub(crate) fn alarm(&self, name: &str, state: &str) {
        self.inside().alarms.insert(name.to_owned(), state.to_owned());
    }

    /// Sets the clock of AWS.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        self.inside().ahead = seconds;
    }

    /// As STS, CloudWatch, SNS and IAM answer a form.
    fn answer_form(&self, body: &str) -> HttpResponse {
        let now = self.now();
        let inside = self.inside();
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        let fields: Vec<(&str, String)> = pairs.map(|(key, value)| (key, unescaped(value))).collect();
        let all = |name: &str| {
            let begin = format!("{name}.member.");
            let values = fields.iter().filter(move |(key, _)| key.starts_with(&begin));
            values.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let action = fields.iter().find(|(key, _)| *key == "Action");
        let action = action.map(|(_, value)| value.as_str()).unwrap_or_default();
        let list = |name: &str, items: &[String]| format!("<R xmlns=\"urn:x\"><{name}>{}</{name}></R>", items.concat());
        let (status, text) = match (inside.answers.get(action), action) {
            (Some(answer), _) => answer.clone(),
            (None, "GetCallerIdentity") => {
                let arn = format!("<Arn>arn:aws:iam::{ACCOUNT}:user/operator</Arn>");
                (
                    200,
                    format!("<R><UserId>A</UserId><Account>{ACCOUNT}</Account>{arn}</R>"),
                )
            }
            (None, "DescribeAlarms") => {
                let state = |name: &str| inside.alarms.get(name).map_or("OK", String::as_str);
                let since = now - SignedDuration::from_hours(5);
                let alarms = all("AlarmNames")
                    .into_iter()
                    .filter(|name| state(name) != "MISSING")
                    .map(|name| {
                        let state = state(&name);
                        format!(
                            "<member><AlarmName>{name}</AlarmName><ActionsEnabled>true</ActionsEnabled>\
                         <StateValue>{state}</StateValue><StateReason>Because.</StateReason>\
                         <StateTransitionedTimestamp>{since}</StateTransitionedTimestamp></member>"
                        )
                    });
                (200, list("MetricAlarms", &alarms.collect::<Vec<_>>()))
            }
            (None, "ListSubscriptionsByTopic") => {
                (200, list("Subscriptions", &[subscription("arn:aws:sns:x:1:alerts:2")]))
            }
            (None, "SimulatePrincipalPolicy") => {
                let results = all("ActionNames")
                    .into_iter()
                    .map(|action| simulated(&action, "allowed", ""));
                (200, list("EvaluationResults", &results.collect::<Vec<_>>()))
            }
            (None, other) => panic!("{other} is not simulated"),
        };
        let mut response = HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(text));
        let date = (now + SignedDuration::from_secs(inside.ahead)).to_zoned(jiff::tz::TimeZone::UTC);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        response.headers_mut().insert("date", date);
        response
    }

    /// Leaves the proof of a drill in the region of the copies.
    pub(crate) fn proof(&self, owner: &str, kind: DatabaseKind, database: &str, proof: Value) {
        let path = domain::drill_proof::path(owner, SOURCE);
        let name = format!("{path}/{kind}-{}", resource_id(kind, database));
        self.inside().parameters.insert(name, proof);
    }

    /// Replaces the stack.
    pub(crate) fn stack(&self, name: &str, xml: &str) {
        self.inside().stacks.insert(name.to_owned(), xml.to_owned());
    }

    /// Deploys a stack in the destination region; the others are found in either.
    pub(crate) fn destination_stack(&self, name: &str, xml: &str) {
        self.stack(&format!("{DESTINATION}/{name}"), xml);
    }

    /// The rules that were switched, and whether on.
    pub(crate) fn switched(&self) -> Vec<(String, bool)> {
        self.inside().switched.clone()
    }

    /// The inputs that runs were started with.
    pub(crate) fn inputs(&self) -> Vec<Value> {
        self.inside().inputs.clone()
    }

    /// Says what classes the region of the copies offers.
    pub(crate) fn offers(&self, offers: Result<Vec<(&'static str, &'static str)>, &'static str>) {
        self.inside().offers = Some(offers);
    }

    /// As RDS answers `DescribeOrderableDBInstanceOptions`: what a test says is on offer, or a refusal; nothing, if the
    /// simulator is to answer.
    fn orderable(&self, body: &str) -> Option<(u16, String)> {
        let field = |name: &str| {
            let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let asked = field("DBInstanceClass");
        let offers: Vec<(String, String)> = match &self.inside().offers {
            None => return None,
            Some(Ok(offers)) => {
                let offers = offers
                    .iter()
                    .filter(|(class, _)| asked.as_deref().is_none_or(|asked| asked == *class));
                offers
                    .map(|(class, storage)| ((*class).to_owned(), (*storage).to_owned()))
                    .collect()
            }
            Some(Err(code)) => {
                let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>");
                let xml = format!("<ErrorResponse xmlns=\"{RDS}\">{error}</ErrorResponse>");
                return Some((403, xml));
            }
        };
        let (engine, version) = (
            field("Engine").unwrap_or_default(),
            field("EngineVersion").unwrap_or_default(),
        );
        let options = offers.iter().fold(String::new(), |all, (class, storage)| {
            format!(
                "{all}<OrderableDBInstanceOption><Engine>{engine}</Engine><EngineVersion>{version}</EngineVersion>\
                 <DBInstanceClass>{class}</DBInstanceClass><StorageType>{storage}</StorageType>\
                 <SupportsStorageEncryption>true</SupportsStorageEncryption></OrderableDBInstanceOption>"
            )
        });
        let xml = format!(
            "<DescribeOrderableDBInstanceOptionsResponse xmlns=\"{RDS}\"><DescribeOrderableDBInstanceOptionsResult>\
             <OrderableDBInstanceOptions>{options}</OrderableDBInstanceOptions>\
             </DescribeOrderableDBInstanceOptionsResult></DescribeOrderableDBInstanceOptionsResponse>"
        );
        Some((200, xml))
    }

    /// Calls of all services, those of RDS by the simulator's own count.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        self.inside().calls.clone()
    }

    fn config(&self) -> aws_types::SdkConfig {
        let config = self.world.sdk_config(SOURCE, "operator").into_builder();
        config.http_client(SharedHttpClient::new(self.clone())).build()
    }

    /// Runs a command on a terminal of this width, or in a pipe.
    pub(crate) async fn say_in(&self, width: Option<usize>, line: &str) -> Said {
        self.say_until(width, line, &mut std::future::pending()).await
    }

    /// The same, until the operator interrupts it.
    pub(crate) async fn say_until(
        &self,
        width: Option<usize>,
        line: &str,
        interrupt: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Said {
        let words = std::iter::once("snapferry").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        let (mut out, mut aside) = (Vec::new(), Vec::new());
        let account = aws::account::Account::new(self.config());
        let mut terminal = Terminal::new(&mut out, &mut aside, width, false);
        let ending = snapferry::run_until(&account, &cli, interrupt, &mut terminal).await;
        Said {
            ending,
            out: String::from_utf8(out).expect("text"),
            aside: String::from_utf8(aside).expect("text"),
        }
    }

    /// Runs a command in a pipe.
    pub(crate) async fn say(&self, line: &str) -> Said {
        self.say_in(None, line).await
    }

    fn answer(&self, (service, region): (&str, &str), target: &str, body: &str) -> (u16, String) {
        let now = self.now();
        let mut inside = self.inside();
        if service == "cloudformation" {
            let name = body
                .split('&')
                .find_map(|pair| pair.strip_prefix("StackName="))
                .unwrap_or_default();
            let here = inside.stacks.get(&format!("{region}/{name}"));
            return match here.or_else(|| inside.stacks.get(name)) {
                Some(xml) => (200, xml.clone()),
                None => (400, no_such_stack(name)),
            };
        }
        let action = target.rsplit('.').next().unwrap_or_default();
        if let Some(answer) = inside.answers.get(action) {
            return answer.clone();
        }
        let request: Value = serde_json::from_str(body).expect("JSON");
        let text = |field: &str| request[field].as_str().unwrap_or_default().to_owned();
        // The name first: it costs less, and there may be thousands.
        let found = |arn: &str| {
            let mut all = inside.executions.iter();
            all.find(|execution| arn.ends_with(&execution.name) && execution.arn() == arn)
                .cloned()
        };
        let missing = || {
            (
                400,
                json!({"__type": "ExecutionDoesNotExist", "message": "no"}).to_string(),
            )
        };
        match target {
            "AWSStepFunctions.ListExecutions" => (200, inside.list(&request, now).to_string()),
            "AWSStepFunctions.DescribeExecution" => {
                let Some(execution) = found(&text("executionArn")) else {
                    return missing();
                };
                let mut answer = execution.describe(now);
                answer["input"] = json!(execution.input.to_string());
                match answer["status"].as_str() {
                    Some("RUNNING") => {}
                    Some("SUCCEEDED") => answer["output"] = json!(execution.output.to_string()),
                    _ => {
                        answer["error"] = json!(execution.error);
                        answer["cause"] = json!(execution.cause);
                    }
                }
                (200, answer.to_string())
            }
            "AWSStepFunctions.StopExecution" => {
                inside.stop(&text("executionArn"), &text("cause"), now);
                (200, json!({"stopDate": now.as_second()}).to_string())
            }
            "AWSStepFunctions.GetExecutionHistory" => {
                let Some(execution) = found(&text("executionArn")) else {
                    return missing();
                };
                let mut events = execution.history(request["includeExecutionData"] == true);
                if request["reverseOrder"] == true {
                    events.reverse();
                }
                (200, json!({"events": events}).to_string())
            }
            "AWSStepFunctions.StartExecution" => {
                let input: Value = serde_json::from_str(&text("input")).expect("JSON");
                let arn = inside.start(&text("stateMachineArn"), &text("name"), &input, now);
                (
                    200,
                    json!({"executionArn": arn, "startDate": now.as_second()}).to_string(),
                )
            }
            "AmazonSSM.GetParametersByPath" => {
                let path = format!("{}/", text("Path"));
                let found = inside.parameters.iter().filter(|(name, _)| name.starts_with(&path));
                let found: Vec<Value> = found
                    .map(|(name, value)| json!({"Name": name, "Value": value.to_string()}))
                    .collect();
                (200, json!({"Parameters": found}).to_string())
            }
            "AWSEvents.DescribeRule" => {
                let last = inside.switched.iter().rfind(|(name, _)| *name == text("Name"));
                let state = if last.is_none_or(|(_, is_on)| *is_on) {
                    "ENABLED"
                } else {
                    "DISABLED"
                };
                (200, json!({"Name": text("Name"), "State": state}).to_string())
            }
            "AWSEvents.ListTargetsByRule" => {
                let target = json!({"Id": "1", "Arn": "arn:1", "DeadLetterConfig": {"Arn": "arn:queue"}});
                (200, json!({"Targets": [target]}).to_string())
            }
            "TrentService.GetKeyPolicy" => (200, json!({"Policy": default_key_policy()}).to_string()),
            "AWSEvents.EnableRule" | "AWSEvents.DisableRule" => {
                let is_on = target.ends_with("EnableRule");
                inside.switched.push((text("Name"), is_on));
                (200, "{}".to_owned())
            }
            other => panic!("{other} is not simulated"),
        }
    }
}

/// The policy of a key that nobody has changed.
fn default_key_policy() -> String {
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    json!({"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": root}}})
        .to_string()
}

impl HttpClient for Account {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Wire {
            account: self.clone(),
            rds: self.world.http_client().http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct Wire {
    account: Account,
    rds: SharedHttpConnector,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // https://<service>.<region>.amazonaws.com/
        let host = request.uri().split('/').nth(2).unwrap_or_default().to_owned();
        let mut parts = host.split('.');
        let service = parts.next().unwrap_or_default().to_owned();
        let region = match (service.as_str(), parts.next()) {
            // It has no region.
            ("iam", _) => "us-east-1".to_owned(),
            (_, region) => region.unwrap_or_default().to_owned(),
        };
        assert!(
            request
                .headers()
                .get("authorization")
                .is_some_and(|header| header.contains(&region)),
            "a call of {service} in {region} is not signed for it"
        );
        {
            let now = self.account.now();
            let mut inside = self.account.inside();
            *inside.calls.entry(format!("{service}.{region}")).or_default() += 1;
            if inside.lost.get(&region).is_some_and(|from| *from <= now) {
                return HttpConnectorFuture::ready(Err(ConnectorError::io("connection refused".into())));
            }
        }
        if let Some((status, body)) = self.account.inside().refusals.get(&service) {
            let status = (*status).try_into().expect("a status");
            return HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body.clone()))));
        }
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        if ["iam", "monitoring", "sns", "sts"].contains(&service.as_str()) {
            return HttpConnectorFuture::ready(Ok(self.account.answer_form(&body)));
        }
        let is_offer = body.contains("Action=DescribeOrderableDBInstanceOptions&");
        let offered = is_offer.then(|| self.account.orderable(&body)).flatten();
        let is_simulated = ["kms", "rds"].contains(&service.as_str()) && target != "TrentService.GetKeyPolicy";
        if is_simulated && offered.is_none() {
            let rewritten = self.account.inside().rewritten.clone();
            let answer = self.rds.call(request);
            return HttpConnectorFuture::new(async move {
                let answer = answer.await?;
                let text = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default()).into_owned();
                let text = rewritten.iter().fold(text, |text, (from, to)| text.replace(from, to));
                let mut rewritten = HttpResponse::new(answer.status(), SdkBody::from(text));
                *rewritten.headers_mut() = answer.headers().clone();
                Ok(rewritten)
            });
        }
        let (status, body) = offered.unwrap_or_else(|| self.account.answer((&service, &region), &target, &body));
        let status = status.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

/// As CloudFormation answers for infra/template.yaml.
pub(crate) fn stack_xml() -> String {
    let member = |key: &str, kind: &str, value: &str| {
        format!("<member><{kind}Key>{key}</{kind}Key><{kind}Value>{value}</{kind}Value></member>")
    };
    let fleet = machine_arn("snapferry-copy-fleet");
    let copy = machine_arn("snapferry-copy-snapshot");
    format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult>\
         <Stacks><member><StackName>snapferry</StackName><StackStatus>CREATE_COMPLETE</StackStatus>\
         <Parameters>{}{}{}{}{}</Parameters><Outputs>{}{}{}{}{}{}</Outputs></member></Stacks></DescribeStacksResult>\
         </DescribeStacksResponse>",
        member("DestinationRegion", "Parameter", DESTINATION),
        member("OwnerId", "Parameter", "snap"),
        member("KeepCopies", "Parameter", "3"),
        member("RetiredKeepDays", "Parameter", "0"),
        member("CopyDeadlineHours", "Parameter", "72"),
        member("CopyFleetStateMachineArn", "Output", &fleet),
        member("CopySnapshotStateMachineArn", "Output", &copy),
        member("ScheduleRuleName", "Output", "snapferry-ScheduleRule-1"),
        member("SnapshotReadyRuleName", "Output", "snapferry-SnapshotReadyRule-1"),
        member("ListTargetsRoleArn", "Output", &role_arn("LIST_TARGETS")),
        member("StartCopyRoleArn", "Output", &role_arn("START_COPY")),
    )
}

/// As it answers for infra/destination.yaml, with the rule of the schedule or without.
pub(crate) fn destination_stack_xml(owner: &str, rule: Option<&str>) -> String {
    let member = |key: &str, kind: &str, value: &str| {
        format!("<member><{kind}Key>{key}</{kind}Key><{kind}Value>{value}</{kind}Value></member>")
    };
    let rule = rule.map_or_else(String::new, |rule| member("DrillRuleName", "Output", rule));
    format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult>\
         <Stacks><member><StackName>snapferry</StackName><StackStatus>CREATE_COMPLETE</StackStatus>\
         <Parameters>{}{}</Parameters><Outputs>{}{}{}{}{rule}</Outputs></member></Stacks></DescribeStacksResult>\
         </DescribeStacksResponse>",
        member("SourceRegion", "Parameter", SOURCE),
        member("OwnerId", "Parameter", owner),
        member("DrillFleetStateMachineArn", "Output", &machine_arn(DRILL_FLEET)),
        member("DrillCopyStateMachineArn", "Output", &machine_arn(DRILL_COPY)),
        member("MeasureCopiesRoleArn", "Output", &role_arn("MEASURE_COPIES")),
        member("StartRestoreRoleArn", "Output", &role_arn("START_RESTORE")),
    )
}

/// The role of a function.
fn role_arn(function: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/ROLE_OF_{function}")
}

/// The same with a parameter more.
pub(crate) fn stack_with(parameters: &[(&str, &str)]) -> String {
    parameters.iter().fold(stack_xml(), |xml, (key, value)| {
        let member = format!(
            "<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member></Parameters>"
        );
        xml.replace("</Parameters>", &member)
    })
}

/// A subscription as SNS lists it: its ARN, or a word in its place.
pub(crate) fn subscription(arn: &str) -> String {
    format!("<member><Protocol>email</Protocol><SubscriptionArn>{arn}</SubscriptionArn></member>")
}

/// What IAM says of an action, and which conditions it could not judge.
pub(crate) fn simulated(action: &str, decision: &str, lacks: &str) -> String {
    format!(
        "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>\
         <MissingContextValues>{lacks}</MissingContextValues></member>"
    )
}

/// A value of a form as it was before it was escaped.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let code = u8::from_str_radix(&part[..2], 16).expect("an escape");
        format!("{all}{}{}", char::from(code), &part[2..])
    })
}

fn no_such_stack(name: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>\
         <Code>ValidationError</Code><Message>Stack with id {name} does not exist</Message></Error></ErrorResponse>"
    )
}

/// Two instances and a cluster.
pub(crate) fn databases(source: Region) -> Region {
    source
        .instance(database(DatabaseKind::Instance, "orders"))
        .instance(database(DatabaseKind::Instance, "stock"))
        .cluster(database(DatabaseKind::Cluster, "billing"))
}

/// A copy of a database in the destination region: of data this many hours old, verified.
pub(crate) fn copy(kind: DatabaseKind, database: &str, data_age_hours: f64) -> scenario::Snapshot {
    unverified(kind, database, data_age_hours).tag(tags::VERIFIED, "2026-11-22T11:00:00Z")
}

/// The same, not verified.
pub(crate) fn unverified(kind: DatabaseKind, database: &str, data_age_hours: f64) -> scenario::Snapshot {
    copy_for_restore(kind, database, data_age_hours, RestoreHints::default())
}

/// The same, with what a restore needs.
pub(crate) fn copy_for_restore(
    kind: DatabaseKind,
    database: &str,
    data_age_hours: f64,
    restore: RestoreHints,
) -> scenario::Snapshot {
    copy_of(kind, database, &resource_id(kind, database), data_age_hours, restore)
}

/// A verified copy of another database that has, or had, the name.
pub(crate) fn copy_of_resource(
    kind: DatabaseKind,
    database: &str,
    resource_id: &str,
    data_age_hours: f64,
) -> scenario::Snapshot {
    copy_of(kind, database, resource_id, data_age_hours, RestoreHints::default())
        .tag(tags::VERIFIED, "2026-11-22T11:00:00Z")
}

/// What [`copy`] and its like are called.
pub(crate) fn copy_id(kind: DatabaseKind, database: &str, data_age_hours: f64) -> String {
    let copy = unverified(kind, database, data_age_hours);
    copy.id.expect("a copy has an identifier")
}

/// A verified copy under another key, or without any.
pub(crate) fn copy_under(
    key: Option<&str>,
    kind: DatabaseKind,
    database: &str,
    data_age_hours: f64,
) -> scenario::Snapshot {
    let resource_id = resource_id(kind, database);
    copy_with(
        kind,
        database,
        &resource_id,
        data_age_hours,
        RestoreHints::default(),
        key,
    )
    .tag(tags::VERIFIED, "2026-11-22T11:00:00Z")
}

fn copy_of(
    kind: DatabaseKind,
    database: &str,
    resource_id: &str,
    data_age_hours: f64,
    restore: RestoreHints,
) -> scenario::Snapshot {
    copy_with(kind, database, resource_id, data_age_hours, restore, Some(KEY))
}

fn copy_with(
    kind: DatabaseKind,
    database: &str,
    resource_id: &str,
    data_age_hours: f64,
    restore: RestoreHints,
    key: Option<&str>,
) -> scenario::Snapshot {
    let (noun, number, engine) = match kind {
        DatabaseKind::Instance => ("snapshot", Kind::Instance, "postgres"),
        DatabaseKind::Cluster => ("cluster-snapshot", Kind::Cluster, "aurora-postgresql"),
    };
    let source_created = rds_simulator_sdk::BEGINNING - Duration::from_secs_f64(data_age_hours * 3600.0);
    let tags = CopyTags {
        format: Format::CURRENT,
        source_arn: format!("arn:aws:rds:{SOURCE}:{ACCOUNT}:{noun}:rds:{database}-{data_age_hours}h"),
        source_id: database.to_owned(),
        source_resource_id: resource_id.to_owned(),
        source_created,
        requested: source_created + SignedDuration::from_mins(30),
        attempt: 0,
        kms_key_arn: key.map(str::to_owned),
        stack: Some("snapferry".to_owned()),
        retention: RetentionRules::default(),
        unread: false,
        drill_every: None,
        restore_order: None,
        restore,
    };
    let owner = Owner::new(SOURCE, "snap");
    let id = tags.copy_id(&owner);
    let mut snapshot =
        scenario::Snapshot::copy_of(&tags.source_arn, number, &id, data_age_hours - 0.5).taken_of(number, database);
    snapshot.kms_key = key.map(str::to_owned);
    snapshot.original_age_hours = Some(data_age_hours);
    snapshot.engine = Some(engine.to_owned());
    let tags = tags.to_tags(&owner).into_iter();
    tags.fold(snapshot, |snapshot, (key, value)| snapshot.tag(&key, &value))
}

/// A database of the source region with the resource id that [`copy`] gives its copies.
pub(crate) fn database(kind: DatabaseKind, id: &str) -> scenario::Database {
    let mut database = scenario::Database::new(id);
    database.resource_id = Some(resource_id(kind, id));
    database
}

fn resource_id(kind: DatabaseKind, id: &str) -> String {
    let noun = match kind {
        DatabaseKind::Instance => "db",
        DatabaseKind::Cluster => "cluster",
    };
    format!("{noun}-{}", id.to_uppercase())
}
