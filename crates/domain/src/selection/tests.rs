use proptest::prelude::*;

use super::*;
use crate::examples::database;
use crate::kind::DatabaseKind::{Cluster, Instance};

fn rules() -> SelectionRules {
    SelectionRules {
        source_region: "eu-west-1".to_owned(),
        selection: Selection::OptOut,
        include_neptune: false,
        include_documentdb: false,
        include_manual_snapshots: false,
    }
}

fn opt_in() -> SelectionRules {
    SelectionRules {
        selection: Selection::OptIn,
        ..rules()
    }
}

fn tagged(pairs: &[(&str, &str)]) -> Database {
    let tags = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Database {
        tags: tags.collect(),
        ..database(Instance, "orders")
    }
}

fn why(database: &Database, rules: &SelectionRules) -> Option<Reason> {
    judge(database, rules, &BTreeMap::new())
}

fn replica(kind: crate::kind::DatabaseKind, retention: i32) -> Database {
    Database {
        replica_of: Some("books".to_owned()),
        backup_retention_days: Some(retention),
        ..database(kind, "books-replica")
    }
}

/// D3, M12, cases 08 and 22.
#[test]
fn what_makes_no_snapshots_by_design_is_judged_so_and_by_which_field() {
    let instance = || database(Instance, "books");
    let without_backups = Database {
        backup_retention_days: Some(0),
        ..instance()
    };
    let aws_backup = Database {
        aws_backup_arn: Some("arn:aws:backup:eu-west-1:123456789012:recovery-point:continuous:db-1".to_owned()),
        ..instance()
    };
    let stopped = |status: &str| Database {
        status: status.to_owned(),
        ..instance()
    };
    let nameless = Database {
        arn: String::new(),
        ..instance()
    };
    for (database, reason, field) in [
        (
            replica(Instance, 0),
            Reason::ReadReplica,
            "ReadReplicaSourceDBInstanceIdentifier",
        ),
        (without_backups, Reason::RetentionZero, "BackupRetentionPeriod"),
        (aws_backup, Reason::AwsBackup, "AwsBackupRecoveryPointArn"),
        (stopped("stopped"), Reason::Stopped, "DBInstanceStatus"),
        (stopped("stopping"), Reason::Stopped, "DBInstanceStatus"),
        (nameless, Reason::NoArn, "DbiResourceId"),
    ] {
        assert!(reason.makes_no_snapshots(), "{reason:?}");
        assert!(reason.field().contains(field), "{reason:?}");
        assert_eq!(why(&database, &rules()), Some(reason));
    }
    assert_eq!(why(&replica(Cluster, 7), &rules()), Some(Reason::ReplicaCluster));
}

#[test]
fn what_makes_snapshots_is_copied() {
    for database in [
        database(Instance, "books"),
        database(Cluster, "billing"),
        // With backups of its own a replica is a database like any other.
        replica(Instance, 7),
        Database {
            status: "inaccessible-encryption-credentials".to_owned(),
            ..database(Instance, "books")
        },
        Database {
            backup_retention_days: None,
            ..database(Instance, "books")
        },
    ] {
        assert_eq!(why(&database, &rules()), None, "{database:?}");
    }
    let wanted = Database {
        tags: BTreeMap::from([(tags::COPY.to_owned(), "true".to_owned())]),
        ..replica(Cluster, 7)
    };
    assert_eq!(why(&wanted, &rules()), None, "a wish overrules what is only a default");
}

#[test]
fn hand_made_snapshots_may_be_all_that_a_database_without_backups_has() {
    let rules = SelectionRules {
        include_manual_snapshots: true,
        ..rules()
    };
    let without_backups = Database {
        backup_retention_days: Some(0),
        ..database(Instance, "books")
    };
    assert_eq!(why(&without_backups, &rules), None);
    assert_eq!(why(&replica(Instance, 0), &rules), Some(Reason::ReadReplica));
}

#[test]
fn of_a_global_database_only_the_writer_is_copied_whatever_it_replicates() {
    let arn = |region: &str| format!("arn:aws:rds:{region}:123456789012:cluster:world");
    let member = |region: &str| Database {
        arn: arn(region),
        global_cluster: Some("world".to_owned()),
        replica_of: Some("elsewhere".to_owned()),
        ..database(Cluster, "world")
    };
    let writers = BTreeMap::from([("world".to_owned(), arn("eu-west-1"))]);
    assert_eq!(judge(&member("eu-west-1"), &rules(), &writers), None);
    let secondary = Reason::Secondary {
        primary_region: "eu-west-1".to_owned(),
    };
    assert_eq!(judge(&member("us-east-1"), &rules(), &writers), Some(secondary));
}

/// M6, case 12.
#[test]
fn nothing_is_copied_against_a_wish_however_it_is_spelled() {
    for (key, value) in [
        ("Snapferry:Copy", "false"),
        ("snapferry-copy", "FALSE"),
        ("snapferry:cpoy", "no"),
        ("snapferry:copy", "no"),
        ("snapferry:copy", "off"),
    ] {
        let database = tagged(&[(key, value)]);
        let reason = why(&database, &rules());
        assert_eq!(reason, Some(Reason::MisspelledFalse), "{key}={value}");
        let said = warnings(&database, reason.as_ref());
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with(&format!("instance orders: the tag {key} is ")),
            "{said:?}"
        );
        assert!(said[0].ends_with("it is taken for false"), "{said:?}");
    }
    let exact = tagged(&[("snapferry:copy", " False ")]);
    assert_eq!(why(&exact, &rules()), Some(Reason::TaggedFalse));
    assert!(warnings(&exact, Some(&Reason::TaggedFalse)).is_empty());
}

/// M6.
#[test]
fn a_wish_to_be_copied_is_never_passed_over_in_silence() {
    for (key, value, expected) in [
        ("snapferry:copy", "yes", None),
        ("Snapferry:Copy", "true", None),
        ("snapferry:copy", "maybe", Some(Reason::NotTagged)),
    ] {
        let database = tagged(&[(key, value)]);
        let reason = why(&database, &opt_in());
        assert_eq!(reason, expected, "{key}={value}");
        assert_eq!(warnings(&database, reason.as_ref()).len(), 1, "{key}={value}");
        assert!(!warnings(&database, reason.as_ref())[0].contains("maybe"));
    }
    // The right spelling counts, and the other one is still named.
    let both = tagged(&[("snapferry:copy", "true"), ("Snapferry:Copy", "false")]);
    assert_eq!(why(&both, &opt_in()), None);
    assert_eq!(warnings(&both, None).len(), 1);
}

#[test]
fn a_database_that_is_wanted_is_not_hidden_among_those_without_snapshots() {
    for reason in [
        Reason::RetentionZero,
        Reason::ReadReplica,
        Reason::AwsBackup,
        Reason::Stopped,
    ] {
        let said = warnings(&tagged(&[("snapferry:copy", "true")]), Some(&reason));
        assert_eq!(said.len(), 1, "{reason:?}");
        assert!(said[0].contains(&reason.to_string()), "{said:?}");
        assert!(warnings(&tagged(&[]), Some(&reason)).is_empty(), "{reason:?}");
    }
}

proptest! {
    /// Rule: only a person's word, an engine, or a field of RDS leaves a database out.
    #[test]
    fn a_running_database_with_backups_is_copied_unless_its_tags_say_otherwise(
        tags in proptest::collection::btree_map("[a-zA-Z:_-]{0,20}", ".{0,8}", 0..4),
        retention in 1_i32..36,
    ) {
        let database = Database { tags, backup_retention_days: Some(retention), ..database(Instance, "orders") };
        let reason = why(&database, &rules());
        let expected = CopyWish::read(&database.tags).copy == Some(false);
        prop_assert_eq!(reason.is_some(), expected);
    }
}
