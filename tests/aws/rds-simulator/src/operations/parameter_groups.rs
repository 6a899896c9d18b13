//! Parameter groups, by name.

use std::borrow::Cow;

use crate::error::ApiError;
use crate::model::{Kind, Region};
use crate::operations::describe::{filters, page, paged, require};
use crate::scenario::ParameterGroup;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

impl Simulator {
    /// `DescribeDBParameterGroups`, `DescribeDBClusterParameterGroups`: those that somebody made, and any default one when
    /// it is named.
    pub(crate) fn describe_parameter_groups(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let region = &*self.region(&request.region);
        filters(request, &[])?;
        let parameter = match kind {
            Kind::Instance => "DBParameterGroupName",
            Kind::Cluster => "DBClusterParameterGroupName",
        };
        let name = request.get(parameter).map(str::to_ascii_lowercase);
        require(
            call,
            &region.arn(parameter_group_type(kind), name.as_deref().unwrap_or("*")),
        )?;
        let groups: Vec<Cow<'_, ParameterGroup>> = match &name {
            // Of clusters too: the model has this code for both calls.
            Some(name) => vec![
                region
                    .parameter_group(kind, name)
                    .ok_or_else(|| ApiError::parameter_group_not_found(Kind::Instance, name))?,
            ],
            None => region
                .parameter_groups
                .iter()
                .flatten()
                .filter(|group| group.kind == kind)
                .map(Cow::Borrowed)
                .collect(),
        };
        let (page, marker) = page(request, 100, groups.iter(), |group| &group.name)?;
        let (result, list, member, arn) = match kind {
            Kind::Instance => (
                "DescribeDBParameterGroupsResult",
                "DBParameterGroups",
                "DBParameterGroup",
                "DBParameterGroupArn",
            ),
            Kind::Cluster => (
                "DescribeDBClusterParameterGroupsResult",
                "DBClusterParameterGroups",
                "DBClusterParameterGroup",
                "DBClusterParameterGroupArn",
            ),
        };
        Ok(paged(result, marker, list, member, page, |xml, group| {
            xml.value(parameter, &group.name);
            xml.value("DBParameterGroupFamily", &group.family);
            xml.value("Description", &group.name);
            xml.value(arn, region.arn(parameter_group_type(kind), &group.name));
        }))
    }
}

/// The resource type in an ARN.
pub(super) fn parameter_group_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Instance => "pg",
        Kind::Cluster => "cluster-pg",
    }
}

impl Region {
    /// A parameter group by name. In a region whose scenario lists none, any name is taken for one.
    pub(crate) fn parameter_group(&self, kind: Kind, name: &str) -> Option<Cow<'_, ParameterGroup>> {
        let implied = || {
            let family = name.strip_prefix("default.").unwrap_or("any");
            Cow::Owned(ParameterGroup::new(kind, name, family))
        };
        let Some(groups) = &self.parameter_groups else {
            return Some(implied());
        };
        groups
            .iter()
            .find(|group| group.kind == kind && group.name.eq_ignore_ascii_case(name))
            .map(Cow::Borrowed)
            .or_else(|| name.starts_with("default.").then(implied))
    }
}
