//! `snapferry copies`: what is held.

use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::tags;
use serde_json::json;
use snapferry::error::ExitStatus;

use crate::account::{Account, DESTINATION, Execution, SOURCE, copy, copy_id, copy_of_resource, databases, unverified};

/// Copies in every state, of which one is under a name that was taken over.
fn account() -> Account {
    let account = Account::new(databases, |destination| {
        destination
            .snapshot(copy(Instance, "orders", 5.0))
            .snapshot(copy(Instance, "orders", 29.0))
            .snapshot(copy(Instance, "orders", 53.0))
            .snapshot(copy(Instance, "orders", 77.0))
            .snapshot(copy(Instance, "orders", 101.0))
            .snapshot(unverified(Instance, "orders", 2.0).at_percent(40))
            .snapshot(copy_of_resource(Instance, "orders", "db-OLDORDERS", 900.0))
            .snapshot(copy(Instance, "stock", 29.0))
            .snapshot(unverified(Instance, "stock", 5.0).tag(tags::VERIFIED, tags::MISMATCH))
            .snapshot(copy(Cluster, "billing", 25.5))
    });
    let now = account.now();
    let refused = json!({"id": copy_id(Instance, "orders", 77.0), "reason": "it is in use by an export task"});
    let pruned = json!({"deleted": [], "omitted": 0, "dryRun": false, "kept": [], "refused": [refused]});
    account.executions([Execution::copy("i-orders-11111111", now, 7)
        .for_database("db-ORDERS")
        .gives(json!({"outcome": "copied", "pruned": pruned}))]);
    account
}

/// N5.
#[tokio::test]
async fn every_copy_is_listed_with_what_keeps_it_and_when_it_goes() {
    let said = account().say("copies").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn json_says_the_same_of_one_database() {
    let said = account().say("copies orders --json").await;
    let copies = said.json()["copies"].clone();
    let copies = copies.as_array().expect("copies");
    // Both databases that had the name; the newest of each first.
    assert_eq!(copies.len(), 7, "{}", said.out);
    assert!(copies.iter().all(|copy| copy["database"] == "orders"));
    let newest = copies
        .iter()
        .find(|copy| copy["copy"] == copy_id(Instance, "orders", 5.0).as_str());
    let newest = newest.expect("the newest");
    assert_eq!(newest["retention"], "the newest verified copy");
    assert_eq!(
        newest["goesAbout"], "2026-11-24T12:00:00Z",
        "the one in progress is taken to end well"
    );
    assert_eq!(newest["state"], "verified");
    assert_eq!(newest["ageSeconds"], 5 * 3600);
}

#[tokio::test]
async fn it_fits_a_terminal_of_60_columns() {
    let said = account().say_in(Some(60), "copies").await;
    assert!(said.out.lines().all(|line| line.chars().count() <= 60), "{}", said.out);
}

#[tokio::test]
async fn the_copies_are_there_when_the_source_region_is_lost() {
    let account = account();
    account.lose(SOURCE);
    let place = format!("--destination {DESTINATION} --owner snap");
    let said = account.say(&format!("copies orders {place} --json")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    assert_eq!(said.json()["copies"].as_array().map(Vec::len), Some(7));
    let unknown = account.say(&format!("copies ordres {place}")).await.failure();
    assert!(unknown.contains("There are copies of orders."), "{unknown}");
    assert!(
        unknown.ends_with(&format!(
            "\n  snapferry status --destination {DESTINATION} --owner snap"
        )),
        "N17: {unknown}"
    );
}
