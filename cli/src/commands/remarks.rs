//! What `plan` and `run` write below their results: warnings, and what the run left alone.

use domain::payload::{LeftOut, Retired};

use crate::format::{copies, databases};
use crate::output::terminal::{Style, Terminal};

/// Writes them.
pub(crate) fn write(warnings: &[String], left_out: &LeftOut, retired: &Retired, terminal: &mut Terminal<'_>) {
    for warning in warnings {
        terminal.println_wrapped(Style::Warning, &format!("warning: {warning}"));
    }
    if left_out.count > 0 {
        let reasons = left_out.reasons.iter();
        let reasons: Vec<String> = reasons.map(|(reason, count)| format!("{count}: {reason}")).collect();
        let text = format!("left out: {} ({})", left_out.count, reasons.join("; "));
        terminal.println_wrapped(Style::Plain, &text);
    }
    if retired.databases > 0 {
        let (copies, databases) = (copies(retired.copies), databases(retired.databases));
        terminal.println_wrapped(Style::Plain, &format!("{copies} of {databases} that no longer exist"));
    }
}
