//! Which option group a copy gets.

use crate::kind::DatabaseKind;
use crate::rds_rules::takes_option_group;

/// The option groups of the destination region, by those of the source region or by instance.
///
/// A copy that names none gets the default group, which RDS refuses where the source's group has permanent options
/// (Oracle's time zone, TDE): option groups belong to a region, so somebody must say which one there is like it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionGroups(Vec<(String, String)>);

impl OptionGroups {
    /// Reads `from=to,from=to`, where `from` is an option group or `instance:<identifier>`. The error says which
    /// entry is wrong.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = |entry: &str| {
            let (from, to) = entry.split_once('=')?;
            let (from, to) = (from.trim().to_ascii_lowercase(), to.trim().to_ascii_lowercase());
            let from_is_legal =
                !from.is_empty() && from.bytes().all(|byte| is_of_a_name(byte) || b":.".contains(&byte));
            (from_is_legal && Self::is_name(&to)).then_some((from, to))
        };
        let read = |entry| read(entry).ok_or_else(|| format!("{entry:?} is not of the form from=to"));
        entries.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The group that the copy of a database gets: what the database's tag picks, or else what the stack says of the
    /// instance or of its own group. None where copies take none.
    #[must_use]
    pub fn for_copy<'a>(
        &'a self,
        kind: DatabaseKind,
        engine: &str,
        id: &str,
        own: Option<&str>,
        picked: Option<&'a str>,
    ) -> Option<&'a str> {
        if !takes_option_group(kind, engine) {
            return None;
        }
        picked.or_else(|| self.for_copies_of(id, own))
    }

    /// The group for the copies of an instance: by its own name, or else by its group's.
    fn for_copies_of(&self, instance_id: &str, option_group: Option<&str>) -> Option<&str> {
        let to =
            |wanted: &dyn Fn(&str) -> bool| self.0.iter().find(|(from, _)| wanted(from)).map(|(_, to)| to.as_str());
        to(&|from| from.strip_prefix("instance:") == Some(instance_id))
            .or_else(|| to(&|from| option_group.is_some_and(|group| group.eq_ignore_ascii_case(from))))
    }

    /// Whether an option group that a copy may get can be called so: letters, digits and hyphens, a letter first.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        text.len() <= 255
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(is_of_a_name)
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_counts_more_than_its_option_group() {
        let groups =
            OptionGroups::read("oracle-tz=copies-tz, instance:erp=erp-tz ,default:oracle-ee-19=plain").expect("groups");
        assert_eq!(groups.for_copies_of("finance", Some("oracle-tz")), Some("copies-tz"));
        assert_eq!(groups.for_copies_of("finance", Some("Oracle-TZ")), Some("copies-tz"));
        assert_eq!(groups.for_copies_of("erp", Some("oracle-tz")), Some("erp-tz"));
        assert_eq!(groups.for_copies_of("erp", None), Some("erp-tz"));
        assert_eq!(
            groups.for_copies_of("other", Some("default:oracle-ee-19")),
            Some("plain")
        );
        assert_eq!(groups.for_copies_of("orders", Some("default:postgres-16")), None);
        assert_eq!(OptionGroups::read(" "), Ok(OptionGroups::default()));
    }

    #[test]
    fn an_entry_that_cannot_be_is_named() {
        for text in [
            "oracle-tz",
            "=to",
            "from=",
            "from=default:oracle",
            "from=1group",
            "fr om=to",
        ] {
            let error = OptionGroups::read(&format!("good=group,{text}")).expect_err(text);
            assert!(error.contains(text), "{error}");
        }
    }
}
