//! The fleet of one seed, and the account that it is in.

use std::collections::BTreeMap;

use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::tags;
use fixtures::{DESTINATION, SOURCE};
use rds_simulator_sdk::scenario::{self, EngineBehaviour, OptionGroup, Scenario, SseRdsCopies};
use rds_simulator_sdk::simulator::{Kind, SnapshotState};

use crate::policies::{self, ALLOWED_ALIAS, ALLOWED_KEY, KEY, KEY_ALIAS, Kept, OPTION_GROUP, OTHER_KEY, Policy};
use crate::random::Random;

/// Key of the databases in the source region.
pub(crate) const SOURCE_KEY: &str = "33333333-3333-4333-8333-333333333333";

/// The same of an account that is not ours.
pub(crate) const FOREIGN_KEY: &str = "arn:aws:kms:us-east-1:999999999999:key/99999999-9999-4999-8999-999999999999";

/// An account that shares snapshots with ours.
const OTHER_ACCOUNT: &str = "999999999999";

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
    /// Whether RDS tells less of `DocumentDB` and Neptune, as their service models have it, and overlooks whose snapshots
    /// it is asked for.
    pub(crate) omits: bool,
    /// Whether the stack's key and the one that it allows beside it have changed places.
    pub(crate) is_key_swapped: bool,
    pub(crate) keep_copies: u64,
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
            omits: random.per_mille(400),
            is_key_swapped: false,
            keep_copies: random.within(1..=3),
        }
    }

    /// The same after somebody has changed parameters.
    pub(crate) fn changed(self, random: &mut Random) -> Self {
        let swaps = self.allows_key && !self.key_is_alias && random.per_mille(400);
        Self {
            is_key_swapped: self.is_key_swapped != swaps,
            keep_copies: random.within(1..=4),
            retired_keep_days: *random.one_of(&[0, 1, 2, 3]),
            ..self
        }
    }

    /// The keys that a copy may have, the stack's own first.
    pub(crate) fn keys(self) -> Vec<String> {
        let keys = match (self.allows_key, self.is_key_swapped) {
            (false, _) => vec![KEY],
            (true, false) => vec![KEY, ALLOWED_KEY],
            (true, true) => vec![ALLOWED_KEY, KEY],
        };
        keys.into_iter().map(str::to_owned).collect()
    }

    /// The variables that say so.
    pub(crate) fn variables(self) -> Vec<(&'static str, String)> {
        let keys = self.keys();
        let key = match KEY.rsplit_once(':') {
            Some((account, _)) if self.key_is_alias => format!("{account}:{KEY_ALIAS}"),
            _ => keys[0].clone(),
        };
        let given = |is: bool, value: String| if is { value } else { String::new() };
        vec![
            ("DESTINATION_KMS_KEY_ARN", key),
            ("ALLOWED_KMS_KEY_ARNS", keys.get(1).cloned().unwrap_or_default()),
            ("KEEP_COPIES", self.keep_copies.to_string()),
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

/// Engines of services that share the API of RDS.
const OF_OTHER_SERVICES: [&str; 2] = ["docdb", "neptune"];

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
    pub(crate) engine: &'static str,
    /// `none`, `sse-kms` or `sse-rds`.
    pub(crate) encryption: &'static str,
    /// The key of `sse-kms`.
    pub(crate) source_key: &'static str,
    /// The option group, if it has permanent options.
    pub(crate) options: Option<&'static str>,
    /// The global database that it is a secondary of.
    pub(crate) secondary_of: Option<String>,
    /// Whether it was restored from a copy, and hands the copy's tags to its snapshots.
    pub(crate) is_restored: bool,
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
        supported && !self.opted_out && !self.is_gone && self.secondary_of.is_none() && !self.lacks_options(stack)
    }

    /// Whether nobody says which option group its copies are to have, or one that is not there.
    pub(crate) fn lacks_options(&self, stack: Stack) -> bool {
        let mapped = self.options == Some(MAPPED_GROUP) && stack.maps_options;
        let chosen = self.policy.option_group.or(mapped.then_some(OPTION_GROUP));
        self.options.is_some() && chosen != Some(OPTION_GROUP)
    }

    /// Whether RDS tells neither the resource id nor the source of its snapshots.
    pub(crate) fn reports_less(&self, stack: Stack) -> bool {
        stack.omits && OF_OTHER_SERVICES.contains(&self.engine)
    }

    /// As the simulator is seeded with it, without snapshots.
    pub(crate) fn seed(&self) -> scenario::Database {
        let mut seed = scenario::Database {
            // Members are called after the resource id: identifiers of clusters may be too long for that.
            members: (self.kind == Kind::Cluster)
                .then(|| scenario::Members::Ids(vec![format!("member-of-{}", self.resource_id.to_ascii_lowercase())])),
            resource_id: Some(self.resource_id.clone()),
            engine: Some(self.engine.to_owned()),
            kms_key: self.kms_key(),
            storage_encryption_type: Some(self.encryption.to_owned()),
            backup_retention_days: Some(if self.has_backups { 7 } else { 0 }),
            copy_tags_to_snapshot: Some(self.is_restored),
            ..scenario::Database::new(&self.id)
        };
        seed.copies.duration_seconds = Some(self.copy_seconds);
        seed.tags.clone_from(&self.tags);
        seed.option_group = self.options.map(str::to_owned);
        seed.global_cluster.clone_from(&self.secondary_of);
        seed
    }

    pub(crate) fn kms_key(&self) -> Option<String> {
        (self.encryption == "sse-kms").then(|| self.source_key.to_owned())
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

pub(crate) fn databases(stack: Stack, slots: [u64; 2], random: &mut Random) -> Vec<Database> {
    // Mostly few: what goes wrong takes no more than a few databases, and time goes with their number.
    let count = (0..3).map(|_| random.within(5..=40)).min().unwrap_or(5);
    let mut databases: Vec<Database> = (0..count).map(|number| database(number, stack, random)).collect();
    // One in a few worlds takes more than a day, where that leaves slots to the others.
    if slots[0] > 3 && random.per_mille(80) {
        let mut instances = databases.iter_mut();
        if let Some(slow) = instances.find(|database| database.kind == Kind::Instance) {
            slow.copy_seconds = random.between(30.0, 40.0) * 3600.0;
        }
    }
    databases
}

impl Database {
    /// Whether its copies take longer than its snapshots are apart.
    pub(crate) fn takes_days(&self) -> bool {
        self.copy_seconds > 24.0 * 3600.0
    }
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
        id,
        resource_id,
        engine,
        encryption,
        options,
        source_key: if random.per_mille(150) { FOREIGN_KEY } else { SOURCE_KEY },
        secondary_of: (engine.starts_with("aurora") && random.per_mille(80)).then(|| format!("global-{number}")),
        is_restored: false,
        opted_out,
        has_backups: !random.per_mille(80),
        // Few outlast the shortest deadline: who joins them looks at them again and again, and who waits for their slot
        // asks as often, so that most calls would be of that kind. One
        // that takes days is put in afterwards.
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
    let mut before = Random::new(random.draw(), "the weeks before");
    let settings = scenario::Settings {
        fail_copies_when_source_is_deleted: databases.len().is_multiple_of(2),
        resource_id_on_copies: !databases.len().is_multiple_of(3),
        sse_rds_copies: stack.sse_rds,
        delete_seconds: *random.one_of(&[0, 5, 5, 60, 600]),
        listing_lag_seconds: *random.one_of(&[0, 0, 0, 20, 120]),
        engines: reporting_less(stack),
        ..scenario::Settings::default()
    };
    let source = |mut region: scenario::Region| {
        region = region
            .key(SOURCE_KEY, "alias/databases")
            .kms_key(scenario::Key::new(FOREIGN_KEY));
        for name in [MAPPED_GROUP, UNMAPPED_GROUP] {
            region = region.option_group(OptionGroup::new(name, "oracle-ee").permanent("Timezone"));
        }
        for database in databases {
            let mut seed = database.seed();
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
            if random.per_mille(100) {
                region = region.snapshot(shared(database));
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
            region = region.snapshot(not_ours(number, database, stack));
            for copy in old_copies(database, stack, &mut before) {
                region = region.snapshot(copy);
            }
        }
        region
    };
    let primaries = |mut region: scenario::Region| {
        for database in databases {
            if let Some(global) = &database.secondary_of {
                let primary = scenario::Database::new(&format!("primary-of-{global}")).engine(database.engine);
                region = region.cluster(primary.global_writer(global));
            }
        }
        region
    };
    Scenario::new()
        .settings(settings)
        .region(SOURCE, source)
        .region(DESTINATION, destination)
        .region(THIRD_REGION, primaries)
}

/// What RDS does not tell of other services' snapshots.
fn reporting_less(stack: Stack) -> BTreeMap<String, EngineBehaviour> {
    let behaviour = EngineBehaviour {
        ignores_resource_id: true,
        omits: ["DbClusterResourceId", "SourceDBClusterSnapshotArn"]
            .map(str::to_owned)
            .into(),
    };
    let engines = OF_OTHER_SERVICES.into_iter().filter(|_| stack.omits);
    engines.map(|engine| (engine.to_owned(), behaviour.clone())).collect()
}

/// A snapshot that another account shares with ours, of a database of the same name.
fn shared(database: &Database) -> scenario::Snapshot {
    scenario::Snapshot {
        account: Some(OTHER_ACCOUNT.to_owned()),
        engine: Some(database.engine.to_owned()),
        resource_id: Some(format!("{}S", database.resource_id)),
        ..scenario::Snapshot::manual(&format!("shared-{}", database.id), 1.0).taken_of(database.kind, &database.id)
    }
}

/// Copies that this stack made in the weeks before, some with the names and tags of version 1, and under wider rules than
/// it has now. Of some, a person has said that they stay; some, RDS does not delete.
fn old_copies(database: &Database, stack: Stack, random: &mut Random) -> Vec<scenario::Snapshot> {
    if !random.per_mille(250) {
        return Vec::new();
    }
    let kind = match database.kind {
        Kind::Instance => DatabaseKind::Instance,
        Kind::Cluster => DatabaseKind::Cluster,
    };
    // Of a version 1 nobody knows what it recorded of retention.
    let (is_version_1, is_wider) = (random.per_mille(300), random.per_mille(300));
    let days = random.within(2..=20).to_string();
    let count = random.within(1..=7);
    let first = random.within(48..=72);
    (0..count)
        .map(|number| {
            let hours = first + number * 24;
            let stays = random.per_mille(60);
            let arn = format!(
                "arn:aws:rds:{SOURCE}:123456789012:{}:rds:{}{OLD}{hours}{}",
                database.kind.snapshot_type(),
                database.id,
                if stays { STAYS } else { "" }
            );
            let mut copy = fixtures::copy_of(&database.id, &database.resource_id)
                .owned_by(Owner::new(SOURCE, "snapferry"))
                .kind(kind)
                .source(&arn)
                .aged(u32::try_from(hours).unwrap_or(48))
                .marked("2026-11-01T00:00:00Z");
            if database.has_key(stack) {
                copy = copy.key(KEY);
            }
            if is_version_1 {
                copy = copy.in_version_1();
            }
            let mut seed = copy.seed();
            seed.engine = Some(database.engine.to_owned());
            // The oldest ones were made under a rule that asks for more.
            if is_wider && !is_version_1 && number + 2 >= count {
                seed = seed.tag(Kept::RECORDS[1], &days);
            }
            if random.per_mille(150) {
                seed = seed.tag(tags::HOLD, "for the auditors");
            }
            if stays {
                seed.undeletable = Some("The snapshot is being exported".to_owned());
            }
            seed
        })
        .collect()
}

/// Whether it is one of the copies above. Nothing else has such a source.
pub(crate) fn is_old_copy(copy: &SnapshotState) -> bool {
    copy.source_arn.as_ref().is_some_and(|arn| arn.contains(OLD))
}

/// Whether RDS refuses to delete it.
pub(crate) fn is_undeletable(copy: &SnapshotState) -> bool {
    copy.source_arn.as_ref().is_some_and(|arn| arn.ends_with(STAYS))
}

/// What the names of their sources have in them.
const OLD: &str = "-from-before-";
const STAYS: &str = "-exported";

/// A snapshot in the destination region that looks a little like one of our copies, and is not.
fn not_ours(number: usize, database: &Database, stack: Stack) -> scenario::Snapshot {
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
    match number % 6 {
        // The very name that its tags make, and RDS says that it is a copy of something else. Where RDS says nothing, it
        // would be ours.
        4 if !database.reports_less(stack) => scenario::Snapshot {
            source_arn: Some(format!(
                "arn:aws:rds:{SOURCE}:123456789012:{}:of-somebody-else",
                database.kind.snapshot_type()
            )),
            ..fixtures::copy_of(&database.id, &database.resource_id)
                .owned_by(Owner::new(SOURCE, "snapferry"))
                .kind(kind)
                .aged(900)
                .marked("2026-01-01T01:00:00Z")
                .seed()
        },
        5 => shared(database),
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
