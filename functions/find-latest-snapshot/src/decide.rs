//! What is to be done with the newest snapshot of a database. Pure: the snapshot and our copies of the database in, a
//! verdict out.

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
    /// Begin a copy, after so many attempts that failed.
    Copy { attempt: u32 },
}

/// Decides from our copies of the database, of which `keys` are the keys that a copy of `source` may have.
pub(crate) fn decide<'a>(source: &Source, copies: &'a [OwnCopy], keys: &[Option<&str>]) -> Result<Verdict<'a>, Error> {
    let of_source: Vec<&OwnCopy> = copies
        .iter()
        .filter(|copy| copy.source_arn == source.arn && keys.contains(&copy.kms_key_arn.as_deref()))
        // What is being deleted is no copy, and no attempt that failed either.
        .filter(|copy| copy.status != CopyStatus::Going)
        .collect();
    let with_status = |wanted: &[CopyStatus]| of_source.iter().find(|copy| wanted.contains(&copy.status)).copied();

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
    if let Some(copy) = with_status(&[CopyStatus::InProgress, CopyStatus::Unverified]) {
        return Ok(Verdict {
            action: Action::Join(copy),
            reason: format!("{} is being copied as {}", source.id, copy.id),
        });
    }
    match u32::try_from(of_source.len()).unwrap_or(MAX_ATTEMPTS) {
        0 => Ok(Verdict {
            action: Action::Copy { attempt: 0 },
            reason: format!("{} has no copy yet", source.id),
        }),
        attempt if attempt < MAX_ATTEMPTS => Ok(Verdict {
            action: Action::Copy { attempt },
            reason: format!("{attempt} copies of {} failed, it is tried again", source.id),
        }),
        attempts => Err(Error::AttemptsUsedUp {
            attempts,
            snapshot: source.id.clone(),
        }),
    }
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
