//! The world as tests of the functions use it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use aws_sdk_kms::types::{KeyState, KeyUsageType};
use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata;
use aws_sdk_rds::types::{GlobalClusterMember, Tag};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, Fleet, Key, OptionGroup, Scenario, Snapshot};
use rds_simulator_sdk::simulator::{Action, Calls, Fault};
use serde_json::json;

const SOURCE: &str = "eu-west-1";
const DESTINATION: &str = "eu-central-1";
const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:snapshot:by-hand";

fn world() -> World {
    World::new(&Scenario::new().region(SOURCE, |region| {
        region.instance(
            Database::new("orders")
                .snapshot(Snapshot::manual("by-hand", 5.0))
                .copies_take(600.0),
        )
    }))
}

async fn copy(rds: &Client, target: &str) -> Result<(), String> {
    rds.copy_db_snapshot()
        .source_db_snapshot_identifier(ARN)
        .target_db_snapshot_identifier(target)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

#[tokio::test]
async fn time_passes_only_when_it_is_told_to() {
    let world = world();
    let rds = world.client(DESTINATION, "start-copy");
    copy(&rds, "c").await.unwrap();
    assert_eq!(world.snapshot(DESTINATION, "c").unwrap().status, "creating");
    world.advance(Duration::from_mins(5));
    assert_eq!(world.snapshot(DESTINATION, "c").unwrap().percent, 50);
    world.finish_copies();
    assert_eq!(world.snapshot(DESTINATION, "c").unwrap().status, "available");
    let passed = world.now().duration_since(rds_simulator_sdk::BEGINNING).as_secs();
    assert!((600..602).contains(&passed), "{passed}");
}

#[tokio::test]
async fn the_client_retries_twice_and_its_waits_take_virtual_time_only() {
    let world = world();
    let rds = world.client(SOURCE, "list-targets");
    let started = std::time::Instant::now();
    world.fault(Fault::new(Calls::to("DescribeDBInstances"), Action::Throttle).times(2));
    rds.describe_db_instances().send().await.unwrap();
    assert_eq!(world.calls("DescribeDBInstances"), 3);
    world.fault(Fault::new(Calls::to("DescribeDBInstances"), Action::Throttle).times(3));
    let refused = rds.describe_db_instances().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("Throttling"));
    assert_eq!(world.calls("DescribeDBInstances"), 6);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_dropped_reply_is_retried_and_finds_its_own_effect() {
    let world = world();
    world.fault(Fault::new(Calls::to("CopyDBSnapshot"), Action::DropReply).times(1));
    let outcome = copy(&world.client(DESTINATION, "start-copy"), "c").await;
    assert_eq!(outcome, Err("DBSnapshotAlreadyExists".to_owned()));
    let outcomes: Vec<String> = world.writes().into_iter().map(|write| write.outcome).collect();
    assert_eq!(outcomes, ["ok", "DBSnapshotAlreadyExists"]);
}

#[tokio::test]
async fn a_held_reply_waits_for_its_release_although_the_effect_is_there() {
    let world = world();
    let hold = world.hold(Calls::to("CopyDBSnapshot"));
    let rds = world.client(DESTINATION, "start-copy");
    let call = tokio::spawn(async move { copy(&rds, "c").await });
    while world.holds()[0].waiting == 0 {
        tokio::task::yield_now().await;
    }
    assert!(world.snapshot(DESTINATION, "c").is_some());
    assert!(!call.is_finished());
    world.release(hold);
    assert_eq!(call.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_caller_that_is_stopped_no_longer_waits() {
    let world = world();
    let _hold = world.hold(Calls::to("CopyDBSnapshot"));
    let rds = world.client(DESTINATION, "start-copy");
    let call = tokio::spawn(async move { copy(&rds, "c").await });
    while world.holds()[0].waiting == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.is_err());
    assert_eq!(world.holds()[0].waiting, 0);
    assert!(world.snapshot(DESTINATION, "c").is_some());
}

#[tokio::test]
async fn a_late_reply_takes_virtual_time() {
    let world = world();
    world.fault(Fault::new(Calls::to("CopyDBSnapshot"), Action::DelaySeconds(60.0)).times(1));
    copy(&world.client(DESTINATION, "start-copy"), "c").await.unwrap();
    assert_eq!(world.snapshot(DESTINATION, "c").unwrap().percent, 10);
}

#[tokio::test]
async fn policies_bind_one_caller_and_leave_the_others_alone() {
    let world = world();
    world.policies(
        "reader",
        [json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "rds:Describe*", "Resource": "*" }] })],
    );
    let reader = world.client(SOURCE, "reader");
    reader.describe_db_snapshots().send().await.unwrap();
    let refused = reader
        .add_tags_to_resource()
        .resource_name(ARN)
        .tags(Tag::builder().key("a").value("b").build())
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("AccessDenied"));
    assert!(
        refused
            .message()
            .unwrap()
            .starts_with("User: arn:aws:iam::123456789012:role/reader is not")
    );
    copy(&world.client(DESTINATION, "anybody"), "c").await.unwrap();
}

#[tokio::test]
async fn errors_carry_the_codes_that_the_sdk_models() {
    let rds = world().client(SOURCE, "tester");
    let missing = rds
        .describe_db_snapshots()
        .db_snapshot_identifier("nothing")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(missing.is_db_snapshot_not_found_fault());
    let full = world();
    full.fault(Fault::error(
        Calls::to("CopyDBSnapshot"),
        "SnapshotQuotaExceeded",
        "Cannot copy more than 20",
    ));
    let refused = full
        .client(DESTINATION, "tester")
        .copy_db_snapshot()
        .source_db_snapshot_identifier(ARN)
        .target_db_snapshot_identifier("c")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(refused.is_snapshot_quota_exceeded_fault());
    assert_eq!(full.calls("CopyDBSnapshot"), 1, "the SDK does not retry it");
}

#[tokio::test]
async fn the_paginator_of_the_sdk_tells_each_of_many_once() {
    let world = World::new(&Fleet::new(SOURCE, DESTINATION, 1234, 10).scenario());
    let pages = world
        .client(SOURCE, "list-targets")
        .describe_db_instances()
        .into_paginator();
    let all: Result<Vec<_>, _> = pages.items().send().collect().await;
    let mut ids: Vec<String> = all
        .unwrap()
        .iter()
        .filter_map(|one| one.db_instance_identifier().map(str::to_owned))
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1234 + 10);
    assert_eq!(world.calls("DescribeDBInstances"), 13);
}

#[tokio::test]
async fn a_new_day_brings_new_snapshots_and_takes_old_ones() {
    let world = world();
    world.advance(Duration::from_hours(24));
    world.add(&Scenario::new().region(SOURCE, |region| {
        let today = Snapshot {
            snapshot_type: Some("automated".to_owned()),
            ..Snapshot::default()
        };
        region.snapshot(today.taken_of(rds_simulator_sdk::simulator::Kind::Instance, "orders"))
    }));
    world.expire(ARN);
    let state = world.state();
    let ids: Vec<&str> = state
        .snapshots(SOURCE)
        .iter()
        .map(|snapshot| snapshot.id.as_str())
        .collect();
    assert_eq!(ids, ["rds:orders-2026-11-23-12-00"]);
}

#[tokio::test]
async fn kms_describes_a_key_and_whether_it_can_be_used() {
    let world = World::new(&Scenario::new().region(DESTINATION, |region| {
        region
            .key("2222", "alias/copies")
            .kms_key(Key::new("signing").usage("SIGN_VERIFY"))
    }));
    let kms = world.kms_client(DESTINATION, "list-targets");
    let describe = async |id: &str| {
        let output = kms.describe_key().key_id(id).send().await.unwrap();
        output.key_metadata.unwrap()
    };
    let key = describe("alias/copies").await;
    assert_eq!(key.arn(), Some("arn:aws:kms:eu-central-1:123456789012:key/2222"));
    assert_eq!((key.enabled(), key.key_state()), (true, Some(&KeyState::Enabled)));
    assert_eq!(describe("signing").await.key_usage(), Some(&KeyUsageType::SignVerify));
    world.disable_key(DESTINATION, "alias/copies");
    assert_eq!(describe("2222").await.key_state(), Some(&KeyState::Disabled));
    world.enable_key(DESTINATION, "2222");
    assert!(describe("2222").await.enabled());
    world.delete_key(DESTINATION, "2222");
    let gone = kms.describe_key().key_id("alias/copies").send().await.unwrap_err();
    assert!(gone.into_service_error().is_not_found_exception());
    assert_eq!(world.calls("DescribeKey"), 5);
}

#[tokio::test]
async fn the_kms_client_retries_and_is_bound_by_policies_like_the_other() {
    let world = World::new(&Scenario::new().region(DESTINATION, |region| region.key("2222", "alias/copies")));
    let kms = world.kms_client(DESTINATION, "list-targets");
    world.fault(Fault::new(Calls::to("DescribeKey"), Action::Throttle).times(2));
    kms.describe_key().key_id("2222").send().await.unwrap();
    assert_eq!(world.calls("DescribeKey"), 3);
    world.policies("list-targets", []);
    let denied = kms.describe_key().key_id("2222").send().await.unwrap_err();
    assert_eq!(denied.code(), Some("AccessDeniedException"));
    let client = kms.clone();
    let hold = world.hold(Calls::to("DescribeKey"));
    let call = tokio::spawn(async move { client.describe_key().key_id("2222").send().await.is_err() });
    while world.holds()[0].waiting == 0 {
        tokio::task::yield_now().await;
    }
    world.release(hold);
    assert!(call.await.unwrap());
}

#[tokio::test]
async fn permanent_options_are_seen_before_a_copy_and_their_group_can_go_meanwhile() {
    let world = World::new(
        &Scenario::new()
            .region(SOURCE, |region| {
                region
                    .option_group(OptionGroup::new("with-tz", "oracle-ee").permanent("Timezone"))
                    .instance(
                        Database::new("erp")
                            .engine("oracle-ee")
                            .option_group("with-tz")
                            .snapshot(Snapshot::manual("by-hand", 5.0)),
                    )
                    .instance(Database::new("wms").engine("oracle-ee").permanent_options(["Timezone"]))
                    .cluster(Database::new("west").global("world"))
            })
            .region(DESTINATION, |region| {
                region
                    .option_group(OptionGroup::new("copies-tz", "oracle-ee").permanent("Timezone"))
                    .cluster(Database::new("central").global_writer("world"))
            }),
    );
    let rds = world.client(SOURCE, "list-targets");
    for name in ["with-tz", "wms-options"] {
        let groups = rds
            .describe_option_groups()
            .option_group_name(name)
            .send()
            .await
            .unwrap();
        let option = &groups.option_groups_list()[0].options()[0];
        assert_eq!(
            (option.option_name(), option.permanent()),
            (Some("Timezone"), Some(true))
        );
    }
    let global = rds.describe_global_clusters().send().await.unwrap();
    let members = global.global_clusters()[0].global_cluster_members();
    assert_eq!(
        members
            .iter()
            .filter_map(GlobalClusterMember::is_writer)
            .collect::<Vec<_>>(),
        [true, false]
    );
    let copy = |target: &'static str| {
        let call = world.client(DESTINATION, "start-copy").copy_db_snapshot();
        call.source_db_snapshot_identifier(ARN)
            .target_db_snapshot_identifier(target)
            .option_group_name("copies-tz")
            .send()
    };
    copy("c").await.unwrap();
    world.delete_option_group(DESTINATION, "copies-tz");
    assert_eq!(copy("d").await.unwrap_err().code(), Some("OptionGroupNotFoundFault"));
}
