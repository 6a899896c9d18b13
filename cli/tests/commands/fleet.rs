//! What the commands make of real fleets: databases that are renamed, replaced, excluded, stopped, or make no snapshots.

use domain::kind::DatabaseKind::{self, Cluster, Instance};
use domain::tags;
use rds_simulator_sdk::scenario;
use serde_json::{Value, json};
use snapferry::aws::step_functions::suffix_of_run;
use snapferry::error::ExitStatus;

use crate::account::{
    Account, DESTINATION, Execution, SOURCE, Said, copy, copy_id, database, run_arn, stack_with, unverified,
};

/// A database under a name that it did not have when it was copied.
fn renamed(kind: DatabaseKind, from: &str, to: &str) -> scenario::Database {
    scenario::Database {
        resource_id: database(kind, from).resource_id,
        ..scenario::Database::new(to)
    }
}

fn with_retention(days: u32, id: &str) -> scenario::Database {
    scenario::Database {
        backup_retention_days: Some(days),
        ..database(Instance, id)
    }
}

fn in_status(status: &str, id: &str) -> scenario::Database {
    scenario::Database {
        status: Some(status.to_owned()),
        ..database(Instance, id)
    }
}

/// The line of a database in what `status --json` or `audit --json` said.
fn line(said: &Said, database: &str) -> Value {
    let json = said.json();
    let lines = json["databases"].as_array().expect("databases");
    let found: Vec<&Value> = lines.iter().filter(|line| line["database"] == database).collect();
    assert_eq!(found.len(), 1, "{database} in {}", said.out);
    found[0].clone()
}

fn states(said: &Said) -> Vec<(String, String)> {
    let json = said.json();
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let lines = json["databases"].as_array().expect("databases").iter();
    lines
        .map(|line| (text(line, "database"), text(line, "state")))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

/// H6 (c8, c2): after a blue/green switchover each of the two shows its own truth.
#[tokio::test]
async fn a_switchover_hides_nothing() {
    for (excluded, old_state) in [(true, "excluded"), (false, "good")] {
        let account = Account::new(
            |source| {
                let mut new = database(Instance, "orders");
                new.resource_id = Some("db-GREEN".to_owned());
                let mut old = renamed(Instance, "orders", "orders-old1");
                if excluded {
                    old = old.tag(tags::COPY, "false");
                }
                source.instance(new.snapshots_aged([50.0, 2.0])).instance(old)
            },
            |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
        );
        let now = account.now();
        account.executions([Execution::copy("i-orders-11111111", now, 7)
            .for_database("db-ORDERS")
            .gives(json!({"outcome": "copied"}))]);
        let said = account.say("status --json").await;
        assert_eq!(said.ending, Ok(ExitStatus::Problem), "{}", said.out);
        assert_eq!(
            states(&said),
            pairs(&[("orders", "no-copy"), ("orders-old1", old_state)])
        );
        assert!(
            line(&said, "orders")["last"].is_null(),
            "the execution was for the other one"
        );
        assert_eq!(line(&said, "orders-old1")["last"]["stage"], "succeeded");
        assert_eq!(line(&said, "orders-old1")["copy"], copy_id(Instance, "orders", 5.0));
    }
}

/// H6 (c1): a rename changes the name, and nothing else.
#[tokio::test]
async fn a_renamed_database_is_one_line_under_its_present_name() {
    let account = Account::new(
        |source| source.instance(renamed(Instance, "orders", "orders-v2").snapshots_aged([5.0])),
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    let now = account.now();
    let target = json!({"target": {"kind": "instance", "resourceId": "db-ORDERS"}, "outcome": "copied"});
    account.executions([Execution::copy("i-orders-11111111", now, 7).gives(target)]);
    let said = account.say("status --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    assert_eq!(states(&said), pairs(&[("orders-v2", "good")]));
    assert_eq!(line(&said, "orders-v2")["last"]["stage"], "succeeded");
    let said = account.say("audit --json").await;
    let entry = &said.json()["entries"][0];
    assert_eq!(
        (&entry["database"], &entry["formerName"]),
        (&json!("orders-v2"), &json!("orders"))
    );
    assert!(account.say("audit").await.out.contains("orders-v2 (then orders)"));
}

/// M4, M5: the same selection as the functions'.
#[tokio::test]
async fn what_the_stack_does_not_copy_is_excluded_and_a_writer_is_not() {
    let account = Account::new(
        |source| {
            source
                .instance(database(Instance, "private").tag(tags::COPY, "false"))
                .cluster(database(Cluster, "graph").engine("neptune"))
                .cluster(
                    database(Cluster, "world")
                        .global_writer("world")
                        .snapshots_aged([60.0, 50.0]),
                )
                .cluster(database(Cluster, "shop").global("shop"))
        },
        |destination| {
            destination
                // The writer of the other global database is elsewhere.
                .cluster(database(Cluster, "shop-eu").global_writer("shop"))
                .snapshot(copy(Instance, "private", 500.0))
                .snapshot(copy(Cluster, "graph", 500.0))
                .snapshot(copy(Cluster, "shop", 500.0))
        },
    );
    let said = account.say("status --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem), "{}", said.out);
    assert_eq!(line(&said, "world")["state"], "no-copy", "M5: the primary is shown");
    for excluded in ["private", "graph", "shop"] {
        let line = line(&said, excluded);
        assert_eq!(line["state"], "excluded", "{excluded}");
        assert!(line["reason"].is_string(), "{excluded}");
    }
    assert_eq!(said.json()["missed"], 1, "{}", said.out);
}

/// D3, cases 08, 09 and 22: what makes no snapshots by design is not red, and says why.
#[tokio::test]
async fn what_makes_no_snapshots_is_a_state_of_its_own() {
    let account = Account::new(
        |source| {
            let mut job = scenario::Snapshot::automated(2.0);
            job.snapshot_type = Some("awsbackup".to_owned());
            source
                .instance(database(Instance, "orders").snapshots_aged([5.0]))
                .instance(with_retention(0, "scratch"))
                .instance(in_status("stopped", "asleep").snapshots_aged([90.0]))
                .instance(database(Instance, "books").snapshot(job))
        },
        |destination| {
            destination
                .snapshot(copy(Instance, "orders", 5.0))
                .snapshot(copy(Instance, "asleep", 90.0))
        },
    );
    let said = account.say("status --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    for (name, reason) in [
        ("scratch", "its backup retention is 0"),
        ("asleep", "it is stopped"),
        ("books", "AWS Backup"),
    ] {
        let line = line(&said, name);
        assert_eq!(line["state"], "no-snapshots", "{name}: {}", said.out);
        assert!(
            line["reason"].as_str().is_some_and(|said| said.contains(reason)),
            "{line}"
        );
    }
    let said = account.say("status").await;
    insta::assert_snapshot!(said.out);
    assert_eq!(said.aside, "");
}

/// A database that is stopped is still in danger for what was snapshotted before.
#[tokio::test]
async fn what_is_stopped_and_has_a_snapshot_without_a_copy_is_in_danger() {
    let account = Account::new(
        |source| {
            source
                .instance(in_status("stopped", "never").snapshots_aged([90.0, 60.0]))
                .instance(in_status("stopped", "behind").snapshots_aged([90.0, 60.0]))
        },
        |destination| destination.snapshot(copy(Instance, "behind", 90.0)),
    );
    let said = account.say("status --json").await;
    assert_eq!(states(&said), pairs(&[("never", "no-copy"), ("behind", "late")]));
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
}

/// A wish that RDS does not fulfil is never hidden among those.
#[tokio::test]
async fn a_database_that_is_wanted_and_makes_no_snapshots_is_a_warning() {
    let account = Account::new(
        |source| {
            source
                .instance(with_retention(0, "scratch").tag(tags::COPY, "true"))
                .instance(database(Instance, "orders").tag("SNAPFERRY:KEEP", "10"))
        },
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    let said = account.say("status").await;
    assert!(
        said.out
            .contains("warning: instance scratch is tagged snapferry:copy=true, and nothing new"),
        "{}",
        said.out
    );
    // M6.
    assert!(
        said.out
            .contains("warning: instance orders: the tag SNAPFERRY:KEEP is spelled otherwise than snapferry:keep"),
        "{}",
        said.out
    );
    assert_eq!(
        account.say("status --json").await.json()["warnings"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

/// Case 22: a run copies nothing where there is no newer snapshot, so nobody is advised to start one.
#[tokio::test]
async fn late_for_want_of_a_snapshot_has_advice_that_helps() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders").snapshots_aged([74.0, 50.0])),
        |destination| destination.snapshot(copy(Instance, "orders", 50.0)),
    );
    let said = account.say("status").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    assert!(
        said.out
            .contains("orders: late: the source has no newer snapshot.\nAutomated snapshots are made"),
        "{}",
        said.out
    );
    assert_eq!(said.aside, "", "no advice to run");
    let account = Account::new(
        |source| source.instance(database(Instance, "orders").snapshots_aged([50.0, 20.0])),
        |destination| destination.snapshot(copy(Instance, "orders", 50.0)),
    );
    let said = account.say("status").await;
    assert!(said.aside.contains("snapferry run --follow"), "{}", said.aside);
}

/// A new database is not in danger before its first copy can be there.
#[tokio::test]
async fn the_first_copy_of_a_new_database_is_pending() {
    let account = Account::new(
        |source| {
            let young = |id: &str| scenario::Database {
                created_days_ago: Some(0.4),
                ..database(Instance, id)
            };
            source
                .instance(young("new").snapshots_aged([8.0]))
                .instance(young("unborn"))
                // Tried, and failed: that needs somebody.
                .instance(young("refused").snapshots_aged([8.0]))
                // It keeps a day, and has had no copy for longer than that.
                .instance(with_retention(1, "forgotten").snapshots_aged([8.0]))
                .instance(database(Instance, "old").snapshots_aged([80.0, 8.0]))
        },
        |destination| destination.snapshot(copy(Instance, "gone", 8.0)),
    );
    let now = account.now();
    account.executions([Execution::copy("i-refused-11111111", now, 3).fails("CopyFailed", "no")]);
    let said = account.say("status --json").await;
    let pending = "first-copy-pending";
    assert_eq!(
        states(&said),
        pairs(&[
            ("forgotten", "no-copy"),
            ("old", "no-copy"),
            ("refused", "no-copy"),
            ("new", pending),
            ("unborn", "no-snapshot-yet"),
            ("gone", "source-deleted"),
        ])
    );
    assert_eq!(said.json()["missed"], 3);
}

/// N4: an error that another run meets again is answered with its own remedy.
#[tokio::test]
async fn nobody_is_advised_to_run_into_the_same_error_again() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders").snapshots_aged([50.0, 5.0])),
        |destination| destination.snapshot(copy(Instance, "orders", 50.0)),
    );
    let now = account.now();
    let cause = "OptionGroupMissing: the copy needs an option group. Create one there.";
    account.executions([Execution::copy("i-orders-11111111", now, 3).fails("OptionGroupMissing", cause)]);
    let said = account.say("status").await;
    assert!(
        said.out
            .contains("orders: late: the copy needs an option group. Create one there."),
        "{}",
        said.out
    );
    assert_eq!(said.aside, "");
}

/// P4: a dry run that somebody started in the console is known by what it says itself.
#[tokio::test]
async fn a_dry_run_of_any_name_does_not_count() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders").snapshots_aged([5.0])),
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    let now = account.now();
    let child = |run: &str| format!("i-orders-{}", suffix_of_run(&run_arn(run)));
    let failed = json!({"dryRun": true, "counts": {"failed": 1}}).to_string();
    account.executions([
        Execution::run("by-hand", now, 1).gives(json!({"dryRun": true})),
        Execution::copy(&child("by-hand"), now, 1).gives(json!({"outcome": "planned"})),
        Execution::run("by-hand-2", now, 2).fails("CopiesFailed", &failed),
        Execution::copy(&child("by-hand-2"), now, 2).fails("KeyNotUsable", "no"),
        Execution::run("nightly", now, 7).gives(json!({"dryRun": false})),
        Execution::copy(&child("nightly"), now, 7).gives(json!({"outcome": "copied"})),
    ]);
    let said = account.say("status --json").await;
    let last = &line(&said, "orders")["last"];
    assert!(
        last["execution"]
            .as_str()
            .is_some_and(|arn| arn.ends_with(&child("nightly"))),
        "{last}"
    );
}

/// Facts 2, 0.3: the honest RPO and the true size, where RDS gives them.
#[tokio::test]
async fn the_age_is_that_of_the_data_and_the_size_is_what_was_written() {
    let copy_with_facts = || scenario::Snapshot {
        database_time_age_hours: Some(8.0),
        full_snapshot_size_bytes: Some(3 << 30),
        ..copy(Instance, "orders", 5.0)
    };
    let without_a_time = || scenario::Snapshot {
        omits: ["SnapshotDatabaseTime".to_owned()].into(),
        ..copy_with_facts()
    };
    for (copy, hours) in [(copy_with_facts(), 8), (without_a_time(), 5)] {
        let account = Account::new(
            |source| source.instance(database(Instance, "orders").snapshots_aged([5.0])),
            |destination| destination.snapshot(copy),
        );
        let said = account.say("status --json").await;
        let line = line(&said, "orders");
        assert_eq!(
            (&line["ageSeconds"], &line["sizeGib"]),
            (&json!(hours * 3600), &json!(3))
        );
    }
}

/// L7: an audit that is not complete says so.
#[tokio::test]
async fn an_audit_of_more_executions_than_are_read_says_so() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders").snapshots_aged([5.0])),
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    let now = account.now();
    assert_eq!(account.say("audit --json").await.json()["complete"], true);
    // Those of other names are read and not shown.
    account.executions((0..20_000).map(|number| Execution::copy(&format!("x-{number}"), now, 2)));
    account.executions([
        Execution::copy("i-orders-11111111", now, 1).gives(json!({"outcome": "current"})),
        Execution::copy("i-orders-22222222", now, 3).gives(json!({"outcome": "current"})),
    ]);
    let said = account.say("audit --json").await;
    assert_eq!(said.json()["complete"], false);
    assert_eq!(said.json()["entries"].as_array().map(Vec::len), Some(1));
    let said = account.say("audit").await;
    assert!(
        said.aside.contains("Only the newest 20000 executions were read"),
        "{}",
        said.aside
    );
}

/// Case 19: the names that `StackSets` give their stacks.
#[tokio::test]
async fn a_stack_of_a_stack_set_is_found_by_its_name() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders")),
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    let name = "StackSet-snapferry-0f5a1b2c-3d4e-4f60-8a7b-9c0d1e2f3a4b";
    account.stack(name, &stack_with(&[]));
    let said = account.say(&format!("status --stack {name} --json")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    assert_eq!(said.json()["stack"], name);
}

/// The hand-made case of a clock that is off: to sign in again does not help.
#[tokio::test]
async fn a_clock_that_is_off_gets_advice_about_the_clock() {
    let account = Account::new(|source| source, |destination| destination);
    let refusal = |code: &str, message: &str| {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    };
    for (code, message) in [
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20261122T1000Z is now earlier than 20261122T1145Z",
        ),
        ("RequestExpired", "Request has expired."),
        ("RequestTimeTooSkewed", "The difference is too large"),
    ] {
        for (service, command) in [
            ("cloudformation", "status".to_owned()),
            ("rds", format!("status --destination {DESTINATION}")),
        ] {
            account.answer_with(service, 403, &refusal(code, message));
            let said = account.say(&command).await.failure();
            assert!(
                said.contains("The clock of this computer is off"),
                "{service} {code}: {said}"
            );
            assert!(!said.contains("Sign in"), "{said}");
        }
    }
    // P8, and a key that is wrong.
    account.answer_with(
        "cloudformation",
        403,
        &refusal("AccessDenied", "AccessDenied: User x may not"),
    );
    let said = account.say("status").await.failure();
    assert!(
        said.starts_with("CloudFormation in us-east-1 does not let you: AccessDenied: User x may not."),
        "{said}"
    );
    assert!(said.contains("Sign in"), "{said}");
}

/// P6: an answer that cannot be read is called that.
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_called_silence() {
    let account = Account::new(|source| source, |destination| destination);
    account.answer_with("rds", 200, "<html>Please sign in to the network</html>");
    let said = account
        .say(&format!("status --destination {DESTINATION}"))
        .await
        .failure();
    assert!(
        said.starts_with("RDS in eu-west-1 answered what cannot be read."),
        "{said}"
    );
    account.answer_with("cloudformation", 200, "<html>Please sign in to the network</html>");
    let said = account.say("status").await.failure();
    assert!(
        said.starts_with(&format!("CloudFormation in {SOURCE} answered what cannot be read.")),
        "{said}"
    );
}

/// L4: text from AWS that a terminal would obey.
#[tokio::test]
async fn control_characters_from_aws_never_reach_the_terminal() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders").snapshots_aged([50.0, 5.0])),
        |destination| destination.snapshot(copy(Instance, "orders", 50.0)),
    );
    let now = account.now();
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2Jnothing is wrong\u{9b}31m";
    account.executions([
        Execution::run("nightly", now, 1).fails("Broken", evil),
        Execution::copy("i-orders-11111111", now, 3).fails("AttemptsUsedUp", evil),
    ]);
    for command in ["status", "audit", "status --json", "audit --json"] {
        let said = account.say(command).await;
        let written = format!("{}{}", said.out, said.aside);
        assert!(written.contains("orders"), "{written}");
        let obeyed: Vec<char> = written.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(obeyed.is_empty(), "{command}: {obeyed:?}");
    }
}

/// M3: what a plan cannot do any more stops only itself.
#[tokio::test]
async fn a_plan_is_run_as_far_as_its_databases_are_still_there() {
    let account = Account::new(
        |source| {
            let mut taken = database(Instance, "taken");
            taken.resource_id = Some("db-SOMEBODY-ELSE".to_owned());
            source
                .instance(database(Instance, "orders"))
                .instance(renamed(Instance, "stock", "stock-v2"))
                .instance(taken)
        },
        |destination| destination,
    );
    let planned = |name: &str, decision: &str, delete: Value| {
        json!({"database": name, "kind": "instance", "resourceId": format!("db-{}", name.to_uppercase()),
            "decision": decision, "reason": "", "delete": delete, "keep": []})
    };
    let old = || json!([{"id": "snap-old-1", "reason": "old"}]);
    let mut plan = json!({"version": 2, "stack": "snapferry", "region": SOURCE, "destinationRegion": DESTINATION,
    "plannedAt": "2026-11-22T11:00:00Z", "execution": "arn", "warnings": [],
    "leftOut": {"count": 0, "reasons": {}, "first": []}, "retired": {"databases": 1, "copies": 1, "first": []},
    "databases": [
        planned("orders", "copy", json!([])),
        planned("stock", "join", json!([])),
        planned("gone", "copy", json!([])),
        planned("taken", "copy", json!([])),
        planned("long-gone", "retired", old()),
        planned("quiet", "current", json!([])),
    ]});
    let file = std::env::temp_dir().join(format!("snapferry-stale-plan-{}.json", std::process::id()));
    std::fs::write(&file, plan.to_string()).expect("written");
    let run = format!("run --plan {}", file.display());
    let said = account.say(&run).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    assert_eq!(
        account.inputs()[0]["only"],
        json!(["instance:orders", "instance:stock-v2"])
    );
    for sentence in [
        "left out: 1 (no longer existed when the plan was made: a run of every database prunes their copies): long-gone",
        "left out: 1 (deleted since the plan was made): gone",
        "left out: 1 (replaced since the plan was made by another database of that name): taken",
    ] {
        assert!(said.out.contains(sentence), "{}", said.out);
    }
    // N11: nothing to do is not the same as all is well.
    plan["databases"] = json!([{"database": "orders", "kind": "instance", "decision": null, "error": "KeyNotUsable",
        "reason": "no", "delete": [], "keep": []}]);
    std::fs::write(&file, plan.to_string()).expect("written");
    let said = account.say(&run).await;
    assert_eq!(said.out, "The plan has nothing to do. 1 database would fail.\n");
    assert_eq!(account.inputs().len(), 1);
    std::fs::remove_file(&file).expect("removed");
}

/// L9: the next page is an item of the Map and not a database. P5: the execution itself knows its error.
#[tokio::test]
async fn a_run_counts_databases_and_names_their_own_errors() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders")),
        |destination| destination.snapshot(unverified(Instance, "orders", 2.0)),
    );
    let now = account.now();
    let failures =
        json!([{"kind": "instance", "id": "orders", "error": "States.TaskFailed", "execution": "i-orders-0123abcd"}]);
    let cause = json!({"counts": {"copied": 1, "failed": 1}, "failures": failures}).to_string();
    account.executions([
        Execution::run("nightly", now, 2).fails("CopiesFailed", &cause),
        Execution::copy("i-orders-0123abcd", now, 2).fails("KeyNotUsable", "KeyNotUsable: the key is disabled"),
    ]);
    let said = account.say("run --follow nightly").await;
    assert!(
        said.out
            .contains("instance orders: KeyNotUsable\nthe key is disabled\n"),
        "{}",
        said.out
    );
}

/// N3: what AWS cannot copy, and what is so new that RDS has no snapshot of it, are states of their own with a reason, and
/// miss nothing.
#[tokio::test]
async fn what_aws_cannot_copy_and_what_has_no_snapshot_yet_miss_no_rpo() {
    let account = Account::new(
        |source| {
            let new = scenario::Database {
                created_days_ago: Some(0.3),
                ..database(Instance, "sessions")
            };
            source
                .instance(database(Instance, "orders"))
                .instance(new)
                .cluster(database(Cluster, "tickets").engine("mysql"))
        },
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    let said = account.say("status --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    assert_eq!(line(&said, "tickets")["state"], "unsupported");
    assert!(line(&said, "tickets")["reason"].is_string());
    assert_eq!(line(&said, "sessions")["state"], "no-snapshot-yet");
    let said = account.say("status").await;
    assert!(said.out.contains("\nunsupported: "), "{}", said.out);
    assert!(
        said.out
            .contains("Not counted: 1 with no snapshot yet, 1 that AWS cannot copy."),
        "{}",
        said.out
    );
    assert_eq!(said.aside, "", "no advice to run");
}
