//! Tables that fit the terminal: where there is no room, the least important columns go, then the longest text is cut.

use console::measure_text_width;

use crate::output::printable::printable_line;
use crate::output::terminal::{Style, Terminal};

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

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    title: &'static str,
    /// How important it is: 0 never goes, the largest goes first.
    rank: u8,
    /// Whether its texts may be cut, in the middle, and to how many columns at least.
    min_width: Option<usize>,
    /// Whether it is a number, written flush right.
    right: bool,
}

impl Column {
    /// A column whose texts are never cut.
    pub(crate) const fn new(title: &'static str, rank: u8) -> Self {
        Self {
            title,
            rank,
            min_width: None,
            right: false,
        }
    }

    /// The same, whose texts may be cut to that many columns.
    pub(crate) const fn cut_to(self, min_width: usize) -> Self {
        Self {
            min_width: Some(min_width),
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
        let fitted = self.fit(&natural, terminal.width().unwrap_or(usize::MAX));
        let mut text = String::new();
        let titles = self.columns.iter().map(|column| Cell::new(Style::Strong, column.title));
        self.write(&mut text, &titles.collect::<Vec<_>>(), &fitted, terminal);
        for row in &self.rows {
            self.write(&mut text, row, &fitted, terminal);
        }
        text
    }

    fn natural_width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at));
        let widest = cells.map(|cell| measure_text_width(&cell.text)).max().unwrap_or(0);
        widest.max(measure_text_width(self.columns[at].title))
    }

    /// The columns that are shown, each with its width.
    fn fit(&self, natural: &[usize], room: usize) -> Vec<(usize, usize)> {
        // A column without content says nothing.
        let is_empty = |at: usize| {
            self.rows
                .iter()
                .all(|row| row.get(at).is_none_or(|cell| cell.text.is_empty()))
        };
        let mut shown: Vec<(usize, usize)> = natural
            .iter()
            .enumerate()
            .filter(|(at, _)| self.columns[*at].rank == 0 || !is_empty(*at))
            .map(|(at, width)| (at, *width))
            .collect();
        loop {
            let needed = |shown: &[(usize, usize)]| {
                let gaps = GAP.len() * shown.len().saturating_sub(1);
                shown.iter().map(|(_, width)| width).sum::<usize>() + gaps
            };
            let excess = needed(&shown).saturating_sub(room);
            let spare = |(at, width): &(usize, usize)| {
                let column = self.columns[*at];
                column
                    .min_width
                    .map_or(0, |min| width.saturating_sub(min.max(column.title.len())))
            };
            let spares: usize = shown.iter().map(spare).sum();
            let least = (0..shown.len())
                .filter(|at| self.columns[shown[*at].0].rank > 0)
                .max_by_key(|at| self.columns[shown[*at].0].rank);
            match least {
                Some(least) if excess > spares => {
                    shown.remove(least);
                }
                _ => {
                    // What is too much comes off the column that has most to spare.
                    for _ in 0..excess.min(spares) {
                        if let Some(most) = shown.iter_mut().max_by_key(|column| spare(column)) {
                            most.1 -= 1;
                        }
                    }
                    return shown;
                }
            }
        }
    }

    fn write(&self, text: &mut String, row: &[Cell], fitted: &[(usize, usize)], terminal: &Terminal<'_>) {
        let nothing = Cell::default();
        let mut line = String::new();
        for (place, (at, width)) in fitted.iter().enumerate() {
            let cell = row.get(*at).unwrap_or(&nothing);
            let content = cut(&cell.text, *width);
            let pad = " ".repeat(width.saturating_sub(measure_text_width(&content)));
            let painted = terminal.paint(cell.style, &content);
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
