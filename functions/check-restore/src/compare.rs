//! Whether what was restored is what was copied, as far as RDS says of both.

use domain::drill::Description;

/// What differs, as sentences. What RDS does not say of one of the two is no difference.
pub(crate) fn differences(copy: &Description, restored: &Description) -> Vec<String> {
    let pair = |name: &str, copy: Option<&str>, restored: Option<&str>| match (copy, restored) {
        (Some(copy), Some(restored)) if copy != restored => Some(format!("{name} is {restored}, of the copy {copy}")),
        _ => None,
    };
    let size = |description: &Description| description.size_gib.map(|size| size.to_string());
    let encrypted = |description: &Description| description.encrypted.map(|encrypted| encrypted.to_string());
    [
        pair("the engine", Some(&copy.engine), Some(&restored.engine)),
        pair(
            "the version",
            Some(&copy.engine_version),
            Some(&restored.engine_version),
        ),
        pair("the size in GiB", size(copy).as_deref(), size(restored).as_deref()),
        pair(
            "whether it is encrypted",
            encrypted(copy).as_deref(),
            encrypted(restored).as_deref(),
        ),
        pair("the key", copy.kms_key_arn.as_deref(), restored.kms_key_arn.as_deref()),
        pair(
            "the master user",
            copy.master_username.as_deref(),
            restored.master_username.as_deref(),
        ),
        pair("the licence", copy.license.as_deref(), restored.license.as_deref()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        Description {
            engine: "postgres".to_owned(),
            engine_version: "16.3".to_owned(),
            size_gib: Some(200),
            encrypted: Some(true),
            kms_key_arn: Some("arn:aws:kms:eu-west-1:123456789012:key/1".to_owned()),
            master_username: Some("admin".to_owned()),
            license: Some("postgresql-license".to_owned()),
        }
    }

    #[test]
    fn each_field_that_both_have_is_compared() {
        let copy = description();
        assert!(differences(&copy, &copy).is_empty());
        let other = |change: fn(&mut Description)| {
            let mut restored = description();
            change(&mut restored);
            differences(&copy, &restored)
        };
        for (found, begins) in [
            (other(|found| found.engine = "mysql".to_owned()), "the engine is mysql"),
            (
                other(|found| found.engine_version = "16.4".to_owned()),
                "the version is 16.4",
            ),
            (other(|found| found.size_gib = Some(100)), "the size in GiB is 100"),
            (
                other(|found| found.encrypted = Some(false)),
                "whether it is encrypted is false",
            ),
            (
                other(|found| found.kms_key_arn = Some("other".to_owned())),
                "the key is other",
            ),
            (
                other(|found| found.master_username = Some("root".to_owned())),
                "the master user is root",
            ),
            (
                other(|found| found.license = Some("byol".to_owned())),
                "the licence is byol",
            ),
        ] {
            let [difference] = &found[..] else { panic!("{found:?}") };
            assert!(difference.starts_with(begins), "{difference}");
        }
        let silent = Description {
            engine: copy.engine.clone(),
            engine_version: copy.engine_version.clone(),
            ..Description::default()
        };
        assert!(differences(&copy, &silent).is_empty());
    }
}
