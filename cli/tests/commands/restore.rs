//! `snapferry restore-command`.

use crate::account::{Account, DESTINATION, SOURCE, copy, copy_for_restore, database, unverified};
use domain::copy_tags::RestoreHints;
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::tags;
use rds_simulator_sdk::scenario::Region;
use snapferry::error::ExitStatus;

fn copies(region: Region) -> Region {
    let text = |value: &str| Some(value.to_owned());
    let of_instance = RestoreHints {
        class: text("db.r6g.large"),
        engine_version: text("16.3"),
        parameter_group: text("orders-tuned"),
        option_group: text("default:postgres-16"),
        multi_az: Some(true),
    };
    let of_cluster = RestoreHints {
        class: text("db.r6g.xlarge"),
        engine_version: text("16.6"),
        parameter_group: text("default.aurora-postgresql16"),
        option_group: None,
        multi_az: Some(true),
    };
    let evil = RestoreHints {
        class: text("x; rm -rf ~ #"),
        ..RestoreHints::default()
    };
    let verified = |kind, database, age, hints| {
        copy_for_restore(kind, database, age, hints).tag(tags::VERIFIED, "2026-11-22T11:00:00Z")
    };
    region
        .snapshot(verified(Instance, "orders", 5.0, of_instance))
        .snapshot(copy(Instance, "orders", 29.0))
        .snapshot(unverified(Instance, "orders", 1.0).at_percent(60))
        .snapshot(verified(Cluster, "billing", 7.0, of_cluster))
        .snapshot(unverified(Instance, "unverified", 3.0))
        .snapshot(verified(Instance, "evil", 3.0, evil))
        .snapshot(copy(Instance, "both", 3.0))
        .snapshot(copy(Cluster, "both", 4.0))
}

fn account() -> Account {
    Account::new(|source| source.instance(database(Instance, "orders")), copies)
}

/// With everything but the destination lost.
fn on_the_day() -> (Account, String) {
    let account = account();
    account.lose(SOURCE);
    (account, format!("--destination {DESTINATION} --owner snap"))
}

#[tokio::test]
async fn an_instance_is_restored_from_its_newest_verified_copy() {
    let (account, place) = on_the_day();
    let said = account.say(&format!("restore-command orders {place}")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    insta::assert_snapshot!(said.out);
    assert_eq!(said.aside, "Fill in: SUBNET_GROUP, SECURITY_GROUP_IDS.\n");
}

#[tokio::test]
async fn a_cluster_is_restored_with_its_members() {
    let (account, place) = on_the_day();
    let said = account
        .say(&format!("restore-command billing --as billing-drill {place}"))
        .await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn json_says_the_same() {
    let (account, place) = on_the_day();
    let said = account
        .say(&format!("restore-command cluster:billing --members 1 --json {place}"))
        .await;
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn while_the_source_region_is_there_the_stack_says_where_the_copies_are() {
    let account = account();
    let through_the_stack = account.say("restore-command orders").await;
    let (account, place) = on_the_day();
    let alone = account.say(&format!("restore-command orders {place}")).await;
    assert_eq!(through_the_stack.out, alone.out);
}

#[tokio::test]
async fn nothing_that_a_tag_says_reaches_the_shell_unquoted() {
    let (account, place) = on_the_day();
    let said = account.say(&format!("restore-command evil {place}")).await;
    assert!(said.out.contains("--db-instance-class 'x; rm -rf ~ #'"), "{}", said.out);
}

#[tokio::test]
async fn what_cannot_be_restored_is_said_with_what_to_do() {
    let (account, place) = on_the_day();
    let mut failures = Vec::new();
    for database in ["unverified", "both", "nowhere", "not:legal"] {
        let said = account.say(&format!("restore-command {database} {place}")).await;
        failures.push(format!("{database}:\n{}", said.failure()));
    }
    insta::assert_snapshot!(failures.join("\n\n"));
}
