use proptest::prelude::*;

use super::*;
use crate::examples::manual_snapshot;
use crate::tags;

const REGION: &str = "eu-west-1";
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1";

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn postgres() -> EngineVersion {
    EngineVersion {
        engine: "postgres".to_owned(),
        version: "16.3".to_owned(),
    }
}

fn offers(classes: &[&str]) -> Offers {
    let mut offers = Offers::default();
    for class in classes {
        offers.add(
            class,
            ClassOffer {
                storage: names(&["gp3", "io1"]),
                licenses: names(&["postgresql-license"]),
                zones: names(&["eu-west-1a", "eu-west-1b"]),
                encrypts: true,
            },
        );
    }
    offers
}

/// A copy of an instance that needs everything there is to need.
fn copy() -> Snapshot {
    let tags = [
        (tags::CLASS, "db.r6g.large"),
        (tags::PARAMETER_GROUP, "orders-tuned"),
        (tags::SOURCE_OPTION_GROUP, "default:postgres-16"),
        (tags::SETTINGS, "deletion-protection=true"),
    ];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let settings = RestoreSettings::default()
        .with(Setting::Storage, Some("gp3"))
        .with(Setting::License, Some("postgresql-license"));
    Snapshot {
        kms_key_arn: Some(KEY.to_owned()),
        size_gib: Some(100),
        option_group: Some("orders-options".to_owned()),
        settings,
        ..manual_snapshot("snap-orders-1", tags.into())
    }
}

fn needs() -> RestoreNeeds {
    RestoreNeeds::new(&copy())
}

/// A region that has everything for it.
fn good() -> RegionFacts {
    let quota = |used, max| Some(Quota { used, max });
    RegionFacts {
        offers: BTreeMap::from([(postgres(), Ok(offers(&["db.r6g.large", "db.t4g.micro"])))]),
        keys: BTreeMap::from([(KEY.to_owned(), Ok(KeyState::Usable))]),
        quotas: Ok(AccountQuotas {
            snapshots: BTreeMap::new(),
            instances: quota(3, 40),
            clusters: quota(0, 40),
            storage_gib: quota(500, 100_000),
        }),
        option_groups: Ok(names(&["orders-options"])),
        parameter_groups: Ok(names(&["orders-tuned"])),
        cluster_parameter_groups: Ok(names(&[])),
        subnet_group: Some((
            "private".to_owned(),
            Ok(Some(SubnetGroup {
                name: "private".to_owned(),
                status: "Complete".to_owned(),
                zones: names(&["eu-west-1b", "eu-west-1c"]),
                vpc: None,
            })),
        )),
        ..RegionFacts::new(REGION)
    }
}

fn sentences<T: fmt::Display>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn a_copy_is_restorable_where_everything_that_it_needs_is_there() {
    let judged = good().judge(&needs());
    assert_eq!(
        judged,
        Restorability {
            verdict: Verdict::Yes,
            ..Restorability::default()
        }
    );
}

#[test]
fn nothing_is_good_of_a_region_that_nobody_asked() {
    let judged = RegionFacts::new(REGION).judge(&needs());
    assert_eq!(judged.verdict, Verdict::Unknown);
    assert_eq!(judged.missing, []);
    let said = sentences(&judged.warnings);
    assert_eq!(said.len(), 5, "{said:?}");
    assert_eq!(
        said[0],
        "Whether postgres 16.3 is offered in eu-west-1 is not known: it was not looked up."
    );
}

#[test]
fn each_thing_that_is_missing_is_named_in_a_sentence() {
    let with = |change: &dyn Fn(&mut RegionFacts)| {
        let mut facts = good();
        change(&mut facts);
        let judged = facts.judge(&needs());
        assert_eq!(judged.verdict, Verdict::No, "{judged:?}");
        assert_eq!(judged.missing.len(), 1, "{judged:?}");
        assert!(!judged.missing[0].remedy().is_empty());
        judged.missing[0].to_string()
    };
    assert_eq!(
        with(&|facts| drop(facts.offers.insert(postgres(), Ok(Offers::default())))),
        "postgres 16.3 is not offered in eu-west-1, so the copy cannot be restored there as it is."
    );
    let change_offer = |facts: &mut RegionFacts, change: &dyn Fn(&mut ClassOffer)| {
        if let Some(Ok(offers)) = facts.offers.get_mut(&postgres()) {
            offers.0.values_mut().for_each(change);
        }
    };
    assert_eq!(
        with(&|facts| change_offer(facts, &|offer| offer.licenses = names(&["bring-your-own-license"]))),
        "postgres 16.3 is not offered in eu-west-1 under the licence model postgresql-license."
    );
    assert_eq!(
        with(&|facts| change_offer(facts, &|offer| offer.encrypts = false)),
        "The copy is encrypted, and no class that is offered for postgres 16.3 in eu-west-1 can be."
    );
    assert_eq!(
        with(&|facts| change_offer(facts, &|offer| offer.zones = names(&["eu-west-1a"]))),
        "No class that is offered for postgres 16.3 is in a zone of the DB subnet group private."
    );
    let key = |state: KeyState| with(&|facts| drop(facts.keys.insert(KEY.to_owned(), Ok(state.clone()))));
    assert_eq!(
        key(KeyState::Absent),
        format!("The key of the copy does not exist: {KEY}.")
    );
    assert_eq!(
        key(KeyState::Unusable("is Disabled".to_owned())),
        format!("The key of the copy cannot be used: {KEY} is Disabled.")
    );
    assert_eq!(
        with(&|facts| facts.option_groups = Ok(BTreeSet::new())),
        "There is no option group orders-options in eu-west-1, which is the copy's own."
    );
    let subnet_group = |found: Option<SubnetGroup>| {
        with(&|facts| facts.subnet_group = Some(("private".to_owned(), Ok(found.clone()))))
    };
    assert_eq!(subnet_group(None), "There is no DB subnet group private in eu-west-1.");
    let broken = SubnetGroup {
        name: "private".to_owned(),
        status: "Pending".to_owned(),
        zones: names(&["eu-west-1a"]),
        vpc: None,
    };
    assert_eq!(
        subnet_group(Some(broken)),
        "The DB subnet group private cannot be used: it is Pending."
    );
    let full = Some(Quota { used: 40, max: 40 });
    assert_eq!(
        with(&|facts| facts.quotas.as_mut().expect("known").instances = full),
        "eu-west-1 has no room for 1 more DB instances: its quota is 40, and 40 are in use."
    );
    assert_eq!(
        with(&|facts| facts.quotas.as_mut().expect("known").storage_gib = Some(Quota { used: 950, max: 1000 })),
        "eu-west-1 has no room for 100 more GiB of storage: its quota is 1000, and 950 are in use."
    );
}

#[test]
fn what_a_database_can_do_without_is_a_warning() {
    let with = |copy: Snapshot, facts: RegionFacts| {
        let judged = facts.judge(&RestoreNeeds::new(&copy));
        assert_eq!(judged.verdict, Verdict::Yes, "{judged:?}");
        sentences(&judged.warnings)
    };
    let mut facts = good();
    facts.parameter_groups = Ok(BTreeSet::new());
    let said = with(copy(), facts);
    assert!(
        said[0].starts_with("There is no parameter group orders-tuned in eu-west-1, which the database had;"),
        "{said:?}"
    );

    let mut facts = good();
    facts.parameter_groups = Err("AccessDenied: no".to_owned());
    let said = with(copy(), facts);
    assert_eq!(
        said,
        ["Whether there is a parameter group orders-tuned in eu-west-1 is not known: AccessDenied: no."]
    );

    let mut facts = good();
    facts
        .offers
        .insert(postgres(), Ok(offers(&["db.m7g.xlarge", "db.r7g.large"])));
    let said = with(copy(), facts);
    assert_eq!(
        said,
        ["db.r6g.large is not offered for postgres 16.3 in eu-west-1; offered: db.r7g.large, db.m7g.xlarge."]
    );

    let mut copy_on_io2 = copy();
    copy_on_io2.settings.set(Setting::Storage, Some("io2"));
    let said = with(copy_on_io2, good());
    assert_eq!(
        said,
        ["db.r6g.large is not offered with io2 storage in eu-west-1; offered: gp3, io1."]
    );

    let mut copy_with_plain_group = copy();
    copy_with_plain_group.option_group = Some("default:postgres-16".to_owned());
    copy_with_plain_group
        .tags
        .insert(tags::SOURCE_OPTION_GROUP.to_owned(), "audit".to_owned());
    let said = with(copy_with_plain_group, good());
    assert!(
        said[0].starts_with("There is no option group audit in eu-west-1, which the database had;"),
        "{said:?}"
    );
}

#[test]
fn a_quota_that_rds_does_not_report_is_not_known_and_neither_is_rds_custom() {
    let mut facts = good();
    facts.quotas.as_mut().expect("known").instances = None;
    let judged = facts.judge(&needs());
    assert_eq!(judged.verdict, Verdict::Unknown);
    assert_eq!(
        sentences(&judged.warnings),
        ["Whether the quotas have room in eu-west-1 is not known: RDS reports no quota of DB instances."]
    );
    let custom = Snapshot {
        engine: "custom-sqlserver-se".to_owned(),
        ..copy()
    };
    assert_eq!(good().judge(&RestoreNeeds::new(&custom)).verdict, Verdict::Unknown);
}

#[test]
fn a_copy_that_is_not_encrypted_needs_no_key() {
    for encryption in [Encryption::None, Encryption::AwsOwned] {
        let copy = Snapshot {
            encryption,
            kms_key_arn: None,
            ..copy()
        };
        let mut facts = good();
        facts.keys.clear();
        assert_eq!(
            facts.judge(&RestoreNeeds::new(&copy)).verdict,
            Verdict::Yes,
            "{encryption:?}"
        );
    }
}

/// modify-db-snapshot upgrades a snapshot, and the tag stays as it was.
#[test]
fn an_instance_is_restored_in_the_version_of_its_snapshot_and_a_cluster_in_that_of_the_database() {
    let mut copy = copy();
    copy.tags.insert(tags::ENGINE_VERSION.to_owned(), "12.3".to_owned());
    assert_eq!(RestoreNeeds::new(&copy).engine.version, "16.3");
    copy.kind = DatabaseKind::Cluster;
    assert_eq!(RestoreNeeds::new(&copy).engine.version, "12.3");
    copy.tags.remove(tags::ENGINE_VERSION);
    assert_eq!(RestoreNeeds::new(&copy).engine.version, "16.3");
}

#[test]
fn a_cluster_takes_its_members_of_the_quota() {
    let mut cluster = copy();
    cluster.kind = DatabaseKind::Cluster;
    let demand = |instances| Demand {
        instances,
        clusters: 1,
        storage_gib: 0,
    };
    assert_eq!(RestoreNeeds::new(&cluster).demand(), demand(1));
    cluster.tags.insert(tags::MULTI_AZ.to_owned(), "true".to_owned());
    assert_eq!(RestoreNeeds::new(&cluster).demand(), demand(2));
    cluster.tags.insert(tags::SETTINGS.to_owned(), "members=3".to_owned());
    assert_eq!(RestoreNeeds::new(&cluster).demand(), demand(3));
    cluster
        .tags
        .insert(tags::SETTINGS.to_owned(), "members=4000000".to_owned());
    assert_eq!(RestoreNeeds::new(&cluster).demand(), demand(16));
}

/// Anybody who may tag a copy can write into its tags, and sentences end in logs and terminals.
#[test]
fn a_tag_that_cannot_be_what_it_should_be_counts_as_absent() {
    let mut copy = copy();
    for value in ["", "x; rm -rf ~", "a\nb", "\u{202e}db", &"d".repeat(256)] {
        for tag in [tags::CLASS, tags::PARAMETER_GROUP, tags::SOURCE_OPTION_GROUP] {
            copy.tags.insert(tag.to_owned(), value.to_owned());
        }
        let needs = RestoreNeeds::new(&copy);
        let groups = (needs.class, needs.parameter_group, needs.source_option_group);
        assert_eq!(groups, (None, None, None), "{value:?}");
    }
}

#[test]
fn magnetic_storage_is_restored_as_gp3() {
    let mut copy = copy();
    copy.settings.set(Setting::Storage, Some("standard"));
    assert_eq!(RestoreNeeds::new(&copy).storage.as_deref(), Some("gp3"));
}

#[test]
fn of_many_classes_those_of_the_same_size_are_named() {
    let many: Vec<String> = (1..=10).map(|size| format!("db.r6i.{size}xlarge")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    many.push("db.r7g.large");
    let named = offers(&many).names(Some("db.r6g.large"));
    assert!(named.starts_with("db.r7g.large, db.r6i.10xlarge, "), "{named}");
    assert!(named.ends_with(" and 3 more"), "{named}");
}

fn fact<T: Clone + fmt::Debug + 'static>(known: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Fact<T>> {
    prop_oneof![1 => Just(Err("refused".to_owned())), 3 => known.prop_map(Ok)].boxed()
}

fn some_offers() -> impl Strategy<Value = Offers> {
    let row = ("(db.r6g.large|db.t4g.micro)", any::<[bool; 4]>());
    proptest::collection::vec(row, 0..3).prop_map(|rows| {
        let mut offers = Offers::default();
        for (class, [storage, license, zone, encrypts]) in rows {
            let either = |first, yes, no| names(&[if first { yes } else { no }]);
            offers.add(
                &class,
                ClassOffer {
                    storage: either(storage, "gp3", "io2"),
                    licenses: either(license, "postgresql-license", "other"),
                    zones: either(zone, "eu-west-1b", "eu-west-1f"),
                    encrypts,
                },
            );
        }
        offers
    })
}

fn some_quota() -> impl Strategy<Value = Option<Quota>> {
    proptest::option::of((0..200_i64, 0..200_i64)).prop_map(|quota| quota.map(|(used, max)| Quota { used, max }))
}

fn some_facts() -> impl Strategy<Value = RegionFacts> {
    let key = prop_oneof![
        3 => Just(KeyState::Usable),
        1 => Just(KeyState::Absent),
        1 => Just(KeyState::Unusable("is Disabled".to_owned())),
    ];
    let quotas =
        (some_quota(), some_quota(), some_quota()).prop_map(|(instances, clusters, storage_gib)| AccountQuotas {
            snapshots: BTreeMap::new(),
            instances,
            clusters,
            storage_gib,
        });
    let some_names = || proptest::collection::btree_set("(orders-options|orders-tuned|other)", 0..3);
    let group = ("(Complete|Pending)", "eu-west-1[bc]").prop_map(|(status, zone)| SubnetGroup {
        name: "private".to_owned(),
        status,
        zones: BTreeSet::from([zone]),
        vpc: None,
    });
    let subnet_group = proptest::option::of(fact(proptest::option::of(group)));
    (
        fact(some_offers()),
        fact(key),
        fact(quotas),
        fact(some_names()),
        fact(some_names()),
        fact(some_names()),
        subnet_group,
    )
        .prop_map(
            |(offers, key, quotas, option_groups, groups, cluster_groups, subnet_group)| RegionFacts {
                region: REGION.to_owned(),
                offers: BTreeMap::from([(postgres(), offers)]),
                keys: BTreeMap::from([(KEY.to_owned(), key)]),
                quotas,
                option_groups,
                parameter_groups: groups,
                cluster_parameter_groups: cluster_groups,
                subnet_group: subnet_group.map(|found| ("private".to_owned(), found)),
            },
        )
}

fn some_needs() -> impl Strategy<Value = RestoreNeeds> {
    any::<[bool; 6]>().prop_map(|[is_cluster, encrypted, own_group, class, parameters, license]| {
        let mut copy = copy();
        if is_cluster {
            copy.kind = DatabaseKind::Cluster;
        }
        if !encrypted {
            copy.encryption = Encryption::None;
        }
        if !own_group {
            copy.option_group = None;
        }
        if !class {
            copy.tags.remove(tags::CLASS);
        }
        if !parameters {
            copy.tags.remove(tags::PARAMETER_GROUP);
        }
        if !license {
            copy.settings.take(Setting::License);
        }
        RestoreNeeds::new(&copy)
    })
}

/// The facts, with the one of this number no longer known; none if that one was not known, or is not needed.
fn forget(facts: &RegionFacts, needs: &RestoreNeeds, which: usize) -> Option<RegionFacts> {
    let mut less = facts.clone();
    let refused = || "refused".to_owned();
    let was_known = match which {
        0 => less
            .offers
            .insert(postgres(), Err(refused()))
            .is_some_and(|was| was.is_ok()),
        1 => {
            let was = less.keys.insert(KEY.to_owned(), Err(refused()));
            was.is_some_and(|was| was.is_ok()) && needs.encryption == Encryption::Kms
        }
        2 => std::mem::replace(&mut less.quotas, Err(refused())).is_ok(),
        3 => std::mem::replace(&mut less.option_groups, Err(refused())).is_ok() && needs.option_group.is_some(),
        _ => {
            let (_, found) = less.subnet_group.as_mut()?;
            std::mem::replace(found, Err(refused())).is_ok()
        }
    };
    was_known.then_some(less)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

    /// What is not known is never counted as good, and what is wrong stays wrong whatever else becomes known.
    #[test]
    fn a_fact_less_never_makes_a_copy_restorable_and_a_fact_more_never_takes_a_fault_away(
        facts in some_facts(),
        needs in some_needs(),
        which in 0..5_usize,
    ) {
        let with = facts.judge(&needs);
        if let Some(less) = forget(&facts, &needs, which) {
            let without = less.judge(&needs);
            prop_assert_ne!(without.verdict, Verdict::Yes, "{:?}", without);
            for missing in &without.missing {
                prop_assert!(with.missing.contains(missing), "{:?} is gone from {:?}", missing, with);
            }
            if without.verdict == Verdict::No {
                prop_assert_eq!(with.verdict, Verdict::No);
            }
        }
    }

    /// The verdict follows from what is listed, and every sentence is one.
    #[test]
    fn the_verdict_agrees_with_its_reasons(facts in some_facts(), needs in some_needs()) {
        let judged = facts.judge(&needs);
        prop_assert_eq!(judged.verdict == Verdict::No, !judged.missing.is_empty());
        let unknown = judged.warnings.iter().any(|warning| matches!(warning, Warning::Unknown { .. }));
        prop_assert!(judged.verdict != Verdict::Unknown || unknown, "{:?}", judged);
        for sentence in sentences(&judged.missing).into_iter().chain(sentences(&judged.warnings)) {
            prop_assert!(sentence.ends_with('.') && !sentence.contains(".."), "{}", sentence);
        }
    }

    /// What is needed in sum is never less than what one of them needs.
    #[test]
    fn what_one_lacks_of_the_quotas_all_of_them_lack(facts in some_facts(), all in proptest::collection::vec(some_needs(), 1..5)) {
        let mut sum = Demand::default();
        for needs in &all {
            sum += needs.demand();
        }
        for needs in &all {
            let one = facts.lacking(&needs.demand());
            if one.is_ok_and(|one| !one.is_empty()) {
                prop_assert!(facts.lacking(&sum).map_or(true, |lacking| !lacking.is_empty()));
            }
        }
    }
}
