//! What the template deploys: checks that cfn-lint does not make.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::Settings;
use static_checks::{MACHINES, entries, machine, rendered, states, text};

const SOURCE: &str = "arn:aws:rds:us-east-1:123456789012";
const DESTINATION: &str = "arn:aws:rds:eu-west-1:123456789012";
const OWNER: &str = "us-east-1/snapferry";

/// What each function may ask of RDS and KMS, and in which region: `>` the source, `<` the destination.
const CALLS: &[(&str, &[&str])] = &[
    (
        "ListTargets",
        &[
            "> rds:DescribeDBInstances",
            "> rds:DescribeDBClusters",
            "> rds:DescribeDBSnapshots",
            "> rds:DescribeDBClusterSnapshots",
            "* rds:DescribeAccountAttributes",
        ],
    ),
    (
        "FindLatestSnapshot",
        &[
            "> rds:DescribeDBSnapshots",
            "> rds:DescribeDBClusterSnapshots",
            "< rds:DescribeDBSnapshots",
            "< rds:DescribeDBClusterSnapshots",
        ],
    ),
    (
        "StartCopy",
        &[
            "> rds:DescribeDBInstances",
            "> rds:DescribeDBClusters",
            "> rds:DescribeDBSnapshots",
            "> rds:DescribeDBClusterSnapshots",
            "< rds:DescribeDBSnapshots",
            "< rds:DescribeDBClusterSnapshots",
            "* rds:DescribeAccountAttributes",
            "> rds:CopyDBSnapshot",
            "> rds:CopyDBClusterSnapshot",
            "< rds:CopyDBSnapshot",
            "< rds:CopyDBClusterSnapshot",
            "< rds:AddTagsToResource",
            "< kms:DescribeKey",
            "< kms:Encrypt",
            "< kms:Decrypt",
            "< kms:ReEncryptFrom",
            "< kms:ReEncryptTo",
            "< kms:GenerateDataKey",
            "< kms:GenerateDataKeyWithoutPlaintext",
            "< kms:CreateGrant",
            "> kms:DescribeKey",
            "> kms:Decrypt",
            "> kms:ReEncryptFrom",
            "> kms:CreateGrant",
        ],
    ),
    (
        "CheckCopyStatus",
        &[
            "< rds:DescribeDBSnapshots",
            "< rds:DescribeDBClusterSnapshots",
            "< rds:AddTagsToResource",
        ],
    ),
    (
        "PruneOld",
        &[
            "< rds:DescribeDBSnapshots",
            "< rds:DescribeDBClusterSnapshots",
            "< rds:DeleteDBSnapshot",
            "< rds:DeleteDBClusterSnapshot",
        ],
    ),
];

/// Actions that AWS offers for all resources only, or that Step Functions documents so.
const WITHOUT_RESOURCE: &[&str] = &[
    "rds:DescribeAccountAttributes",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
];

/// A string or a list of strings as a list.
fn list(value: &Value) -> Vec<&str> {
    value.as_str().map_or_else(
        || entries(value).iter().filter_map(Value::as_str).collect(),
        |one| vec![one],
    )
}

fn statements(policies: &Value) -> Vec<&Value> {
    entries(&policies["policies"])
        .iter()
        .flat_map(|policy| entries(&policy["Statement"]))
        .collect()
}

/// The statements of a role that allow `action` on `resource`, as its list of resources spells it.
fn allowing<'a>(policies: &'a Value, action: &str, resource: &str) -> Vec<&'a Value> {
    statements(policies)
        .into_iter()
        .filter(|statement| list(&statement["Action"]).contains(&action))
        .filter(|statement| list(&statement["Resource"]).iter().any(|arn| arn.starts_with(resource)))
        .collect()
}

fn resources_of(kind: &str) -> BTreeMap<String, Value> {
    let template = rendered("template.json");
    let resources = template["Resources"].as_object().expect("resources");
    resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(name, resource)| (name.clone(), resource["Properties"].clone()))
        .collect()
}

#[test]
fn every_policy_states_its_version_and_allows_named_actions_only() {
    let roles = resources_of("AWS::IAM::Role");
    for (name, role) in &roles {
        let trust = &role["AssumeRolePolicyDocument"];
        let policies = entries(&role["Policies"])
            .iter()
            .map(|policy| &policy["PolicyDocument"]);
        for document in policies.chain([trust]) {
            assert_eq!(document["Version"], "2012-10-17", "{name}");
            for statement in entries(&document["Statement"]) {
                assert_eq!(statement["Effect"], "Allow", "{name}: {statement}");
                assert!(statement.get("NotAction").is_none() && statement.get("NotResource").is_none());
                for action in list(&statement["Action"]) {
                    assert!(!action.contains('*'), "{name}: {action}");
                }
            }
        }
    }
    // Each function and machine, and what starts the machine.
    assert_eq!(roles.len(), 5 + 2 + 1);
    let shared: Value = rendered("policies.json");
    let used: BTreeSet<String> = shared
        .as_object()
        .expect("an object")
        .values()
        .map(|one| one["role"].to_string())
        .collect();
    assert_eq!(used.len(), 7, "no two of them share a role");
}

#[test]
fn all_resources_are_meant_only_where_aws_knows_none() {
    let policies = rendered("policies.json");
    for (name, role) in policies.as_object().expect("an object") {
        for statement in statements(role) {
            if list(&statement["Resource"]).contains(&"*") {
                for action in list(&statement["Action"]) {
                    assert!(WITHOUT_RESOURCE.contains(&action), "{name} may {action} on everything");
                }
            }
        }
    }
}

#[test]
fn each_function_may_make_exactly_the_calls_that_it_makes() {
    let policies = rendered("policies.json");
    for (name, calls) in CALLS {
        let mut allowed = BTreeSet::new();
        for statement in statements(&policies[name]) {
            for action in list(&statement["Action"]) {
                if !action.starts_with("rds:") && !action.starts_with("kms:") {
                    continue;
                }
                for resource in list(&statement["Resource"]) {
                    let region = match resource.split(':').nth(3) {
                        Some("us-east-1") => '>',
                        Some("eu-west-1") => '<',
                        _ => '*',
                    };
                    allowed.insert(format!("{region} {action}"));
                }
            }
        }
        let expected: BTreeSet<String> = calls.iter().map(|&call| call.to_owned()).collect();
        assert_eq!(allowed, expected, "{name}");
    }
}

#[test]
fn snapshots_are_written_only_in_the_destination_and_under_our_name() {
    let policies = rendered("policies.json");
    let writes = [
        "rds:CopyDBSnapshot",
        "rds:CopyDBClusterSnapshot",
        "rds:AddTagsToResource",
        "rds:DeleteDBSnapshot",
        "rds:DeleteDBClusterSnapshot",
    ];
    let ours = [
        format!("{DESTINATION}:snapshot:snapferry-*"),
        format!("{DESTINATION}:cluster-snapshot:snapferry-*"),
    ];
    for (name, _) in CALLS {
        for statement in statements(&policies[name]) {
            if !list(&statement["Action"]).iter().any(|action| writes.contains(action)) {
                continue;
            }
            // A copy reads its source by the same action: that is the one exception.
            let reads_source =
                ["CopyFromSource", "CopyFromSourceByRds"].contains(&statement["Sid"].as_str().unwrap_or_default());
            if reads_source {
                assert_eq!(*name, "StartCopy");
                continue;
            }
            assert_eq!(list(&statement["Resource"]), ours, "{name}: {}", statement["Sid"]);
            let condition = &statement["Condition"]["StringEquals"];
            let marked = [
                &condition["aws:RequestTag/snapferry:owner"],
                &condition["aws:ResourceTag/snapferry:owner"],
            ];
            assert!(
                marked.contains(&&json!(OWNER)),
                "{name}: {} does not ask for the owner",
                statement["Sid"]
            );
        }
    }
}

#[test]
fn the_source_is_read_for_a_copy_to_the_destination_and_for_nothing_else() {
    let policies = rendered("policies.json");
    let statements = allowing(&policies["StartCopy"], "rds:CopyDBSnapshot", SOURCE);
    let conditions: Vec<&Value> = statements.iter().map(|statement| &statement["Condition"]).collect();
    assert_eq!(
        conditions,
        [
            &json!({ "StringEquals": { "aws:RequestedRegion": "eu-west-1" } }),
            &json!({
                "StringEquals": { "aws:RequestedRegion": "us-east-1" },
                "ForAnyValue:StringEquals": { "aws:CalledVia": ["rds.amazonaws.com"] },
            }),
        ]
    );
}

#[test]
fn a_copy_is_marked_as_ours_by_the_request_that_makes_it() {
    let policies = rendered("policies.json");
    for action in [
        "rds:CopyDBSnapshot",
        "rds:CopyDBClusterSnapshot",
        "rds:AddTagsToResource",
    ] {
        let statements = allowing(&policies["StartCopy"], action, DESTINATION);
        assert_eq!(statements.len(), 1, "{action}");
        assert_eq!(
            statements[0]["Condition"],
            json!({ "StringEquals": { "aws:RequestTag/snapferry:owner": OWNER } })
        );
    }
}

#[test]
fn only_the_tag_verified_is_written_later_and_only_on_our_copies() {
    let policies = rendered("policies.json");
    let statements = allowing(&policies["CheckCopyStatus"], "rds:AddTagsToResource", DESTINATION);
    assert_eq!(statements.len(), 1);
    assert_eq!(
        statements[0]["Condition"],
        json!({
            "StringEquals": { "aws:ResourceTag/snapferry:owner": OWNER },
            "ForAllValues:StringEquals": { "aws:TagKeys": ["snapferry:verified"] },
            "Null": { "aws:TagKeys": "false" },
        })
    );
}

#[test]
fn only_our_copies_are_deleted() {
    let policies = rendered("policies.json");
    for action in ["rds:DeleteDBSnapshot", "rds:DeleteDBClusterSnapshot"] {
        let statements = allowing(&policies["PruneOld"], action, "");
        assert_eq!(statements.len(), 1, "{action}");
        assert_eq!(
            statements[0]["Condition"],
            json!({ "StringEquals": { "aws:ResourceTag/snapferry:owner": OWNER } })
        );
    }
}

#[test]
fn keys_are_used_through_rds_only_and_grants_are_for_aws_only() {
    let policies = rendered("policies.json");
    let key = rendered("template.json")["Resources"]["StartCopyFunction"]["Properties"]["Environment"]["Variables"]
        ["DESTINATION_KMS_KEY_ARN"]
        .clone();
    for statement in statements(&policies["StartCopy"]) {
        let actions = list(&statement["Action"]);
        if !actions.iter().any(|action| action.starts_with("kms:")) {
            continue;
        }
        let condition = &statement["Condition"];
        assert_eq!(
            condition["StringEquals"]["kms:ViaService"],
            json!(["rds.eu-west-1.amazonaws.com", "rds.us-east-1.amazonaws.com"])
        );
        if actions.contains(&"kms:CreateGrant") {
            assert_eq!(actions, ["kms:CreateGrant"]);
            assert_eq!(condition["Bool"]["kms:GrantIsForAWSResource"], "true");
        }
        for resource in list(&statement["Resource"]) {
            assert!(
                resource == key || resource == "arn:aws:kms:us-east-1:123456789012:key/*",
                "{resource} is neither the key of the copies nor one of the source region"
            );
        }
    }
}

#[test]
fn a_quota_is_read_in_the_destination_only() {
    let policies = rendered("policies.json");
    for name in ["ListTargets", "StartCopy"] {
        for statement in allowing(&policies[name], "rds:DescribeAccountAttributes", "*") {
            assert_eq!(
                statement["Condition"],
                json!({ "StringEquals": { "aws:RequestedRegion": "eu-west-1" } })
            );
        }
    }
}

#[test]
fn each_machine_may_invoke_and_run_exactly_what_its_definition_does() {
    let policies = rendered("policies.json");
    for (name, logical) in MACHINES.into_iter().zip(["CopyFleet", "CopySnapshot"]) {
        let definition = machine(name);
        let invoked: BTreeSet<&str> = states(&definition)
            .iter()
            .filter_map(|state| state.definition["Arguments"]["FunctionName"].as_str())
            .collect();
        let may: BTreeSet<&str> = allowing(&policies[logical], "lambda:InvokeFunction", "arn:")
            .iter()
            .flat_map(|statement| list(&statement["Resource"]))
            .collect();
        assert_eq!(invoked, may, "{name}");
    }

    let own = "snapferry-copy-fleet";
    assert_eq!(
        rendered("template.json")["Resources"]["CopyFleetStateMachine"]["Properties"]["Name"],
        own
    );
    let arn = |kind: &str, name: &str| format!("arn:aws:states:us-east-1:123456789012:{kind}:{name}");
    let fleet = &policies["CopyFleet"];
    let resources = |action: &str| -> BTreeSet<&str> {
        allowing(fleet, action, "arn:")
            .iter()
            .flat_map(|statement| list(&statement["Resource"]))
            .collect()
    };
    let started = [arn("stateMachine", "snapferry-copy-snapshot"), arn("stateMachine", own)];
    assert_eq!(
        resources("states:StartExecution"),
        started.iter().map(String::as_str).collect()
    );
    let watched = [
        arn("execution", "snapferry-copy-snapshot:*"),
        arn("execution", "snapferry-copy-fleet:*"),
    ];
    for action in ["states:DescribeExecution", "states:StopExecution"] {
        assert_eq!(resources(action), watched.iter().map(String::as_str).collect());
    }
    for action in ["events:PutTargets", "events:PutRule", "events:DescribeRule"] {
        let rule = "arn:aws:events:us-east-1:123456789012:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";
        assert_eq!(resources(action), BTreeSet::from([rule]));
    }
}

#[test]
fn every_function_gets_the_variables_that_settings_reads() {
    // Lambda itself sets the region.
    let expected: BTreeSet<&str> = Settings::VARIABLES
        .iter()
        .copied()
        .filter(|name| *name != "AWS_REGION")
        .collect();
    for (name, function) in resources_of("AWS::Serverless::Function") {
        let variables = function["Environment"]["Variables"].as_object().expect("variables");
        let given: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
        assert_eq!(given, expected, "{name}");
        let settings = Settings::read(|asked| match asked {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            _ => variables[asked].as_str().map(str::to_owned),
        });
        assert!(
            settings.is_ok(),
            "the template's own defaults are refused: {settings:?}"
        );
    }
}

#[test]
fn the_limits_of_the_parameters_are_those_that_settings_checks() {
    let template = rendered("template.json");
    let with = |variable: &str, value: &str| {
        let variables = &template["Resources"]["StartCopyFunction"]["Properties"]["Environment"]["Variables"];
        Settings::read(|asked| match asked {
            _ if asked == variable => Some(value.to_owned()),
            "AWS_REGION" => Some("us-east-1".to_owned()),
            _ => variables[asked].as_str().map(str::to_owned),
        })
    };
    for (parameter, variable) in [
        ("KeepCopies", "KEEP_COPIES"),
        ("KeepDays", "KEEP_DAYS"),
        ("KeepDaily", "KEEP_DAILY"),
        ("KeepWeekly", "KEEP_WEEKLY"),
        ("KeepMonthly", "KEEP_MONTHLY"),
        ("KeepYearly", "KEEP_YEARLY"),
        ("CopyDeadlineHours", "COPY_DEADLINE_HOURS"),
        ("PageSize", "PAGE_SIZE"),
    ] {
        let limit = |name: &str| template["Parameters"][parameter][name].as_i64().expect("a number");
        for (value, accepted) in [
            (limit("MinValue"), true),
            (limit("MaxValue"), true),
            (limit("MinValue") - 1, false),
            (limit("MaxValue") + 1, false),
        ] {
            assert_eq!(
                with(variable, &value.to_string()).is_ok(),
                accepted,
                "{parameter} = {value}"
            );
        }
    }
    for (parameter, variable) in [
        ("Selection", "SELECTION"),
        ("IncludeManualSnapshots", "INCLUDE_MANUAL_SNAPSHOTS"),
        ("DryRun", "DRY_RUN"),
    ] {
        for value in list(&template["Parameters"][parameter]["AllowedValues"]) {
            assert!(with(variable, value).is_ok(), "{parameter} = {value}");
        }
    }
}

#[test]
fn every_parameter_is_described_and_says_what_to_do_when_it_is_refused() {
    let template = rendered("template.json");
    for (name, parameter) in template["Parameters"].as_object().expect("parameters") {
        for field in ["Description", "ConstraintDescription"] {
            assert!(
                parameter[field].as_str().is_some_and(|said| said.ends_with(['.', ')'])),
                "{name} has no {field}"
            );
        }
    }
}

#[test]
fn every_log_has_a_retention_and_machines_log_errors_without_data() {
    let logs = resources_of("AWS::Logs::LogGroup");
    assert_eq!(logs.len(), 7);
    for (name, group) in &logs {
        assert!(
            group["RetentionInDays"].is_string() || group["RetentionInDays"].is_u64(),
            "{name}"
        );
    }
    let names: BTreeSet<&str> = logs
        .values()
        .filter_map(|group| group["LogGroupName"].as_str())
        .collect();
    for (name, function) in resources_of("AWS::Serverless::Function") {
        let group = function["LoggingConfig"]["LogGroup"].as_str().unwrap_or_default();
        assert!(names.contains(group), "{name}");
        assert_eq!(
            group,
            format!("/aws/lambda/{}", function["FunctionName"].as_str().unwrap_or_default())
        );
        assert_eq!(function["Tracing"], "Active");
    }
    for (name, machine) in resources_of("AWS::Serverless::StateMachine") {
        assert_eq!(machine["Logging"]["Level"], "ERROR", "{name}");
        assert_eq!(machine["Logging"]["IncludeExecutionData"], false, "{name}");
        assert_eq!(machine["Tracing"]["Enabled"], true, "{name}");
    }
}

#[test]
fn what_starts_a_run_retries_and_keeps_what_it_could_not_deliver() {
    let rules = rendered("events.json");
    let fleet = "arn:aws:states:us-east-1:123456789012:stateMachine:snapferry-copy-fleet";
    let queue = "arn:aws:sqs:us-east-1:123456789012:snapferry-TriggerDeadLetters";
    for (name, rule) in rules.as_object().expect("rules") {
        let [target] = entries(&rule["Targets"]) else {
            panic!("{name} has not one target")
        };
        assert_eq!(target["Arn"], fleet, "{name}");
        assert!(target["RoleArn"].is_string(), "{name}");
        assert_eq!(target["DeadLetterConfig"]["Arn"], queue, "{name}");
        assert!(
            target["RetryPolicy"]["MaximumRetryAttempts"]
                .as_u64()
                .is_some_and(|attempts| attempts <= 185)
        );
        assert!(
            target["RetryPolicy"]["MaximumEventAgeInSeconds"]
                .as_u64()
                .is_some_and(|age| age <= 86_400)
        );
    }
    assert_eq!(
        rules["SnapshotReadyRule"]["EventPattern"],
        json!({
            "source": ["aws.rds"],
            "detail-type": ["RDS DB Snapshot Event", "RDS DB Cluster Snapshot Event"],
            "detail": { "EventID": ["RDS-EVENT-0091", "RDS-EVENT-0169"] },
        })
    );
    let queues = resources_of("AWS::SQS::Queue");
    assert_eq!(queues["TriggerDeadLetters"]["SqsManagedSseEnabled"], true);
    let policy = &resources_of("AWS::SQS::QueuePolicy")["TriggerDeadLettersPolicy"]["PolicyDocument"];
    let senders = &policy["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"];
    assert_eq!(
        entries(senders).len(),
        rules.as_object().map_or(0, serde_json::Map::len)
    );
}

#[test]
fn no_partition_is_taken_for_granted() {
    for (number, line) in text("infra/template.yaml").lines().enumerate() {
        if line.contains("!Sub") && line.contains("arn:") {
            assert!(line.contains("arn:${AWS::Partition}:"), "line {}: {line}", number + 1);
        }
        if line.contains("https://") {
            assert!(line.contains("https://${Console}/"), "line {}: {line}", number + 1);
        }
    }
    let template = text("infra/template.yaml");
    for partition in ["aws:", "aws-us-gov:", "aws-cn:"] {
        assert!(
            template.contains(&format!("    {partition} {{ Console: ")),
            "{partition} has no console"
        );
    }
}
