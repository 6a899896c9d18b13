use fixtures::{CopyBuilder, DESTINATION, KEY, Measured, copy_of, metered_watch, watch_with, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::Region;
use rds_simulator_sdk::simulator::{Action, Calls, Fault};
use serde_json::{Value, json};
use ssm::AllProofs;

use super::*;

/// A verified copy under the key of the stack.
fn verified(id: &str, hours: u32) -> CopyBuilder {
    let resource_id = format!("db-{}", id.to_ascii_uppercase());
    copy_of(id, &resource_id)
        .aged(hours)
        .key(KEY)
        .marked("2026-11-22T11:00:00Z")
}

fn world(copies: impl FnOnce(Region) -> Region) -> World {
    world_with(|source| source, copies)
}

fn lookups(world: &World) -> Lookups<AllProofs> {
    Lookups {
        keys: Keys::new(world.kms_client(DESTINATION, "tests")),
        proofs: AllProofs::new(),
    }
}

fn denied(operation: &str) -> Fault {
    Fault::error(Calls::to(operation), "AccessDenied", "no")
}

async fn measured(world: &World) -> (Report, Measured) {
    let (watch, measured) = metered_watch(watch_with(world, "tests", &[]));
    let answer = handle(&watch, &lookups(world), Input::default(), world.now()).await;
    let Answer::Report(report) = answer.expect("a report") else {
        panic!("evidence that nobody asked for");
    };
    (report, measured)
}

fn sentences(findings: &Findings) -> Vec<String> {
    let all = findings.first.iter();
    all.map(|finding| format!("{} {}: {}", finding.kind, finding.id, finding.reasons.join(" ")))
        .collect()
}

#[tokio::test]
async fn the_newest_verified_copy_of_each_database_is_measured_without_the_source_region() {
    let world = world(|region| {
        region
            .snapshot(verified("orders", 29).seed())
            .snapshot(verified("orders", 5).seed())
            .snapshot(copy_of("orders", "db-ORDERS").aged(1).key(KEY).seed())
            .snapshot(verified("billing", 27).kind(DatabaseKind::Cluster).seed())
            .snapshot(copy_of("new", "db-NEW").aged(2).key(KEY).seed())
            .snapshot(verified("foreign", 400).named("somebody-elses").seed())
    });
    world.fault(Fault::new(
        Calls::default().in_region(fixtures::SOURCE),
        Action::Status(503),
    ));
    let (report, measured) = measured(&world).await;
    assert_eq!((report.databases, report.without_copy, report.left_behind), (3, 1, 0));
    assert_eq!(measured.values(Metric::OLDEST_RECOVERY_POINT_AGE), [27.0]);
    assert_eq!(measured.values(Metric::DATABASES), [3.0]);
    assert_eq!(measured.values(Metric::DATABASES_WITHOUT_COPY), [1.0]);
    assert_eq!(measured.values(Metric::UNRESTORABLE_COPIES), [0.0], "{report:?}");
    let ages: Vec<Value> = measured
        .lines(Metric::RECOVERY_POINT_AGE)
        .iter()
        .map(|line| {
            json!([
                line["Stack"],
                line["Kind"],
                line["Database"],
                line["RecoveryPointAgeHours"]
            ])
        })
        .collect();
    assert_eq!(
        ages,
        [
            json!(["snapferry-watch", "cluster", "billing", 27.0]),
            json!(["snapferry-watch", "instance", "orders", 5.0])
        ]
    );
}

#[tokio::test]
async fn a_copy_that_could_not_be_restored_is_named_with_what_is_missing() {
    let world = world(|region| {
        region.snapshot(verified("orders", 5).seed()).snapshot(
            verified("billing", 6)
                .kind(DatabaseKind::Cluster)
                .key(fixtures::OTHER_KEY)
                .seed(),
        )
    });
    world.disable_key(DESTINATION, KEY);
    let (report, measured) = measured(&world).await;
    assert_eq!(
        sentences(&report.unrestorable),
        [format!(
            "instance orders: The key of the copy cannot be used: {KEY} is Disabled."
        )]
    );
    assert_eq!(measured.values(Metric::UNRESTORABLE_COPIES), [1.0]);
}

/// What could not be looked up is no good news, and no bad one.
#[tokio::test]
async fn what_is_not_known_is_counted_apart() {
    let world = world(|region| region.snapshot(verified("orders", 5).seed()));
    world.fault(denied("DescribeOrderableDBInstanceOptions"));
    let (report, measured) = measured(&world).await;
    assert_eq!((report.unrestorable.count, report.unknown.count), (0, 1));
    assert_eq!(measured.values(Metric::RESTORABILITY_UNKNOWN), [1.0]);
    let said = sentences(&report.unknown);
    assert!(
        said[0].contains("is offered in eu-west-1 is not known: AccessDenied"),
        "{said:?}"
    );
}

#[tokio::test]
async fn each_engine_and_version_is_asked_for_once_and_the_answer_names_twenty() {
    let world = world(|region| {
        let ids = (0..25).map(|number| format!("orders-{number:02}"));
        ids.fold(region, |region, id| region.snapshot(verified(&id, 5).seed()))
    });
    world.disable_key(DESTINATION, KEY);
    let (report, _) = measured(&world).await;
    assert_eq!((report.unrestorable.count, report.unrestorable.first.len()), (25, 20));
    for call in [
        "DescribeOrderableDBInstanceOptions",
        "DescribeKey",
        "DescribeAccountAttributes",
    ] {
        assert_eq!(world.calls(call), 1, "{call}");
    }
}

/// The destination region cannot know which databases were deleted.
#[tokio::test]
async fn a_database_without_a_new_copy_for_a_fortnight_is_left_behind() {
    let world = world(|region| {
        region
            .snapshot(verified("orders", 5).seed())
            .snapshot(verified("deleted", 900).key(fixtures::OTHER_KEY).seed())
    });
    world.disable_key(DESTINATION, fixtures::OTHER_KEY);
    let (report, measured) = measured(&world).await;
    assert_eq!(
        (report.databases, report.left_behind, report.unrestorable.count),
        (1, 1, 0)
    );
    assert_eq!(measured.values(Metric::OLDEST_RECOVERY_POINT_AGE), [5.0]);
    assert_eq!(measured.values(Metric::DATABASES_LEFT_BEHIND), [1.0]);
}

/// Missing data is an alarm of its own: nothing is said of an age that there is not.
#[tokio::test]
async fn without_copies_no_age_is_measured_and_without_an_answer_nothing_is() {
    let world = world(|region| region);
    let (report, measured) = measured(&world).await;
    assert_eq!((report.databases, report.oldest_hours), (0, None));
    assert!(measured.values(Metric::OLDEST_RECOVERY_POINT_AGE).is_empty());
    assert_eq!(measured.values(Metric::DATABASES), [0.0]);

    world.fault(denied("DescribeDBSnapshots"));
    let (watch, measured) = metered_watch(watch_with(&world, "tests", &[]));
    let answer = handle(&watch, &lookups(&world), Input::default(), world.now()).await;
    let error = answer.expect_err("denied");
    assert_eq!(error.name(), "AccessDenied");
    assert!(measured.values(Metric::DATABASES).is_empty());
}

#[test]
fn its_input_is_empty_or_asks_for_a_part_of_the_evidence() {
    assert!(serde_json::from_value::<Input>(json!({})).is_ok());
    assert!(serde_json::from_value::<Input>(json!({"evidence": {"part": 1}})).is_ok());
    assert!(serde_json::from_value::<Input>(json!({"evidence": {}})).is_err());
}
