//! How a run goes on: a bar for each copy where somebody watches, lines in a pipe.
//!
//! The live view is one text, drawn as a whole: a database is never on the screen twice, and nothing stays of it when it
//! ends. What has ended is written above it, and stays.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use console::{Term, measure_text_width};
use domain::payload::Outcome;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::facts::run_progress::{CopyPhase, Ending, RunItem, RunProgress};
use crate::format::{databases, format_part, format_remaining};
use crate::output::printable::printable_line;
use crate::output::table::cut;
use crate::output::terminal::{Style, Terminal};

/// Most bars at once, and most lines at once about what has ended.
const MAX_LINES: usize = 20;

/// Lines of the window that bars leave free: for the summary, and for what stands above it.
const FREE_LINES: usize = 6;

/// Columns of a bar, where there is room.
const BAR: usize = 24;

/// Columns of a bar in a narrow window.
const SHORT_BAR: usize = 10;

/// Columns that a name gets before there is a bar.
const MIN_NAME: usize = 16;

/// Between two pictures of the spinner: it moves while nothing else does.
const TICK: Duration = Duration::from_millis(120);

/// Pictures per second at most.
const MAX_HZ: u8 = 20;

/// Steps of a percentage that are worth a line.
const STEP: i32 = 25;

/// What has been shown so far.
#[derive(Debug)]
pub(crate) enum ProgressBars {
    /// Drawn in place.
    Live(LiveView),
    /// A line whenever something changes.
    Lines { shown: BTreeMap<RunItem, CopyPhase> },
    /// Nothing.
    Quiet,
}

impl ProgressBars {
    /// Bars where somebody watches, or else lines.
    pub(crate) fn new(terminal: &Terminal<'_>) -> Self {
        if terminal.is_live() {
            return Self::Live(LiveView::new(Arc::new(Term::buffered_stderr()), true));
        }
        Self::Lines { shown: BTreeMap::new() }
    }

    /// Bars where somebody watches, or else nothing; and nothing that stays.
    pub(crate) fn only_live(terminal: &Terminal<'_>) -> Self {
        if !terminal.is_live() {
            return Self::Quiet;
        }
        Self::Live(LiveView::new(Arc::new(Term::buffered_stderr()), false))
    }

    /// Shows what has changed.
    pub(crate) fn show(&mut self, progress: &RunProgress, now: Timestamp, terminal: &mut Terminal<'_>) {
        match self {
            Self::Quiet => {}
            Self::Lines { shown } => {
                let clock = now.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
                for (item, phase) in &progress.items {
                    if shown.get(item).is_none_or(|before| is_news(before, phase)) {
                        terminal.eprintln(&format!("{clock} {item}: {phase}"));
                        shown.insert(item.clone(), phase.clone());
                    }
                }
            }
            Self::Live(view) => view.show(progress, terminal),
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn end(&mut self) {
        if let Self::Live(view) = self {
            view.end();
        }
    }
}

impl Drop for ProgressBars {
    fn drop(&mut self) {
        self.end();
    }
}

/// A spinner with a summary, and below it a bar for each copy.
#[derive(Debug)]
pub(crate) struct LiveView {
    screen: DrawTarget,
    /// A spinner whose message is all that is drawn: it is changed and drawn as a whole.
    spinner: ProgressBar,
    /// What has ended and was written above the bars, where that is wanted.
    written: Option<BTreeSet<RunItem>>,
}

impl LiveView {
    fn new(screen: Arc<dyn TermLike>, writes_endings: bool) -> Self {
        let screen = DrawTarget(screen);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), MAX_HZ);
        let spinner = ProgressBar::with_draw_target(None, target)
            .with_style(
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            )
            .with_message("listing databases");
        spinner.enable_steady_tick(TICK);
        Self {
            screen,
            spinner,
            written: writes_endings.then(BTreeSet::new),
        }
    }

    fn show(&mut self, progress: &RunProgress, terminal: &Terminal<'_>) {
        let width = usize::from(self.screen.width()).saturating_sub(1);
        let bars = MAX_LINES.min(usize::from(self.screen.height()).saturating_sub(FREE_LINES));
        // Before the lines above, so that no picture has a database in both.
        self.spinner.set_message(message(progress, width, bars, terminal));
        let lines = self.endings(progress, width, terminal);
        if !lines.is_empty() {
            self.spinner.println(lines.join("\n"));
        }
    }

    /// A line for each database that has ended since the last time; of many at once the first, and how many more.
    fn endings(&mut self, progress: &RunProgress, width: usize, terminal: &Terminal<'_>) -> Vec<String> {
        let Some(written) = &mut self.written else {
            return Vec::new();
        };
        // What a redriven run starts again will end again.
        written.retain(|item| matches!(progress.items.get(item), Some(CopyPhase::Ended(_))));
        let ended = progress.items.iter().filter_map(|(item, phase)| match phase {
            CopyPhase::Ended(ending) => Some((item, ending)),
            _ => None,
        });
        let mut news: Vec<(&RunItem, &Ending)> = ended.filter(|(item, _)| written.insert((*item).clone())).collect();
        news.sort_by_key(|(_, ending)| !ending.is_failure());
        let mut lines: Vec<String> = news
            .iter()
            .take(MAX_LINES)
            .map(|(item, ending)| ending_line(item, ending, width, terminal))
            .collect();
        if let Some(more) = news.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
            lines.push(format!("  {} more", databases(more)));
        }
        lines
    }

    fn end(&mut self) {
        if self.spinner.is_finished() {
            return;
        }
        // Else it would draw once more.
        self.spinner.disable_steady_tick();
        self.spinner.finish_and_clear();
    }
}

/// The terminal, with the cursor at the beginning of the last line whenever a picture is complete: at its end, the `^C`
/// that the terminal writes would begin a new line, and the first of the view would stay.
#[derive(Debug, Clone)]
struct DrawTarget(Arc<dyn TermLike>);

impl TermLike for DrawTarget {
    fn width(&self) -> u16 {
        self.0.width()
    }

    fn height(&self) -> u16 {
        self.0.height()
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.flush()
    }
}

/// How a database ended, with a mark that colours repeat.
fn ending_line(item: &RunItem, ending: &Ending, width: usize, terminal: &Terminal<'_>) -> String {
    let (mark, style) = match ending.outcome {
        _ if ending.is_failure() => ("✗", Style::Bad),
        // Nothing was copied, and nothing is wrong.
        Some(Outcome::Nothing | Outcome::Unsupported | Outcome::NotReady | Outcome::UnderWay) => ("-", Style::Faint),
        _ => ("✓", Style::Good),
    };
    let word = ending.word().map(|word| format!(" {word}")).unwrap_or_default();
    let word = cut(&printable_line(&word), width.saturating_sub(2));
    let room = width.saturating_sub(2 + measure_text_width(&word));
    let name = cut(&printable_line(&item.name()), room);
    let word_style = if ending.is_failure() { style } else { Style::Faint };
    format!(
        "{} {name}{}",
        terminal.paint(style, mark),
        terminal.paint(word_style, &word)
    )
}

/// All that is drawn beside the spinner: the summary, and a line for each of the first copies under way.
fn message(progress: &RunProgress, width: usize, bars: usize, terminal: &Terminal<'_>) -> String {
    let names = progress
        .items
        .keys()
        .map(|item| measure_text_width(&printable_line(&item.name())));
    let longest = names.max().unwrap_or_default();
    let copying: Vec<(String, i32, String)> = progress
        .items
        .iter()
        .filter_map(|(item, phase)| {
            let CopyPhase::Copying { percent, .. } = phase else {
                return None;
            };
            let name = printable_line(&item.name()).into_owned();
            Some((
                name,
                *percent,
                phase.to_string().trim_start_matches("copying, ").to_owned(),
            ))
        })
        .take(bars)
        .collect();
    let text = copying.iter().map(|(_, _, text)| measure_text_width(text)).max();
    let (name_width, bar_width) = columns(width, longest, text.unwrap_or_default());
    let bars = copying.iter().map(|(name, percent, text)| {
        let name = cut(name, name_width);
        let pad = " ".repeat(name_width.saturating_sub(measure_text_width(&name)));
        // One space after the name, and one after the bar, if there is one.
        let left = width.saturating_sub(name_width + 1 + if bar_width > 0 { bar_width + 1 } else { 0 });
        format!("{name}{pad} {}{}", bar(*percent, bar_width, terminal), cut(text, left))
    });
    summary(progress, width, terminal)
        .into_iter()
        .chain(bars)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Columns of the names and of the bars. Names are whole as long as there is room: bars get shorter first.
fn columns(width: usize, longest: usize, text: usize) -> (usize, usize) {
    for bar in [BAR, SHORT_BAR] {
        if longest + bar + text + 2 <= width {
            return (longest, bar);
        }
    }
    let beside_bar = width.saturating_sub(SHORT_BAR + text + 2);
    if beside_bar >= MIN_NAME {
        return (beside_bar, SHORT_BAR);
    }
    (
        longest
            .min(width.saturating_sub(text + 1).max(MIN_NAME))
            .min(width.saturating_sub(1)),
        0,
    )
}

/// A bar, and the space after it.
fn bar(percent: i32, width: usize, terminal: &Terminal<'_>) -> String {
    if width == 0 {
        return String::new();
    }
    let percent = usize::try_from(percent.clamp(0, 100)).unwrap_or_default();
    let full = width * percent / 100;
    let done = terminal.paint(Style::Good, &"█".repeat(full));
    let left = terminal.paint(Style::Faint, &"░".repeat(width - full));
    format!("{done}{left} ")
}

/// Where everything stands: in a line, or in more where it is too narrow.
fn summary(progress: &RunProgress, width: usize, terminal: &Terminal<'_>) -> Vec<String> {
    let total = progress.databases();
    if total == 0 {
        return vec!["listing databases".to_owned()];
    }
    let failed = progress.count(|phase| matches!(phase, CopyPhase::Ended(ending) if ending.is_failure()));
    let done = progress.count(|phase| matches!(phase, CopyPhase::Ended(ending) if !ending.is_failure()));
    let copying = progress.count(|phase| matches!(phase, CopyPhase::Copying { .. }));
    let verifying = progress.count(|phase| matches!(phase, CopyPhase::Finishing));
    let waiting = total.saturating_sub(failed + done + copying + verifying);
    let counts = [
        (failed, "failed", Style::Bad),
        (copying, "copying", Style::Plain),
        (verifying, "verifying", Style::Plain),
        (waiting, "waiting", Style::Plain),
    ];
    let mut pieces = vec![(
        String::new(),
        Style::Plain,
        format!("{}: {done} done", databases(total)),
    )];
    for (count, word, style) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        pieces.push((", ".to_owned(), style, format!("{count} {word}")));
    }
    if let Some(rest) = rest(progress) {
        pieces.push(("; ".to_owned(), Style::Plain, rest));
    }
    join(&pieces, width, terminal)
}

/// Pieces of text, each after its separator, in lines that begin where the spinner leaves off.
fn join(pieces: &[(String, Style, String)], width: usize, terminal: &Terminal<'_>) -> Vec<String> {
    const INDENT: &str = "  ";
    // A separator is left at the end of a line.
    let room = width.saturating_sub(INDENT.len() + 1);
    let (mut lines, mut line, mut taken) = (Vec::new(), String::new(), 0);
    for (separator, style, text) in pieces {
        let text = cut(text, room);
        let needed = measure_text_width(&text);
        if taken > 0 && taken + separator.len() + needed > room {
            line.push_str(separator.trim_end());
            lines.push(std::mem::replace(&mut line, INDENT.to_owned()));
            taken = 0;
        } else {
            line.push_str(separator);
            taken += separator.len();
        }
        line.push_str(&terminal.paint(*style, &text));
        taken += needed;
    }
    lines.push(line);
    lines
}

/// How much is copied, and how long the rest takes: `1.4 of 2.1 TiB, about 40 s`.
fn rest(progress: &RunProgress) -> Option<String> {
    let volume = progress.volume()?;
    let mut text = format_part(volume.done_gib, volume.total_gib);
    if volume.is_estimate {
        text = text.replacen(" of ", " of about ", 1);
    }
    if let Some(remaining) = progress.remaining() {
        let remaining = format_remaining(remaining);
        let about = if remaining.starts_with('<') { "" } else { "about " };
        text = format!("{text}, {about}{remaining}");
    }
    Some(text)
}

/// Whether there is something to say that was not shown.
fn is_news(before: &CopyPhase, now: &CopyPhase) -> bool {
    match (before, now) {
        (CopyPhase::Copying { percent: before, .. }, CopyPhase::Copying { percent: now, .. }) => {
            before / STEP != now / STEP
        }
        (before, now) => before != now,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex, MutexGuard};

    use domain::kind::DatabaseKind::{self, Cluster, Instance};
    use jiff::SignedDuration;

    use super::*;

    /// A screen that remembers each of its pictures.
    #[derive(Debug, Clone)]
    struct Paper {
        columns: u16,
        drawn: Arc<(Mutex<Drawn>, Condvar)>,
    }

    #[derive(Debug, Default)]
    struct Drawn {
        lines: Vec<Vec<char>>,
        row: usize,
        column: usize,
        pictures: Vec<String>,
    }

    impl Drawn {
        fn text(&self) -> String {
            let lines = self.lines.iter().map(|line| line.iter().collect::<String>());
            let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
            lines.join("\n").trim_end().to_owned()
        }
    }

    impl Paper {
        fn new(columns: u16) -> Self {
            Self {
                columns,
                drawn: Arc::default(),
            }
        }

        fn drawn(&self) -> MutexGuard<'_, Drawn> {
            self.drawn.0.lock().expect("no test panics with it")
        }

        fn view(&self) -> LiveView {
            LiveView::new(Arc::new(self.clone()), true)
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            self.columns
        }

        fn height(&self) -> u16 {
            40
        }

        fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
            let mut drawn = self.drawn();
            drawn.row = drawn.row.saturating_sub(lines);
            Ok(())
        }

        fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
            self.drawn().row += lines;
            Ok(())
        }

        fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
            self.drawn().column += columns;
            Ok(())
        }

        fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
            let mut drawn = self.drawn();
            drawn.column = drawn.column.saturating_sub(columns);
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            let mut drawn = self.drawn();
            for character in text.chars() {
                match character {
                    '\r' => drawn.column = 0,
                    '\n' => (drawn.row, drawn.column) = (drawn.row + 1, 0),
                    _ => {
                        // A full line goes on below it when the next character is written, and not before.
                        if drawn.column == usize::from(self.columns) {
                            (drawn.row, drawn.column) = (drawn.row + 1, 0);
                        }
                        let (row, column) = (drawn.row, drawn.column);
                        if drawn.lines.len() <= row {
                            drawn.lines.resize(row + 1, Vec::new());
                        }
                        let line = &mut drawn.lines[row];
                        line.resize(line.len().max(column + 1), ' ');
                        line[column] = character;
                        drawn.column += 1;
                    }
                }
            }
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            let mut drawn = self.drawn();
            let row = drawn.row;
            drawn.column = 0;
            if let Some(line) = drawn.lines.get_mut(row) {
                line.clear();
            }
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            let mut drawn = self.drawn();
            let text = drawn.text();
            drawn.pictures.push(text);
            self.drawn.1.notify_all();
            Ok(())
        }
    }

    fn item(kind: DatabaseKind, id: &str) -> RunItem {
        RunItem {
            kind,
            id: id.to_owned(),
            retired: None,
        }
    }

    fn copying(percent: i32, size_gib: i32, seconds: i64) -> CopyPhase {
        CopyPhase::Copying {
            percent,
            size_gib: Some(size_gib),
            remaining: Some(SignedDuration::from_secs(seconds)),
        }
    }

    fn progress<'a>(total: u32, items: impl IntoIterator<Item = (&'a RunItem, CopyPhase)>) -> RunProgress {
        let items: BTreeMap<RunItem, CopyPhase> =
            items.into_iter().map(|(item, phase)| (item.clone(), phase)).collect();
        let sizes = items.iter().filter_map(|(item, phase)| match phase {
            CopyPhase::Copying { size_gib, .. } => Some((item.clone(), (*size_gib)?)),
            _ => None,
        });
        RunProgress {
            total: Some(total),
            sizes: sizes.collect(),
            items,
        }
    }

    fn on_terminal<T>(colour: bool, work: impl FnOnce(&Terminal<'_>) -> T) -> T {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        work(&Terminal::new(&mut out, &mut err, None, colour))
    }

    /// What shows a progress at once, drawn `columns` wide and without its spinner.
    fn drawn(progress: &RunProgress, columns: usize) -> String {
        on_terminal(false, |terminal| message(progress, columns - 1, MAX_LINES, terminal))
    }

    /// The names at the beginning of lines, whatever mark is before them.
    fn named(picture: &str) -> Vec<&str> {
        let lines = picture
            .lines()
            .filter(|line| !line.contains("databases: ") && !line.starts_with("  "));
        let names = lines.map(|line| line.trim_start_matches(['✓', '✗', '-', ' ']));
        names
            .filter_map(|line| line.split(' ').next())
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// N1, N18, N44: a fleet in which databases begin and end, drawn step by step.
    #[test]
    fn each_database_is_on_the_screen_once_at_most_and_no_bar_stays() {
        for columns in [100, 60, 30] {
            let paper = Paper::new(columns);
            let mut view = paper.view();
            let fleet: Vec<RunItem> = (0..60)
                .map(|at| item(if at % 3 == 0 { Cluster } else { Instance }, &format!("db-{}", at / 2)))
                .collect();
            for step in 0..14_i32 {
                let phases = fleet.iter().enumerate().filter_map(|(at, item)| {
                    let percent = (step * 25) - i32::try_from(at).ok()? * 5;
                    let phase = match percent {
                        ..-50 => return None,
                        -50..0 => CopyPhase::Waiting,
                        0..50 => copying(percent * 2, 100, 90),
                        50..75 if at % 4 != 0 => CopyPhase::Finishing,
                        _ if at % 5 == 0 => CopyPhase::Ended(Ending::failed("CopyFailed")),
                        _ => CopyPhase::Ended(Ending::succeeded(Outcome::Copied)),
                    };
                    Some((item, phase))
                });
                let progress = progress(60, phases);
                on_terminal(false, |terminal| view.show(&progress, terminal));
            }
            // The terminal writes this where the cursor is.
            paper.write_str("^C").expect("written");
            view.end();
            let drawn = paper.drawn();
            assert!(drawn.pictures.len() > 14, "{columns}: {}", drawn.pictures.len());
            for picture in &drawn.pictures {
                let mut names = named(picture);
                let all = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), all, "{columns} columns:\n{picture}");
                assert!(picture.matches("databases: ").count() <= 1, "{picture}");
            }
            assert!(drawn.pictures.iter().any(|picture| picture.contains("copying")));
            let last = drawn.text();
            assert!(!last.contains(['█', '░']) && !last.contains("databases: "), "{last}");
            assert!(!last.contains("^C"), "{last}");
            assert!(
                last.contains("✓ db-1\n") && last.contains("✗ cluster:db-0 CopyFailed"),
                "{last}"
            );
        }
    }

    /// N19.
    #[test]
    fn the_spinner_moves_while_nothing_changes() {
        let paper = Paper::new(100);
        let mut view = paper.view();
        let orders = item(Instance, "orders");
        on_terminal(false, |terminal| {
            view.show(&progress(1, [(&orders, copying(40, 100, 60))]), terminal);
        });
        let (drawn, changed) = &*paper.drawn;
        let spinners = |drawn: &Drawn| {
            let still = drawn.pictures.iter().filter(|picture| picture.contains("1 copying"));
            still
                .filter_map(|picture| picture.chars().next())
                .collect::<BTreeSet<char>>()
                .len()
        };
        let waited = changed
            .wait_timeout_while(drawn.lock().expect("no panic"), Duration::from_secs(20), |drawn| {
                spinners(drawn) < 3
            })
            .expect("no panic");
        assert!(spinners(&waited.0) >= 3, "{:?}", waited.0.pictures);
    }

    /// N18, N30, N47.
    #[test]
    fn the_view_counts_failures_tells_the_whole_and_names_clusters() {
        let (billing, plain) = (item(Cluster, "billing"), item(Instance, "billing"));
        let (ledger, orders, stock) = (
            item(Instance, "ledger"),
            item(Instance, "orders"),
            item(Instance, "stock"),
        );
        let mut some = progress(
            6,
            [
                (&billing, copying(25, 1024, 300)),
                (&plain, copying(95, 400, 0)),
                (&ledger, CopyPhase::Ended(Ending::failed("CopyFailed"))),
                (&orders, CopyPhase::Ended(Ending::succeeded(Outcome::Copied))),
                (&stock, CopyPhase::Finishing),
            ],
        );
        some.sizes.insert(orders.clone(), 600);
        insta::assert_snapshot!(drawn(&some, 100), @r"
        6 databases: 1 done, 1 failed, 2 copying, 1 verifying, 1 waiting;
          1.2 of about 2.4 TiB, about 7 min
        billing         ██████████████████████░░ 95 % of 400 GiB, <1 s to go
        cluster:billing ██████░░░░░░░░░░░░░░░░░░ 25 % of 1024 GiB, 5 min to go
        ");
        insta::assert_snapshot!(drawn(&some, 60), @r"
        6 databases: 1 done, 1 failed, 2 copying, 1 verifying,
          1 waiting; 1.2 of about 2.4 TiB, about 7 min
        billing         █████████░ 95 % of 400 GiB, <1 s to go
        cluster:billing ██░░░░░░░░ 25 % of 1024 GiB, 5 min to go
        ");
        for columns in 12..100 {
            let drawn = drawn(&some, columns);
            let begins = |at| if at == 0 { 2 } else { 0 };
            for (at, line) in drawn.lines().enumerate() {
                assert!(begins(at) + measure_text_width(line) < columns, "{columns}: {drawn}");
            }
        }
        let all = progress(1, [(&plain, copying(99, 400, 0))]);
        insta::assert_snapshot!(drawn(&all, 100), @r"
        1 database: 0 done, 1 copying; 396 of 400 GiB, <1 s
        billing ███████████████████████░ 99 % of 400 GiB, <1 s to go
        ");
        let unknown = progress(2, [(&plain, CopyPhase::Waiting)]);
        assert_eq!(drawn(&unknown, 100), "2 databases: 0 done, 2 waiting");
    }

    /// N47: names are cut in the middle, and only where bars have no more room to give.
    #[test]
    fn names_are_whole_while_there_is_room() {
        let long = "the-orders-of-the-northern-warehouse-of-the-second-division";
        let (orders, cluster) = (item(Instance, long), item(Cluster, long));
        let both = progress(2, [(&orders, copying(50, 420, 40)), (&cluster, copying(10, 420, 400))]);
        for (columns, is_whole) in [(130, true), (110, true), (100, false), (80, false), (40, false)] {
            let drawn = drawn(&both, columns);
            assert_eq!(drawn.contains(&format!("cluster:{long} ")), is_whole, "{drawn}");
            assert_eq!(drawn.contains('…'), !is_whole, "{drawn}");
            assert!(drawn.lines().all(|line| measure_text_width(line) < columns), "{drawn}");
            assert!(drawn.lines().any(|line| line.starts_with("cluster:")), "{drawn}");
        }
    }

    /// N18.
    #[test]
    fn what_ended_is_written_in_its_own_words() {
        let line = |ending: &Ending, colour| {
            on_terminal(colour, |terminal| {
                ending_line(&item(Instance, "orders"), ending, 99, terminal)
            })
        };
        assert_eq!(line(&Ending::succeeded(Outcome::Copied), false), "✓ orders");
        assert_eq!(line(&Ending::succeeded(Outcome::Current), false), "✓ orders current");
        assert_eq!(
            line(&Ending::succeeded(Outcome::Unsupported), false),
            "- orders unsupported"
        );
        assert_eq!(line(&Ending::failed("CopyFailed"), false), "✗ orders CopyFailed");
        assert_eq!(
            line(&Ending::failed("CopyFailed"), true),
            "\u{1b}[31m✗\u{1b}[0m orders\u{1b}[31m CopyFailed\u{1b}[0m"
        );
    }

    /// N47: colours where the rest of the program has them, and nowhere else.
    #[test]
    fn bars_have_the_colours_of_the_program() {
        let orders = item(Instance, "orders");
        let some = progress(1, [(&orders, copying(50, 100, 60))]);
        let painted = on_terminal(true, |terminal| message(&some, 99, MAX_LINES, terminal));
        assert!(painted.contains("\u{1b}[32m████████████\u{1b}[0m"), "{painted:?}");
        assert!(!drawn(&some, 100).contains('\u{1b}'));
    }

    #[test]
    fn of_many_endings_at_once_the_failures_are_written_and_a_number() {
        let fleet: Vec<RunItem> = (100..200).map(|at| item(Instance, &format!("db-{at}"))).collect();
        let ended = fleet.iter().enumerate().map(|(at, item)| {
            let failed = (at == 77).then(|| Ending::failed("CopyFailed"));
            let ending = failed.unwrap_or_else(|| Ending::succeeded(Outcome::Copied));
            (item, CopyPhase::Ended(ending))
        });
        let progress = progress(100, ended);
        let paper = Paper::new(100);
        let mut view = paper.view();
        let lines = on_terminal(false, |terminal| view.endings(&progress, 99, terminal));
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert_eq!(
            (lines[0].as_str(), lines[1].as_str()),
            ("✗ db-177 CopyFailed", "✓ db-100")
        );
        assert_eq!(lines[MAX_LINES], "  80 databases more");
        // And never again.
        assert!(on_terminal(false, |terminal| view.endings(&progress, 99, terminal)).is_empty());
    }
}
