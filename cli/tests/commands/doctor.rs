//! `snapferry doctor`: every check, as it should be and otherwise, and that none hides another.

use std::collections::BTreeMap;

use domain::kind::DatabaseKind::{Cluster, Instance};
use serde_json::Value;
use snapferry::error::ExitStatus;

use crate::account::{
    Account, DESTINATION, Execution, SOURCE, copy, databases, destination_stack_xml, simulated, stack_with,
    subscription,
};

/// The stack, with these parameters in place of those of a good one.
fn stack(parameters: &[(&str, &str)]) -> String {
    let good = [
        ("DestinationKmsKey", "alias/copies"),
        ("DryRun", "false"),
        ("ScheduleExpression", "rate(1 day)"),
    ];
    let other = |name: &str| !parameters.iter().any(|(parameter, _)| *parameter == name);
    let all = good.into_iter().filter(|(name, _)| other(name));
    let all: Vec<(&str, &str)> = all.chain(parameters.iter().copied()).collect();
    with_outputs(&stack_with(&all))
}

fn with_outputs(xml: &str) -> String {
    let output = |name: &str, value: &str| {
        format!("<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>")
    };
    let outputs = [
        output("Release", env!("CARGO_PKG_VERSION")),
        output("AlertsTopicArn", "arn:aws:sns:x:123456789012:alerts"),
    ];
    xml.replace("</Outputs>", &format!("{}</Outputs>", outputs.concat()))
}

fn watch() -> String {
    with_outputs(&destination_stack_xml("snap", Some("snapferry-DrillRule-1")))
}

/// Both stacks, copies, and a run three hours ago: nothing is wrong.
fn account() -> Account {
    let account = Account::new(databases, |destination| {
        destination
            .snapshot(copy(Instance, "orders", 5.0))
            .snapshot(copy(Instance, "stock", 5.0))
            .snapshot(copy(Cluster, "billing", 5.0))
    });
    account.stack("snapferry", &stack(&[]));
    account.destination_stack("snapferry-watch", &watch());
    account.executions([Execution::run("nightly", account.now(), 3)]);
    account
}

/// Findings by check and subject.
fn findings(report: &Value) -> BTreeMap<(String, String), Vec<Value>> {
    let mut by_check: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    for finding in report["findings"].as_array().expect("findings") {
        let text = |field: &str| finding[field].as_str().expect("text").to_owned();
        by_check
            .entry((text("check"), text("subject")))
            .or_default()
            .push(finding.clone());
    }
    by_check
}

#[tokio::test]
async fn where_all_is_well_every_check_says_so() {
    let account = account();
    let said = account.say("doctor").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    let last = said.out.lines().last().unwrap_or_default();
    assert!(last.ends_with(" good, 0 warning, 0 wrong, 0 unknown."), "{}", said.out);
    let report = account.say("doctor --json").await.json();
    assert_eq!(report["health"], "good");
    let checks: Vec<String> = findings(&report).into_keys().map(|(check, _)| check).collect();
    for check in [
        "alarms",
        "clock",
        "credentials",
        "dry run",
        "key",
        "key policy",
        "last run",
        "notifications",
        "quota",
        "reads",
        "region",
        "release",
        "roles",
        "rules",
        "stack",
        "starts and stops",
    ] {
        assert!(checks.iter().any(|found| found == check), "{check}: {checks:?}");
    }
    // A line per check, for grep.
    assert_eq!(
        said.out.lines().count(),
        report["findings"].as_array().expect("findings").len() + 3
    );
    let narrow = account.say_in(Some(60), "doctor").await;
    // An ARN stays whole.
    let fits = |line: &str| line.chars().count() <= 60 || line.contains("arn:");
    assert!(narrow.out.lines().all(fits), "{}", narrow.out);
}

/// What is done to the account, and what a check then says.
struct Case {
    change: fn(&Account),
    check: &'static str,
    health: &'static str,
    says: &'static str,
}

fn case(check: &'static str, health: &'static str, says: &'static str, change: fn(&Account)) -> Case {
    Case {
        change,
        check,
        health,
        says,
    }
}

fn refusal(code: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>")
}

const DENIED: &str = r#"{"__type": "AccessDeniedException", "message": "no"}"#;

fn cases() -> impl Iterator<Item = Case> {
    of_stacks_and_rights().into_iter().chain(of_what_runs())
}

fn of_stacks_and_rights() -> Vec<Case> {
    vec![
        case("credentials", "wrong", "ExpiredToken", |account| {
            account.answer_action("GetCallerIdentity", 403, &refusal("ExpiredToken"));
        }),
        case("clock", "wrong", "differs from that of AWS by 6 min", |account| {
            account.set_ahead(360);
        }),
        case("clock", "warning", "timedatectl", |account| account.set_ahead(-90)),
        case("stack", "wrong", "UPDATE_ROLLBACK_FAILED", |account| {
            account.stack(
                "snapferry",
                &stack(&[]).replace("CREATE_COMPLETE", "UPDATE_ROLLBACK_FAILED"),
            );
        }),
        case("stack", "warning", "UPDATE_ROLLBACK_COMPLETE", |account| {
            account.destination_stack(
                "snapferry-watch",
                &watch().replace("CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
            );
        }),
        case("stack", "warning", "UPDATE_IN_PROGRESS", |account| {
            account.stack(
                "snapferry",
                &stack(&[]).replace("CREATE_COMPLETE", "UPDATE_IN_PROGRESS"),
            );
        }),
        case("release", "warning", "may differ by one release", |account| {
            let release = format!("<OutputValue>{}<", env!("CARGO_PKG_VERSION"));
            account.stack("snapferry", &stack(&[]).replace(&release, "<OutputValue>9.0.0<"));
        }),
        case("release", "warning", "does not say which release", |account| {
            account.stack("snapferry", &stack(&[]).replace("Release", "Other"));
        }),
        case(
            "rules",
            "warning",
            "All rules that start runs are disabled",
            |account| {
                account.answer_action("DescribeRule", 200, r#"{"State": "DISABLED"}"#);
            },
        ),
        case("rules", "wrong", "Rules are gone", |account| {
            let gone = r#"{"__type": "ResourceNotFoundException", "message": "no"}"#;
            account.answer_action("DescribeRule", 400, gone);
        }),
        case("rules", "wrong", "dead-letter queue", |account| {
            account.answer_action(
                "ListTargetsByRule",
                200,
                r#"{"Targets": [{"Id": "1", "Arn": "arn:1"}]}"#,
            );
        }),
        case("rules", "unknown", "events:DescribeRule", |account| {
            account.answer_action("DescribeRule", 400, DENIED);
        }),
        case("reads", "wrong", "ssm:GetParametersByPath", |account| {
            account.answer_action("GetParametersByPath", 400, DENIED);
        }),
        case("reads", "wrong", "rds:DescribeOrderableDBInstanceOptions", |account| {
            account.offers(Err("AccessDenied"));
        }),
        case("key policy", "unknown", "kms:GetKeyPolicy", |account| {
            account.answer_action("GetKeyPolicy", 400, DENIED);
        }),
        case(
            "key policy",
            "wrong",
            "ROLE_OF_LIST_TARGETS (kms:DescribeKey)",
            |account| {
                account.answer_action("GetKeyPolicy", 200, r#"{"Policy": "{\"Statement\": []}"}"#);
            },
        ),
    ]
}

fn of_what_runs() -> Vec<Case> {
    vec![
        case(
            "quota",
            "wrong",
            "--quota-code L-272F1212 --desired-value 50",
            |account| {
                account.rewrite("<Max>100</Max>", "<Max>1</Max>");
            },
        ),
        case("alarms", "wrong", "It has been in alarm for 5 h: Because.", |account| {
            account.alarm("snapferry-recovery-point", "ALARM");
        }),
        case(
            "alarms",
            "warning",
            "no data for 3 h or longer: snapferry-watch-watch-unknown.",
            |account| {
                account.alarm("snapferry-watch-watch-unknown", "INSUFFICIENT_DATA");
            },
        ),
        case(
            "alarms",
            "wrong",
            "The stack lacks alarms: snapferry-lost-events.",
            |account| {
                account.alarm("snapferry-lost-events", "MISSING");
            },
        ),
        case("notifications", "wrong", "not confirmed (email)", |account| {
            let pending = format!(
                "<R><Subscriptions>{}</Subscriptions></R>",
                subscription("PendingConfirmation")
            );
            account.answer_action("ListSubscriptionsByTopic", 200, &pending);
        }),
        case("notifications", "warning", "Nobody is subscribed", |account| {
            account.answer_action("ListSubscriptionsByTopic", 200, "<R><Subscriptions/></R>");
        }),
        case(
            "notifications",
            "unknown",
            "SNS answered what cannot be read",
            |account| {
                account.answer_action("ListSubscriptionsByTopic", 200, "<html><p>Sign in!</html>");
            },
        ),
        case("notifications", "unknown", "sns:ListSubscriptionsByTopic", |account| {
            account.answer_action("ListSubscriptionsByTopic", 403, &refusal("AuthorizationError"));
        }),
        case("last run", "wrong", "and failed", |account| {
            account.executions([Execution::run("broken", account.now(), 1).fails("CopiesFailed", "1 of 3")]);
        }),
    ]
}

/// One thing goes wrong: its check says so and what to do, and every other one says what it said before.
#[tokio::test]
async fn each_failure_is_found_and_hides_no_other_check() {
    let good = findings(&account().say("doctor --json").await.json());
    for Case {
        change,
        check,
        health,
        says,
    } in cases()
    {
        let account = account();
        change(&account);
        let said = account.say("doctor --json").await;
        let expected = if health == "wrong" {
            ExitStatus::Problem
        } else {
            ExitStatus::Success
        };
        assert_eq!(said.ending, Ok(expected), "{check}: {says}: {}", said.out);
        let report = said.json();
        assert_eq!(report["health"], health, "{check}: {says}: {report:#}");
        let found = findings(&report);
        let of_check = found
            .iter()
            .filter(|((name, _), _)| name == check)
            .flat_map(|(_, all)| all);
        let is_it = |finding: &&Value| {
            let text = format!("{} {}", finding["found"], finding["remedy"]).replace('\n', " ");
            finding["health"] == health && text.contains(says)
        };
        assert!(
            of_check.clone().any(|finding| is_it(&finding)),
            "{check}: {says}: {report:#}"
        );
        assert!(
            of_check.filter(is_it).all(|finding| !finding["remedy"].is_null()),
            "{check}: {says}: {report:#}"
        );
        for ((name, subject), expected) in &good {
            // Whose credentials these are is not known without STS.
            let depends = check == "credentials" && name == "starts and stops";
            if name != check && !depends {
                let key = (name.clone(), subject.clone());
                assert_eq!(found.get(&key), Some(expected), "{check}: {says} changes {name}");
            }
        }
    }
}

/// What IAM refuses to simulate is not known, and what it denies is said.
#[tokio::test]
async fn permissions_are_simulated_where_that_is_allowed_and_otherwise_not_known() {
    let list = |items: &str| format!("<R><EvaluationResults>{items}</EvaluationResults></R>");
    let health = async |status: u16, body: &str| {
        let account = account();
        account.answer_action("SimulatePrincipalPolicy", status, body);
        let found = findings(&account.say("doctor --json").await.json());
        let of = |check: &str| {
            let of_check = found.iter().filter(|((name, _), _)| name == check);
            let mut all: Vec<&str> = of_check
                .flat_map(|(_, all)| all)
                .filter_map(|finding| finding["health"].as_str())
                .collect();
            all.dedup();
            all.join(" ")
        };
        (of("starts and stops"), of("roles"))
    };
    let pair = |caller: &str, roles: &str| (caller.to_owned(), roles.to_owned());
    assert_eq!(health(403, &refusal("AccessDenied")).await, pair("unknown", "unknown"));
    let denied = simulated("states:StartExecution", "implicitDeny", "");
    assert_eq!(health(200, &list(&denied)).await, pair("warning", "unknown"));
    let outside = "<OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations>\
                   </OrganizationsDecisionDetail></member>";
    let outside = denied.replace("</member>", outside);
    assert_eq!(health(200, &list(&outside)).await, pair("warning", "wrong"));
    let denied = simulated("states:StartExecution", "explicitDeny", "");
    assert_eq!(health(200, &list(&denied)).await, pair("warning", "wrong"));
    let unclear = simulated(
        "states:StartExecution",
        "implicitDeny",
        "<member>aws:PrincipalTag/team</member>",
    );
    assert_eq!(health(200, &list(&unclear)).await, pair("unknown", "unknown"));
    assert_eq!(health(200, "<R/>").await, pair("unknown", "unknown"));
}

/// The root user may do everything, and IAM simulates nobody's rights less.
#[tokio::test]
async fn root_credentials_are_a_warning() {
    let account = account();
    let root = "<R><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:root</Arn></R>";
    account.answer_action("GetCallerIdentity", 200, root);
    let said = account.say("doctor").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    let line = said.out.lines().find(|line| line.contains("starts and stops root"));
    assert!(line.is_some_and(|line| line.starts_with("warning  ")), "{}", said.out);
}

/// A session is of a role, whose ARN only IAM knows.
#[tokio::test]
async fn the_role_of_a_session_is_asked_for() {
    let account = account();
    let session = "<R><Account>123456789012</Account><Arn>arn:aws:sts::123456789012:assumed-role/dba/me</Arn></R>";
    account.answer_action("GetCallerIdentity", 200, session);
    account.answer_action("GetRole", 403, &refusal("AccessDenied"));
    let found = findings(&account.say("doctor --json").await.json());
    let of = |found: &BTreeMap<(String, String), Vec<Value>>| {
        let mut of_check = found.iter().filter(|((name, _), _)| name == "starts and stops");
        of_check.next().map(|(_, all)| all[0].clone()).expect("a finding")
    };
    assert_eq!(of(&found)["health"], "unknown");
    assert!(
        of(&found)["remedy"]
            .as_str()
            .is_some_and(|text| text.contains("iam:GetRole"))
    );
    account.answer_action(
        "GetRole",
        200,
        "<R><Role><Arn>arn:aws:iam::123456789012:role/ops/dba</Arn></Role></R>",
    );
    let found = findings(&account.say("doctor --json").await.json());
    assert_eq!(of(&found)["health"], "good");
}

#[tokio::test]
async fn keys_are_there_usable_and_in_the_region_of_the_copies() {
    for (key, says) in [
        ("alias/none", "There is no such key in eu-west-1."),
        (
            "arn:aws:kms:us-east-1:123456789012:key/11111111-1111-4111-8111-111111111111",
            "It is not in eu-west-1, where the copies are.",
        ),
    ] {
        let account = account();
        account.stack("snapferry", &stack(&[("DestinationKmsKey", key)]));
        let said = account.say("doctor --json").await;
        assert_eq!(said.ending, Ok(ExitStatus::Problem));
        let found = findings(&said.json());
        let finding = &found[&("key".to_owned(), key.to_owned())][0];
        assert_eq!((&finding["health"], &finding["found"]), (&"wrong".into(), &says.into()));
    }
}

/// A dry run copies nothing, so that no run has copied anything.
#[tokio::test]
async fn a_dry_run_is_a_warning_and_runs_that_were_dry_do_not_count() {
    let account = account();
    account.stack(
        "snapferry",
        &stack(&[("DryRun", "true"), ("ScheduleExpression", "rate(1 hour)")]),
    );
    let said = account.say("doctor --json").await;
    let found = findings(&said.json());
    let of = |check: &str| found[&(check.to_owned(), "snapferry".to_owned())][0].clone();
    assert_eq!(of("dry run")["health"], "warning");
    assert_eq!(of("last run")["health"], "good", "{}", said.out);

    let none = Account::new(databases, |destination| destination);
    none.stack("snapferry", &stack(&[]));
    none.executions([Execution::run("plan-20261122-0900-1a2b", none.now(), 1)]);
    let report = none.say("doctor --json").await.json();
    let last = &findings(&report)[&("last run".to_owned(), "snapferry".to_owned())][0];
    assert_eq!(last["health"], "wrong");
    assert_eq!(
        last["found"],
        "No run copied anything within 2 d 2 h, the schedule and the RPO objective together."
    );
    // The destination stack need not be there.
    let watch = &findings(&report)[&("stack".to_owned(), "snapferry-watch".to_owned())][0];
    assert_eq!(watch["health"], "warning");
}

#[tokio::test]
async fn a_run_that_is_long_ago_is_wrong() {
    let account = Account::new(databases, |destination| destination);
    account.stack("snapferry", &stack(&[]));
    account.executions([Execution::run("nightly", account.now(), 51)]);
    let report = account.say("doctor --json").await.json();
    let last = &findings(&report)[&("last run".to_owned(), "snapferry".to_owned())][0];
    assert_eq!(last["health"], "wrong");
    assert!(
        last["found"]
            .as_str()
            .is_some_and(|found| found.contains("longer ago than 2 d 2 h"))
    );
}

/// Where a region is lost, or the account is not known there, the rest is checked.
#[tokio::test]
async fn a_region_that_does_not_answer_is_said_and_the_other_is_checked() {
    let account = account();
    account.lose(DESTINATION);
    let said = account.say("doctor --json").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    let found = findings(&said.json());
    let health = |check: &str, subject: &str| found[&(check.to_owned(), subject.to_owned())][0]["health"].clone();
    assert_eq!(health("region", DESTINATION), "wrong");
    assert_eq!(health("region", SOURCE), "good");
    assert_eq!(health("reads", SOURCE), "good");
    assert_eq!(health("last run", "snapferry"), "good");
    for (check, subject) in [
        ("reads", DESTINATION),
        ("quota", DESTINATION),
        ("key", "alias/copies"),
        ("stack", "snapferry-watch"),
    ] {
        assert_eq!(health(check, subject), "unknown", "{check}");
    }

    let account = self::account();
    account.answer_with("rds", 403, &refusal("OptInRequired"));
    let found = findings(&account.say("doctor --json").await.json());
    let region = &found[&("region".to_owned(), SOURCE.to_owned())][0];
    assert_eq!(region["health"], "wrong");
    assert!(
        region["remedy"]
            .as_str()
            .is_some_and(|text| text.starts_with("Enable the region"))
    );
}

#[tokio::test]
async fn stacks_that_are_missing_half_deployed_or_of_other_copies_are_wrong() {
    let missing = account().say("doctor --stack other --json").await;
    assert_eq!(missing.ending, Ok(ExitStatus::Problem));
    let found = findings(&missing.json());
    assert_eq!(
        found[&("stack".to_owned(), "other".to_owned())][0]["found"],
        "There is no stack of that name in us-east-1."
    );
    assert_eq!(found[&("clock".to_owned(), SOURCE.to_owned())][0]["health"], "good");

    let account = account();
    let half = stack(&[])
        .replace("CREATE_COMPLETE", "ROLLBACK_COMPLETE")
        .replace("StateMachineArn", "Gone");
    account.stack("snapferry", &half);
    let found = findings(&account.say("doctor --json").await.json());
    let of_stack = &found[&("stack".to_owned(), "snapferry".to_owned())];
    assert_eq!(of_stack.len(), 2, "{of_stack:#?}");
    assert!(of_stack.iter().all(|finding| finding["health"] == "wrong"));

    let account = self::account();
    account.destination_stack(
        "snapferry-watch",
        &with_outputs(&destination_stack_xml("another", None)),
    );
    let said = account.say("doctor").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem));
    assert!(
        said.out
            .contains("It watches the copies of us-east-1/another, and those of"),
        "{}",
        said.out
    );
}
