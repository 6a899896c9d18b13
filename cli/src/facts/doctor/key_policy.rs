//! Whether a key policy lets the roles of the stacks use the key, as far as that can be read from it.
//!
//! It names actions of KMS that the functions call, not this program.

use serde_json::Value;

use crate::facts::key_policy::{ENCRYPT, RESTORE};

/// What a role does with the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Describe,
    Encrypt,
    Restore,
}

impl Use {
    /// The actions that it takes, each by its full name.
    fn actions(self) -> Vec<&'static str> {
        let patterns: &[&'static str] = match self {
            Self::Describe => &["kms:DescribeKey"],
            Self::Encrypt => &ENCRYPT,
            Self::Restore => &RESTORE,
        };
        let named = patterns.iter().flat_map(|pattern| match *pattern {
            "kms:ReEncrypt*" => vec!["kms:ReEncryptFrom", "kms:ReEncryptTo"],
            "kms:GenerateDataKey*" => vec!["kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"],
            action => vec![action],
        });
        let grant = (self != Self::Describe).then_some("kms:CreateGrant");
        named.chain(grant).collect()
    }
}

/// A role that uses the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) role: String,
    pub(crate) does: Use,
}

/// What a policy says of the users of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Roles that it does not let use the key, each with an action that it lacks.
    pub(crate) refused: Vec<String>,
    /// Principals that are gone: KMS shows the id of a role that was deleted.
    pub(crate) gone: Vec<String>,
    /// Why more cannot be said of a role: a condition or a refusal that only a call would tell.
    pub(crate) unclear: Vec<String>,
}

/// Whether a role may do something, by the policy alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    No,
    Unclear,
    Yes,
}

/// Reads a policy; nothing if it is not one.
pub(crate) fn judge(policy: &str, account: &str, region: &str, users: &[User]) -> Option<Judged> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let statements = texts_or_values(policy.get("Statement")?);
    let mut judged = Judged {
        gone: gone(&statements),
        ..Judged::default()
    };
    for User { role, does } in users {
        let answers = does.actions().into_iter().map(|action| {
            let asked = Asked {
                role,
                account,
                region,
                action,
            };
            (asked.answer(&statements), action)
        });
        // The worst of them, and the first of these.
        let Some((answer, action)) = answers.min_by_key(|(answer, _)| *answer) else {
            continue;
        };
        let line = format!("{role} ({action})");
        match answer {
            Answer::Yes => {}
            Answer::Unclear => judged.unclear.push(line),
            Answer::No => judged.refused.push(line),
        }
    }
    Some(judged)
}

/// One question.
struct Asked<'a> {
    role: &'a str,
    account: &'a str,
    region: &'a str,
    action: &'a str,
}

impl Asked<'_> {
    /// The answer of all statements.
    fn answer(&self, statements: &[&Value]) -> Answer {
        let about = |statement: &&&Value| self.is_about(statement);
        let is = |statement: &Value, effect: &str| statement["Effect"] == effect;
        let allowed = statements
            .iter()
            .filter(about)
            .filter(|statement| is(statement, "Allow"));
        let best = allowed.map(|statement| self.meets(&statement["Condition"])).max();
        let best = best.unwrap_or(Answer::No);
        let denied = statements.iter().filter(about).any(|statement| is(statement, "Deny"));
        // Most refusals have conditions that are not met.
        if denied { best.min(Answer::Unclear) } else { best }
    }

    /// Whether a statement is about the role and the action. A statement about everything but something may be.
    fn is_about(&self, statement: &Value) -> bool {
        let actions = texts_or_values(&statement["Action"]);
        let mut actions = actions.iter().filter_map(|action| action.as_str());
        let is_action = statement.get("NotAction").is_some() || actions.any(|pattern| is_like(pattern, self.action));
        is_action && (statement.get("NotPrincipal").is_some() || self.is_named(&statement["Principal"]))
    }

    /// Whether a principal is the role, or the account whose own policies decide, or everybody.
    fn is_named(&self, principal: &Value) -> bool {
        if principal == "*" {
            return true;
        }
        let named = texts_or_values(&principal["AWS"]);
        let mut named = named.iter().filter_map(|name| name.as_str());
        named.any(|name| {
            let is_account = name == self.account || name.ends_with(&format!(":iam::{}:root", self.account));
            name == "*" || name == self.role || is_account
        })
    }

    /// Whether the conditions of a statement are met, as far as they are those of a key policy for RDS.
    fn meets(&self, condition: &Value) -> Answer {
        let tests = condition.as_object().into_iter().flatten();
        let tests = tests.flat_map(|(_, keys)| keys.as_object().into_iter().flatten());
        let answers = tests.map(|(key, values)| {
            let values = texts_or_values(values);
            let mut values = values.iter().filter_map(|value| value.as_str());
            let is_met = match key.as_str() {
                "kms:ViaService" => {
                    let host = format!("rds.{}.amazonaws.com", self.region);
                    values.any(|pattern| is_like(pattern.trim_end_matches(".cn"), &host))
                }
                "kms:CallerAccount" | "aws:PrincipalAccount" => values.any(|account| account == self.account),
                "aws:PrincipalArn" => values.any(|pattern| is_like(pattern, self.role)),
                "kms:GrantIsForAWSResource" => true,
                _ => return Answer::Unclear,
            };
            if is_met { Answer::Yes } else { Answer::No }
        });
        answers.min().unwrap_or(Answer::Yes)
    }
}

/// The items of a list, or the one that stands in its place.
fn texts_or_values(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// Principals that KMS no longer knows: the unique id of a role or a user that was deleted.
fn gone(statements: &[&Value]) -> Vec<String> {
    let all = statements
        .iter()
        .flat_map(|statement| texts_or_values(&statement["Principal"]["AWS"]));
    let names = all.filter_map(Value::as_str);
    let is_id = |name: &&str| ["AROA", "AIDA"].iter().any(|prefix| name.starts_with(prefix));
    let mut gone: Vec<String> = names.filter(is_id).map(str::to_owned).collect();
    gone.sort();
    gone.dedup();
    gone
}

/// Whether a pattern of IAM matches a text, whatever the case of either.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let Some((begin, mut rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(begin) else {
        return false;
    };
    while let Some((middle, more)) = rest.split_once('*') {
        let Some(place) = text.find(middle) else {
            return false;
        };
        text = &text[place + middle.len()..];
        rest = more;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::key_policy::{KeyPolicy, KeyUsers};

    const COPIER: &str = "arn:aws:iam::111122223333:role/start-copy";
    const OBSERVER: &str = "arn:aws:iam::111122223333:role/list-targets";
    const DRILLS: &str = "arn:aws:iam::111122223333:role/start-restore";

    fn judged(policy: &Value) -> Judged {
        let users = [
            (OBSERVER, Use::Describe),
            (COPIER, Use::Encrypt),
            (DRILLS, Use::Restore),
        ];
        let users = users.map(|(role, does)| User {
            role: role.to_owned(),
            does,
        });
        judge(&policy.to_string(), "111122223333", "eu-central-1", &users).expect("a policy")
    }

    fn of_account(condition: &Value) -> Value {
        json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "kms:*", "Resource": "*", "Condition": condition}]})
    }

    #[test]
    fn the_policy_of_a_new_key_and_the_one_that_is_written_here_are_enough() {
        assert_eq!(judged(&of_account(&json!({}))), Judged::default());
        let own = KeyPolicy::new(
            "eu-central-1",
            KeyUsers {
                administrators: vec!["arn:aws:iam::111122223333:role/security".to_owned()],
                observers: vec![OBSERVER.to_owned()],
                copier: COPIER.to_owned(),
                restorers: vec![DRILLS.to_owned()],
            },
        );
        let own = serde_json::to_value(own).expect("JSON");
        assert_eq!(judged(&own), Judged::default());
        // After the stack was deployed again its roles have other names.
        let early = own.to_string().replace("role/start-copy", "role/early");
        let early: Value = serde_json::from_str(&early).expect("JSON");
        let refused = judged(&early).refused;
        assert_eq!(refused, [format!("{COPIER} (kms:DescribeKey)")]);
    }

    #[test]
    fn a_role_that_is_gone_is_found_by_its_id() {
        let policy = json!({"Statement": {"Effect": "Allow", "Action": ["kms:Describe*"],
            "Principal": {"AWS": ["AROAEXAMPLE", "AROAEXAMPLE", OBSERVER]}}});
        let judged = judged(&policy);
        assert_eq!(judged.gone, ["AROAEXAMPLE"]);
        assert_eq!(judged.refused.len(), 2);
        assert!(
            judged.refused[0].ends_with("start-copy (kms:DescribeKey)"),
            "{judged:?}"
        );
    }

    #[test]
    fn what_only_a_call_would_tell_is_not_called_good() {
        let tagged = of_account(&json!({"StringEquals": {"aws:PrincipalTag/team": "dba"}}));
        assert_eq!(judged(&tagged).unclear.len(), 3);
        let elsewhere = of_account(&json!({"StringEquals": {"kms:ViaService": "rds.eu-west-1.amazonaws.com"}}));
        assert_eq!(judged(&elsewhere).refused.len(), 3);
        let mut denied = of_account(&json!({}));
        let allowed = denied["Statement"][0].clone();
        denied["Statement"] = json!([allowed, {"Effect": "Deny", "Principal": "*", "NotAction": "kms:Describe*"}]);
        assert_eq!(judged(&denied).unclear.len(), 3);
        assert_eq!(judge("no", "1", "x", &[]), None);
    }

    #[test]
    fn patterns_match_as_those_of_iam() {
        for (pattern, text, expected) in [
            ("kms:*", "kms:DescribeKey", true),
            ("KMS:describe*", "kms:DescribeKey", true),
            ("kms:ReEncrypt*", "kms:Encrypt", false),
            ("*:role/start-*-x", "arn:aws:iam::1:role/start-copy-x", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("kms:Encrypt", "kms:EncryptX", false),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
