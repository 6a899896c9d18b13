//! What the benchmarks work on: copies of one database, a page of targets, a snapshot with all the tags that there can
//! be, and ways of following a copy to its end.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use check_copy_status::schedule;
use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::kind::DatabaseKind;
use domain::ownership::{CopyIdentity, Format, Owner};
use domain::payload::{LeftOut, Retired, RunRules, Target, Wait};
use domain::restore_settings::RestoreSettings;
use domain::retention_rules::RetentionRules;
use domain::snapshot::{Encryption, Snapshot};
use domain::tags;
use jiff::{SignedDuration, Timestamp};

/// The owner of the copies.
#[must_use]
pub fn owner() -> Owner {
    Owner::new("eu-west-1", "snapferry")
}

/// When all of it happens.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::constant(1_760_000_000, 0)
}

/// The ARN of the automated snapshot of this many days ago.
#[must_use]
pub fn source_arn(days: u32) -> String {
    format!("arn:aws:rds:eu-west-1:123456789012:snapshot:rds:orders-2026-11-22-03-{days:04}")
}

/// What the name of a copy is made of.
#[must_use]
pub fn identity(source_arn: &str, source_created: Timestamp) -> CopyIdentity<'_> {
    CopyIdentity {
        format: Format::CURRENT,
        source_arn,
        source_created,
        source_resource_id: "db-ORDERS",
        kms_key_arn: None,
        attempt: 0,
    }
}

/// This many verified copies of one database, a day apart.
#[must_use]
pub fn copies(count: u32) -> Vec<OwnCopy> {
    let owner = owner();
    (0..count)
        .map(|days| {
            let created = now() - SignedDuration::from_hours(24 * i64::from(days));
            let source_arn = source_arn(days);
            OwnCopy {
                arn: "arn:aws:rds:eu-central-1:123456789012:snapshot:a-copy".to_owned(),
                id: owner.copy_id(&identity(&source_arn, created)),
                stack: Some("snapferry".to_owned()),
                is_confirmed: true,
                source_arn,
                source_resource_id: "db-ORDERS".to_owned(),
                source_created: created,
                requested: created,
                kms_key_arn: None,
                attempt: 0,
                retention: RetentionRules::default(),
                unread: false,
                hold: false,
                drilling_until: None,
                drill_every: None,
                restore_order: None,
                status: CopyStatus::Verified,
            }
        })
        .collect()
}

/// Every kind of rule at once, as a stack with a long memory has them.
#[must_use]
pub fn rules() -> domain::retention::PruneRules {
    domain::retention::PruneRules {
        keep: RetentionRules {
            copies: 7,
            days: 14,
            daily: 30,
            weekly: 12,
            monthly: 12,
            yearly: 7,
        },
        hold: None,
        stack: "snapferry".to_owned(),
        deadline: SignedDuration::from_hours(72),
    }
}

/// A snapshot with as many tags as AWS allows, those of a copy of ours among them.
#[must_use]
pub fn tagged() -> Snapshot {
    let ours = [
        (tags::OWNER, "eu-west-1/snapferry".to_owned()),
        (tags::SOURCE_ARN, source_arn(0)),
        (tags::SOURCE_ID, "orders".to_owned()),
        (tags::SOURCE_RESOURCE_ID, "db-ORDERS".to_owned()),
        (tags::SOURCE_CREATED, now().to_string()),
        (tags::REQUESTED, now().to_string()),
        (tags::ATTEMPT, "0".to_owned()),
        (tags::COPY_KMS_KEY, tags::NO_KEY.to_owned()),
        (tags::FORMAT, "2".to_owned()),
        (tags::VERIFIED, now().to_string()),
        (tags::SOURCE_KEEP, "7".to_owned()),
        (tags::SOURCE_KEEP_MONTHLY, "12".to_owned()),
    ];
    let mut all: BTreeMap<String, String> = (ours.len()..50)
        .map(|number| (format!("team:label-{number}"), format!("{number:.<100}")))
        .collect();
    all.extend(ours.map(|(key, value)| (key.to_owned(), value)));
    let id = owner().copy_id(&identity(&source_arn(0), now()));
    Snapshot {
        kind: DatabaseKind::Instance,
        arn: format!("arn:aws:rds:eu-central-1:123456789012:snapshot:{id}"),
        id,
        database_id: "orders".to_owned(),
        resource_id: None,
        snapshot_type: "manual".to_owned(),
        status: "available".to_owned(),
        created_at: Some(now()),
        original_created_at: Some(now()),
        data_time: None,
        engine: "postgres".to_owned(),
        engine_version: "16.4".to_owned(),
        encryption: Encryption::None,
        kms_key_arn: None,
        source_arn: Some(source_arn(0)),
        size_gib: Some(200),
        full_size_bytes: None,
        percent: 100,
        option_group: None,
        settings: RestoreSettings::default(),
        tags: all,
    }
}

/// A page of this many targets with names of full length, as list-targets hands it over.
#[must_use]
pub fn page(targets: u32) -> String {
    let target = |number| {
        Target::new(
            DatabaseKind::Instance,
            format!("{number:0>63}"),
            format!("db-{number:0>26}"),
        )
    };
    let instances: Vec<Target> = (0..targets).map(target).collect();
    serde_json::json!({
        "dryRun": false,
        "rules": RunRules::default(),
        "instances": instances,
        "clusters": [],
        "leftOut": LeftOut::default(),
        "retired": Retired::default(),
        "warnings": [],
    })
    .to_string()
}

/// A way of following a copy to its end.
#[derive(Debug, Clone, Copy)]
pub enum Following {
    /// Ours, while RDS reports no progress.
    OursWithoutProgress,
    /// Ours, while RDS reports steady progress.
    OursWithProgress,
    /// A poll each time this many seconds have passed.
    Every(u64),
}

impl Following {
    /// How many polls it takes to follow a copy of `duration` seconds, and how many seconds after its end it is noticed.
    #[must_use]
    pub fn to_the_end(self, duration: u64) -> (u32, u64) {
        let mut wait = Wait::first("snapferry-orders");
        if let Self::Every(seconds) = self {
            wait.seconds = seconds;
        }
        let mut time = wait.seconds;
        while time < duration {
            wait = match self {
                Self::OursWithoutProgress => schedule::next(&wait, time, 0),
                Self::OursWithProgress => schedule::next(&wait, time, percent(time, duration)),
                Self::Every(seconds) => Wait {
                    seconds,
                    polls: wait.polls + 1,
                    ..wait
                },
            };
            time += wait.seconds;
        }
        (wait.polls + 1, time - duration)
    }
}

fn percent(time: u64, duration: u64) -> i32 {
    i32::try_from(time * 100 / duration).unwrap_or(99).min(99)
}
