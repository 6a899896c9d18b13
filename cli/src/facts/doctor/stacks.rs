//! The stacks: whether they are there and whole, which releases they are, and whether what starts runs is switched on.

use crate::aws::account::Account;
use crate::aws::deployment::Deployment;
use crate::aws::stack::Stack;
use crate::aws::watch_stack::WatchStack;
use crate::error::CliError;
use crate::facts::doctor::finding::Finding;
use crate::format::plural;

/// Whether a stack is whole, by CloudFormation's status of it.
pub(crate) fn status(stack: &Deployment) -> Finding {
    let name = &stack.name;
    let reason = stack.reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.map_or_else(String::new, |reason| format!(": {}", reason.trim_end_matches('.')));
    let found = format!("It is deployed in {}: {}{reason}.", stack.region, stack.status);
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Finding::good("stack", name, found),
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => Finding::warning(
            "stack",
            name,
            found,
            "The last update failed, and the stack is what it was before: its events say why. Deploy it again.",
        ),
        status if status.ends_with("_IN_PROGRESS") => Finding::warning(
            "stack",
            name,
            found,
            "Something is being deployed: ask again when that has ended.",
        ),
        _ => Finding::wrong(
            "stack",
            name,
            found,
            "A deployment stopped half-way: the events of the stack say why. Continue its rollback in the CloudFormation \
             console, or delete it and deploy it again; copies are not part of it.",
        ),
    }
}

/// What is said where there is no stack of that name.
pub(crate) fn missing(name: &str, region: &str) -> Finding {
    Finding::wrong(
        "stack",
        name,
        format!("There is no stack of that name in {region}."),
        "Name it with --stack, and the region of your databases with --region; or deploy it.",
    )
}

/// The same for the destination stack, without which copies are made all the same.
pub(crate) fn missing_destination(name: &str, region: &str) -> Finding {
    Finding::warning(
        "stack",
        name,
        format!("There is no destination stack of that name in {region}."),
        "Without it nothing watches the copies when the source region is lost, and none are drilled: deploy \
         infra/destination.yaml there, or name it with --watch-stack.",
    )
}

/// Whether the destination stack is of the copies of the stack.
pub(crate) fn belongs(watch: &WatchStack, stack: &Stack) -> Finding {
    if watch.is_of(stack) {
        let found = format!("It watches the copies of {}/{}.", stack.region, stack.owner_id);
        return Finding::good("stack", &watch.name, found);
    }
    Finding::wrong(
        "stack",
        &watch.name,
        format!(
            "It watches the copies of {}/{}, and those of the stack {} are of {}/{}.",
            watch.source_region, watch.owner_id, stack.name, stack.region, stack.owner_id
        ),
        "Name the right one with --watch-stack, or deploy it with the SourceRegion and the OwnerId of the stack.",
    )
}

/// Major and minor number of a release: of `0.2.1`, `0.2.1+abcdef` and `0.2.1 (commit abcdef)` 0 and 2.
fn numbers(release: &str) -> Option<(u32, u32)> {
    let version = release.split(['+', ' ', '-']).next()?;
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether two releases work together: they may differ by one (architecture, releases and rollbacks).
fn differ_by_one_at_most(one: &str, other: &str) -> Option<bool> {
    let ((one_major, one_minor), (other_major, other_minor)) = (numbers(one)?, numbers(other)?);
    Some(one_major == other_major && one_minor.abs_diff(other_minor) <= 1)
}

/// The release of a stack beside that of this program.
pub(crate) fn release(stack: &Deployment, own: &str) -> Finding {
    let name = &stack.name;
    let Some(release) = stack.output("Release") else {
        return Finding::warning(
            "release",
            name,
            format!("The stack does not say which release it is; this program is {own}."),
            "An early release deployed it: update it.",
        );
    };
    let found = format!("The stack is release {release}, this program {own}.");
    match differ_by_one_at_most(release, own) {
        Some(true) => Finding::good("release", name, found),
        Some(false) => Finding::warning(
            "release",
            name,
            found,
            "They may differ by one release. Update the older one, release by release.",
        ),
        None => Finding::warning(
            "release",
            name,
            found,
            "Releases have numbers, as in 0.1.0: deploy one that was released.",
        ),
    }
}

/// Whether the stack copies at all.
pub(crate) fn dry_run(stack: &Deployment) -> Finding {
    if stack.parameter("DryRun") == Some("true") {
        return Finding::warning(
            "dry run",
            &stack.name,
            "DryRun is true: no run copies or deletes anything.",
            "`snapferry plan` shows what a run would do. Then set DryRun to false (./deploy.sh, or sam deploy).",
        );
    }
    Finding::good("dry run", &stack.name, "DryRun is off: runs copy.")
}

/// What is known of a rule.
struct Rule<'a> {
    name: &'a str,
    /// Nothing if there is no such rule.
    enabled: Option<bool>,
    /// Targets, and those without a dead-letter queue.
    targets: (usize, usize),
}

/// The rules that start what a stack does: there, enabled, and with a queue for what they cannot start. Whether that queue
/// is empty is what the alarm of lost events measures.
pub(crate) async fn rules(
    account: &Account,
    region: &str,
    stack: &str,
    names: &[String],
    starts: &'static str,
) -> Vec<Finding> {
    let check = "rules";
    if names.is_empty() {
        return vec![Finding::unknown(
            check,
            stack,
            &format!("The stack does not say which rules start its {starts}."),
            "An early release deployed it: update it.",
        )];
    }
    let gateway = account.rules(region);
    let known = names.iter().map(async |name| -> Result<Rule<'_>, CliError> {
        let (enabled, targets) = tokio::join!(gateway.is_enabled(name), gateway.targets(name));
        let enabled = enabled?;
        Ok(Rule {
            name,
            targets: if enabled.is_some() { targets? } else { (0, 0) },
            enabled,
        })
    });
    let known: Result<Vec<Rule<'_>>, CliError> = futures_util::future::try_join_all(known).await;
    match known {
        Ok(rules) => judge_rules(stack, &rules, starts),
        Err(error) => vec![Finding::failed(check, stack, &error)],
    }
}

fn judge_rules(stack: &str, rules: &[Rule<'_>], starts: &str) -> Vec<Finding> {
    let check = "rules";
    let of = |is: &dyn Fn(&Rule<'_>) -> bool| {
        let names = rules.iter().filter(|rule| is(rule)).map(|rule| rule.name);
        names.collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    let gone = of(&|rule| rule.enabled.is_none());
    if !gone.is_empty() {
        findings.push(Finding::wrong(
            check,
            stack,
            format!("Rules are gone: {}.", gone.join(", ")),
            "Somebody deleted them: deploy the stack again.",
        ));
    }
    let disabled = of(&|rule| rule.enabled == Some(false));
    if !disabled.is_empty() {
        let found = if disabled.len() == rules.len() {
            format!(
                "All rules that start {starts} are disabled, as `snapferry stop` leaves them: {}.",
                disabled.join(", ")
            )
        } else {
            format!("Some rules that start {starts} are disabled: {}.", disabled.join(", "))
        };
        findings.push(Finding::warning(
            check,
            stack,
            found,
            "When it is time: snapferry stop --resume, or enable them in the EventBridge console.",
        ));
    }
    let without = of(&|rule| rule.enabled.is_some() && (rule.targets.0 == 0 || rule.targets.1 > 0));
    if !without.is_empty() {
        findings.push(Finding::wrong(
            check,
            stack,
            format!(
                "Rules start nothing, or lose what they cannot start, for lack of a target or of its dead-letter queue: \
                 {}.",
                without.join(", ")
            ),
            "Somebody changed them: deploy the stack again.",
        ));
    }
    if findings.is_empty() {
        let rules = plural(rules.len(), "rule", "rules");
        let found = format!("{rules} for {starts}: enabled, with a dead-letter queue.");
        findings.push(Finding::good(check, stack, found));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::doctor::finding::Health;

    #[test]
    fn releases_may_differ_by_one() {
        for (one, other, expected) in [
            ("0.1.0", "0.1.0 (commit 0123456789ab)", Some(true)),
            ("0.1.0+0123456789ab", "0.2.3", Some(true)),
            ("0.1.0", "0.3.0", Some(false)),
            ("1.0.0", "0.1.0", Some(false)),
            ("main", "0.1.0", None),
            ("0", "0.1.0", None),
        ] {
            assert_eq!(differ_by_one_at_most(one, other), expected, "{one}, {other}");
        }
    }

    #[test]
    fn rules_are_there_enabled_and_keep_what_they_cannot_start() {
        let health = |rules: &[Rule<'_>]| {
            let findings = judge_rules("x", rules, "runs");
            findings.iter().map(|finding| finding.health).collect::<Vec<_>>()
        };
        let rule = |enabled, targets| Rule {
            name: "schedule",
            enabled,
            targets,
        };
        assert_eq!(health(&[rule(Some(true), (1, 0))]), [Health::Good]);
        assert_eq!(health(&[rule(Some(false), (1, 0))]), [Health::Warning]);
        assert_eq!(health(&[rule(Some(true), (1, 1))]), [Health::Wrong]);
        assert_eq!(health(&[rule(Some(true), (0, 0))]), [Health::Wrong]);
        assert_eq!(
            health(&[rule(None, (0, 0)), rule(Some(false), (2, 1))]),
            [Health::Wrong, Health::Warning, Health::Wrong]
        );
    }
}
