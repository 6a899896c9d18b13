//! The names of the executions that a run starts.
//!
//! A name follows from the execution that starts it and from what it is for, so that a task that is retried asks for the
//! execution that there is. It ends with the run, by which an operator finds all that belongs to it.

use domain::hash::hex_prefix;
use domain::kind::DatabaseKind;
use domain::payload::Target;

/// Most characters of a run's name that the names of its pages begin with. A name has 80 at most.
const MAX_ROOT: usize = 70;

/// Names the executions that copy databases, for one execution of copy-fleet.
#[derive(Debug)]
pub(crate) struct CopyNames<'a> {
    parent_arn: &'a str,
    suffix: String,
}

impl<'a> CopyNames<'a> {
    /// For the execution of this ARN.
    pub(crate) fn new(parent_arn: &'a str) -> Self {
        Self {
            parent_arn,
            // The count of redrives is 0: the state machine appends another one.
            suffix: hex_prefix(&format!("{parent_arn}:0"), 8),
        }
    }

    /// `i-` or `c-`, the database's identifier, and the run's suffix. Of databases of one name one is living at most: the
    /// others have a suffix of their own.
    pub(crate) fn name(&self, target: &Target) -> String {
        let Target { kind, id, .. } = target;
        let name = format!("{}-{id}-{}", initial(*kind), self.suffix);
        if !target.retired {
            return name;
        }
        let own = hex_prefix(&format!("{}:{}", target.resource_id, self.parent_arn), 4);
        format!("{name}-{own}")
    }
}

/// The name of the execution that runs a page, after the run's first execution.
pub(crate) fn page_name(root: &str, kind: DatabaseKind, number: u32) -> String {
    let root: String = root.chars().take(MAX_ROOT).collect();
    format!("{root}-p{}{number}", initial(kind))
}

fn initial(kind: DatabaseKind) -> char {
    match kind {
        DatabaseKind::Instance => 'i',
        DatabaseKind::Cluster => 'c',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:a-run";

    #[test]
    fn the_name_of_a_copy_is_its_database_and_the_run() {
        // The first digits that sha256sum prints for the ARN and ":0".
        let names = CopyNames::new(RUN);
        let target = |kind| Target::new(kind, "orders", "db-ORDERS");
        assert_eq!(names.name(&target(DatabaseKind::Instance)), "i-orders-3a9ad477");
        assert_eq!(names.name(&target(DatabaseKind::Cluster)), "c-orders-3a9ad477");
        let other = RUN.replace("a-run", "another");
        assert_ne!(
            CopyNames::new(&other).name(&target(DatabaseKind::Instance)),
            "i-orders-3a9ad477"
        );
    }

    #[test]
    fn databases_of_one_name_have_executions_of_their_own_though_some_are_gone() {
        let id = "x".repeat(63);
        let retired = |resource_id: &str| Target {
            retired: true,
            ..Target::new(DatabaseKind::Instance, &id, resource_id)
        };
        let names = CopyNames::new(RUN);
        let living = names.name(&Target::new(DatabaseKind::Instance, &id, "db-LIVING"));
        let [gone, long_gone] = ["db-GONE", "db-LONG-GONE"].map(|resource_id| names.name(&retired(resource_id)));
        assert!(gone.starts_with(&format!("{living}-")) && long_gone.starts_with(&format!("{living}-")));
        assert_ne!(gone, long_gone);
        // The first digits that sha256sum prints for the resource id, a colon and the ARN.
        assert!(gone.ends_with("-24da"), "{gone}");
        // Room for a hyphen and the letter and digits of a redrive is left on those that live.
        assert_eq!((living.len(), gone.len()), (74, 79));
    }

    #[test]
    fn a_page_is_named_after_the_run_and_fits() {
        assert_eq!(page_name("nightly", DatabaseKind::Instance, 2), "nightly-pi2");
        let root = "r".repeat(80);
        assert_eq!(
            page_name(&root, DatabaseKind::Cluster, 100),
            format!("{}-pc100", &root[..70])
        );
    }
}
