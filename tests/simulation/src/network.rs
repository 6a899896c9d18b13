//! What lies between a function and RDS: latency and faults.
//!
//! Faults of the network are drawn here and not ordered from the simulator, so that a seed decides each one.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_kms::config::retry::RetryPartition;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use domain::settings::Settings;
use domain::watch_settings::WatchSettings;
use jiff::{SignedDuration, Timestamp};
use list_targets::Keys;
use rds::Rds;
use rds_simulator_sdk::World;
use rds_simulator_sdk::simulator::State;
use runtime::deployment::Deployment;
use runtime::watch::Watch;

use crate::functions::{Functions, named};
use crate::invariants::Invariants;
use crate::random::Random;
use crate::record::Record;
use crate::signature::CallerScheme;
use crate::virtual_time::{Clock, lock};

thread_local! {
    /// The invocation whose future is being polled.
    static INVOCATION: Cell<u64> = const { Cell::new(0) };
}

/// Says that whatever `work` does is done by this invocation.
pub(crate) async fn as_invocation<T>(number: u64, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context: &mut Context<'_>| -> Poll<T> {
        let before = INVOCATION.replace(number);
        let polled = work.as_mut().poll(context);
        INVOCATION.set(before);
        polled
    })
    .await
}

/// The invocation by which whatever happens now is done.
pub(crate) fn invocation() -> u64 {
    INVOCATION.get()
}

/// How often things go wrong, per mille of the calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// Calls of RDS.
    pub of_rds: u64,
    /// Invocations of functions, and nested executions.
    pub of_steps: u64,
    /// Calls of RDS and KMS that are one call too many, beside the others.
    pub of_throttling: u64,
}

/// A call of RDS or KMS, as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// When.
    pub at: Timestamp,
    /// By which function.
    pub caller: String,
    /// Whether it went to the source region.
    pub is_source: bool,
    /// The operation.
    pub action: String,
}

/// The network of one simulation. Clones are the same network.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    world: World,
    destination: String,
    clock: Clock,
    record: Record,
    invariants: Invariants,
    random: Mutex<Random>,
    /// What happens to the calls of drills is drawn from here, so that copies meet the same with drills and without.
    random_of_drills: Mutex<Random>,
    rates: Mutex<FaultRates>,
    /// Whether drill databases get their expiry after they were made: a mutation.
    hides_expiry: AtomicBool,
    kms_denies: Mutex<bool>,
    /// Snapshots whose copy was refused for want of a slot, and when.
    waiting: Mutex<BTreeMap<String, Timestamp>>,
    /// Calls that have changed something.
    writes: AtomicU64,
    is_judged: AtomicBool,
    /// All calls, if they are kept.
    made: Mutex<Option<Vec<Made>>>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Network").finish_non_exhaustive()
    }
}

impl Network {
    /// A network without faults to this world, whose copies are in the region `destination`.
    #[must_use]
    pub fn new(
        world: &World,
        destination: &str,
        clock: &Clock,
        record: &Record,
        invariants: &Invariants,
        random: Random,
    ) -> Self {
        let random_of_drills = random.clone().apart("drills");
        Self {
            shared: Arc::new(Shared {
                world: world.clone(),
                destination: destination.to_owned(),
                clock: clock.clone(),
                record: record.clone(),
                invariants: invariants.clone(),
                random: Mutex::new(random),
                random_of_drills: Mutex::new(random_of_drills),
                rates: Mutex::default(),
                hides_expiry: AtomicBool::new(false),
                kms_denies: Mutex::default(),
                waiting: Mutex::default(),
                writes: AtomicU64::default(),
                is_judged: AtomicBool::new(true),
                made: Mutex::default(),
            }),
        }
    }

    /// The invariants are not judged any more: that looks at all copies at every write, and a fleet may have ten thousand.
    #[must_use]
    pub fn unjudged(self) -> Self {
        self.shared.is_judged.store(false, Ordering::Relaxed);
        self
    }

    /// Every call is kept from now on, to be counted: a fleet makes tens of thousands.
    #[must_use]
    pub fn keeping_calls(self) -> Self {
        *lock(&self.shared.made) = Some(Vec::new());
        self
    }

    /// The calls so far, if they are kept.
    #[must_use]
    pub fn made(&self) -> Vec<Made> {
        lock(&self.shared.made).clone().unwrap_or_default()
    }

    /// Sets how often calls fail.
    pub fn set_rates(&self, rates: FaultRates) {
        *lock(&self.shared.rates) = rates;
    }

    /// How often calls fail.
    #[must_use]
    pub fn rates(&self) -> FaultRates {
        *lock(&self.shared.rates)
    }

    /// Lets KMS refuse to describe keys, as when somebody has broken their policies; or no longer.
    pub fn set_kms_denies(&self, denies: bool) {
        *lock(&self.shared.kms_denies) = denies;
    }

    /// Takes the expiry out of every call that makes a drill database.
    pub(crate) fn hide_expiry(&self) {
        self.shared.hides_expiry.store(true, Ordering::Relaxed);
    }

    /// How many calls have changed something.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.shared.writes.load(Ordering::Relaxed)
    }

    /// The snapshots whose copies wait for a slot: RDS has refused them since `since`, and has not accepted them yet.
    #[must_use]
    pub fn waiting(&self, since: Timestamp) -> Vec<String> {
        let waiting = lock(&self.shared.waiting);
        let recent = waiting.iter().filter(|(_, refused)| **refused >= since);
        recent.map(|(arn, _)| arn.clone()).collect()
    }

    fn wire(&self, caller: &str, is_source: bool) -> SharedHttpClient {
        SharedHttpClient::new(Wire {
            network: self.clone(),
            caller: caller.into(),
            is_source,
            inner: self.shared.world.http_client(),
        })
    }

    /// KMS of the destination region, as the function `caller` reaches it through this network.
    #[must_use]
    pub fn keys(&self, caller: &str, settings: &Settings) -> Keys {
        self.keys_in(caller, &settings.destination_region)
    }

    /// The same, by the name of the region.
    pub(crate) fn keys_in(&self, caller: &str, region: &str) -> Keys {
        // Each network has a bucket of retries of its own: what one seed uses up is not missing in the next.
        static NETWORKS: AtomicU64 = AtomicU64::new(0);
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let config = self.shared.world.sdk_config(region, caller);
        let config = aws_sdk_kms::config::Builder::from(&config)
            .retry_partition(RetryPartition::new(format!("network-{number}-kms")))
            .push_auth_scheme(CallerScheme::new(caller, region, "kms"))
            .http_client(self.wire(caller, false))
            .time_source(self.shared.clock.clone())
            .sleep_impl(self.shared.clock.clone());
        Keys::new(aws_sdk_kms::Client::from_conf(config.build()))
    }

    /// A deployment whose function `caller` reaches RDS through this network.
    #[must_use]
    pub fn deployment(&self, caller: &str, settings: &Settings) -> Deployment {
        let rds = |region: &str| self.rds(caller, region, region == settings.source_region);
        Deployment::new(
            settings.clone(),
            rds(&settings.source_region),
            rds(&settings.destination_region),
        )
    }

    /// What a function `caller` of the stack in the destination region works with, behind this network.
    pub(crate) fn watch(&self, caller: &str, settings: &WatchSettings) -> Watch {
        Watch::new(settings.clone(), self.rds(caller, &settings.region, false))
    }

    fn rds(&self, caller: &str, region: &str, is_source: bool) -> Rds {
        let wire = self.wire(caller, is_source);
        let client = self.shared.world.client_with(region, caller, |config| {
            config
                .push_auth_scheme(CallerScheme::new(caller, region, "rds"))
                .http_client(wire)
                .time_source(self.shared.clock.clone())
                .sleep_impl(self.shared.clock.clone())
        });
        Rds::new(client, region)
    }

    /// Whether a call of another service, which only drills make, fails now.
    pub(crate) fn fails(&self, service: &str, what: &str) -> bool {
        let rate = self.rates().of_rds;
        let fails = lock(&self.shared.random_of_drills).per_mille(rate);
        if fails {
            self.shared.record.fault(&format!("drill: {service} fails"), what);
        }
        fails
    }

    /// Brings the simulator's time up to ours.
    pub fn settle(&self) {
        let behind = self.shared.clock.now().duration_since(self.shared.world.now());
        if behind > SignedDuration::ZERO {
            self.shared
                .world
                .advance(Duration::try_from(behind).unwrap_or_default());
        }
    }

    /// How long a call is on its way to RDS and back, and what goes wrong with it.
    fn draw(&self, call: &Call) -> (Duration, Duration, Option<Fault>, Option<(Trouble, u64)>) {
        let mut random = lock(if call.is_of_drill {
            &self.shared.random_of_drills
        } else {
            &self.shared.random
        });
        let (before, after) = (random.within(5..=400), random.within(5..=400));
        let rates = *lock(&self.shared.rates);
        let fault = random.per_mille(rates.of_rds).then(|| Fault::draw(&mut random));
        let fault = fault.or_else(|| random.per_mille(rates.of_throttling).then_some(Fault::Throttled));
        let is_on = rates.of_rds > 0 && fault.is_none();
        let trouble = if is_on && call.lists_copies() && random.per_mille(30) {
            Some(if random.per_mille(500) {
                Trouble::Missing
            } else {
                Trouble::Twice
            })
        } else if is_on && call.deletes() && random.per_mille(150) {
            Some(Trouble::Refused)
        } else if is_on && call.lists_databases() && random.per_mille(20) {
            Some(Trouble::Missing)
        } else {
            None
        };
        let trouble = trouble.map(|trouble| (trouble, random.draw()));
        (
            Duration::from_millis(before),
            Duration::from_millis(after),
            fault,
            trouble,
        )
    }

    async fn call(self, inner: SharedHttpConnector, wire: Wire, mut request: HttpRequest) -> Reply {
        let is_of_drill = Functions::OF_DRILLS.contains(&&*wire.caller);
        if is_of_drill && self.shared.hides_expiry.load(Ordering::Relaxed) {
            hide_expiry(&mut request);
        }
        let form = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        // KMS names its operation in a header, and its body is JSON.
        let target = request.headers().get("x-amz-target");
        let of_kms = target.and_then(|target| Some(target.split_once('.')?.1.to_owned()));
        let call = Call {
            invocation: INVOCATION.get(),
            is_kms: of_kms.is_some(),
            action: of_kms.or_else(|| parameter(&form, "Action")).unwrap_or_default(),
            form,
            is_source: wire.is_source,
            is_of_drill,
        };
        let (before, after, fault, trouble) = self.draw(&call);
        let clock = &self.shared.clock;
        self.shared.record.call(&call.action);
        if let Some(made) = &mut *lock(&self.shared.made) {
            made.push(Made {
                at: clock.now(),
                caller: wire.caller.to_string(),
                is_source: wire.is_source,
                action: call.action.clone(),
            });
        }
        clock.sleep(before).await;
        if let Some(refused) = self.refuse(&wire.caller, &call, fault) {
            clock.sleep(after).await;
            return refused;
        }
        if let Some((Trouble::Refused, _)) = trouble {
            let name = named(&wire.caller, "delete refused");
            self.shared.record.fault(&name, &subject(&call.form));
            self.disturbs(&call);
            clock.sleep(after).await;
            return answer(400, call.state_refusal());
        }

        self.settle();
        // Most writes are copies that are refused for want of a slot, and a copy is judged by what is there afterwards.
        let state = (call.changes_what_is_there() && self.is_judged()).then(|| self.state());
        let mut reply = inner.call(request).await?;
        let status = reply.status().as_u16();
        if let Some((trouble, number)) = trouble
            && let Some((id, listed)) = trouble.change(text_of(&reply), number)
        {
            let name = if call.lists_databases() {
                "database missing from a listing"
            } else {
                trouble.name()
            };
            let name = named(&wire.caller, name);
            self.shared.record.fault(&name, &format!("{} {id}", call.action));
            if call.lists_databases() {
                self.shared.invariants.drills().missed(call.invocation, &id);
            } else if trouble == Trouble::Missing && !is_of_drill {
                self.shared.invariants.missed(&id);
            }
            *reply.body_mut() = SdkBody::from(listed);
        }
        self.observe(&call, state.as_ref(), status, text_of(&reply));
        clock.sleep(after).await;

        match fault {
            Some(Fault::LostReply) => return Err(ConnectorError::io("the connection was reset".into())),
            // The deployed clients wait 15 s for an attempt.
            Some(Fault::LateReply(seconds)) if seconds > 15 => {
                clock.sleep(Duration::from_secs(15)).await;
                return Err(ConnectorError::timeout("no reply in 15 s".into()));
            }
            Some(Fault::LateReply(seconds)) => clock.sleep(Duration::from_secs(seconds)).await,
            _ => {}
        }
        Ok(reply)
    }

    /// Tells the judge of drills that a call about a database did not have its way.
    fn disturbs(&self, call: &Call) {
        if call.is_of_drill {
            let about = database_of(&call.form).unwrap_or_default();
            self.shared.invariants.drills().disturbed(call.invocation, &about);
        }
    }

    fn is_judged(&self) -> bool {
        self.shared.is_judged.load(Ordering::Relaxed)
    }

    /// What the judge looks at: the copies.
    fn state(&self) -> State {
        self.shared.world.state_of(&self.shared.destination)
    }

    /// What stands in the region of the copies now.
    pub(crate) fn destination(&self) -> State {
        self.settle();
        self.state()
    }

    /// Notes the fault, and answers in place of RDS if the call does not reach it.
    fn refuse(&self, caller: &str, call: &Call, fault: Option<Fault>) -> Option<Reply> {
        let Call { action, invocation, .. } = call;
        if let Some(fault) = fault {
            let name = match fault {
                Fault::Throttled if call.is_kms => "KMS throttles",
                Fault::Status(_) if call.is_kms => "KMS answers 500",
                Fault::LostReply if call.writes() => "reply to a write lost",
                Fault::LostReply => "reply to a read lost",
                Fault::LateReply(_) => "RDS answers late",
                Fault::Throttled => "RDS throttles",
                Fault::Status(500) => "HTTP 500",
                Fault::Status(_) => "HTTP 503",
                Fault::Unreachable => "RDS cannot be reached",
            };
            let name = named(caller, name);
            self.shared.record.fault(&name, &format!("{action} #{invocation}"));
            self.disturbs(call);
        }
        match fault {
            Some(Fault::Throttled) if call.is_kms => {
                return Some(answer(400, refusal_of_kms("ThrottlingException", "Rate exceeded")));
            }
            Some(Fault::Throttled) => return Some(answer(400, refusal("Throttling", "Rate exceeded"))),
            Some(Fault::Status(status)) => return Some(answer(status, String::new())),
            Some(Fault::Unreachable) => {
                return Some(Err(ConnectorError::io("the connection was refused".into())));
            }
            Some(Fault::LostReply | Fault::LateReply(_)) | None => {}
        }
        if call.is_kms && *lock(&self.shared.kms_denies) {
            self.shared.record.add("keys that KMS does not describe", 1);
            let message = "User is not authorized to perform: kms:DescribeKey";
            return Some(answer(400, refusal_of_kms("AccessDeniedException", message)));
        }
        None
    }

    /// Tells the judge what the call did.
    fn observe(&self, call: &Call, before: Option<&State>, status: u16, body: &str) {
        if !self.is_judged() {
            return;
        }
        let Shared {
            invariants,
            record,
            clock,
            ..
        } = &*self.shared;
        let Call {
            invocation,
            action,
            form,
            ..
        } = call;
        let code = match status {
            200 => "ok",
            _ => between(body, "<Code>", "</Code>").unwrap_or("?"),
        };
        if let (true, Some(arn)) = (action.starts_with("Copy"), source_of_copy(form)) {
            let mut waiting = lock(&self.shared.waiting);
            if body.contains("snapshots across regions") {
                waiting.insert(arn, clock.now());
            } else {
                waiting.remove(&arn);
            }
        }
        if call.writes() {
            record.note(&format!("rds {action} {} {code} #{invocation}", subject(form)));
            if status == 200 {
                self.shared.writes.fetch_add(1, Ordering::Relaxed);
                let after = self.state();
                invariants.wrote(*invocation, action, form, before.unwrap_or(&after), &after, clock.now());
            }
        } else if call.is_of_drill {
            if let (200, Some(id)) = (status, database_of(form)) {
                invariants
                    .drills()
                    .looked(*invocation, action, &id, clock.now(), &|| self.state());
            }
        } else if action.contains("Snapshots") && !call.is_source {
            invariants.read(*invocation, clock.now(), &|| (self.state(), listed_in(body)));
        }
    }
}

/// One call of RDS.
struct Call {
    invocation: u64,
    action: String,
    form: String,
    is_source: bool,
    is_kms: bool,
    /// Whether a function of the stack in the destination region makes it.
    is_of_drill: bool,
}

impl Call {
    fn writes(&self) -> bool {
        !self.action.starts_with("Describe")
    }

    fn changes_what_is_there(&self) -> bool {
        self.writes() && !self.action.starts_with("Copy")
    }

    /// Whether it asks for copies without saying which: RDS may leave one out for a while, or list it twice.
    fn lists_copies(&self) -> bool {
        let names_one = ["&DBSnapshotIdentifier=", "&DBClusterSnapshotIdentifier="];
        !self.is_source && self.action.contains("Snapshots") && !names_one.iter().any(|name| self.form.contains(name))
    }

    /// Whether it asks a drill's way for databases, which RDS may leave out for a while.
    fn lists_databases(&self) -> bool {
        self.is_of_drill && ["DescribeDBInstances", "DescribeDBClusters"].contains(&self.action.as_str())
    }

    fn deletes(&self) -> bool {
        self.action.starts_with("Delete")
    }
}

impl Call {
    /// RDS does not delete what is in use.
    fn state_refusal(&self) -> String {
        let code = match self.action.as_str() {
            "DeleteDBInstance" => "InvalidDBInstanceState",
            "DeleteDBCluster" => "InvalidDBClusterStateFault",
            "DeleteDBClusterSnapshot" => "InvalidDBClusterSnapshotStateFault",
            _ => "InvalidDBSnapshotState",
        };
        refusal(code, "It is in use and cannot be deleted")
    }
}

/// What is wrong with an answer that is not an error, or with a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// A listing lacks a copy: RDS is eventually consistent.
    Missing,
    /// A listing has a copy twice.
    Twice,
    /// A copy is in use.
    Refused,
}

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Self::Missing => "copy missing from a listing",
            Self::Twice => "copy listed twice",
            Self::Refused => "delete refused",
        }
    }

    /// A listing with one of its copies less, or more, and which; nothing if it has none.
    fn change(self, body: &str, number: u64) -> Option<(String, String)> {
        let found = listed_elements(body);
        let at = usize::try_from(number % u64::try_from(found.len()).ok()?.max(1)).ok()?;
        let (start, end) = *found.get(at)?;
        let listed = match self {
            Self::Missing => [&body[..start], &body[end..]].concat(),
            Self::Twice => [&body[..end], &body[start..]].concat(),
            Self::Refused => return None,
        };
        Some((listed_in(&body[start..end]).pop()?, listed))
    }
}

type Reply = Result<HttpResponse, ConnectorError>;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Throttled,
    Status(u16),
    Unreachable,
    LostReply,
    LateReply(u64),
}

impl Fault {
    fn draw(random: &mut Random) -> Self {
        match random.within(0..=6) {
            0 => Self::Throttled,
            1 => Self::Status(500),
            2 => Self::Status(503),
            3 => Self::Unreachable,
            4 | 5 => Self::LostReply,
            _ => Self::LateReply(random.within(2..=25)),
        }
    }
}

fn find(text: &str, part: &str) -> Option<usize> {
    memchr::memmem::find(text.as_bytes(), part.as_bytes())
}

/// The elements of snapshots, or of databases, in a reply: where each begins and ends.
fn listed_elements(body: &str) -> Vec<(usize, usize)> {
    let close_of = |open: &str| format!("</{}", &open[1..]);
    let mut found = Vec::new();
    for open in ["<DBSnapshot>", "<DBClusterSnapshot>", "<DBInstance>", "<DBCluster>"] {
        let mut from = 0;
        while let Some(start) = find(&body[from..], open).map(|at| from + at) {
            let close = close_of(open);
            let Some(end) = find(&body[start..], &close).map(|at| start + at + close.len()) else {
                break;
            };
            found.push((start, end));
            from = end;
        }
    }
    found
}

/// The identifiers of the snapshots, or of the databases, in a reply.
fn listed_in(body: &str) -> Vec<String> {
    let identifier = |element: &str| {
        let (_, kind) = element.split_once('<')?;
        let (kind, _) = kind.split_once('>')?;
        between(element, &format!("<{kind}Identifier>"), "</").map(str::to_owned)
    };
    listed_elements(body)
        .into_iter()
        .filter_map(|(start, end)| identifier(&body[start..end]))
        .collect()
}

fn text_of(reply: &HttpResponse) -> &str {
    std::str::from_utf8(reply.body().bytes().unwrap_or_default()).unwrap_or_default()
}

fn answer(status: u16, body: String) -> Reply {
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut reply = HttpResponse::new(status, SdkBody::from(body));
    reply.headers_mut().insert("x-amzn-requestid", "simulated");
    Ok(reply)
}

fn refusal(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>simulated</RequestId></ErrorResponse>"
    )
}

fn refusal_of_kms(code: &str, message: &str) -> String {
    serde_json::json!({ "__type": code, "message": message }).to_string()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let start = text.find(begin)? + begin.len();
    Some(&text[start..start + text[start..].find(end)?])
}

/// A parameter of a form, decoded.
pub(crate) fn parameter(form: &str, name: &str) -> Option<String> {
    let value = form
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

pub(crate) fn source_of_copy(form: &str) -> Option<String> {
    parameter(form, "SourceDBSnapshotIdentifier").or_else(|| parameter(form, "SourceDBClusterSnapshotIdentifier"))
}

/// What a call that writes is about.
pub(crate) fn subject(form: &str) -> String {
    [
        "TargetDBSnapshotIdentifier",
        "TargetDBClusterSnapshotIdentifier",
        "DBSnapshotIdentifier",
        "DBClusterSnapshotIdentifier",
        "ResourceName",
        "DBInstanceIdentifier",
        "DBClusterIdentifier",
    ]
    .into_iter()
    .find_map(|name| parameter(form, name))
    .unwrap_or_default()
}

/// The database that a call names, or asks for by a filter.
pub(crate) fn database_of(form: &str) -> Option<String> {
    [
        "DBInstanceIdentifier",
        "DBClusterIdentifier",
        "Filters.Filter.1.Values.Value.1",
    ]
    .into_iter()
    .find_map(|name| parameter(form, name))
}

/// The tags that a call gives.
pub(crate) fn tags_given(form: &str) -> BTreeMap<String, String> {
    (1..)
        .map_while(|number| {
            let part = |part: &str| parameter(form, &format!("Tags.Tag.{number}.{part}"));
            Some((part("Key")?, part("Value").unwrap_or_default()))
        })
        .collect()
}

/// Renames the tag with the expiry in a call that makes a database.
fn hide_expiry(request: &mut HttpRequest) {
    let form = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
    if form.contains("Action=Restore") || form.contains("Action=CreateDBInstance") {
        *request.body_mut() = SdkBody::from(form.replace("drill-until", "drill-hidden"));
    }
}

/// The network as the SDK sees it.
#[derive(Debug, Clone)]
struct Wire {
    network: Network,
    caller: Arc<str>,
    is_source: bool,
    inner: SharedHttpClient,
}

#[derive(Debug, Clone)]
struct Connector {
    wire: Wire,
    inner: SharedHttpConnector,
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            wire: self.clone(),
            inner: self.inner.http_connector(settings, components),
        })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.wire.clone();
        let work = wire.network.clone().call(self.inner.clone(), wire, request);
        let boxed: Pin<Box<dyn Future<Output = Reply> + Send>> = Box::pin(work);
        HttpConnectorFuture::new_boxed(boxed)
    }
}

/// The time that a function's clock shows: that of the network, and off by `by`.
#[must_use]
pub fn skewed(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(now)
}
