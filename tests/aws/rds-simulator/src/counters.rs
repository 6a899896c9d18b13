//! What was called, how often it was refused, and how well the copy slots were used.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::billing::Bill;
use crate::error::Refusal;
use crate::model::PerKind;

/// How many write calls are remembered.
const WRITES: usize = 10_000;

/// Counts since the last seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Calls by operation and region, refused ones included.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// Calls by access key and operation.
    pub callers: BTreeMap<String, BTreeMap<String, u64>>,
    /// Refused calls.
    pub refusals: Refusals,
    /// Refused calls by error code.
    pub errors: BTreeMap<String, u64>,
    /// Copies from other regions, by destination region.
    pub copies: BTreeMap<String, PerKind<CopyCounters>>,
    /// What AWS would bill for each database that a call has restored or created, oldest first.
    #[serde(default)]
    pub restored: Vec<Bill>,
}

/// Refused calls by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusals {
    /// All copy slots of the destination region were taken.
    pub slots: u64,
    /// The quota of manual snapshots was used up.
    pub quota: u64,
    /// Too many requests, by the limit or by a fault.
    pub throttled: u64,
    /// The caller's policies did not allow it, or the caller was unknown.
    pub denied: u64,
    /// Everything else.
    pub other: u64,
}

/// Copies of one kind into one region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyCounters {
    /// Accepted.
    pub started: u64,
    /// Finished as `available`.
    pub completed: u64,
    /// Finished as `failed`.
    pub failed: u64,
    /// Gone before they were finished: deleted, or made to vanish.
    pub vanished: u64,
    /// In flight now, those that wait in a queue of RDS included.
    pub in_flight: u64,
    /// The most that were in flight at once.
    pub peak_in_flight: u64,
    /// How many there may be in flight.
    pub slots: u32,
    /// Simulated seconds that slots were taken, summed over slots.
    pub slot_seconds: f64,
    /// Simulated seconds during which at least one slot was taken.
    pub busy_seconds: f64,
    /// The share of the slots that was in use while any was: `slotSeconds` / (`busySeconds` x `slots`).
    pub slot_use: f64,
}

/// One call that was meant to change something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// When.
    pub at: Timestamp,
    /// What.
    pub operation: String,
    /// Where.
    pub region: String,
    /// The snapshot, or the ARN that was tagged.
    pub identifier: String,
    /// The source of a copy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// The access key.
    pub caller: String,
    /// `ok`, or the error's code.
    pub outcome: String,
    /// `sent`, `delayed`, `dropped` or `held`.
    pub reply: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    pub(crate) counters: Counters,
    pub(crate) writes: VecDeque<Write>,
}

impl Records {
    pub(crate) fn call(&mut self, operation: &str, region: &str, caller: &str) {
        let by_region = self.counters.calls.entry(operation.to_owned()).or_default();
        *by_region.entry(region.to_owned()).or_default() += 1;
        let by_operation = self.counters.callers.entry(caller.to_owned()).or_default();
        *by_operation.entry(operation.to_owned()).or_default() += 1;
    }

    pub(crate) fn refused(&mut self, refusal: Refusal, code: &str) {
        let refusals = &mut self.counters.refusals;
        let count = match refusal {
            Refusal::Slots => &mut refusals.slots,
            Refusal::Quota => &mut refusals.quota,
            Refusal::Throttled => &mut refusals.throttled,
            Refusal::Denied => &mut refusals.denied,
            Refusal::Other => &mut refusals.other,
        };
        *count += 1;
        *self.counters.errors.entry(code.to_owned()).or_default() += 1;
    }

    pub(crate) fn wrote(&mut self, write: Write) {
        if self.writes.len() == WRITES {
            self.writes.pop_front();
        }
        self.writes.push_back(write);
    }
}
