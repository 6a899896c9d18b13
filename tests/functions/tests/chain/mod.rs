//! copy-snapshot by hand: the five functions one after another, as the state machine calls them, in virtual time.

use std::time::Duration;

use domain::error::Error;
use domain::payload::{Decision, Found, Problem, Pruned, StartAnswer, Started, Target};
use domain::settings::Settings;
use fixtures::deployment_with;
use list_targets::Keys;
use rds_simulator_sdk::World;
use runtime::deployment::Deployment;
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
        outcomes.push(Box::pin(copy_snapshot(world, settings, target)).await);
    }
    Ok(outcomes)
}

/// Finds, copies, waits, verifies and prunes, unless preflight found that a copy would fail; every value passes through
/// JSON, as between states.
pub(crate) async fn copy_snapshot(world: &World, settings: &Settings, target: Target) -> Result<Value, Problem> {
    let problem_of = |error: Error| Problem::from(&error);
    let of = |caller| deployment_with(world, caller, settings.clone());
    let found = loop {
        let target = pass(&target).map_err(problem_of)?;
        let found = Box::pin(find_latest_snapshot::handle(
            &of("FindLatestSnapshot"),
            target,
            world.now(),
        ))
        .await;
        let found = found.map_err(problem_of)?;
        if found.decision != Decision::Verify {
            break found;
        }
        wait(world, settings, to_json(&found)).await.map_err(problem_of)?;
    };
    match found.target.problem.clone() {
        Some(problem) if found.decision == Decision::Copy => Err(problem),
        _ => follow(world, settings, &found).await.map_err(problem_of),
    }
}

async fn follow(world: &World, settings: &Settings, found: &Found) -> Result<Value, Error> {
    let of = |caller| deployment_with(world, caller, settings.clone());
    let mut payload = to_json(found);
    let copies = match found.decision {
        Decision::Nothing | Decision::Unsupported | Decision::UnderWay | Decision::Wait => return Ok(payload),
        Decision::Copy | Decision::Join | Decision::Verify => !found.target.dry_run,
        Decision::Current | Decision::Retired => false,
    };
    if copies && found.decision == Decision::Copy {
        payload = to_json(&start(world, &of("StartCopy"), pass(found)?).await?);
    }
    if copies {
        payload = wait(world, settings, payload).await?;
    }
    let pruned: Pruned = prune_old::handle(&of("PruneOld"), parse(payload)?, world.now()).await?;
    Ok(to_json(&pruned))
}

/// Waits until RDS has taken the copy.
async fn start(world: &World, deployment: &Deployment, mut found: Found) -> Result<Started, Error> {
    loop {
        match start_copy::handle(deployment, found, world.now()).await? {
            StartAnswer::Started(started) => return Ok(*started),
            StartAnswer::Waiting(waiting) => {
                let wait = waiting.waiting.as_ref().expect("a wait");
                world.advance(Duration::from_secs(wait.seconds));
                found = *waiting;
            }
        }
    }
}

/// Waits until the copy is verified.
async fn wait(world: &World, settings: &Settings, mut payload: Value) -> Result<Value, Error> {
    let deployment = deployment_with(world, "CheckCopyStatus", settings.clone());
    while payload["status"]["state"] != "verified" {
        let wait = payload["wait"]["seconds"].as_u64().expect("a wait");
        world.advance(Duration::from_secs(wait));
        payload = to_json(&check_copy_status::handle(&deployment, parse(payload)?, world.now()).await?);
    }
    Ok(payload)
}

fn pass<I: serde::Serialize, O: serde::de::DeserializeOwned>(value: &I) -> Result<O, Error> {
    parse(to_json(value))
}

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}
