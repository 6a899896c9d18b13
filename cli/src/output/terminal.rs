//! Where a command writes: how wide it is, whether it has colours, and whether anybody is watching.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::AnsiColor;
use console::measure_text_width;

use crate::output::printable::{printable, printable_json};

/// The operator's terminal, or the pipe or file in its place.
pub struct Terminal<'a> {
    /// Results.
    out: &'a mut dyn Write,
    /// Progress, hints and errors.
    err: &'a mut dyn Write,
    /// Columns; none in a pipe, where lines may be as long as they like.
    width: Option<usize>,
    colour: bool,
    /// Whether progress may be drawn in place.
    live: bool,
    /// What kept the first result from being written.
    failure: Option<io::Error>,
}

impl std::fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("width", &self.width)
            .field("colour", &self.colour)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

/// What a piece of text means, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// Nothing in particular.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Soon to be bad.
    Warning,
    /// Needs somebody.
    Bad,
    /// Less important than the rest.
    Faint,
    /// A heading.
    Strong,
}

impl From<Style> for anstyle::Style {
    fn from(style: Style) -> Self {
        match style {
            Style::Plain => Self::new(),
            Style::Good => AnsiColor::Green.on_default(),
            Style::Warning => AnsiColor::Yellow.on_default(),
            Style::Bad => AnsiColor::Red.on_default(),
            Style::Faint => Self::new().dimmed(),
            Style::Strong => Self::new().bold(),
        }
    }
}

impl<'a> Terminal<'a> {
    /// A terminal as it is described.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, width: Option<usize>, colour: bool) -> Self {
        Self {
            out,
            err,
            width,
            colour,
            live: false,
            failure: None,
        }
    }

    /// The process's own: width only on a terminal, and colours where the environment allows them.
    pub fn from_process(out: &'a mut dyn Write, err: &'a mut dyn Write, no_colour: bool) -> Self {
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let measured = || {
            let stdout = console::Term::stdout();
            let (_, columns) = stdout.size_checked().filter(|_| stdout.is_term())?;
            Some(usize::from(columns))
        };
        let allowed = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            out,
            err,
            width: columns.or_else(measured),
            // anstream would colour a dumb terminal where `CI` is set.
            colour: allowed && !is_dumb && !no_colour,
            live: std::io::stderr().is_terminal() && !is_dumb,
            failure: None,
        }
    }

    /// The same, where progress is lines and nothing is drawn in place.
    #[must_use]
    pub fn without_live_progress(self) -> Self {
        Self { live: false, ..self }
    }

    /// Columns; none in a pipe.
    pub(crate) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether progress may be drawn in place.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// `text` in the colour of its meaning.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let style = anstyle::Style::from(style);
        format!("{style}{text}{style:#}")
    }

    /// Writes a text that was composed for a terminal, colours included: a table, a manual. What others wrote has gone
    /// through [`printable`] before.
    ///
    /// A reader who has seen enough (`| head`) ends the output, not the program. Results that cannot be written are none:
    /// see [`Terminal::failure`].
    pub(crate) fn print(&mut self, text: &str) {
        if self.failure.is_some() {
            return;
        }
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.failure = written.err();
    }

    /// What kept the results from being written, unless their reader had seen enough.
    #[must_use]
    pub fn failure(&self) -> Option<&io::Error> {
        let failure = self.failure.as_ref();
        failure.filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// Writes a line of results.
    pub(crate) fn println(&mut self, text: &str) {
        self.print(&format!("{}\n", printable(text)));
    }

    /// Writes a sentence of results, wrapped at words to the width.
    pub(crate) fn println_wrapped(&mut self, style: Style, text: &str) {
        let lines = wrap(&printable(text), self.width);
        let lines: Vec<String> = lines.iter().map(|line| self.paint(style, line)).collect();
        self.print(&(lines.join("\n") + "\n"));
    }

    /// Writes beside the results, wrapped likewise.
    pub fn eprintln(&mut self, text: &str) {
        let text = wrap(&printable(text), self.width).join("\n");
        let _ = writeln!(self.err, "{text}");
    }

    /// Writes a value as JSON.
    pub(crate) fn print_json(&mut self, value: &impl serde::Serialize) {
        self.print(&json_text(value));
    }
}

/// A value as [`Terminal::print_json`] writes it, byte for byte.
pub(crate) fn json_text(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
    printable_json(&text).into_owned() + "\n"
}

/// `text` in lines of at most `width` characters. A longer word stays whole, and so does a line that is indented, which
/// is a command: they are there to be copied.
pub(crate) fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return text.lines().map(str::to_owned).collect();
    };
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        if paragraph.starts_with("  ") {
            lines.push(paragraph.to_owned());
            continue;
        }
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && measure_text_width(&line) + 1 + measure_text_width(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_wrap_at_words_and_keep_long_words_whole() {
        assert_eq!(wrap("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(
            wrap("a https://long.example b\n  run me as I am", Some(5)),
            ["a", "https://long.example", "b", "  run me as I am"]
        );
        assert_eq!(wrap("as long as it likes", None), ["as long as it likes"]);
    }

    /// L4: whatever way a text is written, a terminal obeys none of it.
    #[test]
    fn what_others_wrote_never_reaches_the_terminal_as_it_is() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(&mut out, &mut err, Some(80), false);
        let evil = "orders\u{1b}[2J\u{9b}31m";
        terminal.println(evil);
        terminal.println_wrapped(Style::Bad, evil);
        terminal.eprintln(evil);
        terminal.print_json(&[evil]);
        let written = String::from_utf8([out, err].concat()).expect("text");
        assert_eq!(written.matches("orders").count(), 4);
        assert!(
            written
                .chars()
                .all(|character| character == '\n' || !character.is_control()),
            "{written:?}"
        );
    }

    /// N12: a full disk is no success, and a reader who has seen enough is no error.
    #[test]
    fn results_that_cannot_be_written_are_a_failure_unless_nobody_reads_them() {
        struct Broken(io::ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (kind, is_failure) in [(io::ErrorKind::StorageFull, true), (io::ErrorKind::BrokenPipe, false)] {
            let (mut out, mut err) = (Broken(kind), Vec::new());
            let mut terminal = Terminal::new(&mut out, &mut err, None, false);
            assert!(terminal.failure().is_none());
            terminal.println("a result");
            assert_eq!(terminal.failure().is_some(), is_failure, "{kind}");
        }
    }

    #[test]
    fn without_colours_nothing_but_the_text_is_written() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = Terminal::new(&mut out, &mut err, None, false);
        assert_eq!(terminal.paint(Style::Bad, "late"), "late");
        let terminal = Terminal::new(&mut out, &mut err, None, true);
        assert_eq!(terminal.paint(Style::Bad, "late"), "\u{1b}[31mlate\u{1b}[0m");
    }
}
