//! The commands that restore a cluster: the cluster, then its instances, which have no snapshots of their own.

use domain::kind::DatabaseKind;
use domain::restorability::members;
use domain::restore_settings::{RestoreSettings, Setting};
use domain::snapshot::Encryption;

use crate::commands::restore_command::aws_command::{AwsCommand, CAPACITY, CLASS, KEY, Step, wait};
use crate::commands::restore_command::instance;
use crate::commands::restore_command::names::member_name;
use crate::commands::restore_command::restore::{Restoration, Restore, custom};

/// The three services whose clusters these are. Their commands have the same names, and not the same options
/// (botocore, models of rds, docdb and neptune).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Aurora,
    DocumentDb,
    Neptune,
}

impl Service {
    fn from_engine(engine: &str) -> Self {
        match engine {
            "neptune" => Self::Neptune,
            "docdb" => Self::DocumentDb,
            _ => Self::Aurora,
        }
    }

    /// Its name in the AWS CLI.
    fn name(self) -> &'static str {
        match self {
            Self::Aurora => "rds",
            Self::DocumentDb => "docdb",
            Self::Neptune => "neptune",
        }
    }
}

/// The restore, its instances, the waits, and what only a modification can set.
pub(crate) fn plan(restore: &Restore<'_>) -> Restoration {
    let service = Service::from_engine(restore.engine());
    let mut left = restore.settings.clone();
    let of_members = left.clone();
    let mut steps = vec![restore_step(restore, service, &mut left)];
    let mut describe = restore.command(service.name(), "describe-db-clusters");
    describe.option("--db-cluster-identifier", restore.request.name);
    describe.option("--query", "DBClusters[0].Status");
    describe.option("--output", "text");
    steps.push(wait(&describe, "Wait until it is available."));

    let recorded = members(DatabaseKind::Cluster, &left, restore.is_multi_az());
    if left
        .get(Setting::Members)
        .is_some_and(|members| members.parse::<u32>().is_ok())
    {
        left.take(Setting::Members);
    }
    for number in 1..=restore.request.members.unwrap_or(recorded) {
        // Each has the same settings, and none is left when the last one is made.
        let mut settings = of_members.clone();
        steps.push(member(restore, service, number, &mut settings));
        left.retain(|setting, _| settings.get(setting).is_some());
    }
    steps.push(instance::wait_step(
        restore,
        service.name(),
        &member_name(restore.request.name, 1),
        "Wait until its writer is available; its endpoints are in describe-db-clusters.",
    ));
    steps.extend(modify_step(restore, service, &mut left));
    steps.extend(data_api_step(restore, service, &mut left));
    // No choice: each of the engines has its one.
    left.take(Setting::License);
    let mut of_kind = vec!["Tags, classes and promotion tiers of the single instances: all are made like the writer."];
    let group = custom(restore.hints.option_group.as_deref());
    if group.is_some() {
        of_kind.push("The option group: clusters have the default one.");
    }
    of_kind.push(
        "Custom endpoints, autoscaling, global databases, proxies, alarms, event subscriptions and DNS names: they are not \
         part of a snapshot.",
    );
    let not_restored = restore.not_restored(&left, &of_kind);
    Restoration { steps, not_restored }
}

fn restore_step(restore: &Restore<'_>, service: Service, left: &mut RestoreSettings) -> Step {
    let snapshot = restore.snapshot;
    let mut command = restore.command(service.name(), "restore-db-cluster-from-snapshot");
    command.option("--db-cluster-identifier", restore.request.name);
    command.option("--snapshot-identifier", &snapshot.id);
    command.option("--engine", &snapshot.engine);
    // Without it the region's default version is taken, not that of the snapshot.
    if !restore.engine_version().is_empty() {
        command.option("--engine-version", restore.engine_version());
    }
    command.network();
    command.setting("--port", left, Setting::Port);
    if let Some(group) = custom(restore.hints.parameter_group.as_deref()) {
        command.option("--db-cluster-parameter-group-name", group);
    }
    // Encrypted copies restore under their own key; RDS copies unencrypted clusters unencrypted only.
    if snapshot.encryption == Encryption::None {
        command.placeholder("--kms-key-id", KEY, KEY);
    }
    // `aurora` and `standard` are what a restore gives anyhow; `standard` is not the magnetic storage of instances.
    if let Some(storage) = left.take(Setting::Storage).filter(|storage| storage.contains("iopt")) {
        command.option("--storage-type", &storage);
    }
    capacity(&mut command, restore, left);
    if service != Service::DocumentDb {
        command.flag_if("--enable-iam-database-authentication", left, Setting::Iam, "true");
        command.flag_if("--copy-tags-to-snapshot", left, Setting::CopyTags, "true");
    }
    if service != Service::Neptune {
        command.setting("--network-type", left, Setting::Network);
    }
    instance::logs(&mut command, left);
    if service == Service::Aurora {
        command.setting("--backtrack-window", left, Setting::Backtrack);
        instance::extended_support(&mut command, left);
    }
    instance::protection(&mut command, left);
    restore.tag(&mut command);
    command.to("Restore the cluster. It has no instance yet.")
}

/// What serverless instances may use.
fn capacity(command: &mut AwsCommand, restore: &Restore<'_>, left: &mut RestoreSettings) {
    let name = "--serverless-v2-scaling-configuration";
    let is_serverless = restore.hints.class.as_deref() == Some("db.serverless");
    if !is_serverless && left.get(Setting::MaxCapacity).is_none() {
        return;
    }
    let min = left.take(Setting::MinCapacity).unwrap_or_else(|| "0.5".to_owned());
    let pause = left.take(Setting::AutoPause);
    let pause = pause.map_or_else(String::new, |seconds| format!(",SecondsUntilAutoPause={seconds}"));
    if let Some(max) = left.take(Setting::MaxCapacity) {
        command.option(name, &format!("MinCapacity={min},MaxCapacity={max}{pause}"));
    } else {
        let value = format!("MinCapacity={min},MaxCapacity={CAPACITY}{pause}");
        command.placeholder(name, &value, CAPACITY);
    }
}

fn member(restore: &Restore<'_>, service: Service, number: u32, left: &mut RestoreSettings) -> Step {
    let mut command = restore.command(service.name(), "create-db-instance");
    command.option("--db-cluster-identifier", restore.request.name);
    command.option("--db-instance-identifier", &member_name(restore.request.name, number));
    match &restore.hints.class {
        Some(class) => command.option("--db-instance-class", class),
        None => command.placeholder("--db-instance-class", CLASS, CLASS),
    }
    command.option("--engine", restore.engine());
    if service != Service::DocumentDb {
        command.setting("--db-parameter-group-name", left, Setting::MemberParameterGroup);
        instance::monitoring(&mut command, left);
    }
    if service != Service::Neptune {
        command.setting("--ca-certificate-identifier", left, Setting::Ca);
    }
    command.flag_if("--no-auto-minor-version-upgrade", left, Setting::AutoUpgrade, "false");
    if service == Service::Aurora {
        // Database Insights is a setting of the cluster, with which Performance Insights goes then.
        if left.get(Setting::InsightsMode).is_none() {
            instance::insights(&mut command, left);
        }
        command.flag("--no-publicly-accessible");
    } else if left.take(Setting::Insights).is_some() {
        command.flag("--enable-performance-insights");
    }
    command.to(if number == 1 {
        "Create its writer instance."
    } else {
        "Create another instance, which takes over if the first fails."
    })
}

/// What a restore has no options for.
fn modify_step(restore: &Restore<'_>, service: Service, left: &mut RestoreSettings) -> Option<Step> {
    let mut command = restore.command(service.name(), "modify-db-cluster");
    command.option("--db-cluster-identifier", restore.request.name);
    command.flag("--apply-immediately");
    let empty = command.len();
    instance::backups(&mut command, left);
    if service == Service::Aurora {
        instance::insights(&mut command, left);
        command.flag_if(
            "--enable-local-write-forwarding",
            left,
            Setting::WriteForwarding,
            "true",
        );
    }
    if service != Service::Neptune {
        instance::password(&mut command, left);
    }
    (command.len() > empty).then(|| command.to("Set what a restore cannot set."))
}

/// The Data API is switched on by a call of its own, which names the cluster by its ARN.
fn data_api_step(restore: &Restore<'_>, service: Service, left: &mut RestoreSettings) -> Option<Step> {
    // arn:<partition>:rds:<region>:<account>:cluster-snapshot:<name>
    let account = restore.snapshot.arn.split(":cluster-snapshot:").next();
    let account = account.filter(|account| service == Service::Aurora && account.starts_with("arn:"))?;
    left.get(Setting::HttpEndpoint).filter(|value| *value == "true")?;
    left.take(Setting::HttpEndpoint);
    let mut command = restore.command("rds", "enable-http-endpoint");
    command.option("--resource-arn", &format!("{account}:cluster:{}", restore.request.name));
    Some(command.to("Switch the Data API on."))
}
