//! The name that Snapferry gives to a copy, for seeded copies that an earlier run made.

use domain::ownership::Owner;
use domain::tags::{KMS_KEY, OWNER, SOURCE_ARN};

use crate::model::Tags;

/// On a copy: the version of the naming function; version 1 when absent.
const FORMAT: &str = "snapferry:format";
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
    match tags.get(FORMAT).map(String::as_str) {
        None | Some("1") => Ok(owner.copy_id(tag(SOURCE_ARN)?, Some(tag(KMS_KEY)?), attempt)),
        Some(other) => Err(format!("{FORMAT} {other}: there is no such version")),
    }
}
