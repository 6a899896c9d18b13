//! The fleet of one seed, and the account that it is in.

use std::collections::BTreeMap;

use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use fixtures::{DESTINATION, SOURCE};
use rds_simulator_sdk::scenario::{self, OptionGroup, Scenario, SseRdsCopies};
use rds_simulator_sdk::simulator::Kind;

use crate::policies::{self, ALLOWED_ALIAS, ALLOWED_KEY, KEY, KEY_ALIAS, OPTION_GROUP, OTHER_KEY, Policy};
use crate::random::Random;

/// Key of the databases in the source region.
pub(crate) const SOURCE_KEY: &str = "33333333-3333-4333-8333-333333333333";

/// A region with clusters of global databases.
const THIRD_REGION: &str = "us-west-2";

/// What differs from stack to stack.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter or a rule of its own")]
pub(crate) struct Stack {
    pub(crate) key_is_alias: bool,
    pub(crate) allows_key: bool,
    /// Whether the option group that most databases need is mapped to one of the destination region.
    pub(crate) maps_options: bool,
    pub(crate) includes_neptune: bool,
    pub(crate) includes_documentdb: bool,
    pub(crate) retired_keep_days: u64,
    /// How RDS copies what is encrypted with a key that AWS owns.
    pub(crate) sse_rds: SseRdsCopies,
}

impl Stack {
    pub(crate) fn draw(random: &mut Random, under_roles: bool) -> Self {
        Self {
            // The roles are rendered for the key's own ARN.
            key_is_alias: random.per_mille(400) && !under_roles,
            allows_key: random.per_mille(700),
            maps_options: random.per_mille(800),
            includes_neptune: random.per_mille(500),
            includes_documentdb: random.per_mille(500),
            retired_keep_days: *random.one_of(&[0, 0, 1, 2, 3]),
            sse_rds: *random.one_of(&[SseRdsCopies::NeedsKey, SseRdsCopies::RefusesKey]),
        }
    }

    /// The variables that say so.
    pub(crate) fn variables(self) -> Vec<(&'static str, String)> {
        let key = match KEY.rsplit_once(':') {
            Some((account, _)) if self.key_is_alias => format!("{account}:{KEY_ALIAS}"),
            _ => KEY.to_owned(),
        };
        let given = |is: bool, value: String| if is { value } else { String::new() };
        vec![
            ("DESTINATION_KMS_KEY_ARN", key),
            ("ALLOWED_KMS_KEY_ARNS", given(self.allows_key, ALLOWED_KEY.to_owned())),
            (
                "OPTION_GROUPS",
                given(self.maps_options, format!("{MAPPED_GROUP}={OPTION_GROUP}")),
            ),
            ("INCLUDE_NEPTUNE", self.includes_neptune.to_string()),
            ("INCLUDE_DOCUMENTDB", self.includes_documentdb.to_string()),
            ("RETIRED_KEEP_DAYS", self.retired_keep_days.to_string()),
        ]
    }
}

/// An option group of the source region that a stack may map, and one that it does not. Both have a permanent option.
const MAPPED_GROUP: &str = "tz-source";
const UNMAPPED_GROUP: &str = "audit-source";

/// A database as it really is.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what is true of one says nothing of the others"
)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) resource_id: String,
    pub(crate) id_within: String,
    pub(crate) resource_id_within: String,
    pub(crate) engine: &'static str,
    /// `none`, `sse-kms` or `sse-rds`.
    pub(crate) encryption: &'static str,
    /// The option group, if it has permanent options.
    pub(crate) options: Option<&'static str>,
    /// Whether it is the secondary of a global database.
    pub(crate) is_secondary: bool,
    pub(crate) opted_out: bool,
    pub(crate) has_backups: bool,
    pub(crate) copy_seconds: f64,
    pub(crate) retention: usize,
    pub(crate) is_gone: bool,
    pub(crate) taken: Vec<String>,
    pub(crate) takes: u32,
    /// What its tags ask for.
    pub(crate) policy: Policy,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Database {
    /// Whether its newest snapshot is to have a copy when nothing is in the way.
    pub(crate) fn can_be_copied(&self, stack: Stack) -> bool {
        let supported = match self.kind {
            Kind::Instance => !self.engine.starts_with("custom-oracle"),
            Kind::Cluster => match self.engine {
                "neptune" => stack.includes_neptune,
                "docdb" => stack.includes_documentdb,
                engine => engine.starts_with("aurora"),
            },
        };
        supported && !self.opted_out && !self.is_gone && !self.is_secondary && !self.lacks_options(stack)
    }

    /// Whether nobody says which option group its copies are to have, or one that is not there.
    pub(crate) fn lacks_options(&self, stack: Stack) -> bool {
        let mapped = self.options == Some(MAPPED_GROUP) && stack.maps_options;
        let chosen = self.policy.option_group.or(mapped.then_some(OPTION_GROUP));
        self.options.is_some() && chosen != Some(OPTION_GROUP)
    }

    /// Whether a copy of it is encrypted with a key that we name.
    pub(crate) fn has_key(&self, stack: Stack) -> bool {
        match (self.kind, self.encryption) {
            (Kind::Instance, _) | (_, "sse-kms") => true,
            (Kind::Cluster, "sse-rds") => stack.sse_rds == SseRdsCopies::NeedsKey,
            (Kind::Cluster, _) => false,
        }
    }
}

/// The option group of the destination region that copies need.
pub(crate) fn option_group() -> OptionGroup {
    OptionGroup::new(OPTION_GROUP, "oracle-ee").permanent("Timezone")
}

pub(crate) fn databases(stack: Stack, random: &mut Random) -> Vec<Database> {
    // Mostly few: what goes wrong takes no more than a few databases, and time goes with their number.
    let count = (0..3).map(|_| random.within(5..=40)).min().unwrap_or(5);
    (0..count).map(|number| database(number, stack, random)).collect()
}

fn database(number: u64, stack: Stack, random: &mut Random) -> Database {
    let kind = if random.per_mille(300) {
        Kind::Cluster
    } else {
        Kind::Instance
    };
    let name = *random.one_of(&[
        "orders",
        "db",
        "db-2",
        "billing-of-the-northern-and-southern-branches-together",
    ]);
    let id = format!("{name}-{number}");
    let (prefix, engine, encryption) = match kind {
        Kind::Instance => (
            "db",
            *random.one_of(&[
                "postgres",
                "mysql",
                "mariadb",
                "postgres",
                "oracle-ee",
                "custom-oracle-ee",
            ]),
            *random.one_of(&["none", "sse-kms"]),
        ),
        // One of a plain engine is a Multi-AZ DB cluster.
        Kind::Cluster => (
            "cluster",
            *random.one_of(&[
                "aurora-postgresql",
                "aurora-mysql",
                "aurora-postgresql",
                "postgres",
                "neptune",
                "docdb",
            ]),
            *random.one_of(&["none", "sse-kms", "sse-rds"]),
        ),
    };
    let encryption = match engine {
        "custom-oracle-ee" => "sse-kms",
        "neptune" | "docdb" if encryption == "sse-rds" => "none",
        _ => encryption,
    };
    let options = (engine == "oracle-ee")
        .then(|| *random.one_of(&[Some(MAPPED_GROUP), Some(MAPPED_GROUP), Some(UNMAPPED_GROUP), None]))
        .flatten();
    let resource_id = format!("{prefix}-{:012X}{number}R", random.within(0..=0xffff_ffff_ffff));
    let (policy, mut tags) = policies::draw(random, options.is_some(), stack.allows_key);
    let opted_out = random.per_mille(80);
    if opted_out {
        tags.insert("snapferry:copy".to_owned(), "false".to_owned());
    }
    Database {
        kind,
        id_within: id.clone(),
        resource_id_within: resource_id.clone(),
        id,
        resource_id,
        engine,
        encryption,
        options,
        is_secondary: engine.starts_with("aurora") && random.per_mille(80),
        opted_out,
        has_backups: !random.per_mille(80),
        // Few outlast the shortest deadline: who joins them looks at them again and again, and who waits for their slot
        // asks as often, so that most calls would be of that kind.
        copy_seconds: match random.within(0..=39) {
            0 => random.between(1800.0, 7200.0),
            1..=4 => random.between(300.0, 1200.0),
            _ => random.between(20.0, 300.0),
        },
        retention: usize::try_from(random.within(1..=3)).unwrap_or(1),
        is_gone: false,
        taken: Vec::new(),
        takes: 0,
        policy,
        tags,
    }
}

pub(crate) fn scenario(databases: &[Database], stack: Stack, slots: [u64; 2], random: &mut Random) -> Scenario {
    let slots = slots.map(|slots| u32::try_from(slots).unwrap_or(1));
    let source = |mut region: scenario::Region| {
        region = region.key(SOURCE_KEY, "alias/databases");
        for name in [MAPPED_GROUP, UNMAPPED_GROUP] {
            region = region.option_group(OptionGroup::new(name, "oracle-ee").permanent("Timezone"));
        }
        for (number, database) in databases.iter().enumerate() {
            let mut seed = scenario::Database {
                members: (database.kind == Kind::Cluster)
                    .then(|| scenario::Members::Ids(vec![format!("member-of-{number}")])),
                resource_id: Some(database.resource_id.clone()),
                engine: Some(database.engine.to_owned()),
                kms_key: (database.encryption == "sse-kms").then(|| SOURCE_KEY.to_owned()),
                storage_encryption_type: Some(database.encryption.to_owned()),
                backup_retention_days: Some(if database.has_backups { 7 } else { 0 }),
                ..scenario::Database::new(&database.id)
            };
            seed.copies.duration_seconds = Some(database.copy_seconds);
            seed.tags.clone_from(&database.tags);
            seed.option_group = database.options.map(str::to_owned);
            seed.global_cluster = database.is_secondary.then(|| format!("global-{number}"));
            if database.has_backups {
                let youngest = random.between(1.0, 20.0);
                let ages =
                    (0..database.retention).map(|days| youngest + 24.0 * u32::try_from(days).map_or(0.0, f64::from));
                seed = seed.snapshots_aged(ages.collect::<Vec<_>>());
            }
            if random.per_mille(200) {
                let id = format!("before-upgrade-{}", database.id);
                seed = seed.snapshot(scenario::Snapshot::manual(&id, random.between(30.0, 900.0)));
            }
            region = match database.kind {
                Kind::Instance => region.instance(seed),
                Kind::Cluster => region.cluster(seed),
            };
        }
        region
    };
    let destination = |mut region: scenario::Region| {
        region = region
            .key(KEY, KEY_ALIAS)
            .key(ALLOWED_KEY, ALLOWED_ALIAS)
            .key(OTHER_KEY, "alias/other")
            .option_group(option_group())
            .quota(10_000, 10_000)
            .slots(slots[0], slots[1]);
        for (number, database) in databases.iter().enumerate() {
            region = region.snapshot(not_ours(number, database));
        }
        region
    };
    let primaries = |mut region: scenario::Region| {
        for (number, database) in databases
            .iter()
            .enumerate()
            .filter(|(_, database)| database.is_secondary)
        {
            region = region.cluster(
                scenario::Database::new(&format!("primary-{number}"))
                    .engine(database.engine)
                    .global_writer(&format!("global-{number}")),
            );
        }
        region
    };
    let settings = scenario::Settings {
        fail_copies_when_source_is_deleted: databases.len().is_multiple_of(2),
        resource_id_on_copies: !databases.len().is_multiple_of(3),
        sse_rds_copies: stack.sse_rds,
        ..scenario::Settings::default()
    };
    Scenario::new()
        .settings(settings)
        .region(SOURCE, source)
        .region(DESTINATION, destination)
        .region(THIRD_REGION, primaries)
}

/// A snapshot in the destination region that looks a little like one of our copies, and is not.
fn not_ours(number: usize, database: &Database) -> scenario::Snapshot {
    let kind = match database.kind {
        Kind::Instance => DatabaseKind::Instance,
        Kind::Cluster => DatabaseKind::Cluster,
    };
    let marked = |id: String, source_region: &str| {
        fixtures::copy_of(&database.id, &database.resource_id)
            .owned_by(Owner::new(source_region, "snapferry"))
            .kind(kind)
            .named(&id)
            .aged(900)
            .key(KEY)
            .marked("2026-01-01T01:00:00Z")
            .by_hand()
    };
    match number % 4 {
        // Made by hand, under a name of its own or one like ours.
        0 => scenario::Snapshot::manual(&format!("by-hand-{number}"), 500.0).taken_of(database.kind, &database.id),
        1 => scenario::Snapshot::manual(&format!("snapferry-by-hand-{number}"), 500.0)
            .taken_of(database.kind, &database.id),
        // Another stack's.
        2 => marked(format!("snapferry-other-{number}"), "eu-central-1"),
        // Our tag on a snapshot that somebody named otherwise.
        _ => marked(format!("snapshot-{number}"), SOURCE),
    }
}
