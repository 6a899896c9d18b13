use domain::drill::DrillOutcome;
use domain::drill_proof::{DrillProof, Passed};
use fixtures::{copy_of, metered_watch, watch_with, world_with};
use rds_simulator_sdk::World;
use runtime::metrics::Metric;
use serde_json::json;
use ssm::AllProofs;

use super::*;

/// Verified copies of an instance and of a cluster, and an unverified one.
fn world() -> World {
    world_with(
        |source| source,
        |region| {
            let verified = |id: &str| copy_of(id, &format!("db-{id}")).aged(5).marked("2026-11-22T11:00:00Z");
            region
                .snapshot(verified("orders").seed())
                .snapshot(verified("billing").kind(DatabaseKind::Cluster).seed())
                .snapshot(copy_of("new", "db-new").aged(1).seed())
        },
    )
}

fn input(request: Value) -> Input {
    Input {
        request,
        run: Run {
            _name: "a-run".to_owned(),
            arn: "arn:a-run".to_owned(),
        },
    }
}

fn proof(world: &World, outcome: DrillOutcome, last_passed: Option<Passed>) -> DrillProof {
    DrillProof {
        time: world.now(),
        outcome,
        reason: String::new(),
        copy: "snap-orders".to_owned(),
        database: "orders".to_owned(),
        data_time: None,
        minutes: Some(17),
        checked: Vec::new(),
        gone_at: None,
        execution: String::new(),
        last_passed,
    }
}

async fn plan(world: &World, proofs: &AllProofs, request: Value) -> Result<Plan, Error> {
    handle(
        &watch_with(world, "PlanDrills", &[]),
        proofs,
        input(request),
        world.now(),
    )
    .await
}

#[tokio::test]
async fn each_drill_has_a_name_and_an_execution_that_follow_from_the_copy_and_the_run() {
    let world = world();
    let planned = plan(&world, &AllProofs::new(), json!({})).await.expect("a plan");
    let again = plan(&world, &AllProofs::new(), json!({"Comment": "again"}))
        .await
        .expect("a plan");
    assert_eq!(planned, again);
    let [billing, orders] = &planned.drills[..] else {
        panic!("{planned:?}")
    };
    assert_eq!((billing.kind, billing.id.as_str()), (DatabaseKind::Cluster, "billing"));
    assert!(
        orders.name.starts_with("snap-drill-") && orders.name.ends_with("-orders"),
        "{}",
        orders.name
    );
    assert!(orders.execution.starts_with("i-orders-") && billing.execution.starts_with("c-billing-"));
    assert!(
        planned.warnings[0].starts_with("1 databases have copies, and no verified one"),
        "{planned:?}"
    );
}

#[tokio::test]
async fn bad_input_is_refused_by_the_name_of_its_field() {
    let world = world();
    for (request, said) in [
        (json!({"onyl": []}), "onyl"),
        (json!({"only": []}), "only: names 0 databases"),
        (json!({"only": ["orders", "table:orders"]}), "only[1]"),
        (
            json!({"only": ["orders", "nowhere"]}),
            "only[1]: there is no verified copy of nowhere here",
        ),
        (
            json!({"only": ["new"]}),
            "only[0]: there is no verified copy of new here",
        ),
        (json!([]), "input"),
    ] {
        let error = plan(&world, &AllProofs::new(), request.clone())
            .await
            .expect_err("refused");
        assert_eq!(error.name(), "BadInput");
        assert!(error.to_string().contains(said), "{request}: {error}");
    }
}

#[tokio::test]
async fn what_drills_have_proved_is_measured() {
    let world = world();
    let earlier = Passed {
        time: "2026-11-12T12:00:00Z".parse().expect("a time"),
        minutes: 40,
    };
    let proofs = AllProofs::from([(
        (DatabaseKind::Instance, "db-orders".to_owned()),
        proof(&world, DrillOutcome::Failed, Some(earlier.clone())),
    )]);
    let (watch, measured) = metered_watch(watch_with(&world, "PlanDrills", &[]));
    let planned = handle(&watch, &proofs, input(json!({"only": ["orders"]})), world.now()).await;
    assert_eq!(planned.expect("a plan").drills[0].last_passed, Some(earlier));
    assert_eq!(measured.values(Metric::DRILLS_FAILED), [1.0]);
    assert_eq!(measured.values(Metric::DATABASES_NOT_DRILLED), [1.0]);
    assert_eq!(measured.values(Metric::DRILL_AGE_DAYS), [10.0]);
    assert_eq!(measured.values(Metric::RESTORE_MINUTES), [40.0]);

    let (watch, measured) = metered_watch(watch_with(&world, "PlanDrills", &[]));
    handle(&watch, &AllProofs::new(), input(json!({})), world.now())
        .await
        .expect("a plan");
    assert_eq!(
        measured.values(Metric::DRILLS_FAILED),
        Vec::<f64>::new(),
        "nothing is proved yet"
    );
}
