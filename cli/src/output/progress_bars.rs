//! How a run goes on: a bar for each copy where somebody watches, lines in a pipe.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Screen;
use crate::follow::{Doing, Key, Sight};

/// Most bars at once: a terminal has few lines.
const MAX_BARS: usize = 20;

/// Steps of a percentage that are worth a line.
const STEP: i32 = 25;

/// What has been shown so far.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Drawn in place.
    Live {
        all: MultiProgress,
        total: ProgressBar,
        bars: BTreeMap<Key, ProgressBar>,
        narrow: bool,
    },
    /// A line whenever something changes.
    Lines { said: BTreeMap<Key, Doing> },
    /// Nothing.
    Quiet,
}

impl Progress {
    pub(crate) fn new(screen: &Screen<'_>, quiet: bool) -> Self {
        match (screen.is_live(), quiet) {
            (false, false) => return Self::Lines { said: BTreeMap::new() },
            (false, true) => return Self::Quiet,
            (true, _) => {}
        }
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new_spinner().with_style(style("{spinner} {msg}")));
        Self::Live {
            all,
            total,
            bars: BTreeMap::new(),
            narrow: screen.width().is_some_and(|width| width < 80),
        }
    }

    pub(crate) fn show(&mut self, sight: &Sight, now: Timestamp, screen: &mut Screen<'_>) {
        match self {
            Self::Quiet => {}
            Self::Lines { said } => {
                let clock = now.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
                for (key, doing) in &sight.databases {
                    if said.get(key).is_none_or(|before| is_news(*before, *doing)) {
                        screen.aside(&format!("{clock} {key}: {doing}"));
                        said.insert(key.clone(), *doing);
                    }
                }
            }
            Self::Live {
                all,
                total,
                bars,
                narrow,
            } => {
                total.set_message(summary(sight));
                total.tick();
                for (key, doing) in &sight.databases {
                    draw(all, total, bars, *narrow, key, *doing);
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

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn draw(
    all: &MultiProgress,
    total: &ProgressBar,
    bars: &mut BTreeMap<Key, ProgressBar>,
    narrow: bool,
    key: &Key,
    doing: Doing,
) {
    let Doing::Copying { percent, .. } = doing else {
        if let Some(bar) = bars.remove(key) {
            bar.finish_and_clear();
            all.remove(&bar);
        }
        return;
    };
    if !bars.contains_key(key) {
        if bars.len() >= MAX_BARS {
            return;
        }
        let template = if narrow {
            "{prefix:16!} {bar:10} {wide_msg}"
        } else {
            "{prefix:24!} {bar:24} {wide_msg}"
        };
        let bar = ProgressBar::new(100).with_style(style(template));
        bar.set_prefix(key.id.clone());
        bars.insert(key.clone(), all.insert_before(total, bar));
    }
    if let Some(bar) = bars.get(key) {
        bar.set_position(u64::try_from(percent).unwrap_or_default());
        bar.set_message(doing.to_string().trim_start_matches("copying, ").to_owned());
    }
}

/// Where everything stands, in one line.
fn summary(sight: &Sight) -> String {
    let count = |wanted: fn(&Doing) -> bool| sight.databases.values().filter(|doing| wanted(doing)).count();
    let copying = count(|doing| matches!(doing, Doing::Copying { .. }));
    let waiting = count(|doing| matches!(doing, Doing::Waiting));
    let known = usize::try_from(sight.total.unwrap_or_default()).unwrap_or(usize::MAX);
    let total = known.max(sight.databases.len());
    if total == 0 {
        return "listing databases".to_owned();
    }
    format!(
        "{} of {total} databases done, {copying} copying, {waiting} waiting",
        sight.ended()
    )
}

/// Whether there is something to say that was not said.
fn is_news(before: Doing, now: Doing) -> bool {
    match (before, now) {
        (Doing::Copying { percent: before, .. }, Doing::Copying { percent: now, .. }) => before / STEP != now / STEP,
        (before, now) => before != now,
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
