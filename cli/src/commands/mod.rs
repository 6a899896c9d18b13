//! The commands: each reads its options, collects facts, and writes them.

pub(crate) mod audit;
pub(crate) mod completion;
pub(crate) mod copies;
pub(crate) mod copy_source;
pub(crate) mod documentation;
pub(crate) mod plan;
pub(crate) mod remarks;
pub(crate) mod restore_command;
pub(crate) mod run;
pub(crate) mod status;

use crate::args::Command;
use crate::error::CliError;

/// Refuses what no account is needed for to see that it cannot be done, so that nobody signs in for it.
pub(crate) fn check(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Run(options) => run::check(options),
        Command::RestoreCommand(options) => restore_command::check(options),
        Command::Status(_)
        | Command::Copies(_)
        | Command::Plan(_)
        | Command::Audit(_)
        | Command::Completions { .. }
        | Command::Man(_) => Ok(()),
    }
}
