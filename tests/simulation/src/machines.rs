//! The state machines that are deployed, with other numbers of copies at once, and broken on purpose.

use std::collections::BTreeMap;
use std::sync::Mutex;

use deployment::{ALL_MACHINES, machine};
use serde_json::{Value, json};
use step_functions::StateMachine;

use crate::functions::Broken;
use crate::releases::{Release, add_more_to_tasks};
use crate::virtual_time::lock;

/// Machines by name. They live as long as the process: there are a handful, and executions refer to them as they like.
pub type Machines = BTreeMap<String, &'static StateMachine>;

/// What machines are read for.
type Kind = (Release, [u64; 2], Broken);

/// The machines of both stacks of a release, with this concurrency of copies of instances and of clusters, one of them
/// broken if it is asked for. They are read once.
#[must_use]
pub fn machines(release: Release, concurrency: [u64; 2], broken: Broken) -> Machines {
    static READ: Mutex<BTreeMap<Kind, Machines>> = Mutex::new(BTreeMap::new());
    let mut read = lock(&READ);
    read.entry((release, concurrency, broken))
        .or_insert_with(|| {
            let machines = ALL_MACHINES.into_iter().map(|name| {
                let mut definition = definition(name, concurrency, broken);
                if release == Release::Next {
                    add_more_to_tasks(&mut definition);
                }
                let machine = StateMachine::new(&format!("snapferry-{name}"), definition);
                (name.to_owned(), &*Box::leak(Box::new(machine)))
            });
            machines.collect()
        })
        .clone()
}

fn definition(name: &str, concurrency: [u64; 2], broken: Broken) -> Value {
    let mut definition = machine(name);
    if name == "copy-snapshot" {
        for state in ["StartCopy", "FindLatestSnapshot"] {
            if broken == Broken::NoRetry {
                remove(&mut definition["States"][state], "Retry");
            }
        }
        return definition;
    }
    if name != "copy-fleet" {
        if name == "drill-fleet" && broken == Broken::NoTeardown {
            let drill = &mut definition["States"]["Drills"]["ItemProcessor"]["States"];
            drill["NameDrillError"]["Next"] = json!("RecordDrill");
        }
        return definition;
    }
    for (at, kind) in ["Instance", "Cluster"].into_iter().enumerate() {
        let map = &mut definition["States"]["CopyAll"]["Branches"][at]["States"][format!("{kind}s")];
        map["MaxConcurrency"] = json!(concurrency[at]);
        if broken == Broken::NoCatchInMap {
            remove(&mut map["ItemProcessor"]["States"][format!("Copy{kind}")], "Catch");
        }
    }
    definition
}

fn remove(state: &mut Value, field: &str) {
    let removed = state.as_object_mut().and_then(|state| state.remove(field));
    assert!(removed.is_some(), "there is no {field} to take away");
}
