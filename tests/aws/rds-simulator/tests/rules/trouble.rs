//! Faults, holds, throttling, and what is counted.

use rds_simulator::{Action, Calls, Delivery, Fault};
use serde_json::json;

use crate::harness::{DESTINATION, Harness, SOURCE};

fn lab() -> Harness {
    Harness::new(json!({ "regions": { SOURCE: { "requestsPerSecond": 2, "instances": [
        { "id": "a", "snapshots": [{ "ageHours": 1 }] }
    ] } } }))
}

fn copy_fault(action: Action) -> Fault {
    Fault::new(Calls::to("CopyDBSnapshot"), action).times(1)
}

#[test]
fn too_many_requests_a_second_are_throttled_and_a_second_later_are_not() {
    let mut lab = lab();
    lab.ok(SOURCE, "DescribeDBInstances", &[]);
    lab.ok(SOURCE, "DescribeDBInstances", &[]);
    let (status, code, message) = lab.refused(SOURCE, "DescribeDBInstances", &[]);
    assert_eq!(
        (status, code.as_str(), message.as_str()),
        (400, "Throttling", "Rate exceeded")
    );
    lab.ok(DESTINATION, "DescribeDBInstances", &[]);
    lab.advance(1);
    lab.ok(SOURCE, "DescribeDBInstances", &[]);
    assert_eq!(lab.simulator.counters(lab.now).refusals.throttled, 1);
}

#[test]
fn an_injected_error_leaves_no_trace_in_the_account() {
    let mut lab = lab();
    lab.simulator
        .add_fault(Fault::error(Calls::to("CopyDBSnapshot"), "InternalFailure", "later").times(1));
    let source = lab.newest("a");
    let copy = [
        ("SourceDBSnapshotIdentifier", source.as_str()),
        ("TargetDBSnapshotIdentifier", "c"),
    ];
    let (_, code, message) = lab.refused(DESTINATION, "CopyDBSnapshot", &copy);
    assert_eq!((code.as_str(), message.as_str()), ("InternalFailure", "later"));
    assert_eq!(lab.status("c"), "gone");
    lab.ok(DESTINATION, "CopyDBSnapshot", &copy);
}

#[test]
fn a_bare_status_has_no_body_and_no_effect() {
    let mut lab = lab();
    lab.simulator.add_fault(copy_fault(Action::Status(503)));
    let source = lab.newest("a");
    let copy = [
        ("SourceDBSnapshotIdentifier", source.as_str()),
        ("TargetDBSnapshotIdentifier", "c"),
    ];
    let (response, _) = lab.response(DESTINATION, "CopyDBSnapshot", &copy);
    assert_eq!((response.status, response.body.as_str()), (503, ""));
    assert_eq!(lab.status("c"), "gone");
}

#[test]
fn a_dropped_late_or_held_reply_comes_after_the_effect() {
    for (number, delivery) in [
        Delivery::Dropped,
        Delivery::After(std::time::Duration::from_secs(3)),
        Delivery::Held(1),
    ]
    .into_iter()
    .enumerate()
    {
        let mut lab = lab();
        match delivery {
            Delivery::Dropped => lab.simulator.add_fault(copy_fault(Action::DropReply)),
            Delivery::After(_) => lab.simulator.add_fault(copy_fault(Action::DelaySeconds(3.0))),
            _ => assert_eq!(lab.simulator.hold(Calls::to("CopyDBSnapshot")), 1),
        }
        let source = lab.newest("a");
        let copy = [
            ("SourceDBSnapshotIdentifier", source.as_str()),
            ("TargetDBSnapshotIdentifier", "c"),
        ];
        let (response, found) = lab.response(DESTINATION, "CopyDBSnapshot", &copy);
        assert_eq!((response.status, found), (200, delivery));
        assert_ne!(lab.status("c"), "gone");
        let writes = lab.simulator.writes();
        assert_eq!(writes[0].reply, ["dropped", "delayed", "held"][number]);
        assert_eq!(writes[0].outcome, "ok");
    }
}

#[test]
fn a_hold_counts_who_waits_until_it_is_released() {
    let mut lab = lab();
    let hold = lab.simulator.hold(Calls::to("DescribeDB*").in_region(DESTINATION));
    lab.ok(SOURCE, "DescribeDBInstances", &[]);
    lab.ok(DESTINATION, "DescribeDBInstances", &[]);
    lab.ok(DESTINATION, "DescribeDBSnapshots", &[]);
    assert_eq!(lab.simulator.holds()[0].waiting, 2);
    lab.simulator.leave(hold);
    assert_eq!(
        (lab.simulator.holds()[0].waiting, lab.simulator.holds()[0].caught),
        (1, 2)
    );
    assert!(lab.simulator.is_held(hold));
    assert!(lab.simulator.release(hold));
    assert!(!lab.simulator.is_held(hold));
}

#[test]
fn calls_are_counted_by_operation_region_and_caller_and_writes_are_remembered() {
    let mut lab = lab();
    lab.copy("a", "c");
    "another".clone_into(&mut lab.caller);
    lab.code(DESTINATION, "DeleteDBSnapshot", &[("DBSnapshotIdentifier", "nothing")]);
    lab.ok(SOURCE, "DescribeDBInstances", &[]);
    let counters = lab.simulator.counters(lab.now);
    assert_eq!(counters.calls["CopyDBSnapshot"][DESTINATION], 1);
    assert_eq!(counters.calls["DescribeDBInstances"][SOURCE], 1);
    assert_eq!(counters.callers["tester"]["CopyDBSnapshot"], 1);
    assert_eq!(counters.callers["another"]["DeleteDBSnapshot"], 1);
    assert_eq!(counters.errors["DBSnapshotNotFound"], 1);
    let writes = lab.simulator.writes();
    let told: Vec<(&str, &str, &str, &str)> = writes
        .iter()
        .map(|write| {
            (
                write.operation.as_str(),
                write.identifier.as_str(),
                write.caller.as_str(),
                write.outcome.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("CopyDBSnapshot", "c", "tester", "ok"),
            ("DeleteDBSnapshot", "nothing", "another", "DBSnapshotNotFound")
        ]
    );
    assert_eq!(writes[0].source.as_deref(), Some(lab.newest("a").as_str()));
}
