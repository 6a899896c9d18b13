//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use jiff::SignedDuration;

use crate::moment::{Since, parse_length};

const EXIT_CODES: &str = "\
Exit codes:
  0  everything is as it should be
  1  the command could not do its work (wrong usage included)
  2  it could, and the answer is bad: an objective is missed, or some databases were not copied";

/// Keeps a fresh, verified copy of every RDS snapshot in another region: the operator's view.
#[derive(Debug, Parser)]
#[command(name = "snapferry", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Name of the stack
    #[arg(long, global = true, default_value = "snapferry", value_name = "NAME")]
    pub stack: String,
    /// Region of the stack and of the databases; the environment's if absent
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile of the AWS configuration
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// No colours; nor are there any in a pipe, or where `NO_COLOR` is set
    #[arg(long = "no-color", alias = "no-colour", global = true)]
    pub no_color: bool,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// How old is the newest good copy of each database?
    #[command(after_help = "\
Examples:
  snapferry status
  snapferry status --objective 2h || page-somebody
  snapferry status --json | jq -r '.databases[] | select(.state != \"good\") | .database'
  snapferry status --destination eu-west-1    # the source region is lost

With --destination nobody knows which databases still exist: those that do not are late, too.

Exit codes: 0 all within the objective, 1 error, 2 a database is not.")]
    Status(Status),
    /// What would a run do, and why? For each database: copy, wait, nothing; and which old copies it would delete
    #[command(after_help = "\
Examples:
  snapferry plan
  snapferry plan --only orders,cluster:billing
  snapferry plan --json > plan.json && snapferry run --plan plan.json --follow

It is a dry run of the deployed state machine: the functions decide, and write nothing.

Exit codes: 0 nothing would fail, 1 error, 2 some databases would fail.")]
    Plan(Plan),
    /// Start a run, and follow it
    ///
    /// A run copies the newest snapshot of every database that has no verified copy of it. It goes on in AWS whatever
    /// happens to this program: Ctrl-C only ends the following.
    #[command(after_help = "\
Examples:
  snapferry run --follow
  snapferry run --only orders,cluster:billing
  snapferry run --dry-run --follow
  snapferry run --follow run-20261122-143100-1a2b    # follow one that is under way

Exit codes: 0 started (or, followed, nothing failed), 1 error or everything failed, 2 some databases failed.")]
    Run(Run),
    /// The AWS CLI commands that restore a database from its newest verified copy
    #[command(after_help = "\
Examples:
  snapferry restore-command orders
  snapferry restore-command cluster:billing --destination eu-west-1    # the source region is lost
  snapferry restore-command orders --as orders-drill --json

What stands in capitals is to be filled in: subnet group and security groups belong to a region.

Exit codes: 0 there is a verified copy, 1 error, or there is none.")]
    RestoreCommand(RestoreCommand),
    /// What was copied, verified and deleted, as a table or as a page to hand on
    #[command(after_help = "\
Examples:
  snapferry audit
  snapferry audit --since 2026-11-01 --html audit.html
  snapferry audit --since 36h --json
  snapferry audit --destination eu-west-1    # the source region is lost: what the copies themselves tell

The page is one file without scripts; it needs no network.

Exit codes: 0 written, 1 error.")]
    Audit(Audit),
    /// Write a completion script for a shell
    #[command(after_help = "\
Examples:
  snapferry completions bash > ~/.local/share/bash-completion/completions/snapferry
  snapferry completions zsh > ~/.zfunc/_snapferry
  snapferry completions fish > ~/.config/fish/completions/snapferry.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual page
    #[command(after_help = "\
Examples:
  snapferry man | man -l -
  snapferry man > /usr/local/share/man/man1/snapferry.1")]
    Man,
}

impl Command {
    /// Whether it asks AWS anything.
    pub(crate) fn needs_account(&self) -> bool {
        !matches!(self, Self::Completions { .. } | Self::Man)
    }

    /// The region that it is narrowed to.
    pub(crate) fn destination(&self) -> Option<&str> {
        let place = match self {
            Self::Status(options) => &options.place,
            Self::Audit(options) => &options.place,
            Self::RestoreCommand(options) => &options.place,
            Self::Plan(_) | Self::Run(_) | Self::Completions { .. } | Self::Man => return None,
        };
        place.destination.as_deref()
    }
}

/// Where copies are looked for.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// Look at the copies in this region, and ask no other: for the day when the source region is lost
    #[arg(long, value_name = "REGION")]
    pub destination: Option<String>,
    /// With --destination: what the copies' names begin with (the stack's owner id)
    #[arg(long, value_name = "ID", default_value = "snapferry", requires = "destination")]
    pub owner: String,
}

/// Options of `status`.
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// Where copies are looked for.
    #[command(flatten)]
    pub place: Where,
    /// How old the newest verified copy of a database may be, by when its data was captured [default: the stack's
    /// parameter `ObjectiveHours`, or else 26h]
    #[arg(long, value_parser = parse_length, value_name = "LENGTH")]
    pub objective: Option<SignedDuration>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `audit`.
#[derive(Debug, Clone, Args)]
pub struct Audit {
    /// Where copies are looked for.
    #[command(flatten)]
    pub place: Where,
    /// Since when: a length of time (7d, 36h) or a day (2026-11-01, UTC)
    #[arg(long, default_value = "7d", value_parser = Since::parse, value_name = "WHEN")]
    pub since: Since,
    /// Write a page
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
    /// How old the newest verified copy of a database may be, for the page [default: the stack's
    /// parameter `ObjectiveHours`, or else 26h]
    #[arg(long, value_parser = parse_length, value_name = "LENGTH")]
    pub objective: Option<SignedDuration>,
}

/// Options of `plan`.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// Only these databases, with `instance:` or `cluster:` before the name where it is both
    #[arg(long, value_name = "DATABASE", value_delimiter = ',', num_args = 1..)]
    pub only: Vec<String>,
    /// Write JSON, which `run --plan` reads
    #[arg(long)]
    pub json: bool,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Only these databases, with `instance:` or `cluster:` before the name where it is both
    #[arg(long, value_name = "DATABASE", value_delimiter = ',', num_args = 1..)]
    pub only: Vec<String>,
    /// Only the databases for which this plan has something to do (`snapferry plan --json`); what is done with each is
    /// decided anew
    #[arg(long, value_name = "FILE", conflicts_with = "only", value_hint = ValueHint::FilePath)]
    pub plan: Option<PathBuf>,
    /// Copy and delete nothing; see `plan`, which also says why
    #[arg(long)]
    pub dry_run: bool,
    /// Show how far each copy is until the run ends; with the name of a run, follow that one
    #[arg(long, value_name = "EXECUTION", num_args = 0..=1, default_missing_value = "")]
    pub follow: Option<String>,
}

impl Run {
    /// Refuses to start a run and to follow another.
    pub(crate) fn check(&self) -> Result<(), crate::Failure> {
        let other = self.follow.as_deref().is_some_and(|execution| !execution.is_empty());
        if other && (self.dry_run || self.plan.is_some() || !self.only.is_empty()) {
            return Err(crate::Failure::new(
                "--follow EXECUTION follows a run that was started before; --only, --plan and --dry-run are for a new one.",
                "Leave out one or the other.",
            ));
        }
        Ok(())
    }
}

/// Options of `restore-command`.
#[derive(Debug, Clone, Args)]
pub struct RestoreCommand {
    /// The database: its identifier, with `instance:` or `cluster:` before it where a name is both
    #[arg(value_hint = ValueHint::Other)]
    pub database: String,
    /// Where copies are looked for.
    #[command(flatten)]
    pub place: Where,
    /// What the restored database is to be called; as the database was if absent
    #[arg(long = "as", value_name = "IDENTIFIER")]
    pub name: Option<String>,
    /// Member instances of a restored cluster; 2 if the cluster was Multi-AZ, else 1
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub members: Option<u32>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  snapferry "), "{}", command.get_name());
        }
    }

    #[test]
    fn the_help_documents_the_exit_codes() {
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("2  it could, and the answer is bad"), "{help}");
    }
}
