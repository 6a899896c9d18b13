use std::collections::BTreeMap;

use domain::restore_settings::{RestoreSettings, Setting};
use domain::snapshot::Encryption;
use domain::tags;
use proptest::prelude::*;

use super::*;

/// The options of each command, by the models of botocore 1.43. A `?` marks those without a value.
const OPTIONS: &str = include_str!("tests/options.txt");

const ENGINES: [&str; 6] = [
    "postgres",
    "custom-oracle-ee",
    "sqlserver-se",
    "aurora-mysql",
    "docdb",
    "neptune",
];

fn kind(engine: &str) -> DatabaseKind {
    match engine {
        "aurora-mysql" | "docdb" | "neptune" => DatabaseKind::Cluster,
        _ => DatabaseKind::Instance,
    }
}

fn copy(engine: &str, settings: RestoreSettings, tags: &[(&str, &str)]) -> Snapshot {
    let noun = match kind(engine) {
        DatabaseKind::Instance => "snapshot",
        DatabaseKind::Cluster => "cluster-snapshot",
    };
    Snapshot {
        data_time: None,
        full_size_bytes: None,
        kind: kind(engine),
        id: "snap-orders-1".to_owned(),
        arn: format!("arn:aws:rds:eu-west-1:123456789012:{noun}:snap-orders-1"),
        database_id: "orders".to_owned(),
        resource_id: None,
        snapshot_type: "manual".to_owned(),
        status: "available".to_owned(),
        created_at: None,
        original_created_at: None,
        engine: engine.to_owned(),
        engine_version: "16.3".to_owned(),
        encryption: Encryption::Kms,
        kms_key_arn: None,
        source_arn: None,
        size_gib: None,
        percent: 100,
        option_group: None,
        settings,
        tags: tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn planned(copy: &Snapshot) -> Restoration {
    let request = Request {
        name: "orders",
        region: "eu-west-1",
        profile: None,
        members: None,
    };
    plan(&Restore::new(copy, request))
}

/// A value that a setting can have, and that is not the one which RDS gives anyhow.
fn value(setting: Setting) -> &'static str {
    match setting {
        Setting::AutoUpgrade | Setting::ExtendedSupport => "false",
        Setting::Storage => "aurora-iopt1",
        Setting::Logs | Setting::Roles => "audit+error",
        Setting::Members => "3",
        Setting::DeletionProtection
        | Setting::Iam
        | Setting::ManagedPassword
        | Setting::LogVolume
        | Setting::CopyTags
        | Setting::HttpEndpoint
        | Setting::WriteForwarding
        | Setting::ActivityStream
        | Setting::Public => "true",
        _ => "7",
    }
}

/// The value of an option in a step.
fn option<'a>(restoration: &'a Restoration, step: usize, name: &str) -> Option<&'a str> {
    let words = &restoration.steps[step].command;
    let at = words.iter().position(|word| word == name)?;
    Some(&words[at + 1])
}

fn has(restoration: &Restoration, step: usize, flag: &str) -> bool {
    restoration.steps[step].command.iter().any(|word| word == flag)
}

/// D11: a setting that is known is in a command or is named among what is not restored, for every engine.
#[test]
fn every_setting_that_is_known_is_restored_or_named() {
    for engine in ENGINES {
        let without = planned(&copy(engine, RestoreSettings::default(), &[]));
        for setting in RestoreSettings::all() {
            let known = RestoreSettings::default().with(setting, Some(value(setting)));
            let with = planned(&copy(engine, known, &[]));
            // Of RDS Custom, automatic upgrades are refused; the engines of clusters have one licence each.
            let has_no_choice = match setting {
                Setting::AutoUpgrade => engine.starts_with("custom-"),
                Setting::License => kind(engine) == DatabaseKind::Cluster,
                _ => false,
            };
            assert_eq!(with == without, has_no_choice, "{engine}: {setting:?}");
        }
    }
}

#[test]
fn the_storage_of_an_instance_is_that_of_its_snapshot_and_magnetic_storage_becomes_gp3() {
    let storage = |storage: &str, iops: u32, throughput: u32| {
        let settings = RestoreSettings::default()
            .with(Setting::Storage, Some(storage))
            .with(Setting::Iops, Some(iops))
            .with(Setting::Throughput, Some(throughput));
        let plan = planned(&copy("postgres", settings, &[]));
        let option = |name| option(&plan, 0, name).map(str::to_owned);
        (
            option("--storage-type").expect("a type"),
            option("--iops"),
            option("--storage-throughput"),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(storage("standard", 100, 0), ("gp3".to_owned(), None, None));
    assert_eq!(storage("gp2", 300, 0), ("gp2".to_owned(), None, None));
    assert_eq!(storage("gp3", 3000, 125), ("gp3".to_owned(), None, None));
    assert_eq!(
        storage("gp3", 16_000, 700),
        ("gp3".to_owned(), some("16000"), some("700"))
    );
    assert_eq!(storage("io2", 20_000, 0), ("io2".to_owned(), some("20000"), None));
}

#[test]
fn what_the_snapshot_does_not_know_comes_from_the_tags() {
    let settings = "deletion-protection=true port=1 logs=audit+error max-storage=500 monitoring=60 \
                    monitoring-role=arn:aws:iam::123456789012:role/m managed-password=true";
    let of_snapshot = RestoreSettings::default()
        .with(Setting::Port, Some(5433))
        .with(Setting::Iam, Some(true))
        .with(Setting::BackupRetention, Some(14));
    let tags = [(tags::SETTINGS, settings), (tags::MULTI_AZ, "false")];
    let plan = planned(&copy("postgres", of_snapshot, &tags));
    assert_eq!(option(&plan, 0, "--port"), Some("5433"));
    assert_eq!(
        option(&plan, 0, "--enable-cloudwatch-logs-exports"),
        Some(r#"["audit","error"]"#)
    );
    assert!(has(&plan, 0, "--enable-iam-database-authentication"));
    assert!(has(&plan, 0, "--deletion-protection"));
    assert_eq!(option(&plan, 2, "--max-allocated-storage"), Some("500"));
    assert_eq!(option(&plan, 2, "--backup-retention-period"), Some("14"));
    assert_eq!(
        option(&plan, 2, "--monitoring-role-arn"),
        Some("arn:aws:iam::123456789012:role/m")
    );
    assert!(has(&plan, 2, "--manage-master-user-password"));
    assert_eq!(plan.not_restored.len(), 1, "{:?}", plan.not_restored);
}

#[test]
fn an_io_optimized_serverless_cluster_is_restored_as_one_with_all_its_instances() {
    let settings = "deletion-protection=true min-capacity=0 max-capacity=16 auto-pause=300 members=3 http-endpoint=true \
                    insights-mode=advanced insights=465 ca=rds-ca-rsa2048-g1";
    let of_snapshot = RestoreSettings::default().with(Setting::Storage, Some("aurora-iopt1"));
    let tags = [(tags::SETTINGS, settings), (tags::CLASS, "db.serverless")];
    let plan = planned(&copy("aurora-mysql", of_snapshot, &tags));
    assert_eq!(option(&plan, 0, "--storage-type"), Some("aurora-iopt1"));
    assert_eq!(
        option(&plan, 0, "--serverless-v2-scaling-configuration"),
        Some("MinCapacity=0,MaxCapacity=16,SecondsUntilAutoPause=300")
    );
    // The cluster, a wait, three instances, a wait, the modification, the Data API.
    assert_eq!(plan.steps.len(), 8);
    for member in 2..=4 {
        assert_eq!(
            option(&plan, member, "--ca-certificate-identifier"),
            Some("rds-ca-rsa2048-g1")
        );
        assert!(!has(&plan, member, "--enable-performance-insights"));
    }
    assert_eq!(option(&plan, 6, "--database-insights-mode"), Some("advanced"));
    assert_eq!(
        option(&plan, 7, "--resource-arn"),
        Some("arn:aws:rds:eu-west-1:123456789012:cluster:orders")
    );
    assert_eq!(placeholders(&plan.steps), ["SUBNET_GROUP", "SECURITY_GROUP_IDS"]);
}

/// H2: a restore without tags would inherit all those of the copy.
#[test]
fn a_restored_database_has_the_tags_of_the_original_and_one_that_asks_for_nothing() {
    for engine in ["postgres", "aurora-mysql"] {
        let mut tags: Vec<(&str, &str)> = tags::ALL.iter().map(|key| (*key, "7")).collect();
        tags.extend([("team", "shop"), ("note", "it's\u{2028}here"), ("Snapferry:Copy", "x")]);
        let plan = planned(&copy(engine, RestoreSettings::default(), &tags));
        let json = option(&plan, 0, "--tags").expect("tags");
        let given: Vec<BTreeMap<String, String>> = serde_json::from_str(json).expect("JSON");
        let given: Vec<(&str, &str)> = given.iter().map(|tag| (&*tag["Key"], &*tag["Value"])).collect();
        assert_eq!(
            given,
            [
                ("note", "it's\u{2028}here"),
                (tags::RESTORED_FROM, "snap-orders-1"),
                ("team", "shop"),
            ]
        );
        assert!(json.is_ascii(), "{json}");
        let wishes = plan
            .not_restored
            .iter()
            .find(|line| line.contains("snapferry:keep-days=7"));
        assert!(wishes.is_some(), "{:?}", plan.not_restored);
    }
}

#[test]
fn what_cannot_be_given_to_the_aws_cli_is_named_instead() {
    let tags = [
        (tags::CLASS, "file:///etc/passwd"),
        (tags::PARAMETER_GROUP, "a\n# rm -rf ~"),
        (tags::SETTINGS, "port=file://x omitted=2 from-2030=1"),
    ];
    let plan = planned(&copy("postgres", RestoreSettings::default(), &tags));
    assert_eq!(option(&plan, 0, "--db-instance-class"), Some("INSTANCE_CLASS"));
    assert_eq!(option(&plan, 0, "--port"), None);
    assert_eq!(
        plan.not_restored[..5],
        [
            "The instance class: the AWS CLI cannot be given its value, file:///etc/passwd.",
            r"The parameter group: the AWS CLI cannot be given its value, a\u{a}# rm -rf ~.",
            "The port: the AWS CLI cannot be given its value, file://x.",
            "from-2030=1, which this release of Snapferry does not know.",
            "2 settings for which the tags of the copy had no room.",
        ]
    );
}

/// What is wrong with a command by the models.
fn wrong(step: &Step) -> Option<String> {
    let [_, service, operation, arguments @ ..] = step.command.as_slice() else {
        return Some("too short".to_owned());
    };
    let line = format!("{service} {operation} ");
    let Some(options) = OPTIONS.lines().find_map(|options| options.strip_prefix(&line)) else {
        return Some(format!("{line} is not a command"));
    };
    let options: Vec<&str> = options.split(' ').chain(["region"]).collect();
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        let name = word.strip_prefix("--").unwrap_or_default();
        let bare = name.strip_prefix("no-").unwrap_or(name);
        let is_flag = options.contains(&format!("?{bare}").as_str());
        let (name, is_joined) = name.split_once('=').map_or((name, false), |(name, _)| (name, true));
        if !is_flag && !options.contains(&name) {
            return Some(format!("{line} has no option {word}"));
        }
        at += if is_flag || is_joined { 1 } else { 2 };
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(2_000)))]

    /// D11, facts A3: each service has options of its own.
    #[test]
    fn no_command_has_an_option_that_the_aws_cli_does_not_know(
        engine in proptest::sample::select(ENGINES.to_vec()),
        known in proptest::collection::vec(proptest::sample::select(RestoreSettings::all().collect::<Vec<_>>()), 0..40),
        any in proptest::collection::btree_map(proptest::sample::select(RestoreSettings::all().collect::<Vec<_>>()), "\\PC{0,12}", 0..6),
        class in "db.serverless|\\PC{0,12}",
    ) {
        let mut settings = RestoreSettings::default();
        for setting in known {
            settings.set(setting, Some(value(setting)));
        }
        for (setting, value) in any {
            settings.set(setting, Some(value));
        }
        let plan = planned(&copy(engine, settings, &[(tags::CLASS, &class)]));
        for step in plan.steps.iter().filter(|step| step.command[0] == "aws") {
            prop_assert_eq!(wrong(step), None);
        }
    }
}
