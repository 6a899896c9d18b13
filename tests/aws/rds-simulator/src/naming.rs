//! The name that Snapferry gives to a copy, for seeded copies that an earlier run made.

use domain::ownership::{CopyIdentity, Format, Owner};
use domain::tags::{COPY_KMS_KEY, FORMAT, KMS_KEY, NO_KEY, OWNER, SOURCE_ARN, SOURCE_CREATED, SOURCE_RESOURCE_ID};

use jiff::Timestamp;

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
    let format = Format::from_tag(version)
        .ok_or_else(|| format!("{FORMAT} {}: there is no such version", version.unwrap_or_default()))?;
    let source_arn = tag(SOURCE_ARN)?;
    let key = tag(match format {
        Format::V1 => KMS_KEY,
        Format::V2 => COPY_KMS_KEY,
    })?;
    // Names of version 1 do not depend on these two.
    let (source_created, source_resource_id) = match format {
        Format::V1 => (Timestamp::UNIX_EPOCH, ""),
        Format::V2 => {
            let time = tag(SOURCE_CREATED)?.parse();
            let time = time.map_err(|error| format!("{SOURCE_CREATED}: {error}"))?;
            (time, tag(SOURCE_RESOURCE_ID)?)
        }
    };
    Ok(owner.copy_id(&CopyIdentity {
        format,
        source_arn,
        source_created,
        source_resource_id,
        kms_key_arn: Some(key).filter(|key| *key != NO_KEY),
        attempt,
    }))
}
