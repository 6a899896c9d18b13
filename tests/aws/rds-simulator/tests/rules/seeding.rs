//! What a scenario may say, and what it means.

use domain::ownership::{CopyIdentity, Format, Owner};
use rds_simulator::scenario::{Fleet, Scenario};
use serde_json::{Value, json};

use crate::harness::{DESTINATION, Harness, SOURCE};

fn refused(scenario: Value) -> String {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    Scenario::from_value(scenario)
        .and_then(|scenario| rds_simulator::Simulator::new(now).seed(now, &scenario))
        .unwrap_err()
        .to_string()
}

fn with_instance(instance: &Value) -> Value {
    json!({ "regions": { SOURCE: { "instances": [instance] } } })
}

#[test]
fn a_scenario_that_cannot_be_is_refused_with_the_place() {
    for (scenario, says) in [
        (json!({ "region": {} }), "region"),
        (
            json!({ "regions": { "Ireland": {} } }),
            "\"Ireland\" is not the name of a region",
        ),
        (
            with_instance(&json!({ "id": "a", "members": 2 })),
            "regions.eu-west-1.instances[0] (a): members",
        ),
        (
            with_instance(&json!({ "id": "a", "encrypted": false, "kmsKey": "alias/aws/rds" })),
            "contradict",
        ),
        (
            with_instance(&json!({ "id": "a", "storageEncryptionType": "aes" })),
            "none, sse-kms or sse-rds",
        ),
        (
            with_instance(&json!({ "id": "a", "snapshots": [{ "ageHours": 1, "createdAt": "2026-01-01T00:00:00Z" }] })),
            "either ageHours or createdAt",
        ),
        (
            with_instance(&json!({ "id": "a", "snapshots": [{ "type": "manual" }] })),
            "snapshots[0]: id is missing",
        ),
        (
            with_instance(&json!({ "id": "a", "snapshots": [{ "id": "b", "type": "automated" }] })),
            "is not a name for a snapshot of type automated",
        ),
        (
            with_instance(&json!({ "id": "a", "snapshots": [{ "ageHours": 1 }, { "ageHours": 1 }] })),
            "already",
        ),
        (
            with_instance(&json!({ "id": "a", "copies": { "failAtPercent": 1, "vanishAtPercent": 2 } })),
            "either failAtPercent",
        ),
        (
            with_instance(&json!({ "id": "a", "tags": { "t": "{tomorrow}" } })),
            "{time:HOURS}",
        ),
        (
            json!({ "regions": { SOURCE: { "kmsKeys": [{ "id": "arn:aws:kms:eu-north-1:123456789012:key/1" }] } } }),
            "not the ARN of a key in eu-west-1",
        ),
        (
            json!({ "regions": { SOURCE: { "snapshots": [{ "kind": "instance", "id": "x" }] } } }),
            "database is missing",
        ),
        (json!({ "timeScale": 0 }), "time scale"),
        (
            json!({ "callers": { "k": { "arn": "a", "policies": [{}] } } }),
            "Version is missing",
        ),
    ] {
        let message = refused(scenario);
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn keys_option_groups_and_global_clusters_that_cannot_be_are_refused_with_the_place() {
    for (scenario, says) in [
        (
            with_instance(&json!({ "id": "a", "globalCluster": "world" })),
            "(a): members",
        ),
        (
            with_instance(&json!({ "id": "a", "optionGroup": "default:postgres-17", "permanentOptions": ["X"] })),
            "default:postgres-17 does not hold X as a permanent option",
        ),
        (
            with_instance(&json!({ "id": "a", "optionGroup": "default:mysql-8-4" })),
            "is for mysql, not for postgres",
        ),
        (
            with_instance(&json!({ "id": "a", "optionGroup": "a--b" })),
            "optionGroup \"a--b\"",
        ),
        (
            json!({ "regions": { SOURCE: { "optionGroups": [{ "name": "a", "engine": "mysql" },
                                                           { "name": "A", "engine": "mysql" }] } } }),
            "optionGroups[1] (A): there is an option group",
        ),
        (
            json!({ "regions": { SOURCE: { "optionGroups": [{ "name": "default:a-1", "engine": "a" }] } } }),
            "optionGroups[0]",
        ),
        (
            json!({ "regions": { SOURCE: { "kmsKeys": [{ "id": "1", "state": "Lost" }] } } }),
            "kmsKeys[0]: state \"Lost\"",
        ),
        (
            json!({ "regions": { SOURCE: { "kmsKeys": [{ "id": "1", "state": "Enabled", "enabled": false }] } } }),
            "contradict",
        ),
        (
            json!({ "regions": { SOURCE: { "kmsKeys": [{ "id": "1", "keyUsage": "ANY" }] } } }),
            "keyUsage \"ANY\"",
        ),
        (
            json!({ "regions": { SOURCE: { "kmsKeys": [{ "id": "1", "aliases": ["alias/a"] },
                                                      { "id": "2", "aliases": ["alias/a"] }] } } }),
            "that of another key",
        ),
        (
            json!({ "regions": {
                SOURCE: { "clusters": [{ "id": "a", "globalCluster": "g", "globalWriter": true }] },
                DESTINATION: { "clusters": [{ "id": "b", "globalCluster": "G", "globalWriter": true }] }
            } }),
            "the global cluster g has the writer",
        ),
        (
            json!({ "regions": { SOURCE: { "clusters": [{ "id": "a", "globalWriter": true }] } } }),
            "a globalCluster",
        ),
    ] {
        let reason = refused(scenario);
        assert!(reason.contains(says), "{reason}");
    }
}

#[test]
fn resource_ids_are_made_from_names_and_are_the_same_every_time() {
    let id = |region: &str| {
        let mut lab = Harness::new(json!({ "regions": { region: { "instances": [{ "id": "orders" }] } } }));
        let state = lab.simulator.state(lab.now);
        state.database(region, "orders").unwrap().resource_id.clone()
    };
    assert_eq!(id(SOURCE), id(SOURCE));
    assert_ne!(id(SOURCE), id(DESTINATION));
    let made = id(SOURCE);
    assert!(made.starts_with("db-") && made.len() == 29, "{made}");
}

#[test]
fn a_snapshot_takes_what_it_does_not_say_from_its_source_or_its_database() {
    let mut lab = Harness::new(json!({ "regions": {
        SOURCE: { "instances": [
            { "id": "orders", "engine": "mysql", "engineVersion": "8.0.1", "encrypted": true, "allocatedStorage": 33,
              "snapshots": [{ "ageHours": 3 }] }] },
        DESTINATION: {
            "kmsKeys": [{ "id": "2222" }],
            "snapshots": [
                { "kind": "instance", "id": "copy", "kmsKey": "2222",
                  "sourceArn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-{stamp:3}",
                  "tags": { "made": "{time:3}" } },
                { "kind": "instance", "id": "lonely", "database": "gone", "engine": "mariadb" }] }
    } }));
    let copy = lab.snapshot(DESTINATION, "copy").unwrap();
    assert_eq!(
        (
            copy.engine.as_str(),
            copy.engine_version.as_str(),
            copy.allocated_storage
        ),
        ("mysql", "8.0.1", 33)
    );
    assert_eq!(copy.database, "orders");
    assert_eq!(
        copy.kms_key.as_deref(),
        Some("arn:aws:kms:eu-central-1:123456789012:key/2222")
    );
    assert_eq!(copy.tags["made"], "2026-11-22T09:00:00Z");
    assert_eq!(copy.original_created_at, Some("2026-11-22T09:00:00Z".parse().unwrap()));
    let lonely = lab.snapshot(DESTINATION, "lonely").unwrap();
    assert_eq!(lonely.engine_version, "11.8.3");
    assert_eq!(lonely.storage_encryption_type, "none");
}

#[test]
fn a_copy_of_ours_is_named_by_its_tags_once_the_placeholders_are_filled_in() {
    const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/2222";
    let copy = |attempt: u32, format: Option<&str>| {
        let mut tags = json!({
            "snapferry:owner": "eu-west-1/acme",
            "snapferry:source-arn": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:books-{stamp:27}",
            "snapferry:source-created": "{time:27}",
            "snapferry:source-resource-id": "db-BOOKS",
            "snapferry:kms-key": KEY,
            "snapferry:copy-kms-key": KEY,
        });
        if let Some(format) = format {
            tags["snapferry:format"] = json!(format);
        }
        json!({ "regions": { DESTINATION: { "snapshots": [
            { "kind": "instance", "id": "acme-books-27h", "database": "books", "ageHours": 26,
              "copyOf": { "attempt": attempt }, "tags": tags }
        ] } } })
    };
    for (attempt, tag, format) in [(0, None, Format::V1), (2, None, Format::V1), (1, Some("2"), Format::V2)] {
        let mut lab = Harness::new(copy(attempt, tag));
        let state = lab.simulator.state(lab.now);
        let found = &state.snapshots(DESTINATION)[0];
        let named = Owner::new("eu-west-1", "acme").copy_id(&CopyIdentity {
            format,
            source_arn: "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:books-2026-11-21-09-00",
            source_created: found.tags["snapferry:source-created"].parse().expect("a time"),
            source_resource_id: "db-BOOKS",
            kms_key_arn: Some(KEY),
            attempt,
        });
        assert_eq!(
            (found.id.as_str(), found.alias.as_deref()),
            (named.as_str(), Some("acme-books-27h"))
        );
    }
    assert!(refused(copy(0, Some("9"))).contains("snapferry:format 9"));
    let mut bare = copy(0, None);
    bare["regions"][DESTINATION]["snapshots"][0]["tags"] = json!({ "snapferry:owner": "eu-west-1/acme" });
    assert!(refused(bare).contains("copyOf needs the tag snapferry:source-arn"));
}

#[test]
fn a_large_fleet_is_one_line() {
    let mut fleet = Fleet::new(SOURCE, DESTINATION, 150, 20);
    fleet.id_length = 63;
    let mut lab = Harness::from_scenario(&fleet.scenario());
    let state = lab.simulator.state(lab.now);
    assert_eq!(state.regions[SOURCE].databases.len(), 150 + 20 + 20);
    assert_eq!(state.snapshots(SOURCE).len(), 2 * 170);
    assert!(
        state.regions[SOURCE]
            .databases
            .iter()
            .filter(|d| d.cluster.is_none())
            .all(|d| d.id.len() == 63)
    );
}

#[test]
fn adding_keeps_what_is_there_and_a_wrong_addition_changes_nothing() {
    let mut lab = Harness::new(with_instance(&json!({ "id": "a", "snapshots": [{ "ageHours": 3 }] })));
    let more = Scenario::from_value(with_instance(&json!({ "id": "b", "snapshots": [{ "ageHours": 1 }] }))).unwrap();
    lab.simulator.add(lab.now, &more).unwrap();
    assert_eq!(lab.simulator.state(lab.now).snapshots(SOURCE).len(), 2);
    let wrong = Scenario::from_value(json!({ "regions": { SOURCE: { "instances": [{ "id": "c" }, { "id": "a" }] } } }));
    assert!(lab.simulator.add(lab.now, &wrong.unwrap()).is_err());
    assert!(lab.simulator.state(lab.now).database(SOURCE, "c").is_none());
    let newer = json!({ "regions": { SOURCE: { "snapshots": [{ "kind": "instance", "database": "a", "ageHours": 0, "type": "automated" }] } } });
    lab.simulator
        .add(lab.now, &Scenario::from_value(newer).unwrap())
        .unwrap();
    assert!(lab.newest("a").ends_with("snapshot:rds:a-2026-11-22-12-00"));
}

#[test]
fn seeding_keeps_the_callers_and_the_time_scale_unless_they_are_given() {
    let mut lab = Harness::new(json!({ "timeScale": 50, "callers": { "operator": null } }));
    lab.simulator.seed(lab.now, &Scenario::new()).unwrap();
    assert_eq!(lab.code(SOURCE, "DescribeDBInstances", &[]), "AccessDenied");
    let state = lab.simulator.state(lab.now);
    assert!((state.time_scale - 50.0).abs() < f64::EPSILON);
}

#[test]
fn a_scenario_reads_back_as_it_was_written() {
    let scenario = Fleet::new(SOURCE, DESTINATION, 3, 2).scenario();
    let text = serde_json::to_string(&scenario).unwrap();
    assert_eq!(Scenario::from_json(&text).unwrap(), scenario);
}

#[test]
fn the_example_in_the_documentation_is_a_scenario() {
    let source = include_str!("../../src/scenario.rs");
    let example: String = source
        .lines()
        .skip_while(|line| !line.contains("```json"))
        .skip(1)
        .take_while(|line| !line.contains("```"))
        .map(|line| line.trim_start_matches("//!"))
        .collect();
    let scenario = Scenario::from_json(&example).unwrap();
    let mut lab = Harness::from_scenario(&scenario);
    assert_eq!(
        lab.snapshot(DESTINATION, "acme-orders-0123456789ab").unwrap().database,
        "orders"
    );
}
