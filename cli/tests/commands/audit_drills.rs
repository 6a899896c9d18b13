//! What `snapferry audit` shows of drills.

use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::tags;
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::scenario::{Database, Region};
use serde_json::{Value, json};
use snapferry::error::ExitStatus;

use crate::account::{
    Account, DESTINATION, Execution, SOURCE, copy, copy_id, database, databases, destination_stack_xml,
};
use crate::audit::page;

const WATCH: &str = "snapferry-watch";

/// A drill that ended some days ago, of the newest copy of its database.
fn drill(account: &Account, name: &str, days_ago: i64) -> Execution {
    let id = name.split('-').nth(1).unwrap_or_default();
    let kind = if name.starts_with('c') { Cluster } else { Instance };
    let execution = Execution::drill(kind, id, account.now() - SignedDuration::from_hours(24 * days_ago));
    Execution {
        name: name.to_owned(),
        input: json!({
            "kind": kind, "id": id, "resourceId": database(kind, id).resource_id, "name": format!("snap-drill-0a0a0a0a-{id}"),
            "copy": {"id": copy_id(kind, id, 5.0), "arn": "arn"},
            "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:eu-west-1:1:execution:fleet:drill-1",
        }),
        ..execution
    }
}

fn record(outcome: &str, reason: &str, gone_at: Timestamp, more: &Value) -> Value {
    let mut record = json!({
        "outcome": outcome, "reason": reason, "minutes": 17, "dataTime": "2026-11-22T03:10:00Z", "left": false, "kept": [],
        "checked": ["description", "events"], "goneAt": gone_at, "restore": {"withInstance": false},
    });
    for (field, value) in more.as_object().expect("an object") {
        record[field] = value.clone();
    }
    record
}

fn marked(id: &str, until: Timestamp) -> Database {
    Database::new(id)
        .tag(tags::DRILL_OWNER, &format!("{SOURCE}/snap"))
        .tag(tags::DRILL_UNTIL, &until.to_string())
        .tag(tags::DRILL_RUN, "i-stock-44444444")
}

/// Both stacks. Of four databases one passed its drill, one failed it, one could not be drilled and left something, one has
/// a drill that goes on; one was never drilled.
fn account() -> Account {
    let copies = |destination: Region| {
        destination
            .snapshot(copy(Instance, "orders", 5.0))
            .snapshot(copy(Instance, "stock", 5.0))
            .snapshot(copy(Cluster, "billing", 5.0))
            .snapshot(copy(Instance, "late", 6.0))
            .instance(marked(
                "snap-drill-0a0a0a0a-stock",
                rds_simulator_sdk::BEGINNING - SignedDuration::from_hours(9),
            ))
            .instance(Database::new("snap-drill-1b1b1b1b-wanted"))
            .instance(Database::new("another"))
    };
    let account = Account::new(|source| databases(source).instance(database(Instance, "late")), copies);
    account.destination_stack(WATCH, &destination_stack_xml("snap", Some("snapferry-DrillRule-1")));
    let now = account.now();
    let gone_at = now - SignedDuration::from_hours(23);
    let numbers = json!({"checked": ["description", "events", "function"], "verdict": {"numbers": {"rows": 12}}});
    account.executions([
        drill(&account, "i-orders-11111111", 1).gives(record(
            "passed",
            "the check function passed it: ok",
            gone_at,
            &numbers,
        )),
        drill(&account, "c-billing-22222222", 2).fails_with(
            "DrillFailed",
            "KeyNotUsable: <the key> is disabled.",
            record("failed", "<the key> is disabled.", gone_at, &json!({"checked": []})),
        ),
        drill(&account, "c-billing-33333333", 3).gives(record("unsupported", "not on offer", gone_at, &json!({}))),
        drill(&account, "i-stock-44444444", 1).fails("States.Timeout", ""),
        Execution {
            takes: SignedDuration::from_hours(99),
            ..drill(&account, "i-late-55555555", 1)
        },
        drill(&account, "i-orders-66666666", 30).gives(json!({"outcome": "passed"})),
    ]);
    let proof = |outcome: &str, time: Timestamp| json!({"time": time, "outcome": outcome, "copy": "c", "database": "d", "minutes": 17});
    let ago = |days: i64| now - SignedDuration::from_hours(24 * days);
    account.proof("snap", Instance, "orders", proof("passed", ago(1)));
    account.proof("snap", Cluster, "billing", proof("failed", ago(2)));
    let mut old = proof("not-run", ago(1));
    old["lastPassed"] = json!({"time": ago(91), "minutes": 20});
    account.proof("snap", Instance, "stock", old);
    account
}

#[tokio::test]
async fn each_drill_of_the_period_is_a_line_and_what_is_wrong_is_said_after_them() {
    let said = account().say("audit").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    assert_eq!(said.aside, "");
    let (_, drills) = said.out.split_once("5 drills").expect("drills");
    insta::assert_snapshot!(format!("5 drills{drills}"));
}

#[tokio::test]
async fn json_has_the_evidence_of_each_drill() {
    let said = account().say("audit --json").await.json();
    assert_eq!(said["executionsShown"], true);
    let drills = &said["drills"];
    assert_eq!(
        (&drills["stack"], &drills["scheduled"], &drills["running"]),
        (&json!(WATCH), &json!(true), &json!(1))
    );
    let entries = drills["entries"].as_array().expect("entries");
    let named = |name: &str| {
        let mut entries = entries.iter();
        entries
            .find(|entry| entry["execution"] == name)
            .unwrap_or_else(|| panic!("{name} in {drills}"))
    };
    let orders = named("i-orders-11111111");
    let link = "https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:\
                123456789012:execution:snapferry-drill-copy:i-orders-11111111";
    assert_eq!(
        orders,
        &json!({
            "kind": "instance", "database": "orders", "resourceId": database(Instance, "orders").resource_id,
            "outcome": "passed", "minutes": 17, "reason": "the check function passed it: ok",
            "copy": copy_id(Instance, "orders", 5.0), "capturedAt": "2026-11-22T03:10:00Z",
            "checked": ["description", "events", "function"], "numbers": {"rows": 12},
            "restoredAs": "snap-drill-0a0a0a0a-orders", "gone": true, "goneAt": orders["goneAt"],
            "startedAt": orders["startedAt"], "endedAt": orders["endedAt"], "run": "drill-1",
            "execution": "i-orders-11111111", "link": link,
        })
    );
    assert!(orders["goneAt"].is_string() && orders["endedAt"].is_string());
    // Only the history of a failed execution has its record.
    let failed = named("c-billing-22222222");
    assert_eq!((&failed["outcome"], &failed["minutes"]), (&json!("failed"), &json!(17)));
    assert_eq!(failed["reason"], "KeyNotUsable: <the key> is disabled.");
    assert_eq!((&failed["storageOnly"], &failed["gone"]), (&json!(true), &json!(true)));
    // A drill that was cut off says nothing of its database; RDS does.
    let cut_off = named("i-stock-44444444");
    assert_eq!(
        (&cut_off["outcome"], &cut_off["gone"]),
        (&json!("not-run"), &json!(false))
    );
    assert_eq!(entries.len(), 4, "neither one that goes on, nor one before the period");
    let states: Vec<(&Value, &Value)> = drills["databases"]
        .as_array()
        .expect("databases")
        .iter()
        .map(|one| (&one["id"], &one["state"]))
        .collect();
    let (stock, wanted) = (json!("snap-drill-0a0a0a0a-stock"), json!("snap-drill-1b1b1b1b-wanted"));
    assert_eq!(states, [(&stock, &json!("overdue")), (&wanted, &json!("kept"))]);
    let not_proved: Vec<&Value> = drills["notProved"]
        .as_array()
        .expect("databases")
        .iter()
        .map(|one| &one["database"])
        .collect();
    assert_eq!(not_proved, ["billing", "late", "stock"]);
    let kinds: Vec<&Value> = said["exceptions"]
        .as_array()
        .expect("exceptions")
        .iter()
        .map(|one| &one["kind"])
        .collect();
    assert!(
        kinds.starts_with(&[
            &json!("drill-failed"),
            &json!("drill-unsupported"),
            &json!("drill-database-left"),
            &json!("drill-database-left"),
            &json!("not-drilled"),
        ]),
        "{kinds:?}"
    );
    let of_orders = said["databases"].as_array().expect("databases").iter();
    let mut of_orders = of_orders.filter(|one| one["database"] == "orders");
    assert_eq!(of_orders.next().expect("orders")["drill"]["outcome"], "passed");
}

#[tokio::test]
async fn a_spreadsheet_has_a_line_per_drill_after_those_of_copies() {
    let said = account().say("audit --csv").await;
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines[0].trim_end().ends_with("activity,minutes,drillDatabase,goneAt"),
        "{}",
        lines[0]
    );
    assert_eq!(lines.len(), 5, "{}", said.out);
    assert!(lines[1..].iter().all(|line| line.contains(",drill,")), "{}", said.out);
    assert!(
        lines[1..]
            .iter()
            .any(|line| line.contains("\"description, events, function\"")
                && line.contains(",17,snap-drill-0a0a0a0a-orders,")),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn the_page_lists_drills_and_names_what_is_wrong_among_the_exceptions() {
    let page = page(&account(), "").await;
    for part in [
        "<h2 id=\"drills\">Drills</h2>",
        "execution:snapferry-drill-copy:i-orders-11111111\">i-orders-11111111</a>",
        "description, events, function",
        "<span class=\"bad\">failed</span><span class=\"why\">KeyNotUsable: &#60;the key&#62; is disabled.</span>",
        "<h3>Failed drill (1)</h3>",
        "<h3>Copy that cannot be drilled (1)</h3>",
        "<h3>Database of a drill left behind (2)</h3>",
        "<h3>No drill has passed lately (3)</h3>",
        "the sweep should have deleted it",
        "a person keeps it",
        "<p class=\"sub\">Last drill</p>\n<p class=\"why\">never drilled</p>",
        "none has passed",
        "1 passed, 1 failed, 1 not run, 1 unsupported, 1 running (stack snapferry-watch)",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(!page.contains("drills are not shown here"));
}

/// Acceptance of issue 13: the region of the copies is enough.
#[tokio::test]
async fn with_the_source_region_lost_drills_are_shown_and_executions_of_copies_are_not() {
    let account = account();
    account.lose(SOURCE);
    let line = "audit --destination eu-west-1 --owner snap";
    let said = account.say(line).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    assert_eq!(said.aside.lines().count(), 1, "{}", said.aside);
    assert!(
        said.aside.starts_with("note: Executions of copies are not shown"),
        "{}",
        said.aside
    );
    assert!(said.out.contains("5 drills since"), "{}", said.out);
    let json = account.say(&format!("{line} --json")).await.json();
    assert_eq!(json["executionsShown"], false);
    assert_eq!(json["drills"]["entries"].as_array().map(Vec::len), Some(4));
    assert!(account.calls().keys().all(|call| call.ends_with(DESTINATION)));
}

#[tokio::test]
async fn without_a_destination_stack_one_note_says_that_drills_are_not_shown() {
    let account = account();
    let said = account.say("audit --watch-stack nothing").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    assert_eq!(said.aside.lines().count(), 1, "{}", said.aside);
    assert!(
        said.aside
            .starts_with("note: Drills are not shown. There is no stack nothing in eu-west-1."),
        "{}",
        said.aside
    );
    assert!(!said.out.contains("drill"), "{}", said.out);
    let json = account.say("audit --json --watch-stack nothing").await.json();
    assert_eq!(json["drills"], json!(null));
    account.destination_stack("other", &destination_stack_xml("other", None));
    let other = account.say("audit --watch-stack other").await;
    assert!(
        other.aside.starts_with(
            "note: Drills are not shown. The stack other in eu-west-1 drills the copies of us-east-1/other"
        ),
        "{}",
        other.aside
    );
}
