//! Text that others wrote, made harmless: names, tags and messages from AWS may hold control characters, which a terminal
//! would obey.

use std::borrow::Cow;

/// The text with every character that a terminal would obey, or that turns the direction of what follows, written out as
/// `\u{1b}`. Line breaks stay.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, |character| character == '\n')
}

/// The same for what has to stay on one line.
pub(crate) fn printable_line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// JSON whose strings hold none of those characters as such. JSON itself asks for less.
pub(crate) fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_obeyed_in_json) {
        return Cow::Borrowed(json);
    }
    // Outside of strings JSON has none of them; they are all in the basic plane.
    let escaped = json.chars().map(|character| {
        if is_obeyed_in_json(character) {
            Cow::Owned(format!("\\u{:04x}", u32::from(character)))
        } else {
            Cow::Owned(character.to_string())
        }
    });
    Cow::Owned(escaped.collect())
}

fn is_obeyed_in_json(character: char) -> bool {
    character != '\n' && is_obeyed(character)
}

fn escape(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_harmful = |character| is_obeyed(character) && !stays(character);
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_harmful(character) {
            written.extend(character.escape_unicode());
        } else {
            written.push(character);
        }
    }
    Cow::Owned(written)
}

/// Control characters of both sets, and those of Unicode that break lines or turn the direction of text.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// L4: a name that paints the terminal, sets its title or pretends to be another line.
    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, expected) in [
            ("orders", "orders"),
            ("größe 数据库", "größe 数据库"),
            ("\u{1b}[31mred\u{1b}[0m", r"\u{1b}[31mred\u{1b}[0m"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}"),
            ("good\rbad", r"good\u{d}bad"),
            ("a\u{202e}b", r"a\u{202e}b"),
        ] {
            assert_eq!(printable(text), expected);
            assert_eq!(printable_line(text), expected);
        }
        assert_eq!(printable("two\nlines"), "two\nlines");
        assert_eq!(printable_line("two\nlines"), r"two\u{a}lines");
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_a_terminal_obeys(text in any::<String>()) {
            prop_assert!(!printable_line(&text).chars().any(is_obeyed));
            prop_assert!(!printable(&text).chars().any(|character| character != '\n' && is_obeyed(character)));
        }

        #[test]
        fn json_says_the_same_without_them(text in any::<String>()) {
            let json = serde_json::to_string_pretty(&[&text]).expect("JSON");
            let written = printable_json(&json);
            prop_assert!(!written.chars().any(is_obeyed_in_json));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&written).expect("JSON"), [text]);
        }
    }
}
