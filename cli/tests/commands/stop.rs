//! `snapferry stop`.

use crate::account::{Account, DESTINATION, Execution, copy, database, destination_stack_xml, unverified};
use domain::kind::DatabaseKind::{Cluster, Instance};
use serde_json::{Value, json};
use snapferry::error::ExitStatus;

/// Both stacks, a run and a drill under way, and two copies in progress beside a complete one.
fn account() -> Account {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders")),
        |destination| {
            destination
                .snapshot(copy(Instance, "orders", 26.0))
                .snapshot(unverified(Instance, "orders", 2.0).at_percent(40))
                .snapshot(unverified(Instance, "complete", 2.0))
                .snapshot(unverified(Cluster, "billing", 2.0).at_percent(10))
        },
    );
    account.destination_stack(
        "snapferry-watch",
        &destination_stack_xml("snap", Some("snapferry-DrillRule-1")),
    );
    let now = account.now();
    account.executions([
        Execution::run("nightly", now, 0).takes(600),
        Execution::copy("i-orders-1a2b3c4d", now, 0).takes(600),
        Execution::copy("i-ended-1a2b3c4d", now, 9),
        Execution::drills("drill-1", now).takes(600),
    ]);
    account
}

/// What RDS holds in the region of the copies.
async fn held(account: &Account) -> Vec<Value> {
    let report = account.say("copies --json").await.json();
    report["copies"].as_array().expect("copies").clone()
}

#[tokio::test]
async fn nothing_starts_any_more_what_runs_ends_and_copies_in_progress_are_named() {
    let account = account();
    let said = account.say("stop").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let rules = [
        "snapferry-ScheduleRule-1",
        "snapferry-SnapshotReadyRule-1",
        "snapferry-DrillRule-1",
    ];
    assert_eq!(account.switched(), rules.map(|rule| (rule.to_owned(), false)));
    for line in [
        "3 rules are disabled: nothing of the stack snapferry starts on its own any more.",
        "3 executions are stopped: nightly, i-orders-1a2b3c4d, drill-1.",
        "RDS goes on with 2 copies in eu-west-1, which the next run verifies:",
    ] {
        assert!(said.out.lines().any(|said| said == line), "{line}: {}", said.out);
    }
    assert!(
        said.out.contains("  cluster:billing, 10 %: snap-billing-"),
        "{}",
        said.out
    );
    assert!(said.aside.contains("snapferry stop --cancel"), "{}", said.aside);
    assert!(said.aside.contains("snapferry stop --resume"), "{}", said.aside);
    assert_eq!(held(&account).await.len(), 4);

    // Once more: nothing is left to stop.
    let again = account.say("stop --json").await.json();
    assert_eq!(again["stopped"], json!([]));
    assert_eq!(again["inProgress"].as_array().map(Vec::len), Some(2));

    let resumed = account.say("stop --resume").await;
    assert_eq!(resumed.ending, Ok(ExitStatus::Success), "{}", resumed.aside);
    assert_eq!(account.switched()[6..], rules.map(|rule| (rule.to_owned(), true)));
}

/// A complete copy is never touched, verified or not.
#[tokio::test]
async fn only_copies_in_progress_are_cancelled() {
    let account = account();
    let report = account.say("stop --cancel --json").await.json();
    let cancelled = report["cancelled"].as_array().expect("copies");
    let names: Vec<&Value> = cancelled.iter().map(|copy| &copy["database"]).collect();
    assert_eq!(names, ["billing", "orders"]);
    assert_eq!(report["inProgress"], json!([]));
    // RDS takes its time to delete.
    let held = held(&account).await;
    let states: Vec<(&str, &str)> = held
        .iter()
        .filter_map(|copy| Some((copy["database"].as_str()?, copy["state"].as_str()?)))
        .collect();
    let expected = [
        ("billing", "being deleted"),
        ("complete", "not verified"),
        ("orders", "being deleted"),
        ("orders", "verified"),
    ];
    assert_eq!(states, expected);
}

/// Where drills cannot be stopped, runs are all the same, and the exit code tells.
#[tokio::test]
async fn runs_are_stopped_where_the_destination_stack_cannot_be_read() {
    let account = account();
    account.destination_stack("snapferry-watch", "<DescribeStacksResponse/>");
    let said = account.say("stop").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem), "{}", said.aside);
    assert!(said.aside.contains("note: Drills are not touched."), "{}", said.aside);
    assert_eq!(account.switched().len(), 2);

    account.lose(DESTINATION);
    let lost = account.say("stop").await;
    assert!(lost.failure().contains("eu-west-1"), "the copies cannot be listed");
    assert_eq!(account.switched().len(), 4, "the runs are stopped before");
}

/// Drills are a stack of their own, which need not be there.
#[tokio::test]
async fn without_a_destination_stack_runs_are_all_that_is_stopped() {
    let account = account();
    let said = account.say("stop --watch-stack other --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    assert_eq!(said.json()["notes"], json!([]));
    assert_eq!(account.switched().len(), 2);
}

#[tokio::test]
async fn a_stack_that_does_not_name_its_rules_is_not_stopped_by_half() {
    let account = account();
    let early = crate::account::stack_xml().replace("RuleName", "Early");
    account.stack("snapferry", &early);
    assert!(
        account
            .say("stop")
            .await
            .failure()
            .contains("does not say which rules start its runs")
    );
    assert_eq!(account.switched(), []);
}
