//! Metrics, written to the log in CloudWatch's Embedded Metric Format: one JSON line a measurement, and no API call.
//!
//! The format: CloudWatch user guide, Specification: Embedded metric format.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use domain::kind::DatabaseKind;

/// What CloudWatch files the metrics under.
pub const NAMESPACE: &str = "Snapferry";

/// A metric: its name, and CloudWatch's word for its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name in CloudWatch.
    pub name: &'static str,
    /// Unit in CloudWatch, which knows no hours: those are `None`, and the name says it.
    pub unit: &'static str,
}

/// Declares the metrics in one place, so that none can be forgotten.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $constant:ident = $name:literal in $unit:literal;)+) => {
        impl Metric {
            /// Every metric that the functions write.
            pub const ALL: &[Self] = &[$(Self::$constant),+];

            $($(#[doc = $doc])+ pub const $constant: Self = Self { name: $name, unit: $unit };)+
        }
    };
}

metrics! {
    /// A copy was asked for.
    COPIES_STARTED = "CopiesStarted" in "Count";
    /// A copy was found complete, and verified.
    COPIES_COMPLETED = "CopiesCompleted" in "Count";
    /// A copy failed, vanished, is overdue or is not what was asked for.
    COPIES_FAILED = "CopiesFailed" in "Count";
    /// A database was checked, and there was nothing to copy.
    COPIES_SKIPPED = "CopiesSkipped" in "Count";
    /// Old copies were deleted.
    COPIES_DELETED = "CopiesDeleted" in "Count";
    /// Old copies go in later runs, because one execution deletes only a few of a database.
    COPIES_TO_GO = "CopiesToGo" in "Count";
    /// From the request of a copy until it was found complete.
    COPY_DURATION = "CopyDuration" in "Seconds";
    /// Size of a copied instance: what was written, or else its allocated storage. Of clusters RDS does not say.
    COPIED_GIGABYTES = "CopiedGigabytes" in "Gigabytes";
    /// 1, of the release that the functions of the stack are.
    RUNNING_RELEASE = "RunningRelease" in "Count";
    /// Age of the data of a database's newest verified copy; without a copy, age of the database.
    RECOVERY_POINT_AGE = "RecoveryPointAgeHours" in "None";
    /// The greatest of these ages.
    OLDEST_RECOVERY_POINT_AGE = "OldestRecoveryPointAgeHours" in "None";
    /// Databases that the stack is to copy, and RDS can.
    DATABASES = "Databases" in "Count";
    /// Those of them that have no verified copy at all.
    DATABASES_WITHOUT_COPY = "DatabasesWithoutCopy" in "Count";
    /// Databases that make no snapshots which could be copied, or have another one copied in their place: nobody is
    /// alarmed about them.
    DATABASES_WITHOUT_SNAPSHOTS = "DatabasesWithoutSnapshots" in "Count";
    /// Databases that have had no new copy for a fortnight while others have: what the destination region can know of
    /// those that no longer exist.
    DATABASES_LEFT_BEHIND = "DatabasesLeftBehind" in "Count";
    /// Newest verified copies that could not be restored in the region that they are in.
    UNRESTORABLE_COPIES = "UnrestorableCopies" in "Count";
    /// Newest verified copies of which that could not be found out.
    RESTORABILITY_UNKNOWN = "RestorabilityUnknown" in "Count";
    /// Manual snapshots of the destination region, as a part of what it may hold.
    SNAPSHOT_QUOTA_USE = "SnapshotQuotaUse" in "Percent";
    /// Marked drill databases that exist.
    DRILL_DATABASES = "DrillDatabases" in "Count";
    /// Those of them that should have been gone before the last sweep.
    DRILL_DATABASES_OVERDUE = "DrillDatabasesOverdue" in "Count";
    /// Databases that are named like a drill's and have no mark, so that nobody deletes them.
    UNMARKED_DRILL_DATABASES = "UnmarkedDrillDatabases" in "Count";
    /// Last snapshots that AWS made of drill clusters, and nobody deletes.
    RETAINED_DRILL_SNAPSHOTS = "RetainedDrillSnapshots" in "Count";
    /// Databases whose last drill failed: the copy could not be restored, or was not what it should be.
    DRILLS_FAILED = "DrillsFailed" in "Count";
    /// The longest of the last drills of all databases, in minutes from the request until the database could be used.
    RESTORE_MINUTES = "RestoreMinutes" in "None";
    /// Days since the last drill that passed, of the database for which they are the most.
    DRILL_AGE_DAYS = "DrillAgeDays" in "None";
    /// Databases of which no drill has ever passed.
    DATABASES_NOT_DRILLED = "DatabasesNotDrilled" in "Count";
}

/// A duration in the unit of the ages.
#[must_use]
pub fn hours(duration: SignedDuration) -> f64 {
    duration.as_secs_f64() / 3600.0
}

/// A number of things as a value.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a region holds fewer things than 2^52")]
pub fn count(number: usize) -> f64 {
    number as f64
}

/// Writes measurements of a stack.
#[derive(Clone)]
pub struct Meter {
    stack: String,
    release: Option<String>,
    of_databases: bool,
    write: Arc<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("stack", &self.stack)
            .finish_non_exhaustive()
    }
}

impl Meter {
    /// A meter that gives each line to `write`. Metrics that CloudWatch keeps for each database are written only if
    /// `of_databases`; the lines of the log stay the same.
    #[must_use]
    pub fn new(stack: &str, of_databases: bool, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            stack: stack.to_owned(),
            release: None,
            of_databases,
            write: Arc::new(write),
        }
    }

    /// The same, which also says in each line which release measured.
    #[must_use]
    pub fn with_release(self, release: String) -> Self {
        Self {
            release: Some(release),
            ..self
        }
    }

    /// A meter that writes nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::new("", false, |_| ())
    }

    /// Measures something of the stack as a whole. `about` is for the log only.
    pub fn stack(&self, now: Timestamp, values: &[(Metric, f64)], about: &[(&str, &str)]) {
        self.write(now, &["Stack"], values, about);
    }

    /// Measures which release runs, if it is known.
    pub fn release(&self, now: Timestamp) {
        if self.release.is_some() {
            self.write(now, &["Stack", "Release"], &[(Metric::RUNNING_RELEASE, 1.0)], &[]);
        }
    }

    /// Measures something of each kind of database apart.
    pub fn kind(&self, now: Timestamp, kind: DatabaseKind, values: &[(Metric, f64)]) {
        self.write(now, &["Stack", "Kind"], values, &[("Kind", &kind.to_string())]);
    }

    /// Measures something of one database. CloudWatch bills for every database, so the stack may do without, and has it
    /// in the log only.
    pub fn database(&self, now: Timestamp, kind: DatabaseKind, id: &str, values: &[(Metric, f64)]) {
        let dimensions: &[&str] = if self.of_databases {
            &["Stack", "Kind", "Database"]
        } else {
            &[]
        };
        self.write(
            now,
            dimensions,
            values,
            &[("Kind", &kind.to_string()), ("Database", id)],
        );
    }

    /// Without dimensions the line is one of the log, and no metric.
    fn write(&self, now: Timestamp, dimensions: &[&str], values: &[(Metric, f64)], about: &[(&str, &str)]) {
        let mut line = Map::new();
        if !dimensions.is_empty() {
            let metrics: Vec<Value> = values
                .iter()
                .map(|(metric, _)| json!({"Name": metric.name, "Unit": metric.unit}))
                .collect();
            line.insert(
                "_aws".to_owned(),
                json!({
                    "Timestamp": now.as_millisecond(),
                    "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics}],
                }),
            );
        }
        // As every line of the log: see `serve`. A line without a level is one of INFO.
        line.insert("timestamp".to_owned(), json!(now));
        line.insert("Stack".to_owned(), json!(self.stack));
        if let Some(release) = &self.release {
            line.insert("Release".to_owned(), json!(release));
        }
        for (name, value) in about {
            line.insert((*name).to_owned(), json!(value));
        }
        for (metric, value) in values {
            line.insert(metric.name.to_owned(), json!(value));
        }
        (self.write)(&Value::Object(line).to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn written(of_databases: bool, measure: impl Fn(&Meter)) -> Vec<Value> {
        written_by(of_databases, |meter| meter, measure)
    }

    fn written_by(of_databases: bool, made: impl Fn(Meter) -> Meter, measure: impl Fn(&Meter)) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let meter = Meter::new("snapferry", of_databases, move |line| {
            let line = serde_json::from_str(line).expect("one line of JSON");
            sink.lock().expect("no panic").push(line);
        });
        measure(&made(meter));
        let lines = lines.lock().expect("no panic");
        lines.clone()
    }

    #[test]
    fn a_line_declares_what_it_measures() {
        let values = [(Metric::COPIES_COMPLETED, 1.0), (Metric::COPY_DURATION, 90.5)];
        let lines = written(true, |meter| meter.stack(NOW, &values, &[("Database", "orders")]));
        assert_eq!(
            lines,
            [json!({
                "_aws": {
                    "Timestamp": 0,
                    "CloudWatchMetrics": [{
                        "Namespace": "Snapferry",
                        "Dimensions": [["Stack"]],
                        "Metrics": [
                            {"Name": "CopiesCompleted", "Unit": "Count"},
                            {"Name": "CopyDuration", "Unit": "Seconds"},
                        ],
                    }],
                },
                "timestamp": "1970-01-01T00:00:00Z",
                "Stack": "snapferry",
                "Database": "orders",
                "CopiesCompleted": 1.0,
                "CopyDuration": 90.5,
            })]
        );
    }

    #[test]
    fn every_line_says_which_release_measured_and_one_metric_counts_it() {
        let lines = written_by(
            true,
            |meter| meter.with_release("1.2.3".to_owned()),
            |meter| {
                meter.stack(NOW, &[(Metric::COPIES_COMPLETED, 1.0)], &[]);
                meter.release(NOW);
            },
        );
        let [other, release] = &lines[..] else {
            panic!("two lines: {lines:?}")
        };
        assert_eq!(other["Release"], "1.2.3");
        assert_eq!(other["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stack"]]));
        assert_eq!(
            (&release["Release"], &release["RunningRelease"]),
            (&json!("1.2.3"), &json!(1.0))
        );
        assert_eq!(
            release["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([["Stack", "Release"]])
        );
        // In tests and on a developer's machine no stack says which it is.
        assert!(written(true, |meter| meter.release(NOW)).is_empty());
    }

    #[test]
    fn ages_of_databases_are_metrics_only_if_the_stack_wants_them() {
        let measure = |meter: &Meter| {
            meter.database(NOW, DatabaseKind::Cluster, "web", &[(Metric::RECOVERY_POINT_AGE, 3.25)]);
        };
        let [with] = &written(true, measure)[..] else {
            panic!("one line")
        };
        assert_eq!(
            with["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([["Stack", "Kind", "Database"]])
        );
        let without = json!({
            "timestamp": "1970-01-01T00:00:00Z",
            "Stack": "snapferry", "Kind": "cluster", "Database": "web", "RecoveryPointAgeHours": 3.25,
        });
        assert_eq!(written(false, measure), [without]);
    }

    #[test]
    fn no_two_metrics_share_a_name_and_all_units_are_known_to_cloudwatch() {
        let mut names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            assert!(
                ["Count", "Seconds", "Gigabytes", "Percent", "None"].contains(&metric.unit),
                "{metric:?}"
            );
        }
    }
}
