use domain::kind::DatabaseKind;
use domain::tags;
use fixtures::{DESTINATION, copies, deployment, deployment_with, metered, settings_with, target, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, Snapshot};
use rds_simulator_sdk::simulator::{Action, Calls, Fault, Kind};
use serde_json::{Value, json};

use super::*;

/// A verified copy of the snapshot of this many days ago.
fn copy(days: u32) -> Snapshot {
    unverified(days, &format!("snap-orders-{days}"), "db-ORDERS")
        .tag(tags::VERIFIED, &format!("{{time:{}}}", days * 24))
}

/// A copy that was not verified, of a database with this resource id.
fn unverified(days: u32, id: &str, resource_id: &str) -> Snapshot {
    fixtures::copy_of("orders", resource_id)
        .named(id)
        .source(&format!(
            "arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-{{stamp:{}}}",
            days * 24
        ))
        .aged(days * 24)
        .seed()
}

fn world(there: impl IntoIterator<Item = Snapshot>) -> World {
    world_with(
        |region| {
            region.instance(Database {
                resource_id: Some("db-ORDERS".to_owned()),
                ..Database::new("orders")
            })
        },
        |region| {
            there
                .into_iter()
                .fold(region, rds_simulator_sdk::scenario::Region::snapshot)
        },
    )
}

fn payload(world: &World, more: &Value) -> Prunable {
    let mut payload = json!({"target": target(world, DatabaseKind::Instance, "orders")});
    let fields = more.as_object().expect("an object").clone();
    payload.as_object_mut().expect("an object").extend(fields);
    runtime::input::parse(payload).expect("a payload")
}

async fn prune(world: &World) -> Result<Pruned, Error> {
    handle(&deployment(world), payload(world, &json!({})), world.now()).await
}

fn left(world: &World) -> Vec<String> {
    let mut ids: Vec<String> = copies(world, "").into_iter().map(|copy| copy.id).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn the_three_newest_verified_copies_stay_and_every_decision_is_explained() {
    let world = world((1..=5).map(copy));
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert_eq!(left(&world), ["snap-orders-1", "snap-orders-2", "snap-orders-3"]);
    let deleted: Vec<&str> = pruned.deleted.iter().map(|decision| decision.id.as_str()).collect();
    assert_eq!(deleted, ["snap-orders-5", "snap-orders-4"], "the oldest first");
    assert!(
        pruned
            .kept
            .iter()
            .chain(&pruned.deleted)
            .all(|decision| !decision.reason.is_empty())
    );
    assert_eq!(pruned.kept.last().expect("kept").reason, "the newest verified copy");
}

#[tokio::test]
async fn what_snapferry_does_not_own_is_neither_counted_nor_deleted() {
    let by_hand = Snapshot::manual("before-upgrade", 900.0).taken_of(Kind::Instance, "orders");
    let named_like_ours = Snapshot::manual("snap-orders-by-hand", 900.0).taken_of(Kind::Instance, "orders");
    let forged_tag = copy(40);
    let forged_tag = Snapshot {
        id: Some("somebody-elses".to_owned()),
        ..forged_tag
    };
    let other_stack = copy(41).tag(tags::OWNER, "us-west-2/snap");
    let recreated = unverified(42, "snap-orders-old-life", "db-EARLIER").tag(tags::VERIFIED, "2026-01-01T00:00:00Z");
    let mut there: Vec<Snapshot> = (1..=4).map(copy).collect();
    there.extend([by_hand, named_like_ours, forged_tag, other_stack, recreated]);
    let world = world(there);
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert_eq!(pruned.deleted.len(), 1);
    assert_eq!(
        left(&world),
        [
            "before-upgrade",
            "snap-orders-1",
            "snap-orders-2",
            "snap-orders-3",
            "snap-orders-41",
            "snap-orders-by-hand",
            "snap-orders-old-life",
            "somebody-elses",
        ]
    );
}

#[tokio::test]
async fn a_dry_run_says_what_would_go_and_deletes_nothing() {
    let world = world((1..=5).map(copy));
    let mut dry = payload(&world, &json!({}));
    dry.target.dry_run = true;
    let by_hand = handle(&deployment(&world), dry, world.now())
        .await
        .expect("planned")
        .pruned;
    let stack = deployment_with(&world, "tests", settings_with(&[("DRY_RUN", "true")]));
    let by_stack = handle(&stack, payload(&world, &json!({})), world.now())
        .await
        .expect("planned")
        .pruned;
    for report in [by_hand, by_stack] {
        assert!(report.dry_run);
        assert_eq!(report.deleted.len(), 2);
    }
    assert_eq!(left(&world).len(), 5);
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn nothing_is_deleted_while_a_newer_copy_is_in_progress() {
    let under_way = unverified(0, "snap-orders-0", "db-ORDERS").at_percent(30);
    let world = world((1..=5).map(copy).chain([under_way]));
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert!(pruned.deleted.is_empty());
    assert!(
        pruned
            .kept
            .iter()
            .any(|decision| decision.reason == "snap-orders-0 is still in progress")
    );
}

#[tokio::test]
async fn a_prune_that_was_cut_off_is_finished_by_the_next_one() {
    let world = world((1..=5).map(copy));
    world.fault(Fault::new(Calls::to("DeleteDBSnapshot"), Action::Status(500)).after(1));
    assert_eq!(prune(&world).await.expect_err("cut off").name(), "RdsUnavailable");
    assert_eq!(left(&world).len(), 4);
    world.clear_faults();
    prune(&world).await.expect("pruned");
    assert_eq!(left(&world).len(), 3);
}

#[tokio::test]
async fn a_copy_that_is_gone_already_counts_as_deleted() {
    let world = world((1..=4).map(copy));
    world.fault(Fault::new(Calls::to("DeleteDBSnapshot"), Action::DropReply).times(1));
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert_eq!(pruned.deleted.len(), 1);
    assert_eq!(left(&world).len(), 3);
}

#[tokio::test]
async fn an_input_can_keep_more_but_not_fewer() {
    let world = world((1..=5).map(copy));
    let with_keep = |keep: u32| {
        let mut payload = payload(&world, &json!({}));
        payload.target.rules = Some(domain::payload::RunRules {
            keep_copies: Some(keep),
            ..domain::payload::RunRules::default()
        });
        payload
    };
    let error = handle(&deployment(&world), with_keep(1), world.now())
        .await
        .expect_err("fewer");
    assert!(
        error
            .to_string()
            .starts_with("rules.keepCopies: 1 is less than the stack keeps (3)"),
        "{error}"
    );
    assert_eq!(left(&world).len(), 5);
    handle(&deployment(&world), with_keep(4), world.now())
        .await
        .expect("more");
    assert_eq!(left(&world).len(), 4);
}

#[tokio::test]
async fn the_rest_of_the_payload_is_handed_on() {
    let world = world((1..=4).map(copy));
    let payload = payload(
        &world,
        &json!({"decision": "current", "outcome": "current", "copy": {"id": "snap-orders-1"}}),
    );
    let pruned = handle(&deployment(&world), payload, world.now()).await.expect("pruned");
    let json = serde_json::to_value(&pruned).expect("JSON");
    assert_eq!(json["outcome"], "current");
    assert_eq!(json["copy"]["id"], "snap-orders-1");
    assert_eq!(json["pruned"]["deleted"][0]["id"], "snap-orders-4");
}

#[tokio::test]
async fn the_record_lists_a_hundred_decisions_and_counts_the_rest() {
    let world = world_with(
        |region| {
            region.instance(Database {
                resource_id: Some("db-ORDERS".to_owned()),
                ..Database::new("orders")
            })
        },
        |region| {
            (1..=250)
                .map(copy)
                .fold(region.quota(500, 100), rds_simulator_sdk::scenario::Region::snapshot)
        },
    );
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert_eq!(pruned.deleted.len() + pruned.kept.len(), 100);
    assert_eq!(pruned.omitted, 150);
    assert_eq!(copies(&world, DESTINATION).len(), 0);
    assert_eq!(left(&world).len(), 3);
}

#[tokio::test]
async fn where_the_role_may_not_delete_what_is_gone_it_counts_as_deleted_and_what_is_there_is_an_error() {
    let denied = || Fault::error(Calls::to("DeleteDBSnapshot"), "AccessDenied", "not authorized").times(1);
    let gone = world((1..=4).map(copy));
    gone.fault(Fault::new(Calls::to("DeleteDBSnapshot"), Action::DropReply).times(1));
    // The client's second attempt finds no tags that would allow it.
    gone.fault(Fault { skip: 1, ..denied() });
    assert_eq!(prune(&gone).await.expect("pruned").pruned.deleted.len(), 1);
    assert_eq!(left(&gone).len(), 3);

    let there = world((1..=4).map(copy));
    there.fault(denied());
    assert_eq!(prune(&there).await.expect_err("denied").name(), "AccessDenied");
    assert_eq!(left(&there).len(), 4);
}

#[tokio::test]
async fn what_was_deleted_is_measured_and_what_would_be_is_not() {
    let world = world((1..=5).map(copy));
    let (deployment, measured) = metered(deployment(&world));
    let mut planned = payload(&world, &json!({}));
    planned.target.dry_run = true;
    for payload in [planned, payload(&world, &json!({})), payload(&world, &json!({}))] {
        handle(&deployment, payload, world.now()).await.expect("pruned");
    }
    assert_eq!(measured.values(Metric::COPIES_DELETED), [2.0]);
}
