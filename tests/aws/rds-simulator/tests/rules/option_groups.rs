//! Option groups: which there are, who may see them, and what a copy asks of them.

use serde_json::{Value, json};

use crate::harness::{DESTINATION, Harness, SOURCE, value, values};

const TIMEZONE: [&str; 1] = ["Timezone"];

fn world() -> Value {
    json!({ "regions": {
        SOURCE: {
            "kmsKeys": [{ "id": "1111" }],
            "optionGroups": [
                { "name": "With-TZ", "engine": "oracle-ee", "majorEngineVersion": "19", "options": [
                    { "name": "Timezone", "permanent": true }, { "name": "OEM" }] },
                { "name": "encrypted-files", "engine": "sqlserver-ee", "majorEngineVersion": "16.00", "options": [
                    { "name": "TRANSPARENT_DATA_ENCRYPTION", "persistent": true }] }
            ],
            "instances": [
                { "id": "erp", "engine": "oracle-ee", "optionGroup": "with-tz", "snapshots": [{ "ageHours": 3 }] },
                { "id": "wms", "engine": "oracle-ee", "optionGroup": "made-on-the-way",
                  "permanentOptions": ["Timezone"], "snapshots": [{ "ageHours": 3 }] },
                { "id": "crm", "engine": "oracle-ee", "permanentOptions": ["Timezone"],
                  "snapshots": [{ "ageHours": 3 }] },
                { "id": "sales", "engine": "sqlserver-ee", "optionGroup": "encrypted-files",
                  "snapshots": [{ "ageHours": 3 }] },
                { "id": "orders", "snapshots": [{ "ageHours": 3 }] },
                { "id": "custom", "engine": "custom-sqlserver-se", "kmsKey": "1111", "snapshots": [{ "ageHours": 3 }] }
            ]
        },
        DESTINATION: {
            "kmsKeys": [{ "id": "2222" }],
            "optionGroups": [
                { "name": "copies-tz", "engine": "oracle-ee", "options": [{ "name": "Timezone", "permanent": true }] },
                { "name": "copies-old", "engine": "oracle-ee", "majorEngineVersion": "12.1",
                  "options": [{ "name": "Timezone", "permanent": true }] },
                { "name": "copies-plain", "engine": "oracle-ee" },
                { "name": "copies-audit", "engine": "mysql", "options": [{ "name": "MARIADB_AUDIT_PLUGIN" }] }
            ]
        }
    } })
}

fn lab() -> Harness {
    Harness::new(world())
}

/// Copies the newest snapshot of a database, with an option group; `ok` or the error's code, and its text.
fn copy(lab: &mut Harness, database: &str, target: &str, more: &[(&str, &str)]) -> (String, String) {
    let source = lab.newest(database);
    let mut parameters = vec![
        ("SourceDBSnapshotIdentifier", source.as_str()),
        ("TargetDBSnapshotIdentifier", target),
    ];
    parameters.extend(more);
    let (response, _) = lab.response(DESTINATION, "CopyDBSnapshot", &parameters);
    if response.status == 200 {
        let group = values(&response.body, "OptionGroupName").pop().unwrap_or_default();
        return ("ok".to_owned(), group);
    }
    (value(&response.body, "Code"), value(&response.body, "Message"))
}

fn groups(lab: &mut Harness, region: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let mut names = values(&lab.ok(region, "DescribeOptionGroups", parameters), "OptionGroupName");
    names.sort();
    names
}

#[test]
fn a_region_tells_its_groups_and_the_default_ones_that_are_in_use() {
    let mut lab = lab();
    assert_eq!(
        groups(&mut lab, SOURCE, &[]),
        [
            "crm-options",
            "default:custom-sqlserver-se-16-00",
            "default:postgres-17",
            "encrypted-files",
            "made-on-the-way",
            "with-tz"
        ]
    );
    assert_eq!(
        groups(&mut lab, SOURCE, &[("EngineName", "postgres")]),
        ["default:postgres-17"]
    );
    let old = [("EngineName", "oracle-ee"), ("MajorEngineVersion", "12.1")];
    assert_eq!(groups(&mut lab, DESTINATION, &old), ["copies-old"]);
    assert!(groups(&mut lab, "eu-north-1", &[]).is_empty());
}

#[test]
fn a_group_tells_its_engine_and_its_options() {
    let mut lab = lab();
    let group = lab.ok(SOURCE, "DescribeOptionGroups", &[("OptionGroupName", "WITH-tz")]);
    assert_eq!(value(&group, "OptionGroupName"), "with-tz");
    assert_eq!(value(&group, "EngineName"), "oracle-ee");
    assert_eq!(value(&group, "MajorEngineVersion"), "19");
    assert_eq!(
        value(&group, "OptionGroupArn"),
        "arn:aws:rds:eu-west-1:123456789012:og:with-tz"
    );
    assert_eq!(values(&group, "OptionName"), ["Timezone", "OEM"]);
    assert_eq!(values(&group, "Permanent"), ["true", "false"]);
    assert_eq!(values(&group, "Persistent"), ["true", "false"]);
    let made = lab.ok(SOURCE, "DescribeOptionGroups", &[("OptionGroupName", "crm-options")]);
    assert_eq!(
        (values(&made, "OptionName"), value(&made, "Permanent").as_str()),
        (TIMEZONE.map(str::to_owned).to_vec(), "true")
    );
    let default = lab.ok(
        DESTINATION,
        "DescribeOptionGroups",
        &[("OptionGroupName", "default:sqlserver-se-16-00")],
    );
    assert_eq!(value(&default, "EngineName"), "sqlserver-se");
    assert_eq!(value(&default, "MajorEngineVersion"), "16.00");
    assert!(values(&default, "OptionName").is_empty());
    let instance = lab.ok(SOURCE, "DescribeDBInstances", &[("DBInstanceIdentifier", "crm")]);
    assert_eq!(value(&instance, "OptionGroupName"), "crm-options");
}

#[test]
fn a_group_that_is_not_there_is_a_fault_and_selectors_do_not_mix() {
    let mut lab = lab();
    let (status, code, message) = lab.refused(SOURCE, "DescribeOptionGroups", &[("OptionGroupName", "gone")]);
    assert_eq!((status, code.as_str()), (404, "OptionGroupNotFoundFault"));
    assert_eq!(message, "Specified OptionGroupName: gone not found.");
    for parameters in [
        &[("OptionGroupName", "with-tz"), ("EngineName", "oracle-ee")][..],
        &[("OptionGroupName", "with-tz"), ("MajorEngineVersion", "19")],
        &[("MajorEngineVersion", "19")],
    ] {
        assert_eq!(
            lab.code(SOURCE, "DescribeOptionGroups", parameters),
            "InvalidParameterCombination"
        );
    }
    let filter = [
        ("Filters.Filter.1.Name", "engine"),
        ("Filters.Filter.1.Values.Value.1", "mysql"),
    ];
    assert_eq!(
        lab.code(SOURCE, "DescribeOptionGroups", &filter),
        "InvalidParameterValue"
    );
}

#[test]
fn groups_come_in_pages() {
    let groups: Vec<Value> = (0..45)
        .map(|number| json!({ "name": format!("group-{number}"), "engine": "mysql" }))
        .collect();
    let mut lab = Harness::new(json!({ "regions": { SOURCE: { "optionGroups": groups } } }));
    let mut seen = Vec::new();
    let mut marker = String::new();
    loop {
        let page = lab.ok(
            SOURCE,
            "DescribeOptionGroups",
            &[("MaxRecords", "20"), ("Marker", &marker)],
        );
        seen.extend(values(&page, "OptionGroupName"));
        match values(&page, "Marker").pop() {
            Some(next) => marker = next,
            None => break,
        }
    }
    assert_eq!(seen.len(), 45);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 45);
}

#[test]
fn permanent_options_need_an_option_group_that_holds_them() {
    let mut lab = lab();
    let needed = "The snapshot requires a target option group with the following options: [Timezone]";
    for database in ["erp", "wms", "crm"] {
        let refused = ("InvalidParameterValue".to_owned(), needed.to_owned());
        assert_eq!(copy(&mut lab, database, "c", &[]), refused, "{database}");
        for group in ["copies-plain", "default:oracle-ee-19"] {
            assert_eq!(
                copy(&mut lab, database, "c", &[("OptionGroupName", group)]),
                refused,
                "{database}"
            );
        }
        let (code, group) = copy(&mut lab, database, database, &[("OptionGroupName", "Copies-TZ")]);
        assert_eq!((code.as_str(), group.as_str()), ("ok", "copies-tz"), "{database}");
    }
    let (code, message) = copy(&mut lab, "sales", "c", &[]);
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.ends_with("[TRANSPARENT_DATA_ENCRYPTION]"), "{message}");
}

#[test]
fn a_copy_in_its_own_region_keeps_its_option_group() {
    let mut lab = lab();
    let source = lab.newest("erp");
    let parameters = [
        ("SourceDBSnapshotIdentifier", source.as_str()),
        ("TargetDBSnapshotIdentifier", "here"),
    ];
    let copy = lab.ok(SOURCE, "CopyDBSnapshot", &parameters);
    assert_eq!(value(&copy, "OptionGroupName"), "with-tz");
}

#[test]
fn the_option_group_of_a_copy_must_be_there_and_fit() {
    let mut lab = lab();
    let mut code = |database: &str, group: &str| copy(&mut lab, database, "c", &[("OptionGroupName", group)]).0;
    assert_eq!(code("erp", "with-tz"), "OptionGroupNotFoundFault");
    assert_eq!(code("erp", "copies-audit"), "InvalidParameterCombination");
    assert_eq!(code("erp", "copies-old"), "InvalidParameterCombination");
    assert_eq!(code("orders", "copies-tz"), "InvalidParameterCombination");
    assert_eq!(code("orders", "default:postgres-16"), "InvalidParameterCombination");
    assert_eq!(code("orders", "default:postgres-17"), "ok");
}

#[test]
fn a_copy_without_an_option_group_gets_the_default_one_of_the_destination() {
    let mut lab = lab();
    assert_eq!(
        copy(&mut lab, "orders", "c", &[]),
        ("ok".to_owned(), "default:postgres-17".to_owned())
    );
    assert_eq!(
        groups(&mut lab, DESTINATION, &[("EngineName", "postgres")]),
        ["default:postgres-17"]
    );
}

#[test]
fn rds_custom_takes_no_option_group_and_nobody_copies_one_along() {
    let mut lab = lab();
    let key = ("KmsKeyId", "2222");
    let (code, message) = copy(
        &mut lab,
        "custom",
        "c",
        &[key, ("OptionGroupName", "default:custom-sqlserver-se-16-00")],
    );
    assert_eq!(code, "InvalidParameterCombination");
    assert!(message.contains("RDS Custom"), "{message}");
    assert_eq!(copy(&mut lab, "custom", "c", &[key]).0, "ok");
    assert_eq!(
        copy(&mut lab, "orders", "d", &[("CopyOptionGroup", "true")]).0,
        "InvalidParameterCombination"
    );
    assert_eq!(copy(&mut lab, "orders", "d", &[("CopyOptionGroup", "false")]).0, "ok");
}

#[test]
fn a_group_that_is_removed_meanwhile_is_not_found_from_then_on() {
    let mut lab = lab();
    let with = [("OptionGroupName", "copies-tz")];
    assert_eq!(copy(&mut lab, "erp", "before", &with).0, "ok");
    assert!(lab.simulator.delete_option_group(lab.now, DESTINATION, "Copies-tz"));
    assert!(!lab.simulator.delete_option_group(lab.now, DESTINATION, "copies-tz"));
    assert_eq!(copy(&mut lab, "erp", "after", &with).0, "OptionGroupNotFoundFault");
    assert_eq!(
        lab.code(DESTINATION, "DescribeOptionGroups", &with),
        "OptionGroupNotFoundFault"
    );
    lab.advance(10_000);
    assert_eq!(lab.status("before"), "available");
}

#[test]
fn a_caller_sees_the_groups_that_its_policies_let_it_see() {
    let mut lab = lab();
    let allow = |lab: &mut Harness, resource: &str| {
        let statements = json!([{ "Effect": "Allow", "Action": "rds:DescribeOptionGroups", "Resource": resource }]);
        lab.allow("list-targets", &statements);
    };
    allow(&mut lab, "arn:aws:rds:eu-west-1:123456789012:og:*");
    lab.ok(SOURCE, "DescribeOptionGroups", &[]);
    lab.ok(SOURCE, "DescribeOptionGroups", &[("OptionGroupName", "with-tz")]);
    assert_eq!(lab.code(DESTINATION, "DescribeOptionGroups", &[]), "AccessDenied");
    allow(&mut lab, "arn:aws:rds:eu-west-1:123456789012:og:with-tz");
    lab.ok(SOURCE, "DescribeOptionGroups", &[("OptionGroupName", "with-tz")]);
    assert_eq!(lab.code(SOURCE, "DescribeOptionGroups", &[]), "AccessDenied");
    let other = [("OptionGroupName", "encrypted-files")];
    assert_eq!(lab.code(SOURCE, "DescribeOptionGroups", &other), "AccessDenied");
}
