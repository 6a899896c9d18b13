//! Subnet groups: how they are listed, and whether a database fits into one.

use std::borrow::Cow;

use crate::authorization::Question;
use crate::error::ApiError;
use crate::hash;
use crate::model::{Kind, Region};
use crate::network::{DEFAULT_GROUP, MadeSubnetGroup, Network, vpc_of};
use crate::operations::describe::{filters, page, paged, require};
use crate::operations::tags;
use crate::scenario::SubnetGroup;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

impl Simulator {
    /// `CreateDBSubnetGroup`. Its subnets are taken to lie in one zone each, in order: there is no EC2 here to ask.
    pub(crate) fn create_subnet_group(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let request = call.request;
        let name = request.required("DBSubnetGroupName")?.to_ascii_lowercase();
        request.required("DBSubnetGroupDescription")?;
        let given = tags::checked(request)?;
        let subnets = request.list("SubnetIds", "SubnetIdentifier").len();
        let region = self.region(&request.region);
        let arn = region.arn("subgrp", &name);
        call.rights.require(&Question {
            request_tags: Some(&given),
            ..Question::new(&call.operation.action(), &arn, &region.name)
        })?;
        let is_there = region
            .subnet_groups
            .as_ref()
            .is_some_and(|groups| groups.contains_key(&name));
        if is_there || region.made_subnet_groups.contains_key(&name) {
            return Err(ApiError::new(
                400,
                "DBSubnetGroupAlreadyExists",
                format!("The DB subnet group '{name}' already exists."),
            ));
        }
        if subnets < 2 {
            return Err(ApiError::new(
                400,
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. \
                 Add subnets to cover at least 2 AZs.",
            ));
        }
        let zones = region.zones();
        let group = SubnetGroup::new(&name).zones(zones.iter().take(subnets).map(String::as_str));
        let mut xml = Xml::default();
        xml.element("CreateDBSubnetGroupResult", |xml| {
            xml.element("DBSubnetGroup", |xml| write_group(xml, region, &group));
        });
        region
            .made_subnet_groups
            .insert(name, MadeSubnetGroup { group, tags: given });
        Ok(xml)
    }

    /// `DeleteDBSubnetGroup`, of one that a call has made.
    pub(crate) fn delete_subnet_group(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let request = call.request;
        let name = request.required("DBSubnetGroupName")?.to_ascii_lowercase();
        let region = self.region(&request.region);
        let arn = region.arn("subgrp", &name);
        call.rights.require(&Question {
            resource_tags: region.made_subnet_groups.get(&name).map(|made| &made.tags),
            ..Question::new(&call.operation.action(), &arn, &region.name)
        })?;
        if !region.made_subnet_groups.contains_key(&name) {
            return Err(ApiError::subnet_group_not_found(&name));
        }
        let is_used = Kind::ALL
            .into_iter()
            .flat_map(|kind| region.databases[kind].values())
            .filter_map(|database| database.network.as_ref())
            .any(|network| network.subnet_group == name);
        if is_used {
            return Err(ApiError::new(
                400,
                "InvalidDBSubnetGroupStateFault",
                format!(
                    "Cannot delete the subnet group '{name}' because at least one database instance is still using it."
                ),
            ));
        }
        region.made_subnet_groups.remove(&name);
        Ok(Xml::default())
    }

    /// `DescribeDBSubnetGroups`. The group of the default VPC is listed when a database is in it, or when it is named.
    pub(crate) fn describe_subnet_groups(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let request = call.request;
        let region = &*self.region(&request.region);
        // Filters are in the model, which says that they are not supported.
        filters(request, &[])?;
        let name = request.get("DBSubnetGroupName").map(str::to_ascii_lowercase);
        require(call, &region.arn("subgrp", name.as_deref().unwrap_or("*")))?;
        let groups: Vec<Cow<'_, SubnetGroup>> = match &name {
            Some(name) => vec![
                region
                    .subnet_group(name)
                    .ok_or_else(|| ApiError::subnet_group_not_found(name))?,
            ],
            None => all_groups(region),
        };
        let (page, marker) = page(request, 100, groups.iter(), |group| &group.name)?;
        Ok(paged(
            "DescribeDBSubnetGroupsResult",
            marker,
            "DBSubnetGroups",
            "DBSubnetGroup",
            page,
            |xml, group| write_group(xml, region, group),
        ))
    }
}

fn all_groups(region: &Region) -> Vec<Cow<'_, SubnetGroup>> {
    let listed = region.subnet_groups.iter().flat_map(|groups| groups.values());
    let made = region.made_subnet_groups.values().map(|made| &made.group);
    let mut all: Vec<Cow<'_, SubnetGroup>> = listed.chain(made).map(Cow::Borrowed).collect();
    let is_used = Kind::ALL
        .into_iter()
        .flat_map(|kind| region.databases[kind].values())
        .filter_map(|database| database.network.as_ref())
        .any(|network| network.subnet_group == DEFAULT_GROUP);
    let is_listed = all.iter().any(|group| group.name == DEFAULT_GROUP);
    if is_used && !is_listed {
        all.extend(region.subnet_group(DEFAULT_GROUP));
    }
    all
}

/// The members of `DBSubnetGroup`.
pub(super) fn write_group(xml: &mut Xml, region: &Region, group: &SubnetGroup) {
    xml.value("DBSubnetGroupName", &group.name);
    xml.value("DBSubnetGroupDescription", &group.name);
    xml.value("VpcId", vpc_of(group));
    xml.value("SubnetGroupStatus", group.status.as_deref().unwrap_or("Complete"));
    xml.list("Subnets", "Subnet", region.zones_of(group), |xml, zone| {
        let number = hash::fnv1a(&[&group.name, &zone]);
        xml.value("SubnetIdentifier", format!("subnet-{number:032x}"));
        xml.element("SubnetAvailabilityZone", |xml| xml.value("Name", &zone));
        xml.value("SubnetStatus", "Active");
    });
    xml.value("DBSubnetGroupArn", region.arn("subgrp", &group.name));
}

/// Refuses a subnet group that is not there, or has no zone in which instances can be made.
pub(super) fn check_network(region: &Region, network: &Network) -> Result<(), ApiError> {
    let group = region
        .subnet_group(&network.subnet_group)
        .ok_or_else(|| ApiError::subnet_group_not_found(&network.subnet_group))?;
    let offered = region.offer_zones();
    if !region.zones_of(&group).iter().any(|zone| offered.contains(zone)) {
        return Err(ApiError::new(
            400,
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            format!(
                "DB Subnet Group {} does not cover an Availability Zone in which the instance class is offered: {}",
                group.name,
                offered.join(", ")
            ),
        ));
    }
    Ok(())
}
