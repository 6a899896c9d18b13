//! copy-snapshot by hand: the five functions one after another, as the state machine calls them, in virtual time.

use std::time::Duration;

use domain::error::Error;
use domain::payload::{Decision, Problem, Pruned, Target};
use domain::settings::Settings;
use fixtures::deployment_with;
use list_targets::Keys;
use rds_simulator_sdk::World;
use runtime::input::parse;
use serde_json::{Value, json};

/// Runs list-targets for `request` and then copy-snapshot for each target, in turn.
pub(crate) async fn run(
    world: &World,
    settings: &Settings,
    request: Value,
) -> Result<Vec<Result<Value, Problem>>, Error> {
    let deployment = deployment_with(world, "ListTargets", settings.clone());
    let input = parse(json!({"request": request, "run": {"execution": "a-run", "arn": "arn:a-run"}}))?;
    let keys = Keys::new(world.kms_client(&settings.destination_region, "ListTargets"));
    let plan = list_targets::handle(&deployment, &keys, input, world.now()).await?;
    let mut outcomes = Vec::new();
    for mut target in plan.instances.into_iter().chain(plan.clusters) {
        target.rules = Some(plan.rules.clone());
        target.dry_run = plan.dry_run;
        outcomes.push(copy_snapshot(world, settings, target).await);
    }
    Ok(outcomes)
}

/// Finds, copies, waits, verifies and prunes, unless preflight found that it would fail; every value passes through JSON, as between states.
pub(crate) async fn copy_snapshot(world: &World, settings: &Settings, target: Target) -> Result<Value, Problem> {
    if let Some(problem) = target.problem {
        return Err(problem);
    }
    follow(world, settings, target)
        .await
        .map_err(|error| Problem::from(&error))
}

async fn follow(world: &World, settings: &Settings, target: Target) -> Result<Value, Error> {
    let of = |caller| deployment_with(world, caller, settings.clone());
    let found = find_latest_snapshot::handle(&of("FindLatestSnapshot"), pass(&target)?, world.now()).await?;
    let mut payload = to_json(&found);
    let copies = match found.decision {
        Decision::Nothing | Decision::Unsupported => return Ok(payload),
        Decision::Copy | Decision::Join => !found.target.dry_run,
        Decision::Current | Decision::Retired => false,
    };
    if copies && found.decision == Decision::Copy {
        payload = to_json(&start_copy::handle(&of("StartCopy"), pass(&found)?, world.now()).await?);
    }
    while copies && payload["status"]["state"] != "verified" {
        let wait = payload["wait"]["seconds"].as_u64().expect("a wait");
        world.advance(Duration::from_secs(wait));
        payload = to_json(&check_copy_status::handle(&of("CheckCopyStatus"), parse(payload)?, world.now()).await?);
    }
    let pruned: Pruned = prune_old::handle(&of("PruneOld"), parse(payload)?, world.now()).await?;
    Ok(to_json(&pruned))
}

fn pass<I: serde::Serialize, O: serde::de::DeserializeOwned>(value: &I) -> Result<O, Error> {
    parse(to_json(value))
}

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}
