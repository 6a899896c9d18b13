//! Changed settings of databases.

use crate::authorization::Question;
use crate::error::ApiError;
use crate::life::{Stage, Timer};
use crate::model::Kind;
use crate::network::asked_public;
use crate::operations::restore::identifier_of;
use crate::operations::restore_checks::{check_retention, number, retention};
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

impl Simulator {
    /// `ModifyDBInstance`, `ModifyDBCluster`: the settings that the simulator reports.
    pub(crate) fn modify_database(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let request = call.request;
        let id = request.required(identifier_of(kind))?.to_ascii_lowercase();
        let name = request.region.as_str();
        let secret_seconds = self.settings.databases.secret_seconds;
        let region = self.region(name);
        let arn = region.arn(kind.database_type(), &id);
        let database = region.databases[kind].get_mut(&id);
        let manages_password = match request.get("ManageMasterUserPassword") {
            Some(_) => Some(request.boolean("ManageMasterUserPassword")?),
            None => None,
        };
        call.rights.require(&Question {
            manages_password,
            is_public: asked_public(request)?.filter(|_| kind == Kind::Instance),
            resource_tags: database.as_ref().map(|database| &database.tags),
            ..Question::new(&call.operation.action(), &arn, name)
        })?;
        let database = database.ok_or_else(|| ApiError::database_not_found(kind, &id))?;
        if database.status != "available" {
            return Err(ApiError::database_state(
                kind,
                format!("{id} is not in the available state: {}", database.status),
            ));
        }
        check_retention(request, kind)?;
        if let Some(days) = retention(request) {
            database.details.retention_days = days;
        }
        if request.get("DeletionProtection").is_some() {
            database.own.deletion_protection = request.boolean("DeletionProtection")?;
        }
        if let Some(most) = number(request, "MaxAllocatedStorage") {
            database.own.max_allocated_storage = Some(most);
        }
        if let Some(seconds) = number(request, "MonitoringInterval") {
            database.own.monitoring_interval = Some(seconds);
        }
        if let Some(managed) = manages_password {
            database.life.secret = managed.then(|| Timer::new(secret_seconds));
        }
        if let Some(network) = &mut database.network {
            network.change(request)?;
        }
        let stages = vec![Stage::new("modifying", self.settings.databases.change_seconds)];
        self.begin_work(&request.region, kind, &id, stages);
        Ok(self.one_database(call, kind, &id))
    }
}
