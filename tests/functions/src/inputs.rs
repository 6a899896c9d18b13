//! Inputs that nobody foresaw: good ones with something wrong put into them.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// Any JSON, not too deep.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[a-z:/.-]{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_-]{0,12}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// One of `corpus`, with up to four of its values replaced, removed, or joined by another field.
pub fn spoilt(corpus: Vec<Value>) -> impl Strategy<Value = Value> {
    let change = (any::<Index>(), 0_u8..3, any_json());
    (prop::sample::select(corpus), prop::collection::vec(change, 0..5)).prop_map(|(mut input, changes)| {
        for (at, what, value) in changes {
            let places = places(&input);
            let place = at.get(&places);
            match (what, place.rsplit_once('/')) {
                (0, Some((parent, field))) => {
                    if let Some(Value::Object(fields)) = input.pointer_mut(parent) {
                        fields.remove(&field.replace("~1", "/").replace("~0", "~"));
                    }
                }
                (1, _) => {
                    if let Some(Value::Object(fields)) = input.pointer_mut(place) {
                        fields.insert("another".to_owned(), value);
                    }
                }
                _ => {
                    if let Some(there) = input.pointer_mut(place) {
                        *there = value;
                    }
                }
            }
        }
        input
    })
}

/// Pointers to every value of `input`, itself first.
fn places(input: &Value) -> Vec<String> {
    let mut places = vec![String::new()];
    let mut next = 0;
    while next < places.len() {
        let place = places[next].clone();
        match input.pointer(&place) {
            Some(Value::Object(fields)) => {
                let escaped = |field: &String| field.replace('~', "~0").replace('/', "~1");
                places.extend(fields.keys().map(|field| format!("{place}/{}", escaped(field))));
            }
            Some(Value::Array(items)) => places.extend((0..items.len()).map(|at| format!("{place}/{at}"))),
            _ => {}
        }
        next += 1;
    }
    places
}

/// Inputs of copy-fleet: by hand, of the schedule, of RDS events in the spellings that AWS
/// documents, of an event subscription, of EventBridge Scheduler, of a next page.
#[must_use]
pub fn executions() -> Vec<Value> {
    let event = |detail_type: &str, arn: &str, id: &str, event_id: &str| {
        json!({
            "version": "0", "id": "844e2571-85d4-695f-b930-0153b71dcb42", "detail-type": detail_type,
            "source": "aws.rds", "account": "123456789012", "time": "2026-11-22T12:26:13Z", "region": "us-east-1",
            "resources": [arn],
            "detail": {"EventCategories": ["creation"], "SourceType": "SNAPSHOT", "SourceArn": arn, "EventID": event_id,
                "Date": "2026-11-22T12:26:13.882Z", "SourceIdentifier": id, "Message": "Automated snapshot created"},
        })
    };
    vec![
        json!({}),
        json!({"only": ["orders", "cluster:billing", "instance:orders"], "dryRun": true, "Comment": "by hand"}),
        json!({"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:us-east-1:123456789012:execution:a:b"}),
        json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "region": "us-east-1", "detail": {}}),
        event(
            "RDS DB Snapshot Event",
            "arn:aws:rds:us-east-1:123456789012:db:orders-2026-11-22-12-24",
            "rds:orders-2026-11-22-12-24",
            "RDS-EVENT-0091",
        ),
        event(
            "RDS DB Cluster Snapshot Event",
            "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:rds:billing-2026-11-22-12-24",
            "billing-2026-11-22-12-24",
            "RDS-EVENT-0169",
        ),
        json!({"Event Source": "db-snapshot", "Source ID": "rds:orders-2026-11-22-12-24", "Event Message": "Automated snapshot created",
            "Source ARN": "arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-2026-11-22-12-24",
            "Event ID": "http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.html#RDS-EVENT-0091"}),
        json!({"ExecutionId": "d32c5kddcf5bb8c3", "ScheduledTime": "2026-11-22T05:00:00Z", "AttemptNumber": "1"}),
        json!({"page": {"kind": "instance", "cursor": "db-ABC", "number": 2, "root": "nightly"}, "dryRun": false}),
    ]
}

/// Inputs of copy-snapshot and of the functions after it.
///
/// # Panics
/// Never: a source is JSON.
#[must_use]
pub fn payloads() -> Vec<Value> {
    let target = json!({
        "kind": "instance", "id": "orders", "resourceId": "db-ORDERS", "dryRun": false,
        "policy": {"kmsKeyArn": crate::KEY, "optionGroup": "copies-tz", "keep": {"copies": 5, "days": 30}, "holdAll": true},
        "rules": {"destinationRegion": crate::DESTINATION, "kmsKeyArn": crate::KEY, "keepCopies": 3},
    });
    let source = serde_json::to_value(crate::source()).expect("JSON");
    let found = json!({
        "target": target, "decision": "copy", "outcome": "pending", "reason": "rds:orders-1 has no copy yet", "source": source,
        "attempt": 0, "warnings": ["it is not encrypted"],
    });
    let checked = json!({
        "target": target, "formerIds": ["sales"], "decision": "join", "outcome": "pending", "reason": "under way",
        "source": source, "status": {"state": "copying", "percent": 12, "remainingSeconds": 600},
        "copy": {"id": "snap-orders-1", "arn": "arn:aws:rds:eu-west-1:123456789012:snapshot:snap-orders-1",
            "region": crate::DESTINATION, "kmsKeyArn": crate::KEY, "requestedAt": "2026-11-22T04:00:00Z", "attempt": 0},
        "wait": {"seconds": 30, "waitedSeconds": 30, "polls": 1, "shortened": 0},
    });
    vec![target, found, checked]
}
