//! The program: reads the command line, and ends with an exit code. What it does is in the library.

use std::borrow::Cow;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use snapferry::args::Cli;
use snapferry::error::ExitStatus;
use snapferry::output::printable::printable;
use snapferry::output::terminal::Terminal;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
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
    let ended = Box::pin(snapferry::run(&cli, &mut terminal)).await;
    let mut status = ended.unwrap_or_else(|error| {
        terminal.eprintln(&format!("error: {error}"));
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
