//! Copies from other regions that others made: another tool, another stack, or a person. Recognized by what RDS itself says
//! of them, whatever they are called and however they are tagged.

use domain::copy_tags::OwnCopy;
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use domain::snapshot::Snapshot;
use jiff::Timestamp;
use serde::Serialize;

use crate::aws::account::Account;
use crate::error::CliError;
use crate::facts::copies::CopySource;

/// A copy that is none of the owner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForeignCopy {
    pub(crate) kind: DatabaseKind,
    /// The database that it is of, by its name when it was copied.
    pub(crate) database: String,
    /// Its identifier.
    pub(crate) copy: String,
    pub(crate) copy_arn: String,
    pub(crate) status: String,
    /// The region that it was copied from.
    pub(crate) source_region: String,
    /// The snapshot that it was copied from.
    pub(crate) source_arn: String,
    /// How old its data is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) captured_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size_gib: Option<i32>,
    /// The key that encrypts it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kms_key_arn: Option<String>,
    /// The owner, where it is a copy of another stack of Snapferry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
}

impl ForeignCopy {
    /// Nothing if the snapshot is no copy from another region than its own, or one of the owner's.
    fn read(snapshot: Snapshot, source: &CopySource) -> Option<Self> {
        let source_arn = snapshot.source_arn.clone()?;
        let source_region = source_arn.split(':').nth(3)?.to_owned();
        let owner = Owner::claimed_by(&snapshot).filter(|owner| OwnCopy::read(owner, &snapshot).is_some());
        if source_region == source.region || owner.as_ref().is_some_and(|owner| source.is_of(owner)) {
            return None;
        }
        Some(Self {
            kind: snapshot.kind,
            captured_at: snapshot.data_time.or(snapshot.captured_at()),
            size_gib: snapshot.data_gib(),
            owner: owner.map(|owner| owner.tag().to_owned()),
            database: snapshot.database_id,
            copy: snapshot.id,
            copy_arn: snapshot.arn,
            status: snapshot.status,
            source_region,
            source_arn,
            kms_key_arn: snapshot.kms_key_arn,
        })
    }
}

/// Reads all of them, by database, the newest data first. Copies of AWS Backup are its own, and not among them.
pub(crate) async fn read(account: &Account, source: &CopySource) -> Result<Vec<ForeignCopy>, CliError> {
    let foreign = |snapshot| ForeignCopy::read(snapshot, source);
    let mut all = source.scan(account, foreign).await?;
    all.sort_by(|a, b| {
        let by_database = (&a.database, a.kind).cmp(&(&b.database, b.kind));
        by_database
            .then(b.captured_at.cmp(&a.captured_at))
            .then(a.copy.cmp(&b.copy))
    });
    Ok(all)
}
