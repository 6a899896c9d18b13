//! What must always hold of drills, judged from what really is: at every call that changes something, at every sweep, at
//! the end of every execution and of the world.
//!
//! As for copies, nothing here asks the code under test: which databases drills made, of which copy, for which execution
//! and until when is known from the calls that RDS accepted, and what became of them from the simulated world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use domain::drill::DrillOutcome;
use domain::drill_proof::DrillProof;
use domain::tags;
use domain::watch_settings::WatchSettings;
use jiff::{SignedDuration, Timestamp};
use rds_simulator_sdk::simulator::{Bill, DatabaseState, Kind, SnapshotState, State};
use serde_json::Value;
use step_functions::entries;

use crate::executions::{Execution, Status};
use crate::invariants::MAX_SKEW;
use crate::network::{database_of, parameter, subject, tags_given};
use crate::record::Record;
use crate::virtual_time::lock;

/// What the names of drill databases begin with, and the mark that they carry.
pub(crate) const PREFIX: &str = "snapferry-drill-";
pub(crate) const MARK: &str = "us-east-1/snapferry";

/// Sweeps that could have deleted a database, after which it must be going.
const SWEEPS: u32 = 2;

/// How long what a function has read may be behind what is there: the call, and what goes wrong with it.
const READING: SignedDuration = SignedDuration::from_mins(2);

/// Statuses of a restored database that say that the copy is no good, and those that say that its surroundings are.
pub(crate) const OF_THE_COPY: [&str; 4] = ["incompatible-restore", "restore-error", "storage-full", "failed"];
pub(crate) const OF_THE_SURROUNDINGS: [&str; 2] = ["incompatible-network", "insufficient-capacity"];

/// A database that a drill made.
#[derive(Debug)]
struct Made {
    id: String,
    kind: Kind,
    resource_id: String,
    /// Of drill-copy.
    execution: String,
    /// The copy; none for the instance of a cluster.
    copy: Option<String>,
    /// When RDS took the call.
    created: Timestamp,
    /// Since when a person keeps it.
    kept: Option<Timestamp>,
    /// Whether it still says which execution made it.
    names_execution: bool,
    /// When it was first seen to be usable, and last seen not to be before.
    usable: Option<Timestamp>,
    unusable: Option<Timestamp>,
    statuses: BTreeSet<String>,
    /// Sweeps that could have deleted it and did not.
    sweeps: u32,
    /// Sweeps that something kept from it.
    disturbed: u32,
}

/// The judge of the drills of one seed. Clones are the same judge.
#[derive(Debug, Clone)]
pub(crate) struct DrillJudge {
    record: Record,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    settings: Option<WatchSettings>,
    made: Vec<Made>,
    /// Databases that are none of a drill, or none any more, as they are to stay.
    foreign: Vec<DatabaseState>,
    /// When executions of drill-copy ended, and which run started them.
    ended: BTreeMap<String, (Timestamp, String)>,
    /// The drills that invocations tear down.
    torn_down: BTreeMap<u64, String>,
    /// What a sweep could have deleted when it began, by resource id.
    sweeps: BTreeMap<u64, Vec<String>>,
    /// The database that a call of an invocation was about when it did not have its way; empty if it was about any.
    disturbed: BTreeSet<(u64, String)>,
    /// Databases that RDS left out of an answer.
    missed: BTreeMap<String, Vec<Timestamp>>,
    /// What the check function found, by execution.
    checks: BTreeMap<String, bool>,
    /// When a key could not be used, or an option group was not there: a restore fails then, and says so of the copy.
    troubles: Vec<(Timestamp, Timestamp)>,
}

impl Known {
    fn hours(&self) -> i64 {
        let hours = self.settings.as_ref().map_or(4, |settings| settings.drills.hours);
        i64::from(hours.min(24))
    }

    /// Whether a database of a drill has to go: its time is over, or the execution that made it has ended.
    fn is_due(&self, made: &Made, now: Timestamp) -> bool {
        let is_over = now.duration_since(made.created) > SignedDuration::from_hours(self.hours()) + MAX_SKEW;
        is_over || made.names_execution && self.ended.contains_key(&made.execution)
    }

    /// Whether RDS left a database out of two answers in a row since it was made: then it looks gone.
    fn was_missed(&self, made: &Made) -> bool {
        let missed = self.missed.get(&made.id).map_or(&[][..], Vec::as_slice);
        missed
            .windows(2)
            .any(|pair| pair[0] >= made.created && pair[1].duration_since(pair[0]) < SignedDuration::from_mins(5))
    }

    fn of_resource(&mut self, resource_id: &str) -> Option<&mut Made> {
        self.made.iter_mut().find(|made| made.resource_id == resource_id)
    }

    /// What one execution made and no person keeps, of what is there.
    fn left<'a>(&'a self, execution: &'a str, state: &'a State) -> impl Iterator<Item = &'a Made> {
        let made = self.made.iter();
        made.filter(move |made| made.execution == execution && made.kept.is_none())
            .filter(|made| found(state, &made.resource_id).is_some())
    }
}

/// The databases of the region of the copies.
fn databases(state: &State) -> &[DatabaseState] {
    let region = state.regions.get(fixtures::DESTINATION);
    region.map_or(&[], |region| &region.databases)
}

fn found<'a>(state: &'a State, resource_id: &str) -> Option<&'a DatabaseState> {
    databases(state)
        .iter()
        .find(|database| database.resource_id == resource_id)
}

/// Whether it has the name and the mark of a drill database.
pub(crate) fn is_marked(database: &DatabaseState) -> bool {
    database.id.starts_with(PREFIX) && database.tags.get(tags::DRILL_OWNER).is_some_and(|mark| mark == MARK)
}

impl DrillJudge {
    /// A judge of drills.
    #[must_use]
    pub(crate) fn new(record: &Record) -> Self {
        Self {
            record: record.clone(),
            known: Arc::default(),
        }
    }

    /// The stack of the destination region is deployed with these settings.
    pub(crate) fn deployed(&self, settings: &WatchSettings) {
        lock(&self.known).settings = Some(settings.clone());
    }

    /// A call of a drill succeeded that changes something. `copy` is the copy of ours that it is about, with whether it
    /// is verified and came out right, if it is about one.
    pub(crate) fn wrote(
        &self,
        (number, function, begun): (u64, &str, Timestamp),
        (action, form): (&str, &str),
        (before, after): (&State, &State),
        copy: Option<(&SnapshotState, bool)>,
        now: Timestamp,
    ) {
        let id = subject(form);
        match (function, action) {
            (
                "start-restore",
                "RestoreDBInstanceFromDBSnapshot" | "RestoreDBClusterFromSnapshot" | "CreateDBInstance",
            ) => self.made(action, form, after, copy, now),
            ("check-restore" | "end-restore", "ModifyDBInstance" | "ModifyDBCluster")
            | ("end-restore", "DeleteDBInstance" | "DeleteDBCluster") => {
                self.changed(number, (action, form), before, begun);
            }
            ("start-restore", "AddTagsToResource") => {
                self.tagged_copy(&id, form, copy.is_some(), &[tags::DRILLING]);
            }
            ("end-restore", "AddTagsToResource") => {
                self.tagged_copy(&id, form, copy.is_some(), &[tags::DRILLED, tags::DRILL_MINUTES]);
                if let Some((copy, _)) = copy {
                    self.is_proved(copy);
                }
            }
            _ => self
                .record
                .violation(&format!("{function} should not call {action} for {id}")),
        }
    }

    fn tagged_copy(&self, arn: &str, form: &str, is_copy: bool, allowed: &[&str]) {
        let given = tags_given(form);
        if !is_copy || given.len() != 1 || !given.keys().all(|key| allowed.contains(&key.as_str())) {
            let keys: Vec<&String> = given.keys().collect();
            self.record
                .violation(&format!("a drill writes {keys:?} on {arn}, which it may not"));
        }
    }

    /// A copy is called drilled: a database was made of it, and could be used.
    fn is_proved(&self, copy: &SnapshotState) {
        let known = lock(&self.known);
        let is_proved = known
            .made
            .iter()
            .any(|made| made.copy.as_ref() == Some(&copy.id) && made.usable.is_some());
        if !is_proved {
            self.record
                .violation(&format!("{} is called drilled, and was never restored", copy.id));
        }
    }

    fn made(&self, action: &str, form: &str, after: &State, copy: Option<(&SnapshotState, bool)>, now: Timestamp) {
        let id = database_of(form).unwrap_or_default();
        let kind = match action {
            "RestoreDBClusterFromSnapshot" => Kind::Cluster,
            _ => Kind::Instance,
        };
        let wrong = |what: &str| self.record.violation(&format!("{id} was made {what}"));
        let Some(database) = after.database_of(fixtures::DESTINATION, kind, &id) else {
            return wrong("and is not there");
        };
        let mut known = lock(&self.known);
        if !is_marked(database) || tags_given(form) != database.tags {
            wrong("without the name and the mark of a drill database");
        }
        let until: Option<Timestamp> = database
            .tags
            .get(tags::DRILL_UNTIL)
            .and_then(|until| until.parse().ok());
        match until {
            None => wrong("without its expiry"),
            Some(until) if until > now + SignedDuration::from_hours(known.hours()) + MAX_SKEW => {
                wrong("with a time that is longer than drills have");
            }
            Some(_) => {}
        }
        if database.tags.get(tags::COPY).map(String::as_str) != Some("false") {
            wrong("so that a stack may copy it");
        }
        let is_member = action == "CreateDBInstance";
        match copy {
            Some((_, true)) => {}
            None if is_member => {}
            _ => wrong("of what is not a verified copy of ours"),
        }
        let is_instance = kind == Kind::Instance;
        if is_instance && parameter(form, "PubliclyAccessible").as_deref() != Some("false") {
            wrong("so that anybody may reach it");
        }
        if !is_member && (parameter(form, "DBSubnetGroupName").as_deref() != Some("drills") || !form.contains("sg-")) {
            wrong("outside of the network of drills");
        }
        self.record.add("drill databases made", 1);
        known.made.push(Made {
            id: id.clone(),
            kind,
            resource_id: database.resource_id.clone(),
            execution: database.tags.get(tags::DRILL_RUN).cloned().unwrap_or_default(),
            copy: copy.filter(|_| !is_member).map(|(copy, _)| copy.id.clone()),
            created: now,
            kept: None,
            names_execution: true,
            usable: None,
            unusable: None,
            statuses: BTreeSet::new(),
            sweeps: 0,
            disturbed: 0,
        });
    }

    /// A database was changed or deleted: it has the name and the mark of a drill database, or had when the function
    /// began.
    fn changed(&self, number: u64, (action, form): (&str, &str), before: &State, begun: Timestamp) {
        let id = database_of(form).unwrap_or_default();
        let kind = if action.ends_with("Cluster") {
            Kind::Cluster
        } else {
            Kind::Instance
        };
        let Some(database) = before.database_of(fixtures::DESTINATION, kind, &id) else {
            return;
        };
        let mut known = lock(&self.known);
        let torn_down = known.torn_down.get(&number).cloned();
        let made = known.of_resource(&database.resource_id);
        let execution = made
            .as_ref()
            .filter(|made| made.names_execution)
            .map(|made| made.execution.clone());
        let kept = made.map(|made| made.kept);
        if let (Some(torn_down), Some(execution)) = (torn_down, execution)
            && torn_down != execution
        {
            self.record
                .violation(&format!("{action} of {id} by {torn_down}, which {execution} has made"));
        }
        match kept {
            Some(None) if is_marked(database) => {}
            // Taken off while the function was at it: nobody can tell.
            Some(Some(kept)) if kept > begun => {
                known
                    .foreign
                    .retain(|foreign| foreign.resource_id != database.resource_id);
                self.record.add("drill databases kept too late", 1);
            }
            _ => self.record.violation(&format!(
                "{action} of {id}, which is not a drill's, or is kept by a person"
            )),
        }
    }

    /// A function asks about one database.
    pub(crate) fn looked(&self, number: u64, action: &str, id: &str, now: Timestamp, state: &dyn Fn() -> State) {
        let mut known = lock(&self.known);
        if known.sweeps.contains_key(&number) || !known.made.iter().any(|made| made.id == id && made.usable.is_none()) {
            return;
        }
        let kind = match action {
            "DescribeDBClusters" => Kind::Cluster,
            "DescribeDBInstances" => Kind::Instance,
            _ => return,
        };
        let state = state();
        let Some(database) = state.database_of(fixtures::DESTINATION, kind, id) else {
            return;
        };
        let Some(made) = known.of_resource(&database.resource_id) else {
            return;
        };
        let is_new = made.statuses.insert(database.status.clone());
        match database.status.as_str() {
            "available" | "modifying" => made.usable = made.usable.or(Some(now)),
            status => {
                if made.usable.is_none() {
                    made.unusable = Some(now);
                }
                if is_new && !["creating", "deleting"].contains(&status) {
                    self.record.fault(&format!("drill: restore ends as {status}"), id);
                }
            }
        }
    }

    /// RDS left a database out of an answer.
    pub(crate) fn missed(&self, number: u64, id: &str) {
        let now = self.record.now();
        let mut known = lock(&self.known);
        known.disturbed.insert((number, id.to_owned()));
        known.missed.entry(id.to_owned()).or_default().push(now);
    }

    /// A call of an invocation failed, that was about this database.
    pub(crate) fn disturbed(&self, number: u64, id: &str) {
        lock(&self.known).disturbed.insert((number, id.to_owned()));
    }

    /// An invocation tears down what an execution has made.
    pub(crate) fn tears_down(&self, number: u64, execution: &str) {
        lock(&self.known).torn_down.insert(number, execution.to_owned());
    }

    /// A sweep begins.
    pub(crate) fn sweeps(&self, number: u64, state: &State, now: Timestamp) {
        let mut guard = lock(&self.known);
        let known = &*guard;
        let is_going = |database: &DatabaseState| database.status == "deleting";
        // RDS deletes neither what is being created nor a cluster that has such an instance, or one that may stay.
        let may_go = |member: &DatabaseState| {
            let made = known.made.iter().find(|made| made.resource_id == member.resource_id);
            is_marked(member) && made.is_some_and(|made| known.is_due(made, now))
        };
        let is_deletable = |database: &DatabaseState| {
            let mut members = databases(state)
                .iter()
                .filter(|other| other.cluster.as_ref() == Some(&database.id));
            database.status != "creating" && members.all(|member| member.status != "creating" && may_go(member))
        };
        let due = known
            .made
            .iter()
            .filter(|made| made.kept.is_none() && known.is_due(made, now));
        let due = due.filter(|made| {
            found(state, &made.resource_id).is_some_and(|database| !is_going(database) && is_deletable(database))
        });
        let due: Vec<String> = due.map(|made| made.resource_id.clone()).collect();
        self.record.add("drill databases due at a sweep", due.len() as u64);
        guard.sweeps.insert(number, due);
    }

    /// A sweep has ended well.
    pub(crate) fn swept(&self, number: u64, state: &State) {
        self.record.add("sweeps", 1);
        let mut known = lock(&self.known);
        for resource_id in known.sweeps.remove(&number).unwrap_or_default() {
            let Some(database) = found(state, &resource_id).filter(|database| database.status != "deleting") else {
                continue;
            };
            // Its members, which are called after it, go first.
            let mut disturbed = known
                .disturbed
                .range((number, String::new())..(number + 1, String::new()));
            let is_disturbed = disturbed.any(|(_, about)| about.is_empty() || about.starts_with(&database.id));
            let Some(made) = known.of_resource(&resource_id).filter(|made| made.kept.is_none()) else {
                continue;
            };
            if is_disturbed {
                made.disturbed += 1;
                continue;
            }
            made.sweeps += 1;
            if made.sweeps >= SWEEPS {
                let (id, sweeps, tags) = (&database.id, made.sweeps, &database.tags);
                self.record
                    .violation(&format!("{id} outlives sweep {sweeps} after its end; it has {tags:?}"));
            }
        }
    }

    /// A person takes the mark off a database of a drill, and keeps it.
    pub(crate) fn kept(&self, database: &DatabaseState, now: Timestamp) {
        let mut known = lock(&self.known);
        if let Some(made) = known.of_resource(&database.resource_id) {
            made.kept = Some(now);
        }
        known.foreign.push(database.clone());
    }

    /// A database that a person made.
    pub(crate) fn foreign(&self, database: &DatabaseState) {
        lock(&self.known).foreign.push(database.clone());
    }

    /// Somebody's tool has taken off which execution made a database.
    pub(crate) fn forgot(&self, resource_id: &str) {
        if let Some(made) = lock(&self.known).of_resource(resource_id) {
            made.names_execution = false;
        }
    }

    /// Databases of drills that are there and that no person keeps.
    pub(crate) fn there(&self, state: &State) -> Vec<DatabaseState> {
        let known = lock(&self.known);
        let made = known.made.iter().filter(|made| made.kept.is_none());
        made.filter_map(|made| found(state, &made.resource_id))
            .filter(|database| database.status != "deleting")
            .cloned()
            .collect()
    }

    /// Until then, a restore may fail for a reason that would end a real one as well.
    pub(crate) fn troubled(&self, from: Timestamp, until: Timestamp) {
        lock(&self.known).troubles.push((from, until));
    }

    /// What the check function said of a database.
    pub(crate) fn checked(&self, execution: &str, passed: bool) {
        lock(&self.known).checks.insert(execution.to_owned(), passed);
    }

    /// Whether there is a secret of a database that an execution made.
    pub(crate) fn has_secret(&self, execution: &str, state: &State) -> bool {
        let known = lock(&self.known);
        let mut made = known.made.iter().filter(|made| made.execution == execution);
        made.any(|made| found(state, &made.resource_id).is_some_and(|database| database.has_secret))
    }

    /// Whether a drill restores this copy, and has done so since before `since`.
    pub(crate) fn restores(&self, copy: &str, state: &State, since: Timestamp) -> bool {
        let known = lock(&self.known);
        let mut of_copy = known.made.iter().filter(|made| made.copy.as_deref() == Some(copy));
        of_copy.any(|made| {
            made.created < since
                && !known.is_due(made, since)
                && found(state, &made.resource_id).is_some_and(|database| database.status == "creating")
        })
    }

    /// An execution has ended: whatever it says is gone has to be.
    pub(crate) fn ended(&self, execution: &Execution, status: &Status, state: &State, now: Timestamp) {
        let name = execution.name.as_str();
        if execution.machine == "drill-copy" {
            let parent = execution.parent().unwrap_or_default().to_owned();
            lock(&self.known).ended.insert(name.to_owned(), (now, parent));
            if let Status::Succeeded(output) = status
                && output["left"] == false
            {
                self.judge_left(name, "its execution", state, now);
            }
            return;
        }
        self.record.add("drill runs", 1);
        let known = lock(&self.known);
        let children: Vec<String> = known
            .ended
            .iter()
            .filter(|(_, (_, parent))| parent == name)
            .map(|(child, _)| child.clone())
            .collect();
        drop(known);
        match status {
            Status::Succeeded(output) => {
                let left: Vec<&str> = named(&output["left"]).collect();
                self.record.add("drills left to the sweep", left.len() as u64);
                for child in children.iter().filter(|child| !left.contains(&child.as_str())) {
                    self.judge_left(child, "its run", state, now);
                }
            }
            Status::Failed(failure) if failure.error == "DrillsFailed" => {
                let cause: Value = serde_json::from_str(failure.cause.as_deref().unwrap_or("{}")).unwrap_or_default();
                let failures = entries(&cause["failures"]).iter();
                for failed in failures.filter(|failed| failed["left"] != true) {
                    self.judge_left(failed["execution"].as_str().unwrap_or_default(), "its run", state, now);
                }
            }
            _ => {}
        }
    }

    /// Nothing that an execution made is there any more, as far as RDS could tell.
    fn judge_left(&self, execution: &str, who: &str, state: &State, now: Timestamp) {
        let known = lock(&self.known);
        for made in known.left(execution, state) {
            let is_late = now.duration_since(made.created) < READING;
            if is_late || known.was_missed(made) {
                self.record.add("drill databases that nobody could see", 1);
            } else {
                let id = &made.id;
                self.record.violation(&format!(
                    "{who} says that nothing of {execution} is left, and {id} is there"
                ));
            }
        }
    }

    /// The proof of a drill is written.
    pub(crate) fn proved(&self, execution: &Execution, proof: &DrillProof, now: Timestamp) {
        let name = &execution.name;
        self.record.add(&format!("drills: {}", proof.outcome), 1);
        self.record.note(&format!("{name} {}: {}", proof.outcome, proof.reason));
        let known = lock(&self.known);
        let wrong = |why: &str| {
            let (outcome, reason) = (proof.outcome, &proof.reason);
            self.record
                .violation(&format!("the proof of {name} says {outcome} ({reason}), and {why}"));
        };
        if proof.execution != *name || Some(proof.copy.as_str()) != execution.input["copy"]["id"].as_str() {
            wrong("is of another drill");
        }
        let mut of_execution = known.made.iter().filter(|made| made.execution == *name);
        let main = of_execution.clone().find(|made| made.copy.is_some());
        match proof.outcome {
            DrillOutcome::Passed => {
                let usable = main
                    .filter(|made| made.copy.as_ref() == Some(&proof.copy))
                    .and_then(|made| made.usable);
                let Some((main, usable)) = main.zip(usable) else {
                    return wrong("no database of that copy could ever be used");
                };
                if known.checks.get(name) == Some(&false) {
                    wrong("the check function did not pass it");
                }
                let settings = known.settings.as_ref();
                let has_check = settings.is_some_and(|settings| settings.drills.check_function.is_some());
                if has_check && main.kind == Kind::Instance && !known.checks.contains_key(name) {
                    wrong("nobody has looked into it");
                }
                let minutes = |time: SignedDuration| u64::try_from(time.as_mins()).unwrap_or(0);
                let most = minutes(usable.duration_since(main.created) + MAX_SKEW * 2 + READING);
                let least = main
                    .unusable
                    .map_or(SignedDuration::ZERO, |seen| seen.duration_since(main.created));
                let told = proof.minutes.unwrap_or_default();
                // Another look may have been the first of which the drill knows.
                if told < minutes(least - MAX_SKEW * 2) || told > most + 30 {
                    wrong(&format!("it took from {least:#} to {most} minutes, not {told}"));
                }
            }
            DrillOutcome::Failed => {
                let is_trouble = known
                    .troubles
                    .iter()
                    .any(|(from, until)| *from <= now && *until >= proof.time - MAX_SKEW);
                let is_dead = of_execution.clone().any(|made| {
                    made.statuses
                        .iter()
                        .any(|status| OF_THE_COPY.contains(&status.as_str()))
                });
                let hours = SignedDuration::from_hours(known.hours()) - SignedDuration::from_mins(15) - MAX_SKEW;
                let is_slow = of_execution.any(|made| now.duration_since(made.created) > hours);
                if is_slow {
                    self.record.fault("drill: restore takes too long", name);
                }
                if !is_trouble && !is_dead && !is_slow && known.checks.get(name) != Some(&false) {
                    wrong("nothing was wrong with the copy");
                }
            }
            DrillOutcome::NotRun | DrillOutcome::Unsupported => {}
        }
    }

    /// Whatever is not a drill's, or is kept, is what it was.
    pub(crate) fn judge_moment(&self, state: &State) {
        for foreign in &lock(&self.known).foreign {
            let now_is = found(state, &foreign.resource_id);
            let is_same = now_is.is_some_and(|now_is| now_is.tags == foreign.tags && now_is.status != "deleting");
            if !is_same {
                let (id, status) = (&foreign.id, now_is.map(|now_is| &now_is.status));
                self.record
                    .violation(&format!("{id} is not a drill's, and is {status:?} now"));
            }
        }
    }

    /// Judges, after quiet hours, that nothing of any drill is left, and what AWS would bill.
    pub(crate) fn judge_end(&self, state: &State, bills: &[Bill]) {
        let known = lock(&self.known);
        for made in known.made.iter().filter(|made| made.kept.is_none()) {
            if let Some(database) = found(state, &made.resource_id) {
                let (id, status, tags) = (&made.id, &database.status, &database.tags);
                self.record
                    .violation(&format!("{id} is left at the end: {status}, {tags:?}"));
            }
        }
        let of_drill = |id: &str| {
            let mut made = known.made.iter();
            made.any(|made| made.kept.is_none() && made.id == id)
        };
        for region in state.regions.values() {
            let backups = region.retained_backups.iter().filter(|id| of_drill(id));
            let snapshots = region.snapshots.iter().filter(|snapshot| {
                let is_of =
                    |made: &Made| made.kept.is_none() && snapshot.resource_id.as_ref() == Some(&made.resource_id);
                known.made.iter().any(is_of)
            });
            for left in backups.chain(snapshots.map(|snapshot| &snapshot.id)) {
                self.record
                    .violation(&format!("{left} of a drill database is left at the end"));
            }
        }
        self.judge_bills(&known, bills);
    }

    /// No run costs more than its databases may live, and one sweep; and another for each that something went wrong with.
    fn judge_bills(&self, known: &Known, bills: &[Bill]) {
        let mut of_runs: BTreeMap<&str, (f64, u32)> = BTreeMap::new();
        for bill in bills {
            let made = known.made.iter().find(|made| made.resource_id == bill.resource_id);
            let Some(made) = made.filter(|made| made.kept.is_none()) else {
                continue;
            };
            // The storage of a cluster is a database's only where no instance is billed for it.
            let has_member = bills.iter().any(|other| other.cluster.as_ref() == Some(&bill.id));
            let storage = if has_member { 0.0 } else { bill.storage_minutes };
            let run = known.ended.get(&made.execution).map_or("", |(_, run)| run);
            let failed = known
                .sweeps
                .values()
                .filter(|due| due.contains(&made.resource_id))
                .count();
            let of_run = of_runs.entry(run).or_default();
            of_run.0 += bill.billed_minutes + storage;
            of_run.1 += made.disturbed + u32::try_from(failed).unwrap_or(0);
        }
        let Some(settings) = &known.settings else { return };
        let databases = i32::try_from(settings.drills.databases_per_run).unwrap_or(i32::MAX);
        let most = f64::from(databases) * 60.0 * (f64::from(settings.drills.hours) + 1.0);
        for (run, (minutes, disturbed)) in of_runs {
            let most = most + 60.0 * f64::from(disturbed);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "minutes of a run are few, and not negative"
            )]
            let whole = minutes.ceil() as u64;
            self.record.add("minutes billed for drills", whole);
            self.record.largest("largest bill of a run of drills in minutes", whole);
            if minutes > most {
                self.record.violation(&format!(
                    "the run {run} is billed for {minutes:.0} minutes, {most:.0} are allowed"
                ));
            }
        }
    }
}

/// The executions of some records.
fn named(records: &Value) -> impl Iterator<Item = &str> {
    entries(records)
        .iter()
        .filter_map(|record| record["execution"].as_str())
}
