use fixtures::{KEY, source};

use domain::kind::DatabaseKind;

use super::*;

fn copy() -> Snapshot {
    Snapshot {
        snapshot_type: "manual".to_owned(),
        kms_key_arn: Some(KEY.to_owned()),
        source_arn: Some(source().arn),
        ..fixtures::snapshot("snap-orders-1")
    }
}

#[test]
fn a_copy_as_asked_for_agrees_in_every_field() {
    let verification = compare(&source(), Some(KEY), &copy());
    assert_eq!(
        verification.agree,
        ["source", "engine", "engine version", "encryption", "key", "size"]
    );
    assert!(verification.differ.is_empty() && verification.not_reported.is_empty());
}

#[test]
fn every_difference_is_a_mismatch() {
    for (field, wrong) in [
        (
            "source",
            Snapshot {
                source_arn: Some("arn:other".to_owned()),
                ..copy()
            },
        ),
        (
            "engine",
            Snapshot {
                engine: "mysql".to_owned(),
                ..copy()
            },
        ),
        (
            "engine version",
            Snapshot {
                engine_version: "15.1".to_owned(),
                ..copy()
            },
        ),
        (
            "encryption",
            Snapshot {
                encryption: Encryption::None,
                kms_key_arn: None,
                ..copy()
            },
        ),
        (
            "key",
            Snapshot {
                kms_key_arn: Some("arn:aws:kms:eu-west-1:123456789012:key/2".to_owned()),
                ..copy()
            },
        ),
        (
            "size",
            Snapshot {
                size_gib: Some(100),
                ..copy()
            },
        ),
    ] {
        let verification = compare(&source(), Some(KEY), &wrong);
        assert_eq!(verification.differ.len(), 1, "{field}: {:?}", verification.differ);
        assert!(
            verification.differ[0].starts_with(&format!("its {field} is ")),
            "{:?}",
            verification.differ
        );
    }
}

#[test]
fn what_rds_does_not_report_is_said_and_does_not_count_as_a_mismatch() {
    let silent = Snapshot {
        source_arn: None,
        kms_key_arn: None,
        size_gib: None,
        engine_version: String::new(),
        ..copy()
    };
    let verification = compare(&source(), Some(KEY), &silent);
    assert!(verification.differ.is_empty());
    assert_eq!(verification.not_reported, ["source", "engine version", "key", "size"]);
}

#[test]
fn an_unencrypted_cluster_stays_unencrypted() {
    let plain = Snapshot {
        kind: DatabaseKind::Cluster,
        encryption: Encryption::None,
        kms_key_arn: None,
        ..copy()
    };
    let source = Source {
        encryption: Encryption::None,
        ..source()
    };
    assert!(compare(&source, None, &plain).differ.is_empty());
    let encrypted = Snapshot {
        kind: DatabaseKind::Cluster,
        ..copy()
    };
    assert_eq!(
        compare(&source, None, &encrypted).differ,
        ["its encryption is sse-kms instead of none"]
    );
}

#[test]
fn a_copy_without_a_key_is_encrypted_as_its_source_is() {
    let source = Source {
        encryption: Encryption::AwsOwned,
        ..source()
    };
    let of = |encryption| Snapshot {
        kind: DatabaseKind::Cluster,
        encryption,
        kms_key_arn: None,
        ..copy()
    };
    assert!(compare(&source, None, &of(Encryption::AwsOwned)).differ.is_empty());
    assert_eq!(
        compare(&source, None, &of(Encryption::None)).differ,
        ["its encryption is none instead of sse-rds"]
    );
}

/// L11: such a copy is as good as the one without a key that is asked for where RDS refuses keys. Anything else that is
/// not encrypted as asked is a mismatch.
#[test]
fn a_key_that_rds_ignores_does_not_count_where_aws_owns_the_key_of_the_source() {
    let of = |encryption| Source { encryption, ..source() };
    let copy = |encryption| Snapshot {
        kind: DatabaseKind::Cluster,
        encryption,
        kms_key_arn: None,
        ..copy()
    };
    let kinds = [Encryption::None, Encryption::Kms, Encryption::AwsOwned];
    for from in kinds {
        for to in kinds {
            let ignored = (from, to) == (Encryption::AwsOwned, Encryption::AwsOwned);
            assert_eq!(
                is_key_ignored(&of(from), Some(KEY), &copy(to)),
                ignored,
                "{from:?} {to:?}"
            );
            assert!(!is_key_ignored(&of(from), None, &copy(to)));
            let is_good = compare(&of(from), Some(KEY), &copy(to)).differ.is_empty();
            assert_eq!(is_good, ignored || to == Encryption::Kms, "{from:?} {to:?}");
        }
    }
}

/// Kind 14: the size of what was written is compared where RDS reports it, and is not a mismatch, as AWS does not promise it.
#[test]
fn the_size_of_what_was_written_is_evidence_and_never_a_mismatch() {
    const GIB: i64 = 1 << 30;
    let of = |written: Option<i32>, reported: Option<i64>| {
        let source = Source {
            written_gib: written,
            ..source()
        };
        let copy = Snapshot {
            full_size_bytes: reported,
            ..copy()
        };
        let verification = compare(&source, Some(KEY), &copy);
        assert_eq!(verification.differ, [""; 0]);
        let agrees = verification.agree.contains(&"data size".to_owned());
        (agrees, doubt(&source, &copy).is_some())
    };
    assert_eq!(of(Some(7), Some(7 * GIB - 1)), (true, false));
    assert_eq!(of(Some(7), Some(5 * GIB)), (false, true));
    assert_eq!(of(Some(7), None), (false, false));
    assert_eq!(of(None, Some(5 * GIB)), (false, false));
}
