//! Option groups: which there are, and which options a copy cannot do without.

use crate::model::Region;
use crate::scenario::GroupOption;

/// An option group of one region.
#[derive(Clone, Debug)]
pub(crate) struct OptionGroup {
    pub(crate) name: String,
    pub(crate) engine: String,
    /// Absent for a default group that was named without a version.
    pub(crate) major_version: Option<String>,
    pub(crate) options: Vec<GroupOption>,
}

impl OptionGroup {
    /// The group that AWS makes for an engine, if the name is that of one: `default:oracle-ee-19`. It holds no options.
    pub(crate) fn implicit(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("default:")?;
        let version = rest
            .match_indices('-')
            .find(|(place, _)| rest[place + 1..].starts_with(|next: char| next.is_ascii_digit()))
            .map(|(place, _)| place);
        let (engine, version) = version.map_or((rest, None), |place| (&rest[..place], Some(&rest[place + 1..])));
        (!engine.is_empty()).then(|| Self {
            name: name.to_owned(),
            engine: engine.to_owned(),
            major_version: version.map(|version| version.replace('-', ".")),
            options: Vec::new(),
        })
    }

    /// The options without which a snapshot of a database with this group cannot be copied elsewhere: the permanent
    /// ones, and transparent encryption, which is not permanent in SQL Server.
    pub(crate) fn required_options(&self) -> Vec<String> {
        self.options
            .iter()
            .filter(|option| option.permanent || ["TDE", "TRANSPARENT_DATA_ENCRYPTION"].contains(&option.name.as_str()))
            .map(|option| option.name.clone())
            .collect()
    }

    /// Whether a database of this engine and version can have it.
    pub(crate) fn fits(&self, engine: &str, version: &str) -> bool {
        let major = self.major_version.as_ref();
        self.engine == engine && major.is_none_or(|major| *major == major_version(engine, version))
    }

    pub(crate) fn holds(&self, option: &str) -> bool {
        self.options.iter().any(|held| held.name == option)
    }
}

impl Region {
    /// An option group, a default one included. Names are compared in lower case, as they are kept.
    pub(crate) fn option_group(&self, name: &str) -> Option<OptionGroup> {
        let name = name.to_ascii_lowercase();
        self.option_groups
            .get(&name)
            .cloned()
            .or_else(|| OptionGroup::implicit(&name))
    }
}

/// The name of the group that AWS makes for a version of an engine.
pub(crate) fn default_name(engine: &str, version: &str) -> String {
    format!("default:{engine}-{}", major_version(engine, version).replace('.', "-"))
}

/// The major version of an engine: `19` of Oracle, `17` of `PostgreSQL`, `8.4` of `MySQL`, `16.00` of SQL Server.
pub(crate) fn major_version(engine: &str, version: &str) -> String {
    let mut parts = version.split('.');
    let first = parts.next().unwrap_or_default();
    let new_postgres = engine.ends_with("postgres") || engine.ends_with("postgresql");
    let one_part = engine.contains("oracle") || new_postgres && first.parse().is_ok_and(|major: u32| major >= 10);
    match parts.next() {
        Some(second) if !one_part => format!("{first}.{second}"),
        _ => first.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_version_is_as_long_as_the_engine_has_it() {
        for (engine, version, major, name) in [
            ("postgres", "17.6", "17", "default:postgres-17"),
            ("postgres", "9.6.24", "9.6", "default:postgres-9-6"),
            ("mysql", "8.4.6", "8.4", "default:mysql-8-4"),
            (
                "oracle-ee",
                "19.0.0.0.ru-2025-07.rur-2025-07.r1",
                "19",
                "default:oracle-ee-19",
            ),
            ("sqlserver-se", "16.00.4215.2.v1", "16.00", "default:sqlserver-se-16-00"),
            (
                "aurora-mysql",
                "8.0.mysql_aurora.3.10.1",
                "8.0",
                "default:aurora-mysql-8-0",
            ),
            ("aurora-postgresql", "17.5", "17", "default:aurora-postgresql-17"),
            ("something", "1", "1", "default:something-1"),
        ] {
            assert_eq!(major_version(engine, version), major);
            assert_eq!(default_name(engine, version), name);
            let group = OptionGroup::implicit(name).unwrap();
            assert_eq!(
                (group.engine.as_str(), group.major_version.as_deref()),
                (engine, Some(major))
            );
        }
    }

    #[test]
    fn only_a_default_group_is_there_without_having_been_made() {
        assert!(OptionGroup::implicit("mine").is_none());
        assert!(OptionGroup::implicit("default:").is_none());
        let bare = OptionGroup::implicit("default:oracle-ee").unwrap();
        assert_eq!((bare.engine.as_str(), bare.major_version), ("oracle-ee", None));
    }
}
