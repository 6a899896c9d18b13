//! The program itself, as far as it needs no account: exit codes, completions, the manual.

use std::path::Path;
use std::process::{Command, Output};

use clap::{CommandFactory, Parser};
use snapferry::args::Cli;

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

/// To `doctor` it is what it finds: a line, and the exit code of something wrong.
#[test]
fn without_credentials_doctor_says_so_and_that_nothing_else_is_known() {
    let said = snapferry(&["doctor", "--region", "us-east-1"]);
    assert_eq!(said.status.code(), Some(2), "{}", text(&said.stderr));
    let found = text(&said.stdout);
    let lines: Vec<&str> = found.lines().collect();
    assert!(lines[1].starts_with("wrong    credentials us-east-1"), "{found}");
    assert!(
        lines[1].contains("There are no AWS credentials. Sign in (aws login"),
        "{found}"
    );
    assert!(lines[2].starts_with("unknown  everything else"), "{found}");
    assert_eq!(lines.last(), Some(&"0 good, 0 warning, 1 wrong, 1 unknown."), "{found}");
}

#[test]
fn completions_and_the_manual_name_every_command() {
    let manual = text(&snapferry(&["man"]).stdout).replace("\\-", "-");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&snapferry(&["completions", shell]).stdout);
        for command in [
            "status",
            "copies",
            "plan",
            "run",
            "audit",
            "restore-command",
            "restore-plan",
            "drill",
            "estimate",
        ] {
            assert!(script.contains(command), "{command} in {shell}");
            assert!(
                manual.contains(&format!("snapferry-{command}(1)")),
                "{command} in the manual"
            );
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
        let begins = match profile {
            "work" => "error: There are no AWS credentials for the profile work: ",
            _ => "error: There is no profile nope in the AWS configuration",
        };
        assert!(error.starts_with(begins), "{error}");
        assert!(!error.contains(".."), "{error}");
    }
}

/// N13: a profile that does not exist is named, with those that exist; the SDK's words for it only with `--verbose`.
#[test]
fn a_profile_that_does_not_exist_is_named_with_those_that_do() {
    let config = "[default]\nregion = us-east-1\n[profile work]\nregion = us-east-1\n";
    let said = snapferry_with_config("no-profile", config, &["status", "--profile", "nope"]);
    assert_eq!(said.status.code(), Some(1));
    assert_eq!(
        text(&said.stderr),
        "error: There is no profile nope in the AWS configuration (~/.aws/config, or the file of AWS_CONFIG_FILE).\n\
         There are: default, work. Name one with --profile or AWS_PROFILE.\n"
    );
    let said = snapferry_with_config("verbose", config, &["status", "--profile", "nope", "--verbose"]);
    let error = text(&said.stderr);
    assert!(error.contains("\ncause: ") && error.contains("`nope`"), "{error}");
    // Without any file there is none.
    let error = text(&snapferry(&["status", "--profile", "nope"]).stderr);
    assert!(error.contains("It has none: aws configure"), "{error}");
}

/// N13: the places where the SDK looks for credentials are shown on demand only.
#[test]
fn the_chain_of_providers_is_shown_only_if_that_is_asked_for() {
    let error = text(&snapferry(&["status", "--region", "us-east-1"]).stderr);
    assert_eq!(error.lines().count(), 2, "{error}");
    let verbose = text(&snapferry(&["status", "--region", "us-east-1", "--verbose"]).stderr);
    assert!(verbose.starts_with(&error), "{verbose}");
    assert!(verbose.contains("\ncause: "), "{verbose}");
    assert!(verbose.contains("AWS_EC2_METADATA_DISABLED"), "{verbose}");
}

/// `--verbose` shows the calls, their hosts and how they ended, on standard error.
#[test]
fn verbose_shows_each_call_and_all_causes() {
    let json = r#"{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "secret"}"#;
    let config = format!("[profile console]\ncredential_process = echo '{json}'\nregion = us-east-1\n");
    let arguments = ["status", "--profile", "console", "--verbose"];
    let said = snapferry_with_config("calls", &config, &arguments);
    let error = text(&said.stderr);
    assert!(
        error.starts_with("call: CloudFormation DescribeStacks at 127.0.0.1:1: no answer, "),
        "{error}"
    );
    assert!(
        error.contains("\nerror: CloudFormation in us-east-1 could not be reached"),
        "{error}"
    );
    assert!(error.contains("\ncause: dispatch failure"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    assert!(said.stdout.is_empty());
    let quiet = text(&snapferry_with_config("no-calls", &config, &arguments[..3]).stderr);
    assert!(!quiet.contains("call: ") && !quiet.contains("cause: "), "{quiet}");
}

/// N41: an endpoint that is not a URL is named before anything is called.
#[test]
fn a_bad_endpoint_is_named() {
    for (variable, named) in [
        ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL_RDS", "AWS_ENDPOINT_URL_RDS"),
    ] {
        let said = Command::new(env!("CARGO_BIN_EXE_snapferry"))
            .args(["status", "--region", "us-east-1"])
            .env("AWS_CONFIG_FILE", "/nowhere/config")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .env(variable, "notaurl")
            .output()
            .expect("the program runs");
        let error = text(&said.stderr);
        let begins = format!("error: {named} is \"notaurl\", which is not the URL of an endpoint.\nWrite it as ");
        assert!(error.starts_with(&begins), "{error}");
        assert_eq!(said.status.code(), Some(1));
    }
}

/// N28: the formatter of manual pages has nothing to say about ours.
#[test]
fn manual_pages_are_formatted_without_a_warning_and_examples_stay_as_they_are() {
    let folder = std::env::temp_dir().join(format!("snapferry-man-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let said = snapferry(&["man", "--all", &folder.to_string_lossy()]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    let mut pages: Vec<_> = std::fs::read_dir(&folder).expect("the folder").flatten().collect();
    pages.sort_by_key(std::fs::DirEntry::file_name);
    assert_eq!(pages.len(), 15);
    for page in pages {
        let formatted = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-P-c"])
            .arg(page.path())
            .output();
        // Not every computer has it.
        let Ok(formatted) = formatted else { continue };
        assert!(formatted.stderr.is_empty(), "{}", text(&formatted.stderr));
        let shown = text(&formatted.stdout);
        if page.file_name() == "snapferry-status.1" {
            let example = "status --json | jq -r '.databases[] | select(.state | IN(\"no-copy\", \"late\")) | .name'";
            assert!(shown.contains(example), "{shown}");
        }
    }
    std::fs::remove_dir_all(&folder).expect("removed");
    let refused = snapferry(&["man", "--all", "/nowhere/man1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("/nowhere/man1/snapferry.1 cannot be written"));
}

/// N42, in bash as it is: after an option that takes no file there are no files, and profiles come from the configuration.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_regions_and_profiles_and_no_files() {
    let home = std::env::temp_dir().join(format!("snapferry-bash-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a folder");
    std::fs::write(
        home.join("config"),
        "[profile work]\nregion = us-east-1\n[profile home]\n",
    )
    .expect("written");
    std::fs::write(home.join("a-file"), "").expect("written");
    let program = env!("CARGO_BIN_EXE_snapferry");
    let offered = |line: &str| {
        let script = format!(
            "source <('{program}' completions bash)\n\
             COMP_LINE='{program} {line}'; COMP_POINT=${{#COMP_LINE}}\n\
             read -r -a COMP_WORDS <<<\"$COMP_LINE\"; [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')\n\
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _snapferry_names '{program}' \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let said = Command::new("bash")
            .args(["-c", &script])
            .current_dir(&home)
            .env("AWS_CONFIG_FILE", home.join("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
            .output()
            .expect("bash runs");
        let out = text(&said.stdout);
        out.lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(offered("status --profile "), ["home", "work"]);
    assert_eq!(offered("status --profile w"), ["work"]);
    assert_eq!(
        offered("status --destination eu-w"),
        ["eu-west-1", "eu-west-2", "eu-west-3"]
    );
    assert_eq!(offered("status --objective "), [""; 0]);
    assert_eq!(offered("audit --since "), [""; 0]);
    assert_eq!(offered("audit --html a-f"), ["a-file"]);
    assert_eq!(offered("man st"), ["status", "stop"]);
    std::fs::remove_dir_all(&home).expect("removed");
}

/// The commands in a document: in a block of code, or between backticks in a sentence.
fn commands_of(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if in_code || line.starts_with("  snapferry ") {
            found.push(line.trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found.retain(|text| text.starts_with("snapferry ") && !text.starts_with("snapferry __"));
    found
}

/// The arguments of a command as it is written, with something for each word in capitals.
fn arguments_of(command: &str) -> Vec<String> {
    let ends = [" #", " |", " >", " &&"];
    let end = ends
        .iter()
        .filter_map(|end| command.find(end))
        .min()
        .unwrap_or(command.len());
    let words = command[..end].split_whitespace();
    let filled = words.map(|word| match word.trim_matches(['[', ']']) {
        "TIME" | "WHEN" => "2026-11-24".to_owned(),
        "REGION" => "eu-central-1".to_owned(),
        "ID" => "acme".to_owned(),
        "DATABASE" => "orders".to_owned(),
        word => word.trim_matches(['<', '>']).to_owned(),
    });
    filled.collect()
}

/// N10, N29: a command that is written somewhere is one that the program understands.
#[test]
fn every_command_in_the_documents_and_in_the_help_can_be_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut commands = Vec::new();
    for document in [
        "README.md",
        "SECURITY.md",
        "docs/operations.md",
        "docs/parameters.md",
        "docs/support.md",
    ] {
        let text = std::fs::read_to_string(root.join(document)).expect(document);
        commands.extend(commands_of(&text));
    }
    for command in Cli::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        commands.extend(commands_of(&help));
    }
    assert!(commands.len() > 60, "only {} commands", commands.len());
    for command in commands {
        if let Err(error) = Cli::try_parse_from(arguments_of(&command)) {
            // A command may be named without what it needs.
            let is_named_only = command.split_whitespace().count() == 2
                && error.kind() == clap::error::ErrorKind::MissingRequiredArgument;
            assert!(!error.use_stderr() || is_named_only, "{command}: {error}");
        }
    }
}
