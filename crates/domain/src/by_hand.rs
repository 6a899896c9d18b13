//! What a person types: a field that nobody knows is refused by name, because it asks for something that would not be done.
//!
//! What a function made is read without that ([`crate::payload`]): it says which release made it, and what a person types
//! does not.

use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde_json::Value;

use crate::error::Error;
use crate::payload::{Policy, Problem, RunRules, Target, Waited};
use crate::retention_rules::RetentionRules;

/// An object of an input: the path to it, with dots, and the fields that it may have.
pub type Object = (&'static str, &'static [&'static str]);

/// Most characters of an unknown name that are repeated.
const MAX_NAME: usize = 64;

/// The fields of a type, as it reads them.
#[must_use]
pub fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names = Names(&[]);
    // It reads nothing but asks for its fields.
    let _ = T::deserialize(&mut names);
    names.0
}

/// The objects of a target that a person may type.
#[must_use]
pub fn target() -> [Object; 6] {
    [
        ("", fields::<Target>()),
        ("policy", fields::<Policy>()),
        ("policy.keep", fields::<RetentionRules>()),
        ("waited", fields::<Waited>()),
        ("problem", fields::<Problem>()),
        ("rules", fields::<RunRules>()),
    ]
}

/// Refuses the first field that no object of an input has.
pub fn check(input: &Value, objects: &[Object]) -> Result<(), Error> {
    for (path, known) in objects {
        let mut steps = path.split('.').filter(|step| !step.is_empty());
        let Some(Value::Object(there)) = steps.try_fold(input, |value, step| value.get(step)) else {
            continue;
        };
        if let Some(unknown) = there.keys().find(|name| !known.contains(&name.as_str())) {
            let name: String = unknown.chars().take(MAX_NAME).collect();
            let at = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let expected = known.join("`, `");
            return Err(Error::bad_input(
                &at,
                &format!("unknown field `{name}`, expected one of `{expected}`"),
                "Correct the field and start the execution again.",
            ));
        }
    }
    Ok(())
}

/// Gives no value, and keeps the names of the fields that it was asked for.
struct Names(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Names {
    type Error = NoValue;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, NoValue> {
        self.0 = fields;
        Err(NoValue::custom(""))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom(""))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(input: &Value) -> String {
        check(input, &target()).expect_err("a refusal").to_string()
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused_by_its_path_wherever_it_is() {
        let whole = json!({
            "kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "dryRun": true, "retired": true,
            "formerIds": ["sales"], "snapshot": "rds:orders-1", "onlyNewest": true, "execution": "i-orders",
            "policy": {"kmsKeyArn": "k", "optionGroup": "o", "holdAll": true, "keep": {"copies": 1, "days": 2, "daily": 3,
                "weekly": 4, "monthly": 5, "yearly": 6}},
            "waited": {"slot": 1, "busy": 2, "key": 3, "snapshot": 4},
            "problem": {"error": "KeyNotUsable", "message": "It is disabled."},
            "rules": {"destinationRegion": "eu-west-1", "kmsKeyArn": "k", "keepCopies": 3},
        });
        assert_eq!(check(&whole, &target()), Ok(()));
        let read: Target = serde_json::from_value(whole.clone()).expect("a target");
        assert_eq!(
            serde_json::to_value(&read).expect("JSON"),
            whole,
            "the example has every field of a person"
        );

        let mut objects = vec![(String::new(), &whole)];
        while let Some((at, object)) = objects.pop() {
            let mut spoilt = whole.clone();
            let place = spoilt.pointer_mut(&at).expect("an object");
            place["kepe"] = json!(1);
            let path = format!("{at}/kepe").trim_start_matches('/').replace('/', ".");
            let said = refusal(&spoilt);
            assert!(
                said.starts_with(&format!("{path}: unknown field `kepe`, expected one of `")),
                "{said}"
            );
            for (name, inner) in object.as_object().expect("an object") {
                if inner.is_object() {
                    objects.push((format!("{at}/{name}"), inner));
                }
            }
        }
    }

    #[test]
    fn a_long_name_is_repeated_in_part() {
        let said = refusal(&json!({ "ä".repeat(500): 1 }));
        assert!(said.chars().count() < 500, "{said}");
    }
}
