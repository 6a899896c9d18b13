//! What the template deploys: checks that cfn-lint does not make.

#![allow(missing_docs)]

mod rendering;

use std::collections::{BTreeMap, BTreeSet};

use deployment::{MACHINES, STACKS, machine, rendered, states, text};
use domain::settings::{OBJECTIVE_HOURS, Settings};
use domain::tags;
use runtime::release;
use serde_json::{Value, json};
use step_functions::entries;

use rendering::{allowing, list, render_with, rendered_with, statements};

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
            "< rds:DescribeDBSnapshots",
            "< rds:DescribeDBClusterSnapshots",
            "> rds:DescribeOptionGroups",
            "< rds:DescribeOptionGroups",
            "* rds:DescribeGlobalClusters",
            "* rds:DescribeAccountAttributes",
            "< kms:DescribeKey",
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
            "> rds:DescribeDBInstances",
            "> rds:DescribeDBClusters",
            "< rds:DescribeDBSnapshots",
            "< rds:DescribeDBClusterSnapshots",
            "< rds:DeleteDBSnapshot",
            "< rds:DeleteDBClusterSnapshot",
        ],
    ),
];

/// Actions that AWS offers for all resources only, or that Step Functions documents so.
const WITHOUT_RESOURCE: &[&str] = &[
    "ec2:DescribeSecurityGroups",
    "rds:DescribeAccountAttributes",
    // They know some, and need none: whether AWS asks about one is open.
    "rds:DescribeDBClusterAutomatedBackups",
    "rds:DescribeDBInstanceAutomatedBackups",
    "rds:DescribeEvents",
    "rds:DescribeOrderableDBInstanceOptions",
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

/// The same for some parameters, each as in `Name=value`.
fn with_parameters(parameters: &[&str]) -> Result<(Value, Value), String> {
    let arguments: Vec<&str> = parameters.iter().flat_map(|&one| ["--parameter", one]).collect();
    rendered_with(&arguments)
}

/// The environment of a function.
fn variables<'a>(template: &'a Value, function: &str) -> &'a Value {
    &template["Resources"][format!("{function}Function")]["Properties"]["Environment"]["Variables"]
}

fn settings_of(variables: &Value) -> Result<Settings, domain::error::Error> {
    Settings::read(|asked| match asked {
        "AWS_REGION" => Some("us-east-1".to_owned()),
        _ => variables[asked].as_str().map(str::to_owned),
    })
}

fn resources_of(kind: &str) -> BTreeMap<String, Value> {
    deployment::SOURCE.resources_of(kind)
}

#[test]
fn every_policy_states_its_version_and_allows_named_actions_only() {
    for stack in STACKS {
        let roles = stack.resources_of("AWS::IAM::Role");
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
        // Each function and machine, and what starts the machines.
        assert_eq!(roles.len(), stack.functions.len() + stack.machines.len() + 1);
        let shared = stack.rendered("policies.json");
        let used: BTreeSet<String> = shared
            .as_object()
            .expect("an object")
            .values()
            .map(|one| one["role"].to_string())
            .collect();
        assert_eq!(used.len(), roles.len() - 1, "no two of them share a role");
    }
}

#[test]
fn all_resources_are_meant_only_where_aws_knows_none() {
    for stack in STACKS {
        let policies = stack.rendered("policies.json");
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
            let reads_source = statement["Sid"]
                .as_str()
                .is_some_and(|sid| sid.starts_with("Copy") && sid.contains("FromSource"));
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

/// D9: a pre-signed call is one of the role itself in the source region, without `aws:CalledVia`. Automated snapshots are
/// known by their names, which nothing new may have.
#[test]
fn the_source_is_read_by_calls_to_both_regions_and_nothing_can_be_made_there() {
    let policies = rendered("policies.json");
    let start_copy = &policies["StartCopy"];
    for (action, kind) in [
        ("rds:CopyDBSnapshot", "snapshot"),
        ("rds:CopyDBClusterSnapshot", "cluster-snapshot"),
    ] {
        let found: Vec<(String, &Value)> = allowing(start_copy, action, &format!("{SOURCE}:{kind}"))
            .into_iter()
            .map(|statement| {
                let resources = list(&statement["Resource"]);
                let resource = resources
                    .into_iter()
                    .find(|arn| arn.starts_with(&format!("{SOURCE}:{kind}")));
                let name = resource.and_then(|arn| arn.strip_prefix(&format!("{SOURCE}:{kind}:")));
                (name.expect("a name").to_owned(), &statement["Condition"])
            })
            .collect();
        let condition = |extra: Value| {
            let mut condition = json!({ "StringEquals": { "aws:RequestedRegion": "us-east-1" } });
            for (operator, keys) in extra.as_object().expect("an object") {
                for (key, value) in keys.as_object().expect("an object") {
                    condition[operator][key] = value.clone();
                }
            }
            condition
        };
        let expected = [
            ("*", json!({ "StringEquals": { "aws:RequestedRegion": "eu-west-1" } })),
            ("rds:*", condition(json!({}))),
            (
                "*",
                condition(json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": ["rds.amazonaws.com"] } })),
            ),
            (
                "*",
                condition(json!({ "StringEquals": { "aws:RequestTag/snapferry:owner": OWNER } })),
            ),
        ];
        let found: Vec<(&str, Value)> = found
            .iter()
            .map(|(name, condition)| (name.as_str(), (*condition).clone()))
            .collect();
        assert_eq!(found, expected, "{action}");
    }
    // A copy with tags needs this as well where it is made.
    assert!(allowing(start_copy, "rds:AddTagsToResource", SOURCE).is_empty());
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
        let mut condition = json!({ "StringEquals": { "aws:RequestTag/snapferry:owner": OWNER } });
        if action == "rds:AddTagsToResource" {
            // L12: a snapshot of another owner does not become ours.
            condition["StringEqualsIfExists"] = json!({ "aws:ResourceTag/snapferry:owner": OWNER });
        }
        assert_eq!(statements[0]["Condition"], condition, "{action}");
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

/// Kind 4 (H1, M8, M10): what is written after a copy was made has a place that is kept free from the start.
#[test]
fn each_role_writes_the_tags_that_places_are_kept_for_and_no_others() {
    let policies = rendered("policies.json");
    let mut later = BTreeSet::new();
    for (role, _) in CALLS {
        for statement in statements(&policies[role]) {
            let actions = list(&statement["Action"]);
            assert!(!actions.contains(&"rds:RemoveTagsFromResource"), "{role}");
            if !actions.contains(&"rds:AddTagsToResource") {
                continue;
            }
            let condition = &statement["Condition"];
            if *role == "StartCopy" {
                // In the request that makes the copy: all of its tags, ours among them, and so with the free places.
                assert_eq!(condition["StringEquals"]["aws:RequestTag/snapferry:owner"], OWNER);
                continue;
            }
            let keys = list(&condition["ForAllValues:StringEquals"]["aws:TagKeys"]);
            assert_eq!(condition["Null"]["aws:TagKeys"], "false", "{role} may write any tag");
            later.extend(keys.into_iter().map(|key| (*role, key.to_owned())));
        }
    }
    // prune-old reads tags and writes none; the places of the drills are for the roles of the drills.
    assert_eq!(later, BTreeSet::from([("CheckCopyStatus", tags::VERIFIED.to_owned())]));
    for (role, key) in &later {
        assert!(
            tags::RESERVED.contains(&key.as_str()),
            "{role} writes {key}, for which no place is kept"
        );
    }
    let reserved: BTreeSet<&str> = tags::RESERVED.iter().copied().collect();
    let by_name = ["verified", "drilling", "drilled", "drill-minutes", "hold", "unread"];
    assert_eq!(
        reserved,
        by_name
            .map(|name| format!("{}{name}", tags::PREFIX))
            .iter()
            .map(String::as_str)
            .collect()
    );
    // A person may use those as well that no role writes: their values fit.
    assert!(tags::RESERVED.len() < tags::MAX_TAGS);
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

/// What start-copy may do with keys in a region: the resources, the alias that they must have, and whether it is
/// about grants.
fn uses_of_keys(policies: &Value, region: &str) -> BTreeSet<(Vec<String>, Option<String>, bool)> {
    statements(&policies["StartCopy"])
        .into_iter()
        .filter(|statement| {
            list(&statement["Action"])
                .iter()
                .any(|action| action.starts_with("kms:"))
        })
        .filter(|statement| {
            list(&statement["Resource"])
                .iter()
                .any(|arn| arn.contains(&format!(":kms:{region}:")))
        })
        .map(|statement| {
            let keys = list(&statement["Resource"]).into_iter().map(str::to_owned).collect();
            let alias = statement["Condition"]
                .get("ForAnyValue:StringEquals")
                .map(|condition| condition["kms:ResourceAliases"].as_str().expect("an alias").to_owned());
            (keys, alias, list(&statement["Action"]) == ["kms:CreateGrant"])
        })
        .collect()
}

#[test]
fn each_form_of_the_key_becomes_an_arn_and_lets_start_copy_use_that_key_alone() {
    let arn = |resource: &str| format!("arn:aws:kms:eu-west-1:123456789012:{resource}");
    let id = "0a1b2c3d-2222-3333-4444-555555555555";
    let multi_region = "mrk-0123456789abcdef0123456789abcdef";
    let key = |id: &str| (arn(&format!("key/{id}")), arn(&format!("key/{id}")), None);
    let alias = |name: &str| (arn(name), arn("key/*"), Some(name.to_owned()));
    let elsewhere = "arn:aws:kms:eu-west-1:999999999999";
    for (given, (variable, usable, by_alias)) in [
        (arn(&format!("key/{id}")), key(id)),
        (arn(&format!("key/{multi_region}")), key(multi_region)),
        (id.to_owned(), key(id)),
        (multi_region.to_owned(), key(multi_region)),
        (arn("alias/copies"), alias("alias/copies")),
        ("alias/copies".to_owned(), alias("alias/copies")),
        // Names in which the beginning of an ARN, of an alias and of a key's name come again.
        ("alias/arn".to_owned(), alias("alias/arn")),
        ("alias/my-alias/key/arn".to_owned(), alias("alias/my-alias/key/arn")),
        (arn("alias/key/my-alias/arn"), alias("alias/key/my-alias/arn")),
        // Of another account.
        (
            format!("{elsewhere}:key/{id}"),
            (format!("{elsewhere}:key/{id}"), format!("{elsewhere}:key/{id}"), None),
        ),
        (
            format!("{elsewhere}:alias/copies"),
            (
                format!("{elsewhere}:alias/copies"),
                format!("{elsewhere}:key/*"),
                Some("alias/copies".to_owned()),
            ),
        ),
    ] {
        for allowed in [&[][..], &[arn("key/1111")], &[arn("key/1111"), arn("key/mrk-2222")]] {
            let (policies, template) = with_parameters(&[
                &format!("DestinationKmsKey={given}"),
                &format!("AllowedKmsKeyArns={}", allowed.join(",")),
            ])
            .expect("good parameters");
            for function in resources_of("AWS::Serverless::Function").keys() {
                let variables = variables(&template, function.trim_end_matches("Function"));
                assert_eq!(variables["DESTINATION_KMS_KEY_ARN"], variable, "{given}");
                assert_eq!(variables["ALLOWED_KMS_KEY_ARNS"], allowed.join(","), "{given}");
                let settings = settings_of(variables);
                assert!(settings.is_ok(), "{given}: {settings:?}");
            }
            let mut expected = BTreeSet::new();
            for grants in [false, true] {
                expected.insert((vec![usable.clone()], by_alias.clone(), grants));
                if !allowed.is_empty() {
                    expected.insert((allowed.to_vec(), None, grants));
                }
            }
            assert_eq!(
                uses_of_keys(&policies, "eu-west-1"),
                expected,
                "{given}, also {allowed:?}"
            );
        }
    }
}

#[test]
fn a_key_by_its_name_is_one_of_the_stacks_own_partition() {
    let regions = [
        "--source-region",
        "us-gov-west-1",
        "--destination-region",
        "us-gov-east-1",
    ];
    for (key, resource) in [
        ("alias/copies", "alias/copies"),
        (
            "0a1b2c3d-2222-3333-4444-555555555555",
            "key/0a1b2c3d-2222-3333-4444-555555555555",
        ),
    ] {
        let key = format!("DestinationKmsKey={key}");
        let (_, template) = rendered_with(&[&regions[..], &["--parameter", &key]].concat()).expect("good parameters");
        assert_eq!(
            variables(&template, "StartCopy")["DESTINATION_KMS_KEY_ARN"],
            format!("arn:aws-us-gov:kms:us-gov-east-1:123456789012:{resource}")
        );
    }
}

#[test]
fn what_is_no_key_no_list_of_keys_or_no_map_of_option_groups_is_refused() {
    let key = "arn:aws:kms:eu-west-1:123456789012:key/1111";
    for refused in [
        "DestinationKmsKey=".to_owned(),
        "DestinationKmsKey=copies".to_owned(),
        "DestinationKmsKey=key/0a1b2c3d-2222-3333-4444-555555555555".to_owned(),
        "DestinationKmsKey=alias/".to_owned(),
        "DestinationKmsKey=alias/our copies".to_owned(),
        "DestinationKmsKey=arn:aws:rds:eu-west-1:123456789012:key/1111".to_owned(),
        "DestinationKmsKey=arn:aws:kms:eu-west-1:123456789012:key/1111:key/2222".to_owned(),
        format!("DestinationKmsKey={key},{key}"),
        "AllowedKmsKeyArns=alias/copies".to_owned(),
        "AllowedKmsKeyArns=arn:aws:kms:eu-west-1:123456789012:alias/copies".to_owned(),
        format!("AllowedKmsKeyArns={key},"),
        format!("AllowedKmsKeyArns={key}, {key}"),
        format!("AllowedKmsKeyArns={}", [key; 28].join(",")),
        "OptionGroups=oracle-tz".to_owned(),
        "OptionGroups==oracle-tz".to_owned(),
        "OptionGroups=oracle-tz=".to_owned(),
        "OptionGroups=oracle-tz=1st".to_owned(),
        "OptionGroups=oracle-tz=default:oracle-ee-19".to_owned(),
        "OptionGroups=oracle-tz=copies, instance:orders=copies".to_owned(),
        format!("OptionGroups={}=copies", "o".repeat(1_800)),
    ] {
        let said = with_parameters(&[&refused]).expect_err(&refused);
        assert!(said.contains("is refused: Give "), "{refused}: {said}");
    }
}

#[test]
fn option_groups_reach_the_functions_as_they_are_given() {
    for given in [
        "",
        "oracle-tz=oracle-tz-copies",
        "default:oracle-ee-19=copies,instance:orders=orders-options,Oracle-TZ=copies",
    ] {
        let (_, template) = with_parameters(&[&format!("OptionGroups={given}")]).expect("good parameters");
        let variables = variables(&template, "ListTargets");
        assert_eq!(variables["OPTION_GROUPS"], given);
        let settings = settings_of(variables);
        assert!(settings.is_ok(), "{given}: {settings:?}");
    }
}

#[test]
fn the_longest_parameters_fit_into_what_lambda_and_iam_hold() {
    let key = |number: usize| format!("arn:aws-us-gov:kms:us-gov-east-1:123456789012:key/{number:0>36}");
    let keys: Vec<String> = (0..13).map(key).collect();
    let pairs: Vec<String> = (0..17)
        .map(|number| format!("instance:{number:o>63}={number:g>30}"))
        .collect();
    let (keys, pairs) = (keys.join(","), pairs.join(","));
    assert!(
        keys.len() > 1_100 && pairs.len() > 1_750,
        "{} {}",
        keys.len(),
        pairs.len()
    );
    let (policies, template) = rendered_with(&[
        "--source-region",
        "us-gov-west-1",
        "--destination-region",
        "us-gov-east-1",
        "--parameter",
        &format!("DestinationKmsKey=alias/{}", "a".repeat(250)),
        "--parameter",
        &format!("AllowedKmsKeyArns={keys}"),
        "--parameter",
        &format!("OptionGroups={pairs}"),
    ])
    .expect("good parameters");
    let variables = variables(&template, "StartCopy").as_object().expect("variables");
    let bytes: usize = variables
        .iter()
        .map(|(name, value)| name.len() + value.to_string().len())
        .sum();
    assert!(
        bytes <= 4_096,
        "Lambda takes 4 KB of variables, these are {bytes} bytes"
    );
    // The inline policies of a role together, without white space.
    let bytes = policies["StartCopy"]["policies"].to_string().len();
    assert!(bytes <= 10_240, "IAM takes 10,240 bytes, these are {bytes}");
}

#[test]
fn keys_are_used_through_rds_only_and_grants_are_for_aws_only() {
    for arguments in [
        &["--parameter", "DestinationKmsKey=alias/copies"][..],
        &[
            "--parameter",
            "AllowedKmsKeyArns=arn:aws:kms:eu-west-1:123456789012:key/1111",
        ],
    ] {
        let (policies, _) = rendered_with(arguments).expect("good parameters");
        for statement in statements(&policies["StartCopy"]) {
            let actions = list(&statement["Action"]);
            if !actions.iter().any(|action| action.starts_with("kms:")) {
                continue;
            }
            let condition = &statement["Condition"];
            assert_eq!(
                condition["StringEquals"],
                json!({ "kms:ViaService": ["rds.eu-west-1.amazonaws.com", "rds.us-east-1.amazonaws.com"] })
            );
            if actions.contains(&"kms:CreateGrant") {
                assert_eq!(actions, ["kms:CreateGrant"]);
                assert_eq!(condition["Bool"], json!({ "kms:GrantIsForAWSResource": "true" }));
            }
        }
        // D8, case 14: a central account may own the keys of the databases.
        let of_sources = || vec!["arn:aws:kms:us-east-1:*:key/*".to_owned()];
        assert_eq!(
            uses_of_keys(&policies, "us-east-1"),
            BTreeSet::from([(of_sources(), None, false), (of_sources(), None, true)])
        );
    }
}

#[test]
fn global_clusters_are_read_in_the_source_only() {
    let policies = rendered("policies.json");
    let statements = allowing(
        &policies["ListTargets"],
        "rds:DescribeGlobalClusters",
        "arn:aws:rds::123456789012:global-cluster:",
    );
    assert_eq!(statements.len(), 1);
    assert_eq!(
        statements[0]["Condition"],
        json!({ "StringEquals": { "aws:RequestedRegion": "us-east-1" } })
    );
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

    let notified: BTreeSet<&str> = allowing(&policies["CopyFleet"], "sns:Publish", "arn:")
        .iter()
        .flat_map(|statement| list(&statement["Resource"]))
        .collect();
    assert_eq!(
        notified,
        BTreeSet::from(["arn:aws:sns:us-east-1:123456789012:snapferry-AlertsTopic"])
    );

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
    // Lambda itself sets the region, and which release runs decides nothing.
    let expected: BTreeSet<&str> = Settings::VARIABLES
        .iter()
        .copied()
        .filter(|name| *name != "AWS_REGION")
        .chain([release::VARIABLE])
        .collect();
    for (name, function) in resources_of("AWS::Serverless::Function") {
        let variables = function["Environment"]["Variables"].as_object().expect("variables");
        let given: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
        assert_eq!(given, expected, "{name}");
        let settings = settings_of(&function["Environment"]["Variables"]);
        assert!(
            settings.is_ok(),
            "the template's own defaults are refused: {settings:?}"
        );
    }
}

/// D13, rule 11: every stack says which release it is.
#[test]
fn both_stacks_and_all_their_functions_say_which_release_they_are() {
    let version = env!("CARGO_PKG_VERSION");
    for stack in STACKS {
        assert_eq!(stack.rendered("template.json")["Outputs"]["Release"]["Value"], version);
        for (name, function) in stack.resources_of("AWS::Serverless::Function") {
            let said = &function["Environment"]["Variables"][release::VARIABLE];
            assert_eq!(
                said, version,
                "{name}: RELEASE in {} is the version in Cargo.toml",
                stack.template
            );
        }
    }
}

#[test]
fn without_a_stack_the_command_line_judges_by_the_rpo_that_a_stack_has_by_default() {
    let parameter = &rendered("template.json")["Parameters"]["ObjectiveHours"];
    assert_eq!(parameter["Default"], OBJECTIVE_HOURS);
    for (document, said) in [
        ("README.md", format!("or else {OBJECTIVE_HOURS} h |")),
        (
            "docs/parameters.md",
            format!("| `ObjectiveHours` | {OBJECTIVE_HOURS} |"),
        ),
    ] {
        assert!(text(document).contains(&said), "{document} does not say {said:?}");
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
        ("RetiredKeepDays", "RETIRED_KEEP_DAYS"),
        ("MaxDeletesPerRun", "MAX_DELETES_PER_RUN"),
        ("CopyDeadlineHours", "COPY_DEADLINE_HOURS"),
        ("SlotWaitHours", "SLOT_WAIT_HOURS"),
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
        ("IncludeNeptune", "INCLUDE_NEPTUNE"),
        ("IncludeDocumentDb", "INCLUDE_DOCUMENTDB"),
        ("DryRun", "DRY_RUN"),
    ] {
        for value in list(&template["Parameters"][parameter]["AllowedValues"]) {
            assert!(with(variable, value).is_ok(), "{parameter} = {value}");
        }
    }
}

#[test]
fn every_parameter_is_described_and_says_what_to_do_when_it_is_refused() {
    for stack in STACKS {
        let template = stack.rendered("template.json");
        for (name, parameter) in template["Parameters"].as_object().expect("parameters") {
            for field in ["Description", "ConstraintDescription"] {
                assert!(
                    parameter[field].as_str().is_some_and(|said| said.ends_with(['.', ')'])),
                    "{name} has no {field}"
                );
            }
        }
    }
}

#[test]
fn every_parameter_has_a_place_and_a_label_in_the_console() {
    for stack in STACKS {
        let source = text(stack.template);
        let groups: String = source
            .lines()
            .filter(|line| line.trim_start().starts_with("Parameters: ["))
            .collect();
        let grouped: Vec<&str> = groups.split(['[', ']', ',']).map(str::trim).collect();
        let template = stack.rendered("template.json");
        for name in template["Parameters"].as_object().expect("parameters").keys() {
            assert_eq!(
                grouped.iter().filter(|one| *one == name).count(),
                1,
                "{name} is in one group"
            );
            assert!(
                source.contains(&format!("      {name}: {{ default: ")),
                "{name} has no label"
            );
        }
    }
}

#[test]
fn every_log_has_a_retention_and_machines_log_errors_without_data() {
    for stack in STACKS {
        let logs = stack.resources_of("AWS::Logs::LogGroup");
        assert_eq!(logs.len(), stack.functions.len() + stack.machines.len());
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
        for (name, function) in stack.resources_of("AWS::Serverless::Function") {
            let group = function["LoggingConfig"]["LogGroup"].as_str().unwrap_or_default();
            assert!(names.contains(group), "{name}");
            let crate_name = group.strip_prefix("/aws/lambda/snapferry-").unwrap_or_default();
            assert_eq!(format!("{}function", crate_name.replace('-', "")), name.to_lowercase());
            assert_eq!(function["Tracing"], "Active");
        }
        for (name, machine) in stack.resources_of("AWS::Serverless::StateMachine") {
            assert_eq!(machine["Logging"]["Level"], "ERROR", "{name}");
            assert_eq!(machine["Logging"]["IncludeExecutionData"], false, "{name}");
            assert_eq!(machine["Tracing"]["Enabled"], true, "{name}");
        }
    }
}

#[test]
fn what_starts_something_retries_and_keeps_what_it_could_not_deliver() {
    for stack in STACKS {
        let rules = stack.rendered("events.json");
        let arn = |service: &str, name: &str| format!("arn:aws:{service}:{}:123456789012:{name}", stack.region);
        for (name, rule) in rules.as_object().expect("rules") {
            let [target] = entries(&rule["Targets"]) else {
                panic!("{name} has not one target")
            };
            // m19: a measurement that is lost says why, too.
            let started = target["Arn"].as_str().expect("an ARN");
            if started.starts_with(&arn("states", "stateMachine:snapferry-")) {
                assert!(target["RoleArn"].is_string(), "{name}");
            } else {
                let others = [
                    arn("lambda", "function:snapferry-"),
                    arn("sns", "snapferry-AlertsTopic"),
                ];
                assert!(
                    others.iter().any(|other| started.starts_with(other)),
                    "{name}: {started}"
                );
            }
            assert_eq!(
                target["DeadLetterConfig"]["Arn"],
                arn("sqs", "snapferry-TriggerDeadLetters"),
                "{name}"
            );
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
        let queues = stack.resources_of("AWS::SQS::Queue");
        assert_eq!(queues["TriggerDeadLetters"]["SqsManagedSseEnabled"], true);
        let policy = &stack.resources_of("AWS::SQS::QueuePolicy")["TriggerDeadLettersPolicy"]["PolicyDocument"];
        let senders: BTreeSet<&str> = list(&policy["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"])
            .into_iter()
            .collect();
        let all: BTreeSet<String> = rules
            .as_object()
            .expect("rules")
            .keys()
            .map(|name| arn("events", &format!("rule/snapferry-{name}")))
            .collect();
        assert_eq!(senders, all.iter().map(String::as_str).collect());
    }
    assert_eq!(
        rendered("events.json")["SnapshotReadyRule"]["EventPattern"],
        json!({
            "source": ["aws.rds"],
            "detail-type": ["RDS DB Snapshot Event", "RDS DB Cluster Snapshot Event"],
            "detail": { "EventID": ["RDS-EVENT-0091", "RDS-EVENT-0169"] },
        })
    );
}

/// B1.
#[test]
fn another_partition_names_nothing_of_this_one() {
    for (source, destination) in [("us-gov-west-1", "us-gov-east-1"), ("cn-north-1", "cn-northwest-1")] {
        let arguments = ["--source-region", source, "--destination-region", destination];
        let directory = render_with(&arguments).expect("rendered");
        let files = ["", "destination"].map(|part| std::fs::read_dir(directory.join(part)).expect("a directory"));
        for file in files.into_iter().flatten() {
            let path = file.expect("a file").path();
            if path.is_dir() {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a text");
            assert!(!text.contains("arn:aws:"), "{}", path.display());
        }
    }
}

#[test]
fn no_partition_is_taken_for_granted() {
    for stack in STACKS {
        for (number, line) in text(stack.template).lines().enumerate() {
            let place = format!("{}, line {}", stack.template, number + 1);
            if line.contains("!Sub") && line.contains("arn:") {
                assert!(line.contains("arn:${AWS::Partition}:"), "{place}: {line}");
            }
            if line.contains("https://") {
                assert!(line.contains("https://${Console}/"), "{place}: {line}");
            }
        }
    }
    for (region, destination, console) in [
        ("us-east-1", "eu-west-1", "https://console.aws.amazon.com/"),
        (
            "us-gov-west-1",
            "us-gov-east-1",
            "https://console.amazonaws-us-gov.com/",
        ),
        ("cn-north-1", "cn-northwest-1", "https://console.amazonaws.cn/"),
    ] {
        let arguments = ["--source-region", region, "--destination-region", destination];
        let (_, template) = rendered_with(&arguments).expect("rendered");
        let link = &template["Outputs"]["DashboardConsole"]["Value"];
        assert!(link.as_str().is_some_and(|link| link.starts_with(console)), "{link}");
    }
}

/// m3: checkov cannot read a merge, and cfn-lint warns of it.
#[test]
fn no_map_is_merged_into_another() {
    for stack in STACKS {
        let template = text(stack.template);
        assert!(!template.lines().any(|line| line.trim_start().starts_with("<<:")));
    }
}

/// m13: a sentence, where `Fn::FindInMap` would fail first.
#[test]
fn another_partition_than_those_that_are_known_is_refused_in_a_sentence() {
    for (source, destination) in [("eusc-de-east-1", "eusc-de-east-2"), ("us-iso-east-1", "us-iso-west-1")] {
        for stack in STACKS {
            let arguments = [
                "--source-region",
                source,
                "--destination-region",
                destination,
                "--template",
                stack.template,
            ];
            let said = render_with(&arguments).expect_err("refused");
            assert!(said.contains("KnownPartition: Snapferry knows"), "{said}");
        }
    }
    assert!(STACKS.iter().all(|stack| !text(stack.template).contains("FindInMap")));
}

/// M11 and rule 2 of the design: an export has one owner per account and region.
#[test]
fn cloudformation_refuses_a_second_stack_of_the_same_owner_and_regions() {
    for (stack, name, elsewhere) in [
        (STACKS[0], "snapferry-snapferry-to-eu-west-1", "--destination-region"),
        (STACKS[1], "snapferry-snapferry-from-us-east-1", "--source-region"),
    ] {
        let export = |arguments: &[&str]| {
            let (_, template) =
                rendered_with(&[&["--template", stack.template], arguments].concat()).expect("rendered");
            let outputs = template["Outputs"].as_object().expect("outputs").clone();
            let exports: Vec<Value> = outputs
                .into_values()
                .filter_map(|output| output.get("Export").cloned())
                .collect();
            let [export] = &exports[..] else {
                panic!("one export: {exports:?}")
            };
            export["Name"].as_str().expect("a name").to_owned()
        };
        let first = export(&["--stack-name", "snapferry"]);
        assert_eq!(first, name);
        assert_eq!(export(&["--stack-name", "for-trying"]), first);
        assert_ne!(export(&["--parameter", "OwnerId=other"]), first);
        assert_ne!(export(&[elsewhere, "eu-north-1"]), first);
    }
}
