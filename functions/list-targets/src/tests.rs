use domain::payload::{Page, Target};
use domain::tags;
use fixtures::{DESTINATION, SOURCE, deployment, deployment_with, metered, settings_with, world, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database as Seeded, Fleet, OptionGroup, Region, Snapshot as SeededSnapshot};
use rds_simulator_sdk::simulator::{Calls, Fault, Kind};
use runtime::metrics::Metric;
use serde_json::json;

use super::*;

async fn list(world: &World, request: Value) -> Result<Plan, Error> {
    list_with(&deployment(world), world, request).await
}

async fn list_with(deployment: &Deployment, world: &World, request: Value) -> Result<Plan, Error> {
    let input = Input {
        request,
        run: Run {
            execution: "nightly".to_owned(),
            arn: "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:nightly".to_owned(),
        },
    };
    let keys = Keys::new(world.kms_client(&deployment.settings.destination_region, "tests"));
    handle(deployment, &keys, input, world.now()).await
}

fn ids(targets: &[Target]) -> Vec<&str> {
    let mut ids: Vec<&str> = targets.iter().map(|target| target.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

fn small(region: Region) -> Region {
    region
        .instance(Seeded::new("orders").snapshots_aged([3.0]))
        .instance(Seeded::new("scratch").tag("snapferry:copy", "false"))
        .cluster(
            Seeded::new("billing")
                .encrypted_with("alias/aws/rds")
                .members(2)
                .snapshots_aged([4.0]),
        )
        .cluster(Seeded::new("graph").engine("neptune"))
}

/// A copy of ours of an instance, that nobody verified, of data from this many hours ago.
fn copy_of(id: &str, resource_id: &str, hours: u32) -> SeededSnapshot {
    fixtures::copy_of(id, resource_id).aged(hours).seed()
}

#[tokio::test]
async fn instances_and_clusters_are_listed_without_members_and_what_is_left_out_is_explained() {
    let world = world(small);
    let plan = list(&world, json!({})).await.expect("a plan");
    assert_eq!(ids(&plan.instances), ["orders"]);
    assert_eq!(ids(&plan.clusters), ["billing"]);
    assert!(plan.instances[0].resource_id.starts_with("db-"));
    assert_eq!(plan.left_out.count, 2);
    let reasons: Vec<(&str, &str)> = plan
        .left_out
        .first
        .iter()
        .map(|database| (database.id.as_str(), database.reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("graph", "Neptune is not included (IncludeNeptune=false)"),
            ("scratch", "tagged snapferry:copy=false")
        ]
    );
    assert_eq!(plan.rules.destination_region.as_deref(), Some(DESTINATION));
    assert!(plan.warnings.is_empty() && !plan.dry_run && plan.only.is_none());
}

#[tokio::test]
async fn some_databases_are_listed_by_name() {
    let world = world(small);
    let plan = list(&world, json!({"only": ["cluster:billing"], "dryRun": true}))
        .await
        .expect("a plan");
    assert!(plan.instances.is_empty() && plan.dry_run);
    assert_eq!(ids(&plan.clusters), ["billing"]);
    assert_eq!(plan.only, Some(vec!["cluster:billing".to_owned()]));
    // A tag that leaves it out holds for a database that is named, too: it says so.
    let plan = list(&world, json!({"only": ["scratch"]})).await.expect("a plan");
    assert!(plan.instances.is_empty());
    assert_eq!(plan.left_out.first[0].id, "scratch");
}

#[tokio::test]
async fn a_name_that_is_unknown_or_of_a_member_is_refused() {
    let world = world(small);
    for (name, says) in [
        ("oders", "only[1]: there is no database oders in us-east-1"),
        ("billing-1", "only[1]: billing-1 is a member of the cluster billing"),
        ("instance:billing", "only[1]: there is no database instance:billing"),
    ] {
        let error = list(&world, json!({"only": ["orders", name]})).await.expect_err(name);
        assert_eq!(error.name(), "BadInput");
        assert!(error.to_string().starts_with(says), "{error}");
    }
    assert!(world.writes().is_empty());
}

fn event(detail_type: &str, event_id: &str, snapshot: &str) -> Value {
    json!({
        "detail-type": detail_type, "source": "aws.rds", "region": SOURCE,
        "detail": {"SourceIdentifier": snapshot, "EventID": event_id, "SourceType": "SNAPSHOT"},
    })
}

#[tokio::test]
async fn an_rds_event_copies_the_database_of_its_snapshot() {
    let world = world(small);
    let state = world.state();
    let snapshot = |database: &str| {
        let of = |snapshot: &&rds_simulator_sdk::simulator::SnapshotState| snapshot.database == database;
        state.snapshots(SOURCE).iter().find(of).expect("a snapshot").id.clone()
    };
    let instance = event("RDS DB Snapshot Event", "RDS-EVENT-0091", &snapshot("orders"));
    let plan = list(&world, instance).await.expect("a plan");
    assert_eq!((ids(&plan.instances), plan.clusters.len()), (vec!["orders"], 0));
    let cluster = event("RDS DB Cluster Snapshot Event", "RDS-EVENT-0169", &snapshot("billing"));
    let plan = list(&world, cluster).await.expect("a plan");
    assert_eq!((plan.instances.len(), ids(&plan.clusters)), (0, vec!["billing"]));
}

#[tokio::test]
async fn an_rds_event_of_a_snapshot_or_database_that_is_gone_says_so() {
    let world = world(|region| {
        small(region).snapshot(
            rds_simulator_sdk::scenario::Snapshot::automated(1.0)
                .taken_of(rds_simulator_sdk::simulator::Kind::Instance, "dropped"),
        )
    });
    let gone = event("RDS DB Snapshot Event", "RDS-EVENT-0091", "rds:orders-2020-01-01-00-00");
    let error = list(&world, gone).await.expect_err("gone");
    assert_eq!(error.name(), "SnapshotNotFound");
    assert!(error.to_string().contains("detail.SourceIdentifier"), "{error}");

    let state = world.state();
    let orphan = state
        .snapshots(SOURCE)
        .iter()
        .find(|snapshot| snapshot.database == "dropped")
        .expect("a snapshot");
    let error = list(&world, event("RDS DB Snapshot Event", "RDS-EVENT-0091", &orphan.id))
        .await
        .expect_err("dropped");
    assert!(
        error
            .to_string()
            .starts_with("detail.SourceIdentifier: there is no database instance:dropped"),
        "{error}"
    );
}

#[tokio::test]
async fn the_quota_is_compared_with_what_the_run_adds() {
    let world = world_with(small, |region| region.quota(0, 5));
    let plan = list(&world, json!({})).await.expect("a plan");
    assert_eq!(plan.warnings.len(), 1);
    assert!(plan.warnings[0].starts_with("eu-west-1 holds 0 of 0 manual instance snapshots, and this run may add 1"));
}

#[tokio::test]
async fn the_stack_can_be_set_to_dry_runs_and_to_opt_in() {
    let world = world(small);
    let careful = settings_with(&[("DRY_RUN", "true"), ("SELECTION", "opt-in")]);
    let plan = list_with(&deployment_with(&world, "tests", careful), &world, json!({}))
        .await
        .expect("a plan");
    assert!(plan.dry_run && plan.instances.is_empty());
    assert_eq!(plan.left_out.count, 4);
}

#[tokio::test]
async fn a_large_fleet_is_read_page_by_page() {
    let world = World::new(&Fleet::new(SOURCE, DESTINATION, 230, 15).scenario());
    let settings = settings_with(&[("PAGE_SIZE", "40")]);
    let deployment = deployment_with(&world, "tests", settings);
    let first = list_with(&deployment, &world, json!({})).await.expect("a plan");
    let mut seen = first.instances.len();
    assert_eq!(first.clusters.len(), 15);
    let mut next: Option<Page> = first.next_instances;
    while let Some(page) = next {
        let plan = list_with(&deployment, &world, json!({"page": page}))
            .await
            .expect("a page");
        assert!(plan.clusters.is_empty() && plan.left_out.count == 0);
        seen += plan.instances.len();
        next = plan.next_instances;
    }
    assert_eq!(seen, 230);
    assert_eq!(
        world.calls("DescribeAccountAttributes"),
        1,
        "further pages warn of nothing"
    );
}

#[tokio::test]
async fn on_every_page_the_database_that_would_lose_most_comes_first() {
    // With the age of the newest copy in hours. Pages are cut by resource id.
    let databases = [("a", 30), ("b", 40), ("c", 5), ("d", 90)];
    let resource_id = |id: &str| format!("db-{}", id.to_uppercase());
    let in_source = |region| {
        databases.iter().fold(region, |region: Region, (id, _)| {
            region.instance(Seeded {
                resource_id: Some(resource_id(id)),
                ..Seeded::new(id).snapshots_aged([1.0])
            })
        })
    };
    let in_destination = |region| {
        databases.iter().fold(region, |region: Region, (id, age)| {
            let copy = copy_of(id, &resource_id(id), *age);
            region.snapshot(copy.tag(tags::VERIFIED, &format!("{{time:{age}}}")))
        })
    };
    let world = world_with(in_source, in_destination);
    let deployment = deployment_with(&world, "tests", settings_with(&[("PAGE_SIZE", "2")]));
    let first = list_with(&deployment, &world, json!({})).await.expect("a plan");
    let second = list_with(&deployment, &world, json!({ "page": first.next_instances })).await;
    let names = |plan: Plan| plan.instances.into_iter().map(|target| target.id).collect::<Vec<_>>();
    assert_eq!(names(second.expect("a page")), ["d", "c"]);
    assert_eq!(names(first), ["b", "a"]);
}

#[tokio::test]
async fn the_output_fits_a_state_with_five_hundred_targets_of_the_longest_names() {
    let world = world(|region| {
        (0..500).fold(region, |region, at| {
            region.instance(Seeded::new(&format!("{}{at:03}", "d".repeat(60))))
        })
    });
    let plan = list(&world, json!({})).await.expect("a plan");
    assert_eq!(plan.instances.len(), 500);
    let bytes = serde_json::to_string(&plan).expect("JSON").len();
    assert!(bytes < 128 * 1024, "{bytes}");
}

#[tokio::test]
async fn a_page_fits_a_state_when_every_target_has_a_policy_and_a_problem() {
    let world = world_with(
        |region| {
            (0..500).fold(region, |region, at| {
                let database = Seeded::new(&format!("{}{at:03}", "d".repeat(60)))
                    .tag("snapferry:kms-key", fixtures::OTHER_KEY)
                    .tag("snapferry:keep", "100")
                    .tag("snapferry:keep-days", "3650")
                    .tag("snapferry:keep-daily", "100")
                    .tag("snapferry:keep-yearly", "often")
                    .tag("snapferry:kep-days", "30");
                region.instance(database)
            })
        },
        |region| region.quota(0, 0),
    );
    world.disable_key(DESTINATION, fixtures::OTHER_KEY);
    let settings = settings_with(&[("ALLOWED_KMS_KEY_ARNS", fixtures::OTHER_KEY)]);
    let deployment = deployment_with(&world, "tests", settings);
    let plan = list_with(&deployment, &world, json!({})).await.expect("a plan");
    let bytes = serde_json::to_string(&plan).expect("JSON").len();
    assert!(bytes < 200 * 1024, "{bytes}");
    let next = plan.next_instances.expect("what does not fit is on the next page");
    assert!(plan.instances.len() > 100 && next.number == 2);
    assert_eq!(
        plan.warnings.len(),
        preflight::MAX_WARNINGS + 1,
        "the first warnings and how many there are more"
    );
}

/// A world with this in it, and a stack with these settings.
async fn plan_with(source: impl FnOnce(Region) -> Region, variables: &[(&str, &str)]) -> Plan {
    let world = world(source);
    let deployment = deployment_with(&world, "tests", settings_with(variables));
    list_with(&deployment, &world, json!({})).await.expect("a plan")
}

fn encrypted(id: &str) -> Seeded {
    Seeded::new(id).encrypted_with("alias/aws/rds").snapshots_aged([3.0])
}

fn problem_of<'a>(plan: &'a Plan, id: &str) -> Option<&'a domain::payload::Problem> {
    let mut targets = plan.instances.iter().chain(&plan.clusters);
    targets
        .find(|target| target.id == id)
        .expect("a target")
        .problem
        .as_ref()
}

#[tokio::test]
async fn the_alias_of_the_stacks_key_is_resolved_once_a_page() {
    let alias = format!("arn:aws:kms:{DESTINATION}:123456789012:alias/copies");
    let plan = plan_with(small, &[("DESTINATION_KMS_KEY_ARN", &alias)]).await;
    assert_eq!(plan.rules.kms_key_arn.as_deref(), Some(fixtures::KEY));
    assert_eq!(problem_of(&plan, "orders"), None);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_stops_only_the_databases_that_need_it() {
    let world = world(|region| {
        region
            .instance(encrypted("orders"))
            .instance(encrypted("payroll").tag("snapferry:kms-key", fixtures::OTHER_KEY))
            .cluster(Seeded::new("plain").snapshots_aged([3.0]))
    });
    let settings = settings_with(&[("ALLOWED_KMS_KEY_ARNS", fixtures::OTHER_KEY)]);
    let deployment = deployment_with(&world, "tests", settings);

    world.disable_key(DESTINATION, fixtures::KEY);
    let plan = list_with(&deployment, &world, json!({})).await.expect("a plan");
    let problem = problem_of(&plan, "orders").expect("a problem");
    assert_eq!(problem.error, "KeyNotUsable");
    assert!(problem.message.contains("is Disabled"), "{}", problem.message);
    assert_eq!(problem_of(&plan, "payroll"), None);
    assert_eq!(problem_of(&plan, "plain"), None, "an unencrypted cluster gets no key");
    assert!(plan.warnings[0].contains("is Disabled"), "{:?}", plan.warnings);

    world.enable_key(DESTINATION, fixtures::KEY);
    world.disable_key(DESTINATION, fixtures::OTHER_KEY);
    let plan = list_with(&deployment, &world, json!({})).await.expect("a plan");
    assert_eq!(problem_of(&plan, "orders"), None);
    assert_eq!(problem_of(&plan, "payroll").expect("a problem").error, "KeyNotUsable");
}

#[tokio::test]
async fn a_key_that_may_not_be_looked_at_is_left_to_rds() {
    let world = world(small);
    world.fault(Fault::error(
        Calls::to("DescribeKey"),
        "AccessDeniedException",
        "not you",
    ));
    let plan = list(&world, json!({})).await.expect("a plan");
    assert_eq!(problem_of(&plan, "orders"), None);
    assert!(plan.warnings[0].contains("could not be checked"), "{:?}", plan.warnings);
}

#[tokio::test]
async fn an_alias_that_may_not_be_looked_at_stops_what_needs_its_key_and_picks_no_other() {
    let world = world(|region| {
        region
            .instance(encrypted("orders"))
            .instance(encrypted("payroll").tag("snapferry:kms-key", "alias/other"))
            .cluster(Seeded::new("plain").snapshots_aged([3.0]))
    });
    world.fault(Fault::error(
        Calls::to("DescribeKey"),
        "AccessDeniedException",
        "not you",
    ));
    let alias = format!("arn:aws:kms:{DESTINATION}:123456789012:alias/copies");
    for (key, stopped) in [
        (alias.as_str(), vec!["orders", "payroll"]),
        (fixtures::KEY, vec!["payroll"]),
    ] {
        let settings = settings_with(&[
            ("DESTINATION_KMS_KEY_ARN", key),
            ("ALLOWED_KMS_KEY_ARNS", fixtures::OTHER_KEY),
        ]);
        let plan = list_with(&deployment_with(&world, "tests", settings), &world, json!({})).await;
        let plan = plan.expect("a plan");
        for id in ["orders", "payroll", "plain"] {
            let error = problem_of(&plan, id).map(|problem| problem.error.as_str());
            assert_eq!(
                error,
                stopped.contains(&id).then_some("AccessDenied"),
                "{id} with {key}"
            );
        }
    }
}

#[tokio::test]
async fn an_unencrypted_cluster_is_flagged_before_it_is_copied() {
    let plan = plan_with(
        |region| {
            region
                .cluster(Seeded::new("plain"))
                .cluster(Seeded::new("modern").encrypted_by_service())
                .cluster(encrypted("safe"))
                .instance(Seeded::new("plain-instance"))
        },
        &[],
    )
    .await;
    assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
    assert!(plan.warnings[0].starts_with("cluster plain is not encrypted"));
}

#[tokio::test]
async fn a_database_with_permanent_options_and_no_option_group_is_found_out_before_the_copy() {
    let source = |region: Region| {
        let timezone = OptionGroup::new("oracle-tz", "oracle-ee")
            .version("19")
            .permanent("Timezone");
        let finance = encrypted("finance").engine("oracle-ee").option_group("oracle-tz");
        region
            .option_group(timezone)
            .instance(finance)
            .instance(encrypted("orders"))
    };
    let plan = plan_with(source, &[]).await;
    let problem = problem_of(&plan, "finance").expect("a problem");
    assert_eq!(problem.error, "OptionGroupMissing");
    assert!(problem.message.contains("[Timezone]"), "{}", problem.message);
    assert_eq!(problem_of(&plan, "orders"), None);

    let world = world_with(source, |region| {
        region.option_group(
            OptionGroup::new("copies-tz", "oracle-ee")
                .version("19")
                .permanent("Timezone"),
        )
    });
    let mapped = settings_with(&[("OPTION_GROUPS", "oracle-tz=copies-tz")]);
    let plan = list_with(&deployment_with(&world, "tests", mapped), &world, json!({})).await;
    assert_eq!(problem_of(&plan.expect("a plan"), "finance"), None);
}

#[tokio::test]
async fn of_two_clusters_of_a_global_database_the_primary_is_copied() {
    let world = World::new(
        &rds_simulator_sdk::scenario::Scenario::new()
            .region(SOURCE, |region| region.cluster(encrypted("shop-us").global("shop")))
            .region(DESTINATION, |region| {
                region
                    .key(fixtures::KEY, "alias/copies")
                    .cluster(encrypted("shop-eu").global_writer("shop"))
            }),
    );
    let plan = list(&world, json!({})).await.expect("a plan");
    assert!(plan.clusters.is_empty());
    assert!(plan.left_out.first[0].reason.contains("its primary, in eu-west-1"));
}

#[tokio::test]
async fn copies_of_databases_that_are_gone_are_counted_and_pruned_only_if_the_stack_says_so() {
    let world = world_with(small, |region| region.snapshot(copy_of("dropped", "db-DROPPED", 500)));
    let plan = list(&world, json!({})).await.expect("a plan");
    assert_eq!((plan.retired.databases, plan.retired.copies), (1, 1));
    assert_eq!(plan.retired.first[0].id, "dropped");
    assert_eq!(ids(&plan.instances), ["orders"]);

    let pruning = deployment_with(&world, "tests", settings_with(&[("RETIRED_KEEP_DAYS", "30")]));
    let plan = list_with(&pruning, &world, json!({})).await.expect("a plan");
    assert_eq!(ids(&plan.instances), ["dropped", "orders"]);
    assert!(
        plan.instances
            .iter()
            .any(|target| target.retired && target.id == "dropped")
    );

    let narrow = list_with(&pruning, &world, json!({"only": ["orders"]}))
        .await
        .expect("a plan");
    assert_eq!((ids(&narrow.instances), narrow.retired.databases), (vec!["orders"], 0));
}

#[tokio::test]
async fn unreadable_tags_are_reported_and_nothing_of_that_database_is_deleted() {
    let plan = plan_with(
        |region| region.instance(encrypted("orders").tag("snapferry:keep-days", "a year")),
        &[],
    )
    .await;
    assert!(plan.instances[0].policy.as_ref().is_some_and(|policy| policy.hold_all));
    assert!(plan.warnings[0].starts_with("instance orders: the tag snapferry:keep-days is not a whole number"));
    assert!(!plan.warnings[0].contains("year"));
}

#[tokio::test]
async fn snapshots_that_are_only_named_like_ours_are_reported() {
    let world = world_with(small, |region| {
        region.snapshot(SeededSnapshot::manual("snap-by-hand", 20.0).taken_of(Kind::Instance, "orders"))
    });
    let plan = list(&world, json!({})).await.expect("a plan");
    assert!(plan.warnings[0].contains("snap-by-hand"), "{:?}", plan.warnings);
}

#[tokio::test]
async fn the_fleet_is_measured_by_whole_runs_and_by_no_others() {
    let world = world(small);
    let (deployment, measured) = metered(deployment(&world));
    for partial in [
        json!({"only": ["orders"]}),
        json!({"page": {"kind": "instance", "cursor": "db-A", "number": 2, "root": "nightly"}}),
    ] {
        list_with(&deployment, &world, partial).await.expect("a plan");
        assert!(measured.values(Metric::DATABASES).is_empty());
    }
    list_with(&deployment, &world, json!({})).await.expect("a plan");
    assert_eq!(measured.values(Metric::DATABASES), [2.0]);
    assert_eq!(measured.values(Metric::DATABASES_WITHOUT_COPY), [2.0]);
    assert_eq!(measured.values(Metric::RECOVERY_POINT_AGE).len(), 2);
    assert_eq!(measured.values(Metric::SNAPSHOT_QUOTA_USE), [0.0, 0.0]);
}
