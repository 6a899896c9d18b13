use proptest::prelude::*;
use serde_json::json;

use super::*;

fn values(input: Value) -> Vec<Value> {
    let found = open(input).expect("an input");
    found.into_iter().map(|inner| inner.value).collect()
}

/// One layer around an input: as a text where the layer carries texts.
fn wrapped(input: &Value, layer: u8) -> Value {
    let text = input.to_string();
    match layer % 6 {
        0 => json!([input]),
        1 => json!(text),
        2 => json!({"Records": [{"EventSource": "aws:sns", "Sns": {"TopicArn": "arn", "Message": text}}]}),
        3 => json!({"Type": "Notification", "TopicArn": "arn", "Message": text}),
        4 => json!({"messageId": "1", "eventSource": "aws:sqs", "body": text}),
        _ => json!({"StateMachineArn": "arn", "Input": text, "Name": "<aws.scheduler.execution-id>"}),
    }
}

proptest! {
    #[test]
    fn what_is_inside_is_the_same_whatever_is_around_it(
        layers in prop::collection::vec(any::<u8>(), 0..4),
        at in any::<prop::sample::Index>(),
    ) {
        let inputs = fixtures::inputs::executions();
        let input = at.get(&inputs);
        let outer = layers.iter().fold(input.clone(), |inner, layer| wrapped(&inner, *layer));
        prop_assert_eq!(values(outer), vec![input.clone()]);
    }
}

#[test]
fn an_empty_input_asks_for_everything_wherever_it_is() {
    for empty in [
        json!(null),
        json!(""),
        json!(" "),
        json!("{}"),
        json!({"StateMachineArn": "arn"}),
        json!({"StateMachineArn": "arn", "Input": ""}),
    ] {
        assert_eq!(values(empty.clone()), [json!({})], "{empty}");
    }
}

#[test]
fn each_event_of_a_batch_is_found_with_its_place() {
    let found =
        open(json!([{"a": 1}, {"Records": [{"Sns": {"TopicArn": "t", "Message": "{\"b\": 2}"}}]}])).expect("two");
    let found: Vec<(&str, &Value)> = found.iter().map(|inner| (inner.at.as_str(), &inner.value)).collect();
    assert_eq!(
        found,
        [
            ("[0]", &json!({"a": 1})),
            ("[1].Records[0].Sns.Message", &json!({"b": 2}))
        ]
    );
}

#[test]
fn what_is_no_input_and_what_never_ends_is_refused() {
    let deep = (0..40).fold(json!({}), |inner, _| json!([inner]));
    let many = Value::Array(vec![json!({}); MAX_EVENTS + 1]);
    for (input, says) in [
        (json!([]), "input: is not a JSON object"),
        (json!([7]), "input[0]: is not a JSON object"),
        (json!("all of them"), "input: is not a JSON object"),
        (json!("true"), "input: is not a JSON object"),
        (deep, "more than 20 layers"),
        (many, "input: has 101 events, and 100 is the most"),
    ] {
        let error = open(input).expect_err(says);
        assert_eq!(error.name(), "BadInput");
        assert!(error.to_string().contains(says), "{error}");
    }
}
