//! Every Task of the state machines under every error that its Retry or Catch names, and one that neither names.
//!
//! The scenarios and their results stand in `tests/deployment/scenarios.json`, and the table of them in
//! `docs/faults.md`. In the local cloud MiniStack runs those of the copies and must agree with the file.
//! `UPDATE=1 cargo test -p deployment --test coverage` rewrites both files.

#![allow(missing_docs)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use deployment::{ALL_MACHINES, Coverage, MACHINES, State, machine, root, state_machine, states};
use serde_json::{Map, Value, json};
use step_functions::{Failure, InstantExecution, NestedExecution, StateMachine, entries};

const SCENARIOS: &str = "tests/deployment/scenarios.json";
const TABLE: &str = "docs/faults.md";

/// What the Tasks return, by name: an answer, or an error with its cause. Everything else that a script names is the
/// error of a function.
fn answers() -> Map<String, Value> {
    let target = json!({ "kind": "instance", "id": "orders", "resourceId": "db-ORDERS" });
    let found =
        json!({ "target": target, "decision": "copy", "outcome": "pending", "reason": "no copy yet", "attempt": 0 });
    let with = |more: Value| {
        let mut payload = found.clone();
        for (field, value) in more.as_object().expect("an object") {
            payload[field] = value.clone();
        }
        json!({ "result": { "Payload": payload, "StatusCode": 200 } })
    };
    let plan = |more: Value| {
        let mut plan = json!({
            "dryRun": false, "rules": { "destinationRegion": "eu-west-1" },
            "instances": [{ "kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "execution": "i-orders-0a1b2c3d" }],
            "clusters": [{ "kind": "cluster", "id": "billing", "resourceId": "cluster-BILLING", "execution": "c-billing-0a1b2c3d" }],
            "leftOut": { "count": 0, "reasons": {}, "first": [] },
            "retired": { "databases": 0, "copies": 0, "first": [] }, "warnings": [],
        });
        for (field, value) in more.as_object().expect("an object") {
            plan[field] = value.clone();
        }
        json!({ "result": { "Payload": plan, "StatusCode": 200 } })
    };
    let page = |kind: &str| {
        let execution = format!("covered-p{}2", &kind[..1]);
        json!({ "kind": kind, "cursor": "z", "number": 2, "root": "covered", "execution": execution })
    };
    let child = |status: &str, inner: Option<(&str, &str)>| {
        let inner = inner.map(|(error, cause)| Failure::new(error, cause));
        let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:snapferry-copy-snapshot";
        let child = NestedExecution::new(arn, "i-orders-0a1b2c3d", &input("copy-snapshot"));
        let failure = child.failed(status, inner.as_ref());
        json!({ "error": failure.error, "cause": failure.cause })
    };
    let summary = json!({
        "summary": "1 of 1 databases were not copied: cluster far (KeyNotUsable)", "counts": { "failed": 1 },
        "failures": [{ "outcome": "failed", "kind": "cluster", "id": "far", "error": "KeyNotUsable", "execution": "c-far-0a1b2c3d" }],
    });
    let waited = json!({ "seconds": 30, "waitedSeconds": 30, "polls": 0, "shortened": 0 });
    let drill = input("drill-copy");
    let of_drill = |more: Value| {
        let mut payload = drill.clone();
        for (field, value) in more.as_object().expect("an object") {
            payload[field] = value.clone();
        }
        json!({ "result": { "Payload": payload, "StatusCode": 200 } })
    };
    let restore = |state: &str| {
        let check = json!({ "identifier": "snapferry-drill-0a1b2c3d-orders" });
        of_drill(json!({ "restore": { "state": state, "wait": { "seconds": 60 }, "check": check } }))
    };
    let answer = |payload: Value| json!({ "result": { "Payload": payload, "StatusCode": 200 } });
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1";
    let answers = json!({
        "restoring": restore("restoring"),
        "ready": restore("ready-for-check"),
        "judged": of_drill(json!({ "verdict": { "outcome": "passed", "reason": "it is as its copy", "minutes": 17 } })),
        "answered": answer(json!({ "passed": true })),
        "deleting": answer(json!({ "gone": false, "waiting": { "seconds": 60 } })),
        "gone": answer(json!({ "gone": true })),
        "gone with secret": answer(json!({ "gone": true, "secretArn": secret })),
        "secret is there": { "result": { "Name": "rds!db-1" } },
        "written": { "result": { "Version": 1 } },
        "closed": { "result": { "SecurityGroups": [{ "IpPermissions": [], "IpPermissionsEgress": [] }] } },
        "drills": answer(json!({ "drills": [drill], "passedOver": [], "warnings": [] })),
        "drilled": { "result": { "Output": { "outcome": "passed" } } },
        "first part": answer(json!({ "record": { "databases": [{}, {}] }, "page": "<!doctype html>", "next": "instance/db-2" })),
        "last part": answer(json!({ "record": { "databases": [{}] }, "page": "<!doctype html>" })),
        "stored": { "result": { "ETag": "1" } },
        "drill failed": child("FAILED", Some(("DrillFailed", "The version is not offered."))),
        "found": with(json!({})),
        "started": with(json!({ "copy": { "id": "snapferry-orders" }, "wait": waited })),
        "copying": with(json!({ "wait": waited, "status": { "state": "copying" } })),
        "verified": with(json!({ "wait": waited, "status": { "state": "verified" }, "outcome": "copied" })),
        "room": with(json!({ "pruned": { "deleted": [{ "id": "first" }], "kept": [] } })),
        "pruned": with(json!({ "outcome": "copied", "pruned": { "deleted": [{ "id": "second" }], "kept": [] } })),
        "plan": plan(json!({})),
        "plan with pages": plan(json!({ "nextInstances": page("instance"), "nextClusters": page("cluster") })),
        "copied": { "result": { "Output": { "outcome": "copied" } } },
        "page": { "result": { "Output": { "counts": { "copied": 7 }, "failures": [] } } },
        "sent": { "result": { "MessageId": "1" } },
        "child failed": child("FAILED", Some(("KeyNotUsable", "The key is disabled."))),
        "child stopped": child("ABORTED", None),
        "child timed out": child("TIMED_OUT", None),
        "page with failures": child("FAILED", Some(("CopiesFailed", &summary.to_string()))),
    });
    answers.as_object().expect("an object").clone()
}

/// What each Task answers while all goes well; the last one again and again.
fn usual(state: &str) -> &'static [&'static str] {
    match state {
        "FindLatestSnapshot" => &["found"],
        "StartCopy" => &["started"],
        "CheckCopyStatus" => &["copying", "verified"],
        "MakeRoom" => &["room"],
        "PruneOld" => &["pruned"],
        "ListTargets" => &["plan"],
        "CopyInstance" | "CopyCluster" => &["copied"],
        "NextInstances" | "NextClusters" => &["page"],
        "NotifyFailures" | "NotifyListingFailure" => &["sent"],
        "StartRestore" => &["restoring"],
        "CheckRestore" => &["restoring", "judged"],
        "RunCheck" => &["answered"],
        "EndRestore" | "TearDown" => &["deleting", "gone"],
        "ProveSecretGone" => &["secret is there", "SecretsManager.ResourceNotFoundException"],
        "WriteProof" => &["written"],
        "CheckNetwork" => &["closed"],
        "PlanDrills" => &["drills"],
        "Drill" => &["drilled"],
        "MeasureCopies" => &["first part", "last part"],
        "WriteRecord" | "WritePage" => &["stored"],
        other => panic!("what does {other} answer?"),
    }
}

/// What has to happen for a Task to be reached at all.
fn reaching(machine: &str, state: &str) -> Vec<(&'static str, Vec<&'static str>)> {
    match state {
        "RunCheck" => vec![("CheckRestore", vec!["ready", "judged"])],
        "ProveSecretGone" => vec![("EndRestore", vec!["gone with secret"])],
        "NotifyFailures" if machine == "drill-fleet" => vec![("Drill", vec!["drill failed"])],
        "MakeRoom" => vec![("StartCopy", vec!["SnapshotQuotaFull", "started"])],
        "NextInstances" | "NextClusters" => vec![("ListTargets", vec!["plan with pages"])],
        "NotifyFailures" => vec![("CopyCluster", vec!["child failed"])],
        "NotifyListingFailure" => vec![("ListTargets", vec!["AccessDenied"])],
        _ => vec![],
    }
}

/// Errors beside those that its Retry and Catch name.
fn further(state: &State) -> Vec<&'static str> {
    if state.invokes_function() {
        // Never tried again, whatever it is.
        vec!["AccessDenied", "States.DataLimitExceeded"]
    } else if state.name.starts_with("Next") {
        vec![
            "child failed",
            "page with failures",
            "child stopped",
            "child timed out",
            "States.Timeout",
        ]
    } else if state.runs_execution() {
        let failed = if state.name == "Drill" {
            "drill failed"
        } else {
            "child failed"
        };
        vec![failed, "child stopped", "child timed out", "States.Timeout"]
    } else {
        vec!["States.DataLimitExceeded"]
    }
}

/// Every error that a Task must be tried with.
fn errors(state: &State) -> BTreeSet<String> {
    let named = state.errors("Retry").into_iter().chain(state.errors("Catch")).flatten();
    named
        .chain(further(state))
        .filter(|error| *error != "States.ALL")
        .map(str::to_owned)
        .collect()
}

/// Runs a scenario. Gives the states in order, and how it ended.
fn run(coverage: &Coverage, machine: &StateMachine, name: &str, script: &Value) -> Value {
    let entered: RefCell<BTreeMap<String, usize>> = RefCell::default();
    let mut execution = InstantExecution::new(machine, "covered", |state, _| {
        let mut entered = entered.borrow_mut();
        let turn = entered.entry(state.to_owned()).or_default();
        *turn += 1;
        coverage.answer(script, state, *turn - 1)
    });
    let ended = execution.run(coverage.input(name));
    let path = execution.path.clone();
    drop(execution);
    let mut story = match ended {
        Ok(output) => Coverage::success(name, &output),
        Err(Failure { error, cause }) => json!({ "status": "FAILED", "error": error, "cause": cause }),
    };
    story["path"] = json!(path);
    story["attempts"] = json!(entered.into_inner());
    Coverage::without_digests(&story)
}

fn input(machine: &str) -> Value {
    match machine {
        "copy-fleet" | "drill-fleet" | "keep-evidence" => json!({}),
        "drill-copy" => json!({
            "kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "execution": "i-orders-0a1b2c3d",
            "name": "snapferry-drill-0a1b2c3d-orders", "copy": { "id": "snapferry-orders" },
        }),
        _ => json!({ "kind": "instance", "id": "orders", "resourceId": "db-ORDERS" }),
    }
}

/// All scenarios with their results.
fn scenarios() -> Vec<Value> {
    let coverage = Coverage::read(&file(&[]));
    let mut all = Vec::new();
    for name in [
        "copy-snapshot",
        "copy-fleet",
        "drill-copy",
        "drill-fleet",
        "keep-evidence",
    ] {
        let (definition, machine) = (machine(name), state_machine(name));
        let tasks: Vec<State> = states(&definition)
            .into_iter()
            .filter(|state| state.kind() == "Task")
            .collect();
        for state in &tasks {
            for error in errors(state) {
                for times in ["once", "always"] {
                    let mut script: BTreeMap<String, Vec<String>> = tasks
                        .iter()
                        .map(|task| {
                            (
                                task.name.to_owned(),
                                usual(task.name).iter().map(|word| (*word).to_owned()).collect(),
                            )
                        })
                        .collect();
                    for (task, words) in reaching(name, state.name) {
                        script.insert(task.to_owned(), words.into_iter().map(str::to_owned).collect());
                    }
                    let mut words = vec![error.clone()];
                    if times == "once" {
                        words.extend(script[state.name].iter().cloned());
                    }
                    script.insert(state.name.to_owned(), words);
                    let unusual: BTreeMap<&String, &Vec<String>> = script
                        .iter()
                        .filter(|(task, words)| words.as_slice() != usual(task))
                        .collect();
                    let unusual = json!(unusual);
                    let story = run(&coverage, &machine, name, &unusual);
                    all.push(json!({
                        "machine": name, "state": state.name, "error": error, "times": times,
                        "script": unusual, "ended": story,
                    }));
                }
            }
        }
    }
    all
}

/// The file: the answers, then one line per scenario.
fn file(scenarios: &[Value]) -> String {
    let tasks = ALL_MACHINES.into_iter().flat_map(|name| {
        let definition = machine(name);
        let tasks = states(&definition).into_iter().filter(|state| state.kind() == "Task");
        tasks.map(|state| state.name.to_owned()).collect::<Vec<_>>()
    });
    let usual: BTreeMap<String, &[&str]> = tasks.map(|state| (state.clone(), usual(&state))).collect();
    let inputs: BTreeMap<&str, Value> = ALL_MACHINES.into_iter().map(|name| (name, input(name))).collect();
    let inputs = json!(inputs);
    let mut text = format!(
        "{{\n\"inputs\": {inputs},\n\"usual\": {},\n\"answers\": {{\n",
        json!(usual)
    );
    let answers: Vec<String> = answers()
        .iter()
        .map(|(name, answer)| format!("  {}: {answer}", json!(name)))
        .collect();
    let lines: Vec<String> = scenarios.iter().map(|one| format!("  {one}")).collect();
    let _ = write!(
        text,
        "{}\n}},\n\"scenarios\": [\n{}\n]\n}}\n",
        answers.join(",\n"),
        lines.join(",\n")
    );
    text
}

/// What happened, in a few words.
fn in_words(scenario: &Value) -> String {
    let ended = &scenario["ended"];
    let state = scenario["state"].as_str().expect("a state");
    let attempts = ended["attempts"][state].as_u64().expect("a number");
    let tried = match attempts {
        1 => "not tried again".to_owned(),
        2 => "tried again".to_owned(),
        more => format!("tried {more} times"),
    };
    let path: Vec<&str> = entries(&ended["path"]).iter().filter_map(Value::as_str).collect();
    let by_way: Vec<&str> = ["MakeRoom", "FindAgain"]
        .into_iter()
        .filter(|way| path.contains(way) && *way != state)
        .collect();
    let by_way = if by_way.is_empty() {
        String::new()
    } else {
        format!(", through {}", by_way.join(", "))
    };
    let end = if ended["status"] == "SUCCEEDED" {
        match ended["output"]["outcome"].as_str() {
            Some(outcome @ ("copied, not pruned" | "not-run")) => format!("succeeds as *{outcome}*"),
            _ if ended["output"]["counts"]["notRun"] == 1 => "succeeds, and counts the drill as *not-run*".to_owned(),
            _ if ended["output"]["left"] == true || !entries(&ended["output"]["left"]).is_empty() => {
                "succeeds, and leaves the rest to the sweep".to_owned()
            }
            _ if !entries(&ended["output"]["warnings"]).is_empty() => "succeeds, with a warning".to_owned(),
            _ => "succeeds".to_owned(),
        }
    } else if ended["error"] == "CopiesFailed" {
        let cause: Value = serde_json::from_str(ended["cause"].as_str().expect("a cause")).expect("JSON");
        let failures = entries(&cause["failures"]).iter();
        let named: Vec<String> = failures
            .map(|failure| format!("{} {}: {}", failure["kind"], failure["id"], failure["error"]).replace('"', ""))
            .collect();
        format!("CopiesFailed ({})", named.join("; "))
    } else {
        format!("fails with {}", ended["error"].as_str().expect("an error"))
    };
    format!("{tried}{by_way}; {end}")
}

fn table(scenarios: &[Value]) -> String {
    let mut text =
        "# Faults\n\nWhat each Task of the state machines does with each error that its Retry or Catch names, \
                    and with some that neither names: when it occurs once, and when it occurs every time.\n\
                    The table is written by a test (`tests/deployment/tests/coverage.rs`), which executes the deployed \
                    definitions. MiniStack runs those of the copies (`tests/deployment/scenarios.json`) as well, and must end \
                    in the same way.\n"
            .to_owned();
    let mut last = String::new();
    for pair in scenarios.chunks(2) {
        let [once, always] = pair else { panic!("in pairs") };
        let state = format!("{}, {}", once["machine"], once["state"]).replace('"', "");
        if state != last {
            let _ = write!(text, "\n## {state}\n\n| Error | once | every time |\n|---|---|---|\n");
            last = state;
        }
        let error = once["error"].as_str().expect("an error");
        let error = if error.contains(' ') {
            error.to_owned()
        } else {
            format!("`{error}`")
        };
        let _ = writeln!(text, "| {error} | {} | {} |", in_words(once), in_words(always));
    }
    text
}

#[test]
fn every_task_under_every_error_ends_as_the_files_say() {
    let scenarios = scenarios();
    for (path, text) in [(SCENARIOS, file(&scenarios)), (TABLE, table(&scenarios))] {
        let path = root().join(path);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).expect("written");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == text,
            "{} is out of date. Look at what changed, then: UPDATE=1 cargo test -p deployment --test coverage",
            path.display()
        );
    }
}

#[test]
fn an_error_that_passes_does_no_harm_and_one_that_stays_ends_under_its_own_name() {
    let mut retried = BTreeSet::new();
    for scenario in scenarios() {
        let (state, error) = (&scenario["state"], scenario["error"].as_str().expect("an error"));
        let ended = &scenario["ended"];
        let attempts = ended["attempts"][state.as_str().expect("a state")].as_u64();
        let place = format!("{state} {error} {}", scenario["times"]);
        // A database that was copied is not called failed because its old copies stay.
        let is_caught = !["States.DataLimitExceeded", "States.Runtime"].contains(&error);
        let is_prune = state == "PruneOld" && scenario["times"] == "always" && is_caught;
        if is_prune {
            assert_eq!(ended["output"]["outcome"], "copied, not pruned", "{place}");
        } else if scenario["machine"] == "copy-snapshot" && scenario["times"] == "always" {
            assert_eq!(ended["error"], error, "{place}");
        }
        if attempts > Some(1) {
            retried.insert((state.clone().to_string(), error.to_owned()));
        }
        // A message is the only other thing whose failure changes nothing.
        let copies = MACHINES.contains(&scenario["machine"].as_str().expect("a name"));
        if copies && scenario["times"] == "always" && !place.contains("\"Notify") && !is_prune {
            assert_eq!(ended["status"], "FAILED", "{place}");
        }
    }
    // Every error that a Retry names is really tried again.
    for name in ALL_MACHINES {
        let definition = machine(name);
        for state in states(&definition).into_iter().filter(|state| state.kind() == "Task") {
            for error in state.errors("Retry").into_iter().flatten() {
                assert!(
                    retried.contains(&(json!(state.name).to_string(), error.to_owned())),
                    "{}: {error} is not tried again",
                    state.name
                );
            }
        }
    }
}

/// Only what RDS says of a copy is about the copy. The drill's own trouble is not, and what was restored is deleted in
/// any case: by the drill, or by its parent when the drill could not.
#[test]
fn no_error_of_a_drill_is_held_against_its_copy() {
    let mut tried = 0;
    for scenario in scenarios() {
        let (state, error) = (scenario["state"].as_str().expect("a state"), scenario["error"].as_str());
        let (ended, always) = (&scenario["ended"], scenario["times"] == "always");
        let place = format!("{state} {error:?} {}", scenario["times"]);
        let path: Vec<&str> = entries(&ended["path"]).iter().filter_map(Value::as_str).collect();
        let error = error.expect("an error");
        let uncaught = error == "States.DataLimitExceeded" && state != "RunCheck";
        match scenario["machine"].as_str() {
            Some("drill-copy" | "drill-fleet") if uncaught => assert_eq!(ended["error"], error, "{place}"),
            Some("drill-copy") => {
                let not_run = always || error == "AccessDenied";
                let outcome = if ["StartRestore", "CheckRestore"].contains(&state) && not_run {
                    "not-run"
                } else {
                    "passed"
                };
                assert_eq!(ended["output"]["outcome"], outcome, "{place}");
                assert!(
                    path.contains(&"EndRestore") && path.contains(&"WriteProof"),
                    "{place}: {path:?}"
                );
            }
            Some("drill-fleet") => {
                let was_drilled = path.contains(&"Drill");
                assert!(!was_drilled || path.contains(&"TearDown"), "{place}: {path:?}");
                if ended["status"] == "FAILED" {
                    let named = ["CheckNetwork", "PlanDrills"].contains(&state);
                    let expected = if named { error } else { "DrillsFailed" };
                    assert_eq!(ended["error"], expected, "{place}");
                }
            }
            _ => continue,
        }
        tried += 1;
    }
    assert!(tried > 100, "{tried}");
}
