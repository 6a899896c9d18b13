//! What the rules of an organization demand of both stacks: names, boundaries, networks, keys and topics of its own.

#![allow(missing_docs)]

mod rendering;

use std::collections::BTreeSet;

use deployment::{STACKS, Stack, text};
use serde_json::{Value, json};

use rendering::{allowing, list, rendered_with, statements};

/// What the templates can name: the property, how long AWS lets it be, and which characters beside letters and digits.
const NAMES: [(&str, &str, usize, &str); 10] = [
    ("AWS::Serverless::Function", "FunctionName", 64, "-_"),
    ("AWS::Serverless::StateMachine", "Name", 80, "-_"),
    ("AWS::IAM::Role", "RoleName", 64, "-_+=,.@"),
    ("AWS::Events::Rule", "Name", 64, "-_."),
    ("AWS::SQS::Queue", "QueueName", 80, "-_"),
    ("AWS::SNS::Topic", "TopicName", 256, "-_"),
    ("AWS::CloudWatch::Alarm", "AlarmName", 255, "-_"),
    ("AWS::CloudWatch::Dashboard", "DashboardName", 255, "-_"),
    ("AWS::Logs::LogGroup", "LogGroupName", 512, "-_/.#"),
    ("AWS::EC2::SecurityGroup", "GroupName", 255, "-_ "),
];

/// Those that always have a name of their own, because something knows them by it, or a person looks for it.
const ALWAYS_NAMED: [&str; 4] = [
    "AWS::Serverless::StateMachine",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::LogGroup",
];

/// One that a person chose, and one that `StackSets` make of 20 characters: both as long as they may be.
const STACK_NAMES: [&str; 2] = [
    "a-stack-with-a-name-that-is-as-long-as-a-stack-of-snapferry-may-be",
    "StackSet-twenty-letters-here-0f5a1b2c-3d4e-4f60-8a7b-9c0d1e2f3a4b",
];

const SUBNETS: &str = "SubnetIds=subnet-0123456789abcdef0,subnet-0fedcba9876543210";
const GROUPS: &str = "SecurityGroupIds=sg-0123456789abcdef0";

/// Policies and template of a stack with some parameters, each as in `Name=value`.
fn with_parameters(stack: Stack, more: &[&str], parameters: &[&str]) -> Result<(Value, Value), String> {
    let given = parameters.iter().flat_map(|&one| ["--parameter", one]);
    let arguments: Vec<&str> = ["--template", stack.template]
        .into_iter()
        .chain(more.iter().copied())
        .chain(given)
        .collect();
    rendered_with(&arguments)
}

fn resources(template: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let resources = template["Resources"].as_object().expect("resources");
    resources.iter().map(|(name, resource)| {
        let kind = resource["Type"].as_str().expect("a type");
        (name.as_str(), kind, &resource["Properties"])
    })
}

/// The names of a rendered template, with the logical ids of what has them.
fn names(template: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (logical, kind, properties) in resources(template) {
        let Some((_, field, limit, others)) = NAMES.iter().find(|(known, ..)| *known == kind) else {
            continue;
        };
        let Some(name) = properties[field].as_str() else {
            continue;
        };
        assert!(
            name.len() <= *limit,
            "{logical}: {name} has {} characters, AWS takes {limit}",
            name.len()
        );
        let is_legal = |one: char| one.is_ascii_alphanumeric() || others.contains(one);
        assert!(name.chars().all(is_legal), "{logical}: {name}");
        found.insert((logical.to_owned(), name.to_owned()));
    }
    found
}

#[test]
fn every_name_is_within_its_limit_whatever_prefix_stack_name_and_region_it_has() {
    let prefix = "a".repeat(24);
    let prefixed = format!("NamePrefix={prefix}");
    // Longer than any that there is: ap-southeast-1 has 14 characters.
    let regions = [
        "--source-region",
        "ap-southcentral-1",
        "--destination-region",
        "eu-southcentral-1",
    ];
    let stack_of_128 = "s".repeat(128);
    let group = ["DrillSecurityGroup=", "DrillVpcId=vpc-0123456789abcdef0"];
    for stack in STACKS {
        let more = [&regions[..], &["--stack-name", &stack_of_128]].concat();
        let mut parameters = vec![prefixed.as_str()];
        if stack.template.ends_with("destination.yaml") {
            parameters.extend(group);
        }
        let (_, template) = with_parameters(stack, &more, &parameters).expect("rendered");
        let found = names(&template);
        for (logical, kind, _) in resources(&template) {
            let is_nameable = NAMES.iter().any(|(known, ..)| *known == kind);
            assert_eq!(
                found.iter().any(|(one, _)| one == logical),
                is_nameable,
                "{logical}: {kind}"
            );
        }
        for (logical, name) in &found {
            assert!(name.contains(&prefix) && !name.contains("sss"), "{logical}: {name}");
        }
    }
}

/// m5, case 19: without a prefix the stack's own name is in the names, and Step Functions has the narrowest limit.
#[test]
fn a_stack_may_have_a_name_of_66_characters_or_the_one_that_a_stack_set_gives_it() {
    let mut longest_suffix = 0;
    for (stack, name) in STACKS
        .into_iter()
        .flat_map(|stack| STACK_NAMES.map(|name| (stack, name)))
    {
        let (_, template) = with_parameters(stack, &["--stack-name", name], &[]).expect("rendered");
        let found = names(&template);
        for (logical, kind, _) in resources(&template) {
            let is_named = found.iter().any(|(one, _)| one == logical);
            // CloudFormation names the others, and cuts the name of the stack.
            assert_eq!(is_named, ALWAYS_NAMED.contains(&kind), "{logical}: {kind}");
        }
        for (_, kind, properties) in resources(&template) {
            if kind == "AWS::Serverless::StateMachine" {
                let suffix = properties["Name"].as_str().and_then(|one| one.strip_prefix(name));
                longest_suffix = longest_suffix.max(suffix.map_or(0, str::len));
            }
        }
    }
    let longest_name = 80 - longest_suffix;
    assert_eq!(STACK_NAMES[0].len(), longest_name);
    let documents = text("docs/operations.md");
    assert!(
        documents.contains(&format!("at most {longest_name} characters")),
        "docs/operations.md says how long the name of a stack may be: {longest_name}"
    );
}

/// Both stacks may be in one region, where another pair copies in the opposite direction; roles have no region at all.
#[test]
fn no_two_things_of_a_kind_share_a_name_where_both_stacks_have_the_same_prefix() {
    let of_stack = |stack: Stack| {
        // Both are rendered in us-east-1.
        let regions: &[&str] = if stack.region == "us-east-1" {
            &[]
        } else {
            &["--source-region", "eu-west-1", "--destination-region", "us-east-1"]
        };
        let (_, template) = with_parameters(stack, regions, &["NamePrefix=acme"]).expect("rendered");
        let kinds: Vec<(String, String)> = resources(&template)
            .map(|(logical, kind, _)| (logical.to_owned(), kind.to_owned()))
            .collect();
        let of = |logical: &str| kinds.iter().find(|(one, _)| one == logical).expect("a kind").1.clone();
        let named: Vec<(String, String)> = names(&template)
            .into_iter()
            .map(|(logical, name)| (of(&logical), name))
            .collect();
        named
    };
    let all: Vec<_> = STACKS.into_iter().flat_map(of_stack).collect();
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "{all:?}");
    for (kind, name) in all.iter().filter(|(kind, _)| kind == "AWS::IAM::Role") {
        assert!(name.starts_with("acme-us-east-1-"), "{kind}: {name}");
    }
}

#[test]
fn every_role_has_the_boundary_and_the_path_and_is_known_by_them() {
    let boundary = "arn:aws:iam::123456789012:policy/backup/Boundary";
    for stack in STACKS {
        let (policies, template) = with_parameters(
            stack,
            &[],
            &[&format!("PermissionsBoundaryArn={boundary}"), "RolePath=/backup/rds/"],
        )
        .expect("rendered");
        let mut roles = 0;
        for (logical, _, properties) in resources(&template).filter(|(_, kind, _)| *kind == "AWS::IAM::Role") {
            assert_eq!(properties["PermissionsBoundary"], boundary, "{logical}");
            assert_eq!(properties["Path"], "/backup/rds/", "{logical}");
            roles += 1;
        }
        // Each function and machine, and what starts the machines.
        assert_eq!(roles, stack.functions.len() + stack.machines.len() + 1);
        for (name, role) in policies.as_object().expect("an object") {
            let arn = role["role"].as_str().expect("an ARN");
            assert!(
                arn.starts_with("arn:aws:iam::123456789012:role/backup/rds/snapferry-"),
                "{name}: {arn}"
            );
        }
        for (logical, properties) in stack.resources_of("AWS::IAM::Role") {
            assert_eq!(properties.get("PermissionsBoundary"), None, "{logical}");
            assert_eq!(properties["Path"], "/", "{logical}");
        }
    }
}

/// What a VPC adds is for Lambda itself, whose calls have no function behind them.
#[test]
fn in_a_vpc_each_functions_role_lets_lambda_attach_it_and_the_function_itself_nothing_more() {
    for stack in STACKS {
        let (policies, template) = with_parameters(stack, &[], &[SUBNETS, GROUPS]).expect("rendered");
        let without = stack.rendered("policies.json");
        for (logical, kind, properties) in resources(&template) {
            if kind == "AWS::Serverless::Function" {
                assert_eq!(
                    properties["VpcConfig"],
                    json!({
                        "SubnetIds": ["subnet-0123456789abcdef0", "subnet-0fedcba9876543210"],
                        "SecurityGroupIds": ["sg-0123456789abcdef0"],
                    }),
                    "{logical}"
                );
            }
        }
        for (name, role) in policies.as_object().expect("an object") {
            let before = statements(&without[name]);
            let added: Vec<&Value> = statements(role)
                .into_iter()
                .filter(|one| !before.contains(one))
                .collect();
            let is_function = stack
                .functions
                .iter()
                .any(|function| function.replace('-', "").eq_ignore_ascii_case(name));
            if !is_function {
                assert!(added.is_empty(), "{name}: {added:?}");
                continue;
            }
            let [network] = &added[..] else {
                panic!("{name}: {added:?}")
            };
            let actions: BTreeSet<&str> = list(&network["Action"]).into_iter().collect();
            let expected = BTreeSet::from([
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:UnassignPrivateIpAddresses",
            ]);
            assert_eq!(actions, expected, "{name}");
            assert_eq!(
                network["Condition"],
                json!({
                    "StringEquals": { "aws:RequestedRegion": stack.region },
                    "Null": { "lambda:SourceFunctionArn": "true" },
                }),
                "{name}"
            );
        }
        for (logical, properties) in stack.resources_of("AWS::Serverless::Function") {
            assert_eq!(properties.get("VpcConfig"), None, "{logical}");
        }
    }
}

#[test]
fn every_log_is_encrypted_with_the_key_of_the_logs_and_without_one_as_cloudwatch_does() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/1111";
    for stack in STACKS {
        let (_, template) = with_parameters(stack, &[], &[&format!("LogKmsKeyArn={key}")]).expect("rendered");
        let logs: Vec<_> = resources(&template)
            .filter(|(_, kind, _)| *kind == "AWS::Logs::LogGroup")
            .collect();
        assert_eq!(logs.len(), stack.functions.len() + stack.machines.len());
        for (logical, _, properties) in logs {
            assert_eq!(properties["KmsKeyId"], key, "{logical}");
        }
        for (logical, properties) in stack.resources_of("AWS::Logs::LogGroup") {
            assert_eq!(properties.get("KmsKeyId"), None, "{logical}");
        }
    }
}

#[test]
fn a_topic_of_ones_own_takes_the_place_of_the_stacks_everywhere() {
    for stack in STACKS {
        let topic = format!("arn:aws:sns:{}:123456789012:on-call", stack.region);
        let (policies, template) =
            with_parameters(stack, &[], &[&format!("AlertsTopicArn={topic}")]).expect("good parameters");
        assert!(
            !template["Resources"].to_string().contains("AlertsTopic\""),
            "the stack's own is still there"
        );
        let mut alarms = 0;
        for (logical, _, alarm) in resources(&template).filter(|(_, kind, _)| *kind == "AWS::CloudWatch::Alarm") {
            assert_eq!(alarm["AlarmActions"], json!([topic]), "{logical}");
            assert_eq!(alarm["OKActions"], json!([topic]), "{logical}");
            alarms += 1;
        }
        assert!(alarms >= 5, "{alarms}");
        assert_eq!(template["Outputs"]["AlertsTopicArn"]["Value"], topic);
        let fleet = if stack.region == "us-east-1" {
            "CopyFleet"
        } else {
            "DrillFleet"
        };
        let publish = allowing(&policies[fleet], "sns:Publish", "arn:");
        assert_eq!(list(&publish[0]["Resource"]), [topic.as_str()]);
        for (logical, _, rule) in resources(&template).filter(|(_, kind, _)| *kind == "AWS::Events::Rule") {
            let started = rule["Targets"][0]["Arn"].as_str().expect("an ARN");
            if started.contains(":sns:") {
                assert_eq!(started, topic, "{logical}");
            }
        }
    }
}

#[test]
fn half_of_a_pair_is_refused_and_says_what_is_missing() {
    for stack in STACKS {
        let topic = format!("AlertsTopicArn=arn:aws:sns:{}:123456789012:on-call", stack.region);
        for (parameters, said) in [
            (&[SUBNETS][..], "WholeNetwork: Give SecurityGroupIds too."),
            (&[GROUPS], "WholeNetwork: Give SubnetIds too."),
            (
                &[&topic, "NotificationEmail=a@example.com"],
                "OneTopic: Give NotificationEmail or AlertsTopicArn, not both.",
            ),
        ] {
            let refused = with_parameters(stack, &[], parameters).expect_err(said);
            assert!(refused.contains(said), "{parameters:?}: {refused}");
        }
    }
}

#[test]
fn what_is_no_prefix_policy_path_subnet_group_or_key_is_refused() {
    for refused in [
        "NamePrefix=1st",
        "NamePrefix=acme-",
        "NamePrefix=acme_backup",
        "NamePrefix=abcdefghijklmnopqrstuvwxy",
        "PermissionsBoundaryArn=Boundary",
        "PermissionsBoundaryArn=arn:aws:iam::123456789012:role/Boundary",
        "RolePath=backup",
        "RolePath=/backup",
        "RolePath=",
        "SubnetIds=subnet-1",
        "SubnetIds=subnet-0123abcd, subnet-0123abce",
        "SubnetIds=subnet-0123abcd,",
        "SecurityGroupIds=default",
        "LogKmsKeyArn=alias/logs",
        "LogKmsKeyArn=arn:aws:kms:us-east-1:123456789012:alias/logs",
        "AlertsTopicArn=on-call",
    ] {
        for stack in STACKS {
            let said = with_parameters(stack, &[], &[refused]).expect_err(refused);
            assert!(said.contains("is refused: Give "), "{refused}: {said}");
        }
    }
    for taken in [
        "NamePrefix=a",
        "NamePrefix=Acme-backup-1",
        "PermissionsBoundaryArn=arn:aws-us-gov:iam::123456789012:policy/org/Boundary",
        "PermissionsBoundaryArn=arn:aws:iam::aws:policy/PowerUserAccess",
        "RolePath=/",
    ] {
        assert!(
            STACKS
                .iter()
                .all(|&stack| with_parameters(stack, &[], &[taken]).is_ok()),
            "{taken}"
        );
    }
}

/// With everything at once, where the policies are already the longest.
#[test]
fn the_policies_of_a_role_fit_into_iam_with_all_of_it() {
    let key = |number: usize| format!("arn:aws-us-gov:kms:us-gov-east-1:123456789012:key/{number:0>36}");
    let keys: Vec<String> = (0..13).map(key).collect();
    let keys = format!("AllowedKmsKeyArns={}", keys.join(","));
    let regions = [
        "--source-region",
        "us-gov-west-1",
        "--destination-region",
        "us-gov-east-1",
    ];
    let group = format!("DrillSubnetGroup={}", "g".repeat(255));
    for stack in STACKS {
        let mut parameters = vec![
            "NamePrefix=abcdefghijklmnopqrstuvwx",
            "OwnerId=abcdefghijkl",
            SUBNETS,
            GROUPS,
        ];
        parameters.push(if stack.region == "us-east-1" { &keys } else { &group });
        let (policies, _) = with_parameters(stack, &regions, &parameters).expect("good parameters");
        for (name, role) in policies.as_object().expect("an object") {
            let bytes = role["policies"].to_string().len();
            assert!(bytes <= 10_240, "IAM takes 10,240 bytes, those of {name} are {bytes}");
        }
    }
}

#[test]
fn each_of_these_parameters_is_in_both_templates_and_in_the_documents() {
    let documents = text("docs/parameters.md");
    for name in [
        "NamePrefix",
        "PermissionsBoundaryArn",
        "RolePath",
        "SubnetIds",
        "SecurityGroupIds",
        "LogKmsKeyArn",
        "AlertsTopicArn",
    ] {
        let declared = STACKS.map(|stack| stack.rendered("template.json")["Parameters"][name].clone());
        assert_eq!(declared[0]["AllowedPattern"], declared[1]["AllowedPattern"], "{name}");
        assert_eq!(declared[0]["Default"], declared[1]["Default"], "{name}");
        assert!(
            documents.contains(&format!("`{name}`")),
            "docs/parameters.md does not name {name}"
        );
    }
}
