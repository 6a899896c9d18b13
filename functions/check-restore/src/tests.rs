use domain::drill::{Description, DrilledCopy};
use domain::tags;
use fixtures::{DESTINATION, watch_with, world_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::Database;

use super::*;

const NAME: &str = "snap-drill-01234567-orders";
const CHECK: (&str, &str) = (
    "CHECK_FUNCTION_ARN",
    "arn:aws:lambda:eu-west-1:123456789012:function:check",
);

fn world(database: Option<Database>) -> World {
    world_with(
        |source| source,
        |region| {
            database
                .into_iter()
                .fold(region, rds_simulator_sdk::scenario::Region::instance)
        },
    )
}

fn marked(database: Database) -> Database {
    database.tag(tags::DRILL_OWNER, "us-east-1/snap")
}

/// A drill that asked for its database this many minutes ago.
fn drill(world: &World, minutes: i64) -> Drill {
    let requested_at = world.now() - SignedDuration::from_mins(minutes);
    let found = world.state();
    let database = found.database(DESTINATION, NAME);
    let given = |text: Option<&String>| text.cloned().unwrap_or_default();
    Drill {
        kind: DatabaseKind::Instance,
        id: "orders".to_owned(),
        resource_id: "db-ORDERS".to_owned(),
        copy: DrilledCopy {
            id: "snap-orders".to_owned(),
            arn: "arn:aws:rds:eu-west-1:123456789012:snapshot:snap-orders".to_owned(),
        },
        name: NAME.to_owned(),
        execution: "i-orders-0a1b2c3d".to_owned(),
        last_passed: None,
        waiting: None,
        restore: Some(Restore {
            state: RestoreState::Restoring,
            requested_at,
            until: requested_at + SignedDuration::from_hours(4),
            data_time: requested_at,
            expected: Description {
                engine: given(database.map(|database| &database.engine)),
                engine_version: given(database.map(|database| &database.engine_version)),
                ..Description::default()
            },
            class: None,
            with_instance: false,
            wait: RestoreWait {
                seconds: 60,
                waited_seconds: 60,
            },
            available_at: None,
            minutes: None,
            checked: Vec::new(),
            events: Vec::new(),
            check: None,
        }),
        answer: None,
        verdict: None,
        release: None,
    }
}

async fn checked(world: &World, variables: &[(&str, &str)], drill: Drill) -> Drill {
    let watch = watch_with(world, "CheckRestore", variables);
    handle(&watch, drill, world.now()).await.expect("an answer")
}

async fn verdict(world: &World, drill: Drill) -> Verdict {
    checked(world, &[], drill).await.verdict.expect("a verdict")
}

#[tokio::test]
async fn a_database_that_is_what_was_copied_passes_with_its_minutes() {
    let world = world(Some(marked(Database::new(NAME))));
    let passed = checked(&world, &[], drill(&world, 17)).await;
    let restore = passed.restore.expect("a restore");
    assert_eq!((restore.minutes, restore.state), (Some(17), RestoreState::Done));
    assert_eq!(restore.checked, [DrillCheck::Description, DrillCheck::Events]);
    assert_eq!(
        passed.verdict.map(|verdict| verdict.outcome),
        Some(DrillOutcome::Passed)
    );
}

#[tokio::test]
async fn a_database_that_differs_from_its_copy_fails() {
    let world = world(Some(marked(Database::new(NAME))));
    let mut drill = drill(&world, 17);
    if let Some(restore) = &mut drill.restore {
        restore.expected.engine_version = "9.6".to_owned();
    }
    let drill = checked(&world, &[], drill).await;
    assert_eq!(drill.restore.expect("a restore").checked, [DrillCheck::Description]);
    let verdict = drill.verdict.expect("a verdict");
    assert_eq!(verdict.outcome, DrillOutcome::Failed);
    assert!(verdict.reason.contains("the version is"), "{}", verdict.reason);
}

#[tokio::test]
async fn a_database_without_the_mark_is_a_persons_and_not_judged() {
    let world = world(Some(Database::new(NAME)));
    let verdict = verdict(&world, drill(&world, 17)).await;
    assert!(
        verdict.outcome == DrillOutcome::NotRun && verdict.reason.contains("a person keeps it"),
        "{verdict:?}"
    );
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn a_database_that_is_not_listed_yet_is_waited_for_and_one_that_vanished_is_not() {
    let world = world(None);
    let waiting = checked(&world, &[], drill(&world, 9)).await;
    assert_eq!(waiting.verdict, None);
    assert_eq!(waiting.restore.map(|restore| restore.wait.seconds), Some(54));
    let verdict = verdict(&world, drill(&world, 11)).await;
    assert!(
        verdict.outcome == DrillOutcome::NotRun && verdict.reason.contains("is gone"),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn the_operators_function_gets_a_password_that_rds_made() {
    let world = world(Some(marked(Database::new(NAME))));
    let asked = checked(&world, &[CHECK], drill(&world, 17)).await;
    assert_eq!(asked.verdict, None, "the password is being made");
    world.finish_databases();
    world.advance(std::time::Duration::from_mins(2));
    let ready = checked(&world, &[CHECK], asked).await;
    let restore = ready.restore.as_ref().expect("a restore");
    assert_eq!(
        (restore.state, restore.minutes),
        (RestoreState::ReadyForCheck, Some(17))
    );
    let check = restore.check.as_ref().expect("what the function gets");
    assert_eq!((check.identifier.as_str(), check.deadline), (NAME, restore.until));
    assert!(check.secret_arn.contains(":secret:rds!"), "{}", check.secret_arn);
    let answered = Drill {
        answer: Some(serde_json::json!({"passed": true})),
        ..ready
    };
    let judged = checked(&world, &[CHECK], answered).await;
    let all = [DrillCheck::Description, DrillCheck::Events, DrillCheck::Function];
    assert_eq!(judged.restore.expect("a restore").checked, all, "each once");
    assert_eq!(judged.verdict.expect("a verdict").outcome, DrillOutcome::Passed);
}

#[tokio::test]
async fn without_a_restore_there_is_nothing_to_check() {
    let world = world(None);
    let none = Drill {
        restore: None,
        ..drill(&world, 1)
    };
    let error = handle(&watch_with(&world, "CheckRestore", &[]), none, world.now()).await;
    assert_eq!(error.expect_err("refused").name(), "BadInput");
}
