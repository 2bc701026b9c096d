//! Reads an mbox (RFC 4155) as a stream, one message in memory at a time.

use std::io::{self, BufRead, Read as _};

/// Reads the messages of an mbox in turn.
///
/// A separator is a postmark at the start or after an empty line: `From `, the sender, and a date, and nothing else. A
/// sentence in a body that happens to begin with `From ` is none. Quoted lines (`>From `) lose one
/// `>`, as in mboxrd. The empty line before the next separator is not the message's.
pub struct MboxReader<R> {
    inner: R,
    most: u64,
    line: Vec<u8>,
    started: bool,
}

/// Whether a file with this start is an mbox.
pub fn begins(start: &[u8]) -> bool {
    start.split(|byte| *byte == b'\n').next().is_some_and(is_postmark)
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
            if self.line.is_empty() || (after_empty && is_postmark(&self.line)) {
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

/// Whether a line is a postmark: `From `, the sender (none, one word, or `jane at example.com` as in archives of lists),
/// and to the end of the line a date as asctime writes it, `Mon Nov 23 09:15:00 2026`, in which a zone may stand before
/// or after the year, or one as in a header, `Mon, 23 Nov 2026 09:15:00 +0100`. UUCP's `remote from host` may follow.
fn is_postmark(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let words: Vec<&[u8]> =
        rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(MOST_WORDS).collect();
    let Some(day) = words.iter().position(|word| is_one_of(word.strip_suffix(b",").unwrap_or(word), &DAYS)) else {
        return false;
    };
    let (sender, date) = words.split_at(day);
    let is_sender = match sender {
        [] | [_] => true,
        [_, at, _] => at.eq_ignore_ascii_case(b"at"),
        // A local part in quotes may have blanks.
        [first, .., last] => first.starts_with(b"\"") && last.contains(&b'@'),
    };
    let date = if let [before @ .., b"remote", b"from", _] = date { before } else { date };
    let is_date = match date {
        [_, month, day, time, rest @ ..] if is_one_of(month, &MONTHS) => {
            let mut others = rest.iter().filter(|word| !is_year(word));
            is_number(day, 2)
                && is_time(time)
                && rest.len() <= 3
                && others.all(|word| is_zone(word))
                && rest.iter().any(|word| is_year(word))
        }
        [_, day, month, year, time, zone @ ..] => {
            is_number(day, 2)
                && is_one_of(month, &MONTHS)
                && is_year(year)
                && is_time(time)
                && zone.len() <= 2
                && zone.iter().all(|word| is_zone(word))
        }
        _ => false,
    };
    is_sender && is_date
}

/// A postmark has no more words.
const MOST_WORDS: usize = 40;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn is_one_of(word: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

fn is_number(word: &[u8], most_digits: usize) -> bool {
    (1..=most_digits).contains(&word.len()) && word.iter().all(u8::is_ascii_digit)
}

fn is_year(word: &[u8]) -> bool {
    word.len() == 4 && is_number(word, 4)
}

/// `+0100`, `UTC`, `(CET)`.
fn is_zone(word: &[u8]) -> bool {
    match word.strip_prefix(b"(").and_then(|word| word.strip_suffix(b")")).unwrap_or(word) {
        [b'+' | b'-', digits @ ..] => digits.len() == 4 && is_number(digits, 4),
        letters => (1..=5).contains(&letters.len()) && letters.iter().all(u8::is_ascii_uppercase),
    }
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
    fn only_a_postmark_begins_a_message() {
        for postmark in [
            "From jane@x.test Mon Nov 23 09:15:00 2026",
            "From - Mon Nov 23 09:15:00 2026",
            "From ???@??? Mon Nov 23 09:15:00 2026",
            "From MAILER-DAEMON Mon Nov  3 09:15:00 2026",
            "From  Mon Nov 23 09:15:00 2026",
            "From jane@x.test Mon Nov 23 09:15 2026",
            "From jane@x.test Mon Nov 23 09:15:00 CET 2026",
            "From jane@x.test Mon Nov 23 09:15:00 2026 +0100",
            "From 1784@xxx Mon Nov 23 09:15:00 +0000 2026",
            "From jane at x.test  Mon Nov 23 09:15:00 2026",
            "From \"jane roe\"@x.test Mon Nov 23 09:15:00 2026",
            "From jane Mon Nov 23 09:15:00 2026 remote from mailhub",
            "From jane@x.test Mon, 23 Nov 2026 09:15:00 +0100",
            "From jane@x.test Mon Nov 23 09:15:00 2026\r",
        ] {
            let text = format!("From a@x Fri Aug  9 15:11:47 2002\nSubject: a\n\n{postmark}\nSubject: b\n");
            assert_eq!(messages(&text).len(), 2, "{postmark}");
            assert!(begins(text.as_bytes()), "{postmark}");
        }
        for sentence in [
            "From 10:30 to 11:15 on 23 November 2026 the line was down.",
            "From Mon Nov 23 09:15:00 2026 on the line was down.",
            "From jane@x.test, Mon Nov 23 09:15 2026: what she said",
            "From Monday 09:15 to Friday 17:00 we are here, in 2026 too",
            "From our shop on Mon Nov 23 09:15:00 2026",
            "From Mon Nov 23 to Fri Nov 27 2026",
            "From the log: Mon Nov 23 09:15:00 2026",
            "From jane@x.test",
            "From ",
            "From jane@x.test Mon Nov 23 2026",
            "From jane@x.test Mon Nov 23 09:15:00 26",
            "From: jane@x.test Mon Nov 23 09:15:00 2026",
        ] {
            let text = format!("From a@x Fri Aug  9 15:11:47 2002\nSubject: a\n\n{sentence}\nSubject: b\n");
            assert_eq!(messages(&text).len(), 1, "{sentence}");
        }
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
