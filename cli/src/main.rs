//! The program: reads the command line, and ends with an exit code. What it does is in the library.

use std::process::ExitCode;

use clap::Parser;
use snapferry::{Cli, Ending, Screen};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // 2 is clap's code for wrong usage; here it says that an objective is missed.
            return ExitCode::from(if error.use_stderr() { Ending::Error.code() } else { 0 });
        }
    };
    let (mut out, mut aside) = (std::io::stdout(), std::io::stderr());
    let mut screen = Screen::of_process(&mut out, &mut aside, cli.global.no_color);
    match Box::pin(snapferry::run(&cli, &mut screen)).await {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(failure) => {
            screen.aside(&format!("error: {failure}"));
            ExitCode::from(Ending::Error.code())
        }
    }
}
