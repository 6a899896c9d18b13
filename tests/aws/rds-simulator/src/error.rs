//! The errors of the API, spelled as AWS spells them.

use crate::model::Kind;

/// Why a call was refused, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// As many copies are in flight as the destination region allows.
    Slots,
    /// The quota of manual snapshots is used up.
    Quota,
    /// Too many requests.
    Throttled,
    /// The caller's policies do not allow it.
    Denied,
    /// Anything else: a wrong parameter, a missing snapshot, an injected error.
    Other,
}

/// An error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) refusal: Refusal,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            refusal: Refusal::Other,
        }
    }

    fn refused(self, refusal: Refusal) -> Self {
        Self { refusal, ..self }
    }

    /// This error as KMS spells it: it has other codes for what can happen to any call, and knows the status 400 only.
    pub(crate) fn for_kms(&self) -> Self {
        let code = match (self.refusal, self.code.as_str()) {
            (Refusal::Throttled, _) => "ThrottlingException",
            (Refusal::Denied, _) => "AccessDeniedException",
            (_, "MissingAuthenticationToken") => "MissingAuthenticationTokenException",
            (_, "SignatureDoesNotMatch") => "InvalidSignatureException",
            _ => return self.clone(),
        };
        Self {
            status: 400,
            code: code.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValue", message)
    }

    pub(crate) fn invalid_combination(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterCombination", message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            400,
            "MissingParameter",
            format!("The request must contain the parameter {parameter}."),
        )
    }

    pub(crate) fn throttled() -> Self {
        Self::new(400, "Throttling", "Rate exceeded").refused(Refusal::Throttled)
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message).refused(Refusal::Denied)
    }

    pub(crate) fn database_not_found(kind: Kind, id: &str) -> Self {
        match kind {
            Kind::Instance => Self::new(404, "DBInstanceNotFound", format!("DBInstance {id} not found.")),
            Kind::Cluster => Self::new(404, "DBClusterNotFoundFault", format!("DBCluster {id} not found.")),
        }
    }

    pub(crate) fn database_exists(kind: Kind, id: &str) -> Self {
        match kind {
            Kind::Instance => Self::new(400, "DBInstanceAlreadyExists", "DB instance already exists"),
            Kind::Cluster => Self::new(
                400,
                "DBClusterAlreadyExistsFault",
                format!("DB Cluster already exists: {id}"),
            ),
        }
    }

    pub(crate) fn snapshot_not_found(kind: Kind, id: &str) -> Self {
        match kind {
            Kind::Instance => Self::new(404, "DBSnapshotNotFound", format!("DBSnapshot {id} not found.")),
            Kind::Cluster => Self::new(
                404,
                "DBClusterSnapshotNotFoundFault",
                format!("DBClusterSnapshot {id} not found."),
            ),
        }
    }

    pub(crate) fn snapshot_exists(kind: Kind, id: &str) -> Self {
        let code = match kind {
            Kind::Instance => "DBSnapshotAlreadyExists",
            Kind::Cluster => "DBClusterSnapshotAlreadyExistsFault",
        };
        Self::new(
            400,
            code,
            format!("Cannot create the snapshot because a snapshot with the identifier {id} already exists."),
        )
    }

    pub(crate) fn backup_not_found(kind: Kind) -> Self {
        let code = match kind {
            Kind::Instance => "DBInstanceAutomatedBackupNotFound",
            Kind::Cluster => "DBClusterAutomatedBackupNotFoundFault",
        };
        Self::new(404, code, "There is no such automated backup.")
    }

    pub(crate) fn snapshot_state(kind: Kind, message: impl Into<String>) -> Self {
        let code = match kind {
            Kind::Instance => "InvalidDBSnapshotState",
            Kind::Cluster => "InvalidDBClusterSnapshotStateFault",
        };
        Self::new(400, code, message)
    }

    pub(crate) fn database_state(kind: Kind, message: impl Into<String>) -> Self {
        let code = match kind {
            Kind::Instance => "InvalidDBInstanceState",
            Kind::Cluster => "InvalidDBClusterStateFault",
        };
        Self::new(400, code, message)
    }

    /// The same code as [`ApiError::quota`], as in AWS: only the text tells them apart.
    pub(crate) fn slots(limit: u32) -> Self {
        Self::new(
            400,
            "SnapshotQuotaExceeded",
            format!("Cannot copy more than {limit} snapshots across regions"),
        )
        .refused(Refusal::Slots)
    }

    pub(crate) fn quota(limit: u32) -> Self {
        Self::new(
            400,
            "SnapshotQuotaExceeded",
            format!("Cannot create more than {limit} manual snapshots"),
        )
        .refused(Refusal::Quota)
    }

    pub(crate) fn subnet_group_not_found(name: &str) -> Self {
        Self::new(
            404,
            "DBSubnetGroupNotFoundFault",
            format!("DB subnet group '{name}' does not exist."),
        )
    }

    pub(crate) fn parameter_group_not_found(kind: Kind, name: &str) -> Self {
        let code = match kind {
            Kind::Instance => "DBParameterGroupNotFound",
            Kind::Cluster => "DBClusterParameterGroupNotFound",
        };
        Self::new(404, code, format!("DBParameterGroup not found: {name}"))
    }

    pub(crate) fn option_group_not_found(name: &str) -> Self {
        Self::new(
            404,
            "OptionGroupNotFoundFault",
            format!("Specified OptionGroupName: {name} not found."),
        )
    }

    pub(crate) fn global_cluster_not_found(name: &str) -> Self {
        Self::new(
            404,
            "GlobalClusterNotFoundFault",
            format!("Global cluster {name} not found."),
        )
    }

    pub(crate) fn source_key(key: &str) -> Self {
        Self::key(format!("The source snapshot KMS key [{key}]"))
    }

    pub(crate) fn target_key(key: &str) -> Self {
        Self::key(format!("The target KMS key [{key}]"))
    }

    fn key(which: String) -> Self {
        Self::new(
            400,
            "KMSKeyNotAccessibleFault",
            which + " does not exist, is not enabled or you do not have permissions to access it.",
        )
    }
}
