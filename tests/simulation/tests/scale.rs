//! Large fleets without faults: how full the slots are, how long a run takes, how large what is handed on becomes.
//!
//! The durations of copies are lognormal (median 20 min, sigma 1.0, at most 12 h), the quota of manual snapshots is
//! raised far above what AWS grants by default. The best that 20 + 5 slots could do is taken to be the
//! longest-processing-time schedule of each kind.

#![allow(missing_docs)]

use std::rc::Rc;
use std::time::Duration;

use fixtures::{DESTINATION, KEY, SOURCE, settings_with};
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::scenario::{Database, Scenario};
use rds_simulator_sdk::simulator::Kind;
use rds_simulator_sdk::{BEGINNING, World};
use serde::Serialize;
use serde_json::json;
use simulation::executions::{Executions, Status};
use simulation::functions::{Broken, Functions};
use simulation::invariants::Invariants;
use simulation::machines::machines;
use simulation::network::Network;
use simulation::random::Random;
use simulation::record::{Record, Report};
use simulation::releases::Release;
use simulation::virtual_time::Tasks;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Copies that RDS makes at once, of instances and of clusters.
const SLOTS: [u32; 2] = [20, 5];

/// Databases that the stack works on at once, by default.
const CONCURRENCY: [u32; 2] = [24, 7];

const PAGE_SIZE: usize = 500;

/// Of fewer minutes in which the concurrency was used up, the share of the slots in use says nothing.
const MIN_SAMPLES: u32 = 60;

/// How much longer than the best schedule a run may take. If each page waited for the longest copy of the one before, a
/// thousand instances would take 1.25 times as long.
const MAX_OF_BOUND: f64 = 1.1;

// In the dev profile one of them takes minutes; `make test` is in another.
#[test]
#[cfg_attr(debug_assertions, ignore = "it takes minutes in this profile")]
fn a_thousand_instances() {
    check(1_000, 0);
}

#[test]
fn a_thousand_databases_of_which_two_in_ten_are_clusters() {
    check(1_000, 2);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "it takes minutes in this profile")]
fn a_thousand_databases_of_which_four_in_ten_are_clusters() {
    check(1_000, 4);
}

#[test]
#[ignore = "it takes minutes: `make scale`"]
fn ten_thousand_instances() {
    check(10_000, 0);
}

#[test]
#[ignore = "it takes minutes: `make scale`"]
fn ten_thousand_databases_of_which_two_in_ten_are_clusters() {
    check(10_000, 2);
}

#[test]
#[ignore = "it takes minutes: `make scale`"]
fn ten_thousand_databases_of_which_four_in_ten_are_clusters() {
    check(10_000, 4);
}

fn check(databases: usize, clusters_in_ten: u64) {
    let fleet = Fleet::new(databases, clusters_in_ten);
    let Ran { report, took, slots } = fleet.run();
    let of = |figure: &str| report.figures.get(figure).copied().unwrap_or(0);
    let calls = |is_counted: fn(&str) -> bool| {
        let counted = report.calls.iter().filter(|(name, _)| is_counted(name));
        per(counted.map(|(_, count)| count).sum(), databases)
    };
    let figures = Figures {
        databases,
        clusters_percent: clusters_in_ten * 10,
        hours: took.as_secs_f64() / 3600.0,
        of_bound: took.as_secs_f64() / fleet.bound(),
        slots_in_use: slots.map(|slots| (slots.samples >= MIN_SAMPLES).then(|| slots.use_while_queued())),
        calls: calls(|name| !name.contains(' ')),
        invocations: calls(|name| name.starts_with("invoke ")),
        largest_payload: of("largest payload of a state in bytes"),
        longest_histories: [
            of("largest history of copy-fleet"),
            of("largest history of copy-snapshot"),
        ],
    };
    println!("{}", serde_json::to_string(&figures).expect("figures"));
    assert_eq!(report.violations, Vec::<String>::new());
    assert!(figures.largest_payload <= 200 * 1024);
    assert!(figures.longest_histories.iter().all(|events| *events <= 10_000));
    assert!(
        figures.slots_in_use[0].is_some(),
        "instances use their full concurrency for longer"
    );
    for in_use in figures.slots_in_use.iter().flatten() {
        assert!(*in_use >= 0.95, "{in_use}");
    }
    assert!(figures.of_bound <= MAX_OF_BOUND, "{} x the bound", figures.of_bound);
}

/// What is said of a fleet; `make bench` makes a table of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    databases: usize,
    clusters_percent: u64,
    /// How long the run takes, and what that is of the best schedule.
    hours: f64,
    of_bound: f64,
    /// Of instances and of clusters, while the concurrency was used up.
    slots_in_use: [Option<f64>; 2],
    /// Calls of RDS and KMS, and invocations of functions, for each database.
    calls: f64,
    invocations: f64,
    largest_payload: u64,
    /// Events of copy-fleet and of copy-snapshot.
    longest_histories: [u64; 2],
}

fn per(count: u64, databases: usize) -> f64 {
    f64::from(u32::try_from(count).expect("few enough")) / f64::from(u32::try_from(databases).expect("few enough"))
}

/// Databases, each with one snapshot to copy.
struct Fleet {
    /// The kind, and for how many seconds a copy takes.
    databases: Vec<(Kind, f64)>,
}

/// How a run went.
struct Ran {
    report: Report,
    took: SignedDuration,
    slots: [SlotUse; 2],
}

/// The slots of a kind, while databases of that kind were queued.
#[derive(Debug, Clone, Copy, Default)]
struct SlotUse {
    /// Seconds that slots were in use, summed over slots, and could have been.
    used: f64,
    there: f64,
    samples: u32,
}

impl SlotUse {
    fn use_while_queued(&self) -> f64 {
        if self.there > 0.0 { self.used / self.there } else { 1.0 }
    }
}

impl Fleet {
    fn new(databases: usize, clusters_in_ten: u64) -> Self {
        let mut random = Random::new(databases as u64 + clusters_in_ten, "scale");
        let databases = (0..databases)
            .map(|_| {
                let kind = if random.within(1..=10) <= clusters_in_ten {
                    Kind::Cluster
                } else {
                    Kind::Instance
                };
                // Box and Muller's way from even numbers to normal ones.
                let (radius, angle) = (random.between(0.0, 1.0), random.between(0.0, std::f64::consts::TAU));
                let normal = (-2.0 * (1.0 - radius).ln()).sqrt() * angle.cos();
                (kind, (20.0 * 60.0 * normal.exp()).min(12.0 * 3600.0))
            })
            .collect();
        Self { databases }
    }

    fn of_kind(&self, kind: Kind) -> Vec<f64> {
        let of_kind = self.databases.iter().filter(|(other, _)| *other == kind);
        of_kind.map(|(_, seconds)| *seconds).collect()
    }

    /// Seconds of the longest-processing-time schedule; the kinds have slots of their own.
    fn bound(&self) -> f64 {
        let kinds = [Kind::Instance, Kind::Cluster].into_iter().zip(SLOTS);
        kinds
            .map(|(kind, slots)| {
                let mut durations = self.of_kind(kind);
                durations.sort_by(|a, b| b.total_cmp(a));
                let mut ends = vec![0.0_f64; usize::try_from(slots).expect("few slots")];
                for duration in durations {
                    let first = ends.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("a slot");
                    *first += duration;
                }
                ends.into_iter().fold(0.0, f64::max)
            })
            .fold(0.0, f64::max)
    }

    fn world(&self) -> World {
        let source = |mut region: rds_simulator_sdk::scenario::Region| {
            for (number, (kind, seconds)) in self.databases.iter().enumerate() {
                let mut database = Database::new(&format!("database-{number:05}")).snapshots_aged([2.0]);
                database.copies.duration_seconds = Some(*seconds);
                region = match kind {
                    Kind::Instance => region.instance(database.engine("postgres")),
                    Kind::Cluster => region.cluster(database.engine("aurora-postgresql")),
                };
            }
            region
        };
        let destination = |region: rds_simulator_sdk::scenario::Region| {
            region
                .key(KEY, "alias/copies")
                .quota(100_000, 100_000)
                .slots(SLOTS[0], SLOTS[1])
        };
        World::new(&Scenario::new().region(SOURCE, source).region(DESTINATION, destination))
    }

    /// Copies all of them by one run.
    fn run(&self) -> Ran {
        let settings = settings_with(&[("PAGE_SIZE", &PAGE_SIZE.to_string()), ("OWNER_ID", "snapferry")]);
        let world = self.world();
        let tasks = Tasks::beginning_at(BEGINNING);
        let record = Record::new(tasks.clock(), false);
        let invariants = Invariants::new(&settings, vec![KEY.to_owned()], &record);
        let random = |purpose| Random::new(self.databases.len() as u64, purpose);
        let network = Network::new(
            &world,
            DESTINATION,
            tasks.clock(),
            &record,
            &invariants,
            random("network"),
        )
        .unjudged();
        let functions = Functions::new(
            &tasks,
            &network,
            &record,
            &invariants,
            &settings,
            random("functions"),
            Broken::Nothing,
        );
        let machines = machines(Release::This, CONCURRENCY.map(u64::from), Broken::Nothing);
        let steps = Executions::new(&tasks, &functions, &network, &record, random("steps"), machines);
        let fleet = steps.start("copy-fleet", "run", json!({})).expect("a new name");
        let mut slots = [SlotUse::default(); 2];
        let mut before = Sample::take(&world, &network, &steps);
        while !fleet.ended.is_kept() {
            tasks.run(Self::in_a_minute(&tasks), || fleet.ended.is_kept());
            let now = Sample::take(&world, &network, &steps);
            for (at, slots) in slots.iter_mut().enumerate() {
                // The concurrency is used up as long as a page's queue is not empty.
                if [&before, &now]
                    .iter()
                    .all(|sample| sample.running[at] >= CONCURRENCY[at])
                {
                    slots.used += now.slot_seconds[at] - before.slot_seconds[at];
                    slots.there += now.at.duration_since(before.at).as_secs_f64() * f64::from(SLOTS[at]);
                    slots.samples += 1;
                }
            }
            before = now;
        }
        match fleet.ended.kept() {
            Some(Status::Succeeded(output)) => assert_eq!(output["counts"]["failed"], 0, "{output}"),
            other => panic!("the run ends as {other:?}"),
        }
        Ran {
            report: record.report(),
            took: tasks.clock().now().duration_since(BEGINNING),
            slots,
        }
    }

    fn in_a_minute(tasks: &Rc<Tasks>) -> Timestamp {
        let clock = tasks.clock().clone();
        // Somebody always waits for the end of the minute, so that it comes.
        tasks.begin(async move { clock.sleep(Duration::from_mins(1)).await });
        tasks.clock().now() + SignedDuration::from_mins(1)
    }
}

/// How things are at a moment.
struct Sample {
    at: Timestamp,
    /// Executions of copy-snapshot that run, of instances and of clusters.
    running: [u32; 2],
    /// Seconds that slots have been in use so far.
    slot_seconds: [f64; 2],
}

impl Sample {
    fn take(world: &World, network: &Network, steps: &Executions) -> Self {
        network.settle();
        let counters = world.counters();
        let running = steps.running();
        let of_kind = |prefix: &str| {
            let names = running.iter().filter(|execution| execution.machine == "copy-snapshot");
            let count = names.filter(|execution| execution.name.starts_with(prefix)).count();
            u32::try_from(count).expect("few executions")
        };
        Self {
            at: world.now(),
            running: [of_kind("i-"), of_kind("c-")],
            slot_seconds: counters.copies.get(DESTINATION).map_or([0.0; 2], |copies| {
                [copies.instances.slot_seconds, copies.clusters.slot_seconds]
            }),
        }
    }
}
