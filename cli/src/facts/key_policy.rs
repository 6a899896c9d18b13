//! The key policy that lets a deployment use a key of its copies, and nobody else but through RDS.

use domain::region::partition;
use serde::Serialize;

/// What administers a key, without the right to use it: the actions of the console's key administrators.
const ADMINISTER: [&str; 14] = [
    "kms:CancelKeyDeletion",
    "kms:Create*",
    "kms:Delete*",
    "kms:Describe*",
    "kms:Disable*",
    "kms:Enable*",
    "kms:Get*",
    "kms:List*",
    "kms:Put*",
    "kms:Revoke*",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:Update*",
];

/// What encrypts a copy, through RDS.
pub(crate) const ENCRYPT: [&str; 5] = [
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncrypt*",
    "kms:GenerateDataKey*",
];

/// What restores a copy, through RDS.
pub(crate) const RESTORE: [&str; 3] = ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey*"];

/// Who may do what with the key, by ARN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyUsers {
    /// Administer it, and do not use it.
    pub(crate) administrators: Vec<String>,
    /// The roles that describe it before a run, and to say whether copies can be restored.
    pub(crate) observers: Vec<String>,
    /// The role that makes the copies.
    pub(crate) copier: String,
    /// Whoever restores: persons, and the role of drills.
    pub(crate) restorers: Vec<String>,
}

/// A key policy, as KMS reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyPolicy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    principal: Principal,
    action: Vec<&'static str>,
    resource: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<serde_json::Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct Principal {
    aws: Vec<String>,
}

impl KeyPolicy {
    /// The policy of a key in a region.
    pub(crate) fn new(region: &str, users: KeyUsers) -> Self {
        let suffix = match partition(region) {
            Some("aws-cn") => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        // The source region too: a copy is asked for in one region and encrypted in another.
        let via_rds = serde_json::json!({"StringLike": {"kms:ViaService": format!("rds.*.{suffix}")}});
        let for_rds = serde_json::json!({"Bool": {"kms:GrantIsForAWSResource": "true"}});
        let all = [vec![users.copier.clone()], users.restorers.clone()].concat();
        let statements = [
            ("Administer", users.administrators, ADMINISTER.to_vec(), None),
            ("DescribeKey", users.observers, vec!["kms:DescribeKey"], None),
            (
                "EncryptCopies",
                vec![users.copier],
                ENCRYPT.to_vec(),
                Some(via_rds.clone()),
            ),
            ("RestoreCopies", users.restorers, RESTORE.to_vec(), Some(via_rds)),
            ("LetRdsUseTheKey", all, vec!["kms:CreateGrant"], Some(for_rds)),
        ];
        let statement = |(sid, aws, action, condition)| Statement {
            sid,
            effect: "Allow",
            principal: Principal { aws },
            action,
            resource: "*",
            condition,
        };
        Self {
            version: "2012-10-17",
            statement: statements.map(statement).into(),
        }
    }
}
