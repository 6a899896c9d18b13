//! The name that Snapferry gives to a copy, for seeded copies that an earlier run made.

use domain::ownership::{CopyIdentity, Format, Owner};
use domain::tags::{
    COPY_KMS_KEY, FORMAT, KMS_KEY, NO_KEY, OWNER, SOURCE_ARN, SOURCE_CREATED, SOURCE_RESOURCE_ID,
};

use crate::model::Tags;

/// How long an `OwnerId` may be.
const OWNER_ID_LENGTH: std::ops::RangeInclusive<usize> = 2..=12;

/// The identifier of the copy that carries these tags, placeholders filled in already.
pub(crate) fn copy_id(tags: &Tags, attempt: u32) -> Result<String, String> {
    let tag = |key: &str| {
        tags.get(key)
            .map(String::as_str)
            .ok_or_else(|| format!("copyOf needs the tag {key}"))
    };
    let (source_region, owner_id) = tag(OWNER)?
        .split_once('/')
        .filter(|(_, id)| OWNER_ID_LENGTH.contains(&id.len()))
        .ok_or_else(|| format!("copyOf needs a tag {OWNER} such as eu-west-1/acme"))?;
    let owner = Owner::new(source_region, owner_id);
    let version = tags.get(FORMAT).map(String::as_str);
    let format = Format::from_tag(version).ok_or_else(|| format!("{FORMAT}: there is no such version"))?;
    let key = tag(match format {
        Format::V1 => KMS_KEY,
        Format::V2 => COPY_KMS_KEY,
    })?;
    Ok(owner.copy_id(&CopyIdentity {
        format,
        source_arn: tag(SOURCE_ARN)?,
        source_created: tag(SOURCE_CREATED)?
            .parse()
            .map_err(|error| format!("{SOURCE_CREATED}: {error}"))?,
        source_resource_id: tag(SOURCE_RESOURCE_ID)?,
        kms_key_arn: Some(key).filter(|key| *key != NO_KEY),
        attempt,
    }))
}
