//! How a run goes on: a bar for each copy where somebody watches, lines in a pipe.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::facts::run_progress::{CopyPhase, RunItem, RunProgress};
use crate::output::printable::printable_line;
use crate::output::terminal::Terminal;

/// Most bars at once: a terminal has few lines.
const MAX_BARS: usize = 20;

/// Steps of a percentage that are worth a line.
const STEP: i32 = 25;

/// What has been shown so far.
#[derive(Debug)]
pub(crate) enum ProgressBars {
    /// Drawn in place.
    Live {
        all: MultiProgress,
        total: ProgressBar,
        bars: BTreeMap<RunItem, ProgressBar>,
        narrow: bool,
    },
    /// A line whenever something changes.
    Lines { shown: BTreeMap<RunItem, CopyPhase> },
    /// Nothing.
    Quiet,
}

impl ProgressBars {
    /// Bars where somebody watches, or else lines.
    pub(crate) fn new(terminal: &Terminal<'_>) -> Self {
        if terminal.is_live() {
            return Self::only_live(terminal);
        }
        Self::Lines { shown: BTreeMap::new() }
    }

    /// Bars where somebody watches, or else nothing.
    pub(crate) fn only_live(terminal: &Terminal<'_>) -> Self {
        if !terminal.is_live() {
            return Self::Quiet;
        }
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new_spinner().with_style(style("{spinner} {msg}")));
        Self::Live {
            all,
            total,
            bars: BTreeMap::new(),
            narrow: terminal.width().is_some_and(|width| width < 80),
        }
    }

    /// Shows what has changed.
    pub(crate) fn show(&mut self, progress: &RunProgress, now: Timestamp, terminal: &mut Terminal<'_>) {
        match self {
            Self::Quiet => {}
            Self::Lines { shown } => {
                let clock = now.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
                for (item, phase) in &progress.items {
                    if shown.get(item).is_none_or(|before| is_news(*before, *phase)) {
                        terminal.eprintln(&format!("{clock} {item}: {phase}"));
                        shown.insert(item.clone(), *phase);
                    }
                }
            }
            Self::Live {
                all,
                total,
                bars,
                narrow,
            } => {
                total.set_message(summary(progress));
                total.tick();
                for (item, phase) in &progress.items {
                    draw(all, total, bars, *narrow, item, *phase);
                }
            }
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn end(&mut self) {
        if let Self::Live { all, .. } = self {
            let _ = all.clear();
            // Else each bar draws the others once more as it goes.
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
    }
}

impl Drop for ProgressBars {
    fn drop(&mut self) {
        self.end();
    }
}

fn draw(
    all: &MultiProgress,
    total: &ProgressBar,
    bars: &mut BTreeMap<RunItem, ProgressBar>,
    narrow: bool,
    item: &RunItem,
    phase: CopyPhase,
) {
    let CopyPhase::Copying { percent, .. } = phase else {
        if let Some(bar) = bars.remove(item) {
            bar.finish_and_clear();
            all.remove(&bar);
        }
        return;
    };
    if !bars.contains_key(item) {
        if bars.len() >= MAX_BARS {
            return;
        }
        let template = if narrow {
            "{prefix:16!} {bar:10} {wide_msg}"
        } else {
            "{prefix:24!} {bar:24} {wide_msg}"
        };
        let bar = ProgressBar::new(100).with_style(style(template));
        bar.set_prefix(printable_line(&item.id).into_owned());
        bars.insert(item.clone(), all.insert_before(total, bar));
    }
    if let Some(bar) = bars.get(item) {
        bar.set_position(u64::try_from(percent).unwrap_or_default());
        bar.set_message(phase.to_string().trim_start_matches("copying, ").to_owned());
    }
}

/// Where everything stands, in one line.
fn summary(progress: &RunProgress) -> String {
    let copying = progress.count(|phase| matches!(phase, CopyPhase::Copying { .. }));
    let waiting = progress.count(|phase| matches!(phase, CopyPhase::Waiting));
    let known = usize::try_from(progress.total.unwrap_or_default()).unwrap_or(usize::MAX);
    let total = known.max(progress.items.len());
    if total == 0 {
        return "listing databases".to_owned();
    }
    format!(
        "{} of {total} databases done, {copying} copying, {waiting} waiting",
        progress.count(|phase| matches!(phase, CopyPhase::Ended(_)))
    )
}

/// Whether there is something to say that was not shown.
fn is_news(before: CopyPhase, now: CopyPhase) -> bool {
    match (before, now) {
        (CopyPhase::Copying { percent: before, .. }, CopyPhase::Copying { percent: now, .. }) => {
            before / STEP != now / STEP
        }
        (before, now) => before != now,
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
