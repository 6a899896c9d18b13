//! `snapferry man`: a manual page for the program, and one for each command.

use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::{Cli, Man};
use crate::error::{CliError, ExitStatus};
use crate::output::terminal::Terminal;

/// What the program reads of its environment. The list is the one of what it calls, not of what the SDK knows.
const ENVIRONMENT: [(&str, &str); 9] = [
    (
        "AWS_PROFILE",
        "The profile of the AWS configuration, unless --profile names one.",
    ),
    (
        "AWS_REGION",
        "The region of the stack, unless --region names one. Without it, that of the profile.",
    ),
    (
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
        "Credentials. With --profile they do not count.",
    ),
    (
        "AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE",
        "Other files than those below.",
    ),
    (
        "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_CLOUDFORMATION, AWS_ENDPOINT_URL_EVENTBRIDGE, AWS_ENDPOINT_URL_KMS, \
         AWS_ENDPOINT_URL_RDS, AWS_ENDPOINT_URL_SFN, AWS_ENDPOINT_URL_SSM",
        "Where to call AWS, for a local emulator or a private endpoint.",
    ),
    ("HTTPS_PROXY, NO_PROXY", "The proxy through which AWS is called."),
    ("NO_COLOR", "If it is set and not empty, nothing is coloured."),
    ("TERM", "With dumb, nothing is coloured or drawn in place."),
    ("COLUMNS", "The width to write for, also in a pipe."),
];

const FILES: [(&str, &str); 2] = [
    (
        "~/.aws/config, ~/.aws/credentials",
        "Profiles, as the AWS CLI writes them.",
    ),
    (
        "~/.aws/sso/cache, ~/.aws/login/cache",
        "Sessions of aws sso login and aws login.",
    ),
];

/// Writes the page that was asked for, or all of them.
pub(crate) fn manual(options: &Man, terminal: &mut Terminal<'_>) -> Result<ExitStatus, CliError> {
    let pages = pages();
    if let Some(folder) = &options.all {
        for page in &pages {
            write(folder, page)?;
        }
        terminal.eprintln(&format!("Wrote {} pages to {}.", pages.len(), folder.display()));
        return Ok(ExitStatus::Success);
    }
    let name = page_name(options.command.as_deref());
    if let Some(page) = pages.iter().find(|page| page.name == name) {
        terminal.print(&page.text);
    }
    Ok(ExitStatus::Success)
}

fn write(folder: &Path, page: &ManualPage) -> Result<(), CliError> {
    let file = folder.join(format!("{}.1", page.name));
    std::fs::write(&file, &page.text).map_err(|error| {
        let what = format!("{} cannot be written: {error}.", file.display());
        CliError::new(what, "Name a folder that exists and that you may write to.")
    })
}

/// A page: its name, and its text for `man`.
struct ManualPage {
    name: String,
    text: String,
}

fn page_name(command: Option<&str>) -> String {
    command.map_or_else(|| "snapferry".to_owned(), |command| format!("snapferry-{command}"))
}

/// All pages, that of the program first.
fn pages() -> Vec<ManualPage> {
    // `help` has no page of its own.
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let commands: Vec<clap::Command> = cli.get_subcommands().cloned().collect();
    let names: Vec<String> = commands
        .iter()
        .map(|command| page_name(Some(command.get_name())))
        .collect();
    let mut pages = vec![ManualPage {
        name: page_name(None),
        text: program(&cli, &names),
    }];
    for (command, name) in commands.into_iter().zip(&names) {
        let others = std::iter::once(page_name(None)).chain(names.iter().filter(|other| *other != name).cloned());
        let others: Vec<String> = others.collect();
        pages.push(ManualPage {
            text: of_command(command, &others),
            name: name.clone(),
        });
    }
    pages
}

fn program(cli: &clap::Command, names: &[String]) -> String {
    let page = page(cli.clone());
    let mut roff = Roff::new();
    let help = Help::read(cli);
    paragraphs(&mut roff, "EXIT STATUS", &help.exit_codes);
    list(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
    list(&mut roff, "FILES", &FILES);
    see_also(&mut roff, names);
    let sections = [
        Page::render_title,
        Page::render_name_section,
        Page::render_synopsis_section,
        Page::render_description_section,
        Page::render_subcommands_section,
        Page::render_options_section,
    ];
    rendered(&page, &sections) + &roff.to_roff()
}

fn of_command(command: clap::Command, others: &[String]) -> String {
    // Those of every command are on the page of the program.
    let command = command.mut_args(|argument| {
        let is_global = argument.is_global_set();
        argument.hide(is_global)
    });
    let help = Help::read(&command);
    let page = page(command);
    let mut roff = Roff::new();
    roff.text([
        roman("The options of every command, the environment and the files are in "),
        bold("snapferry"),
        roman("(1)."),
    ]);
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in &help.examples {
        roff.text([roman(line.as_str())]);
    }
    roff.control("fi", []);
    paragraphs(&mut roff, "NOTES", &help.notes);
    paragraphs(&mut roff, "EXIT STATUS", &help.exit_codes);
    see_also(&mut roff, others);
    let sections = [
        Page::render_title,
        Page::render_name_section,
        Page::render_synopsis_section,
        Page::render_description_section,
        Page::render_options_section,
    ];
    rendered(&page, &sections) + ".PP\n" + &roff.to_roff()
}

fn page(command: clap::Command) -> Page {
    Page::new(command)
        .source(concat!("snapferry ", env!("CARGO_PKG_VERSION")))
        .manual("Snapferry")
}

type Section = fn(&Page, &mut dyn std::io::Write) -> std::io::Result<()>;

fn rendered(page: &Page, sections: &[Section]) -> String {
    let mut text = Vec::new();
    for section in sections {
        // Memory does not refuse.
        let _ = section(page, &mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What stands below the options in the help of a command.
#[derive(Debug, Default)]
struct Help {
    examples: Vec<String>,
    notes: Vec<String>,
    exit_codes: Vec<String>,
}

impl Help {
    fn read(command: &clap::Command) -> Self {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut help = Self::default();
        for block in text.split("\n\n") {
            if let Some(examples) = block.strip_prefix("Examples:\n") {
                help.examples.extend(examples.lines().map(str::to_owned));
            } else if let Some(codes) = block.strip_prefix("Exit codes:") {
                // A sentence, or a line for each.
                if codes.starts_with('\n') {
                    help.exit_codes
                        .extend(codes.trim().lines().map(|line| line.trim().to_owned()));
                } else {
                    help.exit_codes.push(codes.trim().replace('\n', " "));
                }
            } else {
                help.notes.push(block.replace('\n', " "));
            }
        }
        help
    }
}

fn paragraphs(roff: &mut Roff, title: &str, paragraphs: &[String]) {
    if paragraphs.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    for (at, text) in paragraphs.iter().enumerate() {
        if at > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(text.as_str())]);
    }
}

fn list(roff: &mut Roff, title: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (term, text) in entries {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*text)]);
    }
}

fn see_also(roff: &mut Roff, names: &[String]) {
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            line.push(roman(", "));
        }
        line.extend([bold(name.as_str()), roman("(1)")]);
    }
    roff.text(line);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// N28: what a page refers to is a page.
    #[test]
    fn every_reference_is_to_a_page_that_exists() {
        let pages = pages();
        let names: BTreeSet<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        for page in &pages {
            let plain = page.text.replace("\\-", "-").replace("\\fR", "").replace("\\fB", "");
            let references: Vec<&str> = plain
                .match_indices("(1)")
                .map(|(at, _)| {
                    let word = |character: char| !(character.is_ascii_alphanumeric() || character == '-');
                    plain[..at].rsplit(word).next().unwrap_or_default()
                })
                .collect();
            assert!(references.len() >= names.len() - 1, "{}: {references:?}", page.name);
            for name in references {
                assert!(names.contains(name), "{} refers to {name}(1)", page.name);
            }
        }
    }

    /// N28: a page for each command, the options of every command on one of them, examples as they are typed.
    #[test]
    fn every_command_has_a_page_of_its_own_with_the_sections_that_readers_look_for() {
        let pages = pages();
        assert_eq!(pages.len(), Cli::command().get_subcommands().count() + 1);
        for page in &pages {
            let is_program = page.name == "snapferry";
            assert_eq!(page.text.contains("\\-\\-profile"), is_program, "{}", page.name);
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"] {
                assert!(
                    page.text.contains(&format!(".SH {section}")) || page.text.contains(&format!(".SH \"{section}\"")),
                    "{}: {section}\n{}",
                    page.name,
                    page.text
                );
            }
            assert!(
                !page.text.contains("EXTRA") && !page.text.contains("Exit codes:"),
                "{}",
                page.text
            );
            assert_eq!(
                page.text.contains(".SH EXAMPLES\n.nf\n  snapferry "),
                !is_program,
                "{}",
                page.name
            );
            assert_eq!(page.text.contains(".SH ENVIRONMENT"), is_program, "{}", page.name);
            assert_eq!(page.text.contains(".SH FILES"), is_program, "{}", page.name);
        }
    }

    /// The commands that `snapferry man` names are those that there are.
    #[test]
    fn every_command_can_be_asked_for() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let asked = clap::Parser::try_parse_from(["snapferry", "man", name]);
            assert!(asked.is_ok_and(|_: Cli| true), "{name}");
        }
    }
}
