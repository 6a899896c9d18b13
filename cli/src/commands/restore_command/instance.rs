//! The commands that restore an instance.

use domain::restore_settings::{RestoreSettings, Setting};
use serde::Serialize;

use crate::commands::restore_command::aws_command::{AwsCommand, CLASS, PROFILE, Step, wait};
use crate::commands::restore_command::restore::{Restoration, Restore, custom};

/// A processor feature as the AWS CLI takes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Feature {
    name: &'static str,
    value: String,
}

/// The restore, the wait, and what only a modification can set.
pub(crate) fn plan(restore: &Restore<'_>) -> Restoration {
    let mut left = restore.settings.clone();
    let mut steps = vec![restore_step(restore, &mut left)];
    steps.push(wait_step(
        restore,
        "rds",
        restore.request.name,
        "Wait until it is available; its endpoint is in describe-db-instances.",
    ));
    steps.extend(modify_step(restore, &mut left));
    let not_restored = restore.not_restored(
        &left,
        &["Read replicas, proxies, alarms, event subscriptions and DNS names: they are not part of a snapshot."],
    );
    Restoration { steps, not_restored }
}

/// Waits for an instance.
pub(crate) fn wait_step(restore: &Restore<'_>, service: &str, instance: &str, purpose: &str) -> Step {
    let mut describe = restore.command(service, "describe-db-instances");
    describe.option("--db-instance-identifier", instance);
    describe.option("--query", "DBInstances[0].DBInstanceStatus");
    describe.option("--output", "text");
    wait(&describe, purpose)
}

fn restore_step(restore: &Restore<'_>, left: &mut RestoreSettings) -> Step {
    let snapshot = restore.snapshot;
    let mut command = restore.command("rds", "restore-db-instance-from-db-snapshot");
    command.option("--db-instance-identifier", restore.request.name);
    command.option("--db-snapshot-identifier", &snapshot.id);
    match &restore.hints.class {
        Some(class) => command.option("--db-instance-class", class),
        None => command.placeholder("--db-instance-class", CLASS, CLASS),
    }
    command.network();
    command.setting("--port", left, Setting::Port);
    storage(&mut command, left);
    if let Some(group) = custom(restore.hints.parameter_group.as_deref()) {
        command.option("--db-parameter-group-name", group);
    }
    // The copy's own group is one of this region; the tag is that of the database.
    let of_database = || custom(restore.hints.option_group.as_deref());
    if let Some(group) = custom(snapshot.option_group.as_deref()).or_else(of_database) {
        command.option("--option-group-name", group);
    }
    if restore.is_custom() {
        // RDS Custom has none of the three, and refuses automatic upgrades (API reference).
        match left.take(Setting::InstanceProfile) {
            Some(profile) => command.option("--custom-iam-instance-profile", &profile),
            None => command.placeholder("--custom-iam-instance-profile", PROFILE, PROFILE),
        }
        left.take(Setting::AutoUpgrade);
        command.flag("--no-auto-minor-version-upgrade");
    } else {
        command.setting("--license-model", left, Setting::License);
        command.flag_if("--enable-iam-database-authentication", left, Setting::Iam, "true");
        command.setting("--ca-certificate-identifier", left, Setting::Ca);
        command.flag_if("--no-auto-minor-version-upgrade", left, Setting::AutoUpgrade, "false");
    }
    logs(&mut command, left);
    command.setting("--network-type", left, Setting::Network);
    processor(&mut command, left);
    command.flag_if("--dedicated-log-volume", left, Setting::LogVolume, "true");
    extended_support(&mut command, left);
    command.flag_if("--copy-tags-to-snapshot", left, Setting::CopyTags, "true");
    protection(&mut command, left);
    command.flag(if restore.is_multi_az() {
        "--multi-az"
    } else {
        "--no-multi-az"
    });
    command.flag("--no-publicly-accessible");
    restore.tag(&mut command);
    command.to("Restore the instance.")
}

/// The storage as it was. Magnetic storage cannot be restored to since 1 July 2026, so gp3 takes its place.
fn storage(command: &mut AwsCommand, left: &mut RestoreSettings) {
    let Some(storage) = left.take(Setting::Storage) else {
        return;
    };
    let (iops, throughput) = (left.take(Setting::Iops), left.take(Setting::Throughput));
    // Of gp3 RDS reports what small volumes have anyhow, and refuses it for them as an option (user guide, "gp3 storage").
    let (iops, throughput) = match storage.as_str() {
        "gp3" => (
            iops.filter(|iops| iops != "3000"),
            throughput.filter(|throughput| throughput != "125"),
        ),
        "standard" | "gp2" => (None, None),
        _ => (iops, None),
    };
    let storage = if storage == "standard" { "gp3" } else { &storage };
    command.option("--storage-type", storage);
    for (name, value) in [("--iops", iops), ("--storage-throughput", throughput)] {
        if let Some(value) = value {
            command.option(name, &value);
        }
    }
}

/// The logs that go to CloudWatch.
pub(crate) fn logs(command: &mut AwsCommand, left: &mut RestoreSettings) {
    if let Some(logs) = left.take(Setting::Logs) {
        let logs: Vec<&str> = logs.split('+').collect();
        command.json_option("--enable-cloudwatch-logs-exports", &logs);
    }
}

fn processor(command: &mut AwsCommand, left: &mut RestoreSettings) {
    let features = [
        ("coreCount", left.take(Setting::Cores)),
        ("threadsPerCore", left.take(Setting::Threads)),
    ];
    let features: Vec<Feature> = features
        .into_iter()
        .filter_map(|(name, value)| Some(Feature { name, value: value? }))
        .collect();
    if !features.is_empty() {
        command.json_option("--processor-features", &features);
    }
}

/// Databases are in Extended Support unless they say otherwise.
pub(crate) fn extended_support(command: &mut AwsCommand, left: &mut RestoreSettings) {
    if left.get(Setting::ExtendedSupport) == Some("false") {
        left.take(Setting::ExtendedSupport);
        command.option(
            "--engine-lifecycle-support",
            "open-source-rds-extended-support-disabled",
        );
    }
}

/// A restored database is not protected unless that is asked for.
pub(crate) fn protection(command: &mut AwsCommand, left: &mut RestoreSettings) {
    command.flag_if("--deletion-protection", left, Setting::DeletionProtection, "true");
}

/// What a restore has no options for; the backup settings have them since 2026 only, and an older AWS CLI has not.
fn modify_step(restore: &Restore<'_>, left: &mut RestoreSettings) -> Option<Step> {
    let mut command = restore.command("rds", "modify-db-instance");
    command.option("--db-instance-identifier", restore.request.name);
    command.flag("--apply-immediately");
    let empty = command.len();
    if !restore.is_custom() {
        command.setting("--max-allocated-storage", left, Setting::MaxStorage);
    }
    backups(&mut command, left);
    if !restore.is_custom() {
        monitoring(&mut command, left);
        insights(&mut command, left);
        password(&mut command, left);
    }
    (command.len() > empty).then(|| command.to("Set what a restore cannot set."))
}

/// When backups are taken and how long they are kept, and when RDS may restart the database.
pub(crate) fn backups(command: &mut AwsCommand, left: &mut RestoreSettings) {
    command.setting("--backup-retention-period", left, Setting::BackupRetention);
    command.setting("--preferred-backup-window", left, Setting::BackupWindow);
    command.setting("--preferred-maintenance-window", left, Setting::MaintenanceWindow);
}

/// Enhanced Monitoring. Its role is one of IAM, which has no regions.
pub(crate) fn monitoring(command: &mut AwsCommand, left: &mut RestoreSettings) {
    if left.get(Setting::Monitoring).is_some() && left.get(Setting::MonitoringRole).is_some() {
        command.setting("--monitoring-interval", left, Setting::Monitoring);
        command.setting("--monitoring-role-arn", left, Setting::MonitoringRole);
    }
}

/// Performance Insights, under the default key: the one of the database was of its region.
pub(crate) fn insights(command: &mut AwsCommand, left: &mut RestoreSettings) {
    if let Some(days) = left.take(Setting::Insights) {
        command.flag("--enable-performance-insights");
        command.option("--performance-insights-retention-period", &days);
        command.setting("--database-insights-mode", left, Setting::InsightsMode);
    }
}

/// The secret with the password was in the source region: RDS makes another one here.
pub(crate) fn password(command: &mut AwsCommand, left: &mut RestoreSettings) {
    command.flag_if("--manage-master-user-password", left, Setting::ManagedPassword, "true");
}
