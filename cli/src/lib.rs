//! The operator's view of Snapferry, in the terminal.
//!
//! Each command is a function of the [`Cloud`], its options and the [`Screen`]: no globals, so that tests run it
//! against a simulated account in virtual time.

#![forbid(unsafe_code)]

pub mod args;
mod audit;
mod cloud;
mod copies;
mod failure;
mod follow;
pub mod machines;
pub mod moment;
mod page;
mod plan;
mod progress;
mod restore;
mod run;
mod screen;
mod stack;
mod status;
mod table;
mod words;

use std::time::Duration;

use clap::CommandFactory;
use futures_util::FutureExt;

pub use args::{Cli, Command};
pub use cloud::Cloud;
pub use copies::{DatabaseCopies, Fleet, HeldCopy};
pub use failure::{Ending, Failure};
pub use screen::{Screen, Tone};
pub use stack::Stack;
pub use table::{Cell, Column, Table};

/// How long a command may take to end well after Ctrl-C; a second Ctrl-C ends it at once.
const GRACE: Duration = Duration::from_secs(3);

/// Does what the command line says, in the account of the environment.
pub async fn run(cli: &Cli, screen: &mut Screen<'_>) -> Result<Ending, Failure> {
    let global = &cli.global;
    // With --destination nothing else is asked, not even for a session: STS answers there as well.
    let region = cli.command.destination().or(global.region.as_deref());
    let cloud = Cloud::of_environment(region, global.profile.as_deref()).await;
    if cli.command.needs_account() {
        cloud.sign_in().await?;
    }
    // Listened to from the start, so that a run that is just being started is followed up to the word how to follow it.
    let pressed = ctrl_c().boxed_local().shared();
    let mut interrupt = pressed.clone();
    let impatient = async {
        pressed.await;
        tokio::select! {
            () = tokio::time::sleep(GRACE) => {}
            () = ctrl_c() => {}
        }
    };
    tokio::select! {
        biased;
        ended = run_until(&cloud, cli, &mut interrupt, screen) => ended,
        () = impatient => Err(Failure::new(
            "Interrupted.",
            "What was started in AWS goes on; `snapferry audit` shows it.",
        )),
    }
}

/// Ctrl-C.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Then it ends the program, as it always did.
        std::future::pending::<()>().await;
    }
}

/// The same in any account, where `interrupt` ends the following of a run.
pub async fn run_until(
    cloud: &Cloud,
    cli: &Cli,
    interrupt: &mut (dyn Future<Output = ()> + Unpin),
    screen: &mut Screen<'_>,
) -> Result<Ending, Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Status(options) => status::run(cloud, global, options, screen).await,
        Command::Plan(options) => plan::run(cloud, global, options, interrupt, screen).await,
        Command::Run(options) => run::run(cloud, global, options, interrupt, screen).await,
        Command::Audit(options) => audit::run(cloud, global, options, screen).await,
        Command::RestoreCommand(options) => restore::run(cloud, global, options, screen).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "snapferry", &mut script);
            screen.print(&String::from_utf8_lossy(&script));
            Ok(Ending::Fine)
        }
        Command::Man => {
            screen.print(&manual()?);
            Ok(Ending::Fine)
        }
    }
}

/// The manual: the program's page, and after it a section a command.
fn manual() -> Result<String, Failure> {
    let unwritable = |error: std::io::Error| Failure::new(format!("The manual cannot be written: {error}."), "");
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(unwritable)?;
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let man = clap_mangen::Man::new(subcommand.clone());
        let title = format!(".SH \"{}\"\n", subcommand.get_name().to_uppercase());
        page.extend(title.bytes());
        man.render_description_section(&mut page).map_err(unwritable)?;
        man.render_options_section(&mut page).map_err(unwritable)?;
        man.render_extra_section(&mut page).map_err(unwritable)?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}
