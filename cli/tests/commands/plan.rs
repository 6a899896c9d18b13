//! `snapferry plan`, and `snapferry run --plan`.

use serde_json::{Value, json};
use snapferry::error::ExitStatus;

use crate::account::{Account, DESTINATION, Execution, databases};

/// A dry run that decides every way that there is.
fn account(fails: bool) -> Account {
    let account = Account::new(databases, |destination| destination);
    let now = account.now();
    let source = |id: &str, size: u32| {
        json!({"id": format!("rds:{id}-1"), "arn": format!("arn:aws:rds:us-east-1:123456789012:snapshot:rds:{id}-1"),
            "createdAt": "2026-11-22T03:10:00Z", "engine": "postgres", "engineVersion": "16.3",
            "encryption": "sse-kms", "sizeGib": size})
    };
    let decided = |id: &str, decision: &str, reason: &str, delete: Value| {
        let resource_id = format!("db-{}", id.to_uppercase());
        let target = json!({"kind": "instance", "id": id, "resourceId": resource_id, "dryRun": true});
        let outcome = if matches!(decision, "copy" | "join") {
            "planned"
        } else {
            decision
        };
        let mut told =
            json!({"target": target, "decision": decision, "outcome": outcome, "reason": reason, "attempt": 0});
        if decision != "nothing" {
            told["source"] = source(id, 200);
            told["pruned"] = json!({"deleted": delete, "kept": [{"id": format!("snap-{id}-2"), "reason": "the newest verified copy"}],
                "omitted": 0, "dryRun": true});
        }
        Execution::copy(&format!("i-{id}-SUFFIX"), now, 0).takes(1).gives(told)
    };
    let run = Execution::run("", now, 0).takes(2).lists(5, 0);
    let counts = json!({"copied": 0, "current": 1, "nothing": 1, "unsupported": 0, "planned": 2, "retired": 0, "failed": u8::from(fails)});
    let run = if fails {
        run.fails("CopiesFailed", &json!({"counts": counts, "failures": []}).to_string())
    } else {
        run.gives(
            json!({"counts": counts, "failures": [], "warnings": ["instance plain: the tag snapferry:keep is ignored"],
            "leftOut": {"count": 1, "reasons": {"tag snapferry:copy=false": 1}, "first": []},
            "retired": {"databases": 0, "copies": 0, "first": []}}),
        )
    };
    let old = json!([{"id": "snap-orders-1", "reason": "number 4 of the verified copies; only the 3 newest are kept, and no other rule keeps it"}]);
    let mut children = vec![
        decided("orders", "copy", "its newest snapshot has no copy yet", old),
        decided(
            "stock",
            "join",
            "a copy of its newest snapshot is in progress",
            json!([]),
        ),
        decided("quiet", "current", "its newest snapshot has a verified copy", json!([])),
        decided("newborn", "nothing", "it has no snapshot yet", json!([])),
    ];
    if fails {
        let locked = Execution::copy("i-locked-SUFFIX", now, 0).takes(1);
        children.push(locked.fails("KeyNotUsable", "RDS cannot use a KMS key: it is disabled. Enable it."));
    }
    account.when_started(run, children);
    account
}

/// An account whose dry run tells this of the database orders alone.
fn planned(told: Value) -> Account {
    let account = Account::new(databases, |destination| destination);
    let now = account.now();
    let run = Execution::run("", now, 0)
        .takes(2)
        .lists(1, 0)
        .gives(json!({"counts": {"planned": 1}, "failures": []}));
    let orders = Execution::copy("i-orders-SUFFIX", now, 0).takes(1).gives(told);
    account.when_started(run, vec![orders]);
    account
}

#[tokio::test]
async fn a_plan_says_what_would_be_done_and_why() {
    let account = account(false);
    let said = account.say("plan").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    insta::assert_snapshot!(said.out);
    assert_eq!(
        account.inputs(),
        [json!({"Comment": "Started by snapferry plan.", "dryRun": true})]
    );
}

/// Kind 14: what would be copied is as old as its data, and as large as what was written.
#[tokio::test]
async fn a_plan_shows_the_time_and_the_size_of_the_data() {
    let told = json!({
        "target": {"kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "dryRun": true},
        "decision": "copy", "outcome": "planned", "reason": "new", "attempt": 0,
        "source": {"id": "rds:orders-1", "arn": "arn", "createdAt": "2026-11-22T03:10:00Z",
            "dataTime": "2026-11-22T01:05:00Z", "engine": "postgres", "engineVersion": "16.3", "encryption": "sse-kms",
            "sizeGib": 200, "writtenGib": 7},
    });
    let said = planned(told).say("plan").await;
    let row = said.out.lines().find(|line| line.starts_with("orders")).expect("a row");
    assert!(row.contains("2026-11-22 01:05") && row.contains(" 7 "), "{row}");
}

/// Kind 6: a complete copy that nothing has verified yet is work of its own.
#[tokio::test]
async fn complete_copies_that_would_be_verified_are_counted_apart() {
    let told = json!({"decision": "verify", "outcome": "pending", "reason": "a copy of an older snapshot is complete"});
    let said = planned(told).say("plan").await;
    let expected = "A run would copy 0 of 1 database to eu-west-1, wait for 0 copies under way, verify 1 complete copy of \
                    older snapshots, and then delete 0 old copies.";
    assert_eq!(said.out.lines().next(), Some(expected), "{}", said.out);
}

#[tokio::test]
async fn it_fits_a_terminal_of_60_columns() {
    let said = account(false).say_in(Some(60), "plan").await;
    assert!(said.out.lines().all(|line| line.chars().count() <= 60), "{}", said.out);
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn what_would_fail_is_said_with_what_to_do_and_exit_code_2_if_that_is_asked_for() {
    // N10: to plan is to answer a question, and `&&` goes on.
    let said = account(true).say("plan --only stock,orders").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    let said = account(true).say("plan --detailed-exitcode").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    let said = account(false).say("plan --detailed-exitcode").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    let said = account(true).say("plan").await;
    assert!(
        said.out
            .contains("instance locked would fail: RDS cannot use a KMS key"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn a_run_takes_the_databases_of_a_plan() {
    let account = account(false);
    let said = account.say("plan --json").await;
    let plan = said.json();
    let file = std::env::temp_dir().join(format!("snapferry-plan-{}.json", std::process::id()));
    std::fs::write(&file, &said.out).expect("written");
    // The text itself: whether a value that was read keeps its order depends on what else is built.
    let execution = plan["execution"].as_str().expect("an execution");
    insta::assert_snapshot!(said.out.replace(execution, "EXECUTION").trim_end());

    let run = format!("run --plan {}", file.display());
    assert_eq!(account.say(&run).await.ending, Ok(ExitStatus::Success));
    assert_eq!(
        account.inputs()[1]["only"],
        json!(["instance:orders", "instance:stock"])
    );

    // Of another stack it is refused.
    let elsewhere = said.out.replace(DESTINATION, "eu-north-1");
    std::fs::write(&file, elsewhere).expect("written");
    let refused = account.say(&run).await.failure();
    assert!(
        refused.starts_with("The plan is of the stack snapferry in us-east-1 with copies in eu-north-1"),
        "{refused}"
    );
    std::fs::write(&file, "{}").expect("written");
    assert!(
        account
            .say(&run)
            .await
            .failure()
            .starts_with("The file is not a plan file")
    );
    std::fs::remove_file(&file).expect("removed");
}
