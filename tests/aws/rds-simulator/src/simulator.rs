//! The state machine: a call and the time go in, a reply comes out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::authorization::{Caller, CallerTable, Callers, Rights};
use crate::copying::AtWork;
use crate::counters::{CopyCounters, Counters, Records, Write};
use crate::error::{ApiError, Refusal};
use crate::faults::{Action, Calls, Fault, Faults, Hold, Holds, ListingTrouble, Refuse};
use crate::model::{KEY_STATES, Kind, RdsArn, Region};
use crate::operations::{self, Operation};
use crate::request::{Request, Service};
use crate::scenario::{RestoreFate, Scenario, ScenarioError, Settings};
use crate::seed::Seeding;
use crate::view::State;
use crate::xml::Xml;

/// Amazon RDS, as far as snapshots go, in all regions of one account.
#[derive(Clone, Debug)]
pub struct Simulator {
    pub(crate) account: String,
    pub(crate) settings: Settings,
    pub(crate) regions: BTreeMap<String, Region>,
    /// Snapshots that are being made, in the order of acceptance.
    pub(crate) at_work: Vec<AtWork>,
    /// Snapshots that a call has deleted and that are still listed.
    pub(crate) deleting: Vec<AtWork>,
    /// Databases that are not available yet.
    pub(crate) databases_at_work: Vec<AtWork>,
    /// Until when time has passed.
    pub(crate) clock: Timestamp,
    /// Simulated seconds of copying in a second of time.
    pub(crate) scale: f64,
    pub(crate) records: Records,
    /// How many copies were accepted of snapshots of each database, by its ARN.
    pub(crate) accepted: BTreeMap<String, u32>,
    callers: Callers,
    faults: Faults,
    holds: Holds,
    throttles: BTreeMap<String, Throttle>,
    replies: u64,
    /// How many databases were restored: each has a resource id of its own.
    pub(crate) restores: u64,
    /// How many events there were, in all regions.
    pub(crate) events_told: u64,
}

/// A token bucket that holds one second's worth.
#[derive(Clone, Debug)]
struct Throttle {
    tokens: f64,
    at: Timestamp,
}

/// A reply, and how it is delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What RDS says.
    pub response: Response,
    /// How it gets back to the caller.
    pub delivery: Delivery,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// XML, or JSON from KMS, or nothing for an injected bare status.
    pub body: String,
    /// What the body is.
    pub content_type: &'static str,
    /// The request's id, also in the header `x-amzn-RequestId`.
    pub request_id: String,
}

/// How a reply gets back to the caller. Whatever it is, the call has had its effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Delivery {
    /// At once.
    Now,
    /// After this time.
    After(Duration),
    /// Never: the connection ends.
    Dropped,
    /// When the hold of this number is released. Who waits tells [`Simulator::leave`] when it stops waiting.
    Held(u64),
}

/// What an operation has to say.
#[derive(Debug)]
pub(crate) enum Output {
    Xml(Xml),
    Json(Value),
}

/// One call under way.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    pub(crate) operation: Operation,
    pub(crate) rights: Rights<'a>,
    /// What goes wrong in its listing on purpose.
    pub(crate) listing: &'a ListingTrouble,
}

impl Simulator {
    /// An empty account in which everybody may do everything.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            account: Scenario::default().account,
            settings: Settings::default(),
            regions: BTreeMap::new(),
            at_work: Vec::new(),
            deleting: Vec::new(),
            databases_at_work: Vec::new(),
            clock: now,
            scale: 1.0,
            records: Records::default(),
            accepted: BTreeMap::new(),
            callers: Callers::default(),
            faults: Faults::default(),
            holds: Holds::default(),
            throttles: BTreeMap::new(),
            replies: 0,
            restores: 0,
            events_told: 0,
        }
    }

    /// Replaces everything by a scenario; callers and time scale stay unless the scenario has its own.
    ///
    /// When the scenario is refused, nothing has changed.
    pub fn seed(&mut self, now: Timestamp, scenario: &Scenario) -> Result<(), ScenarioError> {
        let mut fresh = Self {
            callers: self.callers.clone(),
            scale: self.scale,
            replies: self.replies,
            account: scenario.account.clone(),
            ..Self::new(now)
        };
        fresh.holds = self.holds.clone();
        fresh.holds.clear();
        if fresh.account.len() != 12 || !fresh.account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ScenarioError(format!("account {:?}: twelve digits", fresh.account)));
        }
        fresh.settings = scenario.settings.clone();
        fresh.add(now, scenario)?;
        *self = fresh;
        Ok(())
    }

    /// Adds what a scenario holds to what is there: a new day's snapshots, another database, a key.
    ///
    /// Its account and settings are ignored. When it is refused, nothing has changed.
    pub fn add(&mut self, now: Timestamp, scenario: &Scenario) -> Result<(), ScenarioError> {
        self.settle(now);
        let mut fresh = self.clone();
        Seeding {
            regions: &mut fresh.regions,
            account: &self.account,
            now,
        }
        .add(scenario)?;
        if let Some(scale) = scenario.time_scale {
            fresh.set_time_scale(now, scale).map_err(ScenarioError)?;
        }
        if let Some(callers) = &scenario.callers {
            fresh.callers.replace(callers).map_err(ScenarioError)?;
        }
        fresh.find_work();
        *self = fresh;
        Ok(())
    }

    /// Takes copies that a scenario has under way onto the work list.
    fn find_work(&mut self) {
        let mut found = Vec::new();
        for region in self.regions.values() {
            for kind in Kind::ALL {
                for snapshot in region.snapshots[kind]
                    .values()
                    .filter(|snapshot| snapshot.job.is_some())
                {
                    let place = AtWork {
                        region: region.name.clone(),
                        kind,
                        id: snapshot.id.clone(),
                    };
                    if !self.at_work.contains(&place) {
                        found.push(place);
                    }
                }
            }
        }
        for place in found {
            let takes_slot = self
                .find(&place)
                .and_then(|snapshot| snapshot.job.as_ref())
                .is_some_and(|job| job.takes_slot);
            if takes_slot {
                self.count_in_flight(&place.region.clone(), place.kind);
            }
            self.at_work.push(place);
        }
    }

    /// Counts one more copy in flight.
    pub(crate) fn count_in_flight(&mut self, region: &str, kind: Kind) {
        let counters = self.copy_counters(region, kind);
        counters.in_flight += 1;
        counters.peak_in_flight = counters.peak_in_flight.max(counters.in_flight);
    }

    pub(crate) fn copy_counters(&mut self, region: &str, kind: Kind) -> &mut CopyCounters {
        let slots = self.region(region).slots[kind];
        let counters = self.records.counters.copies.entry(region.to_owned()).or_default();
        counters[kind].slots = slots;
        &mut counters[kind]
    }

    /// A region, made empty if nobody has spoken of it before: any region exists in AWS.
    pub(crate) fn region(&mut self, name: &str) -> &mut Region {
        let account = &self.account;
        self.regions
            .entry(name.to_owned())
            .or_insert_with(|| Region::new(name, account))
    }

    /// Answers a call as it comes over HTTP: its headers `Authorization` and `X-Amz-Target`, and its body.
    pub fn handle_http(
        &mut self,
        now: Timestamp,
        authorization: Option<&str>,
        target: Option<&str>,
        body: &[u8],
    ) -> Answer {
        match Request::from_http(authorization, target, body) {
            Ok(request) => self.handle(now, &request),
            Err(error) => {
                self.settle(now);
                Answer {
                    response: self.refuse(Service::from_target(target), &error),
                    delivery: Delivery::Now,
                }
            }
        }
    }

    /// Answers a call. `now` must not be earlier than in the call before; if it is, no time has passed.
    pub fn handle(&mut self, now: Timestamp, request: &Request) -> Answer {
        self.settle(now);
        let trouble = self.faults.strike(request);
        let operation = Operation::named(request.service, request.action());
        let name = operation.map_or("unknown", |operation| operation.name());
        self.records.call(name, &request.region, &request.access_key);

        let (response, outcome) = match trouble.refuse {
            Some(Refuse::Bare(status)) => {
                self.records.refused(Refusal::Other, &status.to_string());
                let response = Response {
                    status,
                    body: String::new(),
                    content_type: content_type(request.service),
                    request_id: self.request_id(),
                };
                (response, status.to_string())
            }
            Some(Refuse::With(error)) => (self.refuse(request.service, &error), error.code),
            None => match self.perform(operation, request, &trouble.listing) {
                Ok(output) => (self.succeed(name, output), "ok".to_owned()),
                Err(error) => (self.refuse(request.service, &error), error.code),
            },
        };
        let delivery = if trouble.drop_reply {
            Delivery::Dropped
        } else if let Some(hold) = self.holds.catch(request) {
            Delivery::Held(hold)
        } else if trouble.delay_seconds > 0.0 {
            Delivery::After(Duration::from_secs_f64(trouble.delay_seconds))
        } else {
            Delivery::Now
        };
        if let Some(operation) = operation
            && operation.writes()
        {
            let (identifier, source) = operation.subject(request);
            self.records.wrote(Write {
                at: now,
                operation: name.to_owned(),
                region: request.region.clone(),
                identifier: identifier.to_owned(),
                source: source.map(str::to_owned),
                caller: request.access_key.clone(),
                outcome,
                reply: match delivery {
                    Delivery::Now => "sent",
                    Delivery::After(_) => "delayed",
                    Delivery::Dropped => "dropped",
                    Delivery::Held(_) => "held",
                }
                .to_owned(),
            });
        }
        Answer { response, delivery }
    }

    fn perform(
        &mut self,
        operation: Option<Operation>,
        request: &Request,
        listing: &ListingTrouble,
    ) -> Result<Output, ApiError> {
        let Some(operation) = operation else {
            if request.service == Service::Kms {
                return Err(ApiError::new(
                    400,
                    "UnknownOperationException",
                    format!("The simulator knows DescribeKey only, not {}", request.action()),
                ));
            }
            return Err(ApiError::new(
                400,
                "InvalidAction",
                format!(
                    "Could not find operation {} for version 2014-10-31; the simulator knows {}",
                    request.action(),
                    Operation::ALL
                        .into_iter()
                        .filter(|operation| operation.service() == Service::Rds)
                        .map(Operation::name)
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            ));
        };
        if request.service == Service::Rds {
            self.throttle(&request.region)?;
        }
        operations::check_parameters(operation, request)?;
        // The rights borrow the table of callers while the operation changes the rest.
        let callers = std::mem::take(&mut self.callers);
        let result = callers
            .rights(&request.access_key, &operation.action())
            .and_then(|rights| {
                operations::perform(
                    self,
                    &Call {
                        request,
                        operation,
                        rights,
                        listing,
                    },
                )
            });
        self.callers = callers;
        // A new copy of no length, or one whose queue is empty, begins at once.
        self.begin_queued();
        result
    }

    fn throttle(&mut self, region: &str) -> Result<(), ApiError> {
        let Some(rate) = self.region(region).requests_per_second else {
            return Ok(());
        };
        let full = rate.max(1.0);
        let now = self.clock;
        let bucket = self
            .throttles
            .entry(region.to_owned())
            .or_insert(Throttle { tokens: full, at: now });
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed * rate).min(full);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(ApiError::throttled());
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn succeed(&mut self, operation: &str, output: Output) -> Response {
        let request_id = self.request_id();
        let (service, body) = match output {
            Output::Json(value) => (Service::Kms, value.to_string()),
            Output::Xml(result) => {
                let body = Xml::root(&format!("{operation}Response"), |xml| {
                    xml.append(&result);
                    xml.element("ResponseMetadata", |xml| xml.value("RequestId", &request_id));
                });
                (Service::Rds, body)
            }
        };
        Response {
            status: 200,
            body,
            content_type: content_type(service),
            request_id,
        }
    }

    /// An error reply as the service spells it, counted.
    fn refuse(&mut self, service: Service, error: &ApiError) -> Response {
        let error = match service {
            Service::Rds => error.clone(),
            Service::Kms => error.for_kms(),
        };
        self.records.refused(error.refusal, &error.code);
        let request_id = self.request_id();
        let body = match service {
            Service::Kms => json!({ "__type": error.code, "message": error.message }).to_string(),
            Service::Rds => Xml::root("ErrorResponse", |xml| {
                xml.element("Error", |xml| {
                    xml.value("Type", if error.status < 500 { "Sender" } else { "Receiver" });
                    xml.value("Code", &error.code);
                    xml.value("Message", &error.message);
                });
                xml.value("RequestId", &request_id);
            }),
        };
        Response {
            status: error.status,
            body,
            content_type: content_type(service),
            request_id,
        }
    }

    fn request_id(&mut self) -> String {
        self.replies += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.replies)
    }

    /// Everything that stands in the account.
    pub fn state(&mut self, now: Timestamp) -> State {
        self.settle(now);
        State::from_simulator(self, |_| true)
    }

    /// What stands in one region of it.
    pub fn state_of(&mut self, now: Timestamp, region: &str) -> State {
        self.settle(now);
        State::from_simulator(self, |name| name == region)
    }

    /// What was counted since the last seed.
    pub fn counters(&mut self, now: Timestamp) -> Counters {
        self.settle(now);
        self.records.counters.clone()
    }

    /// The last ten thousand calls that were meant to change something, oldest first.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        self.records.writes.iter().cloned().collect()
    }

    /// Orders a fault. A parameter that is the alias of a seeded copy, or its ARN with the alias, stands for the copy.
    pub fn add_fault(&mut self, mut fault: Fault) {
        let listed = match &mut fault.action {
            Action::Missing(name) | Action::Twice(name) => Some(name),
            _ => None,
        };
        for value in fault.calls.parameters.values_mut().chain(listed) {
            *value = self.without_aliases(value);
        }
        self.faults.add(fault);
    }

    /// A name or an ARN with the identifier of a seeded copy in the place of its alias.
    pub(crate) fn without_aliases(&self, name: &str) -> String {
        let (before, last) = name.rfind(':').map_or(("", name), |colon| name.split_at(colon + 1));
        let id = self
            .regions
            .values()
            .flat_map(|region| Kind::ALL.into_iter().flat_map(|kind| region.snapshots[kind].values()))
            .find(|snapshot| snapshot.alias.as_deref() == Some(last))
            .map(|snapshot| &snapshot.id);
        id.map_or_else(|| name.to_owned(), |id| format!("{before}{id}"))
    }

    /// Ends all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The faults that are still to strike.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        self.faults.list()
    }

    /// Holds back the replies to matching calls until it is released; the calls have their effect.
    pub fn hold(&mut self, calls: Calls) -> u64 {
        self.holds.add(calls)
    }

    /// Lets the held replies go. Says whether there was such a hold. Adapters look at [`Simulator::is_held`].
    pub fn release(&mut self, hold: u64) -> bool {
        self.holds.release(hold)
    }

    /// The holds that are not released yet.
    #[must_use]
    pub fn holds(&self) -> &[Hold] {
        self.holds.list()
    }

    /// Whether replies are still held by it.
    #[must_use]
    pub fn is_held(&self, hold: u64) -> bool {
        self.holds.is_held(hold)
    }

    /// Says that one caller no longer waits for a held reply.
    pub fn leave(&mut self, hold: u64) {
        self.holds.leave(hold);
    }

    /// Replaces the table of callers; the text of an error names the policy.
    pub fn set_callers(&mut self, table: &CallerTable) -> Result<(), String> {
        self.callers.replace(table)
    }

    /// Sets what one access key may do (`None`: everything). Where there was no table, the others may still do
    /// everything.
    pub fn set_caller(&mut self, access_key: &str, caller: Option<&Caller>) -> Result<(), String> {
        self.callers.set(access_key, caller)
    }

    /// Everybody may do everything again.
    pub fn clear_callers(&mut self) {
        self.callers.clear();
    }

    /// Says how restores to come end, before all that was said of them so far.
    pub fn add_restore_fate(&mut self, region: &str, fate: RestoreFate) {
        self.region(region).restore_fates.insert(0, fate);
    }

    /// Sets how many simulated seconds of copying pass in a second.
    pub fn set_time_scale(&mut self, now: Timestamp, scale: f64) -> Result<(), String> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(format!("time scale {scale}: must be more than 0"));
        }
        self.settle(now);
        self.scale = scale;
        Ok(())
    }

    /// Removes a snapshot as RDS does when its retention ends, whatever its type. Says whether it was there.
    pub fn expire(&mut self, now: Timestamp, arn: &str) -> bool {
        self.settle(now);
        let arn = self.without_aliases(arn);
        let Some(arn) = RdsArn::parse(&arn) else {
            return false;
        };
        let Some(kind) = Kind::ALL
            .into_iter()
            .find(|kind| kind.snapshot_type() == arn.resource_type)
        else {
            return false;
        };
        self.remove_snapshot(arn.region, kind, arn.id).is_some()
    }

    /// Changes the state of a key (ARN, id or alias): `Disabled`, `Enabled`, `PendingDeletion` …
    ///
    /// The text of an error says what is wrong: there is no such key, or KMS has no such state.
    pub fn set_key_state(&mut self, now: Timestamp, region: &str, key: &str, state: &str) -> Result<(), String> {
        self.settle(now);
        if !KEY_STATES.contains(&state) {
            return Err(format!("state {state:?}: one of {}", KEY_STATES.join(", ")));
        }
        let found = self.region(region);
        let index = found.key_index(key).ok_or_else(|| no_key(region, key))?;
        state.clone_into(&mut found.keys[index].state);
        Ok(())
    }

    /// Removes a key (ARN, id or alias) and its aliases, as at the end of its waiting period.
    ///
    /// What is encrypted with it stays, and can no longer be copied. The text of an error says that there is no such key.
    pub fn delete_key(&mut self, now: Timestamp, region: &str, key: &str) -> Result<(), String> {
        self.settle(now);
        let found = self.region(region);
        let index = found.key_index(key).ok_or_else(|| no_key(region, key))?;
        found.keys.remove(index);
        Ok(())
    }

    /// Removes an option group; unlike in AWS, databases and snapshots may have it. Says whether it was there: a
    /// default group cannot be removed.
    pub fn delete_option_group(&mut self, now: Timestamp, region: &str, name: &str) -> bool {
        self.settle(now);
        let groups = &mut self.region(region).option_groups;
        groups.remove(&name.to_ascii_lowercase()).is_some()
    }

    /// Deletes a database of either kind without a final snapshot: with it go its members and its automated
    /// snapshots. Says whether it was there.
    pub fn drop_database(&mut self, now: Timestamp, region: &str, id: &str) -> bool {
        self.settle(now);
        let Some(kind) = Kind::ALL
            .into_iter()
            .find(|kind| self.region(region).databases[*kind].contains_key(id))
        else {
            return false;
        };
        let found = self.region(region);
        let Some(dropped) = found.databases[kind].remove(id) else {
            return false;
        };
        found.databases[Kind::Instance]
            .retain(|_, member| member.cluster.as_deref() != Some(id) || kind == Kind::Instance);
        let automated: Vec<String> = found.snapshots[kind]
            .values()
            .filter(|snapshot| {
                snapshot.resource_id.as_ref() == Some(&dropped.resource_id) && snapshot.snapshot_type == "automated"
            })
            .map(|snapshot| snapshot.id.clone())
            .collect();
        for snapshot in automated {
            self.remove_snapshot(region, kind, &snapshot);
        }
        true
    }

    /// How many simulated seconds pass until the next copy ends, if one is at work.
    pub fn until_next_end(&mut self, now: Timestamp) -> Option<Duration> {
        self.settle(now);
        self.at_work
            .iter()
            .filter_map(|place| self.find(place)?.job.as_ref())
            .filter(|job| job.running)
            .map(|job| ((job.stops_at - job.done) / self.scale).max(0.0))
            .min_by(f64::total_cmp)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

fn content_type(service: Service) -> &'static str {
    match service {
        Service::Rds => "text/xml",
        Service::Kms => "application/x-amz-json-1.1",
    }
}

fn no_key(region: &str, key: &str) -> String {
    format!("there is no key {key} in {region}")
}
