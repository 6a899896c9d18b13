use std::collections::BTreeMap;

use domain::drill_database::prefix;
use domain::ownership::Owner;
use domain::tags;
use fixtures::{DESTINATION, copy_of, metered_watch, watch_with, world_with};
use proptest::prelude::*;
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, Region};
use runtime::metrics::Metric;
use serde_json::json;

use super::*;

/// Executions, all of which run or none.
struct All(Result<bool, Error>);

impl Runs for All {
    async fn is_running(&self, _arn: &str) -> Result<bool, Error> {
        self.0.clone()
    }
}

const MARK: &str = "us-east-1/snap";
const COPY: &str = "arn:aws:rds:eu-west-1:123456789012:snapshot:snap-orders";

/// A database of the destination region with these tags.
fn database(id: &str, tags: &[(&str, &str)]) -> Database {
    let made = Database {
        // An hour ago.
        created_days_ago: Some(1.0 / 24.0),
        ..Database::new(id)
    };
    tags.iter()
        .fold(made, |database, (key, value)| database.tag(key, value))
}

fn drill_database(id: &str, until: &str) -> Database {
    let tags = [
        (tags::DRILL_OWNER, MARK),
        (tags::DRILL_UNTIL, until),
        (tags::DRILL_RUN, "i-orders-1"),
        (tags::RESTORED_FROM, COPY),
    ];
    database(id, &tags)
}

fn world(databases: impl IntoIterator<Item = Database>) -> World {
    let all: Vec<Database> = databases.into_iter().collect();
    world_with(|source| source, |region| all.into_iter().fold(region, Region::instance))
}

async fn swept(world: &World, runs: Result<bool, Error>) -> Swept {
    let request = serde_json::from_value(json!({"sweep": true})).expect("a request");
    let answer = handle(&watch_with(world, "tests", &[]), &All(runs), request, world.now()).await;
    match answer.expect("an answer") {
        Answer::Swept(swept) => swept,
        Answer::Ended(ended) => panic!("{ended:?}"),
    }
}

fn left(world: &World) -> Vec<String> {
    let state = world.state();
    let all = state.regions[DESTINATION].databases.iter();
    all.filter(|one| one.status != "deleting")
        .map(|one| one.id.clone())
        .collect()
}

#[tokio::test]
async fn the_sweep_takes_what_is_past_its_time_or_whose_execution_has_ended() {
    let soon = "2026-11-22T14:00:00Z";
    let past = "2026-11-22T11:00:00Z";
    let unknown = || {
        Err(Error::RdsUnavailable {
            reason: "no answer".to_owned(),
        })
    };
    for (until, runs, gone) in [
        (soon, Ok(true), false),
        (soon, Ok(false), true),
        (soon, unknown(), false),
        (past, Ok(true), true),
        (past, unknown(), true),
    ] {
        let world = world([drill_database("snap-drill-01234567-orders", until)]);
        let swept = swept(&world, runs.clone()).await;
        assert_eq!(left(&world).is_empty(), gone, "{until} {runs:?}: {swept:?}");
        assert_eq!(swept.in_use, usize::from(!gone), "{until} {runs:?}");
        assert_eq!(swept.deleting.len(), usize::from(gone), "{until} {runs:?}");
    }
}

#[tokio::test]
async fn the_sweep_measures_what_it_finds_and_what_it_must_not_touch() {
    let world = world([
        drill_database("snap-drill-01234567-orders", "2026-11-22T09:00:00Z"),
        drill_database("snap-drill-89abcdef-web", "2026-11-22T14:00:00Z"),
        database("snap-drill-kept", &[]),
        drill_database("orders", "2026-11-22T09:00:00Z"),
    ]);
    let (watch, measured) = metered_watch(watch_with(&world, "tests", &[]));
    let request = serde_json::from_value(json!({"sweep": true})).expect("a request");
    handle(&watch, &All(Ok(true)), request, world.now())
        .await
        .expect("an answer");
    assert_eq!(measured.values(Metric::DRILL_DATABASES), [2.0]);
    assert_eq!(measured.values(Metric::DRILL_DATABASES_OVERDUE), [1.0]);
    assert_eq!(measured.values(Metric::UNMARKED_DRILL_DATABASES), [1.0]);
    assert_eq!(measured.values(Metric::RETAINED_DRILL_SNAPSHOTS), [0.0]);
    assert_eq!(left(&world), ["orders", "snap-drill-89abcdef-web", "snap-drill-kept"]);
}

/// The teardown, asked twice, of the drill `i-orders-1`, whose copy pruning leaves alone; whether it still does.
async fn torn_down(made: Database) -> (World, Ended, bool) {
    let owner = Owner::new("us-east-1", "snap");
    let copy = copy_of("orders", "db-ORDERS").owned_by(owner.clone()).aged(5);
    let arn = format!("arn:aws:rds:{DESTINATION}:123456789012:snapshot:{}", copy.id());
    let seed = copy.seed().tag(tags::DRILLING, "2026-11-22T14:00:00Z");
    let name = "snap-drill-01234567-orders";
    let world = world_with(
        |source| source,
        |region| {
            region.snapshot(seed).instance(Database {
                id: name.to_owned(),
                ..made
            })
        },
    );
    let mut before = json!({});
    for _ in 0..2 {
        let drill = json!({"kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "execution": "i-orders-1",
                           "name": name, "copy": {"id": copy.id(), "arn": arn}});
        let request = serde_json::from_value(json!({"drill": drill, "before": before})).expect("a request");
        let answer = handle(&watch_with(&world, "tests", &[]), &All(Ok(true)), request, world.now()).await;
        before = serde_json::to_value(answer.expect("an answer")).expect("JSON");
    }
    let ended: Ended = serde_json::from_value(before).expect("what was answered");
    let is_marked = world
        .snapshot(DESTINATION, &copy.id())
        .is_some_and(|copy| copy.tags.contains_key(tags::DRILLING));
    (world, ended, is_marked)
}

#[tokio::test]
async fn a_drill_leaves_alone_what_a_later_drill_of_the_same_copy_has_made() {
    let later = drill_database("later", "2026-11-22T14:00:00Z").tag(tags::DRILL_RUN, "i-orders-2");
    let (world, ended, is_marked) = torn_down(later).await;
    assert!(ended.gone && ended.deleting.is_empty(), "{ended:?}");
    assert_eq!(left(&world), ["snap-drill-01234567-orders"]);
    assert!(is_marked, "the later drill needs the copy");
}

#[tokio::test]
async fn the_copy_of_a_database_that_a_person_keeps_stays_marked() {
    let (world, ended, is_marked) = torn_down(database("kept", &[(tags::DRILL_RUN, "i-orders-1")])).await;
    assert!(ended.gone && ended.kept.len() == 1, "{ended:?}");
    assert_eq!(left(&world), ["snap-drill-01234567-orders"]);
    assert!(is_marked, "RDS may still read the copy");
}

#[tokio::test]
async fn a_request_is_a_drill_or_a_sweep() {
    let world = world([]);
    for request in [json!({}), json!({"sweep": false}), json!({"sweep": true, "before": {}})] {
        let parsed = serde_json::from_value(request.clone()).expect("a request");
        let error = handle(&watch_with(&world, "tests", &[]), &All(Ok(true)), parsed, world.now()).await;
        assert_eq!(error.expect_err("refused").name(), "BadInput", "{request}");
    }
    assert!(world.writes().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is called how, marked how, and however old it is: what has not both the name and the mark stays.
    #[test]
    fn nothing_is_touched_that_has_not_both_the_name_and_the_mark(
        names in prop::collection::btree_set("(snap-drill-|snap-drill|snap-|other-drill-|)[a-z]{1,8}", 1..6),
        marks in prop::collection::vec(
            prop_oneof![Just(None), Just(Some(MARK)), Just(Some("us-east-1/other")), Just(Some("us-west-2/snap"))], 6),
        until in prop_oneof![Just("2026-11-22T09:00:00Z"), Just("2099-01-01T00:00:00Z"), Just("soon")],
        running in any::<bool>(),
    ) {
        let owner = Owner::new("us-east-1", "snap");
        let all: BTreeMap<&String, Option<&str>> = names.iter().zip(marks).collect();
        let databases = all.iter().map(|(name, mark)| {
            let tagged = database(name, &[(tags::DRILL_UNTIL, until), (tags::DRILL_RUN, "i-1"), (tags::RESTORED_FROM, COPY)]);
            mark.iter().fold(tagged, |tagged, mark| tagged.tag(tags::DRILL_OWNER, mark))
        });
        let world = world(databases);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(swept(&world, Ok(running)));
        let left = left(&world);
        for (name, mark) in all {
            let is_ours = name.starts_with(&prefix(&owner)) && mark == Some(MARK);
            prop_assert!(is_ours || left.contains(name), "{} {:?}", name, mark);
        }
    }
}
