//! What the credentials may do: reads are tried, and what would start or stop something is simulated.

use domain::error::Error;
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::ownership::Owner;
use domain::restorability::EngineVersion;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use jiff::{SignedDuration, Timestamp};
use ssm::ReadProofs;

use crate::aws::account::Account;
use crate::aws::caller::{Caller, Wanted, simulate_caller};
use crate::aws::query::Service;
use crate::aws::stack::Stack;
use crate::aws::watch_stack::WatchStack;
use crate::error::CliError;
use crate::facts::doctor::finding::Finding;
use crate::format::plural;

/// A name that nothing has: a call that asks for it reads little, and is allowed or refused like any other.
const NOTHING: &str = "snapferry-doctor";

/// A read: what it needs, and how it went.
struct Tried {
    action: &'static str,
    result: Result<(), CliError>,
}

type Attempt<'a> = LocalBoxFuture<'a, Tried>;

/// A read through a gateway.
fn rds<'a, T>(region: &'a str, action: &'static str, call: impl Future<Output = Result<T, Error>> + 'a) -> Attempt<'a> {
    let tried = async move {
        let result = call.await.map(drop);
        let result = result.map_err(|error| CliError::from_rds(region, action, &error));
        Tried { action, result }
    };
    tried.boxed_local()
}

/// Any other read.
fn other<'a, T>(action: &'static str, call: impl Future<Output = Result<T, CliError>> + 'a) -> Attempt<'a> {
    let tried = async move {
        let result = call.await.map(drop);
        Tried { action, result }
    };
    tried.boxed_local()
}

/// The reads that the commands need of the region of the databases.
pub(crate) async fn of_source(account: &Account, stack: &Stack) -> Finding {
    let region = stack.region.as_str();
    let gateway = &account.rds(region);
    let attempts = vec![
        rds(
            region,
            "rds:DescribeDBInstances",
            gateway.database_named(Instance, NOTHING),
        ),
        rds(
            region,
            "rds:DescribeDBClusters",
            gateway.database_named(Cluster, NOTHING),
        ),
        rds(
            region,
            "rds:DescribeDBSnapshots",
            gateway.snapshot(Instance, NOTHING, "automated"),
        ),
        rds(
            region,
            "rds:DescribeDBClusterSnapshots",
            gateway.snapshot(Cluster, NOTHING, "automated"),
        ),
        rds(region, "rds:DescribeGlobalClusters", gateway.global_writers()),
        runs(account, region, &stack.copy_fleet_arn),
        runs(account, region, &stack.copy_snapshot_arn),
    ];
    judge(region, &join_all(attempts).await)
}

/// The reads that they need of the region of the copies.
pub(crate) async fn of_destination(account: &Account, stack: &Stack, watch: Option<&WatchStack>) -> Finding {
    let region = stack.destination_region.as_str();
    let gateway = &account.rds(region);
    let proofs = &account.proofs(region);
    let owner = &Owner::new(&stack.region, &stack.owner_id);
    let version = &EngineVersion {
        engine: "postgres".to_owned(),
        version: NOTHING.to_owned(),
    };
    let mut attempts = vec![
        rds(
            region,
            "rds:DescribeDBSnapshots",
            gateway.snapshot(Instance, NOTHING, "manual"),
        ),
        rds(
            region,
            "rds:DescribeDBClusterSnapshots",
            gateway.snapshot(Cluster, NOTHING, "manual"),
        ),
        rds(
            region,
            "rds:DescribeOrderableDBInstanceOptions",
            gateway.offers(version),
        ),
        rds(region, "rds:DescribeAccountAttributes", gateway.account_quotas()),
        rds(region, "rds:DescribeOptionGroups", gateway.option_group(NOTHING)),
        rds(region, "rds:DescribeDBParameterGroups", gateway.parameter_groups()),
        rds(
            region,
            "rds:DescribeDBClusterParameterGroups",
            gateway.cluster_parameter_groups(),
        ),
        rds(region, "rds:DescribeDBSubnetGroups", gateway.subnet_group(NOTHING)),
        rds(region, "ssm:GetParametersByPath", proofs.all(owner)),
    ];
    for machine in watch
        .iter()
        .flat_map(|watch| [&watch.drill_fleet_arn, &watch.drill_copy_arn])
    {
        attempts.push(runs(account, region, machine));
    }
    judge(region, &join_all(attempts).await)
}

/// The reads of executions; those of a single one only where there is one.
fn runs<'a>(account: &'a Account, region: &'a str, machine: &'a str) -> Attempt<'a> {
    let tried = async move {
        let states = account.step_functions(region);
        let long_ago = account.now().checked_sub(SignedDuration::from_hours(90 * 24));
        let since = long_ago.unwrap_or(Timestamp::MIN);
        let found = states.executions(machine, since, 1).await?.found;
        let Some(last) = found.first() else { return Ok(()) };
        states.detail(&last.arn).await?;
        states.last_states(&last.arn).await.map(drop)
    };
    other(
        "states:ListExecutions, states:DescribeExecution or states:GetExecutionHistory",
        tried,
    )
}

fn judge(region: &str, tried: &[Tried]) -> Finding {
    let check = "reads";
    let number = tried.len();
    let is_denied = |tried: &&Tried| tried.result.as_ref().is_err_and(CliError::is_denied);
    let mut denied: Vec<&str> = tried.iter().filter(is_denied).map(|tried| tried.action).collect();
    denied.dedup();
    if !denied.is_empty() {
        return Finding::wrong(
            check,
            region,
            format!(
                "These credentials may not read everything that the commands need: {}.",
                denied.join(", ")
            ),
            "Whoever administers the account allows it with infra/policies/reads.json or runs.json.",
        );
    }
    let failed = tried.iter().find_map(|tried| tried.result.as_ref().err());
    // Something that is not a refusal: it does not say that the read is allowed.
    failed.map_or_else(
        || {
            let reads = plural(number, "read was", "reads were");
            Finding::good(check, region, format!("{reads} tried, and all are allowed."))
        },
        |error| Finding::failed(check, region, error),
    )
}

/// Whether the credentials may start, stop and switch what the commands do, by a simulation: nothing is done.
pub(crate) async fn of_writes(
    account: &Account,
    stack: &Stack,
    watch: Option<&WatchStack>,
    caller: Option<&Caller>,
) -> Finding {
    let check = "starts and stops";
    let Some(caller) = caller else {
        let found = "It is not known whose these credentials are.";
        return Finding::unknown(check, &stack.name, found, "See the line of the credentials.");
    };
    if caller.is_root() {
        let found = "These are the root user's credentials, which may do everything.";
        return Finding::warning(check, &caller.arn, found, "Use a role with infra/policies/runs.json.");
    }
    let iam = account.query(Service::Iam, &stack.region);
    let machine = |arn: &str| arn.replacen(":stateMachine:", ":execution:", 1) + ":*";
    let rule = |region: &str, name: &str| {
        let arn = stack.copy_fleet_arn.replacen(":states:", ":events:", 1);
        let begin = arn.split(":stateMachine:").next().unwrap_or_default().to_owned();
        format!("{}:rule/{name}", begin.replacen(&stack.region, region, 1))
    };
    let start: &[&str] = &["states:StartExecution"];
    let stop: &[&str] = &["states:StopExecution"];
    let switch: &[&str] = &["events:DisableRule", "events:EnableRule"];
    let mut wanted = vec![
        (start, stack.copy_fleet_arn.clone()),
        (stop, machine(&stack.copy_fleet_arn)),
    ];
    for name in &stack.rules_of_runs {
        wanted.push((switch, rule(&stack.region, name)));
    }
    if let Some(watch) = watch {
        wanted.push((start, watch.drill_fleet_arn.clone()));
        wanted.push((stop, machine(&watch.drill_fleet_arn)));
        if let Some(name) = &watch.rule {
            wanted.push((switch, rule(&watch.region, name)));
        }
    }
    let simulated = wanted.iter().map(|(actions, resource)| {
        let wanted = Wanted {
            actions,
            resource,
            context: &[],
        };
        simulate_caller(&iam, caller, wanted)
    });
    let simulated = match futures_util::future::try_join_all(simulated).await {
        Ok(simulated) => simulated.concat(),
        Err(error) => return Finding::failed(check, &caller.arn, &error),
    };
    let of = |is: Option<bool>| {
        let actions = simulated.iter().filter(|simulated| simulated.is_allowed == is);
        let mut actions: Vec<&str> = actions.map(|simulated| simulated.action.as_str()).collect();
        actions.sort_unstable();
        actions.dedup();
        actions
    };
    let (denied, unclear) = (of(Some(false)), of(None));
    if !denied.is_empty() {
        let found = format!("These credentials read, and may not: {}.", denied.join(", "));
        let remedy = "That is right for whoever only reads. For `run`, `drill` and `stop`: infra/policies/runs.json.";
        return Finding::warning(check, &caller.arn, found, remedy);
    }
    if !unclear.is_empty() {
        let found = format!(
            "It depends on conditions that a simulation does not know: {}.",
            unclear.join(", ")
        );
        return Finding::unknown(
            check,
            &caller.arn,
            &found,
            "snapferry run --dry-run tries it, and copies nothing.",
        );
    }
    Finding::good(
        check,
        &caller.arn,
        "These credentials may start runs and drills, and stop them.",
    )
}
