//! Who may do what: every call is judged by the policies of its caller.
//!
//! The policies are evaluated by the crate `iam-rs`, version 0.8.0, whose source was read for this. What it does
//! differently from AWS, and what is done about it:
//! - It does not fill in policy variables (`${aws:…}`) in condition values, so they would be compared as plain text:
//!   [`CallerTable`] refuses a policy that has one there.
//! - It compares the key after the slash of `rds:snapshot-tag/Key` without regard to case, AWS with regard to it.
//!   Nothing is done: two tags of a snapshot that differ in case only are beyond this simulator.
//! - A wildcard in the service part of a resource ARN (`arn:aws:*:…`) never matches: refused likewise.
//! - A policy needs its `Version`, as it does in AWS for anything new.
//!
//! What is asked of a caller, where AWS says too little (a guess each; S36, and for restores J5):
//! - A copy needs its action on the target's ARN, and on the source's ARN, the latter both in the region of the call
//!   and as the call that RDS makes for the caller in the source region (`aws:RequestedRegion` is the source region,
//!   `aws:CalledVia` is RDS; where a pre-signed URL is needed, the call is the caller's own, and there is no
//!   `aws:CalledVia`). AWS's guide says that a policy which allows the destination region only makes copies fail.
//! - The target's key needs `kms:DescribeKey` and `kms:CreateGrant`, the source's key `kms:DescribeKey` and one of
//!   `kms:CreateGrant` and `kms:Decrypt`; `kms:ViaService` is RDS in the key's region, `kms:GrantIsForAWSResource` is
//!   true. Key policies are not simulated.
//! - A restore needs its action on the database (with the tags of the request, and `rds:PubliclyAccessible` where an
//!   instance's request says it), on the snapshot (with its tags), and on the subnet, option and parameter groups that it
//!   will have, given or not, without tags; a new member also on its cluster. The snapshot's key needs `kms:DescribeKey`,
//!   `kms:CreateGrant` and `kms:Decrypt` (`restoreNeedsEveryKeyRight`), a key that the call gives the first two.
//! - The deletion of a cluster needs its action on a snapshot called `<cluster>-final` as well
//!   (`clusterDeletionNeedsSnapshotRight`).
//! - A scan (a describe call that names nothing) needs its action on `<type>:*` (S44).

use std::collections::{BTreeMap, HashMap};

use iam_rs::{Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ApiError;
use crate::model::Tags;

/// Callers by access key. `None` (JSON `null`) may do everything. The access key `*` stands for all that are not
/// listed.
pub type CallerTable = BTreeMap<String, Option<Caller>>;

/// A role and its policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// The role's ARN, or any name: it is shown in refusals and counters.
    pub arn: String,
    /// Policy documents.
    pub policies: Vec<Value>,
}

/// The callers in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Callers {
    /// Before the first table everybody may do everything.
    table: Option<BTreeMap<String, Option<Role>>>,
}

#[derive(Clone, Debug)]
struct Role {
    arn: String,
    evaluator: PolicyEvaluator,
}

/// What one caller may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights<'a>(Option<&'a Role>);

/// What a decision is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    /// `aws:RequestedRegion`.
    pub(crate) region: &'a str,
    /// Tags in the request, if it can carry any.
    pub(crate) request_tags: Option<&'a Tags>,
    /// `aws:TagKeys` of a request that names keys only.
    pub(crate) tag_keys: Option<&'a [String]>,
    /// Whether the tags are explicit, for `rds:TagsFromRequest`.
    pub(crate) explicit_tags: Option<bool>,
    /// Tags on the resource, if it exists.
    pub(crate) resource_tags: Option<&'a Tags>,
    /// The service that calls on behalf of the caller, by its full name.
    pub(crate) via: Option<&'a str>,
    /// The aliases of a key.
    pub(crate) aliases: &'a [String],
    /// The alias that the caller named a key by.
    pub(crate) request_alias: Option<&'a str>,
    /// `rds:PubliclyAccessible`, where the request says it.
    pub(crate) is_public: Option<bool>,
    /// `rds:ManageMasterUserPassword`, where the request says it.
    pub(crate) manages_password: Option<bool>,
}

impl<'a> Question<'a> {
    pub(crate) fn new(action: &'a str, resource: &'a str, region: &'a str) -> Self {
        Self {
            action,
            resource,
            region,
            request_tags: None,
            tag_keys: None,
            explicit_tags: None,
            resource_tags: None,
            via: None,
            aliases: &[],
            request_alias: None,
            is_public: None,
            manages_password: None,
        }
    }
}

impl Callers {
    /// Replaces the table; a policy that cannot be evaluated as AWS would is refused.
    pub(crate) fn replace(&mut self, table: &CallerTable) -> Result<(), String> {
        let table = table
            .iter()
            .map(|(key, caller)| {
                let role = caller
                    .as_ref()
                    .map(|caller| compile(caller).map_err(|reason| format!("callers.{key}: {reason}")))
                    .transpose()?;
                Ok((key.clone(), role))
            })
            .collect::<Result<_, String>>()?;
        self.table = Some(table);
        Ok(())
    }

    /// Adds one caller to the table in force; before there was a table, everybody else may still do everything.
    pub(crate) fn set(&mut self, key: &str, caller: Option<&Caller>) -> Result<(), String> {
        let role = caller.map(compile).transpose()?;
        self.table
            .get_or_insert_with(|| BTreeMap::from([("*".to_owned(), None)]))
            .insert(key.to_owned(), role);
        Ok(())
    }

    /// Everybody may do everything again.
    pub(crate) fn clear(&mut self) {
        self.table = None;
    }

    /// The rights of an access key, or the refusal of one that is not in the table.
    pub(crate) fn rights(&self, access_key: &str, action: &str) -> Result<Rights<'_>, ApiError> {
        let Some(table) = &self.table else {
            return Ok(Rights(None));
        };
        match table.get(access_key).or_else(|| table.get("*")) {
            Some(role) => Ok(Rights(role.as_ref())),
            None => Err(ApiError::denied(format!(
                "User: {access_key} is not authorized to perform: {action} \
                 because the simulator's table of callers does not list this access key"
            ))),
        }
    }
}

impl Rights<'_> {
    /// Refuses what the policies do not allow, in AWS's words.
    pub(crate) fn require(self, question: &Question<'_>) -> Result<(), ApiError> {
        let Some(role) = self.0 else {
            return Ok(());
        };
        let reason = match decide(role, question) {
            Ok(Decision::Allow) => return Ok(()),
            Ok(Decision::Deny) => "with an explicit deny in an identity-based policy".to_owned(),
            Ok(Decision::NotApplicable) => {
                format!("because no identity-based policy allows the {} action", question.action)
            }
            Err(reason) => format!("because the policies cannot be evaluated: {reason}"),
        };
        Err(ApiError::denied(format!(
            "User: {} is not authorized to perform: {} on resource: {} {reason}",
            role.arn, question.action, question.resource
        )))
    }

    pub(crate) fn allows(self, question: &Question<'_>) -> bool {
        self.require(question).is_ok()
    }
}

fn decide(role: &Role, question: &Question<'_>) -> Result<Decision, String> {
    let resource = Arn::parse(question.resource).map_err(|error| error.to_string())?;
    let principal = Principal::Aws(PrincipalId::String(role.arn.clone()));
    let request = IAMRequest::new_with_context(principal, question.action, resource, context(question));
    role.evaluator
        .evaluate(&request)
        .map(|result| result.decision)
        .map_err(|error| error.to_string())
}

fn context(question: &Question<'_>) -> Context {
    let mut data: HashMap<String, ContextValue> = HashMap::new();
    let text = |value: &str| ContextValue::String(value.to_owned());
    data.insert("aws:RequestedRegion".to_owned(), text(question.region));
    data.insert("aws:SecureTransport".to_owned(), ContextValue::Boolean(true));
    data.insert(
        "aws:ViaAWSService".to_owned(),
        ContextValue::Boolean(question.via.is_some()),
    );
    if let Some(service) = question.via {
        data.insert(
            "aws:CalledVia".to_owned(),
            ContextValue::StringList(vec!["rds.amazonaws.com".to_owned()]),
        );
        if question.action.starts_with("kms:") {
            data.insert("kms:ViaService".to_owned(), text(service));
            data.insert("kms:GrantIsForAWSResource".to_owned(), ContextValue::Boolean(true));
        }
    }
    if !question.aliases.is_empty() {
        data.insert(
            "kms:ResourceAliases".to_owned(),
            ContextValue::StringList(question.aliases.to_vec()),
        );
    }
    if let Some(alias) = question.request_alias {
        data.insert("kms:RequestAlias".to_owned(), text(alias));
    }
    if let Some(tags) = question.request_tags
        && !tags.is_empty()
    {
        for (key, value) in tags {
            data.insert(format!("aws:RequestTag/{key}"), text(value));
            data.insert(format!("rds:req-tag/{key}"), text(value));
        }
        data.insert(
            "aws:TagKeys".to_owned(),
            ContextValue::StringList(tags.keys().cloned().collect()),
        );
    }
    if let Some(keys) = question.tag_keys {
        data.insert("aws:TagKeys".to_owned(), ContextValue::StringList(keys.to_vec()));
    }
    for (key, value) in [
        ("rds:PubliclyAccessible", question.is_public),
        ("rds:ManageMasterUserPassword", question.manages_password),
    ] {
        if let Some(value) = value {
            data.insert(key.to_owned(), ContextValue::Boolean(value));
        }
    }
    if let Some(explicit) = question.explicit_tags {
        data.insert("rds:TagsFromRequest".to_owned(), ContextValue::Boolean(explicit));
    }
    let resource_key = match question.resource.split(':').nth(5) {
        Some("snapshot") => "rds:snapshot-tag",
        Some("cluster-snapshot") => "rds:cluster-snapshot-tag",
        Some("cluster") => "rds:cluster-tag",
        _ => "rds:db-tag",
    };
    for (key, value) in question.resource_tags.into_iter().flatten() {
        data.insert(format!("aws:ResourceTag/{key}"), text(value));
        data.insert(format!("{resource_key}/{key}"), text(value));
    }
    Context::with_data(data)
}

fn compile(caller: &Caller) -> Result<Role, String> {
    let policies = caller
        .policies
        .iter()
        .enumerate()
        .map(|(index, document)| policy(document).map_err(|reason| format!("policies[{index}]: {reason}")))
        .collect::<Result<_, String>>()?;
    Ok(Role {
        arn: caller.arn.clone(),
        evaluator: PolicyEvaluator::with_policies(policies),
    })
}

fn policy(document: &Value) -> Result<IAMPolicy, String> {
    if document.get("Version").is_none() {
        return Err("Version is missing; it must be 2012-10-17".to_owned());
    }
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
        _ => return Err("Statement is missing".to_owned()),
    };
    for (index, statement) in statements.iter().enumerate() {
        check_statement(statement).map_err(|reason| format!("Statement[{index}]: {reason}"))?;
    }
    // One by one, because the error of the whole document says only that it matches no variant.
    for (index, statement) in statements.iter().enumerate() {
        serde_json::from_value::<iam_rs::IAMStatement>(statement.clone())
            .map_err(|error| format!("Statement[{index}]: {error}"))?;
    }
    serde_json::from_value(document.clone()).map_err(|error| error.to_string())
}

fn check_statement(statement: &Value) -> Result<(), String> {
    for name in ["Resource", "NotResource"] {
        let patterns = match statement.get(name) {
            Some(Value::Array(patterns)) => patterns.as_slice(),
            Some(pattern) => std::slice::from_ref(pattern),
            None => &[],
        };
        for pattern in patterns {
            let Some(pattern) = pattern.as_str() else {
                return Err(format!(
                    "{name} holds {pattern}: was an intrinsic function left unresolved?"
                ));
            };
            if pattern == "*" {
                continue;
            }
            let arn = Arn::parse(pattern).map_err(|error| format!("{name} {pattern}: {error}"))?;
            if arn.service.contains(['*', '?']) {
                return Err(format!(
                    "{name} {pattern}: a wildcard for the service would never match here"
                ));
            }
        }
    }
    if let Some(Value::Object(operators)) = statement.get("Condition") {
        for (operator, keys) in operators {
            if keys.to_string().contains("${") {
                return Err(format!(
                    "Condition.{operator} holds a policy variable, which the evaluator does not fill in"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TARGET: &str = "arn:aws:rds:eu-central-1:123456789012:snapshot:acme-orders-1";

    fn callers(statement: &Value) -> Callers {
        let mut callers = Callers::default();
        let caller = Caller {
            arn: "arn:aws:iam::123456789012:role/prune".to_owned(),
            policies: vec![json!({ "Version": "2012-10-17", "Statement": [statement] })],
        };
        callers
            .replace(&BTreeMap::from([
                ("KEY".to_owned(), Some(caller)),
                ("root".to_owned(), None),
            ]))
            .unwrap();
        callers
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_delete_is_allowed_by_name_prefix_and_owner_tag_only() {
        let callers = callers(&json!({
            "Effect": "Allow", "Action": "rds:DeleteDBSnapshot",
            "Resource": "arn:aws:rds:*:123456789012:snapshot:acme-*",
            "Condition": { "StringEquals": { "aws:ResourceTag/snapferry:owner": "eu-west-1/acme",
                                             "rds:snapshot-tag/snapferry:owner": "eu-west-1/acme",
                                             "aws:RequestedRegion": "eu-central-1" } }
        }));
        let rights = callers.rights("KEY", "DeleteDBSnapshot").unwrap();
        let own = tags(&[("snapferry:owner", "eu-west-1/acme")]);
        let other = tags(&[("snapferry:owner", "eu-west-1/other")]);
        let ask = |resource: &str, region: &str, tags: &Tags| {
            rights.allows(&Question {
                resource_tags: Some(tags),
                ..Question::new("rds:DeleteDBSnapshot", resource, region)
            })
        };
        assert!(ask(TARGET, "eu-central-1", &own));
        assert!(!ask(TARGET, "eu-central-1", &other));
        assert!(!ask(TARGET, "eu-central-1", &Tags::new()));
        assert!(!ask(TARGET, "eu-west-1", &own));
        assert!(!ask(&TARGET.replace("acme-", "hand-"), "eu-central-1", &own));
        assert!(!rights.allows(&Question {
            resource_tags: Some(&own),
            ..Question::new("rds:DeleteDBClusterSnapshot", TARGET, "eu-central-1")
        }));
    }

    #[test]
    fn tag_keys_are_judged_one_by_one_and_all_together() {
        let callers = callers(&json!({
            "Effect": "Allow", "Action": "rds:AddTagsToResource", "Resource": "*",
            "Condition": { "ForAllValues:StringEquals": { "aws:TagKeys": ["snapferry:verified"] },
                           "Null": { "aws:TagKeys": "false" },
                           "StringLike": { "aws:RequestTag/snapferry:verified": "2*" },
                           "Bool": { "rds:TagsFromRequest": "true" } }
        }));
        let rights = callers.rights("KEY", "AddTagsToResource").unwrap();
        let ask = |tags: &Tags, explicit| {
            rights.allows(&Question {
                request_tags: Some(tags),
                explicit_tags: Some(explicit),
                ..Question::new("rds:AddTagsToResource", TARGET, "eu-central-1")
            })
        };
        assert!(ask(&tags(&[("snapferry:verified", "2026")]), true));
        assert!(!ask(&tags(&[("snapferry:verified", "2026")]), false));
        assert!(!ask(&tags(&[("snapferry:verified", "1999")]), true));
        assert!(!ask(
            &tags(&[("snapferry:verified", "2026"), ("snapferry:owner", "x")]),
            true
        ));
        assert!(!ask(&Tags::new(), true));
    }

    #[test]
    fn a_deny_wins_and_the_refusal_reads_as_in_aws() {
        let mut callers = callers(&json!({ "Effect": "Allow", "Action": "rds:*", "Resource": "*" }));
        let caller = Caller {
            arn: "arn:aws:iam::123456789012:role/x".to_owned(),
            policies: vec![
                json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } }),
                json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Action": "rds:Delete*", "Resource": "*" } }),
            ],
        };
        callers.set("KEY", Some(&caller)).unwrap();
        let rights = callers.rights("KEY", "DeleteDBSnapshot").unwrap();
        let error = rights
            .require(&Question::new("rds:DeleteDBSnapshot", TARGET, "eu-central-1"))
            .unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (403, "AccessDenied"));
        assert_eq!(
            error.message,
            "User: arn:aws:iam::123456789012:role/x is not authorized to perform: rds:DeleteDBSnapshot \
             on resource: arn:aws:rds:eu-central-1:123456789012:snapshot:acme-orders-1 \
             with an explicit deny in an identity-based policy"
        );
    }

    #[test]
    fn an_unknown_access_key_is_refused_once_there_is_a_table() {
        assert!(Callers::default().rights("anybody", "X").is_ok());
        let callers = callers(&json!({ "Effect": "Allow", "Action": "rds:*", "Resource": "*" }));
        assert_eq!(callers.rights("anybody", "X").unwrap_err().code, "AccessDenied");
        let root = callers.rights("root", "X").unwrap();
        assert!(root.allows(&Question::new("kms:Anything", TARGET, "eu-west-1")));
    }

    #[test]
    fn a_policy_that_could_be_misread_is_refused_with_its_place() {
        let refuse = |document: Value| {
            let caller = Caller {
                arn: "x".to_owned(),
                policies: vec![document],
            };
            Callers::default().set("k", Some(&caller)).unwrap_err()
        };
        let with = |statement: Value| json!({ "Version": "2012-10-17", "Statement": [statement] });
        assert!(refuse(json!({ "Statement": [] })).contains("Version is missing"));
        assert!(
            refuse(with(
                json!({ "Effect": "Allow", "Action": "rds:*", "Resource": { "Fn::Sub": "x" } })
            ))
            .contains("policies[0]: Statement[0]: Resource holds")
        );
        assert!(
            refuse(with(
                json!({ "Effect": "Allow", "Action": "rds:*", "Resource": "arn:aws:*:::x" })
            ))
            .contains("wildcard for the service")
        );
        assert!(
            refuse(with(json!({ "Effect": "Allow", "Action": "rds:*", "Resource": "*",
                                "Condition": { "StringEquals": { "aws:RequestTag/a": "${aws:username}" } } })))
            .contains("policy variable")
        );
        assert!(
            refuse(with(json!({ "Effect": "Allow", "Action": "rds:*", "Resource": "*",
                                "Condition": { "StringEqual": { "a": "b" } } })))
            .contains("Statement[0]")
        );
    }
}
