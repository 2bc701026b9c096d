//! Reads an mbox (RFC 4155) as a stream, one message in memory at a time.

use std::io::{self, BufRead, Read as _};

/// Reads the messages of an mbox in turn.
///
/// A separator is a line `From sender … hh:mm[:ss] … yyyy` at the start or after an empty line: a sentence in a body
/// that happens to begin with `From ` is none. Quoted lines (`>From `) lose one `>`, as in mboxrd. The empty line
/// before the next separator is not the message's.
pub struct MboxReader<R> {
    inner: R,
    most: u64,
    line: Vec<u8>,
    started: bool,
}

/// Whether a file with this start is an mbox.
pub fn begins(start: &[u8]) -> bool {
    start.split(|byte| *byte == b'\n').next().is_some_and(is_separator)
}

/// A message without the separator that local delivery writes before it.
pub fn without_separator(mut message: Vec<u8>) -> Vec<u8> {
    if begins(&message) {
        let end = memchr::memchr(b'\n', &message).map_or(message.len(), |end| end + 1);
        message.drain(..end);
    }
    message
}

impl<R: BufRead> MboxReader<R> {
    /// Reads from `inner`, whose first line is a separator. A message has at most `most` bytes.
    pub fn new(inner: R, most: u64) -> Self {
        Self { inner, most, line: Vec::new(), started: false }
    }

    /// The next message, without its separator.
    pub fn next_message(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.started {
            self.started = true;
            self.read_line()?;
        }
        if self.line.is_empty() {
            return Ok(None);
        }
        let mut message = Vec::new();
        let mut after_empty = false;
        loop {
            self.read_line()?;
            if self.line.is_empty() || (after_empty && is_separator(&self.line)) {
                drop_empty_line(&mut message);
                return Ok(Some(message));
            }
            after_empty = matches!(self.line.as_slice(), b"\n" | b"\r\n");
            message.extend_from_slice(unquoted(&self.line));
            if message.len() as u64 > self.most {
                let sentence = format!("a message in it has more than {} bytes", self.most);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, sentence));
            }
        }
    }

    fn read_line(&mut self) -> io::Result<()> {
        self.line.clear();
        self.inner.by_ref().take(self.most.saturating_add(1)).read_until(b'\n', &mut self.line).map(|_| ())
    }
}

fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    match line.get(quotes..) {
        Some(rest) if quotes > 0 && rest.starts_with(b"From ") => line.get(1..).unwrap_or(line),
        _ => line,
    }
}

fn drop_empty_line(message: &mut Vec<u8>) {
    for (end, empty) in [(b"\r\n\r\n".as_slice(), 2), (b"\n\n".as_slice(), 1)] {
        if message.ends_with(end) {
            message.truncate(message.len() - empty);
            return;
        }
    }
}

fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.by_ref().any(is_time) && words.any(|word| word.len() == 4 && word.iter().all(u8::is_ascii_digit))
}

/// `hh:mm` or `hh:mm:ss`.
fn is_time(word: &[u8]) -> bool {
    let mut fields = 0;
    word.split(|byte| *byte == b':').all(|field| {
        fields += 1;
        (1..=2).contains(&field.len()) && field.iter().all(u8::is_ascii_digit)
    }) && (2..=3).contains(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let mut reader = MboxReader::new(text.as_bytes(), 1000);
        std::iter::from_fn(|| reader.next_message().unwrap()).map(|raw| String::from_utf8(raw).unwrap()).collect()
    }

    #[test]
    fn a_sentence_that_begins_with_from_separates_nothing() {
        let text = "From a@x Fri Aug  9 15:11:47 2002\nSubject: a\n\n\nFrom here on 2 of 3\n\nFrom b\n";
        assert_eq!(messages(text), ["Subject: a\n\n\nFrom here on 2 of 3\n\nFrom b\n"]);
    }

    #[test]
    fn quoted_separators_lose_one_quote() {
        let text = "From a Fri Aug  9 15:11:47 2002\n\n>From a\n>>From b\n> From c\n>Fromage\n";
        assert_eq!(messages(text), ["\nFrom a\n>From b\n> From c\n>Fromage\n"]);
    }

    #[test]
    fn line_ends_of_both_kinds_are_kept() {
        let text = "From a Fri Aug  9 15:11:47 2002\r\nS: a\r\n\r\nb\r\n\r\nFrom a Fri Aug  9 15:11 +0200 2002\r\nS: c\r\n\r\nd";
        assert_eq!(messages(text), ["S: a\r\n\r\nb\r\n", "S: c\r\n\r\nd"]);
    }

    #[test]
    fn an_empty_message_between_two_separators_is_one() {
        let line = "From a Fri Aug  9 15:11:47 2002\n";
        assert_eq!(messages(&format!("{line}\n{line}\n")), ["\n", "\n"]);
    }

    #[test]
    fn a_message_without_end_is_not_read_to_its_end() {
        let endless = b"From a Fri Aug  9 15:11:47 2002\n".chain(io::repeat(b'x'));
        let error = MboxReader::new(io::BufReader::new(endless), 1000).next_message().unwrap_err();
        assert_eq!(error.to_string(), "a message in it has more than 1000 bytes");
    }
}
