//! Everything that is parsed, given what nobody foresaw: payloads, configuration, tags, ARNs. Nothing panics, and what is
//! refused is refused by name. Inputs of executions are tried where they are read, in list-targets.

use std::collections::BTreeMap;

use domain::copy_tags::OwnCopy;
use domain::error::Error;
use domain::ownership::{CopyIdentity, Format, Owner};
use domain::payload::{Found, Prunable, Started, Target};
use domain::retention_rules::RetentionRules;
use domain::settings::Settings;
use domain::tags;
use fixtures::{inputs, settings};
use jiff::Timestamp;
use proptest::prelude::*;
use runtime::input::parse;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn is_read_or_refused<T: DeserializeOwned>(input: &Value) -> Result<(), TestCaseError> {
    if let Err(error) = parse::<T>(input.clone()) {
        prop_assert_eq!(error.name(), "BadInput");
        prop_assert!(
            error
                .to_string()
                .ends_with("Correct the field and start the execution again.")
        );
    }
    Ok(())
}

fn any_text() -> impl Strategy<Value = String> {
    let arn = "arn:aws:kms:eu-west-1:123456789012:(key|alias)/[a-z0-9-]{0,40}";
    prop_oneof![
        "\\PC{0,40}",
        "[a-z0-9:=,/.-]{0,60}",
        "[0-9]{1,6}",
        arn,
        Just("true".to_owned())
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(5_000)))]

    #[test]
    fn a_payload_is_read_or_refused_by_field(input in inputs::spoilt(inputs::payloads())) {
        is_read_or_refused::<Target>(&input)?;
        is_read_or_refused::<Found>(&input)?;
        is_read_or_refused::<Started>(&input)?;
        is_read_or_refused::<Prunable>(&input)?;
    }

    #[test]
    fn no_target_that_passes_its_check_leaves_what_the_stack_allows(input in inputs::spoilt(inputs::payloads())) {
        let settings = settings();
        let Ok(target) = parse::<Target>(input) else { return Ok(()) };
        if target.check_for_copy(&settings).is_ok() {
            prop_assert_eq!(target.kms_key_arn(&settings), Ok(fixtures::KEY));
            let keep = target.keep(settings.keep);
            prop_assert_eq!(keep.widest(settings.keep), keep);
        }
    }

    #[test]
    fn configuration_is_read_or_refused_by_its_variable(
        changes in prop::collection::btree_map(prop::sample::select(Settings::VARIABLES.to_vec()), any_text(), 0..4),
    ) {
        let read = Settings::read(|name| match changes.get(name) {
            Some(value) => Some(value.clone()),
            None => match name {
                "AWS_REGION" => Some(fixtures::SOURCE.to_owned()),
                "DESTINATION_REGION" => Some(fixtures::DESTINATION.to_owned()),
                "DESTINATION_KMS_KEY_ARN" => Some(fixtures::KEY.to_owned()),
                "OWNER_ID" => Some("snap".to_owned()),
                "STACK_NAME" => Some("snapferry".to_owned()),
                _ => None,
            },
        });
        match read {
            Ok(settings) => prop_assert!(settings.keep.copies >= 1 && settings.page_size >= 1),
            Err(Error::BadSettings { variable, .. }) => {
                prop_assert!(Settings::VARIABLES.contains(&variable.as_str()), "{}", variable);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn tags_are_read_as_a_copy_of_ours_or_not_at_all(
        id in "(snap-|snap|)[a-z0-9-]{0,40}",
        values in prop::collection::btree_map(prop::sample::select(tags::ALL.to_vec()), any_text(), 0..21),
        mine in any::<bool>(),
    ) {
        let owner = Owner::from_settings(&settings());
        let mut values: BTreeMap<String, String> =
            values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        if mine {
            values.insert(tags::OWNER.to_owned(), owner.tag().to_owned());
        }
        let (keep, wrong) = RetentionRules::from_wishes(&values);
        prop_assert!(keep.copies <= 100 && keep.days <= 3650 && wrong.len() <= RetentionRules::RULES.len());
        let snapshot = domain::snapshot::Snapshot {
            snapshot_type: "manual".to_owned(),
            tags: values,
            ..fixtures::snapshot(&id)
        };
        if OwnCopy::read(&owner, &snapshot).is_some() {
            prop_assert!(id.starts_with("snap-") && snapshot.tags[tags::OWNER] == owner.tag());
        }
    }

    #[test]
    fn any_arn_gives_a_legal_name(arn in any_text(), resource_id in any_text(), attempt in 0_u32..4) {
        let id = Owner::from_settings(&settings()).copy_id(&CopyIdentity {
            format: Format::CURRENT,
            source_arn: &arn,
            source_created: Timestamp::UNIX_EPOCH,
            source_resource_id: &resource_id,
            kms_key_arn: None,
            attempt,
        });
        prop_assert!(id.len() <= 63 && id.starts_with("snap-") && !id.ends_with('-') && !id.contains("--"));
        prop_assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    }
}
