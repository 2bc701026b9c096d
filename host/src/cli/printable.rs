//! Texts of strangers on a terminal: what would command it, or turn its lines around, is shown instead of obeyed.

use postigo_model::text::is_obeyed;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

/// One line of text with `?` for every character that a terminal would obey.
pub fn one_line(text: &str) -> String {
    text.chars().map(|character| if is_obeyed(character) { '?' } else { character }).collect()
}

/// The same for text of several lines; line breaks and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    let obeyed = |character: char| is_obeyed(character) && !matches!(character, '\n' | '\t');
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|character| if obeyed(character) { '?' } else { character }).collect())
}

/// A JSON document whose strings hold no such character as it is: each is written as its escape, which says the same to
/// a program.
pub fn json(document: String) -> String {
    // Outside strings JSON has white space only, and the serializer writes none of that.
    if !document.contains(is_obeyed) {
        return document;
    }
    document.chars().fold(String::with_capacity(document.len() + 16), |mut text, character| {
        if is_obeyed(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(character);
        }
        text
    })
}

/// Writes lines of a log to a terminal or file. Colours, which the log itself writes, stay.
#[derive(Debug)]
pub struct LogWriter<W>(pub W);

impl<W: io::Write> io::Write for LogWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let obeyed = |character: char| is_obeyed(character) && !matches!(character, '\n' | '\t' | '\u{1b}');
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(obeyed) => self.0.write_all(bytes)?,
            Ok(text) => {
                let shown: String =
                    text.chars().map(|character| if obeyed(character) { '?' } else { character }).collect();
                self.0.write_all(shown.as_bytes())?;
            }
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const HOSTILE: &str = "invoice_\u{202e}fdp.exe \u{2066}\u{9b}2J\u{1b}[2J\u{2028}\u{e0041}";

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(one_line(HOSTILE), "invoice_?fdp.exe ??2J?[2J??");
        assert_eq!(lines("a\tb\nc\u{202e}d\r"), "a\tb\nc?d?");
        assert_eq!(one_line("שלום\u{200f} 👩\u{200d}💻"), "שלום\u{200f} 👩\u{200d}💻");
    }

    #[test]
    fn a_program_reads_the_same_json() {
        let document = serde_json::json!({ "subject": HOSTILE });
        let written = json(document.to_string());
        assert!(!written.contains(is_obeyed), "{written}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), document);
    }

    #[test]
    fn a_line_of_the_log_keeps_its_colour_alone() {
        let mut written = Vec::new();
        LogWriter(&mut written).write_all("\u{1b}[32mINFO\u{1b}[0m a\u{202e}b\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "\u{1b}[32mINFO\u{1b}[0m a?b\n");
    }
}
