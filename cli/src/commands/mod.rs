//! The commands: each reads its options, collects facts, and writes them.

pub(crate) mod audit;
pub(crate) mod completion;
pub(crate) mod copies;
pub(crate) mod copy_source;
pub(crate) mod doctor;
pub(crate) mod documentation;
pub(crate) mod drill;
pub(crate) mod estimate;
pub(crate) mod foreign;
pub(crate) mod key_policy;
pub(crate) mod plan;
pub(crate) mod remarks;
pub(crate) mod restore_command;
pub(crate) mod restore_plan;
pub(crate) mod run;
pub(crate) mod run_report;
pub(crate) mod status;
pub(crate) mod stop;

use crate::args::{Cli, Command};
use crate::error::CliError;

/// Refuses what no account is needed for to see that it cannot be done, so that nobody signs in for it.
pub(crate) fn check(cli: &Cli) -> Result<(), CliError> {
    if cli.global.stacks.len() > 1 {
        check_several_stacks(&cli.command)?;
    }
    match &cli.command {
        Command::Run(options) => run::check(options),
        Command::RestoreCommand(options) => restore_command::check(options),
        Command::Drill(options) => drill::check(options),
        Command::Status(_)
        | Command::Copies(_)
        | Command::Estimate(_)
        | Command::Plan(_)
        | Command::Audit(_)
        | Command::RestorePlan(_)
        | Command::KeyPolicy(_)
        | Command::Stop(_)
        | Command::Doctor(_)
        | Command::Completions { .. }
        | Command::Man(_) => Ok(()),
    }
}

/// Only reports are made of several stacks, one after the other.
fn check_several_stacks(command: &Command) -> Result<(), CliError> {
    let refused = |what: &str| CliError::new(what, "Name one stack with --stack.");
    match command {
        Command::Audit(options) if options.html.is_some() => Err(refused("An audit page is of one stack.")),
        _ if command.destination().is_some() => Err(CliError::new(
            "--destination asks for copies whatever became of their stack, and several stacks are named.",
            "Leave out --stack, or --destination.",
        )),
        Command::Status(_) | Command::Copies(_) | Command::Audit(_) => Ok(()),
        _ => Err(refused("Only `status`, `copies` and `audit` report on several stacks.")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn only_reports_are_made_of_several_stacks() {
        let refused = |command: &str| {
            let words = format!("snapferry {command} --stack one --stack two");
            let cli = Cli::parse_from(words.split(' '));
            check(&cli).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let only = "Only `status`, `copies` and `audit` report on several stacks.";
        for (command, expected) in [
            ("estimate", only),
            ("plan", only),
            ("run", only),
            ("restore-command orders", only),
            ("restore-plan", only),
            ("drill", only),
            ("stop", only),
            ("doctor", only),
            ("key-policy --restorer arn:aws:iam::123456789012:role/dba", only),
            ("audit --html page.html", "An audit page is of one stack."),
            (
                "status --destination eu-west-1",
                "--destination asks for copies whatever",
            ),
        ] {
            assert!(
                refused(command).starts_with(expected),
                "{command}: {}",
                refused(command)
            );
        }
        for command in ["status", "copies orders", "audit --json"] {
            assert_eq!(refused(command), "", "{command}");
        }
    }
}
