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
