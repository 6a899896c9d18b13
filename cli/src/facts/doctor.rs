//! Everything that `snapferry doctor` checks. One check that fails never hides another: each is tried on its own, all at
//! the same time, and an error is a finding.

mod alarms;
mod environment;
pub(crate) mod finding;
mod key_policy;
mod keys;
mod last_run;
mod permissions;
mod quotas;
mod roles;
mod stacks;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};

use crate::aws::account::Account;
use crate::aws::caller::Caller;
use crate::aws::deployment::Deployment;
use crate::aws::stack::Stack;
use crate::aws::watch_stack::WatchStack;
use crate::facts::doctor::finding::Finding;

/// What is examined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patient<'a> {
    /// Region of the stack.
    pub(crate) region: &'a str,
    /// Name of the stack.
    pub(crate) stack: &'a str,
    /// Name of the destination stack.
    pub(crate) watch_stack: &'a str,
    /// The release of this program.
    pub(crate) release: &'a str,
}

type Check<'a> = LocalBoxFuture<'a, Vec<Finding>>;

/// Examines all of it.
pub(crate) async fn examine(account: &Account, patient: Patient<'_>) -> Vec<Finding> {
    if let Err(error) = account.sign_in().await {
        return vec![
            Finding::wrong("credentials", patient.region, error.what(), error.remedy()),
            Finding::unknown(
                "everything else",
                patient.stack,
                "Nothing can be asked without credentials.",
                "Sign in first.",
            ),
        ];
    }
    let ((caller, mut findings), source, found) = tokio::join!(
        environment::caller(account, patient.region),
        environment::region(account, patient.region, "databases"),
        account.deployment(patient.region, patient.stack)
    );
    findings.push(source);
    match found {
        Ok(Some(deployment)) => findings.extend(of_stack(account, patient, caller.as_ref(), &deployment).await),
        Ok(None) => findings.push(stacks::missing(patient.stack, patient.region)),
        Err(error) => findings.push(Finding::failed("stack", patient.stack, &error)),
    }
    findings
}

/// Everything about the stack, and about the destination stack, which is in the region that the stack names.
async fn of_stack(
    account: &Account,
    patient: Patient<'_>,
    caller: Option<&Caller>,
    deployment: &Deployment,
) -> Vec<Finding> {
    let mut findings = vec![stacks::status(deployment), stacks::release(deployment, patient.release)];
    let stack = match deployment.as_stack() {
        Ok(stack) => stack,
        Err(error) => {
            findings.push(Finding::wrong("stack", patient.stack, error.what(), error.remedy()));
            return findings;
        }
    };
    let region = stack.destination_region.as_str();
    let watch = account.deployment(region, patient.watch_stack).await;
    let watch = match watch {
        Ok(Some(watch)) => Some(watch),
        Ok(None) => {
            findings.push(stacks::missing_destination(patient.watch_stack, region));
            None
        }
        Err(error) => {
            findings.push(Finding::failed("stack", patient.watch_stack, &error));
            None
        }
    };
    let mut watch_stack = None;
    if let Some(watch) = &watch {
        findings.extend([stacks::status(watch), stacks::release(watch, patient.release)]);
        match watch.as_watch_stack() {
            Ok(found) => {
                findings.push(stacks::belongs(&found, &stack));
                watch_stack = Some(found).filter(|found| found.is_of(&stack));
            }
            Err(error) => findings.push(Finding::wrong(
                "stack",
                patient.watch_stack,
                error.what(),
                error.remedy(),
            )),
        }
    }
    let checks = checks(
        account,
        caller,
        &stack,
        deployment,
        watch.as_ref(),
        watch_stack.as_ref(),
    );
    findings.extend(join_all(checks).await.into_iter().flatten());
    findings
}

/// The checks that need the stack, in the order in which they are shown.
fn checks<'a>(
    account: &'a Account,
    caller: Option<&'a Caller>,
    stack: &'a Stack,
    deployment: &'a Deployment,
    watch: Option<&'a Deployment>,
    watch_stack: Option<&'a WatchStack>,
) -> Vec<Check<'a>> {
    let region = stack.destination_region.as_str();
    let mut checks = vec![
        one(environment::region(account, region, "copies")),
        one(async { stacks::dry_run(deployment) }),
        stacks::rules(account, &stack.region, &stack.name, &stack.rules_of_runs, "runs").boxed_local(),
    ];
    if let Some((watch, rule)) = watch_stack.and_then(|watch| Some((watch, watch.rule.as_ref()?))) {
        let rules = std::slice::from_ref(rule);
        checks.push(stacks::rules(account, &watch.region, &watch.name, rules, "drills").boxed_local());
    }
    checks.push(one(permissions::of_source(account, stack)));
    checks.push(one(permissions::of_destination(account, stack, watch_stack)));
    checks.push(one(permissions::of_writes(account, stack, watch_stack, caller)));
    checks.push(roles::check(account, stack).boxed_local());
    checks.push(keys::check(account, stack, deployment, watch_stack).boxed_local());
    checks.push(quotas::check(account, stack).boxed_local());
    for (stack, is_destination) in [(Some(deployment), false), (watch, true)] {
        let Some(stack) = stack else { continue };
        checks.push(alarms::check(account, stack, is_destination).boxed_local());
        checks.push(one(alarms::topic(account, stack)));
    }
    checks.push(one(last_run::check(account, stack, deployment)));
    checks
}

/// A check with a single finding.
fn one<'a>(check: impl Future<Output = Finding> + 'a) -> Check<'a> {
    async { vec![check.await] }.boxed_local()
}
