//! Subnet groups: how they are listed, and whether a database fits into one.

use std::borrow::Cow;

use crate::error::ApiError;
use crate::hash;
use crate::model::{Kind, Region};
use crate::network::{DEFAULT_GROUP, Network, vpc_of};
use crate::operations::describe::{filters, page, paged, require};
use crate::scenario::SubnetGroup;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

impl Simulator {
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
    let mut all: Vec<Cow<'_, SubnetGroup>> = listed.map(Cow::Borrowed).collect();
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
