use domain::kind::DatabaseKind::{Cluster, Instance};
use fixtures::{Measured, database, deployment, metered, world};
use jiff::SignedDuration;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn hours_ago(hours: i64) -> Timestamp {
    NOW - SignedDuration::from_hours(hours)
}

fn aged(kind: DatabaseKind, id: &str, hours: i64) -> Database {
    Database {
        created_at: Some(hours_ago(hours)),
        ..database(kind, id)
    }
}

fn measured(databases: &[Database], copies: &[(&Database, i64)], quotas: &[(DatabaseKind, i64, i64)]) -> Measured {
    let (deployment, measured) = metered(deployment(&world(|region| region)));
    let points = copies
        .iter()
        .map(|(database, hours)| (database.resource_id.clone(), hours_ago(*hours)));
    let quotas = quotas
        .iter()
        .map(|(kind, used, max)| (*kind, Quota { used: *used, max: *max }));
    fleet(
        &deployment,
        &Selected {
            databases: databases.to_vec(),
            without_snapshots: 2,
            ..Selected::default()
        },
        Some(&DestinationCopies::with_recovery_points(points)),
        &quotas.collect(),
        NOW,
    );
    measured
}

#[test]
fn the_age_of_a_database_is_that_of_its_newest_verified_copy_and_without_one_its_own() {
    let (orders, web, fresh) = (
        aged(Instance, "orders", 900),
        aged(Cluster, "web", 900),
        aged(Instance, "new", 2),
    );
    let found = measured(&[orders.clone(), web.clone(), fresh], &[(&orders, 5), (&web, 27)], &[]);
    let lines = found.lines(Metric::RECOVERY_POINT_AGE);
    let ages: Vec<_> = lines
        .iter()
        .map(|line| (&line["Kind"], &line["Database"], &line["RecoveryPointAgeHours"]))
        .collect();
    assert_eq!(
        ages,
        [
            (&json!("instance"), &json!("orders"), &json!(5.0)),
            (&json!("cluster"), &json!("web"), &json!(27.0)),
            (&json!("instance"), &json!("new"), &json!(2.0)),
        ]
    );
    assert_eq!(found.values(Metric::OLDEST_RECOVERY_POINT_AGE), [27.0]);
    assert_eq!(found.values(Metric::DATABASES), [3.0]);
    assert_eq!(found.values(Metric::DATABASES_WITHOUT_COPY), [1.0]);
}

#[test]
fn a_database_that_never_had_a_copy_grows_old_too() {
    let forgotten = aged(Instance, "forgotten", 700);
    let found = measured(&[forgotten], &[], &[]);
    assert_eq!(found.values(Metric::OLDEST_RECOVERY_POINT_AGE), [700.0]);
}

/// Kind 9: the first copy of a new database is pending, and nobody is alarmed about it.
#[test]
fn a_new_database_is_not_the_oldest_until_its_first_copy_is_missed() {
    for (hours, oldest) in [(2, 5.0), (48, 5.0), (49, 49.0)] {
        let (orders, new) = (aged(Instance, "orders", 900), aged(Instance, "new", hours));
        let found = measured(&[orders.clone(), new], &[(&orders, 5)], &[]);
        assert_eq!(found.values(Metric::OLDEST_RECOVERY_POINT_AGE), [oldest], "{hours} h");
        assert_eq!(found.values(Metric::DATABASES_WITHOUT_COPY), [1.0]);
    }
}

#[test]
fn an_empty_fleet_is_measured_too_and_what_makes_no_snapshots_apart() {
    let found = measured(&[], &[], &[]);
    assert_eq!(found.values(Metric::OLDEST_RECOVERY_POINT_AGE), [0.0]);
    assert_eq!(found.values(Metric::DATABASES), [0.0]);
    assert_eq!(found.values(Metric::DATABASES_WITHOUT_SNAPSHOTS), [2.0]);
}

#[test]
fn the_use_of_each_quota_is_measured_apart() {
    let found = measured(&[], &[], &[(Instance, 81, 100), (Cluster, 0, 100)]);
    let lines = found.lines(Metric::SNAPSHOT_QUOTA_USE);
    let uses: Vec<_> = lines
        .iter()
        .map(|line| (&line["Kind"], &line["SnapshotQuotaUse"]))
        .collect();
    assert_eq!(
        uses,
        [(&json!("instance"), &json!(81.0)), (&json!("cluster"), &json!(0.0))]
    );
}
