//! Faults that tests order, and replies that are held back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::hash;
use crate::request::Request;

/// Something that goes wrong on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Which calls it is about.
    #[serde(flatten)]
    pub calls: Calls,
    /// The number of matching calls that pass first.
    #[serde(default)]
    pub skip: u32,
    /// The number of matching calls that are hit then; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The share of the matching calls that is hit, 0 to 1, the same ones in every run; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What happens to them.
    pub action: Action,
}

/// Which calls are meant: all conditions that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// The operation; `*` takes the place of any text, here and below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The region that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The access key of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Parameters by their name on the wire (`TargetDBSnapshotIdentifier`, `Filters.Filter.1.Values.Value.1`).
    #[serde(default, rename = "match", skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

impl Calls {
    /// All calls of an operation.
    #[must_use]
    pub fn to(operation: &str) -> Self {
        Self {
            operation: Some(operation.to_owned()),
            ..Self::default()
        }
    }

    /// Only those that go to this region.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Only those of this caller.
    #[must_use]
    pub fn by(mut self, access_key: &str) -> Self {
        self.caller = Some(access_key.to_owned());
        self
    }

    /// Only those with this parameter.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: &str) -> Self {
        self.parameters.insert(parameter.to_owned(), value.to_owned());
        self
    }

    fn take(&self, request: &Request) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| iam_rs::Arn::wildcard_match(text, pattern))
        };
        fits(&self.operation, request.action())
            && fits(&self.region, &request.region)
            && fits(&self.caller, &request.access_key)
            && self.parameters.iter().all(|(name, pattern)| {
                request
                    .get(name)
                    .is_some_and(|value| iam_rs::Arn::wildcard_match(value, pattern))
            })
    }
}

/// What happens to a call that a fault hits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is refused with this error, and has no effect.
    Error(InjectedError),
    /// It is refused as one call too many.
    Throttle,
    /// It is answered with this HTTP status and no body, and has no effect.
    Status(u16),
    /// It has its effect; the reply comes this many seconds of wall time later (virtual time in process).
    DelaySeconds(f64),
    /// It has its effect; the connection ends without a reply.
    DropReply,
    /// A describe call does not find the snapshots of this name: RDS is eventually consistent.
    Missing(String),
    /// A describe call lists the snapshots of this name twice.
    Twice(String),
}

/// An error to answer with. For the errors about keys that RDS and KMS have, a code is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "GivenError")]
pub struct InjectedError {
    /// The code, spelled as RDS or KMS spells it.
    pub code: String,
    /// The message; where it is not given, that of the service if the code is known, else none.
    pub message: String,
    /// The HTTP status; where it is not given, that of the service if the code is known, else 400.
    pub status: u16,
}

/// What a fault says of its error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenError {
    code: String,
    message: Option<String>,
    status: Option<u16>,
}

impl From<GivenError> for InjectedError {
    fn from(given: GivenError) -> Self {
        let (status, message) = usual(&given.code);
        Self {
            code: given.code,
            message: given.message.unwrap_or_else(|| message.to_owned()),
            status: given.status.unwrap_or(status),
        }
    }
}

/// HTTP status and message of an error about keys, or of a restore.
fn usual(code: &str) -> (u16, &'static str) {
    match code {
        "KMSKeyNotAccessibleFault" => (
            400,
            "The KMS key does not exist, is not enabled or you do not have permissions to access it.",
        ),
        "NotFoundException" => (400, "The key does not exist"),
        "DisabledException" => (400, "The key is disabled."),
        "KMSInvalidStateException" => (400, "The key is pending deletion."),
        "InvalidArnException" => (400, "Invalid arn"),
        "AccessDeniedException" => (400, "The caller is not authorized to perform this action on this key"),
        "ThrottlingException" => (
            400,
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
        ),
        "DependencyTimeoutException" => (503, "The system timed out while trying to fulfill the request."),
        "KMSInternalException" => (500, "An internal error occurred."),
        "InsufficientDBInstanceCapacity" => (
            400,
            "The instance class is not available in this Availability Zone now.",
        ),
        "InsufficientDBClusterCapacityFault" => (403, "There is not enough capacity for this DB cluster now."),
        "DBClusterQuotaExceededFault" => (403, "No more DB clusters can be created."),
        "InvalidRestoreFault" => (400, "Cannot restore from VPC backup to non-VPC DB instance"),
        _ => (400, ""),
    }
}

impl Fault {
    /// A fault for every matching call.
    #[must_use]
    pub fn new(calls: Calls, action: Action) -> Self {
        Self {
            calls,
            skip: 0,
            times: None,
            share: None,
            action,
        }
    }

    /// Refuses matching calls with an error.
    #[must_use]
    pub fn error(calls: Calls, code: &str, message: &str) -> Self {
        let error = InjectedError {
            code: code.to_owned(),
            message: message.to_owned(),
            status: usual(code).0,
        };
        Self::new(calls, Action::Error(error))
    }

    /// Only this many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only this share of the matching calls, 0 to 1.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = Some(share);
        self
    }

    /// Only after this many matching calls.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }
}

/// What the faults do to one call, all together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Trouble {
    pub(crate) refuse: Option<Refuse>,
    pub(crate) delay_seconds: f64,
    pub(crate) drop_reply: bool,
    pub(crate) listing: ListingTrouble,
}

/// Names of snapshots, `*` standing for any text, that a describe call does not find or lists twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListingTrouble {
    missing: Vec<String>,
    twice: Vec<String>,
}

impl ListingTrouble {
    pub(crate) fn misses(&self, id: &str) -> bool {
        matches_any(&self.missing, id)
    }

    pub(crate) fn repeats(&self, id: &str) -> bool {
        matches_any(&self.twice, id)
    }
}

fn matches_any(patterns: &[String], id: &str) -> bool {
    patterns.iter().any(|pattern| iam_rs::Arn::wildcard_match(id, pattern))
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refuse {
    With(ApiError),
    Bare(u16),
}

/// The faults in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    /// How many times it was drawn whether a call is one of a share.
    drawn: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.list.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.list
    }

    /// What happens to this call; counts it. The first fault that refuses wins.
    pub(crate) fn strike(&mut self, request: &Request) -> Trouble {
        let mut trouble = Trouble::default();
        for fault in &mut self.list {
            if trouble.refuse.is_some() || fault.times == Some(0) || !fault.calls.take(request) {
                continue;
            }
            if let Some(share) = fault.share {
                self.drawn += 1;
                if hash::fraction(self.drawn) >= share {
                    continue;
                }
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            match &fault.action {
                Action::Error(error) => {
                    let error = ApiError::new(error.status, &error.code, error.message.clone());
                    trouble.refuse = Some(Refuse::With(error));
                }
                Action::Throttle => trouble.refuse = Some(Refuse::With(ApiError::throttled())),
                Action::Status(status) => trouble.refuse = Some(Refuse::Bare(*status)),
                Action::DelaySeconds(seconds) => trouble.delay_seconds += seconds.max(0.0),
                Action::DropReply => trouble.drop_reply = true,
                Action::Missing(name) => trouble.listing.missing.push(name.clone()),
                Action::Twice(name) => trouble.listing.twice.push(name.clone()),
            }
        }
        self.list.retain(|fault| fault.times != Some(0));
        trouble
    }
}

/// A hold, as the control API lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Its number.
    pub hold: u64,
    /// Which calls it catches.
    #[serde(flatten)]
    pub calls: Calls,
    /// How many callers wait for their reply right now.
    pub waiting: u32,
    /// How many calls it has caught since it was made.
    pub caught: u32,
}

/// The holds in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    list: Vec<Hold>,
    last: u64,
}

impl Holds {
    pub(crate) fn add(&mut self, calls: Calls) -> u64 {
        self.last += 1;
        self.list.push(Hold {
            hold: self.last,
            calls,
            waiting: 0,
            caught: 0,
        });
        self.last
    }

    /// Whether there was such a hold.
    pub(crate) fn release(&mut self, hold: u64) -> bool {
        let before = self.list.len();
        self.list.retain(|held| held.hold != hold);
        self.list.len() < before
    }

    /// Releases all; numbers are not used again.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    pub(crate) fn list(&self) -> &[Hold] {
        &self.list
    }

    /// The hold that catches this call.
    pub(crate) fn catch(&mut self, request: &Request) -> Option<u64> {
        let held = self.list.iter_mut().find(|held| held.calls.take(request))?;
        held.caught += 1;
        held.waiting += 1;
        Some(held.hold)
    }

    /// A caller has stopped waiting, because it was answered or because it is gone.
    pub(crate) fn leave(&mut self, hold: u64) {
        if let Some(held) = self.list.iter_mut().find(|held| held.hold == hold) {
            held.waiting = held.waiting.saturating_sub(1);
        }
    }

    pub(crate) fn is_held(&self, hold: u64) -> bool {
        self.list.iter().any(|held| held.hold == hold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(target: &str) -> Request {
        Request::new("eu-central-1", "start-copy", "CopyDBSnapshot").with("TargetDBSnapshotIdentifier", target)
    }

    #[test]
    fn a_fault_skips_hits_and_wears_off() {
        let mut faults = Faults::default();
        faults.add(
            Fault::new(
                Calls::to("Copy*").with("TargetDBSnapshotIdentifier", "acme-*"),
                Action::Throttle,
            )
            .after(1)
            .times(2),
        );
        let hits: Vec<bool> = (0..5)
            .map(|_| faults.strike(&copy("acme-1")).refuse.is_some())
            .collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_leaves_other_calls_alone() {
        let mut faults = Faults::default();
        faults.add(Fault::new(
            Calls::to("CopyDBSnapshot")
                .in_region("eu-central-1")
                .by("start-copy")
                .with("TargetDBSnapshotIdentifier", "a"),
            Action::DropReply,
        ));
        assert!(!faults.strike(&copy("b")).drop_reply);
        assert!(
            !faults
                .strike(&Request::new("eu-central-1", "start-copy", "CopyDBSnapshot"))
                .drop_reply
        );
        let mut elsewhere = copy("a");
        elsewhere.region = "eu-west-1".to_owned();
        assert!(!faults.strike(&elsewhere).drop_reply);
        assert!(faults.strike(&copy("a")).drop_reply);
    }

    #[test]
    fn a_fault_reads_as_plain_json() {
        let fault: Fault = serde_json::from_str(
            r#"{ "operation": "CopyDBSnapshot", "region": "eu-central-1", "match": { "KmsKeyId": "*" }, "times": 2,
                 "action": { "error": { "code": "InternalFailure", "message": "x", "status": 500 } } }"#,
        )
        .unwrap();
        assert_eq!(fault.times, Some(2));
        assert!(matches!(fault.action, Action::Error(error) if error.status == 500));
        for action in [
            "\"throttle\"",
            "\"dropReply\"",
            "{\"delaySeconds\":1.5}",
            "{\"status\":503}",
        ] {
            let text = format!("{{\"action\":{action}}}");
            assert!(serde_json::from_str::<Fault>(&text).is_ok(), "{text}");
        }
    }
}
