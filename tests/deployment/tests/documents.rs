//! The documents against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use deployment::{DESTINATION, STACKS};
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
    let mut directories = ["cli", "crates", "functions", "tests"]
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
        let [_, held_by] = cells[..] else {
            panic!("two columns: {row}")
        };
        if let Some(why) = held_by.strip_prefix("Not tested here: ") {
            assert!(why.len() > 10, "{row}");
            continue;
        }
        assert_names_tests(&tests, held_by, row);
    }
}

/// What a cell of a table names in backticks are tests, and there is one.
fn assert_names_tests(tests: &BTreeSet<String>, held_by: &str, row: &str) {
    let named: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
    assert!(!named.is_empty(), "no test: {row}");
    for name in named {
        assert!(tests.contains(name), "there is no test {name}: {row}");
    }
}

/// Kind 9 (D3, M4, M5, M12): each reason for which a database has no fresh copy has the field that says so, and a test.
#[test]
fn every_reason_for_having_no_fresh_copy_names_a_field_and_a_test_that_exists() {
    let support = read("docs/support.md");
    let section = support.split("## What is not expected to have a fresh copy").nth(1);
    let table = section
        .and_then(|rest| rest.split("\n## ").next())
        .expect("the section");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Reason"))
        .collect();
    assert!(rows.len() >= 11, "only {} rows", rows.len());
    let tests = tests();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, field, _, held_by] = cells[..] else {
            panic!("four columns: {row}")
        };
        assert!(field.contains('`'), "no field: {row}");
        assert_names_tests(&tests, held_by, row);
    }
}

/// D10: KMS refuses a policy that names roles which do not exist, and those of the stack exist after it.
#[test]
fn the_first_steps_of_the_deployment_name_nothing_that_only_the_stack_makes() {
    let readme = read("README.md");
    let deploy = readme.split("\n## Deploy\n").nth(1).expect("the section");
    let before = deploy.split("make build").next().expect("the steps before");
    assert!(before.contains("Its default key policy is enough"), "{before}");
    assert!(!before.contains("Role") && !before.contains("ROLE"), "{before}");
    let parameters = read("docs/parameters.md");
    let policy = parameters.split("\n## Key policy\n").nth(1).expect("the section");
    let explained = policy.split("```json").next().expect("what stands before the policy");
    assert!(
        explained.contains("KMS refuses a policy that names them before"),
        "{explained}"
    );
    // What the first deployment needs is in the first statement, which is the one of a new key.
    let first = policy.split("\"Sid\": \"").nth(1).expect("a statement");
    assert!(first.starts_with("Administer") && first.contains(":root\""), "{first}");
}

/// Findings that are answered by a sentence: what AWS does there, or what an operator has to know.
#[test]
fn the_documents_say_what_no_code_can_mend() {
    for (finding, document, said) in [
        (
            "D5",
            "docs/operations.md",
            "Choose `ObjectiveHours` for your slowest copy",
        ),
        ("L10", "docs/operations.md", "let go what you no longer need"),
        (
            "m2",
            "docs/operations.md",
            "so that the alarm `<stack>-failed-runs` goes off",
        ),
        ("m5", "docs/operations.md", "Those that StackSets give"),
        (
            "m6",
            "docs/operations.md",
            "Leave the log level of the functions at INFO",
        ),
        (
            "m7",
            "docs/operations.md",
            "KMS may take five minutes until permissions follow it",
        ),
        (
            "m8",
            "docs/operations.md",
            "A blue/green switchover gives the name to the new database",
        ),
        ("m9", "README.md", "for each database `KeepCopies` and one more"),
        ("m10", "README.md", "Start with `DryRun` set to `true`"),
        (
            "m14",
            "docs/operations.md",
            "Executions vanish 90 days after they ended",
        ),
        (
            "m16",
            "docs/operations.md",
            "RDS makes no automated backup of that instance",
        ),
        (
            "m18",
            "docs/operations.md",
            "CloudWatch searches a bounded number of metrics",
        ),
        ("section 7", "SECURITY.md", "no protection against ransomware"),
        (
            "facts 2, 0.2",
            "README.md",
            "copies of clusters are always stored in full",
        ),
        ("facts 2, 0.4", "docs/support.md", "create-db-shard-group"),
        (
            "facts 2, 0.5",
            "docs/operations.md",
            "RDS has not restored to magnetic storage",
        ),
        ("facts 2, 0.6", "docs/operations.md", "first backs itself up"),
        // Only copies of the owner that are verified.
        (
            "N24",
            "docs/operations.md",
            "starts_with(DBSnapshotIdentifier, 'snapferry-') && TagList[?Key=='snapferry:verified' && Value!='mismatch']",
        ),
        ("N26", "README.md", "cargo run -p snapferry -- status"),
    ] {
        assert!(
            read(document).contains(said),
            "{finding}: {document} does not say {said:?}"
        );
    }
}

/// m12: account numbers, keys and addresses are written to a file that git ignores.
#[test]
fn what_sam_writes_down_is_not_in_the_repository() {
    assert!(read(".gitignore").lines().any(|line| line == "/infra/samconfig.toml"));
    assert!(root().join("infra/samconfig.example.toml").exists());
    let example = read("infra/samconfig.example.toml");
    assert!(!example.contains("parameter_overrides"), "{example}");
}

/// What the first columns of a document's tables name.
fn named_in(document: &str) -> BTreeSet<&str> {
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
fn the_handbook_has_every_error_parameter_metric_and_alarm_and_no_other() {
    let handbook = read("docs/operations.md");
    let template = template();
    let of_section = |title: &str| -> BTreeSet<&str> {
        let section = handbook.split(&format!("\n## {title}\n")).nth(1).expect(title);
        named_in(section.split("\n## ").next().unwrap_or_default())
    };
    let errors: BTreeSet<&str> = domain::error::Error::NAMES.iter().copied().collect();
    assert_eq!(of_section("Errors"), errors);
    let metrics: BTreeSet<&str> = runtime::metrics::Metric::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(of_section("Metrics"), metrics);
    assert_eq!(
        of_section("Change a parameter"),
        parameters(&template).collect::<BTreeSet<&str>>()
    );
    let alarms: BTreeSet<String> = STACKS
        .iter()
        .flat_map(|stack| stack.resources_of("AWS::CloudWatch::Alarm"))
        .filter_map(|(_, alarm)| alarm["AlarmName"].as_str().map(str::to_owned))
        .map(|name| name.replacen("snapferry", "<stack>", 1))
        .collect();
    let named: BTreeSet<String> = of_section("Alarms").into_iter().map(str::to_owned).collect();
    assert_eq!(named, alarms);
}

#[test]
fn every_parameter_of_the_destination_stack_is_described_with_its_default() {
    let description = read("docs/parameters.md");
    // What it has in common with the other stack is in a section of its own.
    let lines = ["The destination stack", "Rules of an organization"].map(|title| {
        let section = description.split(&format!("\n## {title}\n")).nth(1).expect(title);
        section.split("\n## ").next().unwrap_or_default().lines()
    });
    let defaults: BTreeMap<&str, &str> = lines
        .into_iter()
        .flatten()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.split('|').skip(1).map(|cell| cell.trim().trim_matches('`'));
            (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
        })
        .collect();
    let template = DESTINATION.rendered("template.json");
    let declared: BTreeMap<&str, String> = template["Parameters"]
        .as_object()
        .expect("parameters")
        .iter()
        .map(|(name, parameter)| {
            let default = &parameter["Default"];
            let shown = default.as_str().map(str::to_owned);
            (
                name.as_str(),
                shown.unwrap_or_else(|| default.to_string()).replace("null", ""),
            )
        })
        .collect();
    let declared: BTreeMap<&str, &str> = declared
        .iter()
        .map(|(name, default)| (*name, default.as_str()))
        .collect();
    assert_eq!(defaults, declared);
}

#[test]
fn every_parameter_and_every_tag_is_described() {
    let description = read("docs/parameters.md");
    let template = template();
    let described = named_in(&description);
    for parameter in parameters(&template) {
        assert!(
            described.contains(parameter),
            "docs/parameters.md does not describe the parameter {parameter}"
        );
    }
    for tag in domain::retention_rules::RetentionRules::RULES
        .iter()
        .map(|rule| rule.tag)
    {
        let suffix = tag.strip_prefix("snapferry:keep").unwrap_or_default();
        assert!(
            described.contains(tag) || described.contains(suffix),
            "docs/parameters.md does not describe the tag {tag}"
        );
    }
}

#[test]
fn the_key_policy_of_the_documents_allows_what_the_roles_ask_of_the_key() {
    let description = read("docs/parameters.md");
    let section = description.split("## Key policy").nth(1).expect("the section");
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
    let [source, destination] = ["target/rendered", "target/rendered/destination"].map(|folder| -> Value {
        serde_json::from_str(&read(&format!("{folder}/policies.json"))).expect("make render")
    });
    for (roles, function, role) in [
        (&source, "ListTargets", "ROLE_OF_LIST_TARGETS"),
        (&source, "StartCopy", "ROLE_OF_START_COPY"),
        (&destination, "MeasureCopies", "ROLE_OF_MEASURE_COPIES"),
        (&destination, "StartRestore", "ROLE_OF_START_RESTORE"),
    ] {
        let allowed: Vec<String> = policy["Statement"]
            .as_array()
            .expect("statements")
            .iter()
            .filter(|statement| {
                list(&statement["Principal"]["AWS"])
                    .iter()
                    .any(|arn| arn.ends_with(role))
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
                "{function} asks for {action}, which the key policy of docs/parameters.md does not allow"
            );
            asked += 1;
        }
        assert!(asked > 0, "{function} asks nothing of the key");
    }
}

/// N9: what it is for, and that it has not met AWS, before anything else; and no more words than
/// are read in seven minutes before the part that is looked up.
#[test]
fn the_readme_begins_with_its_purpose_and_its_status_and_is_short() {
    let readme = read("README.md");
    let body = readme.strip_prefix("# Snapferry\n\n").expect("the title");
    let (first, rest) = body.split_once("\n\n").expect("the first paragraph");
    assert!(
        first.split(". ").flat_map(|part| part.split(".\n")).count() <= 3,
        "{first}"
    );
    for term in ["disaster recovery", "recovery point objective (RPO)"] {
        assert!(first.contains(term), "the first three sentences do not say {term:?}");
    }
    assert!(rest.starts_with("**Status:**"), "{rest}");
    let (told, _) = readme.split_once("\n## Reference\n").expect("the reference part");
    let words = told.split_whitespace().count();
    assert!(words <= 1600, "{words} words before the reference part");
}

/// The place that a heading is linked by.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        _ => character.is_alphanumeric().then(|| character.to_ascii_lowercase()),
    });
    kept.collect()
}

/// The lines of a document that are no code.
fn prose(document: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    document.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

const DOCUMENTS: [&str; 12] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "SECURITY.md",
    "docs/accept.md",
    "docs/architecture.md",
    "docs/operations.md",
    "docs/parameters.md",
    "docs/performance.md",
    "docs/support.md",
    "tests/README.md",
];

/// A section that is moved takes its links with it.
#[test]
fn every_link_leads_to_a_file_and_to_a_heading_that_exist() {
    let mut links = 0;
    for document in DOCUMENTS {
        let text = read(document);
        let folder = Path::new(document).parent().expect("a folder");
        for link in prose(&text).flat_map(|line| line.split("](").skip(1)) {
            let target = link.split(')').next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                PathBuf::from(document)
            } else {
                folder.join(file)
            };
            let full = root().join(&path);
            assert!(full.exists(), "{document} links to {target}");
            if heading.is_empty() {
                continue;
            }
            let linked = std::fs::read_to_string(&full).expect("text");
            let headings = prose(&linked).filter(|line| line.starts_with('#'));
            let anchors: BTreeSet<String> = headings.map(|line| anchor(line.trim_start_matches('#'))).collect();
            assert!(anchors.contains(heading), "{document} links to {target}: {anchors:?}");
        }
    }
    assert!(links > 50, "only {links} links");
}

/// N25: whoever reads on meets the same two regions, as in the demo.
#[test]
fn examples_copy_from_and_to_the_same_two_regions_everywhere() {
    let mut examples = 0;
    for document in DOCUMENTS.into_iter().chain(["cli/src/args.rs"]) {
        let text = read(document);
        // The tests of the command line take what they like.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (option, allowed) in [
            ("--destination ", &["eu-central-1", "REGION"][..]),
            ("--region ", &["eu-west-1", "eu-central-1", "REGION"]),
        ] {
            for rest in text.split(option).skip(1) {
                let end = |character: char| !(character.is_ascii_alphanumeric() || character == '-');
                let region = rest.split(end).next().unwrap_or_default();
                let is_code = region.bytes().any(|byte| byte.is_ascii_digit()) || region == "REGION";
                if is_code {
                    examples += 1;
                    assert!(allowed.contains(&region), "{document}: {option}{region}");
                }
            }
        }
    }
    assert!(examples > 10, "only {examples} examples");
    let template = read("infra/template.yaml");
    assert!(template.contains("The region that receives the copies, for example eu-central-1."));
}

/// The notification of the handbook is the one that is sent.
#[test]
fn the_sample_of_a_notification_has_the_words_of_the_state_machine() {
    let handbook = read("docs/operations.md");
    let sample = handbook
        .split("\n### A notification\n")
        .nth(1)
        .and_then(|section| section.split("```").nth(1))
        .expect("a sample");
    let machine = read("statemachine/copy-fleet.asl.json");
    for (sent, shown) in [
        ("'Snapferry: ' & $failed & ' of '", "Subject: Snapferry: 2 of 23"),
        ("' databases not copied to ", " databases not copied to eu-central-1\n"),
        (
            " databases have no new copy in ",
            "\n2 of 23 databases have no new copy in eu-central-1.",
        ),
        (
            " Their older copies are untouched, and the next run tries again.",
            " Their older copies are untouched, and the next run tries again.\n\n",
        ),
        ("'The run: '", "\nThe run: https://"),
        (
            "What each name means and what to do: docs/operations.md of Snapferry.",
            "\nWhat each name means and what to do: docs/operations.md of Snapferry.\n",
        ),
    ] {
        assert!(machine.contains(sent), "it does not send {sent:?}");
        assert!(sample.contains(shown), "the sample lacks {shown:?}");
    }
}
