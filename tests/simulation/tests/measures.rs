//! What is promised of fleets in figures, each measured and printed: whole fleets at once, copies that take days, calls
//! for each copy.

#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use domain::copy_schedule::{CopySlots, time_to_cover};
use domain::kind::DatabaseKind;
use domain::tags;
use fixtures::{DESTINATION, KEY, SOURCE, settings_with};
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::scenario::{Database, Region, Scenario};
use rds_simulator_sdk::simulator::{Kind, NewSnapshot, SnapshotState};
use rds_simulator_sdk::{BEGINNING, World};
use serde_json::{Value, json};
use simulation::executions::{Executions, Status};
use simulation::functions::{Broken, Functions};
use simulation::invariants::Invariants;
use simulation::machines::machines;
use simulation::network::{FaultRates, Made, Network};
use simulation::random::Random;
use simulation::record::Record;
use simulation::releases::Release;
use simulation::virtual_time::Tasks;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Databases that the stack works on at once, by default.
const CONCURRENCY: [u64; 2] = [24, 7];

/// Most calls to one region in any ten seconds, once the first minute is over: five a second.
const MAX_CALLS_IN_TEN_SECONDS: usize = 50;

/// Most calls for each verified copy, those of listing the fleet and of deletes apart.
const MAX_CALLS_OF_A_COPY: [f64; 2] = [9.0, 10.0];

/// Hours that a recovery point may be old, by default.
const OBJECTIVE_HOURS: i64 = 26;

/// M2: each copy takes longer than the snapshots are apart, and RDS copies one snapshot of an instance at a time. Every
/// copy that is complete is verified, and none is forgotten for longer than a day.
#[test]
fn m2_in_a_month_of_copies_of_thirty_hours_every_completed_copy_is_verified() {
    let source = |region: Region| {
        region
            .instance(Database::new("warehouse").copies_take(30.0 * 3600.0))
            .instance(Database::new("orders").copies_take(600.0))
    };
    let stack = Stack::new(source, &[("KEEP_COPIES", "100")], 2);
    let mut unverified_since: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut longest = SignedDuration::ZERO;
    for day in 0..30 {
        stack.begin_day(day);
        for _ in 0..24 {
            stack.pass(SignedDuration::from_hours(1));
            let now = stack.now();
            let waiting: Vec<String> = stack
                .copies()
                .into_iter()
                .filter(|copy| copy.status == "available" && verified_at(copy).is_none())
                .map(|copy| copy.id)
                .collect();
            unverified_since.retain(|id, _| waiting.contains(id));
            for id in waiting {
                longest = longest.max(now.duration_since(*unverified_since.entry(id).or_insert(now)));
            }
        }
    }
    // The last run of the month waits for the last copy.
    stack.pass(SignedDuration::from_hours(72));

    let copies = stack.copies();
    let of = |database: &str| copies.iter().filter(|copy| copy.database == database).count();
    let unverified: Vec<&SnapshotState> = copies.iter().filter(|copy| verified_at(copy).is_none()).collect();
    let failed = stack.failed();
    println!(
        "{}",
        json!({ "measure": "M2", "copiesOfWarehouse": of("warehouse"), "copiesOfOrders": of("orders"),
                "unverified": unverified.len(), "longestUnverifiedHours": longest.as_hours(),
                "failedExecutions": failed.len(), "eventsOfLongest": stack.figure("largest history of copy-snapshot") })
    );
    assert_eq!(unverified, Vec::<&SnapshotState>::new());
    // The run of an event that meets the copy of an older snapshot waits for it, and copies its own right after it.
    assert!(of("warehouse") >= 22, "{} copies in 720 hours", of("warehouse"));
    assert!(of("orders") >= 29, "{} copies in 30 days", of("orders"));
    assert!(longest < SignedDuration::from_hours(24), "{longest:#}");
    assert_eq!(failed, Vec::<String>::new());
}

/// One copy that takes three days holds up nobody else.
#[test]
fn beside_a_copy_of_three_days_no_other_database_exceeds_the_rpo() {
    const DAYS: i64 = 6;
    let source = |mut region: Region| {
        region = region
            .instance(Database::new("warehouse").copies_take(72.0 * 3600.0))
            .cluster(
                Database::new("lake")
                    .engine("aurora-postgresql")
                    .copies_take(71.0 * 3600.0),
            );
        for number in 0..36_u32 {
            let minutes = f64::from(5 + number);
            region = region.instance(Database::new(&format!("orders-{number:02}")).copies_take(minutes * 60.0));
        }
        for number in 0..8_u32 {
            let cluster = Database::new(&format!("billing-{number:02}")).engine("aurora-postgresql");
            region = region.cluster(cluster.copies_take(f64::from(10 + number) * 60.0));
        }
        region
    };
    let stack = Stack::new(source, &[], 3);
    let mut oldest = SignedDuration::ZERO;
    for day in 0..DAYS {
        stack.begin_day(day);
        for _ in 0..24 {
            stack.pass(SignedDuration::from_hours(1));
            // The first snapshots are taken on the first morning.
            if stack.now() < BEGINNING + SignedDuration::from_hours(24) {
                continue;
            }
            let mut newest: BTreeMap<String, Timestamp> = BTreeMap::new();
            for copy in stack.copies().iter().filter(|copy| verified_at(copy).is_some()) {
                let created = source_created(copy);
                let time = newest.entry(copy.database.clone()).or_insert(created);
                *time = created.max(*time);
            }
            let databases = stack.databases();
            for (_, id) in databases.iter().filter(|(_, id)| id != "warehouse" && id != "lake") {
                let time = newest.get(id).copied().unwrap_or(BEGINNING);
                oldest = oldest.max(stack.now().duration_since(time));
            }
        }
    }
    let failed = stack.failed();
    println!(
        "{}",
        json!({ "measure": "a copy of 72 h", "databases": stack.databases().len(), "days": DAYS,
                "oldestRecoveryPointOfTheOthersHours": hours(oldest), "failedExecutions": failed.len() })
    );
    assert!(oldest <= SignedDuration::from_hours(OBJECTIVE_HOURS), "{oldest:#}");
    assert!(
        failed.iter().all(|execution| execution.contains("CopyOverdue")),
        "{failed:?}"
    );
}

/// Calls for each verified copy: of the first day, and of a day on which an old copy goes for each new one.
#[test]
fn a_verified_copy_costs_few_calls() {
    const OF_EACH_KIND: u32 = 10;
    let mut lines = Vec::new();
    let mut of_first_day = [0.0; 2];
    for (at, kind) in [Kind::Instance, Kind::Cluster].into_iter().enumerate() {
        let source = |region: Region| {
            (0..OF_EACH_KIND).fold(region, |region, number| {
                let database = Database::new(&format!("database-{number}")).copies_take(10.0);
                match kind {
                    Kind::Instance => region.instance(database),
                    Kind::Cluster => region.cluster(database.engine("aurora-postgresql")),
                }
            })
        };
        // Slots for all, so that nobody waits for one.
        let stack = Stack::new(source, &[("KEEP_COPIES", "1")], 4).slots(100, 100);
        for day in 0..2 {
            let before = stack.network.made().len();
            stack.take_snapshots();
            stack.start(&format!("day-{day}"), json!({}));
            stack.pass(SignedDuration::from_hours(24));
            let made = &stack.network.made()[before..];
            let (listing, own): (Vec<&Made>, Vec<&Made>) = made.iter().partition(|call| call.caller == "list-targets");
            let (deletes, others): (Vec<&Made>, Vec<&Made>) =
                own.into_iter().partition(|call| call.action.starts_with("Delete"));
            let each = |calls: &[&Made]| per(calls.len(), OF_EACH_KIND);
            let mut by: BTreeMap<String, u32> = BTreeMap::new();
            for call in &others {
                *by.entry(format!("{} {}", call.caller, call.action)).or_default() += 1;
            }
            lines.push(json!({ "measure": "calls of a copy", "kind": kind.snapshot_type(), "day": day,
                               "calls": each(&others), "deletes": each(&deletes), "listing": each(&listing), "by": by }));
            if day == 0 {
                of_first_day[at] = each(&others);
            } else {
                assert!(each(&others) <= MAX_CALLS_OF_A_COPY[at], "{lines:#?}");
            }
        }
        let copies = stack.copies();
        assert_eq!(
            copies.len(),
            usize::try_from(OF_EACH_KIND).expect("few"),
            "one of each is kept"
        );
        assert!(copies.iter().all(|copy| verified_at(copy).is_some()));
        assert_eq!(stack.failed(), Vec::<String>::new());
    }
    for line in &lines {
        println!("{line}");
    }
    for (calls, most) in of_first_day.into_iter().zip(MAX_CALLS_OF_A_COPY) {
        assert!(calls <= most, "{lines:#?}");
    }
}

/// `snapferry estimate` computes the hours of a fleet from its sizes, by a schedule. Nothing that decides in a run uses that
/// schedule, so that the two are held against each other.
#[test]
#[cfg_attr(debug_assertions, ignore = "it takes half a minute in this profile")]
fn the_hours_of_the_schedule_are_those_that_a_run_takes() {
    /// By what the estimate computes where there is nothing to measure: GiB per hour, and minutes beside that.
    const GIB_PER_HOUR: f64 = 150.0;
    const MINUTES: f64 = 10.0;
    const INSTANCES: usize = 50;
    const CLUSTERS: usize = 14;
    const TOLERANCE: f64 = 0.15;
    for (seed, median_gib) in [(21, 60.0), (22, 200.0)] {
        let mut random = Random::new(seed, "sizes");
        let mut durations: BTreeMap<DatabaseKind, Vec<SignedDuration>> = BTreeMap::new();
        let source = |mut region: Region| {
            for number in 0..INSTANCES + CLUSTERS {
                // A few are much larger than the others, and any place in the order may be theirs.
                let gib = (median_gib * (random.between(-1.5, 1.5) + random.between(-1.0, 1.0)).exp())
                    .round()
                    .max(1.0);
                let seconds = (gib / GIB_PER_HOUR * 60.0 + MINUTES) * 60.0;
                let (kind, engine) = if number < INSTANCES {
                    (DatabaseKind::Instance, "postgres")
                } else {
                    (DatabaseKind::Cluster, "aurora-postgresql")
                };
                let database = Database {
                    // A run begins with the smallest resource id.
                    resource_id: Some(format!("{kind}-{number:04}")),
                    ..Database::new(&format!("database-{number:03}"))
                };
                let took = SignedDuration::try_from_secs_f64(seconds).expect("a time");
                durations.entry(kind).or_default().push(took);
                let database = database.engine(engine).copies_take(seconds);
                region = match kind {
                    DatabaseKind::Instance => region.instance(database),
                    DatabaseKind::Cluster => region.cluster(database),
                };
            }
            region
        };
        let stack = Stack::new(source, &[], seed).slots(20, 5);
        stack.take_snapshots();
        let begun = stack.now();
        stack.start("run", json!({}));
        while !stack.steps.running().is_empty() {
            assert!(
                stack.now() < begun + SignedDuration::from_hours(300),
                "it never ends: {:?}",
                stack.failed()
            );
            stack.pass(SignedDuration::from_hours(1));
        }
        let copies = stack.copies();
        // A copy counts from when it is verified, which is a poll later than RDS is done with it.
        let took = |kind: DatabaseKind| {
            let of_kind = copies.iter().filter(|copy| match kind {
                DatabaseKind::Instance => copy.kind == Kind::Instance,
                DatabaseKind::Cluster => copy.kind == Kind::Cluster,
            });
            let verified: Vec<Timestamp> = of_kind.filter_map(|copy| verified_at(copy)?.parse().ok()).collect();
            let last = verified.iter().max().expect("a copy").duration_since(begun);
            (verified.len(), last)
        };
        for (kind, durations) in &durations {
            let estimated = time_to_cover(durations, CopySlots::RDS.of_kind(*kind));
            let (verified, took) = took(*kind);
            assert_eq!(verified, durations.len(), "{kind}: {:?}", stack.failed());
            println!(
                "{}",
                json!({ "measure": "hours of a fleet", "kind": kind, "databases": durations.len(),
                        "medianGib": median_gib, "estimatedHours": hours(estimated), "tookHours": hours(took) })
            );
            let off = (took.as_secs_f64() - estimated.as_secs_f64()).abs();
            assert!(
                off <= estimated.as_secs_f64() * TOLERANCE,
                "{kind}: estimated {estimated:#}, took {took:#}"
            );
        }
    }
}

/// A whole fleet becomes ready in one minute, and RDS refuses one call in fifty as one too many.
#[test]
#[cfg_attr(debug_assertions, ignore = "it takes minutes in this profile")]
fn five_hundred_snapshots_that_are_ready_in_one_minute_are_all_copied() {
    const INSTANCES: usize = 400;
    const CLUSTERS: usize = 100;
    let mut random = Random::new(5, "fleet");
    let source = |mut region: Region| {
        for number in 0..INSTANCES + CLUSTERS {
            let id = format!("database-{number:03}");
            let database = Database::new(&id).copies_take(random.between(300.0, 2400.0));
            region = if number < INSTANCES {
                region.instance(database)
            } else {
                region.cluster(database.engine("aurora-postgresql"))
            };
        }
        region
    };
    let stack = Stack::new(source, &[], 5);
    stack.network.set_rates(FaultRates {
        of_throttling: 20,
        ..FaultRates::default()
    });
    let taken = stack.take_snapshots();
    let mut random = Random::new(5, "events");
    for (number, (kind, arn)) in taken.iter().enumerate() {
        let event = event_of(*kind, arn);
        stack.later(Duration::from_millis(random.within(0..=59_000)), move |steps| {
            start(steps, &format!("event-{number:03}"), event);
        });
    }
    stack.pass(SignedDuration::from_mins(1));
    while !stack.steps.running().is_empty() {
        assert!(
            stack.now() < BEGINNING + SignedDuration::from_hours(72),
            "it never ends"
        );
        stack.pass(SignedDuration::from_mins(10));
    }

    let made = stack.network.made();
    let verified = stack.copies().iter().filter(|copy| verified_at(copy).is_some()).count();
    let failed = stack.failed();
    let report = stack.record.report();
    let errors: BTreeMap<&String, &u64> = report
        .figures
        .iter()
        .filter(|(name, _)| name.starts_with("functions end with"))
        .collect();
    let busiest = [true, false].map(|is_source| {
        let times = made
            .iter()
            .filter(|call| call.is_source == is_source)
            .map(|call| call.at);
        busiest_ten_seconds(times.filter(|at| *at >= BEGINNING + SignedDuration::from_mins(1)))
    });
    let listing = made.iter().filter(|call| call.caller == "list-targets").count();
    let events = u32::try_from(INSTANCES + CLUSTERS).expect("few");
    println!(
        "{}",
        json!({ "measure": "500 at once", "hours": hours(stack.now().duration_since(BEGINNING)), "verified": verified,
                "failedExecutions": failed.len(), "errorsOfFunctions": errors, "throttled": report.faults,
                "calls": per(made.len(), events), "callsBeforeItsOwnExecution": per(listing, events),
                "invocations": per(usize::try_from(invocations(&report.calls)).expect("few"), events),
                "callsInTenSecondsSourceAndDestination": busiest,
                "eventsOfLongest": stack.figure("largest history of copy-snapshot") })
    );
    assert_eq!(verified, INSTANCES + CLUSTERS);
    assert_eq!(failed, Vec::<String>::new());
    assert!(
        errors.keys().all(|name| name.ends_with("with Throttled")),
        "errors of functions that nobody ordered: {errors:?}"
    );
    assert!(
        busiest.iter().all(|calls| *calls <= MAX_CALLS_IN_TEN_SECONDS),
        "{busiest:?} calls in ten seconds"
    );
}

/// A stack without faults, and its fleet.
struct Stack {
    tasks: Rc<Tasks>,
    world: World,
    network: Network,
    record: Record,
    steps: Rc<Executions>,
}

impl Stack {
    fn new(source: impl FnOnce(Region) -> Region, variables: &[(&str, &str)], seed: u64) -> Self {
        let mut all = vec![("OWNER_ID", "snapferry")];
        all.extend(variables);
        let settings = settings_with(&all);
        let scenario = Scenario::new().region(SOURCE, source).region(DESTINATION, |region| {
            region.key(KEY, "alias/copies").quota(10_000, 10_000)
        });
        let world = World::new(&scenario);
        let tasks = Tasks::beginning_at(BEGINNING);
        let record = Record::new(tasks.clock(), false);
        let invariants = Invariants::new(&settings, vec![KEY.to_owned()], &record);
        let random = |purpose| Random::new(seed, purpose);
        let network = Network::new(
            &world,
            DESTINATION,
            tasks.clock(),
            &record,
            &invariants,
            random("network"),
        );
        let network = network.unjudged().keeping_calls();
        let functions = Functions::new(
            &tasks,
            &network,
            &record,
            &invariants,
            &settings,
            random("functions"),
            Broken::Nothing,
        );
        let machines = machines(Release::This, CONCURRENCY, Broken::Nothing);
        let steps = Executions::new(&tasks, &functions, &network, &record, random("steps"), machines);
        Self {
            tasks,
            world,
            network,
            record,
            steps,
        }
    }

    fn slots(self, instances: u32, clusters: u32) -> Self {
        self.world
            .add(&Scenario::new().region(DESTINATION, |region| region.slots(instances, clusters)));
        self
    }

    fn now(&self) -> Timestamp {
        self.tasks.clock().now()
    }

    fn figure(&self, name: &str) -> u64 {
        self.record.report().figures.get(name).copied().unwrap_or(0)
    }

    /// Lets time pass.
    fn pass(&self, time: SignedDuration) {
        let clock = self.tasks.clock().clone();
        let until = self.now() + time;
        let time = Duration::try_from(time).expect("forwards");
        // Somebody always waits for the end, so that it comes.
        self.tasks.begin(async move { clock.sleep(time).await });
        self.tasks.run(until, || false);
        self.network.settle();
    }

    fn later(&self, time: Duration, act: impl FnOnce(&Rc<Executions>) + 'static) {
        let (clock, steps) = (self.tasks.clock().clone(), Rc::clone(&self.steps));
        self.tasks.begin(async move {
            clock.sleep(time).await;
            act(&steps);
        });
    }

    fn start(&self, name: &str, input: Value) {
        start(&self.steps, name, input);
    }

    /// Kind and identifier of each database that makes snapshots.
    fn databases(&self) -> Vec<(Kind, String)> {
        let state = self.world.state();
        let databases = &state.regions[SOURCE].databases;
        let own = databases.iter().filter(|database| database.cluster.is_none());
        own.map(|database| (database.kind, database.id.clone())).collect()
    }

    /// Takes a snapshot of every database; their ARNs. Those of eight days ago are gone.
    fn take_snapshots(&self) -> Vec<(Kind, String)> {
        self.network.settle();
        let old = self.now() - SignedDuration::from_hours(7 * 24 + 12);
        let state = self.world.state();
        for snapshot in state.snapshots(SOURCE) {
            if snapshot.created_at.is_some_and(|time| time < old) {
                self.world.expire(&snapshot.arn);
            }
        }
        let databases = self.databases().into_iter();
        let take = |(kind, id): (Kind, String)| {
            let order = NewSnapshot {
                region: SOURCE.to_owned(),
                database: id,
                ..NewSnapshot::default()
            };
            (kind, self.world.take_snapshot(&order))
        };
        databases.map(take).collect()
    }

    /// A day that begins at noon: its snapshots are taken at once, RDS tells of each, and the schedule starts a run two
    /// hours later.
    fn begin_day(&self, day: i64) {
        for (number, (kind, arn)) in self.take_snapshots().into_iter().enumerate() {
            let event = event_of(kind, &arn);
            self.later(Duration::from_secs(60 + number as u64), move |steps| {
                start(steps, &format!("event-{day}-{number}"), event);
            });
        }
        self.later(Duration::from_hours(2), move |steps| {
            start(
                steps,
                &format!("schedule-{day}"),
                json!({ "Comment": "Started by the schedule." }),
            );
        });
    }

    /// Our copies.
    fn copies(&self) -> Vec<SnapshotState> {
        fixtures::copies(&self.world, "snapferry-")
    }

    /// The executions that failed, each with its error.
    fn failed(&self) -> Vec<String> {
        let executions = self.steps.all().into_iter();
        executions
            .filter_map(|execution| match execution.ended.kept()? {
                Status::Failed(failure) => Some(format!("{execution:?}: {}", failure.error)),
                _ => None,
            })
            .collect()
    }
}

fn start(steps: &Rc<Executions>, name: &str, input: Value) {
    assert!(steps.start("copy-fleet", name, input).is_ok(), "{name} is a new name");
}

/// What EventBridge sends of an automated snapshot that is ready.
fn event_of(kind: Kind, arn: &str) -> Value {
    let (detail_type, event_id) = match kind {
        Kind::Instance => ("RDS DB Snapshot Event", "RDS-EVENT-0091"),
        Kind::Cluster => ("RDS DB Cluster Snapshot Event", "RDS-EVENT-0169"),
    };
    let id = arn.splitn(7, ':').last().unwrap_or_default();
    json!({ "version": "0", "id": id, "detail-type": detail_type, "source": "aws.rds", "region": SOURCE,
            "resources": [arn],
            "detail": { "EventID": event_id, "SourceIdentifier": id, "SourceArn": arn } })
}

fn verified_at(copy: &SnapshotState) -> Option<&String> {
    copy.tags.get(tags::VERIFIED).filter(|mark| *mark != tags::MISMATCH)
}

fn source_created(copy: &SnapshotState) -> Timestamp {
    copy.tags[tags::SOURCE_CREATED].parse().expect("a time")
}

fn invocations(calls: &BTreeMap<String, u64>) -> u64 {
    let of_functions = calls.iter().filter(|(name, _)| name.starts_with("invoke "));
    of_functions.map(|(_, count)| count).sum()
}

/// The most calls in any ten seconds. Times come in order.
fn busiest_ten_seconds(times: impl Iterator<Item = Timestamp>) -> usize {
    let times: Vec<Timestamp> = times.collect();
    let mut first = 0;
    let mut most = 0;
    for (at, time) in times.iter().enumerate() {
        while time.duration_since(times[first]) >= SignedDuration::from_secs(10) {
            first += 1;
        }
        most = most.max(at + 1 - first);
    }
    most
}

/// With two digits.
fn per(count: usize, of: u32) -> f64 {
    let count = f64::from(u32::try_from(count).expect("few enough"));
    (count / f64::from(of) * 100.0).round() / 100.0
}

fn hours(time: SignedDuration) -> f64 {
    (time.as_secs_f64() / 36.0).round() / 100.0
}
