//! Faults, holds, throttling, and what is counted.

use rds_simulator::{Action, Calls, Delivery, Fault};
use serde_json::json;

use crate::lab::{DESTINATION, Lab, SOURCE};

fn lab() -> Lab {
    Lab::new(json!({ "regions": { SOURCE: { "requestsPerSecond": 2, "instances": [
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

#[test]
fn every_error_of_a_key_can_be_injected_by_its_code_with_the_status_that_it_has() {
    let mut lab = lab();
    for (code, status) in [
        ("NotFoundException", 400),
        ("DisabledException", 400),
        ("KMSInvalidStateException", 400),
        ("AccessDeniedException", 400),
        ("ThrottlingException", 400),
        ("DependencyTimeoutException", 503),
        ("KMSInternalException", 500),
    ] {
        let fault = json!({ "operation": "DescribeKey", "times": 1, "action": { "error": { "code": code } } });
        lab.simulator.add_fault(serde_json::from_value(fault).unwrap());
        let (found, reply) = lab.describe_key(DESTINATION, "alias/aws/rds");
        assert_eq!((found, &reply["__type"]), (status, &json!(code)));
        assert_ne!(reply["message"], "", "{code}");
    }
    assert_eq!(lab.describe_key(DESTINATION, "alias/aws/rds").0, 200);
    let fault = json!({ "operation": "CopyDBSnapshot", "action": { "error": { "code": "KMSKeyNotAccessibleFault" } } });
    lab.simulator.add_fault(serde_json::from_value(fault).unwrap());
    let (status, code, message) = lab.refused(DESTINATION, "CopyDBSnapshot", &[]);
    assert_eq!((status, code.as_str()), (400, "KMSKeyNotAccessibleFault"));
    assert!(message.contains("not enabled"), "{message}");
}

#[test]
fn a_listing_may_miss_a_snapshot_or_have_it_twice() {
    let mut lab = lab();
    lab.copy("a", "acme-1");
    let listed = |lab: &mut Lab| lab.ids(DESTINATION, "DescribeDBSnapshots", &[]);
    for (action, expected) in [("missing", 0), ("twice", 2)] {
        let fault = json!({ "operation": "DescribeDBSnapshots", "times": 1, "action": { action: "acme-*" } });
        lab.simulator.add_fault(serde_json::from_value(fault).unwrap());
        assert_eq!(listed(&mut lab).len(), expected);
        assert_eq!(listed(&mut lab), ["acme-1"], "one call only");
    }
}

#[test]
fn a_new_copy_is_missing_from_listings_for_as_long_as_the_scenario_says() {
    let mut lab = Lab::new(
        json!({ "settings": { "listingLagSeconds": 20 }, "regions": { SOURCE: { "instances": [
        { "id": "a", "snapshots": [{ "ageHours": 1 }] }
    ] } } }),
    );
    lab.copy("a", "c");
    lab.advance(19);
    assert!(lab.ids(DESTINATION, "DescribeDBSnapshots", &[]).is_empty());
    assert_eq!(
        lab.ids(DESTINATION, "DescribeDBSnapshots", &[("DBSnapshotIdentifier", "c")]),
        ["c"]
    );
    lab.advance(1);
    assert_eq!(lab.ids(DESTINATION, "DescribeDBSnapshots", &[]), ["c"]);
}

#[test]
fn a_share_of_all_calls_is_throttled_the_same_ones_every_time() {
    let throttled = |share: f64| -> Vec<u16> {
        let mut lab = lab();
        lab.simulator
            .add_fault(Fault::new(Calls::default(), Action::Throttle).share(share));
        (0..1000)
            .map(|_| lab.response(DESTINATION, "DescribeDBInstances", &[]).0.status)
            .collect()
    };
    let hit = |statuses: &[u16]| statuses.iter().filter(|status| **status == 400).count();
    let some = throttled(0.1);
    assert!((60..140).contains(&hit(&some)), "{}", hit(&some));
    assert_eq!(some, throttled(0.1));
    assert_eq!((hit(&throttled(0.0)), hit(&throttled(1.0))), (0, 1000));
}
