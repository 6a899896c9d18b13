//! Releases may differ by one (rule 11 of the design): the payloads of the last release, as they were recorded, are read by
//! the functions of this one, and so are payloads with fields that this release does not know.
//!
//! `RECORD=1 cargo test -p fixtures --test payloads` records those of this version; RELEASING.md says when.

#![allow(missing_docs)]

#[path = "payloads/both_stacks.rs"]
mod both_stacks;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use both_stacks::{BothStacks, Call, Change, RELEASE, folder};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use fixtures::next_release::add_more;
use fixtures::{CopyBuilder, DESTINATION, KEY, SOURCE, copy_of, world, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, Region, Snapshot, SubnetGroup};
use rds_simulator_sdk::simulator::{Calls, Fault};
use serde_json::{Value, json};

/// What happens while payloads are recorded.
struct Story {
    name: &'static str,
    machine: &'static str,
    /// How it ends: the outcome of its last execution, or the name of its error.
    end: &'static str,
    variables: &'static [(&'static str, &'static str)],
    world: fn() -> World,
    input: fn(&World) -> Value,
}

const STORIES: &[Story] = &[
    Story {
        name: "instance",
        machine: "copy-fleet",
        end: "copied",
        variables: &[],
        world: || world(|region| region.instance(tagged(database("orders")))),
        input: |_| json!({}),
    },
    Story {
        name: "cluster",
        machine: "copy-fleet",
        end: "copied",
        variables: &[],
        world: || world(|region| region.cluster(tagged(database("billing").members(2)))),
        input: |_| json!({ "only": ["cluster:billing"] }),
    },
    Story {
        name: "two-pages",
        machine: "copy-fleet",
        end: "copied",
        variables: &[("PAGE_SIZE", "1")],
        world: || world(|region| region.instance(database("orders")).instance(database("stock"))),
        input: |_| json!({ "only": ["orders", "stock"] }),
    },
    Story {
        name: "wait-for-a-slot",
        machine: "copy-fleet",
        end: "copied",
        variables: &[],
        world: || {
            let world = world(|region| region.instance(database("orders")));
            refuse(
                &world,
                "SnapshotQuotaExceeded",
                "Cannot copy more than 20 snapshots across regions.",
                90,
            );
            world
        },
        input: |_| json!({}),
    },
    Story {
        name: "wait-for-a-snapshot",
        machine: "copy-fleet",
        end: "copied",
        variables: &[],
        world: || {
            let coming = Snapshot::automated(0.1).status("creating").at_percent(50);
            world(|region| region.instance(database("orders").snapshot(coming)))
        },
        input: event,
    },
    Story {
        name: "join",
        machine: "copy-fleet",
        end: "copied",
        variables: &[],
        world: || {
            let there = copy(DatabaseKind::Instance, "orders").aged(3);
            world_with(
                |region| region.instance(database("orders")),
                |region| region.snapshot(there.seed()),
            )
        },
        input: |_| json!({}),
    },
    Story {
        name: "prune-only",
        machine: "copy-fleet",
        end: "retired",
        variables: &[("RETIRED_KEEP_DAYS", "1"), ("KEEP_COPIES", "1")],
        world: || {
            let copies = |region: Region| {
                [200, 100, 50].into_iter().fold(region, |region, hours| {
                    let copy = copy(DatabaseKind::Instance, "gone").aged(hours);
                    region.snapshot(copy.marked("2026-11-13T11:00:00Z").seed())
                })
            };
            world_with(|region| region, copies)
        },
        input: |_| json!({}),
    },
    Story {
        name: "dry-run",
        machine: "copy-fleet",
        end: "planned",
        variables: &[],
        world: || world(|region| region.instance(database("orders"))),
        input: |_| json!({ "dryRun": true }),
    },
    Story {
        name: "problem",
        machine: "copy-fleet",
        end: "CopiesFailed",
        variables: &[],
        world: || {
            let world = world(|region| region.instance(database("orders")));
            world.disable_key(DESTINATION, KEY);
            world
        },
        input: |_| json!({}),
    },
    Story {
        name: "room-is-made",
        machine: "copy-fleet",
        end: "copied",
        variables: &[("KEEP_COPIES", "1")],
        world: || {
            let copies = |region: Region| {
                [100, 50].into_iter().fold(region, |region, hours| {
                    let copy = copy(DatabaseKind::Instance, "orders").aged(hours);
                    region.snapshot(copy.marked("2026-11-19T11:00:00Z").seed())
                })
            };
            let world = world_with(|region| region.instance(database("orders")), copies);
            refuse(
                &world,
                "SnapshotQuotaExceeded",
                "Cannot create more than 100 manual snapshots",
                1,
            );
            world
        },
        input: |_| json!({}),
    },
    Story {
        name: "drill-of-an-instance",
        machine: "drill-fleet",
        end: "passed",
        variables: &[("CHECK_FUNCTION_ARN", CHECK)],
        world: || drills(DatabaseKind::Instance, "orders"),
        input: |_| json!({}),
    },
    Story {
        name: "drill-of-a-cluster",
        machine: "drill-fleet",
        end: "passed",
        variables: &[("DRILL_CLUSTERS", "full")],
        world: || drills(DatabaseKind::Cluster, "billing"),
        input: |_| json!({ "only": ["cluster:billing"] }),
    },
    Story {
        name: "drill-that-cannot-run",
        machine: "drill-fleet",
        end: "notRun",
        variables: &[("DRILL_CLASS", "db.none.of.these")],
        world: || drills(DatabaseKind::Instance, "orders"),
        input: |_| json!({}),
    },
];

const CHECK: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check-orders";

fn database(id: &str) -> Database {
    Database::new(id)
        .encrypted_with("alias/aws/rds")
        .snapshots_aged([3.0])
        .copies_take(1800.0)
}

/// The same, with tags that its payloads tell of.
fn tagged(database: Database) -> Database {
    database.tag("snapferry:keep-days", "30").tag("snapferry:keep", "7")
}

/// A copy of ours, five hours old and not verified yet.
fn copy(kind: DatabaseKind, id: &str) -> CopyBuilder {
    let resource_id = match kind {
        DatabaseKind::Instance => format!("db-{}", id.to_ascii_uppercase()),
        DatabaseKind::Cluster => format!("cluster-{}", id.to_ascii_uppercase()),
    };
    let copy = copy_of(id, &resource_id).owned_by(Owner::new(SOURCE, "snapferry"));
    copy.kind(kind).aged(5).key(KEY)
}

fn drills(kind: DatabaseKind, id: &str) -> World {
    let copy = copy(kind, id).marked("2026-11-22T11:00:00Z").seed();
    world_with(
        |source| source,
        |region| region.subnet_group(SubnetGroup::new("drills")).snapshot(copy),
    )
}

/// RDS refuses this many copies of instances with this.
fn refuse(world: &World, code: &str, message: &str, times: u32) {
    world.fault(Fault::error(Calls::to("CopyDBSnapshot"), code, message).times(times));
}

/// The event of the newest snapshot in the source region.
fn event(world: &World) -> Value {
    let state = world.state();
    let newest = state
        .snapshots(SOURCE)
        .iter()
        .max_by_key(|snapshot| snapshot.created_at);
    let id = newest.expect("a snapshot").id.clone();
    json!({
        "version": "0", "id": "844e2571-85d4-695f-b930-0153b71dcb42", "detail-type": "RDS DB Snapshot Event",
        "source": "aws.rds", "region": SOURCE, "detail": { "EventID": "RDS-EVENT-0091", "SourceIdentifier": id },
    })
}

/// How a story ended, and the calls of functions in it.
async fn tell(story: &Story, change: Change<'_>) -> (Vec<String>, Vec<Call>) {
    let world = (story.world)();
    let stacks = BothStacks::new(&world, story.variables, change);
    let input = (story.input)(&world);
    let ended = stacks.run(story.machine, "a-run", input).await;
    let mut ends: Vec<String> = ended
        .as_ref()
        .err()
        .map(|failure| failure.error.clone())
        .into_iter()
        .collect();
    let counts = ended
        .as_ref()
        .map(|output| output["counts"].clone())
        .unwrap_or_default();
    for (outcome, count) in counts.as_object().into_iter().flatten() {
        if *count != 0 {
            ends.push(outcome.clone());
        }
    }
    (ends, stacks.into_calls())
}

/// Payloads as a machine gives them.
fn unchanged(_: usize, _: &str, payload: Value) -> Value {
    payload
}

/// What the functions exchange: of each function the first two calls, and the last, which has come the farthest.
fn worth_recording(calls: Vec<Call>) -> Vec<Call> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in &calls {
        *counts.entry(call.function.clone()).or_default() += 1;
    }
    let is_meant = |call: &Call| call.number < 2 || call.number + 1 == counts[&call.function];
    calls.into_iter().filter(is_meant).collect()
}

/// `RECORD=0.2.0` writes what the functions exchange, as of this release.
#[tokio::test(flavor = "multi_thread")]
async fn every_story_ends_as_it_should_and_is_recorded_when_that_is_asked_for() {
    for story in STORIES {
        let (ends, calls) = tell(story, &unchanged).await;
        assert_eq!(ends, [story.end], "{}: {calls:#?}", story.name);
        for Call { function, output, .. } in &calls {
            let release = output.as_ref().map(|output| &output["release"]);
            assert!(
                release.is_none_or(|release| release == RELEASE),
                "{}: {function}",
                story.name
            );
        }
        let Ok(release) = std::env::var("RECORD") else { continue };
        let folder = folder().join(release);
        std::fs::create_dir_all(&folder).expect("a folder");
        let calls = worth_recording(calls);
        let lines: Vec<String> = calls
            .iter()
            .map(|call| serde_json::to_string(call).expect("JSON"))
            .collect();
        let text = format!("[\n{}\n]\n", lines.join(",\n"));
        std::fs::write(folder.join(format!("{}.json", story.name)), text).expect("a file");
    }
}

/// The releases whose payloads are recorded.
fn recorded() -> BTreeSet<String> {
    let folders = std::fs::read_dir(folder()).expect("a folder");
    folders
        .map(|folder| folder.expect("a folder").file_name().into_string().expect("a text"))
        .collect()
}

/// The last release, by the changelog; the payloads before the first one were recorded, too.
#[test]
fn the_payloads_of_the_last_release_are_recorded() {
    let changelog = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../CHANGELOG.md");
    let changelog = std::fs::read_to_string(changelog).expect("the changelog");
    let versions = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## [")?.split(']').next());
    let last = versions.into_iter().find(|version| *version != "Unreleased");
    let last = last.unwrap_or("before-0.1.0");
    assert!(
        recorded().contains(last),
        "record the payloads of {last}: RECORD={last} cargo test -p fixtures --test payloads (RELEASING.md)"
    );
}

/// The calls of a story as a release made them.
fn calls_of(release: &str, story: &Story) -> BTreeMap<(String, usize), Call> {
    let path = folder().join(release).join(format!("{}.json", story.name));
    // A story that a release did not tell is a new one.
    let Ok(text) = std::fs::read_to_string(path) else {
        return BTreeMap::new();
    };
    let calls: Vec<Call> = serde_json::from_str(&text).expect("calls");
    calls
        .into_iter()
        .map(|call| ((call.function.clone(), call.number), call))
        .collect()
}

/// What decides how a machine goes on.
fn decisions(call: &Call) -> Vec<Value> {
    let decides = |place: &str| call.output.as_ref().and_then(|output| output.pointer(place)).cloned();
    let places = [
        "/decision",
        "/outcome",
        "/status/state",
        "/restore/state",
        "/verdict/outcome",
        "/gone",
    ];
    let error = call.error.clone().map(Value::from);
    places
        .into_iter()
        .map(decides)
        .chain([error])
        .map(Option::unwrap_or_default)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn this_release_goes_on_with_what_an_earlier_one_made() {
    for release in recorded() {
        let mut told = 0;
        for story in STORIES {
            let earlier = calls_of(&release, story);
            let used = Cell::new(0);
            let change = |number: usize, function: &str, payload: Value| {
                let Some(call) = earlier.get(&(function.to_owned(), number)) else {
                    return payload;
                };
                used.set(used.get() + 1);
                call.input.clone()
            };
            let (ends, calls) = tell(story, &change).await;
            assert_eq!(ends, [story.end], "{release}, {}", story.name);
            assert_eq!(used.get(), earlier.len(), "{release}, {}", story.name);
            for call in &calls {
                if let Some(before) = earlier.get(&(call.function.clone(), call.number)) {
                    let place = format!("{release}, {}, {} {}", story.name, call.function, call.number);
                    assert_eq!(decisions(call), decisions(before), "{place}");
                }
            }
            told += usize::from(!earlier.is_empty());
        }
        assert!(told >= 10, "{release} has only {told} stories");
    }
}

/// A payload as the next release makes it: with more in every object, but for what a person typed.
fn of_next(mut payload: Value) -> Value {
    let typed = payload
        .get("request")
        .filter(|request| request.get("page").is_none())
        .cloned();
    add_more(&mut payload);
    if let Some(typed) = typed {
        payload["request"] = typed;
    }
    for place in ["", "/target", "/drill", "/request/page"] {
        if let Some(Value::Object(fields)) = payload.pointer_mut(place) {
            fields.insert("release".to_owned(), json!("9.9.9"));
        }
    }
    payload
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_next_release_adds_is_passed_over_wherever_it_is() {
    for release in recorded() {
        for story in STORIES {
            let earlier = calls_of(&release, story);
            // What was recorded, and where nothing was what is exchanged now.
            let change = |number: usize, function: &str, payload: Value| {
                let call = earlier.get(&(function.to_owned(), number));
                of_next(call.map_or(payload, |call| call.input.clone()))
            };
            let (ends, calls) = tell(story, &change).await;
            assert_eq!(ends, [story.end], "{release}, {}: {calls:#?}", story.name);
        }
    }
}

/// What decides something is refused by a name of its own, and the step is tried again, because a stack is updated one
/// function after another. What only informs is passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_only_the_next_release_knows_is_refused_by_name_if_it_decides_something() {
    let new = json!("of-next");
    for (story, function, place, refused) in [
        ("instance", "find-latest-snapshot", "/kind", true),
        ("instance", "start-copy", "/decision", true),
        ("instance", "start-copy", "/source/encryption", true),
        ("instance", "check-copy-status", "/outcome", true),
        ("instance", "prune-old", "/outcome", true),
        ("two-pages", "list-targets", "/request/page/kind", true),
        ("drill-of-an-instance", "check-restore", "/restore/state", true),
        ("drill-of-an-instance", "end-restore", "/drill/verdict/outcome", true),
        ("wait-for-a-slot", "start-copy", "/waiting/reason", false),
        ("wait-for-a-slot", "start-copy", "/facts/unread", false),
        ("drill-of-an-instance", "check-restore", "/restore/checked/0", false),
    ] {
        let story = STORIES.iter().find(|one| one.name == story).expect("a story");
        // The first payload that has such a value.
        let spoilt: Cell<Option<usize>> = Cell::new(None);
        let change = |number: usize, called: &str, mut payload: Value| {
            if called == function
                && spoilt.get().is_none()
                && let Some(value) = payload.pointer_mut(place)
            {
                *value = new.clone();
                spoilt.set(Some(number));
            }
            payload
        };
        let (ends, calls) = tell(story, &change).await;
        assert_eq!(ends, [story.end], "{function} {place}");
        let number = spoilt.get().unwrap_or_else(|| panic!("{function} gets no {place}"));
        let is_meant = |call: &&Call| (call.number, call.function.as_str()) == (number, function);
        let call = calls.iter().find(is_meant).expect("the call");
        let error = refused.then_some("PayloadUnknown");
        assert_eq!(call.error.as_deref(), error, "{function} {place}");
    }
}
