//! `snapferry drill --keep`: a drill database becomes one that stays.
//!
//! The mark is what lets anything delete it: without the mark neither the functions nor their roles can.

use domain::kind::{DatabaseKind, DatabaseName};
use domain::ownership::Owner;
use domain::restorability::is_custom;
use domain::restore_settings::{RestoreHints, RestoreSettings, Setting};
use domain::tags;
use rds::Rds;
use rds::restore::Restored;

use crate::args::Global;
use crate::aws::account::Account;
use crate::error::{CliError, ExitStatus};
use crate::format::database_name;
use crate::output::terminal::{Style, Terminal};
use crate::quoting::{is_usable, shell};

/// What the operator must be allowed to do.
const READS: &str = "rds:DescribeDBInstances and rds:DescribeDBClusters";
const WRITES: &str = "rds:RemoveTagsFromResource on the drill database";

/// Takes the mark off, and says what to change before the database is used.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    region: &str,
    name: &str,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let rds = account.rds(region);
    let database = find(&rds, name).await?;
    let written = database_name(database.kind, &database.id);
    if owner(&database).is_none() {
        return Err(CliError::new(
            format!("{written} in {region} is not a drill database: it has not both the name and the mark of one."),
            "Nothing was changed. A drill database is named <OwnerId>-drill-..., and has the tag snapferry:drill-owner; \
             one that was kept has it no more.",
        ));
    }
    if database.status == "deleting" {
        return Err(CliError::new(
            format!("{written} in {region} is being deleted, which nothing can stop."),
            "Start another drill, or restore the copy: snapferry restore-command.",
        ));
    }
    let members = members(&rds, &database).await?;
    let original = Original::read(&rds, &database).await;
    // The members first: while the cluster has its mark, RDS refuses to delete it for its members' sake.
    for one in members.iter().chain([&database]) {
        let taken = rds.untag(&one.arn, tags::DRILL_OWNER).await;
        taken.map_err(|error| CliError::from_rds(region, WRITES, &error))?;
    }
    let kept = read(&rds, database.kind, &database.id).await?;
    if kept.is_none_or(|kept| kept.status == "deleting") {
        return Err(CliError::new(
            format!("{written} in {region} was deleted before its mark was off."),
            "Start another drill, or restore the copy: snapferry restore-command.",
        ));
    }
    terminal.println_wrapped(
        Style::Good,
        &format!("{written} in {region} is kept: no drill and no sweep deletes it any more."),
    );
    if let Some((host, port)) = &database.endpoint {
        terminal.println_wrapped(
            Style::Plain,
            &format!("It listens at {host}:{port}, until it is renamed."),
        );
    }
    terminal.println_wrapped(
        Style::Plain,
        "It is closed, small, and without backups. Before it is used, replace the values in CAPITALS and run:",
    );
    let profile = global.profile.as_deref();
    for command in commands(region, profile, &database, &members, &original) {
        terminal.println("");
        terminal.println(&command);
    }
    terminal.eprintln(
        "The class, the parameter group and the name are those of the original, as far as its copy records them and the \
         name is free; `snapferry restore-command` prints its other settings. The master password is that of the original, \
         unless a check function was given a new one.",
    );
    Ok(ExitStatus::Success)
}

/// The owner whose drill it is of; nothing if it has not both the name and the mark.
fn owner(database: &Restored) -> Option<Owner> {
    let (source_region, id) = database.tags.get(tags::DRILL_OWNER)?.split_once('/')?;
    let owner = Owner::new(source_region, id);
    database.mark().is_ours(&owner).then_some(owner)
}

async fn read(rds: &Rds, kind: DatabaseKind, id: &str) -> Result<Option<Restored>, CliError> {
    let found = rds.restored(kind, id).await;
    found.map_err(|error| CliError::from_rds(rds.region(), READS, &error))
}

/// The database of this name; of a member, its cluster.
async fn find(rds: &Rds, name: &str) -> Result<Restored, CliError> {
    let missing = || {
        CliError::new(
            format!("There is no database {name} in {}.", rds.region()),
            "A drill database exists while its drill runs; the output of the drill's execution has its name.",
        )
    };
    let parsed: DatabaseName = name.parse().map_err(|_| missing())?;
    for kind in parsed.kinds() {
        let Some(found) = read(rds, kind, &parsed.id).await? else {
            continue;
        };
        return match &found.member_of {
            None => Ok(found),
            Some(cluster) => read(rds, DatabaseKind::Cluster, cluster).await?.ok_or_else(missing),
        };
    }
    Err(missing())
}

async fn members(rds: &Rds, database: &Restored) -> Result<Vec<Restored>, CliError> {
    if database.kind == DatabaseKind::Instance {
        return Ok(Vec::new());
    }
    let found = rds.restored_named(&database.id).await;
    let mut found = found.map_err(|error| CliError::from_rds(rds.region(), READS, &error))?;
    found.retain(|member| member.member_of.as_ref() == Some(&database.id));
    Ok(found)
}

/// What the copy records of the original. What is not known is left to the operator.
#[derive(Debug, Default)]
struct Original {
    /// Its name, if it is free in this region.
    name: Option<String>,
    class: Option<String>,
    /// Its parameter group, or that it has the one which the engine has by default; nothing if that is not known.
    parameter_group: Option<ParameterGroup>,
    backup_days: Option<String>,
    multi_az: bool,
}

#[derive(Debug)]
enum ParameterGroup {
    /// The restored database has it already.
    Default,
    Named(String),
}

impl Original {
    /// Reads the copy that the drill database names. Where that cannot be read the operator fills in what it would say.
    async fn read(rds: &Rds, database: &Restored) -> Self {
        let mark = database.mark();
        let copy = mark.copy_arn().and_then(|arn| arn.splitn(7, ':').last());
        let Some(copy) = copy else { return Self::default() };
        let Ok(Some((copy, _))) = rds.copy_to_restore(database.kind, copy).await else {
            return Self::default();
        };
        let usable = |value: Option<String>| value.filter(|value| !value.is_empty() && is_usable(value));
        let hints = RestoreHints::read(&copy.tags);
        let name = usable(copy.tags.get(tags::SOURCE_ID).cloned());
        let is_free = match &name {
            Some(name) => matches!(rds.restored(database.kind, name).await, Ok(None)),
            None => false,
        };
        let settings = copy.settings.clone().or(RestoreSettings::read(&copy.tags).settings);
        Self {
            name: name.filter(|_| is_free),
            class: usable(hints.class),
            parameter_group: usable(hints.parameter_group).map(|group| {
                if is_custom(&group) {
                    ParameterGroup::Named(group)
                } else {
                    ParameterGroup::Default
                }
            }),
            backup_days: usable(settings.get(Setting::BackupRetention).map(str::to_owned)),
            multi_az: hints.multi_az == Some(true),
        }
    }

    fn class(&self) -> &str {
        self.class.as_deref().unwrap_or("INSTANCE_CLASS")
    }

    /// The option with the parameter group; none where the database has the right one already.
    fn parameter_group(&self, option: &'static str, placeholder: &'static str) -> Vec<&str> {
        match &self.parameter_group {
            Some(ParameterGroup::Default) => Vec::new(),
            Some(ParameterGroup::Named(group)) => vec![option, group],
            None => vec![option, placeholder],
        }
    }

    /// What every database gets, with the security groups, which belong to a region and are nowhere recorded.
    fn settings(&self) -> [&str; 6] {
        let days = self.backup_days.as_deref().filter(|days| *days != "0");
        [
            "--vpc-security-group-ids",
            "SECURITY_GROUP_IDS",
            "--backup-retention-period",
            days.unwrap_or("7"),
            "--deletion-protection",
            "--apply-immediately",
        ]
    }
}

/// What has to be changed, as commands of the AWS CLI. The new name comes last, because the others have the old one.
fn commands(
    region: &str,
    profile: Option<&str>,
    database: &Restored,
    members: &[Restored],
    original: &Original,
) -> Vec<String> {
    let command = |operation: &str, options: &[&str]| {
        let place = [Some("--region"), Some(region), profile.map(|_| "--profile"), profile];
        let begin = ["aws", "rds", operation].into_iter();
        let words = begin.chain(place.into_iter().flatten()).chain(options.iter().copied());
        let words: Vec<String> = words.map(str::to_owned).collect();
        shell(&words)
    };
    let untag = |one: &Restored| {
        let keys = [tags::DRILL_RUN, tags::DRILL_UNTIL, tags::COPY];
        let options = [&["--resource-name", one.arn.as_str(), "--tag-keys"], &keys[..]].concat();
        command("remove-tags-from-resource", &options)
    };
    let id = database.id.as_str();
    let new_name = original.name.as_deref().unwrap_or("NEW_NAME");
    let mut commands = vec![untag(database)];
    match database.kind {
        DatabaseKind::Instance => {
            let name = ["--db-instance-identifier", id];
            let class = ["--db-instance-class", original.class()];
            let group = original.parameter_group("--db-parameter-group-name", "PARAMETER_GROUP");
            let multi_az: &[&str] = if original.multi_az { &["--multi-az"] } else { &[] };
            let settings = original.settings();
            let options = [&name[..], &class, &group, multi_az, &settings].concat();
            commands.push(command("modify-db-instance", &options));
            let renamed = ["--new-db-instance-identifier", new_name, "--apply-immediately"];
            commands.push(command("modify-db-instance", &[&name[..], &renamed[..]].concat()));
        }
        DatabaseKind::Cluster => {
            let name = ["--db-cluster-identifier", id];
            let group = original.parameter_group("--db-cluster-parameter-group-name", "CLUSTER_PARAMETER_GROUP");
            let options = [&name[..], &group, &original.settings()].concat();
            commands.push(command("modify-db-cluster", &options));
            let member_name = original.name.as_ref().map(|name| format!("{name}-1"));
            // There is one member at most.
            let member_name = member_name.as_deref().unwrap_or("NEW_MEMBER_NAME");
            for member in members {
                commands.push(untag(member));
                let options = [
                    "--db-instance-identifier",
                    member.id.as_str(),
                    "--db-instance-class",
                    original.class(),
                    "--new-db-instance-identifier",
                    member_name,
                    "--apply-immediately",
                ];
                commands.push(command("modify-db-instance", &options));
            }
            if members.is_empty() {
                let engine = database.description.engine.as_str();
                let options = [
                    "--db-instance-identifier",
                    member_name,
                    "--db-cluster-identifier",
                    id,
                    "--engine",
                    engine,
                    "--db-instance-class",
                    original.class(),
                ];
                commands.push(command("create-db-instance", &options));
            }
            let renamed = ["--new-db-cluster-identifier", new_name, "--apply-immediately"];
            commands.push(command("modify-db-cluster", &[&name[..], &renamed[..]].concat()));
        }
    }
    commands
}
