//! Tags: which are legal, and the three calls about them.

use crate::authorization::Question;
use crate::error::ApiError;
use crate::model::{Kind, RdsArn, Tags};
use crate::request::Request;
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// How many tags a resource may have.
const MOST: usize = 50;

/// Reads and checks the tags of a request.
pub(crate) fn checked(request: &Request) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for (key, value) in request.tags() {
        check_text("key", &key, 1, 128)?;
        check_text("value", &value, 0, 256)?;
        if tags.insert(key.clone(), value).is_some() {
            return Err(ApiError::invalid_value(format!("Duplicate tag key: {key}")));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > MOST {
        return Err(ApiError::invalid_value(format!(
            "A resource cannot have more than {MOST} tags"
        )));
    }
    Ok(())
}

fn check_text(part: &str, text: &str, least: usize, most: usize) -> Result<(), ApiError> {
    for prefix in ["aws:", "rds:"] {
        if text.starts_with(prefix) {
            return Err(ApiError::invalid_value(format!(
                "Tag {part}s cannot start with the reserved prefix \"{prefix}\""
            )));
        }
    }
    let length = text.chars().count();
    let legal =
        |character: char| character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character);
    if length < least || length > most || !text.chars().all(legal) {
        return Err(ApiError::invalid_value(format!(
            "Invalid tag {part}: {least} to {most} letters, digits, white space and _.:/=+-@"
        )));
    }
    Ok(())
}

/// What tags are put on.
enum Place {
    Database(Kind, String),
    Snapshot(Kind, String),
    SubnetGroup(String),
}

impl Simulator {
    /// `AddTagsToResource`.
    pub(crate) fn add_tags(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let (arn, place) = self.place(call)?;
        let new = checked(call.request)?;
        if new.is_empty() {
            return Err(ApiError::missing("Tags"));
        }
        let region = call.request.region.as_str();
        call.rights.require(&Question {
            request_tags: Some(&new),
            explicit_tags: Some(true),
            resource_tags: self.tags_at(region, &place).ok().as_deref(),
            ..Question::new(&call.operation.action(), &arn, region)
        })?;
        let tags = self.tags_at(region, &place)?;
        let mut all = tags.clone();
        all.extend(new);
        check_count(&all)?;
        *tags = all;
        Ok(Xml::default())
    }

    /// `RemoveTagsFromResource`.
    pub(crate) fn remove_tags(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let (arn, place) = self.place(call)?;
        let keys: Vec<String> = call
            .request
            .list("TagKeys", "member")
            .into_iter()
            .filter_map(|item| item.get("").map(|key| (*key).to_owned()))
            .collect();
        if keys.is_empty() && !call.request.has_list("TagKeys") {
            return Err(ApiError::missing("TagKeys"));
        }
        let region = call.request.region.as_str();
        call.rights.require(&Question {
            tag_keys: Some(&keys),
            resource_tags: self.tags_at(region, &place).ok().as_deref(),
            ..Question::new(&call.operation.action(), &arn, region)
        })?;
        self.tags_at(region, &place)?.retain(|key, _| !keys.contains(key));
        Ok(Xml::default())
    }

    /// `ListTagsForResource`.
    pub(crate) fn list_tags(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        let (arn, place) = self.place(call)?;
        let region = call.request.region.as_str();
        call.rights.require(&Question {
            resource_tags: self.tags_at(region, &place).ok().as_deref(),
            ..Question::new(&call.operation.action(), &arn, region)
        })?;
        let tags = self.tags_at(region, &place)?;
        let mut xml = Xml::default();
        xml.element("ListTagsForResourceResult", |xml| {
            xml.list("TagList", "Tag", &*tags, |xml, (key, value)| {
                xml.value("Key", key);
                xml.value("Value", value);
            });
        });
        Ok(xml)
    }

    /// The ARN in the request and what it names, which must be in the region of the call.
    fn place(&mut self, call: &Call<'_>) -> Result<(String, Place), ApiError> {
        let name = call.request.required("ResourceName")?;
        let invalid = || ApiError::invalid_value(format!("Invalid resource name: {name}"));
        let arn = RdsArn::parse(name).ok_or_else(invalid)?;
        if arn.region != call.request.region || arn.account != self.account {
            return Err(invalid());
        }
        let id = arn.id.to_ascii_lowercase();
        let place = match arn.resource_type {
            "db" => Place::Database(Kind::Instance, id),
            "cluster" => Place::Database(Kind::Cluster, id),
            "snapshot" => Place::Snapshot(Kind::Instance, id),
            "cluster-snapshot" => Place::Snapshot(Kind::Cluster, id),
            "subgrp" => Place::SubnetGroup(id),
            _ => return Err(invalid()),
        };
        Ok((name.to_owned(), place))
    }

    fn tags_at(&mut self, region: &str, place: &Place) -> Result<&mut Tags, ApiError> {
        let region = self.region(region);
        match place {
            Place::Database(kind, id) => region.databases[*kind]
                .get_mut(id)
                .map(|database| &mut database.tags)
                .ok_or_else(|| ApiError::database_not_found(*kind, id)),
            Place::Snapshot(kind, id) => region.snapshots[*kind]
                .get_mut(id)
                .map(|snapshot| &mut snapshot.tags)
                .ok_or_else(|| ApiError::snapshot_not_found(*kind, id)),
            // Those of a scenario do not carry tags.
            Place::SubnetGroup(id) => region
                .made_subnet_groups
                .get_mut(id)
                .map(|made| &mut made.tags)
                .ok_or_else(|| ApiError::subnet_group_not_found(id)),
        }
    }
}
