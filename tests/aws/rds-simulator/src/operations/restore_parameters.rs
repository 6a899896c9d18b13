//! What the calls of a restore take, as the service model of RDS has it.

/// The parameters of `RestoreDBInstanceFromDBSnapshot`; lists and structures end in a dot.
#[rustfmt::skip]
pub(super) const INSTANCE_RESTORE: &[&str] = &[
    "AdditionalStorageVolumes.", "AllocatedStorage", "AutoMinorVersionUpgrade", "AvailabilityZone",
    "BackupRetentionPeriod", "BackupTarget", "CACertificateIdentifier", "CopyTagsToSnapshot",
    "CustomIamInstanceProfile", "DBClusterSnapshotIdentifier", "DBInstanceClass", "DBInstanceIdentifier", "DBName",
    "DBParameterGroupName", "DBSnapshotIdentifier", "DBSubnetGroupName", "DedicatedLogVolume", "DeletionProtection",
    "Domain", "DomainAuthSecretArn", "DomainDnsIps.", "DomainFqdn", "DomainIAMRoleName", "DomainOu",
    "EnableCloudwatchLogsExports.", "EnableCustomerOwnedIp", "EnableIAMDatabaseAuthentication", "Engine",
    "EngineLifecycleSupport", "Iops", "LicenseModel", "ManageMasterUserPassword", "MasterUserSecretKmsKeyId",
    "MultiAZ", "NetworkType", "OptionGroupName", "Port", "PreferredBackupWindow", "ProcessorFeatures.",
    "PubliclyAccessible", "StorageThroughput", "StorageType", "TagSpecifications.", "Tags.", "TdeCredentialArn",
    "TdeCredentialPassword", "UseDefaultProcessorFeatures", "VpcSecurityGroupIds.",
];

/// The parameters of `RestoreDBClusterFromSnapshot`; lists and structures end in a dot.
#[rustfmt::skip]
pub(super) const CLUSTER_RESTORE: &[&str] = &[
    "AssociatedRoles.", "AvailabilityZones.", "BacktrackWindow", "BackupRetentionPeriod", "CopyTagsToSnapshot",
    "DBClusterIdentifier", "DBClusterInstanceClass", "DBClusterParameterGroupName", "DBSubnetGroupName",
    "DatabaseName", "DeletionProtection", "Domain", "DomainIAMRoleName", "EnableCloudwatchLogsExports.",
    "EnableIAMDatabaseAuthentication", "EnableInternetAccessGateway", "EnablePerformanceInsights",
    "EnableVPCNetworking", "Engine", "EngineLifecycleSupport", "EngineMode", "EngineVersion", "Iops", "KmsKeyId",
    "MonitoringInterval", "MonitoringRoleArn", "NetworkType", "OptionGroupName", "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod", "Port", "PreferredBackupWindow", "PubliclyAccessible",
    "RdsCustomClusterConfiguration.", "ScalingConfiguration.", "ServerlessV2ScalingConfiguration.",
    "SnapshotIdentifier", "StorageType", "TagSpecifications.", "Tags.", "VpcSecurityGroupIds.",
];

/// The parameters of `CreateDBInstance`; lists and structures end in a dot.
#[rustfmt::skip]
pub(super) const MEMBER: &[&str] = &[
    "AdditionalStorageVolumes.", "AllocatedStorage", "AutoMinorVersionUpgrade", "AvailabilityZone",
    "BackupRetentionPeriod", "BackupTarget", "CACertificateIdentifier", "CharacterSetName", "CopyTagsToSnapshot",
    "CustomIamInstanceProfile", "DBClusterIdentifier", "DBInstanceClass", "DBInstanceIdentifier", "DBName",
    "DBParameterGroupName", "DBSecurityGroups.", "DBSubnetGroupName", "DBSystemId", "DatabaseInsightsMode",
    "DedicatedLogVolume", "DeletionProtection", "Domain", "DomainAuthSecretArn", "DomainDnsIps.", "DomainFqdn",
    "DomainIAMRoleName", "DomainOu", "EnableCloudwatchLogsExports.", "EnableCustomerOwnedIp",
    "EnableIAMDatabaseAuthentication", "EnablePerformanceInsights", "Engine", "EngineLifecycleSupport",
    "EngineVersion", "Iops", "KmsKeyId", "LicenseModel", "ManageMasterUserPassword", "MasterUserAuthenticationType",
    "MasterUserPassword", "MasterUserSecretKmsKeyId", "MasterUsername", "MaxAllocatedStorage", "MonitoringInterval",
    "MonitoringRoleArn", "MultiAZ", "MultiTenant", "NcharCharacterSetName", "NetworkType", "OptionGroupName",
    "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod", "Port", "PreferredBackupWindow",
    "PreferredMaintenanceWindow", "ProcessorFeatures.", "PromotionTier", "PubliclyAccessible", "StorageEncrypted",
    "StorageThroughput", "StorageType", "TagSpecifications.", "Tags.", "TdeCredentialArn", "TdeCredentialPassword",
    "Timezone", "VpcSecurityGroupIds.",
];

/// The parameters of `ModifyDBInstance`; lists and structures end in a dot.
#[rustfmt::skip]
pub(super) const INSTANCE_CHANGE: &[&str] = &[
    "AdditionalStorageVolumes.", "AllocatedStorage", "AllowMajorVersionUpgrade", "ApplyImmediately",
    "AutoMinorVersionUpgrade", "AutomationMode", "AwsBackupRecoveryPointArn", "BackupRetentionPeriod",
    "CACertificateIdentifier", "CertificateRotationRestart", "CloudwatchLogsExportConfiguration.",
    "CopyTagsToSnapshot", "DBInstanceClass", "DBInstanceIdentifier", "DBParameterGroupName", "DBPortNumber",
    "DBSecurityGroups.", "DBSubnetGroupName", "DatabaseInsightsMode", "DedicatedLogVolume", "DeletionProtection",
    "DisableDomain", "Domain", "DomainAuthSecretArn", "DomainDnsIps.", "DomainFqdn", "DomainIAMRoleName",
    "DomainOu", "EnableCustomerOwnedIp", "EnableIAMDatabaseAuthentication", "EnablePerformanceInsights", "Engine",
    "EngineLifecycleSupport", "EngineVersion", "Iops", "LicenseModel", "ManageMasterUserPassword",
    "MasterUserAuthenticationType", "MasterUserPassword", "MasterUserSecretKmsKeyId", "MaxAllocatedStorage",
    "MonitoringInterval", "MonitoringRoleArn", "MultiAZ", "MultiTenant", "NetworkType", "NewDBInstanceIdentifier",
    "OptionGroupName", "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod", "PreferredBackupWindow",
    "PreferredMaintenanceWindow", "ProcessorFeatures.", "PromotionTier", "PubliclyAccessible", "ReplicaMode",
    "ResumeFullAutomationModeMinutes", "RotateMasterUserPassword", "StorageThroughput", "StorageType",
    "TagSpecifications.", "TdeCredentialArn", "TdeCredentialPassword", "UseDefaultProcessorFeatures",
    "VpcSecurityGroupIds.",
];

/// The parameters of `ModifyDBCluster`; lists and structures end in a dot.
#[rustfmt::skip]
pub(super) const CLUSTER_CHANGE: &[&str] = &[
    "AllocatedStorage", "AllowEngineModeChange", "AllowMajorVersionUpgrade", "ApplyImmediately",
    "AutoMinorVersionUpgrade", "AwsBackupRecoveryPointArn", "BacktrackWindow", "BackupRetentionPeriod",
    "CACertificateIdentifier", "CloudwatchLogsExportConfiguration.", "CopyTagsToSnapshot", "DBClusterIdentifier",
    "DBClusterInstanceClass", "DBClusterParameterGroupName", "DBInstanceParameterGroupName", "DatabaseInsightsMode",
    "DeletionProtection", "Domain", "DomainIAMRoleName", "EnableGlobalWriteForwarding", "EnableHttpEndpoint",
    "EnableIAMDatabaseAuthentication", "EnableLimitlessDatabase", "EnableLocalWriteForwarding",
    "EnablePerformanceInsights", "EngineLifecycleSupport", "EngineMode", "EngineVersion", "Iops",
    "ManageMasterUserPassword", "MasterUserAuthenticationType", "MasterUserPassword", "MasterUserSecretKmsKeyId",
    "MonitoringInterval", "MonitoringRoleArn", "NetworkType", "NewDBClusterIdentifier", "OptionGroupName",
    "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod", "Port", "PreferredBackupWindow",
    "PreferredMaintenanceWindow", "RotateMasterUserPassword", "ScalingConfiguration.",
    "ServerlessV2ScalingConfiguration.", "StorageType", "VpcSecurityGroupIds.",
];
