//! The deployed roles, as the template renders them, against the simulated RDS: what a function needs is allowed,
//! and what differs in one tag, one name or one region is not.

mod chain;

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_rds::Client;
use aws_sdk_rds::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_rds::error::ProvideErrorMetadata;
use aws_sdk_rds::types::Tag;
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::payload::StartAnswer;
use domain::settings::Settings;
use fixtures::{DESTINATION, SOURCE, deployment_with, settings_with, target};
use rds::presign::Presigner;
use rds::{CopyRequest, Rds};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, OptionGroup, Region, Scenario, Snapshot};
use rds_simulator_sdk::simulator::{Calls, Fault, Kind};
use serde_json::{Value, json};

/// The key that the rendered template names.
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";
const OTHER_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/99999999-2222-3333-4444-555555555555";
const OWNER: &str = "us-east-1/snapferry";

type Roles = BTreeMap<String, Vec<Value>>;

fn rendered() -> Roles {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/rendered/policies.json");
    let text = std::fs::read_to_string(&path).expect("target/rendered is missing: run `make render`");
    let roles: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
    roles
        .into_iter()
        .map(|(function, role)| (function, role["policies"].as_array().expect("policies").clone()))
        .collect()
}

fn settings() -> Settings {
    settings_with(&[
        ("OWNER_ID", "snapferry"),
        ("DESTINATION_KMS_KEY_ARN", KEY),
        ("KEEP_COPIES", "1"),
    ])
}

fn owned(id: &str) -> Snapshot {
    Snapshot::manual(id, 700.0)
        .taken_of(Kind::Instance, "orders")
        .tag("snapferry:owner", OWNER)
}

/// A copy from last month.
fn old(kind: DatabaseKind, database: &str) -> fixtures::CopyBuilder {
    fixtures::copy_of(database, &resource_id(database))
        .owned_by(Owner::new(fixtures::SOURCE, "snapferry"))
        .kind(kind)
        .aged(700)
        .key(KEY)
        .marked("2026-01-01T00:00:00Z")
}

/// Two databases, a copy of each from last month, and snapshots that are somebody else's.
fn world(roles: &Roles) -> World {
    let old = |kind, database| old(kind, database).seed();
    let database = |id: &str| Database {
        resource_id: Some(resource_id(id)),
        ..Database::new(id)
            .encrypted_with("alias/databases")
            .snapshots_aged([3.0])
    };
    let source = |region: Region| {
        region
            .key("44444444-4444-4444-8444-444444444444", "alias/databases")
            .option_group(OptionGroup::new("audited", "postgres").version("17").option("Audit"))
            .instance(database("orders").option_group("audited"))
            .cluster(database("billing").global("shop"))
    };
    let destination = |region: Region| {
        region
            .key(KEY, "alias/copies")
            .key(OTHER_KEY, "alias/other")
            .snapshot(old(DatabaseKind::Instance, "orders"))
            .snapshot(old(DatabaseKind::Cluster, "billing"))
            .snapshot(owned("snapferry-owned"))
            .snapshot(owned("by-hand-with-forged-tag"))
            .snapshot(Snapshot::manual("snapferry-untagged", 700.0).taken_of(Kind::Instance, "orders"))
            .snapshot(Snapshot::manual("by-hand", 700.0).taken_of(Kind::Instance, "orders"))
            .snapshot(Snapshot::manual("snapferry-cluster-untagged", 700.0).taken_of(Kind::Cluster, "billing"))
            .snapshot(owned("snapferry-other-stack").tag("snapferry:owner", "us-west-2/snapferry"))
    };
    let elsewhere = |region: Region| {
        region
            .snapshot(owned("snapferry-owned"))
            .snapshot(Snapshot::manual("by-hand", 700.0).taken_of(Kind::Instance, "orders"))
    };
    let world = World::new(
        &Scenario::new()
            .region(SOURCE, |region| elsewhere(source(region)))
            .region(DESTINATION, destination)
            .region("eu-north-1", elsewhere),
    );
    for (function, policies) in roles {
        world.policies(function, policies.clone());
    }
    world
}

fn resource_id(database: &str) -> String {
    match database {
        "billing" => "cluster-BILLING".to_owned(),
        _ => "db-ORDERS".to_owned(),
    }
}

/// What went wrong in runs by hand and by event, and where `start-copy` looks before it decides. Empty if all is allowed.
async fn whole_run(roles: &Roles) -> Vec<String> {
    let world = world(roles);
    let state = world.state();
    let event = |database: &str, detail_type: &str, event_id: &str| {
        let snapshot = state
            .snapshots(SOURCE)
            .iter()
            .find(|snapshot| snapshot.database == database && snapshot.snapshot_type == "automated")
            .expect("a snapshot");
        json!({
            "detail-type": detail_type, "region": SOURCE,
            "detail": {"SourceIdentifier": snapshot.id, "EventID": event_id},
        })
    };
    let requests = [
        json!({}),
        event("orders", "RDS DB Snapshot Event", "RDS-EVENT-0091"),
        event("billing", "RDS DB Cluster Snapshot Event", "RDS-EVENT-0169"),
    ];
    let before = decide(&world, "orders").await;
    let mut failures = Vec::new();
    for request in requests {
        match chain::run(&world, &settings(), request).await {
            // A copy that is made without what only helps a restore warns of it.
            Ok(results) => failures.extend(results.into_iter().flat_map(|result| match result {
                Ok(record) => serde_json::from_value(record["warnings"].clone()).unwrap_or_default(),
                Err(problem) => vec![problem.message],
            })),
            Err(error) => failures.push(error.to_string()),
        }
    }
    failures.extend(warnings(&world).await);
    if failures.is_empty() {
        let both = [(DatabaseKind::Instance, "orders"), (DatabaseKind::Cluster, "billing")];
        for (kind, database) in both {
            let old = old(kind, database).id();
            let stays = world
                .snapshot(DESTINATION, &old)
                .is_some_and(|snapshot| snapshot.status != "deleting");
            if stays {
                failures.push(format!("{old} is not pruned"));
            }
        }
    }
    // The copy exists by now, and StartCopy looks at it; then RDS refuses without saying which limit it means.
    let deployment = deployment_with(&world, "StartCopy", settings());
    if let Ok(found) = before {
        failures.extend(
            start_copy::handle(&deployment, found.clone(), world.now())
                .await
                .err()
                .map(|error| error.to_string()),
        );
        world.fault(Fault::error(
            Calls::to("CopyDBSnapshot"),
            "SnapshotQuotaExceeded",
            "You have reached your limit",
        ));
        match start_copy::handle(&deployment, found, world.now()).await {
            Ok(StartAnswer::Waiting(_)) => {}
            other => failures.push(format!("{other:?}")),
        }
    }
    failures
}

/// What list-targets warns of: that it may not look at the key is no error.
async fn warnings(world: &World) -> Vec<String> {
    let deployment = deployment_with(world, "ListTargets", settings());
    let keys = list_targets::Keys::new(world.kms_client(DESTINATION, "ListTargets"));
    let input = runtime::input::parse(json!({"request": {}, "run": {"execution": "a-run", "arn": "arn:a-run"}}))
        .expect("an input");
    match list_targets::handle(&deployment, &keys, input, world.now()).await {
        Ok(plan) => plan
            .warnings
            .into_iter()
            .filter(|warning| !warning.contains("named like the copies"))
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

async fn decide(world: &World, id: &str) -> Result<domain::payload::Found, domain::error::Error> {
    let deployment = deployment_with(world, "FindLatestSnapshot", settings());
    find_latest_snapshot::find_for(&deployment, target(world, DatabaseKind::Instance, id), world.now()).await
}

#[tokio::test]
async fn the_deployed_roles_allow_a_whole_run() {
    assert_eq!(Box::pin(whole_run(&rendered())).await, Vec::<String>::new());
}

/// What lets start-copy read a source by the call that RDS makes to the source region.
const OF_SOURCE_REGION: [&str; 3] = [
    "CopyAutomatedFromSource",
    "CopyManualFromSourceByRds",
    "CopyManualFromSourceBySignedUrl",
];

/// Statements that a run against the simulator does not need, and why they are deployed all the same.
const UNSEEN: &[(&str, &str)] = &[
    (
        "EncryptCopies",
        "RDS uses the key itself; the simulator checks what its documentation names as the minimum",
    ),
    ("DecryptSources", "as above"),
    (
        "LetRdsDecryptSources",
        "as above: the simulator takes a grant or the right to decrypt",
    ),
    (
        OF_SOURCE_REGION[0],
        "any of the three is enough here: each_copy_reads_its_source_by_a_statement_of_its_own",
    ),
    (OF_SOURCE_REGION[1], "as above"),
    (OF_SOURCE_REGION[2], "as above"),
    ("WriteLogs", "the simulator is RDS only"),
    ("WriteTraces", "the simulator is RDS only"),
];

#[tokio::test]
async fn without_any_one_of_its_statements_a_function_fails() {
    let roles = rendered();
    let mut tried = 0;
    for function in [
        "ListTargets",
        "FindLatestSnapshot",
        "StartCopy",
        "CheckCopyStatus",
        "PruneOld",
    ] {
        for (policy, document) in roles[function].iter().enumerate() {
            for (at, statement) in document["Statement"].as_array().expect("statements").iter().enumerate() {
                let sid = statement["Sid"].as_str().expect("a Sid");
                if UNSEEN.iter().any(|(name, _)| *name == sid) {
                    continue;
                }
                let mut fewer = roles.clone();
                let statements = fewer.get_mut(function).expect("a role")[policy]["Statement"].as_array_mut();
                statements.expect("statements").remove(at);
                let failures = Box::pin(whole_run(&fewer)).await;
                assert!(
                    !failures.is_empty(),
                    "{function} works without its statement {sid}: drop it"
                );
                tried += 1;
            }
        }
    }
    assert!(tried >= 10, "only {tried} statements were tried");
}

/// The code of the refusal, or `allowed`.
fn said<T, E: ProvideErrorMetadata>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "allowed".to_owned(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

async fn delete(client: &Client, id: &str) -> String {
    said(client.delete_db_snapshot().db_snapshot_identifier(id).send().await)
}

#[tokio::test]
async fn prune_old_deletes_owned_copies_of_the_destination_region_only() {
    let world = world(&rendered());
    let client = world.client(DESTINATION, "PruneOld");
    assert_eq!(delete(&client, "by-hand").await, "AccessDenied");
    assert_eq!(delete(&client, "by-hand-with-forged-tag").await, "AccessDenied");
    assert_eq!(delete(&client, "snapferry-untagged").await, "AccessDenied");
    assert_eq!(delete(&client, "snapferry-other-stack").await, "AccessDenied");
    for region in [SOURCE, "eu-north-1"] {
        let elsewhere = world.client(region, "PruneOld");
        assert_eq!(delete(&elsewhere, "snapferry-owned").await, "AccessDenied", "{region}");
        assert_eq!(delete(&elsewhere, "by-hand").await, "AccessDenied", "{region}");
    }
    for (id, verdict) in [
        ("snapferry-cluster-untagged".to_owned(), "AccessDenied"),
        (old(DatabaseKind::Cluster, "billing").id(), "allowed"),
    ] {
        let deleted = client
            .delete_db_cluster_snapshot()
            .db_cluster_snapshot_identifier(&id)
            .send()
            .await;
        assert_eq!(said(deleted), verdict, "{id}");
    }
    assert_eq!(
        delete(&world.client(DESTINATION, "StartCopy"), "snapferry-owned").await,
        "AccessDenied"
    );
    assert_eq!(delete(&client, "snapferry-owned").await, "allowed");
}

#[tokio::test]
async fn check_copy_status_sets_one_tag_on_owned_copies_only() {
    let world = world(&rendered());
    let client = world.client(DESTINATION, "CheckCopyStatus");
    let arn = |id: &str| format!("arn:aws:rds:eu-west-1:123456789012:snapshot:{id}");
    let set = async |id: &str, tags: Vec<Tag>| {
        said(
            client
                .add_tags_to_resource()
                .resource_name(arn(id))
                .set_tags(Some(tags))
                .send()
                .await,
        )
    };
    let verified = || tag("snapferry:verified", "2026-11-22T10:00:00Z");
    assert_eq!(set("snapferry-owned", vec![verified()]).await, "allowed");
    assert_eq!(set("snapferry-untagged", vec![verified()]).await, "AccessDenied");
    assert_eq!(set("by-hand-with-forged-tag", vec![verified()]).await, "AccessDenied");
    assert_eq!(
        set(
            "snapferry-owned",
            vec![verified(), tag("snapferry:source-created", "x")]
        )
        .await,
        "AccessDenied"
    );
    assert_eq!(
        set("snapferry-owned", vec![tag("snapferry:owner", OWNER)]).await,
        "AccessDenied"
    );
    assert_eq!(
        set("snapferry-untagged", vec![tag("snapferry:owner", OWNER)]).await,
        "AccessDenied"
    );
}

#[tokio::test]
async fn start_copy_makes_owned_copies_with_the_configured_key_in_the_destination_region_only() {
    let world = world(&rendered());
    let state = world.state();
    let source = &state
        .snapshots(SOURCE)
        .iter()
        .find(|snapshot| snapshot.database == "orders" && snapshot.snapshot_type == "automated")
        .expect("a snapshot")
        .arn;
    let copy = async |region: &str, id: &str, owner: Option<&str>, key: &str| {
        let call = world
            .client(region, "StartCopy")
            .copy_db_snapshot()
            .source_db_snapshot_identifier(source)
            .target_db_snapshot_identifier(id)
            .kms_key_id(key);
        said(
            call.set_tags(owner.map(|owner| vec![tag("snapferry:owner", owner)]))
                .send()
                .await,
        )
    };
    assert_eq!(copy(DESTINATION, "orders-copy", Some(OWNER), KEY).await, "AccessDenied");
    assert_eq!(copy(DESTINATION, "snapferry-a", None, KEY).await, "AccessDenied");
    assert_eq!(
        copy(DESTINATION, "snapferry-a", Some("us-west-2/snapferry"), KEY).await,
        "AccessDenied"
    );
    assert_eq!(
        copy(DESTINATION, "snapferry-a", Some(OWNER), OTHER_KEY).await,
        "KMSKeyNotAccessibleFault"
    );
    assert_eq!(
        copy("eu-north-1", "snapferry-a", Some(OWNER), "alias/aws/rds").await,
        "AccessDenied"
    );
    assert_eq!(copy(DESTINATION, "snapferry-a", Some(OWNER), KEY).await, "allowed");

    // Somebody else's snapshot does not become ours by being tagged.
    let client = world.client(DESTINATION, "StartCopy");
    let arn = "arn:aws:rds:eu-west-1:123456789012:snapshot:by-hand";
    let tagged = client
        .add_tags_to_resource()
        .resource_name(arn)
        .tags(tag("snapferry:owner", OWNER))
        .send()
        .await;
    assert_eq!(said(tagged), "AccessDenied");
}

/// D9: RDS asks the source region on behalf of the caller, or, where the copy needs a pre-signed URL, with a call that is
/// the caller's own. What AWS then knows of the first call is not documented, so each way has a statement.
#[tokio::test]
async fn each_copy_reads_its_source_by_a_statement_of_its_own() {
    let copy = async |roles: &Roles, needs_url: bool, snapshot: &str| {
        let documents = Database {
            resource_id: Some("cluster-DOCUMENTS".to_owned()),
            ..Database::new("documents")
                .engine("docdb")
                .encrypted_with("alias/databases")
        };
        let world = World::new(
            &Scenario::new()
                .settings(rds_simulator_sdk::scenario::Settings {
                    docdb_needs_presigned_url: needs_url,
                    ..Default::default()
                })
                .region(SOURCE, |region| {
                    region
                        .key("44444444-4444-4444-8444-444444444444", "alias/databases")
                        .cluster(documents.snapshots_aged([3.0]))
                        .snapshot(Snapshot::manual("by-hand", 2.0).taken_of(Kind::Cluster, "documents"))
                })
                .region(DESTINATION, |region| region.key(KEY, "alias/copies")),
        );
        for (function, policies) in roles {
            world.policies(function, policies.clone());
        }
        let state = world.state();
        let source = state
            .snapshots(SOURCE)
            .iter()
            .find(|one| one.snapshot_type == snapshot)
            .expect("a snapshot")
            .arn
            .clone();
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
        let presigner = Presigner::new(SharedCredentialsProvider::new(credentials), SOURCE);
        let rds = Rds::new(world.client(DESTINATION, "StartCopy"), DESTINATION).presigning(presigner);
        let request = CopyRequest {
            kind: DatabaseKind::Cluster,
            source_arn: source,
            id: "snapferry-documents".to_owned(),
            kms_key_arn: Some(KEY.to_owned()),
            option_group: None,
            presigned: needs_url,
            tags: BTreeMap::from([("snapferry:owner".to_owned(), OWNER.to_owned())]),
        };
        match rds.copy(&request, world.now()).await {
            Ok(_) => "allowed",
            Err(error) => error.name(),
        }
    };
    let with_only = |kept: &str| {
        let mut roles = rendered();
        for document in roles.get_mut("StartCopy").expect("a role") {
            let statements = document["Statement"].as_array_mut().expect("statements");
            statements.retain(|statement| {
                let sid = statement["Sid"].as_str().expect("a Sid");
                sid == kept || !OF_SOURCE_REGION.contains(&sid)
            });
        }
        roles
    };
    for (needs_url, snapshot, allowing) in [
        (false, "automated", &OF_SOURCE_REGION[..]),
        (true, "automated", &[OF_SOURCE_REGION[0], OF_SOURCE_REGION[2]]),
        (false, "manual", &OF_SOURCE_REGION[1..]),
        (true, "manual", &OF_SOURCE_REGION[2..]),
    ] {
        let case = format!("{snapshot}, with a URL: {needs_url}");
        assert_eq!(copy(&rendered(), needs_url, snapshot).await, "allowed", "{case}");
        assert_eq!(
            copy(&with_only(""), needs_url, snapshot).await,
            "AccessDenied",
            "{case}"
        );
        for statement in OF_SOURCE_REGION {
            let expected = if allowing.contains(&statement) {
                "allowed"
            } else {
                "AccessDenied"
            };
            assert_eq!(
                copy(&with_only(statement), needs_url, snapshot).await,
                expected,
                "{case}: {statement}"
            );
        }
    }
}

/// D9: what reads a source by no `aws:CalledVia` makes nothing in the source region.
#[tokio::test]
async fn start_copy_makes_nothing_in_the_source_region() {
    let world = world(&rendered());
    let state = world.state();
    let client = world.client(SOURCE, "StartCopy");
    for snapshot in state.snapshots(SOURCE).iter().filter(|one| one.database == "orders") {
        for tags in [None, Some(vec![tag("snapferry:owner", OWNER)])] {
            let made = client
                .copy_db_snapshot()
                .source_db_snapshot_identifier(&snapshot.arn)
                .target_db_snapshot_identifier("snapferry-here")
                .set_tags(tags)
                .send()
                .await;
            assert_eq!(said(made), "AccessDenied", "{}", snapshot.id);
        }
    }
}

/// L12: whoever has both roles could make another owner's snapshot ours by tagging it, and delete it then.
#[tokio::test]
async fn start_copy_takes_over_no_snapshot_of_another_owner() {
    let world = world(&rendered());
    let client = world.client(DESTINATION, "StartCopy");
    for (id, verdict) in [
        ("snapferry-owned", "allowed"),
        ("snapferry-other-stack", "AccessDenied"),
    ] {
        let tagged = client
            .add_tags_to_resource()
            .resource_name(format!("arn:aws:rds:eu-west-1:123456789012:snapshot:{id}"))
            .tags(tag("snapferry:owner", OWNER))
            .send()
            .await;
        assert_eq!(said(tagged), verdict, "{id}");
    }
}

/// H4: prune-old reads what the database's own tags ask for, in the source region only.
#[tokio::test]
async fn prune_old_describes_databases_of_the_source_region_only() {
    let world = world(&rendered());
    for (region, verdict) in [
        (SOURCE, "allowed"),
        (DESTINATION, "AccessDenied"),
        ("eu-north-1", "AccessDenied"),
    ] {
        let client = world.client(region, "PruneOld");
        assert_eq!(said(client.describe_db_instances().send().await), verdict, "{region}");
        assert_eq!(said(client.describe_db_clusters().send().await), verdict, "{region}");
    }
    let tagged = world
        .client(SOURCE, "PruneOld")
        .add_tags_to_resource()
        .resource_name("arn:aws:rds:us-east-1:123456789012:db:orders")
        .tags(tag("snapferry:keep", "1"))
        .send()
        .await;
    assert_eq!(said(tagged), "AccessDenied");
}

#[tokio::test]
async fn the_functions_that_only_read_cannot_write() {
    let world = world(&rendered());
    for function in ["ListTargets", "FindLatestSnapshot"] {
        let client = world.client(DESTINATION, function);
        assert_eq!(delete(&client, "snapferry-owned").await, "AccessDenied", "{function}");
        let arn = "arn:aws:rds:eu-west-1:123456789012:snapshot:snapferry-owned";
        let tagged = client
            .add_tags_to_resource()
            .resource_name(arn)
            .tags(tag("snapferry:verified", "x"))
            .send()
            .await;
        assert_eq!(said(tagged), "AccessDenied", "{function}");
    }
}
