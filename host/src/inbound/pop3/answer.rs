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

/// What a line says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingLine<T> {
    /// The message's number in this session, from 1.
    pub number: u32,
    /// Its size or unique-id; none where what stands there is none.
    pub fact: Option<T>,
    /// Whether the line is as such lines are. Another may be of a message all the same, or be words that begin with a
    /// number (`3 messages follow`).
    pub is_plain: bool,
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

/// A line of LIST: number and size; servers may add more.
pub fn number_and_size(line: &[u8]) -> Option<ListingLine<u64>> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let number = message_number(words.next()?)?;
    let size = words.next().and_then(|size| size.parse().ok());
    Some(ListingLine { number, fact: size, is_plain: size.is_some() })
}

/// A line of UIDL: number and unique-id, and nothing else; no id where what stands there is none (RFC 1939: 1 to 70
/// characters from 0x21 to 0x7E).
pub fn number_and_uidl(line: &[u8]) -> Option<ListingLine<String>> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let number = message_number(words.next()?)?;
    let uidl = words.next();
    let is_plain = uidl.is_some() && words.next().is_none();
    let valid = |uidl: &&str| uidl.len() <= LONGEST_UIDL && uidl.bytes().all(|byte| byte.is_ascii_graphic());
    Some(ListingLine { number, fact: uidl.filter(valid).map(str::to_owned), is_plain })
}

/// Digits alone, from 1.
fn message_number(word: &str) -> Option<u32> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten().filter(|number| *number > 0)
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
        let size = |line: &[u8]| number_and_size(line).map(|line| (line.number, line.fact, line.is_plain));
        assert_eq!(size(b" 1\t120 octets \xff"), Some((1, Some(120), true)));
        assert_eq!(size(b"1 \xff"), Some((1, None, false)));
        let uidl = |line: &[u8]| number_and_uidl(line).map(|line| (line.number, line.fact, line.is_plain));
        assert_eq!(uidl(b"1\twhqtswO00WBw418f9t5JxYwZ"), Some((1, Some("whqtswO00WBw418f9t5JxYwZ".into()), true)));
        assert_eq!(uidl(b"1 a b"), Some((1, Some("a".into()), false)));
        assert_eq!(uidl(b"1"), Some((1, None, false)));
        assert_eq!(uidl(format!("1 {}", "x".repeat(71)).as_bytes()), Some((1, None, true)));
        assert_eq!((uidl("1 ü".as_bytes()), uidl(b"1 \xff")), (Some((1, None, true)), Some((1, None, true))));
        for none in [&b"x 1"[..], b"+1 1", b"0 1", b"4294967296 1", b""] {
            assert_eq!((size(none), uidl(none)), (None, None), "{none:?}");
        }
    }
}
