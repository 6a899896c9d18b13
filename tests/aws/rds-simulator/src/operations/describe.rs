//! The describe calls: selectors, filters, pages.

use std::collections::{BTreeMap, BTreeSet};

use crate::authorization::Question;
use crate::error::ApiError;
use crate::hash;
use crate::model::{Database, Kind, RdsArn, Region, Snapshot, partition};
use crate::operations::write;
use crate::option_groups::OptionGroup;
use crate::request::Request;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// A filter: its name and the values that it lets through.
pub(super) type Filter = (String, Vec<String>);

/// Most records that a call gives at once.
const MAX_RECORDS: usize = 100;

impl Simulator {
    /// `DescribeDBInstances`, `DescribeDBClusters`.
    pub(crate) fn describe_databases(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let (parameter, known): (_, &[&str]) = match kind {
            Kind::Instance => (
                "DBInstanceIdentifier",
                &["db-cluster-id", "db-instance-id", "dbi-resource-id", "domain", "engine"],
            ),
            Kind::Cluster => (
                "DBClusterIdentifier",
                &[
                    "clone-group-id",
                    "db-cluster-id",
                    "db-cluster-resource-id",
                    "domain",
                    "engine",
                ],
            ),
        };
        let region = &*self.region(&request.region);
        let filters = filters(request, known)?;
        let id = request
            .get(parameter)
            .map(|identifier| named(region, kind.database_type(), identifier).to_ascii_lowercase());
        let resource = region.arn(kind.database_type(), id.as_deref().unwrap_or("*"));
        require(call, &resource)?;
        let list = &region.databases[kind];
        if let Some(id) = &id
            && !list.contains_key(id)
        {
            return Err(ApiError::database_not_found(kind, id));
        }
        let found = list
            .values()
            .filter(|database| id.as_ref().is_none_or(|id| database.id == *id))
            .filter(|database| filters.iter().all(|filter| database_passes(region, database, filter)));
        let (page, marker) = page(request, MAX_RECORDS, found, |database| &database.id)?;
        let (result, list, member) = match kind {
            Kind::Instance => ("DescribeDBInstancesResult", "DBInstances", "DBInstance"),
            Kind::Cluster => ("DescribeDBClustersResult", "DBClusters", "DBCluster"),
        };
        Ok(paged(result, marker, list, member, page, |xml, database| {
            write::database(xml, region, database);
        }))
    }

    /// `DescribeDBSnapshots`, `DescribeDBClusterSnapshots`.
    pub(crate) fn describe_snapshots(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let (by_database, by_id, by_resource_id, known): (_, _, _, &[&str]) = match kind {
            Kind::Instance => (
                "DBInstanceIdentifier",
                "DBSnapshotIdentifier",
                "DbiResourceId",
                &[
                    "db-instance-id",
                    "db-snapshot-id",
                    "dbi-resource-id",
                    "snapshot-type",
                    "engine",
                ],
            ),
            Kind::Cluster => (
                "DBClusterIdentifier",
                "DBClusterSnapshotIdentifier",
                "DbClusterResourceId",
                &["db-cluster-id", "db-cluster-snapshot-id", "snapshot-type", "engine"],
            ),
        };
        self.region(&request.region);
        let region = &self.regions[&request.region];
        let filters = filters(request, known)?;
        let snapshot_type = snapshot_type(request)?;
        let include_shared = request.boolean("IncludeShared")?;
        request.boolean("IncludePublic")?;
        let id = request
            .get(by_id)
            .map(|identifier| named(region, kind.snapshot_type(), identifier).to_ascii_lowercase());
        let by_arn = request.get(by_id).is_some_and(|id| id.starts_with("arn:"));
        let database = request
            .get(by_database)
            .map(|identifier| named(region, kind.database_type(), identifier).to_ascii_lowercase());
        if kind == Kind::Cluster && id.is_some() && database.is_some() {
            return Err(ApiError::invalid_combination(format!(
                "{by_database} and {by_id} cannot be used together."
            )));
        }
        require(call, &region.snapshot_arn(kind, id.as_deref().unwrap_or("*")))?;
        let resource_id = request.get(by_resource_id);
        // Whoever names snapshots gets them without a search through all of them: there may be tens of thousands.
        let by_name = filters.iter().find(|(name, _)| name.ends_with("-snapshot-id"));
        let candidates: Vec<&Snapshot> = match by_name {
            Some((_, ids)) => {
                let ids: BTreeSet<&String> = ids.iter().collect();
                ids.into_iter()
                    .filter_map(|id| region.snapshots[kind].get(id))
                    .collect()
            }
            None => region.snapshots[kind].values().collect(),
        };
        let found: Vec<&Snapshot> = candidates
            .into_iter()
            .filter(|snapshot| id.as_ref().is_none_or(|id| snapshot.id == *id))
            .filter(|snapshot| database.as_ref().is_none_or(|id| snapshot.database == *id))
            .filter(|snapshot| {
                resource_id.is_none_or(|id| {
                    snapshot.resource_id.as_deref() == Some(id) || self.settings.ignores_resource_id(&snapshot.engine)
                })
            })
            .filter(|snapshot| !snapshot.is_shared() || by_arn || include_shared || snapshot_type == Some("shared"))
            .filter(|snapshot| match snapshot_type {
                Some("shared") => snapshot.is_shared(),
                Some(wanted) => snapshot.snapshot_type == wanted,
                None if by_arn => true,
                // To find anything but a manual one by its name, the type must be given as well.
                None if id.is_some() => snapshot.snapshot_type == "manual",
                None => snapshot.snapshot_type != "awsbackup" || asks_for_type(&filters, "awsbackup"),
            })
            .filter(|snapshot| filters.iter().all(|filter| snapshot_passes(region, snapshot, filter)))
            .filter(|snapshot| !call.listing.misses(&snapshot.id))
            .filter(|snapshot| id.is_some() || snapshot.listed_from.is_none_or(|from| from <= self.clock))
            .collect();
        if let Some(id) = &id
            && found.is_empty()
        {
            return Err(ApiError::snapshot_not_found(kind, id));
        }
        let (mut page, marker) = page(request, MAX_RECORDS, found.into_iter(), |snapshot| &snapshot.id)?;
        let twice = page.clone().into_iter();
        page.extend(twice.filter(|snapshot| call.listing.repeats(&snapshot.id)));
        let (result, list, member) = match kind {
            Kind::Instance => ("DescribeDBSnapshotsResult", "DBSnapshots", "DBSnapshot"),
            Kind::Cluster => (
                "DescribeDBClusterSnapshotsResult",
                "DBClusterSnapshots",
                "DBClusterSnapshot",
            ),
        };
        Ok(paged(result, marker, list, member, page, |xml, snapshot| {
            write::snapshot(xml, &self.settings, region, snapshot);
        }))
    }

    /// `DescribeAccountAttributes`: the quotas that matter here, and a few beside them.
    pub(crate) fn describe_account_attributes(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        // It has no resource: only `Resource: "*"` allows it. No pattern with a region or account fits this.
        require(call, "arn:aws:rds:::*")?;
        let region = &*self.region(&call.request.region);
        let most = region.database_quota;
        let storage = usize::try_from(region.allocated_storage()).unwrap_or(usize::MAX);
        let quotas = [
            ("DBInstances", region.databases[Kind::Instance].len(), most.instances),
            ("ReservedDBInstances", 0, 40),
            ("AllocatedStorage", storage, most.allocated_storage_gib),
            ("DBSecurityGroups", 0, 25),
            ("DBParameterGroups", 1, 50),
            (
                "ManualSnapshots",
                region.manual_snapshots(Kind::Instance),
                region.quota[Kind::Instance],
            ),
            ("OptionGroups", region.option_groups.len(), 20),
            ("DBClusters", region.databases[Kind::Cluster].len(), most.clusters),
            (
                "ManualClusterSnapshots",
                region.manual_snapshots(Kind::Cluster),
                region.quota[Kind::Cluster],
            ),
        ];
        let mut xml = Xml::default();
        xml.element("DescribeAccountAttributesResult", |xml| {
            xml.list("AccountQuotas", "AccountQuota", quotas, |xml, (name, used, max)| {
                xml.value("AccountQuotaName", name);
                xml.value("Used", used);
                xml.value("Max", max);
            });
        });
        Ok(xml)
    }

    /// `DescribeOptionGroups`.
    pub(crate) fn describe_option_groups(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let request = call.request;
        let region = &*self.region(&request.region);
        // Filters are in the model, which says that they are not supported.
        filters(request, &[])?;
        let name = request.get("OptionGroupName").map(str::to_ascii_lowercase);
        let (engine, major) = (request.get("EngineName"), request.get("MajorEngineVersion"));
        if name.is_some() && (engine.is_some() || major.is_some()) {
            return Err(ApiError::invalid_combination(
                "OptionGroupName cannot be used together with EngineName or MajorEngineVersion.",
            ));
        }
        if major.is_some() && engine.is_none() {
            return Err(ApiError::invalid_combination(
                "EngineName must be specified when MajorEngineVersion is.",
            ));
        }
        require(call, &region.arn("og", name.as_deref().unwrap_or("*")))?;
        let groups = match &name {
            Some(name) => vec![
                region
                    .option_group(name)
                    .ok_or_else(|| ApiError::option_group_not_found(name))?,
            ],
            None => all_option_groups(region),
        };
        let found = groups
            .iter()
            .filter(|group| engine.is_none_or(|engine| group.engine == engine))
            .filter(|group| major.is_none_or(|major| group.major_version.as_deref() == Some(major)));
        let (page, marker) = page(request, MAX_RECORDS, found, |group| &group.name)?;
        Ok(paged(
            "DescribeOptionGroupsResult",
            marker,
            "OptionGroupsList",
            "OptionGroup",
            page,
            |xml, group| write::option_group(xml, region, group),
        ))
    }

    /// `DescribeGlobalClusters`: those of the partition, whichever of its regions is asked.
    pub(crate) fn describe_global_clusters(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let request = call.request;
        let filters = filters(request, &["region"])?;
        let name = request.get("GlobalClusterIdentifier").map(str::to_ascii_lowercase);
        let arn = |name: &str| {
            let partition = partition(&request.region);
            format!("arn:{partition}:rds::{}:global-cluster:{name}", self.account)
        };
        require(call, &arn(name.as_deref().unwrap_or("*")))?;
        let all = self.global_clusters(partition(&request.region));
        if let Some(name) = &name
            && !all.iter().any(|global| global.name == *name)
        {
            return Err(ApiError::global_cluster_not_found(name));
        }
        let found = all
            .iter()
            .filter(|global| name.as_ref().is_none_or(|name| global.name == *name))
            .filter(|global| {
                filters.iter().all(|(_, regions)| {
                    let mut members = global.members.iter();
                    members.any(|(region, _)| regions.contains(&region.name))
                })
            });
        let (page, marker) = page(request, MAX_RECORDS, found, |global| &global.name)?;
        Ok(paged(
            "DescribeGlobalClustersResult",
            marker,
            "GlobalClusters",
            "GlobalClusterMember",
            page,
            |xml, global| write::global_cluster(xml, &arn(&global.name), global),
        ))
    }

    fn global_clusters(&self, wanted: &str) -> Vec<GlobalCluster<'_>> {
        let mut all: BTreeMap<&String, Vec<(&Region, &Database)>> = BTreeMap::new();
        for region in self.regions.values().filter(|region| partition(&region.name) == wanted) {
            for cluster in region.databases[Kind::Cluster].values() {
                if let Some(name) = &cluster.global_cluster {
                    all.entry(name).or_default().push((region, cluster));
                }
            }
        }
        all.into_iter()
            .map(|(name, members)| GlobalCluster {
                name: name.clone(),
                writer: members
                    .iter()
                    .position(|(_, cluster)| cluster.global_writer == Some(true))
                    .or_else(|| members.iter().position(|(_, cluster)| cluster.global_writer.is_none())),
                members,
            })
            .collect()
    }
}

/// A global database and its clusters.
pub(crate) struct GlobalCluster<'a> {
    pub(crate) name: String,
    pub(crate) members: Vec<(&'a Region, &'a Database)>,
    /// Which of the members; none while one role is handed over, for example.
    pub(crate) writer: Option<usize>,
}

/// The option groups of a region: AWS makes a default one when it is first used.
fn all_option_groups(region: &Region) -> Vec<OptionGroup> {
    let used_by_databases = region.databases[Kind::Instance]
        .values()
        .map(|database| &database.option_group);
    let used_by_snapshots = region.snapshots[Kind::Instance]
        .values()
        .map(|snapshot| &snapshot.option_group);
    let mut all = region.option_groups.clone();
    for name in used_by_databases.chain(used_by_snapshots).flatten() {
        if let Some(group) = OptionGroup::implicit(name) {
            all.insert(name.clone(), group);
        }
    }
    all.into_values().collect()
}

pub(super) fn require(call: &Call<'_>, resource: &str) -> Result<(), ApiError> {
    call.rights
        .require(&Question::new(&call.operation.action(), resource, &call.request.region))
}

/// The id in an identifier that may be a name or an ARN; an ARN of something else is left as it is and found nowhere.
fn named<'a>(region: &Region, resource_type: &str, identifier: &'a str) -> &'a str {
    match RdsArn::parse(identifier) {
        Some(arn)
            if arn.region == region.name && arn.account == region.account && arn.resource_type == resource_type =>
        {
            arn.id
        }
        _ => identifier,
    }
}

fn snapshot_type(request: &Request) -> Result<Option<&str>, ApiError> {
    match request.get("SnapshotType") {
        None => Ok(None),
        // There are no public snapshots here.
        Some(wanted @ ("automated" | "manual" | "shared" | "public" | "awsbackup")) => Ok(Some(wanted)),
        Some(other) => Err(ApiError::invalid_value(format!("Invalid snapshot type: {other}"))),
    }
}

fn asks_for_type(filters: &[Filter], wanted: &str) -> bool {
    filters
        .iter()
        .any(|(name, values)| name == "snapshot-type" && values.iter().any(|value| value == wanted))
}

pub(super) fn filters(request: &Request, known: &[&str]) -> Result<Vec<Filter>, ApiError> {
    let filters = request.filters();
    for (name, values) in &filters {
        if !known.contains(&name.as_str()) {
            return Err(ApiError::invalid_value(format!("Unrecognized filter name: {name}")));
        }
        if values.is_empty() {
            return Err(ApiError::invalid_value(format!("The filter {name} has no values")));
        }
    }
    Ok(filters)
}

fn database_passes(region: &Region, database: &Database, (name, values): &Filter) -> bool {
    match name.as_str() {
        "db-instance-id" => contains(region, "db", values, &database.id),
        "db-cluster-id" => {
            let cluster = match database.kind {
                Kind::Instance => database.cluster.as_deref(),
                Kind::Cluster => Some(database.id.as_str()),
            };
            cluster.is_some_and(|cluster| contains(region, "cluster", values, cluster))
        }
        "dbi-resource-id" | "db-cluster-resource-id" => values.contains(&database.resource_id),
        "engine" => values.contains(&database.engine),
        // No database here is in a domain or a clone group.
        _ => false,
    }
}

fn snapshot_passes(region: &Region, snapshot: &Snapshot, (name, values): &Filter) -> bool {
    match name.as_str() {
        "db-instance-id" => contains(region, "db", values, &snapshot.database),
        "db-cluster-id" => contains(region, "cluster", values, &snapshot.database),
        "db-snapshot-id" | "db-cluster-snapshot-id" => values.contains(&snapshot.id),
        "dbi-resource-id" => snapshot.resource_id.as_ref().is_some_and(|id| values.contains(id)),
        "snapshot-type" => values.contains(&snapshot.snapshot_type),
        "engine" => values.contains(&snapshot.engine),
        _ => false,
    }
}

/// Whether a list of names and ARNs has this name; case matters.
fn contains(region: &Region, resource_type: &str, values: &[String], id: &str) -> bool {
    values.iter().any(|value| named(region, resource_type, value) == id)
}

/// Cuts a page out of what was found.
///
/// The order is arbitrary but fixed, as in AWS, where it is not documented: nobody shall rely on it. The marker is the
/// place in that order, so that nothing is listed twice and nothing is left out while others come and go.
pub(super) fn page<'a, T>(
    request: &Request,
    max: usize,
    found: impl Iterator<Item = &'a T>,
    id: impl Fn(&'a T) -> &'a String,
) -> Result<(Vec<&'a T>, Option<String>), ApiError> {
    let size = match request.get("MaxRecords") {
        None => 100,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (20..=max).contains(size))
            .ok_or_else(|| {
                ApiError::invalid_value(format!(
                    "Invalid value {text} for MaxRecords. Must be between 20 and {max}"
                ))
            })?,
    };
    let after = match request.get("Marker").filter(|marker| !marker.is_empty()) {
        None => None,
        Some(marker) => Some(
            marker
                .split_once('.')
                .filter(|(place, _)| place.len() == 32)
                .and_then(|(place, id)| Some((u128::from_str_radix(place, 16).ok()?, id)))
                .ok_or_else(|| ApiError::invalid_value("Invalid Marker"))?,
        ),
    };
    let mut placed: Vec<(u128, &str, &T)> = found
        .map(|item| {
            let id = id(item).as_str();
            (hash::fnv1a(&[id]), id, item)
        })
        .filter(|(place, id, _)| after.is_none_or(|after| (*place, *id) > after))
        .collect();
    placed.sort_by_key(|(place, id, _)| (*place, *id));
    let more = placed.len() > size;
    placed.truncate(size);
    let marker = placed
        .last()
        .filter(|_| more)
        .map(|(place, id, _)| format!("{place:032x}.{id}"));
    Ok((placed.into_iter().map(|(_, _, item)| item).collect(), marker))
}

pub(super) fn paged<T>(
    result: &str,
    marker: Option<String>,
    list: &str,
    member: &str,
    items: Vec<T>,
    write: impl FnMut(&mut Xml, T),
) -> Xml {
    let mut xml = Xml::default();
    xml.element(result, |xml| {
        xml.optional("Marker", marker);
        xml.list(list, member, items, write);
    });
    xml
}
