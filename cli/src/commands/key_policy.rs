//! `snapferry key-policy`: a key policy with the roles of the deployed stacks, to tighten that of the key of the copies.

use crate::args::{Global, KeyPolicy as Options};
use crate::aws::account::Account;
use crate::aws::stack::Stack;
use crate::error::{CliError, ExitStatus};
use crate::facts::key_policy::{KeyPolicy, KeyUsers};
use crate::output::terminal::Terminal;

/// Asks both stacks for their roles, and writes the policy. Nothing is changed.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let stack = account.stack(global.stack()).await?;
    let (Some(list_targets), Some(start_copy)) = (&stack.list_targets_role, &stack.start_copy_role) else {
        return Err(early(&stack.name));
    };
    let watch = account.watch_stack_of(&stack, &options.watch_stack).await?;
    let mut users = KeyUsers {
        administrators: administrators(&stack, options)?,
        observers: vec![list_targets.clone()],
        copier: start_copy.clone(),
        restorers: options.restorers.clone(),
    };
    if let Some(watch) = watch {
        let (Some(measure_copies), Some(start_restore)) = (watch.measure_copies_role, watch.start_restore_role) else {
            return Err(early(&watch.name));
        };
        users.observers.push(measure_copies);
        users.restorers.insert(0, start_restore);
    } else {
        terminal.eprintln(&format!(
            "There is no destination stack {} of these copies: when you deploy one, set the policy again.",
            options.watch_stack
        ));
    }
    let key = stack.policy.get("DestinationKmsKey").map_or("KEY", String::as_str);
    terminal.print_json(&KeyPolicy::new(&stack.destination_region, users));
    terminal.eprintln(&format!(
        "Read it before you set it: whoever it does not name can use the key no more.\n  aws kms put-key-policy --region \
         {} --key-id {} --policy-name default --policy file://key-policy.json",
        stack.destination_region,
        key_id(key)
    ));
    if key.contains("alias/") {
        terminal.eprintln("KMS wants the key's id or ARN there, and not its alias.");
    }
    Ok(ExitStatus::Success)
}

/// Who administers the key: those that are named, or else whoever the account's own policies let do it.
fn administrators(stack: &Stack, options: &Options) -> Result<Vec<String>, CliError> {
    if !options.administrators.is_empty() {
        return Ok(options.administrators.clone());
    }
    let mut parts = stack.copy_fleet_arn.split(':');
    match (parts.nth(1), stack.account()) {
        (Some(partition), Some(account)) => Ok(vec![format!("arn:{partition}:iam::{account}:root")]),
        _ => Err(CliError::new(
            "The account of the stack is not known.",
            "Name who administers the key with --administrator ARN.",
        )),
    }
}

/// A key as KMS wants it in a command; an alias has to be replaced.
fn key_id(key: &str) -> &str {
    if key.contains("alias/") { "KEY" } else { key }
}

fn early(stack: &str) -> CliError {
    CliError::new(
        format!("The stack {stack} does not say which roles its functions have."),
        "An older release deployed it: update it first.",
    )
}
