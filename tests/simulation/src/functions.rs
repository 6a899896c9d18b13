//! The functions of both stacks as Lambda runs them: the real handlers, killed, repeated, delayed, under clocks that
//! differ.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use domain::by_hand;
use domain::copy_tags::{CopyStatus, OwnCopy};
use domain::drill::Drill;
use domain::drill_database::prefix;
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::ownership::{CopyIdentity, Format, Owner};
use domain::payload::{Found, Prunable, PruneReport, Pruned, Started};
use domain::retention::{self, Brake, PruneRules, SourceDatabase};
use domain::retention_rules::RetentionRules;
use domain::tags;
use domain::watch_settings::WatchSettings;
use end_restore::Runs;
use fixtures::next_release::add_more;
use jiff::{SignedDuration, Timestamp};
use list_targets::Keys;
use rds::SnapshotQuery;
use runtime::deployment::Deployment;
use runtime::release::{made_by, stamped};
use runtime::watch::Watch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ssm::{AllProofs, ReadProofs};
use step_functions::{Failure, before};

use crate::invariants::{Invariants, MAX_SKEW};
use crate::network::{Network, as_invocation, invocation, skewed};
use crate::policies::OTHER_KEY;
use crate::random::Random;
use crate::record::Record;
use crate::releases::Release;
use crate::virtual_time::{Promise, Tasks};

/// Something that is broken on purpose, to see that the simulation notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Broken {
    /// Nothing.
    #[default]
    Nothing,
    /// prune-old also deletes the newest verified copy.
    PrunerDeletesNewest,
    /// start-copy does not look whether the copy is there already, but takes the next name.
    NoIdempotencyCheck,
    /// The states of copy-snapshot that call `StartCopy` and `FindLatestSnapshot` do not retry.
    NoRetry,
    /// prune-old goes on although a tag of the database cannot be read.
    PrunerOverlooksUnreadableTags,
    /// prune-old keeps what the stack says, whatever the tags ask for.
    PrunerOverlooksTags,
    /// prune-old keeps one copy of a database that no longer exists, whatever the stack says.
    PrunerKeepsOneOfTheGone,
    /// prune-old deletes in one execution whatever may go.
    NoBrake,
    /// prune-old reads what copies recorded of retention on the newest verified one only.
    WidestOfTheNewest,
    /// A copy of which RDS reports another source than its tags counts as ours.
    ReportedSourceIgnored,
    /// prune-old does not read whether a person holds a copy.
    HoldIgnored,
    /// A delete that RDS refuses ends pruning.
    RefusedDeleteEndsLoop,
    /// The name of a copy does not depend on when its snapshot was taken, so that the copy of an earlier snapshot of that
    /// name is taken for it.
    NameWithoutTime,
    /// check-copy-status marks whatever is complete as verified.
    VerifiesAnything,
    /// start-copy asks for a key that nobody allowed.
    ForeignKey,
    /// An iteration of copy-fleet does not catch that its database failed.
    NoCatchInMap,
    /// A run of drill-fleet tears down only what drills that ended well have made.
    NoTeardown,
    /// The sweep deletes whatever is named like a drill database.
    SweepTrustsName,
    /// A drill database gets its expiry after it was made.
    ExpiryAfterCreation,
    /// The sweep believes whatever time the tag of a drill database names.
    TagExtendsExpiry,
    /// end-restore takes a delete that RDS refuses, because the database is busy, for done.
    DeleteGivesUp,
    /// start-copy refuses a target with a field that it does not know.
    StrictTarget,
    /// check-restore refuses a drill with a field that it does not know.
    StrictDrill,
}

impl Broken {
    /// All of them but nothing.
    pub const ALL: [Self; 22] = [
        Self::PrunerDeletesNewest,
        Self::NoIdempotencyCheck,
        Self::NoRetry,
        Self::PrunerOverlooksUnreadableTags,
        Self::PrunerOverlooksTags,
        Self::PrunerKeepsOneOfTheGone,
        Self::NoBrake,
        Self::WidestOfTheNewest,
        Self::ReportedSourceIgnored,
        Self::HoldIgnored,
        Self::RefusedDeleteEndsLoop,
        Self::NameWithoutTime,
        Self::VerifiesAnything,
        Self::ForeignKey,
        Self::NoCatchInMap,
        Self::NoTeardown,
        Self::SweepTrustsName,
        Self::ExpiryAfterCreation,
        Self::TagExtendsExpiry,
        Self::DeleteGivesUp,
        Self::StrictTarget,
        Self::StrictDrill,
    ];
}

/// The figure that counts the payloads which a function got of another release.
pub const PAYLOADS_OF_ANOTHER_RELEASE: &str = "payloads of another release";

/// What one invocation returns.
pub type Ended = Result<Value, Failure>;

/// Lambda, with the functions of both stacks.
pub struct Functions {
    tasks: Rc<Tasks>,
    network: Network,
    record: Record,
    invariants: Invariants,
    /// What each of those that copy works with.
    deployments: RefCell<BTreeMap<&'static str, Rc<Deployment>>>,
    /// Which release each of them is, if it is not this one.
    releases: RefCell<BTreeMap<&'static str, Release>>,
    keys: Keys,
    /// What the functions of the destination stack work with, if it is deployed.
    watches: RefCell<BTreeMap<&'static str, Rc<Watch>>>,
    /// What drills have proved.
    pub(crate) proofs: RefCell<AllProofs>,
    /// The machine and the name of every execution that is running.
    pub(crate) running: RefCell<BTreeSet<(String, String)>>,
    random: RefCell<Random>,
    /// The same for the functions of drills, so that those of copies meet the same with drills and without.
    random_of_drills: RefCell<Random>,
    /// How far each function's clock is off.
    skews: RefCell<BTreeMap<String, SignedDuration>>,
    last: Cell<u64>,
    broken: Broken,
}

/// The stretch of time in which a run listed its databases, and read their tags.
pub type Listed = (Timestamp, Timestamp);

/// One invocation that is asked for.
#[derive(Debug, Clone)]
struct Invocation {
    function: String,
    payload: Value,
    listed: Option<Listed>,
}

/// What goes wrong with one invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Lambda refuses to start it.
    NotStarted(&'static str),
    /// It is killed before it does anything.
    KilledBefore,
    /// It is killed after this many milliseconds.
    KilledHalfway(u64),
    /// It is killed when it has done everything, before it can answer.
    KilledAfter,
    /// It is done twice, the second time this many seconds later.
    Twice(u64),
    /// Its answer takes this many seconds.
    Late(u64),
}

const KILLED: &[&str] = &["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"];
const NOT_STARTED: &[&str] = &[
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
];

impl Functions {
    /// The names of those of the destination stack.
    pub const OF_DRILLS: [&'static str; 5] = [
        "measure-copies",
        "plan-drills",
        "start-restore",
        "check-restore",
        "end-restore",
    ];

    /// The names of those that copy.
    pub const NAMES: [&'static str; 5] = [
        "list-targets",
        "find-latest-snapshot",
        "start-copy",
        "check-copy-status",
        "prune-old",
    ];

    /// Those that copy, as deployed with these settings.
    #[must_use]
    pub fn new(
        tasks: &Rc<Tasks>,
        network: &Network,
        record: &Record,
        invariants: &Invariants,
        settings: &domain::settings::Settings,
        random: Random,
        broken: Broken,
    ) -> Rc<Self> {
        let this = Rc::new(Self {
            tasks: Rc::clone(tasks),
            network: network.clone(),
            record: record.clone(),
            invariants: invariants.clone(),
            deployments: RefCell::default(),
            releases: RefCell::default(),
            keys: network.keys("list-targets", settings),
            watches: RefCell::default(),
            proofs: RefCell::default(),
            running: RefCell::default(),
            random_of_drills: RefCell::new(random.apart("drills")),
            random: RefCell::new(random),
            skews: RefCell::default(),
            last: Cell::new(0),
            broken,
        });
        this.deploy(settings);
        this
    }

    /// Deploys those that copy with these settings; those that run go on with what they had.
    pub fn deploy(&self, settings: &domain::settings::Settings) {
        let deployments = Self::NAMES.into_iter().map(|name| {
            let deployment = self.network.deployment(name, settings);
            (
                name,
                Rc::new(deployment.with_release(self.release_of(name).name().to_owned())),
            )
        });
        *self.deployments.borrow_mut() = deployments.collect();
    }

    /// Deploys the stack of the destination region.
    pub(crate) fn deploy_drills(&self, settings: &WatchSettings) {
        if self.broken == Broken::ExpiryAfterCreation {
            self.network.hide_expiry();
        }
        let watches = Self::OF_DRILLS.into_iter().map(|name| {
            let watch = self.network.watch(name, settings);
            (
                name,
                Rc::new(watch.with_release(self.release_of(name).name().to_owned())),
            )
        });
        *self.watches.borrow_mut() = watches.collect();
    }

    /// Which release a function is.
    fn release_of(&self, function: &str) -> Release {
        self.releases.borrow().get(function).copied().unwrap_or_default()
    }

    /// Deploys another release of a function; what runs goes on as what it was.
    pub(crate) fn update(&self, function: &'static str, release: Release) {
        self.releases.borrow_mut().insert(function, release);
        let name = || release.name().to_owned();
        if let Some(deployment) = self.deployments.borrow_mut().get_mut(function) {
            *deployment = Rc::new(Deployment::clone(deployment).with_release(name()));
        }
        if let Some(watch) = self.watches.borrow_mut().get_mut(function) {
            *watch = Rc::new(Watch::clone(watch).with_release(name()));
        }
    }

    /// The judge of what they do.
    pub(crate) fn invariants(&self) -> &Invariants {
        &self.invariants
    }

    /// Where the faults of a function are drawn from.
    fn random_of(&self, function: &str) -> &RefCell<Random> {
        if Self::OF_DRILLS.contains(&function) {
            &self.random_of_drills
        } else {
            &self.random
        }
    }

    /// Invokes a function for a run that listed its databases in this stretch of time, if it has. It goes on even when
    /// nobody waits for its answer any more.
    pub fn invoke(self: &Rc<Self>, function: &str, payload: Value, listed: Option<Listed>) -> Promise<Ended> {
        let answer = Promise::default();
        let call = Invocation {
            function: function.to_owned(),
            payload,
            listed,
        };
        let work = Rc::clone(self).deliver(call, answer.clone());
        self.tasks.begin(work);
        answer
    }

    async fn deliver(self: Rc<Self>, call: Invocation, answer: Promise<Ended>) {
        let function = call.function.clone();
        let clock = self.tasks.clock().clone();
        let fault = self.draw_fault(&function);
        self.record.call(&format!("invoke {function}"));
        let pause = self.random_of(&function).borrow_mut().within(10..=300);
        clock.sleep(Duration::from_millis(pause)).await;
        if let Some(fault) = fault {
            self.record.fault(&named(&function, fault.name()), &function);
        }
        let killed = || {
            let error = *self.random_of(&function).borrow_mut().one_of(KILLED);
            Err(Failure {
                error: error.to_owned(),
                cause: Some(format!(
                    "{{\"errorType\":\"{error}\",\"errorMessage\":\"the process is gone\"}}"
                )),
            })
        };
        match fault {
            Some(Fault::NotStarted(error)) => {
                self.missed(&call);
                answer.keep(Err(Failure {
                    error: error.to_owned(),
                    cause: Some("Lambda did not start the function".to_owned()),
                }));
            }
            Some(Fault::KilledBefore) => {
                self.missed(&call);
                answer.keep(killed());
            }
            Some(Fault::KilledHalfway(after)) => {
                let end = clock.sleep(Duration::from_millis(after));
                let ended = before(self.run(call), end).await;
                answer.keep(ended.unwrap_or_else(killed));
            }
            Some(Fault::KilledAfter) => {
                let _ = self.run(call).await;
                answer.keep(killed());
            }
            Some(Fault::Twice(later)) => {
                let again = {
                    let (this, call) = (Rc::clone(&self), call.clone());
                    async move {
                        this.tasks.clock().sleep(Duration::from_secs(later)).await;
                        this.record.note(&format!("again: {}", call.function));
                        let _ = this.run(call).await;
                    }
                };
                self.tasks.begin(again);
                answer.keep(self.run(call).await);
            }
            Some(Fault::Late(seconds)) => {
                let ended = self.run(call).await;
                clock.sleep(Duration::from_secs(seconds)).await;
                answer.keep(ended);
            }
            None => answer.keep(self.run(call).await),
        }
    }

    fn draw_fault(&self, function: &str) -> Option<Fault> {
        let mut random = self.random_of(function).borrow_mut();
        let rates = self.network.rates();
        random.per_mille(rates.of_steps).then(|| match random.within(0..=6) {
            0 => Fault::NotStarted(random.one_of::<&'static str>(NOT_STARTED)),
            1 => Fault::KilledBefore,
            2 => Fault::KilledHalfway(random.within(1..=2500)),
            3 => Fault::KilledAfter,
            4 | 5 => Fault::Twice(random.within(0..=90)),
            _ => Fault::Late(random.within(5..=400)),
        })
    }

    /// A step that never began: a sweep that goes wrong.
    fn missed(&self, call: &Invocation) {
        if is_sweep(&call.function, &call.payload) {
            self.last.set(self.last.get() + 1);
            let (state, now) = (self.network.destination(), self.tasks.clock().now());
            self.invariants.drills().sweeps(self.last.get(), &state, now);
        }
    }

    /// What the clock of a function's environment shows; it changes when the environment does.
    fn now_of(&self, function: &str) -> Timestamp {
        let mut skews = self.skews.borrow_mut();
        let is_on = self.network.rates().of_steps > 0;
        let skew = skews.entry(function.to_owned()).or_default();
        let mut random = self.random_of(function).borrow_mut();
        if is_on && random.per_mille(50) {
            let most = u64::try_from(MAX_SKEW.as_secs()).unwrap_or_default() / 2;
            let seconds =
                i64::try_from(random.within(0..=2 * most)).unwrap_or_default() - i64::try_from(most).unwrap_or(0);
            *skew = SignedDuration::from_secs(seconds);
            self.record
                .fault(&named(function, "clock set"), &format!("{function} {seconds} s"));
        } else if !is_on {
            *skew = SignedDuration::ZERO;
        }
        skewed(self.tasks.clock().now(), *skew)
    }

    async fn run(self: &Rc<Self>, call: Invocation) -> Ended {
        let Invocation {
            function,
            payload,
            listed,
        } = call;
        let function = function.as_str();
        self.last.set(self.last.get() + 1);
        let number = self.last.get();
        let now = self.now_of(function);
        self.invariants
            .invoked(number, function, self.tasks.clock().now(), listed);
        let timeout = match function {
            "list-targets" | "prune-old" | "measure-copies" | "plan-drills" | "end-restore" => 300,
            _ => 120,
        };
        let is_sweep = is_sweep(function, &payload);
        if is_sweep {
            let state = self.network.destination();
            self.invariants
                .drills()
                .sweeps(number, &state, self.tasks.clock().now());
        } else if let ("end-restore", Some(execution)) = (function, payload["drill"]["execution"].as_str()) {
            self.invariants.drills().tears_down(number, execution);
        }
        let end = self.tasks.clock().sleep(Duration::from_secs(timeout));
        let release = self.release_of(function);
        let made_by = made_by(&payload).map(str::to_owned);
        if made_by.as_deref().is_some_and(|made_by| made_by != release.name()) {
            self.record.add(PAYLOADS_OF_ANOTHER_RELEASE, 1);
        }
        let work = as_invocation(number, self.handle(function, payload, now));
        let ended = before(work, end).await.unwrap_or_else(|| {
            Err(Failure {
                error: "Sandbox.Timedout".to_owned(),
                cause: Some("{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"Task timed out\"}".to_owned()),
            })
        });
        if let Err(failure) = &ended
            && failure.error == "CopyMismatch"
        {
            self.record.faults("copy comes out different", 1);
        }
        if let Err(failure) = &ended {
            self.record.add(&format!("functions end with {}", failure.error), 1);
            let cause = failure.cause.as_deref().unwrap_or_default();
            if failure.error == "PayloadUnknown" || made_by.is_some() && cause.contains("unknown field") {
                self.record
                    .violation(&format!("{function} cannot read what a function made: {cause}"));
            }
        }
        if is_sweep && ended.is_ok() {
            self.invariants.drills().swept(number, &self.network.destination());
        }
        let said = match &ended {
            Ok(_) => "ok".to_owned(),
            Err(failure) => format!("{} {}", failure.error, failure.cause.as_deref().unwrap_or_default()),
        };
        self.record.note(&format!("#{number} {function}: {said}"));
        ended
    }

    /// Answers as the release that the function is when it begins.
    async fn handle(&self, function: &str, payload: Value, now: Timestamp) -> Ended {
        let release = self.release_of(function);
        self.refuse_more(function, &payload)?;
        let mut answer = self.handle_as(function, payload, now, release).await?;
        if release == Release::Next {
            add_more(&mut answer);
        }
        Ok(answer)
    }

    /// The broken functions: they refuse the fields of the next release.
    fn refuse_more(&self, function: &str, payload: &Value) -> Result<(), Failure> {
        let checked = match (self.broken, function) {
            (Broken::StrictTarget, "start-copy") => by_hand::check(&payload["target"], &by_hand::target()),
            (Broken::StrictDrill, "check-restore") => {
                let mut drill = payload.clone();
                if let Some(fields) = drill.as_object_mut() {
                    fields.remove("log");
                }
                by_hand::check(&drill, &[("", by_hand::fields::<Drill>())])
            }
            _ => Ok(()),
        };
        checked.map_err(|error| Failure::from_function(error.name(), &error.to_string()))
    }

    async fn handle_as(&self, function: &str, payload: Value, now: Timestamp, release: Release) -> Ended {
        if Self::OF_DRILLS.contains(&function) {
            let watch = Rc::clone(&self.watches.borrow()[function]);
            return Box::pin(self.handle_drill(&watch, function, payload, now, release)).await;
        }
        let deployment = Rc::clone(&self.deployments.borrow()[function]);
        let deployment = &*deployment;
        match function {
            "list-targets" => {
                answer(payload, release, |input| {
                    list_targets::handle(deployment, &self.keys, input, now)
                })
                .await
            }
            "find-latest-snapshot" => {
                answer(payload, release, |target| {
                    find_latest_snapshot::handle(deployment, target, now)
                })
                .await
            }
            "start-copy" => {
                answer(payload, release, async |mut found: Found| {
                    if self.broken == Broken::NoIdempotencyCheck {
                        pass_over(deployment, &mut found).await?;
                    }
                    if self.broken == Broken::NameWithoutTime {
                        take_for_another(deployment, &mut found).await?;
                    }
                    if self.broken == Broken::ForeignKey {
                        let deployment = pick_foreign_key(deployment, &mut found);
                        return start_copy::handle(&deployment, found, now).await;
                    }
                    start_copy::handle(deployment, found, now).await
                })
                .await
            }
            "check-copy-status" => {
                answer(payload, release, async |started: Started| {
                    let copy = started.copy.arn.clone();
                    let checked = check_copy_status::handle(deployment, started, now).await;
                    if self.broken == Broken::VerifiesAnything && matches!(checked, Err(Error::CopyMismatch { .. })) {
                        let time = now.to_string();
                        deployment.destination.tag(&copy, tags::VERIFIED, &time).await?;
                    }
                    checked
                })
                .await
            }
            _ => {
                answer(payload, release, async |mut payload: Prunable| {
                    match self.broken {
                        Broken::PrunerDeletesNewest => delete_from(deployment, &payload, 0, 1).await?,
                        Broken::PrunerOverlooksTags if !payload.target.dry_run => {
                            let kept = usize::try_from(deployment.settings.keep.copies).unwrap_or(1);
                            delete_from(deployment, &payload, kept, usize::MAX).await?;
                        }
                        Broken::PrunerOverlooksUnreadableTags
                            if !payload.target.dry_run
                                && payload.target.policy.as_ref().is_some_and(|policy| policy.hold_all) =>
                        {
                            let kept = usize::try_from(deployment.settings.keep.copies).unwrap_or(1);
                            delete_from(deployment, &payload, kept, usize::MAX).await?;
                        }
                        Broken::NoBrake => {
                            let mut deployment = deployment.clone();
                            deployment.settings.max_deletes_per_run = 1000;
                            return prune_old::handle(&deployment, payload, now).await;
                        }
                        Broken::WidestOfTheNewest
                        | Broken::ReportedSourceIgnored
                        | Broken::HoldIgnored
                        | Broken::RefusedDeleteEndsLoop
                            if !payload.target.dry_run =>
                        {
                            return prune_broken(deployment, payload, now, self.broken).await;
                        }
                        Broken::PrunerKeepsOneOfTheGone if payload.target.retired => {
                            let mut deployment = deployment.clone();
                            deployment.settings.keep.copies = 1;
                            payload.target.rules = None;
                            return prune_old::handle(&deployment, payload, now).await;
                        }
                        _ => {}
                    }
                    prune_old::handle(deployment, payload, now).await
                })
                .await
            }
        }
    }
}

impl Functions {
    async fn handle_drill(
        &self,
        watch: &Watch,
        function: &str,
        payload: Value,
        now: Timestamp,
        release: Release,
    ) -> Ended {
        match function {
            "measure-copies" => {
                let lookups = measure_copies::Lookups {
                    keys: self.network.keys_in(function, &watch.settings.region),
                    proofs: self,
                };
                answer(payload, release, |input| {
                    measure_copies::handle(watch, &lookups, input, now)
                })
                .await
            }
            "plan-drills" => answer(payload, release, |input| plan_drills::handle(watch, self, input, now)).await,
            "start-restore" => {
                answer(payload, release, async |drill: Drill| {
                    let begun = start_restore::handle(watch, drill, now).await?;
                    if self.broken == Broken::ExpiryAfterCreation {
                        write_expiry(watch, &begun).await?;
                    }
                    Ok(begun)
                })
                .await
            }
            "check-restore" => answer(payload, release, |drill| check_restore::handle(watch, drill, now)).await,
            _ => {
                let is_sweep = payload["sweep"] == true;
                if is_sweep && matches!(self.broken, Broken::SweepTrustsName | Broken::TagExtendsExpiry) {
                    return match Box::pin(sweep_broken(watch, self, now, self.broken)).await {
                        Ok(()) => Ok(json!({})),
                        Err(error) => Err(Failure::from_function(error.name(), &error.to_string())),
                    };
                }
                let ended = answer(payload, release, |request| {
                    end_restore::handle(watch, self, request, now)
                })
                .await;
                match ended {
                    Ok(answer) if self.broken == Broken::DeleteGivesUp && is_busy(&answer) => {
                        Ok(json!({ "gone": true, "unseen": 2 }))
                    }
                    other => other,
                }
            }
        }
    }
}

impl ReadProofs for Functions {
    async fn all(&self, _: &Owner) -> Result<AllProofs, Error> {
        if self.network.fails("Systems Manager", "GetParametersByPath") {
            return Err(throttled());
        }
        Ok(self.proofs.borrow().clone())
    }
}

impl Runs for Functions {
    async fn is_running(&self, arn: &str) -> Result<bool, Error> {
        if self.network.fails("Step Functions", "DescribeExecution") {
            self.invariants.drills().disturbed(invocation(), "");
            return Err(throttled());
        }
        let Some((_, name)) = arn.split_once(":eu-west-1:123456789012:execution:snapferry-drill-copy:") else {
            self.record
                .violation(&format!("{arn} is asked for, and no drill has it"));
            return Ok(false);
        };
        let key = ("drill-copy".to_owned(), name.to_owned());
        Ok(self.running.borrow().contains(&key))
    }
}

/// What a fault is counted as: those of drills apart from those of copies.
pub(crate) fn named(function: &str, fault: &str) -> String {
    if Functions::OF_DRILLS.contains(&function) {
        format!("drill: {fault}")
    } else {
        fault.to_owned()
    }
}

fn throttled() -> Error {
    rds::codes::refused("ThrottlingException", "Rate exceeded")
}

/// Whether end-restore waits because RDS has refused to delete something.
fn is_busy(answer: &Value) -> bool {
    let reason = answer["waiting"]["reason"].as_str().unwrap_or_default();
    reason.contains("InvalidDBInstanceState") || reason.contains("InvalidDBClusterStateFault")
}

/// The broken start-restore: only now it writes until when the database may live.
async fn write_expiry(watch: &Watch, begun: &Drill) -> Result<(), Error> {
    let Some(restore) = &begun.restore else { return Ok(()) };
    if let Some(database) = watch.rds.restored(begun.kind, &begun.name).await? {
        let until = restore.until.to_string();
        watch.rds.tag(&database.arn, tags::DRILL_UNTIL, &until).await?;
    }
    Ok(())
}

/// The broken sweep: it believes a name, or a tag.
async fn sweep_broken(watch: &Watch, runs: &impl Runs, now: Timestamp, broken: Broken) -> Result<(), Error> {
    let mut found = watch.rds.restored_named(&prefix(&watch.owner)).await?;
    found.sort_by_key(|database| database.kind != DatabaseKind::Instance);
    for database in found {
        let mark = database.mark();
        let is_meant = broken == Broken::SweepTrustsName || mark.is_ours(&watch.owner);
        let tagged = database
            .tags
            .get(tags::DRILL_UNTIL)
            .and_then(|until| until.parse().ok());
        let is_over = match tagged {
            Some(until) if broken == Broken::TagExtendsExpiry => now > until,
            _ => mark.is_overdue(watch.settings.drills.hours, now),
        };
        let is_running = match mark.run() {
            Some(run) => {
                let machine = &watch.settings.drills.machine;
                let arn = format!(
                    "arn:aws:states:{}:123456789012:execution:{machine}:{run}",
                    watch.settings.region
                );
                runs.is_running(&arn).await.unwrap_or(true)
            }
            None => mark.is_ours(&watch.owner),
        };
        if is_meant && (is_over || !is_running) {
            watch.rds.delete_database(database.kind, &database.id).await.ok();
        }
    }
    Ok(())
}

/// Reads the payload, calls, and spells the outcome as the Lambda runtime does.
async fn answer<I: DeserializeOwned, O: Serialize>(
    payload: Value,
    release: Release,
    handle: impl AsyncFnOnce(I) -> Result<O, Error>,
) -> Ended {
    let ended = match runtime::input::parse(payload) {
        Ok(input) => Box::pin(handle(input)).await,
        Err(error) => Err(error),
    };
    let ended = ended.and_then(|output| stamped(&output, release.name()));
    ended.map_err(|error| Failure::from_function(error.name(), &error.to_string()))
}

/// The broken start-copy: a name that is taken is passed over, whosever it is.
async fn pass_over(deployment: &Deployment, found: &mut Found) -> Result<(), Error> {
    let Some(source) = &found.source else { return Ok(()) };
    let own = found.target.kms_key_arn(&deployment.settings)?.to_owned();
    for key in [Some(own.as_str()), None] {
        let id = deployment.owner.copy_id(&CopyIdentity {
            format: Format::CURRENT,
            source_arn: &source.arn,
            source_created: source.created_at,
            source_resource_id: &found.target.resource_id,
            kms_key_arn: key,
            attempt: found.attempt,
        });
        let there = deployment
            .destination
            .snapshot(found.target.kind, &id, "manual")
            .await?;
        if there.is_some() {
            found.attempt = (found.attempt + 1) % domain::ownership::MAX_ATTEMPTS;
        }
    }
    Ok(())
}

/// The broken start-copy: it takes a key of the region that the stack does not allow.
fn pick_foreign_key(deployment: &Deployment, found: &mut Found) -> Deployment {
    let mut deployment = deployment.clone();
    deployment.settings.allowed_kms_key_arns.push(OTHER_KEY.to_owned());
    found.target.policy.get_or_insert_default().kms_key_arn = Some(OTHER_KEY.to_owned());
    deployment
}

/// The broken start-copy: where there is a copy of an earlier snapshot of the same ARN, the new one has its name.
async fn take_for_another(deployment: &Deployment, found: &mut Found) -> Result<(), Error> {
    let Some(source) = &mut found.source else { return Ok(()) };
    let names = [found.target.id.clone()];
    let there = deployment
        .destination
        .snapshots(found.target.kind, SnapshotQuery::ManualOfNames(&names))
        .await?;
    let own = there.iter().filter_map(|copy| OwnCopy::read(&deployment.owner, copy));
    let mut earlier = own.filter(|copy| copy.source_arn == source.arn && copy.source_created != source.created_at);
    if let Some(copy) = earlier.next() {
        source.created_at = copy.source_created;
        found.attempt = copy.attempt;
    }
    Ok(())
}

/// The broken prune-old: it sees, or does, something less than it should.
async fn prune_broken(
    deployment: &Deployment,
    payload: Prunable,
    now: Timestamp,
    broken: Broken,
) -> Result<Pruned, Error> {
    let target = &payload.target;
    let mut names = vec![target.id.clone()];
    names.extend(payload.former_ids.iter().cloned());
    let query = SnapshotQuery::ManualOfNames(&names);
    let mut there = deployment.destination.snapshots(target.kind, query).await?;
    if broken == Broken::ReportedSourceIgnored {
        for copy in &mut there {
            copy.source_arn = None;
        }
    }
    let mut copies: Vec<OwnCopy> = there
        .iter()
        .filter_map(|copy| OwnCopy::read(&deployment.owner, copy))
        .filter(|copy| copy.source_resource_id == target.resource_id)
        .collect();
    let verified = copies.iter().filter(|copy| copy.status == CopyStatus::Verified);
    let newest = verified
        .max_by_key(|copy| copy.source_created)
        .map(|copy| copy.id.clone());
    for copy in &mut copies {
        if broken == Broken::WidestOfTheNewest && newest.as_ref() != Some(&copy.id) {
            copy.retention = RetentionRules::default();
        }
        copy.hold &= broken != Broken::HoldIgnored;
    }
    let database = deployment.source.database(target.kind, &target.resource_id).await?;
    let database = database.as_ref().map_or(SourceDatabase::Gone, SourceDatabase::Living);
    let rules = PruneRules::new(&(&deployment.settings).into(), target, database, &copies);
    let mut brake = Brake::new(deployment.settings.max_deletes_per_run, 0);
    for verdict in retention::plan(&copies, &rules, now) {
        if verdict.delete && brake.allows(verdict.copy) {
            match deployment.destination.delete(target.kind, &verdict.copy.id).await {
                Ok(()) => brake.count(verdict.copy),
                Err(_) if broken == Broken::RefusedDeleteEndsLoop => break,
                Err(_) => {}
            }
        }
    }
    Ok(Pruned {
        payload,
        pruned: PruneReport::default(),
    })
}

/// The broken prune-old: of the verified copies, the newest first, `stay` stay and the `go` after them go.
async fn delete_from(deployment: &Deployment, payload: &Prunable, stay: usize, go: usize) -> Result<(), Error> {
    let names = [payload.target.id.clone()];
    let there = deployment
        .destination
        .snapshots(payload.target.kind, SnapshotQuery::ManualOfNames(&names))
        .await?;
    let mut copies: Vec<OwnCopy> = there
        .iter()
        .filter_map(|copy| OwnCopy::read(&deployment.owner, copy))
        .filter(|copy| copy.status == CopyStatus::Verified && copy.source_resource_id == payload.target.resource_id)
        .collect();
    copies.sort_by_key(|copy| std::cmp::Reverse(copy.source_created));
    for copy in copies.iter().skip(stay).take(go) {
        deployment.destination.delete(payload.target.kind, &copy.id).await?;
    }
    Ok(())
}

/// Whether a function is asked to delete what no drill needs any more.
fn is_sweep(function: &str, payload: &Value) -> bool {
    function == "end-restore" && payload["sweep"] == true
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::NotStarted(_) => "Lambda does not start a step",
            Self::KilledBefore => "step cut off before its effect",
            Self::KilledHalfway(_) => "step cut off half-way",
            Self::KilledAfter => "step cut off after its effect",
            Self::Twice(_) => "step delivered twice",
            Self::Late(_) => "step answered late",
        }
    }
}
