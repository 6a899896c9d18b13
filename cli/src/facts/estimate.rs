//! What a stack will copy, before it does: how many databases and GiB, how long that takes, which quotas and how much money it
//! needs. Read from both regions, whether the stack is there or not; nothing is changed.

use std::collections::BTreeMap;

use domain::copy_schedule::{CopySlots, time_to_cover};
use domain::copy_tags::CopyStatus;
use domain::kind::DatabaseKind;
use domain::quota::{AccountQuotas, Quota};
use domain::rds_rules::{is_aurora, takes_key, why_impossible};
use domain::retention_rules::RetentionRules;
use domain::selection::{Reason, SelectionRules};
use domain::settings::{OBJECTIVE_HOURS, Selection};
use domain::snapshot::Database;
use domain::tags;
use jiff::SignedDuration;
use serde::Serialize;

use crate::aws::account::{Account, check_region};
use crate::aws::stack::{DEFAULT_CONCURRENCY, Stack};
use crate::error::CliError;
use crate::facts::automated_snapshots::{self, AutomatedSnapshots};
use crate::facts::copies::{CopySource, DatabaseCopies, OwnedCopies, OwnedCopy};
use crate::facts::copy_times::{CopyTime, CopyTimes, median};
use crate::facts::fleet::{DatabaseKey, Fleet};
use crate::facts::prices::{Prices, Range, Tariff};
use crate::format::database_name;

/// Share of a database that changes between two snapshots. An assumption: databases differ by more than that.
const ASSUMED_DAILY_CHANGE_PERCENT: Range = Range { low: 1.0, high: 10.0 };

/// Automated snapshots are taken once a day, in the backup window.
const ASSUMED_INTERVAL: SignedDuration = SignedDuration::from_hours(24);

/// Copies per month.
const COPIES_PER_MONTH: f64 = 30.0;

/// What the RPO objective leaves for the making of a snapshot and for the measuring of ages, which is hourly.
const OBJECTIVE_MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// What it leaves beside that: as far as the schedule may be off, in percent of the time to cover the fleet. The simulation
/// holds the schedule to it.
const SCHEDULE_TOLERANCE_PERCENT: i32 = 15;

/// What a stack is, or would be, deployed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Basis {
    /// Nothing before the deployment.
    pub(crate) stack: Option<String>,
    pub(crate) destination_region: String,
    pub(crate) owner_id: String,
    pub(crate) rules: SelectionRules,
    pub(crate) keep: RetentionRules,
    pub(crate) concurrency: CopySlots,
    /// The key of the copies, as the parameter names it.
    pub(crate) key: Option<String>,
    pub(crate) objective: SignedDuration,
}

impl Basis {
    /// What the template sets where nobody says otherwise.
    pub(crate) fn from_template(region: &str, destination_region: &str) -> Self {
        Self {
            stack: None,
            destination_region: destination_region.to_owned(),
            owner_id: "snapferry".to_owned(),
            rules: SelectionRules {
                source_region: region.to_owned(),
                selection: Selection::OptOut,
                include_neptune: false,
                include_documentdb: false,
                include_manual_snapshots: false,
            },
            keep: RetentionRules {
                copies: 3,
                ..RetentionRules::default()
            },
            concurrency: DEFAULT_CONCURRENCY,
            key: None,
            objective: SignedDuration::from_hours(i64::from(OBJECTIVE_HOURS)),
        }
    }

    /// What a stack is deployed with, with its copies in another region if one is named.
    pub(crate) fn from_stack(stack: Stack, destination_region: Option<&str>) -> Self {
        let is_elsewhere = destination_region.is_some_and(|region| region != stack.destination_region);
        let key = stack.policy.get("DestinationKmsKey").cloned();
        Self {
            destination_region: destination_region.unwrap_or(&stack.destination_region).to_owned(),
            owner_id: stack.owner_id,
            rules: stack.rules,
            keep: stack.retention.keep,
            concurrency: stack.concurrency,
            key: key.filter(|_| !is_elsewhere),
            objective: stack
                .objective
                .unwrap_or(SignedDuration::from_hours(i64::from(OBJECTIVE_HOURS))),
            stack: Some(stack.name),
        }
    }
}

/// What the operator knows better.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Known {
    /// GiB of a cluster: RDS gives no size of those.
    pub(crate) cluster_gib: Option<u32>,
    /// Percentage of a database that changes from one day to the next.
    pub(crate) daily_change_percent: Option<f64>,
}

/// Where a size is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SizeSource {
    /// What was written, by the newest snapshot.
    Written,
    /// The storage that is allocated.
    Allocated,
    /// `--cluster-gib`.
    Given,
    /// RDS gives none.
    Unknown,
}

/// Whether a copy has all the data or what has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum CopyExtent {
    Full,
    Incremental,
}

/// What is expected of a database.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatabaseEstimate {
    pub(crate) kind: DatabaseKind,
    pub(crate) database: String,
    pub(crate) resource_id: String,
    /// Whether its newest snapshot has a complete copy.
    pub(crate) is_covered: bool,
    pub(crate) size_gib: Option<u32>,
    pub(crate) size_from: SizeSource,
    /// What its next copy transfers.
    pub(crate) transfer: CopyExtent,
    /// What each further copy stores.
    pub(crate) stored: CopyExtent,
    /// Number of copies that are kept of it, with one copy a day.
    pub(crate) copies_kept: u32,
    /// How long its next copy takes, and each one after that.
    pub(crate) next_seconds: i64,
    pub(crate) daily_seconds: i64,
    /// Whether earlier copies took that long.
    pub(crate) is_measured: bool,
    /// Whether it takes longer than that, because its size is not known.
    pub(crate) is_at_least: bool,
    #[serde(skip)]
    next: SignedDuration,
    #[serde(skip)]
    daily: SignedDuration,
    /// GiB of the first month and of each later one.
    #[serde(skip)]
    transferred: [Range; 2],
    #[serde(skip)]
    kept: [Range; 2],
}

impl DatabaseEstimate {
    pub(crate) fn name(&self) -> String {
        database_name(self.kind, &self.database)
    }
}

/// A database of which no new copies are expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PassedOver {
    pub(crate) kind: DatabaseKind,
    pub(crate) database: String,
    pub(crate) reason: String,
}

/// How long the fleet takes with a number of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Coverage {
    pub(crate) instance_slots: u32,
    pub(crate) cluster_slots: u32,
    /// Until each newest snapshot has a copy, and until each does after another night.
    pub(crate) first_seconds: i64,
    pub(crate) daily_seconds: i64,
}

impl Coverage {
    fn new(databases: &[DatabaseEstimate], slots: CopySlots) -> Self {
        let longest = |of_copy: &dyn Fn(&DatabaseEstimate) -> Option<SignedDuration>| {
            let kinds = DatabaseKind::ALL.into_iter().map(|kind| {
                let of_kind = databases.iter().filter(|database| database.kind == kind);
                let durations: Vec<SignedDuration> = of_kind.filter_map(of_copy).collect();
                time_to_cover(&durations, slots.of_kind(kind))
            });
            kinds.max().unwrap_or_default().as_secs()
        };
        Self {
            instance_slots: slots.instances,
            cluster_slots: slots.clusters,
            first_seconds: longest(&|database| (!database.is_covered).then_some(database.next)),
            daily_seconds: longest(&|database| Some(database.daily)),
        }
    }
}

/// The manual snapshots of a kind in the destination region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SnapshotQuota {
    pub(crate) kind: DatabaseKind,
    /// Its code in Service Quotas.
    pub(crate) code: &'static str,
    pub(crate) used: Option<i64>,
    pub(crate) max: Option<i64>,
    /// What the copies need: those that each database keeps, and one that is being made.
    pub(crate) needed: i64,
    /// Beside them, what is there and is not a copy of these databases.
    pub(crate) others: Option<i64>,
    /// What the quota has to be; nothing if there is room, or if that is not known.
    pub(crate) raise_to: Option<i64>,
}

impl SnapshotQuota {
    fn new(kind: DatabaseKind, quota: Option<Quota>, needed: i64, own: i64) -> Self {
        let others = quota.map(|quota| quota.used.saturating_sub(own).max(0));
        let total = others.map(|others| others.saturating_add(needed));
        let raise_to = quota.zip(total).filter(|(quota, total)| *total > quota.max);
        Self {
            kind,
            // Facts: User guide, Quotas and constraints.
            code: match kind {
                DatabaseKind::Instance => "L-272F1212",
                DatabaseKind::Cluster => "L-9B510759",
            },
            used: quota.map(|quota| quota.used),
            max: quota.map(|quota| quota.max),
            needed,
            others,
            raise_to: raise_to.map(|(_, total)| total),
        }
    }
}

/// What a month costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MonthlyCost {
    pub(crate) transfer_gib: Range,
    pub(crate) transfer: Range,
    pub(crate) storage_gib: Range,
    pub(crate) storage: Range,
}

/// A proposal for `ObjectiveHours`: the time between two snapshots, until all are copied, and a margin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectiveProposal {
    /// That of the stack, or of the template.
    pub(crate) present_seconds: i64,
    pub(crate) proposed_hours: i64,
    pub(crate) interval_seconds: i64,
    pub(crate) cover_seconds: i64,
    pub(crate) margin_seconds: i64,
    /// Whether the interval was measured, and not assumed.
    pub(crate) is_interval_measured: bool,
}

impl ObjectiveProposal {
    fn new(present: SignedDuration, interval: Option<SignedDuration>, cover: SignedDuration) -> Self {
        let tolerance = cover.saturating_mul(SCHEDULE_TOLERANCE_PERCENT) / 100;
        let margin = OBJECTIVE_MARGIN.saturating_add(tolerance);
        let between = interval.unwrap_or(ASSUMED_INTERVAL);
        let age = between.saturating_add(cover).saturating_add(margin);
        let whole = age.as_secs().div_euclid(3600);
        let hours = if age > SignedDuration::from_hours(whole) {
            whole + 1
        } else {
            whole
        };
        Self {
            present_seconds: present.as_secs(),
            proposed_hours: hours,
            interval_seconds: between.as_secs(),
            cover_seconds: cover.as_secs(),
            margin_seconds: margin.as_secs(),
            is_interval_measured: interval.is_some(),
        }
    }

    /// Whether a fleet that is well would miss the present one.
    pub(crate) fn is_missed(&self) -> bool {
        self.present_seconds < self.proposed_hours * 3600
    }
}

/// What the figures depend on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assumptions {
    pub(crate) gib_per_hour: f64,
    /// Number of full copies by which that was measured; 0 if it is assumed.
    pub(crate) measured_by: usize,
    /// What a copy takes beside its data.
    pub(crate) overhead_seconds: i64,
    pub(crate) daily_change_percent: Range,
    pub(crate) is_change_given: bool,
}

/// The whole estimate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Estimate {
    /// In the order of their resource ids.
    pub(crate) databases: Vec<DatabaseEstimate>,
    pub(crate) passed_over: Vec<PassedOver>,
    /// With all slots of RDS, and with those that the stack uses.
    pub(crate) with_all_slots: Coverage,
    pub(crate) with_the_stack: Coverage,
    pub(crate) quotas: Vec<SnapshotQuota>,
    pub(crate) tariff: Tariff,
    pub(crate) first_month: MonthlyCost,
    pub(crate) later_months: MonthlyCost,
    pub(crate) objective: ObjectiveProposal,
    pub(crate) assumptions: Assumptions,
    /// What could not be found out.
    pub(crate) notes: Vec<String>,
}

impl Estimate {
    /// Whether all copies fit into the quotas, as far as these are known.
    pub(crate) fn has_room(&self) -> bool {
        self.quotas.iter().all(|quota| quota.raise_to.is_none())
    }

    /// Those of a kind.
    pub(crate) fn of_kind(&self, kind: DatabaseKind) -> impl Iterator<Item = &DatabaseEstimate> {
        self.databases.iter().filter(move |database| database.kind == kind)
    }
}

/// What both regions say.
struct Findings {
    fleet: Fleet,
    copies: OwnedCopies,
    quotas: AccountQuotas,
    /// The key that `Basis::key` stands for, if that is known.
    key_arn: Option<String>,
    notes: Vec<String>,
}

/// Asks both regions, and computes. `prices` are between any regions.
pub(crate) async fn read(
    account: &Account,
    basis: &Basis,
    known: Known,
    prices: &Prices,
) -> Result<Estimate, CliError> {
    let region = &basis.rules.source_region;
    check_region(&basis.destination_region)?;
    if *region == basis.destination_region {
        return Err(CliError::new(
            format!("{region} is the source region: a copy in the same region is lost with it."),
            "Choose another --destination-region.",
        ));
    }
    if let Some(why) = why_impossible(region, &basis.destination_region, basis.rules.include_neptune) {
        return Err(CliError::new(
            format!(
                "Nothing can be copied from {region} to {}: {why}.",
                basis.destination_region
            ),
            "Choose another --destination-region.",
        ));
    }
    let tariff = prices.between(region, &basis.destination_region)?;
    let findings = find(account, basis).await?;
    let may_be_copied = |reason: Option<&Reason>| match reason {
        None => true,
        // Runs copy what there is of them.
        Some(reason) => !reason.is_left_out() && !matches!(reason, Reason::Unsupported(_)),
    };
    let fleet = findings.fleet.databases.iter();
    let candidates: Vec<&Database> = fleet
        .filter(|living| may_be_copied(living.reason.as_ref()))
        .map(|living| &living.database)
        .collect();
    let snapshots = automated_snapshots::read(account, region, &candidates).await?;
    Ok(compute(basis, known, tariff, findings, &snapshots))
}

async fn find(account: &Account, basis: &Basis) -> Result<Findings, CliError> {
    let source = CopySource::from_region(&basis.destination_region, &basis.owner_id);
    let destination = account.rds(&basis.destination_region);
    let keys = account.keys(&basis.destination_region);
    let key = async {
        match &basis.key {
            Some(key) => Some(keys.describe(key).await),
            None => None,
        }
    };
    let (fleet, copies, quotas, key) = futures_util::future::join4(
        Fleet::read_by(account, &basis.rules),
        source.read(account),
        destination.account_quotas(),
        key,
    )
    .await;
    let (fleet, mut copies) = (fleet?, copies?);
    copies
        .databases
        .retain(|database| database.source_region == basis.rules.source_region);
    let mut notes: Vec<String> = Vec::new();
    let mut note = |what: &str, needs: &str, error| {
        let error = CliError::from_rds(&basis.destination_region, needs, &error);
        notes.push(format!("{what} {error}").replace('\n', " "));
    };
    let quotas = quotas.unwrap_or_else(|error| {
        note("The quotas are not known.", "rds:DescribeAccountAttributes", error);
        AccountQuotas::default()
    });
    let key_arn = match key.transpose() {
        Ok(key) => key.and_then(|key| key.arn),
        Err(error) => {
            note(
                "Whether the key has changed is not known, so it is taken for the same.",
                "kms:DescribeKey",
                error,
            );
            None
        }
    };
    notes.extend(fleet.writers_unknown.as_ref().map(|error| {
        format!("The writers of global databases are not known, so that none is passed over. {error}")
            .replace('\n', " ")
    }));
    Ok(Findings {
        fleet,
        copies,
        quotas,
        key_arn,
        notes,
    })
}

/// What follows from the findings, without asking anybody.
fn compute(
    basis: &Basis,
    known: Known,
    tariff: Tariff,
    findings: Findings,
    snapshots: &BTreeMap<DatabaseKey, AutomatedSnapshots>,
) -> Estimate {
    let times = CopyTimes::new(&findings.copies.databases, basis.keep.copies);
    let copies = findings.copies.databases.iter();
    let copies: BTreeMap<DatabaseKey, &DatabaseCopies> = copies
        .map(|database| ((database.kind, database.resource_id.clone()), database))
        .collect();
    let change = known
        .daily_change_percent
        .map_or(ASSUMED_DAILY_CHANGE_PERCENT, Range::exactly);
    let mut databases = Vec::new();
    let mut passed_over = Vec::new();
    for living in &findings.fleet.databases {
        let (database, key) = (&living.database, living.key());
        let snapshots = snapshots.get(&key);
        if let Some(reason) = living.reason.as_ref().filter(|_| snapshots.is_none()) {
            passed_over.push(PassedOver {
                kind: database.kind,
                database: database.id.clone(),
                reason: reason.to_string(),
            });
            continue;
        }
        let found = DatabaseFindings {
            database,
            snapshots,
            copies: copies.get(&key).copied(),
            expected_key: expected_key(database, findings.key_arn.as_deref()),
        };
        databases.push(found.estimate(basis, known, change, &times));
    }
    databases.sort_by(|a, b| (a.kind, &a.resource_id).cmp(&(b.kind, &b.resource_id)));
    let with_the_stack = Coverage::new(&databases, CopySlots::RDS.within(basis.concurrency));
    let intervals = snapshots.values().flat_map(|snapshots| snapshots.intervals.clone());
    let month = |at: usize| monthly_cost(&databases, &tariff, at);
    Estimate {
        with_all_slots: Coverage::new(&databases, CopySlots::RDS),
        objective: ObjectiveProposal::new(
            basis.objective,
            median(intervals.collect()),
            SignedDuration::from_secs(with_the_stack.daily_seconds),
        ),
        with_the_stack,
        quotas: snapshot_quotas(&databases, &copies, &findings.quotas),
        first_month: month(0),
        later_months: month(1),
        assumptions: Assumptions {
            gib_per_hour: times.gib_per_hour.round(),
            measured_by: times.measured_by,
            overhead_seconds: times.overhead.as_secs(),
            daily_change_percent: change,
            is_change_given: known.daily_change_percent.is_some(),
        },
        notes: findings.notes,
        tariff,
        databases,
        passed_over,
    }
}

/// The key that a copy of a database gets; nothing if that is not known. A tag of the database may pick one.
fn expected_key<'a>(database: &'a Database, key_arn: Option<&'a str>) -> Option<ExpectedKey<'a>> {
    if !takes_key(database.kind, database.encryption) {
        return Some(ExpectedKey::None);
    }
    let picked = database.tags.get(tags::KMS_KEY).map(String::as_str);
    picked.or(key_arn).map(ExpectedKey::Arn)
}

/// The key of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExpectedKey<'a> {
    /// Of an unencrypted cluster.
    None,
    Arn(&'a str),
}

/// All that is known of a database.
struct DatabaseFindings<'a> {
    database: &'a Database,
    snapshots: Option<&'a AutomatedSnapshots>,
    copies: Option<&'a DatabaseCopies>,
    expected_key: Option<ExpectedKey<'a>>,
}

impl DatabaseFindings<'_> {
    fn estimate(&self, basis: &Basis, known: Known, change: Range, times: &CopyTimes) -> DatabaseEstimate {
        let Self {
            database, snapshots, ..
        } = *self;
        let key: DatabaseKey = (database.kind, database.resource_id.clone());
        let (size_gib, size_from) = self.size(known);
        let size = size_gib.map(f64::from);
        // User guides: copies of instances are incremental, those of Aurora are stored in full and transferred
        // incrementally, those of DocumentDB and Neptune are full in every way.
        let is_always_full = database.kind == DatabaseKind::Cluster && !is_aurora(&database.engine);
        let transfer = if is_always_full || self.line().is_none() {
            CopyExtent::Full
        } else {
            CopyExtent::Incremental
        };
        let stored = match database.kind {
            DatabaseKind::Instance => CopyExtent::Incremental,
            DatabaseKind::Cluster => CopyExtent::Full,
        };
        let share = Range {
            low: change.low / 100.0,
            high: change.high / 100.0,
        };
        let daily_gib = size.map(|size| {
            if is_always_full {
                Range::exactly(size)
            } else {
                share * Range::exactly(size)
            }
        });
        let daily = times.next(&key, daily_gib.map(|gib| gib.high), is_always_full);
        let next = match transfer {
            CopyExtent::Full => times.full(&key, size),
            CopyExtent::Incremental => daily,
        };
        let wishes = RetentionRules::from_wishes(&database.tags).0;
        let copies_kept = basis.keep.widest(wishes).copies_of_daily();
        let CopyTime { is_measured, .. } = next;
        DatabaseEstimate {
            kind: database.kind,
            database: database.id.clone(),
            resource_id: database.resource_id.clone(),
            is_covered: self.is_covered(snapshots),
            size_gib,
            size_from,
            transfer,
            stored,
            copies_kept,
            next_seconds: next.time.as_secs(),
            daily_seconds: daily.time.as_secs(),
            is_measured,
            is_at_least: next.is_at_least || daily.is_at_least,
            next: next.time,
            daily: daily.time,
            transferred: transferred(size, daily_gib, transfer),
            kept: kept(size, share, stored, copies_kept),
        }
    }

    fn size(&self, known: Known) -> (Option<u32>, SizeSource) {
        let positive = |gib: Option<i32>| gib.and_then(|gib| u32::try_from(gib).ok()).filter(|gib| *gib > 0);
        let snapshot = self.snapshots;
        let written = positive(snapshot.and_then(|snapshot| snapshot.written_gib));
        let allocated = snapshot.and_then(|snapshot| snapshot.allocated_gib);
        let allocated = positive(allocated.or(self.database.allocated_gib));
        let given = known
            .cluster_gib
            .filter(|_| self.database.kind == DatabaseKind::Cluster);
        let found = [
            (written, SizeSource::Written),
            (allocated, SizeSource::Allocated),
            (given, SizeSource::Given),
        ];
        let mut found = found.into_iter().filter(|(gib, _)| gib.is_some());
        found.next().unwrap_or((None, SizeSource::Unknown))
    }

    /// The copy that the next one continues: the newest complete one, under the same key.
    fn line(&self) -> Option<&OwnedCopy> {
        let newest = self.newest_complete()?;
        let is_same = match self.expected_key {
            None => true,
            Some(ExpectedKey::None) => newest.snapshot.kms_key_arn.is_none(),
            Some(ExpectedKey::Arn(arn)) => newest.snapshot.kms_key_arn.as_deref() == Some(arn),
        };
        is_same.then_some(newest)
    }

    fn newest_complete(&self) -> Option<&OwnedCopy> {
        let mut copies = self.copies?.copies.iter();
        copies.find(|copy| matches!(copy.own.status, CopyStatus::Verified | CopyStatus::Unverified))
    }

    /// Whether its newest snapshot has a complete copy.
    fn is_covered(&self, snapshots: Option<&AutomatedSnapshots>) -> bool {
        let Some(copy) = self.newest_complete() else {
            return false;
        };
        snapshots.is_none_or(|snapshots| copy.own.source_created >= snapshots.newest)
    }
}

/// GiB that leave the source region in the first month, and in each later one.
fn transferred(size: Option<f64>, daily: Option<Range>, next: CopyExtent) -> [Range; 2] {
    let (Some(size), Some(daily)) = (size, daily) else {
        return [Range::default(); 2];
    };
    let first = match next {
        CopyExtent::Full => Range::exactly(size) + daily * Range::exactly(COPIES_PER_MONTH - 1.0),
        CopyExtent::Incremental => daily * Range::exactly(COPIES_PER_MONTH),
    };
    [first, daily * Range::exactly(COPIES_PER_MONTH)]
}

/// GiB of the copies at the end of the first month, and of all that are kept.
fn kept(size: Option<f64>, share: Range, stored: CopyExtent, copies_kept: u32) -> [Range; 2] {
    let size = Range::exactly(size.unwrap_or_default());
    [f64::from(copies_kept).min(COPIES_PER_MONTH), f64::from(copies_kept)].map(|copies| match stored {
        CopyExtent::Full => size * Range::exactly(copies),
        CopyExtent::Incremental => size + size * share * Range::exactly((copies - 1.0).max(0.0)),
    })
}

fn snapshot_quotas(
    databases: &[DatabaseEstimate],
    copies: &BTreeMap<DatabaseKey, &DatabaseCopies>,
    quotas: &AccountQuotas,
) -> Vec<SnapshotQuota> {
    let kinds = DatabaseKind::ALL.into_iter().map(|kind| {
        let of_kind = databases.iter().filter(|database| database.kind == kind);
        let needed = of_kind
            .clone()
            .map(|database| i64::from(database.copies_kept) + 1)
            .sum();
        let own = of_kind.filter_map(|database| copies.get(&(kind, database.resource_id.clone())));
        let own: usize = own
            .map(|database| database.copies.len() - database.count(CopyStatus::Going))
            .sum();
        let quota = quotas.snapshots.get(&kind).copied();
        SnapshotQuota::new(kind, quota, needed, i64::try_from(own).unwrap_or(i64::MAX))
    });
    kinds.collect()
}

/// What a month costs: the first one, or each later one.
fn monthly_cost(databases: &[DatabaseEstimate], tariff: &Tariff, at: usize) -> MonthlyCost {
    let mut cost = MonthlyCost {
        transfer_gib: Range::default(),
        transfer: Range::default(),
        storage_gib: Range::default(),
        storage: Range::default(),
    };
    for database in databases {
        let (transferred, kept) = (database.transferred[at], database.kept[at]);
        cost.transfer_gib = cost.transfer_gib + transferred;
        cost.transfer = cost.transfer + transferred * tariff.transfer_per_gib;
        cost.storage_gib = cost.storage_gib + kept;
        cost.storage = cost.storage + kept * tariff.storage(database.kind);
    }
    MonthlyCost {
        transfer_gib: cost.transfer_gib.rounded(),
        transfer: cost.transfer.rounded(),
        storage_gib: cost.storage_gib.rounded(),
        storage: cost.storage.rounded(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D5: with the default of 26 h a fleet that is copied within an hour is well, and one that queues is not.
    #[test]
    fn the_rpo_is_the_interval_the_time_to_cover_and_a_margin() {
        let present = SignedDuration::from_hours(26);
        for (interval, minutes, proposed, is_missed) in [
            (None, 0, 25, false),
            (None, 52, 26, false),
            (None, 53, 27, true),
            (Some(24), 10 * 60, 37, true),
            (Some(6), 10 * 60, 19, false),
        ] {
            let interval = interval.map(SignedDuration::from_hours);
            let proposal = ObjectiveProposal::new(present, interval, SignedDuration::from_mins(minutes));
            assert_eq!(
                (proposal.proposed_hours, proposal.is_missed()),
                (proposed, is_missed),
                "{interval:?}, {minutes} min"
            );
            assert_eq!(proposal.is_interval_measured, interval.is_some());
        }
    }

    #[test]
    fn a_quota_needs_room_for_what_is_there_and_for_what_comes() {
        let quota = |used, max| Some(Quota { used, max });
        for (quota, needed, own, raise_to) in [
            (quota(0, 100), 100, 0, None),
            (quota(0, 100), 104, 0, Some(104)),
            // Thirty of the forty are copies of these databases already.
            (quota(40, 100), 90, 30, None),
            (quota(40, 100), 91, 30, Some(101)),
            (quota(3, 100), 90, 30, None),
            (None, 1_000, 0, None),
        ] {
            let found = SnapshotQuota::new(DatabaseKind::Cluster, quota, needed, own);
            assert_eq!(found.raise_to, raise_to, "{quota:?} {needed} {own}");
            assert_eq!(found.code, "L-9B510759");
        }
    }
}
