//! `snapferry run`.

use domain::kind::DatabaseKind::{Cluster, Instance};
use jiff::SignedDuration;
use serde_json::json;
use snapferry::error::ExitStatus;

use crate::account::{Account, Execution, SOURCE, databases, unverified};

/// An account in which a run copies an instance and a cluster for twenty minutes, and finds a third current.
fn account() -> Account {
    let account = Account::new(databases, |destination| {
        destination
            .snapshot(unverified(Instance, "orders", 2.0).at_percent(40))
            .snapshot(unverified(Cluster, "billing", 2.0).at_percent(10))
    });
    let now = account.now();
    account.when_started(
        Execution::run("", now, 0).lists(3, 1).takes(20).gives(json!({
            "counts": {"copied": 2, "current": 1, "nothing": 0, "unsupported": 0, "planned": 0, "retired": 0, "failed": 0},
            "failures": [], "dryRun": false,
            "leftOut": {"count": 1, "reasons": {"tag snapferry:copy=false": 1},
                "first": [{"kind": "instance", "id": "scratch", "reason": "tag snapferry:copy=false"}]},
            "retired": {"databases": 1, "copies": 2, "first": [{"kind": "instance", "id": "gone", "copies": 2}]},
            "warnings": ["cluster plain is not encrypted"],
        })),
        [
            Execution::copy("i-orders-SUFFIX", now, 0).takes(19),
            Execution::copy("c-billing-SUFFIX", now, 0).takes(18),
            Execution::copy("i-stock-SUFFIX", now, 0).takes(1),
            // Its copies are pruned; a living database has its name.
            Execution::copy("i-orders-SUFFIX-00ff", now, 0).takes(1),
            Execution::copy("i-another-runs-0123abcd", now, 0).takes(500),
        ],
    );
    account
}

/// Without the name of the execution, which the time and the process are in.
fn nameless(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        match word.find("run-2026") {
            Some(at) => {
                let end = word[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                let rest = end.map_or("", |end| &word[at + end..]);
                words.push(format!("{}run-NAME{rest}", &word[..at]));
            }
            None => words.push(word.to_owned()),
        }
    }
    words.concat()
}

#[tokio::test]
async fn a_run_is_started_and_left_alone() {
    let account = account();
    let said = account
        .say("run --only orders,cluster:billing --region us-east-1")
        .await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    insta::assert_snapshot!(nameless(&said.out));
    assert_eq!(
        nameless(&said.aside),
        "To follow it:\n  snapferry run --region us-east-1 --follow run-NAME\n"
    );
    let expected = json!({"Comment": "Started by snapferry run.", "only": ["orders", "cluster:billing"]});
    assert_eq!(account.inputs(), [expected]);
}

#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    let account = account();
    let said = account.say("run --follow").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    insta::assert_snapshot!(nameless(&said.out));
    insta::assert_snapshot!(said.aside);
}

/// N18: each database's execution is asked once how it ended, and none where nothing is shown.
#[tokio::test]
async fn who_follows_a_run_sees_what_failed_and_why() {
    let followed = async |options: &str| {
        let account = account();
        let now = account.now();
        account.when_started(
            Execution::run("", now, 0)
                .lists(4, 0)
                .takes(3)
                .gives(json!({"counts": {"copied": 1}})),
            [
                Execution::copy("i-ledger-SUFFIX", now, 0)
                    .takes(1)
                    .fails("CopyFailed", "RDS reports that the copy failed."),
                // Redriven: what counts is the later execution.
                Execution::copy("i-stock-SUFFIX-r1", now + SignedDuration::from_secs(60), 0)
                    .takes(1)
                    .gives(json!({"outcome": "copied"})),
                Execution::copy("i-stock-SUFFIX", now, 0)
                    .takes(0)
                    .fails("CopyFailed", "no"),
                Execution::copy("i-newborn-SUFFIX", now, 0)
                    .takes(1)
                    .gives(json!({"outcome": "nothing"})),
            ],
        );
        let said = account.say(&format!("run --follow {options}")).await;
        assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
        (said.aside, account.calls()[&format!("states.{SOURCE}")])
    };
    let (shown, calls) = followed("").await;
    let ended: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, line)| line)
        .collect();
    for line in [
        "instance ledger: failed (CopyFailed)",
        "instance newborn: succeeded (nothing)",
        "instance stock: failed (CopyFailed)",
        "instance stock: succeeded",
    ] {
        assert_eq!(
            ended.iter().filter(|ended| **ended == line).count(),
            1,
            "{line}: {shown}"
        );
    }
    assert_eq!(ended.last(), Some(&"instance stock: succeeded"), "{shown}");
    let (nothing, quiet) = followed("--quiet").await;
    assert_eq!(nothing, "");
    assert_eq!(calls, quiet + 4, "the four executions");
}

#[tokio::test]
async fn some_failures_are_exit_code_2_and_each_says_what_to_do() {
    let account = account();
    let now = account.now();
    let failures = json!([{"outcome": "failed", "kind": "instance", "id": "stock", "error": "KeyNotUsable", "execution": "i-stock-0123abcd"}]);
    let cause = |copied: u32| {
        json!({"summary": "1 of 3", "counts": {"copied": copied, "failed": 1}, "failures": failures}).to_string()
    };
    account.executions([
        Execution::run("partial", now, 2).fails("CopiesFailed", &cause(2)),
        Execution::run("total", now, 2).fails("CopiesFailed", &cause(0)),
        Execution::run("unlisted", now, 2).fails("AccessDenied", "the role lacks rds:DescribeDBInstances"),
        Execution::copy("i-stock-0123abcd", now, 2).fails("KeyNotUsable", "RDS cannot use a KMS key: it is disabled."),
    ]);
    let said = account.say_in(Some(60), "run --follow partial").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    insta::assert_snapshot!(said.out);
    assert_eq!(account.say("run --follow total").await.ending, Ok(ExitStatus::Error));
    insta::assert_snapshot!(account.say("run --follow unlisted").await.failure());
}

/// They are no failures, and are not passed over.
#[tokio::test]
async fn what_was_not_pruned_or_not_ready_is_counted_and_said() {
    let account = account();
    let now = account.now();
    let counts = json!({"copied": 2, "copiedNotPruned": 1, "current": 1, "notReady": 1, "failed": 0});
    account.executions([Execution::run("nightly", now, 2).gives(json!({"counts": counts}))]);
    let said = account.say("run --follow nightly").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn ctrl_c_leaves_the_run_going() {
    let account = account();
    let said = account
        .say_until(None, "run --follow", &mut std::future::ready(()))
        .await;
    // N15: `run --follow && next` does not go on.
    assert_eq!(said.ending, Ok(ExitStatus::Interrupted));
    assert_eq!(
        nameless(&said.aside),
        "The run goes on. To follow it again:\n  snapferry run --follow run-NAME\n"
    );
}

#[tokio::test]
async fn a_network_that_goes_away_ends_the_following_not_the_run() {
    let account = account();
    let now = account.now();
    account.executions([Execution::run("nightly", now, 0)]);
    account.lose_after(SOURCE, SignedDuration::from_mins(3));
    let said = account.say("run --follow nightly").await.failure();
    assert!(
        said.ends_with("To follow it again:\n  snapferry run --follow nightly"),
        "{said}"
    );
}

#[tokio::test]
async fn what_cannot_be_followed_is_said() {
    let account = account();
    let said = account.say("run --follow nothing --dry-run").await;
    insta::assert_snapshot!(said.failure());
    let said = account.say("run --follow nothing").await;
    insta::assert_snapshot!(said.failure());
}

/// N37.
#[tokio::test]
async fn what_a_program_reads_is_json_or_the_name_alone() {
    let account = account();
    let started = account.say("run --json").await.json();
    assert_eq!(started["status"], "running");
    assert!(
        started["link"]
            .as_str()
            .is_some_and(|link| link.starts_with("https://")),
        "{started}"
    );
    let ended = account.say("run --json --follow").await.json();
    assert_eq!(ended["status"], "succeeded");
    assert_eq!(ended["counts"]["copied"], 2);
    assert_eq!(ended["leftOut"]["count"], 1);
    assert_eq!(ended["warnings"], json!(["cluster plain is not encrypted"]));

    let quiet = account.say("run --quiet").await;
    assert_eq!(nameless(&quiet.out), "run-NAME\n");
    assert_eq!(quiet.aside, "");
    let quiet = account.say("run --quiet --follow").await;
    assert_eq!(
        (nameless(&quiet.out).as_str(), quiet.aside.as_str()),
        ("run-NAME\n", "")
    );
    let interrupted = account
        .say_until(None, "run --json --follow", &mut std::future::ready(()))
        .await;
    assert_eq!(interrupted.json()["status"], "running");
}

#[tokio::test]
async fn failures_are_json_too() {
    let account = account();
    let now = account.now();
    let failure =
        json!({"kind": "instance", "id": "stock", "error": "States.TaskFailed", "execution": "i-stock-0123abcd"});
    let cause = json!({"counts": {"copied": 2, "failed": 1}, "failures": [failure]}).to_string();
    account.executions([
        Execution::run("partial", now, 2).fails("CopiesFailed", &cause),
        Execution::copy("i-stock-0123abcd", now, 2).fails("KeyNotUsable", "RDS cannot use a KMS key: it is disabled."),
    ]);
    let said = account.say("run --follow partial --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    let failure = &said.json()["failures"][0];
    assert_eq!(
        (&failure["database"], &failure["error"]),
        (&json!("stock"), &json!("KeyNotUsable"))
    );
    let quiet = account.say("run --follow partial --quiet").await;
    assert!(quiet.out.starts_with("instance stock: KeyNotUsable\n"), "{}", quiet.out);
}

/// N14: a run of a name that no database has would fail, and an alarm go off.
#[tokio::test]
async fn names_are_checked_before_a_run_is_started() {
    let account = account();
    for command in [
        "run --only ordrs",
        "plan --only orders,instance:ordrs",
        "run --only cluster:orders",
    ] {
        let refused = account.say(command).await.failure();
        assert!(refused.starts_with("There is no database "), "{refused}");
        assert!(refused.ends_with(" in us-east-1.\nThere is orders."), "{refused}");
    }
    let refused = account.say("run --only nothing-like-it").await.failure();
    assert!(refused.contains("`snapferry status` lists the databases"), "{refused}");
    assert_eq!(account.inputs(), [json!(null); 0]);
    // Where they cannot be listed, the run finds out.
    let databases = rds_simulator_sdk::simulator::Calls::to("DescribeDBInstances");
    let fault = rds_simulator_sdk::simulator::Fault::error(databases, "AccessDenied", "no");
    account.world.fault(fault);
    assert_eq!(account.say("run --only ordrs").await.ending, Ok(ExitStatus::Success));
}
