//! Policies, and templates rendered with other parameters than `make render` gives.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use deployment::root;
use serde_json::Value;
use step_functions::entries;

/// A string or a list of strings as a list.
pub(crate) fn list(value: &Value) -> Vec<&str> {
    value.as_str().map_or_else(
        || entries(value).iter().filter_map(Value::as_str).collect(),
        |one| vec![one],
    )
}

pub(crate) fn statements(policies: &Value) -> Vec<&Value> {
    entries(&policies["policies"])
        .iter()
        .flat_map(|policy| entries(&policy["Statement"]))
        .collect()
}

/// The statements of a role that allow `action` on `resource`, as its list of resources spells it.
pub(crate) fn allowing<'a>(policies: &'a Value, action: &str, resource: &str) -> Vec<&'a Value> {
    statements(policies)
        .into_iter()
        .filter(|statement| list(&statement["Action"]).contains(&action))
        .filter(|statement| list(&statement["Resource"]).iter().any(|arn| arn.starts_with(resource)))
        .collect()
}

/// The directory of what is rendered with other parameters than `make render` gives, or what is said against them.
pub(crate) fn render_with(arguments: &[&str]) -> Result<PathBuf, String> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    // Some runners give each test a process of its own.
    let number = format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rendered-{number}"));
    let rendering = Command::new(root().join(".venv/bin/python"))
        .current_dir(root())
        .arg("tests/deployment/render.py")
        .args(arguments)
        .arg("--output")
        .arg(&directory)
        .output()
        .unwrap_or_else(|error| panic!("{error}. Run `make render` first."));
    if !rendering.status.success() {
        return Err(String::from_utf8_lossy(&rendering.stderr).into_owned());
    }
    Ok(directory)
}

/// Policies and template with other parameters.
pub(crate) fn rendered_with(arguments: &[&str]) -> Result<(Value, Value), String> {
    let directory = render_with(arguments)?;
    let read = |name: &str| {
        let text = std::fs::read_to_string(directory.join(name)).expect(name);
        serde_json::from_str(&text).expect(name)
    };
    let read = (read("policies.json"), read("template.json"));
    std::fs::remove_dir_all(&directory).expect("it was made just now");
    Ok(read)
}
