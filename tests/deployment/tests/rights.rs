//! The roles of the destination stack, statement by statement: what each allows, and twins that differ in one thing and
//! are refused.
//!
//! Only the policies are evaluated here. Whether the functions can work with them is what the simulator tells.

#![allow(missing_docs)]

mod rendering;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deployment::DESTINATION;
use iam_rs::{Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};
use serde_json::{Value, json};
use step_functions::entries;

use rendering::{allowing, list, render_with, rendered_with, statements};

const RDS: &str = "arn:aws:rds:eu-west-1:123456789012";
const MARK: &str = "snapferry:drill-owner";
const OURS: &str = "us-east-1/snapferry";
const IN_REQUEST: &str = "aws:RequestTag/snapferry:drill-owner";
const MARKED: &str = "aws:ResourceTag/snapferry:drill-owner";
const OWNED: &str = "aws:ResourceTag/snapferry:owner";
const PROOFS: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/snapferry/snapferry/us-east-1/drills";

/// Whether policies allow this.
fn allows(documents: &[Value], action: &str, resource: &str, context: &Value) -> bool {
    let policies: Vec<IAMPolicy> = documents
        .iter()
        .map(|document| serde_json::from_value(document.clone()).expect("a policy"))
        .collect();
    let context: HashMap<String, ContextValue> = context
        .as_object()
        .expect("an object")
        .iter()
        .map(|(key, value)| {
            let value = match value {
                Value::Bool(value) => ContextValue::Boolean(*value),
                Value::Array(_) => ContextValue::StringList(list(value).into_iter().map(str::to_owned).collect()),
                _ => ContextValue::String(value.as_str().expect("a text").to_owned()),
            };
            (key.clone(), value)
        })
        .collect();
    let principal = Principal::Aws(PrincipalId::String("arn:aws:iam::123456789012:role/tested".to_owned()));
    let resource = Arn::parse(resource).expect(resource);
    let request = IAMRequest::new_with_context(principal, action, resource, Context::with_data(context));
    let evaluated = PolicyEvaluator::with_policies(policies).evaluate(&request);
    evaluated.expect("policies that can be evaluated").decision == Decision::Allow
}

fn documents(policies: &Value, role: &str) -> Vec<Value> {
    entries(&policies[role]["policies"]).to_vec()
}

/// The same without one of its statements.
fn without(documents: &[Value], sid: &str) -> Vec<Value> {
    let mut fewer = documents.to_vec();
    for document in &mut fewer {
        let statements = document["Statement"].as_array_mut().expect("statements");
        statements.retain(|statement| statement["Sid"] != sid);
    }
    fewer
}

/// What a statement allows, and what it must not.
struct Case {
    roles: &'static [&'static str],
    sid: &'static str,
    actions: &'static [&'static str],
    resources: Vec<String>,
    context: Value,
    /// Other resources, with the same context.
    not_on: Vec<String>,
    /// Other values in the context, with the same resources; `null` takes a key away.
    not_with: Vec<Value>,
}

fn rds(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{RDS}:{name}")).collect()
}

/// The same name of another region, and of another account, where it says either.
fn elsewhere(resource: &str) -> Vec<String> {
    [("eu-west-1", "us-east-1"), ("123456789012", "999999999999")]
        .map(|(here, there)| resource.replacen(here, there, 1))
        .into_iter()
        .filter(|other| other != resource)
        .collect()
}

fn case(
    roles: &'static [&'static str],
    sid: &'static str,
    actions: &'static [&'static str],
    resources: Vec<String>,
) -> Case {
    let not_on = resources.iter().flat_map(|resource| elsewhere(resource)).collect();
    Case {
        roles,
        sid,
        actions,
        resources,
        context: json!({}),
        not_on,
        not_with: Vec::new(),
    }
}

impl Case {
    fn with(mut self, context: Value) -> Self {
        self.context = context;
        self
    }

    fn not_on(mut self, resources: &[String]) -> Self {
        self.not_on.extend_from_slice(resources);
        self
    }

    fn not_with(mut self, contexts: impl IntoIterator<Item = Value>) -> Self {
        self.not_with.extend(contexts);
        self
    }
}

/// Twins of a request that has this tag: without it, with that of another owner, and with one that only looks like it.
fn other_tags(key: &str) -> Vec<Value> {
    [
        Value::Null,
        json!("us-west-2/snapferry"),
        json!("us-east-1/snapferry2"),
        json!("snapferry"),
    ]
    .into_iter()
    .map(|value| json!({ key: value }))
    .collect()
}

const READERS: &[&str] = &["MeasureCopies", "PlanDrills", "StartRestore"];
const ALL: &[&str] = &[
    "MeasureCopies",
    "PlanDrills",
    "StartRestore",
    "CheckRestore",
    "EndRestore",
];

fn foreign_copies() -> Vec<String> {
    rds(&[
        "snapshot:by-hand",
        "cluster-snapshot:rds:billing-2026",
        "snapshot:snapferry2-orders",
    ])
}

fn foreign_databases() -> Vec<String> {
    rds(&[
        "db:orders",
        "cluster:billing",
        "db:snapferry-orders",
        "db:snapferry2-drill-orders",
    ])
}

fn copies() -> Vec<String> {
    rds(&["snapshot:snapferry-orders-1", "cluster-snapshot:snapferry-billing-1"])
}

fn drills() -> Vec<String> {
    rds(&[
        "db:snapferry-drill-0a1b2c3d-orders",
        "cluster:snapferry-drill-0a1b2c3d-billing",
    ])
}

fn region() -> Value {
    json!({ "aws:RequestedRegion": "eu-west-1" })
}

fn key() -> String {
    "arn:aws:kms:eu-west-1:999999999999:key/1111".to_owned()
}

/// One that writes this tag on copies, or takes it away.
fn tagging(
    sid: &'static str,
    roles: &'static [&'static str],
    actions: &'static [&'static str],
    key: &'static str,
) -> Case {
    let keys = |keys: &[&str]| json!({ OWNED: OURS, "aws:TagKeys": keys });
    case(roles, sid, actions, copies())
        .with(keys(&[key]))
        .not_on(&foreign_copies())
        .not_on(&drills())
        .not_with(other_tags(OWNED))
        .not_with([
            keys(&["snapferry:owner"]),
            keys(&[key, "snapferry:hold"]),
            keys(&["snapferry:verified"]),
            json!({ "aws:TagKeys": null }),
        ])
}

fn cases() -> impl Iterator<Item = Case> {
    let all = [
        reading(),
        restoring(),
        keys_and_passwords(),
        ending(),
        of_drill_copy(),
        of_drill_fleet(),
        of_keep_evidence(),
    ];
    all.into_iter().flatten()
}

/// What only reads.
fn reading() -> Vec<Case> {
    vec![
        case(
            ALL,
            "ReadCopies",
            &["rds:DescribeDBSnapshots", "rds:DescribeDBClusterSnapshots"],
            rds(&["snapshot:*", "db:*", "cluster-snapshot:*", "cluster:*"]),
        ),
        case(
            ALL,
            "ReadDatabases",
            &["rds:DescribeDBInstances", "rds:DescribeDBClusters"],
            rds(&["db:*", "cluster:orders"]),
        ),
        case(
            READERS,
            "ReadGroups",
            &[
                "rds:DescribeDBSubnetGroups",
                "rds:DescribeOptionGroups",
                "rds:DescribeDBParameterGroups",
                "rds:DescribeDBClusterParameterGroups",
            ],
            rds(&[
                "subgrp:drills",
                "og:default:postgres-17",
                "pg:custom",
                "cluster-pg:custom",
            ]),
        ),
        case(
            READERS,
            "ReadOffersAndQuotas",
            &[
                "rds:DescribeOrderableDBInstanceOptions",
                "rds:DescribeAccountAttributes",
            ],
            vec![],
        )
        .with(region())
        .not_with([json!({ "aws:RequestedRegion": "us-east-1" })]),
        case(
            &["MeasureCopies", "PlanDrills"],
            "ReadKeys",
            &["kms:DescribeKey"],
            vec![key()],
        )
        .not_on(&[key()
            .replace("999999999999", "123456789012")
            .replace("eu-west-1", "us-east-1")])
        .in_any_account(),
        case(
            &["PlanDrills", "MeasureCopies"],
            "ReadProofs",
            &["ssm:GetParametersByPath"],
            vec![PROOFS.to_owned()],
        )
        .not_on(&[
            PROOFS.replace("/snapferry/us-east-1", "/other/us-east-1"),
            PROOFS.replace("us-east-1", "us-west-2"),
            "arn:aws:ssm:eu-west-1:123456789012:parameter/snapferry".to_owned(),
        ]),
        case(&["CheckRestore"], "ReadEvents", &["rds:DescribeEvents"], vec![])
            .with(region())
            .not_with([json!({ "aws:RequestedRegion": "us-east-1" })]),
        case(
            &["EndRestore"],
            "ReadAutomatedBackups",
            &[
                "rds:DescribeDBInstanceAutomatedBackups",
                "rds:DescribeDBClusterAutomatedBackups",
            ],
            vec![],
        )
        .with(region())
        .not_with([json!({ "aws:RequestedRegion": "us-east-1" })]),
        case(
            &["EndRestore"],
            "SeeWhichDrillsRun",
            &["states:DescribeExecution"],
            vec!["arn:aws:states:eu-west-1:123456789012:execution:snapferry-drill-copy:i-orders-0a1b2c3d".to_owned()],
        )
        .not_on(&["arn:aws:states:eu-west-1:123456789012:execution:snapferry-drill-fleet:weekly".to_owned()]),
    ]
}

/// What makes databases.
fn restoring() -> Vec<Case> {
    vec![
        case(
            &["StartRestore"],
            "MakeMarkedInstances",
            &["rds:RestoreDBInstanceFromDBSnapshot", "rds:CreateDBInstance"],
            drills()[..1].to_vec(),
        )
        .with(json!({ IN_REQUEST: OURS, "rds:PubliclyAccessible": false }))
        .not_on(&foreign_databases())
        .not_with(other_tags(IN_REQUEST))
        .not_with([
            json!({ "rds:PubliclyAccessible": true }),
            json!({ "rds:PubliclyAccessible": null }),
        ]),
        case(
            &["StartRestore"],
            "MakeMarkedClusters",
            &["rds:RestoreDBClusterFromSnapshot"],
            drills()[1..].to_vec(),
        )
        .with(json!({ IN_REQUEST: OURS }))
        .not_on(&foreign_databases())
        .not_with(other_tags(IN_REQUEST)),
        case(
            &["StartRestore"],
            "FromOwnedCopies",
            &[
                "rds:RestoreDBInstanceFromDBSnapshot",
                "rds:RestoreDBClusterFromSnapshot",
            ],
            copies(),
        )
        .with(json!({ OWNED: OURS }))
        .not_on(&foreign_copies())
        .not_with(other_tags(OWNED)),
        case(
            &["StartRestore"],
            "WithTheseGroups",
            &[
                "rds:RestoreDBInstanceFromDBSnapshot",
                "rds:RestoreDBClusterFromSnapshot",
                "rds:CreateDBInstance",
            ],
            rds(&["subgrp:drills", "og:custom", "pg:custom", "cluster-pg:custom"]),
        )
        .not_on(&rds(&["subgrp:default", "subgrp:drills2", "secgrp:custom"])),
        case(
            &["StartRestore"],
            "IntoDrillClusters",
            &["rds:CreateDBInstance"],
            drills()[1..].to_vec(),
        )
        .not_on(&rds(&["cluster:billing", "cluster:snapferry2-drill-billing"])),
        case(
            &["StartRestore"],
            "TagDrillDatabases",
            &["rds:AddTagsToResource"],
            drills(),
        )
        .with(json!({ IN_REQUEST: OURS, "aws:TagKeys": [MARK, "snapferry:drill-until"] }))
        .not_on(&foreign_databases())
        .not_on(&copies())
        .not_with(other_tags(IN_REQUEST))
        // One that is another owner's does not become ours.
        .not_with([json!({ MARKED: "us-west-2/snapferry" })]),
    ]
}

/// What decrypts copies, and gives a password to the check function.
fn keys_and_passwords() -> Vec<Case> {
    vec![
        case(
            &["StartRestore"],
            "DecryptCopies",
            &[
                "kms:DescribeKey",
                "kms:Decrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
            ],
            vec![key()],
        )
        .in_any_account()
        .with(json!({ "kms:ViaService": "rds.eu-west-1.amazonaws.com" }))
        .not_with([
            json!({ "kms:ViaService": null }),
            json!({ "kms:ViaService": "ec2.eu-west-1.amazonaws.com" }),
            json!({ "kms:ViaService": "rds.us-east-1.amazonaws.com" }),
        ]),
        case(
            &["StartRestore"],
            "LetRdsDecryptCopies",
            &["kms:CreateGrant"],
            vec![key()],
        )
        .in_any_account()
        .with(json!({ "kms:ViaService": "rds.eu-west-1.amazonaws.com", "kms:GrantIsForAWSResource": true }))
        .not_with([
            json!({ "kms:ViaService": null }),
            json!({ "kms:GrantIsForAWSResource": false }),
            json!({ "kms:GrantIsForAWSResource": null }),
        ]),
        case(
            &["CheckRestore"],
            "GivePasswordToDrillDatabases",
            &["rds:ModifyDBInstance", "rds:ModifyDBCluster"],
            drills(),
        )
        .with(json!({ MARKED: OURS, "rds:ManageMasterUserPassword": true }))
        .not_on(&foreign_databases())
        .not_with(other_tags(MARKED))
        .not_with([
            json!({ "rds:ManageMasterUserPassword": false }),
            json!({ "rds:ManageMasterUserPassword": null }),
        ]),
        case(
            &["CheckRestore"],
            "KeepPasswordInSecret",
            &["secretsmanager:CreateSecret", "secretsmanager:TagResource"],
            vec!["arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1".to_owned()],
        )
        .not_on(&["arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders".to_owned()]),
        case(
            &["CheckRestore"],
            "ReadKeyOfSecret",
            &["kms:DescribeKey"],
            vec!["arn:aws:kms:eu-west-1:123456789012:key/1111".to_owned()],
        ),
    ]
}

/// What deletes drill databases, and marks copies.
fn ending() -> Vec<Case> {
    vec![
        tagging(
            "MarkCopiesAsDrilling",
            &["StartRestore"],
            &["rds:AddTagsToResource"],
            "snapferry:drilling",
        ),
        case(
            &["EndRestore"],
            "DeleteMarkedDatabases",
            &[
                "rds:DeleteDBInstance",
                "rds:DeleteDBCluster",
                "rds:ModifyDBInstance",
                "rds:ModifyDBCluster",
            ],
            drills(),
        )
        .with(json!({ MARKED: OURS }))
        .not_on(&foreign_databases())
        .not_on(&copies())
        .not_with(other_tags(MARKED)),
        case(
            &["EndRestore"],
            "DeleteClustersWithoutSnapshot",
            &["rds:DeleteDBCluster"],
            rds(&["cluster-snapshot:snapferry-drill-0a1b2c3d-billing"]),
        )
        .not_on(&rds(&["cluster-snapshot:snapferry-billing-1", "cluster:billing"])),
        tagging(
            "MarkCopiesAsDrilled",
            &["EndRestore"],
            &["rds:AddTagsToResource"],
            "snapferry:drilled",
        ),
    ]
}

/// What the machine of one drill may.
fn of_drill_copy() -> Vec<Case> {
    vec![
        case(
            &["DrillCopy"],
            "WriteProof",
            &["ssm:PutParameter"],
            vec![format!("{PROOFS}/instance-db-ORDERS")],
        )
        .not_on(&[
            PROOFS.to_owned(),
            format!("{}/instance-db-ORDERS", PROOFS.replace("us-east-1", "us-west-2")),
            "arn:aws:ssm:eu-west-1:123456789012:parameter/database/password".to_owned(),
        ]),
        case(
            &["DrillCopy"],
            "SeeThatSecretIsGone",
            &["secretsmanager:DescribeSecret"],
            vec!["arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1".to_owned()],
        )
        .not_on(&["arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders".to_owned()]),
        case(
            &["DrillCopy"],
            "InvokeCheckFunction",
            &["lambda:InvokeFunction"],
            vec!["arn:aws:lambda:eu-west-1:123456789012:function:check-orders".to_owned()],
        )
        .not_on(&["arn:aws:lambda:eu-west-1:123456789012:function:other".to_owned()]),
        case(
            &["DrillCopy"],
            "InvokeFunctions",
            &["lambda:InvokeFunction"],
            ["start-restore", "check-restore", "end-restore"].map(function).to_vec(),
        )
        .not_on(&[function("plan-drills")]),
    ]
}

/// What the machine that keeps evidence may: it adds, and neither reads nor deletes.
fn of_keep_evidence() -> Vec<Case> {
    let object = "arn:aws:s3:::evidence-123456789012/snapferry/us-east-1/2026-11-22/part-001.json";
    vec![
        case(
            &["KeepEvidence"],
            "InvokeMeasureCopies",
            &["lambda:InvokeFunction"],
            vec![function("measure-copies")],
        )
        .not_on(&[function("plan-drills")]),
        case(
            &["KeepEvidence"],
            "WriteEvidence",
            &["s3:PutObject"],
            vec![object.to_owned()],
        )
        .with(json!({ "aws:ResourceAccount": "123456789012" }))
        .not_with([json!({ "aws:ResourceAccount": "999999999999" })])
        .not_on(&[
            object.replace("us-east-1", "us-west-2"),
            object.replace("evidence", "another"),
        ]),
        case(
            &["KeepEvidence"],
            "EncryptEvidence",
            &["kms:GenerateDataKey"],
            vec!["arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555".to_owned()],
        )
        .with(json!({ "kms:ViaService": "s3.eu-west-1.amazonaws.com" }))
        .not_with([
            json!({ "kms:ViaService": "rds.eu-west-1.amazonaws.com" }),
            json!({ "kms:ViaService": null }),
        ])
        .not_on(&["arn:aws:kms:eu-west-1:123456789012:key/99999999-2222-3333-4444-555555555555".to_owned()]),
    ]
}

/// What the machine of a run may.
fn of_drill_fleet() -> Vec<Case> {
    vec![
        case(
            &["DrillFleet"],
            "InvokeFunctions",
            &["lambda:InvokeFunction"],
            ["plan-drills", "end-restore"].map(function).to_vec(),
        )
        .not_on(&[function("start-restore")]),
        case(
            &["DrillFleet"],
            "StartDrills",
            &["states:StartExecution"],
            vec!["arn:aws:states:eu-west-1:123456789012:stateMachine:snapferry-drill-copy".to_owned()],
        )
        .not_on(&["arn:aws:states:eu-west-1:123456789012:stateMachine:snapferry-copy-fleet".to_owned()]),
        case(
            &["DrillFleet"],
            "WaitForAndStopDrills",
            &["states:DescribeExecution", "states:StopExecution"],
            vec!["arn:aws:states:eu-west-1:123456789012:execution:snapferry-drill-copy:i-orders-0a1b2c3d".to_owned()],
        )
        .not_on(&["arn:aws:states:eu-west-1:123456789012:execution:snapferry-copy-fleet:nightly".to_owned()]),
        case(
            &["DrillFleet"],
            "HearOfEndedExecutions",
            &["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            vec![
                "arn:aws:events:eu-west-1:123456789012:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
                    .to_owned(),
            ],
        )
        .not_on(&["arn:aws:events:eu-west-1:123456789012:rule/snapferry-DrillRule".to_owned()]),
        case(
            &["DrillFleet"],
            "ReadSecurityGroup",
            &["ec2:DescribeSecurityGroups"],
            vec![],
        )
        .with(region())
        .not_with([json!({ "aws:RequestedRegion": "us-east-1" })]),
        case(
            &["DrillFleet"],
            "NotifyFailures",
            &["sns:Publish"],
            vec!["arn:aws:sns:eu-west-1:123456789012:snapferry-AlertsTopic".to_owned()],
        )
        .not_on(&["arn:aws:sns:eu-west-1:123456789012:other".to_owned()]),
    ]
}

fn function(name: &str) -> String {
    format!("arn:aws:lambda:eu-west-1:123456789012:function:snapferry-{name}")
}

impl Case {
    /// Of keys, whose own policies decide who else may use them.
    fn in_any_account(mut self) -> Self {
        self.not_on.retain(|resource| !resource.contains(":kms:eu-west-1:"));
        self
    }

    /// The resources, or any of the region for an action that knows none.
    fn asked(&self) -> Vec<String> {
        if self.resources.is_empty() {
            vec![format!("{RDS}:*")]
        } else {
            self.resources.clone()
        }
    }
}

/// The context with other values in it.
fn changed(context: &Value, change: &Value) -> Value {
    let mut changed = context.clone();
    for (key, value) in change.as_object().expect("an object") {
        let fields = changed.as_object_mut().expect("an object");
        if value.is_null() {
            assert!(fields.remove(key).is_some(), "{key} is not there to be taken away");
        } else {
            fields.insert(key.clone(), value.clone());
        }
    }
    changed
}

/// Whether an action fits a resource: those of one statement are about instances and clusters, and AWS asks for each
/// the one that it is about.
fn fits(action: &str, resource: &str) -> bool {
    let of_cluster = resource.contains(":cluster");
    match action.rsplit(':').next() {
        Some("DeleteDBInstance" | "ModifyDBInstance") => !of_cluster,
        Some("DeleteDBCluster" | "ModifyDBCluster") => of_cluster,
        _ => true,
    }
}

#[test]
fn each_statement_allows_what_it_is_there_for_and_refuses_its_twins() {
    let policies = DESTINATION.rendered("policies.json");
    let (mut tried, mut refused) = (BTreeSet::new(), 0);
    for case in cases() {
        for role in case.roles {
            let documents = documents(&policies, role);
            let fewer = without(&documents, case.sid);
            assert_ne!(documents, fewer, "{role} has no statement {}", case.sid);
            tried.insert((*role, case.sid));
            for action in case.actions {
                let place = format!("{role}, {}: {action}", case.sid);
                for resource in case.asked().iter().filter(|resource| fits(action, resource)) {
                    assert!(
                        allows(&documents, action, resource, &case.context),
                        "{place} on {resource} with {} is refused",
                        case.context
                    );
                    assert!(
                        !allows(&fewer, action, resource, &case.context),
                        "{place} on {resource} is allowed by another statement as well"
                    );
                    for change in &case.not_with {
                        let context = changed(&case.context, change);
                        assert!(
                            !allows(&documents, action, resource, &context),
                            "{place} on {resource} with {context}"
                        );
                        refused += 1;
                    }
                }
                for resource in &case.not_on {
                    assert!(
                        !allows(&documents, action, resource, &case.context),
                        "{place} on {resource}"
                    );
                    refused += 1;
                }
            }
        }
    }
    let mut stated = BTreeSet::new();
    for (role, one) in policies.as_object().expect("an object") {
        for statement in statements(one) {
            let sid = statement["Sid"].as_str().expect("a name");
            if !["WriteLogs", "WriteTraces", "DeliverLogs"].contains(&sid) {
                stated.insert((role.as_str(), sid));
            }
        }
    }
    assert_eq!(tried, stated, "every statement has its twins");
    assert!(refused > 300, "{refused}");
}

/// Issue 13, 6: every write of every role against databases and copies that are not a drill's or not ours.
#[test]
fn no_role_writes_to_a_database_without_the_mark_or_a_copy_without_the_owner() {
    let policies = DESTINATION.rendered("policies.json");
    let mut writes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (role, one) in policies.as_object().expect("an object") {
        for action in statements(one)
            .into_iter()
            .flat_map(|statement| list(&statement["Action"]))
        {
            if action.starts_with("rds:") && !action.starts_with("rds:Describe") {
                writes.entry(role).or_default().insert(action);
            }
        }
    }
    assert_eq!(
        writes.keys().copied().collect::<Vec<_>>(),
        ["CheckRestore", "EndRestore", "StartRestore"]
    );
    // Whatever a request may say of itself, and what the resource bears.
    let requests = [
        json!({}),
        json!({ format!("aws:RequestTag/{MARK}"): OURS, "rds:PubliclyAccessible": false, "aws:TagKeys": [MARK] }),
        json!({ "rds:ManageMasterUserPassword": true }),
        json!({ "aws:TagKeys": ["snapferry:drilling"] }),
        json!({ "aws:TagKeys": ["snapferry:drilled", "snapferry:drill-minutes"] }),
    ];
    let mut tried = 0;
    for (role, actions) in &writes {
        let documents = documents(&policies, role);
        for (resource, tags) in [
            ("db:orders", json!({})),
            ("db:orders", json!({ format!("aws:ResourceTag/{MARK}"): OURS })),
            ("cluster:billing", json!({})),
            ("cluster:billing", json!({ format!("aws:ResourceTag/{MARK}"): OURS })),
            (
                "db:snapferry-drill-kept",
                json!({ format!("aws:ResourceTag/{MARK}"): "us-west-2/snapferry" }),
            ),
            ("snapshot:by-hand", json!({ "aws:ResourceTag/snapferry:owner": OURS })),
            ("snapshot:snapferry-orders", json!({})),
            (
                "snapshot:snapferry-orders",
                json!({ "aws:ResourceTag/snapferry:owner": "us-west-2/snapferry" }),
            ),
            (
                "cluster-snapshot:snapferry-billing",
                json!({ "aws:ResourceTag/snapferry:owner": "other" }),
            ),
        ] {
            for request in &requests {
                let context = changed(request, &tags);
                for action in actions {
                    // RDS refuses to make a database that exists, and tells the name from the mark.
                    let makes = action.contains("Restore") || action.contains("Create");
                    if makes && resource.starts_with("db:snapferry-drill-") {
                        continue;
                    }
                    assert!(
                        !allows(&documents, action, &format!("{RDS}:{resource}"), &context),
                        "{role}: {action} on {resource} with {context}"
                    );
                    tried += 1;
                }
            }
        }
        // A database that was kept: it has the name, and the mark was taken off.
        for resource in ["db:snapferry-drill-kept", "cluster:snapferry-drill-kept"] {
            for action in [
                "rds:DeleteDBInstance",
                "rds:DeleteDBCluster",
                "rds:ModifyDBInstance",
                "rds:ModifyDBCluster",
            ] {
                for request in &requests {
                    let resource = format!("{RDS}:{resource}");
                    assert!(
                        !allows(&documents, action, &resource, request),
                        "{role}: {action} on {resource}"
                    );
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 400, "{tried}");
}

/// What a role may without a check function is what it may with one, but for the passwords.
#[test]
fn without_a_check_function_no_password_is_touched() {
    let arguments = ["--template", DESTINATION.template, "--parameter", "CheckFunctionArn="];
    assert!(render_with(&arguments).is_ok());
    let (policies, _) = rendered_with(&arguments).expect("good parameters");
    for role in ["CheckRestore", "DrillCopy"] {
        for action in [
            "rds:ModifyDBInstance",
            "rds:ModifyDBCluster",
            "secretsmanager:CreateSecret",
            "secretsmanager:DescribeSecret",
        ] {
            assert!(allowing(&policies[role], action, "").is_empty(), "{role}: {action}");
        }
    }
}
