//! Where a database stands: subnet groups, security groups, zones.

use std::borrow::Cow;

use crate::error::ApiError;
use crate::model::{Region, Tags};
use crate::request::Request;
use crate::scenario::SubnetGroup;

/// The subnet group of the default VPC, where a database lands when none is given.
pub(crate) const DEFAULT_GROUP: &str = "default";
const DEFAULT_VPC: &str = "vpc-default";
const DEFAULT_SECURITY_GROUP: &str = "sg-default";

/// A subnet group that a call has made.
#[derive(Clone, Debug)]
pub(crate) struct MadeSubnetGroup {
    pub(crate) group: SubnetGroup,
    pub(crate) tags: Tags,
}

/// The network of a database that a call has made.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) subnet_group: String,
    pub(crate) security_groups: Vec<String>,
    pub(crate) is_public: bool,
}

impl Network {
    /// What a request asks for. Without a subnet group it is the default VPC, where databases are public unless that is
    /// denied; elsewhere they are not unless it is asked for: the second half is a guess, for the default depends on the
    /// subnet group.
    pub(crate) fn from_request(request: &Request) -> Result<Self, ApiError> {
        let subnet_group = request
            .get("DBSubnetGroupName")
            .unwrap_or(DEFAULT_GROUP)
            .to_ascii_lowercase();
        let given = security_groups(request);
        Ok(Self {
            is_public: asked_public(request)?.unwrap_or(subnet_group == DEFAULT_GROUP),
            security_groups: if given.is_empty() {
                vec![DEFAULT_SECURITY_GROUP.to_owned()]
            } else {
                given
            },
            subnet_group,
        })
    }

    /// Takes over what a change asks for.
    pub(crate) fn change(&mut self, request: &Request) -> Result<(), ApiError> {
        if let Some(is_public) = asked_public(request)? {
            self.is_public = is_public;
        }
        let given = security_groups(request);
        if !given.is_empty() {
            self.security_groups = given;
        }
        Ok(())
    }
}

/// Whether the request says that a database is public, or that it is not.
pub(crate) fn asked_public(request: &Request) -> Result<Option<bool>, ApiError> {
    let given = request.get("PubliclyAccessible").is_some();
    given.then(|| request.boolean("PubliclyAccessible")).transpose()
}

fn security_groups(request: &Request) -> Vec<String> {
    request
        .list("VpcSecurityGroupIds", "VpcSecurityGroupId")
        .iter()
        .filter_map(|item| item.get("").map(|id| (*id).to_owned()))
        .collect()
}

impl Region {
    /// Its zones.
    pub(crate) fn zones(&self) -> Vec<String> {
        ["a", "b", "c"].map(|zone| format!("{}{zone}", self.name)).to_vec()
    }

    /// The zones in which instances can be made.
    pub(crate) fn offer_zones(&self) -> Vec<String> {
        self.offer_zones.clone().unwrap_or_else(|| self.zones())
    }

    /// A subnet group by name: that of the default VPC is always there, and in a region whose scenario lists none any
    /// name is taken for one.
    pub(crate) fn subnet_group(&self, name: &str) -> Option<Cow<'_, SubnetGroup>> {
        if let Some(made) = self.made_subnet_groups.get(name) {
            return Some(Cow::Borrowed(&made.group));
        }
        match &self.subnet_groups {
            Some(groups) if groups.contains_key(name) => groups.get(name).map(Cow::Borrowed),
            Some(_) if name != DEFAULT_GROUP => None,
            _ => Some(Cow::Owned(SubnetGroup::new(name))),
        }
    }

    /// The zones of a subnet group.
    pub(crate) fn zones_of(&self, group: &SubnetGroup) -> Vec<String> {
        group.availability_zones.clone().unwrap_or_else(|| self.zones())
    }
}

/// The VPC of a subnet group.
pub(crate) fn vpc_of(group: &SubnetGroup) -> &str {
    group.vpc.as_deref().unwrap_or(DEFAULT_VPC)
}
