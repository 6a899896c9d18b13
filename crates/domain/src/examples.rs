//! What the tests of this crate begin with.

use std::collections::BTreeMap;

use crate::kind::DatabaseKind;
use crate::restore_settings::RestoreSettings;
use crate::snapshot::{Encryption, Snapshot};

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
        engine: "postgres".to_owned(),
        engine_version: "16.3".to_owned(),
        encryption: Encryption::Kms,
        kms_key_arn: None,
        source_arn: None,
        size_gib: None,
        percent: 100,
        option_group: None,
        settings: RestoreSettings::default(),
        tags,
    }
}
