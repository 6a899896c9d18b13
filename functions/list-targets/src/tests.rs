use domain::payload::{Page, Target};
use domain::tags;
use fixtures::{DESTINATION, SOURCE, deployment, deployment_with, metered, settings_with, world, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database as Seeded, Fleet, OptionGroup, Region, Snapshot as SeededSnapshot};
use rds_simulator_sdk::simulator::{Action, Calls, Fault, InjectedError, Kind};
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
    assert_eq!(plan.only, None, "there is no further page to hand it to");
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

/// The identifier of a database's newest snapshot.
fn newest_snapshot(world: &World, database: &str) -> String {
    let state = world.state();
    let of = |snapshot: &&rds_simulator_sdk::simulator::SnapshotState| snapshot.database == database;
    state.snapshots(SOURCE).iter().find(of).expect("a snapshot").id.clone()
}

#[tokio::test]
async fn an_rds_event_copies_the_database_of_its_snapshot() {
    let world = world(small);
    let snapshot = newest_snapshot(&world, "orders");
    let instance = event("RDS DB Snapshot Event", "RDS-EVENT-0091", &snapshot);
    let plan = list(&world, instance).await.expect("a plan");
    assert_eq!((ids(&plan.instances), plan.clusters.len()), (vec!["orders"], 0));
    assert_eq!(plan.instances[0].snapshot.as_ref(), Some(&snapshot));
    assert!(plan.event && plan.instances[0].execution.is_some());
    let cluster = event(
        "RDS DB Cluster Snapshot Event",
        "RDS-EVENT-0169",
        &newest_snapshot(&world, "billing"),
    );
    let plan = list(&world, cluster).await.expect("a plan");
    assert_eq!((plan.instances.len(), ids(&plan.clusters)), (0, vec!["billing"]));
    let whole = list(&world, json!({})).await.expect("a plan");
    assert!(!whole.event && whole.instances[0].snapshot.is_none());
}

/// Case 11: the snapshot was taken under another name, which a blue/green switchover has changed since.
#[tokio::test]
async fn an_event_finds_its_database_by_resource_id_whatever_it_is_called_now() {
    const GREEN: &str = "rds:shop-green-abc123-2026-11-25-01-10";
    let world = world(|region| {
        let shop = Seeded {
            resource_id: Some("db-SHOP".to_owned()),
            ..Seeded::new("shop").snapshots_aged([30.0])
        };
        let taken = SeededSnapshot {
            id: Some(GREEN.to_owned()),
            resource_id: Some("db-SHOP".to_owned()),
            ..SeededSnapshot::automated(0.1).taken_of(Kind::Instance, "shop-green-abc123")
        };
        region.instance(shop).snapshot(taken)
    });
    let plan = list(&world, event("RDS DB Snapshot Event", "RDS-EVENT-0091", GREEN)).await;
    let plan = plan.expect("a plan");
    assert_eq!(ids(&plan.instances), ["shop"]);
    assert_eq!(plan.instances[0].resource_id, "db-SHOP");
    assert_eq!(plan.instances[0].snapshot.as_deref(), Some(GREEN));
}

/// L3, and the hand-made case: a snapshot that has expired, a database that was deleted, a snapshot of AWS Backup.
#[tokio::test]
async fn an_event_about_what_is_gone_is_a_success_that_says_so() {
    let world =
        world(|region| small(region).snapshot(SeededSnapshot::automated(1.0).taken_of(Kind::Instance, "dropped")));
    let dropped = newest_snapshot(&world, "dropped");
    for (snapshot, says) in [
        (
            "rds:orders-2020-01-01-00-00",
            "rds:orders-2020-01-01-00-00 that the event names is not in us-east-1",
        ),
        (dropped.as_str(), "the instance dropped that the snapshot"),
        ("awsbackup:job-1234", "AWS Backup"),
    ] {
        let plan = list(&world, event("RDS DB Snapshot Event", "RDS-EVENT-0091", snapshot)).await;
        let plan = plan.expect("a success");
        assert!(plan.event && plan.instances.is_empty() && plan.clusters.is_empty());
        assert!(
            plan.warnings.len() == 1 && plan.warnings[0].contains(says),
            "{:?}",
            plan.warnings
        );
    }
    assert!(world.writes().is_empty());
    assert_eq!(world.calls("DescribeKey"), 0, "nothing needs a key");
}

#[tokio::test]
async fn an_event_about_a_database_that_is_left_out_says_why() {
    let world = world(|region| {
        region.instance(
            Seeded::new("scratch")
                .tag("snapferry:copy", "false")
                .snapshots_aged([1.0]),
        )
    });
    let about = event(
        "RDS DB Snapshot Event",
        "RDS-EVENT-0091",
        &newest_snapshot(&world, "scratch"),
    );
    let plan = list(&world, about).await.expect("a plan");
    assert!(plan.instances.is_empty());
    assert_eq!(plan.left_out.first[0].reason, "tagged snapferry:copy=false");
}

fn calls(world: &World) -> u64 {
    world
        .counters()
        .calls
        .values()
        .flat_map(std::collections::BTreeMap::values)
        .sum()
}

/// L8: one event costs the same in a fleet of ten and of thousands: eight calls at most, of everything.
#[tokio::test]
async fn an_event_costs_at_most_eight_calls_whatever_the_size_of_the_fleet() {
    for (others, clusters) in [(0_u32, 0_u32), (250, 120)] {
        let world = world_with(
            |region| {
                let timezone = OptionGroup::new("oracle-tz", "oracle-ee")
                    .version("19")
                    .permanent("Timezone");
                let finance = Seeded::new("finance")
                    .engine("oracle-ee")
                    .option_group("oracle-tz")
                    .tag("snapferry:kms-key", "alias/other")
                    .snapshots_aged([1.0]);
                let shop = Seeded::new("shop").global_writer("world").snapshots_aged([1.0]);
                let region = region.option_group(timezone).instance(finance).cluster(shop);
                let region = (0..others).fold(region, |region, at| region.instance(Seeded::new(&format!("db-{at}"))));
                (0..clusters).fold(region, |region, at| {
                    region.cluster(Seeded::new(&format!("c-{at}")).global_writer(&format!("global-{at}")))
                })
            },
            |region| region.snapshot(copy_of("db-1", "db-ONE", 5)),
        );
        let settings = settings_with(&[
            ("OPTION_GROUPS", "oracle-tz=copies-tz"),
            ("ALLOWED_KMS_KEY_ARNS", fixtures::OTHER_KEY),
        ]);
        let deployment = deployment_with(&world, "tests", settings);
        for (detail_type, event_id, database) in [
            ("RDS DB Snapshot Event", "RDS-EVENT-0091", "finance"),
            ("RDS DB Cluster Snapshot Event", "RDS-EVENT-0169", "shop"),
        ] {
            let before = calls(&world);
            let about = event(detail_type, event_id, &newest_snapshot(&world, database));
            let plan = list_with(&deployment, &world, about).await.expect("a plan");
            assert_eq!(plan.instances.len() + plan.clusters.len(), 1, "{:?}", plan.left_out);
            let made = calls(&world) - before;
            assert!(made <= 8, "{made} calls for {database} beside {others} others");
        }
    }
}

/// P2: what is only advice never carries a run, whatever error AWS gives for it.
#[tokio::test]
async fn what_is_only_advice_never_ends_a_run() {
    let source = |region: Region| {
        region
            .option_group(
                OptionGroup::new("audited", "mysql")
                    .version("8.0")
                    .option("MARIADB_AUDIT_PLUGIN"),
            )
            .instance(encrypted("orders").engine("mysql").option_group("audited"))
            .instance(encrypted("books").engine("mysql").option_group("audited"))
            .cluster(encrypted("shop").global_writer("world"))
    };
    for (operation, says) in [
        (
            "DescribeAccountAttributes",
            "how many manual snapshots eu-west-1 may hold",
        ),
        ("DescribeOptionGroups", "the option groups could not be read"),
        ("DescribeGlobalClusters", "secondaries may be copied, too"),
        ("DescribeKey", "could not be checked before the copies"),
    ] {
        for (code, status) in [
            ("AccessDeniedException", 400),
            ("Throttling", 400),
            ("InternalFailure", 500),
            ("SomethingNew", 400),
        ] {
            let world = world(source);
            let error = InjectedError {
                code: code.to_owned(),
                message: "not now".to_owned(),
                status,
            };
            world.fault(Fault::new(Calls::to(operation), Action::Error(error)));
            let plan = list(&world, json!({})).await;
            let plan = plan.unwrap_or_else(|error| panic!("{operation} {code}: {error}"));
            assert_eq!(
                (ids(&plan.instances), ids(&plan.clusters)),
                (vec!["books", "orders"], vec!["shop"])
            );
            assert!(
                ["orders", "books", "shop"]
                    .iter()
                    .all(|id| problem_of(&plan, id).is_none())
            );
            assert!(
                plan.warnings.iter().any(|warning| warning.contains(says)),
                "{operation} {code}: {:?}",
                plan.warnings
            );
        }
    }
}

/// P2: without the destination's snapshots there is no order, nothing is retired, and no age is measured.
#[tokio::test]
async fn copies_that_cannot_be_listed_cost_the_order_and_the_ages_and_no_copy() {
    let world = world_with(small, |region| region.snapshot(copy_of("dropped", "db-DROPPED", 500)));
    world.fault(Fault::error(
        Calls::to("DescribeDBSnapshots").in_region(DESTINATION),
        "AccessDenied",
        "not you",
    ));
    let settings = settings_with(&[("RETIRED_KEEP_DAYS", "30")]);
    let (deployment, measured) = metered(deployment_with(&world, "tests", settings));
    let plan = list_with(&deployment, &world, json!({})).await.expect("a plan");
    assert_eq!(
        (ids(&plan.instances), ids(&plan.clusters)),
        (vec!["orders"], vec!["billing"])
    );
    assert_eq!(plan.retired.databases, 0);
    assert!(plan.warnings[0].contains("could not be listed"), "{:?}", plan.warnings);
    assert!(measured.values(Metric::OLDEST_RECOVERY_POINT_AGE).is_empty());
    assert!(measured.values(Metric::DATABASES).is_empty());
    assert_eq!(measured.values(Metric::DATABASES_WITHOUT_SNAPSHOTS), [0.0]);
}

/// D3, M12, case 08: what makes no snapshots is counted apart, with its reason, and never the oldest.
#[tokio::test]
async fn what_makes_no_snapshots_is_counted_apart() {
    let world = world(|region| {
        let replica = Seeded {
            backup_retention_days: Some(0),
            created_days_ago: Some(200.0),
            ..Seeded::new("books-replica")
        };
        let books = Seeded {
            created_days_ago: Some(30.0),
            ..Seeded::new("books").snapshots_aged([3.0])
        };
        region.instance(books).instance(replica)
    });
    let (deployment, measured) = metered(deployment(&world));
    let plan = list_with(&deployment, &world, json!({})).await.expect("a plan");
    assert_eq!(ids(&plan.instances), ["books"]);
    assert_eq!(plan.left_out.first[0].id, "books-replica");
    assert!(
        plan.left_out.first[0].reason.contains("retention is 0"),
        "{:?}",
        plan.left_out
    );
    let [oldest] = measured.values(Metric::OLDEST_RECOVERY_POINT_AGE)[..] else {
        panic!("one value")
    };
    assert!((719.0..721.0).contains(&oldest), "{oldest}");
    assert_eq!(measured.values(Metric::DATABASES), [1.0]);
    assert_eq!(measured.values(Metric::DATABASES_WITHOUT_SNAPSHOTS), [1.0]);
}

/// M10: what is handed on to the next page is only what is still to come.
#[tokio::test]
async fn a_narrowed_run_hands_fewer_names_to_each_page() {
    let names: Vec<String> = (0..25).map(|at| format!("db-{at:02}")).collect();
    let world = world(|region| {
        names
            .iter()
            .fold(region, |region, name| region.instance(Seeded::new(name)))
    });
    let deployment = deployment_with(&world, "tests", settings_with(&[("PAGE_SIZE", "10")]));
    let mut plan = list_with(&deployment, &world, json!({ "only": names }))
        .await
        .expect("a plan");
    let (mut seen, mut handed) = (plan.instances.len(), Vec::new());
    while let Some(page) = plan.next_instances {
        let only = plan.only.expect("names for the next page");
        handed.push(only.len());
        plan = list_with(&deployment, &world, json!({"page": page, "only": only}))
            .await
            .expect("a page");
        seen += plan.instances.len();
    }
    assert_eq!((seen, handed), (25, vec![15, 5]));
    assert_eq!(plan.only, None);
}

/// M10: every list in a plan has a bound. The worst that there can be fits into a state, which holds 256 KiB.
#[tokio::test]
async fn the_worst_plan_fits_a_state() {
    let name = |at: u32| format!("{}{at:03}", "d".repeat(60));
    let world = world_with(
        |region| {
            let region = (0..500).fold(region, |region, at| {
                region.instance(
                    Seeded::new(&name(at))
                        .tag("snapferry:kms-key", fixtures::OTHER_KEY)
                        .tag("snapferry:keep-yearly", "often")
                        .tag("snapferry:kep-days", "30"),
                )
            });
            let global = Seeded::new("global").global_writer("world");
            (500..999).fold(region.cluster(global), |region, at| {
                region.cluster(Seeded::new(&name(at)[5..]).tag("snapferry:copy", "false"))
            })
        },
        |region| {
            (0..400).fold(region.quota(1000, 0), |region, at| {
                region.snapshot(copy_of(&name(at), &format!("db-{at}"), 9))
            })
        },
    );
    world.fault(Fault::error(
        Calls::to("DescribeGlobalClusters"),
        "AccessDenied",
        &"no ".repeat(20_000),
    ));
    world.disable_key(DESTINATION, fixtures::OTHER_KEY);
    let settings = settings_with(&[
        ("ALLOWED_KMS_KEY_ARNS", fixtures::OTHER_KEY),
        ("RETIRED_KEEP_DAYS", "30"),
    ]);
    let deployment = deployment_with(&world, "tests", settings);
    let all: Vec<String> = (0..250)
        .flat_map(|at| [format!("instance:{}", name(at)), name(at + 250)])
        .collect();
    for request in [json!({}), json!({ "only": all })] {
        let plan = list_with(&deployment, &world, request).await.expect("a plan");
        assert!(!plan.warnings.is_empty() && plan.next_instances.is_some());
        let bytes = serde_json::to_string(&plan).expect("JSON").len();
        assert!(bytes < 200 * 1024, "{bytes}");
    }
}

/// H2, case 01b: on a database that was restored from a copy, what the copy was made with asks for nothing.
#[tokio::test]
async fn the_tags_of_a_copy_do_nothing_to_a_database_that_was_restored_from_it() {
    let tags = fixtures::copy_of("books", "db-OLD")
        .key(fixtures::OTHER_KEY)
        .marked("2026-11-22T04:00:00Z")
        .tags();
    let restored = tags
        .iter()
        .filter(|(key, _)| key.starts_with("snapferry:"))
        .fold(encrypted("books"), |database, (key, value)| database.tag(key, value))
        .tag("snapferry:option-group", "default:postgres-17");
    let plan = plan_with(|region| region.instance(restored), &[]).await;
    assert_eq!((&plan.instances[0].policy, problem_of(&plan, "books")), (&None, None));
    assert_eq!(plan.warnings, Vec::<String>::new());
}

/// Case 12: tags in another spelling are honoured where they ask for less to be done, and named.
#[tokio::test]
async fn a_wish_in_another_spelling_is_no_permission() {
    let plan = plan_with(
        |region| {
            region
                .instance(encrypted("books").tag("SNAPFERRY:KEEP", "10"))
                .instance(encrypted("private").tag("Snapferry:Copy", "false"))
        },
        &[],
    )
    .await;
    assert_eq!(ids(&plan.instances), ["books"]);
    assert!(plan.instances[0].policy.as_ref().is_some_and(|policy| policy.hold_all));
    for tag in ["SNAPFERRY:KEEP", "Snapferry:Copy"] {
        let named = plan.warnings.iter().filter(|warning| warning.contains(tag)).count();
        assert_eq!(named, 1, "{tag} in {:?}", plan.warnings);
    }
}

/// M11: two stacks with one `OwnerId`.
#[tokio::test]
async fn copies_of_another_stack_are_noticed_for_three_days() {
    let of_stack = |stack: &str, hours: u32| copy_of("orders", "db-ORDERS", hours).tag(tags::STACK, stack);
    let warnings = async |stack: &str, hours: u32| {
        let world = world_with(small, |region| region.snapshot(of_stack(stack, hours)));
        let plan = list(&world, json!({})).await.expect("a plan");
        plan.warnings
            .into_iter()
            .filter(|warning| warning.contains("OwnerId"))
            .collect::<Vec<_>>()
    };
    let said = warnings("for-trying", 71).await;
    assert!(said.len() == 1 && said[0].contains("the stack for-trying"), "{said:?}");
    assert!(warnings("for-trying", 73).await.is_empty());
    assert!(warnings("snapferry", 1).await.is_empty());
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

/// A tag that cannot be the name of a group is ignored by the preflight as by the policy, of one database as of many.
#[tokio::test]
async fn a_tag_that_names_no_option_group_does_not_hide_the_one_that_the_stack_names() {
    let timezone = |name: &str| OptionGroup::new(name, "oracle-ee").version("19").permanent("Timezone");
    let world = world_with(
        |region| {
            let finance = encrypted("finance").engine("oracle-ee").option_group("oracle-tz");
            region
                .option_group(timezone("oracle-tz"))
                .instance(finance.tag("snapferry:option-group", "1-is no name"))
        },
        |region| region.option_group(timezone("copies-tz")),
    );
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
