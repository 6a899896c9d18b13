use std::collections::BTreeMap;

use domain::kind::DatabaseKind;
use fixtures::settings_with;

use super::*;

fn finance() -> Database {
    Database {
        engine: "oracle-ee".to_owned(),
        engine_version: "19.0.0.0.ru-2026-04.rur-2026-04.r1".to_owned(),
        option_group: Some("oracle-tz".to_owned()),
        ..fixtures::database(DatabaseKind::Instance, "finance")
    }
}

fn group(name: &str, engine: &str, major_version: &str, options: &[(&str, bool)]) -> OptionGroup {
    OptionGroup {
        name: name.to_owned(),
        engine: engine.to_owned(),
        major_version: major_version.to_owned(),
        options: options
            .iter()
            .map(|(name, permanent)| ((*name).to_owned(), *permanent))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn groups(destination: Vec<OptionGroup>) -> Groups {
    let own = group(
        "oracle-tz",
        "oracle-ee",
        "19",
        &[("Timezone", true), ("STATSPACK", false)],
    );
    Groups {
        source: vec![own],
        destination,
        warning: None,
    }
}

fn said(database: &Database, mapped: &str, destination: Vec<OptionGroup>) -> Option<String> {
    let settings = settings_with(&[("OPTION_GROUPS", mapped)]);
    let problem = problem(database, None, &settings, &groups(destination))?;
    assert_eq!(problem.name(), "OptionGroupMissing");
    Some(problem.to_string())
}

#[test]
fn permanent_options_need_an_option_group_that_has_them() {
    let timezone = ("Timezone", true);
    for (mapped, destination, problem) in [
        (
            "",
            vec![],
            Some("has the permanent options [Timezone], and no option group is named"),
        ),
        ("oracle-tz=copies-tz", vec![], Some("has no option group copies-tz")),
        (
            "oracle-tz=copies-tz",
            vec![group("copies-tz", "oracle-ee", "19", &[("STATSPACK", false)])],
            Some("lacks the permanent options [Timezone]"),
        ),
        (
            "oracle-tz=copies-tz",
            vec![group("copies-tz", "oracle-se2", "19", &[timezone])],
            Some("is for oracle-se2 19"),
        ),
        (
            "oracle-tz=copies-tz",
            vec![group("copies-tz", "oracle-ee", "1", &[timezone])],
            Some("is for oracle-ee 1, and finance is oracle-ee 19.0"),
        ),
        (
            "oracle-tz=copies-tz",
            vec![group("copies-tz", "oracle-ee", "19", &[timezone])],
            None,
        ),
        (
            "instance:finance=its-own",
            vec![group("its-own", "oracle-ee", "19", &[timezone])],
            None,
        ),
    ] {
        let said = said(&finance(), mapped, destination);
        match problem {
            Some(problem) => assert!(said.as_ref().is_some_and(|said| said.contains(problem)), "{said:?}"),
            None => assert_eq!(said, None),
        }
    }
}

#[test]
fn a_tag_counts_more_than_the_stacks_map() {
    let settings = settings_with(&[("OPTION_GROUPS", "oracle-tz=copies-tz")]);
    let groups = groups(vec![group("copies-tz", "oracle-ee", "19", &[("Timezone", true)])]);
    let said = problem(&finance(), Some("tagged"), &settings, &groups)
        .expect("a problem")
        .to_string();
    assert!(said.contains("has no option group tagged"), "{said}");
}

#[test]
fn without_permanent_options_no_group_is_asked_for() {
    let plain = Database {
        option_group: Some("default:postgres-16".to_owned()),
        ..fixtures::database(DatabaseKind::Instance, "orders")
    };
    assert_eq!(said(&plain, "", vec![]), None);
    assert!(!matter_to(&plain, &settings_with(&[])));
    assert!(matter_to(&finance(), &settings_with(&[])));
}

#[test]
fn rds_custom_and_clusters_take_no_option_group() {
    let custom = Database {
        engine: "custom-sqlserver-se".to_owned(),
        ..finance()
    };
    assert_eq!(said(&custom, "", vec![]), None);
    assert!(!matter_to(
        &custom,
        &settings_with(&[("OPTION_GROUPS", "instance:finance=x")])
    ));
    assert_eq!(
        said(&fixtures::database(DatabaseKind::Cluster, "billing"), "", vec![]),
        None
    );
}
