//! Labelled mails in a file: a JSON object a line.

use postigo_model::text::beginning;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::BufRead;

/// A line has at most so many bytes.
const LONGEST_LINE: usize = 1 << 20;
/// So many mistakes are told; then reading ends.
const MOST_MISTAKES: usize = 20;
/// So many lines a file has at most.
const MOST_LINES: usize = 1_000_000;
/// Bytes of a text that are kept: classifiers read the beginning.
const LONGEST_TEXT: usize = 16 << 10;
/// Bytes that the mails of a file have together, as they are kept.
const MOST_BYTES: usize = 512 << 20;

/// A mail with its labels, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelledMail {
    /// Its subject.
    #[serde(default)]
    pub subject: String,
    /// Its text.
    #[serde(default)]
    pub text: String,
    /// Question → label; empty: it belongs to no label.
    pub labels: BTreeMap<String, String>,
    /// Whether a person gave the labels, so that they count more.
    #[serde(default, deserialize_with = "flag", skip_serializing_if = "std::ops::Not::not")]
    pub given: bool,
}

/// `true` and `false`, or 1 and 0, as some databases write them.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Bool(flag) => Ok(flag),
        number if number == 1 => Ok(true),
        number if number == 0 => Ok(false),
        _ => Err(D::Error::custom("`given` must be true or false")),
    }
}

/// Reads labelled mails, a line each; empty lines are passed over. The error names every line that is wrong.
pub fn read(input: &mut impl BufRead) -> Result<Vec<LabelledMail>, Vec<String>> {
    let (mut mails, mut mistakes) = (Vec::new(), Vec::new());
    let (mut line, mut bytes) = (Vec::new(), 0);
    for number in 1..=MOST_LINES + 1 {
        if mistakes.len() == MOST_MISTAKES {
            mistakes.push("There may be more mistakes; these are told first.".to_owned());
            break;
        }
        line.clear();
        let mut bounded = std::io::Read::take(&mut *input, LONGEST_LINE as u64 + 1);
        match bounded.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) if number > MOST_LINES => {
                mistakes.push(format!("There are more than {MOST_LINES} lines. Give fewer of them."));
                break;
            }
            Ok(_) => {}
            Err(error) => {
                mistakes.push(format!("line {number}: it cannot be read: {error}."));
                break;
            }
        }
        if line.len() > LONGEST_LINE {
            mistakes.push(format!("line {number}: it has more than {} KiB. Shorten the text.", LONGEST_LINE >> 10));
            if !skip_line(input, &line) {
                break;
            }
            continue;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if bytes > MOST_BYTES {
            mistakes.push(format!(
                "line {number}: the mails before it have more than {} MiB. Give fewer.",
                MOST_BYTES >> 20
            ));
            break;
        }
        match serde_json::from_slice::<LabelledMail>(&line) {
            Ok(mail) => match wrong(&mail) {
                None => {
                    let mail = LabelledMail { text: beginning(&mail.text, LONGEST_TEXT).to_owned(), ..mail };
                    bytes += mail.text.len() + mail.subject.len();
                    mails.push(mail);
                }
                Some(why) => mistakes.push(format!("line {number}: {why}")),
            },
            Err(error) => mistakes.push(format!("line {number}: {}.", told(&error))),
        }
    }
    if mistakes.is_empty() { Ok(mails) } else { Err(mistakes) }
}

fn wrong(mail: &LabelledMail) -> Option<String> {
    if mail.subject.trim().is_empty() && mail.text.trim().is_empty() {
        return Some("it has neither a `subject` nor a `text`.".to_owned());
    }
    let empty = mail.labels.iter().find(|(question, label)| question.trim().is_empty() || label.trim().is_empty());
    empty.map(|(question, _)| format!("the label of the question \"{question}\" is empty."))
}

/// What is wrong with a line, without its place in the line's own numbering.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(text) if error.column() > 0 => format!("column {}: {text}", error.column()),
        _ => text,
    }
}

/// Passes over the rest of a line; whether there is more behind it.
fn skip_line(input: &mut impl BufRead, read: &[u8]) -> bool {
    if read.ends_with(b"\n") {
        return true;
    }
    loop {
        let Ok(buffer) = input.fill_buf() else { return false };
        if buffer.is_empty() {
            return false;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = buffer.len();
        input.consume(end.map_or(length, |end| end + 1));
        if end.is_some() {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<LabelledMail>, Vec<String>> {
        read(&mut text.as_bytes())
    }

    #[test]
    fn a_line_is_a_mail_with_its_labels_and_empty_lines_are_passed_over() {
        let text = "{\"subject\": \"Lamp\", \"text\": \"It is dark.\", \"labels\": {\"queue\": \"Support\"}}\n\n\
                    {\"text\": \"Win money\", \"labels\": {}, \"given\": 1}";
        let mails = read_text(text).unwrap();
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0].labels["queue"], "Support");
        assert_eq!((mails[1].subject.as_str(), mails[1].labels.len()), ("", 0));
        assert_eq!((mails[0].given, mails[1].given), (false, true));
        assert_eq!(read_text("").unwrap(), []);
    }

    #[test]
    fn every_line_that_is_wrong_is_named_and_nothing_is_taken() {
        let long = format!("{{\"text\": \"{}\", \"labels\": {{}}}}", "x".repeat(LONGEST_LINE));
        let text = format!(
            "{{\"text\": \"a\"}}\nnonsense\n{long}\n{{\"text\": \"a\", \"labels\": {{}}, \"colour\": 1}}\n\
             {{\"text\": \" \", \"labels\": {{}}}}\n{{\"text\": \"a\", \"labels\": {{\"queue\": \"\"}}}}\n"
        );
        let mistakes = read_text(&text).unwrap_err();
        let begins = |number: usize| format!("line {number}: ");
        assert_eq!(mistakes.len(), 6, "{mistakes:?}");
        for (place, mistake) in mistakes.iter().enumerate() {
            assert!(mistake.starts_with(&begins(place + 1)) && mistake.ends_with('.'), "{mistake}");
        }
        assert!(mistakes[0].contains("labels") && mistakes[3].contains("colour"), "{mistakes:?}");
    }

    #[test]
    fn of_very_many_mistakes_the_first_are_told() {
        let mistakes = read_text(&"nonsense\n".repeat(1_000)).unwrap_err();
        assert_eq!(mistakes.len(), MOST_MISTAKES + 1);
    }

    #[test]
    fn bytes_that_are_no_text_are_a_mistake_of_their_line() {
        let mistakes = read(&mut &b"{\"text\": \"\xff\", \"labels\": {}}\n"[..]).unwrap_err();
        assert!(mistakes[0].starts_with("line 1: "), "{mistakes:?}");
    }
}
