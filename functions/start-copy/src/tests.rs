use aws_sdk_rds::config::{Credentials, SharedCredentialsProvider};
use domain::payload::{Decision, Outcome, Policy, RunRules};
use domain::restore_settings::{RestoreSettings, Setting};
use domain::snapshot::Encryption;
use domain::tags;
use fixtures::{
    DESTINATION, KEY, OTHER_KEY, SOURCE, deployment, deployment_with, metered, settings_with, target, world, world_with,
};
use rds::presign::Presigner;
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{
    Database as Seeded, OptionGroup, Region, Scenario, Settings, Snapshot as SeededSnapshot, SseRdsCopies,
};
use rds_simulator_sdk::simulator::{Action, Calls, Fault, Kind};

use super::*;

fn orders() -> Seeded {
    Seeded::new("orders")
        .encrypted_with("alias/aws/rds")
        .snapshots_aged([3.0])
}

/// What find-latest-snapshot would hand over for the newest snapshot of a database.
fn found(world: &World, kind: DatabaseKind, id: &str) -> Found {
    let state = world.state();
    let snapshot = state
        .snapshots(SOURCE)
        .iter()
        .filter(|snapshot| snapshot.database == id)
        .max_by_key(|snapshot| snapshot.created_at)
        .expect("a snapshot");
    Found {
        decision: Decision::Copy,
        outcome: Outcome::Pending,
        reason: "no copy yet".to_owned(),
        source: Some(Source {
            id: snapshot.id.clone(),
            arn: snapshot.arn.clone(),
            created_at: snapshot.created_at.expect("a time"),
            data_time: None,
            engine: snapshot.engine.clone(),
            engine_version: snapshot.engine_version.clone(),
            encryption: match snapshot.storage_encryption_type.as_str() {
                "none" => Encryption::None,
                "sse-rds" => Encryption::AwsOwned,
                _ => Encryption::Kms,
            },
            kms_key_arn: snapshot.kms_key.clone(),
            size_gib: i32::try_from(snapshot.allocated_storage).ok(),
            written_gib: None,
        }),
        ..Found::new(target(world, kind, id), Vec::new())
    }
}

fn found_orders(world: &World) -> Found {
    found(world, DatabaseKind::Instance, "orders")
}

/// Where RDS takes the copy at once, or fails.
async fn start(world: &World, found: Found) -> Result<Started, Error> {
    start_with(&deployment(world), found, world.now()).await
}

async fn start_with(deployment: &Deployment, found: Found, now: Timestamp) -> Result<Started, Error> {
    match handle(deployment, found, now).await? {
        StartAnswer::Started(started) => Ok(*started),
        StartAnswer::Waiting(found) => panic!("it waits: {:?}", found.waiting),
    }
}

/// Where it has to wait.
async fn wait(deployment: &Deployment, found: Found, now: Timestamp) -> Found {
    match handle(deployment, found, now).await {
        Ok(StartAnswer::Waiting(found)) => *found,
        other => panic!("no wait: {other:?}"),
    }
}

fn refuse(world: &World, code: &str, message: &str) {
    world.fault(Fault::error(Calls::to("CopyDBSnapshot"), code, message));
}

/// From now on every copy slot is taken.
fn fill_slots(world: &World) {
    refuse(
        world,
        "SnapshotQuotaExceeded",
        "Cannot copy more than 20 snapshots across regions.",
    );
}

fn calls(world: &World) -> u64 {
    world
        .counters()
        .calls
        .values()
        .flat_map(|regions| regions.values())
        .sum()
}

/// A full queue costs two calls, and not an error; the time waited travels with the target.
#[tokio::test]
async fn a_full_queue_is_a_wait_that_costs_two_calls_a_try() {
    let world = world(|region| region.instance(orders().tag("snapferry:keep-days", "30")));
    let deployment = deployment(&world);
    fill_slots(&world);
    let first = wait(&deployment, found_orders(&world), world.now()).await;
    let waiting = first.waiting.clone().expect("a wait");
    assert_eq!(waiting.reason, WaitReason::Slot);
    assert!((150..=450).contains(&waiting.seconds), "{waiting:?}");
    assert!(waiting.why.contains("Cannot copy more than 20"), "{waiting:?}");
    assert_eq!(first.target.waited.slot, waiting.seconds);
    let facts = first.facts.clone().expect("what was read");
    assert_eq!((facts.retention.days, facts.unread), (30, Some(false)));

    let before = calls(&world);
    let payload = serde_json::to_value(&first).expect("JSON");
    let second = wait(
        &deployment,
        serde_json::from_value(payload).expect("a payload"),
        world.now(),
    )
    .await;
    assert_eq!(calls(&world) - before, 2, "the snapshot's tags, and the copy");
    assert!(second.target.waited.slot > waiting.seconds);

    world.clear_faults();
    let started = start_with(&deployment, second, world.now()).await.expect("a slot");
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert_eq!(copy.tags["snapferry:source-keep-days"], "30");
    assert!(copy.tags.contains_key(tags::CLASS) && copy.tags.contains_key(tags::SETTINGS));
}

#[tokio::test]
async fn after_six_hours_the_snapshot_is_looked_for_again_and_after_slot_wait_hours_it_is_a_failure() {
    let world = world(|region| region.instance(orders()));
    let deployment = stack(&world, &[("SLOT_WAIT_HOURS", "13")]);
    fill_slots(&world);
    let mut found = found_orders(&world);
    let mut found_again = Vec::new();
    let error = loop {
        match handle(&deployment, found, world.now()).await {
            Ok(StartAnswer::Waiting(waiting)) => {
                found = *waiting;
                if found.waiting.as_ref().is_some_and(|wait| wait.find_again) {
                    found_again.push(found.target.waited.slot / 3_600);
                    found = Found {
                        target: found.target.clone(),
                        ..found_orders(&world)
                    };
                }
            }
            Ok(StartAnswer::Started(started)) => panic!("{started:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(found_again, [6, 12]);
    assert_eq!(error.name(), "CopySlotsFull");
}

/// A busy cluster and m7: an alias that was pointed elsewhere a moment ago. Everything else of a key fails at once.
#[tokio::test]
async fn a_busy_snapshot_is_waited_for_an_hour_and_the_key_of_an_alias_six_minutes() {
    let alias = [(
        "DESTINATION_KMS_KEY_ARN",
        "arn:aws:kms:eu-west-1:123456789012:alias/copies",
    )];
    for (code, settings, reason, tries, name) in [
        (
            "InvalidDBSnapshotState",
            &[][..],
            WaitReason::Busy,
            60,
            "SnapshotNotReady",
        ),
        ("KMSKeyNotAccessibleFault", &alias, WaitReason::Key, 6, "KeyNotUsable"),
        ("KMSKeyNotAccessibleFault", &[], WaitReason::Key, 0, "KeyNotUsable"),
    ] {
        let world = world(|region| region.instance(orders()));
        let deployment = stack(&world, settings);
        refuse(&world, code, "not now");
        let mut found = found_orders(&world);
        found.target.rules = Some(RunRules {
            kms_key_arn: Some(KEY.to_owned()),
            ..RunRules::default()
        });
        let mut waits = 0;
        let error = loop {
            match handle(&deployment, found, world.now()).await {
                Ok(StartAnswer::Waiting(waiting)) => {
                    let wait = waiting.waiting.as_ref().expect("a wait");
                    assert_eq!((wait.reason, wait.seconds), (reason, 60));
                    waits += 1;
                    found = *waiting;
                }
                Ok(StartAnswer::Started(started)) => panic!("{started:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!((waits, error.name()), (tries, name), "{code}");
    }
}

/// H6: a snapshot is its ARN and its creation time.
#[tokio::test]
async fn a_snapshot_that_was_re_created_under_its_name_is_another_one() {
    let world = world(|region| region.instance(orders()));
    let mut found = found_orders(&world);
    let source = found.source.as_mut().expect("a source");
    source.created_at += jiff::SignedDuration::from_hours(1);
    assert_eq!(
        start(&world, found).await.expect_err("another").name(),
        "SnapshotNotFound"
    );
}

#[tokio::test]
async fn a_copy_is_started_under_its_name_with_its_key_and_tags() {
    let world = world(|region| region.instance(orders().tag("team", "shop")));
    let started = start(&world, found_orders(&world)).await.expect("started");
    assert!(started.copy.id.starts_with("snap-orders-"));
    assert_eq!(started.copy.kms_key_arn.as_deref(), Some(KEY));
    assert_eq!(started.wait, Wait::first(&started.copy.id));
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert_eq!(copy.arn, started.copy.arn);
    assert_eq!(copy.tags[tags::OWNER], "us-east-1/snap");
    assert_eq!(copy.tags[tags::SOURCE_ARN], started.source.arn);
    for key in [
        tags::CLASS,
        tags::ENGINE_VERSION,
        tags::PARAMETER_GROUP,
        tags::SOURCE_OPTION_GROUP,
        tags::MULTI_AZ,
        tags::SETTINGS,
    ] {
        assert!(copy.tags.contains_key(key), "{key}");
    }
}

#[tokio::test]
async fn a_cluster_is_described_by_its_members() {
    let world = world(|region| {
        region.cluster(Seeded {
            class: Some("db.r7g.2xlarge".to_owned()),
            ..Seeded::new("billing")
                .members(2)
                .encrypted_with("alias/aws/rds")
                .snapshots_aged([3.0])
        })
    });
    let started = start(&world, found(&world, DatabaseKind::Cluster, "billing"))
        .await
        .expect("started");
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert_eq!(copy.tags[tags::CLASS], "db.r7g.2xlarge");
    assert_eq!(copy.kms_key.as_deref(), Some(KEY));
}

#[tokio::test]
async fn an_unencrypted_instance_becomes_encrypted_and_an_unencrypted_cluster_stays_as_it_is() {
    let world = world(|region| {
        region
            .instance(Seeded {
                encrypted: Some(false),
                ..Seeded::new("orders").snapshots_aged([3.0])
            })
            .cluster(Seeded {
                encrypted: Some(false),
                ..Seeded::new("billing").snapshots_aged([3.0])
            })
    });
    let instance = start(&world, found_orders(&world)).await.expect("started");
    assert_eq!(instance.copy.kms_key_arn.as_deref(), Some(KEY));
    let cluster = start(&world, found(&world, DatabaseKind::Cluster, "billing"))
        .await
        .expect("started");
    assert_eq!(cluster.copy.kms_key_arn, None);
    let copy = world.snapshot(DESTINATION, &cluster.copy.id).expect("a copy");
    assert_eq!(copy.tags[tags::COPY_KMS_KEY], tags::NO_KEY);
}

/// D11: the settings of a cluster's instances are those of its writer, wherever it stands in the list.
#[test]
fn a_clusters_instances_are_described_by_its_writer() {
    let member = |id: &str, class: &str, group: &str, monitoring: i32| Database {
        class: Some(class.to_owned()),
        parameter_group: Some(group.to_owned()),
        settings: RestoreSettings::default()
            .with(Setting::Monitoring, Some(monitoring))
            .with(Setting::Port, Some(1)),
        ..fixtures::database(DatabaseKind::Instance, id)
    };
    let members = [
        member("billing-a", "db.r6g.large", "default.aurora-postgresql16", 5),
        member("billing-b", "db.r6g.4xlarge", "tuned", 60),
    ];
    let described = |writer: Option<&str>| {
        let mut cluster = Database {
            writer: writer.map(str::to_owned),
            ..fixtures::database(DatabaseKind::Cluster, "billing")
        };
        describe_members(&mut cluster, members.to_vec());
        let settings: Vec<(Setting, String)> = cluster
            .settings
            .iter()
            .map(|(setting, value)| (setting, value.to_owned()))
            .collect();
        (cluster.class.expect("a class"), settings)
    };
    let of_writer = vec![
        (Setting::MemberParameterGroup, "tuned".to_owned()),
        (Setting::Monitoring, "60".to_owned()),
    ];
    assert_eq!(described(Some("billing-b")), ("db.r6g.4xlarge".to_owned(), of_writer));
    let of_first = vec![(Setting::Monitoring, "5".to_owned())];
    assert_eq!(described(None), ("db.r6g.large".to_owned(), of_first));
}

#[tokio::test]
async fn starting_twice_joins_the_first_copy() {
    let world = world(|region| region.instance(orders()));
    let first = start(&world, found_orders(&world)).await.expect("started");
    world.advance(std::time::Duration::from_mins(1));
    let second = start(&world, found_orders(&world)).await.expect("joined");
    assert_eq!(first.copy, second.copy, "the time of the first request is kept");
    assert_eq!(fixtures::copies(&world, "snap-").len(), 1);
}

#[tokio::test]
async fn a_lost_reply_does_not_make_a_second_copy() {
    let world = world(|region| region.instance(orders()));
    world.fault(Fault::new(Calls::to("CopyDBSnapshot"), Action::DropReply).times(1));
    let started = start(&world, found_orders(&world)).await.expect("started");
    assert_eq!(fixtures::copies(&world, "snap-").len(), 1);
    assert!(world.snapshot(DESTINATION, &started.copy.id).is_some());
}

#[tokio::test]
async fn a_failed_copy_of_that_name_gives_way_to_the_next_attempt() {
    let world = world(|region| region.instance(orders().copies_fail(40, 1)));
    let first = start(&world, found_orders(&world)).await.expect("started");
    world.finish_copies();
    assert_eq!(
        world.snapshot(DESTINATION, &first.copy.id).expect("a copy").status,
        "failed"
    );
    // The decision was made before the copy failed, so it still says attempt 0.
    let second = start(&world, found_orders(&world)).await.expect("started");
    assert_eq!((first.copy.attempt, second.copy.attempt), (0, 1));
    assert_ne!(first.copy.id, second.copy.id);
}

#[tokio::test]
async fn a_name_that_somebody_else_uses_is_reported() {
    let plain = world(|region| region.instance(orders()));
    let id = start(&plain, found_orders(&plain)).await.expect("started").copy.id;
    let taken = world_with(
        |region| region.instance(orders()),
        |region| region.snapshot(SeededSnapshot::manual(&id, 1.0).taken_of(Kind::Instance, "orders")),
    );
    let error = start(&taken, found_orders(&taken)).await.expect_err("taken");
    assert_eq!(error.name(), "NameTaken");
    assert!(error.to_string().starts_with(&id), "{error}");
}

#[tokio::test]
async fn what_rds_refuses_has_a_name() {
    for (code, message, name) in [
        (
            "SnapshotQuotaExceeded",
            "Cannot create more than 100 manual snapshots",
            "SnapshotQuotaFull",
        ),
        (
            "KMSKeyNotAccessibleFault",
            "The target KMS key does not exist",
            "KeyNotUsable",
        ),
        ("DBSnapshotNotFound", "gone", "SnapshotNotFound"),
        (
            "InvalidParameterValue",
            "The snapshot requires a target option group with [Timezone]",
            "OptionGroupMissing",
        ),
        ("InvalidParameterValue", "something else", "RdsError"),
        (
            "AccessDenied",
            "User: x is not authorized to perform: rds:CopyDBSnapshot",
            "AccessDenied",
        ),
        ("Throttling", "Rate exceeded", "Throttled"),
        ("InternalFailure", "oops", "RdsUnavailable"),
    ] {
        let world = world(|region| region.instance(orders()));
        refuse(&world, code, message);
        let error = start(&world, found_orders(&world)).await.expect_err(name);
        assert_eq!(error.name(), name, "{error}");
        assert!(fixtures::copies(&world, "snap-").is_empty());
    }
}

#[tokio::test]
async fn where_the_quotas_text_says_neither_the_snapshots_are_counted() {
    for quota in [0, 100] {
        let world = world_with(
            |region| region.instance(orders()),
            |region: Region| region.quota(quota, quota),
        );
        refuse(&world, "SnapshotQuotaExceeded", "You have reached your limit");
        match handle(&deployment(&world), found_orders(&world), world.now()).await {
            Ok(StartAnswer::Waiting(found)) => {
                assert_eq!(found.waiting.expect("a wait").reason, WaitReason::Slot);
                assert_eq!(quota, 100);
            }
            other => assert_eq!((other.expect_err("full").name(), quota), ("SnapshotQuotaFull", 0)),
        }
    }
}

#[tokio::test]
async fn a_snapshot_that_expired_meanwhile_is_reported() {
    let world = world(|region| region.instance(orders()));
    let found = found_orders(&world);
    world.expire(&found.source.as_ref().expect("a source").arn);
    assert_eq!(start(&world, found).await.expect_err("gone").name(), "SnapshotNotFound");
}

#[tokio::test]
async fn nothing_is_copied_in_a_dry_run_whatever_was_decided() {
    let world = world(|region| region.instance(orders()));
    let mut by_hand = found_orders(&world);
    by_hand.target.dry_run = true;
    assert_eq!(start(&world, by_hand).await.expect_err("dry").name(), "BadInput");
    let dry = deployment_with(&world, "tests", settings_with(&[("DRY_RUN", "true")]));
    let error = start_with(&dry, found_orders(&world), world.now())
        .await
        .expect_err("dry");
    assert!(
        error.to_string().starts_with("target.dryRun: a dry run copies nothing"),
        "{error}"
    );
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn a_payload_that_names_another_region_is_refused() {
    let world = world(|region| region.instance(orders()));
    let mut payload = found_orders(&world);
    payload.target.rules = Some(RunRules {
        destination_region: Some("eu-north-1".to_owned()),
        ..RunRules::default()
    });
    assert_eq!(start(&world, payload).await.expect_err("refused").name(), "BadInput");
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn no_tag_of_the_source_becomes_one_of_ours() {
    let world = world(|region| {
        region.instance(
            Seeded::new("orders").encrypted_with("alias/aws/rds").snapshot(
                SeededSnapshot::automated(3.0)
                    .tag("snapferry:verified", "2026-11-22T10:00:00Z")
                    .tag("snapferry:source-created", "2030-01-01T00:00:00Z")
                    .tag("aws:cloudformation:stack-name", "orders")
                    .tag("team", "shop"),
            ),
        )
    });
    let started = start(&world, found_orders(&world)).await.expect("started");
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert!(!copy.tags.contains_key(tags::VERIFIED));
    assert!(copy.tags[tags::SOURCE_CREATED].starts_with("2026-11-22"));
    assert_eq!(copy.tags.get("team").map(String::as_str), Some("shop"));
    assert!(!copy.tags.keys().any(|key| key.starts_with("aws:")));
}

#[tokio::test]
async fn a_presigned_url_goes_only_with_the_copies_that_need_it() {
    let documents = Seeded::new("documents")
        .engine("docdb")
        .encrypted_with("alias/aws/rds")
        .snapshots_aged([3.0]);
    let world = world(|region| region.instance(orders()).cluster(documents));
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
    let mut deployment = deployment(&world);
    let presigner = Presigner::new(SharedCredentialsProvider::new(credentials), SOURCE);
    deployment.destination = deployment.destination.presigning(presigner);

    // The fault hits only a call with such a URL.
    for operation in ["CopyDBSnapshot", "CopyDBClusterSnapshot"] {
        let with_url = Calls::to(operation).with("PreSignedUrl", "https://rds.us-east-1.amazonaws.com/*");
        world.fault(Fault::error(with_url, "InvalidParameterValue", "seen"));
    }
    let of_documents = found(&world, DatabaseKind::Cluster, "documents");
    let error = start_with(&deployment, of_documents.clone(), world.now())
        .await
        .expect_err("seen");
    assert!(error.to_string().ends_with("seen"), "{error}");
    start_with(&deployment, found_orders(&world), world.now())
        .await
        .expect("without it elsewhere");
    world.clear_faults();
    start_with(&deployment, of_documents, world.now())
        .await
        .expect("started");
}

fn stack(world: &World, variables: &[(&str, &str)]) -> Deployment {
    deployment_with(world, "tests", settings_with(variables))
}

#[tokio::test]
async fn the_key_that_a_policy_picks_is_used_if_the_stack_allows_it() {
    let world = world(|region| region.instance(orders()));
    let mut picked = found_orders(&world);
    picked.target.policy = Some(Policy {
        kms_key_arn: Some(OTHER_KEY.to_owned()),
        ..Policy::default()
    });
    let error = start_with(&stack(&world, &[]), picked.clone(), world.now())
        .await
        .expect_err("refused");
    assert_eq!(error.name(), "BadInput");
    assert_eq!(world.calls("CopyDBSnapshot"), 0);

    let allowing = stack(&world, &[("ALLOWED_KMS_KEY_ARNS", OTHER_KEY)]);
    let started = start_with(&allowing, picked, world.now()).await.expect("started");
    assert_eq!(started.copy.kms_key_arn.as_deref(), Some(OTHER_KEY));
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert_eq!(copy.kms_key.as_deref(), Some(OTHER_KEY));
}

/// D2: region and key are compared here, before a copy is made, and nowhere else.
#[tokio::test]
async fn an_input_cannot_choose_another_region_or_key() {
    let world = world(|region| region.instance(orders()));
    for (rules, begins) in [
        (
            RunRules {
                destination_region: Some("eu-north-1".to_owned()),
                ..RunRules::default()
            },
            "rules.destinationRegion: eu-north-1",
        ),
        (
            RunRules {
                kms_key_arn: Some("arn:aws:kms:eu-west-1:1:key/x".to_owned()),
                ..RunRules::default()
            },
            "rules.kmsKeyArn: arn",
        ),
    ] {
        let mut found = found_orders(&world);
        found.target.rules = Some(rules);
        let error = start(&world, found).await.expect_err(begins);
        assert_eq!(error.name(), "BadInput");
        assert!(error.to_string().starts_with(begins), "{error}");
    }
    assert!(world.writes().is_empty());
    let mut more = found_orders(&world);
    more.target.rules = Some(RunRules {
        keep_copies: Some(1),
        ..RunRules::default()
    });
    start(&world, more).await.expect("retention is none of its business");
}

#[tokio::test]
async fn where_the_stacks_key_is_an_alias_rds_is_asked_for_the_alias_whatever_the_input_says() {
    let world = world(|region| region.instance(orders()));
    let alias = format!("arn:aws:kms:{DESTINATION}:123456789012:alias/copies");
    let deployment = stack(&world, &[("DESTINATION_KMS_KEY_ARN", &alias)]);
    let error = start_with(&deployment, found_orders(&world), world.now())
        .await
        .expect_err("unresolved");
    assert!(error.to_string().starts_with("rules.kmsKeyArn: is missing"), "{error}");

    let mut lying = found_orders(&world);
    lying.target.rules = Some(RunRules {
        kms_key_arn: Some(OTHER_KEY.to_owned()),
        ..RunRules::default()
    });
    let started = start_with(&deployment, lying, world.now()).await.expect("started");
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert_eq!(copy.kms_key.as_deref(), Some(KEY), "the alias's own key");
    assert_eq!(
        started.copy.kms_key_arn.as_deref(),
        Some(OTHER_KEY),
        "which the verification then misses"
    );
}

#[tokio::test]
async fn a_snapshot_whose_key_aws_owns_is_copied_with_the_key_or_without_it_as_rds_wants() {
    for (sse_rds, key, encryption) in [
        (SseRdsCopies::NeedsKey, Some(KEY), "sse-kms"),
        (SseRdsCopies::RefusesKey, None, "sse-rds"),
    ] {
        let modern = Seeded::new("modern").encrypted_by_service().snapshots_aged([3.0]);
        let world = World::new(
            &Scenario::new()
                .settings(Settings {
                    sse_rds_copies: sse_rds,
                    ..Settings::default()
                })
                .region(SOURCE, |region| region.cluster(modern))
                .region(DESTINATION, |region| region.key(KEY, "alias/copies")),
        );
        let found = found(&world, DatabaseKind::Cluster, "modern");
        let started = start(&world, found.clone()).await.expect("started");
        assert_eq!(started.copy.kms_key_arn.as_deref(), key);
        let again = start(&world, found).await.expect("joined");
        assert_eq!(again.copy.id, started.copy.id);
        world.finish_copies();
        let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
        assert_eq!(copy.storage_encryption_type, encryption);
    }
}

#[tokio::test]
async fn a_copy_gets_the_option_group_that_the_stack_or_the_tag_names() {
    let timezone = |name: &str| OptionGroup::new(name, "oracle-ee").version("19").permanent("Timezone");
    let world = world_with(
        |region| {
            let finance = orders().engine("oracle-ee").option_group("oracle-tz");
            region.option_group(timezone("oracle-tz")).instance(finance)
        },
        |region| {
            region
                .option_group(timezone("copies-tz"))
                .option_group(timezone("tagged"))
        },
    );
    let error = start(&world, found_orders(&world)).await.expect_err("no group");
    assert_eq!(error.name(), "OptionGroupMissing");

    let mapped = stack(&world, &[("OPTION_GROUPS", "oracle-tz=copies-tz")]);
    let mut tagged = found_orders(&world);
    tagged.target.policy = Some(Policy {
        option_group: Some("tagged".to_owned()),
        ..Policy::default()
    });
    world.delete_option_group(DESTINATION, "tagged");
    let error = start_with(&mapped, tagged, world.now())
        .await
        .expect_err("deleted meanwhile");
    assert_eq!(error.name(), "OptionGroupMissing");

    let started = start_with(&mapped, found_orders(&world), world.now())
        .await
        .expect("started");
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert_eq!(copy.option_group.as_deref(), Some("copies-tz"));
}

#[tokio::test]
async fn a_copy_carries_what_its_databases_tags_asked_to_be_kept() {
    let world = world(|region| region.instance(orders()));
    let mut found = found_orders(&world);
    found.target.policy = Some(Policy {
        keep: domain::retention_rules::RetentionRules {
            days: 365,
            ..domain::retention_rules::RetentionRules::default()
        },
        ..Policy::default()
    });
    let started = start(&world, found).await.expect("started");
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert_eq!(copy.tags.get(tags::SOURCE_KEEP_DAYS).map(String::as_str), Some("365"));
}

#[tokio::test]
async fn a_copy_that_is_joined_is_not_measured_again() {
    let world = world(|region| region.instance(orders()));
    let (deployment, measured) = metered(deployment(&world));
    for _ in 0..2 {
        let found = found_orders(&world);
        start_with(&deployment, found, world.now()).await.expect("started");
    }
    assert_eq!(measured.values(Metric::COPIES_STARTED), [1.0]);
}

/// P2: what only helps a restore never stops a copy, whatever error AWS gives for it.
#[tokio::test]
async fn a_database_that_cannot_be_read_is_copied_without_hints() {
    for code in ["AccessDenied", "Throttling", "InternalFailure", "SomethingNew"] {
        let world = world(|region| region.instance(orders()));
        let found = found_orders(&world);
        world.fault(Fault::error(Calls::to("DescribeDBInstances"), code, "not now"));
        let started = start(&world, found)
            .await
            .unwrap_or_else(|error| panic!("{code}: {error}"));
        assert_eq!(started.warnings.len(), 1);
        let lacks = "the copy records no settings of the database for a restore, which could not be read: ";
        assert!(started.warnings[0].starts_with(lacks), "{:?}", started.warnings);
        let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
        assert!(!copy.tags.contains_key(tags::CLASS));
        // What nobody saw may have asked for more (H4).
        assert!(copy.tags.contains_key(tags::UNREAD));
    }
}

/// Its snapshots have no tags, so that copies inherit its own.
fn untagged() -> Seeded {
    Seeded {
        copy_tags_to_snapshot: Some(false),
        ..orders().tag("team", "shop")
    }
}

/// What the first try read is not lost with what a later one cannot read.
#[tokio::test]
async fn a_database_that_a_later_try_cannot_read_costs_the_copy_its_tags_alone() {
    let world = world(|region| region.instance(untagged()));
    let deployment = deployment(&world);
    fill_slots(&world);
    let first = wait(&deployment, found_orders(&world), world.now()).await;
    world.fault(Fault::error(
        Calls::to("DescribeDBInstances"),
        "AccessDenied",
        "not now",
    ));
    let second = wait(&deployment, first.clone(), world.now()).await;
    assert_eq!(second.facts, first.facts);

    world.clear_faults();
    world.fault(Fault::error(
        Calls::to("DescribeDBInstances"),
        "AccessDenied",
        "not now",
    ));
    let started = start_with(&deployment, second, world.now()).await.expect("a slot");
    let lacks = "the copy inherits no tags of the database, which could not be read: AccessDenied";
    assert_eq!(started.warnings, [lacks]);
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert!(copy.tags.contains_key(tags::CLASS) && !copy.tags.contains_key(tags::UNREAD));
    assert!(!copy.tags.contains_key("team"));
}

/// m15, and two calls a try wherever the tags come from.
#[tokio::test]
async fn a_snapshot_without_tags_is_copied_with_those_of_its_database_after_a_wait_too() {
    let world = world(|region| region.instance(untagged()));
    let deployment = deployment(&world);
    fill_slots(&world);
    let first = wait(&deployment, found_orders(&world), world.now()).await;
    let text = serde_json::to_string(&first).expect("JSON");
    assert!(!text.contains("shop"), "no payload has the value of a tag: {text}");
    let before = calls(&world);
    let second = wait(&deployment, first, world.now()).await;
    assert_eq!(calls(&world) - before, 2, "the database's tags, and the copy");
    world.clear_faults();
    let started = start_with(&deployment, second, world.now()).await.expect("a slot");
    let copy = world.snapshot(DESTINATION, &started.copy.id).expect("a copy");
    assert_eq!(copy.tags["team"], "shop");
    assert_eq!(started.warnings, Vec::<String>::new());
    assert!(copy.tags.contains_key(tags::SETTINGS));
}
