//! What a database's own tags, its key, its option group and its end mean for its copies, over whole runs.

mod chain;

use std::time::Duration;

use domain::payload::{Decision, Found, StartAnswer, Target};
use domain::settings::Settings;
use fixtures::{
    DESTINATION, KEY, OTHER_KEY, SOURCE, copies, deployment_with, settings, settings_with, world, world_with,
};
use rds::SnapshotQuery;
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, OptionGroup, Region, Scenario, Snapshot};
use rds_simulator_sdk::simulator::Kind;
use serde_json::{Value, json};

fn encrypted(id: &str) -> Database {
    Database::new(id)
        .encrypted_with("alias/aws/rds")
        .snapshots_aged([3.0])
        .copies_take(600.0)
}

/// A run on each of this many days, each with a new snapshot of each of these instances.
async fn daily(world: &World, settings: &Settings, days: u32, instances: &[&str]) {
    for _ in 0..days {
        for result in chain::run(world, settings, json!({})).await.expect("a run") {
            result.expect("copied");
        }
        next_day(world, instances);
    }
}

fn next_day(world: &World, instances: &[&str]) {
    world.advance(Duration::from_hours(24));
    world.add(&Scenario::new().region(SOURCE, |region| {
        instances.iter().fold(region, |region, id| {
            region.snapshot(Snapshot::automated(0.5).taken_of(Kind::Instance, id))
        })
    }));
}

#[tokio::test]
async fn a_database_keeps_more_if_its_tags_ask_for_it_and_other_databases_do_not() {
    let world = world(|region| {
        region
            .instance(encrypted("ledger").tag("snapferry:keep", "5"))
            .instance(encrypted("orders"))
    });
    daily(&world, &settings(), 8, &["ledger", "orders"]).await;
    assert_eq!(copies(&world, "snap-ledger").len(), 5);
    assert_eq!(copies(&world, "snap-orders").len(), 3);
}

#[tokio::test]
async fn a_prune_that_is_started_by_hand_keeps_what_the_databases_tags_asked_for() {
    let world = world(|region| region.instance(encrypted("ledger").tag("snapferry:keep", "5")));
    daily(&world, &settings(), 5, &["ledger"]).await;
    let by_hand = fixtures::target(&world, domain::kind::DatabaseKind::Instance, "ledger");
    chain::copy_snapshot(&world, &settings(), by_hand)
        .await
        .expect("copied");
    assert_eq!(copies(&world, "snap-ledger").len(), 5, "the copies themselves know it");
}

#[tokio::test]
async fn while_a_tag_cannot_be_read_nothing_of_that_database_is_deleted() {
    let world = world(|region| {
        region
            .instance(encrypted("ledger").tag("snapferry:keep-days", "a year"))
            .instance(encrypted("orders"))
    });
    daily(&world, &settings(), 6, &["ledger", "orders"]).await;
    assert_eq!(copies(&world, "snap-ledger").len(), 6);
    assert_eq!(copies(&world, "snap-orders").len(), 3);
}

#[tokio::test]
async fn copies_of_a_database_that_is_gone_stay_unless_the_stack_says_otherwise_and_the_newest_always() {
    let world = world(|region| region.instance(encrypted("dropped")).instance(encrypted("orders")));
    let keeping = settings_with(&[("KEEP_COPIES", "1"), ("KEEP_DAYS", "4")]);
    daily(&world, &keeping, 3, &["dropped", "orders"]).await;
    world.drop_database(SOURCE, "dropped");

    world.advance(Duration::from_hours(60 * 24));
    let run = chain::run(&world, &keeping, json!({})).await.expect("a run");
    assert_eq!(run.len(), 1, "orders only");
    assert_eq!(copies(&world, "snap-dropped").len(), 3);

    let pruning = settings_with(&[("KEEP_COPIES", "1"), ("RETIRED_KEEP_DAYS", "90")]);
    let run = chain::run(&world, &pruning, json!({})).await.expect("a run");
    let outcomes: Vec<&Value> = run
        .iter()
        .map(|result| &result.as_ref().expect("no failure")["outcome"])
        .collect();
    assert!(outcomes.contains(&&json!("retired")), "{outcomes:?}");
    assert_eq!(copies(&world, "snap-dropped").len(), 3, "younger than 90 days");

    world.advance(Duration::from_hours(3650 * 24));
    chain::run(&world, &pruning, json!({})).await.expect("a run");
    let left = copies(&world, "snap-dropped");
    assert_eq!(left.len(), 1);
    assert!(
        left[0].tags["snapferry:source-created"].starts_with("2026-11-24"),
        "the newest"
    );
}

#[tokio::test]
async fn what_a_database_asked_to_be_kept_holds_when_it_is_gone() {
    let world = world(|region| region.instance(encrypted("ledger").tag("snapferry:keep-days", "3650")));
    daily(&world, &settings(), 4, &["ledger"]).await;
    world.drop_database(SOURCE, "ledger");
    world.advance(Duration::from_hours(365 * 24));
    let pruning = settings_with(&[("KEEP_COPIES", "1"), ("RETIRED_KEEP_DAYS", "1")]);
    chain::run(&world, &pruning, json!({})).await.expect("a run");
    assert_eq!(copies(&world, "snap-ledger").len(), 4);
}

#[tokio::test]
async fn no_tag_of_a_source_forges_ownership_verification_or_a_shorter_retention() {
    let forged = [
        ("snapferry:owner", "us-east-1/evil"),
        ("snapferry:verified", "2030-01-01T00:00:00Z"),
        ("snapferry:keep", "1"),
        ("snapferry:source-created", "2001-01-01T00:00:00Z"),
        ("snapferry:source-resource-id", "db-SOMEBODY-ELSES"),
    ];
    let with = |database: Database| {
        forged
            .iter()
            .fold(database, |database, (key, value)| database.tag(key, value))
    };
    let snapshot = |age| {
        forged.iter().fold(Snapshot::automated(age), |snapshot, (key, value)| {
            snapshot.tag(key, value)
        })
    };
    let world = world(|region| {
        let orders = Database::new("orders")
            .encrypted_with("alias/aws/rds")
            .copies_take(600.0);
        region.instance(
            with(orders).snapshot(Snapshot {
                // Its owner tag would make it a copy, which is never copied.
                tags: snapshot(3.0)
                    .tags
                    .into_iter()
                    .filter(|(key, _)| key != "snapferry:owner")
                    .collect(),
                ..snapshot(3.0)
            }),
        )
    });
    for day in 1..=5_usize {
        let run = chain::run(&world, &settings(), json!({})).await.expect("a run");
        assert_eq!(run[0].as_ref().expect("copied")["outcome"], "copied");
        assert_eq!(
            copies(&world, "snap-orders").len(),
            day.min(3),
            "keep=1 keeps no fewer than the stack"
        );
        next_day(&world, &["orders"]);
    }
    for copy in copies(&world, "snap-orders") {
        assert_eq!(copy.tags["snapferry:owner"], "us-east-1/snap");
        assert!(
            copy.tags["snapferry:source-resource-id"].starts_with("db-")
                && !copy.tags["snapferry:source-resource-id"].contains("SOMEBODY")
        );
        assert!(
            copy.tags["snapferry:verified"].starts_with("2026-"),
            "by check-copy-status, not by the source"
        );
        assert!(copy.tags["snapferry:source-created"].starts_with("2026-"));
    }
}

#[tokio::test]
async fn a_database_whose_name_begins_anothers_keeps_its_own_copies() {
    let world = world(|region| {
        region
            .instance(encrypted("db"))
            .instance(encrypted("db-2"))
            .cluster(encrypted("db-3"))
    });
    daily(&world, &settings_with(&[("KEEP_COPIES", "2")]), 4, &["db", "db-2"]).await;
    let of = |id: &str| {
        let all = copies(&world, "snap-db");
        all.into_iter()
            .filter(|copy| copy.tags["snapferry:source-id"] == id)
            .count()
    };
    assert_eq!((of("db"), of("db-2"), of("db-3")), (2, 2, 1));
}

#[tokio::test]
async fn the_plan_of_a_dry_run_is_what_the_run_then_does() {
    let world = world(|region| region.instance(encrypted("orders")));
    daily(&world, &settings(), 3, &["orders"]).await;
    let ids = |list: &Value| -> Vec<String> {
        let decisions = list.as_array().expect("decisions").iter();
        decisions
            .map(|decision| decision["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let record = |run: Vec<Result<Value, domain::payload::Problem>>| {
        run.into_iter().next().expect("a target").expect("a record")
    };
    let plan = record(
        chain::run(&world, &settings(), json!({"dryRun": true}))
            .await
            .expect("a plan"),
    );
    assert_eq!(plan["outcome"], "planned");
    assert_eq!(copies(&world, "snap-orders").len(), 3);
    let planned = ids(&plan["pruned"]["deleted"]);
    assert_eq!(planned.len(), 1);
    assert!(
        ids(&plan["pruned"]["kept"])
            .iter()
            .any(|id| id.starts_with("the copy of rds:orders-"))
    );

    let done = record(chain::run(&world, &settings(), json!({})).await.expect("a run"));
    assert_eq!(ids(&done["pruned"]["deleted"]), planned);
    assert!(
        plan["pruned"]["kept"]
            .as_array()
            .expect("kept")
            .iter()
            .all(|kept| kept["reason"] != ""),
        "every decision names its rule"
    );
}

async fn decide(world: &World, settings: &Settings, target: Target) -> Found {
    let deployment = deployment_with(world, "tests", settings.clone());
    let found = find_latest_snapshot::find_for(&deployment, target, world.now())
        .await
        .expect("found");
    assert_eq!(found.decision, Decision::Copy);
    found
}

/// The targets of a run, as list-targets gives them, and one more thing that it found.
async fn targets(world: &World, settings: &Settings) -> Vec<Target> {
    let deployment = deployment_with(world, "tests", settings.clone());
    let keys = list_targets::Keys::new(world.kms_client(DESTINATION, "tests"));
    let input = runtime::input::parse(json!({"request": {}, "run": {"execution": "a-run", "arn": "arn:a-run"}}))
        .expect("an input");
    let plan = list_targets::handle(&deployment, &keys, input, world.now())
        .await
        .expect("a plan");
    let with_rules = |target| Target {
        rules: Some(plan.rules.clone()),
        ..target
    };
    plan.instances.into_iter().map(with_rules).collect()
}

#[tokio::test]
async fn a_key_or_an_option_group_that_goes_in_the_middle_of_a_run_fails_that_database_alone() {
    let timezone = |name: &str| OptionGroup::new(name, "oracle-ee").version("19").permanent("Timezone");
    let source = |region: Region| {
        region
            .option_group(timezone("oracle-tz"))
            .instance(encrypted("finance").engine("oracle-ee").option_group("oracle-tz"))
            .instance(encrypted("orders"))
            .instance(encrypted("payroll").tag("snapferry:kms-key", OTHER_KEY))
    };
    let world = world_with(source, |region| region.option_group(timezone("copies-tz")));
    let settings = settings_with(&[
        ("ALLOWED_KMS_KEY_ARNS", OTHER_KEY),
        ("OPTION_GROUPS", "oracle-tz=copies-tz"),
    ]);
    let deployment = deployment_with(&world, "tests", settings.clone());

    let targets = targets(&world, &settings).await;
    assert!(targets.iter().all(|target| target.problem.is_none()));
    world.disable_key(DESTINATION, OTHER_KEY);
    world.delete_option_group(DESTINATION, "copies-tz");
    let mut ends = Vec::new();
    for target in targets {
        let id = target.id.clone();
        let found = decide(&world, &settings, target).await;
        let end = start_copy::handle(&deployment, found, world.now()).await;
        ends.push((
            id,
            end.map_or_else(|error| error.name().to_owned(), |_| "started".to_owned()),
        ));
    }
    ends.sort();
    let expected = [
        ("finance", "OptionGroupMissing"),
        ("orders", "started"),
        ("payroll", "KeyNotUsable"),
    ];
    assert_eq!(ends, expected.map(|(id, end)| (id.to_owned(), end.to_owned())));
}

#[tokio::test]
async fn a_tag_that_goes_in_the_middle_of_a_copy_fails_that_database_alone_and_nothing_is_deleted() {
    for tag in [
        "snapferry:owner",
        "snapferry:source-arn",
        "snapferry:copy-kms-key",
        "snapferry:requested",
    ] {
        let world = world(|region| region.instance(encrypted("ledger")).instance(encrypted("orders")));
        let deployment = deployment_with(&world, "tests", settings());
        let mut started = Vec::new();
        for target in targets(&world, &settings()).await {
            let found = decide(&world, &settings(), target).await;
            let answer = start_copy::handle(&deployment, found, world.now()).await;
            let StartAnswer::Started(copy) = answer.expect("started") else {
                panic!("the queue is empty");
            };
            started.push(*copy);
        }
        let of_ledger = started
            .iter()
            .find(|copy| copy.target.id == "ledger")
            .expect("ledger's");
        let client = world.client(DESTINATION, "somebody");
        let untag = client
            .remove_tags_from_resource()
            .resource_name(&of_ledger.copy.arn)
            .tag_keys(tag);
        untag.send().await.expect("untagged");
        world.finish_copies();
        for copy in started {
            let id = copy.target.id.clone();
            let end = check_copy_status::handle(&deployment, copy, world.now()).await;
            match id.as_str() {
                "ledger" => assert_eq!(end.expect_err("not ours any more").name(), "NameTaken", "{tag}"),
                _ => assert_eq!(
                    end.expect("verified").status.state,
                    domain::payload::CopyState::Verified
                ),
            }
        }
        let there = SnapshotQuery::ManualOfNames(&["ledger".to_owned()]);
        let kept = deployment
            .destination
            .snapshots(domain::kind::DatabaseKind::Instance, there)
            .await
            .expect("snapshots");
        assert_eq!(kept.len(), 1, "without {tag} it is nobody's to delete");
    }
}

#[tokio::test]
async fn a_tag_picks_a_key_for_its_database_and_the_copy_is_compared_with_it() {
    let world = world(|region| {
        region
            .instance(encrypted("orders"))
            .instance(encrypted("payroll").tag("snapferry:kms-key", "alias/other"))
    });
    let settings = settings_with(&[("ALLOWED_KMS_KEY_ARNS", OTHER_KEY)]);
    for result in chain::run(&world, &settings, json!({})).await.expect("a run") {
        let record = result.expect("copied");
        let key = if record["target"]["id"] == "payroll" {
            OTHER_KEY
        } else {
            KEY
        };
        assert_eq!(record["copy"]["kmsKeyArn"], key);
        assert!(
            record["verification"]["agree"]
                .as_array()
                .expect("fields")
                .contains(&json!("key"))
        );
    }
}
