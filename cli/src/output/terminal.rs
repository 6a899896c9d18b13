//! Where a command writes: how wide it is, whether it has colours, and whether anybody is watching.

use std::io::{IsTerminal, Write};

/// The operator's screen, or the pipe or file in its place.
pub struct Screen<'a> {
    /// Results.
    out: &'a mut dyn Write,
    /// What is said beside results: progress, hints.
    aside: &'a mut dyn Write,
    /// Columns; none in a pipe, where lines may be as long as they like.
    width: Option<usize>,
    colour: bool,
    /// Whether progress may be drawn in place.
    live: bool,
}

impl std::fmt::Debug for Screen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen")
            .field("width", &self.width)
            .field("colour", &self.colour)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

/// What a piece of text means, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
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

impl<'a> Screen<'a> {
    /// A screen as it is described.
    pub fn new(out: &'a mut dyn Write, aside: &'a mut dyn Write, width: Option<usize>, colour: bool) -> Self {
        Self {
            out,
            aside,
            width,
            colour,
            live: false,
        }
    }

    /// The process's own: colours and width only on a terminal, and no colours where `NO_COLOR` is set.
    pub fn of_process(out: &'a mut dyn Write, aside: &'a mut dyn Write, no_colour: bool) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let terminal = std::io::stdout().is_terminal();
        let measured = || {
            let (_, columns) = console::Term::stdout().size_checked().filter(|_| terminal)?;
            Some(usize::from(columns))
        };
        let dumb = variable("TERM").is_some_and(|term| term == "dumb");
        Self {
            out,
            aside,
            width: variable("COLUMNS")
                .and_then(|columns| columns.parse().ok())
                .or_else(measured),
            colour: terminal && !no_colour && !dumb && variable("NO_COLOR").is_none(),
            live: std::io::stderr().is_terminal() && !dumb,
        }
    }

    /// Columns; none in a pipe.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether progress may be drawn in place.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// `text` in the colour of its meaning.
    #[must_use]
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
            Tone::Strong => "1",
            Tone::Plain => return text.to_owned(),
        };
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Writes results. A reader who has seen enough (`| head`) ends the output, not the program.
    pub fn print(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    /// Writes a line of results.
    pub fn line(&mut self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    /// Writes a sentence of results, wrapped at words to the width.
    pub fn sentence(&mut self, tone: Tone, text: &str) {
        let lines: Vec<String> = wrap(text, self.width)
            .iter()
            .map(|line| self.paint(tone, line))
            .collect();
        self.line(&lines.join("\n"));
    }

    /// Says something beside the results, wrapped likewise.
    pub fn aside(&mut self, text: &str) {
        let text = wrap(text, self.width).join("\n");
        let _ = writeln!(self.aside, "{text}");
    }

    /// Writes a value as JSON.
    pub fn json(&mut self, value: &impl serde::Serialize) {
        let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        self.line(&text);
    }
}

/// `text` in lines of at most `width` characters. A longer word stays whole, and so does a line that is indented, which
/// is a command: they are there to be copied.
fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
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
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
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

    #[test]
    fn without_colours_nothing_but_the_text_is_written() {
        let (mut out, mut aside) = (Vec::new(), Vec::new());
        let screen = Screen::new(&mut out, &mut aside, None, false);
        assert_eq!(screen.paint(Tone::Bad, "late"), "late");
        let screen = Screen::new(&mut out, &mut aside, None, true);
        assert_eq!(screen.paint(Tone::Bad, "late"), "\u{1b}[31mlate\u{1b}[0m");
    }
}
