//! The program: reads the command line, and ends with an exit code. What it does is in the library.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use snapferry::args::Cli;
use snapferry::error::ExitStatus;
use snapferry::output::printable::printable;
use snapferry::output::terminal::Terminal;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned());
    let arguments: Vec<String> = arguments.collect();
    if let Some(offered) = snapferry::complete(&arguments).await {
        // A shell that has gone away wants none.
        let _ = std::io::stdout().write_all(offered.as_bytes());
        return ExitStatus::Success.into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            show(&error);
            // 2 is clap's code for wrong usage; here it says that an RPO objective is not met.
            return if error.use_stderr() {
                ExitStatus::Error
            } else {
                ExitStatus::Success
            }
            .into();
        }
    };
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let mut terminal = Terminal::from_process(&mut out, &mut err, cli.global.no_color);
    if cli.global.verbose {
        // Lines of calls would end up among the bars.
        terminal = terminal.without_live_progress();
    }
    let ended = Box::pin(snapferry::run(&cli, &mut terminal)).await;
    let mut status = ended.unwrap_or_else(|error| {
        terminal.eprintln(&format!("error: {error}"));
        if cli.global.verbose {
            for cause in error.causes() {
                terminal.eprintln(&format!("cause: {cause}"));
            }
        }
        ExitStatus::Error
    });
    if let Some(failure) = terminal.failure() {
        let text = format!("error: The results could not be written: {failure}.\nFree the disk, or write elsewhere.");
        terminal.eprintln(&text);
        status = ExitStatus::Error;
    }
    status.into()
}

/// Writes what the parser says. It repeats what was typed, which may hold what a terminal obeys: then without colours.
fn show(error: &clap::Error) {
    let is_obeyed = |argument: OsString| matches!(printable(&argument.to_string_lossy()), Cow::Owned(_));
    if std::env::args_os().any(is_obeyed) {
        eprint!("{}", printable(&error.render().to_string()));
    } else {
        let _ = error.print();
    }
}
