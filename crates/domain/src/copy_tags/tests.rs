use proptest::prelude::*;

use super::*;
use crate::restore_settings::{RestoreSettings, Setting};
use crate::snapshot::Encryption;

const SOURCE_ARN: &str = "arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-1";

fn owner() -> Owner {
    Owner::new("us-east-1", "snap")
}

/// The tags of a copy without a key.
fn written() -> CopyTags {
    CopyTags {
        format: Format::CURRENT,
        source_arn: SOURCE_ARN.to_owned(),
        source_id: "orders".to_owned(),
        source_resource_id: "db-ORDERS".to_owned(),
        source_created: "2026-11-22T03:10:00Z".parse().expect("a time"),
        requested: "2026-11-22T04:00:00Z".parse().expect("a time"),
        attempt: 1,
        kms_key_arn: None,
        stack: Some("snapferry-prod".to_owned()),
        retention: RetentionRules {
            copies: 7,
            ..RetentionRules::default()
        },
        unread: false,
        drill_every: Some(DrillEvery::Week),
        restore_order: "20".parse().ok(),
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

/// A complete snapshot of the destination region under the name that goes with `written`.
fn snapshot(written: &CopyTags) -> Snapshot {
    crate::examples::manual_snapshot(&written.copy_id(&owner()), written.to_tags(&owner()))
}

/// The copy that `written` is written on, with other tags.
fn read_with(written: &CopyTags, tags: BTreeMap<String, String>) -> Option<OwnCopy> {
    let copy = Snapshot {
        tags,
        ..snapshot(written)
    };
    OwnCopy::read(&owner(), &copy)
}

#[test]
fn what_is_written_on_a_copy_is_what_is_read_from_it() {
    for format in [Format::V1, Format::V2] {
        for key in [None, Some("arn:aws:kms:eu-west-1:123456789012:key/1111".to_owned())] {
            let written = CopyTags {
                format,
                kms_key_arn: key,
                ..written()
            };
            let tags = written.to_tags(&owner());
            let restore = RestoreHints {
                option_group: None,
                ..written.restore.clone()
            };
            assert_eq!(RestoreHints::read(&tags), restore, "what is empty is not written");
            let copy = OwnCopy::read(&owner(), &snapshot(&written)).expect("ours");
            assert_eq!(copy.source_arn, written.source_arn);
            assert_eq!(copy.source_resource_id, written.source_resource_id);
            assert_eq!(copy.source_created, written.source_created);
            assert_eq!(copy.requested, written.requested);
            assert_eq!(copy.kms_key_arn, written.kms_key_arn);
            assert_eq!(copy.attempt, written.attempt);
            assert_eq!(copy.stack, written.stack);
            assert_eq!(copy.retention, written.retention);
            assert_eq!(copy.drill_every, written.drill_every);
            assert_eq!(copy.restore_order, written.restore_order);
            assert_eq!(copy.status, CopyStatus::Unverified);
        }
    }
}

/// Copies outlive releases: what is on them may never be called otherwise.
#[test]
fn the_names_of_the_tags_are_for_ever() {
    let of_format = |format| {
        let mut written = written();
        written.format = format;
        written.drill_every = Some(DrillEvery::Week).filter(|_| format != Format::V1);
        written.restore_order = written.restore_order.filter(|_| format != Format::V1);
        written.restore.option_group = Some("audited".to_owned());
        written.to_tags(&owner())
    };
    let both = [
        ("snapferry:attempt", "1"),
        ("snapferry:class", "db.r6g.large"),
        ("snapferry:engine-version", "16.3"),
        ("snapferry:multi-az", "true"),
        ("snapferry:owner", "us-east-1/snap"),
        ("snapferry:requested", "2026-11-22T04:00:00Z"),
        ("snapferry:settings", "deletion-protection=true logs=postgresql+upgrade"),
        ("snapferry:source-arn", SOURCE_ARN),
        ("snapferry:source-created", "2026-11-22T03:10:00Z"),
        ("snapferry:source-id", "orders"),
        ("snapferry:source-resource-id", "db-ORDERS"),
        ("snapferry:stack", "snapferry-prod"),
    ];
    let first = [
        ("snapferry:keep", "7"),
        ("snapferry:kms-key", "none"),
        ("snapferry:option-group", "audited"),
    ];
    let second = [
        ("snapferry:copy-kms-key", "none"),
        ("snapferry:format", "2"),
        ("snapferry:source-drill-every", "week"),
        ("snapferry:source-keep", "7"),
        ("snapferry:source-option-group", "audited"),
        ("snapferry:source-restore-order", "20"),
    ];
    let expected = |own: &[(&str, &str)]| -> BTreeMap<String, String> {
        let all = both.iter().chain(own);
        all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    assert_eq!(of_format(Format::V1), expected(&first));
    assert_eq!(of_format(Format::V2), expected(&second));
}

/// A restored database inherits the tags of the copy: none of them may be a wish there (H2).
#[test]
fn no_record_is_called_like_a_wish() {
    let mut written = written();
    written.retention = RetentionRules {
        copies: 1,
        days: 1,
        daily: 1,
        weekly: 1,
        monthly: 1,
        yearly: 1,
    };
    written.restore.option_group = Some("audited".to_owned());
    let wishes = [
        tags::COPY,
        tags::KMS_KEY,
        tags::OPTION_GROUP,
        tags::DRILL_EVERY,
        tags::RESTORE_ORDER,
    ];
    let wishes: Vec<&str> = wishes
        .into_iter()
        .chain(RetentionRules::RULES.iter().map(|rule| rule.tag))
        .collect();
    for key in written.to_tags(&owner()).keys() {
        assert!(!wishes.contains(&key.as_str()), "{key}");
        assert!(
            tags::ALL.contains(&key.as_str()),
            "{key} is not recognised on a database"
        );
    }
}

#[test]
fn a_value_that_is_longer_than_a_tag_may_be_is_left_out() {
    let mut long = written();
    long.restore.parameter_group = Some("p".repeat(257));
    assert_eq!(long.to_tags(&owner()).get(tags::PARAMETER_GROUP), None);
}

/// H4: what could not be read when the copy was made is known as long as the copy lives.
#[test]
fn a_copy_says_that_its_retention_is_not_fully_known() {
    let readable = written().to_tags(&owner());
    assert_eq!(readable.get(tags::UNREAD), None);
    assert!(!read_with(&written(), readable.clone()).expect("ours").unread);

    let unread = CopyTags {
        unread: true,
        ..written()
    };
    assert!(read_with(&written(), unread.to_tags(&owner())).expect("ours").unread);

    let mut garbled = readable;
    garbled.insert(tags::SOURCE_KEEP_DAYS.to_owned(), "for ever".to_owned());
    let copy = read_with(&written(), garbled).expect("ours");
    assert!(copy.unread, "a record that cannot be read is no permission");
    assert_eq!(copy.retention.copies, 7);
}

#[test]
fn a_person_holds_a_copy_by_a_tag_of_any_value_in_any_spelling() {
    for key in [
        "snapferry:hold",
        "Snapferry:Hold",
        "SNAPFERRY_HOLD",
        "snapferry-hold",
        " snapferry:hold ",
    ] {
        for value in ["true", "false", "", "until the audit is over"] {
            let mut tags = written().to_tags(&owner());
            tags.insert(key.to_owned(), value.to_owned());
            assert!(read_with(&written(), tags).expect("ours").hold, "{key}={value}");
        }
    }
    assert!(!read_with(&written(), written().to_tags(&owner())).expect("ours").hold);
}

#[test]
fn a_copy_is_of_its_snapshot_under_its_key_and_of_no_other() {
    let copy = OwnCopy::read(&owner(), &snapshot(&written())).expect("ours");
    let source = |name: &str| Source {
        id: name.to_owned(),
        arn: format!("arn:aws:rds:us-east-1:123456789012:snapshot:{name}"),
        created_at: copy.source_created,
        data_time: None,
        engine: "postgres".to_owned(),
        engine_version: "16.3".to_owned(),
        encryption: Encryption::None,
        kms_key_arn: None,
        size_gib: None,
        written_gib: None,
    };
    assert!(copy.is_of(&source("rds:orders-1"), None));
    assert!(!copy.is_of(&source("rds:orders-2"), None));
    assert!(!copy.is_of(&source("rds:orders-1"), Some("key")));
    assert!(!copy.is_of(&source("rds:orders-2"), Some("key")));
    let later = Source {
        created_at: copy.requested,
        ..source("rds:orders-1")
    };
    assert!(
        !copy.is_of(&later, None),
        "another snapshot under a name that was used again"
    );
}

#[test]
fn a_copy_whose_tags_were_tampered_with_is_not_read_as_ours() {
    let complete = written().to_tags(&owner());
    for missing in [
        tags::OWNER,
        tags::FORMAT,
        tags::SOURCE_ARN,
        tags::SOURCE_RESOURCE_ID,
        tags::SOURCE_CREATED,
        tags::REQUESTED,
        tags::COPY_KMS_KEY,
        tags::ATTEMPT,
    ] {
        let mut tags = complete.clone();
        assert!(tags.remove(missing).is_some(), "{missing} is written");
        assert_eq!(read_with(&written(), tags), None, "without {missing}");
    }
    for (key, value) in [
        (tags::OWNER, "us-west-2/snap"),
        (tags::FORMAT, "3"),
        (
            tags::SOURCE_ARN,
            "arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-2",
        ),
        (tags::SOURCE_RESOURCE_ID, "db-OTHER"),
        (tags::SOURCE_CREATED, "2026-11-22T03:10:01Z"),
        (tags::SOURCE_CREATED, "yesterday"),
        (tags::REQUESTED, "yesterday"),
        (tags::COPY_KMS_KEY, "arn:aws:kms:eu-west-1:123456789012:key/2222"),
        (tags::ATTEMPT, "0"),
        (tags::ATTEMPT, "one"),
    ] {
        let mut tags = complete.clone();
        tags.insert(key.to_owned(), value.to_owned());
        assert_eq!(read_with(&written(), tags), None, "with {key}={value}");
    }
}

/// H5: a person's copy of a copy, or a snapshot of a restored database, has all of its tags.
#[test]
fn a_snapshot_with_the_tags_of_a_copy_and_another_name_or_source_is_foreign() {
    let copy = snapshot(&written());
    assert!(OwnCopy::read(&owner(), &copy).is_some_and(|copy| !copy.is_confirmed));
    let with_source = |arn: &str| Snapshot {
        source_arn: Some(arn.to_owned()),
        ..copy.clone()
    };
    assert!(OwnCopy::read(&owner(), &with_source(SOURCE_ARN)).is_some_and(|copy| copy.is_confirmed));
    let other = "arn:aws:rds:us-east-1:123456789012:snapshot:rds:orders-0";
    assert_eq!(OwnCopy::read(&owner(), &with_source(other)), None);
    let renamed = Snapshot {
        id: format!("{}-for-the-lawyers", copy.id),
        ..copy.clone()
    };
    assert_eq!(OwnCopy::read(&owner(), &renamed), None);
    let automated = Snapshot {
        snapshot_type: "automated".to_owned(),
        ..copy
    };
    assert_eq!(OwnCopy::read(&owner(), &automated), None);
}

proptest! {
    /// Whatever tags a snapshot carries, it is ours only if its name is what the naming function makes of them and RDS
    /// reports that source or none.
    #[test]
    fn no_tags_make_a_snapshot_of_another_name_or_source_ours(
        id in "snap-[a-z0-9-]{1,40}",
        changed in proptest::sample::subsequence(tags::ALL.to_vec(), 0..tags::ALL.len()),
        value in "(2|none|0|us-east-1/snap|2026-11-22T03:10:00Z|[a-z]{0,5})",
        source in proptest::option::of("arn:[a-z]{1,5}"),
        keeps_name: bool,
    ) {
        let written = written();
        let mut copy = snapshot(&written);
        for key in changed {
            copy.tags.insert(key.to_owned(), value.clone());
        }
        if !keeps_name {
            copy.id = id;
        }
        copy.source_arn = source;
        if let Some(own) = OwnCopy::read(&owner(), &copy) {
            prop_assert!(keeps_name);
            prop_assert_eq!(copy.source_arn, None);
            prop_assert_eq!(own.source_arn, written.source_arn);
            prop_assert_eq!(own.source_created, written.source_created);
        }
    }
}

#[test]
fn the_status_follows_from_the_word_of_rds_and_the_mark() {
    let status = |word: &str, mark: Option<&str>| {
        let mut copy = snapshot(&written());
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
    for word in ["failed", "incompatible-restore", "incompatible-parameters"] {
        assert_eq!(status(word, None), CopyStatus::Failed, "{word}");
    }
    // M1: what is being deleted is neither a failure nor a copy, whatever it was before.
    for word in ["deleting", "deleted"] {
        for mark in [None, Some("mismatch"), Some("2026-11-22T05:00:00Z")] {
            assert_eq!(status(word, mark), CopyStatus::Going, "{word} {mark:?}");
        }
    }
}
