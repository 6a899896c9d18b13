//! Databases that come and go, as tests of the functions use them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata;
use aws_sdk_rds::types::{SourceType, Tag};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{
    Database, DatabaseQuota, NotOffered, ParameterGroup, RestoreFate, Scenario, Snapshot, SubnetGroup,
};
use rds_simulator_sdk::simulator::{Calls, Fault, Kind};

const REGION: &str = "eu-central-1";

fn world() -> World {
    World::new(&Scenario::new().region(REGION, |region| {
        region
            .subnet_group(SubnetGroup::new("drills").vpc("vpc-1").zones(["eu-central-1a"]))
            .subnet_group(SubnetGroup::new("far").zones(["eu-central-1d"]))
            .parameter_group(ParameterGroup::new(Kind::Instance, "tuned", "postgres17"))
            .database_quota(DatabaseQuota {
                instances: 3,
                ..DatabaseQuota::default()
            })
            .not_offered(NotOffered::version("postgres", "11.*"))
            .offers(["db.t4g.micro"])
            .restore_fate(RestoreFate::ends_as("acme-drill-bad*", "restore-error"))
            .instance(Database::new("orders").snapshot(Snapshot::manual("copy", 5.0)))
    }))
}

async fn restore(rds: &Client, id: &str) -> Result<(), String> {
    rds.restore_db_instance_from_db_snapshot()
        .db_instance_identifier(id)
        .db_snapshot_identifier("copy")
        .db_instance_class("db.t4g.micro")
        .db_subnet_group_name("drills")
        .vpc_security_group_ids("sg-1")
        .publicly_accessible(false)
        .backup_retention_period(0)
        .tags(Tag::builder().key("drill").value("acme").build())
        .send()
        .await
        .map(|_| ())
        .map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

async fn delete(rds: &Client, id: &str) -> Result<(), String> {
    rds.delete_db_instance()
        .db_instance_identifier(id)
        .skip_final_snapshot(true)
        .delete_automated_backups(true)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

#[tokio::test]
async fn a_database_is_restored_described_and_deleted_and_leaves_nothing_but_its_bill() {
    let world = world();
    let rds = world.client(REGION, "start-restore");
    restore(&rds, "acme-drill-1").await.unwrap();
    let status = || {
        world
            .database(REGION, Kind::Instance, "acme-drill-1")
            .map(|found| found.status)
    };
    assert_eq!(status().as_deref(), Some("creating"));
    world.finish_databases();
    assert_eq!(status().as_deref(), Some("available"));
    let found = rds
        .describe_db_instances()
        .db_instance_identifier("acme-drill-1")
        .send()
        .await
        .unwrap();
    let database = &found.db_instances()[0];
    let group = database.db_subnet_group().unwrap();
    assert_eq!(
        (group.db_subnet_group_name(), group.vpc_id()),
        (Some("drills"), Some("vpc-1"))
    );
    assert_eq!(database.vpc_security_groups()[0].vpc_security_group_id(), Some("sg-1"));
    assert_eq!(database.publicly_accessible(), Some(false));
    assert_eq!(database.storage_operation_status(), Some("Initializing"));
    rds.modify_db_instance()
        .db_instance_identifier("acme-drill-1")
        .manage_master_user_password(true)
        .send()
        .await
        .unwrap();
    assert!(
        world
            .database(REGION, Kind::Instance, "acme-drill-1")
            .unwrap()
            .has_secret
    );
    world.advance(Duration::from_mins(20));
    delete(&rds, "acme-drill-1").await.unwrap();
    assert_eq!(
        delete(&rds, "acme-drill-1").await,
        Err("InvalidDBInstanceState".to_owned())
    );
    world.finish_databases();
    assert_eq!(status(), None);
    let backups = rds
        .describe_db_instance_automated_backups()
        .db_instance_identifier("acme-drill-1")
        .send()
        .await
        .unwrap();
    assert!(backups.db_instance_automated_backups().is_empty());
    let [bill] = world.bills().try_into().unwrap();
    assert!((20.0..20.1).contains(&bill.billed_minutes), "{bill:?}");
    assert!(!bill.exists);
    let events = rds
        .describe_events()
        .source_type(SourceType::DbInstance)
        .source_identifier("acme-drill-1")
        .duration(120)
        .send()
        .await
        .unwrap();
    assert_eq!(events.events().len(), 2);
}

#[tokio::test]
async fn restores_end_badly_or_are_refused_as_a_test_wants_it() {
    let world = world();
    let rds = world.client(REGION, "start-restore");
    world.restore_fate(REGION, RestoreFate::ends_as("acme-drill-odd", "unheard-of").times(1));
    restore(&rds, "acme-drill-bad").await.unwrap();
    restore(&rds, "acme-drill-odd").await.unwrap();
    world.finish_databases();
    for (id, status) in [("acme-drill-bad", "restore-error"), ("acme-drill-odd", "unheard-of")] {
        assert_eq!(world.database(REGION, Kind::Instance, id).unwrap().status, status);
    }
    assert_eq!(restore(&rds, "c").await, Err("InstanceQuotaExceeded".to_owned()));
    let calls = Calls::to("RestoreDBInstanceFromDBSnapshot");
    world.fault(Fault::error(calls, "InsufficientDBInstanceCapacity", ""));
    let refused = rds
        .restore_db_instance_from_db_snapshot()
        .db_instance_identifier("d")
        .db_snapshot_identifier("copy")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(refused.is_insufficient_db_instance_capacity_fault());
}

#[tokio::test]
async fn what_a_restore_needs_can_be_asked_for() {
    let world = world();
    let rds = world.client(REGION, "plan-drills");
    let groups = rds
        .describe_db_subnet_groups()
        .db_subnet_group_name("drills")
        .send()
        .await
        .unwrap();
    let zone = groups.db_subnet_groups()[0].subnets()[0].subnet_availability_zone();
    assert_eq!(zone.and_then(|zone| zone.name()), Some("eu-central-1a"));
    let unknown = rds
        .describe_db_subnet_groups()
        .db_subnet_group_name("nothing")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(unknown.is_db_subnet_group_not_found_fault());
    let parameters = rds
        .describe_db_parameter_groups()
        .db_parameter_group_name("tuned")
        .send()
        .await
        .unwrap();
    assert_eq!(
        parameters.db_parameter_groups()[0].db_parameter_group_family(),
        Some("postgres17")
    );
    for (version, rows) in [("17.6", 4), ("11.22", 0)] {
        let offers = rds
            .describe_orderable_db_instance_options()
            .engine("postgres")
            .engine_version(version)
            .vpc(true)
            .send()
            .await
            .unwrap();
        assert_eq!(offers.orderable_db_instance_options().len(), rows, "{version}");
    }
}
