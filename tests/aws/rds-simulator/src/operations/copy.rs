//! `CopyDBSnapshot` and `CopyDBClusterSnapshot`: the rules of a copy.

use jiff::SignedDuration;

use crate::authorization::Question;
use crate::copying::AtWork;
use crate::error::ApiError;
use crate::identifier;
use crate::model::{Encryption, Ending, Job, Key, Kind, RdsArn, Region, Snapshot, Tags, domain, partition};
use crate::operations::{presigned, tags, write};
use crate::option_groups;
use crate::scenario::{Settings, SseRdsCopies};
use crate::seed::duration;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// What a copy is asked to be.
struct CopyRequest<'a> {
    kind: Kind,
    source_region: &'a str,
    source_id: String,
    source_arn: String,
    target_id: String,
    key: Option<&'a str>,
    tags: Tags,
    copy_tags: bool,
    option_group: Option<String>,
    copy_option_group: bool,
}

impl CopyRequest<'_> {
    fn needs_presigned_url(&self, source: &Snapshot, region: &str, docdb_too: bool) -> bool {
        let govcloud = partition(region) == "aws-us-gov" && source.encryption != Encryption::None;
        self.source_region != region && (govcloud || docdb_too && source.engine == "docdb")
    }
}

impl Simulator {
    /// Accepts a copy, or says why not. The checks are in the order in which AWS is believed to make them.
    pub(crate) fn copy_snapshot(&mut self, call: &Call<'_>, kind: Kind) -> Result<Xml, ApiError> {
        let region = call.request.region.as_str();
        let wish = self.wish(call, kind)?;
        self.region(region);
        self.region(wish.source_region);
        self.authorize_copy(call, &wish)?;

        let source = self.regions[wish.source_region].snapshots[kind]
            .get(&wish.source_id)
            .ok_or_else(|| ApiError::snapshot_not_found(kind, &wish.source_arn))?
            .clone();
        if source.status != "available" {
            return Err(ApiError::snapshot_state(
                kind,
                format!(
                    "Cannot copy the snapshot because it is not in the available state: {}",
                    source.status
                ),
            ));
        }
        let across = wish.source_region != region;
        refuse_unsupported(&source, across && partition(region) == "aws-cn")?;
        if self.regions[region].snapshots[kind].contains_key(&wish.target_id) {
            return Err(ApiError::snapshot_exists(kind, &wish.target_id));
        }
        let encryption = self.encryption(call, &wish, &source)?;
        if wish.needs_presigned_url(&source, region, self.settings.docdb_needs_presigned_url) {
            presigned::check(call.request, wish.source_region, self.clock)?;
        }
        if wish.copy_tags && wish.tags.is_empty() && source.tags.keys().any(|key| key.starts_with("aws:")) {
            return Err(ApiError::invalid_value(
                "Tag keys cannot start with the reserved prefix \"aws:\"",
            ));
        }
        check_option_group(&self.regions[region], &wish, &source)?;
        self.check_quota(region, kind)?;
        if across {
            let limit = self.regions[region].slots[kind];
            if self.copy_counters(region, kind).in_flight >= u64::from(limit) {
                return Err(ApiError::slots(limit));
            }
        }

        let copy = self.accept(region, &wish, source, encryption);
        if across {
            self.copy_counters(region, kind).started += 1;
            self.count_in_flight(region, kind);
        }
        self.at_work.push(AtWork {
            region: region.to_owned(),
            kind,
            id: wish.target_id.clone(),
        });
        self.region(region).snapshots[kind].insert(wish.target_id.clone(), copy);
        if !across {
            self.begin_queued();
        }
        // A copy from another region is reported as pending, and begins right after that.
        let region = &self.regions[region];
        Ok(one_snapshot(
            call.operation.name(),
            &self.settings,
            region,
            &region.snapshots[kind][&wish.target_id],
        ))
    }

    fn wish<'a>(&self, call: &Call<'a>, kind: Kind) -> Result<CopyRequest<'a>, ApiError> {
        let request = call.request;
        let (source_name, target_name) = match kind {
            Kind::Instance => ("SourceDBSnapshotIdentifier", "TargetDBSnapshotIdentifier"),
            Kind::Cluster => ("SourceDBClusterSnapshotIdentifier", "TargetDBClusterSnapshotIdentifier"),
        };
        let source = request.required(source_name)?;
        let target = request.required(target_name)?;
        identifier::check(target, kind.longest_snapshot_id()).map_err(|reason| {
            ApiError::invalid_value(format!(
                "The parameter {target_name} is not a valid identifier. {}{}.",
                reason[..1].to_ascii_uppercase(),
                &reason[1..]
            ))
        })?;
        let (source_region, source_id) = match RdsArn::parse(source) {
            Some(arn) if arn.resource_type != kind.snapshot_type() => {
                return Err(ApiError::invalid_value(format!("Invalid snapshot ARN: {source}")));
            }
            // A partition knows nothing of the others.
            Some(arn) if arn.partition != partition(arn.region) || arn.partition != partition(&request.region) => {
                return Err(ApiError::invalid_value(format!("Invalid snapshot ARN: {source}")));
            }
            // One that is shared with this account goes by its whole ARN; any other is not found.
            Some(arn) if arn.account != self.account => (arn.region, source),
            Some(arn) => (arn.region, arn.id),
            None if source.starts_with("arn:") => {
                return Err(ApiError::invalid_value(format!("Invalid snapshot ARN: {source}")));
            }
            None => (request.region.as_str(), source),
        };
        let source_id = source_id.to_ascii_lowercase();
        for (name, why) in [
            ("TargetCustomAvailabilityZone", "Outposts"),
            ("SnapshotAvailabilityZone", "local zones"),
        ] {
            if request.get(name).is_some() {
                return Err(ApiError::invalid_combination(format!(
                    "{name}: {why} are not simulated"
                )));
            }
        }
        Ok(CopyRequest {
            kind,
            source_arn: Region::new(source_region, &self.account).snapshot_arn(kind, &source_id),
            source_region,
            source_id,
            target_id: target.to_ascii_lowercase(),
            key: request.get("KmsKeyId").filter(|key| !key.is_empty()),
            tags: tags::checked(request)?,
            copy_tags: request.boolean("CopyTags")?,
            option_group: request
                .get("OptionGroupName")
                .filter(|name| !name.is_empty())
                .map(str::to_ascii_lowercase),
            copy_option_group: request.boolean("CopyOptionGroup")?,
        })
    }

    /// The action on source and target, and the tagging of the target. See `authorization` for what is a guess.
    fn authorize_copy(&self, call: &Call<'_>, wish: &CopyRequest<'_>) -> Result<(), ApiError> {
        let region = call.request.region.as_str();
        let action = call.operation.action();
        let target = self.regions[region].snapshot_arn(wish.kind, &wish.target_id);
        let source = self.regions[wish.source_region].snapshots[wish.kind].get(&wish.source_id);
        let source_tags = source.map(|source| &source.tags);
        call.rights.require(&Question {
            request_tags: Some(&wish.tags),
            ..Question::new(&action, &target, region)
        })?;
        let on_source = Question {
            request_tags: Some(&wish.tags),
            resource_tags: source_tags,
            ..Question::new(&action, &wish.source_arn, region)
        };
        call.rights.require(&on_source)?;
        if wish.source_region != region {
            let docdb_too = self.settings.docdb_needs_presigned_url;
            let is_presigned = source.is_some_and(|source| wish.needs_presigned_url(source, region, docdb_too));
            call.rights.require(&Question {
                region: wish.source_region,
                via: (!is_presigned).then_some("rds.amazonaws.com"),
                ..on_source
            })?;
        }
        let inherited = source_tags.filter(|tags| wish.copy_tags && wish.tags.is_empty() && !tags.is_empty());
        if !wish.tags.is_empty() || inherited.is_some() {
            call.rights.require(&Question {
                request_tags: Some(inherited.unwrap_or(&wish.tags)),
                explicit_tags: Some(inherited.is_none()),
                ..Question::new("rds:AddTagsToResource", &target, region)
            })?;
        }
        Ok(())
    }

    /// How the copy will be encrypted: the rules of keys, and whether the caller may use them.
    fn encryption(&self, call: &Call<'_>, wish: &CopyRequest<'_>, source: &Snapshot) -> Result<Encryption, ApiError> {
        let region = &self.regions[&call.request.region];
        let across = wish.source_region != region.name;
        let allows = |action: &str, key: &Key, region: &str| {
            let service = format!("rds.{region}.{}", domain(region));
            call.rights.allows(&Question {
                via: Some(&service),
                aliases: &key.aliases,
                ..Question::new(action, &key.arn, region)
            })
        };
        let source_key = source.encryption.key();
        if let Some(arn) = source_key {
            let home = &self.regions[wish.source_region];
            // An alias of the same region stands for the key that it had when the snapshot was made.
            let usable = home.key(arn).is_some_and(|key| {
                key.encrypts_snapshots()
                    && allows("kms:DescribeKey", key, &home.name)
                    && (allows("kms:CreateGrant", key, &home.name) || allows("kms:Decrypt", key, &home.name))
            });
            if !usable {
                return Err(ApiError::source_key(arn));
            }
        }
        let custom = source.engine.starts_with("custom-");
        let refuses_key = wish.kind == Kind::Cluster
            && match source.encryption {
                Encryption::None => true,
                Encryption::Key(_) => false,
                Encryption::Service => self.settings.sse_rds_copies == SseRdsCopies::RefusesKey,
            };
        let Some(wanted) = wish.key else {
            return match &source.encryption {
                Encryption::None if !custom => Ok(Encryption::None),
                same if !across || refuses_key => Ok(same.clone()),
                _ => Err(ApiError::invalid_value(
                    "Must specify new KMS key for cross region encrypted snapshot copy.",
                )),
            };
        };
        if refuses_key {
            return Err(ApiError::invalid_combination(
                "KmsKeyId cannot be specified when the DB cluster snapshot is not encrypted.",
            ));
        }
        match region.key(wanted) {
            Some(key)
                if key.encrypts_snapshots()
                    && allows("kms:DescribeKey", key, &region.name)
                    && allows("kms:CreateGrant", key, &region.name) =>
            {
                let is_ignored = wish.kind == Kind::Cluster
                    && source.encryption == Encryption::Service
                    && self.settings.sse_rds_copies == SseRdsCopies::IgnoresKey;
                Ok(if is_ignored {
                    Encryption::Service
                } else {
                    Encryption::Key(key.arn.clone())
                })
            }
            _ => Err(ApiError::target_key(wanted)),
        }
    }

    /// Refuses one manual snapshot more than the quota allows.
    pub(crate) fn check_quota(&self, region: &str, kind: Kind) -> Result<(), ApiError> {
        let region = &self.regions[region];
        let quota = region.quota[kind];
        if region.manual_snapshots(kind) >= quota as usize {
            return Err(ApiError::quota(quota));
        }
        Ok(())
    }

    fn accept(&mut self, region: &str, wish: &CopyRequest<'_>, source: Snapshot, encryption: Encryption) -> Snapshot {
        // Copies are counted by database, so that the first ones can fail whichever snapshot they are of.
        let database = self.regions[wish.source_region].arn(wish.kind.database_type(), &source.database);
        let nth = self.accepted.entry(database.clone()).or_default();
        *nth += 1;
        let misbehaves = source.copies.first_copies.is_none_or(|first| *nth <= first);
        let copies = source.copies.clone();
        let seconds = copies.duration_seconds.unwrap_or_else(|| duration(source.size_gib));
        let (ending, at) = match (copies.fail_at_percent, copies.vanish_at_percent) {
            (Some(percent), _) if misbehaves => (Ending::Failed, percent),
            (_, Some(percent)) if misbehaves => (Ending::Vanished, percent),
            _ => (Ending::Available, 100),
        };
        let queued = self.settings.queue_copies_of_one_instance && wish.kind == Kind::Instance;
        let tags = if wish.copy_tags && wish.tags.is_empty() {
            source.tags.clone()
        } else {
            wish.tags.clone()
        };
        Snapshot {
            id: wish.target_id.clone(),
            snapshot_type: "manual".to_owned(),
            status: "pending".to_owned(),
            percent: 0,
            created: None,
            // The copy of a copy still tells when the first of them was made.
            original_created: source.original_created,
            resource_id: source
                .resource_id
                .clone()
                .filter(|_| self.settings.resource_id_on_copies),
            encryption,
            option_group: match (&wish.option_group, wish.source_region == region) {
                (Some(name), _) => Some(name.clone()),
                (None, true) => source.option_group.clone(),
                (None, false) => source
                    .option_group
                    .as_ref()
                    .map(|_| option_groups::default_name(&source.engine, &source.engine_version)),
            },
            tags,
            source_arn: Some(wish.source_arn.clone()),
            undeletable: None,
            alias: None,
            listed_from: self
                .clock
                .checked_add(SignedDuration::from_secs(self.settings.listing_lag_seconds.into()))
                .ok(),
            copies: crate::scenario::CopyBehaviour::default(),
            job: Some(Job {
                seconds,
                done: 0.0,
                stops_at: seconds * f64::from(at) / 100.0,
                ending,
                running: false,
                queue: queued.then(|| {
                    let resource_id = source.resource_id.as_deref().unwrap_or_default();
                    format!("{database} {resource_id}")
                }),
                takes_slot: wish.source_region != region,
                becomes: copies.becomes.filter(|_| misbehaves),
            }),
            ..source
        }
    }
}

/// The option group of the copy must be there, fit, and hold what the source cannot be restored without.
fn check_option_group(region: &Region, wish: &CopyRequest<'_>, source: &Snapshot) -> Result<(), ApiError> {
    if wish.copy_option_group {
        return Err(ApiError::invalid_combination(
            "CopyOptionGroup can be used only for a copy to another account.",
        ));
    }
    let required = || {
        ApiError::invalid_value(format!(
            "The snapshot requires a target option group with the following options: [{}]",
            source.permanent_options.join(", ")
        ))
    };
    let Some(name) = &wish.option_group else {
        if wish.source_region != region.name && !source.permanent_options.is_empty() {
            return Err(required());
        }
        return Ok(());
    };
    if source.engine.starts_with("custom-") {
        return Err(ApiError::invalid_combination(
            "OptionGroupName cannot be specified for RDS Custom.",
        ));
    }
    let group = region
        .option_group(name)
        .ok_or_else(|| ApiError::option_group_not_found(name))?;
    if !group.fits(&source.engine, &source.engine_version) {
        return Err(ApiError::invalid_combination(format!(
            "The option group {name} is associated with another engine or another major version than the snapshot, \
             which is of {} {}.",
            source.engine, source.engine_version
        )));
    }
    if source.permanent_options.iter().any(|option| !group.holds(option)) {
        return Err(required());
    }
    Ok(())
}

fn refuse_unsupported(source: &Snapshot, between_chinese_regions: bool) -> Result<(), ApiError> {
    if between_chinese_regions && source.engine != "neptune" {
        return Err(ApiError::invalid_value(
            "Copying a snapshot between the China Regions is not supported.",
        ));
    }
    if source.multi_az_cluster {
        return Err(ApiError::invalid_value(
            "Copying a snapshot of a Multi-AZ DB cluster is not supported.",
        ));
    }
    if source.engine.starts_with("custom-") && !source.engine.starts_with("custom-sqlserver") {
        return Err(ApiError::invalid_value(
            "This command doesn't apply to RDS Custom for Oracle.",
        ));
    }
    Ok(())
}

/// `<XResult><DBSnapshot>…`.
pub(crate) fn one_snapshot(operation: &str, settings: &Settings, region: &Region, snapshot: &Snapshot) -> Xml {
    let member = match snapshot.kind {
        Kind::Instance => "DBSnapshot",
        Kind::Cluster => "DBClusterSnapshot",
    };
    let mut xml = Xml::default();
    xml.element(&format!("{operation}Result"), |xml| {
        xml.element(member, |xml| write::snapshot(xml, settings, region, snapshot));
    });
    xml
}
