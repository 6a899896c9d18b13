use domain::kind::DatabaseKind;
use domain::tags;
use fixtures::{DESTINATION, copies, deployment, deployment_with, metered, settings_with, target, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, Snapshot};
use rds_simulator_sdk::simulator::{Action, Calls, Fault, Kind};
use serde_json::{Value, json};

use super::*;

/// A copy of the snapshot of this many days ago, of the database with this resource id.
fn copy_of_day(days: u32, resource_id: &str) -> fixtures::CopyBuilder {
    fixtures::copy_of("orders", resource_id)
        .source(&fixtures::automated_arn("orders", days * 24))
        .aged(days * 24)
}

/// A verified copy of the snapshot of this many days ago.
fn copy(days: u32) -> Snapshot {
    unverified(days, "db-ORDERS").tag(tags::VERIFIED, &format!("{{time:{}}}", days * 24))
}

/// A copy that was not verified, of a database with this resource id.
fn unverified(days: u32, resource_id: &str) -> Snapshot {
    copy_of_day(days, resource_id).seed()
}

/// The identifier of the copy that the tests call `snap-orders-<days>`.
fn id(label: &str) -> String {
    let days = label.strip_prefix("snap-orders-").and_then(|days| days.parse().ok());
    days.map_or_else(|| label.to_owned(), |days| copy_of_day(days, "db-ORDERS").id())
}

/// What the tests call the copy of this identifier.
fn label(id: &str) -> String {
    let days = (0..=260).find(|days| copy_of_day(*days, "db-ORDERS").id() == id);
    days.map_or_else(|| id.to_owned(), |days| format!("snap-orders-{days}"))
}

fn world(there: impl IntoIterator<Item = Snapshot>) -> World {
    tagged_world(&[], there)
}

/// The same, with tags on the database.
fn tagged_world(tags: &[(&str, &str)], there: impl IntoIterator<Item = Snapshot>) -> World {
    world_with(
        |region| {
            let database = Database {
                resource_id: Some("db-ORDERS".to_owned()),
                ..Database::new("orders")
            };
            let tagged = tags
                .iter()
                .fold(database, |database, (key, value)| database.tag(key, value));
            region.instance(tagged)
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

/// After the newest of these copies was made by this execution.
async fn prune_copied(world: &World) -> Pruned {
    let copied = json!({"decision": "copy", "outcome": "copied", "copy": {"id": id("snap-orders-1")}});
    handle(&deployment(world), payload(world, &copied), world.now())
        .await
        .expect("a database that was copied never fails")
}

fn ids(decisions: &[PruneDecision]) -> Vec<String> {
    decisions.iter().map(|decision| label(&decision.id)).collect()
}

/// A delete of this copy is refused as AWS refuses what is in use.
fn in_use(id: &str) -> Fault {
    Fault::error(
        Calls::to("DeleteDBSnapshot").with("DBSnapshotIdentifier", &self::id(id)),
        "InvalidDBSnapshotState",
        "Cannot delete the snapshot because it is in use by an export task.",
    )
}

fn left(world: &World) -> Vec<String> {
    let there = copies(world, "").into_iter().filter(|copy| copy.status != "deleting");
    let mut ids: Vec<String> = there.map(|copy| label(&copy.id)).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn the_three_newest_verified_copies_stay_and_every_decision_is_explained() {
    let world = world((1..=5).map(copy));
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert_eq!(left(&world), ["snap-orders-1", "snap-orders-2", "snap-orders-3"]);
    assert_eq!(
        ids(&pruned.deleted),
        ["snap-orders-5", "snap-orders-4"],
        "the oldest first"
    );
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
    let recreated = unverified(42, "db-EARLIER").tag(tags::VERIFIED, "2026-01-01T00:00:00Z");
    let mut there: Vec<Snapshot> = (1..=4).map(copy).collect();
    there.extend([by_hand, named_like_ours, forged_tag, other_stack, recreated]);
    let world = world(there);
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert_eq!(pruned.deleted.len(), 1);
    let mut expected = [
        "before-upgrade".to_owned(),
        "snap-orders-1".to_owned(),
        "snap-orders-2".to_owned(),
        "snap-orders-3".to_owned(),
        "snap-orders-41".to_owned(),
        "snap-orders-by-hand".to_owned(),
        copy_of_day(42, "db-EARLIER").id(),
        "somebody-elses".to_owned(),
    ];
    expected.sort();
    assert_eq!(left(&world), expected);
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
    let under_way = unverified(0, "db-ORDERS").at_percent(30);
    let world = world((1..=5).map(copy).chain([under_way]));
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert!(pruned.deleted.is_empty());
    assert!(
        pruned
            .kept
            .iter()
            .any(|decision| decision.reason == format!("{} is still in progress", id("snap-orders-0")))
    );
}

#[tokio::test]
async fn a_prune_that_was_cut_off_is_finished_by_the_next_one() {
    let world = world((1..=5).map(copy));
    world.fault(Fault::new(Calls::to("DeleteDBSnapshot"), Action::Status(500)).after(1));
    // M7: what was deleted before RDS failed is in the record.
    let pruned = prune(&world).await.expect("a record").pruned;
    assert_eq!(ids(&pruned.deleted), ["snap-orders-5"]);
    assert_eq!(ids(&pruned.refused), ["snap-orders-4"]);
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
    let fewer = handle(&deployment(&world), with_keep(1), world.now()).await;
    assert_eq!(fewer.expect("pruned").pruned.deleted.len(), 2, "as the stack keeps");
    let world = self::world((1..=5).map(copy));
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
        &json!({"decision": "current", "outcome": "current", "copy": {"id": id("snap-orders-1")}}),
    );
    let pruned = handle(&deployment(&world), payload, world.now()).await.expect("pruned");
    let json = serde_json::to_value(&pruned).expect("JSON");
    assert_eq!(json["outcome"], "current");
    assert_eq!(json["copy"]["id"], id("snap-orders-1"));
    assert_eq!(json["pruned"]["deleted"][0]["id"], id("snap-orders-4"));
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
    assert_eq!(ids(&pruned.deleted), ["snap-orders-250", "snap-orders-249"]);
    assert_eq!(pruned.kept.len(), 98);
    assert_eq!(pruned.kept[0].reason, GOES_LATER);
    assert_eq!((pruned.omitted, pruned.to_go), (150, 245));
    assert_eq!(copies(&world, DESTINATION).len(), 0);
    assert_eq!(left(&world).len(), 248);
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
    let pruned = prune(&there).await.expect("a record").pruned;
    assert_eq!(ids(&pruned.refused), ["snap-orders-4"]);
    assert!(
        pruned.refused[0].reason.starts_with("AccessDenied"),
        "{:?}",
        pruned.refused
    );
    assert_eq!(left(&there).len(), 4);
}

/// The first attempt was heard, its answer was lost, and nobody can say now whether the copy is there.
#[tokio::test]
async fn a_copy_that_may_be_gone_counts_as_one_that_is() {
    let world = world((1..=8).map(copy));
    world.fault(Fault::new(Calls::to("DeleteDBSnapshot"), Action::DropReply).times(1));
    let denied = |operation| Fault::error(Calls::to(operation), "AccessDenied", "not authorized");
    world.fault(denied("DeleteDBSnapshot").times(1).after(1));
    world.fault(denied("DescribeDBSnapshots").after(2));
    let pruned = prune(&world).await.expect("a record").pruned;
    assert_eq!(ids(&pruned.refused), ["snap-orders-8"]);
    assert_eq!(ids(&pruned.deleted), ["snap-orders-7"]);
    assert_eq!(left(&world).len(), 6, "two at most");
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
    assert_eq!(measured.values(Metric::COPIES_TO_GO), Vec::<f64>::new());
}

/// M1, case 04: the others are deleted, the one is named, and the copy is not called failed.
#[tokio::test]
async fn a_copy_that_cannot_be_deleted_stops_only_itself() {
    let world = world((1..=6).map(copy));
    world.fault(in_use("snap-orders-6"));
    let (deployment, measured) = metered(deployment(&world));
    let copied = json!({
        "decision": "copy", "outcome": "copied", "copy": {"id": id("snap-orders-1")}, "warnings": ["an earlier one"],
    });
    let pruned = handle(&deployment, payload(&world, &copied), world.now())
        .await
        .expect("pruned");
    assert_eq!(ids(&pruned.pruned.deleted), ["snap-orders-5", "snap-orders-4"]);
    assert_eq!(ids(&pruned.pruned.refused), ["snap-orders-6"]);
    assert!(pruned.pruned.refused[0].reason.contains("export task"));
    assert_eq!(measured.values(Metric::COPIES_DELETED), [2.0]);
    let record = serde_json::to_value(&pruned).expect("JSON");
    assert_eq!(record["outcome"], "copied, not pruned");
    assert_eq!(record["warnings"][0], "an earlier one");
    let warning = record["warnings"][1].as_str().expect("a warning");
    assert!(
        warning.starts_with("instance orders: 1 old copies could not be deleted"),
        "{warning}"
    );
    assert_eq!(record["pruned"]["toGo"], 0);

    // Nothing was copied, and nothing failed: a warning is enough.
    let current = json!({"decision": "current", "outcome": "current", "copy": {"id": id("snap-orders-1")}});
    let pruned = handle(&deployment, payload(&world, &current), world.now())
        .await
        .expect("pruned");
    assert_eq!(pruned.payload.outcome, Some(Outcome::Current));
    assert_eq!(pruned.payload.warnings.len(), 1);
}

/// M1, case 03.
#[tokio::test]
async fn a_copy_that_is_being_deleted_is_neither_deleted_again_nor_a_failure() {
    let going = copy(4).status("deleting");
    let world = world((1..=3).map(copy).chain([going, copy(5)]));
    let pruned = prune_copied(&world).await;
    assert_eq!(ids(&pruned.pruned.deleted), ["snap-orders-5"]);
    assert!(pruned.pruned.refused.is_empty());
    assert_eq!(pruned.payload.outcome, Some(Outcome::Copied));
}

/// M7: throttled after the first delete.
#[tokio::test]
async fn a_throttled_prune_stops_and_leaves_a_record() {
    let world = world((1..=8).map(copy));
    let slow = Fault::error(Calls::to("DeleteDBSnapshot"), "Throttling", "Rate exceeded");
    world.fault(slow.after(1));
    let pruned = prune_copied(&world).await;
    assert_eq!(ids(&pruned.pruned.deleted), ["snap-orders-8"]);
    assert_eq!(ids(&pruned.pruned.refused), ["snap-orders-7"]);
    assert_eq!(pruned.pruned.to_go, 3, "the others of the five");
    assert_eq!(pruned.payload.outcome, Some(Outcome::CopiedNotPruned));
}

#[tokio::test]
async fn one_execution_deletes_a_few_and_counts_the_rest() {
    let world = world((1..=9).map(copy));
    let (deployment, measured) = metered(deployment(&world));
    for (deleted, to_go) in [(2, 4), (2, 2), (2, 0), (0, 0)] {
        let pruned = handle(&deployment, payload(&world, &json!({})), world.now())
            .await
            .expect("pruned")
            .pruned;
        assert_eq!((pruned.deleted.len(), pruned.to_go), (deleted, to_go));
    }
    assert_eq!(left(&world).len(), 3);
    assert_eq!(measured.values(Metric::COPIES_TO_GO), [4.0, 2.0]);
}

/// Making room and pruning afterwards are one execution.
#[tokio::test]
async fn what_was_deleted_for_room_counts_and_is_not_handed_on() {
    let world = world((1..=9).map(copy));
    let room = |ids: &[&str]| -> Value { ids.iter().map(|id| json!({"id": id, "reason": "room"})).collect() };
    let after = async |before: Value| {
        let payload = payload(
            &world,
            &json!({"outcome": "copied", "copy": {"id": id("snap-orders-1")}, "deletedForRoom": before}),
        );
        handle(&deployment(&world), payload, world.now()).await.expect("pruned")
    };
    assert!(after(room(&["a", "b"])).await.pruned.deleted.is_empty());
    let pruned = after(room(&["a"])).await;
    assert_eq!(ids(&pruned.pruned.deleted), ["snap-orders-9"]);
    assert!(
        serde_json::to_value(&pruned)
            .expect("JSON")
            .get("deletedForRoom")
            .is_none()
    );
}

/// A step whose answer was lost is tried again with the same payload.
#[tokio::test]
async fn a_step_that_runs_twice_deletes_no_more_than_once() {
    let world = world((1..=9).map(copy));
    // Eight were there before this execution made the newest.
    let copied = json!({
        "decision": "copy", "outcome": "copied", "copy": {"id": id("snap-orders-1")}, "verifiedCopies": 8,
    });
    for _ in 0..3 {
        handle(&deployment(&world), payload(&world, &copied), world.now())
            .await
            .expect("pruned");
        assert_eq!(left(&world).len(), 7);
    }
}

/// H4 (`a04`): a hand-made input has no policy, and that permits nothing.
#[tokio::test]
async fn the_databases_own_tags_are_read_whatever_the_input_lacks() {
    let wide = tagged_world(&[("snapferry:keep", "9")], (1..=6).map(copy));
    assert!(prune(&wide).await.expect("pruned").pruned.deleted.is_empty());

    let unread = tagged_world(&[("snapferry:keep-days", "4000")], (1..=6).map(copy));
    let pruned = prune(&unread).await.expect("pruned");
    assert!(pruned.pruned.deleted.is_empty());
    assert_eq!(pruned.pruned.kept[0].reason, retention::Hold::UnreadTag.reason());
    assert_eq!(pruned.payload.warnings.len(), 1);
    assert!(!pruned.payload.warnings[0].contains("4000"), "no value in a message");
}

/// M6, case 12.
#[tokio::test]
async fn a_misspelled_tag_warns_and_holds_if_it_may_ask_for_retention() {
    let world = tagged_world(&[("SNAPFERRY:KEEP", "10")], (1..=6).map(copy));
    let pruned = prune(&world).await.expect("pruned");
    assert!(pruned.pruned.deleted.is_empty());
    assert!(pruned.payload.warnings[0].contains("SNAPFERRY:KEEP"));

    let world = tagged_world(
        &[("Snapferry:Copy", "false"), ("snapferry:team", "x")],
        (1..=6).map(copy),
    );
    let pruned = prune(&world).await.expect("pruned");
    assert_eq!(pruned.pruned.deleted.len(), 2);
    assert_eq!(pruned.payload.warnings.len(), 2);
}

#[tokio::test]
async fn a_database_that_cannot_be_read_holds_everything_and_the_record_says_so() {
    let world = world((1..=6).map(copy));
    world.fault(Fault::error(
        Calls::to("DescribeDBInstances"),
        "AccessDenied",
        "not authorized",
    ));
    let pruned = prune_copied(&world).await;
    assert!(pruned.pruned.deleted.is_empty());
    assert_eq!(pruned.pruned.kept[0].reason, retention::Hold::Unknown.reason());
    assert_eq!(pruned.payload.outcome, Some(Outcome::CopiedNotPruned));
    assert!(pruned.payload.warnings[0].starts_with("instance orders could not be read"));
    assert_eq!(left(&world).len(), 6);
}

#[tokio::test]
async fn a_database_that_was_deleted_meanwhile_keeps_its_copies_unless_it_is_pruned_as_retired() {
    let settings = settings_with(&[("RETIRED_KEEP_DAYS", "1"), ("KEEP_COPIES", "1")]);
    for (retired, unread, deleted) in [(false, false, 0), (true, false, 2), (true, true, 0)] {
        let oldest = copy(6);
        let oldest = if unread {
            oldest.tag(tags::UNREAD, "true")
        } else {
            oldest
        };
        let world = world((1..=5).map(copy).chain([oldest]));
        let mut payload = payload(&world, &json!({}));
        payload.target.retired = retired;
        world.drop_database(fixtures::SOURCE, "orders");
        let stack = deployment_with(&world, "tests", settings.clone());
        let pruned = handle(&stack, payload, world.now()).await.expect("pruned").pruned;
        assert_eq!(pruned.deleted.len(), deleted, "retired {retired}, unread {unread}");
    }
}

#[tokio::test]
async fn a_persons_hold_keeps_a_copy_in_any_spelling() {
    let held = copy(6).tag("SNAPFERRY_HOLD", "no");
    let failed = unverified(5, "db-ORDERS").status("failed").tag(tags::HOLD, "");
    let world = world((1..=4).map(copy).chain([held, failed]));
    let pruned = prune(&world).await.expect("pruned").pruned;
    assert_eq!(ids(&pruned.deleted), ["snap-orders-4"]);
}

/// Case 07: every snapshot of the former name has expired, so that nothing names it any more.
#[tokio::test]
async fn copies_made_under_a_former_name_are_found_by_the_resource_id_in_one_listing() {
    let renamed = |days| Snapshot {
        database: Some("orders-of-old".to_owned()),
        ..copy(days)
    };
    let world = world((2..=6).map(renamed).chain([copy(1)]));
    let before = world.calls("DescribeDBSnapshots");
    let pruned = prune_copied(&world).await;
    assert_eq!(ids(&pruned.pruned.deleted), ["snap-orders-6", "snap-orders-5"]);
    assert_eq!(
        world.calls("DescribeDBSnapshots") - before,
        1,
        "the budget of a verified copy"
    );
    assert_eq!(world.calls("DescribeDBInstances"), 1);
}

/// That a copy has the resource id of its source is documented nowhere.
#[tokio::test]
async fn where_rds_reports_another_resource_id_on_copies_they_are_found_by_name() {
    let elsewhere = |days| Snapshot {
        resource_id: Some("db-ELSEWHERE".to_owned()),
        ..copy(days)
    };
    let world = world((1..=5).map(elsewhere));
    assert_eq!(prune_copied(&world).await.pruned.deleted.len(), 2);
}

/// M11.
#[tokio::test]
async fn what_another_stack_made_stays_while_it_is_at_work_and_is_warned_of() {
    let others = [copy(2), copy(6)].map(|copy| copy.tag(tags::STACK, "trying"));
    let world = world([copy(1), copy(3), copy(4), copy(5)].into_iter().chain(others));
    let pruned = prune(&world).await.expect("pruned");
    assert_eq!(ids(&pruned.pruned.deleted), ["snap-orders-5", "snap-orders-4"]);
    assert_eq!(pruned.payload.warnings.len(), 1);
    assert!(pruned.payload.warnings[0].contains("the stack trying"));
    // Copies of a stack that was renamed belong to the one that is there now, three days later.
    world.advance(std::time::Duration::from_hours(73));
    let renamed = deployment_with(
        &world,
        "tests",
        settings_with(&[("STACK_NAME", "trying"), ("KEEP_COPIES", "1")]),
    );
    let pruned = handle(&renamed, payload(&world, &json!({})), world.now())
        .await
        .expect("pruned");
    assert!(pruned.payload.warnings.is_empty());
}
