//! What happens to drills in a world: runs by schedule and by hand, sweeps, and what people and RDS do to their databases.

use std::rc::Rc;
use std::time::Duration;

use domain::tags;
use fixtures::DESTINATION;
use jiff::SignedDuration;
use rds_simulator_sdk::BEGINNING;
use rds_simulator_sdk::scenario::{DatabaseQuota, RestoreFate, Scenario};
use rds_simulator_sdk::simulator::{DatabaseState, Kind, Restore, SnapshotState};
use serde_json::json;

use super::{DAYS, ScenarioRun, Status, take_policies};
use crate::drill_judge::{MARK, OF_THE_COPY, OF_THE_SURROUNDINGS, PREFIX, is_marked};
use crate::executions::{Execution, OF_PLATFORM};
use crate::functions::Functions;
use crate::policies::OPTION_GROUP;

/// Hours of sweeps at the end: the first may find a database that is being made, which RDS does not delete.
const LAST_SWEEPS: i64 = 4;

impl ScenarioRun {
    fn draw_for_drills(&self, range: std::ops::RangeInclusive<u64>) -> u64 {
        self.random_of_drills.borrow_mut().within(range)
    }

    fn drill_happens(&self, per_mille: u64) -> bool {
        self.random_of_drills.borrow_mut().per_mille(per_mille)
    }

    fn one_of<T: Clone>(&self, items: &[T]) -> Option<T> {
        (!items.is_empty()).then(|| self.random_of_drills.borrow_mut().one_of(items).clone())
    }

    /// Deploys the stack of the destination region, and plans what happens on the days under faults.
    pub(super) fn plan_drills(self: &Rc<Self>) {
        let Some(drills) = self.drills else { return };
        self.record.add("worlds with drills", 1);
        self.record.note(&format!("{drills:?}"));
        let settings = drills.settings();
        self.functions.deploy_drills(&settings);
        self.invariants.drills().deployed(&settings);
        self.begin_hours();
        let mut hour = self.draw_for_drills(1..=4);
        while hour < DAYS * 24 {
            self.plan_run(hour * 60);
            hour += drills.every_hours;
        }
        for day in 0..DAYS {
            let minute = |this: &Self| day * 24 * 60 + this.draw_for_drills(1..=1400);
            if self.drill_happens(700) {
                self.at(minute(self), |this| this.restore_by_hand());
            }
            if self.drill_happens(300) {
                self.at(minute(self), |this| this.squeeze_databases());
            }
        }
    }

    /// A run of the schedule, and what is done to it.
    fn plan_run(self: &Rc<Self>, begin: u64) {
        self.at(begin, |this| {
            if this.drill_happens(500) {
                this.spoil_a_restore();
            }
            this.start_drills("drills", json!({ "Comment": "Started by the schedule." }));
        });
        let later = |this: &Self, minutes| begin + this.draw_for_drills(minutes);
        if self.drill_happens(350) {
            self.at(later(self, 0..=40), |this| this.drill_by_hand());
        }
        if self.drill_happens(600) {
            self.at(later(self, 1..=60), |this| this.stop_a_drill());
        }
        if self.drill_happens(120) {
            self.at(later(self, 5..=40), |this| this.keep_a_database());
        }
        if self.drill_happens(250) {
            self.at(later(self, 5..=40), |this| this.spoil_tags());
        }
    }

    /// Every hour there is a sweep, and on the first day the copies and the proofs are measured, which only reads.
    fn begin_hours(self: &Rc<Self>) {
        let this = Rc::clone(self);
        self.tasks.begin(async move {
            let clock = this.tasks.clock();
            clock.sleep(Duration::from_mins(this.draw_for_drills(1..=59))).await;
            while !this.drills_are_over.get() {
                let _ = this.functions.invoke("end-restore", json!({ "sweep": true }), None);
                if this.now() < BEGINNING + SignedDuration::from_hours(24) {
                    let _ = this.functions.invoke("measure-copies", json!({}), None);
                    let measures = json!({ "request": {}, "run": { "execution": "measure", "arn": "measure" } });
                    let _ = this.functions.invoke("plan-drills", measures, None);
                }
                clock.sleep(Duration::from_hours(1)).await;
            }
        });
    }

    fn start_drills(&self, name: &str, input: serde_json::Value) {
        let name = format!("{name}-{:08x}", self.draw_for_drills(0..=0xffff_ffff));
        self.record.note(&format!("run {name}: {input}"));
        let running = self.steps.running();
        if running.iter().any(|execution| execution.machine == "drill-fleet") {
            self.record.fault("drill: run overlaps with another", &name);
        }
        if let Err(failure) = self.steps.start("drill-fleet", &name, input) {
            self.record.violation(&format!("{name}: {}", failure.error));
        }
    }

    fn verified_copies(&self) -> Vec<SnapshotState> {
        let state = self.state();
        let copies = state.snapshots(DESTINATION).iter();
        let is_ours = |copy: &&SnapshotState| copy.id.starts_with("snapferry-") && copy.status == "available";
        let verified = copies
            .filter(is_ours)
            .filter(|copy| copy.tags.contains_key(tags::VERIFIED));
        verified.cloned().collect()
    }

    /// A person asks for a drill, often of what the schedule drills at the same time.
    fn drill_by_hand(self: &Rc<Self>) {
        let drilled = self.invariants.drills().there(&self.state());
        let copies = self.verified_copies();
        let same: Vec<SnapshotState> = copies
            .iter()
            .filter(|copy| {
                drilled
                    .iter()
                    .any(|one| one.tags.get(tags::RESTORED_FROM) == Some(&copy.arn))
            })
            .cloned()
            .collect();
        let from = if same.is_empty() || self.drill_happens(300) {
            &copies
        } else {
            &same
        };
        let Some(copy) = self.one_of(from) else { return };
        self.start_drills("by-hand", json!({ "only": [copy.database] }));
    }

    /// The next restore ends badly, or takes long.
    fn spoil_a_restore(&self) {
        let Some(drills) = self.drills else { return };
        let hours = u32::try_from(drills.hours).unwrap_or(4);
        let mut fate = RestoreFate {
            database: Some(format!("{PREFIX}*")),
            times: Some(1),
            ..RestoreFate::default()
        };
        match self.draw_for_drills(0..=9) {
            0..=3 => fate.status = self.one_of(&OF_THE_COPY).map(str::to_owned),
            4 | 5 => fate.status = self.one_of(&OF_THE_SURROUNDINGS).map(str::to_owned),
            6 => fate.status = Some("some-new-status".to_owned()),
            7 => fate.creating_seconds = Some(hours * 3600 + 1800),
            8 => {
                fate.deleting_seconds = Some(7200);
                self.record.fault("drill: deletion takes hours", "the next restore");
            }
            _ => fate.creating_seconds = Some(hours * 1800),
        }
        self.record.note(&format!("the next restore: {fate:?}"));
        self.world.restore_fate(DESTINATION, fate);
    }

    /// Somebody stops a drill, or a run with all of its drills.
    fn stop_a_drill(&self) {
        let mut running = self.steps.running();
        running.retain(|execution| execution.is_of_drill());
        if let Some(one) = self.one_of(&running) {
            self.record.fault("drill: execution stopped", &format!("{one:?}"));
            self.steps.stop(&one);
        }
    }

    /// A person keeps what a drill has restored: the mark goes, of the members first.
    fn keep_a_database(&self) {
        let Some(mut database) = self.one_of(&self.invariants.drills().there(&self.state())) else {
            return;
        };
        let state = self.state();
        let all = &state.regions[DESTINATION].databases;
        if let Some(cluster) = &database.cluster {
            match all
                .iter()
                .find(|other| other.kind == Kind::Cluster && other.id == *cluster)
            {
                Some(cluster) => database = cluster.clone(),
                None => return,
            }
        }
        let members = all.iter().filter(|other| {
            database.kind == Kind::Cluster && other.cluster.as_ref() == Some(&database.id) && is_marked(other)
        });
        let kept: Vec<DatabaseState> = members.chain([&database]).cloned().collect();
        if kept.iter().any(|one| one.status == "deleting" || !is_marked(one)) {
            return;
        }
        for one in kept {
            self.record.fault("drill: database kept by a person", &one.id);
            self.tag(DESTINATION, &one.arn, &[], &[tags::DRILL_OWNER]);
            if let Some(now_is) = self.state().database_of(DESTINATION, one.kind, &one.id) {
                self.invariants.drills().kept(now_is, self.now());
            }
        }
    }

    /// Somebody's tool writes other tags on a drill database, and its run is stopped.
    fn spoil_tags(&self) {
        let Some(database) = self.one_of(&self.invariants.drills().there(&self.state())) else {
            return;
        };
        self.record.fault("drill: tags of a database changed", &database.id);
        let far = (self.now() + SignedDuration::from_hours(1000)).to_string();
        let until = self.one_of(&[far.clone(), far, "next week".to_owned()]);
        self.tag(
            DESTINATION,
            &database.arn,
            &[(tags::DRILL_UNTIL, until.as_deref().unwrap_or_default())],
            &[tags::DRILL_RUN],
        );
        self.invariants.drills().forgot(&database.resource_id);
        let running = self.steps.running();
        let execution = database.tags.get(tags::DRILL_RUN);
        let drill = running.iter().find(|one| Some(&one.name) == execution);
        let run = drill.and_then(|drill| running.iter().find(|one| Some(one.name.as_str()) == drill.parent()));
        if let Some(run) = run.filter(|_| self.drill_happens(800)) {
            self.record.fault("drill: execution stopped", &format!("{run:?}"));
            self.steps.stop(run);
        }
    }

    /// A person restores one of our copies, with the tags of a drill database: all but the mark, with the mark of another
    /// stack, or under another name.
    fn restore_by_hand(&self) {
        let copies: Vec<SnapshotState> = self
            .verified_copies()
            .into_iter()
            .filter(|copy| copy.option_group.as_deref() != Some(OPTION_GROUP))
            .collect();
        let Some(copy) = self.one_of(&copies) else { return };
        let number = self.draw_for_drills(0..=0xffff);
        let (id, mark) = match self.draw_for_drills(0..=2) {
            0 => (format!("{PREFIX}by-hand-{number:04x}"), None),
            1 => (format!("{PREFIX}other-{number:04x}"), Some("eu-central-1/snapferry")),
            _ => (format!("saved-{number:04x}"), Some(MARK)),
        };
        self.record.fault("drill: database made by hand", &id);
        let long_ago = (self.now() - SignedDuration::from_hours(48)).to_string();
        let mut given = vec![
            (tags::DRILL_RUN, "i-orders-0badcafe"),
            (tags::DRILL_UNTIL, long_ago.as_str()),
            (tags::RESTORED_FROM, copy.arn.as_str()),
            (tags::COPY, "false"),
        ];
        given.extend(mark.map(|mark| (tags::DRILL_OWNER, mark)));
        self.world.restore(&Restore {
            region: DESTINATION.to_owned(),
            snapshot: copy.arn.clone(),
            database: id.clone(),
            tags: given
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            ..Restore::default()
        });
        if let Some(made) = self.state().database_of(DESTINATION, copy.kind, &id) {
            self.invariants.drills().foreign(made);
        }
    }

    /// Nearly all instances that the region may have are there.
    fn squeeze_databases(self: &Rc<Self>) {
        let state = self.state();
        let all = state.regions[DESTINATION].databases.iter();
        let instances = all.filter(|database| database.kind == Kind::Instance).count();
        let instances = u32::try_from(instances).unwrap_or(40) + 5;
        self.record
            .fault("drill: quota of databases used up", &instances.to_string());
        self.set_database_quota(instances);
        let minutes = self.draw_for_drills(30..=300);
        self.at(minutes, |this| {
            this.set_database_quota(DatabaseQuota::default().instances);
        });
    }

    fn set_database_quota(&self, instances: u32) {
        self.network.settle();
        let quota = DatabaseQuota {
            instances,
            ..DatabaseQuota::default()
        };
        self.world
            .add(&Scenario::new().region(DESTINATION, |region| region.database_quota(quota)));
    }

    /// A quiet run of drills, and sweeps until nothing may be left.
    pub(super) fn rest_from_drills(self: &Rc<Self>) {
        if self.drills.is_none() {
            return;
        }
        self.set_database_quota(DatabaseQuota::default().instances);
        self.start_drills("quiet-drills", json!({}));
        self.wait_for_executions(self.now() + SignedDuration::from_hours(48));
        self.run_until(self.now() + SignedDuration::from_hours(LAST_SWEEPS));
        self.drills_are_over.set(true);
        let state = self.state();
        self.invariants.drills().judge_end(&state, &self.world.bills());
    }

    /// Every end of a drill has a name that the documents explain.
    pub(super) fn judge_drill(&self, execution: &Execution) {
        let Some(Status::Failed(failure)) = execution.ended.kept() else {
            return;
        };
        let error = failure.error.as_str();
        let passes = ["Throttled", "RdsUnavailable", "Ec2.Ec2Exception"];
        let names_database = execution.input.get("only").is_some();
        let is_known = match execution.machine.as_str() {
            // The machine's own timeout.
            "drill-copy" => ["DrillFailed", "States.Timeout"].contains(&error),
            _ => error == "DrillsFailed" || passes.contains(&error) || OF_PLATFORM.contains(&error),
        };
        if !(is_known || error == "BadInput" && names_database) {
            let cause = failure.cause.unwrap_or_default();
            self.record
                .violation(&format!("{execution:?} ends with {error}: {cause}"));
        }
    }
}

/// Lets every function of drills do what its deployed role allows, and no more.
pub(super) fn take_roles(world: &rds_simulator_sdk::World) {
    take_policies(world, "destination/policies.json", |caller, documents| {
        Functions::OF_DRILLS.contains(&caller).then_some(documents)
    });
}
