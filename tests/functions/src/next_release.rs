//! What the next release may say that this one does not know.

use serde_json::{Value, json};

/// The name of a field, and of an entry of a table, that only the next release has.
pub const MORE: &str = "ofNext";

/// Fields whose objects are tables of numbers or texts.
const TABLES: [(&str, bool); 3] = [("reasons", false), ("numbers", false), ("settings", true)];

/// Adds a field to every object, and an entry of its kind to every table.
pub fn add_more(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match (field, TABLES.iter().find(|(table, _)| table == name)) {
                    (Value::Object(table), Some((_, is_of_texts))) => {
                        let entry = if *is_of_texts { json!("1") } else { json!(1) };
                        table.insert(MORE.to_owned(), entry);
                    }
                    (other, _) => add_more(other),
                }
            }
            fields.insert(MORE.to_owned(), json!({ "more": [1] }));
        }
        Value::Array(items) => items.iter_mut().for_each(add_more),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_has_more_and_a_table_an_entry() {
        let mut payload = json!({"a": [{"b": {}}, 1], "reasons": {"off": 2}});
        add_more(&mut payload);
        let more = json!({"more": [1]});
        assert_eq!(
            payload,
            json!({"a": [{"b": {"ofNext": more}, "ofNext": more}, 1], "reasons": {"off": 2, "ofNext": 1}, "ofNext": more})
        );
    }
}
