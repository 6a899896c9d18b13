use domain::kind::DatabaseKind;
use fixtures::{DESTINATION, KEY, OTHER_KEY, settings_with, world};
use rds_simulator_sdk::World;

use super::*;

fn keys(world: &World) -> Keys {
    Keys::new(world.kms_client(DESTINATION, "tests"))
}

fn tagged(key: &str) -> Database {
    Database {
        tags: BTreeMap::from([(tags::KMS_KEY.to_owned(), key.to_owned())]),
        ..fixtures::database(DatabaseKind::Instance, "payroll")
    }
}

fn alias_arn(name: &str) -> String {
    format!("arn:aws:kms:{DESTINATION}:123456789012:{name}")
}

#[tokio::test]
async fn an_alias_stands_for_its_key() {
    let world = world(|source| source);
    let settings = settings_with(&[("DESTINATION_KMS_KEY_ARN", &alias_arn("alias/copies"))]);
    let keyring = Keyring::look_up(&keys(&world), &[], &settings).await;
    assert_eq!(keyring.own.arn.as_deref(), Some(KEY));
    assert_eq!((keyring.own.problem, keyring.own.warning), (None, None));
}

#[tokio::test]
async fn a_tag_picks_an_allowed_key_by_arn_id_or_alias_and_no_other() {
    let world = world(|source| source);
    let id = OTHER_KEY.rsplit('/').next().expect("an id");
    let allowed = settings_with(&[("ALLOWED_KMS_KEY_ARNS", OTHER_KEY)]);
    let alias = alias_arn("alias/other");
    for name in [OTHER_KEY, id, "alias/other", &alias] {
        let database = tagged(name);
        let keyring = Keyring::look_up(&keys(&world), std::slice::from_ref(&database), &allowed).await;
        assert_eq!(keyring.key_of(&database).arn.as_deref(), Some(OTHER_KEY), "{name}");

        let keyring = Keyring::look_up(&keys(&world), std::slice::from_ref(&database), &settings_with(&[])).await;
        assert_eq!(keyring.picked(&database), Pick::NotAllowed, "{name}");
        assert_eq!(
            keyring.key_of(&database).arn.as_deref(),
            Some(KEY),
            "the stack's own key then"
        );
    }
    for name in ["alias/nowhere", "evil", "", "arn:aws:kms:us-east-1:123456789012:key/1"] {
        let database = tagged(name);
        let keyring = Keyring::look_up(&keys(&world), std::slice::from_ref(&database), &allowed).await;
        assert_eq!(keyring.picked(&database), Pick::NotAllowed, "{name:?}");
    }
}

#[tokio::test]
async fn each_key_is_asked_for_once() {
    let world = world(|source| source);
    let settings = settings_with(&[("ALLOWED_KMS_KEY_ARNS", OTHER_KEY)]);
    let databases = [tagged(OTHER_KEY), tagged(OTHER_KEY), tagged(KEY), tagged("alias/other")];
    Keyring::look_up(&keys(&world), &databases, &settings).await;
    assert_eq!(
        world.calls("DescribeKey"),
        3,
        "the stack's, the other by ARN, the other by alias"
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_found_out_before_the_first_copy() {
    let missing = format!("arn:aws:kms:{DESTINATION}:123456789012:key/33333333-3333-4333-8333-333333333333");
    let world = world(|source| source);
    world.disable_key(DESTINATION, OTHER_KEY);
    for (key, said) in [
        (missing.as_str(), "there is no arn:aws:kms"),
        (OTHER_KEY, "is Disabled"),
        (&alias_arn("alias/nowhere"), "there is no arn:aws:kms"),
        (&alias_arn("alias/other"), "is Disabled"),
    ] {
        let settings = settings_with(&[("DESTINATION_KMS_KEY_ARN", key)]);
        let keyring = Keyring::look_up(&keys(&world), &[], &settings).await;
        let problem = keyring.own.problem.expect("a problem");
        assert_eq!(problem.name(), "KeyNotUsable");
        assert!(problem.to_string().contains(said), "{problem}");
    }
}
