use super::*;

fn good(name: &str) -> Option<String> {
    let value = match name {
        "AWS_REGION" => "us-east-1",
        "DESTINATION_REGION" => "eu-west-1",
        "DESTINATION_KMS_KEY_ARN" => "arn:aws:kms:eu-west-1:123456789012:key/1111",
        "OWNER_ID" | "STACK_NAME" => "snapferry",
        _ => return None,
    };
    Some(value.to_owned())
}

#[test]
fn what_is_left_out_has_a_sane_default() {
    let settings = Settings::read(good).expect("good settings");
    assert_eq!(settings.keep.copies, 3);
    assert_eq!(settings.copy_deadline_hours, 72);
    assert_eq!(settings.selection, Selection::OptOut);
    assert!(!settings.dry_run && !settings.include_manual_snapshots);
    assert_eq!(settings.page_size, 500);
}

#[test]
fn a_bad_setting_is_refused_by_name_with_a_remedy() {
    for (name, value, problem) in [
        ("DESTINATION_REGION", "", "is not set"),
        ("DESTINATION_REGION", "us-east-1", "is the source region"),
        ("DESTINATION_REGION", "Ireland", "is not a region"),
        // Case 20.
        (
            "DESTINATION_REGION",
            "eusc-de-east-1",
            "in a partition that Snapferry does not know",
        ),
        (
            "AWS_REGION",
            "us-iso-east-1",
            "in a partition that Snapferry does not know",
        ),
        ("DESTINATION_REGION", "us-gov-west-1", "cannot leave their partition"),
        ("DESTINATION_REGION", "cn-north-1", "cannot leave their partition"),
        ("DESTINATION_KMS_KEY_ARN", "", "is not set"),
        (
            "DESTINATION_KMS_KEY_ARN",
            "arn:aws:kms:us-east-1:123456789012:key/1",
            "the key is in us-east-1",
        ),
        (
            "DESTINATION_KMS_KEY_ARN",
            "arn:aws:kms:eu-west-1:123456789012:grant/a",
            "neither a key nor an alias",
        ),
        (
            "ALLOWED_KMS_KEY_ARNS",
            "arn:aws:kms:eu-west-1:123456789012:alias/a",
            "is an alias",
        ),
        (
            "ALLOWED_KMS_KEY_ARNS",
            "arn:aws:kms:eu-west-1:123456789012:key/1, arn:aws:kms:us-east-1:123456789012:key/2",
            "the key is in us-east-1",
        ),
        ("OPTION_GROUPS", "tz", "not of the form from=to"),
        ("DESTINATION_KMS_KEY_ARN", "1111", "is not the ARN"),
        ("OWNER_ID", "Snap", "cannot begin"),
        ("OWNER_ID", "snap-ferry", "cannot begin"),
        ("OWNER_ID", "averylongowner", "cannot begin"),
        ("KEEP_COPIES", "three", "not a whole number from 1 to 100"),
        ("KEEP_COPIES", "0", "not a whole number from 1 to 100"),
        ("KEEP_DAYS", "-1", "not a whole number from 0 to 3650"),
        ("KEEP_WEEKLY", "101", "not a whole number from 0 to 100"),
        ("RETIRED_KEEP_DAYS", "ever", "not a whole number from 0 to 3650"),
        ("MAX_DELETES_PER_RUN", "0", "not a whole number from 1 to 100"),
        ("MAX_DELETES_PER_RUN", "101", "not a whole number from 1 to 100"),
        ("INCLUDE_NEPTUNE", "no", "neither true nor false"),
        ("INCLUDE_DOCUMENTDB", "no", "neither true nor false"),
        ("COPY_DEADLINE_HOURS", "1.5", "not a whole number"),
        ("SLOT_WAIT_HOURS", "49", "not a whole number from 1 to 48"),
        ("STACK_NAME", "", "is not set"),
        ("DATABASE_METRICS", "yes", "neither true nor false"),
        ("PAGE_SIZE", "501", "not a whole number from 1 to 500"),
        ("SELECTION", "some", "is unknown"),
        ("DRY_RUN", "yes", "neither true nor false"),
        ("INCLUDE_MANUAL_SNAPSHOTS", "1", "neither true nor false"),
    ] {
        let error = Settings::read(|asked| {
            if asked == name {
                Some(value.to_owned())
            } else {
                good(asked)
            }
        })
        .expect_err(name);
        let text = error.to_string();
        assert_eq!(error.name(), "BadSettings");
        assert!(
            text.starts_with(name) && text.contains(problem),
            "{name}={value:?}: {text}"
        );
    }
}

#[test]
fn pairs_of_regions_that_rds_does_not_copy_between_are_known() {
    assert!(why_impossible("cn-north-1", "cn-northwest-1", false).is_some_and(|why| why.contains("China")));
    assert_eq!(why_impossible("cn-north-1", "cn-northwest-1", true), None);
    assert!(why_impossible("us-gov-west-1", "us-east-1", true).is_some());
    assert_eq!(why_impossible("us-gov-west-1", "us-gov-east-1", false), None);
    assert_eq!(why_impossible("us-east-1", "ap-southeast-2", false), None);
}

#[test]
fn keys_are_allowed_by_their_own_arns() {
    let read = |key: &str| {
        let allowed = "arn:aws:kms:eu-west-1:123456789012:key/2222,arn:aws:kms:eu-west-1:123456789012:key/mrk-3333";
        Settings::read(|name| match name {
            "DESTINATION_KMS_KEY_ARN" => Some(format!("arn:aws:kms:eu-west-1:123456789012:{key}")),
            "ALLOWED_KMS_KEY_ARNS" => Some(allowed.to_owned()),
            _ => good(name),
        })
        .expect("good settings")
    };
    let arn = |key: &str| format!("arn:aws:kms:eu-west-1:123456789012:{key}");
    let by_arn = read("key/1111");
    for (key, allowed) in [
        ("key/1111", true),
        ("key/2222", true),
        ("key/mrk-3333", true),
        ("key/4444", false),
    ] {
        assert_eq!(by_arn.allows_key(&arn(key)), allowed, "{key}");
    }
    let by_alias = read("alias/copies");
    assert_eq!(by_alias.kms_key, KmsKey::Alias(arn("alias/copies")));
    assert!(!by_alias.allows_key(&arn("key/1111")) && !by_alias.allows_key(&arn("alias/copies")));
}

#[test]
fn only_the_listed_variables_are_read() {
    let asked = std::cell::RefCell::new(Vec::new());
    let _ = Settings::read(|name| {
        asked.borrow_mut().push(name.to_owned());
        good(name)
    });
    let mut asked = asked.into_inner();
    asked.sort();
    let mut listed = Settings::VARIABLES.to_vec();
    listed.sort_unstable();
    assert_eq!(asked, listed);
}
