//! Names of restored databases.

use domain::hash::hex_prefix;

/// Longest identifier of an instance or a cluster (API reference, `CreateDBInstance`, `CreateDBCluster`).
const MAX_LENGTH: usize = 63;
/// Digits of the hash that tells names apart which begin alike.
const HASH: usize = 8;

/// Whether RDS takes this as the identifier of a database: at most 63 letters, digits and hyphens, a letter first, no
/// hyphen last, no two hyphens together.
pub(crate) fn is_identifier(text: &str) -> bool {
    text.len() <= MAX_LENGTH
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.ends_with('-')
        && !text.contains("--")
}

/// What the instance of this number in a cluster is called: `<cluster>-<number>`. The name of a cluster that is too long
/// for that is cut, and a hash of the whole keeps it distinct.
pub(crate) fn member_name(cluster: &str, number: u32) -> String {
    let plain = format!("{cluster}-{number}");
    if is_identifier(&plain) {
        return plain;
    }
    let end = format!("-{}-{number}", hex_prefix(&cluster.to_ascii_lowercase(), HASH));
    let mut begin = String::new();
    for character in cluster.chars() {
        if begin.len() + end.len() == MAX_LENGTH {
            break;
        }
        match character {
            _ if begin.is_empty() && !character.is_ascii_alphabetic() => {}
            _ if character.is_ascii_alphanumeric() => begin.push(character),
            _ if !begin.ends_with('-') => begin.push('-'),
            _ => {}
        }
    }
    match begin.trim_end_matches('-') {
        "" => format!("db{end}"),
        begin => format!("{begin}{end}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Case 15.
    #[test]
    fn the_members_of_clusters_with_long_names_have_names_of_their_own() {
        let long = "customer-orders-production-eu-west-1-primary-database-cluster-";
        let hyphen = format!("{}-ab", "p".repeat(59));
        let names = [
            member_name(&format!("{long}a"), 1),
            member_name(&format!("{long}a"), 2),
            member_name(&format!("{long}b"), 1),
            member_name(&hyphen, 1),
        ];
        assert_eq!(
            names,
            [
                "customer-orders-production-eu-west-1-primary-databas-db345307-1",
                "customer-orders-production-eu-west-1-primary-databas-db345307-2",
                "customer-orders-production-eu-west-1-primary-databas-4b9f68a2-1",
                "pppppppppppppppppppppppppppppppppppppppppppppppppppp-991f6116-1",
            ]
        );
        assert_eq!(member_name("billing", 1), "billing-1");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

        #[test]
        fn the_name_of_a_member_is_legal_whatever_the_cluster_is_called(
            cluster in "[a-z][a-z0-9-]{0,70}|\\PC{0,70}",
            number in prop_oneof![1_u32..=16, any::<u32>()],
        ) {
            let name = member_name(&cluster, number);
            prop_assert!(is_identifier(&name), "{name}");
        }

        #[test]
        fn distinct_members_have_distinct_names(
            begin in "[a-z]{1,4}[a-z-]{0,62}",
            ends in ("[ab-]{0,3}", "[ab-]{0,3}"),
            numbers in (1_u32..=16, 1_u32..=16),
        ) {
            let clusters = [format!("{begin}{}", ends.0), format!("{begin}{}", ends.1)];
            prop_assume!(clusters[0] != clusters[1] || numbers.0 != numbers.1);
            prop_assert_ne!(member_name(&clusters[0], numbers.0), member_name(&clusters[1], numbers.1));
        }
    }
}
