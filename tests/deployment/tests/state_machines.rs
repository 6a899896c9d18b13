//! How the state machines are written: checks that statelint does not make.

#![allow(missing_docs)]

use std::collections::BTreeSet;

use deployment::{ALL_MACHINES, STACKS, State, machine, rendered, scopes, state, states, text};
use domain::error::Error;
use serde_json::Value;
use step_functions::{StateMachine, entries};

/// Errors that are tried again, and by which functions. The third column is the attempts that a Task makes at least.
const RETRIED: &[(&str, &[&str], u64)] = &[
    ("Throttled", &FUNCTIONS, 6),
    ("RdsUnavailable", &FUNCTIONS, 6),
    ("PayloadUnknown", &FUNCTIONS, 6),
    ("Lambda.ClientExecutionTimeoutException", &FUNCTIONS, 6),
    ("Lambda.ServiceException", &FUNCTIONS, 6),
    ("Lambda.AWSLambdaException", &FUNCTIONS, 6),
    ("Lambda.SdkClientException", &FUNCTIONS, 6),
    ("Lambda.TooManyRequestsException", &FUNCTIONS, 6),
    ("Lambda.Unknown", &FUNCTIONS, 2),
    ("Sandbox.Timedout", &FUNCTIONS, 2),
    ("Runtime.ExitError", &FUNCTIONS, 2),
    ("States.Timeout", &FUNCTIONS, 2),
];

/// Errors that trying again would not mend.
const FINAL: &[&str] = &[
    "BadInput",
    "BadSettings",
    "AccessDenied",
    "SnapshotQuotaFull",
    "SnapshotNotFound",
    "KeyNotUsable",
    "OptionGroupMissing",
    "NameTaken",
    "AttemptsUsedUp",
    "CopyFailed",
    "CopyMissing",
    "CopyMismatch",
    "CopyOverdue",
    "CopySlotsFull",
    "SnapshotNotReady",
    "PageLimit",
    "RdsError",
];

/// What the machines invoke: those of both stacks.
const FUNCTIONS: [&str; 10] = [
    "measure-copies",
    "list-targets",
    "find-latest-snapshot",
    "start-copy",
    "check-copy-status",
    "prune-old",
    "plan-drills",
    "start-restore",
    "check-restore",
    "end-restore",
];

fn for_each_state(check: impl Fn(&str, State)) {
    for name in ALL_MACHINES {
        for state in states(&machine(name)) {
            check(&format!("{} of {name}", state.name), state);
        }
    }
}

fn hours_to_seconds(hours: u64) -> u64 {
    hours * 3_600
}

#[test]
fn the_runner_knows_every_field_of_the_machines() {
    for name in ALL_MACHINES {
        let _ = StateMachine::new(name, machine(name));
    }
}

#[test]
fn every_state_has_a_comment_that_says_something() {
    for_each_state(|place, state| {
        let comment = state.definition["Comment"].as_str().unwrap_or_default();
        assert!(comment.len() >= 40 && comment.ends_with('.'), "{place}: {comment:?}");
    });
}

#[test]
fn every_next_state_exists_and_every_state_is_reached() {
    for name in ALL_MACHINES {
        for scope in scopes(&machine(name)) {
            let names: BTreeSet<&str> = scope.states.iter().map(|state| state.name).collect();
            let mut reached = BTreeSet::from([scope.start_at]);
            for state in &scope.states {
                for next in state.successors() {
                    assert!(
                        names.contains(next),
                        "{} of {name} goes to {next}, which is not there",
                        state.name
                    );
                    reached.insert(next);
                }
                let ends = ["Succeed", "Fail"].contains(&state.kind());
                assert_eq!(state.successors().is_empty(), ends, "{} of {name}", state.name);
            }
            assert_eq!(reached, names, "states of {name} that nothing leads to");
        }
    }
}

#[test]
fn no_two_states_of_a_machine_share_a_name() {
    for name in ALL_MACHINES {
        let mut seen = BTreeSet::new();
        for state in states(&machine(name)) {
            assert!(seen.insert(state.name.to_owned()), "{} of {name}", state.name);
        }
    }
}

#[test]
fn every_task_has_a_timeout_a_retry_and_a_catch_of_everything() {
    for_each_state(|place, state| {
        if state.kind() == "Task" {
            assert!(
                state.definition["TimeoutSeconds"].is_u64(),
                "{place} has no TimeoutSeconds"
            );
            assert!(!state.errors("Retry").is_empty(), "{place} has no Retry");
        }
        if ["Task", "Map"].contains(&state.kind()) {
            assert_eq!(state.errors("Catch").last(), Some(&vec!["States.ALL"]), "{place}");
        }
    });
}

#[test]
fn every_retry_backs_off_with_jitter() {
    for_each_state(|place, state| {
        for retrier in entries(&state.definition["Retry"]) {
            assert_eq!(retrier["JitterStrategy"], "FULL", "{place}");
            for field in ["IntervalSeconds", "MaxDelaySeconds", "MaxAttempts"] {
                assert!(retrier[field].is_u64(), "{place} has no {field}");
            }
            assert!(
                retrier["BackoffRate"].as_f64().is_some_and(|rate| rate > 1.0),
                "{place}"
            );
        }
    });
}

#[test]
fn every_choice_has_a_default_and_every_fail_an_error_and_a_cause() {
    for_each_state(|place, state| {
        let required: &[&str] = match state.kind() {
            "Choice" => &["Default"],
            "Fail" => &["Error", "Cause"],
            _ => &[],
        };
        for field in required {
            assert!(state.definition[field].is_string(), "{place} has no {field}");
        }
    });
}

#[test]
fn every_map_runs_inline_as_many_at_once_as_the_stack_sets() {
    for (file, fleet, map, concurrency) in [
        ("template.json", "copy-fleet", "Instances", "InstanceConcurrency"),
        ("template.json", "copy-fleet", "Clusters", "ClusterConcurrency"),
        ("destination/template.json", "drill-fleet", "Drills", "DrillConcurrency"),
    ] {
        let default = &rendered(file)["Parameters"][concurrency]["Default"];
        let machine = machine(fleet);
        let definition = state(&machine, map).definition;
        assert_eq!(definition["MaxConcurrency"], format!("{{% $number('{default}') %}}"));
        assert_eq!(definition["ItemProcessor"]["ProcessorConfig"]["Mode"], "INLINE");
    }
}

#[test]
fn every_placeholder_is_substituted_and_nothing_else_is() {
    for (stack, name) in STACKS
        .iter()
        .flat_map(|stack| stack.machines.iter().map(move |name| (stack, name)))
    {
        let template = stack.rendered("template.json");
        let logical_id = format!("{}StateMachine", pascal(name));
        let definition = text(&format!("statemachine/{name}.asl.json"));
        let used: BTreeSet<&str> = definition
            .split("${")
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(placeholder, _)| placeholder)
            .collect();
        let given: BTreeSet<&str> = template["Resources"][logical_id]["Properties"]["DefinitionSubstitutions"]
            .as_object()
            .expect("substitutions")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(used, given, "{name}");
    }
}

/// Most characters of an expression, as it stands in the file with its placeholders.
const MAX_EXPRESSION: usize = 160;

/// Characters up to which an expression may stand several times: a path, or a record with the log added.
const TRIVIAL: usize = 40;

/// The text values of a machine as they are written, each without its quotes, by line.
fn written_expressions(source: &str) -> Vec<&str> {
    source
        .split("\"{% ")
        .skip(1)
        .map(|rest| rest.split_once(" %}\"").expect("an end").0)
        .collect()
}

/// The sources of the machines with the second branch of copy-fleet left out, which repeats the first.
fn sources_without_repetition() -> [(&'static str, String); ALL_MACHINES.len()] {
    ALL_MACHINES.map(|name| {
        let source = text(&format!("statemachine/{name}.asl.json"));
        match source.find("\"StartAt\": \"Clusters\"") {
            Some(at) => {
                let end = source[at..]
                    .find("\"Next\": \"ReadFailedPages\"")
                    .expect("the state after both");
                (name, source[..at].to_owned() + &source[at + end..])
            }
            None => (name, source),
        }
    })
}

/// m4: npm's asl-validator refuses an expression with a line break in it.
#[test]
fn no_expression_is_long_none_stands_twice_and_none_breaks_its_line() {
    for (name, source) in sources_without_repetition() {
        let expressions = written_expressions(&source);
        assert!(expressions.len() > 20, "{name}");
        let mut seen = BTreeSet::new();
        for expression in expressions {
            let length = expression.chars().count() + "{%  %}".len();
            assert!(length <= MAX_EXPRESSION, "{name}: {length} characters: {expression}");
            let is_new = seen.insert(expression) || expression.len() <= TRIVIAL;
            assert!(is_new, "{name} says twice: {expression}");
            // A line break inside a text is written as JSONata's own escape.
            let breaks = expression.replace("\\\\n", "").contains("\\n");
            assert!(!breaks, "{name}: {expression}");
        }
    }
}

#[test]
fn the_branches_of_instances_and_clusters_differ_in_the_kind_only() {
    let fleet: Value = serde_json::from_str(&text("statemachine/copy-fleet.asl.json")).expect("JSON");
    let [instances, clusters] = entries(&fleet["States"]["CopyAll"]["Branches"]) else {
        panic!("two branches")
    };
    let as_cluster = instances
        .to_string()
        .replace("instance", "cluster")
        .replace("Instance", "Cluster")
        .replace("begins with i-", "begins with c-");
    assert_eq!(serde_json::from_str::<Value>(&as_cluster).expect("JSON"), *clusters);
}

#[test]
fn the_error_of_a_nested_execution_is_read_in_one_state_and_that_of_a_function_too() {
    for (name, source) in sources_without_repetition() {
        for read in [r#"\"Error\":"#, r#"\"Status\":"#, r#"\"errorMessage\""#] {
            assert!(
                source.matches(read).count() <= 1,
                "{name} reads {read} in several places"
            );
        }
    }
}

#[test]
fn the_machines_call_no_function_that_returns_something_else_each_time() {
    for name in ALL_MACHINES {
        let source = text(&format!("statemachine/{name}.asl.json"));
        for function in ["$eval(", "$uuid(", "$now(", "$millis(", "$random("] {
            assert!(!source.contains(function), "{name} calls {function}");
        }
    }
}

#[test]
fn every_message_is_composed_in_a_state_of_its_own() {
    for_each_state(|place, state| {
        if state.definition["Resource"]
            .as_str()
            .is_some_and(|arn| arn.ends_with(":sns:publish"))
        {
            assert_eq!(
                state.definition["Arguments"]["Message"], "{% $join($message, '\\n') %}",
                "{place}"
            );
        }
    });
}

#[test]
fn every_error_name_in_the_machines_exists() {
    let of_services = ["States.", "Lambda.", "StepFunctions.", "SecretsManager."];
    for_each_state(|place, state| {
        for error in state.errors("Retry").into_iter().chain(state.errors("Catch")).flatten() {
            let known = Error::NAMES.contains(&error)
                || of_services.iter().any(|service| error.starts_with(service))
                || RETRIED.iter().any(|(name, ..)| *name == error);
            assert!(known, "{place} waits for {error}, which nothing gives");
        }
    });
}

#[test]
fn every_error_of_the_functions_is_either_retried_or_final() {
    let decided: BTreeSet<&str> = RETRIED
        .iter()
        .map(|(name, ..)| *name)
        .filter(|name| !name.contains('.'))
        .chain(FINAL.iter().copied())
        .collect();
    let all: BTreeSet<&str> = Error::NAMES.iter().copied().collect();
    assert_eq!(
        decided, all,
        "decide in RETRIED or FINAL what the state machines do with each error"
    );
}

#[test]
fn each_function_is_tried_again_after_the_errors_that_pass_and_after_no_other() {
    for_each_state(|place, state| {
        let Some(function) = state.function() else { return };
        for (error, functions, attempts) in RETRIED {
            let made = state
                .retrier(error)
                .map_or(0, |retrier| retrier["MaxAttempts"].as_u64().unwrap_or_default());
            if functions.contains(&function) {
                assert!(made >= *attempts, "{place} tries {made} times after {error}");
            } else {
                assert_eq!(made, 0, "{place} never gets {error}");
            }
        }
        for error in FINAL {
            assert!(state.retrier(error).is_none(), "{place} retries {error}");
        }
        assert!(
            state.retrier("States.ALL").is_none() && state.retrier("States.TaskFailed").is_none(),
            "{place}"
        );
    });
}

#[test]
fn a_nested_execution_is_never_repeated_because_it_failed() {
    for_each_state(|place, state| {
        if state.runs_execution() {
            let errors: Vec<&str> = state.errors("Retry").concat();
            assert!(
                errors.iter().all(|error| error.starts_with("StepFunctions.")),
                "{place}: {errors:?}"
            );
        }
    });
}

#[test]
fn only_errors_that_mean_something_are_caught_apart_from_everything_else() {
    for_each_state(|place, state| {
        let named: Vec<&str> = state.errors("Catch").concat();
        match state.name {
            "StartCopy" => assert_eq!(
                named,
                ["SnapshotQuotaFull", "SnapshotNotFound", "States.ALL"],
                "{place}"
            ),
            // An answer that is too large is an answer.
            "RunCheck" => assert_eq!(named, ["States.DataLimitExceeded", "States.ALL"], "{place}"),
            // That it is not found is the proof.
            "ProveSecretGone" => assert_eq!(
                named,
                ["SecretsManager.ResourceNotFoundException", "States.ALL"],
                "{place}"
            ),
            _ => assert!(named.iter().all(|name| *name == "States.ALL"), "{place}: {named:?}"),
        }
    });
}

#[test]
fn each_timeout_outlasts_the_function_that_it_waits_for() {
    for stack in STACKS {
        let functions = stack.resources_of("AWS::Serverless::Function");
        for name in stack.machines {
            for state in states(&machine(name)) {
                let Some(function) = state.function() else { continue };
                let own = functions[&format!("{}Function", pascal(function))]["Timeout"].as_u64();
                let timeout = state.definition["TimeoutSeconds"].as_u64();
                assert!(
                    timeout >= own.map(|own| own + 15) && own.is_some(),
                    "{} gives up before {function} does",
                    state.name
                );
            }
        }
    }
}

/// Nothing that a machine could do catches its own timeout: the parent waits longer, and tears down.
#[test]
fn a_drill_ends_before_its_parent_gives_up_and_has_time_to_end_well() {
    let (child, parent) = (machine("drill-copy"), machine("drill-fleet"));
    let own = child["TimeoutSeconds"].as_u64().expect("a timeout");
    let waited = state(&parent, "Drill").definition["TimeoutSeconds"].as_u64();
    assert!(waited >= Some(own + hours_to_seconds(1)), "{waited:?} after {own}");
    assert!(
        parent.get("TimeoutSeconds").is_none(),
        "a run that timed out would tear nothing down"
    );
    // The longest drill, a check of the operator's that ends just before, and four hours of deleting.
    let most = rendered("destination/template.json")["Parameters"]["DrillHours"]["MaxValue"].as_u64();
    let check = state(&child, "RunCheck").definition["TimeoutSeconds"].as_u64();
    let needed = hours_to_seconds(most.expect("a number") + 4) + check.expect("a number");
    assert!(own >= needed + hours_to_seconds(1), "{own} s for {needed} s");
}

#[test]
fn each_timeout_outlasts_what_it_contains() {
    let template = rendered("template.json");
    let fleet = machine("copy-fleet");
    let timeout = |state: State| state.definition["TimeoutSeconds"].as_u64().expect("a timeout");

    let hours = |parameter: &str, field: &str| {
        let hours = template["Parameters"][parameter][field].as_u64();
        hours.expect("a number")
    };
    // What is waited for a slot is counted through every way back to StartCopy.
    let needed = |field: &str| hours("SlotWaitHours", field) + hours("CopyDeadlineHours", field) + 1;
    for child in ["CopyInstance", "CopyCluster"] {
        let child = timeout(state(&fleet, child));
        assert!(child >= hours_to_seconds(5 * 24), "five days at least");
        for field in ["Default", "MaxValue"] {
            assert!(
                child >= hours_to_seconds(needed(field)),
                "the longest wait and the longest copy that the template allows fit in"
            );
        }
        for page in ["NextInstances", "NextClusters"] {
            assert!(
                timeout(state(&fleet, page)) > child,
                "{page} gives up before a copy does"
            );
        }
    }
    assert_eq!(timeout(state(&fleet, "NextInstances")), hours_to_seconds(30 * 24));
}

/// `start-copy` as `StartCopy`.
fn pascal(crate_name: &str) -> String {
    crate_name
        .split('-')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

#[test]
fn crate_state_placeholder_and_logical_id_are_one_name() {
    for stack in STACKS {
        let template = stack.rendered("template.json");
        let sources: String = stack
            .machines
            .iter()
            .map(|name| text(&format!("statemachine/{name}.asl.json")))
            .collect();
        let machines: Vec<Value> = stack.machines.iter().map(|name| machine(name)).collect();
        let all: Vec<State> = machines.iter().flat_map(states).collect();
        for function in stack.functions {
            let manifest = text(&format!("functions/{function}/Cargo.toml"));
            assert!(manifest.contains(&format!("name = \"{function}\"")));
            let name = pascal(function);
            let resource = &template["Resources"][format!("{name}Function")];
            assert_eq!(resource["Type"], "AWS::Serverless::Function", "{name}Function");
            assert_eq!(resource["Metadata"]["BuildMethod"], "rust-cargolambda");
            assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], function);
            if !FUNCTIONS.contains(&function) {
                continue;
            }
            let of_that_name = all
                .iter()
                .find(|state| state.name == name)
                .unwrap_or_else(|| panic!("no state {name}"));
            assert_eq!(of_that_name.function(), Some(function));
            assert!(sources.contains(&format!("${{{name}Arn}}")), "{name}");
        }
        let invoked: BTreeSet<&str> = all.iter().filter_map(State::function).collect();
        let expected = stack.functions.into_iter().filter(|one| FUNCTIONS.contains(one));
        assert_eq!(invoked, expected.collect());
    }
}

/// D7: whatever becomes of a drill, its teardown follows; and in the drill itself the proof.
#[test]
fn every_way_through_a_drill_goes_through_its_end() {
    for (name, from, through, to) in [
        ("drill-fleet", "Drill", "TearDown", "DrillRecorded"),
        ("drill-copy", "StartRestore", "EndRestore", "WriteProof"),
        ("drill-copy", "StartRestore", "WriteProof", "Verdict"),
    ] {
        let definition = machine(name);
        let mut open = vec![from];
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            if at == through || !seen.insert(at) {
                continue;
            }
            assert_ne!(at, to, "{name}: {to} is reached without {through}");
            let successors = state(&definition, at).successors();
            assert!(!successors.is_empty(), "{name} ends in {at}, without {through}");
            open.extend(successors);
        }
        assert!(seen.len() > 1, "{name}: only {seen:?}");
    }
}

#[test]
fn every_function_gets_its_input_whole_and_its_output_is_handed_on() {
    let (copies, drills) = (machine("copy-snapshot"), machine("drill-copy"));
    for (machine, name) in [
        (&copies, "FindLatestSnapshot"),
        (&copies, "StartCopy"),
        (&copies, "CheckCopyStatus"),
        (&copies, "PruneOld"),
        (&drills, "StartRestore"),
        (&drills, "CheckRestore"),
    ] {
        let definition = state(machine, name).definition;
        // Making room and pruning share what one execution may delete.
        let payload = match name {
            "PruneOld" => "{% $merge([$states.input, {'log': $log, 'deletedForRoom': $deletedForRoom}]) %}",
            _ => "{% $merge([$states.input, {'log': $log}]) %}",
        };
        assert_eq!(definition["Arguments"]["Payload"], payload, "{name}");
        if name != "PruneOld" {
            assert_eq!(definition["Output"], "{% $states.result.Payload %}", "{name}");
        }
    }
}
