//! Imports point one way: domain <- rds <- kms, ssm and runtime <- functions, and domain, rds, kms, ssm <- the command line.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use deployment::root;
use serde_json::Value;
use step_functions::entries;

/// What each crate of the product may depend on inside this workspace.
fn allowed(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "domain" => &[],
        "rds" => &["domain"],
        "kms" | "runtime" | "ssm" => &["domain", "rds"],
        "snapferry" => &["domain", "kms", "rds", "ssm"],
        _ if root().join("functions").join(name).is_dir() => &["domain", "kms", "rds", "runtime", "ssm"],
        _ => return None,
    })
}

/// What no crate may reach, not even through others.
fn forbidden(name: &str) -> &'static [&'static str] {
    match name {
        "domain" => &["aws-", "lambda_", "tokio", "tracing"],
        "kms" | "rds" | "snapferry" | "ssm" => &["lambda_"],
        _ => &[],
    }
}

struct Package {
    name: String,
    is_member: bool,
    /// Names of what it is built from, tests left out.
    dependencies: BTreeSet<String>,
}

fn packages() -> BTreeMap<String, Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let members: BTreeSet<String> = entries(&metadata["workspace_members"]).iter().map(text).collect();
    let names: BTreeMap<String, String> = entries(&metadata["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let is_built_in = |dependency: &&Value| {
        entries(&dependency["dep_kinds"])
            .iter()
            .any(|kind| kind["kind"].is_null())
    };
    entries(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            let id = text(&node["id"]);
            let dependencies = entries(&node["deps"]).iter().filter(is_built_in);
            let package = Package {
                is_member: members.contains(&id),
                name: names[&id].clone(),
                dependencies: dependencies.map(|dependency| text(&dependency["pkg"])).collect(),
            };
            (id, package)
        })
        .collect()
}

/// Everything that a package is built from.
fn closure<'a>(packages: &'a BTreeMap<String, Package>, package: &'a Package) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![package];
    while let Some(package) = open.pop() {
        for id in &package.dependencies {
            if found.insert(packages[id].name.as_str()) {
                open.push(&packages[id]);
            }
        }
    }
    found
}

#[test]
fn imports_point_one_way() {
    let packages = packages();
    let mut product = 0;
    for package in packages.values().filter(|package| package.is_member) {
        let Some(allowed) = allowed(&package.name) else {
            continue;
        };
        product += 1;
        let members = package.dependencies.iter().filter(|id| packages[*id].is_member);
        for dependency in members.map(|id| packages[id].name.as_str()) {
            assert!(
                allowed.contains(&dependency),
                "{} must not import {dependency}",
                package.name
            );
        }
    }
    assert_eq!(product, 16, "five crates, ten functions and the command line");
}

#[test]
fn the_domain_knows_no_sdk_and_the_command_line_no_lambda() {
    let packages = packages();
    for package in packages.values().filter(|package| package.is_member) {
        let reached = closure(&packages, package);
        for prefix in forbidden(&package.name) {
            let found: Vec<_> = reached.iter().filter(|name| name.starts_with(prefix)).collect();
            assert!(found.is_empty(), "{} is built from {found:?}", package.name);
        }
    }
}
