//! What a restore asks of its caller: a question for each resource that it needs, as `authorization` lists them.

use crate::authorization::Question;
use crate::error::ApiError;
use crate::model::{Key, Kind, Snapshot, Tags, domain};
use crate::network::{Network, asked_public};
use crate::operations::parameter_groups::parameter_group_type;
use crate::simulator::{Call, Simulator};

/// A database that a call wants to make.
pub(super) struct Wanted<'a> {
    pub(super) kind: Kind,
    pub(super) id: &'a str,
    pub(super) tags: &'a Tags,
    pub(super) network: &'a Network,
    pub(super) option_group: Option<String>,
    pub(super) parameter_group: Option<String>,
}

impl Simulator {
    /// Whether the caller may make a database of this name with these tags, of these groups.
    pub(super) fn authorize_new(&self, call: &Call<'_>, wanted: &Wanted<'_>) -> Result<(), ApiError> {
        let region = &self.regions[&call.request.region];
        let (action, name) = (call.operation.action(), region.name.as_str());
        let arn = region.arn(wanted.kind.database_type(), wanted.id);
        // AWS has no such key for clusters.
        let is_public = asked_public(call.request)?.filter(|_| wanted.kind == Kind::Instance);
        call.rights.require(&Question {
            request_tags: Some(wanted.tags),
            is_public,
            ..Question::new(&action, &arn, name)
        })?;
        let groups = [
            Some(("subgrp", wanted.network.subnet_group.as_str())),
            wanted.option_group.as_deref().map(|group| ("og", group)),
            wanted
                .parameter_group
                .as_deref()
                .map(|group| (parameter_group_type(wanted.kind), group)),
        ];
        for (resource_type, group) in groups.into_iter().flatten() {
            // Groups do not carry tags here.
            call.rights
                .require(&Question::new(&action, &region.arn(resource_type, group), name))?;
        }
        if wanted.tags.is_empty() {
            return Ok(());
        }
        call.rights.require(&Question {
            request_tags: Some(wanted.tags),
            explicit_tags: Some(true),
            ..Question::new("rds:AddTagsToResource", &arn, name)
        })
    }

    /// Whether the snapshot's key, and that which the call gives, can be used, and by this caller.
    pub(super) fn check_restore_keys(&self, call: &Call<'_>, snapshot: &Snapshot) -> Result<(), ApiError> {
        let region = &self.regions[&call.request.region];
        let service = format!("rds.{}.{}", region.name, domain(&region.name));
        let allows = |action: &str, key: &Key| {
            call.rights.allows(&Question {
                via: Some(&service),
                aliases: &key.aliases,
                ..Question::new(action, &key.arn, &region.name)
            })
        };
        let may_read = |key: &Key| {
            let (grant, decrypt) = (allows("kms:CreateGrant", key), allows("kms:Decrypt", key));
            if self.settings.databases.restore_needs_every_key_right {
                grant && decrypt
            } else {
                grant || decrypt
            }
        };
        if let Some(arn) = snapshot.encryption.key()
            && !region
                .key(arn)
                .is_some_and(|key| key.encrypts_snapshots() && allows("kms:DescribeKey", key) && may_read(key))
        {
            return Err(ApiError::target_key(arn));
        }
        if let Some(given) = call.request.get("KmsKeyId")
            && !region.key(given).is_some_and(|key| {
                key.encrypts_snapshots() && allows("kms:DescribeKey", key) && allows("kms:CreateGrant", key)
            })
        {
            return Err(ApiError::target_key(given));
        }
        Ok(())
    }
}

/// Whether the caller may restore the snapshot of this ARN, or create a member of the cluster of this ARN.
pub(super) fn authorize_use(call: &Call<'_>, arn: &str, of: Option<&Tags>, given: &Tags) -> Result<(), ApiError> {
    call.rights.require(&Question {
        request_tags: Some(given),
        resource_tags: of,
        ..Question::new(&call.operation.action(), arn, &call.request.region)
    })
}
