//! How time passes.

use serde_json::json;

use crate::harness::{DESTINATION, Harness, SOURCE};

fn lab() -> Harness {
    Harness::new(json!({ "regions": { SOURCE: { "instances": [
        { "id": "a", "snapshots": [{ "ageHours": 1 }], "copies": { "durationSeconds": 100 } },
        { "id": "b", "snapshots": [{ "ageHours": 1 }], "copies": { "durationSeconds": 0 } }
    ] } } }))
}

#[test]
fn the_time_scale_speeds_copies_up_from_when_it_is_set() {
    let mut lab = lab();
    lab.copy("a", "c");
    lab.advance(50);
    lab.simulator.set_time_scale(lab.now, 10.0).unwrap();
    assert_eq!(lab.snapshot(DESTINATION, "c").unwrap().percent, 50);
    lab.advance(4);
    assert_eq!(lab.snapshot(DESTINATION, "c").unwrap().percent, 90);
    lab.advance(1);
    assert_eq!(lab.status("c"), "available");
}

#[test]
fn a_clock_that_steps_back_stops_time() {
    let mut lab = lab();
    lab.copy("a", "c");
    lab.advance(50);
    assert_eq!(lab.snapshot(DESTINATION, "c").unwrap().percent, 50);
    let later = lab.now;
    lab.now = "2026-11-22T11:00:00Z".parse().unwrap();
    assert_eq!(lab.snapshot(DESTINATION, "c").unwrap().percent, 50);
    lab.now = later;
    lab.advance(50);
    assert_eq!(lab.status("c"), "available");
}

#[test]
fn a_copy_of_no_length_is_there_at_the_next_poll() {
    let mut lab = lab();
    lab.copy("b", "c");
    assert_eq!(lab.status("c"), "available");
}

#[test]
fn the_next_end_is_known() {
    let mut lab = lab();
    assert_eq!(lab.simulator.until_next_end(lab.now), None);
    lab.copy("a", "c");
    lab.advance(30);
    assert_eq!(lab.simulator.until_next_end(lab.now).unwrap().as_secs(), 70);
}

#[test]
fn slot_use_is_the_share_of_slots_taken_while_any_was() {
    let mut lab = Harness::new(json!({ "regions": {
        SOURCE: { "instances": [
            { "id": "a", "snapshots": [{ "ageHours": 1 }], "copies": { "durationSeconds": 100 } },
            { "id": "b", "snapshots": [{ "ageHours": 1 }], "copies": { "durationSeconds": 300 } }] },
        DESTINATION: { "copySlots": { "instances": 2, "clusters": 1 } }
    } }));
    lab.copy("a", "a");
    lab.copy("b", "b");
    lab.advance(1000);
    let copies = lab.simulator.counters(lab.now).copies[DESTINATION].instances;
    assert!((copies.slot_seconds - 400.0).abs() < 0.01, "{copies:?}");
    assert!((copies.busy_seconds - 300.0).abs() < 0.01, "{copies:?}");
    assert!((copies.slot_use - 2.0 / 3.0).abs() < 0.001, "{copies:?}");
}
