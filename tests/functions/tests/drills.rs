//! Drills from start to proof, by the deployed machines and roles: each way in which one can end, and that nothing of it is
//! left.

#![allow(missing_docs)]

mod drill_cloud;

use std::time::Duration;

use domain::drill::{DrillCheck, DrillOutcome};
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::tags;
use drill_cloud::{DrillCloud, OWNER_ID, Trouble};
use fixtures::{CopyBuilder, DESTINATION, KEY, SOURCE, copy_of, world_with};
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, DatabaseQuota, NotOffered, Region, RestoreFate, SubnetGroup};
use serde_json::{Value, json};

fn resource_id(kind: DatabaseKind, id: &str) -> String {
    match kind {
        DatabaseKind::Instance => format!("db-{}", id.to_ascii_uppercase()),
        DatabaseKind::Cluster => format!("cluster-{}", id.to_ascii_uppercase()),
    }
}

/// A verified copy of five hours ago.
fn copy(kind: DatabaseKind, id: &str) -> CopyBuilder {
    copy_of(id, &resource_id(kind, id))
        .owned_by(Owner::new(SOURCE, OWNER_ID))
        .kind(kind)
        .aged(5)
        .key(KEY)
        .marked("2026-11-22T11:00:00Z")
}

/// The copies of an instance and of a cluster, and a subnet group.
fn world(more: impl FnOnce(Region) -> Region) -> World {
    world_with(
        |source| source,
        |region| {
            more(
                region
                    .subnet_group(SubnetGroup::new("drills"))
                    .snapshot(copy(DatabaseKind::Instance, "orders").seed())
                    .snapshot(copy(DatabaseKind::Cluster, "billing").seed()),
            )
        },
    )
}

fn both() -> [(DatabaseKind, &'static str); 2] {
    [(DatabaseKind::Instance, "orders"), (DatabaseKind::Cluster, "billing")]
}

/// The outcome and the reason of the last drill of a database.
fn ending(cloud: &DrillCloud<'_>, (kind, id): (DatabaseKind, &str)) -> (DrillOutcome, String) {
    let proof = cloud.proof(kind, &resource_id(kind, id)).expect("a proof");
    (proof.outcome, proof.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_of_an_instance_and_of_a_cluster_goes_from_start_to_proof_and_leaves_nothing() {
    for clusters in ["storage", "full"] {
        let world = world(|region| region);
        let cloud = DrillCloud::new(&world, &[("DRILL_CLUSTERS", clusters)]);
        let output = cloud.run(json!({})).await.expect("not stopped").expect("succeeded");
        assert_eq!(
            output["counts"],
            json!({"passed": 2, "failed": 0, "notRun": 0, "unsupported": 0}),
            "{output}"
        );
        for (kind, id) in both() {
            let proof = cloud.proof(kind, &resource_id(kind, id)).expect("a proof");
            assert_eq!(proof.outcome, DrillOutcome::Passed, "{proof:?}");
            assert_eq!(proof.checked, [DrillCheck::Description, DrillCheck::Events]);
            assert!(proof.gone_at.is_some_and(|gone| gone > proof.time), "{proof:?}");
            let minutes = proof.minutes.expect("minutes");
            assert!((15..60).contains(&minutes), "{minutes}");
            let snapshot = world.snapshot(DESTINATION, &copy(kind, id).id()).expect("the copy");
            let until: Timestamp = snapshot.tags[tags::DRILLING].parse().expect("a time");
            assert!(
                until.duration_since(proof.time) <= SignedDuration::from_hours(4),
                "it runs out"
            );
            assert_eq!(snapshot.tags.get(tags::DRILL_MINUTES), Some(&minutes.to_string()));
            assert!(snapshot.tags.contains_key(tags::DRILLED));
        }
        assert_eq!(cloud.left(), Vec::<String>::new());
        let made = world.counters().restored.len();
        assert_eq!(
            made,
            if clusters == "full" { 3 } else { 2 },
            "an instance only where it is asked for"
        );
        assert_eq!(cloud.messages.get(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_restored_fails_and_a_real_run_says_so() {
    type RegionChange = fn(Region) -> Region;
    let fates: [(&str, RegionChange, &str); 3] = [
        (
            "a dead status",
            |region| region.restore_fate(RestoreFate::ends_as("*-drill-*-orders", "incompatible-restore")),
            "incompatible-restore",
        ),
        (
            "a restore that never ends",
            |region| region.restore_fate(RestoreFate::ends_as("*-drill-*-orders", "some-new-status")),
            "not usable after",
        ),
        (
            "another dead status, which is billed",
            |region| region.restore_fate(RestoreFate::ends_as("*-drill-*-orders", "restore-error")),
            "restore-error",
        ),
    ];
    for (what, fate, said) in fates {
        let world = world(fate);
        let cloud = DrillCloud::new(&world, &[]);
        let failure = cloud
            .run(json!({"only": ["orders"]}))
            .await
            .expect("not stopped")
            .expect_err(what);
        assert_eq!(failure.error, "DrillsFailed", "{what}");
        let (outcome, reason) = ending(&cloud, (DatabaseKind::Instance, "orders"));
        assert_eq!(outcome, DrillOutcome::Failed, "{what}: {reason}");
        assert!(reason.contains(said), "{what}: {reason}");
        assert_eq!(cloud.left(), Vec::<String>::new(), "{what}");
        assert_eq!(cloud.messages.get(), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_disabled_fails_the_drill_of_a_copy() {
    let world = world(|region| region);
    world.disable_key(DESTINATION, KEY);
    let cloud = DrillCloud::new(&world, &[]);
    let failure = cloud.run(json!({})).await.expect("not stopped").expect_err("both fail");
    assert_eq!(failure.error, "DrillsFailed");
    for database in both() {
        let (outcome, reason) = ending(&cloud, database);
        assert_eq!(outcome, DrillOutcome::Failed, "{reason}");
        assert!(reason.contains("KMSKeyNotAccessibleFault"), "{reason}");
    }
    assert_eq!(cloud.left(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_about_the_copy_is_not_run() {
    let small = DatabaseQuota {
        instances: 4,
        ..DatabaseQuota::default()
    };
    let no_quota = world(|region| region.database_quota(small));
    let little_storage = DatabaseQuota {
        allocated_storage_gib: 5,
        ..DatabaseQuota::default()
    };
    let no_storage = world(|region| region.database_quota(little_storage));
    let no_subnets = world_with(
        |source| source,
        |region| {
            let other = region.subnet_group(SubnetGroup::new("other"));
            other.snapshot(copy(DatabaseKind::Instance, "orders").seed())
        },
    );
    let no_network = world(|region| region.restore_fate(RestoreFate::ends_as("*-drill-*", "incompatible-network")));
    let kept = world(|region| {
        let drill = domain::drill_database::identifier(
            &Owner::new(SOURCE, OWNER_ID),
            &format!(
                "arn:aws:rds:{DESTINATION}:123456789012:snapshot:{}",
                copy(DatabaseKind::Instance, "orders").id()
            ),
            "orders",
        );
        region.instance(Database::new(&drill))
    });
    for (world, said, left) in [
        (
            no_quota,
            "0 of 4 DB instances of this region are in use, and drills leave 5 free",
            0,
        ),
        (
            no_storage,
            "0 of 5 GiB of storage of DB instances of this region are in use, and this copy needs 100",
            0,
        ),
        (no_subnets, "DBSubnetGroupNotFoundFault", 0),
        (no_network, "incompatible-network", 0),
        (kept, "a person keeps it", 1),
    ] {
        let cloud = DrillCloud::new(&world, &[]);
        let output = cloud
            .run(json!({"only": ["orders"]}))
            .await
            .expect("not stopped")
            .expect("succeeded");
        assert_eq!(output["counts"]["notRun"], 1, "{said}: {output}");
        let (outcome, reason) = ending(&cloud, (DatabaseKind::Instance, "orders"));
        assert_eq!(outcome, DrillOutcome::NotRun, "{reason}");
        assert!(reason.contains(said), "{said}: {reason}");
        assert_eq!(cloud.left().len(), left, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_on_offer_any_more_is_unsupported() {
    let world = world(|region| region.not_offered(NotOffered::version("postgres", "*")));
    let cloud = DrillCloud::new(&world, &[]);
    let output = cloud
        .run(json!({"only": ["orders"]}))
        .await
        .expect("not stopped")
        .expect("succeeded");
    assert_eq!(output["counts"]["unsupported"], 1, "{output}");
    let (outcome, reason) = ending(&cloud, (DatabaseKind::Instance, "orders"));
    assert!(
        outcome == DrillOutcome::Unsupported && reason.contains("is not on offer in eu-west-1"),
        "{reason}"
    );
    assert!(world.counters().restored.is_empty(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_function_looks_into_the_database_and_its_word_counts() {
    for (answer, outcome, said) in [
        (
            json!({"passed": true, "reason": "12 rows", "rows": 12}),
            DrillOutcome::Passed,
            "12 rows",
        ),
        (
            json!({"passed": false, "reason": "no orders"}),
            DrillOutcome::Failed,
            "no orders",
        ),
        (
            json!({"passed": true, "reason": "x".repeat(40_000)}),
            DrillOutcome::Failed,
            "bytes",
        ),
        (Value::Null, DrillOutcome::Failed, "did not say whether it passed"),
    ] {
        let world = world(|region| region);
        let check = (
            "CHECK_FUNCTION_ARN",
            "arn:aws:lambda:eu-west-1:123456789012:function:check",
        );
        let cloud = DrillCloud::new(&world, &[check]);
        cloud.check.replace(answer);
        cloud.run(json!({"only": ["orders"]})).await.expect("not stopped").ok();
        let (found, reason) = ending(&cloud, (DatabaseKind::Instance, "orders"));
        assert_eq!(found, outcome, "{reason}");
        assert!(reason.contains(said), "{said}: {reason}");
        assert_eq!(cloud.left(), Vec::<String>::new());
    }
}

/// Each way in which a drill can be cut off: nothing is left after the second sweep.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_drill_however_it_is_cut_off() {
    let all = [
        ("StartRestore", 1, Trouble::Killed),
        ("StartRestore", 1, Trouble::ChildStopped),
        ("StartRestore", 1, Trouble::RunStopped),
        ("StartRestore", 2, Trouble::Killed),
        ("CheckRestore", 1, Trouble::Killed),
        ("CheckRestore", 1, Trouble::ChildStopped),
        ("CheckRestore", 2, Trouble::RunStopped),
        ("EndRestore", 1, Trouble::Killed),
        ("EndRestore", 1, Trouble::ChildStopped),
        ("EndRestore", 1, Trouble::RunStopped),
        ("EndRestore", 2, Trouble::RunStopped),
        ("TearDown", 1, Trouble::RunStopped),
        ("TearDown", 1, Trouble::Killed),
    ];
    for name in ["orders", "billing"] {
        for (state, visit, trouble) in all {
            let world = world(|region| region);
            let cloud = DrillCloud::new(&world, &[("DRILL_CLUSTERS", "full")]).troubled(state, visit, trouble);
            let ended = cloud.run(json!({"only": [name]})).await;
            assert_eq!(
                ended.is_none(),
                trouble == Trouble::RunStopped,
                "{name} {state} {visit} {trouble:?}"
            );
            if trouble != Trouble::RunStopped {
                assert_eq!(
                    cloud.left(),
                    Vec::<String>::new(),
                    "{name} {state} {visit} {trouble:?}: the run tears down"
                );
            }
            // RDS refuses to delete what is being created, so the first sweep may have to leave it.
            cloud.sweep().await;
            let swept = cloud.sweep().await;
            assert_eq!(
                cloud.left(),
                Vec::<String>::new(),
                "{name} {state} {visit} {trouble:?}: {swept}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_a_person_keeps_stays() {
    let world = world(|region| region);
    let cloud = DrillCloud::new(&world, &[]).troubled("CheckRestore", 1, Trouble::RunStopped);
    assert!(cloud.run(json!({"only": ["orders"]})).await.is_none(), "stopped");
    let made = cloud.database("-drill-").expect("a drill database");
    let client = world.client(DESTINATION, "a-person");
    let call = client.remove_tags_from_resource().resource_name(&made.arn);
    call.tag_keys(tags::DRILL_OWNER).send().await.expect("the mark is off");
    for _ in 0..30 {
        let swept = cloud.sweep().await;
        assert_eq!(swept["unmarked"], json!([made.id]));
    }
    assert_eq!(cloud.left(), std::slice::from_ref(&made.id));
    // A drill of the same copy does not touch it either.
    let output = cloud
        .run(json!({"only": ["orders"]}))
        .await
        .expect("not stopped")
        .expect("succeeded");
    assert_eq!(output["counts"]["notRun"], 1, "{output}");
    assert_eq!(cloud.left(), [made.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_in_progress_is_left_to_its_execution_and_ends_when_its_time_is_over() {
    let world = world(|region| region.restore_fate(RestoreFate::ends_as("*-drill-*", "never-ready")));
    let cloud = DrillCloud::new(&world, &[("DRILL_HOURS", "1")]);
    let before = world.now();
    cloud.run(json!({"only": ["orders"]})).await.expect("not stopped").ok();
    let hours = world.now().duration_since(before).as_secs_f64() / 3600.0;
    assert!(hours < 1.5, "{hours} hours");
    let (_, reason) = ending(&cloud, (DatabaseKind::Instance, "orders"));
    assert!(reason.contains("raise DrillHours"), "{reason}");
    assert_eq!(cloud.left(), Vec::<String>::new());
}

/// KeepCopies=1, a drill each week, ten databases, twelve weeks.
#[tokio::test(flavor = "multi_thread")]
async fn in_twelve_weeks_each_of_ten_databases_is_drilled_in_turn() {
    let ids: Vec<String> = (0..10).map(|number| format!("db{number}")).collect();
    let world = world_with(
        |source| source,
        |region| {
            let copies = ids.iter().map(|id| copy(DatabaseKind::Instance, id).seed());
            copies.fold(region.subnet_group(SubnetGroup::new("drills")), Region::snapshot)
        },
    );
    let cloud = DrillCloud::new(&world, &[("DRILL_DATABASES_PER_RUN", "2"), ("OBJECTIVE_HOURS", "8760")]);
    let mut drilled: Vec<Vec<String>> = Vec::new();
    for _ in 0..12 {
        let before = cloud.proofs.borrow().clone();
        cloud.run(json!({})).await.expect("not stopped").expect("succeeded");
        let proofs = cloud.proofs.borrow();
        let now = proofs.iter().filter(|(key, proof)| {
            before
                .get(key)
                .is_none_or(|old| old.copy != proof.copy || old.execution != proof.execution)
        });
        drilled.push(now.map(|((_, resource_id), _)| resource_id.clone()).collect());
        drop(proofs);
        world.advance(Duration::from_hours(7 * 24));
    }
    for id in &ids {
        let resource_id = resource_id(DatabaseKind::Instance, id);
        let weeks: Vec<usize> = (0..12).filter(|week| drilled[*week].contains(&resource_id)).collect();
        assert!(weeks.len() >= 2, "{id}: {weeks:?}");
        assert!(
            weeks[0] < 5 && weeks.windows(2).all(|pair| pair[1] - pair[0] == 5),
            "{id}: {weeks:?}"
        );
    }
    // The copies are still what they were.
    let state = world.state();
    assert_eq!(state.snapshots(DESTINATION).len(), 10);
}
