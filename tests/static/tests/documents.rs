//! The documents against the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names of all tests, of Rust and of Python.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut directories = vec![root().join("functions"), root().join("tests")];
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
            let text = std::fs::read_to_string(&path).expect("text");
            let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
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
