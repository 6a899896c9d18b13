use domain::drill::DrilledCopy;
use fixtures::{CopyBuilder, DESTINATION, KEY, copy_of, watch_with, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, DatabaseQuota, Region, SubnetGroup};
use rds_simulator_sdk::simulator::{Action, Calls, DatabaseState, Fault};

use super::*;

const NETWORK: [(&str, &str); 2] = [
    ("DRILL_SUBNET_GROUP", "drills"),
    ("DRILL_SECURITY_GROUP", "sg-0123456789abcdef0"),
];

fn copy(id: &str) -> CopyBuilder {
    let copy = copy_of(id, &format!("db-{id}")).aged(5).key(KEY);
    copy.marked("2026-11-22T11:00:00Z")
}

fn world(more: impl FnOnce(Region) -> Region) -> World {
    world_with(
        |source| source,
        |region| {
            let copies = ["orders", "web"].map(|id| copy(id).seed());
            let region = region.subnet_group(SubnetGroup::new("drills"));
            more(copies.into_iter().fold(region, Region::snapshot))
        },
    )
}

fn watch(world: &World, variables: &[(&str, &str)]) -> Watch {
    let all: Vec<(&str, &str)> = NETWORK.into_iter().chain(variables.iter().copied()).collect();
    watch_with(world, "StartRestore", &all)
}

/// The drill of a database's copy, as plan-drills gives it.
fn drill(world: &World, id: &str) -> Drill {
    let made = world.snapshot(DESTINATION, &copy(id).id()).expect("a copy");
    let owner = watch(world, &[]).owner;
    Drill {
        kind: DatabaseKind::Instance,
        id: id.to_owned(),
        resource_id: format!("db-{id}"),
        name: identifier(&owner, &made.arn, id),
        execution: format!("i-{id}-0a1b2c3d"),
        copy: DrilledCopy {
            id: made.id,
            arn: made.arn,
        },
        last_passed: None,
        waiting: None,
        restore: None,
        answer: None,
        verdict: None,
        release: None,
    }
}

async fn start(world: &World, variables: &[(&str, &str)], drill: Drill) -> Result<Drill, Error> {
    handle(&watch(world, variables), drill, world.now()).await
}

fn made(world: &World) -> Vec<DatabaseState> {
    let state = world.state();
    let all = state.regions[DESTINATION].databases.iter();
    all.filter(|one| one.id.starts_with("snap-drill-")).cloned().collect()
}

#[tokio::test]
async fn a_database_is_made_with_its_mark_and_those_tags_only() {
    let world = world(|region| region);
    let begun = start(&world, &[("DRILL_TAGS", "team=data")], drill(&world, "orders"))
        .await
        .expect("begun");
    let restore = begun.restore.expect("a restore");
    assert_eq!(
        (restore.state, begun.verdict, begun.waiting),
        (RestoreState::Restoring, None, None)
    );
    let [database] = &made(&world)[..] else {
        panic!("one database")
    };
    let tags: Vec<&str> = database.tags.keys().map(String::as_str).collect();
    let expected = [
        tags::COPY,
        tags::DRILL_OWNER,
        tags::DRILL_RUN,
        tags::DRILL_UNTIL,
        tags::RESTORED_FROM,
        "team",
    ];
    assert_eq!(tags, expected, "none is inherited");
    assert_eq!(database.tags[tags::COPY], "false");
    assert_eq!(database.tags[tags::DRILL_UNTIL], restore.until.to_string());
    let copy = world.snapshot(DESTINATION, &copy("orders").id()).expect("the copy");
    assert_eq!(copy.tags.get(tags::DRILLING), Some(&restore.until.to_string()));
}

#[tokio::test]
async fn a_step_that_runs_twice_makes_one_database() {
    let world = world(|region| region);
    let lost = Fault::new(Calls::to("RestoreDBInstanceFromDBSnapshot"), Action::DropReply).times(1);
    world.fault(lost);
    let first = start(&world, &[], drill(&world, "orders")).await;
    let again = start(&world, &[], drill(&world, "orders")).await.expect("begun");
    assert!(again.restore.is_some(), "{first:?}, then {again:?}");
    assert_eq!(made(&world).len(), 1);
}

#[tokio::test]
async fn as_many_databases_exist_as_may_whoever_made_them() {
    let world = world(|region| region);
    start(&world, &[("DRILL_CONCURRENCY", "1")], drill(&world, "orders"))
        .await
        .expect("begun");
    let second = start(&world, &[("DRILL_CONCURRENCY", "1")], drill(&world, "web"))
        .await
        .expect("an answer");
    let waiting = second.waiting.expect("a wait");
    assert!(
        waiting.reason.starts_with("1 drill databases exist"),
        "{}",
        waiting.reason
    );
    assert!(WAIT_SECONDS.contains(&waiting.seconds) && second.restore.is_none());
    // Another execution drills the same copy: it waits until the first database is gone.
    let other = Drill {
        execution: "i-orders-ffffffff".to_owned(),
        ..drill(&world, "orders")
    };
    let waiting = start(&world, &[], other)
        .await
        .expect("an answer")
        .waiting
        .expect("a wait");
    assert!(waiting.reason.contains("of another drill"), "{}", waiting.reason);
}

#[tokio::test]
async fn a_name_that_is_not_that_of_the_copys_drill_is_refused_before_any_call() {
    let world = world(|region| region.instance(Database::new("production")));
    for name in ["production", "snap-drill-00000000-orders", ""] {
        let named = Drill {
            name: name.to_owned(),
            ..drill(&world, "orders")
        };
        let error = start(&world, &[], named).await.expect_err("refused");
        assert_eq!(error.name(), "BadInput", "{name}");
    }
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn what_cannot_be_drilled_ends_with_a_reason_and_makes_nothing() {
    let small = DatabaseQuota {
        instances: 5,
        ..DatabaseQuota::default()
    };
    let no_room = world(|region| region.instance(Database::new("other")).database_quota(small));
    let plain = world(|region| region);
    let gone = world(|region| region);
    let found = drill(&gone, "orders");
    gone.expire(&found.copy.arn);
    for (world, variables, drill, said) in [
        (&no_room, &[][..], drill(&no_room, "orders"), "1 of 5 DB instances"),
        (
            &plain,
            &[("DRILL_CLASS", "db.x9.huge")][..],
            drill(&plain, "orders"),
            "(DrillClass) is not on offer",
        ),
        (
            &plain,
            &[("DRILL_SUBNET_GROUP", "")][..],
            drill(&plain, "orders"),
            "no network for drills",
        ),
        (&gone, &[][..], found, "is gone"),
    ] {
        let all: Vec<(&str, &str)> = variables.iter().copied().chain(NETWORK).collect();
        let watch = watch_with(world, "StartRestore", &all);
        let verdict = handle(&watch, drill, world.now())
            .await
            .expect("an answer")
            .verdict
            .expect("a verdict");
        assert_eq!(verdict.outcome, DrillOutcome::NotRun, "{said}");
        assert!(verdict.reason.contains(said), "{said}: {}", verdict.reason);
        assert!(made(world).is_empty(), "{said}");
    }
}

#[tokio::test]
async fn a_copy_without_room_for_a_tag_is_drilled_all_the_same() {
    let full = copy("orders");
    let world = world_with(
        |source| source,
        |region| {
            let seed = (0..40).fold(full.seed(), |seed, number| seed.tag(&format!("team-{number}"), "x"));
            region.subnet_group(SubnetGroup::new("drills")).snapshot(seed)
        },
    );
    let begun = start(&world, &[], drill(&world, "orders")).await.expect("begun");
    assert!(begun.restore.is_some(), "{begun:?}");
}
