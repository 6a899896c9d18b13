//! What happened: a transcript, counts by kind, and what must not have happened.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use crate::virtual_time::{Clock, lock};

/// Lines of the transcript that are kept to be shown.
const LINES: usize = 60;

/// The record of one seed. Clones are the same record.
#[derive(Debug, Clone)]
pub struct Record {
    clock: Clock,
    shared: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    hash: u64,
    lines: VecDeque<String>,
    shown: bool,
    calls: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    figures: BTreeMap<String, u64>,
    violations: Vec<String>,
}

impl Record {
    /// Nothing yet. `shown` prints each line as it comes.
    #[must_use]
    pub fn new(clock: &Clock, shown: bool) -> Self {
        Self {
            clock: clock.clone(),
            shared: Arc::new(Mutex::new(Kept {
                // FNV-1a.
                hash: 0xcbf2_9ce4_8422_2325,
                shown,
                ..Kept::default()
            })),
        }
    }

    /// The virtual time.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Adds a line.
    pub fn note(&self, text: &str) {
        let line = format!("{:.3} {text}", self.clock.now());
        let mut kept = lock(&self.shared);
        for byte in line.bytes() {
            kept.hash = (kept.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if kept.shown {
            println!("{line}");
        }
        if kept.lines.len() == LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
    }

    /// Counts a call.
    pub fn call(&self, what: &str) {
        *lock(&self.shared).calls.entry(what.to_owned()).or_default() += 1;
    }

    /// Counts a fault and notes it.
    pub fn fault(&self, kind: &str, where_: &str) {
        *lock(&self.shared).faults.entry(kind.to_owned()).or_default() += 1;
        self.note(&format!("FAULT {kind}: {where_}"));
    }

    /// Counts `count` faults of a kind.
    pub fn faults(&self, kind: &str, count: u64) {
        *lock(&self.shared).faults.entry(kind.to_owned()).or_default() += count;
    }

    /// Counts `count` of anything.
    pub fn add(&self, figure: &str, count: u64) {
        *lock(&self.shared).figures.entry(figure.to_owned()).or_default() += count;
    }

    /// Keeps the largest.
    pub fn largest(&self, figure: &str, value: u64) {
        let mut kept = lock(&self.shared);
        let largest = kept.figures.entry(figure.to_owned()).or_default();
        *largest = value.max(*largest);
    }

    /// Something happened that must not.
    pub fn violation(&self, text: &str) {
        self.note(&format!("VIOLATION {text}"));
        let line = format!("{:.3} {text}", self.clock.now());
        lock(&self.shared).violations.push(line);
    }

    /// All that is to be reported.
    #[must_use]
    pub fn report(&self) -> Report {
        let kept = lock(&self.shared);
        Report {
            hash: kept.hash,
            calls: kept.calls.clone(),
            faults: kept.faults.clone(),
            figures: kept.figures.clone(),
            violations: kept.violations.clone(),
            last_lines: kept.lines.iter().cloned().collect(),
        }
    }
}

/// What happened in one seed, or in several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// A hash of the whole transcript; of several seeds, the sum of theirs.
    pub hash: u64,
    /// Calls by operation or function.
    pub calls: BTreeMap<String, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Anything else that is counted. Names that begin with `largest` are not added up.
    pub figures: BTreeMap<String, u64>,
    /// What must not have happened.
    pub violations: Vec<String>,
    /// The end of the transcript.
    pub last_lines: Vec<String>,
}

impl Report {
    /// Adds another seed's report.
    pub fn add(&mut self, other: &Self) {
        // In whatever order seeds end, the sum is the same.
        self.hash = self.hash.wrapping_add(other.hash);
        for (into, from) in [
            (&mut self.calls, &other.calls),
            (&mut self.faults, &other.faults),
            (&mut self.figures, &other.figures),
        ] {
            for (name, count) in from {
                let sum = into.entry(name.clone()).or_default();
                *sum = if name.starts_with("largest") {
                    *count.max(sum)
                } else {
                    *sum + count
                };
            }
        }
        self.violations.extend(other.violations.iter().cloned());
    }

    /// Calls of all kinds: of functions and of RDS.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Faults of all kinds.
    #[must_use]
    pub fn all_faults(&self) -> u64 {
        self.faults.values().sum()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (title, counts) in [
            ("calls", &self.calls),
            ("faults", &self.faults),
            ("figures", &self.figures),
        ] {
            writeln!(formatter, "{title}: {}", counts.values().sum::<u64>())?;
            for (name, count) in counts {
                writeln!(formatter, "  {count:>8}  {name}")?;
            }
        }
        Ok(())
    }
}
