//! What the stack of the destination region deploys: who may restore, delete and tag what, and what its rules refuse.
//!
//! What holds for both templates is in `template.rs` and `monitoring.rs`.

#![allow(missing_docs)]

mod rendering;

use std::collections::{BTreeMap, BTreeSet};

use deployment::{DESTINATION, machine, states};
use domain::watch_settings::WatchSettings;
use runtime::release;
use serde_json::{Value, json};
use step_functions::entries;

use rendering::{allowing, list, render_with, rendered_with, statements};

const RDS: &str = "arn:aws:rds:eu-west-1:123456789012";
const OWNER: &str = "us-east-1/snapferry";
const CHECK: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check-orders";

/// What each function may ask of AWS beside its log. `measure-copies` and `plan-drills` read the same.
const READS: &[&str] = &[
    "kms:DescribeKey",
    "rds:DescribeAccountAttributes",
    "rds:DescribeDBClusterParameterGroups",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeDBParameterGroups",
    "rds:DescribeDBSnapshots",
    "rds:DescribeDBSubnetGroups",
    "rds:DescribeOptionGroups",
    "rds:DescribeOrderableDBInstanceOptions",
];

const CALLS: &[(&str, &[&str])] = &[
    ("MeasureCopies", &["ssm:GetParametersByPath"]),
    ("PlanDrills", &["ssm:GetParametersByPath"]),
    (
        "StartRestore",
        &[
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "kms:GenerateDataKeyWithoutPlaintext",
            "rds:AddTagsToResource",
            "rds:CreateDBInstance",
            "rds:RestoreDBClusterFromSnapshot",
            "rds:RestoreDBInstanceFromDBSnapshot",
        ],
    ),
];

const OTHER_CALLS: &[(&str, &[&str])] = &[
    (
        "CheckRestore",
        &[
            "kms:DescribeKey",
            "rds:DescribeDBClusterSnapshots",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstances",
            "rds:DescribeDBSnapshots",
            "rds:DescribeEvents",
            "rds:ModifyDBCluster",
            "rds:ModifyDBInstance",
            "secretsmanager:CreateSecret",
            "secretsmanager:TagResource",
        ],
    ),
    (
        "EndRestore",
        &[
            "rds:AddTagsToResource",
            "rds:DeleteDBCluster",
            "rds:DeleteDBInstance",
            "rds:DescribeDBClusterAutomatedBackups",
            "rds:DescribeDBClusterSnapshots",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstanceAutomatedBackups",
            "rds:DescribeDBInstances",
            "rds:DescribeDBSnapshots",
            "rds:ModifyDBCluster",
            "rds:ModifyDBInstance",
            "states:DescribeExecution",
        ],
    ),
];

fn policies() -> Value {
    DESTINATION.rendered("policies.json")
}

/// Policies and template with other parameters than those of `make render`, each as in `Name=value`.
fn with_parameters(parameters: &[&str]) -> Result<(Value, Value), String> {
    let given = parameters.iter().flat_map(|&one| ["--parameter", one]);
    let arguments: Vec<&str> = ["--template", DESTINATION.template].into_iter().chain(given).collect();
    rendered_with(&arguments)
}

/// Without drills, and without anything that they need.
const OFF: [&str; 5] = [
    "Drills=false",
    "DrillSecurityGroup=",
    "DrillSubnetGroup=",
    "CheckFunctionArn=",
    "CheckFunctionSecurityGroup=",
];

/// With a security group that the stack makes, in place of one of the operator's own.
const MADE_BY_STACK: [&str; 2] = ["DrillSecurityGroup=", "DrillVpcId=vpc-0123456789abcdef0"];

fn sids(policies: &Value) -> BTreeSet<&str> {
    statements(policies)
        .into_iter()
        .filter_map(|statement| statement["Sid"].as_str())
        .collect()
}

#[test]
fn each_function_may_make_exactly_the_calls_that_it_makes() {
    let policies = policies();
    let with_reads = CALLS.iter().map(|(name, calls)| (*name, [READS, calls].concat()));
    let others = OTHER_CALLS.iter().map(|(name, calls)| (*name, calls.to_vec()));
    for (name, calls) in with_reads.chain(others) {
        let allowed: BTreeSet<&str> = statements(&policies[name])
            .into_iter()
            .flat_map(|statement| list(&statement["Action"]))
            .filter(|action| !action.starts_with("logs:") && !action.starts_with("xray:"))
            .collect();
        assert_eq!(allowed, calls.into_iter().collect(), "{name}");
    }
}

#[test]
fn a_role_reaches_nothing_outside_this_region_and_this_account_but_keys() {
    let policies = policies();
    for (name, role) in policies.as_object().expect("an object") {
        for statement in statements(role) {
            for resource in list(&statement["Resource"]) {
                let parts: Vec<&str> = resource.split(':').collect();
                match parts[..] {
                    ["*"] => {
                        // What knows no resource knows at least the region, if it is about databases.
                        let logs = list(&statement["Action"])
                            .iter()
                            .all(|action| action.starts_with("logs:") || action.starts_with("xray:"));
                        let region = &statement["Condition"]["StringEquals"]["aws:RequestedRegion"];
                        assert!(logs || region == "eu-west-1", "{name}: {statement}");
                    }
                    ["arn", "aws", "kms", "eu-west-1", "*", "key/*"]
                    | ["arn", "aws", _, "eu-west-1", "123456789012", ..] => {}
                    // Names of buckets are all over the world: the account is a condition.
                    ["arn", "aws", "s3", "", "", object] if object.starts_with("evidence-123456789012/") => {
                        let account = &statement["Condition"]["StringEquals"]["aws:ResourceAccount"];
                        assert_eq!(account, "123456789012", "{name}");
                    }
                    _ => panic!("{name}: {resource}"),
                }
            }
        }
    }
}

/// A write of RDS, as its role states it: which resources, and what it asks for.
fn writes() -> Vec<(String, String, Vec<String>, Value)> {
    let mut writes = Vec::new();
    for (name, role) in policies().as_object().expect("an object") {
        for statement in statements(role) {
            let is_write = list(&statement["Action"])
                .iter()
                .any(|action| action.starts_with("rds:") && !action.starts_with("rds:Describe"));
            if is_write {
                writes.push((
                    name.clone(),
                    statement["Sid"].as_str().expect("a name").to_owned(),
                    list(&statement["Resource"]).into_iter().map(str::to_owned).collect(),
                    statement["Condition"].clone(),
                ));
            }
        }
    }
    writes
}

#[test]
fn every_write_asks_for_our_name_and_our_tag() {
    let drills = [
        format!("{RDS}:db:snapferry-drill-*"),
        format!("{RDS}:cluster:snapferry-drill-*"),
    ];
    let copies = [
        format!("{RDS}:snapshot:snapferry-*"),
        format!("{RDS}:cluster-snapshot:snapferry-*"),
    ];
    let in_request = json!({ "aws:RequestTag/snapferry:drill-owner": OWNER });
    let marked = json!({ "aws:ResourceTag/snapferry:drill-owner": OWNER });
    let owned = json!({ "aws:ResourceTag/snapferry:owner": OWNER });
    let tags = |keys: &[&str]| {
        json!({
            "StringEquals": owned,
            "ForAllValues:StringEquals": { "aws:TagKeys": keys },
            "Null": { "aws:TagKeys": "false" },
        })
    };
    let groups = ["og:*", "pg:*", "cluster-pg:*", "subgrp:drills"].map(|group| format!("{RDS}:{group}"));
    let expected: BTreeMap<(&str, &str), (&[String], Value)> = BTreeMap::from([
        (
            ("StartRestore", "MakeMarkedInstances"),
            (
                &drills[..1],
                json!({ "StringEquals": in_request, "Bool": { "rds:PubliclyAccessible": "false" } }),
            ),
        ),
        (
            ("StartRestore", "MakeMarkedClusters"),
            (&drills[1..], json!({ "StringEquals": in_request })),
        ),
        (
            ("StartRestore", "FromOwnedCopies"),
            (&copies[..], json!({ "StringEquals": owned })),
        ),
        // These have no tag of ours. Nothing can be made by them alone.
        (("StartRestore", "WithTheseGroups"), (&groups[..], Value::Null)),
        (("StartRestore", "IntoDrillClusters"), (&drills[1..], Value::Null)),
        (
            ("StartRestore", "TagDrillDatabases"),
            (
                &drills[..],
                json!({ "StringEquals": in_request, "StringEqualsIfExists": marked }),
            ),
        ),
        (
            ("StartRestore", "MarkCopiesAsDrilling"),
            (&copies[..], tags(&["snapferry:drilling"])),
        ),
        (
            ("CheckRestore", "GivePasswordToDrillDatabases"),
            (
                &drills[..],
                json!({ "StringEquals": marked, "Bool": { "rds:ManageMasterUserPassword": "true" } }),
            ),
        ),
        (
            ("EndRestore", "DeleteMarkedDatabases"),
            (&drills[..], json!({ "StringEquals": marked })),
        ),
        (
            ("EndRestore", "MarkCopiesAsDrilled"),
            (&copies[..], tags(&["snapferry:drilled", "snapferry:drill-minutes"])),
        ),
    ]);
    let mut seen = BTreeSet::new();
    for (name, sid, resources, condition) in writes() {
        seen.insert((name.clone(), sid.clone()));
        if sid == "DeleteClustersWithoutSnapshot" {
            assert_eq!(resources, [format!("{RDS}:cluster-snapshot:snapferry-drill-*")]);
            continue;
        }
        let (expected, asked) = expected
            .get(&(name.as_str(), sid.as_str()))
            .unwrap_or_else(|| panic!("{name}: {sid} is not expected"));
        assert_eq!((&resources[..], &condition), (*expected, asked), "{name}: {sid}");
    }
    assert_eq!(seen.len(), expected.len() + 1, "{seen:?}");
}

/// With a restore it would let a cluster be made that has not the mark: the cluster is the resource of both.
#[test]
fn a_cluster_is_named_without_the_mark_only_where_an_instance_is_added_to_it() {
    let policies = policies();
    for action in [
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:RestoreDBClusterFromSnapshot",
    ] {
        for statement in allowing(&policies["StartRestore"], action, &format!("{RDS}:cluster:")) {
            let mark = &statement["Condition"]["StringEquals"]["aws:RequestTag/snapferry:drill-owner"];
            assert_eq!(mark, OWNER, "{action}: {}", statement["Sid"]);
        }
    }
    let added = allowing(
        &policies["StartRestore"],
        "rds:CreateDBInstance",
        &format!("{RDS}:cluster:"),
    );
    assert_eq!(added.len(), 1);
    assert_eq!(list(&added[0]["Action"]), ["rds:CreateDBInstance"]);
}

#[test]
fn without_a_subnet_group_or_a_check_function_a_role_may_less() {
    let (all, (off, _)) = (policies(), with_parameters(&OFF).expect("good parameters"));
    let fewer = |role: &str| -> Vec<String> {
        let left = sids(&off[role]);
        let gone = sids(&all[role]).into_iter().filter(|sid| !left.contains(sid));
        gone.map(str::to_owned).collect()
    };
    assert_eq!(
        fewer("CheckRestore"),
        [
            "GivePasswordToDrillDatabases",
            "KeepPasswordInSecret",
            "ReadKeyOfSecret"
        ]
    );
    assert_eq!(fewer("DrillCopy"), ["InvokeCheckFunction", "SeeThatSecretIsGone"]);
    let groups = statements(&off["StartRestore"])
        .into_iter()
        .find(|statement| statement["Sid"] == "WithTheseGroups")
        .expect("groups");
    assert!(!groups.to_string().contains(":subgrp:"), "{groups}");
}

#[test]
fn keys_are_used_through_rds_only_and_grants_are_for_aws_only() {
    let policies = policies();
    let mut grants = 0;
    for statement in statements(&policies["StartRestore"]) {
        let actions = list(&statement["Action"]);
        if actions == ["kms:DescribeKey"] || !actions.iter().any(|action| action.starts_with("kms:")) {
            continue;
        }
        let condition = &statement["Condition"];
        assert_eq!(
            condition["StringEquals"],
            json!({ "kms:ViaService": "rds.eu-west-1.amazonaws.com" })
        );
        if actions.contains(&"kms:CreateGrant") {
            grants += 1;
            assert_eq!(actions, ["kms:CreateGrant"]);
            assert_eq!(condition["Bool"], json!({ "kms:GrantIsForAWSResource": "true" }));
        }
    }
    assert_eq!(grants, 1);
}

#[test]
fn each_machine_may_invoke_and_run_exactly_what_its_definition_does() {
    let policies = policies();
    let may = |role: &str, action: &str| -> BTreeSet<String> {
        allowing(&policies[role], action, "arn:")
            .iter()
            .flat_map(|statement| list(&statement["Resource"]))
            .map(str::to_owned)
            .collect()
    };
    for (name, role) in DESTINATION
        .machines
        .iter()
        .zip(["DrillFleet", "DrillCopy", "KeepEvidence"])
    {
        let definition = machine(name);
        let invoked: BTreeSet<String> = states(&definition)
            .iter()
            .filter_map(|state| state.definition["Arguments"]["FunctionName"].as_str())
            .map(|arn| arn.trim_start_matches("{% '").trim_end_matches("' %}").to_owned())
            .collect();
        assert_eq!(invoked, may(role, "lambda:InvokeFunction"), "{name}");
        assert_eq!(invoked.contains(CHECK), role == "DrillCopy");
    }
    let arn = |kind: &str, name: &str| BTreeSet::from([format!("arn:aws:states:eu-west-1:123456789012:{kind}:{name}")]);
    let fleet = |action: &str| may("DrillFleet", action);
    assert_eq!(
        fleet("states:StartExecution"),
        arn("stateMachine", "snapferry-drill-copy")
    );
    for action in ["states:DescribeExecution", "states:StopExecution"] {
        assert_eq!(fleet(action), arn("execution", "snapferry-drill-copy:*"));
    }
    // The sweep asks about the same executions, and may stop none.
    assert_eq!(
        may("EndRestore", "states:DescribeExecution"),
        arn("execution", "snapferry-drill-copy:*")
    );
    let topic = "arn:aws:sns:eu-west-1:123456789012:snapferry-AlertsTopic".to_owned();
    assert_eq!(fleet("sns:Publish"), BTreeSet::from([topic]));
    let proofs = "arn:aws:ssm:eu-west-1:123456789012:parameter/snapferry/snapferry/us-east-1/drills/*".to_owned();
    assert_eq!(may("DrillCopy", "ssm:PutParameter"), BTreeSet::from([proofs.clone()]));
    let path = proofs.trim_end_matches("/*").to_owned();
    for reader in ["PlanDrills", "MeasureCopies"] {
        let allowed = BTreeSet::from([path.clone(), proofs.clone()]);
        assert_eq!(may(reader, "ssm:GetParametersByPath"), allowed, "{reader}");
    }
    let evidence = "arn:aws:s3:::evidence-123456789012/snapferry/us-east-1/*".to_owned();
    assert_eq!(may("KeepEvidence", "s3:PutObject"), BTreeSet::from([evidence]));
    let secrets = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!*".to_owned();
    assert_eq!(
        may("DrillCopy", "secretsmanager:DescribeSecret"),
        BTreeSet::from([secrets])
    );
}

#[test]
fn a_group_of_ones_own_is_read_by_the_machine_and_one_of_the_stack_is_not() {
    let group = |template: &Value| {
        let substitutions = &template["Resources"]["DrillFleetStateMachine"]["Properties"]["DefinitionSubstitutions"];
        substitutions["OwnSecurityGroup"].clone()
    };
    let template = DESTINATION.rendered("template.json");
    assert_eq!(group(&template), "sg-0123abcd");
    assert!(sids(&policies()["DrillFleet"]).contains("ReadSecurityGroup"));
    assert_eq!(template["Resources"].get("ClosedSecurityGroup"), None);

    let (policies, template) = with_parameters(&MADE_BY_STACK).expect("good parameters");
    assert_eq!(group(&template), "");
    assert!(!sids(&policies["DrillFleet"]).contains("ReadSecurityGroup"));
}

/// The environment of a function.
fn variables<'a>(template: &'a Value, function: &str) -> &'a Value {
    &template["Resources"][format!("{function}Function")]["Properties"]["Environment"]["Variables"]
}

fn settings_of(variables: &Value) -> Result<WatchSettings, domain::error::Error> {
    WatchSettings::read(|asked| match asked {
        "AWS_REGION" => Some("eu-west-1".to_owned()),
        _ => variables[asked].as_str().map(str::to_owned),
    })
}

#[test]
fn every_function_gets_the_same_variables_and_without_drills_no_place_to_restore_into() {
    for (parameters, groups) in [
        (&[][..], ["drills", "sg-0123abcd"]),
        (&MADE_BY_STACK, ["drills", "sg-0123456789abcdef0"]),
        // What is given, and off.
        (&["Drills=false"], ["", ""]),
        (&OFF, ["", ""]),
    ] {
        let (_, template) = with_parameters(parameters).expect("good parameters");
        for function in [
            "MeasureCopies",
            "PlanDrills",
            "StartRestore",
            "CheckRestore",
            "EndRestore",
        ] {
            let variables = variables(&template, function);
            let given: BTreeSet<&str> = variables
                .as_object()
                .expect("variables")
                .keys()
                .map(String::as_str)
                .collect();
            // Lambda itself sets the region.
            let expected = WatchSettings::VARIABLES.iter().copied().chain([release::VARIABLE]);
            assert_eq!(
                given,
                expected.filter(|name| *name != "AWS_REGION").collect(),
                "{function}"
            );
            let settings = settings_of(variables);
            assert!(settings.is_ok(), "{parameters:?} are refused: {settings:?}");
            assert_eq!(
                [&variables["DRILL_SUBNET_GROUP"], &variables["DRILL_SECURITY_GROUP"]],
                [&json!(groups[0]), &json!(groups[1])],
                "{parameters:?}"
            );
            assert_eq!(variables["DRILL_COPY_MACHINE"], "snapferry-drill-copy");
            assert_eq!(
                (&variables["OWNER_ID"], &variables["SOURCE_REGION"]),
                (&json!("snapferry"), &json!("us-east-1"))
            );
        }
    }
}

/// D7: the sweep is there while drills are off, and so is what measures the copies and the databases.
#[test]
fn only_the_schedule_the_measurement_and_the_alarm_of_silence_go_with_the_drills() {
    let (_, off) = with_parameters(&["Drills=false"]).expect("good parameters");
    let on = DESTINATION.rendered("template.json");
    let names = |template: &Value| -> BTreeSet<String> {
        template["Resources"]
            .as_object()
            .expect("resources")
            .keys()
            .cloned()
            .collect()
    };
    let gone: Vec<String> = names(&on).difference(&names(&off)).cloned().collect();
    let expected = [
        "DrillRule",
        "MeasureDrillsPermission",
        "MeasureDrillsRule",
        "SilentDrillsAlarm",
    ];
    assert_eq!(gone, expected);
    let sweep = &off["Resources"]["SweepRule"]["Properties"];
    assert_eq!(sweep["ScheduleExpression"], "rate(1 hour)");
    assert_eq!(sweep["Targets"][0]["Input"], r#"{"sweep": true}"#);
    assert_eq!(
        sweep["Targets"][0]["Arn"],
        "arn:aws:lambda:eu-west-1:123456789012:function:snapferry-end-restore"
    );
    for (permission, rule, function) in [
        ("SweepPermission", "SweepRule", "end-restore"),
        ("MeasurePermission", "MeasureRule", "measure-copies"),
    ] {
        let permission = &off["Resources"][permission]["Properties"];
        assert_eq!(permission["FunctionName"], format!("snapferry-{function}"));
        assert_eq!(
            permission["SourceArn"],
            format!("arn:aws:events:eu-west-1:123456789012:rule/snapferry-{rule}")
        );
    }
}

#[test]
fn the_security_group_of_the_stack_lets_nothing_out_and_in_only_the_check_function() {
    let group = |parameters: &[&str]| {
        let (_, template) = with_parameters(parameters).expect("good parameters");
        template["Resources"]["ClosedSecurityGroup"]["Properties"].clone()
    };
    let with_function = group(&MADE_BY_STACK);
    let out = json!([{ "IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "Nothing" }]);
    assert_eq!(with_function["SecurityGroupEgress"], out);
    let [only] = entries(&with_function["SecurityGroupIngress"]) else {
        panic!("one source: {with_function}")
    };
    assert_eq!(only["SourceSecurityGroupId"], "sg-0fedcba9876543210");
    assert!(only.get("CidrIp").is_none(), "{only}");

    let without = group(&[&MADE_BY_STACK[..], &["CheckFunctionSecurityGroup="]].concat());
    assert_eq!(without["SecurityGroupEgress"], out);
    assert_eq!(without.get("SecurityGroupIngress"), None);
}

#[test]
fn each_rule_refuses_what_it_is_there_for_and_says_what_to_do() {
    for (parameters, said) in [
        (
            &["SourceRegion=eu-west-1"][..],
            "AnotherRegion: The watch has to outlive",
        ),
        (
            &["DrillSubnetGroup="],
            "DrillsHaveNetwork: Drills need DrillSubnetGroup.",
        ),
        (
            &["DrillSecurityGroup="],
            "DrillsHaveNetwork: Drills need DrillVpcId, in which",
        ),
        (
            &["DrillVpcId=vpc-0123abcd"],
            "OneSecurityGroup: Give DrillVpcId or DrillSecurityGroup, not both.",
        ),
        (
            &[
                "AlertsTopicArn=arn:aws:sns:eu-west-1:123456789012:on-call",
                "NotificationEmail=a@example.com",
            ],
            "OneTopic: Give NotificationEmail or AlertsTopicArn, not both.",
        ),
    ] {
        let refused = with_parameters(parameters).expect_err(said);
        assert!(refused.contains(said), "{parameters:?}: {refused}");
    }
    // Without drills no network is needed.
    assert!(with_parameters(&OFF).is_ok());
    assert!(with_parameters(&MADE_BY_STACK).is_ok());
    assert!(with_parameters(&["NotificationEmail=a@example.com"]).is_ok());
}

#[test]
fn what_is_no_group_no_function_or_no_list_of_tags_is_refused() {
    for refused in [
        "SourceRegion=Ireland",
        "AlertsTopicArn=on-call",
        "AlertsTopicArn=arn:aws:sqs:eu-west-1:123456789012:on-call",
        "DrillVpcId=drills",
        "DrillSecurityGroup=default",
        "DrillSubnetGroup=Drills",
        "DrillClass=t4g.medium",
        "DrillSchedule=weekly",
        "CheckFunctionArn=check-orders",
        "CheckFunctionArn=arn:aws:lambda:eu-west-1:123456789012:layer:check",
        "DrillTags=team",
        "DrillTags==data",
        "DrillTags=team=data, cost=1",
        "DrillTags=aws:team=data",
        "DrillTags=team=data,Snapferry:drill-owner=me",
        &format!("DrillTags=team={}", "d".repeat(257)),
    ] {
        let said = with_parameters(&[refused]).expect_err(refused);
        assert!(said.contains("is refused: Give "), "{refused}: {said}");
    }
    for taken in [
        "DrillTags=team=data,cost-centre=12 34,empty=,a/b:c@d=e",
        "DrillClass=db.x2iedn.16xlarge.tpc2",
        "DrillClass=db.serverless",
        "DrillSubnetGroup=default-vpc-0a1b2c",
        "CheckFunctionArn=arn:aws:lambda:eu-west-1:123456789012:function:check-orders:live",
    ] {
        assert!(with_parameters(&[taken]).is_ok(), "{taken}");
    }
}

#[test]
fn the_limits_of_the_parameters_are_those_that_the_functions_check() {
    let template = DESTINATION.rendered("template.json");
    let with = |variable: &str, value: &str| {
        let mut changed = variables(&template, "PlanDrills").clone();
        changed[variable] = json!(value);
        settings_of(&changed)
    };
    for (parameter, variable) in [
        ("ObjectiveHours", "OBJECTIVE_HOURS"),
        ("DrillDatabasesPerRun", "DRILL_DATABASES_PER_RUN"),
        ("DrillMaxGiB", "DRILL_MAX_GIB"),
        ("DrillConcurrency", "DRILL_CONCURRENCY"),
        ("DrillHours", "DRILL_HOURS"),
    ] {
        let limit = |name: &str| template["Parameters"][parameter][name].as_i64().expect("a number");
        for (value, accepted) in [
            (limit("MinValue"), true),
            (limit("MaxValue"), true),
            (limit("MinValue") - 1, false),
            (limit("MaxValue") + 1, false),
        ] {
            let given = with(variable, &value.to_string());
            assert_eq!(given.is_ok(), accepted, "{parameter} = {value}: {given:?}");
        }
    }
    for value in list(&template["Parameters"]["DrillClusters"]["AllowedValues"]) {
        assert!(with("DRILL_CLUSTERS", value).is_ok(), "{value}");
    }
    // What the rules of the template cannot say.
    let elsewhere = with("CHECK_FUNCTION_ARN", &CHECK.replace("eu-west-1", "us-east-1"));
    assert!(elsewhere.is_err(), "a check function of another region");
}

#[test]
fn the_longest_parameters_fit_into_what_lambda_and_iam_hold() {
    let tags: Vec<String> = (0..4).map(|number| format!("{number:k>40}={number:v>250}")).collect();
    let tags = tags.join(",");
    assert!(tags.len() > 1_100, "{}", tags.len());
    let (policies, template) = rendered_with(&[
        "--template",
        DESTINATION.template,
        "--source-region",
        "us-gov-west-1",
        "--destination-region",
        "us-gov-east-1",
        "--stack-name",
        &"s".repeat(66),
        "--parameter",
        "OwnerId=abcdefghijkl",
        "--parameter",
        &format!("DrillTags={tags}"),
        "--parameter",
        &format!("DrillSubnetGroup={}", "g".repeat(255)),
    ])
    .expect("good parameters");
    let variables = variables(&template, "StartRestore").as_object().expect("variables");
    let bytes: usize = variables
        .iter()
        .map(|(name, value)| name.len() + value.to_string().len())
        .sum();
    assert!(
        bytes <= 4_096,
        "Lambda takes 4 KB of variables, these are {bytes} bytes"
    );
    for (name, role) in policies.as_object().expect("an object") {
        let bytes = role["policies"].to_string().len();
        assert!(bytes <= 10_240, "IAM takes 10,240 bytes, those of {name} are {bytes}");
    }
}

/// The stack works when the source region is lost: it refers to nothing there but by name.
#[test]
fn nothing_of_the_stack_is_in_the_source_region() {
    let directory = render_with(&["--template", DESTINATION.template]).expect("rendered");
    for file in [
        "template.json",
        "policies.json",
        "events.json",
        "drill-fleet.asl.json",
        "drill-copy.asl.json",
    ] {
        let text = std::fs::read_to_string(directory.join(file)).expect(file);
        assert!(!text.contains(":us-east-1:"), "{file} has an ARN of the source region");
    }
    std::fs::remove_dir_all(&directory).expect("it was made just now");
}
