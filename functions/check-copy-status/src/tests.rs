use std::time::Duration;

use domain::kind::DatabaseKind;
use domain::payload::{Decision, Source, Wait};
use fixtures::{DESTINATION, KEY, OTHER_KEY, SOURCE, deployment, metered, target, world};
use rds::{CopyRequest, SnapshotQuery};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Becomes, Database};
use rds_simulator_sdk::simulator::{Action, Calls, Fault};

use super::*;

fn orders() -> Database {
    Database::new("orders")
        .encrypted_with("alias/aws/rds")
        .size_gib(100)
        .snapshots_aged([3.0])
}

/// Starts the copy of the newest snapshot as start-copy does.
async fn start(world: &World, kind: DatabaseKind, id: &str) -> Started {
    let deployment = deployment(world);
    let target = target(world, kind, id);
    let which = SnapshotQuery::OfDatabase {
        resource_id: &target.resource_id,
        database_id: &target.id,
        snapshot_type: "automated",
    };
    let snapshots = deployment.source.snapshots(kind, which).await.expect("snapshots");
    let snapshot = &snapshots[0];
    let now = world.now();
    let created = snapshot.captured_at().expect("a time");
    let copy = fixtures::copy_of(&target.id, &target.resource_id)
        .source(&snapshot.arn)
        .created(created)
        .key(KEY);
    let request = CopyRequest {
        kind,
        source_arn: snapshot.arn.clone(),
        id: copy.id(),
        kms_key_arn: Some(KEY.to_owned()),
        option_group: None,
        presigned: false,
        tags: copy.tags(),
    };
    let copy = deployment.destination.copy(&request, now).await.expect("a copy");
    Started {
        target,
        former_ids: Vec::new(),
        decision: Decision::Copy,
        outcome: Outcome::Pending,
        reason: String::new(),
        warnings: Vec::new(),
        source: Source {
            id: snapshot.id.clone(),
            arn: snapshot.arn.clone(),
            created_at: created,
            data_time: snapshot.data_time,
            engine: snapshot.engine.clone(),
            engine_version: snapshot.engine_version.clone(),
            encryption: snapshot.encryption,
            kms_key_arn: None,
            size_gib: snapshot.size_gib,
            written_gib: snapshot.written_gib(),
        },
        copy: domain::payload::CopyRef {
            id: copy.id,
            arn: copy.arn,
            region: DESTINATION.to_owned(),
            kms_key_arn: Some(KEY.to_owned()),
            requested_at: now,
            attempt: 0,
        },
        verified_copies: None,
        wait: Wait::first("snap-orders"),
    }
}

async fn check(world: &World, started: Started) -> Result<Checked, Error> {
    handle(&deployment(world), started, world.now()).await
}

fn mark(world: &World, id: &str) -> Option<String> {
    world
        .snapshot(DESTINATION, id)
        .expect("a copy")
        .tags
        .get(tags::VERIFIED)
        .cloned()
}

/// Looks until the copy is done, waiting as the state machine does; each output is the next input, through JSON.
async fn follow(world: &World, mut started: Started) -> Result<Checked, Error> {
    loop {
        world.advance(Duration::from_secs(started.wait.seconds));
        let checked = check(world, started).await?;
        if checked.status.state == CopyState::Verified {
            return Ok(checked);
        }
        let json = serde_json::to_value(&checked).expect("JSON");
        started = runtime::input::parse(json).expect("its own output is its input");
    }
}

#[tokio::test]
async fn a_copy_is_followed_to_its_end_and_marked_as_verified() {
    for kind in DatabaseKind::ALL {
        let world = world(|region| match kind {
            DatabaseKind::Instance => region.instance(orders().copies_take(7200.0)),
            DatabaseKind::Cluster => region.cluster(orders().copies_take(7200.0)),
        });
        let started = start(&world, kind, "orders").await;
        let requested = world.now();
        let checked = follow(&world, started).await.expect("verified");
        let lag = world.now().duration_since(requested).as_secs() - 7200;
        assert!(lag <= 720, "{kind}: noticed {lag} s late");
        assert!(
            checked.started.wait.polls <= 50,
            "{kind}: {} looks",
            checked.started.wait.polls
        );
        assert_eq!(checked.started.outcome, Outcome::Copied);
        assert_eq!(checked.status.percent, 100);
        let verification = checked.verification.expect("a verification");
        assert!(verification.agree.contains(&"key".to_owned()), "{verification:?}");
        assert_eq!(mark(&world, &checked.started.copy.id), Some(world.now().to_string()));
    }
}

#[tokio::test]
async fn a_copy_in_progress_reports_how_far_it_is() {
    let world = world(|region| region.instance(orders().copies_take(7200.0)));
    let started = start(&world, DatabaseKind::Instance, "orders").await;
    world.advance(Duration::from_hours(1));
    let checked = check(&world, started).await.expect("checked");
    assert_eq!(checked.status.state, CopyState::Copying);
    assert_eq!(checked.status.percent, 50);
    assert_eq!(checked.status.remaining_seconds, Some(3600));
    assert_eq!(checked.started.wait.seconds, 360);
    assert_eq!(checked.started.outcome, Outcome::Pending);
}

#[tokio::test]
async fn checking_a_verified_copy_again_keeps_its_mark() {
    let world = world(|region| region.instance(orders()));
    let started = start(&world, DatabaseKind::Instance, "orders").await;
    world.finish_copies();
    let first = check(&world, started.clone()).await.expect("verified");
    let marked = mark(&world, &first.started.copy.id);
    world.advance(Duration::from_mins(10));
    let writes = world.writes().len();
    check(&world, started).await.expect("verified");
    assert_eq!(mark(&world, &first.started.copy.id), marked);
    assert_eq!(world.writes().len(), writes, "nothing is written the second time");
}

#[tokio::test]
async fn a_copy_that_is_not_what_was_asked_for_is_marked_and_never_good() {
    for (becomes, says) in [
        (
            Becomes {
                kms_key: Some(OTHER_KEY.to_owned()),
                ..Becomes::default()
            },
            "its key is",
        ),
        (
            Becomes {
                engine_version: Some("1.0".to_owned()),
                ..Becomes::default()
            },
            "its engine version is 1.0",
        ),
        (
            Becomes {
                allocated_storage: Some(7),
                ..Becomes::default()
            },
            "its size is 7 GiB instead of 100 GiB",
        ),
    ] {
        let world = world(|region| region.instance(orders().copies_become(becomes, 1)));
        let started = start(&world, DatabaseKind::Instance, "orders").await;
        world.finish_copies();
        let error = check(&world, started.clone()).await.expect_err(says);
        assert_eq!(error.name(), "CopyMismatch");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(mark(&world, &started.copy.id).as_deref(), Some(tags::MISMATCH));
        let again = check(&world, started).await.expect_err("still a mismatch");
        assert_eq!(again.name(), "CopyMismatch");
    }
}

#[tokio::test]
async fn a_failed_a_vanished_and_an_overdue_copy_are_named_as_such() {
    let world = world(|region| {
        region
            .instance(orders().copies_fail(40, 1))
            .instance(
                Database::new("stuck")
                    .encrypted_with("alias/aws/rds")
                    .snapshots_aged([3.0])
                    .copies_take(1e9),
            )
            .instance(
                Database::new("gone")
                    .encrypted_with("alias/aws/rds")
                    .snapshots_aged([3.0]),
            )
    });
    let failing = start(&world, DatabaseKind::Instance, "orders").await;
    let stuck = start(&world, DatabaseKind::Instance, "stuck").await;
    let gone = start(&world, DatabaseKind::Instance, "gone").await;
    deployment(&world)
        .destination
        .delete(DatabaseKind::Instance, &gone.copy.id)
        .await
        .expect("deleted");
    let missing = check(&world, gone).await.expect_err("gone");
    assert_eq!(missing.name(), "CopyMissing");

    world.advance(Duration::from_hours(71));
    let failed = check(&world, failing).await.expect_err("failed");
    assert_eq!(failed.name(), "CopyFailed");
    assert!(failed.to_string().contains("as failed"), "{failed}");
    assert_eq!(
        check(&world, stuck.clone()).await.expect("still in time").status.state,
        CopyState::Copying
    );
    world.advance(Duration::from_hours(2));
    let overdue = check(&world, stuck).await.expect_err("overdue");
    assert_eq!(overdue.name(), "CopyOverdue");
    assert!(overdue.to_string().contains("after more than 72 hours"), "{overdue}");
}

#[tokio::test]
async fn a_snapshot_that_is_not_ours_is_never_marked() {
    let world = world(|region| region.instance(orders()));
    let started = start(&world, DatabaseKind::Instance, "orders").await;
    world.finish_copies();
    let client = world.client(DESTINATION, "mallory");
    client
        .remove_tags_from_resource()
        .resource_name(&started.copy.arn)
        .tag_keys(tags::OWNER)
        .send()
        .await
        .expect("removed");
    assert_eq!(
        check(&world, started.clone()).await.expect_err("foreign").name(),
        "NameTaken"
    );
    assert_eq!(mark(&world, &started.copy.id), None);
    assert!(world.snapshot(SOURCE, &started.source.id).is_some());
}

#[tokio::test]
async fn an_unknown_status_means_wait() {
    let world = world(|region| region.instance(orders().copies_take(7200.0)));
    let started = start(&world, DatabaseKind::Instance, "orders").await;
    for status in ["pending", "creating", "rebalancing"] {
        let snapshot = deployment(&world)
            .destination
            .snapshot(DatabaseKind::Instance, &started.copy.id, "manual")
            .await
            .expect("described")
            .expect("a copy");
        let odd = Snapshot {
            status: status.to_owned(),
            ..snapshot
        };
        let checked = keep_waiting(
            &deployment(&world),
            started.clone(),
            &odd.status,
            odd.percent,
            world.now(),
        )
        .expect("waits");
        assert_eq!(checked.status.state, CopyState::Copying);
        assert_eq!(odd.completion(), Completion::Unfinished);
    }
}

#[tokio::test]
async fn a_copy_is_measured_once_when_it_is_verified() {
    let world = world(|region| region.instance(orders().copies_take(3600.0)));
    let (deployment, measured) = metered(deployment(&world));
    let started = start(&world, DatabaseKind::Instance, "orders").await;
    for _ in 0..3 {
        world.advance(Duration::from_mins(50));
        handle(&deployment, started.clone(), world.now())
            .await
            .expect("checked");
    }
    assert_eq!(measured.values(Metric::COPIES_COMPLETED), [1.0]);
    assert_eq!(measured.values(Metric::COPY_DURATION), [6000.0]);
    assert_eq!(measured.values(Metric::COPIED_GIGABYTES), [100.0]);
    let [age] = &measured.lines(Metric::RECOVERY_POINT_AGE)[..] else {
        panic!("one line")
    };
    assert_eq!(age["Database"], "orders");
    let hours = age["RecoveryPointAgeHours"].as_f64().expect("a number");
    assert!((hours - 3.0 - 100.0 / 60.0).abs() < 1e-6, "{hours}");
}

/// Kind 14: of a replica that lags the data is older than its snapshot, and what was written is not what was allocated.
#[tokio::test]
async fn the_age_that_is_measured_is_that_of_the_data_and_the_size_is_what_was_written() {
    let snapshot = rds_simulator_sdk::scenario::Snapshot {
        database_time_age_hours: Some(8.0),
        full_snapshot_size_bytes: Some(7 << 30),
        ..rds_simulator_sdk::scenario::Snapshot::automated(3.0)
    };
    let lagging = Database::new("orders")
        .encrypted_with("alias/aws/rds")
        .size_gib(100)
        .snapshot(snapshot)
        .copies_take(3600.0);
    let world = world(|region| region.instance(lagging));
    let (deployment, measured) = metered(deployment(&world));
    let started = start(&world, DatabaseKind::Instance, "orders").await;
    world.advance(Duration::from_hours(1));
    let checked = handle(&deployment, started, world.now()).await.expect("verified");
    assert!(checked.started.warnings.is_empty(), "{:?}", checked.started.warnings);
    let agree = checked.verification.expect("a verification").agree;
    assert!(agree.contains(&"data size".to_owned()), "{agree:?}");
    assert_eq!(measured.values(Metric::COPIED_GIGABYTES), [7.0]);
    let [age] = &measured.lines(Metric::RECOVERY_POINT_AGE)[..] else {
        panic!("one line")
    };
    let hours = age["RecoveryPointAgeHours"].as_f64().expect("a number");
    assert!((hours - 9.0).abs() < 1e-3, "{hours}");
}

#[tokio::test]
async fn a_copy_of_which_nothing_comes_is_measured_and_a_poll_that_fails_is_not() {
    let world = world(|region| region.instance(orders()));
    let (deployment, measured) = metered(deployment(&world));
    let started = start(&world, DatabaseKind::Instance, "orders").await;
    world.fault(Fault::error(
        Calls::to("DescribeDBSnapshots"),
        "Throttling",
        "Rate exceeded",
    ));
    let error = handle(&deployment, started.clone(), world.now()).await;
    assert_eq!(error.expect_err("throttled").name(), "Throttled");
    assert!(measured.values(Metric::COPIES_FAILED).is_empty());
    world.clear_faults();
    let gone = Started {
        copy: domain::payload::CopyRef {
            id: "snap-orders-gone".to_owned(),
            ..started.copy.clone()
        },
        ..started
    };
    world.advance(Duration::from_mins(11));
    let error = handle(&deployment, gone, world.now()).await;
    assert_eq!(error.expect_err("gone").name(), "CopyMissing");
    let [line] = &measured.lines(Metric::COPIES_FAILED)[..] else {
        panic!("one line")
    };
    assert_eq!(
        (&line["Copy"], &line["Error"]),
        (&"snap-orders-gone".into(), &"CopyMissing".into())
    );
}

/// RDS is eventually consistent: a copy that it has accepted may be missing from its answers for a while, which is no end
/// of it. A copy that is missing from one answer only is asked for again.
#[tokio::test]
async fn a_copy_that_rds_does_not_list_yet_is_waited_for() {
    let world = world(|region| region.instance(orders()));
    let started = start(&world, DatabaseKind::Instance, "orders").await;
    let missing = Fault::new(
        Calls::to("DescribeDBSnapshots"),
        Action::Missing(started.copy.id.clone()),
    );
    world.fault(missing.clone());
    let checked = check(&world, started.clone()).await.expect("waits");
    assert_eq!((checked.status.state, checked.status.percent), (CopyState::Copying, 0));
    assert!(checked.started.wait.waited_seconds > started.wait.waited_seconds);

    world.advance(Duration::from_mins(11));
    let error = check(&world, started.clone()).await.expect_err("missing for long");
    assert_eq!(error.name(), "CopyMissing");

    world.clear_faults();
    world.fault(missing.times(1));
    let checked = check(&world, started).await.expect("found when it is asked for again");
    assert!(checked.status.percent > 0 || checked.verification.is_some());
}
