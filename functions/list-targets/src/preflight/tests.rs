use super::*;

#[test]
fn warnings_are_few_and_short_and_those_that_do_not_travel_are_counted() {
    let warnings = (0..200).map(|at| format!("{at} {}", "ü".repeat(5000))).collect();
    let bounded = bounded(warnings);
    assert_eq!(bounded.len(), MAX_WARNINGS + 1);
    assert!(bounded.iter().all(|warning| warning.len() <= MAX_WARNING));
    assert!(
        bounded[0].starts_with("0 ü") && bounded[0].ends_with("ü ..."),
        "{}",
        bounded[0]
    );
    assert_eq!(
        bounded[MAX_WARNINGS],
        "and 140 more; the log of list-targets has them all"
    );
}

#[test]
fn a_text_that_fits_is_left_alone() {
    let mut text = "as it is".to_owned();
    cut(&mut text, 8);
    assert_eq!(text, "as it is");
}
