//! What RDS can and cannot copy: the twin of `docs/support.md`.

use crate::kind::DatabaseKind;
use crate::region::partition;
use crate::snapshot::Encryption;

/// Why AWS cannot copy snapshots of this engine, and what can be done instead; nothing if it can, or if the engine is
/// new to us.
#[must_use]
pub fn why_unsupported(kind: DatabaseKind, engine: &str, source_region: &str) -> Option<&'static str> {
    match (kind, engine) {
        // A cluster of a plain engine is a Multi-AZ DB cluster (Limitations of Multi-AZ DB clusters).
        (DatabaseKind::Cluster, "mysql" | "postgres") => Some(
            "RDS cannot copy snapshots of Multi-AZ DB clusters. Restore one as a Multi-AZ instance, or keep a read \
             replica in the destination region",
        ),
        (DatabaseKind::Instance, engine) if engine.starts_with("custom-oracle") => Some(
            "RDS documents no snapshot copy for RDS Custom for Oracle. Copy its backups yourself, with RMAN or from EBS \
             snapshots",
        ),
        (_, engine) if engine != "neptune" && partition(source_region) == Some("aws-cn") => {
            Some("RDS copies no snapshots between the regions of China, but for Neptune's. Copy dumps instead")
        }
        _ => None,
    }
}

/// Whether copies get a key: RDS refuses one for an unencrypted cluster snapshot (API reference,
/// `CopyDBClusterSnapshot`).
#[must_use]
pub fn takes_key(kind: DatabaseKind, encryption: Encryption) -> bool {
    (kind, encryption) != (DatabaseKind::Cluster, Encryption::None)
}

/// Whether copies can get an option group: clusters have none, and RDS Custom takes none (user guide, Copying an Amazon
/// RDS Custom for SQL Server DB snapshot).
#[must_use]
pub fn takes_option_group(kind: DatabaseKind, engine: &str) -> bool {
    kind == DatabaseKind::Instance && !engine.starts_with("custom-")
}

/// Whether a copy needs a pre-signed URL: between `GovCloud` regions, and of `DocumentDB` clusters in any region;
/// elsewhere RDS ignores it (API references of RDS and `DocumentDB`, `PreSignedUrl`).
#[must_use]
pub fn needs_presigned_url(source_region: &str, engine: &str) -> bool {
    partition(source_region) == Some("aws-us-gov") || engine == "docdb"
}

/// Why RDS copies no snapshot between two regions, if it does not (user guide, Copying a DB snapshot). Between those
/// of China it copies Neptune's only (Neptune user guide, Copying a DB cluster snapshot).
#[must_use]
pub fn why_impossible(source: &str, destination: &str, include_neptune: bool) -> Option<&'static str> {
    match (partition(source), partition(destination)) {
        (None, _) | (_, None) => Some("one of the two regions is in a partition that Snapferry does not know"),
        (Some("aws-cn"), Some("aws-cn")) if !include_neptune => Some(
            "RDS copies no snapshots between the regions of China, but for Neptune's, which this stack does not include",
        ),
        (from, to) if from != to => Some("snapshots cannot leave their partition (commercial, GovCloud, China)"),
        _ => None,
    }
}

/// Whether an engine is Aurora's.
#[must_use]
pub fn is_aurora(engine: &str) -> bool {
    engine.starts_with("aurora")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_cannot_copy_is_known_and_an_unknown_engine_is_tried() {
        let unsupported = |kind, engine| why_unsupported(kind, engine, "us-east-1");
        assert!(unsupported(DatabaseKind::Cluster, "postgres").is_some_and(|why| why.contains("Multi-AZ")));
        assert!(unsupported(DatabaseKind::Cluster, "mysql").is_some());
        assert!(unsupported(DatabaseKind::Instance, "custom-oracle-ee").is_some());
        for (kind, engine) in [
            (DatabaseKind::Instance, "postgres"),
            (DatabaseKind::Instance, "custom-sqlserver-se"),
            (DatabaseKind::Cluster, "aurora-postgresql"),
            (DatabaseKind::Cluster, "something-new"),
        ] {
            assert_eq!(unsupported(kind, engine), None, "{engine}");
        }
    }

    #[test]
    fn between_the_regions_of_china_only_neptune_is_copied() {
        let unsupported = |engine| why_unsupported(DatabaseKind::Cluster, engine, "cn-north-1");
        assert!(unsupported("aurora-mysql").is_some_and(|why| why.contains("China")));
        assert_eq!(unsupported("neptune"), None);
    }

    #[test]
    fn only_copies_of_unencrypted_cluster_snapshots_get_no_key() {
        for kind in DatabaseKind::ALL {
            for encryption in [Encryption::None, Encryption::AwsOwned, Encryption::Kms] {
                let refused = kind == DatabaseKind::Cluster && encryption == Encryption::None;
                assert_eq!(takes_key(kind, encryption), !refused, "{kind} {encryption:?}");
            }
        }
    }

    #[test]
    fn only_gov_cloud_and_document_db_need_a_presigned_url() {
        for (region, engine, needed) in [
            ("us-gov-west-1", "postgres", true),
            ("us-east-1", "docdb", true),
            ("us-east-1", "postgres", false),
            ("us-east-1", "neptune", false),
            ("cn-north-1", "neptune", false),
        ] {
            assert_eq!(needs_presigned_url(region, engine), needed, "{engine} in {region}");
        }
    }
}
