//! What is to be done with the newest snapshot of a database. Pure: the snapshot and our copies of the database in, a
//! verdict out.

use std::collections::BTreeSet;

use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::error::Error;
use domain::ownership::MAX_ATTEMPTS;
use domain::payload::Source;

/// What is to be done, and why, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict<'a> {
    pub(crate) action: Action<'a>,
    pub(crate) reason: String,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action<'a> {
    /// Nothing: this copy is verified.
    Current(&'a OwnCopy),
    /// Go on with this copy, which is in progress or not verified yet.
    Join(&'a OwnCopy),
    /// Wait for this copy of another snapshot, or verify it if it is complete already; then decide again.
    Verify(&'a OwnCopy),
    /// Nothing: this copy is in progress, and whoever began it goes on with it.
    UnderWay(&'a OwnCopy),
    /// Begin a copy under the name of this attempt, the first one that no copy has.
    Copy { attempt: u32 },
}

/// What the decision is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// The newest snapshot.
    pub(crate) source: &'a Source,
    /// Our copies of the database.
    pub(crate) copies: &'a [OwnCopy],
    /// The keys that a copy of the snapshot may have.
    pub(crate) keys: &'a [Option<&'a str>],
    /// Identifiers of the copies in progress that are overdue. Nobody waits for them any more.
    pub(crate) overdue: &'a [String],
    /// Those without any progress for a day. Nobody waits for them either.
    pub(crate) idle: &'a [String],
    /// Whether forgotten copies are verified first.
    pub(crate) verifies_others: bool,
    /// Whether a copy of an older snapshot is waited for, so that the newest one is copied right after it. The run of an
    /// event does; a whole run never waits because another is running.
    pub(crate) waits_for_others: bool,
}

/// Decides what is to be done with the newest snapshot.
pub(crate) fn decide<'a>(facts: &Facts<'a>) -> Result<Verdict<'a>, Error> {
    let Facts {
        source, copies, keys, ..
    } = *facts;
    let has_key = |copy: &OwnCopy| keys.contains(&copy.kms_key_arn.as_deref());
    let of_source: Vec<&OwnCopy> = copies
        .iter()
        .filter(|copy| copy.is_of_snapshot(source) && has_key(copy))
        // What is being deleted is no copy, and no attempt that failed either.
        .filter(|copy| copy.status != CopyStatus::Going)
        .collect();
    let with_status = |wanted: &[CopyStatus]| of_source.iter().find(|copy| wanted.contains(&copy.status)).copied();

    if let Some(copy) = forgotten(facts, &of_source) {
        return Ok(Verdict {
            action: Action::Verify(copy),
            reason: format!("{} is complete, and nothing has verified it yet", copy.id),
        });
    }
    if let Some(copy) = with_status(&[CopyStatus::Verified]) {
        return Ok(Verdict {
            action: Action::Current(copy),
            reason: format!("{} is copied and verified as {}", source.id, copy.id),
        });
    }
    if let Some(copy) = newest_of_later_data(source, copies) {
        return Ok(Verdict {
            action: Action::Current(copy),
            reason: format!(
                "{} is older than the verified copy {}, whose snapshot is gone",
                source.id, copy.id
            ),
        });
    }
    if let Some(copy) = with_status(&[CopyStatus::Unverified]) {
        return Ok(Verdict {
            action: Action::Join(copy),
            reason: format!("{} is copied as {}, which nothing has verified yet", source.id, copy.id),
        });
    }
    if let Some(copy) = with_status(&[CopyStatus::InProgress]) {
        let is_overdue = facts.overdue.contains(&copy.id);
        return Ok(Verdict {
            action: if is_overdue {
                Action::Join(copy)
            } else {
                Action::UnderWay(copy)
            },
            reason: format!("{} is being copied as {}", source.id, copy.id),
        });
    }
    // RDS copies the snapshots of one database one after another: a second copy would only queue behind the first.
    let is_stuck = |copy: &OwnCopy| facts.overdue.contains(&copy.id) || facts.idle.contains(&copy.id);
    let is_awaited = |copy: &&OwnCopy| copy.status == CopyStatus::InProgress && has_key(copy) && !is_stuck(copy);
    if let Some(copy) = copies.iter().filter(is_awaited).max_by_key(|copy| copy.source_created) {
        let (action, reason) = if facts.waits_for_others {
            let reason = format!("{} is copied after {}, which is in progress", source.id, copy.id);
            (Action::Verify(copy), reason)
        } else {
            let reason = format!(
                "{} is in progress; {} is copied by the run after it",
                copy.id, source.id
            );
            (Action::UnderWay(copy), reason)
        };
        return Ok(Verdict { action, reason });
    }
    // Their numbers may have gaps, where a failed copy was deleted.
    let attempts: BTreeSet<u32> = of_source.iter().map(|copy| copy.attempt).collect();
    let Some(attempt) = (0..MAX_ATTEMPTS).find(|attempt| !attempts.contains(attempt)) else {
        return Err(Error::AttemptsUsedUp {
            attempts: MAX_ATTEMPTS,
            snapshot: source.id.clone(),
        });
    };
    Ok(Verdict {
        action: Action::Copy { attempt },
        reason: match attempts.len() {
            0 => format!("{} has no copy yet", source.id),
            1 => format!("1 copy of {} failed; it is copied again", source.id),
            failed => format!("{failed} copies of {} failed; it is copied again", source.id),
        },
    })
}

/// A complete copy of another snapshot that nothing has verified, because its driver ended before it was complete.
fn forgotten<'a>(facts: &Facts<'a>, of_source: &[&OwnCopy]) -> Option<&'a OwnCopy> {
    let is_other = |copy: &&OwnCopy| !of_source.iter().any(|own| own.id == copy.id);
    facts
        .copies
        .iter()
        .filter(|copy| facts.verifies_others && copy.status == CopyStatus::Unverified && is_other(copy))
        .max_by_key(|copy| copy.source_created)
}

/// The newest snapshot may go before older ones, as a hand-made one does. A copy of what is older than the data that we
/// hold, under whichever key, would be pruned as soon as it is complete, and copied again by the next run.
fn newest_of_later_data<'a>(source: &Source, copies: &'a [OwnCopy]) -> Option<&'a OwnCopy> {
    copies
        .iter()
        .filter(|copy| copy.status == CopyStatus::Verified && copy.source_created > source.created_at)
        .max_by_key(|copy| copy.source_created)
}

#[cfg(test)]
mod tests;
