use fixtures::database;

use super::*;

#[test]
fn a_database_that_is_listed_twice_is_one() {
    let orders = database(DatabaseKind::Instance, "orders");
    let renamed = Database {
        id: "orders-v2".to_owned(),
        ..orders.clone()
    };
    let unidentified = |id: &str| Database {
        resource_id: String::new(),
        ..database(DatabaseKind::Instance, id)
    };
    let listed = vec![
        orders.clone(),
        renamed,
        orders.clone(),
        unidentified("books"),
        unidentified("shelves"),
    ];
    let ids: Vec<String> = each_once(listed).into_iter().map(|database| database.id).collect();
    assert_eq!(ids, ["orders", "books", "shelves"]);
}

#[test]
fn what_aws_said_is_repeated_without_the_promise_of_another_try() {
    let throttled = Error::Throttled {
        refusal: domain::error::Refusal::without_code("Rate exceeded"),
    };
    assert_eq!(why(&throttled), "Rate exceeded");
    let down = Error::RdsUnavailable {
        reason: "the call timed out".to_owned(),
    };
    assert_eq!(why(&down), "the call timed out");
}
