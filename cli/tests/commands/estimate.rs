//! `snapferry estimate`.

use domain::kind::DatabaseKind::{self, Cluster, Instance};
use domain::tags;
use rds_simulator_sdk::scenario::{self, Region};
use serde_json::{Value, json};
use snapferry::error::ExitStatus;

use crate::account::{Account, DESTINATION, KEY, SOURCE, copy, copy_under, database, stack_with, unverified};

const GIB: u64 = 1 << 30;

/// Before there is a stack.
const BEFORE: &str = "estimate --stack none --destination-region eu-west-1";

/// What the command may take with calls of 30 ms each, if it made them one after another.
const MAX_MILLISECONDS: u64 = 5_000;
const MILLISECONDS_PER_CALL: u64 = 30;

/// A database with a snapshot for each of these ages.
fn sized(kind: DatabaseKind, id: &str, gib: u32, ages: &[f64]) -> scenario::Database {
    scenario::Database {
        allocated_storage: Some(gib),
        ..database(kind, id).size_gib(gib).snapshots_aged(ages.iter().copied())
    }
}

/// The database of that name.
fn line<'a>(report: &'a Value, name: &str) -> &'a Value {
    let databases = report["databases"].as_array().expect("databases");
    let mut found = databases.iter().filter(|database| database["database"] == name);
    found.next().unwrap_or_else(|| panic!("{name} in {report}"))
}

fn quota<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let quotas = report["quotas"].as_array().expect("quotas");
    quotas.iter().find(|quota| quota["kind"] == kind).expect(kind)
}

/// Instances of several sizes, of which one says what was written, and a cluster; nothing is copied yet.
fn fleet(source: Region) -> Region {
    let mut warehouse = sized(Instance, "warehouse", 2_000, &[]);
    let mut written = scenario::Snapshot::automated(2.0);
    written.full_snapshot_size_bytes = Some(1_500 * GIB);
    warehouse = warehouse.snapshot(written);
    source
        .instance(sized(Instance, "orders", 300, &[50.0, 26.0, 2.0]).tag(tags::KEEP, "7"))
        .instance(sized(Instance, "stock", 100, &[3.0]))
        .instance(warehouse)
        .instance(sized(Instance, "new", 40, &[]))
        .instance(sized(Instance, "private", 40, &[2.0]).tag(tags::COPY, "false"))
        .cluster(sized(Cluster, "billing", 1, &[4.0]).engine("aurora-postgresql"))
        .cluster(sized(Cluster, "graph", 1, &[4.0]).engine("neptune"))
}

#[tokio::test]
async fn before_the_deployment_the_destination_is_all_that_has_to_be_said() {
    let account = Account::new(fleet, |destination| destination);
    let said = account.say("estimate --stack none").await;
    let failure = said.failure();
    assert!(failure.starts_with("There is no stack none in us-east-1."), "{failure}");
    assert!(failure.contains("--destination-region REGION"), "{failure}");

    let said = account.say(&format!("{BEFORE} --json")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    let report = said.json();
    assert_eq!(report["stack"], json!(null));
    assert_eq!(report["keep"], json!({"copies": 3}), "the template's defaults");
    let sizes = |name: &str| {
        let line = line(&report, name);
        json!([
            line["sizeGib"],
            line["sizeFrom"],
            line["transfer"],
            line["stored"],
            line["copiesKept"]
        ])
    };
    assert_eq!(sizes("orders"), json!([300, "written", "full", "incremental", 7]));
    assert_eq!(sizes("warehouse"), json!([1500, "written", "full", "incremental", 3]));
    assert_eq!(
        sizes("new"),
        json!([40, "allocated", "full", "incremental", 3]),
        "it has no snapshot yet"
    );
    assert_eq!(sizes("billing"), json!([null, "unknown", "full", "full", 3]));
    let passed_over: Vec<&Value> = report["passedOver"].as_array().expect("databases").iter().collect();
    let reasons: Vec<Value> = passed_over
        .iter()
        .map(|one| json!([one["database"], one["reason"]]))
        .collect();
    assert_eq!(
        reasons,
        [
            json!(["private", "tagged snapferry:copy=false"]),
            json!(["graph", "Neptune is not included (IncludeNeptune=false)"]),
        ]
    );
    // Seven copies of orders and three of each other, and one on the way of each.
    assert_eq!(quota(&report, "instance")["needed"], 8 + 3 * 4);
    assert_eq!(quota(&report, "cluster")["needed"], 4);
    assert_eq!(report["hasRoom"], true);
    let calls = account.calls();
    assert_eq!(calls.get("kms.eu-west-1"), None, "no key is chosen yet: {calls:?}");
}

/// The hours by hand: ten minutes for each copy, and 150 GiB per hour beside that.
#[tokio::test]
async fn the_hours_are_those_of_the_sizes_in_the_slots_that_there_are() {
    let source = |mut region: Region| {
        // 21 instances for 20 slots: the last one waits for the first of them.
        for number in 0..20 {
            region = region.instance(sized(Instance, &format!("a-{number:02}"), 300, &[2.0]));
        }
        region = region.instance(sized(Instance, "b", 150, &[2.0]));
        for number in 0..4 {
            region = region.cluster(sized(Cluster, &format!("c-{number}"), 1, &[2.0]));
        }
        region
    };
    let account = Account::new(source, |destination| destination);
    let report = account.say(&format!("{BEFORE} --daily-change 10 --json")).await.json();
    let hours = |coverage: &Value| {
        let hours = |field: &str| coverage[field].as_f64().expect("seconds") / 3600.0;
        [hours("firstSeconds"), hours("dailySeconds")]
    };
    let ten_minutes = 1.0 / 6.0;
    let expected = [
        (ten_minutes + 2.0) + (ten_minutes + 1.0),
        (ten_minutes + 0.2) + (ten_minutes + 0.1),
    ];
    let close = |left: [f64; 2], right: [f64; 2]| left.iter().zip(right).all(|(a, b)| (a - b).abs() < 0.01);
    let all = hours(&report["withAllSlots"]);
    assert!(close(all, expected), "{all:?} {expected:?}");
    assert_eq!(report["withTheStack"], report["withAllSlots"], "it uses all slots");
    assert_eq!(report["assumptions"]["measuredBy"], 0);
    assert_eq!(line(&report, "b")["isMeasured"], false);
    assert_eq!(line(&report, "c-0")["isAtLeast"], true, "RDS gives no size");

    // Four clusters of 900 GiB, of which the stack processes one at a time.
    let clusters = stack_with(&[("ClusterConcurrency", "1"), ("InstanceConcurrency", "40")]);
    account.stack("narrow", &clusters);
    let report = account
        .say("estimate --stack narrow --cluster-gib 900 --json")
        .await
        .json();
    let (all, stack) = (&report["withAllSlots"], &report["withTheStack"]);
    assert_eq!([&all["instanceSlots"], &all["clusterSlots"]], [20, 5]);
    assert_eq!([&stack["instanceSlots"], &stack["clusterSlots"]], [20, 1]);
    let [first, _] = hours(all);
    assert!((first - (ten_minutes + 6.0)).abs() < 0.01, "{first}");
    let [first, _] = hours(stack);
    assert!((first - 4.0 * (ten_minutes + 6.0)).abs() < 0.01, "{first}");
    assert_eq!(line(&report, "c-0")["sizeFrom"], "given");
}

/// What continues an earlier copy: one that is complete, and under the same key.
#[tokio::test]
async fn a_copy_is_incremental_where_the_line_goes_on() {
    let other = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-4222-8222-222222222222";
    let account = Account::new(
        |source| {
            source
                .instance(sized(Instance, "orders", 300, &[29.0, 5.0]))
                .instance(sized(Instance, "behind", 300, &[29.0, 5.0]))
                .instance(sized(Instance, "rekeyed", 300, &[5.0]))
                .instance(sized(Instance, "picks", 300, &[5.0]).tag(tags::KMS_KEY, other))
                .instance(sized(Instance, "begun", 300, &[5.0]))
                .cluster(sized(Cluster, "billing", 1, &[29.0, 5.0]))
                .cluster(sized(Cluster, "papers", 1, &[5.0]).engine("docdb"))
        },
        |destination| {
            destination
                .key(other, "alias/other")
                .snapshot(copy(Instance, "orders", 5.0))
                .snapshot(copy(Instance, "behind", 29.0))
                .snapshot(copy_under(Some(other), Instance, "rekeyed", 5.0))
                .snapshot(copy(Instance, "picks", 5.0))
                .snapshot(unverified(Instance, "begun", 5.0).at_percent(40))
                // RDS gives no key to the copy of a cluster that is not encrypted.
                .snapshot(copy_under(None, Cluster, "billing", 29.0))
                .snapshot(copy(Cluster, "papers", 5.0))
        },
    );
    account.stack(
        "snapferry",
        &stack_with(&[("DestinationKmsKey", KEY), ("IncludeDocumentDb", "true")]),
    );
    let said = account.say("estimate --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let report = said.json();
    for (name, transfer, stored, is_covered) in [
        ("orders", "incremental", "incremental", true),
        ("behind", "incremental", "incremental", false),
        ("rekeyed", "full", "incremental", true),
        ("picks", "full", "incremental", true),
        ("begun", "full", "incremental", false),
        ("billing", "incremental", "full", false),
        ("papers", "full", "full", true),
    ] {
        let line = line(&report, name);
        assert_eq!(
            json!([line["transfer"], line["stored"], line["isCovered"]]),
            json!([transfer, stored, is_covered]),
            "{name}"
        );
    }
    // The copies there are count to our own need, and not to others'.
    assert_eq!(quota(&report, "instance")["others"], 0);
    assert_eq!(quota(&report, "instance")["used"], 5);
    assert_eq!(
        account.calls().get("kms.eu-west-1"),
        Some(&1),
        "the key is described once"
    );
}

/// D5: by the copies that there are, which took three and a half hours each, and the snapshots, a day apart.
#[tokio::test]
async fn the_rpo_is_proposed_by_what_copies_really_take() {
    let account = Account::new(
        |source| {
            source
                .instance(sized(Instance, "orders", 350, &[53.0, 29.0, 5.0]))
                .instance(sized(Instance, "stock", 700, &[5.0]))
        },
        // Verified three and a half hours after it was asked for: one copy, of three that are kept, is the first one.
        |destination| {
            let mut first = copy(Instance, "orders", 5.0);
            first.allocated_storage = Some(350);
            first.full_snapshot_size_bytes = Some(350 * GIB);
            destination.snapshot(first)
        },
    );
    account.stack("snapferry", &stack_with(&[("ObjectiveHours", "26")]));
    let report = account.say("estimate --json --daily-change 100").await.json();
    assert_eq!(report["assumptions"]["measuredBy"], 1, "{report}");
    assert_eq!(report["assumptions"]["gibPerHour"], 100.0);
    assert_eq!(line(&report, "orders")["isCovered"], true);
    let stock = line(&report, "stock")["nextSeconds"].as_i64().expect("seconds");
    assert_eq!(stock, 7 * 3600 + 600, "700 GiB at 100 GiB per hour, and ten minutes");
    let objective = &report["objective"];
    assert_eq!(objective["presentSeconds"], 26 * 3600);
    assert_eq!(objective["intervalSeconds"], 24 * 3600);
    assert_eq!(objective["isIntervalMeasured"], true);
    assert_eq!(objective["coverSeconds"], stock);
    // An hour, and 15 % of the time to cover.
    assert_eq!(objective["marginSeconds"], 3600 + stock * 15 / 100);
    assert_eq!(objective["proposedHours"], 34);
    let text = account.say("estimate --daily-change 100").await.out.replace('\n', " ");
    assert!(
        text.contains("The stack has 26 h, which is exceeded on days when all is well."),
        "{text}"
    );

    account.stack("snapferry", &stack_with(&[("ObjectiveHours", "40")]));
    let text = account.say("estimate --daily-change 100").await.out.replace('\n', " ");
    assert!(text.contains("The stack has 40 h, which is enough."), "{text}");
}

/// m9: 26 databases with three copies each do not fit into the quota that an account begins with.
#[tokio::test]
async fn a_quota_that_is_too_small_is_named_with_its_code() {
    let source = |region: Region| {
        (0..26).fold(region, |region, number| {
            region.instance(sized(Instance, &format!("database-{number:02}"), 100, &[2.0]))
        })
    };
    let by_hand =
        scenario::Snapshot::manual("made-by-hand", 3.0).taken_of(rds_simulator_sdk::simulator::Kind::Instance, "gone");
    let account = Account::new(source, |destination| destination.snapshot(by_hand));
    let said = account.say("estimate --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem), "{}", said.out);
    let report = said.json();
    assert_eq!(report["hasRoom"], false);
    assert_eq!(
        quota(&report, "instance"),
        &json!({"kind": "instance", "code": "L-272F1212", "used": 1, "max": 100, "needed": 104, "others": 1,
            "raiseTo": 105})
    );
    assert_eq!(quota(&report, "cluster")["raiseTo"], json!(null));
    let said = account.say("estimate").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    assert!(
        said.out.contains(
            "  aws service-quotas request-service-quota-increase --region eu-west-1 --service-code rds --quota-code \
             L-272F1212 --desired-value 105\n"
        ),
        "{}",
        said.out
    );

    let account = Account::new(source, |destination| destination.quota(105, 100));
    let said = account.say("estimate").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    assert!(
        said.out.contains("There is room for all copies in the quotas."),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn the_cost_is_by_the_prices_of_one_file() {
    let account = Account::new(
        |source| {
            source
                .instance(sized(Instance, "orders", 100, &[2.0]))
                .cluster(sized(Cluster, "billing", 1, &[2.0]))
        },
        |destination| destination,
    );
    let price = |region: &str, amount: f64| json!({"region": region, "low": amount, "high": amount, "confirmed": true, "source": "mine"});
    let prices = json!({"version": 1, "date": "2026-12-01", "currency": "EUR",
        "transferPerGib": [price("", 9.0), price("us-east-", 0.5)],
        "instanceStoragePerGibMonth": [price("eu-west-1", 2.0), price("eu-", 9.0)],
        "clusterStoragePerGibMonth": [price("", 1.0)]});
    let file = std::env::temp_dir().join(format!("snapferry-prices-{}.json", std::process::id()));
    std::fs::write(&file, prices.to_string()).expect("written");
    let command = format!("estimate --cluster-gib 10 --daily-change 5 --prices {}", file.display());
    let report = account.say(&format!("{command} --json")).await.json();
    let exactly = |amount: f64| json!({"low": amount, "high": amount});
    // Full once, and 5 % on each of the other 29 days; three copies, of which the cluster's are full.
    let first = (100.0 + 10.0) * (1.0 + 29.0 * 0.05);
    assert_eq!(
        report["firstMonth"],
        json!({"transferGib": exactly(first), "transfer": exactly(first * 0.5),
            "storageGib": exactly(140.0), "storage": exactly(110.0 * 2.0 + 30.0)})
    );
    assert_eq!(report["laterMonths"]["transferGib"], exactly(165.0));
    assert_eq!(report["prices"]["confirmed"], true);
    let text = account.say(&command).await.out;
    assert!(text.contains("Prices of 2026-12-01, as read from AWS."), "{text}");
    assert!(text.contains("EUR"), "{text}");
    std::fs::remove_file(&file).expect("removed");

    let text = account.say("estimate --prices /nowhere/prices.json").await.failure();
    assert!(text.starts_with("/nowhere/prices.json cannot be read"), "{text}");
    let text = account.say("estimate").await.out.replace('\n', " ");
    assert!(
        text.contains("not confirmed: check them, and give yours with --prices."),
        "{text}"
    );
}

#[tokio::test]
async fn the_text_has_the_answers_and_fits_a_terminal() {
    let account = Account::new(fleet, |destination| destination);
    let said = account.say(BEFORE).await;
    assert_eq!(said.aside, "");
    insta::assert_snapshot!(said.out);
    let said = account.say_in(Some(60), BEFORE).await;
    insta::assert_snapshot!(said.out);
}

/// A region whose quotas, or whose key, nobody may ask for is estimated all the same, and it says what is not known.
#[tokio::test]
async fn what_cannot_be_found_out_is_a_note() {
    let account = Account::new(fleet, |destination| destination);
    account.stack("snapferry", &stack_with(&[("DestinationKmsKey", KEY)]));
    account.rewrite("<AccountQuotaName>Manual", "<AccountQuotaName>Other");
    let denied = json!({"__type": "AccessDeniedException", "message": "no"});
    account.answer_with("kms", 400, &denied.to_string());
    let said = account.say("estimate").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    assert!(
        said.out
            .contains("Whether there is room for all copies in the quotas is not known."),
        "{}",
        said.out
    );
    assert!(
        said.aside.contains("note: Whether the key has changed is not known"),
        "{}",
        said.aside
    );
}

#[tokio::test]
async fn where_rds_copies_nothing_it_says_why_before_it_asks() {
    let account = Account::new(fleet, |destination| destination);
    for (region, why) in [
        (SOURCE, "us-east-1 is the source region"),
        ("cn-north-1", "Nothing can be copied from us-east-1 to cn-north-1"),
        ("xx-west-1", "xx-west-1 is in a partition that Snapferry does not know"),
    ] {
        let failure = account
            .say(&format!("estimate --stack none --destination-region {region}"))
            .await
            .failure();
        assert!(failure.starts_with(why), "{failure}");
    }
    assert_eq!(account.calls().get("rds.us-east-1"), None);
}

/// The 1,000 databases in 5 s: a count, because no test waits for a clock. A few of the calls are made side by side,
/// so that it takes less.
#[tokio::test]
async fn a_thousand_databases_take_few_calls() {
    let days: Vec<f64> = (0..7).map(|day| 2.0 + 24.0 * f64::from(day)).collect();
    let source = |mut region: Region| {
        for number in 0..800 {
            region = region.instance(sized(Instance, &format!("instance-{number:03}"), 100, &days));
        }
        for number in 0..200 {
            region = region.cluster(sized(Cluster, &format!("cluster-{number:03}"), 1, &days).members(1));
        }
        region
    };
    let destination = |mut region: Region| {
        for number in 0..800 {
            let name = format!("instance-{number:03}");
            for age in [26.0, 50.0, 74.0] {
                region = region.snapshot(copy(Instance, &name, age));
            }
        }
        region.quota(4_000, 4_000)
    };
    let account = Account::new(source, destination);
    account.stack("snapferry", &stack_with(&[("DestinationKmsKey", KEY)]));
    let said = account.say("estimate --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let report = said.json();
    assert_eq!(report["databases"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(line(&report, "instance-799")["transfer"], "incremental");
    let calls = account.calls();
    let total: u64 = calls.values().sum();
    println!("{total} calls: {calls:?}");
    assert!(
        total * MILLISECONDS_PER_CALL < MAX_MILLISECONDS,
        "{total} calls of {MILLISECONDS_PER_CALL} ms: {calls:?}"
    );
    assert!(calls.keys().all(|key| !key.starts_with("states")), "{calls:?}");
    let expected = [
        format!("cloudformation.{SOURCE}"),
        format!("rds.{SOURCE}"),
        format!("rds.{DESTINATION}"),
    ];
    assert!(expected.iter().all(|key| calls.contains_key(key)), "{calls:?}");
}

/// What is estimated before the deployment is what the template deploys.
#[tokio::test]
async fn the_defaults_are_those_of_the_template() {
    let template = include_str!("../../../infra/template.yaml");
    let default = |parameter: &str| {
        let begin = template.split(&format!("\n  {parameter}:\n")).nth(1).expect(parameter);
        let line = begin.lines().find_map(|line| line.trim().strip_prefix("Default: "));
        line.expect(parameter).trim_matches('"')
    };
    let parameters = [
        "InstanceConcurrency",
        "ClusterConcurrency",
        "KeepCopies",
        "KeepDays",
        "KeepDaily",
        "KeepWeekly",
        "KeepMonthly",
        "KeepYearly",
        "ObjectiveHours",
        "OwnerId",
        "Selection",
        "IncludeNeptune",
        "IncludeDocumentDb",
        "IncludeManualSnapshots",
    ];
    let account = Account::new(fleet, |destination| {
        destination.snapshot(copy(Instance, "orders", 2.0).tag(tags::OWNER, "us-east-1/snapferry"))
    });
    let before = account.say(&format!("{BEFORE} --json")).await.json();
    // `OwnerId` stands there already, so that a later one of its name counts.
    let values: Vec<(&str, &str)> = parameters.iter().map(|name| (*name, default(name))).collect();
    account.stack("snapferry", &stack_with(&values));
    let mut with_stack = account.say("estimate --json").await.json();
    with_stack["stack"] = json!(null);
    assert_eq!(before, with_stack);
}
