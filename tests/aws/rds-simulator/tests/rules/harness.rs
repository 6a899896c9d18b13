//! A simulator for the tests of its rules: calls go in as parameters, replies come out as text.

use std::time::Duration;

use jiff::Timestamp;
use rds_simulator::{Caller, Delivery, Request, Response, Scenario, Simulator, SnapshotState};
use serde_json::Value;

/// The source region.
pub(crate) const SOURCE: &str = "eu-west-1";
/// The destination region.
pub(crate) const DESTINATION: &str = "eu-central-1";
/// The key's ARN in the source region.
pub(crate) const SOURCE_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1111";
/// The key's ARN in the destination region.
pub(crate) const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/2222";

pub(crate) struct Harness {
    pub(crate) simulator: Simulator,
    pub(crate) now: Timestamp,
    pub(crate) caller: String,
}

impl Harness {
    pub(crate) fn new(scenario: Value) -> Self {
        Self::from_scenario(&Scenario::from_value(scenario).unwrap())
    }

    pub(crate) fn from_scenario(scenario: &Scenario) -> Self {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut simulator = Simulator::new(now);
        simulator.seed(now, scenario).unwrap();
        Self {
            simulator,
            now,
            caller: "tester".to_owned(),
        }
    }

    pub(crate) fn response(&mut self, region: &str, action: &str, parameters: &[(&str, &str)]) -> (Response, Delivery) {
        let mut request = Request::new(region, &self.caller, action);
        for (name, value) in parameters {
            request = request.with(name, value);
        }
        let answer = self.simulator.handle(self.now, &request);
        (answer.response, answer.delivery)
    }

    /// Asks KMS about a key: status and JSON.
    pub(crate) fn describe_key(&mut self, region: &str, key: &str) -> (u16, Value) {
        let request = Request::kms(region, &self.caller, "DescribeKey").with("KeyId", key);
        let response = self.simulator.handle(self.now, &request).response;
        (
            response.status,
            serde_json::from_str(&response.body).unwrap_or_default(),
        )
    }

    /// A call that succeeds: its XML.
    #[track_caller]
    pub(crate) fn ok(&mut self, region: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        let (response, _) = self.response(region, action, parameters);
        assert_eq!(response.status, 200, "{action}: {}", response.body);
        response.body
    }

    /// A call that is refused: status, code and message.
    #[track_caller]
    pub(crate) fn refused(&mut self, region: &str, action: &str, parameters: &[(&str, &str)]) -> (u16, String, String) {
        let (response, _) = self.response(region, action, parameters);
        assert_ne!(response.status, 200, "{action} was not refused: {}", response.body);
        let part = |name| values(&response.body, name).into_iter().next().unwrap_or_default();
        (response.status, part("Code"), part("Message"))
    }

    /// The code of a refused call.
    #[track_caller]
    pub(crate) fn code(&mut self, region: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        self.refused(region, action, parameters).1
    }

    /// The ids that a describe call tells.
    #[track_caller]
    pub(crate) fn ids(&mut self, region: &str, action: &str, parameters: &[(&str, &str)]) -> Vec<String> {
        let element = match action {
            "DescribeDBInstances" => "DBInstanceIdentifier",
            "DescribeDBClusters" => "DBClusterIdentifier",
            "DescribeDBSnapshots" => "DBSnapshotIdentifier",
            _ => "DBClusterSnapshotIdentifier",
        };
        let mut ids = values(&self.ok(region, action, parameters), element);
        ids.sort();
        ids
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now = self.now.checked_add(Duration::from_secs(seconds)).unwrap();
    }

    pub(crate) fn snapshot(&mut self, region: &str, id: &str) -> Option<SnapshotState> {
        self.simulator.state(self.now).snapshot(region, id).cloned()
    }

    #[track_caller]
    pub(crate) fn status(&mut self, id: &str) -> String {
        self.snapshot(DESTINATION, id)
            .map_or_else(|| "gone".to_owned(), |snapshot| snapshot.status)
    }

    /// The ARN of the newest automated snapshot of a database of the source region.
    #[track_caller]
    pub(crate) fn newest(&mut self, database: &str) -> String {
        let state = self.simulator.state(self.now);
        let newest = state
            .snapshots(SOURCE)
            .iter()
            .filter(|snapshot| snapshot.database == database)
            .max_by_key(|snapshot| snapshot.created_at);
        newest.unwrap().arn.clone()
    }

    /// Copies the newest snapshot of an instance under a name.
    #[track_caller]
    pub(crate) fn copy(&mut self, database: &str, target: &str) -> String {
        let source = self.newest(database);
        self.ok(
            DESTINATION,
            "CopyDBSnapshot",
            &[
                ("SourceDBSnapshotIdentifier", &source),
                ("TargetDBSnapshotIdentifier", target),
            ],
        )
    }

    pub(crate) fn allow(&mut self, caller: &str, statements: &Value) {
        let role = Caller {
            arn: format!("arn:aws:iam::123456789012:role/{caller}"),
            policies: vec![serde_json::json!({ "Version": "2012-10-17", "Statement": statements })],
        };
        self.simulator.set_caller(caller, Some(&role)).unwrap();
        caller.clone_into(&mut self.caller);
    }
}

/// The text of every element of this name, in order.
pub(crate) fn values(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open)
        .skip(1)
        .filter_map(|rest| rest.split_once(&close))
        .map(|(value, _)| {
            value
                .replace("&quot;", "\"")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&")
        })
        .collect()
}

/// The text of the only element of this name.
#[track_caller]
pub(crate) fn value(xml: &str, name: &str) -> String {
    let mut values = values(xml, name);
    assert_eq!(values.len(), 1, "{name} in {xml}");
    values.remove(0)
}
