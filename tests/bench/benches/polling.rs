//! What following a copy costs: polls and lag of our schedule and of fixed ones, as JSON for the report of `make bench`.
//!
//! A duration that is a multiple of an interval would flatter it, so each row is the mean over durations of 5 % more and
//! less, in 201 steps.

use bench::Following;
use serde_json::{Value, json};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DURATIONS: [u64; 9] = [
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    HOUR / 2,
    HOUR,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    24 * HOUR,
];
const STEPS: u64 = 201;

fn main() {
    let ways = [
        ("ours, no progress reported", Following::OursWithoutProgress),
        ("ours, steady progress", Following::OursWithProgress),
        ("every 60 s", Following::Every(MINUTE)),
        ("every 300 s", Following::Every(5 * MINUTE)),
    ];
    let rows: Vec<Value> = DURATIONS
        .into_iter()
        .flat_map(|duration| ways.map(|(name, way)| row(duration, name, way)))
        .collect();
    println!("{}", Value::from(rows));
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
fn row(duration: u64, name: &str, way: Following) -> Value {
    let around = (0..STEPS).map(|step| duration * 95 / 100 + duration * step / (10 * (STEPS - 1)));
    let (mut polls, mut lag, mut longest) = (0, 0, 0);
    for duration in around {
        let (more, late) = way.to_the_end(duration);
        polls += u64::from(more);
        lag += late;
        longest = longest.max(late);
    }
    json!({
        "duration": duration,
        "way": name,
        "polls": polls as f64 / STEPS as f64,
        "lag": lag as f64 / STEPS as f64,
        "longestLag": longest,
    })
}
