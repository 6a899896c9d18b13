//! The gateway to STS and IAM: who calls, and what a principal may do.

use jiff::Timestamp;

use crate::aws::query::{Failed, QueryClient, list, text_of};
use crate::error::CliError;

/// What STS needs: nothing, whatever the policies say.
const NEEDS_NOTHING: &str = "valid credentials";

/// Who the credentials are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
    /// The time of AWS, as its answer has it.
    pub(crate) date: Option<Timestamp>,
}

impl Caller {
    /// Asks STS of a region, the client's.
    pub(crate) async fn ask(sts: &QueryClient) -> Result<Self, Failed> {
        let answer = sts.call("GetCallerIdentity", &[], NEEDS_NOTHING).await?;
        Ok(Self {
            account: answer.text("Account").unwrap_or_default(),
            arn: answer.text("Arn").unwrap_or_default(),
            date: answer.date,
        })
    }

    /// Whether it is the root user of the account, who may do everything, and whom IAM does not simulate.
    pub(crate) fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }

    /// The name of the role whose session it is; nothing for a user.
    fn role(&self) -> Option<&str> {
        let (_, session) = self.arn.split_once(":assumed-role/")?;
        session.split('/').next()
    }

    /// What the policies of the caller hang on: the user, or the role of the session. The ARN of a session lacks the path of
    /// its role, which IAM knows.
    async fn principal(&self, iam: &QueryClient) -> Result<String, CliError> {
        let Some(role) = self.role() else {
            return Ok(self.arn.clone());
        };
        let fields = [("RoleName".to_owned(), role.to_owned())];
        let answer = iam.call("GetRole", &fields, "iam:GetRole on your role").await;
        let answer = answer.map_err(|failed| failed.error)?;
        answer.text("Arn").ok_or_else(|| {
            CliError::new(
                format!("IAM does not give the ARN of the role {role}."),
                "Try again later.",
            )
        })
    }
}

/// Something that a principal may want to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) actions: &'a [&'a str],
    pub(crate) resource: &'a str,
    /// The context that the policies may ask for: key and value.
    pub(crate) context: &'a [(&'a str, &'a str)],
}

/// Whether an action is allowed, by all policies of the principal, its boundary, and what the organization allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Simulated {
    pub(crate) action: String,
    /// Nothing if it depends on more than the simulation was given.
    pub(crate) is_allowed: Option<bool>,
    /// Whether something denies it, or a permissions boundary or the organization does not allow it: then no condition of
    /// the principal's own policies helps.
    pub(crate) is_taken_away: bool,
}

/// Asks IAM what the caller may do.
pub(crate) async fn simulate_caller(
    iam: &QueryClient,
    caller: &Caller,
    wanted: Wanted<'_>,
) -> Result<Vec<Simulated>, CliError> {
    let principal = caller.principal(iam).await?;
    simulate(iam, &principal, wanted).await
}

/// Asks IAM what a user or a role may do.
pub(crate) async fn simulate(
    iam: &QueryClient,
    principal: &str,
    wanted: Wanted<'_>,
) -> Result<Vec<Simulated>, CliError> {
    let mut fields = vec![("PolicySourceArn".to_owned(), principal.to_owned())];
    fields.extend(list("ActionNames", wanted.actions.iter().copied()));
    fields.extend(list("ResourceArns", [wanted.resource]));
    for (place, (key, value)) in wanted.context.iter().enumerate() {
        let entry = format!("ContextEntries.member.{}", place + 1);
        fields.push((format!("{entry}.ContextKeyName"), (*key).to_owned()));
        fields.push((format!("{entry}.ContextKeyType"), "string".to_owned()));
        fields.push((format!("{entry}.ContextKeyValues.member.1"), (*value).to_owned()));
    }
    let needs = "iam:SimulatePrincipalPolicy on the role or user";
    let answer = iam.call("SimulatePrincipalPolicy", &fields, needs).await;
    let answer = answer.map_err(|failed| failed.error)?;
    let simulated = answer.items("EvaluationResults", |result| {
        let decision = text_of(result, "EvalDecision");
        let is_allowed = decision.as_deref() == Some("allowed");
        let is_outside = |part: &str| text_of(result, part).as_deref() == Some("false");
        let lacks = crate::aws::query::element(result, "MissingContextValues");
        let lacks = lacks.is_some_and(|list| list.has_children() && text_of(list, "member").is_some());
        Simulated {
            action: text_of(result, "EvalActionName").unwrap_or_default(),
            is_allowed: (is_allowed || !lacks).then_some(is_allowed),
            is_taken_away: decision.as_deref() == Some("explicitDeny")
                || is_outside("AllowedByPermissionsBoundary")
                || is_outside("AllowedByOrganizations"),
        }
    });
    simulated
        .filter(|simulated| !simulated.is_empty())
        .ok_or_else(|| CliError::new("IAM answered nothing to the simulation.", "Try again later."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_role_and_a_user_has_none() {
        let role = |arn: &str| {
            let caller = Caller {
                account: String::new(),
                arn: arn.to_owned(),
                date: None,
            };
            caller.role().map(str::to_owned)
        };
        let session = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_dba_0a1b/me@example.com";
        assert_eq!(role(session).as_deref(), Some("AWSReservedSSO_dba_0a1b"));
        assert_eq!(role("arn:aws:iam::111122223333:user/me"), None);
        assert_eq!(role("arn:aws:iam::111122223333:root"), None);
    }
}
