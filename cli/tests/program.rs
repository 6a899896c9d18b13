//! The program itself, as far as it needs no account: exit codes, completions, the manual.

use std::process::{Command, Output};

/// Runs the program without anything of the environment's account.
fn snapferry(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snapferry"));
    let aws = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_"));
    for (name, _) in aws {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nowhere/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn wrong_usage_is_an_error_and_no_missed_rpo_objective() {
    let said = snapferry(&["status", "--nonsense"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("--nonsense"));
    let said = snapferry(&["status", "--objective", "soon"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("26h"), "{}", text(&said.stderr));
}

#[test]
fn help_is_no_error() {
    let said = snapferry(&["status", "--help"]);
    assert_eq!(said.status.code(), Some(0));
    assert!(text(&said.stdout).contains("Examples:"));
}

#[test]
fn without_credentials_it_says_how_to_sign_in() {
    let said = snapferry(&["status", "--region", "us-east-1"]);
    assert_eq!(said.status.code(), Some(1));
    let error = text(&said.stderr);
    assert!(error.starts_with("error: There are no AWS credentials"), "{error}");
    assert!(error.contains("aws sso login"), "{error}");
    assert!(said.stdout.is_empty());
}

#[test]
fn completions_and_the_manual_name_every_command() {
    let manual = text(&snapferry(&["man"]).stdout);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&snapferry(&["completions", shell]).stdout);
        for command in ["status", "plan", "run", "audit", "restore-command"] {
            assert!(script.contains(command), "{command} in {shell}");
            assert!(manual.contains(&command.to_uppercase()), "{command} in the manual");
        }
    }
}
