//! What the tests of this crate begin with.

use std::collections::BTreeMap;

use crate::kind::DatabaseKind;
use crate::restore_settings::RestoreSettings;
use crate::snapshot::{Database, Encryption, Snapshot};

/// A complete manual snapshot of the destination region.
pub(crate) fn manual_snapshot(id: &str, tags: BTreeMap<String, String>) -> Snapshot {
    Snapshot {
        kind: DatabaseKind::Instance,
        id: id.to_owned(),
        arn: format!("arn:aws:rds:eu-west-1:123456789012:snapshot:{id}"),
        database_id: "orders".to_owned(),
        resource_id: None,
        snapshot_type: "manual".to_owned(),
        status: "available".to_owned(),
        created_at: None,
        original_created_at: None,
        data_time: None,
        engine: "postgres".to_owned(),
        engine_version: "16.3".to_owned(),
        encryption: Encryption::Kms,
        kms_key_arn: None,
        source_arn: None,
        size_gib: None,
        full_size_bytes: None,
        percent: 100,
        option_group: None,
        settings: RestoreSettings::default(),
        tags,
    }
}

/// A running database with backups and nothing particular about it.
pub(crate) fn database(kind: DatabaseKind, id: &str) -> Database {
    let (noun, engine) = match kind {
        DatabaseKind::Instance => ("db", "postgres"),
        DatabaseKind::Cluster => ("cluster", "aurora-postgresql"),
    };
    Database {
        kind,
        id: id.to_owned(),
        arn: format!("arn:aws:rds:eu-west-1:123456789012:{noun}:{id}"),
        resource_id: format!("{noun}-{}", id.to_ascii_uppercase()),
        created_at: None,
        encryption: Encryption::Kms,
        global_cluster: None,
        engine: engine.to_owned(),
        engine_version: "16.3".to_owned(),
        member_of: None,
        tags: BTreeMap::new(),
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
