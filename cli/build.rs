//! Tells the program which commit it was built from, for `snapferry --version`: that of the variable `SNAPFERRY_COMMIT`,
//! or else of the repository around it. A build without either says the version alone.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=SNAPFERRY_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(folder) = git(&["rev-parse", "--absolute-git-dir"]) {
        // Changes with every commit and checkout.
        let log = Path::new(&folder).join("logs/HEAD");
        if log.exists() {
            println!("cargo::rerun-if-changed={}", log.display());
        }
    }
    let given = std::env::var("SNAPFERRY_COMMIT").ok();
    let commit = given.or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    let version = env!("CARGO_PKG_VERSION");
    let said = match commit.filter(|commit| !commit.is_empty()) {
        Some(commit) => format!("{version} (commit {commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=SNAPFERRY_VERSION={said}");
}

/// What git says; nothing where it or its repository is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
