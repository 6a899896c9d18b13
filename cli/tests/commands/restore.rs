//! `snapferry restore-command`.

use crate::account::{Account, DESTINATION, SOURCE, copy, copy_tagged, database};
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::tags;
use rds_simulator_sdk::scenario::Region;
use snapferry::Ending;

const VERIFIED: (&str, &str) = (tags::VERIFIED, "2026-11-22T11:00:00Z");

fn copies(region: Region) -> Region {
    let for_restore = [
        VERIFIED,
        (tags::CLASS, "db.r6g.large"),
        (tags::ENGINE_VERSION, "16.3"),
        (tags::PARAMETER_GROUP, "orders-tuned"),
        (tags::OPTION_GROUP, "default:postgres-16"),
        (tags::MULTI_AZ, "true"),
    ];
    let of_cluster = [
        VERIFIED,
        (tags::CLASS, "db.r6g.xlarge"),
        (tags::ENGINE_VERSION, "16.6"),
        (tags::PARAMETER_GROUP, "default.aurora-postgresql16"),
        (tags::MULTI_AZ, "true"),
    ];
    region
        .snapshot(copy_tagged(Instance, "orders", 5.0, &for_restore))
        .snapshot(copy(Instance, "orders", 29.0))
        .snapshot(copy_tagged(Instance, "orders", 1.0, &[]).at_percent(60))
        .snapshot(copy_tagged(Cluster, "billing", 7.0, &of_cluster))
        .snapshot(copy_tagged(Instance, "unverified", 3.0, &[]))
        .snapshot(copy_tagged(
            Instance,
            "evil",
            3.0,
            &[VERIFIED, (tags::CLASS, "x; rm -rf ~ #")],
        ))
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
    assert_eq!(said.ending, Ok(Ending::Fine));
    insta::assert_snapshot!(said.out);
    assert_eq!(said.aside, "Fill in: SUBNET_GROUP, SECURITY_GROUP_IDS.\n");
}

#[tokio::test]
async fn a_cluster_is_restored_with_its_members() {
    let (account, place) = on_the_day();
    let said = account
        .say(&format!("restore-command billing --as billing-drill {place}"))
        .await;
    assert_eq!(said.ending, Ok(Ending::Fine));
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
