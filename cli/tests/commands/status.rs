//! `snapferry status`.

use crate::account::{Account, DESTINATION, Execution, KEY, SOURCE, copy, database, run_arn, unverified};
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::tags;
use serde_json::json;
use snapferry::aws::step_functions::suffix_of_run;
use snapferry::error::ExitStatus;

/// Databases in every state there is.
fn fleet() -> Account {
    let account = Account::new(
        |source| {
            source
                .instance(database(Instance, "orders"))
                .instance(database(Instance, "stock-of-the-northern-warehouse").snapshots_aged([50.0, 26.0, 2.0]))
                .instance(database(Instance, "brand-new"))
                .instance(database(Instance, "never-seen"))
                .instance(database(Instance, "left-out").tag(tags::COPY, "false"))
                .cluster(database(Cluster, "graph").engine("neptune"))
                .cluster(database(Cluster, "billing"))
        },
        |destination| {
            destination
                .snapshot(copy(Instance, "orders", 5.0))
                .snapshot(copy(Instance, "orders", 29.0))
                .snapshot(copy(Instance, "stock-of-the-northern-warehouse", 50.0))
                .snapshot(unverified(Instance, "stock-of-the-northern-warehouse", 2.0).at_percent(40))
                .snapshot(copy(Cluster, "billing", 25.5))
                .snapshot(copy(Instance, "long-gone", 900.0))
                .snapshot(unverified(Cluster, "marked", 3.0).tag(tags::VERIFIED, tags::MISMATCH))
        },
    );
    let now = account.now();
    account.executions([
        Execution::run("nightly", now, 7),
        Execution::copy("i-orders-11111111", now, 7).gives(json!({"outcome": "copied"})),
        Execution::copy("c-billing-11111111", now, 7).gives(json!({"outcome": "current"})),
        Execution::copy("c-marked-11111111", now, 7).fails("CopyMismatch", "not what was asked for"),
        Execution::copy("i-stock-of-the-northern-warehouse-11111111", now, 1).takes(600),
        Execution::copy("i-brand-new-11111111", now, 7).gives(json!({"outcome": "nothing"})),
        Execution::copy("i-by-hand", now, 7),
    ]);
    account
}

#[tokio::test]
async fn the_worst_comes_first_and_a_missed_rpo_objective_is_exit_code_2() {
    let said = fleet().say("status").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem), "{}", said.aside);
    insta::assert_snapshot!(said.out);
    assert_eq!(said.aside, "To copy what is missing:\n  snapferry run --follow\n");
    let said = fleet().say("status --region us-east-1").await;
    assert_eq!(
        said.aside,
        "To copy what is missing:\n  snapferry run --region us-east-1 --follow\n"
    );
}

#[tokio::test]
async fn it_fits_a_terminal_of_60_columns() {
    let said = fleet().say_in(Some(60), "status").await;
    let widest = said.out.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(60), "{}", said.out);
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn json_says_the_same() {
    let said = fleet().say("status --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn within_the_rpo_objective_it_ends_well() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders")),
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    let said = account.say("status").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    insta::assert_snapshot!(said.out);

    let strict = account.say("status --objective 4h").await;
    assert_eq!(strict.ending, Ok(ExitStatus::Problem));
}

#[tokio::test]
async fn the_rpo_objective_is_that_of_the_stack_unless_one_is_given() {
    let account = fleet();
    let with = |hours: &str| {
        let parameter = format!(
            "<member><ParameterKey>ObjectiveHours</ParameterKey><ParameterValue>{hours}</ParameterValue></member>\
             </Parameters>"
        );
        crate::account::stack_xml().replace("</Parameters>", &parameter)
    };
    for (hours, options, seconds) in [
        ("4", "", 4 * 3600),
        ("1.5", "", 5400),
        ("4", " --objective 8h", 8 * 3600),
        ("0", "", 26 * 3600),
        ("soon", "", 26 * 3600),
        // Kind 13.
        ("1e15", "", 3_162_240_000_i64),
        ("1e300", "", 26 * 3600),
    ] {
        account.stack("strict", &with(hours));
        for command in ["status", "audit"] {
            let said = account.say(&format!("{command} --stack strict --json{options}")).await;
            assert_eq!(
                said.json()["objectiveSeconds"],
                seconds,
                "{command}{options} of {hours}"
            );
        }
    }
}

#[tokio::test]
async fn with_the_source_region_lost_the_copies_alone_answer() {
    let account = fleet();
    account.lose(SOURCE);
    let said = account
        .say(&format!("status --destination {DESTINATION} --owner snap"))
        .await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem), "{}", said.aside);
    insta::assert_snapshot!(said.out);
    // Nobody was even asked.
    assert_eq!(
        account.calls().keys().collect::<Vec<_>>(),
        [
            &format!("kms.{DESTINATION}"),
            &format!("rds.{DESTINATION}"),
            &format!("ssm.{DESTINATION}")
        ]
    );

    let through_the_stack = account.say("status").await;
    insta::assert_snapshot!(through_the_stack.failure());
}

#[tokio::test]
async fn runs_that_only_said_what_they_would_do_do_not_count() {
    let account = fleet();
    let now = account.now();
    let suffix = suffix_of_run(&run_arn("plan-20261122-110000-aaaa"));
    account.executions([
        Execution::run("plan-20261122-110000-aaaa", now, 1),
        Execution::copy(&format!("c-marked-{suffix}"), now, 1).gives(json!({"outcome": "planned"})),
    ]);
    let said = account.say("status --json").await.json();
    let marked = said["databases"]
        .as_array()
        .and_then(|all| all.iter().find(|line| line["database"] == "marked"))
        .expect("marked");
    assert_eq!(marked["last"]["stage"], "failed");
    assert_eq!(marked["last"]["detail"], "CopyMismatch");
}

#[tokio::test]
async fn databases_that_the_stack_does_not_copy_miss_nothing() {
    let account = Account::new(
        |source| {
            source
                .instance(database(Instance, "chosen").tag(tags::COPY, "TRUE"))
                .instance(database(Instance, "other"))
                .cluster(database(Cluster, "graph").engine("neptune").tag(tags::COPY, "true"))
        },
        |destination| destination.snapshot(copy(Instance, "chosen", 1.0)),
    );
    let parameter = |key: &str, value: &str| {
        format!(
            "<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member></Parameters>"
        )
    };
    let xml = crate::account::stack_xml();
    let opt_in = xml.replace("</Parameters>", &parameter("Selection", "opt-in"));
    account.stack("opt-in", &opt_in);
    assert_eq!(
        account.say("status --stack opt-in").await.ending,
        Ok(ExitStatus::Success)
    );
    // Without that parameter the other one is in danger, and with Neptune the graph.
    assert_eq!(account.say("status --json").await.json()["missed"], 1);
    account.stack(
        "graphs",
        &opt_in.replace("</Parameters>", &parameter("IncludeNeptune", "true")),
    );
    assert_eq!(account.say("status --stack graphs --json").await.json()["missed"], 1);
}

#[tokio::test]
async fn without_step_functions_the_copies_still_answer() {
    let account = fleet();
    account.stack(
        "elsewhere",
        &crate::account::stack_xml().replace(
            &format!("states:{SOURCE}:123456789012:stateMachine"),
            "states:x:1:stateMachine",
        ),
    );
    let said = account.say("status --stack elsewhere --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    assert!(said.json()["databases"][0]["last"].is_null());
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let account = fleet();
    let said = account.say("status --stack nothing").await;
    insta::assert_snapshot!(said.failure());
    let said = account
        .say(&format!("status --destination {DESTINATION} --owner other"))
        .await;
    insta::assert_snapshot!(said.failure());
    account.stack("half", &crate::account::stack_xml().replace("OwnerId", "Other"));
    let said = account.say("status --stack half").await;
    insta::assert_snapshot!(said.failure());
}

#[tokio::test]
async fn a_thousand_databases_cost_at_most_two_calls_per_hundred_snapshots() {
    let account = Account::new(
        |mut source| {
            for number in 0..500 {
                source = source
                    .instance(database(Instance, &format!("instance-{number:04}")))
                    .cluster(database(Cluster, &format!("cluster-{number:04}")));
            }
            source
        },
        |mut destination| {
            for number in 0..500 {
                for age in [5.0, 29.0, 53.0] {
                    destination = destination
                        .snapshot(copy(Instance, &format!("instance-{number:04}"), age))
                        .snapshot(copy(Cluster, &format!("cluster-{number:04}"), age));
                }
            }
            destination.quota(5_000, 5_000)
        },
    );
    let now = account.now();
    let run = [Execution::run("nightly", now, 6)];
    let copies = (0..500).flat_map(|number| {
        [
            Execution::copy(&format!("i-instance-{number:04}-11111111"), now, 6),
            Execution::copy(&format!("c-cluster-{number:04}-11111111"), now, 6).fails("CopyFailed", "no"),
        ]
    });
    account.executions(run.into_iter().chain(copies));
    let said = account.say("status").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let calls: u64 = account.calls().values().sum();
    // Of the region five things more, each once: two versions, the quotas and the key.
    assert!(calls <= 65, "{:?}", account.calls());
}

/// The table says what is wrong and nothing else, and JSON says it in sentences.
#[tokio::test]
async fn a_copy_that_cannot_be_restored_where_it_is_is_named_with_what_is_missing() {
    let account = Account::new(
        |source| {
            source
                .instance(database(Instance, "orders"))
                .cluster(database(Cluster, "billing"))
        },
        |destination| {
            destination
                .snapshot(copy(Instance, "orders", 5.0))
                .snapshot(copy(Cluster, "billing", 5.0))
        },
    );
    let good = account.say("status").await;
    assert!(!good.out.contains("RESTORABLE"), "{}", good.out);

    account.world.disable_key(DESTINATION, KEY);
    let said = account.say("status").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "the RPO is met");
    assert!(
        said.out.contains("RESTORABLE") && said.out.contains("no: key"),
        "{}",
        said.out
    );
    let sentence = format!("The key of the copy cannot be used: {KEY} is Disabled.");
    let line = format!("cluster:billing, orders: {sentence} Enable the key");
    assert!(said.out.replace('\n', " ").contains(&line), "{}", said.out);
    let place = format!("--destination {DESTINATION} --owner snap");
    let json = account.say(&format!("status --json {place}")).await.json();
    for database in json["databases"].as_array().expect("databases") {
        assert_eq!(
            database["restorable"],
            json!({"verdict": "no", "missing": [sentence], "warnings": []})
        );
    }
}

/// What is not known is never shown as good.
#[tokio::test]
async fn what_the_operator_may_not_look_up_is_unknown_and_the_note_says_what_it_needs() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders")),
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    account.offers(Err("AccessDenied"));
    let said = account.say("status").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    assert!(said.out.contains("unknown"), "{}", said.out);
    assert!(
        said.out
            .contains("orders: Whether postgres 17.6 is offered in eu-west-1 is not known: AccessDenied: no."),
        "{}",
        said.out
    );
    assert!(
        said.aside.contains("rds:DescribeOrderableDBInstanceOptions, "),
        "{}",
        said.aside
    );
    assert_eq!(
        account.say("status --json").await.json()["databases"][0]["restorable"]["verdict"],
        "unknown"
    );
}

/// The proofs are in the region of the copies, so that they are known when the source region is lost.
#[tokio::test]
async fn the_last_drill_of_each_database_is_shown_and_why_it_failed() {
    let account = fleet();
    assert!(!account.say("status").await.out.contains("DRILLED"));
    let passed = json!({"time": "2026-11-19T12:00:00Z", "outcome": "passed", "copy": "c", "database": "orders",
        "minutes": 17, "reason": "", "execution": "i-orders-1"});
    let failed = json!({"time": "2026-11-20T12:00:00Z", "outcome": "failed", "copy": "c", "database": "billing",
        "reason": "The key cannot be used.", "execution": "c-billing-1",
        "lastPassed": {"time": "2026-11-13T12:00:00Z", "minutes": 30}});
    account.proof("snap", Instance, "orders", passed);
    account.proof("snap", Cluster, "billing", failed.clone());
    account.proof("other", Cluster, "marked", failed);
    account.lose(SOURCE);
    let place = format!("--destination {DESTINATION} --owner snap");
    let said = account.say(&format!("status {place}")).await;
    let line = |name: &str| said.out.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(said.out.contains("DRILLED"), "{}", said.out);
    assert!(line("orders ").contains(" 3 d ago, 17 min "), "{}", said.out);
    assert!(line("cluster:billing ").contains(" failed 2 d ago "), "{}", said.out);
    let sentence =
        "cluster:billing: the drill 2 d ago failed: The key cannot be used. The last one that passed was 9 d ago.";
    assert!(said.out.contains(sentence), "{}", said.out);
    let json = account.say(&format!("status --json {place}")).await.json();
    let drills: Vec<(&str, &serde_json::Value)> = json["databases"]
        .as_array()
        .expect("databases")
        .iter()
        .filter_map(|database| Some((database["name"].as_str()?, database.get("drill")?)))
        .collect();
    let expected = [
        (
            "cluster:billing",
            json!({"outcome": "failed", "at": "2026-11-20T12:00:00Z", "minutes": null,
                "reason": "The key cannot be used.", "lastPassedAt": "2026-11-13T12:00:00Z", "lastPassedMinutes": 30}),
        ),
        (
            "orders",
            json!({"outcome": "passed", "at": "2026-11-19T12:00:00Z", "minutes": 17}),
        ),
    ];
    assert_eq!(drills.len(), 2, "{drills:?}");
    for (name, drill) in &expected {
        assert!(drills.contains(&(*name, drill)), "{name}: {drills:?}");
    }
}

#[tokio::test]
async fn proofs_that_may_not_be_read_are_a_note() {
    let account = fleet();
    let refused = json!({"__type": "AccessDeniedException", "message": "no"}).to_string();
    account.answer_with("ssm", 400, &refused);
    let said = account.say("status").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    let note =
        "note: To know the last drill of each database, the credentials need ssm:GetParametersByPath in eu-west-1.\n";
    assert!(said.aside.contains(note), "{}", said.aside);
}

/// Several stacks, each with a report; the worst decides how it ends, and one that is missing hides no other.
#[tokio::test]
async fn several_stacks_are_reported_one_after_the_other() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders")),
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    account.stack("strict", &crate::account::stack_with(&[("ObjectiveHours", "2")]));
    let said = account.say("status --stack snapferry --stack strict").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    let (first, second) = said.out.split_once("\nStack strict\n").expect("two reports");
    assert!(
        first.starts_with("Stack snapferry\nThe database meets the RPO of 26 h"),
        "{first}"
    );
    assert!(second.starts_with("1 of 1 database misses the RPO of 2 h"), "{second}");

    let said = account.say("status --json --stack nowhere --stack snapferry").await;
    assert_eq!(said.ending, Ok(ExitStatus::Error));
    assert_eq!(said.json()["stack"], "snapferry");
    assert!(said.aside.contains("There is no stack nowhere"), "{}", said.aside);
}
