use std::collections::BTreeMap;

use domain::kind::DatabaseKind;
use domain::tags;

use super::*;

fn settings(selection: &str) -> Settings {
    fixtures::settings_with(&[("SELECTION", selection)])
}

fn database(kind: DatabaseKind, id: &str, copy: Option<&str>) -> Database {
    let tag = copy.map(|value| (tags::COPY.to_owned(), value.to_owned()));
    Database {
        tags: tag.into_iter().collect(),
        ..fixtures::database(kind, id)
    }
}

fn instance(id: &str, copy: Option<&str>) -> Database {
    database(DatabaseKind::Instance, id, copy)
}

fn ids(selected: &Selected) -> Vec<&str> {
    selected.databases.iter().map(|database| database.id.as_str()).collect()
}

#[test]
fn by_default_all_are_copied_but_those_tagged_otherwise() {
    let databases = vec![
        instance("plain", None),
        instance("yes", Some("true")),
        instance("no", Some("False")),
    ];
    let selected = select(databases, &Scope::All, &settings("opt-out"), &BTreeMap::new());
    assert_eq!(ids(&selected), ["plain", "yes"]);
    assert_eq!(
        selected.left_out.reasons,
        BTreeMap::from([("tagged snapferry:copy=false".to_owned(), 1)])
    );
}

#[test]
fn opting_in_copies_only_what_is_tagged() {
    let databases = vec![
        instance("plain", None),
        instance("yes", Some("true")),
        instance("odd", Some("maybe")),
    ];
    let selected = select(databases, &Scope::All, &settings("opt-in"), &BTreeMap::new());
    assert_eq!(ids(&selected), ["yes"]);
    assert_eq!(selected.left_out.count, 2);
}

#[test]
fn engines_that_are_switched_on_are_copied() {
    let graph = || Database {
        engine: "neptune".to_owned(),
        ..database(DatabaseKind::Cluster, "graph", None)
    };
    let documents = || Database {
        engine: "docdb".to_owned(),
        ..database(DatabaseKind::Cluster, "documents", None)
    };
    for (variable, copied) in [("INCLUDE_NEPTUNE", "graph"), ("INCLUDE_DOCUMENTDB", "documents")] {
        let settings = fixtures::settings_with(&[(variable, "true")]);
        let selected = select(vec![graph(), documents()], &Scope::All, &settings, &BTreeMap::new());
        assert_eq!(ids(&selected), [copied]);
        assert_eq!(selected.left_out.count, 1);
    }
}

#[test]
fn of_a_global_database_only_the_primary_is_copied() {
    let member = |id: &str, global: &str| Database {
        global_cluster: Some(global.to_owned()),
        ..database(DatabaseKind::Cluster, id, None)
    };
    let databases = vec![
        member("here", "world"),
        member("there", "shop"),
        member("unknown", "new"),
    ];
    let writers = BTreeMap::from([
        ("world".to_owned(), databases[0].arn.clone()),
        (
            "shop".to_owned(),
            "arn:aws:rds:eu-west-1:123456789012:cluster:shop-eu".to_owned(),
        ),
    ]);
    let selected = select(databases, &Scope::All, &settings("opt-out"), &writers);
    assert_eq!(
        ids(&selected),
        ["here", "unknown"],
        "when in doubt, twice is better than not at all"
    );
    let reason = &selected.left_out.first[0].reason;
    assert!(
        reason.contains("its primary, in eu-west-1, has the same data"),
        "{reason}"
    );
}

#[test]
fn members_of_a_cluster_are_neither_copied_nor_left_out() {
    let member = Database {
        member_of: Some("billing".to_owned()),
        ..instance("billing-1", None)
    };
    let selected = select(
        vec![member, database(DatabaseKind::Cluster, "billing", None)],
        &Scope::All,
        &settings("opt-out"),
        &BTreeMap::new(),
    );
    assert_eq!(ids(&selected), ["billing"]);
    assert_eq!(selected.left_out.count, 0);
}

#[test]
fn the_first_fifty_left_out_are_named_and_all_are_counted() {
    let databases = (0..120)
        .map(|at| instance(&format!("db-{at:03}"), Some("false")))
        .collect();
    let left_out = select(databases, &Scope::All, &settings("opt-out"), &BTreeMap::new()).left_out;
    assert_eq!((left_out.count, left_out.first.len()), (120, 50));
    assert_eq!(left_out.first[49].id, "db-049");
    assert_eq!(left_out.reasons.values().sum::<usize>(), 120);
}

#[test]
fn a_name_that_no_database_has_is_refused_with_its_place_though_another_is_given_twice() {
    let member = Database {
        member_of: Some("billing".to_owned()),
        ..instance("billing-1", None)
    };
    let databases = [instance("orders", None), member];
    let check = |text: &str| {
        let names = ["orders", "orders", text].map(|name| name.parse().expect("a name"));
        let scope = Scope::Only(names.to_vec());
        let request = Request {
            scope,
            dry_run: false,
            page: None,
        };
        check_names(&request, &databases, "us-east-1")
    };
    assert_eq!(check("orders"), Ok(()));
    let unknown = check("oders").expect_err("unknown").to_string();
    assert!(
        unknown.starts_with("only[2]: there is no database oders in us-east-1. Check the spelling"),
        "{unknown}"
    );
    let other_kind = check("cluster:orders").expect_err("no such cluster").to_string();
    assert!(
        other_kind.contains("there is no database cluster:orders"),
        "{other_kind}"
    );
    let member = check("billing-1").expect_err("a member").to_string();
    assert!(
        member.contains("is a member of the cluster billing") && member.contains("\"cluster:billing\""),
        "{member}"
    );
}

/// M6, case 12: a wish in another spelling is honoured and named.
#[test]
fn what_is_wrong_with_tags_about_copying_is_said_of_those_left_out_too() {
    let tagged = |id: &str, key: &str, value: &str| Database {
        tags: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..fixtures::database(DatabaseKind::Instance, id)
    };
    let databases = || {
        vec![
            tagged("private", "Snapferry:Copy", "false"),
            tagged("odd", "snapferry:copy", "maybe"),
        ]
    };
    let selected = select(databases(), &Scope::All, &settings("opt-out"), &BTreeMap::new());
    assert_eq!(ids(&selected), ["odd"]);
    assert_eq!(selected.left_out.first[0].id, "private");
    assert_eq!(selected.warnings.len(), 2, "{:?}", selected.warnings);
    let selected = select(databases(), &Scope::All, &settings("opt-in"), &BTreeMap::new());
    assert!(ids(&selected).is_empty());
    assert_eq!(selected.warnings.len(), 2, "{:?}", selected.warnings);
}

/// D3, M12, case 09: what makes no snapshots raises no alarm; what there is of it is copied all the same.
#[test]
fn nobody_waits_for_what_makes_no_snapshots() {
    let backed_up_elsewhere = Database {
        aws_backup_arn: Some("arn".to_owned()),
        ..instance("books", None)
    };
    let without_backups = Database {
        backup_retention_days: Some(0),
        ..instance("scratch", None)
    };
    let selected = select(
        vec![backed_up_elsewhere, without_backups],
        &Scope::All,
        &settings("opt-out"),
        &BTreeMap::new(),
    );
    assert!(ids(&selected).is_empty());
    assert_eq!(
        selected
            .silent
            .iter()
            .map(|database| database.id.as_str())
            .collect::<Vec<_>>(),
        ["books"]
    );
    assert_eq!(selected.left_out.first[0].id, "scratch");
}
