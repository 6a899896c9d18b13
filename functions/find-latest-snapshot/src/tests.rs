use domain::kind::DatabaseKind;
use domain::tags;
use fixtures::{DESTINATION, deployment, deployment_with, metered, settings_with, target, world};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, Region, Scenario, Snapshot as Seeded};
use rds_simulator_sdk::simulator::Kind;

use super::*;

fn orders(hours: f64) -> Database {
    Database::new("orders")
        .encrypted_with("alias/aws/rds")
        .snapshots_aged([hours, hours + 24.0])
}

async fn find(world: &World) -> Result<Found, Error> {
    find_with(&deployment(world), world).await
}

async fn find_with(deployment: &Deployment, world: &World) -> Result<Found, Error> {
    find_for(deployment, target(world, DatabaseKind::Instance, "orders"), world.now()).await
}

/// A copy of the newest snapshot as this stack would have made it.
fn own_copy(found: &Found, attempt: u32, status: &str, verified: Option<&str>) -> Seeded {
    let source = found.source.as_ref().expect("a source");
    let copy = fixtures::copy_of("orders", &found.target.resource_id)
        .source(&source.arn)
        .created(source.created_at)
        .key(fixtures::KEY)
        .attempt(attempt);
    let copy = match verified {
        Some(mark) => copy.marked(mark),
        None => copy,
    };
    copy.seed().status(status)
}

fn seed(world: &World, copies: impl IntoIterator<Item = Seeded>) {
    let scenario = Scenario::new().region(DESTINATION, |region| copies.into_iter().fold(region, Region::snapshot));
    world.add(&scenario);
}

#[tokio::test]
async fn a_snapshot_without_a_copy_is_to_be_copied() {
    let world = world(|region| region.instance(orders(3.0)));
    let found = find(&world).await.expect("found");
    assert_eq!(
        (found.decision, found.outcome, found.attempt),
        (Decision::Copy, Outcome::Pending, 0)
    );
    let source = found.source.expect("a source");
    assert!(source.id.starts_with("rds:orders-"));
    assert!(source.encryption == Encryption::Kms && source.kms_key_arn.is_some());
    assert_eq!(world.now().duration_since(source.created_at).as_hours(), 3);
}

#[tokio::test]
async fn the_decision_follows_from_how_far_our_copy_is() {
    for (status, verified, decision) in [
        ("copying", None, Decision::UnderWay),
        ("creating", None, Decision::UnderWay),
        ("available", None, Decision::Join),
        ("available", Some("2026-11-22T10:00:00Z"), Decision::Current),
        ("available", Some("mismatch"), Decision::Copy),
        ("failed", None, Decision::Copy),
    ] {
        let world = world(|region| region.instance(orders(3.0)));
        let first = find(&world).await.expect("found");
        seed(&world, [own_copy(&first, 0, status, verified)]);
        let found = find(&world).await.expect("found");
        assert_eq!(found.decision, decision, "{status} {verified:?}");
        assert_eq!(found.copy.is_some(), decision != Decision::Copy);
        assert_eq!(
            found.attempt,
            u32::from(decision == Decision::Copy),
            "{status} {verified:?}"
        );
        assert_eq!(found.wait.is_some(), decision == Decision::Join);
    }
}

#[tokio::test]
async fn after_three_failed_copies_a_snapshot_is_left_alone_until_there_is_a_newer_one() {
    let world = world(|region| region.instance(orders(3.0)));
    let first = find(&world).await.expect("found");
    seed(&world, (0..3).map(|attempt| own_copy(&first, attempt, "failed", None)));
    let error = find(&world).await.expect_err("used up");
    assert_eq!(error.name(), "AttemptsUsedUp");

    world.add(&Scenario::new().region(fixtures::SOURCE, |region| {
        region.snapshot(Seeded::automated(0.5).taken_of(Kind::Instance, "orders"))
    }));
    assert_eq!(find(&world).await.expect("found").decision, Decision::Copy);
}

#[tokio::test]
async fn a_snapshot_of_the_copys_name_that_is_not_ours_decides_nothing() {
    let world = world(|region| region.instance(orders(3.0)));
    let first = find(&world).await.expect("found");
    let foreign = own_copy(&first, 0, "available", Some("2026-11-22T10:00:00Z")).tag(tags::OWNER, "us-west-2/snap");
    seed(&world, [foreign]);
    assert_eq!(find(&world).await.expect("found").decision, Decision::Copy);
}

#[tokio::test]
async fn a_copy_under_another_key_is_not_the_one_that_is_asked_for() {
    let world = world(|region| region.instance(orders(3.0)));
    let first = find(&world).await.expect("found");
    seed(&world, [own_copy(&first, 0, "available", Some("2026-11-22T10:00:00Z"))]);
    let rotated = settings_with(&[("DESTINATION_KMS_KEY_ARN", fixtures::OTHER_KEY)]);
    let found = find_with(&deployment_with(&world, "tests", rotated), &world)
        .await
        .expect("found");
    assert_eq!(found.decision, Decision::Copy);
}

#[tokio::test]
async fn no_snapshot_yet_is_a_result() {
    let world = world(|region| region.instance(Database::new("orders")));
    let found = find(&world).await.expect("found");
    assert_eq!((found.decision, found.outcome), (Decision::Nothing, Outcome::Nothing));
    assert_eq!(found.reason, "instance orders has no automated snapshot yet");
}

#[tokio::test]
async fn a_multi_az_cluster_is_reported_as_unsupported() {
    let world = world(|region| region.cluster(Database::new("ledger").engine("postgres").snapshots_aged([2.0])));
    let target = target(&world, DatabaseKind::Cluster, "ledger");
    let found = find_for(&deployment(&world), target, world.now()).await.expect("found");
    assert_eq!(
        (found.decision, found.outcome),
        (Decision::Unsupported, Outcome::Unsupported)
    );
    assert!(found.reason.contains("Multi-AZ DB clusters"));
}

#[tokio::test]
async fn hand_made_snapshots_count_only_if_the_stack_says_so() {
    let world = world(|region| region.instance(orders(30.0).snapshot(Seeded::manual("before-upgrade", 1.0))));
    let found = find(&world).await.expect("found");
    assert!(found.source.expect("a source").id.starts_with("rds:orders-"));
    let with_manual = settings_with(&[("INCLUDE_MANUAL_SNAPSHOTS", "true")]);
    let found = find_with(&deployment_with(&world, "tests", with_manual), &world)
        .await
        .expect("found");
    assert_eq!(found.source.expect("a source").id, "before-upgrade");
}

#[tokio::test]
async fn a_dry_run_plans_and_so_does_a_stack_that_is_set_to_it() {
    let world = world(|region| region.instance(orders(3.0)));
    let by_hand = Target {
        dry_run: true,
        ..target(&world, DatabaseKind::Instance, "orders")
    };
    let found = find_for(&deployment(&world), by_hand, world.now())
        .await
        .expect("found");
    assert_eq!((found.decision, found.outcome), (Decision::Copy, Outcome::Planned));
    let dry = deployment_with(&world, "tests", settings_with(&[("DRY_RUN", "true")]));
    let found = find_with(&dry, &world).await.expect("found");
    assert!(found.target.dry_run);
}

#[tokio::test]
async fn the_rules_of_a_hand_made_input_are_read_strictly() {
    let world = world(|region| region.instance(orders(3.0)));
    let ask = |rules: &str| {
        let target = target(&world, DatabaseKind::Instance, "orders");
        let input = format!(
            r#"{{"kind":"instance","id":"orders","resourceId":"{}","Comment":"by hand","rules":{rules}}}"#,
            target.resource_id
        );
        let input = serde_json::from_str(&input).expect("JSON");
        let deployment = deployment(&world);
        let now = world.now();
        async move { handle(&deployment, input, now).await }
    };
    for (rules, begins, says) in [
        (r#"{"keep":1}"#, "rules.keep: unknown field", "expected one of"),
        (
            r#"{"keepCopies":"many"}"#,
            "rules.keepCopies: invalid type",
            "Correct the field",
        ),
    ] {
        let error = ask(rules).await.expect_err(rules);
        assert_eq!(error.name(), "BadInput");
        let text = error.to_string();
        assert!(text.starts_with(begins) && text.contains(says), "{rules}: {text}");
    }
    assert!(ask(r#"{"keepCopies":9,"destinationRegion":"eu-west-1"}"#).await.is_ok());
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn an_input_without_a_resource_id_says_how_to_start_instead() {
    let missing =
        runtime::input::parse::<Target>(serde_json::json!({"kind": "instance", "id": "orders"})).expect_err("missing");
    assert!(missing.to_string().contains("missing field `resourceId`"), "{missing}");
    let world = world(|region| region.instance(orders(3.0)));
    let empty = Target {
        resource_id: String::new(),
        ..target(&world, DatabaseKind::Instance, "orders")
    };
    let error = find_for(&deployment(&world), empty, world.now())
        .await
        .expect_err("empty");
    assert!(error.to_string().contains("start copy-fleet with {\"only\""), "{error}");
}

#[tokio::test]
async fn copies_made_before_a_database_was_renamed_are_found() {
    let renamed = || Some("db-RENAMED".to_owned());
    let world = world(|region| {
        let sales = Seeded {
            resource_id: renamed(),
            ..Seeded::automated(3.0).taken_of(Kind::Instance, "sales")
        };
        let orders = Database {
            resource_id: renamed(),
            ..Database::new("orders")
        };
        region.instance(orders).snapshot(sales.encrypted_with("alias/aws/rds"))
    });
    let first = find(&world).await.expect("found");
    assert_eq!(first.former_ids, ["sales"]);
    assert_eq!(first.decision, Decision::Copy);
    seed(&world, [own_copy(&first, 0, "available", Some("2026-11-22T10:00:00Z"))]);
    assert_eq!(find(&world).await.expect("found").decision, Decision::Current);
}

#[tokio::test]
async fn more_snapshots_than_one_answer_holds_are_all_looked_at() {
    let world = world(|region| {
        region.instance(Database::new("orders").snapshots_aged((0..230).map(|at| 400.0 - f64::from(at))))
    });
    let found = find(&world).await.expect("found");
    assert_eq!(
        world
            .now()
            .duration_since(found.source.expect("a source").created_at)
            .as_hours(),
        171
    );
}

#[tokio::test]
async fn one_database_among_hundreds_of_snapshots_costs_two_calls() {
    let world = world(|region| {
        (0..100).fold(region.instance(orders(3.0)), |region, at| {
            region.instance(Database::new(&format!("other-{at}")).snapshots_aged((0..8).map(f64::from)))
        })
    });
    find(&world).await.expect("found");
    assert_eq!(world.calls("DescribeDBSnapshots"), 2);
    assert_eq!(world.calls("ListTagsForResource"), 0);
}

#[tokio::test]
async fn a_snapshot_older_than_what_we_hold_is_not_copied() {
    let world = world(|region| region.instance(orders(3.0)));
    let first = find(&world).await.expect("found");
    let source = first.source.clone().expect("a source");
    seed(&world, [own_copy(&first, 0, "available", Some("2026-11-22T10:00:00Z"))]);
    world.expire(&source.arn);
    let found = find(&world).await.expect("found");
    assert_eq!((found.decision, found.outcome), (Decision::Current, Outcome::Current));
    assert_ne!(found.source.expect("the older one").id, source.id);
    assert!(
        found.reason.contains("is older than the verified copy"),
        "{}",
        found.reason
    );

    // Nor when the key has been changed since: retention counts that copy all the same.
    let rotated = settings_with(&[("DESTINATION_KMS_KEY_ARN", fixtures::OTHER_KEY)]);
    let found = find_with(&deployment_with(&world, "tests", rotated), &world).await;
    assert_eq!(found.expect("found").decision, Decision::Current);

    // A copy that does not count does not stand in the way.
    let world = fixtures::world(|region| region.instance(orders(3.0)));
    seed(&world, [own_copy(&first, 0, "available", Some("mismatch"))]);
    world.expire(&source.arn);
    assert_eq!(find(&world).await.expect("found").decision, Decision::Copy);
}

#[tokio::test]
async fn what_needs_no_key_is_decided_without_knowing_the_key_of_the_alias() {
    let world = world(|region| region.cluster(Database::new("plain").snapshots_aged([3.0])));
    let alias = format!("arn:aws:kms:{DESTINATION}:123456789012:alias/copies");
    let deployment = deployment_with(&world, "tests", settings_with(&[("DESTINATION_KMS_KEY_ARN", &alias)]));
    let target = target(&world, DatabaseKind::Cluster, "plain");
    let found = find_for(&deployment, target, world.now()).await.expect("found");
    assert_eq!(found.decision, Decision::Copy);
    assert_eq!(found.warnings.len(), 1);
}

#[tokio::test]
async fn what_needs_no_copy_is_measured_as_skipped() {
    let world = world(|region| region.instance(orders(3.0)));
    let (deployment, measured) = metered(deployment(&world));
    let found = find_with(&deployment, &world).await.expect("found");
    assert_eq!(found.decision, Decision::Copy);
    assert!(measured.values(Metric::COPIES_SKIPPED).is_empty());

    seed(&world, [own_copy(&found, 0, "available", Some("2026-11-22T10:00:00Z"))]);
    let found = find_with(&deployment, &world).await.expect("found");
    assert_eq!(found.decision, Decision::Current);
    let [line] = &measured.lines(Metric::COPIES_SKIPPED)[..] else {
        panic!("one line")
    };
    assert_eq!(line["Database"], "orders");
    assert_eq!(line["Reason"], found.reason.as_str());
}
