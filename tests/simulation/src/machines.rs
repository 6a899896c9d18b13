//! The state machines that are deployed, read from their files and filled in as the template does it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use deployment::{states, text};
use serde_json::Value;

use crate::functions::{Broken, Functions};
use crate::step_functions::Definition;
use crate::virtual_time::lock;

type Machines = BTreeMap<String, Definition>;

/// Both machines with so many lanes, one of them broken if it is asked for. They are read once.
///
/// # Panics
/// When a file is no state machine.
#[must_use]
pub fn machines(instance_lanes: u64, cluster_lanes: u64, broken: Broken) -> Machines {
    static READ: Mutex<BTreeMap<(u64, u64, Broken), Machines>> = Mutex::new(BTreeMap::new());
    let mut read = lock(&READ);
    read.entry((instance_lanes, cluster_lanes, broken))
        .or_insert_with(|| read_machines(instance_lanes, cluster_lanes, broken))
        .clone()
}

fn read_machines(instance_lanes: u64, cluster_lanes: u64, broken: Broken) -> Machines {
    deployment::MACHINES
        .into_iter()
        .map(|name| {
            let mut definition = text(&format!("statemachine/{name}.asl.json"));
            for function in Functions::NAMES {
                let placeholder: String = function.split('-').map(capital).collect();
                definition = definition.replace(
                    &format!("${{{placeholder}Arn}}"),
                    &format!("arn:aws:lambda:us-east-1:123456789012:function:snapferry-{function}"),
                );
            }
            let definition = definition
                .replace(
                    "${CopySnapshotStateMachineArn}",
                    "arn:aws:states:us-east-1:123456789012:stateMachine:snapferry-copy-snapshot",
                )
                .replace(
                    "${AlertsTopicArn}",
                    "arn:aws:sns:us-east-1:123456789012:snapferry-AlertsTopic",
                )
                .replace("${Console}", "console.aws.amazon.com")
                .replace("${SourceRegion}", fixtures::SOURCE)
                .replace("${DestinationRegion}", fixtures::DESTINATION)
                .replace("${InstanceConcurrency}", &instance_lanes.to_string())
                .replace("${ClusterConcurrency}", &cluster_lanes.to_string());
            assert!(!definition.contains("${"), "{name}: a placeholder is left");
            for unknown in ["$eval(", "$uuid(", "$now(", "$millis(", "$random("] {
                assert!(
                    !definition.contains(unknown),
                    "{name}: the runner does not know {unknown}"
                );
            }
            let mut definition: Value =
                serde_json::from_str(&definition).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(definition["QueryLanguage"], "JSONata", "{name}");
            assert!(!states(&definition).is_empty(), "{name}");
            if broken == Broken::NoRetry && name == "copy-snapshot" {
                for state in ["StartCopy", "FindLatestSnapshot"] {
                    definition["States"][state]
                        .as_object_mut()
                        .expect("a state")
                        .remove("Retry");
                }
            }
            if broken == Broken::NoCatchInMap && name == "copy-fleet" {
                let branches = definition["States"]["CopyAll"]["Branches"].as_array_mut();
                for (branch, kind) in branches.expect("branches").iter_mut().zip(["Instance", "Cluster"]) {
                    let processor = &mut branch["States"][format!("{kind}s")]["ItemProcessor"];
                    processor["States"][format!("Copy{kind}")]
                        .as_object_mut()
                        .expect("a state")
                        .remove("Catch");
                }
            }
            // Futures of executions refer to it as long as they like; there are as many as numbers of lanes.
            (name.to_owned(), &*Box::leak(Box::new(definition)))
        })
        .collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}
