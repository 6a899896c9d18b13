//! The machines of the drills executed, with functions that answer as the test says and nested executions that end as
//! on AWS.

#![allow(missing_docs)]

use std::cell::{Cell, RefCell};

use deployment::{DESTINATION, machine, rendered, state, state_machine};
use domain::error::Error;
use serde_json::{Value, json};
use step_functions::{Failure, InstantExecution, NestedExecution, Payload, STARTED, StateMachine, entries};

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-0a1b2c3d";

fn drill() -> Value {
    json!({
        "kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "name": "snapferry-drill-0a1b2c3d-orders",
        "copy": {
            "id": "snapferry-orders-2026-11-30-0a1b2c3d",
            "arn": "arn:aws:rds:eu-west-1:123456789012:snapshot:snapferry-orders-2026-11-30-0a1b2c3d",
        },
        "execution": "i-orders-0a1b2c3d",
    })
}

/// `base` with the fields of `more`.
fn with(base: &Value, more: &Value) -> Value {
    let mut merged = base.clone();
    for (name, value) in more.as_object().expect("an object") {
        merged[name] = value.clone();
    }
    merged
}

/// What a function answers.
fn payload(value: &Value) -> Value {
    json!({ "Payload": value, "StatusCode": 200 })
}

/// What a function gets but for `log`, which goes to its log only.
fn payload_of(arguments: &Value) -> Value {
    let mut payload = arguments["Payload"].clone();
    let log = payload.as_object_mut().expect("an object").remove("log");
    let log = log.expect("a log");
    assert!(log["run"].is_string() && log["execution"].is_string(), "{log}");
    payload
}

fn restoring(state: &str) -> Value {
    json!({ "restore": { "state": state, "wait": { "seconds": 120 }, "dataTime": "2026-11-30T04:00:00Z",
        "checked": ["description", "events"] } })
}

fn verdict(outcome: &str, reason: &str) -> Value {
    json!({ "verdict": { "outcome": outcome, "reason": reason, "minutes": 17 } })
}

/// When end-restore has seen nothing twice.
const GONE_AT: &str = "2026-11-30T05:00:00Z";

fn gone() -> Value {
    json!({ "gone": true, "goneAt": GONE_AT, "deleting": [] })
}

fn not_gone() -> Value {
    json!({ "gone": false, "waiting": { "seconds": 90 }, "deleting": ["snapferry-drill-0a1b2c3d-orders"] })
}

/// A drill of which each function answers what the test says, by its number of answers before; otherwise all goes well.
struct Drill {
    ended: Result<Value, Failure>,
    path: Vec<String>,
    waits: Vec<u64>,
    events: u64,
    proof: Option<Value>,
}

type Answer = Option<Result<Value, Failure>>;

fn run_with(machine: &StateMachine, answers: impl Fn(&str, usize, &Value) -> Answer) -> Drill {
    let asked: RefCell<Vec<String>> = RefCell::default();
    let proof: RefCell<Option<Value>> = RefCell::default();
    let mut execution = InstantExecution::new(machine, "i-orders-0a1b2c3d", |state, arguments| {
        let turn = asked.borrow().iter().filter(|name| *name == state).count();
        asked.borrow_mut().push(state.to_owned());
        if let Some(answer) = answers(state, turn, arguments) {
            return answer;
        }
        match (state, turn) {
            ("StartRestore", _) | ("CheckRestore", 0) => {
                Ok(payload(&with(&payload_of(arguments), &restoring("restoring"))))
            }
            ("CheckRestore", _) => Ok(payload(&with(
                &payload_of(arguments),
                &verdict("passed", "it is as its copy"),
            ))),
            ("EndRestore", 0) => Ok(payload(&not_gone())),
            ("EndRestore", _) => Ok(payload(&gone())),
            ("WriteProof", _) => {
                let value = arguments["Value"].as_str().expect("a text");
                assert!(value.len() <= 1024, "{} bytes: {value}", value.len());
                assert_eq!(
                    arguments["Name"],
                    "/snapferry/snapferry/us-east-1/drills/instance-db-ORDERS"
                );
                assert_eq!(
                    (&arguments["Type"], &arguments["Overwrite"]),
                    (&json!("String"), &json!(true))
                );
                proof.replace(Some(serde_json::from_str(value).expect("JSON")));
                Ok(json!({ "Version": 1, "Tier": "Standard" }))
            }
            (other, _) => panic!("what does {other} answer?"),
        }
    });
    let ended = execution.run(drill());
    let (path, waits, events) = (execution.path.clone(), execution.waits.clone(), execution.events);
    drop(execution);
    Drill {
        ended,
        path,
        waits,
        events,
        proof: proof.into_inner(),
    }
}

fn run(answers: impl Fn(&str, usize, &Value) -> Answer) -> Drill {
    run_with(&state_machine("drill-copy"), answers)
}

fn entered(drill: &Drill, state: &str) -> usize {
    drill.path.iter().filter(|name| *name == state).count()
}

#[test]
fn a_copy_is_restored_checked_deleted_and_its_proof_is_written() {
    let drill = run(|_, _, _| None);
    assert_eq!(
        drill.path,
        [
            "Begin",
            "StartRestore",
            "IsRestoreStarted",
            "WaitForRestore",
            "CheckRestore",
            "IsRestoreJudged",
            "WaitForRestore",
            "CheckRestore",
            "IsRestoreJudged",
            "EndRestore",
            "IsGone",
            "WaitForEnd",
            "EndRestore",
            "IsGone",
            "ComposeProof",
            "WriteProof",
            "Record",
            "Verdict",
            "Done",
        ]
    );
    assert_eq!(drill.waits, [120, 120, 90], "the functions choose the waits");
    assert_eq!(
        drill.proof.expect("a proof"),
        json!({
            "time": STARTED, "copy": "snapferry-orders-2026-11-30-0a1b2c3d", "database": "orders", "dataTime": "2026-11-30T04:00:00Z",
            "minutes": 17, "outcome": "passed", "reason": "it is as its copy", "execution": "i-orders-0a1b2c3d",
            "checked": ["description", "events"], "goneAt": GONE_AT,
        })
    );
    let record = drill.ended.expect("passed");
    assert_eq!((&record["outcome"], &record["minutes"]), (&json!("passed"), &json!(17)));
    assert_eq!((&record["left"], &record["warnings"]), (&json!(false), &json!([])));
    assert_eq!((&record["goneAt"], &record["kept"]), (&json!(GONE_AT), &json!([])));
    assert_eq!(
        record["copy"],
        crate::drill()["copy"],
        "the whole copy, not only its name"
    );
    assert_eq!(record["verdict"]["outcome"], "passed");
}

#[test]
fn each_verdict_ends_as_it_should_and_writes_its_proof() {
    for (outcome, fails) in [
        ("passed", false),
        ("not-run", false),
        ("unsupported", false),
        ("failed", true),
    ] {
        for at in ["StartRestore", "CheckRestore"] {
            let drill = run(|state, _, arguments| {
                let answer = with(&payload_of_any(arguments), &verdict(outcome, "because of that"));
                (state == at).then(|| Ok(payload(&answer)))
            });
            assert_eq!(
                entered(&drill, "EndRestore"),
                2,
                "{outcome} of {at}: what was made is deleted"
            );
            assert_eq!(drill.proof.expect("a proof")["outcome"], outcome);
            match drill.ended {
                Ok(record) => {
                    assert!(!fails, "{outcome} of {at}");
                    assert_eq!(
                        (&record["outcome"], &record["reason"]),
                        (&json!(outcome), &json!("because of that"))
                    );
                }
                Err(failure) => {
                    assert!(fails, "{outcome} of {at}: {failure:?}");
                    assert_eq!(failure.error, "DrillFailed");
                    assert_eq!(failure.cause.as_deref(), Some("because of that"));
                }
            }
        }
    }
}

/// The payload of a function, and nothing of any other Task.
fn payload_of_any(arguments: &Value) -> Value {
    if arguments["Payload"]["log"].is_object() {
        payload_of(arguments)
    } else {
        json!({})
    }
}

#[test]
fn a_failure_names_its_error_before_its_reason_and_has_one_without_a_reason() {
    for (verdict, cause) in [
        (
            json!({ "outcome": "failed", "error": "KeyNotUsable", "reason": "The key is disabled." }),
            "KeyNotUsable: The key is disabled.",
        ),
        (
            json!({ "outcome": "failed", "error": "KeyNotUsable" }),
            "KeyNotUsable: No reason was given.",
        ),
        (json!({ "outcome": "failed" }), "No reason was given."),
    ] {
        let answer = json!({ "verdict": verdict });
        let drill = run(|state, _, arguments| {
            (state == "StartRestore").then(|| Ok(payload(&with(&payload_of(arguments), &answer))))
        });
        assert_eq!(drill.ended.expect_err("failed").cause.as_deref(), Some(cause));
        let proof = drill.proof.expect("a proof");
        assert_eq!(proof["error"], verdict["error"]);
        assert_eq!(proof["outcome"], "failed");
    }
}

/// Whatever error a function has, it says nothing about the copy; and what was restored is deleted.
#[test]
fn an_error_of_a_function_is_a_drill_that_was_not_run() {
    for error in Error::NAMES.iter().copied().chain(["Lambda.Unknown", "States.Timeout"]) {
        for at in ["StartRestore", "CheckRestore"] {
            let failure = if error == "States.Timeout" {
                Failure::timeout()
            } else {
                Failure::from_function(error, "RDS said \"no\". Ask again.")
            };
            let drill = run(|state, _, _| (state == at).then(|| Err(failure.clone())));
            let record = drill.ended.expect("the drill's own trouble");
            assert_eq!(record["outcome"], "not-run", "{error} of {at}");
            assert_eq!(record["error"], error, "{error} of {at}");
            let said = if error == "States.Timeout" {
                "No cause was given."
            } else {
                "RDS said \"no\". Ask again."
            };
            assert_eq!(record["reason"], said, "{error} of {at}");
            assert!(drill.path.contains(&"EndRestore".to_owned()), "{error} of {at}");
            assert_eq!(drill.proof.expect("a proof")["error"], error);
            assert_eq!(
                record["name"], "snapferry-drill-0a1b2c3d-orders",
                "what was to be restored is in the record"
            );
        }
    }
}

#[test]
fn a_full_queue_is_waited_for_as_a_value() {
    let drill = run(|state, turn, arguments| {
        let waiting = json!({ "waiting": { "reason": "slot", "seconds": 240 } });
        (state == "StartRestore" && turn < 50).then(|| Ok(payload(&with(&payload_of(arguments), &waiting))))
    });
    assert_eq!(drill.waits[..50], [240; 50]);
    assert_eq!(drill.ended.expect("passed")["outcome"], "passed");
}

#[test]
fn a_cluster_that_needs_an_instance_gets_it_from_start_restore() {
    let drill = run(|state, turn, arguments| {
        (state == "CheckRestore" && turn == 0)
            .then(|| Ok(payload(&with(&payload_of(arguments), &restoring("needs-instance")))))
    });
    assert_eq!(entered(&drill, "StartRestore"), 2);
    let again = drill
        .path
        .iter()
        .position(|state| state == "IsRestoreJudged")
        .expect("judged");
    assert_eq!(drill.path[again + 1], "StartRestore");
    assert_eq!(drill.ended.expect("passed")["outcome"], "passed");
}

#[test]
fn a_state_that_is_not_known_is_not_run_and_what_was_restored_is_deleted() {
    let drill = run(|state, _, arguments| {
        (state == "CheckRestore").then(|| Ok(payload(&with(&payload_of(arguments), &restoring("sleeping")))))
    });
    let record = drill.ended.expect("the drill's own trouble");
    assert_eq!(
        (&record["outcome"], &record["error"]),
        (&json!("not-run"), &json!("StateUnknown"))
    );
    assert!(drill.path.contains(&"EndRestore".to_owned()));
}

/// Runs a drill with a check function that answers so. Gives the drill, and what `CheckRestore` saw of the answer.
fn checked(answer: &Result<Value, Failure>) -> (Drill, Value) {
    let seen = RefCell::new(Value::Null);
    let invoked = Cell::new(0);
    let check = json!({ "identifier": "snapferry-drill-0a1b2c3d-orders", "secretArn": SECRET });
    let drill = run(|state, _, arguments| match state {
        "RunCheck" => {
            invoked.set(invoked.get() + 1);
            assert_eq!(
                arguments["FunctionName"],
                "arn:aws:lambda:eu-west-1:123456789012:function:check-orders"
            );
            assert_eq!(arguments["Payload"], check, "what CheckRestore gives, and nothing else");
            Some(answer.clone())
        }
        "CheckRestore" => {
            let payload_in = payload_of(arguments);
            if payload_in.get("answer").is_some() {
                seen.replace(payload_in["answer"].clone());
                return Some(Ok(payload(&with(&payload_in, &verdict("passed", "judged")))));
            }
            let mut ready = with(&payload_in, &restoring("ready-for-check"));
            ready["restore"]["check"] = check.clone();
            Some(Ok(payload(&ready)))
        }
        _ => None,
    });
    assert!(invoked.get() >= 1);
    (drill, seen.into_inner())
}

#[test]
fn whatever_the_check_function_does_check_restore_judges_it() {
    let large = "x".repeat(40_000);
    let long = "y".repeat(2_000);
    let asserted = Failure::from_function("AssertionError", "no rows");
    for (answer, seen) in [
        (
            Ok(payload(&json!({ "passed": true, "rows": 7 }))),
            json!({ "passed": true, "rows": 7 }),
        ),
        (Ok(payload(&json!("fine"))), json!("fine")),
        (Ok(payload(&Value::Null)), Value::Null),
        (
            Err(asserted.clone()),
            json!({ "error": "AssertionError", "cause": asserted.cause }),
        ),
        (
            Err(Failure::timeout()),
            json!({ "error": "States.Timeout", "cause": "" }),
        ),
        (
            Err(Failure::new("Lambda.Unknown", long.clone())),
            json!({ "error": "Lambda.Unknown", "cause": long[..500] }),
        ),
        (Ok(payload(&json!({ "passed": large }))), json!({ "size": 40_013 })),
        // More than Step Functions carries at all.
        (Ok(payload(&json!("z".repeat(300_000)))), json!({ "size": 262_144 })),
    ] {
        let (drill, judged) = checked(&answer);
        assert_eq!(judged, seen);
        assert_eq!(drill.ended.expect("passed")["reason"], "judged");
    }
}

#[test]
fn a_check_is_not_repeated_because_it_failed_but_because_it_never_began() {
    for (error, times) in [
        ("Lambda.TooManyRequestsException", 5),
        ("AssertionError", 1),
        ("States.Timeout", 1),
    ] {
        let (drill, judged) = checked(&Err(Failure::new(error, "because")));
        assert_eq!(judged["error"], error);
        assert_eq!(entered(&drill, "RunCheck"), 1, "retries are within one visit");
        let machine = machine("drill-copy");
        let retrier = state(&machine, "RunCheck")
            .retrier(error)
            .map(|one| one["MaxAttempts"].as_u64());
        assert_eq!(retrier.flatten().unwrap_or_default() + 1, times, "{error}");
    }
}

#[test]
fn what_is_deleted_is_asked_about_until_it_is_gone_and_the_bound_is_reached_only_late() {
    let drill = run(|state, turn, _| (state == "EndRestore" && turn < 30).then(|| Ok(payload(&not_gone()))));
    assert_eq!(entered(&drill, "EndRestore"), 31);
    assert_eq!(drill.ended.expect("passed")["left"], false);

    let never = run(|state, _, _| (state == "EndRestore").then(|| Ok(payload(&not_gone()))));
    assert_eq!(entered(&never, "EndRestore"), 241);
    let record = never.ended.expect("passed all the same");
    assert_eq!((&record["outcome"], &record["left"]), (&json!("passed"), &json!(true)));
    assert_eq!(
        record["warnings"],
        json!(["EndRestore: something of the drill is still there"])
    );
    let proof = never.proof.expect("the copy was proved");
    assert_eq!((&proof["goneAt"], &record["goneAt"]), (&json!(null), &json!(null)));
}

#[test]
fn a_secret_has_to_be_gone_as_well() {
    let with_secret = with(&gone(), &json!({ "secretArn": SECRET }));
    let not_found = || {
        Failure::new(
            "SecretsManager.ResourceNotFoundException",
            "Secrets Manager can't find it.",
        )
    };
    for (times_there, rounds) in [(0, 1), (3, 4)] {
        let drill = run(|state, turn, arguments| match state {
            // Where the secret was is known from the first answer on.
            "EndRestore" if turn == 0 => Some(Ok(payload(&with_secret))),
            "EndRestore" => Some(Ok(payload(&gone()))),
            "ProveSecretGone" => {
                assert_eq!(arguments, &json!({ "SecretId": SECRET }));
                Some(if turn < times_there {
                    Ok(json!({ "ARN": SECRET }))
                } else {
                    Err(not_found())
                })
            }
            _ => None,
        });
        assert_eq!(entered(&drill, "ProveSecretGone"), rounds);
        assert_eq!(entered(&drill, "EndRestore"), rounds);
        assert_eq!(drill.ended.expect("passed")["left"], false);
    }
    // One that stays, and one that may not be looked for.
    let stays = run(|state, _, _| match state {
        "EndRestore" => Some(Ok(payload(&with_secret))),
        "ProveSecretGone" => Some(Ok(json!({ "ARN": SECRET }))),
        _ => None,
    });
    assert_eq!(stays.ended.expect("passed")["left"], true);
    let denied = run(|state, _, _| match state {
        "EndRestore" => Some(Ok(payload(&with_secret))),
        "ProveSecretGone" => Some(Err(Failure::new(
            "SecretsManager.SecretsManagerException",
            "AccessDenied",
        ))),
        _ => None,
    });
    let record = denied.ended.expect("passed");
    assert_eq!(record["left"], true);
    assert_eq!(
        record["warnings"],
        json!(["ProveSecretGone: SecretsManager.SecretsManagerException"])
    );
}

#[test]
fn neither_a_proof_that_cannot_be_written_nor_an_end_that_fails_changes_the_outcome() {
    let drill = run(|state, _, _| match state {
        "EndRestore" => Some(Err(Failure::from_function("AccessDenied", "no"))),
        "WriteProof" => Some(Err(Failure::new("Ssm.TooManyUpdatesException", "no"))),
        _ => None,
    });
    let record = drill.ended.expect("passed");
    assert_eq!((&record["outcome"], &record["left"]), (&json!("passed"), &json!(true)));
    assert_eq!(
        record["warnings"],
        json!(["EndRestore: AccessDenied", "WriteProof: Ssm.TooManyUpdatesException"])
    );
}

#[test]
fn a_proof_has_at_most_1_kb_whatever_the_reason_is() {
    for reason in ["r".repeat(5_000), "\"\\".repeat(2_000)] {
        let drill = run(|state, _, arguments| {
            let mut answer = with(&payload_of_any(arguments), &verdict("failed", &reason));
            answer["copy"]["id"] = json!("c".repeat(63));
            (state == "StartRestore").then(|| Ok(payload(&answer)))
        });
        assert_eq!(
            drill.proof.expect("a proof of 1 KB at most")["reason"],
            reason.chars().take(300).collect::<String>()
        );
    }
}

/// The history of an execution ends at 25,000 events, and with it the execution: the longest that 24 hours allow.
#[test]
fn the_longest_history_of_a_drill_stays_below_15_000_events() {
    // A try for a place every three minutes for half a day, polls every minute for twelve hours, and every round of the end.
    let drill = run(|state, turn, arguments| match state {
        "StartRestore" if turn < 240 => {
            let waiting = json!({ "waiting": { "reason": "slot", "seconds": 180 } });
            Some(Ok(payload(&with(&payload_of(arguments), &waiting))))
        }
        "CheckRestore" if turn < 720 => Some(Ok(payload(&with(&payload_of(arguments), &restoring("restoring"))))),
        "EndRestore" => Some(Ok(payload(&not_gone()))),
        _ => None,
    });
    assert!(drill.ended.is_ok());
    println!("{} events", drill.events);
    assert!(drill.events < 15_000, "{} events", drill.events);
}

// ---------------------------------------------------------------------------------------------------- drill-fleet

fn drills(ids: &[&str]) -> Value {
    let drills: Vec<Value> = ids
        .iter()
        .map(|id| {
            let execution = format!("i-{id}-0a1b2c3d");
            with(
                &drill(),
                &json!({ "id": id, "resourceId": format!("db-{id}"), "execution": execution }),
            )
        })
        .collect();
    json!(drills)
}

fn plan(ids: &[&str]) -> Value {
    json!({
        "drills": drills(ids),
        "passedOver": [{ "kind": "cluster", "id": "telemetry", "reason": "larger than the budget" }],
        "later": 7,
        "warnings": [],
    })
}

fn child(outcome: &str) -> Value {
    json!({ "Name": "child", "Status": "SUCCEEDED", "Output": { "outcome": outcome } })
}

fn failed_child(status: &str, inner: Option<&Failure>) -> Failure {
    let arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:snapferry-drill-copy";
    NestedExecution::new(arn, "i-orders-0a1b2c3d", &drill()).failed(status, inner)
}

struct Fleet {
    ended: Result<Value, Failure>,
    path: Vec<String>,
    torn_down: Vec<Value>,
    message: Option<Value>,
    largest_record: usize,
}

/// Runs drill-fleet on a plan; `tasks` answers for the other Tasks, and what it does not answer goes well.
fn fleet(plan: &Value, tasks: impl Fn(&str, &Value) -> Answer) -> Fleet {
    fleet_of(&state_machine("drill-fleet"), plan, 0, tasks)
}

fn fleet_of(machine: &StateMachine, plan: &Value, redrives: u32, tasks: impl Fn(&str, &Value) -> Answer) -> Fleet {
    let torn_down: RefCell<Vec<Value>> = RefCell::default();
    let message: RefCell<Option<Value>> = RefCell::default();
    let mut execution = InstantExecution::new(machine, "weekly", |state, arguments| {
        if state == "TearDown" {
            torn_down.borrow_mut().push(payload_of(arguments)["drill"].clone());
        }
        if let Some(answer) = tasks(state, arguments) {
            return answer;
        }
        match state {
            "CheckNetwork" => Ok(group(&json!([]), &json!([]))),
            "PlanDrills" => Ok(payload(plan)),
            "Drill" => Ok(child("passed")),
            "TearDown" => Ok(payload(&gone())),
            "NotifyFailures" => {
                message.replace(Some(arguments.clone()));
                Ok(json!({ "MessageId": "1" }))
            }
            other => panic!("what does {other} answer?"),
        }
    })
    .redriven(redrives);
    let ended = execution.run(json!({ "Comment": "Started by the schedule." }));
    let path = execution.path.clone();
    let largest_record = execution
        .sizes
        .get(&("DrillRecorded".to_owned(), Payload::Output))
        .copied()
        .unwrap_or_default();
    drop(execution);
    Fleet {
        ended,
        path,
        torn_down: torn_down.into_inner(),
        message: message.into_inner(),
        largest_record,
    }
}

#[test]
fn a_run_counts_the_outcomes_and_says_what_it_passed_over() {
    let plan = plan(&["a", "b", "c", "d"]);
    let fleet = fleet(&plan, |state, arguments| {
        let id = arguments["Input"]["id"].as_str().unwrap_or_default();
        let outcome = ["unsupported", "not-run", "passed"]["abc".find(id).unwrap_or(2).min(2)];
        (state == "Drill").then(|| Ok(child(outcome)))
    });
    let summary = fleet.ended.expect("none failed");
    assert_eq!(
        summary["counts"],
        json!({ "passed": 2, "failed": 0, "notRun": 1, "unsupported": 1 })
    );
    assert_eq!(summary["passedOver"], plan["passedOver"]);
    assert_eq!(summary["later"], 7);
    assert_eq!((&summary["failures"], &summary["left"]), (&json!([]), &json!([])));
    assert_eq!(entries(&summary["notRun"]).len(), 1);
    assert_eq!(summary["notRun"][0]["id"], "b");
    assert!(fleet.message.is_none());
}

#[test]
fn a_list_of_one_or_none_stays_a_list() {
    for ids in [&[][..], &["a"][..]] {
        let summary = fleet(&plan(ids), |_, _| None).ended.expect("all well");
        assert_eq!(summary["counts"]["passed"], ids.len());
        assert!(
            summary["notRun"].is_array() && summary["passedOver"].is_array(),
            "{summary}"
        );
    }
}

/// D7: however a drill ends, its teardown runs, with what the drill was given.
#[test]
fn the_teardown_runs_however_the_child_ends() {
    let bad = Failure::new("DrillFailed", "KeyNotUsable: The key is disabled.");
    let broken = Failure::new("States.Runtime", "An error in a machine.");
    for (answer, outcome, error) in [
        (Ok(child("passed")), "passed", None),
        (Ok(child("not-run")), "not-run", None),
        (Err(failed_child("FAILED", Some(&bad))), "failed", Some("DrillFailed")),
        (
            Err(failed_child("FAILED", Some(&broken))),
            "not-run",
            Some("States.Runtime"),
        ),
        (Err(failed_child("ABORTED", None)), "not-run", Some("ABORTED")),
        (Err(failed_child("TIMED_OUT", None)), "not-run", Some("TIMED_OUT")),
        (Err(Failure::timeout()), "not-run", Some("States.Timeout")),
        (
            Err(Failure::new(
                "StepFunctions.ExecutionAlreadyExistsException",
                "Execution Already Exists",
            )),
            "not-run",
            Some("StepFunctions.ExecutionAlreadyExistsException"),
        ),
        // As an emulator reports it: the child's own error and cause.
        (Err(bad.clone()), "failed", Some("DrillFailed")),
        // A child that says nothing.
        (
            Ok(json!({ "Output": {} })),
            "not-run",
            Some("States.QueryEvaluationError"),
        ),
    ] {
        let fleet = fleet(&plan(&["orders"]), |state, _| {
            (state == "Drill").then(|| answer.clone())
        });
        let expected = drills(&["orders"])[0].clone();
        assert_eq!(fleet.torn_down, [expected], "{answer:?}");
        let (counts, records) = match fleet.ended {
            Ok(summary) => (summary["counts"].clone(), summary["notRun"].clone()),
            Err(failure) => {
                assert_eq!((failure.error.as_str(), outcome), ("DrillsFailed", "failed"));
                let told: Value = serde_json::from_str(&failure.cause.expect("a cause")).expect("JSON");
                (told["counts"].clone(), told["failures"].clone())
            }
        };
        let field = if outcome == "not-run" { "notRun" } else { outcome };
        assert_eq!(counts[field], 1, "{answer:?}: {counts}");
        if let Some(error) = error {
            let record = json!({
                "kind": "instance", "id": "orders", "execution": "i-orders-0a1b2c3d", "outcome": outcome, "error": error,
            });
            assert_eq!(records, json!([record]));
        }
    }
}

#[test]
fn a_teardown_is_asked_until_nothing_is_left_and_then_left_to_the_sweep() {
    for (rounds, left) in [(5, false), (1_000, true)] {
        let asked = Cell::new(0);
        let fleet = fleet(&plan(&["orders"]), |state, _| {
            (state == "TearDown").then(|| {
                asked.set(asked.get() + 1);
                Ok(payload(&if asked.get() <= rounds { not_gone() } else { gone() }))
            })
        });
        let summary = fleet.ended.expect("passed");
        assert_eq!(asked.get(), if left { 61 } else { 6 });
        let records = entries(&summary["left"]);
        assert_eq!(records.len(), usize::from(left), "{summary}");
        if left {
            assert_eq!(records[0]["left"], true);
        }
    }
    // An error of the teardown changes nothing about the drill, and stops no other.
    let fleet = fleet(&plan(&["a", "b"]), |state, _| {
        (state == "TearDown").then(|| Err(Failure::from_function("AccessDenied", "no")))
    });
    let summary = fleet.ended.expect("passed");
    assert_eq!(
        (&summary["counts"]["passed"], entries(&summary["left"]).len()),
        (&json!(2), 2)
    );
}

#[test]
fn a_failed_drill_stops_no_other_and_is_reported_by_name_and_link() {
    let bad = Failure::new("DrillFailed", "The version is not offered.");
    let fleet = fleet(&plan(&["a", "bad", "c"]), |state, arguments| {
        (state == "Drill" && arguments["Input"]["id"] == "bad").then(|| Err(failed_child("FAILED", Some(&bad))))
    });
    assert_eq!(fleet.torn_down.len(), 3);
    let failure = fleet.ended.expect_err("one failed");
    assert_eq!(failure.error, "DrillsFailed");
    let told: Value = serde_json::from_str(&failure.cause.expect("a cause")).expect("JSON");
    assert_eq!(told["summary"], "1 of 3 copies did not pass their drill: instance bad");
    assert_eq!(told["counts"]["passed"], 2);
    // What a run without failures returns stands beside it.
    assert_eq!(told["passedOver"], plan(&[])["passedOver"]);
    assert_eq!(
        (&told["later"], &told["notRun"], &told["left"]),
        (&json!(7), &json!([]), &json!([]))
    );
    let message = fleet.message.expect("a message");
    assert_eq!(
        message["TopicArn"],
        "arn:aws:sns:eu-west-1:123456789012:snapferry-AlertsTopic"
    );
    let subject = message["Subject"].as_str().expect("a subject");
    assert_eq!(subject, "Snapferry: 1 of 3 copies failed their drill in eu-west-1");
    let body = message["Message"].as_str().expect("a message");
    let link = "https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/";
    let execution = "arn:aws:states:eu-west-1:123456789012:execution:snapferry-drill-copy:i-bad-0a1b2c3d";
    assert!(body.contains(&format!("instance bad\n  {link}{execution}\n")), "{body}");
    assert!(body.contains("docs/operations.md"), "{body}");
}

#[test]
fn the_longest_subject_fits_into_what_sns_takes() {
    let longest = "Snapferry: 20 of 20 copies failed their drill in ap-southeast-1";
    assert!(longest.len() <= 100);
    let most = rendered("destination/template.json")["Parameters"]["DrillDatabasesPerRun"]["MaxValue"].as_u64();
    assert_eq!(most, Some(20));
}

#[test]
fn a_message_that_cannot_be_sent_changes_nothing() {
    let bad = Failure::new("DrillFailed", "because");
    let fleet = fleet(&plan(&["orders"]), |state, _| match state {
        "Drill" => Some(Err(failed_child("FAILED", Some(&bad)))),
        "NotifyFailures" => Some(Err(Failure::new("SNS.AuthorizationErrorException", "no"))),
        _ => None,
    });
    assert_eq!(fleet.ended.expect_err("failed").error, "DrillsFailed");
}

#[test]
fn a_plan_that_fails_ends_the_run_under_its_own_name() {
    for (failure, cause) in [
        (
            Failure::from_function("BadSettings", "DRILL_SUBNET_GROUP: ..."),
            "DRILL_SUBNET_GROUP: ...",
        ),
        (
            Failure::timeout(),
            "No cause was given. The function may have run out of time: see its log.",
        ),
    ] {
        let fleet = fleet(&plan(&[]), |state, _| {
            (state == "PlanDrills").then(|| Err(failure.clone()))
        });
        let ended = fleet.ended.expect_err("no plan");
        assert_eq!((ended.error, ended.cause.as_deref()), (failure.error, Some(cause)));
        assert_eq!(fleet.torn_down, Vec::<Value>::new());
    }
}

#[test]
fn plan_drills_gets_the_input_as_it_is_and_the_run() {
    let seen = RefCell::new(Value::Null);
    let _ = fleet(&plan(&[]), |state, arguments| {
        if state == "PlanDrills" {
            seen.replace(payload_of(arguments));
        }
        None
    });
    let run = seen.into_inner();
    assert_eq!(run["request"], json!({ "Comment": "Started by the schedule." }));
    assert_eq!(run["run"]["execution"], "weekly");
    assert!(
        run["run"]["arn"]
            .as_str()
            .is_some_and(|arn| arn.ends_with(":execution:snapferry-drill-fleet:weekly"))
    );
}

#[test]
fn a_child_gets_its_drill_and_the_name_that_it_runs_under() {
    for (redrives, name) in [(0, "i-orders-0a1b2c3d"), (2, "i-orders-0a1b2c3d-r2")] {
        let seen = RefCell::new(Value::Null);
        let fleet = fleet_of(
            &state_machine("drill-fleet"),
            &plan(&["orders"]),
            redrives,
            |state, arguments| {
                if state == "Drill" {
                    seen.replace(arguments.clone());
                }
                None
            },
        );
        let seen = seen.into_inner();
        assert_eq!(
            (&seen["Name"], &seen["Input"]["execution"]),
            (&json!(name), &json!(name))
        );
        let by = "arn:aws:states:us-east-1:123456789012:execution:snapferry-drill-fleet:weekly";
        let input = with(
            &drills(&["orders"])[0],
            &json!({ "execution": name, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": by }),
        );
        assert_eq!(seen["Input"], input);
        assert_eq!(fleet.torn_down[0]["execution"], name, "the sweep knows it by this name");
    }
}

#[test]
fn a_record_of_a_drill_has_300_bytes_at_most() {
    let id = "x".repeat(63);
    let error = Failure::new(&"E".repeat(256), "because");
    let fleet = fleet(&plan(&[&id]), |state, _| match state {
        "Drill" => Some(Err(failed_child("FAILED", Some(&error)))),
        "TearDown" => Some(Err(Failure::from_function("AccessDenied", "no"))),
        _ => None,
    });
    assert!(fleet.largest_record > 200, "{}", fleet.largest_record);
    assert!(fleet.largest_record <= 300, "{}", fleet.largest_record);
}

fn group(ingress: &Value, egress: &Value) -> Value {
    json!({ "SecurityGroups": [{ "GroupId": "sg-0123abcd", "IpPermissions": ingress, "IpPermissionsEgress": egress }] })
}

fn permission(more: &Value) -> Value {
    let none = json!({
        "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432,
        "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": [],
    });
    json!([with(&none, more)])
}

#[test]
fn a_group_of_the_operators_own_is_refused_unless_it_is_closed() {
    let machine = state_machine("drill-fleet");
    let loopback = permission(&json!({ "IpRanges": [{ "CidrIp": "127.0.0.1/32" }] }));
    let other_group = permission(&json!({ "UserIdGroupPairs": [{ "GroupId": "sg-0fedcba9" }] }));
    let anywhere = permission(&json!({ "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }));
    let both = permission(&json!({ "IpRanges": [{ "CidrIp": "127.0.0.1/32" }, { "CidrIp": "10.0.0.0/8" }] }));
    let six = permission(&json!({ "Ipv6Ranges": [{ "CidrIpv6": "::/0" }] }));
    let list = permission(&json!({ "PrefixListIds": [{ "PrefixListId": "pl-0a1b2c3d" }] }));
    let none = json!([]);
    for (ingress, egress, closed) in [
        (&none, &loopback, true),
        (&none, &none, true),
        (&other_group, &loopback, true),
        (&anywhere, &loopback, false),
        (&loopback, &loopback, false),
        (&six, &loopback, false),
        (&list, &loopback, false),
        (&none, &anywhere, false),
        (&none, &both, false),
        (&none, &six, false),
        (&none, &list, false),
        (&none, &other_group, false),
    ] {
        let fleet = fleet_of(&machine, &plan(&["orders"]), 0, |state, arguments| {
            (state == "CheckNetwork").then(|| {
                assert_eq!(arguments, &json!({ "GroupIds": ["sg-0123abcd"] }));
                Ok(group(ingress, egress))
            })
        });
        if closed {
            assert_eq!(
                fleet.ended.expect("closed")["counts"]["passed"],
                1,
                "{ingress} {egress}"
            );
            continue;
        }
        let failure = fleet.ended.expect_err("open");
        assert_eq!(failure.error, "NetworkNotClosed", "{ingress} {egress}");
        let cause = failure.cause.expect("a cause");
        assert!(
            cause.contains("sg-0123abcd") && cause.contains("Remove those rules."),
            "{cause}"
        );
        assert!(
            !fleet.path.contains(&"PlanDrills".to_owned()),
            "nothing was planned: {:?}",
            fleet.path
        );
    }
}

#[test]
fn a_group_that_cannot_be_read_ends_the_run_and_the_stacks_own_is_not_read() {
    let missing = Failure::new("Ec2.Ec2Exception", "The security group 'sg-0123abcd' does not exist");
    let fleet = fleet(&plan(&["orders"]), |state, _| {
        (state == "CheckNetwork").then(|| Err(missing.clone()))
    });
    let failure = fleet.ended.expect_err("no group");
    assert_eq!((failure.error, failure.cause), (missing.error, missing.cause));
    assert_eq!(fleet.path.last().map(String::as_str), Some("RunFailed"));

    // The group that the stack makes is not given to the machine.
    let definition = machine("drill-fleet").to_string().replace("'sg-0123abcd'", "''");
    let machine = StateMachine::new(
        "snapferry-drill-fleet",
        serde_json::from_str(&definition).expect("JSON"),
    );
    let own = fleet_of(&machine, &plan(&["orders"]), 0, |_, _| None);
    assert_eq!(own.path[..3], ["Begin", "HasOwnSecurityGroup", "PlanDrills"]);
}

/// The most drills that a run may have, each with the longest teardown.
#[test]
fn the_longest_history_of_a_run_stays_below_15_000_events() {
    let most = DESTINATION.rendered("template.json")["Parameters"]["DrillDatabasesPerRun"]["MaxValue"].as_u64();
    let ids: Vec<String> = (0..most.expect("a number"))
        .map(|number| format!("db{number}"))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let machine = state_machine("drill-fleet");
    let plan = plan(&ids);
    let mut execution = InstantExecution::new(&machine, "weekly", |state, _| match state {
        "CheckNetwork" => Ok(group(&json!([]), &json!([]))),
        "PlanDrills" => Ok(payload(&plan)),
        "Drill" => Ok(child("passed")),
        _ => Ok(payload(&not_gone())),
    });
    assert!(execution.run(json!({})).is_ok());
    println!("{} events", execution.events);
    assert!(execution.events < 15_000, "{} events", execution.events);
}
