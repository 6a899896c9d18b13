use domain::kind::DatabaseKind;
use fixtures::{inputs, settings, settings_with};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::EventSnapshot;

fn read(input: Value) -> Result<Request, Error> {
    Request::read(input, &settings())
}

/// What an event about one automated snapshot asks for.
fn automated(kind: DatabaseKind, id: &str) -> Scope {
    Scope::Events(Events {
        snapshots: vec![EventSnapshot {
            kind,
            id: id.to_owned(),
            snapshot_type: "automated",
        }],
        nothing: Vec::new(),
    })
}

/// The sentences about events that ask for nothing.
fn nothing(input: Value) -> Vec<String> {
    match read(input).expect("a success").scope {
        Scope::Events(events) if events.snapshots.is_empty() => events.nothing,
        other => panic!("something is asked for: {other:?}"),
    }
}

fn rds_event(kind: &str, event_id: &str, source_identifier: &str) -> Value {
    json!({
        "version": "0", "id": "844e2571", "detail-type": kind, "source": "aws.rds", "account": "123456789012",
        "time": "2026-11-22T03:12:00Z", "region": "us-east-1", "resources": [],
        "detail": {
            "EventCategories": ["creation"], "SourceType": "SNAPSHOT", "SourceArn": "arn:aws:rds:us-east-1:1:db:odd",
            "Date": "2026-11-22T03:12:00Z", "SourceIdentifier": source_identifier,
            "Message": "Automated snapshot created", "EventID": event_id,
        },
    })
}

#[test]
fn an_empty_input_and_a_schedule_ask_for_everything() {
    let everything = Request {
        scope: Scope::All,
        dry_run: false,
        page: None,
    };
    assert_eq!(read(json!({})).expect("good"), everything);
    assert_eq!(
        read(json!({"Comment": "from the console", "AWS_STEP_FUNCTIONS_X": "y"})).expect("good"),
        everything
    );
    let scheduled = json!({
        "version": "0", "id": "53dc4d37", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "123456789012", "time": "2026-11-22T05:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/nightly"], "detail": {},
    });
    assert_eq!(read(scheduled).expect("good"), everything);
}

#[test]
fn an_operator_names_databases_with_or_without_their_kind() {
    let request = read(json!({"only": ["Orders", "cluster:billing"], "dryRun": true})).expect("good");
    assert!(request.dry_run);
    let Scope::Only(names) = request.scope else {
        panic!("named databases only")
    };
    assert_eq!(
        names[0],
        DatabaseName {
            kind: None,
            id: "orders".to_owned()
        }
    );
    assert_eq!(
        names[1],
        DatabaseName {
            kind: Some(DatabaseKind::Cluster),
            id: "billing".to_owned()
        }
    );
    assert!(names[0].matches(DatabaseKind::Instance, "orders") && names[0].matches(DatabaseKind::Cluster, "orders"));
    assert!(names[1].matches(DatabaseKind::Cluster, "billing") && !names[1].matches(DatabaseKind::Instance, "billing"));
}

#[test]
fn an_rds_event_asks_for_the_database_of_its_snapshot() {
    for (kind, detail_type, event_id) in [
        (DatabaseKind::Instance, "RDS DB Snapshot Event", "RDS-EVENT-0091"),
        (DatabaseKind::Cluster, "RDS DB Cluster Snapshot Event", "RDS-EVENT-0169"),
    ] {
        // Old samples leave the prefix out.
        for identifier in ["rds:orders-2026-11-22-03-10", "orders-2026-11-22-03-10"] {
            let request = read(rds_event(detail_type, event_id, identifier)).expect("good");
            assert_eq!(request.scope, automated(kind, "rds:orders-2026-11-22-03-10"));
        }
    }
}

#[test]
fn a_next_page_is_read_as_the_page_before_wrote_it() {
    let page = json!({"kind": "cluster", "cursor": "cluster-X", "number": 3, "root": "nightly"});
    let request = read(json!({"page": page, "dryRun": true, "only": ["cluster:billing"]})).expect("good");
    assert_eq!(
        request.page.map(|page| (page.number, page.root)),
        Some((3, "nightly".to_owned()))
    );
}

/// The next release may hand more to its next page, which this one then reads. A person has no reason to.
#[test]
fn a_next_page_may_have_fields_of_another_release_and_what_a_person_types_may_not() {
    let page = json!({"kind": "cluster", "cursor": "cluster-X", "number": 3, "root": "nightly", "ofNext": {}});
    let mut input = json!({"page": page, "dryRun": true, "ofNext": 1});
    input["page"]["release"] = json!("9.9.9");
    assert!(read(input.clone()).is_ok_and(|request| request.dry_run && request.page.is_some()));
    input["page"]["kind"] = json!("of-next");
    assert_eq!(read(input).expect_err("another kind").name(), "PayloadUnknown");
    are_refused(&[
        (
            json!({"page": page, "dryRun": true}),
            "page.ofNext: unknown field `ofNext`",
            "Correct the field",
        ),
        (
            json!({"release": "9.9.9", "only": ["orders"]}),
            "release: unknown field `release`",
            "Correct the field",
        ),
    ]);
}

fn are_refused(inputs: &[(Value, &str, &str)]) {
    for (input, begins, says) in inputs {
        let error = read(input.clone()).expect_err(begins);
        let text = error.to_string();
        assert_eq!(error.name(), "BadInput", "{input}");
        assert!(text.starts_with(begins) && text.contains(says), "{input}: {text}");
    }
}

#[test]
fn bad_input_is_refused_by_field_with_a_remedy() {
    are_refused(&[
        (json!([]), "input: is not a JSON object", "Start the execution with {}"),
        (
            json!("all"),
            "input: is not a JSON object",
            "Start the execution with {}",
        ),
        (
            json!({"onyl": ["orders"]}),
            "onyl: unknown field `onyl`",
            "expected one of `only`, `dryRun`, `page`",
        ),
        (json!({"dryRun": "yes"}), "dryRun: invalid type", "expected a boolean"),
        (json!({"only": "orders"}), "only: invalid type", "expected a sequence"),
        (
            json!({"only": ["orders", 7]}),
            "only[1]: invalid type",
            "expected a string",
        ),
        (json!({"only": []}), "only: is empty", "leave only out"),
        (
            json!({"only": [""]}),
            "only[0]: names no database",
            "Write a database's identifier",
        ),
        (
            json!({"only": ["table:orders"]}),
            "only[0]: \"table\" is not a kind of database",
            "cluster:<identifier>",
        ),
        (
            json!({"page": {"kind": "instance"}}),
            "page: missing field `cursor`",
            "Correct the field",
        ),
        (
            json!({"page": {"kind": "instance", "cursor": "", "number": 2, "root": "r"}}),
            "page: is not what a run hands",
            "Leave page out",
        ),
        (
            json!({"log": {"run": "mine"}}),
            "log: unknown field `log`",
            "Correct the field",
        ),
        (
            json!({"Comment": "from the console", "excutionId": "1"}),
            "excutionId: unknown field",
            "Correct the field",
        ),
        (
            json!({"only": (0..501).map(|at| format!("db-{at}")).collect::<Vec<_>>()}),
            "only: names 501 databases, and 500 is the most",
            "Start several runs",
        ),
    ]);
}

#[test]
fn an_event_that_starts_no_copy_is_refused_by_field_with_a_remedy() {
    are_refused(&[
        (
            json!({"detail-type": "EC2 Event"}),
            "detail-type: \"EC2 Event\" is not an event",
            "Send \"Scheduled Event\"",
        ),
        (
            rds_event("RDS DB Snapshot Event", "RDS-EVENT-0042", "orders-by-hand"),
            "detail.EventID: \"RDS-EVENT-0042\"",
            "Send RDS-EVENT-0091 only",
        ),
        (
            rds_event("RDS DB Cluster Snapshot Event", "RDS-EVENT-0091", "rds:billing-1"),
            "detail.EventID: \"RDS-EVENT-0091\"",
            "Send RDS-EVENT-0169 only",
        ),
        (
            json!({"detail-type": "RDS DB Snapshot Event", "detail": {"SourceIdentifier": " ", "SourceArn": ""}}),
            "detail.SourceIdentifier: is missing",
            "names its snapshot",
        ),
        (
            json!({"detail-type": "RDS DB Snapshot Event", "region": "us-west-2", "detail": {}}),
            "region: the event is of us-west-2",
            "Deploy a stack in that region",
        ),
        (
            json!([{}, rds_event("RDS DB Snapshot Event", "RDS-EVENT-0091", "rds:orders-1")]),
            "input[0]: is not an event",
            "Start one execution with each input",
        ),
        (
            subscription("db-snapshot", "rds:orders-1", "snapshot", "eu-west-3", "RDS-EVENT-0091"),
            "Records[0].Sns.Message.Source ARN: the event is of eu-west-3",
            "Deploy a stack in that region",
        ),
        (
            json!({"detail-type": "RDS DB Snapshot Event", "detail": 7}),
            "detail",
            "Correct the field",
        ),
    ]);
}

/// What SNS hands on of an RDS event subscription. The envelope: Lambda developer guide, Using AWS Lambda with Amazon RDS
/// (awsdocs/aws-lambda-developer-guide, doc_source/services-rds.md); `Source ARN` is in newer ones.
fn subscription(source: &str, id: &str, noun: &str, region: &str, event_id: &str) -> Value {
    let message = json!({
        "Event Source": source, "Event Time": "2026-11-26 16:11:39.735",
        "Identifier Link": format!("https://console.aws.amazon.com/rds/home?region={region}#snapshot:id={id}"),
        "Source ID": id, "Source ARN": format!("arn:aws:rds:{region}:123456789012:{noun}:{id}"),
        "Event ID": format!("http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.html#{event_id}"),
        "Event Message": "Automated snapshot created",
    });
    notified(&message.to_string())
}

fn notified(message: &str) -> Value {
    json!({"Records": [{
        "EventVersion": "1.0", "EventSource": "aws:sns",
        "EventSubscriptionArn": "arn:aws:sns:us-east-1:123456789012:rds-events:21be56ed",
        "Sns": {
            "SignatureVersion": "1", "Timestamp": "2026-11-26T16:11:40.000Z", "Signature": "EXAMPLE",
            "SigningCertUrl": "EXAMPLE", "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e", "Message": message,
            "MessageAttributes": {}, "Type": "Notification", "UnsubscribeUrl": "EXAMPLE",
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:rds-events", "Subject": "RDS Notification Message",
        },
    }]})
}

/// Every door that people use (kind 10): each shape as it is really sent.
#[test]
fn schedules_of_every_kind_ask_for_everything() {
    for (shape, source) in [
        // EventBridge Scheduler without an input: the detail is a text.
        (
            json!({
                "version": "0", "id": "37666ae6-48cf-4285-b4c6-a3320b38824a", "detail-type": "Scheduled Event",
                "source": "aws.scheduler", "account": "123456789012", "time": "2026-06-13T12:30:00Z",
                "region": "us-east-1", "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly"],
                "detail": "{}",
            }),
            "recorded events in public repositories",
        ),
        // EventBridge Scheduler user guide, Adding context attributes; the names are those of AWS's sample for Step
        // Functions (aws-samples/serverless-patterns, eventbridge-scheduler to Step Functions).
        (
            json!({
                "ExecutionId": "d32c5kddcf5bb8c3", "ScheduledTime": "2022-03-22T18:59:43Z",
                "ScheduleArn": "arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly", "AttemptNumber": "1",
            }),
            "context attributes",
        ),
        (
            json!({"aws.scheduler.execution-id": "d32c5kddcf5bb8c3", "scheduled_time": "2022-03-22T18:59:43Z"}),
            "context attributes, named by a person",
        ),
        // EventBridge Scheduler's universal target takes the parameters of StartExecution (Scheduler user guide, Using
        // universal targets).
        (
            json!({"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:x", "Input": "{}"}),
            "universal target",
        ),
        (json!("{}"), "a text that is JSON"),
        (json!(""), "no input"),
        (json!(null), "no input"),
        // The input that the Step Functions console proposes.
        (json!({"Comment": "Insert your JSON here"}), "the console"),
    ] {
        assert_eq!(
            read(shape.clone()).expect(source),
            Request::for_scope(Scope::All),
            "{source}: {shape}"
        );
    }
}

#[test]
fn a_schedule_may_narrow_a_run() {
    let input = json!({"only": ["orders"], "dryRun": true, "executionId": "<aws.scheduler.execution-id>"});
    let request = read(json!(input.to_string())).expect("good");
    assert!(request.dry_run && request.scope.names().is_some_and(|names| names.len() == 1));
}

#[test]
fn an_event_subscription_by_sns_asks_for_the_database_of_its_snapshot() {
    let instance = "rds:orders-2026-11-26-16-10";
    for input in [
        subscription("db-snapshot", instance, "snapshot", "us-east-1", "RDS-EVENT-0091"),
        // With raw message delivery the message comes alone.
        json!({"Event Source": "db-snapshot", "Source ID": instance, "Event ID": "http://docs#RDS-EVENT-0091"}),
        // Old notifications have no Source ID (public Lambda functions read the second line of the link instead).
        json!({
            "Event Source": "db-snapshot", "Event ID": "http://docs#RDS-EVENT-0091",
            "Identifier Link": format!("https://console.aws.amazon.com/rds/home#snapshot:\nSourceId: {instance}"),
        }),
        // Through SQS and EventBridge Pipes: a list of messages, whose body is the notification.
        json!([{"messageId": "1", "body": notified("")["Records"][0]["Sns"].as_object().map(|sns| {
            let mut sns = sns.clone();
            sns.insert("Message".to_owned(), json!(rds_event("RDS DB Snapshot Event", "RDS-EVENT-0091", instance).to_string()));
            json!(sns).to_string()
        })}]),
    ] {
        assert_eq!(
            read(input.clone()).expect("good").scope,
            automated(DatabaseKind::Instance, instance),
            "{input}"
        );
    }
    let cluster = subscription(
        "db-cluster-snapshot",
        "billing-1",
        "cluster-snapshot",
        "us-east-1",
        "RDS-EVENT-0169",
    );
    assert_eq!(
        read(cluster).expect("good").scope,
        automated(DatabaseKind::Cluster, "rds:billing-1")
    );
}

/// A subscription knows categories only, so that it sends much that asks for nothing. None of it is a failed run.
#[test]
fn what_a_subscription_sends_besides_is_a_success_that_says_so() {
    for (input, says) in [
        (
            subscription("db-snapshot", "rds:orders-1", "snapshot", "us-east-1", "RDS-EVENT-0090"),
            "RDS-EVENT-0090",
        ),
        (
            subscription("db-instance", "orders", "db", "us-east-1", "RDS-EVENT-0002"),
            "db-instance",
        ),
        // The first message of a subscription (Lambda developer guide, Using AWS Lambda with Amazon RDS).
        (
            notified(
                "This is a message to notify that RDS will attempt to send you event notifications of type db-snapshot",
            ),
            "Records[0].Sns.Message is a text",
        ),
    ] {
        let said = nothing(input);
        assert!(said.len() == 1 && said[0].contains(says), "{said:?}");
    }
}

/// L3: which events AWS sends for snapshots of AWS Backup is documented nowhere.
#[test]
fn an_event_about_a_snapshot_of_aws_backup_asks_for_nothing() {
    for id in ["awsbackup:job-0c1d2e3f", "rds:awsbackup:job-0c1d2e3f"] {
        for event_id in ["RDS-EVENT-0091", "RDS-EVENT-0042"] {
            let said = nothing(rds_event("RDS DB Snapshot Event", event_id, id));
            assert!(said[0].contains("AWS Backup"), "{said:?}");
        }
    }
}

/// The sample of the EventBridge documents has neither an `EventID` nor the right type in its ARN.
#[test]
fn an_event_without_an_id_or_with_an_arn_only_is_understood() {
    let event = |detail: Value, resources: Value| {
        json!({
            "version": "0", "id": "844e2571", "detail-type": "RDS DB Snapshot Event", "source": "aws.rds",
            "account": "123456789012", "time": "2018-10-06T12:26:13Z", "region": "us-east-1", "resources": resources,
            "detail": detail,
        })
    };
    let arn = "arn:aws:rds:us-east-1:123456789012:db:mysql-instance-2018-10-06-12-24";
    for input in [
        event(
            json!({"SourceArn": arn, "SourceType": "SNAPSHOT", "Message": "Automated snapshot created"}),
            json!([]),
        ),
        event(json!({}), json!([arn])),
        event(json!(json!({"SourceArn": arn}).to_string()), json!([])),
    ] {
        assert_eq!(
            read(input.clone()).expect("good").scope,
            automated(DatabaseKind::Instance, "rds:mysql-instance-2018-10-06-12-24"),
            "{input}"
        );
    }
}

#[test]
fn where_hand_made_snapshots_count_their_events_do_too() {
    let including = settings_with(&[("INCLUDE_MANUAL_SNAPSHOTS", "true")]);
    for (detail_type, event_id, kind) in [
        ("RDS DB Snapshot Event", "RDS-EVENT-0042", DatabaseKind::Instance),
        ("RDS DB Cluster Snapshot Event", "RDS-EVENT-0075", DatabaseKind::Cluster),
    ] {
        let event = rds_event(detail_type, event_id, "before-upgrade");
        let Scope::Events(events) = Request::read(event, &including).expect("good").scope else {
            panic!("an event")
        };
        let expected = EventSnapshot {
            kind,
            id: "before-upgrade".to_owned(),
            snapshot_type: "manual",
        };
        assert_eq!(events.snapshots, [expected]);
    }
}

/// Event buses can deliver events in batches.
#[test]
fn the_events_of_a_batch_are_read_together() {
    let batch = json!([
        rds_event("RDS DB Snapshot Event", "RDS-EVENT-0091", "rds:orders-1"),
        rds_event("RDS DB Cluster Snapshot Event", "RDS-EVENT-0169", "rds:billing-1"),
        rds_event("RDS DB Snapshot Event", "RDS-EVENT-0091", "awsbackup:job-1"),
    ]);
    let Scope::Events(events) = read(batch).expect("good").scope else {
        panic!("events")
    };
    assert_eq!((events.snapshots.len(), events.nothing.len()), (2, 1));
}

#[test]
fn a_name_that_is_given_twice_counts_once() {
    let mut names: Vec<String> = (0..500).map(|at| format!("db-{at}")).collect();
    names.extend(["DB-1".to_owned(), "db-2".to_owned()]);
    let request = read(json!({ "only": names })).expect("good");
    // Each keeps its place, which a refusal names.
    assert_eq!(request.scope.names().map(<[_]>::len), Some(MAX_NAMES + 2));
    let mut more = names;
    more.push("db-500".to_owned());
    let refused = read(json!({ "only": more })).expect_err("too many");
    let begins = format!("only: names {} databases", MAX_NAMES + 1);
    assert!(refused.to_string().starts_with(&begins), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(5_000)))]

    #[test]
    fn any_input_is_read_or_refused_by_field(input in inputs::spoilt(inputs::executions())) {
        match Request::read(input, &settings()) {
            Ok(request) => {
                if let Scope::Only(names) = request.scope {
                    prop_assert!(!names.is_empty() && names.iter().all(|name| !name.id.is_empty()));
                }
            }
            Err(error) => {
                prop_assert_eq!(error.name(), "BadInput");
                prop_assert!(error.to_string().contains(": "), "{}", error);
                // The place in an input that is a list is a field of the input, not of nothing.
                prop_assert!(!error.to_string().starts_with('['), "{}", error);
            }
        }
    }
}
