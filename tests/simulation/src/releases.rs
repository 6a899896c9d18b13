//! In some worlds the stacks are updated to the next release, and rolled back, while copies wait and drills run.
//!
//! The functions of the next release are those of this one, and say more: every object that they hand on has one more field.
//! So have the payloads that its state machines make. Executions keep the definition that they began with, and meet the
//! functions of whatever release is deployed at their next step, one function after another.

use fixtures::next_release::{MORE, add_more};
use serde_json::Value;

use crate::random::Random;

/// How many of a thousand worlds are updated: of those that drill, and of the others.
const WORLDS: [u64; 2] = [500, 150];

/// A release of both stacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// The one that is tested.
    #[default]
    This,
    /// The one after it.
    Next,
}

impl Release {
    /// What its stacks say that they are.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::This => "1.0.0",
            Self::Next => "1.1.0",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::This => Self::Next,
            Self::Next => Self::This,
        }
    }
}

/// When the stacks of a world change their release, in minutes from its beginning; never in most worlds. A few times on each
/// day, while there is most to do.
pub(crate) fn changes(seed: u64, drills: bool, days: u64) -> Vec<u64> {
    let mut random = Random::new(seed, "releases");
    let [of_drills, others] = WORLDS;
    if !random.per_mille(if drills { of_drills } else { others }) {
        return Vec::new();
    }
    let mut changes = Vec::new();
    for day in 0..days {
        let mut minute = day * 24 * 60 + random.within(40..=260);
        for _ in 0..random.within(2..=5) {
            changes.push(minute);
            minute += random.within(2..=60);
        }
    }
    changes
}

/// Lets the Tasks of a definition hand on more, to functions and to executions.
pub(crate) fn add_more_to_tasks(definition: &mut Value) {
    match definition {
        Value::Object(state) => {
            if let Some(arguments) = state.get_mut("Arguments") {
                for field in ["Payload", "Input"] {
                    match &mut arguments[field] {
                        Value::String(expression) => {
                            for name in ["'log': ", "'AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID': "] {
                                *expression = expression.replace(name, &format!("'{MORE}': {{'more': [1]}}, {name}"));
                            }
                        }
                        payload @ Value::Object(_) => add_more(payload),
                        _ => {}
                    }
                }
                if let Some(arguments) = arguments.as_object_mut() {
                    arguments.retain(|_, value| !value.is_null());
                }
            }
            state.values_mut().for_each(add_more_to_tasks);
        }
        Value::Array(items) => items.iter_mut().for_each(add_more_to_tasks),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use deployment::{ALL_MACHINES, machine};

    use super::*;

    /// The operator's function gets what it always got.
    #[test]
    fn every_task_that_hands_a_payload_on_hands_on_more() {
        let mut same = BTreeSet::new();
        for name in ALL_MACHINES {
            let (before, mut after) = (machine(name), machine(name));
            add_more_to_tasks(&mut after);
            compare(&before, &after, &mut same);
        }
        assert_eq!(same, BTreeSet::from(["RunCheck".to_owned()]));
    }

    fn compare(before: &Value, after: &Value, same: &mut BTreeSet<String>) {
        let Value::Object(fields) = before else { return };
        for (name, value) in fields {
            let arguments = &value["Arguments"];
            let hands_on = arguments.get("Payload").is_some() || arguments.get("Input").is_some();
            if value["Type"] == "Task" && hands_on && value == &after[name] {
                same.insert(name.clone());
            }
            if let Value::Array(items) = value {
                for (at, item) in items.iter().enumerate() {
                    compare(item, &after[name][at], same);
                }
            }
            compare(value, &after[name], same);
        }
    }
}
