//! Global databases: their clusters in several regions, and which of them writes.

use serde_json::{Value, json};

use crate::harness::{DESTINATION, Harness, SOURCE, value, values};

const WORLD: &str = "arn:aws:rds::123456789012:global-cluster:world";

fn scenario(in_source: &Value, in_destination: &Value) -> Value {
    json!({ "regions": {
        SOURCE: { "clusters": [
            { "id": "world-west", "globalCluster": "World", "globalWriter": in_source },
            { "id": "alone" },
            { "id": "atlas", "engine": "aurora-mysql", "globalCluster": "atlas" }
        ] },
        DESTINATION: { "clusters": [
            { "id": "world-central", "globalCluster": "world", "globalWriter": in_destination }
        ] },
        "cn-north-1": { "clusters": [{ "id": "elsewhere", "globalCluster": "elsewhere" }] }
    } })
}

fn members(lab: &mut Harness, region: &str) -> Vec<(String, bool)> {
    let reply = lab.ok(
        region,
        "DescribeGlobalClusters",
        &[("GlobalClusterIdentifier", "world")],
    );
    let arns = values(&reply, "DBClusterArn");
    let writers = values(&reply, "IsWriter");
    let ids = arns.iter().map(|arn| arn.rsplit(':').next().unwrap().to_owned());
    ids.zip(writers.iter().map(|writer| writer == "true")).collect()
}

#[test]
fn a_global_cluster_tells_its_clusters_in_whichever_region_it_is_asked() {
    for region in [SOURCE, DESTINATION, "us-east-1"] {
        let mut lab = Harness::new(scenario(&json!(true), &Value::Null));
        let all = lab.ok(region, "DescribeGlobalClusters", &[]);
        let mut names = values(&all, "GlobalClusterIdentifier");
        names.sort();
        assert_eq!(names, ["atlas", "world"]);
        let world = lab.ok(
            region,
            "DescribeGlobalClusters",
            &[("GlobalClusterIdentifier", "WORLD")],
        );
        assert_eq!(value(&world, "GlobalClusterArn"), WORLD);
        assert_eq!(value(&world, "Engine"), "aurora-postgresql");
        assert_eq!(
            values(&world, "DBClusterArn"),
            [
                "arn:aws:rds:eu-central-1:123456789012:cluster:world-central",
                "arn:aws:rds:eu-west-1:123456789012:cluster:world-west"
            ]
        );
        assert_eq!(
            value(&world, "member"),
            "arn:aws:rds:eu-central-1:123456789012:cluster:world-central"
        );
    }
    let mut lab = Harness::new(scenario(&Value::Null, &Value::Null));
    let chinese = lab.ok("cn-northwest-1", "DescribeGlobalClusters", &[]);
    assert_eq!(
        value(&chinese, "GlobalClusterArn"),
        "arn:aws-cn:rds::123456789012:global-cluster:elsewhere"
    );
    let cluster = lab.ok(SOURCE, "DescribeDBClusters", &[("DBClusterIdentifier", "world-west")]);
    assert_eq!(value(&cluster, "GlobalClusterIdentifier"), "world");
}

#[test]
fn the_writer_is_the_one_that_says_so_or_else_the_first_that_does_not_deny_it() {
    for (in_source, in_destination, west, central) in [
        (json!(true), Value::Null, true, false),
        (Value::Null, json!(true), false, true),
        (Value::Null, Value::Null, false, true),
        (Value::Null, json!(false), true, false),
        (json!(false), json!(false), false, false),
    ] {
        let mut lab = Harness::new(scenario(&in_source, &in_destination));
        let expected = [("world-central".to_owned(), central), ("world-west".to_owned(), west)];
        assert_eq!(members(&mut lab, SOURCE), expected, "{in_source} {in_destination}");
    }
}

#[test]
fn global_clusters_are_found_by_name_and_by_region() {
    let mut lab = Harness::new(scenario(&Value::Null, &Value::Null));
    let in_destination = [
        ("Filters.Filter.1.Name", "region"),
        ("Filters.Filter.1.Values.Value.1", DESTINATION),
    ];
    let found = lab.ok(SOURCE, "DescribeGlobalClusters", &in_destination);
    assert_eq!(value(&found, "GlobalClusterIdentifier"), "world");
    let (status, code, _) = lab.refused(SOURCE, "DescribeGlobalClusters", &[("GlobalClusterIdentifier", "gone")]);
    assert_eq!((status, code.as_str()), (404, "GlobalClusterNotFoundFault"));
    let by_engine = [
        ("Filters.Filter.1.Name", "engine"),
        ("Filters.Filter.1.Values.Value.1", "mysql"),
    ];
    assert_eq!(
        lab.code(SOURCE, "DescribeGlobalClusters", &by_engine),
        "InvalidParameterValue"
    );
    assert_eq!(
        lab.code(SOURCE, "DescribeGlobalClusters", &[("MaxRecords", "5")]),
        "InvalidParameterValue"
    );
}

#[test]
fn a_caller_sees_the_global_clusters_that_its_policies_let_it_see() {
    let mut lab = Harness::new(scenario(&Value::Null, &Value::Null));
    let allow = |lab: &mut Harness, resource: &str| {
        let statements = json!([{ "Effect": "Allow", "Action": "rds:DescribeGlobalClusters", "Resource": resource }]);
        lab.allow("list-targets", &statements);
    };
    let world = [("GlobalClusterIdentifier", "world")];
    allow(&mut lab, "arn:aws:rds::123456789012:global-cluster:*");
    lab.ok(SOURCE, "DescribeGlobalClusters", &[]);
    lab.ok(SOURCE, "DescribeGlobalClusters", &world);
    allow(&mut lab, WORLD);
    lab.ok(SOURCE, "DescribeGlobalClusters", &world);
    assert_eq!(lab.code(SOURCE, "DescribeGlobalClusters", &[]), "AccessDenied");
    allow(&mut lab, "arn:aws:rds:eu-west-1:123456789012:*");
    assert_eq!(lab.code(SOURCE, "DescribeGlobalClusters", &world), "AccessDenied");
}
