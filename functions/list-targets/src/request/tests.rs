use fixtures::{inputs, settings};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(input: Value) -> Result<Request, Error> {
    Request::read(input, &settings())
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
            assert_eq!(
                request.scope,
                Scope::Snapshot {
                    kind,
                    id: "rds:orders-2026-11-22-03-10".to_owned()
                }
            );
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

#[test]
fn bad_input_is_refused_by_field_with_a_remedy() {
    for (input, begins, says) in [
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
            json!({"detail-type": "EC2 Event"}),
            "detail-type: \"EC2 Event\" is no event",
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
            rds_event("RDS DB Snapshot Event", "RDS-EVENT-0091", ""),
            "detail.SourceIdentifier: is missing",
            "names its snapshot",
        ),
        (
            json!({"detail-type": "RDS DB Snapshot Event", "region": "us-west-2", "detail": {}}),
            "region: the event is of us-west-2",
            "Deploy a stack in that region",
        ),
        (
            json!({"detail-type": "RDS DB Snapshot Event", "detail": 7}),
            "detail",
            "Correct the field",
        ),
    ] {
        let error = read(input.clone()).expect_err(begins);
        let text = error.to_string();
        assert_eq!(error.name(), "BadInput", "{input}");
        assert!(text.starts_with(begins) && text.contains(says), "{input}: {text}");
    }
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
            }
        }
    }
}
