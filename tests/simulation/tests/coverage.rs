//! Every Task under every error: the runner of the simulation must come to what `tests/deployment/scenarios.json` says,
//! as the interpreter of the static tests and MiniStack do.

#![allow(missing_docs)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use deployment::{Coverage, Failure, text};
use fixtures::{DESTINATION, KEY, settings_with, world};
use rds_simulator_sdk::BEGINNING;
use serde_json::{Value, json};
use simulation::functions::{Broken, Functions};
use simulation::machines::machines;
use simulation::network::Network;
use simulation::random::Random;
use simulation::record::Record;
use simulation::step_functions::{Status, StepFunctions};
use simulation::virtual_time::Tasks;
use simulation::watch::Watch;

/// What came of a scenario.
fn story(coverage: &Rc<Coverage>, scenario: &Value) -> Value {
    let settings = settings_with(&[("OWNER_ID", "snapferry")]);
    let tasks = Tasks::beginning_at(BEGINNING);
    let record = Record::new(tasks.clock(), false);
    let watch = Watch::new(&settings, vec![KEY.to_owned()], &record);
    let random = |purpose| Random::new(1, purpose);
    let world = world(|region| region);
    let network = Network::new(&world, DESTINATION, tasks.clock(), &record, &watch, random("network"));
    let functions = Functions::new(
        &tasks,
        &network,
        &record,
        &watch,
        &settings,
        random("functions"),
        Broken::Nothing,
    );
    let steps = StepFunctions::new(
        &tasks,
        &functions,
        &network,
        &record,
        random("steps"),
        machines(24, 7, Broken::Nothing),
    );
    let attempts: Rc<RefCell<BTreeMap<String, usize>>> = Rc::default();
    let (counted, scripts) = (Rc::clone(&attempts), Rc::clone(coverage));
    let script = scenario["script"].clone();
    steps.follow_script(move |state| {
        let mut counted = counted.borrow_mut();
        let turn = counted.entry(state.to_owned()).or_default();
        *turn += 1;
        scripts.come_to(&script, state, *turn - 1)
    });
    let machine = scenario["machine"].as_str().expect("a machine");
    let execution = steps
        .start(machine, "covered", coverage.input(machine))
        .expect("a new name");
    tasks.run(BEGINNING + jiff::SignedDuration::from_hours(24 * 90), || {
        execution.ended.is_kept()
    });
    let mut story = match execution.ended.kept() {
        Some(Status::Succeeded(output)) => Coverage::of_success(machine, &output),
        Some(Status::Failed(Failure { error, cause })) => json!({ "status": "FAILED", "error": error, "cause": cause }),
        other => panic!("{scenario} ends as {other:?}"),
    };
    story["attempts"] = json!(*attempts.borrow());
    Coverage::without_digests(&story)
}

#[test]
fn the_runner_comes_to_what_the_other_interpreters_come_to() {
    let coverage = Rc::new(Coverage::read(&text("tests/deployment/scenarios.json")));
    let scenarios = coverage.scenarios();
    assert!(scenarios.len() > 200, "{}", scenarios.len());
    for scenario in scenarios {
        let mut expected = scenario["came"].clone();
        expected.as_object_mut().expect("an object").remove("path");
        assert_eq!(story(&coverage, scenario), expected, "{scenario}");
    }
}
