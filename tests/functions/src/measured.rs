//! What a deployment measures while a test runs.

use std::sync::{Arc, Mutex};

use runtime::deployment::Deployment;
use runtime::metrics::{Meter, Metric};
use runtime::watch::Watch;
use serde_json::Value;

/// The lines that were written.
#[derive(Debug, Clone, Default)]
pub struct Measured(Arc<Mutex<Vec<Value>>>);

/// The deployment, and what it measures from now on.
///
/// # Panics
/// When what it measures is not a line of JSON.
#[must_use]
pub fn metered(deployment: Deployment) -> (Deployment, Measured) {
    let (meter, measured) = meter(&deployment.settings.stack, deployment.settings.database_metrics);
    (deployment.measuring(meter), measured)
}

/// A watch, and what it measures from now on.
///
/// # Panics
/// When what it measures is not a line of JSON.
#[must_use]
pub fn metered_watch(watch: Watch) -> (Watch, Measured) {
    let (meter, measured) = meter(&watch.settings.stack, watch.settings.database_metrics);
    (watch.measuring(meter), measured)
}

fn meter(stack: &str, of_databases: bool) -> (Meter, Measured) {
    let measured = Measured::default();
    let lines = Arc::clone(&measured.0);
    let meter = Meter::new(stack, of_databases, move |line| {
        let line = serde_json::from_str(line).expect("a line of JSON");
        lines.lock().expect("no test panicked here").push(line);
    });
    (meter, measured)
}

impl Measured {
    /// The lines with a value of this metric, in order.
    ///
    /// # Panics
    /// When another test panicked while it wrote.
    #[must_use]
    pub fn lines(&self, metric: Metric) -> Vec<Value> {
        let lines = self.0.lock().expect("no test panicked here");
        lines
            .iter()
            .filter(|line| line.get(metric.name).is_some())
            .cloned()
            .collect()
    }

    /// The values of a metric, in order.
    ///
    /// # Panics
    /// When a value is not a number.
    #[must_use]
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        let lines = self.lines(metric);
        lines
            .iter()
            .map(|line| line[metric.name].as_f64().expect("a number"))
            .collect()
    }
}
