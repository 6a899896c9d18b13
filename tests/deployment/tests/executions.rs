//! The state machines executed, with Tasks that answer as the test says and nested executions that fail as on AWS.

#![allow(missing_docs)]

use std::cell::{Cell, RefCell};

use deployment::{machine, rendered, state, state_machine};
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::payload::{Target, Wait, WaitReason};
use serde_json::{Value, json};
use step_functions::{Failure, InstantExecution, NestedExecution, Payload, Sizes, entries};

/// 200 KiB, well below the 256 KiB at which Step Functions ends an execution.
const LARGEST_PAYLOAD: usize = 200 * 1024;

fn target(dry_run: bool) -> Value {
    json!({ "kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "dryRun": dry_run })
}

fn found(decision: &str, dry_run: bool) -> Value {
    json!({ "target": target(dry_run), "decision": decision, "outcome": "pending", "reason": "because", "attempt": 0 })
}

/// `base` with the fields of `more`.
fn with(base: &Value, more: &Value) -> Value {
    let mut merged = base.clone();
    for (name, value) in more.as_object().expect("an object") {
        merged[name] = value.clone();
    }
    merged
}

/// What a function gets but for `log`, which goes to its log only.
fn payload_of(arguments: &Value) -> Value {
    let mut payload = arguments["Payload"].clone();
    let log = payload.as_object_mut().expect("an object").remove("log");
    let log = log.expect("a log");
    assert!(log["run"].is_string() && log["execution"].is_string(), "{log}");
    payload
}

/// What the functions of copy-snapshot answer when all goes well and RDS needs two polls.
fn answer(state: &str, arguments: &Value, decision: &str) -> Value {
    let payload = &payload_of(arguments);
    let payload = match state {
        "FindLatestSnapshot" => with(
            &found(decision, payload["dryRun"] == true),
            &json!({ "target": payload, "outcome": if decision == "retired" { "retired" } else { "pending" } }),
        ),
        "StartCopy" => with(
            payload,
            &json!({ "copy": { "id": "snapferry-orders" }, "wait": { "seconds": 30, "polls": 0 } }),
        ),
        "CheckCopyStatus" if payload["wait"]["polls"] == 1 => with(
            payload,
            &json!({ "status": { "state": "verified" }, "outcome": "copied", "wait": { "seconds": 0, "polls": 2 } }),
        ),
        "CheckCopyStatus" => with(
            payload,
            &json!({ "status": { "state": "copying" }, "wait": { "seconds": 45, "polls": 1 } }),
        ),
        "MakeRoom" => with(
            payload,
            &json!({ "pruned": { "deleted": [{ "id": "first" }], "kept": [] } }),
        ),
        "PruneOld" => with(
            payload,
            &json!({ "pruned": { "deleted": [{ "id": "second" }], "kept": [] } }),
        ),
        other => panic!("{other} is not a Task of copy-snapshot"),
    };
    json!({ "Payload": payload, "StatusCode": 200 })
}

/// Runs copy-snapshot; `fails` may make a Task fail.
fn copy_snapshot(
    decision: &str,
    dry_run: bool,
    fails: impl Fn(&str) -> Option<Failure>,
) -> (Result<Value, Failure>, Vec<String>, Vec<u64>) {
    let machine = state_machine("copy-snapshot");
    let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
        fails(state).map_or_else(|| Ok(answer(state, arguments, decision)), Err)
    });
    let ended = execution.run(target(dry_run));
    (ended, execution.path, execution.waits)
}

#[test]
fn a_copy_is_started_waited_for_verified_and_followed_by_pruning() {
    let (ended, path, waits) = copy_snapshot("copy", false, |_| None);
    let audit = ended.expect("a copy");
    assert_eq!(
        path,
        [
            "Begin",
            "FindLatestSnapshot",
            "Decide",
            "StartCopy",
            "IsCopyStarted",
            "WaitForCopy",
            "CheckCopyStatus",
            "IsCopyVerified",
            "WaitForCopy",
            "CheckCopyStatus",
            "IsCopyVerified",
            "PruneOld",
            "Done"
        ]
    );
    assert_eq!(waits, [30, 45], "the functions choose the waits");
    assert_eq!(audit["outcome"], "copied");
    assert_eq!(audit["pruned"]["deleted"], json!([{ "id": "second" }]));
}

#[test]
fn each_decision_takes_its_path() {
    for (decision, dry_run, after_the_choice) in [
        ("join", false, "CheckCopyStatus"),
        ("current", false, "PruneOld"),
        ("retired", false, "PruneOld"),
        ("nothing", false, "NothingToCopy"),
        ("unsupported", false, "NothingToCopy"),
        ("under way", false, "NothingToCopy"),
        ("copy", true, "PruneOld"),
        ("join", true, "PruneOld"),
        ("current", true, "PruneOld"),
        ("retired", true, "PruneOld"),
        ("nothing", true, "NothingToCopy"),
        ("unsupported", true, "NothingToCopy"),
        ("under way", true, "NothingToCopy"),
    ] {
        let (ended, path, _) = copy_snapshot(decision, dry_run, |_| None);
        assert!(ended.is_ok(), "{decision}: {ended:?}");
        assert_eq!(path[3], after_the_choice, "{decision}, dry run {dry_run}");
        assert!(!(dry_run && path.contains(&"StartCopy".to_owned())));
    }
}

#[test]
fn a_decision_or_status_that_is_not_known_fails() {
    let (ended, ..) = copy_snapshot("celebrate", false, |_| None);
    assert_eq!(ended.expect_err("unknown").error, "DecisionUnknown");

    let machine = state_machine("copy-snapshot");
    let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
        let mut result = answer(state, arguments, "join");
        if state == "CheckCopyStatus" {
            result["Payload"]["status"]["state"] = json!("sleeping");
        }
        Ok(result)
    });
    assert_eq!(
        execution.run(target(false)).expect_err("unknown").error,
        "StatusUnknown"
    );
}

/// Design, 2a: each try is a fresh visit with fresh retries, so an error now and then never adds up.
#[test]
fn a_full_queue_is_waited_for_as_a_value_and_each_try_has_its_retries_anew() {
    let machine = state_machine("copy-snapshot");
    let tries = Cell::new(0_u64);
    let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
        if state != "StartCopy" {
            return Ok(answer(state, arguments, "copy"));
        }
        tries.set(tries.get() + 1);
        if tries.get().is_multiple_of(2) {
            return Err(Failure::from_function("Throttled", "Rate exceeded"));
        }
        if tries.get() > 400 {
            return Ok(answer(state, arguments, "copy"));
        }
        let waiting = json!({ "waiting": { "reason": "slot", "why": "full", "seconds": 180, "foundAt": 0 } });
        Ok(json!({ "Payload": with(&payload_of(arguments), &waiting), "StatusCode": 200 }))
    });
    let ended = execution.run(target(false)).expect("a slot in the end");
    assert_eq!(ended["outcome"], "copied");
    assert_eq!(execution.waits[..200], [180; 200]);
}

/// How long it has waited goes with the database through every way back to `StartCopy`: it is looked for again after hours,
/// after a snapshot that vanished, and after room was made.
#[test]
fn what_was_waited_goes_through_every_way_back_to_start_copy() {
    let machine = state_machine("copy-snapshot");
    let tries = Cell::new(0_u64);
    let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
        if state == "CheckCopyStatus" || state == "PruneOld" || state == "MakeRoom" {
            return Ok(answer(state, arguments, "copy"));
        }
        let payload = payload_of(arguments);
        if state == "FindLatestSnapshot" {
            let expected = [0, 180, 360][usize::try_from(tries.get() / 2).expect("small")];
            assert_eq!(
                payload["waited"]["slot"].as_u64().unwrap_or_default(),
                expected,
                "{payload}"
            );
            return Ok(answer(state, arguments, "copy"));
        }
        tries.set(tries.get() + 1);
        let waited = payload["target"]["waited"]["slot"].as_u64().unwrap_or_default();
        let wait = |waited: u64, find_again: bool| {
            let more = json!({
                "target": with(&payload["target"], &json!({ "waited": { "slot": waited } })),
                "waiting": { "reason": "slot", "why": "full", "seconds": 180, "foundAt": 0, "findAgain": find_again },
            });
            Ok(json!({ "Payload": with(&payload, &more), "StatusCode": 200 }))
        };
        match (tries.get(), waited) {
            (1, 0) => wait(180, false),
            (2, 180) => wait(180, true),
            (3, 180) => wait(360, false),
            (4, 360) => Err(Failure::from_function("SnapshotNotFound", "gone")),
            (5, 360) => Err(Failure::from_function("SnapshotQuotaFull", "full")),
            (6, 360) => Ok(answer(state, arguments, "copy")),
            other => panic!("{other:?}"),
        }
    });
    let ended = execution.run(target(false)).expect("a copy");
    assert_eq!(ended["target"]["waited"]["slot"], 360, "and the record says so");
}

/// D6: the snapshot of an event that is not available yet is waited for by looking again.
#[test]
fn the_snapshot_of_an_event_is_waited_for() {
    let machine = state_machine("copy-snapshot");
    let finds = Cell::new(0_u64);
    let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
        if state != "FindLatestSnapshot" || finds.get() == 60 {
            return Ok(answer(state, arguments, "copy"));
        }
        let payload = payload_of(arguments);
        assert_eq!(
            payload["waited"]["snapshot"].as_u64().unwrap_or_default(),
            finds.get() * 60
        );
        assert_ne!(payload["onlyNewest"], true, "forgotten copies are still verified");
        finds.set(finds.get() + 1);
        let more = json!({
            "target": with(&payload, &json!({ "waited": { "snapshot": finds.get() * 60 } })),
            "waiting": { "reason": "snapshot", "why": "it is creating", "seconds": 60, "foundAt": 0 },
        });
        Ok(json!({ "Payload": with(&found("wait", false), &more), "StatusCode": 200 }))
    });
    let ended = execution.run(target(false)).expect("a copy");
    assert_eq!(ended["outcome"], "copied");
    assert_eq!(execution.waits[..60], [60; 60]);
}

/// The history of an execution ends at 25,000 events, and with it the execution. The longest one that the parameters
/// allow: an event's snapshot that becomes available after an hour, then every try for a slot, then a copy to the deadline.
#[test]
fn the_longest_history_stays_below_15_000_events() {
    let machine = state_machine("copy-snapshot");
    let template = rendered("template.json");
    let most = |parameter: &str| {
        let most = template["Parameters"][parameter]["MaxValue"].as_u64();
        u32::try_from(most.expect("a number")).expect("small")
    };
    let (slot_wait, deadline) = (most("SlotWaitHours"), most("CopyDeadlineHours"));
    let database = RefCell::new(Target::new(DatabaseKind::Instance, "orders", "db-ORDERS"));
    let last = RefCell::new(None);
    let wait = Cell::new(Wait::first("snapferry-orders"));
    let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
        let mut payload = payload_of(arguments);
        match state {
            "FindLatestSnapshot" => {
                last.replace(None);
                let coming = database
                    .borrow_mut()
                    .next_wait(WaitReason::Snapshot, "creating", None, slot_wait);
                let decision = if coming.is_some() { "wait" } else { "copy" };
                let more = json!({ "target": payload, "waiting": coming });
                Ok(json!({ "Payload": with(&found(decision, false), &more) }))
            }
            "StartCopy" => {
                let before = last.take();
                let full = database
                    .borrow_mut()
                    .next_wait(WaitReason::Slot, "full", before.as_ref(), slot_wait);
                let Some(full) = full else {
                    payload["copy"] = json!({ "id": "snapferry-orders" });
                    payload["wait"] = json!(wait.get());
                    return Ok(json!({ "Payload": payload }));
                };
                payload["waiting"] = json!(full);
                last.replace(Some(full));
                Ok(json!({ "Payload": payload }))
            }
            "CheckCopyStatus" => {
                // Progress that stands still just before the end shortens as many waits as it can.
                let next = check_copy_status::schedule::next(&wait.get(), wait.get().waited_seconds, 99);
                wait.set(next);
                if next.waited_seconds > u64::from(deadline) * 3_600 {
                    return Err(Failure::from_function("CopyOverdue", "stuck"));
                }
                payload["wait"] = json!(next);
                payload["status"] = json!({ "state": "copying" });
                Ok(json!({ "Payload": payload }))
            }
            other => panic!("{other}"),
        }
    });
    let ended = execution.run(target(false));
    assert_eq!(ended.expect_err("stuck").error, "CopyOverdue");
    let tries = execution.path.iter().filter(|name| *name == "StartCopy").count();
    println!("{} events, {tries} tries for a slot", execution.events);
    assert!(tries > 500, "{tries}: the longest history is looked at");
    // One of ten tries is throttled twice, which is three events each (failed, scheduled, started).
    let retries = u64::try_from(tries / 10 * 2 * 3).expect("small");
    assert!(execution.events + retries < 15_000, "{} events", execution.events);
}

#[test]
fn a_full_quota_prunes_once_tries_once_more_and_then_fails() {
    let refusals = Cell::new(0);
    let full_for = |times: u32| {
        refusals.set(0);
        copy_snapshot("copy", false, |state| {
            (state == "StartCopy" && refusals.get() < times).then(|| {
                refusals.set(refusals.get() + 1);
                Failure::from_function("SnapshotQuotaFull", "100 of 100 manual snapshots. Delete some.")
            })
        })
    };
    let (ended, path, _) = full_for(1);
    let audit = ended.expect("room was made");
    assert_eq!(path[3..7], ["StartCopy", "MayMakeRoom", "MakeRoom", "StartCopy"]);
    assert_eq!(
        audit["pruned"]["deleted"],
        json!([{ "id": "first" }, { "id": "second" }]),
        "both prunes are reported"
    );

    let (ended, path, _) = full_for(2);
    let failure = ended.expect_err("still full");
    assert_eq!(failure.error, "SnapshotQuotaFull");
    assert_eq!(
        failure.cause.as_deref(),
        Some("100 of 100 manual snapshots. Delete some.")
    );
    assert_eq!(path.iter().filter(|state| *state == "MakeRoom").count(), 1);
}

#[test]
fn a_problem_that_was_found_before_is_the_failure_and_nothing_is_tried() {
    let machine = state_machine("copy-snapshot");
    let message = "orders has the permanent option Timezone. Create an option group with it in eu-west-1.";
    let problem = json!({ "problem": { "error": "OptionGroupMissing", "message": message } });
    for dry_run in [false, true] {
        let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
            assert_eq!(state, "FindLatestSnapshot", "nothing else is asked");
            Ok(answer(state, arguments, "copy"))
        });
        let failure = execution.run(with(&target(dry_run), &problem)).expect_err("a problem");
        assert_eq!(failure.error, "OptionGroupMissing");
        assert_eq!(failure.cause.as_deref(), Some(message));
        assert_eq!(
            execution.path,
            ["Begin", "FindLatestSnapshot", "Decide", "ProblemFound"]
        );
    }
    // L13: what needs no new copy goes on.
    for decision in ["join", "current"] {
        let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
            Ok(answer(state, arguments, decision))
        });
        let ended = execution.run(with(&target(false), &problem)).expect("no copy is begun");
        assert!(ended["pruned"].is_object(), "{decision}: {ended}");
    }
}

/// M2: a forgotten copy is verified, and then the newest snapshot is decided about; one that cannot be never keeps it
/// from being copied.
#[test]
fn a_forgotten_copy_is_verified_on_the_way_and_left_alone_if_it_cannot_be() {
    let machine = state_machine("copy-snapshot");
    for failing in [false, true] {
        let asked = RefCell::new(Vec::new());
        let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
            let first = asked.borrow().len() == 1;
            if state == "FindLatestSnapshot" {
                asked.borrow_mut().push(payload_of(arguments));
                let decision = if asked.borrow().len() == 1 { "verify" } else { "copy" };
                return Ok(answer(state, arguments, decision));
            }
            if state == "CheckCopyStatus" && failing && first {
                return Err(Failure::from_function("CopyMismatch", "its engine is mysql"));
            }
            Ok(answer(state, arguments, "copy"))
        });
        let ended = execution.run(target(false)).expect("a copy");
        assert_eq!(ended["outcome"], "copied");
        let way = if failing { "LeaveForgotten" } else { "FindAgain" };
        assert_eq!(
            execution.path.iter().filter(|state| *state == way).count(),
            1,
            "{:?}",
            execution.path
        );
        drop(execution);
        let asked = asked.into_inner();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[1]["onlyNewest"], failing);
    }
}

/// Runs copy-snapshot where `StartCopy` fails so often because the snapshot is gone, and `quota_at` says whether that
/// attempt fails because of the quota instead. Gives the end, the path and what `FindLatestSnapshot` was asked.
fn copy_of_vanishing_snapshots(
    target: &Value,
    times: u32,
    quota_at: impl Fn(u32) -> bool,
) -> (Result<Value, Failure>, Vec<String>, Vec<Value>) {
    let machine = state_machine("copy-snapshot");
    let asked = RefCell::new(Vec::new());
    let attempts = Cell::new(0);
    let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
        if state == "FindLatestSnapshot" {
            asked.borrow_mut().push(payload_of(arguments));
        }
        if state == "StartCopy" {
            let attempt = attempts.get();
            attempts.set(attempt + 1);
            if quota_at(attempt) {
                return Err(Failure::from_function("SnapshotQuotaFull", "full"));
            }
            if attempt < times {
                return Err(Failure::from_function("SnapshotNotFound", "rds:orders-1 is gone."));
            }
        }
        Ok(answer(state, arguments, "copy"))
    });
    let ended = execution.run(target.clone());
    let path = execution.path.clone();
    drop(execution);
    (ended, path, asked.into_inner())
}

#[test]
fn a_snapshot_that_expires_while_its_copy_waits_is_looked_for_again_three_times_at_most() {
    let policy = json!({
        "policy": { "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/2", "keep": { "days": 30 } },
        "rules": { "destinationRegion": "eu-west-1" },
    });
    let target = with(&target(false), &policy);
    for times in 0..=3 {
        let (ended, path, asked) = copy_of_vanishing_snapshots(&target, times, |_| false);
        assert_eq!(ended.expect("a copy")["outcome"], "copied");
        assert_eq!(asked.len(), 1 + times as usize);
        assert!(
            asked.iter().all(|one| with(one, &json!({ "onlyNewest": false })) == with(&target, &json!({ "onlyNewest": false }))),
            "each attempt to find a snapshot gets the target whole: {asked:?}"
        );
        let finds = path.iter().filter(|state| *state == "FindAgain").count();
        assert_eq!(finds, times as usize);
    }
    let (ended, path, asked) = copy_of_vanishing_snapshots(&target, u32::MAX, |_| false);
    let failure = ended.expect_err("gone for good");
    assert_eq!(failure.error, "SnapshotNotFound");
    assert_eq!(failure.cause.as_deref(), Some("rds:orders-1 is gone."));
    assert_eq!(asked.len(), 4);
    assert_eq!(path[path.len() - 3..], ["MayFindAgain", "ReadFailure", "TargetFailed"]);
}

#[test]
fn room_is_made_once_however_often_a_snapshot_vanishes_and_is_reported_in_the_end() {
    // Room is made after the first snapshot has gone, and then two more of them go.
    let (ended, path, _) = copy_of_vanishing_snapshots(&target(false), 4, |attempt| attempt == 1);
    let count = |name: &str| path.iter().filter(|state| *state == name).count();
    assert_eq!((count("MakeRoom"), count("FindAgain"), count("StartCopy")), (1, 3, 5));
    assert_eq!(
        ended.expect("a copy")["pruned"]["deleted"],
        json!([{ "id": "first" }, { "id": "second" }])
    );
    // The quota is full again: no second prune, whatever has been looked for in between.
    let (ended, path, _) = copy_of_vanishing_snapshots(&target(false), 4, |attempt| attempt == 1 || attempt == 3);
    assert_eq!(ended.expect_err("full").error, "SnapshotQuotaFull");
    assert_eq!(path.iter().filter(|state| *state == "MakeRoom").count(), 1);
}

#[test]
fn start_copy_begins_five_times_at_most() {
    // The timeout of a nested execution counts on it.
    let (_, path, _) = copy_of_vanishing_snapshots(&target(false), u32::MAX, |attempt| attempt == 2);
    assert_eq!(path.iter().filter(|state| *state == "StartCopy").count(), 1 + 3 + 1);
}

#[test]
fn every_error_of_every_function_ends_the_copy_under_its_own_name_and_message() {
    for failing in ["FindLatestSnapshot", "StartCopy", "CheckCopyStatus", "MakeRoom"] {
        for name in Error::NAMES {
            let (ended, ..) = copy_snapshot("copy", false, |state| {
                if failing == "MakeRoom" && state == "StartCopy" {
                    return Some(Failure::from_function("SnapshotQuotaFull", "full"));
                }
                (state == failing).then(|| Failure::from_function(name, "only[0]: {no} \"such\" database.\nCheck it."))
            });
            let failure = ended.expect_err(failing);
            assert_eq!(failure.error, *name, "{failing}");
            assert_eq!(
                failure.cause.as_deref(),
                Some("only[0]: {no} \"such\" database.\nCheck it.")
            );
        }
    }
}

/// M1, cases 03 and 04: a database that was copied is never called not copied.
#[test]
fn a_prune_that_fails_does_not_fail_the_copy() {
    for (decision, outcome) in [
        ("copy", "copied, not pruned"),
        ("join", "copied, not pruned"),
        ("retired", "retired"),
    ] {
        for name in Error::NAMES {
            let (ended, path, _) = copy_snapshot(decision, false, |state| {
                (state == "PruneOld").then(|| Failure::from_function(name, "no"))
            });
            let output = ended.unwrap_or_else(|failure| panic!("{decision} {name}: {failure:?}"));
            assert_eq!(path[path.len() - 2..], ["NotPruned", "Done"]);
            assert_eq!(output["outcome"], outcome, "{decision}");
            assert_eq!(output["warnings"], json!([format!("PruneOld: {name}")]));
            assert_eq!(output["pruned"]["deleted"], json!([]));
        }
    }
}

#[test]
fn a_failure_without_a_readable_cause_still_says_something() {
    for (cause, said) in [
        (None, "No cause was given"),
        (Some(""), "No cause was given"),
        (Some("Rate exceeded"), "Rate exceeded"),
        (Some("{ no JSON }"), "{ no JSON }"),
    ] {
        let (ended, ..) = copy_snapshot("copy", false, |_| {
            Some(Failure {
                error: "States.Timeout".to_owned(),
                cause: cause.map(str::to_owned),
            })
        });
        let failure = ended.expect_err("failed");
        assert_eq!(failure.error, "States.Timeout");
        assert!(failure.cause.expect("a cause").starts_with(said), "{cause:?}");
    }
    let long = "x".repeat(40_000);
    let (ended, ..) = copy_snapshot("copy", false, |_| Some(Failure::from_function("RdsError", &long)));
    assert_eq!(ended.expect_err("failed").cause.expect("a cause").len(), 4_000);
}

/// A plan with these targets of each kind; `more` replaces fields.
fn plan(instances: &[&str], clusters: &[&str], more: &Value) -> Value {
    let targets = |kind: &str, ids: &[&str]| -> Value {
        ids.iter()
            .map(|id| {
                let execution = format!("{}-{id}-0a1b2c3d", &kind[..1]);
                json!({ "kind": kind, "id": id, "resourceId": format!("db-{id}"), "execution": execution })
            })
            .collect()
    };
    let plan = json!({
        "dryRun": false,
        "rules": { "destinationRegion": "eu-west-1", "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1", "keepCopies": 3 },
        "instances": targets("instance", instances),
        "clusters": targets("cluster", clusters),
        "leftOut": { "count": 0, "reasons": {}, "first": [] },
        "retired": { "databases": 0, "copies": 0, "first": [] },
        "warnings": [],
    });
    json!({ "Payload": with(&plan, more) })
}

/// A child that did as it says.
fn child(outcome: &str) -> Value {
    json!({ "Name": "child", "Status": "SUCCEEDED", "Output": { "outcome": outcome, "reason": "because" } })
}

/// What an execution that a Task waits for looks like to its parent when it ends as `status`.
fn failed_execution(status: &str, inner: Option<&Failure>) -> Failure {
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:snapferry-copy-snapshot";
    NestedExecution::new(arn, "i-orders-0a1b2c3d", &json!({ "id": "orders" })).failed(status, inner)
}

/// The same for an error of copy-snapshot.
fn failed_child(error: &str) -> Failure {
    failed_execution("FAILED", Some(&Failure::new(error, "RDS said \"no\".")))
}

/// Runs copy-fleet on a plan; `tasks` answers for the other Tasks.
fn copy_fleet(plan: &Value, tasks: impl Fn(&str, &Value) -> Result<Value, Failure>) -> (Result<Value, Failure>, Sizes) {
    let machine = state_machine("copy-fleet");
    let mut execution = InstantExecution::new(&machine, "nightly", |state, arguments| match state {
        "ListTargets" => Ok(plan.clone()),
        "NotifyFailures" => Ok(json!({ "MessageId": "1" })),
        _ => tasks(state, arguments),
    });
    let ended = execution.run(json!({}));
    (ended, execution.sizes)
}

fn told(failure: &Failure) -> Value {
    assert_eq!(failure.error, "CopiesFailed");
    let cause = failure.cause.as_deref().expect("a cause");
    assert!(
        cause.starts_with("{\"summary\":"),
        "an operator reads the summary first: {cause}"
    );
    assert!(cause.chars().count() <= 32_768);
    serde_json::from_str(cause).expect("JSON")
}

#[test]
fn a_run_counts_what_became_of_each_database() {
    let outcomes = [
        ("a", "copied"),
        ("b", "current"),
        ("c", "nothing"),
        ("d", "unsupported"),
        ("e", "planned"),
        ("f", "copied"),
        ("g", "retired"),
        ("h", "retired"),
        ("i", "retired"),
    ];
    let left_out =
        json!({ "count": 1, "reasons": { "tag": 1 }, "first": [{ "kind": "instance", "id": "x", "reason": "tag" }] });
    let retired = json!({ "databases": 3, "copies": 12, "first": [{ "kind": "instance", "id": "g", "copies": 12 }] });
    let plan = plan(
        &["a", "b", "c", "g", "h"],
        &["d", "e", "f", "i"],
        &json!({ "leftOut": left_out, "retired": retired, "warnings": ["The quota is near."] }),
    );
    let (ended, _) = copy_fleet(&plan, |_, arguments| {
        let id = &arguments["Input"]["id"];
        let (_, outcome) = outcomes.iter().find(|(name, _)| id == name).expect("an id");
        Ok(child(outcome))
    });
    assert_eq!(
        ended.expect("all well"),
        json!({
            "counts": {
                "copied": 2, "copiedNotPruned": 0, "current": 1, "underWay": 0, "nothing": 1, "notReady": 0, "unsupported": 1, "planned": 1, "retired": 3, "failed": 0
            },
            "failures": [],
            "leftOut": left_out,
            "retired": retired,
            "warnings": ["The quota is near."],
            "dryRun": false,
        })
    );
}

#[test]
fn a_list_of_one_or_none_stays_a_list() {
    for (instances, clusters) in [(&[][..], &[][..]), (&["a"][..], &[][..]), (&[][..], &["b"][..])] {
        let (ended, _) = copy_fleet(&plan(instances, clusters, &json!({})), |_, _| Ok(child("copied")));
        let summary = ended.expect("all well");
        assert_eq!(summary["counts"]["copied"], json!(instances.len() + clusters.len()));
        assert_eq!((&summary["failures"], &summary["warnings"]), (&json!([]), &json!([])));
    }
    let (ended, _) = copy_fleet(&plan(&["a"], &[], &json!({ "warnings": ["one"] })), |_, _| {
        Err(failed_child("CopyFailed"))
    });
    assert_eq!(
        told(&ended.expect_err("one failed"))["failures"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_failed_copy_stops_no_other_and_is_named_in_the_end() {
    let copied = Cell::new(0);
    let (ended, _) = copy_fleet(&plan(&["a", "bad", "c"], &["d"], &json!({})), |_, arguments| {
        if arguments["Input"]["id"] == "bad" {
            return Err(failed_child("KeyNotUsable"));
        }
        copied.set(copied.get() + 1);
        Ok(child("copied"))
    });
    let told = told(&ended.expect_err("one failed"));
    assert_eq!(copied.get(), 3);
    assert_eq!(
        told["summary"],
        "1 of 4 databases were not copied: instance bad (KeyNotUsable)"
    );
    assert_eq!(told["counts"]["copied"], 3);
    let failure = &told["failures"][0];
    assert_eq!(
        (&failure["kind"], &failure["id"], &failure["error"]),
        (&json!("instance"), &json!("bad"), &json!("KeyNotUsable"))
    );
    assert!(
        failure["execution"]
            .as_str()
            .is_some_and(|name| name.starts_with("i-bad-"))
    );
}

#[test]
fn a_problem_of_one_database_fails_that_one_alone() {
    let (children, problems) = (
        state_machine("copy-snapshot"),
        json!({
            "instances": [
                { "kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "execution": "i-orders-0a1b2c3d" },
                {
                    "kind": "instance", "id": "erp", "resourceId": "db-ERP", "execution": "i-erp-0a1b2c3d",
                    "problem": { "error": "OptionGroupMissing", "message": "erp has the permanent option \"Timezone\"." },
                },
                {
                    "kind": "instance", "id": "old", "resourceId": "db-OLD", "execution": "i-old-0a1b2c3d-00ff",
                    "retired": true, "formerIds": ["older"],
                },
            ],
            "clusters": [
                {
                    "kind": "cluster", "id": "billing", "resourceId": "cluster-BILLING", "execution": "c-billing-0a1b2c3d",
                    "problem": { "error": "KeyNotUsable", "message": "The key that its tag picks is disabled." },
                },
                { "kind": "cluster", "id": "crm", "resourceId": "cluster-CRM", "execution": "c-crm-0a1b2c3d" },
            ],
        }),
    );
    // The children are executions of the other machine, with functions that find what there is to find.
    let (ended, _) = copy_fleet(&plan(&[], &[], &problems), |_, arguments| {
        let decision = if arguments["Input"]["retired"] == true {
            "retired"
        } else {
            "copy"
        };
        let mut child = InstantExecution::new(&children, "child", |state, arguments| {
            Ok(answer(state, arguments, decision))
        });
        match child.run(arguments["Input"].clone()) {
            Ok(output) => Ok(json!({ "Status": "SUCCEEDED", "Output": output })),
            Err(failure) => Err(failed_execution("FAILED", Some(&failure))),
        }
    });
    let told = told(&ended.expect_err("two problems"));
    assert_eq!(
        told["summary"],
        "2 of 5 databases were not copied: instance erp (OptionGroupMissing), cluster billing (KeyNotUsable)"
    );
    assert_eq!(
        told["counts"],
        json!({ "copied": 2, "copiedNotPruned": 0, "current": 0, "underWay": 0, "nothing": 0, "notReady": 0, "unsupported": 0, "planned": 0, "retired": 1, "failed": 2 })
    );
}

/// P5.
#[test]
fn however_a_child_fails_its_error_has_a_name() {
    let plain = |error: &str, cause: Option<&str>| Failure {
        error: error.to_owned(),
        cause: cause.map(str::to_owned),
    };
    for (failure, name) in [
        (failed_child("CopyOverdue"), "CopyOverdue"),
        (failed_execution("ABORTED", None), "ABORTED"),
        (failed_execution("TIMED_OUT", None), "TIMED_OUT"),
        // As an emulator reports it: the child's own error and cause.
        (plain("CopyMismatch", Some("The engine differs.")), "CopyMismatch"),
        (plain("CopyMismatch", Some("{not} \"JSON\" {at all}")), "CopyMismatch"),
        (plain("States.Timeout", None), "States.Timeout"),
        (
            plain(
                "StepFunctions.ExecutionAlreadyExistsException",
                Some("Execution Already Exists: 'arn:...'"),
            ),
            "StepFunctions.ExecutionAlreadyExistsException",
        ),
    ] {
        let (ended, _) = copy_fleet(&plan(&["a"], &[], &json!({})), |_, _| Err(failure.clone()));
        assert_eq!(
            told(&ended.expect_err(name))["failures"][0]["error"],
            name,
            "{failure:?}"
        );
    }
}

#[test]
fn a_page_of_500_long_names_that_all_fail_stays_small() {
    let ids: Vec<String> = (0..500).map(|n| format!("{n:x<63}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let first: Vec<Value> = (0..50)
        .map(|n| json!({ "kind": "instance", "id": format!("{n:x<63}"), "reason": "r".repeat(80) }))
        .collect();
    let more = json!({
        "leftOut": { "count": 9_000, "reasons": { "tag snapferry:copy=false": 9_000 }, "first": first },
        "warnings": ["w".repeat(300), "v".repeat(300)],
        "nextInstances": { "kind": "instance", "cursor": "db-X", "number": 2, "root": "nightly", "execution": "nightly-pi2" },
        "nextClusters": { "kind": "cluster", "cursor": "db-X", "number": 2, "root": "nightly", "execution": "nightly-pc2" },
    });
    let longest = Error::NAMES.iter().max_by_key(|name| name.len()).expect("a name");
    // The next pages have failed as well, with as many names as a Cause holds.
    let (page, _) = copy_fleet(&plan(&ids[..30], &[], &json!({})), |_, _| Err(failed_child(longest)));
    let page = failed_execution("FAILED", Some(&page.expect_err("all failed")));
    for (instances, clusters) in [(&ids[..], &[][..]), (&[][..], &ids[..])] {
        let (ended, sizes) = copy_fleet(&plan(instances, clusters, &more), |state, _| match state {
            "NextInstances" | "NextClusters" => Err(page.clone()),
            _ => Err(failed_child(longest)),
        });
        for ((state, what), size) in sizes {
            assert!(size <= LARGEST_PAYLOAD, "{what:?} of {state}: {size} bytes");
        }
        let told = told(&ended.expect_err("all failed"));
        assert_eq!(
            (&told["counts"]["failed"], entries(&told["failures"]).len()),
            (&json!(560), 20)
        );
        assert!(
            told["summary"]
                .as_str()
                .is_some_and(|said| said.ends_with(", and 540 more")),
            "{}",
            told["summary"]
        );
    }
}

#[test]
fn a_page_as_large_as_list_targets_makes_it_stays_small() {
    // Items with all that they may hold, up to the 128 KiB at which list-targets ends a page.
    let item = |number: usize| {
        json!({
            "kind": "instance", "id": format!("{number:x<63}"), "resourceId": format!("db-{number:X<26}"),
            "execution": format!("i-{number:x<63}-0a1b2c3d"),
            "policy": {
                "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555",
                "optionGroup": "g".repeat(60),
                "keep": { "copies": 100, "days": 3650, "daily": 100, "weekly": 100, "monthly": 100, "yearly": 100 },
                "holdAll": true,
            },
            "problem": { "error": "OptionGroupMissing", "message": "m".repeat(300) },
        })
    };
    let items: Vec<Value> = (0..128 * 1024 / item(0).to_string().len()).map(item).collect();
    assert!(items.len() > 150, "{}", items.len());
    let first: Vec<Value> = (0..50)
        .map(|n| json!({ "kind": "instance", "id": format!("{n:x<63}"), "reason": "r".repeat(80), "copies": 100 }))
        .collect();
    let more = json!({
        "instances": items,
        "leftOut": { "count": 9_000, "reasons": { "tag snapferry:copy=false": 9_000 }, "first": first },
        "retired": { "databases": 9_000, "copies": 27_000, "first": first },
        "warnings": ["w".repeat(300), "v".repeat(300)],
    });
    let (ended, sizes) = copy_fleet(&plan(&[], &[], &more), |_, arguments| {
        assert_eq!(arguments["Input"]["problem"]["error"], "OptionGroupMissing");
        Ok(child("copied"))
    });
    assert_eq!(ended.expect("all well")["retired"], more["retired"]);
    for ((state, what), size) in sizes {
        assert!(size <= LARGEST_PAYLOAD, "{what:?} of {state}: {size} bytes");
    }
}

#[test]
fn a_record_of_a_failure_has_300_bytes_at_most() {
    let definition = machine("copy-fleet");
    let id = "x".repeat(63);
    let plan = plan(&[&id], &[&id], &json!({}));
    let error = "E".repeat(256);
    let (_, sizes) = copy_fleet(&plan, |_, _| Err(failed_child(&error)));
    for kind in ["Instance", "Cluster"] {
        assert!(state(&definition, &format!("Copy{kind}")).runs_execution());
        let size = sizes[&(format!("Record{kind}Failure"), Payload::Output)];
        assert!(size <= 300, "{kind}: {size}");
    }
}

#[test]
fn a_child_gets_its_target_the_rules_and_who_started_it() {
    let seen = RefCell::new(Value::Null);
    let _ = copy_fleet(&plan(&["orders"], &[], &json!({ "dryRun": true })), |_, arguments| {
        seen.replace(arguments.clone());
        Ok(child("planned"))
    });
    assert_eq!(
        seen.into_inner()["Input"],
        json!({
            "kind": "instance",
            "id": "orders",
            "resourceId": "db-orders",
            "execution": "i-orders-0a1b2c3d",
            "dryRun": true,
            "rules": { "destinationRegion": "eu-west-1", "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1", "keepCopies": 3 },
            "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:nightly",
        })
    );
}

/// The names of the children of a run that was redriven so often, the first attempt of each failing to start.
fn child_names(redrives: u32) -> Vec<String> {
    let machine = state_machine("copy-fleet");
    let id = "x".repeat(63);
    let names = RefCell::new(Vec::new());
    // The longest name that list-targets gives.
    let retired =
        json!({ "kind": "cluster", "id": id, "resourceId": "gone", "execution": format!("c-{id}-0a1b2c3d-00ff") });
    let plan = plan(&[&id], &[], &json!({ "clusters": [retired] }));
    let mut run = InstantExecution::new(&machine, "nightly", |state, arguments| {
        if state == "ListTargets" {
            return Ok(plan.clone());
        }
        let name = arguments["Name"].as_str().expect("a name").to_owned();
        let again = names.borrow().contains(&name);
        names.borrow_mut().push(name);
        if again {
            Ok(child("copied"))
        } else {
            Err(Failure::new("StepFunctions.ThrottlingException", "Rate exceeded"))
        }
    })
    .redriven(redrives);
    run.run(json!({})).expect("all well");
    drop(run);
    names.into_inner()
}

#[test]
fn a_child_has_the_name_that_list_targets_gives_which_a_retry_repeats_and_a_redrive_does_not() {
    let id = "x".repeat(63);
    let names = child_names(0);
    assert_eq!(names.len(), 4, "two children, each started twice");
    assert_eq!(
        (&names[0], &names[2]),
        (&names[1], &names[3]),
        "a retry asks for the same execution"
    );
    assert_eq!(names[0], format!("i-{id}-0a1b2c3d"));
    assert_eq!(names[2], format!("c-{id}-0a1b2c3d-00ff"));
    assert_eq!(child_names(1)[0], format!("i-{id}-0a1b2c3d-r1"));
    let redriven = child_names(99);
    assert_eq!(redriven[0], format!("i-{id}-0a1b2c3d-r99"));
    for name in names.iter().chain(&redriven) {
        assert!(name.len() <= 80, "{name}");
    }
}

#[test]
fn a_failed_child_is_recorded_under_the_name_that_it_was_started_with() {
    let started = RefCell::new(String::new());
    let (ended, _) = copy_fleet(&plan(&[], &["billing"], &json!({})), |_, arguments| {
        started.replace(arguments["Name"].as_str().expect("a name").to_owned());
        Err(failed_child("CopyFailed"))
    });
    assert_eq!(
        told(&ended.expect_err("failed"))["failures"][0]["execution"],
        started.into_inner()
    );
}

fn next_pages() -> Value {
    let page = |kind: &str, number: u32| {
        let execution = format!("nightly-p{}{number}", &kind[..1]);
        json!({ "kind": kind, "cursor": "db-X", "number": number, "root": "nightly", "execution": execution })
    };
    json!({ "only": ["orders"], "nextInstances": page("instance", 100), "nextClusters": page("cluster", 2) })
}

#[test]
fn the_next_page_of_each_kind_is_a_run_of_the_same_machine() {
    let pages = RefCell::new(Vec::new());
    let (ended, _) = copy_fleet(&plan(&["a"], &["b"], &next_pages()), |state, arguments| {
        if !state.starts_with("Next") {
            return Ok(child("copied"));
        }
        pages.borrow_mut().push(arguments.clone());
        let page = json!({ "counts": { "copied": 10, "current": 5, "failed": 0 }, "failures": [], "leftOut": {}, "warnings": [] });
        Ok(json!({ "Output": page }))
    });
    let counts = &ended.expect("all well")["counts"];
    assert_eq!((&counts["copied"], &counts["current"]), (&json!(22), &json!(10)));

    let pages = pages.into_inner();
    let names: Vec<&str> = pages.iter().filter_map(|page| page["Name"].as_str()).collect();
    assert_eq!(names, ["nightly-pi100", "nightly-pc2"]);
    assert_eq!(
        pages[0]["StateMachineArn"],
        "arn:aws:states:us-east-1:123456789012:stateMachine:snapferry-copy-fleet"
    );
    assert_eq!(
        pages[0]["Input"],
        json!({
            "page": next_pages()["nextInstances"],
            "dryRun": false,
            "only": ["orders"],
            "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:nightly",
        })
    );
}

#[test]
fn a_page_of_a_run_of_all_databases_names_none() {
    let mut more = next_pages();
    more.as_object_mut().expect("an object").remove("only");
    let _ = copy_fleet(&plan(&[], &[], &more), |_, arguments| {
        assert_eq!(arguments["Input"].get("only"), None);
        Ok(json!({ "Output": { "counts": {}, "failures": [] } }))
    });
}

#[test]
fn failures_of_later_pages_are_counted_and_named_by_the_first() {
    let page = copy_fleet(
        &plan(&["x", "y", "z", "q"], &[], &json!({})),
        |_, arguments| match arguments["Input"]["id"].as_str() {
            Some("z") => Ok(child("current")),
            Some("q") => Ok(child("retired")),
            _ => Err(failed_child("CopyFailed")),
        },
    );
    let of_page = page.0.expect_err("two failed");
    for failure in [failed_execution("FAILED", Some(&of_page)), of_page.clone()] {
        let (ended, _) = copy_fleet(&plan(&["a"], &["b"], &next_pages()), |state, _| match state {
            "NextInstances" => Err(failure.clone()),
            "NextClusters" => Ok(json!({ "Output": { "counts": { "copied": 7, "retired": 1 }, "failures": [] } })),
            _ => Ok(child("copied")),
        });
        let told = told(&ended.expect_err("two failed"));
        assert_eq!(
            told["summary"],
            "2 of 14 databases were not copied: instance x (CopyFailed), instance y (CopyFailed)"
        );
        assert_eq!(
            told["counts"],
            json!({
                "copied": 9, "copiedNotPruned": 0, "current": 1, "underWay": 0, "nothing": 0, "notReady": 0, "unsupported": 0, "planned": 0, "retired": 2, "failed": 2
            })
        );
    }
}

/// P3: of a page that dies nobody knows how many databases it had, so it counts as one "or more".
#[test]
fn a_page_that_dies_counts_as_a_failure() {
    let plain = |error: &str, cause: &str| Failure {
        error: error.to_owned(),
        cause: Some(cause.to_owned()),
    };
    for (failure, error) in [
        (failed_child("AccessDenied"), "AccessDenied"),
        (failed_execution("ABORTED", None), "ABORTED"),
        (plain("PageLimit", "{100} pages"), "PageLimit"),
        (plain("CopiesFailed", "{\"summary\": \"cut off"), "CopiesFailed"),
        (
            Failure {
                error: "States.Timeout".to_owned(),
                cause: None,
            },
            "States.Timeout",
        ),
    ] {
        let (ended, _) = copy_fleet(&plan(&["a"], &[], &next_pages()), |state, _| match state {
            "NextClusters" => Err(failure.clone()),
            "NextInstances" => Ok(json!({ "Output": { "counts": { "copied": 1 }, "failures": [] } })),
            _ => Ok(child("copied")),
        });
        let told = told(&ended.expect_err("a page died"));
        assert_eq!(told["counts"]["failed"], 1);
        let summary = told["summary"].as_str().expect("a summary");
        assert!(
            summary.contains("1 or more") && summary.contains("all further clusters"),
            "{summary}"
        );
        assert_eq!(
            told["failures"],
            json!([{ "outcome": "failed", "kind": "page", "id": "clusters", "error": error, "execution": "nightly-pc2" }])
        );
    }
}

#[test]
fn a_kind_whose_iterations_break_does_not_hold_up_the_other() {
    // A target without an id, which list-targets never gives: not even its failure can be recorded.
    let more = json!({ "instances": [{ "kind": "instance" }] });
    let (ended, _) = copy_fleet(&plan(&[], &["b"], &more), |state, _| match state {
        "CopyInstance" => Err(failed_child("BadInput")),
        _ => Ok(child("copied")),
    });
    let told = told(&ended.expect_err("broken"));
    assert_eq!(told["counts"]["copied"], 1);
    let failure = &told["failures"][0];
    assert_eq!(
        (&failure["kind"], &failure["id"]),
        (&json!("page"), &json!("instances"))
    );
    assert_eq!(failure["error"], "States.QueryEvaluationError");
}

#[test]
fn a_run_of_which_both_kinds_break_still_says_so() {
    let more = json!({ "instances": [{ "kind": "instance" }], "clusters": [{ "kind": "cluster" }] });
    let (ended, _) = copy_fleet(&plan(&[], &[], &more), |_, _| Err(failed_child("BadInput")));
    assert_eq!(
        told(&ended.expect_err("broken"))["counts"],
        json!({ "copied": 0, "copiedNotPruned": 0, "current": 0, "underWay": 0, "nothing": 0, "notReady": 0, "unsupported": 0, "planned": 0, "retired": 0, "failed": 2 })
    );
}

#[test]
fn a_child_that_tells_no_outcome_counts_as_failed() {
    let (ended, _) = copy_fleet(&plan(&["a"], &["b"], &json!({})), |state, _| match state {
        "CopyInstance" => Ok(json!({ "Output": {} })),
        _ => Ok(child("copied")),
    });
    let told = told(&ended.expect_err("no outcome"));
    assert_eq!(
        (&told["counts"]["copied"], &told["counts"]["failed"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn a_listing_that_fails_ends_the_run_with_the_functions_own_words() {
    let machine = state_machine("copy-fleet");
    for name in Error::NAMES {
        let mut run = InstantExecution::new(&machine, "nightly", |state, _| match state {
            "ListTargets" => Err(Failure::from_function(
                name,
                "only[0]: no such database. Check the name.",
            )),
            _ => Ok(json!({ "MessageId": "1" })),
        });
        let failure = run.run(json!({})).expect_err("failed");
        assert_eq!(failure.error, *name);
        assert_eq!(
            failure.cause.as_deref(),
            Some("only[0]: no such database. Check the name.")
        );
    }
}

#[test]
fn the_input_goes_to_list_targets_untouched() {
    let machine = state_machine("copy-fleet");
    for input in [
        json!({}),
        json!({ "only": ["orders"], "dryRun": true }),
        json!({ "source": "aws.rds", "detail": {} }),
    ] {
        let mut run = InstantExecution::new(&machine, "nightly", |_, arguments| {
            assert_eq!(
                arguments["Payload"],
                json!({
                    "request": input,
                    "run": {
                        "execution": "nightly",
                        "arn": "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:nightly",
                    },
                    "log": { "run": "nightly", "execution": "nightly" },
                })
            );
            Ok(plan(&[], &[], &json!({})))
        });
        run.run(input.clone()).expect("all well");
    }
}

/// The messages of a run with this input, sent or tried to be sent; of a listing that fails, or of a plan.
fn messages(input: &Value, listed: &Result<Value, Failure>, sends: bool) -> (Failure, Vec<Value>) {
    let machine = state_machine("copy-fleet");
    let messages = RefCell::new(Vec::new());
    let mut run = InstantExecution::new(&machine, "nightly", |state, arguments| match state {
        "ListTargets" => listed.clone(),
        "NotifyFailures" | "NotifyListingFailure" => {
            messages.borrow_mut().push(arguments.clone());
            if sends {
                Ok(json!({ "MessageId": "1" }))
            } else {
                Err(Failure::from_function("SNS.AuthorizationErrorException", "not you"))
            }
        }
        _ => Err(failed_child("KeyNotUsable")),
    });
    let failure = run.run(input.clone()).expect_err("failed");
    drop(run);
    (failure, messages.into_inner())
}

#[test]
fn a_run_with_failures_sends_one_message_with_names_reasons_and_links() {
    let plan = plan(&["orders", "stock"], &["billing"], &json!({}));
    let (failure, sent) = messages(&json!({}), &Ok(plan), true);
    let executions: Vec<String> = entries(&told(&failure)["failures"])
        .iter()
        .map(|failure| failure["execution"].as_str().expect("a name").to_owned())
        .collect();
    let [message] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(
        message["TopicArn"],
        "arn:aws:sns:us-east-1:123456789012:snapferry-AlertsTopic"
    );
    assert_eq!(
        message["Subject"],
        "Snapferry: 3 of 3 databases not copied to eu-west-1"
    );
    let text = message["Message"].as_str().expect("text");
    let link = "https://console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution";
    for (name, execution) in ["instance orders", "instance stock", "cluster billing"]
        .iter()
        .zip(&executions)
    {
        let told = format!("{name}: KeyNotUsable\n  {link}:snapferry-copy-snapshot:{execution}\n");
        assert!(text.contains(&told), "{text}");
    }
    assert!(
        text.contains(&format!("The run: {link}:snapferry-copy-fleet:nightly")),
        "{text}"
    );
}

#[test]
fn the_message_of_a_whole_page_of_failures_fits_and_counts_those_it_does_not_name() {
    let ids: Vec<String> = (0..500).map(|number| format!("{number:063}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (_, sent) = messages(&json!({}), &Ok(plan(&ids, &[], &json!({}))), true);
    let text = sent[0]["Message"].as_str().expect("text");
    assert!(text.len() < 32 * 1024, "{}", text.len());
    assert!(text.contains("and 480 more"), "{text}");
    assert!(sent[0]["Subject"].as_str().expect("text").len() <= 100);
}

#[test]
fn a_message_that_cannot_be_sent_changes_nothing_about_the_run() {
    let (failure, tried) = messages(&json!({}), &Ok(plan(&["orders"], &[], &json!({}))), false);
    assert_eq!(told(&failure)["counts"]["failed"], 1);
    assert!(!tried.is_empty());

    let (failure, tried) = messages(&json!({}), &Err(Failure::from_function("AccessDenied", "no")), false);
    assert_eq!(
        (failure.error.as_str(), failure.cause.as_deref()),
        ("AccessDenied", Some("no"))
    );
    assert!(!tried.is_empty());
}

#[test]
fn a_page_and_a_mistyped_input_send_no_message_of_their_own() {
    let page = json!({ "page": { "kind": "instance", "cursor": "db-A", "number": 2, "root": "nightly", "execution": "nightly-pi2" } });
    let denied = Err(Failure::from_function("AccessDenied", "no"));
    assert!(
        messages(&page, &Ok(plan(&["orders"], &[], &json!({}))), true)
            .1
            .is_empty()
    );
    assert!(messages(&page, &denied, true).1.is_empty());
    let mistyped = Err(Failure::from_function("BadInput", "onyl: is unknown"));
    assert!(messages(&json!({ "onyl": [] }), &mistyped, true).1.is_empty());

    let (_, sent) = messages(&json!({}), &denied, true);
    let text = sent[0]["Message"].as_str().expect("text");
    assert!(text.contains("AccessDenied: no"), "{text}");
    assert!(text.contains("execution:snapferry-copy-fleet:nightly"), "{text}");
}

#[test]
fn the_functions_of_a_copy_get_its_run_for_their_logs() {
    let machine = state_machine("copy-snapshot");
    let logs = RefCell::new(std::collections::BTreeMap::new());
    let mut execution = InstantExecution::new(&machine, "i-orders-0a1b2c3d", |state, arguments| {
        logs.borrow_mut()
            .insert(state.to_owned(), arguments["Payload"]["log"].clone());
        let mut plain = arguments.clone();
        plain["Payload"]["log"] = json!({ "run": "i-orders-0a1b2c3d", "execution": "i-orders-0a1b2c3d" });
        Ok(answer(state, &plain, "copy"))
    });
    let by = json!({
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:nightly",
    });
    execution.run(with(&target(false), &by)).expect("a copy");
    drop(execution);
    let logs = logs.into_inner();
    assert_eq!(logs.len(), 4, "{logs:?}");
    for (state, log) in logs {
        assert_eq!(
            log,
            json!({ "run": "nightly", "execution": "i-orders-0a1b2c3d" }),
            "{state}"
        );
    }
}

/// m1: the first deployment is advised to be a dry run, which lists what would fail and fails nobody's evening.
#[test]
fn a_dry_run_in_which_copies_would_fail_succeeds_and_sends_no_message() {
    let machine = state_machine("copy-fleet");
    let plan = plan(&["orders", "erp"], &[], &json!({ "dryRun": true }));
    let mut execution = InstantExecution::new(&machine, "nightly", |state, arguments| match state {
        "ListTargets" => Ok(plan.clone()),
        "CopyInstance" if arguments["Input"]["id"] == "erp" => Err(failed_child("OptionGroupMissing")),
        "CopyInstance" => Ok(child("planned")),
        other => panic!("{other} is asked in a dry run"),
    });
    let output = execution.run(json!({ "dryRun": true })).expect("a success");
    assert_eq!(
        (&output["counts"]["planned"], &output["counts"]["failed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(output["failures"][0]["error"], "OptionGroupMissing");
}
