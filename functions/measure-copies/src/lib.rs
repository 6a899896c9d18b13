//! The watch: measures the copies from the region that they are in, and whether they could be restored there.
//!
//! In: [`Input`]. Out: [`Answer`]. Safe to retry at will: it only reads. It asks nothing of the source region, so that it
//! works on the day on which that is lost.
//!
//! Every day the state machine keep-evidence asks it for the [evidence] of that day; then nothing is measured.
//!
//! Counted is every database of which there are copies. Which of them still exist only the source region knows, where
//! list-targets measures those. Here a database counts as left behind when it has had no new copy for a fortnight while
//! others have: its age is no longer measured, or the alarm would stay for ever after a database is deleted. While no
//! database has a fresh copy, none is left behind: then copying has stopped, and that is what the alarm is for.

#![forbid(unsafe_code)]

pub mod evidence;
mod page;

use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::newest_copies::{Databases, NewestCopy};
use domain::restorability::{Restorability, RestoreNeeds, Verdict};
use jiff::Timestamp;
use kms::Keys;
use rds::restorability::Questions;
use runtime::metrics::{Metric, count, hours};
use runtime::watch::Watch;
use serde::{Deserialize, Serialize};
use ssm::ReadProofs;

/// Most copies of which the answer says what is wrong; the log has all of them.
const MAX_NAMED: usize = 20;

/// What the rule hands over: nothing. The state machine hands over which evidence it wants.
#[derive(Debug, Default, Deserialize)]
pub struct Input {
    /// Asks for evidence instead of a measurement.
    #[serde(default)]
    evidence: Option<evidence::Asked>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// What was measured.
    Report(Report),
    /// A part of the evidence of this day.
    Evidence(Box<evidence::Part>),
}

/// Where things are looked up beside RDS.
#[derive(Debug)]
pub struct Lookups<P> {
    /// The keys of the copies.
    pub keys: Keys,
    /// What drills have proved.
    pub proofs: P,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Databases of which there are copies, without those that are left behind.
    pub databases: usize,
    /// Those of them that have no verified copy.
    pub without_copy: usize,
    /// Databases that have had no new copy for a fortnight while others have: deleted ones, as a rule.
    pub left_behind: usize,
    /// Age of the data of the oldest of the newest verified copies, in hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_hours: Option<f64>,
    /// Newest verified copies that could not be restored here.
    pub unrestorable: Findings,
    /// Those of which that is not known.
    pub unknown: Findings,
}

/// Copies, and what is to be said of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub first: Vec<Finding>,
}

/// A copy, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Kind of the database.
    pub kind: DatabaseKind,
    /// What the database was called.
    pub id: String,
    /// The copy.
    pub copy: String,
    /// What is missing, or what is not known, in sentences.
    pub reasons: Vec<String>,
}

/// Measures, or gives the evidence that is asked for.
pub async fn handle<P: ReadProofs>(
    watch: &Watch,
    lookups: &Lookups<P>,
    Input { evidence }: Input,
    now: Timestamp,
) -> Result<Answer, Error> {
    match evidence {
        None => report_and_measure(watch, &lookups.keys, now).await.map(Answer::Report),
        Some(asked) => {
            let part = evidence::part(watch, lookups, &asked, now).await?;
            Ok(Answer::Evidence(Box::new(part)))
        }
    }
}

/// Lists the copies, looks up what a restore of the newest needs, and measures both.
async fn report_and_measure(watch: &Watch, keys: &Keys, now: Timestamp) -> Result<Report, Error> {
    let databases = watch.databases(now).await?;
    let needs: Vec<RestoreNeeds> = databases.current.iter().map(|copy| copy.needs.clone()).collect();
    let questions = Questions {
        needs: &needs,
        subnet_group: watch.settings.drills.subnet_group.as_deref(),
    };
    let facts = watch
        .rds
        .restore_facts(questions, async |arn| keys.state(arn).await)
        .await;
    let judged = databases.current.iter().map(|copy| (copy, facts.judge(&copy.needs)));
    let report = report(&databases, judged, now);
    measure(watch, &databases, &report, now);
    log(&report);
    Ok(report)
}

fn report<'a>(
    databases: &Databases,
    judged: impl Iterator<Item = (&'a NewestCopy, Restorability)>,
    now: Timestamp,
) -> Report {
    let oldest = databases.current.iter().map(|copy| copy.age(now)).max();
    let mut report = Report {
        databases: databases.current.len() + databases.without_copy,
        without_copy: databases.without_copy,
        left_behind: databases.left_behind.len(),
        oldest_hours: oldest.map(hours),
        unrestorable: Findings::default(),
        unknown: Findings::default(),
    };
    for (copy, restorability) in judged {
        let Restorability {
            verdict,
            missing,
            warnings,
        } = restorability;
        match verdict {
            Verdict::Yes => {}
            Verdict::No => report.unrestorable.add(copy, &missing),
            Verdict::Unknown => report.unknown.add(copy, &warnings),
        }
    }
    report
}

impl Findings {
    fn add(&mut self, copy: &NewestCopy, reasons: &[impl ToString]) {
        let finding = Finding {
            kind: copy.kind,
            id: copy.name.clone(),
            copy: copy.id.clone(),
            reasons: reasons.iter().map(ToString::to_string).collect(),
        };
        tracing::warn!(kind = %finding.kind, database = finding.id, copy.id = finding.copy, "{}", finding.reasons.join(" "));
        self.count += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(finding);
        }
    }
}

/// Where there is no verified copy, no age is measured: missing data is an alarm of its own.
fn measure(watch: &Watch, databases: &Databases, report: &Report, now: Timestamp) {
    let meter = &watch.meter;
    meter.release(now);
    for copy in &databases.current {
        let age = [(Metric::RECOVERY_POINT_AGE, hours(copy.age(now)))];
        meter.database(now, copy.kind, &copy.name, &age);
    }
    let mut values = vec![
        (Metric::DATABASES, count(report.databases)),
        (Metric::DATABASES_WITHOUT_COPY, count(report.without_copy)),
        (Metric::DATABASES_LEFT_BEHIND, count(report.left_behind)),
        (Metric::UNRESTORABLE_COPIES, count(report.unrestorable.count)),
        (Metric::RESTORABILITY_UNKNOWN, count(report.unknown.count)),
    ];
    values.extend(report.oldest_hours.map(|age| (Metric::OLDEST_RECOVERY_POINT_AGE, age)));
    meter.stack(now, &values, &[]);
}

fn log(report: &Report) {
    tracing::info!(
        databases = report.databases,
        without_copy = report.without_copy,
        left_behind = report.left_behind,
        unrestorable = report.unrestorable.count,
        unknown = report.unknown.count,
        "copies measured"
    );
}

#[cfg(test)]
mod tests;
