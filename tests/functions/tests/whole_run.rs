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

/// M11, rule 2 of the design: a stack that is deployed again under a new name owns what it made before. It copies nothing
/// again, leaves what the other name made alone for three days, and prunes it then.
#[tokio::test]
async fn a_stack_that_is_deployed_under_a_new_name_orphans_nothing_and_copies_nothing_again() {
    let world = world(|region| region.instance(encrypted("orders")).cluster(encrypted("billing")));
    let both = [(Kind::Instance, "orders"), (Kind::Cluster, "billing")];
    let first = settings_with(&[("STACK_NAME", "of-the-past")]);
    for _ in 0..4 {
        chain::run(&world, &first, json!({})).await.expect("a run");
        next_day(&world, &both);
    }
    let by_first: BTreeSet<String> = copies(&world, "snap-").into_iter().map(|copy| copy.id).collect();
    assert_eq!(by_first.len(), 6);
    // As of the fourth day: the first stack has copied it.
    chain::run(&world, &first, json!({})).await.expect("a run");
    let asked = world.calls("CopyDBSnapshot") + world.calls("CopyDBClusterSnapshot");
    let by_first: BTreeSet<String> = copies(&world, "snap-").into_iter().map(|copy| copy.id).collect();

    let again = settings_with(&[("STACK_NAME", "again")]);
    let results = chain::run(&world, &again, json!({})).await.expect("a run");
    assert_eq!(outcomes(&results), ["current", "current"]);
    assert_eq!(
        world.calls("CopyDBSnapshot") + world.calls("CopyDBClusterSnapshot"),
        asked
    );
    for day in 1..=8 {
        next_day(&world, &both);
        chain::run(&world, &again, json!({})).await.expect("a run");
        let there: BTreeSet<String> = copies(&world, "snap-").into_iter().map(|copy| copy.id).collect();
        if day < 3 {
            assert!(by_first.is_subset(&there), "day {day}");
        }
    }
    let left = copies(&world, "snap-");
    assert_eq!(left.len(), 6, "three of each database");
    assert!(left.iter().all(|copy| copy.tags["snapferry:stack"] == "again"));
}

/// H1 (`a23`), D1, kind 4: what is written when a copy is verified has had its place from the start, however many tags its
/// snapshot and its database have.
#[tokio::test]
async fn a_snapshot_with_as_many_tags_as_rds_allows_is_copied_verified_and_pruned() {
    let keep = ["", "-days", "-daily", "-weekly", "-monthly", "-yearly"];
    for count in [36, 37, 44, 50] {
        for wishes in [&keep[..0], &keep[..]] {
            let tagged = |at: usize| (format!("team-{at}"), "x".to_owned());
            let mut database = encrypted("orders").snapshots_aged([]);
            database.tags = wishes
                .iter()
                .map(|suffix| (format!("snapferry:keep{suffix}"), "1".to_owned()))
                .chain((0..44).map(|at| tagged(100 + at)))
                .collect();
            let world = world(|region| region.instance(database));
            for _ in 0..5 {
                world.add(&Scenario::new().region(SOURCE, |region| {
                    let mut snapshot = Snapshot::automated(0.5).taken_of(Kind::Instance, "orders");
                    snapshot.tags = (0..count).map(tagged).collect();
                    region.snapshot(snapshot)
                }));
                let results = chain::run(&world, &settings(), json!({})).await.expect("a run");
                assert_eq!(outcomes(&results), ["copied"], "{count} tags, {} wishes", wishes.len());
                world.advance(Duration::from_hours(24));
            }
            let left = copies(&world, "snap-");
            assert_eq!(left.len(), 3, "{count} tags");
            for copy in left {
                assert!(copy.tags.contains_key("snapferry:verified"));
                let reserved = domain::tags::RESERVED
                    .iter()
                    .filter(|key| !copy.tags.contains_key(**key));
                assert!(
                    copy.tags.len() + reserved.count() <= domain::tags::MAX_TAGS,
                    "{count} tags"
                );
            }
        }
    }
}

/// M2 (`a12`): copies of 30 hours, a snapshot a day, and RDS copies those of one instance one after another. Nobody waits
/// for them longer than the minute of the daily run.
#[tokio::test]
async fn in_a_month_of_copies_that_take_longer_than_a_day_every_completed_copy_is_verified() {
    let world = world(|region| region.instance(encrypted("orders").copies_take(30.0 * 3600.0)));
    let deployment = fixtures::deployment(&world);
    for _ in 0..30 {
        loop {
            let target = fixtures::target(&world, domain::kind::DatabaseKind::Instance, "orders");
            let found = find_latest_snapshot::find_for(&deployment, target, world.now())
                .await
                .expect("found");
            match found.decision {
                domain::payload::Decision::Verify => {
                    let found = runtime::input::parse(serde_json::to_value(found).expect("JSON")).expect("a payload");
                    check_copy_status::handle(&deployment, found, world.now())
                        .await
                        .expect("verified");
                }
                domain::payload::Decision::Copy => {
                    start_copy::handle(&deployment, found, world.now())
                        .await
                        .expect("started");
                    break;
                }
                _ => break,
            }
        }
        next_day(&world, &[(Kind::Instance, "orders")]);
    }
    let made = copies(&world, "snap-");
    let (complete, going): (Vec<_>, Vec<_>) = made.iter().partition(|copy| copy.status == "available");
    assert!(complete.len() >= 12, "{} completed", complete.len());
    assert!(going.len() <= 1, "one copy of a database at a time: {}", going.len());
    let unverified = complete
        .iter()
        .filter(|copy| !copy.tags.contains_key("snapferry:verified"))
        .count();
    // The one that was completed after the last run.
    assert!(unverified <= 1, "{unverified} of {} were forgotten", complete.len());
}

/// L1 (`a17`), D2: an ordinary `sam deploy` while a copy is in progress. What is configured now counts, and nothing fails.
#[tokio::test]
async fn a_change_of_parameters_in_mid_run_fails_nothing_that_is_in_progress() {
    for changed in [
        &[("KEEP_COPIES", "7")][..],
        &[("KEEP_COPIES", "1")],
        &[("DESTINATION_KMS_KEY_ARN", fixtures::OTHER_KEY)],
        &[
            ("SELECTION", "opt-in"),
            ("RETIRED_KEEP_DAYS", "30"),
            ("COPY_DEADLINE_HOURS", "1"),
        ],
    ] {
        let world = world(|region| region.instance(encrypted("orders")));
        for _ in 0..4 {
            chain::run(&world, &settings(), json!({})).await.expect("a run");
            next_day(&world, &[(Kind::Instance, "orders")]);
        }
        let before = fixtures::deployment(&world);
        let mut target = fixtures::target(&world, domain::kind::DatabaseKind::Instance, "orders");
        target.rules = serde_json::from_value(json!({
            "destinationRegion": DESTINATION, "kmsKeyArn": fixtures::KEY, "keepCopies": 3,
        }))
        .expect("rules");
        let found = find_latest_snapshot::find_for(&before, target, world.now())
            .await
            .expect("found");
        let answer = start_copy::handle(&before, found, world.now()).await;
        let StartAnswer::Started(started) = answer.expect("started") else {
            panic!("the queue is empty");
        };
        world.finish_copies();

        let after = fixtures::deployment_with(&world, "tests", settings_with(changed));
        let checked = check_copy_status::handle(&after, *started, world.now()).await;
        let checked = checked.unwrap_or_else(|error| panic!("{changed:?}: {error}"));
        let payload = serde_json::to_value(checked).expect("JSON");
        let pruned = prune_old::handle(&after, runtime::input::parse(payload).expect("a payload"), world.now()).await;
        let pruned = pruned.unwrap_or_else(|error| panic!("{changed:?}: {error}"));
        // Three were there, and a fourth has come.
        let expected = usize::from(changed[0] != ("KEEP_COPIES", "7"));
        let rules_of_the_run = 3;
        assert_eq!(pruned.pruned.deleted.len(), expected, "{changed:?}");
        assert!(copies(&world, "snap-").len() >= rules_of_the_run, "{changed:?}");
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
    let found = find_latest_snapshot::find_for(&deployment, target, world.now())
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
            let found = find_latest_snapshot::find_for(&deployment, target.clone(), world.now())
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
