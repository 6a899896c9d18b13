//! The five functions together, against the simulated account.

mod chain;

use std::collections::BTreeSet;
use std::time::Duration;

use domain::payload::{Problem, StartAnswer};
use fixtures::{DESTINATION, SOURCE, copies, settings, settings_with, world, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, Fleet, Scenario, Snapshot};
use rds_simulator_sdk::simulator::Kind;
use serde_json::{Value, json};

fn encrypted(id: &str) -> Database {
    Database::new(id)
        .encrypted_with("alias/aws/rds")
        .snapshots_aged([3.0])
        .copies_take(1800.0)
}

fn outcomes(results: &[Result<Value, Problem>]) -> Vec<String> {
    let name = |result: &Result<Value, Problem>| match result {
        Ok(record) => record["outcome"].as_str().expect("an outcome").to_owned(),
        Err(problem) => problem.error.clone(),
    };
    results.iter().map(name).collect()
}

/// A new day: every database gets another automated snapshot.
fn next_day(world: &World, databases: &[(Kind, &str)]) {
    world.advance(Duration::from_hours(24));
    world.add(&Scenario::new().region(SOURCE, |region| {
        databases.iter().fold(region, |region, (kind, id)| {
            region.snapshot(Snapshot::automated(0.5).taken_of(*kind, id))
        })
    }));
}

#[tokio::test]
async fn a_fleet_is_copied_verified_and_a_second_run_copies_nothing() {
    let world = world(|region| {
        region
            .instance(encrypted("orders"))
            .instance(Database {
                encrypted: Some(false),
                ..Database::new("plain").snapshots_aged([2.0])
            })
            .instance(Database::new("fresh"))
            .cluster(encrypted("billing"))
            .cluster(Database {
                encrypted: Some(false),
                ..Database::new("open").snapshots_aged([2.0])
            })
            .cluster(Database::new("ledger").engine("postgres").snapshots_aged([2.0]))
    });
    let first = chain::run(&world, &settings(), json!({})).await.expect("a run");
    let mut names = outcomes(&first);
    names.sort();
    assert_eq!(
        names,
        ["copied", "copied", "copied", "copied", "nothing", "unsupported"]
    );
    assert_eq!(copies(&world, "snap-").len(), 4);
    assert!(
        copies(&world, "snap-")
            .iter()
            .all(|copy| copy.tags.contains_key("snapferry:verified"))
    );

    let asked = world.calls("CopyDBSnapshot") + world.calls("CopyDBClusterSnapshot");
    let second = chain::run(&world, &settings(), json!({})).await.expect("a run");
    let mut names = outcomes(&second);
    names.sort();
    assert_eq!(
        names,
        ["current", "current", "current", "current", "nothing", "unsupported"]
    );
    assert_eq!(
        world.calls("CopyDBSnapshot") + world.calls("CopyDBClusterSnapshot"),
        asked
    );
}

#[tokio::test]
async fn day_after_day_three_copies_of_each_database_are_kept() {
    let world = world(|region| region.instance(encrypted("orders")).cluster(encrypted("billing")));
    for day in 1..=6 {
        chain::run(&world, &settings(), json!({})).await.expect("a run");
        assert_eq!(copies(&world, "snap-orders").len(), day.min(3), "day {day}");
        assert_eq!(copies(&world, "snap-billing").len(), day.min(3), "day {day}");
        next_day(&world, &[(Kind::Instance, "orders"), (Kind::Cluster, "billing")]);
    }
}

#[tokio::test]
async fn a_failing_copy_is_tried_once_a_run_and_three_times_in_all() {
    let world = world(|region| region.instance(encrypted("orders").copies_fail(60, 9)));
    for (run, name) in [
        (1, "CopyFailed"),
        (2, "CopyFailed"),
        (3, "CopyFailed"),
        (4, "AttemptsUsedUp"),
    ] {
        let results = chain::run(&world, &settings(), json!({})).await.expect("a run");
        assert_eq!(outcomes(&results), [name], "run {run}");
        assert_eq!(world.calls("CopyDBSnapshot"), run.min(3), "run {run}");
    }
}

#[tokio::test]
async fn once_a_good_copy_exists_the_failed_ones_are_pruned() {
    let world = world(|region| region.instance(encrypted("orders").copies_fail(60, 2)));
    for _ in 0..2 {
        chain::run(&world, &settings(), json!({})).await.expect("a run");
    }
    assert_eq!(copies(&world, "snap-").len(), 2);
    let third = chain::run(&world, &settings(), json!({})).await.expect("a run");
    assert_eq!(outcomes(&third), ["copied"]);
    let left = copies(&world, "snap-");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].status, "available");
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_says_what_it_would_do() {
    let world = world(|region| region.instance(encrypted("orders")));
    let results = chain::run(&world, &settings(), json!({"dryRun": true}))
        .await
        .expect("a run");
    assert_eq!(outcomes(&results), ["planned"]);
    let record = results[0].as_ref().expect("a record");
    assert_eq!(record["pruned"]["dryRun"], true);
    assert!(record["reason"].as_str().expect("a reason").contains("has no copy yet"));
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn an_interrupted_run_is_finished_by_the_next_one() {
    let world = world(|region| region.instance(encrypted("orders")));
    let deployment = fixtures::deployment(&world);
    let target = fixtures::target(&world, domain::kind::DatabaseKind::Instance, "orders");
    let found = find_latest_snapshot::handle(&deployment, target, world.now())
        .await
        .expect("found");
    start_copy::handle(&deployment, found, world.now())
        .await
        .expect("started");
    // Nobody looks any more: the copy completes unverified.
    world.finish_copies();
    assert!(!copies(&world, "snap-")[0].tags.contains_key("snapferry:verified"));
    let next = chain::run(&world, &settings(), json!({})).await.expect("a run");
    assert_eq!(outcomes(&next), ["copied"]);
    assert_eq!(world.calls("CopyDBSnapshot"), 1);
    assert!(copies(&world, "snap-")[0].tags.contains_key("snapferry:verified"));
}

#[tokio::test]
async fn two_stacks_that_copy_in_opposite_directions_do_not_feed_each_other() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/33333333-3333-4333-8333-333333333333";
    let world = world_with(
        |region| {
            region
                .key(key, "alias/back")
                .instance(encrypted("orders"))
                .cluster(encrypted("billing"))
        },
        |region| region.instance(encrypted("orders")).cluster(encrypted("people")),
    );
    let there = settings_with(&[("OWNER_ID", "there"), ("INCLUDE_MANUAL_SNAPSHOTS", "true")]);
    let back = settings_with(&[
        ("OWNER_ID", "back"),
        ("AWS_REGION", DESTINATION),
        ("DESTINATION_REGION", SOURCE),
        ("DESTINATION_KMS_KEY_ARN", key),
        ("INCLUDE_MANUAL_SNAPSHOTS", "true"),
    ]);
    for round in 0..3 {
        for stack in [&there, &back] {
            let results = chain::run(&world, stack, json!({})).await.expect("a run");
            let expected = if round == 0 { "copied" } else { "current" };
            assert_eq!(
                outcomes(&results),
                [expected, expected],
                "round {round} of {}",
                stack.owner_id
            );
        }
    }
    let begun = |region: &str| -> BTreeSet<String> {
        let state = world.state();
        let manual = state
            .snapshots(region)
            .iter()
            .filter(|snapshot| snapshot.snapshot_type == "manual");
        manual
            .map(|snapshot| snapshot.id.split('-').take(2).collect::<Vec<_>>().join("-"))
            .collect()
    };
    assert_eq!(
        begun(DESTINATION),
        ["there-billing", "there-orders"].map(str::to_owned).into()
    );
    assert_eq!(begun(SOURCE), ["back-orders", "back-people"].map(str::to_owned).into());
}

#[tokio::test]
async fn sixty_databases_share_the_slots_and_none_is_copied_twice() {
    let world = World::new(&Fleet::new(SOURCE, DESTINATION, 60, 0).scenario());
    let state = world.state();
    let key = &state.regions[DESTINATION]
        .kms_keys
        .iter()
        .find(|key| key.aliases != ["alias/aws/rds"])
        .expect("a key")
        .arn;
    let settings = settings_with(&[("DESTINATION_KMS_KEY_ARN", key)]);
    let deployment = fixtures::deployment_with(&world, "tests", settings.clone());
    let input = runtime::input::parse(json!({"request": {}, "run": {"execution": "a-run", "arn": "arn:a-run"}}))
        .expect("an input");
    let keys = list_targets::Keys::new(world.kms_client(DESTINATION, "tests"));
    let plan = list_targets::handle(&deployment, &keys, input, world.now())
        .await
        .expect("a plan");
    assert_eq!(plan.instances.len(), 60);

    // Two runs at once: each asks for every database, in lock-step, until all are started.
    let mut waiting: Vec<_> = plan.instances.iter().chain(&plan.instances).cloned().collect();
    let mut refused = 0;
    for _ in 0..200 {
        let mut still = Vec::new();
        for target in waiting {
            let found = find_latest_snapshot::handle(&deployment, target.clone(), world.now())
                .await
                .expect("found");
            if found.decision != domain::payload::Decision::Copy {
                continue;
            }
            match start_copy::handle(&deployment, found, world.now()).await {
                Ok(StartAnswer::Started(_)) => {}
                Ok(StartAnswer::Waiting(_)) => {
                    refused += 1;
                    still.push(target);
                }
                Err(error) => panic!("{error}"),
            }
        }
        waiting = still;
        if waiting.is_empty() {
            break;
        }
        world.advance(Duration::from_mins(5));
    }
    assert!(
        waiting.is_empty() && refused > 0,
        "{refused} refused, {} still waiting",
        waiting.len()
    );
    world.finish_copies();
    let counted = &world.counters().copies[DESTINATION].instances;
    assert_eq!((counted.started, counted.completed), (60, 60));
    assert_eq!(counted.peak_in_flight, 20);
    let sources: BTreeSet<_> = copies(&world, "snap-")
        .into_iter()
        .filter_map(|copy| copy.source_arn)
        .collect();
    assert_eq!(sources.len(), 60);
}
