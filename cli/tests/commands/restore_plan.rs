//! `snapferry restore-plan`.

use crate::account::{
    Account, DESTINATION, KEY, SOURCE, copy, copy_for_restore, copy_id, copy_of_resource, unverified,
};
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::restore_settings::RestoreHints;
use domain::tags;
use rds_simulator_sdk::scenario::{Region, SubnetGroup};
use serde_json::{Value, json};
use snapferry::error::ExitStatus;

fn copies(region: Region) -> Region {
    let hints = || RestoreHints {
        class: Some("db.r6g.large".to_owned()),
        parameter_group: Some("tuned".to_owned()),
        ..RestoreHints::default()
    };
    let mut large = copy_for_restore(Instance, "archive", 5.0, hints()).tag(tags::VERIFIED, "2026-11-22T11:00:00Z");
    (large.allocated_storage, large.full_snapshot_size_bytes) = (Some(900), Some(900 << 30));
    let mut small = copy_for_restore(Instance, "orders", 5.0, hints()).tag(tags::VERIFIED, "2026-11-22T11:00:00Z");
    (small.allocated_storage, small.full_snapshot_size_bytes) = (Some(20), Some(3 << 30));
    region
        .snapshot(large)
        .snapshot(small)
        .snapshot(copy(Instance, "orders", 29.0))
        .snapshot(copy(Cluster, "billing", 7.0))
        .snapshot(copy(Instance, "gone", 900.0))
        .snapshot(unverified(Instance, "newborn", 3.0))
        .subnet_group(SubnetGroup::new("private"))
}

/// With everything but the destination lost.
fn on_the_day() -> (Account, String) {
    let account = Account::new(|source| source, copies);
    account.lose(SOURCE);
    (account, format!("--destination {DESTINATION} --owner snap"))
}

fn names(report: &Value) -> Vec<&str> {
    let databases = report["databases"].as_array().expect("databases").iter();
    databases
        .map(|database| database["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn all_databases_are_planned_from_the_destination_region_alone_the_smallest_first() {
    let (account, place) = on_the_day();
    let said = account.say(&format!("restore-plan --wave 2 {place}")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem), "{}", said.aside);
    insta::assert_snapshot!(said.out);
    let report = account
        .say(&format!("restore-plan --all --wave 2 --json {place}"))
        .await
        .json();
    assert_eq!(names(&report), ["orders", "gone", "archive", "cluster:billing"]);
    assert_eq!(report["withoutCopy"], json!(["newborn"]));
    assert_eq!(report["databases"][0]["copy"], json!(copy_id(Instance, "orders", 5.0)));
    let regions: Vec<String> = account.calls().into_keys().collect();
    assert_eq!(regions, [format!("kms.{DESTINATION}"), format!("rds.{DESTINATION}")]);
}

#[tokio::test]
async fn those_that_are_named_are_planned_in_that_order_and_old_ones_can_be_left_out() {
    let (account, place) = on_the_day();
    let line = format!("restore-plan archive cluster:billing orders archive --json {place}");
    assert_eq!(
        names(&account.say(&line).await.json()),
        ["archive", "cluster:billing", "orders"]
    );
    let young = account
        .say(&format!("restore-plan --max-age 2d --json {place}"))
        .await
        .json();
    assert_eq!(names(&young), ["orders", "archive", "cluster:billing"]);
    assert_eq!(young["notes"], json!(["Left out, with data older than 2 d: gone."]));
    let none = account.say(&format!("restore-plan newborn {place}")).await;
    assert!(
        none.failure().starts_with("There is no verified copy in eu-west-1"),
        "{}",
        none.failure()
    );
    let unknown = account.say(&format!("restore-plan oders {place}")).await;
    assert!(unknown.failure().contains("orders"), "{}", unknown.failure());
}

/// The tag of a database is recorded on its copies, because nobody can ask the database on that day.
#[tokio::test]
async fn databases_whose_tags_ask_for_a_place_come_first_and_share_no_wave_with_those_of_another() {
    let placed = |id: &str, place: &str| copy(Instance, id, 5.0).tag(tags::SOURCE_RESTORE_ORDER, place);
    let account = Account::new(
        |source| source,
        |region| {
            region
                .snapshot(copy(Instance, "small", 5.0))
                .snapshot(placed("second", "10"))
                .snapshot(placed("first", "2"))
                .snapshot(placed("too", "2"))
                .snapshot(placed("unread", "soon"))
        },
    );
    account.lose(SOURCE);
    let report = account
        .say(&format!("restore-plan --json --destination {DESTINATION} --owner snap"))
        .await
        .json();
    let databases = report["databases"].as_array().expect("databases").iter();
    let found: Vec<(&Value, &Value, &Value)> = databases
        .map(|one| (&one["name"], &one["restoreOrder"], &one["wave"]))
        .collect();
    let expected = [
        (json!("first"), json!(2), json!(1)),
        (json!("too"), json!(2), json!(1)),
        (json!("second"), json!(10), json!(2)),
        (json!("small"), json!(null), json!(3)),
        (json!("unread"), json!(null), json!(3)),
    ];
    let expected: Vec<(&Value, &Value, &Value)> = expected.iter().map(|(a, b, c)| (a, b, c)).collect();
    assert_eq!(found, expected);
}

/// Each could be restored alone, and there is no room for both.
#[tokio::test]
async fn the_quotas_are_compared_with_all_of_them_together() {
    let (account, place) = on_the_day();
    account.rewrite("<Max>100000</Max>", "<Max>910</Max>");
    let report = account
        .say(&format!("restore-plan orders archive --json {place}"))
        .await;
    assert_eq!(report.ending, Ok(ExitStatus::Problem));
    let report = report.json();
    assert_eq!(
        report["needed"],
        json!({"instances": 2, "clusters": 0, "storageGib": 920})
    );
    let verdicts: Vec<&Value> = report["databases"]
        .as_array()
        .expect("databases")
        .iter()
        .map(|one| &one["restorable"]["verdict"])
        .collect();
    assert_eq!(verdicts, ["yes", "yes"]);
    let missing = &report["missing"][0];
    assert_eq!(
        missing["problem"],
        "eu-west-1 has no room for 920 more GiB of storage: its quota is 910, and 0 are in use."
    );
    assert_eq!(missing["databases"], json!([]));
}

#[tokio::test]
async fn what_several_databases_lack_is_said_once() {
    let (account, place) = on_the_day();
    account.world.disable_key(DESTINATION, KEY);
    let report = account
        .say(&format!(
            "restore-plan orders archive --subnet-group nowhere --json {place}"
        ))
        .await
        .json();
    let problems: Vec<(&str, &Value)> = report["missing"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["problem"].as_str().expect("a sentence"), &one["databases"]))
        .collect();
    let both = json!(["orders", "archive"]);
    let key = format!("The key of the copy cannot be used: {KEY} is Disabled.");
    assert_eq!(
        problems,
        [
            (key.as_str(), &both),
            ("There is no DB subnet group nowhere in eu-west-1.", &both)
        ]
    );
    let warning = report["warnings"][0]["problem"].as_str().expect("a sentence");
    assert!(
        warning.starts_with("There is no parameter group tuned in eu-west-1"),
        "{warning}"
    );
}

#[tokio::test]
async fn of_databases_of_one_name_the_one_with_the_newest_data_is_planned() {
    let account = Account::new(
        |source| source,
        |region| {
            region
                .snapshot(copy(Instance, "orders", 50.0))
                .snapshot(copy_of_resource(Instance, "orders", "db-GREEN", 5.0))
        },
    );
    let said = account
        .say(&format!("restore-plan --destination {DESTINATION} --owner snap --json"))
        .await;
    let report = said.json();
    assert_eq!(report["databases"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["databases"][0]["resourceId"], "db-GREEN");
    assert_eq!(
        report["notes"],
        json!(["2 databases were called orders one after the other; the one with the newest data is restored."])
    );
}

/// The commands are those of `restore-command`, so that what holds for them holds here.
#[tokio::test]
async fn the_script_has_the_commands_of_restore_command() {
    let (account, place) = on_the_day();
    let file = std::env::temp_dir().join(format!("snapferry-restore-{}.sh", std::process::id()));
    let path = file.display();
    let said = account
        .say(&format!("restore-plan orders cluster:billing --script {path} {place}"))
        .await;
    assert!(said.ending.is_ok(), "{:?}", said.ending);
    assert!(said.aside.contains(&format!("sh {path}\n")), "{}", said.aside);
    let script = std::fs::read_to_string(&file).expect("the script");
    let single = account.say(&format!("restore-command orders {place}")).await.out;
    let commands = single.split("\n# ").filter(|block| block.contains("\naws rds restore"));
    let expected = commands
        .flat_map(str::lines)
        .find(|line| line.starts_with("aws rds restore"));
    assert!(script.contains(expected.expect("a command")), "{script}");
    for line in [
        "--db-subnet-group-name \"$SUBNET_GROUP\"",
        "--vpc-security-group-ids $SECURITY_GROUP_IDS",
        "begin 1 'instance orders'",
        "begin 2 'cluster billing'",
        ": \"${INSTANCE_CLASS:?",
    ] {
        assert!(script.contains(line), "{line}\n{script}");
    }
    let checked = std::process::Command::new("sh")
        .arg("-n")
        .arg(&file)
        .status()
        .expect("a shell");
    assert!(checked.success(), "{script}");
    // It may be written again, and nothing else is replaced.
    assert!(
        account
            .say(&format!("restore-plan orders --script {path} {place}"))
            .await
            .ending
            .is_ok()
    );
    std::fs::write(&file, "mine").expect("written");
    let said = account
        .say(&format!("restore-plan orders --script {path} {place}"))
        .await;
    assert!(
        said.failure().contains("is not a script of restore-plan"),
        "{}",
        said.failure()
    );
    assert_eq!(std::fs::read_to_string(&file).expect("read"), "mine");
    std::fs::remove_file(&file).expect("removed");
}
