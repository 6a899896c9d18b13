//! The documents against the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names of all tests, of Rust and of Python.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut directories = ["crates", "functions", "tests"]
        .map(|folder| root().join(folder))
        .to_vec();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let test = match path.extension().and_then(|extension| extension.to_str()) {
                Some("rs") => "fn ",
                Some("py") => "def test_",
                _ => continue,
            };
            let code = std::fs::read_to_string(&path).expect("text");
            let lines: Vec<&str> = code.lines().map(str::trim_start).collect();
            for (at, line) in lines.iter().enumerate() {
                let line = line.strip_prefix("async ").unwrap_or(line);
                let Some(rest) = line.strip_prefix(test) else { continue };
                let is_test = test == "def test_"
                    || lines[..at]
                        .iter()
                        .rev()
                        .take_while(|before| before.starts_with("#["))
                        .any(|before| before.contains("test"));
                let name = rest.split('(').next().unwrap_or_default();
                if is_test {
                    names.insert(format!(
                        "{}{name}",
                        test.trim_start_matches("fn ").trim_start_matches("def ")
                    ));
                }
            }
        }
    }
    names
}

#[test]
fn every_surprise_of_aws_names_tests_that_exist_or_says_why_there_is_none() {
    let support = read("docs/support.md");
    let table = support.split("## Surprises of AWS").nth(1).expect("the section");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Surprise"))
        .collect();
    assert!(rows.len() >= 27, "only {} rows", rows.len());
    let tests = tests();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, told] = cells[..] else {
            panic!("two columns: {row}")
        };
        if let Some(why) = told.strip_prefix("Not tested here: ") {
            assert!(why.len() > 10, "{row}");
            continue;
        }
        let named: Vec<&str> = told.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
    }
}

/// What the first columns of a document's tables name.
fn told_in(document: &str) -> BTreeSet<&str> {
    document
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2))
        .collect()
}

fn template() -> Value {
    serde_json::from_str(&read("target/rendered/template.json")).expect("make render")
}

/// The parameters that operators set.
fn parameters(template: &Value) -> impl Iterator<Item = &str> {
    let all = template["Parameters"].as_object().expect("parameters").keys();
    // Only tests change it.
    all.map(String::as_str).filter(|parameter| *parameter != "EventSource")
}

#[test]
fn the_handbook_tells_every_error_parameter_metric_and_alarm_and_none_that_is_not() {
    let handbook = read("docs/operations.md");
    let template = template();
    let of_section = |title: &str| -> BTreeSet<&str> {
        let section = handbook.split(&format!("\n## {title}\n")).nth(1).expect(title);
        told_in(section.split("\n## ").next().unwrap_or_default())
    };
    let errors: BTreeSet<&str> = domain::error::Error::NAMES.iter().copied().collect();
    assert_eq!(of_section("Errors"), errors);
    let metrics: BTreeSet<&str> = runtime::metrics::Metric::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(of_section("Metrics"), metrics);
    assert_eq!(
        of_section("Change a parameter"),
        parameters(&template).collect::<BTreeSet<&str>>()
    );
    let resources = template["Resources"].as_object().expect("resources").values();
    let alarms: BTreeSet<String> = resources
        .filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm")
        .filter_map(|alarm| alarm["Properties"]["AlarmName"].as_str())
        .map(|name| name.replacen("snapferry", "<stack>", 1))
        .collect();
    let told: BTreeSet<String> = of_section("Alarms").into_iter().map(str::to_owned).collect();
    assert_eq!(told, alarms);
}

#[test]
fn the_readme_tells_every_parameter_and_every_tag() {
    let readme = read("README.md");
    let template = template();
    let told = told_in(&readme);
    for parameter in parameters(&template) {
        assert!(
            told.contains(parameter),
            "the README does not tell of the parameter {parameter}"
        );
    }
    for tag in domain::retention_rules::RetentionRules::RULES
        .iter()
        .map(|rule| rule.tag)
    {
        let suffix = tag.strip_prefix("snapferry:keep").unwrap_or_default();
        assert!(
            told.contains(tag) || told.contains(suffix),
            "the README does not tell of the tag {tag}"
        );
    }
}

#[test]
fn the_key_policy_of_the_readme_allows_what_the_roles_ask_of_the_key() {
    let readme = read("README.md");
    let section = readme.split("### Key policy").nth(1).expect("the section");
    let json = section
        .split("```json")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a policy");
    let policy: Value = serde_json::from_str(json).expect("JSON");
    let list = |value: &Value| -> Vec<String> {
        let one = value.as_str().map(str::to_owned).into_iter();
        let many = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned);
        one.chain(many).collect()
    };
    let roles: Value = serde_json::from_str(&read("target/rendered/policies.json")).expect("make render");
    for (function, role) in [
        ("ListTargets", "ROLE_OF_LIST_TARGETS"),
        ("StartCopy", "ROLE_OF_START_COPY"),
    ] {
        let allowed: Vec<String> = policy["Statement"]
            .as_array()
            .expect("statements")
            .iter()
            .filter(|statement| {
                statement["Principal"]["AWS"]
                    .as_str()
                    .is_some_and(|arn| arn.ends_with(role))
            })
            .flat_map(|statement| list(&statement["Action"]))
            .collect();
        let documents = roles[function]["policies"].as_array().expect("policies").iter();
        let statements = documents.flat_map(|document| document["Statement"].as_array().expect("statements"));
        let of_the_destination = |statement: &&Value| {
            let mut resources = list(&statement["Resource"]).into_iter();
            resources.any(|resource| resource.contains(":kms:eu-west-1:"))
        };
        let mut asked = 0;
        for action in statements
            .filter(of_the_destination)
            .flat_map(|statement| list(&statement["Action"]))
        {
            let is_allowed = allowed.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(begin) => action.starts_with(begin),
                None => *pattern == action,
            });
            assert!(
                is_allowed,
                "{function} asks for {action}, which the README's key policy does not allow"
            );
            asked += 1;
        }
        assert!(asked > 0, "{function} asks nothing of the key");
    }
}
