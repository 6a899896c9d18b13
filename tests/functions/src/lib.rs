//! What the tests of the functions share: settings, a simulated account, a deployment that reaches it.

#![forbid(unsafe_code)]

mod copies;
pub mod inputs;
mod measured;
pub mod next_release;

pub use copies::{CopyBuilder, automated_arn, copy_of};
pub use measured::{Measured, metered, metered_watch};

use domain::kind::DatabaseKind;
use domain::payload::{Source, Target};
use domain::restore_settings::RestoreSettings;
use domain::settings::Settings;
use domain::snapshot::{Database, Encryption, Snapshot};
use domain::watch_settings::WatchSettings;
use rds::Rds;
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Region, Scenario};
use rds_simulator_sdk::simulator::SnapshotState;
use runtime::deployment::Deployment;
use runtime::watch::Watch;

/// The source region of the tests.
pub const SOURCE: &str = "us-east-1";
/// The destination region of the tests.
pub const DESTINATION: &str = "eu-west-1";
/// The key in the destination region.
pub const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-4111-8111-111111111111";
/// Another key there.
pub const OTHER_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-4222-8222-222222222222";

/// Settings as a stack with defaults has them, but for these variables.
///
/// # Panics
/// When the settings are refused.
#[must_use]
pub fn settings_with(variables: &[(&str, &str)]) -> Settings {
    let read = Settings::read(|name| {
        let given = variables
            .iter()
            .find(|(variable, _)| *variable == name)
            .map(|(_, value)| *value);
        let value = given.or(match name {
            "AWS_REGION" => Some(SOURCE),
            "DESTINATION_REGION" => Some(DESTINATION),
            "DESTINATION_KMS_KEY_ARN" => Some(KEY),
            "OWNER_ID" => Some("snap"),
            "STACK_NAME" => Some("snapferry"),
            "DATABASE_METRICS" => Some("true"),
            _ => None,
        });
        value.map(str::to_owned)
    });
    read.unwrap_or_else(|error| panic!("{error}"))
}

/// Settings as a stack with defaults has them.
#[must_use]
pub fn settings() -> Settings {
    settings_with(&[])
}

/// A world with databases in the source region and two keys in the destination region.
#[must_use]
pub fn world(source: impl FnOnce(Region) -> Region) -> World {
    world_with(source, |destination| destination)
}

/// The same, with something in the destination region.
#[must_use]
pub fn world_with(source: impl FnOnce(Region) -> Region, destination: impl FnOnce(Region) -> Region) -> World {
    let keys = |region: Region| region.key(KEY, "alias/copies").key(OTHER_KEY, "alias/other");
    World::new(
        &Scenario::new()
            .region(SOURCE, source)
            .region(DESTINATION, |region| destination(keys(region))),
    )
}

/// A deployment of the function `caller` with these settings, whose RDS is the world's.
#[must_use]
pub fn deployment_with(world: &World, caller: &str, settings: Settings) -> Deployment {
    let rds = |region: &str| Rds::new(world.client(region, caller), region);
    let (source, destination) = (rds(&settings.source_region), rds(&settings.destination_region));
    Deployment::new(settings, source, destination)
}

/// A deployment with default settings.
#[must_use]
pub fn deployment(world: &World) -> Deployment {
    deployment_with(world, "tests", settings())
}

/// The watch in the destination region, with these settings beside the defaults, whose RDS is the world's.
///
/// # Panics
/// When the settings are refused.
#[must_use]
pub fn watch_with(world: &World, caller: &str, variables: &[(&str, &str)]) -> Watch {
    let read = WatchSettings::read(|name| {
        let given = variables.iter().find(|(variable, _)| *variable == name);
        let value = given.map(|(_, value)| *value).or(match name {
            "AWS_REGION" => Some(DESTINATION),
            "SOURCE_REGION" => Some(SOURCE),
            "OWNER_ID" => Some("snap"),
            "STACK_NAME" => Some("snapferry-watch"),
            "DATABASE_METRICS" => Some("true"),
            "DRILL_COPY_MACHINE" => Some("snapferry-watch-drill-copy"),
            _ => None,
        });
        value.map(str::to_owned)
    });
    let settings = read.unwrap_or_else(|error| panic!("{error}"));
    let rds = Rds::new(world.client(&settings.region, caller), &settings.region);
    Watch::new(settings, rds)
}

/// A database of the source region as a target.
///
/// # Panics
/// When there is no such database.
#[must_use]
pub fn target(world: &World, kind: DatabaseKind, id: &str) -> Target {
    let state = world.state();
    let database = state.database(SOURCE, id).unwrap_or_else(|| panic!("no database {id}"));
    Target::new(kind, id, &database.resource_id)
}

/// A database with nothing particular about it, for tests that change what matters to them.
#[must_use]
pub fn database(kind: DatabaseKind, id: &str) -> Database {
    let (noun, engine, version) = match kind {
        DatabaseKind::Instance => ("db", "postgres", "16.3"),
        DatabaseKind::Cluster => ("cluster", "aurora-postgresql", "16.6"),
    };
    Database {
        kind,
        id: id.to_owned(),
        arn: format!("arn:aws:rds:{SOURCE}:123456789012:{noun}:{id}"),
        resource_id: format!("{noun}-{}", id.to_ascii_uppercase()),
        created_at: None,
        encryption: Encryption::Kms,
        global_cluster: None,
        engine: engine.to_owned(),
        engine_version: version.to_owned(),
        member_of: None,
        tags: std::collections::BTreeMap::new(),
        status: "available".to_owned(),
        backup_retention_days: Some(7),
        replica_of: None,
        aws_backup_arn: None,
        class: None,
        parameter_group: None,
        option_group: None,
        multi_az: false,
        writer: None,
        allocated_gib: None,
        settings: RestoreSettings::default(),
    }
}

/// A complete, encrypted snapshot of the instance orders, for tests that change what matters to them.
#[must_use]
pub fn snapshot(id: &str) -> Snapshot {
    Snapshot {
        kind: DatabaseKind::Instance,
        id: id.to_owned(),
        arn: format!("arn:aws:rds:us-east-1:123456789012:snapshot:{id}"),
        database_id: "orders".to_owned(),
        resource_id: Some("db-ORDERS".to_owned()),
        snapshot_type: "automated".to_owned(),
        status: "available".to_owned(),
        created_at: None,
        original_created_at: None,
        data_time: None,
        engine: "postgres".to_owned(),
        engine_version: "16.3".to_owned(),
        encryption: Encryption::Kms,
        kms_key_arn: None,
        source_arn: None,
        size_gib: Some(200),
        full_size_bytes: None,
        percent: 100,
        option_group: None,
        settings: RestoreSettings::default(),
        tags: std::collections::BTreeMap::new(),
    }
}

/// What the payload says of the snapshot `rds:orders-1`.
///
/// # Panics
/// Never: its time is well-formed.
#[must_use]
pub fn source() -> Source {
    Source {
        id: "rds:orders-1".to_owned(),
        arn: "arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-1".to_owned(),
        created_at: "2026-11-22T03:10:00Z".parse().expect("a time"),
        data_time: None,
        engine: "postgres".to_owned(),
        engine_version: "16.3".to_owned(),
        encryption: Encryption::Kms,
        kms_key_arn: None,
        size_gib: Some(200),
        written_gib: None,
    }
}

/// The snapshots of the destination region whose names begin so.
#[must_use]
pub fn copies(world: &World, begin: &str) -> Vec<SnapshotState> {
    let state = world.state();
    state
        .snapshots(DESTINATION)
        .iter()
        .filter(|snapshot| snapshot.id.starts_with(begin))
        .cloned()
        .collect()
}
