//! What a POP3 server says in a line: status lines and listing lines (RFC 1939 section 3). Pure functions over bytes.

use memchr::memchr;
use postigo_net::redaction::Redactor;
use postigo_net::words;

/// RFC 1939 section 7.
const LONGEST_UIDL: usize = 70;

/// The response code of a refusal (RFC 2449 section 8, RFC 3206).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The mailbox is locked by another session.
    InUse,
    /// Too soon after the last time.
    LoginDelay,
    /// The credentials are wrong.
    Auth,
    /// Trouble on the server that passes.
    SystemTemporary,
    /// Trouble on the server that stays.
    SystemPermanent,
    /// None, or an unknown one.
    Other,
}

/// The server said `-ERR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrAnswer {
    /// Why, for programs.
    pub code: Code,
    /// Why, for people: one short line.
    pub text: String,
}

/// What a status line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusLine {
    /// `+OK`, and the words behind it, as they came: numbers may be meant.
    Ok(String),
    /// `+ `: what it asks while somebody signs in (RFC 5034), in base64.
    Challenge(String),
    /// `-ERR`.
    Refused(ErrAnswer),
}

/// Reads a status line without its line break; nothing if it is none. A refusal's text goes through the redactor.
pub fn status(line: &[u8], redactor: &Redactor) -> Option<StatusLine> {
    let (word, rest) = match memchr(b' ', line) {
        Some(end) => (line.get(..end)?, line.get(end + 1..)?),
        None => (line, [].as_slice()),
    };
    match word {
        b"+" => Some(StatusLine::Challenge(String::from_utf8_lossy(rest).trim().to_owned())),
        _ if word.eq_ignore_ascii_case(b"+OK") => Some(StatusLine::Ok(String::from_utf8_lossy(rest).into_owned())),
        _ if word.eq_ignore_ascii_case(b"-ERR") => Some(StatusLine::Refused(refusal(rest, redactor))),
        _ => None,
    }
}

fn refusal(rest: &[u8], redactor: &Redactor) -> ErrAnswer {
    let text = String::from_utf8_lossy(rest);
    let code =
        text.trim().strip_prefix('[').and_then(|text| text.split_once(']')).map(|(code, _)| code.to_ascii_uppercase());
    let code = match code.as_deref() {
        Some("IN-USE") => Code::InUse,
        Some("LOGIN-DELAY") => Code::LoginDelay,
        Some("AUTH") => Code::Auth,
        Some("SYS/TEMP") => Code::SystemTemporary,
        Some("SYS/PERM") => Code::SystemPermanent,
        _ => Code::Other,
    };
    ErrAnswer { code, text: said(rest, redactor) }
}

/// A server's words, one short line without secrets.
pub fn said(words: &[u8], redactor: &Redactor) -> String {
    words::said(&String::from_utf8_lossy(words), redactor)
}

/// The words of STAT's answer: two numbers. Servers may add more.
pub fn two_numbers(line: &[u8]) -> Option<(u32, u64)> {
    let mut words = words_of(line);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// A line of LIST: number and size; 0 where what stands there is none: it is seen when the message comes.
pub fn number_and_size(line: &[u8]) -> Option<(u32, u64)> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let number = words.next()?.parse().ok()?;
    Some((number, words.next().and_then(|size| size.parse().ok()).unwrap_or(0)))
}

/// A line of UIDL: number and unique-id; no id where what stands there is none (RFC 1939: 1 to 70 characters from 0x21
/// to 0x7E).
pub fn number_and_uidl(line: &[u8]) -> Option<(u32, Option<String>)> {
    let mut words = words_of(line);
    let number = words.next()?.parse().ok()?;
    let uidl =
        words.next().filter(|uidl| uidl.len() <= LONGEST_UIDL && uidl.bytes().all(|byte| byte.is_ascii_graphic()));
    Some((number, uidl.map(str::to_owned)))
}

fn words_of(line: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(line).unwrap_or_default().split(' ').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines_are_told_apart() {
        let read = |line: &[u8]| status(line, &Redactor::default());
        assert_eq!(read(b"+OK 2 320"), Some(StatusLine::Ok("2 320".into())));
        assert_eq!(read(b"+OK"), Some(StatusLine::Ok(String::new())));
        assert_eq!(read(b"+ eyJz"), Some(StatusLine::Challenge("eyJz".into())));
        assert_eq!(read(b"+"), Some(StatusLine::Challenge(String::new())));
        let Some(StatusLine::Refused(refusal)) = read(b"-ERR [in-use] Do you have\x07 another session?") else {
            panic!("refused")
        };
        assert_eq!((refusal.code, refusal.text.as_str()), (Code::InUse, "[in-use] Do you have  another session?"));
        for none in [b"".as_slice(), b"* OK IMAP", b"220 smtp", b"+OKAY"] {
            assert_eq!(read(none), None);
        }
    }

    #[test]
    fn listing_lines_are_read_and_bad_ids_are_none() {
        assert_eq!(two_numbers(b"1 120 octets"), Some((1, 120)));
        assert_eq!(two_numbers(b"1 -2"), None);
        assert_eq!(number_and_size(b" 1\t120 octets \xff"), Some((1, 120)));
        assert_eq!(number_and_size(b"1 \xff"), Some((1, 0)));
        assert_eq!(number_and_size(b"x 1"), None);
        assert_eq!(number_and_uidl(b"1 whqtswO00WBw418f9t5JxYwZ"), Some((1, Some("whqtswO00WBw418f9t5JxYwZ".into()))));
        assert_eq!(number_and_uidl(b"1"), Some((1, None)));
        assert_eq!(number_and_uidl(format!("1 {}", "x".repeat(71)).as_bytes()), Some((1, None)));
        assert_eq!(number_and_uidl("1 ü".as_bytes()), Some((1, None)));
        assert_eq!(number_and_uidl(b"x y"), None);
    }
}
