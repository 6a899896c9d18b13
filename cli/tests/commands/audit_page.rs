//! The page of `snapferry audit`: what an auditor reads, in a small fleet and in a large one.
//!
//! With `PAGES=<folder>` in the environment the pages stay there, to be looked at in a browser.

use domain::hash::hex_prefix;
use domain::kind::DatabaseKind::{self, Cluster, Instance};
use domain::restore_settings::RestoreHints;
use domain::tags;
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::scenario;
use serde_json::{Value, json};
use snapferry::aws::step_functions::suffix_of_run;
use snapferry::error::ExitStatus;

use crate::account::{
    Account, DESTINATION, Execution, KEY, copy, copy_for_restore, copy_of_resource, copy_under, database, run_arn,
    stack_with, unverified,
};
use crate::audit::{page, page_file, sha256_of_data};

const OTHER_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-4222-8222-222222222222";

/// What list-targets says of a tag that it cannot read.
const KEEP_DAYS_WARNING: &str = "instance mistaken: the tag snapferry:keep-days is not a whole number from 1 to 3650";

/// What the parameters of a stack are by default, and one rule more.
const POLICY: [(&str, &str); 9] = [
    ("ObjectiveHours", "26"),
    ("KeepCopies", "3"),
    ("KeepDays", "0"),
    ("KeepWeekly", "4"),
    ("RetiredKeepDays", "30"),
    ("MaxDeletesPerRun", "2"),
    ("ScheduleExpression", "cron(0 5 * * ? *)"),
    ("DestinationKmsKey", "alias/copies"),
    ("Selection", "opt-out"),
];

/// Leaves a page in the folder that the environment names.
fn keep(page: &str, name: &str) {
    if let Some(folder) = std::env::var_os("PAGES") {
        std::fs::write(std::path::Path::new(&folder).join(name), page).expect("a folder for pages");
    }
}

/// What copy-snapshot returned for a copy of a snapshot that was taken this long before.
fn copied(kind: DatabaseKind, id: &str, started: Timestamp, minutes: i64) -> Value {
    let taken = started - SignedDuration::from_mins(90);
    let stamp = taken.strftime("%Y-%m-%d-%H-%M").to_string();
    let noun = if kind == Cluster {
        "cluster-snapshot"
    } else {
        "snapshot"
    };
    let source = format!("rds:{id}-{stamp}");
    let engine = if kind == Cluster {
        "aurora-postgresql"
    } else {
        "postgres"
    };
    let finished = started + SignedDuration::from_mins(minutes) - SignedDuration::from_secs(30);
    json!({
        "decision": "copy", "outcome": "copied", "reason": "its newest snapshot has no copy yet", "attempt": 0,
        "source": {"id": source, "arn": format!("arn:aws:rds:us-east-1:123456789012:{noun}:{source}"),
            "createdAt": taken, "engine": engine, "engineVersion": "16.3", "encryption": "sse-kms", "sizeGib": 200},
        "copy": {"id": format!("snapferry-{id}-{stamp}-1a2b3c4d5e6f"), "arn": "arn", "region": DESTINATION,
            "kmsKeyArn": KEY, "requestedAt": started + SignedDuration::from_mins(5), "attempt": 0},
        "status": {"state": "verified", "percent": 100, "finishedAt": finished},
        "verification": {"agree": ["source", "engine", "engine version", "encryption", "key", "size"],
            "notReported": [], "differ": []},
        "pruned": {"deleted": [{"id": format!("snapferry-{id}-old-0f0f0f0f0f0f"),
                "reason": "number 4 of the verified copies, 3 are kept, and no other rule wants it"}],
            "kept": [], "omitted": 0, "dryRun": false},
    })
}

/// An execution of copy-snapshot in a run.
fn execution(kind: DatabaseKind, id: &str, run: &str, now: Timestamp, hours_ago: i64) -> Execution {
    let letter = if kind == Cluster { "c" } else { "i" };
    let suffix = suffix_of_run(&run_arn(run));
    let execution = Execution::copy(&format!("{letter}-{id}-{suffix}"), now, hours_ago);
    let resource_id = database(kind, id).resource_id.expect("a resource id");
    Execution {
        input: json!({"kind": kind.to_string(), "id": id, "resourceId": resource_id}),
        ..execution
    }
}

/// Its ordinary instances.
const PLAIN: [&str; 12] = [
    "analytics",
    "archive",
    "catalog",
    "customers",
    "documents",
    "inventory",
    "ledger",
    "orders",
    "payments",
    "sessions",
    "shipping",
    "stock",
];

/// A fleet with one of everything: copied, late, failed, unsupported, left out, without snapshots, deleted; copies without
/// encryption, with another key and with another option group.
fn fleet() -> Account {
    let account = Account::new(
        |source| {
            let source = PLAIN
                .iter()
                .fold(source, |source, id| source.instance(database(Instance, id)));
            let mut replica = database(Instance, "reporting");
            replica.backup_retention_days = Some(0);
            let source = source
                .instance(database(Instance, "scratch").tag(tags::COPY, "false"))
                .instance(database(Instance, "mistaken").tag("snapferry:keep-days", "a fortnight"))
                .instance(replica)
                .instance(database(
                    Instance,
                    "the-database-of-the-customer-portal-of-the-northern-warehouse",
                ));
            source
                .cluster(database(Cluster, "billing"))
                .cluster(database(Cluster, "telemetry-of-the-power-plants"))
                .cluster(scenario::Database {
                    class: Some("db.r6gd.large".to_owned()),
                    ..database(Cluster, "tickets").engine("postgres")
                })
        },
        |destination| {
            let destination = destination.key(OTHER_KEY, "alias/other");
            let held = PLAIN.iter().filter(|id| !["ledger", "sessions"].contains(id));
            let destination = held.enumerate().fold(destination, |destination, (at, id)| {
                let age = 4.0 + f64::from(u8::try_from(at).expect("few"));
                let destination = destination.snapshot(copy(Instance, id, age));
                destination
                    .snapshot(copy(Instance, id, age + 24.0))
                    .snapshot(copy(Instance, id, age + 48.0))
            });
            let options = RestoreHints {
                option_group: Some("oracle-tz".to_owned()),
                ..RestoreHints::default()
            };
            let in_other_group = copy_for_restore(Instance, "mistaken", 6.0, options);
            let telemetry = copy_under(Some(OTHER_KEY), Cluster, "telemetry-of-the-power-plants", 30.0);
            destination
                .snapshot(unverified(Instance, "ledger", 6.9).status("failed").at_percent(55))
                .snapshot(in_other_group.tag(tags::VERIFIED, "2026-11-22T11:00:00Z"))
                .snapshot(copy_under(None, Cluster, "billing", 24.5))
                .snapshot(telemetry)
                .snapshot(copy(
                    Instance,
                    "the-database-of-the-customer-portal-of-the-northern-warehouse",
                    80.0,
                ))
                .snapshot(copy_of_resource(Instance, "old-shop", "db-OLD-SHOP", 960.0))
                .snapshot(copy_of_resource(Instance, "campaign", "db-CAMPAIGN", 120.0))
        },
    );
    nights(&account);
    account
}

/// What happened to it: a night, an event, and a run of one database.
fn nights(account: &Account) {
    account.stack("snapferry", &stack_with(&POLICY));
    let now = account.now();
    let night = |kind, id: &str, minutes| {
        let execution = execution(kind, id, "nightly", now, 7);
        let output = copied(kind, id, execution.started, minutes);
        execution
            .takes(minutes)
            .enters([("CheckCopyStatus", minutes * 60 - 60), ("PruneOld", minutes * 60 - 30)])
            .gives(output)
    };
    let held = PLAIN.iter().filter(|id| !["ledger", "sessions"].contains(id));
    let copies: Vec<Execution> = held
        .enumerate()
        .map(|(at, id)| night(Instance, id, 20 + 7 * i64::try_from(at).expect("few")))
        .collect();
    account.executions(copies);
    let unchanged = json!({"outcome": "current", "reason": "the newest snapshot has a verified copy already"});
    let stock = night(Instance, "stock", 30).output;
    account.executions([
        execution(Instance, "ledger", "nightly", now, 7)
            .takes(40)
            .fails("CopyFailed", "RDS gave the copy of rds:ledger-1 the status failed"),
        execution(Instance, "sessions", "nightly", now, 7)
            .takes(1)
            .gives(json!({"outcome": "nothing", "reason": "it has no automated snapshot yet"})),
        execution(Instance, "mistaken", "nightly", now, 7).fails(
            "OptionGroupMissing",
            "The option group oracle-tz does not exist in eu-west-1",
        ),
        execution(Cluster, "tickets", "nightly", now, 7)
            .takes(1)
            .gives(json!({"outcome": "unsupported", "reason": "RDS cannot copy snapshots of Multi-AZ DB clusters"})),
        night(Cluster, "billing", 95),
        night(Cluster, "telemetry-of-the-power-plants", 70),
        execution(Instance, "orders", "nightly-2", now, 1)
            .takes(1)
            .gives(unchanged.clone()),
        execution(Instance, "orders", "nightly-1", now, 31)
            .takes(1)
            .gives(unchanged),
        Execution {
            input: json!({"kind": "instance", "id": "stock", "resourceId": "db-STOCK", "snapshot": "rds:stock-1"}),
            ..execution(Instance, "stock", "8d3f-event", now, 3)
                .takes(30)
                .gives(stock)
        },
    ]);
    let scheduled = |name: &str, hours_ago| Execution {
        input: json!({"Comment": "Started by the schedule."}),
        ..Execution::run(name, now, hours_ago)
    };
    account.executions([
        scheduled("nightly", 7)
            .takes(180)
            .fails("CopiesFailed", &json!({"warnings": [KEEP_DAYS_WARNING]}).to_string()),
        scheduled("nightly-1", 31),
        Execution {
            input: json!({"only": ["orders"]}),
            ..Execution::run("nightly-2", now, 1)
        },
        Execution::run("8d3f-event", now, 3),
        Execution::run("plan-20261122-100000-1a2b", now, 2),
    ]);
}

/// N8, N34, N50 and section 2: who, where, by which policy, with what evidence.
#[tokio::test]
async fn the_page_has_what_an_auditor_asks_for() {
    let page = page(&fleet(), "").await;
    keep(&page, "fleet.html");
    for part in [
        // Who, where, by which policy.
        "<dt>AWS account</dt><dd>123456789012</dd>",
        "<dt>Source region</dt><dd>us-east-1</dd>",
        "<dt>Destination region</dt><dd>eu-west-1</dd>",
        "<dt>Stack</dt><dd>snapferry</dd>",
        "<dt>RPO objective</dt><dd>26 h</dd>",
        "<dt>Retention</dt><dd>Kept are the newest 3 verified copies of each database, the last of each of 4 weeks; of deleted \
         databases every copy for 30 days",
        "<dt>Schedule</dt><dd>cron(0 5 * * ? *)</dd>",
        "<dt>KMS key of the copies</dt><dd>alias/copies; most copies: arn:aws:kms:eu-west-1:123456789012:key/1111",
        // What started the runs, with links.
        "execution:snapferry-copy-fleet:nightly\">nightly</a>",
        "data-label=\"Started by\">the schedule<",
        "data-label=\"Started by\">an RDS event<",
        "data-label=\"Started by\">by hand, or another program<",
        // Each copy: where it is from, and what was compared.
        " \u{2192} snapferry-orders-2026-11-22-03-30-1a2b3c4d5e6f, recovery point 2026-11-22 03:30, verified 06:",
        "engine: postgres = postgres; engine version: 16.3 = 16.3; encryption: sse-kms = sse-kms; key: \
         11111111-1111-4111-8111-111111111111 = 11111111-1111-4111-8111-111111111111; size: 200 GiB = 200 GiB",
        // Reasons where nothing was copied.
        "the newest snapshot has a verified copy already",
        "it has no automated snapshot yet",
        "RDS cannot copy snapshots of Multi-AZ DB clusters",
        // What was deleted, and why.
        "number 4 of the verified copies, 3 are kept, and no other rule wants it: snapferry-orders-old-0f0f0f0f0f0f",
        // Exceptions.
        "<h3>Not encrypted (1)</h3>",
        "<b>cluster:<wbr>billing</b> 1 copy</li>",
        "<h3>Another key than most copies (1)</h3>",
        "1 copy: key arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-4222-8222-222222222222",
        "<h3>Another option group than the source (1)</h3>",
        ", where the database has oracle-tz",
        "<h3>Left out (1)</h3>",
        "<b>scratch</b> tagged snapferry:copy=false",
        "<b>reporting</b> its backup retention is 0, so RDS makes no snapshots of it",
        "instance mistaken: the tag snapferry:keep-days is not a whole number",
        // Every copy that is held.
        "not encrypted",
        "<dt>Copies held</dt><dd>37 copies of 17 databases, 36 of them verified</dd>",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(!page.contains("plan-20261122"), "a plan copied nothing");
    // Failures first (N50), and what failed is not copied since.
    let failures = page.find("id=\"failures\"").expect("failures");
    assert!(failures < page.find("id=\"ages\"").expect("ages"));
    let listed = &page[failures..page.find("id=\"ages\"").expect("ages")];
    assert!(
        listed.contains("CopyFailed") && listed.contains("OptionGroupMissing"),
        "{listed}"
    );
    assert!(!listed.contains("a verified copy since"), "{listed}");
}

/// N48: what has no age has no bar, and what is gone has a list of its own.
#[tokio::test]
async fn a_missing_copy_is_a_word_and_retired_databases_are_a_list_of_their_own() {
    let page = page(&fleet(), "").await;
    let row = |name: &str| {
        let begin = page.find(&format!("<li><details><summary><span class=\"name\">{name}</span>"));
        let row = &page[begin.unwrap_or_else(|| panic!("{name} in {page}"))..];
        row.split("</summary>").next().expect("a summary").to_owned()
    };
    let ledger = row("ledger");
    assert!(
        ledger.contains("no verified copy") && !ledger.contains("<i "),
        "{ledger}"
    );
    assert!(row("orders").contains("<i class=\"is-good\""));
    let (ages, retired) = page.split_once("id=\"retired\"").expect("the retired ones");
    for gone in ["old-shop", "campaign"] {
        assert!(!row(gone).contains("<i "), "{gone}");
        assert!(!ages.contains(gone) && retired.contains(gone), "{gone}");
    }
}

/// N31, N49: a failed copy shows how far it was, its bar is hatched, and its axis says how long it is.
#[tokio::test]
async fn a_failure_is_no_colour_alone() {
    let page = page(&fleet(), "").await;
    let begin = page.find("id=\"timeline\"").expect("a timeline");
    let timeline = page[begin..].split("</section>").next().expect("a section");
    let mut rows = timeline.split("<li>");
    let ledger = rows.find(|row| row.contains(">ledger</a>")).expect("a row");
    for part in ["class=\"copying\"", "class=\"failed\"", "CopyFailed at 55 %"] {
        assert!(ledger.contains(part), "{part} is missing in {ledger}");
    }
    assert!(page.contains(".failed { fill: url(#hatch); }"));
    assert!(timeline.contains("executions that copied or failed"), "{timeline}");
    assert!(timeline.contains(" after 4 h 30 min"), "{timeline}");
    let first = timeline.find("class=\"value bad\"").expect("a failure");
    assert!(
        first < timeline.find("class=\"value \"").expect("a copy"),
        "failures first"
    );
}

/// N33: a name may break after the kind, and not in the middle of a word before that.
#[tokio::test]
async fn a_name_may_break_after_its_colon() {
    let page = page(&fleet(), "").await;
    assert!(page.contains("<span class=\"name\">cluster:<wbr>telemetry-of-the-power-plants</span>"));
}

/// Section 2: the hash in the footer is that of the JSON that the same call writes.
#[tokio::test]
async fn the_footer_has_the_hash_of_the_json() {
    let account = fleet();
    let file = page_file();
    let said = account.say(&format!("audit --json --html {}", file.display())).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let page = std::fs::read_to_string(&file).expect("a page");
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(sha256_of_data(&page), hex_prefix(&said.out, 64));
    assert_eq!(sha256_of_data(&page).len(), 64);
    assert!(said.out.ends_with("}\n"));
}

/// N32: CSV beside JSON and HTML: a line per execution, with the evidence.
#[tokio::test]
async fn csv_has_a_line_per_execution() {
    let account = fleet();
    let said = account.say("audit --csv").await;
    let entries = account.say("audit --json").await.json();
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), entries["entries"].as_array().expect("entries").len() + 1);
    assert!(lines[0].starts_with("database,kind,resourceId,outcome,error,cause,startedAt,"));
    let orders = lines
        .iter()
        .find(|line| line.starts_with("orders,instance,db-ORDERS,copied,"));
    let orders = orders.unwrap_or_else(|| panic!("orders in {}", said.out));
    for part in [
        "engine: expected postgres, found postgres",
        "snapferry-orders-old-0f0f0f0f0f0f (number 4 of",
        "nightly,the schedule,arn:aws:states:",
    ] {
        assert!(orders.contains(part), "{part} is missing in {orders}");
    }
}

/// N38: a slip of the finger costs no file, and a page may be replaced by a newer one.
#[tokio::test]
async fn a_file_that_is_no_page_is_not_overwritten() {
    let account = fleet();
    let file = page_file();
    let command = format!("audit --html {}", file.display());
    std::fs::write(&file, "all that I know").expect("written");
    let calls = account.calls();
    let refused = account.say(&command).await.failure();
    assert!(refused.contains("exists and is not an audit page."), "{refused}");
    assert_eq!(account.calls(), calls, "nothing was asked for it");
    assert_eq!(std::fs::read_to_string(&file).expect("kept"), "all that I know");
    for before in ["", "a page"] {
        if before.is_empty() {
            std::fs::write(&file, "").expect("written");
        }
        let said = account.say(&command).await;
        assert_eq!(said.ending, Ok(ExitStatus::Success), "over {before:?}: {}", said.aside);
    }
    std::fs::remove_file(&file).expect("removed");
}

/// N32: 500 databases, a week of events and nights.
#[tokio::test]
async fn a_large_fleet_is_a_page_of_less_than_2_mb() {
    const DATABASES: usize = 500;
    const DAYS: i64 = 7;
    let names: Vec<String> = (0..DATABASES)
        .map(|number| format!("customer-{number:03}-orders"))
        .collect();
    let account = Account::new(
        |source| {
            names
                .iter()
                .fold(source, |source, id| source.instance(database(Instance, id)))
        },
        |destination| {
            let ages = [5.0, 29.0, 53.0];
            let copies = names.iter().flat_map(|id| ages.map(|age| copy(Instance, id, age)));
            copies.fold(destination, scenario::Region::snapshot)
        },
    );
    account.stack("snapferry", &stack_with(&POLICY));
    let now = account.now();
    for day in 0..DAYS {
        let hours_ago = 5 + 24 * day;
        let nightly = format!("nightly-{day}");
        account.executions([Execution {
            input: json!({"Comment": "Started by the schedule."}),
            ..Execution::run(&nightly, now, hours_ago - 1)
        }]);
        for (number, id) in names.iter().enumerate() {
            let event = format!("event-{day}-{number}");
            let copy = execution(Instance, id, &event, now, hours_ago);
            let output = copied(Instance, id, copy.started, 40);
            let mut input = copy.input.clone();
            input["snapshot"] = json!(format!("rds:{id}-1"));
            let copy = if number == 77 && day == 0 {
                copy.fails("CopyFailed", "RDS gave the copy the status failed")
            } else {
                copy.takes(40).gives(output)
            };
            account.executions([
                Execution { input, ..copy },
                Execution::run(&event, now, hours_ago),
                execution(Instance, id, &nightly, now, hours_ago - 1)
                    .takes(1)
                    .gives(json!({"outcome": "current", "reason": "the newest snapshot has a verified copy already"})),
            ]);
        }
    }
    let page = page(&account, "--since 8d").await;
    keep(&page, "large.html");
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert_eq!(
        page.matches("<li><details><summary>").count(),
        DATABASES,
        "a row per database"
    );
    // Nothing is left out but runs of events and some links, and that is said: the newest copy of each database is one, and
    // so are the failure, which is listed twice, and the timeline.
    let links = page.matches("snapferry-copy-snapshot:i-customer-").count();
    assert_eq!(links, DATABASES + 2 + 60);
    assert!(page.contains("only the newest of each database is a link"));
    let listed = page.matches(" \u{2192} snapferry-customer-").count();
    assert_eq!(
        i64::try_from(listed),
        Ok(i64::try_from(DATABASES).expect("few") * DAYS - 1)
    );
    assert!(page.contains("a verified copy since"), "the night found one");
    assert!(page.contains("3480 more are not shown here"));
    assert!(page.contains("the last 60 executions that copied or failed"));
}
