//! `snapferry restore-command`: the AWS CLI commands that restore a database from its newest verified copy.
//!
//! Everything comes from the copy and its tags, so that it works when the source region is lost.

use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use domain::snapshot::Encryption;
use domain::tags;
use jiff::Timestamp;
use serde::Serialize;

use crate::args::{Global, RestoreCommand};
use crate::copies::{self, Place};
use crate::moment::{length, utc};
use crate::{Cloud, DatabaseCopies, Ending, Failure, HeldCopy, Screen};

/// What a restore takes, beside what the copy says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wish<'a> {
    /// What the database is to be called.
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

/// What the command says, as JSON.
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

/// Finds the copy and says the commands.
pub(crate) async fn run(
    cloud: &Cloud,
    global: &Global,
    options: &RestoreCommand,
    screen: &mut Screen<'_>,
) -> Result<Ending, Failure> {
    let (kinds, id) = named(&options.database)?;
    let place = Place::find(cloud, global, &options.place).await?;
    let rds = place.rds(cloud);
    let fleet = copies::read_named(&rds, &place.owner_id, place.source_region(), &kinds, id).await?;
    let database = choose(&fleet.databases, &options.database, id, &place)?;
    let Some(copy) = database.newest_verified() else {
        return Err(no_verified(database, &place.region));
    };

    let now = cloud.now();
    let wish = Wish {
        name: options.name.as_deref().unwrap_or(id),
        region: &place.region,
        profile: global.profile.as_deref(),
        members: options.members,
    };
    let steps = match database.kind {
        DatabaseKind::Instance => instance(copy, &wish),
        DatabaseKind::Cluster => cluster(copy, &wish),
    };
    let notes = notes(&fleet.databases, database, copy);
    let age = now.duration_since(copy.own.source_created);
    if options.json {
        screen.json(&Report {
            version: 1,
            database: &database.id,
            kind: database.kind,
            region: &place.region,
            copy: &copy.own.id,
            captured_at: copy.own.source_created,
            verified_at: copy.verified_at(),
            age_seconds: age.as_secs(),
            fill_in: placeholders(&steps),
            steps: &steps,
            notes: &notes,
        });
        return Ok(Ending::Fine);
    }
    screen.line(&format!(
        "# {} {}, as it was at {} UTC ({} ago).",
        database.kind,
        database.id,
        utc(copy.own.source_created),
        length(age)
    ));
    screen.line(&format!(
        "# From the verified copy {} in {}.",
        copy.own.id, place.region
    ));
    for note in &notes {
        screen.line(&format!("# {note}"));
    }
    for step in &steps {
        screen.line(&format!("\n# {}", step.purpose));
        screen.line(&shell(&step.command));
    }
    let fill_in = placeholders(&steps);
    if !fill_in.is_empty() {
        screen.aside(&format!("Fill in: {}.", fill_in.join(", ")));
    }
    Ok(Ending::Fine)
}

/// The kinds that a name may be of, and the name alone.
fn named(database: &str) -> Result<(Vec<DatabaseKind>, &str), Failure> {
    let (kinds, id) = match database.split_once(':') {
        Some(("instance", id)) => (vec![DatabaseKind::Instance], id),
        Some(("cluster", id)) => (vec![DatabaseKind::Cluster], id),
        _ => (DatabaseKind::ALL.to_vec(), database),
    };
    let legal = id.len() <= 63 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if id.is_empty() || !legal {
        return Err(Failure::new(
            format!("{database:?} is no database identifier."),
            "Give it as the RDS console shows it: orders, or instance:orders, or cluster:orders.",
        ));
    }
    Ok((kinds, id))
}

/// The database that is meant. Of several of one name, as when one was made anew, it is the one with the newest data.
fn choose<'a>(
    databases: &'a [DatabaseCopies],
    asked: &str,
    id: &str,
    place: &Place,
) -> Result<&'a DatabaseCopies, Failure> {
    let kind = |wanted| databases.iter().any(|database| database.kind == wanted);
    if kind(DatabaseKind::Instance) && kind(DatabaseKind::Cluster) {
        return Err(Failure::new(
            format!("{id} is an instance and a cluster."),
            format!("Say which: instance:{id} or cluster:{id}."),
        ));
    }
    let newest = databases
        .iter()
        .max_by_key(|database| database.newest_verified().map(|copy| copy.own.source_created));
    newest.ok_or_else(|| {
        Failure::new(
            format!(
                "There is no copy of {asked} of the owner {} in {}.",
                place.owner_id, place.region
            ),
            format!("`snapferry status --destination {}` lists what there is.", place.region),
        )
    })
}

fn no_verified(database: &DatabaseCopies, region: &str) -> Failure {
    let unverified = database.count(CopyStatus::Unverified);
    let newest = database
        .copies
        .first()
        .map(|copy| copy.own.id.as_str())
        .unwrap_or_default();
    Failure::new(
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
fn notes(all: &[DatabaseCopies], database: &DatabaseCopies, copy: &HeldCopy) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(newer) = database.copies.first().filter(|newer| newer.own.id != copy.own.id) {
        notes.push(format!(
            "There is newer data, of {} UTC, in {}, which is not verified ({}, {} %).",
            utc(newer.own.source_created),
            newer.own.id,
            newer.snapshot.status,
            newer.snapshot.percent
        ));
    }
    if all.len() > 1 {
        notes.push(format!(
            "{} databases had this name; this is {}.",
            all.len(),
            database.resource_id
        ));
    }
    if copy.tag(tags::CLASS).is_none() {
        notes.push("The copy does not say the class of the database; choose one.".to_owned());
    }
    for (tag, what) in [
        (tags::PARAMETER_GROUP, "parameter group"),
        (tags::OPTION_GROUP, "option group"),
    ] {
        if let Some(name) = copy.tag(tag).filter(|name| !is_default(name)) {
            notes.push(format!(
                "The database had the {what} {name}; create it in this region first if it is not there."
            ));
        }
    }
    notes
}

/// Groups that AWS makes: they are there without being named, or not at all.
fn is_default(group: &str) -> bool {
    group.starts_with("default.") || group.starts_with("default:")
}

/// The commands for an instance.
fn instance(copy: &HeldCopy, wish: &Wish<'_>) -> Vec<Step> {
    let mut restore = aws(wish, "rds", "restore-db-instance-from-db-snapshot");
    restore.option("--db-instance-identifier", wish.name);
    restore.option("--db-snapshot-identifier", &copy.own.id);
    restore.option("--db-instance-class", copy.tag(tags::CLASS).unwrap_or(CLASS));
    network(&mut restore);
    if let Some(group) = copy.tag(tags::PARAMETER_GROUP).filter(|group| !is_default(group)) {
        restore.option("--db-parameter-group-name", group);
    }
    // The copy's own group is one of this region; the tag is that of the database.
    let own = copy.snapshot.option_group.as_deref();
    let group = own.filter(|group| !is_default(group)).or(copy.tag(tags::OPTION_GROUP));
    if let Some(group) = group.filter(|group| !is_default(group)) {
        restore.option("--option-group-name", group);
    }
    if copy.snapshot.engine.starts_with("custom-") {
        restore.option("--custom-iam-instance-profile", PROFILE);
    }
    let multi_az = copy.tag(tags::MULTI_AZ) == Some("true");
    restore.flag(if multi_az { "--multi-az" } else { "--no-multi-az" });
    restore.flag("--no-publicly-accessible");

    let mut wait = aws(wish, "rds", "wait db-instance-available");
    wait.option("--db-instance-identifier", wish.name);
    vec![
        restore.to("Restore the instance."),
        wait.to("Wait until it is available; its endpoint is in describe-db-instances."),
    ]
}

/// The commands for a cluster: the cluster, then its members, which have no snapshots of their own.
fn cluster(copy: &HeldCopy, wish: &Wish<'_>) -> Vec<Step> {
    let snapshot = &copy.snapshot;
    let service = match snapshot.engine.as_str() {
        "neptune" => "neptune",
        "docdb" => "docdb",
        _ => "rds",
    };
    let class = copy.tag(tags::CLASS).unwrap_or(CLASS);
    let mut restore = aws(wish, service, "restore-db-cluster-from-snapshot");
    restore.option("--db-cluster-identifier", wish.name);
    restore.option("--snapshot-identifier", &copy.own.id);
    restore.option("--engine", &snapshot.engine);
    let version = copy.tag(tags::ENGINE_VERSION).unwrap_or(&snapshot.engine_version);
    if !version.is_empty() {
        restore.option("--engine-version", version);
    }
    network(&mut restore);
    if let Some(group) = copy.tag(tags::PARAMETER_GROUP).filter(|group| !is_default(group)) {
        restore.option("--db-cluster-parameter-group-name", group);
    }
    // Encrypted copies restore under their own key; RDS copies unencrypted clusters unencrypted only.
    if snapshot.encryption == Encryption::None {
        restore.option("--kms-key-id", KEY);
    }
    if class == "db.serverless" {
        restore.option(
            "--serverless-v2-scaling-configuration",
            &format!("MinCapacity=0.5,MaxCapacity={CAPACITY}"),
        );
    }
    let mut steps = vec![restore.to("Restore the cluster. It has no instance yet.")];

    let standby = if copy.tag(tags::MULTI_AZ) == Some("true") { 2 } else { 1 };
    for number in 1..=wish.members.unwrap_or(standby) {
        // 63 characters at most, and the number has to stay.
        let begin: String = wish.name.chars().take(60).collect();
        let mut create = aws(wish, service, "create-db-instance");
        create.option("--db-cluster-identifier", wish.name);
        create.option("--db-instance-identifier", &format!("{begin}-{number}"));
        create.option("--db-instance-class", class);
        create.option("--engine", &snapshot.engine);
        if service == "rds" {
            create.flag("--no-publicly-accessible");
        }
        steps.push(create.to(if number == 1 {
            "Give it the instance that is written to."
        } else {
            "Give it another instance, which takes over if the first fails."
        }));
    }
    let mut wait = aws(wish, service, "wait db-instance-available");
    wait.option(
        "--db-instance-identifier",
        &format!("{}-1", wish.name.chars().take(60).collect::<String>()),
    );
    steps.push(wait.to("Wait until it is available; its endpoints are in describe-db-clusters."));
    steps
}

/// A command that is being put together.
struct Aws(Vec<String>);

fn aws(wish: &Wish<'_>, service: &str, operation: &str) -> Aws {
    let mut words = vec!["aws", service];
    words.extend(operation.split(' '));
    words.extend(["--region", wish.region]);
    if let Some(profile) = wish.profile {
        words.extend(["--profile", profile]);
    }
    Aws(words.into_iter().map(str::to_owned).collect())
}

impl Aws {
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

fn network(command: &mut Aws) {
    command.option("--db-subnet-group-name", SUBNETS);
    command.option("--vpc-security-group-ids", SECURITY);
}

/// What has to be filled in, in the order in which it appears.
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

/// The command as a shell reads it, an option a line.
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
        assert_eq!(named("orders"), Ok((DatabaseKind::ALL.to_vec(), "orders")));
        assert_eq!(named("cluster:orders"), Ok((vec![DatabaseKind::Cluster], "orders")));
        for wrong in ["", "instance:", "a b", "x:orders"] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }
}
