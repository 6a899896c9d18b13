//! What a database's own tags ask for.
//!
//! A tag may ask for more than the stack keeps, and pick a key that the stack allows. One that cannot be read counts
//! as absent, and until it is right nothing of that database is deleted: it may have asked for more. A tag with our prefix
//! that is like none of ours asked for nothing that we know: it is named, and holds nothing.

use domain::drill::DrillEvery;
use domain::option_groups::OptionGroups;
use domain::payload::Policy;
use domain::restore_order::RestoreOrder;
use domain::retention_rules::RetentionRules;
use domain::selection::CopyWish;
use domain::settings::Settings;
use domain::snapshot::Database;
use domain::tag_spelling::{Misspelling, misspelled};
use domain::tags;

use crate::keys::{Keyring, Pick};

/// The value of a tag that is a wish on a database, and a record on a copy.
///
/// A database that was restored from a copy has the copy's tags. Then the tag says what the copy was made with, and asks
/// for nothing (H2). Tags that ask for retention are wishes there, too: what is kept is more.
pub(crate) fn wish<'a>(database: &'a Database, tag: &str) -> Option<&'a str> {
    let is_restored = database.tags.contains_key(tags::SOURCE_ARN);
    database.tags.get(tag).map(String::as_str).filter(|_| !is_restored)
}

/// What the tags ask for, and sentences about what is wrong with them. No sentence has a tag's value in it.
pub(crate) fn read(database: &Database, keyring: &Keyring, settings: &Settings) -> (Policy, Vec<String>) {
    let (keep, mut wrong) = RetentionRules::from_wishes(&database.tags);
    let mut policy = Policy {
        keep,
        ..Policy::default()
    };
    match keyring.picked(database) {
        // The stack's own key goes without saying.
        Pick::Tagged(key) if key.arn != keyring.own.arn => policy.kms_key_arn.clone_from(&key.arn),
        Pick::NotAllowed => wrong.push((
            tags::KMS_KEY,
            "names no key that the stack allows (parameter AllowedKmsKeyArns)".to_owned(),
        )),
        Pick::Own | Pick::Tagged(_) => {}
    }
    match wish(database, tags::OPTION_GROUP).map(str::trim) {
        Some(name) if OptionGroups::is_name(name) => policy.option_group = Some(name.to_ascii_lowercase()),
        Some(_) => wrong.push((tags::OPTION_GROUP, "cannot be the name of an option group".to_owned())),
        None => {}
    }
    let (meant, unknown): (Vec<Misspelling<'_>>, Vec<_>) = misspelled(&database.tags)
        // The selection reads and names those.
        .filter(|found| found.meant != Some(tags::COPY))
        .partition(|found| found.meant.is_some());
    let meant = meant.iter().map(|found| (found.written, found.problem()));
    let wrong: Vec<(&str, String)> = wrong.into_iter().chain(meant).collect();

    policy.hold_all = !wrong.is_empty() || !CopyWish::read(&database.tags).problems.is_empty();
    let of = |tag: &str, problem: &str| format!("{} {}: the tag {tag} {problem}", database.kind, database.id);
    let wrong = wrong.iter().map(|(tag, problem)| {
        of(tag, problem) + "; it is ignored, and no copy of this database is deleted until it is right"
    });
    let unknown = unknown
        .iter()
        .map(|found| of(found.written, &found.problem()) + "; it is ignored");
    let less = keep
        .less_than(&settings.keep)
        .map(|tag| of(tag, "asks for less than the stack keeps, which holds"));
    // What cannot be read of drills, or of the order of a restore, asks for no copy to be kept.
    let drills = DrillEvery::unreadable(&database.tags)
        .then(|| of(tags::DRILL_EVERY, "is none of never, week and month") + "; it is ignored");
    let order = RestoreOrder::unreadable(&database.tags).then(|| {
        let problem = format!("is not a number from 1 to {}", RestoreOrder::MAX);
        of(tags::RESTORE_ORDER, &problem) + "; it is ignored"
    });
    let said = wrong.chain(unknown).chain(less).chain(drills).chain(order).collect();
    (policy, said)
}

#[cfg(test)]
mod tests;
