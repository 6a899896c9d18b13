//! The command line.

mod regions;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use domain::kind::DatabaseName;
use domain::region::is_region;
use domain::settings::{OBJECTIVE_HOURS, is_owner_id};
use jiff::SignedDuration;

use crate::args::regions::{Offering, REGIONS};
use crate::format::{Since, parse_duration};
use crate::quoting::quoted;

const EXIT_CODES: &str = "\
Exit codes:
  0  everything is as it should be
  1  the command could not do its work (including wrong usage)
  2  it worked and found a problem: an RPO objective is not met, or some databases were not copied
  130  interrupted by Ctrl-C; what was started in AWS goes on";

/// Inspects and operates the copies of RDS snapshots that Snapferry keeps in another region.
#[derive(Debug, Parser)]
#[command(name = "snapferry", version = env!("SNAPFERRY_VERSION"), max_term_width = 100)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Name of the stack; `status`, `copies` and `audit` take several
    #[arg(long = "stack", global = true, default_value = Self::STACK, value_name = "NAME", value_parser = stack_name,
        value_hint = ValueHint::Other)]
    pub stacks: Vec<String>,
    /// Region of the stack and of the databases [default: the region of the AWS environment]
    #[arg(long, global = true, value_name = "REGION", value_parser = Offering::new(region, &REGIONS),
        hide_possible_values = true)]
    pub region: Option<String>,
    /// Profile of the AWS configuration
    #[arg(long, global = true, value_name = "NAME", value_hint = ValueHint::Other)]
    pub profile: Option<String>,
    /// Show every call of AWS and all causes of an error, on standard error
    #[arg(long, global = true)]
    pub verbose: bool,
    /// Disable colours (also off when piped or when `NO_COLOR` is set)
    #[arg(long = "no-color", alias = "no-colour", global = true)]
    pub no_color: bool,
}

impl Global {
    pub(crate) const STACK: &str = "snapferry";

    /// The stack, of a command that is about one.
    pub(crate) fn stack(&self) -> &str {
        self.stacks.first().map_or(Self::STACK, String::as_str)
    }

    /// The same options, for one of the stacks.
    pub(crate) fn with_stack(&self, name: &str) -> Self {
        Self {
            stacks: vec![name.to_owned()],
            ..self.clone()
        }
    }

    /// Another command of the program, to be typed as it is, with the options that this one was given.
    pub(crate) fn command(&self, name: &str) -> String {
        let stack = self.stacks.first().filter(|stack| *stack != Self::STACK);
        self.with_options(name, &[("--stack", stack), ("--region", self.region.as_ref())])
    }

    /// The same for a command that reads copies.
    pub(crate) fn copies_command(&self, name: &str, copies: &CopyOptions) -> String {
        let Some(destination) = &copies.destination else {
            return self.command(name);
        };
        let options = [("--destination", Some(destination)), ("--owner", Some(&copies.owner))];
        self.with_options(name, &options)
    }

    /// The command that follows drills.
    pub(crate) fn follow_drills_command(&self, drill: &Drill, name: &str) -> String {
        let watch_stack = Some(&drill.watch_stack).filter(|stack| *stack != Drill::STACK);
        let stack = self.stacks.first().filter(|stack| *stack != Self::STACK);
        let options = [
            ("--stack", stack),
            ("--region", self.region.as_ref()),
            ("--destination", drill.destination.as_ref()),
            ("--watch-stack", watch_stack),
        ];
        self.with_options(&format!("drill --follow={name}"), &options)
    }

    fn with_options(&self, name: &str, options: &[(&str, Option<&String>)]) -> String {
        let options = options.iter().copied().chain([("--profile", self.profile.as_ref())]);
        let given = options.filter_map(|(option, value)| Some((option, value?)));
        given.fold(format!("snapferry {name}"), |command, (option, value)| {
            format!("{command} {option} {}", quoted(value))
        })
    }

    /// The command that follows a run.
    pub(crate) fn follow_command(&self, name: &str) -> String {
        format!("{} --follow {name}", self.command("run"))
    }
}

/// Reads the name of a stack, or its ARN. The error is a sentence that says what is expected.
fn stack_name(text: &str) -> Result<String, String> {
    let is_name = text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_arn = text.starts_with("arn:") && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name || is_arn {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not the name of a stack: letters, digits and hyphens, a letter first, at most 128"
    ))
}

/// Reads the code of a region.
fn region(text: &str) -> Result<String, String> {
    if is_region(text) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is not a region; write its code, as in eu-west-1"))
}

/// Reads an `OwnerId`.
fn owner(text: &str) -> Result<String, String> {
    if is_owner_id(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not an OwnerId: 2 to 12 lower-case letters and digits, a letter first"
    ))
}

/// Reads the ARN of a role, a user or an account.
fn principal(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let is_known = |what: &str| {
        ["role/", "user/"]
            .iter()
            .any(|kind| what.len() > kind.len() && what.starts_with(kind))
    };
    let is_principal = matches!(parts[..], ["arn", partition, "iam", "", account, what]
        if partition.starts_with("aws")
            && account.len() == 12
            && account.bytes().all(|digit| digit.is_ascii_digit())
            && (what == "root" || is_known(what))
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*'));
    if is_principal {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not the ARN of a role or a user, as in arn:aws:iam::111122223333:role/dba"
    ))
}

/// Reads the name of a database, and leaves it as it is written.
fn database(text: &str) -> Result<String, String> {
    let name: Result<DatabaseName, _> = text.parse();
    name.map(|_| text.trim().to_owned()).map_err(|error| error.to_string())
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how old the newest verified copy of each database is
    #[command(after_help = "\
Examples:
  snapferry status
  snapferry status --objective 2h || page-somebody
  snapferry status --json | jq -r '.databases[] | select(.state | IN(\"no-copy\", \"late\")) | .name'
  snapferry status --stack to-frankfurt --stack to-paris
  snapferry status --destination eu-central-1    # the source region is lost

With --destination, deleted databases cannot be told apart and are listed as late.

Exit codes: 0 every database meets the RPO objective, 1 error, 2 at least one does not.")]
    Status(Status),
    /// List every copy that is held: how old, verified or not, why it is kept, and when it goes
    #[command(after_help = "\
Examples:
  snapferry copies orders
  snapferry copies cluster:billing --destination eu-central-1    # the source region is lost
  snapferry copies --json | jq -r '.copies[] | select(.state == \"verified\") | .copy'

Why a copy is kept, and when it goes, follows from the stack's parameters and the tags; without the source region that
is not known.

Exit codes: 0 there are copies, 1 error or there are none.")]
    Copies(Copies),
    /// Estimate what will be copied, the hours, the quotas and the cost, before the first copy
    ///
    /// Reads both regions and changes nothing. With a stack its parameters count; before there is one, the defaults of the
    /// template.
    #[command(after_help = "\
Examples:
  snapferry estimate --destination-region eu-central-1    # before the deployment
  snapferry estimate    # by the parameters of the stack
  snapferry estimate --cluster-gib 200 --daily-change 3
  snapferry estimate --json | jq -r '.quotas[] | select(.raiseTo) | \"\\(.code) \\(.raiseTo)\"'
  snapferry estimate --json | jq '.objective.proposedHours'

Hours are by the copies that there are, or else assumed. Prices are from one file, with its date; --prices takes yours.

Exit codes: 0 estimated, 1 error, 2 a quota has no room for the copies.")]
    Estimate(Estimate),
    /// Show what a run would do and why: what it would copy, wait for, leave alone and delete
    #[command(after_help = "\
Examples:
  snapferry plan
  snapferry plan --only orders,cluster:billing
  snapferry plan --json > plan.json && snapferry run --plan plan.json --follow
  snapferry plan --json | snapferry run --plan - --follow

This is a dry run of the deployed state machine: the functions decide, but write nothing.

Exit codes: 0 planned, 1 error, 130 interrupted; with --detailed-exitcode also 2 if some databases would fail.")]
    Plan(Plan),
    /// Start a run, and follow it
    ///
    /// A run copies the newest snapshot of every database that has no verified copy of it. It continues in AWS whatever
    /// happens to this program: Ctrl-C only stops following it.
    #[command(after_help = "\
Examples:
  snapferry run --follow
  snapferry run --only orders,cluster:billing
  snapferry run --dry-run --follow
  snapferry run --follow run-20261122-143100-1a2b    # follow a run that was started before
  snapferry run --follow --json | jq .counts

Exit codes: 0 started (or, if followed, nothing failed), 1 error or everything failed, 2 some databases failed, 130
interrupted: the run goes on.")]
    Run(Run),
    /// Print the AWS CLI commands that restore a database from its newest verified copy, or from another one
    #[command(after_help = "\
Examples:
  snapferry restore-command orders
  snapferry restore-command cluster:billing --destination eu-central-1    # the source region is lost
  snapferry restore-command orders --as orders-drill --json
  snapferry restore-command orders --before 2026-11-24T12:00    # the newest data was spoilt at noon (UTC)
  snapferry restore-command orders --copy snapferry-orders-20261123-1a2b3c4d    # one that `snapferry copies` lists

Replace the values in CAPITALS: subnet groups and security groups belong to a region.

Exit codes: 0 there is a verified copy, 1 error or there is none.")]
    RestoreCommand(RestoreCommand),
    /// Plan the restore of a whole region: what there is, what is missing for it, and a script that restores in waves
    #[command(after_help = "\
Examples:
  snapferry restore-plan --destination eu-central-1    # the source region is lost
  snapferry restore-plan --destination eu-central-1 --max-age 3d --subnet-group private --script restore.sh
  snapferry restore-plan orders cluster:billing --script restore.sh    # these two, in this order
  snapferry restore-plan --json | jq -r '.missing[] | .problem'

All databases that have copies are planned, the smallest first; deleted ones, too, while they have copies: --max-age
leaves them out. What is missing is counted for all of them together. The script leaves a database alone whose name is
taken, and waits for each wave before the next.

Exit codes: 0 everything can be restored, 1 error, 2 something is missing or not known.")]
    RestorePlan(RestorePlan),
    /// Restore copies to prove that they can be restored: start drills and follow them, keep one, pause the schedule
    ///
    /// Drills are run by the destination stack (infra/destination.yaml), in the region of the copies. Each restores a copy,
    /// checks what was restored, and deletes it. They continue in AWS whatever happens to this program: Ctrl-C only stops
    /// following them.
    #[command(after_help = "\
Examples:
  snapferry drill --follow    # what is due
  snapferry drill orders cluster:billing --follow
  snapferry drill --follow=drill-20261122-143100-1a2b    # follow drills that were started before
  snapferry drill --destination eu-central-1 --follow --json | jq .counts    # the source region is lost
  snapferry drill --keep snapferry-drill-1a2b3c4d-orders
  snapferry drill --pause

AWS bills for the databases that drills restore, for ten minutes each at least.

Exit codes: 0 started (or, if followed, no drill failed), 1 error, 2 some drills failed, 130 interrupted: the run goes
on.")]
    Drill(Drill),
    /// Show what was copied, verified, deleted and drilled, as a table or as a shareable HTML report
    #[command(after_help = "\
Examples:
  snapferry audit
  snapferry audit --since 2026-11-01 --html audit.html
  snapferry audit --html audit.html --json > audit.json    # the page has the SHA-256 of this JSON
  snapferry audit --since 36h --csv > audit.csv
  snapferry audit --destination eu-central-1    # the source region is lost: what the tags of the copies show, and drills
  snapferry audit --foreign    # what else in the destination region is a copy from elsewhere
  snapferry audit --json | jq -r '.drills.entries[] | select(.outcome == \"failed\") | .link'

Drills are those of the destination stack in the region of the copies; without one a note says that they are not shown.
The page is a single file without scripts; it needs no network. A file that is not an audit page is not overwritten.

Exit codes: 0 written, 1 error.")]
    Audit(Audit),
    /// Stop everything: nothing starts on its own any more, and what runs ends
    ///
    /// Disables the rules that start runs and drills, stops their executions, and lists the copies that RDS goes on with. No
    /// copy that is complete is touched. A copy in progress is verified by the next run, whenever that is.
    #[command(after_help = "\
Examples:
  snapferry stop
  snapferry stop --cancel    # copies in progress, too
  snapferry stop --resume    # as before
  snapferry stop --json | jq -r '.inProgress[].copy'

Measurements, alarms and the deletion of drill databases go on.

Exit codes: 0 stopped, 1 error, 2 something could not be stopped.")]
    Stop(Stop),
    /// Check everything that copies depend on, and say what to do: credentials, clock, regions, stacks, permissions, keys,
    /// quotas, alarms, notifications, the last run
    ///
    /// Each check is a line, and one that fails hides no other. Nothing is changed. What could not be found out is `unknown`,
    /// and never good.
    #[command(after_help = "\
Examples:
  snapferry doctor
  snapferry doctor --watch-stack copies-watch
  snapferry doctor --json | jq -r '.findings[] | select(.health == \"wrong\") | .remedy'

What credentials and roles may do is simulated by IAM where that is allowed; calls that write are never tried.

Exit codes: 0 nothing is wrong (there may be warnings), 1 error, 2 something is wrong.")]
    Doctor(Doctor),
    /// Write a key policy with the roles of the deployed stacks, for the key that encrypts the copies
    ///
    /// The policy that KMS gives a new key is enough for a deployment. This one is tighter: only the functions, and whoever
    /// you name, use the key, and only through RDS. Nothing is changed.
    #[command(after_help = "\
Examples:
  snapferry key-policy --restorer arn:aws:iam::111122223333:role/dba > key-policy.json
  snapferry key-policy --restorer arn:aws:iam::111122223333:role/dba --administrator \
arn:aws:iam::111122223333:role/security

When a stack is deleted and deployed again, its roles have other names: set the policy again.

Exit codes: 0 written, 1 error.")]
    KeyPolicy(KeyPolicy),
    /// Write a completion script for a shell
    #[command(after_help = "\
Examples:
  snapferry completions bash > ~/.local/share/bash-completion/completions/snapferry
  snapferry completions zsh > ~/.zfunc/_snapferry
  snapferry completions fish > ~/.config/fish/completions/snapferry.fish

Those of bash, zsh and fish also offer the profiles and, where the account answers within two seconds, the databases.

Exit codes: 0 written, 1 error.")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual: the page of the program, the page of a command, or all of them
    #[command(after_help = "\
Examples:
  snapferry man | man -l -
  snapferry man status | man -l -
  snapferry man --all /usr/local/share/man/man1

Exit codes: 0 written, 1 error.")]
    Man(Man),
}

impl Command {
    /// Whether it calls AWS, so that nothing can be done without credentials. That there are none is a finding of `doctor`.
    pub(crate) fn needs_sign_in(&self) -> bool {
        !matches!(self, Self::Completions { .. } | Self::Man(_) | Self::Doctor(_))
    }

    /// Whether it is a report as JSON.
    pub(crate) fn writes_json(&self) -> bool {
        match self {
            Self::Status(options) => options.json,
            Self::Copies(options) => options.json,
            Self::Audit(options) => options.json,
            Self::RestorePlan(options) => options.json,
            _ => false,
        }
    }

    /// The region that it is narrowed to.
    pub(crate) fn destination(&self) -> Option<&str> {
        let copies = match self {
            Self::Status(options) => &options.copies,
            Self::Copies(options) => &options.copies,
            Self::Audit(options) => &options.copies,
            Self::RestoreCommand(options) => &options.copies,
            Self::RestorePlan(options) => &options.copies,
            Self::Drill(options) => return options.destination.as_deref(),
            Self::Estimate(_)
            | Self::Plan(_)
            | Self::Run(_)
            | Self::Stop(_)
            | Self::KeyPolicy(_)
            | Self::Doctor(_)
            | Self::Completions { .. }
            | Self::Man(_) => return None,
        };
        copies.destination.as_deref()
    }
}

/// Which copies to read.
#[derive(Debug, Clone, Args)]
pub struct CopyOptions {
    /// Read the copies in this region and call no other: for the day when the source region is lost
    #[arg(long, value_name = "REGION", value_parser = Offering::new(region, &REGIONS), hide_possible_values = true)]
    pub destination: Option<String>,
    /// With --destination: the prefix of the copies' names (the stack's `OwnerId`)
    #[arg(long, value_name = "ID", default_value = Self::OWNER, requires = "destination", value_parser = owner,
        value_hint = ValueHint::Other)]
    pub owner: String,
}

impl CopyOptions {
    pub(crate) const OWNER: &str = "snapferry";
}

/// The help of `--objective`, with what holds without it.
fn objective_help(purpose: &str) -> String {
    format!(
        "Maximum age of the data in a database's newest verified copy{purpose} [default: the stack's parameter \
         `ObjectiveHours`, otherwise {OBJECTIVE_HOURS}h]"
    )
}

/// Options of `status`.
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// Which copies to read.
    #[command(flatten)]
    pub copies: CopyOptions,
    /// Maximum age of the data in a database's newest verified copy
    #[arg(long, help = objective_help(""), value_parser = parse_duration, value_name = "DURATION",
        value_hint = ValueHint::Other)]
    pub objective: Option<SignedDuration>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `copies`.
#[derive(Debug, Clone, Args)]
pub struct Copies {
    /// Identifier of a database, or its resource id [default: all databases]
    #[arg(value_hint = ValueHint::Other, value_parser = database)]
    pub database: Option<String>,
    /// Which copies to read.
    #[command(flatten)]
    pub copies: CopyOptions,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `audit`.
#[derive(Debug, Clone, Args)]
pub struct Audit {
    /// Which copies to read.
    #[command(flatten)]
    pub copies: CopyOptions,
    /// Start of the period: a duration before now (7d, 36h) or a day (2026-11-01, UTC)
    #[arg(long, default_value = "7d", value_parser = Since::parse, value_name = "WHEN", value_hint = ValueHint::Other)]
    pub since: Since,
    /// Write an HTML report to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Write JSON. With --html of the same call the page shows the SHA-256 of it
    #[arg(long)]
    pub json: bool,
    /// List the copies in the destination region that are none of ours: those of other tools, of other stacks, made by hand
    #[arg(long, conflicts_with_all = ["html", "csv", "since", "objective", "watch_stack"])]
    pub foreign: bool,
    /// Name of the destination stack, whose drills are shown
    #[arg(long, value_name = "NAME", default_value = Drill::STACK, value_parser = stack_name,
        value_hint = ValueHint::Other)]
    pub watch_stack: String,
    /// Write CSV: a line per execution, those of copies first
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Maximum age of the data in a database's newest verified copy, for the page
    #[arg(long, help = objective_help(", for the page"), value_parser = parse_duration, value_name = "DURATION",
        value_hint = ValueHint::Other)]
    pub objective: Option<SignedDuration>,
}

/// Reads a percentage.
fn percentage(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.trim().trim_end_matches('%').trim_end().parse().ok();
    number
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| format!("{text:?} is not a percentage from 0 to 100"))
}

/// Options of `estimate`.
#[derive(Debug, Clone, Args)]
pub struct Estimate {
    /// Region of the copies: before there is a stack, or to see what another region would need [default: the stack's]
    #[arg(long, value_name = "REGION", value_parser = Offering::new(region, &REGIONS), hide_possible_values = true)]
    pub destination_region: Option<String>,
    /// Size of each cluster, because RDS gives none
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u32).range(1..=262_144), value_hint = ValueHint::Other)]
    pub cluster_gib: Option<u32>,
    /// Percentage of the data that changes from one day to the next [default: a range]
    #[arg(long, value_name = "PERCENT", value_parser = percentage, value_hint = ValueHint::Other)]
    pub daily_change: Option<f64>,
    /// Take the prices of this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub prices: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `plan`.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// Only these databases; write `instance:NAME` or `cluster:NAME` if both kinds have one of that name
    #[arg(long, value_name = "DATABASE", value_delimiter = ',', num_args = 1.., value_parser = database,
        value_hint = ValueHint::Other)]
    pub only: Vec<String>,
    /// Write JSON, which `run --plan` reads
    #[arg(long)]
    pub json: bool,
    /// End with exit code 2 if some databases would fail
    #[arg(long = "detailed-exitcode")]
    pub detailed_exit_code: bool,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Only these databases; write `instance:NAME` or `cluster:NAME` if both kinds have one of that name
    #[arg(long, value_name = "DATABASE", value_delimiter = ',', num_args = 1.., value_parser = database,
        value_hint = ValueHint::Other)]
    pub only: Vec<String>,
    /// Only the databases for which this plan (`snapferry plan --json`) has something to do; the run decides again
    /// what to do with each. `-` reads the plan from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "only", value_hint = ValueHint::FilePath)]
    pub plan: Option<PathBuf>,
    /// Copy and delete nothing; see also `plan`, which explains each decision
    #[arg(long)]
    pub dry_run: bool,
    /// Show the progress of each copy until the run ends; with the name of a run, follow that one
    #[arg(long, value_name = "EXECUTION", num_args = 0..=1, default_missing_value = "", value_hint = ValueHint::Other)]
    pub follow: Option<String>,
    /// Write JSON: the run that was started, or, with --follow, how it ended
    #[arg(long)]
    pub json: bool,
    /// Show no progress and no advice; write the name of the run alone, and, with --follow, what failed
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// Options of `drill`.
#[derive(Debug, Clone, Args)]
pub struct Drill {
    /// Databases to drill, each by its identifier; write `instance:NAME` or `cluster:NAME` if both kinds have one of that
    /// name [default: those whose last drill is the longest ago]
    #[arg(value_name = "DATABASE", value_hint = ValueHint::Other, value_parser = database)]
    pub databases: Vec<String>,
    /// Find the destination stack in this region and call no other: for the day when the source region is lost
    #[arg(long, value_name = "REGION", value_parser = Offering::new(region, &REGIONS), hide_possible_values = true)]
    pub destination: Option<String>,
    /// Name of the destination stack
    #[arg(long, value_name = "NAME", default_value = Self::STACK, value_parser = stack_name,
        value_hint = ValueHint::Other)]
    pub watch_stack: String,
    /// Write what came of each drill until the run ends; with the name of a run, follow that one
    #[arg(long, value_name = "EXECUTION", num_args = 0..=1, require_equals = true, default_missing_value = "",
        value_hint = ValueHint::Other)]
    pub follow: Option<String>,
    /// Keep this drill database: take its mark off, so that nothing deletes it, and print what to change before it is used
    #[arg(long, value_name = "NAME", value_parser = database, value_hint = ValueHint::Other,
        conflicts_with_all = ["databases", "follow", "pause", "resume", "json"])]
    pub keep: Option<String>,
    /// Disable the schedule of drills; what drills left behind is still deleted
    #[arg(long, conflicts_with_all = ["databases", "follow", "resume", "json"])]
    pub pause: bool,
    /// Enable the schedule of drills again
    #[arg(long, conflicts_with_all = ["databases", "follow", "json"])]
    pub resume: bool,
    /// Write JSON: the run that was started, or, with --follow, how it ended
    #[arg(long)]
    pub json: bool,
}

impl Drill {
    pub(crate) const STACK: &str = "snapferry-watch";
}

/// Options of `stop`.
#[derive(Debug, Clone, Args)]
pub struct Stop {
    /// Also cancel the copies that are in progress: delete their targets, which are no copies yet
    #[arg(long)]
    pub cancel: bool,
    /// Enable the rules again
    #[arg(long, conflicts_with = "cancel")]
    pub resume: bool,
    /// Name of the destination stack
    #[arg(long, value_name = "NAME", default_value = Drill::STACK, value_parser = stack_name,
        value_hint = ValueHint::Other)]
    pub watch_stack: String,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    /// Name of the destination stack
    #[arg(long, value_name = "NAME", default_value = Drill::STACK, value_parser = stack_name,
        value_hint = ValueHint::Other)]
    pub watch_stack: String,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `key-policy`.
#[derive(Debug, Clone, Args)]
pub struct KeyPolicy {
    /// Who restores on the day of a disaster: the ARN of a role or a user; may be given several times
    #[arg(long = "restorer", value_name = "ARN", required = true, value_parser = principal, value_hint = ValueHint::Other)]
    pub restorers: Vec<String>,
    /// Who administers the key without using it; may be given several times [default: whoever the account's own policies
    /// let do it]
    #[arg(long = "administrator", value_name = "ARN", value_parser = principal, value_hint = ValueHint::Other)]
    pub administrators: Vec<String>,
    /// Name of the destination stack
    #[arg(long, value_name = "NAME", default_value = Drill::STACK, value_parser = stack_name,
        value_hint = ValueHint::Other)]
    pub watch_stack: String,
}

/// Options of `man`.
#[derive(Debug, Clone, Args)]
pub struct Man {
    /// Command whose page to write [default: the page of the program]
    #[arg(value_parser = ["status", "copies", "estimate", "plan", "run", "restore-command", "restore-plan", "drill", "audit",
        "stop", "doctor", "key-policy", "completions", "man"])]
    pub command: Option<String>,
    /// Write every page to a file of its own in this folder
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub all: Option<PathBuf>,
}

/// Options of `restore-command`.
#[derive(Debug, Clone, Args)]
pub struct RestoreCommand {
    /// Identifier of the database, or its resource id; write `instance:NAME` or `cluster:NAME` if both kinds have one of
    /// that name
    #[arg(value_hint = ValueHint::Other, value_parser = database)]
    pub database: String,
    /// Which copies to read.
    #[command(flatten)]
    pub copies: CopyOptions,
    /// Restore this copy, which `snapferry copies` lists
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, conflicts_with = "before")]
    pub copy: Option<String>,
    /// Restore the newest verified copy whose data is not newer than this: a duration before now (2d, 36h), a day or a
    /// time (2026-11-24, 2026-11-24T12:00; UTC)
    #[arg(long, value_parser = Since::parse, value_name = "TIME", value_hint = ValueHint::Other)]
    pub before: Option<Since>,
    /// Identifier of the restored database [default: that of the original]
    #[arg(long = "as", value_name = "IDENTIFIER", value_hint = ValueHint::Other)]
    pub name: Option<String>,
    /// Number of instances in a restored cluster [default: that of the original; where the copy does not record it, 2 if
    /// the cluster was Multi-AZ, otherwise 1]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=16),
        value_hint = ValueHint::Other)]
    pub members: Option<u32>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `restore-plan`.
#[derive(Debug, Clone, Args)]
pub struct RestorePlan {
    /// Identifiers of databases, or their resource ids, in the order of their restore [default: all databases, the
    /// smallest first]
    #[arg(value_name = "DATABASE", value_hint = ValueHint::Other, value_parser = database)]
    pub databases: Vec<String>,
    /// All databases; the same as to name none
    #[arg(long, conflicts_with = "databases")]
    pub all: bool,
    /// Which copies to read.
    #[command(flatten)]
    pub copies: CopyOptions,
    /// Leave out databases whose newest verified copy has older data
    #[arg(long, value_parser = parse_duration, value_name = "DURATION", value_hint = ValueHint::Other)]
    pub max_age: Option<SignedDuration>,
    /// DB subnet group of the restored databases, which is then checked as well
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub subnet_group: Option<String>,
    /// Write a shell script to this file, which restores the databases
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub script: Option<PathBuf>,
    /// Number of databases that the script restores at the same time
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=40),
        value_hint = ValueHint::Other)]
    pub wave: u32,
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

    /// N42: after an option that takes no file, a shell offers none.
    #[test]
    fn every_value_says_what_it_is_to_the_shell() {
        let cli = Cli::command();
        for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
            for argument in command
                .get_arguments()
                .filter(|argument| argument.get_action().takes_values())
            {
                let is_offered = argument.get_value_parser().possible_values().is_some();
                let hint = argument.get_value_hint();
                assert!(
                    is_offered || hint != ValueHint::Unknown,
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }

    #[test]
    fn the_help_documents_the_exit_codes() {
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("2  it worked and found a problem"), "{help}");
        assert!(help.contains("130  interrupted by Ctrl-C"), "{help}");
    }

    fn global(arguments: &[&str]) -> Global {
        Cli::parse_from([&["snapferry", "plan"], arguments].concat()).global
    }

    /// A hint is a command to be typed as it is: whatever was given is given again, as a shell reads it.
    #[test]
    fn a_hint_repeats_what_was_given() {
        assert_eq!(global(&[]).command("run"), "snapferry run");
        let global = global(&["--stack", "mine", "--region", "eu-west-1", "--profile", "my work"]);
        assert_eq!(
            global.follow_command("run-1"),
            "snapferry run --stack mine --region eu-west-1 --profile 'my work' --follow run-1"
        );
        let lost = CopyOptions {
            destination: Some("eu-west-1".to_owned()),
            owner: "acme".to_owned(),
        };
        assert_eq!(
            global.copies_command("status", &lost),
            "snapferry status --destination eu-west-1 --owner acme --profile 'my work'"
        );
    }

    /// Kinds 10 and 13: what no stack, region, owner or database can be called is refused before anything is called.
    #[test]
    fn what_cannot_be_is_refused_by_the_command_line() {
        let long = "a".repeat(129);
        for arguments in [
            &["status", "--stack", ""][..],
            &["status", "--stack", "a\nb"],
            &["status", "--stack", &long],
            &["status", "--region", "us-east-1/x"],
            &["status", "--region", ""],
            &["status", "--destination", "eu west 1"],
            &["status", "--destination", "eu-west-+1"],
            &["estimate", "--destination-region", "eu west 1"],
            &["estimate", "--cluster-gib", "0"],
            &["estimate", "--daily-change", "101"],
            &["estimate", "--daily-change", "NaN"],
            &["audit", "--destination", "eu-west-1", "--owner", "Bad Owner"],
            &["run", "--only", "orders,,stock"],
            &["plan", "--only", "ord\u{1b}[2Jers"],
            &["run", "--only", "table:orders"],
            &["restore-command", "Bad Name!"],
            &["key-policy", "--restorer", "dba"],
            &["key-policy", "--restorer", "*"],
            &["key-policy", "--restorer", "arn:aws:iam::111122223333:role/"],
            &[
                "key-policy",
                "--restorer",
                "arn:aws:sts::111122223333:assumed-role/dba/me",
            ],
            &["key-policy", "--restorer", "arn:aws:iam::1111:role/dba"],
        ] {
            let all = [&["snapferry"], arguments].concat();
            let refused = Cli::try_parse_from(&all).expect_err("refused").to_string();
            assert!(refused.starts_with("error: invalid value"), "{arguments:?}: {refused}");
        }
        for arguments in [
            &[
                "status",
                "--stack",
                "StackSet-snapferry-0f5a1b2c-3d4e-4f60-8a7b-9c0d1e2f3a4b",
            ][..],
            &["run", "--only", " Orders ,cluster:billing"],
            &["estimate", "--daily-change", "2.5 %"],
            &["restore-command", "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
            &["key-policy", "--restorer", "arn:aws-cn:iam::111122223333:role/ops/dba"],
        ] {
            let all = [&["snapferry"], arguments].concat();
            assert!(Cli::try_parse_from(&all).is_ok(), "{arguments:?}");
        }
    }
}
