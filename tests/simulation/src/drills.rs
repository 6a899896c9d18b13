//! The stack of the destination region, in the worlds that have one.

use domain::watch_settings::WatchSettings;
use fixtures::{DESTINATION, SOURCE};
use rds_simulator_sdk::scenario::{DatabaseSettings, NotOffered, Scenario, SubnetGroup};

use crate::random::Random;

/// How many of a thousand worlds drill. Such a world costs more than twice as much as another.
const WORLDS: u64 = 200;

/// The operator's function that looks into restored databases.
const CHECK_FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check-orders";

/// What differs from stack to stack, and from region to region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drills {
    pub(crate) hours: u64,
    databases_per_run: u64,
    concurrency: u64,
    is_full: bool,
    has_check: bool,
    /// Hours between two runs of the schedule.
    pub(crate) every_hours: u64,
    restore_seconds: u32,
    deleting_seconds: u32,
    deletable_while_creating: bool,
    /// An engine that cannot be restored in this region any more.
    not_offered: Option<&'static str>,
}

impl Drills {
    /// The drills of a seed, if it has any.
    pub(crate) fn draw(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed, "drill stack");
        random.per_mille(WORLDS).then(|| Self {
            hours: random.within(1..=4),
            databases_per_run: random.within(1..=3),
            concurrency: random.within(1..=2),
            is_full: random.per_mille(600),
            has_check: random.per_mille(500),
            every_hours: random.within(5..=12),
            restore_seconds: *random.one_of(&[300, 900, 900, 1800]),
            deleting_seconds: *random.one_of(&[30, 120, 120, 900]),
            deletable_while_creating: random.per_mille(150),
            not_offered: random
                .per_mille(300)
                .then(|| *random.one_of(&["mysql", "mariadb", "aurora-mysql"])),
        })
    }

    /// The settings of its functions.
    pub(crate) fn settings(self) -> WatchSettings {
        let variable = |name: &str| {
            Some(match name {
                "AWS_REGION" => DESTINATION.to_owned(),
                "SOURCE_REGION" => SOURCE.to_owned(),
                "OWNER_ID" | "STACK_NAME" => "snapferry".to_owned(),
                "DRILL_COPY_MACHINE" => "snapferry-drill-copy".to_owned(),
                "DRILL_SUBNET_GROUP" => "drills".to_owned(),
                "DRILL_SECURITY_GROUP" => "sg-0123456789abcdef0".to_owned(),
                "DRILL_DATABASES_PER_RUN" => self.databases_per_run.to_string(),
                "DRILL_CONCURRENCY" => self.concurrency.to_string(),
                "DRILL_HOURS" => self.hours.to_string(),
                "DRILL_CLUSTERS" if self.is_full => "full".to_owned(),
                "CHECK_FUNCTION_ARN" if self.has_check => CHECK_FUNCTION.to_owned(),
                _ => return None,
            })
        };
        WatchSettings::read(variable).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same world, with a network for drills, and times of its own.
    pub(crate) fn furnish(self, mut scenario: Scenario) -> Scenario {
        scenario.settings.databases = DatabaseSettings {
            restore_seconds: self.restore_seconds,
            deleting_seconds: self.deleting_seconds,
            deletable_while_creating: self.deletable_while_creating,
            ..DatabaseSettings::default()
        };
        scenario.region(DESTINATION, |region| {
            let region = region.subnet_group(SubnetGroup::new("drills"));
            // Fewer classes than are usual: every hour all of them are asked for.
            let region = region.offers(["db.t4g.micro", "db.r6g.large"]);
            match self.not_offered {
                Some(engine) => region.not_offered(NotOffered::version(engine, "*")),
                None => region,
            }
        })
    }
}
