//! Which copies of one database may go. Pure: the copies, the rules and the time in, a verdict on each copy out.
//!
//! What always holds, whatever the input: the newest verified copy stays; nothing goes while a newer copy is in
//! progress; a copy that is in progress stays; only verified copies count towards `keep`.

use jiff::{SignedDuration, Timestamp};
use shared::{OwnCopy, Standing};

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Verified copies to keep. Less than one counts as one.
    pub(crate) keep: usize,
    /// Age from which a copy in progress is overdue and blocks nothing any more.
    pub(crate) deadline: SignedDuration,
}

/// What is to be done with a copy, and the rule that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict<'a> {
    pub(crate) copy: &'a OwnCopy,
    pub(crate) delete: bool,
    pub(crate) reason: String,
}

/// A verdict on each copy, the oldest first. All copies must be ours and of one database.
pub(crate) fn plan<'a>(copies: &'a [OwnCopy], rules: &Rules, now: Timestamp) -> Vec<Verdict<'a>> {
    let mut by_age: Vec<&OwnCopy> = copies.iter().collect();
    by_age.sort_by(|a, b| age(a).cmp(&age(b)));

    // Counted from the newest.
    let verified: Vec<&OwnCopy> = by_age
        .iter()
        .rev()
        .filter(|copy| copy.standing == Standing::Verified)
        .copied()
        .collect();
    let newest_verified = verified.first().copied();
    let in_progress = by_age.iter().rev().find(|copy| is_under_way(copy, rules, now)).copied();

    by_age
        .iter()
        .map(|&copy| {
            let wish = match copy.standing {
                Standing::Verified => by_rank(copy, &verified, rules.keep.max(1)),
                Standing::Failed => superseded(copy, newest_verified, "failed"),
                Standing::Mismatched => superseded(copy, newest_verified, "did not match its source"),
                Standing::Unverified if now.duration_since(copy.requested) <= rules.deadline => {
                    Err("complete, to be verified by the run that waits for it".to_owned())
                }
                Standing::Unverified => superseded(copy, newest_verified, "was never verified"),
                Standing::InProgress => Err("in progress".to_owned()),
            };
            match (wish, in_progress) {
                (Ok(_), Some(newer)) if age(newer) > age(copy) => {
                    keep(copy, format!("{} is still in progress", newer.id))
                }
                (Ok(reason), _) => Verdict {
                    copy,
                    delete: true,
                    reason,
                },
                (Err(reason), _) => keep(copy, reason),
            }
        })
        .collect()
}

/// What orders copies: when their data was captured, then when they were asked for.
fn age(copy: &OwnCopy) -> (Timestamp, Timestamp, &str) {
    (copy.source_created, copy.requested, &copy.id)
}

/// Whether a copy may still complete. One that was asked for in the future, by a clock that differs, may.
fn is_under_way(copy: &OwnCopy, rules: &Rules, now: Timestamp) -> bool {
    copy.standing == Standing::InProgress && now.duration_since(copy.requested) <= rules.deadline
}

/// `Ok` is the reason to delete, `Err` the reason to keep.
type Wish = Result<String, String>;

fn by_rank(copy: &OwnCopy, verified: &[&OwnCopy], keep: usize) -> Wish {
    let rank = verified.iter().position(|other| other.id == copy.id).unwrap_or(0);
    match rank {
        0 => Err("the newest verified copy".to_owned()),
        _ if rank < keep => Err(format!("number {} of the {keep} newest verified copies", rank + 1)),
        _ => Ok(format!("number {} of the verified copies, {keep} are kept", rank + 1)),
    }
}

/// A copy that is no good goes once there is a good one of the same or of later data.
fn superseded(copy: &OwnCopy, newest_verified: Option<&OwnCopy>, what: &str) -> Wish {
    match newest_verified {
        Some(good) if good.source_created >= copy.source_created => {
            Ok(format!("it {what}, and {} is verified", good.id))
        }
        _ => Err(format!("it {what}, and there is no later verified copy yet")),
    }
}

fn keep(copy: &OwnCopy, reason: String) -> Verdict<'_> {
    Verdict {
        copy,
        delete: false,
        reason,
    }
}

#[cfg(test)]
mod tests;
