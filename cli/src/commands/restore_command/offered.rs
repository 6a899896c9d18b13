//! Whether the region of the copy offers what the copy needs. It only informs: no restore depends on it.

use domain::error::Error;
use rds::{ClassOffer, Rds};

use crate::commands::restore_command::restore::Restore;
use crate::quoting::visible;

/// Most classes that are named in the place of one that is not offered.
const MAX_NAMED: usize = 8;

/// What has to be known before the commands are run, in a sentence; nothing if all is on offer, or if RDS cannot be
/// asked about this engine. At most two calls.
pub(crate) async fn check(rds: &Rds, restore: &Restore<'_>, storage: Option<&str>) -> Option<String> {
    let (engine, version) = (restore.engine(), restore.engine_version());
    // Of RDS Custom there are no such lists.
    if version.is_empty() || engine.is_empty() || restore.is_custom() {
        return None;
    }
    let wanted = Wanted {
        engine: &visible(engine),
        version: &visible(version),
        region: rds.region(),
    };
    let offers = match restore.hints.class.as_deref() {
        None => rds
            .offers(engine, version, None)
            .await
            .map(|all| Some(wanted.any(&all))),
        Some(class) => match rds.offers(engine, version, Some(class)).await {
            Ok(found) if found.is_empty() => {
                let all = rds.offers(engine, version, None).await;
                all.map(|all| Some(wanted.instead(&visible(class), &all)))
            }
            found => found.map(|found| wanted.storage(class, storage, &found)),
        },
    };
    offers.unwrap_or_else(|error| Some(wanted.unknown(&error)))
}

struct Wanted<'a> {
    engine: &'a str,
    version: &'a str,
    region: &'a str,
}

impl Wanted<'_> {
    /// No class is known, so that one has to be chosen.
    fn any(&self, all: &[ClassOffer]) -> String {
        let Self {
            engine,
            version,
            region,
        } = self;
        if all.is_empty() {
            return self.nothing();
        }
        let classes = names(all, None);
        format!("Offered for {engine} {version} in {region}: {classes}.")
    }

    /// The class is not offered.
    fn instead(&self, class: &str, all: &[ClassOffer]) -> String {
        let Self {
            engine,
            version,
            region,
        } = self;
        if all.is_empty() {
            return self.nothing();
        }
        let classes = names(all, Some(class));
        format!("{class} is not offered for {engine} {version} in {region}; offered: {classes}.")
    }

    /// The class is offered, perhaps not with this type of storage. That of clusters is not part of the offers.
    fn storage(&self, class: &str, storage: Option<&str>, found: &[ClassOffer]) -> Option<String> {
        let storage = storage?;
        let mut offered: Vec<&str> = found.iter().map(|offer| offer.storage.as_str()).collect();
        offered.retain(|storage| !storage.is_empty());
        offered.sort_unstable();
        offered.dedup();
        if offered.is_empty() || offered.contains(&storage) {
            return None;
        }
        Some(format!(
            "{class} is not offered with {} storage in {}; offered: {}.",
            visible(storage),
            self.region,
            visible(&offered.join(", "))
        ))
    }

    /// The version itself is not offered.
    fn nothing(&self) -> String {
        let Self {
            engine,
            version,
            region,
        } = self;
        format!(
            "{engine} {version} is not offered in {region}, so that the copy cannot be restored there as it is. \
             `aws rds describe-db-engine-versions --region {region} --engine {engine}` lists the versions that are; an \
             instance's copy can be upgraded to one of them by modify-db-snapshot."
        )
    }

    fn unknown(&self, error: &Error) -> String {
        let Self {
            engine,
            version,
            region,
        } = self;
        format!(
            "It could not be checked that class and version are offered in {region} ({}); \
             `aws rds describe-orderable-db-instance-options --region {region} --engine {engine} --engine-version {version}` \
             lists what is.",
            visible(&error.to_string())
        )
    }
}

/// The classes, those of the wanted size first.
fn names(all: &[ClassOffer], wanted: Option<&str>) -> String {
    let size = |class: &str| class.rsplit('.').next().unwrap_or_default().to_owned();
    let wanted = wanted.map(size);
    let mut classes: Vec<&str> = all.iter().map(|offer| offer.class.as_str()).collect();
    classes.sort_unstable();
    classes.dedup();
    classes.sort_by_key(|class| wanted.as_deref() != Some(&size(class)));
    let more = classes.len().saturating_sub(MAX_NAMED);
    classes.truncate(MAX_NAMED);
    let classes = visible(&classes.join(", "));
    match more {
        0 => classes,
        _ => format!("{classes} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_classes_those_of_the_same_size_are_named() {
        let offer = |class: String| ClassOffer {
            class,
            storage: "gp3".to_owned(),
        };
        let mut all: Vec<ClassOffer> = (1..=10).map(|size| offer(format!("db.r6i.{size}xlarge"))).collect();
        all.push(offer("db.r7g.large".to_owned()));
        all.push(offer("db.r7g.large".to_owned()));
        let named = names(&all, Some("db.r6g.large"));
        assert!(named.starts_with("db.r7g.large, db.r6i.10xlarge, "), "{named}");
        assert!(named.ends_with(" and 3 more"), "{named}");
    }
}
