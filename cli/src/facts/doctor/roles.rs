//! What the roles of the functions may do in the end: their own policies allow it, and a permissions boundary or a policy of
//! the organization may take it away.
//!
//! It names actions that the functions call, not this program.

use std::collections::BTreeMap;

use crate::aws::account::Account;
use crate::aws::caller::{Wanted, simulate};
use crate::aws::query::Service;
use crate::aws::stack::Stack;
use crate::error::CliError;
use crate::facts::doctor::finding::Finding;

/// A few actions of a role, each of which stands for what it is there for.
struct Question {
    role: String,
    actions: &'static [&'static str],
    resource: String,
    context: Vec<(&'static str, String)>,
}

/// Asks IAM for the roles that the stack names: one lists databases, the other makes copies.
pub(crate) async fn check(account: &Account, stack: &Stack) -> Vec<Finding> {
    let (Some(list_targets), Some(start_copy)) = (&stack.list_targets_role, &stack.start_copy_role) else {
        let found = "The stack does not say which roles its functions have.";
        return vec![Finding::unknown("roles", &stack.name, found, "Update the stack.")];
    };
    let iam = account.query(Service::Iam, &stack.region);
    let asked = questions(stack, list_targets, start_copy);
    let asked = asked.iter().map(async |question| {
        let context: Vec<(&str, &str)> = question
            .context
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let wanted = Wanted {
            actions: question.actions,
            resource: &question.resource,
            context: &context,
        };
        let simulated = simulate(&iam, &question.role, wanted).await?;
        let denied = simulated
            .into_iter()
            .filter(|simulated| simulated.is_allowed != Some(true));
        Ok::<_, CliError>(denied.map(|denied| (question.role.clone(), denied)).collect::<Vec<_>>())
    });
    let denied = match futures_util::future::try_join_all(asked).await {
        Ok(denied) => denied.concat(),
        Err(error) => return vec![Finding::failed("roles", &stack.name, &error)],
    };
    if denied.is_empty() {
        let found = "The roles may list databases and make copies, by all policies that IAM knows.";
        return vec![Finding::good("roles", &stack.name, found)];
    }
    let mut by_role: BTreeMap<(&str, bool), Vec<&str>> = BTreeMap::new();
    for (role, simulated) in &denied {
        let actions = by_role.entry((role.as_str(), simulated.is_taken_away)).or_default();
        if !actions.contains(&simulated.action.as_str()) {
            actions.push(&simulated.action);
        }
    }
    let findings = by_role.into_iter().map(|((role, is_taken_away), actions)| {
        let actions = actions.join(", ");
        if is_taken_away {
            return Finding::wrong(
                "roles",
                role,
                format!("The role may not: {actions}."),
                "Its own policy allows it: a permissions boundary or a policy of the organization (SCP) takes it away. \
                 Whoever administers those has to allow it.",
            );
        }
        let found = format!("Whether the role may depends on conditions that a simulation does not know: {actions}.");
        Finding::unknown("roles", role, &found, "A run shows it: snapferry run --follow.")
    });
    findings.collect()
}

fn questions(stack: &Stack, list_targets: &str, start_copy: &str) -> Vec<Question> {
    let (source, destination) = (&stack.region, &stack.destination_region);
    let account = stack.account().unwrap_or_default();
    let partition = stack.copy_fleet_arn.split(':').nth(1).unwrap_or("aws");
    let arn = |region: &str, what: &str| format!("arn:{partition}:rds:{region}:{account}:{what}");
    let in_region = |region: &str| ("aws:RequestedRegion", region.to_owned());
    let owner = ("aws:RequestTag/snapferry:owner", format!("{source}/{}", stack.owner_id));
    vec![
        Question {
            role: list_targets.to_owned(),
            actions: &["rds:DescribeDBInstances"],
            resource: arn(source, "db:orders"),
            context: vec![in_region(source)],
        },
        Question {
            role: list_targets.to_owned(),
            actions: &["rds:DescribeDBSnapshots"],
            resource: arn(destination, &format!("snapshot:{}-orders", stack.owner_id)),
            context: vec![in_region(destination)],
        },
        Question {
            role: start_copy.to_owned(),
            actions: &["rds:CopyDBSnapshot"],
            resource: arn(source, "snapshot:rds:orders"),
            context: vec![in_region(destination), owner.clone()],
        },
        Question {
            role: start_copy.to_owned(),
            actions: &["rds:CopyDBSnapshot", "rds:AddTagsToResource"],
            resource: arn(destination, &format!("snapshot:{}-orders", stack.owner_id)),
            context: vec![in_region(destination), owner],
        },
    ]
}
