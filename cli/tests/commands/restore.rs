//! `snapferry restore-command`.

use crate::account::{
    Account, DESTINATION, SOURCE, copy, copy_for_restore, copy_id, copy_of_resource, database, unverified,
};
use domain::kind::DatabaseKind::{Cluster, Instance};
use domain::restore_settings::{RestoreHints, RestoreSettings, Setting};
use domain::tags;
use rds_simulator_sdk::scenario::Region;
use rds_simulator_sdk::simulator::{Calls, Fault};
use snapferry::error::ExitStatus;

/// What the tags say of an instance's settings.
fn settings_of_instance() -> RestoreSettings {
    RestoreSettings::default()
        .with(Setting::DeletionProtection, Some(true))
        .with(Setting::Logs, Some("postgresql+upgrade"))
        .with(Setting::Ca, Some("rds-ca-rsa2048-g1"))
        .with(Setting::BackupRetention, Some(14))
        .with(Setting::MaxStorage, Some(1000))
        .with(Setting::Directory, Some("d-1234567890"))
}

/// And of a cluster's.
fn settings_of_cluster() -> RestoreSettings {
    RestoreSettings::default()
        .with(Setting::DeletionProtection, Some(false))
        .with(Setting::Members, Some(2))
        .with(Setting::BackupRetention, Some(7))
        .with(Setting::ManagedPassword, Some(true))
}

fn copies(region: Region) -> Region {
    let text = |value: &str| Some(value.to_owned());
    let of_instance = RestoreHints {
        class: text("db.r6g.large"),
        engine_version: text("16.3"),
        parameter_group: text("orders-tuned"),
        option_group: text("default:postgres-16"),
        multi_az: Some(true),
        settings: settings_of_instance(),
    };
    let of_cluster = RestoreHints {
        class: text("db.r6g.xlarge"),
        engine_version: text("16.6"),
        parameter_group: text("default.aurora-postgresql16"),
        option_group: None,
        multi_az: Some(true),
        settings: settings_of_cluster(),
    };
    let evil = RestoreHints {
        class: text("x; rm -rf ~ #"),
        ..RestoreHints::default()
    };
    let verified = |kind, database, age, hints| {
        copy_for_restore(kind, database, age, hints).tag(tags::VERIFIED, "2026-11-22T11:00:00Z")
    };
    region
        .snapshot(verified(Instance, "orders", 5.0, of_instance).tag("team", "shop"))
        .snapshot(copy(Instance, "orders", 29.0))
        .snapshot(unverified(Instance, "orders", 1.0).at_percent(60))
        .snapshot(verified(Cluster, "billing", 7.0, of_cluster))
        .snapshot(unverified(Instance, "unverified", 3.0))
        .snapshot(verified(Instance, "evil", 3.0, evil))
        .snapshot(copy(Instance, "both", 3.0))
        .snapshot(copy(Cluster, "both", 4.0))
}

fn account() -> Account {
    Account::new(|source| source.instance(database(Instance, "orders")), copies)
}

/// With everything but the destination lost.
fn on_the_day() -> (Account, String) {
    let account = account();
    account.lose(SOURCE);
    (account, format!("--destination {DESTINATION} --owner snap"))
}

#[tokio::test]
async fn an_instance_is_restored_from_its_newest_verified_copy() {
    let (account, place) = on_the_day();
    let said = account.say(&format!("restore-command orders {place}")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    insta::assert_snapshot!(said.out);
    assert_eq!(said.aside, "Fill in: SUBNET_GROUP, SECURITY_GROUP_IDS.\n");
}

/// What RDS reports of the copy goes before its tags, which say it where RDS does not.
#[tokio::test]
async fn the_copys_own_settings_go_before_those_of_its_tags() {
    let (account, place) = on_the_day();
    let said = account.say(&format!("restore-command orders {place}")).await;
    assert!(said.out.contains("--backup-retention-period 7\n"), "{}", said.out);
    account.rewrite("<BackupRetentionPeriod>7</BackupRetentionPeriod>", "");
    let said = account.say(&format!("restore-command orders {place}")).await;
    assert!(said.out.contains("--backup-retention-period 14\n"), "{}", said.out);
}

#[tokio::test]
async fn a_cluster_is_restored_with_its_members() {
    let (account, place) = on_the_day();
    let said = account
        .say(&format!("restore-command billing --as billing-drill {place}"))
        .await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn json_says_the_same() {
    let (account, place) = on_the_day();
    let said = account
        .say(&format!("restore-command cluster:billing --members 1 --json {place}"))
        .await;
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn while_the_source_region_is_there_the_stack_says_where_the_copies_are() {
    let account = account();
    let through_the_stack = account.say("restore-command orders").await;
    let (account, place) = on_the_day();
    let alone = account.say(&format!("restore-command orders {place}")).await;
    assert_eq!(through_the_stack.out, alone.out);
}

#[tokio::test]
async fn nothing_that_a_tag_says_reaches_the_shell_unquoted() {
    let (account, place) = on_the_day();
    let said = account.say(&format!("restore-command evil {place}")).await;
    assert!(said.out.contains("--db-instance-class 'x; rm -rf ~ #'"), "{}", said.out);
}

/// L4: nor does anything in a comment or on the terminal.
#[tokio::test]
async fn nothing_that_a_tag_says_ends_a_comment_or_reaches_a_terminal_raw() {
    let hostile = "x\nrm -rf ~ \u{9b}2J";
    let hints = RestoreHints {
        class: Some("--debug".to_owned()),
        parameter_group: Some(hostile.to_owned()),
        ..RestoreHints::default()
    };
    let account = Account::new(
        |source| source,
        |region| {
            let copy = copy_for_restore(Instance, "evil", 3.0, hints);
            region.snapshot(copy.tag(tags::VERIFIED, "2026-11-22T11:00:00Z").tag("note", hostile))
        },
    );
    let said = account
        .say(&format!(
            "restore-command evil --destination {DESTINATION} --owner snap"
        ))
        .await;
    assert!(said.out.contains("--db-instance-class=--debug"), "{}", said.out);
    assert!(said.out.contains(r"\u{a}rm -rf ~ \u{9b}2J"), "{}", said.out);
    assert!(said.out.lines().all(|line| !line.starts_with("rm ")), "{}", said.out);
    assert!(
        !said.out.replace('\n', "").chars().any(char::is_control),
        "{}",
        said.out
    );
}

/// L6.
#[tokio::test]
async fn a_name_is_found_in_any_case() {
    let (account, place) = on_the_day();
    let lower = account.say(&format!("restore-command orders {place}")).await;
    let upper = account.say(&format!("restore-command Orders {place}")).await;
    assert_eq!(lower.ending, Ok(ExitStatus::Success));
    assert_eq!(lower.out, upper.out);
}

fn renamed(id: &str, resource: &str) -> rds_simulator_sdk::scenario::Database {
    let mut database = database(Instance, id);
    database.resource_id = Some(resource.to_owned());
    database
}

/// H6, c1: a database is its resource id, and its name is what it is called now.
#[tokio::test]
async fn a_database_that_was_renamed_is_restored_by_its_new_name() {
    let account = Account::new(|source| source.instance(renamed("orders-v2", "db-ORDERS")), copies);
    let said = account.say("restore-command orders-v2").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.out);
    let copy = format!("--db-snapshot-identifier {} ", copy_id(Instance, "orders", 5.0));
    assert!(said.out.contains(&copy), "{}", said.out);
    assert!(said.out.contains("--db-instance-identifier orders-v2 "), "{}", said.out);
    assert!(
        said.out
            .contains("# Copies of db-ORDERS were made under another name, too: orders."),
        "{}",
        said.out
    );

    account.lose(SOURCE);
    let alone = account
        .say(&format!(
            "restore-command orders-v2 --destination {DESTINATION} --owner snap"
        ))
        .await;
    let failure = alone.failure();
    assert!(
        failure.contains("If it was renamed, its copies may have another of its names"),
        "{failure}"
    );
    let by_id = account
        .say(&format!(
            "restore-command db-ORDERS --destination {DESTINATION} --owner snap"
        ))
        .await;
    assert!(by_id.out.contains("--db-instance-identifier orders "), "{}", by_id.out);
}

#[tokio::test]
async fn where_the_source_region_does_not_answer_the_name_decides_and_that_is_said() {
    let account = account();
    let databases = Calls::to("DescribeDBInstances");
    account.world.fault(Fault::error(databases, "AccessDenied", "no"));
    let said = account.say("restore-command instance:orders").await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    assert!(
        said.out
            .contains("# us-east-1 could not be asked whether a database was renamed ("),
        "{}",
        said.out
    );
    let from = format!("# From the verified copy {} in", copy_id(Instance, "orders", 5.0));
    assert!(said.out.contains(&from), "{}", said.out);
}

/// H6, c8: after a switchover the name belongs to another database.
#[tokio::test]
async fn of_two_databases_that_had_the_name_the_one_that_has_it_now_is_restored() {
    let green = copy_of_resource(Instance, "orders", "db-GREEN", 9.0);
    let green_id = green.id.clone().expect("an identifier");
    let with_green = |region: Region| copies(region).snapshot(green.clone());
    let source = |region: Region| region.instance(renamed("orders", "db-GREEN"));
    let said = Account::new(source, with_green).say("restore-command orders").await;
    assert!(
        said.out.contains(&format!("# From the verified copy {green_id} in")),
        "{}",
        said.out
    );
    let said = Account::new(source, copies).say("restore-command orders").await;
    assert!(
        said.out.contains(
            "# The instance that is called orders now, db-GREEN, has no copy; this one, db-ORDERS, was called so before."
        ),
        "{}",
        said.out
    );
    let from = format!("# From the verified copy {} in", copy_id(Instance, "orders", 5.0));
    assert!(said.out.contains(&from), "{}", said.out);
}

/// Case 25.
#[tokio::test]
async fn a_class_that_is_not_offered_there_is_named_with_those_that_are() {
    let (account, place) = on_the_day();
    let line = format!("restore-command orders {place}");
    account.offers(Ok(vec![("db.r7g.large", "gp3"), ("db.r7g.xlarge", "gp3")]));
    let said = account.say(&line).await;
    assert!(
        said.out.contains(
            "# db.r6g.large is not offered for postgres 17.6 in eu-west-1; offered: db.r7g.large, db.r7g.xlarge.\n"
        ),
        "{}",
        said.out
    );
    account.offers(Ok(vec![("db.r6g.large", "io2")]));
    let said = account.say(&line).await;
    assert!(
        said.out
            .contains("# db.r6g.large is not offered with gp3 storage in eu-west-1; offered: io2.\n"),
        "{}",
        said.out
    );
    account.offers(Ok(Vec::new()));
    let said = account.say(&line).await;
    assert!(
        said.out.contains(
            "# postgres 17.6 is not offered in eu-west-1, so the copy cannot be restored there as it is. `aws rds "
        ),
        "{}",
        said.out
    );
    account.offers(Ok(vec![("db.r6g.large", "gp3")]));
    let said = account.say(&line).await;
    assert!(!said.out.contains("offered"), "{}", said.out);
}

#[tokio::test]
async fn what_the_region_offers_is_no_condition_of_the_answer() {
    let (account, place) = on_the_day();
    account.offers(Err("AccessDenied"));
    let said = account.say(&format!("restore-command orders {place}")).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success));
    assert!(
        said.out.contains(
            "# Whether postgres 17.6 is offered in eu-west-1 is not known: AccessDenied: no. `aws rds describe-"
        ),
        "{}",
        said.out
    );
}

/// Case 15: clusters with long names, through the whole program.
#[tokio::test]
async fn the_instances_of_clusters_with_long_names_are_told_apart() {
    let long = "customer-orders-production-eu-west-1-primary-database-cluster-";
    let mut names = std::collections::BTreeSet::new();
    for cluster in [format!("{long}a"), format!("{long}b"), format!("{}-ab", "p".repeat(59))] {
        let account = Account::new(|source| source, |region| region.snapshot(copy(Cluster, &cluster, 3.0)));
        let line = format!("restore-command {cluster} --members 2 --destination {DESTINATION} --owner snap");
        let said = account.say(&line).await;
        let found = said
            .out
            .lines()
            .filter_map(|line| line.trim().strip_prefix("--db-instance-identifier "));
        names.extend(found.map(|line| line.trim_end_matches(" \\").to_owned()));
    }
    assert_eq!(names.len(), 6, "{names:?}");
    for name in names {
        let legal = name.len() <= 63 && !name.contains("--") && !name.ends_with('-');
        assert!(
            legal && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_identifier_that_rds_would_refuse_is_refused_before_any_call() {
    let (account, place) = on_the_day();
    for name in ["1orders", "or--ders", "orders-", "o_o"] {
        let said = account
            .say(&format!("restore-command orders --as {name} {place}"))
            .await;
        assert!(said.failure().contains("is not a valid database identifier"), "{name}");
    }
    assert!(account.calls().is_empty());
}

#[tokio::test]
async fn what_cannot_be_restored_is_said_with_what_to_do() {
    let (account, place) = on_the_day();
    let mut failures = Vec::new();
    for database in ["unverified", "both", "nowhere"] {
        let said = account.say(&format!("restore-command {database} {place}")).await;
        failures.push(format!("{database}:\n{}", said.failure()));
    }
    insta::assert_snapshot!(failures.join("\n\n"));
}

/// N5: after a corruption at noon the newest copy is the bad one.
#[tokio::test]
async fn another_copy_than_the_newest_can_be_restored() {
    let account = Account::new(
        |source| source.instance(database(Instance, "orders")),
        |destination| {
            destination
                .snapshot(copy(Instance, "orders", 5.0))
                .snapshot(copy(Instance, "orders", 29.0))
                .snapshot(unverified(Instance, "orders", 40.0))
                .snapshot(unverified(Instance, "orders", 2.0).at_percent(40))
        },
    );
    let id = |hours: f64| copy_id(Instance, "orders", hours);
    let restored = async |options: &str| {
        account
            .say(&format!("restore-command orders --json {options}"))
            .await
            .json()["copy"]
            .clone()
    };
    assert_eq!(restored("").await, id(5.0).as_str());
    assert_eq!(restored("--before 6h").await, id(29.0).as_str());
    // The world's noon is 2026-11-22T12:00.
    assert_eq!(restored("--before 2026-11-22T06:59").await, id(29.0).as_str());
    assert_eq!(restored("--before 2026-11-22T07:01").await, id(5.0).as_str());
    assert_eq!(restored(&format!("--copy {}", id(29.0))).await, id(29.0).as_str());

    let said = account.say("restore-command orders --before 6h").await;
    let newer = format!(
        "# There is a verified copy of newer data, of 2026-11-22 07:00 UTC: {}.",
        id(5.0)
    );
    assert!(said.out.contains(&newer), "{}", said.out);

    let unverified = account
        .say(&format!("restore-command orders --copy {}", id(40.0)))
        .await;
    assert_eq!(unverified.ending, Ok(ExitStatus::Success));
    assert!(
        unverified.out.contains("# Nothing has verified this copy"),
        "{}",
        unverified.out
    );
    assert!(!unverified.out.contains("From the verified copy"), "{}", unverified.out);

    for (options, says) in [
        (
            "--before 2d".to_owned(),
            "No verified copy of instance orders in eu-west-1 has data of",
        ),
        ("--copy nothing".to_owned(), "nothing is not a copy of instance orders."),
        (format!("--copy {}", id(2.0)), "is not complete yet."),
    ] {
        let refused = account
            .say(&format!("restore-command orders {options}"))
            .await
            .failure();
        assert!(refused.contains(says), "{refused}");
        assert!(refused.ends_with("\n  snapferry copies orders"), "{refused}");
    }
}
