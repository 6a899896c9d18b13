//! New members of clusters.

use crate::error::ApiError;
use crate::hash;
use crate::life::{Life, Stage};
use crate::model::{Database, Kind, Member, Tags};
use crate::network::{Network, asked_public};
use crate::operations::restore::MAX_IDENTIFIER;
use crate::operations::restore_checks::{check_class, check_parameter_group};
use crate::operations::restore_rights::{Wanted, authorize_use};
use crate::operations::tags;
use crate::option_groups;
use crate::seed::{member_instance, milliseconds};
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

impl Simulator {
    /// `CreateDBInstance` of a member of a cluster.
    pub(crate) fn create_member(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let request = call.request;
        let id = request.new_identifier("DBInstanceIdentifier", MAX_IDENTIFIER)?;
        let class = request.required("DBInstanceClass")?;
        let engine = request.required("Engine")?;
        let cluster_id = request.required("DBClusterIdentifier")?.to_ascii_lowercase();
        let given = tags::checked(request)?;
        self.region(&request.region);
        self.authorize_member(call, (&id, &given), (&cluster_id, engine))?;
        let (now, restores) = (self.clock, self.restores);
        let region = self.region(&request.region);
        if region.databases[Kind::Instance].contains_key(&id) {
            return Err(ApiError::database_exists(Kind::Instance, &id));
        }
        let cluster = region.databases[Kind::Cluster]
            .get(&cluster_id)
            .ok_or_else(|| ApiError::database_not_found(Kind::Cluster, &cluster_id))?;
        if cluster.status != "available" {
            return Err(ApiError::database_state(
                Kind::Cluster,
                format!("{cluster_id} is not in the available state: {}", cluster.status),
            ));
        }
        if engine != cluster.engine {
            return Err(ApiError::invalid_combination(format!(
                "The engine {engine} is not that of the cluster, {}.",
                cluster.engine
            )));
        }
        check_class(region, request)?;
        check_parameter_group(region, request, Kind::Instance)?;
        region.check_database_quota(Kind::Instance, 0)?;
        let network = match &cluster.network {
            Some(network) => Some(Network {
                is_public: asked_public(request)?.unwrap_or(network.is_public),
                ..network.clone()
            }),
            None => None,
        };
        let mut member = Database {
            class: Some(class.to_owned()),
            tags: given,
            created: milliseconds(now),
            network,
            ..member_instance(region, cluster, &id)
        };
        // A member of an earlier name is another one.
        member.resource_id = hash::resource_id("db-", &["created", &region.name, &id, &restores.to_string()]);
        let writer = cluster.members.is_empty();
        if let Some(cluster) = region.databases[Kind::Cluster].get_mut(&cluster_id) {
            cluster.members.push(Member { id: id.clone(), writer });
        }
        region.databases[Kind::Instance].insert(id.clone(), member);
        self.restores += 1;
        let fate = self.take_fate(&request.region, &id, None);
        let usual = self.settings.databases.member_seconds;
        let stages = vec![Stage::new("creating", fate.creating_seconds.unwrap_or(usual))];
        if let Some(member) = self.region(&request.region).databases[Kind::Instance].get_mut(&id) {
            member.life = Life {
                is_unreached: true,
                fate: fate.status,
                deleting_seconds: fate.deleting_seconds,
                ..Life::default()
            };
        }
        self.begin_bill(&request.region, Kind::Instance, &id);
        self.begin_work(&request.region, Kind::Instance, &id, stages);
        Ok(self.one_database(call, Kind::Instance, &id))
    }

    /// The action on a new member, on its groups and on its cluster, whose network it has.
    fn authorize_member(
        &self,
        call: &Call<'_>,
        (id, given): (&str, &Tags),
        (cluster_id, engine): (&str, &str),
    ) -> Result<(), ApiError> {
        let region = &self.regions[&call.request.region];
        let cluster = region.databases[Kind::Cluster].get(cluster_id);
        let asked = Network::from_request(call.request)?;
        let lower = |parameter| call.request.get(parameter).map(str::to_ascii_lowercase);
        let option_group = |cluster: &Database| option_groups::default_name(&cluster.engine, &cluster.engine_version);
        self.authorize_new(
            call,
            &Wanted {
                kind: Kind::Instance,
                id,
                tags: given,
                network: cluster.and_then(|cluster| cluster.network.as_ref()).unwrap_or(&asked),
                option_group: lower("OptionGroupName").or_else(|| cluster.map(option_group)),
                parameter_group: lower("DBParameterGroupName").or_else(|| Some(format!("default.{engine}"))),
            },
        )?;
        let arn = region.arn(Kind::Cluster.database_type(), cluster_id);
        authorize_use(call, &arn, cluster.map(|cluster| &cluster.tags), given)
    }
}
