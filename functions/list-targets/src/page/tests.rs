use proptest::prelude::*;

use super::*;

fn run() -> Run {
    Run {
        execution: "nightly".to_owned(),
        arn: "arn:aws:states:us-east-1:123456789012:execution:snapferry-copy-fleet:nightly".to_owned(),
    }
}

fn targets(kind: DatabaseKind, count: usize, id_length: usize) -> Vec<Target> {
    (0..count)
        .map(|at| {
            let prefix = if kind == DatabaseKind::Instance {
                "db"
            } else {
                "cluster"
            };
            Target::new(kind, format!("{at:0>id_length$}"), format!("{prefix}-{at:026}"))
        })
        .collect()
}

fn fleet(instances: usize, clusters: usize) -> Vec<Target> {
    let mut fleet = targets(DatabaseKind::Instance, instances, 8);
    fleet.extend(targets(DatabaseKind::Cluster, clusters, 8));
    fleet
}

#[test]
fn a_small_fleet_fits_on_one_page() {
    let cut = cut(fleet(16, 6), None, &run(), 500).expect("a page");
    assert_eq!((cut.instances.len(), cut.clusters.len()), (16, 6));
    assert_eq!((cut.next_instances, cut.next_clusters), (None, None));
}

#[test]
fn the_kinds_share_the_first_page() {
    let sizes = |instances, clusters| {
        let cut = cut(fleet(instances, clusters), None, &run(), 500).expect("a page");
        (cut.instances.len(), cut.clusters.len())
    };
    assert_eq!(sizes(1000, 1000), (250, 250));
    assert_eq!(sizes(1000, 10), (490, 10));
    assert_eq!(sizes(10, 1000), (10, 490));
    assert_eq!(sizes(500, 0), (500, 0));
}

#[test]
fn a_page_of_the_longest_names_stays_below_its_size() {
    let long = targets(DatabaseKind::Instance, 600, 63);
    let cut = cut(long, None, &run(), 500).expect("a page");
    assert_eq!(cut.instances.len(), 500);
    let bytes = serde_json::to_string(&cut.instances).expect("JSON").len();
    assert!(bytes <= MAX_BYTES, "{bytes}");
}

#[test]
fn a_page_that_would_be_too_large_ends_early() {
    let mut heavy = targets(DatabaseKind::Instance, 500, 63);
    for target in &mut heavy {
        target.resource_id.push_str(&"x".repeat(400));
    }
    let cut = cut(heavy, None, &run(), 500).expect("a page");
    assert!(cut.instances.len() < 500 && cut.next_instances.is_some());
    assert!(serde_json::to_string(&cut.instances).expect("JSON").len() <= MAX_BYTES);
}

#[test]
fn the_page_after_the_hundredth_is_an_error() {
    let page = Page {
        kind: DatabaseKind::Instance,
        cursor: "db-1".to_owned(),
        number: 101,
        root: "nightly".to_owned(),
        execution: "nightly-pi101".to_owned(),
        release: None,
    };
    assert_eq!(
        cut(fleet(5, 0), Some(&page), &run(), 500).expect_err("too many").name(),
        "PageLimit"
    );
    assert!(cut(fleet(5, 0), Some(&Page { number: 100, ..page }), &run(), 500).is_ok());
}

proptest! {
    #[test]
    fn following_the_pages_of_a_kind_meets_every_database_once(
        instances in 0_usize..60, clusters in 0_usize..60, page_size in 1_usize..20,
    ) {
        let all = fleet(instances, clusters);
        let first = cut(all.clone(), None, &run(), page_size).expect("a page");
        let mut seen: Vec<Target> = first.instances.clone();
        seen.extend(first.clusters.clone());
        for mut next in [first.next_instances, first.next_clusters] {
            while let Some(page) = next {
                prop_assert_eq!(&page.root, "nightly");
                prop_assert_eq!(&page.execution, &page_name("nightly", page.kind, page.number));
                let cut = cut(all.clone(), Some(&page), &run(), page_size).expect("a page");
                let (here, follows, other) = match page.kind {
                    DatabaseKind::Instance => (cut.instances, cut.next_instances, cut.next_clusters),
                    DatabaseKind::Cluster => (cut.clusters, cut.next_clusters, cut.next_instances),
                };
                prop_assert!(!here.is_empty() && here.len() <= page_size && other.is_none());
                prop_assert!(here.iter().all(|target| target.resource_id > page.cursor));
                seen.extend(here);
                if let Some(follows) = &follows {
                    prop_assert!(follows.cursor > page.cursor && follows.number == page.number + 1);
                }
                next = follows;
            }
        }
        for target in &mut seen {
            prop_assert_eq!(target.execution.take(), Some(CopyNames::new(&run().arn).name(target)));
        }
        seen.sort_by(|a, b| (a.kind, &a.resource_id).cmp(&(b.kind, &b.resource_id)));
        prop_assert_eq!(seen, all);
    }
}
