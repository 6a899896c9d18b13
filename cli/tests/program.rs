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

/// The same with a configuration of the aws CLI in a folder of its own.
fn snapferry_with_config(name: &str, config: &str, arguments: &[&str]) -> Output {
    let home = std::env::temp_dir().join(format!("snapferry-home-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a folder");
    let file = home.join("config");
    std::fs::write(&file, config).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_snapferry"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    let said = command
        .args(arguments)
        .env("HOME", &home)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", &file)
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
        .env("AWS_MAX_ATTEMPTS", "1")
        // Nothing listens there: no call leaves this machine.
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .output()
        .expect("the program runs");
    std::fs::remove_dir_all(&home).expect("removed");
    said
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
        for command in ["status", "copies", "plan", "run", "audit", "restore-command"] {
            assert!(script.contains(command), "{command} in {shell}");
            assert!(manual.contains(&command.to_uppercase()), "{command} in the manual");
        }
    }
}

/// Case 16: every kind of profile that people use is read, alone and as the source of a role.
#[test]
fn profiles_of_every_kind_are_understood() {
    const LOGIN: &str =
        "[profile console]\nlogin_session = arn:aws:iam::123456789012:user/operator\nregion = us-east-1\n";
    const SSO: &str = "[profile console]\nsso_session = company\nsso_account_id = 123456789012\nsso_role_name = Operator\n\
        region = us-east-1\n[sso-session company]\nsso_region = us-east-1\nsso_start_url = https://company.example/start\n";
    const PROCESS: &str = "[profile console]\ncredential_process = /nowhere/credentials\nregion = us-east-1\n";
    const ROLE: &str = "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/operator\nsource_profile = console\n\
        region = us-east-1\n";
    for (name, config) in [("login", LOGIN), ("sso", SSO), ("process", PROCESS)] {
        let config = format!("{config}{ROLE}");
        for profile in ["console", "role"] {
            let place = format!("{name}-{profile}");
            let said = snapferry_with_config(&place, &config, &["status", "--profile", profile]);
            assert_eq!(said.status.code(), Some(1), "{place}");
            let error = text(&said.stderr);
            let begins = format!("error: There are no AWS credentials for the profile {profile}: ");
            assert!(error.starts_with(&begins), "{place}: {error}");
            assert!(!error.contains("cargo") && !error.contains(".."), "{place}: {error}");
            assert!(
                error.contains(&format!("aws login --profile {profile}")),
                "{place}: {error}"
            );
        }
    }
    // One that hands out credentials gets as far as the call.
    let json = r#"{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "secret"}"#;
    let config = format!("[profile console]\ncredential_process = echo '{json}'\nregion = us-east-1\n");
    let said = snapferry_with_config("works", &config, &["status", "--profile", "console"]);
    let error = text(&said.stderr);
    assert!(
        error.starts_with("error: CloudFormation in us-east-1 could not be reached"),
        "{error}"
    );
}

/// Case 20.
#[test]
fn a_region_of_an_unknown_partition_is_refused_before_any_call() {
    let json = r#"{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "secret"}"#;
    let config = format!("[profile console]\ncredential_process = echo '{json}'\n");
    for arguments in [
        &["status", "--region", "eusc-de-east-1"][..],
        &["run", "--region", "eusc-de-east-1"],
        &["audit", "--destination", "eusc-de-east-1"],
    ] {
        let arguments = [arguments, &["--profile", "console"][..]].concat();
        let said = snapferry_with_config(&arguments[0..2].join(""), &config, &arguments);
        assert_eq!(said.status.code(), Some(1));
        let error = text(&said.stderr);
        assert!(
            error.starts_with("error: eusc-de-east-1 is in a partition that Snapferry does not know"),
            "{error}"
        );
    }
}

/// Kind 13.
#[test]
fn numbers_and_times_of_any_size_get_a_sentence() {
    for arguments in [
        &["status", "--objective=99999999999999d"][..],
        &["status", "--objective=-1h"],
        &["audit", "--since=99999999999999999999d"],
        &["audit", "--since=-99999999999999-01-01"],
        &["audit", "--since=+999999999-01-01"],
        &["audit", "--since=P9999999999Y"],
        &["restore-command", "orders", "--members=99999999999999999999"],
        &["restore-command", "orders", "--members=-1"],
    ] {
        let said = snapferry(arguments);
        assert_eq!(said.status.code(), Some(1), "{arguments:?}");
        let error = text(&said.stderr);
        assert!(error.starts_with("error: invalid value"), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{error}");
    }
}

/// N36: which program it is, to the commit; and no version of a command of its own.
#[test]
fn the_version_names_the_commit() {
    let said = text(&snapferry(&["--version"]).stdout);
    let version = env!("CARGO_PKG_VERSION");
    assert!(said.starts_with(&format!("snapferry {version}")), "{said}");
    if let Some((_, commit)) = said.split_once(" (commit ") {
        let commit = commit.trim_end().trim_end_matches(')');
        assert!(
            !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{said}"
        );
    }
    assert_eq!(snapferry(&["status", "--version"]).status.code(), Some(1));
}

/// N12: results that cannot be written are none.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("the device");
    let said = Command::new(env!("CARGO_BIN_EXE_snapferry"))
        .args(["completions", "bash"])
        .stdout(full)
        .output()
        .expect("the program runs");
    assert_eq!(said.status.code(), Some(1));
    let error = text(&said.stderr);
    assert!(error.starts_with("error: The results could not be written"), "{error}");
}

/// N40: nobody signs in only to read that a name or a file is wrong.
#[test]
fn what_is_wrong_in_the_arguments_is_said_before_anybody_signs_in() {
    for (arguments, says) in [
        (&["run", "--follow", "x", "--dry-run"][..], "Leave out one or the other"),
        (&["restore-command", "Bad Name!"], "is not a valid database identifier"),
        (
            &["restore-command", "orders", "--as", "x--y"],
            "is not a valid database identifier",
        ),
        (
            &["run", "--plan", "/nowhere/plan.json"],
            "/nowhere/plan.json cannot be read",
        ),
    ] {
        let said = snapferry(arguments);
        assert_eq!(said.status.code(), Some(1), "{arguments:?}");
        let error = text(&said.stderr);
        assert!(
            error.contains(says) && !error.contains("credentials"),
            "{arguments:?}: {error}"
        );
    }
}

/// Kind 13: what was typed is repeated so that a terminal does not obey it.
#[test]
fn an_argument_with_control_characters_is_not_obeyed() {
    for arguments in [
        &["status", "--objective", "1h\u{1b}[2J"][..],
        &["status", "--region", "us\u{1b}]0;x\u{7}"],
        &["\u{1b}[2J"],
    ] {
        let said = snapferry(arguments);
        assert_eq!(said.status.code(), Some(1), "{arguments:?}");
        let error = text(&said.stderr);
        assert!(error.starts_with("error: "), "{error}");
        assert!(!error.contains('\u{1b}') && !error.contains('\u{7}'), "{error:?}");
    }
}

/// N13, kind 10: a profile that is named counts before credentials of the environment, as with the AWS CLI: those may be
/// another account's.
#[test]
fn a_profile_that_is_named_counts_before_the_environment() {
    let config = "[profile work]\ncredential_process = /nowhere/credentials\nregion = us-east-1\n";
    for profile in ["work", "nope"] {
        let home = std::env::temp_dir().join(format!("snapferry-profile-{}-{profile}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        let file = home.join("config");
        std::fs::write(&file, config).expect("written");
        let said = Command::new(env!("CARGO_BIN_EXE_snapferry"))
            .args(["status", "--profile", profile, "--region", "us-east-1"])
            .env("HOME", &home)
            .env("AWS_CONFIG_FILE", &file)
            .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKIAOFANOTHERACCOUNT")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_MAX_ATTEMPTS", "1")
            // Nothing listens there: no call leaves this machine.
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
            .output()
            .expect("the program runs");
        std::fs::remove_dir_all(&home).expect("removed");
        let error = text(&said.stderr);
        let begins = format!("error: There are no AWS credentials for the profile {profile}: ");
        assert!(error.starts_with(&begins), "{error}");
        assert!(!error.contains(".."), "{error}");
    }
}
