//! Tables that fit the terminal: where there is no room, texts get narrower, then the least important columns go. Names
//! are cut in the middle, and where they are there to be pasted, only when nothing else is left to go. Sentences are never
//! cut: they wrap, and where even that has no room, they stand below their row.

use console::measure_text_width;

use crate::output::printable::printable_line;
use crate::output::terminal::{Style, Terminal, wrap};

/// A cell: its text, and what it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell that means something.
    pub(crate) fn new(style: Style, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            text: printable_line(&text).into_owned(),
            style,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Style::Plain, text)
    }
}

/// How the texts of a column get narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrowing {
    /// Not at all.
    Never,
    /// Cut in the middle, to this width at least.
    Cut(usize),
    /// The same, once no other column is left that could go.
    CutLast(usize),
    /// Wrapped at words.
    Wrap,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    title: &'static str,
    /// How important it is: 0 never goes, the largest goes first.
    rank: u8,
    /// How its texts get narrower.
    narrowing: Narrowing,
    /// Whether it is a number, written flush right.
    right: bool,
}

impl Column {
    /// A column whose texts are never cut.
    pub(crate) const fn new(title: &'static str, rank: u8) -> Self {
        Self {
            title,
            rank,
            narrowing: Narrowing::Never,
            right: false,
        }
    }

    /// The same, whose texts may be cut to that many columns.
    pub(crate) const fn cut_to(self, min_width: usize) -> Self {
        Self {
            narrowing: Narrowing::Cut(min_width),
            ..self
        }
    }

    /// The same for names that are there to be pasted: other columns go first.
    pub(crate) const fn cut_last_to(self, min_width: usize) -> Self {
        Self {
            narrowing: Narrowing::CutLast(min_width),
            ..self
        }
    }

    /// The same for sentences: they wrap, or stand below the row.
    pub(crate) const fn wrapped(self) -> Self {
        Self {
            narrowing: Narrowing::Wrap,
            ..self
        }
    }

    /// The same, flush right.
    pub(crate) const fn flush_right(self) -> Self {
        Self { right: true, ..self }
    }
}

/// A table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// Between columns.
const GAP: &str = "  ";

/// In less room than that nobody reads a sentence.
const MIN_SENTENCE: usize = 24;

/// What is shown where.
#[derive(Debug)]
struct Layout {
    /// Columns, each with its width.
    shown: Vec<(usize, usize)>,
    /// Columns whose texts stand below their rows.
    below: Vec<usize>,
}

impl Table {
    /// A table of these columns.
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell per column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text, no line longer than the terminal is wide unless even the columns that must stay are.
    pub(crate) fn render(&self, terminal: &Terminal<'_>) -> String {
        let natural: Vec<usize> = (0..self.columns.len()).map(|at| self.natural_width(at)).collect();
        let layout = self.fit(&natural, terminal.width().unwrap_or(usize::MAX));
        let mut text = String::new();
        let titles = self.columns.iter().map(|column| Cell::new(Style::Strong, column.title));
        let titles: Vec<Cell> = titles.collect();
        self.write(&mut text, &titles, &layout.shown, terminal);
        for row in &self.rows {
            self.write(&mut text, row, &layout.shown, terminal);
            for at in &layout.below {
                write_below(&mut text, row.get(*at), terminal);
            }
        }
        text
    }

    fn natural_width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at));
        let widest = cells.map(|cell| measure_text_width(&cell.text)).max().unwrap_or(0);
        widest.max(measure_text_width(self.columns[at].title))
    }

    /// The width that a column needs at least.
    fn min_width(&self, at: usize, width: usize) -> usize {
        let column = self.columns[at];
        let min = match column.narrowing {
            Narrowing::Never => return width,
            Narrowing::Cut(min) | Narrowing::CutLast(min) => min,
            Narrowing::Wrap => {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                let words = cells.flat_map(|cell| cell.text.split(' '));
                words.map(measure_text_width).max().unwrap_or(0).max(MIN_SENTENCE)
            }
        };
        min.max(measure_text_width(column.title)).min(width)
    }

    /// The columns that are shown, each with its width, and those that stand below their rows.
    fn fit(&self, natural: &[usize], room: usize) -> Layout {
        // A column without content says nothing.
        let is_empty = |at: usize| {
            self.rows
                .iter()
                .all(|row| row.get(at).is_none_or(|cell| cell.text.is_empty()))
        };
        let shown = natural.iter().enumerate();
        let shown = shown.filter(|(at, _)| self.columns[*at].rank == 0 || !is_empty(*at));
        let mut layout = Layout {
            shown: shown.map(|(at, width)| (at, *width)).collect(),
            below: Vec::new(),
        };
        let is_last = |at: usize| matches!(self.columns[at].narrowing, Narrowing::CutLast(_));
        let spare = |(at, width): &(usize, usize)| width - self.min_width(*at, *width);
        loop {
            let shown = &mut layout.shown;
            let gaps = GAP.len() * shown.len().saturating_sub(1);
            let needed = shown.iter().map(|(_, width)| width).sum::<usize>() + gaps;
            let excess = needed.saturating_sub(room);
            let gladly = shown.iter().filter(|(at, _)| !is_last(*at)).map(spare).sum();
            if excess > gladly {
                let least = (0..shown.len())
                    .filter(|place| self.columns[shown[*place].0].rank > 0)
                    .max_by_key(|place| self.columns[shown[*place].0].rank);
                if let Some(least) = least {
                    shown.remove(least);
                    continue;
                }
                let sentence = shown
                    .iter()
                    .position(|(at, _)| self.columns[*at].narrowing == Narrowing::Wrap);
                if let Some(sentence) = sentence {
                    layout.below.push(shown.remove(sentence).0);
                    continue;
                }
            }
            // What is too much comes off the column that has most to spare.
            for _ in 0..excess {
                let eligible = shown.iter_mut().filter(|(at, _)| excess > gladly || !is_last(*at));
                match eligible.max_by_key(|column| spare(column)) {
                    Some(most) if spare(most) > 0 => most.1 -= 1,
                    _ => break,
                }
            }
            return layout;
        }
    }

    fn write(&self, text: &mut String, row: &[Cell], shown: &[(usize, usize)], terminal: &Terminal<'_>) {
        let nothing = Cell::default();
        let cells = shown.iter().map(|(at, width)| {
            let cell = row.get(*at).unwrap_or(&nothing);
            match self.columns[*at].narrowing {
                Narrowing::Wrap => wrap(&cell.text, Some(*width)),
                _ => vec![cut(&cell.text, *width)],
            }
        });
        let cells: Vec<Vec<String>> = cells.collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for at_line in 0..height {
            let mut line = String::new();
            for (place, (at, width)) in shown.iter().enumerate() {
                let content = cells[place].get(at_line).map_or("", String::as_str);
                let style = row.get(*at).unwrap_or(&nothing).style;
                let pad = " ".repeat(width.saturating_sub(measure_text_width(content)));
                let painted = if content.is_empty() {
                    String::new()
                } else {
                    terminal.paint(style, content)
                };
                if place > 0 {
                    line.push_str(GAP);
                }
                if self.columns[*at].right {
                    line.push_str(&pad);
                    line.push_str(&painted);
                } else {
                    line.push_str(&painted);
                    line.push_str(&pad);
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}

/// Writes a sentence below its row.
fn write_below(text: &mut String, cell: Option<&Cell>, terminal: &Terminal<'_>) {
    let Some(cell) = cell.filter(|cell| !cell.text.is_empty()) else {
        return;
    };
    let width = terminal.width().map(|width| width.saturating_sub(GAP.len()));
    for line in wrap(&cell.text, width) {
        text.push_str(GAP);
        text.push_str(&terminal.paint(cell.style, &line));
        text.push('\n');
    }
}

/// `text` in at most `width` columns: its begin and its end, which tell names of one kind apart.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let end = fitting(text.chars().rev(), room / 2);
    let begin = fitting(text.chars(), room - room / 2);
    begin.into_iter().chain(['…']).chain(end.into_iter().rev()).collect()
}

/// As many of these characters as fit into `room` columns.
fn fitting(characters: impl Iterator<Item = char>, mut room: usize) -> Vec<char> {
    let fits = |character: &char| {
        let left = room.checked_sub(measure_text_width(character.encode_utf8(&mut [0; 4])));
        room = left.unwrap_or(room);
        left.is_some()
    };
    characters.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(width: Option<usize>) -> String {
        let mut table = Table::new([
            Column::new("NAME", 0).cut_to(8),
            Column::new("AGE", 0).flush_right(),
            Column::new("KEY", 2),
            Column::new("RUN", 1),
        ]);
        let row = |cells: [&str; 4]| cells.map(Cell::from);
        table.row(row(["orders-of-the-northern-region", "5 h", "key/1", "fine"]));
        table.row(row(["a", "12 h", "", ""]));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        table.render(&Terminal::new(&mut out, &mut err, width, false))
    }

    #[test]
    fn a_table_with_room_shows_everything() {
        insta::assert_snapshot!(rendered(None), @r"
        NAME                            AGE  KEY    RUN
        orders-of-the-northern-region   5 h  key/1  fine
        a                              12 h
        ");
    }

    #[test]
    fn without_room_texts_are_cut_in_the_middle_then_columns_go() {
        insta::assert_snapshot!(rendered(Some(36)), @r"
        NAME                AGE  KEY    RUN
        orders-o…n-region   5 h  key/1  fine
        a                  12 h
        ");
        insta::assert_snapshot!(rendered(Some(20)), @r"
        NAME       AGE  RUN
        orde…ion   5 h  fine
        a         12 h
        ");
        insta::assert_snapshot!(rendered(Some(1)), @r"
        NAME       AGE
        orde…ion   5 h
        a         12 h
        ");
    }

    fn explained(width: usize) -> String {
        let mut table = Table::new([
            Column::new("DATABASE", 0).cut_last_to(12),
            Column::new("WOULD", 0),
            Column::new("GIB", 2).flush_right(),
            Column::new("WHY", 0).wrapped(),
        ]);
        let row = |cells: [&str; 4]| cells.map(Cell::from);
        table.row(row([
            "cluster:documents-of-the-north",
            "unsupported",
            "",
            "RDS cannot copy its snapshots to another region",
        ]));
        table.row(row(["orders", "copy", "200", "it is new"]));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        table.render(&Terminal::new(&mut out, &mut err, Some(width), false))
    }

    /// N16: a sentence is never cut. N43: nor is a name, as long as something else can go.
    #[test]
    fn sentences_wrap_or_stand_below_and_names_are_cut_last() {
        insta::assert_snapshot!(explained(80), @r"
        DATABASE                        WOULD        GIB  WHY
        cluster:documents-of-the-north  unsupported       RDS cannot copy its snapshots
                                                          to another region
        orders                          copy         200  it is new
        ");
        insta::assert_snapshot!(explained(72), @r"
        DATABASE                        WOULD        WHY
        cluster:documents-of-the-north  unsupported  RDS cannot copy its
                                                     snapshots to another region
        orders                          copy         it is new
        ");
        insta::assert_snapshot!(explained(50), @r"
        DATABASE                        WOULD
        cluster:documents-of-the-north  unsupported
          RDS cannot copy its snapshots to another region
        orders                          copy
          it is new
        ");
        insta::assert_snapshot!(explained(40), @r"
        DATABASE                     WOULD
        cluster:docum…-of-the-north  unsupported
          RDS cannot copy its snapshots to
          another region
        orders                       copy
          it is new
        ");
        for width in 26..130 {
            let text = explained(width);
            assert!(
                text.lines().all(|line| measure_text_width(line) <= width),
                "{width}:\n{text}"
            );
            let words: Vec<&str> = text.split_whitespace().collect();
            for word in "RDS cannot copy its snapshots to another region".split(' ') {
                assert!(words.contains(&word), "{width}:\n{text}");
            }
        }
    }

    /// L4.
    #[test]
    fn a_cell_obeys_nothing_and_stays_on_its_line() {
        let mut table = Table::new([Column::new("NAME", 0)]);
        table.row([Cell::from("a\u{1b}[2J\nb")]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let text = table.render(&Terminal::new(&mut out, &mut err, None, false));
        assert_eq!(text, "NAME\na\\u{1b}[2J\\u{a}b\n");
    }

    #[test]
    fn widths_are_those_of_the_terminal_not_of_the_characters() {
        assert_eq!(cut("数据库-orders", 9), "数据…ders");
        let mut table = Table::new([Column::new("NAME", 0), Column::new("AGE", 0)]);
        table.row(["数据库", "5 h"].map(Cell::from));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let text = table.render(&Terminal::new(&mut out, &mut err, None, false));
        assert_eq!(text, "NAME    AGE\n数据库  5 h\n");
    }
}
