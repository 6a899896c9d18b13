//! `snapferry drill`.

use crate::account::{
    Account, DESTINATION, Execution, SOURCE, copy, copy_for_restore, copy_id, database, destination_stack_xml,
    stack_xml, unverified,
};
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::restore_settings::RestoreHints;
use domain::tags;
use rds_simulator_sdk::scenario::Database;
use rds_simulator_sdk::simulator::Kind;
use serde_json::{Value, json};
use snapferry::error::ExitStatus;

/// On the day when the source region is lost.
const PLACE: &str = "--destination eu-west-1";

/// An account with both stacks, in which two databases have copies.
fn account() -> Account {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders")),
        |destination| {
            destination
                .snapshot(copy(Instance, "orders", 5.0))
                .snapshot(copy(Cluster, "billing", 5.0))
                .snapshot(copy(Instance, "stock", 5.0))
                .snapshot(unverified(Instance, "newborn", 5.0))
        },
    );
    account.destination_stack(
        "snapferry-watch",
        &destination_stack_xml("snap", Some("snapferry-DrillRule-1")),
    );
    account
}

/// The drills of a run: one of each outcome, and one of another run.
fn drills(account: &Account) -> Vec<Execution> {
    let now = account.now();
    let other = Execution::drill(Instance, "another-runs", now).gives(json!({"outcome": "passed"}));
    vec![
        Execution::drill(Instance, "orders", now)
            .takes(20)
            .gives(json!({"outcome": "passed", "minutes": 17, "reason": "as it should be", "left": false})),
        Execution::drill(Cluster, "billing", now)
            .takes(25)
            .fails("DrillFailed", "KeyNotUsable: the key of the copy is disabled"),
        Execution::drill(Instance, "stock", now)
            .takes(5)
            .gives(json!({"outcome": "not-run", "reason": "the quota of instances is used up", "left": true})),
        Execution {
            input: json!({"kind": "instance", "id": "another-runs",
                "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:eu-west-1:1:execution:x:y"}),
            ..other
        },
    ]
}

fn failed_run(account: &Account) -> Execution {
    let cause = json!({"summary": "1 of 3 copies did not pass", "counts": {"passed": 1, "failed": 1, "notRun": 1},
        "failures": [{"kind": "cluster", "id": "billing", "outcome": "failed", "execution": "c-billing-1a2b3c4d"}]});
    Execution::drills("", account.now()).fails("DrillsFailed", &cause.to_string())
}

/// Without the name of the execution, which the time and the process are in.
fn nameless(text: &str) -> String {
    let mut parts = text.split("drill-2026");
    let begin = parts.next().unwrap_or_default().to_owned();
    parts.fold(begin, |all, part| {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        format!("{all}NAME{}", end.map_or("", |end| &part[end..]))
    })
}

#[tokio::test]
async fn drills_are_started_and_left_alone_with_the_source_region_lost() {
    let account = account();
    account.when_started(failed_run(&account), drills(&account));
    account.lose(SOURCE);
    let said = account.say(&format!("drill orders cluster:billing {PLACE}")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let link = "https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:\
                eu-west-1:123456789012:execution:snapferry-drill-fleet:NAME";
    assert_eq!(nameless(&said.out), format!("Started NAME.\n{link}\n"));
    assert_eq!(
        nameless(&said.aside),
        "To follow it:\n  snapferry drill --follow=NAME --destination eu-west-1\n"
    );
    let due = account.say(&format!("drill --json {PLACE}")).await.json();
    assert_eq!(due["status"], "running");
    let comment = "Started by snapferry drill.";
    assert_eq!(
        account.inputs(),
        [
            json!({"Comment": comment, "only": ["orders", "cluster:billing"]}),
            json!({"Comment": comment})
        ]
    );
    assert!(account.calls().keys().all(|call| call.ends_with(DESTINATION)));
}

#[tokio::test]
async fn drills_are_followed_to_their_end_and_one_that_failed_is_exit_code_2() {
    let account = account();
    account.when_started(failed_run(&account), drills(&account));
    let said = account.say("drill --follow").await;
    assert_eq!(said.ending, Ok(ExitStatus::Problem), "{}", said.aside);
    let lines: Vec<&str> = said.out.lines().collect();
    for line in [
        "orders: passed, 17 min",
        "cluster:billing: failed: KeyNotUsable: the key of the copy is disabled",
        "stock: not run: the quota of instances is used up",
        "Something of it is still there; the hourly sweep deletes it.",
    ] {
        assert_eq!(
            lines.iter().filter(|said| **said == line).count(),
            1,
            "{line}: {}",
            said.out
        );
    }
    assert!(!said.out.contains("another-runs"), "{}", said.out);
    assert!(
        nameless(&said.out).ends_with("The run NAME ended after 50 min: 1 passed, 1 failed, 1 not run.\n"),
        "{}",
        said.out
    );

    let account = self::account();
    account.when_started(failed_run(&account), drills(&account));
    let report = account.say("drill --follow --json").await.json();
    assert_eq!(
        report["counts"],
        json!({"passed": 1, "failed": 1, "notRun": 1, "unsupported": 0})
    );
    let drills = report["drills"].as_array().expect("drills");
    let orders = drills
        .iter()
        .find(|drill| drill["database"] == "orders")
        .expect("orders");
    assert_eq!(
        (&orders["kind"], &orders["outcome"], &orders["minutes"]),
        (&json!("instance"), &json!("passed"), &json!(17))
    );
    assert_eq!(drills.len(), 3);
}

#[tokio::test]
async fn what_only_the_run_knows_of_is_said_too() {
    let account = account();
    let output = json!({
        "counts": {"passed": 0, "failed": 0, "notRun": 1, "unsupported": 0}, "failures": [],
        "notRun": [{"kind": "instance", "id": "orders", "outcome": "not-run", "error": "StepFunctions.ExecutionLimitExceeded",
            "execution": "i-orders-1a2b3c4d"}],
        "passedOver": [{"kind": "cluster", "id": "billing", "reason": "its tag snapferry:drill-every says never"}],
        "warnings": ["a warning"],
    });
    account.when_started(Execution::drills("", account.now()).gives(output), []);
    let said = account.say("drill orders cluster:billing stock --follow").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    for line in [
        "orders: not run: StepFunctions.ExecutionLimitExceeded",
        "passed over: cluster:billing: its tag snapferry:drill-every says never",
        "warning: a warning",
    ] {
        assert!(said.out.lines().any(|said| said == line), "{line}: {}", said.out);
    }
    assert!(
        said.out.contains("stock was not drilled: this run had no room for it"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn a_run_that_restored_nothing_is_an_error() {
    let account = account();
    let closed =
        Execution::drills("", account.now()).fails("NetworkNotClosed", "The security group sg-1 lets in 1 source.");
    account.when_started(closed, []);
    let failure = account.say("drill --follow").await.failure();
    assert!(
        nameless(&failure).starts_with("The run of drills NAME ended: NetworkNotClosed.\nThe security group"),
        "{failure}"
    );
}

#[tokio::test]
async fn ctrl_c_leaves_the_drills_going() {
    let account = account();
    account.when_started(failed_run(&account), drills(&account));
    let said = account
        .say_until(None, "drill --follow", &mut std::future::ready(()))
        .await;
    assert_eq!(said.ending, Ok(ExitStatus::Interrupted));
    assert_eq!(
        nameless(&said.aside),
        "The run goes on. To follow it again:\n  snapferry drill --follow=NAME\n"
    );
    let again = account.say("drill --follow=nothing").await.failure();
    assert!(again.starts_with("There is no such execution in eu-west-1."), "{again}");
}

#[tokio::test]
async fn what_cannot_be_drilled_is_said_before_anything_is_started() {
    let account = account();
    let unknown = account.say("drill ordres").await.failure();
    assert_eq!(
        unknown,
        "There is no verified copy of a database ordres in eu-west-1.\nThere is orders."
    );
    let unverified = account.say("drill newborn").await.failure();
    assert!(
        unverified.starts_with("There is no verified copy of a database newborn in eu-west-1."),
        "{unverified}"
    );
    account.destination_stack("other", &destination_stack_xml("other", None));
    let other = account.say("drill --watch-stack other").await.failure();
    assert!(
        other.starts_with(
            "The stack other in eu-west-1 drills the copies of us-east-1/other, and not those of the stack"
        ),
        "{other}"
    );
    let missing = account.say("drill --watch-stack nothing").await.failure();
    assert!(
        missing.starts_with("There is no stack nothing in eu-west-1.\nDrills need the destination stack"),
        "{missing}"
    );
    account.destination_stack("wrong", &stack_xml());
    let wrong = account.say("drill --watch-stack wrong").await.failure();
    assert!(
        wrong.starts_with("The stack wrong in eu-west-1 has no parameter SourceRegion."),
        "{wrong}"
    );
    let both = account.say("drill orders --follow=earlier").await.failure();
    assert!(both.starts_with("--follow=EXECUTION follows drills"), "{both}");
    assert_eq!(account.inputs(), [json!(null); 0]);
}

#[tokio::test]
async fn the_schedule_is_paused_and_resumed() {
    let account = account();
    account.lose(SOURCE);
    for command in ["--pause", "--resume"] {
        let said = account.say(&format!("drill {command} {PLACE}")).await;
        assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    }
    let rule = "snapferry-DrillRule-1".to_owned();
    assert_eq!(account.switched(), [(rule.clone(), false), (rule, true)]);
    account.destination_stack("snapferry-watch", &destination_stack_xml("snap", None));
    let off = account.say(&format!("drill --pause {PLACE}")).await.failure();
    assert!(
        off.contains("has no schedule of drills.\nDeploy it with the parameter Drills"),
        "{off}"
    );
}

/// A database in the region of the copies, marked as a drill's of this owner.
fn drill_database(id: &str, mark: &str) -> Database {
    Database::new(id)
        .tag(tags::DRILL_OWNER, mark)
        .tag(tags::DRILL_UNTIL, "2026-11-22T16:00:00Z")
        .tag(tags::COPY, "false")
}

fn with_drill_databases() -> Account {
    let mark = format!("{SOURCE}/snap");
    let cluster = drill_database("snap-drill-0a0a0a0a-billing", &mark).engine("aurora-postgresql");
    let cluster = cluster.members(1);
    let account = Account::new(
        |source| source,
        |destination| {
            destination
                .instance(drill_database("snap-drill-1a2b3c4d-orders", &mark))
                .instance(drill_database("orders", &mark))
                .instance(drill_database("snap-drill-1a2b3c4d-other", "us-east-1/other"))
                .instance(Database::new("snap-drill-1a2b3c4d-kept"))
                .cluster(cluster)
        },
    );
    account.lose(SOURCE);
    account
}

fn tags_of(account: &Account, kind: Kind, id: &str) -> Value {
    let database = account.world.database(DESTINATION, kind, id).expect("a database");
    json!(database.tags)
}

#[tokio::test]
async fn a_drill_database_is_kept_and_what_to_change_is_printed() {
    let account = with_drill_databases();
    let id = "snap-drill-1a2b3c4d-orders";
    let said = account.say(&format!("drill --keep {id} {PLACE}")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let left = tags_of(&account, Kind::Instance, id);
    assert!(
        left.get(tags::DRILL_OWNER).is_none() && left.get(tags::DRILL_UNTIL).is_some(),
        "{left}"
    );
    let words = said.out.replace(" \\\n ", "");
    for part in [
        "aws rds remove-tags-from-resource --region eu-west-1 --resource-name arn:aws:rds:eu-west-1:123456789012:db:",
        // The copy is gone: what it would say is left to the operator.
        "--db-instance-class INSTANCE_CLASS --db-parameter-group-name PARAMETER_GROUP --vpc-security-group-ids \
         SECURITY_GROUP_IDS --backup-retention-period 7 --deletion-protection --apply-immediately",
        "--db-instance-identifier snap-drill-1a2b3c4d-orders --new-db-instance-identifier NEW_NAME",
    ] {
        assert!(words.contains(part), "{part}\n{words}");
    }
    let again = account.say(&format!("drill --keep {id} {PLACE}")).await.failure();
    assert!(again.contains("is not a drill database"), "{again}");
}

/// What the copy records of the original takes the place of what the operator would have to fill in.
#[tokio::test]
async fn what_the_copy_records_of_the_original_stands_in_the_commands() {
    let mark = format!("{SOURCE}/snap");
    let id = "snap-drill-2b2b2b2b-orders";
    for (is_taken, name) in [(false, "orders"), (true, "NEW_NAME")] {
        let hints = RestoreHints {
            class: Some("db.r6g.large".to_owned()),
            parameter_group: Some("tuned".to_owned()),
            multi_az: Some(true),
            ..RestoreHints::default()
        };
        let copy = copy_for_restore(Instance, "orders", 5.0, hints).tag(tags::VERIFIED, "2026-11-22T11:00:00Z");
        let arn = format!(
            "arn:aws:rds:{DESTINATION}:123456789012:snapshot:{}",
            copy_id(Instance, "orders", 5.0)
        );
        let account = Account::new(
            |source| source,
            |region| {
                let region = region
                    .snapshot(copy)
                    .instance(drill_database(id, &mark).tag(tags::RESTORED_FROM, &arn));
                if is_taken {
                    region.instance(Database::new("orders"))
                } else {
                    region
                }
            },
        );
        account.lose(SOURCE);
        let said = account.say(&format!("drill --keep {id} {PLACE}")).await;
        assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
        let words = said.out.replace(" \\\n ", "");
        for part in [
            "--db-instance-class db.r6g.large --db-parameter-group-name tuned --multi-az --vpc-security-group-ids \
             SECURITY_GROUP_IDS --backup-retention-period 7",
            &format!("--new-db-instance-identifier {name} --apply-immediately"),
            "It listens at ",
        ] {
            assert!(words.contains(part), "{part}\n{words}");
        }
    }
}

#[tokio::test]
async fn a_cluster_is_kept_with_its_member_whichever_of_them_is_named() {
    for name in ["cluster:snap-drill-0a0a0a0a-billing", "snap-drill-0a0a0a0a-billing-1"] {
        let account = with_drill_databases();
        let said = account.say(&format!("drill --keep {name} {PLACE}")).await;
        assert_eq!(said.ending, Ok(ExitStatus::Success), "{name}: {}", said.aside);
        let writes = account.world.writes().into_iter();
        let untagged: Vec<String> = writes
            .map(|write| format!("{} {}", write.operation, write.identifier))
            .collect();
        let arn = "RemoveTagsFromResource arn:aws:rds:eu-west-1:123456789012";
        let expected = [
            "db:snap-drill-0a0a0a0a-billing-1",
            "cluster:snap-drill-0a0a0a0a-billing",
        ];
        assert_eq!(untagged, expected.map(|id| format!("{arn}:{id}")), "the member first");
        let cluster = tags_of(&account, Kind::Cluster, "snap-drill-0a0a0a0a-billing");
        assert!(cluster.get(tags::DRILL_OWNER).is_none(), "{cluster}");
        assert!(
            said.out.contains("--new-db-cluster-identifier NEW_NAME"),
            "{}",
            said.out
        );
        assert!(said.out.contains("NEW_MEMBER_NAME"), "{}", said.out);
    }
}

/// Either alone proves nothing: the name, or the mark; nor does the mark of another owner.
#[tokio::test]
async fn nothing_is_kept_that_has_not_both_the_name_and_the_mark() {
    let account = with_drill_databases();
    for id in ["orders", "snap-drill-1a2b3c4d-other", "snap-drill-1a2b3c4d-kept"] {
        let before = tags_of(&account, Kind::Instance, id);
        let refused = account.say(&format!("drill --keep {id} {PLACE}")).await.failure();
        assert!(
            refused.starts_with(&format!("{id} in eu-west-1 is not a drill database")),
            "{refused}"
        );
        assert_eq!(tags_of(&account, Kind::Instance, id), before);
    }
    let missing = account.say(&format!("drill --keep nothing {PLACE}")).await.failure();
    assert!(
        missing.starts_with("There is no database nothing in eu-west-1."),
        "{missing}"
    );
}
