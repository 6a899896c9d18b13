//! The operator's view of Snapferry, in the terminal.
//!
//! A command reads its options, collects facts and writes them: `commands` use `facts`, which use `aws`; `output` is for
//! commands alone. Each command is a function of the account, its options and the terminal: no globals, so that tests
//! run it against a simulated account in virtual time.

#![forbid(unsafe_code)]

pub mod args;
pub mod aws;
mod commands;
pub mod error;
mod facts;
mod format;
pub mod output;
mod quoting;

use std::time::Duration;

use futures_util::FutureExt;

use crate::args::{Cli, Command, Global};
use crate::aws::account::Account;
use crate::aws::call_log::CallLog;
use crate::commands::{
    audit, completion, copies, doctor, documentation, drill, estimate, key_policy, plan, restore_command, restore_plan,
    run as run_command, status, stop,
};
use crate::error::{CliError, ExitStatus};
use crate::output::printable::printable_line;
use crate::output::terminal::{Style, Terminal};

/// How long a command may take to end well after Ctrl-C; a second Ctrl-C ends it at once.
const GRACE: Duration = Duration::from_secs(3);

/// Does what the command line says, in the account of the environment.
pub async fn run(cli: &Cli, terminal: &mut Terminal<'_>) -> Result<ExitStatus, CliError> {
    commands::check(cli)?;
    let global = &cli.global;
    // With --destination no other region is called, not even for a session: STS answers there as well.
    let region = cli.command.destination().or(global.region.as_deref());
    let account = Account::from_environment(region, global.profile.as_deref()).await;
    let call_log = global
        .verbose
        .then(|| CallLog::new(|line| eprintln!("{}", printable_line(line))));
    let account = account.with_call_log(call_log);
    if cli.command.needs_sign_in() {
        account.sign_in().await?;
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
    let ended = tokio::select! {
        biased;
        ended = run_until(&account, cli, &mut interrupt, terminal) => Some(ended),
        () = impatient => None,
        // Nobody reads a hint then; what is drawn on the terminal goes with the command.
        () = terminated() => return Ok(ExitStatus::Terminated),
    };
    ended.unwrap_or_else(|| {
        let command = global.command("audit");
        terminal.eprintln(&format!(
            "Interrupted. What was started in AWS goes on; to see it:\n  {command}"
        ));
        Ok(ExitStatus::Interrupted)
    })
}

/// What a shell offers for a word that is being typed, a line for each: the completion scripts ask for it.
/// `arguments` are those after the name of the program; nothing, if they ask for something else.
pub async fn complete(arguments: &[String]) -> Option<String> {
    let request = completion::Request::read(arguments)?;
    Some(request.answer().await)
}

/// Ctrl-C.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Then it ends the program, as it always did.
        std::future::pending::<()>().await;
    }
}

/// `SIGTERM`.
async fn terminated() {
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        terminated.recv().await;
        return;
    }
    std::future::pending::<()>().await;
}

/// The same in any account, where `interrupt` ends the following of a run. Of several stacks each gets a report of its own,
/// and a stack that cannot be read does not hide the others.
pub async fn run_until(
    account: &Account,
    cli: &Cli,
    interrupt: &mut (dyn Future<Output = ()> + Unpin),
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let stacks = &cli.global.stacks;
    if stacks.len() < 2 {
        return run_one(account, &cli.command, &cli.global, interrupt, terminal).await;
    }
    let mut worst = ExitStatus::Success;
    for (place, stack) in stacks.iter().enumerate() {
        if !cli.command.writes_json() {
            let space = if place == 0 { "" } else { "\n" };
            terminal.println_wrapped(Style::Strong, &format!("{space}Stack {stack}"));
        }
        let global = cli.global.with_stack(stack);
        let ended = run_one(account, &cli.command, &global, interrupt, terminal).await;
        worst = worst.or_worse(ended.unwrap_or_else(|error| {
            terminal.eprintln(&format!("error: {error}"));
            ExitStatus::Error
        }));
    }
    Ok(worst)
}

async fn run_one(
    account: &Account,
    command: &Command,
    global: &Global,
    interrupt: &mut (dyn Future<Output = ()> + Unpin),
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    match command {
        Command::Status(options) => status::run(account, global, options, terminal).await,
        Command::Copies(options) => copies::run(account, global, options, terminal).await,
        Command::Estimate(options) => estimate::run(account, global, options, terminal).await,
        Command::Plan(options) => plan::run(account, global, options, interrupt, terminal).await,
        Command::Run(options) => run_command::run(account, global, options, interrupt, terminal).await,
        Command::Audit(options) => audit::run(account, global, options, terminal).await,
        Command::RestoreCommand(options) => restore_command::run(account, global, options, terminal).await,
        Command::RestorePlan(options) => restore_plan::run(account, global, options, terminal).await,
        Command::Drill(options) => drill::run(account, global, options, interrupt, terminal).await,
        Command::KeyPolicy(options) => key_policy::run(account, global, options, terminal).await,
        Command::Stop(options) => stop::run(account, global, options, terminal).await,
        Command::Doctor(options) => doctor::run(account, global, options, terminal).await,
        Command::Completions { shell } => Ok(completion::write(*shell, terminal)),
        Command::Man(options) => documentation::manual(options, terminal),
    }
}
