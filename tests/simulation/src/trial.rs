//! One seed: a fleet, some days of overlapping runs under faults, quiet runs, and what must hold then.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fixtures::{DESTINATION, SOURCE, settings_with};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::Error;
use simulator_sdk::scenario::{self, Becomes, CopyBehaviour, Scenario};
use simulator_sdk::simulator::{Kind, State};
use simulator_sdk::{BEGINNING, World};
use static_checks::{entries, rendered};

use crate::functions::{Broken, Functions};
use crate::machines::machines;
use crate::network::{Appearance, FaultRates, Network};
use crate::random::Random;
use crate::record::{Record, Report};
use crate::step_functions::{Execution, Status, StepFunctions};
use crate::virtual_time::Tasks;
use crate::watch::{Taken, Watch};

/// The stack's key in the destination region, the one that the roles are rendered with.
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";

/// Another key there.
const OTHER_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-4222-8222-222222222222";

/// Key of the databases in the source region.
const SOURCE_KEY: &str = "33333333-3333-4333-8333-333333333333";

/// The figure that counts the calls while faults are on.
pub const CALLS_UNDER_FAULTS: &str = "calls while faults are on";

/// Every kind of fault that a batch of seeds must show.
pub const FAULTS: [&str; 29] = [
    "HTTP 500",
    "HTTP 503",
    "Lambda does not start a step",
    "RDS answers late",
    "RDS cannot be reached",
    "RDS throttles",
    "StartExecution delivered twice",
    "StartExecution throttled",
    "clock set",
    "copy comes out different",
    "copy fails at 99 %",
    "copy vanishes",
    "database deleted",
    "database made again under its name",
    "database renamed",
    "execution stopped",
    "key disabled",
    "outage of RDS",
    "quota of manual snapshots used up",
    "reply to a read lost",
    "reply to a write lost",
    "snapshot expires while it is copied",
    "step answered late",
    "step cut off after its effect",
    "step cut off before its effect",
    "step cut off half-way",
    "step delivered twice",
    "step times out",
    "run overlaps with another",
];

/// Days under faults.
const DAYS: u64 = 2;

/// Most quiet runs at the end until one finds nothing to do: a snapshot may need three attempts, and each of them two
/// runs where the deadline is shorter than the copy.
const MOST_QUIET_RUNS: u64 = 8;

/// A database as it really is.
#[derive(Debug, Clone)]
struct Database {
    kind: Kind,
    id: String,
    resource_id: String,
    id_within: String,
    resource_id_within: String,
    engine: &'static str,
    /// `none`, `sse-kms` or `sse-rds`.
    encryption: &'static str,
    opted_out: bool,
    has_backups: bool,
    copy_seconds: f64,
    retention: usize,
    is_gone: bool,
    taken: Vec<String>,
    takes: u32,
}

impl Database {
    fn can_be_copied(&self) -> bool {
        let supported = match self.kind {
            Kind::Instance => !self.engine.starts_with("custom-oracle"),
            Kind::Cluster => self.engine.starts_with("aurora"),
        };
        supported && !self.opted_out && !self.is_gone
    }
}

/// Everything of one seed.
struct Trial {
    seed: u64,
    tasks: Rc<Tasks>,
    world: World,
    network: Network,
    watch: Watch,
    record: Record,
    steps: Rc<StepFunctions>,
    random: RefCell<Random>,
    databases: RefCell<Vec<Database>>,
    rates: FaultRates,
    quiet: RefCell<bool>,
}

/// What is not drawn from the seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// What is broken on purpose.
    pub broken: Broken,
    /// Prints the transcript as it comes.
    pub shown: bool,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, options: Options) -> Report {
    // The SDK draws the jitter of its own retries from there.
    fastrand::seed(seed);
    let trial = Trial::new(seed, options);
    Rc::clone(&trial).live();
    trial.rest();
    trial.judge();
    trial.record.report()
}

impl Trial {
    fn new(seed: u64, options: Options) -> Rc<Self> {
        let Options { broken, shown } = options;
        let mut random = Random::new(seed, "world");
        let slots = [random.of(1..=4), random.of(1..=2)];
        let keep = random.of(1..=3).to_string();
        let deadline = random.one_of(&["1", "3", "72"]).to_string();
        let page_size = random.one_of(&["3", "7", "500", "500"]).to_string();
        let manual = if random.per_mille(200) { "true" } else { "false" };
        let settings = settings_with(&[
            ("OWNER_ID", "snapferry"),
            ("DESTINATION_KMS_KEY_ARN", KEY),
            ("KEEP_COPIES", keep.as_str()),
            ("COPY_DEADLINE_HOURS", deadline.as_str()),
            ("PAGE_SIZE", page_size.as_str()),
            ("INCLUDE_MANUAL_SNAPSHOTS", manual),
        ]);
        let databases = databases(&mut random);
        let world = World::new(&scenario(&databases, slots, &mut random));
        // Judging each call by the deployed roles takes time, so not every seed does it.
        if seed.is_multiple_of(4) {
            for (function, role) in rendered("policies.json").as_object().into_iter().flatten() {
                world.policies(function, entries(&role["policies"]).iter().cloned());
            }
        }
        let tasks = Tasks::beginning_at(BEGINNING);
        let record = Record::new(tasks.clock(), shown);
        let watch = Watch::new(&settings, &record);
        let network = Network::new(&world, tasks.clock(), &record, &watch, Random::new(seed, "network"));
        let functions = Functions::new(
            &tasks,
            &network,
            &record,
            &watch,
            &settings,
            Random::new(seed, "functions"),
            broken,
        );
        let lanes = [slots[0] + random.of(1..=3), slots[1] + random.of(1..=2)];
        let steps = StepFunctions::new(
            &tasks,
            &functions,
            &network,
            &record,
            Random::new(seed, "steps"),
            machines(lanes[0], lanes[1], broken),
        );
        record.note(&format!(
            "seed {seed}: {} databases, slots {slots:?}, lanes {lanes:?}, keep {keep}, deadline {deadline} h, page {page_size}",
            databases.len()
        ));
        record.add("databases", databases.len() as u64);
        Rc::new(Self {
            seed,
            tasks,
            world,
            network,
            watch,
            record,
            steps,
            random: RefCell::new(random),
            databases: RefCell::new(databases),
            rates: FaultRates {
                of_rds: 60,
                of_steps: 80,
            },
            quiet: RefCell::new(false),
        })
    }

    fn now(&self) -> Timestamp {
        self.tasks.clock().now()
    }

    fn draw(&self, range: std::ops::RangeInclusive<u64>) -> u64 {
        self.random.borrow_mut().of(range)
    }

    fn happens(&self, per_mille: u64) -> bool {
        self.random.borrow_mut().per_mille(per_mille)
    }

    /// Does something at a later time.
    fn at(self: &Rc<Self>, minutes: u64, act: impl FnOnce(Rc<Self>) + 'static) {
        let this = Rc::clone(self);
        self.tasks.begin(async move {
            this.tasks.clock().sleep(Duration::from_mins(minutes)).await;
            if !*this.quiet.borrow() {
                act(Rc::clone(&this));
            }
        });
    }

    /// The days under faults.
    fn live(self: Rc<Self>) {
        self.watch_beginning();
        self.network.set_rates(self.rates);
        for day in 0..DAYS {
            let dawn = day * 24 * 60;
            let count = self.databases.borrow().len();
            for database in 0..count {
                if self.happens(900) {
                    let minute = dawn
                        + if self.happens(500) {
                            self.draw(5..=300)
                        } else {
                            self.draw(300..=1200)
                        };
                    self.at(minute, move |this| this.take_snapshot(database));
                }
            }
            let begin = dawn + self.draw(30..=240);
            for number in 0..self.draw(2..=4) {
                let minute = begin + if number == 0 { 0 } else { self.draw(0..=120) };
                self.at(minute, move |this| this.begin_run(number));
            }
            for _ in 0..self.draw(1..=3) {
                let minute = begin + self.draw(0..=240);
                self.at(minute, |this| this.stop_something());
            }
            for _ in 0..self.draw(2..=4) {
                let minute = begin + self.draw(2..=180);
                self.at(minute, |this| this.expire_while_copied());
            }
            for _ in 0..self.draw(1..=3) {
                let minute = begin + self.draw(0..=240);
                self.at(minute, |this| this.change_database());
            }
            if self.happens(600) {
                let minute = begin + self.draw(0..=60);
                self.at(minute, |this| this.disable_key());
            }
            if self.happens(600) {
                let minute = begin + self.draw(0..=120);
                self.at(minute, |this| this.outage());
            }
            if self.happens(300) {
                let minute = begin + self.draw(0..=60);
                self.at(minute, |this| this.squeeze_quota());
            }
        }
        let end = self.now() + SignedDuration::from_hours(i64::try_from(DAYS * 24).unwrap_or(48));
        self.run_until(end);
    }

    /// Lets time pass, and looks at every hour whether what must always hold does.
    fn run_until(&self, end: Timestamp) {
        while self.now() < end {
            let hour = (self.now() + SignedDuration::from_hours(1)).min(end);
            // Somebody always waits for the end of the hour, so that it comes.
            let clock = self.tasks.clock().clone();
            let left = Duration::try_from(hour.duration_since(self.now())).unwrap_or_default();
            self.tasks.begin(async move { clock.sleep(left).await });
            self.tasks.run(hour, || false);
            self.judge_moment();
        }
    }

    /// The quiet runs.
    fn rest(self: &Rc<Self>) {
        *self.quiet.borrow_mut() = true;
        self.network.set_rates(FaultRates::default());
        self.network.set_key_usable(true);
        self.set_quota(10_000);
        self.record.note("quiet");
        let so_far = self.record.report();
        self.record.add(CALLS_UNDER_FAULTS, so_far.all_calls());
        let limit = self.now() + SignedDuration::from_hours(20 * 24);
        self.wait_for_executions(limit);
        for number in 1..=MOST_QUIET_RUNS {
            let before = self.all_names();
            let _ = self.start(
                &format!("quiet-{number}"),
                json!({ "Comment": "Started by the schedule." }),
            );
            self.wait_for_executions(limit);
            let did_something = self.judge_quiet(number, &before);
            // Copies that were overdue end meanwhile.
            self.run_until(self.now() + SignedDuration::from_hours(10));
            if did_something.is_none() {
                self.record.add("quiet runs", number);
                return;
            }
            if number == MOST_QUIET_RUNS {
                self.record.violation(&format!(
                    "no end: quiet run {number}: {}",
                    did_something.unwrap_or_default()
                ));
            }
        }
    }

    fn all_names(&self) -> Vec<String> {
        self.steps
            .all()
            .iter()
            .map(|execution| execution.name.clone())
            .collect()
    }

    fn wait_for_executions(&self, limit: Timestamp) {
        while !self.steps.running().is_empty() {
            if self.now() >= limit {
                let running = self.steps.running();
                self.record.violation(&format!("{running:?} never end"));
                return;
            }
            self.run_until(self.now() + SignedDuration::from_hours(1));
        }
    }

    fn start(&self, name: &str, input: Value) -> Option<Rc<Execution>> {
        match self.steps.start("copy-fleet", name, input) {
            Ok(execution) => Some(execution),
            Err(failure) => {
                self.record.violation(&format!("{name}: {}", failure.error));
                None
            }
        }
    }

    /// A run of one of the kinds that there are.
    fn begin_run(&self, number: u64) {
        let name = format!("run-{:08x}", self.draw(0..=0xffff_ffff));
        let input = match (number, self.draw(0..=5)) {
            (0, _) => {
                json!({ "version": "0", "id": name, "detail-type": "Scheduled Event", "source": "aws.events",
                        "region": SOURCE, "detail": {} })
            }
            (_, 0) => json!({ "dryRun": true }),
            (_, 1) => {
                let databases = self.databases.borrow();
                let there: Vec<&Database> = databases.iter().filter(|database| !database.is_gone).collect();
                let Some(one) = there.first() else { return };
                json!({ "only": [one.id] })
            }
            _ => json!({ "Comment": "by hand" }),
        };
        self.record.note(&format!("run {name}: {input}"));
        let runs = self.steps.running();
        if runs.iter().any(|execution| execution.machine == "copy-fleet") {
            self.record.faults("run overlaps with another", 1);
        }
        let _ = self.start(&name, input);
    }

    /// A new automated snapshot, and perhaps the event that tells of it.
    fn take_snapshot(self: &Rc<Self>, at: usize) {
        let database = self.databases.borrow()[at].clone();
        if database.is_gone || !database.has_backups {
            return;
        }
        self.network.settle();
        let now = self.now();
        let stamp = now.to_string()[..16].replace(['T', ':'], "-");
        let id = format!("rds:{}-{stamp}", database.id);
        let mut behaviour = CopyBehaviour {
            duration_seconds: Some(database.copy_seconds),
            ..CopyBehaviour::default()
        };
        let accepted = self.watch.accepted_of(&database.id);
        match self.draw(0..=19) {
            0 | 1 => {
                behaviour.fail_at_percent = Some(99);
                behaviour.first_copies = Some(accepted + u32::try_from(self.draw(1..=3)).unwrap_or(1));
            }
            2 => {
                behaviour.vanish_at_percent = Some(u32::try_from(self.draw(1..=99)).unwrap_or(50));
                behaviour.first_copies = Some(accepted + 1);
            }
            3 => {
                behaviour.becomes = Some(match self.draw(0..=1) {
                    0 => Becomes {
                        engine: Some("wrong".to_owned()),
                        ..Becomes::default()
                    },
                    _ => Becomes {
                        kms_key: Some(OTHER_KEY.to_owned()),
                        ..Becomes::default()
                    },
                });
                behaviour.first_copies = Some(accepted + u32::try_from(self.draw(1..=3)).unwrap_or(1));
            }
            _ => {}
        }
        // Some are still being made for some minutes.
        let unfinished = (behaviour.first_copies.is_none() && self.happens(150)).then_some(50);
        let snapshot = scenario::Snapshot {
            id: Some(id.clone()),
            kind: Some(database.kind),
            database: Some(database.id.clone()),
            created_at: Some(now),
            snapshot_type: Some("automated".to_owned()),
            resource_id: Some(database.resource_id.clone()),
            engine: Some(database.engine.to_owned()),
            kms_key: (database.encryption == "sse-kms").then(|| SOURCE_KEY.to_owned()),
            storage_encryption_type: Some(database.encryption.to_owned()),
            status: unfinished.map(|_| "creating".to_owned()),
            percent: unfinished,
            copies: behaviour,
            ..scenario::Snapshot::default()
        };
        self.world
            .add(&Scenario::new().region(SOURCE, |region| region.snapshot(snapshot)));
        let arn = self.remember(&id, now, &database);
        self.record.note(&format!("{id} is taken of {}", database.resource_id));
        self.record.add("snapshots taken", 1);
        let expired = {
            let databases = &mut self.databases.borrow_mut();
            let database = &mut databases[at];
            database.taken.push(arn);
            database.takes += 1;
            let excess = database.taken.len().saturating_sub(database.retention);
            database.taken.drain(..excess).collect::<Vec<_>>()
        };
        for arn in expired {
            self.expire(&arn);
        }
        // Few, because every event is a run.
        if self.happens(1000 / self.databases.borrow().len() as u64) {
            let detail_type = match database.kind {
                Kind::Instance => "RDS DB Snapshot Event",
                Kind::Cluster => "RDS DB Cluster Snapshot Event",
            };
            let event_id = match database.kind {
                Kind::Instance => "RDS-EVENT-0091",
                Kind::Cluster => "RDS-EVENT-0169",
            };
            let name = format!("event-{:08x}", self.draw(0..=0xffff_ffff));
            let input = json!({ "version": "0", "id": name, "detail-type": detail_type, "source": "aws.rds", "region": SOURCE,
                                "detail": { "EventID": event_id, "SourceIdentifier": id } });
            let minutes = self.draw(0..=10);
            self.at(minutes, move |this| {
                let _ = this.start(&name, input);
            });
        }
    }

    fn remember(&self, id: &str, at: Timestamp, database: &Database) -> String {
        let arn = format!(
            "arn:aws:rds:{SOURCE}:123456789012:{}:{id}",
            database.kind.snapshot_type()
        );
        self.watch.taken(
            &arn,
            Taken {
                kind: database.kind,
                at,
                resource_id: database.resource_id.clone(),
                database: database.id.clone(),
                has_key: database.kind == Kind::Instance || database.encryption != "none",
            },
        );
        arn
    }

    fn expire(&self, arn: &str) {
        self.network.settle();
        let there = self.world.with(|simulator, now| simulator.expire(now, arn));
        if there {
            self.record.note(&format!("{arn} expires"));
        }
    }

    fn expire_while_copied(&self) {
        self.network.settle();
        let state = self.world.state();
        let sources: Vec<String> = state
            .snapshots(DESTINATION)
            .iter()
            .filter(|copy| ["pending", "creating", "copying"].contains(&copy.status.as_str()))
            .filter_map(|copy| copy.source_arn.clone())
            .filter(|arn| state.snapshots(SOURCE).iter().any(|snapshot| snapshot.arn == *arn))
            .collect();
        if sources.is_empty() {
            return;
        }
        let arn = self.random.borrow_mut().one_of(&sources).clone();
        self.record.fault("snapshot expires while it is copied", &arn);
        self.expire(&arn);
        let older: Vec<String> = self
            .databases
            .borrow()
            .iter()
            .filter_map(|database| {
                let at = database.taken.iter().position(|taken| *taken == arn)?;
                Some(database.taken[..at].to_vec())
            })
            .flatten()
            .collect();
        // RDS lets the oldest go first, but one may be deleted by hand at any time: every other seed is so.
        if self.seed.is_multiple_of(2) {
            for arn in older {
                self.expire(&arn);
            }
        }
    }

    fn stop_something(&self) {
        let running = self.steps.running();
        if running.is_empty() {
            return;
        }
        let one = Rc::clone(self.random.borrow_mut().one_of(&running));
        self.record.fault("execution stopped", &format!("{one:?}"));
        self.steps.stop(&one);
    }

    fn disable_key(self: &Rc<Self>) {
        self.record.note("the key is disabled");
        self.network.set_key_usable(false);
        let minutes = self.draw(5..=90);
        self.at(minutes, |this| {
            this.record.note("the key is enabled again");
            this.network.set_key_usable(true);
        });
    }

    fn outage(self: &Rc<Self>) {
        self.record.fault("outage of RDS", "for minutes");
        self.network.set_rates(FaultRates {
            of_rds: 700,
            ..self.rates
        });
        let minutes = self.draw(1..=25);
        self.at(minutes, |this| this.network.set_rates(this.rates));
    }

    fn squeeze_quota(self: &Rc<Self>) {
        self.network.settle();
        let state = self.world.state();
        let there = state
            .snapshots(DESTINATION)
            .iter()
            .filter(|snapshot| snapshot.kind == Kind::Instance)
            .count();
        self.record
            .fault("quota of manual snapshots used up", &there.to_string());
        self.set_quota(u32::try_from(there).unwrap_or(100) + u32::try_from(self.draw(0..=2)).unwrap_or(0));
        let minutes = self.draw(5..=60);
        self.at(minutes, |this| this.set_quota(10_000));
    }

    fn set_quota(&self, quota: u32) {
        self.network.settle();
        self.world
            .add(&Scenario::new().region(DESTINATION, |region| region.quota(quota, 10_000)));
    }

    /// A database is renamed, deleted, or deleted and made again under its name.
    fn change_database(&self) {
        let at = usize::try_from(self.draw(0..=self.databases.borrow().len() as u64 - 1)).unwrap_or(0);
        let mut databases = self.databases.borrow_mut();
        let number = databases[at].takes;
        let what = self.draw(0..=2);
        let database = &mut databases[at];
        if database.is_gone || database.id != database.id_within || database.resource_id != database.resource_id_within
        {
            return;
        }
        let gone: Vec<String> = match what {
            0 => {
                database.id = format!("renamed-{at}");
                self.record.fault("database renamed", &database.id);
                Vec::new()
            }
            1 => {
                database.is_gone = true;
                self.record.fault("database deleted", &database.id);
                database.taken.drain(..).collect()
            }
            _ => {
                database.resource_id = format!("{}X{number}", database.resource_id);
                self.record.fault("database made again under its name", &database.id);
                database.taken.drain(..).collect()
            }
        };
        self.network.show(Appearance {
            id_within: database.id_within.clone(),
            resource_id_within: database.resource_id_within.clone(),
            id: database.id.clone(),
            resource_id: database.resource_id.clone(),
            is_gone: database.is_gone,
        });
        drop(databases);
        for arn in gone {
            self.expire(&arn);
        }
    }

    fn watch_beginning(&self) {
        let state = self.world.state();
        self.watch.others(&state);
        let databases = self.databases.borrow().clone();
        for (at, database) in databases.iter().enumerate() {
            for snapshot in state.snapshots(SOURCE) {
                if snapshot.kind == database.kind && snapshot.database == database.id && snapshot.resource_id.is_some()
                {
                    let created = snapshot.created_at.unwrap_or(BEGINNING);
                    let arn = self.remember(&snapshot.id, created, database);
                    if snapshot.snapshot_type == "automated" {
                        self.databases.borrow_mut()[at].taken.push(arn);
                    }
                }
            }
        }
    }

    fn state(&self) -> State {
        self.network.settle();
        self.world.state()
    }

    fn judge_moment(&self) {
        let state = self.state();
        let counters = self.world.counters();
        let peaks = counters.copies.get(DESTINATION).map_or([(0, 0); 2], |copies| {
            [copies.instances, copies.clusters].map(|kind| (kind.peak_in_flight, kind.slots))
        });
        self.watch.judge_moment(&state, peaks);
    }

    /// Judges the executions that were not there before. Says what they still had to do, if anything.
    fn judge_quiet(&self, number: u64, before: &[String]) -> Option<String> {
        // What may end an execution when nothing disturbs it; the last two for good.
        const ALLOWED: [&str; 6] = [
            "CopyFailed",
            "CopyMissing",
            "CopyMismatch",
            "CopyOverdue",
            "AttemptsUsedUp",
            "CopiesFailed",
        ];
        let mut did_something = None;
        for execution in self.steps.all() {
            if before.contains(&execution.name) {
                continue;
            }
            match execution.ended.kept() {
                Some(Status::Failed(failure)) => {
                    let error = failure.error.as_str();
                    if !ALLOWED.contains(&error) {
                        self.record.violation(&format!(
                            "quiet run {number}: {execution:?} ends with {error}: {}",
                            failure.cause.unwrap_or_default()
                        ));
                    } else if !ALLOWED[4..].contains(&error) {
                        did_something = Some(format!("{execution:?} ends with {error}"));
                    }
                }
                Some(Status::Succeeded(output)) => {
                    if output["outcome"] == "copied" {
                        did_something = Some(format!("{execution:?} copies"));
                    }
                }
                Some(Status::Aborted) | None => {
                    self.record.violation(&format!("{execution:?} has not ended"));
                }
            }
        }
        did_something
    }

    fn judge(&self) {
        let state = self.state();
        for database in self
            .databases
            .borrow()
            .iter()
            .filter(|database| database.can_be_copied())
        {
            self.watch
                .judge_database(&state, database.kind, &database.id, &database.resource_id);
        }
        // Every failure has a name that the documents explain.
        for execution in self.steps.all() {
            match execution.ended.kept() {
                Some(Status::Failed(failure)) => {
                    if let Some(problem) = unknown_failure(&execution, &failure.error) {
                        let cause = failure.cause.unwrap_or_default();
                        self.record.violation(&format!(
                            "{execution:?} ends with {}, {problem}: {cause}",
                            failure.error
                        ));
                    }
                }
                Some(Status::Succeeded(output))
                    if execution.machine == "copy-fleet" && output["counts"]["failed"] != 0 =>
                {
                    self.record.violation(&format!("{execution:?} succeeds with failures"));
                }
                _ => {}
            }
        }
        let counters = self.world.counters();
        if let Some(copies) = counters.copies.get(DESTINATION) {
            for kind in [copies.instances, copies.clusters] {
                self.record.add("copies completed", kind.completed);
                self.record.faults("copy fails at 99 %", kind.failed);
                self.record.faults("copy vanishes", kind.vanished);
            }
        }
        self.record.add("refusals: slots", counters.refusals.slots);
        self.record.add("refusals: quota", counters.refusals.quota);
        self.record.add("seeds", 1);
        self.record.note(&format!("seed {} ends", self.seed));
    }
}

/// Why an execution must not end with this error, if so.
fn unknown_failure(execution: &Execution, error: &str) -> Option<&'static str> {
    const OF_PLATFORM: [&str; 10] = [
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "Sandbox.Timedout",
        "Runtime.ExitError",
        "States.Timeout",
        "CopiesFailed",
    ];
    if !Error::NAMES.contains(&error) && !OF_PLATFORM.contains(&error) {
        return Some("which nobody knows");
    }
    let never = [
        "BadSettings",
        "AccessDenied",
        "NameTaken",
        "OptionGroupMissing",
        "PageLimit",
        "RdsError",
    ];
    if never.contains(&error) {
        return Some("for which there is no reason");
    }
    // A database may be gone before the run that names it, or its event, has begun.
    let names_database = execution.input.get("only").is_some() || execution.input.get("detail").is_some();
    if error == "BadInput" && !(execution.machine == "copy-fleet" && names_database) {
        return Some("though its input was made by us");
    }
    None
}

fn databases(random: &mut Random) -> Vec<Database> {
    let count = random.of(5..=40).min(random.of(5..=40));
    (0..count)
        .map(|number| {
            let kind = if random.per_mille(300) {
                Kind::Cluster
            } else {
                Kind::Instance
            };
            let name = *random.one_of(&[
                "orders",
                "db",
                "db-2",
                "billing-of-the-northern-and-southern-branches-together",
            ]);
            let id = format!("{name}-{number}");
            let (prefix, engine, encryption) = match kind {
                Kind::Instance => (
                    "db",
                    *random.one_of(&["postgres", "mysql", "mariadb", "postgres", "custom-oracle-ee"]),
                    *random.one_of(&["none", "sse-kms"]),
                ),
                // One of a plain engine is a Multi-AZ DB cluster.
                Kind::Cluster => (
                    "cluster",
                    *random.one_of(&["aurora-postgresql", "aurora-mysql", "aurora-postgresql", "postgres"]),
                    *random.one_of(&["none", "sse-kms", "sse-rds"]),
                ),
            };
            let encryption = if engine == "custom-oracle-ee" {
                "sse-kms"
            } else {
                encryption
            };
            let resource_id = format!("{prefix}-{:012X}{number}R", random.of(0..=0xffff_ffff_ffff));
            Database {
                kind,
                id_within: id.clone(),
                resource_id_within: resource_id.clone(),
                id,
                resource_id,
                engine,
                encryption,
                opted_out: random.per_mille(80),
                has_backups: !random.per_mille(80),
                copy_seconds: match random.of(0..=9) {
                    0 => random.between(1800.0, 9000.0),
                    1 | 2 => random.between(600.0, 1800.0),
                    _ => random.between(20.0, 400.0),
                },
                retention: usize::try_from(random.of(1..=3)).unwrap_or(1),
                is_gone: false,
                taken: Vec::new(),
                takes: 0,
            }
        })
        .collect()
}

fn scenario(databases: &[Database], slots: [u64; 2], random: &mut Random) -> Scenario {
    let slots = slots.map(|slots| u32::try_from(slots).unwrap_or(1));
    let source = |mut region: scenario::Region| {
        region = region.key(SOURCE_KEY, "alias/databases");
        for (number, database) in databases.iter().enumerate() {
            let mut seed = scenario::Database {
                members: (database.kind == Kind::Cluster)
                    .then(|| scenario::Members::Ids(vec![format!("member-of-{number}")])),
                resource_id: Some(database.resource_id.clone()),
                engine: Some(database.engine.to_owned()),
                kms_key: (database.encryption == "sse-kms").then(|| SOURCE_KEY.to_owned()),
                storage_encryption_type: Some(database.encryption.to_owned()),
                backup_retention_days: Some(if database.has_backups { 7 } else { 0 }),
                ..scenario::Database::new(&database.id)
            };
            seed.copies.duration_seconds = Some(database.copy_seconds);
            if database.opted_out {
                seed = seed.tag("snapferry:copy", "false");
            }
            if database.has_backups {
                let youngest = random.between(1.0, 20.0);
                let ages =
                    (0..database.retention).map(|days| youngest + 24.0 * u32::try_from(days).map_or(0.0, f64::from));
                seed = seed.snapshots_aged(ages.collect::<Vec<_>>());
            }
            if random.per_mille(200) {
                let id = format!("before-upgrade-{}", database.id);
                seed = seed.snapshot(scenario::Snapshot::manual(&id, random.between(30.0, 900.0)));
            }
            region = match database.kind {
                Kind::Instance => region.instance(seed),
                Kind::Cluster => region.cluster(seed),
            };
        }
        region
    };
    let destination = |mut region: scenario::Region| {
        region = region
            .key(KEY, "alias/copies")
            .key(OTHER_KEY, "alias/other")
            .quota(10_000, 10_000)
            .slots(slots[0], slots[1]);
        for (number, database) in databases.iter().enumerate() {
            region = region.snapshot(not_ours(number, database));
        }
        region
    };
    let settings = scenario::Settings {
        fail_copies_when_source_is_deleted: databases.len().is_multiple_of(2),
        resource_id_on_copies: !databases.len().is_multiple_of(3),
        ..scenario::Settings::default()
    };
    Scenario::new()
        .settings(settings)
        .region(SOURCE, source)
        .region(DESTINATION, destination)
}

/// A snapshot in the destination region that looks a little like one of our copies, and is not.
fn not_ours(number: usize, database: &Database) -> scenario::Snapshot {
    let marked = |id: String, owner: &str| {
        scenario::Snapshot::manual(&id, 900.0)
            .of(database.kind, &database.id)
            .tag("snapferry:owner", owner)
            .tag(
                "snapferry:source-arn",
                &format!("arn:aws:rds:{SOURCE}:123456789012:snapshot:rds:gone"),
            )
            .tag("snapferry:source-id", &database.id)
            .tag("snapferry:source-resource-id", &database.resource_id)
            .tag("snapferry:source-created", "2026-01-01T00:00:00Z")
            .tag("snapferry:requested", "2026-01-01T00:00:00Z")
            .tag("snapferry:attempt", "0")
            .tag("snapferry:kms-key", KEY)
            .tag("snapferry:verified", "2026-01-01T01:00:00Z")
    };
    match number % 4 {
        // Made by hand, under a name of its own or one like ours.
        0 => scenario::Snapshot::manual(&format!("by-hand-{number}"), 500.0).of(database.kind, &database.id),
        1 => scenario::Snapshot::manual(&format!("snapferry-by-hand-{number}"), 500.0).of(database.kind, &database.id),
        // Another stack's.
        2 => marked(format!("snapferry-other-{number}"), "eu-central-1/snapferry"),
        // Our tag on a snapshot that somebody named otherwise.
        _ => marked(format!("snapshot-{number}"), "us-east-1/snapferry"),
    }
}
