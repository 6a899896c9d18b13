//! What the operator's function said of a restored database.
//!
//! It answers `{"passed": true, "reason": "...", "numbers": {...}}`. Anything else is no proof, and so a failure: a check
//! that cannot fail proves nothing.

use std::collections::BTreeMap;

use domain::drill::{DrillOutcome, Verdict};
use serde_json::{Number, Value};

/// Most numbers that are kept of an answer, and most characters of the name of one.
const MAX_NUMBERS: usize = 10;
const MAX_NAME: usize = 64;

/// The verdict of an answer, or of what the state machine says in its place: `error` and `cause` of a function that failed,
/// `size` of an answer that was too large.
pub(crate) fn judge(answer: &Value) -> Verdict {
    let failed = |reason: &str| Verdict::new(DrillOutcome::Failed, reason);
    let text = |field: &str| answer.get(field).and_then(Value::as_str);
    if let Some(error) = text("error") {
        let cause = text("cause").unwrap_or_default();
        return failed(&format!("the check function failed: {error}: {cause}")).because_of("CheckFailed");
    }
    if let (Some(size), None) = (answer.get("size").and_then(Value::as_u64), answer.get("passed")) {
        return failed(&format!(
            "the check function answered with {size} bytes; 32 KB are allowed"
        ))
        .because_of("CheckFailed");
    }
    let said = text("reason").unwrap_or("it gave no reason");
    let mut verdict = match answer.get("passed") {
        Some(Value::Bool(true)) => Verdict::new(DrillOutcome::Passed, &format!("the check function passed it: {said}")),
        Some(Value::Bool(false)) => {
            failed(&format!("the check function refused it: {said}")).because_of("CheckRefused")
        }
        _ => failed("the check function did not say whether it passed; it has to answer {\"passed\": true} or false")
            .because_of("CheckFailed"),
    };
    verdict.numbers = numbers(answer);
    verdict
}

/// The numbers of the answer, in `numbers` or beside `passed`.
fn numbers(answer: &Value) -> BTreeMap<String, Number> {
    let fields = answer.get("numbers").and_then(Value::as_object).or(answer.as_object());
    fields
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| match value {
            Value::Number(number) if name.chars().count() <= MAX_NAME => Some((name.clone(), number.clone())),
            _ => None,
        })
        .take(MAX_NUMBERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_true_passes() {
        for (answer, outcome, error) in [
            (json!({"passed": true}), DrillOutcome::Passed, None),
            (
                json!({"passed": false, "reason": "empty"}),
                DrillOutcome::Failed,
                Some("CheckRefused"),
            ),
            (json!({"passed": "true"}), DrillOutcome::Failed, Some("CheckFailed")),
            (json!({"ok": true}), DrillOutcome::Failed, Some("CheckFailed")),
            (json!(null), DrillOutcome::Failed, Some("CheckFailed")),
            (json!("passed"), DrillOutcome::Failed, Some("CheckFailed")),
            (
                json!({"error": "States.Timeout", "cause": ""}),
                DrillOutcome::Failed,
                Some("CheckFailed"),
            ),
            (json!({"size": 40_000}), DrillOutcome::Failed, Some("CheckFailed")),
        ] {
            let verdict = judge(&answer);
            assert_eq!(
                (verdict.outcome, verdict.error.as_deref()),
                (outcome, error),
                "{answer}"
            );
        }
    }

    #[test]
    fn of_an_answer_the_reason_and_ten_numbers_are_kept() {
        let mut answer = json!({"passed": true, "reason": "r".repeat(1000), "rows": 12, "newest": 3.5, "text": "x"});
        let verdict = judge(&answer);
        assert_eq!(verdict.reason.chars().count(), Verdict::MAX_REASON);
        assert_eq!(verdict.numbers.keys().collect::<Vec<_>>(), ["newest", "rows"]);
        answer["numbers"] = (0..20).map(|number| (format!("n{number}"), json!(number))).collect();
        assert_eq!(judge(&answer).numbers.len(), MAX_NUMBERS);
    }
}
