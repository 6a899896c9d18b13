//! What can be made in a region.

use serde_json::json;

use crate::harness::{DESTINATION, Harness, SOURCE, value, values};

const OPERATION: &str = "DescribeOrderableDBInstanceOptions";
const POSTGRES: (&str, &str) = ("Engine", "postgres");

fn classes(lab: &mut Harness, region: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let mut classes = values(&lab.ok(region, OPERATION, parameters), "DBInstanceClass");
    classes.sort();
    classes.dedup();
    classes
}

#[test]
fn every_class_is_offered_but_those_of_generations_that_have_ended() {
    let mut lab = Harness::new(json!({ "regions": { SOURCE: {} } }));
    let usual = classes(
        &mut lab,
        SOURCE,
        &[POSTGRES, ("EngineVersion", "17.6"), ("MaxRecords", "1000")],
    );
    assert!(usual.contains(&"db.r6g.large".to_owned()), "{usual:?}");
    for class in ["db.r6g.large", "db.x2iedn.32xlarge"] {
        let asked = [POSTGRES, ("DBInstanceClass", class), ("Vpc", "true")];
        assert_eq!(classes(&mut lab, SOURCE, &asked), [class]);
    }
    for class in ["db.m1.small", "db.t1.micro"] {
        assert!(classes(&mut lab, SOURCE, &[POSTGRES, ("DBInstanceClass", class)]).is_empty());
    }
}

#[test]
fn a_region_offers_what_its_scenario_says() {
    let seed = json!({ "regions": { DESTINATION: { "offers": ["db.r7g.large", "db.m1.small"] } } });
    let mut lab = Harness::new(seed);
    assert_eq!(
        classes(&mut lab, DESTINATION, &[POSTGRES]),
        ["db.m1.small", "db.r7g.large"]
    );
    let asked = [POSTGRES, ("DBInstanceClass", "db.m1.small"), ("EngineVersion", "16.4")];
    let reply = lab.ok(DESTINATION, OPERATION, &asked);
    assert!(values(&reply, "EngineVersion").iter().all(|version| version == "16.4"));
    assert!(values(&reply, "Engine").iter().all(|engine| engine == "postgres"));
    assert!(values(&reply, "StorageType").contains(&"gp3".to_owned()));
    assert!(classes(&mut lab, DESTINATION, &[POSTGRES, ("DBInstanceClass", "db.r6g.large")]).is_empty());
}

#[test]
fn an_engine_has_to_be_given_and_more_records_may_be_asked_for_than_elsewhere() {
    let mut lab = Harness::new(json!({ "regions": { SOURCE: {} } }));
    assert_eq!(lab.code(SOURCE, OPERATION, &[]), "MissingParameter");
    lab.ok(SOURCE, OPERATION, &[POSTGRES, ("MaxRecords", "10000")]);
    for wrong in ["19", "10001", "many"] {
        assert_eq!(
            lab.code(SOURCE, OPERATION, &[POSTGRES, ("MaxRecords", wrong)]),
            "InvalidParameterValue"
        );
    }
    let reply = lab.ok(SOURCE, OPERATION, &[POSTGRES, ("MaxRecords", "20")]);
    let marker = value(&reply, "Marker");
    let rest = lab.ok(
        SOURCE,
        OPERATION,
        &[POSTGRES, ("MaxRecords", "20"), ("Marker", &marker)],
    );
    assert_eq!(values(&reply, "DBInstanceClass").len(), 20);
    assert_eq!(values(&rest, "DBInstanceClass").len(), 12);
}

#[test]
fn only_a_policy_for_every_resource_allows_it() {
    let mut lab = Harness::new(json!({ "regions": { SOURCE: {} } }));
    let action = format!("rds:{OPERATION}");
    lab.allow(
        "operator",
        &json!([{ "Effect": "Allow", "Action": action, "Resource": "*" }]),
    );
    lab.ok(SOURCE, OPERATION, &[POSTGRES]);
    let resource = "arn:aws:rds:eu-west-1:123456789012:*";
    lab.allow(
        "operator",
        &json!([{ "Effect": "Allow", "Action": action, "Resource": resource }]),
    );
    assert_eq!(lab.code(SOURCE, OPERATION, &[POSTGRES]), "AccessDenied");
}
