use super::*;
use crate::restore_settings::Setting;
use crate::snapshot::Encryption;

const SOURCE_ARN: &str = "arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-1";

fn owner() -> Owner {
    Owner::new("us-east-1", "snap")
}

/// The tags of a copy without a key.
fn written() -> CopyTags {
    CopyTags {
        source_arn: SOURCE_ARN.to_owned(),
        source_id: "orders".to_owned(),
        source_resource_id: "db-ORDERS".to_owned(),
        source_created: "2026-11-22T03:10:00Z".parse().expect("a time"),
        requested: "2026-11-22T04:00:00Z".parse().expect("a time"),
        attempt: 1,
        kms_key_arn: None,
        retention: RetentionRules {
            copies: 7,
            ..RetentionRules::default()
        },
        restore: RestoreHints {
            engine_version: Some("16.3".to_owned()),
            class: Some("db.r6g.large".to_owned()),
            parameter_group: None,
            option_group: Some(String::new()),
            multi_az: Some(true),
            settings: RestoreSettings::default()
                .with(Setting::DeletionProtection, Some(true))
                .with(Setting::Logs, Some("postgresql+upgrade")),
        },
    }
}

fn snapshot(tags: BTreeMap<String, String>) -> Snapshot {
    crate::examples::manual_snapshot("snap-orders-1", tags)
}

fn read(tags: BTreeMap<String, String>) -> Option<OwnCopy> {
    OwnCopy::read(&owner(), &snapshot(tags))
}

#[test]
fn what_is_written_on_a_copy_is_what_is_read_from_it() {
    for key in [None, Some("arn:aws:kms:eu-west-1:123456789012:key/1111".to_owned())] {
        let written = CopyTags {
            kms_key_arn: key,
            ..written()
        };
        let tags = written.to_tags(&owner());
        let restore = RestoreHints {
            option_group: None,
            ..written.restore
        };
        assert_eq!(RestoreHints::read(&tags), restore, "what is empty is not written");
        let copy = read(tags).expect("ours");
        assert_eq!(copy.source_arn, written.source_arn);
        assert_eq!(copy.source_resource_id, written.source_resource_id);
        assert_eq!(copy.source_created, written.source_created);
        assert_eq!(copy.requested, written.requested);
        assert_eq!(copy.kms_key_arn, written.kms_key_arn);
        assert_eq!(copy.attempt, written.attempt);
        assert_eq!(copy.retention, written.retention);
        assert_eq!(copy.status, CopyStatus::Unverified);
    }
}

/// Copies outlive releases: what is on them may never be called otherwise.
#[test]
fn the_names_of_the_tags_are_for_ever() {
    let tags = written().to_tags(&owner());
    let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        tags,
        [
            ("snapferry:attempt", "1"),
            ("snapferry:class", "db.r6g.large"),
            ("snapferry:engine-version", "16.3"),
            ("snapferry:keep", "7"),
            ("snapferry:kms-key", "none"),
            ("snapferry:multi-az", "true"),
            ("snapferry:owner", "us-east-1/snap"),
            ("snapferry:requested", "2026-11-22T04:00:00Z"),
            ("snapferry:settings", "deletion-protection=true logs=postgresql+upgrade"),
            ("snapferry:source-arn", SOURCE_ARN),
            ("snapferry:source-created", "2026-11-22T03:10:00Z"),
            ("snapferry:source-id", "orders"),
            ("snapferry:source-resource-id", "db-ORDERS"),
        ]
    );
}

#[test]
fn a_value_that_is_longer_than_a_tag_may_be_is_left_out() {
    let mut long = written();
    long.restore.parameter_group = Some("p".repeat(257));
    assert_eq!(long.to_tags(&owner()).get(tags::PARAMETER_GROUP), None);
}

#[test]
fn a_copy_is_of_its_snapshot_under_its_key_and_of_no_other() {
    let copy = read(written().to_tags(&owner())).expect("ours");
    let source = |name: &str| Source {
        id: name.to_owned(),
        arn: format!("arn:aws:rds:us-east-1:123456789012:snapshot:{name}"),
        created_at: copy.source_created,
        engine: "postgres".to_owned(),
        engine_version: "16.3".to_owned(),
        encryption: Encryption::None,
        kms_key_arn: None,
        size_gib: None,
    };
    assert!(copy.is_of(&source("rds:orders-1"), None));
    assert!(!copy.is_of(&source("rds:orders-2"), None));
    assert!(!copy.is_of(&source("rds:orders-1"), Some("key")));
    assert!(!copy.is_of(&source("rds:orders-2"), Some("key")));
}

#[test]
fn a_copy_whose_tags_were_tampered_with_is_not_read_as_ours() {
    let complete = written().to_tags(&owner());
    for missing in [
        tags::OWNER,
        tags::SOURCE_ARN,
        tags::SOURCE_RESOURCE_ID,
        tags::SOURCE_CREATED,
        tags::REQUESTED,
        tags::KMS_KEY,
        tags::ATTEMPT,
    ] {
        let mut tags = complete.clone();
        assert!(tags.remove(missing).is_some(), "{missing} is written");
        assert_eq!(read(tags), None, "without {missing}");
    }
    for bad in [tags::SOURCE_CREATED, tags::REQUESTED, tags::ATTEMPT] {
        let mut tags = complete.clone();
        tags.insert(bad.to_owned(), "yesterday".to_owned());
        assert_eq!(read(tags), None, "with a bad {bad}");
    }
}

#[test]
fn the_status_follows_from_the_word_of_rds_and_the_mark() {
    let status = |word: &str, mark: Option<&str>| {
        let mut copy = snapshot(written().to_tags(&owner()));
        word.clone_into(&mut copy.status);
        if let Some(mark) = mark {
            copy.tags.insert(tags::VERIFIED.to_owned(), mark.to_owned());
        }
        OwnCopy::read(&owner(), &copy).expect("ours").status
    };
    assert_eq!(status("available", None), CopyStatus::Unverified);
    assert_eq!(status("available", Some("2026-11-22T05:00:00Z")), CopyStatus::Verified);
    assert_eq!(status("available", Some("mismatch")), CopyStatus::Mismatched);
    assert_eq!(
        status("available", Some("true")),
        CopyStatus::Mismatched,
        "a mark that we did not write proves nothing"
    );
    assert_eq!(status("copying", Some("2026-11-22T05:00:00Z")), CopyStatus::InProgress);
    for word in ["creating", "copying", "pending", "queued", ""] {
        assert_eq!(status(word, None), CopyStatus::InProgress, "{word}");
    }
    for word in [
        "failed",
        "deleting",
        "deleted",
        "incompatible-restore",
        "incompatible-parameters",
    ] {
        assert_eq!(status(word, None), CopyStatus::Failed, "{word}");
    }
}
