use proptest::prelude::*;

use super::*;

/// A tag may hold letters, digits, spaces and `_ . : / = + - @`.
fn is_tag_value(text: &str) -> bool {
    text.chars().count() <= 256
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c))
        && !text.starts_with("aws:")
        && !text.starts_with("rds:")
}

fn as_map(tags: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
    tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Copies outlive releases: what is on them may never be called otherwise.
#[test]
fn the_names_of_the_settings_are_for_ever() {
    let names: Vec<&str> = RestoreSettings::all().map(Setting::name).collect();
    assert_eq!(
        names,
        [
            "deletion-protection",
            "port",
            "iam",
            "managed-password",
            "storage",
            "iops",
            "throughput",
            "license",
            "min-capacity",
            "max-capacity",
            "auto-pause",
            "members",
            "member-parameter-group",
            "logs",
            "ca",
            "backup-retention",
            "max-storage",
            "network",
            "cores",
            "threads",
            "log-volume",
            "instance-profile",
            "extended-support",
            "copy-tags",
            "backtrack",
            "monitoring",
            "monitoring-role",
            "insights-mode",
            "insights",
            "auto-upgrade",
            "backup-window",
            "maintenance-window",
            "http-endpoint",
            "write-forwarding",
            "directory",
            "roles",
            "activity-stream",
            "public",
        ]
    );
}

#[test]
fn the_settings_of_an_ordinary_database_fit_into_one_tag() {
    let settings = RestoreSettings::default()
        .with(Setting::DeletionProtection, Some(true))
        .with(Setting::Logs, Some("postgresql+upgrade"))
        .with(Setting::Ca, Some("rds-ca-rsa2048-g1"))
        .with(Setting::MaxStorage, Some(1000))
        .with(Setting::Monitoring, Some(60))
        .with(
            Setting::MonitoringRole,
            Some("arn:aws:iam::123456789012:role/rds-monitoring-role"),
        )
        .with(Setting::Insights, Some(7))
        .with(Setting::CopyTags, None::<bool>);
    assert_eq!(
        settings.to_tags(),
        [(
            "snapferry:settings",
            "deletion-protection=true logs=postgresql+upgrade ca=rds-ca-rsa2048-g1 max-storage=1000 monitoring=60 \
             monitoring-role=arn:aws:iam::123456789012:role/rds-monitoring-role insights=7"
                .to_owned()
        )]
    );
    assert_eq!(RestoreSettings::default().to_tags(), []);
}

#[test]
fn what_does_not_fit_is_left_out_as_a_whole_and_counted() {
    let settings = RestoreSettings::default()
        .with(Setting::Port, Some(5432))
        .with(Setting::Ca, Some("c".repeat(300)))
        .with(Setting::Logs, Some("two words"));
    let tags = as_map(settings.to_tags());
    assert_eq!(tags["snapferry:settings"], "port=5432");
    assert_eq!(tags["snapferry:settings-2"], "omitted=2");
    let recorded = RestoreSettings::read(&tags);
    assert_eq!(recorded.settings.get(Setting::Port), Some("5432"));
    assert_eq!((recorded.omitted, recorded.unread.len()), (2, 0));
}

#[test]
fn what_another_release_or_a_person_wrote_is_kept_apart() {
    let text = "port=5432 new-in-2030=yes iam iam= omitted=many ca=a=b";
    let tags = as_map(vec![(tags::SETTINGS, text.to_owned())]);
    let recorded = RestoreSettings::read(&tags);
    assert_eq!(recorded.unread, ["new-in-2030=yes", "iam", "iam=", "omitted=many"]);
    assert_eq!(recorded.settings.get(Setting::Port), Some("5432"));
    assert_eq!(recorded.settings.get(Setting::Ca), Some("a=b"));
}

#[test]
fn what_the_snapshot_says_goes_before_what_the_tags_say() {
    let of_snapshot = RestoreSettings::default().with(Setting::Port, Some(1));
    let of_tags = RestoreSettings::default()
        .with(Setting::Port, Some(2))
        .with(Setting::Iops, Some(3));
    let both = of_snapshot.clone().or(of_tags.clone());
    assert_eq!(
        (both.get(Setting::Port), both.get(Setting::Iops)),
        (Some("1"), Some("3"))
    );
    let rest = of_tags.without(&of_snapshot);
    assert_eq!(rest.iter().collect::<Vec<_>>(), [(Setting::Iops, "3")]);
}

fn any_settings(value: &'static str) -> impl Strategy<Value = RestoreSettings> {
    let all: Vec<Setting> = RestoreSettings::all().collect();
    proptest::collection::btree_map(proptest::sample::select(all), value, 0..40).prop_map(RestoreSettings)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

    /// D11: nothing is cut in the middle, and what is written is what is read.
    #[test]
    fn what_fits_is_read_as_it_was_written_and_the_rest_is_counted(
        settings in any_settings("[a-z0-9_.:/=+@-]{1,60}|.{1,40}"),
    ) {
        let tags = settings.to_tags();
        prop_assert!(tags.len() <= 2);
        for (_, value) in &tags {
            prop_assert!(is_tag_value(value), "{value:?}");
        }
        let recorded = RestoreSettings::read(&as_map(tags));
        prop_assert_eq!(recorded.unread, Vec::<String>::new());
        for (setting, value) in recorded.settings.iter() {
            prop_assert_eq!(settings.get(setting), Some(value));
        }
        prop_assert_eq!(recorded.settings.iter().count() + recorded.omitted, settings.iter().count());
    }

    #[test]
    fn short_settings_are_all_read_back(settings in any_settings("[a-z0-9]{1,2}")) {
        let few = settings.iter().count() < 25;
        let recorded = RestoreSettings::read(&as_map(settings.to_tags()));
        prop_assert!(!few || recorded.settings == settings);
    }

    #[test]
    fn no_tag_can_be_written_that_is_not_read(text in ".{0,256}") {
        let recorded = RestoreSettings::read(&as_map(vec![(tags::SETTINGS, text.clone())]));
        let words = recorded.settings.iter().count() + recorded.unread.len();
        prop_assert!(words <= text.split_whitespace().count());
    }
}
