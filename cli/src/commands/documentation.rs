//! `snapferry completions` and `snapferry man`: what the program writes about itself.

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Cli;
use crate::error::{CliError, ExitStatus};
use crate::output::terminal::Terminal;

/// Writes a completion script.
pub(crate) fn completions(shell: Shell, terminal: &mut Terminal<'_>) -> ExitStatus {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "snapferry", &mut script);
    terminal.print(&String::from_utf8_lossy(&script));
    ExitStatus::Success
}

/// Writes the manual: the program's page, and after it one section per command.
pub(crate) fn manual(terminal: &mut Terminal<'_>) -> Result<ExitStatus, CliError> {
    let page = page().map_err(|error| CliError::new(format!("The manual cannot be written: {error}."), ""))?;
    terminal.print(&String::from_utf8_lossy(&page));
    Ok(ExitStatus::Success)
}

fn page() -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let man = Man::new(subcommand.clone());
        page.extend(format!(".SH \"{}\"\n", subcommand.get_name().to_uppercase()).bytes());
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        man.render_extra_section(&mut page)?;
    }
    Ok(page)
}
