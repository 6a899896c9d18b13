//! Tests of the template and the state machines, without AWS and without an emulator.
//!
//! `tests/state_machines.rs` and `tests/template.rs` read what is deployed; `tests/executions.rs` executes it by the
//! crate `step-functions`. All of them read the files that `make render` writes.

#![forbid(unsafe_code)]

mod coverage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use step_functions::{StateMachine, entries};

pub use coverage::Coverage;

/// The two state machines that copy, by file name.
pub const MACHINES: [&str; 2] = ["copy-fleet", "copy-snapshot"];

/// Those of the drills, which are deployed in the destination region.
pub const DRILL_MACHINES: [&str; 2] = ["drill-fleet", "drill-copy"];

/// All of them.
pub const ALL_MACHINES: [&str; 5] = [
    "copy-fleet",
    "copy-snapshot",
    "drill-fleet",
    "drill-copy",
    "keep-evidence",
];

/// A template, and what belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    /// Its file.
    pub template: &'static str,
    /// Where `make render` writes it to, below `target/rendered`.
    pub directory: &'static str,
    /// The region in which it is rendered.
    pub region: &'static str,
    /// Its state machines, by file name.
    pub machines: &'static [&'static str],
    /// Its functions, by crate.
    pub functions: [&'static str; 5],
}

/// The stack of the source region, which copies.
pub const SOURCE: Stack = Stack {
    template: "infra/template.yaml",
    directory: "",
    region: "us-east-1",
    machines: &MACHINES,
    functions: [
        "list-targets",
        "find-latest-snapshot",
        "start-copy",
        "check-copy-status",
        "prune-old",
    ],
};

/// The stack of the destination region, which watches and drills.
pub const DESTINATION: Stack = Stack {
    template: "infra/destination.yaml",
    directory: "destination/",
    region: "eu-west-1",
    machines: &["drill-fleet", "drill-copy", "keep-evidence"],
    functions: [
        "measure-copies",
        "plan-drills",
        "start-restore",
        "check-restore",
        "end-restore",
    ],
};

/// Both stacks.
pub const STACKS: [Stack; 2] = [SOURCE, DESTINATION];

impl Stack {
    /// A rendered file of this stack.
    ///
    /// # Panics
    /// When it is missing: then `make render` must be run.
    #[must_use]
    pub fn rendered(&self, name: &str) -> Value {
        rendered(&format!("{}{name}", self.directory))
    }

    /// The properties of its resources of one type, by logical id.
    ///
    /// # Panics
    /// When the template has no resources.
    #[must_use]
    pub fn resources_of(&self, kind: &str) -> BTreeMap<String, Value> {
        let template = self.rendered("template.json");
        let resources = template["Resources"].as_object().expect("resources");
        resources
            .iter()
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.clone(), resource["Properties"].clone()))
            .collect()
    }
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the repository as text.
///
/// # Panics
/// When the file is missing.
#[must_use]
pub fn text(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file that `make render` writes to `target/rendered`.
///
/// # Panics
/// When the file is missing or not JSON: then `make render` must be run.
#[must_use]
pub fn rendered(name: &str) -> Value {
    let path = root().join("target/rendered").join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}. Run `make render` first.", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name} is not JSON: {error}. Run `make render` again."))
}

/// A state machine with its placeholders filled in.
#[must_use]
pub fn machine(name: &str) -> Value {
    let stack = STACKS.iter().find(|stack| stack.machines.contains(&name));
    let directory = stack.map_or("", |stack| stack.directory);
    rendered(&format!("{directory}{name}.asl.json"))
}

/// The same for the runner.
#[must_use]
pub fn state_machine(name: &str) -> StateMachine {
    StateMachine::new(&format!("snapferry-{name}"), machine(name))
}

/// A state with its name, wherever it is in the machine.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// The state's name.
    pub name: &'a str,
    /// Its definition.
    pub definition: &'a Value,
}

impl<'a> State<'a> {
    /// Its type, as in `Task`.
    #[must_use]
    pub fn kind(&self) -> &'a str {
        self.definition["Type"].as_str().unwrap_or_default()
    }

    /// Whether it is a Task that invokes a function.
    #[must_use]
    pub fn invokes_function(&self) -> bool {
        self.definition["Resource"] == "arn:aws:states:::lambda:invoke"
    }

    /// Whether it is a Task that runs another execution.
    #[must_use]
    pub fn runs_execution(&self) -> bool {
        self.definition["Resource"] == "arn:aws:states:::states:startExecution.sync:2"
    }

    /// The crate whose function it invokes, as in `start-copy`.
    #[must_use]
    pub fn function(&self) -> Option<&'a str> {
        let arn = self.definition["Arguments"]["FunctionName"].as_str()?;
        arn.split_once(":function:snapferry-").map(|(_, name)| name)
    }

    /// The error names of its `Retry` or `Catch`, one list per entry.
    #[must_use]
    pub fn errors(&self, field: &str) -> Vec<Vec<&'a str>> {
        entries(&self.definition[field])
            .iter()
            .map(|entry| {
                entries(&entry["ErrorEquals"])
                    .iter()
                    .filter_map(Value::as_str)
                    .collect()
            })
            .collect()
    }

    /// The entry of its `Retry` that an error meets, if any.
    #[must_use]
    pub fn retrier(&self, error: &str) -> Option<&'a Value> {
        let at = self.errors("Retry").iter().position(|names| names.contains(&error))?;
        self.definition["Retry"].get(at)
    }

    /// Every state that it may go to.
    #[must_use]
    pub fn successors(&self) -> Vec<&'a str> {
        let own = [&self.definition["Next"], &self.definition["Default"]];
        let choices = entries(&self.definition["Choices"]);
        let catchers = entries(&self.definition["Catch"]);
        let others = choices.iter().chain(catchers).map(|entry| &entry["Next"]);
        own.into_iter().chain(others).filter_map(Value::as_str).collect()
    }
}

/// A list of states that know each other: a machine's own, a branch's, or those of a Map's iterations.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// The first state.
    pub start_at: &'a str,
    /// All of them.
    pub states: Vec<State<'a>>,
}

/// Every scope of a machine, outermost first.
#[must_use]
pub fn scopes(machine: &Value) -> Vec<Scope<'_>> {
    let mut found = Vec::new();
    let mut open = vec![machine];
    while let Some(scope) = open.pop() {
        let states: Vec<State> = scope["States"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, definition)| State { name, definition })
            .collect();
        for state in &states {
            open.extend(entries(&state.definition["Branches"]));
            open.extend(state.definition.get("ItemProcessor"));
        }
        found.push(Scope {
            start_at: scope["StartAt"].as_str().unwrap_or_default(),
            states,
        });
    }
    found
}

/// Every state of a machine.
#[must_use]
pub fn states(machine: &Value) -> Vec<State<'_>> {
    scopes(machine).into_iter().flat_map(|scope| scope.states).collect()
}

/// The state of that name, in whatever scope.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn state<'a>(machine: &'a Value, name: &str) -> State<'a> {
    states(machine)
        .into_iter()
        .find(|state| state.name == name)
        .unwrap_or_else(|| panic!("there is no state {name}"))
}
