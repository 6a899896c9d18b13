//! The two kinds of database that Snapferry copies, and how a person names one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The two kinds of database that RDS takes snapshots of. They differ only in how RDS spells its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// A DB instance that is not part of a cluster.
    Instance,
    /// A DB cluster: the cluster is the unit of backup, its members have no snapshots of their own.
    Cluster,
}

impl DatabaseKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Instance, Self::Cluster];
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instance => "instance",
            Self::Cluster => "cluster",
        })
    }
}

/// A database by name: `orders`, or `instance:orders` and `cluster:orders` where both exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseName {
    /// The kind, if it was named.
    pub kind: Option<DatabaseKind>,
    /// The identifier.
    pub id: String,
}

impl DatabaseName {
    /// Whether it names this database.
    #[must_use]
    pub fn matches(&self, kind: DatabaseKind, id: &str) -> bool {
        self.id == id && self.kind.is_none_or(|wanted| wanted == kind)
    }

    /// The kinds of database that it may name.
    pub fn kinds(&self) -> impl Iterator<Item = DatabaseKind> {
        let wanted = self.kind;
        let all = DatabaseKind::ALL.into_iter();
        all.filter(move |kind| wanted.is_none_or(|wanted| wanted == *kind))
    }

    /// Whether an identifier that RDS gives a database can look like this: at most 63 letters, digits and hyphens (user
    /// guide, naming constraints).
    #[must_use]
    pub fn is_identifier(text: &str) -> bool {
        text.len() <= 63 && is_resource_id(text)
    }
}

/// Whether a resource id (`DbiResourceId`, `DbClusterResourceId`) can look like this.
#[must_use]
pub fn is_resource_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Why a text is not the name of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// What stands before the colon is neither kind.
    #[error("{0:?} is not a kind of database")]
    UnknownKind(String),
    /// There is no identifier.
    #[error("names no database")]
    Empty,
    /// The identifier has characters that RDS does not allow, or too many.
    #[error("{0:?} is not a valid database identifier")]
    Invalid(String),
}

impl FromStr for DatabaseName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, id) = match text.split_once(':') {
            None => (None, text),
            Some(("instance", id)) => (Some(DatabaseKind::Instance), id),
            Some(("cluster", id)) => (Some(DatabaseKind::Cluster), id),
            Some((kind, _)) => return Err(NameError::UnknownKind(kind.to_owned())),
        };
        let id = id.trim();
        if id.is_empty() {
            return Err(NameError::Empty);
        }
        if !Self::is_identifier(id) {
            return Err(NameError::Invalid(id.to_owned()));
        }
        // RDS stores identifiers in lower case.
        Ok(Self {
            kind,
            id: id.to_ascii_lowercase(),
        })
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{kind}:{}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for text in ["orders", "instance:orders", "cluster:billing-2"] {
            assert_eq!(
                text.parse::<DatabaseName>().map(|name| name.to_string()).as_deref(),
                Ok(text)
            );
        }
        assert_eq!(
            " Orders ".parse::<DatabaseName>().map(|name| name.id).as_deref(),
            Ok("orders")
        );
    }

    #[test]
    fn a_name_of_a_kind_matches_that_kind_only() {
        let name: DatabaseName = "cluster:orders".parse().expect("a name");
        assert!(name.matches(DatabaseKind::Cluster, "orders"));
        assert!(!name.matches(DatabaseKind::Instance, "orders"));
        let either: DatabaseName = "orders".parse().expect("a name");
        assert!(DatabaseKind::ALL.iter().all(|kind| either.matches(*kind, "orders")));
        assert!(!either.matches(DatabaseKind::Instance, "order"));
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_the_reason() {
        let reason = |text: &str| text.parse::<DatabaseName>().map_err(|error| error.to_string());
        assert_eq!(
            reason("table:orders"),
            Err("\"table\" is not a kind of database".to_owned())
        );
        assert_eq!(reason("cluster: "), Err("names no database".to_owned()));
        let long = "a".repeat(64);
        for id in ["or ders", "orders;", "größe", &long] {
            assert_eq!(reason(id), Err(format!("{id:?} is not a valid database identifier")));
        }
    }
}
