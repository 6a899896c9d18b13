//! What a region offers to the restore of a copy: every lookup once, however many copies need it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::{
    AccountQuota, DbClusterParameterGroup, DbParameterGroup, DbSubnetGroup, OptionGroup, OrderableDbInstanceOption,
};
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::quota::{AccountQuotas, Quota};
use domain::restorability::{
    ClassOffer, EngineVersion, Fact, KeyState, Offers, RegionFacts, RestoreNeeds, SubnetGroup,
};
use futures_util::{StreamExt, stream};

use crate::{Rds, codes};

/// Most lookups at a time: RDS throttles, and nobody waits for a report about hundreds of versions.
const MAX_LOOKUPS: usize = 8;

/// How many rows of an answer come at once. The most that the API allows is 10,000; of one engine and version there are
/// hundreds.
const MAX_RECORDS: i32 = 1000;

/// What to look up of a region.
#[derive(Debug, Clone, Copy)]
pub struct Questions<'a> {
    /// What the copies need.
    pub needs: &'a [RestoreNeeds],
    /// The DB subnet group that restored databases get, if that is known.
    pub subnet_group: Option<&'a str>,
}

impl Rds {
    /// Looks up what these copies need: each engine and version, each key, and each kind of group once. What is refused is
    /// a fact that is not known; nothing ends the others.
    ///
    /// `key` asks KMS about a key, by its ARN.
    pub async fn restore_facts(
        &self,
        questions: Questions<'_>,
        key: impl AsyncFn(&str) -> Fact<KeyState>,
    ) -> RegionFacts {
        let Questions { needs, subnet_group } = questions;
        let engines: BTreeSet<&EngineVersion> = needs
            .iter()
            .filter(|needs| needs.is_listed())
            .map(|needs| &needs.engine)
            .collect();
        let keys: BTreeSet<&str> = needs.iter().filter_map(|needs| needs.kms_key_arn.as_deref()).collect();
        let is_any = |is: &dyn Fn(&RestoreNeeds) -> bool| needs.iter().any(is);
        let of_kind = |needs: &RestoreNeeds, kind| needs.kind == kind && needs.parameter_group.is_some();
        let with_groups =
            is_any(&|needs| of_kind(needs, DatabaseKind::Instance) || needs.member_parameter_group.is_some());
        let with_cluster_groups = is_any(&|needs| of_kind(needs, DatabaseKind::Cluster));
        let with_options = is_any(&|needs| needs.option_group.is_some() || needs.source_option_group.is_some());

        let offers = stream::iter(engines).map(async |engine| (engine.clone(), fact(self.offers(engine).await)));
        let keys = stream::iter(keys).map(async |arn| (arn.to_owned(), key(arn).await));
        let mut facts = RegionFacts::new(self.region());
        let (offers, keys, quotas, option_groups, parameter_groups, cluster_groups, found) = tokio::join!(
            offers.buffer_unordered(MAX_LOOKUPS).collect::<BTreeMap<_, _>>(),
            keys.buffer_unordered(MAX_LOOKUPS).collect::<BTreeMap<_, _>>(),
            self.account_quotas(),
            asked(with_options, self.option_group_names()),
            asked(with_groups, self.parameter_groups()),
            asked(with_cluster_groups, self.cluster_parameter_groups()),
            async {
                let name = subnet_group?;
                Some((name.to_owned(), fact(self.subnet_group(name).await)))
            },
        );
        facts.offers = offers;
        facts.keys = keys;
        facts.quotas = fact(quotas);
        facts.option_groups = option_groups.unwrap_or(facts.option_groups);
        facts.parameter_groups = parameter_groups.unwrap_or(facts.parameter_groups);
        facts.cluster_parameter_groups = cluster_groups.unwrap_or(facts.cluster_parameter_groups);
        facts.subnet_group = found;
        facts
    }

    /// The classes on offer here for a version of an engine.
    pub async fn offers(&self, engine: &EngineVersion) -> Result<Offers, Error> {
        let mut rows = self
            .client
            .describe_orderable_db_instance_options()
            .engine(&engine.engine)
            .engine_version(&engine.version)
            .vpc(true)
            .max_records(MAX_RECORDS)
            .into_paginator()
            .items()
            .send();
        let mut offers = Offers::default();
        while let Some(row) = rows.next().await {
            add(&mut offers, engine, row.map_err(codes::error)?);
        }
        Ok(offers)
    }

    /// The quotas of the account in the region: manual snapshots, instances, clusters and storage, as far as RDS reports
    /// them.
    pub async fn account_quotas(&self) -> Result<AccountQuotas, Error> {
        let answer = self
            .client
            .describe_account_attributes()
            .send()
            .await
            .map_err(codes::error)?;
        Ok(quotas(answer.account_quotas()))
    }

    /// Names of the parameter groups of instances, in lower case.
    pub async fn parameter_groups(&self) -> Result<BTreeSet<String>, Error> {
        let call = self.client.describe_db_parameter_groups().max_records(100);
        let names: Vec<String> = collect_pages!(call, |group: DbParameterGroup| lower(group.db_parameter_group_name));
        Ok(names.into_iter().collect())
    }

    /// Names of the parameter groups of clusters, in lower case.
    pub async fn cluster_parameter_groups(&self) -> Result<BTreeSet<String>, Error> {
        let call = self.client.describe_db_cluster_parameter_groups().max_records(100);
        let name = |group: DbClusterParameterGroup| lower(group.db_cluster_parameter_group_name);
        let names: Vec<String> = collect_pages!(call, name);
        Ok(names.into_iter().collect())
    }

    /// Names of the option groups, in lower case.
    async fn option_group_names(&self) -> Result<BTreeSet<String>, Error> {
        let call = self.client.describe_option_groups().max_records(100);
        let names: Vec<String> = collect_pages!(call, |group: OptionGroup| lower(group.option_group_name));
        Ok(names.into_iter().collect())
    }

    /// The DB subnet group of this name, if there is one.
    pub async fn subnet_group(&self, name: &str) -> Result<Option<SubnetGroup>, Error> {
        let call = self.client.describe_db_subnet_groups().db_subnet_group_name(name);
        let mut groups = call.into_paginator().items().send();
        while let Some(group) = groups.next().await {
            match group.map_err(codes::error) {
                Ok(group) => {
                    let group = subnets(group).filter(|group| group.name.eq_ignore_ascii_case(name));
                    if group.is_some() {
                        return Ok(group);
                    }
                }
                Err(Error::RdsError { refusal }) if refusal.code == "DBSubnetGroupNotFoundFault" => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// What AWS said, where the lookup failed: nothing is tried again for a fact.
fn fact<T>(found: Result<T, Error>) -> Fact<T> {
    found.map_err(|error| error.said())
}

/// A lookup that is made only if something depends on it.
async fn asked<T>(is_needed: bool, lookup: impl Future<Output = Result<T, Error>>) -> Option<Fact<T>> {
    if is_needed { Some(fact(lookup.await)) } else { None }
}

fn lower(name: Option<String>) -> Option<String> {
    name.map(|name| name.to_ascii_lowercase())
}

/// Adds a row, if it is one that was asked for.
fn add(offers: &mut Offers, engine: &EngineVersion, row: OrderableDbInstanceOption) {
    let is_of = row.engine.as_ref() == Some(&engine.engine) && row.engine_version.as_ref() == Some(&engine.version);
    let Some(class) = row.db_instance_class.filter(|_| is_of) else {
        return;
    };
    let zones = row.availability_zones.unwrap_or_default().into_iter();
    let offer = ClassOffer {
        storage: row.storage_type.into_iter().collect(),
        licenses: row.license_model.into_iter().collect(),
        zones: zones.filter_map(|zone| zone.name).collect(),
        encrypts: row.supports_storage_encryption.unwrap_or_default(),
    };
    offers.add(&class, offer);
}

fn quotas(found: &[AccountQuota]) -> AccountQuotas {
    let quota = |name: &str| {
        let mut quotas = found.iter();
        let quota = quotas.find(|quota| quota.account_quota_name() == Some(name))?;
        Some(Quota {
            used: quota.used().unwrap_or_default(),
            max: quota.max().unwrap_or_default(),
        })
    };
    let of_kind = [
        (DatabaseKind::Instance, quota("ManualSnapshots")),
        (DatabaseKind::Cluster, quota("ManualClusterSnapshots")),
    ];
    let snapshots = of_kind.into_iter();
    AccountQuotas {
        snapshots: snapshots.filter_map(|(kind, quota)| Some((kind, quota?))).collect(),
        instances: quota("DBInstances"),
        clusters: quota("DBClusters"),
        storage_gib: quota("AllocatedStorage"),
    }
}

fn subnets(found: DbSubnetGroup) -> Option<SubnetGroup> {
    let subnets = found.subnets.unwrap_or_default().into_iter();
    let zones = subnets.filter_map(|subnet| subnet.subnet_availability_zone?.name);
    Some(SubnetGroup {
        name: found.db_subnet_group_name?,
        status: found.subnet_group_status.unwrap_or_default(),
        zones: zones.collect(),
        vpc: found.vpc_id,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::{AvailabilityZone, Subnet};

    use super::*;

    fn engine() -> EngineVersion {
        EngineVersion {
            engine: "postgres".to_owned(),
            version: "16.3".to_owned(),
        }
    }

    fn zone(name: &str) -> AvailabilityZone {
        AvailabilityZone::builder().name(name).build()
    }

    /// An API may ignore a parameter that it does not know, and answer with every version.
    #[test]
    fn only_rows_of_the_version_that_was_asked_for_count_and_each_class_once() {
        let row = |version: &str, storage: &str, at: &str| {
            OrderableDbInstanceOption::builder()
                .engine("postgres")
                .engine_version(version)
                .db_instance_class("db.r6g.large")
                .license_model("postgresql-license")
                .storage_type(storage)
                .supports_storage_encryption(true)
                .availability_zones(zone(at))
                .build()
        };
        let mut offers = Offers::default();
        for row in [
            row("16.3", "gp3", "eu-west-1a"),
            row("16.3", "io2", "eu-west-1b"),
            row("16.4", "io1", "eu-west-1c"),
        ] {
            add(&mut offers, &engine(), row);
        }
        assert_eq!(offers.iter().count(), 1);
        let offer = offers.get("db.r6g.large").expect("on offer");
        let all = [&offer.storage, &offer.licenses, &offer.zones].map(|set| set.iter().cloned().collect::<Vec<_>>());
        assert_eq!(
            all,
            [
                vec!["gp3", "io2"],
                vec!["postgresql-license"],
                vec!["eu-west-1a", "eu-west-1b"]
            ]
        );
        assert!(offer.encrypts);
    }

    #[test]
    fn a_quota_that_rds_does_not_report_is_none_and_not_one_of_nothing() {
        let quota = |name: &str, used, max| {
            AccountQuota::builder()
                .account_quota_name(name)
                .used(used)
                .max(max)
                .build()
        };
        let found = quotas(&[quota("DBInstances", 3, 40), quota("ManualSnapshots", 7, 100)]);
        assert_eq!(found.instances, Some(Quota { used: 3, max: 40 }));
        assert_eq!((found.clusters, found.storage_gib), (None, None));
        assert_eq!(
            found.snapshots,
            BTreeMap::from([(DatabaseKind::Instance, Quota { used: 7, max: 100 })])
        );
    }

    #[test]
    fn a_subnet_group_is_in_the_zones_of_its_subnets() {
        let subnet = |name| Subnet::builder().subnet_availability_zone(zone(name)).build();
        let found = DbSubnetGroup::builder()
            .db_subnet_group_name("private")
            .subnet_group_status("Complete")
            .vpc_id("vpc-1")
            .subnets(subnet("eu-west-1a"))
            .subnets(subnet("eu-west-1b"))
            .build();
        let group = subnets(found).expect("a group");
        assert_eq!(
            group.zones.into_iter().collect::<Vec<_>>(),
            ["eu-west-1a", "eu-west-1b"]
        );
        assert_eq!(
            (group.status.as_str(), group.vpc.as_deref()),
            ("Complete", Some("vpc-1"))
        );
    }
}
