use std::collections::BTreeSet;

use domain::drill::DrillOutcome;
use domain::restorability::Missing;
use fixtures::{CopyBuilder, DESTINATION, KEY, Measured, copy_of, metered_watch, watch_with, world_with};
use kms::Keys;
use proptest::prelude::*;
use rds_simulator_sdk::World;
use serde_json::{Value, json};

use super::*;

/// Below what Step Functions lets a state hand on (256 KiB), with room for what the machine adds.
const MAX_BYTES: usize = 240 * 1024;

fn verified(number: u32) -> CopyBuilder {
    copy_of(&format!("orders-{number:03}"), &format!("db-{number:03}"))
        .aged(5)
        .key(KEY)
        .marked("2026-11-22T11:00:00Z")
}

fn world_of(count: u32) -> World {
    world_with(
        |source| source,
        |region| (0..count).fold(region, |region, number| region.snapshot(verified(number).seed())),
    )
}

fn proof_of(outcome: DrillOutcome, reason: &str) -> DrillProof {
    DrillProof {
        time: "2026-11-22T03:10:00Z".parse().expect("a time"),
        outcome,
        reason: reason.to_owned(),
        copy: "snapferry-orders-000".to_owned(),
        database: "orders-000".to_owned(),
        data_time: None,
        minutes: Some(20),
        checked: Vec::new(),
        gone_at: None,
        execution: "d-orders-000".to_owned(),
        last_passed: None,
    }
}

async fn asked(world: &World, proofs: &AllProofs, input: Value) -> (Value, Measured) {
    let (watch, measured) = metered_watch(watch_with(world, "tests", &[]).with_release("0.1.0+abc".to_owned()));
    let lookups = Lookups {
        keys: Keys::new(world.kms_client(DESTINATION, "tests")),
        proofs,
    };
    let input = serde_json::from_value(json!({ "evidence": input })).expect("an input");
    let answer = crate::handle(&watch, &lookups, input, world.now()).await;
    (serde_json::to_value(answer.expect("evidence")).expect("JSON"), measured)
}

#[tokio::test]
async fn a_record_says_of_each_database_what_could_be_restored_and_what_a_drill_has_proved() {
    let world = world_of(2);
    world.disable_key(DESTINATION, KEY);
    let proof = proof_of(DrillOutcome::Passed, "");
    let proofs = AllProofs::from([((DatabaseKind::Instance, "db-000".to_owned()), proof)]);
    let (part, measured) = asked(&world, &proofs, json!({ "part": 1 })).await;

    let record = &part["record"];
    for (field, value) in [
        ("format", json!(1)),
        ("release", json!("0.1.0+abc")),
        ("stack", json!("snapferry-watch")),
        ("region", json!(DESTINATION)),
        ("sourceRegion", json!(fixtures::SOURCE)),
        ("part", json!(1)),
        ("databasesInAll", json!(2)),
        ("withoutCopy", json!(0)),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    let [first, second] = record["databases"].as_array().expect("databases").as_slice() else {
        panic!("{record}");
    };
    assert_eq!(
        (&first["id"], &first["resourceId"]),
        (&json!("orders-000"), &json!("db-000"))
    );
    assert_eq!(
        (&first["ageHours"], &first["withinObjective"]),
        (&json!(5.0), &json!(true))
    );
    assert_eq!(
        (&first["restorable"], &first["copy"]["kmsKeyArn"]),
        (&json!("no"), &json!(KEY))
    );
    assert!(
        first["reasons"][0]
            .as_str()
            .is_some_and(|said| said.contains("is Disabled"))
    );
    assert_eq!(first["lastDrill"]["outcome"], "passed");
    assert_eq!(second.get("lastDrill"), None);
    assert_eq!(part.get("next"), None);
    assert!(
        measured.values(runtime::metrics::Metric::DATABASES).is_empty(),
        "it measures nothing"
    );

    let page = part["page"].as_str().expect("a page");
    for text in [
        "orders-000",
        "orders-001",
        "is Disabled",
        "passed, 2026-11-22T03:10:00Z",
        "never",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[tokio::test]
async fn every_database_is_in_one_part_and_a_page_leads_to_the_next() {
    let world = world_of(70);
    let proofs = AllProofs::new();
    let mut seen = Vec::new();
    let mut after = Value::Null;
    for number in 1..=3 {
        let (part, _) = asked(&world, &proofs, json!({ "part": number, "after": after })).await;
        let databases = part["record"]["databases"].as_array().expect("databases").clone();
        seen.extend(
            databases
                .iter()
                .map(|one| one["id"].as_str().expect("a name").to_owned()),
        );
        assert_eq!(part["record"]["databasesInAll"], 70);
        let link = format!("part-{:03}.html", number + 1);
        assert_eq!(
            part["page"].as_str().expect("a page").contains(&link),
            number < 3,
            "{number}"
        );
        after = part.get("next").cloned().unwrap_or_default();
    }
    assert_eq!(after, Value::Null);
    assert_eq!(seen.len(), 70);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 70);
}

fn newest(kind: DatabaseKind, number: u32, text: &str) -> NewestCopy {
    let at: Timestamp = "2026-11-22T03:10:00Z".parse().expect("a time");
    let mut needs = RestoreNeeds::new(&fixtures::snapshot("rds:orders"));
    needs.kms_key_arn = Some(text.repeat(120));
    needs.engine.version = text.repeat(40);
    NewestCopy {
        kind,
        name: text.repeat(63),
        resource_id: format!("db-{number:03}{}", text.repeat(26)),
        id: text.repeat(255),
        arn: text.repeat(330),
        size_gib: Some(i32::MAX),
        drill_every: None,
        created: at,
        data_at: at,
        needs,
    }
}

/// The longest that everything can be, of characters that a page has to write by their numbers where it can meet them.
#[test]
fn the_longest_part_and_its_page_fit_into_a_payload() {
    let now: Timestamp = "2026-11-23T03:10:00Z".parse().expect("a time");
    let said = "\u{1f600}\u{00e9}<".repeat(MAX_REASON);
    let databases = (0..).take(DATABASES_PER_PART).map(|number| {
        let restorability = Restorability {
            verdict: Verdict::No,
            missing: vec![
                Missing::OptionGroup {
                    name: said.clone(),
                    region: said.clone()
                };
                5
            ],
            warnings: Vec::new(),
        };
        let proof = proof_of(DrillOutcome::Failed, &"\u{1f600}".repeat(300));
        database(
            newest(DatabaseKind::Cluster, number, "a"),
            true,
            &restorability,
            Some(proof),
            SignedDuration::ZERO,
            now,
        )
    });
    let record = Record {
        format: 1,
        time: now,
        release: "r".repeat(64),
        stack: "s".repeat(128),
        owner: "o".repeat(64),
        region: "eu-central-1".to_owned(),
        source_region: "eu-west-1".to_owned(),
        objective_hours: 26,
        part: 1,
        databases_in_all: 1_000_000,
        without_copy: 1_000_000,
        databases: databases.collect(),
    };
    let page = page(&record, true);
    let part = Part {
        record,
        page,
        next: Some("n".repeat(64)),
    };
    let bytes = serde_json::to_vec(&part).expect("JSON").len();
    assert!(bytes < MAX_BYTES, "{bytes} bytes");
}

proptest! {
    /// Whatever comes and goes between two parts: what was there all the time is in exactly one of them, in order.
    #[test]
    fn what_is_there_all_the_time_is_in_exactly_one_part(
        count in 0_u32..180,
        gone in proptest::collection::btree_set(0_u32..180, 0..40),
        old in proptest::collection::btree_set(0_u32..180, 0..40),
    ) {
        let databases = |without: &BTreeSet<u32>| {
            let copies = |is_old: bool| {
                let numbers = (0..count).filter(|number| !without.contains(number) && old.contains(number) == is_old);
                numbers.map(|number| newest(DatabaseKind::Instance, number, "a")).collect()
            };
            Databases { current: copies(false), left_behind: copies(true), without_copy: 0 }
        };
        let mut seen = Vec::new();
        let mut after = None;
        let mut parts = 0;
        loop {
            let now = if parts == 0 { databases(&BTreeSet::new()) } else { databases(&gone) };
            let (chosen, next) = choose(now, after.as_deref());
            parts += 1;
            prop_assert!(chosen.len() <= DATABASES_PER_PART);
            for (copy, left_behind) in &chosen {
                let number: u32 = copy.resource_id[3..6].parse().expect("a number");
                prop_assert_eq!(*left_behind, old.contains(&number));
                seen.push(number);
            }
            after = next;
            if after.is_none() { break; }
        }
        let stayed: Vec<u32> = (0..count).filter(|number| !gone.contains(number)).collect();
        let seen_of_those: Vec<u32> = seen.iter().copied().filter(|number| !gone.contains(number)).collect();
        prop_assert_eq!(seen_of_those, stayed);
        prop_assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
    }

    /// Written as JSON or as it is, the page is the same, and text in it is only text.
    #[test]
    fn nothing_in_a_page_has_to_be_escaped_in_json(text in "\\PC{0,80}|[<>&'\"\\\\\n\t]{0,20}") {
        let mut copy = newest(DatabaseKind::Instance, 1, "a");
        copy.name.clone_from(&text);
        let proof = proof_of(DrillOutcome::Failed, &text);
        let now = copy.created;
        let restorability = Restorability::default();
        let one = database(copy, false, &restorability, Some(proof), SignedDuration::ZERO, now);
        let record = Record {
            format: 1, time: now, release: text.clone(), stack: text.clone(), owner: text.clone(),
            region: text.clone(), source_region: text.clone(), objective_hours: 1, part: 1, databases_in_all: 1,
            without_copy: 0, databases: vec![one],
        };
        let page = page(&record, false);
        prop_assert_eq!(serde_json::to_string(&page).expect("JSON"), format!("\"{page}\""));
        prop_assert!(page.is_ascii());
        prop_assert_eq!(page.matches("<tr>").count(), 2);
    }
}
