//! `snapferry audit`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::hash::hex_prefix;
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::tags;
use jiff::SignedDuration;
use serde_json::json;
use snapferry::error::ExitStatus;

use crate::account::{Account, DESTINATION, Execution, KEY, SOURCE, copy, copy_id, database, databases, unverified};

/// A night with copies, a failure, and one that is under way; and something long before it.
fn account() -> Account {
    let account = Account::new(
        |source| {
            databases(source)
                .instance(database(Instance, "late"))
                .instance(database(Instance, "quiet"))
        },
        |destination| {
            destination
                .snapshot(copy(Instance, "orders", 5.0))
                .snapshot(copy(Instance, "stock", 53.0))
                .snapshot(copy(Cluster, "billing", 24.5))
                .snapshot(unverified(Instance, "late", 4.5).at_percent(30))
                .snapshot(unverified(Instance, "stock", 6.0).tag(tags::VERIFIED, tags::MISMATCH))
        },
    );
    let now = account.now();
    let copied = |name: &str, hours_ago: i64, minutes: i64| {
        let started = now - SignedDuration::from_hours(hours_ago);
        let requested = started + SignedDuration::from_mins(5);
        let finished = started + SignedDuration::from_mins(minutes) - SignedDuration::from_secs(30);
        let id = name.split('-').nth(1).unwrap_or_default();
        let kind = if name.starts_with('c') { Cluster } else { Instance };
        let resource_id = database(kind, id).resource_id;
        let arn = format!("arn:aws:rds:us-east-1:123456789012:snapshot:rds:{id}-1");
        Execution::copy(name, now, hours_ago)
            .takes(minutes)
            .enters([("FindLatestSnapshot", 0), ("CheckCopyStatus", minutes * 60 - 60), ("PruneOld", minutes * 60 - 30)])
            .gives(json!({
                "target": {"kind": kind, "id": id, "resourceId": resource_id}, "decision": "copy", "outcome": "copied",
                "reason": "its newest snapshot has no copy yet", "attempt": 0,
                "source": {"id": format!("rds:{id}-1"), "arn": arn, "createdAt": "2026-11-22T03:10:00Z", "engine": "postgres",
                    "engineVersion": "16.3", "encryption": "sse-kms", "sizeGib": 200},
                "copy": {"id": format!("snap-{id}-1"), "arn": "arn", "region": DESTINATION, "kmsKeyArn": KEY,
                    "requestedAt": requested, "attempt": 0},
                "status": {"state": "verified", "percent": 100, "finishedAt": finished},
                "verification": {"agree": ["engine", "key"], "notReported": [], "differ": []},
                "pruned": {"deleted": [{"id": format!("snap-{id}-0"), "reason": "old"}],
                    "kept": [{"id": format!("snap-{id}-1"), "reason": "the newest verified copy"}], "omitted": 0, "dryRun": false},
            }))
    };
    let mut dry = copied("i-orders-99999999", 1, 1);
    dry.input = json!({"dryRun": true});
    account.executions([
        copied("i-orders-11111111", 7, 40),
        copied("c-billing-11111111", 7, 95),
        Execution::copy("i-stock-11111111", now, 6)
            .fails("CopyMismatch", "snap-stock-6 is complete, but <the key> differs"),
        Execution::copy("i-late-22222222", now, 5).takes(600),
        Execution::copy("i-quiet-11111111", now, 7)
            .takes(1)
            .gives(json!({"outcome": "current"})),
        copied("i-orders-00000000", 60, 40),
        copied("i-orders-33333333", 900, 40),
        dry,
    ]);
    account
}

#[tokio::test]
async fn what_happened_is_a_table_the_latest_first() {
    let said = account().say("audit").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn it_fits_a_terminal_of_60_columns() {
    let said = account().say_in(Some(60), "audit --since 8h").await;
    assert!(said.out.lines().all(|line| line.chars().count() <= 60), "{}", said.out);
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn json_says_the_same() {
    let said = account().say("audit --since 6h --json").await;
    let version = said.json()["generator"].as_str().expect("a generator").to_owned();
    insta::assert_snapshot!(said.out.replace(&version, "VERSION"));
}

#[tokio::test]
async fn databases_that_are_gone_are_told_from_living_ones_of_their_name() {
    let account = account();
    let now = account.now();
    let deleted =
        json!({"deleted": [{"id": "snap-orders-0", "reason": "old"}], "kept": [], "omitted": 0, "dryRun": false});
    account.executions([
        Execution::copy("i-orders-11111111-00ff", now, 2)
            .takes(1)
            .gives(json!({"outcome": "retired", "pruned": deleted})),
        Execution::copy("c-billing-11111111-0a0b", now, 1)
            .takes(1)
            .fails("AccessDenied", "the role lacks rds:DeleteDBClusterSnapshot"),
    ]);
    let said = account.say("audit --since 3h").await;
    insta::assert_snapshot!(said.out);
    let said = account.say("audit --since 3h --json").await.json();
    let entries = said["entries"].as_array().expect("entries");
    assert!(entries.iter().all(|entry| entry["retired"] == true), "{entries:?}");
    // The living ones keep what they had.
    let status = account.say("status --json").await.json();
    let databases = status["databases"].as_array().expect("databases");
    let billing = databases.iter().find(|line| line["database"] == "billing");
    assert_eq!(billing.expect("billing")["last"]["stage"], "succeeded");
}

#[tokio::test]
async fn with_the_source_region_lost_the_copies_tell_their_own_history() {
    let account = account();
    account.lose(SOURCE);
    let place = format!("--destination {DESTINATION} --owner snap");
    let said = account.say(&format!("audit {place}")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    insta::assert_snapshot!(said.out);
    // The stack of the destination region is looked for as well.
    assert_eq!(
        account.calls().into_keys().collect::<Vec<_>>(),
        [format!("cloudformation.{DESTINATION}"), format!("rds.{DESTINATION}")]
    );
    let page = page(&account, &place).await;
    let orders = copy_id(Instance, "orders", 5.0);
    let link = format!("https://console.aws.amazon.com/rds/home?region=eu-west-1#db-snapshot:id={orders}\"");
    assert!(page.contains(&link), "{link} is missing in {page}");
}

/// What did not fail and needs to be known: on the page, in the table and as JSON, with the reasons.
#[tokio::test]
async fn a_copy_that_was_not_pruned_and_a_snapshot_that_was_not_ready_are_shown_with_their_reasons() {
    let account = Account::new(databases, |destination| {
        destination.snapshot(copy(Instance, "orders", 5.0))
    });
    let now = account.now();
    let not_pruned = |id: &str| {
        json!({
            "outcome": "copied, not pruned",
            "copy": {"id": format!("snap-{id}-1"), "arn": "arn", "region": DESTINATION, "kmsKeyArn": KEY,
                "requestedAt": now - SignedDuration::from_hours(3), "attempt": 0},
        })
    };
    let mut refused = not_pruned("orders");
    refused["pruned"] = json!({"refused": [{"id": "snap-orders-0", "reason": "RDS refused: it is shared"}]});
    let mut unread = not_pruned("billing");
    unread["warnings"] = json!(["PruneOld: RdsUnavailable"]);
    account.executions([
        Execution::copy("i-orders-11111111", now, 3).gives(refused),
        Execution::copy("c-billing-11111111", now, 3).gives(unread),
        Execution::copy("i-stock-11111111", now, 2).takes(60).gives(json!({
            "decision": "nothing", "outcome": "not ready", "reason": "The snapshot was not available within an hour.",
        })),
    ]);
    let said = account.say("audit").await;
    insta::assert_snapshot!(said.out);
    let entries = account.say("audit --json").await.json();
    let entries = entries["entries"].as_array().expect("entries").iter();
    let found: Vec<_> = entries
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            (text("database"), text("outcome"), text("copy"), text("cause"))
        })
        .collect();
    let expected = [
        (
            "stock",
            "not ready",
            "",
            "The snapshot was not available within an hour.",
        ),
        (
            "billing",
            "copied, not pruned",
            "snap-billing-1",
            "PruneOld: RdsUnavailable",
        ),
        (
            "orders",
            "copied, not pruned",
            "snap-orders-1",
            "snap-orders-0: RDS refused: it is shared",
        ),
    ];
    let expected = expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned()));
    assert_eq!(found, expected);
    let page = page(&account, "").await;
    for part in [
        "2 copied (not pruned), 1 not ready.",
        "<b class=\"soon\">copied, not pruned</b>",
        "<span class=\"why\">snap-orders-0: RDS refused: it is shared</span>",
        "<span class=\"why\">PruneOld: RdsUnavailable</span>",
        "<b class=\"soon\">not ready</b>",
        "<span class=\"why\">The snapshot was not available within an hour.</span>",
        "10 min, not pruned",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
}

/// A file for a page: no two tests have the same.
pub(crate) fn page_file() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("snapferry-audit-{}-{number}.html", std::process::id()))
}

pub(crate) async fn page(account: &Account, options: &str) -> String {
    let file = page_file();
    let said = account.say(&format!("audit --html {} {options}", file.display())).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let page = std::fs::read_to_string(&file).expect("a page");
    let hash = hex_prefix(&page, 64);
    assert_eq!(said.aside, format!("Wrote {}, SHA-256 {hash}.\n", file.display()));
    std::fs::remove_file(&file).expect("removed");
    page
}

#[tokio::test]
async fn the_page_says_who_is_in_danger_and_links_each_copy_to_its_execution() {
    let page = page(&account(), "--since 10d").await;
    for part in [
        "<html lang=\"en\">",
        "3 of 5 databases miss the RPO of 26 h: no verified copy of data that young.",
        "executions/details/arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-snapshot:i-orders-11111111",
        "class=\"verifying\"",
        "class=\"pruning\"",
        "snap-stock-6 is complete, but &#60;the key&#62; differs",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(!page.contains("i-orders-99999999"), "a dry run copied nothing");
    assert!(!page.contains("i-orders-33333333"), "that was before");
}

/// The program and its commit, as the page says it.
fn written_by(page: &str) -> String {
    between(page, "<meta name=\"generator\" content=\"snapferry ", "\"")
}

/// The hash that the page's footer has.
pub(crate) fn sha256_of_data(page: &str) -> String {
    between(page, "SHA-256 of the data of this page: <span class=\"url\">", "<")
}

fn between(text: &str, before: &str, after: &str) -> String {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before} in {text}"));
    rest.split_once(after).expect("an end").0.to_owned()
}

#[tokio::test]
async fn the_page_is_readable_html() {
    let page = page(&account(), "").await;
    let (head, rest) = page.split_once("<style>").expect("a style");
    let (_, body) = rest.split_once("</style>").expect("the end of the style");
    let page = format!("{head}<style></style>{body}");
    // Neither the version nor the commit, nor the hash that depends on them.
    let (version, hash) = (written_by(&page), sha256_of_data(&page));
    insta::assert_snapshot!(page.replace(&version, "VERSION").replace(&hash, "HASH"));
}

#[tokio::test]
async fn the_page_needs_nothing_but_itself() {
    // Its own pattern, for what failed.
    let page = page(&account(), "").await.replace("url(#hatch)", "");
    for outside in ["<script", "<link", "<img", "@import", "url(", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
    // Well-formed, as far as it is XML.
    let body = page
        .split_once("<body")
        .map(|(_, body)| format!("<body{body}"))
        .expect("a body");
    let body = body.trim_end().trim_end_matches("</html>").replace("<wbr>", "<wbr/>");
    roxmltree::Document::parse(&body).unwrap_or_else(|error| panic!("{error} in {body}"));
}

#[tokio::test]
async fn a_page_that_cannot_be_written_is_said() {
    let said = account().say("audit --html /nowhere/audit.html").await;
    assert!(said.failure().starts_with("/nowhere/audit.html cannot be written: "));
}

/// Kind 14: the records of executions show how old the data is and what was written, where RDS said so.
#[tokio::test]
async fn the_time_and_the_size_of_the_data_are_those_of_the_data() {
    let account = account();
    let now = account.now();
    let source = |name: &str| {
        json!({"id": format!("rds:{name}-1"), "arn": format!("arn:aws:rds:us-east-1:123456789012:snapshot:rds:{name}-1"),
            "createdAt": "2026-11-22T03:10:00Z", "dataTime": "2026-11-22T01:05:00Z", "engine": "postgres",
            "engineVersion": "16.3", "encryption": "sse-kms", "sizeGib": 200, "writtenGib": 7})
    };
    let told = json!({"outcome": "current", "source": source("orders")});
    account.executions([Execution::copy("i-orders-44444444", now, 1).takes(1).gives(told)]);
    let said = account.say("audit --since 2h --json").await.json();
    let entry = &said["entries"][0];
    assert_eq!(entry["capturedAt"], "2026-11-22T01:05:00Z");
    assert_eq!(entry["sizeGib"], 7);
}

/// N38: nothing has happened in the future, and an empty table would say that nothing happened at all.
#[tokio::test]
async fn an_audit_of_the_future_is_refused() {
    let refused = account().say("audit --since 2099-01-01").await.failure();
    assert!(
        refused.starts_with("2099-01-01 00:00 UTC is in the future."),
        "{refused}"
    );
}

/// N39: RDS says 1 GiB of every Aurora snapshot, which is no size.
#[tokio::test]
async fn a_cluster_has_no_size_in_any_json() {
    let account = account();
    for (command, list) in [
        ("status --json", "databases"),
        ("copies --json", "copies"),
        ("audit --json", "databases"),
        ("audit --json", "copies"),
    ] {
        let said = account.say(command).await.json();
        let lines = said[list].as_array().expect("a list").iter();
        let sizes: Vec<_> = lines
            .filter(|line| line["database"] == "billing")
            .map(|line| line["sizeGib"].clone())
            .collect();
        assert_eq!(sizes, [json!(null)], "{command}, {list}");
    }
}
