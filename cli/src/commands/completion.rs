//! `snapferry completions`: the scripts that complete a command line in a shell.
//!
//! What the parser knows is in the script. Profiles and databases change, so the script asks the program for them:
//! `snapferry __names profiles|databases -- WORDS`, where the words are those of the command line up to the one that is
//! being typed.

use std::time::Duration;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::{Cli, CopyOptions, Global};
use crate::aws::account::{Account, profiles};
use crate::error::{CliError, ExitStatus};
use crate::facts::copies::CopySource;
use crate::facts::fleet::Fleet;
use crate::format::database_name;
use crate::output::terminal::Terminal;

/// The first argument of a shell's question.
const ASK: &str = "__names";

/// Nobody waits longer for a name that can be typed.
const PATIENCE: Duration = Duration::from_secs(2);

const BASH: &str = include_str!("../../templates/completion.bash");
const ZSH: &str = include_str!("../../templates/completion.zsh");

/// Writes a completion script.
pub(crate) fn write(shell: Shell, terminal: &mut Terminal<'_>) -> ExitStatus {
    terminal.print(&script(shell));
    ExitStatus::Success
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "snapferry", &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Bash => format!("{script}\n{BASH}"),
        Shell::Zsh => with_names(&script, zsh_line).replacen('\n', &format!("\n\n{ZSH}"), 1),
        Shell::Fish => with_names(&script, fish_line) + &fish_positionals(),
        _ => script.into_owned(),
    }
}

fn with_names(script: &str, line: impl Fn(&str) -> String) -> String {
    script.lines().map(|text| line(text) + "\n").collect()
}

/// A line of the zsh script that takes a profile or a database asks for them.
fn zsh_line(line: &str) -> String {
    let kind = match line.trim_start() {
        text if text.starts_with("'--profile=") => "profiles",
        text if text.starts_with("'*--only=")
            || text.starts_with("'::database")
            || text.starts_with("'*::databases")
            || text.starts_with("':database") =>
        {
            "databases"
        }
        _ => return line.to_owned(),
    };
    let end = "' \\";
    match line.strip_suffix(end) {
        Some(begin) => format!("{begin}_snapferry_{kind}{end}"),
        None => line.to_owned(),
    }
}

fn fish_ask(kind: &str) -> String {
    format!(" -a \"(snapferry {ASK} {kind} -- (commandline -opc) (commandline -ct))\"")
}

fn fish_line(line: &str) -> String {
    let kind = if line.contains(" -l profile ") {
        "profiles"
    } else if line.contains(" -l only ") {
        "databases"
    } else {
        return line.to_owned();
    };
    line.to_owned() + &fish_ask(kind)
}

fn fish_positionals() -> String {
    let commands = ["copies", "restore-command", "restore-plan", "drill"].map(|command| {
        let ask = fish_ask("databases");
        format!("complete -c snapferry -n \"__fish_snapferry_using_subcommand {command}\" -f{ask}\n")
    });
    commands.concat()
}

/// What a shell asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    kind: Kind,
    /// The command line, without the word that is being typed.
    words: Vec<String>,
    typed: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Profiles,
    Databases,
}

impl Request {
    /// Reads the arguments of the program; nothing if they are not such a question.
    pub(crate) fn read(arguments: &[String]) -> Option<Self> {
        let [ask, kind, end, words @ ..] = arguments else {
            return None;
        };
        let kind = match kind.as_str() {
            "profiles" => Kind::Profiles,
            "databases" => Kind::Databases,
            _ => return None,
        };
        if ask != ASK || end != "--" {
            return None;
        }
        let (typed, words) = words.split_last()?;
        Some(Self {
            kind,
            words: words.to_vec(),
            typed: typed.clone(),
        })
    }

    /// The names that the word may become, a line for each; none where something is in the way.
    pub(crate) async fn answer(&self) -> String {
        let names = match self.kind {
            Kind::Profiles => profiles().await,
            Kind::Databases => {
                let names = tokio::time::timeout(PATIENCE, self.databases()).await;
                names.ok().and_then(Result::ok).unwrap_or_default()
            }
        };
        self.offered(&names)
    }

    fn offered(&self, names: &[String]) -> String {
        // Several may be named, with commas between them.
        let (before, last) = match (self.kind, self.typed.rfind(',')) {
            (Kind::Databases, Some(comma)) => self.typed.split_at(comma + 1),
            _ => ("", self.typed.as_str()),
        };
        let fitting = names.iter().filter(|name| name.starts_with(last));
        fitting.flat_map(|name| [before, name, "\n"]).collect()
    }

    async fn databases(&self) -> Result<Vec<String>, CliError> {
        let option = |name: &str| self.option(name);
        let destination = option("--destination");
        let region = destination.clone().or_else(|| option("--region"));
        let profile = option("--profile");
        let account = Account::from_environment(region.as_deref(), profile.as_deref()).await;
        account.sign_in().await?;
        if let Some(destination) = destination {
            let owner = option("--owner").unwrap_or_else(|| CopyOptions::OWNER.to_owned());
            let copies = CopySource::from_region(&destination, &owner).read(&account).await?;
            let names = copies.databases.iter();
            return Ok(names.map(|copies| database_name(copies.kind, &copies.id)).collect());
        }
        let stack = option("--stack").unwrap_or_else(|| Global::STACK.to_owned());
        let stack = account.stack(&stack).await?;
        let fleet = Fleet::read(&account, &stack).await?;
        let databases = fleet.databases.iter().map(|living| &living.database);
        Ok(databases
            .map(|database| database_name(database.kind, &database.id))
            .collect())
    }

    /// The value of an option that was typed before.
    fn option(&self, name: &str) -> Option<String> {
        let at = self.words.iter().rposition(|word| word == name);
        let apart = at.and_then(|at| self.words.get(at + 1)).cloned();
        let joined = self
            .words
            .iter()
            .rev()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        apart.or_else(|| joined.map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(arguments: &[&str]) -> Option<Request> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Request::read(&arguments)
    }

    #[test]
    fn only_the_question_of_a_shell_is_one() {
        assert_eq!(request(&["status"]), None);
        assert_eq!(request(&[ASK, "profiles"]), None);
        assert_eq!(request(&[ASK, "secrets", "--", "snapferry", ""]), None);
        let asked = request(&[
            ASK,
            "databases",
            "--",
            "snapferry",
            "run",
            "--stack=mine",
            "--region",
            "eu-west-1",
            "--only",
            "or",
        ]);
        let asked = asked.expect("a question");
        assert_eq!(asked.typed, "or");
        assert_eq!(asked.option("--stack").as_deref(), Some("mine"));
        assert_eq!(asked.option("--region").as_deref(), Some("eu-west-1"));
        assert_eq!(asked.option("--profile"), None);
    }

    /// N42: what is offered continues what is typed, also behind a comma.
    #[test]
    fn names_continue_the_word_that_is_typed() {
        let names = ["orders", "orders-old", "cluster:billing"].map(str::to_owned);
        let offered = |typed: &str| {
            let asked = request(&[ASK, "databases", "--", "snapferry", "copies", typed]);
            asked.expect("a question").offered(&names)
        };
        assert_eq!(offered("ord"), "orders\norders-old\n");
        assert_eq!(offered("orders,cl"), "orders,cluster:billing\n");
        assert_eq!(offered("x"), "");
    }

    /// N42: each script asks for profiles and databases where it takes one, and offers regions.
    #[test]
    fn the_scripts_offer_regions_profiles_and_databases() {
        for (shell, expected) in [
            (
                Shell::Bash,
                ["kind=profiles", "kind=databases", "compgen -W \"af-south-1 "],
            ),
            (
                Shell::Zsh,
                [
                    ":NAME:_snapferry_profiles' \\",
                    ":DATABASE:_snapferry_databases' \\",
                    ":REGION:(af-south-1 ",
                ],
            ),
            (
                Shell::Fish,
                [
                    "-l profile -d 'Profile of the AWS configuration' -r -f -a \"(snapferry __names profiles",
                    "-a \"(snapferry __names databases",
                    "-r -f -a \"af-south-1\\t''",
                ],
            ),
        ] {
            let script = script(shell);
            for part in expected {
                assert!(script.contains(part), "{shell} has no {part}\n{script}");
            }
        }
        let zsh = script(Shell::Zsh);
        assert!(zsh.starts_with("#compdef snapferry\n"), "{zsh}");
        let asking = zsh.lines().filter(|line| line.contains(":_snapferry_databases'"));
        // `plan --only`, `run --only`, and the databases of `copies`, `restore-command`, `restore-plan` and `drill`.
        assert_eq!(asking.count(), 6, "{zsh}");
    }
}
