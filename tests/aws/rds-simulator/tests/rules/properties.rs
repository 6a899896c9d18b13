//! What holds whatever happens.

use proptest::collection::vec;
use proptest::prelude::*;
use rds_simulator::scenario::{Database, Fleet, Region, Scenario};

use crate::harness::{DESTINATION, Harness, SOURCE, values};

/// One thing that can happen.
#[derive(Clone, Debug)]
enum Event {
    Copy(usize),
    Delete(usize),
    Wait(u64),
    Scale(u32),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..12_usize).prop_map(Event::Copy),
        1 => (0..40_usize).prop_map(Event::Delete),
        2 => (0..300_u64).prop_map(Event::Wait),
        1 => (1..5_u32).prop_map(Event::Scale),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_more_copies_are_in_flight_than_there_are_slots_and_none_is_lost(
        events in vec(event(), 1..120),
        slots in 1..6_u32,
        durations in vec(0..400_u32, 12),
    ) {
        let scenario = Scenario::new()
            .region(SOURCE, |region| {
                durations.iter().enumerate().fold(region, |region: Region, (index, seconds)| {
                    let database = Database::new(&format!("d{index}")).snapshots_aged([1.0]).copies_take(f64::from(*seconds));
                    region.instance(if index % 4 == 3 { database.copies_fail(50, 1) } else { database })
                })
            })
            .region(DESTINATION, |region| region.slots(slots, 1).quota(1000, 1000));
        let mut lab = Harness::from_scenario(&scenario);
        let mut accepted = 0_u64;
        let mut number = 0;
        for event in events {
            match event {
                Event::Copy(index) => {
                    let source = lab.newest(&format!("d{index}"));
                    let target = format!("c{number}");
                    number += 1;
                    let parameters = [
                        ("SourceDBSnapshotIdentifier", source.as_str()),
                        ("TargetDBSnapshotIdentifier", target.as_str()),
                    ];
                    let (response, _) = lab.response(DESTINATION, "CopyDBSnapshot", &parameters);
                    if response.status == 200 {
                        accepted += 1;
                    }
                }
                Event::Delete(index) => {
                    let id = format!("c{index}");
                    lab.response(DESTINATION, "DeleteDBSnapshot", &[("DBSnapshotIdentifier", &id)]);
                }
                Event::Wait(seconds) => lab.advance(seconds),
                Event::Scale(scale) => lab.simulator.set_time_scale(lab.now, f64::from(scale)).unwrap(),
            }
            let copies = lab.simulator.counters(lab.now).copies.get(DESTINATION).copied().unwrap_or_default().instances;
            let at_work = lab
                .simulator
                .state(lab.now)
                .snapshots(DESTINATION)
                .iter()
                .filter(|copy| ["pending", "creating", "copying"].contains(&copy.status.as_str()))
                .count();
            prop_assert!(copies.peak_in_flight <= u64::from(slots));
            prop_assert_eq!(copies.in_flight, at_work as u64);
            prop_assert_eq!(copies.started, accepted);
            prop_assert_eq!(copies.started, copies.in_flight + copies.completed + copies.failed + copies.vanished);
        }
        // Whatever is under way ends.
        lab.advance(1_000_000);
        let copies = lab.simulator.counters(lab.now).copies.get(DESTINATION).copied().unwrap_or_default().instances;
        prop_assert_eq!(copies.in_flight, 0);
        prop_assert!(copies.slot_use <= 1.0 + 1e-6);
    }

    #[test]
    fn pages_tell_each_database_once(count in 0..260_u32, size in 20..=100_u32) {
        let mut fleet = Fleet::new(SOURCE, DESTINATION, count, 0);
        fleet.snapshot_ages.clear();
        let mut lab = Harness::from_scenario(&fleet.scenario());
        let (size, mut marker, mut told) = (size.to_string(), None::<String>, vec![]);
        loop {
            let mut parameters = vec![("MaxRecords", size.as_str())];
            if let Some(marker) = &marker {
                parameters.push(("Marker", marker));
            }
            let page = lab.ok(SOURCE, "DescribeDBInstances", &parameters);
            let ids = values(&page, "DBInstanceIdentifier");
            prop_assert!(ids.len() <= size.parse::<usize>().unwrap());
            told.extend(ids);
            marker = values(&page, "Marker").pop();
            if marker.is_none() {
                break;
            }
        }
        told.sort();
        let all: Vec<String> = (1..=count).map(|number| format!("instance-{number:04}")).collect();
        prop_assert_eq!(told, all);
    }

    #[test]
    fn progress_never_goes_back_and_the_total_time_does_not_depend_on_how_often_one_looks(
        steps in vec(1..40_u64, 1..40),
        seconds in 1..1000_u32,
    ) {
        let scenario = Scenario::new().region(SOURCE, |region| {
            region.instance(Database::new("a").snapshots_aged([1.0]).copies_take(f64::from(seconds)))
        });
        let mut lab = Harness::from_scenario(&scenario);
        lab.copy("a", "c");
        let (mut last, mut passed) = (0, 0);
        for step in steps {
            lab.advance(step);
            passed += step;
            let copy = lab.snapshot(DESTINATION, "c").unwrap();
            prop_assert!(copy.percent >= last);
            last = copy.percent;
            prop_assert_eq!(copy.status == "available", passed >= u64::from(seconds));
        }
    }
}
