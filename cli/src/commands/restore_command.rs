//! `snapferry restore-command`: the AWS CLI commands that restore a database from its newest verified copy.
//!
//! Everything comes from the copy and its tags, so that it works when the source region is lost.

use domain::copy_tags::{CopyStatus, RestoreHints};
use domain::kind::{DatabaseKind, DatabaseName, NameError};
use domain::snapshot::Encryption;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::args::{Global, RestoreCommand};
use crate::aws::account::Account;
use crate::commands::copy_source;
use crate::error::{CliError, ExitStatus};
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopy};
use crate::format::{format_duration, format_utc};
use crate::output::terminal::Terminal;

/// What a restore takes: the copy, and what the operator asks for.
struct Restore<'a> {
    copy: &'a OwnedCopy,
    hints: RestoreHints,
    /// Identifier of the restored database.
    name: &'a str,
    /// The region of the copy.
    region: &'a str,
    profile: Option<&'a str>,
    members: Option<u32>,
}

/// One command, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Step {
    /// What it does, in a sentence.
    purpose: String,
    /// The command and its arguments.
    command: Vec<String>,
}

/// What the command writes, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    database: &'a str,
    kind: DatabaseKind,
    region: &'a str,
    copy: &'a str,
    captured_at: Timestamp,
    verified_at: Option<Timestamp>,
    age_seconds: i64,
    steps: &'a [Step],
    fill_in: Vec<&'static str>,
    notes: &'a [String],
}

const SUBNETS: &str = "SUBNET_GROUP";
const SECURITY: &str = "SECURITY_GROUP_IDS";
const KEY: &str = "KMS_KEY_ID";
const CAPACITY: &str = "MAX_CAPACITY";
const CLASS: &str = "INSTANCE_CLASS";
const PROFILE: &str = "INSTANCE_PROFILE";

/// Finds the copy and writes the commands.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &RestoreCommand,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let DatabaseName { kind, id } = parse_name(&options.database)?;
    let kinds = kind.map_or_else(|| DatabaseKind::ALL.to_vec(), |kind| vec![kind]);
    let source = copy_source::find(account, global, &options.copies).await?;
    let owned = source.read_named(account, &kinds, &id).await?;
    let database = choose(&owned.databases, &options.database, &id, &source)?;
    let Some(copy) = database.newest_verified() else {
        return Err(no_verified_error(database, &source.region));
    };
    let restore = Restore {
        copy,
        hints: RestoreHints::read(&copy.snapshot.tags),
        name: options.name.as_deref().unwrap_or(&id),
        region: &source.region,
        profile: global.profile.as_deref(),
        members: options.members,
    };
    let steps = match database.kind {
        DatabaseKind::Instance => restore.instance(),
        DatabaseKind::Cluster => restore.cluster(),
    };
    let notes = notes(&owned.databases, database, &restore);
    let report = Report {
        version: 1,
        database: &database.id,
        kind: database.kind,
        region: &source.region,
        copy: &copy.own.id,
        captured_at: copy.own.source_created,
        verified_at: copy.verified_at(),
        age_seconds: account.now().duration_since(copy.own.source_created).as_secs(),
        fill_in: placeholders(&steps),
        steps: &steps,
        notes: &notes,
    };
    if options.json {
        terminal.print_json(&report);
    } else {
        show(&report, terminal);
    }
    Ok(ExitStatus::Success)
}

fn show(report: &Report<'_>, terminal: &mut Terminal<'_>) {
    let age = format_duration(SignedDuration::from_secs(report.age_seconds));
    let captured = format_utc(report.captured_at);
    let Report {
        kind,
        database,
        copy,
        region,
        ..
    } = report;
    terminal.println(&format!(
        "# {kind} {database}, as it was at {captured} UTC ({age} ago)."
    ));
    terminal.println(&format!("# From the verified copy {copy} in {region}."));
    for note in report.notes {
        terminal.println(&format!("# {note}"));
    }
    for step in report.steps {
        terminal.println(&format!("\n# {}", step.purpose));
        terminal.println(&shell(&step.command));
    }
    if !report.fill_in.is_empty() {
        terminal.eprintln(&format!("Fill in: {}.", report.fill_in.join(", ")));
    }
}

fn parse_name(database: &str) -> Result<DatabaseName, CliError> {
    database.parse().map_err(|error: NameError| {
        let problem = match error {
            NameError::Empty => format!("{database:?} names no database"),
            error => error.to_string(),
        };
        CliError::new(
            format!("{problem}."),
            "Give it as the RDS console shows it: orders, or instance:orders, or cluster:orders.",
        )
    })
}

/// The database that is meant. Of several of one name, as when one was re-created, it is the one with the newest data.
fn choose<'a>(
    databases: &'a [DatabaseCopies],
    asked: &str,
    id: &str,
    source: &CopySource,
) -> Result<&'a DatabaseCopies, CliError> {
    let has = |kind| databases.iter().any(|database| database.kind == kind);
    if has(DatabaseKind::Instance) && has(DatabaseKind::Cluster) {
        return Err(CliError::new(
            format!("{id} is the name of an instance and of a cluster."),
            format!("Choose one: instance:{id} or cluster:{id}."),
        ));
    }
    let newest = databases
        .iter()
        .max_by_key(|database| database.newest_verified().map(|copy| copy.own.source_created));
    let CopySource { region, owner_id, .. } = source;
    newest.ok_or_else(|| {
        CliError::new(
            format!("There is no copy of {asked} of the owner {owner_id} in {region}."),
            format!("`snapferry status --destination {region}` lists the databases that have copies."),
        )
    })
}

fn no_verified_error(database: &DatabaseCopies, region: &str) -> CliError {
    let unverified = database.count(CopyStatus::Unverified);
    let newest = database.copies.first().map_or("", |copy| copy.own.id.as_str());
    CliError::new(
        format!(
            "No copy of {} {} in {region} is verified: {} in progress, {unverified} complete and not verified, {} failed, \
             {} different from their source.",
            database.kind,
            database.id,
            database.count(CopyStatus::InProgress),
            database.count(CopyStatus::Failed),
            database.count(CopyStatus::Mismatched),
        ),
        if unverified > 0 {
            format!(
                "If there is no time to verify, {newest} can be restored by hand; otherwise: snapferry run --only {}.",
                database.id
            )
        } else {
            format!("Start a run: snapferry run --only {} --follow.", database.id)
        },
    )
}

/// What should be known before the commands are run.
fn notes(all: &[DatabaseCopies], database: &DatabaseCopies, restore: &Restore<'_>) -> Vec<String> {
    let Restore { copy, hints, .. } = restore;
    let mut notes = Vec::new();
    if let Some(newer) = database.copies.first().filter(|newer| newer.own.id != copy.own.id) {
        notes.push(format!(
            "There is newer data, of {} UTC, in {}, which is not verified ({}, {} %).",
            format_utc(newer.own.source_created),
            newer.own.id,
            newer.snapshot.status,
            newer.snapshot.percent
        ));
    }
    if all.len() > 1 {
        let (number, id) = (all.len(), &database.resource_id);
        notes.push(format!("{number} databases had this name; this is {id}."));
    }
    if hints.class.is_none() {
        notes.push("The tags of the copy do not name the class of the database; choose one.".to_owned());
    }
    for (group, what) in [
        (&hints.parameter_group, "parameter group"),
        (&hints.option_group, "option group"),
    ] {
        if let Some(name) = custom(group.as_deref()) {
            notes.push(format!(
                "The database had the {what} {name}; create it in this region first if it is not there."
            ));
        }
    }
    notes
}

/// A group, unless it is one that AWS makes: those are there without being named, or not at all.
fn custom(group: Option<&str>) -> Option<&str> {
    group.filter(|group| !group.starts_with("default.") && !group.starts_with("default:"))
}

impl Restore<'_> {
    fn class(&self) -> &str {
        self.hints.class.as_deref().unwrap_or(CLASS)
    }

    fn is_multi_az(&self) -> bool {
        self.hints.multi_az == Some(true)
    }

    /// The commands for an instance.
    fn instance(&self) -> Vec<Step> {
        let snapshot = &self.copy.snapshot;
        let mut restore = self.aws("rds", "restore-db-instance-from-db-snapshot");
        restore.option("--db-instance-identifier", self.name);
        restore.option("--db-snapshot-identifier", &self.copy.own.id);
        restore.option("--db-instance-class", self.class());
        restore.network();
        if let Some(group) = custom(self.hints.parameter_group.as_deref()) {
            restore.option("--db-parameter-group-name", group);
        }
        // The copy's own group is one of this region; the tag is that of the database.
        let of_database = || custom(self.hints.option_group.as_deref());
        if let Some(group) = custom(snapshot.option_group.as_deref()).or_else(of_database) {
            restore.option("--option-group-name", group);
        }
        if snapshot.engine.starts_with("custom-") {
            restore.option("--custom-iam-instance-profile", PROFILE);
        }
        restore.flag(if self.is_multi_az() {
            "--multi-az"
        } else {
            "--no-multi-az"
        });
        restore.flag("--no-publicly-accessible");

        let mut wait = self.aws("rds", "wait db-instance-available");
        wait.option("--db-instance-identifier", self.name);
        vec![
            restore.to("Restore the instance."),
            wait.to("Wait until it is available; its endpoint is in describe-db-instances."),
        ]
    }

    /// The commands for a cluster: the cluster, then its members, which have no snapshots of their own.
    fn cluster(&self) -> Vec<Step> {
        let service = match self.copy.snapshot.engine.as_str() {
            "neptune" => "neptune",
            "docdb" => "docdb",
            _ => "rds",
        };
        let standby = if self.is_multi_az() { 2 } else { 1 };
        let members = (1..=self.members.unwrap_or(standby)).map(|number| self.member(service, number));
        let mut wait = self.aws(service, "wait db-instance-available");
        wait.option("--db-instance-identifier", &self.member_name(1));

        let mut steps = vec![self.cluster_alone(service)];
        steps.extend(members);
        steps.push(wait.to("Wait until it is available; its endpoints are in describe-db-clusters."));
        steps
    }

    fn cluster_alone(&self, service: &str) -> Step {
        let snapshot = &self.copy.snapshot;
        let mut restore = self.aws(service, "restore-db-cluster-from-snapshot");
        restore.option("--db-cluster-identifier", self.name);
        restore.option("--snapshot-identifier", &self.copy.own.id);
        restore.option("--engine", &snapshot.engine);
        let version = self.hints.engine_version.as_ref().unwrap_or(&snapshot.engine_version);
        if !version.is_empty() {
            restore.option("--engine-version", version);
        }
        restore.network();
        if let Some(group) = custom(self.hints.parameter_group.as_deref()) {
            restore.option("--db-cluster-parameter-group-name", group);
        }
        // Encrypted copies restore under their own key; RDS copies unencrypted clusters unencrypted only.
        if snapshot.encryption == Encryption::None {
            restore.option("--kms-key-id", KEY);
        }
        if self.class() == "db.serverless" {
            let capacity = format!("MinCapacity=0.5,MaxCapacity={CAPACITY}");
            restore.option("--serverless-v2-scaling-configuration", &capacity);
        }
        restore.to("Restore the cluster. It has no instance yet.")
    }

    fn member(&self, service: &str, number: u32) -> Step {
        let mut create = self.aws(service, "create-db-instance");
        create.option("--db-cluster-identifier", self.name);
        create.option("--db-instance-identifier", &self.member_name(number));
        create.option("--db-instance-class", self.class());
        create.option("--engine", &self.copy.snapshot.engine);
        if service == "rds" {
            create.flag("--no-publicly-accessible");
        }
        create.to(if number == 1 {
            "Create its writer instance."
        } else {
            "Create another instance, which takes over if the first fails."
        })
    }

    /// 63 characters at most, and the number has to stay.
    fn member_name(&self, number: u32) -> String {
        let begin: String = self.name.chars().take(60).collect();
        format!("{begin}-{number}")
    }

    /// The beginning of a command.
    fn aws(&self, service: &str, operation: &str) -> Aws {
        let mut words = vec!["aws", service];
        words.extend(operation.split(' '));
        words.extend(["--region", self.region]);
        if let Some(profile) = self.profile {
            words.extend(["--profile", profile]);
        }
        Aws(words.into_iter().map(str::to_owned).collect())
    }
}

/// A command that is being put together.
struct Aws(Vec<String>);

impl Aws {
    fn network(&mut self) {
        self.option("--db-subnet-group-name", SUBNETS);
        self.option("--vpc-security-group-ids", SECURITY);
    }

    fn flag(&mut self, flag: &str) {
        self.0.push(flag.to_owned());
    }

    fn option(&mut self, name: &str, value: &str) {
        self.0.extend([name.to_owned(), value.to_owned()]);
    }

    fn to(self, purpose: &str) -> Step {
        Step {
            purpose: purpose.to_owned(),
            command: self.0,
        }
    }
}

/// The placeholders that have to be replaced, in the order in which they appear.
fn placeholders(steps: &[Step]) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for word in steps.iter().flat_map(|step| &step.command) {
        for placeholder in [SUBNETS, SECURITY, KEY, CAPACITY, CLASS, PROFILE] {
            if word.contains(placeholder) && !found.contains(&placeholder) {
                found.push(placeholder);
            }
        }
    }
    found
}

/// The command as a shell reads it, one option per line.
fn shell(command: &[String]) -> String {
    let mut text = String::new();
    for word in command {
        if word.starts_with("--") {
            text.push_str(" \\\n  ");
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&quoted(word));
    }
    text
}

/// Tags are text that anybody with access to the copy may have written: nothing of it reaches the shell unquoted.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,+@%".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_read_otherwise_are_quoted() {
        assert_eq!(quoted("db.r6g.large"), "db.r6g.large");
        assert_eq!(quoted("$(rm -rf /)"), "'$(rm -rf /)'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_name_may_say_its_kind() {
        assert_eq!(parse_name("orders").map(|name| name.kind), Ok(None));
        assert_eq!(
            parse_name("cluster:orders").map(|name| name.kind),
            Ok(Some(DatabaseKind::Cluster))
        );
        for wrong in ["", "instance:", "a b", "x:orders"] {
            assert!(parse_name(wrong).is_err(), "{wrong}");
        }
    }
}
