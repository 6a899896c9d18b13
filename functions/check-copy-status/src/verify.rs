//! Whether a complete copy is what was asked for.

use domain::payload::{Source, Verification};
use domain::snapshot::{Encryption, Snapshot};

/// Compares `copy` with the snapshot that it is a copy of and the key that was asked for.
///
/// A field that AWS does not promise to report is listed as such when it is missing, which is not a mismatch.
pub(crate) fn compare(source: &Source, key: Option<&str>, copy: &Snapshot) -> Verification {
    let mut verification = Verification::default();
    let mut check = |field: &str, expected: &str, found: Option<&str>| match found {
        None | Some("") => verification.not_reported.push(field.to_owned()),
        Some(found) if found == expected => verification.agree.push(field.to_owned()),
        Some(found) => verification
            .differ
            .push(format!("its {field} is {found} instead of {expected}")),
    };
    check("source", &source.arn, copy.source_arn.as_deref());
    check("engine", &source.engine, Some(&copy.engine));
    check("engine version", &source.engine_version, Some(&copy.engine_version));
    // Without a key, the copy is encrypted as its source is: not at all, or with a key that AWS owns.
    let key = key.filter(|key| !is_key_ignored(source, Some(key), copy));
    let expected = if key.is_some() {
        Encryption::Kms
    } else {
        source.encryption
    };
    check("encryption", expected.name(), Some(copy.encryption.name()));
    if let Some(key) = key {
        check("key", key, copy.kms_key_arn.as_deref());
    }
    if let Some(expected) = source.size_gib {
        let found = copy.size_gib.map(|size| format!("{size} GiB"));
        check("size", &format!("{expected} GiB"), found.as_deref());
    }
    if source.written_gib.is_some() && source.written_gib == copy.written_gib() {
        verification.agree.push("data size".to_owned());
    }
    verification
}

/// Whether RDS took the key of a snapshot whose key AWS owns and made the copy without it (L11). AWS does not document what
/// it does there. Where it refuses the key, the copy is asked for without one, so this copy is what we would accept: a
/// second and a third one would be no better.
pub(crate) fn is_key_ignored(source: &Source, key: Option<&str>, copy: &Snapshot) -> bool {
    key.is_some() && source.encryption == Encryption::AwsOwned && copy.encryption == Encryption::AwsOwned
}

/// What must be said of a copy that agrees with its source in all that AWS promises: the size of what was written is
/// not promised to be equal.
pub(crate) fn doubt(source: &Source, copy: &Snapshot) -> Option<String> {
    let (expected, found) = (source.written_gib?, copy.written_gib()?);
    (expected != found).then(|| {
        format!(
            "RDS reports {found} GiB of written data for the copy and {expected} GiB for its snapshot; it does not promise \
             that they are equal, and the copy counts as verified"
        )
    })
}

#[cfg(test)]
mod tests;
