//! `snapferry audit --foreign`.

use crate::account::{Account, DESTINATION, SOURCE, copy, unverified};
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::tags;
use rds_simulator_sdk::scenario::Snapshot;
use rds_simulator_sdk::simulator::Kind;
use serde_json::json;
use snapferry::error::ExitStatus;

fn arn(region: &str, kind: &str, name: &str) -> String {
    format!("arn:aws:rds:{region}:123456789012:{kind}:{name}")
}

/// Copies of other tools beside ours, in progress and complete; and what is no copy from another region.
fn account() -> Account {
    Account::new(
        |source| source,
        |destination| {
            destination
                .snapshot(copy(Instance, "orders", 5.0))
                .snapshot(unverified(Cluster, "billing", 5.0).at_percent(40))
                .snapshot(
                    Snapshot::copy_of(
                        &arn(SOURCE, "snapshot", "rds:stock-2026-11-20-03-10"),
                        Kind::Instance,
                        "stock-us-east-1-rds-stock-2026-11-20-03-10",
                        30.0,
                    )
                    .taken_of(Kind::Instance, "stock"),
                )
                // Its name and its tag are like ours, but it is of another owner.
                .snapshot(copy(Instance, "sales", 7.0).tag(tags::OWNER, "us-east-1/other"))
                .snapshot(
                    Snapshot::copy_of(
                        &arn("ap-south-1", "cluster-snapshot", "by-hand"),
                        Kind::Cluster,
                        "billing-dr",
                        200.0,
                    )
                    .taken_of(Kind::Cluster, "billing"),
                )
                .snapshot(
                    Snapshot::copy_of(
                        &arn(DESTINATION, "snapshot", "local"),
                        Kind::Instance,
                        "local-copy",
                        3.0,
                    )
                    .taken_of(Kind::Instance, "orders"),
                )
                .snapshot(Snapshot::manual("made-by-hand", 3.0).taken_of(Kind::Instance, "orders"))
        },
    )
}

#[tokio::test]
async fn every_copy_from_another_region_that_is_not_ours_is_listed_and_nothing_is_changed() {
    let account = account();
    let report = account.say("audit --foreign --json").await.json();
    let foreign = report["foreign"].as_array().expect("copies");
    let found: Vec<_> = foreign
        .iter()
        .map(|copy| {
            json!([
                copy["kind"],
                copy["sourceRegion"],
                copy["copy"].as_str().map(|name| &name[..10])
            ])
        })
        .collect();
    assert_eq!(
        found,
        [
            json!(["cluster", "ap-south-1", "billing-dr"]),
            json!(["instance", "us-east-1", "snap-sales"]),
            json!(["instance", "us-east-1", "stock-us-e"]),
        ]
    );
    assert!(
        foreign[2]["sourceArn"]
            .as_str()
            .is_some_and(|arn| arn.ends_with("rds:stock-2026-11-20-03-10"))
    );
    let calls = account.calls();
    assert_eq!(
        calls.get("rds.eu-west-1"),
        Some(&2),
        "each kind is listed, and that is all: {calls:?}"
    );

    let said = account.say("audit --foreign").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let first = "3 copies of 3 databases in eu-west-1 are from other regions, and not of the owner snap. Nothing here ever \
                 changes them.";
    assert_eq!(
        said.out.split("\n\n").next().map(|text| text.replace('\n', " ")),
        Some(first.to_owned())
    );
}

#[tokio::test]
async fn with_the_source_region_lost_the_owner_tells_which_are_ours() {
    let account = account();
    account.lose(SOURCE);
    let said = account
        .say("audit --foreign --json --destination eu-west-1 --owner snap")
        .await;
    assert_eq!(said.json()["foreign"].as_array().map(Vec::len), Some(3), "{}", said.out);
}

#[tokio::test]
async fn where_there_are_none_it_says_so() {
    let account = Account::new(
        |source| source,
        |destination| destination.snapshot(copy(Instance, "orders", 5.0)),
    );
    let said = account.say("audit --foreign").await;
    assert_eq!(
        said.out,
        "eu-west-1 has no copies from other regions but those of the owner snap.\n"
    );
}
