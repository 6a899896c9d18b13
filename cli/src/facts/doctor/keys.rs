//! The keys of the copies: there, usable, in the right region, and open to the roles that use them.

use domain::error::Error;
use domain::restorability::KeyState;

use crate::aws::account::Account;
use crate::aws::deployment::Deployment;
use crate::aws::stack::Stack;
use crate::aws::watch_stack::WatchStack;
use crate::error::CliError;
use crate::facts::doctor::finding::Finding;
use crate::facts::doctor::key_policy::{Judged, Use, User, judge};
use crate::format::some_of;

/// The key of the copies, and those that tags may pick.
pub(crate) async fn check(
    account: &Account,
    stack: &Stack,
    deployment: &Deployment,
    watch: Option<&WatchStack>,
) -> Vec<Finding> {
    let users = users(stack, watch);
    let allowed = deployment.parameter("AllowedKmsKeyArns").unwrap_or_default();
    let names = deployment.parameter("DestinationKmsKey").into_iter();
    let names = names.chain(allowed.split(',').filter(|key| !key.is_empty()));
    let checked = names.map(|name| check_key(account, stack, name, &users));
    let found: Vec<Vec<Finding>> = futures_util::future::join_all(checked).await;
    found.into_iter().flatten().collect()
}

/// Who uses the keys, as far as the stacks say.
fn users(stack: &Stack, watch: Option<&WatchStack>) -> Vec<User> {
    let roles = [
        (stack.list_targets_role.as_ref(), Use::Describe),
        (stack.start_copy_role.as_ref(), Use::Encrypt),
        (
            watch.and_then(|watch| watch.measure_copies_role.as_ref()),
            Use::Describe,
        ),
        (watch.and_then(|watch| watch.start_restore_role.as_ref()), Use::Restore),
    ];
    let known = roles.into_iter().filter_map(|(role, does)| {
        let role = role?.clone();
        Some(User { role, does })
    });
    known.collect()
}

async fn check_key(account: &Account, stack: &Stack, name: &str, users: &[User]) -> Vec<Finding> {
    let check = "key";
    let region = &stack.destination_region;
    if name.starts_with("arn:") && name.split(':').nth(3) != Some(region) {
        return vec![Finding::wrong(
            check,
            name,
            format!("It is not in {region}, where the copies are."),
            "Deploy the stack with a key of that region.",
        )];
    }
    let keys = account.keys(region);
    let key = match keys.describe(name).await {
        Ok(key) => key,
        Err(error) => {
            let error = CliError::from_gateway("KMS", region, "kms:DescribeKey", &error);
            return vec![Finding::failed(check, name, &error)];
        }
    };
    let (Some(arn), KeyState::Usable) = (&key.arn, &key.state) else {
        let why = match &key.state {
            KeyState::Unusable(why) => format!("It {why}."),
            _ => format!("There is no such key in {region}."),
        };
        return vec![Finding::wrong(
            check,
            name,
            why,
            "Copies need an enabled symmetric key. If it waits for its deletion, cancel that at once: copies under a key that \
             is gone are lost (aws kms cancel-key-deletion, then enable-key).",
        )];
    };
    let usable = Finding::good(check, name, format!("It is enabled and encrypts: {arn}."));
    vec![usable, policy(keys.policy(arn).await, name, stack, users)]
}

fn policy(policy: Result<String, Error>, name: &str, stack: &Stack, users: &[User]) -> Finding {
    let check = "key policy";
    let region = &stack.destination_region;
    let policy = match policy {
        Ok(policy) => policy,
        Err(error) => {
            let error = CliError::from_gateway("KMS", region, "kms:GetKeyPolicy on the key", &error);
            return Finding::failed(check, name, &error);
        }
    };
    let judged = judge(&policy, stack.account().unwrap_or_default(), region, users);
    let Some(Judged { refused, gone, unclear }) = judged.filter(|_| !users.is_empty()) else {
        let found = "It cannot be compared with the roles of the stacks.";
        return Finding::unknown(
            check,
            name,
            found,
            "Update the stacks; an early release does not name its roles.",
        );
    };
    let again = "Write it again with the roles of today: snapferry key-policy.";
    if !refused.is_empty() {
        let found = format!(
            "It does not let roles of the stacks use the key: {}.",
            some_of(&refused)
        );
        return Finding::wrong(check, name, found, again);
    }
    if !gone.is_empty() {
        let found = format!("It names roles or users that were deleted: {}.", some_of(&gone));
        return Finding::warning(check, name, found, again);
    }
    if !unclear.is_empty() {
        let found = format!(
            "It has conditions or refusals that may concern roles: {}.",
            some_of(&unclear)
        );
        let remedy = "Read it (aws kms get-key-policy). A run shows whether copies can be encrypted.";
        return Finding::unknown(check, name, &found, remedy);
    }
    Finding::good(check, name, "It lets the roles of the stacks use the key.")
}
