//! One seed: a fleet, some days of overlapping runs under faults, quiet runs, and what must hold then.

mod drill_life;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use deployment::rendered;
use domain::error::Error;
use domain::settings::Settings;
use domain::tags;
use fixtures::{DESTINATION, SOURCE, settings_with};
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::scenario::{self, Becomes, CopyBehaviour, Scenario};
use rds_simulator_sdk::simulator::{Kind, NewSnapshot, Restore, SnapshotState, State};
use rds_simulator_sdk::{BEGINNING, World};
use serde_json::{Value, json};
use step_functions::{Failure, entries};

use crate::drills::Drills;
use crate::executions::{Execution, Executions, OF_PLATFORM, Status};
use crate::fleet::{self, Database, Stack};
use crate::functions::{Broken, Functions};
use crate::invariants::{HOLD_OTHERWISE, Invariants, Taken};
use crate::machines::machines;
use crate::network::{FaultRates, Network};
use crate::policies::{self, ALLOWED_KEY, KEY, Kept, OPTION_GROUP, OTHER_KEY, Policy};
use crate::random::Random;
use crate::record::{Record, Report};
use crate::releases::{self, Release};
use crate::signature::authorization;
use crate::virtual_time::Tasks;

/// The figures that count changes of the release.
pub const UPDATES: &str = "updates to the next release";
/// The figure of the way back.
pub const ROLLBACKS: &str = "rollbacks";

/// The figure that counts the calls while faults are on.
pub const CALLS_UNDER_FAULTS: &str = "calls while faults are on";

/// Every kind of fault that a batch of seeds must show.
pub const FAULTS: [&str; 47] = [
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
    "blue/green switchover",
    "clock set",
    "copy comes out different",
    "copy fails at 99 %",
    "copy held by a person",
    "copy listed twice",
    "copy missing from a listing",
    "copy vanishes",
    "database deleted",
    "database re-created under its name",
    "database renamed",
    "database restored from a copy",
    "delete refused",
    "execution stopped",
    "key disabled",
    "key of some databases disabled",
    "option group deleted",
    "outage of RDS",
    "parameters changed",
    "policy tags changed",
    "quota of manual snapshots used up",
    "reply to a read lost",
    "reply to a write lost",
    "retention tags dropped for a day",
    "retention tags misspelled for a day",
    "snapshot expires while it is copied",
    "snapshot expires while its copy waits",
    "snapshot taken again under its name",
    "step answered late",
    "step cut off after its effect",
    "step cut off before its effect",
    "step cut off half-way",
    "step delivered twice",
    "step times out",
    "run overlaps with another",
];

/// Every kind of fault that a batch of a thousand seeds must show drills.
pub const DRILL_FAULTS: [&str; 46] = [
    "drill: HTTP 500",
    "drill: HTTP 503",
    "drill: KMS answers 500",
    "drill: KMS throttles",
    "drill: Lambda does not start a step",
    "drill: RDS answers late",
    "drill: RDS cannot be reached",
    "drill: RDS throttles",
    "drill: StartExecution delivered twice",
    "drill: StartExecution throttled",
    "drill: message refused",
    "drill: EC2 fails",
    "drill: Secrets Manager fails",
    "drill: Step Functions fails",
    "drill: Systems Manager fails",
    "drill: check function fails",
    "drill: check function refuses",
    "drill: check function says nothing",
    "drill: clock set",
    "drill: copy listed twice",
    "drill: copy missing from a listing",
    "drill: database kept by a person",
    "drill: database made by hand",
    "drill: database missing from a listing",
    "drill: delete refused",
    "drill: deletion takes hours",
    "drill: execution stopped",
    "drill: quota of databases used up",
    "drill: reply to a read lost",
    "drill: reply to a write lost",
    "drill: restore ends as failed",
    "drill: restore ends as incompatible-network",
    "drill: restore ends as incompatible-restore",
    "drill: restore ends as insufficient-capacity",
    "drill: restore ends as restore-error",
    "drill: restore ends as some-new-status",
    "drill: restore ends as storage-full",
    "drill: restore takes too long",
    "drill: run overlaps with another",
    "drill: step answered late",
    "drill: step cut off after its effect",
    "drill: step cut off before its effect",
    "drill: step cut off half-way",
    "drill: step delivered twice",
    "drill: step times out",
    "drill: tags of a database changed",
];

/// What must come of some drills in a thousand seeds.
pub const DRILL_OUTCOMES: [&str; 4] = [
    "drills: passed",
    "drills: failed",
    "drills: not-run",
    "drills: unsupported",
];

/// Days under faults.
const DAYS: u64 = 2;

/// Most quiet runs at the end until one finds nothing to do: a snapshot may need three attempts, and each of them two
/// runs where the deadline is shorter than the copy.
const MAX_QUIET_RUNS: u64 = 8;

/// Something that happens in a world.
type Act = fn(&Rc<ScenarioRun>);

/// Everything of one seed.
struct ScenarioRun {
    seed: u64,
    stack: Cell<Stack>,
    /// Whether the stack's key has changed, even if it has changed back.
    has_other_key: Cell<bool>,
    /// The variables of the functions that never change.
    variables: Vec<(&'static str, String)>,
    tasks: Rc<Tasks>,
    world: World,
    network: Network,
    functions: Rc<Functions>,
    invariants: Invariants,
    record: Record,
    steps: Rc<Executions>,
    random: RefCell<Random>,
    /// The stack of the destination region, if there is one, and what is drawn for it.
    drills: Option<Drills>,
    random_of_drills: RefCell<Random>,
    drills_are_over: Cell<bool>,
    databases: RefCell<Vec<Database>>,
    rates: FaultRates,
    quiet: RefCell<bool>,
    /// The release that is deployed, and what its machines are made with.
    release: Cell<Release>,
    concurrency: [u64; 2],
    broken: Broken,
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
    scenario_run.rest_from_drills();
    scenario_run.rest_on();
    scenario_run.judge();
    scenario_run.record.report()
}

impl ScenarioRun {
    fn new(seed: u64, options: Options) -> Rc<Self> {
        let Options { broken, shown } = options;
        let mut random = Random::new(seed, "world");
        let slots = [random.within(2..=6), random.within(1..=4)];
        let deadline = random.one_of(&["1", "3", "72"]).to_string();
        // Every page lists all databases again, so small pages are few.
        let page_size = random.one_of(&["3", "7", "500", "500", "500", "500"]).to_string();
        let manual = if random.per_mille(200) { "true" } else { "false" };
        // Judging each call by the deployed roles takes time, so not every seed does it.
        let under_roles = seed.is_multiple_of(4);
        let stack = Stack::draw(&mut Random::new(seed, "stack"), under_roles);
        let variables = vec![
            ("OWNER_ID", "snapferry".to_owned()),
            // The brake as it is by default, or off.
            (
                "MAX_DELETES_PER_RUN",
                if seed.is_multiple_of(2) { "2" } else { "100" }.to_owned(),
            ),
            ("COPY_DEADLINE_HOURS", deadline.clone()),
            ("PAGE_SIZE", page_size.clone()),
            ("INCLUDE_MANUAL_SNAPSHOTS", manual.to_owned()),
        ];
        let settings = settings_of(stack, &variables);
        let databases = fleet::databases(stack, slots, &mut random);
        let drills = Drills::draw(seed);
        let mut scenario = fleet::scenario(&databases, stack, slots, &mut random);
        if let Some(drills) = drills {
            scenario = drills.furnish(scenario);
        }
        let world = World::new(&scenario);
        if under_roles {
            take_roles(&world, stack);
            drill_life::take_roles(&world);
        }
        let tasks = Tasks::beginning_at(BEGINNING);
        let record = Record::new(tasks.clock(), shown);
        let invariants = Invariants::new(&settings, stack.keys(), &record);
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
            machines(Release::This, concurrency, broken),
        );
        record.note(&format!(
            "seed {seed}: {} databases, slots {slots:?}, concurrency {concurrency:?}, deadline {deadline} h, page {page_size}, {stack:?}",
            databases.len()
        ));
        record.add("databases", databases.len() as u64);
        Rc::new(Self {
            seed,
            stack: Cell::new(stack),
            has_other_key: Cell::default(),
            variables,
            tasks,
            world,
            network,
            functions,
            invariants,
            record,
            steps,
            random: RefCell::new(random),
            drills,
            random_of_drills: RefCell::new(Random::new(seed, "drills")),
            drills_are_over: Cell::default(),
            databases: RefCell::new(databases),
            rates: FaultRates {
                of_rds: 60,
                of_steps: 80,
                ..FaultRates::default()
            },
            quiet: RefCell::new(false),
            release: Cell::default(),
            concurrency,
            broken,
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

    /// What people do on a day, and how often in a thousand days.
    const CHANGES: [(u64, Act); 6] = [
        (350, Self::change_parameters),
        (350, Self::let_tags_drift),
        (300, Self::switch_over),
        (350, Self::restore_from_a_copy),
        (350, Self::hold_a_copy),
        (400, Self::take_again),
    ];

    /// The days under faults.
    fn live(self: Rc<Self>) {
        self.observe_beginning();
        self.network.set_rates(self.rates);
        self.plan_drills();
        self.plan_releases();
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
            if self
                .variables
                .iter()
                .any(|(name, value)| *name == "INCLUDE_MANUAL_SNAPSHOTS" && value == "true")
            {
                for _ in 0..3 {
                    let minute = begin + self.draw(0..=300);
                    self.at(minute, |this| this.take_again());
                }
            }
            for (per_mille, act) in Self::CHANGES {
                if self.happens(per_mille) {
                    let minute = begin + self.draw(0..=300);
                    self.at(minute, move |this| act(&this));
                }
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

    /// Updates the stacks, and rolls them back, in some worlds.
    fn plan_releases(self: &Rc<Self>) {
        for minute in releases::changes(self.seed, self.drills.is_some(), DAYS) {
            self.at(minute, |this| this.change_release());
        }
    }

    /// Deploys the other release, as soon as something runs: one function after another within seven minutes, and the machines
    /// among them.
    fn change_release(self: &Rc<Self>) {
        if self.steps.running().is_empty() {
            self.at(3, |this| this.change_release());
            return;
        }
        let release = self.release.get().other();
        self.release.set(release);
        let figure = match release {
            Release::Next => UPDATES,
            Release::This => ROLLBACKS,
        };
        self.record.add(figure, 1);
        self.record.note(figure);
        let mut random = Random::new(self.seed, &format!("release at {}", self.now()));
        let functions = Functions::NAMES.into_iter().chain(Functions::OF_DRILLS).map(Some);
        for what in functions.chain([None]) {
            let this = Rc::clone(self);
            let seconds = random.within(0..=420);
            self.tasks.begin(async move {
                this.tasks.clock().sleep(Duration::from_secs(seconds)).await;
                // Another change may have overtaken this one.
                let release = this.release.get();
                match what {
                    Some(function) => this.functions.update(function, release),
                    None => this.steps.deploy(machines(release, this.concurrency, this.broken)),
                }
            });
        }
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
            let takes_days = self.databases.borrow().iter().any(Database::takes_days);
            self.run_until(self.now() + SignedDuration::from_hours(if takes_days { 30 } else { 10 }));
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
        let there = self.state();
        let _ = self.start("late", json!({ "Comment": "Started by the schedule." }));
        self.wait_for_executions(self.now() + SignedDuration::from_hours(24));
        if let Some(something) = self.judge_quiet(MAX_QUIET_RUNS + 1, &before) {
            self.record.violation(&format!("the late run: {something}"));
        }
        self.judge_moment();
        self.invariants.judge_retired(&there, &self.state(), self.now());
        let pruned = self.steps.all().into_iter().filter(|execution| {
            let ended = execution.ended.kept();
            let is_of_this_run = !before.contains(&execution.name) && execution.machine == "copy-snapshot";
            match ended {
                Some(Status::Succeeded(output)) if is_of_this_run && output["pruned"].is_object() => {
                    self.record.note(&format!(
                        "{} {} {} {}",
                        execution.name, output["outcome"], output["pruned"], output["warnings"]
                    ));
                    true
                }
                _ => false,
            }
        });
        let pruned = pruned.filter_map(|execution| execution.input["resourceId"].as_str().map(str::to_owned));
        self.invariants
            .judge_pruned(&there, &self.state(), &pruned.collect(), self.now());
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
        // Two databases that have had one name within a minute.
        if self.world.snapshot(SOURCE, &id).is_some() {
            return;
        }
        let mut behaviour = CopyBehaviour {
            duration_seconds: Some(database.copy_seconds),
            ..CopyBehaviour::default()
        };
        let accepted = self.invariants.accepted_of(&database.id);
        match self.draw(0..=19) {
            // Three attempts of days each would take too long.
            _ if database.takes_days() => {}
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
            kms_key: database.kms_key(),
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
        self.invariants.taken(Taken {
            arn: arn.clone(),
            kind: database.kind,
            at,
            resource_id: database.resource_id.clone(),
            database: database.id.clone(),
            has_key: database.has_key(self.stack.get()),
        });
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
        let mut running = self.steps.running();
        running.retain(|execution| !execution.is_of_drill());
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
        self.trouble_drills(minutes);
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
            self.trouble_drills(minutes);
            self.at(minutes, |this| this.restore_option_group());
        }
    }

    /// For minutes, what copies need to be restored is not there.
    fn trouble_drills(&self, minutes: u64) {
        let minutes = SignedDuration::from_mins(i64::try_from(minutes).unwrap_or(90));
        self.invariants.drills().troubled(self.now(), self.now() + minutes);
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

    /// Gives something tags, and takes these from it, as a person does.
    fn tag(&self, region: &str, arn: &str, added: &[(&str, &str)], removed: &[&str]) {
        let listed = |begin: &str| format!("Action={begin}&Version=2014-10-31&ResourceName={}", encoded(arn));
        let mut adding = listed("AddTagsToResource");
        for (at, (key, value)) in added.iter().enumerate() {
            let number = at + 1;
            let (key, value) = (encoded(key), encoded(value));
            let _ = write!(adding, "&Tags.Tag.{number}.Key={key}&Tags.Tag.{number}.Value={value}");
        }
        let mut removing = listed("RemoveTagsFromResource");
        for (at, key) in removed.iter().enumerate() {
            let _ = write!(removing, "&TagKeys.member.{}={}", at + 1, encoded(key));
        }
        let operator = authorization("operator", region, "rds");
        for (form, is_empty) in [(adding, added.is_empty()), (removing, removed.is_empty())] {
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
        // One that was restored has those of a copy.
        let is_meant = |database: &Database| !database.opted_out && !database.is_restored;
        let Some(at) = self.one_of_the_living(is_meant) else {
            return;
        };
        let mut databases = self.databases.borrow_mut();
        let database = &mut databases[at];
        let has_options = database.options.is_some();
        let (policy, tags) = policies::draw(&mut self.random.borrow_mut(), has_options, self.stack.get().allows_key);
        self.record
            .fault("policy tags changed", &format!("{} {tags:?}", database.id));
        self.set_tags(database, policy, tags);
    }

    /// Gives a database other tags, which ask for this.
    fn set_tags(&self, database: &mut Database, policy: Policy, tags: BTreeMap<String, String>) {
        let old = std::mem::replace(&mut database.tags, tags);
        let removed: Vec<&str> = old
            .keys()
            .filter(|key| !database.tags.contains_key(*key))
            .map(String::as_str)
            .collect();
        let arn = format!(
            "arn:aws:rds:{SOURCE}:123456789012:{}:{}",
            database.kind.database_type(),
            database.id
        );
        let added: Vec<(&str, &str)> = database
            .tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        self.tag(SOURCE, &arn, &added, &removed);
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

    /// One of the databases, if it is still there.
    fn one_of_the_living(&self, is_meant: impl Fn(&Database) -> bool) -> Option<usize> {
        let at = usize::try_from(self.draw(0..=self.databases.borrow().len() as u64 - 1)).unwrap_or(0);
        let databases = self.databases.borrow();
        (!databases[at].is_gone && is_meant(&databases[at])).then_some(at)
    }

    /// A database is renamed, deleted, or deleted and re-created under its name.
    fn change_database(&self) {
        self.network.settle();
        let what = self.draw(0..=2);
        let stack = self.stack.get();
        // Where RDS does not tell whose its snapshots are, they are known by the name of their database.
        let is_meant = |database: &Database| what == 1 || !database.reports_less(stack) && database.id.len() < 60;
        let Some(at) = self.one_of_the_living(is_meant) else {
            return;
        };
        let mut databases = self.databases.borrow_mut();
        let number = databases[at].takes;
        let database = &mut databases[at];
        let gone: Vec<String> = match what {
            0 => {
                let id = format!("renamed-{at}-{:04x}", self.draw(0..=0xffff));
                self.world.rename_database(SOURCE, &database.id, &id);
                database.id = id;
                self.record.fault("database renamed", &database.id);
                Vec::new()
            }
            1 => {
                database.is_gone = true;
                self.record.fault("database deleted", &database.id);
                self.world.drop_database(SOURCE, &database.id);
                self.invariants.gone(&database.resource_id, self.now());
                database.taken.drain(..).collect()
            }
            _ => {
                self.world.drop_database(SOURCE, &database.id);
                self.invariants.gone(&database.resource_id, self.now());
                database.resource_id = format!("{}X{number}", database.resource_id);
                self.invariants
                    .policy(&database.resource_id, &database.policy, self.now());
                self.record.fault("database re-created under its name", &database.id);
                self.add_database(database);
                database.taken.drain(..).collect()
            }
        };
        drop(databases);
        for arn in gone {
            self.invariants.expired(&arn);
        }
    }

    fn add_database(&self, database: &Database) {
        let (kind, seed) = (database.kind, database.seed());
        self.world.add(&Scenario::new().region(SOURCE, |region| match kind {
            Kind::Instance => region.instance(seed),
            Kind::Cluster => region.cluster(seed),
        }));
    }

    /// A database that was not there before, with snapshots of its own from now on.
    fn begin_database(self: &Rc<Self>, database: Database) {
        self.invariants
            .policy(&database.resource_id, &database.policy, self.now());
        let at = self.databases.borrow().len();
        self.databases.borrow_mut().push(database);
        for _ in 0..2 {
            let minute = self.draw(1..=900);
            self.at(minute, move |this| this.take_snapshot(at));
        }
    }

    /// A blue/green switchover: a new database has the name of an old one, which lives on for a while.
    fn switch_over(self: &Rc<Self>) {
        self.network.settle();
        let stack = self.stack.get();
        let is_meant = |database: &Database| {
            !database.reports_less(stack) && database.secondary_of.is_none() && database.id.len() < 57
        };
        let Some(at) = self.one_of_the_living(is_meant) else {
            return;
        };
        let blue = self.databases.borrow()[at].clone();
        let (old, green_id) = (format!("{}-old1", blue.id), format!("{}-green", blue.id));
        if self
            .databases
            .borrow()
            .iter()
            .any(|database| database.id == old && !database.is_gone)
        {
            return;
        }
        let green = Database {
            id: green_id.clone(),
            resource_id: format!("{}G{:04X}", blue.resource_id, self.draw(0..=0xffff)),
            is_restored: false,
            taken: Vec::new(),
            takes: 0,
            ..blue.clone()
        };
        self.add_database(&green);
        self.world.switch_over(SOURCE, &blue.id, &green_id);
        self.record.fault("blue/green switchover", &blue.id);
        self.databases.borrow_mut()[at].id = old;
        self.begin_database(Database { id: blue.id, ..green });
    }

    /// Somebody restores a copy: in its own region, where the database hands the copy's tags to snapshots whose names are
    /// like ours; and, by way of a copy of the copy, in the source region, where it is a database like any other.
    fn restore_from_a_copy(self: &Rc<Self>) {
        self.network.settle();
        let state = self.world.state();
        let is_meant = |copy: &&SnapshotState| {
            let is_ours = copy.id.starts_with("snapferry-") && copy.tags.contains_key(tags::VERIFIED);
            is_ours && copy.status == "available" && copy.option_group.as_deref() != Some(OPTION_GROUP)
        };
        let copies: Vec<SnapshotState> = state.snapshots(DESTINATION).iter().filter(is_meant).cloned().collect();
        if copies.is_empty() {
            return;
        }
        let copy = self.random.borrow_mut().one_of(&copies).clone();
        let number = self.databases.borrow().len();
        let id = format!("restored-{number}-{:04x}", self.draw(0..=0xffff));
        self.record.fault("database restored from a copy", &copy.id);
        self.world.restore(&Restore {
            region: DESTINATION.to_owned(),
            snapshot: copy.id.clone(),
            database: id.clone(),
            copy_tags_to_snapshot: Some(true),
            backup_retention_days: Some(7),
            ..Restore::default()
        });
        for name in [None, Some(format!("snapferry-{id}-before-upgrade"))] {
            let arn = self.world.take_snapshot(&NewSnapshot {
                region: DESTINATION.to_owned(),
                database: id.clone(),
                id: name,
                ..NewSnapshot::default()
            });
            let state = self.world.state();
            if let Some(made) = state.snapshots(DESTINATION).iter().find(|snapshot| snapshot.arn == arn) {
                self.invariants.other(DESTINATION, made);
            }
        }
        let model = self
            .databases
            .borrow()
            .iter()
            .find(|database| database.kind == copy.kind && database.engine == copy.engine && database.options.is_none())
            .cloned();
        if let Some(model) = model {
            // What the copy records is no wish of the database that inherits it. What version 1 recorded reads as one.
            let mut restored = copy.tags.clone();
            restored.retain(|key, _| !Kept::TAGS.contains(&key.as_str()));
            let (prefix, _) = model.resource_id.split_once('-').unwrap_or(("db", ""));
            let database = Database {
                resource_id: format!("{prefix}-RESTORED{number}"),
                id,
                secondary_of: None,
                opted_out: false,
                has_backups: true,
                is_restored: true,
                copy_seconds: model.copy_seconds.min(300.0),
                is_gone: false,
                taken: Vec::new(),
                takes: 0,
                policy: Policy {
                    doubtful: restored.contains_key(HOLD_OTHERWISE),
                    ..Policy::default()
                },
                tags: restored,
                ..model
            };
            self.add_database(&database);
            self.begin_database(database);
        }
    }

    /// Somebody changes parameters of the stack: functions that begin later have them.
    fn change_parameters(self: &Rc<Self>) {
        let stack = self.stack.get().changed(&mut self.random.borrow_mut());
        self.record.fault(
            "parameters changed",
            &format!(
                "keep {}, retired {}, key {}",
                stack.keep_copies,
                stack.retired_keep_days,
                stack.keys()[0]
            ),
        );
        self.has_other_key.set(self.has_other_key.get() || stack.is_key_swapped);
        self.stack.set(stack);
        let settings = settings_of(stack, &self.variables);
        self.invariants.deployed(&settings, stack.keys());
        self.functions.deploy(&settings);
    }

    /// The tags that ask for retention are gone, or written otherwise, until somebody mends them a day later.
    fn let_tags_drift(self: &Rc<Self>) {
        // Only what begins on the first day is mended before the faults end.
        if self.now() > BEGINNING + SignedDuration::from_hours(23) {
            return;
        }
        self.network.settle();
        let is_dropped = self.happens(500);
        let mut mended = Vec::new();
        for (at, database) in self.databases.borrow_mut().iter_mut().enumerate() {
            let has_wish = database.tags.keys().any(|key| Kept::TAGS.contains(&key.as_str()));
            if database.is_gone || database.opted_out || !has_wish || !self.happens(500) {
                continue;
            }
            let (policy, tags) = policies::drifted(&database.policy, &database.tags, is_dropped);
            let what = if is_dropped { "dropped" } else { "misspelled" };
            self.record
                .fault(&format!("retention tags {what} for a day"), &database.id);
            mended.push((at, database.tags.clone(), database.policy.clone(), tags.clone()));
            self.set_tags(database, policy, tags);
        }
        self.at(24 * 60, move |this| {
            this.network.settle();
            for (at, tags, policy, drifted) in mended {
                let database = &mut this.databases.borrow_mut()[at];
                // Unless somebody has changed them meanwhile.
                if !database.is_gone && database.tags == drifted {
                    this.set_tags(database, policy, tags);
                }
            }
        });
    }

    /// A person says that a copy stays.
    fn hold_a_copy(self: &Rc<Self>) {
        self.network.settle();
        let state = self.world.state();
        let is_meant = |copy: &&SnapshotState| {
            copy.id.starts_with("snapferry-") && copy.tags.contains_key(tags::VERIFIED) && copy.status == "available"
        };
        let ids: Vec<String> = state
            .snapshots(DESTINATION)
            .iter()
            .filter(is_meant)
            .map(|copy| copy.id.clone())
            .collect();
        if ids.is_empty() {
            return;
        }
        let id = self.random.borrow_mut().one_of(&ids).clone();
        let Some(copy) = state.snapshot(DESTINATION, &id) else {
            return;
        };
        self.record.fault("copy held by a person", &id);
        let key = *self
            .random
            .borrow_mut()
            .one_of(&[tags::HOLD, tags::HOLD, HOLD_OTHERWISE]);
        self.tag(DESTINATION, &copy.arn, &[(key, "for the auditors")], &[]);
        // It may be one that is not ours.
        if let Some(changed) = self.world.snapshot(DESTINATION, &id) {
            self.invariants.retagged(DESTINATION, &changed);
        }
    }

    /// A hand-made snapshot is deleted, and taken again under its name.
    fn take_again(self: &Rc<Self>) {
        self.network.settle();
        let is_meant = |database: &Database| database.id.len() < 50 && !database.is_restored;
        let Some(at) = self.one_of_the_living(is_meant) else {
            return;
        };
        let database = self.databases.borrow()[at].clone();
        let id = format!("nightly-{at}");
        let arn = format!(
            "arn:aws:rds:{SOURCE}:123456789012:{}:{id}",
            database.kind.snapshot_type()
        );
        self.record.fault("snapshot taken again under its name", &id);
        for hours in [0, 2 + self.draw(0..=20)] {
            let (database, id, arn) = (database.clone(), id.clone(), arn.clone());
            self.at(hours * 60, move |this| {
                this.network.settle();
                let is_there = this.databases.borrow().iter().any(|other| {
                    other.resource_id == database.resource_id && other.id == database.id && !other.is_gone
                });
                this.expire(&arn);
                if is_there {
                    let made = this.world.take_snapshot(&NewSnapshot {
                        region: SOURCE.to_owned(),
                        database: database.id.clone(),
                        id: Some(id.clone()),
                        ..NewSnapshot::default()
                    });
                    this.remember(&id, this.now(), &database);
                    if let Some(snapshot) = this.world.snapshot(SOURCE, &id) {
                        this.invariants.other(SOURCE, &snapshot);
                    }
                    this.record.note(&format!("{made} is taken"));
                }
            });
        }
    }

    fn observe_beginning(&self) {
        let state = self.world.state();
        self.observe_old_copies(&state);
        self.invariants.others(&state);
        let databases = self.databases.borrow().clone();
        for (at, database) in databases.iter().enumerate() {
            self.invariants
                .policy(&database.resource_id, &database.policy, BEGINNING);
            for snapshot in state.snapshots(SOURCE) {
                if snapshot.kind == database.kind
                    && snapshot.resource_id.as_deref() == Some(database.resource_id.as_str())
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

    /// The copies that the stack made before.
    fn observe_old_copies(&self, state: &State) {
        for copy in state
            .snapshots(DESTINATION)
            .iter()
            .filter(|copy| fleet::is_old_copy(copy))
        {
            let databases = self.databases.borrow();
            let of = databases
                .iter()
                .find(|database| copy.resource_id.as_deref() == Some(database.resource_id.as_str()));
            if let (Some(database), Some(arn), Some(at)) = (of, &copy.source_arn, copy.created_at) {
                let taken = Taken {
                    arn: arn.clone(),
                    kind: copy.kind,
                    at,
                    resource_id: database.resource_id.clone(),
                    database: database.id.clone(),
                    has_key: database.has_key(self.stack.get()),
                };
                self.invariants.old_copy(copy, taken, fleet::is_undeletable(copy));
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
            if before.contains(&execution.name) || execution.is_of_drill() {
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
                    let outcome = output["outcome"].as_str().unwrap_or_default();
                    if ["copied", "copied, not pruned", "under way"].contains(&outcome) {
                        did_something = Some(format!("{execution:?} ends as {outcome}"));
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
        // One that was re-created under its name had another resource id before, with the same beginning, and so has the
        // one that took its name in a switchover.
        let first = |id: &str| id.split(['X', 'G']).next().map(str::to_owned);
        let resource_id = execution.input["resourceId"].as_str().unwrap_or_default();
        let is_it = |database: &&Database| database.resource_id == resource_id;
        let was_it = |database: &&Database| first(&database.resource_id) == first(resource_id);
        let found = databases.iter().find(is_it).or_else(|| databases.iter().find(was_it));
        found.cloned()
    }

    fn lacks_options(&self, execution: &Execution) -> bool {
        execution.machine == "copy-snapshot"
            && self
                .database_of(execution)
                .is_some_and(|database| database.lacks_options(self.stack.get()))
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
            .filter(|database| database.can_be_copied(self.stack.get()))
        {
            self.invariants
                .judge_database(&state, database.kind, &database.id, &database.resource_id);
        }
        // Every failure has a name that the documents explain.
        for execution in self.steps.all() {
            if execution.is_of_drill() {
                self.judge_drill(&execution);
                continue;
            }
            match execution.ended.kept() {
                Some(Status::Failed(failure)) => {
                    if failure.error == "CopiesFailed" {
                        self.judge_failures(&execution, &failure);
                    }
                    let has_options = self
                        .database_of(&execution)
                        .is_some_and(|database| database.options.is_some());
                    let cause = failure.cause.unwrap_or_default();
                    // What was decided with one key is not copied with another: the next run decides again.
                    if self.has_other_key.get() && failure.error == "BadInput" && cause.contains("kmsKeyArn") {
                        self.record.add("executions that a change of the key ended", 1);
                        continue;
                    }
                    if let Some(problem) = unknown_failure(&execution, &failure.error, has_options) {
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

/// The settings of a stack, with variables that never change.
fn settings_of(stack: Stack, variables: &[(&'static str, String)]) -> Settings {
    let mut all = stack.variables();
    all.extend(variables.iter().cloned());
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    settings_with(&all)
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

/// Lets every function that copies do what its deployed role allows, and no more.
fn take_roles(world: &World, stack: Stack) {
    take_policies(world, "policies.json", |_, mut documents| {
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
        Some(documents)
    });
}

/// Gives the functions of a rendered stack their policies, as far as `change` has any for them.
fn take_policies(world: &World, file: &str, change: impl Fn(&str, Vec<Value>) -> Option<Vec<Value>>) {
    for (function, role) in rendered(file).as_object().into_iter().flatten() {
        // Roles are listed as `StartCopy`, and the function calls itself `start-copy`.
        let mut caller = String::new();
        for letter in function.chars() {
            if letter.is_ascii_uppercase() && !caller.is_empty() {
                caller.push('-');
            }
            caller.push(letter.to_ascii_lowercase());
        }
        if let Some(documents) = change(&caller, entries(&role["policies"]).to_vec()) {
            world.policies(&caller, documents);
        }
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
        "PayloadUnknown",
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
