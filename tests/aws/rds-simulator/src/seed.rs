//! Turns a scenario into regions, and refuses one that could not exist.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::details::{Details, OwnDetails};
use crate::hash;
use crate::identifier;
use crate::life::Life;
use crate::model::{
    Database, Encryption, Ending, Job, KEY_STATES, Key, Kind, Member, RdsArn, Region, Snapshot, Tags, partition,
};
use crate::naming;
use crate::option_groups::{self, OptionGroup};
use crate::scenario::{self, GroupOption, Members, ScenarioError};

type Result<T> = std::result::Result<T, ScenarioError>;

/// The seeds of a scenario that are being turned into regions.
pub(crate) struct Seeding<'a> {
    pub(crate) regions: &'a mut BTreeMap<String, Region>,
    pub(crate) account: &'a str,
    pub(crate) now: Timestamp,
}

impl Seeding<'_> {
    /// Adds everything that the scenario holds.
    pub(crate) fn add(&mut self, scenario: &scenario::Scenario) -> Result<()> {
        for (name, seed) in &scenario.regions {
            if !name.contains('-')
                || !name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            {
                return Err(wrong("regions", format!("{name:?} is not the name of a region")));
            }
            self.region(name, seed)?;
        }
        self.check_writers()?;
        // Copies come last: they take what they do not say from their source, which may be in any region.
        for (name, seed) in &scenario.regions {
            for (index, snapshot) in seed.snapshots.iter().enumerate() {
                let place = format!("regions.{name}.snapshots[{index}]");
                self.snapshot(name, &place, snapshot, None)?;
            }
        }
        Ok(())
    }

    fn region(&mut self, name: &str, seed: &scenario::Region) -> Result<()> {
        let place = format!("regions.{name}");
        let region = self.region_mut(name);
        if let Some(quota) = seed.manual_snapshot_quota {
            region.quota = quota;
        }
        if let Some(slots) = seed.copy_slots {
            region.slots = slots;
        }
        if let Some(rate) = seed.requests_per_second {
            if !(rate.is_finite() && rate > 0.0) {
                return Err(wrong(&place, "requestsPerSecond must be more than 0"));
            }
            region.requests_per_second = Some(rate);
        }
        add_offers(region, seed);
        add_groups(region, &place, seed)?;
        if let Some(quota) = seed.database_quota {
            region.database_quota = quota;
        }
        region.restore_fates.splice(0..0, seed.restores.iter().cloned());
        for (index, key) in seed.kms_keys.iter().enumerate() {
            add_key(region, &format!("{place}.kmsKeys[{index}]"), key)?;
        }
        for (index, group) in seed.option_groups.iter().enumerate() {
            let place = format!("{place}.optionGroups[{index}] ({})", group.name);
            add_option_group(region, &place, group)?;
        }
        for (kind, list, seeds) in [
            (Kind::Instance, "instances", &seed.instances),
            (Kind::Cluster, "clusters", &seed.clusters),
        ] {
            for (index, seed) in seeds.iter().enumerate() {
                let place = format!("{place}.{list}[{index}] ({})", seed.id);
                self.database(name, kind, &place, seed)?;
                for (index, snapshot) in seed.snapshots.iter().enumerate() {
                    let place = format!("{place}.snapshots[{index}]");
                    self.snapshot(name, &place, snapshot, Some((kind, &seed.id)))?;
                }
            }
        }
        Ok(())
    }

    fn database(&mut self, region: &str, kind: Kind, place: &str, seed: &scenario::Database) -> Result<()> {
        let now = self.now;
        let region = self.region_mut(region);
        identifier::check(&seed.id, 63).map_err(|reason| wrong(place, format!("id {:?}: {reason}", seed.id)))?;
        if kind == Kind::Instance
            && (seed.members.is_some()
                || seed.engine_mode.is_some()
                || seed.global_cluster.is_some()
                || seed.global_writer.is_some()
                || seed.cluster_scalability_type.is_some())
        {
            return Err(wrong(
                place,
                "members, engineMode, globalCluster, globalWriter and clusterScalabilityType are for clusters",
            ));
        }
        if seed.global_writer.is_some() && seed.global_cluster.is_none() {
            return Err(wrong(place, "globalWriter says something about a globalCluster"));
        }
        if kind == Kind::Cluster && (seed.option_group.is_some() || !seed.permanent_options.is_empty()) {
            return Err(wrong(place, "option groups are for instances"));
        }
        let mut database = resolve_database(region, kind, place, seed, now)?;
        if let Some(name) = database.option_group.clone() {
            let group = option_group_of(region, place, &database, &name)?;
            database.permanent_options = group.required_options();
            if !name.starts_with("default:") {
                region.option_groups.insert(name, group);
            }
        }
        for member in &database.members {
            identifier::check(&member.id, 63)
                .map_err(|reason| wrong(place, format!("member {:?}: {reason}", member.id)))?;
            let instance = member_instance(region, &database, &member.id);
            if region.databases[Kind::Instance]
                .insert(member.id.clone(), instance)
                .is_some()
            {
                return Err(wrong(place, format!("there is an instance {} already", member.id)));
            }
        }
        if region.databases[kind].insert(database.id.clone(), database).is_some() {
            return Err(wrong(place, "there is one of this id already"));
        }
        Ok(())
    }

    fn snapshot(
        &mut self,
        region_name: &str,
        place: &str,
        seed: &scenario::Snapshot,
        owner: Option<(Kind, &str)>,
    ) -> Result<()> {
        let times = Times { now: self.now };
        let region = &self.regions[region_name];
        let kind = kind_of_snapshot(place, owner.map(|(kind, _)| kind), seed.kind)?;
        let source_arn = seed.source_arn.as_deref().map(|arn| times.fill(arn)).transpose();
        let source_arn = source_arn.map_err(|reason| wrong(place, format!("sourceArn: {reason}")))?;
        let source = source_arn.as_deref().and_then(|arn| {
            let arn = RdsArn::parse(arn)?;
            self.regions.get(arn.region)?.snapshots[kind].get(arn.id)
        });
        let database = seed
            .database
            .as_deref()
            .or(owner.map(|(_, id)| id))
            .or(source.map(|source| source.database.as_str()))
            .ok_or_else(|| wrong(place, "database is missing, and there is no source to take it from"))?
            .to_ascii_lowercase();
        let mut model = self.model(region, kind, place, seed, &database, source)?;
        // A copy has the resource id of its source's database, though its source may have expired.
        let origin = source_arn.as_deref().and_then(RdsArn::parse);
        let origin = origin.and_then(|arn| self.regions.get(arn.region)?.databases[kind].get(&database));
        if let (None, Some(origin)) = (source, origin) {
            model.resource_id = Some(origin.resource_id.clone());
        }
        let created = match (seed.created_at, seed.age_hours) {
            (Some(_), Some(_)) => return Err(wrong(place, "either ageHours or createdAt")),
            (Some(at), None) => at,
            (None, age) => times
                .before(age.unwrap_or(0.0))
                .map_err(|reason| wrong(place, reason))?,
        };
        let (snapshot_type, mut id) = type_and_id(&times, place, seed, owner.is_some(), &database, created)?;
        let mut tags = model.tags.clone();
        tags.extend(fill_tags(&times, place, &seed.tags)?);
        let mut alias = None;
        if let Some(copy) = seed.copy_of {
            let name = naming::copy_id(&tags, copy.attempt).map_err(|reason| wrong(place, reason))?;
            alias = Some(std::mem::replace(&mut id, name));
        }
        if let Some(account) = &seed.account {
            id = foreign_id(region_name, kind, place, account, owner.is_some(), &id)?;
        }
        let original_created = match seed.original_age_hours {
            Some(age) => times.before(age).map_err(|reason| wrong(place, reason))?,
            None => source.and_then(|source| source.original_created).unwrap_or(created),
        };
        let database_time = match seed.database_time_age_hours {
            Some(age) => times.before(age).map_err(|reason| wrong(place, reason))?,
            None => source
                .and_then(|source| source.database_time)
                .unwrap_or(original_created),
        };
        let encryption = snapshot_encryption(region, place, seed, &model, source.is_some())?;
        let copies = seed.copies.or(&model.copies);
        check_copies(place, &copies)?;
        let across = source_arn
            .as_deref()
            .and_then(RdsArn::parse)
            .is_some_and(|arn| arn.region != region_name);
        let seconds = copies.duration_seconds.unwrap_or_else(|| duration(model.size_gib));
        let (status, percent, job) = work(place, seed, seconds, across)?;
        let snapshot = Snapshot {
            kind,
            id,
            alias,
            database,
            resource_id: seed.resource_id.clone().or(model.resource_id),
            snapshot_type,
            status,
            percent,
            created: Some(created),
            original_created: Some(original_created),
            engine: seed.engine.clone().unwrap_or(model.engine),
            engine_version: seed.engine_version.clone().unwrap_or(model.engine_version),
            allocated_storage: seed.allocated_storage.unwrap_or(model.allocated_storage),
            encryption,
            tags,
            source_arn,
            details: model.details.changed_by(seed),
            database_time: Some(database_time),
            full_size: seed.full_snapshot_size_bytes.unwrap_or(model.full_size),
            omits: model.omits.union(&seed.omits).cloned().collect(),
            copies,
            job,
            undeletable: seed.undeletable.clone(),
            listed_from: None,
            gone_at: None,
            ..model
        };
        let snapshots = &mut self.region_mut(region_name).snapshots[kind];
        if let Some(other) = snapshots.insert(snapshot.id.clone(), snapshot) {
            return Err(wrong(place, format!("there is a snapshot {} already", other.id)));
        }
        Ok(())
    }

    /// What a snapshot is like where it does not say so itself: like its source, else its database, else the default.
    fn model(
        &self,
        region: &Region,
        kind: Kind,
        place: &str,
        seed: &scenario::Snapshot,
        database: &str,
        source: Option<&Snapshot>,
    ) -> Result<Snapshot> {
        if let Some(source) = source {
            // Tags are copied only if they are asked for.
            return Ok(Snapshot {
                tags: Tags::new(),
                ..source.clone()
            });
        }
        if let Some(database) = region.databases[kind].get(database) {
            return Ok(taken_of(database));
        }
        let gone = scenario::Database {
            engine: seed.engine.clone(),
            ..scenario::Database::new(database)
        };
        let mut model = taken_of(&resolve_database(region, kind, place, &gone, self.now)?);
        // Nothing says which database of that name it was.
        model.resource_id = Some(hash::resource_id(
            prefix(kind),
            &["gone", &region.account, &region.name, database],
        ));
        Ok(model)
    }

    /// A global database has one writer at most.
    fn check_writers(&self) -> Result<()> {
        let mut writers: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for region in self.regions.values() {
            for cluster in region.databases[Kind::Cluster].values() {
                if let Some(global) = &cluster.global_cluster
                    && cluster.global_writer == Some(true)
                    && let Some(other) = writers.insert((partition(&region.name), global), &cluster.id)
                {
                    return Err(wrong(
                        &format!("regions.{} ({})", region.name, cluster.id),
                        format!("the global cluster {global} has the writer {other} already"),
                    ));
                }
            }
        }
        Ok(())
    }

    fn region_mut(&mut self, name: &str) -> &mut Region {
        let account = self.account;
        self.regions
            .entry(name.to_owned())
            .or_insert_with(|| Region::new(name, account))
    }
}

fn type_and_id(
    times: &Times,
    place: &str,
    seed: &scenario::Snapshot,
    under_database: bool,
    database: &str,
    created: Timestamp,
) -> Result<(String, String)> {
    let snapshot_type = match seed.snapshot_type.as_deref() {
        Some(said @ ("automated" | "manual" | "awsbackup")) => said,
        Some(said) => return Err(wrong(place, format!("type {said:?}: automated, manual or awsbackup"))),
        None if under_database && seed.id.is_none() => "automated",
        None => "manual",
    };
    let id = match &seed.id {
        Some(id) => times.fill(id).map_err(|reason| wrong(place, format!("id: {reason}")))?,
        None if snapshot_type == "automated" => format!("rds:{database}-{}", stamp(created)),
        None if snapshot_type == "awsbackup" => format!("awsbackup:job-{database}-{}", stamp(created)),
        None => return Err(wrong(place, "id is missing")),
    };
    let plain = id.strip_prefix("rds:").or_else(|| id.strip_prefix("awsbackup:"));
    if plain.is_none() != (snapshot_type == "manual") {
        return Err(wrong(
            place,
            format!(
                "{id:?} is not a name for a snapshot of type {snapshot_type}: those of RDS begin with rds: or awsbackup:"
            ),
        ));
    }
    // An automated name is longer than a name that one may give.
    identifier::check(plain.unwrap_or(&id), 255).map_err(|reason| wrong(place, format!("id {id:?}: {reason}")))?;
    Ok((snapshot_type.to_owned(), id.to_ascii_lowercase()))
}

fn snapshot_encryption(
    region: &Region,
    place: &str,
    seed: &scenario::Snapshot,
    model: &Snapshot,
    is_copy: bool,
) -> Result<Encryption> {
    if seed.kms_key.is_some() || seed.encrypted.is_some() || seed.storage_encryption_type.is_some() {
        return resolve_encryption(
            region,
            place,
            seed.encrypted,
            seed.kms_key.as_deref(),
            seed.storage_encryption_type.as_deref(),
        );
    }
    match &model.encryption {
        // The key of its source may be of another region.
        Encryption::Key(_) if is_copy => resolve_encryption(region, place, Some(true), None, None),
        other => Ok(other.clone()),
    }
}

/// Status, percentage, and what is still to be done. A status without a percentage stays as it is.
fn work(place: &str, seed: &scenario::Snapshot, seconds: f64, across: bool) -> Result<(String, u32, Option<Job>)> {
    if let Some(after) = seed.available_after_seconds {
        if !(after.is_finite() && after >= 0.0) || seed.percent.is_some() || seed.status.is_some() {
            return Err(wrong(
                place,
                "availableAfterSeconds must not be negative, and stands without status and percent",
            ));
        }
        return Ok(("creating".to_owned(), 0, Some(job_of(seed, after, 0, across))));
    }
    let percent = match (seed.percent, seed.status.as_deref()) {
        (Some(percent), _) if percent <= 100 => percent,
        (Some(_), _) => return Err(wrong(place, "percent: 0 to 100")),
        (None, Some("copying" | "creating" | "pending")) => 0,
        (None, _) => 100,
    };
    let status = match (&seed.status, percent) {
        (Some(status), _) => status.clone(),
        (None, 100) => "available".to_owned(),
        (None, _) => "copying".to_owned(),
    };
    if seed.percent.is_none_or(|percent| percent == 100) || !["copying", "creating", "pending"].contains(&&*status) {
        return Ok((status, percent, None));
    }
    Ok((status, percent, Some(job_of(seed, seconds, percent, across))))
}

/// The work behind a seeded snapshot that is not there yet.
fn job_of(seed: &scenario::Snapshot, seconds: f64, percent: u32, across: bool) -> Job {
    // Only what is said of this very copy: what its source's copies do is for new ones.
    let (ending, at) = match (seed.copies.fail_at_percent, seed.copies.vanish_at_percent) {
        (Some(at), _) => (Ending::Failed, at),
        (_, Some(at)) => (Ending::Vanished, at),
        _ => (Ending::Available, 100),
    };
    Job {
        seconds,
        done: seconds * f64::from(percent) / 100.0,
        stops_at: seconds * f64::from(at) / 100.0,
        ending,
        running: true,
        queue: None,
        takes_slot: across,
        becomes: seed.copies.becomes.clone(),
    }
}

/// The kind of a snapshot: that of the database that it stands under, or what it says.
fn kind_of_snapshot(place: &str, of_owner: Option<Kind>, said: Option<Kind>) -> Result<Kind> {
    match (of_owner, said) {
        (None, None) => Err(wrong(place, "kind is missing: instance or cluster")),
        (Some(kind), Some(said)) if kind != said => Err(wrong(place, "kind is not that of the database")),
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
    }
}

/// A snapshot of a database as it is taken: the caller sets what is its own (id, type, times, tags, job).
pub(crate) fn taken_of(database: &Database) -> Snapshot {
    Snapshot {
        kind: database.kind,
        id: String::new(),
        alias: None,
        database: database.id.clone(),
        resource_id: Some(database.resource_id.clone()),
        snapshot_type: "manual".to_owned(),
        status: "available".to_owned(),
        percent: 100,
        created: None,
        original_created: None,
        database_created: database.created,
        engine: database.engine.clone(),
        engine_version: database.engine_version.clone(),
        engine_mode: database.engine_mode.clone(),
        allocated_storage: database.allocated_storage,
        size_gib: database.size_gib,
        encryption: database.encryption.clone(),
        option_group: database.option_group.clone(),
        permanent_options: database.permanent_options.clone(),
        multi_az_cluster: database.kind == Kind::Cluster && ["mysql", "postgres"].contains(&database.engine.as_str()),
        tags: if database.own.copies_tags {
            database.tags.clone()
        } else {
            Tags::new()
        },
        database_tags: database.tags.clone(),
        source_arn: None,
        details: database.details.clone(),
        database_time: None,
        full_size: u64::from(database.size_gib) << 30,
        omits: database.omits.clone(),
        copies: database.copies.clone(),
        job: None,
        undeletable: None,
        listed_from: None,
        gone_at: None,
    }
}

/// Simulated seconds that a copy of this many GiB takes: two minutes to begin with, then about 170 MiB a second.
pub(crate) fn duration(size_gib: u32) -> f64 {
    120.0 + 6.0 * f64::from(size_gib)
}

/// Cuts a time to milliseconds, which is what RDS tells.
pub(crate) fn milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

fn wrong(place: &str, reason: impl Into<String>) -> ScenarioError {
    ScenarioError(format!("{place}: {}", reason.into()))
}

pub(crate) fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Instance => "db-",
        Kind::Cluster => "cluster-",
    }
}

fn add_offers(region: &mut Region, seed: &scenario::Region) {
    if let Some(offers) = &seed.offers {
        region.offers = Some(offers.clone());
    }
    if let Some(zones) = &seed.offer_zones {
        region.offer_zones = Some(zones.clone());
    }
    region.not_offered.extend(seed.not_offered.iter().cloned());
}

fn add_groups(region: &mut Region, place: &str, seed: &scenario::Region) -> Result<()> {
    for group in seed.subnet_groups.iter().flatten() {
        let name = group.name.to_ascii_lowercase();
        let groups = region.subnet_groups.get_or_insert_default();
        let named = scenario::SubnetGroup {
            name: name.clone(),
            ..group.clone()
        };
        if name.is_empty() || groups.insert(name, named).is_some() {
            return Err(wrong(
                place,
                format!("subnetGroups: {:?} is there already, or no name", group.name),
            ));
        }
    }
    // An empty list says that there are none.
    if seed.subnet_groups.is_some() {
        region.subnet_groups.get_or_insert_default();
    }
    if let Some(groups) = &seed.parameter_groups {
        region
            .parameter_groups
            .get_or_insert_default()
            .extend(groups.iter().cloned());
    }
    Ok(())
}

fn add_key(region: &mut Region, place: &str, seed: &scenario::Key) -> Result<()> {
    let arn = if seed.id.starts_with("arn:") {
        if !is_key_arn(&seed.id, &region.name) {
            return Err(wrong(
                place,
                format!("{} is not the ARN of a key in {}", seed.id, region.name),
            ));
        }
        seed.id.clone()
    } else {
        region.key_arn(&seed.id)
    };
    for alias in &seed.aliases {
        if !alias.starts_with("alias/") {
            return Err(wrong(place, format!("the alias {alias:?} does not begin with alias/")));
        }
        if region.keys.iter().any(|key| key.aliases.contains(alias)) {
            return Err(wrong(place, format!("the alias {alias:?} is that of another key")));
        }
    }
    if region.keys.iter().any(|key| key.arn == arn) {
        return Err(wrong(place, "there is a key of this id already"));
    }
    let state = match (seed.state.as_deref(), seed.enabled) {
        (Some("Enabled"), false) => return Err(wrong(place, "state and enabled contradict one another")),
        (Some(state), _) if KEY_STATES.contains(&state) => state,
        (Some(other), _) => {
            return Err(wrong(
                place,
                format!("state {other:?}: one of {}", KEY_STATES.join(", ")),
            ));
        }
        (None, true) => "Enabled",
        (None, false) => "Disabled",
    };
    let usage = seed.key_usage.as_deref().unwrap_or("ENCRYPT_DECRYPT");
    let usual_spec = match usage {
        "ENCRYPT_DECRYPT" => "SYMMETRIC_DEFAULT",
        "SIGN_VERIFY" => "ECC_NIST_P256",
        "GENERATE_VERIFY_MAC" => "HMAC_256",
        "KEY_AGREEMENT" => "ECC_NIST_P384",
        other => return Err(wrong(place, format!("keyUsage {other:?}: KMS has no such usage"))),
    };
    region.keys.push(Key {
        state: state.to_owned(),
        usage: usage.to_owned(),
        spec: seed.key_spec.clone().unwrap_or_else(|| usual_spec.to_owned()),
        locked: seed.locked_by_policy,
        ..Key::new(arn, seed.aliases.clone())
    });
    Ok(())
}

/// Whether it is the ARN of a key of this region, in any account.
fn is_key_arn(arn: &str, region: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", of, "kms", place, account, resource]
        if *of == partition(region) && *place == region && is_account(account) && resource.starts_with("key/"))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn add_option_group(region: &mut Region, place: &str, seed: &scenario::OptionGroup) -> Result<()> {
    identifier::check(&seed.name, 255).map_err(|reason| wrong(place, format!("name {:?}: {reason}", seed.name)))?;
    let name = seed.name.to_ascii_lowercase();
    if seed.engine.is_empty() {
        return Err(wrong(place, "engine is empty"));
    }
    if region.option_groups.contains_key(&name) {
        return Err(wrong(place, "there is an option group of this name already"));
    }
    let major = seed
        .major_engine_version
        .clone()
        .unwrap_or_else(|| option_groups::major_version(&seed.engine, current_version(&seed.engine)));
    let options = seed.options.iter().map(|option| GroupOption {
        persistent: option.persistent || option.permanent,
        ..option.clone()
    });
    let group = OptionGroup {
        name: name.clone(),
        engine: seed.engine.clone(),
        major_version: Some(major),
        options: options.collect(),
    };
    region.option_groups.insert(name, group);
    Ok(())
}

/// The option group of a database: the one that is there, or one that is made for it.
fn option_group_of(region: &Region, place: &str, database: &Database, name: &str) -> Result<OptionGroup> {
    let Some(group) = region.option_group(name) else {
        identifier::check(name, 255).map_err(|reason| wrong(place, format!("optionGroup {name:?}: {reason}")))?;
        let options = database.permanent_options.iter().map(|option| GroupOption {
            name: option.clone(),
            permanent: true,
            persistent: true,
        });
        return Ok(OptionGroup {
            name: name.to_owned(),
            engine: database.engine.clone(),
            major_version: Some(option_groups::major_version(&database.engine, &database.engine_version)),
            options: options.collect(),
        });
    };
    if group.engine != database.engine {
        return Err(wrong(
            place,
            format!(
                "the option group {name} is for {}, not for {}",
                group.engine, database.engine
            ),
        ));
    }
    let required = group.required_options();
    match database
        .permanent_options
        .iter()
        .find(|option| !required.contains(option))
    {
        Some(option) => Err(wrong(
            place,
            format!("the option group {name} does not hold {option} as a permanent option"),
        )),
        None => Ok(group),
    }
}

fn resolve_encryption(
    region: &Region,
    place: &str,
    encrypted: Option<bool>,
    key: Option<&str>,
    storage_encryption_type: Option<&str>,
) -> Result<Encryption> {
    let lookup = |key: &str| {
        region
            .key(key)
            .map(|key| Encryption::Key(key.arn.clone()))
            .ok_or_else(|| wrong(place, format!("the kmsKey {key} is not in kmsKeys of {}", region.name)))
    };
    match (storage_encryption_type, encrypted, key) {
        (Some("sse-rds"), None | Some(false), None) => Ok(Encryption::Service),
        (None | Some("none"), None | Some(false), None) => Ok(Encryption::None),
        (None | Some("sse-kms"), None | Some(true), Some(key)) => lookup(key),
        (None | Some("sse-kms"), Some(true), None) | (Some("sse-kms"), None, None) => lookup("alias/aws/rds"),
        (Some("none" | "sse-kms" | "sse-rds") | None, _, _) => Err(wrong(
            place,
            "encrypted, kmsKey and storageEncryptionType contradict one another",
        )),
        (Some(other), _, _) => Err(wrong(
            place,
            format!("storageEncryptionType {other:?}: none, sse-kms or sse-rds"),
        )),
    }
}

fn resolve_database(
    region: &Region,
    kind: Kind,
    place: &str,
    seed: &scenario::Database,
    now: Timestamp,
) -> Result<Database> {
    let times = Times { now };
    let id = seed.id.to_ascii_lowercase();
    let engine = seed.engine.clone().unwrap_or_else(|| {
        match kind {
            Kind::Instance => "postgres",
            Kind::Cluster => "aurora-postgresql",
        }
        .to_owned()
    });
    let encryption = resolve_encryption(
        region,
        place,
        seed.encrypted,
        seed.kms_key.as_deref(),
        seed.storage_encryption_type.as_deref(),
    )?;
    check_copies(place, &seed.copies)?;
    let engine_version = seed
        .engine_version
        .clone()
        .unwrap_or_else(|| current_version(&engine).to_owned());
    let aurora_like = kind == Kind::Cluster && !["mysql", "postgres"].contains(&engine.as_str());
    let allocated_storage = seed.allocated_storage.unwrap_or(if aurora_like { 1 } else { 100 });
    let members = match &seed.members {
        _ if kind == Kind::Instance => Vec::new(),
        None => vec![format!("{id}-1")],
        Some(Members::Count(count)) => (1..=*count).map(|number| format!("{id}-{number}")).collect(),
        Some(Members::Ids(ids)) => ids.iter().map(|id| id.to_ascii_lowercase()).collect(),
    };
    Ok(Database {
        kind,
        resource_id: seed
            .resource_id
            .clone()
            .unwrap_or_else(|| hash::resource_id(prefix(kind), &[&region.account, &region.name, &id])),
        engine_mode: (kind == Kind::Cluster)
            .then(|| seed.engine_mode.clone().unwrap_or_else(|| "provisioned".to_owned())),
        class: Some(seed.class.clone().unwrap_or_else(|| "db.r6g.large".to_owned())),
        status: seed.status.clone().unwrap_or_else(|| "available".to_owned()),
        created: times
            .before(seed.created_days_ago.unwrap_or(400.0) * 24.0)
            .map_err(|reason| wrong(place, reason))?,
        encryption,
        allocated_storage,
        size_gib: seed
            .size_gib
            .unwrap_or(if aurora_like { 100 } else { allocated_storage }),
        multi_az: seed.multi_az.unwrap_or(kind == Kind::Cluster && members.len() > 1),
        parameter_group: seed
            .parameter_group
            .clone()
            .unwrap_or_else(|| format!("default.{engine}")),
        option_group: (kind == Kind::Instance).then(|| match &seed.option_group {
            Some(name) => name.to_ascii_lowercase(),
            None if seed.permanent_options.is_empty() => option_groups::default_name(&engine, &engine_version),
            None => format!("{id}-options"),
        }),
        permanent_options: seed.permanent_options.clone(),
        global_cluster: seed.global_cluster.as_ref().map(|name| name.to_ascii_lowercase()),
        global_writer: seed.global_writer,
        scalability: seed.cluster_scalability_type.clone(),
        tags: fill_tags(&times, place, &seed.tags)?,
        cluster: None,
        members: members
            .into_iter()
            .enumerate()
            .map(|(index, id)| Member { id, writer: index == 0 })
            .collect(),
        details: Details::new(kind, &engine, seed),
        own: OwnDetails::new(seed),
        omits: seed.omits.clone(),
        copies: seed.copies.clone(),
        stages: VecDeque::new(),
        life: Life::default(),
        network: None,
        engine,
        engine_version,
        id,
    })
}

pub(crate) fn member_instance(region: &Region, cluster: &Database, id: &str) -> Database {
    Database {
        kind: Kind::Instance,
        id: id.to_owned(),
        resource_id: hash::resource_id("db-", &[&region.account, &region.name, id]),
        engine_mode: None,
        multi_az: false,
        option_group: Some(option_groups::default_name(&cluster.engine, &cluster.engine_version)),
        tags: Tags::new(),
        details: Details {
            storage_type: Some("aurora".to_owned()),
            ..cluster.details.clone()
        },
        own: OwnDetails::default(),
        life: Life::default(),
        cluster: Some(cluster.id.clone()),
        members: Vec::new(),
        ..cluster.clone()
    }
}

fn check_copies(place: &str, copies: &scenario::CopyBehaviour) -> Result<()> {
    if let Some(seconds) = copies.duration_seconds
        && !(seconds.is_finite() && seconds >= 0.0)
    {
        return Err(wrong(place, "copies.durationSeconds must not be negative"));
    }
    if copies.fail_at_percent.is_some() && copies.vanish_at_percent.is_some() {
        return Err(wrong(place, "copies: either failAtPercent or vanishAtPercent"));
    }
    for percent in [copies.fail_at_percent, copies.vanish_at_percent].into_iter().flatten() {
        if percent > 100 {
            return Err(wrong(place, "copies: a percentage is 0 to 100"));
        }
    }
    Ok(())
}

pub(crate) fn current_version(engine: &str) -> &'static str {
    match engine {
        "postgres" => "17.6",
        "mysql" => "8.4.6",
        "mariadb" => "11.8.3",
        "aurora-mysql" => "8.0.mysql_aurora.3.10.1",
        "aurora-postgresql" => "17.5",
        "neptune" => "1.4.6.0",
        "docdb" => "5.0.0",
        _ if engine.starts_with("db2") => "11.5.9.0.sb00063198.r1",
        _ if engine.contains("oracle") => "19.0.0.0.ru-2025-07.rur-2025-07.r1",
        _ if engine.contains("sqlserver") => "16.00.4215.2.v1",
        _ => "1.0",
    }
}

fn fill_tags(times: &Times, place: &str, tags: &Tags) -> Result<Tags> {
    tags.iter()
        .map(|(key, value)| {
            let value = times
                .fill(value)
                .map_err(|reason| wrong(place, format!("tags.{key}: {reason}")))?;
            Ok((key.clone(), value))
        })
        .collect()
}

/// The identifier of a snapshot of another account, which is its ARN.
fn foreign_id(region: &str, kind: Kind, place: &str, account: &str, has_owner: bool, id: &str) -> Result<String> {
    if has_owner || !is_account(account) {
        return Err(wrong(
            place,
            "account: twelve digits, of a snapshot that stands for itself",
        ));
    }
    Ok(Region::new(region, account).snapshot_arn(kind, id))
}

/// The minute of a time, as in the name of an automated snapshot.
pub(crate) fn stamp(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..16).unwrap_or(&text).replace(['T', ':'], "-")
}

struct Times {
    now: Timestamp,
}

impl Times {
    fn before(&self, hours: f64) -> std::result::Result<Timestamp, String> {
        SignedDuration::try_from_secs_f64(hours * 3600.0)
            .ok()
            .and_then(|age| self.now.checked_sub(age).ok())
            .map(milliseconds)
            .ok_or_else(|| format!("{hours} hours is no age"))
    }

    /// Replaces `{time:H}` and `{stamp:H}`.
    fn fill(&self, text: &str) -> std::result::Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            let end = rest[start..]
                .find('}')
                .map(|end| start + end)
                .ok_or_else(|| format!("{text:?}: a brace is open"))?;
            filled.push_str(&rest[..start]);
            let (name, hours) = rest[start + 1..end].split_once(':').unwrap_or_default();
            let time = hours
                .parse()
                .map_err(|_| ())
                .and_then(|hours| self.before(hours).map_err(|_| ()));
            match (name, time) {
                ("time", Ok(time)) => filled.push_str(&time.to_string()),
                ("stamp", Ok(time)) => filled.push_str(&stamp(time)),
                _ => {
                    return Err(format!(
                        "{text:?}: only {{time:HOURS}} and {{stamp:HOURS}} are filled in"
                    ));
                }
            }
            rest = &rest[end + 1..];
        }
        filled.push_str(rest);
        Ok(filled)
    }
}
