//! Text that others wrote, on its way to a shell, to the AWS CLI and to a terminal.
//!
//! Tags are text that anybody with access to the copy may have written: a shell reads each value as one word, the AWS CLI
//! as a value, and a terminal obeys none of it.

use std::fmt::Write;

/// The AWS CLI reads a value that begins like this as the name of a file or page whose content it sends (user guide,
/// "Load a parameter from a file"; pages up to its version 1).
const FILES: [&str; 4] = ["file://", "fileb://", "http://", "https://"];

/// Whether the AWS CLI can be given this value as it is.
pub(crate) fn is_usable(value: &str) -> bool {
    !value.chars().any(is_hidden) && !FILES.iter().any(|begin| value.starts_with(begin))
}

/// Whether a terminal does something else with a character than showing it where it stands: control characters, the
/// separators that begin a line, and those that turn the direction of the text or have no width.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// The text in one line that a terminal shows and does not obey.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A value as JSON in which every character is shown.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The command as a POSIX shell reads it, one option per line.
pub(crate) fn shell(command: &[String]) -> String {
    let mut text = String::new();
    for word in command {
        if word.starts_with("--") {
            text.push_str(" \\\n  ");
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&quoted(word));
    }
    text
}

/// A word as a POSIX shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let word = visible(word);
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,+@".contains(character);
    // zsh takes a word after a `=` for the name of a program.
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// The arguments that a POSIX shell hands over for this text. `aws` is a function there that prints them.
    fn arguments(text: &str) -> Vec<String> {
        let mut shell = Command::new("sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let script = format!("aws() {{ for word; do printf '%s\\0' \"$word\"; done; }}\n{text}\n");
        let mut input = shell.stdin.take().expect("its input");
        input.write_all(script.as_bytes()).expect("written");
        drop(input);
        let output = shell.wait_with_output().expect("its end");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && errors.is_empty(), "{errors}\n{text}");
        let printed = String::from_utf8(output.stdout).expect("text");
        let mut words: Vec<String> = printed.split('\0').map(str::to_owned).collect();
        assert_eq!(words.pop().as_deref(), Some(""));
        words
    }

    #[test]
    fn words_that_a_shell_would_read_otherwise_are_quoted() {
        assert_eq!(quoted("db.r6g.large"), "db.r6g.large");
        assert_eq!(quoted("$(rm -rf /)"), "'$(rm -rf /)'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("=ls"), "'=ls'");
        assert_eq!(quoted("a\nb\u{1b}[2J"), r"'a\u{a}b\u{1b}[2J'");
    }

    #[test]
    fn what_the_aws_cli_would_read_from_a_file_is_not_usable() {
        for value in [
            "file:///etc/passwd",
            "fileb://x",
            "https://example.com",
            "a\nb",
            "\u{202e}x",
        ] {
            assert!(!is_usable(value), "{value:?}");
        }
        for value in ["", "db.r6g.large", "--region", "it's", "größe", "a file://"] {
            assert!(is_usable(value), "{value:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// L4: whatever a tag says, a shell reads it as the same words.
        #[test]
        fn a_shell_reads_the_words_that_were_written(
            words in proptest::collection::vec("\\PC{0,12}|[ -~]{0,12}|(--|=|~|-|#|!)[a-z'\"$`\\\\*?{},<>|&; ]{0,8}", 1..40),
        ) {
            prop_assume!(words.iter().all(|word| is_usable(word)));
            let command: Vec<String> = std::iter::once("aws".to_owned()).chain(words.clone()).collect();
            prop_assert_eq!(arguments(&shell(&command)), words);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

        /// L4: nothing reaches a terminal that it obeys, and nothing ends the line of a comment.
        #[test]
        fn nothing_that_a_terminal_obeys_is_shown(text in any::<String>()) {
            for shown in [visible(&text), quoted(&text), json(&text)] {
                prop_assert!(!shown.chars().any(is_hidden), "{shown:?}");
            }
            prop_assert_eq!(serde_json::from_str::<String>(&json(&text)).expect("JSON"), text);
        }
    }
}
