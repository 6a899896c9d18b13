//! Whether a copy could be restored in the region that it is in, as far as that is known without restoring it.
//!
//! What is not known is never counted as good: a lookup that was refused, or not made, gives [`Verdict::Unknown`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use crate::kind::DatabaseKind;
use crate::quota::{AccountQuotas, Demand, Quota, Resource};
use crate::restore_settings::{RestoreHints, RestoreSettings, Setting};
use crate::snapshot::{Encryption, Snapshot};

/// Most instances that a cluster may have (Aurora user guide, quotas).
pub const MAX_MEMBERS: u32 = 16;

/// Most classes that are named in the place of one that is not on offer.
const MAX_NAMED: usize = 8;

/// Longest word that is taken from a tag.
const MAX_WORD: usize = 255;

/// What a lookup gave, or why it gave nothing.
pub type Fact<T> = Result<T, String>;

/// Why a fact is not known that nobody looked up.
const NOT_ASKED: &str = "it was not looked up";

/// An engine in one of its versions, as RDS spells both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineVersion {
    /// Engine.
    pub engine: String,
    /// Version.
    pub version: String,
}

impl fmt::Display for EngineVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.engine, self.version)
    }
}

/// What the restore of a copy needs of its region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreNeeds {
    /// Of an instance or of a cluster.
    pub kind: DatabaseKind,
    /// The engine; its version is empty if neither RDS nor the tags say it.
    pub engine: EngineVersion,
    /// Licence model, if it is known.
    pub license: Option<String>,
    /// Class of the database, if the tags record it.
    pub class: Option<String>,
    /// Type of storage that an instance is restored with.
    pub storage: Option<String>,
    /// Storage of an instance in GiB.
    pub size_gib: Option<i32>,
    /// Number of instances that are made.
    pub members: u32,
    /// How the copy is encrypted.
    pub encryption: Encryption,
    /// The key that it is encrypted with, if it is one of the account's.
    pub kms_key_arn: Option<String>,
    /// Option group of the copy itself, unless it is a default one: one of this region.
    pub option_group: Option<String>,
    /// Option group that the database had, unless it is a default one. A copy without a group of its own can do without:
    /// RDS refuses the copy of what cannot.
    pub source_option_group: Option<String>,
    /// Parameter group that the database had, unless it is a default one; of a cluster its cluster parameter group.
    pub parameter_group: Option<String>,
    /// Parameter group of the members of a cluster, unless it is a default one.
    pub member_parameter_group: Option<String>,
}

impl RestoreNeeds {
    /// What a copy needs, by what RDS and its tags say of it. A tag counts only if it can be what it should be: anybody who
    /// may tag the copy can write into it, and its words end in sentences.
    #[must_use]
    pub fn new(copy: &Snapshot) -> Self {
        let hints = RestoreHints::read(&copy.tags);
        let settings = copy.settings.clone().or(RestoreSettings::read(&copy.tags).settings);
        let setting = |setting| word(settings.get(setting).map(str::to_owned));
        let of_rds = word(Some(copy.engine_version.clone()));
        let of_tag = word(hints.engine_version);
        // A restored instance has its snapshot's version, which modify-db-snapshot may have raised since. The restore of a
        // cluster is given the version of the database.
        let version = match copy.kind {
            DatabaseKind::Instance => of_rds.or(of_tag),
            DatabaseKind::Cluster => of_tag.or(of_rds),
        };
        let is_instance = copy.kind == DatabaseKind::Instance;
        let storage = setting(Setting::Storage).filter(|_| is_instance);
        Self {
            kind: copy.kind,
            engine: EngineVersion {
                engine: copy.engine.clone(),
                version: version.unwrap_or_default(),
            },
            license: setting(Setting::License).filter(|_| is_instance),
            class: word(hints.class),
            // Nothing is restored to magnetic storage since 1 July 2026.
            storage: storage.map(|storage| {
                if storage == "standard" {
                    "gp3".to_owned()
                } else {
                    storage
                }
            }),
            size_gib: copy.size_gib.filter(|_| is_instance),
            members: members(copy.kind, &settings, hints.multi_az == Some(true)),
            encryption: copy.encryption,
            kms_key_arn: copy.kms_key_arn.clone(),
            option_group: word(copy.option_group.clone()).filter(|group| is_instance && is_custom(group)),
            source_option_group: word(hints.option_group).filter(|group| is_instance && is_custom(group)),
            parameter_group: word(hints.parameter_group).filter(|group| is_custom(group)),
            member_parameter_group: setting(Setting::MemberParameterGroup).filter(|group| is_custom(group)),
        }
    }

    /// What it takes of the quotas.
    #[must_use]
    pub fn demand(&self) -> Demand {
        let (clusters, storage_gib) = match self.kind {
            DatabaseKind::Instance => (0, self.size_gib.map_or(0, i64::from)),
            DatabaseKind::Cluster => (1, 0),
        };
        Demand {
            instances: i64::from(self.members),
            clusters,
            storage_gib,
        }
    }

    /// Whether RDS lists what it offers for the engine: not for RDS Custom.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        let EngineVersion { engine, version } = &self.engine;
        !engine.is_empty() && !version.is_empty() && !engine.starts_with("custom-")
    }
}

/// How many instances are made: as many as there were, or else two if the cluster was Multi-AZ, otherwise one.
#[must_use]
pub fn members(kind: DatabaseKind, settings: &RestoreSettings, is_multi_az: bool) -> u32 {
    if kind == DatabaseKind::Instance {
        return 1;
    }
    let recorded = settings.get(Setting::Members).and_then(|members| members.parse().ok());
    let usual = if is_multi_az { 2 } else { 1 };
    recorded.unwrap_or(usual).clamp(1, MAX_MEMBERS)
}

/// Whether a parameter group or an option group was made by a person: those of AWS are there without being named.
#[must_use]
pub fn is_custom(group: &str) -> bool {
    !group.starts_with("default.") && !group.starts_with("default:")
}

/// A value that can be a version, a class, a group or a type of storage.
fn word(value: Option<String>) -> Option<String> {
    value.filter(|value| {
        let is_of_a_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-+".contains(&byte);
        (1..=MAX_WORD).contains(&value.len()) && value.bytes().all(is_of_a_word)
    })
}

/// What a class has in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassOffer {
    /// Types of storage.
    pub storage: BTreeSet<String>,
    /// Licence models.
    pub licenses: BTreeSet<String>,
    /// Availability zones.
    pub zones: BTreeSet<String>,
    /// Whether its storage can be encrypted.
    pub encrypts: bool,
}

/// The classes on offer for a version of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers(BTreeMap<String, ClassOffer>);

impl Offers {
    /// Adds what a row of the answer says of a class. There are several of each, with different storage.
    pub fn add(&mut self, class: &str, row: ClassOffer) {
        let offer = self.0.entry(class.to_owned()).or_default();
        offer.storage.extend(row.storage);
        offer.licenses.extend(row.licenses);
        offer.zones.extend(row.zones);
        offer.encrypts |= row.encrypts;
    }

    /// Whether there is none: the version is not on offer at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each class, and what it has.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ClassOffer)> {
        self.0.iter().map(|(class, offer)| (class.as_str(), offer))
    }

    /// What a class has, if it is on offer.
    #[must_use]
    pub fn get(&self, class: &str) -> Option<&ClassOffer> {
        self.0.get(class)
    }

    /// A few classes, those of the wanted one's size first, and how many more there are.
    #[must_use]
    pub fn names(&self, wanted: Option<&str>) -> String {
        let size = |class: &str| class.rsplit('.').next().unwrap_or_default().to_owned();
        let wanted = wanted.map(size);
        let mut classes: Vec<&str> = self.0.keys().map(String::as_str).collect();
        classes.sort_by_key(|class| wanted.as_deref() != Some(&size(class)));
        let more = classes.len().saturating_sub(MAX_NAMED);
        classes.truncate(MAX_NAMED);
        let classes = classes.join(", ");
        match more {
            0 => classes,
            _ => format!("{classes} and {more} more"),
        }
    }
}

/// Whether RDS could use a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// It could.
    Usable,
    /// There is no such key.
    Absent,
    /// It could not: `is Disabled`, `is for SIGN_VERIFY, not for encryption`.
    Unusable(String),
}

/// A DB subnet group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetGroup {
    /// Its name.
    pub name: String,
    /// `Complete`, if it can be used.
    pub status: String,
    /// Availability zones of its subnets.
    pub zones: BTreeSet<String>,
    /// The VPC.
    pub vpc: Option<String>,
}

/// What was looked up in a region. What is not here was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionFacts {
    /// Code of the region.
    pub region: String,
    /// What is on offer, by engine and version.
    pub offers: BTreeMap<EngineVersion, Fact<Offers>>,
    /// Keys, by ARN.
    pub keys: BTreeMap<String, Fact<KeyState>>,
    /// Quotas.
    pub quotas: Fact<AccountQuotas>,
    /// Names of the option groups that somebody made, in lower case.
    pub option_groups: Fact<BTreeSet<String>>,
    /// Names of the parameter groups of instances, in lower case.
    pub parameter_groups: Fact<BTreeSet<String>>,
    /// Names of the parameter groups of clusters, in lower case.
    pub cluster_parameter_groups: Fact<BTreeSet<String>>,
    /// The DB subnet group that restored databases get, if that is known: its name, and what there is of that name.
    pub subnet_group: Option<(String, Fact<Option<SubnetGroup>>)>,
}

impl RegionFacts {
    /// Nothing is known of the region yet.
    #[must_use]
    pub fn new(region: &str) -> Self {
        let not_asked = || Err(NOT_ASKED.to_owned());
        Self {
            region: region.to_owned(),
            offers: BTreeMap::new(),
            keys: BTreeMap::new(),
            quotas: Err(NOT_ASKED.to_owned()),
            option_groups: not_asked(),
            parameter_groups: not_asked(),
            cluster_parameter_groups: not_asked(),
            subnet_group: None,
        }
    }

    /// What is on offer for the engine of a copy, if that is known.
    #[must_use]
    pub fn offers_for(&self, needs: &RestoreNeeds) -> Option<&Offers> {
        self.offers.get(&needs.engine)?.as_ref().ok()
    }

    /// Whether a copy could be restored here.
    #[must_use]
    pub fn judge(&self, needs: &RestoreNeeds) -> Restorability {
        let mut judge = Judge {
            facts: self,
            needs,
            is_unknown: false,
            result: Restorability::default(),
        };
        judge.engine();
        judge.key();
        judge.option_group();
        judge.subnet_group();
        judge.quotas();
        judge.groups();
        judge.verdict()
    }

    /// What databases need of the quotas that is not there. The error says why that is not known.
    pub fn lacking(&self, demand: &Demand) -> Fact<Vec<Missing>> {
        let quotas = self.quotas.as_ref().map_err(Clone::clone)?;
        let mut lacking = Vec::new();
        for resource in Resource::ALL {
            let needed = resource.needed(demand);
            if needed == 0 {
                continue;
            }
            let quota = resource
                .quota(quotas)
                .ok_or_else(|| format!("RDS reports no quota of {resource}"))?;
            if needed > quota.free() {
                lacking.push(Missing::Quota {
                    resource,
                    quota,
                    needed,
                    region: self.region.clone(),
                });
            }
        }
        Ok(lacking)
    }
}

/// Whether a copy could be restored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Something that it needs is not there.
    No,
    /// Something that it needs could not be looked up.
    #[default]
    Unknown,
    /// Everything that can be looked up is there.
    Yes,
}

/// Whether a copy could be restored, and what is in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Restorability {
    /// The answer.
    pub verdict: Verdict,
    /// What is not there, and without which the copy cannot be restored as it is.
    pub missing: Vec<Missing>,
    /// What could not be looked up, and what is not there and can be done without.
    pub warnings: Vec<Warning>,
}

/// What is not there, and without which a copy cannot be restored as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "a field is what its name says, as the sentence shows it")]
pub enum Missing {
    /// No class is on offer for the version.
    EngineVersion { engine: EngineVersion, region: String },
    /// No class is on offer under the licence.
    License {
        engine: EngineVersion,
        license: String,
        region: String,
    },
    /// The copy is encrypted, and no class on offer can be.
    Encryption { engine: EngineVersion, region: String },
    /// RDS cannot use the key that the copy is encrypted with.
    Key { arn: String, state: KeyState },
    /// The option group of the copy.
    OptionGroup { name: String, region: String },
    /// The DB subnet group.
    SubnetGroup { name: String, region: String },
    /// The DB subnet group is there, and cannot be used.
    SubnetGroupState { name: String, status: String },
    /// No class on offer is in a zone of the DB subnet group.
    Zone { engine: EngineVersion, group: String },
    /// Room in a quota.
    Quota {
        resource: Resource,
        quota: Quota,
        needed: i64,
        region: String,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EngineVersion { engine, region } => {
                write!(
                    f,
                    "{engine} is not offered in {region}, so the copy cannot be restored there as it is."
                )
            }
            Self::License {
                engine,
                license,
                region,
            } => write!(
                f,
                "{engine} is not offered in {region} under the licence model {license}."
            ),
            Self::Encryption { engine, region } => write!(
                f,
                "The copy is encrypted, and no class that is offered for {engine} in {region} can be."
            ),
            Self::Key { arn, state } => match state {
                KeyState::Absent => write!(f, "The key of the copy does not exist: {arn}."),
                KeyState::Unusable(wrong) => write!(f, "The key of the copy cannot be used: {arn} {wrong}."),
                KeyState::Usable => write!(f, "The key of the copy cannot be used: {arn}."),
            },
            Self::OptionGroup { name, region } => {
                write!(
                    f,
                    "There is no option group {name} in {region}, which is the copy's own."
                )
            }
            Self::SubnetGroup { name, region } => write!(f, "There is no DB subnet group {name} in {region}."),
            Self::SubnetGroupState { name, status } => {
                write!(f, "The DB subnet group {name} cannot be used: it is {status}.")
            }
            Self::Zone { engine, group } => write!(
                f,
                "No class that is offered for {engine} is in a zone of the DB subnet group {group}."
            ),
            Self::Quota {
                resource,
                quota,
                needed,
                region,
            } => write!(
                f,
                "{region} has no room for {needed} more {resource}: its quota is {}, and {} are in use.",
                quota.max, quota.used
            ),
        }
    }
}

impl Serialize for Missing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Missing {
    /// What it is, in a word or two.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::EngineVersion { .. } => "engine version",
            Self::License { .. } => "licence model",
            Self::Encryption { .. } => "encryption",
            Self::Key { .. } => "key",
            Self::OptionGroup { .. } => "option group",
            Self::SubnetGroup { .. } | Self::SubnetGroupState { .. } | Self::Zone { .. } => "subnet group",
            Self::Quota { .. } => "quota",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::EngineVersion { engine, region } => format!(
                "`aws rds describe-db-engine-versions --region {region} --engine {}` lists the versions that are offered; an \
                 instance's copy can be upgraded to one of them by modify-db-snapshot.",
                engine.engine
            ),
            Self::License { .. } => "Restore it under another licence model.".to_owned(),
            Self::Encryption { .. } => {
                "Restore it in a version for which classes with encryption are offered.".to_owned()
            }
            Self::Key { state, .. } => match state {
                KeyState::Absent => "A key that is gone does not return: copy again under another one.".to_owned(),
                _ => "Enable the key, or cancel its deletion.".to_owned(),
            },
            Self::OptionGroup { .. } => "Create it, with the permanent options of the database.".to_owned(),
            Self::SubnetGroup { .. } | Self::SubnetGroupState { .. } => {
                "Create it, with subnets in two zones or more.".to_owned()
            }
            Self::Zone { .. } => "Add a subnet in another zone to it.".to_owned(),
            Self::Quota { .. } => {
                "Request a higher quota (Service Quotas: RDS), or delete databases that nobody needs.".to_owned()
            }
        }
    }
}

/// What could not be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// What is on offer for an engine.
    Offers(EngineVersion),
    /// A key, by its ARN.
    Key(String),
    /// The quotas.
    Quotas,
    /// An option group.
    OptionGroup(String),
    /// A parameter group.
    ParameterGroup(String),
    /// A DB subnet group.
    SubnetGroup(String),
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offers(engine) if engine.version.is_empty() => {
                write!(f, "Which version of {} the copy needs", engine.engine)
            }
            Self::Offers(engine) => write!(f, "Whether {engine} is offered"),
            Self::Key(arn) => write!(f, "Whether the key of the copy can be used ({arn})"),
            Self::Quotas => f.write_str("Whether the quotas have room"),
            Self::OptionGroup(name) => write!(f, "Whether there is an option group {name}"),
            Self::ParameterGroup(name) => write!(f, "Whether there is a parameter group {name}"),
            Self::SubnetGroup(name) => write!(f, "Whether the DB subnet group {name} can be used"),
        }
    }
}

/// What should be known before a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "a field is what its name says, as the sentence shows it")]
pub enum Warning {
    /// Something could not be looked up.
    Unknown {
        topic: Topic,
        region: String,
        reason: String,
    },
    /// The class of the database is not on offer; others are.
    Class {
        class: String,
        engine: EngineVersion,
        region: String,
        offered: String,
    },
    /// The class is on offer, and not with this type of storage.
    Storage {
        class: String,
        storage: String,
        region: String,
        offered: String,
    },
    /// The parameter group of the database.
    ParameterGroup { name: String, region: String },
    /// The option group of the database, which the copy can do without.
    OptionGroup { name: String, region: String },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { topic, region, reason } => {
                write!(f, "{topic} in {region} is not known: {}.", reason.trim_end_matches('.'))
            }
            Self::Class {
                class,
                engine,
                region,
                offered,
            } => write!(
                f,
                "{class} is not offered for {engine} in {region}; offered: {offered}."
            ),
            Self::Storage {
                class,
                storage,
                region,
                offered,
            } => write!(
                f,
                "{class} is not offered with {storage} storage in {region}; offered: {offered}."
            ),
            Self::ParameterGroup { name, region } => write!(
                f,
                "There is no parameter group {name} in {region}, which the database had; create it first, or its settings \
                 are the default ones."
            ),
            Self::OptionGroup { name, region } => write!(
                f,
                "There is no option group {name} in {region}, which the database had; create it first, for the VPC of the \
                 subnet group, or leave its options out."
            ),
        }
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A judgement that is being made.
struct Judge<'a> {
    facts: &'a RegionFacts,
    needs: &'a RestoreNeeds,
    /// Whether something that is needed is not known.
    is_unknown: bool,
    result: Restorability,
}

impl Judge<'_> {
    fn missing(&mut self, missing: Missing) {
        self.result.missing.push(missing);
    }

    /// Something that is needed is not known.
    fn unknown(&mut self, topic: Topic, reason: &str) {
        self.is_unknown = true;
        self.unsure(topic, reason);
    }

    /// Something that can be done without is not known.
    fn unsure(&mut self, topic: Topic, reason: &str) {
        self.result.warnings.push(Warning::Unknown {
            topic,
            region: self.facts.region.clone(),
            reason: reason.to_owned(),
        });
    }

    fn engine(&mut self) {
        let (facts, needs) = (self.facts, self.needs);
        let (engine, region) = (needs.engine.clone(), facts.region.clone());
        if engine.engine.starts_with("custom-") {
            return self.unknown(Topic::Offers(engine), "RDS does not list what it offers for RDS Custom");
        }
        if !needs.is_listed() {
            return self.unknown(Topic::Offers(engine), "neither RDS nor the tags of the copy name it");
        }
        let offers = match facts.offers.get(&engine) {
            Some(Ok(offers)) => offers,
            Some(Err(reason)) => return self.unknown(Topic::Offers(engine), reason),
            None => return self.unknown(Topic::Offers(engine), NOT_ASKED),
        };
        if offers.is_empty() {
            return self.missing(Missing::EngineVersion { engine, region });
        }
        let has_license = |offer: &ClassOffer, license: &String| {
            // A row that names no licence says nothing about it.
            offer.licenses.is_empty() || offer.licenses.contains(license)
        };
        if let Some(license) = &needs.license
            && !offers.iter().any(|(_, offer)| has_license(offer, license))
        {
            self.missing(Missing::License {
                engine: engine.clone(),
                license: license.clone(),
                region: region.clone(),
            });
        }
        if needs.encryption != Encryption::None && !offers.iter().any(|(_, offer)| offer.encrypts) {
            self.missing(Missing::Encryption {
                engine: engine.clone(),
                region: region.clone(),
            });
        }
        let Some(class) = &needs.class else { return };
        let Some(offer) = offers.get(class) else {
            self.result.warnings.push(Warning::Class {
                class: class.clone(),
                engine,
                region,
                offered: offers.names(Some(class)),
            });
            return;
        };
        if let Some(storage) = &needs.storage
            && !offer.storage.is_empty()
            && !offer.storage.contains(storage)
        {
            let offered: Vec<&str> = offer.storage.iter().map(String::as_str).collect();
            self.result.warnings.push(Warning::Storage {
                class: class.clone(),
                storage: storage.clone(),
                region,
                offered: offered.join(", "),
            });
        }
    }

    /// A key of AWS's own needs nothing; nor does no key.
    fn key(&mut self) {
        if self.needs.encryption != Encryption::Kms {
            return;
        }
        let Some(arn) = self.needs.kms_key_arn.clone() else {
            return self.unknown(Topic::Key(String::new()), "RDS does not name the key of the copy");
        };
        match self.facts.keys.get(&arn) {
            Some(Ok(KeyState::Usable)) => {}
            Some(Ok(state)) => self.missing(Missing::Key {
                arn,
                state: state.clone(),
            }),
            Some(Err(reason)) => self.unknown(Topic::Key(arn), reason),
            None => self.unknown(Topic::Key(arn), NOT_ASKED),
        }
    }

    fn option_group(&mut self) {
        let Some(name) = &self.needs.option_group else { return };
        match has(&self.facts.option_groups, name) {
            Ok(true) => {}
            Ok(false) => self.missing(Missing::OptionGroup {
                name: name.clone(),
                region: self.facts.region.clone(),
            }),
            Err(reason) => self.unknown(Topic::OptionGroup(name.clone()), reason),
        }
    }

    fn subnet_group(&mut self) {
        let Some((name, found)) = &self.facts.subnet_group else {
            return;
        };
        let name = name.clone();
        let group = match found {
            Ok(Some(group)) => group,
            Ok(None) => {
                return self.missing(Missing::SubnetGroup {
                    name,
                    region: self.facts.region.clone(),
                });
            }
            Err(reason) => return self.unknown(Topic::SubnetGroup(name), reason),
        };
        if group.status != "Complete" {
            self.missing(Missing::SubnetGroupState {
                name: name.clone(),
                status: group.status.clone(),
            });
        }
        let Some(offers) = self.facts.offers_for(self.needs) else {
            return;
        };
        // A row that names no zone says nothing about it.
        let is_there = |offer: &ClassOffer| offer.zones.is_empty() || !offer.zones.is_disjoint(&group.zones);
        if !offers.is_empty() && !offers.iter().any(|(_, offer)| is_there(offer)) {
            self.missing(Missing::Zone {
                engine: self.needs.engine.clone(),
                group: name,
            });
        }
    }

    fn quotas(&mut self) {
        if self.needs.kind == DatabaseKind::Instance && self.needs.size_gib.is_none() {
            self.unknown(Topic::Quotas, "RDS does not report the storage of the copy");
        }
        match self.facts.lacking(&self.needs.demand()) {
            Ok(lacking) => self.result.missing.extend(lacking),
            Err(reason) => self.unknown(Topic::Quotas, &reason),
        }
    }

    /// The groups that a database can do without.
    fn groups(&mut self) {
        let (facts, needs) = (self.facts, self.needs);
        let region = || facts.region.clone();
        let of_kind = match needs.kind {
            DatabaseKind::Instance => &facts.parameter_groups,
            DatabaseKind::Cluster => &facts.cluster_parameter_groups,
        };
        let groups = [
            (of_kind, &needs.parameter_group),
            (&facts.parameter_groups, &needs.member_parameter_group),
        ];
        for (known, name) in groups {
            let Some(name) = name.clone() else { continue };
            match has(known, &name) {
                Ok(true) => {}
                Ok(false) => {
                    let region = region();
                    self.result.warnings.push(Warning::ParameterGroup { name, region });
                }
                Err(reason) => self.unsure(Topic::ParameterGroup(name), reason),
            }
        }
        // The copy's own group goes before that of the database.
        let Some(name) = needs
            .source_option_group
            .clone()
            .filter(|_| needs.option_group.is_none())
        else {
            return;
        };
        match has(&facts.option_groups, &name) {
            Ok(true) => {}
            Ok(false) => {
                let region = region();
                self.result.warnings.push(Warning::OptionGroup { name, region });
            }
            Err(reason) => self.unsure(Topic::OptionGroup(name), reason),
        }
    }

    fn verdict(mut self) -> Restorability {
        self.result.verdict = match (self.result.missing.is_empty(), self.is_unknown) {
            (false, _) => Verdict::No,
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::Yes,
        };
        self.result
    }
}

/// Whether a group of this name is known, in any case: RDS stores their names in lower case.
fn has<'a>(known: &'a Fact<BTreeSet<String>>, name: &str) -> Result<bool, &'a str> {
    match known {
        Ok(names) => Ok(names.contains(&name.to_ascii_lowercase())),
        Err(reason) => Err(reason),
    }
}

#[cfg(test)]
mod tests;
