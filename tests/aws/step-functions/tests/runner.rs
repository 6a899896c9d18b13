//! What AWS does and emulators often do not.

#![allow(missing_docs)]

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::{Value, json};
use step_functions::{
    Clock, Expressions, Failure, InstantExecution, NestedExecution, Observer, Runner, STARTED, StateMachine, Task,
    Tasks, Work,
};

fn machine(states: Value) -> StateMachine {
    let mut definition = json!({ "QueryLanguage": "JSONata", "StartAt": "First" });
    definition["States"] = states;
    StateMachine::new("tested", definition)
}

/// Runs a machine of which each Task answers with its own name, or fails with the error that is its argument.
fn run(states: Value, input: Value) -> Result<Value, Failure> {
    let machine = machine(states);
    let mut execution = InstantExecution::new(&machine, "once", |state, arguments| match arguments.as_str() {
        Some(error) => Err(Failure::new(error, "because")),
        None => Ok(json!(state)),
    });
    execution.run(input)
}

#[test]
fn a_state_without_output_hands_on_its_result_the_error_or_its_input() {
    let end = json!({ "Type": "Succeed" });
    let task = json!({ "Type": "Task", "Resource": "r", "Next": "End" });
    let fails = json!({
        "Type": "Task", "Resource": "r", "Arguments": "Broken",
        "Catch": [{ "ErrorEquals": ["States.TaskFailed"], "Next": "End" }], "Next": "End",
    });
    let pass = json!({ "Type": "Pass", "Next": "End" });
    for (first, expected) in [
        (task, json!("First")),
        (fails, json!({ "Error": "Broken", "Cause": "because" })),
        (pass, json!(7)),
    ] {
        assert_eq!(run(json!({ "First": first, "End": end }), json!(7)), Ok(expected));
    }
}

#[test]
fn a_choice_assigns_what_the_rule_that_it_takes_says_and_the_state_itself_only_by_default() {
    let states = json!({
        "First": {
            "Type": "Choice",
            "Choices": [{ "Condition": "{% $states.input > 1 %}", "Assign": { "size": "large" }, "Next": "End" }],
            "Assign": { "size": "small" }, "Default": "End",
        },
        "End": { "Type": "Succeed", "Output": "{% $size %}" },
    });
    assert_eq!(run(states.clone(), json!(2)), Ok(json!("large")));
    assert_eq!(run(states, json!(1)), Ok(json!("small")));
}

#[test]
fn output_and_assign_of_a_state_do_not_see_each_other_and_iterations_have_variables_of_their_own() {
    let states = json!({
        "First": { "Type": "Pass", "Assign": { "name": "outer" }, "Next": "Each" },
        "Each": {
            "Type": "Map", "Items": [1, 2], "Next": "End",
            "ItemProcessor": {
                "ProcessorConfig": { "Mode": "INLINE" }, "StartAt": "Renames",
                "States": {
                    "Renames": { "Type": "Pass", "Assign": { "name": "inner" }, "Output": "{% $name %}", "Next": "Ends" },
                    "Ends": { "Type": "Succeed", "Output": "{% [$states.input, $name] %}" },
                },
            },
        },
        "End": { "Type": "Succeed", "Output": "{% {'each': $states.input, 'name': $name} %}" },
    });
    let each = json!(["outer", "inner"]);
    assert_eq!(
        run(states, json!({})),
        Ok(json!({ "each": [each, each], "name": "outer" }))
    );
}

#[test]
fn an_expression_without_a_result_is_an_error() {
    let states = json!({
        "First": { "Type": "Pass", "Output": "{% $states.input.missing %}", "Next": "End" },
        "End": { "Type": "Succeed" },
    });
    let failure = run(states, json!({})).expect_err("undefined");
    assert_eq!(failure.error, "States.QueryEvaluationError");
}

#[test]
fn what_is_too_large_or_too_long_ends_an_execution_whatever_it_catches() {
    let everything = json!([{ "ErrorEquals": ["States.ALL"], "Next": "End" }]);
    let task = json!({
        "Type": "Task", "Resource": "r", "Catch": everything, "Next": "End",
        "Output": format!("{{% $pad('', {}) %}}", 262_144),
    });
    let failure = run(json!({ "First": task, "End": { "Type": "Succeed" } }), json!({}));
    assert_eq!(failure.expect_err("large").error, "States.DataLimitExceeded");

    let circle = json!({ "First": { "Type": "Wait", "Seconds": 1, "Next": "First" } });
    assert_eq!(run(circle, json!({})).expect_err("long").error, "States.Runtime");
}

#[test]
fn each_retrier_counts_for_itself() {
    let machine = machine(json!({
        "First": {
            "Type": "Task", "Resource": "r", "Next": "End",
            "Retry": [
                { "ErrorEquals": ["A"], "MaxAttempts": 2 },
                { "ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1 },
            ],
        },
        "End": { "Type": "Succeed" },
    }));
    let errors = std::cell::RefCell::new(vec!["A", "B", "A", "A"].into_iter());
    let mut execution = InstantExecution::new(&machine, "once", |_, _| {
        let error = errors.borrow_mut().next();
        error.map_or(Ok(json!("done")), |error| Err(Failure::new(error, "")))
    });
    assert_eq!(execution.run(json!({})).expect_err("three of A").error, "A");
}

#[test]
#[should_panic(expected = "does not know the field ResultPath")]
fn a_field_that_the_runner_would_overlook_is_refused() {
    machine(json!({ "First": { "Type": "Pass", "ResultPath": "$.x", "Next": "First" } }));
}

#[test]
fn the_cause_of_a_nested_execution_is_cut_where_aws_cuts_it() {
    let child = NestedExecution::new("arn:aws:states:us-east-1:1:stateMachine:child", "name", &json!({}));
    let failure = child.failed("FAILED", Some(&Failure::new("E", "ü".repeat(40_000))));
    assert_eq!(failure.error, "States.TaskFailed");
    assert!((32_760..=32_768).contains(&failure.cause.expect("a cause").len()));
}

/// A clock on which so many seconds pass, and then no more.
struct Passing(u64);

impl Clock for Passing {
    fn sleep(&self, time: Duration) -> Work<'_, ()> {
        if time.as_secs() <= self.0 {
            Box::pin(async {})
        } else {
            Box::pin(std::future::pending())
        }
    }
}

struct Nothing;

impl Tasks for Nothing {
    fn perform<'t>(&'t self, task: Task<'t>) -> Work<'t, Result<Value, Failure>> {
        panic!("{task:?}")
    }
}

impl Observer for Nothing {}

#[test]
fn an_execution_that_takes_longer_than_its_machine_allows_ends_whatever_it_is_doing() {
    let machine = StateMachine::new(
        "timed",
        json!({
            "QueryLanguage": "JSONata", "StartAt": "Waits", "TimeoutSeconds": 60,
            "States": {
                "Waits": { "Type": "Wait", "Seconds": 3600, "Next": "Ends" },
                "Ends": { "Type": "Succeed" },
            },
        }),
    );
    let ended_after = |seconds: u64| {
        let (clock, expressions) = (Passing(seconds), Expressions::default());
        let runner = Runner {
            expressions: &expressions,
            clock: &clock,
            tasks: &Nothing,
            observer: &Nothing,
        };
        let context = machine.context("once", STARTED, 0, &json!({}));
        let run = pin!(runner.run(&machine, &context, json!(7)));
        match run.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
        }
    };
    assert_eq!(ended_after(59), None);
    assert_eq!(ended_after(60), Some(Err(Failure::timeout())));
    assert_eq!(ended_after(3600), Some(Ok(json!(7))), "the states are asked first");
}

#[test]
#[should_panic(expected = "does not know the field TimeoutSeconds")]
fn only_a_machine_and_a_task_have_a_timeout() {
    let branch = json!({ "StartAt": "Ends", "TimeoutSeconds": 60, "States": { "Ends": { "Type": "Succeed" } } });
    machine(json!({
        "First": { "Type": "Parallel", "Branches": [branch], "Next": "End" },
        "End": { "Type": "Succeed" },
    }));
}

#[test]
fn an_execution_knows_when_it_began() {
    let states = json!({ "First": { "Type": "Succeed", "Output": "{% $states.context.Execution.StartTime %}" } });
    assert_eq!(run(states, json!({})), Ok(json!(STARTED)));
}
