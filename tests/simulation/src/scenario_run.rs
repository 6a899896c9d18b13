//! One seed: a fleet, some days of overlapping runs under faults, quiet runs, and what must hold then.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use deployment::rendered;
use domain::error::Error;
use fixtures::{DESTINATION, SOURCE, settings_with};
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::scenario::{self, Becomes, CopyBehaviour, Scenario};
use rds_simulator_sdk::simulator::{Kind, State};
use rds_simulator_sdk::{BEGINNING, World};
use serde_json::{Value, json};
use step_functions::{Failure, entries};

use crate::executions::{Execution, Executions, OF_PLATFORM, Status};
use crate::fleet::{self, Database, SOURCE_KEY, Stack};
use crate::functions::{Broken, Functions};
use crate::invariants::{Invariants, Taken};
use crate::machines::machines;
use crate::network::{Appearance, FaultRates, Network};
use crate::policies::{self, ALLOWED_KEY, KEY, OPTION_GROUP, OTHER_KEY};
use crate::random::Random;
use crate::record::{Record, Report};
use crate::signature::authorization;
use crate::virtual_time::Tasks;

/// The figure that counts the calls while faults are on.
pub const CALLS_UNDER_FAULTS: &str = "calls while faults are on";

/// Every kind of fault that a batch of seeds must show.
pub const FAULTS: [&str; 37] = [
    "HTTP 500",
    "HTTP 503",
    "KMS answers 500",
    "KMS denies",
    "KMS throttles",
    "Lambda does not start a step",
    "RDS answers late",
    "RDS cannot be reached",
    "RDS throttles",
    "StartExecution delivered twice",
    "StartExecution throttled",
    "message refused",
    "clock set",
    "copy comes out different",
    "copy fails at 99 %",
    "copy vanishes",
    "database deleted",
    "database re-created under its name",
    "database renamed",
    "execution stopped",
    "key disabled",
    "key of some databases disabled",
    "option group deleted",
    "outage of RDS",
    "policy tags changed",
    "quota of manual snapshots used up",
    "reply to a read lost",
    "reply to a write lost",
    "snapshot expires while it is copied",
    "snapshot expires while its copy waits",
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
const MAX_QUIET_RUNS: u64 = 8;

/// Everything of one seed.
struct ScenarioRun {
    seed: u64,
    stack: Stack,
    tasks: Rc<Tasks>,
    world: World,
    network: Network,
    invariants: Invariants,
    record: Record,
    steps: Rc<Executions>,
    random: RefCell<Random>,
    databases: RefCell<Vec<Database>>,
    rates: FaultRates,
    quiet: RefCell<bool>,
    /// How many calls had changed something when the account was last judged.
    judged: Cell<Option<u64>>,
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
    let scenario_run = ScenarioRun::new(seed, options);
    Rc::clone(&scenario_run).live();
    scenario_run.rest();
    scenario_run.rest_on();
    scenario_run.judge();
    scenario_run.record.report()
}

impl ScenarioRun {
    fn new(seed: u64, options: Options) -> Rc<Self> {
        let Options { broken, shown } = options;
        let mut random = Random::new(seed, "world");
        let slots = [random.within(2..=6), random.within(1..=4)];
        let keep = random.within(1..=3).to_string();
        let deadline = random.one_of(&["1", "3", "72"]).to_string();
        // Every page lists all databases again, so small pages are few.
        let page_size = random.one_of(&["3", "7", "500", "500", "500", "500"]).to_string();
        let manual = if random.per_mille(200) { "true" } else { "false" };
        // Judging each call by the deployed roles takes time, so not every seed does it.
        let under_roles = seed.is_multiple_of(4);
        let stack = Stack::draw(&mut Random::new(seed, "stack"), under_roles);
        let mut variables = stack.variables();
        variables.extend([
            ("OWNER_ID", "snapferry".to_owned()),
            ("KEEP_COPIES", keep.clone()),
            // The brake as it is by default, or off.
            (
                "MAX_DELETES_PER_RUN",
                if seed.is_multiple_of(2) { "2" } else { "100" }.to_owned(),
            ),
            ("COPY_DEADLINE_HOURS", deadline.clone()),
            ("PAGE_SIZE", page_size.clone()),
            ("INCLUDE_MANUAL_SNAPSHOTS", manual.to_owned()),
        ]);
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let settings = settings_with(&variables);
        let databases = fleet::databases(stack, &mut random);
        let world = World::new(&fleet::scenario(&databases, stack, slots, &mut random));
        if under_roles {
            take_roles(&world, stack);
        }
        let tasks = Tasks::beginning_at(BEGINNING);
        let record = Record::new(tasks.clock(), shown);
        let keys = [KEY, ALLOWED_KEY]
            .into_iter()
            .take(if stack.allows_key { 2 } else { 1 });
        let invariants = Invariants::new(&settings, keys.map(str::to_owned).collect(), &record);
        let network = Network::new(
            &world,
            DESTINATION,
            tasks.clock(),
            &record,
            &invariants,
            Random::new(seed, "network"),
        );
        let functions = Functions::new(
            &tasks,
            &network,
            &record,
            &invariants,
            &settings,
            Random::new(seed, "functions"),
            broken,
        );
        // More than there are slots, as deployed; runs overlap besides, and who waits for a slot asks again and again.
        let concurrency = [slots[0] + random.within(1..=2), slots[1] + 1];
        let steps = Executions::new(
            &tasks,
            &functions,
            &network,
            &record,
            Random::new(seed, "steps"),
            machines(concurrency, broken),
        );
        record.note(&format!(
            "seed {seed}: {} databases, slots {slots:?}, concurrency {concurrency:?}, keep {keep}, deadline {deadline} h, page {page_size}, {stack:?}",
            databases.len()
        ));
        record.add("databases", databases.len() as u64);
        Rc::new(Self {
            seed,
            stack,
            tasks,
            world,
            network,
            invariants,
            record,
            steps,
            random: RefCell::new(random),
            databases: RefCell::new(databases),
            rates: FaultRates {
                of_rds: 60,
                of_steps: 80,
            },
            quiet: RefCell::new(false),
            judged: Cell::default(),
        })
    }

    fn now(&self) -> Timestamp {
        self.tasks.clock().now()
    }

    fn draw(&self, range: std::ops::RangeInclusive<u64>) -> u64 {
        self.random.borrow_mut().within(range)
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
        self.observe_beginning();
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
            // Often nothing waits, and then nothing expires.
            for _ in 0..self.draw(2..=5) {
                let minute = begin + self.draw(2..=90);
                self.at(minute, |this| this.expire_while_waiting());
            }
            for _ in 0..self.draw(1..=3) {
                let minute = begin + self.draw(0..=240);
                self.at(minute, |this| this.change_database());
            }
            for _ in 0..self.draw(1..=4) {
                let minute = begin + self.draw(0..=300);
                self.at(minute, |this| this.change_tags());
            }
            if self.happens(600) {
                let minute = begin + self.draw(0..=60);
                self.at(minute, |this| this.disable_key(KEY, "key disabled"));
            }
            if self.happens(400) {
                let minute = begin + self.draw(0..=60);
                self.at(minute, |this| {
                    this.disable_key(ALLOWED_KEY, "key of some databases disabled");
                });
            }
            if self.happens(400) {
                let minute = begin + self.draw(0..=60);
                self.at(minute, |this| this.delete_option_group());
            }
            if self.happens(300) {
                let minute = (begin + self.draw(0..=20)).saturating_sub(10);
                self.at(minute, |this| this.let_kms_deny());
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
        self.network.set_kms_denies(false);
        for key in [KEY, ALLOWED_KEY] {
            self.world.enable_key(DESTINATION, key);
        }
        self.restore_option_group();
        self.set_quota(10_000);
        self.record.note("quiet");
        let so_far = self.record.report();
        self.record.add(CALLS_UNDER_FAULTS, so_far.all_calls());
        let limit = self.now() + SignedDuration::from_hours(20 * 24);
        self.wait_for_executions(limit);
        for number in 1..=MAX_QUIET_RUNS {
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
                break;
            }
            if number == MAX_QUIET_RUNS {
                self.record.violation(&format!(
                    "no end: quiet run {number}: {}",
                    did_something.unwrap_or_default()
                ));
            }
        }
    }

    /// A run some days later, when there is nothing to copy and more to prune.
    fn rest_on(&self) {
        self.run_until(self.now() + SignedDuration::from_hours(4 * 24));
        let before = self.all_names();
        let _ = self.start("late", json!({ "Comment": "Started by the schedule." }));
        self.wait_for_executions(self.now() + SignedDuration::from_hours(24));
        if let Some(something) = self.judge_quiet(MAX_QUIET_RUNS + 1, &before) {
            self.record.violation(&format!("the late run: {something}"));
        }
        self.judge_moment();
        self.invariants.judge_retired(&self.state(), self.now());
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
        let accepted = self.invariants.accepted_of(&database.id);
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
        self.invariants.taken(
            &arn,
            Taken {
                kind: database.kind,
                at,
                resource_id: database.resource_id.clone(),
                database: database.id.clone(),
                has_key: database.has_key(self.stack),
            },
        );
        arn
    }

    fn expire(&self, arn: &str) {
        self.network.settle();
        let there = self.world.with(|simulator, now| simulator.expire(now, arn));
        if there {
            self.invariants.expired(arn);
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
        self.expire_with_older(&arn);
    }

    /// A snapshot goes whose copy RDS refuses for want of a slot.
    fn expire_while_waiting(&self) {
        self.network.settle();
        let state = self.world.state();
        let mut waiting = self.network.waiting(self.now() - SignedDuration::from_mins(3));
        waiting.retain(|arn| state.snapshots(SOURCE).iter().any(|snapshot| snapshot.arn == *arn));
        if waiting.is_empty() {
            return;
        }
        let arn = self.random.borrow_mut().one_of(&waiting).clone();
        self.record.fault("snapshot expires while its copy waits", &arn);
        self.expire_with_older(&arn);
    }

    fn expire_with_older(&self, arn: &str) {
        self.expire(arn);
        let older: Vec<String> = self
            .databases
            .borrow()
            .iter()
            .filter_map(|database| {
                let at = database.taken.iter().position(|taken| taken == arn)?;
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

    fn disable_key(self: &Rc<Self>, key: &'static str, what: &str) {
        self.network.settle();
        let state = *self
            .random
            .borrow_mut()
            .one_of(&["Disabled", "Disabled", "PendingDeletion"]);
        self.record.fault(what, state);
        self.world.set_key_state(DESTINATION, key, state);
        let minutes = self.draw(5..=90);
        self.at(minutes, move |this| {
            this.network.settle();
            this.record.note(&format!("{key} is enabled again"));
            this.world.enable_key(DESTINATION, key);
        });
    }

    fn delete_option_group(self: &Rc<Self>) {
        self.network.settle();
        if self.has_option_group() {
            self.record.fault("option group deleted", OPTION_GROUP);
            self.world.delete_option_group(DESTINATION, OPTION_GROUP);
            let minutes = self.draw(5..=90);
            self.at(minutes, |this| this.restore_option_group());
        }
    }

    fn has_option_group(&self) -> bool {
        let state = self.world.state();
        let groups = &state.regions[DESTINATION].option_groups;
        groups.iter().any(|group| group.name == OPTION_GROUP)
    }

    fn restore_option_group(&self) {
        self.network.settle();
        if !self.has_option_group() {
            self.record.note("the option group is there again");
            let group = fleet::option_group();
            self.world
                .add(&Scenario::new().region(DESTINATION, |region| region.option_group(group)));
        }
    }

    fn let_kms_deny(self: &Rc<Self>) {
        self.record.fault("KMS denies", "for minutes");
        self.network.set_kms_denies(true);
        let minutes = self.draw(5..=40);
        self.at(minutes, |this| this.network.set_kms_denies(false));
    }

    /// Gives a database its tags, and takes these from it.
    fn retag(&self, database: &Database, removed: &[&str]) {
        let arn = format!(
            "arn:aws:rds:{SOURCE}:123456789012:{}:{}",
            database.kind.database_type(),
            database.id_within
        );
        let listed = |begin: &str| format!("Action={begin}&Version=2014-10-31&ResourceName={}", encoded(&arn));
        let mut adding = listed("AddTagsToResource");
        for (at, (key, value)) in database.tags.iter().enumerate() {
            let number = at + 1;
            let (key, value) = (encoded(key), encoded(value));
            let _ = write!(adding, "&Tags.Tag.{number}.Key={key}&Tags.Tag.{number}.Value={value}");
        }
        let mut removing = listed("RemoveTagsFromResource");
        for (at, key) in removed.iter().enumerate() {
            let _ = write!(removing, "&TagKeys.member.{}={}", at + 1, encoded(key));
        }
        let operator = authorization("operator", SOURCE, "rds");
        for (form, is_empty) in [(adding, database.tags.is_empty()), (removing, removed.is_empty())] {
            if !is_empty {
                let answer = self
                    .world
                    .with(|simulator, now| simulator.handle_http(now, Some(&operator), None, form.as_bytes()));
                assert_eq!(answer.response.status, 200, "{form}: {}", answer.response.body);
            }
        }
    }

    /// Somebody changes what the tags of a database ask for, or removes them.
    fn change_tags(&self) {
        self.network.settle();
        let at = usize::try_from(self.draw(0..=self.databases.borrow().len() as u64 - 1)).unwrap_or(0);
        let mut databases = self.databases.borrow_mut();
        let database = &mut databases[at];
        if database.is_gone || database.opted_out {
            return;
        }
        let has_options = database.options.is_some();
        let (policy, tags) = policies::draw(&mut self.random.borrow_mut(), has_options, self.stack.allows_key);
        self.record
            .fault("policy tags changed", &format!("{} {tags:?}", database.id));
        let old = std::mem::replace(&mut database.tags, tags);
        let removed: Vec<&str> = old
            .keys()
            .filter(|key| !database.tags.contains_key(*key))
            .map(String::as_str)
            .collect();
        self.retag(database, &removed);
        self.invariants.policy(&database.resource_id, &policy, self.now());
        database.policy = policy;
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

    /// A database is renamed, deleted, or deleted and re-created under its name.
    fn change_database(&self) {
        let at = usize::try_from(self.draw(0..=self.databases.borrow().len() as u64 - 1)).unwrap_or(0);
        let mut databases = self.databases.borrow_mut();
        let number = databases[at].takes;
        let what = self.draw(0..=2);
        let database = &mut databases[at];
        // One that was changed before can still be deleted.
        let changed = database.id != database.id_within || database.resource_id != database.resource_id_within;
        if database.is_gone || changed && what != 1 {
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
                self.invariants.gone(&database.resource_id, self.now());
                database.taken.drain(..).collect()
            }
            _ => {
                self.invariants.gone(&database.resource_id, self.now());
                database.resource_id = format!("{}X{number}", database.resource_id);
                self.invariants
                    .policy(&database.resource_id, &database.policy, self.now());
                self.record.fault("database re-created under its name", &database.id);
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

    fn observe_beginning(&self) {
        let state = self.world.state();
        self.invariants.others(&state);
        let databases = self.databases.borrow().clone();
        for (at, database) in databases.iter().enumerate() {
            self.invariants
                .policy(&database.resource_id, &database.policy, BEGINNING);
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

    /// Judges what stands in the account, unless nobody has changed anything since that was done.
    fn judge_moment(&self) {
        let writes = self.network.writes();
        if self.judged.replace(Some(writes)) == Some(writes) {
            return;
        }
        let state = self.state();
        let counters = self.world.counters();
        let peaks = counters.copies.get(DESTINATION).map_or([(0, 0); 2], |copies| {
            [copies.instances, copies.clusters].map(|kind| (kind.peak_in_flight, kind.slots))
        });
        self.invariants.judge_moment(&state, peaks);
    }

    /// Judges the executions that were not there before. Says what they still had to do, if anything.
    fn judge_quiet(&self, number: u64, before: &[String]) -> Option<String> {
        // What may end an execution when nothing disturbs it; the last three for good.
        const ALLOWED: [&str; 7] = [
            "CopyFailed",
            "CopyMissing",
            "CopyMismatch",
            "CopyOverdue",
            "AttemptsUsedUp",
            "CopiesFailed",
            "OptionGroupMissing",
        ];
        let mut did_something = None;
        for execution in self.steps.all() {
            if before.contains(&execution.name) {
                continue;
            }
            match execution.ended.kept() {
                Some(Status::Failed(failure)) => {
                    let error = failure.error.as_str();
                    let for_options = error == "OptionGroupMissing" && !self.lacks_options(&execution);
                    if !ALLOWED.contains(&error) || for_options {
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

    /// The database that an execution of copy-snapshot is for, as it is now.
    fn database_of(&self, execution: &Execution) -> Option<Database> {
        let databases = self.databases.borrow();
        // One that was re-created under its name had another resource id before, with the same beginning.
        let resource_id = execution.input["resourceId"].as_str().unwrap_or_default();
        let is_it = |database: &&Database| resource_id.starts_with(&database.resource_id_within);
        databases.iter().find(is_it).cloned()
    }

    fn lacks_options(&self, execution: &Execution) -> bool {
        execution.machine == "copy-snapshot"
            && self
                .database_of(execution)
                .is_some_and(|database| database.lacks_options(self.stack))
    }

    /// Whether each failure that a run tells of is one of its own database's execution, and of nothing else.
    fn judge_failures(&self, run: &Execution, failure: &Failure) {
        let cause: Value = serde_json::from_str(failure.cause.as_deref().unwrap_or_default()).unwrap_or_default();
        let executions = self.steps.all();
        for record in entries(&cause["failures"]) {
            let is_it = |execution: &&Rc<Execution>| {
                if record["execution"] != *execution.name {
                    return false;
                }
                let ended = match execution.ended.kept() {
                    Some(Status::Failed(failure)) => failure.error,
                    Some(Status::Aborted) => "ABORTED".to_owned(),
                    _ => String::new(),
                };
                record["error"] == *ended
            };
            let is_page = record["kind"] == "page";
            let throttled = record["error"] == "StepFunctions.ThrottlingException";
            if !is_page && !throttled && !executions.iter().any(|execution| is_it(&execution)) {
                self.record
                    .violation(&format!("{run:?} tells of {record}, and there is no such execution"));
            }
        }
    }

    fn judge(&self) {
        let state = self.state();
        for database in self
            .databases
            .borrow()
            .iter()
            .filter(|database| database.can_be_copied(self.stack))
        {
            self.invariants
                .judge_database(&state, database.kind, &database.id, &database.resource_id);
        }
        // Every failure has a name that the documents explain.
        for execution in self.steps.all() {
            match execution.ended.kept() {
                Some(Status::Failed(failure)) => {
                    if failure.error == "CopiesFailed" {
                        self.judge_failures(&execution, &failure);
                    }
                    let has_options = self
                        .database_of(&execution)
                        .is_some_and(|database| database.options.is_some());
                    if let Some(problem) = unknown_failure(&execution, &failure.error, has_options) {
                        let cause = failure.cause.unwrap_or_default();
                        self.record.violation(&format!(
                            "{execution:?} ends with {}, {problem}: {cause}",
                            failure.error
                        ));
                    }
                }
                Some(Status::Succeeded(output))
                    if execution.machine == "copy-fleet"
                        && output["counts"]["failed"] != 0
                        && output["dryRun"] != true =>
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

/// A value of a form.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Lets every function do what its deployed role allows, and no more.
fn take_roles(world: &World, stack: Stack) {
    for (function, role) in rendered("policies.json").as_object().into_iter().flatten() {
        // Roles are listed as `StartCopy`, and the function calls itself `start-copy`.
        let mut caller = String::new();
        for letter in function.chars() {
            if letter.is_ascii_uppercase() && !caller.is_empty() {
                caller.push('-');
            }
            caller.push(letter.to_ascii_lowercase());
        }
        let mut documents = entries(&role["policies"]).to_vec();
        // The template adds each key that the stack allows where it names the stack's own.
        for statement in documents
            .iter_mut()
            .filter_map(|document| document["Statement"].as_array_mut())
            .flatten()
        {
            if stack.allows_key && statement["Resource"] == KEY {
                statement["Resource"] = json!([KEY, ALLOWED_KEY]);
            }
        }
        world.policies(&caller, documents);
    }
}

/// Why an execution must not end with this error, if so.
fn unknown_failure(execution: &Execution, error: &str, has_options: bool) -> Option<&'static str> {
    if !Error::NAMES.contains(&error) && !OF_PLATFORM.contains(&error) && error != "CopiesFailed" {
        return Some("which nobody knows");
    }
    // KMS may refuse to describe the key of an alias.
    if error == "AccessDenied" && execution.input["problem"]["error"] == error
        || error == "OptionGroupMissing" && has_options
    {
        return None;
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
